//! Findings come in one by one, one label comes out.
//!
//! Promised: a label depends on which findings there are, never on their order or on how they were
//! dealt out to builders, so that the segments of a large payload can be counted apart and merged.
//! Only findings of band likely and up reach `categories`; `possible` ones are counted and decide
//! nothing. Memory is bounded: at most [`UNIQUE_LIMIT`] hashes a category, whatever the payload.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::model::{
    Band, CategoryCount, CategoryIndex, Coverage, Label, Likelihood, Sensitivity, Unique,
};
use crate::rules::RuleSet;

/// Different values of a category that are told apart; beyond it the label says `AtLeast`.
pub const UNIQUE_LIMIT: usize = 1024;

/// Counts findings into a label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelBuilder {
    counts: BTreeMap<CategoryIndex, Count>,
    possible: BTreeMap<CategoryIndex, u64>,
}

impl LabelBuilder {
    /// A builder that has seen no finding.
    pub fn new() -> LabelBuilder {
        LabelBuilder::default()
    }

    /// Counts one finding. `value` is a hash of its normalised value: findings with equal values
    /// count as one among the unique ones, so it must be the same function in all builders that
    /// are merged.
    pub fn add(&mut self, category: CategoryIndex, likelihood: Likelihood, value: u128) {
        if likelihood.band() == Band::Possible {
            let count = self.possible.entry(category).or_default();
            *count = count.saturating_add(1);
            return;
        }
        let count = self.counts.entry(category).or_insert_with(|| Count {
            count: 0,
            values: Values::Known(HashSet::new()),
            max_likelihood: likelihood,
        });
        count.count = count.count.saturating_add(1);
        count.values.insert(value);
        count.max_likelihood = count.max_likelihood.max(likelihood);
    }

    /// Adds what another builder counted, as if all its findings had been added here.
    pub fn merge(&mut self, other: LabelBuilder) {
        for (category, theirs) in other.counts {
            match self.counts.get_mut(&category) {
                Some(ours) => ours.merge(theirs),
                None => drop(self.counts.insert(category, theirs)),
            }
        }
        for (category, theirs) in other.possible {
            let ours = self.possible.entry(category).or_default();
            *ours = ours.saturating_add(theirs);
        }
    }

    /// The label of all findings so far. A category that `rules` does not know counts as
    /// restricted: what cannot be looked up must not look harmless.
    pub fn finish(self, rules: &RuleSet, coverage: Coverage) -> Label {
        self.so_far(rules, coverage)
    }

    /// As [`LabelBuilder::finish`], and more findings may come.
    pub fn so_far(&self, rules: &RuleSet, coverage: Coverage) -> Label {
        let sensitivity = self
            .counts
            .keys()
            .map(|index| rules.category(*index).map_or(Sensitivity::Restricted, |c| c.sensitivity))
            .max()
            .unwrap_or(Sensitivity::Public);
        let categories = self.counts.iter().map(|(category, count)| {
            let count = CategoryCount {
                count: count.count,
                unique: count.values.unique(),
                max_likelihood: count.max_likelihood,
            };
            (*category, count)
        });
        Label {
            categories: categories.collect(),
            possible: self.possible.clone(),
            sensitivity,
            coverage,
            lineage: BTreeSet::new(),
        }
    }
}

/// What was counted of one category.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Count {
    count: u64,
    values: Values,
    max_likelihood: Likelihood,
}

impl Count {
    fn merge(&mut self, other: Count) {
        self.count = self.count.saturating_add(other.count);
        self.max_likelihood = self.max_likelihood.max(other.max_likelihood);
        match other.values {
            Values::Known(values) => values.into_iter().for_each(|value| self.values.insert(value)),
            Values::Many => self.values = Values::Many,
        }
    }
}

/// The different values of a category.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Values {
    /// All of them, at most [`UNIQUE_LIMIT`].
    Known(HashSet<u128>),
    /// More than [`UNIQUE_LIMIT`]; the set is dropped, since no value can change this.
    Many,
}

impl Values {
    fn insert(&mut self, value: u128) {
        if let Values::Known(values) = self {
            values.insert(value);
            if values.len() > UNIQUE_LIMIT {
                *self = Values::Many;
            }
        }
    }

