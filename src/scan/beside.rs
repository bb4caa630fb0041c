//! What can stand beside a keyword in the matches of each rule that it anchors.
//!
//! A keyword in a text comes in, and which of its rules may match there goes out. INVARIANT: a rule
//! that is left out has no match that begins within its lead before the keyword or at it, and goes
//! on over the keyword's first byte; whether its pattern means this keyword to stand there, another
//! one or none. No other match is taken at an anchor, and which one is taken at the next does not
//! depend on what was tried before (`starts`): nothing is found less, nor otherwise.
//!
//! Each place beside the keyword is looked at by itself, so that a rule that is left may match. The
//! tables are made when the program is built.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use regex_automata::nfa::thompson::{NFA, State, WhichCaptures};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;
use serde::{Deserialize, Serialize};

use super::kinds::Kinds;
use super::steps::compile;
use super::sweep::{AnchorKind, SHAPE_KINDS};
use crate::rules::{ByteSet, Rule, RuleList};

/// Bytes directly behind a keyword that are looked at one by one.
const NEXT: usize = 3;

/// A run behind a keyword is followed so far: many keywords in one run must not cost more.
const LONGEST_RUN: usize = 32;

/// What can stand at each place beside a keyword.
#[derive(Clone, Copy, Default)]
struct Places {
    before: ByteSet,
    /// Directly behind it.
    next: [ByteSet; NEXT],
    /// The first byte behind it that is no white space.
    behind_space: ByteSet,
    /// The first byte behind it that is no mark: it is one of a word, or not ASCII.
    behind_marks: ByteSet,
    /// The first byte behind it that does not stand in names of things, such as `db.api_key-2`.
    behind_name: ByteSet,
}

/// How [`Places`] stand in the program: the length of the keyword, then the number of a set for each
/// place, two bytes each.
type Row = [[u8; 2]; 5 + NEXT];

/// What can stand beside the keywords of some rules.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// By kind of anchor: what can stand there for any of its rules.
    kinds: Cow<'static, [Row]>,
    /// For each kind its rules, as [`Kinds::rules_of`] numbers them.
    rules: Cow<'static, [Row]>,
    /// By number of a set, then one bit a byte. The first one holds all.
    sets: Cow<'static, [[u8; 32]]>,
}

/// The same as it stands in the program.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    kinds: &'a [u8],
    rules: &'a [u8],
    sets: &'a [u8],
}

impl Beside {
    /// What can stand beside these keywords for these rules, which are arranged so.
    #[allow(dead_code, reason = "it is for the build script")]
    pub fn new(rules: &RuleList, kinds: &Kinds, keywords: &[String]) -> Beside {
        let mut patterns: HashMap<usize, Option<Pattern>> = HashMap::new();
        let mut sets = Sets::default();
        let mut all = Beside {
            kinds: vec![Row::default(); kinds.len()].into(),
            rules: vec![Row::default(); kinds.rules()].into(),
            sets: Cow::default(),
        };
        for (number, keyword) in keywords.iter().enumerate() {
            let kind = AnchorKind::keyword(number).index();
            let (positions, first) = kinds.rules_of(kind);
            let mut any = Places::default();
            for (number, position) in (first..).zip(positions) {
                let pattern = patterns.entry(position);
                let pattern = pattern.or_insert_with(|| Pattern::new(rules.get(position)?));
                let places = pattern.as_mut().map(|pattern| pattern.beside(keyword.as_bytes()));
                let places = places.unwrap_or(Places::ALL);
                any.add(&places);
                if let Some(row) = all.rules.to_mut().get_mut(number) {
                    *row = sets.row(keyword, &places);
                }
            }
            if let Some(row) = all.kinds.to_mut().get_mut(kind) {
                *row = sets.row(keyword, &any);
            }
        }
        Beside { sets: sets.all.iter().map(ByteSet::bits).collect(), ..all }
    }

