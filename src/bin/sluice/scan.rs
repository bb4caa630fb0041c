//! `sluice scan`: what was typed becomes a plan, the plan becomes a report.

use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use indicatif::ProgressBar;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use sluicegate::batch::{self, Filter, Plan, Progress, Roots, manifest};
use sluicegate::engine::{Options, ScannedNames};
use sluicegate::model::{self, Effect, Label, Summary};
use sluicegate::respond;
use sluicegate::scan::sweep::Kernel;
use sluicegate::{RuleSet, Scanner};

use crate::flow::{self, FlowArguments, Recorder};
use crate::kernel;
use crate::key::fingerprint_key;
use crate::names::shown;
use crate::output::{Output, stderr_files};
use crate::{INTERNAL, UsageError, progress};

/// Scan files and directories and report what they hold.
///
/// Hidden and git-ignored files are scanned; symbolic links below a PATH are reported and not
/// followed. Ctrl-C ends the scan with a summary of what was seen until then.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Files and directories to scan
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Worker threads [default: as many as there are processors]
    #[arg(short = 'j', long = "jobs", value_name = "N")]
    jobs: Option<NonZeroUsize>,

    /// Scan only files that match; without `/` the name is matched, else the path below PATH
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,

    /// Leave out files and directories that match
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,

    /// Skip larger files: bytes, or with K, M, G or T (powers of 1024) [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_file_size: Option<u64>,

    /// Form of the report
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// Write the report here; an older file is replaced once the report is whole
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    output: Option<PathBuf>,

    /// Show findings from this band up; labels and counts keep all
    #[arg(long, value_enum, default_value_t = Band::Possible)]
    min_band: Band,

    /// Show findings of this category or class only; labels and counts keep all
    #[arg(long = "category", value_name = "ID|CLASS")]
    categories: Vec<String>,

    /// Add the rules of this directory
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,

    /// Write path, size and SHA-256 of each file here, for `sluice verify-manifest`
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,

    /// Decide by the register, and exit with the code of the highest effect if it is this or above
    #[arg(long, value_enum, value_name = "EFFECT", help_heading = "Decision and record")]
    fail_on: Option<FailOn>,

    #[command(flatten)]
    flow: FlowArguments,

    /// Key of the fingerprints, 32 bytes raw or in hex [default: a new one each run]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// The code that reads the bytes; findings are the same with each. `auto` is the fastest one
    /// that needs no library
    #[arg(long, value_name = "KERNEL", default_value = kernel::AUTO, value_parser = kernel::parser())]
    kernel: Kernel,

    /// Colour the human form
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    color: Color,

    /// Neither progress nor summary on standard error
    #[arg(long, short = 'q')]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Human,
    Json,
    Jsonl,
    Csv,
    Sarif,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Band {
    Possible,
    Likely,
    VeryLikely,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum FailOn {
    Allow,
    Redact,
    Escalate,
    Block,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    // All that can be wrong with the call is found before anything is read or written.
    let roots = Roots::check(&arguments.paths).map_err(|error| usage(error.named(shown)))?;
    let filter = Filter::new(&arguments.include, &arguments.exclude).map_err(usage)?;
    if arguments.output.is_some() && arguments.output == arguments.manifest {
        let text = "report and manifest cannot be the same file".to_owned();
        return Err(UsageError(text).into());
    }
    let key = fingerprint_key(arguments.key.as_deref())?;
    let rules = crate::load::load_rules(&arguments.rules)?;
    let presentation = presentation(&arguments, &rules)?;
    let kernel = arguments.kernel;
    let deciding = arguments.flow.open(&rules, arguments.fail_on.is_some())?;
    let context_hashes = presentation.format == respond::Format::Sarif;
    let options = Options { kernel, context_hashes, ..deciding.options(key) };
    let scanner = kernel::scanner(&rules, options)?;
    let names = ScannedNames::new(&scanner);
    let flow = deciding.flow(&rules, true);
    let ruling = flow.as_ref().map(|flow| {
        move |label: &mut Label| {
            let decision = flow.decide(label);
            flow::ruling(flow, decision)
        }
    });
    let rulings = flow.as_ref().zip(ruling.as_ref()).map(|(flow, of)| flow::rulings(flow, of));
    if !arguments.quiet {
        for (dropped, within) in roots.dropped() {
            let (dropped, within) = (shown(dropped), shown(within));
            anstream::eprintln!("sluice: `{dropped}` is covered by `{within}`: scanned once");
        }
    }

    let shows_progress = !arguments.quiet && io::stderr().is_terminal();
    let bar = shows_progress.then(progress::bar);
    let stop = stop_flag()?;
    let outputs = Outputs::open(&arguments, bar.as_ref())?;
    let plan = Plan {
        roots,
        filter,
        max_file_size: arguments.max_file_size,
        threads: arguments.jobs.unwrap_or_else(processors),
        digests: arguments.manifest.is_some(),
        rulings,
        macs: deciding.macs(),
        leave_out: outputs.files().into_iter().chain(deciding.folder()).collect(),
        estimate: shows_progress,
    };

    let to_stdout = arguments.output.is_none();
    let run = Run {
        arguments: &arguments,
        plan: &plan,
        scanner: &scanner,
        names: &names,
        bar: bar.as_ref(),
    };
    let recorder = deciding.recorder(flow.as_ref(), &names, key);
    let summary = match run.perform(presentation, outputs, recorder, &stop) {
        // Whoever read the report has seen enough; there is nobody to tell.
        Err(error) if to_stdout && is_broken_pipe(&error) => {
            return Ok(ExitCode::from(INTERNAL));
        }
        other => other?,
    };
    if !arguments.quiet && (arguments.format != Format::Human || !to_stdout) {
        anstream::eprintln!("sluice: {}", in_one_line(&summary));
    }
    Ok(exit_code(&summary, arguments.fail_on))
}

/// How the report is to look.
fn presentation(arguments: &Arguments, rules: &RuleSet) -> anyhow::Result<respond::Options> {
    let min_band = match arguments.min_band {
        Band::Possible => model::Band::Possible,
        Band::Likely => model::Band::Likely,
        Band::VeryLikely => model::Band::VeryLikely,
    };
    let format = match arguments.format {
        Format::Human => respond::Format::Human,
        Format::Json => respond::Format::Json,
        Format::Jsonl => respond::Format::JsonLines,
        Format::Csv => respond::Format::Csv,
        Format::Sarif => respond::Format::Sarif,
    };
    let colour = match arguments.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            arguments.output.is_none()
                && anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
        }
    };
    let filter = respond::Filter::new(min_band, &arguments.categories, rules).map_err(usage)?;
    Ok(respond::Options { format, filter, colour })
}

