//! The helper that runs commands for the daemon, as a process: what it runs, what it refuses, and
//! what the daemon makes of a path that hangs, floods or fails, and of the helper's death.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};
use sluicegate::serve::messenger::{
    Failure, Figures, Helper, HelperError, Launch, MAX_LINE, MAX_QUEUED, MAX_QUEUED_BYTES,
    Messenger,
};
use tempfile::TempDir;

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// Longer than anything here takes, unless it does not end.
const PATIENCE: Duration = Duration::from_secs(30);

struct Place(TempDir);

impl Place {
    /// Paths by id, with the script of each and more lines of the register.
    fn new(paths: &[(&str, &str, &str)]) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        place.register(paths);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn register(&self, paths: &[(&str, &str, &str)]) {
        let mut text = "version = 1\n".to_owned();
        for (id, script, more) in paths {
            let script = script.replace("HERE", &self.0.path().display().to_string());
            let command = json!(["/bin/sh", "-c", script]);
            text.push_str(&format!("\n[[path]]\nid = \"{id}\"\ncommand = {command}\n{more}\n"));
        }
        fs::write(self.path("new.toml"), text).unwrap();
        fs::rename(self.path("new.toml"), self.path("sluice.toml")).unwrap();
    }

    fn start(&self) -> Result<Helper, HelperError> {
        let (config, counts) = (self.path("sluice.toml"), self.path("counts"));
        let (program, config) = (Path::new(SLUICE), Some(config.as_path()));
        Helper::start(&Launch { program, config, rules: &[], counts: &counts })
    }

    /// A messenger, its failures, and the process id of its helper.
    fn messenger(&self) -> (Messenger, Receiver<Failure>, Pid) {
        let helper = self.start().unwrap();
        let pid = Pid::from_raw(i32::try_from(helper.pid()).unwrap()).unwrap();
        let (sender, failures) = mpsc::channel();
        let messenger = helper.attend(move |failure| drop(sender.send(failure))).unwrap();
        (messenger, failures, pid)
    }
}

fn event(text: &str) -> Map<String, Value> {
    Map::from_iter([("event".to_owned(), json!(text))])
}

fn until(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < PATIENCE, "waited too long");
        thread::sleep(Duration::from_millis(5));
    }
}

