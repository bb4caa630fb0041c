//! Paths come in; a report for each file, in a stable order, and a summary come out.
//!
//! The scan sees what an auditor expects: hidden and git-ignored files are read like all others,
//! symbolic links are reported and not followed (a root that is one is, for itself only), and
//! neither a link that appears while the scan runs nor `..` leads out of a root. FIFOs, sockets and
//! devices are reported and never opened for reading. What cannot be listed or read is a failed
//! file with its reason.
//!
//! Promised:
//! - Every file that was met has one report, and the summary adds up: seen = scanned + partial +
//!   skipped + failed.
//! - Reports come byte-wise by path, however many threads work.
//! - Memory is bounded: a buffer of 1 MiB and one payload's findings a worker, a window of results
//!   that wait for a slow file before them, and the entries of the directories being listed.
//! - A file is read by position up to the size it had when it was opened. One that shrinks is
//!   partial with what was there; one that grows is partial with what it had, and so is one that
//!   an interruption cut short.

mod beneath;
mod filter;
pub mod manifest;
mod order;
mod read;
mod roots;
mod walk;

use std::io;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use crate::engine::Scanner;
use crate::model::{Effect, FileReport, Label, Outcome, Summary};

use order::Order;
use read::Reader;
use walk::{Item, Met, walk};

pub use filter::{Filter, FilterError};
pub use roots::{Roots, RootsError};

/// Reports that may be out at once, being made or waiting for one before them.
const WINDOW: u64 = 1024;

/// Findings that may wait for a slow file before them.
const WAITING_FINDINGS: usize = 16 * 1024;

/// The largest number of worker threads.
pub const MAX_THREADS: usize = 256;

/// What a scan is to do.
pub struct Plan<'a> {
    /// Where to begin.
    pub roots: Roots,
    /// What to leave out.
    pub filter: Filter,
    /// Files of more bytes are skipped; none: no limit.
    pub max_file_size: Option<u64>,
    /// Worker threads; more than [`MAX_THREADS`] are cut to that.
    pub threads: NonZeroUsize,
    /// Whether reports carry a SHA-256 of the file.
    pub digests: bool,
    /// What policy says of a label, where a decision is wanted. A failed file is `block`; one that
    /// was skipped has no effect.
    pub decide: Option<Decide<'a>>,
    /// Files that belong to the scan itself, such as its own report: passed over, not met.
    pub leave_out: Vec<FileId>,
    /// Whether a second walk adds up how much there is, for [`Progress`].
    pub estimate: bool,
}

/// The effect that a label has.
pub type Decide<'a> = &'a (dyn Fn(&Label) -> Effect + Sync);

/// A file, whatever its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    /// The device that holds it.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// How far a scan is; shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Files that were dealt with.
    pub files: AtomicU64,
    /// Bytes that were read.
    pub bytes: AtomicU64,
    /// Findings of band likely and up in them.
    pub findings: AtomicU64,
    /// Bytes that there are to read, as far as is known.
    pub total_bytes: AtomicU64,
    /// Whether `total_bytes` is all.
    pub total_is_known: AtomicBool,
}

/// Runs a scan, handing each report to `sink` in order.
///
/// Where `stop` becomes true, no new file is begun, those being read end at their next read as
/// partial, and the summary says that the run was interrupted; files that were not begun are not
/// in it.
///
/// # Errors
/// Only those of `sink`, which end the scan. What cannot be read is in the reports.
pub fn run(
    plan: &Plan<'_>,
    scanner: &Scanner,
    progress: &Progress,
    stop: &AtomicBool,
    sink: &mut dyn FnMut(FileReport) -> io::Result<()>,
) -> io::Result<Summary> {
    let begun = Instant::now();
    let mut summary = Summary::default();
    let run = Run {
        plan,
        scanner,
        progress,
        stop,
        order: Order::new(WINDOW, WAITING_FINDINGS),
        abandoned: AtomicBool::new(false),
        cut_short: AtomicBool::new(false),
    };
    let threads = plan.threads.get().min(MAX_THREADS);
    let (jobs, queue) = crossbeam_channel::bounded(4 * threads);
    let outcome = std::thread::scope(|scope| {
        let run = &run;
        for _ in 0..threads {
            let queue = queue.clone();
            scope.spawn(move || run.work(&queue));
        }
        drop(queue);
        scope.spawn(move || run.give_out(&jobs));
        if plan.estimate {
            scope.spawn(|| run.estimate());
        }
        let outcome = run.collect(&mut summary, sink);
        run.abandoned.store(true, Relaxed);
        run.order.abandon();
        outcome
    });
    summary.interrupted = run.cut_short.load(Relaxed);
    summary.elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    outcome.map(|()| summary)
}

