//! Transition tables of automata, made when the program is built.
//!
//! A start in a text comes in; the end of the match that begins there, and how many bytes were read to
//! know, goes out: what the lazy automaton of the pattern says (`steps`), which need not be made. Of
//! large automata the table holds the states near the start: a walk that leaves them is taken up by the
//! lazy automaton where it stands. It follows the bytes that led there once for each state, and not
//! again while it remembers.

#[allow(dead_code, reason = "the build script makes what the program reads")]
pub mod builder;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::split::{Lengths, Part};
use super::steps::{KIND, KINDS, Left};
use crate::rules::ByteSet;

/// Marks of an entry, its two highest bits: where it leads. With none, to a state by which nothing is
/// said; with this one, to a state that says of the text before its last byte that a match ends there.
const MATCH: u32 = 1;

/// Nowhere: nothing can follow.
const DEAD: u32 = 2;

/// Out of the table.
const UNKNOWN: u32 = 3;

/// Bits below the marks, where all rows have one map: they say where the row begins.
const NARROW: u32 = 14;

/// The same where rows have maps of their own.
const WIDE: u32 = 30;

/// Of these, the bits that say where the row begins; the others say which map it has.
const ROW_BITS: u32 = 16;

/// What a pattern is found by.
type Key = [u8; 32];

/// By byte: which entry of a row is that of the byte. The first one is that of the end of the text.
type Map = [u8; 256];

/// The automaton of one pattern. Each state is a row of entries: one for the end of the text, then one
/// for each step that differs from the others. Which byte has which is said by a map.
#[derive(Clone, Copy, Debug)]
pub struct Transitions {
    /// The states to start in, by what stands before.
    starts: [u32; KINDS],
    /// Bytes that a match can begin with.
    first: ByteSet,
    rows: Rows,
}

#[derive(Clone, Copy)]
enum Rows {
    /// All have one map: few entries, or few different steps.
    OneMap(&'static Map, &'static [[u8; 2]]),
    /// Each has its own, of those of all automata.
    ManyMaps(&'static [Map], &'static [[u8; 4]]),
}

/// The maps are those of all automata, and are not shown.
impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Rows::OneMap(_, entries) => f.debug_tuple("OneMap").field(&entries.len()).finish(),
            Rows::ManyMaps(_, entries) => f.debug_tuple("ManyMaps").field(&entries.len()).finish(),
        }
    }
}

/// Automata as they stand in the program, in the order of their keys.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    keys: &'a [u8],
    /// Where each table ends, four bytes each.
    ends: &'a [u8],
    tables: &'a [u8],
    maps: &'a [u8],
}

impl Stored<'static> {
    /// The bytes of an automaton.
    fn part(&self, pattern: &str, part: Part) -> Option<&'static [u8]> {
        let (keys, []): (&[Key], _) = self.keys.as_chunks() else { return None };
        let (ends, []) = self.ends.as_chunks() else { return None };
        let end = |position: usize| ends.get(position).map(|end| u32::from_le_bytes(*end) as usize);
        let position = keys.binary_search(&key(pattern, part)).ok()?;
        let start = position.checked_sub(1).map_or(Some(0), end)?;
        self.tables.get(start..end(position)?)
    }
}

/// The machine of a pattern whose table does not hold all of its automaton, if [`builder::pack`] kept it.
pub fn machine(bytes: &'static [u8], pattern: &str) -> Option<&'static [u8]> {
    let stored: Stored<'static> = postcard::from_bytes(bytes).ok()?;
    stored.part(pattern, Part::Machine)
}

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Behind the last byte of the match that was met last.
    pub end: Option<usize>,
    /// Bytes that were read.
    pub read: usize,
    /// Where the walk has left the table: more may follow.
    pub left: Option<Left>,
}

impl Transitions {
    /// Those of a pattern, if they are among what [`builder::pack`] made.
    pub fn stored(bytes: &'static [u8], pattern: &str) -> Option<Transitions> {
        Transitions::stored_of(bytes, pattern, Part::Whole)
    }

    /// The same of a part of a pattern.
    pub fn stored_of(bytes: &'static [u8], pattern: &str, part: Part) -> Option<Transitions> {
        let stored: Stored<'static> = postcard::from_bytes(bytes).ok()?;
        let (maps, []) = stored.maps.as_chunks() else { return None };
        let table = stored.part(pattern, part)?;
        let (first, table) = table.split_first_chunk::<32>()?;
        let (one_map, table) = table.split_first_chunk::<4>()?;
        let (starts, table) = table.split_first_chunk::<{ 4 * KINDS }>()?;
        let (starts, []) = starts.as_chunks() else { return None };
        let starts: &[[u8; 4]; KINDS] = starts.try_into().ok()?;
        let rows = match u32::from_le_bytes(*one_map).checked_sub(1) {
            Some(map) => Rows::OneMap(maps.get(map as usize)?, table.as_chunks().0),
            None => Rows::ManyMaps(maps, table.as_chunks().0),
        };
        let starts = starts.map(u32::from_le_bytes);
        Some(Transitions { starts, first: ByteSet::of_bits(first), rows })
    }

