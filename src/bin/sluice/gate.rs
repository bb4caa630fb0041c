//! `sluice gate`: what is about to be committed or pushed becomes a decision.

mod select;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use sluicegate::RuleSet;
use sluicegate::decode::{Encoding, Format as Input, Structure};
use sluicegate::engine::{
    Arriving, Classified, Control, Desk, Judged, Options, ScannedNames, Settled, SharedFlow,
};
use sluicegate::gate::{self, GateError, Gated, Plan, Selection, Watch};
use sluicegate::model::{Attested, Cause, Channel, Claimed, FileReport, FlowHeader, Outcome};
use sluicegate::policy::{Carrier, Flow, check_header};
use sluicegate::record::pending::{Pending, PendingError};
use sluicegate::record::{Macs, Moment, State, StateError};
use sluicegate::respond::{self, NoTokens, Tokens};
use sluicegate::scan::sweep::Kernel;
use sluicegate::serve::{clock, peer};

use crate::decide::told;
use crate::flow::{self, FlowArguments};
use crate::key::fingerprint_key;
use crate::output::Output;
use crate::progress;
use crate::register::{self, Loaded};
use crate::scan::stop_flag;
use crate::state::{refused, state_dir};
use crate::{UsageError, kernel, ledger};

use governing::Governed;

mod baseline;
mod governing;
mod import;
mod install;

use select::Asked;

/// The largest blob that is read unless more is asked for: 256 MiB.
const MAX_BLOB: u64 = 256 << 20;

/// Decide whether what is staged may be committed, or what is pushed may be pushed
///
/// Exits 0 for allow, 1 for block, 3 for escalate, 2 for a wrong call or configuration, 4 for a failure
/// inside or a repository that cannot be read.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    selected: select::SelectionArguments,

    /// Count findings of whole files, and not only those in lines that were added
    #[arg(long)]
    whole_files: bool,

    /// Do not read larger files, which is partial coverage: bytes, or with K, M, G or T
    #[arg(long, value_name = "SIZE", value_parser = crate::scan::parse_size, default_value_t = MAX_BLOB)]
    max_blob_size: u64,

    /// Form of the report
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// Write the report here; an older file is replaced once the report is whole
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    output: Option<PathBuf>,

    /// Add the rules of this directory
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,

    #[command(flatten)]
    flow: FlowArguments,

    #[command(flatten)]
    governing: governing::GoverningArguments,

    /// Use this grant: an approved escalation of the very same tree
    #[arg(long, value_name = "ID", help_heading = "Decision and record")]
    grant: Option<String>,

    /// Key of the fingerprints, 32 bytes raw or in hex [default: a new one each run]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// The code that reads the bytes; findings are the same with each
    #[arg(long, value_name = "KERNEL", default_value = kernel::AUTO, value_parser = kernel::parser(), hide = true)]
    kernel: Kernel,
}

/// What stands beside the gate itself.
#[derive(Debug, clap::Subcommand)]
enum Command {
    Import(import::Arguments),
    Install(install::Arguments),
    Uninstall(install::Uninstall),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Human,
    Json,
    Jsonl,
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// A code quality report of GitLab
    Gitlab,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Some(Command::Import(arguments)) => return import::run(arguments),
        Some(Command::Install(arguments)) => return install::run(arguments),
        Some(Command::Uninstall(arguments)) => return install::remove(arguments),
        None => {}
    }
    let mut header = arguments.flow.header(Channel::Commit)?;
    header.grant = arguments.grant.as_deref().map(Claimed::new);
    check_header(&header).map_err(|error| UsageError(error.to_string()))?;
    let mut asked = select::ask(&arguments.selected, &mut header)?;
    if arguments.governing.writes_baseline() {
        asked.for_baseline(&arguments.selected)?;
    }
    let rules = crate::load::load_rules(&arguments.rules)?;
    let mut loaded = register::load(arguments.flow.config(), &rules.taxonomy)?;
    let began = clock::now()?;
    let governed =
        governing::govern(&arguments, &asked, (&mut loaded, &mut header), &rules, &began)?;
    let settings = &loaded.config.settings;
    let recorded = arguments.flow.state_dir().is_some() || settings.record_required;
    if header.grant.is_some() && !recorded {
        let message = "a grant is used where it is recorded: add `--state-dir`";
        return Err(UsageError(message.to_owned()).into());
    }
    let book = if recorded {
        let path = state_dir(arguments.flow.state_dir())?;
        Some(State::open(&path).map_err(refused)?)
    } else {
        None
    };
    let shown = Macs::new(0, fingerprint_key(arguments.key.as_deref())?);
    let macs = match &book {
        Some(state) => {
            let (epoch, key) = state.mac_key().map_err(refused)?;
            Macs::new(epoch, *key.as_bytes())
        }
        None => shown.clone(),
    };
    let options = Options {
        max_findings: settings.max_findings.unwrap_or(Options::default().max_findings),
        fingerprint_key: Some(macs.value_key()),
        kernel: arguments.kernel,
        ..Options::default()
    };
    let scanner = kernel::scanner(&rules, options)?;
    let names = ScannedNames::new(&scanner);
    let attested = peer::own_identity()?;
    let run = Run {
        arguments: &arguments,
        loaded: &loaded,
        rules: &rules,
        control: Control {
            scanner: &scanner,
            policy: &loaded.config.policy,
            macs: &macs,
            names: &names,
        },
        shown: &shown,
        header,
        attested,
        began,
        governed: &governed,
    };
    if arguments.governing.writes_baseline() {
        return run.write_baseline(&asked);
    }
    run.perform(&asked, book)
}

