//! `sluice ledger init`.

use std::path::Path;
use std::process::ExitCode;

use sluicegate::record::State;

use super::{print, random};
use crate::names::shown;
use crate::state::{StateDir, refused};

/// Options of `init`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    state: StateDir,

    /// The name of the log, such as `audit.example.com/sluice` [default: from the host name and a
    /// random number]
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let path = arguments.state.path()?;
    let state = create(&path, arguments.origin.as_deref())?;
    let keys: String =
        state.vkeys().map_err(refused)?.iter().map(|key| format!("{key}\n")).collect();
    print(
        format!(
            "made a ledger in `{}`\nwhoever verifies it needs its public key:\n{keys}",
            shown(&path)
        )
        .as_bytes(),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Makes a state directory with a name for its log, or a new one.
pub fn create(path: &Path, origin: Option<&str>) -> anyhow::Result<State> {
    let origin = origin.map_or_else(new_origin, |origin| Ok(origin.to_owned()))?;
    State::create(path, &origin, &mut random).map_err(refused)
}

/// A name for a log: that of the host, and a random number, since hosts are made again.
fn new_origin() -> anyhow::Result<String> {
    let mut number = [0; 4];
    random(&mut number)?;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let known = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let host: String = host.trim().chars().filter(known).take(100).collect();
    let host = if host.is_empty() { "host" } else { &host };
    Ok(format!("{host}/sluice-{}", data_encoding::HEXLOWER.encode(&number)))
}
