//! Context terms around a match, looked for only where something was found.
//!
//! Offsets come in, the nearest term comes out. Terms are whole words: neither a letter nor a
//! digit may stand beside a term that begins or ends with one, but for the border of `customerSsn`.
//! Letters beyond ASCII count as letters in UTF-8 and Latin-1 alike, and each term is known in both.
//! Between the words of a term may stand a space, `_`, `-` or nothing.

use super::beginnings::Beginnings;
use super::first_words::{Class, FirstWords};
use super::phrases::Phrases;
use super::sweep::BLOCK;
use super::words::{self, may_begin};
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
    sought: Sought,
}

/// Which terms are looked for.
#[derive(Debug)]
enum Sought {
    /// Those that somebody wants: a payload sets off few rules, and most words begin none of their
    /// terms.
    Wanted(Wanted),
    /// Those of combinations.
    Combined,
    /// Those of all rules.
    All,
}

impl Default for Sought {
    fn default() -> Sought {
        Sought::Wanted(Wanted::default())
    }
}

/// The terms that somebody wants.
#[derive(Debug, Default)]
struct Wanted {
    beginnings: Beginnings,
    /// By number of who asks: whether their terms are among these.
    seekers: Vec<bool>,
    /// How many they are, and how many bytes were searched for them.
    count: usize,
    searched: u64,
}

/// Seekers that are kept however much is searched.
const FEW_SEEKERS: usize = 4;

/// Bytes that are searched before all seekers are forgotten: those that go on asking come again.
const KEPT_FOR: u64 = 1 << 20;

/// The terms around matches: those that rules want, and all, for rules that almost any term speaks
/// against.
#[derive(Debug)]
pub struct TermsNearby {
    /// Those that rules want.
    pub wanted: Nearby,
    /// All.
    pub all: Nearby,
    /// For all that are looked for in the view.
    pub words: FirstWords,
}

impl Default for TermsNearby {
    fn default() -> TermsNearby {
        TermsNearby {
            wanted: Nearby::default(),
            all: Nearby::of_all(),
            words: FirstWords::default(),
        }
    }
}

impl TermsNearby {
    /// Forgets everything: the next payload begins.
    pub fn clear(&mut self) {
        self.wanted.clear();
        self.all.clear();
        self.words.restart();
    }

    /// Forgets terms that begin below this offset.
    pub fn forget_below(&mut self, offset: u64) {
        self.wanted.forget_below(offset);
        self.all.forget_below(offset);
    }

    /// Room for terms, in bytes: what was held at most.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.wanted.room() + self.all.room() + FirstWords::ROOM
    }
}

