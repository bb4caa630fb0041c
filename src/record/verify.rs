//! Verification: all that is in a state directory and its archive, with public keys alone.
//!
//! Every segment is read, every frame and tree checked, and every signature by a known key. A key is
//! known if it was given, or if an entry of kind `key_rotate` names it under a checkpoint that a
//! known key signed as well; from then on the key before it signs no more. The report says what is
//! proven, what is not, and what is wrong.

use std::io;

use serde::Serialize;

use crate::record::files::Files;
use crate::record::header::Header;
use crate::record::journal::{self, Commit, FOLDER, Segment, Tail};
use crate::record::merkle::{Edge, Hash, from_leaves, tree_root};
use crate::record::note::{Checkpoint, Note, NoteError, Vkey};
use crate::record::recover::ANCHORS;
use crate::record::state::CHECKPOINT;
use crate::record::tiles::{self, Tiles};

/// Faults that a report lists; more are counted.
const LISTED: usize = 100;

/// What verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The name of the log.
    pub origin: String,
    /// Entries of the log, as its last signed checkpoint states.
    pub size: u64,
    /// The root at that size, in hex.
    pub root: String,
    /// The first entry whose bytes were read. Those before it are archived, or gone.
    pub first: u64,
    /// Entries whose bytes were read and are under a signed root.
    pub entries: u64,
    /// Segments that were read, in the journal and in the archive.
    pub segments: u64,
    /// Segments among them that were read in the archive.
    pub archived: u64,
    /// Checkpoints in the journal whose signature was checked.
    pub checkpoints: u64,
    /// Checkpoints in the journal that were signed by keys that are not known. Their entries are
    /// under later ones.
    pub unknown_key: u64,
    /// Entries under the published checkpoint.
    pub published: Option<u64>,
    /// Tiles that were compared with the journal.
    pub tiles: u64,
    /// Whether tiles could be compared at all: that takes every entry from the first.
    pub tiles_checked: bool,
    /// Exported checkpoints that are of this log.
    pub anchors: u64,
    /// Exported checkpoints whose entries are not here, so that only their size was compared.
    pub anchors_unproven: u64,
    /// Bytes behind the last checkpoint: being written, or left by a crash.
    pub unfinished: u64,
    /// Entries that state another sequence number than their own.
    pub misnumbered: u64,
    /// What is wrong; empty where all holds. At most 100.
    pub faults: Vec<String>,
    /// Faults that are not listed.
    pub more_faults: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn holds(&self) -> bool {
        self.faults.is_empty()
    }

    fn fault(&mut self, fault: String) {
        if self.faults.len() < LISTED {
            self.faults.push(fault);
        } else {
            self.more_faults += 1;
        }
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// No key was given.
    #[error("no public key was given")]
    NoKey,
    /// The keys are of different logs.
    #[error("the public keys are of different logs")]
    OtherLog,
    /// The system says no.
    #[error("cannot read `{file}`")]
    Io {
        /// The file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
}

/// Verifies what is in a state directory, with the segments in `archive` before those in its
/// journal.
///
/// # Errors
/// [`VerifyError`] where files cannot be read; what is wrong with them is in the report.
pub fn verify(
    files: &dyn Files,
    archive: Option<&dyn Files>,
    keys: &[Vkey],
) -> Result<Report, VerifyError> {
    let origin = keys.first().ok_or(VerifyError::NoKey)?.name().to_owned();
    if keys.iter().any(|key| key.name() != origin) {
        return Err(VerifyError::OtherLog);
    }
    // Before the journal, which may grow meanwhile.
    let exported = exported(files)?;
    let report = Report { origin, ..Report::default() };
    let mut verifier = Verifier {
        report,
        known: keys.to_vec(),
        retired: Vec::new(),
        leaves: Vec::new(),
        edge: None,
    };
    let mut segments = Vec::new();
    if let Some(archive) = archive {
        let found = segments_in(archive, "")?;
        segments.extend(found.into_iter().map(|first| (first, archive, String::new())));
    }
    for first in segments_in(files, FOLDER)? {
        // One that was archived and is still here is read here.
        segments.retain(|(archived, _, _)| *archived != first);
        segments.push((first, files, format!("{FOLDER}/")));
    }
    segments.sort_by_key(|(first, _, _)| *first);
    let last = segments.last().map(|(first, _, _)| *first);
    if last.is_none() {
        verifier.report.fault("the journal is empty".to_owned());
    }
    for (first, files, folder) in segments {
        let name = format!("{folder}{}", journal::segment_name(first));
        let read = || journal::read_settled(files, &name, &verifier.report.origin);
        let bytes = found(&name, read())?;
        verifier.segment(&name, first, &bytes, Some(first) == last);
        verifier.report.archived += u64::from(folder.is_empty());
    }
    for (name, note) in exported {
        verifier.exported(&name, note);
    }
    verifier.tiles(files)?;
    Ok(verifier.report)
}

struct Verifier {
    report: Report,
    known: Vec<Vkey>,
    /// Keys that a rotation replaced.
    retired: Vec<Vkey>,
    /// The leaf hashes from [`Report::first`] on.
    leaves: Vec<Hash>,
    /// The edge behind the last segment that was read.
    edge: Option<Edge>,
}

impl Verifier {
    fn segment(&mut self, name: &str, first: u64, bytes: &[u8], last: bool) {
        let mut segment = match Segment::open(bytes, &self.report.origin) {
            Ok(segment) if segment.opening().edge.size() == first => segment,
            Ok(_) => return self.report.fault(format!("{name}: its name is not its first entry")),
            Err(damage) => return self.report.fault(format!("{name}: {damage}")),
        };
        let opening = segment.opening();
        match &self.edge {
            Some(edge) if *edge != opening.edge => {
                let size = edge.size();
                self.report.fault(format!(
                    "{name}: begins at entry {first} with another tree than the {size} entries before it"
                ));
            }
            Some(_) => {}
            None => self.report.first = first,
        }
        self.signed(name, opening.note, None);
        self.report.segments += 1;
        let mut signed = true;
        loop {
            match segment.commit() {
                Ok(Ok(commit)) => signed = self.commit(name, &commit),
                Ok(Err(tail)) => {
                    if let Tail::Torn { bytes, .. } = tail {
                        self.report.unfinished += bytes;
                        if !last {
                            self.report
                                .fault(format!("{name}: {bytes} bytes behind its last checkpoint"));
                        }
                    }
                    break;
                }
                Err(damage) => {
                    self.report.fault(format!("{name}: {damage}"));
                    break;
                }
            }
        }
        let edge = segment.edge();
        if last && !signed {
            self.report.fault(format!("{name}: its last checkpoint is by a key that is not known"));
        }
        self.report.size = edge.size();
        self.report.root = data_encoding::HEXLOWER.encode(&edge.root());
        self.edge = Some(edge.clone());
    }

    /// Whether the checkpoint of the commit is signed by a known key.
    fn commit(&mut self, name: &str, commit: &Commit<'_>) -> bool {
        let mut next = None;
        for entry in &commit.entries {
            self.leaves.push(entry.hash);
            self.report.entries += 1;
            let header = Header::parse(entry.bytes).unwrap_or_default();
            if header.sequence.is_some_and(|stated| stated != entry.sequence) {
                self.report.misnumbered += 1;
                self.report
                    .fault(format!("{name}: entry {} states another number", entry.sequence));
            }
            if header.kind == "key_rotate" {
                next = header.new_key.and_then(|key| Vkey::parse(&key).ok());
            }
        }
        self.signed(name, commit.mark.note, next)
    }

    /// Checks a signature, and lets a key that is named under it take over.
    fn signed(&mut self, name: &str, note: &[u8], next: Option<Vkey>) -> bool {
        let size =
            |note: &Note<'_>| Checkpoint::parse(note.text).map_or(0, |checkpoint| checkpoint.size);
        let Ok(note) = Note::parse(note) else { return false };
        let signers = match note.signers(&self.known) {
            Ok(signers) => signers,
            Err(NoteError::UnknownKey) => {
                self.report.unknown_key += 1;
                return false;
            }
            Err(error) => {
                self.report
                    .fault(format!("{name}: checkpoint of {} entries: {error}", size(&note)));
                return false;
            }
        };
        if signers.iter().all(|key| self.retired.contains(key)) {
            let size = size(&note);
            self.report
                .fault(format!("{name}: checkpoint of {size} entries: by a key that was replaced"));
            return false;
        }
        self.report.checkpoints += 1;
        let Some(next) = next else { return true };
        if next.name() == self.report.origin && note.signers(std::slice::from_ref(&next)).is_ok() {
            self.retired.extend(signers.into_iter().filter(|key| **key != next).cloned());
            if !self.known.contains(&next) {
                self.known.push(next);
            }
        }
        true
    }

    /// Compares a checkpoint outside the journal with it.
    fn exported(&mut self, name: &str, note: Option<Vec<u8>>) {
        let Some(note) = note else {
            return self.report.fault(format!("`{name}` is missing"));
        };
        let Some((size, compared)) = self.compared(name, &note) else { return };
        if name == CHECKPOINT {
            self.report.published = Some(size);
        } else if compared {
            self.report.anchors += 1;
        } else {
            self.report.anchors_unproven += 1;
        }
    }

    /// The size of a checkpoint, and whether its root could be compared; none where it does not
    /// hold.
    fn compared(&mut self, name: &str, note: &[u8]) -> Option<(u64, bool)> {
        let checkpoint = match Checkpoint::verified(note, &self.known) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                self.report.fault(format!("{name}: {error}"));
                return None;
            }
        };
        let size = checkpoint.size;
        if size > self.report.size {
            let held = self.report.size;
            self.report.fault(format!(
                "{name}: states {size} entries, the journal holds {held}: the log was rolled back"
            ));
            return None;
        }
        match self.root(size) {
            Some(root) if root != checkpoint.root => {
                self.report
                    .fault(format!("{name}: its {size} entries are not those of the journal"));
                None
            }
            root => Some((size, root.is_some())),
        }
    }

    /// The root at a size, where the entries up to there were read.
    fn root(&self, size: u64) -> Option<Hash> {
        if let Some(edge) = self.edge.as_ref().filter(|edge| edge.size() == size) {
            return Some(edge.root());
        }
        (self.report.first == 0).then(|| tree_root(size, &mut from_leaves(&self.leaves)).ok())?
    }

    /// Compares the tiles of the published size with those that the journal leads to.
    fn tiles(&mut self, files: &dyn Files) -> Result<(), VerifyError> {
        let published = self.report.published.and_then(|size| usize::try_from(size).ok());
        let leaves = published.and_then(|size| self.leaves.get(..size));
        let Some(leaves) = leaves.filter(|_| self.report.first == 0) else { return Ok(()) };
        self.report.tiles_checked = true;
        let mut built = Tiles::default();
        leaves.iter().for_each(|leaf| built.push(*leaf));
        for (level, number, hashes) in built.pieces() {
            let name = tiles::path(level, number, hashes.len());
            match files.read(&name) {
                Ok(content) if content == hashes.as_flattened() => self.report.tiles += 1,
                Ok(_) => self.report.fault(format!("{name}: not the hashes of the journal")),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // A newer one, with these hashes in front, may have come meanwhile.
                    let full = tiles::path(level, number, tiles::WIDTH);
                    let content = files.read(&full).unwrap_or_default();
                    if content.starts_with(hashes.as_flattened()) {
                        self.report.tiles += 1;
                    } else {
                        self.report.fault(format!("{name}: missing"));
                    }
                }
                Err(source) => return Err(VerifyError::Io { file: name, source }),
            }
        }
        Ok(())
    }
}

