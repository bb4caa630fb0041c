//! What the fuzz target `request` checks: bytes of one connection to a daemon that runs in this process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use sluicegate::Scanner;
use sluicegate::config::{self, Origin};
use sluicegate::engine::Options;
use sluicegate::record::frame::{self, Kind};
use sluicegate::record::pending::Pending;
use sluicegate::record::vault::Vaults;
use sluicegate::record::{Growth, Ledger, Macs, State, journal};
use sluicegate::rules::Source;
use sluicegate::serve::peer::{Executables, Tokens};
use sluicegate::serve::socket::Notifier;
use sluicegate::serve::{self, Loaded, Parts};

use crate::fuzz_bodies::unescape;
use crate::support::{rules, scanner_with};
use crate::wire::{Answer, Wire, get, socket};

/// A card number that seeds hold everywhere: in payloads, headers, names and claims.
const CANARY: &str = "4556737586899855";

/// How long an answer may take; longer than every limit of [`REGISTER`].
const PATIENCE: Duration = Duration::from_secs(20);

/// Short limits, so that short inputs reach them, and all endpoints.
const REGISTER: &str = r#"version = 1
[serve]
presidio = true
[serve.litellm]
workflow = "chat"
destination = "model"
response_destination = "people"
purpose = "support"
rewrite_responses = true
[serve.limits]
payload_bytes = 4096
header_bytes = 8192
deadline_ms = 5000
stream_deadline_ms = 5000
idle_ms = 2000
held_bytes = 65536
windows_per_second = 1000
batch_texts = 8
cache_entries = 64
[[destination]]
id = "model"
trust = "external"
url = ["https://api.model.example/v1"]
[[destination]]
id = "people"
trust = "internal"
[[workflow]]
id = "chat"
owner = "anna"
purposes = ["support"]
destinations = ["model", "people"]
[workflow.bind]
anyone = true
[[rule]]
id = "addresses-stay"
when = { category = ["pii.email"], destination = ["model"] }
effect = "redact"
reason = "No address leaves."
[[rule]]
id = "cards-are-tokens"
when = { class = ["pci"], destination = ["people"] }
effect = "redact"
transform = "tokenize"
reason = "People see tokens."
[[rule]]
id = "a-person-looks"
when = { class = ["phi"] }
effect = "escalate"
reason = "A person looks first."
"#;

/// One connection: what comes back is whole, says block or was recorded before, and what was sent
/// is in no log line and no entry.
pub fn request(data: &[u8]) {
    static DAEMON: OnceLock<Mutex<Daemon>> = OnceLock::new();
    let daemon = DAEMON.get_or_init(|| Mutex::new(Daemon::start()));
    let mut daemon = daemon.lock().unwrap_or_else(PoisonError::into_inner);
    let back = daemon.exchange(data);
    let ready = daemon.exchange(&get("/readyz"));
    assert!(ready.starts_with(b"HTTP/1.1 200 "), "it is ready: {ready:?}");
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "no panic");
    let entries = daemon.new_entries();
    // The body of an answer to HEAD is missing, so that nobody can say where the next one begins.
    if memchr::memmem::find(data, b"HEAD").is_none() {
        // Of a close that the client begins, the code that comes back is its own.
        let may_close = data.contains(&0x88);
        check_answers(back, &daemon.socket, &entries, may_close);
    }
    for entry in entries.values() {
        check_claims(entry, &daemon.scanner);
    }
    for line in daemon.new_log() {
        check_claims(&line, &daemon.scanner);
    }
}

/// Each answer by itself, and all of them against the entries that were written meanwhile.
fn check_answers(back: Vec<u8>, path: &Path, entries: &BTreeMap<u64, Value>, may_close: bool) {
    let mut wire = Wire::connect(path).expect("a connection that is only read from memory");
    wire.stream.shutdown(Shutdown::Both).expect("it ends at once");
    wire.buffer = back;
    let mut seen = Vec::new();
    while !wire.buffer.is_empty() {
        if let Some(version) = wire.buffer.first_chunk_mut::<8>().filter(|it| *it == b"HTTP/1.0") {
            *version = *b"HTTP/1.1";
        }
        let answer = wire.answer().expect("an answer is one of HTTP");
        if answer.status == 101 {
            let mut said = socket::Said::default();
            while let Some((kind, content)) = socket::take(&mut wire.buffer) {
                said.take(kind, &content);
            }
            assert!(wire.buffer.is_empty(), "frames are whole");
            said.code = said.code.filter(|_| !may_close);
            check_said(&said, entries, &mut seen);
        } else {
            check_answer(&answer, entries, &mut seen);
        }
    }
    let answered = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), answered, "each decision has an entry of its own");
}

