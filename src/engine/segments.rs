//! Large payloads on several threads: dealt out in overlapping segments, joined exactly.

use std::collections::BTreeMap;

use super::collect::Collector;
use super::volume::Volume;
use super::{Classified, Scanner, opaque_coverage};
use crate::classify::LabelBuilder;
use crate::decode::{Encoding, Format};
use crate::model::{Coverage, Finding};
use crate::scan::Positions;
use crate::scan::structure::Tracker;

/// Bytes that the tracker follows before it forgets what it has learned of them.
const FOLLOWED: usize = 16 << 10;

/// Cuts a payload that is read in order into segments that can be scanned on any thread, in any
/// order. The structure is followed here, once, so that each segment knows its row or path.
pub struct Splitter {
    reach: u64,
    segment: u64,
    /// Bytes from `base` on: the last segment's end with its surroundings, and what came since.
    text: Vec<u8>,
    /// Room for such bytes that nobody needs any more.
    spare: Vec<Vec<u8>>,
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

impl Segment {
    /// The room of its bytes, without them, for another one: see [`Splitter::reuse`].
    pub fn into_room(mut self) -> Vec<u8> {
        self.text.clear();
        self.text
    }
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
    start: u64,
    label: LabelBuilder,
    findings: Vec<Finding>,
    truncated: u64,
    volume: Volume,
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
            spare: Vec::new(),
            base: start,
            next: start,
            tracker: Tracker::new(format.structure, start),
            positions: Positions::new(start),
            format,
            skip: format.bom,
        })
    }

    /// Scans one segment. Of its findings so many are built as [`Join::room`] says, and the others are
    /// counted.
    pub fn scan_segment(&self, segment: &Segment, room: usize) -> Part {
        let Segment { text, base, own, tracker, positions, is_last } = segment;
        let start = own.start;
        let mut cursor = self.cursor_for(tracker.clone(), positions.clone(), *base, own.clone());
        let mut collector = Collector::of_part(&self.inner, room);
        cursor.advance(&self.inner.plan, text, *base, *is_last, &mut collector);
        self.rest(cursor);
        let Collector { label, findings, truncated, volume, .. } = collector;
        Part { start, label, findings, truncated, volume }
    }

    /// Joins the parts of one payload, in any order, into the answer that a scan of the whole gives.
    pub fn join(&self, format: Format, parts: Vec<Part>, coverage: Coverage) -> Classified {
        let mut join = self.joining(format);
        parts.into_iter().for_each(|part| join.take(part));
        join.finish(coverage)
    }

    /// Begins to join the parts of one payload.
    pub fn joining(&self, format: Format) -> Join {
        Join { whole: Collector::new(&self.inner), format, kept: BTreeMap::new() }
    }
}

/// Joins parts as they come, in any order. Memory does not grow with their number: no more
/// findings are held than the answer has.
#[derive(Debug)]
pub struct Join {
    whole: Collector,
    format: Format,
    /// Findings by the start of their part.
    kept: BTreeMap<u64, Vec<Finding>>,
}

impl Join {
    /// How many findings of a segment the answer can hold, by what is known of those before it.
    pub fn room(&self, segment: &Segment) -> usize {
        let before = self.kept.range(..segment.own.start).map(|(_, findings)| findings.len());
        self.whole.max_findings.saturating_sub(before.sum())
    }

    /// Takes a part.
    pub fn take(&mut self, part: Part) {
        self.whole.label.merge(part.label);
        self.whole.truncated += part.truncated;
        self.whole.merge_volume(part.volume);
        self.kept.entry(part.start).or_default().extend(part.findings);
        // Parts that are still to come can only push those behind them further back.
        let mut room = self.whole.max_findings;
        for findings in self.kept.values_mut() {
            self.whole.truncated += findings.len().saturating_sub(room) as u64;
            findings.truncate(room);
            room -= findings.len();
        }
        self.kept.retain(|_, findings| !findings.is_empty());
    }

    /// The answer. `coverage` says whether all of the payload came.
    pub fn finish(mut self, mut coverage: Coverage) -> Classified {
        self.whole.findings = self.kept.into_values().flatten().collect();
        self.whole.raise_all();
        coverage.join(&opaque_coverage(self.format));
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
        let mut rest = bytes.get(skipped..).unwrap_or_default();
        let mut complete = Vec::new();
        loop {
            // No more than completes a segment: what it does not need is moved to another room.
            let enough = self.next + self.segment + self.reach + 1;
            let missing = usize::try_from(enough.saturating_sub(self.end())).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(missing.min(rest.len()));
            self.text.extend_from_slice(now);
            rest = later;
            if self.end() >= enough {
                complete.push(self.cut(self.next + self.segment, false));
            } else if rest.is_empty() {
                return complete;
            }
        }
    }

