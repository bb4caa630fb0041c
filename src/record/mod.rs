//! Decisions and escalations come in; what is durable of them comes out.
//!
//! [`pending`] keeps what was escalated until somebody approved it, or its time is over.

mod escalation;
pub mod pending;

pub use escalation::{EscalationId, NoEscalationId};
