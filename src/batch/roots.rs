//! Where a scan begins.

use std::collections::HashMap;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};

use super::beneath::{Beneath, describe};
use crate::respond::escape;

/// The files and directories that a scan begins at, checked and held open, sorted by path.
///
/// A root that is a symbolic link is followed, for the root itself only; nothing below it is.
#[derive(Debug)]
pub struct Roots {
    pub(super) kept: Vec<Root>,
    dropped: Vec<(PathBuf, PathBuf)>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Root {
    /// As it was given.
    pub(super) path: PathBuf,
    pub(super) place: RootPlace,
}

/// What is at a root.
#[derive(Debug)]
pub(super) enum RootPlace {
    Directory(Beneath),
    File,
    Special(&'static str),
    Unreadable(String),
}

/// A root that cannot be scanned because it is not there.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.named(|path| escape(&path.to_string_lossy())))]
pub struct RootsError {
    /// Each root with the reason, in the order given.
    pub missing: Vec<(PathBuf, io::ErrorKind)>,
}

impl RootsError {
    /// The message, with each path as `name` writes it.
    pub fn named(&self, name: impl Fn(&Path) -> String) -> String {
        let each = self.missing.iter().map(|(path, kind)| match kind {
            io::ErrorKind::NotFound => format!("`{}`: no such file or directory", name(path)),
            other => format!("`{}`: {other}", name(path)),
        });
        format!("cannot scan {}", each.collect::<Vec<_>>().join(", "))
    }
}

impl Roots {
    /// Checks all roots. One that is given twice or lies inside another is dropped, so that each
    /// file is scanned once.
    ///
    /// # Errors
    /// Names every root that does not exist or cannot be resolved.
    pub fn check(paths: &[PathBuf]) -> Result<Roots, RootsError> {
        let mut missing = Vec::new();
        let mut found = Vec::new();
        for path in paths {
            match path.canonicalize() {
                Ok(canonical) => found.push((path, canonical)),
                Err(error) => missing.push((path.clone(), error.kind())),
            }
        }
        if !missing.is_empty() {
            return Err(RootsError { missing });
        }
        let mut first: HashMap<&Path, usize> = HashMap::new();
        for (at, (_, canonical)) in found.iter().enumerate() {
            first.entry(canonical).or_insert(at);
        }
        let mut roots = Roots { kept: Vec::new(), dropped: Vec::new() };
        for (at, (path, canonical)) in found.iter().enumerate() {
            let twice = first.get(canonical.as_path()).copied().filter(|first| *first != at);
            let inside = || canonical.ancestors().skip(1).find_map(|above| first.get(above));
            match twice.or_else(|| inside().copied()).and_then(|other| found.get(other)) {
                Some((other, _)) => roots.dropped.push(((*path).clone(), (*other).clone())),
                None => roots.kept.push(Root::open(path)),
            }
        }
        roots.kept.sort_by(|a, b| a.sort_key().cmp(b.sort_key()));
        Ok(roots)
    }

    /// The roots that are scanned, as they were given, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.kept.iter().map(|root| root.path.as_path())
    }

    /// Roots that were dropped, each with the root that covers it.
    pub fn dropped(&self) -> &[(PathBuf, PathBuf)] {
        &self.dropped
    }
}

impl Root {
    fn open(path: &Path) -> Root {
        let place = match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => match Beneath::hold(path) {
                Ok(beneath) => RootPlace::Directory(beneath),
                Err(error) => RootPlace::Unreadable(describe(&error)),
            },
            Ok(metadata) if metadata.is_file() => RootPlace::File,
            Ok(metadata) => {
                use std::os::unix::fs::MetadataExt;
                let kind = FileType::from_raw_mode(metadata.mode());
                RootPlace::Special(special(kind))
            }
            Err(error) => RootPlace::Unreadable(describe(&error)),
        };
        Root { path: path.to_owned(), place }
    }

    /// The path of something below this root, as reports name it.
    pub(super) fn join(&self, below: &Path) -> PathBuf {
        if below.as_os_str().is_empty() { self.path.clone() } else { self.path.join(below) }
    }

    /// The bytes that the paths below begin with, so that sorted roots give sorted paths.
    fn sort_key(&self) -> impl Iterator<Item = &u8> {
        let bytes = self.path.as_os_str().as_bytes();
        let slash = matches!(self.place, RootPlace::Directory(_)) && !bytes.ends_with(b"/");
        bytes.iter().chain(slash.then_some(&b'/'))
    }
}

/// What a file that holds no content of its own is called.
pub(super) fn special(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "character device",
        FileType::BlockDevice => "block device",
        FileType::Symlink => "symbolic link",
        FileType::Directory => "directory",
        _ => "special file",
    }
}

/// Kind of a file from its status.
pub(super) fn kind_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_and_repeated_roots_are_scanned_once() {
        let tree = tempfile::tempdir().unwrap();
        let at = |name: &str| tree.path().join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::create_dir_all(at("ab")).unwrap();
        std::fs::write(at("a.txt"), "").unwrap();
        std::os::unix::fs::symlink("a", at("link")).unwrap();
        let given = [at("ab"), at("a/b"), at("a"), at("a/../a"), at("link"), at("a.txt")];
        let roots = Roots::check(&given).unwrap();
        // `.` sorts before `/`, as in the paths below.
        assert_eq!(roots.paths().collect::<Vec<_>>(), [at("a.txt"), at("a"), at("ab")]);
        assert_eq!(
            roots.dropped(),
            [(at("a/b"), at("a")), (at("a/../a"), at("a")), (at("link"), at("a"))]
        );
    }

    #[test]
    fn every_missing_root_is_named() {
        let tree = tempfile::tempdir().unwrap();
        let at = |name: &str| tree.path().join(name);
        let error = Roots::check(&[at("x"), tree.path().to_owned(), at("y")]).unwrap_err();
        assert_eq!(error.missing.len(), 2);
        let text = error.to_string();
        assert!(text.contains("x`: no such file or directory, `"));
    }
}