    /// Takes the room of a segment that is done.
    pub fn reuse(&mut self, mut room: Vec<u8>) {
        room.clear();
        self.spare.push(room);
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
        let (base, tracker, positions) = (self.base, self.tracker.clone(), self.positions.clone());
        let last = index(if is_last { self.end() } else { to + self.reach }, base);
        let own = self.next..if is_last { u64::MAX } else { to };
        self.next = to;
        let keep = to.saturating_sub(self.reach).max(base);
        self.positions.advance(&self.text, base, keep);
        // A character that is cut here stays whole with the next segment.
        let keep = keep.min(self.positions.needs_from()).max(base);
        let (passed, kept) = self.text.split_at_checked(index(keep, base)).unwrap_or_default();
        for piece in passed.chunks(FOLLOWED) {
            self.tracker.advance(piece);
            self.tracker.forget_below(self.tracker.offset());
        }
        let mut behind = self.spare.pop().unwrap_or_default();
        behind.extend_from_slice(kept);
        self.base = keep;
        let mut text = std::mem::replace(&mut self.text, behind);
        text.truncate(last);
        Segment { text, base, own, tracker, positions, is_last }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::Options;
    use crate::model::Place;
    use crate::rules::RuleSet;
    use crate::scan::sample;

    /// The payload in segments of this size, read in odd pieces, scanned last to first.
    fn segmented(scanner: &Scanner, payload: &[u8], segment: usize) -> Classified {
        let mut splitter = scanner.split(&payload[..payload.len().min(4096)], segment).unwrap();
        let format = splitter.format();
        let mut segments = Vec::new();
        for piece in payload.chunks(911) {
            segments.extend(splitter.push(piece));
        }
        segments.push(splitter.finish());
        let parts = segments.iter().rev().map(|segment| scanner.scan_segment(segment, usize::MAX));
        scanner.join(format, parts.collect(), Coverage::complete())
    }

    /// The same, scanned as soon as they are cut, with what is known of those before them and in the
    /// rooms of those that are done.
    fn in_order(scanner: &Scanner, payload: &[u8], segment: usize) -> Classified {
        let mut splitter = scanner.split(&payload[..payload.len().min(4096)], segment).unwrap();
        let mut join = scanner.joining(splitter.format());
        let mut take = |segment: &Segment| {
            let room = join.room(segment);
            join.take(scanner.scan_segment(segment, room));
        };
        for piece in payload.chunks(911) {
            for segment in splitter.push(piece) {
                take(&segment);
                let room = segment.into_room();
                assert!(room.is_empty() && room.capacity() > 0);
                splitter.reuse(room);
            }
        }
        take(&splitter.finish());
        join.finish(Coverage::complete())
    }

    fn small(max_findings: usize) -> Scanner {
        let number = ("nat.a", r"\b[0-9]{9}\b", "context = { terms = [\"name\"] }");
        let rules = sample::rules(&[number], "");
        Scanner::new(rules, Options { max_findings, ..Options::default() })
    }

    #[track_caller]
    fn agrees(payload: &[u8]) -> Classified {
        let scanner = small(100_000);
        let whole = scanner.scan(payload);
        for segment in [777, 5000, 1 << 20] {
            assert_eq!(segmented(&scanner, payload, segment), whole, "segments of {segment}");
            assert_eq!(in_order(&scanner, payload, segment), whole, "segments of {segment}");
        }
        whole
    }

    #[test]
    fn lines_and_characters_are_counted_through_marks_and_many_bytes() {
        let text = format!("\u{feff}{}", "\u{20ac}\u{e9}\n123456789 \u{1f600}\n\n".repeat(900));
        let found = agrees(text.as_bytes());
        let last = found.findings.last().unwrap();
        assert_eq!((last.line, last.column), (900 * 3 - 1, 1));
        // Per repeat: three characters, then the number, a space, another, two line ends.
        assert_eq!(last.chars.unwrap().start, 899 * 16 + 3);
        assert_eq!(last.span.start, 3 + 899 * 22 + 6);
    }

    #[test]
    fn latin1_has_no_characters_from_the_first_odd_byte_on() {
        let mut payload = b"name 123456789\n".repeat(400);
        payload.extend(b"caf\xe9 ");
        payload.extend(b"name 123456789\n".repeat(400));
        let found = agrees(&payload);
        let known: Vec<bool> = found.findings.iter().map(|it| it.chars.is_some()).collect();
        assert_eq!(known, [vec![true; 400], vec![false; 400]].concat());
    }

    #[test]
    fn rows_and_quotes_go_on_through_segments() {
        let long = "a quoted cell, with 123456789 and\nline ends \"\" in it ".repeat(40);
        let mut payload = String::from("id,note,number\n");
        for row in 0..60 {
            payload += &format!("{row},\"{long}\",987654321\n");
        }
        let found = agrees(payload.as_bytes());
        let Some(Place::Cell { row, column }) = found.findings.last().unwrap().place.as_deref()
        else {
            panic!("a cell")
        };
        assert_eq!((*row, &**column), (60, "number"));
    }

    #[test]
    fn paths_go_on_through_segments() {
        let items = r#"{"name": "x", "list": [[123456789], {"deep": "123456789"}]},"#.repeat(300);
        let payload = format!(r#"{{"a": {{"items": [{items} 0]}}, "b": 123456789}}"#);
        let found = agrees(payload.as_bytes());
        let path = |at: usize| match found.findings[at].place.as_deref() {
            Some(Place::Json { json_path, .. }) => json_path.to_string(),
            _ => panic!("a path"),
        };
        assert_eq!(path(2 * 299), "$.a.items[299].list[0][0]");
        assert_eq!(path(2 * 299 + 1), "$.a.items[299].list[1].deep");
        assert_eq!(path(600), "$.b");
    }

    /// A match that reaches over several segments, and what it contains.
    #[test]
    fn long_matches_are_seen_from_all_segments() {
        let long = ("nat.long", "key[0-9 ]{0,4000}!", "anchors = { keywords = [\"key\"] }");
        let rules = sample::rules(&[long, ("nat.a", r"\b[0-9]{9}\b", "")], "");
        let scanner = Scanner::new(rules, Options::default());
        let mut payload = b"123456789 ".repeat(500);
        payload.extend(b"key".iter().chain(&b"123456789 ".repeat(390)).chain(b"!"));
        payload.extend(b"123456789 ".repeat(500));
        let whole = scanner.scan(&payload);
        assert_eq!(whole.findings.len(), 1001);
        for segment in [100, 1000, 3000] {
            assert_eq!(segmented(&scanner, &payload, segment), whole);
        }
    }

    #[test]
    fn findings_past_the_cap_are_counted_and_not_held() {
        let payload =
            (0..5000).map(|n| format!("name {}\n", 100_000_000 + n % 1500)).collect::<String>();
        let payload = payload.as_bytes();
        for cap in [0, 1, 100, 4999, 5000] {
            let scanner = small(cap);
            let whole = scanner.scan(payload);
            assert_eq!((whole.findings.len(), whole.truncated), (cap, 5000 - cap as u64));
            assert_eq!(segmented(&scanner, payload, 3000), whole);
            let mut splitter = scanner.split(&payload[..4096], 3000).unwrap();
            let mut segments = splitter.push(payload);
            let mut join = scanner.joining(splitter.format());
            segments.push(splitter.finish());
            // Neither first to last nor the other way round.
            let middle = segments.len() / 2;
            segments.rotate_left(middle);
            for segment in &segments {
                let room = join.room(segment);
                let part = scanner.scan_segment(segment, room);
                assert!(part.findings.len() <= room);
                join.take(part);
                assert!(join.kept.values().map(Vec::len).sum::<usize>() <= cap);
            }
            assert_eq!(join.finish(Coverage::complete()), whole);
        }
    }

    #[test]
    fn utf16_has_to_be_read_in_order() {
        let scanner = Scanner::new(Arc::new(RuleSet::default()), Options::default());
        let text: Vec<u8> = "plain words".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(scanner.split(&text, 1000).is_none());
        assert!(scanner.split(b"plain words", 1000).is_some());
    }

    /// The value that fills a column may stand in any segment, and the cap may cut it off.
    #[test]
    fn full_columns_are_the_same_in_segments() {
        let number = ("nat.a", r"\b[0-9]{9}\b", "context = { terms = [\"name\"] }");
        let table = format!(
            "[[combination]]\nid = \"nat.table\"\ncategory = \"nat.y\"\nof = [\"nat.x\"]\n\
             values = 7\nlikelihood = 90\n{}",
            sample::PROSE
        );
        let rules = sample::rules(&[number], &table);
        let mut payload = String::from("id,name a,name b,name c\n");
        for row in 0..300 {
            let number = |column: u32| match (row + column) % (20 * column + 1) {
                0 => format!("{}", 100_000_000 + row),
                _ => String::from("-"),
            };
            payload.push_str(&format!("{row},{},{},{}\n", number(1), number(2), number(0)));
        }
        for max_findings in [5, 20, 21, 22, 100_000] {
            let options = Options { max_findings, ..Options::default() };
            let scanner = Scanner::new(rules.clone(), options);
            let whole = scanner.scan(payload.as_bytes());
            for segment in [50, 777, 5000, 1 << 20] {
                let parts = segmented(&scanner, payload.as_bytes(), segment);
                assert_eq!(parts, whole, "segments of {segment}, {max_findings} findings");
                let parts = in_order(&scanner, payload.as_bytes(), segment);
                assert_eq!(parts, whole, "in order, of {segment}, {max_findings} findings");
            }
            let raised = whole.findings.iter().filter(|it| it.evidence.rests_on.is_some()).count();
            assert_eq!(raised == 0, max_findings < 7, "{max_findings}");
        }
        let all = Scanner::new(rules, Options::default()).scan(payload.as_bytes());
        let raised: Vec<_> =
            all.findings.iter().filter(|it| it.evidence.rests_on.is_some()).collect();
        assert_eq!(raised.len(), 3);
    }
}
