//! What a reviewer would want to know of a rule that loads.

use super::Rule;
use super::pack::{RawCombination, RawRule};
use super::reader::Reporter;

/// Looks at one rule after the other.
#[derive(Default)]
pub(super) struct Linter {}

impl Linter {
    pub fn rule(&mut self, _raw: &RawRule, _rule: Option<&Rule>, _reporter: &mut Reporter<'_>) {}

    pub fn combination(&mut self, _raw: &RawCombination, _reporter: &mut Reporter<'_>) {}
}
