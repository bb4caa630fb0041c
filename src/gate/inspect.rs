//! Blobs are scanned, and what they add is counted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use gix::bstr::{BStr, ByteSlice};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::added::Added;
use super::change::{self, Before, Change};
use super::exceptions::{Exceptions, Looked, Said};
use super::governing::GOVERNING;
use super::lfs::Pointer;
use super::repository::{Content, Repository, Shared, as_path};
use super::selected::{Item, Selected, select};
use super::{GateError, Selection, files, history, renames};
use crate::Scanner;
use crate::batch::{Filter, Progress};
use crate::classify::LabelBuilder;
use crate::engine::Classified;
use crate::model::{CategoryIndex, Coverage, FileReport, Finding, Label, Outcome, Reason, Summary};
use crate::respond::chain;

/// Findings of all files together that are kept, unless a plan says otherwise.
pub const KEPT: usize = 100_000;

/// Blobs whose reports wait for each other.
const ITEMS_TOGETHER: usize = 256;

/// Commits whose changes are found together.
const COMMITS_TOGETHER: usize = 256;

/// Fewer blobs than these are looked at by one thread: others would have to begin first.
const ALONE: usize = 8;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is looked at.
    pub selection: Selection,
    /// Whether whole files count, and not only the lines that were added.
    pub whole_files: bool,
    /// Files that are left out, which is said.
    pub filter: Filter,
    /// Whether they are left out even where they were named one by one.
    pub force_exclude: bool,
    /// Larger blobs are not read, which is partial coverage.
    pub max_blob_bytes: u64,
    /// Findings of all files together that are kept; more are counted, in the label too. [`KEPT`].
    pub max_findings: usize,
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
    /// What names exactly this: `tree` with the id of the tree that a commit would have; the ids of
    /// commits; paths with the ids or digests of files; the digest of a payload.
    pub identity: String,
    /// Categories of findings that something excepts.
    pub excepted: BTreeSet<CategoryIndex>,
    /// What is to be said of the run: why there is nothing to look at, what counts whole.
    pub notes: Vec<String>,
    /// Whether part of it could not be read.
    pub failed: bool,
    /// Whether commits of it change a file of the repository that governs.
    pub changes_governing: bool,
}

impl Gated {
    /// Whether there was nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.summary.seen.files == 0
    }
}

/// What a caller follows a run with, and ends it.
#[derive(Clone, Copy, Debug)]
pub struct Watch<'a> {
    /// How far it is.
    pub progress: &'a Progress,
    /// Once true, it ends.
    pub stop: &'a AtomicBool,
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
    watch: Watch<'_>,
    report: &mut dyn FnMut(FileReport) -> std::io::Result<()>,
) -> Result<Gated, GateError> {
    let Selected { items, commits, identity, notes } = select(repository, &plan.selection)?;
    let mut run = Run {
        repository,
        shared: repository.shared(),
        plan,
        scanner,
        watch,
        total: Total::default(),
        names: BTreeSet::new(),
    };
    run.deal(&items, report)?;
    for commits in commits.chunks(COMMITS_TOGETHER) {
        let changes = run.each(commits, |repository, id| history::changes(repository, *id))?;
        let mut items = Vec::new();
        for changes in changes {
            items.extend(changes?.into_iter().map(Item::Change));
        }
        run.deal(&items, report)?;
    }
    let names: Vec<String> = run.names.into_iter().collect();
    let identity = identity.unwrap_or_else(|| format!("files\n{}", names.join("\n")));
    Ok(run.total.finish(plan, scanner, identity, notes))
}

/// Looks at one payload, all of which counts.
///
/// # Errors
///
/// The report cannot be handed on.
pub fn payload(
    bytes: &[u8],
    path: &Path,
    plan: &Plan,
    scanner: &Scanner,
    report: &mut dyn FnMut(FileReport) -> std::io::Result<()>,
) -> Result<Gated, GateError> {
    let size = bytes.len() as u64;
    let inspected = if size > plan.max_blob_bytes {
        too_large(path.to_owned(), size, scanner)
    } else {
        counted(plan, scanner, (path.to_owned(), None), bytes, scanner.scan(bytes), &Added::All)
    };
    let mut total = Total::default();
    total.add(&inspected, plan.max_findings);
    report(inspected.report)?;
    Ok(total.finish(plan, scanner, format!("payload sha256:{}", digest(bytes)), Vec::new()))
}

fn digest(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

/// A run and how far it is.
struct Run<'a> {
    repository: &'a Repository,
    shared: Shared,
    plan: &'a Plan,
    scanner: &'a Scanner,
    watch: Watch<'a>,
    total: Total,
    /// What names the files that were named.
    names: BTreeSet<String>,
}