    /// Bytes that a match can begin with.
    pub fn first(&self) -> ByteSet {
        self.first
    }

    /// Reads from `start` up to `limit`, or to where nothing can follow. Bytes before `start` and the
    /// byte at `limit` are seen by `\b`, `^` and `$` only.
    #[inline]
    pub fn walk(&self, text: &[u8], start: usize, limit: usize) -> Walk {
        let mut end = None;
        let walk = self.each_end(text, start, limit, |at| end = Some(at));
        Walk { end, ..walk }
    }

    /// The lengths of all matches of a part of a pattern that begin with a text; none where the walk has
    /// left the table.
    pub fn lengths(&self, text: &[u8]) -> Option<Lengths> {
        let mut lengths = Lengths::default();
        let walk = self.each_end(text, 0, text.len(), |at| lengths.add(at));
        walk.left.is_none().then_some(lengths)
    }

    /// The same walk, which calls `matched` with the end of each match.
    #[inline]
    fn each_end(
        &self,
        text: &[u8],
        start: usize,
        limit: usize,
        matched: impl FnMut(usize),
    ) -> Walk {
        match self.rows {
            Rows::OneMap(map, entries) => {
                let entry = |at: usize| {
                    let entry = entries.get(at);
                    entry.map_or(DEAD << NARROW, |entry| u32::from(u16::from_le_bytes(*entry)))
                };
                let next = |row: u32, byte| entry(row as usize + step(map, byte));
                let at_end = |row| entry(row as usize);
                self.steps::<NARROW>(text, (start, limit), next, at_end, matched)
            }
            Rows::ManyMaps(maps, entries) => {
                let entry = |at: usize| {
                    entries.get(at).map_or(DEAD << WIDE, |entry| u32::from_le_bytes(*entry))
                };
                let next = |state: u32, byte| match maps.get((state >> ROW_BITS) as usize) {
                    Some(map) => entry(row(state) + step(map, byte)),
                    None => DEAD << WIDE,
                };
                self.steps::<WIDE>(text, (start, limit), next, |state| entry(row(state)), matched)
            }
        }
    }

    /// The walk by the entry of a state for a byte, and that for the end of the text. Marks stand above
    /// so many bits.
    #[inline]
    fn steps<const BITS: u32>(
        &self,
        text: &[u8],
        (start, limit): (usize, usize),
        next: impl Fn(u32, u8) -> u32,
        at_end: impl Fn(u32) -> u32,
        mut matched: impl FnMut(usize),
    ) -> Walk {
        let limit = limit.min(text.len());
        let window = text.get(start..limit).unwrap_or_default();
        let before = start.checked_sub(1).and_then(|before| text.get(before));
        let kind = before.and_then(|before| KIND.get(usize::from(*before)));
        let [at_first, ..] = self.starts;
        let kind = kind.map_or(0, |kind| usize::from(*kind));
        let mut state = self.starts.get(kind).copied().unwrap_or(at_first);
        for (read, byte) in window.iter().enumerate() {
            let mut to = next(state, *byte);
            // A state says one byte late that it has matched.
            if to >= MATCH << BITS {
                match to >> BITS {
                    DEAD => return Walk { end: None, read: read + 1, left: None },
                    UNKNOWN => {
                        return Walk { end: None, read, left: Some(Left { state, read }) };
                    }
                    _ => matched(start + read),
                }
                to ^= MATCH << BITS;
            }
            state = to;
        }
        let read = window.len();
        let last = text.get(limit).map_or_else(|| at_end(state), |byte| next(state, *byte));
        match last >> BITS {
            MATCH => matched(start + read),
            UNKNOWN => return Walk { end: None, read, left: Some(Left { state, read }) },
            _ => (),
        }
        Walk { end: None, read, left: None }
    }
}

/// Which entry of a row is that of a byte.
#[inline]
fn step(map: &Map, byte: u8) -> usize {
    let [first, ..] = map;
    usize::from(*map.get(usize::from(byte)).unwrap_or(first))
}

/// Where the row of a state begins.
#[inline]
fn row(state: u32) -> usize {
    (state & ((1 << ROW_BITS) - 1)) as usize
}

