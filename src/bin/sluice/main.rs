//! The `sluice` command. Argument types live here, one file a command; the library never sees them.

use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rustix::process::{DumpableBehavior, Resource, Rlimit, setrlimit};

mod approvals;
mod classify;
mod completions;
mod daemon;
mod decide;
mod flow;
mod gate;
mod init;
mod kernel;
mod key;
mod ledger;
mod load;
mod messenger;
mod names;
mod output;
mod policy;
mod programs;
mod progress;
mod register;
mod rules;
mod scan;
mod send;
mod serve;
mod state;
mod top;
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
    Decide(decide::Arguments),
    Gate(gate::Arguments),
    Serve(serve::Arguments),
    Send(send::Arguments),
    Top(top::Arguments),
    /// List, check, test and explain rules
    Rules(rules::Arguments),
    /// Check, explain and compare registers of destinations, workflows and rules
    Policy(policy::Arguments),
    Init(init::Arguments),
    Approvals(approvals::Arguments),
    Reveal(approvals::reveal::Arguments),
    /// Check that files still are what a scan's manifest says
    VerifyManifest(verify_manifest::Arguments),
    /// Make, ask, verify and prove the ledger of decisions
    Ledger(ledger::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
    /// Print the manual page
    #[command(hide = true)]
    Man,
    #[command(hide = true)]
    Messenger(messenger::Arguments),
    #[command(hide = true, name = programs::COMMAND)]
    ReadPrograms,
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
    keep_memory_private();
    panic::set_hook(Box::new(say_where));
    panic::catch_unwind(run).unwrap_or(ExitCode::from(INTERNAL))
}

fn run() -> ExitCode {
    provoke_panic();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let result = match arguments.command {
        Command::Scan(arguments) => scan::run(arguments),
        Command::Classify(arguments) => classify::run(arguments),
        Command::Decide(arguments) => decide::run(arguments),
        Command::Gate(arguments) => gate::run(arguments),
        Command::Serve(arguments) => serve::run(arguments),
        Command::Send(arguments) => send::run(&arguments),
        Command::Top(arguments) => top::run(&arguments),
        Command::Rules(arguments) => rules::run(arguments),
        Command::Policy(arguments) => policy::run(arguments),
        Command::Init(arguments) => init::run(&arguments),
        Command::Approvals(arguments) => approvals::run(arguments),
        Command::Reveal(arguments) => approvals::reveal::run(&arguments),
        Command::VerifyManifest(arguments) => verify_manifest::run(arguments),
        Command::Ledger(arguments) => ledger::run(arguments),
        Command::Completions(arguments) => completions::run(arguments),
        Command::Man => completions::man(),
        Command::Messenger(arguments) => messenger::run(&arguments),
        Command::ReadPrograms => programs::run(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!(
                "sluice: {}",
                names::clean_message(&format!("{error:#}"), std::env::args_os())
            );
            let usage = error.chain().any(|cause| cause.is::<UsageError>());
            ExitCode::from(if usage { USAGE } else { INTERNAL })
        }
    }
}

/// Prints help and version as they are; an error may quote what was typed.
fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        error.exit();
    }
    let message = error.render().to_string();
    let clean = names::clean_message(&message, std::env::args_os());
    if clean == message {
        error.exit();
    }
    anstream::eprint!("{clean}");
    ExitCode::from(USAGE)
}

/// Payload bytes stay in the process: no core dump, and no other process of the user looks in.
/// Where that is refused the scan goes on: it is a guard around the promise, not the promise.
fn keep_memory_private() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
    // A kernel that pipes dumps to a program does not ask for the limit.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// In place of the standard hook, whose message and backtrace may quote the payload.
fn say_where(panic: &PanicHookInfo<'_>) {
    let (file, line) = panic.location().map_or(("unknown", 0), |at| (at.file(), at.line()));
    // Standard error may be gone; a second panic would abort.
    let _ = std::io::Write::write_fmt(
        &mut std::io::stderr(),
        format_args!("sluice: internal error at {file}:{line}\n"),
    );
}

/// Lets a test see what a panic shows.
fn provoke_panic() {
    #[cfg(debug_assertions)]
    #[expect(clippy::panic, reason = "that is what it is for; no release build holds it")]
    if let Ok(message) = std::env::var("SLUICE_TEST_PANIC") {
        panic::panic_any(message);
    }
}
