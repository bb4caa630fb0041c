//! The repository that is looked into: read in process, without hooks, filters or replaced objects.

use std::path::{Path, PathBuf};

use gix::bstr::{BStr, BString, ByteSlice};
use gix::objs::tree::EntryKind;
use gix::open::Options;
use gix::{ObjectId, ThreadSafeRepository};

use super::GateError;

/// A repository. Cheap to clone; a clone for each thread.
#[derive(Clone)]
pub struct Repository {
    pub(super) inner: gix::Repository,
}

/// Holds no content.
impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").finish_non_exhaustive()
    }
}

/// What a tree holds under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub kind: EntryKind,
    pub id: ObjectId,
}

/// What may be read of an object.
pub(super) enum Content {
    /// All of it.
    Whole(Vec<u8>),
    /// Nothing, since it has more bytes than are read.
    TooLarge(u64),
}

impl Repository {
    /// The repository that git would use in a directory: that of `GIT_DIR` and `GIT_INDEX_FILE`
    /// where they are set, as git sets them for hooks, else the one around the directory.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be read.
    pub fn open(directory: &Path) -> Result<Repository, GateError> {
        // What is committed or pushed are the objects themselves, not what replaces them here.
        let options = |options: Options| options.config_overrides(["core.useReplaceRefs=false"]);
        let trust = gix::sec::trust::Mapping {
            full: options(Options::default().with(gix::sec::Trust::Full)),
            reduced: options(Options::default().with(gix::sec::Trust::Reduced)),
        };
        let opened = ThreadSafeRepository::discover_with_environment_overrides_opts(
            directory,
            gix::discover::upwards::Options::default(),
            trust,
        );
        let inner = opened.map_err(|error| GateError::NoRepository(error.to_string()))?;
        Ok(Repository { inner: inner.to_thread_local() })
    }

    /// The folder that files are checked out to; none in a bare repository.
    pub fn worktree(&self) -> Option<&Path> {
        self.inner.workdir()
    }

    /// The folder of the repository itself, which its worktrees share.
    pub fn folder(&self) -> PathBuf {
        self.inner.common_dir().to_owned()
    }

    /// The commit that a revision names.
    ///
    /// # Errors
    ///
    /// It names none that is here.
    pub fn commit(&self, revision: &str) -> Result<ObjectId, GateError> {
        let unknown = || GateError::UnknownRevision(revision.to_owned());
        let id = self.inner.rev_parse_single(revision).map_err(|_| unknown())?;
        let object = id.object().map_err(|_| unknown())?;
        let commit = object.peel_to_kind(gix::object::Kind::Commit).map_err(|_| unknown())?;
        Ok(commit.id)
    }

    /// The commit that the next one follows; none where there is none yet.
    ///
    /// # Errors
    ///
    /// The head cannot be read, or names a commit that is not here.
    pub fn head(&self) -> Result<Option<ObjectId>, GateError> {
        let mut head = self.inner.head().map_err(unreadable("the head"))?;
        let id = head.try_peel_to_id().map_err(unreadable("the head"))?;
        Ok(id.map(gix::Id::detach))
    }

    /// The tree of a commit.
    pub(super) fn tree_of(&self, commit: ObjectId) -> Result<ObjectId, GateError> {
        let commit = self.inner.find_commit(commit).map_err(unreadable("a commit"))?;
        Ok(commit.tree_id().map_err(unreadable("a commit"))?.detach())
    }

    /// What a tree holds, in its order.
    pub(super) fn entries(&self, tree: ObjectId) -> Result<Vec<(BString, Held)>, GateError> {
        let tree = self.inner.find_tree(tree).map_err(unreadable("a tree"))?;
        let mut entries = Vec::new();
        for entry in tree.iter() {
            let entry = entry.map_err(unreadable("a tree"))?;
            let held = Held { kind: entry.mode().kind(), id: entry.object_id() };
            entries.push((entry.filename().to_owned(), held));
        }
        Ok(entries)
    }

    /// Bytes of a blob that has at most `limit`.
    pub(super) fn blob(&self, id: ObjectId, limit: u64) -> Result<Content, GateError> {
        let header = self.inner.find_header(id).map_err(unreadable("a blob"))?;
        if header.size() > limit {
            return Ok(Content::TooLarge(header.size()));
        }
        let mut blob = self.inner.find_blob(id).map_err(unreadable("a blob"))?;
        Ok(Content::Whole(blob.take_data()))
    }

    /// The text of a file at a commit; none where there is no such file.
    ///
    /// # Errors
    ///
    /// It cannot be read, has more bytes than `limit`, or is no file.
    pub fn file_at(
        &self,
        commit: ObjectId,
        path: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, GateError> {
        self.file_in(self.tree_of(commit)?, path, limit)
    }

    /// As [`Repository::file_at`], of a tree.
    pub(super) fn file_in(
        &self,
        tree: ObjectId,
        path: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, GateError> {
        let mut held = Held { kind: EntryKind::Tree, id: tree };
        for name in path.split('/') {
            if held.kind != EntryKind::Tree {
                return Ok(None);
            }
            let found = self.entries(held.id)?.into_iter().find(|(it, _)| it == name);
            match found {
                Some((_, found)) => held = found,
                None => return Ok(None),
            }
        }
        match held.kind {
            EntryKind::Blob | EntryKind::BlobExecutable => match self.blob(held.id, limit)? {
                Content::Whole(bytes) => Ok(Some(bytes)),
                Content::TooLarge(bytes) => {
                    Err(GateError::FileTooLarge { path: path.to_owned(), bytes })
                }
            },
            _ => Err(GateError::NoFile(path.to_owned())),
        }
    }
}

/// Gives an error of git its place.
pub(super) fn unreadable<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> GateError {
    move |error| GateError::Unreadable { what, why: error.to_string() }
}

/// A path of the repository as one of the file system.
pub(super) fn as_path(path: &BStr) -> PathBuf {
    path.to_path_lossy().into_owned()
}
