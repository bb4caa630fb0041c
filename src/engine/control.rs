//! One payload with its flow header goes through all stages up to the decision.

use data_encoding::HEXLOWER;

use super::{Classified, Scanner, redact_and_rescan};
use crate::decode::{Format, SNIFF_BYTES, sniff};
use crate::model::{Attested, Cause, Effect, FlowHeader, Label, Reason, Sensitivity};
use crate::policy::{Carrier, Decision, Flow, GrantFacts, Policy, decide, describe};
use crate::record::{Macs, Moment};
use crate::respond::{NameCleaner, Obligations, Tokens};

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
        let declared = match &header.format {
            None => Ok(None),
            Some(word) => Format::declared(word.as_str()).map(Some).ok_or(()),
        };
        let mut classified = self.scanner.scan_as(payload, declared.unwrap_or(None));
        if declared.is_ok_and(|format| format.is_some()) {
            // A declared format says how to read a payload, never that it can be read.
            let head = payload.get(..SNIFF_BYTES).unwrap_or(payload);
            if sniff(head).opaque.is_some() {
                classified.label.coverage.reasons.insert(Reason::Opaque);
            }
        }
        classified.label.coverage.reasons.extend(arriving.failed.map(reason_of));
        let known = self.inherit(header, &mut classified.label);
        let flow = self.flow(header, attested, *carrier, payload);
        let failed = arriving.failed.or((!known || declared.is_err()).then_some(Cause::Error));
        let mut decision = match failed {
            None => decide(self.policy, &classified.label, &flow, grants, now),
            Some(cause) => Decision::failure(cause),
        };
        let mut redacted = None;
        if decision.effect == Effect::Redact {
            let obligations: Obligations = decision.transforms().collect();
            let mut tokens = tokens(&flow);
            let again =
                redact_and_rescan(self.scanner, payload, &classified, &obligations, &mut *tokens);
            let again = again.ok().filter(|_| tokens.commit().is_ok()).and_then(|mut again| {
                // What is left came from where the payload came from.
                self.inherit(header, &mut again.again.label);
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

    /// The flow that a header names, with the MAC of its payload. Names that nobody registered are
    /// kept without what records must not hold: regulated data, and of an address all but scheme
    /// and host; a MAC of the whole text keeps them apart.
    fn flow(
        &self,
        header: &FlowHeader,
        attested: &Attested,
        carrier: Carrier,
        payload: &[u8],
    ) -> Flow {
        let mut flow = self.policy.resolve(header, attested, carrier);
        flow.payload = self.macs.payload(payload);
        flow.bytes = payload.len() as u64;
        if flow.destination.is_none() && !flow.destination_name.is_empty() {
            let shape = describe(&flow.destination_name);
            let shown = match (shape.scheme.as_str(), shape.host.as_str()) {
                ("", "") => String::new(),
                ("", host) => host.to_owned(),
                (scheme, host) => format!("{scheme}://{host}"),
            };
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

    /// Adds what the header says that the payload carries. False where it names a category that
    /// does not exist.
    fn inherit(&self, header: &FlowHeader, label: &mut Label) -> bool {
        let rules = self.scanner.rules();
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
}

/// What the coverage of a payload says that could not be had whole.
fn reason_of(cause: Cause) -> Reason {
    match cause {
        Cause::Limit => Reason::Limit,
        Cause::Deadline => Reason::Deadline,
        Cause::Rule | Cause::Default | Cause::Error => Reason::Error,
    }
}
