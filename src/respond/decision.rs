//! A decision as people and programs read it.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::{FindingsShape, LabelShape, Shaper, escape};
use crate::model::{Cause, Effect, Finding, Label};
use crate::policy::{Decision, Flow, Item, Policy, Transform, Trust};
use crate::rules::RuleSet;

/// Where a decision was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// Sequence number of its entry.
    pub sequence: u64,
    /// Hash of the entry as a leaf of the ledger's tree (RFC 6962, section 2.1), in hex digits.
    pub leaf: String,
}

/// What was released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Released {
    /// Its bytes.
    pub bytes: u64,
    /// Its MAC under the key of the ledger's epoch, in hex digits.
    pub mac: String,
}

/// An escalation that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Its id, for `sluice approvals` and for the header's `escalation`.
    pub id: String,
    /// When it becomes block, RFC 3339 in UTC.
    pub expires: String,
}

/// Everything that is said of a decision.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The policy that decided.
    pub policy: &'a Policy,
    /// The flow.
    pub flow: &'a Flow,
    /// What the payload holds.
    pub label: &'a Label,
    /// The findings.
    pub findings: &'a [Finding],
    /// Findings past the cap.
    pub truncated: u64,
    /// The decoding steps of the payload.
    pub chain: &'a [&'static str],
    /// The decision.
    pub decision: &'a Decision,
    /// Why, for a person.
    pub reason: &'a str,
    /// Its record, if there is one.
    pub recorded: Option<&'a Recorded>,
    /// What was released, if anything was.
    pub released: Option<&'a Released>,
    /// The escalation, if one waits.
    pub escalation: Option<&'a Waiting>,
    /// Id of the grant that was used.
    pub grant: Option<&'a str>,
    /// Why a grant that was presented was not used.
    pub refusal: Option<&'a str>,
}

