//! Which rules may have the context that they require near an anchor, all of them asked at once.
//!
//! An anchor comes in, one bit a rule goes out: around an anchor without its bit stands no term of the
//! rule. The text is searched in blocks, each once, for the beginnings of the terms of all rules, and
//! so most anchors that look like much, and have no word beside them that says so, cost a few bytes.
//! For views without names, where nothing else can make up for a term.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::beginnings::{Beginnings, StoredBeginnings, hash, head, length};
use super::first_words::{Class, FirstWords};
use super::kinds::Kinds;
use super::phrases::Phrases;
use super::sieve::Sieves;
use super::sweep::HEAD;
use super::words::Others;
use crate::rules::{Rule, RuleList};

/// Bytes of a block.
const BLOCK: u64 = u64::BITS as u64;

/// Blocks that are remembered.
const BLOCKS: usize = 64;

/// The most bytes before and behind an anchor at which terms are looked for; a rule that looks farther
/// has no bit.
const MOST_BEFORE: usize = 144;
const MOST_BEHIND: usize = 112;

/// Bits of the hash of a term's head by which rules are filed.
const FILED: u32 = 13;

/// The terms of rules that require one.
#[derive(Debug)]
pub struct Vicinity {
    /// By position of a rule: its bit, which it may share with others; 0 where it has none.
    by_rule: Cow<'static, [[u8; 8]]>,
    before: usize,
    behind: usize,
    /// What any term may begin with.
    others: Others,
    beginnings: Beginnings,
    /// By hash of a head: the bits of the rules whose terms begin so.
    filed: Cow<'static, [[u8; 8]]>,
}

/// Terms as they stand in the program.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    by_rule: &'a [u8],
    before: usize,
    behind: usize,
    others: Others,
    #[serde(borrow)]
    beginnings: StoredBeginnings<'a>,
    filed: &'a [u8],
}

/// What a worker knows of the blocks of a view.
#[derive(Debug, Default)]
pub struct Blocks {
    /// By the number of a block in the view, as far as there are places: one more than that number,
    /// and the bits of the rules of which a term may begin in it.
    known: Vec<(u64, u64)>,
    /// The first and the last block that were asked for, with the bits of all that lie between.
    last: Option<((u64, u64), u64)>,
}

impl Blocks {
    /// Forgets the text: the next view begins.
    pub fn clear(&mut self) {
        self.known.clear();
        self.last = None;
    }
}

impl Vicinity {
    /// The terms of the rules of sieves.
    #[allow(dead_code, reason = "it is for the build script")]
    pub fn of_sieves(
        rules: &RuleList,
        kinds: &Kinds,
        sieves: &Sieves,
        phrases: &Phrases,
    ) -> Vicinity {
        let of_kinds = sieves.kinds().flat_map(|kind| kinds.rules_of(kind.index()).0);
        let mut positions: Vec<usize> = of_kinds.collect();
        positions.sort_unstable();
        positions.dedup();
        let positions = positions.into_iter();
        let of_sieves = positions.filter_map(|position| Some((position, rules.get(position)?)));
        Vicinity::new(of_sieves, rules.len(), phrases)
    }

    /// What [`Vicinity::stored`] takes.
    ///
    /// # Errors
    ///
    /// None that is known: all of it can be written.
    #[allow(dead_code, reason = "it is for the build script")]
    pub fn pack(&self) -> postcard::Result<Vec<u8>> {
        postcard::to_stdvec(&Stored {
            by_rule: self.by_rule.as_flattened(),
            before: self.before,
            behind: self.behind,
            others: self.others.clone(),
            beginnings: self.beginnings.pack(),
            filed: self.filed.as_flattened(),
        })
    }

    /// Terms that were packed into the program, used where they stand; none where the bytes are no such
    /// thing.
    pub fn stored(bytes: &'static [u8]) -> Option<Vicinity> {
        let stored: Stored<'static> = postcard::from_bytes(bytes).ok()?;
        let (by_rule, []) = stored.by_rule.as_chunks() else { return None };
        let (filed, []) = stored.filed.as_chunks() else { return None };
        Some(Vicinity {
            by_rule: Cow::Borrowed(by_rule),
            before: stored.before,
            behind: stored.behind,
            others: stored.others,
            beginnings: Beginnings::stored(&stored.beginnings)?,
            filed: Cow::Borrowed(filed),
        })
    }

