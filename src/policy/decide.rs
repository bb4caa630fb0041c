//! The decision.

use super::category_set::bits;
use super::grant::refused;
use super::register::REASONS;
use super::{
    Carrier, Flow, GrantFacts, Identity, Policy, Refusal, Rule, Transform, Trust, Workflow,
    WorkflowOf,
};
use crate::model::{
    Band, CategoryCount, CategoryIndex, Cause, Coverage, Effect, Label, Likelihood, Reason,
    Sensitivity, Unique,
};

/// A part of a flow that is decided by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// The flow, whatever it holds.
    Flow,
    /// Findings of a category.
    Category(CategoryIndex),
    /// A category that the payload carries from earlier steps.
    Lineage(CategoryIndex),
    /// A reason for partial coverage.
    Coverage(Reason),
}

/// What an effect came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Determinant {
    /// The rule at this position.
    Rule(usize),
    /// Workflow, destination and purpose approve the category.
    Approved,
    /// The category is not regulated.
    Unregulated,
    /// Nothing was found and everything was inspected.
    Nothing,
    /// A secret that nobody approved.
    Secret,
    /// Regulated data, not approved, to an external or unknown destination.
    RegulatedOutside,
    /// Regulated data, not approved, to an internal destination.
    RegulatedInside,
    /// A category that the taxonomy does not define.
    UnknownCategory,
    /// A payload that cannot be read.
    Opaque,
    /// Other partial coverage, to an external or unknown destination.
    PartialOutside,
    /// Other partial coverage, to an internal destination.
    PartialInside,
    /// The peer is not the workflow that it claims to be.
    Identity,
    /// Regulated data for no listed purpose.
    Purpose,
    /// The header lacks fields that the workflow requires.
    Evidence,
    /// Redaction was decided, and the carrier cannot be rewritten.
    Carrier,
    /// An approver denied an escalation of the same payload.
    Denied,
    /// Nobody approved the escalation that the header names in time.
    Expired,
    /// What would have been released could not be made, or still held what it must not.
    Redaction,
    /// A grant lifted an escalation.
    Grant,
    /// Findings of the category are excepted, where policy permits that.
    Exception,
    /// A step failed.
    Failure,
}

impl Determinant {
    /// A stable word for records and output; the id of the rule for a rule.
    pub fn id<'p>(&self, policy: &'p Policy) -> &'p str {
        match self {
            Determinant::Rule(at) => policy.rules().get(*at).map_or("", |rule| &rule.id),
            other => other.word(),
        }
    }

    /// The stable word of everything but a rule.
    pub fn word(&self) -> &'static str {
        match self {
            Determinant::Rule(_) => "rule",
            Determinant::Approved => "default.approved",
            Determinant::Unregulated => "default.unregulated",
            Determinant::Nothing => "default.nothing-found",
            Determinant::Secret => "default.secret",
            Determinant::RegulatedOutside => "default.regulated-external",
            Determinant::RegulatedInside => "default.regulated-internal",
            Determinant::UnknownCategory => "default.unknown-category",
            Determinant::Opaque => "default.opaque",
            Determinant::PartialOutside => "default.partial-external",
            Determinant::PartialInside => "default.partial-internal",
            Determinant::Identity => "identity.binding",
            Determinant::Purpose => "purpose.unlisted",
            Determinant::Evidence => "evidence.missing",
            Determinant::Carrier => "carrier.fixed",
            Determinant::Denied => "escalation.denied",
            Determinant::Expired => "escalation.expired",
            Determinant::Redaction => "redaction.failed",
            Determinant::Grant => "grant",
            Determinant::Exception => "exception",
            Determinant::Failure => "error",
        }
    }
}

/// What was decided of one item, and from what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemDecision {
    /// The item.
    pub item: Item,
    /// What was decided of it.
    pub effect: Effect,
    /// From what; one entry of several with the same effect is the first by rule position.
    pub from: Determinant,
    /// What is done to its findings if the flow is redacted, and from which band up.
    pub transform: Option<(Transform, Band)>,
}

/// The answer to a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What may happen.
    pub effect: Effect,
    /// What it came from.
    pub cause: Cause,
    /// Every item of the flow with what was decided of it, in the order of the items.
    pub items: Vec<ItemDecision>,
    /// Positions of the shadow rules that matched, with the effect each would have had.
    pub shadows: Vec<(usize, Effect)>,
    /// Positions of the grants that lifted an escalation.
    pub grants: Vec<usize>,
    /// Why grants that were presented did not.
    pub refusals: Vec<(usize, Refusal)>,
}

/// Decides a flow at a time, `now`, in seconds since 1970. See the module for what is promised.
pub fn decide(
    policy: &Policy,
    label: &Label,
    flow: &Flow,
    grants: &[GrantFacts],
    now: u64,
) -> Decision {
    let (items, shadows) = Judge { policy, label, flow }.items();
    let mut decision = Decision {
        effect: Effect::Allow,
        cause: Cause::Default,
        items,
        shadows,
        grants: Vec::new(),
        refusals: Vec::new(),
    };
    decision.settle();
    decision.present(policy, flow, grants, now);
    decision
}

impl Policy {
    /// Whether a rule can redact a flow, whatever it holds.
    pub fn may_redact(&self, flow: &Flow) -> bool {
        let active = self.active(flow);
        let redacts = |at: usize| {
            self.rules().get(at).is_some_and(|it| it.effect == Effect::Redact && !it.shadow)
        };
        let rules = active.iter().enumerate();
        rules
            .flat_map(|(word, active)| bits(*active).map(move |bit| word * 64 + bit as usize))
            .any(redacts)
    }

