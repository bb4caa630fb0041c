//! What the names of columns and keys say, remembered: the cells of a column share one.
//!
//! A place comes in, its [`Name`] goes out, or whether the name makes a match of a rule a finding.
//! The answers are those that are worked out anew for each place.

use std::collections::HashMap;
use std::sync::Arc;

use super::context::Terms;
use super::heads::RuleBits;
use super::names::Name;
use super::plan::Plan;
use super::watch::Group;
use crate::model::Place;
use crate::rules::Rule;

/// Names that are remembered at most; past them all are forgotten.
const MAX_KNOWN: usize = 64;

/// The names that were met last.
#[derive(Default)]
pub struct Columns {
    known: HashMap<Arc<str>, Column>,
    /// The name of a place that has no key.
    other: Option<Name>,
}

#[derive(Default)]
struct Column {
    name: Option<Name>,
    /// By position of a rule that needs a name, whether this is one.
    opens: HashMap<usize, bool>,
}

/// Names come from the payload, so none is shown.
impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Columns").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

impl Columns {
    /// Forgets everything: the next payload begins.
    pub fn clear(&mut self) {
        self.known.clear();
        self.other = None;
    }

    /// The name of a place; none where it has none.
    pub fn name(&mut self, place: &Place) -> Option<&Name> {
        match key(place) {
            Some(key) => self.column(key, place).name.as_ref(),
            None => {
                self.other = Name::of(place);
                self.other.as_ref()
            }
        }
    }

    /// Whether the name of a place is one that a rule lists, or holds a term of its context.
    pub fn opens(&mut self, place: &Place, position: usize, rule: &Rule, terms: &Terms) -> bool {
        let Some(key) = key(place) else { return opens(Name::of(place).as_ref(), rule, terms) };
        let Column { name, opens: known } = self.column(key, place);
        *known.entry(position).or_insert_with(|| opens(name.as_ref(), rule, terms))
    }

    fn column(&mut self, key: Arc<str>, place: &Place) -> &mut Column {
        if self.known.len() >= MAX_KNOWN && !self.known.contains_key(&key) {
            self.known.clear();
        }
        let fresh = || Column { name: Name::of(place), opens: HashMap::new() };
        self.known.entry(key).or_insert_with(fresh)
    }
}

/// Which rules of a group can find anything in a table, as far as that was worked out.
///
/// A rule that needs a name finds nothing where no column has one of its own, however its matches lie:
/// in a wide table of other things most rules for columns need not be tried at all.
#[derive(Debug, Default)]
pub struct Openings {
    by_group: Vec<Opening>,
    /// What the columns are called; none before they are known.
    names: Option<Vec<Name>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Opening {
    asked: u16,
    open: Option<RuleBits>,
}

/// How often a group is asked for before it is worked out which of its rules are open: for a small
/// table that would cost more than it saves.
const WORTH_KNOWING: u16 = 200;

/// Columns of a table of which it is worked out.
const MAX_NAMES: usize = 256;

impl Openings {
    /// Forgets everything: the next payload begins.
    pub fn clear(&mut self) {
        self.by_group.fill(Opening::default());
        self.names = None;
    }

    /// The rules of a group that may find something in a table of these columns, one bit each; all
    /// bits where that is not known, and those of rules that need no name.
    pub fn open(&mut self, plan: &Plan, group: &Group, columns: &[Arc<str>]) -> RuleBits {
        if self.by_group.len() < plan.groups() {
            self.by_group.resize(plan.groups(), Opening::default());
        }
        let Some(opening) = self.by_group.get_mut(group.number) else { return RuleBits::MAX };
        if let Some(open) = opening.open {
            return open;
        }
        if columns.len() > MAX_NAMES {
            return RuleBits::MAX;
        }
        opening.asked += 1;
        if opening.asked < WORTH_KNOWING {
            return RuleBits::MAX;
        }
        let names = self.names.get_or_insert_with(|| {
            let name =
                |column: &Arc<str>| Name::of(&Place::Cell { row: 1, column: column.clone() });
            columns.iter().filter_map(name).collect()
        });
        let rules = group.rules.iter().map(|position| plan.rules().rules.get(*position));
        let open = rules.enumerate().fold(0, |open, (bit, rule)| {
            let is_open = rule.is_none_or(|rule| {
                !rule.needs_name() || names.iter().any(|name| opens(Some(name), rule, plan.terms()))
            });
            open | RuleBits::from(is_open) << bit
        });
        opening.open = Some(open);
        open
    }
}

fn opens(name: Option<&Name>, rule: &Rule, terms: &Terms) -> bool {
    let Some(name) = name else { return false };
    let context = rule.context.as_ref();
    name.is_one_of(&rule.columns)
        || context.is_some_and(|it| terms.in_words(name.for_it(), &it.terms).is_some())
}

/// What places with the same names have in common. None where that is not plain to see: a quoted key
/// may hold what looks like an index.
fn key(place: &Place) -> Option<Arc<str>> {
    match place {
        Place::Cell { column, .. } => Some(Arc::clone(column)),
        Place::Json { json_path, .. } if json_path.contains('"') => None,
        Place::Json { json_path, .. } => {
            let mut key = String::with_capacity(json_path.len());
            let mut is_index = false;
            for c in json_path.chars() {
                is_index &= c.is_ascii_digit();
                if !is_index {
                    key.push(c);
                }
                is_index |= c == '[';
            }
            Some(key.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::sample;

    fn cell(column: &str) -> Place {
        Place::Cell { row: 1, column: column.into() }
    }

    fn path(path: &str) -> Place {
        Place::Json { json_path: path.into(), key: "".into() }
    }

    #[test]
    fn what_is_remembered_is_what_would_be_worked_out() {
        let mut columns = Columns::default();
        let places = [
            cell("ssn"),
            cell("#3"),
            path("$.a[3].ssn"),
            path("$.a[4].ssn"),
            path("$.a[4].b1"),
            path("$.a[4].b2"),
            path(r#"$["x[1]"]"#),
            path(r#"$["x[2]"]"#),
            path("$[7]"),
        ];
        for place in places.iter().chain(&places) {
            assert_eq!(columns.name(place).cloned(), Name::of(place));
        }
        for number in 0..1000 {
            let place = cell(&format!("column {number}"));
            assert_eq!(columns.name(&place).cloned(), Name::of(&place));
            assert!(columns.known.len() <= MAX_KNOWN);
        }
    }

    #[test]
    fn a_listed_name_or_one_with_a_term_opens_a_rule() {
        let more = "anchors = { keywords = [\"key\"] }\ncolumns = [\"door\"]\n\
            context = { terms = [\"gate\"], before = 9, after = 9, boost = 9, required = true, names_only = true }";
        let rules = sample::rules(&[("sec.a", "key", more)], "");
        let terms = Terms::new(&rules);
        let mut columns = Columns::default();
        for _ in 0..2 {
            let mut opens = |place: Place| columns.opens(&place, 0, &rules.rules[0], &terms);
            assert!(opens(cell("Door")) && opens(cell("city gate")) && opens(path("$.gate[1].x")));
            assert!(!opens(cell("wall")) && !opens(cell("#1")) && !opens(path(r#"$["w"].x"#)));
        }
    }
}
