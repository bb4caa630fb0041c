//! The daemon when it is killed, when its ledger fails, when its files are wrong and when it ends.
//! `SLUICE_LEDGER_FULL=1` kills it more often.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sluicegate::record::merkle::leaf_hash;

use crate::serve_limits::{FLOW, REGISTER, entries, until};
use crate::wire::socket::{BINARY, TEXT, frame};
use crate::wire::{Answer, Wire, ask, get, head, metric, post};

/// A daemon over a folder that outlives it.
struct Daemon {
    child: Child,
    folder: PathBuf,
}

impl Daemon {
    fn start(folder: &Path) -> Daemon {
        let log =
            fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let config = folder.join("sluice.toml");
        if !config.exists() {
            configure(folder, REGISTER);
        }
        let child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["serve", "--init", "--state-dir"])
            .arg(folder.join("state"))
            .arg("--socket")
            .arg(folder.join("run/s.sock"))
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut daemon = Daemon { child, folder: folder.to_owned() };
        let end = Instant::now() + Duration::from_secs(60);
        while !ask(&daemon.socket(), &get("/readyz")).is_ok_and(|it| it.status == 200) {
            let ended = daemon.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "not ready: {}", daemon.log());
            thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("run/s.sock")
    }

    fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it does not end: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn decide(&self, payload: &str) -> Answer {
        ask(&self.socket(), &decide(payload)).unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn decide(payload: &str) -> Vec<u8> {
    post("/v1/decide", &[("Sluice-Flow", FLOW)], payload.as_bytes())
}

/// Puts a register in place, as an editor would.
fn configure(folder: &Path, text: &str) {
    let (new, file) = (folder.join("sluice.toml.new"), folder.join("sluice.toml"));
    fs::write(&new, text).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(new, file).unwrap();
}

/// Leaves of entries that were acknowledged, by their numbers.
type Acknowledged = BTreeMap<u64, String>;

/// Takes note of the entry that an answer names.
fn acknowledge(answer: &Answer, all: &Mutex<Acknowledged>) {
    let recorded = &answer.json()["recorded"];
    let leaf = recorded["leaf"].as_str().expect("a leaf").to_owned();
    let before = all.lock().unwrap().insert(recorded["sequence"].as_u64().unwrap(), leaf);
    assert_eq!(before, None, "two answers name one entry");
}

fn are_kept(state: &Path, all: &Acknowledged) {
    let mut query = Command::new(env!("CARGO_BIN_EXE_sluice"));
    query.args(["ledger", "query", "--format", "json", "--state-dir"]).arg(state);
    let output = query.output().unwrap();
    let mut kept = Acknowledged::new();
    for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let entry: Value = serde_json::from_slice(line).unwrap();
        let leaf = data_encoding::HEXLOWER.encode(&leaf_hash(line));
        kept.insert(entry["sequence"].as_u64().unwrap(), leaf);
    }
    let lost: Vec<_> = all.iter().filter(|(it, leaf)| kept.get(it) != Some(leaf)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

#[test]
fn what_was_answered_is_recorded_when_the_daemon_is_killed() {
    let rounds = if std::env::var_os("SLUICE_LEDGER_FULL").is_some() { 60 } else { 4 };
    let folder = tempfile::tempdir().unwrap();
    let all: Mutex<Acknowledged> = Mutex::default();
    for round in 0..rounds {
        let mut daemon = Daemon::start(folder.path());
        let before = all.lock().unwrap().len();
        thread::scope(|scope| {
            for client in 0..4 {
                let (all, daemon) = (&all, &daemon);
                scope.spawn(move || {
                    let Ok(mut wire) = Wire::connect(&daemon.socket()) else { return };
                    for number in 0.. {
                        let payload = format!("Answer {client} {number} kindly, and soon.");
                        // An answer that is not whole acknowledges nothing.
                        let Ok(answer) = wire.ask(&decide(&payload)) else { return };
                        if !answer.whole {
                            return;
                        }
                        assert_eq!((answer.status, answer.effect()), (200, Some("allow")));
                        acknowledge(&answer, all);
                    }
                });
            }
            let pid = Pid::from_child(&daemon.child);
            let all = &all;
            scope.spawn(move || {
                let end = Instant::now() + Duration::from_secs(20);
                while all.lock().unwrap().len() <= before + 4 && Instant::now() < end {
                    thread::sleep(Duration::from_millis(1));
                }
                thread::sleep(Duration::from_micros(20_000 + round * 79_190 % 280_000));
                kill_process(pid, Signal::KILL).unwrap();
            });
        });
        daemon.wait();
    }
    let all = all.into_inner().unwrap();
    let mut daemon = Daemon::start(folder.path());
    are_kept(&daemon.state(), &all);
    daemon.signal(Signal::TERM);
    assert!(daemon.wait().success());
    let verify = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["ledger", "verify", "--state-dir"])
        .arg(daemon.state())
        .output()
        .unwrap();
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stdout));
    println!("{} acknowledged, 0 lost, {rounds} deaths", all.len());
    assert!(all.len() as u64 >= rounds);
}

