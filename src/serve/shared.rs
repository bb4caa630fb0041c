//! What all requests share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::budget::{Connections, Memory};
use super::clock;
use super::in_force::{InForce, Loader};
use super::metrics::Metrics;
use super::peer::{Executables, Peer, Token};
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
    /// Digests of the programs of peers.
    pub executables: Executables,
    /// Held by whoever reloads.
    pub reloading: std::sync::Mutex<()>,
    /// The token that TCP asks for.
    pub tcp_token: Option<Token>,
}

static CLOCK: fn() -> Moment = now;
static RANDOM: fn(&mut [u8]) -> io::Result<()> = random;

/// Now. Where the clock says nothing that can be used, everything is over: no grant counts.
pub fn now() -> Moment {
    let never = |_| Moment { wall: u64::MAX, monotonic: 0, boot: String::new() };
    clock::now().unwrap_or_else(never)
}

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
        self.tcp_token.as_ref().is_some_and(|token| token.is(presented))
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
