//! `sluice rules`: what rules there are, whether they are sound, and what each one does.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use sluicegate::RuleSet;
use sluicegate::rules::Anchors;

use crate::UsageError;

mod check;
mod cost;
mod docs;
mod explain;
mod list;
mod test;

/// List, check, test and explain rules.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the rules
    List(list::Arguments),
    /// Check rule packs: errors, lints and what each rule costs at worst
    Check(check::Arguments),
    /// Run the examples and counterexamples of the rules
    Test(test::Arguments),
    /// Say what a rule finds, why, and how sure it is
    Explain(explain::Arguments),
    /// Write a page of all rules in Markdown
    Docs(docs::Arguments),
}

/// How output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Human,
    /// For programs
    Json,
}

/// Folders with rules over the built-in ones.
#[derive(Debug, clap::Args)]
pub struct Folders {
    /// Add the rules in this folder, or replace built-in ones by id; may be repeated
    #[arg(long = "rules", value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::List(arguments) => list::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Docs(arguments) => docs::run(&arguments),
    }
}

/// Writes to standard output. A reader that has gone, as `head` does, is no failure.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a value as indented JSON.
pub fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// A text from a pack on one line, safe for a terminal: control characters and those that change
/// the direction of writing are escaped.
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.extend(c.escape_unicode());
            }
            _ if c.is_control() => out.extend(c.escape_default()),
            _ => out.push(c),
        }
    }
    out
}

/// How often, in words.
fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// The kind of an anchor, in a word.
fn anchor_kind(anchors: &Anchors) -> &'static str {
    match anchors {
        Anchors::Keywords(_) => "keywords",
        Anchors::Digits { .. } => "digits",
        Anchors::Shape(shape) => shape.as_str(),
    }
}

/// What to say of an id that no rule has.
fn unknown_id(rules: &RuleSet, id: &str) -> anyhow::Error {
    let near: Vec<String> = rules.nearest_ids(id).iter().map(|id| format!("`{id}`")).collect();
    let hint = if near.is_empty() {
        "`sluice rules list` shows all".to_owned()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    UsageError(format!("there is no rule `{}`; {hint}", one_line(id))).into()
}
