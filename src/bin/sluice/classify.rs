//! `sluice classify`: one payload, or one a line, to its label and findings.

mod lines;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;
use sluicegate::batch::Ruling;
use sluicegate::decode::{self, Encoding, Structure};
use sluicegate::engine::{Classified, Options, ScannedNames, SharedFlow, Taken};
use sluicegate::model::{self, Coverage, FileReport, Inspected, Outcome, Reason, Summary};
use sluicegate::record::{Macs, PayloadMac};
use sluicegate::respond::{self, Filter, FindingsShape, Format, LabelShape, Shaper, Writer};
use sluicegate::scan::sweep::Kernel;
use sluicegate::{RuleSet, Scanner};

use crate::flow::{self, Deciding, FlowArguments, Recorder};
use crate::kernel;
use crate::key::fingerprint_key;
use crate::names::shown;
use crate::{INTERNAL, UsageError};

/// Bytes of one read.
const READ_BYTES: usize = 64 * 1024;

/// Scan one payload, or one a line, and print its label and findings.
///
/// Exits 0 whatever is found, unless --fail-on asks for a decision. The output says whether the
/// decision was recorded.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The payload; `-` or nothing for standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// One {"id", "text"} a line in, one {"id", "label", "findings"} a line out, in order.
    /// Ids are strings or integers and come back as they are; offsets count in the UTF-8 bytes of
    /// `text`. Blank lines are passed over; a bad line is answered with its error and number
    #[arg(long, conflicts_with = "format")]
    jsonl: bool,

    /// Form of the output
    #[arg(long, value_enum, default_value_t = OutputFormat::Human)]
    format: OutputFormat,

    /// What the payload is; by default its first 4 KiB decide
    #[arg(long, value_enum, default_value_t = InputFormat::Auto, value_name = "FORMAT")]
    input_format: InputFormat,

    /// Add the rules of this directory
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,

    /// Show findings from this band up; the label keeps all
    #[arg(long, value_enum, default_value_t = Band::Possible, value_name = "BAND")]
    min_band: Band,

    /// Show findings of this category or class only; the label keeps all
    #[arg(long = "category", value_name = "ID|CLASS", value_delimiter = ',')]
    categories: Vec<String>,

    /// Decide by the register, and exit with the code of the effect if it is this or above
    #[arg(long, value_enum, value_name = "EFFECT", help_heading = "Decision and record")]
    fail_on: Option<Effect>,

    #[command(flatten)]
    flow: FlowArguments,

    /// Key of the fingerprints, 32 bytes raw or in hex [default: a new one each run]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// The code that reads the bytes; findings are the same with each. `auto` is the fastest one
    /// that needs no library
    #[arg(long, value_name = "KERNEL", default_value = kernel::AUTO, value_parser = kernel::parser())]
    kernel: Kernel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OutputFormat {
    Human,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum InputFormat {
    Auto,
    Text,
    Csv,
    Tsv,
    Json,
    Ndjson,
    #[value(name = "utf-16le")]
    Utf16Le,
    #[value(name = "utf-16be")]
    Utf16Be,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Band {
    Possible,
    Likely,
    #[value(alias = "very_likely")]
    VeryLikely,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Effect {
    Allow,
    Redact,
    Escalate,
    Block,
}

/// What the arguments ask for, checked.
struct Plan<'a> {
    rules: &'a RuleSet,
    scanner: Scanner,
    names: ScannedNames,
    filter: Filter,
    input_format: InputFormat,
    /// Key of the fingerprints that are shown.
    key: [u8; 32],
    deciding: &'a Deciding,
    /// The flow of the payloads, where they are decided.
    flow: Option<SharedFlow<'a>>,
    fail_on: Option<model::Effect>,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let key = fingerprint_key(arguments.key.as_deref())?;
    let rules = crate::load::load_rules(&arguments.rules)?;
    let filter = Filter::new(arguments.min_band.into(), &arguments.categories, &rules)
        .map_err(|error| UsageError(error.to_string()))?;
    let deciding = arguments.flow.open(&rules, arguments.fail_on.is_some())?;
    let options = Options { kernel: arguments.kernel, ..Options::default() };
    let scanner = kernel::scanner(&rules, options)?;
    let path = arguments.file.filter(|path| path.as_os_str() != "-");
    let plan = Plan {
        names: ScannedNames::new(&scanner),
        scanner,
        rules: &rules,
        filter,
        input_format: arguments.input_format,
        key,
        deciding: &deciding,
        flow: deciding.flow(&rules, arguments.jsonl || path.is_some()),
        fail_on: arguments.fail_on.map(model::Effect::from),
    };
    let input = open(path.as_deref())?;
    if arguments.jsonl {
        lines::run(&plan, input)
    } else {
        one_payload(&plan, input, path, arguments.format)
    }
}

fn one_payload(
    plan: &Plan<'_>,
    input: Box<dyn Read + Send>,
    path: Option<PathBuf>,
    format: OutputFormat,
) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let mut answer = classify(plan, input)?;
    let read_failed = answer.failure.is_some();
    if let Some(failure) = &answer.failure {
        anstream::eprintln!("sluice: the payload could not be read to its end: {failure}");
    }
    let ruling = plan.ruling(&mut answer.classified, read_failed);
    let effect = ruling.as_ref().map(|ruling| ruling.effect);
    let recorded = record(plan, &mut answer, path.as_deref(), began)?;
    let written = match format {
        OutputFormat::Human => human(plan, answer, path, ruling, recorded, began),
        OutputFormat::Json => json(plan, &answer, path.as_deref(), ruling, recorded),
    };
    // Whoever closed the pipe has read enough; the decision stands.
    written.or_else(forgive_broken_pipe).context("cannot write to standard output")?;
    Ok(match plan.exit_code(effect) {
        0 if read_failed => ExitCode::from(INTERNAL),
        code => ExitCode::from(code),
    })
}

/// Records the decision, where it is to be; true once it is durable.
fn record(
    plan: &Plan<'_>,
    answer: &mut Answer,
    path: Option<&Path>,
    began: Instant,
) -> anyhow::Result<bool> {
    let Some(mut recorder) = plan.recorder() else { return Ok(false) };
    let latency_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let classified = &mut answer.classified;
    recorder.take(&Taken {
        source: path.map(|path| flow::source(path, &plan.names)),
        outcome: answer.outcome,
        label: Some(&classified.label),
        findings: &classified.findings,
        truncated: classified.truncated,
        inspected: answer.mac.map(|mac| Inspected { bytes: answer.bytes, mac, latency_us }),
    })?;
    recorder.flush()?;
    recorder.show(&mut classified.findings);
    Ok(true)
}

/// What was learned of one payload.
struct Answer {
    classified: Classified,
    bytes: u64,
    /// The keyed MAC of these bytes, where they are recorded.
    mac: Option<[u8; 32]>,
    outcome: Outcome,
    failure: Option<io::Error>,
}

fn classify(plan: &Plan<'_>, mut input: Box<dyn Read + Send>) -> anyhow::Result<Answer> {
    let mut buffer = vec![0; READ_BYTES];
    // A declared format still leaves open whether a byte order mark, of at most three bytes,
    // stands before it.
    let head = match plan.input_format {
        InputFormat::Auto => 0,
        _ => 3,
    };
    let (mut length, mut failure) = fill(&mut input, &mut buffer, head);
    let first = buffer.get(..length).unwrap_or_default();
    let mut stream = plan.scanner(plan.input_format.declared(first)).stream();
    let mut mac = plan.deciding.macs().map(Macs::begin_payload);
    let mut bytes = 0;
    loop {
        let piece = buffer.get(..length).unwrap_or_default();
        stream.push(piece);
        if let Some(mac) = &mut mac {
            mac.update(piece);
        }
        bytes += length as u64;
        if failure.is_some() {
            stream.note(&Coverage::partial(Reason::Error));
            break;
        }
        (length, failure) = fill(&mut input, &mut buffer, 1);
        if length == 0 && failure.is_none() {
            break;
        }
    }
    let classified = stream.finish();
    let outcome = match failure {
        Some(_) => Outcome::Failed,
        None if classified.label.coverage.is_complete() => Outcome::Scanned,
        None => Outcome::Partial,
    };
    Ok(Answer { classified, bytes, mac: mac.map(PayloadMac::finish), outcome, failure })
}

/// Reads into the buffer until it holds `least` bytes or the input ends or fails. Returns how many
/// it holds.
fn fill(input: &mut impl Read, buffer: &mut [u8], least: usize) -> (usize, Option<io::Error>) {
    let mut length = 0;
    while length < least {
        match input.read(buffer.get_mut(length..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (length, Some(error)),
        }
    }
    (length, None)
}

fn json(
    plan: &Plan<'_>,
    answer: &Answer,
    path: Option<&Path>,
    ruling: Option<Ruling>,
    recorded: bool,
) -> io::Result<()> {
    let shaper = plan.shaper();
    let path = path.map(|path| shaper.path(path));
    let classified = &answer.classified;
    let chain = respond::chain(classified.format);
    let document = Document {
        label: shaper.label(&classified.label),
        findings: shaper.findings(&classified.findings, path.as_deref(), &chain),
        truncated: classified.truncated,
        effect: ruling.as_ref().map(|ruling| ruling.effect),
        reason: ruling.as_ref().map(|ruling| ruling.reason.as_str()),
        recorded: respond::recorded(recorded),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut out, &document)?;
    out.write_all(b"\n")?;
    out.flush()
}

fn human(
    plan: &Plan<'_>,
    answer: Answer,
    path: Option<PathBuf>,
    ruling: Option<Ruling>,
    recorded: bool,
    began: Instant,
) -> io::Result<()> {
    let Answer { classified, bytes, outcome, failure, .. } = answer;
    let (effect, reason) = ruling.map(|it| (it.effect, it.reason)).unzip();
    let report = FileReport {
        path: path.unwrap_or_else(|| PathBuf::from("standard input")),
        commit: None,
        bytes,
        outcome,
        problem: failure
            .map(|failure| failure.to_string())
            .or_else(|| classified.format.opaque.map(str::to_owned)),
        chain: respond::chain(classified.format),
        label: Some(classified.label),
        findings: classified.findings,
        identities: Vec::new(),
        excepted: Vec::new(),
        truncated: classified.truncated,
        digest: None,
        effect,
        reason,
        inspected: None,
    };
    let mut summary = Summary { recorded, ..Summary::default() };
    summary.add(&report);
    summary.elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let stdout = io::stdout();
    let options = respond::Options {
        format: Format::Human,
        filter: plan.filter.clone(),
        colour: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
    };
    let out = io::BufWriter::new(stdout.lock());
    let mut writer = Writer::new(out, options, plan.rules, &plan.names);
    writer.begin()?;
    writer.file(&report)?;
    writer.finish(&summary)
}

#[derive(Serialize)]
struct Document<'a> {
    label: LabelShape<'a>,
    findings: FindingsShape<'a>,
    truncated: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<model::Effect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    recorded: &'static str,
}

impl Plan<'_> {
    fn scanner(&self, format: Option<decode::Format>) -> Scanner {
        let options = Options { format, ..self.deciding.options(self.key) };
        self.scanner.with(options)
    }

    fn shaper(&self) -> Shaper<'_> {
        Shaper::new(self.rules, &self.names, self.filter.clone())
    }

    /// What policy says of what was found, where a decision was asked for. The label gets what the
    /// flow says that the payload carries.
    fn ruling(&self, classified: &mut Classified, failed: bool) -> Option<Ruling> {
        let flow = self.flow.as_ref()?;
        let decision = flow.decide(&mut classified.label);
        Some(flow::ruling(flow, if failed { flow.failed() } else { decision }))
    }

    fn recorder(&self) -> Option<Recorder<'_>> {
        self.deciding.recorder(self.flow.as_ref(), &self.names, self.key)
    }

    fn exit_code(&self, effect: Option<model::Effect>) -> u8 {
        match (effect, self.fail_on) {
            (Some(effect), Some(least)) if effect >= least => effect.exit_code(),
            _ => 0,
        }
    }
}

