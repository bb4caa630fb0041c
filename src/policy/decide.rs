//! The decision.

use super::category_set::bits;
use super::register::REASONS;
use super::{Carrier, CategorySet, Flow, Identity, Policy, Rule, Transform, Trust, WorkflowOf};
use crate::model::{CategoryIndex, Cause, Effect, Label, Reason, Unique};

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
    /// What would have been released could not be made, or still held what it must not.
    Redaction,
    /// A grant lifted an escalation.
    Grant,
    /// A step failed.
    Failure,
}

impl Determinant {
    /// A stable word for records and output; the id of the rule for a rule.
    pub fn id<'p>(&self, policy: &'p Policy) -> &'p str {
        match self {
            Determinant::Rule(at) => policy.rules().get(*at).map_or("", |rule| &rule.id),
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
            Determinant::Redaction => "redaction.failed",
            Determinant::Grant => "grant",
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
    /// What is done to its findings if the flow is redacted.
    pub transform: Option<Transform>,
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

/// What a grant allows, as far as a decision has to know; its signatures were verified before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantFacts {
    /// The identity that may present it.
    pub executor: String,
    /// Id of the destination, or the text that named it where it is unknown.
    pub destination: String,
    /// Id of the workflow; empty for a flow of none.
    pub workflow: String,
    /// The purpose; empty where the flow named none.
    pub purpose: String,
    /// The channel.
    pub channel: crate::model::Channel,
    /// Categories, found or inherited, whose escalation it lifts.
    pub categories: CategorySet,
    /// Reasons for partial coverage whose escalation it lifts; they need `payload`.
    pub coverage: Vec<Reason>,
    /// Whether it lifts the escalation for a purpose that is not listed.
    pub unlisted_purpose: bool,
    /// MAC of the one payload that it is for; none for a grant with a bounded scope.
    pub payload: Option<[u8; 32]>,
    /// The most bytes of a payload.
    pub bytes: u64,
    /// Digest of the policy that it was made under.
    pub policy: [u8; 32],
    /// From when on it counts, in seconds since 1970.
    pub not_before: u64,
    /// When it ends, in seconds since 1970.
    pub expires: u64,
}

/// Why a grant does not count for a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refusal {
    /// Its time is over.
    #[error("the grant has expired")]
    Expired,
    /// Its time has not come: the clock was set back, or the grant was made elsewhere.
    #[error("the grant is not valid yet")]
    NotYet,
    /// Another identity presents it.
    #[error("the grant is for another executor")]
    Executor,
    /// Another destination.
    #[error("the grant is for another destination")]
    Destination,
    /// Another workflow.
    #[error("the grant is for another workflow")]
    Workflow,
    /// Another purpose.
    #[error("the grant is for another purpose")]
    Purpose,
    /// Another channel.
    #[error("the grant is for another channel")]
    Channel,
    /// Another payload.
    #[error("the grant is for another payload")]
    Payload,
    /// More bytes than its scope.
    #[error("the payload is larger than the grant allows")]
    Size,
    /// Another policy is in force.
    #[error("the grant was made under another policy")]
    Policy,
    /// The flow holds something that the grant does not cover.
    #[error("the grant does not cover everything that was escalated")]
    NotCovered,
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
    // A grant lifts what a person may decide, so a flow that blocks consumes none.
    if decision.effect == Effect::Escalate {
        for (at, grant) in grants.iter().enumerate() {
            let refusal = refused(policy, flow, grant, now)
                .or_else(|| (!decision.lift(grant)).then_some(Refusal::NotCovered));
            match refusal {
                Some(refusal) => decision.refusals.push((at, refusal)),
                None => decision.grants.push(at),
            }
            decision.settle();
        }
    }
    decision
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
        for item in self.items.iter().filter(|item| item.effect == self.effect) {
            if !found.iter().any(|known| known.from == item.from) {
                found.push(*item);
            }
        }
        found
    }

    /// What is done to the findings of each category of a redacted flow.
    pub fn transforms(&self) -> impl Iterator<Item = (CategoryIndex, Transform)> {
        self.items.iter().filter_map(|item| match (item.item, item.effect) {
            (Item::Category(category), Effect::Redact) => {
                Some((category, item.transform.unwrap_or(Transform::Mask)))
            }
            _ => None,
        })
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
    fn lift(&mut self, grant: &GrantFacts) -> bool {
        let covers = |item: &ItemDecision| match (item.item, item.from) {
            (Item::Category(category) | Item::Lineage(category), _) => {
                grant.categories.contains(category)
            }
            (Item::Coverage(reason), _) => {
                grant.payload.is_some() && grant.coverage.contains(&reason)
            }
            (Item::Flow, Determinant::Purpose) => grant.unlisted_purpose,
            // A rule about the flow as a whole, a carrier: the payload itself was approved.
            (Item::Flow, _) => grant.payload.is_some(),
        };
        let escalated = |item: &&mut ItemDecision| item.effect == Effect::Escalate;
        if !self.items.iter().filter(|item| item.effect == Effect::Escalate).all(covers) {
            return false;
        }
        for item in self.items.iter_mut().filter(escalated) {
            // What a rule wants redacted stays redacted, unless it was the carrier that made it
            // escalate: then the approver let the whole payload pass.
            let redact = item.transform.is_some() && item.from != Determinant::Carrier;
            item.effect = if redact { Effect::Redact } else { Effect::Allow };
            item.from = Determinant::Grant;
        }
        true
    }
}

