//! The repository that is looked into: read in process, without hooks, filters or replaced objects.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use gix::bstr::{BStr, BString, ByteSlice};
use gix::objs::tree::EntryKind;
use gix::open::Options;
use gix::{ObjectId, ThreadSafeRepository};

use super::GateError;

/// Bytes of objects that each thread remembers.
pub(super) const CACHE_BYTES: usize = 16 << 20;

/// A repository. Cheap to clone; a clone for each thread.
#[derive(Clone)]
pub struct Repository {
    pub(super) inner: gix::Repository,
    /// The index, once it was read: what governs and what is looked at see the same one.
    index: Arc<OnceLock<gix::index::File>>,
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

/// What a commit says of itself.
pub(super) struct Commit {
    pub tree: ObjectId,
    pub parents: Vec<ObjectId>,
    /// When it was committed, in seconds, as its committer has it.
    pub time: i64,
}

/// What threads make their own [`Repository`] of.
pub(super) struct Shared(ThreadSafeRepository);

impl Shared {
    /// A repository for one thread.
    pub fn local(&self) -> Repository {
        let mut inner = self.0.to_thread_local();
        inner.object_cache_size(CACHE_BYTES);
        Repository::of(inner)
    }
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
        let inner = inner.to_thread_local();
        if let Some(elsewhere) = std::env::var_os("GIT_OBJECT_DIRECTORY") {
            let here = inner.common_dir().join("objects");
            if Path::new(&elsewhere).canonicalize().ok() != here.canonicalize().ok() {
                return Err(GateError::Elsewhere);
            }
        }
        let references = inner.config_snapshot().string("extensions.refStorage");
        if references.is_some_and(|format| !format.eq_ignore_ascii_case(b"files")) {
            return Err(GateError::References);
        }
        Ok(Repository::of(inner))
    }

    /// One that is open already.
    pub(super) fn of(inner: gix::Repository) -> Repository {
        Repository { inner, index: Arc::default() }
    }

    /// Reads the index before it is needed, while other things are made ready. What cannot be read is
    /// told of where it is needed.
    pub fn prepare(&self) {
        let _ = self.index();
    }