fn lives(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_command_gets_the_event_alone() {
    let script = "cat > HERE/in; tr '\\0' ' ' < /proc/$$/cmdline > HERE/argv; env > HERE/env; \
                  ls /proc/self/fd > HERE/fds; pwd > HERE/pwd; ulimit -c > HERE/core";
    let place = Place::new(&[("file", script, "")]);
    let (messenger, failures, _) = place.messenger();
    assert!(messenger.tell("file", &event("canary-4111")));
    assert!(messenger.close(PATIENCE));
    assert_eq!(failures.iter().next(), None);
    let told: Value = serde_json::from_str(&place.text("in")).unwrap();
    assert_eq!(told, json!({"event": "canary-4111", "held_back": 0, "path": "file"}));
    let (arguments, environment) = (place.text("argv"), place.text("env"));
    assert!(arguments.starts_with("/bin/sh -c ") && !arguments.contains("canary"), "{arguments}");
    // A shell sets some of its own.
    let known = ["PATH=/usr/local/sbin:", "PWD=/", "OLDPWD=", "SHLVL=", "_="];
    let is_known = |line: &str| known.iter().any(|it| line.starts_with(it));
    assert!(environment.lines().all(is_known), "{environment}");
    // The daemon and its helper add none to those that this process would pass on.
    let listing = Command::new("/bin/sh").args(["-c", "ls /proc/self/fd"]).output().unwrap();
    assert_eq!(place.text("fds"), String::from_utf8(listing.stdout).unwrap());
    assert_eq!((place.text("pwd"), place.text("core")), ("/\n".into(), "0\n".into()));
}

#[test]
fn a_path_that_hangs_fails_or_floods_holds_up_no_other() {
    let place = Place::new(&[
        ("hangs", "echo $$ > HERE/pid; sleep 600 & echo $! >> HERE/pid; wait", "timeout = 5"),
        ("fails", "exit 7", ""),
        ("dies", "kill -9 $$", ""),
        ("floods", "head -c 50000000 /dev/zero; head -c 50000000 /dev/zero >&2", ""),
        ("works", "cat >> HERE/told", ""),
    ]);
    let (messenger, failures, _) = place.messenger();
    for path in ["hangs", "fails", "dies", "floods", "unknown", "works"] {
        assert!(messenger.tell(path, &event(path)));
    }
    until(|| !place.text("told").is_empty());
    // The shell that hangs may start after the one that works.
    until(|| place.text("pid").lines().count() == 2);
    let hung = place.text("pid");
    assert!(messenger.figures().failed < 4, "the one that hangs is waited for still");
    let mut failed: Vec<Failure> =
        (0..4).map(|_| failures.recv_timeout(PATIENCE).unwrap()).collect();
    failed.sort_by(|one, other| one.path.cmp(&other.path));
    let said: Vec<(&str, u64, &str)> = failed
        .iter()
        .map(|it| (it.path.as_deref().unwrap(), it.events, it.problem.as_str()))
        .collect();
    assert!(matches!(said[0], ("dies", 1, why) if why.contains("signal")), "{said:?}");
    assert!(matches!(said[1], ("fails", 1, why) if why.contains('7')), "{said:?}");
    assert!(matches!(said[2], ("hangs", 1, why) if why.contains("5 seconds")), "{said:?}");
    assert!(matches!(said[3], ("unknown", 1, why) if why.contains("registered")), "{said:?}");
    let pids: Vec<Pid> =
        hung.lines().map(|it| Pid::from_raw(it.parse().unwrap()).unwrap()).collect();
    assert!(!pids.is_empty());
    until(|| !pids.iter().any(|pid| lives(*pid)));
    let figures = Figures { told: 2, failed: 4, alive: true, ..Figures::default() };
    until(|| messenger.figures() == figures);
    assert!(messenger.close(PATIENCE));
    assert_eq!(failures.iter().next(), None);
}

#[test]
fn a_path_hears_as_much_as_it_wants_and_in_order() {
    let place = Place::new(&[("few", "cat >> HERE/told", "per_minute = 3")]);
    let (messenger, failures, _) = place.messenger();
    for number in 0..8 {
        assert!(messenger.tell("few", &event(&number.to_string())));
    }
    until(|| messenger.figures().told + messenger.figures().held_back == 8);
    let figures = messenger.figures();
    assert!(messenger.close(PATIENCE));
    assert_eq!(failures.iter().next(), None);
    let told: Vec<Value> =
        place.text("told").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let order: Vec<&str> = told.iter().map(|it| it["event"].as_str().unwrap()).collect();
    assert_eq!(order[..3], ["0", "1", "2"]);
    // A minute may have ended meanwhile.
    assert_eq!((order.len() as u64, figures.held_back), (figures.told, 8 - figures.told));
    assert!(figures.told == 3 || told[3]["held_back"].as_u64().unwrap() > 0, "{told:?}");
}

#[test]
fn the_death_of_the_helper_is_said_and_every_event_after_it_is_a_failure() {
    let place = Place::new(&[("slow", "touch HERE/began; sleep 30", ""), ("file", "cat", "")]);
    let (messenger, failures, pid) = place.messenger();
    assert!(messenger.tell("slow", &event("x")) && messenger.tell("slow", &event("y")));
    until(|| place.path("began").exists());
    kill_process(pid, Signal::KILL).unwrap();
    let mut said = vec![failures.recv_timeout(PATIENCE).unwrap()];
    said.push(failures.recv_timeout(PATIENCE).unwrap());
    said.sort_by(|one, other| one.path.cmp(&other.path));
    assert_eq!((&said[0].path, said[0].events), (&None, 0));
    assert!(said[0].problem.contains("signal: 9"), "{said:?}");
    assert_eq!((said[1].path.as_deref(), said[1].events), (Some("slow"), 2));
    until(|| !lives(pid));
    for _ in 0..3 {
        assert!(!messenger.tell("file", &event("x")));
    }
    let mut events = 0;
    while events < 3 {
        let failure = failures.recv_timeout(PATIENCE).unwrap();
        assert_eq!(failure.path.as_deref(), Some("file"));
        assert!(failure.problem.contains("cannot be started again"), "{failure:?}");
        events += failure.events;
    }
    let figures = Figures { failed: 5, ..Figures::default() };
    assert_eq!(messenger.figures(), figures);
    messenger.reload();
    assert!(messenger.close(PATIENCE));
}

#[test]
fn a_queue_that_is_full_drops_counts_and_never_waits() {
    let place = Place::new(&[("file", "cat >> HERE/told", "per_minute = 1")]);
    let (messenger, failures, pid) = place.messenger();
    kill_process(pid, Signal::STOP).unwrap();
    let began = Instant::now();
    let small = event("x");
    let taken = (0..4 * MAX_QUEUED).filter(|_| messenger.tell("file", &small)).count();
    // Some lines fit into the pipe, and one is with the thread that writes.
    assert!((MAX_QUEUED..4 * MAX_QUEUED).contains(&taken), "{taken}");
    let dropped = (4 * MAX_QUEUED - taken) as u64;
    assert_eq!(messenger.figures().dropped, dropped);
    assert!(began.elapsed() < PATIENCE);
    // Failures of one kind come together.
    let (mut counted, mut calls) = (0, 0);
    while counted < dropped {
        let failure = failures.recv_timeout(PATIENCE).unwrap();
        assert!(failure.problem.contains("too many events"), "{failure:?}");
        (counted, calls) = (counted + failure.events, calls + 1);
    }
    assert_eq!(counted, dropped);
    assert!(calls <= 2 + began.elapsed().as_secs(), "{calls}: at most one a second");
    eprintln!("{taken} taken, {dropped} dropped, {calls} failures to record");
    kill_process(pid, Signal::CONT).unwrap();
    let settled = |it: Figures| it.told + it.held_back + it.failed == 4 * MAX_QUEUED as u64;
    until(|| settled(messenger.figures()));
    assert!(messenger.close(PATIENCE));
}

#[test]
fn the_bytes_that_wait_are_bounded() {
    let place = Place::new(&[("file", "cat > /dev/null", "")]);
    let (messenger, failures, pid) = place.messenger();
    kill_process(pid, Signal::STOP).unwrap();
    let large = event(&"x".repeat(MAX_LINE - 100));
    let most = MAX_QUEUED_BYTES / MAX_LINE;
    let taken = (0..4 * most).filter(|_| messenger.tell("file", &large)).count();
    assert!((most..most + 4).contains(&taken), "{taken}");
    assert!(!messenger.tell("file", &event(&"x".repeat(MAX_LINE))));
    kill_process(pid, Signal::CONT).unwrap();
    assert!(messenger.close(PATIENCE));
    let said: Vec<Failure> = failures.iter().collect();
    assert!(said.iter().any(|it| it.problem.contains("at most 131072 bytes")), "{said:?}");
}

#[test]
fn the_register_is_read_again_when_it_is_asked_for() {
    let place = Place::new(&[("first", "cat >> HERE/first", "")]);
    let (messenger, failures, _) = place.messenger();
    place.register(&[("second", "cat >> HERE/second", "")]);
    assert!(messenger.tell("second", &event("before")));
    let failure = failures.recv_timeout(PATIENCE).unwrap();
    assert!(failure.problem.contains("registered"), "{failure:?}");
    messenger.reload();
    assert!(messenger.tell("second", &event("after")));
    until(|| place.text("second").contains("after"));
    fs::write(place.path("sluice.toml"), "version = 1\nnonsense = true\n").unwrap();
    messenger.reload();
    let failure = failures.recv_timeout(PATIENCE).unwrap();
    assert_eq!((&failure.path, failure.events), (&None, 0));
    assert!(failure.problem.contains("keeps the paths"), "{failure:?}");
    assert!(messenger.tell("second", &event("still")));
    until(|| place.text("second").contains("still"));
    assert!(messenger.close(PATIENCE));
}

#[test]
fn it_outlives_signals_and_ends_with_its_input() {
    let place = Place::new(&[("file", "sleep 0.3; cat >> HERE/told", "")]);
    let (messenger, failures, pid) = place.messenger();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        kill_process(pid, signal).unwrap();
    }
    assert!(messenger.tell("file", &event("1")) && messenger.tell("file", &event("2")));
    // Dropped, not closed: what waits is told all the same.
    drop(messenger);
    assert_eq!(failures.iter().next(), None);
    until(|| !lives(pid));
    assert_eq!(place.text("told").lines().count(), 2);
    // One that is never attended ends too.
    let helper = place.start().unwrap();
    let pid = Pid::from_raw(i32::try_from(helper.pid()).unwrap()).unwrap();
    drop(helper);
    until(|| !lives(pid));
}

