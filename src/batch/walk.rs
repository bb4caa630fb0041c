//! Everything below the roots, in one stable order.
//!
//! The order is byte-wise by path, with a directory's path ending in `/`. Hidden and git-ignored
//! files are met like all others. Links are met and not followed.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, statat};
use rustix::io::Errno;

use super::FileId;
use super::beneath::{Beneath, describe};
use super::roots::{Root, RootPlace, Roots, kind_of, special};

/// Directories inside each other that are entered below a root.
pub(super) const MAX_DEPTH: usize = 1024;

/// Bytes of directory entries that one walk holds. Larger directories are listed several times,
/// each time for the next names in order.
const HELD_BYTES: usize = 32 << 20;

/// The least that a directory may hold however much those above it hold.
const LEVEL_BYTES: usize = 64 << 10;

/// What an entry costs beside its name.
const ENTRY_BYTES: usize = 64;

/// Something that the walk met.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) root: &'a Root,
    /// Path below the root; empty for the root itself.
    pub(super) below: PathBuf,
    pub(super) met: Met,
}

/// What it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// A regular file, to be read.
    File,
    /// Left out, with its size and the reason.
    Skipped(u64, &'static str),
    /// Could not be listed or entered.
    Failed(String),
}

/// Walks the roots. `skips` names a reason to leave out a path below its root (its last argument:
/// whether it is a directory). Files of `leave_out` are passed over without a word.
pub(super) fn walk<'a>(
    roots: &'a Roots,
    skips: &dyn Fn(&'a Root, &Path, bool) -> Option<&'static str>,
    leave_out: &[FileId],
    emit: &mut dyn FnMut(Item<'a>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    for root in &roots.kept {
        let below = PathBuf::new();
        let met = match &root.place {
            RootPlace::Directory(beneath) => {
                Walk { root, beneath, skips, leave_out, held: 0 }.run(HELD_BYTES, emit)?;
                continue;
            }
            RootPlace::File => {
                let name = Path::new(root.path.file_name().unwrap_or_default());
                match skips(root, name, false) {
                    Some(reason) => Met::Skipped(size_of(&root.path), reason),
                    None => Met::File,
                }
            }
            RootPlace::Special(kind) => Met::Skipped(0, kind),
            RootPlace::Unreadable(problem) => Met::Failed(problem.clone()),
        };
        emit(Item { root, below, met })?;
    }
    ControlFlow::Continue(())
}

fn size_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// The walk below one root.
struct Walk<'a, 'b> {
    root: &'a Root,
    beneath: &'a Beneath,
    skips: &'b dyn Fn(&'a Root, &Path, bool) -> Option<&'static str>,
    leave_out: &'b [FileId],
    /// Bytes of entries that the levels hold.
    held: usize,
}

/// A directory whose entries are being met.
struct Level {
    below: PathBuf,
    /// Entries still to meet, in reverse.
    entries: Vec<Entry>,
    /// Where the directory held more than could be listed: the last entry listed.
    resume: Option<Entry>,
    weight: usize,
}

