//! What is about to be committed, pushed or built comes in; its label, and what each file adds, goes out.
//!
//! A [`Selection`] says what is looked at: what is staged, the commits of a range, those of a push, all
//! history, some files. Each blob that is new or other than it was is scanned whole, so that the header of
//! a table counts for the row below it, and of its findings those count that touch a line that was added.
//!
//! Promised: the answer rests on the objects of the repository alone, never on the working tree; nothing
//! but those objects is read; what cannot be read is said and is never taken for clean. All that counts is
//! merged into one label, since a commit is one flow: [`Gated`].

mod added;
mod change;
mod exceptions;
mod files;
mod governing;
mod history;
pub mod import;
mod inspect;
pub mod install;
mod lfs;
mod merge;
mod push;
mod remote;
mod renames;
mod repository;
mod selected;
mod staged;

use std::path::PathBuf;

pub use exceptions::{
    BASELINE, Baseline, BaselineError, Exceptions, GitleaksIgnore, Known, Marker, MarkerKind,
    Markers, SecretsBaseline,
};
pub use governing::{FILE, Governing, GoverningError, Machine, govern};
pub use inspect::{Gated, KEPT, Plan, Watch, payload, run};
pub use lfs::Pointer;
pub use merge::merged_heads;
pub use push::{MAX_LINES_BYTES, Update, updates};
pub use remote::{Remote, remote};
pub use repository::Repository;

use crate::respond::escape;

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// What is staged, against the head.
    Staged,
    /// The same where it is to be a merge of the head with these commits, of which git has not written
    /// yet that it is one.
    Merge(Vec<gix::ObjectId>),
    /// Everything that is staged or unchanged: the whole index.
    Tracked,
    /// What each commit of `A..B` adds, or one commit.
    Range(String),
    /// What each commit adds that any reference or head leads to.
    AllHistory,
    /// What a push brings.
    Push {
        /// What git is about to write there.
        updates: Vec<Update>,
        /// The name of the remote: commits that its references are known to lead to are there.
        remote: Option<String>,
    },
    /// These files, whole: what is staged under their paths, else what the working tree holds.
    Files(Vec<PathBuf>),
}

/// Why a repository cannot be looked into. None of it is success.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// There is no repository here.
    #[error("there is no git repository here that can be read: {}", escape(.0))]
    NoRepository(String),
    /// Objects lie outside of the repository.
    #[error(
        "`GIT_OBJECT_DIRECTORY` names other objects than those of the repository, as in a pre-receive \
         hook, and they cannot be read; run the gate where the push has ended"
    )]
    Elsewhere,
    /// References are kept in a form that is not read.
    #[error(
        "the references of the repository are no files (`extensions.refStorage`), and cannot be read; \
         `git refs migrate --ref-format=files` makes them files"
    )]
    References,
    /// Part of it cannot be read.
    #[error("{what} of the repository cannot be read: {}", escape(.why))]
    Unreadable {
        /// What it is.
        what: &'static str,
        /// Why, in the words of who reads it.
        why: String,
    },
    /// A bare repository has nothing staged.
    #[error("a bare repository has no index: name commits with `--range A..B` or `--all-history`")]
    Bare,
    /// Files that are not merged cannot be committed.
    #[error("not merged yet: {}; resolve and `git add` them first", list(.0))]
    Unmerged(Vec<String>),
    /// A revision names no commit that is here.
    #[error("`{}` names no commit that is here; fetch it first (in CI: a deeper checkout)", escape(.0))]
    UnknownRevision(String),
    /// A range that is none.
    #[error("`{}` is neither `A..B` nor one revision", escape(.0))]
    BadRange(String),
    /// Lines that git does not write for its pre-push hook.
    #[error("standard input is not what git tells its pre-push hook: `{}`", escape(.0))]
    BadPush(String),
    /// There are too many commits.
    #[error("more than 5,000,000 commits; name fewer with `--range A..B`")]
    TooManyCommits,
    /// The caller wanted no more.
    #[error("interrupted: nothing was decided")]
    Interrupted,
    /// Folders nest too deep.
    #[error("folders nest deeper than 2,048")]
    TooDeep,
    /// A file that has to be read whole is too large.
    #[error("`{}` has {bytes} bytes, more than is read", escape(.path))]
    FileTooLarge {
        /// Its path.
        path: String,
        /// Its bytes.
        bytes: u64,
    },
    /// What should be a file is something else.
    #[error("`{}` is no file", escape(.0))]
    NoFile(String),
    /// A report could not be handed on.
    #[error("{0}")]
    Output(#[from] std::io::Error),
}

impl GateError {
    /// Whether the caller can mend it with another call.
    pub fn is_usage(&self) -> bool {
        !matches!(
            self,
            GateError::Unreadable { .. } | GateError::Output(_) | GateError::Interrupted
        )
    }
}

fn list(paths: &[String]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| format!("`{}`", escape(path))).collect();
    paths.join(", ")
}
