//! Which rules of one kind of anchor can match where it stands, told by the kinds of bytes there.
//!
//! A text and an anchor come in, the rules that may have a match there go out: a rule that is left
//! out has none. One automaton of all the patterns reads classes of bytes in place of bytes, so that
//! all numbers of one form share a few states, which stay at hand. It is made when the program is
//! built and holds what is likely in text: where it ends, the rules that it has not ruled out are
//! left.

mod builder;
mod profile;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use self::builder::{Builder, Classes, Pattern};
pub use self::profile::Seen;
use self::profile::{Profiles, SYMBOLS};
use super::kinds::Kinds;
use super::sweep::{Anchor, AnchorKind, SHAPE_KINDS};
use crate::rules::{Rule, RuleList, Shape};

/// Bytes from the anchor on that are read at most.
const DEPTH: usize = 24;

/// Bytes before the anchor that are read at most. Of a match that begins farther away it is only known
/// what it can be at its anchor.
const MOST_LEAD: usize = 4;

/// Bytes that are there for a walk beside others.
const WINDOW: usize = MOST_LEAD + DEPTH;

/// Classes of bytes at most; a power of two, so that a row of steps is one line of a cache.
const CLASSES: usize = 32;

/// What marks the end of a walk: the rest is the number of a list of rules.
const END: u16 = 0x8000;

/// Shapes that have a sieve. Of the others a rule or two want more bytes than are read here.
const SHAPES: [Shape; 5] =
    [Shape::Digits, Shape::At, Shape::LettersDigits, Shape::Token, Shape::HexColon];

/// Anchors that are walked side by side: a walk waits for memory at each byte, and the others go on
/// meanwhile.
const ABREAST: usize = 8;

/// Words of a list: a bit for each rule, so many at most.
const WORDS: usize = 4;

/// Rules of a sieve, one bit each.
pub type SieveBits = [u64; WORDS];

/// A list of rules as it is stored.
type Listed = [[u8; 8]; WORDS];

/// Where a walk goes on: the number of a state, or, with [`END`], that of a list.
type Step = [u8; 2];

/// What a walk has come to: the number of a list of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked(u16);

/// Anchors of one kind that are to be walked side by side, once there are enough of them.
#[derive(Clone, Copy, Default)]
struct Batch {
    places: [usize; ABREAST],
    anchors: [usize; ABREAST],
    count: usize,
}

impl Batch {
    /// Whether there are enough now.
    fn add(&mut self, place: usize, anchor: usize) -> bool {
        if let Some(room) = self.places.get_mut(self.count) {
            *room = place;
        }
        if let Some(room) = self.anchors.get_mut(self.count) {
            *room = anchor;
        }
        self.count += 1;
        self.count == ABREAST
    }

    fn walk(&mut self, sieve: &Sieve, text: &[u8], found: &mut impl FnMut(usize, Walked)) {
        let anchors = self.anchors.get(..self.count).unwrap_or_default();
        let walked = sieve.walk_abreast(text, anchors);
        self.places.iter().zip(walked).take(self.count).for_each(|(place, it)| found(*place, it));
        self.count = 0;
    }
}

/// The automaton of one kind of anchor.
#[derive(Debug, PartialEq, Eq)]
pub struct Sieve {
    /// By byte.
    classes: Cow<'static, [u8; 256]>,
    /// Bytes before the anchor at which a walk begins: as far as a match does, if that is not far.
    lead: usize,
    /// Where a walk begins: by class of the byte before it, then where there is none, and last by how
    /// many bytes fewer there are.
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
    profiles: Profiles,
}

