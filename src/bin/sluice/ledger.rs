//! `sluice ledger`: makes the ledger, asks it, verifies it, and proves what is in it.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::Value;
use sluicegate::record::{Cut, Ledger, OpenError, Options, Reader, State, Vkey};

use crate::UsageError;
use crate::names::shown;
use crate::output::Output;
use crate::state::{StateDir, refused};

mod anchor;
pub mod entry;
mod export;
mod init;
mod prove;
mod query;
mod retain;
mod rotate;
mod verify;

/// Exit code where the ledger is not what it has to be.
const TAMPERED: u8 = 1;

/// Bytes that are read of a key file, checkpoint or proof; far more than one has.
const FILE_BYTES: u64 = 128 << 10;

/// Make, ask, verify and prove the ledger of decisions.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a state directory with keys and an empty ledger
    Init(init::Arguments),
    Verify(verify::Arguments),
    Show(query::ShowArguments),
    Query(Box<query::QueryArguments>),
    Audit(query::AuditArguments),
    Export(Box<export::Arguments>),
    Prove(prove::Arguments),
    Anchor(anchor::Arguments),
    RotateKeys(rotate::Arguments),
    Retain(retain::Arguments),
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
        Command::Init(arguments) => init::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Show(arguments) => query::show(&arguments),
        Command::Query(arguments) => query::query(&arguments),
        Command::Audit(arguments) => query::audit(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Prove(arguments) => prove::run(&arguments),
        Command::Anchor(arguments) => anchor::run(&arguments),
        Command::RotateKeys(arguments) => rotate::run(&arguments),
        Command::Retain(arguments) => retain::run(&arguments),
    }
}

pub use init::create;

/// Opens the ledger for writing.
pub fn open(state: &State) -> anyhow::Result<Ledger> {
    open_with(state, Options::command())
}

/// Opens the ledger for writing, as a command or as a daemon.
pub fn open_with(state: &State, options: Options) -> anyhow::Result<Ledger> {
    let recovered = |sequence, cut: &Cut| {
        entry::build(
            sequence,
            "recovered",
            &[("from", cut.from.into()), ("cut_bytes", cut.bytes.into())],
        )
    };
    Ledger::open(state, options, recovered).map_err(|error| match error {
        OpenError::State(error) => refused(error),
        error if error.is_tampering() => anyhow::Error::new(error)
            .context("the ledger is not as it was left; look into it with `sluice ledger verify`"),
        error => error.into(),
    })
}

/// The state directory, to look at what is public in it.
fn view(dir: &StateDir) -> anyhow::Result<State> {
    State::view(&dir.path()?).map_err(refused)
}

/// A reader of the ledger in a state directory, with the keys in a file or its own.
fn reader(state: &State, vkey: Option<&Path>) -> anyhow::Result<Reader> {
    Ok(Reader::new(state.files(), keys(state, vkey)?))
}

/// The public keys in a file, or those of the state directory.
fn keys(state: &State, vkey: Option<&Path>) -> anyhow::Result<Vec<Vkey>> {
    match vkey {
        Some(file) => keys_in(file),
        None => state.vkeys().map_err(refused),
    }
}

/// The public keys in a file, one a line.
fn keys_in(file: &Path) -> anyhow::Result<Vec<Vkey>> {
    let content = String::from_utf8(read(file)?).unwrap_or_default();
    let lines = content.lines().filter(|line| !line.trim().is_empty());
    let keys: Result<Vec<Vkey>, _> = lines.map(|line| Vkey::parse(line.trim())).collect();
    let wrong = |problem: String| UsageError(format!("`{}`: {problem}", shown(file)));
    let keys = keys.map_err(|error| wrong(error.to_string()))?;
    if keys.is_empty() { Err(wrong("no key in it".to_owned()).into()) } else { Ok(keys) }
}

/// A small file that the caller named.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    use std::io::Read;
    let mut content = Vec::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(FILE_BYTES).read_to_end(&mut content))
        .map_err(|error| UsageError(format!("cannot read `{}`: {error}", shown(file))))?;
    Ok(content)
}

/// Writes to a file, whole or not at all, or to standard output.
fn write(file: Option<&PathBuf>, content: &[u8]) -> anyhow::Result<()> {
    let Some(file) = file else { return print(content) };
    let mut output = Output::file(file)?;
    output.write_all(content)?;
    output.commit().context("the ledger is as it was")
}

/// Writes to standard output. A reader that has gone, as `head` does, is no failure.
fn print(content: &[u8]) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(content).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a value as indented JSON.
fn print_json(value: &Value) -> anyhow::Result<()> {
    print(format!("{}\n", serde_json::to_string_pretty(value)?).as_bytes())
}

/// Random bytes of the system, for keys.
fn random(bytes: &mut [u8]) -> std::io::Result<()> {
    getrandom::fill(bytes).map_err(|_| std::io::Error::other("no random numbers"))
}
