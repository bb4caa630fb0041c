//! Telephone numbers: international, national and behind a label.

mod plans;

use self::plans::{LONG_CODES, PLANS, Plan, SHORT_CODES};
use super::dates::date;
use super::digits::{Digits, uniform};
use super::{Candidate, Check, stands_alone};

/// Separators inside a number; the last two bytes are a no-break space.
const SEPARATORS: &[u8] = b" -./()\xc2\xa0";

/// With `+`, `00` or `011`: a country code and a number of that country's plan, or of E.164 length
/// where the plan is not known here. With a leading zero: a national number of one of the plans that
/// dial one. Else a North American number. Numbers that a regulator reserved for fiction are published.
pub(super) fn phone(candidate: Candidate<'_>) -> Check {
    dialled(candidate, with_trunk)
}

/// As `phone`, and a number of any plan as it is dialled at home.
pub(super) fn national_phone(candidate: Candidate<'_>) -> Check {
    let at_home = |plan: &Plan, all: &[u8]| (!plan.trunk || plan.bare) && plan.has(all);
    dialled(candidate, |all| with_trunk(all) || PLANS.iter().any(|plan| at_home(plan, all)))
}

fn with_trunk(all: &[u8]) -> bool {
    match all {
        [0, rest @ ..] => PLANS.iter().any(|plan| plan.trunk && plan.has(rest) || plan.has(all)),
        [1, national @ ..] if national.len() == 10 => north_american(national),
        national => north_american(national),
    }
}

/// Whether the value is the rest of a number that began before it, which says nothing by itself.
fn is_rest(candidate: &Candidate<'_>) -> bool {
    matches!(
        candidate.before(),
        [.., b'0'..=b'9', b' ' | b'-' | b'.' | b'/' | b')'] | [.., b'0'..=b'9', b')', b' ']
    )
}

fn dialled(candidate: Candidate<'_>, at_home: impl Fn(&[u8]) -> bool) -> Check {
    if is_rest(&candidate) {
        return Check::Invalid;
    }
    let value = without_extension(candidate.value());
    let plus = value.starts_with(b"+");
    let Some(digits) = Digits::read(value.strip_prefix(b"+").unwrap_or(value), SEPARATORS) else {
        return Check::Invalid;
    };
    let all = digits.as_slice();
    let decimal = !plus && value.len() == all.len() + 1 && value.contains(&b'.');
    if uniform(all) || decimal || !alone(&candidate) {
        return Check::Invalid;
    }
    let abroad = all.strip_prefix(&[0, 0]).or(all.strip_prefix(&[0, 1, 1]));
    let valid = match (plus, abroad) {
        (true, _) => international(all),
        (false, Some(abroad)) => international(abroad),
        (false, None) => at_home(all),
    };
    let valid = valid && (plus || date(candidate) != Check::Valid);
    Check::of(valid).published_if(reserved_for_fiction(all))
}

/// 6 to 15 digits before an extension (`x123`), no date, no decimal number, not one repeated digit:
/// behind a label, where old, local and mistyped numbers stand too, no numbering plan is asked. Six
/// digits need a separator between them.
pub(super) fn labelled_phone(candidate: Candidate<'_>) -> Check {
    let number = without_extension(candidate.value());
    let Some(digits) = Digits::read(number.strip_prefix(b"+").unwrap_or(number), SEPARATORS) else {
        return Check::Invalid;
    };
    let all = digits.as_slice();
    let least = if number.len() > all.len() { 6 } else { 7 };
    let decimal = number.len() == all.len() + 1 && number.contains(&b'.');
    let valid = (least..=15).contains(&all.len())
        && !uniform(all)
        && !decimal
        && !is_rest(&candidate)
        && alone(&candidate)
        // No date has more digits.
        && (all.len() > 8 || date(candidate) != Check::Valid);
    Check::of(valid).published_if(reserved_for_fiction(all))
}

/// As `labelled_phone`; the value holds one sign between label and number, before or behind it.
pub(super) fn fax(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let before = value.first().is_some_and(|byte| b" :=#|>*\t\r\n-".contains(byte));
    let behind = value.last().is_some_and(|byte| b" ,-".contains(byte));
    let number = Candidate {
        start: candidate.start + usize::from(before),
        end: candidate.end - usize::from(behind && value.len() > 1),
        ..candidate
    };
    labelled_phone(number)
}

/// The number before an extension: `x12`, `ext. 12`, `#12`, `Durchwahl 12`.
fn without_extension(value: &[u8]) -> &[u8] {
    let end = value
        .iter()
        .position(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'#' | b',' | b';'));
    value.get(..end.unwrap_or(value.len())).unwrap_or_default().trim_ascii_end()
}

