//! What the matches of groups of rules can begin with, byte by byte.
//!
//! A start in a text comes in, one bit a rule goes out: a rule without its bit has no match there.
//! Each place from the start on is looked at by itself, so that the answer is a maybe. Most starts
//! cost a few look-ups, whatever the number of rules.

use regex_automata::nfa::thompson::{NFA, State, WhichCaptures};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;
use serde::{Deserialize, Serialize};

use super::steps::compile;
use crate::rules::{Anchors, ByteSet, Rule};

/// Bytes from its start on of which a table says what a match can hold there.
const HEAD: usize = 20;

/// A set of rules of a group, by position there.
pub type RuleBits = u64;

/// Sets of rules, one bit each, of as many groups.
pub type Lanes<const GROUPS: usize> = [RuleBits; GROUPS];

/// What the matches of so many groups of rules can begin with, byte by byte. Bytes that no rule tells
/// apart are one class, so that the tables are small.
#[derive(Debug)]
pub struct Heads<const GROUPS: usize> {
    classes: [u8; 256],
    /// By class of the byte before the start, and last where there is none: rules whose matches can
    /// begin there.
    before: Vec<Lanes<GROUPS>>,
    /// By place from the start on, then by class: rules whose matches can hold such a byte there,
    /// or may have ended before.
    places: Vec<Lanes<GROUPS>>,
    /// By byte: whether any rule can have a match that begins with it.
    begins: [bool; 256],
    /// Number of classes.
    count: usize,
}

/// The same by byte.
struct ByByte<const GROUPS: usize> {
    before: Vec<Lanes<GROUPS>>,
    places: Vec<[Lanes<GROUPS>; 256]>,
}

impl<const GROUPS: usize> Heads<GROUPS> {
    /// What the rules of these groups can begin with.
    pub fn new(groups: impl Iterator<Item = Vec<RuleHead>>) -> Heads<GROUPS> {
        let mut by_byte =
            ByByte { before: vec![[0; GROUPS]; 257], places: vec![[[0; GROUPS]; 256]; HEAD] };
        for (lane, rules) in (0..GROUPS).zip(groups) {
            for (number, head) in rules.iter().enumerate() {
                by_byte.add(lane, 1 << number, head);
            }
            by_byte.add_any(lane, &rules);
        }
        by_byte.by_class()
    }

    /// Those of some rules that can have a match which begins at `start`, however far its anchor may be.
    #[inline]
    pub fn left(&self, text: &[u8], start: usize, of: Lanes<GROUPS>) -> Lanes<GROUPS> {
        let before = match start.checked_sub(1).and_then(|before| text.get(before)) {
            Some(byte) => self.class(*byte),
            None => self.count,
        };
        let mut left = both(of, self.before.get(before).copied().unwrap_or(of));
        let mut row = 0;
        for byte in text.get(start..).unwrap_or_default() {
            let Some(held) = self.places.get(row + self.class(*byte)) else { break };
            left = both(left, *held);
            if left == [0; GROUPS] {
                break;
            }
            row += self.count;
        }
        left
    }

    /// The first place from `from` up to `to` at which any rule can have a match.
    #[inline]
    pub fn next_start(&self, text: &[u8], from: usize, to: usize) -> Option<usize> {
        let mut at = from;
        // Most bytes begin none: eight are looked at without a branch.
        for part in text.get(from..to)?.chunks(8) {
            if part.iter().fold(false, |any, byte| any | held(&self.begins, *byte)) {
                return part
                    .iter()
                    .position(|byte| held(&self.begins, *byte))
                    .map(|skip| at + skip);
            }
            at += part.len();
        }
        None
    }

    fn class(&self, byte: u8) -> usize {
        usize::from(held(&self.classes, byte))
    }

    /// What can stand at a place, counted from the start; nothing is known of most.
    fn held(&self, place: isize, byte: usize) -> Option<&Lanes<GROUPS>> {
        let class = self.classes.get(byte).map_or(self.count, |class| usize::from(*class));
        match usize::try_from(place) {
            Ok(place) if class < self.count => self.places.get(place * self.count + class),
            Err(_) if place == -1 => self.before.get(class),
            _ => None,
        }
    }
}