/// What was decided of all that was looked at.
struct Answer {
    judged: Judged,
    recorded: bool,
    escalation: Option<String>,
    refusal: Option<String>,
}

/// What a run works with.
struct Run<'a> {
    arguments: &'a Arguments,
    loaded: &'a Loaded,
    rules: &'a RuleSet,
    control: Control<'a>,
    /// Makes the fingerprints that are shown: those of a ledger never leave it.
    shown: &'a Macs,
    header: FlowHeader,
    attested: Attested,
    began: Moment,
    governed: &'a Governed,
}

impl Run<'_> {
    fn plan(&self, asked: &Asked) -> Plan {
        let arguments = self.arguments;
        Plan {
            selection: asked.selection.clone(),
            whole_files: arguments.whole_files || asked.selection == Selection::Tracked,
            filter: asked.filter.clone(),
            force_exclude: arguments.selected.force_exclude(),
            max_blob_bytes: arguments.max_blob_size,
            max_findings: gate::KEPT,
            exceptions: self.governed.exceptions.clone(),
        }
    }

    fn perform(&self, asked: &Asked, state: Option<State>) -> anyhow::Result<ExitCode> {
        let arguments = self.arguments;
        let plan = self.plan(asked);
        let output = match &arguments.output {
            Some(path) => Output::file(path)?,
            None => Output::stdout(None),
        };
        let Control { scanner, policy, names, .. } = self.control;
        let (header, attested) = (self.header.clone(), self.attested.clone());
        let now = self.began.seconds();
        let shared = SharedFlow::new(policy, self.rules, header, attested, true, now);
        let mut writer = respond::Writer::new(output, presentation(arguments), self.rules, names);
        writer = writer.excepting(*policy.exceptable());
        writer.begin()?;
        let mut report = |mut report: FileReport| {
            let decision = match &mut report.label {
                Some(label) => shared.decide(label),
                None => shared.failed(),
            };
            if report.outcome != Outcome::Skipped {
                report.effect = Some(decision.effect);
                report.reason = Some(shared.reason(&decision));
            }
            flow::show(self.shown, &mut report.findings);
            for excepted in &mut report.excepted {
                flow::show(self.shown, std::slice::from_mut(&mut excepted.finding));
            }
            writer.file(&report)
        };
        let gated = match &asked.repository {
            Some(repository) if !arguments.selected.stdin() => progress::followed(|progress| {
                let stop = stop_flag()?;
                let watch = Watch { progress, stop: &stop };
                gate::run(repository, &plan, scanner, watch, &mut report).map_err(refuse)
            })?,
            _ => {
                let path = Path::new("standard input");
                let bytes = select::payload(plan.max_blob_bytes)?;
                gate::payload(&bytes, path, &plan, scanner, &mut report).map_err(refuse)?
            }
        };
        for note in &gated.notes {
            anstream::eprintln!("sluice: {note}");
        }
        let mut summary = gated.summary.clone();
        summary.notes.splice(0..0, self.governed.notes.iter().cloned());
        if gated.changes_governing && !arguments.governing.names_revision() {
            let note = "commits that were looked at change what governs them, and HEAD's version counts: \
                        `--config-from` names another";
            summary.notes.push(note.to_owned());
        }
        let answer = self.decide(gated, state)?;
        let effect = answer.judged.decision.effect;
        summary.effect = Some(effect);
        summary.recorded = answer.recorded;
        summary.escalation = answer.escalation;
        summary.elapsed_ms = elapsed(&self.began)?;
        writer.finish(&summary)?;
        writer.into_inner().commit()?;
        if let Some(refusal) = answer.refusal {
            anstream::eprintln!("sluice: the grant was not used: {refusal}");
        }
        Ok(ExitCode::from(effect.exit_code()))
    }

    /// Decides what was looked at as one flow, and records that where it is to be recorded.
    fn decide(&self, gated: Gated, state: Option<State>) -> anyhow::Result<Answer> {
        let text =
            Input { encoding: Encoding::Bytes, bom: 0, structure: Structure::Text, opaque: None };
        let arriving = Arriving {
            header: self.header.clone(),
            attested: self.attested.clone(),
            carrier: Carrier::Fixed,
            payload: gated.identity.as_bytes(),
            failed: gated.failed.then_some(Cause::Error),
            began: self.began.clone(),
            classified: Some(Classified {
                label: gated.label,
                findings: gated.findings,
                truncated: gated.truncated,
                format: text,
            }),
            stands_for: Some(gated.summary.seen.bytes),
            excepted: gated.excepted,
        };
        let Some(state) = state else {
            let mut none = |_: &Flow| -> Box<dyn Tokens> { Box::new(NoTokens) };
            let judged = self.control.judge(&arriving, &[], &mut none);
            return Ok(Answer { judged, recorded: false, escalation: None, refusal: None });
        };
        let Settled { judged, escalation, refusal, .. } = self.settle(&arriving, &state)?;
        let escalation = escalation.map(|(id, _)| id.to_string());
        Ok(Answer { judged, recorded: true, escalation, refusal })
    }

    fn settle(&self, arriving: &Arriving<'_>, state: &State) -> anyhow::Result<Settled> {
        let ledger = ledger::open(state).map_err(held)?;
        let pending = Pending::open(state.path()).map_err(|error| match error {
            PendingError::Unsafe(_) => UsageError(error.to_string()).into(),
            error => anyhow::Error::new(error),
        })?;
        let clock = || clock::now().unwrap_or_else(|_| self.began.clone());
        let random = |bytes: &mut [u8]| {
            getrandom::fill(bytes).map_err(|_| io::Error::other("no random numbers"))
        };
        told::policy(state, &ledger, self.loaded, self.rules)
            .context("the decision cannot be recorded")?;
        let desk = Desk {
            control: self.control,
            ledger: &ledger,
            pending: &pending,
            vaults: None,
            clock: &clock,
            random: &random,
        };
        if let Err(why) = desk.expire(&self.began)? {
            anstream::eprintln!("sluice: escalations cannot be looked through: {why}");
        }
        let settled = desk.settle(arriving)?;
        drop(ledger);
        told::paths(state, &settled, &self.loaded.config.policy, &self.rules.taxonomy);
        Ok(settled)
    }
}

