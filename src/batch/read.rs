//! One file, read by position into a reused buffer and scanned.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use rustix::fs::{Advice, FileType, Mode, fadvise};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use sha2::{Digest, Sha256};

use crate::decode::SNIFF_BYTES;
use crate::engine::{Classified, Scanner};
use crate::model::{Coverage, FileReport, Inspected, Outcome, Reason};
use crate::record::{Macs, PayloadMac};

use super::beneath::{FILE_FLAGS, describe};
use super::roots::{RootPlace, kind_of, special};
use super::segments;
use super::walk::{Item, changed_kind};
use super::{Plan, Progress, blank, failed};

/// Files up to this size are read whole and scanned in one piece.
const WHOLE_BYTES: usize = 1 << 20;

/// Bytes of one read of a larger file.
const PIECE_BYTES: usize = 256 << 10;

/// Files that are announced before the one that is read, where reads wait for the disk.
pub(super) const AHEAD: usize = 32;

/// A part of the smallest page that the kernel keeps of a file.
const PAGE_BYTES: usize = 4096;

/// For so many files after one whose bytes were not in memory.
const WAITING: u32 = 256;

/// Reads and scans files, one after the other.
pub(super) struct Reader<'a> {
    plan: &'a Plan<'a>,
    scanner: &'a Scanner,
    progress: &'a Progress,
    stopping: &'a dyn Fn() -> bool,
    /// Held by whoever scans a file with more than one thread.
    large: &'a Mutex<()>,
    buffer: Vec<u8>,
    /// Size of the file at hand, for the report of a file that broke the engine.
    size: u64,
    /// When the file at hand was opened.
    begun: Instant,
    interrupted: bool,
    /// For how many files more those that follow are announced.
    waiting: u32,
}

/// What reading a file gave.
struct Reading {
    classified: Option<Classified>,
    /// Bytes that were scanned.
    bytes: u64,
    flaw: Option<Flaw>,
    digest: Option<[u8; 32]>,
    mac: Option<[u8; 32]>,
}

/// What was read of a file that is read in pieces.
struct Pieces {
    bytes: u64,
    flaw: Option<Flaw>,
    digest: Option<[u8; 32]>,
    mac: Option<[u8; 32]>,
}

