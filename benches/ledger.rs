//! Entries a second and the time until one is acknowledged, with 1 to 256 writers, beside the bare
//! sync rate of the disk, one sync an entry by as many writers, in the same run. Fails where group commit does not earn its place, or where
//! the log does not verify afterwards.

#![expect(
    clippy::expect_used,
    reason = "a bench stops at the first thing that is not as it should be"
)]

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sluicegate::record::verify::verify;
use sluicegate::record::{Ledger, Options, State};

/// Bytes of an entry, about what a decision has.
const ENTRY: usize = 656;

/// Bytes of the file for bare syncs.
const SPACE: usize = 8 << 20;

/// How long each figure is taken.
const TIME: Duration = Duration::from_secs(3);

/// Writers, and how many times the bare sync rate they have to reach together.
const WRITERS: [(usize, f64); 4] = [(1, 0.0), (16, 0.0), (64, 20.0), (256, 80.0)];

fn main() {
    // Beside the build, since a temporary folder may be in memory.
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let folder = tempfile::tempdir_in(target).expect("a folder");
    let mut failed = false;
    println!(
        "{:>8}{:>12}{:>10}{:>10}{:>12}{:>10}{:>10}{:>8}",
        "writers", "entries/s", "p50 ms", "p99 ms", "syncs/s", "p50 ms", "p99 ms", "times"
    );
    for (writers, least) in WRITERS {
        let bare = bare(folder.path(), writers);
        let path = folder.path().join(format!("state-{writers}"));
        let group = group(&path, writers);
        let times = group.rate / bare.rate;
        failed |= times < least;
        println!(
            "{writers:>8}{:>12.0}{:>10.2}{:>10.2}{:>12.0}{:>10.2}{:>10.2}{times:>8.1}{}",
            group.rate,
            group.p50,
            group.p99,
            bare.rate,
            bare.p50,
            bare.p99,
            if times < least { format!("  at least {least} is asked for") } else { String::new() }
        );
    }
    if failed {
        std::process::exit(1);
    }
}

/// Times in milliseconds.
struct Figures {
    count: u64,
    rate: f64,
    p50: f64,
    p99: f64,
}

fn figures(mut times: Vec<Duration>, took: Duration) -> Figures {
    times.sort();
    let at = |part: f64| {
        let place = ((times.len() - 1) as f64 * part) as usize;
        times.get(place).expect("something was timed").as_secs_f64() * 1000.0
    };
    let count = times.len() as u64;
    Figures { count, rate: times.len() as f64 / took.as_secs_f64(), p50: at(0.5), p99: at(0.99) }
}

/// One sync an entry, by as many writers in turn, into space that was allocated.
fn bare(folder: &Path, writers: usize) -> Figures {
    let file = File::create(folder.join("bare")).expect("a file");
    file.write_all_at(&vec![0; SPACE], 0).expect("space");
    file.sync_all().expect("a sync");
    let turn = Mutex::new((file, 0));
    let append = || {
        let mut turn = turn.lock().expect("a turn");
        let (file, offset) = &mut *turn;
        file.write_all_at(&[b'x'; ENTRY], *offset as u64).expect("a write");
        file.sync_data().expect("a sync");
        *offset = (*offset + ENTRY) % (SPACE - ENTRY);
    };
    closed_loop(writers, &append)
}

/// Writers that each append again once they are answered.
fn closed_loop(writers: usize, append: &(dyn Fn() + Sync)) -> Figures {
    let stop = AtomicBool::new(false);
    let began = Instant::now();
    let times: Vec<Duration> = thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|_| {
                scope.spawn(|| {
                    let mut times = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let start = Instant::now();
                        append();
                        times.push(start.elapsed());
                    }
                    times
                })
            })
            .collect();
        thread::sleep(TIME);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().expect("a writer")).collect()
    });
    figures(times, began.elapsed())
}

/// The same with the ledger, which is verified afterwards.
fn group(path: &Path, writers: usize) -> Figures {
    let mut seed = 0u8;
    let state = State::create(path, "bench.example/log", &mut |bytes| {
        seed += 1;
        bytes.fill(seed);
        Ok(())
    })
    .expect("a ledger");
    let ledger = Ledger::open(&state, Options::daemon(), |_, _| Vec::new()).expect("it opens");
    let figures = closed_loop(writers, &|| {
        ledger.append(entry).expect("it is appended");
    });
    ledger.close().expect("it closes");
    let keys = state.vkeys().expect("keys");
    let start = Instant::now();
    let report = verify(&*state.files(), None, &keys).expect("it is read");
    assert!(report.holds() && report.tiles_checked, "{:?}", report.faults);
    assert_eq!(report.entries, figures.count, "all that was acknowledged is there");
    println!(
        "{writers:>8} verified {} entries, {} checkpoints, {} tiles in {:.2} s",
        report.entries,
        report.checkpoints,
        report.tiles,
        start.elapsed().as_secs_f64()
    );
    figures
}

fn entry(sequence: u64) -> Vec<u8> {
    let mut entry = format!("{{\"v\":1,\"sequence\":{sequence},\"kind\":\"decision\",\"pad\":\"");
    while entry.len() < ENTRY - 2 {
        entry.push('x');
    }
    entry.push_str("\"}");
    black_box(entry.into_bytes())
}
