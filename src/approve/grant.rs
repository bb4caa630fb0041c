//! Approvals, and the grant that enough of them make.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use ssh_key::public::KeyData;

use super::signature::{self, DENIAL_NAMESPACE, GRANT_NAMESPACE, SignatureError};
use super::{Hex32, Scope, Statement, StatementError};
use crate::policy::{Approver, Determinant, Flow, GrantFacts, Policy, Workflow};
use crate::record::EscalationId;
use crate::rules::Taxonomy;

/// The most approvals that are looked at for one grant.
const MAX_APPROVALS: usize = 64;

/// The most bytes of the reason of a denial.
const MAX_REASON: usize = 1000;

/// One approver's signature of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Id of the approver.
    pub approver: String,
    /// When it arrived, in seconds since 1970, by the clock of who keeps it: a signature states no
    /// time.
    pub time: u64,
    /// Armored SSH signature of the statement's bytes in namespace [`GRANT_NAMESPACE`].
    pub signature: String,
}

/// What an approver signs to end an escalation, in namespace [`DENIAL_NAMESPACE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// Id of the escalation.
    pub id: EscalationId,
    /// SHA-256 of the statement.
    pub statement: Hex32,
    /// Id of the approver.
    pub approver: String,
    /// Why, for who asked.
    pub reason: String,
}

/// Who may approve what: the register that is in force.
#[derive(Clone, Copy, Debug)]
pub struct Authority<'a> {
    /// The register.
    pub policy: &'a Policy,
    /// What categories there are.
    pub taxonomy: &'a Taxonomy,
}

/// A statement that enough approvers signed. There is no way to one but [`Grant::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    statement: Statement,
    digest: Hex32,
    approvers: Vec<String>,
    not_before: u64,
    expires: u64,
}

/// Why there is no grant, or an approval does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// The stored statement cannot be read.
    #[error("the statement cannot be used: {0}")]
    Statement(#[from] StatementError),
    /// The escalation was not approved in time, or the grant's time is over.
    #[error("its time is over")]
    Expired,
    /// It was made, or approved, later than now: the clock was set back.
    #[error("it is from the future; the clock was set back")]
    NotYet,
    /// Another policy is in force than the one that escalated.
    #[error("the policy has changed since the flow was escalated; present the payload again")]
    Policy,
    /// The workflow of the statement is not registered.
    #[error("the workflow `{0}` is not registered")]
    Workflow(String),
    /// A category of the statement is not in the taxonomy.
    #[error("the category `{0}` is not in the taxonomy")]
    UnknownCategory(String),
    /// Nobody of that name may approve anything.
    #[error("`{0}` is no registered approver")]
    Unregistered(String),
    /// The signature does not count: by another key, of another text.
    #[error("the signature of `{0}` does not count: {1}")]
    Signature(String, SignatureError),
    /// The workflow names others.
    #[error("`{0}` is no approver of this workflow")]
    NotNamed(String),
    /// The approver may not approve that category.
    #[error("`{0}` may not approve `{1}`")]
    Category(String, String),
    /// The approver may not approve payloads that cannot be read.
    #[error("`{0}` may not approve what was not wholly inspected")]
    Coverage(String),
    /// The approver is who asked.
    #[error("`{0}` asked for it, and cannot approve it")]
    Requester(String),
    /// The approver is who carries it out.
    #[error("`{0}` carries it out, and cannot approve it")]
    Executor(String),
    /// One person, or one key, signed twice.
    #[error("`{0}` has approved already, or has the key or the user of somebody who has")]
    Duplicate(String),
    /// More approvals than anybody needs.
    #[error("more than {MAX_APPROVALS} approvals")]
    TooMany,
    /// More approvals are needed.
    #[error("{have} of {need} approvals")]
    Waiting {
        /// Approvals that count.
        have: usize,
        /// Approvals that the workflow asks for.
        need: usize,
    },
    /// It was denied, or nobody approved it in time.
    #[error("the escalation has ended: {0}")]
    Ended(String),
    /// A denial that is not about this statement, or is in another form than the one signed.
    #[error("the denial is not about this statement")]
    Denial,
}

