//! What the names of columns and keys say, remembered: the cells of a column share one.
//!
//! A place comes in, its [`Name`] goes out, or which rules can find anything under it. The answers are
//! those that are worked out anew for each place.

use std::ops::Range;
use std::sync::Arc;

use super::context::Terms;
use super::heads::{Lanes, RuleBits};
use super::names::{Label, Name, Named, Says};
use super::plan::Plan;
use super::score::ends_value;
use super::sieve::SieveBits;
use super::structure::Tracker;
use super::sweep::{AnchorKind, SHAPE_KINDS};
use super::validate;
use super::watch::{ABREAST, Group, Watch};
use crate::model::Place;
use crate::rules::Rule;

/// Names that are remembered at most; past them all are forgotten.
const MAX_KNOWN: usize = 128;

/// How often all names of a view were forgotten before no anchor asks for its column any more: there are
/// too many of them to know one well.
const TOO_MANY: u8 = 2;

/// How often a column is met before it is worked out which rules are open there: for a few values that
/// would cost more than it saves.
const WORTH_OPENING: u16 = 7;

/// Rules of which it is remembered what a name says of their values, at most.
const MAX_LABELS: usize = 16;

/// Bytes on either side of an anchor that are looked at for a letter, at most.
pub const NEAR: usize = 64;

/// The names that were met last.
#[derive(Default)]
pub struct Columns {
    known: Vec<Column>,
    /// The table that was met last.
    table: Option<Table>,
    last: Option<Cell>,
    /// Where the column of the next cell stands, if they come in turns.
    next: usize,
    /// The start of the last cell whose names are not plain to see, and whether its name was asked for.
    unclear: Option<(u64, bool)>,
    /// The names of the last such cell that was asked for, and the name that they make: the next one has
    /// the same as a rule.
    named_unclear: (Vec<String>, Option<Named>),
    forgotten: u8,
    written: String,
    #[cfg(test)]
    is_strange: bool,
}

/// A table, by what its columns are called.
struct Table {
    names: Arc<[Arc<str>]>,
    /// Where its columns stand, those that were met.
    columns: Vec<Option<usize>>,
}

/// The cell that was asked about last.
#[derive(Clone, Copy)]
pub struct Cell {
    /// Where it starts.
    start: u64,
    /// Bytes from there up to here are in it.
    to: u64,
    /// Where what is said of its value starts: see [`Tracker::value_start`].
    pub value_start: u64,
    /// Where its row starts: see [`Tracker::row_start`].
    pub row_start: Option<u64>,
    /// Where its column stands.
    column: usize,
}

#[derive(Default)]
struct Column {
    /// What [`Tracker::write_names`] writes.
    names: Box<str>,
    name: Option<Name>,
    /// The same with its terms, once they are asked for.
    named: Option<Named>,
    /// By position of a rule, what the name says of its values.
    labels: Vec<(usize, Option<Label>)>,
    met: u16,
    /// By shape, what its rules may find here.
    shapes: [Option<Box<Open>>; SHAPE_KINDS],
}

/// What may find something in a column.
struct Open {
    /// In a value without any letter.
    bare: OpenRules,
    any: OpenRules,
}

/// The rules that are to be asked at a kind of anchor.
pub struct OpenRules {
    /// Those of the sieve; none where there is none.
    pub sieve: Option<SieveBits>,
    /// Fronts that have any, by number, each with its rules by group.
    pub fronts: Box<[(usize, Lanes<ABREAST>)]>,
    /// The same of the other groups.
    pub groups: Box<[(usize, RuleBits)]>,
}

/// Names come from the payload, so none is shown.
impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Columns").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

impl Columns {
    /// Takes each column for one that is met for the first time.
    #[cfg(test)]
    pub(crate) fn never_know_well(&mut self) {
        self.is_strange = true;
    }

