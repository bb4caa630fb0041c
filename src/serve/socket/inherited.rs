//! A socket that systemd made before it started the daemon (sd_listen_fds(3)).

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use listenfd::ListenFd;

use super::{Access, Listening, SocketError, failed, place, shown};

/// Takes the socket that systemd hands over; none where it hands over nothing. It is held to what is
/// configured: `path` (where one is), the mode, the owner and the group of `access`.
///
/// Changes the environment, so that children do not take the socket for theirs: to be called before
/// any thread is started.
///
/// # Errors
///
/// [`SocketError::Inherited`] says what to change in the unit; the others are those of the directory.
pub fn inherited(path: Option<&Path>, access: &Access) -> Result<Option<Listening>, SocketError> {
    // The crate would also take descriptors that are meant for nobody in particular.
    let pid = std::env::var("LISTEN_PID").ok().and_then(|pid| pid.parse().ok());
    if pid != Some(std::process::id()) {
        return Ok(None);
    }
    let count: usize =
        std::env::var("LISTEN_FDS").ok().and_then(|count| count.parse().ok()).unwrap_or(0);
    if count > 1 {
        return Err(wrong(format!("is one of {count}"), "keep one `ListenStream=`"));
    }
    let listener = ListenFd::from_env()
        .take_unix_listener(0)
        .map_err(|_| wrong("is no Unix stream socket", "write `ListenStream=` with a path"))?;
    listener.map(|listener| adopt(listener, path, access)).transpose()
}

fn adopt(
    listener: UnixListener,
    path: Option<&Path>,
    access: &Access,
) -> Result<Listening, SocketError> {
    if !rustix::net::sockopt::socket_acceptconn(&listener).unwrap_or(false) {
        return Err(wrong("is a connection, not one to accept from", "write `Accept=no`"));
    }
    let address = listener.local_addr().map_err(failed("cannot ask where the socket lies"))?;
    let Some(lies) = address.as_pathname() else {
        return Err(wrong("lies nowhere", "write `ListenStream=` with a path"));
    };
    let (parent, _) = place::parts(lies)?;
    place::trusted(parent)?;
    let look = failed("cannot look at the socket that systemd hands over");
    let metadata = lies.symlink_metadata().map_err(&look)?;
    let at = format!("`{}`", shown(lies));
    if !metadata.file_type().is_socket() {
        return Err(wrong(format!("has something else at {at}"), "write `RemoveOnStop=yes`"));
    }
    if let Some(path) = path {
        let configured = path.symlink_metadata().ok();
        let which = configured.map(|configured| (configured.dev(), configured.ino()));
        if which != Some((metadata.dev(), metadata.ino())) {
            let mend = format!("write `ListenStream={}`", shown(path));
            return Err(wrong(format!("lies at {at}, not where the configuration says"), mend));
        }
    }
    let (mode, wanted) = (metadata.mode() & 0o7777, access.mode());
    if mode != wanted {
        let mend = format!("write `SocketMode={wanted:04o}`");
        return Err(wrong(format!("has mode {mode:04o}, not {wanted:04o}"), mend));
    }
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != 0 && metadata.uid() != own {
        let mend = format!("write `SocketUser={own}`");
        return Err(wrong(format!("belongs to user {}", metadata.uid()), mend));
    }
    if let Some(gid) = access.gid()?
        && metadata.gid() != gid
    {
        let mend = format!("write `SocketGroup={gid}`");
        return Err(wrong(format!("belongs to group {}, not {gid}", metadata.gid()), mend));
    }
    listener.set_nonblocking(true).map_err(&look)?;
    Ok(Listening { listener, path: lies.to_owned(), placed: None })
}

