//! One payload that is decided while it arrives: pieces in, released bytes and the decision out.
//!
//! The event loop waits for pieces, for windows to become durable, and for the next one to be allowed;
//! all work on the payload is done by the pool. What comes out goes into a short queue: where nobody
//! takes it, nothing more is read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::debug;

use super::answer;
use super::budget::{Counted, Share};
use super::in_force::InForce;
use super::payload::Broken;
use super::pool::PoolError;
use super::refusal::Limit;
use super::routes::cause_of;
use super::shared::{Caller, Shared, now};
use crate::engine::{DeskError, Ended, Flowing, Terms};
use crate::model::{Attested, Effect, FlowHeader};
use crate::record::Moment;

/// Pieces of what comes out that wait to be taken.
const WAITING: usize = 4;

/// Bytes that a stream is taken to cost beside what it holds back: what its scanners keep of the text,
/// and states of their automata. About as much was measured with many streams at once.
const STREAM_BYTES: usize = 640 << 10;

/// How long work waits before it asks for a place in a full queue again.
const AGAIN: Duration = Duration::from_millis(1);

/// What comes out of a stream, in this order: any number of `Findings` and `Released`, and one end.
#[derive(Debug)]
pub enum Out {
    /// Findings that became final, as JSON.
    Findings(Vec<u8>),
    /// Bytes that may go.
    Released(Bytes),
    /// The decision, and the last bytes.
    Ended(Box<End>),
    /// Nothing was decided, or not recorded.
    Refused(Limit, &'static str),
}

/// The end of a stream.
#[derive(Debug)]
pub struct End {
    /// What may happen.
    pub effect: Effect,
    /// The decision as JSON.
    pub decision: Vec<u8>,
    /// What may go out now, and is the last.
    pub released: Bytes,
    /// The limit that ended it, where one did.
    pub limit: Option<Limit>,
    /// The memory that the last bytes have.
    pub share: Share,
}

/// Where pieces come from.
pub trait Source: Send {
    /// The next piece; none at the end. Dropping the future loses nothing.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Broken>> + Send;
    /// When all has to be done.
    fn deadline(&self) -> Instant;
}

/// What is known before the first piece.
pub struct Opening {
    /// What the caller claims.
    pub header: FlowHeader,
    /// What the kernel attests.
    pub attested: Attested,
    /// When it began.
    pub began: Moment,
    /// Whether findings are wanted.
    pub findings: bool,
    /// Whether bytes are wanted before the end.
    pub early: bool,
}

/// Starts a stream; what comes out of it is taken from the receiver.
///
/// A stream outlives its connection until its end is recorded, so that streams are counted apart from
/// connections, and by the same limits.
///
/// # Errors
///
/// The limit, where there are as many streams as may be.
pub fn start(
    shared: Arc<Shared>,
    in_force: Arc<InForce>,
    caller: Arc<Caller>,
    opening: Opening,
    source: impl Source + 'static,
) -> Result<mpsc::Receiver<Out>, Limit> {
    let limits = in_force.settings.limits;
    if shared.streams.all() >= limits.connections {
        return Err(Limit::Queue);
    }
    let uid = caller.peer.uid();
    let counted = shared.streams.enter(uid, limits.connections_per_uid);
    let counted = counted.ok_or(Limit::ConnectionsPerUid)?;
    let (out, taken) = mpsc::channel(WAITING);
    let mut share = shared.memory.share();
    if !share.resize(STREAM_BYTES) {
        return Err(Limit::Memory);
    }
    let driver = Driver {
        idle: Duration::from_millis(limits.idle_ms),
        between: Duration::from_micros(1_000_000 / limits.windows_per_second.max(1)),
        next_window: Instant::now(),
        findings: opening.findings,
        flowing: Arc::default(),
        ready: 0,
        decided: false,
        past_limit: false,
        out,
        share,
        shared,
        in_force,
        caller,
        _counted: counted,
    };
    tokio::spawn(driver.run(opening, source));
    Ok(taken)
}

struct Driver {
    shared: Arc<Shared>,
    in_force: Arc<InForce>,
    caller: Arc<Caller>,
    share: Share,
    out: mpsc::Sender<Out>,
    idle: Duration,
    /// Least time from one window to the next.
    between: Duration,
    next_window: Instant,
    findings: bool,
    /// Here between two pieces of work.
    flowing: Arc<Mutex<Option<Flowing>>>,
    /// Bytes that may go out with the next window.
    ready: usize,
    decided: bool,
    /// Whether more had to be held than may.
    past_limit: bool,
    _counted: Counted,
}

/// A window that becomes durable.
type Window = oneshot::Receiver<Result<Vec<u8>, DeskError>>;

/// Counts a stream until it is dropped.
struct Streaming<'a>(&'a Shared);

impl Drop for Streaming<'_> {
    fn drop(&mut self) {
        self.0.metrics.streams.dec();
    }
}

