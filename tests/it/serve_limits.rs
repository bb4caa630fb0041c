//! Each limit of the daemon is reached: status, effect, the limit in the body, the metric, the record.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::Daemon;
use crate::wire::socket::{BINARY, TEXT, frame};
use crate::wire::{Answer, Wire, ask, get, head, metric, post, post_chunked, refused};

/// Where ordinary prompts may go.
pub const REGISTER: &str = r#"version = 1
[[destination]]
id = "model"
trust = "internal"
url = ["https://model.example/"]
approved = ["pii.email"]
release = "prefix"
[[workflow]]
id = "support"
title = "Answers to customers"
owner = "Head of support"
purposes = ["support"]
approved = ["pii.email"]
destinations = ["model"]
[workflow.bind]
anyone = true
"#;

pub const FLOW: &str = r#"{"channel":"prompt","workflow":"support","destination":"https://model.example/","purpose":"support","format":"text"}"#;

fn daemon(limits: &str) -> Daemon {
    Daemon::start(Some(&format!("{REGISTER}[serve.limits]\n{limits}\n")))
}

fn with_flow() -> [(&'static str, &'static str); 1] {
    [("Sluice-Flow", FLOW)]
}

/// Waits for what comes a little later.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "it does not come about: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The entries of a ledger, asked by the command.
pub fn entries(state: &Path) -> Vec<Value> {
    let mut query = Command::new(env!("CARGO_BIN_EXE_sluice"));
    query.args(["ledger", "query", "--format", "json", "--state-dir"]).arg(state);
    let output = query.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// How many refusals for a limit are recorded.
pub fn recorded(state: &Path, limit: &str) -> u64 {
    let entries = entries(state);
    let of = entries.iter().filter(|it| it["kind"] == "refused" && it["limit"] == limit);
    of.map(|it| it["count"].as_u64().unwrap()).sum()
}

fn is_refused(answer: &Answer, status: u16, limit: &str) {
    assert_eq!(answer.status, status, "{limit}: {}", answer.text());
    assert_eq!(answer.effect(), Some("block"), "{limit}");
    let said = answer.json();
    assert_eq!((said["effect"].as_str(), said["limit"].as_str()), (Some("block"), Some(limit)));
    assert!(said["error"].as_str().is_some_and(|it| !it.is_empty()));
}

/// A decision that came to nothing: it is in the answer and in the ledger.
fn is_decided(daemon: &Daemon, answer: &Answer, status: u16, cause: &str) {
    assert_eq!((answer.status, answer.effect()), (status, Some("block")), "{}", answer.text());
    let said = answer.json();
    assert_eq!((said["effect"].as_str(), said["cause"].as_str()), (Some("block"), Some(cause)));
    let sequence = said["recorded"]["sequence"].as_u64().unwrap();
    let entries = entries(&daemon.state);
    let entry = entries.iter().find(|it| it["sequence"] == sequence).unwrap();
    assert_eq!((entry["effect"].as_str(), entry["cause"].as_str()), (Some("block"), Some(cause)));
}

/// Refused so often, by the metric and by the ledger.
fn is_counted(daemon: &Daemon, limit: &str, count: u64, in_ledger: u64) {
    until(limit, || refused(&daemon.socket, limit) == count);
    until(limit, || recorded(&daemon.state, limit) == in_ledger);
}

/// A stream over a WebSocket: the flow, frames with a pause before each, and no end.
fn frames(daemon: &Daemon, pieces: &[&[u8]], pause: Duration) -> crate::wire::socket::Said {
    let mut wire = Wire::open(&daemon.socket).unwrap();
    wire.send(&frame(TEXT, FLOW.as_bytes())).unwrap();
    for piece in pieces {
        thread::sleep(pause);
        if wire.send(&frame(BINARY, piece)).is_err() {
            break;
        }
    }
    wire.said().unwrap()
}

#[test]
fn payload_bytes() {
    let daemon = daemon("payload_bytes = 1000");
    let (fits, large) = ("a ".repeat(500), "a ".repeat(501));
    let (fits, large) = (fits.as_bytes(), large.as_bytes());
    assert_eq!(ask(&daemon.socket, &post("/v1/classify", &[], fits)).unwrap().status, 200);
    let answer = ask(&daemon.socket, &post("/v1/classify", &[], large)).unwrap();
    is_refused(&answer, 413, "payload_bytes");
    let chunked = post_chunked("/v1/classify", &[], &[&fits[..600], &fits[..600]]);
    is_refused(&ask(&daemon.socket, &chunked).unwrap(), 413, "payload_bytes");
    let answer = ask(&daemon.socket, &post("/v1/decide", &with_flow(), large)).unwrap();
    is_decided(&daemon, &answer, 413, "limit");
    let answer = ask(&daemon.socket, &post("/v1/stream", &with_flow(), large)).unwrap();
    is_decided(&daemon, &answer, 413, "limit");
    let said = frames(&daemon, &[fits, fits], Duration::ZERO);
    assert_eq!((said.code, said.decision["cause"].as_str()), (Some(1009), Some("limit")));
    is_counted(&daemon, "payload_bytes", 5, 2);
}

#[test]
fn header_bytes_and_what_is_no_request() {
    let daemon = daemon("header_bytes = 8192");
    // Past the limit, and so far past it that no route ever sees it.
    for size in [9_000, 40_000] {
        let pad = "x".repeat(size);
        let answer = ask(&daemon.socket, &post("/v1/classify", &[("Pad", &pad)], b"a")).unwrap();
        is_refused(&answer, 431, "header_bytes");
    }
    let many: Vec<(String, String)> = (0..100).map(|it| (format!("H{it}"), "x".into())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    is_refused(&ask(&daemon.socket, &head("GET", "/healthz", &many)).unwrap(), 431, "header_bytes");
    is_counted(&daemon, "header_bytes", 3, 3);
    let garbage: [&[u8]; 4] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nHost: sluice\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost : sluice\r\n\r\n",
        b"POST /v1/classify HTTP/1.1\r\nHost: s\r\nContent-Length: x\r\n\r\n",
    ];
    for text in garbage {
        is_refused(&ask(&daemon.socket, text).unwrap(), 400, "request");
    }
    // A request, and then something that is none, in one piece.
    let mut wire = Wire::connect(&daemon.socket).unwrap();
    let piped = [&post("/v1/classify", &[], b"hello")[..], b"no request\r\n\r\n"].concat();
    assert_eq!(wire.ask(&piped).unwrap().status, 200);
    is_refused(&wire.answer().unwrap(), 400, "request");
    assert!(wire.end().unwrap().is_empty(), "nothing follows");
    // A length and chunks: two readers could take it for two things.
    let smuggled = b"POST /v1/classify HTTP/1.1\r\nHost: s\r\nContent-Length: 4\r\n\
        Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: s\r\n\r\n";
    let mut wire = Wire::connect(&daemon.socket).unwrap();
    let first = wire.ask(smuggled).unwrap();
    assert!(first.status == 200 || first.effect() == Some("block"));
    is_counted(&daemon, "request", 5, 5);
}

#[test]
fn two_requests_in_one_piece_are_answered_in_their_order() {
    let daemon = daemon("");
    let mut wire = Wire::connect(&daemon.socket).unwrap();
    let texts = ["nothing here", "write to ann.lee@acme-corp.net"];
    let piped: Vec<u8> =
        texts.iter().flat_map(|it| post("/v1/classify", &[], it.as_bytes())).collect();
    wire.send(&piped).unwrap();
    for count in [0, 1] {
        let answer = wire.answer().unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["findings"].as_array().unwrap().len(), count);
    }
}

