//! The Unix socket that the daemon listens on.
//!
//! A path and who may connect come in, or a socket that systemd made; a listening socket goes out.
//! Promised: nobody else can connect to it at any moment, no link is followed and nothing is overwritten
//! but a socket of this user that nobody listens on, and it is taken away again only if it still is the
//! one that was made.
//!
//! The socket is bound inside a fresh directory that only this user enters, gets its mode and group
//! there, and is then moved to its place in one step. A umask would do as well for the mode, but it
//! belongs to the whole process with all its threads, says nothing of the group, and `bind` could not
//! replace a stale socket without a moment in which there is none.

mod inherited;
mod notify;
mod place;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::sys::socket::sockopt::PeerCredentials;
use rustix::fs::{AtFlags, FileType, Gid, Mode, RenameFlags, Stat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

pub use self::inherited::inherited;
pub use self::notify::Notifier;

/// Bytes of the longest path: `sun_path` of unix(7) has 108, one of them for the end.
const MAX_PATH: usize = 107;

/// The name inside the directory that the socket is bound in.
const FRESH: &str = "socket";

/// Who may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// The user that runs the daemon, and root: mode 0600.
    Owner,
    /// The members of a group too: mode 0660.
    Group(Group),
}

/// A group of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// By number.
    Id(u32),
    /// By name.
    Name(String),
}

impl Access {
    /// What a configured group means, by name or number; none: the owner alone.
    pub fn of(group: Option<&str>) -> Access {
        match group.map(|group| (group, group.parse())) {
            None => Access::Owner,
            Some((_, Ok(gid))) => Access::Group(Group::Id(gid)),
            Some((name, Err(_))) => Access::Group(Group::Name(name.to_owned())),
        }
    }

    /// The permission bits of the socket.
    pub fn mode(&self) -> u32 {
        match self {
            Access::Owner => 0o600,
            Access::Group(_) => 0o660,
        }
    }

    fn gid(&self) -> Result<Option<u32>, SocketError> {
        match self {
            Access::Owner => Ok(None),
            Access::Group(Group::Id(gid)) => Ok(Some(*gid)),
            Access::Group(Group::Name(name)) => match nix::unistd::Group::from_name(name) {
                Ok(Some(group)) => Ok(Some(group.gid.as_raw())),
                Ok(None) => Err(SocketError::NoGroup(name.clone())),
                Err(error) => Err(failed("cannot look up the group")(error.into())),
            },
        }
    }
}

/// Why there is no socket to listen on.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The path is relative, or names no file.
    #[error("`{0}` is no absolute path of a file; write the whole path of the socket")]
    NotAbsolute(String),
    /// The path does not fit into the address of a socket.
    #[error(
        "`{0}` has {1} bytes, and the path of a socket at most {MAX_PATH}; choose a shorter one"
    )]
    TooLong(String, usize),
    /// There is no such group.
    #[error("there is no group `{0}`; create it with `groupadd --system {0}`, or name another one")]
    NoGroup(String),
    /// A directory on the way is another user's.
    #[error(
        "directory `{path}` belongs to user {uid}, who is neither root nor the one that runs this; \
         choose another place for the socket"
    )]
    Foreign {
        /// The directory.
        path: String,
        /// Its owner.
        uid: u32,
    },
    /// Others may replace what lies in a directory on the way.
    #[error(
        "others may write to directory `{0}`, and so put a socket of their own in place of this one; \
         run `chmod go-w` on it, or choose another place"
    )]
    Writable(String),
    /// What lies on the way is no directory.
    #[error("`{0}` is no directory")]
    NotDirectory(String),
    /// There is something else at the path.
    #[error("`{path}` is {kind} and is left alone; take it away, or choose another path")]
    Taken {
        /// The path.
        path: String,
        /// What is there.
        kind: &'static str,
    },
    /// A socket of another user is at the path.
    #[error("the socket `{path}` belongs to user {uid}; take it away, or choose another path")]
    ForeignSocket {
        /// The path.
        path: String,
        /// Its owner.
        uid: u32,
    },
    /// Somebody listens there.
    #[error("{} listens on `{path}`; stop it first, or choose another path", process(*pid))]
    Live {
        /// The path.
        path: String,
        /// Who made the socket, where the kernel says it.
        pid: Option<u32>,
    },
    /// Another process is just about to listen there.
    #[error("another process is taking `{0}`; stop it, or try again")]
    Contended(String),
    /// The unit of systemd does not hand over what is configured.
    #[error("the socket that systemd hands over {what}; {mend} in the socket unit")]
    Inherited {
        /// What is wrong.
        what: String,
        /// What to write.
        mend: String,
    },
    /// A call failed.
    #[error("{what}: {source}")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// A socket that accepts connections. It does not block.
