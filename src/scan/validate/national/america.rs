//! National identification numbers of the Americas.

use super::digits;
use crate::scan::validate::digits::uniform;
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

/// Receita Federal: two check digits, each mod 11 of the digits before it; not one repeated digit.
pub fn br_cpf(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let all = digits.as_slice();
    let check = |body: usize| {
        let weights = (2..=body as u32 + 1).rev();
        let sum: u32 = all.iter().take(body).zip(weights).map(|(d, w)| u32::from(*d) * w).sum();
        let rest = sum * 10 % 11 % 10;
        all.get(body).is_some_and(|digit| u32::from(*digit) == rest)
    };
    Check::of(all.len() == 11 && !uniform(all) && check(9) && check(10))
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
    }

    #[test]
    fn brazilian_numbers() {
        valid(Validator::BrCpf, "390.533.447-05");
        valid(Validator::BrCpf, "52998224725");
        for number in ["231.002.999-00", "111.111.111-11", "529982247"] {
            invalid(Validator::BrCpf, number);
        }
    }
}
