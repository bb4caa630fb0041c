//! Group commit: entries come from any number of threads, each thread goes on once its entry is
//! durable.
//!
//! Whoever finds no commit under way makes one, of all that waits, and wakes those whose entries were
//! in it; one of those that came meanwhile makes the next. So at most one commit is under way, each
//! drains the queue, and nobody waits for a timer. Those who do not wait but want to be told
//! ([`Committer::append_then`]) have a thread that makes commits where no other one is there to.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

use crate::record::frame::{self, Kind, MAX_ENTRY};
use crate::record::merkle::Hash;
use crate::record::note::Signer;
use crate::record::writer::{Failure, Writer};

/// Bytes of entries that may wait; further ones wait outside.
const QUEUE_BYTES: usize = 1 << 20;

/// Entries that one call may append, and their bytes.
pub const MAX_TOGETHER: usize = 4096;
const MAX_TOGETHER_BYTES: usize = 16 << 20;

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its sequence number, from zero.
    pub sequence: u64,
    /// Its leaf hash.
    pub leaf: Hash,
}

/// Why an entry was not appended. After [`AppendError::Failed`] none ever will be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The ledger failed; this entry may or may not be found in it later.
    #[error("the ledger takes no more entries: {0}")]
    Failed(Failure),
    /// An entry is empty, longer than 65,535 bytes, or no UTF-8.
    #[error("an entry of {0} bytes cannot be appended: it is UTF-8 and has 1 to 65,535 bytes")]
    Entry(usize),
    /// One call appends at most 4,096 entries of 16 MiB together.
    #[error("too much to append at once: at most 4,096 entries and 16 MiB")]
    TooMuch,
    /// The ledger was closed.
    #[error("the ledger was closed")]
    Closed,
}

/// What is told of each commit, in order.
pub type Committed<'a> = &'a (dyn Fn(&[Hash], &Writer) + Sync);

/// The queue of entries and the writer behind it.
pub struct Committer {
    queue: Mutex<Queue>,
    /// Told when the queue was drained, or nothing comes any more.
    room: Condvar,
    /// Told when the thread of those who do not wait has to make a commit, or can end.
    asked: Condvar,
    writer: Mutex<Writer>,
}

struct Queue {
    /// The next sequence number.
    next: u64,
    frames: Vec<u8>,
    hashes: Vec<Hash>,
    waiting: Vec<Waiter>,
    rotation: Option<Signer>,
    /// A commit is under way, or someone was told to make one.
    busy: bool,
    /// That someone is the thread of those who do not wait.
    asked: bool,
    failed: Option<Failure>,
    closed: bool,
}

/// Called when the entries are durable, or never will be. Has to be quick: commits wait for it.
pub type Told = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

enum Waiter {
    /// A thread that waits.
    Thread(Arc<Parked>),
    /// Someone who goes on.
    Told(Told),
}

struct Parked {
    state: AtomicU8,
    thread: Thread,
}

const WAITS: u8 = 0;
const DURABLE: u8 = 1;
const FAILED: u8 = 2;
const LEADS: u8 = 3;

impl Committer {
    /// A committer over a writer.
    pub fn new(writer: Writer) -> Committer {
        Committer {
            queue: Mutex::new(Queue {
                next: writer.size(),
                frames: Vec::new(),
                hashes: Vec::new(),
                waiting: Vec::new(),
                rotation: None,
                busy: false,
                asked: false,
                failed: None,
                closed: false,
            }),
            room: Condvar::new(),
            asked: Condvar::new(),
            writer: Mutex::new(writer),
        }
    }

