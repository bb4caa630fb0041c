//! The one place that composes the stages: payload bytes in, label and findings out.
//!
//! [`Scanner`] serves any number of threads. [`Scanner::scan`] takes a whole payload,
//! [`Scanner::stream`] one that arrives in pieces, [`Scanner::split`] one that is dealt out to
//! several threads; all three give the same answer for the same bytes.

mod collect;
mod control;
mod desk;
mod flowing;
mod names;
mod redact;
mod redact_stream;
mod segments;
mod shared_flow;
mod report;
mod stream;
mod text_request;
mod volume;

pub use control::{Arriving, Control, Judged, TokensFor};
pub use desk::{Desk, DeskError, Settled};
pub use flowing::{Ended, Flowing, Terms};
pub use names::ScannedNames;
pub use redact::{Rescanned, redact_and_rescan};
pub use redact_stream::{RedactStream, RedactedStream};
pub use report::{events_of, report};
pub use segments::{Join, Part, Segment, Splitter};
pub use shared_flow::{RunTotals, SharedFlow, Taken};
pub use stream::Stream;
pub use text_request::{TextId, TextRequest};

use std::sync::{Arc, Mutex};

use crate::decode::{Encoding, Format, SNIFF_BYTES, sniff};
use crate::model::{Coverage, Finding, Label, Reason};
use crate::rules::RuleSet;
use crate::scan::structure::Tracker;
use crate::scan::sweep::Kernel;
use crate::scan::{Cursor, Plan, Positions, Work};
use collect::Collector;

/// What the caller wants of a scan.
#[derive(Clone)]
pub struct Options {
    /// The format, where it is known; else the first 4 KiB decide.
    pub format: Option<Format>,
    /// Findings kept a payload; more are counted. Default 10,000.
    pub max_findings: usize,
    /// Key of the fingerprints; none: no fingerprints.
    pub fingerprint_key: Option<[u8; 32]>,
    /// Whether findings get a hash of their surroundings ([`Finding::context_hash`]), on which
    /// [`Identities`](crate::respond::Identities) in SARIF, reports of GitLab and baselines rest. Default:
    /// yes; without it a finding takes less time.
    pub context_hashes: bool,
    /// The code that reads the bytes. Default: the fastest that this CPU runs.
    pub kernel: Kernel,
    /// How many bytes the automata of a worker read, of text that is not much longer, before the
    /// patterns of the rules that cost most are compiled into one set by Hyperscan, which then says
    /// where they cannot match. Findings do not depend on it. Default: 8 MiB; `u64::MAX`: never.
    #[cfg(feature = "hyperscan")]
    pub patterns_after: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            format: None,
            max_findings: 10_000,
            fingerprint_key: None,
            context_hashes: true,
            kernel: Kernel::best(),
            #[cfg(feature = "hyperscan")]
            patterns_after: 8 << 20,
        }
    }
}

/// The key is a secret and is not shown.
impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("format", &self.format)
            .field("max_findings", &self.max_findings)
            .field("context_hashes", &self.context_hashes)
            .field("kernel", &self.kernel)
            .finish_non_exhaustive()
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
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    plan: Arc<Plan>,
    options: Options,
    /// Cursors at rest, with the automata states they have built.
    #[expect(clippy::vec_box, reason = "a cursor is large and moves between here and its user")]
    cursors: Mutex<Vec<Box<Cursor>>>,
    /// What was done, where it is counted.
    work: Option<Mutex<Work>>,
}

impl Scanner {
    /// A scanner with these rules.
    pub fn new(rules: Arc<RuleSet>, options: Options) -> Scanner {
        let plan = Plan::new(rules, options.kernel);
        #[cfg(feature = "hyperscan")]
        let plan = plan.with_patterns_after(options.patterns_after);
        Scanner::of(plan, options)
    }

    fn of(plan: Plan, options: Options) -> Scanner {
        let plan = Arc::new(plan);
        Scanner { inner: Arc::new(Inner { plan, options, cursors: Mutex::default(), work: None }) }
    }

    /// A scanner with the same rules and kernel and other options; what was planned is shared.
    pub fn with(&self, options: Options) -> Scanner {
        let options = Options { kernel: self.inner.options.kernel, ..options };
        let plan = Arc::clone(&self.inner.plan);
        Scanner { inner: Arc::new(Inner { plan, options, cursors: Mutex::default(), work: None }) }
    }

    /// A scanner with the same rules, kernel and options that counts what it does.
    pub fn counting(&self) -> Scanner {
        let plan = Arc::clone(&self.inner.plan);
        let work = Some(Mutex::new(Work::new(&plan)));
        let options = self.inner.options.clone();
        Scanner { inner: Arc::new(Inner { plan, options, cursors: Mutex::default(), work }) }
    }

    /// What the scans that have ended did; none unless this is a scanner that counts. The same for
    /// every kernel, and for payloads that were not split in every run.
    pub fn work(&self) -> Option<Work> {
        let mut work = self.inner.work.as_ref()?.lock().ok()?.clone();
        work.assign_anchors(&self.inner.plan);
        Some(work)
    }

