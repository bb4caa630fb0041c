//! Numbers of securities and of those who issue and trade them.

use super::countries::is_country;
use super::{Candidate, Check, Verdict, stands_alone};

/// ISIN prefixes beside the country codes (ISO 6166): international clearing, the European Union,
/// the substitute agencies, and the Netherlands Antilles, whose securities outlive the country.
const ISIN_PREFIXES: &[&[u8]] = &[
    b"XS", b"EU", b"EZ", b"XA", b"XB", b"XC", b"XD", b"XF", b"XT", b"QS", b"QT", b"QW", b"QZ",
    b"AN",
];

/// The value of a digit or an upper-case letter, `A` being 10.
fn base_36(byte: u8) -> Option<u32> {
    match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        b'A'..=b'Z' => Some(u32::from(byte - b'A') + 10),
        _ => None,
    }
}

/// Upper-case letters and digits alone.
fn is_code(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// ISO 6166: country, nine characters and a Luhn digit over the digits that they spell in base 36.
pub(super) fn isin(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let prefix = value.get(..2).unwrap_or_default();
    if value.len() != 12
        || !is_code(value)
        || !(is_country(prefix) || ISIN_PREFIXES.contains(&prefix))
        || !value.last().is_some_and(u8::is_ascii_digit)
    {
        return Check::Invalid;
    }
    // From the right, letters are two digits; every second digit counts double.
    let (mut sum, mut double) = (0, false);
    for number in value.iter().rev().filter_map(|byte| base_36(*byte)) {
        let digits = [Some(number % 10), (number >= 10).then_some(number / 10)];
        for digit in digits.into_iter().flatten() {
            sum += if double { digit * 2 / 10 + digit * 2 % 10 } else { digit };
            double = !double;
        }
    }
    Check::of(sum.is_multiple_of(10) && stands_alone(&candidate))
}

/// ANSI X9.6: eight characters, every second value doubled, digit sums, mod 10.
pub(super) fn cusip(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let Some((check, body)) = value.split_last() else { return Check::Invalid };
    let digits = body.iter().filter(|byte| byte.is_ascii_digit()).count();
    if body.len() != 8 || digits == 0 || !check.is_ascii_digit() {
        return Check::Invalid;
    }
    let mut sum = 0;
    for (place, byte) in body.iter().enumerate() {
        let value = match byte {
            b'*' => 36,
            b'@' => 37,
            b'#' => 38,
            byte => match base_36(*byte) {
                Some(value) => value,
                None => return Check::Invalid,
            },
        };
        let value = if place % 2 == 1 { value * 2 } else { value };
        sum += value / 10 + value % 10;
    }
    let wanted = (10 - sum % 10) % 10;
    let uniform = body.iter().all(|byte| Some(byte) == body.first());
    Check::of(wanted == u32::from(check - b'0') && !uniform && stands_alone(&candidate))
}

/// SEDOL (London Stock Exchange, SEDOL Masterfile): six characters without vowels, weights
/// 1-3-1-7-3-9, mod 10. Numbers that begin with a digit have digits alone.
pub(super) fn sedol(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let Some((check, body)) = value.split_last() else { return Check::Invalid };
    let vowel = body.iter().any(|byte| b"AEIOU".contains(byte));
    let old = body.first().is_some_and(u8::is_ascii_digit);
    let uniform = body.iter().all(|byte| Some(byte) == body.first());
    if body.len() != 6
        || vowel
        || uniform
        || !is_code(body)
        || !check.is_ascii_digit()
        || (old && !body.iter().all(u8::is_ascii_digit))
    {
        return Check::Invalid;
    }
    let sum: u32 = body
        .iter()
        .zip([1, 3, 1, 7, 3, 9])
        .filter_map(|(byte, weight)| Some(base_36(*byte)? * weight))
        .sum();
    Check::of((10 - sum % 10) % 10 == u32::from(check - b'0') && stands_alone(&candidate))
}

/// ISO 17442: eighteen characters and two check digits, MOD 97-10. A code without letters is taken
/// for another number.
pub(super) fn lei(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let shaped = value.len() == 20
        && is_code(value)
        && value.iter().any(u8::is_ascii_uppercase)
        && value.iter().rev().take(2).all(u8::is_ascii_digit);
    Check::of(shaped && mod_97(value.iter()) == 1 && stands_alone(&candidate))
}

/// Lengths of creditor identifiers as the countries set them (EPC262-08, Creditor Identifier
/// Overview).
const CREDITOR_LENGTHS: &[(&[u8; 2], usize)] =
    &[(b"AT", 18), (b"BE", 17), (b"DE", 18), (b"ES", 16), (b"FR", 13), (b"IT", 23), (b"NL", 19)];

/// The longest creditor identifier, in letters and digits.
const LONGEST_CREDITOR: usize = 35;

/// The creditor identifier that the Bundesbank prints on sample forms.
const SAMPLE_CREDITOR: &[u8] = b"DE98ZZZ09999999999";

/// SEPA creditor identifier (EPC AT-02): country, MOD 97-10 over country, check digits and national
/// part without the three characters of the business code. Words behind it are cut off: the value
/// ends with the longest part that holds.
pub(super) fn sepa_creditor_id(candidate: Candidate<'_>) -> Verdict {
    let value = candidate.value();
    let mut compact = [0u8; LONGEST_CREDITOR];
    let (mut len, mut has_digit) = (0, false);
    // Where an identifier may end, if the country says so.
    let (mut ends, mut longest) = (None, LONGEST_CREDITOR);
    let mut found = Verdict::Invalid;
    for (length, byte) in (1..).zip(value) {
        if *byte == b' ' {
            continue;
        }
        let is_digit = byte.is_ascii_digit();
        if len == longest || !(is_digit || byte.is_ascii_uppercase()) {
            break;
        }
        let Some(place) = compact.get_mut(len) else { break };
        *place = *byte;
        len += 1;
        if len < 8 {
            if len == 2 {
                let country = compact.first_chunk().copied().unwrap_or_default();
                if !is_country(&country) {
                    break;
                }
                let known = CREDITOR_LENGTHS.iter().find(|(known, _)| **known == country);
                if let Some((country, length)) = known {
                    // Belgium has identifiers with ten and with thirteen characters behind the code.
                    ends = Some([*length, if *country == b"BE" { 20 } else { *length }]);
                    longest = length + 3;
                }
            } else if matches!(len, 3 | 4) && !is_digit {
                break;
            }
            continue;
        }
        has_digit |= is_digit;
        let fits = ends.map_or(len >= 12, |ends| ends.contains(&len));
        if !fits || length < 12 || !has_digit {
            continue;
        }
        let next = value.get(length).or(candidate.after().first());
        if next.is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        let read = compact.get(..len).unwrap_or_default();
        let code = read.iter().skip(7).chain(read.iter().take(4));
        let cut = Candidate { end: candidate.start + length, ..candidate };
        if mod_97(code) == 1 && stands_alone(&cut) {
            let is_sample = read == SAMPLE_CREDITOR;
            found = Check::Valid.published_if(is_sample).ending_at(cut.end);
        }
    }
    found
}

/// ISO/IEC 7064 MOD 97-10 of the number that digits and letters spell in base 36.
fn mod_97<'a>(code: impl Iterator<Item = &'a u8>) -> u64 {
    code.filter_map(|byte| base_36(*byte)).fold(0, put_97) % 97
}