/// A search for terms that are looked for; only these can be asked for.
#[derive(Debug)]
pub struct Search<'a> {
    nearby: &'a mut Nearby,
    words: &'a mut FirstWords,
    terms: &'a Terms,
}

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
        let made = || {
            let combined: Vec<u16> = rules.combined_terms().iter().map(|term| term.0).collect();
            Phrases::of_terms(rules.terms.iter(), &combined)
        };
        let phrases = rules.terms.is_built_in().then(stored).flatten();
        Terms { phrases: phrases.unwrap_or_else(made) }
    }

    /// All of them.
    #[cfg(test)]
    pub fn phrases(&self) -> &Phrases {
        &self.phrases
    }

    /// How a term may stand in a text.
    pub fn forms_of(&self, term: TermIndex) -> impl Iterator<Item = &[u8]> {
        self.phrases.of_term(term.0)
    }

    /// Calls `found` with end and term of each whole-word term that begins at a place of the text.
    fn at(&self, text: &[u8], start: usize, found: &mut impl FnMut(usize, TermIndex)) {
        let here = text.get(start..).unwrap_or_default();
        let borders = self.phrases.whole(here);
        words::lengths(here, MAX_TERM + 1, borders, |length| {
            self.phrases.at(text, start, length, |term, length| {
                if is_whole_word(text, start, start + length) {
                    found(start + length, TermIndex(term));
                }
            });
        });
    }

    /// The terms among the words of a name, each with its distance from their end.
    pub fn in_words(&self, words: &str) -> Vec<Nearest> {
        let (mut found, text) = (Vec::new(), words.as_bytes());
        words::each_start(text, self.phrases.others(), |start| {
            self.at(text, start, &mut |end, term| {
                found.push(Nearest { term, distance: (text.len() - end) as u64 });
            });
        });
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
        Nearby { found: Vec::new(), low: 0, high: 0, sought: Sought::Combined }
    }

    /// For all terms.
    pub fn of_all() -> Nearby {
        Nearby { found: Vec::new(), low: 0, high: 0, sought: Sought::All }
    }

    /// Looks for the terms of these lists, besides those that are looked for anyhow. `seeker` is a number
    /// of who wants them, which stands for the same lists each time.
    pub fn seek<'a>(
        &'a mut self,
        words: &'a mut FirstWords,
        terms: &'a Terms,
        seeker: usize,
        lists: [&[TermIndex]; 3],
    ) -> Search<'a> {
        if let Sought::Wanted(wanted) = &mut self.sought
            && !wanted.has(seeker)
        {
            words.renew(Class::Wanted);
            wanted.add(seeker, lists.into_iter().flatten().flat_map(|it| terms.forms_of(*it)));
            self.clear();
        }
        self.search(words, terms)
    }

    /// Looks for those that are looked for anyhow. One view has one set of first words, which only one
    /// search for terms that are wanted may use.
    pub fn search<'a>(&'a mut self, words: &'a mut FirstWords, terms: &'a Terms) -> Search<'a> {
        Search { nearby: self, words, terms }
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
    }

    /// Forgets terms that begin below this offset.
    pub fn forget_below(&mut self, offset: u64) {
        if offset > self.low {
            self.low = offset;
            self.high = self.high.max(offset);
            self.found.retain(|occurrence| occurrence.start >= offset);
        }
    }

    /// Makes all terms known that lie inside `from..to`, of those that are looked for.
    fn cover(
        &mut self,
        words: &mut FirstWords,
        terms: &Terms,
        (text, base): (&[u8], u64),
        (from, to): (u64, u64),
    ) -> &[Occurrence] {
        // What lies in between, where it is little, may be asked for later.
        if from < self.low || from > self.high + UNSURE {
            self.found.clear();
            (self.low, self.high) = (from, from);
        }
        if to <= self.high {
            return &self.found;
        }
        // Whole blocks: what little is more may be asked for next.
        let end = to.max(self.high + BLOCK as u64);
        let keep = self.found.partition_point(|occurrence| occurrence.start < self.high);
        self.found.truncate(keep);
        let (class, beginnings) = match &mut self.sought {
            Sought::Wanted(wanted) => {
                wanted.searched += end - self.high;
                (Class::Wanted, &wanted.beginnings)
            }
            Sought::Combined => (Class::Combined, &terms.phrases.combined),
            Sought::All => (Class::All, &terms.phrases.all),
        };
        words.know(class, &beginnings.firsts);
        let (beginnings, others) = (beginnings.tables(), terms.phrases.others());
        words.each(class, others, (text, base), (self.high, end), |at| {
            let mut may_begin = false;
            beginnings.each(text, at, |_, _| may_begin = true);
            if may_begin {
                terms.at(text, at, &mut |end, term| {
                    let (start, end) = (base + at as u64, base + end as u64);
                    self.found.push(Occurrence { start, end, term });
                });
            }
        });
        if let Some(fresh) = self.found.get_mut(keep..) {
            fresh.sort_unstable_by_key(|occurrence| {
                (occurrence.start, occurrence.end, occurrence.term)
            });
        }
        // A term that begins in the last bytes of the text may be cut, or its next character may be:
        // those bytes are searched again when more text is there.
        let known = (base + text.len() as u64).saturating_sub(UNSURE).min(end);
        self.high = self.high.max(known);
        &self.found
    }
}

impl Wanted {
    /// Whether the terms of a seeker are among these. Once much was searched all are forgotten: who goes on
    /// asking comes again.
    fn has(&mut self, seeker: usize) -> bool {
        if self.searched > KEPT_FOR && self.count > FEW_SEEKERS {
            self.seekers.fill(false);
            self.beginnings.clear();
            (self.count, self.searched) = (0, 0);
        }
        self.seekers.get(seeker) == Some(&true)
    }

    fn add<'a>(&mut self, seeker: usize, terms: impl Iterator<Item = &'a [u8]>) {
        if self.seekers.len() <= seeker {
            self.seekers.resize(seeker + 1, false);
        }
        if let Some(is_known) = self.seekers.get_mut(seeker) {
            *is_known = true;
        }
        self.count += 1;
        terms.for_each(|term| self.beginnings.add(term));
    }
}

