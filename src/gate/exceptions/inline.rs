//! Exceptions that stand in the content itself, on the line of what they except.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

use super::REASON_BYTES;
use crate::decode::Encoding;
use crate::model::{Finding, Span};

/// The most of a file; more are counted.
const MAX_MARKERS: usize = 1_000;
/// Bytes of a word that is taken for the id of a rule.
const MAX_RULE: usize = 128;

const OWN: &[u8] = b"sluice:allow";
const GITLEAKS: &[u8] = b"gitleaks:allow";
const PRAGMA: &[u8] = b"pragma:";

/// What ends a comment at the end of a line, which is no part of a reason.
const ENDS: [&str; 5] = ["#}", "%>", "--%>", "*)", "\"\"\""];
/// What ends one wherever it stands.
const CLOSERS: [&str; 2] = ["*/", "-->"];
/// What begins a comment before a pragma, as detect-secrets has them.
const STARTS: [&str; 6] = ["#", "//", "/*", "'", "--", "<!--"];

/// What stands in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkerKind {
    /// `sluice:allow RULE reason`; the reason is empty where there is none.
    Own {
        /// Id of the rule, as far as 128 characters.
        rule: String,
        /// Why.
        reason: String,
    },
    /// `gitleaks:allow`.
    Gitleaks,
    /// `pragma: allowlist secret`.
    Pragma,
}

/// An exception and the line that it is about, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The line.
    pub line: u64,
    /// What excepts it.
    pub kind: MarkerKind,
    /// Where its text stands in what was read.
    range: Range<u64>,
}

/// All of a file, in the order of their lines.
#[derive(Debug, Default)]
pub struct Markers {
    /// Those that were read, at most 1,000.
    pub all: Vec<Marker>,
    /// How many more there are.
    pub unread: u64,
    encoding: Option<Encoding>,
}

impl Markers {
    /// Reads a content once, from its begin to its end.
    pub fn read(bytes: &[u8], encoding: Encoding) -> Markers {
        let text = decoded(bytes, encoding);
        let mut found: Vec<(usize, &[u8])> = Vec::new();
        for word in [OWN, GITLEAKS, PRAGMA] {
            found.extend(memmem::find_iter(&text, word).map(|at| (at, word)));
        }
        found.sort_unstable();
        let mut markers = Markers { encoding: Some(encoding), ..Markers::default() };
        let (mut line, mut start) = (1_u64, 0_usize);
        let mut seen = 0;
        for (position, (at, word)) in found.iter().enumerate() {
            let between = text.get(seen..*at).unwrap_or_default();
            line += memchr::memchr_iter(b'\n', between).count() as u64;
            start = memchr::memrchr(b'\n', between).map_or(start, |back| seen + back + 1);
            seen = *at;
            if markers.all.len() >= MAX_MARKERS {
                markers.unread += 1;
                continue;
            }
            let behind = at + word.len();
            // To the next of its kind, or as far as a reason is looked at.
            let next = found.get(position + 1..).unwrap_or_default().iter();
            let next = next.map(|(at, _)| *at).next().unwrap_or(text.len());
            let rest = text.get(behind..next.min(behind + REASON_BYTES)).unwrap_or_default();
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let rest = rest.get(..end).unwrap_or_default();
            let kind = match *word {
                OWN => own(rest).map(|(rule, reason)| (0, MarkerKind::Own { rule, reason })),
                GITLEAKS => Some((0, MarkerKind::Gitleaks)),
                _ => {
                    let before = text.get(start.max(at.saturating_sub(64))..*at);
                    pragma(before.unwrap_or_default(), rest)
                        .map(|further| (further, MarkerKind::Pragma))
                }
            };
            let range = behind as u64..(behind + end) as u64;
            let marker = kind.map(|(further, kind)| Marker { line: line + further, kind, range });
            markers.all.extend(marker);
        }
        markers.all.sort_by_key(|marker| marker.line);
        markers
    }

    /// How many lines a finding goes on for behind its first.
    pub fn lines_in(&self, bytes: &[u8], span: Span) -> u64 {
        if self.encoding != Some(Encoding::Bytes) {
            return 0;
        }
        let range = usize::try_from(span.start).unwrap_or(usize::MAX)
            ..usize::try_from(span.end).unwrap_or(usize::MAX);
        memchr::memchr_iter(b'\n', bytes.get(range).unwrap_or_default()).count() as u64
    }

    /// Of each, whether showing its text would show part of what was found; where that cannot be told,
    /// it would.
    pub fn hidden(&self, findings: &[Finding]) -> Vec<bool> {
        let is_told = self.encoding == Some(Encoding::Bytes);
        let touches = |range: &Range<u64>| {
            findings.iter().any(|it| it.span.start < range.end && range.start < it.span.end)
        };
        self.all.iter().map(|marker| !is_told || touches(&marker.range)).collect()
    }
}

/// The content as text in which lines can be told apart.
fn decoded(bytes: &[u8], encoding: Encoding) -> Cow<'_, [u8]> {
    let unit: fn([u8; 2]) -> u16 = match encoding {
        Encoding::Bytes => return Cow::Borrowed(bytes),
        Encoding::Utf16Le => u16::from_le_bytes,
        Encoding::Utf16Be => u16::from_be_bytes,
    };
    let units = bytes.chunks_exact(2).map(|pair| match pair {
        [one, two] => unit([*one, *two]),
        _ => 0,
    });
    let text: String = char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect();
    Cow::Owned(text.into_bytes())
}