fn check_answer(answer: &Answer, entries: &BTreeMap<u64, Value>, seen: &mut Vec<u64>) {
    let passes = |effect: Option<&str>| matches!(effect, Some("allow" | "redact"));
    let said = answer.json();
    assert_ne!(answer.status, 500, "nothing fails: {answer:?}");
    if answer.status >= 400 {
        assert_eq!(answer.effect(), Some("block"), "{answer:?}");
        assert!(answer.body.is_empty() || said["effect"] == "block", "{answer:?}");
    }
    let released = answer.part("released").is_some_and(|bytes| !bytes.is_empty());
    if said["action"].is_string() {
        let blocked = said["action"] == "BLOCKED";
        assert_eq!(passes(answer.effect()), !blocked, "{answer:?}");
        assert!(said["action"] != "GUARDRAIL_INTERVENED" || decisions(entries) > 0, "{answer:?}");
        return;
    }
    if let Some(sequence) = said["recorded"]["sequence"].as_u64() {
        check_recorded(&said, entries);
        seen.push(sequence);
        if released && answer.whole {
            assert!(passes(said["effect"].as_str()), "{answer:?}");
        }
        let effect = answer.effect().filter(|_| answer.whole);
        assert!(effect.is_none_or(|it| said["effect"] == it), "one effect: {answer:?}");
        return;
    }
    assert!(!answer.whole || !passes(answer.effect()), "nothing passes unrecorded: {answer:?}");
    assert!(!released || windows(entries) > 0, "windows come first: {answer:?}");
}

fn check_said(said: &socket::Said, entries: &BTreeMap<u64, Value>, seen: &mut Vec<u64>) {
    let effect = said.decision["effect"].as_str();
    if let Some(sequence) = said.decision["recorded"]["sequence"].as_u64() {
        check_recorded(&said.decision, entries);
        seen.push(sequence);
    } else {
        assert_eq!(effect, None, "no decision without its entry: {said:?}");
        assert!(said.released.is_empty() || windows(entries) > 0, "windows come first: {said:?}");
    }
    let passes = matches!(effect, Some("allow" | "redact"));
    match said.code {
        // Whoever has gone is told nothing.
        None => {}
        Some(1000) => assert!(passes, "{said:?}"),
        Some(1007..=1009) => assert!(!passes, "{said:?}"),
        Some(code) => panic!("closed with {code}: {said:?}"),
    }
}

fn check_recorded(decision: &Value, entries: &BTreeMap<u64, Value>) {
    let sequence = decision["recorded"]["sequence"].as_u64().expect("recorded");
    let entry = entries.get(&sequence).unwrap_or_else(|| panic!("no entry: {decision}"));
    assert!(matches!(entry["kind"].as_str(), Some("decision" | "stream_close")), "{entry}");
    assert_eq!(entry["effect"], decision["effect"], "{entry}");
}

fn decisions(entries: &BTreeMap<u64, Value>) -> usize {
    entries.values().filter(|it| it["kind"] == "decision").count()
}

fn windows(entries: &BTreeMap<u64, Value>) -> usize {
    let is_one =
        |it: &&Value| matches!(it["kind"].as_str(), Some("stream_window" | "stream_close"));
    entries.values().filter(is_one).count()
}

/// A claim that holds the value holds it in such a way that the rules do not find it there: any
/// other text that holds it is a payload's.
fn check_claims(value: &Value, scanner: &Scanner) {
    fn walk(key: &str, value: &Value, all: &Value, scanner: &Scanner) {
        match value {
            Value::String(text) if text.contains(CANARY) => {
                let claims = ["claimed", "host", "scheme", "format", "workflow"].contains(&key)
                    || key.starts_with("gen_ai.");
                assert!(claims, "`{key}` holds what was sent: {all}");
                let found = scanner.scan(unescape(text).as_bytes());
                assert!(found.label.categories.is_empty(), "`{key}` shows a value: {all}");
            }
            Value::Array(values) => values.iter().for_each(|it| walk(key, it, all, scanner)),
            Value::Object(fields) => fields.iter().for_each(|(key, value)| {
                assert!(!key.contains(CANARY), "a key holds what was sent: {all}");
                walk(key, value, all, scanner);
            }),
            _ => {}
        }
    }
    walk("", value, value, scanner);
}

/// Panics of threads that belong to the daemon.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// The log since it was last looked at.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn log() -> MutexGuard<'static, Vec<u8>> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        log().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The daemon, and how far its journal was read.
struct Daemon {
    socket: PathBuf,
    state: PathBuf,
    scanner: Scanner,
    segment: u64,
    offset: u64,
    sequence: u64,
}

