//! Segments of the journal: how they are written, and how they are read back commit by commit.
//!
//! A segment begins with a head and the checkpoint over all entries before it. Then come commits:
//! one or more entries and the checkpoint over all entries up to there, written with one call and
//! acknowledged after one sync. Behind them lie zeros, space that is allocated and not used.
//!
//! Promised: a commit is given out only where every frame holds and the tree over its entries is
//! the one that its checkpoint states (whose signature is the caller's to check). What lies behind
//! the last commit is a torn tail only if a write that never reached the disk explains it: the data
//! end within a frame, or a whole sector of the commit is missing. Anything else is damage.

use std::fmt;
use std::io;

use memchr::memmem;

use crate::record::files::Files;
use crate::record::frame::{self, Fault, Frame, HEADER, Kind};
use crate::record::merkle::{Edge, Hash};
use crate::record::note::{Checkpoint, MAX_NOTE, Note};

/// Bytes that a disk writes wholly or not at all.
const SECTOR: usize = 512;

/// Entries that a log can have; far more than can be.
const MAX_SIZE: u64 = 1 << 62;

/// Places in a torn tail that may look like a checkpoint; each of them is hashed.
const LOOK_ALIKES: usize = 256;

/// How often a segment that changes is read again.
const READS: usize = 20;

/// The format of the segments that are written.
const VERSION: u8 = 1;

/// The folder of the segments.
pub const FOLDER: &str = "journal";

/// How the name of a segment ends.
const SUFFIX: &str = ".seg";

/// The name of the segment that begins with this sequence number.
pub fn segment_name(first: u64) -> String {
    format!("{first:020}{SUFFIX}")
}

/// The sequence number in the name of a segment.
pub fn segment_first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let first = digits.parse().ok()?;
    (segment_name(first) == name).then_some(first)
}

/// Writes the head of a segment: the size so far, with its signed checkpoint.
pub fn write_head(origin: &str, edge: &Edge, note: &str, out: &mut Vec<u8>) {
    let first = edge.size().to_be_bytes();
    frame::write(Kind::Segment, &[&[VERSION], &first[..], origin.as_bytes()].concat(), out);
    write_mark(edge.size(), edge, note, out);
}

/// Writes the end of a commit: the size before it, the edge of the tree and the signed checkpoint
/// over it.
pub fn write_mark(before: u64, edge: &Edge, note: &str, out: &mut Vec<u8>) {
    let sizes = [before.to_be_bytes(), edge.size().to_be_bytes()];
    let hashes = edge.hashes().as_flattened();
    let content = [sizes.as_flattened(), hashes, note.as_bytes()].concat();
    frame::write(Kind::Checkpoint, &content, out);
}

/// Reads a segment that may be written meanwhile. A reader that is overtaken by the writer sees
/// commits with a hole before them; what is damaged is damaged when it is read again.
///
/// # Errors
/// Those of the system.
pub fn read_settled(files: &dyn Files, path: &str, origin: &str) -> io::Result<Vec<u8>> {
    let mut bytes = files.read(path)?;
    for _ in 0..READS {
        let Ok(mut segment) = Segment::open(&bytes, origin) else { break };
        let end = loop {
            match segment.commit() {
                Ok(Ok(_)) => {}
                Ok(Err(tail)) => break Ok(tail),
                Err(damage) => break Err(damage),
            }
        };
        if end.is_ok() {
            break;
        }
        let again = files.read(path)?;
        if again == bytes {
            break;
        }
        bytes = again;
    }
    Ok(bytes)
}

/// A checkpoint in the journal: what its note says, and the edge it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark<'a> {
    /// Entries before the commit that it ends.
    pub before: u64,
    /// What the note says.
    pub checkpoint: Checkpoint,
    /// The signed note; whoever takes the mark has to check it.
    pub note: &'a [u8],
    /// The edge of the tree, which has the root that the note states.
    pub edge: Edge,
}

