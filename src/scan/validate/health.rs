//! Health identifiers and messages.

use super::digits::{Digits, luhn, uniform};
use super::{Candidate, Check, Verdict, stands_alone};

/// CMS, Understanding the MBI format: each of the eleven places has its alphabet; the letters
/// S, L, O, I, B and Z are not used. The number on the CMS sample card is published.
pub(super) fn us_mbi(candidate: Candidate<'_>) -> Check {
    let letter = |byte: u8| byte.is_ascii_uppercase() && !b"SLOIBZ".contains(&byte);
    let mut compact = [0u8; 11];
    let mut len = 0;
    for byte in candidate.value().iter().filter(|byte| !b"- ".contains(byte)) {
        let Some(place) = compact.get_mut(len) else { return Check::Invalid };
        *place = byte.to_ascii_uppercase();
        len += 1;
    }
    // C: 1 to 9, N: digit, A: letter, B: either.
    let fits = compact.iter().zip(b"CABNABNAANN").all(|(byte, kind)| match kind {
        b'C' => (b'1'..=b'9').contains(byte),
        b'N' => byte.is_ascii_digit(),
        b'A' => letter(*byte),
        _ => letter(*byte) || byte.is_ascii_digit(),
    });
    let sample = matches!(&compact, b"1EG4TE5MK73" | b"1EG4TE5MK72");
    Check::of(len == 11 && fits && stands_alone(&candidate)).published_if(sample)
}

