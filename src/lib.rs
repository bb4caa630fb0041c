//! Sluice reads payloads, finds regulated data, secrets and classification marks in them, and says
//! what the payload holds and whether it may leave.
//!
//! Data flows one way. A module imports only from modules above it in this list, and
//! `tests/it/tidy.rs` reads the order from here:
//!
//! ```text
//! bytes -> decode -> scan -> classify -> policy -> record -> respond
//!          views     findings  label      decision  proof     bytes out
//! ```
//!
//! The usual way in is [`Scanner`]: [`Scanner::scan`] takes a whole payload, [`Scanner::stream`]
//! takes it in pieces and gives the same answer wherever the pieces are cut. [`engine::Desk`] decides a
//! payload with its flow header and records the decision before anything may be released.

pub mod model;
pub mod rules;
mod packs;
pub mod decode;
pub mod scan;
pub mod classify;
pub mod policy;
pub mod record;
pub mod approve;
pub mod respond;
pub mod engine;
pub mod config;
pub mod serve;
pub mod batch;
pub mod gate;
#[cfg(feature = "client")]
pub mod client;

pub use engine::{Classified, Scanner};
pub use rules::RuleSet;