/// Why the bytes that were scanned are not the file.
enum Flaw {
    Shrank,
    Grew,
    Interrupted,
    Unreadable(io::Error),
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        plan: &'a Plan<'_>,
        scanner: &'a Scanner,
        progress: &'a Progress,
        stopping: &'a dyn Fn() -> bool,
        large: &'a Mutex<()>,
    ) -> Reader<'a> {
        // One byte more than is wanted shows at once whether a file has grown.
        let buffer = vec![0; WHOLE_BYTES + 1];
        Reader {
            plan,
            scanner,
            progress,
            stopping,
            large,
            buffer,
            size: 0,
            begun: Instant::now(),
            interrupted: false,
            waiting: 0,
        }
    }

    /// Whether it is worth announcing files, since reads wait for the disk.
    pub(super) fn is_waiting(&self) -> bool {
        // In tests always, so that they have it.
        self.waiting > 0 || cfg!(test)
    }

    /// Whether the last file was cut short because the run is to end.
    pub(super) fn was_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Opens, reads and scans a file.
    pub(super) fn report(&mut self, item: &Item<'_>) -> FileReport {
        self.size = 0;
        self.begun = Instant::now();
        self.interrupted = false;
        let path = item.root.join(&item.below);
        let (file, size) = match open(item) {
            Ok(Opened::File(file, size)) => (file, size),
            Ok(Opened::Special(kind)) => {
                return FileReport {
                    problem: Some(kind.to_owned()),
                    ..blank(path, Outcome::Skipped)
                };
            }
            Err(error) => return self.failed(item, describe(&error)),
        };
        self.size = size;
        if self.plan.max_file_size.is_some_and(|limit| size > limit) {
            return FileReport {
                bytes: size,
                problem: Some("larger than the size limit".to_owned()),
                ..blank(path, Outcome::Skipped)
            };
        }
        let reading = self.read(&file, size);
        self.finish(item, reading)
    }

    /// The report of a file on which the engine failed.
    pub(super) fn broken(&self, item: &Item<'_>) -> FileReport {
        self.failed(item, "an inner step failed".to_owned())
    }

    fn failed(&self, item: &Item<'_>, problem: String) -> FileReport {
        FileReport { bytes: self.size, ..failed(self.plan, item.root.join(&item.below), problem) }
    }

    fn finish(&mut self, item: &Item<'_>, reading: Reading) -> FileReport {
        let Reading { classified, bytes, flaw, digest, mac } = reading;
        let Some(mut classified) = classified else {
            let problem = flaw.map_or_else(String::new, |flaw| flaw.describe());
            return self.failed(item, problem);
        };
        let label = &mut classified.label;
        if flaw.is_some() {
            label.coverage.join(&Coverage::partial(Reason::Error));
        }
        self.interrupted = matches!(flaw, Some(Flaw::Interrupted));
        let outcome = match flaw {
            Some(Flaw::Unreadable(_)) => Outcome::Failed,
            _ if label.coverage.is_complete() => Outcome::Scanned,
            _ => Outcome::Partial,
        };
        let ruling = self.plan.rulings.as_ref().map(|rulings| match outcome {
            Outcome::Failed => rulings.failed.clone(),
            _ => (rulings.of)(label),
        });
        let latency_us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (effect, reason) = ruling.map(|it| (it.effect, it.reason)).unzip();
        let found: u64 = label.categories.values().map(|count| count.count).sum();
        self.progress.findings.fetch_add(found, Relaxed);
        let problem = match flaw {
            Some(flaw) => Some(flaw.describe()),
            None => explain(&label.coverage, classified.format.opaque),
        };
        FileReport {
            path: item.root.join(&item.below),
            commit: None,
            bytes: self.size.max(bytes),
            outcome,
            problem,
            chain: crate::respond::chain(classified.format),
            label: Some(classified.label),
            findings: classified.findings,
            identities: Vec::new(),
            excepted: Vec::new(),
            truncated: classified.truncated,
            digest,
            effect,
            reason,
            inspected: mac.map(|mac| Inspected { bytes, mac, latency_us }),
        }
    }

    /// Reads and scans an open file, up to the size that it had when it was opened.
    fn read(&mut self, file: &File, size: u64) -> Reading {
        match usize::try_from(size) {
            Ok(size) if size <= WHOLE_BYTES => self.read_whole(file, size),
            _ => self.read_in_pieces(file, size),
        }
    }

    fn read_whole(&mut self, file: &File, size: usize) -> Reading {
        self.waiting = self.waiting.saturating_sub(1);
        let mut filled = 0;
        let mut flaw = None;
        let wanted = size + 1;
        if let Some(space) = self.buffer.get_mut(..wanted) {
            match read_at_once(file, space) {
                Some(read) => filled = read,
                None => self.waiting = WAITING,
            }
        }
        // All of it, and the end: a byte more could only stand in a page that was not there.
        let is_read = filled == size && !size.is_multiple_of(PAGE_BYTES);
        while let Some(space) =
            self.buffer.get_mut(filled..wanted).filter(|space| !is_read && !space.is_empty())
        {
            let space_bytes = space.len();
            match read_at(file, space, filled as u64) {
                Ok(0) => break,
                Ok(read) => {
                    filled += read;
                    // A read that is short of the one byte too many has met the end.
                    if filled == size && read < space_bytes {
                        break;
                    }
                }
                Err(error) => {
                    flaw = Some(Flaw::Unreadable(error));
                    break;
                }
            }
        }
        if flaw.is_none() {
            flaw = match filled {
                _ if filled < size => Some(Flaw::Shrank),
                _ if filled > size => Some(Flaw::Grew),
                _ => None,
            };
        }
        let payload = self.buffer.get(..filled.min(size)).unwrap_or_default();
        let nothing = payload.is_empty() && matches!(flaw, Some(Flaw::Unreadable(_)));
        let classified = (!nothing).then(|| self.scanner.scan(payload));
        self.progress.bytes.fetch_add(payload.len() as u64, Relaxed);
        let hash = self.plan.digests && flaw.is_none();
        let digest = hash.then(|| Sha256::digest(payload).into());
        let mac = self.plan.macs.map(|macs| macs.payload(payload));
        Reading { classified, bytes: payload.len() as u64, flaw, digest, mac }
    }

    /// For files of any size: one pass, a bounded part in memory. One file at a time gets all
    /// threads.
    fn read_in_pieces(&mut self, file: &File, size: u64) -> Reading {
        let threads = self.plan.threads;
        let large = self.large;
        let turn = if threads.get() > 1 && size >= segments::PARALLEL_BYTES {
            large.try_lock().ok()
        } else {
            None
        };
        let splitter = turn.as_ref().and_then(|_| {
            let head = self.buffer.get_mut(..SNIFF_BYTES)?;
            // A read that is cut short does not decide the format: the stream below gathers it.
            read_at(file, head, 0).ok().filter(|read| *read == SNIFF_BYTES)?;
            self.scanner.split(head, segments::SEGMENT_BYTES)
        });
        let scanner = self.scanner;
        let (classified, pieces) = match splitter {
            Some(splitter) => {
                segments::scan(scanner, splitter, threads, |take| self.pieces(file, size, take))
            }
            None => {
                let mut stream = scanner.stream();
                let pieces = self.pieces(file, size, &mut |piece| {
                    stream.push(piece);
                });
                (stream.finish(), pieces)
            }
        };
        let Pieces { bytes, flaw, digest, mac } = pieces;
        let nothing = bytes == 0 && matches!(flaw, Some(Flaw::Unreadable(_)));
        Reading { classified: (!nothing).then_some(classified), bytes, flaw, digest, mac }
    }

    /// Reads a file up to `size`, piece by piece.
    fn pieces(&mut self, file: &File, size: u64, take: &mut dyn FnMut(&[u8])) -> Pieces {
        let mut hash = self.plan.digests.then(Sha256::new);
        let mut mac = self.plan.macs.map(Macs::begin_payload);
        let mut offset = 0;
        let mut flaw = None;
        while offset < size {
            if (self.stopping)() {
                flaw = Some(Flaw::Interrupted);
                break;
            }
            let wanted = usize::try_from(size - offset).unwrap_or(usize::MAX).min(PIECE_BYTES);
            let Some(space) = self.buffer.get_mut(..wanted) else { break };
            let piece = match read_at(file, space, offset) {
                Ok(0) => {
                    flaw = Some(Flaw::Shrank);
                    break;
                }
                Ok(read) => space.get(..read).unwrap_or_default(),
                Err(error) => {
                    flaw = Some(Flaw::Unreadable(error));
                    break;
                }
            };
            if let Some(hash) = &mut hash {
                hash.update(piece);
            }
            if let Some(mac) = &mut mac {
                mac.update(piece);
            }
            take(piece);
            offset += piece.len() as u64;
            self.progress.bytes.fetch_add(piece.len() as u64, Relaxed);
        }
        if flaw.is_none() && read_at(file, &mut [0], size).is_ok_and(|read| read > 0) {
            flaw = Some(Flaw::Grew);
        }
        let digest = hash.filter(|_| flaw.is_none()).map(|hash| hash.finalize().into());
        Pieces { bytes: offset, flaw, digest, mac: mac.map(PayloadMac::finish) }
    }
}

