//! National identification numbers of Germany, Austria, Switzerland, France, Belgium and the
//! Netherlands.

use super::europe::{compact, day_exists, number};
use super::goes_on;
use crate::scan::validate::digits::{Digits, mod_11_10, uniform, weighted_sum};
use crate::scan::validate::{Candidate, Check, stands_alone};

/// Bundeszentralamt für Steuern: no leading zero; of the first ten digits exactly one occurs twice
/// or three times (three times since 2016, never three in a row) and no other repeats; MOD 11,10.
pub fn de_idnr(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -./") else { return Check::Invalid };
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

/// VKVV § 2: area number, birth date, first letter of the name at birth, serial number, check digit:
/// the letter as its place in the alphabet, weights 2-1-2-5-7-1-2-1-2-1-2-1, the sum of the digits
/// of the products mod 10.
pub fn de_rvnr(candidate: Candidate<'_>) -> Check {
    let Some(number) = compact::<12>(candidate.value()) else { return Check::Invalid };
    let [a, b, c, d, e, f, g, h, letter, serial @ .., check] = number;
    if !letter.is_ascii_uppercase() {
        return Check::Invalid;
    }
    let (place, [tens, ones]) = (letter - b'A' + 1, serial);
    let written = [a, b, c, d, e, f, g, h, b'0' + place / 10, b'0' + place % 10, tens, ones, check];
    let Some(digits) = Digits::read(&written, b"") else { return Check::Invalid };
    let sum: u32 = digits
        .as_slice()
        .iter()
        .zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
        .map(|(digit, weight)| u32::from(*digit) * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    let birth = day_exists(2000 + digits.number(6, 8), digits.number(4, 6), digits.number(2, 4));
    Check::of(
        birth
            && digits.number(0, 2) > 1
            && u64::from(sum % 10) == digits.number(12, 13)
            && stands_alone(&candidate),
    )
}

/// PAuswV: nine places of digits and the consonants of its alphabet, the check digit of ICAO Doc
/// 9303 behind them (weights 7-3-1, mod 10), `D` behind that. The front of the card shows the nine
/// alone: then a letter of an authority leads. The numbers of the specimens are published.
pub fn de_id_card(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let serial = |byte: &u8| byte.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(byte);
    let authority = |byte: u8| b"LMNPRTVWXY".contains(&byte);
    let specimen = |body: &[u8]| matches!(body, b"T22000129" | b"L01X00T47" | b"122000129");
    if let Some(body) = compact::<9>(value) {
        let [first, rest @ ..] = body;
        let digits = rest.iter().filter(|byte| byte.is_ascii_digit()).count();
        let valid = authority(first) && rest.iter().all(serial) && digits >= 2;
        return Check::of(valid && stands_alone(&candidate)).published_if(specimen(&body));
    }
    let checked = compact::<10>(value).or_else(|| {
        let [a, b, c, d, e, f, g, h, i, check, b'D'] = compact::<11>(value)? else { return None };
        Some([a, b, c, d, e, f, g, h, i, check])
    });
    let Some([body @ .., check]) = checked else { return Check::Invalid };
    let sum: u32 = body
        .iter()
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(byte, weight)| (*byte as char).to_digit(36).unwrap_or_default() * weight)
        .sum();
    let [first, ..] = body;
    let valid = (authority(first) || body.iter().all(u8::is_ascii_digit))
        && body.iter().all(serial)
        && !uniform(&body)
        && (check as char).to_digit(10) == Some(sum % 10);
    Check::of(valid && stands_alone(&candidate)).published_if(specimen(&body))
}

/// ASVG § 31 and the main association of social insurers: three digits from 100 on, a check digit
/// (weights 3-7-9, then 5-8-4-2-1-6, mod 11), birth date; months 13 to 15 are spare.
pub fn at_vnr(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -./") else { return Check::Invalid };
    let sum = weighted_sum(digits.as_slice(), &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
    let (day, month) = (digits.number(4, 6), digits.number(6, 8));
    let birth = day_exists(2000 + digits.number(8, 10), month, day)
        || (matches!(month, 13..=15) && matches!(day, 1..=31));
    Check::of(
        digits.as_slice().len() == 10
            && digits.number(0, 3) >= 100
            && birth
            && u64::from(sum % 11) == digits.number(3, 4),
    )
}

/// AHVG Art. 50c, Zentrale Ausgleichsstelle: country code 756, EAN-13 check digit. The number of the
/// authority's specimen card is published.
pub fn ch_ahv(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -.") else { return Check::Invalid };
    let all = digits.as_slice();
    let sum = weighted_sum(all, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]);
    let valid = all.len() == 13
        && digits.number(0, 3) == 756
        && digits.number(3, 12) != 0
        && sum.is_multiple_of(10);
    Check::of(valid).published_if(digits.number(0, 13) == 7_569_217_076_985)
}

/// INSEE: sex, year, month (01-12, or 20-42 and 50-99 where it is not known), department (2A and 2B
/// for Corsica), commune, order, and the key 97 - n mod 97, which is left out at times (then no other
/// group follows, which would be a wrong key). 2A counts as 19, 2B as 18.
pub fn fr_nir(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let mut number = [b'0'; 15];
    let keyed = if let Some(keyed) = compact::<15>(value) {
        number = keyed;
        true
    } else if let (Some(short), Some(place)) = (compact::<13>(value), number.get_mut(..13)) {
        place.copy_from_slice(&short);
        false
    } else {
        return Check::Invalid;
    };
    if let Some(department) = number.get_mut(5..7) {
        match department {
            [b'2', b'A'] => department.copy_from_slice(b"19"),
            [b'2', b'B'] => department.copy_from_slice(b"18"),
            _ => (),
        }
    }
    let Some(digits) = Digits::read(&number, b"") else { return Check::Invalid };
    let valid = matches!(digits.number(0, 1), 1..=4 | 7 | 8)
        && matches!(digits.number(3, 5), 1..=12 | 20..=42 | 50..=99)
        && digits.number(5, 7) != 0
        && digits.number(7, 10) != 0
        && digits.number(10, 13) != 0
        && (if keyed {
            digits.number(13, 15) == 97 - digits.number(0, 13) % 97
        } else {
            !goes_on(&candidate)
        });
    Check::of(valid && stands_alone(&candidate))
}

/// DGFiP, numéro fiscal (SPI): thirteen digits that begin with 0 to 3, the last three the first ten
/// mod 511.
pub fn fr_tin(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" .-") else { return Check::Invalid };
    Check::of(
        digits.as_slice().len() == 13
            && digits.number(0, 1) <= 3
            && digits.number(1, 10) != 0
            && digits.number(0, 10) % 511 == digits.number(10, 13),
    )
}