    /// Room for names and what is known of them, in bytes.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        let of_column = |column: &Column| {
            let open = column.shapes.iter().flatten();
            let open = open.map(|it| size_of::<Open>() + it.bare.room() + it.any.room());
            let open = open.sum::<usize>();
            let name = column.name.as_ref().map_or(0, Name::room);
            let named = column.named.as_ref().map_or(0, Named::room);
            let labels = column.labels.capacity() * size_of::<(usize, Option<Label>)>();
            column.names.len() + name + named + open + labels
        };
        let of_table = |table: &Table| {
            let names = table.names.iter().map(|name| name.len() + size_of::<Arc<str>>());
            names.sum::<usize>() + table.columns.capacity() * size_of::<Option<usize>>()
        };
        self.known.capacity() * size_of::<Column>()
            + self.table.as_ref().map_or(0, of_table)
            + self.known.iter().map(of_column).sum::<usize>()
            + self.written.capacity()
            + self.named_unclear.0.iter().map(|name| name.capacity() + 24).sum::<usize>()
            + self.named_unclear.1.as_ref().map_or(0, Named::room)
    }

    /// Forgets everything: the next payload begins.
    pub fn clear(&mut self) {
        self.known.clear();
        self.table = None;
        (self.last, self.next, self.unclear) = (None, 0, None);
        self.named_unclear = Default::default();
        self.forgotten = 0;
    }

    /// Forgets where the last cell was: the tracker forgets some of what it knew.
    pub fn forget_cell(&mut self) {
        self.last = None;
    }

    /// The name of a place of which no column is known; none where it has none.
    fn unclear_name(&mut self, terms: &Terms, tracker: &Tracker, at: u64) -> Option<&Named> {
        let start = tracker.cell_start(at)?;
        let (_, is_asked) = self.unclear.as_mut().filter(|(it, _)| *it == start)?;
        if !std::mem::replace(is_asked, true) {
            let names = tracker.place(at).map(|it| it.names()).unwrap_or_default();
            if names != self.named_unclear.0 {
                let name = Name::of_names(&names).map(|name| Named::new(name, terms));
                self.named_unclear = (names, name);
            }
        }
        self.named_unclear.1.as_ref()
    }

    /// What the name of the place that holds a byte says of the values of a rule; none where there is no
    /// name. The tracker has followed the view past the byte.
    pub fn label(
        &mut self,
        tracker: &Tracker,
        at: u64,
        (position, rule): (usize, &Rule),
        terms: &Terms,
    ) -> Option<Label> {
        let Some(cell) = self.cell(tracker, at) else {
            return self.unclear_name(terms, tracker, at).map(|name| name.label(rule));
        };
        let column = self.known.get_mut(cell.column)?;
        if let Some((_, label)) = column.labels.iter().find(|(of, _)| *of == position) {
            return *label;
        }
        let label = column.named(terms).map(|name| name.label(rule));
        if column.labels.len() < MAX_LABELS {
            column.labels.push((position, label));
        }
        label
    }

    /// The cell that holds an anchor, if its column was met often enough to know more of it.
    pub fn well_known(&mut self, tracker: &Tracker, at: u64) -> Option<Cell> {
        if self.forgotten >= TOO_MANY {
            return None;
        }
        let cell = self.cell(tracker, at)?;
        let column = self.known.get_mut(cell.column)?;
        column.met = column.met.saturating_add(1);
        #[cfg(test)]
        if self.is_strange {
            return None;
        }
        (column.met >= WORTH_OPENING).then_some(cell)
    }

    /// The rules that may find something at an anchor of a shape in such a cell. `is_bare` says whether no
    /// letter stands near the anchor in its cell.
    pub fn open(
        &mut self,
        plan: &Plan,
        cell: Cell,
        (kind, watch): (AnchorKind, &Watch),
        openings: &Openings,
        is_bare: bool,
    ) -> Option<&OpenRules> {
        let column = self.known.get_mut(cell.column)?;
        if column.shapes.get(kind.index())?.is_none() {
            let open = column.open(plan, (kind, watch), openings);
            *column.shapes.get_mut(kind.index())? = Some(Box::new(open));
        }
        let open = column.shapes.get(kind.index())?.as_ref()?;
        Some(if is_bare { &open.bare } else { &open.any })
    }

    /// The cell that holds a byte, with its column; none where that cannot be remembered.
    #[inline]
    pub fn cell(&mut self, tracker: &Tracker, at: u64) -> Option<Cell> {
        match self.last {
            Some(last) if (last.start..last.to).contains(&at) => Some(last),
            _ => self.next_cell(tracker, at),
        }
    }

    #[inline(never)]
    fn next_cell(&mut self, tracker: &Tracker, at: u64) -> Option<Cell> {
        let Some(found) = tracker.column(at) else { return self.cell_by_names(tracker, at) };
        let Range { start, end: to } = found.span;
        if let Some(last) = &mut self.last
            && last.start == start
        {
            last.to = to;
            return Some(*last);
        }
        let number = usize::try_from(found.number).unwrap_or(usize::MAX);
        let table = self.table.as_ref().filter(|table| Arc::ptr_eq(&table.names, found.names));
        let known = table.and_then(|table| table.columns.get(number).copied().flatten());
        let Some(column) = known else {
            let is_other = table.is_none();
            let cell = self.cell_by_names(tracker, at)?;
            if is_other || self.table.is_none() {
                let (names, columns) = (found.names.clone(), vec![None; found.names.len()]);
                self.table = Some(Table { names, columns });
            }
            let slot = self.table.as_mut().and_then(|table| table.columns.get_mut(number));
            if let Some(slot) = slot {
                *slot = Some(cell.column);
            }
            return Some(cell);
        };
        let value_start = tracker.value_start_in(start, at).unwrap_or(start);
        let row_start = Some(found.row_start);
        self.next = column + 1;
        self.last = Some(Cell { start, to, value_start, row_start, column });
        self.last
    }

    /// The same by the names that are written down for the cell.
    fn cell_by_names(&mut self, tracker: &Tracker, at: u64) -> Option<Cell> {
        let Range { start, end: to } = tracker.cell_span(at)?;
        if let Some(last) = &mut self.last
            && last.start == start
        {
            last.to = to;
            return Some(*last);
        }
        if self.unclear.as_ref().is_some_and(|(unclear, _)| *unclear == start) {
            return None;
        }
        if !tracker.write_names(at, &mut self.written) {
            self.unclear = Some((start, false));
            return None;
        }
        let next = self.next;
        let is_it = |column: &Column| *column.names == *self.written;
        let (before, behind) = self.known.split_at_checked(next).unwrap_or((&self.known, &[]));
        let column = match behind.iter().position(is_it) {
            Some(position) => next + position,
            None => match before.iter().position(is_it) {
                Some(position) => position,
                None => self.add(Name::of(&tracker.place(at)?)),
            },
        };
        let value_start = tracker.value_start_in(start, at).unwrap_or(start);
        let row_start = tracker.row_start(at);
        self.next = column + 1;
        self.last = Some(Cell { start, to, value_start, row_start, column });
        self.last
    }

    fn add(&mut self, name: Option<Name>) -> usize {
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
            self.table = None;
            self.forgotten = self.forgotten.saturating_add(1);
        }
        let names = self.written.as_str().into();
        self.known.push(Column { names, name, ..Column::default() });
        self.known.len() - 1
    }
}

