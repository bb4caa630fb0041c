//! The `[[exception]]` sections: findings that are known and do not count.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::Origin;
use super::names;
use super::read::{MAX_ID, Reading, required_prose};
use crate::model::Day;
use crate::policy::CategorySet;
use crate::rules::Code;
use crate::rules::reader::{Located, Reporter, Table, shown};

/// The most exceptions of a file.
pub const MAX_EXCEPTIONS: usize = 1_000;
/// The most globs of all exceptions of a file together.
pub const MAX_GLOBS: usize = 2_000;
/// The longest glob in bytes.
const MAX_GLOB: usize = 512;
/// The most rules that an exception names.
const MAX_RULES: usize = 100;

/// Findings that do not count.
#[derive(Clone, Debug)]
pub struct Exception {
    /// Who wrote it.
    pub origin: Origin,
    /// Line of its file, counted from 1.
    pub line: usize,
    /// Ids of the rules whose findings they are; empty: findings of the categories.
    pub rules: BTreeSet<String>,
    /// Categories of the findings, where no rules are named.
    pub categories: CategorySet,
    /// Paths of files, from the root of a repository; none: of every file.
    pub paths: Option<GlobSet>,
    /// Why.
    pub reason: String,
    /// The last day on which it holds; none: every day.
    pub expires: Option<Day>,
}

impl Reading<'_> {
    pub(super) fn exception(&mut self, table: &mut Table<'_, '_, '_>) -> Option<()> {
        let errors = table.reporter.diagnostics.errors();
        let rules = table.one_or_more("rule", MAX_RULES, MAX_ID * 2);
        names::report_repeated(&rules, table.reporter);
        let entries = names::entries(table, "category", self.taxonomy);
        if table.has("rule") == table.has("category")
            || rules.is_empty()
                && entries.is_empty()
                && table.reporter.diagnostics.errors() == errors
        {
            let message = "an exception names what it excepts by `rule` or by `category`";
            let help = "one of the two: the id of a rule, or a category or class";
            let help = Some(help.to_owned());
            table.reporter.report_with_help(table.at, Code::BadException, message, help);
        }
        let globs = table.one_or_more("paths", MAX_GLOBS, MAX_GLOB);
        let paths = if table.has("paths") { self.globs(table, globs) } else { Some(None) };
        let reason = required_prose(table, "reason");
        let expires = table.text_or_date("expires").and_then(|text| {
            let day = Day::parse(&text.value);
            if day.is_none() {
                let message = format!("`{}` is no day", shown(&text.value));
                let help = Some("as in `2027-02-26`".to_owned());
                table.reporter.report_with_help(text.at, Code::BadDate, message, help);
            }
            day
        });
        let (paths, reason) = (paths?, reason?);
        // What is left of one with an error says something else than was meant.
        if table.reporter.diagnostics.errors() > errors {
            return None;
        }
        let line = table.reporter.origin(table.at).line;
        self.draft.places.exceptions.push((table.at, entries.clone()));
        self.draft.exceptions.push(Exception {
            origin: self.origin,
            line,
            rules: rules.into_iter().map(|rule| rule.value).collect(),
            categories: names::union(&entries),
            paths,
            reason,
            expires,
        });
        Some(())
    }

    fn globs(
        &mut self,
        table: &mut Table<'_, '_, '_>,
        globs: Vec<Located<String>>,
    ) -> Option<Option<GlobSet>> {
        self.globs += globs.len();
        if self.globs > MAX_GLOBS {
            let message = format!("the exceptions of the file have more than {MAX_GLOBS} paths");
            table.reporter.report(table.place("paths"), Code::TooMany, message);
            return None;
        }
        if globs.is_empty() {
            let message = "`paths` names no file; without the key every file is meant";
            table.reporter.report(table.place("paths"), Code::BadGlob, message);
            return None;
        }
        let mut set = GlobSetBuilder::new();
        for glob in &globs {
            set.add(compiled(glob, table.reporter)?);
        }
        let set = set.build();
        if let Err(error) = &set {
            let message = format!("the paths cannot be used: {}", error.kind());
            table.reporter.report(table.place("paths"), Code::BadGlob, message);
        }
        set.ok().map(Some)
    }
}

/// A glob from the root: `*` stays within a folder, `**` does not, a last `/` means all below.
fn compiled(glob: &Located<String>, reporter: &mut Reporter<'_>) -> Option<globset::Glob> {
    let text = &glob.value;
    let body = text.strip_prefix("./").or_else(|| text.strip_prefix('/')).unwrap_or(text);
    let below = if body.ends_with('/') { "**" } else { "" };
    let built = GlobBuilder::new(&format!("{body}{below}")).literal_separator(true).build();
    let problem = match built {
        Ok(built) if !body.is_empty() => return Some(built),
        Ok(_) => "it is empty".to_owned(),
        Err(error) => error.kind().to_string(),
    };
    let message = format!("`{}` is no glob: {problem}", shown(text));
    let help = "from the root of the repository, as in `tests/fixtures/**` or `docs/*.md`";
    reporter.report_with_help(glob.at, Code::BadGlob, message, Some(help.to_owned()));
    None
}