#[test]
fn connections_of_a_user_and_of_all() {
    let daemon = daemon("connections = 3\nconnections_per_uid = 2");
    // The connection that asked for the metric may take a moment to end.
    let open = || {
        (0..200).find_map(|_| {
            let mut wire = Wire::connect(&daemon.socket).unwrap();
            let opened = wire.ask(&get("/healthz")).is_ok_and(|answer| answer.status == 200);
            std::thread::sleep(std::time::Duration::from_millis(if opened { 0 } else { 20 }));
            opened.then_some(wire)
        })
    };
    until("earlier connections end", || metric(&daemon.socket, "sluice_connections") == 1);
    let (first, second) = (open().unwrap(), open().unwrap());
    let answer = Wire::connect(&daemon.socket).unwrap().answer().unwrap();
    is_refused(&answer, 429, "connections_per_uid");
    drop(first);
    until("the first has ended", || metric(&daemon.socket, "sluice_connections") == 2);
    // A WebSocket is a connection for as long as it is open.
    let socket = (0..200).find_map(|_| {
        let socket = Wire::open(&daemon.socket).ok();
        std::thread::sleep(std::time::Duration::from_millis(if socket.is_some() { 0 } else { 20 }));
        socket
    });
    let mut socket = socket.unwrap();
    socket.send(&frame(TEXT, FLOW.as_bytes())).unwrap();
    let answer = Wire::connect(&daemon.socket).unwrap().answer().unwrap();
    is_refused(&answer, 429, "connections_per_uid");
    drop((second, socket));
    until("both have ended", || metric(&daemon.socket, "sluice_connections") == 1);
    let (counted, seen) = (refused(&daemon.socket, "connections_per_uid"), 2);
    assert!(counted >= seen, "{counted} counted");
    until("recorded", || recorded(&daemon.state, "connections_per_uid") == counted);
}

