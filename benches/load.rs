//! Load on the daemon over its Unix socket: `cargo bench --bench load -- [MODE] [OPTIONS]`.
//!
//! `classify`, `decide` and `stream` send payloads over kept-alive connections and check each answer. With `--rate`
//! requests are due at fixed times whatever the answers do, and the time of each counts from when it was due: a daemon that
//! stalls is charged for all that should have come meanwhile. Without, each connection asks again as soon as it has its
//! answer: that is the maximum. `library` scans the same payloads in this process, `held` sends model output in small pieces
//! over WebSockets and says how much is held back. `suite`, the default, runs them all.
//!
//! A daemon of its own is started in `target/`, since a temporary folder may be in memory. No two payloads are
//! the same, unless `--repeat` says so. CPU seconds of the daemon and of this process are counted apart.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench stops at the first thing that is not as it should be"
)]

#[allow(dead_code, reason = "each bench uses some of them")]
mod payloads;
#[path = "../tests/it/wire.rs"]
mod wire;

use std::collections::VecDeque;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sluicegate::engine::Options;
use sluicegate::{RuleSet, Scanner};
use wire::socket::{BINARY, TEXT, frame, take};
use wire::{Wire, find, get, metric};

/// Payloads begin with this many letters that make them different.
const LETTERS: usize = 10;

/// How long answers may still come when no more requests are due.
const DRAIN: Duration = Duration::from_secs(10);

const REGISTER: &str = r#"version = 1
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

const FLOW: &str = r#"{"channel":"prompt","workflow":"support","destination":"https://model.example/","purpose":"support","format":"text"}"#;

/// Load on the daemon.
#[derive(Clone, Parser)]
struct Arguments {
    #[arg(value_enum, default_value_t = Mode::Suite)]
    mode: Mode,
    /// Bytes of a payload.
    #[arg(long, default_value_t = 4096)]
    size: usize,
    /// Connections; streams for `held`; threads for `library`.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Requests a second in all; without, as many as there are answers to.
    #[arg(long)]
    rate: Option<f64>,
    /// How long each figure is taken.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Threads that send.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// The same payload again and again.
    #[arg(long)]
    repeat: bool,
    /// What the daemon logs.
    #[arg(long, default_value = "info")]
    log_level: String,
    /// More text for its configuration.
    #[arg(long, default_value = "")]
    config: String,
    /// What `cargo bench` and .ci/full say; nothing here.
    #[arg(long, hide = true)]
    bench: bool,
    #[arg(long, hide = true)]
    warm_up_time: Option<f64>,
    #[arg(long, hide = true)]
    measurement_time: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    Suite,
    Classify,
    Decide,
    Stream,
    Library,
    Held,
}

fn main() {
    let arguments = Arguments::parse();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load of the machine before: {}", load.trim());
    let daemon = Daemon::start(&arguments);
    match arguments.mode {
        Mode::Suite => suite(&arguments, &daemon),
        Mode::Library => library(&arguments),
        Mode::Held => held(&arguments, &daemon),
        _ => drop(measure(&arguments, &daemon)),
    }
}

fn suite(arguments: &Arguments, daemon: &Daemon) {
    let mut ratios = Vec::new();
    for size in [1 << 10, 16 << 10, 1 << 20] {
        let with = |mode, connections, rate| Arguments {
            mode,
            size,
            connections,
            rate,
            ..arguments.clone()
        };
        for mode in [Mode::Classify, Mode::Decide, Mode::Stream] {
            for connections in [1, 16, 256] {
                let most = measure(&with(mode, connections, None), daemon);
                measure(&with(mode, connections, Some(most / 2.0)), daemon);
                if size == 1 << 20 && mode == Mode::Classify && connections == 16 {
                    ratios.push(most * size as f64 / 1e6);
                }
            }
        }
    }
    library(&Arguments { size: 1 << 20, connections: 2, ..arguments.clone() });
    println!("classify of 1 MiB payloads: {ratios:.0?} MB/s");
    for streams in [1, 100] {
        held(&Arguments { connections: streams, seconds: 20.0, ..arguments.clone() }, daemon);
    }
}

/// A payload, and how many e-mail addresses it holds.
fn payload(size: usize) -> (Vec<u8>, u64) {
    let (prompt, addresses) = payloads::prompt(size.saturating_sub(LETTERS + 2).max(64));
    let payload = [&[b'b'; LETTERS][..], b". ", &prompt].concat();
    let rules = Arc::new(RuleSet::builtin().expect("the built-in rules load"));
    let found = Scanner::new(rules, Options::default()).scan(&payload);
    // The last address may be cut.
    let (count, stated) = (found.findings.len() as u64, addresses);
    assert!(count == stated || count + 1 == stated, "{count} findings, {stated} addresses");
    (payload, count)
}