    /// What [`Beside::stored`] takes.
    ///
    /// # Errors
    ///
    /// None that is known: all of it can be written.
    #[allow(dead_code, reason = "it is for the build script")]
    pub fn pack(&self) -> postcard::Result<Vec<u8>> {
        postcard::to_stdvec(&Stored {
            kinds: self.kinds.as_flattened().as_flattened(),
            rules: self.rules.as_flattened().as_flattened(),
            sets: self.sets.as_flattened(),
        })
    }

    /// Tables that were packed into the program, used where they stand; none where the bytes are no
    /// such thing.
    pub fn stored(bytes: &'static [u8]) -> Option<Beside> {
        fn rows(bytes: &'static [u8]) -> Option<Cow<'static, [Row]>> {
            let (numbers, []) = bytes.as_chunks() else { return None };
            let (rows, []) = numbers.as_chunks() else { return None };
            Some(rows.into())
        }
        let stored: Stored<'static> = postcard::from_bytes(bytes).ok()?;
        let (sets, []) = stored.sets.as_chunks() else { return None };
        Some(Beside { kinds: rows(stored.kinds)?, rules: rows(stored.rules)?, sets: sets.into() })
    }

    /// Whether any rule of a kind of anchor may have a match at this one.
    #[inline]
    pub fn admits_any(&self, kind: AnchorKind, text: &[u8], anchor: usize) -> bool {
        kind.index() < SHAPE_KINDS
            || self.kinds.get(kind.index()).is_none_or(|row| self.holds(row, text, anchor))
    }

    /// Whether one may, by its number among the rules of all kinds.
    #[inline]
    pub fn admits(&self, number: usize, text: &[u8], anchor: usize) -> bool {
        self.rules.get(number).is_none_or(|row| self.holds(row, text, anchor))
    }

    /// Whether the bytes beside a keyword are in their sets. What is not there, or too far, counts as
    /// being so.
    #[inline]
    fn holds(&self, row: &Row, text: &[u8], anchor: usize) -> bool {
        let [length, before, next @ .., space, marks, name] = row;
        let in_set = |set: &[u8; 2], byte: &u8| {
            let set = self.sets.get(usize::from(u16::from_le_bytes(*set)));
            let bits = set.and_then(|set| set.get(usize::from(byte >> 3)));
            bits.is_none_or(|bits| bits >> (byte & 7) & 1 == 1)
        };
        let behind = text.get(anchor + usize::from(u16::from_le_bytes(*length))..);
        let behind = behind.unwrap_or_default();
        let byte = anchor.checked_sub(1).and_then(|at| text.get(at));
        // Without a branch on each: which one says no is hard to foresee.
        let mut holds = byte.is_none_or(|byte| in_set(before, byte));
        for (set, byte) in next.iter().zip(behind) {
            holds &= in_set(set, byte);
        }
        if !holds {
            return false;
        }
        let behind = behind.get(..LONGEST_RUN).unwrap_or(behind);
        let runs = [(space, SPACE), (marks, MARK), (name, NAME)];
        runs.into_iter().filter(|(set, _)| **set != ANY).all(|(set, run)| {
            let byte = behind.iter().find(|byte| !is_of(**byte, run));
            byte.is_none_or(|byte| in_set(set, byte))
        })
    }
}

/// The number of the set of all bytes.
const ANY: [u8; 2] = [0; 2];

/// White space.
const SPACE: u8 = 1;

/// Bytes that are neither of a word nor beyond ASCII.
const MARK: u8 = 2;

/// Bytes that stand in names of things.
const NAME: u8 = 4;

/// By byte: the runs that it can be part of.
static RUNS: [u8; 256] = {
    let mut runs = [0; 256];
    let (mut byte, mut left) = (0, runs.as_mut_slice());
    while let [first, rest @ ..] = left {
        *first = match byte {
            b'.' | b'-' => MARK | NAME,
            b' ' | b'\t' | b'\r' | b'\n' => MARK | SPACE,
            _ if is_word(byte) => NAME,
            0x80.. => 0,
            _ => MARK,
        };
        byte = byte.wrapping_add(1);
        left = rest;
    }
    runs
};

/// Whether a byte can be part of a run.
#[inline]
fn is_of(byte: u8, run: u8) -> bool {
    RUNS.get(usize::from(byte)).is_some_and(|runs| runs & run != 0)
}

/// Whether `\b` takes the byte for one of a word.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Sets of bytes, each once. The first one holds all.
struct Sets {
    all: Vec<ByteSet>,
    numbers: HashMap<ByteSet, u16>,
}

impl Default for Sets {
    fn default() -> Sets {
        Sets { all: vec![ByteSet::ALL], numbers: HashMap::from([(ByteSet::ALL, 0)]) }
    }
}

impl Sets {
    fn row(&mut self, keyword: &str, places: &Places) -> Row {
        let Places { before, next: [one, two, three], .. } = places;
        let Places { behind_space, behind_marks, behind_name, .. } = places;
        let sets = [before, one, two, three, behind_space, behind_marks, behind_name];
        let mut row = Row::default();
        let numbers = [u16::try_from(keyword.len()).unwrap_or(u16::MAX)].into_iter();
        let numbers = numbers.chain(sets.map(|set| self.number(set)));
        row.iter_mut().zip(numbers).for_each(|(slot, number)| *slot = number.to_le_bytes());
        row
    }

