//! Model types come in, their JSON shapes come out.
//!
//! A finding: `rule`, `category`, `class`, `sensitivity`, `likelihood`, `band`, `start`, `end`,
//! `start_char`, `end_char`, `line`, `column`, `path`, `at`, `chain`, `evidence`, `masked`,
//! `fingerprint`; of these the character offsets, path, place and fingerprint are left out where
//! they are unknown.

use std::path::Path;

use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

use super::Filter;
use super::names::{self, NameCleaner};
use crate::model::{
    Band, CategoryCount, CategoryIndex, Class, Coverage, Evidence, Excepted, Finding, Label, Place,
    RuleIndex, Sensitivity, Summary, Tally, Unique,
};
use crate::rules::RuleSet;

/// Gives findings, labels and summaries the shape in which programs read them, with names from
/// outside cleaned.
#[derive(Clone)]
pub struct Shaper<'a> {
    pub(super) rules: &'a RuleSet,
    pub(super) names: &'a dyn NameCleaner,
    pub(super) filter: Filter,
}

impl<'a> Shaper<'a> {
    /// Shapes what was found with these rules; findings that `filter` does not show are left out.
    pub fn new(rules: &'a RuleSet, names: &'a dyn NameCleaner, filter: Filter) -> Shaper<'a> {
        Shaper { rules, names, filter }
    }

    /// A label.
    pub fn label<'s>(&self, label: &'s Label) -> LabelShape<'s>
    where
        'a: 's,
    {
        LabelShape { rules: self.rules, label }
    }

    /// The shown ones of these findings as an array. `path` is shown as it is given: take it from
    /// [`Shaper::path`].
    pub fn findings<'s>(
        &'s self,
        findings: &'s [Finding],
        path: Option<&'s str>,
        chain: &'s [&'static str],
    ) -> FindingsShape<'s> {
        FindingsShape { shaper: self, findings, path, chain }
    }

    /// The findings that do not count, of those shown, each with what excepts it and why.
    pub fn exceptions<'s>(
        &'s self,
        excepted: &'s [Excepted],
        path: Option<&'s str>,
        chain: &'s [&'static str],
    ) -> Vec<ExceptionShape<'s>> {
        let shown = excepted.iter().filter(|excepted| self.filter.shows(&excepted.finding));
        shown.map(|excepted| self.exception(excepted, path, chain)).collect()
    }

    /// A finding that does not count.
    pub fn exception<'s>(
        &'s self,
        excepted: &'s Excepted,
        path: Option<&'s str>,
        chain: &'s [&'static str],
    ) -> ExceptionShape<'s> {
        ExceptionShape {
            exception: excepted.kind.as_str(),
            why: Some(self.text(&excepted.reason)).filter(|why| !why.is_empty()),
            finding: self.finding(&excepted.finding, path, chain),
        }
    }

    /// One finding.
    pub fn finding<'s>(
        &'s self,
        finding: &'s Finding,
        path: Option<&'s str>,
        chain: &'s [&'static str],
    ) -> FindingShape<'s> {
        let category = self.rules.category(finding.category);
        FindingShape {
            rule: self.rules.rule_id(finding.rule),
            category: self.rules.category_id(finding.category),
            class: category.map(|category| category.class),
            sensitivity: category.map_or(Sensitivity::Restricted, |category| category.sensitivity),
            likelihood: finding.likelihood.get(),
            band: finding.likelihood.band(),
            start: finding.span.start,
            end: finding.span.end,
            start_char: finding.chars.map(|chars| chars.start),
            end_char: finding.chars.map(|chars| chars.end),
            line: finding.line,
            column: finding.column,
            path,
            at: finding.place.as_deref().map(|place| self.place(place)),
            chain,
            evidence: self.evidence(finding.evidence),
            masked: names::masked(&finding.masked),
            fingerprint: finding.fingerprint.map(|fingerprint| format!("run:{fingerprint}")),
        }
    }

    /// The numbers of a run.
    pub fn summary<'s>(&'s self, summary: &'s Summary) -> SummaryShape<'s> {
        SummaryShape { shaper: self, summary }
    }

    /// A path as reports show it: regulated data masked, bytes that are no UTF-8 as `\xNN`, and
    /// escaped as [`super::escape`] does.
    pub fn path(&self, path: &Path) -> String {
        names::path(path, self.names)
    }

    /// Text that may hold names from outside: regulated data masked, escaped, cut at 512
    /// characters.
    pub fn text(&self, text: &str) -> String {
        names::name(text, self.names)
    }

    /// What a person calls what a rule finds; its id where it has no title.
    pub(super) fn title(&self, index: RuleIndex) -> &'a str {
        match (self.rules.rule(index), self.rules.combination(index)) {
            (Some(rule), _) => &rule.title,
            (None, Some(combination)) => &combination.title,
            (None, None) => self.rules.rule_id(index),
        }
    }

    /// What program and rules made a report.
    pub(super) fn made_by(&self) -> MadeBy {
        MadeBy {
            version: env!("CARGO_PKG_VERSION"),
            rules: RulesShape {
                count: self.rules.rules.len() + self.rules.combinations.len(),
                digest: data_encoding::HEXLOWER.encode(&self.rules.digest),
            },
        }
    }

    pub(super) fn place(&self, place: &Place) -> PlaceShape {
        match place {
            Place::Cell { row, column } => {
                PlaceShape::Cell { row: *row, column: self.text(column) }
            }
            Place::Json { json_path, .. } => {
                PlaceShape::Json { json_path: names::json_path(json_path, self.names) }
            }
        }
    }

    /// The words for what made a finding more or less likely.
    pub(super) fn evidence(&self, evidence: Evidence) -> Vec<String> {
        let term = |index| names::masked(self.rules.term(index));
        let mut words = Vec::new();
        if evidence.validator {
            words.push("validator".to_owned());
        }
        words.extend(evidence.context.map(|index| format!("context:{}", term(index))));
        if evidence.column {
            words.push("column".to_owned());
        }
        words.extend(evidence.country.map(|index| format!("country:{}", term(index))));
        words.extend(evidence.negative.map(|index| format!("negative:{}", term(index))));
        if evidence.published_example {
            words.push("published_example".to_owned());
        }
        let rests_on = evidence.rests_on.map(|index| self.rules.rule_id(index));
        words.extend(rests_on.map(|id| format!("combination:{id}")));
        words
    }
}

