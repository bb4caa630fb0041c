//! Makes a sieve: determines the automaton of all patterns over classes of bytes, the likely states first.
//!
//! The patterns of rules and texts that hold their matches come in, a [`Sieve`] goes out.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};

use regex_automata::nfa::thompson::{NFA, State, WhichCaptures};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;

use super::profile::Profiles;
use super::{CLASSES, DEPTH, END, Listed, MOST_LEAD, Sieve, Step, WORDS};
use crate::rules::{ByteSet, Lead, Rule};
use crate::scan::steps::compile;

/// States at most: so many, and more for each rule.
const STATES: (usize, usize) = (4096, 240);

/// States that are made first of all, since any text is likely to lead to them.
const LIKELY: usize = 1024;

/// What stands between an example of a rule and the same again: text that goes on so is likely.
const BETWEEN: [&[u8]; 4] = [b" ", b",", b"\n", b"\", \""];

/// A row that is not made yet.
const NO_ROW: [Step; CLASSES] = [[0; 2]; CLASSES];

/// A rule's pattern.
pub struct Pattern {
    position: u16,
    nfa: NFA,
    /// Bytes that must not stand before a match.
    barred: ByteSet,
    /// The most bytes before its anchor that a match begins.
    lead: usize,
}

impl Pattern {
    /// That of the rule at a position.
    pub fn new(position: usize, rule: &Rule) -> Option<Pattern> {
        let nfa = compile(&[&rule.pattern], WhichCaptures::None)?;
        let lead = match rule.lead {
            Lead::Bytes(lead) | Lead::Run(_, lead) => lead,
        };
        let barred = rule.boundary.unwrap_or_default();
        Some(Pattern { position: u16::try_from(position).ok()?, nfa, barred, lead })
    }

    /// Which digits a match can hold from its anchor on where no digit stands before it.
    fn held(&self) -> Held {
        let mut begun = BTreeSet::from([self.nfa.start_anchored()]);
        let mut reached = begun.clone();
        for _ in 0..self.lead {
            let before = reached.len();
            for state in self.closure(&Vec::from_iter(reached.clone()), |_| true) {
                each_range(self.nfa.state(state), |(first, last), next| {
                    reached.insert(next);
                    if first < b'0' || last > b'9' {
                        begun.insert(next);
                    }
                });
            }
            if reached.len() == before {
                break;
            }
        }
        // Where states go on with a digit, any of them for none; and whether a match may have ended.
        let step = |states: &BTreeSet<StateID>, digit: Option<u8>| {
            let (mut further, mut has_ended) = (BTreeSet::new(), false);
            for state in self.closure(&Vec::from_iter(states.iter().copied()), |_| true) {
                has_ended |= matches!(self.nfa.state(state), State::Match { .. });
                each_range(self.nfa.state(state), |(first, last), next| {
                    if digit.is_none_or(|digit| (first..=last).contains(&(b'0' + digit))) {
                        further.insert(next);
                    }
                });
            }
            (further, has_ended)
        };
        let mut held = Held { pairs: 0, thirds: 0 };
        for first in 0..10 {
            // A match holds the first byte of its anchor.
            let (further, _) = step(&begun, Some(first));
            for second in 0..10 {
                let (last, has_ended) = step(&further, Some(second));
                let can_hold = !further.is_empty() && (has_ended || !last.is_empty());
                held.pairs |= u128::from(can_hold) << (first * 10 + second);
            }
        }
        let (second, _) = step(&begun, None);
        let (third, ended_before) = step(&second, None);
        for digit in 0..10 {
            let (further, has_ended) = step(&third, Some(digit));
            let can_hold = ended_before || has_ended || !further.is_empty();
            held.thirds |= u128::from(can_hold) << digit;
        }
        held
    }

    /// The states that are reached from some without reading a byte. An assertion holds where
    /// `holds` says so.
    fn closure(&self, from: &[StateID], holds: impl Fn(Look) -> bool) -> Vec<StateID> {
        let (mut open, mut closed) = (from.to_vec(), Vec::new());
        let mut seen = HashSet::new();
        while let Some(state) = open.pop() {
            if !seen.insert(state) {
                continue;
            }
            match self.nfa.state(state) {
                State::Union { alternates } => open.extend(alternates.iter()),
                State::BinaryUnion { alt1, alt2 } => open.extend([*alt1, *alt2]),
                State::Capture { next, .. } => open.push(*next),
                State::Look { look, next } if holds(*look) => open.push(*next),
                State::Look { .. } => {}
                _ => closed.push(state),
            }
        }
        closed
    }

