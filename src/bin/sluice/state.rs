//! Where the state directory is.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sluicegate::record::vault::Vaults;
use sluicegate::record::{State, StateError};

use crate::UsageError;

/// The option that says so.
#[derive(Debug, clap::Args)]
pub struct StateDir {
    /// The state directory [default: $SLUICE_STATE_DIR, $XDG_STATE_HOME/sluice, or
    /// ~/.local/state/sluice]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

impl StateDir {
    /// The state directory: what was given, or what the environment says.
    pub fn path(&self) -> anyhow::Result<PathBuf> {
        state_dir(self.state_dir.as_deref())
    }
}

/// The state directory: `given`, else `$SLUICE_STATE_DIR`, else `$XDG_STATE_HOME/sluice`, else
/// `~/.local/state/sluice`. Empty variables count as unset, and a relative `$XDG_STATE_HOME` as
/// the XDG page says.
pub fn state_dir(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    given
        .map(Path::to_owned)
        .or_else(|| variable("SLUICE_STATE_DIR"))
        .or_else(|| {
            let home = variable("XDG_STATE_HOME").filter(|path| path.is_absolute());
            home.map(|path| path.join("sluice"))
        })
        .or_else(|| variable("HOME").map(|home| home.join(".local/state/sluice")))
        .ok_or_else(|| UsageError("no state directory; give one with --state-dir".into()).into())
}

/// The vaults of a state directory.
pub fn vaults(state: &State) -> anyhow::Result<Vaults> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = open(state.path().join("vault"), flags, Mode::empty());
    let folder = folder.context("cannot open `vault` in the state directory")?;
    let key = state.vault_key().map_err(refused)?;
    Ok(Vaults::new(folder, key.as_bytes()))
}

/// The error with the exit code that it has: 2 where the caller can mend it, else 4.
pub fn refused(error: StateError) -> anyhow::Error {
    match error {
        StateError::Io { .. } | StateError::Locked(_) => error.into(),
        _ => UsageError(error.to_string()).into(),
    }
}
