//! Redaction of a whole payload, and the scan of what is left.

use super::{Classified, Scanner};
use crate::respond::{Done, Obligations, RedactError, Tokens, redact};

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
/// the same format. `classified` is what a scan of exactly this payload gave.
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
    let redacted = redact(rules, payload, format, &classified.findings, obligations, tokens)?;
    let again = scanner.scan_as(&redacted.bytes, Some(format));
    Ok(Rescanned { bytes: redacted.bytes, done: redacted.done, again })
}
