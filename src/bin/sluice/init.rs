//! `sluice init`

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use sluicegate::config::STARTER;

use crate::UsageError;
use crate::names::shown;
use crate::rules::print;

/// Write a commented `sluice.toml` to start from
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file to write; it must not be there
    #[arg(default_value = "sluice.toml", conflicts_with = "output")]
    file: PathBuf,
    /// Write to FILE, or to standard output with `-`
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes the file.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let path = arguments.output.as_deref().unwrap_or(&arguments.file);
    if path == Path::new("-") {
        print(STARTER)?;
        return Ok(ExitCode::SUCCESS);
    }
    // Readable for all: it holds no secret. Writable for its owner alone, or it would be refused.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
    let mut file = match file {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let message = format!("`{}` is there already and stays as it is", shown(path));
            return Err(UsageError(message).into());
        }
        file => file.with_context(|| format!("cannot write `{}`", shown(path)))?,
    };
    let written = file.write_all(STARTER.as_bytes()).and_then(|()| file.sync_all());
    written.with_context(|| format!("cannot write `{}`", shown(path)))?;
    print(&format!("wrote {0}; check it with `sluice policy check {0}`\n", shown(path)))?;
    Ok(ExitCode::SUCCESS)
}
