//! Places on the earth, as precise as a house.

use super::{Candidate, Check, stands_alone};

/// Fewest decimals of a degree that tell a street: the third is some 110 metres.
const DECIMALS: usize = 3;

/// Two decimal numbers, latitude and longitude, each in range and with three decimals or more.
pub(super) fn coordinates(candidate: Candidate<'_>) -> Check {
    let mut numbers = numbers(candidate.value());
    let (Some(latitude), Some(longitude), None) = (numbers.next(), numbers.next(), numbers.next())
    else {
        return Check::Invalid;
    };
    let precise = |number: &str| {
        number.split_once('.').is_some_and(|(_, decimals)| decimals.len() >= DECIMALS)
    };
    let within = |number: &str, limit: f64| {
        number.parse::<f64>().is_ok_and(|degrees| degrees.abs() <= limit && degrees != 0.0)
    };
    let goes_on = matches!(candidate.after(), [b',' | b' ', rest @ ..]
        if rest.trim_ascii_start().first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-')
            && rest.iter().take(12).any(|byte| *byte == b'.'));
    Check::of(
        precise(latitude)
            && precise(longitude)
            && within(latitude, 90.0)
            && within(longitude, 180.0)
            && latitude != longitude
            && !goes_on
            && !list(candidate.before())
            && stands_alone(&candidate),
    )
}

/// Whether another decimal number and a comma stand before: the pair is part of a longer list.
fn list(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let Some(rest) = before.strip_suffix(b",") else { return false };
    let run = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    run >= 1 && rest.get(..rest.len() - run).is_some_and(|head| head.ends_with(b"."))
}

/// One decimal number of degrees within -180 to 180 and with three decimals or more.
pub(super) fn degrees(candidate: Candidate<'_>) -> Check {
    let Some(number) = numbers(candidate.value()).next() else { return Check::Invalid };
    let precise = number.split_once('.').is_some_and(|(_, part)| part.len() >= DECIMALS);
    let within = number.parse::<f64>().is_ok_and(|it| it.abs() <= 180.0 && it != 0.0);
    Check::of(precise && within && stands_alone(&candidate))
}

/// The decimal numbers of a value.
fn numbers(value: &[u8]) -> impl Iterator<Item = &str> {
    value
        .split(|byte| !(byte.is_ascii_digit() || matches!(byte, b'.' | b'-')))
        .filter(|part| part.iter().any(u8::is_ascii_digit))
        .filter_map(|part| std::str::from_utf8(part).ok())
}

/// Degrees, minutes and seconds of latitude and longitude: 0 to 90 and 0 to 180, minutes and seconds
/// below 60.
pub(super) fn degrees_minutes(value: &[u8]) -> Check {
    let mut fields = [0.0f64; 6];
    let mut count = 0;
    let parts = value.split(|byte| !(byte.is_ascii_digit() || *byte == b'.'));
    for part in parts.filter(|part| part.first().is_some_and(u8::is_ascii_digit)) {
        let number = std::str::from_utf8(part).ok().and_then(|part| part.parse().ok());
        let (Some(place), Some(number)) = (fields.get_mut(count), number) else {
            return Check::Invalid;
        };
        *place = number;
        count += 1;
    }
    let below = |minutes: &[f64]| minutes.iter().all(|part| *part < 60.0);
    let valid = match (count, &fields) {
        (6, [north, minutes @ .., _, _, _]) if *north <= 90.0 => {
            let [_, _, _, east, rest @ ..] = &fields;
            below(minutes) && below(rest) && *east <= 180.0
        }
        (4, [north, minutes, east, more, ..]) => {
            *north <= 90.0 && *east <= 180.0 && below(&[*minutes, *more])
        }
        _ => false,
    };
    Check::of(valid)
}

/// Open Location Code (specification 1.0): the alphabet of twenty, `+` behind the eighth sign, the first
/// two within the range of latitude and longitude; two or more signs behind it are a house.
pub(super) fn plus_code(value: &[u8]) -> Check {
    const ALPHABET: &[u8] = b"23456789CFGHJMPQRVWX";
    let place = |byte: &u8| ALPHABET.iter().position(|sign| *sign == byte.to_ascii_uppercase());
    let Some(plus) = value.iter().position(|byte| *byte == b'+') else { return Check::Invalid };
    let (head, tail) = value.split_at_checked(plus).unwrap_or_default();
    let tail = tail.get(1..).unwrap_or_default();
    let first = head.first().and_then(place).is_some_and(|latitude| latitude < 9);
    let second = head.get(1).and_then(place).is_some_and(|longitude| longitude < 18);
    Check::of(
        head.len() == 8
            && (2..=7).contains(&tail.len())
            && first
            && second
            && head.iter().chain(tail).all(|byte| place(byte).is_some()),
    )
}

/// Geohash of seven to twelve signs (about 150 metres and less): its base-32 alphabet without a, i, l, o;
/// a digit and a letter among them.
pub(super) fn geohash(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let signs = value
        .iter()
        .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase() && !b"ailo".contains(byte));
    let mixed = value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_lowercase);
    Check::of((7..=12).contains(&value.len()) && signs && mixed && stands_alone(&candidate))
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};

    #[test]
    fn decimal_degrees() {
        for pair in ["48.8584, 2.2945", "-33.856784,151.215297", "40.6892° N, 74.0445° W"] {
            valid(Validator::Coordinates, pair);
        }
        for pair in ["91.1234, 2.2945", "48.85, 2.29", "48.8584, 181.2945", "1.2345,1.2345"] {
            invalid(Validator::Coordinates, pair);
        }
        valid(Validator::Degrees, "-0.1276");
        invalid(Validator::Degrees, "12.5");
        invalid(Validator::Degrees, "180.5012");
    }

    #[test]
    fn degrees_minutes_and_seconds() {
        valid(Validator::DegreesMinutes, "48°51'29.6\"N 2°17'40.2\"E");
        valid(Validator::DegreesMinutes, "48°51.493'N, 2°17.670'E");
        invalid(Validator::DegreesMinutes, "48°61'29.6\"N 2°17'40.2\"E");
        invalid(Validator::DegreesMinutes, "98°51'29.6\"N 2°17'40.2\"E");
    }

    #[test]
    fn codes_of_places() {
        valid(Validator::PlusCode, "8FW4V75V+8Q");
        invalid(Validator::PlusCode, "8FW4V75V+");
        invalid(Validator::PlusCode, "XFW4V75V+8Q");
        invalid(Validator::PlusCode, "8FW4V7AV+8Q");
        valid(Validator::Geohash, "u09tunq");
        invalid(Validator::Geohash, "u09tun");
        invalid(Validator::Geohash, "u09tuna");
    }
}
