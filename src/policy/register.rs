//! The compiled register: names resolved, conditions as bit masks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use super::target::Target;
use super::{
    Approver, Binding, CategorySet, Destination, EventPath, Fault, MAX_CATEGORIES, Parts, Rule,
    Subject, Trust, Workflow,
};
use crate::model::{Attested, Channel, Class, Effect, Executable, FlowHeader, Reason};
use crate::rules::Taxonomy;

/// All reasons for partial coverage, in the order of their masks.
pub(super) const REASONS: [Reason; 6] = [
    Reason::Opaque,
    Reason::Limit,
    Reason::Deadline,
    Reason::Damaged,
    Reason::Error,
    Reason::EarlyBlock,
];

/// A checked, immutable policy. Made once, shared by any number of threads.
#[derive(Clone, Debug)]
pub struct Policy {
    parts: Parts,
    purposes: Vec<String>,
    digest: [u8; 32],
    by_workflow: HashMap<String, usize>,
    by_destination: HashMap<String, usize>,
    regulated: CategorySet,
    secret: CategorySet,
    known: CategorySet,
    pub(super) masks: Masks,
}

/// For each value of each dimension, the rules that a flow with that value can match: bit `r` of
/// a mask is rule `r`.
#[derive(Clone, Debug, Default)]
pub(super) struct Masks {
    pub words: usize,
    pub channel: Vec<Vec<u64>>,
    /// By position of the workflow; the last for a flow of none.
    pub workflow: Vec<Vec<u64>>,
    /// By position of the purpose; the last for none, or one that is not listed anywhere.
    pub purpose: Vec<Vec<u64>>,
    /// By position of the destination; the last for an unknown one.
    pub destination: Vec<Vec<u64>>,
    /// By position of the category; empty where no rule names it.
    pub category: Vec<Vec<u64>>,
    /// By position of the category; empty where no rule names it.
    pub lineage: Vec<Vec<u64>>,
    pub coverage: Vec<Vec<u64>>,
    pub flow: Vec<u64>,
}

/// Whether a payload can be changed on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// It can: what is released is what comes out of redaction.
    Rewritable,
    /// It cannot: a commit, a scanned file, bytes that are already out. Redact is escalate.
    Fixed,
}

/// Which workflow a flow is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkflowOf {
    /// The header names none.
    Unnamed,
    /// The header names one that is not registered.
    Unregistered,
    /// The one at this position.
    Registered(usize),
}

/// Whether the peer may be the workflow that it claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// It claims none that is registered.
    None,
    /// It fits the binding.
    Bound,
    /// It does not.
    Mismatch,
}

/// A flow with its names resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The way that the payload moves.
    pub channel: Channel,
    /// The workflow.
    pub workflow: WorkflowOf,
    /// Whether the peer may be that workflow.
    pub identity: Identity,
    /// Position of the destination; none where nothing matches.
    pub destination: Option<usize>,
    /// Position of the purpose in [`Policy::purposes`]; none where it is missing or listed by no
    /// workflow.
    pub purpose: Option<usize>,
    /// Whether the workflow lists the purpose.
    pub purpose_listed: bool,
    /// Fields that the workflow requires and the header does not name.
    pub missing: Vec<String>,
    /// Whether the payload can be changed on its way.
    pub carrier: Carrier,
    /// Id of the destination; what the header says where it is unknown, empty where it says none.
    pub destination_name: String,
    /// Scheme and host of the destination, as far as the header says them; for the caller to fill
    /// in, cleaned.
    pub address: String,
    /// The purpose that the header names; empty where it names none.
    pub purpose_name: String,
    /// The identity that presents the payload, as [`Attested::executor`] gives it.
    pub executor: String,
    /// MAC of the payload.
    pub payload: [u8; 32],
    /// Bytes of the payload.
    pub bytes: u64,
}

impl Flow {
    /// Scheme and host as one text; empty where there is neither.
    pub fn address_of(scheme: &str, host: &str) -> String {
        match (scheme, host) {
            ("", host) => host.to_owned(),
            (scheme, host) => format!("{scheme}://{host}"),
        }
    }
}