#[derive(Debug)]
pub struct Listening {
    listener: UnixListener,
    path: PathBuf,
    placed: Option<Placed>,
}

/// What is left to take away once nobody listens any more.
#[derive(Debug)]
#[must_use = "the socket stays on disk until it is removed"]
pub struct Remains(Option<Placed>);

/// Where a socket lies, and which one it is.
#[derive(Debug)]
struct Placed {
    directory: OwnedFd,
    name: OsString,
    which: (u64, u64),
}

impl Listening {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether systemd made it, so that it stays when this process ends.
    pub fn is_inherited(&self) -> bool {
        self.placed.is_none()
    }

    /// The socket to accept from, and what is to be removed on a clean end.
    pub fn split(self) -> (UnixListener, Remains) {
        (self.listener, Remains(self.placed))
    }
}

impl Remains {
    /// Removes the socket from its directory if it still is the one that was made there, and says
    /// whether it was. One that systemd made stays.
    ///
    /// # Errors
    ///
    /// If it is there and cannot be removed.
    pub fn remove(self) -> io::Result<bool> {
        let Some(Placed { directory, name, which }) = self.0 else { return Ok(false) };
        // Whoever takes the place over holds the lock while it does.
        if place::lock(&directory).is_err() {
            return Ok(false);
        }
        match rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if identity(&stat) == which => {
                rustix::fs::unlinkat(&directory, &name, AtFlags::empty())?;
                Ok(true)
            }
            Ok(_) | Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Makes a socket at `path` and listens on it. Its directory is made where it is missing, with mode 0700
/// (0710 and the group where members of one may connect); one that is there has to belong to root or
/// this user, and neither it nor those above it may be writable for others.
///
/// # Errors
///
/// See [`SocketError`].
pub fn listen(path: &Path, access: &Access) -> Result<Listening, SocketError> {
    let gid = access.gid()?;
    let (parent, name) = place::parts(path)?;
    let directory = place::directory(parent, gid)?;
    match place::lock(&directory) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(SocketError::Contended(shown(path))),
        Err(error) => return Err(failed("cannot lock the directory of the socket")(error.into())),
    }
    let replaced = stale(&directory, name, path)?;
    let fresh = Fresh::make(&directory)?;
    let listener = UnixListener::bind(through(&fresh.inside, FRESH))
        .map_err(failed("cannot make the socket"))?;
    listener.set_nonblocking(true).map_err(failed("cannot make the socket"))?;
    // Nobody else comes in here, so that there is no link to follow.
    let mode = Mode::from_raw_mode(access.mode());
    rustix::fs::chmodat(&fresh.inside, FRESH, mode, AtFlags::empty())
        .map_err(|error| failed("cannot set the mode of the socket")(error.into()))?;
    if let Some(gid) = gid {
        let (owner, group) = (None, Some(Gid::from_raw(gid)));
        rustix::fs::chownat(&fresh.inside, FRESH, owner, group, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| failed(CHOWN)(error.into()))?;
    }
    let which = rustix::fs::statat(&fresh.inside, FRESH, AtFlags::SYMLINK_NOFOLLOW)
        .map(|stat| identity(&stat))
        .map_err(|error| failed("cannot look at the socket")(error.into()))?;
    let flags = if replaced { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
    rustix::fs::renameat_with(&fresh.inside, FRESH, &directory, name, flags).map_err(|error| {
        match error {
            Errno::EXIST => SocketError::Contended(shown(path)),
            error => failed("cannot move the socket to its place")(error.into()),
        }
    })?;
    drop(fresh);
    place::unlock(&directory);
    let placed = Some(Placed { directory, name: name.to_owned(), which });
    Ok(Listening { listener, path: path.to_owned(), placed })
}

const CHOWN: &str = "cannot give the socket to the group; run this as a member of it or as root";

/// Whether there is a socket to replace. Anything else that is there is an error.
fn stale(directory: &OwnedFd, name: &OsStr, path: &Path) -> Result<bool, SocketError> {
    let stat = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(false),
        Err(error) => return Err(failed("cannot look at the socket")(error.into())),
    };
    let taken = |kind| SocketError::Taken { path: shown(path), kind };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Socket => {}
        FileType::Symlink => return Err(taken("a symbolic link")),
        FileType::Directory => return Err(taken("a directory")),
        FileType::RegularFile => return Err(taken("a regular file")),
        _ => return Err(taken("no socket")),
    }
    if stat.st_uid != 0 && stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(SocketError::ForeignSocket { path: shown(path), uid: stat.st_uid });
    }
    let what = "cannot ask whether somebody listens on the socket";
    let call = |error: Errno| failed(what)(error.into());
    // A full queue must not make this wait.
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(call)?;
    let address = SocketAddrUnix::new(through(directory, name)).map_err(call)?;
    match rustix::net::connect(&socket, &address) {
        Err(Errno::CONNREFUSED) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(Errno::PROTOTYPE) => Err(taken("a socket of another type")),
        Err(Errno::AGAIN) => Err(SocketError::Live { path: shown(path), pid: None }),
        Err(error) => Err(call(error)),
        Ok(()) => {
            let made = nix::sys::socket::getsockopt(&socket, PeerCredentials).ok();
            let pid = made.and_then(|made| u32::try_from(made.pid()).ok()).filter(|pid| *pid != 0);
            Err(SocketError::Live { path: shown(path), pid })
        }
    }
}

