//! What a batch scan says of a file and of the whole run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{CategoryIndex, Effect, Excepted, ExceptionKind, Finding, Label};

/// What became of a file. Every file that a scan sees has exactly one of these, and the summary
/// counts add up: seen = scanned + partial + skipped + failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Read and inspected whole.
    Scanned,
    /// Read, but not all of it could be inspected; the label's coverage says why.
    Partial,
    /// Not read, as asked: excluded by a glob, too large, a symbolic link, a special file.
    Skipped,
    /// Could not be read, or not to its end.
    Failed,
}

impl Outcome {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Scanned => "scanned",
            Outcome::Partial => "partial",
            Outcome::Skipped => "skipped",
            Outcome::Failed => "failed",
        }
    }
}

/// One file of a batch scan.
#[derive(Clone, Debug)]
pub struct FileReport {
    /// Path as walked: the argument joined with the path below it.
    pub path: PathBuf,
    /// The commit that brought it, in hex, where one did.
    pub commit: Option<String>,
    /// Bytes that count as seen: the size when the file was opened or met, or what was read if more.
    pub bytes: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was skipped, failed or is partial, in a few words without payload bytes.
    pub problem: Option<String>,
    /// The steps that decoded it, outermost first, as output names them: `utf-16le`, `csv`.
    pub chain: Vec<&'static str>,
    /// What it holds; absent where nothing was read.
    pub label: Option<Label>,
    /// Findings, sorted by start, end, rule.
    pub findings: Vec<Finding>,
    /// Identities of the findings in their order, where they rest on more than these: on all findings
    /// of a file of which some do not count. Empty: they are made of these.
    pub identities: Vec<[u8; 16]>,
    /// Findings that do not count, since something excepts them; they are not in `findings` or `label`.
    pub excepted: Vec<Excepted>,
    /// Findings past the cap, counted in the label but not kept in `findings`.
    pub truncated: u64,
    /// SHA-256 of the content, where a manifest was asked for and the file was read whole.
    pub digest: Option<[u8; 32]>,
    /// The effect that policy gives, where a decision was asked for.
    pub effect: Option<Effect>,
    /// Why it has this effect, for a person. Holds nothing that was claimed or found.
    pub reason: Option<String>,
    /// What a record says of the bytes, where one is kept and any were read.
    pub inspected: Option<Inspected>,
}

/// The bytes of a file that were read, as its record names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// How many were read.
    pub bytes: u64,
    /// Their keyed MAC.
    pub mac: [u8; 32],
    /// Microseconds from the opening of the file to its decision.
    pub latency_us: u64,
}

impl FileReport {
    /// A report that says nothing yet of what a file holds.
    pub fn new(path: PathBuf, bytes: u64, outcome: Outcome) -> FileReport {
        FileReport {
            path,
            commit: None,
            bytes,
            outcome,
            problem: None,
            chain: Vec::new(),
            label: None,
            findings: Vec::new(),
            identities: Vec::new(),
            excepted: Vec::new(),
            truncated: 0,
            digest: None,
            effect: None,
            reason: None,
            inspected: None,
        }
    }
}

/// Files and bytes of one outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The whole run in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that were met, whatever became of them.
    pub seen: Tally,
    /// Of these: inspected whole.
    pub scanned: Tally,
    /// Of these: inspected in part.
    pub partial: Tally,
    /// Of these: left out as asked.
    pub skipped: Tally,
    /// Of these: unreadable. Directories that could not be listed count as failed files of 0 bytes.
    pub failed: Tally,
    /// Files with at least one finding of band likely and up.
    pub files_with_findings: u64,
    /// Findings of band likely and up by category.
    pub findings: BTreeMap<CategoryIndex, u64>,
    /// Findings of band possible by category.
    pub possible: BTreeMap<CategoryIndex, u64>,
    /// Findings that do not count, by what excepts them.
    pub excepted: BTreeMap<ExceptionKind, u64>,
    /// What is to be said of the run beside its files, with regulated data masked; to be escaped
    /// where it is shown.
    pub notes: Vec<String>,
    /// Findings past a payload's cap.
    pub truncated: u64,
    /// Whether the run was stopped before all files were read.
    pub interrupted: bool,
    /// Highest effect of all files, where a decision was asked for.
    pub effect: Option<Effect>,
    /// Wall-clock time of the run in milliseconds.
    pub elapsed_ms: u64,
    /// Whether every decision, and these numbers, are durable in a ledger.
    pub recorded: bool,
    /// Id of the escalation that waits for a person, where one does.
    pub escalation: Option<String>,
}

impl Summary {
    /// Adds one file's report.
    pub fn add(&mut self, report: &FileReport) {
        let of_outcome = match report.outcome {
            Outcome::Scanned => &mut self.scanned,
            Outcome::Partial => &mut self.partial,
            Outcome::Skipped => &mut self.skipped,
            Outcome::Failed => &mut self.failed,
        };
        for tally in [of_outcome, &mut self.seen] {
            tally.files += 1;
            tally.bytes += report.bytes;
        }
        if let Some(label) = &report.label {
            self.files_with_findings += u64::from(!label.categories.is_empty());
            for (category, count) in &label.categories {
                *self.findings.entry(*category).or_default() += count.count;
            }
            for (category, count) in &label.possible {
                *self.possible.entry(*category).or_default() += count;
            }
        }
        for excepted in &report.excepted {
            *self.excepted.entry(excepted.kind).or_default() += 1;
        }
        self.truncated += report.truncated;
        self.effect = self.effect.max(report.effect);
    }
}
