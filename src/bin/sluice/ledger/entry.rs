//! Entries of the ledger's own kinds: `recovered`, `key_rotate`, `anchor`, `retain`.

use serde_json::Value;
use sluicegate::record::{Moment, event};
use sluicegate::serve::clock;

/// An entry with the fields that all have, and some more.
pub fn build(sequence: u64, kind: &str, more: &[(&str, Value)]) -> Vec<u8> {
    // An entry without a time is better than none.
    let unknown = || Moment { wall: 0, monotonic: 0, boot: String::new() };
    let now = clock::now().unwrap_or_else(|_| unknown());
    let fields = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    event(sequence, kind, &now, fields.collect())
}
