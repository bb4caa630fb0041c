//! The state directory: what is in it, who may see it, and who holds it.
//!
//! ```text
//! VERSION  lock  checkpoint               keys/{sign,mac.<epoch>,vault}  keys/<id>.vkey
//! journal/<first sequence>.seg            tile/<level>/<number>          anchors/<size>-<id>
//! pending/  inbox/  vault/
//! ```
//!
//! Promised: secrets are read only from regular files of this user that nobody else can read, and
//! no link is followed to them. One process at a time holds the lock.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use rustix::fs::{FlockOperation, Mode, OFlags};
use zeroize::Zeroizing;

use crate::record::files::{self, Disk, Files};
use crate::record::journal;
use crate::record::merkle::Edge;
use crate::record::note::{Checkpoint, NoteError, Signer, Vkey};

/// The version of the layout, as `VERSION` holds it.
const VERSION: &str = "1\n";

/// How long the command line waits for the lock.
pub const LOCK_WAIT: Duration = Duration::from_secs(2);

/// How often a waiting process asks for the lock.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// Bytes that are read of a key file; far more than a key has.
const KEY_FILE: u64 = 4096;

/// Folders, with the rights they are made with.
const FOLDERS: [(&str, u32); 7] = [
    ("keys", 0o700),
    ("journal", 0o700),
    ("pending", 0o700),
    ("vault", 0o700),
    ("tile", 0o700),
    ("anchors", 0o700),
    ("inbox", 0o730),
];

/// The published checkpoint.
pub const CHECKPOINT: &str = "checkpoint";

/// The signing key, and the one that a rotation is about to put in its place.
const SIGN: &str = "keys/sign";
const NEXT: &str = "keys/sign.next";

