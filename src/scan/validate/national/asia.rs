//! National identification numbers of India and the Near East.

use super::{digits, goes_on, holds, signs};
use crate::scan::validate::digits::{base_36, luhn, palindrome, uniform, verhoeff, weighted_sum};
use crate::scan::validate::{Candidate, Check};

/// UIDAI: twelve digits, the first 2 to 9, no palindrome, Verhoeff.
pub fn in_aadhaar(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let all = digits.as_slice();
    let is_number = all.len() == 12 && digits.number(0, 1) >= 2 && !palindrome(all);
    Check::of(is_number && !goes_on(&candidate) && verhoeff(all))
}

/// Income Tax Department, structure of the PAN: five letters, the fourth the kind of holder, four
/// digits from 0001, a letter.
fn is_pan(pan: &[u8]) -> bool {
    let [a, b, c, kind, e, number @ .., last] = pan else { return false };
    [a, b, c, e, last].into_iter().all(u8::is_ascii_uppercase)
        && b"ABCFGHJLPT".contains(kind)
        && number.len() == 4
        && number.iter().all(u8::is_ascii_digit)
        && number != b"0000"
}

/// Income Tax Department: five letters, the fourth the kind of holder, four digits, a letter.
pub fn in_pan(candidate: Candidate<'_>) -> Check {
    Check::of(signs::<10>(&candidate, b"").is_some_and(|pan| is_pan(&pan)))
}

/// GSTN: state code 01 to 38, 97 or 99, a PAN, the number of the registration, Z (C or D where
/// tax is collected or deducted at source), and a check sign: Luhn's method in base 36.
pub fn in_gstin(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let signs = signs::<15>(&candidate, b"")?;
        let (body, check) = (signs.get(..14)?, signs.get(14)?);
        let state = match body {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9', ..] => (tens - b'0') * 10 + ones - b'0',
            _ => return None,
        };
        let mut sum = 0;
        for (place, sign) in (0u32..).zip(body) {
            let product = base_36(*sign)? * (1 + place % 2);
            sum += product / 36 + product % 36;
        }
        let form = matches!(state, 1..=38 | 97 | 99)
            && is_pan(signs.get(2..12)?)
            && signs.get(12) != Some(&b'0')
            && matches!(signs.get(13)?, b'Z' | b'C' | b'D');
        Some(form && (36 - sum % 36) % 36 == base_36(*check)?)
    })
}

/// Nüfus ve Vatandaşlık İşleri: eleven digits, the first not 0; the tenth is seven times the sum of
/// the odd places less that of the even ones, the eleventh the sum of all before it, both mod 10.
pub fn tr_tckn(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let digits = digits(&candidate).filter(|digits| digits.as_slice().len() == 11)?;
        let all = digits.as_slice();
        // Minus one is nine, mod ten.
        let tenth = weighted_sum(all, &[7, 9, 7, 9, 7, 9, 7, 9, 7]) % 10;
        let last = weighted_sum(all, &[1; 10]) % 10;
        let checks = [tenth, last].into_iter().map(u64::from);
        Some(!all.starts_with(&[0]) && checks.eq([digits.number(9, 10), digits.number(10, 11)]))
    })
}

/// Population and Immigration Authority of Israel: up to nine digits, with zeros in front, Luhn.
pub fn il_id(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let all = digits.as_slice();
    Check::of(matches!(all.len(), 8 | 9) && luhn(all) && !uniform(all))
}

/// Federal Authority for Identity of the Emirates: 784, year of birth, seven digits, Luhn.
pub fn ae_eid(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let year = (1900..=2100).contains(&digits.number(3, 7));
    let all = digits.as_slice();
    Check::of(all.len() == 15 && all.starts_with(&[7, 8, 4]) && year && luhn(all))
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};

    #[test]
    fn indian_numbers() {
        valid(Validator::InAadhaar, "2341 2341 2346");
        for number in ["1234 1234 1234", "222222222222", "2341 2341 2347", "234123412"] {
            invalid(Validator::InAadhaar, number);
        }
        valid(Validator::InPan, "ACUPA7085R");
        for number in ["ABMXA3211G", "ACUPA0000R", "ACUPA70851", "ACUPA7085RR", "ACUP17085R"] {
            invalid(Validator::InPan, number);
        }
        valid(Validator::InGstin, "27AAPFU0939F1ZV");
        for number in ["27AAPFU0939F1ZA", "40AAPFU0939F1ZV", "27AAPXU0939F1ZV", "27AAPFU0939F1Z"] {
            invalid(Validator::InGstin, number);
        }
    }

    #[test]
    fn numbers_of_the_near_east() {
        valid(Validator::TrTckn, "17291716060");
        for number in ["17291716050", "17291716061", "01729171606", "1729171606"] {
            invalid(Validator::TrTckn, number);
        }
        valid(Validator::IlId, "3933742-3");
        valid(Validator::IlId, "039337423");
        for number in ["3933742-2", "000000000", "39337423000"] {
            invalid(Validator::IlId, number);
        }
        valid(Validator::AeEid, "784-1979-1234567-1");
        for number in
            ["784-1979-1234567-2", "785-1979-1234567-1", "784-1879-1234567-3", "784197912345"]
        {
            invalid(Validator::AeEid, number);
        }
    }
}
