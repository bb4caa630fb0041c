//! The rules that one kind of anchor sets off, in groups, and which of a group can match at a place.
//!
//! Bytes around an anchor come in, one bit a rule goes out: a rule without its bit has no match
//! there. A table over the first bytes of a match rules out most of them at the cost of a few words;
//! where several rules are left, one automaton that they share says which.

use std::collections::VecDeque;
use std::sync::OnceLock;

use super::automaton::{RuleBits, Shared};
use super::beside::Beside;
use super::heads::{Distances, Heads, Lanes, RuleHead};
use super::kinds::Outline;
use super::steps::Steps;
use crate::rules::{DIGIT_SEPARATORS, Rule, RuleSet, Texts};

/// Rules of a group: few enough that those for long numbers stand apart from those for short ones.
const GROUP: usize = 32;

const _: () = assert!(GROUP <= Shared::MAX_RULES);

/// From this many rules left on a shared automaton costs less than those of the rules.
const WORTH_SHARING: usize = 2;

/// So many rules of a group are each tried where their matches may begin: an automaton of all would be read
/// for the others, too.
const FEW: usize = 2;

/// From this many rules of a keyword on it is worth making one.
const WORTH_MAKING: usize = 3;

/// So often a worker tries all rules that are left: to make the automaton that they share takes as long
/// as a thousand tries by the tables in the program, and a small payload has few.
const FREE_ASKS: u16 = if cfg!(test) { 8 } else { 1_000 };

/// A rule whose matches begin farther before their anchor is tried by itself: it walks back to its
/// one start, which costs less than to try all of them.
const NEAR: usize = 8;

/// Matches that begin so far before their anchors are looked for once at each byte, whatever the number
/// of anchors behind it.
const FAR: usize = 64;

/// Where a match may begin at more places before its anchor, a rule by itself is tried without
/// looking at them.
const MOST_STARTS: usize = 16;

/// The rules that one kind of anchor sets off.
#[derive(Debug, Default)]
pub struct Watch {
    /// Those of a shape whose matches begin at their anchor, in groups that are looked at together.
    pub fronts: Vec<Front>,
    /// The others, in groups.
    pub groups: Vec<Group>,
    /// Whether a shape sets them off, no keyword.
    pub is_of_shape: bool,
}

/// Groups in a [`Front`] at most.
pub const ABREAST: usize = 4;

/// Groups of rules whose matches begin at their anchor: the bytes from there on are looked at once
/// for all of them.
#[derive(Debug)]
pub struct Front {
    /// The groups, at most [`ABREAST`].
    pub groups: Vec<Group>,
    /// Whether its rules find nothing where no place has a name.
    pub needs_name: bool,
    heads: OnceLock<Option<FrontHeads>>,
}

/// One group needs the room of one.
#[derive(Debug)]
enum FrontHeads {
    One(Heads<1>),
    Many(Heads<ABREAST>),
}

/// At most as many rules as there are bits.
#[derive(Debug)]
pub struct Group {
    /// The positions of the rules.
    pub rules: Vec<usize>,
    /// Their numbers beside a keyword; none where they are not asked one by one.
    pairs: Vec<usize>,
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
    /// Boxed: there is a group for each keyword, and few are ever asked.
    tests: OnceLock<Option<Box<Tests>>>,
}

/// What says which rules of a group can match.
#[derive(Debug)]
struct Tests {
    /// Where matches begin before their anchors.
    heads: Option<(Heads<1>, Distances)>,
    /// Made when several rules are left: it costs more than all else.
    shared: OnceLock<Option<Shared>>,
}

/// What one worker keeps for one group.
#[derive(Debug)]
pub struct GroupState {
    is_used: bool,
    /// How often it was asked what the shared automaton says, up to [`FREE_ASKS`].
    asked: u16,
    /// Of starts below this offset the shared automaton was not asked.
    known_from: u64,
    states: Option<Box<Steps>>,
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
        self.known_from = 0;
        self.matches.clear();
        self.read = 0;
    }
}

