//! Group commit: entries come from any number of threads, each thread goes on once its entry is
//! durable.
//!
//! There is no thread for it. Whoever finds no commit under way makes one, of all that waits, and
//! wakes those whose entries were in it; one of those that came meanwhile makes the next. So at
//! most one commit is under way, each drains the queue, and nobody waits for a timer.

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
    writer: Mutex<Writer>,
}

struct Queue {
    /// The next sequence number.
    next: u64,
    frames: Vec<u8>,
    hashes: Vec<Hash>,
    waiting: Vec<Arc<Waiter>>,
    rotation: Option<Signer>,
    /// A commit is under way, or someone was told to make one.
    busy: bool,
    failed: Option<Failure>,
    closed: bool,
}

struct Waiter {
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
                failed: None,
                closed: false,
            }),
            room: Condvar::new(),
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
        if entries.is_empty() {
            return Ok(Ok(Vec::new()));
        }
        let mut receipts = Vec::with_capacity(entries.len());
        for entry in &entries {
            let leaf = frame::write(Kind::Entry, entry, &mut queue.frames);
            queue.hashes.push(leaf);
            receipts.push(Receipt { sequence: queue.next, leaf });
            queue.next += 1;
        }
        if rotation.is_some() {
            queue.rotation = rotation;
        }
        if queue.busy {
            let waiter =
                Arc::new(Waiter { state: AtomicU8::new(WAITS), thread: thread::current() });
            queue.waiting.push(Arc::clone(&waiter));
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

    /// No more entries are taken; returns when those under way are done.
    pub fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        self.room.notify_all();
        while queue.busy {
            queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
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
    waiting: Vec<Arc<Waiter>>,
    done: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let state = if self.done { DURABLE } else { FAILED };
        if !self.done {
            let failure = Failure {
                what: "a commit did not end",
                reason: "internal error".to_owned(),
                full: false,
            };
            self.committer.fail(failure);
        }
        // They come back with more before the next one drains the queue.
        self.waiting.iter().for_each(|waiter| waiter.tell(state));
        let mut queue = self.committer.lock();
        if !self.done {
            queue.waiting.drain(..).for_each(|waiter| waiter.tell(FAILED));
        }
        if queue.waiting.is_empty() {
            queue.busy = false;
            self.committer.room.notify_all();
        } else {
            queue.waiting.remove(0).tell(LEADS);
        }
    }
}

impl Waiter {
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