impl Flaw {
    fn describe(&self) -> String {
        match self {
            Flaw::Shrank => "shrank while it was read".to_owned(),
            Flaw::Grew => {
                "grew while it was read: scanned up to its size when it was opened".to_owned()
            }
            Flaw::Interrupted => "interrupted".to_owned(),
            Flaw::Unreadable(error) => format!("cannot be read: {}", describe(error)),
        }
    }
}

/// What an opened path turned out to be.
pub(super) enum Opened {
    /// A regular file and its size.
    File(File, u64),
    /// Something that is not read.
    Special(&'static str),
}

/// Opens a file below its root, or the root itself, and looks at what it is before it is read.
pub(super) fn open(item: &Item<'_>) -> io::Result<Opened> {
    let descriptor = match &item.root.place {
        RootPlace::Directory(beneath) => beneath.open_file(&item.below),
        _ => rustix::fs::openat(rustix::fs::CWD, &item.root.path, FILE_FLAGS, Mode::empty())
            .map_err(io::Error::from),
    };
    let descriptor: OwnedFd = match descriptor {
        // Opening a socket fails like this, and so does a path whose directory became a file.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            return Ok(Opened::Special("socket"));
        }
        Err(error) if changed_kind(&error) => {
            return Err(io::Error::other("changed its kind during the scan"));
        }
        other => other?,
    };
    let stat = rustix::fs::fstat(&descriptor)?;
    match kind_of(&stat) {
        FileType::RegularFile => {
            let size = u64::try_from(stat.st_size).unwrap_or(0);
            Ok(Opened::File(File::from(descriptor), size))
        }
        FileType::Directory => Err(io::Error::other("changed its kind during the scan")),
        other => Ok(Opened::Special(special(other))),
    }
}