/// Letters that spell no word, for a number.
fn letters(mut number: u64, into: &mut [u8]) {
    for byte in into {
        *byte = b"bdgjklmprv"[(number % 10) as usize];
        number /= 10;
    }
}

/// Runs one load and prints its line. Requests a second.
fn measure(arguments: &Arguments, daemon: &Daemon) -> f64 {
    let (payload, findings) = payload(arguments.size);
    let route = match arguments.mode {
        Mode::Classify => "/v1/classify?format=text",
        Mode::Decide => "/v1/decide",
        _ => "/v1/stream",
    };
    let flow = [("Sluice-Flow", FLOW)];
    let headers: &[(&str, &str)] = if arguments.mode == Mode::Classify { &[] } else { &flow };
    let request = wire::post(route, headers, &payload);
    let plan = Plan {
        at: request.len() - payload.len(),
        request: request.into(),
        payload: payload.into(),
        findings,
        mode: arguments.mode,
        repeat: arguments.repeat,
        begin: Instant::now() + Duration::from_millis(200),
        time: Duration::from_secs_f64(arguments.seconds),
    };
    let threads = arguments.threads.clamp(1, arguments.connections);
    let (own, theirs) = (cpu("self"), cpu(&daemon.pid().to_string()));
    let all: Vec<Figures> = thread::scope(|scope| {
        let start = |number: usize| {
            let share = arguments.connections / threads
                + usize::from(number < arguments.connections % threads);
            let pace = arguments.rate.map(|rate| Pace {
                between: Duration::from_secs_f64(threads as f64 / rate),
                first: Duration::from_secs_f64(number as f64 / rate),
            });
            let (plan, socket) = (&plan, daemon.socket());
            scope.spawn(move || drive(plan, &socket, share, pace, number as u64 * 1_000_000_007))
        };
        let running: Vec<_> = (0..threads).map(start).collect();
        running.into_iter().map(|it| it.join().expect("a thread")).collect()
    });
    let (own, theirs) = (cpu("self") - own, cpu(&daemon.pid().to_string()) - theirs);
    let mut times: Vec<u64> = all.iter().flat_map(|it| it.times.iter().copied()).collect();
    times.sort_unstable();
    let wrong: u64 = all.iter().map(|it| it.wrong).sum();
    let unanswered: u64 = all.iter().map(|it| it.unanswered).sum();
    let took = all.iter().map(|it| it.took).max().unwrap_or_default().as_secs_f64();
    let rate = times.len() as f64 / took;
    let at = |share: f64| {
        let last = times.len().saturating_sub(1);
        let place = ((times.len() as f64 * share) as usize).min(last);
        times.get(place).map_or(f64::NAN, |it| *it as f64 / 1e6)
    };
    println!(
        "{:<9}{:>8} B x{:<4} {:<7}{:>9.0}/s {:>7.1} MB/s  p50 {:>8.3} p99 {:>8.3} p99.9 {:>8.3} max {:>8.3} ms  \
         wrong {wrong} unanswered {unanswered}  CPU s: daemon {:.2} generator {:.2} of {took:.1}",
        format!("{:?}", arguments.mode).to_lowercase(),
        arguments.size,
        arguments.connections,
        if arguments.rate.is_some() { "open" } else { "closed" },
        rate,
        rate * arguments.size as f64 / 1e6,
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        theirs,
        own,
    );
    if wrong > 0 {
        let example = all.iter().find_map(|it| it.example.as_ref());
        panic!("wrong answers: {}", example.map_or("", |it| it));
    }
    rate
}

struct Plan {
    request: Arc<[u8]>,
    payload: Arc<[u8]>,
    /// Where the letters stand in the request.
    at: usize,
    findings: u64,
    mode: Mode,
    repeat: bool,
    begin: Instant,
    time: Duration,
}

struct Pace {
    between: Duration,
    first: Duration,
}

#[derive(Default)]
struct Figures {
    /// Nanoseconds.
    times: Vec<u64>,
    wrong: u64,
    unanswered: u64,
    example: Option<String>,
    took: Duration,
}

struct Connection {
    stream: UnixStream,
    letters: [u8; LETTERS],
    sent: usize,
    buffer: Vec<u8>,
    due: Instant,
    busy: bool,
}

