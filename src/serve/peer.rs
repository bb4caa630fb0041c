//! Who is at the other end of a connection, as the kernel attests it.
//!
//! A connected socket comes in; [`Attested`] goes out, once a request. What is attested is the process
//! that made the connection. Promised: a field is that of this process or is said to be unavailable,
//! never that of another one which got its number; and a process that has ended vouches for nothing.
//! What follows from that, and what does not, is in `docs/IDENTITY.md`.

mod executable;
mod proc;
mod readers;
mod tcp;
mod tokens;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::sys::socket::sockopt::{PeerCredentials, PeerPidfd};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use crate::model::{Attested, Executable, KernelName, TokenOf};

use self::executable::FileKey;
use self::tcp::Holder;

pub use self::executable::Executables;
pub use self::readers::{Readers, read_programs};
pub use self::tokens::{Token, TokenError, Tokens, TokensError, read_token_file};

/// The group of a peer whose group nobody says, as the kernel shows groups that it cannot show.
const NO_GROUP: u32 = 65_534;

/// Why nothing is attested of a peer. Whoever asked gets block.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The socket is not connected, or has no peer with credentials.
    #[error("the kernel names no peer of the socket; connect to it from a process of this machine")]
    NoCredentials,
    /// The process that made the connection has ended.
    #[error(
        "the process that made the connection has ended; the one that asks has to connect itself"
    )]
    Gone,
    /// Neither a descriptor of the process nor its directory is to be had.
    #[error(
        "the process at the other end cannot be watched; run the daemon where it sees the processes \
         of its callers, with `/proc` mounted"
    )]
    Unwatchable,
    /// A connection over TCP from elsewhere.
    #[error("`{0}` is no loopback address; connect from this machine")]
    NotLoopback(SocketAddr),
    /// No row of the kernel's table names this connection.
    #[error(
        "no user holds the other end `{0}` of the connection; connect from the same network namespace"
    )]
    UnknownUser(SocketAddr),
    /// A call failed.
    #[error("{what}: {source}")]
    Failed {
        /// What was asked of the kernel.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// The other end of one connection.
#[derive(Debug)]
pub struct Peer {
    attested: Attested,
    watch: Watch,
}

/// How a peer is known to be there still.
#[derive(Debug)]
enum Watch {
    Process(Held),
    Tcp { local: SocketAddr, peer: SocketAddr, holder: Holder },
}

/// A process, held so that no other one passes for it.
#[derive(Debug)]
struct Held {
    handle: Handle,
    /// The program that was attested.
    program: Option<FileKey>,
    /// Who looks at programs, if not this process itself.
    readers: Option<Arc<Readers>>,
}

#[derive(Debug)]
enum Handle {
    /// A descriptor of the process, ready to read once it has ended, and its number.
    Pidfd(OwnedFd, u32),
    /// Its directory, where the kernel gives no such descriptor, its number, and when it started.
    Directory(OwnedFd, u32, u64),
}

impl Peer {
    /// Asks the kernel who is at the other end of a Unix socket.
    ///
    /// Reads files, and the whole executable where it was not seen before: to be called where that
    /// may take its time, such as `spawn_blocking`, never on the event loop. Keeps one descriptor.
    ///
    /// # Errors
    ///
    /// See [`PeerError`].
    pub fn of(stream: &impl AsFd, executables: &Executables) -> Result<Peer, PeerError> {
        let stream = stream.as_fd();
        let credentials = nix::sys::socket::getsockopt(&stream, PeerCredentials)
            .map_err(|error| failed("cannot read the credentials of the peer", error))?;
        let (uid, gid) = (credentials.uid(), credentials.gid());
        if uid == u32::MAX {
            return Err(PeerError::NoCredentials);
        }
        // Zero where the process lies outside of the PID namespace of this one.
        let pid = u32::try_from(credentials.pid()).unwrap_or(0);
        let pidfd = pidfd(stream, pid)?;
        let directory = Some(pid).filter(|pid| *pid != 0).and_then(|pid| proc::open(pid).ok());
        // The number may have passed on to another process before the directory was opened. If the
        // peer still is there now it was not.
        if pidfd.as_ref().is_some_and(has_ended) {
            return Err(PeerError::Gone);
        }
        let directory = directory.filter(|directory| proc::is_genuine(directory));
        let facts = match &directory {
            Some(directory) => Facts::read(directory.as_fd(), pid, (uid, gid), executables),
            None => Facts::unavailable(PROC_UNSEEN),
        };
        let handle = match (pidfd, directory, facts.start_time) {
            (Some(pidfd), _, _) => Handle::Pidfd(pidfd, pid),
            (None, Some(directory), Some(start)) => Handle::Directory(directory, pid, start),
            (None, Some(_), None) => return Err(PeerError::Gone),
            (None, None, _) => return Err(PeerError::Unwatchable),
        };
        let readers = executables.readers();
        let held = Held { handle, program: facts.program, readers };
        if !held.is_alive() {
            return Err(PeerError::Gone);
        }
        Ok(Peer { attested: facts.attested(uid, gid, pid), watch: Watch::Process(held) })
    }

    /// Asks the kernel which user is at the other end of a TCP connection over loopback, `peer`,
    /// whose own end is `local`. Nothing else is known of it: group 65,534, process 0. Reads files.
    ///
    /// # Errors
    ///
    /// See [`PeerError`].
    pub fn of_tcp(local: SocketAddr, peer: SocketAddr) -> Result<Peer, PeerError> {
        if !(local.ip().to_canonical().is_loopback() && peer.ip().to_canonical().is_loopback()) {
            return Err(PeerError::NotLoopback(peer));
        }
        let holder = tcp::holder(local, peer)
            .map_err(|source| PeerError::Failed { what: "cannot read `/proc/net/tcp`", source })?
            .ok_or(PeerError::UnknownUser(peer))?;
        let facts = Facts::unavailable("connected over TCP");
        let attested = facts.attested(holder.uid, NO_GROUP, 0);
        Ok(Peer { attested, watch: Watch::Tcp { local, peer, holder } })
    }

    /// User id of whoever connected.
    pub fn uid(&self) -> u32 {
        self.attested.uid
    }

    /// Whether the process that connected still is there (of a TCP connection: whether the same
    /// socket is at its other end).
    pub fn is_alive(&self) -> bool {
        match &self.watch {
            Watch::Process(held) => held.is_alive(),
            Watch::Tcp { local, peer, holder } => {
                tcp::holder(*local, *peer).is_ok_and(|found| found == Some(*holder))
            }
        }
    }

    /// What is attested of one request, for which `token` was presented. To be asked for every
    /// request: a socket that was passed on keeps the credentials of who connected, so one whose
    /// process has ended vouches for nothing, and one that began another program has no executable.
    ///
    /// # Errors
    ///
    /// [`PeerError::Gone`].
    pub fn attested(&self, token: Option<TokenOf>) -> Result<Attested, PeerError> {
        let mut attested = Attested { token_of: token, ..self.attested.clone() };
        if let Watch::Process(held) = &self.watch
            && held.program.is_some()
            && held.running() != held.program
        {
            attested.executable = Executable::Unavailable(OTHER_PROGRAM);
        }
        // After the program was looked at, so that it was that of the process.
        if !self.is_alive() {
            return Err(PeerError::Gone);
        }
        Ok(attested)
    }
}

/// The identity of whoever runs this command. The process that asks is the one that answers, so
/// nobody but its user stands behind it, and it says so.
///
/// # Errors
///
/// [`PeerError::Failed`] where `/proc/self` cannot be read.
pub fn own_identity() -> Result<Attested, PeerError> {
    let what = "cannot read `/proc/self/stat`";
    let stat =
        std::fs::read("/proc/self/stat").map_err(|source| PeerError::Failed { what, source })?;
    let odd = || PeerError::Failed { what, source: std::io::ErrorKind::InvalidData.into() };
    let start_time = Some(proc::start_time(&stat).ok_or_else(odd)?);
    let groups = rustix::process::getgroups().unwrap_or_default();
    let facts = Facts {
        start_time,
        groups: groups.into_iter().map(|gid| gid.as_raw()).collect(),
        cgroup: std::fs::read("/proc/self/cgroup").unwrap_or_default(),
        ..Facts::unavailable("the command decides for whoever called it")
    };
    let uid = rustix::process::getuid().as_raw();
    let gid = rustix::process::getgid().as_raw();
    Ok(Attested { self_attested: true, ..facts.attested(uid, gid, std::process::id()) })
}

const PROC_UNSEEN: &str = "the process is not to be seen in `/proc`";
const OTHER_USER: &str = "the process runs as another user or group than when it connected";
const OTHER_PROGRAM: &str = "the process runs another program than when it connected";

/// What `/proc` says of a process.
struct Facts {
    start_time: Option<u64>,
    groups: BTreeSet<u32>,
    /// The file `cgroup`.
    cgroup: Vec<u8>,
    executable: Executable,
    program: Option<FileKey>,
}

impl Facts {
    fn unavailable(reason: &'static str) -> Facts {
        Facts {
            start_time: None,
            groups: BTreeSet::new(),
            cgroup: Vec::new(),
            executable: Executable::Unavailable(reason),
            program: None,
        }
    }

    /// Reads them through the held directory of a process, which is taken for the peer's only if its
    /// user and group are still those of the connection. (The owner of the directory says less: it
    /// is root where a process keeps its memory private.)
    fn read(
        directory: BorrowedFd<'_>,
        pid: u32,
        connected: (u32, u32),
        executables: &Executables,
    ) -> Facts {
        let Some(start) = start_time(directory) else {
            return Facts::unavailable(PROC_UNSEEN);
        };
        let same = || {
            let status = proc::file(directory, "status").ok()?;
            let read = proc::credentials(&status)?;
            Some(((read.uid, read.gid) == connected).then_some(read.groups))
        };
        let begun = || Facts { start_time: Some(start), ..Facts::unavailable(OTHER_USER) };
        let groups = match same() {
            Some(Some(groups)) => groups,
            Some(None) => return begun(),
            None => return Facts::unavailable(PROC_UNSEEN),
        };
        let cgroup = proc::file(directory, "cgroup").unwrap_or_default();
        let (executable, program) = executables.of(directory, pid, connected.0);
        // Again, since any of this may have changed in between.
        match same() {
            Some(Some(again)) if again == groups => {}
            Some(_) => return begun(),
            None => return Facts::unavailable(PROC_UNSEEN),
        }
        if start_time(directory) != Some(start) {
            return Facts::unavailable(PROC_UNSEEN);
        }
        Facts { start_time: Some(start), groups, cgroup, executable, program }
    }

    fn attested(self, uid: u32, gid: u32, pid: u32) -> Attested {
        let cgroup = proc::cgroup_path(&self.cgroup);
        Attested {
            uid,
            gid,
            groups: self.groups,
            pid,
            start_time: self.start_time.unwrap_or(0),
            unit: proc::unit_of(cgroup).map(KernelName::read),
            cgroup: KernelName::read(cgroup),
            executable: self.executable,
            token_of: None,
            self_attested: false,
        }
    }
}

impl Held {
    fn is_alive(&self) -> bool {
        match &self.handle {
            Handle::Pidfd(pidfd, _) => !has_ended(pidfd),
            Handle::Directory(directory, _, start) => start_time(directory.as_fd()) == Some(*start),
        }
    }

    /// The program that runs now; of the peer, if it is alive after this.
    fn running(&self) -> Option<FileKey> {
        let (Handle::Pidfd(_, pid) | Handle::Directory(_, pid, _)) = &self.handle;
        match &self.readers {
            Some(readers) => readers.running(*pid),
            None => FileKey::running(proc::open(*pid).ok()?),
        }
    }
}

/// A descriptor of the process that connected. Kernels before 6.5 do not give one to a socket; there
/// it is opened by number, and the process may have ended before that. None where that fails too.
fn pidfd(stream: BorrowedFd<'_>, pid: u32) -> Result<Option<OwnedFd>, PeerError> {
    use nix::errno::Errno;
    match nix::sys::socket::getsockopt(&stream, PeerPidfd) {
        Ok(pidfd) => return Ok(Some(pidfd)),
        Err(Errno::ENODATA) => return Err(PeerError::NoCredentials),
        // It has ended and was waited for (`ESRCH` in later kernels).
        Err(Errno::EINVAL | Errno::ESRCH) => return Err(PeerError::Gone),
        Err(error @ (Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM)) => {
            return Err(failed("cannot open the process at the other end", error));
        }
        Err(_) => {}
    }
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
    match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => Ok(Some(pidfd)),
        Err(rustix::io::Errno::SRCH) => Err(PeerError::Gone),
        Err(_) => Ok(None),
    }
}

