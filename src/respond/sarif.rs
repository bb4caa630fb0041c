//! SARIF 2.1.0 (OASIS Static Analysis Results Interchange Format, 27 March 2020).
//!
//! Results are written as they come; tool and rules stand before them, the invocation with what
//! was not inspected behind them. There is no snippet, and messages hold no value.

use std::io;

use serde::Serialize;

use super::identity::Identities;
use super::names;
use super::shape::{FindingShape, MadeBy, PlaceShape, Shaper, SummaryShape};
use crate::model::{
    Band, Effect, ExceptionKind, FileReport, Law, Outcome, RuleIndex, Sensitivity, Summary,
};

/// Where the schema of this form lives.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Notifications that are kept for the end of the run; more are counted in a last one.
const NOTIFICATIONS: usize = 10_000;

/// What is kept from file to file.
#[derive(Default)]
pub(super) struct Sarif {
    results: u64,
    notifications: Vec<Notification>,
    unlisted: u64,
}

impl Sarif {
    pub(super) fn begin(&mut self, out: &mut impl io::Write, shaper: &Shaper) -> io::Result<()> {
        write!(out, "{{\"$schema\":\"{SCHEMA}\",\n\"version\":\"2.1.0\",\n\"runs\":[{{\"tool\":")?;
        serde_json::to_writer(&mut *out, &Tool { driver: Driver::new(shaper) })?;
        // Character offsets count code points.
        write!(out, ",\n\"columnKind\":\"unicodeCodePoints\",\n\"results\":[")
    }

    pub(super) fn file(
        &mut self,
        out: &mut impl io::Write,
        shaper: &Shaper,
        report: &FileReport,
    ) -> io::Result<()> {
        self.notify(shaper, report);
        let uri = names::uri(&report.path, shaper.names);
        let mut identities = Identities::default();
        for (at, finding) in report.findings.iter().enumerate() {
            // Findings that are not shown have an ordinal too: a filter must not change another
            // finding's identity.
            let identity = identities.next(shaper.rules, finding);
            let identity = report.identities.get(at).unwrap_or(&identity);
            let identity = data_encoding::HEXLOWER.encode(identity);
            if !shaper.filter.shows(finding) {
                continue;
            }
            out.write_all(if self.results == 0 { b"\n" } else { b",\n" })?;
            self.results += 1;
            let shape = shaper.finding(finding, None, &report.chain);
            let mut result = SarifResult::new(shaper, finding.rule, shape, &uri, identity);
            result.properties.commit.clone_from(&report.commit);
            if report.effect == Some(Effect::Escalate) && result.level != level(Band::Possible) {
                // A person decides. Only what has failed has a level (section 3.27.10).
                (result.kind, result.level) = (Some("review"), "none");
            }
            serde_json::to_writer(&mut *out, &result)?;
        }
        self.excepted(out, shaper, report, &uri)
    }

    /// Results that do not count, each with what suppresses it (section 3.27.23).
    fn excepted(
        &mut self,
        out: &mut impl io::Write,
        shaper: &Shaper,
        report: &FileReport,
        uri: &str,
    ) -> io::Result<()> {
        // Their ordinals rest on those that count too.
        let counting = report.findings.iter().map(|finding| (finding, None));
        let not = report.excepted.iter().map(|excepted| (&excepted.finding, Some(excepted)));
        let mut all: Vec<_> = counting.chain(not).collect();
        all.sort_by_key(|(finding, _)| (finding.span.start, finding.span.end, finding.rule));
        let mut identities = Identities::default();
        for (finding, excepted) in all {
            let identity = identities.next(shaper.rules, finding);
            let Some(excepted) = excepted.filter(|_| shaper.filter.shows(finding)) else {
                continue;
            };
            out.write_all(if self.results == 0 { b"\n" } else { b",\n" })?;
            self.results += 1;
            let shape = shaper.exception(excepted, None, &report.chain);
            let identity = data_encoding::HEXLOWER.encode(&identity);
            let mut result = SarifResult::new(shaper, finding.rule, shape.finding, uri, identity);
            let kind = match excepted.kind {
                ExceptionKind::Inline
                | ExceptionKind::GitleaksAllow
                | ExceptionKind::AllowlistSecret => "inSource",
                _ => "external",
            };
            let exception = shape.exception;
            let why = shape.why.map_or(String::new(), |why| format!(": {why}"));
            let justification = format!("{exception}{why}");
            result.properties.commit.clone_from(&report.commit);
            result.suppressions = vec![Suppression { kind, justification }];
            serde_json::to_writer(&mut *out, &result)?;
        }
        Ok(())
    }

