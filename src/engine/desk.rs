//! A payload with its flow header is decided, recorded, and only then released.

mod written;

pub(super) use written::{Prepared, Slot, Written};

use std::io;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};

use super::{Arriving, Control, Judged};
use crate::approve::{self, Authority, Grant, Scope, Statement, Terms};
use crate::model::{Attested, Effect, FlowHeader};
use crate::policy::{Determinant, Flow, GrantFacts, Item, ItemDecision, describe};
use crate::record::pending::{
    Collected, ConsumeError, End, Judgement, Kept, Pending, PendingError,
};
use crate::record::vault::{self, Vault, VaultError, Vaults};
use crate::record::{AppendError, EscalationId, Ledger, Moment, Receipt, event};
use crate::respond::{NoTokens, TokenFailure, Tokens, escape};

/// Seconds that the values of tokens are kept: 30 days.
const TOKEN_SECONDS: u64 = 30 * 24 * 3600;

/// Decides payloads, writes the ledger and keeps escalations.
///
/// INVARIANT: [`Desk::settle`] gives a [`Settled`] only after the entry of its decision is durable.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// What decides.
    pub control: Control<'a>,
    /// Where it is recorded.
    pub ledger: &'a Ledger,
    /// Where escalations wait.
    pub pending: &'a Pending,
    /// Where the values of tokens are kept; none: nothing can be tokenized.
    pub vaults: Option<&'a Vaults>,
    /// The clocks.
    pub clock: &'a (dyn Fn() -> Moment + Sync),
    /// Random bytes.
    pub random: &'a (dyn Fn(&mut [u8]) -> io::Result<()> + Sync),
}

/// A decision that is durable.
#[derive(Debug)]
pub struct Settled {
    /// What was decided.
    pub judged: Judged,
    /// Why, for a person.
    pub reason: String,
    /// Where it is recorded.
    pub receipt: Receipt,
    /// The escalation that waits, and until when, in nanoseconds since 1970.
    pub escalation: Option<(EscalationId, u64)>,
    /// What approvers are asked to sign, where it waits.
    pub statement: Option<Statement>,
    /// The grant that was used.
    pub grant: Option<EscalationId>,
    /// Why a grant that was presented was not used.
    pub refusal: Option<String>,
    /// Bytes and MAC of what may be released.
    pub released: Option<(u64, [u8; 32])>,
}

/// Why a decision is not recorded. It means block.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The ledger takes no entry.
    #[error("the decision cannot be recorded, so nothing is released: {0}")]
    Record(#[from] AppendError),
    /// An entry before this one was not recorded.
    #[error("an earlier entry of this payload was not recorded, so nothing more is released")]
    Unrecorded,
}

/// A grant that was presented, as far as it holds.
struct Presented {
    id: EscalationId,
    grant: Grant,
    facts: GrantFacts,
}

