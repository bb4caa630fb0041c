//! Rules and when they match.

use super::Origin;
use super::draft::Kind;
use super::names::{self, categories, word, words};
use super::read::{Reading, required_prose};
use crate::model::CategoryIndex;
use crate::policy::{CategorySet, Rule, Subject, When};
use crate::rules::Code;
use crate::rules::reader::Table;

/// Keys that people try for "all but".
const NEGATIONS: &[&str] = &[
    "not",
    "no",
    "none_of",
    "none",
    "except",
    "exclude",
    "excluding",
    "unless",
    "without",
    "not_category",
    "not_class",
    "not_contains",
    "not_lineage",
    "not_coverage",
    "not_channel",
    "not_workflow",
    "not_purpose",
    "not_destination",
    "not_trust",
    "lacks",
    "missing",
];

/// Keys that people try for "at most".
const UPPER_BOUNDS: &[&str] = &[
    "max_count",
    "count_max",
    "max_unique",
    "unique_max",
    "max_likelihood",
    "likelihood_max",
    "max_sensitivity",
    "sensitivity_max",
    "at_most",
    "less_than",
    "fewer_than",
    "below",
    "under",
    "up_to",
    "max",
    "only",
    "exactly",
    "equals",
    "count_below",
    "likelihood_below",
];