    pub(super) fn finish(
        &mut self,
        out: &mut impl io::Write,
        shaper: &Shaper,
        summary: &Summary,
    ) -> io::Result<()> {
        if self.unlisted > 0 {
            let text = format!("{} more files were not inspected, or not whole", self.unlisted);
            self.notifications.push(Notification::new("partial", text, None));
        }
        if summary.interrupted {
            let text = "interrupted: not every file was reached".to_owned();
            self.notifications.push(Notification::new("interrupted", text, None));
        }
        for note in &summary.notes {
            self.notifications.push(Notification::new("note", names::escape(note), None));
        }
        let invocation = Invocation {
            execution_successful: summary.failed.files == 0 && !summary.interrupted,
            tool_execution_notifications: &self.notifications,
        };
        write!(out, "\n],\n\"invocations\":")?;
        serde_json::to_writer(&mut *out, &[invocation])?;
        write!(out, ",\n\"properties\":")?;
        let made_by = shaper.made_by();
        let summary = shaper.summary(summary);
        serde_json::to_writer(&mut *out, &RunProperties { sluice: made_by, summary })?;
        writeln!(out, "}}]}}")
    }

    /// Keeps what the invocation has to say of a file.
    fn notify(&mut self, shaper: &Shaper, report: &FileReport) {
        let mut texts = Vec::new();
        if report.outcome != Outcome::Scanned {
            let mut parts = vec![report.outcome.as_str().to_owned()];
            let reasons = report.label.iter().flat_map(|label| &label.coverage.reasons);
            parts.extend(reasons.map(|reason| reason.as_str().to_owned()));
            parts.extend(report.problem.as_deref().map(|problem| shaper.text(problem)));
            texts.push((report.outcome.as_str(), parts.join(": ")));
        }
        if report.truncated > 0 {
            let text = format!("findings counted, not listed: {}", report.truncated);
            texts.push(("truncated", text));
        }
        for (id, text) in texts {
            if self.notifications.len() < NOTIFICATIONS {
                let uri = names::uri(&report.path, shaper.names);
                self.notifications.push(Notification::new(id, text, Some(uri)));
            } else {
                self.unlisted += 1;
            }
        }
    }
}

#[derive(Serialize)]
struct Tool<'s> {
    driver: Driver<'s>,
}

#[derive(Serialize)]
struct Driver<'s> {
    name: &'static str,
    version: &'static str,
    rules: Vec<Descriptor<'s>>,
    notifications: Vec<NotificationKind>,
}

