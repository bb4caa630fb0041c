//! Decisions go to the ledger, and come back durable: to who waits, or to who is told.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use super::{Desk, DeskError, Settled};
use crate::approve::Statement;
use crate::engine::{Control, Judged};
use crate::model::Effect;
use crate::policy::{DestinationShape, describe};
use crate::record::merkle::leaf_hash;
use crate::record::{
    AppendError, Decided, EscalationId, Moment, Receipt, Streamed, decision, event, stream_close,
};
use crate::respond::escape;

/// A decided payload.
pub(in crate::engine) enum Prepared {
    /// It is recorded: a grant was used.
    Settled(Box<Settled>),
    /// It has to be recorded.
    Unwritten(Box<(Judged, Written)>),
}

/// What is written beside a decision.
#[derive(Default)]
pub(in crate::engine) struct Written {
    pub statement: Option<Statement>,
    pub grant: Option<(EscalationId, Vec<String>)>,
    pub refusal: Option<String>,
    /// Kind and fields of entries that come before it.
    pub extra: Vec<(&'static str, Map<String, Value>)>,
    /// How it was released, and bytes and MAC of all that was, where some went out before the end.
    pub streamed: Option<(Streamed, u64, [u8; 32])>,
}

/// A decision with all that its entry says.
struct Composed {
    judged: Judged,
    written: Written,
    reason: String,
    released: Option<(u64, [u8; 32])>,
    shape: DestinationShape,
    at: Moment,
    latency_us: u64,
}

/// Something that either who appends or who is told takes, whoever comes first.
pub(in crate::engine) struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    pub fn new(content: T) -> (Slot<T>, Slot<T>) {
        let slot = Arc::new(Mutex::new(Some(content)));
        (Slot(Arc::clone(&slot)), Slot(slot))
    }

    pub fn with<A>(&self, look: impl FnOnce(&mut T) -> A) -> Option<A> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(look)
    }

    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Desk<'_> {
    /// Appends the entry of the decision, and those that belong to it, in one commit.
    pub(super) fn write(
        &self,
        judged: Judged,
        began: &Moment,
        written: Written,
    ) -> Result<Settled, DeskError> {
        let composed = self.compose(judged, began, written);
        let receipts = self.ledger.append_all(|first| composed.entries(&self.control, first))?;
        let receipt = receipts.last().copied().ok_or(AppendError::Entry(0))?;
        Ok(composed.settled(receipt))
    }

    /// As [`Desk::write`], but `told` gets the answer, once the entries are durable.
    pub(in crate::engine) fn write_then(
        &self,
        judged: Judged,
        began: &Moment,
        written: Written,
        told: impl FnOnce(Result<Settled, DeskError>) + Send + 'static,
    ) {
        let composed = self.compose(judged, began, written);
        let (ours, theirs) = Slot::new((composed, None, told));
        let build = |first: u64| {
            let built = ours.with(|(composed, receipt, _)| {
                let entries = composed.entries(&self.control, first);
                *receipt = entries.last().map(|last| Receipt {
                    sequence: first.saturating_add(entries.len() as u64).saturating_sub(1),
                    leaf: leaf_hash(last),
                });
                entries
            });
            built.unwrap_or_default()
        };
        let appended = self.ledger.append_all_then(build, move |durable| {
            let Some((composed, receipt, told)) = theirs.take() else { return };
            let receipt = durable.and_then(|()| receipt.ok_or(AppendError::Entry(0)));
            told(receipt.map(|receipt| composed.settled(receipt)).map_err(DeskError::Record));
        });
        if let Err(error) = appended
            && let Some((_, _, told)) = ours.take()
        {
            told(Err(error.into()));
        }
    }

    pub(in crate::engine) fn write_prepared_then(
        &self,
        prepared: Prepared,
        began: &Moment,
        told: impl FnOnce(Result<Settled, DeskError>) + Send + 'static,
    ) {
        match prepared {
            Prepared::Settled(settled) => told(Ok(*settled)),
            Prepared::Unwritten(unwritten) => {
                let (judged, written) = *unwritten;
                self.write_then(judged, began, written, told);
            }
        }
    }

    fn compose(&self, judged: Judged, began: &Moment, written: Written) -> Composed {
        let Control { scanner, policy, macs, .. } = self.control;
        let reason = policy.sentence(&judged.decision, &judged.flow, &scanner.rules().taxonomy);
        let whole = match (judged.decision.effect, &judged.redacted) {
            (Effect::Allow, _) => Some((judged.flow.bytes, judged.flow.payload)),
            (Effect::Redact, Some(bytes)) => Some((bytes.len() as u64, macs.payload(bytes))),
            _ => None,
        };
        let released = written.streamed.map_or(whole, |(_, bytes, mac)| Some((bytes, mac)));
        let shape = judged.header.destination.as_ref().map(|it| describe(it.as_str()));
        let at = (self.clock)();
        let latency_us = at.monotonic.saturating_sub(began.monotonic) / 1000;
        let shape = shape.unwrap_or_default();
        Composed { judged, written, reason, released, shape, at, latency_us }
    }
}

impl Composed {
    /// The entries: those that come before the decision, and the decision.
    fn entries(&self, control: &Control<'_>, first: u64) -> Vec<Vec<u8>> {
        let Control { scanner, policy, macs, names } = *control;
        let Composed { judged, written, .. } = self;
        let clean = |text: &str| escape(&names.clean(text));
        let escalation = written.statement.as_ref().map(|it| it.id.to_string());
        let grant = written.grant.as_ref().map(|(id, _)| id.to_string());
        let decided = Decided {
            policy,
            rules: scanner.rules(),
            header: &judged.header,
            destination: (&self.shape.scheme, &self.shape.host),
            attested: &judged.attested,
            flow: &judged.flow,
            label: &judged.classified.label,
            findings: &judged.classified.findings,
            truncated: judged.classified.truncated,
            decision: &judged.decision,
            reason: &self.reason,
            released: self.released,
            escalation: escalation.as_deref(),
            grant: grant.as_deref(),
            approvers: written.grant.as_ref().map_or(&[][..], |(_, approvers)| approvers),
            at: &self.at,
            latency_us: self.latency_us,
        };
        let before = (first..).zip(&written.extra);
        let mut entries: Vec<Vec<u8>> = before
            .map(|(sequence, (kind, fields))| event(sequence, kind, &self.at, fields.clone()))
            .collect();
        let sequence = first.saturating_add(entries.len() as u64);
        entries.push(match written.streamed {
            None => decision(sequence, &decided, macs, &clean),
            Some((streamed, ..)) => stream_close(sequence, &decided, streamed, macs, &clean),
        });
        entries
    }

    fn settled(self, receipt: Receipt) -> Settled {
        let Composed { judged, written, reason, released, .. } = self;
        let Written { statement, grant, refusal, .. } = written;
        let until = |it: &Statement| (it.id, it.expires.saturating_mul(1_000_000_000));
        let escalation = statement.as_ref().map(until);
        let grant = grant.map(|(id, _)| id);
        Settled { judged, reason, receipt, escalation, statement, grant, refusal, released }
    }
}
