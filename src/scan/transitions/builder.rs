//! Makes the tables of [`Transitions`](super::Transitions) when the program is built.
//!
//! Every step of a pattern's automaton is taken. States with the same steps become one, and
//! so do bytes that no state tells apart. An automaton of too many states keeps those near the start,
//! each for itself: the lazy automaton has to know in which state a walk stands that it takes up. What
//! that is made of is kept beside it.

use std::collections::{BTreeMap, HashMap};

use regex_automata::nfa::thompson::WhichCaptures;

use super::{DEAD, Key, MATCH, Map, NARROW, ROW_BITS, Stored, UNKNOWN, WIDE, key};
use crate::rules::{ByteSet, RuleList};
use crate::scan::split::{Part, Parts};
use crate::scan::steps::explored::Explored;
use crate::scan::steps::{KINDS, Stepper, compile, machine};

/// How many steps of an automaton are taken to see whether that is all of it.
const STEPS: usize = 250_000;

/// How many are kept of one that has more.
const KEPT_STEPS: usize = 100_000;

/// The most steps of an automaton of a part.
const PART_STEPS: usize = 250_000;

/// Entries of an automaton whose rows all have one map: that costs room and saves a look-up a byte.
const ONE_MAP: usize = 8_192;

/// Room for the states of a lazy automaton of which every step is taken.
const ROOM: usize = 256 << 20;

/// What [`Transitions::stored`](super::Transitions::stored) takes, for the patterns of these rules.
///
/// # Errors
///
/// None that is known: all of it can be written.
pub fn pack(rules: &RuleList) -> postcard::Result<Vec<u8>> {
    let patterns = rules.iter().map(|rule| rule.pattern.as_str());
    pack_patterns(patterns, [STEPS, KEPT_STEPS])
}

/// The same for these patterns, with at most so many steps of each taken, and so many kept where there
/// are more.
pub(in crate::scan) fn pack_patterns<'a>(
    patterns: impl Iterator<Item = &'a str>,
    [taken, kept]: [usize; 2],
) -> postcard::Result<Vec<u8>> {
    let mut maps = Maps::default();
    let mut tables: BTreeMap<Key, Vec<u8>> = BTreeMap::new();
    for pattern in patterns {
        let whole = Stepper::of_pattern(pattern, ROOM).and_then(|whole| whole.explored(taken));
        if let Some(explored) = whole {
            let table = match explored.is_whole() {
                true => Table::merged(&explored),
                false => {
                    let nfa = compile(&[pattern], WhichCaptures::None);
                    let machine = nfa.and_then(|nfa| machine::pack(&nfa));
                    tables.extend(machine.map(|bytes| (key(pattern, Part::Machine), bytes)));
                    Table::near(&explored, kept)
                }
            };
            let bytes = table.bytes(&explored.classes, &mut maps);
            tables.extend(bytes.map(|bytes| (key(pattern, Part::Whole), bytes)));
        }
        let Some(Parts { before, value, behind }) = Parts::of(pattern) else { continue };
        let parts =
            [(Part::Before, Some(before)), (Part::Value, Some(value)), (Part::Behind, behind)];
        let parts = parts.into_iter().filter_map(|(part, hir)| Some((part, hir?)));
        let parts = parts.map(|(part, hir)| {
            let explored = Stepper::of_hir(&hir, ROOM)?.explored(PART_STEPS)?;
            let table = explored.is_whole().then(|| Table::merged(&explored))?;
            Some((key(pattern, part), table.bytes(&explored.classes, &mut maps)?))
        });
        // One is of no use without the others.
        tables.extend(parts.collect::<Option<Vec<_>>>().into_iter().flatten());
    }
    let (mut keys, mut ends, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for (key, table) in tables {
        keys.extend(key);
        all.extend(table);
        ends.extend(u32::try_from(all.len()).unwrap_or(u32::MAX).to_le_bytes());
    }
    let maps = maps.all.as_flattened();
    postcard::to_stdvec(&Stored { keys: &keys, ends: &ends, tables: &all, maps })
}

/// The maps of all automata.
#[derive(Default)]
struct Maps {
    all: Vec<Map>,
    numbers: HashMap<Map, u32>,
}

impl Maps {
    /// The number of a map; none if there are too many of them.
    fn number(&mut self, map: Map) -> Option<u32> {
        let number = *self.numbers.entry(map).or_insert_with(|| {
            self.all.push(map);
            self.all.len() as u32 - 1
        });
        (number < 1 << (WIDE - ROW_BITS)).then_some(number)
    }
}

/// Where a step leads.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum To {
    Unknown,
    Dead,
    /// Back to the state that it leads from.
    Itself,
    State(usize),
}