    /// The index; an empty one where there is no file.
    pub(super) fn index(&self) -> Result<&gix::index::File, GateError> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let git = &self.inner;
        if git.workdir().is_none() && std::env::var_os("GIT_INDEX_FILE").is_none() {
            return Err(GateError::Bare);
        }
        // As git does, the checksum is left out: it takes longer than all the rest.
        let index = gix::index::File::at_or_default(
            git.index_path(),
            git.object_hash(),
            true,
            gix::index::decode::Options::default(),
        );
        let index = index.map_err(unreadable("the index"))?;
        Ok(self.index.get_or_init(|| index))
    }

    /// The folder that files are checked out to; none in a bare repository.
    pub fn worktree(&self) -> Option<&Path> {
        self.inner.workdir()
    }

    /// The folder of the repository itself, which its worktrees share.
    pub fn folder(&self) -> PathBuf {
        self.inner.common_dir().to_owned()
    }

    /// The folder in which git-lfs keeps contents: `lfs.storage`, which counts from the folder of the
    /// repository (git-lfs-config(5)), else `lfs` there.
    pub(super) fn lfs_folder(&self) -> PathBuf {
        let configuration = self.inner.config_snapshot();
        let storage = configuration.trusted_path("lfs.storage").ok().flatten();
        let storage = storage.filter(|path| !path.as_os_str().is_empty());
        self.folder().join(storage.as_deref().unwrap_or(Path::new("lfs")))
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

    /// Everything that leads to a commit: all references, and the heads of all worktrees.
    pub(super) fn tips(&self) -> Result<Vec<(BString, ObjectId)>, GateError> {
        let mut tips = Vec::new();
        self.references(|name, id| tips.push((name.to_owned(), id)))?;
        let cannot = unreadable("a worktree");
        let mut others: Vec<gix::Repository> = Vec::new();
        for worktree in self.inner.worktrees().map_err(&cannot)? {
            others.push(worktree.into_repo_with_possibly_inaccessible_worktree().map_err(&cannot)?);
        }
        others.push(self.inner.main_repo().map_err(&cannot)?);
        others.push(self.inner.clone());
        for inner in others {
            let head = Repository::of(inner).head()?;
            tips.extend(head.map(|head| (BString::from("HEAD"), head)));
        }
        Ok(tips)
    }

    /// Commits that a remote is known to have, from when it was last fetched or pushed to.
    pub(super) fn tracked_of(&self, remote: Option<&str>) -> Result<Vec<ObjectId>, GateError> {
        let Some(remote) = remote else {
            return Ok(Vec::new());
        };
        let prefix = format!("refs/remotes/{remote}/");
        // Another remote may be called as a branch of this one could be.
        let others: Vec<String> = self
            .inner
            .remote_names()
            .iter()
            .map(|name| format!("refs/remotes/{name}/"))
            .filter(|other| other.len() > prefix.len())
            .collect();
        let mut ids = Vec::new();
        self.references(|name, id| {
            let of_other = others.iter().any(|other| name.starts_with(other.as_bytes()));
            if name.starts_with(prefix.as_bytes()) && !of_other {
                ids.push(id);
            }
        })?;
        Ok(ids.into_iter().filter_map(|id| self.commit_of(id)).collect())
    }

    /// The commit that an id leads to, if it is here.
    pub(super) fn commit_of(&self, id: ObjectId) -> Option<ObjectId> {
        let object = self.inner.try_find_object(id).ok()??;
        Some(object.peel_to_kind(gix::object::Kind::Commit).ok()?.id)
    }

    /// Hands on every reference that points at an object: a symbolic one points at one of these.
    fn references(&self, mut each: impl FnMut(&BStr, ObjectId)) -> Result<(), GateError> {
        let cannot = unreadable("the references");
        let platform = self.inner.references().map_err(&cannot)?;
        for reference in platform.all().map_err(&cannot)? {
            let reference = reference.map_err(&cannot)?;
            if let Some(id) = reference.try_id() {
                each(reference.name().as_bstr(), id.detach());
            }
        }
        Ok(())
    }

    /// The kind of its ids.
    pub(super) fn hash_kind(&self) -> gix::hash::Kind {
        self.inner.object_hash()
    }

    /// The further parents of the next commit, where it is to be a merge.
    pub(super) fn merging(&self) -> Result<Vec<ObjectId>, GateError> {
        let text = match std::fs::read(self.inner.git_dir().join("MERGE_HEAD")) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable("`MERGE_HEAD`")(error)),
        };
        let ids = text.lines().map(|line| ObjectId::from_hex(line.trim()));
        ids.map(|id| id.map_err(unreadable("`MERGE_HEAD`"))).collect()
    }

    /// What a commit says of itself.
    pub(super) fn read_commit(&self, id: ObjectId) -> Result<Commit, GateError> {
        use gix::objs::commit::ref_iter::Token;
        let commit = self.inner.find_commit(id).map_err(unreadable("a commit"))?;
        let (mut tree, mut parents) = (None, Vec::new());
        for token in commit.iter() {
            match token.map_err(unreadable("a commit"))? {
                Token::Tree { id } => tree = Some(id),
                Token::Parent { id } => parents.push(id),
                _ => break,
            }
        }
        let tree = tree.ok_or_else(|| unreadable("a commit")("it has no tree"))?;
        // Times only say in which order to look.
        let time = commit.time().map_or(0, |time| time.seconds);
        Ok(Commit { tree, parents, time })
    }

    /// Commits whose parents are not here though they name some.
    pub(super) fn shallow(&self) -> Result<HashSet<ObjectId>, GateError> {
        let commits =
            self.inner.shallow_commits().map_err(unreadable("the list of shallow commits"))?;
        Ok(commits.map_or_else(HashSet::new, |commits| commits.iter().copied().collect()))
    }

    /// A clone for another thread, which remembers objects that it has read.
    pub(super) fn shared(&self) -> Shared {
        Shared(self.inner.clone().into_sync())
    }

    /// Bytes of an object.
    pub(super) fn size(&self, id: ObjectId) -> Result<u64, GateError> {
        Ok(self.inner.find_header(id).map_err(unreadable("a blob"))?.size())
    }

    /// The tree of a commit.
    pub(super) fn tree_of(&self, commit: ObjectId) -> Result<ObjectId, GateError> {
        Ok(self.read_commit(commit)?.tree)
    }

    /// What a tree holds, in its order.
    pub(super) fn entries(&self, tree: ObjectId) -> Result<Vec<(BString, Held)>, GateError> {
        let tree = self.inner.find_tree(tree).map_err(unreadable("a tree"))?;
        let (mut entries, mut names) = (Vec::new(), HashSet::new());
        for entry in tree.iter() {
            let entry = entry.map_err(unreadable("a tree"))?;
            if !names.insert(entry.filename().to_owned()) {
                return Err(unreadable("a tree")("it holds one name twice"));
            }
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
