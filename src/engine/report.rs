//! What is said of a recorded decision.

use data_encoding::HEXLOWER;

use super::Settled;
use crate::policy::Policy;
use crate::record::rfc3339;
use crate::respond::{self, Recorded, Released, Report, Waiting};

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
