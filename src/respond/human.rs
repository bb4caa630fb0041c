//! For people: findings grouped by file, then what was seen, found and not read.

use std::collections::BTreeMap;
use std::io;

use anstyle::{AnsiColor, Style};

use super::names;
use super::shape::{ExceptionShape, FindingShape, PlaceShape, Shaper, recorded};
use crate::model::{Band, CategoryIndex, Effect, FileReport, Finding, Outcome, Summary, Tally};

/// Files that the summary lists as unread one by one. More are counted; the other forms list all.
const LISTED: usize = 10_000;

/// Reasons for skipping that are told apart.
const SKIP_REASONS: usize = 64;

/// What the summary block needs of the files.
pub(super) struct Human {
    colour: bool,
    unread: Unread,
}

impl Human {
    pub(super) fn new(colour: bool) -> Human {
        Human { colour, unread: Unread::default() }
    }

    /// Writes a block for a file with shown findings or a reason against it; of any other only
    /// what was not read is kept.
    pub(super) fn file(
        &mut self,
        out: &mut impl io::Write,
        shaper: &Shaper,
        report: &FileReport,
    ) -> io::Result<()> {
        self.unread.remember(shaper, report);
        let shown = report.findings.iter().filter(|finding| shaper.filter.shows(finding));
        let rows: Vec<Row> = shown.map(|finding| Row::new(shaper, finding)).collect();
        let stopped = report.effect.is_some_and(|effect| effect > Effect::Allow);
        let explained = stopped && report.reason.is_some();
        let exceptions = shaper.exceptions(&report.excepted, None, &[]);
        if rows.is_empty() && report.truncated == 0 && !explained && exceptions.is_empty() {
            return Ok(());
        }
        let path = shaper.path(&report.path);
        write!(out, "{}", self.paint(&path, Style::new().bold()))?;
        if let Some(label) = &report.label {
            write!(out, "  {}", label.sensitivity.as_str())?;
        }
        if let Some(effect) = report.effect {
            write!(out, "  {}", self.paint(effect.as_str(), of_effect(effect)))?;
        }
        writeln!(out)?;
        if let Some(reason) = &report.reason {
            writeln!(out, "  {reason}")?;
        }
        let widths = Widths::of(&rows);
        for row in &rows {
            self.row(out, row, &widths)?;
        }
        write_exceptions(out, &exceptions)?;
        if report.truncated > 0 {
            let more = grouped(report.truncated);
            writeln!(out, "  findings counted, not listed: {more}")?;
        }
        writeln!(out)
    }

    pub(super) fn finish(
        &mut self,
        out: &mut impl io::Write,
        shaper: &Shaper,
        summary: &Summary,
    ) -> io::Result<()> {
        tallies(out, summary)?;
        writeln!(out)?;
        counts(out, shaper, summary)?;
        write_excepted(out, summary)?;
        self.unread.write(out)?;
        write_notes(out, summary)?;
        if summary.interrupted {
            writeln!(out, "\n{}", self.paint("interrupted: not every file was reached", STRONG))?;
        }
        writeln!(out)?;
        if let Some(effect) = summary.effect {
            writeln!(out, "effect: {}", self.paint(effect.as_str(), of_effect(effect)))?;
        }
        if let Some(id) = &summary.escalation {
            writeln!(out, "escalation: {id}")?;
        }
        writeln!(out, "recorded: {}", recorded(summary.recorded))?;
        let (seconds, millis) = (summary.elapsed_ms / 1000, summary.elapsed_ms % 1000);
        writeln!(out, "elapsed: {seconds}.{millis:03} s")
    }

    fn row(&self, out: &mut impl io::Write, row: &Row, widths: &Widths) -> io::Result<()> {
        write!(
            out,
            "  {:position$}  {:category$}  {}  {:masked$}",
            row.position,
            row.category,
            self.paint(&format!("{:11}", band(row.band)), of_band(row.band)),
            row.masked,
            position = widths.position,
            category = widths.category,
            masked = widths.masked,
        )?;
        if widths.place > 0 {
            write!(out, "  {:width$}", row.place, width = widths.place)?;
        }
        writeln!(out, "  {}", row.evidence)
    }

    fn paint(&self, text: &str, style: Style) -> String {
        paint(self.colour, text, style)
    }
}

/// Files that were not inspected whole, for the end of a report.
#[derive(Default)]
pub(super) struct Unread {
    files: Vec<String>,
    unlisted: u64,
    skipped: BTreeMap<String, u64>,
}