/// An error of a ledger that somebody keeps, with what to do next.
fn held(error: anyhow::Error) -> anyhow::Error {
    if !matches!(error.downcast_ref(), Some(StateError::Locked(_))) {
        return error;
    }
    error.context(
        "the decision is not recorded, so nothing is allowed: run it again, or, where a daemon keeps that ledger, \
         give the gate one of its own (`sluice ledger init --state-dir DIR`, then `--state-dir DIR`)",
    )
}

fn presentation(arguments: &Arguments) -> respond::Options {
    let format = match arguments.format {
        Format::Human => respond::Format::Gate,
        Format::Json => respond::Format::Json,
        Format::Jsonl => respond::Format::JsonLines,
        Format::Sarif => respond::Format::Sarif,
        Format::Github => respond::Format::GitHub,
        Format::Gitlab => respond::Format::GitLab,
    };
    let colour = arguments.output.is_none()
        && io::stdout().is_terminal()
        && anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
    respond::Options { format, filter: respond::Filter::all(), colour }
}

fn elapsed(began: &Moment) -> anyhow::Result<u64> {
    Ok(clock::now()?.monotonic.saturating_sub(began.monotonic) / 1_000_000)
}

fn refuse(error: GateError) -> anyhow::Error {
    if error.is_usage() { UsageError(error.to_string()).into() } else { error.into() }
}
