//! Decisions come in, entries of a tamper-evident ledger come out, durable before anything is
//! released. [`pending`] keeps what was escalated until somebody approved it, or its time is over.

mod entry;
mod escalation;
mod mac;
pub mod inbox;
pub mod pending;
pub mod query;

pub use entry::{Cleaner, Decided, MAX_ENTRY, Moment, VERSION, decision, event, rfc3339};
pub use escalation::{EscalationId, NoEscalationId};
pub use mac::Macs;
