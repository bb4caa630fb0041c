//! Entries of the ledger's own kinds: `recovered`, `key_rotate`, `anchor`, `retain`.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};

/// An entry with the fields that all have, and some more.
pub fn build(sequence: u64, kind: &str, more: &[(&str, Value)]) -> Vec<u8> {
    let monotonic = clock_gettime(ClockId::Monotonic);
    let nanoseconds = i128::from(monotonic.tv_sec) * 1_000_000_000 + i128::from(monotonic.tv_nsec);
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let mut entry = Map::new();
    entry.insert("v".to_owned(), 1.into());
    entry.insert("sequence".to_owned(), sequence.into());
    entry.insert("kind".to_owned(), kind.into());
    let time = json!({
        "wall": wall(SystemTime::now()),
        "monotonic": u64::try_from(nanoseconds).unwrap_or_default(),
        "boot": boot.trim(),
    });
    entry.insert("time".to_owned(), time);
    for (name, value) in more {
        entry.insert((*name).to_owned(), value.clone());
    }
    Value::Object(entry).to_string().into_bytes()
}

/// RFC 3339 in UTC with nanoseconds.
fn wall(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Days since 1 March of the year 0 in eras of 400 years, as the calendar repeats itself.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let nanoseconds = since.subsec_nanos();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000000005Z"),
            (951_782_400, "2000-02-29T00:00:00.000000005Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000000005Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000005Z"),
        ] {
            assert_eq!(wall(UNIX_EPOCH + Duration::new(seconds, 5)), expected);
        }
    }
}