/// Arranges the rules that one kind of anchor sets off, by what their outlines say of them; `next`
/// numbers the groups.
pub fn arrange(
    positions: &[usize],
    outline: impl Fn(usize) -> Option<Outline>,
    next: &mut usize,
) -> Watch {
    let rule = |position: &usize| outline(*position);
    let by_shape = !positions.iter().filter_map(rule).any(|rule| rule.has_keywords);
    // What is known of a keyword is known of its only rule.
    let has_pairs = !by_shape && positions.len() > 1;
    let first = *next;
    let pair = |position: &usize| Some(first + positions.iter().position(|it| it == position)?);
    let may_share = |position: &usize| {
        rule(position).is_some_and(|rule| match rule.lead_is_run {
            false => rule.lead == 0 || by_shape,
            true => by_shape && rule.lead <= NEAR,
        })
    };
    let (mut shared, alone): (Vec<usize>, Vec<usize>) =
        positions.iter().copied().partition(may_share);
    // Rules that are alike are left together, or none of them.
    shared.sort_by_key(|position| rule(position).map(|rule| (rule.digits, rule.lead, *position)));
    let mut watch = Watch { fronts: Vec::new(), groups: Vec::new(), is_of_shape: by_shape };
    let needs_name = |position: &usize| rule(position).is_some_and(|rule| rule.needs_name);
    let is_at_anchor = |position: &usize| rule(position).is_some_and(|rule| rule.lead == 0);
    let mut parts: Vec<(Vec<usize>, bool)> = Vec::new();
    for (part, may_share) in [(shared, true), (alone, false)] {
        let (at_anchor, before): (Vec<usize>, Vec<usize>) =
            part.into_iter().partition(|position| may_share && is_at_anchor(position));
        let (near, far): (Vec<usize>, Vec<usize>) =
            before.into_iter().partition(|it| rule(it).is_some_and(|it| it.lead < FAR));
        for part in [at_anchor, near, far] {
            let (named, any): (Vec<usize>, Vec<usize>) = part.into_iter().partition(needs_name);
            parts.extend([(named, may_share), (any, may_share)]);
        }
    }
    for (part, may_share) in parts {
        // Groups of equal size: the last one is as much worth its automaton as the others.
        let groups = part.len().div_ceil(GROUP).max(1);
        for chunk in part.chunks(part.len().div_ceil(groups).max(1)) {
            let lead = chunk.iter().filter_map(rule).map(|rule| rule.lead).max();
            let group = Group {
                rules: chunk.to_vec(),
                pairs: if has_pairs { chunk.iter().filter_map(pair).collect() } else { Vec::new() },
                number: *next,
                needs_name: chunk.iter().all(needs_name),
                least_digits: chunk
                    .iter()
                    .filter_map(rule)
                    .map(|it| it.digits.0)
                    .min()
                    .unwrap_or(0),
                by_shape,
                is_shared: may_share
                    && chunk.len() >= if by_shape { WORTH_SHARING } else { WORTH_MAKING },
                lead: lead.unwrap_or(0),
                tests: OnceLock::new(),
            };
            *next += 1;
            if by_shape && group.lead == 0 {
                watch.add_abreast(group);
            } else {
                watch.groups.push(group);
            }
        }
    }
    watch
}

impl Watch {
    /// All groups, those of fronts first.
    #[cfg(test)]
    pub fn all_groups(&self) -> impl Iterator<Item = &Group> {
        self.fronts.iter().flat_map(|front| &front.groups).chain(&self.groups)
    }

    fn add_abreast(&mut self, group: Group) {
        let needs_name = group.needs_name;
        let has_room =
            |front: &&mut Front| front.needs_name == needs_name && front.groups.len() < ABREAST;
        match self.fronts.last_mut().filter(has_room) {
            Some(front) => front.groups.push(group),
            None => {
                self.fronts.push(Front { groups: vec![group], needs_name, heads: OnceLock::new() })
            }
        }
    }
}

impl Front {
    /// Those of some rules of each group that may match at this anchor, one bit each.
    pub fn left(
        &self,
        rules: &RuleSet,
        text: &[u8],
        anchor: usize,
        of: Lanes<ABREAST>,
    ) -> Lanes<ABREAST> {
        match self.heads.get_or_init(|| self.build(rules)) {
            Some(FrontHeads::One(heads)) => {
                let [first, ..] = of;
                let [first] = heads.left(text, anchor, [first]);
                let mut left = [0; ABREAST];
                left[0] = first;
                left
            }
            Some(FrontHeads::Many(heads)) => heads.left(text, anchor, of),
            // Without an automaton each rule is tried by itself.
            None => of,
        }
    }

