//! What goes out, once its entry is durable.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Flowing;
use super::rewrite::Rewriter;
use crate::engine::control::{inherit, reason_of};
use crate::engine::desk::Slot;
use crate::engine::{Arriving, Classified, Control, Desk, DeskError, Judged, Settled};
use crate::model::{Band, CategoryIndex, Cause, Effect, FlowHeader, Label, Reason};
use crate::policy::{Carrier, Decision, Determinant, Flow, Transform, decide, describe};
use crate::record::{
    Macs, Moment, Opened, PayloadMac, Streamed, Window, stream_open, stream_window,
};
use crate::respond::{Obligations, Tokens, escape};

/// A payload that has ended, with a durable decision.
pub struct Ended {
    /// The decision.
    pub settled: Settled,
    /// What may go out now, and is the last.
    pub released: Vec<u8>,
    /// Bytes that went out before.
    pub released_before: u64,
}

/// Bytes of the payload are held, and are not shown.
impl std::fmt::Debug for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ended")
            .field("settled", &self.settled)
            .field("released", &self.released.len())
            .field("released_before", &self.released_before)
            .finish()
    }
}

/// What went out.
pub(super) struct Gone {
    /// Sequence number of the entry that opened the stream, and when that was.
    open: Option<(u64, u64)>,
    windows: u64,
    bytes: u64,
    mac: PayloadMac,
    /// Findings of each category that windows spoke of.
    told: BTreeMap<CategoryIndex, u64>,
}

impl std::fmt::Debug for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gone")
            .field("open", &self.open)
            .field("windows", &self.windows)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Gone {
    pub fn nothing(macs: &Macs) -> Gone {
        let mac = macs.begin_payload();
        Gone { open: None, windows: 0, bytes: 0, mac, told: BTreeMap::new() }
    }

    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether anything went out.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn add(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.mac.update(bytes);
    }
}

impl Flowing {
    /// Records a window over what is ready, with the entry that opens the stream in the same commit
    /// the first time. `told` gets the bytes once that is durable, and no bytes at once where none
    /// are ready. One window at a time may be under way.
    pub fn release_then(
        &mut self,
        desk: &Desk<'_>,
        at: &Moment,
        told: impl FnOnce(Result<Vec<u8>, DeskError>) + Send + 'static,
    ) {
        if self.unrecorded.load(Ordering::Acquire) {
            return told(Err(DeskError::Unrecorded));
        }
        let ready = self.ready().min(self.held.len());
        let bytes = match ready {
            0 => Vec::new(),
            _ if self.rewriter.is_some() => self.rewrite(desk, at),
            _ => self.take_held(ready),
        };
        if bytes.is_empty() {
            return told(Ok(bytes));
        }
        self.rewritten = Vec::new();
        self.window_then(desk, at, bytes, told);
    }

    /// The payload has ended. `told` gets the decision once it is durable.
    pub fn finish_then(
        self,
        desk: &Desk<'_>,
        told: impl FnOnce(Result<Ended, DeskError>) + Send + 'static,
    ) {
        let lost = self.unread || self.fault.is_some() || self.unrecorded.load(Ordering::Acquire);
        if self.gone.is_open() || lost {
            return self.close_then(desk, None, told);
        }
        let Flowing { header, attested, began, held, rewritten, readings, .. } = self;
        let held = if rewritten.is_empty() { held } else { [rewritten, held].concat() };
        let arriving = Arriving {
            header,
            attested,
            carrier: Carrier::Rewritable,
            payload: &held,
            failed: None,
            began,
            classified: Some(readings.finish()),
            stands_for: None,
            excepted: Default::default(),
        };
        let prepared = match desk.prepare(&arriving) {
            Ok(prepared) => prepared,
            Err(error) => return told(Err(error)),
        };
        let began = arriving.began;
        desk.write_prepared_then(prepared, &began, move |settled| {
            told(settled.map(|mut settled| {
                let released = match settled.judged.decision.effect {
                    Effect::Allow => held,
                    Effect::Redact => settled.judged.redacted.take().unwrap_or_default(),
                    Effect::Escalate | Effect::Block => Vec::new(),
                };
                Ended { settled, released, released_before: 0 }
            }));
        });
    }

    /// The payload cannot go on: its caller is gone, or a limit or deadline was met, which is the
    /// `cause`; or it is blocked in the middle, which needs none. It is recorded as block.
    pub fn abort_then(
        mut self,
        desk: &Desk<'_>,
        cause: Option<Cause>,
        told: impl FnOnce(Result<Ended, DeskError>) + Send + 'static,
    ) {
        self.unread |= cause.is_none();
        self.close_then(desk, Some(cause), told);
    }

