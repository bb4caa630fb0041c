//! Documents of the United States without check digit: passport, driving licence, alien number.

use super::holds;
use crate::scan::validate::digits::uniform;
use crate::scan::validate::{Candidate, Check, stands_alone};

/// Adjectives and names of countries whose passports are not those of the United States.
const FOREIGN: &[&str] = &[
    "uk",
    "gb",
    "gbr",
    "british",
    "britain",
    "united kingdom",
    "irish",
    "ireland",
    "canadian",
    "canada",
    "australian",
    "australia",
    "new zealand",
    "indian",
    "india",
    "pakistani",
    "pakistan",
    "chinese",
    "china",
    "hong kong",
    "japanese",
    "japan",
    "korean",
    "korea",
    "singapore",
    "malaysian",
    "malaysia",
    "thai",
    "indonesian",
    "philippine",
    "vietnamese",
    "german",
    "germany",
    "french",
    "france",
    "spanish",
    "spain",
    "italian",
    "italy",
    "portuguese",
    "dutch",
    "netherlands",
    "belgian",
    "swiss",
    "austrian",
    "polish",
    "poland",
    "czech",
    "russian",
    "russia",
    "ukrainian",
    "ukraine",
    "turkish",
    "israeli",
    "egyptian",
    "nigerian",
    "nigeria",
    "kenyan",
    "south african",
    "ghanaian",
    "mexican",
    "mexico",
    "brazilian",
    "brazil",
    "argentine",
    "chilean",
    "colombian",
    "peruvian",
    "swedish",
    "norwegian",
    "danish",
    "finnish",
    "greek",
    "romanian",
    "hungarian",
    "eu",
];

/// Words that say that a passport is one of the United States.
const AMERICAN: &[&str] = &["us", "u.s", "usa", "united states", "american"];

/// Where a text of the window begins with a word: the number of words of `list` found there.
fn names(window: &[u8], list: &[&str]) -> bool {
    words(window).any(|rest| list.iter().any(|name| begins(rest, name)))
}

/// The window from each of its words on.
fn words(window: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..window.len()).filter_map(|at| {
        let inside = at > 0 && window.get(at - 1).is_some_and(u8::is_ascii_alphanumeric);
        window.get(at..).filter(|rest| !inside && rest.first().is_some_and(u8::is_ascii_alphabetic))
    })
}

/// Whether the text begins with the word, in any case, and ends it there.
fn begins(text: &[u8], word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
        && !text.get(word.len()).is_some_and(u8::is_ascii_alphanumeric)
}

/// The bytes behind the value, at most 40, and before it, at most 64.
fn around<'a>(candidate: &Candidate<'a>) -> [&'a [u8]; 2] {
    let after = candidate.after();
    [candidate.before(), after.get(..after.len().min(40)).unwrap_or_default()]
}

/// State Department: nine digits, or a letter and eight digits; not one repeated digit, and no
/// other country's name before it.
pub fn us_passport(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let signs = super::signs::<9>(&candidate, b" -")?;
        let (first, number) = signs.split_first()?;
        let form = number.iter().all(u8::is_ascii_digit) && !uniform(number);
        let window = candidate.before();
        let foreign = names(window, FOREIGN) && !names(window, AMERICAN);
        Some(form && *first != b'O' && !foreign)
    })
}

/// USCIS: seven to nine digits behind an A, or nine alone; not one repeated digit.
pub fn us_alien_number(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let value = candidate.value();
        let number = match value {
            [b'A' | b'a', rest @ ..] => rest,
            rest => rest,
        };
        let digits = super::Digits::read(number, b" -#").filter(|_| stands_alone(&candidate))?;
        let all = digits.as_slice();
        let length = if number.len() == value.len() { 9..=9 } else { 7..=9 };
        Some(length.contains(&all.len()) && !uniform(all))
    })
}

/// Letters, least and most digits, letters: a shape of licence numbers.
type Shape = (usize, usize, usize, usize);

