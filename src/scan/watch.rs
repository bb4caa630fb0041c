//! The rules that one kind of anchor sets off, in groups, and which of a group can match at a place.
//!
//! Bytes around an anchor come in, one bit a rule goes out: a rule without its bit has no match
//! there. A table over the first bytes of a match rules out most of them at the cost of a few words;
//! where several rules are left, one automaton that they share says which.

use std::collections::VecDeque;
use std::sync::OnceLock;

use regex_automata::hybrid::dfa::Cache;
use regex_automata::nfa::thompson::{self, NFA, State, WhichCaptures};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::{PatternID, StateID};

use super::automaton::{RuleBits, Shared, syntax_config};
use crate::rules::{Anchors, DIGIT_SEPARATORS, Lead, Rule, RuleSet};

/// Rules of a group: few enough that those for long numbers stand apart from those for short ones.
const GROUP: usize = 32;

const _: () = assert!(GROUP <= Shared::MAX_RULES);

/// From this many rules on a shared automaton costs less than those of the rules.
const WORTH_SHARING: usize = 3;

/// A rule whose matches begin farther before their anchor is tried by itself: it walks back to its
/// one start, which costs less than to try all of them.
const NEAR: usize = 8;

/// The rules that one kind of anchor sets off.
#[derive(Debug, Default)]
pub struct Watch {
    /// All of them, in groups.
    pub groups: Vec<Group>,
    /// Bytes from the anchor on that must be there to decide all of them.
    pub need: u64,
    /// The most that a group asks for as its least number of digits.
    pub most_digits: u8,
}

/// At most as many rules as there are bits.
#[derive(Debug)]
pub struct Group {
    /// The positions of the rules.
    pub rules: Vec<usize>,
    /// Its number among all groups of a plan.
    pub number: usize,
    /// Whether its rules find nothing where no place has a name.
    pub needs_name: bool,
    /// The fewest digits that a match of one of its rules holds from its anchor on; 0 where that
    /// is not asked.
    pub least_digits: u8,
    /// Keywords are rare enough: their rules are tried without further questions, unless several
    /// share an automaton.
    by_shape: bool,
    is_shared: bool,
    /// The farthest that a match of one of them begins before its anchor.
    lead: usize,
    tests: OnceLock<Option<Tests>>,
}

/// What says which rules of a group can match.
#[derive(Debug)]
struct Tests {
    heads: Option<Heads>,
    shared: Option<Shared>,
}

/// What one worker keeps for one group.
#[derive(Debug)]
pub struct GroupState {
    is_used: bool,
    states: Option<Box<Cache>>,
    /// Starts below this offset were tried, as far back as any anchor to come can reach.
    tried_to: u64,
    /// Those at which rules can match.
    matches: VecDeque<(u64, RuleBits)>,
    /// Bytes that the shared automaton has read.
    pub read: u64,
}

impl GroupState {
    /// Whether this is its first use in a view; from now on it is not.
    pub fn is_fresh(&mut self) -> bool {
        !std::mem::replace(&mut self.is_used, true)
    }

    /// The next view begins.
    pub fn restart(&mut self) {
        self.is_used = false;
        self.tried_to = 0;
        self.matches.clear();
        self.read = 0;
    }
}

