//! Context terms around a match, looked for only where something was found.
//!
//! Offsets come in, the nearest term comes out. Terms are whole words: neither a letter nor a
//! digit may stand beside a term that begins or ends with one. Letters beyond ASCII count as
//! letters in UTF-8 and Latin-1 alike, and each term is known in both.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::model::TermIndex;
use crate::rules::{MAX_CONTEXT, RuleSet};

/// The longest term in bytes.
pub const MAX_TERM: usize = 64;

/// How much text is searched at a time, at least, where matches are close and the text is there.
const STEP: u64 = 512;

/// The terms of a rule set as one automaton.
#[derive(Debug)]
pub struct Terms {
    automaton: Option<AhoCorasick>,
    of_pattern: Vec<TermIndex>,
}

/// A term in the text.
#[derive(Clone, Copy, Debug)]
struct Occurrence {
    start: u64,
    end: u64,
    term: TermIndex,
}

/// The terms found in a stretch of one payload; each byte is searched a bounded number of times.
#[derive(Debug, Default)]
pub struct Nearby {
    found: Vec<Occurrence>,
    low: u64,
    high: u64,
}

/// A term beside a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// The term.
    pub term: TermIndex,
    /// Bytes between it and the match.
    pub distance: u64,
}

impl Terms {
    /// The terms of these rules.
    pub fn new(rules: &RuleSet) -> Terms {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        let mut of_pattern = Vec::new();
        for (number, term) in (0..=u16::MAX).zip(&rules.terms) {
            let mut forms = vec![term.clone().into_bytes()];
            if !term.is_ascii() {
                let upper = term.to_uppercase();
                forms.push(upper.clone().into_bytes());
                forms.extend([term, &upper].into_iter().filter_map(|form| latin1(form)));
                forms.sort();
                forms.dedup();
            }
            of_pattern.extend(forms.iter().map(|_| TermIndex(number)));
            patterns.append(&mut forms);
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&patterns);
        Terms { automaton: automaton.ok(), of_pattern }
    }

    /// Calls `found` with start, end and term of each whole-word term in `text[from..to]`.
    fn each(
        &self,
        text: &[u8],
        from: usize,
        to: usize,
        mut found: impl FnMut(usize, usize, TermIndex),
    ) {
        let (Some(automaton), Some(part)) = (&self.automaton, text.get(from..to)) else { return };
        for matched in automaton.find_overlapping_iter(part) {
            let (start, end) = (from + matched.start(), from + matched.end());
            if let Some(term) = self.of_pattern.get(matched.pattern().as_usize())
                && is_whole_word(text, start, end)
            {
                found(start, end, *term);
            }
        }
    }

    /// The first of these terms among the words of a column name or JSON key.
    pub fn in_name(&self, name: &str, wanted: &[TermIndex]) -> Option<TermIndex> {
        let words = split_words(name);
        let mut first = None;
        self.each(words.as_bytes(), 0, words.len(), |start, _, term| {
            if wanted.contains(&term) && first.is_none_or(|best| (start, term) < best) {
                first = Some((start, term));
            }
        });
        first.map(|(_, term)| term)
    }
}

impl Nearby {
    /// Forgets everything: the next payload begins.
    pub fn clear(&mut self) {
        *self = Nearby { found: std::mem::take(&mut self.found), low: 0, high: 0 };
        self.found.clear();
    }

    /// Forgets terms that begin below this offset.
    pub fn forget_below(&mut self, offset: u64) {
        if offset > self.low {
            self.low = offset;
            self.high = self.high.max(offset);
            self.found.retain(|occurrence| occurrence.start >= offset);
        }
    }

    /// The nearest of the `wanted` terms (sorted) that lies wholly inside `from..start` or
    /// `end..to`; before wins over behind, then the lower term. `text` begins at offset `base` and
    /// holds `from..to` and, unless the payload ends there, four bytes beyond.
    pub fn nearest(
        &mut self,
        terms: &Terms,
        text: &[u8],
        base: u64,
        (from, start): (u64, u64),
        (end, to): (u64, u64),
        wanted: &[TermIndex],
    ) -> Option<Nearest> {
        self.cover(terms, text, base, from, to);
        let first = self.found.partition_point(|occurrence| occurrence.start < from);
        let mut best: Option<(u64, bool, TermIndex)> = None;
        for occurrence in self.found.iter().skip(first).take_while(|found| found.start < to) {
            let (distance, behind) = if occurrence.end <= start {
                (start - occurrence.end, false)
            } else if occurrence.start >= end && occurrence.end <= to {
                (occurrence.start - end, true)
            } else {
                continue;
            };
            if wanted.binary_search(&occurrence.term).is_err() {
                continue;
            }
            let candidate = (distance, behind, occurrence.term);
            if best.is_none_or(|best| candidate < best) {
                best = Some(candidate);
            }
        }
        best.map(|(distance, _, term)| Nearest { term, distance })
    }

