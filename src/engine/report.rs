//! What is said of a recorded decision.

use data_encoding::HEXLOWER;
use serde_json::{Map, Value};

use super::Settled;
use crate::policy::Policy;
use crate::record::rfc3339;
use crate::respond::{self, Recorded, Released, Report, Waiting};
use crate::rules::Taxonomy;

/// Gives all that is said of a recorded decision to whoever writes it.
pub fn report<T>(settled: &Settled, policy: &Policy, write: impl FnOnce(&Report<'_>) -> T) -> T {
    let judged = &settled.judged;
    let leaf = HEXLOWER.encode(&settled.receipt.leaf);
    let recorded = Recorded { sequence: settled.receipt.sequence, leaf };
    let released = |(bytes, mac): (u64, [u8; 32])| Released { bytes, mac: HEXLOWER.encode(&mac) };
    let released = settled.released.map(released);
    let waiting = settled
        .escalation
        .map(|(id, expires)| Waiting { id: id.to_string(), expires: rfc3339(expires) });
    let grant = settled.grant.map(|id| id.to_string());
    let chain = respond::chain(judged.classified.format);
    write(&Report {
        policy,
        flow: &judged.flow,
        label: &judged.classified.label,
        findings: &judged.classified.findings,
        truncated: judged.classified.truncated,
        chain: &chain,
        decision: &judged.decision,
        reason: &settled.reason,
        recorded: Some(&recorded),
        released: released.as_ref(),
        escalation: waiting.as_ref(),
        grant: grant.as_deref(),
        refusal: settled.refusal.as_deref(),
    })
}

/// What the paths of its workflow are told of a recorded decision, by the ids of the paths.
pub fn events_of<'p>(
    settled: &'p Settled,
    policy: &'p Policy,
    taxonomy: &'p Taxonomy,
) -> Vec<(&'p str, Map<String, Value>)> {
    let judged = &settled.judged;
    let escalation = settled.escalation.map(|(id, _)| id);
    let decided = respond::Decided {
        policy,
        taxonomy,
        flow: &judged.flow,
        label: &judged.classified.label,
        findings: &judged.classified.findings,
        decision: &judged.decision,
        sequence: Some(settled.receipt.sequence),
        escalation: escalation.or(settled.grant),
    };
    respond::events(&decided, settled.statement.as_ref())
}
