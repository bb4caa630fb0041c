//! Payloads that arrive in pieces.

use super::collect::Collector;
use super::{Classified, Scanner, opaque_coverage};
use crate::decode::{Encoding, Format, SNIFF_BYTES, Utf16Decoder};
use crate::model::{Coverage, Label, Reason, Span};
use crate::scan::structure::Tracker;
use crate::scan::{Cursor, Found, Sink};

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
        self.final_to()
    }

    /// Adds reasons why the payload is not wholly inspected, such as a failed read.
    pub fn note(&mut self, coverage: &Coverage) {
        self.coverage.join(coverage);
    }

    /// Findings so far, sorted; those behind the final offset are not all known.
    pub fn findings(&self) -> &[crate::model::Finding] {
        &self.collector.findings
    }

    /// Findings past the cap so far: they are counted and not among [`Stream::findings`].
    pub fn truncated(&self) -> u64 {
        self.collector.truncated
    }

    /// Findings so far, the counted ones included.
    pub fn found(&self) -> u64 {
        self.collector.truncated.saturating_add(self.collector.findings.len() as u64)
    }

    /// The label of what is known so far; more bytes only add to it.
    pub fn label(&self) -> Label {
        self.collector.label.so_far(self.scanner.rules(), self.coverage())
    }

    /// Why the payload is not wholly inspected, as far as it is known; more bytes only add to it.
    pub fn coverage(&self) -> Coverage {
        let mut coverage = self.coverage.clone();
        if let State::Running(running) = &self.state {
            coverage.join(&running.coverage());
        }
        coverage
    }

    /// The offset below which nothing comes and nothing changes any more, as [`Stream::push`] gave it
    /// last.
    pub fn final_to(&self) -> u64 {
        match &self.state {
            State::Running(running) => running.final_to,
            State::Undecided(_) => 0,
        }
    }

    /// The format, once it is decided.
    pub fn format(&self) -> Option<Format> {
        match &self.state {
            State::Undecided(_) => None,
            State::Running(running) => Some(running.format),
        }
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
        self.coverage.join(&running.coverage());
        let Running { format, cursor, .. } = *running;
        self.scanner.rest(cursor);
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
    fn coverage(&self) -> Coverage {
        let mut coverage = opaque_coverage(self.format);
        if self.decoder.as_ref().is_some_and(Utf16Decoder::damaged) {
            coverage.join(&Coverage::partial(Reason::Damaged));
        }
        coverage
    }

    fn advance(&mut self, scanner: &Scanner, collector: &mut Collector, is_last: bool) {
        let plan = &scanner.inner.plan;
        let progress = match &mut self.decoder {
            None => self.cursor.advance(plan, &self.view, self.base, is_last, collector),
            Some(decoder) => {
                let mut sink = ToOriginal { decoder, collector };
                self.cursor.advance(plan, &self.view, self.base, is_last, &mut sink)
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

/// A collector of what is found in decoded text, whose offsets are those of the payload.
struct ToOriginal<'a> {
    decoder: &'a Utf16Decoder,
    collector: &'a mut Collector,
}

impl ToOriginal<'_> {
    fn span(&self, found: &Found<'_>) -> Span {
        let start = self.decoder.original(found.span.start);
        Span::new(start, self.decoder.original(found.span.end).max(start))
    }
}

impl Sink for ToOriginal<'_> {
    fn take(&mut self, found: Found<'_>) {
        let span = self.span(&found);
        self.collector.take_at(found, span, None);
    }

    fn is_counted_alone(&self, found: &Found<'_>) -> bool {
        self.collector.is_full_for(found, self.span(found))
    }

    fn wants_context_hash(&self) -> bool {
        self.collector.wants_context_hash()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::Options;
    use crate::rules::RuleSet;
    use crate::scan::sample;
    use crate::scan::sweep::LOOK_AHEAD;

    fn small() -> Scanner {
        let number = ("nat.a", r"\b[0-9]{9}\b", "columns = [\"ssn\"]");
        Scanner::new(sample::rules(&[number], ""), Options::default())
    }

    fn builtin() -> Scanner {
        Scanner::new(Arc::new(RuleSet::builtin().unwrap()), Options::default())
    }

    fn in_pieces(
        scanner: &Scanner,
        payload: &[u8],
        format: Option<Format>,
        size: usize,
    ) -> Classified {
        let mut stream = scanner.stream_as(format);
        for piece in payload.chunks(size) {
            stream.push(piece);
        }
        stream.finish()
    }

    fn utf16(text: &str, mark: bool, big_endian: bool) -> Vec<u8> {
        let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        units.flat_map(|u| if big_endian { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    }

    #[test]
    fn a_cap_on_utf16_cuts_findings_and_no_label() {
        let text = "123456789 é ".repeat(8);
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let format = Format::declared("utf-16le");
        let whole = small().scan_as(&wide, format);
        assert_eq!((whole.findings.len(), whole.truncated), (8, 0));
        for max_findings in [0, 3, 8] {
            let capped = small().with(Options { max_findings, ..Options::default() });
            let capped = capped.scan_as(&wide, format);
            assert_eq!(capped.label, whole.label);
            assert_eq!(capped.findings, whole.findings[..max_findings]);
            assert_eq!(capped.truncated, 8 - max_findings as u64);
        }
    }

    #[test]
    fn a_stream_waits_for_its_format_and_no_longer() {
        let scanner = small();
        let text = b"x".repeat(SNIFF_BYTES + 200);
        let mut undeclared = scanner.stream();
        assert_eq!(undeclared.push(&text[..SNIFF_BYTES - 1]), 0);
        assert!(matches!(undeclared.state, State::Undecided(_)));
        assert!(undeclared.push(b"x") > 3900);
        let mut declared = scanner.stream_as(Format::declared("text"));
        assert!(declared.push(&text[..200]) > 100);
        // A first byte beyond ASCII may begin a byte order mark.
        let mut marked = scanner.stream_as(Format::declared("text"));
        assert_eq!(marked.push(b"\xef\xbb"), 0);
        assert_eq!(marked.push(b"\xbf123456789"), 3);
        assert_eq!(marked.finish().findings[0].span, Span::new(3, 12));
    }

    #[test]
    fn marks_and_short_payloads_are_as_in_a_scan_of_the_whole() {
        let scanner = small();
        let text = "id,ssn\n1,123456789\n2,987654321 \u{e9}\n";
        let marked = ["\u{feff}", text].concat();
        let formats = [None, Format::declared("csv"), Format::declared("text")];
        let payloads = [
            (text.as_bytes().to_vec(), &formats[..], [9, 21]),
            (marked.into_bytes(), &formats[..], [12, 24]),
            (utf16(text, true, false), &[None, Format::declared("utf-16le")][..], [20, 44]),
            (utf16(text, true, true), &[None, Format::declared("utf-16be")], [20, 44]),
            (utf16(text, false, false), &[None, Format::declared("utf-16le")], [18, 42]),
        ];
        for (payload, formats, starts) in payloads {
            for format in formats {
                let whole = scanner.scan_as(&payload, *format);
                let found: Vec<u64> = whole.findings.iter().map(|it| it.span.start).collect();
                assert_eq!(found, starts, "{format:?}");
                assert!(whole.label.coverage.is_complete());
                for size in [1, 2, 3, 5, 4096] {
                    assert_eq!(in_pieces(&scanner, &payload, *format, size), whole, "{format:?}");
                }
            }
        }
    }

    #[test]
    fn a_mark_that_is_declared_and_not_there_hides_nothing() {
        let scanner = small();
        let format = Format::declared("text").map(|format| Format { bom: 3, ..format });
        for payload in ["123456789", "\u{feff}123456789"] {
            let whole = scanner.scan_as(payload.as_bytes(), format);
            assert_eq!(whole.findings.len(), 1, "{payload:?}");
            assert_eq!(in_pieces(&scanner, payload.as_bytes(), format, 1), whole);
        }
    }

    #[test]
    fn payloads_of_no_or_half_a_character_end_well() {
        let scanner = small();
        for payload in [&b""[..], b"\xff", b"\xff\xfe", b"\xff\xfea", b"\xef\xbb", b"\xef\xbb\xbf"]
        {
            for format in [None, Format::declared("utf-16le"), Format::declared("json")] {
                let whole = scanner.scan_as(payload, format);
                assert_eq!(
                    in_pieces(&scanner, payload, format, 1),
                    whole,
                    "{payload:?} {format:?}"
                );
            }
        }
        let half = scanner.scan_as(b"\xff\xfea", Format::declared("utf-16le"));
        assert!(!half.label.coverage.is_complete(), "half a code unit is damage");
    }

    #[test]
    fn the_final_offset_of_utf16_counts_original_bytes() {
        let scanner = small();
        let text = "\u{4e00}".repeat(500);
        let payload = utf16(&text, true, false);
        let mut stream = scanner.stream_as(Format::declared("utf-16le"));
        let final_to = stream.push(&payload);
        // 48 bytes of the view, three a character, are held back.
        assert_eq!(final_to, 2 + 2 * (500 - 16));
    }

    /// What a reader of a stream waits for where nothing is found: the longest lead of any rule, 116
    /// bytes of white space before a mark that fills its line, and the 48 bytes that the sweep looks
    /// ahead.
    #[test]
    fn ordinary_prose_is_held_back_by_little() {
        let scanner = builtin();
        let most = scanner.inner.plan.max_lead(false) + LOOK_AHEAD as u64;
        assert!(most <= MOST_HELD_BACK, "{most}");
        let text =
            "The river ran low that summer, and nobody minded; we sat and talked until dusk.\n";
        let mut stream = scanner.stream_as(Format::declared("text"));
        let mut pushed = 0;
        for piece in text.repeat(400).as_bytes().chunks(13) {
            pushed += piece.len() as u64;
            let final_to = stream.push(piece);
            assert_eq!(final_to, pushed.saturating_sub(most));
        }
        assert!(stream.finish().findings.is_empty());
    }

    /// Bytes.
    const MOST_HELD_BACK: u64 = 164;

    /// The worst payloads for what is kept: bytes of text and of all vectors beside it.
    #[test]
    fn memory_does_not_follow_the_payload() {
        let scanner = builtin();
        let pem = ["-----BEGIN PRIVATE KEY-----", &"ssn 219-09-9998 ".repeat(1100)].concat();
        for (word, piece) in [
            ("text", "a@a@"),
            ("text", "1234567890"),
            ("text", "1-"),
            ("text", "password="),
            ("text", "219-09-9998\n"),
            ("text", "ssn a@b.de diagnosis "),
            ("text", "-----BEGIN PRIVATE KEY-----"),
            ("text", &pem),
            ("json", "["),
            ("json", "[1]"),
            ("json", "{\"a\":1},"),
            ("json", "\"\\"),
            ("ndjson", "[]\n"),
            ("csv", "\","),
            ("csv", ",\n"),
            ("markdown", "|"),
            ("markdown", "|\n|\n\n"),
            ("markdown", "a|b\n-|-\n1|2\n\n"),
            ("utf-16le", "aé"),
        ] {
            let format = Format::declared(word);
            for (length, size) in [(1 << 19, 1 << 17), (1 << 17, 997)] {
                let mut stream = scanner.stream_as(format);
                let payload = piece.repeat(length / piece.len() + 1);
                let bytes = match word {
                    "utf-16le" => utf16(&payload, false, false),
                    _ => payload.into_bytes(),
                };
                for pushed in bytes.chunks(size) {
                    stream.push(pushed);
                    let State::Running(running) = &stream.state else { panic!("declared") };
                    // The undecided window, and what may be dropped but is not yet.
                    let held = running.view.len();
                    assert!(held <= (24 << 10) + SLACK, "{word} {piece:.20}: {held}");
                    let room = running.cursor.room();
                    assert!(room <= 1 << 20, "{word} {piece:.20}: {room}");
                }
            }
        }
    }
}
