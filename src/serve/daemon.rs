//! The daemon from start to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use arc_swap::ArcSwap;
use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, oneshot, watch};
use tracing::{error, info};

use super::budget::{Connections, Memory};
use super::cache::Cache;
use super::connection::{Listener, accept};
use super::in_force::{InForce, Loaded, Loader};
use super::messenger::{Failure as PathFailure, Helper};
use super::metrics::{Metrics, Outcome};
use super::peer::{Executables, Token};
use super::pool::Pool;
use super::refusal::Refusals;
use super::routes;
use super::shared::{Shared, now, random};
use super::socket::Notifier;
use crate::record::pending::Pending;
use crate::record::vault::Vaults;
use crate::record::{Failure, Ledger, Macs, event};

/// How long requests may go on once the daemon was told to end.
const DRAIN: Duration = Duration::from_secs(25);

/// How long what was told to end has for it.
const LAST: Duration = Duration::from_secs(5);

/// How often refusals are recorded and escalations looked through.
const TICK: Duration = Duration::from_secs(1);

/// Ticks between two looks at what has expired.
const EXPIRE_TICKS: u64 = 10;

/// What the daemon is started with.
pub struct Parts {
    /// Reads rules and register anew.
    pub loader: Loader,
    /// What it gave first.
    pub loaded: Loaded,
    /// Keys of MACs.
    pub macs: Macs,
    /// Key of the fingerprints that are shown.
    pub run_key: [u8; 32],
    /// Where decisions are recorded.
    pub ledger: Ledger,
    /// Where escalations wait.
    pub pending: Pending,
    /// Where values of tokens are kept.
    pub vaults: Vaults,
    /// The socket.
    pub unix: std::os::unix::net::UnixListener,
    /// Loopback TCP, where it is wanted.
    pub tcp: Option<std::net::TcpListener>,
    /// The token that TCP asks for.
    pub tcp_token: Option<Token>,
    /// What systemd is told through.
    pub notifier: Notifier,
    /// The helper that tells paths; none where there is no path.
    pub helper: Option<Helper>,
    /// Who reads the programs of callers.
    pub executables: Executables,
    /// Fields of the `start` entry beside what the daemon knows itself.
    pub start: Map<String, Value>,
}

/// Why the daemon does not start, or ended otherwise than it was told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The system refused something.
    #[error("cannot {0}: {1}")]
    Io(&'static str, #[source] std::io::Error),
    /// The ledger takes no entries.
    #[error("the ledger takes no entries, so nothing is decided: {0}")]
    Ledger(String),
}

/// What a reload has brought into force.
#[derive(Clone, Debug, Serialize)]
pub struct Reloaded {
    /// Digest of the register.
    pub policy_digest: String,
    /// Digest of the rules.
    pub rule_digest: String,
    /// Whether either is another one than before.
    pub changed: bool,
}

