//! Opening: the journal as a crash may have left it comes in, a writer at its end comes out.
//!
//! Only the last segment is read, and what was not published yet. A torn tail is cut. Whatever
//! cannot come from a crash is refused: a damaged frame, a last checkpoint that this log did not
//! sign, and fewer entries than a signed checkpoint states, wherever one is found.

use std::io;
use std::sync::Arc;

use crate::record::files::Files;
use crate::record::journal::{self, Commit, Damage, FOLDER, Segment, Tail};
use crate::record::merkle::Hash;
use crate::record::note::{Checkpoint, Note, NoteError, Signer, Vkey};
use crate::record::state::CHECKPOINT;
use crate::record::tiles::Tiles;
use crate::record::writer::{Growth, LastWords, Writer};

/// The folder of exported checkpoints.
pub const ANCHORS: &str = "anchors";

/// What was cut from the end of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Entries of the log, all of them kept: the sequence number of the first that is lost.
    pub from: u64,
    /// The segment, by the sequence number that it begins with.
    pub segment: u64,
    /// The offset in the segment from which on bytes were cut.
    pub offset: u64,
    /// Bytes that were cut.
    pub bytes: u64,
    /// Whole entries among them; none was ever acknowledged.
    pub entries: u64,
}

/// Why a ledger is not opened.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// There is no segment.
    #[error("the journal is empty; it was removed, or was never there")]
    NoJournal,
    /// A segment is damaged in a way that no crash leaves behind.
    #[error("the journal is damaged: segment `{segment}`: {damage}")]
    Damaged {
        /// The file.
        segment: String,
        /// What is wrong with it.
        damage: Damage,
    },
    /// A checkpoint does not hold.
    #[error("the checkpoint in `{file}` does not hold: {problem}")]
    Checkpoint {
        /// The file that it is in.
        file: String,
        /// What is wrong with it.
        problem: NoteError,
    },
    /// The signing key is not the one that signed last.
    #[error("the log was not signed by the key in `keys/sign`")]
    OtherKey,
    /// The journal ends before a checkpoint that was signed.
    #[error("the log was rolled back: `{file}` states {signed} entries, the journal holds {held}")]
    RolledBack {
        /// The file with the checkpoint.
        file: String,
        /// Entries that it states.
        signed: u64,
        /// Entries that there are.
        held: u64,
    },
    /// The published checkpoint is not of this journal.
    #[error("the log was changed: `{file}` is a checkpoint of other entries")]
    Forked {
        /// The file with the checkpoint.
        file: String,
    },
    /// Tiles are missing or damaged, and so are segments to make them from.
    #[error(
        "tiles are damaged, and segment `{segment}` is not there to make them again; put the archived segments back"
    )]
    Tiles {
        /// The segment that is missing.
        segment: String,
    },
    /// The system says no.
    #[error("cannot use `{file}`")]
    Io {
        /// The file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
}

/// A journal that was opened.
pub struct Opened {
    /// Writes behind its end.
    pub writer: Writer,
    /// The tiles of what is published.
    pub tiles: Tiles,
    /// The leaf hashes behind that.
    pub unpublished: Vec<Hash>,
    /// What was cut.
    pub cut: Option<Cut>,
    /// Whether the last checkpoint was signed by the key that a rotation prepared.
    pub rotated: bool,
}

/// What is needed to open a journal.
pub struct Opening {
    /// The files of the state directory.
    pub files: Arc<dyn Files>,
    /// The signing key.
    pub signer: Signer,
    /// The key of a rotation that did not end.
    pub prepared: Option<Signer>,
    /// All public keys of the log.
    pub keys: Vec<Vkey>,
    /// How segments grow.
    pub growth: Growth,
    /// The entry for the end.
    pub last_words: Option<LastWords>,
}