impl Policy {
    /// Checks the parts against each other and compiles them. `digest` names the files they were
    /// read from.
    ///
    /// # Errors
    ///
    /// Everything that is wrong.
    pub fn compile(
        parts: Parts,
        taxonomy: &Taxonomy,
        digest: [u8; 32],
    ) -> Result<Policy, Vec<Fault>> {
        let faults = faults(&parts, taxonomy);
        if !faults.is_empty() {
            return Err(faults);
        }
        let purposes: BTreeSet<&String> =
            parts.workflows.iter().flat_map(|workflow| &workflow.purposes).collect();
        let purposes: Vec<String> = purposes.into_iter().cloned().collect();
        let of = |wanted: &dyn Fn(&crate::model::Category) -> bool| -> CategorySet {
            let chosen = taxonomy.iter().filter(|(_, category)| wanted(category));
            chosen.map(|(index, _)| index).collect()
        };
        let positions = |ids: Vec<&String>| -> HashMap<String, usize> {
            ids.into_iter().enumerate().map(|(at, id)| (id.clone(), at)).collect()
        };
        let masks = Masks::new(&parts, &purposes);
        Ok(Policy {
            by_workflow: positions(parts.workflows.iter().map(|it| &it.id).collect()),
            by_destination: positions(parts.destinations.iter().map(|it| &it.id).collect()),
            regulated: of(&|category| category.regulated),
            secret: of(&|category| category.class == Class::Sec),
            known: of(&|_| true),
            parts,
            purposes,
            digest,
            masks,
        })
    }

    /// The policy of a machine without a `sluice.toml`: the defaults alone.
    pub fn defaults(taxonomy: &Taxonomy) -> Result<Policy, Vec<Fault>> {
        let digest = Sha256::digest(b"sluice policy defaults 1").into();
        Policy::compile(Parts::default(), taxonomy, digest)
    }

    /// The same register without its rules: what the defaults decide.
    pub(super) fn without_rules(&self) -> Policy {
        let parts = Parts { rules: Vec::new(), ..self.parts.clone() };
        let masks = Masks::new(&parts, &self.purposes);
        Policy { parts, masks, ..self.clone() }
    }