impl Column {
    /// The name with its terms.
    fn named(&mut self, terms: &Terms) -> Option<&Named> {
        let name = self.name.as_ref()?;
        Some(self.named.get_or_insert_with(|| Named::new(name.clone(), terms)))
    }

    fn opens(&mut self, rule: &Rule, terms: &Terms) -> bool {
        self.named(terms).is_some_and(|name| name.opens(rule))
    }

    fn open(
        &mut self,
        plan: &Plan,
        (kind, watch): (AnchorKind, &Watch),
        openings: &Openings,
    ) -> Open {
        let mut known = vec![None; plan.rules().rules.len()];
        let mut open_of = |position: usize| {
            let Some(known) = known.get_mut(position) else { return (true, true) };
            *known.get_or_insert_with(|| match plan.rules().rules.get(position) {
                Some(rule) => self.open_of(plan, (position, rule), openings),
                None => (true, true),
            })
        };
        Open {
            bare: OpenRules::new(plan, (kind, watch), |position| open_of(position).0),
            any: OpenRules::new(plan, (kind, watch), |position| open_of(position).1),
        }
    }

    /// Whether a rule may find something in a value without any letter, and in any. What begins in the
    /// cell of its anchor is under the name of that cell. Where the name says what the value is, a term of
    /// the text counts if it stands in the cell.
    fn open_of(
        &mut self,
        plan: &Plan,
        (position, rule): (usize, &Rule),
        openings: &Openings,
    ) -> (bool, bool) {
        let says_what = self.name.as_ref().is_some_and(|name| name.says == Says::What);
        let required = rule.context.as_ref().filter(|it| it.required);
        match required {
            Some(_) if rule.needs_name() => {
                let opens = match rule.begins_in_cell {
                    true => self.opens(rule, plan.terms()),
                    false => openings.may_open_near(&self.names, rule),
                };
                (opens, opens)
            }
            Some(_) if says_what && stays_in_cell(rule) => {
                let needs_letters = plan.terms_have_letters(position);
                (!needs_letters || self.opens(rule, plan.terms()), true)
            }
            _ => (true, true),
        }
    }
}

