//! `sluice messenger`: the helper of the daemon that runs the commands of paths. It is started by
//! `sluice serve` before its sandbox closes, and is for nobody else.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use sluicegate::policy::EventPath;
use sluicegate::serve::messenger::{DRAIN, listen};

use crate::{load, register};

/// Descriptors that the helper and each command may have open.
const DESCRIPTORS: u64 = 256;

/// Bytes of private memory that the helper and each command may write to: 1 GiB.
const MEMORY: u64 = 1 << 30;

/// Run the commands of paths for a daemon
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The register
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Rule packs whose names the register uses
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,
    /// Folder in which events are counted
    #[arg(long, value_name = "DIR")]
    counts: PathBuf,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let lower = |resource, most: u64| {
        let limit = getrlimit(resource);
        let current = limit.current.map_or(most, |it| it.min(most));
        // A command that needs more may raise it again up to what the daemon was given.
        setrlimit(resource, Rlimit { current: Some(current), maximum: limit.maximum })
    };
    lower(Resource::Nofile, DESCRIPTORS).context("cannot limit descriptors")?;
    lower(Resource::Data, MEMORY).context("cannot limit memory")?;
    // What ends the daemon is often sent to its helper too, which still has to tell what waits: it
    // ends when its input does. A handler, unlike an ignored signal, is not passed on to commands.
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))
            .context("cannot take signals")?;
    }
    let read = || match &arguments.config {
        Some(config) => paths(config, &arguments.rules).map_err(|error| format!("{error:#}")),
        None => Ok(Vec::new()),
    };
    listen(io::stdin().lock(), io::stdout(), read, &arguments.counts, DRAIN)?;
    Ok(ExitCode::SUCCESS)
}

fn paths(config: &Path, rules: &[PathBuf]) -> anyhow::Result<Vec<EventPath>> {
    let rules = load::load_rules(rules)?;
    let loaded = register::load(Some(config), &rules.taxonomy)?;
    Ok(loaded.config.policy.paths().to_vec())
}
