//! The `sluice` command. Argument types live here, one file a command; the library never sees them.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod classify;
mod completions;
mod kernel;
mod key;
mod load;
mod names;
mod output;
mod progress;
mod rules;
mod scan;
mod verify_manifest;

/// Finds regulated data, secrets and classification marks in data that is about to leave.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Exit codes: 0 allow, 1 block, 2 usage or configuration, 3 escalate, \
                        4 internal failure, 5 redact.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Scan files and directories and report what they hold
    Scan(scan::Arguments),
    Classify(classify::Arguments),
    /// List, check, test and explain rules
    Rules(rules::Arguments),
    /// Check that files still are what a scan's manifest says
    VerifyManifest(verify_manifest::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
    /// Print the manual page
    #[command(hide = true)]
    Man,
}

/// Exit code of a wrong call or configuration.
pub const USAGE: u8 = 2;

/// Exit code of a failure inside, or of output that cannot be written.
pub const INTERNAL: u8 = 4;

/// An error that is the caller's to mend: exit code 2 instead of 4.
#[derive(Debug, Clone)]
pub struct UsageError(pub String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Scan(arguments) => scan::run(arguments),
        Command::Classify(arguments) => classify::run(arguments),
        Command::Rules(arguments) => rules::run(arguments),
        Command::VerifyManifest(arguments) => verify_manifest::run(arguments),
        Command::Completions(arguments) => completions::run(arguments),
        Command::Man => completions::man(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("sluice: {error:#}");
            let usage = error.chain().any(|cause| cause.is::<UsageError>());
            ExitCode::from(if usage { USAGE } else { INTERNAL })
        }
    }
}
