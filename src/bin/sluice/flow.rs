//! What `scan` and `classify` share: the flow that payloads are decided for, and the ledger that
//! keeps the decisions.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sluicegate::RuleSet;
use sluicegate::batch::{FileId, Ruling, Rulings};
use sluicegate::engine::{Options, RunTotals, SharedFlow, Taken};
use sluicegate::model::{
    Attested, Channel, Claimed, FileReport, Finding, Fingerprint, FlowHeader, Label, Summary,
};
use sluicegate::policy::{Decision, MAX_HEADER, check_header, parse_header_for};
use sluicegate::record::{Ledger, Macs, Moment, State};
use sluicegate::respond::NameCleaner;
use sluicegate::serve::{clock, peer};

use crate::decide::told;
use crate::names::shown;
use crate::register::{self, Loaded};
use crate::state::{refused, state_dir};
use crate::{UsageError, ledger};

/// Entries that are appended together.
const TOGETHER: usize = 256;

/// Bytes of entries that wait at most.
const WAITING_BYTES: usize = 4 << 20;

/// The options that say what a decision is about and where it is recorded.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Decision and record")]
pub struct FlowArguments {
    /// Decide as the flow of this header: JSON as for `sluice decide`, channel `export` where it
    /// names none
    #[arg(long, value_name = "FILE", conflicts_with_all = ["workflow", "destination", "purpose"])]
    flow: Option<PathBuf>,

    /// Decide as a flow of this workflow of the register
    #[arg(long, value_name = "ID")]
    workflow: Option<String>,

    /// Decide as a flow to this destination [default: an unknown one]
    #[arg(long, value_name = "NAME|URL")]
    destination: Option<String>,

    /// Decide as a flow for this purpose
    #[arg(long, value_name = "NAME")]
    purpose: Option<String>,

    /// The register of destinations, workflows and rules [default: /etc/sluice/sluice.toml, then
    /// that of the user, then the defaults]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Record every decision in the ledger of this state directory [default: nothing is recorded,
    /// unless the register says `[record] required = true`]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

/// A register, a flow and, where decisions are recorded, a ledger.
pub struct Deciding {
    loaded: Loaded,
    header: FlowHeader,
    attested: Attested,
    began: Moment,
    is_wanted: bool,
    book: Option<Book>,
}

/// Where decisions are recorded.
struct Book {
    folder: FileId,
    ledger: Ledger,
    macs: Macs,
}

impl FlowArguments {
    /// Reads what they name. Payloads are decided if `asked`, if there is any of these options, or
    /// if decisions are to be recorded.
    ///
    /// # Errors
    ///
    /// A [`UsageError`] for a header, a register or a ledger that cannot be used.
    pub fn open(&self, rules: &RuleSet, asked: bool) -> anyhow::Result<Deciding> {
        let header = self.header(Channel::Export)?;
        let loaded = register::load(self.config.as_deref(), &rules.taxonomy)?;
        let records = self.state_dir.is_some() || loaded.config.settings.record_required;
        let book = if records { Some(self.book(&loaded, rules)?) } else { None };
        let named = [&self.workflow, &self.destination, &self.purpose];
        let named = self.flow.is_some() || named.iter().any(|it| it.is_some());
        Ok(Deciding {
            loaded,
            header,
            attested: peer::own_identity()?,
            began: clock::now()?,
            is_wanted: asked || named || records,
            book,
        })
    }

    /// The flow header that they give, of this channel where it names none.
    pub fn header(&self, channel: Channel) -> anyhow::Result<FlowHeader> {
        let Some(path) = &self.flow else {
            let claimed = |text: &Option<String>| text.as_deref().map(Claimed::new);
            let header = FlowHeader {
                channel: Some(channel),
                workflow: claimed(&self.workflow),
                destination: claimed(&self.destination),
                purpose: claimed(&self.purpose),
                ..FlowHeader::default()
            };
            check_header(&header).map_err(|error| UsageError(error.to_string()))?;
            return Ok(header);
        };
        let header = read_header(path, |json| parse_header_for(json, channel))?;
        let of_one = [
            (
                "format",
                header.format.is_some(),
                "the first 4 KiB of a payload decide it, or --input-format",
            ),
            (
                "grant",
                header.grant.is_some(),
                "a grant is for one payload; `sluice decide` uses it",
            ),
            (
                "escalation",
                header.escalation.is_some(),
                "an escalation is for one payload; `sluice decide` uses its grant",
            ),
        ];
        if let Some((field, _, why)) = of_one.into_iter().find(|(_, is_there, _)| *is_there) {
            let file = shown(path);
            let text =
                format!("the flow header `{file}` cannot be used: leave out `{field}`: {why}");
            return Err(UsageError(text).into());
        }
        Ok(header)
    }

