//! National identification numbers of East and South-East Asia.

use super::{digits, holds, is_day, signs};
use crate::scan::validate::contact::days_in_month;
use crate::scan::validate::digits::{Digits, mod_11_2, uniform, weighted_sum};
use crate::scan::validate::{Candidate, Check, stands_alone};

/// GB 11643-1999: region of GB/T 2260 (its first two digits), birth date, order, ISO/IEC 7064 MOD 11-2.
pub fn cn_ric(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let signs = signs::<18>(&candidate, b" ")?;
        let (check, body) = signs.split_last()?;
        let digits = Digits::read(body, b"")?;
        let region = matches!(
            digits.number(0, 2),
            11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83
        );
        let (year, month) = (digits.number(6, 10), digits.number(10, 12));
        let born = (1850..=2100).contains(&year)
            && (1..=days_in_month(year, month)).contains(&digits.number(12, 14));
        Some(region && born && mod_11_2(digits.as_slice(), *check))
    })
}

/// Ministry of the Interior of Taiwan: a letter for the place, which counts as two digits, sex 1 or
/// 2 (8 or 9 for residents from abroad), weights 1 9 8 7 6 5 4 3 2 1 1 mod 10.
pub fn tw_id(candidate: Candidate<'_>) -> Check {
    // From 10 on, in the order in which the letters were given out.
    const PLACES: &[u8; 26] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    holds(|| {
        let signs = signs::<10>(&candidate, b"")?;
        let (letter, number) = signs.split_first()?;
        let digits = Digits::read(number, b"")?;
        let place = PLACES.iter().position(|other| other == letter)? as u32 + 10;
        let sum = place / 10
            + place % 10 * 9
            + weighted_sum(digits.as_slice(), &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
        let kind = matches!(digits.number(0, 1), 1 | 2 | 8 | 9);
        Some(kind && sum.is_multiple_of(10))
    })
}

/// Immigration Department of Hong Kong: one or two letters, six digits and a check sign, usually in
/// parentheses; weights 9 to 1 mod 11, letters from A as 10, a missing letter as 36; A stands for 10.
pub fn hk_hkid(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let mut signs = [b' '; 9];
        let value = candidate.value();
        let read = value.iter().rev().filter(|byte| !matches!(byte, b' ' | b'(' | b')' | b'-'));
        let mut len = 0;
        for byte in read {
            *signs.get_mut(8usize.checked_sub(len)?)? = byte.to_ascii_uppercase();
            len += 1;
        }
        let [first, second, number @ .., check] = signs;
        let digits = Digits::read(&number, b"")?;
        let letter = |sign: u8| {
            if sign == b' ' { Some(36) } else { char::from(sign).to_digit(36).filter(|v| *v >= 10) }
        };
        let check = char::from(check).to_digit(11)?;
        let sum = letter(first)? * 9
            + letter(second)? * 8
            + weighted_sum(digits.as_slice(), &[7, 6, 5, 4, 3, 2])
            + check;
        let alone = second != b' ' && stands_alone(&candidate);
        Some(alone && len >= 8 && sum.is_multiple_of(11))
    })
}

/// Ministry of Internal Affairs of Japan, Order 85 of 2014, article 5: twelve digits, weights 6 5 4 3 2 7 6 5 4
/// 3 2 mod 11.
pub fn jp_my_number(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let digits = digits(&candidate).filter(|digits| digits.as_slice().len() == 12)?;
        let all = digits.as_slice();
        let rest = weighted_sum(all, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
        let check = if rest < 2 { 0 } else { 11 - rest };
        Some(!uniform(all) && u64::from(check) == digits.number(11, 12))
    })
}

/// Resident Registration Act of Korea: birth date, century and sex, place up to 95, and a check digit with
/// weights 2 to 9 and 2 to 5 mod 11; for those born since October 2020 the last six digits are
/// drawn at random.
pub fn kr_rrn(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let digits = digits(&candidate).filter(|digits| digits.as_slice().len() == 13)?;
        let century = match digits.number(6, 7) {
            1 | 2 | 5 | 6 => 1900,
            3 | 4 | 7 | 8 => 2000,
            _ => 1800,
        };
        let (year, month) = (century + digits.number(0, 2), digits.number(2, 4));
        let born = (1..=days_in_month(year, month)).contains(&digits.number(4, 6));
        let rest = weighted_sum(digits.as_slice(), &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11;
        let check = u64::from((11 - rest) % 10) == digits.number(12, 13);
        let random = (year, month) >= (2020, 10) && year < 2100;
        Some(born && (random || check && digits.number(7, 9) <= 96))
    })
}