impl Item<'_> {
    /// Size of the file, 0 where it cannot be told.
    pub(super) fn size(&self) -> u64 {
        match &self.root.place {
            RootPlace::Directory(beneath) => {
                beneath.stat(&self.below).map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0))
            }
            _ => std::fs::metadata(&self.root.path).map_or(0, |metadata| metadata.len()),
        }
    }
}

/// Reads from the beginning what can be had without waiting for the disk; none where that is nothing,
/// although the file may hold something.
fn read_at_once(file: &File, space: &mut [u8]) -> Option<usize> {
    let mut space = [IoSliceMut::new(space)];
    match preadv2(file, &mut space, 0, ReadWriteFlags::NOWAIT) {
        Err(Errno::AGAIN) => None,
        // Not every file system can tell; what fails is told by the read that follows.
        other => Some(other.unwrap_or(0)),
    }
}

/// Has the kernel read the beginning of a file that will be scanned soon. What fails here fails again,
/// and is told, when the file is scanned.
pub(super) fn announce(item: &Item<'_>) {
    if let Ok(Opened::File(file, size)) = open(item) {
        let length = size.min(WHOLE_BYTES as u64);
        // Advice alone: a file system that has no use for it reads as before.
        let _ = fadvise(&file, 0, length.try_into().ok(), Advice::WillNeed);
    }
}

