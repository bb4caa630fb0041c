//! A code quality report of GitLab: one JSON array, an entry a finding.

use std::io;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::identity::Identities;
use super::shape::{ExceptionShape, Shaper};
use crate::model::{Band, Effect, FileReport, Outcome};

/// Name of the check that speaks of what was not inspected.
const COVERAGE: &str = "coverage";

#[derive(Default)]
pub(super) struct GitLab {
    entries: u64,
}

impl GitLab {
    pub(super) fn begin(&self, out: &mut impl io::Write) -> io::Result<()> {
        out.write_all(b"[")
    }

    /// An entry for each shown finding, and one for a file that was not inspected whole.
    pub(super) fn file(
        &mut self,
        out: &mut impl io::Write,
        shaper: &Shaper,
        report: &FileReport,
    ) -> io::Result<()> {
        let path = shaper.path(&report.path);
        let mut identities = Identities::default();
        for (at, finding) in report.findings.iter().enumerate() {
            let identity = identities.next(shaper.rules, finding);
            let identity = report.identities.get(at).unwrap_or(&identity);
            if !shaper.filter.shows(finding) {
                continue;
            }
            let shape = shaper.finding(finding, None, &report.chain);
            let title = shaper.title(finding.rule);
            let mut description = format!("{title} ({})  {}", shape.category, shape.masked);
            if let Some(commit) = &report.commit {
                description = format!("{description}, in commit {commit}");
            }
            // One of band possible is hardly what the reason speaks of.
            if let Some(reason) = report.reason.as_ref().filter(|_| shape.band > Band::Possible) {
                description = format!("{description}. {reason}");
            }
            let entry = Entry {
                description,
                check_name: shape.rule,
                fingerprint: fingerprint(&path, identity),
                severity: severity(shape.band, report.effect),
                location: Location { path: &path, lines: Lines { begin: shape.line } },
            };
            self.entry(out, &entry)?;
        }
        for excepted in &report.excepted {
            if !shaper.filter.shows(&excepted.finding) {
                continue;
            }
            let ExceptionShape { exception, why, finding } =
                shaper.exception(excepted, None, &report.chain);
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            let title = shaper.title(excepted.finding.rule);
            let place = format!("{exception} {} {}", finding.rule, finding.start);
            let entry = Entry {
                description: format!(
                    "{title} ({})  {}. excepted ({exception}){why}",
                    finding.category, finding.masked
                ),
                check_name: finding.rule,
                fingerprint: fingerprint(&path, place.as_bytes()),
                severity: "info",
                location: Location { path: &path, lines: Lines { begin: finding.line } },
            };
            self.entry(out, &entry)?;
        }
        let mut parts = Vec::new();
        match report.outcome {
            Outcome::Scanned if report.truncated == 0 => return Ok(()),
            Outcome::Scanned => {
                parts.push(format!("findings counted, not listed: {}", report.truncated));
            }
            outcome => parts.push(format!("not inspected, or not whole: {}", outcome.as_str())),
        }
        let reasons = report.label.iter().flat_map(|label| &label.coverage.reasons);
        parts.extend(reasons.map(|reason| reason.as_str().to_owned()));
        parts.extend(report.problem.as_deref().map(|problem| shaper.text(problem)));
        let left_out = report.outcome == Outcome::Skipped;
        let band = if left_out { Band::Possible } else { Band::Likely };
        let entry = Entry {
            fingerprint: fingerprint(&path, COVERAGE.as_bytes()),
            description: parts.join(": "),
            check_name: COVERAGE,
            severity: severity(band, report.effect),
            location: Location { path: &path, lines: Lines { begin: 1 } },
        };
        self.entry(out, &entry)
    }

    pub(super) fn finish(&self, out: &mut impl io::Write) -> io::Result<()> {
        out.write_all(b"\n]\n")
    }

    fn entry(&mut self, out: &mut impl io::Write, entry: &Entry<'_>) -> io::Result<()> {
        out.write_all(if self.entries == 0 { b"\n" } else { b",\n" })?;
        self.entries += 1;
        Ok(serde_json::to_writer(out, entry)?)
    }
}

/// The identity of a finding, made another one in each file: GitLab takes entries with one
/// fingerprint for one.
fn fingerprint(path: &str, identity: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(path);
    hash.update([0]);
    hash.update(identity);
    let hash = hash.finalize();
    data_encoding::HEXLOWER.encode(hash.first_chunk::<16>().map_or(&[], |half| half))
}

fn severity(band: Band, effect: Option<Effect>) -> &'static str {
    match (effect.unwrap_or(Effect::Allow), band) {
        (Effect::Block, Band::VeryLikely) => "blocker",
        (Effect::Block, Band::Likely) => "critical",
        (Effect::Redact | Effect::Escalate, Band::Likely | Band::VeryLikely) => "major",
        (Effect::Allow, Band::Likely | Band::VeryLikely) => "minor",
        (Effect::Allow, Band::Possible) => "info",
        (_, Band::Possible) => "minor",
    }
}

#[derive(Serialize)]
struct Entry<'s> {
    description: String,
    check_name: &'s str,
    fingerprint: String,
    severity: &'static str,
    location: Location<'s>,
}

#[derive(Serialize)]
struct Location<'s> {
    path: &'s str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u64,
}
