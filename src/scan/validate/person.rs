//! Names of people, by their shape and by lists of frequent names.

mod names;

use std::sync::LazyLock;

use self::names::{GIVEN, SURNAMES};
use super::contact::one_of;
use super::{Candidate, Verdict};

/// Words that begin with a capital, stand behind labels such as `Name:` and are no names: values of
/// forms, types and words of headings.
const NOT_NAMES: &str = "unknown none null nil true false yes no anonymous anon admin administrator root \
    test tester testing user users guest default example sample string text number integer int bool boolean \
    float double char varchar date time optional required not n/a tbd tba todo address email phone telephone \
    mobile fax street city state country zip code postcode name names first last middle full given surname \
    family maiden title company organization organisation department role position job id identifier type \
    value values field column table key label description comment note notes status active inactive enabled \
    disabled pending open closed male female other the this that these those a an and or of for to in on at by \
    is are was were be been if then else when where which who what how please enter your my our their his her \
    its see click select choose submit cancel save delete edit update new old create add remove view list all \
    any each every some return class function method module package file path server client host service \
    system application app project product version release build group team customer support help contact \
    information details account number order invoice payment total amount price date birth gender sex age \
    patient doctor nurse employee employer manager student teacher signature signed inc ltd llc gmbh ag corp \
    corporation limited bank hospital clinic university school college institute office ministry street \
    monday tuesday wednesday thursday friday saturday sunday january february march april june july august \
    september october november december der die das den dem des ein eine und oder le la les un une et ou el \
    los las una y o il lo gli e het een en van unbekannt keine inconnu desconocido nessuno onbekend nieznany \
    arc vec box rc ref mut self option result ok err some str usize dict tuple object array map set any path \
    iterator error struct enum trait const static let var def impl dyn async await";

/// Small words inside names.
const PARTICLES: &str = "de da do dos das del della di du la le van von der den zu zum zur af av ter ten te el al \
    bin ibn y e i san st";

/// A name at the start of a value.
struct Name {
    /// Bytes of it; behind that the value says something else.
    length: usize,
    /// Words but for initials and particles.
    words: usize,
    /// Whether one of the words is a frequent name.
    known: bool,
}

/// The name that a value begins with: words, initials and particles, up to a word that cannot belong.
/// `label`: what follows makes the last word the next label.
fn name(value: &[u8], label: bool) -> Option<Name> {
    let mut name = Name { length: 0, words: 0, known: false };
    let mut start = 0;
    for part in value.split_inclusive(|byte| matches!(byte, b' ' | b',' | b'\t')) {
        let begin = start;
        start += part.len();
        let whole = part.trim_ascii_end();
        let comma = whole.ends_with(b",");
        let dotted = whole.strip_suffix(b",").unwrap_or(whole);
        let word = dotted.strip_suffix(b".").unwrap_or(dotted);
        if word.is_empty() {
            continue;
        }
        if label && start == value.len() {
            break;
        }
        let initial = word.len() == 1 && word.iter().all(u8::is_ascii_alphabetic);
        let short = initial || one_of("jr sr dr", word);
        if short {
            name.length = begin + dotted.len();
            continue;
        }
        if one_of(PARTICLES, word) {
            continue;
        }
        // The long list last: most words are not written as names are.
        if name.words == 5 || !capitalised(word) || is_no_name(word) {
            break;
        }
        name.words += 1;
        name.known |= word.split(|byte| *byte == b'-').any(is_known);
        name.length = begin + word.len();
        // A sentence ends, or a list of people goes on behind `Keller, Maria Anna`.
        if dotted.len() > word.len() || comma && name.words > 2 {
            break;
        }
    }
    (name.words > 0).then_some(name)
}

/// Whether a word is one of [`NOT_NAMES`] in any case.
fn is_no_name(word: &[u8]) -> bool {
    static SORTED: LazyLock<Vec<&str>> = LazyLock::new(|| {
        let mut words: Vec<&str> = NOT_NAMES.split_ascii_whitespace().collect();
        words.sort_unstable();
        words
    });
    let lower = || word.iter().map(u8::to_ascii_lowercase);
    SORTED.binary_search_by(|other| other.bytes().cmp(lower())).is_ok()
}

/// Begins with a capital, or a letter beyond ASCII, and holds letters, hyphens and apostrophes. Not of
/// mixed case inside as identifiers are, but for `Mc`, `Mac`, `De`, `O'`.
fn capitalised(part: &[u8]) -> bool {
    let letters = part
        .iter()
        .all(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii() || matches!(byte, b'-' | b'\''));
    let first = part.first().is_some_and(|byte| byte.is_ascii_uppercase() || !byte.is_ascii());
    let shouted = part.iter().all(|byte| !byte.is_ascii_lowercase());
    let mut inner = 0;
    for pair in part.windows(2) {
        inner +=
            usize::from(matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
    }
    let gaelic = [b"Mc".as_slice(), b"Mac", b"De", b"Di", b"Fitz", b"Le", b"La", b"Van"];
    let mixed = inner == 0 || inner == 1 && gaelic.iter().any(|start| part.starts_with(start));
    letters && first && part.len() >= 2 && (shouted && part.len() >= 3 || mixed)
}

fn is_known(word: &[u8]) -> bool {
    let Ok(word) = std::str::from_utf8(word) else { return false };
    let word = word.to_lowercase();
    let listed = |names: &[&str]| names.binary_search(&word.as_str()).is_ok();
    listed(GIVEN) || listed(SURNAMES)
}

/// One to five words that may be a name, behind a label that only people have.
pub(super) fn name_shape(candidate: Candidate<'_>) -> Verdict {
    shape(candidate, |_| true)
}

/// The same, and one of them is a frequent name.
pub(super) fn person_name(candidate: Candidate<'_>) -> Verdict {
    shape(candidate, |name| name.known)
}

/// A name that is neither code nor part of a path; the finding ends with it.
fn shape(candidate: Candidate<'_>, good: impl Fn(&Name) -> bool) -> Verdict {
    let value = candidate.value();
    let after = candidate.after();
    let label = matches!(after.trim_ascii_start().first(), Some(b':' | b'='));
    let code =
        matches!(after.first(), Some(b'(' | b'<' | b'[' | b'{' | b'_' | b'/' | b'@' | b'0'..=b'9'))
            || matches!(after, [b'.', byte, ..] if byte.is_ascii_alphanumeric())
            || value.ends_with(b".") && after.first().is_some_and(u8::is_ascii_alphanumeric)
            || after.starts_with(b"::");
    match name(value, label).filter(good) {
        Some(name) if !code || name.length + 1 < value.len() => {
            Verdict::Valid { end: candidate.start + name.length, published: false }
        }
        _ => Verdict::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};

    #[test]
    fn the_lists_can_be_searched() {
        for names in [GIVEN, SURNAMES] {
            assert!(names.is_sorted());
            assert!(names.iter().all(|name| name.to_lowercase() == *name));
        }
    }

    #[test]
    fn names_of_people() {
        for name in [
            "Maria Keller",
            "Jürgen Özdemir",
            "Anna van der Berg",
            "McDonald, Ronald J.",
            "JOHN SMITH",
        ] {
            valid(Validator::NameShape, name);
            valid(Validator::PersonName, name);
        }
        valid(Validator::NameShape, "Xylo Qwertz");
        invalid(Validator::PersonName, "Xylo Qwertz");
        for text in
            ["Unknown", "Not Applicable", "String", "maria keller", "HashMap", "J. R.", "Full Name"]
        {
            invalid(Validator::NameShape, text);
        }
    }
}
