//! Values that tokens stand for, encrypted, until their time is over.
//!
//! A [`Scope`] (attested workload, run, destination) has one vault, a file of its own. Values come in
//! and tokens go out ([`Vault::token`]); a token goes in and its value comes out ([`Vaults::reveal`]).
//!
//! Promised:
//! - In one vault equal values of a category have one token. Tokens are random; without the key
//!   nothing can be learned from a vault but how many values it holds and how long they are.
//! - A vault belongs to the workload that first named its run and destination: to another one it is
//!   refused, and its key is derived from the workload, so that no flaw of that check opens it.
//! - What [`Vault::commit`] has returned for survives a crash. What a crash leaves half written is
//!   cut; any other damage is refused, and no value is given that was not stored.
//! - A vault past its expiry is not read, by nobody, and [`Vaults::purge`] removes it.
//!
//! Nothing here writes the record of a reveal: the caller does, before it shows the value.
//!
//! ```text
//! head    magic, salt 16, expires 8, owner 32, nonce 24, length 4, sealed scope
//! entry   length 4, number 8, CRC-32 of both 4, tag of the value 16, tag of the token 16, nonce 24,
//!         sealed category, token and value
//! ```
//!
//! Keys come from `keys/vault` by HKDF-SHA-256 (RFC 5869), that of the entries with the salt and the
//! scope as information; tags are HMAC-SHA-256 cut to 128 bits; sealed is XChaCha20-Poly1305 with a
//! random nonce and all that stands before it, the owner included, as associated data.

mod format;
mod turn;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::model::Attested;
use crate::record::state::Random;
use format::{Entry, Head, Keys, Stop};
use turn::{Turn, Used, lock, lock_within};

/// Values of one vault.
pub const MAX_ENTRIES: usize = 10_000;

/// Bytes of one value.
pub const MAX_VALUE: usize = 16 * 1024;

/// Bytes of one vault's file.
pub const MAX_FILE: u64 = 32 << 20;

/// How long a vault is waited for that another thread of this process uses.
const THREAD_WAIT: Duration = Duration::from_secs(10);

/// How long a vault is waited for that another process uses.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// How often a token is drawn that is taken before the source of randomness is not believed.
const DRAWS: usize = 16;

/// Whose values a vault keeps, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    workload: String,
    run: String,
    destination: String,
}

impl Scope {
    /// The workload as the kernel attests it; run and destination as the flow names them, the
    /// destination by its id where it is registered.
    pub fn new(attested: &Attested, run: &str, destination: &str) -> Scope {
        let (run, destination) = (run.to_owned(), destination.to_owned());
        Scope { workload: attested.executor(), run, destination }
    }

    /// The workload, as [`Attested::executor`] names it.
    pub fn workload(&self) -> &str {
        &self.workload
    }

    /// The run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The destination.
    pub fn destination(&self) -> &str {
        &self.destination
    }
}

/// Why a vault gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The disk failed. What was not committed must not be released.
    #[error("the vault cannot be read or written")]
    Io(#[from] io::Error),
    /// Somebody else is using this vault.
    #[error("other payloads of this run are being redacted; try again")]
    Busy,
    /// The run belongs to another workload, or the key is another one.
    #[error("the vault of this run and destination belongs to another workload")]
    Refused,
    /// Its content is not what was written.
    #[error("the vault is damaged at byte {0}; keep the file for whoever looks into it")]
    Damaged(u64),
    /// Its time is over, or it would be before it began.
    #[error("the vault has expired")]
    Expired,
    /// It holds as much as it may.
    #[error("the vault is full; mask the category, or begin a new run")]
    Full,
    /// The value is longer than a vault keeps.
    #[error("a value of {0} bytes is too long for a vault; mask the category")]
    TooLong(usize),
    /// There is no such token, or not for who asks.
    #[error("no vault that you may read knows the token")]
    Unknown,
    /// Every token that was drawn was taken.
    #[error("the source of randomness gives the same numbers again and again")]
    Randomness,
    /// An earlier write failed.
    #[error("a write to the vault failed before; nothing more is kept in it")]
    Poisoned,
}