/// A finding as JSON.
#[derive(Debug, Serialize)]
pub struct FindingShape<'s> {
    pub(super) rule: &'s str,
    pub(super) category: &'s str,
    pub(super) class: Option<Class>,
    pub(super) sensitivity: Sensitivity,
    pub(super) likelihood: u8,
    pub(super) band: Band,
    pub(super) start: u64,
    pub(super) end: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_char: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_char: Option<u64>,
    pub(super) line: u64,
    pub(super) column: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<PlaceShape>,
    pub(super) chain: &'s [&'static str],
    pub(super) evidence: Vec<String>,
    pub(super) masked: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fingerprint: Option<String>,
}

/// A finding that does not count as JSON: that of the finding, with `exception` (the kind) and `why`
/// (the reason, where there is one).
#[derive(Debug, Serialize)]
pub struct ExceptionShape<'s> {
    pub(super) exception: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    #[serde(flatten)]
    pub(super) finding: FindingShape<'s>,
}

/// The shown findings of a payload as a JSON array.
pub struct FindingsShape<'s> {
    shaper: &'s Shaper<'s>,
    findings: &'s [Finding],
    path: Option<&'s str>,
    chain: &'s [&'static str],
}

impl Serialize for FindingsShape<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = self.findings.iter().filter(|finding| self.shaper.filter.shows(finding));
        serializer
            .collect_seq(shown.map(|finding| self.shaper.finding(finding, self.path, self.chain)))
    }
}

/// A label as JSON.
pub struct LabelShape<'s> {
    rules: &'s RuleSet,
    label: &'s Label,
}