/// What a state's numbers look like: its name, its postal code and the shapes in use, as the motor
/// vehicle offices publish them.
const STATES: &[(&str, &str, &[Shape])] = &[
    ("alabama", "AL", &[(0, 5, 8, 0)]),
    ("alaska", "AK", &[(0, 5, 7, 0)]),
    ("arizona", "AZ", &[(1, 8, 8, 0), (0, 9, 9, 0)]),
    ("arkansas", "AR", &[(0, 8, 9, 0)]),
    ("california", "CA", &[(1, 7, 7, 0)]),
    ("colorado", "CO", &[(0, 9, 9, 0), (1, 3, 6, 0), (2, 2, 5, 0)]),
    ("connecticut", "CT", &[(0, 9, 9, 0)]),
    ("delaware", "DE", &[(0, 5, 7, 0)]),
    ("district of columbia", "DC", &[(0, 7, 7, 0), (0, 9, 9, 0)]),
    ("florida", "FL", &[(1, 12, 12, 0)]),
    ("georgia", "GA", &[(0, 7, 9, 0)]),
    ("hawaii", "HI", &[(1, 8, 8, 0), (0, 9, 9, 0)]),
    ("idaho", "ID", &[(2, 6, 6, 1), (0, 9, 9, 0)]),
    ("illinois", "IL", &[(1, 11, 12, 0)]),
    ("indiana", "IN", &[(1, 9, 9, 0), (0, 9, 10, 0)]),
    ("iowa", "IA", &[(0, 9, 9, 0)]),
    ("kansas", "KS", &[(1, 8, 8, 0), (0, 9, 9, 0)]),
    ("kentucky", "KY", &[(1, 8, 9, 0), (0, 9, 9, 0)]),
    ("louisiana", "LA", &[(0, 7, 9, 0)]),
    ("maine", "ME", &[(0, 7, 8, 0), (0, 7, 7, 1)]),
    ("maryland", "MD", &[(1, 12, 12, 0)]),
    ("massachusetts", "MA", &[(1, 8, 8, 0), (2, 7, 7, 0), (0, 9, 9, 0)]),
    ("michigan", "MI", &[(1, 10, 10, 0), (1, 12, 12, 0)]),
    ("minnesota", "MN", &[(1, 12, 12, 0)]),
    ("mississippi", "MS", &[(0, 9, 9, 0)]),
    ("missouri", "MO", &[(1, 5, 9, 0), (1, 6, 6, 1), (0, 8, 8, 2), (0, 9, 9, 1), (0, 9, 9, 0)]),
    ("montana", "MT", &[(1, 8, 8, 0), (0, 9, 9, 0), (0, 13, 14, 0)]),
    ("nebraska", "NE", &[(1, 6, 8, 0)]),
    ("nevada", "NV", &[(0, 9, 10, 0), (0, 12, 12, 0), (1, 8, 8, 0)]),
    ("new hampshire", "NH", &[(3, 8, 8, 0)]),
    ("new jersey", "NJ", &[(1, 14, 14, 0)]),
    ("new mexico", "NM", &[(0, 8, 9, 0)]),
    ("new york", "NY", &[(0, 8, 9, 0), (0, 16, 16, 0), (1, 7, 7, 0), (1, 18, 18, 0)]),
    ("north carolina", "NC", &[(0, 6, 12, 0)]),
    ("north dakota", "ND", &[(3, 6, 6, 0), (0, 9, 9, 0)]),
    ("ohio", "OH", &[(2, 6, 6, 0), (1, 4, 8, 0), (2, 3, 7, 0), (0, 8, 8, 0)]),
    ("oklahoma", "OK", &[(1, 9, 9, 0), (0, 9, 9, 0)]),
    ("oregon", "OR", &[(0, 7, 9, 0), (1, 6, 6, 0)]),
    ("pennsylvania", "PA", &[(0, 8, 8, 0)]),
    ("rhode island", "RI", &[(0, 7, 8, 0), (1, 6, 6, 0)]),
    ("south carolina", "SC", &[(0, 5, 11, 0)]),
    ("south dakota", "SD", &[(0, 6, 10, 0), (0, 12, 12, 0)]),
    ("tennessee", "TN", &[(0, 7, 9, 0)]),
    ("texas", "TX", &[(0, 7, 8, 0)]),
    ("utah", "UT", &[(0, 5, 10, 0)]),
    ("vermont", "VT", &[(0, 8, 8, 0), (0, 7, 7, 1)]),
    ("virginia", "VA", &[(1, 8, 11, 0), (0, 9, 9, 0)]),
    ("washington", "WA", &[(5, 3, 6, 2), (3, 3, 9, 2)]),
    ("west virginia", "WV", &[(0, 7, 7, 0), (1, 5, 6, 0), (2, 5, 6, 0)]),
    ("wisconsin", "WI", &[(1, 13, 13, 0)]),
    ("wyoming", "WY", &[(0, 9, 10, 0)]),
];

/// Postal codes that are words of capital text too: they count only before a word for a licence.
const WORDS: [&str; 8] = ["HI", "ID", "IN", "LA", "ME", "OH", "OK", "OR"];