    /// The terms of those of the rules at these positions, which are below `count`, that require one in
    /// the text around a match.
    pub fn new<'a>(
        rules: impl Iterator<Item = (usize, &'a Rule)>,
        count: usize,
        phrases: &Phrases,
    ) -> Vicinity {
        let mut vicinity = Vicinity {
            by_rule: Cow::Owned(vec![[0; 8]; count]),
            before: 0,
            behind: 0,
            others: phrases.others().clone(),
            beginnings: Beginnings::default(),
            filed: Cow::Owned(vec![[0; 8]; 1 << FILED]),
        };
        let mut bit = 1u64;
        for (position, rule) in rules {
            if vicinity.add(rule, bit, phrases)
                && let Some(of_rule) = vicinity.by_rule.to_mut().get_mut(position)
            {
                *of_rule = bit.to_le_bytes();
                bit = bit.rotate_left(1);
            }
        }
        vicinity
    }

    /// The bit of the rule at a position; 0 where nothing is said of it.
    #[inline]
    pub fn of_rule(&self, position: usize) -> u64 {
        self.by_rule.get(position).map_or(0, |bit| u64::from_le_bytes(*bit))
    }

    /// The bits of the rules of which a term may stand where they look for it around an anchor. `text`
    /// begins at offset `base`, and holds all that they look at.
    pub fn near(
        &self,
        (blocks, words): (&mut Blocks, &mut FirstWords),
        text: &[u8],
        base: u64,
        anchor: usize,
    ) -> u64 {
        let first = base + anchor.saturating_sub(self.before) as u64;
        let last = base + (anchor + self.behind).min(text.len()) as u64;
        blocks.known.resize(BLOCKS, (0, 0));
        let (first, last) = (first / BLOCK, last.saturating_sub(1) / BLOCK);
        // Anchors close to each other lie among the same blocks.
        if let Some((asked, bits)) = blocks.last
            && asked == (first, last)
        {
            return bits;
        }
        words.know(Class::Required, &self.beginnings.firsts);
        let bits = (first..=last)
            .fold(0, |bits, number| bits | self.of_block((blocks, words), text, base, number));
        let is_known = |number: u64| {
            let slot = usize::try_from(number % BLOCKS as u64).unwrap_or(0);
            blocks.known.get(slot).is_some_and(|known| known.0 == number + 1)
        };
        // Blocks between two that are known are so too.
        if is_known(first) && is_known(last) {
            blocks.last = Some(((first, last), bits));
        }
        bits
    }

    fn of_block(
        &self,
        (blocks, words): (&mut Blocks, &mut FirstWords),
        text: &[u8],
        base: u64,
        number: u64,
    ) -> u64 {
        let slot = usize::try_from(number % BLOCKS as u64).unwrap_or(0);
        let Some(known) = blocks.known.get_mut(slot) else { return u64::MAX };
        if known.0 == number + 1 {
            return known.1;
        }
        let (start, end) = (number * BLOCK, (number + 1) * BLOCK);
        let bits = self.beginning(words, (text, base), (start, end));
        // Of a block whose terms are cut more will be known when more text is there.
        if start >= base && end + (HEAD as u64) < base + text.len() as u64 {
            *known = (number + 1, bits);
        }
        bits
    }

    /// The bits of the rules of which a term may begin in a part of a view.
    fn beginning(
        &self,
        words: &mut FirstWords,
        (text, base): (&[u8], u64),
        part: (u64, u64),
    ) -> u64 {
        let mut bits = 0;
        let beginnings = self.beginnings.tables();
        words.each(Class::Required, &self.others, (text, base), part, |at| {
            beginnings.each(text, at, |head, length| {
                let filed = self.filed.get(hash(head, length, FILED));
                bits |= filed.map_or(u64::MAX, |bits| u64::from_le_bytes(*bits));
            });
        });
        bits
    }