fn cause_of(item: Item, from: Determinant) -> Cause {
    match (item, from) {
        (_, Determinant::Rule(_)) => Cause::Rule,
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
        Cause::Limit => 2,
        Cause::Deadline => 3,
        Cause::Error => 4,
    }
}

/// Why a grant does not count for this flow, beside what it covers.
fn refused(policy: &Policy, flow: &Flow, grant: &GrantFacts, now: u64) -> Option<Refusal> {
    let workflow = policy.workflow_of(flow).map_or("", |workflow| workflow.id.as_str());
    let checks = [
        (now < grant.not_before, Refusal::NotYet),
        (now >= grant.expires, Refusal::Expired),
        (grant.policy != policy.digest(), Refusal::Policy),
        (grant.executor != flow.executor, Refusal::Executor),
        (grant.workflow != workflow, Refusal::Workflow),
        (grant.destination != flow.destination_name, Refusal::Destination),
        (grant.purpose != flow.purpose_name, Refusal::Purpose),
        (grant.channel != flow.channel, Refusal::Channel),
        (grant.payload.is_some_and(|payload| payload != flow.payload), Refusal::Payload),
        (flow.bytes > grant.bytes, Refusal::Size),
    ];
    checks.into_iter().find_map(|(failed, refusal)| failed.then_some(refusal))
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
    /// The strongest transform that a rule asks for.
    transform: Option<Transform>,
}

impl Judge<'_> {
    fn items(&self) -> (Vec<ItemDecision>, Vec<(usize, Effect)>) {
        let active = self.active();
        let mut shadows = Vec::new();
        let (policy, label) = (self.policy, self.label);
        let mut items = Vec::with_capacity(label.categories.len() + 2);
        let of_flow = self.verdict(Item::Flow, &active, &policy.masks.flow, &mut shadows);
        items.push(self.decided(Item::Flow, of_flow, (Effect::Allow, Determinant::Nothing)));
        let found = label.categories.keys().map(|category| (*category, true));
        let possible = label.possible.keys().filter(|it| !label.categories.contains_key(it));
        for (category, counts) in found.chain(possible.map(|category| (*category, false))) {
            let item = Item::Category(category);
            let mask = policy.masks.category.get(&category.0);
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
            let mask = policy.masks.lineage.get(&category.0);
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

    /// The rules whose conditions on the flow hold.
    fn active(&self) -> Vec<u64> {
        let masks = &self.policy.masks;
        let channel = crate::model::Channel::ALL.iter().position(|it| *it == self.flow.channel);
        let channel = channel.and_then(|at| masks.channel.get(at));
        let workflow = match self.flow.workflow {
            WorkflowOf::Registered(at) => masks.workflow.get(at),
            WorkflowOf::Unnamed | WorkflowOf::Unregistered => masks.workflow.last(),
        };
        let purpose = match self.flow.purpose {
            Some(at) => masks.purpose.get(at),
            None => masks.purpose.last(),
        };
        let destination = match self.flow.destination {
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
                let slot = if rule.when.displaces_default() {
                    &mut verdict.displacing
                } else {
                    &mut verdict.raising
                };
                if slot.is_none_or(|(effect, _)| rule.effect > effect) {
                    *slot = Some((rule.effect, at));
                }
                if rule.effect == Effect::Redact {
                    let wanted = rule.transform.unwrap_or(Transform::Mask);
                    verdict.transform = verdict.transform.max(Some(wanted));
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
            let workflow = policy.workflow_of(self.flow).and_then(|workflow| workflow.opaque);
            let destination = policy.destination_of(self.flow).and_then(|it| it.opaque);
            let effect = workflow.max(destination).unwrap_or(Effect::Escalate);
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