/// A sieve as it stands in the program.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    kind: u16,
    lead: usize,
    classes: &'a [u8],
    starts: &'a [u8],
    next: &'a [u8],
    left: &'a [u8],
    lists: &'a [u8],
    positions: &'a [u8],
    pairs: &'a [u8],
    thirds: &'a [u8],
    profile_starts: &'a [u8],
    profile_next: &'a [u8],
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

    /// Whether what stands around an anchor tells that no rule is left there; if not, there may be some.
    #[inline]
    pub fn rule_out_all(&self, seen: &mut Seen, text: &[u8], anchor: Anchor) -> bool {
        let Some(sieve) = self.of(anchor.kind) else { return false };
        sieve.profiles.rule_out_all(seen, sieve.lead, text, anchor)
    }

    /// Calls `found` with the places, among these anchors, of those that have a sieve, and with what its
    /// walk comes to there, unless the text is too short on one side for that to be known yet. Anchors at
    /// which no rule is left are known already where `seen` is none.
    pub fn walk_all(
        &self,
        text: &[u8],
        anchors: &[Anchor],
        mut seen: Option<&mut Seen>,
        mut found: impl FnMut(usize, Walked),
    ) {
        if !anchors.iter().any(|anchor| self.of(anchor.kind).is_some()) {
            return;
        }
        let mut batches = [Batch::default(); SHAPE_KINDS];
        for (place, anchor) in anchors.iter().enumerate() {
            let kind = anchor.kind.index();
            let (Some(sieve), Some(batch)) = (self.of(anchor.kind), batches.get_mut(kind)) else {
                continue;
            };
            if seen.as_deref_mut().is_some_and(|seen| self.rule_out_all(seen, text, *anchor)) {
                found(place, Walked(0));
            } else if sieve.has_room(text, anchor.at) && batch.add(place, anchor.at) {
                batch.walk(sieve, text, &mut found);
            }
        }
        for (batch, sieve) in batches.iter_mut().zip(&self.by_kind) {
            if let Some(sieve) = sieve
                && batch.count > 0
            {
                batch.walk(sieve, text, &mut found);
            }
        }
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
            lead: sieve.lead,
            classes: sieve.classes.as_slice(),
            starts: sieve.starts.as_flattened(),
            next: sieve.next.as_flattened().as_flattened(),
            left: sieve.left.as_flattened(),
            lists: sieve.lists.as_flattened().as_flattened(),
            positions: sieve.positions.as_flattened(),
            pairs: sieve.pairs.as_flattened().as_flattened(),
            thirds: sieve.thirds.as_flattened().as_flattened(),
            profile_starts: sieve.profiles.starts.as_flattened(),
            profile_next: sieve.profiles.next.as_flattened().as_flattened(),
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
            let (profiles, []): (&[[Step; SYMBOLS]], _) = steps(stored.profile_next)?.as_chunks()
            else {
                return None;
            };
            let sieve = Sieve {
                lead: stored.lead,
                classes: Cow::Borrowed(stored.classes.try_into().ok()?),
                starts: Cow::Borrowed(steps(stored.starts)?),
                next: Cow::Borrowed(next),
                left: Cow::Borrowed(steps(stored.left)?),
                lists: Cow::Borrowed(lists(stored.lists)?),
                positions: Cow::Borrowed(steps(stored.positions)?),
                pairs: Cow::Borrowed(lists(stored.pairs)?),
                thirds: Cow::Borrowed(lists(stored.thirds)?),
                profiles: Profiles {
                    starts: Cow::Borrowed(steps(stored.profile_starts)?),
                    next: Cow::Borrowed(profiles),
                },
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

    /// The positions of the rules that may have a match at this anchor, in order, by what a walk there
    /// has come to.
    #[inline(always)]
    pub fn left(&self, text: &[u8], anchor: usize, walked: Walked) -> Left<'_> {
        let none = Left { positions: &[], left: [0; WORDS], base: 0 };
        let Walked(list @ 1..) = walked else { return none };
        let Some(ahead) = text.get(anchor..) else { return none };
        let before = anchor.checked_sub(1).and_then(|before| text.get(before));
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

    /// Those rules of which this holds, by position; none where it holds of none.
    pub fn bits(&self, mut holds: impl FnMut(usize) -> bool) -> Option<SieveBits> {
        let mut bits = [0; WORDS];
        for (number, position) in self.positions.iter().enumerate() {
            if holds(usize::from(u16::from_le_bytes(*position)))
                && let Some(word) = bits.get_mut(number / 64)
            {
                *word |= 1 << (number % 64);
            }
        }
        (bits != [0; WORDS]).then_some(bits)
    }

    /// Whether the text goes on so far on both sides of an anchor that more makes no difference to a walk.
    fn has_room(&self, text: &[u8], anchor: usize) -> bool {
        anchor > self.lead && text.len().saturating_sub(anchor - self.lead) >= WINDOW
    }

    /// What walks come to at some anchors, at most [`ABREAST`], that have room.
    fn walk_abreast(&self, text: &[u8], anchors: &[usize]) -> [Walked; ABREAST] {
        let mut all = [Walked(0); ABREAST];
        match anchors.len() {
            0 => {}
            1 => {
                for (walked, anchor) in all.iter_mut().zip(anchors) {
                    *walked = self.walk(text, *anchor);
                }
            }
            2..=4 => {
                let few: [Walked; 4] = self.walk_lanes(text, anchors);
                all.iter_mut().zip(few).for_each(|(walked, it)| *walked = it);
            }
            _ => all = self.walk_lanes(text, anchors),
        }
        all
    }

    fn walk_lanes<const LANES: usize>(&self, text: &[u8], anchors: &[usize]) -> [Walked; LANES] {
        let (classes, next): (&[u8; 256], _) = (&self.classes, &*self.next);
        let class = |byte: u8| classes.get(usize::from(byte)).map_or(0, |it| usize::from(*it));
        let mut windows = [&[0; WINDOW]; LANES];
        let mut states = [END; LANES];
        for ((window, state), anchor) in windows.iter_mut().zip(&mut states).zip(anchors) {
            let from = anchor.saturating_sub(self.lead);
            let before = text.get(from.saturating_sub(1)).copied().unwrap_or_default();
            let Some(bytes) = text.get(from..).and_then(<[u8]>::first_chunk) else { continue };
            (*window, *state) = (bytes, number(self.starts.get(class(before))));
        }
        let Some(last) = next.len().checked_sub(1) else {
            return states.map(|state| self.walked(state));
        };
        for at in 0..WINDOW.min(self.lead + DEPTH) {
            let mut ended = END;
            for (state, window) in states.iter_mut().zip(&windows) {
                // One that has ended reads some row and stays, since what ends when is hard to foresee.
                let row = next.get(usize::from(*state).min(last));
                let byte = window.get(at).copied().unwrap_or_default();
                let to = number(row.and_then(|row| row.get(class(byte) % CLASSES)));
                *state = if *state & END == 0 { to } else { *state };
                ended &= *state;
            }
            if ended != 0 {
                break;
            }
        }
        states.map(|state| self.walked(state))
    }

    /// What a walk comes to at an anchor.
    #[inline]
    pub fn walk(&self, text: &[u8], anchor: usize) -> Walked {
        let (classes, next): (&[u8; 256], _) = (&self.classes, &*self.next);
        let class = |byte: u8| classes.get(usize::from(byte)).map_or(0, |it| usize::from(*it));
        let from = anchor.saturating_sub(self.lead);
        let mut state = number(match from.checked_sub(1).and_then(|before| text.get(before)) {
            Some(byte) => self.starts.get(class(*byte)),
            None => {
                self.starts.len().checked_sub(1 + anchor - from).and_then(|at| self.starts.get(at))
            }
        });
        let bytes = text.get(from..).unwrap_or_default();
        for byte in bytes.get(..anchor - from + DEPTH).unwrap_or(bytes) {
            // There are too few states for one to have the number of an end.
            let Some(row) = next.get(usize::from(state)) else { break };
            state = number(row.get(class(*byte) % CLASSES));
        }
        self.walked(state)
    }

    fn walked(&self, state: u16) -> Walked {
        Walked(match state & END {
            0 => number(self.left.get(usize::from(state))) & !END,
            _ => state ^ END,
        })
    }
}

fn number(step: Option<&Step>) -> u16 {
    step.map_or(END, |step| u16::from_le_bytes(*step))
}

fn words(list: &Listed) -> SieveBits {
    list.map(u64::from_le_bytes)
}

/// The positions of rules that are left, in order.
#[derive(Clone, Debug)]
pub struct Left<'a> {
    positions: &'a [[u8; 2]],
    left: SieveBits,
    /// The rule of the lowest bit of the first word.
    base: usize,
}