/// Whether the process of a descriptor has ended. A failure to ask counts as that.
fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(pidfd, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        match rustix::event::poll(&mut polled, Some(&at_once)) {
            Ok(ready) => return ready != 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return true,
        }
    }
}

fn start_time(directory: BorrowedFd<'_>) -> Option<u64> {
    proc::start_time(&proc::file(directory, "stat").ok()?)
}

fn failed(what: &'static str, source: nix::errno::Errno) -> PeerError {
    PeerError::Failed { what, source: source.into() }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    const SOCKET: &str = "SLUICE_TEST_PEER_SOCKET";
    const THEN: &str = "SLUICE_TEST_PEER_THEN";

    /// Not a test of its own: what the processes do that the tests below start.
    #[test]
    fn as_the_other_end() {
        let Some(path) = std::env::var_os(SOCKET) else { return };
        let mut stream = UnixStream::connect(path).expect("somebody listens");
        let mut sleep = Command::new("sleep");
        sleep.arg("60");
        match std::env::var(THEN).as_deref() {
            Ok("leave") => {}
            Ok("become") => {
                let _ = stream.read(&mut [0]);
                panic!("{}", sleep.exec());
            }
            Ok("pass on") => {
                let _ = stream.read(&mut [0]);
                sleep.stdin(Stdio::from(OwnedFd::from(stream)));
                // It outlives this one on purpose, by a minute.
                drop(sleep.spawn().expect("it starts"));
            }
            _ => {
                let _ = stream.read(&mut [0]);
            }
        }
    }

    /// A started process and the connection that it made.
    struct Other {
        child: Child,
        stream: UnixStream,
    }

    impl Drop for Other {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn start(then: &str, as_user: Option<u32>) -> Other {
        let folder = tempfile::tempdir().expect("a folder");
        let open = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("mode");
        };
        open(folder.path(), 0o755);
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).expect("it is bound");
        open(&path, 0o666);
        let mut program = std::env::current_exe().expect("this program");
        if as_user.is_some() {
            // The folder of this one may be closed to others.
            let copy = folder.path().join("program");
            std::fs::copy(program, &copy).expect("a copy");
            program = copy;
        }
        let mut command = Command::new(program);
        command.args(["--exact", "serve::peer::tests::as_the_other_end"]);
        command.env(SOCKET, &path).env(THEN, then);
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(uid) = as_user {
            command.uid(uid).gid(uid + 1);
        }
        let child = command.spawn().expect("it starts");
        let (stream, _) = listener.accept().expect("it connects");
        Other { child, stream }
    }

    fn sha256(executable: &Executable) -> Option<&str> {
        match executable {
            Executable::Known { sha256, .. } => Some(sha256),
            Executable::Unavailable(_) => None,
        }
    }

    fn soon(mut holds: impl FnMut() -> bool) {
        let limit = Instant::now() + Duration::from_secs(20);
        while !holds() {
            assert!(Instant::now() < limit, "it does not come to hold");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn this_process_has_an_identity() {
        let own = own_identity().expect("proc is there");
        assert_eq!(own.pid, std::process::id());
        assert!(own.self_attested && own.start_time > 0);
    }

    #[test]
    fn a_process_is_attested_while_it_runs() {
        let executables = Executables::new();
        let mut other = start("stay", None);
        let peer = Peer::of(&other.stream, &executables).expect("it runs");
        let Watch::Process(Held { handle: Handle::Pidfd(..), .. }) = &peer.watch else {
            panic!("this kernel gives descriptors of processes");
        };
        let token = TokenOf::verified("letters");
        let attested = peer.attested(Some(token.clone())).expect("it runs");
        let own = own_identity().expect("proc is there");
        assert_eq!((attested.uid, attested.gid), (own.uid, own.gid));
        assert_eq!(attested.groups, own.groups);
        assert_eq!(attested.cgroup, own.cgroup);
        assert_eq!(attested.pid, other.child.id());
        assert!(attested.start_time >= own.start_time && !attested.self_attested);
        assert_eq!(attested.token_of, Some(token));
        // The same program runs here.
        let here = UnixStream::pair().expect("a pair").0;
        let here = Peer::of(&here, &executables).expect("it runs").attested(None).expect("it runs");
        assert_eq!(here.pid, std::process::id());
        let digest = sha256(&attested.executable).expect("it is readable").to_owned();
        assert_eq!(sha256(&here.executable), Some(digest.as_str()));
        other.stream.write_all(b".").expect("it listens");
        other.child.wait().expect("it ends");
        assert!(!peer.is_alive());
        assert!(matches!(peer.attested(None), Err(PeerError::Gone)));
        assert!(matches!(Peer::of(&other.stream, &executables), Err(PeerError::Gone)));
    }

    #[test]
    fn a_process_that_waits_for_its_parent_has_ended() {
        let other = start("leave", None);
        let executables = Executables::new();
        // It may still be about to end.
        soon(|| matches!(Peer::of(&other.stream, &executables), Err(PeerError::Gone)));
        let directory = proc::open(other.child.id()).expect("nobody waited for it yet");
        assert_eq!(start_time(directory.as_fd()), None);
    }

    #[test]
    fn another_user_is_told_from_this_one() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let other = start("stay", Some(61_234));
        let peer = Peer::of(&other.stream, &Executables::new()).expect("it runs");
        let attested = peer.attested(None).expect("it runs");
        assert_eq!((attested.uid, attested.gid), (61_234, 61_235));
        assert!(!attested.groups.contains(&0), "groups of the parent are left behind");
        // Root may read it, if no sandbox is in the way. The file is gone; what runs is not.
        if let Executable::Known { path, sha256 } = &attested.executable {
            let own = std::env::current_exe().expect("this program");
            let expected = data_encoding::HEXLOWER
                .encode(&<sha2::Sha256 as sha2::Digest>::digest(std::fs::read(own).expect("it")));
            assert_eq!(*sha256, expected);
            assert!(path.as_str().ends_with("program (deleted)"), "{}", path.as_str());
        }
    }

    #[test]
    fn a_process_that_begins_another_program_loses_its_executable() {
        let mut other = start("become", None);
        let peer = Peer::of(&other.stream, &Executables::new()).expect("it runs");
        assert!(sha256(&peer.attested(None).expect("it runs").executable).is_some());
        other.stream.write_all(b".").expect("it listens");
        let unavailable = Executable::Unavailable(OTHER_PROGRAM);
        soon(|| peer.attested(None).expect("it runs").executable == unavailable);
        assert_eq!(peer.attested(None).expect("it runs").pid, other.child.id());
    }

    #[test]
    fn a_socket_that_was_passed_on_vouches_for_nothing_once_its_maker_has_ended() {
        let mut other = start("pass on", None);
        let peer = Peer::of(&other.stream, &Executables::new()).expect("it runs");
        other.stream.write_all(b".").expect("it listens");
        other.child.wait().expect("it ends");
        // Somebody still is at the other end.
        other.stream.set_nonblocking(true).expect("a flag");
        let read = other.stream.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(read, Err(std::io::ErrorKind::WouldBlock));
        assert!(matches!(peer.attested(None), Err(PeerError::Gone)));
    }

    #[test]
    fn without_a_descriptor_of_the_process_its_directory_is_watched() {
        let mut other = start("stay", None);
        let directory = proc::open(other.child.id()).expect("proc is there");
        let start = start_time(directory.as_fd()).expect("it runs");
        let held = Held {
            handle: Handle::Directory(directory, other.child.id(), start),
            program: None,
            readers: None,
        };
        assert!(held.is_alive());
        assert!(held.running().is_some());
        other.child.kill().expect("it is killed");
        soon(|| !held.is_alive());
        other.child.wait().expect("it ends");
        assert!(!held.is_alive());
    }

    /// A folder like that of a process in `/proc`.
    fn folder(start: u64, uid: u32) -> (tempfile::TempDir, OwnedFd) {
        let folder = tempfile::tempdir().expect("a folder");
        rewrite(folder.path(), start, uid);
        std::fs::write(folder.path().join("cgroup"), "0::/system.slice/letters.service\n")
            .expect("a file");
        std::os::unix::fs::symlink("/proc/self/exe", folder.path().join("exe")).expect("a link");
        let open = std::fs::File::open(folder.path()).expect("it opens");
        (folder, open.into())
    }

    fn rewrite(folder: &Path, start: u64, uid: u32) {
        let numbers = (1..19).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
        std::fs::write(folder.join("stat"), format!("7 (x) S {numbers} {start} 20"))
            .expect("a file");
        let status = format!("Name:\tx\nUid:\t1\t{uid}\t1\t1\nGid:\t5\t5\t5\t5\nGroups:\t8 9 \n");
        std::fs::write(folder.join("status"), status).expect("a file");
    }

    #[test]
    fn a_number_that_was_given_to_another_process_is_noticed() {
        let (folder, open) = folder(777, 1000);
        let held = Held { handle: Handle::Directory(open, 7, 777), program: None, readers: None };
        assert!(held.is_alive());
        rewrite(folder.path(), 778, 1000);
        assert!(!held.is_alive());
        let attested = Facts::unavailable("").attested(1000, 5, 7);
        let peer = Peer { attested, watch: Watch::Process(held) };
        assert!(matches!(peer.attested(None), Err(PeerError::Gone)));
    }

    #[test]
    fn facts_of_another_user_are_not_taken() {
        let (folder, open) = folder(777, 1000);
        let executables = Executables::new();
        let read = |connected| {
            Facts::read(open.as_fd(), 7, connected, &executables).attested(
                connected.0,
                connected.1,
                7,
            )
        };
        let same = read((1000, 5));
        assert_eq!((same.start_time, same.groups), (777, BTreeSet::from([8, 9])));
        assert_eq!(same.unit, Some(KernelName::read(b"letters.service")));
        assert!(sha256(&same.executable).is_some());
        for connected in [(1001, 5), (1000, 6)] {
            let other = read(connected);
            assert_eq!(other.executable, Executable::Unavailable(OTHER_USER));
            assert_eq!((other.unit, other.cgroup), (None, KernelName::read(b"")));
            assert!(other.groups.is_empty());
        }
        std::fs::remove_file(folder.path().join("status")).expect("it is there");
        let unseen = read((1000, 5));
        assert_eq!(unseen.executable, Executable::Unavailable(PROC_UNSEEN));
        assert_eq!((unseen.start_time, unseen.unit), (0, None));
    }

    #[test]
    fn a_socket_without_a_peer_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let unconnected = std::os::unix::net::UnixDatagram::unbound().expect("a socket");
        let executables = Executables::new();
        assert!(Peer::of(&unconnected, &executables).is_err());
        let file = std::fs::File::open(folder.path()).expect("it opens");
        assert!(matches!(Peer::of(&file, &executables), Err(PeerError::Failed { .. })));
    }

    #[test]
    fn a_tcp_peer_is_its_user_alone() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("it is bound");
        let local = listener.local_addr().expect("an address");
        let client = std::net::TcpStream::connect(local).expect("it connects");
        let (stream, from) = listener.accept().expect("it connects");
        let peer = Peer::of_tcp(local, from).expect("it is held");
        let attested = peer.attested(None).expect("it is held");
        assert_eq!(attested.uid, rustix::process::geteuid().as_raw());
        assert_eq!((attested.gid, attested.pid, attested.start_time), (NO_GROUP, 0, 0));
        assert_eq!(attested.executable, Executable::Unavailable("connected over TCP"));
        drop(client);
        assert!(matches!(peer.attested(None), Err(PeerError::Gone)));
        assert!(matches!(Peer::of_tcp(local, from), Err(PeerError::UnknownUser(_))));
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], 80));
        assert!(matches!(Peer::of_tcp(local, elsewhere), Err(PeerError::NotLoopback(_))));
        drop(stream);
    }
}
