//! Where something is in the structure of a payload.

use std::sync::Arc;

/// The cell or the JSON path that holds a byte.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A cell of a CSV or TSV table.
    Cell {
        /// Data row, counted from 1; the header row is 0.
        row: u64,
        /// Name of the column from the header, or `#3` (counted from 1) without one.
        column: Arc<str>,
    },
    /// A value in JSON or NDJSON.
    Json {
        /// Path of keys and indices, `$.patients[3].ssn`; for NDJSON the first index is the record.
        json_path: Arc<str>,
        /// The nearest object key above the value; empty where there is none.
        key: Arc<str>,
    },
}

impl Place {
    /// The column name or JSON key that labels the value, as the payload spells it.
    pub fn name(&self) -> &str {
        match self {
            Place::Cell { column, .. } => column,
            Place::Json { key, .. } => key,
        }
    }
}

/// Names come from the payload and may hold regulated data, so only the numbers are shown.
impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Cell { row, .. } => {
                f.debug_struct("Cell").field("row", row).finish_non_exhaustive()
            }
            Place::Json { .. } => f.debug_struct("Json").finish_non_exhaustive(),
        }
    }
}
