//! What the daemon may still do to the machine once it serves.
//!
//! In come the folders it needs; out goes what the kernel enforces from then on, or why the daemon
//! must not start. Promised: what is closed stays closed for the life of the process; nothing is
//! said to be enforced that the kernel did not confirm; a process that has threads already is
//! refused, where they would stay outside.
//!
//! INVARIANT: the order is: listeners are bound, privileges dropped and state folders made; the
//! helper that runs commands is started; [`enter`]; then everything that has threads: the ledger,
//! the event loop, the pool that scans.

mod calls;
mod files;

use std::path::{Component, Path, PathBuf};

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, set_dumpable_behavior,
    setrlimit,
};
use serde::Serialize;

/// Links that the kernel follows in one path (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// What the daemon needs of the file system.
///
/// A folder stands for all below it. A file stands for itself only as long as nothing is renamed
/// over it, which is how configuration is replaced: see [`Paths::read_beside`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// What is read.
    pub read: Vec<PathBuf>,
    /// What is read, written, made and removed.
    pub write: Vec<PathBuf>,
}

impl Paths {
    /// Adds the folder of a file that is read again later: the folder it is named in, and that of
    /// the file itself, where links lead to another.
    pub fn read_beside(&mut self, file: &Path) {
        let real = std::fs::canonicalize(file).ok();
        let folders = [Some(file), real.as_deref()].into_iter().flatten().filter_map(Path::parent);
        for folder in folders.filter(|folder| !folder.as_os_str().is_empty()) {
            // What lies in `/` itself opens no more than itself.
            let opened = if folder.parent().is_none() { file } else { folder };
            if !self.read.iter().any(|known| known == opened) {
                self.read.push(opened.to_owned());
            }
        }
    }

    /// The path for writing that decides what a file is: one that the file lies below, or a link on
    /// the way to it. None where nothing that is written changes it.
    pub fn may_write(&self, file: &Path) -> Option<&Path> {
        let way = way(file);
        self.write.iter().map(PathBuf::as_path).find(|write| {
            let real = real(write);
            way.iter().any(|place| *place != real && place.starts_with(&real))
        })
    }

    /// The path for writing that lies below a folder, or is it.
    pub fn write_below(&self, folder: &Path) -> Option<&Path> {
        let folder = real(folder);
        let below = |write: &&Path| real(write).starts_with(&folder);
        self.write.iter().map(PathBuf::as_path).find(below)
    }
}

/// A path without links; as it is where it leads nowhere.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Every place, free of links above it, that a path leads through: whoever may write to one of them
/// decides where the path leads.
fn way(path: &Path) -> Vec<PathBuf> {
    let start = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (mut at, mut places, mut links) = (PathBuf::from("/"), Vec::new(), 0);
    // The parts that are still to go, the next one last.
    let mut rest: Vec<PathBuf> = Vec::new();
    let push = |rest: &mut Vec<PathBuf>, path: &Path| {
        rest.extend(path.components().rev().map(|part| PathBuf::from(part.as_os_str())));
    };
    push(&mut rest, &start);
    while let Some(part) = rest.pop() {
        match part.components().next() {
            Some(Component::RootDir) => at = PathBuf::from("/"),
            Some(Component::ParentDir) => drop(at.pop()),
            Some(Component::Normal(name)) => {
                let place = at.join(name);
                places.push(place.clone());
                match std::fs::read_link(&place) {
                    // The kernel follows no more either.
                    Ok(target) if links < MAX_LINKS => {
                        links += 1;
                        push(&mut rest, &target);
                    }
                    _ => at = place,
                }
            }
            _ => {}
        }
    }
    places
}

/// What has to be enforced for the daemon to start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Minimum {
    /// Whatever the kernel has.
    #[default]
    None,
    /// Landlock with all that is asked of it (version 6, Linux 6.12).
    Landlock,
    /// That, the filter of system calls, and no dumps.
    All,
}

/// How much of what was asked of Landlock the kernel enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// Files, TCP, abstract sockets and signals.
    Full,
    /// Files, and what else the version has.
    Partial,
    /// Nothing: the kernel has no Landlock, or it is switched off.
    None,
}

/// What Landlock enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Landlock {
    /// Version of the kernel's interface, 0 where there is none.
    pub abi: i32,
    /// What is enforced.
    pub extent: Extent,
}

/// What is enforced, for the `start` record and the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Enforced {
    /// Files, TCP and the rest of what Landlock does.
    pub landlock: Landlock,
    /// Whether the filter of system calls is in force.
    pub seccomp: bool,
    /// Whether the memory of the process can be dumped or read by others of its user.
    pub dumpable: bool,
    /// Why something is not enforced, a line each.
    pub missing: Vec<String>,
}

