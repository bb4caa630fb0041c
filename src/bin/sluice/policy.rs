//! `sluice policy`: whether a register is sound, why a flow is decided as it is, and what a change
//! of the register does.

use std::process::ExitCode;

mod check;
mod diff;
mod explain;
mod label;

/// Check, explain and compare registers.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check a `sluice.toml`: errors, and what is allowed and hardly meant
    Check(check::Arguments),
    /// Say what is decided of a flow, and why
    Explain(explain::Arguments),
    /// List the flows that a change of a register opens, closes or treats otherwise
    Diff(diff::Arguments),
}

/// How output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Human,
    /// For programs
    Json,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
    }
}