    /// The number of a set; that of all bytes where there are too many sets.
    fn number(&mut self, set: &ByteSet) -> u16 {
        if let Some(number) = self.numbers.get(set) {
            return *number;
        }
        let Ok(number) = u16::try_from(self.all.len()) else { return 0 };
        self.all.push(*set);
        self.numbers.insert(*set, number);
        number
    }
}

impl Places {
    const ALL: Places = Places {
        before: ByteSet::ALL,
        next: [ByteSet::ALL; NEXT],
        behind_space: ByteSet::ALL,
        behind_marks: ByteSet::ALL,
        behind_name: ByteSet::ALL,
    };

    fn add(&mut self, other: &Places) {
        self.before.add(&other.before);
        self.next.iter_mut().zip(&other.next).for_each(|(set, more)| set.add(more));
        self.behind_space.add(&other.behind_space);
        self.behind_marks.add(&other.behind_marks);
        self.behind_name.add(&other.behind_name);
    }
}

/// What assertions see of a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sight {
    Word,
    LineEnd,
    Other,
}

impl Sight {
    const ALL: [Sight; 3] = [Sight::Word, Sight::LineEnd, Sight::Other];

    /// The bytes that are seen as this.
    fn bytes(self) -> ByteSet {
        let is_seen = |byte: &u8| match self {
            Sight::Word => is_word(*byte),
            Sight::LineEnd => *byte == b'\n',
            Sight::Other => !is_word(*byte) && *byte != b'\n',
        };
        (0..=255).filter(is_seen).collect()
    }

    /// Whether an assertion holds between two bytes. Others than these count as true.
    fn holds(look: Look, before: Sight, next: Sight) -> bool {
        let is_border = (before == Sight::Word) != (next == Sight::Word);
        match look {
            Look::WordAscii => is_border,
            Look::WordAsciiNegate => !is_border,
            Look::StartLF => before == Sight::LineEnd,
            Look::EndLF => next == Sight::LineEnd,
            _ => true,
        }
    }
}

/// The states that matches can be in, by what assertions see of the byte before.
type Spots = [Vec<StateID>; Sight::ALL.len()];

/// A rule's pattern.
struct Pattern {
    nfa: NFA,
    /// By state: the bytes that it takes, and where they lead.
    ways: Vec<Vec<(ByteSet, StateID)>>,
    /// States in which a match can be at its anchor, with the bytes that can stand before it then, most
    /// bytes first.
    entered: Vec<(StateID, ByteSet)>,
    sights: [ByteSet; Sight::ALL.len()],
    /// By state: the last closure that it was in.
    seen: Vec<u32>,
    closures: u32,
}

