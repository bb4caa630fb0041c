//! The steps of a lazy automaton, kept in one flat table as they are taken.
//!
//! A start in a text comes in; where matches of which patterns end, and how many bytes were read to
//! know, goes out. The answers are those of the automaton that is asked for a step the first time.

#[allow(dead_code, reason = "it is for the build script")]
pub mod explored;
pub mod machine;

use std::collections::HashMap;

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

use regex_syntax::hir::Hir;

use super::heads::RuleBits;

/// Marks of an entry of the table: the state has matched, nothing follows, the step was not taken
/// yet.
const MATCH: u32 = 1 << 31;
const DEAD: u32 = 1 << 30;
const UNKNOWN: u32 = 1 << 29;

/// Which row an entry leads to; with [`UNKNOWN`], the one that it stands in.
const ROW: u32 = UNKNOWN - 1;

/// Entries from here on have a mark.
const MARKED: u32 = UNKNOWN;

/// What stands before a start: nothing, a line feed, a carriage return, a byte of a word, another.
/// Assertions tell no more apart.
pub const KINDS: usize = 5;

/// By the byte before a start: which of [`KINDS`] it is.
#[expect(clippy::indexing_slicing, reason = "evaluated when the program is built")]
pub const KIND: [u8; 256] = {
    let mut kinds = [4; 256];
    let mut byte = 0u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            kinds[byte as usize] = 3;
        }
        byte += 1;
    }
    kinds[b'\n' as usize] = 1;
    kinds[b'\r' as usize] = 2;
    kinds
};

/// An automaton that reads from a start on. Shared by all workers; each brings its [`Steps`].
#[derive(Debug)]
pub struct Stepper {
    dfa: DFA,
    classes: [u8; 256],
    /// Entries of a row: one a class of bytes, and one for the end of the text.
    stride: usize,
}

/// The steps that one worker has taken.
#[derive(Debug)]
pub struct Steps {
    cache: Cache,
    /// How often the automaton had forgotten its states when the table was begun.
    clears: usize,
    /// By row and class.
    table: Vec<u32>,
    states: Vec<State>,
    rows: HashMap<LazyStateID, u32>,
    /// The rows of the states to start in, by what stands before.
    starts: [u32; KINDS],
    /// By state of another table, the row of the same one here.
    taken_up: HashMap<u32, u32>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    id: LazyStateID,
    /// Patterns that have matched, one bit each.
    matched: RuleBits,
}

/// A place in a walk that another table has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// What the other table calls the state there.
    pub state: u32,
    /// Bytes that led to it.
    pub read: usize,
}

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Bytes that were read.
    pub read: usize,
    /// Whether the automaton gave up.
    pub gave_up: bool,
}

/// Byte regexes without Unicode mode: what a pattern means does not depend on the encoding.
pub fn syntax_config() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

/// The automaton of these patterns, before its states are made; none if one of them does not compile.
pub fn compile(patterns: &[&str], captures: WhichCaptures) -> Option<NFA> {
    let config = thompson::Config::new().utf8(false).which_captures(captures);
    let mut compiler = thompson::Compiler::new();
    compiler.syntax(syntax_config()).configure(config).build_many(patterns).ok()
}

impl Stepper {
    /// The steps of one automaton of these patterns, at most [`RuleBits::BITS`], which forgets its states
    /// past so many bytes; none if one of them does not compile.
    pub fn of_patterns(patterns: &[&str], kind: MatchKind, room: usize) -> Option<Stepper> {
        Stepper::of_nfa(compile(patterns, WhichCaptures::None)?, kind, room)
    }

    fn of_nfa(nfa: NFA, kind: MatchKind, room: usize) -> Option<Stepper> {
        let config = DFA::config()
            .match_kind(kind)
            .cache_capacity(room)
            .skip_cache_capacity_check(true)
            .prefilter(None);
        Some(Stepper::new(DFA::builder().configure(config).build_from_nfa(nfa).ok()?))
    }

    /// That of one pattern, which says where its leftmost-first match ends.
    pub fn of_pattern(pattern: &str, room: usize) -> Option<Stepper> {
        Stepper::of_patterns(&[pattern], MatchKind::LeftmostFirst, room)
    }

