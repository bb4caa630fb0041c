//! One payload with its flow header goes through all stages up to the decision.

use super::{Classified, Scanner};
use crate::decode::{Format, SNIFF_BYTES, sniff};
use crate::model::{Attested, Cause, FlowHeader, Label, Reason, Sensitivity};
use crate::policy::{Carrier, Decision, Flow, GrantFacts, Policy, decide};
use crate::record::Macs;

/// What decides flows: rules, a policy and the keys of one epoch.
#[derive(Clone, Debug)]
pub struct Control<'a> {
    /// The scanner; its fingerprints are under [`Macs::value_key`].
    pub scanner: &'a Scanner,
    /// The policy.
    pub policy: &'a Policy,
    /// The keyed MACs.
    pub macs: &'a Macs,
}

/// A decided payload. Holds no byte of it.
#[derive(Clone, Debug)]
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
}

impl Control<'_> {
    /// Decides a whole payload. Total: what goes wrong is block, with its cause.
    pub fn judge(
        &self,
        header: FlowHeader,
        attested: Attested,
        carrier: Carrier,
        payload: &[u8],
        grants: &[GrantFacts],
        now: u64,
    ) -> Judged {
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
        let known = self.inherit(&header, &mut classified.label);
        let mut flow = self.policy.resolve(&header, &attested, carrier);
        flow.payload = self.macs.payload(payload);
        flow.bytes = payload.len() as u64;
        let decision = if known && declared.is_ok() {
            decide(self.policy, &classified.label, &flow, grants, now)
        } else {
            Decision::failure(Cause::Error)
        };
        Judged { header, attested, flow, classified, decision }
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