/// States to be written, by number.
struct Table {
    starts: [usize; KINDS],
    states: Vec<Row>,
}

#[derive(Clone)]
struct Row {
    matched: bool,
    /// By class.
    steps: Vec<To>,
}

impl Table {
    /// The states near the start with so many steps, each for itself.
    fn near(explored: &Explored, steps: usize) -> Table {
        let last_start = explored.starts.iter().max().map_or(0, |start| start + 1);
        let count = (steps / explored.row(0).count().max(1)).clamp(last_start, explored.rows());
        let states = (0..count).map(|number| row(explored, number, count)).collect();
        Table { starts: explored.starts, states }
    }

    /// All states, of which those are one whose steps are the same. Of states that lead to each other in
    /// turns, some that say the same stay apart.
    fn merged(explored: &Explored) -> Table {
        let count = explored.rows();
        let mut states: Vec<Row> = (0..count).map(|number| row(explored, number, count)).collect();
        let mut same: Vec<To> = (0..count).map(To::State).collect();
        // Steps lead to later states for the most part, so that few rounds find all that there is.
        loop {
            let (mut seen, mut merged) = (HashMap::new(), false);
            for number in (0..count).rev() {
                if same.get(number) != Some(&To::State(number)) {
                    continue;
                }
                let Some(state) = states.get_mut(number) else { continue };
                for step in &mut state.steps {
                    *step = match resolve(&same, *step) {
                        To::State(to) if to == number => To::Itself,
                        to => to,
                    };
                }
                let ends = |step: &To| matches!(step, To::Dead | To::Itself);
                let is_dead = !state.matched && state.steps.iter().all(ends);
                let known = seen.entry((state.matched, state.steps.clone())).or_insert(number);
                let to = if is_dead { To::Dead } else { To::State(*known) };
                if to != To::State(number)
                    && let Some(slot) = same.get_mut(number)
                {
                    (*slot, merged) = (to, true);
                }
            }
            if !merged {
                break;
            }
        }
        let kept: Vec<usize> =
            (0..count).filter(|number| same.get(*number) == Some(&To::State(*number))).collect();
        let number = |to: To| match to {
            To::State(old) => kept.binary_search(&old).map_or(To::Dead, To::State),
            other => other,
        };
        let start = |start| match number(resolve(&same, To::State(start))) {
            To::State(start) => start,
            _ => kept.len(),
        };
        let starts = explored.starts.map(start);
        let mut rows: Vec<Row> = kept.iter().filter_map(|old| states.get(*old).cloned()).collect();
        for step in rows.iter_mut().flat_map(|row| &mut row.steps) {
            *step = number(*step);
        }
        // From a state that is none nothing follows.
        if starts.contains(&rows.len()) {
            let steps = explored.row(0).map(|_| To::Dead).collect();
            rows.push(Row { matched: false, steps });
        }
        Table { starts, states: rows }
    }

