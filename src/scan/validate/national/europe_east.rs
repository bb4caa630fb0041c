//! National identification numbers of the countries from Poland to Russia.

use super::europe::{day_exists, number};
use crate::scan::validate::digits::{uniform, weighted_sum};
use crate::scan::validate::{Candidate, Check};

/// PESEL: birth date with the century in the month, weights 1-3-7-9 mod 10.
pub fn pl_pesel(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    let sum = weighted_sum(all, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    // 81-92 is 1881 to 1892 and so on; nobody born then has a living number, but it is a valid one.
    let (century, month) = (digits.number(2, 4) / 20, digits.number(2, 4) % 20);
    let year = digits.number(0, 2) + if century == 4 { 1800 } else { 1900 + 100 * century };
    let day = digits.number(4, 6);
    Check::of(all.len() == 11 && sum.is_multiple_of(10) && day_exists(year, month, day))
}

/// Zákon 133/2000 Sb. § 13, and Zákon 301/1995 Z. z. for Slovakia: birth date, 50 added to the month
/// of women, 20 more since 2004 where a day is full; ten digits are a multiple of 11 (until 1985 the
/// last is 0 where that would take a 10); nine digits, of those born before 1954, have no check.
pub fn cz_rc(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" /-") else { return Check::Invalid };
    let all = digits.as_slice();
    let short = digits.number(0, 2);
    let year = match all.len() {
        9 if short < 54 => 1900 + short,
        9 if short >= 80 => 1800 + short,
        10 if short < 54 => 2000 + short,
        10 => 1900 + short,
        _ => return Check::Invalid,
    };
    let month = match digits.number(2, 4) {
        month @ 71.. if year >= 2004 => month - 70,
        month @ 51..=62 => month - 50,
        month @ 21..=32 if year >= 2004 => month - 20,
        month => month,
    };
    let check = match all.len() {
        9 => digits.number(6, 9) != 0,
        _ => {
            digits.number(0, 10).is_multiple_of(11)
                || (year <= 1985 && digits.number(0, 9) % 11 == 10 && digits.number(9, 10) == 0)
        }
    };
    Check::of(check && day_exists(year, month, digits.number(4, 6)))
}

/// Act XX of 1996 (Hungary), TAJ: weights 3 and 7 in turn, mod 10.
pub fn hu_taj(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    let sum = weighted_sum(all, &[3, 7, 3, 7, 3, 7, 3, 7]);
    Check::of(all.len() == 9 && !uniform(all) && u64::from(sum % 10) == digits.number(8, 9))
}

