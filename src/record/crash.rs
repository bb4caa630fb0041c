//! Tests of the ledger on a disk that loses what was not synced, fails, or was changed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use proptest::prelude::*;

use crate::record::files::{Files, replace};
use crate::record::journal;
use crate::record::ledger::Ledger;
use crate::record::merkle::Edge;
use crate::record::model::{Fault, Model, SECTOR};
use crate::record::note::{Checkpoint, Signer, Vkey};
use crate::record::recover::{self, Cut, Opening, RecoverError};
use crate::record::state::CHECKPOINT;
use crate::record::verify::verify;
use crate::record::writer::Growth;
use crate::record::{AppendError, OpenError};

/// A disk with an empty ledger.
fn empty() -> (Model, Vec<Vkey>) {
    let model = Model::default();
    for folder in ["journal", "tile", "anchors"] {
        model.make_folder(folder).unwrap();
    }
    let signer = signer();
    let edge = Edge::default();
    let empty = Checkpoint { origin: "log".into(), size: 0, root: edge.root() };
    let note = empty.sign([&signer]);
    let mut head = Vec::new();
    journal::write_head("log", &edge, &note, &mut head);
    replace(&model, &recover::file_of(0), &head).unwrap();
    replace(&model, CHECKPOINT, note.as_bytes()).unwrap();
    (model, vec![signer.vkey().clone()])
}

fn signer() -> Signer {
    Signer::from_seed("log", &[7; 32]).unwrap()
}

fn opening(model: &Model, keys: &[Vkey]) -> Opening {
    Opening {
        files: Arc::new(model.clone()),
        signer: signer(),
        prepared: None,
        keys: keys.to_vec(),
        growth: Growth { step: 1 << 13, segment: 3 << 14 },
        last_words: Some(Box::new(|sequence, reason| {
            format!("{{\"sequence\":{sequence},\"kind\":\"stop\",\"reason\":\"{reason}\"}}")
                .into_bytes()
        })),
    }
}

fn start(model: &Model, keys: &[Vkey]) -> Result<Ledger, OpenError> {
    let opened = recover::open(opening(model, keys))?;
    Ledger::start(opened, Arc::new(model.clone()), keys.to_vec(), None, recovered)
}

/// A ledger on a disk on which the operation that comes `after` so many more fails, and what of its
/// entries would be there after a loss of power.
pub(crate) fn failing(after: usize) -> (Ledger, impl Fn() -> Vec<Vec<u8>>) {
    let (model, keys) = empty();
    let ledger = start(&model, &keys).expect("it opens");
    model.fail(after, Fault::Error(io::ErrorKind::StorageFull));
    (ledger, move || entries(&model.after_crash(|| false), &keys).into_values().collect())
}

fn recovered(sequence: u64, cut: &Cut) -> Vec<u8> {
    format!(
        "{{\"sequence\":{sequence},\"kind\":\"recovered\",\"from\":{},\"cut_bytes\":{}}}",
        cut.from, cut.bytes
    )
    .into_bytes()
}

fn entry(sequence: u64, length: usize) -> Vec<u8> {
    format!("{{\"sequence\":{sequence},\"pad\":\"{}\"}}", "x".repeat(length)).into_bytes()
}

/// Appends until it fails or all are there; what was acknowledged.
fn load(ledger: &Ledger, commits: &[(usize, usize)]) -> BTreeMap<u64, Vec<u8>> {
    let mut acknowledged = BTreeMap::new();
    for (number, (count, length)) in commits.iter().enumerate() {
        let build = |first: u64| (0..*count as u64).map(|n| entry(first + n, *length)).collect();
        let Ok(receipts) = ledger.append_all(build) else { break };
        acknowledged.extend(receipts.iter().map(|r| (r.sequence, entry(r.sequence, *length))));
        if number % 3 == 2 && ledger.publish().is_err() {
            break;
        }
    }
    acknowledged
}

