//! National identification numbers of Britain and Ireland, and what those of all Europe share.

use crate::scan::validate::contact::days_in_month;
use crate::scan::validate::digits::{Digits, uniform, weighted_sum};
use crate::scan::validate::{Candidate, Check, stands_alone};

use super::goes_on;

/// The last year of birth that a number may spell: where the century is read from a table, part of
/// the table lies decades ahead.
pub(super) const LATEST_BIRTH: u64 = 2035;

/// Digits that stand alone, separated by some of `separators`. Groups parted by spaces do not go on
/// before or behind them.
pub(super) fn number(candidate: &Candidate<'_>, separators: &[u8]) -> Option<Digits> {
    if whole(candidate) { Digits::read(candidate.value(), separators) } else { None }
}

/// Whether a value stands alone and, where it is grouped by spaces, its groups do not go on.
pub(super) fn whole(candidate: &Candidate<'_>) -> bool {
    stands_alone(candidate) && !(goes_on(candidate) && candidate.value().contains(&b' '))
}

/// The letters, in upper case, and digits of a value of exactly `N` of them.
pub(super) fn compact<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    let mut compact = [0u8; N];
    let mut len = 0;
    for byte in value.iter().filter(|byte| !matches!(byte, b' ' | b'-' | b'.' | b'/')) {
        if !byte.is_ascii_alphanumeric() {
            return None;
        }
        *compact.get_mut(len)? = byte.to_ascii_uppercase();
        len += 1;
    }
    (len == N).then_some(compact)
}

/// Whether there is such a day.
pub(super) fn day_exists(year: u64, month: u64, day: u64) -> bool {
    (1..=days_in_month(year, month)).contains(&day)
}

/// HMRC National Insurance Manual NIM39110: prefix letters, six digits, suffix A to D, which is left
/// out at times. The prefix QQ of the official examples is published.
pub fn gb_nino(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let number = compact::<9>(value).or_else(|| {
        let [first, second, digits @ ..] = compact::<8>(value)?;
        let [a, b, c, d, e, f] = digits;
        Some([first, second, a, b, c, d, e, f, b'A'])
    });
    let Some([first, second, digits @ .., suffix]) = number else { return Check::Invalid };
    let form = first.is_ascii_uppercase()
        && second.is_ascii_uppercase()
        && digits.iter().all(u8::is_ascii_digit)
        && matches!(suffix, b'A'..=b'D')
        && stands_alone(&candidate);
    let unused = b"DFIQUV".contains(&first)
        || b"DFIOQUV".contains(&second)
        || matches!(&[first, second], b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ");
    match (form, [first, second] == *b"QQ") {
        (true, true) => Check::Published,
        (form, _) => Check::of(form && !unused),
    }
}

/// HMRC unique taxpayer reference: the first of ten digits checks the others, weights 6, 7, 8, 9,
/// 10, 5, 4, 3, 2, mod 11.
pub fn gb_utr(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let digits = value.strip_suffix(b"K").or_else(|| value.strip_suffix(b"k")).unwrap_or(value);
    let Some(digits) = Digits::read(digits, b" -") else { return Check::Invalid };
    let Some((first, body)) = digits.as_slice().split_first() else { return Check::Invalid };
    let sum = weighted_sum(body, &[6, 7, 8, 9, 10, 5, 4, 3, 2]);
    let expected = match sum % 11 {
        0 => 2,
        1 => 1,
        rest => 11 - rest,
    };
    Check::of(body.len() == 9 && u32::from(*first) == expected && whole(&candidate))
}

/// DVLA driver number: five letters of the surname, filled up with nines, the birth date in the
/// order of decade, month (51 to 62 for women), day, year, two initials or nines, a digit, two
/// letters. The number of the DVLA's own specimen is published.
pub fn gb_driving_licence(candidate: Candidate<'_>) -> Check {
    let Some(number) = compact::<16>(candidate.value()) else { return Check::Invalid };
    let [a, b, c, d, e, birth @ .., initial, second, tie, check, last] = number;
    let Some(birth) = Digits::read(&birth, b"") else { return Check::Invalid };
    let surname = [a, b, c, d, e];
    let letters = surname.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let filled = surname.iter().skip(letters).all(|byte| *byte == b'9');
    let initials = match (initial, second) {
        (b'9', second) => second == b'9',
        (initial, second) => {
            initial.is_ascii_uppercase() && (second == b'9' || second.is_ascii_uppercase())
        }
    };
    let month = match birth.number(1, 3) {
        month @ 51.. => month - 50,
        month => month,
    };
    let year = 2000 + birth.number(0, 1) * 10 + birth.number(5, 6);
    let valid = letters > 0
        && filled
        && initials
        && day_exists(year, month, birth.number(3, 5))
        && tie.is_ascii_digit()
        && check.is_ascii_uppercase()
        && last.is_ascii_uppercase()
        && stands_alone(&candidate);
    Check::of(valid).published_if(&number == b"MORGA657054SM9IJ")
}

/// Irish PPS number: seven digits, a check letter mod 23 with the weights 8 to 2, and since 2013 a
/// second letter of weight 9; W there counts nothing, nor do T and X of the old cards of spouses.
pub fn ie_pps(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let number = compact::<9>(value).or_else(|| {
        let [a, b, c, d, e, f, g, letter] = compact::<8>(value)?;
        Some([a, b, c, d, e, f, g, letter, b'W'])
    });
    let Some([digits @ .., letter, second]) = number else { return Check::Invalid };
    let Some(digits) = Digits::read(&digits, b"") else { return Check::Invalid };
    let extra = match second {
        b'A'..=b'I' => u32::from(second - b'A' + 1),
        b'W' | b'T' | b'X' => 0,
        _ => return Check::Invalid,
    };
    let sum = weighted_sum(digits.as_slice(), &[8, 7, 6, 5, 4, 3, 2]) + extra * 9;
    let expected = match (sum % 23) as u8 {
        0 => b'W',
        rest => b'A' + rest - 1,
    };
    Check::of(letter == expected && !uniform(digits.as_slice()) && stands_alone(&candidate))
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn british_numbers() {
        valid(Validator::GbNino, "AB123456C");
        valid(Validator::GbNino, "hh 01 02 03 d");
        valid(Validator::GbNino, "AB-12-34-56-C");
        valid(Validator::GbNino, "AB123456");
        published(Validator::GbNino, "QQ123456C");
        for number in ["AB123456E", "GB123456A", "DA123456A", "AO123456A", "AB12345C"] {
            invalid(Validator::GbNino, number);
        }
        valid(Validator::GbUtr, "1955839661");
        valid(Validator::GbUtr, "19558 39661K");
        for number in ["2955839661", "195583966", "19558396611"] {
            invalid(Validator::GbUtr, number);
        }
        published(Validator::GbDrivingLicence, "MORGA657054SM9IJ");
        for number in ["MORGA 657054 SM9IJ", "morga657054sm9ij"] {
            published(Validator::GbDrivingLicence, number);
        }
        valid(Validator::GbDrivingLicence, "FOX99802150J99AB");
        for number in
            ["99999802150J99AB", "FOX99813150J99AB", "FOX99802300J99AB", "FOX99802150999A1"]
        {
            invalid(Validator::GbDrivingLicence, number);
        }
    }

    #[test]
    fn irish_numbers() {
        for number in ["6433435F", "6433435IH", "1234567FA", "1234567-T", "1234567TW"] {
            valid(Validator::IePps, number);
        }
        for number in ["6433435VH", "6433435E", "643343F", "1234567FJ", "0000000W"] {
            invalid(Validator::IePps, number);
        }
    }
}
