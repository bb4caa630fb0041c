//! Blobs are scanned, and what they add is counted.

use std::collections::BTreeSet;

use gix::bstr::ByteSlice;

use super::added::Added;
use super::change::{self, Change, Difference};
use super::exceptions::{Exceptions, Looked, Said};
use super::repository::{Content, Repository, as_path};
use super::staged::Staged;
use super::{GateError, Selection};
use crate::Scanner;
use crate::classify::LabelBuilder;
use crate::engine::Classified;
use crate::model::{CategoryIndex, Coverage, FileReport, Finding, Label, Outcome, Reason, Summary};
use crate::respond::chain;

/// Findings of all files together that are kept; more are counted.
const KEPT: usize = 100_000;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is looked at.
    pub selection: Selection,
    /// Whether whole files count, and not only the lines that were added.
    pub whole_files: bool,
    /// Larger blobs are not read, which is partial coverage.
    pub max_blob_bytes: u64,
    /// What excepts findings.
    pub exceptions: Exceptions,
}

/// What all that was looked at adds.
#[derive(Clone, Debug)]
pub struct Gated {
    /// Categories, sensitivity and coverage of what was added.
    pub label: Label,
    /// What was found, file by file.
    pub findings: Vec<Finding>,
    /// Findings that were counted and not kept.
    pub truncated: u64,
    /// Files and bytes that were looked at.
    pub summary: Summary,
    /// What names exactly this: `tree` with the id of the tree that a commit would have.
    pub identity: String,
    /// Categories of findings that something excepts.
    pub excepted: BTreeSet<CategoryIndex>,
    /// Whether all of it could be read.
    pub failed: bool,
}

impl Gated {
    /// Whether there was nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.summary.seen.files == 0
    }
}

/// Looks at what a plan selects, and hands on a report for each file.
///
/// # Errors
///
/// The repository cannot be read, or the report cannot be handed on.
pub fn run(
    repository: &Repository,
    plan: &Plan,
    scanner: &Scanner,
    report: &mut dyn FnMut(FileReport) -> std::io::Result<()>,
) -> Result<Gated, GateError> {
    let staged = Staged::read(repository)?;
    let difference = match plan.selection {
        Selection::Staged => {
            let head = repository.head()?.map(|head| repository.tree_of(head)).transpose()?;
            staged.against(head)?
        }
        Selection::Tracked => staged.all()?,
    };
    let identity = format!("tree {}", staged.tree()?);
    let mut total = Total::default();
    let Difference { changes, .. } = difference;
    for change in &changes {
        let inspected = inspect(repository, plan, scanner, change);
        total.add(&inspected);
        report(inspected.report)?;
    }
    Ok(total.finish(plan, scanner, identity))
}

/// What became of one change.
struct Inspected {
    report: FileReport,
    counts: LabelBuilder,
    said: Said,
}

#[derive(Default)]
struct Total {
    counts: LabelBuilder,
    coverage: Option<Coverage>,
    findings: Vec<Finding>,
    truncated: u64,
    summary: Summary,
    excepted: BTreeSet<CategoryIndex>,
    said: Said,
}

impl Total {
    fn add(&mut self, inspected: &Inspected) {
        let report = &inspected.report;
        self.said.merge(inspected.said.clone());
        self.excepted.extend(report.excepted.iter().map(|it| it.finding.category));
        self.summary.add(report);
        self.counts.merge(inspected.counts.clone());
        if let Some(label) = &report.label {
            self.coverage.get_or_insert_with(Coverage::complete).join(&label.coverage);
        }
        let room = KEPT.saturating_sub(self.findings.len());
        self.findings.extend(report.findings.iter().take(room).cloned());
        self.truncated += report.truncated + report.findings.len().saturating_sub(room) as u64;
    }