impl Unread {
    /// Keeps what the summary has to say of a file that was not inspected whole.
    pub(super) fn remember(&mut self, shaper: &Shaper, report: &FileReport) {
        let problem = report.problem.as_deref().map(|problem| shaper.text(problem));
        match report.outcome {
            Outcome::Scanned => {}
            Outcome::Skipped => {
                let reason = problem.unwrap_or_else(|| "no reason given".to_owned());
                if self.skipped.len() < SKIP_REASONS || self.skipped.contains_key(&reason) {
                    *self.skipped.entry(reason).or_default() += 1;
                } else {
                    *self.skipped.entry("other reasons".to_owned()).or_default() += 1;
                }
            }
            Outcome::Partial | Outcome::Failed if self.files.len() < LISTED => {
                let reasons = report.label.iter().flat_map(|label| &label.coverage.reasons);
                let mut why: Vec<String> =
                    vec![reasons.map(|r| r.as_str()).collect::<Vec<_>>().join(", ")];
                why.extend(problem);
                why.retain(|part| !part.is_empty());
                let (outcome, path) = (report.outcome.as_str(), shaper.path(&report.path));
                self.files.push(format!("{outcome:8} {path}: {}", why.join(": ")));
            }
            Outcome::Partial | Outcome::Failed => self.unlisted += 1,
        }
    }

    /// Writes a list of it, if there is any.
    pub(super) fn write(&self, out: &mut impl io::Write) -> io::Result<()> {
        if self.files.is_empty() && self.skipped.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nnot inspected, or not whole")?;
        for line in &self.files {
            writeln!(out, "  {line}")?;
        }
        if self.unlisted > 0 {
            writeln!(out, "  and {} more; the form jsonl lists all", self.unlisted)?;
        }
        for (reason, files) in &self.skipped {
            writeln!(
                out,
                "  {:8} {files} {}: {reason}",
                Outcome::Skipped.as_str(),
                plural(*files)
            )?;
        }
        Ok(())
    }
}

/// Findings that do not count, one a line.
pub(super) fn write_exceptions(
    out: &mut impl io::Write,
    exceptions: &[ExceptionShape<'_>],
) -> io::Result<()> {
    for ExceptionShape { exception, why, finding } in exceptions {
        let FindingShape { line, column, category, .. } = finding;
        let why = why.as_deref().map_or(String::new(), |why| format!(": {why}"));
        writeln!(out, "  {line}:{column}  {category}  excepted ({exception}){why}")?;
    }
    Ok(())
}

/// How many findings do not count, by what excepts them.
pub(super) fn write_excepted(out: &mut impl io::Write, summary: &Summary) -> io::Result<()> {
    if !summary.excepted.is_empty() {
        let kinds = summary.excepted.iter();
        let kinds = kinds.map(|(kind, count)| format!("{} {}", grouped(*count), kind.as_str()));
        writeln!(out, "excepted: {}", kinds.collect::<Vec<_>>().join(", "))?;
    }
    Ok(())
}

/// What else is to be said of a run.
pub(super) fn write_notes(out: &mut impl io::Write, summary: &Summary) -> io::Result<()> {
    if !summary.notes.is_empty() {
        writeln!(out, "\nnotes")?;
    }
    for note in &summary.notes {
        writeln!(out, "  {}", names::escape(note))?;
    }
    Ok(())
}

pub(super) const STRONG: Style = Style::new().bold();

/// The text in a style, where there is colour.
pub(super) fn paint(colour: bool, text: &str, style: Style) -> String {
    if colour {
        format!("{}{text}{}", style.render(), style.render_reset())
    } else {
        text.to_owned()
    }
}

pub(super) fn of_band(band: Band) -> Style {
    match band {
        Band::VeryLikely => AnsiColor::Red.on_default().bold(),
        Band::Likely => AnsiColor::Yellow.on_default(),
        Band::Possible => Style::new().dimmed(),
    }
}

pub(super) fn of_effect(effect: Effect) -> Style {
    match effect {
        Effect::Block => AnsiColor::Red.on_default().bold(),
        Effect::Escalate | Effect::Redact => AnsiColor::Yellow.on_default().bold(),
        Effect::Allow => AnsiColor::Green.on_default(),
    }
}

pub(super) fn band(band: Band) -> &'static str {
    match band {
        Band::VeryLikely => "very likely",
        Band::Likely => "likely",
        Band::Possible => "possible",
    }
}