fn read_at(file: &File, space: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(space, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Why a file that was read whole is not wholly inspected; none where it is.
fn explain(coverage: &Coverage, opaque: Option<&'static str>) -> Option<String> {
    let reasons: Vec<&str> = coverage
        .reasons
        .iter()
        .map(|reason| match reason {
            Reason::Opaque => opaque.unwrap_or("opaque"),
            Reason::Limit => "a limit was reached",
            Reason::Deadline => "time ran out",
            Reason::Damaged => "damaged content",
            Reason::Error => "an inner step failed",
            Reason::EarlyBlock => "stopped early",
        })
        .collect();
    (!reasons.is_empty()).then(|| reasons.join(", "))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::super::{Filter, Roots};
    use super::*;
    use crate::batch::walk::Met;
    use crate::engine::Options;
    use crate::rules::RuleSet;

    /// Reads a file as if its size had been `size` when it was opened.
    fn read(content: &[u8], size: u64, stops: bool) -> Reading {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, content).unwrap();
        with_reader(&PathBuf::from("."), stops, |reader, _| reader.read(&file, size))
    }

    fn with_reader<T>(
        path: &std::path::Path,
        stops: bool,
        work: impl FnOnce(&mut Reader<'_>, &Plan<'_>) -> T,
    ) -> T {
        let plan = Plan {
            roots: Roots::check(&[path.to_owned()]).unwrap(),
            filter: Filter::default(),
            max_file_size: None,
            threads: NonZeroUsize::MIN,
            digests: true,
            rulings: None,
            macs: None,
            leave_out: Vec::new(),
            estimate: false,
        };
        let scanner = Scanner::new(Arc::new(RuleSet::default()), Options::default());
        let progress = Progress::default();
        let stopping = || stops;
        let large = Mutex::new(());
        let mut reader = Reader::new(&plan, &scanner, &progress, &stopping, &large);
        work(&mut reader, &plan)
    }

    #[test]
    fn whole_and_in_pieces_the_digest_is_that_of_the_file() {
        for size in [0, 1, WHOLE_BYTES - 1, WHOLE_BYTES, WHOLE_BYTES + 1, 5 * PIECE_BYTES + 77] {
            let content: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let reading = read(&content, size as u64, false);
            assert!(reading.flaw.is_none(), "{size}");
            assert_eq!(reading.bytes, size as u64);
            assert_eq!(reading.digest, Some(Sha256::digest(&content).into()), "{size}");
        }
    }

    #[test]
    fn files_that_shrink_or_grow_are_read_as_far_as_they_go() {
        let large = 2 * WHOLE_BYTES;
        for (content, size) in [(10, 20), (0, 5), (4096, 4097), (4095, 4096), (large, large + 1)] {
            let reading = read(&vec![b'x'; content], size as u64, false);
            assert!(matches!(reading.flaw, Some(Flaw::Shrank)), "{content} of {size}");
            assert_eq!((reading.bytes, reading.digest), (content as u64, None));
        }
        // Of 4,096 bytes a read that waits for nothing has not met the end.
        for (content, size) in [(20, 10), (1, 0), (4097, 4096), (8193, 8191), (large + 1, large)] {
            let reading = read(&vec![b'x'; content], size as u64, false);
            assert!(matches!(reading.flaw, Some(Flaw::Grew)), "{content} of {size}");
            assert_eq!((reading.bytes, reading.digest), (size as u64, None));
        }
    }

    #[test]
    fn an_interrupted_file_is_partial_and_a_vanished_one_failed() {
        let size = 2 * WHOLE_BYTES;
        let reading = read(&vec![b'x'; size], size as u64, true);
        assert!(matches!(reading.flaw, Some(Flaw::Interrupted)));

        let tree = tempfile::tempdir().unwrap();
        let file = tree.path().join("large");
        std::fs::write(&file, vec![b'x'; size]).unwrap();
        std::os::unix::fs::symlink("large", tree.path().join("link")).unwrap();
        with_reader(tree.path(), true, |reader, plan| {
            let root = plan.roots.kept.first().unwrap();
            let item = |name: &str| Item { root, below: PathBuf::from(name), met: Met::File };
            let report = reader.report(&item("large"));
            assert!(reader.was_interrupted());
            assert_eq!((report.outcome, report.bytes), (Outcome::Partial, size as u64));
            assert_eq!(report.problem.as_deref(), Some("interrupted"));
            assert_eq!(report.label.unwrap().coverage, Coverage::partial(Reason::Error));
            // A file that is announced need not be one.
            ["gone", "link", "large"].iter().for_each(|name| announce(&item(name)));
            let gone = reader.report(&item("gone"));
            assert_eq!(gone.outcome, Outcome::Failed);
            assert_eq!(gone.problem.as_deref(), Some("vanished before it could be opened"));
            let link = reader.report(&item("link"));
            assert_eq!(link.problem.as_deref(), Some("a symbolic link took its place"));
        });
    }

    #[test]
    fn a_path_that_became_something_else_is_not_read() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join("directory")).unwrap();
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, tree.path().join("fifo"), mode).unwrap();
        with_reader(tree.path(), false, |reader, plan| {
            let root = plan.roots.kept.first().unwrap();
            let item = |name: &str| Item { root, below: PathBuf::from(name), met: Met::File };
            assert_eq!(reader.report(&item("directory")).outcome, Outcome::Failed);
            let fifo = reader.report(&item("fifo"));
            assert_eq!((fifo.outcome, fifo.problem.as_deref()), (Outcome::Skipped, Some("fifo")));
        });
    }
}
