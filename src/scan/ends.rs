//! Bytes of a view come in, anchors at which a rule has no match go out: the patterns of the rules
//! that cost most, run as one set by Hyperscan.
//!
//! The library says where matches end and never where they start, so spans come from the rules'
//! automata as ever. What is left out is an anchor behind which, up to the rule's `max_length`, no
//! match of its pattern ends. Promised: where the bytes that were looked at do not say so for certain
//! nothing is left out, and no byte is looked at more than about twice.

use std::ops::Range;

use super::plan::Plan;
use super::sweep::hyperscan::{Patterns, Room};
use super::translate::translate;
use crate::rules::{Rule, RuleSet};

/// Bytes that are looked at in one go at most.
const BLOCK: usize = 64 * 1024;

/// Ends are kept by stretches of this many bytes.
const STRETCH: usize = 64;

/// Words that the stretches of a block take, a rule.
const WORDS: usize = BLOCK / STRETCH / 64;

/// Rules whose matches can be longer are tried as ever: a block is to be long against them.
const LONGEST: usize = 1024;

/// A rule belongs to the set if it read at least this part of what all rules did.
const SHARE: u64 = 256;

/// A block in which fewer anchors are left out than one in this many bytes was not worth it.
const WORTH: usize = 4096;

/// Where automata read less than one byte in so many of the text there is little to save.
const SPARSE: u64 = 4;

/// The longest pattern that is put to the library, in its syntax: it takes long to refuse large ones.
const LARGE: usize = 2048;

/// So many blocks behind one that was not worth it are not looked at.
const PAUSE: usize = 4;

/// The patterns of some rules.
#[derive(Debug)]
pub struct PatternSet {
    patterns: Patterns,
    /// By position of the rule, its number in the set.
    numbers: Vec<Option<usize>>,
    size: usize,
    lead: usize,
    max_length: usize,
}

impl PatternSet {
    /// The set of the rules that have read most; none where the library takes none of them.
    pub fn new(rules: &RuleSet, read: &[u64]) -> Option<PatternSet> {
        let least = read.iter().sum::<u64>() / SHARE;
        let mut set: Vec<(usize, &Rule, String)> = Vec::new();
        for (position, read) in read.iter().enumerate() {
            if let Some(rule) = rules.rules.get(position).filter(|_| *read >= least)
                && rule.max_length <= LONGEST
                && let Ok(pattern) = translate(&rule.pattern)
                && pattern.len() <= LARGE
            {
                set.push((position, rule, pattern));
            }
        }
        let patterns: Vec<String> = set.iter().map(|(_, _, pattern)| pattern.clone()).collect();
        let patterns = Patterns::new(&patterns)?;
        let mut numbers = vec![None; read.len()];
        let (mut lead, mut max_length) = (0, 0);
        for (number, (position, rule, _)) in set.iter().enumerate() {
            if let Some(slot) = numbers.get_mut(*position).filter(|_| patterns.has(number)) {
                *slot = Some(number);
                lead = lead.max(rule.lead.max());
                max_length = max_length.max(rule.max_length);
            }
        }
        Some(PatternSet { patterns, numbers, size: set.len(), lead, max_length })
    }

    fn number(&self, position: usize) -> Option<usize> {
        self.numbers.get(position).copied().flatten()
    }
}

/// What one worker knows of where patterns end, and of what rules cost.
#[derive(Debug, Default)]
pub struct Ends {
    /// Bytes that automata have read, by rule and in all, until there is a set.
    read: Vec<u64>,
    total: u64,
    /// Bytes of text that were swept meanwhile.
    swept: u64,
    room: Room,
    /// The bytes that were looked at, as offsets of the view.
    block: Range<u64>,
    /// By number of the rule and stretch of the block: whether a match ends there.
    stretches: Vec<u64>,
    /// Anchors that were left out in the block.
    left_out: usize,
    /// Below this offset nothing more is looked at.
    paused_to: u64,
}

impl Ends {
    /// Begins another view.
    pub fn restart(&mut self) {
        self.block = 0..0;
        self.left_out = 0;
        self.paused_to = 0;
    }

    /// Counts bytes of text. Where automata read few of them, what was counted is forgotten.
    pub fn sweep(&mut self, plan: &Plan, bytes: usize) {
        self.swept += bytes as u64;
        if self.swept / SPARSE > plan.patterns_after() {
            (self.swept, self.total) = (0, 0);
            self.read.clear();
        }
    }

    /// Counts what a rule's automaton read; once that is enough, a set is made for all workers.
    pub fn count(&mut self, plan: &Plan, position: usize, read: usize) {
        if plan.pattern_set().is_some() {
            return;
        }
        self.read.resize(plan.rules().rules.len(), 0);
        if let Some(count) = self.read.get_mut(position) {
            *count += read as u64;
        }
        self.total += read as u64;
        if self.total >= plan.patterns_after() {
            plan.make_pattern_set(&self.read);
        }
    }

