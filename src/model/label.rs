//! What a payload holds, in counts.

use std::collections::{BTreeMap, BTreeSet};

use super::{CategoryIndex, Coverage, Likelihood, Sensitivity};

/// Number of different values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unique {
    /// Exactly this many.
    Exact(u32),
    /// This many or more.
    AtLeast(u32),
}

/// Findings of one category at band likely and up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CategoryCount {
    /// Number of findings.
    pub count: u64,
    /// Number of different values among them.
    pub unique: Unique,
    /// Highest likelihood among them.
    pub max_likelihood: Likelihood,
}

/// Categories with counts, sensitivity and coverage of one payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Findings of band likely and up: these decide.
    pub categories: BTreeMap<CategoryIndex, CategoryCount>,
    /// Findings of band possible: counted, and decide nothing unless a policy names them.
    pub possible: BTreeMap<CategoryIndex, u64>,
    /// Highest sensitivity among `categories`; public where there is none.
    pub sensitivity: Sensitivity,
    /// How much was inspected.
    pub coverage: Coverage,
    /// Categories that the payload carries from where it came from, found in it or not.
    pub lineage: BTreeSet<CategoryIndex>,
}