    /// Adds the terms of a rule, and says whether it has any that all its matches need.
    fn add(&mut self, rule: &Rule, bit: u64, phrases: &Phrases) -> bool {
        let context = rule.context.as_ref().filter(|it| it.required && !rule.needs_name());
        let Some(context) = context else { return false };
        let before = context.before + rule.lead.max();
        let behind = rule.max_length.max(rule.reach) + context.after;
        if before > MOST_BEFORE || behind > MOST_BEHIND {
            return false;
        }
        (self.before, self.behind) = (self.before.max(before), self.behind.max(behind));
        for form in context.terms.iter().flat_map(|term| phrases.of_term(term.0)) {
            self.beginnings.add(form);
            let place = hash(head(form), length(form), FILED);
            if let Some(bits) = self.filed.to_mut().get_mut(place) {
                *bits = (u64::from_le_bytes(*bits) | bit).to_le_bytes();
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::context::{Nearby, Terms};
    use crate::scan::sample;

    const NEEDS: &str = "anchors = { digits = 9 }\ncontext = { before = 40, after = 20, required = true, boost = 9, terms = ";

    /// Two rules that require terms, one that does not, and one that looks too far.
    fn rules(sign: &str) -> std::sync::Arc<crate::rules::RuleSet> {
        let door = format!("{NEEDS}[\"door\", \"front gate\", \"ab\"{sign}] }}");
        let wall = format!("{NEEDS}[\"wall\", \"größe\", \"nr.\"] }}");
        let far = format!("{NEEDS}[\"far\"] }}").replace("before = 40", "before = 200");
        let any = "anchors = { digits = 9 }";
        let pattern = r"\b[0-9]{9}\b";
        sample::rules(
            &[
                ("nat.door", pattern, &door),
                ("nat.any", pattern, any),
                ("nat.wall", pattern, &wall),
                ("nat.far", pattern, &far),
            ],
            "",
        )
    }

    fn vicinity(sign: &str) -> Vicinity {
        let rules = rules(sign);
        let count = rules.rules.len();
        Vicinity::new(rules.rules.iter().enumerate(), count, Terms::new(&rules).phrases())
    }

    /// The rules that are left at an anchor.
    fn left(vicinity: &Vicinity, text: &str, anchor: usize) -> Vec<usize> {
        let near = {
            let state = (&mut Blocks::default(), &mut FirstWords::default());
            vicinity.near(state, text.as_bytes(), 0, anchor)
        };
        let is_left = |position: &usize| match vicinity.of_rule(*position) {
            0 => true,
            bit => near & bit != 0,
        };
        (0..4).filter(is_left).collect()
    }

    #[test]
    fn only_rules_with_a_term_near_are_left() {
        for sign in ["", ", \"#x\""] {
            let vicinity = vicinity(sign);
            for (text, expected) in [
                ("nothing here 123456789 at all", vec![1, 3]),
                ("the Door is 123456789", vec![0, 1, 3]),
                ("123456789 frontGate", vec![0, 1, 3]),
                ("xdoor doors 123456789 inwall", vec![1, 3]),
                ("Größe nr 123456789", vec![1, 2, 3]),
                ("door nr. 123456789", vec![0, 1, 2, 3]),
            ] {
                assert_eq!(left(&vicinity, text, text.find('1').unwrap()), expected, "{text}");
            }
            let away = format!("door {}123456789 {} door", ". ".repeat(90), ". ".repeat(90));
            assert_eq!(left(&vicinity, &away, 185), [1, 3]);
        }
    }

    proptest! {
        /// What is left out has no context, wherever the text is cut and whatever was asked before.
        #[test]
        fn a_rule_that_is_left_out_has_no_term_near(
            pieces in proptest::collection::vec(
                proptest::sample::select(vec![
                    "door", "Wall", "front", "gate", "_", "-", " ", "x", "AB", "größe", "nr.", "7",
                    "                              ", "................", "\u{2014}",
                ]),
                1..60,
            ),
            cuts in proptest::collection::vec(0usize..400, 3),
        ) {
            let text = pieces.concat();
            let rules = rules("");
            let terms = Terms::new(&rules);
            let vicinity = vicinity("");
            let (mut blocks, mut words) = (Blocks::default(), FirstWords::default());
            for (anchor, cut) in (0..text.len()).step_by(7).zip(cuts.iter().cycle()) {
                let from = anchor.saturating_sub(vicinity.before);
                let to = (anchor + vicinity.behind + cut).min(text.len());
                let held = &text.as_bytes()[from..to];
                let near = vicinity.near((&mut blocks, &mut words), held, from as u64, anchor - from);
                for (position, rule) in rules.rules.iter().enumerate() {
                    let context = rule.context.as_ref().filter(|_| vicinity.of_rule(position) != 0);
                    let Some(context) = context else { continue };
                    let from = anchor.saturating_sub(context.before) as u64;
                    let to = anchor + rule.max_length.max(rule.reach) + context.after;
                    let to = to.min(text.len()) as u64;
                    let (mut nearby, mut all) = (Nearby::of_all(), FirstWords::default());
                    let mut search = nearby.search(&mut all, &terms);
                    let has_term = search.holds_any(text.as_bytes(), 0, (from, to), &context.terms);
                    let is_left = near & vicinity.of_rule(position) != 0;
                    prop_assert!(is_left || !has_term, "{} at {anchor}", rule.id);
                }
            }
        }
    }
}