/// Sends over some connections until the time is over.
fn drive(plan: &Plan, socket: &Path, count: usize, pace: Option<Pace>, seed: u64) -> Figures {
    let connect = |_| {
        let stream = UnixStream::connect(socket).expect("the daemon listens");
        stream.set_nonblocking(true).expect("a socket");
        let (due, letters) = (plan.begin, [b'b'; LETTERS]);
        Connection { stream, letters, sent: 0, buffer: Vec::new(), due, busy: false }
    };
    let mut connections: Vec<Connection> = (0..count).map(connect).collect();
    let mut free: Vec<usize> = (0..count).collect();
    let mut waiting: VecDeque<Instant> = VecDeque::new();
    let mut figures = Figures::default();
    let end = plan.begin + plan.time;
    let mut next = pace.as_ref().map(|pace| plan.begin + pace.first);
    let mut number = seed + u64::from(std::process::id()) * 7_919;
    thread::sleep(plan.begin.saturating_duration_since(Instant::now()));
    loop {
        let now = Instant::now();
        while let (Some(due), Some(pace)) = (next, &pace) {
            if due > now || due >= end {
                break;
            }
            waiting.push_back(due);
            next = Some(due + pace.between);
        }
        while let Some(place) = free.pop() {
            let due = if pace.is_some() { waiting.pop_front() } else { Some(now) };
            let Some(due) = due.filter(|_| pace.is_some() || now < end) else {
                free.push(place);
                break;
            };
            let connection = &mut connections[place];
            number += u64::from(!plan.repeat);
            letters(number, &mut connection.letters);
            (connection.sent, connection.due, connection.busy) = (0, due, true);
            connection.send(plan);
        }
        let busy: Vec<usize> = (0..count).filter(|it| connections[*it].busy).collect();
        let over = now >= end && (pace.is_none() || waiting.is_empty());
        if over && busy.is_empty() || now >= end + DRAIN {
            figures.unanswered = (busy.len() + waiting.len()) as u64;
            break;
        }
        let rest = if now < end { end } else { end + DRAIN };
        let until = next.filter(|due| *due < end && !free.is_empty()).unwrap_or(rest);
        let wait = until.saturating_duration_since(now);
        let wait = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() };
        let mut polled: Vec<PollFd<'_>> =
            busy.iter().map(|it| connections[*it].poll(plan)).collect();
        poll(&mut polled, Some(&wait)).expect("poll");
        let ready: Vec<bool> = polled.iter().map(|it| !it.revents().is_empty()).collect();
        for (place, _) in busy.into_iter().zip(ready).filter(|(_, ready)| *ready) {
            let connection = &mut connections[place];
            connection.send(plan);
            if connection.read(plan, &mut figures) {
                free.push(place);
            }
        }
    }
    figures.took = Instant::now().saturating_duration_since(plan.begin);
    figures
}

impl Connection {
    fn poll(&self, plan: &Plan) -> PollFd<'_> {
        let sending = self.sent < plan.request.len();
        let flags = if sending { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        PollFd::new(&self.stream, flags)
    }

    /// Sends as much as is taken: up to the letters with them in place, then what is behind.
    fn send(&mut self, plan: &Plan) {
        let front = (plan.at + 4_096).min(plan.request.len());
        while self.sent < plan.request.len() {
            let written = if self.sent < front {
                let mut piece = plan.request[..front].to_vec();
                piece[plan.at..plan.at + LETTERS].copy_from_slice(&self.letters);
                self.stream.write(&piece[self.sent..])
            } else {
                self.stream.write(&plan.request[self.sent..])
            };
            match written {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("the daemon takes nothing: {error}"),
            }
        }
    }