/// All vaults of a state directory.
pub struct Vaults {
    folder: OwnedFd,
    keys: Keys,
    used: Arc<Used>,
}

/// The keys are not shown.
impl std::fmt::Debug for Vaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vaults").finish_non_exhaustive()
    }
}

/// Who wants to know a value.
#[derive(Clone, Copy, Debug)]
pub enum Asker<'a> {
    /// The workload of this scope: its own values.
    Owner(&'a Scope),
    /// Somebody whom the caller found to be a registered approver: all values.
    Approver,
}

/// What a token stands for.
pub struct Revealed {
    /// Id of its category: whether an approver may see that is for the caller to check.
    pub category: String,
    /// Whose it is.
    pub scope: Scope,
    /// The value, wiped when this is dropped.
    pub value: Zeroizing<Vec<u8>>,
}

/// The value is not shown.
impl std::fmt::Debug for Revealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Revealed");
        shown.field("category", &self.category).field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// What [`Vaults::purge`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Vaults that were removed.
    pub removed: usize,
    /// Vaults that had expired and are in use.
    pub busy: usize,
    /// Files whose head cannot be read; they stay.
    pub unreadable: usize,
}

impl Vaults {
    /// The vaults in a folder, which is `vault/` of the state directory, under the bytes of
    /// `keys/vault`.
    pub fn new(folder: OwnedFd, key: &[u8; 32]) -> Vaults {
        Vaults { folder, keys: Keys::new(key), used: Arc::default() }
    }

    /// The vault of a scope, for this call alone until it is dropped; one that is used is waited for,
    /// at most ten seconds where this process uses it and two where another one does. A new one
    /// expires at `expires`; one that is there keeps its time, and one whose time is over is replaced.
    /// Times are in seconds since 1970.
    ///
    /// Whoever holds a vault must not open a second one, nor wait for anything that others do while
    /// they hold one.
    ///
    /// # Errors
    ///
    /// See [`VaultError`].
    pub fn open(
        &self,
        scope: &Scope,
        expires: u64,
        now: u64,
        random: &mut Random<'_>,
    ) -> Result<Vault, VaultError> {
        self.open_within(scope, (expires, now), (THREAD_WAIT, LOCK_WAIT), random)
    }

    /// As [`Vaults::open`], but waits for nobody.
    ///
    /// # Errors
    ///
    /// See [`VaultError`].
    pub fn try_open(
        &self,
        scope: &Scope,
        expires: u64,
        now: u64,
        random: &mut Random<'_>,
    ) -> Result<Vault, VaultError> {
        self.open_within(scope, (expires, now), (Duration::ZERO, Duration::ZERO), random)
    }

    fn open_within(
        &self,
        scope: &Scope,
        (expires, now): (u64, u64),
        (thread, process): (Duration, Duration),
        random: &mut Random<'_>,
    ) -> Result<Vault, VaultError> {
        if expires <= now {
            return Err(VaultError::Expired);
        }
        let name = self.keys.file_name(scope);
        let turn = self.used.turn(&name, thread)?;
        // Another process may make or remove the file in between.
        for _ in 0..4 {
            let Some(file) = self.file(&name, OFlags::RDWR)? else {
                self.create(&name, scope, expires, random)?;
                continue;
            };
            lock_within(&file, process)?;
            if rustix::fs::fstat(&file).map_err(io::Error::from)?.st_nlink == 0 {
                continue;
            }
            let bytes = read(&file)?;
            let head = self.keys.head(&bytes, Some(scope))?;
            if head.expires <= now {
                self.remove(&name)?;
                continue;
            }
            return self.load(file, &bytes, head, turn);
        }
        Err(VaultError::Busy)
    }

