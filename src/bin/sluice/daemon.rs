//! The daemon seen from the other commands: where it is, and whether it keeps a state directory.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use sluicegate::client::{Client, ClientError, Timeouts};
use sluicegate::config::Serve;
use sluicegate::record::State;
use tokio::net::UnixStream;

use crate::{UsageError, register};

/// The file in which a daemon says where it is, in the state directory.
const FILE: &str = "daemon";

/// Bytes that are read of it.
const MAX_FILE: u64 = 64 << 10;

/// How long a daemon has to say that it is the one.
const PROBE: Duration = Duration::from_secs(2);

/// What a daemon says of itself.
#[derive(Debug, Deserialize, Serialize)]
struct Note {
    /// Its socket, absolute.
    socket: PathBuf,
    /// Its process.
    pid: u32,
    /// The name of its run, as the ids of its requests have it.
    run: String,
}

/// Says where the daemon is until it is dropped.
pub struct Announced(PathBuf);

impl Announced {
    /// Writes the file.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn write(state: &Path, socket: &Path, run: String) -> io::Result<Announced> {
        let socket = std::path::absolute(socket)?;
        let note = serde_json::to_vec(&Note { socket, pid: std::process::id(), run })?;
        let (path, beside) = (state.join(FILE), state.join(format!("{FILE}.new")));
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&note)?;
        fs::rename(&beside, &path)?;
        Ok(Announced(path))
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        // One that is left over is told from a true one by the name of its run.
        let _ = fs::remove_file(&self.0);
    }
}

/// The daemon that keeps a state directory, as that says itself.
pub struct Keeper {
    note: Note,
    /// Who wrote the note.
    owner: u32,
}

/// The daemon that keeps this state directory, if one does and answers. A directory or a note in which
/// somebody else could write names no daemon: payloads would go to whoever did.
pub fn keeper(state: &Path) -> Option<Keeper> {
    let state = State::open(state).ok()?;
    let (note, owner) = note(state.path())?;
    let keeper = Keeper { note, owner };
    wait_for(keeper.client()).ok()?.ok()?;
    Some(keeper)
}

fn note(state: &Path) -> Option<(Note, u32)> {
    // Without waiting for a writer, should it be a pipe.
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(state.join(FILE), flags, Mode::empty()).ok()?);
    let metadata = file.metadata().ok()?;
    let own = rustix::process::geteuid().as_raw();
    let is_trusted = metadata.uid() == own || metadata.uid() == 0;
    if !metadata.is_file() || !is_trusted || metadata.mode() & 0o022 != 0 {
        return None;
    }
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text).ok()?;
    Some((serde_json::from_slice(&text).ok()?, metadata.uid()))
}

impl Keeper {
    /// A client over one connection, at whose other end the daemon has said that it is the one.
    pub async fn client(&self) -> anyhow::Result<Client> {
        let gone = || "the daemon that keeps the ledger does not answer; call again";
        tokio::time::timeout(PROBE, self.probed()).await.with_context(gone)?.with_context(gone)
    }

    async fn probed(&self) -> anyhow::Result<Client> {
        let stream = UnixStream::connect(&self.note.socket).await?;
        // A socket that systemd made is root's.
        let listener = stream.peer_cred()?.uid();
        anyhow::ensure!(listener == self.owner || listener == 0, "its socket is somebody else's");
        let client = Client::over(stream, Timeouts::default()).await?;
        anyhow::ensure!(client.run_id().await? == self.note.run, "another one has its socket");
        Ok(client)
    }
}

/// The socket that is given, or that the configuration and the environment say.
pub fn socket(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    // Without a file nothing has to be read to know what it says.
    let settings = match register::find(None) {
        None => Serve::default(),
        Some(_) => {
            let rules = crate::load::load_rules(&[])?;
            register::load(None, &rules.taxonomy)?.config.settings.serve
        }
    };
    crate::serve::socket_path(None, &settings)
}

/// Runs work that waits for the daemon. A read of standard input that goes on holds nothing up.
pub fn wait_for<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the event loop")?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}

/// The error with the exit code that it has: 2 where the call can be mended, else 4.
pub fn failed(error: ClientError) -> anyhow::Error {
    let is_usage = match &error {
        ClientError::Flow(_) | ClientError::Token => true,
        ClientError::Refused { status, .. } => {
            matches!(status, 400 | 401 | 403 | 404 | 405 | 422 | 431)
        }
        _ => false,
    };
    if is_usage { UsageError(error.to_string()).into() } else { error.into() }
}