/// All entries, as a reader gives them.
fn entries(model: &Model, keys: &[Vkey]) -> BTreeMap<u64, Vec<u8>> {
    let mut all = BTreeMap::new();
    let reader = crate::record::Reader::new(Arc::new(model.clone()), keys.to_vec());
    let end = reader.entries(0, &mut |sequence, bytes| {
        all.insert(sequence, bytes.to_vec());
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!(end.unwrap(), all.len() as u64);
    all
}

/// What was acknowledged is there, nothing else but `recovered` and `stop` is new, and all holds.
fn check(model: &Model, keys: &[Vkey], acknowledged: &BTreeMap<u64, Vec<u8>>) {
    let all = entries(model, keys);
    for (sequence, bytes) in acknowledged {
        assert_eq!(all.get(sequence), Some(bytes), "acknowledged and lost");
    }
    let report = verify(model, None, keys).unwrap();
    assert_eq!((report.faults, report.unfinished), (Vec::<String>::new(), 0));
    assert_eq!(report.entries, all.len() as u64);
}

fn cases(few: u32, many: u32) -> u32 {
    if std::env::var_os("SLUICE_LEDGER_FULL").is_some() { many } else { few }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(100, 20_000), ..ProptestConfig::default() })]

    /// The power goes at any operation, twice, and any subset of what was not synced is lost.
    #[test]
    fn nothing_acknowledged_is_lost_with_the_power(
        commits in prop::collection::vec((1usize..4, 0usize..3000), 1..12),
        deaths in (1usize..160, 1usize..40),
        lost in any::<[u64; 8]>(),
        all_or_none in 0..4,
    ) {
        let mut bits = lost.iter().flat_map(|word| (0..64).map(move |bit| word >> bit & 1 == 1)).cycle();
        let mut keeps = move || match all_or_none {
            0 => false,
            1 => true,
            _ => bits.next().unwrap(),
        };
        let (model, keys) = empty();
        let model = model.after_crash(|| true);
        model.fail(deaths.0, Fault::Death);
        let mut acknowledged = match start(&model, &keys) {
            Ok(ledger) => load(&ledger, &commits),
            Err(_) => BTreeMap::new(),
        };
        // It dies again while it recovers, or soon after.
        let model = model.after_crash(&mut keeps);
        model.fail(deaths.1, Fault::Death);
        if let Ok(ledger) = start(&model, &keys) {
            acknowledged.extend(load(&ledger, &commits));
        }
        let model = model.after_crash(&mut keeps);
        let ledger = start(&model, &keys).expect("a crash is no reason to refuse");
        acknowledged.extend(load(&ledger, &commits[..1]));
        ledger.close().unwrap();
        check(&model, &keys, &acknowledged);
    }
}

/// Every operation fails once, in each way: the ledger takes nothing more, and loses nothing.
#[test]
fn an_error_poisons_the_ledger_and_loses_nothing() {
    let commits = [(2, 100), (1, 9000), (3, 2000), (1, 100), (2, 20_000), (1, 10)];
    for kind in [io::ErrorKind::Other, io::ErrorKind::StorageFull] {
        let mut failed = 0;
        for operation in (1..400).step_by(cases(7, 1) as usize) {
            let (model, keys) = empty();
            let ledger = start(&model, &keys).unwrap();
            let mut acknowledged = load(&ledger, &commits[..2]);
            model.fail(operation, Fault::Error(kind));
            acknowledged.extend(load(&ledger, &commits));
            let size = ledger.size();
            if let Some(failure) = ledger.failed() {
                failed += 1;
                assert_eq!(failure.full, kind == io::ErrorKind::StorageFull);
                let again = ledger.append(|sequence| entry(sequence, 1));
                assert_eq!(again, Err(AppendError::Failed(failure)), "nothing is tried again");
                assert_eq!(ledger.size(), size);
            }
            let _ = ledger.close();
            // The power may go at once, or after the ledger went on.
            for keep in [true, false] {
                let model = model.after_crash(|| keep);
                start(&model, &keys).unwrap().close().unwrap();
                check(&model, &keys, &acknowledged);
            }
            model.mend();
            let ledger = start(&model, &keys).unwrap();
            acknowledged.extend(load(&ledger, &commits[..2]));
            ledger.close().unwrap();
            let model = model.after_crash(|| false);
            start(&model, &keys).unwrap().close().unwrap();
            check(&model, &keys, &acknowledged);
        }
        assert!(failed > 10, "{failed}");
    }
}