impl<'a> Authority<'a> {
    /// The approver that a key is registered for, where it is one's.
    pub fn approver_of(&self, key: &KeyData) -> Option<&'a Approver> {
        self.policy.approvers().iter().find(|approver| has_key(approver, key))
    }

    /// How many approvals a statement needs.
    ///
    /// # Errors
    ///
    /// Its workflow is not registered.
    pub fn needed(&self, statement: &Statement) -> Result<usize, GrantRefusal> {
        let asked = self.workflow(statement)?.map_or(1, |workflow| workflow.approvals);
        Ok(usize::try_from(asked.max(1)).unwrap_or(usize::MAX))
    }

    /// Whether an approver may approve a statement, whatever they signed: what is asked before
    /// they sign.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn may_approve(&self, statement: &Statement, approver: &str) -> Result<(), GrantRefusal> {
        let approver = self.registered(statement, approver)?;
        let name = || approver.id.clone();
        let wanted = statement.categories.keys().chain(&statement.lineage);
        for id in wanted {
            let index = self.taxonomy.find(id);
            let index = index.ok_or_else(|| GrantRefusal::UnknownCategory(id.clone()))?;
            if !approver.categories.contains(index) {
                return Err(GrantRefusal::Category(name(), id.clone()));
            }
        }
        if !statement.coverage.is_empty() && !approver.opaque {
            return Err(GrantRefusal::Coverage(name()));
        }
        if self.is_user(approver, Some(statement.requester)) {
            return Err(GrantRefusal::Requester(name()));
        }
        let executor = statement.executor_uid();
        if executor.is_none() || self.is_user(approver, executor) {
            return Err(GrantRefusal::Executor(name()));
        }
        Ok(())
    }

    /// Checks one approval of the statement with these bytes.
    ///
    /// # Errors
    ///
    /// Why it does not count.
    pub fn check(&self, bytes: &[u8], approval: &Approval) -> Result<(), GrantRefusal> {
        let statement = Statement::parse(bytes)?;
        self.check_signed(&statement, bytes, approval)
    }

    /// Checks a denial of the statement with these bytes: any registered approver that the
    /// workflow names may end its escalation. `signed` is the JSON that was signed.
    ///
    /// # Errors
    ///
    /// Why it does not count.
    pub fn check_denial(
        &self,
        bytes: &[u8],
        signed: &[u8],
        signature: &[u8],
    ) -> Result<Denial, GrantRefusal> {
        let statement = Statement::parse(bytes)?;
        let denial = Denial::parse(signed).ok_or(GrantRefusal::Denial)?;
        if denial.id != statement.id || denial.statement != Statement::digest(bytes) {
            return Err(GrantRefusal::Denial);
        }
        let approver = self.registered(&statement, &denial.approver)?;
        verify(approver, DENIAL_NAMESPACE, signed, signature)?;
        Ok(denial)
    }

    /// Whether approvals are by different people with different keys.
    pub(super) fn distinct(&self, approvals: &[Approval]) -> Result<(), GrantRefusal> {
        let mut people = People::default();
        for Approval { approver, .. } in approvals {
            let known = self.policy.approvers().iter().find(|known| known.id == *approver);
            people.add(known.ok_or_else(|| GrantRefusal::Unregistered(approver.clone()))?)?;
        }
        Ok(())
    }

    fn check_signed(
        &self,
        statement: &Statement,
        bytes: &[u8],
        approval: &Approval,
    ) -> Result<(), GrantRefusal> {
        if approval.time < statement.created {
            return Err(GrantRefusal::NotYet);
        }
        if approval.time >= statement.expires {
            return Err(GrantRefusal::Expired);
        }
        self.may_approve(statement, &approval.approver)?;
        let approver = self.registered(statement, &approval.approver)?;
        verify(approver, GRANT_NAMESPACE, bytes, approval.signature.as_bytes())
    }

    /// The registered approver of that name, if the workflow takes their word.
    fn registered(&self, statement: &Statement, id: &str) -> Result<&'a Approver, GrantRefusal> {
        let approver = self.policy.approvers().iter().find(|approver| approver.id == id);
        let approver = approver.ok_or_else(|| GrantRefusal::Unregistered(id.to_owned()))?;
        let workflow = self.workflow(statement)?;
        let named = workflow.is_none_or(|workflow| workflow.approvers.contains(&approver.id));
        if named { Ok(approver) } else { Err(GrantRefusal::NotNamed(approver.id.clone())) }
    }

    fn workflow(&self, statement: &Statement) -> Result<Option<&'a Workflow>, GrantRefusal> {
        if statement.workflow.is_empty() {
            return Ok(None);
        }
        let mut workflows = self.policy.workflows().iter();
        let workflow = workflows.find(|workflow| workflow.id == statement.workflow);
        workflow.map(Some).ok_or_else(|| GrantRefusal::Workflow(statement.workflow.clone()))
    }

    /// Whether the approver is the user: by user id, or because a key of theirs is registered for
    /// that user too.
    fn is_user(&self, approver: &Approver, uid: Option<u32>) -> bool {
        let same_key = |other: &Approver| match signature::public_key(&approver.key) {
            Ok(key) => has_key(other, &key),
            Err(_) => other.key == approver.key,
        };
        let mut of_user = self.policy.approvers().iter().filter(|other| other.uid == uid);
        uid.is_some() && (approver.uid == uid || of_user.any(same_key))
    }
}

impl Denial {
    /// The bytes that are signed.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }

    /// The file that an approver leaves: what was signed, a line end, the armored signature.
    pub fn pack(signed: &[u8], signature: &str) -> Vec<u8> {
        [signed, b"\n", signature.as_bytes()].concat()
    }

    /// What was signed, and the signature; none where the file has another form.
    pub fn unpack(file: &[u8]) -> Option<(&[u8], &[u8])> {
        let at = file.iter().position(|byte| *byte == b'\n')?;
        Some((file.get(..at)?, file.get(at + 1..)?))
    }

