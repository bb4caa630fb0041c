//! `sluice classify --jsonl`: one payload a line, answered in order.
//!
//! A thread reads lines into batches, all processors answer the lines of a batch, and the answers
//! are written and flushed before the next batch. A batch is what one read gave, so that a caller
//! who waits for an answer before it writes the next line gets it. Memory is bounded by the
//! batches under way and the length limit of a line.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender};
use rayon::prelude::*;
use serde::Serialize;
use sluicegate::Scanner;
use sluicegate::engine::{Taken, TextId, TextRequest};
use sluicegate::model::{Claimed, Effect, FileReport, Inspected, Outcome, Summary};
use sluicegate::record::Macs;
use sluicegate::respond::{self, FindingsShape, LabelShape, Shaper};

use super::{InputFormat, Plan};
use crate::flow::{self, Recorder};
use crate::{INTERNAL, USAGE, UsageError};

/// The longest line in bytes, without its end.
const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of one read.
const READ_BYTES: usize = 1024 * 1024;

/// Batches that wait for an answer.
const WAITING: usize = 2;

/// Answers every line of the input. Exits 2 if one was bad, else as `--fail-on` asks.
pub(super) fn run(plan: &Plan<'_>, input: Box<dyn Read + Send>) -> anyhow::Result<ExitCode> {
    if matches!(plan.input_format, InputFormat::Utf16Le | InputFormat::Utf16Be) {
        let text = "with --jsonl each text is UTF-8: --input-format cannot be UTF-16".to_owned();
        return Err(UsageError(text).into());
    }
    let began = Instant::now();
    let scanners = Scanners::new(plan);
    let mut recorder = plan.recorder();
    let (sender, receiver) = crossbeam_channel::bounded(WAITING);
    // Not joined: it may wait for input that never comes after the output was closed.
    std::thread::Builder::new()
        .name("read lines".to_owned())
        .spawn(move || read_lines(BufReader::with_capacity(READ_BYTES, input), &sender))
        .context("cannot start a thread")?;
    let mut run = Totals::default();
    match answer_all(plan, &scanners, &receiver, recorder.as_mut(), &mut run) {
        Ok(()) => {}
        Err(Failure::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            // Lines that were not answered have no effect yet, and a missing answer is block.
            run.effect = plan.fail_on.map(|_| Effect::Block);
            run.summary.interrupted = true;
        }
        Err(Failure::Write(error)) => {
            return Err(error).context("cannot write to standard output");
        }
        Err(Failure::Record(error)) => return Err(error),
    }
    if let Some(recorder) = recorder {
        let summary = &mut run.summary;
        summary.interrupted |= run.read_failed;
        summary.elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        recorder.finish("classify", summary)?;
    }
    Ok(ExitCode::from(match run {
        Totals { read_failed: true, .. } => INTERNAL,
        Totals { bad: true, .. } => USAGE,
        Totals { effect, .. } => plan.exit_code(effect),
    }))
}

/// What the exit code depends on.
#[derive(Default)]
struct Totals {
    read_failed: bool,
    bad: bool,
    effect: Option<Effect>,
    /// Lines are its files.
    summary: Summary,
}

/// Why lines are not answered.
enum Failure {
    Write(io::Error),
    Record(anyhow::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Write(error)
    }
}

fn answer_all(
    plan: &Plan<'_>,
    scanners: &Scanners,
    batches: &Receiver<Batch>,
    mut recorder: Option<&mut Recorder<'_>>,
    run: &mut Totals,
) -> Result<(), Failure> {
    let shaper = plan.shaper();
    let mut out = io::BufWriter::with_capacity(READ_BYTES, io::stdout().lock());
    for batch in batches {
        let answers: Vec<io::Result<Answer>> =
            batch.lines.par_iter().map(|line| scanners.answer(plan, &shaper, line)).collect();
        let answers: Vec<Answer> = answers.into_iter().collect::<io::Result<_>>()?;
        if let Some(recorder) = &mut recorder {
            // An answer says that it is recorded, so it comes after that.
            record(recorder, &answers).map_err(Failure::Record)?;
        }
        for answer in answers {
            run.bad |= answer.bad;
            run.effect = run.effect.max(answer.effect);
            if let Some(seen) = &answer.seen {
                run.summary.add(&seen.report);
            }
            out.write_all(&answer.json)?;
        }
        out.flush()?;
        if let Some(failure) = batch.failure {
            anstream::eprintln!("sluice: the input could not be read to its end: {failure}");
            run.read_failed = true;
        }
    }
    Ok(())
}

