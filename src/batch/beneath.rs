//! Opening what lies below a held directory, and nothing else.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use rustix::fs::{self, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

/// Longest path given to the kernel in one call; PATH_MAX is 4096 with the final zero byte.
const CALL_BYTES: usize = 4000;

/// How often an open is tried again that a rename elsewhere in the tree disturbed.
const ATTEMPTS: usize = 16;

/// A held directory. Paths are resolved from its descriptor, so that neither a link, nor `..`,
/// nor a directory that is swapped for a link while the scan runs leads out of it.
#[derive(Debug)]
pub(crate) struct Beneath {
    directory: OwnedFd,
    /// `openat2` refuses links and escapes in the kernel (Linux 5.6). Where it is missing or
    /// forbidden, paths are walked component by component.
    has_openat2: bool,
}

impl Beneath {
    /// Holds the directory at `path`; a link there is followed.
    pub(crate) fn hold(path: &Path) -> io::Result<Beneath> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = fs::openat(fs::CWD, path, flags, Mode::empty())?;
        let probe = guarded(directory.as_fd(), Path::new("."), OFlags::PATH | OFlags::CLOEXEC);
        // Some sandboxes answer EPERM to calls that they do not know; `.` itself never gives it.
        let has_openat2 = !matches!(probe, Err(Errno::NOSYS | Errno::PERM));
        Ok(Beneath { directory, has_openat2 })
    }

    /// Opens a directory for listing; an empty path is the held directory itself.
    pub(crate) fn open_directory(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open(path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// Opens a file for reading. Neither a FIFO nor a terminal can make this wait or take over:
    /// the caller looks at what was opened before it reads.
    pub(crate) fn open_file(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open(path, FILE_FLAGS)
    }

    /// What is at the path, without opening it for reading. A link is described, not followed.
    pub(crate) fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(fs::fstat(self.open(path, OFlags::PATH | OFlags::NOFOLLOW)?)?)
    }

    fn open(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let mut rest = path.as_os_str().as_bytes();
        let mut held: Option<OwnedFd> = None;
        // A path too long for one call is opened in pieces, each from the directory before it.
        while let Some((front, _)) = rest.split_at_checked(CALL_BYTES) {
            let cut = front.iter().rposition(|byte| *byte == b'/').ok_or(Errno::NAMETOOLONG)?;
            let (piece, behind) = rest.split_at_checked(cut).ok_or(Errno::NAMETOOLONG)?;
            let at = held.as_ref().unwrap_or(&self.directory).as_fd();
            let next = self.step(at, piece, OFlags::PATH | OFlags::DIRECTORY)?;
            held = Some(next);
            rest = behind.strip_prefix(b"/").unwrap_or(behind);
        }
        let at = held.as_ref().unwrap_or(&self.directory).as_fd();
        Ok(self.step(at, rest, flags)?)
    }

    fn step(&self, at: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = Path::new(OsStr::from_bytes(if path.is_empty() { b"." } else { path }));
        let flags = flags | OFlags::CLOEXEC;
        if self.has_openat2 { guarded(at, path, flags) } else { by_component(at, path, flags) }
    }
}

/// Flags for a file whose kind is not yet known.
pub(crate) const FILE_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

fn guarded(at: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    let mut outcome = Err(Errno::AGAIN);
    for _ in 0..ATTEMPTS {
        outcome = fs::openat2(at, path, flags, Mode::empty(), resolve);
        if !matches!(outcome, Err(Errno::AGAIN | Errno::INTR)) {
            break;
        }
    }
    outcome
}

/// The same without `openat2`: each component is opened from the one before it and may not be a
/// link. `..` is refused.
fn by_component(at: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut held: Option<OwnedFd> = None;
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        let name = match component {
            Component::Normal(name) => name,
            Component::CurDir => OsStr::new("."),
            _ => return Err(Errno::XDEV),
        };
        let flags = match components.peek() {
            Some(_) => OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            None => flags,
        };
        let from = held.as_ref().map_or(at, |fd| fd.as_fd());
        let next = fs::openat(from, name, flags | OFlags::NOFOLLOW, Mode::empty())?;
        held = Some(next);
    }
    held.ok_or(Errno::NOENT)
}

/// An open or read error in a few words.
pub(crate) fn describe(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::NOENT) => "vanished before it could be opened".to_owned(),
        Some(Errno::LOOP) => "a symbolic link took its place".to_owned(),
        Some(Errno::ACCESS | Errno::PERM) => "permission denied".to_owned(),
        _ => {
            let text = error.to_string();
            let mut characters = text.chars();
            let first = characters.next().map(|c| c.to_ascii_lowercase());
            first.into_iter().chain(characters).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    fn both(path: &Path) -> [Beneath; 2] {
        let with = Beneath::hold(path).unwrap();
        assert!(with.has_openat2, "the tests expect a kernel with openat2");
        let mut without = Beneath::hold(path).unwrap();
        without.has_openat2 = false;
        [with, without]
    }

    #[test]
    fn opens_below_and_refuses_links_and_escapes() {
        let tree = tempfile::tempdir().unwrap();
        let held = tree.path().join("held");
        std::fs::create_dir_all(held.join("a/b")).unwrap();
        std::fs::write(held.join("a/b/file"), "content").unwrap();
        std::fs::write(tree.path().join("outside"), "outside").unwrap();
        symlink("b", held.join("a/link")).unwrap();
        symlink("file", held.join("a/b/link")).unwrap();
        for beneath in both(&held) {
            let mut text = String::new();
            let file = beneath.open_file(Path::new("a/b/file")).unwrap();
            std::fs::File::from(file).read_to_string(&mut text).unwrap();
            assert_eq!(text, "content");
            assert!(beneath.open_directory(Path::new("")).is_ok());
            let last = beneath.open_file(Path::new("a/b/link")).unwrap_err();
            assert_eq!(describe(&last), "a symbolic link took its place");
            assert!(beneath.open_file(Path::new("a/link/file")).is_err());
            assert!(beneath.open_directory(Path::new("a/link")).is_err());
            assert!(beneath.open_file(Path::new("../outside")).is_err());
            assert!(beneath.open_file(Path::new("/etc/passwd")).is_err());
            assert!(beneath.stat(Path::new("a/b/link")).is_ok());
        }
    }

    #[test]
    fn opens_paths_longer_than_the_kernel_takes() {
        let tree = tempfile::tempdir().unwrap();
        let name = "n".repeat(200);
        let mut at = Beneath::hold(tree.path()).unwrap().directory;
        let mut path = std::path::PathBuf::new();
        for _ in 0..50 {
            fs::mkdirat(&at, &name, Mode::RWXU).unwrap();
            at = fs::openat(&at, &name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
            path.push(&name);
        }
        fs::openat(&at, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
        path.push("file");
        assert!(path.as_os_str().len() > 10_000);
        for beneath in both(tree.path()) {
            assert!(beneath.open_file(&path).is_ok());
        }
    }
}
