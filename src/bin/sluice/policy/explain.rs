//! `sluice policy explain`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use sluicegate::RuleSet;
use sluicegate::model::{
    Attested, CategoryCount, CategoryIndex, Channel, Coverage, Effect, Executable, FlowHeader,
    KernelName, Label, Likelihood, Reason, Sensitivity, Unique,
};
use sluicegate::policy::{
    self, Carrier, CategorySet, Explained, Flow, Identity, Item, Outcome, Policy, Unmet,
    WorkflowOf, category_words, decide,
};

use super::{Format, label};
use crate::UsageError;
use crate::load::load_rules;
use crate::names::shown;
use crate::register;
use crate::rules::{Folders, one_line, print, print_json};

/// The most bytes of a label that is read: 16 MiB.
const MAX_LABEL: u64 = 16 << 20;

/// Explain a decision.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The flow header, JSON
    #[arg(long, value_name = "FILE")]
    flow: PathBuf,
    /// What the payload holds, as `classify --format json` writes it; without one, what each kind
    /// of data would get
    #[arg(long, value_name = "FILE")]
    label: Option<PathBuf>,
    /// The register; else that of the machine or the user
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    folders: Folders,
    /// Output format
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Prints the explanation.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let rules = load_rules(&arguments.folders.dirs)?;
    let loaded = register::load(arguments.config.as_deref(), &rules.taxonomy)?;
    let policy = &loaded.config.policy;
    let json = read(&arguments.flow, policy::MAX_HEADER as u64)?;
    let header = policy::parse_header(&json)
        .map_err(|error| UsageError(format!("`{}`: {error}", shown(&arguments.flow))))?;
    let flow = resolve(policy, &header);
    let from = match &loaded.file {
        Some(file) => file.as_str(),
        None => "the defaults: no file is in force",
    };
    let page = Page { rules: &rules, policy, flow: &flow, from };
    let mut label = match &arguments.label {
        None => {
            let kinds = page.kinds();
            match arguments.format {
                Format::Human => print(&page.human_kinds(&kinds))?,
                Format::Json => print_json(&page.json_kinds(&kinds))?,
            }
            return Ok(ExitCode::SUCCESS);
        }
        Some(path) => label::parse(&read(path, MAX_LABEL)?, &rules.taxonomy)?,
    };
    // A claimed category that no pack defines is none that a policy knows.
    let unknown = CategoryIndex(u16::MAX);
    let claimed = header.labels.iter().map(|id| rules.taxonomy.find(id.as_str()));
    label.lineage.extend(claimed.map(|known| known.unwrap_or(unknown)));
    match arguments.format {
        Format::Human => print(&page.human(&label))?,
        Format::Json => print_json(&page.json(&label))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path, limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|error| UsageError(format!("cannot read `{}`: {error}", shown(path))))?;
    if bytes.len() as u64 > limit {
        return Err(UsageError(format!("`{}` is larger than {limit} bytes", shown(path))).into());
    }
    Ok(bytes)
}

/// The flow of a header, for a peer that is what the header claims.
fn resolve(policy: &Policy, header: &FlowHeader) -> Flow {
    let nobody = Attested {
        uid: 0,
        gid: 0,
        groups: BTreeSet::new(),
        pid: 0,
        start_time: 0,
        cgroup: KernelName::read(b""),
        unit: None,
        executable: Executable::Unavailable("nobody asks"),
        token_of: None,
        self_attested: true,
    };
    let commit = header.channel == Some(Channel::Commit);
    let carrier = if commit { Carrier::Fixed } else { Carrier::Rewritable };
    let mut flow = policy.resolve(header, &nobody, carrier);
    if matches!(flow.workflow, WorkflowOf::Registered(_)) {
        flow.identity = Identity::Bound;
    }
    flow
}

/// What is explained.
struct Page<'a> {
    rules: &'a RuleSet,
    policy: &'a Policy,
    flow: &'a Flow,
    from: &'a str,
}

/// What would be decided, from what, of which data.
type Kinds = BTreeMap<(std::cmp::Reverse<Effect>, String), (CategorySet, BTreeSet<Reason>, bool)>;

