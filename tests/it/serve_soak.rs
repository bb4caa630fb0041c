//! Mixed load on a daemon for minutes, with clients that die, stall, send garbage, close half, exceed limits and open
//! connections for nothing, and a reload each second. At the end: each answer was right, what was acknowledged is in the
//! ledger, refusals were counted, memory stayed level, nothing panicked.
//!
//! `.ci/full soak_serve` runs it for `SLUICE_SOAK_MINUTES` (10).

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::daemon::Daemon;
use crate::serve_limits::{FLOW, REGISTER};
use crate::wire::socket::{BINARY, TEXT, frame};
use crate::wire::{Answer, Wire, ask, find, get, head, metric, post};

const SETTINGS: &str = r#"
[[rule]]
id = "no-numbers"
when = { category = "pii.phone" }
effect = "redact"
reason = "Nobody needs to be called."
[serve.limits]
payload_bytes = 262144
header_bytes = 8192
connections_per_uid = 60
deadline_ms = 3000
stream_deadline_ms = 3000
idle_ms = 1500
batch_texts = 50
cache_entries = 1000
"#;

/// A piece of text, the effect of a payload with it, how many findings it adds, and what may not be released.
const TEXTS: [(&str, &str, usize, &str); 5] = [
    ("Thank her for the patience she has shown.", "allow", 0, ""),
    ("Write to ann.lee@acme-corp.net about it.", "allow", 1, ""),
    ("Call her at +1 212 456 7890 today.", "redact", 1, "456 7890"),
    ("The key is sk_live_4eC39HqLyjWDarjtT1zdp7dc now.", "block", 1, "4eC39HqLyjWD"),
    ("Her social security number is 536-22-1234 there.", "escalate", 1, "536-22-1234"),
];

const PROSE: &str = "The council met on the second evening of the month to hear what had become of the old mill, \
    and whether anybody would take it on. Several people spoke, and in the end they agreed to meet again. ";

/// What all clients add to.
#[derive(Default)]
struct Tally {
    answers: AtomicU64,
    /// Streams that a slow machine did not bring to their end.
    late: AtomicU64,
    /// Refusals that clients saw, by limit.
    refused: Mutex<BTreeMap<String, u64>>,
    /// Effects that were acknowledged, by the number of their entry.
    acknowledged: Mutex<BTreeMap<u64, String>>,
    reloads: AtomicU64,
    bad_reloads: AtomicU64,
}

impl Tally {
    /// Takes a refusal; it has to say what it is.
    fn refused(&self, answer: &Answer) {
        let said = answer.json();
        assert_eq!(answer.effect(), Some("block"), "{} {}", answer.status, answer.text());
        assert_eq!(said["effect"], "block", "{} {}", answer.status, answer.text());
        let limit = match (said["limit"].as_str(), answer.status) {
            (Some(limit), _) => limit.to_owned(),
            // A decision that came to nothing.
            (None, 413) => "payload_bytes".to_owned(),
            (None, 408) => "idle_ms".to_owned(),
            (None, 504) => "deadline_ms".to_owned(),
            (None, 503) => "memory_bytes".to_owned(),
            (None, status) => panic!("{status} {}", answer.text()),
        };
        *self.refused.lock().unwrap().entry(limit).or_default() += 1;
        self.acknowledge(&said);
    }

    fn acknowledge(&self, decision: &Value) {
        let Some(sequence) = decision["recorded"]["sequence"].as_u64() else { return };
        let effect = decision["effect"].as_str().unwrap().to_owned();
        let before = self.acknowledged.lock().unwrap().insert(sequence, effect);
        assert_eq!(before, None, "two answers name entry {sequence}");
    }
}

/// Xorshift (Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// A payload, its effect, its findings, and what may not be released of it.
struct Payload {
    bytes: Vec<u8>,
    effect: &'static str,
    findings: usize,
    secret: &'static str,
}

fn payload(numbers: &mut Numbers) -> Payload {
    let (text, effect, findings, secret) = TEXTS[numbers.below(TEXTS.len())];
    let lines = [0, 1, 5, 40, 300][numbers.below(5)];
    let mut bytes = PROSE.repeat(numbers.below(lines + 1)).into_bytes();
    // An escalation is kept for each payload, so those are the same again and again.
    if effect != "escalate" {
        let letters = |_| b"bdgjklmprv"[numbers.below(10)];
        bytes.extend((0..8).map(letters));
        bytes.extend(b". ");
    } else {
        bytes.clear();
    }
    bytes.extend(text.bytes());
    bytes.extend(b" ");
    bytes.extend(PROSE.bytes());
    Payload { bytes, effect, findings, secret }
}

