//! A decision in a sentence for a person. Nothing that a flow header claims stands in it: ids and
//! reasons of the register, titles of the taxonomy and fixed words alone.

use super::{
    CategorySet, Decision, Determinant, Flow, Item, ItemDecision, Policy, Trust, WorkflowOf,
};
use crate::model::{CategoryIndex, Class, Effect};
use crate::rules::Taxonomy;

/// The most things of one kind that a sentence lists.
const LISTED: usize = 3;

/// The most categories of a class that are named as missing, instead of those that are there.
const MISSING: usize = 4;

impl Policy {
    /// Says what was decided of a flow and why.
    pub fn sentence(&self, decision: &Decision, flow: &Flow, taxonomy: &Taxonomy) -> String {
        let verb = match decision.effect {
            Effect::Allow => "Allowed",
            Effect::Redact => "Redacted",
            Effect::Escalate => "Held for a person to approve",
            Effect::Block => "Blocked",
        };
        let mut causes = decision.determining();
        // That nothing stands against the flow as a whole is worth saying only if nothing else is.
        if causes.len() > 1 {
            causes.retain(|cause| cause.from != Determinant::Nothing);
        }
        let speaker = Speaker { policy: self, decision, flow, taxonomy };
        let mut clauses: Vec<String> =
            causes.iter().take(LISTED).map(|cause| speaker.clause(cause)).collect();
        if let Some(more) = causes.len().checked_sub(LISTED).filter(|more| *more > 0) {
            clauses.push(format!("and {more} more reason{}", if more == 1 { "" } else { "s" }));
        }
        let text = clauses.join("; ");
        let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
        format!("{verb}: {text}{stop}")
    }
}

/// The categories of a set by name, a class where nearly all of its categories are there:
/// `sec (all 31)`, `nat (all but nat.in_gstin)`.
pub fn category_words(set: &CategorySet, taxonomy: &Taxonomy) -> Vec<String> {
    let mut words = Vec::new();
    let mut classed = CategorySet::new();
    for class in Class::ALL {
        let of_class = taxonomy.iter().filter(|(_, category)| category.class == class);
        let of_class: CategorySet = of_class.map(|(index, _)| index).collect();
        let (count, class) = (of_class.iter().count(), class.as_str());
        let missing: Vec<&str> = of_class
            .iter()
            .filter(|index| !set.contains(*index))
            .filter_map(|index| taxonomy.get(index).map(|it| it.id.as_str()))
            .collect();
        match missing.len() {
            0 if count > 1 => words.push(format!("{class} (all {count})")),
            1..=MISSING if count > 4 * missing.len() => {
                words.push(format!("{class} (all but {})", missing.join(", ")));
            }
            _ => continue,
        }
        classed.join(&of_class);
    }
    let single = set.iter().filter(|index| !classed.contains(*index));
    let id = |index| taxonomy.get(index).map_or("unknown", |it| it.id.as_str()).to_owned();
    words.extend(single.map(id));
    words
}

struct Speaker<'a> {
    policy: &'a Policy,
    decision: &'a Decision,
    flow: &'a Flow,
    taxonomy: &'a Taxonomy,
}

impl Speaker<'_> {
    fn clause(&self, cause: &ItemDecision) -> String {
        let what = self.items(cause);
        let workflow = self.policy.workflow_of(self.flow).map_or("", |it| it.id.as_str());
        let destination = self.destination();
        match cause.from {
            Determinant::Rule(at) => {
                let (id, reason) = self
                    .policy
                    .rules()
                    .get(at)
                    .map_or(("", ""), |rule| (rule.id.as_str(), rule.reason.as_str()));
                match cause.item {
                    Item::Flow => format!("rule `{id}`: {reason}"),
                    _ => format!("rule `{id}`, for {what}: {reason}"),
                }
            }
            Determinant::Approved => {
                format!("workflow `{workflow}` and {destination} approve {what} for this purpose")
            }
            Determinant::Unregulated => format!("no law or contract restricts {what}"),
            Determinant::Nothing => "nothing was found that is restricted".to_owned(),
            Determinant::Secret => {
                format!("{what} is a secret that workflow and destination do not both approve")
            }
            Determinant::RegulatedOutside | Determinant::RegulatedInside => {
                format!("{what} is regulated and not approved for {destination}")
            }
            Determinant::UnknownCategory => {
                "the payload holds or carries a category that no rule pack defines".to_owned()
            }
            Determinant::Denied => "an approver denied it".to_owned(),
            Determinant::Expired => "nobody approved it in time".to_owned(),
            Determinant::Opaque => {
                "the payload cannot be read: it is encrypted, an image, or of an unsupported type"
                    .to_owned()
            }
            Determinant::PartialOutside | Determinant::PartialInside => {
                format!("the payload was not inspected whole ({what}) and goes to {destination}")
            }
            Determinant::Identity => {
                format!("the peer is not workflow `{workflow}`, which the flow claims to be")
            }
            Determinant::Purpose => match self.flow.workflow {
                WorkflowOf::Registered(_) => format!(
                    "regulated data moves for a purpose that workflow `{workflow}` does not list"
                ),
                WorkflowOf::Unnamed => "regulated data moves without a workflow".to_owned(),
                WorkflowOf::Unregistered => {
                    "regulated data moves for a workflow that is not registered".to_owned()
                }
            },
            Determinant::Evidence => {
                let missing: Vec<String> =
                    self.flow.missing.iter().map(|field| format!("`{field}`")).collect();
                let missing = missing.join(", ");
                format!("the flow lacks {missing}, which workflow `{workflow}` requires")
            }
            Determinant::Carrier => {
                format!("{what} is to be redacted, and this payload cannot be rewritten")
            }
            Determinant::Redaction => {
                "what would have been released could not be made, or still held what it must not"
                    .to_owned()
            }
            Determinant::Grant => "an approver granted it".to_owned(),
            Determinant::Exception => "findings are excepted".to_owned(),
            Determinant::Failure => "a step failed".to_owned(),
        }
    }

    /// All items with the effect that this cause gave, in words.
    fn items(&self, cause: &ItemDecision) -> String {
        let same =
            |item: &&ItemDecision| item.from == cause.from && item.effect == self.decision.effect;
        let mut names: Vec<String> =
            self.decision.items.iter().filter(same).map(|item| self.name(item.item)).collect();
        names.dedup();
        let more = names.len().saturating_sub(LISTED);
        names.truncate(LISTED);
        if more > 0 {
            names.push(format!("{more} more"));
        }
        match names.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
        }
    }

    fn name(&self, item: Item) -> String {
        match item {
            Item::Flow => "the flow".to_owned(),
            Item::Category(category) => self.category(category),
            Item::Lineage(category) => format!("{} from an earlier step", self.category(category)),
            Item::Coverage(reason) => reason.as_str().replace('_', " "),
        }
    }

    fn category(&self, index: CategoryIndex) -> String {
        match self.taxonomy.get(index) {
            Some(category) => format!("{} ({})", category.title, category.id),
            None => "an unknown category".to_owned(),
        }
    }

    fn destination(&self) -> String {
        match self.policy.destination_of(self.flow) {
            Some(it) if it.trust == Trust::Internal => format!("internal destination `{}`", it.id),
            Some(it) => format!("external destination `{}`", it.id),
            None => "a destination that is not registered".to_owned(),
        }
    }
}