    /// The register that they name.
    pub fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// The state directory that they name.
    pub fn state_dir(&self) -> Option<&Path> {
        self.state_dir.as_deref()
    }

    fn book(&self, loaded: &Loaded, rules: &RuleSet) -> anyhow::Result<Book> {
        let path = state_dir(self.state_dir.as_deref())?;
        let state = State::open(&path).map_err(refused)?;
        let ledger = ledger::open(&state)?;
        let (epoch, key) = state.mac_key().map_err(refused)?;
        told::policy(&state, &ledger, loaded, rules).context(UNRECORDED)?;
        let folder = std::fs::metadata(&path).context("cannot look at the state directory")?;
        Ok(Book {
            folder: FileId::from_metadata(&folder),
            ledger,
            macs: Macs::new(epoch, *key.as_bytes()),
        })
    }
}

/// Reads a flow header from a file.
pub fn read_header<E: std::fmt::Display>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<FlowHeader, E>,
) -> anyhow::Result<FlowHeader> {
    let file = shown(path);
    let cannot = |error: &dyn std::fmt::Display| {
        UsageError(format!("the flow header `{file}` cannot be used: {error}"))
    };
    let mut bytes = Vec::new();
    let limit = MAX_HEADER as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| cannot(&error))?;
    parse(&bytes).map_err(|error| cannot(&error).into())
}

/// What is said where decisions are to be recorded and are not.
const UNRECORDED: &str = "the decisions cannot be recorded";

impl Deciding {
    /// The options of a scanner whose findings can be recorded; `key` is that of the fingerprints
    /// that are shown, and no identity is.
    pub fn options(&self, key: [u8; 32]) -> Options {
        let default = Options::default();
        let kept = self.loaded.config.settings.max_findings;
        Options {
            max_findings: kept.unwrap_or(default.max_findings),
            fingerprint_key: Some(self.macs().map_or(key, Macs::value_key)),
            context_hashes: false,
            ..default
        }
    }

    /// What makes the MACs of payloads, where they are recorded.
    pub fn macs(&self) -> Option<&Macs> {
        self.book.as_ref().map(|book| &book.macs)
    }

    /// The state directory in use: no part of what a scan is to see.
    pub fn folder(&self) -> Option<FileId> {
        self.book.as_ref().map(|book| book.folder)
    }

    /// The flow of all payloads, where they are decided. `sourced` says that each brings a source.
    pub fn flow<'a>(&'a self, rules: &'a RuleSet, sourced: bool) -> Option<SharedFlow<'a>> {
        let policy = &self.loaded.config.policy;
        let (header, attested) = (self.header.clone(), self.attested.clone());
        let now = self.began.seconds();
        let flow = || SharedFlow::new(policy, rules, header, attested, sourced, now);
        self.is_wanted.then(flow)
    }

    /// Records decisions over payloads of the flow, where they are to be recorded. Findings come
    /// out with fingerprints under `key`.
    pub fn recorder<'a>(
        &'a self,
        flow: Option<&'a SharedFlow<'a>>,
        names: &'a dyn NameCleaner,
        key: [u8; 32],
    ) -> Option<Recorder<'a>> {
        let (book, flow) = (self.book.as_ref()?, flow?);
        let shown = Macs::new(0, key);
        Some(Recorder {
            book,
            flow,
            names,
            shown,
            first: None,
            done: 0,
            entries: Vec::new(),
            bytes: 0,
        })
    }
}