    /// What it was compiled from.
    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The same, whose digest names these files too, by name and content.
    pub fn covering<'f>(mut self, files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> Policy {
        let mut files: Vec<_> =
            files.into_iter().map(|(name, content)| (name, Sha256::digest(content))).collect();
        files.sort();
        for (name, content) in files {
            let mut hash = Sha256::new();
            hash.update(self.digest);
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name);
            hash.update(content);
            self.digest = hash.finalize().into();
        }
        self
    }

    /// SHA-256 that names what is in force.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The destinations, in the order of the register.
    pub fn destinations(&self) -> &[Destination] {
        &self.parts.destinations
    }

    /// The workflows, in the order of the register.
    pub fn workflows(&self) -> &[Workflow] {
        &self.parts.workflows
    }

    /// The rules, in the order of the register.
    pub fn rules(&self) -> &[Rule] {
        &self.parts.rules
    }

    /// Who may approve.
    pub fn approvers(&self) -> &[Approver] {
        &self.parts.approvers
    }

    /// The commands that are told of events.
    pub fn paths(&self) -> &[EventPath] {
        &self.parts.paths
    }

    /// Every purpose that a workflow lists, sorted.
    pub fn purposes(&self) -> &[String] {
        &self.purposes
    }

    /// Categories that exceptions may except.
    pub fn exceptable(&self) -> &CategorySet {
        &self.parts.exceptable
    }

    /// Categories that a law, contract or marking restricts.
    pub fn regulated(&self) -> &CategorySet {
        &self.regulated
    }

    /// Categories of class `sec`.
    pub fn secret(&self) -> &CategorySet {
        &self.secret
    }

    /// Categories that the taxonomy defines.
    pub fn known(&self) -> &CategorySet {
        &self.known
    }

    /// The workflow of a flow, where it is registered.
    pub fn workflow_of(&self, flow: &Flow) -> Option<&Workflow> {
        match flow.workflow {
            WorkflowOf::Registered(at) => self.parts.workflows.get(at),
            WorkflowOf::Unnamed | WorkflowOf::Unregistered => None,
        }
    }

    /// The destination of a flow, where it is registered.
    pub fn destination_of(&self, flow: &Flow) -> Option<&Destination> {
        self.parts.destinations.get(flow.destination?)
    }

    /// Trust of the destination of a flow.
    pub fn trust_of(&self, flow: &Flow) -> Trust {
        self.destination_of(flow).map_or(Trust::Unknown, |destination| destination.trust)
    }

    /// Position of the destination that a text names: by id, or by the most special matcher; one of
    /// the register of the machine before any of a repository's file.
    pub fn find_destination(&self, text: &str) -> Option<usize> {
        let named = self.by_destination.get(text).copied();
        let of_machine =
            |at: &usize| self.parts.destinations.get(*at).is_some_and(|it| !it.of_repository);
        if named.as_ref().is_some_and(of_machine) {
            return named;
        }
        let target = Target::read(text);
        let matched = target.and_then(|target| self.find_target(&target));
        matched.filter(of_machine).or(named).or(matched)
    }

    /// Position of the destination with the most special matcher for a target; one of the register
    /// of the machine before any of a repository's file.
    pub(super) fn find_target(&self, target: &Target) -> Option<usize> {
        let reach = |destination: &Destination| {
            destination.matchers.iter().filter_map(|matcher| matcher.reach(target)).max()
        };
        let found = self.parts.destinations.iter().enumerate();
        let found = found.filter_map(|(at, destination)| {
            Some((!destination.of_repository, reach(destination)?, at))
        });
        found.max().map(|(_, _, at)| at)
    }

    /// Finds what a flow header names. Total: what is not registered is unknown. MAC and length of
    /// the payload are for the caller to fill in once they are known.
    pub fn resolve(&self, header: &FlowHeader, attested: &Attested, carrier: Carrier) -> Flow {
        let workflow = match &header.workflow {
            None => WorkflowOf::Unnamed,
            Some(claimed) => match self.by_workflow.get(claimed.as_str()) {
                Some(at) => WorkflowOf::Registered(*at),
                None => WorkflowOf::Unregistered,
            },
        };
        let registered = match workflow {
            WorkflowOf::Registered(at) => self.parts.workflows.get(at),
            WorkflowOf::Unnamed | WorkflowOf::Unregistered => None,
        };
        let identity = match registered {
            None => Identity::None,
            Some(workflow) if fits(&workflow.binding, &workflow.id, attested) => Identity::Bound,
            Some(_) => Identity::Mismatch,
        };
        let purpose = header.purpose.as_ref().and_then(|claimed| {
            self.purposes.binary_search_by(|purpose| purpose.as_str().cmp(claimed.as_str())).ok()
        });
        let listed = |workflow: &Workflow| {
            header.purpose.as_ref().is_some_and(|it| workflow.purposes.contains(it.as_str()))
        };
        let missing = registered.map_or_else(Vec::new, |workflow| {
            workflow.evidence.iter().filter(|field| !header.has(field)).cloned().collect()
        });
        // Arguments of a tool go to the tool, where nothing else is said.
        let tool = header.tool.as_ref().filter(|_| header.channel == Some(Channel::ToolInput));
        let claimed = match (&header.destination, tool) {
            (Some(claimed), _) => claimed.as_str().to_owned(),
            (None, Some(tool)) => format!("tool:{}", tool.as_str()),
            (None, None) => String::new(),
        };
        let destination = Some(claimed.as_str()).filter(|it| !it.is_empty());
        let destination = destination.and_then(|claimed| self.find_destination(claimed));
        let registered_id = destination.and_then(|at| self.parts.destinations.get(at));
        Flow {
            channel: header.channel.unwrap_or(Channel::Export),
            workflow,
            identity,
            destination,
            purpose,
            purpose_listed: registered.is_some_and(listed),
            missing,
            carrier,
            destination_name: registered_id.map_or(claimed, |it| it.id.clone()),
            address: String::new(),
            purpose_name: header.purpose.as_ref().map_or("", |it| it.as_str()).to_owned(),
            executor: attested.executor(),
            payload: [0; 32],
            bytes: 0,
        }
    }
}