fn key(pattern: &str, part: Part) -> Key {
    let hash = Sha256::new().chain_update(pattern);
    // No pattern ends with such a byte.
    match part {
        Part::Whole => hash,
        Part::Before => hash.chain_update([0xff, 0]),
        Part::Value => hash.chain_update([0xff, 1]),
        Part::Behind => hash.chain_update([0xff, 2]),
        Part::Machine => hash.chain_update([0xff, 3]),
    }
    .finalize()
    .into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::RuleSet;
    use crate::scan::automaton::{Automaton, Workspace};
    use crate::scan::sample;
    use crate::scan::steps::{Stepper, Steps};

    const PATTERNS: [&str; 6] = [
        r"\b[a-c]{1,9}(?:1[0-9]{0,7}|x)\b",
        "(?m:^)[ab1 ]{2,6}(?m:$)",
        "(?s:.){3,12}?1",
        r"[^a]+\B",
        "(?:a|b|c|x|1){0,12}(?:abc|cab|ca1|x-x|1x1)",
        // Nothing follows `a` at all.
        r"a\Bx|ab?\b-(?-m:^)b",
    ];

    /// The tables of [`PATTERNS`], with at most so many steps taken, and so many kept.
    fn tables(steps: [usize; 2]) -> Vec<Transitions> {
        let bytes = builder::pack_patterns(PATTERNS.into_iter(), steps).unwrap();
        let bytes: &'static [u8] = bytes.leak();
        PATTERNS.iter().map(|pattern| Transitions::stored(bytes, pattern).unwrap()).collect()
    }

    /// Where the match ends that begins at a start, by the table and the automaton that takes it up;
    /// the bytes read; and whether the table was left.
    fn walked(
        table: &Transitions,
        (stepper, steps): (&Stepper, &mut Steps),
        text: &[u8],
        (start, limit): (usize, usize),
    ) -> (Option<usize>, usize, bool) {
        let Walk { mut end, read, left } = table.walk(text, start, limit);
        let Some(left) = left else { return (end, read, false) };
        assert_eq!(left.read, read);
        let walked = stepper.take_up(steps, text, (start, limit), left, |_, length| {
            end = Some(start + length);
        });
        assert!(!walked.gave_up && walked.read >= read);
        (end, walked.read, true)
    }

    proptest! {
        #[test]
        fn a_walk_is_that_of_the_automaton(
            texts in proptest::collection::vec("[abc1x \\n\r-]{0,24}", 1..6),
            room in prop_oneof![Just(0), Just(4_000), Just(1 << 20)],
        ) {
            // Whole tables; and some of few states, which are left all the time.
            for (steps, is_whole) in [([100_000, 1], true), ([200, 60], false), ([1, 1], false)] {
                for (pattern, table) in PATTERNS.iter().zip(tables(steps)) {
                    let whole = Stepper::of_pattern(pattern, 1 << 20).unwrap();
                    // What takes up may forget its states all the time.
                    let stepper = Stepper::of_pattern(pattern, room).unwrap();
                    let (mut plain, mut steps) = (whole.steps(), stepper.steps());
                    for text in texts.iter().map(String::as_bytes) {
                        for start in 0..=text.len() {
                            for limit in [text.len(), start + (text.len() - start) / 2] {
                                let by = (&stepper, &mut steps);
                                let (end, read, left) = walked(&table, by, text, (start, limit));
                                let mut wanted = None;
                                let plain = whole.walk(&mut plain, text, (start, limit), |_, length| {
                                        wanted = Some(start + length);
                                    });
                                prop_assert_eq!(end, wanted);
                                // It may know earlier that nothing can follow.
                                prop_assert!(read <= plain.read);
                                prop_assert!(!left || !is_whole);
                                let begins = text.get(start).is_some_and(|byte| {
                                    table.first().contains(*byte)
                                });
                                prop_assert!(begins || wanted.is_none_or(|end| end == start));
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_pattern_of_the_program_has_a_table_that_says_the_same() {
        let rules = RuleSet::builtin().unwrap();
        let mut tried = 0;
        for rule in rules.rules.iter() {
            let table = Automaton::new(rule).unwrap();
            assert!(table.has_table(), "{}", rule.id);
            let lazy = Automaton::with_table(rule, None).unwrap();
            let (mut space, mut plain) = (Workspace::default(), Workspace::default());
            let examples = rule.examples.iter().map(|example| &example.text);
            for text in examples.chain(&rule.counterexamples) {
                let text = text.as_bytes();
                for start in 0..text.len() {
                    let limit = start + rule.max_length;
                    let end = table.match_at(&mut space, rule, text, start, limit).end;
                    let wanted = lazy.match_at(&mut plain, rule, text, start, limit).end;
                    assert_eq!(end, wanted, "{} at {start} of {text:?}", rule.id);
                    tried += usize::from(end.is_some());
                }
            }
        }
        assert!(tried > 2 * rules.rules.len(), "{tried} matches");
    }

    #[test]
    fn a_pattern_without_table_is_found_as_one_with() {
        let rules =
            sample::rules(&[("sec.a", "key[0-9]{1,9}", "anchors = { keywords = [\"key\"] }")], "");
        let rule = &rules.rules[0];
        let automaton = Automaton::new(rule).unwrap();
        assert!(!automaton.has_table());
        let tried = automaton.match_at(&mut Workspace::default(), rule, b"a key12", 2, 14);
        assert_eq!(tried.end, Some(7));
        assert!(Transitions::stored(b"\x01\x01", &rule.pattern).is_none());
    }
}