fn wrong(what: impl Into<String>, mend: impl Into<String>) -> SocketError {
    SocketError::Inherited { what: what.into(), mend: mend.into() }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;
    use std::process::{Command, Stdio};

    use super::super::Group;
    use super::*;

    const PATH: &str = "SLUICE_TEST_INHERITED";

    fn bound(folder: &Path, mode: u32) -> (PathBuf, UnixListener) {
        let path = folder.join("s");
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("it is bound");
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("mode");
        (path, listener)
    }

    fn refused(mode: u32, access: &Access) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, listener) = bound(folder.path(), mode);
        adopt(listener, Some(&path), access).expect_err("it is not as configured").to_string()
    }

    #[test]
    fn a_socket_as_configured_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, listener) = bound(folder.path(), 0o600);
        let taken = adopt(listener, Some(&path), &Access::Owner).expect("as configured");
        assert!(taken.is_inherited());
        assert_eq!(taken.path(), path);
        let (listener, remains) = taken.split();
        UnixStream::connect(&path).expect("somebody listens");
        listener.accept().expect("somebody connects");
        assert!(!remains.remove().expect("nothing is done"));
        assert!(path.exists(), "it is not ours to remove");
    }

    #[test]
    fn any_other_mode_owner_or_place_is_refused_with_what_to_change() {
        for mode in [0o666, 0o660, 0o400, 0o777, 0o2600] {
            let error = refused(mode, &Access::Owner);
            assert!(error.contains("write `SocketMode=0600`"), "{error}");
        }
        let group = Access::Group(Group::Id(61_234));
        assert!(refused(0o600, &group).contains("write `SocketMode=0660`"));
        assert!(refused(0o660, &group).contains("write `SocketGroup=61234`"));
        let folder = tempfile::tempdir().expect("a folder");
        let (path, listener) = bound(folder.path(), 0o600);
        let other = folder.path().join("other");
        let error = adopt(listener, Some(&other), &Access::Owner).expect_err("elsewhere");
        assert!(error.to_string().contains("write `ListenStream=/"), "{error}");
        if rustix::process::geteuid().is_root() {
            let (path, listener) = bound(folder.path(), 0o600);
            std::os::unix::fs::chown(&path, Some(61_234), None).expect("owner");
            let error = adopt(listener, None, &Access::Owner).expect_err("another user's");
            assert!(error.to_string().contains("SocketUser="), "{error}");
        }
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).expect("mode");
        let (_, listener) = bound(folder.path(), 0o600);
        let error = adopt(listener, None, &Access::Owner).expect_err("others may replace it");
        assert!(matches!(error, SocketError::Writable(_)), "{error}");
        drop(path);
    }

    #[test]
    fn connections_and_sockets_without_a_path_are_refused() {
        let (one, _other) = UnixStream::pair().expect("a pair");
        let connection = UnixListener::from(OwnedFd::from(one));
        let error = adopt(connection, None, &Access::Owner).expect_err("a connection");
        assert!(error.to_string().contains("write `Accept=no`"), "{error}");
        use std::os::linux::net::SocketAddrExt;
        let name = format!("sluice-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name).expect("a name");
        let listener = UnixListener::bind_addr(&address).expect("it is bound");
        let error = adopt(listener, None, &Access::Owner).expect_err("no path");
        assert!(error.to_string().contains("lies nowhere"), "{error}");
    }

    /// Not a test of its own: what the process below does with what it is handed.
    #[test]
    fn as_the_daemon() {
        let Some(path) = std::env::var_os(PATH) else { return };
        let taken = inherited(Some(Path::new(&path)), &Access::Owner).expect("as configured");
        assert!(taken.is_some_and(|taken| taken.is_inherited()));
        assert_eq!(std::env::var_os("LISTEN_FDS"), None, "children are not told");
    }

    #[test]
    fn descriptor_3_is_taken_where_the_environment_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, listener) = bound(folder.path(), 0o600);
        let run = |environment: &str| {
            let program = std::env::current_exe().expect("this program");
            let script = format!(
                "exec 3<&0 </dev/null; {environment} exec '{}' --exact \
                 serve::socket::inherited::tests::as_the_daemon",
                program.display()
            );
            let handed: OwnedFd = listener.try_clone().expect("a copy").into();
            let status = Command::new("sh")
                .args(["-c", &script])
                .env(PATH, &path)
                .stdin(Stdio::from(handed))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            status.expect("it starts").success()
        };
        assert!(run("LISTEN_FDS=1 LISTEN_PID=$$"));
        for not_ours in ["LISTEN_FDS=1", "LISTEN_FDS=1 LISTEN_PID=1", "LISTEN_FDS=2 LISTEN_PID=$$"]
        {
            assert!(!run(not_ours), "{not_ours}");
        }
    }
}
