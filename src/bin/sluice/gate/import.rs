//! `sluice gate import`

use std::path::PathBuf;
use std::process::ExitCode;

use crate::UsageError;

/// Make a rule pack of a gitleaks 8 configuration, and list what cannot be carried over
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration, as a rule `.gitleaks.toml`
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Write the pack here; an older file is replaced once the pack is whole
    #[arg(short = 'o', long = "output", value_name = "PACK.toml")]
    output: Option<PathBuf>,

    /// Folder that `extend.path` may not lead out of [default: that of FILE]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// Writes the pack to its file or to standard output, and what was not carried over to standard error.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { file, output: _, root: _ } = arguments;
    let message = format!("cannot import `{}` yet", crate::names::shown(file));
    Err(UsageError(message).into())
}