/// The disk fails or is full: nothing passes any more, and the daemon ends with 4.
#[test]
fn when_the_ledger_fails_everything_is_block_and_the_daemon_ends() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("NOT RUN: strace is not installed, so no call was made to fail");
        return;
    }
    for fault in ["fdatasync:error=EIO", "pwrite64:error=ENOSPC"] {
        let folder = tempfile::tempdir().unwrap();
        let mut daemon = Daemon::start(folder.path());
        assert_eq!(daemon.decide("Answer kindly.").effect(), Some("allow"));
        let mut open = Wire::open(&daemon.socket()).unwrap();
        open.send(&frame(TEXT, FLOW.as_bytes())).unwrap();
        let mut strace = Command::new("strace")
            .args(["-f", "-qq", "-o/dev/null", &format!("-einject={fault}"), "-p"])
            .arg(daemon.child.id().to_string())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Threads are attached one after the other; the one that commits is among them.
        let threads = format!("/proc/{}/task", daemon.child.id());
        until("strace attaches to every thread", || {
            fs::read_dir(&threads).unwrap().all(|thread| {
                let status = fs::read_to_string(thread.unwrap().path().join("status"));
                // One that has just ended commits nothing.
                status.is_ok_and(|it| !it.contains("TracerPid:\t0\n"))
            })
        });
        let answers: Vec<Option<Answer>> = thread::scope(|scope| {
            let ask = |number| {
                let socket = daemon.socket();
                move || ask(&socket, &decide(&format!("Answer {number} soon."))).ok()
            };
            let asked: Vec<_> = (0..8).map(|number| scope.spawn(ask(number))).collect();
            asked.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let answered: Vec<&Answer> = answers.iter().flatten().filter(|it| it.whole).collect();
        assert!(!answered.is_empty(), "{fault}: nobody got an answer");
        for answer in answered {
            assert_eq!((answer.status, answer.effect()), (503, Some("block")), "{fault}");
            let limit = answer.json()["limit"].clone();
            assert!(limit == "ledger" || limit == "stopping", "{fault}: {limit}");
        }
        let _ = open.send(&frame(BINARY, b"Nothing of this may come back."));
        let _ = open.send(&frame(TEXT, br#"{"end": true}"#));
        let said = open.said().unwrap_or_default();
        assert!(said.released.is_empty() && said.code != Some(1000), "{fault}: {said:?}");
        let ended = daemon.wait();
        assert_eq!(ended.code(), Some(4), "{fault}: {}", daemon.log());
        assert!(daemon.log().contains("the ledger takes no entries"), "{}", daemon.log());
        let _ = strace.wait();
        // What was acknowledged before is there, and a new daemon goes on.
        let mut daemon = Daemon::start(folder.path());
        assert_eq!(daemon.decide("Answer kindly.").effect(), Some("allow"));
        daemon.signal(Signal::TERM);
        assert!(daemon.wait().success());
        let kept = entries(&daemon.state());
        assert!(kept.iter().filter(|it| it["kind"] == "decision").count() >= 2, "{kept:?}");
    }
}

#[test]
fn a_reload_takes_all_of_a_register_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let digests = |answer: &Answer| {
        let sequence = answer.json()["recorded"]["sequence"].clone();
        let entries = entries(&daemon.state());
        let entry = entries.iter().find(|it| it["sequence"] == sequence).unwrap();
        (entry["policy_digest"].clone(), entry["rule_digest"].clone())
    };
    let reload = || ask(&daemon.socket(), &post("/v1/reload", &[], b"")).unwrap();
    let first = digests(&daemon.decide("Answer kindly."));
    let same = reload();
    assert_eq!((same.status, same.json()["changed"].as_bool()), (200, Some(false)));
    // A file that does not hold changes nothing, by request or by signal, and the answer says where.
    configure(folder.path(), &format!("{REGISTER}[[destination]]\nid = \"model\"\n"));
    let refused = reload();
    assert_eq!((refused.status, refused.effect()), (422, Some("block")));
    let said = refused.json();
    assert_eq!(said["changed"], false);
    assert!(said["error"].as_str().unwrap().contains("sluice.toml:"), "{said}");
    let failed = || metric(&daemon.socket(), r#"sluice_reloads_total{outcome="failed"}"#);
    assert_eq!(failed(), 1);
    daemon.signal(Signal::HUP);
    until("the signal is taken", || failed() == 2);
    assert!(daemon.log().contains("nothing was reloaded"));
    assert_eq!(digests(&daemon.decide("Answer kindly.")), first);
    // One that holds is in force for what comes next, and not for what had begun.
    let mut slow = Wire::connect(&daemon.socket()).unwrap();
    let body = "Answer kindly.";
    let length = body.len().to_string();
    let flow = [("Sluice-Flow", FLOW), ("Content-Length", length.as_str())];
    slow.send(&head("POST", "/v1/decide", &flow)).unwrap();
    thread::sleep(Duration::from_millis(300));
    let stricter = "[[rule]]\nid = \"nothing-to-the-model\"\nwhen = { destination = \"model\" }\n\
        effect = \"block\"\nreason = \"It is switched off.\"\n";
    configure(folder.path(), &format!("{REGISTER}{stricter}"));
    daemon.signal(Signal::HUP);
    until("the new register is in force", || {
        daemon.decide("Answer kindly.").effect() == Some("block")
    });
    let after = digests(&daemon.decide("Answer kindly."));
    assert!(after.0 != first.0 && after.1 == first.1);
    let begun = slow.ask(body.as_bytes()).unwrap();
    assert_eq!(begun.effect(), Some("allow"));
    assert_eq!(digests(&begun), first, "it was decided by what was in force when it began");
    let again = reload().json();
    assert_eq!((&again["policy_digest"], again["changed"].as_bool()), (&after.0, Some(false)));
    let entries = entries(&daemon.state());
    let loads: Vec<&Value> = entries.iter().filter(|it| it["kind"] == "policy_load").collect();
    // Every reload that is taken is recorded, also one that changes nothing.
    let is_change =
        |it: &&&Value| it["previous"].is_string() && it["policy_digest"] != it["previous"];
    let changes: Vec<&&Value> = loads.iter().filter(is_change).collect();
    assert!(changes.len() == 1 && loads.len() > 2, "{}", loads.len());
    let load = *changes[0];
    assert_eq!((&load["policy_digest"], &load["previous"]), (&after.0, &first.0));
    let starts: Vec<&Value> = entries.iter().filter(|it| it["kind"] == "start").collect();
    assert_eq!(starts.last().unwrap()["policy_digest"], first.0);
}

#[test]
fn a_daemon_that_is_told_to_end_finishes_what_it_has_begun() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(folder.path());
    let mut slow = Wire::connect(&daemon.socket()).unwrap();
    assert_eq!(slow.ask(&get("/healthz")).unwrap().status, 200);
    let body = "Answer kindly, and in your own time.";
    let length = body.len().to_string();
    let flow = [("Sluice-Flow", FLOW), ("Content-Length", length.as_str())];
    slow.send(&head("POST", "/v1/decide", &flow)).unwrap();
    slow.send(&body.as_bytes()[..10]).unwrap();
    let mut stream = Wire::open(&daemon.socket()).unwrap();
    stream.send(&frame(TEXT, FLOW.as_bytes())).unwrap();
    stream.send(&frame(BINARY, b"The first half, ")).unwrap();
    let mut idle = Wire::connect(&daemon.socket()).unwrap();
    assert_eq!(idle.ask(&get("/healthz")).unwrap().status, 200);
    // What is on its way has come in.
    thread::sleep(Duration::from_millis(500));
    daemon.signal(Signal::TERM);
    assert!(idle.end().unwrap().is_empty(), "who asks nothing is let go");
    thread::sleep(Duration::from_millis(300));
    assert!(daemon.child.try_wait().unwrap().is_none(), "it has not ended yet");
    // Nobody new comes in.
    let new = Wire::connect(&daemon.socket()).and_then(|mut wire| {
        wire.stream.set_read_timeout(Some(Duration::from_millis(300)))?;
        wire.ask(&decide("Too late."))
    });
    assert!(!new.is_ok_and(|it| it.status == 200));
    let answer = slow.ask(&body.as_bytes()[10..]).unwrap();
    assert_eq!((answer.status, answer.effect()), (200, Some("allow")));
    stream.send(&frame(BINARY, b"and the second.")).unwrap();
    stream.send(&frame(TEXT, br#"{"end": true}"#)).unwrap();
    let said = stream.said().unwrap();
    assert_eq!(
        (said.code, said.released.as_slice()),
        (Some(1000), &b"The first half, and the second."[..])
    );
    assert!(daemon.wait().success(), "{}", daemon.log());
    let entries = entries(&daemon.state());
    assert_eq!(entries.last().unwrap()["kind"], "stop");
    let sequence = answer.json()["recorded"]["sequence"].clone();
    assert!(entries.iter().any(|it| it["sequence"] == sequence && it["effect"] == "allow"));
    assert!(!daemon.socket().exists() || Wire::connect(&daemon.socket()).is_err());
}