    /// The same of a pattern whose machine stands in the program.
    pub fn of_machine(bytes: &[u8], room: usize) -> Option<Stepper> {
        Stepper::of_nfa(machine::read(bytes)?, MatchKind::LeftmostFirst, room)
    }

    /// That of all matches of a part of a pattern.
    #[allow(dead_code, reason = "it is for the build script")]
    pub fn of_hir(part: &Hir, room: usize) -> Option<Stepper> {
        let config = thompson::Config::new().utf8(false).which_captures(WhichCaptures::None);
        let nfa = thompson::Compiler::new().configure(config).build_from_hir(part).ok()?;
        Stepper::of_nfa(nfa, MatchKind::All, room)
    }

    /// The steps of this automaton, of at most [`RuleBits::BITS`] patterns.
    fn new(dfa: DFA) -> Stepper {
        let mut classes = [0; 256];
        for (byte, class) in (0..=255).zip(&mut classes) {
            *class = dfa.byte_classes().get(byte);
        }
        let stride = dfa.byte_classes().alphabet_len();
        Stepper { dfa, classes, stride }
    }

    /// Room for one worker.
    pub fn steps(&self) -> Steps {
        Steps {
            cache: self.dfa.create_cache(),
            clears: 0,
            table: Vec::new(),
            states: Vec::new(),
            rows: HashMap::new(),
            starts: [UNKNOWN; KINDS],
            taken_up: HashMap::new(),
        }
    }

    /// Reads from `start` up to `limit`, or to where nothing can follow. `matched` is told the patterns
    /// of a match, one bit each, and the bytes up to its end. Bytes before `start` and the byte at
    /// `limit` are seen by `\b`, `^` and `$` only.
    #[inline]
    pub fn walk(
        &self,
        steps: &mut Steps,
        text: &[u8],
        (start, limit): (usize, usize),
        matched: impl FnMut(RuleBits, usize),
    ) -> Walked {
        match self.begin(steps, text, start) {
            Some(row) => self.go_on(steps, text, (start, limit), (row, 0), matched),
            None => Walked { read: 0, gave_up: true },
        }
    }

    /// Takes up a walk of a table of the same automaton, where it was left. How its bytes led there is
    /// found once for each state.
    pub fn take_up(
        &self,
        steps: &mut Steps,
        text: &[u8],
        (start, limit): (usize, usize),
        left: Left,
        matched: impl FnMut(RuleBits, usize),
    ) -> Walked {
        let known = steps.taken_up.get(&left.state).copied();
        match known.or_else(|| self.follow(steps, text, start, left)) {
            Some(row) => self.go_on(steps, text, (start, limit), (row, left.read), matched),
            None => Walked { read: left.read, gave_up: true },
        }
    }

    /// The row of the state that a walk was left in.
    #[cold]
    fn follow(&self, steps: &mut Steps, text: &[u8], start: usize, left: Left) -> Option<u32> {
        let mut row = self.begin(steps, text, start)?;
        for byte in text.get(start..start + left.read)? {
            let class = class(&self.classes, *byte);
            let mut next = steps.at(row, class);
            if next & UNKNOWN != 0 {
                next = self.step(steps, row, class, Some(*byte))?;
            }
            row = next & ROW;
        }
        steps.taken_up.insert(left.state, row);
        Some(row)
    }

