//! What all requests share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::budget::{Connections, Memory};
use super::cache::{Cache, Purpose};
use super::clock;
use super::daemon::Reply;
use super::in_force::{InForce, Loader};
use super::messenger::Messenger;
use super::metrics::{Metrics, Outcome};
use super::peer::{Executables, Peer, Token};
use super::pool::Pool;
use super::refusal::{Limit, Refusals};
use crate::decode::Format;
use crate::engine::{Classified, Desk};
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
    /// Streams by user.
    pub streams: Connections,
    /// Refusals to be recorded.
    pub refusals: Refusals,
    /// Whether the daemon ends.
    pub stopping: AtomicBool,
    /// Says that streams have to end now.
    pub ending: watch::Sender<bool>,
    /// Whether somebody looks after refusals and escalations.
    pub looking: AtomicBool,
    /// Numbers of requests.
    pub requests: AtomicU64,
    /// The user that the daemon runs as.
    pub uid: u32,
    /// Has paths told of decisions; none where there is no path.
    pub messenger: Option<Messenger>,
    /// What was found in payloads that come again.
    pub cache: Cache,
    /// Digests of the programs of peers.
    pub executables: Executables,
    /// Asks the thread that reloads.
    pub reloads: std::sync::mpsc::Sender<Reply>,
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

    /// What a payload of a user holds, scanned or remembered.
    pub fn found(
        &self,
        in_force: &InForce,
        payload: &[u8],
        uid: u32,
        format: Option<Format>,
        purpose: Purpose,
    ) -> Arc<Classified> {
        let scan = || match purpose {
            Purpose::Classify => in_force.classifier.scan_as(payload, format),
            Purpose::Decide => in_force.control().read(payload, format),
        };
        let Some(key) = self.cache.key(payload, uid, format, purpose) else {
            return Arc::new(scan());
        };
        if let Some(found) = self.cache.get(&key, in_force.generation) {
            self.metrics.cache.get_or_create(&Outcome { outcome: "hit" }).inc();
            return found;
        }
        self.metrics.cache.get_or_create(&Outcome { outcome: "miss" }).inc();
        let found = Arc::new(scan());
        self.cache.put(key, in_force.generation, &found);
        found
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
