//! Calendar dates in the orders and languages that people write.

use super::contact::one_of;
use super::digits::{Digits, number};
use super::{Candidate, Check, stands_alone};

/// A day that exists, in 1900 to 2100, as year-month-day, day-month-year, month-day-year or with
/// the name of the month; years of two digits belong to the last or this century.
pub(super) fn date(candidate: Candidate<'_>) -> Check {
    Check::of(alone(&candidate) && year(candidate.value(), false).is_some())
}

/// A date of which someone can be born: not after the year 2040, and also eight digits that begin
/// with the day or the month.
pub(super) fn birth_date(candidate: Candidate<'_>) -> Check {
    const LATEST: u64 = 2040;
    let born = year(candidate.value(), true).is_some_and(|year| year <= LATEST);
    Check::of(alone(&candidate) && born)
}

/// Stands alone, or the time of day follows behind `T`.
fn alone(candidate: &Candidate<'_>) -> bool {
    let time = matches!(candidate.after(), [b'T' | b't', a, b, b':', ..]
        if a.is_ascii_digit() && b.is_ascii_digit());
    let end = if time { Some(candidate.end) } else { None };
    stands_alone(&Candidate { limit: end.unwrap_or(candidate.limit), ..*candidate })
}

/// The year of a date that exists. `any_order`: eight digits may begin with the day or the month.
fn year(value: &[u8], any_order: bool) -> Option<u64> {
    let mut fields = [0u64; 3];
    let mut lengths = [0usize; 3];
    let mut found = 0;
    for run in value.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        if let Some(digits) = run.first().filter(|byte| byte.is_ascii_digit()).map(|_| run) {
            let (Some(field), Some(length)) = (fields.get_mut(found), lengths.get_mut(found))
            else {
                return None;
            };
            let values: Option<Digits> = Digits::read(digits, b"");
            *field = values.map_or(0, |digits| number(digits.as_slice()));
            *length = digits.len();
            found += 1;
        }
    }
    let named = month_name(value);
    let (first, second, third) = (fields[0], fields[1], fields[2]);
    let century = |year: u64, length: usize| if length == 2 { 2000 + year } else { year };
    match (found, lengths, named) {
        (1, [8, ..], None) => {
            let (head, middle, tail) = (first / 1_000_000, first / 10_000 % 100, first % 10_000);
            day_exists(first / 10_000, first / 100 % 100, first % 100)
                .or_else(|| day_exists(tail, middle, head).filter(|_| any_order))
                .or_else(|| day_exists(tail, head, middle).filter(|_| any_order))
        }
        (3, [4, 1..=2, 1..=2], None) => day_exists(first, second, third),
        (3, [1..=2, 1..=2, 2 | 4], None) => {
            let year = century(third, lengths[2]);
            let exists = day_exists(year, second, first).or(day_exists(year, first, second));
            exists.map(|year| if lengths[2] == 2 { year - 100 } else { year })
        }
        (2, [1..=2, 2 | 4, 0], Some(month)) => {
            let exists = day_exists(century(second, lengths[1]), month, first);
            exists.map(|year| if lengths[1] == 2 { year - 100 } else { year })
        }
        (2, [4, 1..=2, 0], Some(month)) => day_exists(first, month, second),
        _ => None,
    }
}

fn day_exists(year: u64, month: u64, day: u64) -> Option<u64> {
    let exists = (1..=days_in_month(year, month)).contains(&day);
    Some(year).filter(|year| (1900..=2100).contains(year) && exists)
}

/// Days of a month in the Gregorian calendar; 0 for a month that does not exist.
pub(super) fn days_in_month(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    }
}

/// How the names of the months begin: English, German, French, Spanish, Italian, Portuguese, Dutch,
/// the Scandinavian languages, Polish, Czech, Finnish and Turkish.
const MONTHS: [&str; 12] = [
    "jan jän ene gen sty led tammi ocak",
    "feb fév fev lut úno helmi şub",
    "mar mär maa mrt bře",
    "apr avr abr kwi dub huhti nisan",
    "may mai maj mag mei kvě touko",
    "jun juin giu cze červen červn kesä haz",
    "jul juil lug lip červenec července heinä tem",
    "aug aoû aou ago sie srp elo ağu",
    "sep set wrz zář syys eyl",
    "oct okt ott out paź paz říj loka ekim",
    "nov lis marras kas",
    "dec dez déc dic gru pro joulu ara",
];

/// The month that a word of the value names: of the starts that fit, the longest decides.
fn month_name(value: &[u8]) -> Option<u64> {
    let mut words = value.split(|byte| byte.is_ascii() && !byte.is_ascii_alphabetic());
    let word = words.find(|word| word.len() >= 3 && !one_of("den the del dos", word))?;
    let mut best = None;
    for (month, starts) in (1..=12).zip(MONTHS) {
        for start in starts.split(' ') {
            let begins = word
                .get(..start.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()));
            if begins && best.is_none_or(|(length, _)| start.len() > length) {
                best = Some((start.len(), month));
            }
        }
    }
    best.map(|(_, month)| month)
}

#[cfg(test)]
mod tests {
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, valid};

    #[test]
    fn dates_in_the_orders_that_people_write() {
        for text in [
            "1987-03-12",
            "12/31/1987",
            "31.12.1987",
            "3/4/87",
            "19870312",
            "12 March 1987",
            "Feb 29, 2000",
            "1. Mai 1970",
        ] {
            valid(Validator::Date, text);
        }
        for text in [
            "12 marca 1987",
            "3 settembre 1999",
            "5. joulukuuta 1970",
            "12 Mar 87",
            "7 de março de 2001",
        ] {
            valid(Validator::Date, text);
            valid(Validator::BirthDate, text);
        }
        valid(Validator::BirthDate, "12031987");
        invalid(Validator::BirthDate, "2087-01-01");
        invalid(Validator::Date, "12031987");
        for text in
            ["1987-02-30", "31/31/1987", "1899-12-31", "Feb 29, 1900", "12 Foo 1987", "1987"]
        {
            invalid(Validator::Date, text);
        }
    }
}