/// Act XX of 1996 (Hungary), tax identifier: 8, days since 1867, serial, weights 1 to 9 mod 11.
pub fn hu_tax_id(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    let sum = weighted_sum(all, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    Check::of(
        all.len() == 10 && digits.number(0, 1) == 8 && u64::from(sum % 11) == digits.number(9, 10),
    )
}

/// Act CL of 2017 (Hungary), tax number: eight digits, the last with the weights 9-7-3-1 mod 10; a digit
/// for the kind of value added tax from 1 to 5 and two for the county may follow.
pub fn hu_tax_number(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    let sum = weighted_sum(all, &[9, 7, 3, 1, 9, 7, 3, 1]);
    let rest = match all.len() {
        8 => true,
        11 => matches!((digits.number(8, 9), digits.number(9, 11)), (1..=5, 2..=20 | 22..=44 | 51)),
        _ => false,
    };
    Check::of(rest && digits.number(0, 8) > 9_999_999 && sum.is_multiple_of(10))
}

/// Legea 105/1996 and OUG 97/2005: sex and century, birth date, county, serial, check digit with the
/// weights 2-7-9-1-4-6-3-5-8-2-7-9 mod 11; 10 counts as 1.
pub fn ro_cnp(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    let century = match digits.number(0, 1) {
        0 => return Check::Invalid,
        3 | 4 => 1800,
        5..=8 => 2000,
        _ => 1900,
    };
    let birth = day_exists(century + digits.number(1, 3), digits.number(3, 5), digits.number(5, 7));
    let check = match weighted_sum(all, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11 {
        10 => 1,
        rest => rest,
    };
    Check::of(
        all.len() == 13
            && birth
            && matches!(digits.number(7, 9), 1..=48 | 51 | 52 | 70)
            && digits.number(9, 12) != 0
            && u64::from(check) == digits.number(12, 13),
    )
}

/// Civil Registration Act, ESGRAON: birth date with 20 (before 1900) or 40 (since 2000) added to the
/// month, weights 2-4-8-5-10-9-7-3-6 mod 11; 10 counts as 0.
pub fn bg_egn(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    let century = match digits.number(2, 4) / 20 {
        0 => 1900,
        1 => 1800,
        2 => 2000,
        _ => return Check::Invalid,
    };
    let (year, month) = (century + digits.number(0, 2), digits.number(2, 4) % 20);
    let sum = weighted_sum(all, &[2, 4, 8, 5, 10, 9, 7, 3, 6]);
    Check::of(
        all.len() == 10
            && day_exists(year, month, digits.number(4, 6))
            && u64::from(sum % 11 % 10) == digits.number(9, 10),
    )
}

/// State register of taxpayers: days from 1900 on to the birth date, serial, check digit with the
/// weights -1, 5, 7, 9, 4, 6, 10, 5, 7 mod 11; 10 counts as 0.
pub fn ua_rnokpp(candidate: Candidate<'_>) -> Check {
    /// 31 December 2035.
    const LATEST_DAY: u64 = 49_673;
    let Some(digits) = number(&candidate, b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    let sum = weighted_sum(all, &[10, 5, 7, 9, 4, 6, 10, 5, 7]);
    Check::of(
        all.len() == 10
            && (1..=LATEST_DAY).contains(&digits.number(0, 5))
            && u64::from(sum % 11 % 10) == digits.number(9, 10),
    )
}

/// Order of the Pension Fund on the insurance number (SNILS): weights 9 to 1, mod 101; 100 counts as
/// 0. Numbers up to 001-001-998 have no check and are refused.
pub fn ru_snils(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    let sum = weighted_sum(all, &[9, 8, 7, 6, 5, 4, 3, 2, 1]);
    Check::of(
        all.len() == 11
            && digits.number(0, 9) > 1_001_998
            && u64::from(sum % 101 % 100) == digits.number(9, 11),
    )
}

/// Order of the Federal Tax Service on the taxpayer number (INN): region, ten digits of an
/// organisation with one check digit or twelve of a person with two, mod 11 mod 10.
pub fn ru_inn(candidate: Candidate<'_>) -> Check {
    let Some(digits) = number(&candidate, b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    let last = |weights: &[u32]| {
        let rest = u64::from(weighted_sum(all, weights) % 11 % 10);
        rest == digits.number(weights.len(), weights.len() + 1)
    };
    let check = match all.len() {
        10 => last(&[2, 4, 10, 3, 5, 9, 4, 6, 8]),
        12 => last(&[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) && last(&[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]),
        _ => false,
    };
    Check::of(check && digits.number(0, 2) != 0 && !uniform(all))
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};

    #[test]
    fn polish_and_czech_numbers() {
        valid(Validator::PlPesel, "44051401359");
        valid(Validator::PlPesel, "02070803628");
        for number in ["44051401358", "44023001357", "4405140135"] {
            invalid(Validator::PlPesel, number);
        }
        for number in ["710319/2745", "7103192745", "991231123", "490312/123"] {
            valid(Validator::CzRc, number);
        }
        for number in ["7103192746", "1103492745", "590312/123", "711319/2745", "71031927"] {
            invalid(Validator::CzRc, number);
        }
    }

    #[test]
    fn hungarian_and_romanian_numbers() {
        valid(Validator::HuTaj, "111 111 110");
        valid(Validator::HuTaxId, "8071592153");
        valid(Validator::HuTaxNumber, "12892312");
        valid(Validator::HuTaxNumber, "12892312-2-42");
        invalid(Validator::HuTaj, "111 111 111");
        invalid(Validator::HuTaj, "000000000");
        invalid(Validator::HuTaxId, "8071592154");
        invalid(Validator::HuTaxId, "7071592153");
        invalid(Validator::HuTaxNumber, "12892313");
        invalid(Validator::HuTaxNumber, "12892312-6-42");
        valid(Validator::RoCnp, "1630615123457");
        for number in ["1630615123458", "1630615993454", "1632215123457", "163061512345"] {
            invalid(Validator::RoCnp, number);
        }
    }

    #[test]
    fn bulgarian_ukrainian_and_russian_numbers() {
        valid(Validator::BgEgn, "7523169263");
        valid(Validator::BgEgn, "7552010005");
        invalid(Validator::BgEgn, "7523169264");
        invalid(Validator::BgEgn, "8019010008");
        valid(Validator::UaRnokpp, "1759013776");
        invalid(Validator::UaRnokpp, "1759013770");
        invalid(Validator::UaRnokpp, "9959013776");
        valid(Validator::RuSnils, "112-233-445 95");
        valid(Validator::RuSnils, "11223344595");
        invalid(Validator::RuSnils, "112-233-445 96");
        invalid(Validator::RuSnils, "001-001-998 00");
        valid(Validator::RuInn, "7707083893");
        valid(Validator::RuInn, "500100732259");
        for number in ["7707083894", "500100732258", "0000000000", "50010073225"] {
            invalid(Validator::RuInn, number);
        }
    }
}