/// Opens a journal, and cuts its torn tail.
///
/// # Errors
/// [`RecoverError`]; nothing was changed then, or the cut only.
pub fn open(opening: Opening) -> Result<Opened, RecoverError> {
    let Opening { files, signer, prepared, keys, growth, last_words } = opening;
    let origin = signer.vkey().name().to_owned();
    let segments = segments(&*files)?;
    let Some(&first) = segments.last() else { return Err(RecoverError::NoJournal) };
    let name = file_of(first);
    let bytes = read(&*files, &name)?;
    let damaged = |damage| RecoverError::Damaged { segment: name.clone(), damage };

    let (published, published_note) = checkpoint(&*files, CHECKPOINT, &keys)?;
    let mut segment = Segment::open(&bytes, &origin).map_err(damaged)?;
    if segment.opening().checkpoint.size != first {
        return Err(damaged(Damage::Head));
    }
    let mut note = segment.opening().note;
    let mut leaves = Vec::new();
    let mut last = segment.offset();
    let tail = loop {
        let at = segment.offset();
        match segment.commit().map_err(damaged)? {
            Ok(Commit { entries, mark }) => {
                leaves.extend(entries.iter().map(|entry| entry.hash));
                note = mark.note;
                last = at;
            }
            Err(tail) => break tail,
        }
    };
    let edge = segment.edge().clone();
    let rotated = last_signer(&name, note, &signer, prepared.as_ref())?;

    let held = edge.size();
    let mut signed = vec![(CHECKPOINT.to_owned(), published.size)];
    for anchor in list(&*files, ANCHORS)?.iter().filter(|name| !name.ends_with(".new")) {
        let file = format!("{ANCHORS}/{anchor}");
        signed.push((file.clone(), checkpoint(&*files, &file, &keys)?.0.size));
    }
    if let Some((file, signed)) = signed.into_iter().find(|(_, signed)| *signed > held) {
        return Err(RecoverError::RolledBack { file, signed, held });
    }

    let known = Known { files: &*files, origin: &origin, segments: &segments, first, leaves };
    let (tiles, unpublished) = known.tiles(&published)?;
    // The tiles that are about to be published have to be those of the journal.
    let mut whole = tiles.edge().unwrap_or_default();
    unpublished.iter().for_each(|leaf| whole.push(*leaf));
    if whole != edge {
        return Err(RecoverError::Forked { file: CHECKPOINT.to_owned() });
    }
    drop(published_note);

    let failed = |source| RecoverError::Io { file: name.clone(), source };
    let file = files.open(&name).map_err(failed)?;
    let used = segment.offset() as u64;
    let mut cut = None;
    if let Tail::Torn { bytes: torn, entries } = tail {
        let end = segment.offset() + usize::try_from(torn).unwrap_or_default();
        let tail = bytes.get(segment.offset()..end).unwrap_or_default();
        let zeros = vec![0; tail.len()];
        if let Err(error) = file.write_at(&zeros, used).and_then(|()| file.sync()) {
            // So that the next opening does not take zeros for durable that are not.
            let _ = file.write_at(tail, used);
            return Err(failed(error));
        }
        cut = Some(Cut { from: held, segment: first, offset: used, bytes: torn, entries });
    }
    // The sync of the last commit may have failed, and the kernel taken its pages for written: they
    // are written again before anything is built on them. A published commit was synced.
    if published.size < held {
        let commit = bytes.get(last..segment.offset()).unwrap_or_default();
        let again = file.write_at(commit, last as u64).and_then(|()| file.sync());
        again.map_err(failed)?;
    }
    for unfinished in list(&*files, FOLDER)?.iter().filter(|name| name.ends_with(".new")) {
        files.remove(&format!("{FOLDER}/{unfinished}")).map_err(failed)?;
    }
    let note = String::from_utf8_lossy(note).into_owned();
    let signer = prepared.filter(|_| rotated).unwrap_or(signer);
    let allocated = (bytes.len() as u64).max(used);
    let writer = Writer {
        files: Arc::clone(&files),
        file,
        first,
        used,
        allocated,
        edge,
        note,
        signer,
        growth,
        last_words,
    };
    Ok(Opened { writer, tiles, unpublished, cut, rotated })
}

/// The sequence numbers that the segments begin with, in order.
///
/// # Errors
/// Those of the system.
pub fn segments(files: &dyn Files) -> Result<Vec<u64>, RecoverError> {
    let names = list(files, FOLDER)?;
    Ok(names.iter().filter_map(|name| journal::segment_first(name)).collect())
}

/// The path of the segment that begins with a sequence number.
pub fn file_of(first: u64) -> String {
    format!("{FOLDER}/{}", journal::segment_name(first))
}

