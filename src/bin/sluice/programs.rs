//! `sluice read-programs`: the helper of the daemon that looks at the programs of its callers. It is
//! started by `sluice serve` before its sandbox closes, and is for nobody else.

use std::process::ExitCode;

use anyhow::Context;
use sluicegate::serve::peer::read_programs;

/// The word for it.
pub const COMMAND: &str = "read-programs";

pub fn run() -> anyhow::Result<ExitCode> {
    read_programs().context("this is a helper that `sluice serve` starts itself")?;
    Ok(ExitCode::SUCCESS)
}