/// What the threads of a run share.
struct Run<'a, 'b> {
    plan: &'a Plan<'b>,
    scanner: &'a Scanner,
    progress: &'a Progress,
    stop: &'a AtomicBool,
    order: Order<FileReport>,
    /// The results are no longer wanted, or all are there.
    abandoned: AtomicBool,
    /// Something was left undone because of `stop`.
    cut_short: AtomicBool,
}

type Job<'a> = (u64, Item<'a>);

impl Run<'_, '_> {
    fn is_stopping(&self) -> bool {
        self.stop.load(Relaxed) || self.abandoned.load(Relaxed)
    }

    /// Walks the roots and numbers what it meets.
    fn give_out<'s>(&'s self, jobs: &crossbeam_channel::Sender<Job<'s>>) {
        let filter = &self.plan.filter;
        let skips = |_: &_, below: &_, is_directory| filter.skips(below, is_directory);
        let end = walk(&self.plan.roots, &skips, &self.plan.leave_out, &mut |item| {
            if self.is_stopping() {
                return ControlFlow::Break(());
            }
            let Some(number) = self.order.reserve() else { return ControlFlow::Break(()) };
            if item.met == Met::File {
                if jobs.send((number, item)).is_err() {
                    return ControlFlow::Break(());
                }
            } else {
                self.progress.files.fetch_add(1, Relaxed);
                self.order.put(number, 1, Some(self.settled(item)));
            }
            ControlFlow::Continue(())
        });
        if end.is_break() {
            self.cut_short.store(true, Relaxed);
        }
        self.order.close();
    }

    /// Reads and scans files until there are no more.
    fn work(&self, jobs: &crossbeam_channel::Receiver<Job<'_>>) {
        let stopping = || self.is_stopping();
        let mut reader = Reader::new(self.plan, self.scanner, self.progress, &stopping);
        for (number, item) in jobs {
            if self.is_stopping() {
                self.cut_short.store(true, Relaxed);
                self.order.put(number, 0, None);
                continue;
            }
            // A defect of the engine must neither end the scan nor leave a hole in its results.
            let report = catch_unwind(AssertUnwindSafe(|| reader.report(&item)))
                .unwrap_or_else(|_| reader.broken(&item));
            if reader.was_interrupted() {
                self.cut_short.store(true, Relaxed);
            }
            self.progress.files.fetch_add(1, Relaxed);
            self.order.put(number, 1 + report.findings.len(), Some(report));
        }
    }

    fn collect(
        &self,
        summary: &mut Summary,
        sink: &mut dyn FnMut(FileReport) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some(reports) = self.order.take() {
            for report in reports {
                summary.add(&report);
                sink(report)?;
            }
        }
        Ok(())
    }

    /// The report of something that needs no reading.
    fn settled(&self, item: Item<'_>) -> FileReport {
        let path = item.root.join(&item.below);
        match item.met {
            Met::Skipped(bytes, reason) => FileReport {
                bytes,
                problem: Some(reason.to_owned()),
                ..blank(path, Outcome::Skipped)
            },
            Met::Failed(problem) => FileReport {
                problem: Some(problem),
                effect: self.plan.decide.map(|_| Effect::Block),
                ..blank(path, Outcome::Failed)
            },
            Met::File => blank(path, Outcome::Failed),
        }
    }

    /// Adds up the sizes of what the walk is going to meet.
    fn estimate(&self) {
        let filter = &self.plan.filter;
        let skips = |_: &_, below: &_, is_directory| filter.skips(below, is_directory);
        let total = &self.progress.total_bytes;
        let largest = self.plan.max_file_size.unwrap_or(u64::MAX);
        let end = walk(&self.plan.roots, &skips, &self.plan.leave_out, &mut |item| {
            if self.is_stopping() {
                return ControlFlow::Break(());
            }
            if item.met == Met::File {
                total.fetch_add(
                    Some(item.size()).filter(|size| *size <= largest).unwrap_or(0),
                    Relaxed,
                );
            }
            ControlFlow::Continue(())
        });
        self.progress.total_is_known.store(end.is_continue(), Relaxed);
    }
}

/// A report that says nothing yet.
fn blank(path: std::path::PathBuf, outcome: Outcome) -> FileReport {
    FileReport {
        path,
        bytes: 0,
        outcome,
        problem: None,
        chain: Vec::new(),
        label: None,
        findings: Vec::new(),
        truncated: 0,
        digest: None,
        effect: None,
    }
}