/// Why a stream ends before its payload.
enum Stop {
    Broken(Broken),
    /// It can only be block.
    Decided,
    /// Nobody takes what comes out.
    Gone,
    Refused(Limit, &'static str),
}

impl Driver {
    async fn run(mut self, opening: Opening, mut source: impl Source) {
        let shared = Arc::clone(&self.shared);
        shared.metrics.streams.inc();
        let _streaming = Streaming(&shared);
        let limits = self.in_force.settings.limits;
        let terms = Terms {
            max_payload: limits.payload_bytes,
            max_held: limits.held_bytes,
            may_release_early: opening.early,
        };
        let Opening { header, attested, began, .. } = opening;
        let flowing = Flowing::open(&self.in_force.control(), header, attested, began, terms);
        self.decided = flowing.is_decided();
        self.put(flowing);
        let stopped = self.pass(&mut source).await;
        let failed = match &stopped {
            Ok(()) => None,
            Err(Stop::Broken(Broken::Limit(limit))) => Some(*limit),
            Err(Stop::Broken(Broken::Client) | Stop::Gone) => Some(Limit::Request),
            Err(Stop::Decided) => None,
            Err(Stop::Refused(limit, message)) => {
                self.shared.refused(*limit, &self.caller);
                // Where bytes are out, that is said of the stream if it can be.
                let _ = self.end(true, Some(*limit)).await;
                let _ = timeout(self.idle, self.out.send(Out::Refused(*limit, message))).await;
                return;
            }
        };
        if let Some(limit) = failed {
            self.shared.metrics.refuse(limit.as_str());
        }
        let aborted = stopped.is_err();
        let ended = self.end(aborted, failed).await;
        let last = match ended {
            Ok(ended) => self.last(ended, failed),
            Err(stop) => {
                self.shared.refused(stop.0, &self.caller);
                Out::Refused(stop.0, stop.1)
            }
        };
        let _ = timeout(self.idle, self.out.send(last)).await;
    }

    /// Passes pieces on until the payload has ended.
    async fn pass(&mut self, source: &mut impl Source) -> Result<(), Stop> {
        let mut window: Option<Window> = None;
        let mut ending = self.shared.ending.subscribe();
        loop {
            if self.decided && window.is_none() {
                let held = Stop::Broken(Broken::Limit(Limit::Held));
                return Err(if self.past_limit { held } else { Stop::Decided });
            }
            let may_release = window.is_none() && self.ready > 0;
            let next_window = self.next_window;
            tokio::select! {
                durable = async { window.as_mut().expect_window().await }, if window.is_some() => {
                    window = None;
                    self.released(durable).await?;
                }
                () = async { drop(ending.wait_for(|ending| *ending).await) } => {
                    self.settle_window(window).await?;
                    return Err(Stop::Broken(Broken::Limit(Limit::Stopping)));
                }
                () = sleep_until(next_window), if may_release => {
                    window = self.release().await?;
                }
                piece = source.next(), if !self.decided => match piece {
                    Err(broken) => {
                        self.settle_window(window).await?;
                        return Err(Stop::Broken(broken));
                    }
                    Ok(None) => return self.settle_window(window).await,
                    Ok(Some(piece)) => {
                        self.shared.metrics.payload_bytes.inc_by(piece.len() as u64);
                        self.push(piece, source.deadline()).await?;
                    }
                },
            }
        }
    }

    /// A window that is under way has to be known before the stream ends.
    async fn settle_window(&mut self, window: Option<Window>) -> Result<(), Stop> {
        match window {
            None => Ok(()),
            Some(window) => {
                let durable = window.await;
                self.released(durable).await
            }
        }
    }

    /// Has a piece scanned and decided.
    async fn push(&mut self, piece: Bytes, deadline: Instant) -> Result<(), Stop> {
        let wants_findings = self.findings;
        let (in_force, shaping) = (Arc::clone(&self.in_force), Arc::clone(&self.in_force));
        let work = move |flowing: &mut Flowing| {
            flowing.push(&in_force.control(), &piece);
            let findings = if wants_findings { flowing.take_findings() } else { Vec::new() };
            let findings = (!findings.is_empty()).then(|| answer::findings(findings, &shaping));
            let (decided, past_limit) = (flowing.is_decided(), flowing.is_past_limit());
            (flowing.ready(), decided, past_limit, flowing.held(), findings)
        };
        let (ready, decided, past_limit, held, findings) = self.work(work, deadline).await?;
        (self.ready, self.decided, self.past_limit) = (ready, decided, past_limit);
        if !self.share.resize(held.saturating_add(STREAM_BYTES)) {
            return Err(Stop::Broken(Broken::Limit(Limit::Memory)));
        }
        match findings {
            Some(findings) => self.give(Out::Findings(findings)).await,
            None => Ok(()),
        }
    }

