//! For people at a commit or a push: where each finding stands, why that stops it, and what to do
//! next, said once for all findings.

use std::collections::BTreeSet;
use std::io;

use anstyle::Style;

use super::human::{
    STRONG, Unread, band, grouped, of_band, of_effect, paint, plural, write_excepted,
};
use super::names::escape;
use super::shape::{ExceptionShape, PlaceShape, Shaper, recorded};
use crate::model::{Band, Class, Effect, FileReport, Finding, Outcome, Reason, Summary};
use crate::policy::CategorySet;

/// Digits of a commit's id that are shown.
const SHORT: usize = 12;

/// Rules that a piece of advice names.
const NAMED: usize = 5;

/// What the end of the report needs of the files.
pub(super) struct Gate {
    colour: bool,
    pub(super) exceptable: CategorySet,
    unread: Unread,
    stops: Stops,
    /// Findings of band possible that were not listed.
    unlisted: u64,
}

/// What stands against the flow.
#[derive(Default)]
struct Stops {
    classes: BTreeSet<Class>,
    /// Rules whose findings may be excepted.
    exceptable: BTreeSet<String>,
    coverage: BTreeSet<Reason>,
    failed: bool,
    /// Findings in what is staged, or in files.
    findings: bool,
    /// Findings in commits that are there already.
    committed: bool,
}

impl Gate {
    pub(super) fn new(colour: bool) -> Gate {
        let (exceptable, unread, stops) = Default::default();
        Gate { colour, exceptable, unread, stops, unlisted: 0 }
    }

    /// Writes a block for a file with findings that count, or with a reason against it.
    pub(super) fn file(
        &mut self,
        out: &mut impl io::Write,
        shaper: &Shaper,
        report: &FileReport,
    ) -> io::Result<()> {
        self.unread.remember(shaper, report);
        let stopped = report.effect.is_some_and(|effect| effect > Effect::Allow);
        if stopped {
            self.stops.add(shaper, report, &self.exceptable);
        }
        let listed = listed(shaper, report);
        let shown = report.findings.iter().filter(|finding| shaper.filter.shows(finding)).count();
        self.unlisted += (shown - listed.len()) as u64;
        let exceptions = shaper.exceptions(&report.excepted, None, &[]);
        if listed.is_empty() && !stopped && exceptions.is_empty() {
            return Ok(());
        }
        let path = shaper.path(&report.path);
        write!(out, "{}", paint(self.colour, &path, STRONG))?;
        if let Some(commit) = &report.commit {
            write!(out, "  in commit {}", commit.get(..SHORT).unwrap_or(commit))?;
        }
        if let Some(effect) = report.effect {
            write!(out, "  {}", paint(self.colour, effect.as_str(), of_effect(effect)))?;
        }
        writeln!(out)?;
        for finding in listed {
            self.finding(out, shaper, &path, finding)?;
        }
        for ExceptionShape { exception, why, finding } in &exceptions {
            let (line, column, rule) = (finding.line, finding.column, finding.rule);
            let why = why.as_deref().map_or(String::new(), |why| format!(": {why}"));
            writeln!(out, "  {path}:{line}:{column}  {rule}  excepted ({exception}){why}")?;
        }
        if report.truncated > 0 {
            writeln!(out, "  findings counted, not listed: {}", grouped(report.truncated))?;
        }
        match &report.reason {
            Some(reason) => writeln!(out, "  {reason}\n"),
            None => writeln!(out),
        }
    }

    /// One line: where, which rule, what, masked, and what speaks for it.
    fn finding(
        &self,
        out: &mut impl io::Write,
        shaper: &Shaper,
        path: &str,
        finding: &Finding,
    ) -> io::Result<()> {
        let shape = shaper.finding(finding, None, &[]);
        let band = paint(self.colour, band(shape.band), of_band(shape.band));
        let evidence = match shape.evidence.as_slice() {
            [] => "pattern".to_owned(),
            words => words.join(", "),
        };
        let place = match shape.at {
            None => String::new(),
            Some(PlaceShape::Cell { row, column }) => format!(", row {row}, {column}"),
            Some(PlaceShape::Json { json_path }) => format!(", {json_path}"),
        };
        writeln!(
            out,
            "  {path}:{}:{}  {}  {} ({}, {band})  {}  {}{place}",
            shape.line,
            shape.column,
            shape.rule,
            shaper.title(finding.rule),
            shape.category,
            shape.masked,
            paint(self.colour, &evidence, Style::new().dimmed()),
        )
    }

    pub(super) fn finish(&mut self, out: &mut impl io::Write, summary: &Summary) -> io::Result<()> {
        let advice = self.stops.advice(summary);
        if !advice.is_empty() {
            writeln!(out, "{}", paint(self.colour, "what to do", STRONG))?;
            for line in advice {
                writeln!(out, "  - {line}")?;
            }
            writeln!(out)?;
        }
        let seen = summary.seen;
        let (files, bytes) = (grouped(seen.files), grouped(seen.bytes));
        write!(out, "{files} {}, {bytes} bytes", plural(seen.files))?;
        if self.unlisted > 0 {
            let count = grouped(self.unlisted);
            write!(out, "; {count} of band possible, which the other forms list")?;
        }
        writeln!(out)?;
        write_excepted(out, summary)?;
        self.unread.write(out)?;
        for note in &summary.notes {
            writeln!(out, "note: {}", escape(note))?;
        }
        if summary.interrupted {
            writeln!(out, "interrupted: not every file was reached")?;
        }
        if let Some(effect) = summary.effect {
            write!(out, "effect: {}, ", paint(self.colour, effect.as_str(), of_effect(effect)))?;
        }
        writeln!(out, "recorded: {}", recorded(summary.recorded))
    }
}