/// The report and the manifest.
struct Outputs {
    report: Output,
    manifest: Option<Output>,
}

impl Outputs {
    fn open(arguments: &Arguments, bar: Option<&ProgressBar>) -> anyhow::Result<Outputs> {
        let report = match &arguments.output {
            Some(path) => Output::file(path)?,
            None => Output::stdout(bar),
        };
        let manifest = arguments.manifest.as_deref().map(Output::file).transpose()?;
        Ok(Outputs { report, manifest })
    }

    fn files(&self) -> Vec<batch::FileId> {
        let manifest = self.manifest.iter().flat_map(|manifest| manifest.files());
        self.report.files().iter().chain(manifest).copied().chain(stderr_files()).collect()
    }
}

/// What is to be done, as far as it does not change.
#[derive(Clone, Copy)]
struct Run<'a> {
    arguments: &'a Arguments,
    plan: &'a Plan<'a>,
    scanner: &'a Scanner,
    names: &'a ScannedNames,
    bar: Option<&'a ProgressBar>,
}

impl Run<'_> {
    /// Scans and writes. Both outputs are put in place at the end, or neither.
    fn perform(
        &self,
        presentation: respond::Options,
        outputs: Outputs,
        mut recorder: Option<Recorder<'_>>,
        stop: &AtomicBool,
    ) -> anyhow::Result<Summary> {
        let Run { arguments, plan, scanner, names, bar } = *self;
        let written = [&arguments.output, &arguments.manifest].into_iter().flatten();
        let mut manifest = outputs
            .manifest
            .map(|out| {
                manifest::Writer::begin(out, plan.roots.paths(), written.map(PathBuf::as_path))
            })
            .transpose()?;
        let mut writer = respond::Writer::new(outputs.report, presentation, scanner.rules(), names);
        writer.begin()?;

        let progress = Progress::default();
        let summary = std::thread::scope(|scope| {
            let (running, end) = crossbeam_channel::bounded(0);
            if let Some(bar) = bar {
                let progress = &progress;
                scope.spawn(move || progress::follow(bar, progress, &end));
            }
            let summary = batch::run(plan, scanner, &progress, stop, &mut |mut report| {
                if let Some(recorder) = &mut recorder {
                    recorder.file(&mut report).map_err(io::Error::other)?;
                }
                if let Some(manifest) = &mut manifest {
                    manifest.file(&report)?;
                }
                writer.file(&report)
            });
            drop(running);
            summary
        });
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        let mut summary = summary?;
        // One barrier: nothing says that the run is recorded, and nothing exits, before it is.
        if let Some(recorder) = recorder {
            recorder.finish("scan", &mut summary)?;
        }
        writer.finish(&summary)?;
        let manifest = manifest.map(manifest::Writer::finish).transpose()?;
        writer.into_inner().commit()?;
        match manifest {
            // It would pass for a list of everything.
            Some(_) if summary.interrupted => {
                anstream::eprintln!("sluice: interrupted: no manifest was written");
            }
            Some(manifest) => manifest.commit()?,
            None => {}
        }
        Ok(summary)
    }
}

