//! Publication: the tiles of what was committed, and then the checkpoint over them, as files.
//!
//! It runs behind the commits, in a thread of its own: a second after the first commit that is not
//! published, or as soon as 4,096 entries wait, or when the ledger closes. Tiles are durable before
//! the checkpoint that needs them takes its place.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::record::files::{self, Files};
use crate::record::merkle::Hash;
use crate::record::state::CHECKPOINT;
use crate::record::tiles::Tiles;
use crate::record::writer::{Failure, Writer};

/// Entries after which a checkpoint is published.
const ENTRIES: usize = 4096;

/// Time after which a checkpoint is published.
const AFTER: Duration = Duration::from_secs(1);

/// Leaf hashes that may wait; past that, commits wait.
const MOST: usize = 1 << 18;

/// What is committed and not published yet.
pub struct Publisher {
    files: Arc<dyn Files>,
    waiting: Mutex<Waiting>,
    /// Told when something was committed, published, or the ledger closes.
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    leaves: Vec<Hash>,
    note: String,
    since: Option<Instant>,
    /// Entries committed and published so far, to wait for.
    committed: u64,
    published: u64,
    urgent: bool,
    closed: bool,
    failed: bool,
}

impl Publisher {
    /// A publisher of these leaves, which come behind what `tiles` holds.
    pub fn new(files: Arc<dyn Files>, tiles: &Tiles, leaves: Vec<Hash>, note: String) -> Publisher {
        let published = tiles.size();
        let committed = published + leaves.len() as u64;
        let since = (!leaves.is_empty()).then(Instant::now);
        let waiting = Waiting { leaves, note, since, committed, published, ..Waiting::default() };
        Publisher { files, waiting: Mutex::new(waiting), changed: Condvar::new() }
    }

    /// Takes over what a commit made durable.
    pub fn committed(&self, leaves: &[Hash], writer: &Writer) {
        let mut waiting = self.lock();
        while waiting.leaves.len() > MOST && !waiting.failed {
            waiting = self.wait(waiting);
        }
        waiting.leaves.extend_from_slice(leaves);
        waiting.committed = writer.size();
        writer.note().clone_into(&mut waiting.note);
        if waiting.since.is_none() || waiting.leaves.len() >= ENTRIES {
            waiting.since.get_or_insert_with(Instant::now);
            self.changed.notify_all();
        }
    }

    /// Publishes what was committed before the call, and waits for it.
    pub fn publish(&self) {
        let mut waiting = self.lock();
        let target = waiting.committed;
        waiting.urgent = true;
        self.changed.notify_all();
        while waiting.published < target && !waiting.failed && !waiting.closed {
            waiting = self.wait(waiting);
        }
    }

    /// Tells [`Publisher::run`] to publish what there is and end.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Publishes until the ledger closes, or something fails: then `fail` is told first, and those
    /// who wait afterwards.
    pub fn run(&self, mut tiles: Tiles, fail: impl Fn(Failure)) {
        while let Some((leaves, note)) = self.next() {
            leaves.into_iter().for_each(|leaf| tiles.push(leaf));
            let result = tiles
                .write(&*self.files)
                .map_err(|error| Failure::new("a tile cannot be written", &error))
                .and_then(|()| {
                    files::replace(&*self.files, CHECKPOINT, note.as_bytes())
                        .map_err(|error| Failure::new("the checkpoint cannot be written", &error))
                });
            let failed = result.is_err();
            result.unwrap_or_else(&fail);
            let mut waiting = self.lock();
            waiting.published = tiles.size();
            waiting.failed = failed;
            self.changed.notify_all();
            if failed {
                return;
            }
        }
    }

    /// What is to be published next, once it is time.
    fn next(&self) -> Option<(Vec<Hash>, String)> {
        let mut waiting = self.lock();
        loop {
            let due = waiting.since.map(|since| AFTER.saturating_sub(since.elapsed()));
            let now = waiting.urgent || waiting.closed || waiting.leaves.len() >= ENTRIES;
            match due {
                None if waiting.closed => return None,
                None => {
                    waiting.urgent = false;
                    waiting = self.wait(waiting);
                }
                Some(due) if !now && !due.is_zero() => {
                    let woken = self.changed.wait_timeout(waiting, due);
                    waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
                }
                Some(_) => {
                    waiting.urgent = false;
                    waiting.since = None;
                    self.changed.notify_all();
                    return Some((std::mem::take(&mut waiting.leaves), waiting.note.clone()));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, waiting: MutexGuard<'a, Waiting>) -> MutexGuard<'a, Waiting> {
        self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner)
    }
}
