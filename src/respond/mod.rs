//! Reports come in, bytes for people and programs come out.
//!
//! [`Writer`] takes one [`FileReport`] at a time and writes it in the asked [`Format`], so that
//! memory does not grow with the number of findings. [`Shaper`] gives the JSON shapes alone.
//!
//! Promised: no byte of a payload is written. Reports hold none, and what does come from outside
//! (paths, column names, JSON keys) goes through a [`NameCleaner`] and has its control,
//! bidirectional and invisible characters escaped. What is filtered from display stays in labels,
//! counts and identities.

mod csv;
mod decision;
mod event;
mod gate;
mod github;
mod gitlab;
mod human;
mod identity;
mod json;
mod names;
mod redact;
mod sarif;
mod shape;

pub use decision::{Recorded, Released, Report, Waiting};
pub use event::{Decided, events};
pub use identity::Identities;
pub use names::{NameCleaner, escape, path as clean_path};
pub use redact::{
    Done, MAX_MASK, MAX_TOKEN_VALUE, NoTokens, Obligations, RedactError, Redacted, Redactor,
    TokenFailure, Tokens, VaultTokens, redact,
};
pub use shape::{
    ExceptionShape, FindingShape, FindingsShape, LabelShape, Shaper, SummaryShape, recorded,
};

use std::collections::BTreeSet;
use std::io;

use crate::decode::{self, Encoding, Structure};
use crate::model::{Band, CategoryIndex, FileReport, Finding, Summary};
use crate::policy::CategorySet;
use crate::rules::RuleSet;

/// Output forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// For people: grouped by file, aligned, with a summary block.
    Human,
    /// One JSON document.
    Json,
    /// One JSON object a line: files, their findings, a summary.
    JsonLines,
    /// One row a finding under a header row.
    Csv,
    /// SARIF 2.1.0 (OASIS).
    Sarif,
    /// For people at a commit or a push: where, why, and what to do.
    Gate,
    /// Workflow commands of GitHub Actions, which become annotations.
    GitHub,
    /// A code quality report of GitLab.
    GitLab,
}

/// How a writer presents reports. Nothing here changes a label or a count.
#[derive(Clone, Debug)]
pub struct Options {
    /// The output form.
    pub format: Format,
    /// Which findings are shown.
    pub filter: Filter,
    /// Whether the forms for people are coloured.
    pub colour: bool,
}

/// Which findings are shown. Display only.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The lowest band shown.
    pub min_band: Band,
    /// The categories shown; none: all of them.
    pub categories: Option<BTreeSet<CategoryIndex>>,
}

/// A word that names neither a category nor a class.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is neither a category nor a class", escape(.0))]
pub struct UnknownCategory(pub String);

impl Filter {
    /// Shows everything.
    pub fn all() -> Filter {
        Filter { min_band: Band::Possible, categories: None }
    }

    /// Shows findings from `min_band` up, of the categories that `words` name by id (`nat.us_ssn`)
    /// or class (`nat`); of all where there is no word. Fails on a word that names nothing.
    pub fn new(
        min_band: Band,
        words: &[String],
        rules: &RuleSet,
    ) -> Result<Filter, UnknownCategory> {
        let mut categories = BTreeSet::new();
        for word in words {
            let known = rules
                .taxonomy
                .iter()
                .filter(|(_, category)| category.id == *word || category.class.as_str() == word);
            let named: Vec<CategoryIndex> = known.map(|(index, _)| index).collect();
            if named.is_empty() {
                return Err(UnknownCategory(word.clone()));
            }
            categories.extend(named);
        }
        Ok(Filter { min_band, categories: (!words.is_empty()).then_some(categories) })
    }

    /// Whether the finding is shown.
    pub fn shows(&self, finding: &Finding) -> bool {
        finding.likelihood.band() >= self.min_band
            && self.categories.as_ref().is_none_or(|named| named.contains(&finding.category))
    }
}

/// The decoding steps of a payload of this format, outermost first, as reports name them.
pub fn chain(format: decode::Format) -> Vec<&'static str> {
    let encoding = match format.encoding {
        Encoding::Bytes => None,
        Encoding::Utf16Le => Some("utf-16le"),
        Encoding::Utf16Be => Some("utf-16be"),
    };
    let structure = match format.structure {
        Structure::Text => None,
        Structure::Table { delimiter: b'\t', .. } => Some("tsv"),
        Structure::Table { .. } => Some("csv"),
        Structure::TextTables => Some("markdown"),
        Structure::Json => Some("json"),
        Structure::NdJson => Some("ndjson"),
    };
    encoding.into_iter().chain(structure).collect()
}