impl OpenRules {
    /// Those of which this holds, by position. What the sieve tells is not asked of the groups.
    fn new(
        plan: &Plan,
        (kind, watch): (AnchorKind, &Watch),
        mut is_open: impl FnMut(usize) -> bool,
    ) -> OpenRules {
        let sieve = plan.sieves().of(kind);
        let mut bits = |group: &Group| -> RuleBits {
            if !group.needs_name && sieve.is_some() {
                return 0;
            }
            let rules = group.rules.iter().enumerate();
            rules.fold(0, |bits, (bit, rule)| bits | RuleBits::from(is_open(*rule)) << bit)
        };
        let fronts = watch.fronts.iter().map(|front| {
            let mut of = [0; ABREAST];
            of.iter_mut().zip(&front.groups).for_each(|(of, group)| *of = bits(group));
            of
        });
        let fronts = fronts.enumerate().filter(|(_, of)| *of != [0; ABREAST]).collect();
        let groups = watch.groups.iter().map(&mut bits).enumerate();
        let groups = groups.filter(|(_, bits)| *bits != 0).collect();
        let sieve = sieve.and_then(|sieve| sieve.bits(is_open));
        OpenRules { sieve, fronts, groups }
    }

    #[cfg(test)]
    fn room(&self) -> usize {
        self.fronts.len() * size_of::<(usize, Lanes<ABREAST>)>()
            + self.groups.len() * size_of::<(usize, RuleBits)>()
    }
}

/// Whether no value of a rule reaches out of its cell.
fn stays_in_cell(rule: &Rule) -> bool {
    rule.lies_in_cell && !rule.validator.is_some_and(validate::moves_end)
}

/// Where the value ends in whose cell no letter stands around an anchor, as far as a term would count; none
/// where one does. `cell` is where it begins. Where the text ends before the value it is the anchor: no more
/// is known.
pub fn bare_to(text: &[u8], cell: usize, anchor: usize) -> Option<usize> {
    let kind = |byte: &u8| BYTES.get(usize::from(*byte)).copied().unwrap_or(Byte::Letter);
    let before = text.get(cell..anchor).filter(|before| before.len() <= NEAR)?;
    if before.iter().any(|byte| kind(byte) == Byte::Letter) {
        return None;
    }
    let behind = text.get(anchor..).unwrap_or_default();
    let near = behind.get(..NEAR).unwrap_or(behind);
    match near.iter().position(|byte| kind(byte) != Byte::Other) {
        Some(length) => {
            let is_end = near.get(length).is_some_and(|byte| kind(byte) == Byte::End);
            is_end.then_some(anchor + length)
        }
        None => (behind.len() <= NEAR).then_some(anchor),
    }
}

/// What a byte is to [`bare_to`].
#[derive(Clone, Copy, PartialEq)]
enum Byte {
    Other,
    /// An ASCII letter or part of a character beyond.
    Letter,
    /// What is taken for the end of a value.
    End,
}

/// By byte.
#[expect(clippy::indexing_slicing, reason = "evaluated when the program is built")]
const BYTES: [Byte; 256] = {
    let mut bytes = [Byte::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        if byte >= 0x80 || (byte as u8).is_ascii_alphabetic() {
            bytes[byte] = Byte::Letter;
        } else if ends_value(&(byte as u8)) {
            bytes[byte] = Byte::End;
        }
        byte += 1;
    }
    bytes
};

/// Which rules of a group can find anything in a table, as far as that was worked out.
///
/// A rule that needs a name finds nothing where no column has one of its own, however its matches lie:
/// in a wide table of other things most rules for columns need not be tried at all.
#[derive(Default)]
pub struct Openings {
    by_group: Vec<Opening>,
    /// The columns; none before they are known.
    columns: Option<Vec<Heading>>,
}

/// What a column of a table is called.
struct Heading {
    text: Arc<str>,
    name: Option<Named>,
}

impl Heading {
    fn opens(&self, rule: &Rule) -> bool {
        self.name.as_ref().is_some_and(|name| name.opens(rule))
    }
}