/// Lines that were read together, and what ended the input if it failed.
#[derive(Default)]
struct Batch {
    lines: Vec<Line>,
    failure: Option<io::Error>,
}

/// A line without its end.
struct Line {
    /// Counted from 1.
    number: u64,
    /// None where it is longer than [`MAX_LINE_BYTES`].
    bytes: Option<Vec<u8>>,
}

/// Sends the lines of the input in batches until it ends or fails, or nobody listens.
fn read_lines(mut input: impl BufRead, sender: &Sender<Batch>) {
    let mut open = Line { number: 1, bytes: Some(Vec::new()) };
    loop {
        let mut batch = Batch::default();
        let (length, ended) = match input.fill_buf() {
            Ok(chunk) => {
                let mut pieces = chunk.split(|byte| *byte == b'\n');
                open.extend(pieces.next().unwrap_or_default());
                for piece in pieces {
                    let next = Line { number: open.number + 1, bytes: Some(Vec::new()) };
                    batch.lines.push(std::mem::replace(&mut open, next));
                    open.extend(piece);
                }
                (chunk.len(), chunk.is_empty())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                batch.failure = Some(error);
                let _ = sender.send(batch);
                return;
            }
        };
        input.consume(length);
        if ended {
            batch.lines.push(open);
            let _ = sender.send(batch);
            return;
        }
        if !batch.lines.is_empty() && sender.send(batch).is_err() {
            return;
        }
    }
}

impl Line {
    fn extend(&mut self, piece: &[u8]) {
        match &mut self.bytes {
            Some(bytes) if bytes.len() + piece.len() <= MAX_LINE_BYTES => {
                bytes.extend_from_slice(piece);
            }
            // What is too long is not kept, and its rest is passed over.
            _ => self.bytes = None,
        }
    }
}

/// The answer to one line.
struct Answer {
    /// The line to write, with its end; nothing for a blank line.
    json: Vec<u8>,
    bad: bool,
    effect: Option<Effect>,
    /// What its record says, where one is kept.
    seen: Option<Seen>,
}

/// A line, for its record.
struct Seen {
    source: Option<Claimed>,
    report: FileReport,
}

/// Makes the decisions over these lines durable.
fn record(recorder: &mut Recorder<'_>, answers: &[Answer]) -> anyhow::Result<()> {
    for Seen { source, report } in answers.iter().filter_map(|answer| answer.seen.as_ref()) {
        // A line that is no request was not decided; the summary counts it.
        if report.effect.is_some() {
            recorder.take(&Taken {
                source: source.clone(),
                outcome: report.outcome,
                label: report.label.as_ref(),
                findings: &report.findings,
                truncated: report.truncated,
                inspected: report.inspected,
            })?;
        }
    }
    recorder.flush()
}

/// Scanners for the declared format without and with a byte order mark in front.
struct Scanners {
    plain: Scanner,
    marked: Scanner,
}

impl Scanners {
    fn new(plan: &Plan<'_>) -> Scanners {
        let scanner = |head: &[u8]| plan.scanner(plan.input_format.declared(head));
        Scanners { plain: scanner(b""), marked: scanner("\u{feff}".as_bytes()) }
    }

