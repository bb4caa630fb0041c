//! `sluice ledger prove`.

use std::path::PathBuf;
use std::process::ExitCode;

use sluicegate::record::ReadError;

use super::{reader, view, write};
use crate::UsageError;
use crate::state::StateDir;

/// Prove that an entry is in the ledger.
///
/// The proof is a C2SP `tlog-proof`: with the entry's bytes and the public key, anybody can check
/// it, here with `sluice ledger verify --proof`. It reaches up to the published checkpoint, at most
/// a second behind the last entry.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    state: StateDir,

    /// The sequence number of the entry
    #[arg(value_name = "N")]
    sequence: u64,

    /// Write the proof to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Write the bytes of the entry to a file
    #[arg(long, value_name = "FILE")]
    entry: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let reader = reader(&view(&arguments.state)?, None)?;
    let proof = reader.prove(arguments.sequence).map_err(no_entry)?;
    if let Some(file) = &arguments.entry {
        write(Some(file), &reader.entry(arguments.sequence).map_err(no_entry)?)?;
    }
    write(arguments.output.as_ref(), proof.text().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn no_entry(error: ReadError) -> anyhow::Error {
    match error {
        ReadError::NoEntry(..) => UsageError(error.to_string()).into(),
        error => error.into(),
    }
}