    /// What is done to the findings of categories that a flow is redacted of from their first finding
    /// on, whatever else the payload holds: what rules without a threshold say.
    pub fn redactions(&self, flow: &Flow) -> Vec<(CategoryIndex, Transform, Band)> {
        if !self.may_redact(flow) {
            return Vec::new();
        }
        let of = |category: CategoryIndex, likely: bool| {
            let one = CategoryCount {
                count: 1,
                unique: Unique::Exact(1),
                max_likelihood: Likelihood::new(65),
            };
            let label = Label {
                categories: likely.then_some((category, one)).into_iter().collect(),
                possible: (!likely).then_some((category, 1)).into_iter().collect(),
                sensitivity: Sensitivity::Public,
                coverage: Coverage::complete(),
                lineage: Default::default(),
            };
            let (items, _) = Judge { policy: self, label: &label, flow }.items();
            let item = items.into_iter().find(|it| it.item == Item::Category(category))?;
            let transform = item.transform.unwrap_or((Transform::Mask, Band::Likely));
            (item.effect == Effect::Redact).then_some((category, transform.0, transform.1))
        };
        // Where possible findings alone are treated in another way, the payload decides which.
        let same = |it: &(CategoryIndex, Transform, Band)| {
            it.2 >= Band::Likely || of(it.0, false).as_ref() == Some(it)
        };
        self.known().iter().filter_map(|category| of(category, true)).filter(same).collect()
    }

    /// The rules whose conditions on the flow hold.
    fn active(&self, flow: &Flow) -> Vec<u64> {
        let masks = &self.masks;
        let channel = crate::model::Channel::ALL.iter().position(|it| *it == flow.channel);
        let channel = channel.and_then(|at| masks.channel.get(at));
        let workflow = match flow.workflow {
            WorkflowOf::Registered(at) => masks.workflow.get(at),
            WorkflowOf::Unnamed | WorkflowOf::Unregistered => masks.workflow.last(),
        };
        let purpose = match flow.purpose {
            Some(at) => masks.purpose.get(at),
            None => masks.purpose.last(),
        };
        let destination = match flow.destination {
            Some(at) => masks.destination.get(at),
            None => masks.destination.last(),
        };
        let (Some(channel), Some(workflow), Some(purpose), Some(destination)) =
            (channel, workflow, purpose, destination)
        else {
            return vec![0; masks.words];
        };
        let flow = channel.iter().zip(workflow).zip(purpose).zip(destination);
        flow.map(|(((a, b), c), d)| a & b & c & d).collect()
    }
}

