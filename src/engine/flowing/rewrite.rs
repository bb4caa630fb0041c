//! What goes out of a payload that may be redacted while it arrives.

use std::collections::BTreeMap;

use super::readings::Readings;
use crate::decode::Format;
use crate::engine::control::{differ, join_labels};
use crate::engine::{RedactStream, Scanner, Stream};
use crate::model::{Finding, Label, Span};
use crate::policy::Transform;
use crate::respond::{Obligations, RedactError, Redactor, Tokens};

/// Why nothing more can be rewritten: the rest of the payload cannot go out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stuck {
    /// What is to be taken out is out already, or was treated in another way.
    #[error("bytes that would have to be redacted went out")]
    Late,
    /// It cannot be redacted.
    #[error(transparent)]
    Redact(#[from] RedactError),
}

/// Takes what is found in a payload out of it, scans what is left, and says what may go out of it.
///
/// The first round takes out what the readings of the payload find; what it gives goes through the
/// rounds that follow and is read once more.
pub(super) struct Rewriter {
    scanner: Scanner,
    obligations: Obligations,
    begun: Option<Begun>,
    /// Findings of the readings that were looked at.
    seen: [usize; 2],
    /// Below it all findings were looked at.
    seen_to: u64,
    /// Where something was taken out, by start; overlaps are one.
    covered: BTreeMap<u64, u64>,
    /// What came out and may not go out yet.
    out: Vec<u8>,
    /// Offset of the first byte of it.
    out_from: u64,
}

struct Begun {
    format: Format,
    first: Redactor,
    rest: RedactStream,
    /// Reads what comes out as what the payload looks like, where that is another format.
    again: Option<Stream>,
    /// What came out, until it is known what the payload looks like.
    head: Option<Vec<u8>>,
}

/// Bytes of the payload are held, and are not shown.
impl std::fmt::Debug for Rewriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rewriter")
            .field("seen_to", &self.seen_to)
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}

impl Rewriter {
    pub fn new(scanner: &Scanner, obligations: Obligations) -> Rewriter {
        Rewriter {
            scanner: scanner.clone(),
            obligations,
            begun: None,
            seen: [0; 2],
            seen_to: 0,
            covered: BTreeMap::new(),
            out: Vec::new(),
            out_from: 0,
        }
    }

    /// Findings of either reading that were looked at.
    pub fn seen(&self) -> [usize; 2] {
        self.seen
    }

