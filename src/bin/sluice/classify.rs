//! `sluice classify`: one payload, or one a line, to its label and findings.

mod lines;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;
use sluicegate::decode::{self, Encoding, Structure};
use sluicegate::engine::{Classified, Options, ScannedNames};
use sluicegate::model::{self, Coverage, FileReport, Outcome, Reason, Summary};
use sluicegate::policy::default_effect;
use sluicegate::respond::{self, Filter, FindingsShape, Format, LabelShape, Shaper, Writer};
use sluicegate::scan::sweep::Kernel;
use sluicegate::{RuleSet, Scanner};

use crate::kernel;
use crate::key::fingerprint_key;
use crate::names::shown;
use crate::{INTERNAL, UsageError};

/// Bytes of one read.
const READ_BYTES: usize = 64 * 1024;

/// Scan one payload, or one a line, and print its label and findings.
///
/// Nothing is recorded, and the output says so. Exits 0 whatever is found, unless --fail-on asks
/// for a decision.
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

    /// Decide on the data as sent to an unknown destination: exit with the code of the effect if
    /// it is this or above
    #[arg(long, value_enum, value_name = "EFFECT")]
    fail_on: Option<Effect>,

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
struct Plan {
    rules: Arc<RuleSet>,
    scanner: Scanner,
    names: ScannedNames,
    filter: Filter,
    input_format: InputFormat,
    key: [u8; 32],
    fail_on: Option<model::Effect>,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let key = fingerprint_key(arguments.key.as_deref())?;
    let rules = crate::load::load_rules(&arguments.rules)?;
    let filter = Filter::new(arguments.min_band.into(), &arguments.categories, &rules)
        .map_err(|error| UsageError(error.to_string()))?;
    let options = Options { kernel: arguments.kernel, ..Options::default() };
    let scanner = kernel::scanner(&rules, options)?;
    let plan = Plan {
        names: ScannedNames::new(&scanner),
        scanner,
        rules,
        filter,
        input_format: arguments.input_format,
        key,
        fail_on: arguments.fail_on.map(model::Effect::from),
    };
    let path = arguments.file.filter(|path| path.as_os_str() != "-");
    let input = open(path.as_deref())?;
    if arguments.jsonl {
        lines::run(&plan, input)
    } else {
        one_payload(&plan, input, path, arguments.format)
    }
}

fn one_payload(
    plan: &Plan,
    input: Box<dyn Read + Send>,
    path: Option<PathBuf>,
    format: OutputFormat,
) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let answer = classify(plan, input)?;
    let read_failed = answer.failure.is_some();
    if let Some(failure) = &answer.failure {
        anstream::eprintln!("sluice: the payload could not be read to its end: {failure}");
    }
    let effect = plan.effect(&answer.classified);
    let written = match format {
        OutputFormat::Human => human(plan, answer, path, effect, began),
        OutputFormat::Json => json(plan, &answer, path.as_deref(), effect),
    };
    // Whoever closed the pipe has read enough; the decision stands.
    written.or_else(forgive_broken_pipe).context("cannot write to standard output")?;
    Ok(match plan.exit_code(effect) {
        0 if read_failed => ExitCode::from(INTERNAL),
        code => ExitCode::from(code),
    })
}

/// What was learned of one payload.
struct Answer {
    classified: Classified,
    bytes: u64,
    failure: Option<io::Error>,
}

fn classify(plan: &Plan, mut input: Box<dyn Read + Send>) -> anyhow::Result<Answer> {
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
    let mut bytes = 0;
    loop {
        stream.push(buffer.get(..length).unwrap_or_default());
        bytes += length as u64;
        if let Some(failure) = failure {
            stream.note(&Coverage::partial(Reason::Error));
            return Ok(Answer { classified: stream.finish(), bytes, failure: Some(failure) });
        }
        (length, failure) = fill(&mut input, &mut buffer, 1);
        if length == 0 && failure.is_none() {
            return Ok(Answer { classified: stream.finish(), bytes, failure: None });
        }
    }
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
    plan: &Plan,
    answer: &Answer,
    path: Option<&Path>,
    effect: Option<model::Effect>,
) -> io::Result<()> {
    let shaper = plan.shaper();
    let path = path.map(|path| shaper.path(path));
    let classified = &answer.classified;
    let chain = respond::chain(classified.format);
    let document = Document {
        label: shaper.label(&classified.label),
        findings: shaper.findings(&classified.findings, path.as_deref(), &chain),
        truncated: classified.truncated,
        effect,
        recorded: RECORDED,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut out, &document)?;
    out.write_all(b"\n")?;
    out.flush()
}

fn human(
    plan: &Plan,
    answer: Answer,
    path: Option<PathBuf>,
    effect: Option<model::Effect>,
    began: Instant,
) -> io::Result<()> {
    let Answer { classified, bytes, failure } = answer;
    let outcome = match failure {
        Some(_) => Outcome::Failed,
        None if classified.label.coverage.is_complete() => Outcome::Scanned,
        None => Outcome::Partial,
    };
    let report = FileReport {
        path: path.unwrap_or_else(|| PathBuf::from("standard input")),
        bytes,
        outcome,
        problem: failure
            .map(|failure| failure.to_string())
            .or_else(|| classified.format.opaque.map(str::to_owned)),
        chain: respond::chain(classified.format),
        label: Some(classified.label),
        findings: classified.findings,
        truncated: classified.truncated,
        digest: None,
        effect,
    };
    let mut summary = Summary::default();
    summary.add(&report);
    summary.elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let stdout = io::stdout();
    let options = respond::Options {
        format: Format::Human,
        filter: plan.filter.clone(),
        colour: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
    };
    let out = io::BufWriter::new(stdout.lock());
    let mut writer = Writer::new(out, options, &plan.rules, &plan.names);
    writer.begin()?;
    writer.file(&report)?;
    writer.finish(&summary)
}

/// No ledger is written, and every answer says so.
const RECORDED: &str = "no";

#[derive(Serialize)]
struct Document<'a> {
    label: LabelShape<'a>,
    findings: FindingsShape<'a>,
    truncated: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<model::Effect>,
    recorded: &'static str,
}

impl Plan {
    fn scanner(&self, format: Option<decode::Format>) -> Scanner {
        let options = Options { format, fingerprint_key: Some(self.key), ..Options::default() };
        self.scanner.with(options)
    }

    fn shaper(&self) -> Shaper<'_> {
        Shaper::new(&self.rules, &self.names, self.filter.clone())
    }

    /// The effect of what was found, where a decision was asked for.
    fn effect(&self, classified: &Classified) -> Option<model::Effect> {
        self.fail_on.map(|_| default_effect(&classified.label, &self.rules))
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