/// A directory that only this user enters; gone with this value.
struct Fresh<'a> {
    outside: &'a OwnedFd,
    name: String,
    inside: OwnedFd,
}

impl Fresh<'_> {
    fn make(outside: &OwnedFd) -> Result<Fresh<'_>, SocketError> {
        let what = "cannot make a directory beside the socket";
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| failed(what)(io::Error::other(error)))?;
        let name = format!(".sluice-{}", data_encoding::HEXLOWER.encode(&random));
        let call = |error: Errno| failed(what)(error.into());
        // Made, not found: one that is there already is an error.
        rustix::fs::mkdirat(outside, &name, Mode::RWXU).map_err(call)?;
        let inside = place::open(outside, &name).map_err(call).inspect_err(|_| {
            let _ = rustix::fs::unlinkat(outside, &name, AtFlags::REMOVEDIR);
        })?;
        Ok(Fresh { outside, name, inside })
    }
}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        // It is in its place, or of no use.
        let _ = rustix::fs::unlinkat(&self.inside, FRESH, AtFlags::empty());
        let _ = rustix::fs::unlinkat(self.outside, &self.name, AtFlags::REMOVEDIR);
    }
}

/// A path through a held directory: it is short, and leads nowhere else if names on the way change.
fn through(directory: &OwnedFd, name: impl AsRef<OsStr>) -> PathBuf {
    let mut path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_fd().as_raw_fd()));
    path.push(name.as_ref());
    path
}