impl Desk<'_> {
    /// Decides a payload and records it.
    ///
    /// # Errors
    ///
    /// The entry could not be made durable: nothing may be released.
    pub fn settle(&self, arriving: &Arriving<'_>) -> Result<Settled, DeskError> {
        match self.prepare(arriving)? {
            Prepared::Settled(settled) => Ok(*settled),
            Prepared::Unwritten(unwritten) => {
                let (judged, written) = *unwritten;
                self.write(judged, &arriving.began, written)
            }
        }
    }

    /// As [`Desk::settle`], but `told` gets the answer, once the entry is durable: the calling
    /// thread does not wait, but for the use of a grant and for an escalation that is kept. Where it
    /// does not wait `told` runs on the thread that commits, and has to be quick.
    pub fn settle_then(
        &self,
        arriving: &Arriving<'_>,
        told: impl FnOnce(Result<Settled, DeskError>) + Send + 'static,
    ) {
        match self.prepare(arriving) {
            Err(error) => told(Err(error)),
            Ok(prepared) => self.write_prepared_then(prepared, &arriving.began, told),
        }
    }

    /// Decides a payload, and keeps what has to wait. A grant is used, and that is recorded.
    pub(super) fn prepare(&self, arriving: &Arriving<'_>) -> Result<Prepared, DeskError> {
        let Arriving { header, attested, began, .. } = arriving;
        let mut tokens = |flow: &Flow| {
            self.tokens(header, attested, began, &flow.destination_name, &flow.payload)
        };
        let (presented, mut refusal) = match self.presented(header, attested, began)? {
            Ok(presented) => (presented, None),
            Err(refusal) => (None, Some(refusal)),
        };
        let facts: Vec<GrantFacts> = presented.iter().map(|it| it.facts.clone()).collect();
        let mut judged = self.control.judge(arriving, &facts, &mut tokens);
        if let Some((_, why)) = judged.decision.refusals.first() {
            refusal = Some(why.to_string());
        }
        // A flow that is held all the same uses no grant.
        let passes = judged.decision.effect <= Effect::Redact;
        let used = passes && !judged.decision.grants.is_empty();
        if let Some(presented) = presented.filter(|_| used) {
            match self.use_grant(&presented, &judged, began) {
                Ok(settled) => return Ok(Prepared::Settled(Box::new(settled))),
                Err(ConsumeError::Record(error)) => return Err(error),
                Err(ConsumeError::Pending(error)) => {
                    // Without its grant the flow is what it was before.
                    refusal = Some(error.to_string());
                    judged = self.control.judge(arriving, &[], &mut tokens);
                }
            }
        }
        let written = self.hold(&mut judged, began, refusal)?;
        Ok(Prepared::Unwritten(Box::new((judged, written))))
    }

    /// What is written beside a decision. Where it is to escalate, that is kept for a person, or
    /// blocked where that is not possible.
    pub(super) fn hold(
        &self,
        judged: &mut Judged,
        now: &Moment,
        refusal: Option<String>,
    ) -> Result<Written, DeskError> {
        let mut written = Written { refusal, ..Written::default() };
        if judged.decision.effect != Effect::Escalate {
            return Ok(written);
        }
        match self.held(judged, now)? {
            Ok(Held::Waits(waiting)) => written.statement = Some(waiting),
            Ok(Held::New(new)) => {
                written.extra.push(escalation_fields(&new));
                written.statement = Some(new);
            }
            Ok(Held::Ended(from)) => judged.decision.raise(Effect::Block, from),
            Err(why) => {
                written.refusal = Some(why);
                judged.decision.raise(Effect::Block, Determinant::Failure);
            }
        }
        Ok(written)
    }

    /// Keeps the tokens of a flow: those of one run of a workload for one destination, or of this
    /// payload alone, which `alone` names, where no run is named.
    pub(super) fn tokens<'t>(
        &'t self,
        header: &FlowHeader,
        attested: &Attested,
        now: &Moment,
        destination: &str,
        alone: &[u8],
    ) -> Box<dyn Tokens + 't> {
        let Some(vaults) = self.vaults else { return Box::new(NoTokens) };
        let run = header.run.as_ref().map_or_else(
            || format!("payload {}", HEXLOWER.encode(alone)),
            |run| format!("run {}", run.as_str()),
        );
        let now = now.seconds();
        let scope = vault::Scope::new(attested, &run, destination);
        Box::new(RunTokens { vaults, scope, now, random: self.random, vault: None })
    }

    /// What becomes of a flow that has to wait: it waits already, somebody denied it, the time of
    /// the escalation that the header names is over, or a new escalation is kept. A denial counts
    /// for the payload, whatever the header names.
    fn held(&self, judged: &Judged, now: &Moment) -> Result<Result<Held, String>, DeskError> {
        let header = &judged.header;
        let new = match self.state(judged, now) {
            Ok(new) => new,
            Err(why) => return Ok(Err(why)),
        };
        let named = header.grant.as_ref().or(header.escalation.as_ref());
        let named = named.and_then(|claimed| EscalationId::parse(claimed.as_str()).ok());
        let kept = || -> Result<_, String> {
            let bytes = new.to_bytes().map_err(|error| error.to_string())?;
            let alike = self.pending.like(&bytes).map_err(|error| error.to_string())?;
            Ok((bytes, alike))
        };
        let (bytes, alike) = match kept() {
            Ok(kept) => kept,
            Err(why) => return Ok(Err(why)),
        };
        for id in alike {
            // A denial that nobody took in yet is one.
            let _ = self.collect(id, now)?;
        }
        let look = |alike: &[Kept]| look(alike, named, &new, now);
        let held = self.pending.create_unless(new.id, &bytes, new.bounds(), now, look);
        Ok(held.map(|held| held.unwrap_or(Held::New(new))).map_err(|error| error.to_string()))
    }

    /// The grant that a header names, verified; what approvers left for it is taken in, and
    /// recorded, first. Inside, why there is none.
    fn presented(
        &self,
        header: &FlowHeader,
        attested: &Attested,
        now: &Moment,
    ) -> Result<Result<Option<Presented>, String>, DeskError> {
        let Some(claimed) = header.grant.as_ref().or(header.escalation.as_ref()) else {
            return Ok(Ok(None));
        };
        let id = match EscalationId::parse(claimed.as_str()) {
            Ok(id) => id,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let refused = match self.collect(id, now)? {
            Err(refusal) => return Ok(Err(refusal)),
            Ok(collected) => collected.into_iter().find_map(|it| match it.judgement {
                Judgement::Refuse(why) => Some(why),
                _ => None,
            }),
        };
        let verified = self.verified(id, attested, now).map(Some);
        Ok(verified
            .map_err(|why| refused.map_or(why.clone(), |refused| format!("{why}; {refused}"))))
    }

    /// Takes in what approvers left for an escalation, and records what counts. Inside, why
    /// nothing can be taken in.
    ///
    /// # Errors
    ///
    /// The ledger takes no entry.
    pub fn collect(
        &self,
        id: EscalationId,
        now: &Moment,
    ) -> Result<Result<Vec<Collected>, String>, DeskError> {
        let authority = self.authority();
        let mut judge = |kept: &Kept, arrival: &_| authority.judge(kept, arrival);
        let collected = self.pending.collect(id, &authority.approvers(), now, &mut judge);
        let collected = match collected {
            Ok(collected) => collected,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let counted: Vec<Map<String, Value>> =
            collected.iter().filter_map(|it| self.approval_fields(id, it, now)).collect();
        if !counted.is_empty() {
            self.ledger.append_all(|first| {
                let numbered = (first..).zip(counted);
                numbered
                    .map(|(sequence, fields)| event(sequence, "approval", now, fields))
                    .collect()
            })?;
        }
        Ok(Ok(collected))
    }

    /// Ends escalations whose time is over, and records that they did.
    ///
    /// # Errors
    ///
    /// The ledger takes no entry.
    pub fn expire(&self, now: &Moment) -> Result<Result<Vec<EscalationId>, String>, DeskError> {
        // What arrived in time counts, though nobody took it in yet.
        for id in self.pending.list().unwrap_or_default() {
            let Ok(kept) = self.pending.load(id, now) else { continue };
            if kept.ended.is_none() && now.seconds() >= kept.bounds.expires {
                let _ = self.collect(id, now)?;
            }
        }
        let authority = self.authority();
        let mut granted = |kept: &Kept| authority.grant(kept, now.seconds()).is_ok();
        let ended = match self.pending.expire(now, &mut granted) {
            Ok(ended) => ended,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if !ended.is_empty() {
            self.ledger.append_all(|first| {
                let entry = |(sequence, id): (u64, &EscalationId)| {
                    let fields = fields(&[("escalation", json!(id)), ("ended", json!("expired"))]);
                    event(sequence, "escalation", now, fields)
                };
                (first..).zip(&ended).map(entry).collect()
            })?;
        }
        Ok(Ok(ended))
    }

    fn authority(&self) -> Authority<'_> {
        Authority { policy: self.control.policy, taxonomy: &self.control.scanner.rules().taxonomy }
    }

    fn verified(
        &self,
        id: EscalationId,
        attested: &Attested,
        now: &Moment,
    ) -> Result<Presented, String> {
        let kept = self.pending.load(id, now).map_err(|error| error.to_string())?;
        let authority = self.authority();
        let grant = authority.grant(&kept, now.seconds()).map_err(|error| error.to_string())?;
        let workflow = &grant.statement().workflow;
        let workflows = self.control.policy.workflows();
        let separate = workflows.iter().any(|it| it.id == *workflow && it.separation);
        if attested.self_attested && separate {
            return Err("this workflow asks for separation: a daemon has to use its grants, not \
                        the command of whoever asks"
                .to_owned());
        }
        let facts = grant.facts(authority.taxonomy);
        Ok(Presented { id, grant, facts })
    }

    /// What is recorded of an approval or denial that counts.
    fn approval_fields(
        &self,
        id: EscalationId,
        collected: &Collected,
        now: &Moment,
    ) -> Option<Map<String, Value>> {
        let (approved, why) = match &collected.judgement {
            Judgement::Keep => (Some(true), None),
            Judgement::Deny(reason) => (Some(false), Some(self.control.names.clean(reason))),
            // It does not count, and that somebody tried is worth knowing.
            Judgement::Refuse(reason) => (None, Some(reason.clone())),
        };
        let kept = self.pending.load(id, now).ok()?;
        let statement = Statement::parse(&kept.statement).ok()?;
        let approver = &collected.approver;
        let registered = self.control.policy.approvers().iter().find(|it| it.id == *approver);
        Some(fields(&[
            ("escalation", json!(id)),
            ("approver", json!(approver)),
            ("approver_uid", json!(registered.and_then(|it| it.uid))),
            ("approved", json!(approved)),
            ("reason", json!(why.map(|why| escape(&why)))),
            ("statement", json!(Statement::digest(&kept.statement))),
            ("payload_mac", json!(statement.payload_mac)),
            ("requester", json!(statement.requester)),
            ("executor", json!(statement.executor)),
        ]))
    }

    /// User ids of approvers, where they are registered.
    fn uids(&self, approvers: &[&str]) -> Vec<Option<u32>> {
        let registered = self.control.policy.approvers();
        let uid = |id: &&str| registered.iter().find(|it| it.id == **id).and_then(|it| it.uid);
        approvers.iter().map(uid).collect()
    }

    /// Marks the use of a grant, then records it together with the decision.
    fn use_grant(
        &self,
        presented: &Presented,
        judged: &Judged,
        began: &Moment,
    ) -> Result<Settled, ConsumeError<DeskError>> {
        let mut settled = None;
        self.pending.consume(presented.id, judged.flow.bytes, began, |used| {
            let approvers: Vec<&str> =
                presented.grant.approvers().iter().map(String::as_str).collect();
            let fields = fields(&[
                ("grant", json!(presented.id)),
                ("use", json!(used.number)),
                ("bytes", json!(used.bytes)),
                ("statement", json!(presented.grant.digest())),
                ("approver", json!(approvers)),
                ("approver_uids", json!(self.uids(&approvers))),
                ("requester", json!(presented.grant.statement().requester)),
                ("executor", json!(judged.flow.executor)),
                ("expires", json!(presented.grant.expires())),
            ]);
            let written = Written {
                grant: Some((presented.id, presented.grant.approvers().to_vec())),
                extra: vec![("grant_use", fields)],
                ..Written::default()
            };
            settled = Some(self.write(judged.clone(), began, written)?);
            Ok(())
        })?;
        settled.ok_or_else(|| {
            let gone = std::io::Error::other("the use of the grant left no decision");
            ConsumeError::Pending(PendingError::Io("use a grant", gone))
        })
    }

    /// What approvers would be asked to sign.
    fn state(&self, judged: &Judged, now: &Moment) -> Result<Statement, String> {
        let mut random = [0; 16];
        (self.random)(&mut random).map_err(|_| "no random numbers".to_owned())?;
        let id = EscalationId::new(random);
        let Control { scanner, policy, .. } = self.control;
        let shape = judged.header.destination.as_ref().map(|it| describe(it.as_str()));
        let shape = shape.unwrap_or_default();
        let (scheme, host) = (&shape.scheme, &shape.host);
        let (scheme, host) = (self.control.names.clean(scheme), self.control.names.clean(host));
        let held = approve::Held {
            policy,
            taxonomy: &scanner.rules().taxonomy,
            flow: &judged.flow,
            label: &judged.classified.label,
            findings: &judged.classified.findings,
            decision: &judged.decision,
            requester: judged.attested.uid,
            destination: (&scheme, &host),
        };
        let grants = policy.workflow_of(&judged.flow).map(|it| it.grants).unwrap_or_default();
        // What was not wholly inspected, or is held as a whole, is never approved for more than
        // itself.
        let whole = |item: &ItemDecision| {
            item.effect == Effect::Escalate
                && item.item == Item::Flow
                && item.from != Determinant::Purpose
        };
        let bounded = judged.classified.label.coverage.is_complete()
            && !judged.decision.items.iter().any(whole);
        let bounds = grants.bounds.filter(|_| bounded);
        let scope = bounds.map_or(Scope::Payload, |(uses, bytes)| Scope::Bounded { uses, bytes });
        let terms = Terms { pending: grants.wait, lifetime: grants.valid, scope };
        Statement::of(held, terms, id, now.seconds()).map_err(|error| error.to_string())
    }
}

/// The tokens of a run; its vault is opened when the first one is asked for.
struct RunTokens<'a> {
    vaults: &'a Vaults,
    scope: vault::Scope,
    now: u64,
    random: &'a (dyn Fn(&mut [u8]) -> io::Result<()> + Sync),
    vault: Option<Vault>,
}

