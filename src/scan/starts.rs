//! Where the matches of a rule begin, tried each once.
//!
//! An anchor comes in, the match that covers it and starts first comes out, with the bytes that were
//! read to find it. Promised: a start is tried once, however many anchors reach it.

use std::collections::VecDeque;

use super::automaton::{Automaton, Tried, Workspace};
use super::structure::Tracker;
use crate::model::Span;
use crate::rules::{Lead, Rule};

/// Bytes that a tracker follows beyond those that are asked for: few enough that what is asked for is among
/// its last marks.
const AHEAD: u64 = 64;

/// The part of a view that is in memory.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The bytes.
    pub text: &'a [u8],
    /// Offset of the first one in the view.
    pub base: u64,
    /// Whether nothing follows.
    pub is_last: bool,
}

impl View<'_> {
    /// Where in the bytes an offset of the view is.
    #[inline]
    pub fn index(self, offset: u64) -> usize {
        usize::try_from(offset.saturating_sub(self.base)).unwrap_or(usize::MAX)
    }

    /// The offset of a byte.
    #[inline]
    pub fn offset(self, index: usize) -> u64 {
        self.base + index as u64
    }

    /// The offset behind the last byte.
    #[inline]
    pub fn end(self) -> u64 {
        self.offset(self.text.len())
    }

    /// Lets a tracker follow the view up to an offset, and some way on: the next questions are about the
    /// bytes there.
    #[inline]
    pub fn follow(self, tracker: &mut Tracker, to: u64) {
        if to <= tracker.offset() {
            return;
        }
        let from = self.index(tracker.offset());
        let to = self.index(to.saturating_add(AHEAD)).min(self.text.len());
        if let Some(fresh) = self.text.get(from..to) {
            tracker.advance(fresh);
        }
    }
}

/// Where matches of one rule begin, as far as it was tried. Anchors close to each other share their
/// starts, and what is at a start does not depend on the anchor: it is tried once.
#[derive(Clone, Debug, Default)]
pub struct Starts {
    /// Whether the rule was tried at all.
    pub is_tried: bool,
    /// Starts below this offset were tried, as far back as any anchor to come can reach.
    tried_to: u64,
    /// Those at which there is a match, with its length.
    pub matches: VecDeque<(u64, usize)>,
    /// The value that was found last: anchors close to each other lead to one.
    pub last_found: Option<Span>,
}

impl Starts {
    /// Forgets everything: the next view begins.
    pub fn clear(&mut self) {
        self.is_tried = false;
        self.tried_to = 0;
        self.matches.clear();
        self.last_found = None;
    }
}

/// The match of a rule that covers the anchor and starts first, and the bytes read to find it.
#[inline]
pub fn find_match(
    rule: &Rule,
    automaton: &Automaton,
    workspace: &mut Workspace,
    starts: &mut Starts,
    view: View<'_>,
    anchor: usize,
) -> (Option<(usize, usize)>, usize) {
    let start = match &rule.lead {
        Lead::Bytes(0) => anchor,
        Lead::Run(set, max) => {
            let before = view.text.get(anchor.saturating_sub(*max)..anchor).unwrap_or_default();
            anchor - before.iter().rev().take_while(|byte| set.contains(**byte)).count()
        }
        Lead::Bytes(lead) => {
            return first_match((rule, automaton), workspace, starts, view, anchor, *lead);
        }
    };
    let tried = try_at(rule, automaton, workspace, view.text, start);
    (tried.end.filter(|end| *end > anchor).map(|end| (start, end)), tried.read)
}

/// The same for a rule whose matches begin anywhere up to `lead` bytes before their anchors.
fn first_match(
    (rule, automaton): (&Rule, &Automaton),
    workspace: &mut Workspace,
    starts: &mut Starts,
    view: View<'_>,
    anchor: usize,
    lead: usize,
) -> (Option<(usize, usize)>, usize) {
    let first = anchor.saturating_sub(lead);
    while starts.matches.front().is_some_and(|(start, _)| *start < view.offset(first)) {
        starts.matches.pop_front();
    }
    for (start, length) in &starts.matches {
        let start = view.index(*start);
        if start <= anchor && start + length > anchor {
            return (Some((start, start + length)), 0);
        }
    }
    let mut total = 0;
    for start in first.max(view.index(starts.tried_to))..=anchor {
        let tried = try_at(rule, automaton, workspace, view.text, start);
        total += tried.read;
        starts.tried_to = view.offset(start) + 1;
        if let Some(end) = tried.end {
            starts.matches.push_back((view.offset(start), end - start));
            if end > anchor {
                return (Some((start, end)), total);
            }
        }
    }
    (None, total)
}

/// The match that begins at a start, unless what stands before it bars that.
#[inline]
fn try_at(
    rule: &Rule,
    automaton: &Automaton,
    workspace: &mut Workspace,
    text: &[u8],
    start: usize,
) -> Tried {
    let begins = text.get(start).is_some_and(|byte| automaton.can_begin_with(*byte));
    let before = start.checked_sub(1).and_then(|before| text.get(before));
    let is_barred = || {
        let boundary = rule.boundary.as_ref();
        before.is_some_and(|before| boundary.is_some_and(|barred| barred.contains(*before)))
    };
    if !begins || is_barred() {
        return Tried { end: None, read: 0 };
    }
    automaton.match_at(workspace, rule, text, start, start + rule.max_length)
}