/// Where matches go on with one byte more.
struct Steps {
    spots: Spots,
    /// The bytes that they go on with.
    taken: ByteSet,
    /// The bytes before which one ends.
    ended: ByteSet,
}

impl Pattern {
    fn new(rule: &Rule) -> Option<Pattern> {
        let nfa = compile(&[&rule.pattern], WhichCaptures::None)?;
        let mut pattern = Pattern {
            ways: nfa.states().iter().map(ways).collect(),
            entered: Vec::new(),
            sights: Sight::ALL.map(Sight::bytes),
            seen: vec![0; nfa.states().len()],
            closures: 0,
            nfa,
        };
        let mut entered = pattern.entered(rule.lead.max());
        let barred = rule.boundary.unwrap_or_default();
        entered.entry(pattern.nfa.start_anchored()).or_default().add(&barred.others());
        pattern.entered = entered.into_iter().collect();
        pattern.entered.sort_by_key(|(_, bytes)| std::cmp::Reverse(bytes.iter().count()));
        Some(pattern)
    }

    /// The states that a match can be in when it has read a byte or more, up to so many, with the last of
    /// them. All assertions count as true.
    fn entered(&mut self, lead: usize) -> BTreeMap<StateID, ByteSet> {
        let mut entered: BTreeMap<StateID, ByteSet> = BTreeMap::new();
        let mut reached = vec![self.nfa.start_anchored()];
        for _ in 0..lead {
            let (closed, _) = self.closure(&reached, |_| true);
            reached.clear();
            for state in closed {
                for (bytes, next) in self.ways.get(state.as_usize()).into_iter().flatten() {
                    let before = entered.entry(*next).or_insert_with(|| {
                        reached.push(*next);
                        ByteSet::EMPTY
                    });
                    before.add(bytes);
                }
            }
            if reached.is_empty() {
                break;
            }
        }
        entered
    }

    /// The states that read a byte and are reached from some without reading one, and whether a match ends
    /// there. An assertion holds where `holds` says so.
    fn closure(&mut self, from: &[StateID], holds: impl Fn(Look) -> bool) -> (Vec<StateID>, bool) {
        self.closures += 1;
        let (mut open, mut closed, mut has_ended) = (from.to_vec(), Vec::new(), false);
        while let Some(state) = open.pop() {
            match self.seen.get_mut(state.as_usize()) {
                Some(seen) if *seen != self.closures => *seen = self.closures,
                _ => continue,
            }
            match self.nfa.state(state) {
                State::Union { alternates } => open.extend(alternates.iter()),
                State::BinaryUnion { alt1, alt2 } => open.extend([*alt1, *alt2]),
                State::Capture { next, .. } => open.push(*next),
                State::Look { look, next } if holds(*look) => open.push(*next),
                State::Look { .. } | State::Fail => {}
                State::Match { .. } => has_ended = true,
                _ => closed.push(state),
            }
        }
        (closed, has_ended)
    }

    /// Where matches go on with one of some bytes.
    fn step(&mut self, from: &Spots, with: &ByteSet) -> Steps {
        let mut steps =
            Steps { spots: Spots::default(), taken: ByteSet::EMPTY, ended: ByteSet::EMPTY };
        let next = Sight::ALL.into_iter().zip(self.sights).zip(&mut steps.spots);
        for ((sight, mut bytes), behind) in next {
            bytes.keep(with);
            if bytes == ByteSet::EMPTY {
                continue;
            }
            for (before, states) in Sight::ALL.into_iter().zip(from) {
                let (closed, has_ended) =
                    self.closure(states, |look| Sight::holds(look, before, sight));
                if has_ended {
                    steps.ended.add(&bytes);
                }
                for state in closed {
                    for (taken, next) in self.ways.get(state.as_usize()).into_iter().flatten() {
                        let mut taken = *taken;
                        taken.keep(&bytes);
                        if taken != ByteSet::EMPTY {
                            steps.taken.add(&taken);
                            behind.push(*next);
                        }
                    }
                }
            }
            behind.sort_unstable();
            behind.dedup();
        }
        steps
    }

