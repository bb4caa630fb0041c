//! What rules cost on a corpus: a scan of it as `sluice scan` makes it, with its work counted.

use std::cmp::Reverse;
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};
use sluicegate::RuleSet;
use sluicegate::batch::{self, Filter, Plan, Progress, Roots};
use sluicegate::engine::Options;
use sluicegate::model::Summary;
use sluicegate::scan::sweep::Kernel;
use sluicegate::scan::{RuleWork, Work};

use super::anchor_kind;
use crate::UsageError;
use crate::kernel;
use crate::names::shown;

/// What a scan of a corpus took.
pub struct Cost {
    work: Work,
    rows: Vec<Row>,
    summary: Summary,
}

/// A rule, or an automaton that several rules share.
struct Row {
    name: String,
    anchor: &'static str,
    /// Rules that share it; none for a rule.
    shared_by: Option<Vec<String>>,
    work: RuleWork,
}

impl Cost {
    /// Scans a corpus on one thread: where a file is split follows the threads, and with it what is
    /// read twice.
    pub fn of(paths: &[PathBuf], rules: &Arc<RuleSet>, kernel: Kernel) -> anyhow::Result<Cost> {
        let roots = Roots::check(paths).map_err(|error| UsageError(error.named(shown)))?;
        let plan = Plan {
            roots,
            filter: Filter::new(&[], &[])?,
            max_file_size: None,
            threads: NonZeroUsize::MIN,
            digests: false,
            rulings: None,
            macs: None,
            leave_out: Vec::new(),
            estimate: false,
        };
        let options = Options { kernel, max_findings: 0, ..Options::default() };
        let scanner = kernel::scanner(rules, options)?.counting();
        let (progress, stop) = (Progress::default(), AtomicBool::new(false));
        let summary = batch::run(&plan, &scanner, &progress, &stop, &mut |_| Ok(()))?;
        let work = scanner.work().unwrap_or_default();
        let mut rows = rows(scanner.rules(), &work);
        rows.sort_by(|a, b| {
            let weight = |row: &Row| (row.work.read, row.work.tries, row.work.anchors);
            (Reverse(weight(a)), &a.name).cmp(&(Reverse(weight(b)), &b.name))
        });
        Ok(Cost { work, rows, summary })
    }

    /// A table for people, the costliest rows first.
    pub fn table(&self, limit: usize) -> String {
        let mut out = String::new();
        let swept = self.work.swept;
        let unread = self.summary.failed.files + self.summary.partial.files;
        if unread > 0 {
            let _ = writeln!(out, "{unread} files were read in part or not at all\n");
        }
        if swept == 0 {
            out.push_str("the corpus is empty: no byte was scanned\n");
            return out;
        }
        let shown = self.rows.iter().take(limit);
        let width = shown.clone().map(|row| row.name.len()).max().unwrap_or(0).max(4);
        let head = ["anchors", "tries", "bytes read", "matches", "share"];
        let [anchors, tries, read, matches, share] = head;
        let _ = writeln!(
            out,
            "{:width$}  {:14} {anchors:>12} {tries:>12} {read:>14} {matches:>10} {share:>7}",
            "rule", "anchor"
        );
        for row in shown {
            let RuleWork { anchors, tries, read, matches } = row.work;
            let share = percent(read, self.work.read());
            let (tries, matches) = match row.shared_by {
                Some(_) => ("-".to_owned(), "-".to_owned()),
                None => (tries.to_string(), matches.to_string()),
            };
            let _ = writeln!(
                out,
                "{:width$}  {:14} {anchors:>12} {tries:>12} {read:>14} {matches:>10} {share:>6.1}%",
                row.name, row.anchor
            );
        }
        if self.rows.len() > limit {
            let rest = self.rows.iter().skip(limit);
            let read: u64 = rest.map(|row| row.work.read).sum();
            let share = percent(read, self.work.read());
            let _ = writeln!(out, "and {} more: {share:.1} %", self.rows.len() - limit);
        }
        let (files, anchors, read) =
            (self.summary.seen.files, self.work.anchors(), self.work.read());
        let _ = writeln!(
            out,
            "\n{files} files, {swept} bytes swept once for all rules, {anchors} anchors, \
             {read} bytes read by automata"
        );
        let dominant = if self.is_swept_mostly() {
            "the sweep for anchors reads more than all rules: which rules there are matters little here"
        } else {
            "the rules read more than the sweep for anchors: the first rows are where work can be saved"
        };
        let _ = writeln!(out, "{dominant}");
        out
    }

    fn is_swept_mostly(&self) -> bool {
        self.work.swept >= self.work.read()
    }

    /// The same for programs.
    pub fn as_json(&self, limit: usize) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .take(limit)
            .map(|row| {
                let RuleWork { anchors, tries, read, matches } = row.work;
                let share = percent(read, self.work.read()) / 100.0;
                match &row.shared_by {
                    Some(rules) => json!({
                        "shared_by": rules, "anchor": row.anchor, "anchors": anchors,
                        "bytes_read": read, "share": share,
                    }),
                    None => json!({
                        "rule": row.name, "anchor": row.anchor, "anchors": anchors, "tries": tries,
                        "bytes_read": read, "matches": matches, "share": share,
                    }),
                }
            })
            .collect();
        json!({
            "files": self.summary.seen.files,
            "files_not_read_whole": self.summary.failed.files + self.summary.partial.files,
            "bytes_swept": self.work.swept,
            "anchors": self.work.anchors(),
            "bytes_read": self.work.read(),
            "mostly": if self.is_swept_mostly() { "sweep" } else { "rules" },
            "costs": rows,
        })
    }
}

/// Rules whose anchors were met, and shared automata that read anything.
fn rows(rules: &RuleSet, work: &Work) -> Vec<Row> {
    let plain = rules.rules.iter().zip(&work.rules).filter(|(_, work)| work.anchors > 0);
    let plain = plain.map(|(rule, work)| Row {
        name: rule.id.clone(),
        anchor: anchor_kind(&rule.anchors),
        shared_by: None,
        work: *work,
    });
    let shared = work.shared.iter().filter(|shared| shared.read > 0).map(|shared| {
        let of = || shared.rules.iter().filter_map(|position| rules.rules.get(*position));
        let first = of().next();
        let others = shared.rules.len().saturating_sub(1);
        let name = first.map_or_else(String::new, |rule| rule.id.clone());
        Row {
            name: format!("shared: {name} and {others} more"),
            anchor: first.map_or("", |rule| anchor_kind(&rule.anchors)),
            shared_by: Some(of().map(|rule| rule.id.clone()).collect()),
            work: RuleWork { anchors: shared.anchors, read: shared.read, ..RuleWork::default() },
        }
    });
    plain.chain(shared).collect()
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}
