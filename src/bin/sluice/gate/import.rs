//! `sluice gate import`

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sluicegate::gate::import::{ImportError, Imported, import};

use crate::UsageError;
use crate::output::Output;

/// Bytes that are read of one file: one more than it may have.
const MAX_READ: u64 = (1 << 20) + 1;

/// Make a rule pack of a gitleaks 8 configuration, and list what cannot be carried over
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration, as a rule `.gitleaks.toml`
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Write the pack here; an older file is replaced once the pack is whole
    #[arg(short = 'o', long = "output", value_name = "PACK.toml")]
    output: Option<PathBuf>,

    /// Folder that `extend.path` may not lead out of [default: that of FILE]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// Writes the pack to its file or to standard output, and what was not carried over to standard error.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let file = &arguments.file;
    let folder = file.parent().unwrap_or(Path::new(""));
    let root = arguments.root.as_deref().unwrap_or(folder);
    let mut read = |path: &Path| read_below(path, if path == file { None } else { Some(root) });
    let imported = import(file, root, &mut read).map_err(refuse)?;
    let mut output = match &arguments.output {
        Some(path) => Output::file(path)?,
        None => Output::stdout(None),
    };
    output.write_all(imported.pack.as_bytes())?;
    output.commit()?;
    tell(&imported);
    Ok(ExitCode::SUCCESS)
}

fn tell(imported: &Imported) {
    for note in &imported.notes {
        anstream::eprintln!("{note}");
    }
    let Imported { carried, rules, offers, .. } = imported;
    if !offers.is_empty() {
        anstream::eprintln!(
            "\n# Paths of allowlists are exceptions of the gate. These go into `sluice.toml` at the root of the \
             repository,\n# and apply where `exceptable` under `[policy]` has `sec` (docs/GATE.md, Exceptions).\n"
        );
        for offer in offers {
            anstream::eprintln!("{}", offer.to_toml());
        }
    }
    let notes = imported.notes.len();
    anstream::eprintln!("sluice: {carried} of {rules} rules carried over, {notes} notes");
}

/// The text of a file. One that another names lies below `root` also where links lead.
fn read_below(path: &Path, root: Option<&Path>) -> Result<String, String> {
    let said = |error: std::io::Error| error.to_string();
    if let Some(root) = root {
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        let (root, real) = (root.canonicalize().map_err(said)?, path.canonicalize().map_err(said)?);
        if !real.starts_with(root) {
            return Err("a link leads out of the folder".to_owned());
        }
    }
    if !std::fs::metadata(path).map_err(said)?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_READ).read_to_end(&mut bytes)).map_err(said)?;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

fn refuse(error: ImportError) -> anyhow::Error {
    if error.is_usage() { UsageError(error.to_string()).into() } else { error.into() }
}