    /// The value of a token. The caller has to record who asked before it shows the value.
    ///
    /// # Errors
    ///
    /// [`VaultError::Unknown`] where no vault of the asker that has not expired knows the token; the
    /// first damage that was met, where the token is in no other vault.
    pub fn reveal(&self, token: &str, asker: Asker<'_>, now: u64) -> Result<Revealed, VaultError> {
        let names = match asker {
            Asker::Owner(scope) => vec![self.keys.file_name(scope)],
            Asker::Approver => self.names()?,
        };
        let mut damage = VaultError::Unknown;
        for name in names {
            match self.reveal_in(&name, token, asker, now) {
                Ok(Some(revealed)) => return Ok(revealed),
                Ok(None) => {}
                Err(error) => damage = error,
            }
        }
        Err(damage)
    }

    /// Removes the vaults that have expired, and what a crash left of vaults that were being made.
    ///
    /// # Errors
    ///
    /// As the disk fails.
    pub fn purge(&self, now: u64) -> Result<Purged, VaultError> {
        let mut purged = Purged::default();
        for name in self.names()? {
            let Some(file) = self.file(&name, OFlags::RDONLY)? else { continue };
            let half_made = name.ends_with(NEW);
            let expires = read(&file).and_then(|bytes| Ok(self.keys.head(&bytes, None)?.expires));
            match expires {
                _ if half_made => {}
                Ok(expires) if expires > now => continue,
                Ok(_) => {}
                Err(VaultError::Io(error)) => return Err(error.into()),
                Err(_) => {
                    purged.unreadable += 1;
                    continue;
                }
            }
            match lock(&file) {
                Ok(()) => self.remove(&name)?,
                Err(VaultError::Busy) => {
                    purged.busy += usize::from(!half_made);
                    continue;
                }
                Err(error) => return Err(error),
            }
            purged.removed += usize::from(!half_made);
        }
        rustix::fs::fsync(&self.folder).map_err(io::Error::from)?;
        Ok(purged)
    }

