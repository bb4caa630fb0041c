//! Columns and keys that hold many values of one kind: a table of people, not one of them.
//!
//! Findings come in with their places; where a combination asks for a number of values in one column,
//! the finding that completes it comes out once more, as what the combination raises. Tallies of the
//! parts of a payload merge into those of the whole, in any order.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

use crate::model::{Band, Evidence, Finding, Likelihood, Place, RuleIndex};
use crate::rules::{Combination, RuleSet};

/// Columns that are told apart. Of more, some share their count.
const SLOTS: u64 = 1024;

/// A column with what it is counted for.
type Slot = (u64, RuleIndex);

/// The first values of each column, as many as its combination asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Volume {
    columns: BTreeMap<Slot, Vec<Finding>>,
}

impl Volume {
    /// Counts a finding, which starts no earlier than those before it, and gives those that it
    /// completes a column for.
    pub fn add(&mut self, rules: &RuleSet, finding: &Finding) -> Vec<Finding> {
        let mut raised = Vec::new();
        if finding.likelihood.band() < Band::Likely {
            return raised;
        }
        for (index, combination) in rules.columns_of(finding.category) {
            let Some(place) = finding.place.as_deref() else { continue };
            let slot = (slot_of(place, finding.category.0), index);
            let values = self.columns.entry(slot).or_default();
            if values.len() < combination.values {
                values.push(finding.clone());
                if values.len() == combination.values {
                    raised.push(raise(index, combination, finding));
                }
            }
        }
        raised
    }

    /// Adds what was counted in another part of the payload.
    pub fn merge(&mut self, rules: &RuleSet, other: Volume) {
        for (slot, theirs) in other.columns {
            let ours = self.columns.entry(slot).or_default();
            ours.extend(theirs);
            ours.sort_by_key(|finding| (finding.span, rules.rule_id(finding.rule).to_owned()));
            ours.truncate(rules.combination(slot.1).map_or(0, |combination| combination.values));
        }
    }

    /// What full columns raise.
    pub fn raised(&self, rules: &RuleSet) -> Vec<Finding> {
        let full = self.columns.iter().filter_map(|((_, index), values)| {
            let combination = rules.combination(*index)?;
            let last = values.get(combination.values.checked_sub(1)?)?;
            Some(raise(*index, combination, last))
        });
        full.collect()
    }
}

fn raise(index: RuleIndex, combination: &Combination, last: &Finding) -> Finding {
    Finding {
        rule: index,
        category: combination.category,
        likelihood: Likelihood::new(u32::from(combination.likelihood)),
        evidence: Evidence { rests_on: Some(last.rule), ..Evidence::default() },
        fingerprint: None,
        ..last.clone()
    }
}

/// The column, or the keys without the positions between them, and what is in it.
fn slot_of(place: &Place, category: u16) -> u64 {
    let mut hash = SipHasher13::new();
    place.names().hash(&mut hash);
    hash.write_u16(category);
    hash.finish() % SLOTS
}
