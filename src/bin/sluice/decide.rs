//! `sluice decide`: one payload with its flow header to a recorded decision.

pub mod targets;
pub mod told;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use sluicegate::client::ClientError;
use sluicegate::engine::{self, Arriving, Desk, Options, ScannedNames};
use sluicegate::model::{Cause, Effect, FlowHeader};
use sluicegate::policy::{Carrier, parse_header};
use sluicegate::record::pending::{Pending, PendingError};
use sluicegate::record::{Macs, State, StateError};
use sluicegate::respond::{Filter, Shaper};
use sluicegate::serve::{clock, peer};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::daemon::Keeper;
use crate::decide::targets::{Format, Release, Targets};
use crate::names::shown;
use crate::state::{StateDir, refused};
use crate::{UsageError, daemon, register};

/// The most bytes of a payload: 64 MiB.
const MAX_PAYLOAD: u64 = 64 << 20;

/// The most findings that are kept of a payload, so that all of them can be redacted.
const MAX_FINDINGS: usize = 200_000;

/// How long a daemon that has a payload past the limit may take to say that it is past its own too.
const PATIENCE: Duration = Duration::from_secs(2);

/// Decide one payload with its flow header, and record the decision
///
/// The decision is durable in the ledger before anything is printed or released. Exits 0 for allow:
/// the payload may pass; 5 for redact: only what --release writes may, never the payload itself; 1
/// for block and 3 for escalate: nothing may. 2 is a wrong call or configuration, 4 a decision that
/// cannot be recorded: nothing may pass either. Where a daemon keeps the ledger it decides, with its
/// own register and rules.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The flow header: JSON with `channel` and, as far as they are known, `workflow`,
    /// `destination`, `purpose`, `trigger`, `run`, `step`, `parents`, `agent`, `tool`, `source`,
    /// `labels`, `format`, `grant`, `escalation`
    #[arg(long, value_name = "FILE")]
    flow: PathBuf,

    /// The payload; `-` or nothing for standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    state: StateDir,

    /// Make the state directory and its keys where there are none
    #[arg(long)]
    init: bool,

    /// The register of destinations, workflows and rules [default: /etc/sluice/sluice.toml, then
    /// that of the user, then the defaults]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Add the rules of this directory
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,

    #[command(flatten)]
    targets: Targets,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let release = arguments.targets.release(&arguments.flow, arguments.file.as_deref())?;
    let header = crate::flow::read_header(&arguments.flow, parse_header)?;
    let state = arguments.state.path()?;
    if let Some(keeper) = daemon::keeper(&state) {
        let payload = payload(arguments.file.as_deref())?;
        return through(&arguments, &keeper, &header, payload, &release);
    }
    let rules = crate::load::load_rules(&arguments.rules)?;
    // What is in force, and what time it is, is asked once the payload is here: it may take long.
    let payload = payload(arguments.file.as_deref())?;
    let began = clock::now()?;
    let loaded = register::load(arguments.config.as_deref(), &rules.taxonomy)?;
    let policy = &loaded.config.policy;
    let state = open_state(&arguments)?;
    let ledger = match crate::ledger::open(&state) {
        Ok(ledger) => ledger,
        Err(error) => match daemon::keeper(state.path()).filter(|_| is_locked(&error)) {
            // It has started meanwhile.
            Some(keeper) => return through(&arguments, &keeper, &header, payload, &release),
            None => return Err(error),
        },
    };
    let (epoch, key) = state.mac_key().map_err(refused)?;
    let macs = Macs::new(epoch, *key.as_bytes());
    let options = Options {
        max_findings: loaded.config.settings.max_findings.unwrap_or(MAX_FINDINGS),
        fingerprint_key: Some(macs.value_key()),
        context_hashes: false,
        ..Options::default()
    };
    let scanner = crate::kernel::scanner(&rules, options)?;
    let names = ScannedNames::new(&scanner);
    let pending = Pending::open(state.path()).map_err(|error| match error {
        PendingError::Unsafe(_) => UsageError(error.to_string()).into(),
        error => anyhow::Error::new(error),
    })?;
    let control =
        sluicegate::engine::Control { scanner: &scanner, policy, macs: &macs, names: &names };
    let clock = || clock::now().unwrap_or_else(|_| began.clone());
    let vaults = crate::state::vaults(&state)?;
    let random = |bytes: &mut [u8]| {
        getrandom::fill(bytes).map_err(|_| io::Error::other("no random numbers"))
    };
    let desk = Desk {
        control,
        ledger: &ledger,
        pending: &pending,
        vaults: Some(&vaults),
        clock: &clock,
        random: &random,
    };
    told::policy(&state, &ledger, &loaded, &rules)?;
    if let Err(why) = desk.expire(&began)? {
        anstream::eprintln!("sluice: escalations cannot be looked through: {why}");
    }
    // A vault in use is left for the next time.
    if let Err(error) = vaults.purge(began.seconds()) {
        anstream::eprintln!("sluice: old values of tokens cannot be removed: {error}");
    }
    let arriving = Arriving {
        header,
        attested: peer::own_identity()?,
        carrier: Carrier::Rewritable,
        payload: &payload.bytes,
        failed: payload.failed,
        began: began.clone(),
        classified: None,
        stands_for: None,
        excepted: Default::default(),
    };
    let settled = desk.settle(&arriving)?;
    let shaper = Shaper::new(&rules, &names, Filter::all());
    let mut text = Vec::new();
    engine::report(&settled, policy, |report| match arguments.targets.format {
        Format::Human => report.human(&mut text, &shaper),
        Format::Json => report.json(&mut text, &shaper),
    })?;
    arguments.targets.print(&text)?;
    let effect = settled.judged.decision.effect;
    let released = match (effect, &settled.judged.redacted) {
        (Effect::Allow, _) => release.write(&payload.bytes),
        (Effect::Redact, Some(redacted)) => release.write(redacted),
        _ => Ok(()),
    };
    // Nobody waits for the ledger, or for the payload, while a command runs.
    drop(ledger);
    told::paths(&state, &settled, policy, &rules.taxonomy);
    released?;
    Ok(ExitCode::from(effect.exit_code()))
}