/// Runs the daemon until it is told to end (SIGTERM, SIGINT), or the ledger fails. `ready` is called once
/// requests are taken; what it gives is dropped before anybody else can have the ledger.
///
/// # Errors
///
/// [`ServeError`].
pub fn run<T>(parts: Parts, ready: impl FnOnce() -> T) -> Result<(), ServeError> {
    let settings = parts.loaded.config.settings.serve.clone();
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = settings.threads.unwrap_or(processors);
    let limits = settings.limits;
    let io = |what| move |error| ServeError::Io(what, error);
    let pool = Pool::start(threads, limits.queue).map_err(io("start threads"))?;
    let file = parts.loaded.file.clone();
    let in_force = InForce::new(parts.loaded, parts.macs, parts.run_key, 0);
    let start = start_fields(&in_force, file, parts.start);
    let (failures, failed_paths) = std::sync::mpsc::channel::<PathFailure>();
    let messenger = parts.helper.map(|helper| helper.attend(move |it| drop(failures.send(it))));
    let messenger = messenger.transpose().map_err(io("start threads"))?;
    let (reloads, asked_to_reload) = std::sync::mpsc::channel();
    let mut cache_key = [0; 32];
    random(&mut cache_key).map_err(io("have random numbers"))?;
    let shared = Arc::new(Shared {
        in_force: ArcSwap::from_pointee(in_force),
        loader: parts.loader,
        run_key: parts.run_key,
        ledger: parts.ledger,
        pending: parts.pending,
        vaults: parts.vaults,
        pool,
        metrics: Metrics::new(),
        memory: Memory::new(limits.memory_bytes),
        connections: Connections::default(),
        streams: Connections::default(),
        refusals: Refusals::default(),
        stopping: AtomicBool::new(false),
        ending: watch::Sender::new(false),
        looking: AtomicBool::new(false),
        requests: AtomicU64::new(0),
        uid: rustix::process::geteuid().as_raw(),
        messenger,
        cache: Cache::new(cache_key, limits.cache_entries),
        executables: parts.executables,
        reloads,
        tcp_token: parts.tcp_token,
    });
    let record = |kind: &'static str, fields: Map<String, Value>| {
        let at = now();
        let appended = shared.ledger.append(|sequence| event(sequence, kind, &at, fields));
        appended.map_err(|error| ServeError::Ledger(error.to_string()))
    };
    record("start", start)?;
    record("policy_load", policy_fields(&shared.now_in_force(), None))?;
    let recording = Arc::clone(&shared);
    let recorder = std::thread::Builder::new()
        .name("path-failures".to_owned())
        .spawn(move || recording.record_path_failures(&failed_paths))
        .map_err(io("start threads"))?;
    drop(recorder);
    start_reloader(&shared, asked_to_reload).map_err(io("start threads"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors.min(4))
        .enable_all()
        .build()
        .map_err(io("start the event loop"))?;
    // INVARIANT: dropped before `shared`, and so before the lock of the ledger.
    let (failed, _while_kept) = runtime.block_on(event_loop(
        Arc::clone(&shared),
        parts.unix,
        parts.tcp,
        limits.connections,
        Arc::new(parts.notifier),
        ready,
    ))?;
    // Whoever still holds a connection has had its time.
    runtime.shutdown_timeout(Duration::from_secs(1));
    if !shared.pool.drain(LAST) {
        error!("work did not end in time");
    }
    shared.refusals.record(&shared.ledger, &now());
    if let Some(failure) = failed {
        return Err(ServeError::Ledger(failure.to_string()));
    }
    record("stop", Map::new())?;
    shared.ledger.publish().map_err(|failure| ServeError::Ledger(failure.to_string()))
}

fn start_fields(
    in_force: &InForce,
    file: Option<String>,
    more: Map<String, Value>,
) -> Map<String, Value> {
    let mut fields = more;
    let mut put = |key: &str, value: Value| drop(fields.insert(key.to_owned(), value));
    put("file", json!(file));
    put("policy_digest", json!(HEXLOWER.encode(&in_force.policy.digest())));
    put("rule_digest", json!(HEXLOWER.encode(&in_force.rules.digest)));
    put("engine_version", json!(env!("CARGO_PKG_VERSION")));
    put("mac_epoch", json!(in_force.macs.epoch()));
    put("pid", json!(std::process::id()));
    fields
}

/// What is recorded of rules and register that come into force.
fn policy_fields(in_force: &InForce, previous: Option<&str>) -> Map<String, Value> {
    let policy = &in_force.policy;
    Map::from_iter([
        ("file".to_owned(), json!(in_force.file)),
        ("policy_digest".to_owned(), json!(HEXLOWER.encode(&policy.digest()))),
        ("rule_digest".to_owned(), json!(HEXLOWER.encode(&in_force.rules.digest))),
        ("engine_version".to_owned(), json!(env!("CARGO_PKG_VERSION"))),
        ("destinations".to_owned(), json!(policy.destinations().len())),
        ("workflows".to_owned(), json!(policy.workflows().len())),
        ("rules".to_owned(), json!(policy.rules().len())),
        ("approvers".to_owned(), json!(policy.approvers().len())),
        ("tokens".to_owned(), json!(in_force.tokens_mac())),
        ("previous".to_owned(), json!(previous)),
    ])
}

