//! The directory of the socket, which nobody else may change.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, Gid, Mode, OFlags};
use rustix::io::Errno;

use super::{MAX_PATH, SocketError, failed, shown};

/// How often the lock of a directory is tried, and how long is waited in between.
const ATTEMPTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// The directory and the name of an absolute path that fits into the address of a socket.
pub(super) fn parts(path: &Path) -> Result<(&Path, &OsStr), SocketError> {
    let length = path.as_os_str().as_bytes().len();
    if length > MAX_PATH {
        return Err(SocketError::TooLong(shown(path), length));
    }
    let ends_in_slash = path.as_os_str().as_bytes().last() == Some(&b'/');
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if path.is_absolute() && !ends_in_slash => Ok((parent, name)),
        _ => Err(SocketError::NotAbsolute(shown(path))),
    }
}

/// Opens the directory, or makes it inside one that is there.
pub(super) fn directory(path: &Path, gid: Option<u32>) -> Result<OwnedFd, SocketError> {
    let made = match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(path)?;
            true
        }
        _ => false,
    };
    let directory = trusted(path)?;
    // Not before it is known to be the one that was made.
    if made && let Some(gid) = gid {
        let mode = Mode::RWXU | Mode::XGRP;
        rustix::fs::fchown(&directory, None, Some(Gid::from_raw(gid)))
            .and_then(|()| rustix::fs::fchmod(&directory, mode))
            .map_err(|error| {
                failed("cannot give the directory of the socket to the group")(error.into())
            })?;
    }
    Ok(directory)
}

fn make(path: &Path) -> Result<(), SocketError> {
    let what = "cannot make the directory of the socket";
    let above = path.parent().ok_or_else(|| SocketError::NotAbsolute(shown(path)))?;
    let name = path.file_name().ok_or_else(|| SocketError::NotAbsolute(shown(path)))?;
    let above = trusted_above(above)?;
    match rustix::fs::mkdirat(&above, name, Mode::RWXU) {
        // Somebody was faster; it is looked at like any other.
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(failed(what)(error.into())),
    }
}

/// Opens a directory in which nobody but root and this user can put anything, nor above it.
pub(super) fn trusted(path: &Path) -> Result<OwnedFd, SocketError> {
    check(path, false)
}

/// The same for one above the directory: everybody may write where each may only remove their own, as
/// in `/tmp`.
fn trusted_above(path: &Path) -> Result<OwnedFd, SocketError> {
    check(path, true)
}

fn check(path: &Path, is_above: bool) -> Result<OwnedFd, SocketError> {
    let what = "cannot open the directory of the socket";
    // Links on the way (`/var/run`) lie in directories that are looked at too: those of root.
    let real = path.canonicalize().map_err(failed(what))?;
    let mut directory =
        rustix::fs::open("/", FLAGS, Mode::empty()).map_err(|error| failed(what)(error.into()))?;
    let mut shown_so_far = Path::new("/").to_owned();
    let names: Vec<&OsStr> = real.iter().skip(1).collect();
    guard(&directory, &shown_so_far, is_above || !names.is_empty())?;
    for (at, name) in names.iter().enumerate() {
        shown_so_far.push(name);
        directory = open(&directory, name).map_err(|error| match error {
            Errno::NOTDIR | Errno::LOOP => SocketError::NotDirectory(shown(&shown_so_far)),
            error => failed(what)(error.into()),
        })?;
        guard(&directory, &shown_so_far, is_above || at + 1 < names.len())?;
    }
    guard_links(path)?;
    // Up to here only looked at; now to be locked.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match is_above {
        true => Ok(directory),
        false => rustix::fs::openat(&directory, ".", flags, Mode::empty())
            .map_err(|error| failed(what)(error.into())),
    }
}

const FLAGS: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a directory inside another one, following no link.
pub(super) fn open(directory: impl AsFd, name: impl AsRef<OsStr>) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(directory, name.as_ref(), FLAGS, Mode::empty())
}

/// A link that somebody else may turn leads to where they like.
fn guard_links(path: &Path) -> Result<(), SocketError> {
    let own = rustix::process::geteuid().as_raw();
    for part in path.ancestors() {
        let Some(metadata) = part.symlink_metadata().ok().filter(Metadata::is_symlink) else {
            continue;
        };
        if metadata.uid() != 0 && metadata.uid() != own {
            return Err(SocketError::Foreign { path: shown(part), uid: metadata.uid() });
        }
        if let Some(above) = part.parent() {
            trusted_above(above)?;
        }
    }
    Ok(())
}

fn guard(directory: &OwnedFd, path: &Path, is_above: bool) -> Result<(), SocketError> {
    let stat = rustix::fs::fstat(directory)
        .map_err(|error| failed("cannot look at the directory of the socket")(error.into()))?;
    if stat.st_uid != 0 && stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(SocketError::Foreign { path: shown(path), uid: stat.st_uid });
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    let is_open = mode.intersects(Mode::WGRP | Mode::WOTH);
    if is_open && !(is_above && mode.contains(Mode::SVTX)) {
        return Err(SocketError::Writable(shown(path)));
    }
    Ok(())
}

/// Keeps other processes of this kind from taking a place in the directory meanwhile.
pub(super) fn lock(directory: &OwnedFd) -> rustix::io::Result<()> {
    for _ in 0..ATTEMPTS {
        match rustix::fs::flock(directory, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => std::thread::sleep(PAUSE),
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
    Err(Errno::WOULDBLOCK)
}

/// Lets others at the directory again.
pub(super) fn unlock(directory: &OwnedFd) {
    // It ends with the descriptor at the latest.
    let _ = rustix::fs::flock(directory, FlockOperation::Unlock);
}