/// Rule and reason of what stands behind `sluice:allow`; none where it is another word.
fn own(rest: &[u8]) -> Option<(String, String)> {
    if rest.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
        return None;
    }
    let text = String::from_utf8_lossy(rest);
    let end = CLOSERS.iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
    let mut text = text.get(..end).unwrap_or_default().trim();
    while let Some(less) = ENDS.iter().find_map(|end| text.strip_suffix(end)) {
        text = less.trim_end();
    }
    let (rule, reason) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rule = rule.trim_end_matches([':', ',', ';']);
    let rule: String = rule.chars().take(MAX_RULE).collect();
    let reason = reason.trim_start_matches(|c: char| c.is_whitespace() || "-–—:".contains(c));
    // Something has to be said.
    let says = reason.chars().filter(|c| c.is_alphanumeric()).count() >= 3;
    Some((rule, if says { reason.to_owned() } else { String::new() }))
}

/// How many lines further the line is that a pragma is about; none where it is another one.
fn pragma(before: &[u8], rest: &[u8]) -> Option<u64> {
    let before = String::from_utf8_lossy(before);
    let before = before.trim_end_matches([' ', '\t']);
    if !STARTS.iter().any(|start| before.ends_with(start)) {
        return None;
    }
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let rest = rest.strip_prefix(b"allowlist").or_else(|| rest.strip_prefix(b"whitelist"))?;
    let (rest, further) = match rest.strip_prefix(b" nextline") {
        Some(rest) => (rest, 1),
        None => (rest, 0),
    };
    let secret = rest.strip_prefix(b" secret").or_else(|| rest.strip_prefix(b"-secret"));
    secret.map(|_| further)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Vec<(u64, MarkerKind)> {
        let markers = Markers::read(text.as_bytes(), Encoding::Bytes);
        markers.all.into_iter().map(|it| (it.line, it.kind)).collect()
    }

    fn own(rule: &str, reason: &str) -> MarkerKind {
        MarkerKind::Own { rule: rule.into(), reason: reason.into() }
    }

    #[test]
    fn a_rule_and_a_reason_are_read_up_to_the_end_of_the_comment() {
        assert_eq!(
            of("a\nx # sluice:allow nat.us-ssn a sample\ny"),
            [(2, own("nat.us-ssn", "a sample"))]
        );
        assert_eq!(of("/* sluice:allow a.b: why not */ x"), [(1, own("a.b", "why not"))]);
        assert_eq!(of("<!-- sluice:allow a.b - why -->"), [(1, own("a.b", "why"))]);
        assert_eq!(of("# sluice:allow a.b"), [(1, own("a.b", ""))]);
        assert_eq!(of("# sluice:allow a.b --"), [(1, own("a.b", ""))]);
        assert_eq!(of("# sluice:allow"), [(1, own("", ""))]);
        assert_eq!(of("# sluice:allowed a.b why"), []);
        assert_eq!(
            of("# sluice:allow a.b one thing sluice:allow c.d another\n"),
            [(1, own("a.b", "one thing")), (1, own("c.d", "another"))]
        );
    }

    #[test]
    fn those_of_other_programs_are_read_as_they_read_them() {
        assert_eq!(of("k = 1 # gitleaks:allow"), [(1, MarkerKind::Gitleaks)]);
        for line in [
            "k = 1  # pragma: allowlist secret",
            "k = 1  // pragma:allowlist-secret",
            "k /* pragma: whitelist secret */",
            "<k> <!-- pragma: allowlist secret -->",
        ] {
            assert_eq!(of(line), [(1, MarkerKind::Pragma)], "{line}");
        }
        assert_eq!(of("# pragma: allowlist nextline secret\nk = 1"), [(2, MarkerKind::Pragma)]);
        for line in ["pragma: allowlist secret", "# pragma: no cover", "# pragma: allowlist secre"]
        {
            assert_eq!(of(line), [], "{line}");
        }
    }

    #[test]
    fn utf_16_has_lines_too() {
        let text = "a\nb # sluice:allow a.b why\n";
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let markers = Markers::read(&bytes, Encoding::Utf16Le);
        assert_eq!(markers.all.first().map(|it| it.line), Some(2));
    }

    #[test]
    fn very_many_are_counted() {
        let text = "sluice:allow ".repeat(MAX_MARKERS + 5);
        let markers = Markers::read(text.as_bytes(), Encoding::Bytes);
        assert_eq!((markers.all.len(), markers.unread), (MAX_MARKERS, 5));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(parts in prop::collection::vec(prop_oneof![
            Just(OWN.to_vec()), Just(GITLEAKS.to_vec()), Just(b"# pragma: allowlist nextline secret".to_vec()),
            prop::collection::vec(any::<u8>(), 0..8), Just(b"\n".to_vec()), Just(b" a.b ".to_vec()),
        ], 0..40)) {
            let bytes = parts.concat();
            for encoding in [Encoding::Bytes, Encoding::Utf16Le, Encoding::Utf16Be] {
                let markers = Markers::read(&bytes, encoding);
                prop_assert!(markers.all.is_sorted_by_key(|it| it.line));
            }
        }
    }
}
