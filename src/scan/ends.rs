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