/// 45 CFR 162.406: ten digits that begin with 1 or 2, Luhn over 80840 and the number.
pub(super) fn us_npi(candidate: Candidate<'_>) -> Check {
    let Some(digits) = Digits::read(candidate.value(), b"") else { return Check::Invalid };
    let &[first @ (1 | 2), ref rest @ ..] = digits.as_slice() else { return Check::Invalid };
    let mut whole = [8, 0, 8, 4, 0, first, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let Some(tail) = whole.get_mut(6..) else { return Check::Invalid };
    if rest.len() != tail.len() {
        return Check::Invalid;
    }
    tail.copy_from_slice(rest);
    Check::of(luhn(&whole) && stands_alone(&candidate))
}

/// 21 CFR 1301.13 and the DEA Diversion Control Division's description of the number: two letters,
/// the first a registrant type, six digits and a check digit: the first, third and fifth digit plus
/// twice the second, fourth and sixth end with it.
pub(super) fn us_dea(candidate: Candidate<'_>) -> Check {
    let Some((letters, number)) = candidate.value().split_at_checked(2) else {
        return Check::Invalid;
    };
    let Some(digits) = Digits::read(number, b"") else { return Check::Invalid };
    let &[a, b, c, d, e, f, check] = digits.as_slice() else { return Check::Invalid };
    let registrant = letters.first().is_some_and(|letter| b"ABCDEFGHJKLMPRSTUX".contains(letter));
    let name = letters.last().is_some_and(|last| last.is_ascii_uppercase() || *last == b'9');
    let sum = a + c + e + 2 * (b + d + f);
    let sound = sum % 10 == check && !uniform(digits.as_slice());
    Check::of(registrant && name && sound && stands_alone(&candidate))
}

/// NHS Data Model and Dictionary, NHS NUMBER: ten digits, weights 10 to 2, mod 11, where a check
/// digit of 10 is not issued. Numbers from 999 are for tests.
pub(super) fn uk_nhs(candidate: Candidate<'_>) -> Check {
    let Some(digits) = Digits::read(candidate.value(), b" -.") else { return Check::Invalid };
    let Some((check, body)) = digits.as_slice().split_last() else { return Check::Invalid };
    let sum: u32 = body.iter().zip((2..=10).rev()).map(|(digit, w)| u32::from(*digit) * w).sum();
    let sound = body.len() == 9 && (11 - sum % 11) % 11 == u32::from(*check);
    Check::of(sound && !uniform(digits.as_slice()) && stands_alone(&candidate))
        .published_if(digits.number(0, 3) == 999)
}

/// SGB V section 290, GKV-Spitzenverband directive on the KVNR: a letter, written as two digits
/// by its place in the alphabet, eight digits and a check digit; weights 1 and 2 in turn, sum of
/// the digits of the products, mod 10.
pub(super) fn de_kvnr(candidate: Candidate<'_>) -> Check {
    let Some((letter, number)) = candidate.value().split_first() else { return Check::Invalid };
    let Some(digits) = Digits::read(number, b" ") else { return Check::Invalid };
    let &[ref body @ .., check] = digits.as_slice() else { return Check::Invalid };
    if !letter.is_ascii_uppercase() || body.len() != 8 {
        return Check::Invalid;
    }
    let place = letter - b'A' + 1;
    let sum: u8 = [place / 10, place % 10]
        .iter()
        .chain(body)
        .zip([1, 2].iter().cycle())
        .map(|(digit, weight)| digit * weight / 10 + digit * weight % 10)
        .sum();
    Check::of(sum % 10 == check && !uniform(digits.as_slice()) && stands_alone(&candidate))
}

/// At least four letters and digits with a digit among them, no date, not one repeated digit.
pub(super) fn labelled_id(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let signs = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    let mut digits = value.iter().filter(|byte| byte.is_ascii_digit());
    let first = digits.next();
    let repeated = digits.clone().count() + 1 == signs && digits.all(|byte| Some(byte) == first);
    let date = super::contact::date(candidate) == Check::Valid
        && value.iter().any(|byte| matches!(byte, b'-' | b'/' | b'.'));
    Check::of(signs >= 4 && first.is_some() && !repeated && !date && stands_alone(&candidate))
}

/// HL7 version 2.5.1, chapter 2: segments of three letters or digits and `|`, each ended by CR (LF is
/// tolerated), from MSH to a PID segment. Reading stops at a line that is no segment and at the
/// next header.
pub(super) fn hl7(candidate: Candidate<'_>) -> Verdict {
    const FARTHEST: usize = 4096;
    let limit = candidate.limit.min(candidate.text.len()).min(candidate.start + FARTHEST);
    let Some(window) = candidate.text.get(candidate.start..limit) else { return Verdict::Invalid };
    // What lies behind the next header is read with that one: each byte once, however many headers.
    let next = memchr::memmem::find(window.get(1..).unwrap_or_default(), b"MSH|");
    let message = window.get(..next.map_or(window.len(), |at| at + 1)).unwrap_or_default();
    let mut offset = candidate.start;
    for (count, segment) in
        message.split_inclusive(|byte| matches!(byte, b'\r' | b'\n')).enumerate()
    {
        let line = segment.trim_ascii_end();
        let named = match line {
            [a, b, c, b'|', ..] => {
                a.is_ascii_uppercase()
                    && [b, c].iter().all(|l| l.is_ascii_uppercase() || l.is_ascii_digit())
            }
            // The LF of CR LF.
            [] => count > 0,
            _ => false,
        };
        let header_inside =
            next.is_some() && !segment.ends_with(b"\r") && !segment.ends_with(b"\n");
        if !named || header_inside || line.starts_with(b"MSH") && count > 0 {
            return Verdict::Invalid;
        }
        if line.starts_with(b"PID|") {
            // A patient segment that holds nothing but its name is a template.
            let filled = line.iter().filter(|byte| byte.is_ascii_alphanumeric()).count() > 8;
            return Check::of(filled).ending_at(offset + line.len());
        }
        offset += segment.len();
    }
    Verdict::Invalid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Validator;
    use crate::scan::validate::check;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn identifiers() {
        valid(Validator::UsMbi, "3TQ5-HM7-WF42");
        valid(Validator::UsMbi, "3TQ5HM7WF42");
        published(Validator::UsMbi, "1EG4-TE5-MK73");
        for number in ["0TQ5HM7WF42", "3SQ5HM7WF42", "3TQ5HM7WF4", "3TQ55M7WF42"] {
            invalid(Validator::UsMbi, number);
        }
        valid(Validator::UsNpi, "1234567893");
        for number in ["1234567890", "3234567893", "123456789"] {
            invalid(Validator::UsNpi, number);
        }
        valid(Validator::UsDea, "AB1234563");
        valid(Validator::UsDea, "F91234563");
        for number in ["AB1234564", "IB1234563", "AB123456", "AB0000000"] {
            invalid(Validator::UsDea, number);
        }
        valid(Validator::UkNhs, "943 476 5919");
        published(Validator::UkNhs, "999 000 0018");
        for number in ["943 476 5918", "0000000000", "987654321"] {
            invalid(Validator::UkNhs, number);
        }
        valid(Validator::DeKvnr, "A123456780");
        valid(Validator::DeKvnr, "M123456785");
        for number in ["A123456781", "a123456780", "A12345678"] {
            invalid(Validator::DeKvnr, number);
        }
        valid(Validator::LabelledId, "MX-448812");
        for number in ["0000000", "pending", "1987-03-12", "A12"] {
            invalid(Validator::LabelledId, number);
        }
    }

    #[test]
    fn a_message_ends_with_its_patient_segment() {
        let text = b"MSH|^~\\&|LAB|HOSP|||20300101||ADT^A01|1|P|2.5\rEVN|A01|20300101\r\
            PID|1||448812^^^HOSP^MR||DOE^JANE||19870312|F\rPV1|1|I\r";
        let end = text.windows(4).position(|bytes| bytes == b"\rPV1").unwrap();
        let candidate = Candidate { text, start: 0, end: 8, limit: text.len() };
        assert_eq!(check(Validator::Hl7, candidate), Verdict::Valid { end, published: false });
        let cut = Candidate { limit: 60, ..candidate };
        assert_eq!(check(Validator::Hl7, cut), Verdict::Invalid);
    }

    /// The same without looking ahead for the next header.
    fn naive(text: &[u8]) -> Verdict {
        let mut offset = 0;
        for (count, segment) in text.split_inclusive(|b| matches!(b, b'\r' | b'\n')).enumerate() {
            let line = segment.trim_ascii_end();
            let letter = |b: &u8| b.is_ascii_uppercase();
            let named = line.len() > 3
                && letter(&line[0])
                && line[1..3].iter().all(|b| letter(b) || b.is_ascii_digit())
                && line[3] == b'|'
                || line.is_empty() && count > 0;
            let again = line.get(1..).unwrap_or_default().windows(4).any(|four| four == b"MSH|");
            if !named || again || line.starts_with(b"MSH") && count > 0 {
                return Verdict::Invalid;
            }
            if line.starts_with(b"PID|") {
                let filled = line.iter().filter(|b| b.is_ascii_alphanumeric()).count() > 8;
                return Check::of(filled).ending_at(offset + line.len());
            }
            offset += segment.len();
        }
        Verdict::Invalid
    }

    proptest::proptest! {
        #[test]
        fn cutting_at_the_next_header_changes_nothing(
            pieces in proptest::collection::vec(
                proptest::sample::select(vec![
                    "MSH|^~", "PID|1||448812^^^HOSP|", "PID|", "EVN|A01|", "\r", "\r", "\n", " ", "x", "DOE^JANE",
                ]),
                0..16,
            )
        ) {
            let text = format!("MSH|^~\\&|{}", pieces.concat());
            let candidate =
                Candidate { text: text.as_bytes(), start: 0, end: 9, limit: text.len() };
            proptest::prop_assert_eq!(hl7(candidate), naive(text.as_bytes()));
        }
    }

    #[test]
    fn a_header_without_a_patient_is_no_message() {
        for text in [
            "MSH|^~\\&|A\rMSH|^~\\&|B\rPID|1||448812^^^HOSP^MR||DOE^JANE\r",
            "MSH|^~\\&|A MSH|^~\\&|B\rPID|1||448812^^^HOSP^MR||DOE^JANE\r",
            "MSH|^~\\&|A\rsome words\rPID|1||448812^^^HOSP^MR||DOE^JANE\r",
            "MSH|^~\\&|A\rPID|1||||\r",
        ] {
            let text = text.as_bytes();
            let candidate = Candidate { text, start: 0, end: 8, limit: text.len() };
            assert_eq!(check(Validator::Hl7, candidate), Verdict::Invalid);
        }
    }
}