    /// Makes all terms known that lie inside `from..to`.
    fn cover(&mut self, terms: &Terms, text: &[u8], base: u64, from: u64, to: u64) {
        let elsewhere = from < self.low || from > self.high;
        if elsewhere {
            self.found.clear();
            (self.low, self.high) = (from, from);
        }
        if to <= self.high {
            return;
        }
        // A lone match pays for its own window; where matches are close, larger steps pay.
        let step = if elsewhere { 0 } else { STEP };
        let available = base + text.len() as u64;
        let end = available.min(to.max(self.high + step));
        let keep = self.found.partition_point(|occurrence| occurrence.start < self.high);
        self.found.truncate(keep);
        let index =
            |offset: u64| usize::try_from(offset.saturating_sub(base)).unwrap_or(usize::MAX);
        terms.each(text, index(self.high), index(end), |start, end, term| {
            self.found.push(Occurrence {
                start: base + start as u64,
                end: base + end as u64,
                term,
            });
        });
        if let Some(fresh) = self.found.get_mut(keep..) {
            fresh.sort_unstable_by_key(|occurrence| {
                (occurrence.start, occurrence.end, occurrence.term)
            });
        }
        // A term that begins in the last bytes may be cut, or its next character may be: those
        // bytes are searched again when more text is there.
        self.high = end.saturating_sub(UNSURE).max(self.high);
    }
}

/// Bytes at the end of a search in which a term, or the character behind it, may be cut.
const UNSURE: u64 = MAX_TERM as u64 + 4;

const _: () = assert!(MAX_TERM < MAX_CONTEXT && UNSURE <= STEP / 2);

/// Whether neither side of the term continues a word.
fn is_whole_word(text: &[u8], start: usize, end: usize) -> bool {
    let (Some(before), Some(term), Some(behind)) =
        (text.get(..start), text.get(start..end), text.get(end..))
    else {
        return false;
    };
    let opens =
        !(needs_edge(first_char(term)) && last_char(before).is_some_and(char::is_alphanumeric));
    let closes =
        !(needs_edge(last_char(term)) && first_char(behind).is_some_and(char::is_alphanumeric));
    opens && closes
}

/// Scripts that write words without spaces need no edge.
fn needs_edge(edge: Option<char>) -> bool {
    edge.is_some_and(|c| c.is_alphanumeric() && !matches!(c, '\u{0e00}'..='\u{0e7f}' | '\u{2e80}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'))
}

/// The character that text begins with, in UTF-8 if it is that, else in Latin-1.
fn first_char(text: &[u8]) -> Option<char> {
    let head = text.get(..4).unwrap_or(text);
    match bstr::decode_utf8(head) {
        (Some(c), _) => Some(c),
        (None, _) => head.first().map(|byte| char::from(*byte)),
    }
}

/// The character that text ends with, likewise.
fn last_char(text: &[u8]) -> Option<char> {
    let tail = text.get(text.len().saturating_sub(4)..).unwrap_or(text);
    match bstr::decode_last_utf8(tail) {
        (Some(c), _) => Some(c),
        (None, _) => tail.last().map(|byte| char::from(*byte)),
    }
}

/// The term in Latin-1, where all of it is.
fn latin1(term: &str) -> Option<Vec<u8>> {
    term.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

/// `patientSSN_no` as `patient SSN no`.
fn split_words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    let mut previous = ' ';
    for c in name.chars() {
        if !c.is_alphanumeric() {
            words.push(' ');
        } else {
            if previous.is_lowercase() && c.is_uppercase() {
                words.push(' ');
            }
            words.push(c);
        }
        previous = c;
    }
    words
}