    /// What is to be done from here on. `findings` are those of the payload so far, those that were
    /// not looked at among them or not.
    ///
    /// # Errors
    /// Where something was let pass that would have been treated in another way.
    pub fn oblige<'f>(
        &mut self,
        obligations: Obligations,
        findings: impl Iterator<Item = &'f Finding>,
    ) -> Result<(), Stuck> {
        if obligations == self.obligations {
            return Ok(());
        }
        let mut seen = findings.filter(|it| it.span.start < self.seen_to);
        let mut is_new = seen.all(|it| self.obligations.of(it) == obligations.of(it));
        if let Some(begun) = &mut self.begun {
            begun.first.oblige(&obligations);
            is_new &= begun.rest.oblige(&obligations);
        }
        self.obligations = obligations;
        if is_new { Ok(()) } else { Err(Stuck::Late) }
    }

    /// Whether the next call needs a token, as far as that is known.
    pub fn wants_token(&self, readings: &Readings) -> bool {
        let mut seen = self.seen;
        let new = readings.new_findings(&mut seen);
        new.iter().any(|it| self.obligations.of(it) == Some(Transform::Tokenize))
    }

    /// Takes what is known of the payload from where the last call ended; returns how many bytes of it
    /// were used.
    pub fn pass(
        &mut self,
        readings: &Readings,
        bytes: &[u8],
        tokens: &mut dyn Tokens,
    ) -> Result<usize, Stuck> {
        if readings.is_truncated() {
            return Err(Stuck::Late);
        }
        let Some(format) = readings.format() else { return Ok(0) };
        let final_to = readings.final_to();
        let mut seen = self.seen;
        let new: Vec<Finding> = readings.new_findings(&mut seen).into_iter().cloned().collect();
        self.begin(format)?;
        self.look_at(readings)?;
        self.take(&new)?;
        (self.seen, self.seen_to) = (seen, final_to);
        let Some(begun) = &mut self.begun else { return Ok(0) };
        let mut passed = Vec::new();
        let used = begun.first.advance(bytes, final_to, false, tokens, &mut passed)?;
        let mut out = Vec::new();
        begun.rest.push(&passed, tokens, &mut out)?;
        self.came(&out);
        Ok(used)
    }

    /// The payload has ended; `findings` are all of it, `bytes` what is left of it. Returns the label
    /// of all that came out.
    pub fn finish(
        &mut self,
        findings: &[Finding],
        looks: Format,
        bytes: &[u8],
        tokens: &mut dyn Tokens,
    ) -> Result<Label, Stuck> {
        self.begin(looks)?;
        self.looks_like(looks);
        self.take(findings)?;
        let Some(mut begun) = self.begun.take() else { return Err(Stuck::Late) };
        let (mut passed, mut out) = (Vec::new(), Vec::new());
        begun.first.advance(bytes, u64::MAX, true, tokens, &mut passed)?;
        begun.rest.push(&passed, tokens, &mut out)?;
        let ended = begun.rest.finish(tokens, &mut out)?;
        self.out.extend_from_slice(&out);
        let mut label = ended.again.label;
        if let Some(mut again) = begun.again {
            again.push(&out);
            join_labels(&mut label, again.finish().label);
        }
        Ok(label)
    }

    /// The label of all that came out so far.
    pub fn label(&self) -> Option<Label> {
        let begun = self.begun.as_ref()?;
        let (_, last) = begun.rest.so_far();
        let mut label = last?.label();
        if let Some(again) = &begun.again {
            join_labels(&mut label, again.label());
        }
        Some(label)
    }

    /// What may go out, if the label of what came out allows it: that of which all is known.
    pub fn take_out(&mut self) -> Vec<u8> {
        let Some(begun) = &self.begun else { return std::mem::take(&mut self.out) };
        let (_, last) = begun.rest.so_far();
        let final_to = last.into_iter().chain(&begun.again).map(Stream::final_to).min();
        let ready = final_to.unwrap_or(0).saturating_sub(self.out_from);
        let ready = usize::try_from(ready).unwrap_or(usize::MAX).min(self.out.len());
        let rest = self.out.split_off(ready);
        self.out_from = self.out_from.saturating_add(ready as u64);
        std::mem::replace(&mut self.out, rest)
    }

    /// Bytes that are held.
    pub fn held(&self) -> usize {
        let begun = self.begun.as_ref();
        let rounds = begun.map_or(0, |begun| begun.rest.held() + begun.first.held());
        let head = begun.and_then(|begun| begun.head.as_ref()).map_or(0, Vec::len);
        rounds + head + self.out.len()
    }

    fn begin(&mut self, format: Format) -> Result<(), Stuck> {
        if self.begun.is_none() {
            let rules = self.scanner.rules().clone();
            let obligations = self.obligations.clone();
            let rest = RedactStream::behind_first(&self.scanner, format, obligations.clone());
            let first = Redactor::new(rules, format, obligations)?;
            let head = Some(Vec::new());
            self.begun = Some(Begun { format, first, rest, again: None, head });
        }
        Ok(())
    }

    /// Begins to read what comes out as what the payload looks like, once that is known.
    fn look_at(&mut self, readings: &Readings) -> Result<(), Stuck> {
        if let Some(looks) = readings.looks() {
            if looks.opaque.is_some() {
                return Err(Stuck::Late);
            }
            self.looks_like(looks);
        }
        Ok(())
    }

    fn looks_like(&mut self, looks: Format) {
        let Some(begun) = &mut self.begun else { return };
        if let Some(head) = begun.head.take().filter(|_| differ(begun.format, looks)) {
            let mut again = self.scanner.stream_as(Some(looks));
            again.push(&head);
            begun.again = Some(again);
        }
    }

    /// Keeps what came out, and reads it as what the payload looks like.
    fn came(&mut self, out: &[u8]) {
        self.out.extend_from_slice(out);
        let Some(begun) = &mut self.begun else { return };
        if let Some(head) = &mut begun.head {
            head.extend_from_slice(out);
        }
        if let Some(again) = &mut begun.again {
            again.push(out);
        }
    }

    /// Hands findings to the first round, unless it has them. One that begins before what that has
    /// not let out is late, unless all of it was taken out with others.
    fn take(&mut self, findings: &[Finding]) -> Result<(), Stuck> {
        let Some(begun) = &mut self.begun else { return Ok(()) };
        for finding in findings {
            let span = finding.span;
            if span.is_empty() || self.obligations.of(finding).is_none() {
                continue;
            }
            if span.start < self.seen_to {
                let before = self.covered.range(..=span.start).next_back();
                if before.is_some_and(|(_, end)| *end >= span.end) {
                    continue;
                }
            }
            if span.start < begun.first.at() {
                return Err(Stuck::Late);
            }
            begun.first.take(finding);
            cover(&mut self.covered, span);
        }
        Ok(())
    }
}

/// Adds a span; those that overlap become one.
fn cover(covered: &mut BTreeMap<u64, u64>, span: Span) {
    let (mut start, mut end) = (span.start, span.end);
    while let Some((&from, &to)) = covered.range(..end).next_back() {
        if to <= start {
            break;
        }
        covered.remove(&from);
        (start, end) = (start.min(from), end.max(to));
    }
    covered.insert(start, end);
}