/// As `stands_alone`, but a word may follow behind `-`, as in `555-1234-Fax`, and a decimal comma
/// behind points, a currency or a percent sign behind the number makes it an amount.
fn alone(candidate: &Candidate<'_>) -> bool {
    let points = candidate.value().contains(&b'.')
        && candidate.value().iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let amount = points && matches!(candidate.after(), [b',', next, ..] if next.is_ascii_digit())
        || matches!(candidate.after(), [b'%' | b'$', ..] | [b' ', b'%' | b'$', ..])
        || candidate.after().starts_with("€".as_bytes())
        || candidate.after().starts_with(" €".as_bytes())
        || matches!(candidate.before(), [.., b'$'])
        || candidate.before().ends_with("€".as_bytes())
        || candidate.before().ends_with("£".as_bytes());
    stands_alone(candidate) && !amount
}

/// The digits behind `+` are a number of their country's plan.
fn international(all: &[u8]) -> bool {
    let number = |length: usize| super::digits::number(all.get(..length).unwrap_or_default());
    let (one, two, three) = (number(1), number(2), number(3));
    let code = if SHORT_CODES.contains(&one) {
        1
    } else if SHORT_CODES.contains(&two) {
        2
    } else if LONG_CODES.iter().any(|(low, high)| (*low..=*high).contains(&three)) {
        3
    } else {
        return false;
    };
    let national = all.get(code..).unwrap_or_default();
    if one == 1 {
        return north_american(national);
    }
    match PLANS.iter().find(|plan| u64::from(plan.code) == number(code)) {
        // The trunk prefix in `+44 (0)20` belongs to calls at home.
        Some(plan) => {
            let inner = national.strip_prefix(&[0]).filter(|_| plan.trunk);
            plan.has(inner.unwrap_or(national))
        }
        None => (8..=15).contains(&all.len()) && national.len() >= 5,
    }
}

impl Plan {
    /// Whether the plan has a number with these digits, without country code and trunk prefix.
    fn has(&self, national: &[u8]) -> bool {
        self.ranges.iter().any(|(start, least, most)| {
            (usize::from(*least)..=usize::from(*most)).contains(&national.len())
                && start.len() <= national.len()
                && start.bytes().zip(national).all(|(byte, digit)| byte == b'0' + digit)
        })
    }
}

/// NANPA 555-0100 to 555-0199; Ofcom 020 7946 0xxx and 07700 900xxx, with or without country code.
fn reserved_for_fiction(digits: &[u8]) -> bool {
    let british = digits.strip_prefix(&[4, 4]).or(digits.strip_prefix(&[0])).unwrap_or_default();
    let american = digits.strip_prefix(&[1]).unwrap_or(digits);
    british.starts_with(&[2, 0, 7, 9, 4, 6, 0])
        || british.starts_with(&[7, 7, 0, 0, 9, 0, 0])
        || american.len() == 10
            && american.get(3..).is_some_and(|l| l.starts_with(&[5, 5, 5, 0, 1]))
}

/// NANP: area code and exchange code begin with 2 to 9 and do not end in 11; no area code has a
/// middle 9.
fn north_american(national: &[u8]) -> bool {
    let &[a1, a2, a3, e1, e2, e3, ref line @ ..] = national else { return false };
    line.len() == 4
        && a1 >= 2
        && a2 != 9
        && e1 >= 2
        && (a2, a3) != (1, 1)
        && (e2, e3) != (1, 1)
        && !uniform(national.get(3..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn telephone_numbers() {
        for number in [
            "+49 30 901820",
            "+442071838750",
            "(212) 736-3100",
            "1-800-356-9377",
            "+1 415 867 5309",
            "030 901820",
            "01 42 92 81 00",
        ] {
            valid(Validator::Phone, number);
        }
        for number in [
            "(212) 555-0147",
            "+1 212 555 0147",
            "+44 20 7946 0018",
            "020 7946 0018",
            "+447700900545",
        ] {
            published(Validator::Phone, number);
        }
        for number in [
            "123-456-7890",
            "(211) 736-3100",
            "212-911-3100",
            "295-736-3100",
            "+1 123 456 7890",
            "+999 123 4567",
            "+49 3",
            "00 00 00 00 00",
        ] {
            invalid(Validator::Phone, number);
        }
    }

    #[test]
    fn numbers_as_they_are_dialled_at_home() {
        for number in [
            "612 345 678",
            "22 12 34 56",
            "(11) 91234-5678",
            "98765 43210",
            "0412 345 678",
            "06-12345678",
            "0171 2345678",
            "02 1234567",
            "001-212-736-3100",
            "00 44 20 7183 8750",
        ] {
            valid(Validator::NationalPhone, number);
        }
        for number in ["123 456", "1234 567", "12.03.1987", "1234567.89"] {
            invalid(Validator::NationalPhone, number);
        }
    }

    #[test]
    fn telephone_numbers_behind_a_label() {
        for number in ["60-56-85-91", "467 3395", "345-899-3560x4587", "(99) 645-791", "1234567"] {
            valid(Validator::LabelledPhone, number);
        }
        published(Validator::LabelledPhone, "212-555-0147x12");
        for number in
            ["12.03.1987", "0000000", "123456", "12345.678", "1234567890123456", "1987-03-12"]
        {
            invalid(Validator::LabelledPhone, number);
        }
    }
}