/// Names come from the payload, so none is shown.
impl std::fmt::Debug for Openings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Openings").field("groups", &self.by_group.len()).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Opening {
    asked: u16,
    open: Option<RuleBits>,
}

/// How often a group is asked for before it is worked out which of its rules are open: for a small
/// table that would cost more than it saves.
const WORTH_KNOWING: u16 = 40;

/// Columns of a table of which it is worked out.
const MAX_NAMES: usize = 256;

impl Openings {
    /// Forgets everything: the next payload begins.
    pub fn clear(&mut self) {
        self.by_group.fill(Opening::default());
        self.columns = None;
    }

    /// Takes note of what the columns of a table are called, once that is known.
    pub fn know(&mut self, columns: Option<&[Arc<str>]>, plan: &Plan) {
        if let Some(columns) = columns.filter(|columns| columns.len() <= MAX_NAMES) {
            self.columns.get_or_insert_with(|| {
                let heading = |text: &Arc<str>| {
                    let name = Name::of(&Place::Cell { row: 1, column: text.clone() });
                    let name = name.map(|name| Named::new(name, plan.terms()));
                    Heading { text: text.clone(), name }
                };
                columns.iter().map(heading).collect()
            });
        }
    }

    /// The rules of a group that may find something in a table, one bit each; all bits where that is not
    /// known, and those of rules that need no name.
    pub fn open(&mut self, plan: &Plan, group: &Group) -> RuleBits {
        if self.columns.is_none() {
            return RuleBits::MAX;
        }
        if self.by_group.len() < plan.groups() {
            self.by_group.resize(plan.groups(), Opening::default());
        }
        let Some(opening) = self.by_group.get_mut(group.number) else { return RuleBits::MAX };
        if let Some(open) = opening.open {
            return open;
        }
        opening.asked += 1;
        if opening.asked < WORTH_KNOWING {
            return RuleBits::MAX;
        }
        let rules = group.rules.iter().map(|position| plan.rules().rules.get(*position));
        let open = rules.enumerate().fold(0, |open, (bit, rule)| {
            let is_open = rule.is_none_or(|rule| !rule.needs_name() || self.may_open(rule));
            open | RuleBits::from(is_open) << bit
        });
        if let Some(opening) = self.by_group.get_mut(group.number) {
            opening.open = Some(open);
        }
        open
    }

    /// Whether a column may have a name that makes a match of a rule a finding.
    fn may_open(&self, rule: &Rule) -> bool {
        self.columns.as_ref().is_none_or(|columns| columns.iter().any(|it| it.opens(rule)))
    }