    /// Reads on from a state, behind so many bytes.
    #[inline]
    fn go_on(
        &self,
        steps: &mut Steps,
        text: &[u8],
        (start, limit): (usize, usize),
        (mut row, mut read): (u32, usize),
        mut matched: impl FnMut(RuleBits, usize),
    ) -> Walked {
        let limit = limit.min(text.len());
        let gave_up = |read| Walked { read, gave_up: true };
        let Some(window) = text.get(start..limit) else { return gave_up(0) };
        while let Some(rest @ [_, ..]) = window.get(read..) {
            let mut next;
            let from = read;
            // A lazy automaton says one byte late that it has matched.
            (read, next) = run(steps, &self.classes, row, rest, |entry, taken| {
                matched(steps.matched(entry, self.stride), from + taken);
            });
            read += from;
            let Some(byte) = window.get(read) else {
                row = next;
                break;
            };
            if next & UNKNOWN != 0 {
                let class = class(&self.classes, *byte);
                match self.step(steps, next & ROW, class, Some(*byte)) {
                    Some(step) => next = step,
                    None => return gave_up(read),
                }
                if next & MATCH != 0 {
                    matched(steps.matched(next, self.stride), read);
                }
            }
            if next & DEAD != 0 {
                return Walked { read: read + 1, gave_up: false };
            }
            row = next & ROW;
            read += 1;
        }
        let (byte, class) = match text.get(limit) {
            Some(byte) => (Some(*byte), class(&self.classes, *byte)),
            None => (None, self.stride - 1),
        };
        let mut last = steps.at(row, class);
        if last & UNKNOWN != 0 {
            match self.step(steps, row, class, byte) {
                Some(step) => last = step,
                None => return gave_up(window.len()),
            }
        }
        if last & MATCH != 0 {
            matched(steps.matched(last, self.stride), window.len());
        }
        Walked { read: window.len(), gave_up: false }
    }

    /// The row of the state to start in.
    #[inline]
    fn begin(&self, steps: &mut Steps, text: &[u8], start: usize) -> Option<u32> {
        let before = start.checked_sub(1).and_then(|before| text.get(before));
        let kind = before.map_or(0, |before| class(&KIND, *before));
        match steps.starts.get(kind) {
            Some(row) if *row != UNKNOWN => Some(*row),
            _ => self.first(steps, text, start, kind),
        }
    }

    #[cold]
    fn first(&self, steps: &mut Steps, text: &[u8], start: usize, kind: usize) -> Option<u32> {
        let input = Input::new(text).range(start..).anchored(Anchored::Yes);
        let id = self.dfa.start_state_forward(&mut steps.cache, &input).ok()?;
        let row = steps.add(&self.dfa, id, self.stride);
        if row & UNKNOWN != 0 {
            return None;
        }
        let row = row & ROW;
        if let Some(slot) = steps.starts.get_mut(kind) {
            *slot = row;
        }
        Some(row)
    }

    /// Takes a step for the first time. No byte stands for the end of the text.
    #[cold]
    fn step(&self, steps: &mut Steps, row: u32, class: usize, byte: Option<u8>) -> Option<u32> {
        let id = steps.states.get(row as usize / self.stride)?.id;
        let next = match byte {
            Some(byte) => self.dfa.next_state(&mut steps.cache, id, byte),
            None => self.dfa.next_eoi_state(&mut steps.cache, id),
        };
        let next = next.ok()?;
        let clears = steps.clears;
        let to = steps.add(&self.dfa, next, self.stride);
        // Else the row that the step leads from is forgotten.
        if steps.clears == clears
            && let Some(slot) = steps.table.get_mut(row as usize + class)
        {
            *slot = to;
        }
        (!next.is_quit() && to & UNKNOWN == 0).then_some(to)
    }
}

#[inline]
fn class(classes: &[u8; 256], byte: u8) -> usize {
    classes.get(usize::from(byte)).map_or(0, |class| usize::from(*class))
}

/// Takes the steps that were taken before, up to one that leads nowhere: how many, and its entry.
/// `matched` is told those to a state that has matched.
#[inline]
fn run(
    steps: &Steps,
    classes: &[u8; 256],
    mut row: u32,
    bytes: &[u8],
    mut matched: impl FnMut(u32, usize),
) -> (usize, u32) {
    let table = steps.table.as_slice();
    let mut taken = 0;
    for byte in bytes {
        row = table.get(row as usize + class(classes, *byte)).copied().unwrap_or(DEAD);
        if row >= MARKED {
            if row & (DEAD | UNKNOWN) != 0 {
                break;
            }
            matched(row, taken);
            row &= ROW;
        }
        taken += 1;
    }
    (taken, row)
}

impl Steps {
    #[inline]
    fn at(&self, row: u32, class: usize) -> u32 {
        self.table.get(row as usize + class).copied().unwrap_or(UNKNOWN)
    }

    fn matched(&self, entry: u32, stride: usize) -> RuleBits {
        let row = (entry & ROW) as usize;
        self.states.get(row / stride).map_or(0, |state| state.matched)
    }

