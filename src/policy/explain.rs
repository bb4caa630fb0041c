//! Why a flow is decided as it is: of each item its default, and of each rule whether it applied
//! and if not why. Found by asking each condition by itself, not from the bit masks of the
//! decision; a property holds the two against each other.

use super::{
    CategorySet, Decision, Destination, Determinant, Flow, Item, ItemDecision, Policy, Rule,
    Subject, Trust, WorkflowOf, decide,
};
use crate::model::{CategoryIndex, Channel, Effect, Label, Unique};

/// A decision with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What was decided.
    pub decision: Decision,
    /// Every item that can be decided by a default or a rule.
    pub items: Vec<Explained>,
    /// Positions of rules that are about nothing of this flow.
    pub elsewhere: Vec<usize>,
}

/// An item with what could decide it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What was decided of it.
    pub decided: ItemDecision,
    /// What would be decided without any rule.
    pub default: ItemDecision,
    /// The rules that are about the item, by position, and what came of each.
    pub rules: Vec<(usize, Outcome)>,
}

/// What came of a rule for an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It applied in place of the default.
    InPlaceOfDefault,
    /// It applied, and can only make the effect stronger.
    Raising,
    /// It would have applied, and is a shadow.
    Shadow,
    /// It did not apply, for each of these reasons.
    Not(Vec<Unmet>),
}

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// The channel is another.
    Channel(Channel),
    /// The workflow is another, or none.
    Workflow,
    /// The purpose is another, or none that is listed.
    Purpose,
    /// The destination is another, or unknown.
    Destination,
    /// The trust of the destination is another.
    Trust(Trust),
    /// Fewer findings: wanted, found.
    Count(u64, u64),
    /// Fewer different values: wanted, found.
    Unique(u32, u32),
    /// Less likely: wanted, found.
    Likelihood(u8, u8),
    /// All findings are of band possible, and the rule does not ask for those.
    OnlyPossible,
    /// Categories that are not in the payload.
    Contains(Vec<CategoryIndex>),
}

impl Policy {
    /// Decides a flow without grants and says why.
    pub fn explain(&self, label: &Label, flow: &Flow) -> Explanation {
        let decision = decide(self, label, flow, &[], 0);
        let defaults = decide(&self.without_rules(), label, flow, &[], 0);
        let mut elsewhere: Vec<bool> = vec![true; self.rules().len()];
        let mut items = Vec::new();
        let left_alone = |item| ItemDecision {
            item,
            effect: Effect::Allow,
            from: Determinant::Unregulated,
            transform: None,
        };
        let mut decisions: Vec<ItemDecision> =
            decision.items.iter().filter(|it| !is_check(it.from)).copied().collect();
        // Possible findings are items only where a rule that is in force names them.
        for category in label.possible.keys() {
            let item = Item::Category(*category);
            if !decisions.iter().any(|it| it.item == item) {
                decisions.push(left_alone(item));
            }
        }
        for decided in &decisions {
            let same = |it: &&ItemDecision| it.item == decided.item && !is_check(it.from);
            let left_alone = left_alone(decided.item);
            let default = defaults.items.iter().find(same).copied().unwrap_or(left_alone);
            let mut rules = Vec::new();
            for (at, rule) in self.rules().iter().enumerate() {
                if !is_about(&rule.when.subject, decided.item) {
                    continue;
                }
                if let Some(elsewhere) = elsewhere.get_mut(at) {
                    *elsewhere = false;
                }
                let unmet = self.unmet(rule, decided.item, label, flow);
                let outcome = match (unmet.is_empty(), rule.shadow) {
                    (false, _) => Outcome::Not(unmet),
                    (true, true) => Outcome::Shadow,
                    (true, false) if rule.displaces_default() => Outcome::InPlaceOfDefault,
                    (true, false) => Outcome::Raising,
                };
                rules.push((at, outcome));
            }
            items.push(Explained { decided: *decided, default, rules });
        }
        let elsewhere = elsewhere.iter().enumerate().filter(|(_, it)| **it).map(|(at, _)| at);
        Explanation { elsewhere: elsewhere.collect(), items, decision }
    }

