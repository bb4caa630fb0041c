//! Reading entries back and proving them. It needs no lock and works while a daemon writes: what
//! counts is what lies before the last signed checkpoint.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::record::files::Files;
use crate::record::journal::{self, Damage, Segment, Stored};
use crate::record::merkle::{
    Edge, Hash, consistency_proof, extends, from_leaves, inclusion_proof, leaf_hash,
};
use crate::record::note::{Checkpoint, NoteError, Vkey};
use crate::record::proof::{Proof, ProofError};
use crate::record::recover::{RecoverError, file_of, segments};
use crate::record::state::CHECKPOINT;
use crate::record::tiles::TileReader;

/// Why the ledger cannot be read, or an entry not proven.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No segment holds the entry.
    #[error("there is no entry {0} in the journal; it holds entries {1} to {2}")]
    NoEntry(u64, u64, u64),
    /// The entry is not under a published checkpoint yet.
    #[error("entry {0} is not published yet; try again in a second")]
    Unpublished(u64),
    /// A segment is damaged.
    #[error("the journal is damaged: `{segment}`: {damage}")]
    Damaged {
        /// The file.
        segment: String,
        /// What is wrong with it.
        damage: Damage,
    },
    /// A checkpoint is not signed by a key of the log.
    #[error("the checkpoint in `{file}` does not hold: {problem}")]
    Checkpoint {
        /// The file.
        file: String,
        /// What is wrong.
        problem: NoteError,
    },
    /// Two segments do not follow each other.
    #[error("the segment from entry {0} on does not go on from the one before it")]
    Gap(u64),
    /// The tiles do not lead to the signed root.
    #[error("the tiles do not prove the entry: {0}")]
    Tiles(ProofError),
    /// The system says no.
    #[error("cannot read `{file}`")]
    Io {
        /// The file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
}

impl From<RecoverError> for ReadError {
    fn from(error: RecoverError) -> ReadError {
        match error {
            RecoverError::Io { file, source } => ReadError::Io { file, source },
            // Listing segments has no other error.
            _ => ReadError::Gap(0),
        }
    }
}

/// A ledger that is read.
pub struct Reader {
    files: Arc<dyn Files>,
    keys: Vec<Vkey>,
}

impl Reader {
    /// A reader of the files of a state directory, which trusts these keys.
    pub fn new(files: Arc<dyn Files>, keys: Vec<Vkey>) -> Reader {
        Reader { files, keys }
    }

    /// Gives the entries from a sequence number on to `visit`, in order, each verified against the
    /// tree of its commit, until it breaks. Returns the sequence number behind the last one given.
    ///
    /// The last checkpoint of every segment has to be signed by a key of the log.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn entries(
        &self,
        from: u64,
        visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<u64, ReadError> {
        let segments = segments(&*self.files)?;
        let at = segments.partition_point(|first| *first <= from).saturating_sub(1);
        let mut before: Option<Edge> = None;
        for first in segments.get(at..).unwrap_or_default() {
            let mut stopped = None;
            let edge = self.segment(*first, before.as_ref(), &mut |entry| {
                if entry.sequence < from {
                    return ControlFlow::Continue(());
                }
                let flow = visit(entry.sequence, entry.bytes);
                if flow.is_break() {
                    stopped = Some(entry.sequence + 1);
                }
                flow
            })?;
            if let Some(next) = stopped {
                return Ok(next);
            }
            before = Some(edge);
        }
        Ok(before.map_or(0, |edge| edge.size()))
    }

