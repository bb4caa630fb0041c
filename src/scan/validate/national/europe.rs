//! National identification numbers of Europe.

use super::digits;
use crate::scan::validate::contact::days_in_month;
use crate::scan::validate::digits::{Digits, mod_11_10, uniform};
use crate::scan::validate::{Candidate, Check, stands_alone};

/// HMRC National Insurance Manual NIM39110: prefix letters, six digits, suffix A to D. The prefix QQ
/// of the official examples is published.
pub fn gb_nino(value: &[u8]) -> Check {
    let mut compact = [0u8; 9];
    let mut len = 0;
    for byte in value.iter().filter(|byte| !matches!(byte, b' ' | b'-')) {
        let Some(place) = compact.get_mut(len) else { return Check::Invalid };
        *place = byte.to_ascii_uppercase();
        len += 1;
    }
    let [first, second, number @ .., suffix] = compact;
    let form = len == 9
        && first.is_ascii_uppercase()
        && second.is_ascii_uppercase()
        && number.iter().all(u8::is_ascii_digit)
        && matches!(suffix, b'A'..=b'D');
    let unused = b"DFIQUV".contains(&first)
        || b"DFIOQUV".contains(&second)
        || matches!(&[first, second], b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ");
    match (form, [first, second] == *b"QQ") {
        (true, true) => Check::Published,
        (form, _) => Check::of(form && !unused),
    }
}

/// Bundeszentralamt für Steuern: no leading zero; of the first ten digits exactly one occurs twice
/// or three times (three times since 2016, never three in a row) and no other repeats; MOD 11,10.
pub fn de_idnr(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let all = digits.as_slice();
    let (Some(body), 11) = (all.get(..10), all.len()) else { return Check::Invalid };
    let times = |digit: u8| body.iter().filter(|other| **other == digit).count();
    let repeated = (0..10).map(times).filter(|times| *times > 1);
    let in_a_row = body.windows(3).any(uniform);
    Check::of(
        !body.starts_with(&[0])
            && repeated.clone().count() == 1
            && repeated.max() <= Some(3)
            && !in_a_row
            && mod_11_10(all),
    )
}

/// INSEE: sex, year, month (01-12, or 20-42 and 50-99 where it is not known), department (2A and 2B
/// for Corsica), commune, order, and the key 97 - n mod 97. 2A counts as 19, 2B as 18.
pub fn fr_nir(candidate: Candidate<'_>) -> Check {
    let mut compact = [0u8; 15];
    let mut len = 0;
    for byte in candidate.value().iter().filter(|byte| !matches!(byte, b' ' | b'-' | b'.')) {
        let Some(place) = compact.get_mut(len) else { return Check::Invalid };
        *place = byte.to_ascii_uppercase();
        len += 1;
    }
    if let Some(department) = compact.get_mut(5..7) {
        match department {
            [b'2', b'A'] => department.copy_from_slice(b"19"),
            [b'2', b'B'] => department.copy_from_slice(b"18"),
            _ => (),
        }
    }
    let Some(digits) = Digits::read(&compact, b"") else { return Check::Invalid };
    let valid = len == 15
        && matches!(digits.number(0, 1), 1..=4 | 7 | 8)
        && matches!(digits.number(3, 5), 1..=12 | 20..=42 | 50..=99)
        && digits.number(5, 7) != 0
        && digits.number(7, 10) != 0
        && digits.number(10, 13) != 0
        && digits.number(13, 15) == 97 - digits.number(0, 13) % 97;
    Check::of(valid && stands_alone(&candidate))
}

/// PESEL: birth date with the century in the month, weights 1-3-7-9 mod 10.
pub fn pl_pesel(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let all = digits.as_slice();
    let weighted: u32 = all
        .iter()
        .zip([1, 3, 7, 9].into_iter().cycle())
        .take(10)
        .map(|(d, w)| u32::from(*d) * w)
        .sum();
    let check = all.get(10).is_some_and(|digit| (weighted + u32::from(*digit)).is_multiple_of(10));
    // 81-92 is 1881 to 1892 and so on; nobody born then has a living number, but it is a valid one.
    let (century, month) = (digits.number(2, 4) / 20, digits.number(2, 4) % 20);
    let year = digits.number(0, 2) + if century == 4 { 1800 } else { 1900 + 100 * century };
    let days = days_in_month(year, month);
    Check::of(all.len() == 11 && check && (1..=days).contains(&digits.number(4, 6)))
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn british_numbers() {
        valid(Validator::GbNino, "AB123456C");
        valid(Validator::GbNino, "hh 01 02 03 d");
        published(Validator::GbNino, "QQ123456C");
        for number in ["AB123456E", "GB123456A", "DA123456A", "AO123456A", "AB12345C"] {
            invalid(Validator::GbNino, number);
        }
    }

    #[test]
    fn european_numbers() {
        valid(Validator::DeIdnr, "36 574 261 809");
        valid(Validator::DeIdnr, "86095742719");
        for number in ["36574261890", "01234567896", "11112345678", "12345678903"] {
            invalid(Validator::DeIdnr, number);
        }
        valid(Validator::FrNir, "2 95 10 99 126 111 93");
        valid(Validator::FrNir, "253072A07300443");
        valid(Validator::FrNir, "253072B07300470");
        for number in ["253072C07300443", "295109912611194", "595109912611193", "29510991261119"] {
            invalid(Validator::FrNir, number);
        }
        valid(Validator::PlPesel, "44051401359");
        valid(Validator::PlPesel, "02070803628");
        for number in ["44051401358", "44023001357", "4405140135"] {
            invalid(Validator::PlPesel, number);
        }
    }
}