#[test]
fn further_connections_wait_until_one_ends() {
    let daemon = daemon("connections = 2");
    until("earlier connections end", || metric(&daemon.socket, "sluice_connections") == 1);
    let open = || {
        let mut wire = Wire::connect(&daemon.socket).unwrap();
        assert_eq!(wire.ask(&get("/healthz")).unwrap().status, 200);
        wire
    };
    let (first, _second) = (open(), open());
    let mut third = Wire::connect(&daemon.socket).unwrap();
    third.send(&get("/healthz")).unwrap();
    third.stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(third.read().is_err(), "nobody has accepted it");
    third.stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    drop(first);
    assert_eq!(third.answer().unwrap().status, 200);
}

#[test]
fn queue() {
    let text = format!("{REGISTER}[serve]\nthreads = 1\n[serve.limits]\nqueue = 1\n");
    let daemon = Daemon::start(Some(&text));
    let payload = "Write to the team about what was promised. ".repeat(50_000);
    let ask = |number: usize| {
        let payload = format!("{number} {payload}");
        let answer = ask(&daemon.socket, &post("/v1/classify", &[], payload.as_bytes())).unwrap();
        if answer.status == 200 {
            return 0;
        }
        is_refused(&answer, 503, "queue");
        assert_eq!(answer.header("retry-after"), Some("1"));
        1
    };
    let refused = thread::scope(|scope| {
        let threads: Vec<_> = (0..12).map(|number| scope.spawn(move || ask(number))).collect();
        threads.into_iter().map(|it| it.join().unwrap()).sum::<u64>()
    });
    assert!((1..12).contains(&refused), "{refused} of 12 refused");
    is_counted(&daemon, "queue", refused, refused);
}