impl Page<'_> {
    fn human(&self, label: &Label) -> String {
        let explanation = self.policy.explain(label, self.flow);
        let sentence = self.policy.sentence(&explanation.decision, self.flow, &self.rules.taxonomy);
        let effect = explanation.decision.effect.as_str();
        let mut out = format!("{effect}\n  {}\n\n", one_line(&sentence));
        self.head(&mut out);
        for item in &explanation.items {
            self.item(&mut out, item, label);
        }
        let checks: Vec<_> = self.checks(label);
        if !checks.is_empty() {
            out.push_str("\nchecks of the flow\n");
            for (effect, id) in checks {
                let _ = writeln!(out, "  {:<9} {id}", effect.as_str());
            }
        }
        let ids: Vec<&str> = explanation
            .elsewhere
            .iter()
            .filter_map(|at| self.policy.rules().get(*at))
            .map(|rule| rule.id.as_str())
            .collect();
        if !ids.is_empty() {
            let _ = writeln!(out, "\nabout nothing that this flow holds\n  {}", ids.join(", "));
        }
        let _ = writeln!(out, "\nThe strongest effect of all parts counts: {effect}.");
        out
    }

    fn head(&self, out: &mut String) {
        let Page { policy, flow, .. } = self;
        let workflow = match flow.workflow {
            WorkflowOf::Registered(_) => policy.workflow_of(flow).map_or("", |it| it.id.as_str()),
            WorkflowOf::Unnamed => "none",
            WorkflowOf::Unregistered => "one that is not registered",
        };
        let purpose = match flow.purpose.and_then(|at| policy.purposes().get(at)) {
            Some(purpose) if flow.purpose_listed => format!("{purpose} (listed)"),
            Some(purpose) => format!("{purpose} (not one of the workflow)"),
            None if flow.purpose_name.is_empty() => "none".to_owned(),
            None => "one that no workflow lists".to_owned(),
        };
        let destination = match policy.destination_of(flow) {
            Some(it) => format!("{} ({})", it.id, it.trust.as_str()),
            None => "not registered".to_owned(),
        };
        let mut line = |name: &str, text: &str| {
            let _ = writeln!(out, "{name:<12} {text}");
        };
        line("register", self.from);
        line("channel", flow.channel.as_str());
        line("workflow", workflow);
        line("purpose", &purpose);
        line("destination", &destination);
        if flow.identity == Identity::Bound {
            line("assumed", "that the peer fits the binding of the workflow");
        }
        if flow.carrier == Carrier::Fixed {
            line("carrier", "cannot be rewritten: redact becomes escalate");
        }
    }

    fn item(&self, out: &mut String, item: &Explained, label: &Label) {
        let _ = writeln!(out, "\n{}", self.about(item.decided.item, Some(label)));
        let decided = (item.decided.effect, item.decided.from);
        let default = (item.default.effect, item.default.from);
        let in_force = |it| if it == decided { "  <- decides" } else { "" };
        let id = item.default.from.id(self.policy);
        let replaced = item.rules.iter().any(|(_, it)| *it == Outcome::InPlaceOfDefault);
        let note = if replaced { "  (a rule takes its place)" } else { in_force(default) };
        let _ = writeln!(out, "  {:<9} {id}{note}", item.default.effect.as_str());
        for (at, outcome) in &item.rules {
            let Some(rule) = self.policy.rules().get(*at) else { continue };
            let decides = item.decided.from == policy::Determinant::Rule(*at);
            let note = match outcome {
                _ if decides => "  <- decides".to_owned(),
                Outcome::InPlaceOfDefault | Outcome::Raising => "  applies".to_owned(),
                Outcome::Shadow => "  would apply, and is a shadow".to_owned(),
                Outcome::Not(unmet) => {
                    let why: Vec<String> = unmet.iter().map(|it| self.unmet(it)).collect();
                    format!("  does not apply: {}", why.join(", "))
                }
            };
            let _ = writeln!(out, "  {:<9} rule {}{note}", rule.effect.as_str(), rule.id);
        }
        let known = decided == default
            || matches!(item.decided.from, policy::Determinant::Rule(_)) && !item.rules.is_empty();
        if !known {
            let id = item.decided.from.id(self.policy);
            let _ = writeln!(out, "  {:<9} {id}  <- decides", item.decided.effect.as_str());
        }
    }

    /// What an item is, with what is known of it.
    fn about(&self, item: Item, label: Option<&Label>) -> String {
        match item {
            Item::Flow => "the flow, whatever it holds".to_owned(),
            Item::Lineage(category) => {
                format!("{} from an earlier step", self.category(category))
            }
            Item::Coverage(reason) => format!("not inspected whole: {}", reason.as_str()),
            Item::Category(category) => {
                let name = self.category(category);
                let found = label.and_then(|label| label.categories.get(&category));
                let possible = label.and_then(|label| label.possible.get(&category));
                match (found, possible) {
                    (Some(found), _) => {
                        let unique = match found.unique {
                            Unique::Exact(unique) => unique.to_string(),
                            Unique::AtLeast(unique) => format!("at least {unique}"),
                        };
                        let likelihood = found.max_likelihood.get();
                        let count = found.count;
                        format!(
                            "{name}: {count} found, {unique} different, likelihood {likelihood}"
                        )
                    }
                    (None, Some(possible)) => format!("{name}: {possible} possible"),
                    (None, None) => name,
                }
            }
        }
    }

    fn category(&self, category: CategoryIndex) -> String {
        match self.rules.category(category) {
            Some(category) => format!("{} ({})", category.id, one_line(&category.title)),
            None => "a category that no rule pack defines".to_owned(),
        }
    }

    fn unmet(&self, unmet: &Unmet) -> String {
        match unmet {
            Unmet::Channel(channel) => format!("the channel is {}", channel.as_str()),
            Unmet::Workflow => "the workflow is another".to_owned(),
            Unmet::Purpose => "the purpose is another".to_owned(),
            Unmet::Destination => "the destination is another".to_owned(),
            Unmet::Trust(trust) => format!("the destination is {}", trust.as_str()),
            Unmet::Count(wanted, found) => format!("needs {wanted} findings, there are {found}"),
            Unmet::Unique(wanted, found) => {
                format!("needs {wanted} different values, there are {found}")
            }
            Unmet::Likelihood(wanted, found) => {
                format!("needs likelihood {wanted}, the highest is {found}")
            }
            Unmet::OnlyPossible => "findings that are only possible do not count".to_owned(),
            Unmet::Contains(missing) => {
                let ids: Vec<&str> =
                    missing.iter().map(|index| self.rules.category_id(*index)).collect();
                format!("the payload does not hold {}", ids.join(", "))
            }
        }
    }

    /// Effects of the checks of identity, purpose and evidence.
    fn checks(&self, label: &Label) -> Vec<(Effect, &str)> {
        let explanation = self.policy.explain(label, self.flow);
        let explained: Vec<_> = explanation.items.iter().map(|it| it.decided).collect();
        let rest = explanation.decision.items.iter().filter(|it| !explained.contains(it));
        rest.map(|it| (it.effect, it.from.id(self.policy))).collect()
    }

    fn json(&self, label: &Label) -> Value {
        let explanation = self.policy.explain(label, self.flow);
        let decision = &explanation.decision;
        let rule_id = |at: usize| self.policy.rules().get(at).map(|rule| rule.id.as_str());
        let item = |item: &Explained| {
            let rules: Vec<Value> = item
                .rules
                .iter()
                .map(|(at, outcome)| {
                    let (word, unmet) = match outcome {
                        Outcome::InPlaceOfDefault => ("in_place_of_default", &[][..]),
                        Outcome::Raising => ("raising", &[][..]),
                        Outcome::Shadow => ("shadow", &[][..]),
                        Outcome::Not(unmet) => ("not", unmet.as_slice()),
                    };
                    let unmet: Vec<String> = unmet.iter().map(|it| self.unmet(it)).collect();
                    let effect = self.policy.rules().get(*at).map(|rule| rule.effect.as_str());
                    json!({ "rule": rule_id(*at), "effect": effect, "outcome": word, "unmet": unmet })
                })
                .collect();
            json!({
                "about": about_id(item.decided.item, self.rules),
                "effect": item.decided.effect.as_str(),
                "from": item.decided.from.id(self.policy),
                "transform": item.decided.transform.map(|(it, _)| it.as_str()),
                "default": {
                    "effect": item.default.effect.as_str(),
                    "from": item.default.from.id(self.policy),
                },
                "rules": rules,
            })
        };
        let checks = self.checks(label).into_iter();
        let checks: Vec<Value> =
            checks.map(|(effect, id)| json!({ "id": id, "effect": effect.as_str() })).collect();
        json!({
            "effect": decision.effect.as_str(),
            "cause": serde_json::to_value(decision.cause).unwrap_or_default(),
            "sentence": self.policy.sentence(decision, self.flow, &self.rules.taxonomy),
            "flow": self.json_flow(),
            "items": explanation.items.iter().map(item).collect::<Vec<_>>(),
            "checks": checks,
            "elsewhere": explanation.elsewhere.iter().map(|at| rule_id(*at)).collect::<Vec<_>>(),
        })
    }

    fn json_flow(&self) -> Value {
        let Page { policy, flow, .. } = self;
        json!({
            "register": self.from,
            "digest": data_encoding::HEXLOWER.encode(&policy.digest()),
            "channel": flow.channel.as_str(),
            "workflow": policy.workflow_of(flow).map(|it| &it.id),
            "purpose": flow.purpose.and_then(|at| policy.purposes().get(at)),
            "purpose_listed": flow.purpose_listed,
            "destination": policy.destination_of(flow).map(|it| &it.id),
            "trust": policy.trust_of(flow).as_str(),
        })
    }

    /// What each kind of data alone would get.
    fn kinds(&self) -> Kinds {
        let mut kinds = Kinds::new();
        let mut add = |label: &Label, category: Option<CategoryIndex>, reason: Option<Reason>| {
            let decision = decide(self.policy, label, self.flow, &[], 0);
            let from = decision.determining();
            let mut ids: Vec<&str> = from.iter().map(|it| it.from.id(self.policy)).collect();
            if ids.len() > 1 {
                ids.retain(|id| *id != "default.nothing-found");
            }
            let key = (std::cmp::Reverse(decision.effect), ids.join(", "));
            let (categories, reasons, nothing) = kinds.entry(key).or_default();
            category.into_iter().for_each(|category| categories.insert(category));
            reasons.extend(reason);
            *nothing |= category.is_none() && reason.is_none();
        };
        let empty = Label {
            categories: BTreeMap::new(),
            possible: BTreeMap::new(),
            sensitivity: Sensitivity::Public,
            coverage: Coverage::complete(),
            lineage: BTreeSet::new(),
        };
        add(&empty, None, None);
        for (category, _) in self.rules.taxonomy.iter() {
            let one = CategoryCount {
                count: 1,
                unique: Unique::Exact(1),
                max_likelihood: Likelihood::new(100),
            };
            let label = Label { categories: BTreeMap::from([(category, one)]), ..empty.clone() };
            add(&label, Some(category), None);
        }
        for reason in REASONS {
            let label = Label { coverage: Coverage::partial(reason), ..empty.clone() };
            add(&label, None, Some(reason));
        }
        kinds
    }

    fn human_kinds(&self, kinds: &Kinds) -> String {
        let mut out = String::new();
        self.head(&mut out);
        for ((effect, ids), (categories, reasons, nothing)) in kinds {
            let _ = writeln!(out, "\n{:<9} {ids}", effect.0.as_str());
            let mut words = category_words(categories, &self.rules.taxonomy);
            words.extend(reasons.iter().map(|reason| format!("coverage {}", reason.as_str())));
            if *nothing {
                words.push("nothing found".to_owned());
            }
            let mut line = String::from(" ");
            for (at, word) in words.iter().enumerate() {
                let comma = if at + 1 < words.len() { "," } else { "" };
                if line.len() + word.len() + 2 > 100 {
                    let _ = writeln!(out, "{line}");
                    line = String::from(" ");
                }
                let _ = write!(line, " {word}{comma}");
            }
            let _ = writeln!(out, "{line}");
        }
        out.push_str(
            "\nOne finding of a category each; the strongest effect of all parts counts.\n",
        );
        out
    }

    fn json_kinds(&self, kinds: &Kinds) -> Value {
        let kinds: Vec<Value> = kinds
            .iter()
            .map(|((effect, from), (categories, reasons, nothing))| {
                let ids: Vec<&str> =
                    categories.iter().map(|index| self.rules.category_id(index)).collect();
                let reasons: Vec<&str> = reasons.iter().map(|reason| reason.as_str()).collect();
                json!({
                    "effect": effect.0.as_str(),
                    "from": from,
                    "categories": ids,
                    "coverage": reasons,
                    "nothing": nothing,
                })
            })
            .collect();
        json!({ "flow": self.json_flow(), "kinds": kinds })
    }
}

const REASONS: [Reason; 6] = [
    Reason::Opaque,
    Reason::Limit,
    Reason::Deadline,
    Reason::Damaged,
    Reason::Error,
    Reason::EarlyBlock,
];

fn about_id(item: Item, rules: &RuleSet) -> String {
    match item {
        Item::Flow => "flow".to_owned(),
        Item::Category(category) => rules.category_id(category).to_owned(),
        Item::Lineage(category) => format!("lineage:{}", rules.category_id(category)),
        Item::Coverage(reason) => format!("coverage:{}", reason.as_str()),
    }
}