    /// Every condition of a rule that does not hold for an item that it is about.
    fn unmet(&self, rule: &Rule, item: Item, label: &Label, flow: &Flow) -> Vec<Unmet> {
        let when = &rule.when;
        let workflow = match flow.workflow {
            WorkflowOf::Registered(_) => self.workflow_of(flow).map(|it| &it.id),
            WorkflowOf::Unnamed | WorkflowOf::Unregistered => None,
        };
        let purpose = flow.purpose.and_then(|at| self.purposes().get(at));
        let destination = self.destination_of(flow).map(|it| &it.id);
        let trust = self.destination_of(flow).map_or(Trust::Unknown, Destination::standing);
        let lacking: Vec<CategoryIndex> =
            when.contains.iter().filter(|it| !label.categories.contains_key(it)).collect();
        let among = |names: &std::collections::BTreeSet<String>, name: Option<&String>| {
            names.is_empty() || name.is_some_and(|name| names.contains(name))
        };
        let checks = [
            (
                when.channels.is_empty() || when.channels.contains(&flow.channel),
                Unmet::Channel(flow.channel),
            ),
            (among(&when.workflows, workflow), Unmet::Workflow),
            (among(&when.purposes, purpose), Unmet::Purpose),
            (among(&when.destinations, destination), Unmet::Destination),
            (when.trusts(trust), Unmet::Trust(trust)),
            (lacking.is_empty(), Unmet::Contains(lacking)),
        ];
        let mut unmet: Vec<Unmet> =
            checks.into_iter().filter(|(holds, _)| !holds).map(|(_, unmet)| unmet).collect();
        if let Item::Category(category) = item {
            unmet.extend(too_little(rule, category, label));
        }
        unmet
    }
}

/// What of a category there is too little of.
fn too_little(rule: &Rule, category: CategoryIndex, label: &Label) -> Vec<Unmet> {
    let when = &rule.when;
    let found = label.categories.get(&category);
    if found.is_none() && !when.possible {
        return vec![Unmet::OnlyPossible];
    }
    let possible = label.possible.get(&category).copied().filter(|_| when.possible).unwrap_or(0);
    let count = found.map_or(0, |found| found.count).saturating_add(possible);
    let unique = match found.map(|found| found.unique) {
        Some(Unique::Exact(unique)) => unique,
        Some(Unique::AtLeast(_)) => u32::MAX,
        None => u32::from(possible > 0),
    };
    let likelihood = found.map_or(0, |found| found.max_likelihood.get());
    let likely = when.possible && when.likelihood <= 65 || likelihood >= when.likelihood;
    let checks = [
        (count >= when.count.max(1), Unmet::Count(when.count.max(1), count)),
        (unique >= when.unique, Unmet::Unique(when.unique, unique)),
        (likely, Unmet::Likelihood(when.likelihood, likelihood)),
    ];
    checks.into_iter().filter(|(holds, _)| !holds).map(|(_, unmet)| unmet).collect()
}

/// Whether an item came from a check of the flow beside the rules.
fn is_check(from: Determinant) -> bool {
    matches!(from, Determinant::Identity | Determinant::Purpose | Determinant::Evidence)
}

/// Whether a rule is about an item at all.
fn is_about(subject: &Subject, item: Item) -> bool {
    let holds = |set: &CategorySet, category| set.contains(category);
    match (subject, item) {
        (Subject::Flow, Item::Flow) => true,
        (Subject::Categories(set), Item::Category(category))
        | (Subject::Lineage(set), Item::Lineage(category)) => holds(set, category),
        (Subject::Coverage(reasons), Item::Coverage(reason)) => reasons.contains(&reason),
        _ => false,
    }
}