    /// The rules it works with.
    pub fn rules(&self) -> &Arc<RuleSet> {
        self.inner.plan.rules()
    }

    /// The code that reads the bytes: that of the options, unless it does not run here or cannot
    /// take the keywords of the rules.
    pub fn kernel(&self) -> Kernel {
        self.inner.plan.sweep().kernel()
    }

    /// Scans a whole payload, its format as the options say.
    pub fn scan(&self, payload: &[u8]) -> Classified {
        self.scan_as(payload, self.inner.options.format)
    }

    /// Scans a whole payload of this format; where none is given, its first 4 KiB decide.
    pub fn scan_as(&self, payload: &[u8], format: Option<Format>) -> Classified {
        let format = self.format_of(payload, format);
        if format.encoding != Encoding::Bytes {
            let mut stream = Stream::new(self.clone(), Some(format));
            stream.push(payload);
            return stream.finish();
        }
        let start = format.bom.min(payload.len());
        let mut cursor = self.cursor(Tracker::new(format.structure, start as u64), start as u64);
        let mut collector = Collector::new(&self.inner);
        let text = payload.get(start..).unwrap_or_default();
        cursor.advance(&self.inner.plan, text, start as u64, true, &mut collector);
        self.rest(cursor);
        collector.finish(format, opaque_coverage(format))
    }

    /// Begins a payload that arrives in pieces.
    pub fn stream(&self) -> Stream {
        Stream::new(self.clone(), self.inner.options.format)
    }

    /// Begins a payload that arrives in pieces and is of this format; where none is given, its
    /// first 4 KiB decide.
    pub fn stream_as(&self, format: Option<Format>) -> Stream {
        Stream::new(self.clone(), format)
    }

    /// Bytes that the automaton of each rule reads when this text is scanned, by rule id, and last
    /// those that automata shared by rules read, under `shared`: the measure of the promise that
    /// work is linear.
    pub fn bytes_read(&self, text: &[u8]) -> Vec<(String, u64)> {
        let plan = &self.inner.plan;
        let mut cursor = Cursor::new(plan, Tracker::new(crate::decode::Structure::Text, 0), 0);
        let mut ignore = |_: crate::scan::Found<'_>| {};
        cursor.advance(plan, text, 0, true, &mut ignore);
        let rules = plan.rules().rules.iter().map(|rule| rule.id.clone());
        let shared = ("shared".to_owned(), cursor.shared_bytes_read());
        rules.zip(cursor.bytes_read().iter().copied()).chain([shared]).collect()
    }

    fn format_of(&self, head: &[u8], declared: Option<Format>) -> Format {
        match declared.or(self.inner.options.format) {
            Some(format) => Format { bom: declared_bom(head, format), ..format },
            None => sniff(head.get(..SNIFF_BYTES).unwrap_or(head)),
        }
    }

    /// A cursor at the start of a view; one at rest if there is one.
    fn cursor(&self, tracker: Tracker, start: u64) -> Box<Cursor> {
        self.cursor_for(tracker, Positions::new(start), start, start..u64::MAX)
    }

    fn cursor_for(
        &self,
        tracker: Tracker,
        positions: Positions,
        start: u64,
        own: std::ops::Range<u64>,
    ) -> Box<Cursor> {
        let resting = self.inner.cursors.lock().ok().and_then(|mut cursors| cursors.pop());
        match resting {
            Some(mut cursor) => {
                cursor.restart(tracker, positions, start, own);
                cursor
            }
            None => {
                let plan = &self.inner.plan;
                let mut cursor = Box::new(Cursor::segment(plan, tracker, positions, start, own));
                if self.inner.work.is_some() {
                    cursor.count_work(plan);
                }
                cursor
            }
        }
    }

    /// Puts a cursor to rest. Those past a few are dropped: memory follows the threads at work.
    fn rest(&self, mut cursor: Box<Cursor>) {
        if let Some(Ok(mut sum)) = self.inner.work.as_ref().map(Mutex::lock)
            && let Some(work) = cursor.take_work(&self.inner.plan)
        {
            sum.add(&work);
        }
        if let Ok(mut cursors) = self.inner.cursors.lock()
            && cursors.len() < 64
        {
            cursors.push(cursor);
        }
    }
}

/// Length of the byte order mark that a payload of a declared format begins with. What the
/// declaration says of it does not count: bytes that are no mark are not passed over.
fn declared_bom(head: &[u8], format: Format) -> usize {
    let mark: &[u8] = match format.encoding {
        Encoding::Bytes => b"\xef\xbb\xbf",
        Encoding::Utf16Le => b"\xff\xfe",
        Encoding::Utf16Be => b"\xfe\xff",
    };
    if head.starts_with(mark) { mark.len() } else { 0 }
}

fn opaque_coverage(format: Format) -> Coverage {
    format.opaque.map_or_else(Coverage::complete, |_| Coverage::partial(Reason::Opaque))
}
