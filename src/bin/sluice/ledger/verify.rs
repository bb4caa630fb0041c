//! `sluice ledger verify`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use sluicegate::record::Proof;
use sluicegate::record::files::{Disk, Files};
use sluicegate::record::verify::{Report, verify};

use super::{Format, TAMPERED, keys, keys_in, print, print_json, read, view};
use crate::UsageError;
use crate::names::shown;
use crate::state::StateDir;

/// Verify the whole ledger, or one entry against its proof.
///
/// Reads everything again, offline and with public keys alone: every frame, tree, signature, tile
/// and exported checkpoint. Exits 0 where all holds, 1 where something was changed, removed or
/// damaged, 4 where files cannot be read. With --proof and --entry it needs no ledger.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    state: StateDir,

    /// Trust the public keys in this file, one a line [default: those in the state directory]
    #[arg(long, value_name = "FILE")]
    vkey: Option<PathBuf>,

    /// Verify the segments in this folder as well, where `retain` put them
    #[arg(long, value_name = "DIR", conflicts_with = "proof")]
    archive: Option<PathBuf>,

    /// Check this proof instead
    #[arg(long, value_name = "FILE", requires = "entry", requires = "vkey")]
    proof: Option<PathBuf>,

    /// The bytes of the entry that the proof is about
    #[arg(long, value_name = "FILE", requires = "proof")]
    entry: Option<PathBuf>,

    /// How the result is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let (Some(proof), Some(entry), Some(vkey)) =
        (&arguments.proof, &arguments.entry, &arguments.vkey)
    {
        return check_proof(proof, entry, vkey, arguments.format);
    }
    let state = view(&arguments.state)?;
    let keys = keys(&state, arguments.vkey.as_deref())?;
    let archive = arguments.archive.as_deref().map(open_archive).transpose()?;
    let archive = archive.as_ref().map(|archive| archive as &dyn Files);
    let report = verify(&*state.files(), archive, &keys)?;
    match arguments.format {
        Format::Json => {
            let mut value = serde_json::to_value(&report)?;
            if let Some(fields) = value.as_object_mut() {
                fields.insert("holds".to_owned(), report.holds().into());
            }
            print_json(&value)?;
        }
        Format::Human => print(human(&report).as_bytes())?,
    }
    Ok(ExitCode::from(if report.holds() { 0 } else { TAMPERED }))
}

/// The archive as files.
pub fn open_archive(path: &Path) -> anyhow::Result<Disk> {
    Disk::open(path)
        .map_err(|error| UsageError(format!("cannot open `{}`: {error}", shown(path))).into())
}

fn check_proof(
    proof: &Path,
    entry: &Path,
    vkey: &Path,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let keys = keys_in(vkey)?;
    let checked = Proof::parse(&read(proof)?).and_then(|proof| {
        let entry = read(entry).unwrap_or_default();
        proof.verify(&entry, &keys).map(|checkpoint| (proof.index, checkpoint))
    });
    std::fs::metadata(entry).with_context(|| format!("cannot read `{}`", shown(entry)))?;
    let (text, value) = match &checked {
        Ok((index, checkpoint)) => (
            format!(
                "entry {index} is in the log `{}`, under its checkpoint of {} entries\n",
                checkpoint.origin, checkpoint.size
            ),
            serde_json::json!({
                "holds": true,
                "sequence": index,
                "origin": checkpoint.origin,
                "size": checkpoint.size,
                "root": data_encoding::HEXLOWER.encode(&checkpoint.root),
            }),
        ),
        Err(error) => (
            format!("not proven: {error}\n"),
            serde_json::json!({ "holds": false, "fault": error.to_string() }),
        ),
    };
    match format {
        Format::Human => print(text.as_bytes())?,
        Format::Json => print_json(&value)?,
    }
    Ok(ExitCode::from(if checked.is_ok() { 0 } else { TAMPERED }))
}

fn human(report: &Report) -> String {
    let Report { origin, size, root, first, entries, .. } = report;
    let mut lines = vec![format!("log          {origin}")];
    lines.push(format!("entries      {size}, root {root}"));
    lines.push(match first {
        0 => format!("read         {entries} entries, all from the first"),
        _ => format!("read         {entries} entries, from entry {first} on"),
    });
    lines.push(format!(
        "segments     {} read, {} of them in the archive",
        report.segments, report.archived
    ));
    lines.push(format!("checkpoints  {} signatures verified", report.checkpoints));
    if let Some(published) = report.published {
        lines.push(format!("published    {published} entries"));
    }
    lines.push(match report.tiles_checked {
        true => format!("tiles        {} agree with the journal", report.tiles),
        false => "tiles        not compared".to_owned(),
    });
    lines.push(format!("anchors      {} are of this log", report.anchors));
    let mut not_proven = Vec::new();
    if *first > 0 {
        not_proven.push(format!(
            "entries 0 to {}: they are under the signed root, their bytes were not read (archived; give --archive DIR)",
            first - 1
        ));
    }
    if report.unknown_key > 0 {
        not_proven.push(format!(
            "{} checkpoints signed by keys that were not given; their entries are under later ones",
            report.unknown_key
        ));
    }
    if report.anchors_unproven > 0 {
        not_proven.push(format!(
            "{} anchors: their size was compared, their root needs the archive",
            report.anchors_unproven
        ));
    }
    if !report.tiles_checked {
        not_proven.push("tiles: comparing them needs every entry from the first".to_owned());
    }
    if report.unfinished > 0 {
        not_proven.push(format!(
            "{} bytes behind the last checkpoint: being written, or left by a crash; never acknowledged",
            report.unfinished
        ));
    }
    not_proven.push(
        "that the log was not rolled back as a whole: compare an anchor kept elsewhere (`sluice ledger anchor --check`)"
            .to_owned(),
    );
    lines.push("not proven:".to_owned());
    lines.extend(not_proven.into_iter().map(|line| format!("  - {line}")));
    if report.holds() {
        lines.push("all that was read holds".to_owned());
    } else {
        lines.push("WRONG:".to_owned());
        lines.extend(report.faults.iter().map(|fault| format!("  - {fault}")));
        if report.more_faults > 0 {
            lines.push(format!("  - and {} more", report.more_faults));
        }
    }
    lines.join("\n") + "\n"
}
