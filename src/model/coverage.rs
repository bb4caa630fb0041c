//! How much of a payload was inspected.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Why a payload was not wholly inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Encrypted, an image, or of a type that cannot be read.
    Opaque,
    /// A stated limit was reached.
    Limit,
    /// Time ran out.
    Deadline,
    /// The content breaks its own format.
    Damaged,
    /// Reading or an inner step failed.
    Error,
    /// The decision could only be block, so reading stopped.
    EarlyBlock,
}

impl Reason {
    /// The word used in records and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Opaque => "opaque",
            Reason::Limit => "limit",
            Reason::Deadline => "deadline",
            Reason::Damaged => "damaged",
            Reason::Error => "error",
            Reason::EarlyBlock => "early_block",
        }
    }
}

/// Complete, or partial with its reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Empty where everything was inspected.
    pub reasons: BTreeSet<Reason>,
}

impl Coverage {
    /// Coverage of a payload that was inspected whole.
    pub fn complete() -> Coverage {
        Coverage::default()
    }

    /// Coverage that is partial for one reason.
    pub fn partial(reason: Reason) -> Coverage {
        Coverage { reasons: BTreeSet::from([reason]) }
    }

    /// Whether everything was inspected.
    pub fn is_complete(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Adds the reasons of `other`.
    pub fn join(&mut self, other: &Coverage) {
        self.reasons.extend(other.reasons.iter().copied());
    }
}

impl Serialize for Coverage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("Coverage", 2)?;
        out.serialize_field("state", if self.is_complete() { "complete" } else { "partial" })?;
        out.serialize_field("reasons", &self.reasons)?;
        out.end()
    }
}