impl Tokens for RunTokens<'_> {
    fn token(
        &mut self,
        category: &str,
        value: &[u8],
        taken: &dyn Fn(&str) -> bool,
    ) -> Result<String, TokenFailure> {
        let mut random = self.random;
        if self.vault.is_none() {
            let expires = self.now.saturating_add(TOKEN_SECONDS);
            let vault = self.vaults.open(&self.scope, expires, self.now, &mut random)?;
            self.vault = Some(vault);
        }
        match &mut self.vault {
            Some(vault) => Ok(vault.token(category, value, taken, &mut random)?),
            None => NoTokens.token(category, value, taken),
        }
    }

    fn commit(&mut self) -> Result<(), TokenFailure> {
        match &mut self.vault {
            Some(vault) => Ok(vault.commit()?),
            None => Ok(()),
        }
    }

    fn is_busy(&mut self) -> bool {
        if self.vault.is_some() {
            return false;
        }
        let (mut random, expires) = (self.random, self.now.saturating_add(TOKEN_SECONDS));
        match self.vaults.try_open(&self.scope, expires, self.now, &mut random) {
            Ok(vault) => self.vault = Some(vault),
            Err(error) => return matches!(error, VaultError::Busy),
        }
        false
    }
}

/// What becomes of a flow that has to wait for a person.
enum Held {
    Waits(Statement),
    New(Statement),
    Ended(Determinant),
}