impl<const GROUPS: usize> ByByte<GROUPS> {
    /// The tables by class.
    fn by_class(&self) -> Heads<GROUPS> {
        let mut first_of: Vec<u8> = Vec::new();
        let mut classes = [0; 256];
        for (byte, class) in (0..=255u8).zip(&mut classes) {
            let known = first_of.iter().position(|first| self.is_alike(*first, byte));
            let number = known.unwrap_or_else(|| {
                first_of.push(byte);
                first_of.len() - 1
            });
            *class = u8::try_from(number).unwrap_or(u8::MAX);
        }
        let pick = |row: &[Lanes<GROUPS>]| -> Vec<Lanes<GROUPS>> {
            first_of.iter().filter_map(|byte| row.get(usize::from(*byte)).copied()).collect()
        };
        let mut before = pick(&self.before);
        before.extend(self.before.last());
        let places = self.places.iter().flat_map(|row| pick(row)).collect();
        let mut begins = [false; 256];
        for (begins, lanes) in begins.iter_mut().zip(self.places.iter().flatten()) {
            *begins = *lanes != [0; GROUPS];
        }
        Heads { classes, before, places, begins, count: first_of.len() }
    }

    fn is_alike(&self, one: u8, other: u8) -> bool {
        let (one, other) = (usize::from(one), usize::from(other));
        self.before.get(one) == self.before.get(other)
            && self.places.iter().all(|row| row.get(one) == row.get(other))
    }

    fn add(&mut self, lane: usize, bit: RuleBits, head: &RuleHead) {
        let [after_other, after_word] = head.begins;
        for (byte, lanes) in (0..=256u16).zip(&mut self.before) {
            let byte = u8::try_from(byte).ok();
            let can_begin = if byte.is_some_and(is_word) { after_word } else { after_other };
            let is_barred = byte.is_some_and(|byte| head.barred.contains(byte));
            if can_begin
                && !is_barred
                && let Some(rules) = lanes.get_mut(lane)
            {
                *rules |= bit;
            }
        }
        let some =
            head.places.iter().zip(&mut self.places).filter(|(set, _)| **set != ByteSet::ALL);
        for (set, by_byte) in some {
            for byte in set.iter() {
                let lanes = by_byte.get_mut(usize::from(byte));
                if let Some(rules) = lanes.and_then(|lanes| lanes.get_mut(lane)) {
                    *rules |= bit;
                }
            }
        }
    }

    /// Adds the rules that can hold any byte, place by place: that is most, from some place on.
    fn add_any(&mut self, lane: usize, rules: &[RuleHead]) {
        for (place, by_byte) in self.places.iter_mut().enumerate() {
            let holds_any = |head: &RuleHead| head.places.get(place) == Some(&ByteSet::ALL);
            let any = rules.iter().enumerate().filter(|(_, head)| holds_any(head));
            let any = any.fold(0, |any, (number, _)| any | 1 << number);
            for rules in by_byte.iter_mut().filter_map(|lanes| lanes.get_mut(lane)) {
                *rules |= any;
            }
        }
    }
}

/// What the matches of one rule can begin with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleHead {
    /// Whether one can begin behind a byte that is not one of a word, or behind none; and whether
    /// behind one of a word.
    begins: [bool; 2],
    /// Bytes that must not stand before one.
    barred: ByteSet,
    /// By place from the start on: the bytes that a match can hold there, or any where it may have
    /// ended before.
    places: [ByteSet; HEAD],
}

impl RuleHead {
    /// That of a rule; none if the pattern does not compile, which a checked rule set rules out.
    pub fn new(rule: &Rule) -> Option<RuleHead> {
        let nfa = compile(&[&rule.pattern], WhichCaptures::None)?;
        let (mut walk, mut places) = (Walk::new(&nfa), [ByteSet::EMPTY; HEAD]);
        let begins = [false, true].map(|word| walk.heads(nfa.start_anchored(), word, &mut places));
        Some(RuleHead { begins, barred: rule.boundary.unwrap_or_default(), places })
    }

