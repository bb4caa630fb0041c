//! What a register says, before it is checked against itself and compiled.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{CategorySet, Matcher};
use crate::model::{Channel, Effect, Reason};

/// Everything that a `sluice.toml` states about flows, in the order in which it states it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// Where payloads may go.
    pub destinations: Vec<Destination>,
    /// Who moves them and what for.
    pub workflows: Vec<Workflow>,
    /// What is decided beyond the defaults.
    pub rules: Vec<Rule>,
    /// Who may approve escalations.
    pub approvers: Vec<Approver>,
    /// Where escalations and decisions are told.
    pub paths: Vec<EventPath>,
    /// Categories that inline, baseline and imported exceptions may except.
    pub exceptable: CategorySet,
}

/// Whether a destination belongs to the organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// It does.
    Internal,
    /// It does not.
    External,
    /// Nobody registered it.
    Unknown,
}

impl Trust {
    /// The word used in configuration, records and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Trust::Internal => "internal",
            Trust::External => "external",
            Trust::Unknown => "unknown",
        }
    }
}

/// When the bytes of a stream may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Release {
    /// When the whole payload was decided.
    Whole,
    /// As soon as a prefix is final.
    Prefix,
}

/// A registered destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// Its permanent id.
    pub id: String,
    /// What a person calls it; empty where nobody said.
    pub title: String,
    /// What belongs to it.
    pub matchers: Vec<Matcher>,
    /// Internal or external.
    pub trust: Trust,
    /// Categories that may go there.
    pub approved: CategorySet,
    /// Effect of a payload that cannot be read, where it is not the default.
    pub opaque: Option<Effect>,
    /// When bytes of a stream may go there, where it is not the default.
    pub release: Option<Release>,
    /// Whether a repository's file registers it. Nobody who may say so vouches for it then: rules
    /// about trust take it as unknown, and what the register of the machine names comes first.
    pub of_repository: bool,
}

impl Destination {
    /// The trust that rules ask for.
    pub fn standing(&self) -> Trust {
        if self.of_repository { Trust::Unknown } else { self.trust }
    }
}

/// Who a workflow is. A peer is of the workflow if it fits one entry of every list that has any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// User ids.
    pub uids: BTreeSet<u32>,
    /// Group ids, the supplementary ones of the peer included.
    pub gids: BTreeSet<u32>,
    /// systemd units.
    pub units: BTreeSet<String>,
    /// SHA-256 of executables, in lower-case hex digits.
    pub executables: BTreeSet<String>,
    /// File that holds the bearer token of the workflow.
    pub token_file: Option<String>,
    /// Whether anybody may claim the workflow; only where every list is empty.
    pub anyone: bool,
}

/// A registered workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow {
    /// Its permanent id.
    pub id: String,
    /// What a person calls it; empty where nobody said.
    pub title: String,
    /// Who answers for it.
    pub owner: String,
    /// Who it is.
    pub binding: Binding,
    /// What it may move data for.
    pub purposes: BTreeSet<String>,
    /// Categories that it may move.
    pub approved: CategorySet,
    /// Ids of destinations that it may move data to.
    pub destinations: BTreeSet<String>,
    /// Ids of approvers of its escalations.
    pub approvers: BTreeSet<String>,
    /// How many of them have to approve; at least 1.
    pub approvals: u32,
    /// Whether a grant counts only where the kernel attests its executor to another process, so
    /// that nobody approves and uses with the keys of one user.
    pub separation: bool,
    /// What its grants are.
    pub grants: GrantTerms,
    /// Id of the path that is told of escalations.
    pub escalation: Option<String>,
    /// Id of the path that is told of every decision.
    pub monitoring: Option<String>,
    /// Fields that a flow header has to name.
    pub evidence: BTreeSet<String>,
    /// Effect of a payload that cannot be read, where it is not the default.
    pub opaque: Option<Effect>,
}

/// How long the escalations of a workflow wait, and what a grant of it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantTerms {
    /// Seconds that an escalation waits before it is block.
    pub wait: u64,
    /// Seconds that a grant is valid from the last approval on.
    pub valid: u64,
    /// Uses and bytes of all uses together, for grants of more than the one payload; none: a grant
    /// is for the payload that was escalated, one time.
    pub bounds: Option<(u32, u64)>,
}

/// A day to approve, 15 minutes to use it, this payload alone.
impl Default for GrantTerms {
    fn default() -> GrantTerms {
        GrantTerms { wait: 24 * 3600, valid: 15 * 60, bounds: None }
    }
}

/// What is done to the findings of a redacted flow, weakest first: of several the strongest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transform {
    /// Made coarse: a date to its year, a ZIP code to its first three digits.
    Generalise,
    /// Replaced by a typed random token that an approver can have revealed.
    Tokenize,
    /// Replaced by asterisks.
    Mask,
    /// Taken out.
    Drop,
}