fn identity(stat: &Stat) -> (u64, u64) {
    #[allow(clippy::useless_conversion, reason = "the width differs between machines")]
    (stat.st_dev.into(), stat.st_ino.into())
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> SocketError {
    move |source| SocketError::Failed { what, source }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    fn mode_of(path: &Path) -> u32 {
        path.symlink_metadata().expect("it is there").mode() & 0o7777
    }

    fn is_root() -> bool {
        rustix::process::geteuid().is_root()
    }

    /// A folder of this user with what lies in it.
    fn names(folder: &Path) -> Vec<String> {
        let names = std::fs::read_dir(folder).expect("it is read");
        let name = |entry: io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
        names.map(|entry| name(entry).to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_socket_is_made_for_its_owner_in_a_directory_for_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sluice/s");
        let listening = listen(&path, &Access::Owner).expect("it listens");
        assert_eq!((mode_of(&path), mode_of(&folder.path().join("sluice"))), (0o600, 0o700));
        assert!(!listening.is_inherited());
        assert_eq!(listening.path(), path);
        assert_eq!(names(&folder.path().join("sluice")), ["s"], "nothing is left beside it");
        let (listener, remains) = listening.split();
        let block = listener.accept().map(|_| ()).map_err(|error| error.kind());
        assert_eq!(block, Err(io::ErrorKind::WouldBlock));
        let _client = UnixStream::connect(&path).expect("somebody listens");
        listener.accept().expect("somebody connects");
        assert!(remains.remove().expect("it is removed"));
        assert!(!path.exists());
    }

    #[test]
    fn members_of_a_group_may_connect_where_that_is_said() {
        if !is_root() {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sluice/s");
        let _listening = listen(&path, &Access::Group(Group::Id(61_234))).expect("it listens");
        let metadata = path.symlink_metadata().expect("it is there");
        assert_eq!((mode_of(&path), metadata.gid()), (0o660, 61_234));
        let directory = path.parent().expect("a parent").symlink_metadata().expect("it is there");
        assert_eq!((directory.mode() & 0o7777, directory.gid()), (0o710, 61_234));
    }

    #[test]
    fn groups_go_by_name_and_unknown_ones_are_refused() {
        let gid = |group| Access::of(group).gid().expect("it is known");
        assert_eq!(
            (gid(None), gid(Some("root")), gid(Some("61234"))),
            (None, Some(0), Some(61_234))
        );
        let none = Access::of(Some("no-such-group-here"));
        let folder = tempfile::tempdir().expect("a folder");
        let error = listen(&folder.path().join("s"), &none).expect_err("no group");
        assert!(error.to_string().contains("groupadd --system no-such-group-here"), "{error}");
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_socket_that_nobody_listens_on_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        drop(UnixListener::bind(&path).expect("it is bound"));
        std::fs::set_permissions(&path, Permissions::from_mode(0o777)).expect("mode");
        let (_listener, remains) = listen(&path, &Access::Owner).expect("it listens").split();
        UnixStream::connect(&path).expect("somebody listens");
        assert_eq!((mode_of(&path), names(folder.path()).len()), (0o600, 1));
        assert!(remains.remove().expect("it is removed"));
    }

    #[test]
    fn a_socket_that_somebody_listens_on_stays_theirs() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let (first, _remains) = listen(&path, &Access::Owner).expect("it listens").split();
        let error = listen(&path, &Access::Owner).expect_err("it is taken").to_string();
        assert!(error.contains(&format!("process {} listens", std::process::id())), "{error}");
        first.accept().expect("it was asked");
        UnixStream::connect(&path).expect("the first still listens");
        assert_eq!(names(folder.path()), ["s"]);
    }

    #[test]
    fn a_full_queue_is_no_stale_socket() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let address = SocketAddrUnix::new(&path).expect("a path");
        let socket = || {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
                .expect("a socket")
        };
        let first = socket();
        rustix::net::bind(&first, &address).expect("it is bound");
        rustix::net::listen(&first, 1).expect("it listens");
        let waiting: Vec<_> = (0..8).map(|_| socket()).collect();
        let full = waiting.iter().any(|one| rustix::net::connect(one, &address).is_err());
        assert!(full, "nobody accepts");
        let error = listen(&path, &Access::Owner).expect_err("it is taken");
        assert!(matches!(error, SocketError::Live { pid: None, .. }), "{error}");
    }

    #[test]
    fn anything_else_at_the_path_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let refused = |kind: &str| {
            let error = listen(&path, &Access::Owner).expect_err("it is taken").to_string();
            assert!(error.contains(&format!("is {kind} and is left alone")), "{error}");
        };
        std::fs::write(&path, "precious").expect("a file");
        refused("a regular file");
        assert_eq!(std::fs::read(&path).expect("it is there"), b"precious");
        std::fs::remove_file(&path).expect("it is there");
        std::fs::create_dir(&path).expect("a folder");
        refused("a directory");
        std::fs::remove_dir(&path).expect("it is there");
        // Neither to nowhere nor to a socket that could be replaced.
        let stale = folder.path().join("stale");
        drop(UnixListener::bind(&stale).expect("it is bound"));
        for target in [stale.as_path(), Path::new("nowhere")] {
            symlink(target, &path).expect("a link");
            refused("a symbolic link");
            std::fs::remove_file(&path).expect("it is there");
        }
        let _datagrams = UnixDatagram::bind(&path).expect("it is bound");
        refused("a socket of another type");
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn a_socket_of_another_user_is_left_alone() {
        if !is_root() {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        drop(UnixListener::bind(&path).expect("it is bound"));
        std::os::unix::fs::chown(&path, Some(61_234), None).expect("owner");
        let error = listen(&path, &Access::Owner).expect_err("another user's");
        assert!(matches!(error, SocketError::ForeignSocket { uid: 61_234, .. }), "{error}");
    }

    #[test]
    fn directories_that_others_change_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).expect("a folder");
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("mode");
        };
        let try_it = || listen(&inner.join("s"), &Access::Owner).map(|it| it.split().1.remove());
        for open in [0o770, 0o702, 0o777, 0o1777] {
            mode(&inner, open);
            let error = try_it().expect_err("others write there");
            assert!(matches!(&error, SocketError::Writable(path) if path.ends_with("inner")));
        }
        mode(&inner, 0o755);
        mode(folder.path(), 0o777);
        let error = try_it().expect_err("others may swap it");
        assert!(matches!(&error, SocketError::Writable(path) if !path.ends_with("inner")));
        mode(folder.path(), 0o1777);
        let _ = try_it().expect("only their own, as in /tmp");
        // Where others may make it first, it still is made by this user.
        let _ =
            listen(&folder.path().join("made/s"), &Access::Owner).expect("in a place like /tmp");
        mode(folder.path(), 0o700);
        if is_root() {
            std::os::unix::fs::chown(&inner, Some(61_234), None).expect("owner");
            let error = try_it().expect_err("another user's");
            assert!(matches!(error, SocketError::Foreign { uid: 61_234, .. }), "{error}");
        }
    }

    #[test]
    fn links_on_the_way_are_those_of_root_or_this_user() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = folder.path().join("open");
        for name in ["real", "open"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        symlink(folder.path().join("real"), open.join("link")).expect("a link");
        let try_it =
            || listen(&open.join("link/s"), &Access::Owner).map(|it| it.split().1.remove());
        let _ = try_it().expect("nobody else may turn it");
        std::fs::set_permissions(&open, Permissions::from_mode(0o777)).expect("mode");
        let error = try_it().expect_err("anybody may turn it");
        assert!(matches!(&error, SocketError::Writable(path) if path.ends_with("open")), "{error}");
        if is_root() {
            std::fs::set_permissions(&open, Permissions::from_mode(0o755)).expect("mode");
            std::os::unix::fs::lchown(open.join("link"), Some(61_234), None).expect("owner");
            let error = try_it().expect_err("another user's");
            assert!(matches!(error, SocketError::Foreign { uid: 61_234, .. }), "{error}");
        }
    }

    #[test]
    fn paths_are_absolute_and_short_enough() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in ["s", "./s", "", "/", "/tmp/..", "/tmp/x/"] {
            let error = listen(Path::new(path), &Access::Owner).expect_err("no path of a file");
            assert!(matches!(error, SocketError::NotAbsolute(_)), "{path}: {error}");
        }
        let own = folder.path().as_os_str().len() + 1;
        let longest = folder.path().join("x".repeat(MAX_PATH - own));
        let (_listener, remains) = listen(&longest, &Access::Owner).expect("it fits").split();
        UnixStream::connect(&longest).expect("somebody listens");
        assert!(remains.remove().expect("it is removed"));
        let longer = folder.path().join("x".repeat(MAX_PATH - own + 1));
        let error = listen(&longer, &Access::Owner).expect_err("one too many").to_string();
        assert!(error.contains("has 108 bytes, and the path of a socket at most 107"), "{error}");
        let deep = folder.path().join("none/none/s");
        let error = listen(&deep, &Access::Owner).expect_err("two directories are missing");
        assert!(matches!(error, SocketError::Failed { .. }), "{error}");
    }

    #[test]
    fn only_the_socket_that_was_made_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let (listener, remains) = listen(&path, &Access::Owner).expect("it listens").split();
        drop(listener);
        let (_second, others) = listen(&path, &Access::Owner).expect("it took over").split();
        assert!(!remains.remove().expect("it is not there any more"));
        UnixStream::connect(&path).expect("the second still listens");
        std::fs::remove_file(&path).expect("it is there");
        assert!(!others.remove().expect("it is gone already"));
    }

    #[test]
    fn of_many_that_start_at_once_one_listens() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        drop(UnixListener::bind(&path).expect("a stale one"));
        let all: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| listen(&path, &Access::Owner))).collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends")).collect()
        });
        assert_eq!(all.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(names(folder.path()), ["s"]);
    }
}