    fn build(&self, rules: &RuleSet) -> Option<FrontHeads> {
        let parts: Option<Vec<_>> = self.groups.iter().map(|group| group.heads_of(rules)).collect();
        let parts = parts?.into_iter();
        Some(if self.groups.len() == 1 {
            FrontHeads::One(Heads::new(parts))
        } else {
            FrontHeads::Many(Heads::new(parts))
        })
    }
}

impl Group {
    /// Room for one worker.
    pub fn state(&self) -> GroupState {
        GroupState {
            is_used: false,
            asked: 0,
            known_from: 0,
            states: None,
            tried_to: 0,
            matches: VecDeque::new(),
            read: 0,
        }
    }

    /// Those of some of its rules that may match beside this keyword, one bit each.
    pub fn beside(&self, beside: &Beside, text: &[u8], anchor: usize, of: RuleBits) -> RuleBits {
        if self.pairs.is_empty() {
            return of;
        }
        let rules = (0..).zip(&self.pairs).filter(|(bit, _)| of >> bit & 1 == 1);
        rules
            .filter(|(_, pair)| beside.admits(**pair, text, anchor))
            .fold(0, |left, (bit, _)| left | 1 << bit)
    }

    /// Those of some of its rules that may match at this anchor, one bit each. `text` begins at offset
    /// `base`; anchors come in order. All rules are put to a start, since what is known of it is for the
    /// anchors to come as well.
    pub fn candidates(
        &self,
        rules: &RuleSet,
        state: &mut GroupState,
        text: &[u8],
        base: u64,
        anchor: usize,
        of: RuleBits,
    ) -> RuleBits {
        if !self.by_shape && !self.is_shared {
            return of;
        }
        if !self.by_shape && (of.count_ones() as usize) < WORTH_SHARING {
            return of;
        }
        let tests = self.tests.get_or_init(|| self.build(rules));
        // Without an automaton each rule is tried by itself.
        let Some(tests) = tests else { return of };
        let Some((heads, distances)) = &tests.heads else {
            let is_asked = self.lead == 0 && state.is_asked_often(base + anchor as u64);
            let shared = if is_asked { self.shared(tests, rules) } else { None };
            return shared.map_or(of, |shared| of & state.run(shared, text, anchor));
        };
        if !self.is_shared && self.lead > MOST_STARTS {
            return of;
        }
        if self.lead < FAR && of.count_ones() as usize <= FEW {
            // What is known of a start is not for the others, so that there is nothing to remember.
            return distances.starts(text, anchor).fold(0, |left, (start, reached)| {
                let [these] = heads.left(text, start, [reached & of]);
                left | these
            });
        }
        state.forget_before(base + anchor.saturating_sub(self.lead) as u64);
        let shared = |state: &mut GroupState, left: RuleBits, start: usize| {
            let is_worth_it = left.count_ones() as usize >= WORTH_SHARING
                && state.is_asked_often(base + anchor as u64)
                && base + start as u64 >= state.known_from;
            if is_worth_it { self.shared(tests, rules) } else { None }
        };
        let mut all = 0;
        if self.lead >= FAR {
            let tried = state.tried_to.saturating_sub(base);
            let first = usize::try_from(tried).unwrap_or(usize::MAX);
            let first = first.max(anchor.saturating_sub(self.lead));
            let mut next = first;
            while let Some(start) = heads.next_start(text, next, anchor + 1) {
                next = start + 1;
                let [left] = heads.left(text, start, [RuleBits::MAX]);
                if left != 0 {
                    let left = match shared(state, left, start) {
                        Some(shared) => left & state.run(shared, text, start),
                        None => left,
                    };
                    state.add(base + start as u64, left);
                }
            }
            for (start, rules) in &state.matches {
                let distance = (base + anchor as u64).saturating_sub(*start);
                all |= rules & distances.reached(usize::try_from(distance).unwrap_or(usize::MAX));
            }
        } else {
            for (start, reached) in distances.starts(text, anchor) {
                let [left] = heads.left(text, start, [reached]);
                all |= match shared(state, left, start) {
                    Some(shared) => left & state.known(shared, text, base, start),
                    None => left,
                };
            }
        }
        state.tried_to = state.tried_to.max(base + anchor as u64 + 1);
        all & of
    }