/// What becomes of a flow that has to wait, by what is kept about the same: what was denied is not
/// asked again, whatever else is kept.
fn look(
    alike: &[Kept],
    named: Option<EscalationId>,
    new: &Statement,
    now: &Moment,
) -> Option<Held> {
    if alike.iter().any(|kept| matches!(kept.ended, Some(End::Denied { .. }))) {
        return Some(Held::Ended(Determinant::Denied));
    }
    let is_over = |kept: &Kept| kept.ended == Some(End::Expired) && named == Some(kept.id);
    if alike.iter().any(is_over) {
        return Some(Held::Ended(Determinant::Expired));
    }
    let waits = alike.iter().filter(|kept| kept.ended.is_none() && kept.used == 0);
    let mut statements = waits.filter_map(|kept| Statement::parse(&kept.statement).ok());
    let is_asked = |it: &Statement| now.seconds() < it.expires && asks_the_same(it, new);
    statements.find(is_asked).map(Held::Waits)
}

/// Whether approvers of a statement are asked what they would be asked now.
fn asks_the_same(kept: &Statement, new: &Statement) -> bool {
    kept.policy == new.policy
        && kept.categories == new.categories
        && kept.lineage == new.lineage
        && kept.coverage == new.coverage
        && kept.unlisted_purpose == new.unlisted_purpose
        && kept.rules == new.rules
}

fn fields(pairs: &[(&str, Value)]) -> Map<String, Value> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// The entry that says what waits for a person.
fn escalation_fields(statement: &Statement) -> (&'static str, Map<String, Value>) {
    let digest = statement.to_bytes().map(|bytes| Statement::digest(&bytes)).ok();
    let fields = fields(&[
        ("escalation", json!(statement.id)),
        ("statement", json!(digest)),
        ("payload_mac", json!(statement.payload_mac)),
        ("requester", json!(statement.requester)),
        ("executor", json!(statement.executor)),
        ("workflow", json!(statement.workflow)),
        ("expires", json!(statement.expires)),
    ]);
    ("escalation", fields)
}