/// Wet algemene bepalingen burgerservicenummer, the test of eleven: weights 9 to 2 and -1 give a
/// multiple of 11. A leading zero may be missing.
pub fn nl_bsn(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -.") else { return Check::Invalid };
    let all = digits.as_slice();
    let weights: &[u32] = match all.len() {
        8 => &[8, 7, 6, 5, 4, 3, 2, 10],
        9 => &[9, 8, 7, 6, 5, 4, 3, 2, 10],
        _ => return Check::Invalid,
    };
    Check::of(!uniform(all) && weighted_sum(all, weights).is_multiple_of(11))
}

/// Rijksregister: birth date, serial, 97 - n mod 97, with a 2 before n for those born since 2000.
/// In numbers of people outside the register (BIS) 20 or 40 is added to the month; a month or day
/// that is not known is 00.
pub fn be_nn(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -./") else { return Check::Invalid };
    let (body, key) = (digits.number(0, 9), digits.number(9, 11));
    let year = if key == 97 - body % 97 {
        1900
    } else if key == 97 - (2_000_000_000 + body) % 97 {
        2000
    } else {
        return Check::Invalid;
    } + digits.number(0, 2);
    let (month, day) = (digits.number(2, 4), digits.number(4, 6));
    let unknown = month.is_multiple_of(20) || day == 0;
    let birth = month < 53
        && month % 20 <= 12
        && (if unknown { day <= 31 } else { day_exists(year, month % 20, day) });
    Check::of(digits.as_slice().len() == 11 && birth && digits.number(6, 9) != 0)
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn german_numbers() {
        for number in ["36 574 261 809", "86095742719", "36/574/261/809"] {
            valid(Validator::DeIdnr, number);
        }
        for number in ["36574261890", "01234567896", "11112345678", "12345678903"] {
            invalid(Validator::DeIdnr, number);
        }
        for number in ["65 170839 J 003", "65170839J003", "15070649C103", "65170839j003"] {
            valid(Validator::DeRvnr, number);
        }
        for number in ["65170839J004", "65171339J003", "65320839J003", "651708391003"] {
            invalid(Validator::DeRvnr, number);
        }
        for number in ["T220001293", "T220001293D", "L01X00T471", "L01X00T47", "1220001297D"] {
            published(Validator::DeIdCard, number);
        }
        valid(Validator::DeIdCard, "LZ6311T475");
        valid(Validator::DeIdCard, "LZ6311T47");
        for number in ["LZ6311T476", "AZ6311T475", "LO6311T47", "LZ6311T475E", "LABCDEFGH"] {
            invalid(Validator::DeIdCard, number);
        }
    }

    #[test]
    fn austrian_and_swiss_numbers() {
        valid(Validator::AtVnr, "1237 010180");
        for number in ["2237 010180", "1237 320180", "0237 010180", "1237 01018"] {
            invalid(Validator::AtVnr, number);
        }
        published(Validator::ChAhv, "756.9217.0769.85");
        valid(Validator::ChAhv, "756.1234.5678.97");
        valid(Validator::ChAhv, "7561234567897");
        for number in ["756.1234.5678.98", "755.1234.5678.90", "756.1234.5678.9"] {
            invalid(Validator::ChAhv, number);
        }
    }

    #[test]
    fn french_numbers() {
        valid(Validator::FrNir, "2 95 10 99 126 111 93");
        valid(Validator::FrNir, "2 95 10 99 126 111");
        valid(Validator::FrNir, "253072A07300443");
        valid(Validator::FrNir, "253072B07300470");
        for number in ["253072C07300443", "295109912611194", "595109912611193", "29510991261119"] {
            invalid(Validator::FrNir, number);
        }
        valid(Validator::FrTin, "30 23 217 600 053");
        for number in ["3023217600054", "4023217600053", "302321760005", "0000000000000"] {
            invalid(Validator::FrTin, number);
        }
    }

    #[test]
    fn dutch_and_belgian_numbers() {
        for number in ["111222333", "1112.22.333", "123456782", "10000008"] {
            valid(Validator::NlBsn, number);
        }
        for number in ["111252333", "123456789", "000000000", "1234567"] {
            invalid(Validator::NlBsn, number);
        }
        for number in ["93.05.18-223.61", "85073003328", "17 07 30 033 84", "98 47 28 997 65"] {
            valid(Validator::BeNn, number);
        }
        for number in ["93.05.18-223.62", "12345678901", "85073003329", "8507300332"] {
            invalid(Validator::BeNn, number);
        }
    }
}
