//! Columns and keys that hold many values of one kind: a table of people, not one of them.
//!
//! Findings come in with their places; where a combination asks for a number of values in one column,
//! the finding that completes it comes out once more, as what the combination raises. Tallies of the
//! parts of a payload merge into those of the whole, in any order.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

use crate::model::{Band, CategoryIndex, Evidence, Finding, Likelihood, Place, RuleIndex};
use crate::rules::{Combination, RuleSet};

/// Columns that are told apart. Of more, some share their count.
const SLOTS: u64 = 1024;

/// A column with what it is counted for.
type Slot = (u64, RuleIndex);

/// Full columns that are remembered.
const KNOWN: usize = 32;

/// The first values of each column, as many as its combination asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Volume {
    columns: BTreeMap<Slot, Vec<Finding>>,
    /// Categories with places in columns that take no more of them, in turns.
    full: Vec<(CategoryIndex, Place)>,
    next: usize,
}

impl Volume {
    /// Whether a finding of a category at a place is known to change nothing.
    pub fn is_full(&self, category: CategoryIndex, place: Option<&Place>) -> bool {
        let is_it = |(known, full): &(CategoryIndex, Place)| {
            *known == category && place.is_some_and(|place| are_of_one_column(full, place))
        };
        self.full.iter().any(is_it)
    }

    /// Counts a finding, which starts no earlier than those before it, and gives those that it
    /// completes a column for.
    pub fn add(&mut self, rules: &RuleSet, finding: &Finding) -> Vec<Finding> {
        let mut raised = Vec::new();
        let place = finding.place.as_deref();
        let Some(place) = place.filter(|_| finding.likelihood.band() >= Band::Likely) else {
            return raised;
        };
        if self.is_full(finding.category, Some(place)) {
            return raised;
        }
        let mut is_full = None;
        for (index, combination) in rules.columns_of(finding.category) {
            let slot = (slot_of(place, finding.category.0), index);
            let values = self.columns.entry(slot).or_default();
            is_full = Some(is_full != Some(false) && values.len() >= combination.values);
            if values.len() < combination.values {
                values.push(finding.clone());
                if values.len() == combination.values {
                    raised.push(raise(index, combination, finding));
                }
            }
        }
        if is_full == Some(true) {
            self.know_full(finding.category, place.clone());
        }
        raised
    }

    fn know_full(&mut self, category: CategoryIndex, place: Place) {
        match self.full.get_mut(self.next) {
            Some(known) => *known = (category, place),
            None => self.full.push((category, place)),
        }
        self.next = (self.next + 1) % KNOWN;
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

/// Whether two places are certainly in one column, or under the same keys: their paths differ in
/// positions alone.
fn are_of_one_column(one: &Place, other: &Place) -> bool {
    match (one, other) {
        (Place::Cell { column: one, .. }, Place::Cell { column: other, .. }) => one == other,
        (Place::Json { json_path: one, .. }, Place::Json { json_path: other, .. }) => {
            // A key in quotes may hold what looks like a position.
            !one.contains('"') && parts_of(one).eq(parts_of(other))
        }
        _ => false,
    }
}

/// What stands between the positions of a path.
fn parts_of(path: &str) -> impl Iterator<Item = &str> {
    path.split('[').enumerate().map(|(number, part)| match part.split_once(']') {
        Some((position, behind))
            if number > 0 && position.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            behind
        }
        _ => part,
    })
}

/// The column, or the keys without the positions between them, and what is in it.
fn slot_of(place: &Place, category: u16) -> u64 {
    let mut hash = SipHasher13::new();
    place.names().hash(&mut hash);
    hash.write_u16(category);
    hash.finish() % SLOTS
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::Arc;

    use super::*;
    use crate::Scanner;
    use crate::engine::Options;
    use crate::scan::sweep::Kernel;

    fn json(path: &str) -> Place {
        Place::Json { json_path: path.into(), key: "".into() }
    }

    #[test]
    fn places_of_one_column_differ_in_positions_alone() {
        let are = |one: &str, other: &str| are_of_one_column(&json(one), &json(other));
        assert!(are("$[1].a[20].b", "$[23].a[4].b") && are("$", "$") && are("$[1]", "$[2]"));
        assert!(!are("$[1].a", "$[1].b") && !are("$[1].a", "$.a[1]") && !are("$.a", "$.a.b"));
        // A key with brackets of its own is written in quotes.
        assert!(!are("$[\"a[1]\"]", "$[\"a[2]\"]"));
        let cell = |row, column: &str| Place::Cell { row, column: column.into() };
        assert!(are_of_one_column(&cell(1, "a"), &cell(2, "a")));
        assert!(!are_of_one_column(&cell(1, "a"), &cell(1, "b")));
        assert!(!are_of_one_column(&cell(1, "a"), &json("a")));
    }

    /// What is found is the same whatever the cap: only what is past it is not kept.
    #[test]
    fn a_cap_changes_neither_counts_nor_what_columns_raise() {
        let rules = Arc::new(RuleSet::builtin().unwrap());
        let mut table = String::from("email,ssn,account\n");
        let mut records = String::from("[");
        for row in 0..120 {
            let (area, serial) = (101 + row, 1000 + row * 37);
            let _ = writeln!(
                table,
                "user{row}@zvr-mail{row}.net,{area}-48-{serial},DE89370400440532013000"
            );
            let _ = write!(records, "{{\"email\": \"user{row}@zvr-mail.net\", \"n\": 1}},");
        }
        records.push_str("{}]");
        for payload in [table, records] {
            let scan = |max_findings| {
                let options =
                    Options { max_findings, kernel: Kernel::Portable, ..Options::default() };
                Scanner::new(rules.clone(), options).scan(payload.as_bytes())
            };
            let whole = scan(10_000);
            let count = whole.findings.len();
            let is_raised = |finding: &&Finding| rules.rule(finding.rule).is_none();
            let raised = whole.findings.iter().filter(is_raised).count();
            assert!(count > 60 && raised > 0, "{count} {raised}");
            assert!(whole.findings.iter().all(|it| it.line > 0 && it.context_hash != 0));
            for cap in [0, 1, 2, 10, 49, 99, 100, 101, 103, count - 1] {
                let few = scan(cap);
                assert_eq!(few.label, whole.label, "{cap}");
                assert_eq!(few.truncated, (count - few.findings.len()) as u64, "{cap}");
                let kept = whole.findings.iter().take(cap);
                // With all that is told of them: what is only counted comes without.
                assert!(few.findings.iter().eq(kept), "{cap}");
            }
        }
    }
}
