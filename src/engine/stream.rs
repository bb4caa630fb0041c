//! Payloads that arrive in pieces.

use super::collect::Collector;
use super::{Classified, Scanner, opaque_coverage};
use crate::decode::{Encoding, Format, SNIFF_BYTES, Utf16Decoder};
use crate::model::{Coverage, Reason, Span};
use crate::scan::structure::Tracker;
use crate::scan::{Cursor, Found};

/// Bytes of a piece that are taken at a time, so that memory does not follow the size of a piece.
const STEP: usize = 64 * 1024;

/// Bytes that are no longer needed are dropped when there are this many.
const SLACK: usize = 32 * 1024;

/// A payload that arrives in pieces. The answer is that of [`Scanner::scan`] on the whole of it,
/// wherever it was cut. Memory is bounded: about 150 KiB of text, whatever the payload, and the
/// findings that are kept.
pub struct Stream {
    scanner: Scanner,
    collector: Collector,
    coverage: Coverage,
    declared: Option<Format>,
    state: State,
}

enum State {
    /// The first bytes are gathered until the format can be told.
    Undecided(Vec<u8>),
    /// The format is known.
    Running(Box<Running>),
}

struct Running {
    format: Format,
    cursor: Box<Cursor>,
    decoder: Option<Utf16Decoder>,
    /// The retained part of the view, from offset `base` on.
    view: Vec<u8>,
    base: u64,
    final_to: u64,
}

/// Bytes of the payload are held, and are not shown.
impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Stream");
        shown.field("declared", &self.declared).field("coverage", &self.coverage);
        match &self.state {
            State::Undecided(head) => shown.field("undecided", &head.len()),
            State::Running(running) => shown
                .field("format", &running.format)
                .field("final_to", &running.final_to)
                .field("held", &running.view.len()),
        };
        shown.field("collected", &self.collector).finish_non_exhaustive()
    }
}

impl Stream {
    pub(super) fn new(scanner: Scanner, declared: Option<Format>) -> Stream {
        let collector = Collector::new(&scanner.inner);
        Stream {
            scanner,
            collector,
            coverage: Coverage::complete(),
            declared,
            state: State::Undecided(Vec::new()),
        }
    }

    /// Takes the next bytes and returns the final offset: no finding that is still to come, and no
    /// change to one that is known, touches a byte below it.
    pub fn push(&mut self, bytes: &[u8]) -> u64 {
        let mut rest = bytes;
        if let State::Undecided(head) = &mut self.state {
            // A declared format waits only for what may be its byte order mark.
            let wanted = if self.declared.is_some() { 3 } else { SNIFF_BYTES };
            let (first, behind) = rest.split_at(rest.len().min(wanted.saturating_sub(head.len())));
            head.extend_from_slice(first);
            rest = behind;
            let may_decide = head.len() >= wanted
                || self.declared.is_some() && head.first().is_some_and(|byte| *byte < 0x80);
            if !may_decide {
                return 0;
            }
            self.decide();
        }
        self.feed(rest);
        match &self.state {
            State::Running(running) => running.final_to,
            State::Undecided(_) => 0,
        }
    }

    /// Adds reasons why the payload is not wholly inspected, such as a failed read.
    pub fn note(&mut self, coverage: &Coverage) {
        self.coverage.join(coverage);
    }

    /// Findings so far, sorted; those behind the final offset are not all known.
    pub fn findings(&self) -> &[crate::model::Finding] {
        &self.collector.findings
    }

    /// Ends the payload.
    pub fn finish(mut self) -> Classified {
        self.decide();
        let State::Running(mut running) = self.state else {
            // `decide` has left no other state.
            let format = self.scanner.format_of(&[], self.declared);
            return self.collector.finish(format, self.coverage);
        };
        if let Some(decoder) = &mut running.decoder {
            decoder.finish(&mut running.view);
        }
        running.advance(&self.scanner, &mut self.collector, true);
        let Running { format, cursor, decoder, .. } = *running;
        self.scanner.rest(cursor);
        self.coverage.join(&opaque_coverage(format));
        if decoder.is_some_and(|decoder| decoder.damaged()) {
            self.coverage.join(&Coverage::partial(Reason::Damaged));
        }
        self.collector.finish(format, self.coverage)
    }

    /// Decides the format on the bytes that are there, and begins the scan.
    fn decide(&mut self) {
        let State::Undecided(head) = &mut self.state else { return };
        let head = std::mem::take(head);
        let format = self.scanner.format_of(&head, self.declared);
        let start = format.bom.min(head.len());
        let base = start as u64;
        let decoder = match format.encoding {
            Encoding::Bytes => None,
            Encoding::Utf16Le => Some(Utf16Decoder::new(false, base)),
            Encoding::Utf16Be => Some(Utf16Decoder::new(true, base)),
        };
        let cursor = self.scanner.cursor(Tracker::new(format.structure, base), base);
        let running = Running { format, cursor, decoder, view: Vec::new(), base, final_to: base };
        self.state = State::Running(Box::new(running));
        self.feed(head.get(start..).unwrap_or_default());
    }

    fn feed(&mut self, bytes: &[u8]) {
        let State::Running(running) = &mut self.state else { return };
        for piece in bytes.chunks(STEP) {
            match &mut running.decoder {
                Some(decoder) => decoder.push(piece, &mut running.view),
                None => running.view.extend_from_slice(piece),
            }
            running.advance(&self.scanner, &mut self.collector, false);
        }
    }
}

impl Running {
    fn advance(&mut self, scanner: &Scanner, collector: &mut Collector, is_last: bool) {
        let plan = &scanner.inner.plan;
        let progress = match &mut self.decoder {
            None => self.cursor.advance(plan, &self.view, self.base, is_last, collector),
            Some(decoder) => {
                let mut to_original = |found: Found<'_>| {
                    let start = decoder.original(found.span.start);
                    let end = decoder.original(found.span.end).max(start);
                    collector.take_at(found, Span::new(start, end), None);
                };
                self.cursor.advance(plan, &self.view, self.base, is_last, &mut to_original)
            }
        };
        self.final_to = match &mut self.decoder {
            None => progress.final_to.max(self.final_to),
            Some(decoder) => {
                decoder.forget_below(progress.needed_from);
                decoder.original(progress.final_to).max(self.final_to)
            }
        };
        let unneeded = usize::try_from(progress.needed_from.saturating_sub(self.base)).unwrap_or(0);
        if unneeded >= SLACK && unneeded <= self.view.len() {
            self.view.drain(..unneeded);
            self.base = progress.needed_from;
        }
    }
}