fn pieces<'a>(bytes: &'a [u8], numbers: &mut Numbers) -> Vec<&'a [u8]> {
    let most = [3, 50, 4_000, 100_000][numbers.below(4)];
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = if pieces.len() > 60 { rest.len() } else { 1 + numbers.below(most) };
        let (piece, left) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = left;
    }
    pieces
}

/// A connection that is kept, and made anew where it was closed.
struct Kept<'a> {
    socket: &'a Path,
    wire: Option<Wire>,
}

impl Kept<'_> {
    /// The answer; none where the connection was closed for idling, or turned away.
    fn ask(&mut self, request: &[u8], tally: &Tally) -> Option<Answer> {
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => Wire::connect(self.socket).unwrap(),
        };
        let answer = wire.ask(request).ok()?;
        tally.answers.fetch_add(1, Ordering::Relaxed);
        if answer.status >= 400 {
            tally.refused(&answer);
            return None;
        }
        if answer.whole && answer.header("connection") != Some("close") {
            self.wire = Some(wire);
        }
        Some(answer)
    }
}

fn classify(kept: &mut Kept<'_>, numbers: &mut Numbers, tally: &Tally) {
    let payload = payload(numbers);
    let request = post("/v1/classify?format=text", &[], &payload.bytes);
    let Some(answer) = kept.ask(&request, tally) else { return };
    let said = answer.json();
    assert_eq!(said["findings"].as_array().map(Vec::len), Some(payload.findings), "{said}");
    assert_eq!(said["label"]["coverage"]["state"], "complete");
    assert_eq!(find(&answer.body, payload.secret.as_bytes()).is_some(), payload.secret.is_empty());
}

fn batch(kept: &mut Kept<'_>, numbers: &mut Numbers, tally: &Tally) {
    let payloads: Vec<Payload> = (0..1 + numbers.below(20)).map(|_| payload(numbers)).collect();
    let mut lines = String::new();
    for (number, payload) in payloads.iter().enumerate() {
        let text = String::from_utf8(payload.bytes.clone()).unwrap();
        lines.push_str(&serde_json::json!({"id": number, "text": text}).to_string());
        lines.push('\n');
    }
    let headers = [("Content-Type", "application/jsonl")];
    let Some(answer) =
        kept.ask(&post("/v1/classify?format=text", &headers, lines.as_bytes()), tally)
    else {
        return;
    };
    let text = answer.text();
    let said: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(said.len(), payloads.len());
    for ((number, payload), said) in payloads.iter().enumerate().zip(said) {
        assert_eq!(said["id"], number);
        assert_eq!(said["findings"].as_array().map(Vec::len), Some(payload.findings), "{said}");
    }
}

fn is_right(answer: &Answer, payload: &Payload, tally: &Tally) {
    let said = answer.json();
    assert_eq!(said["effect"], payload.effect, "{}", answer.text());
    if answer.whole {
        assert_eq!(answer.effect(), Some(payload.effect));
    }
    assert_eq!(said["findings"].as_array().map(Vec::len), Some(payload.findings), "{said}");
    let released = answer.part("released");
    is_released(released.unwrap_or_default(), payload, released.is_some() && answer.whole);
    tally.acknowledge(&said);
}

fn is_released(released: &[u8], payload: &Payload, whole: bool) {
    assert!(payload.secret.is_empty() || find(released, payload.secret.as_bytes()).is_none());
    match payload.effect {
        "allow" if whole => assert!(released == payload.bytes, "another payload came back"),
        "redact" if whole => assert!(released.starts_with(&payload.bytes[..4])),
        _ => assert!(payload.effect == "redact" || payload.bytes.starts_with(released)),
    }
}

fn decide(kept: &mut Kept<'_>, numbers: &mut Numbers, tally: &Tally) {
    let payload = payload(numbers);
    let request = post("/v1/decide", &[("Sluice-Flow", FLOW)], &payload.bytes);
    if let Some(answer) = kept.ask(&request, tally) {
        is_right(&answer, &payload, tally);
    }
}