fn is_locked(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<StateError>(), Some(StateError::Locked(_)))
}

/// Has the daemon that keeps the ledger decide.
fn through(
    arguments: &Arguments,
    keeper: &Keeper,
    header: &FlowHeader,
    payload: Payload,
    release: &Release,
) -> anyhow::Result<ExitCode> {
    if arguments.config.is_some() || !arguments.rules.is_empty() {
        let message = "a daemon keeps this ledger, and decides with its own register and rules: \
                       leave `--config` and `--rules` out, or end it";
        return Err(UsageError(message.to_owned()).into());
    }
    let targets = &arguments.targets;
    match payload.failed {
        None => daemon::wait_for(async {
            let client = keeper.client().await?;
            crate::send::whole(&client, header, Bytes::from(payload.bytes), targets, release).await
        })?,
        Some(Cause::Limit) => daemon::wait_for(cut(keeper, header, &payload.bytes, targets))?,
        Some(_) => {
            anyhow::bail!(
                "the payload cannot be read to its end, so nothing was sent to the daemon"
            )
        }
    }
}

/// A payload past the limit is block. So that the daemon records it, it gets what was read, without an
/// end.
async fn cut(
    keeper: &Keeper,
    header: &FlowHeader,
    read: &[u8],
    targets: &Targets,
) -> anyhow::Result<ExitCode> {
    let answer = match keeper.client().await {
        Err(error) => Err(format!("the daemon has not recorded it: {error:#}")),
        Ok(client) => match client.stream_only(header, Cut { read, patience: None }).await {
            Ok(answer) if answer.effect == Effect::Block => Ok(answer),
            Err(ClientError::Refused { answer: Some(answer), .. }) => Ok(*answer),
            Ok(_) | Err(ClientError::Payload(_)) => {
                Err("the daemon records what it has seen of it as block".to_owned())
            }
            Err(error) => Err(format!("the daemon may not have recorded it: {error}")),
        },
    };
    match answer {
        Ok(answer) => crate::send::print(&answer, targets)?,
        Err(told) => anstream::eprintln!(
            "sluice: the payload is longer than 64 MiB, which is block (cause limit): nothing of it may \
             pass; {told}"
        ),
    }
    Ok(ExitCode::from(Effect::Block.exit_code()))
}

/// A payload that was not read to its end: what was read, and then no end but an error.
struct Cut<'a> {
    read: &'a [u8],
    /// Runs once all of it is sent.
    patience: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Cut<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (now, rest) = self.read.split_at(self.read.len().min(buffer.remaining()));
        if now.is_empty() {
            let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
            return patience.as_mut().poll(task).map(|()| Err(io::ErrorKind::FileTooLarge.into()));
        }
        buffer.put_slice(now);
        self.read = rest;
        Poll::Ready(Ok(()))
    }
}

struct Payload {
    bytes: Vec<u8>,
    failed: Option<Cause>,
}

/// The payload whole, or as far as it could be read with what went wrong.
fn payload(path: Option<&Path>) -> anyhow::Result<Payload> {
    let path = path.filter(|path| path.as_os_str() != "-");
    let mut bytes = Vec::new();
    let limit = MAX_PAYLOAD + 1;
    let read = match path {
        None => io::stdin().lock().take(limit).read_to_end(&mut bytes),
        Some(path) => {
            let cannot =
                |error: io::Error| UsageError(format!("cannot read `{}`: {error}", shown(path)));
            let file = File::open(path).map_err(cannot)?;
            if file.metadata().map_err(cannot)?.is_dir() {
                let name = shown(path);
                return Err(UsageError(format!("`{name}` is a directory, and no payload")).into());
            }
            file.take(limit).read_to_end(&mut bytes)
        }
    };
    let failed = match read {
        Err(_) => Some(Cause::Error),
        Ok(_) if bytes.len() as u64 > MAX_PAYLOAD => Some(Cause::Limit),
        Ok(_) => None,
    };
    Ok(Payload { bytes, failed })
}

fn open_state(arguments: &Arguments) -> anyhow::Result<State> {
    let path = arguments.state.path()?;
    match State::open(&path) {
        Err(StateError::Missing(_)) if arguments.init => crate::ledger::create(&path, None),
        other => other.map_err(refused),
    }
}
