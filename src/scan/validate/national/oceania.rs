//! National identification numbers of Australia and New Zealand.

use super::{digits, holds};
use crate::scan::validate::digits::{uniform, weighted_sum};
use crate::scan::validate::{Candidate, Check};

/// Australian Taxation Office: nine digits with weights 1 4 3 7 5 8 6 9 10, or eight with weights
/// 10 7 8 4 6 3 5 1, mod 11.
pub fn au_tfn(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let all = digits.as_slice();
    let sum = match all.len() {
        9 => weighted_sum(all, &[1, 4, 3, 7, 5, 8, 6, 9, 10]),
        8 => weighted_sum(all, &[10, 7, 8, 4, 6, 3, 5, 1]),
        _ => return Check::Invalid,
    };
    Check::of(sum.is_multiple_of(11) && !uniform(all))
}

/// Services Australia: the first digit 2 to 6, the ninth checks the eight before it with weights
/// 1 3 7 9 mod 10, the tenth counts the cards, and an eleventh the persons on it.
pub fn au_medicare(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let digits = super::Digits::read(candidate.value(), b" -./")
            .filter(|_| crate::scan::validate::stands_alone(&candidate))?;
        let all = digits.as_slice();
        let check = weighted_sum(all, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10;
        Some(
            matches!(all.len(), 10 | 11)
                && matches!(digits.number(0, 1), 2..=6)
                && u64::from(check) == digits.number(8, 9)
                && digits.number(9, 10) != 0
                && all.get(10) != Some(&0),
        )
    })
}

/// Inland Revenue of New Zealand, Resident withholding tax specification: eight or nine digits from
/// 10 to 200 million, weights 3 2 7 6 5 4 3 2 mod 11, and where that gives 10, 7 4 3 2 5 2 7 6.
pub fn nz_ird(candidate: Candidate<'_>) -> Check {
    holds(|| {
        let digits =
            digits(&candidate).filter(|digits| matches!(digits.as_slice().len(), 8 | 9))?;
        let all = digits.as_slice();
        let mut number = [0u8; 9];
        number.get_mut(9 - all.len()..)?.copy_from_slice(all);
        let [body @ .., check] = number;
        let rest = |weights: &[u32]| match weighted_sum(&body, weights) % 11 {
            0 => 0,
            rest => 11 - rest,
        };
        let expected = match rest(&[3, 2, 7, 6, 5, 4, 3, 2]) {
            10 => rest(&[7, 4, 3, 2, 5, 2, 7, 6]),
            expected => expected,
        };
        let range = (10_000_000..=200_000_000).contains(&digits.number(0, all.len()));
        Some(range && expected == u32::from(check))
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};

    #[test]
    fn australian_numbers() {
        valid(Validator::AuTfn, "123 456 782");
        valid(Validator::AuTfn, "459 599 230");
        valid(Validator::AuTfn, "37 118 629");
        for number in ["999 999 999", "123 456 783", "000 000 000", "1234567"] {
            invalid(Validator::AuTfn, number);
        }
        valid(Validator::AuMedicare, "2123 45670 1");
        valid(Validator::AuMedicare, "2123 45670 1 1");
        valid(Validator::AuMedicare, "2123 45670 1/2");
        for number in ["2123 45671 1", "1123 45679 1", "2123 45670 0", "2123 4567"] {
            invalid(Validator::AuMedicare, number);
        }
    }

    #[test]
    fn new_zealand_numbers() {
        valid(Validator::NzIrd, "49-091-850");
        valid(Validator::NzIrd, "136-410-132");
        for number in ["136410133", "9125568", "999-999-999"] {
            invalid(Validator::NzIrd, number);
        }
    }
}