    fn answer(&self, plan: &Plan<'_>, shaper: &Shaper, line: &Line) -> io::Result<Answer> {
        let request = match parse(line) {
            Ok(Some(request)) => request,
            Ok(None) => {
                return Ok(Answer { json: Vec::new(), bad: false, effect: None, seen: None });
            }
            Err(error) => {
                let refusal = Refusal { id: None, error, line: line.number };
                let bytes = line.bytes.as_ref().map_or(MAX_LINE_BYTES, Vec::len) as u64;
                let report = FileReport::new(PathBuf::new(), bytes, Outcome::Failed);
                let seen = plan.deciding.macs().map(|_| Seen { source: None, report });
                return Ok(Answer { json: json_line(&refusal)?, bad: true, effect: None, seen });
            }
        };
        let began = Instant::now();
        let TextRequest { id, text } = request;
        let scanner = if text.starts_with('\u{feff}') { &self.marked } else { &self.plain };
        let mut classified = scanner.scan(text.as_bytes());
        let ruling = plan.ruling(&mut classified, false);
        let (effect, reason) = ruling.map(|it| (it.effect, it.reason)).unzip();
        let seen = plan.deciding.macs().map(|macs| {
            let bytes = text.len() as u64;
            let complete = classified.label.coverage.is_complete();
            let outcome = if complete { Outcome::Scanned } else { Outcome::Partial };
            let latency_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            let mac = macs.payload(text.as_bytes());
            let report = FileReport {
                label: Some(classified.label.clone()),
                findings: classified.findings.clone(),
                truncated: classified.truncated,
                effect,
                inspected: Some(Inspected { bytes, mac, latency_us }),
                ..FileReport::new(PathBuf::new(), bytes, outcome)
            };
            // What is shown from here on is not what is recorded.
            flow::show(&Macs::new(0, plan.key), &mut classified.findings);
            Seen { source: Some(id.claimed()), report }
        });
        let chain = respond::chain(classified.format);
        let reply = Reply {
            id,
            label: shaper.label(&classified.label),
            findings: shaper.findings(&classified.findings, None, &chain),
            truncated: classified.truncated,
            effect,
            reason,
            recorded: respond::recorded(seen.is_some()),
        };
        Ok(Answer { json: json_line(&reply)?, bad: false, effect, seen })
    }
}

fn json_line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut json = serde_json::to_vec(value)?;
    json.push(b'\n');
    Ok(json)
}

/// The request on a line; none on a blank one. Errors say what is wrong without quoting the line.
fn parse(line: &Line) -> Result<Option<TextRequest>, String> {
    match &line.bytes {
        Some(bytes) => TextRequest::parse(bytes),
        None => Err(format!("line is longer than {} MiB", MAX_LINE_BYTES >> 20)),
    }
}

#[derive(Serialize)]
struct Reply<'a> {
    id: TextId,
    label: LabelShape<'a>,
    findings: FindingsShape<'a>,
    truncated: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    recorded: &'static str,
}

#[derive(Serialize)]
struct Refusal {
    id: Option<TextId>,
    error: String,
    line: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(input: impl BufRead) -> Vec<(u64, Option<Vec<u8>>)> {
        let (sender, receiver) = crossbeam_channel::unbounded();
        read_lines(input, &sender);
        drop(sender);
        receiver.iter().flat_map(|b| b.lines).map(|line| (line.number, line.bytes)).collect()
    }

    #[test]
    fn lines_are_whole_however_they_are_read() {
        let input = b"one\n\ntwo\r\nthree";
        let expected = [(1, "one"), (2, ""), (3, "two\r"), (4, "three")];
        let expected = expected.map(|(n, text)| (n, Some(text.as_bytes().to_vec())));
        for capacity in 1..20 {
            let lines = lines_of(BufReader::with_capacity(capacity, &input[..]));
            assert_eq!(lines, expected, "{capacity}");
        }
        assert_eq!(lines_of(&b"one\n"[..]), [(1, Some(b"one".to_vec())), (2, Some(vec![]))]);
    }

    #[test]
    fn a_line_past_the_limit_is_refused_and_the_next_is_read() {
        let long = io::repeat(b'x').take(MAX_LINE_BYTES as u64 + 1);
        let input = BufReader::with_capacity(READ_BYTES, long.chain(&b"\nnext"[..]));
        let lines = lines_of(input);
        assert_eq!(lines, [(1, None), (2, Some(b"next".to_vec()))]);
        let error = parse(&Line { number: 1, bytes: None }).err();
        assert_eq!(error.as_deref(), Some("line is longer than 64 MiB"));

        let mut longest = Line { number: 1, bytes: Some(Vec::new()) };
        longest.extend(&vec![b'x'; MAX_LINE_BYTES]);
        assert!(longest.bytes.is_some());
    }

    #[test]
    fn a_failing_read_is_said_after_the_lines_before_it() {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let (sender, receiver) = crossbeam_channel::unbounded();
        read_lines(BufReader::new((&b"one\ntwo"[..]).chain(Fails)), &sender);
        drop(sender);
        let batches: Vec<Batch> = receiver.iter().collect();
        assert_eq!(batches[0].lines.len(), 1);
        let failure = batches[1].failure.as_ref().expect("the failure");
        assert_eq!(failure.kind(), io::ErrorKind::ConnectionReset);
    }
}
