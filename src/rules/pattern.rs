//! What can be said of a pattern without running it: lengths, first bytes, exact words in it.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use super::ByteSet;

/// How deep groups and repeats of a pattern may nest.
const NEST_LIMIT: u32 = 64;

/// The most words that [`exact_words`] spells out.
const MAX_WORDS: usize = 256;

/// Why a pattern was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PatternError {
    /// Not a regex; with the byte offset in the pattern.
    Syntax { message: String, offset: usize },
    /// Needs Unicode mode.
    Unicode,
}

/// Parses a pattern as the engine does: over bytes, Unicode mode off.
pub(super) fn parse(pattern: &str) -> Result<Hir, PatternError> {
    let mut builder = ParserBuilder::new();
    builder.utf8(false).unicode(false).nest_limit(NEST_LIMIT);
    let hir = builder.build().parse(pattern).map_err(|error| match &error {
        regex_syntax::Error::Parse(error) => PatternError::Syntax {
            message: error.kind().to_string(),
            offset: error.span().start.offset,
        },
        regex_syntax::Error::Translate(error) => match error.kind() {
            regex_syntax::hir::ErrorKind::UnicodeNotAllowed
            | regex_syntax::hir::ErrorKind::UnicodePropertyNotFound
            | regex_syntax::hir::ErrorKind::UnicodePropertyValueNotFound
            | regex_syntax::hir::ErrorKind::UnicodePerlClassNotFound
            | regex_syntax::hir::ErrorKind::UnicodeCaseUnavailable => PatternError::Unicode,
            kind => PatternError::Syntax {
                message: kind.to_string(),
                offset: error.span().start.offset,
            },
        },
        _ => PatternError::Syntax { message: "not a regex".to_owned(), offset: 0 },
    })?;
    if needs_unicode(&hir) { Err(PatternError::Unicode) } else { Ok(hir) }
}

/// The bytes of a pattern that is one character class and nothing else.
pub(super) fn one_class(hir: &Hir) -> Option<ByteSet> {
    match hir.kind() {
        HirKind::Capture(capture) => one_class(&capture.sub),
        HirKind::Literal(literal) => match &*literal.0 {
            [byte] => Some([*byte].into_iter().collect()),
            _ => None,
        },
        HirKind::Class(class) => Some(class_bytes(class)),
        _ => None,
    }
}

/// The bytes of a class. Unicode classes are refused by [`parse`], so their wide members do not
/// matter here.
pub(super) fn class_bytes(class: &Class) -> ByteSet {
    match class {
        Class::Bytes(class) => {
            class.ranges().iter().flat_map(|range| range.start()..=range.end()).collect()
        }
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .flat_map(|range| range.start()..=range.end())
            .filter_map(|c| u8::try_from(c).ok())
            .collect(),
    }
}

/// Every byte that some match of the pattern consumes.
pub(super) fn consumed(hir: &Hir) -> ByteSet {
    let mut set = ByteSet::EMPTY;
    consume(hir, &mut set);
    set
}

/// Bytes of which one stands wherever a cell of a table or a value of JSON ends or another begins; but
/// for the blanks before the first cell of a row.
const CELL_ENDS: &[u8] = b"\",;|\t\r\n{}[]:";

/// Whether all bytes of a match lie in one cell or value, wherever it stands.
pub(super) fn lies_in_cell(hir: &Hir) -> bool {
    begins_in_cell(hir, 1) && !ends_cell(consumed(hir))
}

/// Whether so many bytes of a match, from its first one on, and the one behind them lie in one cell or
/// value.
pub(super) fn begins_in_cell(hir: &Hir, length: usize) -> bool {
    let mut held = ByteSet::EMPTY;
    hold_within(hir, length, &mut |part| consume(part, &mut held));
    // No blank: some belong to the cell before, at the start of a row.
    !ends_cell(held) && !held.contains(b' ')
}

fn ends_cell(held: ByteSet) -> bool {
    CELL_ENDS.iter().any(|byte| held.contains(*byte))
}

/// What a cell of a table may end with that goes on in its row.
const DELIMITERS: &[u8] = b"\t;|,";

/// How many cells of a row a match can reach beyond one that it touches, at most; 255 stands for no bound.
pub(super) fn cells_beside(hir: &Hir) -> u8 {
    match most_of(hir, &ByteSet::from_iter([b'\n'])) {
        0 => u8::try_from(most_of(hir, &DELIMITERS.iter().copied().collect())).unwrap_or(u8::MAX),
        _ => u8::MAX,
    }
}