/// Arranges the rules that one kind of anchor sets off; `next` numbers the groups.
pub fn arrange(positions: &[usize], rules: &RuleSet, need: u64, next: &mut usize) -> Watch {
    let rule = |position: &usize| rules.rules.get(*position);
    let by_shape =
        !positions.iter().filter_map(rule).any(|rule| matches!(rule.anchors, Anchors::Keywords(_)));
    let may_share = |position: &usize| {
        rule(position).is_some_and(|rule| match rule.lead {
            Lead::Bytes(lead) => lead == 0 || by_shape,
            Lead::Run(_, most) => by_shape && most <= NEAR,
        })
    };
    let (mut shared, alone): (Vec<usize>, Vec<usize>) =
        positions.iter().copied().partition(may_share);
    // Rules that are alike are left together, or none of them.
    shared.sort_by_key(|position| {
        rule(position).map(|rule| {
            let digits = match rule.anchors {
                Anchors::Digits { min, max } => (min, max),
                _ => (0, 0),
            };
            (digits, rule.lead.max(), *position)
        })
    });
    let mut watch = Watch { groups: Vec::new(), need, most_digits: 0 };
    let needs_name = |position: &usize| rule(position).is_some_and(Rule::needs_name);
    let is_at_anchor = |position: &usize| rule(position).is_some_and(|rule| rule.lead.max() == 0);
    let mut parts: Vec<(Vec<usize>, bool)> = Vec::new();
    for (part, may_share) in [(shared, true), (alone, false)] {
        let (at_anchor, before): (Vec<usize>, Vec<usize>) =
            part.into_iter().partition(|position| may_share && is_at_anchor(position));
        for part in [at_anchor, before] {
            let (named, any): (Vec<usize>, Vec<usize>) = part.into_iter().partition(needs_name);
            parts.extend([(named, may_share), (any, may_share)]);
        }
    }
    for (part, may_share) in parts {
        // Groups of equal size: the last one is as much worth its automaton as the others.
        let groups = part.len().div_ceil(GROUP).max(1);
        for chunk in part.chunks(part.len().div_ceil(groups).max(1)) {
            let lead = chunk.iter().filter_map(rule).map(|rule| rule.lead.max()).max();
            watch.groups.push(Group {
                rules: chunk.to_vec(),
                number: *next,
                needs_name: chunk.iter().all(needs_name),
                least_digits: chunk.iter().filter_map(rule).map(least_digits).min().unwrap_or(0),
                by_shape,
                is_shared: may_share && chunk.len() >= WORTH_SHARING,
                lead: lead.unwrap_or(0),
                tests: OnceLock::new(),
            });
            *next += 1;
        }
    }
    watch.most_digits = watch.groups.iter().map(|group| group.least_digits).max().unwrap_or(0);
    watch
}

impl Group {
    /// Room for one worker.
    pub fn state(&self) -> GroupState {
        GroupState { is_used: false, states: None, tried_to: 0, matches: VecDeque::new(), read: 0 }
    }

    /// Those of the rules that may match at this anchor, one bit each. `text` begins at offset
    /// `base`; anchors come in order.
    pub fn candidates(
        &self,
        rules: &RuleSet,
        state: &mut GroupState,
        text: &[u8],
        base: u64,
        anchor: usize,
    ) -> RuleBits {
        if !self.by_shape && !self.is_shared {
            return RuleBits::MAX;
        }
        let tests = self.tests.get_or_init(|| self.build(rules));
        // Without an automaton each rule is tried by itself.
        let Some(tests) = tests else { return RuleBits::MAX };
        if self.lead == 0 {
            let left = tests.heads.as_ref().map_or(RuleBits::MAX, |it| it.left(text, anchor, 0));
            return match &tests.shared {
                Some(shared) if left.count_ones() as usize >= WORTH_SHARING => {
                    left & state.run(shared, text, anchor)
                }
                _ => left,
            };
        }
        let Some(heads) = &tests.heads else { return RuleBits::MAX };
        let first = anchor.saturating_sub(self.lead);
        if let Some(shared) = &tests.shared {
            state.along(heads, shared, text, base, first..anchor + 1)
        } else {
            (first..=anchor).fold(0, |all, start| all | heads.left(text, start, anchor - start))
        }
    }

    fn build(&self, rules: &RuleSet) -> Option<Tests> {
        let rules: Vec<&Rule> =
            self.rules.iter().filter_map(|position| rules.rules.get(*position)).collect();
        if rules.len() != self.rules.len() || rules.len() > Shared::MAX_RULES {
            return None;
        }
        let patterns: Vec<&str> = rules.iter().map(|rule| rule.pattern.as_str()).collect();
        let nfa = thompson::Compiler::new()
            .syntax(syntax_config())
            .configure(thompson::Config::new().utf8(false).which_captures(WhichCaptures::None))
            .build_many(&patterns)
            .ok()?;
        let heads = self.by_shape.then(|| Heads::new(&nfa, &rules));
        let shared = if self.is_shared { Some(Shared::new(nfa, &rules)?) } else { None };
        Some(Tests { heads, shared })
    }
}

impl GroupState {
    /// The rules of a shared automaton that may have a match which begins at `start`.
    fn run(&mut self, shared: &Shared, text: &[u8], start: usize) -> RuleBits {
        let states = self.states.get_or_insert_with(|| Box::new(shared.workspace()));
        let (rules, read) = shared.candidates(states, text, start);
        self.read += read as u64;
        rules
    }

