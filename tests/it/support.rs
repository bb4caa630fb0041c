//! What several tests need: rules, scanners, and ways of cutting a payload.

use std::sync::{Arc, OnceLock};

use sluicegate::engine::Options;
use sluicegate::model::Coverage;
use sluicegate::scan::sweep::Kernel;
use sluicegate::{Classified, RuleSet, Scanner};

/// The built-in rules, loaded once.
pub fn rules() -> Arc<RuleSet> {
    static RULES: OnceLock<Arc<RuleSet>> = OnceLock::new();
    RULES.get_or_init(|| Arc::new(RuleSet::builtin().expect("the built-in rules load"))).clone()
}

pub fn scanner_with(options: Options) -> Scanner {
    Scanner::new(rules(), options)
}

pub fn kernels() -> Vec<Kernel> {
    Kernel::available().collect()
}

/// The payload as a stream; `size` gives the length of the piece that begins at an offset.
pub fn chunked(scanner: &Scanner, payload: &[u8], size: impl Fn(usize) -> usize) -> Classified {
    let mut stream = scanner.stream();
    let (mut at, mut last_final) = (0, 0);
    while at < payload.len() {
        let end = payload.len().min(at.saturating_add(size(at).max(1)));
        let final_to = stream.push(&payload[at..end]);
        assert!(final_to >= last_final, "the final offset never goes back");
        assert!(final_to <= end as u64, "no byte is final before it arrived");
        last_final = final_to;
        at = end;
    }
    stream.finish()
}

/// The payload in overlapping segments, scanned last to first.
pub fn segmented(scanner: &Scanner, payload: &[u8], size: usize) -> Option<Classified> {
    let mut splitter = scanner.split(payload, size)?;
    let format = splitter.format();
    let mut segments = Vec::new();
    for piece in payload.chunks(977) {
        segments.extend(splitter.push(piece));
    }
    segments.push(splitter.finish());
    let parts = segments.iter().rev().map(|segment| scanner.scan_segment(segment, usize::MAX));
    let parts = parts.collect();
    Some(scanner.join(format, parts, Coverage::complete()))
}