/// The checkpoints outside the journal, by file.
type Exported = Vec<(String, Option<Vec<u8>>)>;

fn exported(files: &dyn Files) -> Result<Exported, VerifyError> {
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let published = match files.read(CHECKPOINT) {
        Err(error) if missing(&error) => None,
        other => Some(found(CHECKPOINT, other)?),
    };
    let names = match files.list(ANCHORS) {
        Err(error) if missing(&error) => Vec::new(),
        other => found(ANCHORS, other)?,
    };
    let mut exported = vec![(CHECKPOINT.to_owned(), published)];
    for name in names.iter().filter(|name| !name.ends_with(".new")) {
        let name = format!("{ANCHORS}/{name}");
        let note = read(files, &name)?;
        exported.push((name, Some(note)));
    }
    Ok(exported)
}

fn segments_in(files: &dyn Files, folder: &str) -> Result<Vec<u64>, VerifyError> {
    let names = found(folder, files.list(folder))?;
    Ok(names.iter().filter_map(|name| journal::segment_first(name)).collect())
}

fn read(files: &dyn Files, file: &str) -> Result<Vec<u8>, VerifyError> {
    found(file, files.read(file))
}

fn found<T>(file: &str, result: io::Result<T>) -> Result<T, VerifyError> {
    result.map_err(|source| VerifyError::Io { file: file.to_owned(), source })
}
