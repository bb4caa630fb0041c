//! What all requests share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::budget::{Connections, Memory};
use super::clock;
use super::in_force::{InForce, Loader};
use super::metrics::Metrics;
use super::peer::Peer;
use super::pool::Pool;
use super::refusal::{Limit, Refusals};
use crate::engine::Desk;
use crate::record::pending::Pending;
use crate::record::vault::Vaults;
use crate::record::{Ledger, Moment};

/// The state of the daemon.
pub struct Shared {
    /// What decides now.
    pub in_force: ArcSwap<InForce>,
    /// Reads it anew.
    pub loader: Loader,
    /// Key of the fingerprints that are shown.
    pub run_key: [u8; 32],
    /// Where decisions are recorded.
    pub ledger: Ledger,
    /// Where escalations wait.
    pub pending: Pending,
    /// Where the values of tokens are kept.
    pub vaults: Vaults,
    /// Threads that scan.
    pub pool: Pool,
    /// What is counted.
    pub metrics: Metrics,
    /// Bytes in memory.
    pub memory: Memory,
    /// Connections by user.
    pub connections: Connections,
    /// Refusals to be recorded.
    pub refusals: Refusals,
    /// Whether the daemon ends.
    pub stopping: AtomicBool,
    /// Numbers of requests.
    pub requests: AtomicU64,
    /// The user that the daemon runs as.
    pub uid: u32,
    /// Held by whoever reloads.
    pub reloading: std::sync::Mutex<()>,
    /// SHA-256 of the token that TCP asks for.
    pub tcp_token: Option<[u8; 32]>,
}

static CLOCK: fn() -> Moment = clock::now;
static RANDOM: fn(&mut [u8]) -> io::Result<()> = random;

/// Random bytes of the system.
pub fn random(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|_| io::Error::other("no random numbers"))
}

impl Shared {
    /// What decides and records, with what is in force for a request.
    pub fn desk<'a>(&'a self, in_force: &'a InForce) -> Desk<'a> {
        Desk {
            control: in_force.control(),
            ledger: &self.ledger,
            pending: &self.pending,
            vaults: Some(&self.vaults),
            clock: &CLOCK,
            random: &RANDOM,
        }
    }

    /// What decides now.
    pub fn now_in_force(&self) -> Arc<InForce> {
        self.in_force.load_full()
    }

    /// Counts a refusal and has it recorded.
    pub fn refused(&self, limit: Limit, caller: &Caller) {
        self.metrics.refuse(limit.as_str());
        self.refusals.take(limit, caller.peer.uid());
    }

    /// Whether this is the token that TCP asks for. Compared in constant time.
    pub fn is_tcp_token(&self, presented: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(presented).into();
        self.tcp_token.as_ref().is_some_and(|token| bool::from(token.ct_eq(&digest)))
    }

    /// Whether requests are still taken.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// Who is on the other end of a connection.
#[derive(Debug)]
pub struct Caller {
    /// The process.
    pub peer: Peer,
    /// Whether it came over TCP, and has to show the daemon's token.
    pub tcp: bool,
}