impl Transform {
    /// The word used in configuration, records and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Transform::Generalise => "generalise",
            Transform::Tokenize => "tokenize",
            Transform::Mask => "mask",
            Transform::Drop => "drop",
        }
    }
}

/// What a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The flow, whatever it holds. Such a rule can only raise an effect.
    Flow,
    /// Findings of these categories.
    Categories(CategorySet),
    /// These categories where the payload carries them from earlier steps.
    Lineage(CategorySet),
    /// Payloads that were not wholly inspected, for one of these reasons.
    Coverage(BTreeSet<Reason>),
}

/// When a rule matches. An empty set means any. Conditions on data are upward-closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// What it is about.
    pub subject: Subject,
    /// At least so many findings; 1 is no condition.
    pub count: u64,
    /// At least so many different values; 1 is no condition.
    pub unique: u32,
    /// At least this likelihood, 65 to 100; 65 is no condition.
    pub likelihood: u8,
    /// Whether findings of band possible count too.
    pub possible: bool,
    /// Categories that all have to be in the payload, beside what the rule is about.
    pub contains: CategorySet,
    /// Channels.
    pub channels: BTreeSet<Channel>,
    /// Ids of workflows.
    pub workflows: BTreeSet<String>,
    /// Purposes.
    pub purposes: BTreeSet<String>,
    /// Ids of destinations.
    pub destinations: BTreeSet<String>,
    /// Trust of the destination. External holds for an unknown destination too.
    pub trust: BTreeSet<Trust>,
}

impl When {
    /// A condition that holds for every flow about `subject`.
    pub fn any(subject: Subject) -> When {
        When {
            subject,
            count: 1,
            unique: 1,
            likelihood: 65,
            possible: false,
            contains: CategorySet::new(),
            channels: BTreeSet::new(),
            workflows: BTreeSet::new(),
            purposes: BTreeSet::new(),
            destinations: BTreeSet::new(),
            trust: BTreeSet::new(),
        }
    }

    /// Whether the trust of a destination fits. Nobody vouches for an unknown one: it is external
    /// too.
    pub fn trusts(&self, trust: Trust) -> bool {
        self.trust.is_empty()
            || self.trust.contains(&trust)
            || trust == Trust::Unknown && self.trust.contains(&Trust::External)
    }

    /// Whether a rule with this condition can take the place of the default of what it is about. One with
    /// a threshold, or about the flow as a whole, does not: it would make more data weaken an effect.
    pub fn displaces_default(&self) -> bool {
        self.count <= 1
            && self.unique <= 1
            && self.likelihood <= 65
            && self.contains.is_empty()
            && self.subject != Subject::Flow
    }
}

/// A rule of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its permanent id.
    pub id: String,
    /// When it matches.
    pub when: When,
    /// What it decides.
    pub effect: Effect,
    /// What is done to the findings, for effect redact.
    pub transform: Option<Transform>,
    /// Why, in a sentence that people who are refused will read.
    pub reason: String,
    /// Whether it only says what it would have decided.
    pub shadow: bool,
    /// Whether a repository's file states it. Such a rule can only raise an effect: who is decided
    /// about does not open anything.
    pub of_repository: bool,
}

impl Rule {
    /// Whether the rule takes the place of the default of what it is about.
    pub fn displaces_default(&self) -> bool {
        !self.of_repository && self.when.displaces_default()
    }
}

/// Somebody who may approve escalations.
#[derive(Clone, Debug, PartialEq)]
pub struct Approver {
    /// Permanent id.
    pub id: String,
    /// Public key in OpenSSH form: `ssh-ed25519 AAAA...`.
    pub key: String,
    /// User id of the person on this machine, where there is one: the requester and the executor
    /// must be others.
    pub uid: Option<u32>,
    /// Categories that they may approve.
    pub categories: CategorySet,
    /// Whether they may approve payloads that cannot be read.
    pub opaque: bool,
}

/// A command that is told of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPath {
    /// Permanent id.
    pub id: String,
    /// Program and fixed arguments.
    pub command: Vec<String>,
    /// Seconds after which it is stopped.
    pub timeout: u32,
    /// The most events a minute; more are counted and told of together.
    pub per_minute: u32,
}

/// What is wrong between the parts of a register, and at which part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Two destinations have matchers of the same reach: positions of both and the matcher.
    Tie(usize, usize, String),
    /// The taxonomy has more categories than a policy can hold.
    TooManyCategories,
    /// A rule, by position, has effect redact and is not about findings.
    RedactNeedsFindings(usize),
    /// A rule, by position, has a transform and another effect than redact.
    TransformNeedsRedact(usize),
    /// A workflow, by position, is bound to nobody and does not say that anyone may be it.
    Unbound(usize),
    /// A workflow, by position, wants more approvals than it has approvers.
    TooFewApprovers(usize),
    /// Part of a rule, workflow or destination names something that is not registered.
    UnknownName(&'static str, String),
    /// All rules are shadows, so that nothing would be decided by them.
    AllShadow,
}
