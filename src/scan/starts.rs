//! Where the matches of a rule begin, tried each once.
//!
//! An anchor comes in, the match that covers it and starts first comes out, with the bytes that were
//! read to find it. Promised: a start is tried once, however many anchors reach it.

use std::collections::VecDeque;

use super::automaton::{Automaton, Workspace};
use super::context::GateMemory;
use crate::model::Span;
use crate::rules::{Lead, Rule};

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
    /// What the gate of its context said.
    pub gate: GateMemory,
}

impl Starts {
    /// Forgets everything: the next view begins.
    pub fn clear(&mut self) {
        self.is_tried = false;
        self.tried_to = 0;
        self.matches.clear();
        self.last_found = None;
        self.gate.clear();
    }
}

/// The match of a rule that covers the anchor and starts first, and the bytes read to find it.
pub fn find_match(
    rule: &Rule,
    automaton: &Automaton,
    workspace: &mut Workspace,
    starts: &mut Starts,
    view: View<'_>,
    anchor: usize,
) -> (Option<(usize, usize)>, usize) {
    let text = view.text;
    let mut try_at = |start: usize| {
        let begins = text.get(start).is_some_and(|byte| automaton.can_begin_with(*byte));
        let before = start.checked_sub(1).and_then(|before| text.get(before));
        let is_barred = before
            .is_some_and(|before| rule.boundary.is_some_and(|barred| barred.contains(*before)));
        if !begins || is_barred {
            return (None, 0);
        }
        let tried = automaton.match_at(workspace, text, start, start + rule.max_length);
        (tried.end, tried.read)
    };
    let lead = match &rule.lead {
        Lead::Bytes(0) => {
            let (end, read) = try_at(anchor);
            return (end.filter(|end| *end > anchor).map(|end| (anchor, end)), read);
        }
        Lead::Run(set, max) => {
            let before = text.get(anchor.saturating_sub(*max)..anchor).unwrap_or_default();
            let start =
                anchor - before.iter().rev().take_while(|byte| set.contains(**byte)).count();
            let (end, read) = try_at(start);
            return (end.filter(|end| *end > anchor).map(|end| (start, end)), read);
        }
        Lead::Bytes(lead) => *lead,
    };
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
        let (end, read) = try_at(start);
        total += read;
        starts.tried_to = view.offset(start) + 1;
        if let Some(end) = end {
            starts.matches.push_back((view.offset(start), end - start));
            if end > anchor {
                return (Some((start, end)), total);
            }
        }
    }
    (None, total)
}