    /// Makes a file with its head, and moves it to its place unless there is one by now.
    fn create(
        &self,
        name: &str,
        scope: &Scope,
        expires: u64,
        random: &mut Random<'_>,
    ) -> Result<(), VaultError> {
        let mut tail = [0; 8];
        random(&mut tail)?;
        let beside = format!("{name}.{:016x}{NEW}", u64::from_be_bytes(tail));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let made = rustix::fs::openat(&self.folder, &*beside, flags | OFlags::CLOEXEC, mode);
        let mut file = File::from(made.map_err(io::Error::from)?);
        lock(&file)?;
        file.write_all(&self.keys.new_head(scope, expires, random)?)?;
        file.sync_all()?;
        let linked =
            rustix::fs::linkat(&self.folder, &*beside, &self.folder, name, AtFlags::empty());
        self.remove(&beside)?;
        match linked {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        Ok(rustix::fs::fsync(&self.folder).map_err(io::Error::from)?)
    }

    fn load(&self, file: File, bytes: &[u8], head: Head, turn: Turn) -> Result<Vault, VaultError> {
        let mut vault = Vault {
            file,
            keys: self.keys.clone(),
            length: head.length as u64,
            head,
            tokens: HashMap::new(),
            known: std::collections::HashSet::new(),
            staged: Vec::new(),
            entries: 0,
            poisoned: false,
            _turn: turn,
        };
        let mut at = vault.head.length;
        loop {
            match vault.head.entry(bytes, at, vault.entries) {
                Ok(entry) => {
                    vault.tokens.insert(entry.value_tag, entry.token.clone());
                    vault.known.insert(entry.token.clone());
                    vault.entries += 1;
                    at = entry.end;
                }
                Err(Stop::End) => break,
                Err(Stop::Damaged) => return Err(VaultError::Damaged(at as u64)),
                Err(Stop::Torn) => {
                    vault.file.set_len(at as u64)?;
                    vault.file.sync_all()?;
                    break;
                }
            }
        }
        vault.length = at as u64;
        Ok(vault)
    }

    fn reveal_in(
        &self,
        name: &str,
        token: &str,
        asker: Asker<'_>,
        now: u64,
    ) -> Result<Option<Revealed>, VaultError> {
        let Some(file) = self.file(name, OFlags::RDONLY)? else { return Ok(None) };
        let bytes = read(&file)?;
        let scope = match asker {
            Asker::Owner(scope) => Some(scope),
            Asker::Approver => None,
        };
        let head = match self.keys.head(&bytes, scope) {
            Err(VaultError::Refused) => return Ok(None),
            head => head?,
        };
        if head.expires <= now {
            return Ok(None);
        }
        let wanted = self.keys.token_tag(token);
        let (mut at, mut number) = (head.length, 0);
        // Tags are compared before anything is opened; what is half written ends the search.
        while let Some((tag, end)) = format::peek(&bytes, at, number) {
            if tag == wanted {
                let entry: Entry =
                    head.entry(&bytes, at, number).map_err(|_| VaultError::Damaged(at as u64))?;
                let Entry { category, value, .. } = entry;
                return Ok(Some(Revealed { category, scope: head.scope, value }));
            }
            (at, number) = (end, number + 1);
        }
        match head.entry(&bytes, at, number) {
            Err(Stop::Damaged) => Err(VaultError::Damaged(at as u64)),
            _ => Ok(None),
        }
    }

    fn names(&self) -> Result<Vec<String>, VaultError> {
        let folder = rustix::fs::Dir::read_from(&self.folder).map_err(io::Error::from)?;
        let mut names = Vec::new();
        for entry in folder {
            let name = entry.map_err(io::Error::from)?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn file(&self, name: &str, flags: OFlags) -> Result<Option<File>, VaultError> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        match rustix::fs::openat(&self.folder, name, flags, Mode::empty()) {
            Ok(file) => Ok(Some(File::from(file))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    fn remove(&self, name: &str) -> Result<(), VaultError> {
        match rustix::fs::unlinkat(&self.folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }
}

/// How names of files that are being made end.
const NEW: &str = ".new";

/// The whole of a file, if it is a regular one that is no longer than a vault.
fn read(mut file: &File) -> Result<Vec<u8>, VaultError> {
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("a vault is a regular file").into());
    }
    if about.len() > MAX_FILE {
        return Err(VaultError::Damaged(MAX_FILE));
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The vault of one scope, locked.
pub struct Vault {
    file: File,
    keys: Keys,
    head: Head,
    /// Bytes that are durable.
    length: u64,
    /// Tokens by the tag of their value.
    tokens: HashMap<[u8; 16], String>,
    known: std::collections::HashSet<String>,
    /// Entries that were not written yet.
    staged: Vec<u8>,
    entries: u64,
    poisoned: bool,
    /// Behind the file, which is unlocked first.
    _turn: Turn,
}

/// Nothing that it keeps is shown.
impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault")
            .field("scope", &self.head.scope)
            .field("entries", &self.entries)
            .field("expires", &self.head.expires)
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// The token of a value of this category (its id): the one that it has, or a new one that is not
    /// `taken`. It must not be released before [`Vault::commit`] has returned.
    ///
    /// # Errors
    ///
    /// See [`VaultError`].
    pub fn token(
        &mut self,
        category: &str,
        value: &[u8],
        taken: &dyn Fn(&str) -> bool,
        random: &mut Random<'_>,
    ) -> Result<String, VaultError> {
        if self.poisoned {
            return Err(VaultError::Poisoned);
        }
        if value.len() > MAX_VALUE {
            return Err(VaultError::TooLong(value.len()));
        }
        let value_tag = self.head.value_tag(category, value);
        if let Some(token) = self.tokens.get(&value_tag) {
            return Ok(token.clone());
        }
        let used = self.length + self.staged.len() as u64;
        if self.entries >= MAX_ENTRIES as u64 || used + (MAX_VALUE as u64 * 2) > MAX_FILE {
            return Err(VaultError::Full);
        }
        let token = self.draw(category, taken, random)?;
        let entry = format::NewEntry {
            number: self.entries,
            value_tag,
            token_tag: self.keys.token_tag(&token),
            category,
            token: &token,
            value,
        };
        self.head.seal(&entry, random, &mut self.staged)?;
        self.entries += 1;
        self.tokens.insert(value_tag, token.clone());
        self.known.insert(token.clone());
        Ok(token)
    }

    /// Makes all tokens so far durable.
    ///
    /// # Errors
    ///
    /// As the disk fails. Then nothing that holds a new token must be released, and the vault gives
    /// none any more.
    pub fn commit(&mut self) -> Result<(), VaultError> {
        if self.poisoned {
            return Err(VaultError::Poisoned);
        }
        if self.staged.is_empty() {
            return Ok(());
        }
        self.poisoned = true;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(&self.staged)?;
        self.file.sync_data()?;
        self.length += self.staged.len() as u64;
        self.staged.clear();
        self.poisoned = false;
        Ok(())
    }

    /// When it expires, in seconds since 1970.
    pub fn expires(&self) -> u64 {
        self.head.expires
    }

    fn draw(
        &self,
        category: &str,
        taken: &dyn Fn(&str) -> bool,
        random: &mut Random<'_>,
    ) -> Result<String, VaultError> {
        for _ in 0..DRAWS {
            let token = format::token(category, random)?;
            if !self.known.contains(&token) && !taken(&token) {
                return Ok(token);
            }
        }
        Err(VaultError::Randomness)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;
    use crate::model::{Executable, KernelName};

    const KEY: [u8; 32] = [7; 32];

    fn attested(uid: u32) -> Attested {
        Attested {
            uid,
            gid: 1,
            groups: BTreeSet::new(),
            pid: 1,
            start_time: 1,
            cgroup: KernelName::read(b"/"),
            unit: None,
            executable: Executable::Unavailable("test"),
            token_of: None,
            self_attested: false,
        }
    }

    fn scope() -> Scope {
        Scope::new(&attested(1000), "run-1", "mail")
    }

    fn random() -> impl FnMut(&mut [u8]) -> io::Result<()> {
        |bytes| getrandom::fill(bytes).map_err(io::Error::other)
    }

    fn vaults(folder: &Path, key: [u8; 32]) -> Vaults {
        Vaults::new(fs::File::open(folder).unwrap().into(), &key)
    }

    fn token_of(vault: &mut Vault, category: &str, value: &[u8]) -> String {
        vault.token(category, value, &|_| false, &mut random()).unwrap()
    }

    /// A vault with these values, committed one by one, and their tokens.
    fn filled(folder: &Path, values: &[&[u8]]) -> Vec<String> {
        let mut vault = vaults(folder, KEY).open(&scope(), 100, 1, &mut random()).unwrap();
        let mut tokens = Vec::new();
        for value in values {
            tokens.push(token_of(&mut vault, "nat.us_ssn", value));
            vault.commit().unwrap();
        }
        tokens
    }

    fn only_file(folder: &Path) -> std::path::PathBuf {
        let mut files: Vec<_> =
            fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }

    #[test]
    fn equal_values_have_one_token_and_it_can_be_revealed() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = filled(folder.path(), &[b"219-09-9998", b"078-05-1120", b"219-09-9998"]);
        assert_eq!(tokens[0], tokens[2]);
        assert_ne!(tokens[0], tokens[1]);
        assert!(tokens[0].starts_with("[T:NATUSSSN:") && tokens[0].len() == 12 + 20 + 1);
        let all = vaults(folder.path(), KEY);
        let again = token_of(
            &mut all.open(&scope(), 500, 1, &mut random()).unwrap(),
            "nat.us_ssn",
            b"078-05-1120",
        );
        assert_eq!(again, tokens[1]);
        for asker in [Asker::Approver, Asker::Owner(&scope())] {
            let revealed = all.reveal(&tokens[1], asker, 99).unwrap();
            assert_eq!(
                (&revealed.value[..], &*revealed.category),
                (&b"078-05-1120"[..], "nat.us_ssn")
            );
            assert_eq!(revealed.scope, scope());
            assert!(!format!("{revealed:?}").contains("1120"));
        }
        let other = token_of(
            &mut all.open(&scope(), 500, 1, &mut random()).unwrap(),
            "pii.phone",
            b"078-05-1120",
        );
        assert_ne!(other, tokens[1], "another category");
        assert!(matches!(all.reveal("[T:X:y]", Asker::Approver, 1), Err(VaultError::Unknown)));
    }

    #[test]
    fn nothing_of_a_value_is_on_disk_and_nobody_else_may_read_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = filled(folder.path(), &[b"canary-value-77"]);
        let file = only_file(folder.path());
        let bytes = fs::read(&file).unwrap();
        for plain in
            [&b"canary"[..], b"run-1", b"mail", b"uid:1000", b"us_ssn", tokens[0].as_bytes()]
        {
            assert!(memchr::memmem::find(&bytes, plain).is_none());
        }
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn another_workload_run_destination_or_key_gets_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let token = filled(folder.path(), &[b"219-09-9998"]).remove(0);
        let all = vaults(folder.path(), KEY);
        let thief = Scope::new(&attested(1001), "run-1", "mail");
        let opened = all.open(&thief, 100, 1, &mut random());
        assert!(matches!(opened, Err(VaultError::Refused)));
        for other in [
            thief,
            Scope::new(&attested(1000), "run-2", "mail"),
            Scope::new(&attested(1000), "run-1", "web"),
            Scope::new(&attested(1000), "run-1m", "ail"),
        ] {
            let revealed = all.reveal(&token, Asker::Owner(&other), 1);
            assert!(matches!(revealed, Err(VaultError::Unknown)));
        }
        let wrong = vaults(folder.path(), [8; 32]);
        assert!(wrong.reveal(&token, Asker::Approver, 1).is_err());
        assert!(matches!(
            wrong.reveal(&token, Asker::Owner(&scope()), 1),
            Err(VaultError::Unknown)
        ));
        assert_eq!(wrong.purge(1_000).unwrap(), Purged { unreadable: 1, ..Purged::default() });
    }

    #[test]
    fn what_has_expired_is_read_by_nobody_and_purged() {
        let folder = tempfile::tempdir().unwrap();
        let token = filled(folder.path(), &[b"219-09-9998"]).remove(0);
        let all = vaults(folder.path(), KEY);
        assert!(all.reveal(&token, Asker::Approver, 99).is_ok());
        assert!(matches!(all.reveal(&token, Asker::Approver, 100), Err(VaultError::Unknown)));
        assert_eq!(all.purge(99).unwrap(), Purged::default());
        fs::write(folder.path().join("half.0.new"), b"x").unwrap();
        assert_eq!(all.purge(100).unwrap(), Purged { removed: 1, ..Purged::default() });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        // One that is still there is begun anew.
        filled(folder.path(), &[b"219-09-9998"]);
        let mut vault = all.open(&scope(), 300, 200, &mut random()).unwrap();
        assert_eq!(vault.expires(), 300);
        assert_ne!(token_of(&mut vault, "nat.us_ssn", b"219-09-9998"), token);
        assert!(matches!(all.open(&scope(), 5, 5, &mut random()), Err(VaultError::Expired)));
    }

    #[test]
    fn what_was_not_committed_is_not_there_and_a_torn_tail_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = filled(folder.path(), &[b"one", b"two"]);
        let all = vaults(folder.path(), KEY);
        let mut vault = all.open(&scope(), 100, 1, &mut random()).unwrap();
        let lost = token_of(&mut vault, "nat.us_ssn", b"three");
        drop(vault);
        assert!(matches!(all.reveal(&lost, Asker::Approver, 1), Err(VaultError::Unknown)));
        let file = only_file(folder.path());
        let whole = fs::read(&file).unwrap();
        filled(folder.path(), &[b"three"]);
        let longer = fs::read(&file).unwrap();
        for length in whole.len()..longer.len() {
            fs::write(&file, &longer[..length]).unwrap();
            assert_eq!(filled(folder.path(), &[b"one", b"two"]), tokens);
            assert_eq!(fs::read(&file).unwrap(), whole, "cut at {length}");
        }
        // Zeros are what some file systems leave.
        fs::write(&file, [&whole[..], &[0; 200]].concat()).unwrap();
        assert_eq!(filled(folder.path(), &[b"one", b"two"]), tokens);
        assert_eq!(fs::read(&file).unwrap(), whole);
    }

    #[test]
    fn no_flipped_bit_gives_another_value() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = filled(folder.path(), &[b"value-one", b"value-two"]);
        let file = only_file(folder.path());
        let whole = fs::read(&file).unwrap();
        let all = vaults(folder.path(), KEY);
        let before_last = whole.len() - (whole.len() - head_length(&all, &whole)) / 2;
        for at in (0..whole.len()).step_by(3) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&file, &bytes).unwrap();
            for (token, value) in tokens.iter().zip([&b"value-one"[..], b"value-two"]) {
                if let Ok(revealed) = all.reveal(token, Asker::Approver, 1) {
                    assert_eq!(&revealed.value[..], value);
                }
            }
            let opened = all.open(&scope(), 100, 1, &mut random()).map(|vault| vault.entries);
            match opened {
                Ok(entries) => assert!(at >= before_last && entries == 1, "bit in byte {at}"),
                Err(error) => {
                    assert!(
                        at < before_last && matches!(error, VaultError::Damaged(_)),
                        "{at} {error}"
                    );
                }
            }
        }
    }