impl Daemon {
    fn start() -> Daemon {
        count_panics();
        let logging = tracing_subscriber::fmt().json().flatten_event(true).with_target(false);
        let logging = logging.with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG);
        let _ = logging.with_writer(|| Log).try_init();
        let folder = folder();
        let (path, state) = (folder.join("s.sock"), folder.join("state"));
        let parts = parts(&path, &state);
        let (ready, is_ready) = channel();
        let run = move || {
            let ended = serve::run(parts, move || ready.send(()).expect("somebody waits"));
            // Told to end, as by Ctrl-C: the daemon has taken the signal from the whole process.
            eprintln!("the daemon ended: {ended:?}");
            let this = rustix::process::getpid();
            let _ = rustix::process::kill_process(this, rustix::process::Signal::KILL);
        };
        std::thread::Builder::new().name("daemon".to_owned()).spawn(run).expect("a thread");
        is_ready.recv().expect("the daemon starts");
        let scanner = scanner_with(Options::default());
        let mut daemon =
            Daemon { socket: path, state, scanner, segment: 0, offset: 0, sequence: 0 };
        daemon.new_entries();
        daemon
    }

    /// Sends bytes and ends that side; all that comes back.
    fn exchange(&self, data: &[u8]) -> Vec<u8> {
        let mut wire = Wire::connect(&self.socket).expect("it accepts");
        wire.stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        // It may have answered and gone before it has read everything.
        let _ = wire.send(data);
        let _ = wire.stream.shutdown(Shutdown::Write);
        wire.end().expect("every connection ends")
    }

    /// The entries that were written since, by their sequence number.
    fn new_entries(&mut self) -> BTreeMap<u64, Value> {
        let mut entries = BTreeMap::new();
        loop {
            let name = journal::segment_name(self.segment);
            let file = File::open(self.state.join(journal::FOLDER).join(name)).expect("a segment");
            let mut bytes = vec![0; 1 << 18];
            let length = file.read_at(&mut bytes, self.offset).expect("it can be read");
            let mut at = 0;
            while let Ok(found) = frame::read(&bytes[..length], at) {
                if found.kind == Kind::Entry {
                    let entry = serde_json::from_slice(found.content).expect("an entry is JSON");
                    entries.insert(self.sequence, entry);
                    self.sequence += 1;
                }
                at = found.end;
            }
            self.offset += at as u64;
            let next = self.state.join(journal::FOLDER).join(journal::segment_name(self.sequence));
            if at == 0 && self.segment != self.sequence && next.exists() {
                (self.segment, self.offset) = (self.sequence, 0);
            } else if at == 0 {
                return entries;
            }
        }
    }

    fn new_log(&self) -> Vec<Value> {
        let mut log = log();
        let whole = log.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = log.drain(..whole).collect();
        drop(log);
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).expect("a line is JSON")).collect()
    }
}

fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // Tests of other things in this process fail by panicking, too.
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default();
        if name == "daemon" || name.starts_with("tokio") || name.starts_with("scan-") {
            PANICS.fetch_add(1, Ordering::Relaxed);
        }
        before(info);
    }));
}

/// A folder in memory where there is one. Nobody ends the daemon, so that the next run removes it.
fn folder() -> PathBuf {
    const NAME: &str = "sluice-fuzz-";
    let memory = Path::new("/dev/shm");
    let all = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    for entry in fs::read_dir(&all).expect("a folder").flatten() {
        let name = entry.file_name();
        let of = name.to_str().and_then(|it| it.strip_prefix(NAME)?.parse::<u32>().ok());
        if of.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let folder = all.join(format!("{NAME}{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("a folder");
    folder
}

fn parts(path: &Path, folder: &Path) -> Parts {
    // The keys are the same in each run, so that an input does the same again.
    let state = State::create(folder, "example.com/fuzz", &mut |bytes| {
        bytes.fill(7);
        Ok(())
    });
    let state = state.expect("a state directory");
    let options = sluicegate::record::Options {
        growth: Growth { step: 1 << 20, segment: 16 << 20 },
        wait: Duration::ZERO,
        last_words: None,
    };
    let ledger = Ledger::open(&state, options, |_, _| Vec::new()).expect("a ledger");
    let (epoch, key) = state.mac_key().expect("a key");
    let vault = File::open(folder.join("vault")).expect("vaults");
    Parts {
        loader: Box::new(|| Ok(loaded())),
        loaded: loaded(),
        macs: Macs::new(epoch, *key.as_bytes()),
        run_key: [3; 32],
        ledger,
        pending: Pending::open(state.path()).expect("pending"),
        vaults: Vaults::new(vault.into(), state.vault_key().expect("a key").as_bytes()),
        unix: UnixListener::bind(path).expect("a socket"),
        tcp: None,
        tcp_token: None,
        notifier: Notifier::from_environment().expect("no systemd"),
        helper: None,
        executables: Executables::new(),
        start: Map::new(),
    }
}

fn loaded() -> Loaded {
    let rules = rules();
    let source = Source { name: "sluice.toml".into(), text: REGISTER.to_owned(), builtin: false };
    let config = config::compile(&source, &rules.taxonomy, Origin::System, "fuzz");
    let config = config.unwrap_or_else(|error| panic!("{}", error.render(&[source])));
    let tokens = Tokens::load(&config.policy).expect("there are none");
    Loaded { rules: Arc::clone(&rules), config, file: None, path: None, tokens }
}
