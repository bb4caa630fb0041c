//! National identification numbers, by continent.

mod america;
mod asia;
mod europe;
mod europe_east;
mod europe_north;
mod europe_south;
mod europe_west;

pub use america::*;
pub use asia::*;
pub use europe::*;
pub use europe_east::*;
pub use europe_north::*;
pub use europe_south::*;
pub use europe_west::*;

use super::digits::Digits;
use super::{Candidate, stands_alone};

/// Digits that stand alone, separated by spaces, dashes or dots.
pub(super) fn digits(candidate: &Candidate<'_>) -> Option<Digits> {
    Digits::read(candidate.value(), b" -.").filter(|_| stands_alone(candidate))
}

/// Whether the groups of digits go on before or behind the value: part of a longer number.
pub(super) fn goes_on(candidate: &Candidate<'_>) -> bool {
    let before = matches!(candidate.before(), [.., b'0'..=b'9', b' ' | b'-']);
    before || matches!(candidate.after(), [b' ' | b'-', b'0'..=b'9', ..])
}