/// Serves until it is told to end; the failure of the ledger, if that was why, and what `ready` gave.
async fn event_loop<T>(
    shared: Arc<Shared>,
    unix: std::os::unix::net::UnixListener,
    tcp: Option<std::net::TcpListener>,
    connections: usize,
    notifier: Arc<Notifier>,
    ready: impl FnOnce() -> T,
) -> Result<(Option<Failure>, T), ServeError> {
    let io = |what| move |error| ServeError::Io(what, error);
    let mut listeners = Vec::new();
    unix.set_nonblocking(true).map_err(io("prepare the socket"))?;
    let unix = tokio::net::UnixListener::from_std(unix).map_err(io("prepare the socket"))?;
    listeners.push(Listener::Unix(unix));
    if let Some(tcp) = tcp {
        tcp.set_nonblocking(true).map_err(io("prepare the TCP socket"))?;
        let tcp = tokio::net::TcpListener::from_std(tcp).map_err(io("prepare the TCP socket"))?;
        listeners.push(Listener::Tcp(tcp));
    }
    let mut hangup = signal(SignalKind::hangup()).map_err(io("listen to signals"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(io("listen to signals"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(io("listen to signals"))?;
    let slots = Arc::new(Semaphore::new(connections));
    let (stop, stopped) = watch::channel(false);
    let router = routes::router(Arc::clone(&shared));
    for listener in listeners {
        let (shared, router) = (Arc::clone(&shared), router.clone());
        tokio::spawn(accept(listener, shared, router, Arc::clone(&slots), stopped.clone()));
    }
    let made = ready();
    told(notifier.ready("payloads are decided"));
    let mut watchdog = tokio::time::interval(notifier.watchdog_interval().unwrap_or(TICK));
    let mut tick = tokio::time::interval(TICK);
    let mut ticks = 0u64;
    let failed = loop {
        tokio::select! {
            _ = hangup.recv() => {
                let (shared, notifier) = (Arc::clone(&shared), Arc::clone(&notifier));
                tokio::spawn(async move {
                    told(notifier.reloading());
                    let status = match shared.reload().await {
                        Ok(_) => "reloaded",
                        Err(problem) => {
                            error!(problem, "nothing was reloaded");
                            "the last reload changed nothing: see the log"
                        }
                    };
                    told(notifier.ready(status));
                });
            }
            _ = terminate.recv() => break None,
            _ = interrupt.recv() => break None,
            _ = watchdog.tick() => told(notifier.alive()),
            _ = tick.tick() => {
                ticks += 1;
                if let Some(failure) = shared.ledger.failed() {
                    error!(%failure, "the ledger takes no entries");
                    break Some(failure);
                }
                let shared = Arc::clone(&shared);
                let expire = ticks.is_multiple_of(EXPIRE_TICKS);
                tokio::task::spawn_blocking(move || shared.look_after(expire));
            }
        }
    };
    info!("ending");
    told(notifier.stopping());
    shared.stopping.store(true, Ordering::Relaxed);
    let _ = stop.send(true);
    let all = u32::try_from(connections).unwrap_or(u32::MAX);
    let mut drained = tokio::time::timeout(DRAIN, slots.acquire_many(all)).await;
    if drained.is_err() {
        // Streams that are still on their way end now, and say so in the ledger.
        let _ = shared.ending.send(true);
        drained = tokio::time::timeout(LAST, slots.acquire_many(all)).await;
    }
    info!(drained = drained.is_ok(), "ended");
    Ok((failed, made))
}

/// Starts the thread that reloads: one at a time, so that the entries are in the order of what is in force,
/// and always the same one. Allocators keep what a thread has freed for that thread, and rules made by
/// another thread each time would fill the room of all of them.
fn start_reloader(shared: &Arc<Shared>, asked: Receiver<Reply>) -> std::io::Result<()> {
    let shared = Arc::downgrade(shared);
    std::thread::Builder::new().name("reload".to_owned()).spawn(move || {
        for reply in asked {
            let Some(shared) = shared.upgrade() else { return };
            let work = std::panic::AssertUnwindSafe(|| shared.try_reload());
            let outcome = std::panic::catch_unwind(work);
            // Whoever asked may be gone.
            let _ = reply.send(outcome.unwrap_or_else(|_| Err("internal error".to_owned())));
        }
    })?;
    Ok(())
}

/// Where the outcome of a reload goes.
pub type Reply = oneshot::Sender<Result<Reloaded, String>>;

/// That systemd cannot be told is no reason to stop.
fn told(outcome: std::io::Result<()>) {
    if let Err(error) = outcome {
        error!(%error, "systemd was not told");
    }
}

impl Shared {
    /// What has to be done now and then.
    fn look_after(&self, expire: bool) {
        // Where the ledger is slow, one at a time waits for it.
        if self.looking.swap(true, Ordering::AcqRel) {
            return;
        }
        self.look(expire);
        self.looking.store(false, Ordering::Release);
    }

    fn look(&self, expire: bool) {
        let now = now();
        self.refusals.record(&self.ledger, &now);
        if !expire {
            return;
        }
        let in_force = self.now_in_force();
        match self.desk(&in_force).expire(&now) {
            Ok(Ok(_)) => {}
            Ok(Err(problem)) => error!(problem, "escalations cannot be looked through"),
            Err(problem) => error!(%problem, "not recorded"),
        }
        if let Err(problem) = self.vaults.purge(now.seconds()) {
            error!(%problem, "old values of tokens cannot be removed");
        }
    }

    /// Records what paths were not told, as long as anybody tells them.
    fn record_path_failures(&self, failures: &std::sync::mpsc::Receiver<PathFailure>) {
        for failure in failures {
            self.metrics.path_failures.inc_by(failure.events);
            let fields = Map::from_iter([
                ("path".to_owned(), json!(failure.path)),
                ("events".to_owned(), json!(failure.events)),
                ("problem".to_owned(), json!(failure.problem)),
            ]);
            error!(path = failure.path, failure.problem, "a path was not told");
            let at = now();
            let written = |_| ();
            let build = |first| vec![event(first, "path_failed", &at, fields)];
            if let Err(problem) = self.ledger.append_all_then(build, written) {
                error!(%problem, "not recorded");
            }
        }
    }

    /// Takes the gauges.
    pub fn measure(&self) {
        let number = |it: usize| i64::try_from(it).unwrap_or(i64::MAX);
        self.metrics.connections.set(number(self.connections.all()));
        self.metrics.queue.set(number(self.pool.waiting()));
        self.metrics.cached.set(number(self.cache.len()));
        self.metrics.memory.set(number(self.memory.used()));
        self.metrics.entries.set(i64::try_from(self.ledger.size()).unwrap_or(i64::MAX));
    }

    /// Reads rules and register anew and brings them into force, once that is recorded. Where anything
    /// is wrong nothing changes.
    ///
    /// # Errors
    ///
    /// What is wrong, for a person.
    pub async fn reload(&self) -> Result<Reloaded, String> {
        let (reply, outcome) = oneshot::channel();
        let asked = self.reloads.send(reply);
        let outcome = match asked {
            Ok(()) => outcome.await.unwrap_or_else(|_| Err("internal error".to_owned())),
            Err(_) => Err("the daemon ends".to_owned()),
        };
        let word = if outcome.is_ok() { "ok" } else { "failed" };
        self.metrics.reloads.get_or_create(&Outcome { outcome: word }).inc();
        outcome
    }

    fn try_reload(&self) -> Result<Reloaded, String> {
        let loaded = (self.loader)()?;
        if self.messenger.is_none() && !loaded.config.policy.paths().is_empty() {
            return Err(
                "the register has paths now, and the helper that tells them starts with the \
                        daemon: start it again"
                    .to_owned(),
            );
        }
        let before = self.now_in_force();
        let next = InForce::new(
            loaded,
            before.macs.clone(),
            self.run_key,
            before.generation.saturating_add(1),
        );
        let digest = |it: &InForce| {
            let tokens = it.tokens_mac();
            (HEXLOWER.encode(&it.policy.digest()), HEXLOWER.encode(&it.rules.digest), tokens)
        };
        let (old, new) = (digest(&before), digest(&next));
        let changed = old != new;
        // Also where nothing is different: whoever looks later sees that it was tried.
        let fields = policy_fields(&next, Some(&old.0));
        let at = now();
        let appended = self.ledger.append(|it| event(it, "policy_load", &at, fields));
        appended.map_err(|error| error.to_string())?;
        self.memory.limit(next.settings.limits.memory_bytes);
        let (generation, most) = (next.generation, next.settings.limits.cache_entries);
        self.in_force.store(Arc::new(next));
        self.cache.clear(generation, most);
        if let Some(messenger) = &self.messenger {
            messenger.reload();
        }
        info!(policy = new.0, rules = new.1, changed, "reloaded");
        Ok(Reloaded { policy_digest: new.0, rule_digest: new.1, changed })
    }
}