/// Random bytes, from whoever makes keys.
pub type Random<'a> = dyn FnMut(&mut [u8]) -> io::Result<()> + 'a;

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// There is none.
    #[error("there is no ledger in `{0}`; `sluice ledger init` makes one")]
    Missing(String),
    /// It is there already.
    #[error("`{0}` holds something already; a ledger is made in a new or empty directory")]
    Present(String),
    /// It was made by another version.
    #[error("the ledger in `{0}` has a layout that this version does not know")]
    Version(String),
    /// Others could read or change it, or it belongs to somebody else.
    #[error("`{path}` {problem}")]
    Unsafe {
        /// What it is about.
        path: String,
        /// What is wrong, and what it has to be.
        problem: &'static str,
    },
    /// A key file does not hold a key.
    #[error("`{path}` holds no key: {problem}")]
    Key {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The origin cannot be one.
    #[error("the origin cannot be used: {0}")]
    Origin(NoteError),
    /// Another process holds the ledger.
    #[error("another process holds the ledger in `{0}`, and did not let go of it")]
    Locked(String),
    /// The system says no.
    #[error("cannot use `{path}`")]
    Io {
        /// The file or folder.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

/// A key of 32 bytes, wiped when it goes. Nothing shows it.
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A state directory that was opened.
pub struct State {
    path: PathBuf,
    root: OwnedFd,
    files: Arc<dyn Files>,
}

/// The right to write. Dropped, it is free for the next process.
pub struct Lock {
    _file: File,
}

impl State {
    /// Makes a state directory with new keys and a log without entries.
    ///
    /// # Errors
    /// [`StateError`]; what was made so far stays.
    pub fn create(path: &Path, origin: &str, random: &mut Random<'_>) -> Result<State, StateError> {
        let shown = path.display().to_string();
        let failed = |source| StateError::Io { path: shown.clone(), source };
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        match fs::DirBuilder::new().mode(0o710).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::read_dir(path).map_err(failed)?.next().is_some() {
                    return Err(StateError::Present(shown));
                }
            }
            other => other.map_err(failed)?,
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o710)).map_err(failed)?;
        let state = State::hold(path)?;
        let mut fresh = || -> Result<Zeroizing<[u8; 32]>, StateError> {
            let mut key = Zeroizing::new([0; 32]);
            random(&mut key[..]).map_err(|source| StateError::Io {
                path: "the random number generator".to_owned(),
                source,
            })?;
            Ok(key)
        };
        for (folder, mode) in FOLDERS {
            state.checked(folder, state.files.make_folder(folder))?;
            // The mask of the process may have taken rights away.
            let made = fs::set_permissions(path.join(folder), fs::Permissions::from_mode(mode));
            state.checked(folder, made)?;
        }
        let signer = Signer::from_seed(origin, &*fresh()?).map_err(StateError::Origin)?;
        state.write("lock", b"")?;
        state.write_signer(SIGN, &signer)?;
        for name in ["keys/mac.1", "keys/vault"] {
            state.write_secret(name, &*fresh()?)?;
        }
        let edge = Edge::default();
        let empty = Checkpoint { origin: origin.to_owned(), size: 0, root: edge.root() };
        let note = empty.sign([&signer]);
        let mut head = Vec::new();
        journal::write_head(origin, &edge, &note, &mut head);
        state.write(&format!("{}/{}", journal::FOLDER, journal::segment_name(0)), &head)?;
        state.write(CHECKPOINT, note.as_bytes())?;
        // Without it the directory is no state directory: it comes last.
        state.write("VERSION", VERSION.as_bytes())?;
        Ok(state)
    }

    /// Opens a state directory to look at what is public in it, whoever it belongs to.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn view(path: &Path) -> Result<State, StateError> {
        let state = State::hold(path)?;
        let shown = path.display().to_string();
        match state.files.read("VERSION") {
            Ok(version) if version == VERSION.as_bytes() => Ok(state),
            Ok(_) => Err(StateError::Version(shown)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StateError::Missing(shown))
            }
            Err(source) => Err(StateError::Io { path: shown, source }),
        }
    }

    /// Opens a state directory, and checks who may use it.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open(path: &Path) -> Result<State, StateError> {
        let state = State::view(path)?;
        let own = rustix::process::geteuid().as_raw();
        let folders = FOLDERS.iter().filter(|(name, _)| *name != "inbox");
        for (name, forbidden) in
            [("", 0o022)].into_iter().chain(folders.map(|(name, _)| (*name, 0o077)))
        {
            let path = path.join(name);
            let metadata = state.checked(name, fs::symlink_metadata(&path))?;
            let refuse = |problem| StateError::Unsafe { path: path.display().to_string(), problem };
            // The state directory itself may be named through a link.
            if !metadata.is_dir() && !name.is_empty() {
                return Err(refuse("is no directory"));
            }
            let metadata =
                if name.is_empty() { state.checked(name, fs::metadata(&path))? } else { metadata };
            if metadata.uid() != own {
                return Err(refuse("belongs to somebody else"));
            }
            if metadata.mode() & forbidden != 0 {
                return Err(refuse("is open to others; the state directory is 0710, keys 0700"));
            }
        }
        Ok(state)
    }

    fn hold(path: &Path) -> Result<State, StateError> {
        let shown = path.display().to_string();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(root) => root,
            Err(rustix::io::Errno::NOENT) => return Err(StateError::Missing(shown)),
            Err(error) => return Err(StateError::Io { path: shown, source: error.into() }),
        };
        let files = root.try_clone().map_err(|source| StateError::Io { path: shown, source })?;
        Ok(State { path: path.to_owned(), root, files: Arc::new(Disk::new(files)) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its files.
    pub fn files(&self) -> Arc<dyn Files> {
        Arc::clone(&self.files)
    }

    /// Takes the lock, and waits for it at most this long.
    ///
    /// # Errors
    /// [`StateError::Locked`] where another process keeps it, and those of the system.
    pub fn lock(&self, wait: Duration) -> Result<Lock, StateError> {
        let file = self.secret_file("lock")?;
        let until = Instant::now() + wait;
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => {
                    thread::sleep(LOCK_POLL);
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(StateError::Locked(self.path.display().to_string()));
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return self.checked("lock", Err(error.into())),
            }
        }
    }

    /// The signing key.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn signer(&self) -> Result<Signer, StateError> {
        self.read_signer(SIGN)
    }

    /// The public keys of the log, past and present.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn vkeys(&self) -> Result<Vec<Vkey>, StateError> {
        let names = self.checked("keys", self.files.list("keys"))?;
        let mut vkeys = Vec::new();
        for name in names.iter().filter(|name| name.ends_with(".vkey")) {
            let name = format!("keys/{name}");
            let content = self.checked(&name, self.files.read(&name))?;
            let key = std::str::from_utf8(&content).map_err(|_| NoteError::NotAKey);
            let key = key.and_then(|line| Vkey::parse(line.trim_end()));
            vkeys.push(key.map_err(|error| self.no_key(&name, error))?);
        }
        Ok(vkeys)
    }

    /// The newest MAC epoch and its key.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn mac_key(&self) -> Result<(u32, SecretKey), StateError> {
        let names = self.checked("keys", self.files.list("keys"))?;
        let epochs = names.iter().filter_map(|name| name.strip_prefix("mac.")?.parse().ok());
        let epoch = epochs.max().ok_or_else(|| self.no_key("keys/mac.1", NoteError::NotAKey))?;
        Ok((epoch, self.mac_key_of(epoch)?))
    }

    /// The key of a MAC epoch; one that was destroyed is [`StateError::Io`] with not found.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn mac_key_of(&self, epoch: u32) -> Result<SecretKey, StateError> {
        self.read_secret(&format!("keys/mac.{epoch}"))
    }

    /// The key of the vault.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn vault_key(&self) -> Result<SecretKey, StateError> {
        self.read_secret("keys/vault")
    }

    /// Makes the key of the next MAC epoch, and says its number.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn new_mac_epoch(&self, random: &mut Random<'_>) -> Result<u32, StateError> {
        let (epoch, _) = self.mac_key()?;
        let mut key = Zeroizing::new([0; 32]);
        self.checked("the random number generator", random(&mut key[..]))?;
        self.write_secret(&format!("keys/mac.{}", epoch + 1), &key)?;
        Ok(epoch + 1)
    }

    /// Puts a key beside the signing key, to take its place once the log names it.
    pub(super) fn prepare_signer(&self, next: &Signer) -> Result<(), StateError> {
        self.write_signer(NEXT, next)
    }

    /// The key that [`State::prepare_signer`] left, if any.
    pub(super) fn prepared_signer(&self) -> Result<Option<Signer>, StateError> {
        match self.read_signer(NEXT) {
            Err(StateError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// The prepared key takes the place of the signing key.
    pub(super) fn promote_signer(&self) -> Result<(), StateError> {
        self.checked(SIGN, self.files.rename(NEXT, SIGN))?;
        self.checked("keys", self.files.sync_folder("keys"))
    }

    /// The prepared key goes: the log never named it.
    pub(super) fn forget_signer(&self, next: &Signer) -> Result<(), StateError> {
        self.checked(NEXT, self.files.remove(NEXT))?;
        let vkey = format!("keys/{}.vkey", next.vkey().id_hex());
        self.checked(&vkey, self.files.remove(&vkey))?;
        self.checked("keys", self.files.sync_folder("keys"))
    }

    /// A signing key, with its public key beside it.
    fn write_signer(&self, name: &str, signer: &Signer) -> Result<(), StateError> {
        let vkey = signer.vkey();
        self.write(&format!("keys/{}.vkey", vkey.id_hex()), format!("{vkey}\n").as_bytes())?;
        self.write(name, signer.encode().as_bytes())
    }

    fn read_signer(&self, name: &str) -> Result<Signer, StateError> {
        let content = self.secret(name)?;
        let line = std::str::from_utf8(&content).map_err(|_| NoteError::NotAKey);
        let signer = line.and_then(|line| Signer::parse(line.trim_end()));
        signer.map_err(|error| self.no_key(name, error))
    }

    fn write_secret(&self, name: &str, key: &[u8; 32]) -> Result<(), StateError> {
        let line = Zeroizing::new(HEXLOWER.encode(key));
        self.write(name, line.as_bytes())
    }

    fn read_secret(&self, name: &str) -> Result<SecretKey, StateError> {
        let content = self.secret(name)?;
        let mut key = Zeroizing::new([0; 32]);
        let decoded = Zeroizing::new(HEXLOWER.decode(content.trim_ascii_end()).unwrap_or_default());
        if decoded.len() != key.len() {
            return Err(StateError::Key {
                path: self.path.join(name).display().to_string(),
                problem: "it is not 64 hex digits".to_owned(),
            });
        }
        key.copy_from_slice(&decoded);
        Ok(SecretKey(key))
    }

    fn secret(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, StateError> {
        let file = self.secret_file(name)?;
        // Room for all of it, so that no copy is left behind by growing.
        let mut content = Zeroizing::new(Vec::with_capacity(KEY_FILE as usize));
        self.checked(name, file.take(KEY_FILE).read_to_end(&mut content))?;
        Ok(content)
    }

    /// Opens a file that only this user may read.
    fn secret_file(&self, name: &str) -> Result<File, StateError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let refuse = |problem| StateError::Unsafe {
            path: self.path.join(name).display().to_string(),
            problem,
        };
        let file = match rustix::fs::openat(self.root.as_fd(), name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::LOOP) => return Err(refuse("is a link")),
            Err(error) => return self.checked(name, Err(error.into())),
        };
        let metadata = self.checked(name, file.metadata())?;
        if !metadata.is_file() {
            return Err(refuse("is no regular file"));
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(refuse("belongs to somebody else"));
        }
        if metadata.mode() & 0o177 != 0 {
            return Err(refuse("may be used by others; its mode has to be 0600"));
        }
        Ok(file)
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), StateError> {
        self.checked(name, files::replace(&*self.files, name, content))
    }

    fn checked<T>(&self, name: &str, result: io::Result<T>) -> Result<T, StateError> {
        result.map_err(|source| StateError::Io {
            path: self.path.join(name).display().to_string(),
            source,
        })
    }

    fn no_key(&self, name: &str, error: NoteError) -> StateError {
        let path = self.path.join(name).display().to_string();
        StateError::Key { path, problem: error.to_string() }
    }
}
