//! A payload is decided while it arrives, and goes out as far as that is settled.
//!
//! Bytes come in, in pieces; a prefix of them goes out once no finding can touch it any more and all
//! that is known lets it pass. Promised: nothing is handed out before the entry over it is durable;
//! what was not released before the end is decided as [`Desk::settle`] decides it; the effect only
//! rises, and where it can only be block nothing more is read.

mod readings;
mod release;
mod rewrite;
#[cfg(test)]
mod tests;

pub use release::Ended;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Control;
use super::control::{declared_format, inherit};
use crate::model::{Attested, Cause, Effect, Finding, FlowHeader, Label};
use crate::policy::{Carrier, Decision, Flow, Policy, Release, Trust, decide};
use crate::record::{Moment, PayloadMac};
use crate::respond::Obligations;
use readings::{Readings, Version};
use release::Gone;
use rewrite::Rewriter;

/// Bytes that are scanned before it is asked what they change.
const STEP: usize = 64 * 1024;

/// What a payload may cost, and what its caller can do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The most bytes of the payload; past it, block with cause `limit`.
    pub max_payload: u64,
    /// The most bytes that are held at a time; past it, block with cause `limit`.
    pub max_held: u64,
    /// Whether the caller takes a part before the whole is decided.
    pub may_release_early: bool,
}

/// A payload on its way. All calls of one payload take the same [`Control`]: another policy in
/// between is block.
pub struct Flowing {
    header: FlowHeader,
    attested: Attested,
    began: Moment,
    terms: Terms,
    flow: Flow,
    policy: [u8; 32],
    readings: Readings,
    version: Version,
    label: Label,
    decision: Decision,
    mac: PayloadMac,
    /// Bytes that were read.
    bytes: u64,
    /// Bytes came that were not read, since nothing could pass any more.
    unread: bool,
    /// What was read and neither went out nor was rewritten, from offset `held_from` on.
    held: Vec<u8>,
    held_from: u64,
    /// What was rewritten, as it was, as long as nothing went out: it may be decided whole.
    rewritten: Vec<u8>,
    /// What goes out, where the policy can redact.
    rewriter: Option<Rewriter>,
    /// What is redacted from its first finding on.
    redactions: Obligations,
    /// Names the tokens of this payload, where it is of no run.
    alone: Option<[u8; 16]>,
    /// Findings that the caller took.
    taken: [usize; 2],
    /// Nothing more goes out before the end.
    whole: bool,
    /// Nothing more can go out, though nothing blocks it: what is out would have to be redacted.
    stuck: bool,
    fault: Option<Cause>,
    gone: Gone,
    /// An entry was not recorded.
    unrecorded: Arc<AtomicBool>,
}

/// Bytes of the payload are held, and are not shown.
impl std::fmt::Debug for Flowing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flowing")
            .field("header", &self.header)
            .field("decision", &self.decision)
            .field("bytes", &self.bytes)
            .field("held", &self.held.len())
            .field("gone", &self.gone)
            .finish_non_exhaustive()
    }
}

impl Flowing {
    /// Begins a payload. What its header alone decides is decided now.
    pub fn open(
        control: &Control<'_>,
        header: FlowHeader,
        attested: Attested,
        began: Moment,
        terms: Terms,
    ) -> Flowing {
        let declared = declared_format(&header);
        let flow = control.flow(&header, &attested, Carrier::Rewritable);
        let readings = Readings::new(control.scanner, declared.unwrap_or(None));
        let mut label = readings.label();
        let known = inherit(&header, control.scanner.rules(), &mut label);
        let fault = (!known || declared.is_err()).then_some(Cause::Error);
        let decision = decide(control.policy, &label, &flow, &[], began.seconds());
        // A grant is for all of a payload.
        let granted = header.grant.is_some() || header.escalation.is_some();
        let whole = !terms.may_release_early
            || granted
            || release_of(control.policy, &flow) == Some(Release::Whole);
        let rewritten = !whole && control.policy.may_redact(&flow);
        let redactions: Obligations = control.policy.redactions(&flow).into_iter().collect();
        let rewriter = rewritten.then(|| Rewriter::new(control.scanner, redactions.clone()));
        let mut flowing = Flowing {
            header,
            attested,
            began,
            terms,
            flow,
            policy: control.policy.digest(),
            version: readings.version(),
            readings,
            label,
            decision,
            mac: control.macs.begin_payload(),
            bytes: 0,
            unread: false,
            held: Vec::new(),
            held_from: 0,
            rewritten: Vec::new(),
            rewriter,
            redactions,
            alone: None,
            taken: [0; 2],
            whole,
            stuck: false,
            fault,
            gone: Gone::nothing(control.macs),
            unrecorded: Arc::default(),
        };
        flowing.hold_where_asked(control);
        flowing
    }

