//! What systemd is told of the daemon (sd_notify(3)).

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

/// How long systemd is waited for where it does not read.
const PATIENCE: Duration = Duration::from_secs(2);

/// Characters of a status at most.
const MAX_STATUS: usize = 200;

/// A connection to systemd, made before a sandbox closes. Without systemd every call does nothing.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Connects to where `NOTIFY_SOCKET` says, and reads how often the watchdog wants to hear.
    ///
    /// # Errors
    ///
    /// If there is such a socket and it cannot be connected to.
    pub fn from_environment() -> io::Result<Notifier> {
        let Some(path) = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
            return Ok(Notifier::default());
        };
        let watchdog = sd_notify::watchdog_enabled().filter(|period| !period.is_zero());
        Notifier::to(&path, watchdog)
    }

    fn to(path: &OsStr, watchdog: Option<Duration>) -> io::Result<Notifier> {
        let address = match path.as_bytes().split_first() {
            Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(path)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Notifier { socket: Some(socket), watchdog })
    }

    /// How often [`Notifier::alive`] is to be called: half of what the watchdog allows; none where
    /// there is none.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|period| period / 2)
    }

    /// Connections are accepted now; also the end of a reload, good or bad.
    ///
    /// # Errors
    ///
    /// This and the others: if systemd is there and does not take the message.
    pub fn ready(&self, status: &str) -> io::Result<()> {
        self.send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))])
    }

    /// The configuration is being read again; [`Notifier::ready`] has to follow.
    ///
    /// # Errors
    ///
    /// See [`Notifier::ready`].
    pub fn reloading(&self) -> io::Result<()> {
        self.send(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])
    }

    /// No connection is accepted any more; requests under way are finished.
    ///
    /// # Errors
    ///
    /// See [`Notifier::ready`].
    pub fn stopping(&self) -> io::Result<()> {
        self.send(&[NotifyState::Stopping])
    }

    /// What `systemctl status` shows. Nothing of a payload.
    ///
    /// # Errors
    ///
    /// See [`Notifier::ready`].
    pub fn status(&self, status: &str) -> io::Result<()> {
        self.send(&[NotifyState::Status(&one_line(status))])
    }

    /// Tells the watchdog that the daemon answers.
    ///
    /// # Errors
    ///
    /// See [`Notifier::ready`].
    pub fn alive(&self) -> io::Result<()> {
        self.send(&[NotifyState::Watchdog])
    }

    fn send(&self, states: &[NotifyState<'_>]) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        let message: String = states.iter().map(|state| format!("{state}\n")).collect();
        socket.send(message.as_bytes()).map(|_| ())
    }
}

/// A line end would begin another assignment.
fn one_line(status: &str) -> String {
    status.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_STATUS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 1024];
        let length = socket.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn systemd_is_told_in_its_words() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).expect("it is bound");
        let notifier =
            Notifier::to(path.as_os_str(), Some(Duration::from_secs(10))).expect("there");
        // It need not find the socket again later.
        std::fs::remove_file(&path).expect("it is there");
        notifier.ready("serves\nMAINPID=1").expect("sent");
        assert_eq!(received(&systemd), "READY=1\nSTATUS=serves MAINPID=1\n");
        notifier.reloading().expect("sent");
        let reloading = received(&systemd);
        assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
        notifier.status(&"x".repeat(1_000)).expect("sent");
        assert_eq!(received(&systemd), format!("STATUS={}\n", "x".repeat(MAX_STATUS)));
        notifier.alive().expect("sent");
        assert_eq!(received(&systemd), "WATCHDOG=1\n");
        notifier.stopping().expect("sent");
        assert_eq!(received(&systemd), "STOPPING=1\n");
        assert_eq!(notifier.watchdog_interval(), Some(Duration::from_secs(5)));
    }

    #[test]
    fn an_abstract_name_begins_with_an_at_sign() {
        let name = format!("sluice-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let systemd = UnixDatagram::bind_addr(&address).expect("it is bound");
        let notifier = Notifier::to(OsStr::new(&format!("@{name}")), None).expect("there");
        notifier.alive().expect("sent");
        assert_eq!(received(&systemd), "WATCHDOG=1\n");
    }

    #[test]
    fn without_systemd_nothing_happens() {
        let notifier = Notifier::default();
        notifier.ready("").and_then(|()| notifier.stopping()).expect("nothing to do");
        assert_eq!(notifier.watchdog_interval(), None);
        assert!(Notifier::to(OsStr::new("/nowhere/notify"), None).is_err());
    }
}