impl Reading<'_> {
    pub(super) fn rule(&mut self, table: &mut Table<'_, '_, '_>) -> Option<()> {
        let errors = table.reporter.diagnostics.errors();
        let id = self.id(table, Kind::Rule);
        let when = table.table("when", |table| self.when(table));
        if !table.has("effect") {
            let message = "missing key `effect` in rule";
            let help = Some("one of allow, redact, escalate, block".to_owned());
            table.reporter.report_with_help(table.at, Code::MissingKey, message, help);
        }
        let effect = word(table, "effect", &names::EFFECTS);
        let transform = word(table, "transform", &names::TRANSFORMS);
        let reason = required_prose(table, "reason");
        let shadow = table.boolean("shadow").unwrap_or(false);
        // A rule without conditions is about every flow.
        let when = match when {
            Some(when) => when?,
            None if table.has("when") => return None,
            None => When::any(Subject::Flow),
        };
        let (id, effect, reason) = (id?, effect?, reason?);
        // What is left of a rule with an error says something else than was meant.
        if table.reporter.diagnostics.errors() > errors {
            return None;
        }
        self.draft.places.rules.push(id.at);
        let id = id.value;
        let of_repository = self.origin == Origin::Repository;
        let rule = Rule { id, when, effect, transform, reason, shadow, of_repository };
        self.draft.parts.rules.push(rule);
        Some(())
    }

    fn when(&mut self, table: &mut Table<'_, '_, '_>) -> Option<When> {
        for key in NEGATIONS {
            let message = format!("`{key}` is no condition: more data could make it false");
            let help = "a rule that stops matching when a payload holds more could be switched off \
                        by adding data; say what has to be there, and give what may pass a rule \
                        with `effect = \"allow\"` or approve it";
            table.refuse(key, Code::NotUpwardClosed, &message, help);
        }
        for key in UPPER_BOUNDS {
            let message = format!("`{key}` is no condition: more data could make it false");
            let help = "bounds are lower bounds; write the stronger effect for the larger amount, \
                        as in `count = 100`, and what is below falls to other rules or the default";
            table.refuse(key, Code::NotUpwardClosed, &message, help);
        }
        let subject = self.subject(table);
        let mut when = When::any(Subject::Flow);
        let thresholds = ["count", "unique", "likelihood", "possible"];
        let has_threshold = thresholds.into_iter().find(|key| table.has(key));
        when.count = table
            .number("count", 1..1_000_000_001)
            .map_or(1, |it| u64::try_from(it.value).unwrap_or(u64::MAX));
        when.unique = table
            .number("unique", 1..1_000_000_001)
            .map_or(1, |it| u32::try_from(it.value).unwrap_or(u32::MAX));
        when.likelihood = table
            .number("likelihood", 65..101)
            .map_or(65, |it| u8::try_from(it.value).unwrap_or(100));
        when.possible = table.boolean("possible").unwrap_or(false);
        when.contains = self.contains(table);
        when.channels = words(table, "channel", &names::channels());
        when.workflows = self.names(table, "workflow", Kind::Workflow);
        when.purposes = self.names(table, "purpose", Kind::Purpose);
        when.destinations = self.names(table, "destination", Kind::Destination);
        when.trust = words(table, "trust", &names::ANY_TRUST);
        when.subject = subject?;
        if let Some(key) = has_threshold.filter(|_| !matches!(when.subject, Subject::Categories(_)))
        {
            let message = format!("`{key}` counts findings, and the rule names no category");
            let help = "add `category`, `class` or `sensitivity`";
            let at = table.place(key);
            let help = Some(help.to_owned());
            table.reporter.report_with_help(at, Code::ThresholdNeedsCategory, message, help);
            return None;
        }
        Some(when)
    }

    /// What the rule is about.
    fn subject(&mut self, table: &mut Table<'_, '_, '_>) -> Option<Subject> {
        let named: Vec<&'static str> =
            ["category", "class", "sensitivity"].into_iter().filter(|key| table.has(key)).collect();
        let mut of = categories(table, "category", self.taxonomy);
        of.join(&categories(table, "class", self.taxonomy));
        let at_least = word(table, "sensitivity", &names::SENSITIVITIES);
        let lineage = categories(table, "lineage", self.taxonomy);
        let coverage = words(table, "coverage", &names::REASONS);
        let others = ["lineage", "coverage"].into_iter().filter(|key| table.has(key));
        let kinds: Vec<&'static str> = named.first().copied().into_iter().chain(others).collect();
        if let [first, second, ..] = kinds.as_slice() {
            let message = format!("a rule is about `{first}` or about `{second}`, not both");
            let help = "write two rules; each part of a flow is decided by itself, and the \
                        strongest effect counts";
            let (at, help) = (table.place(second), Some(help.to_owned()));
            table.reporter.report_with_help(at, Code::SeveralSubjects, message, help);
            return None;
        }
        match kinds.first().copied() {
            None => return Some(Subject::Flow),
            Some("lineage") => return nonempty(lineage).map(Subject::Lineage),
            Some("coverage") => {
                return (!coverage.is_empty()).then_some(Subject::Coverage(coverage));
            }
            Some(_) => {}
        }
        let of = if named == ["sensitivity"] { self.all() } else { of };
        let of = match at_least {
            None if table.has("sensitivity") => return None,
            None => of,
            Some(at_least) => {
                let enough = |index: &CategoryIndex| {
                    let category = self.taxonomy.get(*index);
                    category.is_some_and(|category| category.sensitivity >= at_least)
                };
                let narrowed: CategorySet = of.iter().filter(enough).collect();
                if narrowed.is_empty() && !of.is_empty() {
                    let message = "none of these categories is so sensitive";
                    let at = table.place("sensitivity");
                    table.reporter.report(at, Code::NoCategory, message);
                }
                narrowed
            }
        };
        if of.is_empty() && named.iter().all(|key| table.is_empty_list(key)) {
            let at = named.first().map_or(table.at, |key| table.place(key));
            table.reporter.report(at, Code::NoCategory, "the rule names no category");
        }
        nonempty(of).map(Subject::Categories)
    }

    fn contains(&self, table: &mut Table<'_, '_, '_>) -> CategorySet {
        let entries = names::entries(table, "contains", self.taxonomy);
        let several = entries.iter().find(|entry| entry.categories.iter().count() != 1);
        if let Some(entry) = several {
            let message = format!("`{}` is a class: all of it cannot be asked for", entry.text);
            let help = Some("`contains` names categories that all have to be there".to_owned());
            table.reporter.report_with_help(entry.at, Code::UnknownCategory, message, help);
        }
        names::union(&entries)
    }

    fn all(&self) -> CategorySet {
        self.taxonomy.iter().map(|(index, _)| index).collect()
    }
}

fn nonempty(set: CategorySet) -> Option<CategorySet> {
    (!set.is_empty()).then_some(set)
}