impl<'a> Mark<'a> {
    fn parse(content: &'a [u8]) -> Option<Mark<'a>> {
        let (before, rest) = content.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk()?;
        let (before, size) = (u64::from_be_bytes(*before), u64::from_be_bytes(*size));
        let (hashes, note) =
            rest.split_at_checked(size.count_ones() as usize * size_of::<Hash>())?;
        let (hashes, _) = hashes.as_chunks();
        let edge = Edge::from_parts(size, hashes.to_vec())?;
        if note.len() > MAX_NOTE || size > MAX_SIZE {
            return None;
        }
        let checkpoint = Checkpoint::parse(Note::parse(note).ok()?.text).ok()?;
        (checkpoint.size == size && checkpoint.root == edge.root()).then_some(Mark {
            before,
            checkpoint,
            note,
            edge,
        })
    }
}

/// An entry in a commit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    /// Its sequence number, from zero.
    pub sequence: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its leaf hash.
    pub hash: Hash,
}

impl fmt::Debug for Stored<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stored(#{}, {} bytes)", self.sequence, self.bytes.len())
    }
}

/// Entries that became durable together.
#[derive(Debug)]
pub struct Commit<'a> {
    /// The entries, one at least.
    pub entries: Vec<Stored<'a>>,
    /// The checkpoint behind them.
    pub mark: Mark<'a>,
}

/// What lies behind the last commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing but zeros.
    Clean,
    /// A commit that was never acknowledged, since it is not all there.
    Torn {
        /// Bytes up to the last one that is not zero.
        bytes: u64,
        /// Entries in it that are whole.
        entries: u64,
    },
}

/// Why a segment does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The head is no head of a segment of this log.
    #[error("its head is damaged, or of another log")]
    Head,
    /// A frame is damaged, and no write that was cut short explains it.
    #[error("the frame at byte {at} is damaged")]
    Frame {
        /// Its offset.
        at: u64,
    },
    /// A checkpoint is not that of the entries before it.
    #[error("the checkpoint at byte {at} is not that of the entries before it")]
    Root {
        /// Its offset.
        at: u64,
    },
}

/// A segment that is read, commit by commit.
pub struct Segment<'a> {
    bytes: &'a [u8],
    opening: Mark<'a>,
    edge: Edge,
    /// Behind the last commit.
    at: usize,
}

impl<'a> Segment<'a> {
    /// Reads the head.
    ///
    /// # Errors
    /// [`Damage::Head`] where there is none, or the log has another origin.
    pub fn open(bytes: &'a [u8], origin: &str) -> Result<Segment<'a>, Damage> {
        let head = frame::read(bytes, 0).map_err(|_| Damage::Head)?;
        let mark = frame::read(bytes, head.end).map_err(|_| Damage::Head)?;
        if head.kind != Kind::Segment || mark.kind != Kind::Checkpoint {
            return Err(Damage::Head);
        }
        let opening = Mark::parse(mark.content).ok_or(Damage::Head)?;
        let first = opening.edge.size().to_be_bytes();
        let expected = [&[VERSION], &first[..], origin.as_bytes()].concat();
        let is_opening =
            opening.before == opening.edge.size() && opening.checkpoint.origin == origin;
        if head.content != expected || !is_opening {
            return Err(Damage::Head);
        }
        let edge = opening.edge.clone();
        Ok(Segment { bytes, opening, edge, at: mark.end })
    }

    /// The checkpoint that the segment begins with, over all entries before it.
    pub fn opening(&self) -> &Mark<'a> {
        &self.opening
    }