#[test]
fn it_does_not_start_without_a_register_that_holds() {
    let place = Place::new(&[]);
    fs::write(place.path("sluice.toml"), "version = 1\nnonsense = true\n").unwrap();
    let refused = place.start().unwrap_err();
    assert!(matches!(&refused, HelperError::Refused(why) if why.contains("nonsense")), "{refused}");
    fs::remove_file(place.path("sluice.toml")).unwrap();
    assert!(matches!(place.start(), Err(HelperError::Refused(_))));
    let counts = place.path("counts");
    let launch = Launch { program: Path::new(SLUICE), config: None, rules: &[], counts: &counts };
    let relative = Launch { config: Some(Path::new("sluice.toml")), ..launch };
    assert!(matches!(Helper::start(&relative), Err(HelperError::Relative(_))));
    let missing = Launch { program: Path::new("/nowhere/at-all"), ..launch };
    assert!(matches!(Helper::start(&missing), Err(HelperError::Start(_))));
    let other = Launch { program: Path::new("/bin/true"), ..launch };
    assert!(matches!(Helper::start(&other), Err(HelperError::Ended)));
    // Without a register there are no paths.
    let (sender, failures) = mpsc::channel();
    let helper = Helper::start(&launch).unwrap();
    let messenger = helper.attend(move |failure| drop(sender.send(failure))).unwrap();
    assert!(messenger.tell("file", &event("x")));
    assert!(failures.recv_timeout(PATIENCE).unwrap().problem.contains("registered"));
}

