//! The one writer of the journal: takes the frames of a commit, gives back that they are durable.
//!
//! A commit goes out with one write and one sync. Space is allocated ahead, and a part of it is kept
//! back, so that the last entry of a log on a full disk can still say so.

use std::io;
use std::sync::Arc;

use crate::record::files::{Files, Writable};
use crate::record::frame::{self, Kind, MAX_ENTRY};
use crate::record::journal::{self, FOLDER, segment_name};
use crate::record::merkle::{Edge, Hash};
use crate::record::note::{Checkpoint, Signer};

/// Bytes of every segment that are kept for a last entry and its checkpoint.
const RESERVE: u64 = 32 << 10;

/// Bytes that the last entry may have.
const LAST_WORDS: usize = 16 << 10;

const NO_SEGMENT: &str = "a new segment cannot be made";

/// Where segments end and how much room is made at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Bytes by which a segment grows.
    pub step: u64,
    /// Bytes from which on a new segment begins.
    pub segment: u64,
}

/// Builds the entry that says why the log ends, from its sequence number and the reason.
pub type LastWords = Box<dyn Fn(u64, &str) -> Vec<u8> + Send + Sync>;

/// Why the ledger takes no more entries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct Failure {
    /// What did not work.
    pub what: &'static str,
    /// What the system said.
    pub reason: String,
    /// Whether there was no space left.
    pub full: bool,
}

impl Failure {
    /// A failure of the system.
    pub fn new(what: &'static str, error: &io::Error) -> Failure {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let full = matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge);
        Failure { what, reason: error.to_string(), full }
    }
}

/// The journal, open at its end.
pub struct Writer {
    pub(super) files: Arc<dyn Files>,
    pub(super) file: Box<dyn Writable>,
    /// The sequence number that the segment begins with.
    pub(super) first: u64,
    /// Bytes of the segment that are in use, and that are there.
    pub(super) used: u64,
    pub(super) allocated: u64,
    pub(super) edge: Edge,
    /// The last signed checkpoint.
    pub(super) note: String,
    pub(super) signer: Signer,
    pub(super) growth: Growth,
    pub(super) last_words: Option<LastWords>,
}

impl Writer {
    /// Entries in the log.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The last signed checkpoint.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Makes a commit durable: the frames of its entries, with their leaf hashes. With a `next`
    /// signer, both sign, and from then on the next one alone.
    ///
    /// # Errors
    /// A [`Failure`], after which nothing may be written any more.
    pub fn commit(
        &mut self,
        frames: Vec<u8>,
        hashes: &[Hash],
        next: Option<Signer>,
    ) -> Result<(), Failure> {
        let failure = match self.make_room(frames.len() as u64) {
            Ok(()) => return self.put(frames, hashes, next),
            Err(failure) => failure,
        };
        if let Some(entry) = self.last_words.take().filter(|_| failure.full) {
            let entry = entry(self.size(), failure.what);
            if (1..=LAST_WORDS).contains(&entry.len()) {
                let mut frames = Vec::new();
                let hash = frame::write(Kind::Entry, &entry, &mut frames);
                // The ledger fails in any case; this is for whoever reads it later.
                let _ = self.put(frames, &[hash], None);
            }
        }
        Err(failure)
    }

    /// Begins a new segment, unless this one has no entries.
    ///
    /// # Errors
    /// A [`Failure`], after which nothing may be written any more.
    pub fn close_segment(&mut self) -> Result<(), Failure> {
        if self.size() == self.first {
            return Ok(());
        }
        self.begin_segment(RESERVE).map_err(|error| Failure::new(NO_SEGMENT, &error))
    }

    fn put(
        &mut self,
        frames: Vec<u8>,
        hashes: &[Hash],
        next: Option<Signer>,
    ) -> Result<(), Failure> {
        let mut edge = self.edge.clone();
        hashes.iter().for_each(|hash| edge.push(*hash));
        let origin = self.signer.vkey().name().to_owned();
        let checkpoint = Checkpoint { origin, size: edge.size(), root: edge.root() };
        let note = checkpoint.sign([&self.signer].into_iter().chain(&next));
        let mut batch = frames;
        journal::write_mark(self.size(), &edge, &note, &mut batch);
        self.file
            .write_at(&batch, self.used)
            .map_err(|error| Failure::new("the journal cannot be written", &error))?;
        self.file
            .sync()
            .map_err(|error| Failure::new("the journal cannot be made durable", &error))?;
        self.used += batch.len() as u64;
        self.edge = edge;
        self.note = note;
        if let Some(next) = next {
            self.signer = next;
        }
        Ok(())
    }

    /// Room for frames, a checkpoint and the reserve behind them; in a new segment where this one
    /// is long enough.
    fn make_room(&mut self, frames: u64) -> Result<(), Failure> {
        // A checkpoint takes no more than its part of the reserve.
        let needed = frames + RESERVE + RESERVE / 4;
        let full = |error: io::Error| Failure::new("the journal cannot grow", &error);
        if self.used + needed > self.growth.segment && self.size() > self.first {
            self.begin_segment(needed).map_err(|error| Failure::new(NO_SEGMENT, &error))?;
        }
        if self.used + needed > self.allocated {
            let step = self.growth.step.max(1);
            let allocated = (self.used + needed).next_multiple_of(step);
            self.file.allocate(allocated).map_err(full)?;
            self.allocated = allocated;
        }
        Ok(())
    }

    /// A segment appears under its name only once its head is durable.
    fn begin_segment(&mut self, needed: u64) -> io::Result<()> {
        let name = format!("{FOLDER}/{}", segment_name(self.size()));
        let beside = format!("{name}.new");
        let mut head = Vec::new();
        journal::write_head(self.signer.vkey().name(), &self.edge, &self.note, &mut head);
        let used = head.len() as u64;
        let allocated = (used + needed).next_multiple_of(self.growth.step.max(1));
        let file = self.files.create(&beside)?;
        file.allocate(allocated)?;
        file.write_at(&head, 0)?;
        file.sync()?;
        // From here on the segment before may be closed, and no last entry can go there.
        let last_words = self.last_words.take();
        self.files.rename(&beside, &name)?;
        self.files.sync_folder(FOLDER)?;
        self.last_words = last_words;
        let old = std::mem::replace(&mut self.file, file);
        let length = std::mem::replace(&mut self.used, used);
        self.first = self.size();
        self.allocated = allocated;
        // What was allocated and not used goes back; if that is lost, zeros stay.
        old.cut(length)
    }
}

// A frame of the reserve holds a last entry and a checkpoint of the largest size.
const _: () = assert!(LAST_WORDS + 8 * 1024 <= RESERVE as usize && LAST_WORDS <= MAX_ENTRY);
