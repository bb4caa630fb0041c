//! Which rules of one kind of anchor can match where it stands, told by the kinds of bytes there.
//!
//! A text and an anchor come in, the rules that may have a match there go out: a rule that is left
//! out has none. One automaton of all the patterns reads classes of bytes in place of bytes, so that
//! all numbers of one form share a few states, which stay at hand. It is made when the program is
//! built and holds what is likely in text: where it ends, the rules that it has not ruled out are
//! left.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};

use regex_automata::nfa::thompson::{self, NFA, State, WhichCaptures};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use serde::{Deserialize, Serialize};

use super::kinds::Kinds;
use super::sweep::AnchorKind;
use crate::rules::{ByteSet, Lead, Rule, RuleList, Shape};

/// Bytes from the anchor on that are read at most.
const DEPTH: usize = 24;

/// Classes of bytes at most.
const CLASSES: usize = 24;

/// States at most: so many, and more for each rule.
const STATES: (usize, usize) = (512, 60);

/// States that are made first of all, since any text is likely to lead to them.
const LIKELY: usize = 1024;

/// What stands between an example of a rule and the same again: text that goes on so is likely.
const BETWEEN: [&[u8]; 4] = [b" ", b",", b"\n", b"\", \""];

/// A row that is not made yet.
const NO_ROW: [Step; CLASSES] = [[0; 2]; CLASSES];

/// What marks the end of a walk: the rest is the number of a list of rules.
const END: u16 = 0x8000;

/// Shapes that have a sieve. Of the others a rule or two want more bytes than are read here.
const SHAPES: [Shape; 5] =
    [Shape::Digits, Shape::At, Shape::LettersDigits, Shape::Token, Shape::HexColon];

/// Words of a list: a bit for each rule, so many at most.
const WORDS: usize = 4;

/// A list of rules as it is stored.
type Listed = [[u8; 8]; WORDS];

/// Where a walk goes on: the number of a state, or, with [`END`], that of a list.
type Step = [u8; 2];

/// The automaton of one kind of anchor.
#[derive(Debug, PartialEq, Eq)]
pub struct Sieve {
    /// By byte.
    classes: [u8; 256],
    /// By class of the byte before the anchor, and last where there is none: where a walk begins.
    starts: Cow<'static, [Step]>,
    /// By state and class.
    next: Cow<'static, [[Step; CLASSES]]>,
    /// By state: the list of the rules that are left where a walk stops there.
    left: Cow<'static, [Step]>,
    /// Lists of rules, one bit each. The first one is empty.
    lists: Cow<'static, [Listed]>,
    /// The positions of the rules, by bit.
    positions: Cow<'static, [[u8; 2]]>,
    /// By the two digits from an anchor on, before which no digit stands: the rules whose matches can
    /// hold them.
    pairs: Cow<'static, [Listed]>,
    /// The same by the third digit.
    thirds: Cow<'static, [Listed]>,
}

/// A sieve as it stands in the program.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    kind: u16,
    classes: &'a [u8],
    starts: &'a [u8],
    next: &'a [u8],
    left: &'a [u8],
    lists: &'a [u8],
    positions: &'a [u8],
    pairs: &'a [u8],
    thirds: &'a [u8],
}

/// The sieves of some kinds of anchors, for the rules that need no name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sieves {
    by_kind: Vec<Option<Sieve>>,
}

impl Sieves {
    /// The sieves of these rules, which are arranged so.
    #[allow(dead_code, reason = "it is for the build script")]
    pub fn new(rules: &RuleList, kinds: &Kinds) -> Sieves {
        let mut sieves = Sieves::default();
        for kind in SHAPES.map(AnchorKind::shape) {
            let (positions, _) = kinds.rules_of(kind.index());
            let unnamed = positions.into_iter().filter_map(|position| {
                Some((position, rules.get(position).filter(|rule| !rule.needs_name())?))
            });
            if let Some(sieve) = Sieve::new(unnamed) {
                sieves.add(kind.index(), sieve);
            }
        }
        sieves
    }

