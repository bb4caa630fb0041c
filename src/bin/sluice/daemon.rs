//! The daemon seen from the other commands: where it is, and whether it keeps a state directory.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sluicegate::client::{Client, ClientError, Timeouts};
use sluicegate::config::Serve;

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

/// The socket of the daemon that keeps this state directory, if one does and answers.
pub fn keeper(state: &Path) -> Option<PathBuf> {
    let mut text = Vec::new();
    File::open(state.join(FILE)).ok()?.take(MAX_FILE).read_to_end(&mut text).ok()?;
    let note: Note = serde_json::from_slice(&text).ok()?;
    let timeouts = Timeouts { connect: PROBE, request: PROBE, stream: PROBE };
    let probe = async {
        let client = Client::connect_with(&note.socket, timeouts).await?;
        client.run_id().await
    };
    let run = wait_for(probe).ok()?.ok()?;
    (run == note.run).then_some(note.socket)
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
