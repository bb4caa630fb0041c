//! Decisions come in, entries of a tamper-evident ledger come out, durable before anything is
//! released.

mod entry;
mod mac;
pub mod query;

pub use entry::{Cleaner, Decided, MAX_ENTRY, Moment, VERSION, decision, event, rfc3339};
pub use mac::Macs;
