//! `sluice ledger retain`.

use std::path::PathBuf;
use std::process::ExitCode;

use sluicegate::record::{Header, State};

use super::verify::open_archive;
use super::{entry, open, print};
use crate::UsageError;
use crate::names::shown;
use crate::state::{StateDir, refused};

/// Move old segments of the journal to an archive.
///
/// Only whole segments move, from the beginning of the journal, and nothing is rewritten. Entries
/// that moved stay under every later signed root; `sluice ledger verify --archive DIR` reads them
/// as well.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    state: StateDir,

    /// Move segments whose entries are all from before this day (UTC, YYYY-MM-DD)
    #[arg(long, value_name = "DATE")]
    before: String,

    /// The folder to move them to
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let before = &arguments.before;
    if !is_day(before) {
        return Err(UsageError(format!("`{before}` is no day in the form YYYY-MM-DD")).into());
    }
    let archive = open_archive(&arguments.archive)?;
    let state = State::open(&arguments.state.path()?).map_err(refused)?;
    let ledger = open(&state)?;
    let retained = ledger.retain(&archive, before, |sequence, retained| {
        let fields = [
            ("before", before.as_str().into()),
            ("segments", retained.segments.clone().into()),
            ("first", retained.first.into()),
        ];
        entry::build(sequence, "retain", &fields)
    })?;
    ledger.close()?;
    let count = retained.segments.len();
    let text = match count {
        0 => "no segment is that old\n".to_owned(),
        _ => format!(
            "{count} segments are in `{}` now; the journal begins with entry {}\n",
            shown(&arguments.archive),
            retained.first
        ),
    };
    print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn is_day(text: &str) -> bool {
    let time = sluicegate::record::header::Time { wall: format!("{text}T00:00:00Z") };
    let header = Header { time, ..Header::default() };
    text.len() == 10 && header.day() == Some(text)
}
