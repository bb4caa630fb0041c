//! Telling the service manager that the daemon is ready, reloads or stops, from inside the sandbox,
//! which lets nobody connect: the socket is connected before.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// A service manager that listens, as sd_notify(3) has it; or none.
#[derive(Debug)]
pub struct Manager(Option<UnixDatagram>);

impl Manager {
    /// Connects to the socket that `NOTIFY_SOCKET` names: a path, or after `@` an abstract name.
    ///
    /// # Errors
    ///
    /// The socket cannot be reached, or the name is neither.
    pub fn connect(notify_socket: Option<&OsStr>) -> io::Result<Manager> {
        let Some(name) = notify_socket.filter(|name| !name.is_empty()) else {
            return Ok(Manager(None));
        };
        let address = match name.as_bytes().split_first() {
            Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
            Some((b'/', _)) => SocketAddr::from_pathname(name)?,
            _ => {
                let problem = "`NOTIFY_SOCKET` is neither an absolute path nor an abstract name";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
            }
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // A manager that does not read must not hold a decision up.
        socket.set_nonblocking(true)?;
        Ok(Manager(Some(socket)))
    }

    /// Says something, such as `READY=1`, where there is a manager.
    ///
    /// # Errors
    ///
    /// The manager is gone, or does not read.
    pub fn say(&self, state: &str) -> io::Result<()> {
        match &self.0 {
            Some(socket) => socket.send(state.as_bytes()).map(drop),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_hears_by_path_and_by_abstract_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let name = format!("sluice-notify-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).expect("a name");
        let heard = [UnixDatagram::bind(&path), UnixDatagram::bind_addr(&abstract_name)];
        for (listener, name) in
            heard.into_iter().zip([path.display().to_string(), format!("@{name}")])
        {
            let listener = listener.expect("bound");
            let manager = Manager::connect(Some(OsStr::new(&name))).expect("connected");
            manager.say("READY=1").expect("said");
            let mut text = [0; 64];
            let length = listener.recv(&mut text).expect("heard");
            assert_eq!(&text[..length], b"READY=1");
        }
        Manager::connect(None).and_then(|nobody| nobody.say("READY=1")).expect("nobody listens");
        assert!(Manager::connect(Some(OsStr::new("relative"))).is_err());
        assert!(Manager::connect(Some(OsStr::new("/nowhere/at-all"))).is_err());
    }
}
