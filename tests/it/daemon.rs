//! A daemon of the real binary, for tests of what it answers.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running `sluice serve` with a state directory of its own. Killed when it is dropped.
pub struct Daemon {
    /// Its socket.
    pub socket: PathBuf,
    /// Its state directory.
    pub state: PathBuf,
    /// A folder for the files of the test. State, register (`sluice.toml`), log (`log`) and the folder
    /// of the socket are in it.
    pub folder: tempfile::TempDir,
    child: Child,
}

impl Daemon {
    /// A daemon with this register, or with the defaults.
    pub fn start(config_text: Option<&str>) -> Daemon {
        Daemon::start_with(config_text, &[])
    }

    /// The same with more arguments.
    pub fn start_with(config_text: Option<&str>, arguments: &[&str]) -> Daemon {
        let started = Daemon::try_start_with(config_text, arguments);
        started.unwrap_or_else(|log| panic!("the daemon ended: {log}"))
    }

    /// The same; what it logged if it ended at once.
    pub fn try_start(config_text: Option<&str>) -> Result<Daemon, String> {
        Daemon::try_start_with(config_text, &[])
    }

    fn try_start_with(config_text: Option<&str>, arguments: &[&str]) -> Result<Daemon, String> {
        let folder = tempfile::tempdir().unwrap();
        // What lies beside the socket can be written by the daemon.
        let (socket, state) = (folder.path().join("run/s.sock"), folder.path().join("state"));
        let config = folder.path().join("sluice.toml");
        fs::write(&config, config_text.unwrap_or("version = 1\n")).unwrap();
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["serve", "--init", "--state-dir"])
            .arg(&state)
            .arg("--socket")
            .arg(&socket)
            .arg("--config")
            .arg(&config)
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while !is_ready(&socket) {
            let log = || fs::read_to_string(folder.path().join("log")).unwrap();
            if child.try_wait().unwrap().is_some() {
                return Err(log());
            }
            assert!(Instant::now() < until, "the daemon is not ready: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Daemon { socket, state, folder, child })
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as the system would, and waits for that; whether it ended well.
    pub fn stop(&mut self) -> bool {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        self.child.wait().unwrap().success()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_ready(socket: &Path) -> bool {
    let mut answer = [0; 12];
    UnixStream::connect(socket).is_ok_and(|mut stream| {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\n\r\n")
            .is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && answer == *b"HTTP/1.1 200"
    })
}

#[test]
fn a_daemon_starts_and_ends() {
    let mut daemon = Daemon::start(None);
    assert!(daemon.state.join("VERSION").exists() && daemon.pid() > 0);
    assert!(daemon.stop(), "{}", daemon.log());
}
