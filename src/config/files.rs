//! Where policy comes from.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file of the machine.
const SYSTEM: &str = "/etc/sluice/sluice.toml";

/// Where a file of the user may be; what the environment says, which the caller reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Locations<'a> {
    /// What `--config` names.
    pub explicit: Option<&'a Path>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<&'a OsStr>,
    /// `HOME`.
    pub home: Option<&'a OsStr>,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened or read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is a folder, device or pipe.
    #[error("it is no regular file")]
    NotRegular,
    /// Others than its owner may write to it.
    #[error("others may write to it, and so decide what may leave; run `chmod go-w` on it")]
    Writable,
    /// It belongs to somebody else than root or the caller.
    #[error("it belongs to user {0}, who is neither root nor you; change its owner")]
    Foreign(u32),
    /// It is no text.
    #[error("it is not UTF-8")]
    NotText,
}

/// The file that is in force: the one that was named, else that of the machine, else that of the
/// user; none where there is none. The working directory is never looked at. A file of the machine
/// that is there and cannot be read still is the one in force.
pub fn find(locations: Locations<'_>) -> Option<PathBuf> {
    find_below(Path::new(SYSTEM), locations)
}

fn find_below(system: &Path, locations: Locations<'_>) -> Option<PathBuf> {
    if let Some(explicit) = locations.explicit {
        return Some(explicit.to_owned());
    }
    // The XDG base directory specification has relative paths ignored.
    let absolute = |path: Option<&OsStr>| path.map(PathBuf::from).filter(|path| path.is_absolute());
    let config_home = absolute(locations.config_home);
    let config_home =
        config_home.or_else(|| absolute(locations.home).map(|home| home.join(".config")));
    let user = config_home.map(|home| home.join("sluice/sluice.toml"));
    [Some(system.to_owned()), user].into_iter().flatten().find(|path| {
        let is_missing = |error: std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
        !std::fs::symlink_metadata(path).is_err_and(is_missing)
    })
}

/// Reads a file that only root or the user `uid` may change.
///
/// # Errors
///
/// See [`FileError`].
pub fn read(path: &Path, uid: u32) -> Result<String, FileError> {
    // A pipe would be waited for where it is opened.
    if !std::fs::metadata(path)?.is_file() {
        return Err(FileError::NotRegular);
    }
    let file = File::open(path)?;
    // Of the open file, so that it is the one that is read.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(FileError::NotRegular);
    }
    guarded(&metadata, uid)?;
    let mut bytes = Vec::new();
    // One more than is allowed, so that a longer file is told from one that just fits.
    let limit = u64::try_from(crate::rules::reader::MAX_SOURCE).unwrap_or(u64::MAX);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > crate::rules::reader::MAX_SOURCE {
        // The cut may have split a character; the length is all that matters now.
        bytes.iter_mut().for_each(|byte| *byte = b' ');
    }
    String::from_utf8(bytes).map_err(|_| FileError::NotText)
}

fn guarded(metadata: &Metadata, uid: u32) -> Result<(), FileError> {
    if metadata.mode() & 0o022 != 0 {
        return Err(FileError::Writable);
    }
    if metadata.uid() != 0 && metadata.uid() != uid {
        return Err(FileError::Foreign(metadata.uid()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_file_that_is_there_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let (system, home) = (folder.path().join("etc.toml"), folder.path().join("home"));
        let user = home.join(".config/sluice/sluice.toml");
        let locations = Locations { home: Some(home.as_os_str()), ..Locations::default() };
        assert_eq!(find_below(&system, locations), None);
        fs::create_dir_all(user.parent().expect("a parent")).expect("folders");
        fs::write(&user, "version = 1").expect("a file");
        assert_eq!(find_below(&system, locations), Some(user.clone()));
        let elsewhere = Locations { config_home: Some(OsStr::new("/nowhere")), ..locations };
        assert_eq!(find_below(&system, elsewhere), None);
        let relative = Locations { config_home: Some(OsStr::new("x")), ..locations };
        assert_eq!(find_below(&system, relative), Some(user));
        fs::write(&system, "version = 1").expect("a file");
        assert_eq!(find_below(&system, locations), Some(system.clone()));
        let explicit = Locations { explicit: Some(Path::new("own.toml")), ..locations };
        assert_eq!(find_below(&system, explicit), Some(PathBuf::from("own.toml")));
    }

    #[test]
    fn files_that_others_write_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sluice.toml");
        fs::write(&path, "version = 1").expect("a file");
        let uid = fs::metadata(&path).expect("metadata").uid();
        let mode = |mode| fs::set_permissions(&path, Permissions::from_mode(mode)).expect("mode");
        mode(0o644);
        assert_eq!(read(&path, uid).expect("it is read"), "version = 1");
        for writable in [0o664, 0o646, 0o666] {
            mode(writable);
            assert!(matches!(read(&path, uid), Err(FileError::Writable)), "{writable:o}");
        }
        mode(0o600);
        if uid != 0 {
            assert!(matches!(read(&path, uid + 1), Err(FileError::Foreign(_))));
        }
        fs::write(&path, [0xff]).expect("a file");
        assert!(matches!(read(&path, uid), Err(FileError::NotText)));
        assert!(matches!(read(folder.path(), uid), Err(FileError::NotRegular)));
        assert!(matches!(read(&folder.path().join("none"), uid), Err(FileError::Unreadable(_))));
    }
}