/// Whether a peer fits every list of a binding that has entries.
fn fits(binding: &Binding, workflow: &str, peer: &Attested) -> bool {
    let Binding { uids, gids, units, executables, token_file, anyone } = binding;
    let bound = !uids.is_empty()
        || !gids.is_empty()
        || !units.is_empty()
        || !executables.is_empty()
        || token_file.is_some();
    let executable = match &peer.executable {
        Executable::Known { sha256, .. } => Some(sha256),
        Executable::Unavailable(_) => None,
    };
    let group = |gid: &u32| *gid == peer.gid || peer.groups.contains(gid);
    let unit = peer.unit.as_ref().is_some_and(|unit| units.contains(unit.as_str()));
    let token = peer.token_of.as_ref().is_some_and(|token| token.workflow() == workflow);
    if !bound {
        return *anyone;
    }
    (uids.is_empty() || uids.contains(&peer.uid))
        && (gids.is_empty() || gids.iter().any(group))
        && (units.is_empty() || unit)
        && (executables.is_empty() || executable.is_some_and(|it| executables.contains(it)))
        && (token_file.is_none() || token)
}

fn faults(parts: &Parts, taxonomy: &Taxonomy) -> Vec<Fault> {
    let mut faults = Vec::new();
    if taxonomy.iter().count() > MAX_CATEGORIES {
        faults.push(Fault::TooManyCategories);
    }
    let mut reaches = BTreeMap::new();
    for (at, destination) in parts.destinations.iter().enumerate() {
        for matcher in &destination.matchers {
            // Those of the machine come first, so that they tie with none of a repository.
            let key = (destination.of_repository, matcher.key());
            let before = *reaches.entry(key.clone()).or_insert(at);
            if before != at {
                faults.push(Fault::Tie(before, at, key.1.1));
            }
        }
    }
    for (at, rule) in parts.rules.iter().enumerate() {
        let about_findings = matches!(rule.when.subject, Subject::Categories(_));
        if rule.effect == Effect::Redact && !about_findings {
            faults.push(Fault::RedactNeedsFindings(at));
        }
        if rule.effect != Effect::Redact && rule.transform.is_some() {
            faults.push(Fault::TransformNeedsRedact(at));
        }
    }
    if !parts.rules.is_empty() && parts.rules.iter().all(|rule| rule.shadow) {
        faults.push(Fault::AllShadow);
    }
    for (at, workflow) in parts.workflows.iter().enumerate() {
        let Binding { uids, gids, units, executables, token_file, anyone } = &workflow.binding;
        let bound = !(uids.is_empty()
            && gids.is_empty()
            && units.is_empty()
            && executables.is_empty()
            && token_file.is_none());
        if bound == *anyone {
            faults.push(Fault::Unbound(at));
        }
        let asked = usize::try_from(workflow.approvals).unwrap_or(usize::MAX);
        if asked > workflow.approvers.len().max(1) {
            faults.push(Fault::TooFewApprovers(at));
        }
    }
    faults.extend(unknown_names(parts));
    faults
}