/// How many bytes of a set a match can hold; `usize::MAX` stands for no bound.
fn most_of(hir: &Hir, set: &ByteSet) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.iter().filter(|byte| set.contains(**byte)).count(),
        HirKind::Class(class) => {
            usize::from(class_bytes(class).iter().any(|byte| set.contains(byte)))
        }
        HirKind::Repetition(Repetition { max, sub, .. }) => {
            most_of(sub, set).saturating_mul(max.map_or(usize::MAX, |max| max as usize))
        }
        HirKind::Capture(capture) => most_of(&capture.sub, set),
        HirKind::Concat(subs) => {
            subs.iter().fold(0, |sum, sub| sum.saturating_add(most_of(sub, set)))
        }
        HirKind::Alternation(subs) => subs.iter().map(|sub| most_of(sub, set)).max().unwrap_or(0),
    }
}

/// Calls `part` with parts of a pattern that hold all of the first bytes, so many, that a match can have.
fn hold_within<'h>(hir: &'h Hir, length: usize, part: &mut impl FnMut(&'h Hir)) {
    let mut least = 0;
    for each in sequence(hir) {
        if least >= length {
            return;
        }
        match each.kind() {
            HirKind::Alternation(subs) => {
                subs.iter().for_each(|sub| hold_within(sub, length - least, part));
            }
            HirKind::Repetition(Repetition { max: Some(1), sub, .. }) => {
                hold_within(sub, length - least, part);
            }
            _ => part(each),
        }
        least += each.properties().minimum_len().unwrap_or(0);
    }
}

/// Fewest and most digits in a match, and whether all that it consumes are digits and bytes of
/// `others`. `usize::MAX` stands for no bound.
pub(super) fn digit_counts(hir: &Hir) -> (usize, usize) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (0, 0),
        HirKind::Literal(literal) => {
            let digits = literal.0.iter().filter(|byte| byte.is_ascii_digit()).count();
            (digits, digits)
        }
        HirKind::Class(class) => {
            let set = class_bytes(class);
            let digits: ByteSet = (b'0'..=b'9').collect();
            let any = (b'0'..=b'9').any(|byte| set.contains(byte));
            (usize::from(set.is_subset(&digits)), usize::from(any))
        }
        HirKind::Repetition(Repetition { min, max, sub, .. }) => {
            let (low, high) = digit_counts(sub);
            let times = max.map_or(usize::MAX, |max| max as usize);
            let high = if high == 0 { 0 } else { high.saturating_mul(times) };
            (low.saturating_mul(*min as usize), high)
        }
        HirKind::Capture(capture) => digit_counts(&capture.sub),
        HirKind::Concat(subs) => subs.iter().map(digit_counts).fold((0, 0), |sum, counts| {
            (sum.0.saturating_add(counts.0), sum.1.saturating_add(counts.1))
        }),
        HirKind::Alternation(subs) => subs
            .iter()
            .map(digit_counts)
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
            .unwrap_or((0, 0)),
    }
}

/// The pattern as a sequence: groups around it opened, nested sequences in line.
pub(super) fn sequence(hir: &Hir) -> Vec<&Hir> {
    let mut parts = Vec::new();
    flatten(hir, &mut parts);
    parts
}

/// A class repeated a bounded number of times: its bytes and the most repeats.
pub(super) fn bounded_run(hir: &Hir) -> Option<(ByteSet, usize)> {
    match hir.kind() {
        HirKind::Repetition(Repetition { max: Some(max), sub, .. }) => {
            one_class(sub).map(|class| (class, *max as usize))
        }
        HirKind::Class(_) => one_class(hir).map(|class| (class, 1)),
        HirKind::Capture(capture) => bounded_run(&capture.sub),
        _ => None,
    }
}

/// All texts that a part of a pattern can match, letters in lower case, where they are few and
/// assertions aside.
pub(super) fn exact_words(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let mut words = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![Vec::new()],
        HirKind::Literal(literal) => vec![literal.0.to_ascii_lowercase()],
        HirKind::Class(class) => {
            let set = class_bytes(class);
            let folded: ByteSet = (0..=255u8)
                .filter(|byte| set.contains(*byte))
                .map(|byte| byte.to_ascii_lowercase())
                .collect();
            // A wide class says little, and each of its bytes would multiply the words.
            let bytes: Vec<Vec<u8>> =
                (0..=255u8).filter(|byte| folded.contains(*byte)).map(|byte| vec![byte]).collect();
            (bytes.len() <= 4).then_some(bytes)?
        }
        HirKind::Capture(capture) => exact_words(&capture.sub)?,
        HirKind::Repetition(Repetition { min, max, sub, .. }) => {
            let max = max.filter(|max| *max <= 4)?;
            let once = exact_words(sub)?;
            let mut all = Vec::new();
            let mut power = vec![Vec::new()];
            for times in 0..=max {
                if times >= *min {
                    all.extend(power.iter().cloned());
                }
                power = joined(&power, &once)?;
            }
            all
        }
        HirKind::Concat(subs) => {
            let mut words = vec![Vec::new()];
            for sub in subs {
                words = joined(&words, &exact_words(sub)?)?;
            }
            words
        }
        HirKind::Alternation(subs) => {
            let mut words = Vec::new();
            for sub in subs {
                words.extend(exact_words(sub)?);
                if words.len() > MAX_WORDS {
                    return None;
                }
            }
            words
        }
    };
    words.sort();
    words.dedup();
    (words.len() <= MAX_WORDS).then_some(words)
}