    /// Whether so many rules left of a front are worth asking the automaton which have a match.
    pub fn is_worth_narrowing(&self, left: RuleBits) -> bool {
        self.is_shared && left.count_ones() as usize >= WORTH_SHARING
    }

    /// Those of the rules left of a front that may match at this anchor.
    pub fn narrow(
        &self,
        rules: &RuleSet,
        state: &mut GroupState,
        text: &[u8],
        anchor: usize,
        left: RuleBits,
    ) -> RuleBits {
        if !state.is_asked_often(0) {
            return left;
        }
        match self.tests.get_or_init(|| self.build(rules)) {
            Some(tests) => match self.shared(tests, rules) {
                Some(shared) => left & state.run(shared, text, anchor),
                None => left,
            },
            None => left,
        }
    }

    /// Its rules; none where a position is none of them or there are too many.
    fn rules_of<'a>(&self, rules: &'a RuleSet) -> Option<Vec<&'a Rule>> {
        let found: Option<Vec<&Rule>> =
            self.rules.iter().map(|position| rules.rules.get(*position)).collect();
        found.filter(|found| found.len() <= Shared::MAX_RULES)
    }

    /// What the matches of its rules can begin with.
    fn heads_of(&self, rules: &RuleSet) -> Option<Vec<RuleHead>> {
        self.rules.iter().map(|position| head_of(rules, *position)).collect()
    }

    fn build(&self, rules: &RuleSet) -> Option<Box<Tests>> {
        let heads = if self.by_shape && self.lead > 0 {
            let heads = Heads::new([self.heads_of(rules)?].into_iter());
            let distances = Distances::new(&self.rules_of(rules)?, &heads);
            Some((heads, distances))
        } else {
            None
        };
        Some(Box::new(Tests { heads, shared: OnceLock::new() }))
    }

    fn shared<'a>(&self, tests: &'a Tests, rules: &RuleSet) -> Option<&'a Shared> {
        let build = || {
            let rules = self.rules_of(rules).filter(|_| self.is_shared)?;
            Shared::new(&rules)
        };
        tests.shared.get_or_init(build).as_ref()
    }
}

/// What [`RuleHead::pack`] makes of each rule that ships with the program.
const BUILT_IN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_heads.bin"));

/// What the matches of the rule at a position can begin with.
fn head_of(rules: &RuleSet, position: usize) -> Option<RuleHead> {
    let stored = || RuleHead::stored(Texts::stored_whole(BUILT_IN)?.bytes(position)?);
    let stored = rules.rules.is_built_in().then(stored).flatten();
    stored.or_else(|| RuleHead::new(rules.rules.get(position)?))
}

impl GroupState {
    /// Whether the shared automaton is to be asked at an anchor: from some number of asks on.
    fn is_asked_often(&mut self, anchor: u64) -> bool {
        let is_free = self.asked < FREE_ASKS;
        if is_free {
            self.asked += 1;
            self.known_from = anchor + 1;
        }
        !is_free
    }

    /// The rules of a shared automaton that may have a match which begins at `start`.
    fn run(&mut self, shared: &Shared, text: &[u8], start: usize) -> RuleBits {
        let states = self.states.get_or_insert_with(|| Box::new(shared.workspace()));
        let (rules, read) = shared.candidates(states, text, start);
        self.read += read as u64;
        rules
    }

    fn forget_before(&mut self, first: u64) {
        while self.matches.front().is_some_and(|(start, _)| *start < first) {
            self.matches.pop_front();
        }
    }