    /// The bytes of one entry.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn entry(&self, sequence: u64) -> Result<Vec<u8>, ReadError> {
        let mut found = None;
        let end = self.entries(sequence, &mut |at, bytes| {
            if at == sequence {
                found = Some(bytes.to_vec());
            }
            ControlFlow::Break(())
        })?;
        let first = segments(&*self.files)?.first().copied().unwrap_or_default();
        found.ok_or(ReadError::NoEntry(sequence, first, end.saturating_sub(1)))
    }

    /// Proves that an entry is in the log, against the published checkpoint. What is read from tiles
    /// is checked up to the signed root before it is given out.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn prove(&self, sequence: u64) -> Result<Proof, ReadError> {
        let (checkpoint, note) = self.checkpoint()?;
        let entry = self.entry(sequence)?;
        if sequence >= checkpoint.size {
            return Err(ReadError::Unpublished(sequence));
        }
        let note = String::from_utf8_lossy(&note).into_owned();
        let proof = |hashes| Proof { index: sequence, hashes, note: note.clone() };
        let mut tiles = TileReader::new(&*self.files, checkpoint.size);
        let hashes = inclusion_proof(sequence, checkpoint.size, &mut |level, index| {
            tiles.subtree(level, index)
        });
        let hashes = hashes.unwrap_or_default().unwrap_or_default();
        let from_tiles = proof(hashes);
        let Err(error) = from_tiles.verify(&entry, &self.keys) else { return Ok(from_tiles) };
        // Tiles are derived: the journal has the last word.
        let leaves = self.leaves()?.ok_or(ReadError::Tiles(error))?;
        let hashes = inclusion_proof(sequence, checkpoint.size, &mut from_leaves(&leaves));
        let from_journal = proof(hashes.unwrap_or_default().unwrap_or_default());
        from_journal.verify(&entry, &self.keys).map_err(ReadError::Tiles)?;
        Ok(from_journal)
    }

    /// The published checkpoint, and the signed note it is in.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn checkpoint(&self) -> Result<(Checkpoint, Vec<u8>), ReadError> {
        let note = self
            .files
            .read(CHECKPOINT)
            .map_err(|source| ReadError::Io { file: CHECKPOINT.to_owned(), source })?;
        let checkpoint = self.trusted(CHECKPOINT, &note)?;
        Ok((checkpoint, note))
    }

    /// The checkpoint in a note from elsewhere, where a key of the log signed it.
    ///
    /// # Errors
    /// [`ReadError::Checkpoint`].
    pub fn trusted(&self, name: &str, note: &[u8]) -> Result<Checkpoint, ReadError> {
        Checkpoint::verified(note, &self.keys)
            .map_err(|problem| ReadError::Checkpoint { file: name.to_owned(), problem })
    }

    /// Whether the published log begins with the entries of an earlier checkpoint.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::Tiles`] where neither tiles nor journal can tell.
    pub fn extends(&self, earlier: &Checkpoint) -> Result<bool, ReadError> {
        let (now, _) = self.checkpoint()?;
        let (from, to) = ((earlier.size, &earlier.root), (now.size, &now.root));
        if earlier.size >= now.size || earlier.size == 0 {
            return Ok(extends(&[], from, to));
        }
        let mut tiles = TileReader::new(&*self.files, now.size);
        let proof = consistency_proof(earlier.size, now.size, &mut |level, index| {
            tiles.subtree(level, index)
        });
        if let Ok(Some(proof)) = proof
            && extends(&proof, from, to)
        {
            return Ok(true);
        }
        let leaves = self.leaves()?.ok_or(ReadError::Tiles(ProofError::OtherEntry))?;
        let proof = consistency_proof(earlier.size, now.size, &mut from_leaves(&leaves));
        Ok(matches!(proof, Ok(Some(proof)) if extends(&proof, from, to)))
    }

    /// All leaf hashes, where the journal holds every entry from the first.
    fn leaves(&self) -> Result<Option<Vec<Hash>>, ReadError> {
        if segments(&*self.files)?.first() != Some(&0) {
            return Ok(None);
        }
        let mut leaves = Vec::new();
        self.entries(0, &mut |_, bytes| {
            leaves.push(leaf_hash(bytes));
            ControlFlow::Continue(())
        })?;
        Ok(Some(leaves))
    }

    /// Reads one segment, which has to go on from the one before; the tree where it ends.
    fn segment(
        &self,
        first: u64,
        before: Option<&Edge>,
        visit: &mut dyn FnMut(&Stored<'_>) -> ControlFlow<()>,
    ) -> Result<Edge, ReadError> {
        let file = file_of(first);
        let origin = self.keys.first().map(Vkey::name).unwrap_or_default();
        let bytes = journal::read_settled(&*self.files, &file, origin)
            .map_err(|source| ReadError::Io { file: file.clone(), source })?;
        let damaged = |damage| ReadError::Damaged { segment: file.clone(), damage };
        let mut segment = Segment::open(&bytes, origin).map_err(damaged)?;
        if segment.opening().edge.size() != first {
            return Err(damaged(Damage::Head));
        }
        if before.is_some_and(|before| *before != segment.opening().edge) {
            return Err(ReadError::Gap(first));
        }
        // The last root is over all entries before it: where it is signed, so are they.
        let mut last = segment.opening().note;
        let mut commits = Vec::new();
        // A tail that is torn may be one that is being written.
        while let Ok(commit) = segment.commit().map_err(damaged)? {
            last = commit.mark.note;
            commits.push(commit.entries);
        }
        self.trusted(&file, last)?;
        for entry in commits.iter().flatten() {
            if visit(entry).is_break() {
                break;
            }
        }
        Ok(segment.edge().clone())
    }
}
