//! The JSON document and JSON lines.

use std::io;

use serde::Serialize;

use super::shape::{
    ExceptionShape, FindingShape, FindingsShape, LabelShape, MadeBy, Shaper, SummaryShape,
};
use crate::model::{Effect, FileReport, Summary};

/// `{"sluice": ..., "files": [...], "summary": ...}`, one file a line.
#[derive(Default)]
pub(super) struct Json {
    files: u64,
}

impl Json {
    pub(super) fn begin(&mut self, out: &mut impl io::Write, shaper: &Shaper) -> io::Result<()> {
        write!(out, "{{\"sluice\":")?;
        serde_json::to_writer(&mut *out, &shaper.made_by())?;
        write!(out, ",\n\"files\":[")
    }

    pub(super) fn file(
        &mut self,
        out: &mut impl io::Write,
        shaper: &Shaper,
        report: &FileReport,
    ) -> io::Result<()> {
        out.write_all(if self.files == 0 { b"\n" } else { b",\n" })?;
        self.files += 1;
        let path = shaper.path(&report.path);
        let findings = shaper.findings(&report.findings, Some(&path), &report.chain);
        let exceptions = shaper.exceptions(&report.excepted, Some(&path), &report.chain);
        let shape = FileShape::new(shaper, report, &path);
        let file = FileShape { findings: Some(findings), exceptions, ..shape };
        Ok(serde_json::to_writer(out, &file)?)
    }

    pub(super) fn finish(
        &mut self,
        out: &mut impl io::Write,
        shaper: &Shaper,
        summary: &Summary,
    ) -> io::Result<()> {
        write!(out, "\n],\n\"summary\":")?;
        serde_json::to_writer(&mut *out, &shaper.summary(summary))?;
        writeln!(out, "}}")
    }
}

/// The line of a file, then one for each of its shown findings.
pub(super) fn lines_file(
    out: &mut impl io::Write,
    shaper: &Shaper,
    report: &FileReport,
) -> io::Result<()> {
    let path = shaper.path(&report.path);
    line(out, &Line::File(FileShape::new(shaper, report, &path)))?;
    for finding in report.findings.iter().filter(|finding| shaper.filter.shows(finding)) {
        line(out, &Line::Finding(shaper.finding(finding, Some(&path), &report.chain)))?;
    }
    for exception in shaper.exceptions(&report.excepted, Some(&path), &report.chain) {
        line(out, &Line::Exception(exception))?;
    }
    Ok(())
}

/// The last line: what made the report, and the summary.
pub(super) fn lines_finish(
    out: &mut impl io::Write,
    shaper: &Shaper,
    summary: &Summary,
) -> io::Result<()> {
    let summary = shaper.summary(summary);
    line(out, &Line::Summary { sluice: shaper.made_by(), summary })
}

fn line(out: &mut impl io::Write, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line<'s> {
    File(FileShape<'s>),
    Finding(FindingShape<'s>),
    Exception(ExceptionShape<'s>),
    Summary {
        sluice: MadeBy,
        #[serde(flatten)]
        summary: SummaryShape<'s>,
    },
}

#[derive(Serialize)]
struct FileShape<'s> {
    path: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'s str>,
    bytes: u64,
    outcome: &'static str,
    problem: Option<String>,
    label: Option<LabelShape<'s>>,
    effect: Option<Effect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<FindingsShape<'s>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exceptions: Vec<ExceptionShape<'s>>,
    truncated: u64,
}

impl<'s> FileShape<'s> {
    /// The file without its findings.
    fn new(shaper: &'s Shaper, report: &'s FileReport, path: &'s str) -> FileShape<'s> {
        FileShape {
            path,
            commit: report.commit.as_deref(),
            bytes: report.bytes,
            outcome: report.outcome.as_str(),
            problem: report.problem.as_deref().map(|problem| shaper.text(problem)),
            label: report.label.as_ref().map(|label| shaper.label(label)),
            effect: report.effect,
            reason: report.reason.as_deref(),
            findings: None,
            exceptions: Vec::new(),
            truncated: report.truncated,
        }
    }
}