    /// Appends what `build` makes, together: in one commit, all or none. It is called with the first
    /// sequence number, in the order of the log, while no other entry is being built.
    pub fn append<E>(
        &self,
        build: impl FnOnce(u64) -> Result<Vec<Vec<u8>>, E>,
        rotation: Option<Signer>,
        committed: Committed<'_>,
    ) -> Result<Result<Vec<Receipt>, E>, AppendError> {
        let (mut queue, receipts) = match self.enqueue(build)? {
            Ok(enqueued) => enqueued,
            Err(error) => return Ok(Err(error)),
        };
        if receipts.is_empty() {
            return Ok(Ok(receipts));
        }
        if rotation.is_some() {
            queue.rotation = rotation;
        }
        if queue.busy {
            let waiter =
                Arc::new(Parked { state: AtomicU8::new(WAITS), thread: thread::current() });
            queue.waiting.push(Waiter::Thread(Arc::clone(&waiter)));
            drop(queue);
            match waiter.wait() {
                DURABLE => return Ok(Ok(receipts)),
                LEADS => {}
                _ => return Err(self.failure()),
            }
        } else {
            queue.busy = true;
            drop(queue);
        }
        self.lead(committed)?;
        Ok(Ok(receipts))
    }

    /// As [`Committer::append`], but does not wait: `told` is called once the entries are durable, or
    /// where they will not be. Where this returns an error it is not called. A thread has to be in
    /// [`Committer::make_commits`].
    pub fn append_then(
        &self,
        build: impl FnOnce(u64) -> Vec<Vec<u8>>,
        told: Told,
    ) -> Result<Vec<Receipt>, AppendError> {
        let built = |first| Ok::<_, std::convert::Infallible>(build(first));
        let (mut queue, receipts) = match self.enqueue(built)? {
            Ok(enqueued) => enqueued,
            Err(never) => match never {},
        };
        if receipts.is_empty() {
            drop(queue);
            told(Ok(()));
            return Ok(receipts);
        }
        queue.waiting.push(Waiter::Told(told));
        if !queue.busy {
            queue.busy = true;
            queue.asked = true;
            self.asked.notify_one();
        }
        Ok(receipts)
    }

    /// Makes commits for those who do not wait, until the committer is closed.
    pub fn make_commits(&self, committed: Committed<'_>) {
        let mut queue = self.lock();
        loop {
            if queue.asked {
                queue.asked = false;
                drop(queue);
                // Whoever waits for it is told what went wrong.
                let _ = self.lead(committed);
                queue = self.lock();
            } else if queue.closed && !queue.busy {
                return;
            } else {
                queue = self.asked.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Puts entries into the queue, once there is room. Inside, what `build` says.
    #[expect(clippy::type_complexity, reason = "the lock goes on to the two callers")]
    fn enqueue<E>(
        &self,
        build: impl FnOnce(u64) -> Result<Vec<Vec<u8>>, E>,
    ) -> Result<Result<(MutexGuard<'_, Queue>, Vec<Receipt>), E>, AppendError> {
        let mut queue = self.lock();
        queue.check()?;
        while queue.frames.len() >= QUEUE_BYTES {
            queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.check()?;
        }
        let entries = match build(queue.next) {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(error)),
        };
        check(&entries)?;
        let mut receipts = Vec::with_capacity(entries.len());
        for entry in &entries {
            let leaf = frame::write(Kind::Entry, entry, &mut queue.frames);
            queue.hashes.push(leaf);
            receipts.push(Receipt { sequence: queue.next, leaf });
            queue.next += 1;
        }
        Ok(Ok((queue, receipts)))
    }

    /// No more entries are taken; returns when those under way are done.
    pub fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        self.room.notify_all();
        while queue.busy {
            queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        self.asked.notify_all();
    }

    /// Further entries go to a new segment.
    pub fn close_segment(&self) -> Result<(), Failure> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = self.failed() {
            return Err(failure);
        }
        writer.close_segment().inspect_err(|failure| self.fail(failure.clone()))
    }

    /// Refuses all that comes, as after a failure of the journal itself.
    pub fn fail(&self, failure: Failure) {
        let mut queue = self.lock();
        queue.failed.get_or_insert(failure);
        self.room.notify_all();
    }

    /// The failure, if there was one.
    pub fn failed(&self) -> Option<Failure> {
        self.lock().failed.clone()
    }

    /// Entries that are in the log or on their way there.
    pub fn next(&self) -> u64 {
        self.lock().next
    }

    /// Commits what waits, this thread's own entries among it.
    fn lead(&self, committed: Committed<'_>) -> Result<(), AppendError> {
        // Whatever happens in between, nobody waits for a leader that is gone.
        let mut turn = Turn { committer: self, waiting: Vec::new(), done: false };
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (frames, hashes, rotation) = {
            let mut queue = self.lock();
            turn.waiting = std::mem::take(&mut queue.waiting);
            if let Some(failure) = &queue.failed {
                return Err(AppendError::Failed(failure.clone()));
            }
            let room = Vec::with_capacity(queue.frames.len());
            let frames = std::mem::replace(&mut queue.frames, room);
            self.room.notify_all();
            (frames, std::mem::take(&mut queue.hashes), queue.rotation.take())
        };
        if let Err(failure) = writer.commit(frames, &hashes, rotation) {
            self.fail(failure.clone());
            return Err(AppendError::Failed(failure));
        }
        committed(&hashes, &writer);
        turn.done = true;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self) -> AppendError {
        self.lock().failed.clone().map_or(AppendError::Closed, AppendError::Failed)
    }
}

/// The turn of a leader. When it ends, those who waited for it are told, and the next one leads.
struct Turn<'a> {
    committer: &'a Committer,
    waiting: Vec<Waiter>,
    done: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.done {
            let failure = Failure {
                what: "a commit did not end",
                reason: "internal error".to_owned(),
                full: false,
            };
            self.committer.fail(failure);
        }
        // Also where one of those who are told panics.
        let _next = Next { committer: self.committer, done: self.done };
        // They come back with more before the next one drains the queue.
        self.waiting.drain(..).for_each(|waiter| waiter.tell(self.done, self.committer));
    }
}

