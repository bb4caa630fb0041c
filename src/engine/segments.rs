//! Large payloads on several threads: dealt out in overlapping segments, joined exactly.

use std::collections::BTreeMap;

use super::collect::Collector;
use super::{Classified, Scanner, opaque_coverage};
use crate::classify::LabelBuilder;
use crate::decode::{Encoding, Format};
use crate::model::{Coverage, Finding, Reason};
use crate::scan::Positions;
use crate::scan::structure::Tracker;

/// Cuts a payload that is read in order into segments that can be scanned on any thread, in any
/// order. The structure is followed here, once, so that each segment knows its row or path.
pub struct Splitter {
    reach: u64,
    segment: u64,
    /// Bytes from `base` on: the last segment's end with its surroundings, and what came since.
    text: Vec<u8>,
    base: u64,
    next: u64,
    tracker: Tracker,
    positions: Positions,
    format: Format,
    /// The byte order mark is not part of the view.
    skip: usize,
}

/// A part of a payload with what a scan of it has to know of the rest.
pub struct Segment {
    text: Vec<u8>,
    base: u64,
    own: std::ops::Range<u64>,
    tracker: Tracker,
    positions: Positions,
    is_last: bool,
}

/// Bytes of the payload are held, and are not shown.
impl std::fmt::Debug for Splitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Splitter")
            .field("format", &self.format)
            .field("next", &self.next)
            .field("held", &self.text.len())
            .finish_non_exhaustive()
    }
}

/// Bytes of the payload are held, and are not shown.
impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment")
            .field("own", &self.own)
            .field("held", &self.text.len())
            .finish_non_exhaustive()
    }
}

/// What one segment holds.
#[derive(Debug)]
pub struct Part {
    own: std::ops::Range<u64>,
    label: LabelBuilder,
    findings: Vec<Finding>,
    truncated: u64,
}

impl Scanner {
    /// Cuts a payload that begins with `head` (4 KiB, or all of it) into segments of about
    /// `segment` bytes. None where its encoding has to be decoded in order: stream it instead.
    pub fn split(&self, head: &[u8], segment: usize) -> Option<Splitter> {
        let format = self.format_of(head, None);
        if format.encoding != Encoding::Bytes {
            return None;
        }
        let start = format.bom as u64;
        Some(Splitter {
            reach: self.inner.plan.reach(),
            segment: segment.max(1) as u64,
            text: Vec::new(),
            base: start,
            next: start,
            tracker: Tracker::new(format.structure, start),
            positions: Positions::new(start),
            format,
            skip: format.bom,
        })
    }

    /// Scans one segment.
    pub fn scan_segment(&self, segment: Segment) -> Part {
        let Segment { text, base, own, tracker, positions, is_last } = segment;
        let mut cursor = self.cursor_for(tracker, positions, base, own.clone());
        let mut collector = Collector::new(&self.inner);
        cursor.advance(&self.inner.plan, &text, base, is_last, &mut collector);
        self.rest(cursor);
        let Collector { label, findings, truncated, .. } = collector;
        Part { own, label, findings, truncated }
    }

    /// Begins to join the parts of a payload of this format.
    pub fn join(&self, format: Format) -> Joiner {
        Joiner {
            whole: Collector::new(&self.inner),
            kept: self.inner.options.max_findings,
            next: format.bom as u64,
            waiting: BTreeMap::new(),
            format,
        }
    }
}

/// Joins parts that come in any order into the answer that a scan of the whole gives. Memory is
/// bounded by the findings that are kept and the parts that wait for an earlier one.
#[derive(Debug)]
pub struct Joiner {
    whole: Collector,
    kept: usize,
    next: u64,
    waiting: BTreeMap<u64, Part>,
    format: Format,
}

impl Joiner {
    /// Takes a part; returns how many parts, this one or others that waited, are joined by it.
    pub fn add(&mut self, part: Part) -> usize {
        self.waiting.insert(part.own.start, part);
        let mut joined = 0;
        while let Some(part) = self.waiting.remove(&self.next) {
            self.next = part.own.end;
            let whole = &mut self.whole;
            whole.label.merge(part.label);
            whole.findings.extend(part.findings);
            let past = whole.findings.len().saturating_sub(self.kept);
            whole.findings.truncate(self.kept);
            whole.truncated += part.truncated + past as u64;
            joined += 1;
        }
        joined
    }

    /// The answer for the whole payload, once all parts were added.
    pub fn finish(self, mut coverage: Coverage) -> Classified {
        coverage.join(&opaque_coverage(self.format));
        if self.next != u64::MAX {
            // A part is missing: what it holds is unknown.
            coverage.join(&Coverage::partial(Reason::Error));
        }
        self.whole.finish(self.format, coverage)
    }
}

impl Splitter {
    /// The format of the payload.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Takes the next bytes; gives the segments that are complete with their surroundings.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Segment> {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        self.text.extend_from_slice(bytes.get(skipped..).unwrap_or_default());
        let mut complete = Vec::new();
        while self.next + self.segment + self.reach < self.end() {
            complete.push(self.cut(self.next + self.segment, false));
        }
        complete
    }

    /// Ends the payload; gives the last segment.
    pub fn finish(mut self) -> Segment {
        let end = self.end();
        self.cut(end.max(self.next), true)
    }

    fn end(&self) -> u64 {
        self.base + self.text.len() as u64
    }

    /// Cuts the segment from `next` to `to`, and follows the text up to where the surroundings of
    /// the one behind it begin.
    fn cut(&mut self, to: u64, is_last: bool) -> Segment {
        let index = |offset: u64, base: u64| {
            usize::try_from(offset.saturating_sub(base)).unwrap_or(usize::MAX)
        };
        let last = if is_last { self.end() } else { to + self.reach };
        let text = self.text.get(..index(last, self.base)).unwrap_or(&self.text).to_vec();
        let own = self.next..if is_last { u64::MAX } else { to };
        let segment = Segment {
            text,
            base: self.base,
            own,
            tracker: self.tracker.clone(),
            positions: self.positions.clone(),
            is_last,
        };
        self.next = to;
        let keep = to.saturating_sub(self.reach).max(self.base);
        self.positions.advance(&self.text, self.base, keep);
        // A character that is cut here stays whole with the next segment.
        let keep = keep.min(self.positions.needs_from()).max(self.base);
        if let Some(passed) = self.text.get(..index(keep, self.base)) {
            self.tracker.advance(passed);
            self.tracker.forget_below(keep);
            self.text.drain(..index(keep, self.base));
            self.base = keep;
        }
        segment
    }
}
