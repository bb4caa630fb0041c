//! Days of the calendar.

use std::fmt;

/// A day, in UTC: `2027-02-26`. Years 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

const DAYS_OF_400_YEARS: u32 = 146_097;
/// Days from 1 March of the year 0 to 1 January 1970.
const BEFORE_1970: u32 = 719_468;
/// 9999-12-31.
const LAST: u32 = 2_932_896;

impl Day {
    /// The day of a time in seconds since 1970.
    pub fn of_seconds(seconds: u64) -> Day {
        Day(u32::try_from(seconds / 86_400).unwrap_or(u32::MAX).min(LAST))
    }

    /// So many days later, at most the last day of the year 9999.
    pub fn after(self, days: u32) -> Day {
        Day(self.0.saturating_add(days).min(LAST))
    }

    /// Reads `YYYY-MM-DD`; none where that is no day of these years.
    pub fn parse(text: &str) -> Option<Day> {
        let bytes: &[u8; 10] = text.as_bytes().try_into().ok()?;
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return None };
        let number = |digits: &[u8]| {
            digits.iter().try_fold(0_u32, |sum, digit| {
                digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0'))
            })
        };
        let (year, month) = (number(&[*y1, *y2, *y3, *y4])?, number(&[*m1, *m2])?);
        let day = number(&[*d1, *d2])?;
        if year < 1970 || !(1..=12).contains(&month) || day < 1 {
            return None;
        }
        // Years that begin in March have their leap day at the end (Hinnant, "chrono-compatible
        // low-level date algorithms", days_from_civil).
        let shifted = if month <= 2 { year - 1 } else { year };
        let of_era = shifted % 400;
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let days = shifted / 400 * DAYS_OF_400_YEARS + of_era * 365 + of_era / 4 - of_era / 100;
        let day = Day((days + of_year).checked_sub(BEFORE_1970)?);
        // A day that does not exist is written as another one.
        (day.to_string() == text).then_some(day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0 + BEFORE_1970;
        let (era, of_era) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + era * 400 + u32::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_as_they_are_read() {
        let mut before = None;
        for days in 0..=LAST {
            let day = Day(days);
            assert_eq!(Day::parse(&day.to_string()), Some(day), "{days}");
            assert!(before < Some(day));
            before = Some(day);
        }
        assert_eq!(Day::of_seconds(0).to_string(), "1970-01-01");
        assert_eq!(Day::of_seconds(1_795_000_000).to_string(), "2026-11-18");
        assert_eq!(Day::of_seconds(u64::MAX).to_string(), "9999-12-31");
        assert_eq!(Day::of_seconds(951_782_400).after(1).to_string(), "2000-03-01");
    }

    #[test]
    fn what_is_no_day_is_none() {
        let texts =
            ["", "2027-02-29", "2027-13-01", "2027-00-10", "2027-1-1", "1969-12-31", "2027-01-32"];
        for text in texts.into_iter().chain(["2027-01-1é", "+027-01-01", "2027-01-00"]) {
            assert_eq!(Day::parse(text), None, "{text}");
        }
        assert!(Day::parse("2028-02-29").is_some());
    }
}