    /// The rules that may have a match which begins at one of `starts`, the last of them the anchor.
    /// The automaton is run once at a start, however many anchors reach it: a rule that reaches a
    /// start from an anchor does so from each one nearer, so all that is asked later is known.
    fn along(
        &mut self,
        heads: &Heads,
        shared: &Shared,
        text: &[u8],
        base: u64,
        starts: std::ops::Range<usize>,
    ) -> RuleBits {
        let mut all = 0;
        let first = base + starts.start as u64;
        while self.matches.front().is_some_and(|(start, _)| *start < first) {
            self.matches.pop_front();
        }
        let end = starts.end;
        for start in starts {
            let left = heads.left(text, start, end - 1 - start);
            if left.count_ones() < WORTH_SHARING as u32 {
                all |= left;
                continue;
            }
            let offset = base + start as u64;
            let rules = if offset < self.tried_to {
                let known = self.matches.iter().find(|(known, _)| *known == offset);
                known.map_or(0, |(_, rules)| *rules)
            } else {
                let rules = self.run(shared, text, start);
                if rules != 0 {
                    self.matches.push_back((offset, rules));
                }
                rules
            };
            all |= left & rules;
        }
        self.tried_to = self.tried_to.max(base + end as u64);
        all
    }
}

fn least_digits(rule: &Rule) -> u8 {
    if let Anchors::Digits { min, .. } = rule.anchors { min } else { 0 }
}

/// Digits that a number may hold from its first one at `start` on, counted up to `most`: with no more
/// than two separators between neighbours.
pub fn digits_from(text: &[u8], start: usize, most: u8) -> u8 {
    let (mut digits, mut separators) = (0, 0);
    for byte in text.get(start..).unwrap_or_default() {
        if byte.is_ascii_digit() {
            (digits, separators) = (digits + 1, 0);
        } else if separators < 2 && DIGIT_SEPARATORS.contains(byte) {
            separators += 1;
        } else {
            break;
        }
        if digits >= most {
            break;
        }
    }
    digits
}

/// Bytes from its start on of which a table says what a match can hold there.
const HEAD: usize = 20;

/// What matches can begin with, byte by byte; one bit a rule.
#[derive(Debug)]
struct Heads {
    /// By byte before the start, and last where there is none: rules whose matches can begin there.
    before: [RuleBits; 257],
    /// By distance from the start to the anchor: rules whose matches can begin so far before it.
    by_distance: Vec<RuleBits>,
    /// Bytes that no rule tells apart are of one class.
    classes: [u8; 256],
    /// By place from the start on, then by class: rules whose matches can hold such a byte there,
    /// or may have ended before.
    places: Vec<Vec<RuleBits>>,
}

impl Heads {
    fn new(nfa: &NFA, rules: &[&Rule]) -> Heads {
        let longest = rules.iter().map(|rule| rule.lead.max()).max().unwrap_or(0);
        let mut before = [0; 257];
        let mut by_distance = vec![0; longest + 1];
        let mut by_byte = vec![[0; 256]; HEAD];
        let mut walk = Walk::new(nfa);
        for (number, rule) in rules.iter().enumerate() {
            let bit: RuleBits = 1 << number;
            by_distance.iter_mut().take(rule.lead.max() + 1).for_each(|rules| *rules |= bit);
            let pattern = PatternID::new(number).ok();
            let start = pattern.and_then(|pattern| nfa.start_pattern(pattern));
            let after = [false, true].map(|word| match start {
                Some(start) => walk.heads(start, word, bit, &mut by_byte),
                None => true,
            });
            for (byte, rules) in (0..=256u16).zip(&mut before) {
                let byte = u8::try_from(byte).ok();
                let can_begin = if byte.is_some_and(is_word) { after[1] } else { after[0] };
                let is_barred = byte
                    .is_some_and(|byte| rule.boundary.is_some_and(|barred| barred.contains(byte)));
                if can_begin && !is_barred {
                    *rules |= bit;
                }
            }
            if start.is_none() {
                by_byte.iter_mut().flatten().for_each(|rules| *rules |= bit);
            }
        }
        let (classes, places) = by_class(&by_byte);
        Heads { before, by_distance, classes, places }
    }

    /// The rules that can have a match which begins at `start`, so far before their anchor.
    fn left(&self, text: &[u8], start: usize, distance: usize) -> RuleBits {
        let before = match start.checked_sub(1).and_then(|before| text.get(before)) {
            Some(byte) => usize::from(*byte),
            None => 256,
        };
        let reached = self.by_distance.get(distance).copied().unwrap_or(0);
        let mut left = self.before.get(before).copied().unwrap_or(RuleBits::MAX) & reached;
        let head = text.get(start..).unwrap_or_default();
        for (byte, place) in head.iter().zip(&self.places) {
            if left == 0 {
                break;
            }
            let class = self.classes.get(usize::from(*byte)).copied().unwrap_or(0);
            left &= place.get(usize::from(class)).copied().unwrap_or(RuleBits::MAX);
        }
        left
    }
}

