//! `sluice ledger export`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use data_encoding::HEXLOWER;
use serde_json::json;
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
    let mut out = match &arguments.output {
        None => Output::stdout(None),
        Some(file) => Output::file(file)?,
    };
    let (mut count, mut range) = (0u64, None);
    each(&reader, |bytes, entry| {
        if !wanted.matches(entry, &macs) {
            return Ok(());
        }
        let leaf = HEXLOWER.encode(&merkle::leaf_hash(bytes));
        let Some(event) = ocsf::finding(entry, &leaf, &title) else { return Ok(()) };
        serde_json::to_writer(&mut out, &event)?;
        out.write_all(b"\n")?;
        count += 1;
        let sequence = entry.pointer("/sequence").and_then(serde_json::Value::as_u64);
        let (first, _) = range.unwrap_or((sequence, sequence));
        range = Some((first, sequence));
        Ok(())
    })?;
    // Who takes evidence out leaves a trace first.
    let state = State::open(&arguments.state.path()?).map_err(refused)?;
    let ledger = super::open(&state)?;
    let (first, last) = range.unwrap_or((None, None));
    let by = rustix::process::getuid().as_raw();
    ledger.append(|sequence| {
        entry::build(
            sequence,
            "export",
            &[
                ("format", json!("ocsf")),
                ("count", json!(count)),
                ("first", json!(first)),
                ("last", json!(last)),
                ("uid", json!(by)),
            ],
        )
    })?;
    out.commit().or_else(query::forgive)?;
    Ok(ExitCode::SUCCESS)
}
