//! One large file on several threads.
//!
//! The thread that reads the file follows its structure and deals out overlapping segments; scanner
//! threads take them in any order; the parts are joined into the answer of a scan of the whole. The
//! segments that were dealt out and not joined yet are bounded, so memory is too.

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};

use crate::engine::{Classified, Scanner, Segment, Splitter};
use crate::model::Coverage;

/// Files from this size on are worth more than one thread.
pub(super) const PARALLEL_BYTES: u64 = 8 << 20;

/// Bytes of a segment, without its surroundings.
pub(super) const SEGMENT_BYTES: usize = 2 << 20;

/// Scans what `read` hands to the function it is given, in order, with `threads` threads beside
/// this one. What `read` returns is passed on.
pub(super) fn scan<R>(
    scanner: &Scanner,
    mut splitter: Splitter,
    threads: NonZeroUsize,
    read: impl FnOnce(&mut dyn FnMut(&[u8])) -> R,
) -> (Classified, R) {
    let joiner = Mutex::new(scanner.join(splitter.format()));
    let broken: Mutex<Option<Box<dyn Any + Send>>> = Mutex::new(None);
    let (segments, queue) = crossbeam_channel::bounded::<Segment>(1);
    // One token for each segment that is under way.
    let (begin, end) = crossbeam_channel::bounded::<()>(2 * threads.get() + 1);
    let read = std::thread::scope(|scope| {
        for _ in 0..threads.get() {
            let (queue, end, joiner, broken) = (queue.clone(), end.clone(), &joiner, &broken);
            scope.spawn(move || {
                for segment in queue {
                    let scan = AssertUnwindSafe(|| scanner.scan_segment(segment));
                    // Nothing that holds these locks panics.
                    match std::panic::catch_unwind(scan) {
                        Ok(part) => {
                            let joined =
                                joiner.lock().unwrap_or_else(PoisonError::into_inner).add(part);
                            end.try_iter().take(joined).for_each(drop);
                        }
                        Err(panic) => {
                            *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
                            // Nothing is joined behind the missing part: keep the reader from
                            // waiting for it.
                            end.iter().for_each(drop);
                            return;
                        }
                    }
                }
            });
        }
        drop((queue, end));
        let deal = |segment| begin.send(()).is_ok() && segments.send(segment).is_ok();
        let read = read(&mut |bytes| {
            for segment in splitter.push(bytes) {
                deal(segment);
            }
        });
        deal(splitter.finish());
        drop((begin, segments));
        read
    });
    if let Some(panic) = broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
        // A panic of the engine is reported as any other by whoever called.
        std::panic::resume_unwind(panic);
    }
    let joiner = joiner.into_inner().unwrap_or_else(PoisonError::into_inner);
    (joiner.finish(Coverage::complete()), read)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::RuleSet;
    use crate::engine::Options;

    #[test]
    fn segments_give_the_answer_of_the_whole() {
        let rules = Arc::new(RuleSet::builtin().unwrap());
        let scanner = Scanner::new(rules, Options { max_findings: 1000, ..Options::default() });
        let mut payload = Vec::from(&b"name,ssn,mail\n"[..]);
        for row in 0..20_000 {
            payload.extend_from_slice(
                format!("\"a\nb\",219-09-{:04},user{row}@mail.org\n", 1 + row % 9999).as_bytes(),
            );
        }
        let whole = scanner.scan(&payload);
        assert!(whole.truncated > 0, "more findings than are kept");
        let splitter = scanner.split(&payload, 50_000).unwrap();
        let threads = NonZeroUsize::new(3).unwrap();
        let (joined, ()) = scan(&scanner, splitter, threads, |take| {
            payload.chunks(7919).for_each(take);
        });
        assert_eq!(whole, joined);
    }
}