/// Lets the next one lead when it is dropped.
struct Next<'a> {
    committer: &'a Committer,
    done: bool,
}

impl Drop for Next<'_> {
    fn drop(&mut self) {
        let mut queue = self.committer.lock();
        let left = if self.done { Vec::new() } else { std::mem::take(&mut queue.waiting) };
        let thread = queue.waiting.iter().position(|it| matches!(it, Waiter::Thread(_)));
        if let Some(at) = thread {
            if let Waiter::Thread(parked) = queue.waiting.remove(at) {
                parked.tell(LEADS);
            }
        } else if queue.waiting.is_empty() {
            queue.busy = false;
            self.committer.room.notify_all();
            self.committer.asked.notify_all();
        } else {
            queue.asked = true;
            self.committer.asked.notify_one();
        }
        drop(queue);
        left.into_iter().for_each(|waiter| waiter.tell(false, self.committer));
    }
}

impl Waiter {
    fn tell(self, durable: bool, committer: &Committer) {
        match self {
            Waiter::Thread(parked) => parked.tell(if durable { DURABLE } else { FAILED }),
            Waiter::Told(told) if durable => told(Ok(())),
            Waiter::Told(told) => told(Err(committer.failure())),
        }
    }
}

impl Parked {
    fn wait(&self) -> u8 {
        loop {
            match self.state.load(Ordering::Acquire) {
                WAITS => thread::park(),
                state => return state,
            }
        }
    }

    fn tell(&self, state: u8) {
        self.state.store(state, Ordering::Release);
        self.thread.unpark();
    }
}

impl Queue {
    /// Whether entries are taken.
    fn check(&self) -> Result<(), AppendError> {
        match &self.failed {
            Some(failure) => Err(AppendError::Failed(failure.clone())),
            None if self.closed => Err(AppendError::Closed),
            None => Ok(()),
        }
    }
}

fn check(entries: &[Vec<u8>]) -> Result<(), AppendError> {
    for entry in entries {
        let fits = (1..=MAX_ENTRY).contains(&entry.len());
        if !fits || std::str::from_utf8(entry).is_err() {
            return Err(AppendError::Entry(entry.len()));
        }
    }
    let bytes: usize = entries.iter().map(Vec::len).sum();
    if entries.len() > MAX_TOGETHER || bytes > MAX_TOGETHER_BYTES {
        return Err(AppendError::TooMuch);
    }
    Ok(())
}