    /// What can stand beside a keyword where a match goes on over its first byte.
    fn beside(&mut self, keyword: &[u8]) -> Places {
        let mut places = Places::default();
        let entered = std::mem::take(&mut self.entered);
        let mut at_anchor = Spots::default();
        for (state, before) in &entered {
            for ((number, spots), sight) in (0..).zip(&mut at_anchor).zip(self.sights) {
                let mut before = *before;
                before.keep(&sight);
                if before != ByteSet::EMPTY {
                    spots.push(*state);
                }
                let mut one = Spots::default();
                one.iter_mut().skip(number).take(1).for_each(|spots| spots.push(*state));
                if !before.is_subset(&places.before) && self.over(&one, keyword).is_some() {
                    places.before.add(&before);
                }
            }
        }
        self.entered = entered;
        let Some((mut behind, has_ended)) = self.over(&at_anchor, keyword) else { return places };
        if has_ended {
            return Places { before: places.before, ..Places::ALL };
        }
        places.behind_space = self.beyond(&behind, SPACE);
        places.behind_marks = self.beyond(&behind, MARK);
        places.behind_name = self.beyond(&behind, NAME);
        for place in 0..NEXT {
            let steps = self.step(&behind, &ByteSet::ALL);
            let mut next = places.next.iter_mut().skip(place);
            next.by_ref().take(1).for_each(|set| *set = steps.passed());
            if steps.ended != ByteSet::EMPTY {
                next.for_each(|set| *set = ByteSet::ALL);
                break;
            }
            behind = steps.spots;
        }
        places
    }

    /// Where matches are behind a keyword, and whether one may have ended in it; none where there are
    /// none.
    fn over(&mut self, from: &Spots, keyword: &[u8]) -> Option<(Spots, bool)> {
        let (mut spots, mut has_ended) = (from.clone(), false);
        for (number, byte) in keyword.iter().enumerate() {
            let cases = [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
            let steps = self.step(&spots, &cases.into_iter().collect());
            // A match that ends before the keyword is none of its own.
            has_ended |= number > 0 && steps.ended != ByteSet::EMPTY;
            spots = steps.spots;
            if spots == Spots::default() {
                break;
            }
        }
        (has_ended || spots != Spots::default()).then_some((spots, has_ended))
    }

    /// What can stand behind a run of bytes, which may be empty.
    fn beyond(&mut self, from: &Spots, run: u8) -> ByteSet {
        let run: ByteSet = (0..=255).filter(|byte| is_of(*byte, run)).collect();
        let mut known: [HashSet<StateID>; Sight::ALL.len()] = Default::default();
        let (mut spots, mut beyond) = (from.clone(), ByteSet::EMPTY);
        while spots != Spots::default() {
            beyond.add(&self.step(&spots, &run.others()).passed());
            let steps = self.step(&spots, &run);
            if steps.ended != ByteSet::EMPTY {
                return ByteSet::ALL;
            }
            spots = steps.spots;
            for (states, known) in spots.iter_mut().zip(&mut known) {
                states.retain(|state| known.insert(*state));
            }
        }
        beyond
    }
}

impl Steps {
    /// The bytes that can be next where there is a match.
    fn passed(&self) -> ByteSet {
        let mut passed = self.taken;
        passed.add(&self.ended);
        passed
    }
}

/// The bytes that a state takes, and where they lead.
fn ways(state: &State) -> Vec<(ByteSet, StateID)> {
    let mut ways: Vec<(ByteSet, StateID)> = Vec::new();
    let mut add = |first: u8, last: u8, next: StateID| match ways.last_mut() {
        Some((bytes, to)) if *to == next => (first..=last).for_each(|byte| bytes.insert(byte)),
        _ => ways.push(((first..=last).collect(), next)),
    };
    match state {
        State::ByteRange { trans } => add(trans.start, trans.end, trans.next),
        State::Sparse(sparse) => {
            sparse.transitions.iter().for_each(|it| add(it.start, it.end, it.next));
        }
        State::Dense(dense) => {
            for (byte, next) in (0..=255).zip(dense.transitions.iter()) {
                if *next != StateID::ZERO {
                    add(byte, byte, *next);
                }
            }
        }
        _ => {}
    }
    ways
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock, OnceLock};