/// Becomes true with the first signal to end; the second one ends the program at once.
pub fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(
            signal,
            i32::from(INTERNAL),
            Arc::clone(&stop),
        )?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn exit_code(summary: &Summary, fail_on: Option<FailOn>) -> ExitCode {
    if summary.interrupted {
        return ExitCode::from(INTERNAL);
    }
    let threshold = fail_on.map(|fail_on| match fail_on {
        FailOn::Allow => Effect::Allow,
        FailOn::Redact => Effect::Redact,
        FailOn::Escalate => Effect::Escalate,
        FailOn::Block => Effect::Block,
    });
    let effect = threshold.and_then(|threshold| summary.effect.filter(|e| *e >= threshold));
    ExitCode::from(effect.map_or(0, Effect::exit_code))
}

/// The summary for people whose report went elsewhere.
fn in_one_line(summary: &Summary) -> String {
    let Summary { seen, scanned, partial, skipped, failed, .. } = summary;
    let findings: u64 = summary.findings.values().sum();
    let mut line = format!(
        "{} files, {} seen = {} scanned + {} partial + {} skipped + {} failed; {findings} findings \
         in {} files",
        seen.files,
        indicatif::BinaryBytes(seen.bytes),
        scanned.files,
        partial.files,
        skipped.files,
        failed.files,
        summary.files_with_findings,
    );
    if let Some(effect) = summary.effect {
        line.push_str("; effect: ");
        line.push_str(effect.as_str());
    }
    line.push_str("; recorded: ");
    line.push_str(respond::recorded(summary.recorded));
    if summary.interrupted {
        line.push_str("; interrupted");
    }
    line
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn usage(error: impl std::fmt::Display) -> anyhow::Error {
    UsageError(error.to_string()).into()
}

fn processors() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// A number of bytes, with or without a unit.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits).unwrap_or_default().to_ascii_uppercase();
    let shift = match unit.as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return Err(format!("`{unit}` is no unit of size: use K, M, G or T")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("`{digits}` is no number of bytes"))?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_units() {
        assert_eq!(parse_size("0"), Ok(0));
        assert_eq!(parse_size("10k"), Ok(10_240));
        assert_eq!(parse_size("3MiB"), Ok(3 << 20));
        assert_eq!(parse_size("1T"), Ok(1 << 40));
        for wrong in ["", "k", "1.5M", "-1", "10X", "99999999999T"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_exit_code_is_that_of_an_effect_at_or_above_the_threshold() {
        let code = |effect, fail_on, interrupted| {
            let summary = Summary { effect, interrupted, ..Summary::default() };
            format!("{:?}", exit_code(&summary, fail_on))
        };
        let is = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(code(None, None, false), is(0));
        assert_eq!(code(Some(Effect::Escalate), Some(FailOn::Block), false), is(0));
        assert_eq!(code(Some(Effect::Escalate), Some(FailOn::Redact), false), is(3));
        assert_eq!(code(Some(Effect::Block), Some(FailOn::Block), false), is(1));
        assert_eq!(code(Some(Effect::Block), Some(FailOn::Block), true), is(4));
    }
}
