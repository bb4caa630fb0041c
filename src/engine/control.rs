//! One payload with its flow header goes through all stages up to the decision.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;

use super::{Classified, Scanner, redact_and_rescan};
use crate::decode::Format;
use crate::model::{
    Attested, CategoryIndex, Cause, Effect, Finding, FlowHeader, Label, Reason, Sensitivity,
};
use crate::policy::{Carrier, Decision, Flow, GrantFacts, Policy, decide, describe};
use crate::record::{Macs, Moment};
use crate::respond::{NameCleaner, Obligations, Tokens};
use crate::rules::RuleSet;

/// Characters of a name in a flow that nobody registered.
const MAX_NAME: usize = 200;

/// Gives the keeper of the tokens of a flow.
pub type TokensFor<'a> = dyn FnMut(&Flow) -> Box<dyn Tokens + 'a> + 'a;

/// What decides flows: rules, a policy and the keys of one epoch.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// The scanner; its fingerprints are under [`Macs::value_key`].
    pub scanner: &'a Scanner,
    /// The policy.
    pub policy: &'a Policy,
    /// The keyed MACs.
    pub macs: &'a Macs,
    /// Masks regulated data in texts of a header.
    pub names: &'a dyn NameCleaner,
}

/// A payload on its way in.
pub struct Arriving<'a> {
    /// What the caller claims.
    pub header: FlowHeader,
    /// What the kernel attests.
    pub attested: Attested,
    /// Whether it can be changed on its way.
    pub carrier: Carrier,
    /// The payload, as far as it could be had.
    pub payload: &'a [u8],
    /// Why that is not all of it, where it is not. It cannot be released then.
    pub failed: Option<Cause>,
    /// When it came in.
    pub began: Moment,
    /// What it holds, where it was scanned while it arrived, in all readings that count; none: it is
    /// scanned now.
    pub classified: Option<Classified>,
    /// Bytes of what the payload stands for, where it only names that: the tree of a commit.
    pub stands_for: Option<u64>,
    /// Categories of which findings were left out of that, as excepted.
    pub excepted: BTreeSet<CategoryIndex>,
}

/// A decided payload. Of its bytes only the redacted ones are held, where it is to be redacted.
#[derive(Clone)]
pub struct Judged {
    /// What the caller claims.
    pub header: FlowHeader,
    /// What the kernel attests.
    pub attested: Attested,
    /// The flow, resolved.
    pub flow: Flow,
    /// What the payload holds.
    pub classified: Classified,
    /// What may happen.
    pub decision: Decision,
    /// What may be released in place of the payload, for effect redact.
    pub redacted: Option<Vec<u8>>,
}

impl std::fmt::Debug for Judged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judged")
            .field("header", &self.header)
            .field("decision", &self.decision)
            .field("redacted", &self.redacted.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

impl Control<'_> {
    /// Decides a whole payload. Total: what goes wrong is block, with its cause. A payload that is
    /// to be redacted is redacted, scanned and decided again, and what cannot be redacted so that
    /// nothing is left is escalated.
    pub fn judge(
        &self,
        arriving: &Arriving<'_>,
        grants: &[GrantFacts],
        tokens: &mut TokensFor<'_>,
    ) -> Judged {
        let Arriving { header, attested, carrier, payload, .. } = arriving;
        let now = arriving.began.seconds();
        let declared = declared_format(header);
        let scanned = arriving.classified.clone();
        let mut classified =
            scanned.unwrap_or_else(|| self.read(payload, declared.unwrap_or(None)));
        let sniffed = classified.format;
        let other = declared.unwrap_or(None).filter(|declared| differ(*declared, sniffed));
        classified.label.coverage.reasons.extend(arriving.failed.map(reason_of));
        let known = inherit(header, self.scanner.rules(), &mut classified.label);
        let mut flow = self.flow(header, attested, *carrier);
        flow.payload = self.macs.payload(payload);
        flow.bytes = arriving.stands_for.unwrap_or(payload.len() as u64);
        let failed = arriving.failed.or((!known || declared.is_err()).then_some(Cause::Error));
        let mut decision = match failed {
            None => decide(self.policy, &classified.label, &flow, grants, now),
            Some(cause) => Decision::failure(cause),
        };
        if failed.is_none() && !arriving.excepted.is_empty() {
            decision.except(arriving.excepted.iter().copied());
        }
        let mut redacted = None;
        if decision.effect == Effect::Redact {
            let redactions = self.policy.redactions(&flow);
            let obligations = redactions.into_iter().chain(decision.transforms());
            let obligations: Obligations = obligations.collect();
            let mut tokens = tokens(&flow);
            let again =
                redact_and_rescan(self.scanner, payload, &classified, &obligations, &mut *tokens);
            let again = again.ok().filter(|_| tokens.commit().is_ok()).and_then(|mut again| {
                if let Some(declared) = other {
                    join(&mut again.again, self.scanner.scan_as(&again.bytes, Some(declared)));
                }
                // What is left came from where the payload came from.
                inherit(header, self.scanner.rules(), &mut again.again.label);
                let decision = decide(self.policy, &again.again.label, &flow, grants, now);
                (decision.effect == Effect::Allow).then_some(again.bytes)
            });
            match again {
                Some(bytes) => redacted = Some(bytes),
                None => decision.cannot_redact(self.policy, &flow, grants, now),
            }
        }
        let (header, attested) = (header.clone(), attested.clone());
        Judged { header, attested, flow, classified, decision, redacted }
    }

    /// What a payload holds. All of it is here, so what it looks like counts. A declared format adds
    /// what is found by reading it so; it takes nothing away.
    pub fn read(&self, payload: &[u8], declared: Option<Format>) -> Classified {
        let mut classified = self.scanner.scan_as(payload, None);
        let sniffed = classified.format;
        if let Some(declared) = declared.filter(|declared| differ(*declared, sniffed)) {
            join(&mut classified, self.scanner.scan_as(payload, Some(declared)));
        }
        classified
    }

    /// The flow that a header names; MAC and length of its payload are for the caller to fill in.
    /// Names that nobody registered are kept without what records must not hold: regulated data, and
    /// of an address all but scheme and host; a MAC of the whole text keeps them apart.
    pub(super) fn flow(&self, header: &FlowHeader, attested: &Attested, carrier: Carrier) -> Flow {
        let mut flow = self.policy.resolve(header, attested, carrier);
        let shape = describe(header.destination.as_ref().map_or("", |it| it.as_str()));
        flow.address = self.names.clean(&Flow::address_of(&shape.scheme, &shape.host));
        if flow.destination.is_none() && !flow.destination_name.is_empty() {
            let shown = flow.address.clone();
            flow.destination_name = self.bound("destination", &flow.destination_name, &shown);
        }
        if flow.purpose.is_none() && !flow.purpose_name.is_empty() {
            flow.purpose_name = self.bound("purpose", &flow.purpose_name, &flow.purpose_name);
        }
        flow
    }

    /// A name that stands for a text alone and shows `shown` of it, cleaned.
    fn bound(&self, field: &str, text: &str, shown: &str) -> String {
        let cleaned: String = self.names.clean(shown).chars().take(MAX_NAME).collect();
        if cleaned == text {
            return cleaned;
        }
        let mac = self.macs.claim(field, text);
        let mac = HEXLOWER.encode(mac.get(..16).unwrap_or(&mac));
        format!("{cleaned}#{mac}")
    }
}