    fn head_length(all: &Vaults, bytes: &[u8]) -> usize {
        all.keys.head(bytes, None).unwrap().length
    }

    #[test]
    fn entries_cannot_be_moved_repeated_or_taken_from_another_vault() {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path(), &[b"aaaa", b"bbbb"]);
        let file = only_file(folder.path());
        let whole = fs::read(&file).unwrap();
        let all = vaults(folder.path(), KEY);
        let (head, entries) = whole.split_at(head_length(&all, &whole));
        let (first, second) = entries.split_at(entries.len() / 2);
        for moved in [[second, first], [first, first], [second, second]] {
            fs::write(&file, [head, &moved.concat()].concat()).unwrap();
            let entries = all.open(&scope(), 100, 1, &mut random()).map(|vault| vault.entries);
            assert!(matches!(entries, Err(VaultError::Damaged(_))), "{entries:?}");
        }
        fs::remove_file(&file).unwrap();
        filled(folder.path(), &[b"cccc"]);
        let other = fs::read(&file).unwrap();
        let mixed = [&other[..head_length(&all, &other)], first].concat();
        fs::write(&file, mixed).unwrap();
        assert_eq!(all.open(&scope(), 100, 1, &mut random()).unwrap().entries, 0);
    }

    #[test]
    fn one_process_at_a_time_and_all_see_the_same_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let held = vaults(folder.path(), KEY).open(&scope(), 100, 1, &mut random()).unwrap();
        let second = vaults(folder.path(), KEY).try_open(&scope(), 100, 1, &mut random());
        assert!(matches!(second, Err(VaultError::Busy)));
        let busy = vaults(folder.path(), KEY).purge(100).unwrap();
        assert_eq!(busy, Purged { busy: 1, ..Purged::default() });
        drop(held);
        let tokens: Vec<String> = std::thread::scope(|threads| {
            let work = || {
                let all = vaults(folder.path(), KEY);
                loop {
                    match all.open(&scope(), 100, 1, &mut random()) {
                        Ok(mut vault) => {
                            let token = token_of(&mut vault, "nat.us_ssn", b"219-09-9998");
                            vault.commit().unwrap();
                            return token;
                        }
                        Err(VaultError::Busy) => std::thread::yield_now(),
                        Err(error) => panic!("{error}"),
                    }
                }
            };
            let all: Vec<_> = (0..6).map(|_| threads.spawn(work)).collect();
            all.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert!(tokens.iter().all(|token| *token == tokens[0]));
        only_file(folder.path());
    }

    #[test]
    fn threads_wait_for_each_other_and_leave_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let all = vaults(folder.path(), KEY);
        let held = all.open(&scope(), 100, 1, &mut random()).unwrap();
        let second = all.try_open(&scope(), 100, 1, &mut random());
        assert!(matches!(second, Err(VaultError::Busy)));
        std::thread::scope(|threads| {
            let work = || drop(all.open(&scope(), 100, 1, &mut random()).unwrap());
            (0..6).for_each(|_| drop(threads.spawn(work)));
            std::thread::sleep(Duration::from_millis(20));
            drop(held);
        });
        assert!(all.used.is_free());
    }

    #[test]
    fn links_and_other_files_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path(), &[b"one"]);
        let file = only_file(folder.path());
        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().join("target");
        fs::rename(&file, &target).unwrap();
        std::os::unix::fs::symlink(&target, &file).unwrap();
        let opened = vaults(folder.path(), KEY).open(&scope(), 100, 1, &mut random());
        assert!(matches!(opened, Err(VaultError::Io(_))));
    }

    #[test]
    fn limits() {
        let folder = tempfile::tempdir().unwrap();
        let all = vaults(folder.path(), KEY);
        let mut vault = all.open(&scope(), 100, 1, &mut random()).unwrap();
        let long = vec![b'x'; MAX_VALUE + 1];
        let mut random = random();
        let refused = vault.token("c", &long, &|_| false, &mut random);
        assert!(matches!(refused, Err(VaultError::TooLong(_))));
        assert!(vault.token("c", &long[1..], &|_| false, &mut random).is_ok());
        let taken = vault.token("c", b"1", &|_| true, &mut random);
        assert!(matches!(taken, Err(VaultError::Randomness)));
        let mut stuck = |bytes: &mut [u8]| -> io::Result<()> {
            bytes.fill(0xff);
            Ok(())
        };
        let stuck = vault.token("c", b"1", &|_| false, &mut stuck);
        assert!(matches!(stuck, Err(VaultError::Randomness)));
        vault.entries = MAX_ENTRIES as u64;
        let full = vault.token("c", b"1", &|_| false, &mut random);
        assert!(matches!(full, Err(VaultError::Full)));
        assert!(vault.token("c", &long[1..], &|_| false, &mut random).is_ok(), "known already");
        vault.entries = 1;
        vault.length = MAX_FILE;
        let full = vault.token("c", b"1", &|_| false, &mut random);
        assert!(matches!(full, Err(VaultError::Full)));
    }

    #[test]
    fn a_failed_write_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = vaults(folder.path(), KEY).open(&scope(), 100, 1, &mut random()).unwrap();
        token_of(&mut vault, "c", b"1");
        vault.file = fs::File::open(only_file(folder.path())).unwrap();
        assert!(matches!(vault.commit(), Err(VaultError::Io(_))));
        assert!(matches!(vault.commit(), Err(VaultError::Poisoned)));
        let token = vault.token("c", b"1", &|_| false, &mut random());
        assert!(matches!(token, Err(VaultError::Poisoned)));
    }
}