    /// The table as it stands in the program; none if it does not fit.
    fn bytes(&self, classes: &[u8; 256], maps: &mut Maps) -> Option<Vec<u8>> {
        let by_one = self.by_one_map(classes);
        let entries =
            |rows: &Vec<(Map, Vec<To>)>| rows.iter().map(|(_, row)| row.len()).sum::<usize>();
        let (one_map, bits, rows) = match by_one.filter(|rows| entries(rows) <= ONE_MAP) {
            Some(rows) => (maps.number(rows.first()?.0)? + 1, NARROW, rows),
            None => {
                let rows = self.states.iter().map(|row| row.by_step(classes));
                (0, WIDE, rows.collect::<Option<_>>()?)
            }
        };
        let (mut states, mut place) = (Vec::new(), 0);
        for (map, steps) in &rows {
            let map = if one_map == 0 { maps.number(*map)? << ROW_BITS } else { 0 };
            states.push(map | place);
            place += u32::try_from(steps.len()).ok()?;
        }
        if place > 1 << ROW_BITS.min(bits) {
            return None;
        }
        let mut bytes = self.first(classes).bits().to_vec();
        bytes.extend(one_map.to_le_bytes());
        for start in self.starts {
            bytes.extend(states.get(start)?.to_le_bytes());
        }
        let entry = |to: usize| {
            let mark = if self.states.get(to)?.matched { MATCH << bits } else { 0 };
            Some(mark | states.get(to)?)
        };
        for (own, (_, steps)) in rows.iter().enumerate() {
            for to in steps {
                let entry = match to {
                    To::Unknown => UNKNOWN << bits,
                    To::Dead => DEAD << bits,
                    To::Itself => entry(own)?,
                    To::State(to) => entry(*to)?,
                };
                let entry = entry.to_le_bytes();
                bytes.extend(entry.iter().take(if bits == NARROW { 2 } else { 4 }));
            }
        }
        Some(bytes)
    }

    /// The steps from each state by classes of bytes that no state tells apart, as [`Row::by_step`] has
    /// them.
    fn by_one_map(&self, classes: &[u8; 256]) -> Option<Vec<(Map, Vec<To>)>> {
        let (mut known, mut kept, mut map) = (HashMap::new(), Vec::new(), [0; 256]);
        for (slot, class) in map.iter_mut().zip(classes) {
            let class = usize::from(*class);
            let column = self.states.iter().map(|row| row.steps.get(class).copied());
            *slot = *known.entry(column.collect::<Vec<_>>()).or_insert_with(|| {
                kept.push(class);
                kept.len()
            }) as u8;
        }
        let rows = self.states.iter().map(|row| {
            let steps = kept.iter().filter_map(|class| row.steps.get(*class));
            (map, row.steps.last().into_iter().chain(steps).copied().collect())
        });
        (kept.len() < 256).then(|| rows.collect())
    }

    /// Bytes that lead on from a start.
    fn first(&self, classes: &[u8; 256]) -> ByteSet {
        let starts = || self.starts.iter().filter_map(|start| self.states.get(*start));
        let by_class = (0..=255).zip(classes);
        let leads = by_class.filter(|(_, class)| {
            let step = |row: &Row| row.steps.get(usize::from(**class)).copied();
            starts().any(|row| step(row) != Some(To::Dead))
        });
        leads.map(|(byte, _)| byte).collect()
    }
}

impl Row {
    /// Its different steps, that at the end of the text first; and by byte, which of them.
    fn by_step(&self, classes: &[u8; 256]) -> Option<(Map, Vec<To>)> {
        let (at_end, by_class) = self.steps.split_last()?;
        let (mut steps, mut map) = (vec![*at_end], [0; 256]);
        let mut known = HashMap::new();
        for (slot, class) in map.iter_mut().zip(classes) {
            let to = by_class.get(usize::from(*class))?;
            *slot = *known.entry(to).or_insert_with(|| {
                steps.push(*to);
                u8::try_from(steps.len() - 1).unwrap_or_default()
            });
        }
        (steps.len() <= 256).then_some((map, steps))
    }
}

/// The steps from a state, of which so many are known.
fn row(explored: &Explored, number: usize, count: usize) -> Row {
    let steps = explored.row(number).map(|to| match to {
        None => To::Dead,
        Some(to) if to < count => To::State(to),
        Some(_) => To::Unknown,
    });
    Row { matched: explored.has_matched(number), steps: steps.collect() }
}

/// Where a step leads since states have become one.
fn resolve(same: &[To], mut to: To) -> To {
    while let To::State(number) = to {
        match same.get(number) {
            Some(next) if *next != to => to = *next,
            _ => break,
        }
    }
    to
}
