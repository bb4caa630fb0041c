//! Which rules may have the context that they require near an anchor, all of them asked at once.
//!
//! An anchor comes in, one bit a rule goes out: around an anchor without its bit stands no term of the
//! rule. The text is searched in blocks, each once, for the beginnings of the terms of all rules, and
//! so most anchors that look like much, and have no word beside them that says so, cost a few bytes.
//! For views without names, where nothing else can make up for a term.

use super::beginnings::{Beginnings, folded, hash, head, length};
use super::context::Terms;
use super::words::{self, HEAD, Others};
use crate::rules::Rule;

/// Bytes of a block.
const BLOCK: u64 = u64::BITS as u64;

/// Blocks that are remembered.
const BLOCKS: usize = 64;

/// The most bytes before and behind an anchor at which terms are looked for; a rule that looks farther
/// has no bit.
const MOST_BEFORE: usize = 144;
const MOST_BEHIND: usize = 112;

/// Anchors that are let through by each worker before the tables are made: a small payload has few,
/// and the tables want all terms of all rules.
const FREE_ASKS: u32 = 64;

/// Bits of the hash of a term's head by which rules are filed.
const FILED: u32 = 13;

/// The terms of rules that require one.
#[derive(Debug)]
pub struct Vicinity {
    /// By position of a rule: its bit, which it may share with others; 0 where it has none.
    by_rule: Vec<u64>,
    before: usize,
    behind: usize,
    others: Others,
    beginnings: Beginnings,
    /// By hash of a head: the bits of the rules whose terms begin so.
    filed: Vec<u64>,
}

/// What a worker knows of the blocks of a view.
#[derive(Debug, Default)]
pub struct Blocks {
    asked: u32,
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

    /// Whether it is worth making the tables.
    pub fn is_worth_it(&mut self) -> bool {
        self.asked = self.asked.saturating_add(1);
        self.asked > FREE_ASKS
    }
}

impl Vicinity {
    /// The terms of those of the rules at these positions, which are below `count`, that require one in
    /// the text around a match.
    pub fn new<'a>(
        rules: impl Iterator<Item = (usize, &'a Rule)>,
        count: usize,
        terms: &Terms,
    ) -> Vicinity {
        let mut vicinity = Vicinity {
            by_rule: vec![0; count],
            before: 0,
            behind: 0,
            others: Others::default(),
            beginnings: Beginnings::default(),
            filed: vec![0; 1 << FILED],
        };
        let (mut bit, mut first_bytes) = (1u64, [false; 256]);
        for (position, rule) in rules {
            if vicinity.add(rule, bit, terms, &mut first_bytes)
                && let Some(of_rule) = vicinity.by_rule.get_mut(position)
            {
                *of_rule = bit;
                bit = bit.rotate_left(1);
            }
        }
        let first_bytes =
            (0..=u8::MAX).zip(first_bytes).filter_map(|(byte, is)| is.then_some(byte));
        vicinity.others = Others::new(first_bytes);
        vicinity
    }

    /// The bit of the rule at a position; 0 where nothing is said of it.
    #[inline]
    pub fn of_rule(&self, position: usize) -> u64 {
        self.by_rule.get(position).copied().unwrap_or(0)
    }

    /// The bits of the rules of which a term may stand where they look for it around an anchor. `text`
    /// begins at offset `base`, and holds all that they look at.
    pub fn near(&self, blocks: &mut Blocks, text: &[u8], base: u64, anchor: usize) -> u64 {
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
        let bits =
            (first..=last).fold(0, |bits, number| bits | self.of_block(blocks, text, base, number));
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

    fn of_block(&self, blocks: &mut Blocks, text: &[u8], base: u64, number: u64) -> u64 {
        let slot = usize::try_from(number % BLOCKS as u64).unwrap_or(0);
        let Some(known) = blocks.known.get_mut(slot) else { return u64::MAX };
        if known.0 == number + 1 {
            return known.1;
        }
        let index =
            |offset: u64| usize::try_from(offset.saturating_sub(base)).unwrap_or(usize::MAX);
        let (start, end) = (index(number * BLOCK), index((number + 1) * BLOCK));
        let bits = self.beginning(text, start, end.min(text.len()));
        // Of a block whose terms are cut more will be known when more text is there.
        if number * BLOCK >= base && end + HEAD < text.len() {
            *known = (number + 1, bits);
        }
        bits
    }

    /// The bits of the rules of which a term may begin in a part of a text, at most [`BLOCK`] bytes.
    fn beginning(&self, text: &[u8], start: usize, end: usize) -> u64 {
        let mut bits = 0;
        let beginnings = self.beginnings.tables();
        words::each_begin(text, (start, end), &self.others, |begin| {
            let filed = |length| self.filed.get(hash(folded(begin.bytes), length, FILED));
            beginnings.each(text, begin, |length| {
                bits |= filed(length).copied().unwrap_or(u64::MAX);
            });
        });
        bits
    }

    /// Adds the terms of a rule, and says whether it has any that all its matches need.
    fn add(&mut self, rule: &Rule, bit: u64, terms: &Terms, first_bytes: &mut [bool; 256]) -> bool {
        let context = rule.context.as_ref().filter(|it| it.required && !rule.needs_name());
        let Some(context) = context else { return false };
        let before = context.before + rule.lead.max();
        let behind = rule.max_length.max(rule.reach) + context.after;
        if before > MOST_BEFORE || behind > MOST_BEHIND {
            return false;
        }
        (self.before, self.behind) = (self.before.max(before), self.behind.max(behind));
        for form in context.terms.iter().flat_map(|term| terms.forms_of(*term)) {
            self.beginnings.add(form);
            if let Some(bits) = self.filed.get_mut(hash(head(form), length(form), FILED)) {
                *bits |= bit;
            }
            if let Some(first) = form.first().and_then(|it| first_bytes.get_mut(usize::from(*it))) {
                *first = true;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::context::Nearby;
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
        Vicinity::new(rules.rules.iter().enumerate(), count, &Terms::new(&rules))
    }

    /// The rules that are left at an anchor.
    fn left(vicinity: &Vicinity, text: &str, anchor: usize) -> Vec<usize> {
        let near = vicinity.near(&mut Blocks::default(), text.as_bytes(), 0, anchor);
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
            let mut blocks = Blocks::default();
            for (anchor, cut) in (0..text.len()).step_by(7).zip(cuts.iter().cycle()) {
                let from = anchor.saturating_sub(vicinity.before);
                let to = (anchor + vicinity.behind + cut).min(text.len());
                let held = &text.as_bytes()[from..to];
                let near = vicinity.near(&mut blocks, held, from as u64, anchor - from);
                for (position, rule) in rules.rules.iter().enumerate() {
                    let context = rule.context.as_ref().filter(|_| vicinity.of_rule(position) != 0);
                    let Some(context) = context else { continue };
                    let from = anchor.saturating_sub(context.before) as u64;
                    let to = anchor + rule.max_length.max(rule.reach) + context.after;
                    let to = to.min(text.len()) as u64;
                    let mut nearby = Nearby::of_all();
                    let mut search = nearby.seek(&terms, position, [&[]; 3]);
                    let has_term = search.holds_any(text.as_bytes(), 0, (from, to), &context.terms);
                    let is_left = near & vicinity.of_rule(position) != 0;
                    prop_assert!(is_left || !has_term, "{} at {anchor}", rule.id);
                }
            }
        }
    }
}
