//! Where a decision goes, and what is released by it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::ProgressBar;
use sluicegate::batch::FileId;

use crate::output::{Output, Place, stdin_files};

/// The options that say so.
#[derive(Debug, clap::Args)]
pub struct Targets {
    /// Write what may be released, and nothing else: the payload for allow, the redacted payload
    /// for redact; for `-` to standard output, and the decision to standard error. An older file of
    /// that name is removed first, so that after block and escalate there is none
    #[arg(long, value_name = "FILE|-")]
    release: Option<PathBuf>,

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

/// Where released bytes go.
pub enum Release {
    Nowhere,
    Stdout,
    File(Box<Place>),
}

impl Targets {
    /// Where released bytes go. An older file is gone from now on: what stands under the name after
    /// a block would be taken for what may pass. `flow` and `payload` are what is read.
    pub fn release(&self, flow: &Path, payload: Option<&Path>) -> anyhow::Result<Release> {
        let Some(target) = &self.release else { return Ok(Release::Nowhere) };
        if self.is_released_to_stdout() {
            return Ok(Release::Stdout);
        }
        let place = Place::of(target)?;
        let mut inputs = match payload.filter(|path| path.as_os_str() != "-") {
            Some(_) => Vec::new(),
            None => stdin_files(),
        };
        let named =
            [Some(flow), payload].into_iter().flatten().filter_map(|it| fs::metadata(it).ok());
        inputs.extend(named.map(|metadata| FileId::from_metadata(&metadata)));
        place.clear(&inputs)?;
        Ok(Release::File(Box::new(place)))
    }

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
}

impl Release {
    /// Writes what may go out, where that is wanted.
    pub fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Release::Nowhere => Ok(()),
            Release::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush()).context("cannot release")
            }
            Release::File(place) => {
                let mut out = place.open()?;
                out.write_all(bytes)?;
                Ok(out.commit()?)
            }
        }
    }

    /// Opens it for what goes out bit by bit, where that is wanted.
    pub fn open(&self, bar: &ProgressBar) -> anyhow::Result<Option<Output>> {
        match self {
            Release::Nowhere => Ok(None),
            Release::Stdout => Ok(Some(Output::stdout(Some(bar)))),
            Release::File(place) => place.open().map(Some),
        }
    }
}
