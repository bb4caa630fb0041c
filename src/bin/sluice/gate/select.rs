//! What `sluice gate` is asked to look at, and where that goes.

use std::env;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use sluicegate::batch::Filter;
use sluicegate::gate::{self, GateError, Remote, Repository, Selection, Update};
use sluicegate::model::{Claimed, FlowHeader};
use sluicegate::policy::check_header;

use super::refuse;
use crate::UsageError;

/// The options that say what is looked at.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is looked at")]
pub struct SelectionArguments {
    /// Everything that is tracked, whole, not only what is staged
    #[arg(long, group = "selection")]
    tracked: bool,

    /// What each commit of a range adds, or one commit
    #[arg(long, group = "selection", value_name = "A..B", allow_hyphen_values = true)]
    range: Option<String>,

    /// What each commit adds that any reference leads to
    #[arg(long, group = "selection")]
    all_history: bool,

    /// What a push brings, as git tells its pre-push hook: its arguments here, its lines on standard
    /// input; under the pre-commit framework its variables; by hand what a push of the head would bring
    #[arg(long, group = "selection", num_args = 0..=2, value_names = ["REMOTE", "URL"])]
    push: Option<Vec<String>>,

    /// These files, whole: what is staged of each, else what the working tree holds
    #[arg(long, group = "selection", requires = "paths")]
    files: bool,

    /// One payload from standard input
    #[arg(long, group = "selection")]
    stdin: bool,

    /// What is staged is a merge, as git tells its pre-merge-commit hook by `GITHEAD_...`: what it adds
    /// to each side counts
    #[arg(long, group = "selection")]
    merge: bool,

    /// Files of `--files`
    #[arg(value_name = "FILE", requires = "files")]
    paths: Vec<PathBuf>,

    /// Leave out files that match, which is said; a glob without `/` is for names, `DIR/` for folders
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,

    /// Leave them out even where they are named by `--files`
    #[arg(long)]
    force_exclude: bool,
}

impl SelectionArguments {
    /// Whether named files are left out too.
    pub fn force_exclude(&self) -> bool {
        self.force_exclude
    }

    /// Whether standard input is the payload.
    pub fn stdin(&self) -> bool {
        self.stdin
    }
}

/// What is looked at.
pub struct Asked {
    /// The repository; a payload needs none.
    pub repository: Option<Repository>,
    pub selection: Selection,
    pub filter: Filter,
    /// Whether there is a remote, be it one whose address cannot be read.
    pub has_remote: bool,
}

impl SelectionArguments {
    /// Whether what is looked at is named: a hook does that by itself.
    pub fn is_named(&self) -> bool {
        let other = self.range.is_some() || self.push.is_some();
        other || self.tracked || self.all_history || self.files || self.stdin || self.merge
    }
}

impl Asked {
    /// Has everything that is tracked be looked at, where nothing else was asked for.
    pub fn for_baseline(&mut self, arguments: &SelectionArguments) -> anyhow::Result<()> {
        if arguments.stdin {
            let message = "a baseline is of files in a repository, not of standard input";
            return Err(UsageError(message.to_owned()).into());
        }
        if matches!(self.selection, Selection::Staged | Selection::Merge(_)) {
            self.selection = Selection::Tracked;
        }
        Ok(())
    }
}

/// Finds the repository and what is asked of it. A header that names no destination gets that of the
/// remote.
pub fn ask(arguments: &SelectionArguments, header: &mut FlowHeader) -> anyhow::Result<Asked> {
    let filter = Filter::new(&[], &arguments.exclude);
    let filter = filter.map_err(|error| UsageError(error.to_string()))?;
    let repository = match Repository::open(Path::new(".")) {
        Ok(repository) => Some(repository),
        Err(GateError::NoRepository(_)) if arguments.stdin => None,
        Err(error) => return Err(refuse(error)),
    };
    let (mut name, mut url) = (None, None);
    if let Some(named) = &arguments.push {
        let variable = |name: &str| env::var(name).ok().filter(|it| !it.is_empty());
        name = named.first().cloned().or_else(|| variable("PRE_COMMIT_REMOTE_NAME"));
        url = named.get(1).cloned().or_else(|| variable("PRE_COMMIT_REMOTE_URL"));
    }
    let remote = repository
        .as_ref()
        .map(|repository| gate::remote(repository, name.as_deref(), url.as_deref()));
    let Remote { name, destination, is_there, is_tracked } = remote.unwrap_or_default();
    if header.destination.is_none() {
        let named = header.clone();
        header.destination = destination.as_deref().map(Claimed::new);
        if check_header(header).is_err() {
            *header = named;
        }
    }
    let selection = if let Some(range) = &arguments.range {
        Selection::Range(range.clone())
    } else if let (Some(_), Some(repository)) = (&arguments.push, &repository) {
        // Git's own hook has both; then its lines count, whatever variables say.
        let by_git = arguments.push.as_ref().is_some_and(|named| named.len() == 2);
        let remote = name.filter(|_| is_tracked);
        Selection::Push { updates: updates(repository, by_git)?, remote }
    } else if arguments.all_history {
        Selection::AllHistory
    } else if arguments.files {
        Selection::Files(arguments.paths.clone())
    } else if arguments.tracked {
        Selection::Tracked
    } else if arguments.merge {
        Selection::Merge(gate::merged_heads(env::vars_os().map(|(name, _)| name)))
    } else {
        Selection::Staged
    };
    let of_index = match &selection {
        Selection::Staged | Selection::Merge(_) => true,
        selection => matches!(selection, Selection::Tracked | Selection::Files(_)),
    };
    if let Some(repository) = repository.as_ref().filter(|_| of_index) {
        repository.prepare();
    }
    Ok(Asked { repository, selection, filter, has_remote: is_there })
}

/// What git is about to push. The pre-commit framework reads git's lines itself, and says in
/// variables what they were.
fn updates(repository: &Repository, by_git: bool) -> anyhow::Result<Vec<Update>> {
    let variable = |name: &str| env::var(name).ok().filter(|it| !by_git && !it.is_empty());
    let commit = |revision: &str| repository.commit(revision);
    let named = |from: Option<&str>, to: &str| -> anyhow::Result<Vec<Update>> {
        let new = Some(commit(to).map_err(refuse)?);
        // What the remote has and this repository has not hides nothing.
        let old = from.and_then(|from| commit(from).ok());
        Ok(vec![Update { name: to.into(), new, old }])
    };
    let (from, to) = (variable("PRE_COMMIT_FROM_REF"), variable("PRE_COMMIT_TO_REF"));
    if let Some(to) = to {
        return named(from.as_deref(), &to);
    }
    if let Some(branch) = variable("PRE_COMMIT_LOCAL_BRANCH") {
        // Of a branch that begins anew the framework says no more.
        return named(None, &branch);
    }
    // By hand, or where the framework runs all its hooks, git says nothing of a push.
    if io::stdin().is_terminal() || variable("PRE_COMMIT").is_some() {
        let head = repository.head().map_err(refuse)?;
        let update = |head| Update { name: "HEAD".into(), new: Some(head), old: None };
        return Ok(head.map(update).into_iter().collect());
    }
    let mut lines = Vec::new();
    let limit = gate::MAX_LINES_BYTES as u64 + 1;
    io::stdin().take(limit).read_to_end(&mut lines).context("cannot read standard input")?;
    gate::updates(&lines).map_err(refuse)
}

/// The payload of standard input, or a little more than is looked at.
pub fn payload(limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let input = io::stdin().take(limit.saturating_add(1));
    { input }.read_to_end(&mut bytes).context("cannot read standard input")?;
    Ok(bytes)
}
