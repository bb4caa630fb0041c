//! The program that a peer runs: its path and the SHA-256 of its content.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::readers::Readers;
use crate::model::{Executable, KernelName};

/// The most executables whose digest is remembered; those not asked for longest are forgotten.
const MAX_KNOWN: usize = 1_024;

/// Bytes of the largest executable that is hashed.
const MAX_EXECUTABLE: u64 = 512 << 20;

/// A file that changed less than this before it was hashed is hashed again next time: a second
/// change within one tick of the file system's clock would not show in its ctime.
const SETTLED: Duration = Duration::from_secs(2);

/// `f_type` of file systems whose content is what a user's program says (statfs(2)).
const FUSE_SUPER_MAGIC: u64 = 0x6573_5546;

/// Why an executable is unavailable. A helper says the place of its reason in this list.
const REASONS: &[&str] =
    &[UNREADABLE, NOT_REGULAR, TOO_LARGE, FUSE, BEGAN, CHANGED, FORBIDDEN, NONE, NO_DESCRIPTOR];

pub(super) const UNREADABLE: &str = "it cannot be read";
const NOT_REGULAR: &str = "it is no regular file";
const TOO_LARGE: &str = "it is larger than 512 MiB";
const FUSE: &str = "a program of some user answers for its content (FUSE)";
const BEGAN: &str = "the process began another program while it was looked at";
const CHANGED: &str = "it changed while it was read";
const FORBIDDEN: &str = "the kernel does not let this process read it";
const NONE: &str = "the process has none, or has ended";
const NO_DESCRIPTOR: &str = "there was no descriptor left to read it";

/// The place of a reason.
pub(super) fn reason_number(reason: &str) -> usize {
    REASONS.iter().position(|known| *known == reason).unwrap_or(0)
}

/// The reason at a place that a helper named.
pub(super) fn known_reason(number: &str) -> &'static str {
    number.parse().ok().and_then(|number: usize| REASONS.get(number)).unwrap_or(&UNREADABLE)
}

/// Digests of executables, shared by all connections. No lock is held while a file is read, and no
/// user has two files read at once.
#[derive(Debug, Default)]
pub struct Executables {
    readers: Option<Arc<Readers>>,
    known: Mutex<Known>,
    busy: Mutex<BTreeSet<u32>>,
    freed: Condvar,
}

/// Digests by file, each with when it was last asked for.
#[derive(Debug, Default)]
struct Known {
    digests: HashMap<FileKey, (String, u64)>,
    asked: u64,
}

/// What tells one content of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileKey {
    pub device: u64,
    pub inode: u64,
    pub size: u64,
    /// Seconds since 1970 and nanoseconds.
    pub changed: (i64, u64),
}

impl FileKey {
    fn of(stat: &Stat) -> FileKey {
        #[allow(clippy::useless_conversion, reason = "the width differs between machines")]
        FileKey {
            device: stat.st_dev.into(),
            inode: stat.st_ino.into(),
            size: u64::try_from(stat.st_size).unwrap_or(u64::MAX),
            changed: (
                i64::from(stat.st_ctime),
                u64::try_from(stat.st_ctime_nsec).unwrap_or(u64::MAX),
            ),
        }
    }

    /// The program that runs now in the process whose directory (or `/proc`-like folder) this is.
    pub(super) fn running(directory: impl AsFd) -> Option<FileKey> {
        let stat = rustix::fs::statat(directory, "exe", AtFlags::empty()).ok()?;
        Some(FileKey::of(&stat))
    }

    fn is_settled(&self) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let changed = u64::try_from(seconds).map(Duration::from_secs).unwrap_or_default()
            + Duration::from_nanos(nanoseconds);
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .is_ok_and(|now| changed.saturating_add(SETTLED) < now)
    }
}

impl Executables {
    /// Remembers nothing yet, and reads files itself.
    pub fn new() -> Executables {
        Executables::default()
    }

    /// Has files read by helpers, for a daemon inside a sandbox, which may not.
    pub fn read_by(readers: Readers) -> Executables {
        Executables { readers: Some(Arc::new(readers)), ..Executables::default() }
    }

    /// Who reads files, if not this process itself.
    pub(super) fn readers(&self) -> Option<Arc<Readers>> {
        self.readers.clone()
    }

