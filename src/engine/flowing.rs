//! A payload is decided while it arrives, and goes out as far as that is settled.
//!
//! Bytes come in, in pieces; a prefix of them goes out once no finding can touch it any more and all
//! that is known lets it pass. Promised: nothing is handed out before the entry over it is durable;
//! what was not released before the end is decided as [`Desk::settle`] decides it; the effect only
//! rises, and where it can only be block nothing more is read.

mod readings;
mod release;

pub use release::Ended;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Control;
use super::control::{declared_format, inherit};
use crate::model::{Attested, Cause, Effect, Finding, FlowHeader, Label};
use crate::policy::{Carrier, Decision, Flow, Policy, Release, Trust, decide};
use crate::record::{Moment, PayloadMac};
use readings::Readings;
use release::Gone;

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
    version: (u64, bool),
    label: Label,
    decision: Decision,
    mac: PayloadMac,
    /// Bytes that were read.
    bytes: u64,
    /// Bytes came that were not read, since nothing could pass any more.
    unread: bool,
    /// What was read and did not go out.
    held: Vec<u8>,
    /// Nothing more goes out before the end.
    whole: bool,
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
            || release_of(control.policy, &flow) == Some(Release::Whole)
            || control.policy.may_redact(&flow);
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
            whole,
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
                self.held = Vec::new();
                return;
            }
            self.bytes = after;
            self.mac.update(piece);
            self.readings.push(piece);
            self.held.extend_from_slice(piece);
            self.decide(control);
            if self.is_stopped() {
                self.held = Vec::new();
            } else if self.held() as u64 > self.terms.max_held {
                self.fault = Some(Cause::Limit);
                self.held = Vec::new();
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
        if broken { Effect::Block } else { self.decision.effect }
    }

    /// Whether it can only be block, so that the caller need not wait for the rest.
    pub fn is_decided(&self) -> bool {
        self.effect() == Effect::Block
    }

    /// Bytes that may go out with the next window.
    pub fn ready(&self) -> usize {
        if self.whole || self.effect() != Effect::Allow {
            return 0;
        }
        let ready = self.readings.final_to().saturating_sub(self.gone.bytes());
        usize::try_from(ready).unwrap_or(usize::MAX).min(self.held.len())
    }

    /// Bytes of the payload that are in memory and did not go out. What the scanner keeps beside them
    /// has its own bound.
    pub fn held(&self) -> usize {
        self.held.len()
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
        self.readings.take_findings()
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
