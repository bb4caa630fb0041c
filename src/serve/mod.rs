//! Payloads come in through a socket and are decided while they stream; decisions and released bytes go
//! out.
//!
//! HTTP/1.1 on a Unix socket, and on loopback TCP where that is wanted. The event loop moves bytes; a
//! bounded pool of threads scans; the ledger tells when an entry is durable, and nothing is released
//! before. Promised: every limit has an answer, every answer that is no decision is block, and what is
//! refused is counted and recorded.

mod answer;
mod automatic;
mod budget;
mod cache;
pub mod clock;
mod connection;
mod daemon;
mod flow_stream;
mod in_force;
pub mod messenger;
mod metrics;
mod patient;
mod payload;
pub mod peer;
mod pool;
mod refusal;
mod routes;
pub mod sandbox;
mod shared;
pub mod socket;

pub use daemon::{Parts, Reloaded, ServeError, run};
pub use in_force::{InForce, Loaded, Loader};
pub use refusal::Limit;
pub use routes::run_id;
