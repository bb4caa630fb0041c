//! `sluice ledger anchor`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sluicegate::record::files::replace;
use sluicegate::record::{ReadError, State, StateError};

use super::{TAMPERED, entry, open, print, read, reader, view, write};
use crate::names::shown;
use crate::state::{StateDir, refused};

/// Export the checkpoint for keeping elsewhere, or check one that was kept.
///
/// Whoever holds the state directory can roll it back as a whole. A checkpoint that was kept on
/// another machine, printed, or mailed shows that: with --check the command tells whether today's
/// log still begins with the entries of then (exit code 0) or not (1).
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    state: StateDir,

    /// Write the checkpoint to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Check this checkpoint against the log
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    check: Option<PathBuf>,

    /// With --check: trust the public keys in this file [default: those in the state directory]
    #[arg(long, value_name = "FILE", requires = "check")]
    vkey: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.check {
        Some(file) => check(arguments, file),
        None => export(arguments),
    }
}

fn export(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let state = State::open(&arguments.state.path()?).map_err(refused)?;
    let note = match open(&state) {
        Ok(ledger) => {
            ledger.publish()?;
            let (checkpoint, note) = ledger.reader().checkpoint()?;
            let root = data_encoding::HEXLOWER.encode(&checkpoint.root);
            let fields = [("size", checkpoint.size.into()), ("root", root.into())];
            ledger.append(|sequence| entry::build(sequence, "anchor", &fields))?;
            keep(&state, checkpoint.size, &note)?;
            ledger.close()?;
            note
        }
        Err(error) if is_locked(&error) => {
            let (checkpoint, note) = reader(&state, None)?.checkpoint()?;
            keep(&state, checkpoint.size, &note)?;
            anstream::eprintln!("sluice: another process writes the ledger; no entry was made");
            note
        }
        Err(error) => return Err(error),
    };
    write(arguments.output.as_ref(), &note)?;
    Ok(ExitCode::SUCCESS)
}

/// From here on the ledger refuses to start with fewer entries.
fn keep(state: &State, size: u64, note: &[u8]) -> anyhow::Result<()> {
    Ok(replace(&*state.files(), &format!("anchors/{size:020}"), note)?)
}

fn is_locked(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(StateError::Locked(_)))
}

fn check(arguments: &Arguments, file: &Path) -> anyhow::Result<ExitCode> {
    let reader = reader(&view(&arguments.state)?, arguments.vkey.as_deref())?;
    let name = shown(file);
    let kept = match reader.trusted(&name, &read(file)?) {
        Ok(kept) => kept,
        Err(error @ ReadError::Checkpoint { .. }) => {
            print(format!("not of this log: {error}\n").as_bytes())?;
            return Ok(ExitCode::from(TAMPERED));
        }
        Err(error) => return Err(error.into()),
    };
    let (now, _) = reader.checkpoint()?;
    let (then, size) = (kept.size, now.size);
    let (text, code) = if then > size {
        (format!("rolled back: the checkpoint has {then} entries, the log {size}"), TAMPERED)
    } else if reader.extends(&kept)? {
        (format!("the log of {size} entries begins with the {then} of the checkpoint"), 0)
    } else {
        (format!("changed: the first {then} entries are not those of the checkpoint"), TAMPERED)
    };
    print(format!("{text}\n").as_bytes())?;
    Ok(ExitCode::from(code))
}