/// The findings that are shown: of band likely and up, and the others where nothing else can be
/// what stops the file.
fn listed<'r>(shaper: &Shaper, report: &'r FileReport) -> Vec<&'r Finding> {
    let shown = || report.findings.iter().filter(|finding| shaper.filter.shows(finding));
    let counts: Vec<&Finding> = shown().filter(|it| counts(it)).collect();
    let stopped = report.effect.is_some_and(|effect| effect > Effect::Allow);
    let partial = report.outcome != Outcome::Scanned;
    if counts.is_empty() && stopped && !partial { shown().collect() } else { counts }
}

fn counts(finding: &Finding) -> bool {
    finding.likelihood.band() >= Band::Likely
}

impl Stops {
    fn add(&mut self, shaper: &Shaper, report: &FileReport, exceptable: &CategorySet) {
        for finding in listed(shaper, report) {
            match report.commit {
                Some(_) => self.committed = true,
                None => self.findings = true,
            }
            let category = shaper.rules.category(finding.category);
            self.classes.extend(category.map(|category| category.class));
            if exceptable.contains(finding.category) {
                self.exceptable.insert(shaper.rules.rule_id(finding.rule).to_owned());
            }
        }
        self.failed |= report.outcome == Outcome::Failed;
        let reasons = report.label.iter().flat_map(|label| &label.coverage.reasons);
        self.coverage.extend(reasons.copied());
    }

    /// What can be done, the most usual first.
    fn advice(&self, summary: &Summary) -> Vec<String> {
        let Some(effect) = summary.effect.filter(|effect| *effect > Effect::Allow) else {
            return Vec::new();
        };
        let mut advice = Vec::new();
        if self.findings {
            advice.push("Take the values out of the files and `git add` them again.".to_owned());
        }
        if self.committed {
            let text = "Take the values out of each commit that brings them, as by `git rebase -i`: \
                        a later commit that removes them leaves them in the history.";
            advice.push(text.to_owned());
        }
        if self.classes.contains(&Class::Sec) {
            let text = "A secret that was ever pushed or shared has to be revoked where it was \
                        issued: taking it out does not undo that.";
            advice.push(text.to_owned());
        }
        if self.classes.iter().any(|class| *class != Class::Sec) {
            let text = "For tests, use numbers that their issuers publish for tests: they are \
                        band possible, which decides nothing.";
            advice.push(text.to_owned());
        }
        if !self.exceptable.is_empty() {
            let more = self.exceptable.len().saturating_sub(NAMED);
            let rules: Vec<&str> = self.exceptable.iter().take(NAMED).map(String::as_str).collect();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            advice.push(format!(
                "If it is no such value, write `sluice:allow RULE REASON` at the end of its line \
                 (rules that may be excepted here: {}{more}).",
                rules.join(", ")
            ));
        }
        advice.extend(self.coverage.iter().filter_map(|reason| unread(*reason)).map(str::to_owned));
        if self.failed {
            let text = "What cannot be read is never let through: see why above.";
            advice.push(text.to_owned());
        }
        if effect == Effect::Block && (self.findings || self.committed) {
            let text = "If it may go there, have the register approve the category for the \
                        destination, and name that with `--destination`.";
            advice.push(text.to_owned());
        }
        if effect < Effect::Block {
            advice.push(match &summary.escalation {
                Some(id) => format!(
                    "Ask an approver for `sluice approvals approve {id}`, then try exactly this \
                     again with the grant: `--grant {id}`, or `SLUICE_GRANT={id}` for a hook."
                ),
                None => "Ask an approver: with `--state-dir` it is kept until somebody approves."
                    .to_owned(),
            });
        }
        advice
    }
}

/// What can be done about content that was not inspected.
fn unread(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::Opaque => Some(
            "Archives, images and encrypted files are not looked into: commit their content as \
             text, or have it approved.",
        ),
        Reason::Limit => Some(
            "Where a limit was reached, raise it (`--max-blob-size`) or commit less in one file.",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_follows_what_stands_against_the_flow() {
        let mut stops = Stops { findings: true, ..Stops::default() };
        stops.classes.insert(Class::Sec);
        let said = |stops: &Stops, effect, escalation: Option<&str>| {
            let escalation = escalation.map(str::to_owned);
            stops.advice(&Summary { effect, escalation, ..Summary::default() }).join("\n")
        };
        assert_eq!(said(&stops, Some(Effect::Allow), None), "");
        assert_eq!(said(&stops, None, None), "");
        let block = said(&stops, Some(Effect::Block), None);
        for part in ["`git add`", "revoked", "register"] {
            assert!(block.contains(part), "{block}");
        }
        // A grant never lifts block, and nothing here may be excepted.
        for part in ["approver", "sluice:allow", "for tests"] {
            assert!(!block.contains(part), "{block}");
        }
        stops.exceptable = (0..7).map(|number| format!("nat.x{number}")).collect();
        stops.classes = BTreeSet::from([Class::Nat]);
        stops.coverage.insert(Reason::Opaque);
        let escalate = said(&stops, Some(Effect::Escalate), Some("e-1"));
        for part in [
            "approvals approve e-1",
            "SLUICE_GRANT=e-1",
            "nat.x0, nat.x1",
            "nat.x4 and 2 more",
            "Archives",
        ] {
            assert!(escalate.contains(part), "{escalate}");
        }
        let committed = Stops { committed: true, ..Stops::default() };
        let text = said(&committed, Some(Effect::Block), None);
        assert!(text.contains("git rebase") && !text.contains("git add"), "{text}");
        assert!(!escalate.contains("revoked") && !escalate.contains("register"), "{escalate}");
        assert!(said(&stops, Some(Effect::Escalate), None).contains("--state-dir"));
    }
}