    fn add(&mut self, kind: usize, sieve: Sieve) {
        if self.by_kind.len() <= kind {
            self.by_kind.resize_with(kind + 1, || None);
        }
        if let Some(slot) = self.by_kind.get_mut(kind) {
            *slot = Some(sieve);
        }
    }

    /// The kinds of anchors that have one.
    pub fn kinds(&self) -> impl Iterator<Item = AnchorKind> {
        let has_one = self.by_kind.iter().enumerate().filter(|(_, sieve)| sieve.is_some());
        has_one.map(|(kind, _)| AnchorKind::at_index(kind))
    }

    /// The sieve of a kind of anchor.
    #[inline]
    pub fn of(&self, kind: AnchorKind) -> Option<&Sieve> {
        self.by_kind.get(kind.index())?.as_ref()
    }

    /// What [`Sieves::stored`] takes.
    ///
    /// # Errors
    ///
    /// None that is known: all of it can be written.
    #[allow(dead_code, reason = "it is for the build script")]
    pub fn pack(&self) -> postcard::Result<Vec<u8>> {
        let sieves = (0..).zip(&self.by_kind);
        let sieves = sieves.filter_map(|(kind, sieve)| Some((kind, sieve.as_ref()?)));
        let stored = sieves.map(|(kind, sieve)| Stored {
            kind,
            classes: &sieve.classes,
            starts: sieve.starts.as_flattened(),
            next: sieve.next.as_flattened().as_flattened(),
            left: sieve.left.as_flattened(),
            lists: sieve.lists.as_flattened().as_flattened(),
            positions: sieve.positions.as_flattened(),
            pairs: sieve.pairs.as_flattened().as_flattened(),
            thirds: sieve.thirds.as_flattened().as_flattened(),
        });
        postcard::to_stdvec(&stored.collect::<Vec<_>>())
    }