    /// Whether a rule may have a match at an anchor. `text` begins at an offset of the view.
    pub fn may_match(
        &mut self,
        plan: &Plan,
        (text, base): (&[u8], u64),
        (position, rule): (usize, &Rule),
        anchor: usize,
    ) -> bool {
        let Some(Some(set)) = plan.pattern_set() else { return true };
        let Some(number) = set.number(position) else { return true };
        let at = base + anchor as u64;
        if !self.covers(rule, at) {
            self.look(set, (text, base), rule, anchor);
            if !self.covers(rule, at) {
                return true;
            }
        }
        let Ok(from) = usize::try_from(at - self.block.start) else { return true };
        let may_match = self.ends_in(number, from + 1..=from + rule.max_length);
        self.left_out += usize::from(!may_match);
        may_match
    }

    /// Whether all ends of a rule's matches at an anchor were told: matches begin behind the first
    /// byte of the block and end before its last one, so that both sides of each were seen.
    fn covers(&self, rule: &Rule, at: u64) -> bool {
        let first = at.saturating_sub(rule.lead.max() as u64);
        first > self.block.start && at + (rule.max_length as u64) < self.block.end
    }

    /// Whether a match of a rule may end at one of these places of the block.
    fn ends_in(&self, number: usize, ends: std::ops::RangeInclusive<usize>) -> bool {
        let mut stretches = ends.start() / STRETCH..=ends.end() / STRETCH;
        stretches.any(|stretch| {
            let word = self.stretches.get(number * WORDS + stretch / 64);
            word.is_none_or(|word| word >> (stretch % 64) & 1 == 1)
        })
    }

    /// Looks for ends around an anchor and as far behind it as a block reaches.
    fn look(&mut self, set: &PatternSet, (text, base): (&[u8], u64), rule: &Rule, anchor: usize) {
        let at = base + anchor as u64;
        if at < self.paused_to {
            return;
        }
        let start = anchor.saturating_sub(set.lead + 1);
        let end = text.len().min(start + BLOCK);
        let length = end - start;
        // What is known then is half of the block at least, so that no byte is seen over and over.
        // Near the start of the view nothing is known, whatever is looked at.
        let is_near_start = anchor.saturating_sub(rule.lead.max()) <= start;
        if is_near_start || anchor + set.max_length + length / 2 >= end {
            return;
        }
        let was_worth_it = self.block.is_empty() || self.left_out * WORTH >= self.length();
        self.left_out = 0;
        if !was_worth_it {
            self.block = 0..0;
            self.paused_to = at + (PAUSE * BLOCK) as u64;
            return;
        }
        self.stretches.clear();
        self.stretches.resize(set.size * WORDS, 0);
        let stretches = &mut self.stretches;
        // Where much ends there is little to leave out.
        let mut room = length;
        let Some(block) = text.get(start..end) else { return };
        let is_whole = set.patterns.ends(block, &mut self.room, |number, end| {
            let stretch = end / STRETCH;
            if let Some(word) = stretches.get_mut(number * WORDS + stretch / 64) {
                // One behind the block is of no use, and sets a bit too many at worst.
                *word |= 1 << (stretch % 64);
            }
            room = room.saturating_sub(1);
            room > 0
        });
        let offset = |index: usize| base + index as u64;
        if is_whole {
            self.block = offset(start)..offset(end);
        } else {
            self.block = 0..0;
            self.paused_to = offset(end);
        }
    }

