//! National identification numbers, by continent.

mod africa;
mod america;
mod asia;
mod asia_east;
mod europe;
mod latin;
mod oceania;
mod us_documents;
mod europe_east;
mod europe_north;
mod europe_south;
mod europe_west;

pub use africa::*;
pub use america::*;
pub use asia::*;
pub use asia_east::*;
pub use europe::*;
pub use europe_east::*;
pub use europe_north::*;
pub use europe_south::*;
pub use europe_west::*;
pub use latin::*;
pub use oceania::*;
pub use us_documents::*;

use super::contact::days_in_month;
use super::digits::Digits;
use super::{Candidate, Check, stands_alone};

/// Digits that stand alone, separated by spaces, dashes or dots.
pub(super) fn digits(candidate: &Candidate<'_>) -> Option<Digits> {
    if stands_alone(candidate) { Digits::read(candidate.value(), b" -.") } else { None }
}

/// Whether the groups of digits go on before or behind the value: part of a longer number.
pub(super) fn goes_on(candidate: &Candidate<'_>) -> bool {
    let before = matches!(candidate.before(), [.., b'0'..=b'9', b' ' | b'-']);
    before || matches!(candidate.after(), [b' ' | b'-', b'0'..=b'9', ..])
}

/// A value of exactly `N` letters and digits that stands alone, in capitals and without separators.
fn signs<const N: usize>(candidate: &Candidate<'_>, separators: &[u8]) -> Option<[u8; N]> {
    let mut signs = [0u8; N];
    let mut len = 0;
    for byte in candidate.value().iter().filter(|byte| !separators.contains(byte)) {
        *signs.get_mut(len)? = byte.to_ascii_uppercase();
        len += 1;
    }
    (len == N && signs.iter().all(u8::is_ascii_alphanumeric) && stands_alone(candidate))
        .then_some(signs)
}

/// A check whose steps may find nothing to read.
fn holds(test: impl FnOnce() -> Option<bool>) -> Check {
    Check::of(test().unwrap_or_default())
}

/// Whether month and day are in the calendar where the year has two digits and no century.
fn is_day(year: u64, month: u64, day: u64) -> bool {
    (1..=days_in_month(2000 + year, month)).contains(&day)
}