/// The cells of one finding.
struct Row {
    position: String,
    category: String,
    band: Band,
    masked: String,
    place: String,
    evidence: String,
}

impl Row {
    fn new(shaper: &Shaper, finding: &Finding) -> Row {
        let shape = shaper.finding(finding, None, &[]);
        let place = match shape.at {
            None => String::new(),
            Some(PlaceShape::Cell { row, column }) => format!("row {row}, {column}"),
            Some(PlaceShape::Json { json_path }) => json_path,
        };
        let evidence = match shape.evidence.as_slice() {
            [] => "pattern".to_owned(),
            words => words.join(", "),
        };
        Row {
            position: format!("{}:{}", shape.line, shape.column),
            category: shape.category.to_owned(),
            band: shape.band,
            masked: shape.masked,
            place,
            evidence,
        }
    }
}

/// Widths of the aligned columns of one file, in characters. A long place does not push the
/// evidence of all other rows out of sight.
struct Widths {
    position: usize,
    category: usize,
    masked: usize,
    place: usize,
}

impl Widths {
    fn of(rows: &[Row]) -> Widths {
        let widest = |cell: fn(&Row) -> &str| {
            rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or(0)
        };
        Widths {
            position: widest(|row| &row.position),
            category: widest(|row| &row.category),
            masked: widest(|row| &row.masked),
            place: widest(|row| &row.place).min(40),
        }
    }
}

/// Files and bytes by outcome; the first row is the sum of the others.
fn tallies(out: &mut impl io::Write, summary: &Summary) -> io::Result<()> {
    let rows: [(&str, Tally); 5] = [
        ("seen", summary.seen),
        ("scanned", summary.scanned),
        ("partial", summary.partial),
        ("skipped", summary.skipped),
        ("failed", summary.failed),
    ];
    let files = grouped(summary.seen.files).len();
    let bytes = grouped(summary.seen.bytes).len();
    for (name, tally) in rows {
        writeln!(
            out,
            "{name:8} {:>files$} {:5}  {:>bytes$} bytes",
            grouped(tally.files),
            plural(tally.files),
            grouped(tally.bytes),
        )?;
    }
    Ok(())
}

/// Findings by category, the most sensitive first.
fn counts(out: &mut impl io::Write, shaper: &Shaper, summary: &Summary) -> io::Result<()> {
    let mut rows: Vec<(CategoryIndex, u64, u64)> = summary
        .findings
        .iter()
        .map(|(index, count)| (*index, *count, summary.possible.get(index).copied().unwrap_or(0)))
        .collect();
    rows.extend(
        summary
            .possible
            .iter()
            .filter(|(index, _)| !summary.findings.contains_key(index))
            .map(|(index, possible)| (*index, 0, *possible)),
    );
    if rows.is_empty() {
        return writeln!(out, "no findings");
    }
    let sensitivity = |index| shaper.rules.category(index).map(|category| category.sensitivity);
    rows.sort_by_key(|(index, count, _)| {
        (*count == 0, std::cmp::Reverse(sensitivity(*index)), *index)
    });
    let files = summary.files_with_findings;
    writeln!(out, "findings in {} {}", grouped(files), plural(files))?;
    let widest = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0);
    let id = widest(&mut rows.iter().map(|(index, ..)| shaper.rules.category_id(*index).len()));
    let number = widest(&mut rows.iter().map(|(_, count, _)| grouped(*count).len()));
    for (index, count, possible) in rows {
        let possible = match possible {
            0 => String::new(),
            possible => format!("  and {} possible", grouped(possible)),
        };
        let category = shaper.rules.category_id(index);
        let sensitivity = sensitivity(index).map_or("unknown", |sensitivity| sensitivity.as_str());
        let count = grouped(count);
        writeln!(out, "  {category:id$}  {sensitivity:12}  {count:>number$}{possible}")?;
    }
    if summary.truncated > 0 {
        writeln!(out, "  of these counted, not listed: {}", grouped(summary.truncated))?;
    }
    Ok(())
}

pub(super) fn plural(files: u64) -> &'static str {
    if files == 1 { "file" } else { "files" }
}

/// A number with commas between groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let grouped = [0, 999, 1000, 123_456, 1_234_567].map(grouped);
        assert_eq!(grouped, ["0", "999", "1,000", "123,456", "1,234,567"]);
    }
}
