//! Context terms around a match, looked for only where something was found.
//!
//! Offsets come in, the nearest term comes out. Terms are whole words: neither a letter nor a
//! digit may stand beside a term that begins or ends with one, but for the border of `customerSsn`.
//! Letters beyond ASCII count as letters in UTF-8 and Latin-1 alike, and each term is known in both.
//! Between the words of a term may stand a space, `_`, `-` or nothing.

use super::phrases::Phrases;
use super::sweep::BLOCK;
use super::words::{self, may_begin, may_end};
use crate::model::TermIndex;
use crate::rules::{MAX_CONTEXT, RuleSet};

/// The longest term in bytes.
pub const MAX_TERM: usize = 64;

/// How much farther away a term behind a match counts: a label stands before its value.
const BEHIND: u64 = 24;

/// The terms of a rule set, in all their forms.
#[derive(Debug)]
pub struct Terms {
    phrases: Phrases,
}

/// What [`Phrases::pack`] makes of the terms that ship with the program.
pub const BUILT_IN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_terms.bin"));

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
    places: Places,
    sought: Sought,
}

/// Which terms are looked for.
#[derive(Clone, Copy, Debug, Default)]
enum Sought {
    /// Those of all rules.
    #[default]
    All,
    /// Those of combinations.
    Combined,
}

/// Room for places at which a term may begin, each with the length of its first word.
type Places = Vec<(usize, usize)>;

/// A term beside a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// The term.
    pub term: TermIndex,
    /// Bytes between it and the match, and 24 more where it stands behind.
    pub distance: u64,
}

impl Terms {
    /// The terms of these rules. Those of the program stand in it ready for use.
    pub fn new(rules: &RuleSet) -> Terms {
        let stored = || Phrases::stored(BUILT_IN);
        let made = || Phrases::of_terms(rules.terms.iter(), &rules.combined_terms());
        let phrases = rules.terms.is_built_in().then(stored).flatten();
        Terms { phrases: phrases.unwrap_or_else(made) }
    }

    /// How a term may stand in a text.
    pub fn forms_of(&self, term: TermIndex) -> impl Iterator<Item = &[u8]> {
        self.phrases.of_term(term.0)
    }

    /// Calls `found` with start, end and term of each whole-word term of those sought that begins in
    /// `from..to`, and of some others.
    fn each(
        &self,
        text: &[u8],
        sought: Sought,
        (from, to): (usize, usize),
        places: &mut Places,
        mut found: impl FnMut(usize, usize, TermIndex),
    ) {
        let phrases = &self.phrases;
        let whole = |head: &[u8; words::HEAD]| phrases.whole(head);
        places.clear();
        words::each(text, (from, to), phrases.others(), whole, |word| {
            let may_begin = match sought {
                Sought::All => phrases.may_begin(text, &word),
                Sought::Combined => phrases.may_begin_chosen(&word),
            };
            if may_begin {
                places.push((word.start, word.length));
            }
        });
        for (start, length) in places {
            phrases.at(text, *start, *length, |term, length| {
                if is_whole_word(text, *start, *start + length) {
                    found(*start, *start + length, TermIndex(term));
                }
            });
        }
    }

    /// The terms among the words of a name, each with its distance from their end.
    pub fn in_words(&self, words: &str) -> Vec<Nearest> {
        let mut found = Vec::new();
        self.each(
            words.as_bytes(),
            Sought::All,
            (0, words.len()),
            &mut Places::new(),
            |_, end, term| {
                found.push(Nearest { term, distance: (words.len() - end) as u64 });
            },
        );
        found
    }
}

impl Nearest {
    /// The last of these terms (sorted) among those of a name.
    pub fn last(found: &[Nearest], wanted: &[TermIndex]) -> Option<Nearest> {
        let wanted = found.iter().filter(|it| wanted.binary_search(&it.term).is_ok());
        wanted.min_by_key(|it| (it.distance, it.term)).copied()
    }
}

impl Nearby {
    /// For the terms of combinations alone.
    pub fn of_combinations() -> Nearby {
        Nearby { sought: Sought::Combined, ..Nearby::default() }
    }

    /// Forgets everything: the next payload begins.
    pub fn clear(&mut self) {
        self.found.clear();
        (self.low, self.high) = (0, 0);
    }