    /// The same of those columns that a match can reach which has its anchor in a column of this name.
    fn may_open_near(&self, name: &str, rule: &Rule) -> bool {
        let reach = usize::from(rule.cells_beside);
        let Some(columns) = self.columns.as_ref().filter(|_| rule.cells_beside < u8::MAX) else {
            return self.may_open(rule);
        };
        // Cells behind the last column have no name.
        let has_name = |at: usize| columns.get(at).map_or("", |column| &*column.text) == name;
        let has_anchor: Vec<bool> = (0..=columns.len() + reach).map(has_name).collect();
        let opens = |at: usize| {
            let near = has_anchor.get(at.saturating_sub(reach)..).unwrap_or_default();
            near.iter().take(at.min(reach) + reach + 1).any(|has_anchor| *has_anchor)
        };
        (0..).zip(columns).any(|(at, column)| opens(at) && column.opens(rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Structure;
    use crate::scan::sample;

    const TABLE: Structure = Structure::Table { delimiter: b',', header: true };

    /// A tracker that has followed a text.
    fn tracker(structure: Structure, text: &str) -> Tracker {
        let mut tracker = Tracker::new(structure, 0);
        tracker.advance(text.as_bytes());
        tracker
    }

    fn terms() -> Terms {
        Terms::new(&sample::rules(&[("sec.a", "key", "anchors = { keywords = [\"key\"] }")], ""))
    }

    #[test]
    fn what_is_remembered_is_what_would_be_worked_out() {
        let terms = terms();
        let mut columns = Columns::default();
        let wide: Vec<String> = (0..200).map(|column| format!("column {column}")).collect();
        let wide = format!("{}\n{}\n", wide.join(","), "1,".repeat(199));
        let deep = format!("{}1{}", "{\"a key of some length\":[".repeat(60), "]}".repeat(60));
        let (open, close) = ("{\"a key of some length\":[".repeat(58), "]}".repeat(58));
        // Long paths with different keys at their ends, one after the other.
        let ends = format!("{open}{{\"x y\":[1,2],\"ssn\":[3,[4]],\"x y\":5}}{close}");
        for (structure, text) in [
            (Structure::Json, ends.as_str()),
            (TABLE, "ssn,,#3,a b\n1,2,3,4,5\n\"1,\",2\n"),
            (TABLE, &wide),
            (
                Structure::TextTables,
                "x 1\n\n| a | ssn |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\ny | z\n--|--\n5 | 6\n",
            ),
            (
                Structure::Json,
                r#"{"a":[{"ssn":1,"b1":2},{"ssn":3,"b2":[4,[5]]}],"x[1]":6,"x.y":{"":7},"x":{"y":8}} 9"#,
            ),
            (Structure::NdJson, "{\"a\":1}\n{\"a\":{\"\\u0000\":2}}\n[3]\n4\n"),
            (Structure::Json, &deep),
            (Structure::Text, "a,b\n1,2\n"),
        ] {
            columns.clear();
            let tracker = tracker(structure, text);
            for at in (0..text.len() as u64).chain((0..text.len() as u64).rev()) {
                let known = match columns.cell(&tracker, at) {
                    Some(cell) => {
                        assert_eq!(cell.row_start, tracker.row_start(at), "{at} of {text}");
                        assert_eq!(
                            Some(cell.value_start),
                            tracker.value_start(at),
                            "{at} of {text}"
                        );
                        assert_eq!(Some(cell.start), tracker.cell_start(at), "{at} of {text}");
                        columns.known[cell.column].named(&terms)
                    }
                    None => columns.unclear_name(&terms, &tracker, at),
                };
                let known = known.map(|named| named.name.clone());
                let name = tracker.place(at).and_then(|place| Name::of(&place));
                assert_eq!(known, name, "{at} of {text}");
                assert!(columns.known.len() <= MAX_KNOWN);
            }
        }
    }

    #[test]
    fn a_listed_name_or_one_with_a_term_opens_a_rule() {
        let more = "anchors = { keywords = [\"key\"] }\ncolumns = [\"door\"]\n\
            context = { terms = [\"gate\"], before = 9, after = 9, boost = 9, required = true, names_only = true }";
        let rules = sample::rules(&[("sec.a", "key", more)], "");
        let terms = Terms::new(&rules);
        let mut columns = Columns::default();
        let text = r#"{"Door": 1, "city gate": 2, "gate": [{"x": 3}], "wall": 4, "w": {"x": 5}} 6"#;
        let tracker = tracker(Structure::Json, text);
        for _ in 0..2 {
            for (digit, expected) in (1..=6).zip([true, true, true, false, false, false]) {
                let at = text.find(&digit.to_string()).unwrap() as u64;
                let label = columns.label(&tracker, at, (0, &rules.rules[0]), &terms);
                assert_eq!(label.is_some_and(|label| label.opens()), expected, "{digit}");
            }
        }
    }

    #[test]
    fn a_value_without_letters_is_bare_up_to_its_end() {
        let bare = |text: &str| {
            let (cell, anchor) = (text.find('[').unwrap() + 1, text.find('1').unwrap());
            let to = bare_to(text.as_bytes(), cell, anchor);
            // Each later anchor up to there sees the same.
            for next in anchor..to.unwrap_or(anchor) {
                let is_near = next - cell <= NEAR;
                assert_eq!(bare_to(text.as_bytes(), cell, next), to.filter(|_| is_near), "{text}");
            }
            to.is_some()
        };
        for text in ["a[1 2-3,b", "[ (1)\"b", "[1", "a[--1}"] {
            assert!(bare(text), "{text}");
        }
        for text in ["[a 1,", "[1 a,", "[1\u{e9}", "[\u{e9} 1"] {
            assert!(!bare(text), "{text}");
        }
        // Of what is longer than is looked at nothing is said.
        for many in [NEAR - 1, NEAR, NEAR + 1, 10 * NEAR] {
            assert_eq!(bare(&format!("[{}1,", " ".repeat(many))), many <= NEAR);
            assert_eq!(bare(&format!("[1{},", " ".repeat(many))), many + 1 < NEAR);
            assert_eq!(bare(&format!("[1{}", " ".repeat(many))), many < NEAR);
        }
    }
}
