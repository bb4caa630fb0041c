//! What governs the commits of a repository: the register of the machine, and the files of the
//! repository as they are at a commit, never as they are in the working tree.

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::GateError;
use super::exceptions::{
    BASELINE, Baseline, BaselineError, Exceptions, GITLEAKS, MAX_LIST_BYTES, SECRETS,
};
use super::repository::{Content, Repository};
use super::staged::Staged;
use crate::config::{self, Config};
use crate::model::Day;
use crate::rules::{Diagnostics, Source, Taxonomy};

/// The repository's file, at the root of a commit.
pub const FILE: &str = "sluice.toml";

/// Files of a repository that govern.
pub(super) const GOVERNING: [&str; 4] = [FILE, BASELINE, GITLEAKS, SECRETS];

/// Bytes of it that are read: one more than it may have, so that a longer one is told from it.
const MAX_FILE: u64 = 1 << 20;

/// What governs, besides the repository itself.
pub struct Machine<'a> {
    /// The register of the machine, with the file that it was read from.
    pub register: Option<(&'a Source, &'a Config)>,
    /// The taxonomy.
    pub taxonomy: &'a Taxonomy,
    /// The version of the program.
    pub engine: &'a str,
    /// The day of the run.
    pub today: Day,
}

/// What governs.
#[derive(Clone, Debug)]
pub struct Governing {
    /// Both files together.
    pub config: Config,
    /// What excepts findings.
    pub exceptions: Exceptions,
    /// Whether a file of the repository is part of it.
    pub of_repository: bool,
    /// What is to be said of it.
    pub notes: Vec<String>,
}

/// Why nothing governs.
#[derive(Debug, thiserror::Error)]
pub enum GoverningError {
    /// The repository cannot be read.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// Its file does not hold.
    #[error("`{FILE}` {whose} cannot be used\n\n{}", rendered.trim_end())]
    Rejected {
        /// Which version of it.
        whose: String,
        /// What is wrong with it.
        rendered: String,
    },
    /// Its baseline does not hold.
    #[error("{}", error.of(whose))]
    Baseline {
        /// Which version of it.
        whose: String,
        /// What is wrong with it.
        error: BaselineError,
    },
}

impl GoverningError {
    /// Whether the caller can mend it.
    pub fn is_usage(&self) -> bool {
        !matches!(self, GoverningError::Gate(error) if !error.is_usage())
    }
}

/// Finds what governs: the register of the machine, joined with the repository's file at the head, or
/// at the revision `from`. Where a commit is `staging`, what is staged of it takes effect at the next commit; it has to hold all the same.
///
/// # Errors
///
/// See [`GoverningError`].
pub fn govern(
    repository: &Repository,
    from: Option<&str>,
    staging: bool,
    machine: &Machine<'_>,
) -> Result<Governing, GoverningError> {
    let commit = match from {
        Some(revision) => Some(repository.commit(revision)?),
        None => repository.head()?,
    };
    let whose = from.map_or_else(
        || "of HEAD".to_owned(),
        |from| format!("of `{}`", crate::respond::escape(from)),
    );
    let staging = staging && from.is_none();
    let staged = if staging { Some(Staged::read(repository)?) } else { None };
    let read = Reading { repository, commit, staged: staged.as_ref() };
    let mut notes = Vec::new();

    let file = read.file(FILE, MAX_FILE + 1)?;
    let source = |bytes: &Vec<u8>, whose: &str| match String::from_utf8(bytes.clone()) {
        Ok(text) => Ok(Source { name: FILE.to_owned(), text, builtin: false }),
        Err(_) => Err(GoverningError::Rejected {
            whose: whose.to_owned(),
            rendered: "it is not UTF-8".to_owned(),
        }),
    };
    let join = |bytes: Option<&Vec<u8>>, whose: &str| {
        let source = bytes.map(|bytes| source(bytes, whose)).transpose()?;
        let joined =
            config::govern(machine.register, source.as_ref(), machine.taxonomy, machine.engine);
        joined.map_err(|diagnostics| rejected(whose, source.as_ref(), &diagnostics))
    };
    let committed = join(file.committed.as_ref(), &whose);
    let changed = match &file.staged {
        Change::None => None,
        Change::Removed => Some(join(None, "that is staged")),
        Change::To(bytes) => Some(join(Some(bytes), "that is staged")),
    };
    let has_file = file.committed.is_some();
    let (config, broken) = match (committed, changed) {
        (Ok(governing), None) => (governing, false),
        (Ok(governing), Some(next)) => {
            next?;
            notes.push(format!(
                "`{FILE}` is staged with changes: they take effect at the next commit"
            ));
            (governing, false)
        }
        (Err(error), None) => return Err(error),
        (Err(error), Some(next)) => {
            if next.is_err() || matches!(error, GoverningError::Gate(_)) {
                return Err(error);
            }
            notes.push(format!(
                "`{FILE}` {whose} cannot be used and the one that is staged mends it: this commit is decided by \
                 the register of the machine alone, without exceptions"
            ));
            (join(None, &whose)?, true)
        }
    };

    let place = match machine.register {
        Some((source, _)) => format!("`{}`", source.name),
        None => {
            format!("`{FILE}` at the root of the repository, which takes effect at the next commit")
        }
    };
    for category in &config.not_exceptable {
        let id = machine.taxonomy.get(*category).map_or("", |category| &category.id);
        notes.push(format!("`{FILE}` calls `{id}` exceptable, and {place} does not: it is not"));
    }
    let mut config = config.config;
    if !broken && let Some(commit) = commit {
        // What excepts decides as the register does, so the digest names it; and whose file it is.
        let mut files = Vec::new();
        for name in GOVERNING {
            let content = repository.file_at(commit, name, MAX_LIST_BYTES);
            files.extend(content.ok().flatten().map(|content| (name, content)));
        }
        let files = files.iter().map(|(name, content)| (*name, content.as_slice()));
        config.policy = config.policy.covering(files);
    }
    let exceptions = if broken {
        Exceptions::none(machine.today)
    } else {
        let exceptable = *config.policy.exceptable();
        let stated = config.exceptions.clone();
        let mut exceptions = Exceptions::new(exceptable, stated, place, machine.today);
        if let Some(commit) = commit {
            notes.extend(exceptions.read_foreign(repository, commit)?);
        }
        exceptions.with_baseline(read.baseline(&whose, &mut notes)?)
    };
    Ok(Governing { config, exceptions, of_repository: has_file && !broken, notes })
}

