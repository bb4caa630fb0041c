//! Where a decision goes, and what is released by it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::output::Output;

/// The options that say so.
#[derive(Debug, clap::Args)]
pub struct Targets {
    /// Write what may be released, and nothing else: the payload for allow, the redacted payload
    /// for redact; for `-` to standard output, and the decision to standard error
    #[arg(long, value_name = "FILE|-")]
    pub release: Option<PathBuf>,

    /// Write the decision to this file
    #[arg(long, value_name = "FILE")]
    decision: Option<PathBuf>,

    /// Form of the decision
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// Form of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Human,
    Json,
}

impl Targets {
    /// Whether released bytes go to standard output.
    pub fn is_released_to_stdout(&self) -> bool {
        self.release.as_ref().is_some_and(|path| path.as_os_str() == "-")
    }

    /// Prints the decision where it is wanted: to a file, else to standard output, or to standard
    /// error where that is for released bytes.
    pub fn print(&self, text: &[u8]) -> anyhow::Result<()> {
        if let Some(path) = &self.decision {
            let mut out = Output::file(path)?;
            out.write_all(text)?;
            out.commit()?;
        } else if self.is_released_to_stdout() {
            io::stderr().lock().write_all(text)?;
        } else {
            let mut out = io::stdout().lock();
            out.write_all(text).and_then(|()| out.flush()).context("cannot write the decision")?;
        }
        Ok(())
    }

    /// Writes what may go out, where that is wanted.
    pub fn release(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let Some(target) = &self.release else { return Ok(()) };
        if self.is_released_to_stdout() {
            let mut out = io::stdout().lock();
            return out.write_all(bytes).and_then(|()| out.flush()).context("cannot release");
        }
        let mut out = Output::file(Path::new(target))?;
        out.write_all(bytes)?;
        Ok(out.commit()?)
    }
}