    /// The program of the process `pid`, whose `/proc` directory is held open. The file is read through
    /// the kernel's link to what runs, so that a deleted or replaced path does not matter. With
    /// helpers it is that of the process only if this one still is there afterwards.
    pub(super) fn of(
        &self,
        directory: impl AsFd,
        pid: u32,
        uid: u32,
    ) -> (Executable, Option<FileKey>) {
        if let Some(readers) = &self.readers {
            return readers.of(pid, uid);
        }
        match self.read(directory.as_fd(), uid) {
            Ok((executable, key)) => (executable, Some(key)),
            Err(reason) => (Executable::Unavailable(reason), None),
        }
    }

    fn read(&self, directory: impl AsFd, uid: u32) -> Result<(Executable, FileKey), &'static str> {
        let path = rustix::fs::readlinkat(&directory, "exe", Vec::new()).map_err(reason)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = rustix::fs::openat(&directory, "exe", flags, Mode::empty()).map_err(reason)?;
        let stat = rustix::fs::fstat(&file).map_err(reason)?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(NOT_REGULAR);
        }
        let key = FileKey::of(&stat);
        if key.size > MAX_EXECUTABLE {
            return Err(TOO_LARGE);
        }
        let system = rustix::fs::fstatfs(&file).map_err(reason)?;
        if u64::try_from(system.f_type) == Ok(FUSE_SUPER_MAGIC) {
            return Err(FUSE);
        }
        let file = File::from(file);
        let sha256 = self.digest(key, &file, uid)?;
        // The process may have begun another program between the link and the file.
        let again = rustix::fs::readlinkat(&directory, "exe", Vec::new()).map_err(reason)?;
        if again != path || FileKey::running(&directory) != Some(key) {
            return Err(BEGAN);
        }
        Ok((Executable::Known { path: KernelName::read(path.to_bytes()), sha256 }, key))
    }

    fn digest(&self, key: FileKey, file: &File, uid: u32) -> Result<String, &'static str> {
        if let Some(digest) = self.recall(key) {
            return Ok(digest);
        }
        let _turn = self.turn(uid);
        // Whoever had the turn before may have read the same file.
        if let Some(digest) = self.recall(key) {
            return Ok(digest);
        }
        let digest = hash(file, key)?;
        if key.is_settled() {
            self.remember(key, digest.clone());
        }
        Ok(digest)
    }

    fn recall(&self, key: FileKey) -> Option<String> {
        let mut known = lock(&self.known);
        known.asked += 1;
        let asked = known.asked;
        let (digest, last) = known.digests.get_mut(&key)?;
        *last = asked;
        Some(digest.clone())
    }

    fn remember(&self, key: FileKey, digest: String) {
        let mut known = lock(&self.known);
        if known.digests.len() >= MAX_KNOWN {
            let oldest = known.digests.iter().min_by_key(|(_, (_, last))| *last);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                known.digests.remove(&oldest);
            }
        }
        let asked = known.asked;
        known.digests.insert(key, (digest, asked));
    }

    /// Waits until no other file of this user is being read.
    fn turn(&self, uid: u32) -> Turn<'_> {
        let mut busy = lock(&self.busy);
        while !busy.insert(uid) {
            busy = self.freed.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        Turn { of: self, uid }
    }
}

struct Turn<'a> {
    of: &'a Executables,
    uid: u32,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.of.busy).remove(&self.uid);
        self.of.freed.notify_all();
    }
}

/// Both are whole after every step, so that a thread that died in between spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hash(mut file: &File, key: FileKey) -> Result<String, &'static str> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut total = 0u64;
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(UNREADABLE),
        };
        hasher.update(buffer.get(..read).unwrap_or_default());
        total = total.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if total > key.size {
            return Err(CHANGED);
        }
    }
    let stat = rustix::fs::fstat(file).map_err(reason)?;
    if total != key.size || FileKey::of(&stat) != key {
        return Err(CHANGED);
    }
    Ok(HEXLOWER.encode(&hasher.finalize()))
}

