//! Machine-readable zones of travel documents.

use super::Check;

/// A field of a line and the place of its check digit.
type Field = (usize, usize, usize);

/// Weights of ICAO Doc 9303 part 3, section 4.9.
const WEIGHTS: [u32; 3] = [7, 3, 1];

/// ICAO Doc 9303 parts 4 to 6: the lines of a TD1, TD2 or TD3 document or of a visa (part 7), or the
/// line of a TD2 or TD3 document that holds the numbers; each check digit and the composite one.
pub(super) fn mrz(value: &[u8]) -> Check {
    // Lines are split by line ends, spaces or the `\n` of a JSON string.
    let lines = || {
        value
            .split(|byte| !(byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'<'))
            .filter(|line| line.len() >= 30)
    };
    let mut each = lines();
    let valid = match (each.next(), each.next(), each.next()) {
        (Some(one), Some(two), Some(three)) if one.len() == 30 => {
            two.len() == 30 && three.len() == 30 && td1(one, two)
        }
        (Some(one), Some(two), None) if one.len() == two.len() => {
            names(one) && numbers(two, one.starts_with(b"V"))
        }
        (Some(two), None, None) => numbers(two, false),
        _ => false,
    };
    let specimen = lines().any(|line| line.windows(3).any(|code| code == b"UTO"));
    Check::of(valid).published_if(specimen)
}

/// The line of the names holds letters and fillers only.
fn names(line: &[u8]) -> bool {
    line.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'<')
}

fn td1(one: &[u8], two: &[u8]) -> bool {
    let composite = [one.get(5..30), two.get(0..7), two.get(8..15), two.get(18..29)];
    // A document number longer than nine characters goes on in the optional data.
    let number = one.get(14) == Some(&b'<') || checks(one, (5, 14, 14));
    number
        && checks(two, (0, 6, 6))
        && checks(two, (8, 14, 14))
        && dates(two, 0, 8)
        && holds(composite, two.get(29))
}

/// The second line of TD2 and TD3. A visa has no composite check digit.
fn numbers(line: &[u8], visa: bool) -> bool {
    let common = [(0, 9, 9), (13, 19, 19), (21, 27, 27)];
    if !common.iter().all(|field| checks(line, *field)) || !dates(line, 13, 21) {
        return false;
    }
    let tail = match line.len() {
        44 => 43,
        36 => 35,
        _ => return false,
    };
    // The personal number of TD3 may be empty, and its check digit then a filler.
    let personal = tail != 43
        || visa
        || checks(line, (28, 42, 42))
        || line.get(28..43).is_some_and(|field| field.iter().all(|byte| *byte == b'<'));
    let composite = [line.get(0..10), line.get(13..20), line.get(21..tail), Some(b"")];
    personal && (visa || holds(composite, line.get(tail)))
}

/// Month and day of birth exist or are not known; sex stands between the dates.
fn dates(line: &[u8], birth: usize, expiry: usize) -> bool {
    let two = |at: usize| {
        line.get(at..at + 2).and_then(|part| std::str::from_utf8(part).ok()?.parse::<u8>().ok())
    };
    let known = |at: usize| {
        let month = two(at + 2).is_some_and(|month| (1..=12).contains(&month));
        month && two(at + 4).is_some_and(|day| (1..=31).contains(&day))
    };
    let unknown = line.get(birth + 2..birth + 6).is_some_and(|rest| rest.ends_with(b"<<"));
    (known(birth) || unknown)
        && known(expiry)
        && line.get(birth + 7).is_some_and(|sex| b"MFX<".contains(sex))
}

fn checks(line: &[u8], (start, end, check): Field) -> bool {
    holds([line.get(start..end), Some(b""), Some(b""), Some(b"")], line.get(check))
}

/// Whether the check digit is the weighted sum of the parts: digits as they are, A to Z as 10 to 35,
/// fillers as 0.
fn holds(parts: [Option<&[u8]>; 4], check: Option<&u8>) -> bool {
    let Some(parts) = parts.into_iter().collect::<Option<Vec<_>>>() else { return false };
    let mut filled = false;
    let sum: u32 = parts
        .into_iter()
        .flatten()
        .zip(WEIGHTS.into_iter().cycle())
        .map(|(byte, weight)| {
            filled |= *byte != b'<';
            let value = match byte {
                b'0'..=b'9' => u32::from(byte - b'0'),
                b'A'..=b'Z' => u32::from(byte - b'A') + 10,
                _ => 0,
            };
            value * weight
        })
        .sum();
    match check {
        Some(b'<') => !filled,
        Some(digit) => digit.is_ascii_digit() && u32::from(digit - b'0') == sum % 10,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    const SPECIMENS: [&str; 3] = [
        // ICAO Doc 9303, parts 4, 6 and 5
        "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10",
        "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nD231458907UTO7408122F1204159<<<<<<<6",
        "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<",
    ];

    #[test]
    fn zones_of_the_standard_are_specimens() {
        for zone in SPECIMENS {
            published(Validator::Mrz, zone);
            valid(
                Validator::Mrz,
                &zone
                    .replace("\n", "\\n")
                    .replace("<UTO", "<D<<")
                    .replace("7UTO", "7D<<")
                    .replace("6UTO", "6D<<")
                    .replace("9UTO", "9D<<"),
            );
        }
    }

    #[test]
    fn each_check_digit_counts() {
        for (at, zone) in SPECIMENS.iter().enumerate() {
            for (place, byte) in zone.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit())
            {
                let mut wrong = (*zone).to_owned();
                let other = char::from(if byte == b'9' { b'0' } else { byte + 1 });
                wrong.replace_range(place..=place, &other.to_string());
                invalid(Validator::Mrz, &wrong);
                assert!(at < 3);
            }
        }
    }
}
