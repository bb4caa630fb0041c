//! Entry bytes come in; they are durable, in order, under a signed checkpoint, when a call returns.
//!
//! The ledger is a journal of segments with a Merkle tree over its entries (RFC 6962), checkpoints
//! and tiles in the formats of C2SP. [`Ledger`] appends, [`Reader`] reads and proves, [`mod@verify`]
//! checks all of it with the public key alone, and [`State`] is the directory it lives in. What
//! entries say is built by [`decision`] and [`event`] and asked by [`query`]. [`pending`] keeps what
//! was escalated until somebody approved it, or its time is over.
//!
//! Promised:
//! - An append returns after a sync of its entry and of the signed checkpoint over it, or fails.
//! - After a failed write or sync nothing is appended any more, and nothing is tried again.
//! - A crash loses no entry whose append returned. What it leaves half written is cut and recorded;
//!   any other damage, and a journal shorter than a signed checkpoint, is refused.
//! - Evidence is the bytes of an entry and a proof up to a signed root; nothing is believed because
//!   a tile or an index says it.
//!
//! This is the one layer below the ways in that touches files. Time, ids and random bytes come from
//! the caller.

mod committer;
mod entry;
mod escalation;
#[cfg(test)]
pub(crate) mod crash;
pub mod files;
pub mod frame;
pub mod header;
pub mod inbox;
pub mod journal;
mod ledger;
mod mac;
#[cfg(test)]
mod model;
pub mod merkle;
pub mod note;
pub mod ocsf;
pub mod proof;
pub mod pending;
mod publish;
pub mod query;
mod read;
mod recover;
mod retention;
pub mod state;
mod stream_entry;
pub mod tiles;
pub mod verify;
pub mod vault;
mod writer;

pub use committer::{AppendError, MAX_TOGETHER, Receipt};
pub use entry::{Cleaner, Decided, Moment, Ran, VERSION, decision, event, rfc3339, run_summary};
pub use escalation::{EscalationId, NoEscalationId};
pub use header::Header;
pub use ledger::{Ledger, OpenError, Options, RotateError};
pub use mac::{Macs, PayloadMac};
pub use note::{Checkpoint, Signer, Vkey};
pub use proof::Proof;
pub use read::{ReadError, Reader};
pub use recover::{Cut, RecoverError};
pub use retention::{RetainError, Retained};
pub use state::{State, StateError};
pub use stream_entry::{
    MAX_WINDOW, Opened, Streamed, Window, stream_close, stream_open, stream_window,
};
pub use writer::{Failure, Growth, LastWords};
