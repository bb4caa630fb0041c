//! National identification numbers of Spain, Italy, Portugal, Greece and Croatia.

use super::europe::{compact, day_exists, number, whole};
use crate::scan::validate::digits::{Digits, luhn, mod_11_10, uniform, weighted_sum};
use crate::scan::validate::{Candidate, Check, stands_alone};

/// Real Decreto 1553/2005 and Orden INT/2058/2008: eight digits, or X, Y, Z (as 0, 1, 2) and seven,
/// or K, L, M and seven, and the letter of the number mod 23. The number of the specimen card is
/// published.
pub fn es_dni_nie(candidate: Candidate<'_>) -> Check {
    let Some([first, rest @ .., letter]) = compact::<9>(candidate.value()) else {
        return Check::Invalid;
    };
    let leading = match first {
        b'X' | b'K' | b'L' | b'M' => b'0',
        b'Y' => b'1',
        b'Z' => b'2',
        digit => digit,
    };
    let [b, c, d, e, f, g, h] = rest;
    let Some(digits) = Digits::read(&[leading, b, c, d, e, f, g, h], b"") else {
        return Check::Invalid;
    };
    let rest = usize::try_from(digits.number(0, 8) % 23).unwrap_or_default();
    let valid = b"TRWAGMYFPDXBNJZSQVHLCKE".get(rest) == Some(&letter) && stands_alone(&candidate);
    let (number, is_dni) = (digits.number(0, 8), first.is_ascii_digit());
    Check::of(valid).published_if(is_dni && matches!(number, 0 | 99_999_999))
}

/// DM 23 dicembre 1976: three letters each of surname and name, year, month letter, day (40 more for
/// women), municipality, and a check letter mod 26 with a table for the odd places. Digits may be
/// letters where two people would have the same code.
pub fn it_cf(candidate: Candidate<'_>) -> Check {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let Some(code) = compact::<16>(candidate.value()) else { return Check::Invalid };
    let [name @ .., y, z, month, d, e, town, t, u, v, check] = code;
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte),
        b'L'..=b'N' => Some(byte - b'L' + b'0'),
        b'P'..=b'V' => Some(byte - b'P' + b'3'),
        _ => None,
    };
    let read = |bytes: [u8; 7]| {
        let mut read = [0; 7];
        for (place, byte) in read.iter_mut().zip(bytes) {
            *place = digit(byte)?;
        }
        Digits::read(&read, b"")
    };
    let Some(digits) = read([y, z, d, e, t, u, v]) else { return Check::Invalid };
    let Some(month) = b"ABCDEHLMPRST".iter().position(|letter| *letter == month) else {
        return Check::Invalid;
    };
    let day = match digits.number(2, 4) {
        day @ 41.. => day - 40,
        day => day,
    };
    let value = |byte: u8| match byte {
        b'0'..=b'9' => usize::from(byte - b'0'),
        letter => usize::from(letter.saturating_sub(b'A')),
    };
    let sum: u32 = code
        .iter()
        .take(15)
        .enumerate()
        .map(|(place, byte)| match place % 2 {
            0 => ODD.get(value(*byte)).copied().unwrap_or_default(),
            _ => u32::try_from(value(*byte)).unwrap_or_default(),
        })
        .sum();
    Check::of(
        name.iter().all(u8::is_ascii_uppercase)
            && day_exists(2000 + digits.number(0, 2), month as u64 + 1, day)
            && matches!(town, b'A'..=b'M' | b'Z')
            && digits.number(4, 7) != 0
            && check.is_ascii_uppercase()
            && sum % 26 == u32::from(check - b'A')
            && stands_alone(&candidate),
    )
}

/// Portaria 386/98 and the tax authority: a first digit or pair in use, weights 9 to 2 and 1, mod 11;
/// 10 counts as 0. `PT` may lead.
pub fn pt_nif(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let plain = value.strip_prefix(b"PT").or_else(|| value.strip_prefix(b"pt")).unwrap_or(value);
    let Some(digits) = Digits::read(plain, b" -.") else { return Check::Invalid };
    let all = digits.as_slice();
    let rest = weighted_sum(all, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    let expected = if rest < 2 { 0 } else { 11 - rest };
    let first = matches!(digits.number(0, 1), 1..=3 | 5 | 6 | 8)
        || matches!(digits.number(0, 2), 45 | 70..=72 | 74 | 75 | 77..=79 | 90 | 91 | 98 | 99);
    Check::of(
        all.len() == 9
            && first
            && !uniform(all)
            && u64::from(expected) == digits.number(8, 9)
            && whole(&candidate),
    )
}

/// AMKA (law 3655/2008, article 153): birth date, serial, Luhn.
pub fn gr_amka(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    Check::of(
        all.len() == 11
            && day_exists(2000 + digits.number(4, 6), digits.number(2, 4), digits.number(0, 2))
            && luhn(all),
    )
}

/// Zakon o osobnom identifikacijskom broju: eleven digits, MOD 11,10 (ISO/IEC 7064).
pub fn hr_oib(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let plain = value.strip_prefix(b"HR").unwrap_or(value);
    let Some(digits) = Digits::read(plain, b" ") else { return Check::Invalid };
    let all = digits.as_slice();
    Check::of(all.len() == 11 && !uniform(all) && mod_11_10(all) && whole(&candidate))
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn spanish_and_portuguese_numbers() {
        for number in ["12345678Z", "12.345.678-Z", "54362315-K", "X-5253868-R", "X1234567L"] {
            valid(Validator::EsDniNie, number);
        }
        published(Validator::EsDniNie, "99999999R");
        for number in ["12345678A", "X1234567T", "W1234567L", "1234567L", "B64717839"] {
            invalid(Validator::EsDniNie, number);
        }
        for number in ["501964843", "501 964 843", "PT501964843", "123456789"] {
            valid(Validator::PtNif, number);
        }
        for number in ["501964842", "401964840", "50196484", "111111111"] {
            invalid(Validator::PtNif, number);
        }
    }

    #[test]
    fn italian_codes() {
        for number in ["RCCMNL83S18D969H", "MRTNTN23M02D969P", "RSSMRA45C12F2LRI"] {
            valid(Validator::ItCf, number);
        }
        valid(Validator::ItCf, "rssmra85t10a562s");
        valid(Validator::ItCf, "RSS MRA 85T10 A562S");
        for number in ["RCCMNL83S18D969I", "CNTCHR83T32D969H", "RSSMRA85G10A562S"] {
            invalid(Validator::ItCf, number);
        }
    }

    #[test]
    fn greek_and_croatian_numbers() {
        valid(Validator::GrAmka, "01013099997");
        for number in ["01013099998", "32013099997", "01133099997", "0101309999"] {
            invalid(Validator::GrAmka, number);
        }
        valid(Validator::HrOib, "33392005961");
        for number in ["33392005962", "3339200596", "11111111111"] {
            invalid(Validator::HrOib, number);
        }
    }
}