    use proptest::prelude::*;

    use super::*;
    use crate::rules::{Anchors, RuleSet};
    use crate::scan::Plan;
    use crate::scan::automaton::{Automaton, Workspace};
    use crate::scan::sample;
    use crate::scan::sweep::{Kernel, Scratch, Sweep};

    const PATTERNS: [(&str, &str); 17] = [
        (r"\bkey[0-9]{2}", "[\"key\"]"),
        (r"\Bkey\b", "[\"key\"]"),
        (r"KEY[ :=]{0,3}[A-Z][a-z]", "[\"key\"]"),
        (r"[a-z.]{0,9}key[\w.-]{0,9}\s{0,5}[:=]", "[\"key\"]"),
        (r"(?i:key|token)(?:key)?[ '\x22]{0,9}(?:\xc3|[A-Z])", "[\"key\", \"token\"]"),
        (r"(?m:^)token(?m:$)", "[\"token\"]"),
        (r"(?m:^)[ \t]{0,4}(?:tok|token)(?m:$)", "[\"tok\"]"),
        (r"[0-9]{1,3} ?(?i:token)", "[\"token\"]\nboundary = '[0-9.-]'"),
        (r"\w{1,6}token(?:\s[a-z]{1,3}){2,3}", "[\"token\"]\nboundary = '\\w'"),
        (r"to[kenx]{1,4}[^\s]{1,3}!", "[\"tok\", \"toe\", \"tox\", \"ton\"]"),
        (r"k[a-z]{2,9}=(?:key){1,3}\B", "[\"=key\"]"),
        (r"é?ключ[ :]{1,2}\S", "[\"ключ\"]"),
        (r"://[^\s:@/]{0,22}:[^\s@]{1,9}@", "[\"://\"]"),
        (r"(?:a?key){1,9}", "[\"key\"]\nmax_length = 12"),
        (r"[ke]{0,9}y?key[ey]{0,3}[^ke]", "[\"key\"]"),
        (r"\b[0-9]{2}\b-token", "[\"token\"]"),
        (r"a{0,3}keyt?", "[\"key\", \"ytok\"]"),
    ];

    /// Rules, and what finds their anchors and matches.
    struct Sample {
        rules: Arc<RuleSet>,
        kinds: Kinds,
        beside: Beside,
        /// Of the rules of the program.
        plan: Option<Plan>,
        sweep: Sweep,
        automata: Vec<OnceLock<Automaton>>,
    }

    impl Sample {
        fn new(rules: Arc<RuleSet>, plan: Option<Plan>) -> Sample {
            let (kinds, keywords) = Kinds::new(&rules.rules);
            let beside = match &plan {
                Some(_) => Beside::default(),
                None => Beside::new(&rules.rules, &kinds, &keywords),
            };
            let sweep = Sweep::new(&keywords, Kernel::Portable);
            let automata = (0..rules.rules.len()).map(|_| OnceLock::new()).collect();
            Sample { rules, kinds, beside, plan, sweep, automata }
        }

        /// The positions of the rules that are left at a keyword.
        fn left(&self, kind: AnchorKind, text: &[u8], anchor: usize) -> Vec<usize> {
            let (positions, first) = self.kinds.rules_of(kind.index());
            let Some(plan) = &self.plan else {
                if !self.beside.admits_any(kind, text, anchor) {
                    return Vec::new();
                }
                let rules = (first..).zip(positions);
                let left = rules.filter(|(number, _)| self.beside.admits(*number, text, anchor));
                return left.map(|(_, position)| position).collect();
            };
            if !plan.beside().admits_any(kind, text, anchor) {
                return Vec::new();
            }
            let left = plan.watch(kind).unwrap().all_groups().flat_map(|group| {
                let left = group.beside(plan.beside(), text, anchor, u64::MAX);
                let rules = group.rules.iter().enumerate();
                rules.filter(move |(bit, _)| left >> bit & 1 == 1).map(|(_, position)| *position)
            });
            left.collect()
        }

