//! What goes out, once its entry is durable.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Flowing;
use crate::engine::control::{inherit, reason_of};
use crate::engine::desk::Slot;
use crate::engine::{Arriving, Control, Desk, DeskError, Judged, Settled};
use crate::model::{CategoryIndex, Cause, Effect, Reason};
use crate::policy::{Carrier, Decision, Determinant, decide, describe};
use crate::record::{
    Macs, Moment, Opened, PayloadMac, Streamed, Window, stream_open, stream_window,
};
use crate::respond::escape;

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
        if ready == 0 {
            return told(Ok(Vec::new()));
        }
        let rest = self.held.split_off(ready);
        let bytes = std::mem::replace(&mut self.held, rest);
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
        let Flowing { header, attested, began, held, readings, .. } = self;
        let arriving = Arriving {
            header,
            attested,
            carrier: Carrier::Rewritable,
            payload: &held,
            failed: None,
            began,
            classified: Some(readings.finish()),
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
        self,
        desk: &Desk<'_>,
        aborted: Option<Option<Cause>>,
        told: impl FnOnce(Result<Ended, DeskError>) + Send + 'static,
    ) {
        let Flowing { header, attested, began, mut flow, held, readings, mac, mut gone, .. } = self;
        let Control { scanner, policy, .. } = desk.control;
        let unrecorded = self.unrecorded.load(Ordering::Acquire).then_some(Cause::Error);
        let fault = aborted.flatten().or(self.fault).or(unrecorded);
        let mut classified = readings.finish();
        let label = &mut classified.label;
        inherit(&header, scanner.rules(), label);
        flow.payload = mac.finish();
        flow.bytes = self.bytes;
        let now = (desk.clock)();
        let mut decision = match fault {
            None => decide(policy, label, &flow, &[], now.seconds()),
            Some(cause) => Decision::failure(cause),
        };
        if decision.effect == Effect::Redact {
            // What went out cannot be redacted any more.
            flow.carrier = Carrier::Fixed;
            decision = decide(policy, label, &flow, &[], now.seconds());
        }
        if aborted.is_some() && decision.effect < Effect::Block {
            decision.raise(Effect::Block, Determinant::Failure);
        }
        label.coverage.reasons.extend(fault.map(reason_of));
        if self.unread && fault.is_none() {
            label.coverage.reasons.insert(Reason::EarlyBlock);
        }
        let released = if decision.effect == Effect::Allow { held } else { Vec::new() };
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