/// With many writers, those who wait when it fails are refused as well, and nobody waits for ever.
#[test]
fn all_writers_are_told_of_a_failure() {
    for after in (1..120).step_by(cases(9, 1) as usize) {
        let (model, keys) = empty();
        let ledger = start(&model, &keys).unwrap();
        model.fail(after, Fault::Error(io::ErrorKind::Other));
        let acknowledged: BTreeMap<u64, Vec<u8>> = std::thread::scope(|scope| {
            let writer = || {
                let mut acknowledged = BTreeMap::new();
                // More than there are operations before the fault.
                for _ in 0..200 {
                    match ledger.append(|sequence| entry(sequence, 700)) {
                        Ok(receipt) => {
                            let sequence = receipt.sequence;
                            assert!(acknowledged.insert(sequence, entry(sequence, 700)).is_none());
                        }
                        Err(AppendError::Failed(_)) => return acknowledged,
                        Err(error) => panic!("{error}"),
                    }
                }
                acknowledged
            };
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(writer)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ledger.close().is_err(), "{after}");
        let model = model.after_crash(|| false);
        start(&model, &keys).unwrap().close().unwrap();
        check(&model, &keys, &acknowledged);
    }
}

/// Where the disk is full the last entry says so, in the space kept for it.
#[test]
fn a_full_disk_is_recorded() {
    let (model, keys) = empty();
    let ledger = start(&model, &keys).unwrap();
    let mut acknowledged = load(&ledger, &[(1, 10)]);
    // The next thing that needs more room than there is.
    model.fail(1, Fault::Error(io::ErrorKind::StorageFull));
    let refused = ledger.append(|sequence| entry(sequence, 60_000));
    assert!(matches!(&refused, Err(AppendError::Failed(failure)) if failure.full), "{refused:?}");
    let stop = "{\"sequence\":1,\"kind\":\"stop\",\"reason\":\"a new segment cannot be made\"}";
    acknowledged.insert(1, stop.as_bytes().to_vec());
    drop(ledger);
    let model = model.after_crash(|| false);
    start(&model, &keys).unwrap().close().unwrap();
    check(&model, &keys, &acknowledged);
}

/// A small ledger: two segments, the last commits not published.
fn small() -> (Model, Vec<Vkey>, u64) {
    let (model, keys) = empty();
    let ledger = start(&model, &keys).unwrap();
    load(&ledger, &[(2, 9000), (1, 20), (1, 300)]);
    let published = ledger.size();
    load(&ledger, &[(1, 40), (2, 700)]);
    let dead = model.after_crash(|| true);
    drop(ledger);
    let last = *recover::segments(&dead).unwrap().last().unwrap();
    assert!(last > 0 && last < published);
    (dead, keys, published)
}

/// Each flipped bit of the last segment is refused, or changes nothing: no entry goes.
#[test]
fn no_flipped_bit_costs_an_entry() {
    let (model, keys, _) = small();
    let all = entries(&model, &keys);
    let path = recover::file_of(*recover::segments(&model).unwrap().last().unwrap());
    let length = model.read(&path).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut refused = 0;
    let bits = if cases(0, 1) == 1 { 0..8 } else { 0..1 };
    for (at, bit) in (0..length + 40).flat_map(|at| bits.clone().map(move |bit| (at, bit))) {
        let changed = model.with(&path, |content| content[at] ^= 1 << ((at + bit) % 8));
        match recover::open(opening(&changed, &keys)) {
            Ok(opened) => assert_eq!(opened.writer.size(), all.len() as u64, "byte {at}"),
            Err(error) => {
                assert!(OpenError::from(error).is_tampering());
                refused += 1;
            }
        }
        if at % cases(8, 1) as usize == 0 {
            assert!(!verify(&changed, None, &keys).unwrap().holds() || at >= length);
        }
    }
    assert!(refused >= length);
}

/// Cut anywhere, the journal gives exactly the commits before, or is refused below what was signed.
#[test]
fn cuts_leave_the_commits_before_or_are_refused() {
    let (model, keys, published) = small();
    let path = recover::file_of(*recover::segments(&model).unwrap().last().unwrap());
    let length = model.read(&path).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut sizes = BTreeSet::new();
    for (at, zeros) in
        (0..length).step_by(cases(5, 1) as usize).flat_map(|at| [(at, false), (at, true)])
    {
        let changed = model.with(&path, |content| {
            let whole = content.len();
            content.truncate(at);
            content.resize(if zeros { whole } else { at }, 0);
        });
        match recover::open(opening(&changed, &keys)) {
            Ok(opened) => {
                let size = opened.writer.size();
                assert!(size >= published);
                sizes.insert(size);
                // A second time there is nothing left to cut.
                drop(opened);
                assert_eq!(recover::open(opening(&changed, &keys)).unwrap().cut, None);
            }
            Err(RecoverError::RolledBack { signed, held, .. }) => {
                assert!(held < signed && signed == published);
            }
            Err(RecoverError::Damaged { damage: journal::Damage::Head, .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [published, published + 1]);
}

/// Sectors that are gone are a torn tail in the last commit only.
#[test]
fn missing_sectors_before_the_last_commit_are_refused() {
    let (model, keys, published) = small();
    let all = entries(&model, &keys).len() as u64;
    let path = recover::file_of(*recover::segments(&model).unwrap().last().unwrap());
    let length = model.read(&path).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut cut = 0;
    for sector in 0..length.div_ceil(SECTOR) {
        let changed = model.with(&path, |content| {
            content[sector * SECTOR..(sector + 1) * SECTOR].fill(0);
        });
        match recover::open(opening(&changed, &keys)) {
            Ok(opened) => {
                assert_eq!((opened.writer.size(), opened.cut.is_some()), (published + 1, true));
                cut += 1;
            }
            Err(error) => assert!(OpenError::from(error).is_tampering()),
        }
    }
    assert!(cut > 0 && all == published + 3, "{cut} {all} {published}");
}

/// Older files in place of newer ones, or none, are refused.
#[test]
fn rollback_and_forks_are_refused() {
    let (model, keys, published) = small();
    let last = recover::file_of(*recover::segments(&model).unwrap().last().unwrap());
    let refusal = |model: &Model| recover::open(opening(model, &keys)).err().unwrap();
    let gone = model.after_crash(|| true);
    gone.remove(&last).unwrap();
    assert!(matches!(
        refusal(&gone),
        RecoverError::RolledBack { signed, .. } if signed == published
    ));
    let anchored = model.after_crash(|| true);
    let root = Edge::default().root();
    let later = Checkpoint { origin: "log".into(), size: 1000, root };
    replace(&anchored, "anchors/1000", later.sign([&signer()]).as_bytes()).unwrap();
    let RecoverError::RolledBack { file, .. } = refusal(&anchored) else { panic!("refused") };
    assert_eq!(file, "anchors/1000");
    // A checkpoint of the same key over other entries.
    let forked = model.with(CHECKPOINT, |content| {
        let other = Checkpoint { origin: "log".into(), size: published, root };
        *content = other.sign([&signer()]).into_bytes();
    });
    assert!(matches!(refusal(&forked), RecoverError::Forked { .. }));
    let stranger = Signer::from_seed("log", &[8; 32]).unwrap();
    let unsigned = model.with(CHECKPOINT, |content| {
        let other = Checkpoint { origin: "log".into(), size: 0, root };
        *content = other.sign([&stranger]).into_bytes();
    });
    assert!(matches!(refusal(&unsigned), RecoverError::Checkpoint { .. }));
    // The whole journal by another key.
    let other = Opening { signer: stranger, ..opening(&model, &keys) };
    assert!(recover::open(other).is_err());
    for (path, fresh) in [("journal", true), (CHECKPOINT, false)] {
        let missing = model.after_crash(|| true);
        for name in missing.list("journal").unwrap().iter().filter(|_| fresh) {
            missing.remove(&format!("{path}/{name}")).unwrap();
        }
        if !fresh {
            missing.remove(path).unwrap();
        }
        refusal(&missing);
    }
}

/// Tiles are derived: damaged or gone they are made again, and never believed.
#[test]
fn damaged_tiles_are_made_again() {
    let (model, keys) = empty();
    let ledger = start(&model, &keys).unwrap();
    for _ in 0..3 {
        ledger.append_all(|first| (0..200).map(|n| entry(first + n, 10)).collect()).unwrap();
    }
    ledger.close().unwrap();
    let tiles: Vec<String> =
        model.paths().into_iter().filter(|path| path.starts_with("tile")).collect();
    assert!(tiles.contains(&"tile/0/001".to_owned()), "{tiles:?}");
    for tile in &tiles {
        let changed = model.with(tile, |content| content[5] ^= 1);
        assert!(!verify(&changed, None, &keys).unwrap().holds());
        let reader = crate::record::Reader::new(Arc::new(changed.clone()), keys.clone());
        let proof = reader.prove(300).expect("the journal has the last word");
        assert!(proof.verify(&entry(300, 10), &keys).is_ok());
        let gone = model.after_crash(|| true);
        gone.remove(tile).unwrap();
        assert!(!verify(&gone, None, &keys).unwrap().holds());
        for broken in [changed, gone] {
            let ledger = start(&broken, &keys).unwrap();
            ledger.append(|sequence| entry(sequence, 1)).unwrap();
            ledger.close().unwrap();
        }
    }
}

/// A tail made to look like thousands of checkpoints is refused at once.
#[test]
fn a_tail_of_look_alikes_is_refused() {
    let (model, keys, _) = small();
    let path = recover::file_of(*recover::segments(&model).unwrap().last().unwrap());
    let changed = model.with(&path, |content| {
        let end = content.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        // In a sector of its own, behind one that is missing, as a crash might leave it.
        content.resize(end.next_multiple_of(SECTOR) + SECTOR, 0);
        content.extend(b"SL\x02\0\0\0\x70\0".repeat(500_000));
    });
    let error = recover::open(opening(&changed, &keys)).err().unwrap();
    assert!(OpenError::from(error).is_tampering());
}