/// Immigration and Checkpoints Authority of Singapore: S, T (citizens), F, G, M (others), seven
/// digits with weights 2 7 6 5 4 3 2, and a letter of the table of its series.
pub fn sg_nric_fin(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let signs = signs::<9>(&candidate, b"")?;
        let [series, number @ .., check] = signs;
        let (offset, letters) = match series {
            b'S' => (0, b"JZIHGFEDCBA"),
            b'T' => (4, b"JZIHGFEDCBA"),
            b'F' => (0, b"XWUTRQPNMLK"),
            b'G' => (4, b"XWUTRQPNMLK"),
            b'M' => (3, b"XWUTRQPNJLK"),
            _ => return None,
        };
        let digits = Digits::read(&number, b"")?;
        let sum = offset + weighted_sum(digits.as_slice(), &[2, 7, 6, 5, 4, 3, 2]);
        Some(letters.get(sum as usize % 11) == Some(&check))
    })
}

/// National Registration Department of Malaysia: birth date, code of the birthplace, order.
pub fn my_nric(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let digits = digits(&candidate).filter(|digits| digits.as_slice().len() == 12)?;
        let unused = matches!(digits.number(6, 8), 0 | 17..=20 | 69 | 70 | 73 | 80 | 81 | 94..=97);
        let born = is_day(digits.number(0, 2), digits.number(2, 4), digits.number(4, 6));
        Some(born && !unused && digits.number(8, 12) != 0)
    })
}

/// Department of Provincial Administration of Thailand: thirteen digits, the first 1 to 8, weights 13 to 2 mod 11.
pub fn th_pin(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let digits = digits(&candidate).filter(|digits| digits.as_slice().len() == 13)?;
        let sum = weighted_sum(digits.as_slice(), &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
        let check = u64::from((11 - sum % 11) % 10);
        Some(
            matches!(digits.number(0, 1), 1..=8)
                && check == digits.number(12, 13)
                && !uniform(digits.as_slice()),
        )
    })
}

/// Ministry of Home Affairs of Indonesia, Permendagri 72/2022: province, district, birth date (the
/// day plus 40 for women), order from 0001.
pub fn id_nik(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let digits = digits(&candidate).filter(|digits| digits.as_slice().len() == 16)?;
        let province = matches!(
            digits.number(0, 2),
            11..=19 | 21 | 31..=36 | 51..=53 | 61..=65 | 71..=76 | 81 | 82 | 91..=97
        );
        let day = digits.number(6, 8);
        let day = if day > 40 { day - 40 } else { day };
        let born = is_day(digits.number(10, 12), digits.number(8, 10), day);
        let place = digits.number(2, 4) != 0 && digits.number(4, 6) != 0;
        Some(province && place && born && digits.number(12, 16) != 0)
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};

    #[test]
    fn chinese_numbers() {
        valid(Validator::CnRic, "360426199101010071");
        valid(Validator::CnRic, "11010519491231002X");
        for number in
            ["36042619910102009X", "360426199113010079", "990426199112010074", "36042619910101007"]
        {
            invalid(Validator::CnRic, number);
        }
        valid(Validator::TwId, "A123456789");
        for number in ["A123456788", "A323456789", "1123456789", "A12345678"] {
            invalid(Validator::TwId, number);
        }
        valid(Validator::HkHkid, "A123456(3)");
        valid(Validator::HkHkid, "AB987654(3)");
        valid(Validator::HkHkid, "C123456 9");
        for number in ["A123456(4)", "AB987654(2)", "1123456(3)", "A12345(6)", "A123456(B)"] {
            invalid(Validator::HkHkid, number);
        }
    }

    #[test]
    fn japanese_and_korean_numbers() {
        valid(Validator::JpMyNumber, "6214 9832 0257");
        valid(Validator::JpMyNumber, "123456789018");
        for number in ["6214 9832 0258", "000000000000", "62149832025"] {
            invalid(Validator::JpMyNumber, number);
        }
        valid(Validator::KrRrn, "971013-9019902");
        // Drawn at random since October 2020.
        valid(Validator::KrRrn, "201101-3999999");
        for number in ["971013-9019903", "971310-9019908", "971013-9999904", "971013-901990"] {
            invalid(Validator::KrRrn, number);
        }
    }

    #[test]
    fn numbers_of_south_east_asia() {
        for number in ["S1234567D", "T1234567J", "F1234567N", "G1234567X", "M1234567K"] {
            valid(Validator::SgNricFin, number);
        }
        for number in ["S1234567A", "A1234567D", "S123456D", "S12345678"] {
            invalid(Validator::SgNricFin, number);
        }
        valid(Validator::MyNric, "770305-02-1234");
        for number in ["770305-00-1234", "771305-02-1234", "890131-17-1224", "770305-02-123"] {
            invalid(Validator::MyNric, number);
        }
        valid(Validator::ThPin, "1-2345-45678-78-1");
        for number in ["0-2345-45678-78-1", "9-2345-45678-78-1", "1-2345-45678-78-2", "12345"] {
            invalid(Validator::ThPin, number);
        }
        valid(Validator::IdNik, "3171011708450001");
        valid(Validator::IdNik, "3171015708450001");
        for number in ["3171011713450001", "4171011708450001", "3171011708450000", "31710117"] {
            invalid(Validator::IdNik, number);
        }
    }
}