    fn finish(mut self, plan: &Plan, scanner: &Scanner, identity: String) -> Gated {
        let failed = self.summary.failed.files > 0;
        let everything = plan.selection == Selection::Tracked && !failed;
        self.summary.notes = plan.exceptions.notes(&self.said, scanner.rules(), everything);
        let mut coverage = self.coverage.unwrap_or_else(Coverage::complete);
        if failed {
            coverage.join(&Coverage::partial(Reason::Error));
        }
        Gated {
            label: self.counts.finish(scanner.rules(), coverage),
            findings: self.findings,
            truncated: self.truncated,
            summary: self.summary,
            identity,
            excepted: self.excepted,
            failed,
        }
    }
}

fn inspect(repository: &Repository, plan: &Plan, scanner: &Scanner, change: &Change) -> Inspected {
    let path = as_path(change.path.as_bstr());
    if !change::is_blob(change.kind) {
        let mut report = FileReport::new(path, 0, Outcome::Skipped);
        report.problem = Some("a submodule: its own repository has its own gate".to_owned());
        return Inspected { report, counts: LabelBuilder::new(), said: Said::default() };
    }
    let bytes = match repository.blob(change.id, plan.max_blob_bytes) {
        Ok(Content::Whole(bytes)) => bytes,
        Ok(Content::TooLarge(size)) => {
            let mut report = FileReport::new(path, size, Outcome::Partial);
            let problem = format!("{size} bytes, more than is read (`--max-blob-size`)");
            report.problem = Some(problem);
            let coverage = Coverage::partial(Reason::Limit);
            report.label = Some(LabelBuilder::new().finish(scanner.rules(), coverage));
            return Inspected { report, counts: LabelBuilder::new(), said: Said::default() };
        }
        Err(error) => return failed(path, &error),
    };
    let classified = scanner.scan(&bytes);
    let added = if plan.whole_files || classified.truncated > 0 {
        Ok(Added::All)
    } else if classified.findings.is_empty() {
        Ok(Added::Lines(Vec::new()))
    } else {
        added(repository, plan, change, &bytes)
    };
    match added {
        Ok(added) => {
            let commit = change.commit.map(|id| id.to_string());
            counted(plan, scanner, (path, commit), &bytes, classified, &added)
        }
        Err(error) => failed(path, &error),
    }
}

/// The lines that a change adds to what was there before.
fn added(
    repository: &Repository,
    plan: &Plan,
    change: &Change,
    bytes: &[u8],
) -> Result<Added, GateError> {
    let mut added = Added::All;
    for before in &change.before {
        added = match repository.blob(*before, plan.max_blob_bytes)? {
            Content::Whole(before) => added.and(Added::between(&before, bytes)),
            Content::TooLarge(_) => added,
        };
    }
    Ok(added)
}

fn counted(
    plan: &Plan,
    scanner: &Scanner,
    (path, commit): (std::path::PathBuf, Option<String>),
    bytes: &[u8],
    classified: Classified,
    added: &Added,
) -> Inspected {
    let Classified { label, findings, truncated, format } = classified;
    let mut coverage = label.coverage;
    if truncated > 0 {
        // Nobody knows which lines those are in that were not kept.
        coverage.join(&Coverage::partial(Reason::Limit));
    }
    let mut counts = LabelBuilder::new();
    let complete = truncated == 0;
    let looked = Looked { path: &path, commit, bytes, format, findings: &findings, complete };
    let sorted = plan.exceptions.sort(&looked, scanner, |it| added.touches(it.span));
    let mut report = FileReport::new(path, bytes.len() as u64, Outcome::Scanned);
    report.findings = sorted.findings;
    report.identities = sorted.identities;
    report.excepted = sorted.excepted;
    for finding in &report.findings {
        let value = finding.fingerprint.map_or(0, |it| u128::from_be_bytes(it.0));
        counts.add(finding.category, finding.likelihood, value);
    }
    if !coverage.is_complete() {
        report.outcome = Outcome::Partial;
    }
    report.label = Some(counts.clone().finish(scanner.rules(), coverage));
    report.truncated = truncated;
    report.chain = chain(format);
    Inspected { report, counts, said: sorted.said }
}

fn failed(path: std::path::PathBuf, error: &GateError) -> Inspected {
    let mut report = FileReport::new(path, 0, Outcome::Failed);
    report.problem = Some(error.to_string());
    Inspected { report, counts: LabelBuilder::new(), said: Said::default() }
}
