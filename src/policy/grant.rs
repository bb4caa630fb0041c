//! What a grant allows, and whether it counts for a flow.

use super::{CategorySet, Flow, Policy};
use crate::model::Reason;

/// What a grant allows, as far as a decision has to know; its signatures were verified before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantFacts {
    /// The identity that may present it.
    pub executor: String,
    /// Id of the destination, or the text that named it where it is unknown.
    pub destination: String,
    /// Id of the workflow; empty for a flow of none.
    pub workflow: String,
    /// The purpose; empty where the flow named none.
    pub purpose: String,
    /// The channel.
    pub channel: crate::model::Channel,
    /// Scheme and host of the destination, as [`Flow::address`] has them.
    pub address: String,
    /// Categories that were found whose escalation it lifts.
    pub categories: CategorySet,
    /// Inherited categories whose escalation it lifts.
    pub lineage: CategorySet,
    /// Reasons for partial coverage whose escalation it lifts; they need `payload`.
    pub coverage: Vec<Reason>,
    /// Whether it lifts the escalation for a purpose that is not listed.
    pub unlisted_purpose: bool,
    /// Whether the approvers knew that the payload cannot be redacted, and let it pass whole.
    pub whole: bool,
    /// MAC of the one payload that it is for; none for a grant with a bounded scope.
    pub payload: Option<[u8; 32]>,
    /// The most bytes of a payload.
    pub bytes: u64,
    /// Digest of the policy that it was made under.
    pub policy: [u8; 32],
    /// From when on it counts, in seconds since 1970.
    pub not_before: u64,
    /// When it ends, in seconds since 1970.
    pub expires: u64,
}

/// Why a grant does not count for a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refusal {
    /// Its time is over.
    #[error("the grant has expired")]
    Expired,
    /// Its time has not come: the clock was set back, or the grant was made elsewhere.
    #[error("the grant is not valid yet")]
    NotYet,
    /// Another identity presents it.
    #[error("the grant is for another executor")]
    Executor,
    /// Another destination.
    #[error("the grant is for another destination")]
    Destination,
    /// Another workflow.
    #[error("the grant is for another workflow")]
    Workflow,
    /// Another purpose.
    #[error("the grant is for another purpose")]
    Purpose,
    /// Another channel.
    #[error("the grant is for another channel")]
    Channel,
    /// Another payload.
    #[error("the grant is for another payload")]
    Payload,
    /// More bytes than its scope.
    #[error("the payload is larger than the grant allows")]
    Size,
    /// Another policy is in force.
    #[error("the grant was made under another policy")]
    Policy,
    /// The flow holds something that the grant does not cover.
    #[error("the grant does not cover everything that was escalated")]
    NotCovered,
}

/// Why a grant does not count for this flow, beside what it covers.
pub(super) fn refused(
    policy: &Policy,
    flow: &Flow,
    grant: &GrantFacts,
    now: u64,
) -> Option<Refusal> {
    let workflow = policy.workflow_of(flow).map_or("", |workflow| workflow.id.as_str());
    let checks = [
        (now < grant.not_before, Refusal::NotYet),
        (now >= grant.expires, Refusal::Expired),
        (grant.policy != policy.digest(), Refusal::Policy),
        (grant.executor != flow.executor, Refusal::Executor),
        (grant.workflow != workflow, Refusal::Workflow),
        (grant.destination != flow.destination_name, Refusal::Destination),
        (grant.address != flow.address, Refusal::Destination),
        (grant.purpose != flow.purpose_name, Refusal::Purpose),
        (grant.channel != flow.channel, Refusal::Channel),
        (grant.payload.is_some_and(|payload| payload != flow.payload), Refusal::Payload),
        (flow.bytes > grant.bytes, Refusal::Size),
    ];
    checks.into_iter().find_map(|(failed, refusal)| failed.then_some(refusal))
}