/// The shape of the value without separators: letters, digits, letters. None for another.
fn shape(value: &[u8]) -> Option<(usize, usize, usize)> {
    let mut runs = (0, 0, 0);
    for byte in value.iter().filter(|byte| !matches!(byte, b' ' | b'-')) {
        match (byte.is_ascii_digit(), byte.is_ascii_alphabetic()) {
            (true, _) if runs.2 == 0 => runs.1 += 1,
            (false, true) if runs.1 == 0 => runs.0 += 1,
            (false, true) => runs.2 += 1,
            _ => return None,
        }
    }
    Some(runs)
}

fn fits(runs: (usize, usize, usize), shapes: &[Shape]) -> bool {
    let fits = |s: &Shape| runs.0 == s.0 && (s.1..=s.2).contains(&runs.1) && runs.2 == s.3;
    shapes.iter().any(fits)
}

/// Whether the digits of the value are not all the same, and nothing joins it to more.
fn plausible(candidate: &Candidate<'_>) -> bool {
    let mut digits = candidate.value().iter().filter(|byte| byte.is_ascii_digit());
    let first = digits.next();
    digits.any(|digit| Some(digit) != first) && stands_alone(candidate)
}

/// A number behind the name of a driving licence: the shape of one state at least.
pub fn us_driver_license(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let runs = shape(candidate.value())?;
        let known = STATES.iter().any(|(.., shapes)| fits(runs, shapes));
        Some(known && plausible(&candidate))
    })
}

/// A number near a state: the shape of that state. A state's name counts in any case, its postal
/// code in capitals.
pub fn us_state_license(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let runs = shape(candidate.value())?;
        let licence = |text: &[u8]| {
            let behind = text.get(2..).unwrap_or_default().trim_ascii_start();
            ["dl", "d.l", "driver", "drivers", "license", "licence", "lic"]
                .iter()
                .any(|w| begins(behind, w))
        };
        let beside: Vec<&[u8]> = around(&candidate).into_iter().flat_map(words).collect();
        let near = |name: &str, code: &str| {
            beside.iter().any(|text| {
                let postal = text.starts_with(code.as_bytes()) && begins(text, code);
                begins(text, name) || postal && (!WORDS.contains(&code) || licence(text))
            })
        };
        // Most states begin with a letter that no word there begins with.
        let first = |word: &[u8]| word.first().map_or(0, |letter| 1u32 << (letter & 31));
        let letters = beside.iter().fold(0, |letters, word| letters | first(word));
        let known = STATES.iter().any(|(name, code, shapes)| {
            letters & (first(name.as_bytes()) | first(code.as_bytes())) != 0
                && fits(runs, shapes)
                && near(name, code)
        });
        Some(known && plausible(&candidate))
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};
    use crate::scan::validate::{Candidate, Verdict, check};

    fn inside(validator: Validator, text: &str, value: &str) -> bool {
        let start = text.find(value).unwrap();
        let (text, limit) = (text.as_bytes(), text.len());
        let candidate = Candidate { text, start, end: start + value.len(), limit };
        check(validator, candidate) != Verdict::Invalid
    }

    #[test]
    fn passports() {
        valid(Validator::UsPassport, "546372819");
        valid(Validator::UsPassport, "A12345678");
        for number in ["111111111", "AB1234567", "12345678", "A1234567B"] {
            invalid(Validator::UsPassport, number);
        }
        let find = |text| inside(Validator::UsPassport, text, "546372819");
        assert!(find("US passport 546372819"));
        assert!(find("passport 546372819"));
        assert!(!find("British passport 546372819"));
        assert!(find("born in India, US passport 546372819"));
    }

    #[test]
    fn alien_numbers() {
        valid(Validator::UsAlienNumber, "A012345678");
        valid(Validator::UsAlienNumber, "A# 012-345-678");
        valid(Validator::UsAlienNumber, "012345678");
        for number in ["A000000000", "A12345", "01234567", "B012345678"] {
            invalid(Validator::UsAlienNumber, number);
        }
    }

    #[test]
    fn licences() {
        for number in ["D1234567", "2270-66-1551", "LH329609T", "U62928788557186", "6940579"] {
            valid(Validator::UsDriverLicense, number);
        }
        for number in ["0000000", "ABCDEFGHI", "12A34B56", "1234"] {
            invalid(Validator::UsDriverLicense, number);
        }
        let find = |text, value| inside(Validator::UsStateLicense, text, value);
        assert!(find("California DL D1234567", "D1234567"));
        assert!(find("CA DL: D1234567", "D1234567"));
        assert!(find("DL D1234567 (CA)", "D1234567"));
        assert!(!find("TX DL: D1234567", "D1234567"));
        assert!(!find("DL: D1234567", "D1234567"));
        assert!(find("OH DL: RH123456", "RH123456"));
        assert!(!find("OH NO: RH123456", "RH123456"));
        assert!(!find("scan DL: D1234567", "D1234567"));
    }
}