impl Run<'_> {
    /// Inspects things and hands on their reports in their order.
    fn deal(
        &mut self,
        items: &[Item],
        report: &mut dyn FnMut(FileReport) -> std::io::Result<()>,
    ) -> Result<(), GateError> {
        self.total.changes_governing |= items.iter().any(changes_governing);
        for items in items.chunks(ITEMS_TOGETHER) {
            let (plan, scanner) = (self.plan, self.scanner);
            let progress = self.watch.progress;
            let inspected = self.each(items, |repository, item| {
                let inspected = look_at(repository, plan, scanner, item);
                progress.files.fetch_add(1, Relaxed);
                progress.bytes.fetch_add(inspected.report.bytes, Relaxed);
                progress.findings.fetch_add(inspected.report.findings.len() as u64, Relaxed);
                inspected
            })?;
            for inspected in inspected {
                self.total.add(&inspected, plan.max_findings);
                self.names.extend(inspected.name);
                report(inspected.report)?;
            }
        }
        Ok(())
    }

    /// Does something with each of many, on all threads if that is worth it. The order stays.
    fn each<T: Sync, R: Send>(
        &self,
        all: &[T],
        act: impl Fn(&Repository, &T) -> R + Sync,
    ) -> Result<Vec<R>, GateError> {
        let stop = self.watch.stop;
        let unless_stopped = |repository: &Repository, one: &T| {
            if stop.load(Relaxed) { Err(GateError::Interrupted) } else { Ok(act(repository, one)) }
        };
        if all.len() < ALONE {
            return all.iter().map(|one| unless_stopped(self.repository, one)).collect();
        }
        let shared = &self.shared;
        let each =
            all.par_iter().map_init(|| shared.local(), |here, one| unless_stopped(here, one));
        each.collect()
    }
}

/// What became of one change.
struct Inspected {
    report: FileReport,
    counts: LabelBuilder,
    said: Said,
    /// What names its content, where nothing else does.
    name: Option<String>,
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
    changes_governing: bool,
}

impl Total {
    /// Adds what became of a change; at most `kept` findings are kept of all.
    fn add(&mut self, inspected: &Inspected, kept: usize) {
        let report = &inspected.report;
        self.said.merge(inspected.said.clone());
        self.excepted.extend(report.excepted.iter().map(|it| it.finding.category));
        self.summary.add(report);
        self.counts.merge(inspected.counts.clone());
        if let Some(label) = &report.label {
            self.coverage.get_or_insert_with(Coverage::complete).join(&label.coverage);
        }
        let room = kept.saturating_sub(self.findings.len());
        self.findings.extend(report.findings.iter().take(room).cloned());
        self.truncated += report.truncated + report.findings.len().saturating_sub(room) as u64;
    }

    fn finish(
        mut self,
        plan: &Plan,
        scanner: &Scanner,
        identity: String,
        notes: Vec<String>,
    ) -> Gated {
        let failed = self.summary.failed.files > 0;
        let all = matches!(plan.selection, Selection::Tracked | Selection::AllHistory);
        let everything = all && !failed && self.summary.skipped.files == 0;
        self.summary.notes = plan.exceptions.notes(&self.said, scanner, everything);
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
            notes,
            failed,
            changes_governing: self.changes_governing,
        }
    }
}

fn look_at(repository: &Repository, plan: &Plan, scanner: &Scanner, item: &Item) -> Inspected {
    match item {
        Item::Change(change) | Item::Named(change) => {
            let path = change.path.as_bstr();
            let named = matches!(item, Item::Named(_));
            if let Some(why) =
                (!named || plan.force_exclude).then(|| excluded(plan, path)).flatten()
            {
                return skipped(as_path(path), why);
            }
            let mut inspected = inspect(repository, plan, scanner, change);
            inspected.name = named.then(|| format!("{} {path}", change.id));
            inspected
        }
        Item::File(path, full) => {
            // Where it is, and not how it was named: a path may lead somewhere and back.
            let root = repository.worktree().and_then(|root| root.canonicalize().ok());
            let below = root.and_then(|root| full.strip_prefix(root).ok().map(Path::to_owned));
            let below = below.as_deref().unwrap_or(full).as_os_str().as_encoded_bytes().as_bstr();
            if let Some(why) = plan.force_exclude.then(|| excluded(plan, below)).flatten() {
                return skipped(path.clone(), why);
            }
            let bytes = match files::read(full, plan.max_blob_bytes) {
                Ok(Content::Whole(bytes)) => bytes,
                Ok(Content::TooLarge(size)) => return too_large(path.clone(), size, scanner),
                Err(error) => return failed(path.clone(), &error),
            };
            let classified = scanner.scan(&bytes);
            // Lists name files from the root.
            let listed = (as_path(below), None);
            let mut inspected = counted(plan, scanner, listed, &bytes, classified, &Added::All);
            inspected.report.path.clone_from(path);
            inspected.name = Some(format!("sha256:{} {below}", digest(&bytes)));
            let not_staged = "not in the index: this is the file of the working tree";
            inspected.report.problem.get_or_insert_with(|| not_staged.to_owned());
            inspected
        }
    }
}

