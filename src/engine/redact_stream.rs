//! Redaction of a payload that arrives in pieces.

use super::redact::{ROUNDS, sum};
use super::{Classified, Scanner, Stream};
use crate::decode::Format;
use crate::respond::{Done, Obligations, RedactError, Redactor, Tokens};

/// Redacts a payload that arrives in pieces. The bytes that come out are those of
/// [`super::redact_and_rescan`] on the whole of it, wherever it was cut, as long as tokens depend on
/// category and value alone. Memory is bounded: each round keeps what it has not released, which is
/// what its scan has not decided (24 KiB and the last piece at most) and findings that overlap.
///
/// A failure may come when bytes have gone out already: then the body has to be aborted.
pub struct RedactStream {
    scanner: Scanner,
    obligations: Obligations,
    rounds: Vec<Round>,
    /// The most rounds.
    most: usize,
    /// Reads what goes out.
    last: Option<Stream>,
}

/// Bytes of the payload are held, and are not shown.
impl std::fmt::Debug for RedactStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held: Vec<usize> = self.rounds.iter().map(|round| round.held.len()).collect();
        f.debug_struct("RedactStream").field("held", &held).finish_non_exhaustive()
    }
}

/// What is known when a redacted stream has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactedStream {
    /// What the payload held.
    pub before: Classified,
    /// What was done to its findings.
    pub done: Vec<Done>,
    /// What went out holds this.
    pub again: Classified,
}

/// One scan and what takes its findings out.
struct Round {
    stream: Stream,
    redactor: Option<Redactor>,
    /// Bytes that were not released.
    held: Vec<u8>,
    /// Findings that the redactor has.
    taken: usize,
}

impl RedactStream {
    /// For a payload of this format; where none is given, its first 4 KiB decide.
    pub fn new(
        scanner: &Scanner,
        format: Option<Format>,
        obligations: Obligations,
    ) -> RedactStream {
        let first = Round::new(scanner.stream_as(format));
        let scanner = scanner.clone();
        RedactStream { scanner, obligations, rounds: vec![first], most: ROUNDS, last: None }
    }

    /// For what comes out of a first round that is made elsewhere.
    pub(super) fn behind_first(
        scanner: &Scanner,
        format: Format,
        obligations: Obligations,
    ) -> RedactStream {
        let begun = || scanner.stream_as(Some(format));
        let rounds = (1..ROUNDS).map(|_| Round::new(begun())).collect();
        let (scanner, last) = (scanner.clone(), Some(begun()));
        RedactStream { scanner, obligations, rounds, most: ROUNDS - 1, last }
    }

    /// Has other obligations from here on. False where findings that were taken would have been
    /// treated in another way.
    pub(super) fn oblige(&mut self, obligations: &Obligations) -> bool {
        let is_new = |round: &Round| {
            let taken = round.stream.findings().iter().take(round.taken);
            taken.clone().all(|it| self.obligations.of(it) == obligations.of(it))
        };
        let is_new = self.rounds.iter().all(is_new);
        for redactor in self.rounds.iter_mut().filter_map(|round| round.redactor.as_mut()) {
            redactor.oblige(obligations);
        }
        self.obligations = obligations.clone();
        is_new
    }

    /// Takes the next bytes of the payload and appends what may go out to `out`.
    ///
    /// # Errors
    ///
    /// If the payload has more findings than are kept, is no text, or a token cannot be had.
    pub fn push(
        &mut self,
        bytes: &[u8],
        tokens: &mut dyn Tokens,
        out: &mut Vec<u8>,
    ) -> Result<(), RedactError> {
        let mut passed = bytes.to_vec();
        let mut at = 0;
        while let Some(round) = self.rounds.get_mut(at) {
            let mut next = Vec::new();
            round.push(&passed, &self.scanner, &self.obligations, tokens, &mut next)?;
            passed = next;
            at += 1;
            self.begin_rounds();
        }
        if let Some(last) = &mut self.last {
            last.push(&passed);
        }
        out.append(&mut passed);
        Ok(())
    }

    /// Findings of the payload so far, and of what went out so far.
    pub fn so_far(&self) -> (Option<&Stream>, Option<&Stream>) {
        (self.rounds.first().map(|round| &round.stream), self.last.as_ref())
    }