    /// The edge behind the last commit that was given out.
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    /// The offset behind the last commit that was given out.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The next commit, or what lies behind the last one.
    ///
    /// # Errors
    /// [`Damage`] that no cut write explains.
    pub fn commit(&mut self) -> Result<Result<Commit<'a>, Tail>, Damage> {
        let mut edge = self.edge.clone();
        let mut entries = Vec::new();
        let mut at = self.at;
        loop {
            let read = frame::read(self.bytes, at);
            match read {
                Ok(Frame { kind: Kind::Entry, content, hash, end }) => {
                    entries.push(Stored { sequence: edge.size(), bytes: content, hash });
                    edge.push(hash);
                    at = end;
                }
                Ok(Frame { kind: Kind::Checkpoint, content, end, .. }) => {
                    let fits = |mark: &Mark<'_>| {
                        mark.before == self.edge.size()
                            && mark.edge == edge
                            && mark.checkpoint.origin == self.opening.checkpoint.origin
                            && !entries.is_empty()
                    };
                    let wrong = Damage::Root { at: at as u64 };
                    let mark = Mark::parse(content).filter(fits).ok_or(wrong)?;
                    self.edge = edge;
                    self.at = end;
                    return Ok(Ok(Commit { entries, mark }));
                }
                Ok(Frame { kind: Kind::Segment, .. }) => {
                    return Err(Damage::Frame { at: at as u64 });
                }
                Err(fault) => {
                    let last = self.last_written();
                    if last == self.at {
                        return Ok(Err(Tail::Clean));
                    }
                    if !self.is_torn(at, fault, last) {
                        return Err(Damage::Frame { at: at as u64 });
                    }
                    let bytes = (last - self.at) as u64;
                    return Ok(Err(Tail::Torn { bytes, entries: entries.len() as u64 }));
                }
            }
        }
    }

    /// The offset behind the last byte that is not zero, at least that behind the last commit.
    fn last_written(&self) -> usize {
        let tail = self.bytes.get(self.at..).unwrap_or_default();
        self.at + tail.iter().rposition(|byte| *byte != 0).map_or(0, |position| position + 1)
    }

    /// Whether a write that did not reach the disk explains the fault at an offset.
    fn is_torn(&self, at: usize, fault: Fault, last: usize) -> bool {
        // A commit is written after the one before it was synced: a checkpoint that is there can
        // only be that of the torn commit itself, and nothing lies behind it.
        let own = |frame: &Frame<'_>| {
            let mark = Mark::parse(frame.content);
            frame.end == last && mark.is_some_and(|mark| mark.before == self.edge.size())
        };
        let Some(mut marks) = self.marks(at, last) else { return false };
        let marked = marks.next();
        if marked.is_some_and(|frame| !own(&frame)) || marks.next().is_some() {
            return false;
        }
        let end = match fault {
            Fault::Blank | Fault::Header => at + HEADER,
            Fault::Short => usize::MAX,
            Fault::Hash(end) => end,
        };
        // A frame that is whole but for its stated length is no torn one.
        let ends_early = end > last && !self.is_whole(at, last);
        (ends_early && marked.is_none()) || self.lacks_sector(at, end.min(last))
    }

    /// The checkpoint frames that hold, behind `at` and up to `last`; none where more places look
    /// like one than a commit can have.
    fn marks(&self, at: usize, last: usize) -> Option<impl Iterator<Item = Frame<'a>> + use<'a>> {
        let written = self.bytes.get(..last).unwrap_or_default();
        let behind = written.get(at..).unwrap_or_default();
        let begins = memmem::find_iter(behind, b"SL\x02\0").take(LOOK_ALIKES + 1);
        let begins: Vec<usize> = begins.collect();
        let read = move |offset| frame::read(written, at + offset).ok();
        (begins.len() <= LOOK_ALIKES).then(|| begins.into_iter().filter_map(read))
    }

    /// Whether all that was written from `at` on is one frame, as its hash says.
    fn is_whole(&self, at: usize, last: usize) -> bool {
        let frame = self.bytes.get(at..last).unwrap_or_default();
        let Some((header, content)) = frame.split_at_checked(HEADER) else { return false };
        let hash = header.get(HEADER - size_of::<Hash>()..).unwrap_or_default();
        [Kind::Entry, Kind::Checkpoint].into_iter().any(|kind| kind.hash(content) == hash)
    }

    /// Whether a sector that the bytes `at..end` touch holds nothing of this commit.
    fn lacks_sector(&self, at: usize, end: usize) -> bool {
        (at / SECTOR..end.div_ceil(SECTOR)).any(|sector| {
            let begin = self.at.max(sector * SECTOR);
            let stop = self.bytes.len().min((sector + 1) * SECTOR);
            let sector = self.bytes.get(begin..stop).unwrap_or_default();
            sector.iter().all(|byte| *byte == 0)
        })
    }
}