impl<'s> Driver<'s> {
    fn new(shaper: &Shaper<'s>) -> Driver<'s> {
        let set = shaper.rules;
        let plain = set.rules.iter().map(|r| (&r.id, r.category, &r.title, &r.why));
        let combined = set.combinations.iter().map(|c| (&c.id, c.category, &c.title, &c.why));
        let rules = plain.chain(combined).map(|(id, index, title, why)| {
            let category = set.category(index);
            Descriptor {
                id,
                name: pascal_case(title),
                short_description: Text { text: title },
                full_description: Text { text: why },
                properties: RuleProperties {
                    category: set.category_id(index),
                    class: category.map_or("", |category| category.class.as_str()),
                    sensitivity: category
                        .map_or(Sensitivity::Restricted, |category| category.sensitivity),
                    laws: category
                        .map(|category| category.laws.iter().map(law).collect())
                        .unwrap_or_default(),
                },
            }
        });
        let kinds = [
            ("failed", "A file could not be read"),
            ("partial", "Not all of a file could be inspected"),
            ("skipped", "A file was left out as asked"),
            ("truncated", "A file holds more findings than are listed"),
            ("interrupted", "The run was stopped before its end"),
            ("note", "Something to know of the run"),
        ];
        let notifications =
            kinds.map(|(id, text)| NotificationKind { id, short_description: Text { text } });
        Driver {
            name: "sluice",
            version: env!("CARGO_PKG_VERSION"),
            rules: rules.collect(),
            notifications: notifications.into(),
        }
    }
}

/// A law and its part as one string.
fn law(law: &Law) -> String {
    [law.name.as_str(), law.part.as_str()].join(" ").trim_end().to_owned()
}

/// `US Social Security number` as `USSocialSecurityNumber`: SARIF asks for an identifier.
fn pascal_case(title: &str) -> String {
    let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words
        .flat_map(|word| {
            let mut characters = word.chars();
            let first = characters.next().into_iter().flat_map(char::to_uppercase);
            first.chain(characters)
        })
        .collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'s> {
    id: &'s str,
    name: String,
    short_description: Text<'s>,
    full_description: Text<'s>,
    properties: RuleProperties<'s>,
}

#[derive(Serialize)]
struct RuleProperties<'s> {
    category: &'s str,
    class: &'s str,
    sensitivity: Sensitivity,
    laws: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NotificationKind {
    id: &'static str,
    short_description: Text<'static>,
}

#[derive(Serialize)]
struct Text<'s> {
    text: &'s str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'s> {
    rule_id: &'s str,
    rule_index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    level: &'static str,
    message: OwnedText,
    locations: [Location; 1],
    partial_fingerprints: Fingerprints,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppression>,
    properties: ResultProperties<'s>,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    justification: String,
}

impl<'s> SarifResult<'s> {
    fn new(
        shaper: &Shaper<'s>,
        rule: RuleIndex,
        finding: FindingShape<'s>,
        uri: &str,
        identity: String,
    ) -> SarifResult<'s> {
        let title = shaper.title(rule);
        let place = finding.at.map(|place| match place {
            PlaceShape::Cell { row, column } => format!("row {row}, {column}"),
            PlaceShape::Json { json_path } => json_path,
        });
        SarifResult {
            rule_id: finding.rule,
            rule_index: rule.0,
            kind: None,
            level: level(finding.band),
            message: OwnedText {
                text: format!("{title} ({}, {})", finding.category, finding.band.as_str()),
            },
            locations: [Location {
                physical_location: PhysicalLocation {
                    artifact_location: ArtifactLocation { uri: uri.to_owned() },
                    region: Some(Region {
                        start_line: finding.line,
                        byte_offset: finding.start,
                        byte_length: finding.end.saturating_sub(finding.start),
                        char_offset: finding.start_char,
                        char_length: finding
                            .start_char
                            .zip(finding.end_char)
                            .map(|(start, end)| end.saturating_sub(start)),
                    }),
                },
                logical_locations: place
                    .map(|fully_qualified_name| LogicalLocation { fully_qualified_name })
                    .into_iter()
                    .collect(),
            }],
            partial_fingerprints: Fingerprints { v1: identity },
            suppressions: Vec::new(),
            properties: ResultProperties {
                commit: None,
                likelihood: finding.likelihood,
                chain: finding.chain,
                evidence: finding.evidence,
            },
        }
    }
}

fn level(band: Band) -> &'static str {
    match band {
        Band::VeryLikely => "error",
        Band::Likely => "warning",
        Band::Possible => "note",
    }
}

#[derive(Serialize)]
struct OwnedText {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<LogicalLocation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    fully_qualified_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u64,
    byte_offset: u64,
    byte_length: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    char_offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    char_length: Option<u64>,
}

#[derive(Serialize)]
struct Fingerprints {
    #[serde(rename = "sluice/v1")]
    v1: String,
}

#[derive(Serialize)]
struct ResultProperties<'s> {
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    likelihood: u8,
    chain: &'s [&'static str],
    evidence: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'s> {
    execution_successful: bool,
    tool_execution_notifications: &'s [Notification],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    descriptor: DescriptorReference,
    level: &'static str,
    message: OwnedText,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Location>,
}

impl Notification {
    fn new(id: &'static str, text: String, uri: Option<String>) -> Notification {
        let level = match id {
            "failed" | "interrupted" => "error",
            "skipped" | "note" => "note",
            _ => "warning",
        };
        let location = uri.map(|uri| Location {
            physical_location: PhysicalLocation {
                artifact_location: ArtifactLocation { uri },
                region: None,
            },
            logical_locations: Vec::new(),
        });
        Notification {
            descriptor: DescriptorReference { id },
            level,
            message: OwnedText { text },
            locations: location.into_iter().collect(),
        }
    }
}

#[derive(Serialize)]
struct DescriptorReference {
    id: &'static str,
}

#[derive(Serialize)]
struct RunProperties<'s> {
    sluice: MadeBy,
    summary: SummaryShape<'s>,
}