    /// Sieves that were packed into the program, used where they stand; none where the bytes are no
    /// such thing.
    pub fn stored(bytes: &'static [u8]) -> Option<Sieves> {
        fn steps(bytes: &'static [u8]) -> Option<&'static [Step]> {
            let (steps, rest) = bytes.as_chunks();
            rest.is_empty().then_some(steps)
        }
        fn lists(bytes: &'static [u8]) -> Option<&'static [Listed]> {
            let (words, []) = bytes.as_chunks() else { return None };
            let (lists, []) = words.as_chunks() else { return None };
            Some(lists)
        }
        let mut sieves = Sieves::default();
        for stored in postcard::from_bytes::<Vec<Stored<'static>>>(bytes).ok()? {
            let (next, []) = steps(stored.next)?.as_chunks() else { return None };
            let sieve = Sieve {
                classes: stored.classes.try_into().ok()?,
                starts: Cow::Borrowed(steps(stored.starts)?),
                next: Cow::Borrowed(next),
                left: Cow::Borrowed(steps(stored.left)?),
                lists: Cow::Borrowed(lists(stored.lists)?),
                positions: Cow::Borrowed(steps(stored.positions)?),
                pairs: Cow::Borrowed(lists(stored.pairs)?),
                thirds: Cow::Borrowed(lists(stored.thirds)?),
            };
            sieves.add(usize::from(stored.kind), sieve);
        }
        Some(sieves)
    }
}

impl Sieve {
    /// The sieve of the rules at these positions; none if a pattern does not compile, or there are too
    /// many.
    pub fn new<'a>(rules: impl Iterator<Item = (usize, &'a Rule)>) -> Option<Sieve> {
        let (mut patterns, mut samples) = (Vec::new(), Vec::new());
        for (position, rule) in rules {
            patterns.push(Pattern::new(position, rule)?);
            samples.extend(rule.examples.iter().map(|example| example.text.as_bytes()));
        }
        let classes = Classes::new(&patterns);
        let has_room = patterns.len() <= WORDS * 64;
        has_room.then(|| Builder::new(&patterns, &classes).build(&samples))
    }

    /// The positions of the rules that may have a match at this anchor, in order.
    #[inline]
    pub fn left(&self, text: &[u8], anchor: usize) -> Left<'_> {
        let none = Left { positions: &[], left: [0; WORDS], base: 0 };
        let Some(ahead) = text.get(anchor..) else { return none };
        let before = anchor.checked_sub(1).and_then(|before| text.get(before));
        let list = self.walk(before, ahead);
        if list == 0 {
            return none;
        }
        let mut left = self.lists.get(usize::from(list)).map_or([0; WORDS], words);
        if !matches!(before, Some(b'0'..=b'9')) {
            let digit = |place: usize| {
                let byte = ahead.get(place).copied().unwrap_or_default();
                usize::from(byte.wrapping_sub(b'0'))
            };
            let (first, second, third) = (digit(0), digit(1), digit(2));
            let pair = (first < 10 && second < 10).then(|| self.pairs.get(first * 10 + second));
            let third = (third < 10).then(|| self.thirds.get(third));
            for held in [pair, third].into_iter().flatten().flatten() {
                left.iter_mut().zip(words(held)).for_each(|(left, held)| *left &= held);
            }
        }
        Left { positions: &self.positions, left, base: 0 }
    }

    /// The number of the list of the rules that are left.
    #[inline]
    fn walk(&self, before: Option<&u8>, ahead: &[u8]) -> u16 {
        let (classes, next) = (&self.classes, self.next.as_flattened());
        let class =
            |byte: u8| classes.get(usize::from(byte)).map_or(0, |class| usize::from(*class));
        let number = |step: Option<&Step>| step.map_or(END, |step| u16::from_le_bytes(*step));
        let mut state = number(match before {
            Some(byte) => self.starts.get(class(*byte)),
            None => self.starts.last(),
        });
        for byte in ahead.get(..DEPTH).unwrap_or(ahead) {
            if state >= END {
                return state ^ END;
            }
            state = number(next.get(usize::from(state) * CLASSES + class(*byte)));
        }
        match state & END {
            0 => number(self.left.get(usize::from(state))) & !END,
            _ => state ^ END,
        }
    }
}

fn words(list: &Listed) -> [u64; WORDS] {
    list.map(u64::from_le_bytes)
}

/// The positions of rules that are left, in order.
#[derive(Clone, Debug)]
pub struct Left<'a> {
    positions: &'a [[u8; 2]],
    left: [u64; WORDS],
    /// The rule of the lowest bit of the first word.
    base: usize,
}

impl Left<'_> {
    /// Whether no rule is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.left == [0; WORDS]
    }
}

impl Iterator for Left<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.left.first() == Some(&0) {
            let [_, second, third, fourth] = self.left;
            if second | third | fourth == 0 {
                return None;
            }
            self.left = [second, third, fourth, 0];
            self.base += 64;
        }
        let word = self.left.first_mut()?;
        let bit = word.trailing_zeros() as usize;
        *word &= *word - 1;
        self.positions
            .get(self.base + bit)
            .map(|position| usize::from(u16::from_le_bytes(*position)))
    }
}

/// A rule's pattern.
struct Pattern {
    position: u16,
    nfa: NFA,
    /// Bytes that must not stand before a match.
    barred: ByteSet,
    /// The most bytes before its anchor that a match begins.
    lead: usize,
}