        /// Whether a match of a rule begins within its lead and covers the anchor.
        fn matches(&self, position: usize, text: &[u8], anchor: usize) -> bool {
            let rule = &self.rules.rules[position];
            let automaton =
                self.automata[position].get_or_init(|| Automaton::with_table(rule, None).unwrap());
            let mut space = Workspace::default();
            (anchor.saturating_sub(rule.lead.max())..=anchor).any(|start| {
                let is_barred = start > 0
                    && rule.boundary.is_some_and(|barred| barred.contains(text[start - 1]));
                let limit = start + rule.max_length;
                let tried = automaton.match_at(&mut space, rule, text, start, limit);
                !is_barred && tried.end.is_some_and(|end| end > anchor)
            })
        }

        /// The keywords at which a rule was left out that has a match there; how many rules the
        /// keywords set off, and how many of them were left.
        fn check(&self, text: &[u8]) -> (Vec<(usize, &str)>, usize, usize) {
            let (mut anchors, mut wrong, mut all, mut few) = (Vec::new(), Vec::new(), 0, 0);
            self.sweep.find(text, 0, text.len(), &mut Scratch::default(), &mut anchors);
            for anchor in anchors {
                let (positions, _) = self.kinds.rules_of(anchor.kind.index());
                let of_keyword = |position: &usize| {
                    matches!(self.rules.rules[*position].anchors, Anchors::Keywords(_))
                };
                if !positions.iter().all(of_keyword) {
                    continue;
                }
                let left = self.left(anchor.kind, text, anchor.at);
                (all, few) = (all + positions.len(), few + left.len());
                let out = positions.into_iter().filter(|position| !left.contains(position));
                let found = out.filter(|position| self.matches(*position, text, anchor.at));
                wrong.extend(found.map(|it| (anchor.at, self.rules.rules[it].pattern.as_str())));
            }
            (wrong, all, few)
        }
    }