    /// Room for terms, in bytes: what was held at most.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.found.capacity() * size_of::<Occurrence>()
            + self.places.capacity() * size_of::<(usize, usize)>()
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
    /// `end..to`; of terms as near the lower one. `text` begins at offset `base` and
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
        let middle = self.found.partition_point(|occurrence| occurrence.start < start);
        let (known, behind) = self.found.split_at(middle);
        let mut best: Option<(u64, TermIndex)> = None;
        // The nearest ones first: what is no nearer need not be looked up.
        let mut consider = |distance: u64, term: TermIndex| {
            let candidate = (distance, term);
            if best.is_none_or(|best| candidate < best) && wanted.binary_search(&term).is_ok() {
                best = Some(candidate);
            }
            best.map(|(distance, _)| distance)
        };
        for occurrence in known.get(first..).unwrap_or_default().iter().rev() {
            if occurrence.end <= start {
                let nearest = consider(start - occurrence.end, occurrence.term);
                if nearest.is_some_and(|it| start - occurrence.start > it + MAX_TERM as u64) {
                    break;
                }
            }
        }
        for occurrence in behind.iter().take_while(|found| found.start < to) {
            if occurrence.start >= end && occurrence.end <= to {
                let distance = occurrence.start - end + BEHIND;
                if consider(distance, occurrence.term).is_some_and(|it| it < distance) {
                    break;
                }
            }
        }
        best.map(|(distance, term)| Nearest { term, distance })
    }

    /// Whether a term that is `wanted`, by its number, lies wholly inside `from..to`. `text` is as
    /// [`Nearby::nearest`] has it.
    pub fn holds_any(
        &mut self,
        terms: &Terms,
        text: &[u8],
        base: u64,
        (from, to): (u64, u64),
        wanted: &[bool],
    ) -> bool {
        self.cover(terms, text, base, from, to);
        let first = self.found.partition_point(|occurrence| occurrence.start < from);
        let inside = self.found.get(first..).unwrap_or_default();
        let is_wanted = |term: TermIndex| wanted.get(usize::from(term.0)).copied() != Some(false);
        inside.iter().take_while(|it| it.start < to).any(|it| it.end <= to && is_wanted(it.term))
    }

    /// Makes all terms known that lie inside `from..to`.
    fn cover(&mut self, terms: &Terms, text: &[u8], base: u64, from: u64, to: u64) {
        // What lies in between, where it is little, may be asked for later.
        if from < self.low || from > self.high + UNSURE {
            self.found.clear();
            (self.low, self.high) = (from, from);
        }
        if to <= self.high {
            return;
        }
        // Whole blocks: what little is more may be asked for next.
        let end = to.max(self.high + BLOCK as u64);
        let keep = self.found.partition_point(|occurrence| occurrence.start < self.high);
        self.found.truncate(keep);
        let index =
            |offset: u64| usize::try_from(offset.saturating_sub(base)).unwrap_or(usize::MAX);
        terms.each(
            text,
            self.sought,
            (index(self.high), index(end)),
            &mut self.places,
            |start, end, term| {
                self.found.push(Occurrence {
                    start: base + start as u64,
                    end: base + end as u64,
                    term,
                });
            },
        );
        if let Some(fresh) = self.found.get_mut(keep..) {
            fresh.sort_unstable_by_key(|occurrence| {
                (occurrence.start, occurrence.end, occurrence.term)
            });
        }
        // A term that begins in the last bytes of the text may be cut, or its next character may be:
        // those bytes are searched again when more text is there.
        let known = (base + text.len() as u64).saturating_sub(UNSURE).min(end);
        self.high = self.high.max(known);
    }
}

/// Bytes at the end of a text in which a term, or the character behind it, may be cut.
const UNSURE: u64 = MAX_TERM as u64 + 4;

const _: () = assert!(MAX_TERM < MAX_CONTEXT);

/// Whether neither side of the term continues a word.
fn is_whole_word(text: &[u8], start: usize, end: usize) -> bool {
    let (Some(before), Some(term), Some(behind)) =
        (text.get(..start), text.get(start..end), text.get(end..))
    else {
        return false;
    };
    is_edge(before, term) && is_edge(term, behind)
}

/// Whether a word may begin or end between two parts of a text, one of them a term.
fn is_edge(left: &[u8], right: &[u8]) -> bool {
    match (left.last(), right.first()) {
        (Some(last), Some(first)) if last.is_ascii() && first.is_ascii() => {
            may_begin(*last, *first)
        }
        _ => is_edge_between(last_char(left), first_char(right)),
    }
}

/// The same of the characters there.
fn is_edge_between(left: Option<char>, right: Option<char>) -> bool {
    let (Some(left), Some(right)) = (left, right) else { return true };
    !(joins(left) && joins(right)) || left.is_lowercase() && right.is_uppercase()
}

