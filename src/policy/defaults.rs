//! The effect of data that no register knows the way of: what a run without any flow has to assume.

use crate::model::{Category, Class, Effect, Label, Reason};
use crate::rules::RuleSet;

/// The effect of sending what `label` describes to an unknown destination: the maximum over its
/// categories and its coverage reasons, allow where there is neither.
///
/// | what the label holds | effect |
/// |---|---|
/// | a secret (class `sec`) | block |
/// | a regulated category | block |
/// | a category that `rules` does not know | block |
/// | an unregulated category | allow |
/// | coverage `opaque` | escalate |
/// | any other partial coverage | block |
///
/// Findings of band possible decide nothing.
pub fn default_effect(label: &Label, rules: &RuleSet) -> Effect {
    let categories = label.categories.keys().map(|index| of_category(rules.category(*index)));
    let coverage = label.coverage.reasons.iter().map(|reason| of_reason(*reason));
    categories.chain(coverage).max().unwrap_or(Effect::Allow)
}

fn of_category(category: Option<&Category>) -> Effect {
    match category {
        Some(category) if !category.regulated && category.class != Class::Sec => Effect::Allow,
        // No category of that index: an answer that is missing is block.
        Some(_) | None => Effect::Block,
    }
}

fn of_reason(reason: Reason) -> Effect {
    match reason {
        // Declared as unreadable, so a person who knows what it is can answer for it.
        Reason::Opaque => Effect::Escalate,
        Reason::Limit | Reason::Deadline | Reason::Damaged | Reason::Error | Reason::EarlyBlock => {
            Effect::Block
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::model::{CategoryCount, CategoryIndex, Coverage, Likelihood, Sensitivity, Unique};
    use crate::rules::Taxonomy;

    const UNREGULATED: u16 = 0;
    const REGULATED: u16 = 1;
    const UNREGULATED_SECRET: u16 = 2;
    const UNKNOWN: u16 = 3;

    fn rules() -> RuleSet {
        let category = |id: &str, class, regulated| Category {
            id: id.to_owned(),
            title: id.to_owned(),
            class,
            sensitivity: Sensitivity::Internal,
            regulated,
            laws: Vec::new(),
        };
        let categories = vec![
            category("ai.canary", Class::Ai, false),
            category("pii.email", Class::Pii, true),
            category("sec.token", Class::Sec, false),
        ];
        RuleSet { taxonomy: Taxonomy::new(categories), ..RuleSet::default() }
    }

    fn label(categories: &[u16], reasons: &[Reason]) -> Label {
        let count = CategoryCount {
            count: 1,
            unique: Unique::Exact(1),
            max_likelihood: Likelihood::new(90),
        };
        Label {
            categories: categories.iter().map(|index| (CategoryIndex(*index), count)).collect(),
            possible: BTreeMap::new(),
            sensitivity: Sensitivity::Public,
            coverage: Coverage { reasons: reasons.iter().copied().collect() },
            lineage: BTreeSet::new(),
        }
    }

    #[test]
    fn each_row_of_the_table() {
        let effect = |categories: &[u16], reasons: &[Reason]| {
            default_effect(&label(categories, reasons), &rules())
        };
        assert_eq!(effect(&[], &[]), Effect::Allow);
        assert_eq!(effect(&[UNREGULATED], &[]), Effect::Allow);
        assert_eq!(effect(&[REGULATED], &[]), Effect::Block);
        assert_eq!(effect(&[UNREGULATED_SECRET], &[]), Effect::Block);
        assert_eq!(effect(&[UNKNOWN], &[]), Effect::Block);
        assert_eq!(effect(&[], &[Reason::Opaque]), Effect::Escalate);
        assert_eq!(effect(&[UNREGULATED], &[Reason::Opaque]), Effect::Escalate);
        for reason in ALL_REASONS.into_iter().filter(|reason| *reason != Reason::Opaque) {
            assert_eq!(effect(&[], &[reason]), Effect::Block, "{}", reason.as_str());
            assert_eq!(effect(&[], &[reason, Reason::Opaque]), Effect::Block);
        }
    }

    #[test]
    fn possible_findings_decide_nothing() {
        let mut label = label(&[], &[]);
        label.possible.insert(CategoryIndex(REGULATED), 1000);
        assert_eq!(default_effect(&label, &rules()), Effect::Allow);
    }

    const ALL_REASONS: [Reason; 6] = [
        Reason::Opaque,
        Reason::Limit,
        Reason::Deadline,
        Reason::Damaged,
        Reason::Error,
        Reason::EarlyBlock,
    ];

    fn any_label() -> impl Strategy<Value = Label> {
        let categories = prop::collection::btree_set(0u16..6, 0..4);
        let reasons = prop::collection::btree_set(prop::sample::select(&ALL_REASONS[..]), 0..3);
        (categories, reasons).prop_map(
            |(categories, reasons): (BTreeSet<u16>, BTreeSet<Reason>)| {
                let categories: Vec<u16> = categories.into_iter().collect();
                let reasons: Vec<Reason> = reasons.into_iter().collect();
                label(&categories, &reasons)
            },
        )
    }

    proptest! {
        #[test]
        fn adding_never_weakens(
            label in any_label(),
            category in 0u16..6,
            count in 1u64..1_000_000,
            reason in prop::sample::select(&ALL_REASONS[..]),
        ) {
            let rules = rules();
            let before = default_effect(&label, &rules);

            let mut more = label.clone();
            let entry = more.categories.entry(CategoryIndex(category)).or_insert(CategoryCount {
                count: 0,
                unique: Unique::Exact(1),
                max_likelihood: Likelihood::new(65),
            });
            entry.count += count;
            prop_assert!(default_effect(&more, &rules) >= before);

            let mut less_covered = label.clone();
            less_covered.coverage.reasons.insert(reason);
            prop_assert!(default_effect(&less_covered, &rules) >= before);

            let mut more_possible = label;
            more_possible.possible.insert(CategoryIndex(category), count);
            prop_assert!(default_effect(&more_possible, &rules) >= before);
        }
    }
}