/// What whoever took the daemon over can send.
#[test]
fn no_line_makes_it_run_anything_else() {
    let place = Place::new(&[("file", "cat >> HERE/told", "")]);
    let mut child = Command::new(SLUICE)
        .arg("messenger")
        .arg("--counts")
        .arg(place.path("counts"))
        .arg("--config")
        .arg(place.path("sluice.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let own = place.path("own").display().to_string();
    let lines = [
        json!({"path": "file", "event": {}, "command": ["/bin/touch", own]}).to_string(),
        json!({"path": own, "event": {}}).to_string(),
        json!({"path": "../file", "event": {}}).to_string(),
        json!({"reload": true, "config": own}).to_string(),
        json!({"path": "file", "event": {"command": own, "path": own, "held_back": 9}}).to_string(),
        "\u{0}\u{1b}[2J".to_owned(),
        "x".repeat(3 * MAX_LINE),
    ];
    let mut input = child.stdin.take().unwrap();
    for line in &lines {
        writeln!(input, "{line}").unwrap();
    }
    drop(input);
    let answers = answers(&mut child);
    assert!(child.wait().unwrap().success());
    assert_eq!(answers.len(), 1 + lines.len(), "{answers:?}");
    assert_eq!(answers.iter().filter(|it| it["told"] == true).count(), 1);
    assert_eq!(answers.iter().filter(|it| it["problem"].is_string()).count(), lines.len() - 1);
    assert!(!place.path("own").exists());
    // What is told is an event: its path and count are the helper's.
    let told: Value = serde_json::from_str(&place.text("told")).unwrap();
    assert_eq!(told, json!({"command": own, "held_back": 0, "path": "file"}));
}

fn answers(child: &mut Child) -> Vec<Value> {
    let output = BufReader::new(child.stdout.take().unwrap());
    output.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}