impl Decision {
    /// The decision where a step failed: block.
    pub fn failure(cause: Cause) -> Decision {
        Decision {
            effect: Effect::Block,
            cause,
            items: vec![ItemDecision {
                item: Item::Flow,
                effect: Effect::Block,
                from: Determinant::Failure,
                transform: None,
            }],
            shadows: Vec::new(),
            grants: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// The items that gave the effect, each kind of source once.
    pub fn determining(&self) -> Vec<ItemDecision> {
        let mut found: Vec<ItemDecision> = Vec::new();
        let strongest = self.items.iter().filter(|item| item.effect == self.effect);
        // That nothing was found says something only where nothing else does.
        let is_more = |item: &&ItemDecision| item.from != Determinant::Nothing;
        let only = !strongest.clone().any(|item| is_more(&item));
        for item in strongest.filter(|item| only || is_more(item)) {
            if !found.iter().any(|known| known.from == item.from) {
                found.push(*item);
            }
        }
        found
    }

    /// What is done to the findings of each category of a redacted flow, and from which band up.
    pub fn transforms(&self) -> impl Iterator<Item = (CategoryIndex, Transform, Band)> {
        self.items.iter().filter_map(|item| match (item.item, item.effect) {
            (Item::Category(category), Effect::Redact) => {
                let (transform, band) = item.transform.unwrap_or((Transform::Mask, Band::Likely));
                Some((category, transform, band))
            }
            _ => None,
        })
    }

    /// Says that the payload could not be redacted: what was to be is escalated, and lifted where a
    /// grant covers it. The approver let the whole payload pass then.
    pub fn cannot_redact(&mut self, policy: &Policy, flow: &Flow, grants: &[GrantFacts], now: u64) {
        for item in self.items.iter_mut().filter(|item| item.effect == Effect::Redact) {
            item.effect = Effect::Escalate;
            item.from = Determinant::Redaction;
        }
        self.settle();
        self.present(policy, flow, grants, now);
    }

    /// Lifts what a person may decide by the first grant that covers it. A flow that blocks uses
    /// none.
    fn present(&mut self, policy: &Policy, flow: &Flow, grants: &[GrantFacts], now: u64) {
        for (at, grant) in grants.iter().enumerate() {
            if self.effect != Effect::Escalate {
                return;
            }
            let refusal = refused(policy, flow, grant, now)
                .or_else(|| (!self.lift(grant, flow.carrier)).then_some(Refusal::NotCovered));
            match refusal {
                Some(refusal) => self.refusals.push((at, refusal)),
                None => self.grants.push(at),
            }
            self.settle();
        }
    }

    /// Says that findings of these categories were left out of what was decided, as excepted.
    pub fn except(&mut self, categories: impl IntoIterator<Item = CategoryIndex>) {
        for category in categories {
            let (item, effect) = (Item::Category(category), Effect::Allow);
            let from = Determinant::Exception;
            self.items.push(ItemDecision { item, effect, from, transform: None });
        }
        self.settle();
    }

    /// Raises the effect for something that is about the whole flow.
    pub fn raise(&mut self, effect: Effect, from: Determinant) {
        let transform = None;
        self.items.push(ItemDecision { item: Item::Flow, effect, from, transform });
        self.settle();
    }

    /// Takes the maximum of the items.
    fn settle(&mut self) {
        self.effect = self.items.iter().map(|item| item.effect).max().unwrap_or(Effect::Block);
        let strongest = self.items.iter().filter(|item| item.effect == self.effect);
        let causes = strongest.map(|item| cause_of(item.item, item.from));
        self.cause = causes.max_by_key(|cause| rank(*cause)).unwrap_or(Cause::Error);
    }

    /// Lifts every escalated item, if the grant covers all of them.
    fn lift(&mut self, grant: &GrantFacts, carrier: Carrier) -> bool {
        let covers = |item: &ItemDecision| match (item.item, item.from) {
            (Item::Category(category), _) => {
                grant.categories.contains(category) && (grant.whole || !passes_whole(item, carrier))
            }
            (Item::Lineage(category), _) => grant.lineage.contains(category),
            (Item::Coverage(reason), _) => {
                grant.payload.is_some() && grant.coverage.contains(&reason)
            }
            (Item::Flow, Determinant::Purpose) => grant.unlisted_purpose,
            // A rule about the flow as a whole: the payload itself was approved.
            (Item::Flow, _) => grant.payload.is_some(),
        };
        if !self.items.iter().filter(|item| item.effect == Effect::Escalate).all(covers) {
            return false;
        }
        for item in self.items.iter_mut().filter(|item| item.effect == Effect::Escalate) {
            // What a rule wants redacted stays redacted, unless it cannot be.
            let redact = item.transform.is_some() && !passes_whole(item, carrier);
            item.effect = if redact { Effect::Redact } else { Effect::Allow };
            item.from = Determinant::Grant;
        }
        true
    }
}

/// Whether lifting the escalation of an item lets pass what a rule wants redacted.
fn passes_whole(item: &ItemDecision, carrier: Carrier) -> bool {
    let cannot = matches!(item.from, Determinant::Carrier | Determinant::Redaction);
    cannot || item.transform.is_some() && carrier == Carrier::Fixed
}

fn cause_of(item: Item, from: Determinant) -> Cause {
    match (item, from) {
        (_, Determinant::Rule(_)) => Cause::Rule,
        (_, Determinant::Exception) => Cause::Exception,
        (_, Determinant::Failure | Determinant::Redaction | Determinant::UnknownCategory)
        | (Item::Coverage(Reason::Error | Reason::Damaged), _) => Cause::Error,
        (Item::Coverage(Reason::Limit), _) => Cause::Limit,
        (Item::Coverage(Reason::Deadline), _) => Cause::Deadline,
        _ => Cause::Default,
    }
}

/// Of several causes of one effect the one with the highest rank is named.
fn rank(cause: Cause) -> u8 {
    match cause {
        Cause::Default => 0,
        Cause::Rule => 1,
        Cause::Exception => 2,
        Cause::Limit => 3,
        Cause::Deadline => 4,
        Cause::Error => 5,
    }
}

/// Decides the items of one flow.
struct Judge<'a> {
    policy: &'a Policy,
    label: &'a Label,
    flow: &'a Flow,
}

/// What the rules say of one item.
#[derive(Clone, Copy, Debug, Default)]
struct Verdict {
    /// The strongest rule that takes the place of the default.
    displacing: Option<(Effect, usize)>,
    /// The strongest rule that only raises.
    raising: Option<(Effect, usize)>,
    /// The strongest transform that a rule asks for, and the lowest band.
    transform: Option<(Transform, Band)>,
}

impl Judge<'_> {
    fn items(&self) -> (Vec<ItemDecision>, Vec<(usize, Effect)>) {
        let active = self.policy.active(self.flow);
        let mut shadows = Vec::new();
        let (policy, label) = (self.policy, self.label);
        let mut items = Vec::with_capacity(label.categories.len() + 2);
        let of_flow = self.verdict(Item::Flow, &active, &policy.masks.flow, &mut shadows);
        items.push(self.decided(Item::Flow, of_flow, (Effect::Allow, Determinant::Nothing)));
        let found = label.categories.keys().map(|category| (*category, true));
        let possible = label.possible.keys().filter(|it| !label.categories.contains_key(it));
        for (category, counts) in found.chain(possible.map(|category| (*category, false))) {
            let item = Item::Category(category);
            let mask = policy.masks.category.get(usize::from(category.0));
            let mask = mask.map_or(&[][..], Vec::as_slice);
            let verdict = self.verdict(item, &active, mask, &mut shadows);
            if counts {
                items.push(self.decided(item, verdict, self.default_of(category)));
            } else if verdict.displacing.is_some() || verdict.raising.is_some() {
                // Nobody but a rule that names possible findings decides anything of them.
                items.push(self.decided(item, verdict, (Effect::Allow, Determinant::Unregulated)));
            }
        }
        for category in &label.lineage {
            let item = Item::Lineage(*category);
            let mask = policy.masks.lineage.get(usize::from(category.0));
            let mask = mask.map_or(&[][..], Vec::as_slice);
            let verdict = self.verdict(item, &active, mask, &mut shadows);
            items.push(self.decided(item, verdict, self.default_of(*category)));
        }
        for reason in &label.coverage.reasons {
            let item = Item::Coverage(*reason);
            let at = REASONS.iter().position(|known| known == reason);
            let mask = at.and_then(|at| policy.masks.coverage.get(at));
            let mask = mask.map_or(&[][..], Vec::as_slice);
            let verdict = self.verdict(item, &active, mask, &mut shadows);
            items.push(self.decided(item, verdict, self.default_of_reason(*reason)));
        }
        items.extend(self.checks());
        shadows.sort_unstable();
        shadows.dedup();
        (items, shadows)
    }

    fn verdict(
        &self,
        item: Item,
        active: &[u64],
        mask: &[u64],
        shadows: &mut Vec<(usize, Effect)>,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        for (at, (active, mask)) in active.iter().zip(mask).enumerate() {
            for bit in bits(active & mask) {
                let at = at * 64 + bit as usize;
                let Some(rule) = self.policy.rules().get(at) else { continue };
                if !self.holds(item, rule) {
                    continue;
                }
                if rule.shadow {
                    shadows.push((at, rule.effect));
                    continue;
                }
                let slot = if rule.displaces_default() {
                    &mut verdict.displacing
                } else {
                    &mut verdict.raising
                };
                if slot.is_none_or(|(effect, _)| rule.effect > effect) {
                    *slot = Some((rule.effect, at));
                }
                if rule.effect == Effect::Redact {
                    let wanted = rule.transform.unwrap_or(Transform::Mask);
                    let band = if rule.when.possible { Band::Possible } else { Band::Likely };
                    let (transform, from) = verdict.transform.unwrap_or((wanted, band));
                    verdict.transform = Some((transform.max(wanted), from.min(band)));
                }
            }
        }
        verdict
    }