/// Whether a character goes on with the word beside it. Scripts that write words without spaces
/// have no such character.
fn joins(c: char) -> bool {
    let spaceless = matches!(c, '\u{0e00}'..='\u{0e7f}' | '\u{2e80}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
    c.is_alphanumeric() && !spaceless
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

/// The most bytes of a term's beginning that a [`Gate`] knows. What is shorter is a whole term.
const GATE_HEAD: usize = 8;

/// Words of the bitmap of heads.
const GATE_WORDS: usize = 256;

/// Says of a text that none of some terms stands in it, at a fraction of the cost of looking for
/// them. "No" is certain, "maybe" is not.
#[derive(Debug)]
pub struct Gate {
    /// By a hash of the first two bytes of a term: how many bytes of its beginning are known, one bit
    /// a number.
    begun: Box<[u8; 1024]>,
    /// By a hash of so many bytes.
    heads: Box<[u64; GATE_WORDS]>,
}

/// What a gate said of a text up to now: matches that ask are often close to each other.
#[derive(Clone, Debug, Default)]
pub struct GateMemory {
    /// Offsets at which no term begins.
    clear: std::ops::Range<u64>,
    /// One at which a term may begin, and the end of what was read to say so.
    found: Option<(u64, u64)>,
}

impl GateMemory {
    /// Forgets everything: the next payload begins.
    pub fn clear(&mut self) {
        *self = GateMemory::default();
    }
}

impl Gate {
    /// The gate of some of the terms of a rule set.
    pub fn new(all: &Terms, terms: &[TermIndex]) -> Gate {
        let mut gate = Gate { begun: Box::new([0; 1024]), heads: Box::new([0; GATE_WORDS]) };
        for form in terms.iter().flat_map(|term| all.forms_of(*term)) {
            let length = form.len().min(GATE_HEAD);
            let head = form.get(..length).unwrap_or_default();
            let seconds = match form.get(1) {
                Some(second) => *second..=*second,
                None => 0..=u8::MAX,
            };
            for second in seconds {
                let first = form.first().copied().unwrap_or(0);
                if let Some(lengths) = gate.begun.get_mut(hash(&[first, second], 10)) {
                    *lengths |= 1 << length.saturating_sub(1);
                }
            }
            let bit = hash(head, 14);
            if let Some(word) = gate.heads.get_mut(bit / 64) {
                *word |= 1 << (bit % 64);
            }
        }
        gate
    }

    /// Whether one of the terms may stand in a part of a text that begins at offset `base`. Parts
    /// asked about do not begin before those of earlier questions, as a rule.
    pub fn may_hold(
        &self,
        memory: &mut GateMemory,
        text: &[u8],
        base: u64,
        (from, to): (usize, usize),
    ) -> bool {
        let to = to.min(text.len());
        let (first, last) = (base + from as u64, base + to as u64);
        if memory.found.is_some_and(|(at, end)| first <= at && end <= last) {
            return true;
        }
        let is_known = memory.clear.contains(&first);
        let skipped = if is_known { memory.clear.end - first } else { 0 };
        let begin = usize::try_from(skipped).map_or(to, |skipped| (from + skipped).min(to));
        let part = text.get(begin..to).unwrap_or_default();
        let mut before = begin.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(0);
        for (at, byte) in part.iter().enumerate() {
            let begins = may_begin(before, *byte);
            before = *byte;
            if begins && let Some(length) = self.head_of(part.get(at..).unwrap_or_default()) {
                let at = base + (begin + at) as u64;
                // A byte behind a whole term was looked at, too.
                memory.found = Some((at, at + length as u64 + 1));
                return true;
            }
        }
        // A term that begins in the last bytes may reach beyond the part.
        let end = last.saturating_sub(GATE_HEAD as u64);
        let start = if is_known { memory.clear.start } else { first };
        memory.clear = start..end.max(if is_known { memory.clear.end } else { start });
        false
    }

    /// How much of a term this text may begin with.
    fn head_of(&self, text: &[u8]) -> Option<usize> {
        let first = text.first().copied().unwrap_or(0);
        let second = text.get(1).copied().unwrap_or(0);
        let mut lengths = self.begun.get(hash(&[first, second], 10)).copied().unwrap_or(0);
        while lengths != 0 {
            let length = lengths.trailing_zeros() as usize + 1;
            lengths &= lengths - 1;
            let Some(head) = text.get(..length) else { continue };
            let bit = hash(head, 14);
            let is_held = self.heads.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1);
            if is_held && (length == GATE_HEAD || may_end(head, text.get(length))) {
                return Some(length);
            }
        }
        None
    }
}

/// A hash of so many bits; ASCII letters count in lower case.
fn hash(bytes: &[u8], bits: u32) -> usize {
    let folded =
        bytes.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(byte.to_ascii_lowercase()));
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::sample;

    const WORDS: [&str; 7] = ["ssn", "social security", "nr.", "größe", "ab", "b c", "號碼"];

    /// The terms of a rule set with these words, the last of them 64 bytes long.
    fn terms() -> (Terms, Vec<TermIndex>, Vec<String>) {
        let mut words: Vec<String> = WORDS.map(str::to_owned).to_vec();
        words.push("w".repeat(MAX_TERM));
        let more =
            format!("anchors = {{ keywords = [\"key\"] }}\ncontext = {{ terms = {words:?} }}");
        let rules = sample::rules(&[("sec.a", "key", &more)], "");
        let wanted = rules.rules[0].context.as_ref().unwrap().terms.clone();
        (Terms::new(&rules), wanted, rules.terms.iter().map(str::to_owned).collect())
    }

    /// The word nearest to `start..end`, looked for in all of the text.
    fn nearest(text: &[u8], start: usize, end: usize) -> Option<(String, u64)> {
        let (terms, wanted, words) = terms();
        let (start, end, last) = (start as u64, end as u64, text.len() as u64);
        let mut nearby = Nearby::default();
        let found = nearby.nearest(&terms, text, 0, (0, start), (end, last), &wanted);
        found.map(|found| (words[usize::from(found.term.0)].clone(), found.distance))
    }

    fn is_in(text: &[u8]) -> bool {
        nearest(text, text.len(), text.len()).is_some()
    }

    #[test]
    fn terms_are_whole_words_in_any_case() {
        for text in ["ssn", "SSN", "-ssn:", "_ssn_", "(Ssn)", "a ssn", "ssn\n", "Social Security"] {
            assert!(is_in(text.as_bytes()), "{text}");
        }
        for text in ["xssn", "ssnx", "1ssn", "ssn2", "éssn", "ssné", "socialsecurit"] {
            assert!(!is_in(text.as_bytes()), "{text}");
        }
        // Letters of Latin-1 are letters, other bytes beyond ASCII are none.
        assert!(!is_in(b"\xe9ssn") && !is_in(b"ssn\xe9"));
        assert!(is_in(b"\xa7ssn") && is_in("\u{2014}ssn\u{2014}".as_bytes()));
        // An edge that is no letter needs nothing beside it.
        assert!(is_in(b"nr.5") && !is_in(b"xnr.5"));
    }

    #[test]
    fn terms_beyond_ascii_are_known_in_both_encodings_and_cases() {
        for text in ["größe", "Größe", "GRÖSSE"] {
            assert!(is_in(text.as_bytes()), "{text}");
        }
        assert!(is_in(b"gr\xf6\xdfe") && is_in(b"GR\xd6SSE") && !is_in(b"gr\xf6\xdfen"));
        // Words without spaces between them.
        assert!(is_in("我的號碼是".as_bytes()));
    }

    #[test]
    fn the_nearest_term_wins_and_one_behind_is_farther_away() {
        let text = b"ssn .. ab [value] ssn";
        assert_eq!(nearest(text, 10, 17), Some(("ab".into(), 1)));
        assert_eq!(nearest(b"ab [v] ssn", 3, 6), Some(("ab".into(), 1)));
        assert_eq!(nearest(b"ab  [v] ssn", 4, 7), Some(("ab".into(), 2)));
        assert_eq!(nearest(b"[v] ssn", 0, 3), Some(("ssn".into(), 1 + BEHIND)));
        // What overlaps the value or sticks out of the window is not beside it.
        assert_eq!(nearest(b"ssn", 1, 3), None);
        assert_eq!(nearest(b"ab c", 0, 2), None);
        assert_eq!(nearest(b"", 0, 0), None);
    }

    #[test]
    fn words_of_names_have_their_distance_from_the_end() {
        let (terms, wanted, words) = terms();
        let of = |name| {
            let found = Nearest::last(&terms.in_words(name), &wanted)?;
            Some((words[usize::from(found.term.0)].as_str(), found.distance))
        };
        assert_eq!(of("patient SSN no"), Some(("ssn", 3)));
        assert_eq!(of("ssn ab"), Some(("ab", 0)));
        assert_eq!(of("home Social Security"), Some(("social security", 0)));
        assert_eq!(of("assn"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn words_of_a_term_may_be_joined_in_the_ways_of_code() {
        for text in ["social_security", "social-security", "socialsecurity", "mySocialSecurity no"]
        {
            assert!(is_in(text.as_bytes()), "{text}");
        }
        assert!(is_in(b"customerSsn") && is_in(b"ssnNumber"));
        assert!(!is_in(b"socialXsecurity") && !is_in(b"unsocialsecurity") && !is_in(b"xSSNx"));
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            6 => prop::sample::select(WORDS.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
            1 => Just(vec![b'w'; MAX_TERM]),
            4 => prop::sample::select(vec![" ", ".", "x", "é", "\n", "0"]).prop_map(|s| s.as_bytes().to_vec()),
            1 => Just(vec![0xe9]),
            1 => (1usize..700).prop_map(|length| vec![b'.'; length]),
        ];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// Windows in about any order, on text of which more and more is there and less and less
        /// is kept, have the terms of a fresh look at the whole.
        #[test]
        fn what_was_searched_before_does_not_matter(
            text in text(),
            windows in prop::collection::vec((0usize..4000, 0usize..400, 0usize..40, 0usize..400), 1..12),
            sorted: bool,
        ) {
            let (terms, wanted, _) = terms();
            let mut windows: Vec<[usize; 4]> = windows
                .into_iter()
                .map(|(from, before, length, after)| {
                    let from = from.min(text.len());
                    let start = (from + before).min(text.len());
                    let end = (start + length).min(text.len());
                    [from, start, end, (end + after).min(text.len())]
                })
                .collect();
            if sorted {
                windows.sort_unstable();
            }
            let mut nearby = Nearby::default();
            for window in windows {
                let [from, start, end, to] = window;
                let borders = |at: usize| at as u64;
                let query = |nearby: &mut Nearby, text: &[u8], base: usize| {
                    nearby.nearest(
                        &terms, text, borders(base),
                        (borders(from), borders(start)), (borders(end), borders(to)), &wanted,
                    )
                };
                let whole = query(&mut Nearby::default(), &text, 0);
                // Of the text only what the window needs is there, and a little before it.
                let base = if sorted { from.saturating_sub(8) } else { 0 };
                let there = text.len().min(to + 8);
                prop_assert_eq!(query(&mut nearby, &text[base..there], base), whole, "{:?}", window);
                if sorted {
                    nearby.forget_below(borders(base));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_gate_that_says_no_is_right(
            text in text(),
            parts in proptest::collection::vec((0usize..90, 0usize..300), 1..40),
        ) {
            let (terms, wanted, _) = terms();
            for term in &wanted {
                let gate = Gate::new(&terms, &[*term]);
                let (mut memory, mut begin) = (GateMemory::default(), 0);
                for (step, length) in &parts {
                    begin = (begin + step).min(text.len());
                    // As a rule parts do not go back, and one that does is no exception.
                    let from = if step % 7 == 3 { begin.saturating_sub(100) } else { begin };
                    let to = (from + length).min(text.len());
                    let mut nearby = Nearby::default();
                    let ends = (from as u64, to as u64);
                    let found = nearby.nearest(&terms, &text, 0, ends, (ends.1, ends.1), &[*term]);
                    let may = gate.may_hold(&mut memory, &text, 0, (from, to));
                    prop_assert!(found.is_none() || may, "{from}..{to}");
                }
            }
        }
    }

    #[test]
    fn a_gate_says_no_where_it_can() {
        let more = "anchors = { keywords = [\"key\"] }\ncontext = { terms = [\"social security\", \"dl\"] }";
        let rules = sample::rules(&[("sec.a", "key", more)], "");
        let gate = Gate::new(&Terms::new(&rules), &rules.rules[0].context.as_ref().unwrap().terms);
        let may = |text: &str| {
            gate.may_hold(&mut GateMemory::default(), text.as_bytes(), 0, (0, text.len()))
        };
        assert!(may("my Social Secretary") && may("a DL 5") && may("customerSocialSecurity"));
        assert!(
            !may("antisocial security")
                && !may("my social thing")
                && !may("DLs and my adl 5")
                && !may("the quick brown fox 123-45")
                && !may("")
        );
    }

    #[test]
    fn what_is_found_is_forgotten_again() {
        let (terms, wanted, _) = terms();
        let text = b"ssn ".repeat(5000);
        let mut nearby = Nearby::default();
        for start in (0..text.len() as u64 - 200).step_by(100) {
            let (from, to) = (start.saturating_sub(300), start + 200);
            nearby.nearest(&terms, &text, 0, (from, start), (start + 10, to), &wanted);
            nearby.forget_below(from);
            assert!(nearby.found.len() < 400, "{}", nearby.found.len());
        }
    }
}