    fn unique(&self) -> Unique {
        let limit = u32::try_from(UNIQUE_LIMIT).unwrap_or(u32::MAX);
        match self {
            Values::Known(values) => Unique::Exact(u32::try_from(values.len()).unwrap_or(limit)),
            Values::Many => Unique::AtLeast(limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Category, Class, Reason};
    use crate::rules::Taxonomy;

    fn rules() -> RuleSet {
        let category = |id: &str, sensitivity| Category {
            id: id.to_owned(),
            title: id.to_owned(),
            class: Class::Pii,
            sensitivity,
            regulated: true,
            laws: Vec::new(),
        };
        let categories = vec![
            category("pii.a", Sensitivity::Internal),
            category("pii.b", Sensitivity::Confidential),
            category("pii.c", Sensitivity::Restricted),
        ];
        RuleSet { taxonomy: Taxonomy::new(categories), ..RuleSet::default() }
    }

    fn label(builder: LabelBuilder) -> Label {
        builder.finish(&rules(), Coverage::complete())
    }

    #[test]
    fn nothing_found_is_public() {
        let label = LabelBuilder::new().finish(&rules(), Coverage::partial(Reason::Limit));
        assert_eq!(label.sensitivity, Sensitivity::Public);
        assert!(label.categories.is_empty() && label.possible.is_empty());
        assert_eq!(label.coverage, Coverage::partial(Reason::Limit));
    }

    #[test]
    fn possible_findings_are_counted_apart_and_decide_nothing() {
        let mut builder = LabelBuilder::new();
        builder.add(CategoryIndex(2), Likelihood::new(64), 1);
        builder.add(CategoryIndex(0), Likelihood::new(65), 2);
        builder.add(CategoryIndex(0), Likelihood::new(90), 2);
        builder.add(CategoryIndex(0), Likelihood::new(70), 3);
        let label = label(builder);
        assert_eq!(label.possible, BTreeMap::from([(CategoryIndex(2), 1)]));
        assert_eq!(label.sensitivity, Sensitivity::Internal);
        let count = label.categories[&CategoryIndex(0)];
        assert_eq!((count.count, count.unique), (3, Unique::Exact(2)));
        assert_eq!(count.max_likelihood.get(), 90);
    }

    #[test]
    fn sensitivity_is_the_highest_and_unknown_categories_are_restricted() {
        let mut builder = LabelBuilder::new();
        builder.add(CategoryIndex(0), Likelihood::new(90), 1);
        builder.add(CategoryIndex(1), Likelihood::new(90), 1);
        assert_eq!(label(builder.clone()).sensitivity, Sensitivity::Confidential);
        builder.add(CategoryIndex(99), Likelihood::new(90), 1);
        assert_eq!(label(builder).sensitivity, Sensitivity::Restricted);
    }

    #[test]
    fn unique_is_exact_up_to_the_limit() {
        let mut builder = LabelBuilder::new();
        for value in 0..UNIQUE_LIMIT as u128 {
            builder.add(CategoryIndex(0), Likelihood::new(90), value);
            builder.add(CategoryIndex(0), Likelihood::new(90), value);
        }
        let unique = |builder: &LabelBuilder| label(builder.clone()).categories[&CategoryIndex(0)];
        assert_eq!(unique(&builder).unique, Unique::Exact(1024));
        builder.add(CategoryIndex(0), Likelihood::new(90), u128::MAX);
        assert_eq!(unique(&builder).unique, Unique::AtLeast(1024));
        assert_eq!(unique(&builder).count, 2049);
    }

    proptest! {
        #[test]
        fn order_and_split_do_not_matter(
            (findings, shuffled) in prop::collection::vec(
                // few categories with many values each, so that the limit is crossed
                (0u16..2, 50u32..100, 0u128..1400, 0usize..4), 0..5000,
            ).prop_flat_map(|findings| (Just(findings.clone()), Just(findings).prop_shuffle())),
            merge_order in Just([0usize, 1, 2, 3]).prop_shuffle(),
        ) {
            let mut whole = LabelBuilder::new();
            for (category, likelihood, value, _) in &findings {
                whole.add(CategoryIndex(*category), Likelihood::new(*likelihood), *value);
            }
            let mut parts = vec![LabelBuilder::new(); 4];
            for (category, likelihood, value, part) in &shuffled {
                parts[*part].add(CategoryIndex(*category), Likelihood::new(*likelihood), *value);
            }
            let mut merged = LabelBuilder::new();
            for part in merge_order {
                merged.merge(parts[part].clone());
            }
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(label(merged), label(whole));
        }
    }
}