    /// Where a state goes on with one of these bytes.
    fn step(&self, state: StateID, bytes: &[u8], mut found: impl FnMut(StateID)) {
        each_range(self.nfa.state(state), |(first, last), next| {
            if bytes.iter().any(|byte| (first..=last).contains(byte)) {
                found(next);
            }
        });
    }
}

/// Calls `found` with each range of bytes that a state takes, and where it leads.
fn each_range(state: &State, mut found: impl FnMut((u8, u8), StateID)) {
    match state {
        State::ByteRange { trans } => found((trans.start, trans.end), trans.next),
        State::Sparse(sparse) => {
            sparse.transitions.iter().for_each(|it| found((it.start, it.end), it.next));
        }
        State::Dense(dense) => {
            for (byte, next) in (0..=255).zip(dense.transitions.iter()) {
                if *next != StateID::ZERO {
                    found((byte, byte), *next);
                }
            }
        }
        _ => {}
    }
}

/// Digits that a match can hold from its anchor on, a bit each.
struct Held {
    /// By the first two as a number.
    pairs: u128,
    thirds: u128,
}

/// Whether `\b` takes the byte for one of a word.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Bytes in classes: those of a class are all of a word, or none is.
pub struct Classes {
    of_byte: [u8; 256],
    all: Vec<ByteClass>,
}

struct ByteClass {
    is_word: bool,
    /// Some bytes of it: every other is taken wherever one of them is.
    samples: Vec<u8>,
    /// Bits by which text that goes on with it is less likely than any.
    rarity: u32,
}

impl Classes {
    /// Those that these patterns tell apart.
    pub fn new(patterns: &[Pattern]) -> Classes {
        let mut ranges = BTreeSet::new();
        for state in patterns.iter().flat_map(|pattern| pattern.nfa.states()) {
            each_range(state, |range, _| {
                ranges.insert(range);
            });
        }
        let mut alike: BTreeMap<(u8, Vec<bool>), Vec<u8>> = BTreeMap::new();
        for byte in 0..=255u8 {
            let taken = ranges.iter().map(|(first, last)| (*first..=*last).contains(&byte));
            alike.entry((class(byte), taken.collect())).or_default().push(byte);
        }
        let (mut of_byte, mut all) = ([0; 256], Vec::<ByteClass>::new());
        let mut last = None;
        for ((class, _), bytes) in alike {
            if last.replace(class) != Some(class) {
                let is_word = bytes.first().is_some_and(|byte| is_word(*byte));
                all.push(ByteClass { is_word, samples: Vec::new(), rarity: rarity(&bytes) });
            }
            let number = u8::try_from(all.len().saturating_sub(1)).unwrap_or(0);
            if let Some(class) = all.last_mut() {
                class.samples.extend(bytes.first());
            }
            for byte in bytes {
                if let Some(class) = of_byte.get_mut(usize::from(byte)) {
                    *class = number;
                }
            }
        }
        Classes { of_byte, all }
    }
}

const _: () = assert!(FORMS.len() + 7 <= CLASSES);

/// Bytes that are a class each: those that shapes of numbers are told apart by.
const FORMS: &[u8] = b" -./()+,:*#\t@";

/// Bytes with one number are of one class. Patterns tell more of them apart, but then no two numbers
/// are alike.
fn class(byte: u8) -> u8 {
    let form = (7..).zip(FORMS).find(|(_, form)| **form == byte);
    match byte {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        b'a'..=b'z' => 2,
        b'_' => 3,
        0x80.. => 4,
        b'\r' | b'\n' => 5,
        _ => form.map_or(6, |(number, _)| number),
    }
}

/// See [`ByteClass::rarity`].
fn rarity(bytes: &[u8]) -> u32 {
    match bytes.first() {
        Some(b'0'..=b'9') => 1,
        Some(b' ' | b'-' | b'.') => 3,
        Some(b'/' | b'A'..=b'Z' | b'a'..=b'z') => 4,
        Some(b',' | b'(' | b')') => 5,
        _ => 7,
    }
}