/// Tables by byte as tables by class.
fn by_class(by_byte: &[[RuleBits; 256]]) -> ([u8; 256], Vec<Vec<RuleBits>>) {
    let column = |byte: usize| by_byte.iter().filter_map(move |place| place.get(byte).copied());
    let mut first_of: Vec<usize> = Vec::new();
    let mut classes = [0; 256];
    for (byte, class) in classes.iter_mut().enumerate() {
        let known = first_of.iter().position(|first| column(*first).eq(column(byte)));
        let number = known.unwrap_or_else(|| {
            first_of.push(byte);
            first_of.len() - 1
        });
        // At most 256 classes, so that their numbers fit.
        *class = u8::try_from(number).unwrap_or(u8::MAX);
    }
    let places = by_byte.iter().map(|place| {
        first_of.iter().map(|first| place.get(*first).copied().unwrap_or(RuleBits::MAX)).collect()
    });
    (classes, places.collect())
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
    fn heads(
        &mut self,
        start: StateID,
        after_word: bool,
        bit: RuleBits,
        by_byte: &mut [[RuleBits; 256]],
    ) -> bool {
        let mut spots = vec![Spot { state: start, after_word, next: None }];
        let mut can_begin = false;
        for (number, place) in by_byte.iter_mut().enumerate() {
            let mut behind = Vec::new();
            let mut has_ended = false;
            for spot in self.closure(spots) {
                let mut step = |range: (u8, u8), state: StateID| {
                    for byte in range.0..=range.1 {
                        if spot.next.is_none_or(|word| word == is_word(byte))
                            && let Some(rules) = place.get_mut(usize::from(byte))
                        {
                            *rules |= bit;
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
                        for (byte, rules) in (0..=255u8).zip(place.iter_mut()) {
                            if spot.next.is_none_or(|word| word == is_word(byte)) {
                                *rules |= bit;
                            }
                        }
                    }
                    _ => {}
                }
            }
            can_begin |= has_ended || !behind.is_empty();
            if has_ended {
                // Whatever follows is not part of the match.
                by_byte.iter_mut().skip(number + 1).flatten().for_each(|rules| *rules |= bit);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::automaton::Automaton;
    use crate::scan::sample;

    /// Patterns of numbers, with how many digits a match holds.
    fn patterns() -> Vec<(String, String)> {
        let mut patterns = Vec::new();
        for length in 8..=19 {
            let more = length - 1;
            let (half, rest) = (length / 2, length - length / 2);
            for (number, pattern) in [
                format!(r"\b[1-9][0-9]{{{more}}}\b"),
                format!(r"\b(?:[0-9]{{{length}}}|[0-9]{{{half}}}[ -][0-9]{{{rest}}})\b"),
                format!(r"\b[0-9]{{{half}}}\.[0-9]{{{rest}}}"),
                format!(r"[0-9]{{{length}}}(?:[0-9]|X)?\b"),
                format!(r"\b[A-Z]{{0,2}}[0-9]{{{length}}}\b"),
                format!(r"(?:\b|_)[A-Z]{{2}} ?[0-9]{{{half}}}-?[0-9]{{{rest}}}\B"),
                format!(r"(?m:^)[0-9]{{{length}}}(?m:$)"),
                format!(r"\(?[0-9]{{2}}\)?[ -]?[0-9]{{{more}}}"),
            ]
            .into_iter()
            .enumerate()
            {
                let most = if number == 7 { length + 1 } else { length + usize::from(number == 3) };
                let least = if number == 7 { length + 1 } else { length };
                let boundary = match number % 3 {
                    0 => "",
                    1 => "boundary = '[A-Za-z0-9_.-]'\n",
                    _ => "boundary = '[0-9]'\n",
                };
                let anchors = format!("anchors = {{ digits = [{least}, {most}] }}\n{boundary}");
                patterns.push((pattern, anchors));
            }
        }
        patterns
    }

    fn rules() -> std::sync::Arc<RuleSet> {
        static RULES: OnceLock<std::sync::Arc<RuleSet>> = OnceLock::new();
        let build = || {
            let patterns = patterns();
            let ids: Vec<String> = (0..patterns.len()).map(|id| format!("nat.n{id}")).collect();
            let rules: Vec<(&str, &str, &str)> = ids
                .iter()
                .zip(&patterns)
                .map(|(id, (pattern, more))| (id.as_str(), pattern.as_str(), more.as_str()))
                .collect();
            sample::rules(&rules, "")
        };
        RULES.get_or_init(build).clone()
    }

    fn watch(rules: &RuleSet) -> Watch {
        let positions: Vec<usize> = (0..rules.rules.len()).collect();
        arrange(&positions, rules, 0, &mut 0)
    }

    /// The rules left at an anchor, all groups together.
    fn left(
        watch: &Watch,
        states: &mut [GroupState],
        rules: &RuleSet,
        text: &[u8],
        anchor: usize,
    ) -> Vec<usize> {
        let mut left = Vec::new();
        for (group, state) in watch.groups.iter().zip(states) {
            let bits = group.candidates(rules, state, text, 0, anchor);
            left.extend(
                group
                    .rules
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| bits >> bit & 1 == 1)
                    .map(|it| *it.1),
            );
        }
        left.sort_unstable();
        left
    }

    #[test]
    fn every_rule_is_in_one_group() {
        let rules = rules();
        let watch = watch(&rules);
        let mut all: Vec<usize> = watch.groups.iter().flat_map(|it| it.rules.clone()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..rules.rules.len()).collect::<Vec<usize>>());
        assert!(watch.groups.iter().all(|group| group.rules.len() <= Shared::MAX_RULES));
        assert!(watch.groups.len() <= rules.rules.len().div_ceil(Shared::MAX_RULES) + 2);
        let numbers: Vec<usize> = watch.groups.iter().map(|group| group.number).collect();
        assert_eq!(numbers, (0..watch.groups.len()).collect::<Vec<usize>>());
    }

    #[test]
    fn an_ordinary_number_leaves_few_rules() {
        let rules = rules();
        let watch = watch(&rules);
        for (text, most) in [
            ("in 2015 - 2016, ", 0),
            ("version 1.2.3.4 of", 0),
            ("0x1234567890", 0),
            ("at 12345678901234 x", 5),
            ("of 12345678901234567890123456 x", 0),
        ] {
            let mut states: Vec<GroupState> = watch.groups.iter().map(Group::state).collect();
            let anchor = text.find(|c: char| c.is_ascii_digit()).unwrap();
            let left = left(&watch, &mut states, &rules, text.as_bytes(), anchor);
            let patterns: Vec<&str> =
                left.iter().map(|position| rules.rules[*position].pattern.as_str()).collect();
            // Rules without `\b` behind the number match its beginning.
            let sure = patterns.iter().filter(|it| it.ends_with(r"\b") || it.ends_with("$)"));
            assert!(sure.count() <= most, "{text}: {patterns:?}");
        }
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = proptest::sample::select(vec![
            "1", "20", "345", "6789", "12345678", "0", " ", "-", ".", "(", ")", "AB", "X", "_",
            "\n", "x",
        ]);
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn a_rule_that_is_left_out_has_no_match(text in text()) {
            let rules = rules();
            let watch = watch(&rules);
            let mut states: Vec<GroupState> = watch.groups.iter().map(Group::state).collect();
            let automata: Vec<Automaton> =
                rules.rules.iter().map(|rule| Automaton::new(rule).unwrap()).collect();
            let mut spaces: Vec<_> = automata.iter().map(Automaton::workspace).collect();
            let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
            let anchors = (0..text.len()).filter(|at| is_digit(*at) && (*at == 0 || !is_digit(at - 1)));
            for anchor in anchors {
                let left = left(&watch, &mut states, &rules, &text, anchor);
                for (position, rule) in rules.rules.iter().enumerate() {
                    let first = anchor.saturating_sub(rule.lead.max());
                    let matches = (first..=anchor).any(|start| {
                        let barred = start > 0
                            && rule.boundary.is_some_and(|set| set.contains(text[start - 1]));
                        let space = &mut spaces[position];
                        let end = automata[position]
                            .match_at(space, &text, start, start + rule.max_length)
                            .end;
                        !barred && end.is_some_and(|end| end > anchor)
                    });
                    prop_assert!(
                        !matches || left.contains(&position),
                        "{} at {anchor} of {:?}", rule.pattern, String::from_utf8_lossy(&text)
                    );
                }
            }
            // No start is read twice by one automaton.
            for (group, state) in watch.groups.iter().zip(&states) {
                let longest = group.rules.iter().map(|it| rules.rules[*it].max_length).max().unwrap();
                prop_assert!(state.read <= (longest * text.len()) as u64);
            }
        }
    }
}
