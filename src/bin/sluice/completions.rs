//! Shell completions and the manual page, generated from the argument types.

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The shell to complete for
    shell: clap_complete::Shell,
}

/// Prints the completion script.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut out = Vec::new();
    clap_complete::generate(arguments.shell, &mut crate::Arguments::command(), "sluice", &mut out);
    std::io::stdout().write_all(&out)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the manual page in roff.
pub fn man() -> anyhow::Result<ExitCode> {
    let mut out = Vec::new();
    clap_mangen::Man::new(crate::Arguments::command()).render(&mut out)?;
    std::io::stdout().write_all(&out)?;
    Ok(ExitCode::SUCCESS)
}