    /// The rule's head in the format of `postcard`; empty for a rule whose anchor is a keyword, which
    /// is tried by itself.
    ///
    /// # Errors
    ///
    /// None that is known: all of it can be written.
    #[allow(dead_code, reason = "it is for the build script")]
    pub fn pack(rule: &Rule) -> postcard::Result<Vec<u8>> {
        match RuleHead::new(rule).filter(|_| !matches!(rule.anchors, Anchors::Keywords(_))) {
            Some(head) => postcard::to_stdvec(&head),
            None => Ok(Vec::new()),
        }
    }

    /// What [`RuleHead::pack`] made; none where the bytes are no such thing.
    pub fn stored(bytes: &[u8]) -> Option<RuleHead> {
        postcard::from_bytes(bytes).ok()
    }
}

/// What a table by byte says of a byte.
fn held<T: Copy>(by_byte: &[T; 256], byte: u8) -> T {
    let [first, ..] = by_byte;
    *by_byte.get(usize::from(byte)).unwrap_or(first)
}

fn both<const GROUPS: usize>(one: Lanes<GROUPS>, other: Lanes<GROUPS>) -> Lanes<GROUPS> {
    std::array::from_fn(|lane| {
        one.get(lane).copied().unwrap_or(0) & other.get(lane).copied().unwrap_or(0)
    })
}

/// Places beside an anchor that say at which distances matches can begin.
const BESIDE: [isize; 4] = [-1, -2, 1, 2];

/// How far before their anchor matches of one group can begin.
#[derive(Debug)]
pub struct Distances {
    /// By distance from the start to the anchor: rules whose matches can begin so far before it.
    reached: Vec<RuleBits>,
    /// For each of [`BESIDE`], by byte there: at which distances, up to 63, matches can begin.
    by_byte: [[u64; 256]; BESIDE.len()],
}

impl Distances {
    /// Those of the rules of a group, of which the heads are known.
    pub fn new(rules: &[&Rule], heads: &Heads<1>) -> Distances {
        let longest = rules.iter().map(|rule| rule.lead.max()).max().unwrap_or(0);
        let mut reached = vec![0; longest + 1];
        for (number, rule) in rules.iter().enumerate() {
            reached.iter_mut().take(rule.lead.max() + 1).for_each(|rules| *rules |= 1 << number);
        }
        let mut by_byte = [[u64::MAX >> 63_usize.saturating_sub(longest); 256]; BESIDE.len()];
        for (by_byte, beside) in by_byte.iter_mut().zip(BESIDE) {
            for (distance, reached) in reached.iter().enumerate().take(64) {
                let from_start = isize::try_from(distance).unwrap_or(isize::MAX) + beside;
                for (byte, distances) in by_byte.iter_mut().enumerate() {
                    let held = heads.held(from_start, byte);
                    // A distance is possible where nothing is known of it.
                    if held.is_some_and(|[held]| held & reached == 0) {
                        *distances &= !(1 << distance);
                    }
                }
            }
        }
        Distances { reached, by_byte }
    }

    /// The rules whose matches can begin so far before their anchor.
    pub fn reached(&self, distance: usize) -> RuleBits {
        self.reached.get(distance).copied().unwrap_or(0)
    }

    /// Where up to 63 bytes before an anchor matches can begin, the farthest first, each with the rules that
    /// reach as far.
    #[inline]
    pub fn starts(
        &self,
        text: &[u8],
        anchor: usize,
    ) -> impl Iterator<Item = (usize, RuleBits)> + use<'_> {
        let mut near = self.possible(text, anchor);
        std::iter::from_fn(move || {
            loop {
                let distance = 63_u32.checked_sub(near.leading_zeros())? as usize;
                near ^= 1 << distance;
                // None begins before the text.
                if let Some(start) = anchor.checked_sub(distance) {
                    return Some((start, self.reached(distance)));
                }
            }
        })
    }

    /// At which distances up to 63 before an anchor matches can begin, one bit each.
    #[inline]
    fn possible(&self, text: &[u8], anchor: usize) -> u64 {
        self.by_byte.iter().zip(BESIDE).fold(u64::MAX, |possible, (by_byte, beside)| {
            let byte = anchor.checked_add_signed(beside).and_then(|at| text.get(at));
            possible & byte.map_or(u64::MAX, |byte| held(by_byte, *byte))
        })
    }
}