    /// Whether the conditions of a rule on the data hold.
    fn holds(&self, item: Item, rule: &Rule) -> bool {
        let (label, when) = (self.label, &rule.when);
        if !when.contains.iter().all(|category| label.categories.contains_key(&category)) {
            return false;
        }
        let Item::Category(category) = item else { return true };
        let found = label.categories.get(&category);
        let possible = label.possible.get(&category).copied().unwrap_or(0);
        let possible = if when.possible { possible } else { 0 };
        let count = found.map_or(0, |found| found.count).saturating_add(possible);
        // Where not all values were told apart there may be any number of them.
        let unique = match found.map(|found| found.unique) {
            Some(Unique::Exact(unique)) => unique,
            Some(Unique::AtLeast(_)) => u32::MAX,
            None => u32::from(possible > 0),
        };
        let likelihood = found.map_or(0, |found| found.max_likelihood.get());
        count >= when.count.max(1)
            && unique >= when.unique
            && (when.possible && when.likelihood <= 65 || likelihood >= when.likelihood)
    }

    fn decided(
        &self,
        item: Item,
        verdict: Verdict,
        default: (Effect, Determinant),
    ) -> ItemDecision {
        let base =
            verdict.displacing.map_or(default, |(effect, at)| (effect, Determinant::Rule(at)));
        let (mut effect, mut from) = match verdict.raising {
            Some((effect, at)) if effect > base.0 => (effect, Determinant::Rule(at)),
            _ => base,
        };
        if effect == Effect::Redact && self.flow.carrier == Carrier::Fixed {
            (effect, from) = (Effect::Escalate, Determinant::Carrier);
        }
        ItemDecision { item, effect, from, transform: verdict.transform }
    }

    /// What is decided of a category where no rule says anything.
    fn default_of(&self, category: CategoryIndex) -> (Effect, Determinant) {
        let policy = self.policy;
        let trust = policy.trust_of(self.flow);
        if !policy.known().contains(category) {
            (Effect::Block, Determinant::UnknownCategory)
        } else if self.approved(category) {
            (Effect::Allow, Determinant::Approved)
        } else if policy.secret().contains(category) {
            (Effect::Block, Determinant::Secret)
        } else if !policy.regulated().contains(category) {
            (Effect::Allow, Determinant::Unregulated)
        } else if trust == Trust::Internal {
            (Effect::Escalate, Determinant::RegulatedInside)
        } else {
            (Effect::Block, Determinant::RegulatedOutside)
        }
    }

    /// Whether workflow, destination and purpose approve the category.
    fn approved(&self, category: CategoryIndex) -> bool {
        let flow = self.flow;
        let workflow = self.policy.workflow_of(flow);
        let destination = self.policy.destination_of(flow);
        let (Some(workflow), Some(destination)) = (workflow, destination) else { return false };
        flow.identity == Identity::Bound
            && flow.purpose_listed
            && workflow.destinations.contains(&destination.id)
            && workflow.approved.contains(category)
            && destination.approved.contains(category)
    }

    fn default_of_reason(&self, reason: Reason) -> (Effect, Determinant) {
        let policy = self.policy;
        if reason == Reason::Opaque {
            let destination = policy.destination_of(self.flow);
            let lists = |workflow: &&Workflow| {
                destination.is_some_and(|it| workflow.destinations.contains(&it.id))
            };
            // What a workflow says holds for the destinations that it lists, as what it is.
            let workflow = policy.workflow_of(self.flow).filter(lists);
            let workflow = workflow.filter(|_| self.flow.identity == Identity::Bound);
            let workflow = workflow.and_then(|workflow| workflow.opaque);
            let effect =
                workflow.max(destination.and_then(|it| it.opaque)).unwrap_or(Effect::Escalate);
            return (effect, Determinant::Opaque);
        }
        match policy.trust_of(self.flow) {
            Trust::Internal => (Effect::Escalate, Determinant::PartialInside),
            Trust::External | Trust::Unknown => (Effect::Block, Determinant::PartialOutside),
        }
    }

