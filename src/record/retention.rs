//! Retention: whole segments leave the journal for an archive. Nothing is rewritten, and the tree
//! goes on: what left is still under every later root, and its proofs come from the tiles.

use std::io;

use crate::record::committer::AppendError;
use crate::record::files::{self, Files};
use crate::record::header::Header;
use crate::record::journal::{Damage, Segment, segment_name};
use crate::record::ledger::Ledger;
use crate::record::recover::{file_of, segments};
use crate::record::writer::Failure;

/// Why segments stay.
#[derive(Debug, thiserror::Error)]
pub enum RetainError {
    /// The ledger failed.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The entry about it cannot be appended.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A segment is damaged; it stays where it is.
    #[error("the journal is damaged: `{segment}`: {damage}")]
    Damaged {
        /// The file.
        segment: String,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The archive has another file of that name.
    #[error("the archive holds another `{0}` already")]
    Other(String),
    /// The system says no.
    #[error("cannot archive `{file}`")]
    Io {
        /// The file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
}

/// What left the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// The files, now in the archive.
    pub segments: Vec<String>,
    /// The first entry that is still in the journal.
    pub first: u64,
}

impl Ledger {
    /// Moves to `archive` the segments at the beginning of the journal whose entries are all from
    /// before a UTC day, `YYYY-MM-DD`; a last segment that is such is closed first. Copies are
    /// durable, and the entry that `build` makes of its sequence number is, before anything goes.
    ///
    /// # Errors
    /// [`RetainError`]; segments that are in the archive by then may be in the journal as well.
    pub fn retain(
        &self,
        archive: &dyn Files,
        before: &str,
        build: impl FnOnce(u64, &Retained) -> Vec<u8>,
    ) -> Result<Retained, RetainError> {
        // Tiles of what leaves cannot be made again.
        self.publish()?;
        let files = self.files();
        let listed = || {
            segments(&*files).map_err(|error| RetainError::Io {
                file: "journal".to_owned(),
                source: io::Error::other(error),
            })
        };
        let present = listed()?;
        let mut retained = Retained::default();
        for first in present {
            let name = file_of(first);
            let failed = |source| RetainError::Io { file: name.clone(), source };
            let bytes = files.read(&name).map_err(failed)?;
            let Some(end) = self.end_before(&name, &bytes, before)? else {
                retained.first = first;
                break;
            };
            if end == self.size() {
                self.close_segment()?;
            }
            // As it is now: closing may have cut unused space.
            let bytes = files.read(&name).map_err(failed)?;
            let kept = segment_name(first);
            match archive.read(&kept) {
                Ok(present) if present == bytes => {}
                Ok(_) => return Err(RetainError::Other(kept)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    files::replace(archive, &kept, &bytes).map_err(failed)?;
                }
                Err(error) => return Err(failed(error)),
            }
            retained.segments.push(kept);
            retained.first = end;
        }
        if retained.segments.is_empty() {
            return Ok(retained);
        }
        self.append(|sequence| build(sequence, &retained))?;
        for name in &retained.segments {
            let name = format!("{}/{name}", super::journal::FOLDER);
            // One after the other, so that a crash leaves no gap.
            files
                .remove(&name)
                .and_then(|()| files.sync_folder(super::journal::FOLDER))
                .map_err(|source| RetainError::Io { file: name, source })?;
        }
        Ok(retained)
    }

    /// The sequence number behind the segment, if it has entries and all are from before that day.
    fn end_before(
        &self,
        name: &str,
        bytes: &[u8],
        before: &str,
    ) -> Result<Option<u64>, RetainError> {
        let damaged = |damage| RetainError::Damaged { segment: name.to_owned(), damage };
        let mut segment = Segment::open(bytes, &self.origin()).map_err(damaged)?;
        let first = segment.edge().size();
        while let Ok(commit) = segment.commit().map_err(damaged)? {
            for entry in commit.entries {
                let header = Header::parse(entry.bytes);
                // One that does not say when it is from stays.
                if header.as_ref().and_then(Header::day).is_none_or(|day| day >= before) {
                    return Ok(None);
                }
            }
        }
        let end = segment.edge().size();
        Ok((end > first).then_some(end))
    }
}