impl Serialize for LabelShape<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let label = self.label;
        let counts = ById {
            rules: self.rules,
            entries: label.categories.iter().map(|(index, count)| (*index, CountShape(*count))),
        };
        let possible = ById {
            rules: self.rules,
            entries: label.possible.iter().map(|(index, count)| (*index, *count)),
        };
        let mut out = serializer.serialize_struct("Label", 5)?;
        out.serialize_field("categories", &counts)?;
        out.serialize_field("sensitivity", &label.sensitivity)?;
        out.serialize_field("possible", &possible)?;
        out.serialize_field::<Coverage>("coverage", &label.coverage)?;
        let lineage: Vec<&str> =
            label.lineage.iter().map(|index| self.rules.category_id(*index)).collect();
        out.serialize_field("lineage", &lineage)?;
        out.end()
    }
}

/// `{"count", "unique", "max_likelihood"}`; `unique` is a number while it is exact, and
/// `{"at_least": 1024}` beyond.
struct CountShape(CategoryCount);

impl Serialize for CountShape {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct AtLeast {
            at_least: u32,
        }
        let mut out = serializer.serialize_struct("Count", 3)?;
        out.serialize_field("count", &self.0.count)?;
        match self.0.unique {
            Unique::Exact(count) => out.serialize_field("unique", &count)?,
            Unique::AtLeast(at_least) => out.serialize_field("unique", &AtLeast { at_least })?,
        }
        out.serialize_field("max_likelihood", &self.0.max_likelihood.get())?;
        out.end()
    }
}

/// A map whose keys are category ids, in taxonomy order.
struct ById<'s, I> {
    rules: &'s RuleSet,
    entries: I,
}

impl<T: Serialize, I: Iterator<Item = (CategoryIndex, T)> + Clone> Serialize for ById<'_, I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (index, value) in self.entries.clone() {
            map.serialize_entry(self.rules.category_id(index), &value)?;
        }
        map.end()
    }
}

/// The numbers of a run as JSON.
pub struct SummaryShape<'s> {
    shaper: &'s Shaper<'s>,
    summary: &'s Summary,
}

impl Serialize for SummaryShape<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct TallyShape {
            files: u64,
            bytes: u64,
        }
        let tally = |tally: Tally| TallyShape { files: tally.files, bytes: tally.bytes };
        let summary = self.summary;
        let by_id = |counts: &'_ std::collections::BTreeMap<CategoryIndex, u64>| {
            let entries: Vec<_> = counts.iter().map(|(index, count)| (*index, *count)).collect();
            ById { rules: self.shaper.rules, entries: entries.into_iter() }
        };
        let mut out = serializer.serialize_struct("Summary", 16)?;
        out.serialize_field("seen", &tally(summary.seen))?;
        out.serialize_field("scanned", &tally(summary.scanned))?;
        out.serialize_field("partial", &tally(summary.partial))?;
        out.serialize_field("skipped", &tally(summary.skipped))?;
        out.serialize_field("failed", &tally(summary.failed))?;
        out.serialize_field("files_with_findings", &summary.files_with_findings)?;
        out.serialize_field("findings", &by_id(&summary.findings))?;
        out.serialize_field("possible", &by_id(&summary.possible))?;
        if !summary.excepted.is_empty() {
            let kinds = summary.excepted.iter().map(|(kind, count)| (kind.as_str(), *count));
            let kinds: std::collections::BTreeMap<&str, u64> = kinds.collect();
            out.serialize_field("exceptions", &kinds)?;
        }
        if !summary.notes.is_empty() {
            let notes: Vec<String> = summary.notes.iter().map(|note| names::escape(note)).collect();
            out.serialize_field("notes", &notes)?;
        }
        out.serialize_field("truncated", &summary.truncated)?;
        out.serialize_field("interrupted", &summary.interrupted)?;
        out.serialize_field("effect", &summary.effect)?;
        out.serialize_field("elapsed_ms", &summary.elapsed_ms)?;
        out.serialize_field("recorded", recorded(summary.recorded))?;
        if let Some(id) = &summary.escalation {
            out.serialize_field("escalation", id)?;
        }
        out.end()
    }
}

/// The word for whether decisions are durable in a ledger.
pub fn recorded(durable: bool) -> &'static str {
    if durable { "yes" } else { "no" }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum PlaceShape {
    Cell { row: u64, column: String },
    Json { json_path: String },
}

#[derive(Debug, Serialize)]
pub(super) struct MadeBy {
    version: &'static str,
    rules: RulesShape,
}

#[derive(Debug, Serialize)]
struct RulesShape {
    count: usize,
    digest: String,
}