    fn length(&self) -> usize {
        usize::try_from(self.block.end - self.block.start).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use proptest::prelude::*;
    use regex_automata::hybrid::dfa::DFA;
    use regex_automata::nfa::thompson;
    use regex_automata::{Anchored, Input, MatchKind};

    use super::*;
    use crate::decode::Structure;
    use crate::scan::structure::Tracker;
    use crate::scan::sweep::Kernel;
    use crate::scan::{Cursor, Found, sample, syntax_config};

    /// Where matches end that begin behind the first byte and end before the last one.
    fn naive(pattern: &str, text: &[u8]) -> BTreeSet<usize> {
        let dfa = DFA::builder()
            .configure(DFA::config().match_kind(MatchKind::All))
            .syntax(syntax_config())
            .thompson(thompson::Config::new().utf8(false))
            .build(pattern)
            .unwrap();
        let mut cache = dfa.create_cache();
        let mut ends = BTreeSet::new();
        for start in 1..text.len() {
            let input = Input::new(text).span(start..text.len()).anchored(Anchored::Yes);
            let mut state = dfa.start_state_forward(&mut cache, &input).unwrap();
            // A match is told one byte late.
            for (at, byte) in text.iter().enumerate().skip(start) {
                state = dfa.next_state(&mut cache, state, *byte).unwrap();
                if state.is_match() && at > start {
                    ends.insert(at);
                }
            }
        }
        ends
    }

    fn told(pattern: &str, text: &[u8]) -> Option<BTreeSet<usize>> {
        let patterns = Patterns::new(&[translate(pattern).unwrap()])?;
        let mut ends = BTreeSet::new();
        let is_whole = patterns.ends(text, &mut Room::default(), |number, end| {
            assert_eq!(number, 0);
            ends.insert(end);
            true
        });
        assert!(is_whole);
        Some(ends)
    }

    #[track_caller]
    fn assert_told(pattern: &str, text: &[u8]) {
        let told = told(pattern, text).unwrap_or_else(|| panic!("{pattern}: not taken"));
        let naive = naive(pattern, text);
        assert!(naive.is_subset(&told), "{pattern}: {naive:?}, told {told:?}");
    }

    #[test]
    fn ends_are_those_of_byte_regexes() {
        for (pattern, text, count) in [
            ("ab?b", "-abb-", 2),
            ("a{3,}", "-aaaaaaa-", 5),
            (r"\bab\b", "ab ab_ \u{e9}ab\u{e9} ab", 1),
            (r"\Bb\B", "-abc-b-_b_", 2),
            (r"a.c", "-abc-a\nc-a\rc-a\u{e9}c-", 2),
            (r"(?s:a.c)", "-abc-a\nc-", 2),
            (r"(?m:^)a(?m:$)", "-\na\n\na\r\nb\na", 1),
            (r"[^b]a", "-\u{e9}a-\na\0a-", 3),
            (r"(?i:KEY)", "-key-kEy-\u{212a}ey-", 2),
            (r"a\s\w\d", "-a\u{b}b7-a\u{a0}b7", 1),
            (r"^a|a$", "-a-a-", 0),
            (r"(?:a|ab)(?:c|bcd)", "-abcd-", 2),
            (r"a{2}?a??", "-aaa-", 2),
        ] {
            let text = text.as_bytes();
            assert_eq!(naive(pattern, text).len(), count, "{pattern}");
            assert_told(pattern, text);
        }
    }

    fn pattern() -> impl Strategy<Value = String> {
        let atom = proptest::sample::select(vec![
            "a",
            "b",
            "key",
            "[ab]",
            "[^a]",
            ".",
            r"(?s:.)",
            r"\w",
            r"\s",
            r"\d",
            r"\b",
            r"\B",
            "(?m:^)",
            "(?m:$)",
            "^",
            "$",
            "(?i:Ab)",
            r"\x{e9}",
            r"[\x80-\xff]",
            r"\x00",
            "_",
            "-",
        ]);
        atom.prop_map(str::to_owned).prop_recursive(3, 12, 4, |inner| {
            let times = proptest::sample::select(vec![
                "", "?", "??", "+", "*?", "{2}", "{0,3}", "{1,4}?", "{2,}",
            ]);
            prop_oneof![
                proptest::collection::vec(inner.clone(), 2..5).prop_map(|parts| parts.concat()),
                proptest::collection::vec(inner.clone(), 2..4)
                    .prop_map(|parts| format!("(?:{})", parts.join("|"))),
                (inner, times).prop_map(|(inner, times)| format!("(?:{inner}){times}")),
            ]
        })
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = proptest::sample::select(vec![
            &b"a"[..],
            b"b",
            b"ab",
            b"key",
            b"KEY7",
            b"\n",
            b"\r\n",
            b" ",
            b"_",
            b"-",
            b"\0",
            b"\xc3\xa9",
            b"\xff",
            b"12",
        ]);
        proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_end_is_missing(pattern in pattern(), text in text()) {
            if let Some(told) = told(&pattern, &text) {
                let naive = naive(&pattern, &text);
                prop_assert!(naive.is_subset(&told), "{}: {:?}, told {:?}", pattern, naive, told);
            }
        }
    }

    /// Rules of which every pattern is in the set, and those of which none is.
    fn plans(rules: &Arc<RuleSet>) -> [Plan; 2] {
        let plan = |kernel, after| Plan::new(Arc::clone(rules), kernel).with_patterns_after(after);
        let plans = [plan(Kernel::best(), 0), plan(Kernel::Portable, u64::MAX)];
        plans[0].make_pattern_set(&vec![0; rules.rules.len()]);
        plans
    }

    /// What is found in a text that arrives in pieces, and the bytes that automata read.
    fn scan(plan: &Plan, text: &[u8], step: usize) -> (Vec<(u32, u64, u64)>, u64) {
        let mut cursor = Cursor::new(plan, Tracker::new(Structure::Text, 0), 0);
        let (mut found, mut base) = (Vec::new(), 0);
        let mut take = |it: Found<'_>| found.push((it.rule.0, it.span.start, it.span.end));
        for end in (step..text.len()).step_by(step).chain([text.len()]) {
            let part = &text[base..end];
            let progress = cursor.advance(plan, part, base as u64, end == text.len(), &mut take);
            base = progress.needed_from as usize;
        }
        (found, cursor.bytes_read().iter().sum())
    }

    const RULES: [(&str, &str, &str); 5] = [
        ("sec.a", "[a-z]{0,20}key[0-9]{3,90}", "anchors = { keywords = [\"key\"] }"),
        ("sec.b", r"\bkey ?(?<value>[a-f]{8})\b", "anchors = { keywords = [\"key\"] }"),
        (
            "sec.c",
            r"(?m:^)[a-z_]{0,30}key.{0,40}= ?\S{6}(?m:$)",
            "anchors = { keywords = [\"key\"] }",
        ),
        ("nat.d", r"\b[0-9]{9}\b", "anchors = { digits = 9 }"),
        ("sec.e", "key[^\"]{0,900}!", "anchors = { keywords = [\"key\"] }\nmax_length = 904"),
    ];

    #[test]
    fn a_match_is_found_wherever_it_lies() {
        let rules = sample::rules(&RULES, "");
        let plans = plans(&rules);
        let quiet = b"key word, \"key\" of a keyboard. \n".repeat(6000);
        let (none, read) = scan(&plans[0], &quiet, quiet.len());
        let (reference, read_by_all) = scan(&plans[1], &quiet, quiet.len());
        assert_eq!(none, reference);
        assert!(read * 5 < read_by_all, "{read} of {read_by_all}");
        let value = b"\nsome_key = abcdef\nkey abcdefab key123456789 ";
        let near = |at: usize| at - 50..at + 20;
        let places =
            (0..40).chain(near(2 * STRETCH)).chain(near(BLOCK)).chain(near(2 * BLOCK - 900));
        for at in places.chain(near(quiet.len() - 1000)).step_by(9) {
            let mut text = quiet.clone();
            text[at..at + value.len()].copy_from_slice(value);
            let whole = scan(&plans[1], &text, text.len()).0;
            assert!(whole.len() >= 3, "{at}: {whole:?}");
            assert_eq!(scan(&plans[0], &text, text.len()).0, whole, "{at}");
        }
    }

    #[test]
    fn what_ends_everywhere_is_tried_everywhere() {
        let rules = sample::rules(&RULES, "");
        let plans = plans(&rules);
        let text = b"key1234567890!\nkey = abcdef\n".repeat(8000);
        let whole = scan(&plans[1], &text, text.len());
        assert!(whole.0.len() > 7000, "{}", whole.0.len());
        assert_eq!(scan(&plans[0], &text, text.len()).0, whole.0);
    }

    #[test]
    fn a_set_is_made_of_what_costs_most() {
        let rules = sample::rules(&RULES, "");
        let plan = Plan::new(Arc::clone(&rules), Kernel::Hyperscan).with_patterns_after(1 << 17);
        let text = b"key of no worth \n".repeat(100);
        scan(&plan, &text, text.len());
        assert!(plan.pattern_set().is_none());
        scan(&plan, &text.repeat(30), text.len());
        let set = plan.pattern_set().unwrap().as_ref().unwrap();
        assert!(set.number(0).is_some() && set.number(3).is_none());
        // Where there is little to save there is none.
        let plan = Plan::new(rules, Kernel::best()).with_patterns_after(1 << 12);
        let text =
            [b"key \"word\"\n".as_slice(), &b"lorem ipsum\n".repeat(100)].concat().repeat(300);
        scan(&plan, &text, text.len());
        assert!(plan.pattern_set().is_none());
    }

    proptest! {
        #[test]
        fn findings_are_those_of_the_reference(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "key", "KEY", "key12345", "key abcdefab", "_", "\n", " = abcdef\n", "123456789 ", "word ", "!", "\"",
                "the quick brown fox jumps over the lazy dog. ",
            ]), 1..60),
            repeat in 1usize..100,
            step in prop_oneof![Just(usize::MAX), 1000usize..70_000],
        ) {
            static PLANS: std::sync::OnceLock<[Plan; 2]> = std::sync::OnceLock::new();
            let plans = PLANS.get_or_init(|| plans(&sample::rules(&RULES, "")));
            let text = pieces.concat().repeat(repeat);
            let step = step.min(text.len());
            let whole = scan(&plans[1], text.as_bytes(), text.len()).0;
            prop_assert_eq!(scan(&plans[0], text.as_bytes(), step).0, whole);
        }
    }
}