/// Writes reports in one form. Call [`Writer::begin`] once, [`Writer::file`] for each file, and
/// [`Writer::finish`] once; all fail only as the destination fails.
pub struct Writer<'a, W> {
    out: W,
    shaper: Shaper<'a>,
    form: Form,
}

/// What each form has to remember between files.
enum Form {
    Human(human::Human),
    Json(json::Json),
    JsonLines,
    Csv,
    Sarif(sarif::Sarif),
    Gate(gate::Gate),
    GitHub(github::GitHub),
    GitLab(gitlab::GitLab),
}

impl<'a, W: io::Write> Writer<'a, W> {
    /// A writer of reports that were made with these rules. It writes in small pieces: give it a
    /// buffered destination.
    pub fn new(
        out: W,
        options: Options,
        rules: &'a RuleSet,
        names: &'a dyn NameCleaner,
    ) -> Writer<'a, W> {
        let form = match options.format {
            Format::Human => Form::Human(human::Human::new(options.colour)),
            Format::Json => Form::Json(json::Json::default()),
            Format::JsonLines => Form::JsonLines,
            Format::Csv => Form::Csv,
            Format::Sarif => Form::Sarif(sarif::Sarif::default()),
            Format::Gate => Form::Gate(gate::Gate::new(options.colour)),
            Format::GitHub => Form::GitHub(github::GitHub::default()),
            Format::GitLab => Form::GitLab(gitlab::GitLab::default()),
        };
        Writer { out, shaper: Shaper::new(rules, names, options.filter), form }
    }

    /// Has [`Format::Gate`] say how findings of these categories are excepted.
    pub fn excepting(mut self, categories: CategorySet) -> Writer<'a, W> {
        if let Form::Gate(form) = &mut self.form {
            form.exceptable = categories;
        }
        self
    }

    /// Writes what stands before the first file.
    pub fn begin(&mut self) -> io::Result<()> {
        match &mut self.form {
            Form::Human(_) | Form::JsonLines | Form::Gate(_) | Form::GitHub(_) => Ok(()),
            Form::GitLab(form) => form.begin(&mut self.out),
            Form::Json(form) => form.begin(&mut self.out, &self.shaper),
            Form::Csv => csv::begin(&mut self.out),
            Form::Sarif(form) => form.begin(&mut self.out, &self.shaper),
        }
    }

    /// Writes one file.
    pub fn file(&mut self, report: &FileReport) -> io::Result<()> {
        match &mut self.form {
            Form::Human(form) => form.file(&mut self.out, &self.shaper, report),
            Form::Json(form) => form.file(&mut self.out, &self.shaper, report),
            Form::JsonLines => json::lines_file(&mut self.out, &self.shaper, report),
            Form::Csv => csv::file(&mut self.out, &self.shaper, report),
            Form::Sarif(form) => form.file(&mut self.out, &self.shaper, report),
            Form::Gate(form) => form.file(&mut self.out, &self.shaper, report),
            Form::GitHub(form) => form.file(&mut self.out, &self.shaper, report),
            Form::GitLab(form) => form.file(&mut self.out, &self.shaper, report),
        }
    }

    /// Writes what stands behind the last file, and flushes.
    pub fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        match &mut self.form {
            Form::Human(form) => form.finish(&mut self.out, &self.shaper, summary)?,
            Form::Json(form) => form.finish(&mut self.out, &self.shaper, summary)?,
            Form::JsonLines => json::lines_finish(&mut self.out, &self.shaper, summary)?,
            Form::Csv => {}
            Form::Sarif(form) => form.finish(&mut self.out, &self.shaper, summary)?,
            Form::Gate(form) => form.finish(&mut self.out, summary)?,
            Form::GitHub(form) => form.finish(&mut self.out, summary)?,
            Form::GitLab(form) => form.finish(&mut self.out)?,
        }
        self.out.flush()
    }

    /// The destination.
    pub fn into_inner(self) -> W {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Format as Input;

    #[test]
    fn chains_name_encoding_then_structure() {
        let format = |encoding, structure| Input { encoding, bom: 0, structure, opaque: None };
        let table = |delimiter| Structure::Table { delimiter, header: true };
        assert!(chain(format(Encoding::Bytes, Structure::Text)).is_empty());
        assert_eq!(chain(format(Encoding::Bytes, table(b';'))), ["csv"]);
        assert_eq!(chain(format(Encoding::Utf16Le, table(b'\t'))), ["utf-16le", "tsv"]);
        assert_eq!(chain(format(Encoding::Bytes, Structure::TextTables)), ["markdown"]);
        assert_eq!(chain(format(Encoding::Utf16Be, Structure::NdJson)), ["utf-16be", "ndjson"]);
    }
}
