//! Redaction of a whole payload, and the scan of what is left.

use super::{Classified, Scanner};
use crate::respond::{Done, Obligations, RedactError, Tokens, redact};

/// How often a payload is redacted at most. Values that were taken out change how far a label is from
/// other values, so that a few of these are found the second time only.
pub(super) const ROUNDS: usize = 3;

/// A redacted payload with what a scan found in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Rescanned {
    /// What is left of the payload.
    pub bytes: Vec<u8>,
    /// What was done to its findings.
    pub done: Vec<Done>,
    /// What is left holds this. It has to be decided again before the bytes are released.
    pub again: Classified,
}

/// Bytes of the payload are held, and are not shown.
impl std::fmt::Debug for Rescanned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rescanned")
            .field("bytes", &self.bytes.len())
            .field("done", &self.done)
            .field("again", &self.again)
            .finish()
    }
}

/// Takes the findings of a payload out of it, as far as `obligations` say, and scans what is left, as
/// the same format; what is found then is taken out too, once. `classified` is what a scan of exactly
/// this payload gave.
///
/// # Errors
///
/// If not all findings of the payload are known, if it is no text, or if a token cannot be had.
pub fn redact_and_rescan(
    scanner: &Scanner,
    payload: &[u8],
    classified: &Classified,
    obligations: &Obligations,
    tokens: &mut dyn Tokens,
) -> Result<Rescanned, RedactError> {
    if classified.truncated > 0 {
        return Err(RedactError::Truncated(classified.truncated));
    }
    let (rules, format) = (scanner.rules(), classified.format);
    let first = redact(rules, payload, format, &classified.findings, obligations, tokens)?;
    let again = scanner.scan_as(&first.bytes, Some(format));
    let mut all = Rescanned { bytes: first.bytes, done: first.done, again };
    for _ in 1..ROUNDS {
        let known = &all.again;
        if known.truncated > 0 {
            return Err(RedactError::Truncated(known.truncated));
        }
        if !known.findings.iter().any(|finding| obligations.of(finding).is_some()) {
            break;
        }
        let next = redact(rules, &all.bytes, format, &known.findings, obligations, tokens)?;
        all.again = scanner.scan_as(&next.bytes, Some(format));
        all.bytes = next.bytes;
        all.done = sum(&[all.done, next.done].concat());
    }
    Ok(all)
}

/// What was done in all rounds, by category and transform.
pub(super) fn sum(rounds: &[Done]) -> Vec<Done> {
    let mut sums = std::collections::BTreeMap::new();
    for done in rounds {
        *sums.entry((done.category, done.transform)).or_insert(0) += done.count;
    }
    let done = |((category, transform), count)| Done { category, transform, count };
    sums.into_iter().map(done).collect()
}