    /// Takes the next bytes: scans them, and decides over all that is known. Total: what goes wrong
    /// is block, with its cause. Once the decision can only be block nothing more is read.
    pub fn push(&mut self, control: &Control<'_>, bytes: &[u8]) {
        for piece in bytes.chunks(STEP) {
            if self.fault.is_none() && control.policy.digest() != self.policy {
                self.fault = Some(Cause::Error);
            }
            let after = self.bytes.saturating_add(piece.len() as u64);
            if self.fault.is_none() && after > self.terms.max_payload {
                self.fault = Some(Cause::Limit);
            }
            if self.is_decided() {
                self.unread = true;
                self.forget();
                return;
            }
            self.bytes = after;
            self.mac.update(piece);
            self.readings.push(piece);
            self.held.extend_from_slice(piece);
            self.decide(control);
            if self.held() as u64 > self.terms.max_held && !self.is_stopped() {
                self.fault = Some(Cause::Limit);
            }
            if self.is_stopped() || self.fault.is_some() {
                self.forget();
            }
        }
    }

    /// Whether more came, or had to be held, than may.
    pub fn is_past_limit(&self) -> bool {
        self.fault == Some(Cause::Limit)
    }

    /// The effect so far. It only rises.
    pub fn effect(&self) -> Effect {
        let broken = self.fault.is_some() || self.unrecorded.load(Ordering::Acquire);
        let least = match (broken, self.stuck) {
            (true, _) => Effect::Block,
            (false, true) => Effect::Escalate,
            (false, false) => Effect::Allow,
        };
        self.decision.effect.max(least)
    }

    /// Whether it can only be block, so that the caller need not wait for the rest.
    pub fn is_decided(&self) -> bool {
        self.effect() == Effect::Block
    }

    /// Bytes that may go out with the next window. Where the policy can redact, bytes of the payload
    /// from which it is made: what comes out of them may be more or less, or nothing yet.
    pub fn ready(&self) -> usize {
        let most = if self.rewriter.is_some() { Effect::Redact } else { Effect::Allow };
        if self.whole || self.effect() > most {
            return 0;
        }
        let ready = self.readings.final_to().saturating_sub(self.held_from);
        usize::try_from(ready).unwrap_or(usize::MAX).min(self.held.len())
    }

    /// Bytes of the payload that are in memory and did not go out. What the scanner keeps beside them
    /// has its own bound.
    pub fn held(&self) -> usize {
        let rewriter = self.rewriter.as_ref().map_or(0, Rewriter::held);
        self.held.len() + self.rewritten.len() + rewriter
    }

    /// Bytes of the payload that came in so far and were read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that went out so far, or wait for their window to be durable.
    pub fn released(&self) -> u64 {
        self.gone.bytes()
    }

    /// What the caller claims.
    pub fn header(&self) -> &FlowHeader {
        &self.header
    }

    /// The flow so far; MAC and length of the payload are not known yet.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Findings that nothing changes any more, each one time. Those that are only known at the end
    /// are in [`Ended`], with all others.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        self.readings.new_findings(&mut self.taken).into_iter().cloned().collect()
    }

    /// Whether bytes went out and no more will: what is held is of no use then.
    fn is_stopped(&self) -> bool {
        self.gone.is_open() && self.effect() >= Effect::Escalate
    }

    /// Decides over what is known, where that has changed.
    fn decide(&mut self, control: &Control<'_>) {
        let version = self.readings.version();
        if version == self.version {
            return;
        }
        self.version = version;
        self.label = self.readings.label();
        inherit(&self.header, control.scanner.rules(), &mut self.label);
        let now = self.began.seconds();
        self.decision = decide(control.policy, &self.label, &self.flow, &[], now);
        self.hold_where_asked(control);
        if self.decision.effect > Effect::Redact {
            return;
        }
        let obligations = self.obligations();
        if let Some(rewriter) = &mut self.rewriter {
            let seen = rewriter.seen();
            if rewriter.oblige(obligations, self.readings.seen(seen)).is_err() {
                self.stick();
            }
        }
    }

    /// What is redacted, as far as it is known.
    fn obligations(&self) -> Obligations {
        let mut obligations = self.redactions.clone();
        for (category, transform, from) in self.decision.transforms() {
            obligations.require(category, transform, from);
        }
        obligations
    }

    /// Nothing more can be rewritten. What did not go out at all is decided whole.
    fn stick(&mut self) {
        self.rewriter = None;
        if self.gone.is_open() {
            self.stuck = true;
            self.forget();
        } else {
            self.whole = true;
        }
    }

    /// Lets go of bytes that cannot go out any more.
    fn forget(&mut self) {
        (self.held, self.rewritten, self.rewriter) = (Vec::new(), Vec::new(), None);
    }

    /// Holds the rest of what cannot be read, and of what holds regulated data and goes outside, where
    /// its destination says nothing else.
    fn hold_where_asked(&mut self, control: &Control<'_>) {
        let policy = control.policy;
        let opaque = self.readings.looks().is_some_and(|looks| looks.opaque.is_some());
        let unset = release_of(policy, &self.flow).is_none();
        let outside = policy.trust_of(&self.flow) != Trust::Internal;
        let mut held = self.label.categories.keys().chain(&self.label.lineage);
        let restricted = |it: &_| policy.regulated().contains(*it) || policy.secret().contains(*it);
        self.whole |= opaque || unset && outside && held.any(restricted);
    }
}

/// When bytes of a stream may go to the destination of a flow, where it says so.
fn release_of(policy: &Policy, flow: &Flow) -> Option<Release> {
    policy.destination_of(flow).and_then(|destination| destination.release)
}