#[test]
fn a_body_that_trickles_is_ended_by_the_deadline() {
    let daemon = daemon("deadline_ms = 1500\nstream_deadline_ms = 1500\nidle_ms = 700");
    let trickle = |route: &str, flow: &[(&str, &str)]| {
        let mut wire = Wire::connect(&daemon.socket).unwrap();
        let sized = [flow, &[("Content-Length", "1000")]].concat();
        wire.send(&head("POST", route, &sized)).unwrap();
        let began = Instant::now();
        let mut writing = wire.stream.try_clone().unwrap();
        let sender = thread::spawn(move || {
            while std::io::Write::write_all(&mut writing, b"a").is_ok()
                && began.elapsed() < Duration::from_secs(30)
            {
                thread::sleep(Duration::from_millis(100));
            }
        });
        let answer = wire.answer().unwrap();
        assert!(began.elapsed() >= Duration::from_millis(1_400));
        drop(wire);
        (answer, sender)
    };
    thread::scope(|scope| {
        scope.spawn(|| is_refused(&trickle("/v1/classify", &[]).0, 504, "deadline_ms"));
        scope.spawn(|| {
            let (answer, _) = trickle("/v1/decide", &with_flow());
            is_decided(&daemon, &answer, 504, "deadline");
        });
        scope.spawn(|| {
            let (answer, _) = trickle("/v1/stream", &with_flow());
            // Where some of it was released already the answer was under way, and is broken off.
            let (status, broken) = (answer.status, !answer.whole);
            assert!(status == 504 || status == 200 && broken, "{status} {}", answer.text());
            assert!(answer.text().contains(r#""cause":"deadline""#));
        });
        scope.spawn(|| {
            let said = frames(&daemon, &[b"a ".as_slice(); 40], Duration::from_millis(100));
            assert_eq!(
                (said.code, said.decision["cause"].as_str()),
                (Some(1008), Some("deadline"))
            );
        });
    });
    is_counted(&daemon, "deadline_ms", 4, 1);
}

#[test]
fn nothing_that_comes_and_nothing_that_is_taken_is_idle() {
    let daemon = daemon("idle_ms = 400");
    let silent = |route: &str, flow: &[(&str, &str)]| {
        let mut wire = Wire::connect(&daemon.socket).unwrap();
        let sized = [flow, &[("Content-Length", "1000")]].concat();
        wire.send(&head("POST", route, &sized)).unwrap();
        wire.answer().unwrap()
    };
    is_refused(&silent("/v1/classify", &[]), 408, "idle_ms");
    is_decided(&daemon, &silent("/v1/decide", &with_flow()), 408, "deadline");
    is_decided(&daemon, &silent("/v1/stream", &with_flow()), 408, "deadline");
    let said = frames(&daemon, &[b"a "], Duration::ZERO);
    assert_eq!((said.code, said.decision["cause"].as_str()), (Some(1008), Some("deadline")));
    // Half a head, and a head that trickles: the time is that of the whole head.
    let mut half = Wire::connect(&daemon.socket).unwrap();
    half.send(b"GET /heal").unwrap();
    assert!(half.end().unwrap().is_empty());
    let mut slow = Wire::connect(&daemon.socket).unwrap();
    let began = Instant::now();
    while slow.send(b"a").is_ok() && began.elapsed() < Duration::from_secs(30) {
        thread::sleep(Duration::from_millis(100));
    }
    assert!(began.elapsed() < Duration::from_secs(20), "the head may trickle for ever");
    is_counted(&daemon, "idle_ms", 6, 3);
    // A connection that asks nothing is closed, and refused nothing.
    assert!(Wire::connect(&daemon.socket).unwrap().end().unwrap().is_empty());
    is_counted(&daemon, "idle_ms", 6, 3);
}

/// A WebSocket that takes nothing, not even the close, is closed all the same.
#[test]
fn who_takes_nothing_keeps_no_connection() {
    let daemon = daemon("idle_ms = 400");
    let mut wire = Wire::open(&daemon.socket).unwrap();
    wire.send(&frame(TEXT, FLOW.as_bytes())).unwrap();
    let prose = "Several people spoke, and in the end they agreed to meet again. ".repeat(1_000);
    let began = Instant::now();
    while wire.send(&frame(BINARY, prose.as_bytes())).is_ok() {
        assert!(began.elapsed() < Duration::from_secs(40), "it is read for ever");
    }
    until("it is closed", || metric(&daemon.socket, "sluice_connections") == 1);
}

#[test]
fn memory_bytes() {
    let daemon = daemon("memory_bytes = 1048576");
    let large = "a word and another ".repeat(100_000);
    let answer = ask(&daemon.socket, &post("/v1/classify", &[], large.as_bytes())).unwrap();
    is_refused(&answer, 503, "memory_bytes");
    let answer = ask(&daemon.socket, &post("/v1/decide", &with_flow(), large.as_bytes())).unwrap();
    is_decided(&daemon, &answer, 503, "limit");
    is_counted(&daemon, "memory_bytes", 2, 1);
    until("memory is given back", || metric(&daemon.socket, "sluice_memory_bytes") == 0);
    assert_eq!(ask(&daemon.socket, &post("/v1/classify", &[], b"a")).unwrap().status, 200);
}

#[test]
fn held_bytes() {
    let text = REGISTER.replace(r#"release = "prefix""#, r#"release = "whole""#);
    let daemon = Daemon::start(Some(&format!("{text}[serve.limits]\nheld_bytes = 65536\n")));
    let large = "a word and another ".repeat(5_000);
    let answer = ask(&daemon.socket, &post("/v1/stream", &with_flow(), large.as_bytes())).unwrap();
    is_decided(&daemon, &answer, 413, "limit");
    let said = frames(&daemon, &[large.as_bytes()], Duration::ZERO);
    assert_eq!((said.code, said.decision["cause"].as_str()), (Some(1009), Some("limit")));
    assert!(said.released.is_empty());
    is_counted(&daemon, "held_bytes", 2, 0);
}

#[test]
fn windows_per_second() {
    let daemon = daemon("windows_per_second = 1");
    let mut wire = Wire::open(&daemon.socket).unwrap();
    wire.send(&frame(TEXT, FLOW.as_bytes())).unwrap();
    let began = Instant::now();
    for _ in 0..100 {
        wire.send(&frame(BINARY, b"said, ")).unwrap();
        thread::sleep(Duration::from_millis(20));
    }
    wire.send(&frame(TEXT, br#"{"end": true}"#)).unwrap();
    let said = wire.said().unwrap();
    assert_eq!((said.code, said.released), (Some(1000), "said, ".repeat(100).into_bytes()));
    let (windows, seconds) =
        (metric(&daemon.socket, "sluice_stream_windows_total"), began.elapsed());
    assert!(windows >= 1 && windows <= 2 + seconds.as_secs(), "{windows} in {seconds:?}");
}

#[test]
fn batch_texts() {
    let daemon = daemon("batch_texts = 2");
    let batch = |count: usize| {
        let lines = "{\"id\": \"x\", \"text\": \"hello\"}\n".repeat(count);
        let headers = [("Content-Type", "application/jsonl")];
        ask(&daemon.socket, &post("/v1/classify", &headers, lines.as_bytes())).unwrap()
    };
    assert_eq!(batch(2).text().lines().count(), 2);
    is_refused(&batch(3), 413, "batch_texts");
    is_counted(&daemon, "batch_texts", 1, 1);
}

#[test]
fn cache_entries() {
    for (entries, hits) in [(0, 0), (10, 2)] {
        let daemon = daemon(&format!("cache_entries = {entries}"));
        let payload = b"Write to ann.lee@acme-corp.net about what was promised to her yesterday.";
        for _ in 0..3 {
            let answer = ask(&daemon.socket, &post("/v1/classify", &[], payload)).unwrap();
            assert_eq!(answer.json()["findings"].as_array().unwrap().len(), 1);
        }
        assert_eq!(metric(&daemon.socket, "sluice_cache_total{outcome=\"hit\"}"), hits);
    }
}

/// Those who are in go on, and others come in as soon as one goes.
#[test]
fn without_descriptors_accepting_rests() {
    let daemon = daemon("");
    let mut first = Wire::connect(&daemon.socket).unwrap();
    assert_eq!(first.ask(&get("/healthz")).unwrap().status, 200);
    let held = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count() as u64;
    let few = rustix::process::Rlimit { current: Some(held + 6), maximum: Some(held + 1_000) };
    let pid = rustix::process::Pid::from_raw(daemon.pid() as i32);
    rustix::process::prlimit(pid, rustix::process::Resource::Nofile, few).unwrap();
    let mut others: Vec<Wire> = Vec::new();
    for _ in 0..30 {
        others.push(Wire::connect(&daemon.socket).unwrap());
    }
    thread::sleep(Duration::from_millis(300));
    assert_eq!(first.ask(&get("/healthz")).unwrap().status, 200, "those who are in go on");
    drop(others);
    until("it accepts again", || {
        ask(&daemon.socket, &get("/healthz")).is_ok_and(|it| it.status == 200)
    });
    assert!(metric(&daemon.socket, "sluice_accept_errors_total") > 0);
    assert_eq!(first.ask(&post("/v1/classify", &[], b"a")).unwrap().status, 200);
}

#[test]
fn every_limit_has_a_test() {
    let read = include_str!("../../src/config/serve.rs");
    let keys: Vec<&str> = read
        .split("number(")
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
        .filter(|key| *key != "threads")
        .collect();
    assert!(keys.len() >= 13, "{keys:?}");
    for key in keys {
        assert!(include_str!("serve_limits.rs").contains(&format!("{key} = ")), "{key}");
    }
}

/// Who is refused while it still writes gets the answer all the same.
#[test]
fn an_answer_that_comes_early_is_not_lost() {
    use std::io::{Read, Write};
    let daemon =
        crate::daemon::Daemon::start(Some("version = 1\n[serve.limits]\npayload_bytes = 1000\n"));
    let body = vec![b'x'; 3 << 20];
    for (path, status) in [("/v1/classify", "413"), ("/v1/decide", "400"), ("/nowhere", "404")] {
        for _ in 0..10 {
            let mut stream = std::os::unix::net::UnixStream::connect(&daemon.socket).unwrap();
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&body).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
            assert!(answer.contains("sluice-effect: block"), "{answer}");
        }
    }
}

/// Streams whose clients are gone wait for a thread to be recorded. They are counted all the same.
#[test]
fn clients_that_go_away_leave_no_more_streams_than_may_be() {
    use std::io::Write;
    let daemon = daemon("connections_per_uid = 6\nconnections = 12");
    // The threads have something to do meanwhile.
    let busy = std::thread::spawn({
        let socket = daemon.socket.clone();
        let payload = "write to ann.lee@acme-corp.net, card 4111 1111 1111 1111\n".repeat(40_000);
        move || {
            let mut wire = Wire::connect(&socket).unwrap();
            wire.ask(&post("/v1/classify", &[], payload.as_bytes())).map(|it| it.status)
        }
    });
    let head = format!(
        "POST /v1/stream HTTP/1.1\r\nHost: x\r\nSluice-Flow: {FLOW}\r\nContent-Length: 9999\r\n\r\n"
    );
    let mut most = 0;
    for round in 0..300 {
        let mut stream = std::os::unix::net::UnixStream::connect(&daemon.socket).unwrap();
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&[b'x'; 3000]);
        drop(stream);
        if round % 20 == 0 {
            most = most.max(streams(&daemon.socket));
        }
    }
    assert!(most <= 6, "{most} streams at once");
    busy.join().unwrap().unwrap();
    until("all streams have ended", || streams(&daemon.socket) == 0);
}

/// Streams under way, as soon as one may ask.
fn streams(socket: &std::path::Path) -> u64 {
    (0..500)
        .find_map(|_| {
            let answer = Wire::connect(socket).ok()?.ask(&get("/metrics")).ok();
            let text = answer.filter(|it| it.status == 200).map(|it| String::from_utf8(it.body));
            let Some(Ok(text)) = text else {
                std::thread::sleep(std::time::Duration::from_millis(5));
                return None;
            };
            let line = text.lines().find(|line| line.starts_with("sluice_streams "))?;
            line.split(' ').nth(1)?.parse().ok()
        })
        .expect("the metrics")
}