    /// The checks of identity, purpose and evidence.
    fn checks(&self) -> impl Iterator<Item = ItemDecision> {
        let label = self.label;
        let mut held = label.categories.keys().chain(&label.lineage);
        let regulated = held.any(|category| self.policy.regulated().contains(*category));
        let checks = [
            (self.flow.identity == Identity::Mismatch, Effect::Block, Determinant::Identity),
            (!self.flow.missing.is_empty(), Effect::Block, Determinant::Evidence),
            (regulated && !self.flow.purpose_listed, Effect::Escalate, Determinant::Purpose),
        ];
        checks.into_iter().filter(|(failed, _, _)| *failed).map(|(_, effect, from)| ItemDecision {
            item: Item::Flow,
            effect,
            from,
            transform: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::super::{Binding, CategorySet, Destination, Fault, Parts, Subject, When};
    use super::*;
    use crate::model::{
        Category, CategoryCount, Channel, Class, Coverage, Likelihood, Sensitivity,
    };
    use crate::rules::Taxonomy;

    /// Categories of the taxonomy below, and one that it does not define.
    const EMAIL: CategoryIndex = CategoryIndex(0);
    const PAN: CategoryIndex = CategoryIndex(1);
    const TOKEN: CategoryIndex = CategoryIndex(2);
    const CANARY: CategoryIndex = CategoryIndex(3);
    const UNDEFINED: CategoryIndex = CategoryIndex(4);

    fn taxonomy() -> Taxonomy {
        let category = |id: &str, class, regulated| Category {
            id: id.to_owned(),
            title: id.to_owned(),
            class,
            sensitivity: Sensitivity::Internal,
            regulated,
            laws: Vec::new(),
        };
        Taxonomy::new(vec![
            category("pii.email", Class::Pii, true),
            category("pci.pan", Class::Pci, true),
            category("sec.token", Class::Sec, false),
            category("ai.canary", Class::Ai, false),
        ])
    }

    fn destination(id: &str, trust: Trust) -> Destination {
        Destination {
            id: id.to_owned(),
            title: String::new(),
            matchers: Vec::new(),
            trust,
            approved: [EMAIL].into_iter().collect(),
            opaque: None,
            release: None,
            of_repository: false,
        }
    }

    /// An inside and an outside destination, and a workflow that may move e-mail addresses to both.
    fn parts(rules: Vec<Rule>) -> Parts {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Parts {
            destinations: vec![
                destination("inside", Trust::Internal),
                destination("outside", Trust::External),
            ],
            workflows: vec![Workflow {
                id: "letters".to_owned(),
                title: String::new(),
                owner: "anna".to_owned(),
                binding: Binding { anyone: true, ..Binding::default() },
                purposes: texts(&["treatment"]),
                approved: [EMAIL].into_iter().collect(),
                destinations: texts(&["inside", "outside"]),
                approvers: BTreeSet::new(),
                approvals: 1,
                separation: false,
                grants: Default::default(),
                escalation: None,
                monitoring: None,
                evidence: BTreeSet::new(),
                opaque: None,
            }],
            rules,
            ..Parts::default()
        }
    }

    fn policy(rules: Vec<Rule>) -> Policy {
        Policy::compile(parts(rules), &taxonomy(), [7; 32]).expect("the parts are sound")
    }

    fn rule(id: &str, effect: Effect, when: When) -> Rule {
        let (id, reason) = (id.to_owned(), String::new());
        Rule { id, when, effect, transform: None, reason, shadow: false, of_repository: false }
    }

    fn about(categories: &[CategoryIndex]) -> When {
        When::any(Subject::Categories(categories.iter().copied().collect()))
    }

    fn label(categories: &[(CategoryIndex, u64)], reasons: &[Reason]) -> Label {
        let count = |count| CategoryCount {
            count,
            unique: Unique::Exact(1),
            max_likelihood: Likelihood::new(80),
        };
        Label {
            categories: categories.iter().map(|(index, it)| (*index, count(*it))).collect(),
            possible: BTreeMap::new(),
            sensitivity: Sensitivity::Public,
            coverage: Coverage { reasons: reasons.iter().copied().collect() },
            lineage: BTreeSet::new(),
        }
    }

    /// A flow of the workflow for its purpose to the destination at a position.
    fn flow(destination: Option<usize>) -> Flow {
        Flow {
            channel: Channel::Prompt,
            workflow: WorkflowOf::Registered(0),
            identity: Identity::Bound,
            destination,
            purpose: Some(0),
            purpose_listed: true,
            missing: Vec::new(),
            carrier: Carrier::Rewritable,
            destination_name: ["inside", "outside", "elsewhere"]
                .get(destination.unwrap_or(2))
                .map_or(String::new(), |name| (*name).to_owned()),
            purpose_name: "treatment".to_owned(),
            address: "https://in.example".to_owned(),
            executor: "uid:1000".to_owned(),
            payload: [1; 32],
            bytes: 100,
        }
    }

    const INSIDE: Option<usize> = Some(0);
    const OUTSIDE: Option<usize> = Some(1);

    fn answer(policy: &Policy, label: &Label, flow: &Flow) -> (Effect, Cause, Vec<String>) {
        let decision = decide(policy, label, flow, &[], 0);
        let from = decision.determining();
        let ids = from.iter().map(|item| item.from.id(policy).to_owned()).collect();
        (decision.effect, decision.cause, ids)
    }

    fn effect(policy: &Policy, label: &Label, flow: &Flow) -> Effect {
        decide(policy, label, flow, &[], 0).effect
    }

    #[test]
    fn defaults_follow_approval_trust_and_purpose() {
        let policy = policy(Vec::new());
        let of = |categories: &[CategoryIndex], destination| {
            let counted: Vec<_> = categories.iter().map(|index| (*index, 1)).collect();
            effect(&policy, &label(&counted, &[]), &flow(destination))
        };
        assert_eq!(of(&[], None), Effect::Allow);
        assert_eq!(of(&[CANARY], None), Effect::Allow);
        assert_eq!(of(&[EMAIL], INSIDE), Effect::Allow);
        assert_eq!(of(&[EMAIL], OUTSIDE), Effect::Allow);
        assert_eq!(of(&[EMAIL], None), Effect::Block);
        assert_eq!(of(&[PAN], INSIDE), Effect::Escalate);
        assert_eq!(of(&[PAN], OUTSIDE), Effect::Block);
        assert_eq!(of(&[TOKEN], INSIDE), Effect::Block);
        assert_eq!(of(&[UNDEFINED], INSIDE), Effect::Block);
        assert_eq!(of(&[EMAIL, PAN], INSIDE), Effect::Escalate);

        let unlisted = Flow { purpose: None, purpose_listed: false, ..flow(INSIDE) };
        let email = label(&[(EMAIL, 1)], &[]);
        let (effect, cause, from) = answer(&policy, &email, &unlisted);
        assert_eq!((effect, cause), (Effect::Escalate, Cause::Default));
        assert_eq!(from, ["default.regulated-internal", "purpose.unlisted"]);
        assert_eq!(answer(&policy, &label(&[], &[]), &unlisted).0, Effect::Allow);
    }

    #[test]
    fn coverage_is_answered_for() {
        let policy = policy(Vec::new());
        let of = |reason, destination| effect(&policy, &label(&[], &[reason]), &flow(destination));
        assert_eq!(of(Reason::Opaque, INSIDE), Effect::Escalate);
        assert_eq!(of(Reason::Opaque, None), Effect::Escalate);
        assert_eq!(of(Reason::Limit, INSIDE), Effect::Escalate);
        assert_eq!(of(Reason::Limit, OUTSIDE), Effect::Block);
        let cause = |reason| decide(&policy, &label(&[], &[reason]), &flow(None), &[], 0).cause;
        assert_eq!(cause(Reason::Limit), Cause::Limit);
        assert_eq!(cause(Reason::Deadline), Cause::Deadline);
        assert_eq!(cause(Reason::Error), Cause::Error);
    }

    #[test]
    fn lineage_counts_like_data() {
        let policy = policy(Vec::new());
        let mut carried = label(&[], &[]);
        carried.lineage.insert(PAN);
        assert_eq!(effect(&policy, &carried, &flow(OUTSIDE)), Effect::Block);
        assert_eq!(effect(&policy, &carried, &flow(INSIDE)), Effect::Escalate);
    }

    #[test]
    fn a_claimed_workflow_of_somebody_else_blocks() {
        let policy = policy(Vec::new());
        let stolen = Flow { identity: Identity::Mismatch, ..flow(INSIDE) };
        let (effect, _, from) = answer(&policy, &label(&[], &[]), &stolen);
        assert_eq!((effect, from), (Effect::Block, vec!["identity.binding".to_owned()]));
    }

    #[test]
    fn a_rule_takes_the_place_of_the_default_only_without_threshold() {
        let outside = flow(OUTSIDE);
        let pans = label(&[(PAN, 10)], &[]);
        let plain = policy(vec![rule("a", Effect::Redact, about(&[PAN]))]);
        assert_eq!(effect(&plain, &pans, &outside), Effect::Redact);
        let many = When { count: 10, ..about(&[PAN]) };
        let weaker = policy(vec![rule("a", Effect::Redact, many.clone())]);
        assert_eq!(effect(&weaker, &pans, &outside), Effect::Block);
        let both = policy(vec![
            rule("a", Effect::Allow, about(&[PAN])),
            rule("b", Effect::Escalate, many),
        ]);
        assert_eq!(effect(&both, &label(&[(PAN, 9)], &[]), &outside), Effect::Allow);
        assert_eq!(answer(&both, &pans, &outside).2, ["b"]);
        let flow_rule = policy(vec![rule("a", Effect::Allow, When::any(Subject::Flow))]);
        assert_eq!(effect(&flow_rule, &pans, &outside), Effect::Block);
    }

    #[test]
    fn shadow_rules_say_and_do_nothing() {
        let shadow = Rule { shadow: true, ..rule("a", Effect::Block, about(&[EMAIL])) };
        let enforced = rule("b", Effect::Escalate, about(&[PAN]));
        let policy = policy(vec![shadow.clone(), enforced]);
        let decision = decide(&policy, &label(&[(EMAIL, 1)], &[]), &flow(INSIDE), &[], 0);
        assert_eq!((decision.effect, decision.shadows), (Effect::Allow, vec![(0, Effect::Block)]));
        let all = Policy::compile(parts(vec![shadow]), &taxonomy(), [7; 32]);
        assert_eq!(all.map(drop), Err(vec![Fault::AllShadow]));
    }

    #[test]
    fn what_is_redacted_whatever_a_payload_holds_is_known_before() {
        let rule = |categories: &[CategoryIndex], count, possible, transform| Rule {
            id: "r".to_owned(),
            when: When {
                count,
                possible,
                ..When::any(Subject::Categories(categories.iter().copied().collect()))
            },
            effect: Effect::Redact,
            transform: Some(transform),
            reason: String::new(),
            shadow: false,
            of_repository: false,
        };
        let of = |rules: Vec<Rule>, destination: &str| {
            let policy = policy(rules);
            let flow = flow(policy.destinations().iter().position(|it| it.id == destination));
            assert_eq!(policy.may_redact(&flow), !policy.rules().is_empty());
            policy.redactions(&flow)
        };
        assert_eq!(of(vec![], "inside"), []);
        let mask = rule(&[EMAIL, PAN], 1, false, Transform::Mask);
        let all = [(EMAIL, Transform::Mask, Band::Likely), (PAN, Transform::Mask, Band::Likely)];
        assert_eq!(of(vec![mask.clone()], "inside"), all);
        // Thresholds depend on the payload, and so does what two rules make of possible findings.
        assert_eq!(of(vec![rule(&[PAN], 2, false, Transform::Drop)], "inside"), []);
        let possible = rule(&[PAN], 1, true, Transform::Generalise);
        assert_eq!(
            of(vec![possible.clone()], "inside"),
            [(PAN, Transform::Generalise, Band::Possible)]
        );
        assert_eq!(of(vec![possible, mask], "inside"), [all[0]]);
    }

    #[test]
    fn redact_on_a_fixed_carrier_is_escalate() {
        let policy = policy(vec![rule("a", Effect::Redact, about(&[PAN]))]);
        let fixed = Flow { carrier: Carrier::Fixed, ..flow(INSIDE) };
        let pans = label(&[(PAN, 1)], &[]);
        assert_eq!(answer(&policy, &pans, &fixed).2, ["carrier.fixed"]);
        assert_eq!(effect(&policy, &pans, &fixed), Effect::Escalate);
    }

    #[test]
    fn possible_findings_decide_only_where_a_rule_names_them() {
        let mut unsure = label(&[], &[]);
        unsure.possible.insert(PAN, 3);
        assert_eq!(effect(&policy(Vec::new()), &unsure, &flow(OUTSIDE)), Effect::Allow);
        let named = When { possible: true, ..about(&[PAN]) };
        let policy = policy(vec![rule("a", Effect::Redact, named)]);
        let decision = decide(&policy, &unsure, &flow(OUTSIDE), &[], 0);
        assert_eq!(decision.effect, Effect::Redact);
        let transforms: Vec<_> = decision.transforms().collect();
        assert_eq!(transforms, [(PAN, Transform::Mask, Band::Possible)]);
    }

    fn grant() -> GrantFacts {
        GrantFacts {
            executor: "uid:1000".to_owned(),
            destination: "inside".to_owned(),
            workflow: "letters".to_owned(),
            purpose: "treatment".to_owned(),
            channel: Channel::Prompt,
            address: "https://in.example".to_owned(),
            categories: [PAN].into_iter().collect(),
            lineage: CategorySet::new(),
            whole: false,
            coverage: vec![Reason::Opaque],
            unlisted_purpose: false,
            payload: Some([1; 32]),
            bytes: 100,
            policy: [7; 32],
            not_before: 100,
            expires: 200,
        }
    }

    #[test]
    fn a_grant_lifts_escalate_and_nothing_else() {
        let policy = policy(Vec::new());
        let pans = label(&[(PAN, 1)], &[]);
        let with =
            |label: &Label, flow: &Flow, grant, now| decide(&policy, label, flow, &[grant], now);
        let lifted = with(&pans, &flow(INSIDE), grant(), 150);
        assert_eq!((lifted.effect, lifted.grants), (Effect::Allow, vec![0]));

        let refusal = |label: &Label, flow: &Flow, grant, now| {
            let decision = with(label, flow, grant, now);
            assert_eq!(decision.effect, Effect::Escalate);
            decision.refusals.first().map(|(_, refusal)| *refusal)
        };
        let inside = flow(INSIDE);
        assert_eq!(refusal(&pans, &inside, grant(), 99), Some(Refusal::NotYet));
        assert_eq!(refusal(&pans, &inside, grant(), 200), Some(Refusal::Expired));
        let other = |change: fn(&mut Flow)| {
            let mut flow = flow(INSIDE);
            change(&mut flow);
            refusal(&pans, &flow, grant(), 150)
        };
        assert_eq!(other(|flow| flow.executor = "uid:1".to_owned()), Some(Refusal::Executor));
        assert_eq!(other(|flow| flow.payload = [2; 32]), Some(Refusal::Payload));
        assert_eq!(other(|flow| flow.bytes = 101), Some(Refusal::Size));
        assert_eq!(other(|flow| flow.channel = Channel::Commit), Some(Refusal::Channel));
        assert_eq!(
            other(|flow| flow.destination_name = "i".to_owned()),
            Some(Refusal::Destination)
        );
        assert_eq!(
            other(|flow| flow.address = "http://drop.example".to_owned()),
            Some(Refusal::Destination)
        );
        assert_eq!(other(|flow| flow.purpose_name = "x".to_owned()), Some(Refusal::Purpose));
        // What was approved as carried along was not approved as found.
        let carried = GrantFacts {
            categories: CategorySet::new(),
            lineage: [PAN].into_iter().collect(),
            ..grant()
        };
        assert_eq!(refusal(&pans, &inside, carried, 150), Some(Refusal::NotCovered));
        let elsewhere = GrantFacts { policy: [8; 32], ..grant() };
        assert_eq!(refusal(&pans, &inside, elsewhere, 150), Some(Refusal::Policy));
        let another = GrantFacts { workflow: String::new(), ..grant() };
        assert_eq!(refusal(&pans, &inside, another, 150), Some(Refusal::Workflow));

        // More than was approved is not lifted in part.
        let mut widened = pans.clone();
        widened.lineage.insert(EMAIL);
        let unlisted = Flow { purpose_listed: false, ..flow(INSIDE) };
        assert_eq!(refusal(&widened, &unlisted, grant(), 150), Some(Refusal::NotCovered));
        // What blocks is not lifted, and the grant is not used up.
        let blocked = with(&label(&[(PAN, 1), (TOKEN, 1)], &[]), &inside, grant(), 150);
        assert_eq!(blocked.effect, Effect::Block);
        assert!(blocked.grants.is_empty());
        // A payload that cannot be read needs a grant for that very payload.
        let opaque = label(&[], &[Reason::Opaque]);
        assert_eq!(with(&opaque, &inside, grant(), 150).effect, Effect::Allow);
        let scope = GrantFacts { payload: None, ..grant() };
        assert_eq!(refusal(&opaque, &inside, scope, 150), Some(Refusal::NotCovered));
    }

    #[test]
    fn what_a_rule_wants_redacted_stays_redacted_under_a_grant() {
        let policy = policy(vec![
            rule("a", Effect::Redact, about(&[PAN])),
            rule("b", Effect::Escalate, about(&[PAN])),
        ]);
        let pans = label(&[(PAN, 1)], &[]);
        let decision = decide(&policy, &pans, &flow(INSIDE), &[grant()], 150);
        assert_eq!(decision.effect, Effect::Redact);
        assert_eq!(
            decision.transforms().collect::<Vec<_>>(),
            [(PAN, Transform::Mask, Band::Likely)]
        );
    }

    #[test]
    fn what_cannot_be_redacted_waits_for_a_person() {
        let policy = policy(vec![rule("a", Effect::Redact, about(&[PAN]))]);
        let (pans, inside) = (label(&[(PAN, 1)], &[]), flow(INSIDE));
        let mut decision = decide(&policy, &pans, &inside, &[], 150);
        decision.cannot_redact(&policy, &inside, &[], 150);
        assert_eq!(decision.effect, Effect::Escalate);
        let mut decision = decide(&policy, &pans, &inside, &[grant()], 150);
        assert_eq!(decision.effect, Effect::Redact);
        // Who did not know that it cannot be redacted did not let it pass whole.
        let mut unaware = decision.clone();
        unaware.cannot_redact(&policy, &inside, &[grant()], 150);
        assert_eq!((unaware.effect, unaware.grants), (Effect::Escalate, vec![]));
        let whole = GrantFacts { whole: true, ..grant() };
        decision.cannot_redact(&policy, &inside, &[whole], 150);
        assert_eq!((decision.effect, decision.grants), (Effect::Allow, vec![0]));
    }

    const ALL: [CategoryIndex; 5] = [EMAIL, PAN, TOKEN, CANARY, UNDEFINED];

    fn any_effect() -> impl Strategy<Value = Effect> {
        prop::sample::select(&[Effect::Allow, Effect::Redact, Effect::Escalate, Effect::Block][..])
    }

    fn any_set() -> impl Strategy<Value = CategorySet> {
        prop::collection::vec(prop::sample::select(&ALL[..]), 1..3)
            .prop_map(|categories| categories.into_iter().collect())
    }

    fn any_rule() -> impl Strategy<Value = Rule> {
        let subject = prop_oneof![
            3 => any_set().prop_map(Subject::Categories),
            1 => any_set().prop_map(Subject::Lineage),
            1 => prop::sample::select(&REASONS[..])
                .prop_map(|reason| Subject::Coverage(BTreeSet::from([reason]))),
            1 => Just(Subject::Flow),
        ];
        let contains = prop_oneof![3 => Just(CategorySet::new()), 1 => any_set()];
        let data = (1u64..4, 1u32..4, prop_oneof![Just(65u8), Just(85)], any::<bool>(), contains);
        let trust = prop::collection::btree_set(
            prop::sample::select(&[Trust::Internal, Trust::External, Trust::Unknown][..]),
            0..3,
        );
        let rule = (subject, data, trust, any_effect(), any::<bool>(), 0u8..4);
        rule.prop_map(|(subject, data, trust, effect, shadow, transform)| {
            let (count, unique, likelihood, possible, contains) = data;
            let about_findings = matches!(subject, Subject::Categories(_));
            let effect =
                if effect == Effect::Redact && !about_findings { Effect::Escalate } else { effect };
            let transform = [Transform::Drop, Transform::Mask, Transform::Generalise]
                .get(usize::from(transform))
                .copied()
                .filter(|_| effect == Effect::Redact);
            let any = When::any(subject);
            let when = When { count, unique, likelihood, possible, contains, trust, ..any };
            Rule {
                id: String::new(),
                when,
                effect,
                transform,
                reason: String::new(),
                shadow,
                of_repository: false,
            }
        })
    }

    fn any_policy() -> impl Strategy<Value = Vec<Rule>> {
        // One rule that is enforced, so that not all are shadows.
        prop::collection::vec(any_rule(), 0..6).prop_map(|mut rules| {
            if let Some(first) = rules.first_mut() {
                first.shadow = false;
            }
            rules
        })
    }

    fn any_label() -> impl Strategy<Value = Label> {
        let found = prop::collection::btree_map(0usize..5, (1u64..5, 1u32..5, 65u32..100), 0..4);
        let possible = prop::collection::btree_map(0usize..5, 1u64..5, 0..3);
        let lineage = prop::collection::btree_set(0usize..5, 0..3);
        let reasons = prop::collection::btree_set(prop::sample::select(&REASONS[..]), 0..2);
        (found, possible, lineage, reasons).prop_map(|(found, possible, lineage, reasons)| Label {
            categories: found
                .into_iter()
                .map(|(at, (count, unique, likelihood))| {
                    let unique = Unique::Exact(unique);
                    let max_likelihood = Likelihood::new(likelihood);
                    (ALL[at], CategoryCount { count, unique, max_likelihood })
                })
                .collect(),
            possible: possible.into_iter().map(|(at, count)| (ALL[at], count)).collect(),
            sensitivity: Sensitivity::Public,
            coverage: Coverage { reasons },
            lineage: lineage.into_iter().map(|at| ALL[at]).collect(),
        })
    }

    fn any_flow() -> impl Strategy<Value = Flow> {
        let destination = prop_oneof![Just(None), Just(INSIDE), Just(OUTSIDE)];
        let carrier = prop_oneof![Just(Carrier::Rewritable), Just(Carrier::Fixed)];
        (destination, any::<bool>(), any::<bool>(), carrier).prop_map(
            |(destination, registered, listed, carrier)| Flow {
                workflow: if registered { WorkflowOf::Registered(0) } else { WorkflowOf::Unnamed },
                identity: if registered { Identity::Bound } else { Identity::None },
                purpose: listed.then_some(0),
                purpose_listed: listed && registered,
                carrier,
                ..flow(destination)
            },
        )
    }

    /// A label with something more in it.
    fn any_more() -> impl Strategy<Value = (usize, u8, u64, Reason)> {
        (0usize..5, 0u8..6, 1u64..5, prop::sample::select(&REASONS[..]))
    }

    fn more(label: &Label, (at, what, count, reason): (usize, u8, u64, Reason)) -> Label {
        let (mut label, category) = (label.clone(), ALL[at]);
        let fresh = CategoryCount {
            count: 0,
            unique: Unique::Exact(1),
            max_likelihood: Likelihood::new(65),
        };
        match what {
            0 => label.categories.entry(category).or_insert(fresh).count += count,
            1 => {
                let entry = label.categories.entry(category).or_insert(fresh);
                entry.count = entry.count.max(1);
                entry.max_likelihood = Likelihood::new(95);
            }
            2 => {
                let entry = label.categories.entry(category).or_insert(fresh);
                entry.count += count;
                entry.unique = Unique::AtLeast(1024);
            }
            3 => *label.possible.entry(category).or_default() += count,
            4 => drop(label.lineage.insert(category)),
            _ => drop(label.coverage.reasons.insert(reason)),
        }
        label
    }

    proptest! {
        #[test]
        fn more_data_never_weakens_an_effect(
            rules in any_policy(),
            label in any_label(),
            flow in any_flow(),
            added in any_more(),
        ) {
            let policy = policy(rules);
            let more = more(&label, added);
            prop_assert!(effect(&policy, &more, &flow) >= effect(&policy, &label, &flow));
        }

        #[test]
        fn a_finding_that_becomes_likely_never_weakens_an_effect(
            rules in any_policy(),
            label in any_label(),
            flow in any_flow(),
        ) {
            let policy = policy(rules);
            let mut surer = label.clone();
            if let Some((category, count)) = surer.possible.pop_first() {
                let entry = surer.categories.entry(category).or_insert(CategoryCount {
                    count: 0,
                    unique: Unique::Exact(1),
                    max_likelihood: Likelihood::new(65),
                });
                entry.count += count;
                prop_assert!(effect(&policy, &surer, &flow) >= effect(&policy, &label, &flow));
            }
        }

        #[test]
        fn the_order_of_rules_never_matters(
            rules in any_policy(),
            label in any_label(),
            flow in any_flow(),
        ) {
            let reversed: Vec<Rule> = rules.iter().rev().cloned().collect();
            let (one, other) = (policy(rules), policy(reversed));
            let (one, other) = (decide(&one, &label, &flow, &[], 0), decide(&other, &label, &flow, &[], 0));
            prop_assert_eq!(one.effect, other.effect);
            prop_assert_eq!(one.cause, other.cause);
            prop_assert!(one.transforms().eq(other.transforms()));
        }

        #[test]
        fn a_grant_never_opens_what_blocks_and_never_weakens_for_more_data(
            rules in any_policy(),
            label in any_label(),
            flow in any_flow(),
            added in any_more(),
        ) {
            let policy = policy(rules);
            let grants = [GrantFacts {
                destination: flow.destination_name.clone(),
                workflow: policy.workflow_of(&flow).map_or("", |it| &it.id).to_owned(),
                ..grant()
            }];
            let with = |label: &Label| decide(&policy, label, &flow, &grants, 150).effect;
            if effect(&policy, &label, &flow) == Effect::Block {
                prop_assert_eq!(with(&label), Effect::Block);
            }
            prop_assert!(with(&more(&label, added)) >= with(&label));
        }
    }
}