/// The number of a pattern and a state of its automaton.
type Spot = (u16, StateID);

/// What a walk knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Known {
    /// Bytes to the anchor.
    to_go: usize,
    /// Whether the anchor's first byte was not read: a match holds it.
    is_first: bool,
    /// Whether the byte before is one of a word.
    after_word: bool,
    /// Where the patterns are that have not matched.
    spots: Vec<Spot>,
    /// Those that have.
    matched: Vec<u16>,
}

/// What makes a sieve: its states are what a walk can know, the likely ones first.
pub struct Builder<'a> {
    patterns: &'a [Pattern],
    classes: &'a Classes,
    lead: usize,
    numbers: HashMap<Known, u16>,
    states: Vec<Known>,
    /// States whose row is to be made, by how likely they are.
    open: BinaryHeap<(u64, Reverse<u16>)>,
    most: usize,
    lists: Vec<Vec<u16>>,
    list_numbers: HashMap<Vec<u16>, u16>,
    left: Vec<Step>,
}

impl<'a> Builder<'a> {
    /// A builder that has made nothing yet.
    pub fn new(patterns: &'a [Pattern], classes: &'a Classes) -> Builder<'a> {
        let lead = patterns.iter().map(|pattern| pattern.lead).max();
        Builder {
            patterns,
            classes,
            lead: Some(lead.unwrap_or(0)).filter(|lead| *lead <= MOST_LEAD).unwrap_or(0),
            numbers: HashMap::new(),
            states: Vec::new(),
            open: BinaryHeap::new(),
            most: (STATES.0 + STATES.1 * patterns.len()).min(usize::from(END)),
            lists: vec![Vec::new()],
            list_numbers: HashMap::from([(Vec::new(), 0)]),
            left: Vec::new(),
        }
    }

    /// The same with room for so few states.
    #[cfg(test)]
    pub fn with_room(self, most: usize) -> Builder<'a> {
        Builder { most, ..self }
    }

    /// Makes what is likely, and what these texts lead to, as far as there is room.
    pub fn build(mut self, samples: &[&[u8]]) -> Sieve {
        let starts: Vec<Step> =
            self.begin().into_iter().map(|known| self.step(known, 1 << 60)).collect();
        let mut next = Vec::new();
        // What is likely stands together, so that it stays at hand.
        while self.states.len() < LIKELY
            && let Some((likely, Reverse(number))) = self.open.pop()
        {
            self.make_row(usize::from(number), likely, &mut next);
        }
        for sample in samples {
            for between in BETWEEN {
                self.follow(&[sample, between, sample].concat(), &starts, &mut next);
            }
        }
        while let Some((likely, Reverse(number))) = self.open.pop() {
            self.make_row(usize::from(number), likely, &mut next);
        }
        let bits = |list: &mut dyn Iterator<Item = u16>| -> Listed {
            let mut words = [0u64; WORDS];
            for number in list {
                if let Some(word) = words.get_mut(usize::from(number / 64)) {
                    *word |= 1 << (number % 64);
                }
            }
            words.map(u64::to_le_bytes)
        };
        let held: Vec<Held> = self.patterns.iter().map(Pattern::held).collect();
        let lists = |count: u32, of: fn(&Held) -> u128| -> Vec<Listed> {
            let list = |bit: u32| {
                let rules = (0..).zip(&held).filter(|(_, held)| of(held) >> bit & 1 == 1);
                bits(&mut rules.map(|(number, _)| number))
            };
            (0..count).map(list).collect()
        };
        let sieve = Sieve {
            lead: self.lead,
            classes: Cow::Owned(self.classes.of_byte),
            starts: Cow::Owned(starts),
            next: Cow::Owned(next),
            lists: self.lists.iter().map(|list| bits(&mut list.iter().copied())).collect(),
            positions: self.patterns.iter().map(|it| it.position.to_le_bytes()).collect(),
            pairs: Cow::Owned(lists(100, |held| held.pairs)),
            thirds: Cow::Owned(lists(10, |held| held.thirds)),
            left: Cow::Owned(self.left),
            profiles: Profiles::default(),
        };
        Sieve { profiles: Profiles::new(&sieve), ..sieve }
    }

    /// Makes the rows of a state that has none.
    fn make_row(&mut self, number: usize, likely: u64, next: &mut Vec<[Step; CLASSES]>) {
        next.resize(self.states.len(), NO_ROW);
        if next.get(number) == Some(&NO_ROW)
            && let Some(known) = self.states.get(number).cloned()
        {
            let row = self.row(&known, likely);
            next.resize(self.states.len(), NO_ROW);
            if let Some(slot) = next.get_mut(number) {
                *slot = row;
            }
        }
    }

    /// Makes the rows on the way of walks that begin with each run of bytes of a class in a text.
    fn follow(&mut self, text: &[u8], starts: &[Step], next: &mut Vec<[Step; CLASSES]>) {
        let classes: Vec<usize> = text
            .iter()
            .map(|byte| {
                self.classes.of_byte.get(usize::from(*byte)).map_or(0, |it| usize::from(*it))
            })
            .collect();
        for (at, pair) in (1_usize..).zip(classes.windows(2)) {
            let [before, first] = pair else { continue };
            if before == first {
                continue;
            }
            let from = at.saturating_sub(self.lead);
            let begin = match from.checked_sub(1).and_then(|before| classes.get(before)) {
                Some(class) => Some(*class),
                None => starts.len().checked_sub(1 + at - from),
            };
            let mut step = begin.and_then(|begin| starts.get(begin)).copied();
            for class in classes.iter().skip(from).take(at - from + DEPTH) {
                let number = step.map_or(END, u16::from_le_bytes);
                if number & END != 0 {
                    break;
                }
                self.make_row(usize::from(number), 1 << 60, next);
                step = next.get(usize::from(number)).and_then(|row| row.get(*class)).copied();
            }
        }
    }

    /// What is known where a walk begins, in the order of [`Sieve::starts`].
    fn begin(&self) -> Vec<Known> {
        let known = |class: Option<usize>, to_go: usize| {
            let of_class = class.and_then(|class| self.classes.all.get(class));
            let mut spots = self.begun(class, to_go);
            if self.lead == 0 {
                for (pattern, number) in self.patterns.iter().zip(0..) {
                    let behind = of_class.map(|class| behind(pattern, class)).unwrap_or_default();
                    spots.extend(behind.into_iter().map(|state| (number, state)));
                }
            }
            spots.sort_unstable();
            spots.dedup();
            let after_word = of_class.is_some_and(|class| class.is_word);
            Known { to_go, is_first: true, after_word, spots, matched: Vec::new() }
        };
        let behind = (0..self.classes.all.len()).map(|class| known(Some(class), self.lead));
        behind.chain((0..=self.lead).rev().map(|to_go| known(None, to_go))).collect()
    }

    /// The patterns that may begin so many bytes before the anchor, behind a byte of a class or none.
    fn begun(&self, class: Option<usize>, to_go: usize) -> Vec<Spot> {
        let mut spots = Vec::new();
        for (pattern, number) in self.patterns.iter().zip(0..) {
            let can_stand = |byte: u8| {
                let of_byte = self.classes.of_byte.get(usize::from(byte));
                of_byte.map(|of| usize::from(*of)) == class && !pattern.barred.contains(byte)
            };
            if pattern.lead >= to_go && (class.is_none() || (0..=255).any(can_stand)) {
                spots.push((number, pattern.nfa.start_anchored()));
            }
        }
        spots
    }

    /// Where a walk that knows this goes on.
    fn step(&mut self, known: Known, likely: u64) -> Step {
        if known.spots.is_empty() && known.to_go == 0 {
            return end(self.list(known.matched));
        }
        if let Some(number) = self.numbers.get(&known) {
            return number.to_le_bytes();
        }
        let mut left = known.matched.clone();
        left.extend(known.spots.iter().map(|(pattern, _)| *pattern));
        if known.to_go > 0 {
            // Those that are still to begin.
            left.extend((0..).zip(self.patterns).map(|(number, _)| number));
        }
        left.sort_unstable();
        left.dedup();
        let left = self.list(left);
        match u16::try_from(self.states.len()) {
            Ok(number) if self.states.len() < self.most => {
                self.open.push((likely, Reverse(number)));
                self.numbers.insert(known.clone(), number);
                self.states.push(known);
                self.left.push(left.to_le_bytes());
                number.to_le_bytes()
            }
            _ => end(left),
        }
    }

    /// The number of a list of patterns; that of all of them where there are too many lists.
    fn list(&mut self, patterns: Vec<u16>) -> u16 {
        if let Some(number) = self.list_numbers.get(&patterns) {
            return *number;
        }
        let patterns = match self.lists.len() < usize::from(END) - 1 {
            true => patterns,
            false => (0..).zip(self.patterns).map(|(number, _)| number).collect(),
        };
        if let Some(number) = self.list_numbers.get(&patterns) {
            return *number;
        }
        let number = u16::try_from(self.lists.len()).unwrap_or(0);
        self.lists.push(patterns.clone());
        self.list_numbers.insert(patterns, number);
        number
    }

    /// Where a walk goes on from a state, by class of the next byte.
    fn row(&mut self, known: &Known, likely: u64) -> [Step; CLASSES] {
        let before = [false, true].map(|next_word| self.before(known, next_word));
        let mut row = [end(0); CLASSES];
        let classes = self.classes;
        for ((number, class), step) in classes.all.iter().enumerate().zip(&mut row) {
            let [other, word] = &before;
            let (takers, ended) = if class.is_word { word } else { other };
            let mut matched = known.matched.clone();
            if !known.is_first {
                matched.extend(ended);
                matched.sort_unstable();
                matched.dedup();
            }
            let mut spots = match known.to_go.checked_sub(1) {
                Some(to_go) => self.begun(Some(number), to_go),
                None => Vec::new(),
            };
            for (number, state) in takers {
                if matched.binary_search(number).is_err()
                    && let Some(pattern) = self.patterns.get(usize::from(*number))
                {
                    pattern.step(*state, &class.samples, |next| spots.push((*number, next)));
                }
            }
            spots.sort_unstable();
            spots.dedup();
            let known = Known {
                to_go: known.to_go.saturating_sub(1),
                is_first: known.to_go > 0,
                after_word: class.is_word,
                spots,
                matched,
            };
            *step = self.step(known, likely >> class.rarity);
        }
        row
    }

    /// The spots that take a next byte, which is one of a word or not, and the patterns that have
    /// matched before it. An assertion other than `\b` and `\B` counts as true.
    fn before(&self, known: &Known, next_word: bool) -> (Vec<Spot>, Vec<u16>) {
        let is_border = known.after_word != next_word;
        let holds = |look| match look {
            Look::WordAscii => is_border,
            Look::WordAsciiNegate => !is_border,
            _ => true,
        };
        let (mut takers, mut ended) = (Vec::new(), Vec::new());
        for spots in known.spots.chunk_by(|(one, _), (other, _)| one == other) {
            let Some((number, _)) = spots.first().copied() else { continue };
            let Some(pattern) = self.patterns.get(usize::from(number)) else { continue };
            let from: Vec<StateID> = spots.iter().map(|(_, state)| *state).collect();
            for state in pattern.closure(&from, holds) {
                match pattern.nfa.state(state) {
                    State::Match { .. } => ended.push(number),
                    State::Fail => {}
                    _ => takers.push((number, state)),
                }
            }
        }
        (takers, ended)
    }
}

/// The end of a walk, with the number of its list.
fn end(list: u16) -> Step {
    (list | END).to_le_bytes()
}

/// Where a match that begins before its anchor can be at the anchor, with a byte of a class before
/// it. All assertions count as true.
fn behind(pattern: &Pattern, class: &ByteClass) -> Vec<StateID> {
    let mut reached = vec![pattern.nfa.start_anchored()];
    let (mut here, mut seen) = (BTreeSet::new(), HashSet::new());
    for _ in 0..pattern.lead {
        let mut further = Vec::new();
        for state in pattern.closure(&reached, |_| true) {
            pattern.step(state, &class.samples, |next| {
                here.insert(next);
            });
            each_range(pattern.nfa.state(state), |_, next| {
                if seen.insert(next) {
                    further.push(next);
                }
            });
        }
        if further.is_empty() {
            break;
        }
        reached = further;
    }
    here.into_iter().collect()
}