    /// The entry that leads to a state. Where the automaton has forgotten its states, so does the
    /// table: it never has more of them.
    fn add(&mut self, dfa: &DFA, id: LazyStateID, stride: usize) -> u32 {
        if self.cache.clear_count() != self.clears {
            self.clears = self.cache.clear_count();
            self.table.clear();
            self.states.clear();
            self.rows.clear();
            self.taken_up.clear();
            self.starts = [UNKNOWN; KINDS];
        }
        let mark = match (id.is_match(), id.is_dead()) {
            (true, _) => MATCH,
            (false, true) => DEAD,
            (false, false) => 0,
        };
        if let Some(row) = self.rows.get(&id) {
            return row | mark;
        }
        let row = u32::try_from(self.table.len()).unwrap_or(MARKED);
        if row + stride as u32 > MARKED {
            return UNKNOWN;
        }
        let patterns = if id.is_match() { dfa.match_len(&self.cache, id) } else { 0 };
        let matched = (0..patterns)
            .map(|index| dfa.match_pattern(&self.cache, id, index).as_usize())
            .fold(0, |matched, pattern| matched | 1 << pattern);
        self.table.resize(self.table.len() + stride, UNKNOWN | row);
        self.states.push(State { id, matched });
        self.rows.insert(id, row);
        row | mark
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATTERNS: [&str; 4] = [
        r"\b[a-c]{1,9}(?:1[0-9]{0,7}|x)\b",
        "(?m:^)[ab1 ]{2,6}(?m:$)",
        "(?s:.){3,12}?1",
        r"[^a]+\B",
    ];

    /// An automaton of all patterns that forgets its states past so many bytes.
    fn automaton(kind: MatchKind, room: usize) -> DFA {
        let config = DFA::config()
            .match_kind(kind)
            .cache_capacity(room)
            .skip_cache_capacity_check(true)
            .prefilter(None);
        DFA::builder().syntax(syntax_config()).configure(config).build_many(&PATTERNS).unwrap()
    }

    /// The patterns that match up to each end, asked of the automaton itself, and the bytes read.
    fn plain(
        dfa: &DFA,
        text: &[u8],
        start: usize,
        limit: usize,
    ) -> (Vec<(RuleBits, usize)>, usize) {
        let (mut cache, mut found) = (dfa.create_cache(), Vec::new());
        let input = Input::new(text).span(start..limit).anchored(Anchored::Yes);
        let mut state = dfa.start_state_forward(&mut cache, &input).unwrap();
        for at in start..=limit {
            state = match text.get(at) {
                Some(byte) => dfa.next_state(&mut cache, state, *byte).unwrap(),
                None => dfa.next_eoi_state(&mut cache, state).unwrap(),
            };
            if state.is_match() {
                let patterns = (0..dfa.match_len(&cache, state))
                    .map(|index| dfa.match_pattern(&cache, state, index).as_usize());
                found.push((patterns.fold(0, |bits, pattern| bits | 1 << pattern), at - start));
            }
            if state.is_dead() && at < limit {
                return (found, at - start + 1);
            }
        }
        (found, limit - start)
    }

    proptest! {
        #[test]
        fn steps_are_those_of_the_automaton(
            texts in proptest::collection::vec("[abc1x \\n\r-]{0,24}", 1..6), all in any::<bool>(),
        ) {
            let kind = if all { MatchKind::All } else { MatchKind::LeftmostFirst };
            let whole = automaton(kind, 1 << 20);
            // Of the others one forgets all the time.
            for room in [1 << 20, 4_000, 0] {
                let stepper = Stepper::new(automaton(kind, room));
                let mut steps = stepper.steps();
                for text in texts.iter().map(String::as_bytes) {
                    for start in 0..=text.len() {
                        for limit in [text.len(), start + (text.len() - start) / 2] {
                            let mut found = Vec::new();
                            let walked =
                                stepper.walk(&mut steps, text, (start, limit), |bits, length| {
                                    found.push((bits, length));
                                });
                            let wanted = plain(&whole, text, start, limit);
                            prop_assert_eq!((found, walked.read), wanted);
                            prop_assert!(!walked.gave_up);
                        }
                    }
                }
            }
        }
    }
}