/// Where files are read from.
struct Reading<'a> {
    repository: &'a Repository,
    commit: Option<ObjectId>,
    staged: Option<&'a Staged<'a>>,
}

/// A file at the commit, and what is staged of it.
struct Versions {
    committed: Option<Vec<u8>>,
    staged: Change,
}

/// What is staged of a file.
enum Change {
    /// What the commit has.
    None,
    /// Nothing any more.
    Removed,
    /// This.
    To(Vec<u8>),
}

impl Reading<'_> {
    fn file(&self, name: &str, limit: u64) -> Result<Versions, GateError> {
        let committed = match self.commit {
            Some(commit) => self.repository.file_at(commit, name, limit)?,
            None => None,
        };
        let Some(staged) = self.staged else {
            return Ok(Versions { committed, staged: Change::None });
        };
        let next = match staged.blob(name.as_bytes().as_bstr()) {
            None => None,
            Some(held)
                if !super::change::is_blob(held.kind)
                    || held.kind == gix::objs::tree::EntryKind::Link =>
            {
                return Err(GateError::NoFile(name.to_owned()));
            }
            Some(held) => match self.repository.blob(held.id, limit)? {
                Content::Whole(bytes) => Some(bytes),
                Content::TooLarge(bytes) => {
                    return Err(GateError::FileTooLarge { path: name.to_owned(), bytes });
                }
            },
        };
        let staged = match (next, &committed) {
            (None, None) => Change::None,
            (None, Some(_)) => Change::Removed,
            (Some(next), Some(before)) if next == *before => Change::None,
            (Some(next), _) => Change::To(next),
        };
        Ok(Versions { committed, staged })
    }

    fn baseline(&self, whose: &str, notes: &mut Vec<String>) -> Result<Baseline, GoverningError> {
        let file = self.file(BASELINE, MAX_LIST_BYTES)?;
        let committed = Baseline::read(file.committed.as_deref().unwrap_or_default());
        let next = match &file.staged {
            Change::None => None,
            Change::Removed => Some(Ok(Baseline::default())),
            Change::To(bytes) => Some(Baseline::read(bytes)),
        };
        let error =
            |whose: &str, error| GoverningError::Baseline { whose: whose.to_owned(), error };
        match (committed, next) {
            (Ok(baseline), None) => Ok(baseline),
            (Ok(baseline), Some(next)) => {
                next.map_err(|wrong| error("that is staged", wrong))?;
                let note = format!(
                    "`{BASELINE}` is staged with changes: they take effect at the next commit"
                );
                notes.push(note);
                Ok(baseline)
            }
            (Err(_), Some(Ok(_))) => {
                notes.push(format!(
                    "`{BASELINE}` {whose} cannot be used and the one that is staged mends it: none counts now"
                ));
                Ok(Baseline::default())
            }
            (Err(wrong), _) => Err(error(whose, wrong)),
        }
    }
}

fn rejected(whose: &str, source: Option<&Source>, diagnostics: &Diagnostics) -> GoverningError {
    let rendered = diagnostics.render(source.map_or(&[], std::slice::from_ref));
    GoverningError::Rejected { whose: whose.to_owned(), rendered }
}