    /// Reads what is there; whether the answer is whole.
    fn read(&mut self, plan: &Plan, figures: &mut Figures) -> bool {
        let mut piece = [0; 65_536];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => panic!("the daemon ended a connection"),
                Ok(length) => self.buffer.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("the daemon says nothing: {error}"),
            }
        }
        let Some(length) = wire::length(&self.buffer, false) else { return false };
        let took = Instant::now().saturating_duration_since(self.due).as_nanos() as u64;
        let answer = wire::parse(&self.buffer[..length], true);
        self.buffer.drain(..length);
        self.busy = false;
        let right = answer.as_ref().is_some_and(|it| self.is_right(plan, it));
        figures.times.push(took);
        if !right {
            figures.wrong += 1;
            figures.example =
                answer.map(|it| format!("{} {:?} {}", it.status, it.headers, it.text()));
        }
        true
    }

    fn is_right(&self, plan: &Plan, answer: &wire::Answer) -> bool {
        let decision = answer.part("decision").unwrap_or(&answer.body);
        let found = memchr::memmem::find_iter(decision, b"{\"rule\":").count() as u64;
        let whole = find(decision, br#""coverage":{"state":"complete""#).is_some();
        let effect = if plan.mode == Mode::Classify { None } else { Some("allow") };
        let released = match (plan.mode, answer.part("released")) {
            (Mode::Stream, Some(bytes)) => {
                // The letters are in place of the first bytes.
                bytes.len() == plan.payload.len()
                    && bytes[..LETTERS] == self.letters
                    && bytes[LETTERS..] == plan.payload[LETTERS..]
            }
            (mode, _) => mode != Mode::Stream,
        };
        answer.status == 200
            && found == plan.findings
            && whole
            && answer.effect() == effect
            && released
    }
}

/// The library alone on as many threads as there would be connections.
fn library(arguments: &Arguments) {
    let (payload, findings) = payload(arguments.size);
    let rules = Arc::new(RuleSet::builtin().expect("the built-in rules load"));
    let format = sluicegate::decode::Format::declared("text");
    let options = Options { format, fingerprint_key: Some([7; 32]), ..Options::default() };
    let scanner = Scanner::new(rules, options);
    let began = Instant::now();
    let time = Duration::from_secs_f64(arguments.seconds);
    let own = cpu("self");
    let scanned: u64 = thread::scope(|scope| {
        let start = |_| {
            scope.spawn(|| {
                let mut count = 0u64;
                while began.elapsed() < time {
                    assert_eq!(scanner.scan(&payload).findings.len() as u64, findings);
                    count += 1;
                }
                count
            })
        };
        let running: Vec<_> = (0..arguments.connections).map(start).collect();
        running.into_iter().map(|it| it.join().expect("a thread")).sum()
    });
    let took = began.elapsed().as_secs_f64();
    println!(
        "library  {:>8} B x{:<4} {:>9.0}/s {:>7.0} MB/s  CPU s {:.2} of {took:.1}",
        arguments.size,
        arguments.connections,
        scanned as f64 / took,
        scanned as f64 * arguments.size as f64 / took / 1e6,
        cpu("self") - own,
    );
}

/// Bytes that a model gives at a time, and how often.
const TOKEN: usize = 5;
const BETWEEN: Duration = Duration::from_millis(20);

struct Stream {
    wire: Wire,
    /// When each piece was sent.
    sent: Vec<Instant>,
    released: usize,
    next: Instant,
}

