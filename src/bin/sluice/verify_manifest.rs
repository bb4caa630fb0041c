//! `sluice verify-manifest`: whether files still are what a scan saw.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use sluicegate::batch::manifest::{self, ManifestError};

use crate::UsageError;
use crate::names::shown;

/// Exit code where something is not as it was.
const DEVIATES: u8 = 1;

/// Check that files still are what a scan's manifest says.
///
/// Exits 0 where all is as it was, 1 where a file is changed, missing, unreadable or new (each is
/// named), 2 where the manifest is broken. Files that the scan skipped or could not read have to be
/// there, but there is no content to compare.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What `sluice scan --manifest` wrote
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,

    /// Take the paths of the manifest from this directory instead of the current one
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let name = shown(&arguments.manifest);
    let file = File::open(&arguments.manifest)
        .map_err(|error| UsageError(format!("cannot open `{name}`: {error}")))?;
    if let Some(root) = arguments.root.as_deref().filter(|root| !root.is_dir()) {
        return Err(UsageError(format!("`{}` is no directory", shown(root))).into());
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    let verified = manifest::verify(file, arguments.root.as_deref(), &mut |path, deviation| {
        writeln!(out, "{}: {}", deviation.as_str(), shown(path))
    });
    let verified = match verified {
        Err(error @ (ManifestError::Broken { .. } | ManifestError::Unreadable(_))) => {
            return Err(UsageError(format!("`{name}`: {error}")).into());
        }
        other => other?,
    };
    writeln!(
        out,
        "{} as they were, {} changed, {} missing, {} unreadable, {} new, {} without a digest",
        verified.same,
        verified.changed,
        verified.missing,
        verified.unreadable,
        verified.new,
        verified.unchecked
    )?;
    out.flush()?;
    Ok(ExitCode::from(if verified.holds() { 0 } else { DEVIATES }))
}