    /// The first bytes of what is held.
    fn take_held(&mut self, length: usize) -> Vec<u8> {
        let rest = self.held.split_off(length.min(self.held.len()));
        let bytes = std::mem::replace(&mut self.held, rest);
        self.held_from = self.held_from.saturating_add(bytes.len() as u64);
        bytes
    }

    /// Rewrites what is ready, and gives what may go out. What came out so far has to be decided to
    /// pass as it is; else nothing more goes out.
    fn rewrite(&mut self, desk: &Desk<'_>, at: &Moment) -> Vec<u8> {
        let Ok(mut tokens) = self.tokens(desk, at) else {
            self.stick();
            return Vec::new();
        };
        let Some(rewriter) = &mut self.rewriter else { return Vec::new() };
        if rewriter.wants_token(&self.readings) && tokens.is_busy() {
            return Vec::new();
        }
        let passed = rewriter.pass(&self.readings, &self.held, &mut *tokens).ok();
        let passed = passed.filter(|_| tokens.commit().is_ok());
        let label = rewriter.label();
        let Some(used) = passed else {
            self.stick();
            return Vec::new();
        };
        let used = self.take_held(used);
        if !self.gone.is_open() {
            self.rewritten.extend_from_slice(&used);
        }
        let passes = label.is_none_or(|label| may_pass(desk, &self.header, &self.flow, label, at));
        match &mut self.rewriter {
            Some(rewriter) if passes => rewriter.take_out(),
            _ => {
                self.stick();
                Vec::new()
            }
        }
    }

