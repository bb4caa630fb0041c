//! The ledger as its users see it: opened once, appended to from any thread, closed at the end.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::record::committer::{AppendError, Committer, Receipt};
use crate::record::files::Files;
use crate::record::note::{Signer, Vkey};
use crate::record::proof::Proof;
use crate::record::publish::Publisher;
use crate::record::read::{ReadError, Reader};
use crate::record::recover::{self, Cut, Opened, Opening, RecoverError};
use crate::record::state::{Lock, State, StateError};
use crate::record::writer::{Failure, Growth, LastWords};

/// How a ledger is opened.
pub struct Options {
    /// How segments grow.
    pub growth: Growth,
    /// How long to wait for another process that holds the ledger.
    pub wait: Duration,
    /// Builds an entry for the moment when the disk is full, from its sequence number and the
    /// reason. Space is kept for it.
    pub last_words: Option<LastWords>,
}

impl Options {
    /// For a command that appends little and ends: 1 MiB at a time, segments of 4 MiB, so that the
    /// next one has little to read.
    pub fn command() -> Options {
        Options {
            growth: Growth { step: 1 << 20, segment: 4 << 20 },
            wait: super::state::LOCK_WAIT,
            last_words: None,
        }
    }

    /// For a daemon: 64 MiB at a time, and no waiting.
    pub fn daemon() -> Options {
        Options {
            growth: Growth { step: 64 << 20, segment: 64 << 20 },
            wait: Duration::ZERO,
            last_words: None,
        }
    }
}

