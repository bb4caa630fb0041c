//! National identification numbers of the United States and Canada.

use super::{digits, holds, is_day, signs};
use crate::scan::validate::digits::{Digits, luhn, uniform, weighted_sum};
use crate::scan::validate::{Candidate, Check};

/// Social Security Administration: area not 000, 666 or 9xx, group not 00, serial not 0000. Numbers
/// that were printed in advertisements and SSA's own pamphlet are published.
pub fn us_ssn(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let all = digits.as_slice();
    if all.len() != 9 || uniform(all) {
        return Check::Invalid;
    }
    let (area, group, serial) = (digits.number(0, 3), digits.number(3, 5), digits.number(5, 9));
    if area == 987 && group == 65 && (4320..=4329).contains(&serial) {
        return Check::Published;
    }
    let advertised = matches!(
        (area, group, serial),
        (78, 5, 1120) | (219, 9, 9999) | (457, 55, 5462) | (721, 7, 4426)
    );
    Check::of(!matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0)
        .published_if(advertised)
}

/// Internal Revenue Service: area 9xx and group 50-65, 70-88, 90-92 or 94-99.
pub fn us_itin(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let group = digits.number(3, 5);
    Check::of(
        digits.as_slice().len() == 9
            && digits.number(0, 1) == 9
            && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99),
    )
}

/// Internal Revenue Service, valid EIN prefixes: the first two digits name a campus or the
/// internet; not one repeated digit.
pub fn us_ein(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let prefix = digits.number(0, 2);
    let unused =
        matches!(prefix, 0 | 7..=9 | 17..=19 | 28 | 29 | 49 | 69 | 70 | 78 | 79 | 89 | 96 | 97);
    let all = digits.as_slice();
    Check::of(all.len() == 9 && !unused && digits.number(2, 9) != 0 && !uniform(all))
}

/// Employment and Social Development Canada: nine digits, the first neither 0 nor 8, Luhn.
pub fn ca_sin(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let all = digits.as_slice();
    Check::of(all.len() == 9 && !matches!(digits.number(0, 1), 0 | 8) && luhn(all) && !uniform(all))
}

/// Ontario Ministry of Health: ten digits, the first not 0, Luhn; a version of one or two letters may
/// follow.
pub fn ca_on_health(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let version = value.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let number = value.get(..value.len() - version).unwrap_or_default();
    let Some(digits) = Digits::read(number, b" -") else { return Check::Invalid };
    let all = digits.as_slice();
    let alone = crate::scan::validate::stands_alone(&candidate);
    let form = all.len() == 10 && digits.number(0, 1) != 0 && version <= 2 && alone;
    Check::of(form && luhn(all) && !uniform(all))
}

/// British Columbia Ministry of Health, personal health number: ten digits that begin with 9,
/// weights 2 4 8 5 10 9 7 3 over the second to the ninth, mod 11.
pub fn ca_bc_phn(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let digits = digits(&candidate).filter(|digits| digits.as_slice().len() == 10)?;
        let body = digits.as_slice().get(1..9)?;
        let rest = u64::from(weighted_sum(body, &[2, 4, 8, 5, 10, 9, 7, 3]) % 11);
        Some(digits.number(0, 1) == 9 && (11 - rest) % 11 == digits.number(9, 10))
    })
}

/// Régie de l'assurance maladie du Québec: three letters of the name, one of the first name, year,
/// month (plus 50 for women) and day of birth, two digits that tell namesakes apart.
pub fn ca_qc_nam(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let signs = signs::<12>(&candidate, b" -")?;
        let (name, number) = signs.split_at_checked(4)?;
        let digits = Digits::read(number, b"")?;
        let (year, month, day) = (digits.number(0, 2), digits.number(2, 4), digits.number(4, 6));
        let month = if month > 50 { month - 50 } else { month };
        Some(name.iter().all(u8::is_ascii_uppercase) && is_day(year, month, day))
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn us_numbers() {
        valid(Validator::UsSsn, "219-09-9998");
        valid(Validator::UsSsn, "219099998");
        for number in ["078-05-1120", "219-09-9999", "987-65-4320"] {
            published(Validator::UsSsn, number);
        }
        for number in ["000-12-3456", "666-12-3456", "900-12-3456", "219-00-9998", "219-09-0000"] {
            invalid(Validator::UsSsn, number);
        }
        valid(Validator::UsItin, "912-70-1234");
        for number in ["812-70-1234", "912-66-1234", "912-89-1234", "912-93-1234"] {
            invalid(Validator::UsItin, number);
        }
        valid(Validator::UsEin, "91-1144442");
        for number in ["07-1144442", "89-1144442", "91-0000000", "11-1111111", "91-114444"] {
            invalid(Validator::UsEin, number);
        }
    }

    #[test]
    fn canadian_numbers() {
        valid(Validator::CaSin, "123-456-782");
        valid(Validator::CaSin, "130 692 544");
        for number in ["823456785", "046 454 286", "123-456-783", "12345678"] {
            invalid(Validator::CaSin, number);
        }
        valid(Validator::CaOnHealth, "9876-543-217");
        valid(Validator::CaOnHealth, "9876543217 AB");
        for number in ["9876543210", "9876543217ABC", "0876543218", "987654321"] {
            invalid(Validator::CaOnHealth, number);
        }
        valid(Validator::CaBcPhn, "9698 658 215");
        for number in ["9698 658 216", "5736504210", "969865821"] {
            invalid(Validator::CaBcPhn, number);
        }
        valid(Validator::CaQcNam, "TREM 8552 1212");
        valid(Validator::CaQcNam, "boud79121456");
        for number in ["TREM 8513 1212", "TREM 8552 3212", "TR3M 8552 1212", "TREM 8552 121"] {
            invalid(Validator::CaQcNam, number);
        }
    }
}