    /// Begins a window over what is ready.
    async fn release(&mut self) -> Result<Option<Window>, Stop> {
        let (told, window) = oneshot::channel();
        let (in_force, shared) = (Arc::clone(&self.in_force), Arc::clone(&self.shared));
        let work = move |flowing: &mut Flowing| {
            let desk = shared.desk(&in_force);
            flowing.release_then(&desk, &now(), move |durable| drop(told.send(durable)));
            (flowing.ready(), flowing.is_decided())
        };
        let deadline = Instant::now() + self.idle;
        (self.ready, self.decided) = self.work(work, deadline).await?;
        self.next_window = Instant::now() + self.between;
        Ok(Some(window))
    }

    /// Gives out what a window has made durable.
    async fn released(
        &mut self,
        durable: Result<Result<Vec<u8>, DeskError>, oneshot::error::RecvError>,
    ) -> Result<(), Stop> {
        match durable {
            Ok(Ok(bytes)) if bytes.is_empty() => Ok(()),
            Ok(Ok(bytes)) => {
                self.shared.metrics.windows.inc();
                self.shared.metrics.released_bytes.inc_by(bytes.len() as u64);
                self.give(Out::Released(Bytes::from(bytes))).await
            }
            Ok(Err(_)) | Err(_) => Err(Stop::Refused(
                Limit::Ledger,
                "a window cannot be recorded, so nothing more is released",
            )),
        }
    }

    async fn give(&self, out: Out) -> Result<(), Stop> {
        match timeout(self.idle, self.out.send(out)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Stop::Gone),
        }
    }

    /// Has something done with the payload on the pool. Where too much waits there, it waits here: the
    /// client is not read meanwhile.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Flowing) -> T + Send + 'static,
        deadline: Instant,
    ) -> Result<T, Stop> {
        let mut work = Some(work);
        let slot = Arc::new(Mutex::new(work.take()));
        loop {
            let (slot, flowing) = (Arc::clone(&slot), Arc::clone(&self.flowing));
            let job = move || {
                let work = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                let mut flowing = flowing.lock().unwrap_or_else(PoisonError::into_inner);
                Some(work?(flowing.as_mut()?))
            };
            match self.shared.pool.run(job).await {
                Ok(Some(done)) => return Ok(done),
                Err(PoolError::Full) if Instant::now() < deadline => sleep(AGAIN).await,
                Err(PoolError::Full) => {
                    return Err(Stop::Broken(Broken::Limit(Limit::Queue)));
                }
                Ok(None) | Err(PoolError::Lost) => {
                    return Err(Stop::Refused(Limit::Internal, "internal error"));
                }
            }
        }
    }

    /// Ends the payload, and waits for the decision to be durable.
    async fn end(
        &mut self,
        aborted: bool,
        failed: Option<Limit>,
    ) -> Result<(Ended, Vec<u8>), (Limit, &'static str)> {
        let (told, ended) = oneshot::channel();
        let (in_force, shared) = (Arc::clone(&self.in_force), Arc::clone(&self.shared));
        let flowing = self.flowing.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(flowing) = flowing else { return Err((Limit::Internal, "internal error")) };
        let job = move || {
            let desk = shared.desk(&in_force);
            let told = move |ended| drop(told.send(ended));
            if aborted {
                flowing.abort_then(&desk, failed.map(cause_of), told);
            } else {
                flowing.finish_then(&desk, told);
            }
        };
        let mut job = Some(job);
        let slot = Arc::new(Mutex::new(job.take()));
        loop {
            let slot = Arc::clone(&slot);
            let once = move || {
                if let Some(job) = slot.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    job();
                }
            };
            match self.shared.pool.queue(once) {
                Ok(()) => break,
                // The end has to be recorded, however much waits.
                Err(PoolError::Full) => sleep(AGAIN).await,
                Err(PoolError::Lost) => return Err((Limit::Internal, "internal error")),
            }
        }
        match ended.await {
            Ok(Ok(ended)) => {
                let decision = answer::decision(&ended.settled, &self.in_force);
                Ok((ended, decision))
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "not recorded");
                Err((Limit::Ledger, "the decision cannot be recorded, so nothing is released"))
            }
            Err(_) => Err((Limit::Internal, "internal error")),
        }
    }

    fn last(&mut self, (ended, decision): (Ended, Vec<u8>), limit: Option<Limit>) -> Out {
        let effect = self.shared.decided(&ended.settled, &self.in_force);
        debug!(effect = effect.as_str(), before = ended.released_before, "a stream ended");
        self.shared.metrics.released_bytes.inc_by(ended.released.len() as u64);
        let released = Bytes::from(ended.released);
        let mut share = std::mem::replace(&mut self.share, self.shared.memory.share());
        share.take(released.len());
        Out::Ended(Box::new(End { effect, decision, released, limit, share }))
    }

    fn put(&self, flowing: Flowing) {
        *self.flowing.lock().unwrap_or_else(PoisonError::into_inner) = Some(flowing);
    }
}

/// Waits for a window that is there.
trait ExpectWindow {
    async fn expect_window(self) -> <Window as Future>::Output;
}

impl ExpectWindow for Option<&mut Window> {
    async fn expect_window(self) -> <Window as Future>::Output {
        match self {
            Some(window) => window.await,
            None => std::future::pending().await,
        }
    }
}