/// Names that a rule or workflow uses and nothing registers.
fn unknown_names(parts: &Parts) -> Vec<Fault> {
    let destinations: BTreeSet<&String> = parts.destinations.iter().map(|it| &it.id).collect();
    let workflows: BTreeSet<&String> = parts.workflows.iter().map(|it| &it.id).collect();
    let purposes: BTreeSet<&String> =
        parts.workflows.iter().flat_map(|workflow| &workflow.purposes).collect();
    let approvers: BTreeSet<&String> = parts.approvers.iter().map(|it| &it.id).collect();
    let paths: BTreeSet<&String> = parts.paths.iter().map(|it| &it.id).collect();
    let mut faults = Vec::new();
    let mut check = |what: &'static str, known: &BTreeSet<&String>, names: Vec<&String>| {
        let unknown = names.into_iter().filter(|name| !known.contains(name));
        faults.extend(unknown.map(|name| Fault::UnknownName(what, name.clone())));
    };
    for workflow in &parts.workflows {
        check("destination", &destinations, workflow.destinations.iter().collect());
        check("approver", &approvers, workflow.approvers.iter().collect());
        let told = workflow.escalation.iter().chain(&workflow.monitoring);
        check("path", &paths, told.collect());
    }
    for rule in &parts.rules {
        check("destination", &destinations, rule.when.destinations.iter().collect());
        check("workflow", &workflows, rule.when.workflows.iter().collect());
        check("purpose", &purposes, rule.when.purposes.iter().collect());
    }
    faults
}

impl Masks {
    fn new(parts: &Parts, purposes: &[String]) -> Masks {
        let rules = &parts.rules;
        let words = rules.len().div_ceil(64);
        let mask = |wanted: &dyn Fn(&Rule) -> bool| -> Vec<u64> {
            let mut mask = vec![0u64; words];
            for (at, rule) in rules.iter().enumerate() {
                if let Some(word) = mask.get_mut(at / 64).filter(|_| wanted(rule)) {
                    *word |= 1 << (at % 64);
                }
            }
            mask
        };
        let named = |names: &BTreeSet<String>, name: Option<&String>| {
            names.is_empty() || name.is_some_and(|name| names.contains(name))
        };
        let each = |ids: Vec<&String>, of: fn(&Rule) -> &BTreeSet<String>| -> Vec<Vec<u64>> {
            let ids = ids.into_iter().map(Some).chain([None]);
            ids.map(|id| mask(&|rule| named(of(rule), id))).collect()
        };
        let mut masks = Masks {
            words,
            channel: Channel::ALL
                .into_iter()
                .map(|channel| {
                    mask(&|rule| {
                        rule.when.channels.is_empty() || rule.when.channels.contains(&channel)
                    })
                })
                .collect(),
            workflow: each(parts.workflows.iter().map(|it| &it.id).collect(), |rule| {
                &rule.when.workflows
            }),
            purpose: each(purposes.iter().collect(), |rule| &rule.when.purposes),
            destination: Vec::new(),
            category: vec![Vec::new(); MAX_CATEGORIES],
            lineage: vec![Vec::new(); MAX_CATEGORIES],
            coverage: REASONS
                .into_iter()
                .map(|reason| {
                    mask(&|rule| match &rule.when.subject {
                        Subject::Coverage(reasons) => reasons.contains(&reason),
                        _ => false,
                    })
                })
                .collect(),
            flow: mask(&|rule| rule.when.subject == Subject::Flow),
        };
        let destinations = parts.destinations.iter().map(Some).chain([None]);
        masks.destination = destinations
            .map(|destination| {
                let trust = destination.map_or(Trust::Unknown, Destination::standing);
                mask(&|rule| {
                    rule.when.trusts(trust)
                        && named(&rule.when.destinations, destination.map(|it| &it.id))
                })
            })
            .collect();
        for (at, rule) in rules.iter().enumerate() {
            let (table, categories) = match &rule.when.subject {
                Subject::Categories(categories) => (&mut masks.category, categories),
                Subject::Lineage(categories) => (&mut masks.lineage, categories),
                Subject::Flow | Subject::Coverage(_) => continue,
            };
            for category in categories.iter() {
                let Some(mask) = table.get_mut(usize::from(category.0)) else { continue };
                mask.resize(words, 0);
                if let Some(word) = mask.get_mut(at / 64) {
                    *word |= 1 << (at % 64);
                }
            }
        }
        masks
    }
}