    fn parse(signed: &[u8]) -> Option<Denial> {
        let most = MAX_REASON * 6 + 1024;
        let json = (signed.len() <= most).then_some(signed)?;
        let denial: Denial = serde_json::from_slice(json).ok()?;
        let bounded =
            denial.reason.len() <= MAX_REASON && !denial.reason.chars().any(char::is_control);
        (bounded && denial.to_bytes()? == signed).then_some(denial)
    }
}

impl Grant {
    /// Makes a grant of a stored statement and its approvals, at a time in seconds since 1970.
    ///
    /// Whether it was used already is for [`crate::record::pending`] to say, and whether it covers
    /// a flow for [`crate::policy::decide`].
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with any of the approvals, or that there are too few.
    pub fn verify(
        bytes: &[u8],
        approvals: &[Approval],
        authority: Authority<'_>,
        now: u64,
    ) -> Result<Grant, GrantRefusal> {
        let statement = Statement::parse(bytes)?;
        if now < statement.created {
            return Err(GrantRefusal::NotYet);
        }
        if statement.policy != Hex32(authority.policy.digest()) {
            return Err(GrantRefusal::Policy);
        }
        if approvals.len() > MAX_APPROVALS {
            return Err(GrantRefusal::TooMany);
        }
        for approval in approvals {
            authority.check_signed(&statement, bytes, approval)?;
        }
        authority.distinct(approvals)?;
        let (have, need) = (approvals.len(), authority.needed(&statement)?);
        if have < need {
            // Nobody is waited for once the time is over.
            let over = now >= statement.expires;
            return Err(if over {
                GrantRefusal::Expired
            } else {
                GrantRefusal::Waiting { have, need }
            });
        }
        let not_before = approvals.iter().map(|approval| approval.time).max().unwrap_or(u64::MAX);
        let expires = not_before.saturating_add(statement.lifetime);
        if now < not_before {
            return Err(GrantRefusal::NotYet);
        }
        if now >= expires {
            return Err(GrantRefusal::Expired);
        }
        let approvers = approvals.iter().map(|approval| approval.approver.clone()).collect();
        let digest = Statement::digest(bytes);
        Ok(Grant { statement, digest, approvers, not_before, expires })
    }

    /// What a decision has to know. A category that the taxonomy no longer has is left out.
    pub fn facts(&self, taxonomy: &Taxonomy) -> GrantFacts {
        let statement = &self.statement;
        let categories = statement.categories.keys().filter_map(|id| taxonomy.find(id)).collect();
        let lineage = statement.lineage.iter().filter_map(|id| taxonomy.find(id)).collect();
        let whole = [Determinant::Redaction, Determinant::Carrier].map(|it| it.word());
        let whole = statement.rules.iter().any(|rule| whole.contains(&rule.as_str()));
        let payload = match statement.scope {
            Scope::Payload => Some(statement.payload_mac.0),
            Scope::Bounded { .. } => None,
        };
        GrantFacts {
            executor: statement.executor.clone(),
            destination: statement.destination.clone(),
            workflow: statement.workflow.clone(),
            purpose: statement.purpose.clone(),
            channel: statement.channel,
            address: Flow::address_of(&statement.scheme, &statement.host),
            categories,
            lineage,
            whole,
            coverage: statement.coverage.iter().copied().collect(),
            unlisted_purpose: statement.unlisted_purpose,
            payload,
            bytes: statement.most_bytes(),
            policy: statement.policy.0,
            not_before: self.not_before,
            expires: self.expires,
        }
    }

    /// The statement that was signed.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// SHA-256 of the statement's bytes.
    pub fn digest(&self) -> Hex32 {
        self.digest
    }

    /// Ids of who approved, in the order in which the approvals were given.
    pub fn approvers(&self) -> &[String] {
        &self.approvers
    }

    /// When the last approval arrived, in seconds since 1970.
    pub fn not_before(&self) -> u64 {
        self.not_before
    }

    /// When the grant ends, in seconds since 1970.
    pub fn expires(&self) -> u64 {
        self.expires
    }
}

/// Those who approved so far.
#[derive(Default)]
struct People {
    ids: BTreeSet<String>,
    users: BTreeSet<u32>,
    keys: Vec<KeyData>,
}

impl People {
    fn add(&mut self, approver: &Approver) -> Result<(), GrantRefusal> {
        let name = || approver.id.clone();
        let key = signature::public_key(&approver.key);
        let key = key.map_err(|error| GrantRefusal::Signature(name(), error))?;
        let known_user = approver.uid.is_some_and(|uid| !self.users.insert(uid));
        if known_user || self.keys.contains(&key) || !self.ids.insert(name()) {
            return Err(GrantRefusal::Duplicate(name()));
        }
        self.keys.push(key);
        Ok(())
    }
}

fn has_key(approver: &Approver, key: &KeyData) -> bool {
    signature::public_key(&approver.key).is_ok_and(|registered| registered == *key)
}

fn verify(
    approver: &Approver,
    namespace: &'static str,
    message: &[u8],
    armored: &[u8],
) -> Result<(), GrantRefusal> {
    signature::public_key(&approver.key)
        .and_then(|key| signature::verify(armored, namespace, message, &key))
        .map_err(|error| GrantRefusal::Signature(approver.id.clone(), error))
}
