//! National identification numbers of Africa.

use super::{digits, is_day};
use crate::scan::validate::digits::{luhn, uniform, verhoeff};
use crate::scan::validate::{Candidate, Check};

/// Department of Home Affairs of South Africa: birth date, order, citizenship 0, 1 or 2, an eighth
/// digit that is 8 or 9 since races are no longer coded, Luhn.
pub fn za_id(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let all = digits.as_slice();
    let born = is_day(digits.number(0, 2), digits.number(2, 4), digits.number(4, 6));
    let form = digits.number(10, 11) <= 2 && matches!(digits.number(11, 12), 8 | 9);
    Check::of(all.len() == 13 && born && form && luhn(all))
}

/// National Identity Management Commission of Nigeria: eleven digits, Verhoeff.
pub fn ng_nin(candidate: Candidate<'_>) -> Check {
    let Some(digits) = digits(&candidate) else { return Check::Invalid };
    let all = digits.as_slice();
    Check::of(all.len() == 11 && !uniform(all) && verhoeff(all))
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};

    #[test]
    fn african_numbers() {
        valid(Validator::ZaId, "800101 5009 087");
        for number in ["8001015009088", "8013015009087", "8001015009077", "800101500908"] {
            invalid(Validator::ZaId, number);
        }
        valid(Validator::NgNin, "12345678902");
        for number in ["12345678901", "00000000000", "1234567890"] {
            invalid(Validator::NgNin, number);
        }
    }
}
