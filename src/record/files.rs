//! The file operations that the ledger is made of, and how they are carried out on a disk.
//!
//! They are few, so that a test can stand in for the disk: lose what was not synced, or fail.
//! Paths are relative to the state directory and made by this crate, never by a payload.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{AtFlags, FallocateFlags, Mode, OFlags};

/// Bytes of the largest file that is read: no segment comes near.
const MAX_READ: u64 = 256 << 20;

/// Files below one directory.
pub trait Files: Send + Sync {
    /// The whole content of a regular file.
    ///
    /// # Errors
    /// Those of the system.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// Those of the system.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Makes a file that is not there yet, for its owner alone, and opens it for writing.
    ///
    /// # Errors
    /// Those of the system.
    fn create(&self, path: &str) -> io::Result<Box<dyn Writable>>;

    /// Opens a file that is there for writing.
    ///
    /// # Errors
    /// Those of the system.
    fn open(&self, path: &str) -> io::Result<Box<dyn Writable>>;

    /// Gives a file another name, in place of one that has it.
    ///
    /// # Errors
    /// Those of the system.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the system.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Removes a folder that is empty.
    ///
    /// # Errors
    /// Those of the system.
    fn remove_folder(&self, path: &str) -> io::Result<()>;

    /// Makes a folder for its owner alone, and says whether it is new.
    ///
    /// # Errors
    /// Those of the system.
    fn make_folder(&self, path: &str) -> io::Result<bool>;

    /// Makes names in a folder durable.
    ///
    /// # Errors
    /// Those of the system.
    fn sync_folder(&self, path: &str) -> io::Result<()>;
}

/// A file that is open for writing.
pub trait Writable: Send {
    /// Writes all bytes at an offset.
    ///
    /// # Errors
    /// Those of the system.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes room for `length` bytes in all; what is new is zero.
    ///
    /// # Errors
    /// Those of the system, such as a full disk.
    fn allocate(&self, length: u64) -> io::Result<()>;

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// Those of the system.
    fn cut(&self, length: u64) -> io::Result<()>;

    /// Makes content and length durable.
    ///
    /// # Errors
    /// Those of the system.
    fn sync(&self) -> io::Result<()>;
}

/// Writes a file beside its place and moves it there, all durable.
///
/// # Errors
/// Those of the system.
pub fn replace(files: &dyn Files, path: &str, content: &[u8]) -> io::Result<()> {
    write_beside(files, path, content)?;
    files.sync_folder(folder_of(path))
}

/// As [`replace`], but the new name is durable only after [`Files::sync_folder`].
///
/// # Errors
/// Those of the system.
pub fn write_beside(files: &dyn Files, path: &str, content: &[u8]) -> io::Result<()> {
    let beside = format!("{path}.new");
    match files.remove(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = files.create(&beside)?;
    file.write_at(content, 0)?;
    file.sync()?;
    files.rename(&beside, path)
}

/// The folder that a path is in; empty for the state directory itself.
pub fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Files on a disk, below a directory that is held open.
pub struct Disk {
    root: OwnedFd,
}

impl Disk {
    /// Files below a directory. No link is followed at the end of a path.
    pub fn new(root: OwnedFd) -> Disk {
        Disk { root }
    }

    /// Files below the directory at a path, which may be a link.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(path: &Path) -> io::Result<Disk> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Disk { root: rustix::fs::open(path, flags, Mode::empty())? })
    }

    fn open_at(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.root, path, flags, Mode::RUSR | Mode::WUSR)?)
    }
}

impl Files for Disk {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut file = File::from(self.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK)?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        if metadata.len() > MAX_READ {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        Ok(content)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let folder = self.open_at(folder, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn Writable>> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        Ok(Box::new(File::from(self.open_at(path, flags)?)))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Writable>> {
        Ok(Box::new(File::from(self.open_at(path, OFlags::WRONLY)?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.root, from, &self.root, to)?)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.root, path, AtFlags::empty())?)
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.root, path, AtFlags::REMOVEDIR)?)
    }

    fn make_folder(&self, path: &str) -> io::Result<bool> {
        match rustix::fs::mkdirat(&self.root, path, Mode::RWXU) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        let folder = self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        Ok(rustix::fs::fsync(folder)?)
    }
}

impl Writable for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let present = self.metadata()?.len();
        if length <= present {
            return Ok(());
        }
        match rustix::fs::fallocate(self, FallocateFlags::empty(), present, length - present) {
            Err(rustix::io::Errno::OPNOTSUPP) => {
                let zeros = [0; 64 << 10];
                let mut at = present;
                while at < length {
                    let part = usize::try_from(length - at).unwrap_or(zeros.len());
                    let part = zeros.get(..part).unwrap_or(&zeros);
                    self.write_all_at(part, at)?;
                    at += part.len() as u64;
                }
                Ok(())
            }
            other => Ok(other?),
        }
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        // Sizes are data here: a file that is longer has them written as well.
        self.sync_data()
    }
}