    /// Bytes that came in and did not go out yet, in all rounds.
    pub fn held(&self) -> usize {
        let of =
            |round: &Round| round.held.len() + round.redactor.as_ref().map_or(0, Redactor::held);
        self.rounds.iter().map(of).sum()
    }

    /// Ends the payload.
    ///
    /// # Errors
    ///
    /// As [`RedactStream::push`].
    pub fn finish(
        mut self,
        tokens: &mut dyn Tokens,
        out: &mut Vec<u8>,
    ) -> Result<RedactedStream, RedactError> {
        let (mut before, mut done, mut passed) = (None, Vec::new(), Vec::new());
        let mut rounds = std::mem::take(&mut self.rounds).into_iter();
        let mut round = rounds.next();
        let mut number = 0;
        while let Some(current) = round {
            let mut next = Vec::new();
            let (classified, of_round) =
                current.finish(&passed, &self.obligations, &self.scanner, tokens, &mut next)?;
            number += 1;
            let format = classified.format;
            self.last.get_or_insert_with(|| self.scanner.stream_as(Some(format)));
            before.get_or_insert(classified);
            done.extend(of_round);
            passed = next;
            // A short payload may end before its format was decided.
            round = rounds.next().or_else(|| {
                (number < self.most).then(|| Round::new(self.scanner.stream_as(Some(format))))
            });
        }
        let (Some(mut last), Some(before)) = (self.last, before) else {
            let nothing = self.scanner.scan(&[]);
            return Ok(RedactedStream { before: nothing.clone(), done, again: nothing });
        };
        last.push(&passed);
        out.append(&mut passed);
        Ok(RedactedStream { before, done: sum(&done), again: last.finish() })
    }

    /// The rounds behind the first one read the format that it has decided.
    fn begin_rounds(&mut self) {
        let format = self.rounds.first().and_then(|first| first.stream.format());
        if let (Some(format), None) = (format, &self.last) {
            let begun = || self.scanner.stream_as(Some(format));
            self.rounds.resize_with(self.most, || Round::new(begun()));
            self.last = Some(begun());
        }
    }
}

impl Round {
    fn new(stream: Stream) -> Round {
        Round { stream, redactor: None, held: Vec::new(), taken: 0 }
    }

    fn push(
        &mut self,
        bytes: &[u8],
        scanner: &Scanner,
        obligations: &Obligations,
        tokens: &mut dyn Tokens,
        out: &mut Vec<u8>,
    ) -> Result<(), RedactError> {
        self.held.extend_from_slice(bytes);
        let final_to = self.stream.push(bytes);
        if self.stream.truncated() > 0 {
            return Err(RedactError::Truncated(self.stream.truncated()));
        }
        let Some(format) = self.stream.format() else { return Ok(()) };
        let mut redactor = match self.redactor.take() {
            Some(redactor) => redactor,
            None => Redactor::new(scanner.rules().clone(), format, obligations.clone())?,
        };
        // Below the final offset nothing comes and nothing changes any more.
        let rest = self.stream.findings().iter().skip(self.taken);
        for finding in rest.take_while(|finding| finding.span.start < final_to) {
            redactor.take(finding);
            self.taken += 1;
        }
        let used = redactor.advance(&self.held, final_to, false, tokens, out)?;
        self.held.drain(..used);
        self.redactor = Some(redactor);
        Ok(())
    }

    fn finish(
        mut self,
        bytes: &[u8],
        obligations: &Obligations,
        scanner: &Scanner,
        tokens: &mut dyn Tokens,
        out: &mut Vec<u8>,
    ) -> Result<(Classified, Vec<Done>), RedactError> {
        self.push(bytes, scanner, obligations, tokens, out)?;
        let classified = self.stream.finish();
        if classified.truncated > 0 {
            return Err(RedactError::Truncated(classified.truncated));
        }
        let mut redactor = match self.redactor {
            Some(redactor) => redactor,
            None => Redactor::new(scanner.rules().clone(), classified.format, obligations.clone())?,
        };
        classified.findings.iter().skip(self.taken).for_each(|finding| redactor.take(finding));
        redactor.advance(&self.held, u64::MAX, true, tokens, out)?;
        Ok((classified, redactor.done()))
    }
}