impl Left<'_> {
    /// Whether no rule is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.left == [0; WORDS]
    }

    /// Less those that are none of these.
    #[inline]
    pub fn among(mut self, these: &SieveBits) -> Self {
        self.left.iter_mut().zip(these).for_each(|(left, these)| *left &= these);
        self
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock};

    use proptest::prelude::*;

    use super::*;
    use crate::rules::RuleSet;
    use crate::scan::automaton::{Automaton, Workspace};
    use crate::scan::sweep::{Kernel, Scratch, Sweep};
    use crate::scan::{Plan, sample};

    const PATTERNS: [(&str, &str); 13] = [
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
        (
            r"[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,3}::(?:[0-9a-f]{1,4})?|::[0-9a-f]{1,4}:[0-9a-f]{2}",
            "anchors = { shape = \"hex_colon\" }\nboundary = '[0-9a-z:.]'",
        ),
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
                .get_or_init(|| Automaton::with_table(&self.rules.rules[position], None).unwrap())
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
                let tried = self.automaton(position).match_at(space, rule, text, start, limit);
                !is_barred && tried.end.is_some_and(|end| end > anchor)
            })
        }

        /// Of so many anchors, those at which a rule was left out that has a match there; how many
        /// rules the anchors set off, and how many of them were left.
        fn check(&self, text: &[u8], only: Option<usize>) -> (Vec<(usize, usize)>, usize, usize) {
            let (mut anchors, mut wrong, mut all, mut left) = (Vec::new(), Vec::new(), 0, 0);
            self.sweep.find(text, 0, text.len(), &mut Scratch::default(), &mut anchors);
            let mut walks = vec![None; anchors.len()];
            let seen = &mut Seen::default();
            self.sieves.walk_all(text, &anchors, Some(seen), |place, it| walks[place] = Some(it));
            for (anchor, known) in anchors.into_iter().zip(walks) {
                let Some(sieve) = self.sieves.of(anchor.kind) else { continue };
                let walked = sieve.walk(text, anchor.at);
                assert!(known.is_none_or(|known| known == walked));
                let found: Vec<usize> = sieve.left(text, anchor.at, walked).collect();
                assert!(found.is_sorted());
                let (positions, _) = self.kinds.rules_of(anchor.kind.index());
                let unnamed = positions.iter().filter(|at| !self.rules.rules[**at].needs_name());
                (all, left) = (all + unnamed.clone().count(), left + found.len());
                for position in unnamed.filter(|at| only.is_none_or(|only| only == **at)) {
                    let mut space = Workspace::default();
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
        SAMPLE.get_or_init(|| Sample::new(rules(), None))
    }

    /// The same with automata that have room for so few states.
    fn small_sample(most: usize) -> Sample {
        let sample = Sample::new(rules(), Some(Sieves::default()));
        let mut sieves = Sieves::default();
        for kind in SHAPES.map(AnchorKind::shape) {
            let (positions, _) = sample.kinds.rules_of(kind.index());
            let patterns: Vec<Pattern> = positions
                .into_iter()
                .map(|position| Pattern::new(position, &sample.rules.rules[position]).unwrap())
                .collect();
            let classes = Classes::new(&patterns);
            let builder = Builder::new(&patterns, &classes).with_room(most);
            sieves.add(kind.index(), builder.build(&[]));
        }
        Sample { sieves, ..sample }
    }

    fn rules() -> Arc<RuleSet> {
        let ids: Vec<String> = (0..PATTERNS.len()).map(|id| format!("nat.n{id}")).collect();
        let rules: Vec<(&str, &str, &str)> =
            ids.iter().zip(PATTERNS).map(|(id, (pattern, more))| (&**id, pattern, more)).collect();
        sample::rules(&rules, "")
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = proptest::sample::select(vec![
            "1", "20", "345", "6789", "0123", "12345678", " ", "-", ".", "(", ")", "+", "AB", "Q",
            "x", "_", "\n", "é", "@", "ab.cd", "a1:", "00:11:22", "::", "f", ":",
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

    /// Of texts in a row, so that the ends are near for few; and in pieces, where they are for many.
    #[test]
    fn walks_side_by_side_and_by_profiles_are_those_one_by_one() {
        let texts = [
            &b"at 123-45-6789, +49 30 123456 and AB12CDEF34 ab.cd@ef.gh "[..],
            b"00:11:22:33:44:55 a1::ff 4111 1111 1111 1111 0123456789",
            b"1.234,56 2024-01-02 12:30:45 x=00000000 v1.2.3.4-5 ",
        ];
        let all = texts.concat().repeat(3);
        let (mut ruled_out, mut known) = (0, 0);
        for sample in [sample(), &small_sample(12)] {
            let mut seen = Seen::default();
            for text in texts.into_iter().chain(all.chunks(31)).chain([&all[..], b"1", b""]) {
                for shape in SHAPES {
                    let kind = AnchorKind::shape(shape);
                    let sieve = sample.sieves.of(kind).unwrap();
                    let anchors: Vec<Anchor> =
                        (0..text.len()).map(|at| Anchor { at, kind }).collect();
                    sample.sieves.walk_all(text, &anchors, Some(&mut seen), |place, walked| {
                        assert_eq!(walked, sieve.walk(text, place), "{place}");
                        known += 1;
                    });
                    let is_ruled_out =
                        |it: &&Anchor| sample.sieves.rule_out_all(&mut seen, text, **it);
                    ruled_out += anchors.iter().filter(is_ruled_out).count();
                }
            }
        }
        assert!(ruled_out > 1000 && known > 2000, "{ruled_out} {known}");
    }

    #[test]
    fn a_stored_sieve_is_the_one_that_was_packed() {
        let packed: &'static [u8] = sample().sieves.pack().unwrap().leak();
        assert_eq!(Sieves::stored(packed).unwrap(), sample().sieves);
        assert!(Sieves::stored(packed.split_last().unwrap().1).is_none());
    }

    proptest! {
        /// At every byte, of the rules of the program as they stand in it.
        #[test]
        fn what_profiles_rule_out_leaves_no_rule(texts in prop::collection::vec(text(), 1..6)) {
            static PLAN: OnceLock<Plan> = OnceLock::new();
            let rules = || Arc::new(RuleSet::builtin().unwrap());
            let plan = PLAN.get_or_init(|| Plan::new(rules(), Kernel::Portable));
            let mut seen = Seen::default();
            for (text, shape) in texts.iter().flat_map(|text| SHAPES.map(|shape| (text, shape))) {
                let kind = AnchorKind::shape(shape);
                let sieve = plan.sieves().of(kind).unwrap();
                let anchors: Vec<Anchor> = (0..text.len()).map(|at| Anchor { at, kind }).collect();
                plan.sieves().walk_all(text, &anchors, Some(&mut seen), |at, walked| {
                    assert_eq!(walked, sieve.walk(text, at), "{at}");
                });
            }
        }

        #[test]
        fn a_rule_that_is_left_out_has_no_match(text in text()) {
            let (wrong, ..) = sample().check(&text, None);
            prop_assert!(wrong.is_empty(), "{wrong:?} in {:?}", String::from_utf8_lossy(&text));
        }

        #[test]
        fn a_sieve_without_room_leaves_more_rules(text in text(), most in 0usize..6) {
            static SAMPLES: [OnceLock<Sample>; 6] = [const { OnceLock::new() }; 6];
            let small = SAMPLES[most].get_or_init(|| small_sample([1, 2, 5, 12, 30, 90][most]));
            let (wrong, _, left) = small.check(&text, None);
            prop_assert!(wrong.is_empty(), "{wrong:?} in {:?}", String::from_utf8_lossy(&text));
            prop_assert!(left >= sample().check(&text, None).2);
        }
    }
}