/// The format that a header declares; an error where it is none.
pub(super) fn declared_format(header: &FlowHeader) -> Result<Option<Format>, ()> {
    match &header.format {
        None => Ok(None),
        Some(word) => Format::declared(word.as_str()).map(Some).ok_or(()),
    }
}

/// Whether a payload that is declared as one format is read in two ways.
pub(super) fn differ(declared: Format, sniffed: Format) -> bool {
    (declared.encoding, declared.structure) != (sniffed.encoding, sniffed.structure)
        || declared.opaque.is_some() && sniffed.opaque.is_none()
}

/// Adds to a label what a header says that the payload carries. False where it names a category
/// that does not exist.
pub(super) fn inherit(header: &FlowHeader, rules: &RuleSet, label: &mut Label) -> bool {
    let mut all_known = true;
    for claimed in &header.labels {
        let Some(index) = rules.taxonomy.find(claimed.as_str()) else {
            all_known = false;
            continue;
        };
        label.lineage.insert(index);
        let sensitivity =
            rules.category(index).map_or(Sensitivity::Restricted, |it| it.sensitivity);
        label.sensitivity = label.sensitivity.max(sensitivity);
    }
    all_known
}

/// Adds what another reading of the same payload found.
pub(super) fn join(classified: &mut Classified, other: Classified) {
    join_labels(&mut classified.label, other.label);
    classified.truncated = classified.truncated.max(other.truncated);
    for finding in other.findings {
        let is_known = |ours: &&Finding| ours.span == finding.span && ours.rule == finding.rule;
        let at = classified.findings.partition_point(|ours| ours.span < finding.span);
        let known =
            classified.findings.iter().skip(at).take_while(|ours| ours.span == finding.span);
        if known.clone().find(is_known).is_none() {
            classified.findings.insert(at, finding);
        }
    }
}

/// Adds the label of another reading of the same payload.
pub(super) fn join_labels(label: &mut Label, other: Label) {
    for (category, count) in other.categories {
        let ours = label.categories.entry(category).or_insert(count);
        ours.count = ours.count.max(count.count);
        ours.unique = ours.unique.max(count.unique);
        ours.max_likelihood = ours.max_likelihood.max(count.max_likelihood);
    }
    for (category, count) in other.possible {
        let ours = label.possible.entry(category).or_default();
        *ours = count.max(*ours);
    }
    label.sensitivity = label.sensitivity.max(other.sensitivity);
    label.coverage.join(&other.coverage);
}

/// What the coverage of a payload says that could not be had whole.
pub(super) fn reason_of(cause: Cause) -> Reason {
    match cause {
        Cause::Limit => Reason::Limit,
        Cause::Deadline => Reason::Deadline,
        Cause::Rule | Cause::Default | Cause::Exception | Cause::Error => Reason::Error,
    }
}
