//! One large file on several threads.
//!
//! The thread that reads the file follows its structure and deals out overlapping segments; scanner
//! threads take them in any order; the parts are joined into the answer of a scan of the whole. The
//! segments that wait or are being scanned are bounded, so memory is too.

use std::num::NonZeroUsize;
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
    let join = Mutex::new(scanner.joining(splitter.format()));
    let (segments, queue) = crossbeam_channel::bounded::<Segment>(1);
    let (done, rooms) = crossbeam_channel::unbounded();
    let read = std::thread::scope(|scope| {
        let join = &join;
        let workers: Vec<_> = (0..threads.get())
            .map(|_| {
                let (queue, done) = (queue.clone(), done.clone());
                scope.spawn(move || {
                    let joined = || join.lock().unwrap_or_else(PoisonError::into_inner);
                    for segment in &queue {
                        let room = joined().room(&segment);
                        let part = scanner.scan_segment(&segment, room);
                        joined().take(part);
                        // Nobody is left to take it behind the last segment.
                        let _ = done.send(segment.into_room());
                    }
                })
            })
            .collect();
        drop(queue);
        let read = read(&mut |bytes| {
            rooms.try_iter().for_each(|room| splitter.reuse(room));
            for segment in splitter.push(bytes) {
                // It cannot fail while the workers run, and they run until this end is dropped.
                let _ = segments.send(segment);
            }
        });
        let _ = segments.send(splitter.finish());
        drop(segments);
        for worker in workers {
            // A panic of the engine is reported as any other by whoever called.
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        read
    });
    let join = join.into_inner().unwrap_or_else(PoisonError::into_inner);
    (join.finish(Coverage::complete()), read)
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
