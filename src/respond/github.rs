//! Workflow commands of GitHub Actions: one annotation a finding, in the log of a step.
//!
//! GitHub shows ten of each kind a step; the log holds all of them.

use std::fmt::Write as _;
use std::io;

use super::human::band;
use super::shape::{ExceptionShape, Shaper, recorded};
use crate::model::{Band, Effect, FileReport, Outcome, Summary};

/// The highest effect of a file so far: what no file explains is said of the whole.
#[derive(Default)]
pub(super) struct GitHub {
    highest: Option<Effect>,
}

impl GitHub {
    /// One command for each shown finding, and one for a file that was not inspected whole.
    pub(super) fn file(
        &mut self,
        out: &mut impl io::Write,
        shaper: &Shaper,
        report: &FileReport,
    ) -> io::Result<()> {
        self.highest = self.highest.max(report.effect);
        let stopped = report.effect.is_some_and(|effect| effect > Effect::Allow);
        let path = property(&shaper.path(&report.path));
        let reason = report.reason.as_deref().unwrap_or_default();
        for finding in report.findings.iter().filter(|finding| shaper.filter.shows(finding)) {
            let shape = shaper.finding(finding, None, &report.chain);
            let kind = match shape.band {
                _ if !stopped => "notice",
                Band::Possible => "warning",
                Band::Likely | Band::VeryLikely => "error",
            };
            let mut text = format!("{}, {}", shape.category, band(shape.band));
            if !shape.masked.is_empty() {
                // Writing to a string cannot fail.
                let _ = write!(text, ": {}", shape.masked);
            }
            if !shape.evidence.is_empty() {
                let _ = write!(text, " ({})", shape.evidence.join(", "));
            }
            if let Some(commit) = &report.commit {
                let _ = write!(text, ", in commit {commit}");
            }
            // One of band possible is hardly what the reason speaks of.
            if !reason.is_empty() && shape.band > Band::Possible {
                let _ = write!(text, "\n{reason}");
            }
            writeln!(
                out,
                "::{kind} file={path},line={},col={},title={}::{}",
                shape.line,
                shape.column,
                property(shaper.title(finding.rule)),
                data(&text),
            )?;
        }
        for excepted in &report.excepted {
            if !shaper.filter.shows(&excepted.finding) {
                continue;
            }
            let ExceptionShape { exception, why, finding } =
                shaper.exception(excepted, None, &report.chain);
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            writeln!(
                out,
                "::notice file={path},line={},col={},title={}::{}",
                finding.line,
                finding.column,
                property(shaper.title(excepted.finding.rule)),
                data(&format!("{}, excepted ({exception}){why}", finding.category)),
            )?;
        }
        let unread = report.outcome.as_str();
        let kind = match report.outcome {
            Outcome::Scanned if report.truncated == 0 => return Ok(()),
            Outcome::Skipped => "notice",
            _ if stopped => "error",
            _ => "warning",
        };
        let mut text = match report.outcome {
            Outcome::Scanned => format!("findings counted, not listed: {}", report.truncated),
            _ => format!("not inspected, or not whole: {unread}"),
        };
        for coverage in report.label.iter().flat_map(|label| &label.coverage.reasons) {
            let _ = write!(text, ": {}", coverage.as_str());
        }
        if let Some(problem) = &report.problem {
            let _ = write!(text, ": {}", shaper.text(problem));
        }
        writeln!(out, "::{kind} file={path},title=sluice::{}", data(&text))
    }

    pub(super) fn finish(&self, out: &mut impl io::Write, summary: &Summary) -> io::Result<()> {
        for note in &summary.notes {
            writeln!(out, "::notice title=sluice::{}", data(&super::escape(note)))?;
        }
        if summary.interrupted {
            writeln!(out, "::error title=sluice::interrupted: not every file was reached")?;
        }
        if let Some(effect) = summary.effect {
            if effect > Effect::Allow && Some(effect) > self.highest {
                let effect = effect.as_str();
                writeln!(out, "::error title=sluice::the files together: {effect}")?;
            }
            write!(out, "effect: {}, ", effect.as_str())?;
        }
        writeln!(out, "recorded: {}", recorded(summary.recorded))
    }
}

/// The text of a command. It ends at the end of its line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which `,` and `:` end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_ends_a_command_or_property() {
        assert_eq!(data("50%\r\n::error::x, y"), "50%25%0D%0A::error::x, y");
        assert_eq!(property("a,b:c%0A\n::error::x"), "a%2Cb%3Ac%250A%0A%3A%3Aerror%3A%3Ax");
    }
}