impl<'a> Walk<'a, '_> {
    fn run(
        &mut self,
        budget: usize,
        emit: &mut dyn FnMut(Item<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut levels = Vec::new();
        levels.push(self.enter(PathBuf::new(), None, budget, emit)?);
        while let Some(level) = levels.last_mut() {
            let Some(entry) = level.entries.pop() else {
                self.held -= level.weight;
                let finished = levels.pop();
                if let Some(Level { below, resume: Some(after), .. }) = finished {
                    levels.push(self.enter(below, Some(after), budget, emit)?);
                }
                continue;
            };
            if self.is_left_out(&level.below, &entry) {
                continue;
            }
            let below = level.below.join(&entry.name);
            let is_directory = entry.kind == FileType::Directory;
            let met = match (self.skips)(self.root, &below, is_directory) {
                Some(reason) => {
                    let is_file = entry.kind == FileType::RegularFile;
                    let size = if is_file { self.size(&below) } else { 0 };
                    Met::Skipped(size, reason)
                }
                None if is_directory && levels.len() > MAX_DEPTH => {
                    Met::Failed(format!("too deep: more than {MAX_DEPTH} directories"))
                }
                None if is_directory => {
                    levels.push(self.enter(below, None, budget, emit)?);
                    continue;
                }
                None if entry.kind == FileType::RegularFile => Met::File,
                None => Met::Skipped(0, special(entry.kind)),
            };
            emit(Item { root: self.root, below, met })?;
        }
        ControlFlow::Continue(())
    }

    /// Lists a directory, or what of it comes after an entry. A directory that cannot be listed is
    /// emitted as failed, and what could be listed of it is kept.
    fn enter(
        &mut self,
        below: PathBuf,
        after: Option<Entry>,
        budget: usize,
        emit: &mut dyn FnMut(Item<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<(), Level> {
        let limit = (budget.saturating_sub(self.held) / 4).max(LEVEL_BYTES.min(budget));
        let mut listing = Listing { largest: BinaryHeap::new(), weight: 0, limit, more: false };
        if let Err(error) = listing.fill(self.beneath, &below, after.as_ref()) {
            let met = Met::Failed(format!("cannot be listed: {}", describe(&error)));
            emit(Item { root: self.root, below: below.clone(), met })?;
        }
        let resume = listing.more.then(|| listing.largest.peek().cloned()).flatten();
        let mut entries = listing.largest.into_sorted_vec();
        entries.reverse();
        self.held += listing.weight;
        ControlFlow::Continue(Level { below, entries, resume, weight: listing.weight })
    }

    fn is_left_out(&self, directory: &Path, entry: &Entry) -> bool {
        self.leave_out.iter().any(|id| id.inode == entry.inode)
            && self
                .beneath
                .stat(&directory.join(&entry.name))
                .is_ok_and(|stat| self.leave_out.contains(&FileId::of(&stat)))
    }

    fn size(&self, below: &Path) -> u64 {
        self.beneath.stat(below).ok().and_then(|stat| u64::try_from(stat.st_size).ok()).unwrap_or(0)
    }
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    name: OsString,
    kind: FileType,
    inode: u64,
}

impl Entry {
    fn weight(&self) -> usize {
        self.name.len() + ENTRY_BYTES
    }

    fn sort_key(&self) -> impl Iterator<Item = &u8> {
        let slash = (self.kind == FileType::Directory).then_some(&b'/');
        self.name.as_bytes().iter().chain(slash)
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        self.sort_key().cmp(other.sort_key())
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The first entries of a directory, in order, as many as the limit holds.
struct Listing {
    largest: BinaryHeap<Entry>,
    weight: usize,
    limit: usize,
    /// Whether entries behind these were dropped.
    more: bool,
}

impl Listing {
    fn fill(&mut self, beneath: &Beneath, below: &Path, after: Option<&Entry>) -> io::Result<()> {
        let directory = beneath.open_directory(below)?;
        let mut entries = Dir::read_from(&directory)?;
        while let Some(entry) = entries.read() {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                // Some file systems do not tell. What vanishes meanwhile fails when it is opened.
                FileType::Unknown => statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)
                    .map_or(FileType::RegularFile, |stat| kind_of(&stat)),
                known => known,
            };
            let entry = Entry { name: name.to_owned(), kind, inode: entry.ino() };
            if after.is_none_or(|after| entry > *after) {
                self.keep(entry);
            }
        }
        Ok(())
    }

    fn keep(&mut self, entry: Entry) {
        self.weight += entry.weight();
        self.largest.push(entry);
        while self.weight > self.limit && self.largest.len() > 1 {
            self.weight -= self.largest.pop().map_or(0, |entry| entry.weight());
            self.more = true;
        }
    }
}

impl FileId {
    /// The file that a status describes.
    pub(super) fn of(stat: &rustix::fs::Stat) -> FileId {
        FileId { device: stat.st_dev, inode: stat.st_ino }
    }
}

/// Whether an error says that a path is a directory or is none, where it was otherwise when met.
pub(super) fn changed_kind(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ISDIR | Errno::NOTDIR))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(path: &Path, budget: usize) -> Vec<(String, Met)> {
        let roots = Roots::check(&[path.to_owned()]).unwrap();
        let root = roots.kept.first().unwrap();
        let RootPlace::Directory(beneath) = &root.place else { panic!("no directory") };
        let mut all = Vec::new();
        let mut walk = Walk { root, beneath, skips: &|_, _, _| None, leave_out: &[], held: 0 };
        let end = walk.run(budget, &mut |item| {
            all.push((item.below.to_string_lossy().into_owned(), item.met));
            ControlFlow::Continue(())
        });
        assert_eq!((end, walk.held), (ControlFlow::Continue(()), 0));
        all
    }

    #[test]
    fn order_is_that_of_the_paths_whatever_the_budget() {
        let tree = tempfile::tempdir().unwrap();
        for directory in ["b", "a", "a/z", "b.d", ".git"] {
            std::fs::create_dir(tree.path().join(directory)).unwrap();
        }
        let files =
            ["a.txt", "a/2", "a/10", "a/z/.hidden", "b/1", "b.d/x", ".git/config", ".gitignore"];
        for file in files {
            std::fs::write(tree.path().join(file), "*").unwrap();
        }
        let mut expected = files.map(str::to_owned).to_vec();
        expected.sort();
        for budget in [HELD_BYTES, 600, 1] {
            let paths: Vec<String> = met(tree.path(), budget).into_iter().map(|m| m.0).collect();
            assert_eq!(paths, expected, "budget {budget}");
        }
    }

    #[test]
    fn links_and_special_files_are_named_and_not_entered() {
        let tree = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(".", tree.path().join("loop")).unwrap();
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            tree.path().join("pipe"),
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        )
        .unwrap();
        let expected = [
            ("loop".to_owned(), Met::Skipped(0, "symbolic link")),
            ("pipe".to_owned(), Met::Skipped(0, "fifo")),
        ];
        assert_eq!(met(tree.path(), HELD_BYTES), expected);
    }
}
