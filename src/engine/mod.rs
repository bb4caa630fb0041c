//! The one place that composes the stages: payload bytes in, label and findings out.

use std::sync::Arc;

use crate::decode::Format;
use crate::model::{Coverage, Finding, Label};
use crate::rules::RuleSet;

/// What the caller wants of a scan.
#[derive(Clone, Debug)]
pub struct Options {
    /// The format, where it is known; else the first 4 KiB decide.
    pub format: Option<Format>,
    /// Findings kept a payload; more are counted. Default 10,000.
    pub max_findings: usize,
    /// Key of the fingerprints; none: no fingerprints.
    pub fingerprint_key: Option<[u8; 32]>,
}

impl Default for Options {
    fn default() -> Options {
        Options { format: None, max_findings: 10_000, fingerprint_key: None }
    }
}

/// What a payload holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// Categories, sensitivity and coverage.
    pub label: Label,
    /// Findings sorted by start, end, rule; at most `max_findings`.
    pub findings: Vec<Finding>,
    /// Findings past the cap: in the label's counts, not in `findings`.
    pub truncated: u64,
    /// The format that was declared or decided.
    pub format: Format,
}

/// Finds regulated data in payloads. Cheap to clone; one serves any number of threads.
#[derive(Clone, Debug)]
pub struct Scanner {
    rules: Arc<RuleSet>,
    options: Options,
}

impl Scanner {
    /// A scanner with these rules.
    pub fn new(rules: Arc<RuleSet>, options: Options) -> Scanner {
        Scanner { rules, options }
    }

    /// The rules it works with.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Scans a whole payload.
    pub fn scan(&self, _payload: &[u8]) -> Classified {
        todo!()
    }

    /// Begins a payload that arrives in pieces.
    pub fn stream(&self) -> Stream {
        Stream { scanner: self.clone() }
    }
}

/// A payload that arrives in pieces. The answer is that of [`Scanner::scan`] on the whole of it,
/// wherever it was cut.
#[derive(Debug)]
pub struct Stream {
    scanner: Scanner,
}

impl Stream {
    /// Takes the next bytes and returns the final offset: no finding that is still to come, and no
    /// change to one that is known, touches a byte below it.
    pub fn push(&mut self, _bytes: &[u8]) -> u64 {
        let _ = &self.scanner.options;
        todo!()
    }

    /// Adds reasons why the payload is not wholly inspected, such as a failed read.
    pub fn note(&mut self, _coverage: Coverage) {}

    /// Ends the payload.
    pub fn finish(self) -> Classified {
        todo!()
    }
}
