//! Payment cards: number, magnetic stripe tracks.

use super::digits::{Digits, luhn, uniform};
use super::{Candidate, Check, stands_alone};

/// Issuer prefixes as ranges over `digits` leading digits, with the lengths of their numbers
/// (ISO/IEC 7812-1 issuer ranges as the schemes publish them).
const ISSUERS: &[(u32, u64, u64, std::ops::RangeInclusive<usize>)] = &[
    (1, 4, 4, 13..=13),           // Visa, retired length
    (1, 4, 4, 16..=16),           // Visa
    (1, 4, 4, 19..=19),           // Visa
    (2, 51, 55, 16..=16),         // Mastercard
    (4, 2221, 2720, 16..=16),     // Mastercard, second range
    (2, 34, 34, 15..=15),         // American Express
    (2, 37, 37, 15..=15),         // American Express
    (4, 6011, 6011, 16..=19),     // Discover
    (3, 644, 649, 16..=19),       // Discover
    (2, 65, 65, 16..=19),         // Discover, RuPay, Troy, Verve
    (3, 300, 305, 14..=19),       // Diners Club
    (4, 3095, 3095, 14..=19),     // Diners Club
    (2, 36, 36, 14..=19),         // Diners Club
    (2, 38, 39, 14..=19),         // Diners Club
    (4, 3528, 3589, 16..=19),     // JCB
    (4, 1800, 1800, 15..=15),     // JCB, before 1990
    (4, 2131, 2131, 15..=15),     // JCB, before 1990
    (2, 62, 62, 16..=19),         // UnionPay
    (2, 81, 82, 16..=16),         // RuPay, UnionPay
    (2, 60, 60, 16..=16),         // RuPay, Hipercard
    (3, 508, 508, 16..=16),       // RuPay
    (3, 353, 353, 16..=16),       // RuPay
    (3, 356, 356, 16..=16),       // RuPay
    (4, 2200, 2204, 16..=19),     // Mir
    (4, 9792, 9792, 16..=16),     // Troy
    (6, 506099, 506198, 16..=19), // Verve
    (6, 507865, 507964, 16..=19), // Verve
    (4, 5018, 5018, 12..=19),     // Maestro
    (4, 5020, 5020, 12..=19),     // Maestro
    (4, 5038, 5038, 12..=19),     // Maestro
    (4, 5893, 5893, 12..=19),     // Maestro
    (4, 6304, 6304, 12..=19),     // Maestro
    (4, 6759, 6759, 12..=19),     // Maestro
    (4, 6761, 6763, 12..=19),     // Maestro
];

/// A card number that stands alone: no digit group joins it on either side.
pub(super) fn payment_card(candidate: Candidate<'_>) -> Check {
    Check::of(stands_alone(&candidate) && number(candidate.value()))
}

/// `%B` number `^` name `^` YYMM service code, discretionary data `?`.
pub(super) fn track1(value: &[u8]) -> Check {
    let mut fields = value.splitn(3, |byte| *byte == b'^');
    let (Some(first), Some(name), Some(rest)) = (fields.next(), fields.next(), fields.next())
    else {
        return Check::Invalid;
    };
    let pan = first.strip_prefix(b"%").unwrap_or(first);
    let Some(pan) = pan.strip_prefix(b"B").or_else(|| pan.strip_prefix(b"b")) else {
        return Check::Invalid;
    };
    let named = (2..=26).contains(&name.len())
        && name.iter().any(u8::is_ascii_alphabetic)
        && name.iter().all(|byte| (b' '..=b'_').contains(byte) || byte.is_ascii_lowercase());
    Check::of(number(pan) && named && expiry(rest))
}

/// Number, `=` or `D`, YYMM, service code, discretionary data.
pub(super) fn track2(value: &[u8]) -> Check {
    let value = value.strip_prefix(b";").unwrap_or(value);
    let mut fields = value.splitn(2, |byte| matches!(byte, b'=' | b'D' | b'd'));
    let (Some(pan), Some(rest)) = (fields.next(), fields.next()) else { return Check::Invalid };
    Check::of(number(pan) && expiry(rest))
}

/// Length, issuer prefix and Luhn.
fn number(value: &[u8]) -> bool {
    Digits::read(value, b" -").is_some_and(|digits| {
        let all = digits.as_slice();
        let issued = ISSUERS.iter().any(|(leading, low, high, lengths)| {
            let prefix = digits.number(0, *leading as usize);
            lengths.contains(&all.len()) && (*low..=*high).contains(&prefix)
        });
        issued && luhn(all) && !all.split_last().is_some_and(|(_, body)| uniform(body))
    })
}

/// Four digits of year and month and three of service code; the month exists.
fn expiry(rest: &[u8]) -> bool {
    rest.get(..7)
        .and_then(|head| Digits::read(head, b""))
        .is_some_and(|digits| (1..=12).contains(&digits.number(2, 4)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};

    #[test]
    fn published_test_numbers_of_each_scheme() {
        for number in [
            "4111 1111 1111 1111",
            "4242-4242-4242-4242",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "6011000990139424",
            "3530111333300000",
            "30569309025904",
            "6200000000000005",
            "6759649826438453",
        ] {
            valid(Validator::PaymentCard, number);
        }
        invalid(Validator::PaymentCard, "4111111111111112");
        invalid(Validator::PaymentCard, "7992739871300000");
        invalid(Validator::PaymentCard, "378282246310005 0");
    }

    #[test]
    fn a_number_inside_a_longer_one_is_none() {
        for (before, after) in [("0.", ""), ("12-", ""), ("", "-12"), ("", ".5"), ("x", "")] {
            let text = format!("{before}4111111111111111{after}");
            let candidate = Candidate {
                text: text.as_bytes(),
                start: before.len(),
                end: before.len() + 16,
                limit: text.len(),
            };
            assert!(!matches!(payment_card(candidate), Check::Valid), "{text}");
        }
    }

    #[test]
    fn tracks_hold_a_card_number_and_a_month() {
        valid(Validator::Track1, "%B4111111111111111^DOE/JANE^30121010000000000?");
        invalid(Validator::Track1, "%B4111111111111111^DOE/JANE^30131010000000000?");
        invalid(Validator::Track1, "%B4111111111111112^DOE/JANE^30121010000000000?");
        valid(Validator::Track2, ";5555555555554444=30121010000000000?");
        valid(Validator::Track2, "5555555555554444D30121010000000000F");
        invalid(Validator::Track2, ";5555555555554444=30001010000000000?");
        invalid(Validator::Track2, ";5555555555554443=30121010000000000?");
    }
}