impl Search<'_> {
    /// The nearest of the `wanted` terms (sorted) that lies wholly inside `from..start` or
    /// `end..to`; of terms as near the lower one. `text` begins at offset `base` and
    /// holds `from..to` and, unless the payload ends there, four bytes beyond.
    pub fn nearest(
        &mut self,
        text: &[u8],
        base: u64,
        (from, start): (u64, u64),
        (end, to): (u64, u64),
        wanted: &[TermIndex],
    ) -> Option<Nearest> {
        let found = self.nearby.cover(self.words, self.terms, (text, base), (from, to));
        let first = found.partition_point(|occurrence| occurrence.start < from);
        let middle = found.partition_point(|occurrence| occurrence.start < start);
        let (known, behind) = found.split_at(middle);
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

    /// Whether one of the `wanted` terms (sorted) lies wholly inside `from..to`. `text` is as
    /// [`Nearby::nearest`] has it.
    pub fn holds_any(
        &mut self,
        text: &[u8],
        base: u64,
        (from, to): (u64, u64),
        wanted: &[TermIndex],
    ) -> bool {
        let found = self.nearby.cover(self.words, self.terms, (text, base), (from, to));
        let first = found.partition_point(|occurrence| occurrence.start < from);
        let inside = found.get(first..).unwrap_or_default();
        let is_wanted = |term: TermIndex| wanted.binary_search(&term).is_ok();
        inside.iter().take_while(|it| it.start < to).any(|it| it.end <= to && is_wanted(it.term))
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
        let (mut nearby, mut words_of_all) = (Nearby::of_all(), FirstWords::default());
        let mut search = nearby.search(&mut words_of_all, &terms);
        let found = search.nearest(text, 0, (0, start), (end, last), &wanted);
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
        /// is kept, have the terms of a fresh look at the whole for all terms, whoever asks for some.
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
            let (mut nearby, mut words) = (Nearby::default(), FirstWords::default());
            for window in windows {
                let [from, start, end, to] = window;
                let borders = |at: usize| at as u64;
                // Each asks for two of the terms.
                let seeker = (from + end) % wanted.len();
                let wanted = [wanted[seeker], wanted[(seeker + 3) % wanted.len()]];
                let lists: [&[TermIndex]; 3] = [&wanted[..1], &[], &wanted[1..]];
                let mut wanted = wanted;
                wanted.sort_unstable();
                let query = |nearby: &mut Nearby, words: &mut FirstWords, text: &[u8], base: usize| {
                    let mut search = nearby.seek(words, &terms, seeker, lists);
                    let (before, behind) = ((borders(from), borders(start)), (borders(end), borders(to)));
                    let nearest = search.nearest(text, borders(base), before, behind, &wanted);
                    let inside = (borders(from), borders(to));
                    (nearest, search.holds_any(text, borders(base), inside, &wanted))
                };
                let whole = query(&mut Nearby::of_all(), &mut FirstWords::default(), &text, 0);
                // Of the text only what the window needs is there, and a little before it.
                let base = if sorted { from.saturating_sub(8) } else { 0 };
                let there = text.len().min(to + 8);
                let held = &text[base..there];
                prop_assert_eq!(query(&mut nearby, &mut words, held, base), whole, "{:?}", window);
                if sorted {
                    nearby.forget_below(borders(base));
                }
            }
        }
    }

    #[test]
    fn who_does_not_go_on_asking_is_forgotten() {
        let (terms, wanted, _) = terms();
        let text = b"ssn ".repeat(2000);
        let (mut nearby, mut words) = (Nearby::default(), FirstWords::default());
        let count = |nearby: &Nearby| match &nearby.sought {
            Sought::Wanted(wanted) => wanted.count,
            _ => 0,
        };
        let mut ask = |seeker: usize| {
            for start in (0..text.len() as u64 - 200).step_by(100) {
                let mut search = nearby.seek(&mut words, &terms, seeker, [&wanted, &[], &[]]);
                assert!(search.holds_any(&text, 0, (start, start + 200), &wanted));
            }
            nearby.clear();
            words.restart();
            count(&nearby)
        };
        let few = FEW_SEEKERS;
        assert!((0..=few).all(|seeker| ask(seeker) == seeker + 1));
        let rounds = (KEPT_FOR as usize).div_ceil(text.len());
        let counts: Vec<usize> = (0..=rounds).map(|_| ask(few)).collect();
        assert_eq!((counts[0], counts[rounds]), (few + 1, 1));
    }

    #[test]
    fn what_is_found_is_forgotten_again() {
        let (terms, wanted, _) = terms();
        let text = b"ssn ".repeat(5000);
        let (mut nearby, mut words) = (Nearby::default(), FirstWords::default());
        for start in (0..text.len() as u64 - 200).step_by(100) {
            let (from, to) = (start.saturating_sub(300), start + 200);
            let mut search = nearby.seek(&mut words, &terms, 0, [&wanted, &[], &[]]);
            search.nearest(&text, 0, (from, start), (start + 10, to), &wanted);
            nearby.forget_below(from);
            assert!(nearby.found.len() < 400, "{}", nearby.found.len());
        }
    }
}