impl InputFormat {
    /// The format that is declared of a payload with these first bytes; none for auto.
    fn declared(self, head: &[u8]) -> Option<decode::Format> {
        let table = |delimiter| Structure::Table { delimiter, header: true };
        let (encoding, structure) = match self {
            InputFormat::Auto => return None,
            InputFormat::Text => (Encoding::Bytes, Structure::Text),
            InputFormat::Csv => (Encoding::Bytes, table(b',')),
            InputFormat::Tsv => (Encoding::Bytes, table(b'\t')),
            InputFormat::Json => (Encoding::Bytes, Structure::Json),
            InputFormat::Ndjson => (Encoding::Bytes, Structure::NdJson),
            InputFormat::Utf16Le => (Encoding::Utf16Le, Structure::Text),
            InputFormat::Utf16Be => (Encoding::Utf16Be, Structure::Text),
        };
        let mark: &[u8] = match encoding {
            Encoding::Bytes => b"\xef\xbb\xbf",
            Encoding::Utf16Le => b"\xff\xfe",
            Encoding::Utf16Be => b"\xfe\xff",
        };
        let bom = if head.starts_with(mark) { mark.len() } else { 0 };
        Some(decode::Format { encoding, bom, structure, opaque: None })
    }
}

impl From<Band> for model::Band {
    fn from(band: Band) -> model::Band {
        match band {
            Band::Possible => model::Band::Possible,
            Band::Likely => model::Band::Likely,
            Band::VeryLikely => model::Band::VeryLikely,
        }
    }
}

impl From<Effect> for model::Effect {
    fn from(effect: Effect) -> model::Effect {
        match effect {
            Effect::Allow => model::Effect::Allow,
            Effect::Redact => model::Effect::Redact,
            Effect::Escalate => model::Effect::Escalate,
            Effect::Block => model::Effect::Block,
        }
    }
}

fn open(path: Option<&Path>) -> anyhow::Result<Box<dyn Read + Send>> {
    let Some(path) = path else { return Ok(Box::new(io::stdin())) };
    let cannot = |reason: String| UsageError(format!("cannot read `{}`: {reason}", shown(path)));
    let file = File::open(path).map_err(|error| cannot(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| cannot(error.to_string()))?;
    if metadata.is_dir() {
        return Err(cannot("it is a directory; `sluice scan` reads those".to_owned()).into());
    }
    Ok(Box::new(file))
}

fn forgive_broken_pipe(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}
