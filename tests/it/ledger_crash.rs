//! The ledger under SIGKILL and under calls that fail: what was acknowledged is there afterwards,
//! what was half written is cut, and nothing else is different.
//!
//! A writer is this test binary started again. `SLUICE_LEDGER_FULL=1` runs many more rounds.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use sluicegate::record::merkle::{Hash, leaf_hash};
use sluicegate::record::verify::verify;
use sluicegate::record::{Cut, Growth, Ledger, Options, State};

/// Tells the writer its state directory and how many entries to append.
const DIRECTORY: &str = "SLUICE_TEST_LEDGER";
const COUNT: &str = "SLUICE_TEST_LEDGER_COUNT";

fn rounds(few: usize, many: usize) -> usize {
    if std::env::var_os("SLUICE_LEDGER_FULL").is_some() { many } else { few }
}

fn create(path: &Path) -> State {
    let mut seed = 0u8;
    State::create(path, "example.com/log", &mut |bytes| {
        seed += 1;
        bytes.fill(seed);
        Ok(())
    })
    .unwrap()
}

fn options() -> Options {
    // Segments end often, so that a death falls there as well.
    Options { growth: Growth { step: 1 << 16, segment: 3 << 16 }, ..Options::command() }
}

fn recovered(sequence: u64, cut: &Cut) -> Vec<u8> {
    format!(r#"{{"sequence":{sequence},"kind":"recovered","cut_bytes":{}}}"#, cut.bytes)
        .into_bytes()
}

/// Entries of many lengths, known from their number.
fn entry(sequence: u64, thread: u64) -> Vec<u8> {
    let pad = "x".repeat((sequence * 7919 + thread) as usize % 1500);
    format!(r#"{{"sequence":{sequence},"thread":{thread},"pad":"{pad}"}}"#).into_bytes()
}

/// Not a test: what the tests below start, and kill.
#[test]
#[ignore = "started by the other tests"]
fn writer() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let count: u64 = std::env::var(COUNT).unwrap().parse().unwrap();
    let Ok(state) = State::open(Path::new(&directory)) else { return };
    let Ok(ledger) = Ledger::open(&state, options(), recovered) else { return };
    let left = AtomicU64::new(count);
    thread::scope(|scope| {
        for number in 0..4 {
            let (left, ledger) = (&left, &ledger);
            scope.spawn(move || {
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                    .is_ok()
                {
                    let Ok(receipt) = ledger.append(|sequence| entry(sequence, number)) else {
                        return;
                    };
                    let line = format!(
                        "ack {} {}\n",
                        receipt.sequence,
                        data_encoding::HEXLOWER.encode(&receipt.leaf)
                    );
                    // One call, so that a line is there wholly or not at all.
                    let _ = std::io::stderr().write_all(line.as_bytes());
                }
            });
        }
    });
    let _ = ledger.close();
}

fn start(wrapper: &[String], directory: &Path, count: u64) -> Child {
    let own = std::env::current_exe().unwrap();
    let mut command = match wrapper {
        [] => Command::new(own),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(own);
            command
        }
    };
    command
        .args(["--exact", "ledger_crash::writer", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(COUNT, count.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The acknowledgements that the writer gave.
fn acknowledged(child: &mut Child, mut seen: impl FnMut()) -> BTreeMap<u64, Hash> {
    let mut all = BTreeMap::new();
    for line in BufReader::new(child.stderr.take().unwrap()).split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<&str> = line.split(' ').collect();
        if let ["ack", sequence, leaf] = words[..] {
            let leaf = data_encoding::HEXLOWER.decode(leaf.as_bytes()).unwrap();
            all.insert(sequence.parse().unwrap(), Hash::try_from(leaf).unwrap());
            seen();
        }
    }
    all
}

/// Opens the ledger after a death; whether something was cut.
fn reopen(state: &State, acknowledged: &BTreeMap<u64, Hash>) -> bool {
    let ledger = Ledger::open(state, options(), recovered).expect("a death is no reason to refuse");
    let cut = ledger.cut().is_some();
    let from = acknowledged.keys().next().copied().unwrap_or(0);
    let mut found = BTreeMap::new();
    ledger
        .reader()
        .entries(from, &mut |sequence, bytes| {
            found.insert(sequence, leaf_hash(bytes));
            ControlFlow::Continue(())
        })
        .unwrap();
    let lost: Vec<u64> = acknowledged
        .iter()
        .filter(|(sequence, leaf)| found.get(sequence) != Some(leaf))
        .map(|(sequence, _)| *sequence)
        .collect();
    assert_eq!(lost, Vec::<u64>::new(), "acknowledged and lost");
    ledger.close().unwrap();
    cut
}

fn holds(state: &State) -> u64 {
    let report = verify(&*state.files(), None, &state.vkeys().unwrap()).unwrap();
    assert_eq!((report.faults, report.unfinished), (Vec::<String>::new(), 0));
    assert!(report.tiles_checked && report.published == Some(report.size));
    report.entries
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let state = create(&folder.path().join("state"));
    let (mut acks, mut cuts) = (0, 0);
    for round in 0..rounds(8, 250) as u64 {
        let mut child = start(&[], state.path(), 1_000_000);
        let id = rustix::process::Pid::from_child(&child);
        // After the first acknowledgement, or before there is any.
        let wait = Duration::from_micros(round * 7919 % 60_000);
        let mut killer = (round % 8 == 7).then(|| thread::spawn(move || kill_after(id, wait)));
        let all = acknowledged(&mut child, || {
            killer.get_or_insert_with(|| thread::spawn(move || kill_after(id, wait)));
        });
        child.wait().unwrap();
        killer.unwrap().join().unwrap();
        acks += all.len();
        cuts += usize::from(reopen(&state, &all));
    }
    println!("{acks} acknowledged, {cuts} torn tails, {} entries, 0 lost", holds(&state));
    assert!(acks > 100);
}

fn kill_after(id: rustix::process::Pid, wait: Duration) {
    thread::sleep(wait);
    let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
}

/// Every call that the ledger makes fails once, or is the last one, at each of its first turns.
#[test]
fn nothing_acknowledged_is_lost_when_calls_fail() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("NOT RUN: strace is not installed, so no call was made to fail");
        return;
    }
    let turns = rounds(2, 16);
    let mut injected = 0;
    for call in ["pwrite64", "fdatasync", "fsync", "openat", "renameat", "fallocate", "unlinkat"] {
        for fault in ["error=EIO", "error=ENOSPC", "signal=SIGKILL"] {
            for turn in 0..turns {
                // The first `openat` calls are those of the loader. Turns are counted a thread.
                let turn = 1 + turn * if call == "openat" { 7 } else { 1 };
                let folder = tempfile::tempdir().unwrap();
                let state = create(&folder.path().join("state"));
                let trace = folder.path().join("trace");
                let wrapper = [
                    "strace".to_owned(),
                    "-f".to_owned(),
                    "-qq".to_owned(),
                    format!("-o{}", trace.display()),
                    format!("-etrace={call}"),
                    format!("-einject={call}:{fault}:when={turn}"),
                ];
                let mut child = start(&wrapper, state.path(), rounds(60, 150) as u64);
                let all = acknowledged(&mut child, || {});
                child.wait().unwrap();
                let trace = std::fs::read_to_string(&trace).unwrap_or_default();
                injected += usize::from(trace.contains("INJECTED") || trace.contains("SIGKILL"));
                reopen(&state, &all);
                holds(&state);
            }
        }
    }
    println!("{injected} faults injected, 0 lost");
    assert!(injected >= rounds(30, 120), "{injected} faults were injected");
}