/// Why the daemon must not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A path cannot be opened, so nothing below it could be used.
    #[error("`{}` cannot be opened for the sandbox: {source}; make it, or take it out", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There are threads, which Landlock before its version 8 (Linux 7.0) would leave outside.
    #[error("the sandbox is entered with {0} threads, and has to be before the second one starts")]
    Threads(usize),
    /// How many threads there are is unknown.
    #[error("the threads of the process cannot be counted: {0}; mount /proc")]
    Uncounted(#[source] std::io::Error),
    /// The kernel refused what it said that it has.
    #[error("the kernel refuses the sandbox: {0}")]
    Refused(String),
    /// Less is enforced than has to be.
    #[error("the sandbox is less than the configured minimum: {0}")]
    BelowMinimum(String),
}

/// Makes the memory of the process private: no core dump, and no other process of the user attaches
/// or reads it. Whether both hold now.
pub fn no_dumps() -> bool {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
    // A kernel that pipes dumps to a program does not ask for the limit.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    !is_dumpable()
}

fn is_dumpable() -> bool {
    let behaviour = dumpable_behavior();
    !matches!(behaviour, Ok(DumpableBehavior::NotDumpable))
        || getrlimit(Resource::Core).current != Some(0)
}

/// Closes the sandbox around the process, for good. Files outside `paths` and `/proc` are closed
/// but for those that are open; nothing is executed, and no connection made.
///
/// # Errors
///
/// See [`SandboxError`]. Part of the sandbox may be closed already: the process has to end.
pub fn enter(paths: &Paths, minimum: Minimum) -> Result<Enforced, SandboxError> {
    let tasks = std::fs::read_dir("/proc/self/task").map_err(SandboxError::Uncounted)?;
    match tasks.count() {
        0 | 1 => enter_with_threads(paths, minimum),
        threads => Err(SandboxError::Threads(threads)),
    }
}

/// As [`enter`], in a process that has threads, which Landlock may leave outside: for tests, whose
/// harness always has one.
///
/// # Errors
///
/// As [`enter`].
#[doc(hidden)]
pub fn enter_with_threads(paths: &Paths, minimum: Minimum) -> Result<Enforced, SandboxError> {
    let dumpable = !no_dumps();
    let mut missing = Vec::new();
    if dumpable {
        missing.push("the memory of the process can be dumped".to_owned());
    }
    let landlock = files::close(paths)?;
    match landlock.extent {
        Extent::Full => {}
        Extent::Partial => missing.push(format!(
            "Landlock has version {} of its interface, and version {} is wanted",
            landlock.abi,
            files::WANTED
        )),
        Extent::None => missing.push("the kernel has no Landlock, or has it off".to_owned()),
    }
    let seccomp = match calls::close() {
        Ok(()) => true,
        Err(problem) => {
            missing.push(format!("system calls are not filtered: {problem}"));
            false
        }
    };
    let enough = match minimum {
        Minimum::None => true,
        Minimum::Landlock => landlock.extent == Extent::Full,
        Minimum::All => landlock.extent == Extent::Full && seccomp && !dumpable,
    };
    if !enough {
        return Err(SandboxError::BelowMinimum(missing.join("; ")));
    }
    Ok(Enforced { landlock, seccomp, dumpable, missing })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_a_write_could_change_is_found_through_links_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["state/deep", "config", "state-of-another"] {
            std::fs::create_dir_all(at(name)).expect("made");
        }
        for name in ["state/deep/own", "config/sluice.toml", "state-of-another/sluice.toml"] {
            std::fs::write(at(name), "").expect("written");
        }
        symlink(at("config/sluice.toml"), at("state/out")).expect("linked");
        symlink("../state/out", at("config/there-and-back")).expect("linked");
        symlink(at("config"), at("state/folder")).expect("linked");
        symlink("../state/deep", at("config/inside")).expect("linked");
        symlink(at("state"), at("alias")).expect("linked");
        symlink("loop", at("config/loop")).expect("linked");
        for write in ["state", "alias"] {
            let paths = Paths { write: vec![at(write)], ..Paths::default() };
            let found = |name: &str| paths.may_write(&at(name)).is_some();
            for name in [
                "state/deep/own",
                "state/out",
                "state/missing",
                "alias/deep/own",
                "config/there-and-back",
                "state/folder/sluice.toml",
                "config/inside/own",
                "config/../state/deep/own",
            ] {
                assert!(found(name), "{write}: {name}");
            }
            for name in [
                "config/sluice.toml",
                "config/missing",
                "config/loop",
                "state-of-another/sluice.toml",
                "state/../config/sluice.toml",
            ] {
                assert!(!found(name), "{write}: {name}");
            }
            let below = |name: &str| paths.write_below(&at(name)).is_some();
            assert!(below("state") && below("alias") && below("."));
            assert!(!below("config") && !below("state/deep") && !below("state-of-another"));
        }
    }

    #[test]
    fn nothing_in_the_root_opens_all_that_there_is() {
        let mut paths = Paths::default();
        paths.read_beside(Path::new("/rules-that-are-not-there"));
        assert_eq!(paths.read, [Path::new("/rules-that-are-not-there")]);
    }
}