/// Whether a commit brings another version of a file that governs.
fn changes_governing(item: &Item) -> bool {
    let Item::Change(change) = item else { return false };
    change.commit.is_some() && GOVERNING.iter().any(|name| change.path == *name)
}

/// Why a path is left out; none where it is not.
fn excluded(plan: &Plan, path: &BStr) -> Option<&'static str> {
    let path = as_path(path);
    let mut folders = path.ancestors().skip(1).filter(|it| !it.as_os_str().is_empty());
    folders.find_map(|it| plan.filter.skips(it, true)).or_else(|| plan.filter.skips(&path, false))
}

fn inspect(repository: &Repository, plan: &Plan, scanner: &Scanner, change: &Change) -> Inspected {
    let mut inspected = inspect_here(repository, plan, scanner, change);
    inspected.report.commit = change.commit.map(|id| id.to_string());
    inspected
}

fn inspect_here(
    repository: &Repository,
    plan: &Plan,
    scanner: &Scanner,
    change: &Change,
) -> Inspected {
    let path = as_path(change.path.as_bstr());
    if !change::is_blob(change.kind) {
        return skipped(path, "a submodule: its own repository has its own gate");
    }
    let bytes = match repository.blob(change.id, plan.max_blob_bytes) {
        Ok(Content::Whole(bytes)) => bytes,
        Ok(Content::TooLarge(size)) => return too_large(path, size, scanner),
        Err(error) => return failed(path, &error),
    };
    let pointer = Pointer::read(&bytes);
    let content = pointer.as_ref().and_then(|it| it.content(repository, plan.max_blob_bytes));
    let is_away = content.is_none() && Pointer::is_meant(&bytes);
    let bytes = content.unwrap_or(bytes);
    let mut classified = scanner.scan(&bytes);
    if is_away {
        classified.label.coverage.join(&Coverage::partial(Reason::Opaque));
    }
    let added = if plan.whole_files || classified.truncated > 0 {
        Ok(Added::All)
    } else if classified.findings.is_empty() {
        Ok(Added::none())
    } else {
        added(repository, plan, change, &bytes)
    };
    let mut inspected = match added {
        Ok(added) => {
            let commit = change.commit.map(|id| id.to_string());
            counted(plan, scanner, (path, commit), &bytes, classified, &added)
        }
        Err(error) => return failed(path, &error),
    };
    if is_away {
        let problem = "a Git LFS pointer, and its content is not here: `git lfs fetch` brings it";
        inspected.report.problem = Some(problem.to_owned());
    } else if pointer.is_some() {
        inspected.report.chain.insert(0, "git-lfs");
    }
    inspected
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
        let before = match before {
            Before::Blob(id) => match repository.blob(*id, plan.max_blob_bytes)? {
                Content::Whole(before) => Some(before),
                Content::TooLarge(_) => None,
            },
            Before::OneOf(gone) => {
                // What was left out or excepted where it was is new where it is not.
                let counted = |it: &&change::Gone| {
                    let path = as_path(it.path.as_bstr());
                    excluded(plan, it.path.as_bstr()).is_none() && !plan.exceptions.name_path(&path)
                };
                let gone: Vec<change::Gone> = gone.iter().filter(counted).cloned().collect();
                if gone.iter().any(|it| it.id == change.id) {
                    return Ok(added.and(Added::none()));
                }
                renames::most_like(repository, &gone, &change.path, bytes)?
            }
        };
        let Some(before) = before else {
            continue;
        };
        let pointer = Pointer::read(&before);
        let content = pointer.and_then(|it| it.content(repository, plan.max_blob_bytes));
        added = added.and(Added::between(&content.unwrap_or(before), bytes));
    }
    Ok(added)
}

fn skipped(path: PathBuf, why: &str) -> Inspected {
    let mut report = FileReport::new(path, 0, Outcome::Skipped);
    report.problem = Some(why.to_owned());
    Inspected { report, counts: LabelBuilder::new(), said: Said::default(), name: None }
}

fn too_large(path: PathBuf, size: u64, scanner: &Scanner) -> Inspected {
    let mut report = FileReport::new(path, size, Outcome::Partial);
    report.problem = Some(format!("{size} bytes, more than is read (`--max-blob-size`)"));
    let coverage = Coverage::partial(Reason::Limit);
    report.label = Some(LabelBuilder::new().finish(scanner.rules(), coverage));
    Inspected { report, counts: LabelBuilder::new(), said: Said::default(), name: None }
}

fn counted(
    plan: &Plan,
    scanner: &Scanner,
    (path, commit): (PathBuf, Option<String>),
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
    Inspected { report, counts, said: sorted.said, name: None }
}

fn failed(path: PathBuf, error: &dyn std::fmt::Display) -> Inspected {
    let mut report = FileReport::new(path, 0, Outcome::Failed);
    report.problem = Some(error.to_string());
    Inspected { report, counts: LabelBuilder::new(), said: Said::default(), name: None }
}
