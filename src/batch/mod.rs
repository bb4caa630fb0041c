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
mod segments;
mod walk;

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use crate::engine::Scanner;
use crate::model::{Effect, FileReport, Label, Outcome, Summary};
use crate::record::Macs;

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
    /// What policy says of files, where a decision is wanted; one that was skipped has no effect.
    pub rulings: Option<Rulings<'a>>,
    /// What makes MACs of what was read, where it is to be recorded.
    pub macs: Option<&'a Macs>,
    /// Files that belong to the scan itself, such as its own report: passed over, not met.
    pub leave_out: Vec<FileId>,
    /// Whether a second walk adds up how much there is, for [`Progress`].
    pub estimate: bool,
}

/// What policy says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// What may happen.
    pub effect: Effect,
    /// Why, for a person.
    pub reason: String,
}

/// How files are decided.
#[derive(Clone)]
pub struct Rulings<'a> {
    /// What policy says of a label, to which it may add what the files carry.
    pub of: &'a (dyn Fn(&mut Label) -> Ruling + Sync),
    /// What it says of a file that failed.
    pub failed: Ruling,
}

impl Rulings<'_> {
    /// Puts what policy says of a failed file into its report.
    fn fail(&self, report: &mut FileReport) {
        report.effect = Some(self.failed.effect);
        report.reason = Some(self.failed.reason.clone());
    }
}

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
        large: Mutex::new(()),
    };
    let threads = plan.threads.get().min(MAX_THREADS);
    // As many files as may be out: the walk waits for room in `order` alone, where it is woken once
    // for many reports and not once for each file.
    let (jobs, queue) = crossbeam_channel::bounded(usize::try_from(WINDOW).unwrap_or(threads));
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
    /// Held by the thread whose file gets all threads.
    large: Mutex<()>,
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
        let mut reader =
            Reader::new(self.plan, self.scanner, self.progress, &stopping, &self.large);
        let mut ahead = VecDeque::new();
        // Numbers are taken in order: the least one that is out is always being worked on.
        while let Some((number, item)) = ahead.pop_front().or_else(|| jobs.recv().ok()) {
            while reader.is_waiting()
                && ahead.len() < read::AHEAD
                && let Ok(job) = jobs.try_recv()
            {
                read::announce(&job.1);
                ahead.push_back(job);
            }
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
            Met::Failed(problem) => failed(self.plan, path, problem),
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

/// The report of a file that failed.
fn failed(plan: &Plan<'_>, path: std::path::PathBuf, problem: String) -> FileReport {
    let mut report = FileReport { problem: Some(problem), ..blank(path, Outcome::Failed) };
    if let Some(rulings) = &plan.rulings {
        rulings.fail(&mut report);
    }
    report
}

/// A report that says nothing yet.
fn blank(path: std::path::PathBuf, outcome: Outcome) -> FileReport {
    FileReport::new(path, 0, outcome)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::engine::Options;
    use crate::rules::RuleSet;

    fn scanner() -> Scanner {
        Scanner::new(Arc::new(RuleSet::default()), Options::default())
    }

    fn plan(path: &Path, threads: usize) -> Plan<'static> {
        Plan {
            roots: Roots::check(&[path.to_owned()]).unwrap(),
            filter: Filter::default(),
            max_file_size: None,
            threads: NonZeroUsize::new(threads).unwrap(),
            digests: false,
            rulings: None,
            macs: None,
            leave_out: Vec::new(),
            estimate: true,
        }
    }

    /// More files than the window holds, one of them slow to read.
    fn many() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        std::fs::write(tree.path().join("0"), vec![b'x'; 3 << 20]).unwrap();
        for directory in 0..30 {
            let directory = tree.path().join(format!("{directory:02}"));
            std::fs::create_dir(&directory).unwrap();
            for file in 0..40 {
                std::fs::write(directory.join(file.to_string()), "text").unwrap();
            }
        }
        tree
    }

    #[test]
    fn reports_are_sorted_and_add_up_with_any_number_of_threads() {
        let tree = many();
        for threads in [1, 7] {
            let progress = Progress::default();
            let mut paths = Vec::new();
            let stop = AtomicBool::new(false);
            let summary =
                run(&plan(tree.path(), threads), &scanner(), &progress, &stop, &mut |report| {
                    paths.push(report.path);
                    Ok(())
                })
                .unwrap();
            assert_eq!(paths.len(), 1201);
            assert!(paths.is_sorted_by_key(|path| path.as_os_str().to_owned()));
            let bytes = (3 << 20) + 1200 * 4;
            assert_eq!(summary.scanned, crate::model::Tally { files: 1201, bytes });
            assert_eq!(summary.seen, summary.scanned);
            assert!(!summary.interrupted);
            assert_eq!(progress.bytes.load(Relaxed), bytes);
            assert_eq!(progress.files.load(Relaxed), 1201);
        }
    }

    #[test]
    fn an_error_of_the_sink_ends_the_run() {
        let tree = many();
        let stop = AtomicBool::new(false);
        let mut taken = 0;
        let outcome =
            run(&plan(tree.path(), 3), &scanner(), &Progress::default(), &stop, &mut |_| {
                taken += 1;
                if taken < 5 { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
            });
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(taken, 5);
    }

    #[test]
    fn stopping_ends_with_a_summary_of_what_was_seen() {
        let tree = many();
        let stop = AtomicBool::new(false);
        let mut taken = 0;
        let summary =
            run(&plan(tree.path(), 2), &scanner(), &Progress::default(), &stop, &mut |_| {
                taken += 1;
                stop.store(taken >= 3, Relaxed);
                Ok(())
            })
            .unwrap();
        assert!(summary.interrupted);
        assert_eq!(summary.seen.files, taken);
        assert!(taken < 1201);
    }

    #[test]
    fn a_failing_step_costs_one_file_and_not_the_run() {
        let tree = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            std::fs::write(tree.path().join(name), name.repeat(7)).unwrap();
        }
        let calls = AtomicU64::new(0);
        let ruling = |effect| Ruling { effect, reason: String::new() };
        let fails = |_: &mut Label| {
            assert_ne!(calls.fetch_add(1, Relaxed), 1, "the step that fails");
            ruling(Effect::Allow)
        };
        let rulings = Rulings { of: &fails, failed: ruling(Effect::Block) };
        let plan = Plan { rulings: Some(rulings), ..plan(tree.path(), 1) };
        let mut reports = Vec::new();
        let stop = AtomicBool::new(false);
        let summary = run(&plan, &scanner(), &Progress::default(), &stop, &mut |report| {
            reports.push((report.outcome, report.bytes, report.effect));
            Ok(())
        })
        .unwrap();
        let scanned = (Outcome::Scanned, 7, Some(Effect::Allow));
        assert_eq!(reports, [scanned, (Outcome::Failed, 7, Some(Effect::Block)), scanned]);
        assert_eq!((summary.failed.files, summary.effect), (1, Some(Effect::Block)));
    }

    #[test]
    fn files_of_the_scan_itself_are_passed_over() {
        let tree = tempfile::tempdir().unwrap();
        for name in ["report", "data"] {
            std::fs::write(tree.path().join(name), "").unwrap();
        }
        let own = std::fs::metadata(tree.path().join("report")).unwrap();
        let plan = Plan { leave_out: vec![FileId::from_metadata(&own)], ..plan(tree.path(), 1) };
        let stop = AtomicBool::new(false);
        let mut paths = Vec::new();
        run(&plan, &scanner(), &Progress::default(), &stop, &mut |report| {
            paths.push(report.path);
            Ok(())
        })
        .unwrap();
        assert_eq!(paths, [tree.path().join("data")]);
    }
}