fn stream(kept: &mut Kept<'_>, numbers: &mut Numbers, tally: &Tally) {
    let payload = payload(numbers);
    let flow = [("Sluice-Flow", FLOW)];
    let request = match numbers.below(2) {
        0 => post("/v1/stream", &flow, &payload.bytes),
        _ => crate::wire::post_chunked("/v1/stream", &flow, &pieces(&payload.bytes, numbers)),
    };
    if let Some(answer) = kept.ask(&request, tally) {
        is_right(&answer, &payload, tally);
    }
}

fn duplex(socket: &Path, numbers: &mut Numbers, tally: &Tally) {
    let payload = payload(numbers);
    let Ok(mut wire) = Wire::open(socket) else { return };
    let mut sent = wire.send(&frame(TEXT, FLOW.as_bytes())).is_ok();
    for piece in pieces(&payload.bytes, numbers) {
        sent = sent && wire.send(&frame(BINARY, piece)).is_ok();
        if numbers.below(10) == 0 {
            thread::sleep(Duration::from_millis(numbers.below(20) as u64));
        }
    }
    let _ = wire.send(&frame(TEXT, br#"{"end": true}"#));
    let said = wire.said().unwrap();
    tally.answers.fetch_add(1, Ordering::Relaxed);
    if said.decision.is_null() || said.decision["cause"] == "deadline" {
        // The machine was too slow for the deadline, or for the close.
        tally.late.fetch_add(1, Ordering::Relaxed);
        tally.acknowledge(&said.decision);
        return assert!(said.code != Some(1000), "{said:?}");
    }
    assert_eq!(said.decision["effect"], payload.effect, "{said:?}");
    let passes = matches!(payload.effect, "allow" | "redact");
    assert_eq!(said.code, Some(if passes { 1000 } else { 1008 }), "{:?}", said.decision);
    is_released(&said.released, &payload, passes);
    tally.acknowledge(&said.decision);
}

/// Does one thing that no client should do.
fn misbehave(socket: &Path, numbers: &mut Numbers, tally: &Tally) {
    let flow = [("Sluice-Flow", FLOW)];
    let sized = [("Sluice-Flow", FLOW), ("Content-Length", "5000")];
    let route = ["/v1/classify", "/v1/decide", "/v1/stream"][numbers.below(3)];
    let Ok(mut wire) = Wire::connect(socket) else { return };
    let seen = |answer: std::io::Result<Answer>| {
        if let Ok(answer) = answer {
            assert!(answer.status >= 400, "{} {}", answer.status, answer.text());
            tally.refused(&answer);
        }
    };
    match numbers.below(11) {
        // It dies in the middle of the head, the body, an answer, a stream.
        0 => drop(wire.send(&head("POST", route, &sized)[..20])),
        1 => drop(wire.send(&[&head("POST", route, &sized)[..], b"half of it"].concat())),
        2 => drop(wire.send(&post(route, &flow, PROSE.repeat(100).as_bytes()))),
        3 => {
            let Ok(mut wire) = Wire::open(socket) else { return };
            let _ = wire.send(&frame(TEXT, FLOW.as_bytes()));
            let _ = wire.send(&frame(BINARY, PROSE.as_bytes()));
        }
        // It stalls, or trickles.
        4 => {
            let _ = wire.send(&[&head("POST", route, &sized)[..], b"half of it"].concat());
            seen(wire.answer().map(|answer| settled(answer, tally)).and_then(refusal));
        }
        5 => {
            let _ = wire.send(&head("POST", "/v1/decide", &sized));
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(4) && wire.send(b"a").is_ok() {
                thread::sleep(Duration::from_millis(100));
            }
            seen(wire.answer());
        }
        // Garbage.
        6 => {
            let mut garbage: Vec<u8> = (0..200).map(|_| numbers.below(256) as u8).collect();
            garbage.extend(b"\r\n\r\n");
            seen(wire.ask(&garbage));
        }
        7 => {
            let Ok(mut wire) = Wire::open(socket) else { return };
            let _ = wire.send(&frame(TEXT, b"{\"channel\":"));
            let said = wire.said().unwrap();
            assert!(said.code != Some(1000) && said.released.is_empty());
        }
        // It closes its half, and still gets its answer.
        8 => {
            let payload = payload(numbers);
            let _ = wire.send(&post("/v1/decide", &flow, &payload.bytes));
            let _ = wire.stream.shutdown(Shutdown::Write);
            match wire.answer() {
                Ok(answer) if answer.status == 200 => is_right(&answer, &payload, tally),
                other => seen(other),
            }
        }
        // It exceeds a limit.
        9 => {
            let large = PROSE.repeat(2_000);
            let pad = "x".repeat([9_000, 40_000][numbers.below(2)]);
            let batch = "{\"id\": 1, \"text\": \"a\"}\n".repeat(51);
            seen(wire.ask(&match numbers.below(3) {
                0 => {
                    post(["/v1/classify", "/v1/decide"][numbers.below(2)], &flow, large.as_bytes())
                }
                1 => post(route, &[("Pad", &pad)], b"a"),
                _ => {
                    let kind = [("Content-Type", "application/jsonl")];
                    post("/v1/classify", &kind, batch.as_bytes())
                }
            }));
        }
        // A hundred connections for nothing; some are turned away.
        _ => {
            let idle: Vec<Wire> = (0..100).filter_map(|_| Wire::connect(socket).ok()).collect();
            for mut wire in idle {
                if let Ok(answer) = wire.answer() {
                    seen(Ok(answer));
                }
            }
        }
    }
    let _ = wire.stream.flush();
}

/// A stream that stalls may have released something before: it is broken off, and says why.
fn settled(answer: Answer, tally: &Tally) -> Answer {
    if answer.status == 200 {
        assert!(!answer.whole && answer.text().contains(r#""cause":"deadline""#), "{answer:?}");
        tally.acknowledge(&answer.json());
    }
    answer
}

fn refusal(answer: Answer) -> std::io::Result<Answer> {
    if answer.status == 200 { Err(std::io::ErrorKind::Other.into()) } else { Ok(answer) }
}

/// Reloads each second: one register, the other, now and then one that does not hold.
fn reload(daemon: &Daemon, tally: &Tally, end: Instant) {
    let file = daemon.folder.path().join("sluice.toml");
    for turn in 0u64.. {
        let text = match turn % 7 {
            6 => format!("{REGISTER}[[destination]]\nid = 7\n"),
            odd if odd % 2 == 1 => format!("{REGISTER}{SETTINGS}"),
            _ => format!("# The other.\n{REGISTER}{SETTINGS}"),
        };
        let new = file.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(&new, &file).unwrap();
        let is_bad = turn % 7 == 6;
        let counted = if is_bad { &tally.bad_reloads } else { &tally.reloads };
        if turn % 3 == 0 {
            let pid = Pid::from_raw(daemon.pid() as i32).unwrap();
            kill_process(pid, Signal::HUP).unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
        } else {
            match ask(&daemon.socket, &post("/v1/reload", &[], b"")) {
                Ok(answer) if answer.status == 429 => tally.refused(&answer),
                Ok(answer) => {
                    assert_eq!(answer.status, if is_bad { 422 } else { 200 }, "{}", answer.text());
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => panic!("no answer to a reload: {error}"),
            }
        }
        // The signal is taken before the file changes again.
        thread::sleep(Duration::from_secs(1));
        if Instant::now() >= end {
            return;
        }
    }
}

/// Resident bytes of a process (proc(5), `status`).
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|it| it.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) << 10
}

fn median(figures: &[u64]) -> u64 {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// Does something again and again, from a seed, until the time is over.
fn again(end: Instant, pause: u64, seed: u64, mut work: impl FnMut(&mut Numbers)) {
    let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    while Instant::now() < end {
        work(&mut numbers);
        thread::sleep(Duration::from_millis(numbers.below(pause as usize + 1) as u64));
    }
}

#[test]
#[ignore = "takes minutes; .ci/full runs it"]
fn mixed_load_for_minutes() {
    let minutes = std::env::var("SLUICE_SOAK_MINUTES").map_or(10.0, |it| it.parse().unwrap());
    let mut daemon = Daemon::start(Some(&format!("{REGISTER}{SETTINGS}")));
    let (tally, socket): (Tally, PathBuf) = (Tally::default(), daemon.socket.clone());
    let began = Instant::now();
    let end = began + Duration::from_secs_f64(minutes * 60.0);
    let mut memory = Vec::new();
    thread::scope(|scope| {
        let (tally, daemon, socket) = (&tally, &daemon, socket.as_path());
        type Client = fn(&mut Kept<'_>, &mut Numbers, &Tally);
        let clients: [Client; 8] =
            [classify, classify, batch, decide, decide, decide, stream, stream];
        for (seed, client) in (1..).zip(clients) {
            let mut kept = Kept { socket, wire: None };
            scope.spawn(move || again(end, 8, seed, |numbers| client(&mut kept, numbers, tally)));
        }
        for seed in 20..22 {
            scope.spawn(move || again(end, 20, seed, |numbers| duplex(socket, numbers, tally)));
        }
        for seed in 40..44 {
            scope.spawn(move || again(end, 200, seed, |numbers| misbehave(socket, numbers, tally)));
        }
        scope.spawn(move || reload(daemon, tally, end));
        while Instant::now() < end {
            memory.push(resident(daemon.pid()));
            thread::sleep(Duration::from_secs(1));
        }
    });
    let again = Instant::now() + Duration::from_secs(30);
    while metric(&socket, "sluice_connections") != 1 && Instant::now() < again {
        thread::sleep(Duration::from_millis(100));
    }
    let metrics = ask(&socket, &get("/metrics")).unwrap().text();
    let count = |name: String| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.map_or(0, |it| it.trim().parse::<u64>().unwrap())
    };
    let counted = |limit: &str| count(format!("sluice_refused_total{{limit=\"{limit}\"}}"));
    let of = |outcome: &str| count(format!("sluice_reloads_total{{outcome=\"{outcome}\"}}"));
    let seen = tally.refused.lock().unwrap().clone();
    let acknowledged = tally.acknowledged.lock().unwrap().clone();
    println!(
        "{} answers, {} acknowledged",
        tally.answers.load(Ordering::Relaxed),
        acknowledged.len()
    );
    println!("{} streams late", tally.late.load(Ordering::Relaxed));
    for (limit, seen) in &seen {
        println!("  {limit}: {seen} seen, {} counted", counted(limit));
    }
    // The second minute, or as far into a short run.
    let minute = (memory.len() / 5).clamp(1, 60);
    let early = median(&memory[minute..(2 * minute).min(memory.len())]);
    let late = median(&memory[memory.len() - minute..]);
    let medians: Vec<u64> = memory.chunks(minute).map(|it| median(it) >> 20).collect();
    println!(
        "resident: {} MiB early, {} MiB late, by {minute} s {medians:?}",
        early >> 20,
        late >> 20
    );
    assert_eq!((count("sluice_connections".into()), count("sluice_streams".into())), (1, 0));
    assert_eq!(count("sluice_memory_bytes".into()), 0, "memory is given back");
    // What is seen by whoever was refused, each time, is counted exactly; others die before they see it.
    for limit in ["payload_bytes", "header_bytes", "batch_texts", "queue"] {
        assert_eq!(counted(limit), seen.get(limit).copied().unwrap_or(0), "{limit}");
    }
    for (limit, seen) in &seen {
        assert!(counted(limit) >= *seen, "{limit}: {seen} seen, {} counted", counted(limit));
    }
    let reloads = (of("ok"), of("failed"));
    let asked = [&tally.reloads, &tally.bad_reloads].map(|it| it.load(Ordering::Relaxed));
    println!("reloads {reloads:?}");
    assert_eq!(reloads, (asked[0], asked[1]));
    assert!(daemon.stop(), "it ends well");
    let log = daemon.log();
    assert!(!log.contains("panicked") && !log.contains("internal error"), "{log}");
    let mut query = Command::new(env!("CARGO_BIN_EXE_sluice"));
    query.args(["ledger", "query", "--format", "json", "--state-dir"]).arg(&daemon.state);
    let output = query.output().unwrap();
    let mut kept = BTreeMap::new();
    for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let entry: Value = serde_json::from_slice(line).unwrap();
        let effect = entry["effect"].as_str().unwrap_or_default().to_owned();
        kept.insert(entry["sequence"].as_u64().unwrap(), effect);
    }
    let lost: Vec<_> =
        acknowledged.iter().filter(|(it, effect)| kept.get(it) != Some(effect)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let mut verify = Command::new(env!("CARGO_BIN_EXE_sluice"));
    verify.args(["ledger", "verify", "--state-dir"]).arg(&daemon.state);
    assert!(verify.output().unwrap().status.success(), "the ledger verifies");
    println!("{} entries in the ledger, 0 lost", kept.len());
    assert!(late <= early + early / 5 + (16 << 20), "memory grows: {memory:?}");
}