    /// What the automaton says of a start. It is run once at a start, however many anchors reach
    /// it: a rule that reaches a start from an anchor does so from each one nearer, so all that is
    /// asked later is known.
    fn known(&mut self, shared: &Shared, text: &[u8], base: u64, start: usize) -> RuleBits {
        let offset = base + start as u64;
        if offset < self.tried_to {
            let known = self.matches.iter().find(|(known, _)| *known == offset);
            return known.map_or(0, |(_, rules)| *rules);
        }
        let rules = self.run(shared, text, start);
        self.add(offset, rules);
        rules
    }

    fn add(&mut self, start: u64, rules: RuleBits) {
        if rules != 0 {
            self.matches.push_back((start, rules));
        }
    }
}

/// The digits that a number may hold from its first one on, with no more than two separators between
/// neighbours, counted as far as is asked.
#[derive(Debug)]
pub struct DigitCount {
    /// The next byte.
    at: usize,
    digits: u8,
    separators: u8,
}

impl DigitCount {
    /// Those of the number that begins here.
    pub fn from(start: usize) -> DigitCount {
        DigitCount { at: start, digits: 0, separators: 0 }
    }

    /// Whether there are at least so many.
    pub fn reaches(&mut self, text: &[u8], least: u8) -> bool {
        while self.digits < least {
            match text.get(self.at) {
                Some(b'0'..=b'9') => (self.digits, self.separators) = (self.digits + 1, 0),
                Some(byte) if self.separators < 2 && DIGIT_SEPARATORS.contains(byte) => {
                    self.separators += 1;
                }
                _ => return false,
            }
            self.at += 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::automaton::{Automaton, Workspace};
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
        // Far before their anchors.
        for ends in ["x", "AB ?", "[.-] ?"] {
            let pattern = format!("X[A-Zx .-]{{0,70}}{ends}[0-9]{{8}}");
            patterns.push((pattern, "anchors = { digits = 8 }\n".to_owned()));
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
        arrange(&positions, |position| rules.rules.get(position).map(Outline::of), &mut 0)
    }

    /// Those of the open rules that are left at an anchor, all groups together.
    fn left(
        watch: &Watch,
        states: &mut [GroupState],
        rules: &RuleSet,
        (text, anchor): (&[u8], usize),
        is_open: impl Fn(usize) -> bool,
    ) -> Vec<usize> {
        let open = |group: &Group| -> RuleBits {
            let bits = group.rules.iter().enumerate();
            bits.fold(0, |open, (bit, rule)| open | RuleBits::from(is_open(*rule)) << bit)
        };
        let mut left = Vec::new();
        let mut states = states.iter_mut();
        let mut by_group: Vec<(&Group, RuleBits)> = Vec::new();
        for front in &watch.fronts {
            let mut of = [0; ABREAST];
            of.iter_mut().zip(&front.groups).for_each(|(of, group)| *of = open(group));
            for (group, bits) in front.groups.iter().zip(front.left(rules, text, anchor, of)) {
                let state = states.next().unwrap();
                let bits = if group.is_worth_narrowing(bits) {
                    group.narrow(rules, state, text, anchor, bits)
                } else {
                    bits
                };
                by_group.push((group, bits));
            }
        }
        for (group, state) in watch.groups.iter().zip(states) {
            let of = open(group);
            by_group.push((group, group.candidates(rules, state, text, 0, anchor, of)));
        }
        for (group, bits) in by_group {
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

    /// All groups, in the order of [`left`].
    fn groups(watch: &Watch) -> Vec<&Group> {
        watch.fronts.iter().flat_map(|front| &front.groups).chain(&watch.groups).collect()
    }

    #[test]
    fn every_rule_is_in_one_group() {
        let rules = rules();
        let watch = watch(&rules);
        let mut all: Vec<usize> = groups(&watch).iter().flat_map(|it| it.rules.clone()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..rules.rules.len()).collect::<Vec<usize>>());
        assert!(groups(&watch).iter().all(|group| group.rules.len() <= Shared::MAX_RULES));
        // At the anchor, near before it, far before it.
        assert!(groups(&watch).len() <= rules.rules.len().div_ceil(Shared::MAX_RULES) + 3);
        let mut numbers: Vec<usize> = groups(&watch).iter().map(|group| group.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..groups(&watch).len()).collect::<Vec<usize>>());
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
            // As after the first few asks, which are not narrowed down.
            let state = |group: &&Group| GroupState { asked: FREE_ASKS, ..group.state() };
            let mut states: Vec<GroupState> = groups(&watch).iter().map(state).collect();
            let anchor = text.find(|c: char| c.is_ascii_digit()).unwrap();
            let text_and_anchor = (text.as_bytes(), anchor);
            let left = left(&watch, &mut states, &rules, text_and_anchor, |_| true);
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

    #[test]
    fn what_is_known_of_a_start_holds_for_rules_that_were_closed_before() {
        let pattern = "[A-Z](?:[0-9] |[A-Z]{2})[0-9]{8}";
        let anchors = "anchors = { digits = [8, 9] }";
        let rules = sample::rules(&[("nat.a", pattern, anchors), ("nat.b", pattern, anchors)], "");
        let watch = watch(&rules);
        let [group] = groups(&watch)[..] else { panic!("the two are in one group") };
        // Both numbers of the text reach its first byte.
        let text = b"A1 12345678";
        // With no free ask left, with the last one at the first number, and with free ones behind it.
        for asked in [FREE_ASKS, FREE_ASKS - 1, 0] {
            let mut states = [GroupState { asked, ..group.state() }];
            for (anchor, open) in [(1, vec![0]), (3, vec![0, 1])] {
                let is_open = |it| open.contains(&it);
                let left = left(&watch, &mut states, &rules, (text, anchor), is_open);
                assert_eq!(left, open, "{anchor} behind {asked} asks");
            }
        }
    }

    #[test]
    fn heads_that_stand_in_the_program_are_those_of_its_rules() {
        let rules = RuleSet::builtin().unwrap();
        let heads = rules.rules.iter().map(|rule| RuleHead::pack(rule).unwrap());
        let heads: Texts = heads.collect();
        assert_eq!(BUILT_IN, heads.pack_whole().unwrap());
        for (position, rule) in rules.rules.iter().enumerate() {
            assert_eq!(head_of(&rules, position), RuleHead::new(rule), "{}", rule.id);
        }
    }

    proptest! {
        #[test]
        fn a_rule_that_is_left_out_has_no_match(
            text in text(), closed in any::<[u64; 8]>(), asked in 0..=FREE_ASKS,
        ) {
            let rules = rules();
            let watch = watch(&rules);
            let state = |group: &&Group| GroupState { asked, ..group.state() };
            let mut states: Vec<GroupState> = groups(&watch).iter().map(state).collect();
            states.iter_mut().for_each(GroupState::restart);
            let automata: Vec<Automaton> =
                rules.rules.iter().map(|rule| Automaton::with_table(rule, None).unwrap()).collect();
            let mut spaces: Vec<_> = automata.iter().map(|_| Workspace::default()).collect();
            let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
            let anchors = (0..text.len()).filter(|at| is_digit(*at) && (*at == 0 || !is_digit(at - 1)));
            for anchor in anchors {
                // Other rules are open at each anchor; at some all.
                let closed = closed[anchor % closed.len()] & closed[anchor / 3 % closed.len()];
                let is_open = |rule: usize| anchor % 4 == 0 || closed >> (rule % 64) & 1 == 0;
                let left = left(&watch, &mut states, &rules, (&text, anchor), is_open);
                for (position, rule) in rules.rules.iter().enumerate() {
                    let first = anchor.saturating_sub(rule.lead.max());
                    let matches = (first..=anchor).any(|start| {
                        let barred = start > 0
                            && rule.boundary.is_some_and(|set| set.contains(text[start - 1]));
                        let space = &mut spaces[position];
                        let end = automata[position]
                            .match_at(space, rule, &text, start, start + rule.max_length)
                            .end;
                        !barred && end.is_some_and(|end| end > anchor)
                    });
                    prop_assert!(
                        !matches || !is_open(position) || left.contains(&position),
                        "{} at {anchor} of {:?}", rule.pattern, String::from_utf8_lossy(&text)
                    );
                }
            }
            // No start is read twice by one automaton.
            for (group, state) in groups(&watch).iter().zip(&states) {
                let longest = group.rules.iter().map(|it| rules.rules[*it].max_length).max().unwrap();
                prop_assert!(state.read <= (longest * text.len()) as u64);
            }
        }
    }
}
