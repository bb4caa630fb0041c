//! Memory of open streams: what one costs that waits, and one that has taken text of each kind.
//! Fails where a stream grows with its payload or passes the ceiling.

#![expect(
    clippy::expect_used,
    reason = "a bench stops at the first thing that is not as it should be"
)]

#[expect(dead_code, reason = "the throughput bench needs the others")]
mod payloads;

use std::env;
use std::fs;
use std::process::Command;
use std::sync::Arc;

use sluicegate::engine::{Options, Stream};
use sluicegate::{RuleSet, Scanner};

/// Streams that are open at once.
const STREAMS: usize = 100;

/// Bytes that no stream may pass, whatever it has taken.
const CEILING: usize = 2 << 20;

fn main() {
    // Each figure is taken in a process of its own, since freed memory stays resident.
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [first, kind, length, findings] = &arguments[..]
        && first == "measure"
    {
        let number = |word: &str| word.parse().expect("a number");
        println!("{}", bytes_a_stream(kind, number(length), number(findings)));
        return;
    }
    println!("{:<34}{:>12}{:>12}", "bytes a stream after", "64 KiB", "1 MiB");
    for kind in ["nothing", "prose", "CSV", "JSON"] {
        // Findings are kept for the caller, so they are measured by themselves.
        let short = measure(kind, 64 << 10, 0);
        let long = measure(kind, 1 << 20, 0);
        println!("{kind:<34}{short:>12}{long:>12}");
        assert!(long <= CEILING, "{kind}: {long} bytes a stream, ceiling {CEILING}");
        assert!(long <= short + short / 2 + (64 << 10), "{kind}: memory follows the payload");
    }
    println!("{:<46}{:>12}", "CSV, 10,000 findings kept", measure("CSV", 1 << 20, 10_000));
}

fn measure(kind: &str, length: usize, findings: usize) -> usize {
    let program = env::current_exe().expect("this program has a path");
    let output = Command::new(program)
        .args(["measure", kind, &length.to_string(), &findings.to_string()])
        .output()
        .expect("this program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

/// Resident bytes that each of many streams adds.
fn bytes_a_stream(kind: &str, length: usize, max_findings: usize) -> usize {
    let payload = match kind {
        "prose" => (0..length >> 14).flat_map(|_| payloads::prompt(16 << 10).0).collect(),
        "CSV" => payloads::customers(length).0,
        "JSON" => payloads::records(length).0,
        _ => Vec::new(),
    };
    let rules = RuleSet::builtin().expect("the built-in rules load");
    let scanner = Scanner::new(Arc::new(rules), Options { max_findings, ..Options::default() });
    // What all streams share (automata, terms) is built by a first one, which stays open.
    let open = || {
        let mut stream = scanner.stream();
        payload.chunks(4096).for_each(|piece| _ = stream.push(piece));
        stream
    };
    let first = open();
    let before = resident();
    let streams: Vec<Stream> = (0..STREAMS).map(|_| open()).collect();
    let after = resident();
    drop((first, streams));
    after.saturating_sub(before) / STREAMS
}

/// Resident bytes of this process.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says");
    let words = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = words.and_then(|words| words.split_ascii_whitespace().next());
    kib.and_then(|kib| kib.parse::<usize>().ok()).expect("a number of KiB") << 10
}