/// Why a ledger is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The journal is refused.
    #[error(transparent)]
    Journal(#[from] RecoverError),
    /// What was cut cannot be recorded.
    #[error("what was cut from the journal cannot be recorded")]
    Append(#[from] AppendError),
}

impl OpenError {
    /// Whether this is evidence of tampering or of a damaged disk, which somebody has to look at,
    /// and not a matter of rights, locks or space.
    pub fn is_tampering(&self) -> bool {
        matches!(self, OpenError::Journal(error) if !matches!(error, RecoverError::Io { .. }))
    }
}

/// Why the signing key was not changed.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The keys cannot be written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The entry cannot be appended.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// A ledger that is open for writing.
///
/// INVARIANT: an append returns `Ok` only after its entry, and the signed checkpoint over it, were
/// synced to the disk.
pub struct Ledger {
    committer: Arc<Committer>,
    publisher: Arc<Publisher>,
    publishing: Option<JoinHandle<()>>,
    /// Makes commits for those who do not wait, from the first one on.
    committing: Mutex<Option<JoinHandle<()>>>,
    files: Arc<dyn Files>,
    keys: Vec<Vkey>,
    cut: Option<Cut>,
    // Goes last.
    _lock: Option<Lock>,
}

impl Ledger {
    /// Opens the ledger in a state directory. A torn tail is cut, and `recovered` builds the entry
    /// about it, from its sequence number, as the first one behind.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        state: &State,
        options: Options,
        recovered: impl FnOnce(u64, &Cut) -> Vec<u8>,
    ) -> Result<Ledger, OpenError> {
        let lock = state.lock(options.wait)?;
        let prepared = state.prepared_signer()?;
        let opening = Opening {
            files: state.files(),
            signer: state.signer()?,
            prepared,
            keys: state.vkeys()?,
            growth: options.growth,
            last_words: options.last_words,
        };
        let opened = recover::open(opening)?;
        if opened.rotated {
            state.promote_signer()?;
        } else if let Some(next) = state.prepared_signer()? {
            state.forget_signer(&next)?;
        }
        let keys = state.vkeys()?;
        Ledger::start(opened, state.files(), keys, Some(lock), recovered)
    }

    pub(super) fn start(
        opened: Opened,
        files: Arc<dyn Files>,
        keys: Vec<Vkey>,
        lock: Option<Lock>,
        recovered: impl FnOnce(u64, &Cut) -> Vec<u8>,
    ) -> Result<Ledger, OpenError> {
        let Opened { writer, tiles, unpublished, cut, .. } = opened;
        let note = writer.note().to_owned();
        let publisher = Arc::new(Publisher::new(Arc::clone(&files), &tiles, unpublished, note));
        let committer = Arc::new(Committer::new(writer));
        let (publishes, fails) = (Arc::clone(&publisher), Arc::clone(&committer));
        let publishing = thread::spawn(move || {
            publishes.run(tiles, |failure| fails.fail(failure));
        });
        let publishing = Some(publishing);
        let committing = Mutex::new(None);
        let ledger =
            Ledger { committer, publisher, publishing, committing, files, keys, cut, _lock: lock };
        if let Some(cut) = ledger.cut.clone() {
            ledger.append(|sequence| recovered(sequence, &cut))?;
        }
        Ok(ledger)
    }

    /// What was cut from the journal when it was opened.
    pub fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// Entries that are in the log or on their way there.
    pub fn size(&self) -> u64 {
        self.committer.next()
    }

    /// Appends one entry, built from its sequence number: UTF-8 JSON of at most 65,535 bytes.
    /// Returns once it is durable. While `build` runs no other entry is built; it must not use the
    /// ledger.
    ///
    /// # Errors
    /// [`AppendError`]. What needed the entry must not happen then.
    pub fn append(&self, build: impl FnOnce(u64) -> Vec<u8>) -> Result<Receipt, AppendError> {
        match self.append_if(|sequence| Ok::<_, Infallible>(build(sequence)))? {
            Ok(receipt) => Ok(receipt),
            Err(never) => match never {},
        }
    }

    /// Appends one entry if `check` gives one. Checks run one at a time in the order of the log, so
    /// what a check takes (the last use of a grant) no other one can take as well. When the append
    /// fails after a check that took something, every later append fails too.
    ///
    /// # Errors
    /// [`AppendError`]; inside, what the check says.
    pub fn append_if<E>(
        &self,
        check: impl FnOnce(u64) -> Result<Vec<u8>, E>,
    ) -> Result<Result<Receipt, E>, AppendError> {
        let receipts = self.append_built(|sequence| Ok(vec![check(sequence)?]), None)?;
        match receipts.map(|receipts| receipts.first().copied()) {
            Ok(Some(receipt)) => Ok(Ok(receipt)),
            Ok(None) => Err(AppendError::Entry(0)),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Appends entries in one commit: after a crash all of them are there or none is. `build` is
    /// called with the first sequence number; the others count on from there.
    ///
    /// # Errors
    /// [`AppendError`].
    pub fn append_all(
        &self,
        build: impl FnOnce(u64) -> Vec<Vec<u8>>,
    ) -> Result<Vec<Receipt>, AppendError> {
        match self.append_built(|first| Ok::<_, Infallible>(build(first)), None)? {
            Ok(receipts) => Ok(receipts),
            Err(never) => match never {},
        }
    }

    /// As [`Ledger::append_all`], but does not wait: `told` is called once all entries are durable, or
    /// where they will not be, and until then nothing that needs them may happen. It runs on the
    /// thread that commits, and has to be quick. Where this returns an error it is never called.
    ///
    /// # Errors
    /// [`AppendError`].
    pub fn append_all_then(
        &self,
        build: impl FnOnce(u64) -> Vec<Vec<u8>>,
        told: impl FnOnce(Result<(), AppendError>) + Send + 'static,
    ) -> Result<Vec<Receipt>, AppendError> {
        let mut committing = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        if committing.is_none() {
            let (committer, publisher) = (Arc::clone(&self.committer), Arc::clone(&self.publisher));
            *committing = Some(thread::spawn(move || {
                committer.make_commits(&|leaves, writer| publisher.committed(leaves, writer));
            }));
        }
        drop(committing);
        self.committer.append_then(build, Box::new(told))
    }

    /// Puts a new signing key in place of the present one. Both sign the checkpoint over the entry
    /// that `build` makes of its sequence number, the old and the new public key; so who knows only
    /// the old one can follow.
    ///
    /// # Errors
    /// [`RotateError`]. Where it came to the entry, the next opening ends what is left to do.
    pub fn rotate(
        &mut self,
        state: &State,
        next: Signer,
        build: impl FnOnce(u64, &Vkey, &Vkey) -> Vec<u8>,
    ) -> Result<Receipt, RotateError> {
        let old = state.signer()?.vkey().clone();
        let new = next.vkey().clone();
        state.prepare_signer(&next)?;
        let built = |sequence| Ok::<_, Infallible>(vec![build(sequence, &old, &new)]);
        let receipts = match self.append_built(built, Some(next))? {
            Ok(receipts) => receipts,
            Err(never) => match never {},
        };
        state.promote_signer()?;
        self.keys.push(new);
        receipts.first().copied().ok_or(RotateError::Append(AppendError::Entry(0)))
    }

    /// Publishes tiles and checkpoint of all that is appended, now and not after a second.
    ///
    /// # Errors
    /// The [`Failure`] where that does not work.
    pub fn publish(&self) -> Result<(), Failure> {
        self.publisher.publish();
        self.committer.failed().map_or(Ok(()), Err)
    }

    /// The failure, if there was one: nothing is appended any more.
    pub fn failed(&self) -> Option<Failure> {
        self.committer.failed()
    }

    /// Reads what is in the ledger.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.files), self.keys.clone())
    }

    /// Proves that an entry is in the log, against a published checkpoint.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn prove(&self, sequence: u64) -> Result<Proof, ReadError> {
        self.publisher.publish();
        self.reader().prove(sequence)
    }

    /// Ends the ledger: waits for what is under way, and publishes it.
    ///
    /// # Errors
    /// The [`Failure`] where entries were refused or not published.
    pub fn close(mut self) -> Result<(), Failure> {
        self.end();
        self.committer.failed().map_or(Ok(()), Err)
    }

    /// The name of the log.
    pub fn origin(&self) -> String {
        self.keys.first().map(|key| key.name().to_owned()).unwrap_or_default()
    }

    pub(super) fn files(&self) -> Arc<dyn Files> {
        Arc::clone(&self.files)
    }

    /// Further entries go to a new segment.
    pub(super) fn close_segment(&self) -> Result<(), Failure> {
        self.committer.close_segment()
    }

    fn append_built<E>(
        &self,
        build: impl FnOnce(u64) -> Result<Vec<Vec<u8>>, E>,
        rotation: Option<Signer>,
    ) -> Result<Result<Vec<Receipt>, E>, AppendError> {
        self.committer.append(build, rotation, &|leaves, writer| {
            self.publisher.committed(leaves, writer);
        })
    }

    fn end(&mut self) {
        self.committer.close();
        let committing = self.committing.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(committing) = committing.take() {
            let _ = committing.join();
        }
        self.publisher.close();
        if let Some(publishing) = self.publishing.take() {
            let _ = publishing.join();
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::path::Path;

    use super::*;
    use crate::record::MAX_TOGETHER;
    use crate::record::merkle::leaf_hash;

    fn create(path: &Path) -> State {
        let mut seed = 0u8;
        State::create(path, "example.com/log", &mut |bytes| {
            seed += 1;
            bytes.fill(seed);
            Ok(())
        })
        .unwrap()
    }

    fn small() -> Options {
        Options { growth: Growth { step: 1 << 16, segment: 1 << 17 }, ..Options::command() }
    }

    fn open(state: &State) -> Ledger {
        Ledger::open(state, small(), |_, cut| panic!("nothing was cut: {cut:?}")).unwrap()
    }

    fn entry(sequence: u64) -> Vec<u8> {
        format!("{{\"v\":1,\"sequence\":{sequence},\"pad\":\"{}\"}}", "x".repeat(300)).into_bytes()
    }

    #[test]
    fn entries_of_many_threads_are_read_back_and_proven() {
        let folder = tempfile::tempdir().unwrap();
        let state = create(&folder.path().join("state"));
        let mut count = 0;
        for round in 0..3 {
            let ledger = open(&state);
            assert_eq!(ledger.size(), count);
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        for _ in 0..60 {
                            let receipt = ledger.append(entry).unwrap();
                            assert_eq!(receipt.leaf, leaf_hash(&entry(receipt.sequence)));
                        }
                    });
                }
            });
            count += 480;
            let receipts = ledger.append_all(|first| vec![entry(first), entry(first + 1)]).unwrap();
            assert_eq!(receipts.iter().map(|r| r.sequence).collect::<Vec<_>>(), [count, count + 1]);
            count += 2;
            for sequence in [0, 1, 255, count - 1] {
                let proof = ledger.prove(sequence).unwrap();
                let keys = state.vkeys().unwrap();
                assert!(proof.verify(&entry(sequence), &keys).is_ok());
                assert!(proof.verify(&entry(sequence + 1), &keys).is_err());
            }
            let mut next = 0;
            let end = ledger.reader().entries(0, &mut |sequence, bytes| {
                assert_eq!((sequence, bytes), (next, &entry(next)[..]));
                next += 1;
                ControlFlow::Continue(())
            });
            assert_eq!((end.unwrap(), next), (count, count));
            if round == 1 {
                drop(ledger);
            } else {
                ledger.close().unwrap();
            }
        }
        let segments = std::fs::read_dir(state.path().join("journal")).unwrap().count();
        assert!(segments > 3, "{segments}");
        assert!(matches!(open(&state).prove(count), Err(ReadError::NoEntry(..))));
    }

    #[test]
    fn those_who_wait_and_those_who_are_told_share_commits() {
        use std::sync::atomic::{AtomicU64, Ordering};
        let folder = tempfile::tempdir().unwrap();
        let state = create(&folder.path().join("state"));
        let ledger = open(&state);
        let told = Arc::new(AtomicU64::new(0));
        thread::scope(|scope| {
            for writer in 0..6 {
                let (ledger, told) = (&ledger, &told);
                scope.spawn(move || {
                    for round in 0..40 {
                        if (writer + round) % 3 == 0 {
                            ledger.append(entry).unwrap();
                            continue;
                        }
                        let (told, reader) = (Arc::clone(told), ledger.reader());
                        let numbers = Arc::new(AtomicU64::new(u64::MAX));
                        let number = Arc::clone(&numbers);
                        let receipts = ledger.append_all_then(
                            |first| {
                                number.store(first, Ordering::SeqCst);
                                vec![entry(first), entry(first + 1)]
                            },
                            move |durable| {
                                durable.unwrap();
                                // It is on the disk when this is called.
                                let first = numbers.load(Ordering::SeqCst);
                                let mut seen = false;
                                let read = reader.entries(first, &mut |sequence, _| {
                                    seen |= sequence == first;
                                    ControlFlow::Break(())
                                });
                                assert!(read.is_ok() && seen);
                                told.fetch_add(2, Ordering::SeqCst);
                            },
                        );
                        assert_eq!(receipts.unwrap().len(), 2);
                    }
                });
            }
        });
        let size = ledger.size();
        ledger.close().unwrap();
        assert_eq!((size, told.load(Ordering::SeqCst)), (400, 320));
        let ledger = open(&state);
        assert_eq!(ledger.size(), 400);
        drop(ledger.append_all_then(|first| vec![entry(first)], |_| ()).unwrap());
        drop(ledger);
        assert_eq!(open(&state).size(), 401);
    }

    #[test]
    fn readers_and_verifiers_do_not_mind_a_writer() {
        use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

        let folder = tempfile::tempdir().unwrap();
        let state = create(&folder.path().join("state"));
        let ledger = open(&state);
        // Each round verifies all that was written: writers that did not wait for it could write ever more.
        const ROUNDS: usize = 25;
        const A_ROUND: usize = 100;
        let begun = AtomicUsize::new(0);
        struct Ends<'a>(&'a AtomicUsize);
        // Also where the test fails: the scope waits for its writers.
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.store(usize::MAX, Relaxed);
            }
        }
        let keys = state.vkeys().unwrap();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut written = 0;
                    loop {
                        match begun.load(Relaxed) {
                            usize::MAX => break,
                            begun if written < begun * A_ROUND => {
                                ledger.append(entry).unwrap();
                                written += 1;
                            }
                            _ => thread::yield_now(),
                        }
                    }
                });
            }
            let _ends = Ends(&begun);
            for round in 0..ROUNDS {
                begun.store(round + 1, Relaxed);
                if round % 3 == 0 {
                    ledger.publish().unwrap();
                }
                let report = crate::record::verify::verify(&*state.files(), None, &keys).unwrap();
                assert_eq!(report.faults, Vec::<String>::new());
                let published = report.published.unwrap();
                if let Some(last) = published.checked_sub(1) {
                    assert!(ledger.reader().prove(last).is_ok());
                }
            }
        });
    }

    #[test]
    fn one_process_holds_the_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let state = create(&folder.path().join("state"));
        let ledger = open(&state);
        let again = Options { wait: Duration::from_millis(30), ..small() };
        let again = Ledger::open(&state, again, |_, _| Vec::new());
        assert!(matches!(again, Err(OpenError::State(StateError::Locked(_)))));
        drop(ledger);
        drop(open(&state));
    }

    #[test]
    fn a_check_takes_what_no_other_can_take() {
        let folder = tempfile::tempdir().unwrap();
        let state = create(&folder.path().join("state"));
        let ledger = open(&state);
        let uses = std::sync::atomic::AtomicU32::new(3);
        let taken: u32 = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let took = ledger.append_if(|sequence| {
                            use std::sync::atomic::Ordering::Relaxed;
                            // Not atomic by itself: the order of the log makes it so.
                            let left = uses.load(Relaxed).checked_sub(1).ok_or(())?;
                            thread::yield_now();
                            uses.store(left, Relaxed);
                            Ok::<_, ()>(entry(sequence))
                        });
                        u32::from(took.unwrap().is_ok())
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((taken, ledger.size()), (3, 3));
    }

    #[test]
    fn what_is_no_entry_is_refused_and_the_ledger_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let state = create(&folder.path().join("state"));
        let ledger = open(&state);
        for wrong in [vec![], vec![b' '; 65_536], vec![0xff]] {
            let length = wrong.len();
            assert_eq!(ledger.append(|_| wrong), Err(AppendError::Entry(length)));
        }
        let many = vec![b"{}".to_vec(); MAX_TOGETHER + 1];
        assert_eq!(ledger.append_all(|_| many), Err(AppendError::TooMuch));
        assert_eq!(ledger.append(|_| vec![b' '; 65_535]).unwrap().sequence, 0);
        // A builder that panics takes no sequence number with it.
        thread::scope(|scope| {
            assert!(scope.spawn(|| ledger.append(|_| panic!("builder"))).join().is_err());
        });
        assert_eq!(ledger.append(entry).unwrap().sequence, 1);
    }

    #[test]
    fn keys_change_and_the_log_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let state = create(&folder.path().join("state"));
        let old = state.signer().unwrap().vkey().clone();
        let mut ledger = open(&state);
        ledger.append(entry).unwrap();
        let next = Signer::from_seed("example.com/log", &[99; 32]).unwrap();
        let new = next.vkey().clone();
        ledger.rotate(&state, next, |sequence, _, _| entry(sequence)).unwrap();
        ledger.append(entry).unwrap();
        let proof = ledger.prove(0).unwrap();
        assert!(proof.verify(&entry(0), std::slice::from_ref(&old)).is_err());
        assert!(proof.verify(&entry(0), std::slice::from_ref(&new)).is_ok());
        ledger.close().unwrap();
        assert_eq!(*state.signer().unwrap().vkey(), new);
        assert_eq!(state.vkeys().unwrap().len(), 2);
        assert_eq!(open(&state).append(entry).unwrap().sequence, 3);
    }

    #[test]
    fn a_rotation_that_was_cut_short_is_ended_or_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let state = create(&folder.path().join("state"));
        let seed = |seed| Signer::from_seed("example.com/log", &[seed; 32]).unwrap();
        state.prepare_signer(&seed(98)).unwrap();
        let ledger = open(&state);
        assert!(state.prepared_signer().unwrap().is_none());
        assert_eq!(state.vkeys().unwrap().len(), 1);
        // As if the process had ended before the key took its place.
        state.prepare_signer(&seed(99)).unwrap();
        let built = |sequence| Ok::<_, Infallible>(vec![entry(sequence)]);
        ledger.append_built(built, Some(seed(99))).unwrap().unwrap();
        ledger.close().unwrap();
        assert_ne!(state.signer().unwrap().vkey(), seed(99).vkey());
        drop(open(&state));
        assert_eq!(state.signer().unwrap().vkey(), seed(99).vkey());
    }
}