/// A number with the rest to 97 of that to which the digits of a value are put: it is divided once
/// no more digits fit.
fn put_97(number: u64, value: u32) -> u64 {
    let number = if number < 1 << 56 { number } else { number % 97 };
    (if value < 10 { number * 10 } else { number * 100 }) + u64::from(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn isins() {
        for number in
            ["US0378331005", "DE0007164600", "GB0002634946", "XS0088543193", "AU0000XVGZA3"]
        {
            valid(Validator::Isin, number);
        }
        for number in
            ["US0378331006", "ZZ0378331005", "US037833100", "us0378331005", "US03783310A5"]
        {
            invalid(Validator::Isin, number);
        }
    }

    #[test]
    fn cusips() {
        for number in ["037833100", "38259P508", "68389X105", "DUS0421C5"] {
            valid(Validator::Cusip, number);
        }
        for number in ["037833101", "68389X106", "000000000", "03783310", "ABCDEFGH1"] {
            invalid(Validator::Cusip, number);
        }
    }

    #[test]
    fn sedols() {
        for number in ["0263494", "B0WNLY7", "7108899", "BH4HKS3"] {
            valid(Validator::Sedol, number);
        }
        for number in ["0263495", "B0ANLY7", "0000000", "026349", "1B7ABC5"] {
            invalid(Validator::Sedol, number);
        }
    }

    #[test]
    fn leis() {
        for number in ["HWUPKR0MPOU8FGXBT394", "5493001KJTIIGC8Y1R12", "529900T8BM49AURSDO55"] {
            valid(Validator::Lei, number);
        }
        for number in ["HWUPKR0MPOU8FGXBT395", "5493001KJTIIGC8Y1R1", "00000000000000000097"] {
            invalid(Validator::Lei, number);
        }
    }

    #[test]
    fn creditor_identifiers() {
        valid(Validator::SepaCreditorId, "ES23ZZZ47690558N");
        valid(Validator::SepaCreditorId, "FR72ZZZ123456");
        published(Validator::SepaCreditorId, "DE98ZZZ09999999999");
        invalid(Validator::SepaCreditorId, "DE99ZZZ09999999999");
        invalid(Validator::SepaCreditorId, "DE98ZZZ0999999999");
        invalid(Validator::SepaCreditorId, "ZZ98ZZZ09999999999");
    }

    /// Each part that can be one by itself, the longest first.
    fn plain_creditor_id(candidate: Candidate<'_>) -> Verdict {
        let value = candidate.value();
        for length in (12..=value.len()).rev() {
            let next = value.get(length).or(candidate.after().first());
            let part = value.get(..length).unwrap_or_default();
            if next.is_some_and(u8::is_ascii_alphanumeric) || part.ends_with(b" ") {
                continue;
            }
            let cut = Candidate { end: candidate.start + length, ..candidate };
            let check = creditor_id(part);
            if check != Check::Invalid && stands_alone(&cut) {
                return check.ending_at(cut.end);
            }
        }
        Verdict::Invalid
    }

    fn creditor_id(value: &[u8]) -> Check {
        let mut compact = [0u8; 35];
        let mut len = 0;
        for byte in value.iter().filter(|byte| **byte != b' ') {
            let Some(place) = compact.get_mut(len) else { return Check::Invalid };
            *place = *byte;
            len += 1;
        }
        let compact = compact.get(..len).unwrap_or_default();
        let (Some(head), Some(business), Some(national)) =
            (compact.get(..4), compact.get(4..7), compact.get(7..))
        else {
            return Check::Invalid;
        };
        let country = head.get(..2).unwrap_or_default();
        let length = CREDITOR_LENGTHS.iter().find(|(known, _)| *known == country);
        let shaped = is_code(compact)
            && is_country(country)
            && head.get(2..).is_some_and(|check| check.iter().all(u8::is_ascii_digit))
            && business.iter().all(u8::is_ascii_alphanumeric)
            && national.iter().any(u8::is_ascii_digit)
            && length.map_or((12..=35).contains(&len), |(_, length)| {
                // Belgium has identifiers with ten and with thirteen characters behind the code.
                *length == len || (country == b"BE" && len == 20)
            });
        Check::of(shaped && mod_97(national.iter().chain(head)) == 1)
            .published_if(compact == SAMPLE_CREDITOR)
    }

    proptest::proptest! {
        #[test]
        fn a_creditor_identifier_is_the_longest_part_that_is_one(
            country in "(DE|BE|FR|GB|ZZ|D1)", business in " ?(ZZZ|A1B|zZZ)", gap in "[ -]?",
            national in " ?[0-9]{4,6} ?[0-9A]{0,7}( [A-Z0-9]{2,4}){0,4}[ x.]?",
            after in "[A1 .-]{0,2}",
        ) {
            for check in 0..100 {
                let value = format!("{country}{check:02}{business}{gap}{national}");
                let text = format!("{value}{after}");
                let (end, limit) = (value.len(), text.len());
                let candidate = Candidate { text: text.as_bytes(), start: 0, end, limit };
                let plain = plain_creditor_id(candidate);
                proptest::prop_assert_eq!(sepa_creditor_id(candidate), plain, "{}", text);
            }
        }
    }
}