    fn sample() -> &'static Sample {
        static SAMPLE: LazyLock<Sample> = LazyLock::new(|| {
            let rules: Vec<(String, &str, String)> = (0..)
                .zip(PATTERNS)
                .map(|(id, (pattern, keywords)): (usize, _)| {
                    let (keywords, more) = keywords.split_once('\n').unwrap_or((keywords, ""));
                    let more = format!("anchors = {{ keywords = {keywords} }}\n{more}\n");
                    (format!("nat.n{id}"), pattern, more)
                })
                .collect();
            let rules: Vec<(&str, &str, &str)> =
                rules.iter().map(|(id, pattern, more)| (&**id, *pattern, &**more)).collect();
            Sample::new(sample::rules(&rules, ""), None)
        });
        &SAMPLE
    }

    /// The rules that ship with the program.
    fn built_in() -> &'static Sample {
        static BUILT_IN: LazyLock<Sample> = LazyLock::new(|| {
            let rules = Arc::new(RuleSet::builtin().unwrap());
            let plan = Plan::new(rules.clone(), Kernel::Portable);
            Sample::new(rules, Some(plan))
        });
        &BUILT_IN
    }

    /// What is built of parts of some texts and single bytes that stand beside keywords.
    fn text(parts: Vec<String>) -> impl Strategy<Value = Vec<u8>> {
        let part = (proptest::sample::select(parts), any::<[u8; 2]>()).prop_map(|(part, cut)| {
            let [from, to] =
                cut.map(|cut| usize::from(cut).saturating_sub(128) % part.len().max(1));
            part.as_bytes()[from..(part.len() - to).max(from)].to_vec()
        });
        let between = proptest::sample::select(vec![
            "", "", " ", "\n", ": ", "=", " = ", "'", "\"", ".", "-", "_", "a", "A", "7", "é", "  ",
        ]);
        proptest::collection::vec((part, between), 0..7).prop_map(|parts| {
            let parts = parts.into_iter().map(|(part, between)| [part, between.into()].concat());
            parts.collect::<Vec<_>>().concat()
        })
    }

    fn pieces() -> Vec<String> {
        let pieces = "key KEY Key token Token tok toe ton tox =key kabc=key aked akeyakey ключ :// \
                      a.b:c@d :x@ 42 42-token keytok abc x! ke y";
        pieces.split(' ').map(str::to_owned).collect()
    }

    /// Keywords, and examples of the rules that have some.
    fn examples() -> Vec<String> {
        let rules = &built_in().rules.rules;
        let rules = rules.iter().filter_map(|rule| match &rule.anchors {
            Anchors::Keywords(words) => Some((words, &rule.examples)),
            _ => None,
        });
        let texts = rules.flat_map(|(words, examples)| {
            words.iter().cloned().chain(examples.iter().map(|example| example.text.clone()))
        });
        texts.filter(|text| text.len() < 400).collect()
    }

    #[test]
    fn what_cannot_stand_beside_a_keyword_leaves_its_rule_out() {
        let sample = sample();
        for (pattern, text, is_left) in [
            (0, "key12", true),
            (0, "akey12", false),
            (0, ".key1a", false),
            (1, "akey", true),
            (1, "key", true),
            (1, " key", false),
            (2, "KEY=  Ab", true),
            (2, "KEY= = ab", false),
            (3, "a.key.of-it  =", true),
            (3, "a.key.of-it  (", true),
            (3, "a.key.of-it(", false),
            (4, "TOKENKEY 'É", true),
            (4, "TOKEN 'e", false),
            (5, "\ntoken\n", true),
            (5, ".token\n", false),
            (7, "-7 token", true),
            (7, "-token", false),
            (15, "42-token", true),
            (15, "4-token", true),
            (15, "42.token", false),
            (12, "://a:b@", true),
            (12, "://example.org/a:b@", false),
        ] {
            let mut anchors = Vec::new();
            let bytes = text.as_bytes();
            sample.sweep.find(bytes, 0, bytes.len(), &mut Scratch::default(), &mut anchors);
            let mut left = anchors.iter().flat_map(|it| sample.left(it.kind, bytes, it.at));
            let id = format!("nat.n{pattern}");
            let is_it = |position: usize| sample.rules.rules[position].id == id;
            assert_eq!(left.any(is_it), is_left, "{} in {text:?}", PATTERNS[pattern].0);
        }
    }

    #[test]
    fn rules_of_the_program_match_where_they_are_left() {
        let (mut all, mut left) = (0, 0);
        for text in examples() {
            let (wrong, some, few) = built_in().check(text.as_bytes());
            assert!(wrong.is_empty(), "{text:?}: {wrong:?}");
            (all, left) = (all + some, left + few);
        }
        assert!(left < all, "{left} of {all}");
    }

    #[test]
    fn stored_tables_are_those_that_were_packed() {
        let packed: &'static [u8] = sample().beside.pack().unwrap().leak();
        assert_eq!(Beside::stored(packed).unwrap(), sample().beside);
        assert!(Beside::stored(packed.split_last().unwrap().1).is_none());
    }

    proptest! {
        #[test]
        fn a_rule_that_is_left_out_has_no_match(text in text(pieces())) {
            let (wrong, ..) = sample().check(&text);
            prop_assert!(wrong.is_empty(), "{wrong:?} in {:?}", String::from_utf8_lossy(&text));
        }

        #[test]
        fn a_rule_of_the_program_that_is_left_out_has_no_match(text in text(examples())) {
            let (wrong, ..) = built_in().check(&text);
            prop_assert!(wrong.is_empty(), "{wrong:?} in {:?}", String::from_utf8_lossy(&text));
        }
    }
}