/// Whether the last checkpoint is by the prepared key already; an error where it is by neither.
fn last_signer(
    file: &str,
    note: &[u8],
    signer: &Signer,
    prepared: Option<&Signer>,
) -> Result<bool, RecoverError> {
    let wrong = |problem| RecoverError::Checkpoint { file: file.to_owned(), problem };
    let note = Note::parse(note).map_err(wrong)?;
    let signed = |by: &Signer| match note.signers(std::slice::from_ref(by.vkey())) {
        Ok(_) => Ok(true),
        Err(NoteError::UnknownKey) => Ok(false),
        Err(problem) => Err(wrong(problem)),
    };
    if let Some(prepared) = prepared
        && signed(prepared)?
    {
        return Ok(true);
    }
    if signed(signer)? { Ok(false) } else { Err(RecoverError::OtherKey) }
}

/// A signed checkpoint in a file, and the note.
fn checkpoint(
    files: &dyn Files,
    file: &str,
    keys: &[Vkey],
) -> Result<(Checkpoint, Vec<u8>), RecoverError> {
    let note = read(files, file)?;
    let checkpoint = Checkpoint::verified(&note, keys)
        .map_err(|problem| RecoverError::Checkpoint { file: file.to_owned(), problem })?;
    Ok((checkpoint, note))
}

/// What is known of the journal when tiles are wanted.
struct Known<'a> {
    files: &'a dyn Files,
    origin: &'a str,
    segments: &'a [u64],
    /// Where the last segment begins, and its leaf hashes.
    first: u64,
    leaves: Vec<Hash>,
}

impl Known<'_> {
    /// The tiles of the published size, and the leaf hashes behind them. Tiles that are not those of
    /// the checkpoint are made again.
    fn tiles(&self, published: &Checkpoint) -> Result<(Tiles, Vec<Hash>), RecoverError> {
        if let Ok(tiles) = Tiles::load(self.files, published.size)
            && tiles.edge().is_some_and(|edge| edge.root() == published.root)
        {
            let leaves = self.leaves_from(published.size)?;
            return Ok((tiles, leaves));
        }
        let mut tiles = Tiles::default();
        let leaves = self.leaves_from(0)?;
        let size = usize::try_from(published.size).unwrap_or(usize::MAX);
        let (before, behind) = leaves.split_at_checked(size).unwrap_or((&leaves, &[]));
        before.iter().for_each(|leaf| tiles.push(*leaf));
        if tiles.edge().is_none_or(|edge| edge.root() != published.root) {
            return Err(RecoverError::Forked { file: CHECKPOINT.to_owned() });
        }
        tiles
            .write(self.files)
            .map_err(|source| RecoverError::Io { file: "tile".to_owned(), source })?;
        Ok((tiles, behind.to_vec()))
    }

    /// The leaf hashes from a sequence number on.
    fn leaves_from(&self, from: u64) -> Result<Vec<Hash>, RecoverError> {
        let mut at = self.segments.partition_point(|first| *first <= from).saturating_sub(1);
        let mut leaves = Vec::new();
        let mut next = self.segments.get(at).copied().unwrap_or_default();
        if next > from {
            return Err(RecoverError::Tiles { segment: file_of(0) });
        }
        let begin = next;
        while let Some(&first) = self.segments.get(at) {
            if first != next {
                return Err(RecoverError::Tiles { segment: file_of(next) });
            }
            if first == self.first {
                leaves.extend_from_slice(&self.leaves);
                break;
            }
            let name = file_of(first);
            let damaged = |damage| RecoverError::Damaged { segment: name.clone(), damage };
            let bytes = read(self.files, &name)?;
            let mut segment = Segment::open(&bytes, self.origin).map_err(damaged)?;
            while let Ok(commit) = segment.commit().map_err(damaged)? {
                leaves.extend(commit.entries.iter().map(|entry| entry.hash));
            }
            next = segment.edge().size();
            at += 1;
        }
        let skipped = usize::try_from(from - begin).unwrap_or(usize::MAX).min(leaves.len());
        leaves.drain(..skipped);
        Ok(leaves)
    }
}

fn read(files: &dyn Files, file: &str) -> Result<Vec<u8>, RecoverError> {
    files.read(file).map_err(|source| RecoverError::Io { file: file.to_owned(), source })
}

fn list(files: &dyn Files, folder: &str) -> Result<Vec<String>, RecoverError> {
    files.list(folder).map_err(|source| RecoverError::Io { file: folder.to_owned(), source })
}