fn reason(error: Errno) -> &'static str {
    match error {
        Errno::ACCESS | Errno::PERM => FORBIDDEN,
        Errno::NOENT | Errno::SRCH => NONE,
        Errno::MFILE | Errno::NFILE => NO_DESCRIPTOR,
        _ => UNREADABLE,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A folder like that of a process, whose program is `content`.
    fn process(folder: &Path, content: &[u8]) -> File {
        let _ = std::fs::remove_file(folder.join("exe"));
        std::fs::write(folder.join("program"), content).expect("a file");
        std::os::unix::fs::symlink(folder.join("program"), folder.join("exe")).expect("a link");
        File::open(folder).expect("it opens")
    }

    fn sha256(executable: &Executable) -> Result<&str, &'static str> {
        match executable {
            Executable::Known { sha256, .. } => Ok(sha256),
            Executable::Unavailable(reason) => Err(reason),
        }
    }

    fn digest_of(content: &[u8]) -> String {
        HEXLOWER.encode(&Sha256::digest(content))
    }

    #[test]
    fn the_digest_is_of_the_content_and_remembered_once_settled() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = process(folder.path(), b"first");
        let executables = Executables::new();
        let (found, key) = executables.of(&directory, 1, 0);
        assert_eq!(sha256(&found), Ok(digest_of(b"first").as_str()));
        assert!(lock(&executables.known).digests.is_empty(), "a fresh file may change unseen");
        // What is remembered is what is given out.
        executables.remember(key.expect("it was read"), "remembered".to_owned());
        assert_eq!(sha256(&executables.of(&directory, 1, 0).0), Ok("remembered"));
        // Another size or time is another content.
        let directory = process(folder.path(), b"second");
        assert_eq!(sha256(&executables.of(&directory, 1, 0).0), Ok(digest_of(b"second").as_str()));
    }

    #[test]
    fn a_settled_file_is_remembered() {
        let own = super::super::proc::open(std::process::id()).expect("proc is there");
        let mut key = FileKey::running(&own).expect("this program");
        assert!(FileKey { changed: (0, 0), ..key }.is_settled());
        key.changed = (i64::MAX, 0);
        assert!(!key.is_settled(), "from the future");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let executables = Executables::new();
        let key = |inode| FileKey { device: 1, inode, size: 1, changed: (0, 0) };
        for inode in 0..u64::try_from(MAX_KNOWN).expect("it fits") {
            assert!(executables.recall(key(inode)).is_none());
            executables.remember(key(inode), String::new());
        }
        assert!(executables.recall(key(0)).is_some());
        for inode in 10_000..10_010 {
            assert!(executables.recall(key(inode)).is_none());
            executables.remember(key(inode), String::new());
        }
        assert_eq!(lock(&executables.known).digests.len(), MAX_KNOWN);
        assert!(executables.recall(key(0)).is_some(), "asked for in between");
        assert!(executables.recall(key(1)).is_none());
    }

    #[test]
    fn what_cannot_be_read_has_a_reason() {
        let executables = Executables::new();
        let folder = tempfile::tempdir().expect("a folder");
        let directory = process(folder.path(), b"");
        let large = File::create(folder.path().join("program")).expect("a file");
        large.set_len(MAX_EXECUTABLE + 1).expect("a sparse file");
        assert_eq!(sha256(&executables.of(&directory, 1, 0).0), Err("it is larger than 512 MiB"));
        std::fs::remove_file(folder.path().join("program")).expect("it is there");
        let gone = sha256(&executables.of(&directory, 1, 0).0).expect_err("no file").to_owned();
        assert_eq!(gone, "the process has none, or has ended");
        std::fs::create_dir(folder.path().join("program")).expect("a folder");
        assert_eq!(sha256(&executables.of(&directory, 1, 0).0), Err("it is no regular file"));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_has_no_digest() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = process(folder.path(), b"content");
        let key = FileKey::running(&directory).expect("a file");
        let open = || File::open(folder.path().join("program")).expect("a file");
        assert_eq!(hash(&open(), key), Ok(digest_of(b"content")));
        for other in [
            FileKey { size: 6, ..key },
            FileKey { size: 8, ..key },
            FileKey { changed: (1, 1), ..key },
        ] {
            assert_eq!(hash(&open(), other), Err("it changed while it was read"));
        }
    }

    #[test]
    fn one_user_has_one_file_read_at_a_time_and_others_go_on() {
        let executables = Executables::new();
        let first = executables.turn(1);
        let _other = executables.turn(2);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| drop(executables.turn(1)));
            assert!(!waiting.is_finished());
            drop(first);
            waiting.join().expect("its turn came");
        });
    }
}