/// Whether `\b` takes the byte for one of a word.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A walk through all states that a pattern can be in, place by place.
struct Walk<'a> {
    nfa: &'a NFA,
    /// By state and what is known of the bytes beside it: the last step that was there.
    seen: Vec<u32>,
    step: u32,
}

/// A state, with what is known of the bytes beside it.
#[derive(Clone, Copy)]
struct Spot {
    state: StateID,
    /// Whether the byte before is one of a word.
    after_word: bool,
    /// What the next byte must be, where `\b` has said so: of a word, or not.
    next: Option<bool>,
}

impl<'a> Walk<'a> {
    fn new(nfa: &'a NFA) -> Walk<'a> {
        Walk { nfa, seen: vec![0; nfa.states().len() * 6], step: 0 }
    }

    /// Adds, place by place, what a match that begins in `start` can hold, and says whether there
    /// can be one behind such a byte.
    fn heads(&mut self, start: StateID, after_word: bool, places: &mut [ByteSet; HEAD]) -> bool {
        let mut spots = vec![Spot { state: start, after_word, next: None }];
        let mut can_begin = false;
        for number in 0..HEAD {
            let Some(place) = places.get_mut(number) else { break };
            let mut behind = Vec::new();
            let mut has_ended = false;
            for spot in self.closure(spots) {
                let mut step = |range: (u8, u8), state: StateID| {
                    for byte in range.0..=range.1 {
                        if spot.next.is_none_or(|word| word == is_word(byte)) {
                            place.insert(byte);
                        }
                    }
                    for word in [false, true] {
                        let in_range = (range.0..=range.1).any(|byte| is_word(byte) == word);
                        if in_range && spot.next.is_none_or(|wanted| wanted == word) {
                            behind.push(Spot { state, after_word: word, next: None });
                        }
                    }
                };
                match self.nfa.state(spot.state) {
                    State::ByteRange { trans } => step((trans.start, trans.end), trans.next),
                    State::Sparse(sparse) => sparse
                        .transitions
                        .iter()
                        .for_each(|trans| step((trans.start, trans.end), trans.next)),
                    State::Dense(dense) => {
                        for (byte, state) in (0..=255u8).zip(dense.transitions.iter()) {
                            if *state != StateID::ZERO {
                                step((byte, byte), *state);
                            }
                        }
                    }
                    State::Match { .. } => {
                        has_ended = true;
                        for byte in 0..=255 {
                            if spot.next.is_none_or(|word| word == is_word(byte)) {
                                place.insert(byte);
                            }
                        }
                    }
                    _ => {}
                }
            }
            can_begin |= has_ended || !behind.is_empty();
            if has_ended {
                // Whatever follows is not part of the match.
                places.iter_mut().skip(number + 1).for_each(|place| *place = ByteSet::ALL);
                return can_begin;
            }
            if behind.is_empty() {
                return can_begin && number > 0;
            }
            spots = behind;
        }
        can_begin
    }

    /// The spots that are reached without reading a byte. An assertion other than `\b` counts as
    /// true.
    fn closure(&mut self, mut open: Vec<Spot>) -> Vec<Spot> {
        self.step += 1;
        let mut closed = Vec::new();
        while let Some(spot) = open.pop() {
            let kind = spot.next.map_or(0, |word| 1 + usize::from(word)) * 2;
            let slot = spot.state.as_usize() * 6 + kind + usize::from(spot.after_word);
            match self.seen.get_mut(slot) {
                Some(seen) if *seen != self.step => *seen = self.step,
                _ => continue,
            }
            let mut go = |state: StateID| open.push(Spot { state, ..spot });
            match self.nfa.state(spot.state) {
                State::Union { alternates } => alternates.iter().copied().for_each(go),
                State::BinaryUnion { alt1, alt2 } => [*alt1, *alt2].into_iter().for_each(go),
                State::Capture { next, .. } => go(*next),
                State::Look { look, next } => {
                    let wanted = (*look == Look::WordAscii).then_some(!spot.after_word);
                    match (spot.next, wanted) {
                        (Some(known), Some(wanted)) if known != wanted => {}
                        (known, wanted) => {
                            open.push(Spot { state: *next, next: wanted.or(known), ..spot });
                        }
                    }
                }
                _ => closed.push(spot),
            }
        }
        closed
    }
}