impl Pattern {
    fn new(position: usize, rule: &Rule) -> Option<Pattern> {
        let syntax = syntax::Config::new().unicode(false).utf8(false);
        let config = thompson::Config::new().utf8(false).which_captures(WhichCaptures::None);
        let mut compiler = thompson::Compiler::new();
        let nfa = compiler.syntax(syntax).configure(config).build(&rule.pattern).ok()?;
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
struct Classes {
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
    fn new(patterns: &[Pattern]) -> Classes {
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
    /// Whether nothing was read: a match holds the first byte of its anchor.
    is_first: bool,
    /// Whether the byte before is one of a word.
    after_word: bool,
    /// Where the patterns are that have not matched.
    spots: Vec<Spot>,
    /// Those that have.
    matched: Vec<u16>,
}

/// What makes a sieve: its states are what a walk can know, the likely ones first.
struct Builder<'a> {
    patterns: &'a [Pattern],
    classes: &'a Classes,
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
    fn new(patterns: &'a [Pattern], classes: &'a Classes) -> Builder<'a> {
        Builder {
            patterns,
            classes,
            numbers: HashMap::new(),
            states: Vec::new(),
            open: BinaryHeap::new(),
            most: (STATES.0 + STATES.1 * patterns.len()).min(usize::from(END)),
            lists: vec![Vec::new()],
            list_numbers: HashMap::from([(Vec::new(), 0)]),
            left: Vec::new(),
        }
    }

    fn build(mut self, samples: &[&[u8]]) -> Sieve {
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
        Sieve {
            classes: self.classes.of_byte,
            starts: Cow::Owned(starts),
            next: Cow::Owned(next),
            lists: self.lists.iter().map(|list| bits(&mut list.iter().copied())).collect(),
            positions: self.patterns.iter().map(|it| it.position.to_le_bytes()).collect(),
            pairs: Cow::Owned(lists(100, |held| held.pairs)),
            thirds: Cow::Owned(lists(10, |held| held.thirds)),
            left: Cow::Owned(self.left),
        }
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
        for (at, pair) in (1..).zip(classes.windows(2)) {
            let [before, first] = pair else { continue };
            if before == first {
                continue;
            }
            let mut step = starts.get(*before).copied();
            for class in classes.iter().skip(at).take(DEPTH) {
                let number = step.map_or(END, u16::from_le_bytes);
                if number & END != 0 {
                    break;
                }
                self.make_row(usize::from(number), 1 << 60, next);
                step = next.get(usize::from(number)).and_then(|row| row.get(*class)).copied();
            }
        }
    }

    /// What is known at an anchor, by class of the byte before it, and where there is none.
    fn begin(&self) -> Vec<Known> {
        let classes = self.classes.all.iter().map(Some).chain([None]);
        let known = |(number, class): (usize, Option<&ByteClass>)| {
            let can_stand = |byte: u8, barred: &ByteSet| {
                let of_byte = self.classes.of_byte.get(usize::from(byte));
                of_byte.is_some_and(|of| usize::from(*of) == number) && !barred.contains(byte)
            };
            let mut spots = Vec::new();
            for (pattern, number) in self.patterns.iter().zip(0..) {
                let is_open = class.is_none() || (0..=255).any(|it| can_stand(it, &pattern.barred));
                let here = is_open.then(|| pattern.nfa.start_anchored());
                let behind = class.map(|class| behind(pattern, class)).unwrap_or_default();
                spots.extend(here.into_iter().chain(behind).map(|state| (number, state)));
            }
            spots.sort_unstable();
            spots.dedup();
            let after_word = class.is_some_and(|class| class.is_word);
            Known { is_first: true, after_word, spots, matched: Vec::new() }
        };
        classes.enumerate().map(|(number, class)| known((number, class))).collect()
    }

    /// Where a walk that knows this goes on.
    fn step(&mut self, known: Known, likely: u64) -> Step {
        if known.spots.is_empty() {
            return end(self.list(known.matched));
        }
        if let Some(number) = self.numbers.get(&known) {
            return number.to_le_bytes();
        }
        let mut left = known.matched.clone();
        left.extend(known.spots.iter().map(|(pattern, _)| *pattern));
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
        for (class, step) in classes.all.iter().zip(&mut row) {
            let [other, word] = &before;
            let (takers, ended) = if class.is_word { word } else { other };
            let mut matched = known.matched.clone();
            if !known.is_first {
                matched.extend(ended);
                matched.sort_unstable();
                matched.dedup();
            }
            let mut spots = Vec::new();
            for (number, state) in takers {
                if matched.binary_search(number).is_err()
                    && let Some(pattern) = self.patterns.get(usize::from(*number))
                {
                    pattern.step(*state, &class.samples, |next| spots.push((*number, next)));
                }
            }
            spots.sort_unstable();
            spots.dedup();
            let known = Known { is_first: false, after_word: class.is_word, spots, matched };
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock};

    use proptest::prelude::*;

    use super::*;
    use crate::rules::RuleSet;
    use crate::scan::automaton::{Automaton, Workspace};
    use crate::scan::sample;
    use crate::scan::sweep::{Kernel, Scratch, Sweep};

    const PATTERNS: [(&str, &str); 12] = [
        (r"\b[1-9][0-9]{8}\b", "anchors = { digits = 9 }"),
        (
            r"(?:[13][0-9]|6[0-7])[0-9]-[0-9]{2}-[0-9]{4}",
            "anchors = { digits = 9 }\nboundary = '[0-9.-]'",
        ),
        (r"\b(?:[0-9]{4}[ -]?){3}[0-9]{1,4}\b", "anchors = { digits = [13, 16] }"),
        (r"\b[A-Z]{0,2}[0-9]{6,9}[A-Z]?\b", "anchors = { digits = [6, 9] }"),
        (r"\(?\b0[0-9]{2}\)?[ -][0-9]{5,8}", "anchors = { digits = [8, 11] }"),
        (r"(?:\b|_)[0-9]{7}\B", "anchors = { digits = 7 }"),
        (r"(?m:^)[0-9]{6}(?m:$)", "anchors = { digits = 6 }"),
        (r"\+?[0-9]{2}(?:[ ./-][0-9]{2,4}){3,8}", "anchors = { digits = [8, 34] }"),
        (r"[a-z.]{1,20}@(?:[a-z0-9]{1,9}\.){1,3}[a-z]{2,9}", "anchors = { shape = \"at\" }"),
        (r"\b[A-Z]{2}[0-9]{2}[A-Z0-9]{4,9}\b", "anchors = { shape = \"letters_digits\" }"),
        (r"\b[A-Z]{5}-?[0-9]{2}[A-Z0-9]{7}\b", "anchors = { shape = \"token\" }"),
        (r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", "anchors = { shape = \"hex_colon\" }"),
    ];

    /// Rules, and what finds their anchors and matches.
    struct Sample {
        rules: Arc<RuleSet>,
        kinds: Kinds,
        sieves: Sieves,
        sweep: Sweep,
        automata: Vec<OnceLock<Automaton>>,
    }

    impl Sample {
        fn new(rules: Arc<RuleSet>, sieves: Option<Sieves>) -> Sample {
            let (kinds, keywords) = Kinds::new(&rules.rules);
            Sample {
                sieves: sieves.unwrap_or_else(|| Sieves::new(&rules.rules, &kinds)),
                sweep: Sweep::new(&keywords, Kernel::Portable),
                automata: (0..rules.rules.len()).map(|_| OnceLock::new()).collect(),
                kinds,
                rules,
            }
        }

        fn automaton(&self, position: usize) -> &Automaton {
            self.automata[position]
                .get_or_init(|| Automaton::new(&self.rules.rules[position]).unwrap())
        }

        fn matches(
            &self,
            position: usize,
            space: &mut Workspace,
            text: &[u8],
            anchor: usize,
        ) -> bool {
            let rule = &self.rules.rules[position];
            (anchor.saturating_sub(rule.lead.max())..=anchor).any(|start| {
                let is_barred = start > 0
                    && rule.boundary.is_some_and(|barred| barred.contains(text[start - 1]));
                let limit = start + rule.max_length;
                let tried = self.automaton(position).match_at(space, text, start, limit);
                !is_barred && tried.end.is_some_and(|end| end > anchor)
            })
        }

        /// Of so many anchors, those at which a rule was left out that has a match there; how many
        /// rules the anchors set off, and how many of them were left.
        fn check(&self, text: &[u8], only: Option<usize>) -> (Vec<(usize, usize)>, usize, usize) {
            let (mut anchors, mut wrong, mut all, mut left) = (Vec::new(), Vec::new(), 0, 0);
            self.sweep.find(text, 0, text.len(), &mut Scratch::default(), &mut anchors);
            for anchor in anchors {
                let Some(sieve) = self.sieves.of(anchor.kind) else { continue };
                let found: Vec<usize> = sieve.left(text, anchor.at).collect();
                assert!(found.is_sorted());
                let (positions, _) = self.kinds.rules_of(anchor.kind.index());
                let unnamed = positions.iter().filter(|at| !self.rules.rules[**at].needs_name());
                (all, left) = (all + unnamed.clone().count(), left + found.len());
                for position in unnamed.filter(|at| only.is_none_or(|only| only == **at)) {
                    let mut space = self.automaton(*position).workspace();
                    if !found.contains(position)
                        && self.matches(*position, &mut space, text, anchor.at)
                    {
                        wrong.push((anchor.at, *position));
                    }
                }
            }
            (wrong, all, left)
        }
    }

    fn sample() -> &'static Sample {
        static SAMPLE: OnceLock<Sample> = OnceLock::new();
        SAMPLE.get_or_init(|| {
            let ids: Vec<String> = (0..PATTERNS.len()).map(|id| format!("nat.n{id}")).collect();
            let rules: Vec<(&str, &str, &str)> = ids
                .iter()
                .zip(PATTERNS)
                .map(|(id, (pattern, more))| (&**id, pattern, more))
                .collect();
            Sample::new(sample::rules(&rules, ""), None)
        })
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = proptest::sample::select(vec![
            "1", "20", "345", "6789", "0123", "12345678", " ", "-", ".", "(", ")", "+", "AB", "Q",
            "x", "_", "\n", "é", "@", "ab.cd", "a1:", "00:11:22", "::",
        ]);
        proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat().into_bytes())
    }

    #[test]
    fn what_is_common_leaves_few_rules() {
        let sample = sample();
        for text in
            ["in 2015 - 2016, ", "0x1234567890", "b 1.2.3.4.5 c", "x = 10000000000000000000"]
        {
            let (_, all, left) = sample.check(text.as_bytes(), None);
            assert!(all >= 8 && left <= 2, "{text}: {left} of {all}");
        }
        let (_, all, left) = sample.check(b"at 123456789 x", None);
        assert!(all == 8 && (2..=4).contains(&left), "{left} of {all}");
    }

    #[test]
    fn rules_of_the_program_match_where_they_are_left() {
        let rules = RuleSet::builtin().unwrap();
        let sample = Sample::new(Arc::new(rules), None);
        let (mut all, mut left) = (0, 0);
        for (position, rule) in sample.rules.rules.iter().enumerate() {
            if matches!(rule.anchors, crate::rules::Anchors::Keywords(_)) {
                continue;
            }
            for example in &rule.examples {
                let (wrong, some, few) = sample.check(example.text.as_bytes(), Some(position));
                assert!(wrong.is_empty(), "{} in {}: {wrong:?}", rule.id, example.text);
                (all, left) = (all + some, left + few);
            }
        }
        assert!(left * 8 < all, "{left} of {all}");
    }

    #[test]
    fn a_stored_sieve_is_the_one_that_was_packed() {
        let packed: &'static [u8] = sample().sieves.pack().unwrap().leak();
        assert_eq!(Sieves::stored(packed).unwrap(), sample().sieves);
        assert!(Sieves::stored(packed.split_last().unwrap().1).is_none());
    }

    proptest! {
        #[test]
        fn a_rule_that_is_left_out_has_no_match(text in text()) {
            let (wrong, ..) = sample().check(&text, None);
            prop_assert!(wrong.is_empty(), "{wrong:?} in {:?}", String::from_utf8_lossy(&text));
        }
    }
}