/// Every first text with every second one behind it; none where they are too many.
pub(super) fn joined(firsts: &[Vec<u8>], seconds: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    if firsts.len().saturating_mul(seconds.len()) > MAX_WORDS {
        return None;
    }
    let join = |first: &Vec<u8>| {
        let first = first.clone();
        seconds.iter().map(move |second| [first.as_slice(), second].concat())
    };
    Some(firsts.iter().flat_map(join).collect())
}

/// Names of the capture groups; the empty name for groups without one.
pub(super) fn groups(hir: &Hir) -> Vec<String> {
    let mut names = Vec::new();
    let mut open = vec![hir];
    while let Some(hir) = open.pop() {
        if let HirKind::Capture(capture) = hir.kind() {
            names.push(capture.name.as_deref().unwrap_or_default().to_owned());
        }
        open.extend(hir.kind().subs().iter().rev());
    }
    names
}

fn flatten<'h>(hir: &'h Hir, parts: &mut Vec<&'h Hir>) {
    match hir.kind() {
        HirKind::Capture(capture) => flatten(&capture.sub, parts),
        HirKind::Concat(subs) => subs.iter().for_each(|sub| flatten(sub, parts)),
        _ => parts.push(hir),
    }
}

fn consume(hir: &Hir, set: &mut ByteSet) {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().for_each(|byte| set.insert(*byte)),
        HirKind::Class(class) => {
            let class = class_bytes(class);
            (0..=255u8).filter(|byte| class.contains(*byte)).for_each(|byte| set.insert(byte));
        }
        kind => kind.subs().iter().for_each(|sub| consume(sub, set)),
    }
}

fn needs_unicode(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => !class.is_ascii(),
        HirKind::Look(look) => matches!(
            look,
            Look::WordUnicode
                | Look::WordUnicodeNegate
                | Look::WordStartUnicode
                | Look::WordEndUnicode
                | Look::WordStartHalfUnicode
                | Look::WordEndHalfUnicode
        ),
        kind => kind.subs().iter().any(needs_unicode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(pattern: &str) -> Option<Vec<String>> {
        let hir = parse(pattern).unwrap();
        let words = exact_words(&hir)?;
        Some(words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect())
    }

    #[test]
    fn cells_that_a_match_reaches_are_counted_by_delimiters() {
        for (pattern, cells) in [
            ("[0-9]{4}", 0),
            ("[0-9]+;[a-z ]{0,60}", 1),
            ("a[,x]{3}(?:b|c,,|[|])", 5),
            ("a(?:[^a]{0,9})b", 255),
            (r"a(?:[^\n]{0,9})b", 9),
            ("a,*b", 255),
            (r"a[ \n]?b", 255),
        ] {
            assert_eq!(cells_beside(&parse(pattern).unwrap()), cells, "{pattern}");
        }
    }

    #[test]
    fn exact_words_spell_out_small_alternatives() {
        assert_eq!(words("(?i)AKIA").unwrap(), ["akia"]);
        assert_eq!(words("(?:AKIA|ASIA)").unwrap(), ["akia", "asia"]);
        assert_eq!(words("ab?c{2}").unwrap(), ["abcc", "acc"]);
        assert_eq!(words("a[0-9]"), None);
        assert_eq!(words("a+"), None);
        assert_eq!(words("(?:ab){0,4}").unwrap().len(), 5);
    }

    #[test]
    fn unicode_is_refused() {
        assert_eq!(parse(r"(?u)\w"), Err(PatternError::Unicode));
        assert_eq!(parse(r"\p{Greek}"), Err(PatternError::Unicode));
        assert!(parse(r"\w\b").is_ok());
        assert!(matches!(parse("a("), Err(PatternError::Syntax { offset: 1, .. })));
    }

    #[test]
    fn digits_are_counted() {
        let counts = |pattern| digit_counts(&parse(pattern).unwrap());
        assert_eq!(counts(r"\d{3}-?\d{2}-?\d{4}"), (9, 9));
        assert_eq!(counts(r"\d{4}(?: \d{4}){2,3}|\d{10}"), (10, 16));
        assert_eq!(counts("[0-9a-f]{4}"), (0, 4));
        assert_eq!(counts(r"\d+").1, usize::MAX);
    }

    #[test]
    fn sequences_open_groups() {
        let hir = parse(r"(?<value>[a-z]{1,64}@(?:b))c").unwrap();
        let parts = sequence(&hir);
        assert_eq!(bounded_run(parts[0]).map(|(_, most)| most), Some(64));
        assert!(consumed(&hir).contains(b'@'));
        assert_eq!(groups(&hir), ["value"]);
    }
}
