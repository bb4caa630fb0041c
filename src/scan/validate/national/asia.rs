//! National identification numbers of Asia, Africa and Oceania.

use super::{digits, goes_on};
use crate::scan::validate::digits::{palindrome, verhoeff};
use crate::scan::validate::{Candidate, Check};

/// UIDAI: twelve digits, the first 2 to 9, no palindrome, Verhoeff.
pub fn in_aadhaar(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let all = digits.as_slice();
    let is_number = all.len() == 12 && digits.number(0, 1) >= 2 && !palindrome(all);
    Check::of(is_number && !goes_on(&candidate) && verhoeff(all))
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
    }
}