/// What policy says of files.
pub fn ruling(flow: &SharedFlow<'_>, decision: Decision) -> Ruling {
    Ruling { effect: decision.effect, reason: flow.reason(&decision) }
}

/// How the files of a scan are decided; `of` is [`ruling`] over the flow's decision.
pub fn rulings<'a>(
    flow: &SharedFlow<'_>,
    of: &'a (dyn Fn(&mut Label) -> Ruling + Sync),
) -> Rulings<'a> {
    Rulings { of, failed: ruling(flow, flow.failed()) }
}

/// Appends decisions to the ledger, some hundreds together.
///
/// INVARIANT: what [`Recorder::finish`] and [`Recorder::flush`] returned `Ok` over is durable. This
/// process alone appends while it runs, so that sequence numbers are known before.
pub struct Recorder<'a> {
    book: &'a Book,
    flow: &'a SharedFlow<'a>,
    names: &'a dyn NameCleaner,
    /// Makes the fingerprints that are shown: those of the ledger never leave it.
    shown: Macs,
    first: Option<u64>,
    /// Decisions that are durable.
    done: u64,
    entries: Vec<Vec<u8>>,
    bytes: usize,
}

impl Recorder<'_> {
    /// Takes the decision over a file; a file that was skipped has none.
    pub fn file(&mut self, report: &mut FileReport) -> anyhow::Result<()> {
        if report.effect.is_none() {
            return Ok(());
        }
        self.take(&Taken {
            source: Some(source(&report.path, self.names)),
            outcome: report.outcome,
            label: report.label.as_ref(),
            findings: &report.findings,
            truncated: report.truncated,
            inspected: report.inspected,
        })?;
        self.show(&mut report.findings);
        Ok(())
    }

    /// Takes the decision over a payload.
    pub fn take(&mut self, taken: &Taken<'_>) -> anyhow::Result<()> {
        let sequence = self.book.ledger.size() + self.entries.len() as u64;
        let now = clock::now()?;
        let entry = self.flow.entry(sequence, taken, &self.book.macs, self.names, &now);
        self.first.get_or_insert(sequence);
        self.bytes += entry.len();
        self.entries.push(entry);
        if self.entries.len() >= TOGETHER || self.bytes >= WAITING_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Gives findings the fingerprints that may be shown.
    pub fn show(&self, findings: &mut [Finding]) {
        show(&self.shown, findings);
    }

    /// Makes durable what was taken.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        let entries = std::mem::take(&mut self.entries);
        self.bytes = 0;
        let (count, expected) = (entries.len(), self.book.ledger.size());
        let receipts = self.book.ledger.append_all(|first| {
            // An entry under another number than it holds is worse than none.
            if first == expected { entries } else { Vec::new() }
        });
        anyhow::ensure!(receipts.context(UNRECORDED)?.len() == count, UNRECORDED);
        self.done += count as u64;
        Ok(())
    }

    /// Makes durable what was taken, and what the run saw.
    pub fn finish(mut self, command: &str, summary: &mut Summary) -> anyhow::Result<()> {
        self.flush()?;
        let now = clock::now()?;
        let totals = RunTotals { command, first: self.first, decisions: self.done, summary };
        let ledger = &self.book.ledger;
        let entry =
            |sequence| self.flow.summary(sequence, &totals, &self.book.macs, self.names, &now);
        ledger.append(entry).context(UNRECORDED)?;
        summary.recorded = true;
        Ok(())
    }
}

/// Gives findings the fingerprints of a key, made of those that they have.
pub fn show(key: &Macs, findings: &mut [Finding]) {
    for finding in findings {
        let rekeyed = |fingerprint: Fingerprint| {
            let mac = key.claim("fingerprint", &fingerprint.to_string());
            mac.first_chunk().map(|chunk| Fingerprint(*chunk))
        };
        finding.fingerprint = finding.fingerprint.and_then(rekeyed);
    }
}

/// A path as the claim of where a payload came from. What is no UTF-8 stands in it as `\xff`.
pub fn source(path: &Path, names: &dyn NameCleaner) -> Claimed {
    let text = path.to_str().map(str::to_owned);
    Claimed::new(text.unwrap_or_else(|| sluicegate::respond::clean_path(path, names)))
}