/// Streams of tokens: bytes that are held back, and for how long.
fn held(arguments: &Arguments, daemon: &Daemon) {
    let prose: Vec<u8> = PROSE.bytes().cycle().take(64 << 10).collect();
    let begin = Instant::now() + Duration::from_millis(500);
    let open = |number: usize| {
        let mut wire = Wire::open(&daemon.socket()).expect("a WebSocket");
        wire.send(&frame(TEXT, FLOW.as_bytes())).expect("it takes the flow");
        wire.stream.set_nonblocking(true).expect("a socket");
        let next = begin + BETWEEN * number as u32 / arguments.connections as u32;
        Stream { wire, sent: Vec::new(), released: 0, next }
    };
    let mut streams: Vec<Stream> = (0..arguments.connections).map(open).collect();
    let entries = metric(&daemon.socket(), "sluice_ledger_entries");
    let (written, theirs) = (daemon.written(), cpu(&daemon.pid().to_string()));
    let end = begin + Duration::from_secs_f64(arguments.seconds);
    let (mut bytes, mut times): (Vec<u64>, Vec<u64>) = Default::default();
    while Instant::now() < end {
        let now = Instant::now();
        for stream in streams.iter_mut().filter(|it| it.next <= now) {
            let at = stream.sent.len() * TOKEN % (prose.len() - TOKEN);
            stream.wire.send(&frame(BINARY, &prose[at..at + TOKEN])).expect("it takes a token");
            stream.sent.push(now);
            bytes.push((stream.sent.len() * TOKEN - stream.released) as u64);
            stream.next += BETWEEN;
        }
        let next = streams.iter().map(|it| it.next).min().unwrap_or(end).min(end);
        let wait = next.saturating_duration_since(Instant::now());
        let wait = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
        let of = |it| PollFd::new(it, PollFlags::IN);
        let mut polled: Vec<PollFd<'_>> = streams.iter().map(|it| of(&it.wire.stream)).collect();
        poll(&mut polled, Some(&wait)).expect("poll");
        let ready: Vec<bool> = polled.iter().map(|it| !it.revents().is_empty()).collect();
        for (stream, _) in streams.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            let _ = stream.wire.read();
            while let Some((kind, content)) = take(&mut stream.wire.buffer) {
                assert!(kind == BINARY || kind == TEXT && find(&content, b"findings").is_some());
                let released = if kind == BINARY { content.len() } else { 0 };
                for byte in stream.released..stream.released + released {
                    times.push(stream.sent[byte / TOKEN].elapsed().as_nanos() as u64);
                }
                stream.released += released;
            }
        }
    }
    let took = begin.elapsed().as_secs_f64();
    let theirs = cpu(&daemon.pid().to_string()) - theirs;
    let more = metric(&daemon.socket(), "sluice_ledger_entries") - entries;
    let written = daemon.written() - written;
    bytes.sort_unstable();
    times.sort_unstable();
    let at = |all: &[u64], share: f64| {
        let place = (all.len() as f64 * share) as usize;
        all.get(place.min(all.len().saturating_sub(1))).copied().unwrap_or(u64::MAX)
    };
    let spread = |all: &[u64], unit: f64| {
        let shares = [0.5, 0.9, 0.99, 1.0].map(|share| at(all, share) as f64 / unit);
        format!(
            "p50 {:.1} p90 {:.1} p99 {:.1} max {:.1}",
            shares[0], shares[1], shares[2], shares[3]
        )
    };
    println!("held, {} streams of {TOKEN} bytes every {BETWEEN:?} for {took:.0} s", streams.len());
    println!("  bytes held back: {}", spread(&bytes, 1.0));
    println!("  ms from sending to release: {}", spread(&times, 1e6));
    println!(
        "  {:.1} records/s, {:.0} bytes/s written, daemon's CPU {:.1} %",
        more as f64 / took,
        written as f64 / took,
        theirs / took * 100.0
    );
    for stream in &mut streams {
        stream.wire.stream.set_nonblocking(false).expect("a socket");
        stream.wire.send(&frame(TEXT, br#"{"end": true}"#)).expect("it takes the end");
        let said = stream.wire.said().expect("an end");
        let all = stream.released + said.released.len();
        assert_eq!((said.code, all), (Some(1000), stream.sent.len() * TOKEN), "all is released");
    }
}

const PROSE: &str = "The council met on the second evening of the month to hear what had become of the old \
    mill, and whether anybody would take it on. Several people spoke. One of them remembered how the wheel \
    used to be heard from the far side of the valley, long before the road was built, and said that a roof \
    alone would not bring it back. Others asked what a roof would cost. In the end they agreed to ask the \
    school whether it would like to have the place for a workshop, and to meet again when it had answered. ";

/// CPU seconds of a process so far (proc(5), `stat`).
fn cpu(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or("").split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|it| it.parse::<f64>().ok()).sum();
    ticks / 100.0
}

/// A daemon in a folder of its own.
struct Daemon {
    folder: tempfile::TempDir,
    child: Child,
}

impl Daemon {
    fn start(arguments: &Arguments) -> Daemon {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
        let folder = tempfile::tempdir_in(target).expect("a folder");
        let config = folder.path().join("sluice.toml");
        fs::write(&config, format!("{REGISTER}{}", arguments.config)).expect("a file");
        let child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["serve", "--init", "--log-level", &arguments.log_level])
            .arg("--state-dir")
            .arg(folder.path().join("state"))
            .arg("--socket")
            .arg(folder.path().join("run/s.sock"))
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).expect("a file"))
            .spawn()
            .expect("the daemon starts");
        let daemon = Daemon { folder, child };
        let until = Instant::now() + Duration::from_secs(30);
        while !wire::ask(&daemon.socket(), &get("/readyz")).is_ok_and(|it| it.status == 200) {
            let log = fs::read_to_string(daemon.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "it is not ready: {log}");
            thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("run/s.sock")
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Bytes that were handed to the disk (proc(5), `io`).
    fn written(&self) -> u64 {
        let io = fs::read_to_string(format!("/proc/{}/io", self.pid())).unwrap_or_default();
        let line = io.lines().find_map(|it| it.strip_prefix("write_bytes: "));
        line.and_then(|it| it.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
