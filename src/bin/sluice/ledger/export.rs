//! `sluice ledger export`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sluicegate::record::query::is_decision;
use sluicegate::record::{State, merkle, ocsf};

use super::query::{Conditions, each, filter, open};
use super::{entry, query};
use crate::output::Output;
use crate::state::{StateDir, refused};

/// Export decisions for other systems
///
/// `ocsf` writes one Data Security Finding a line (OCSF 1.9.0-dev). No fingerprint, MAC or byte of a
/// payload is exported. That somebody exported, how much and under which conditions, is recorded.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    state: StateDir,

    /// The form that is written
    #[arg(long, value_enum)]
    format: Format,

    #[command(flatten)]
    conditions: Conditions,

    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Ocsf,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Format::Ocsf = arguments.format;
    let rules = crate::load::load_rules(&[])?;
    let title = |id: &str| {
        let category = rules.taxonomy.find(id).and_then(|index| rules.category(index));
        category.map_or_else(|| id.to_owned(), |category| category.title.clone())
    };
    let (reader, macs) = open(&arguments.state)?;
    let wanted = filter(&arguments.conditions);
    let is_wanted = |entry: &Value| wanted.matches(entry, &macs) && is_decision(entry);
    let (mut count, mut first, mut last) = (0u64, None, None);
    each(&reader, |_, entry| {
        if is_wanted(entry) {
            count += 1;
            last = entry.pointer("/sequence").and_then(Value::as_u64);
            first = first.or(last);
        }
        Ok(())
    })?;
    // Who takes evidence out leaves a trace before anything is out.
    let state = State::open(&arguments.state.path()?).map_err(refused)?;
    let ledger = super::open(&state)?;
    let by = rustix::process::getuid().as_raw();
    let conditions = crate::names::clean_message(&format!("{wanted:?}"), std::env::args_os());
    ledger.append(|sequence| {
        entry::build(
            sequence,
            "export",
            &[
                ("format", json!("ocsf")),
                ("conditions", json!(conditions)),
                ("count", json!(count)),
                ("first", json!(first)),
                ("last", json!(last)),
                ("uid", json!(by)),
            ],
        )
    })?;
    drop(ledger);
    let mut out = match &arguments.output {
        None => Output::stdout(None),
        Some(file) => Output::file(file)?,
    };
    each(&reader, |bytes, entry| {
        let sequence = entry.pointer("/sequence").and_then(Value::as_u64);
        if sequence > last || !is_wanted(entry) {
            return Ok(());
        }
        let leaf = HEXLOWER.encode(&merkle::leaf_hash(bytes));
        let Some(event) = ocsf::finding(entry, &leaf, &title) else { return Ok(()) };
        out.write_all(format!("{event}\n").as_bytes())?;
        Ok(())
    })?;
    out.commit().or_else(query::forgive)?;
    Ok(ExitCode::SUCCESS)
}