impl Report<'_> {
    /// Writes the decision as one JSON object on a line.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn json(&self, out: &mut impl io::Write, shaper: &Shaper<'_>) -> io::Result<()> {
        // Fingerprints of the ledger never leave it.
        let findings: Vec<Finding> =
            self.findings.iter().map(|it| Finding { fingerprint: None, ..it.clone() }).collect();
        let rules = shaper.rules;
        let items = self.decision.determining();
        let determining = items.iter().map(|item| DeterminingShape {
            id: item.from.id(self.policy),
            about: about(item.item, rules),
            effect: item.effect,
        });
        let redacted = self.decision.effect == Effect::Redact;
        let obligations = self.decision.transforms().filter(|_| redacted);
        let shadows = self.decision.shadows.iter().filter_map(|(at, effect)| {
            let rule = &self.policy.rules().get(*at)?.id;
            Some(ShadowShape { rule, effect: *effect })
        });
        let destination = self.policy.destination_of(self.flow);
        let shape = Shape {
            effect: self.decision.effect,
            cause: self.decision.cause,
            reason: self.reason,
            determining: determining.collect(),
            obligations: obligations
                .map(|(category, transform, _)| (rules.category_id(category), transform))
                .collect(),
            shadows: shadows.collect(),
            workflow: self.policy.workflow_of(self.flow).map(|it| it.id.as_str()),
            destination: destination.map(|it| it.id.as_str()),
            trust: self.policy.trust_of(self.flow),
            channel: self.flow.channel.as_str(),
            purpose_listed: self.flow.purpose_listed,
            bytes: self.flow.bytes,
            label: shaper.label(self.label),
            findings: shaper.findings(&findings, None, self.chain),
            truncated: self.truncated,
            grant: self.grant,
            grant_refused: self.refusal,
            escalation: self.escalation,
            released: self.released,
            recorded: self.recorded.map_or(RecordedShape::No("no"), RecordedShape::Yes),
        };
        serde_json::to_writer(&mut *out, &shape)?;
        out.write_all(b"\n")
    }

    /// Writes the decision for a person.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn human(&self, out: &mut impl io::Write, shaper: &Shaper<'_>) -> io::Result<()> {
        let rules = shaper.rules;
        let Report { decision, policy, flow, label, .. } = self;
        writeln!(out, "{}", self.reason)?;
        let destination = policy.destination_of(flow).map_or("unknown", |it| it.id.as_str());
        let workflow = policy.workflow_of(flow).map_or("none", |it| it.id.as_str());
        let mut line = |name: &str, text: &str| writeln!(out, "  {name:<12} {text}");
        line("effect", decision.effect.as_str())?;
        let trust = policy.trust_of(flow).as_str();
        line(
            "flow",
            &format!(
                "{}, workflow {workflow}, to {destination} ({trust}), {} bytes",
                flow.channel.as_str(),
                flow.bytes
            ),
        )?;
        for item in decision.determining() {
            let text = match item.item {
                Item::Flow => item.from.id(policy).to_owned(),
                other => format!("{} ({})", item.from.id(policy), about(other, rules)),
            };
            line("because", &text)?;
        }
        for (category, count) in &label.categories {
            let id = rules.category_id(*category);
            line("holds", &format!("{id} x {}", count.count))?;
        }
        for category in &label.lineage {
            line("carries", rules.category_id(*category))?;
        }
        for reason in &label.coverage.reasons {
            line("coverage", &format!("partial: {}", reason.as_str()))?;
        }
        if decision.effect == Effect::Redact {
            for (category, transform, _) in decision.transforms() {
                line(transform.as_str(), rules.category_id(category))?;
            }
        }
        for (at, effect) in &decision.shadows {
            let id = policy.rules().get(*at).map_or("", |rule| rule.id.as_str());
            line("shadow", &format!("{id} would {}", effect.as_str()))?;
        }
        if let Some(grant) = self.grant {
            line("grant", grant)?;
        }
        if let Some(refusal) = self.refusal {
            line("grant", &format!("refused: {}", escape(refusal)))?;
        }
        if let Some(waiting) = self.escalation {
            line("escalation", &format!("{}, expires {}", waiting.id, waiting.expires))?;
        }
        if let Some(released) = self.released {
            line("released", &format!("{} bytes", released.bytes))?;
        }
        match self.recorded {
            Some(recorded) => line("recorded", &format!("entry {}", recorded.sequence)),
            None => line("recorded", "no"),
        }
    }
}

/// What an item is, in a word.
fn about(item: Item, rules: &RuleSet) -> String {
    match item {
        Item::Flow => "flow".to_owned(),
        Item::Category(category) => rules.category_id(category).to_owned(),
        Item::Lineage(category) => format!("lineage:{}", rules.category_id(category)),
        Item::Coverage(reason) => format!("coverage:{}", reason.as_str()),
    }
}

#[derive(Serialize)]
struct Shape<'s> {
    effect: Effect,
    cause: Cause,
    reason: &'s str,
    determining: Vec<DeterminingShape<'s>>,
    obligations: BTreeMap<&'s str, Transform>,
    shadows: Vec<ShadowShape<'s>>,
    workflow: Option<&'s str>,
    destination: Option<&'s str>,
    trust: Trust,
    channel: &'static str,
    purpose_listed: bool,
    bytes: u64,
    label: LabelShape<'s>,
    findings: FindingsShape<'s>,
    truncated: u64,
    grant: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_refused: Option<&'s str>,
    escalation: Option<&'s Waiting>,
    released: Option<&'s Released>,
    recorded: RecordedShape<'s>,
}

#[derive(Serialize)]
struct DeterminingShape<'s> {
    id: &'s str,
    about: String,
    effect: Effect,
}

#[derive(Serialize)]
struct ShadowShape<'s> {
    rule: &'s str,
    effect: Effect,
}

#[derive(Serialize)]
#[serde(untagged)]
enum RecordedShape<'s> {
    Yes(&'s Recorded),
    No(&'static str),
}