    /// Keeps the tokens of this payload.
    fn tokens<'t>(
        &mut self,
        desk: &'t Desk<'_>,
        at: &Moment,
    ) -> Result<Box<dyn Tokens + 't>, std::io::Error> {
        let alone = match self.alone {
            Some(alone) => alone,
            None => {
                let mut alone = [0; 16];
                (desk.random)(&mut alone)?;
                *self.alone.insert(alone)
            }
        };
        let destination = &self.flow.destination_name;
        Ok(desk.tokens(&self.header, &self.attested, at, destination, &alone))
    }

    fn window_then(
        &mut self,
        desk: &Desk<'_>,
        at: &Moment,
        bytes: Vec<u8>,
        told: impl FnOnce(Result<Vec<u8>, DeskError>) + Send + 'static,
    ) {
        let Control { scanner, policy, macs, names } = desk.control;
        let from = self.gone.bytes;
        self.gone.add(&bytes);
        self.gone.windows = self.gone.windows.saturating_add(1);
        let found = self.found_since();
        let found: Vec<(&str, u64)> =
            found.iter().map(|(it, count)| (scanner.rules().category_id(*it), *count)).collect();
        let mac = self.gone.mac.clone().finish();
        let opened_at = self.gone.open.map_or(at.monotonic, |(_, opened_at)| opened_at);
        let at_ms = at.monotonic.saturating_sub(opened_at) / 1_000_000;
        let clean = |text: &str| escape(&names.clean(text));
        let shape = self.header.destination.as_ref().map(|it| describe(it.as_str()));
        let shape = shape.unwrap_or_default();
        let build = |first: u64| {
            let window =
                |open| Window { open, from, to: self.gone.bytes, mac, at_ms, found: &found };
            match self.gone.open {
                Some((open, _)) => vec![stream_window(first, &window(open))],
                None => {
                    let opened = Opened {
                        policy,
                        rules: scanner.rules(),
                        header: &self.header,
                        destination: (&shape.scheme, &shape.host),
                        attested: &self.attested,
                        flow: &self.flow,
                        at,
                    };
                    vec![
                        stream_open(first, &opened, macs, &clean),
                        stream_window(first.saturating_add(1), &window(first)),
                    ]
                }
            }
        };
        let (ours, theirs) = Slot::new((bytes, told));
        let unrecorded = Arc::clone(&self.unrecorded);
        let appended = desk.ledger.append_all_then(build, move |durable| {
            let Some((bytes, told)) = theirs.take() else { return };
            if durable.is_err() {
                unrecorded.store(true, Ordering::Release);
            }
            told(durable.map(|()| bytes).map_err(DeskError::Record));
        });
        match appended {
            Ok(receipts) => {
                if let (None, Some(first)) = (self.gone.open, receipts.first()) {
                    self.gone.open = Some((first.sequence, opened_at));
                }
            }
            Err(error) => {
                self.unrecorded.store(true, Ordering::Release);
                if let Some((_, told)) = ours.take() {
                    told(Err(error.into()));
                }
            }
        }
    }

    /// Findings of each category that no window spoke of.
    fn found_since(&mut self) -> Vec<(CategoryIndex, u64)> {
        let mut new = Vec::new();
        for (category, count) in &self.label.categories {
            let told = self.gone.told.entry(*category).or_default();
            if count.count > *told {
                new.push((*category, count.count - *told));
                *told = count.count;
            }
        }
        new
    }

    /// Ends a payload of which a part went out, or that was not read to its end. `aborted` with the
    /// cause, if there is one.
    fn close_then(
        mut self,
        desk: &Desk<'_>,
        aborted: Option<Option<Cause>>,
        told: impl FnOnce(Result<Ended, DeskError>) + Send + 'static,
    ) {
        let Control { scanner, policy, .. } = desk.control;
        let now = (desk.clock)();
        let unrecorded = self.unrecorded.load(Ordering::Acquire).then_some(Cause::Error);
        let fault = aborted.flatten().or(self.fault).or(unrecorded);
        let tokens = self.tokens(desk, &now);
        let obligations = (self.redactions, self.rewriter);
        let Flowing { header, attested, began, mut flow, held, readings, mac, mut gone, .. } = self;
        let mut classified = readings.finish();
        let label = &mut classified.label;
        inherit(&header, scanner.rules(), label);
        flow.payload = mac.finish();
        flow.bytes = self.bytes;
        let mut decision = match fault {
            None => decide(policy, label, &flow, &[], now.seconds()),
            Some(cause) => Decision::failure(cause),
        };
        let passes = aborted.is_none() && !self.stuck && gone.is_open();
        let last = match (decision.effect, obligations) {
            (Effect::Allow, (_, None)) if passes => Some(held),
            (Effect::Allow | Effect::Redact, (redactions, Some(rewriter))) if passes => {
                let obligations = (redactions, decision.transforms());
                let ended = tokens.ok().and_then(|mut tokens| {
                    end(rewriter, obligations, &classified, &held, &mut *tokens)
                });
                ended.and_then(|(bytes, label)| {
                    may_pass(desk, &header, &flow, label, &now).then_some(bytes)
                })
            }
            _ => None,
        };
        if last.is_none() && decision.effect < Effect::Escalate {
            // What went out cannot be redacted any more.
            flow.carrier = Carrier::Fixed;
            decision = decide(policy, &classified.label, &flow, &[], now.seconds());
            if decision.effect < Effect::Escalate {
                decision.raise(Effect::Escalate, Determinant::Redaction);
            }
        }
        if aborted.is_some() && decision.effect < Effect::Block {
            decision.raise(Effect::Block, Determinant::Failure);
        }
        let reasons = &mut classified.label.coverage.reasons;
        reasons.extend(fault.map(reason_of));
        if self.unread && fault.is_none() {
            reasons.insert(Reason::EarlyBlock);
        }
        let released = last.unwrap_or_default();
        let released_before = gone.bytes;
        gone.add(&released);
        let mut judged = Judged { header, attested, flow, classified, decision, redacted: None };
        let mut written = match desk.hold(&mut judged, &now, None) {
            Ok(written) => written,
            Err(error) => return told(Err(error)),
        };
        written.streamed = gone.open.map(|(open, _)| {
            (Streamed { open, windows: gone.windows }, gone.bytes, gone.mac.finish())
        });
        desk.write_then(judged, &began, written, move |settled| {
            told(settled.map(|settled| Ended { settled, released, released_before }));
        });
    }
}

/// Rewrites what is left of a payload; gives all that is left to go out, with the label of all that
/// came out. None where that is not possible.
fn end(
    mut rewriter: Rewriter,
    (mut obligations, transforms): (
        Obligations,
        impl Iterator<Item = (CategoryIndex, Transform, Band)>,
    ),
    classified: &Classified,
    held: &[u8],
    tokens: &mut dyn Tokens,
) -> Option<(Vec<u8>, Label)> {
    if classified.truncated > 0 || classified.format.opaque.is_some() {
        return None;
    }
    transforms.for_each(|(it, transform, from)| obligations.require(it, transform, from));
    rewriter.oblige(obligations, classified.findings.iter()).ok()?;
    let label = rewriter.finish(&classified.findings, classified.format, held, tokens).ok()?;
    tokens.commit().ok()?;
    Some((rewriter.take_out(), label))
}

/// Whether what comes out of redaction, and holds this, may go out as it is. It came from where the
/// payload came from.
fn may_pass(
    desk: &Desk<'_>,
    header: &FlowHeader,
    flow: &Flow,
    mut label: Label,
    now: &Moment,
) -> bool {
    let Control { scanner, policy, .. } = desk.control;
    inherit(header, scanner.rules(), &mut label);
    decide(policy, &label, flow, &[], now.seconds()).effect == Effect::Allow
}
