//! The sandbox of the daemon, in processes of its own: this binary runs one of its tests again,
//! which closes the sandbox around itself and tries what it must not and what it must be able to do.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{DumpableBehavior, Pid, set_dumpable_behavior, test_kill_process};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use serde_json::{Map, Value, json};
use sluicegate::record::{Ledger, Options, State};
use sluicegate::serve::messenger::{Helper, Launch};
use sluicegate::serve::sandbox::{Minimum, Paths, SandboxError, enter, enter_with_threads};
use tempfile::TempDir;

use crate::daemon::Daemon;

/// What the process that runs again is to do, and where.
const TASK: &str = "SLUICE_TEST_SANDBOX";
const FOLDER: &str = "SLUICE_TEST_SANDBOX_FOLDER";

/// A folder with what a daemon has: configuration, state, and something beside them.
fn place() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config", "state", "outside"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("config/sluice.toml"), "old").unwrap();
    fs::write(folder.path().join("outside/secret"), "secret").unwrap();
    folder
}

fn paths(folder: &Path) -> Paths {
    let mut paths = Paths { read: Vec::new(), write: vec![folder.join("state")] };
    paths.read_beside(&folder.join("config/sluice.toml"));
    paths
}

/// Runs a task in a process of its own, and answers each line that it says with `answer`.
fn run(task: &str, folder: &Path, mut answer: impl FnMut(&str)) -> BTreeMap<String, Value> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "serve_sandbox::inside", "--ignored", "--nocapture", "--test-threads=1"])
        .env(TASK, task)
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut said = BTreeMap::new();
    let mut rest = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The first one stands behind what the test harness says.
        let Some((_, line)) = line.split_once("said: ") else {
            rest.push_str(&line);
            continue;
        };
        let (name, value) = line.split_once(' ').unwrap();
        said.insert(name.to_owned(), serde_json::from_str(value).unwrap());
        if value == "\"waits\"" {
            answer(name);
            input.write_all(b"\n").unwrap();
        }
    }
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(child.wait().unwrap().success(), "{said:?} {rest} {errors}");
    assert_eq!(said.get("end"), Some(&json!(true)), "{said:?} {rest} {errors}");
    said
}

fn say(name: &str, value: impl Into<Value>) {
    println!("said: {name} {}", value.into());
}

/// Says so, and waits until the process that started this one has done its part.
fn wait(name: &str) {
    say(name, "waits");
    io::stdin().read_line(&mut String::new()).unwrap();
}

fn say_outcome<T>(name: &str, outcome: io::Result<T>) {
    match outcome {
        Ok(_) => say(name, "done"),
        Err(error) => say(name, format!("{:?}", error.kind())),
    }
}

/// Not a test: what the tests below start in a process of its own.
#[test]
#[ignore = "started by the other tests"]
fn inside() {
    let Ok(task) = std::env::var(TASK) else { return };
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    println!();
    match task.as_str() {
        "outside" => attempts(&folder),
        "inside" => {
            let listening = listeners(&folder);
            let enforced = enter_with_threads(&paths(&folder), Minimum::None).unwrap();
            say("enforced", serde_json::to_value(&enforced).unwrap());
            attempts(&folder);
            drop(listening);
        }
        "serves" => serves(&folder),
        "threads" => {
            // The harness has one thread, this test another.
            let refused = enter(&paths(&folder), Minimum::None);
            say("refused", matches!(refused, Err(SandboxError::Threads(2))));
            say_outcome("passwd", fs::read("/etc/passwd"));
        }
        "old kernel" => {
            deny(libc::SYS_landlock_create_ruleset, libc::ENOSYS);
            let enforced = enter_with_threads(&paths(&folder), Minimum::None).unwrap();
            say("enforced", serde_json::to_value(&enforced).unwrap());
            let less = enter_with_threads(&paths(&folder), Minimum::Landlock);
            say("refused", matches!(less, Err(SandboxError::BelowMinimum(_))));
            say("why", less.unwrap_err().to_string());
        }
        "no filter" => {
            deny(libc::SYS_seccomp, libc::EINVAL);
            let enforced = enter_with_threads(&paths(&folder), Minimum::Landlock).unwrap();
            say("enforced", serde_json::to_value(&enforced).unwrap());
            let less = enter_with_threads(&paths(&folder), Minimum::All);
            say("refused", matches!(less, Err(SandboxError::BelowMinimum(_))));
        }
        "missing path" => {
            let missing = PathBuf::from("/nowhere/at-all");
            let refused = enter_with_threads(
                &Paths { read: vec![missing], ..Paths::default() },
                Minimum::None,
            );
            assert!(matches!(refused, Err(SandboxError::Path { .. })));
            say("why", refused.unwrap_err().to_string());
            say_outcome("passwd", fs::read("/etc/passwd"));
        }
        other => panic!("no task `{other}`"),
    }
    say("end", true);
}

/// Makes a system call fail, as if the kernel did not have it.
fn deny(call: i64, errno: i32) {
    let rules = BTreeMap::from([(call, Vec::new())]);
    let action = SeccompAction::Errno(errno.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}

fn listeners(folder: &Path) -> (TcpListener, UnixListener, UnixDatagram) {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    fs::write(folder.join("state/port"), tcp.local_addr().unwrap().port().to_string()).unwrap();
    let datagrams = UnixDatagram::bind(folder.join("state/datagrams")).unwrap();
    (tcp, UnixListener::bind(folder.join("state/socket")).unwrap(), datagrams)
}

/// Tries all that a daemon must not do, and says how each attempt ended.
fn attempts(folder: &Path) {
    let state = folder.join("state");
    if !state.join("port").exists() {
        std::mem::forget(listeners(folder));
    }
    let port: u16 = fs::read_to_string(state.join("port")).unwrap().parse().unwrap();
    let parent = rustix::process::getppid().unwrap();
    say_outcome("read_passwd", fs::read("/etc/passwd"));
    say_outcome("read_outside", fs::read(folder.join("outside/secret")));
    say_outcome("list_outside", fs::read_dir(folder.join("outside")));
    say_outcome("write_outside", fs::write(folder.join("outside/new"), "x"));
    say_outcome("truncate_outside", rustix_truncate(&folder.join("outside/secret")));
    say_outcome("write_config", fs::write(folder.join("config/sluice.toml"), "own"));
    say_outcome("make_in_config", fs::write(folder.join("config/new"), "x"));
    say_outcome("move_out", fs::rename(state.join("port"), folder.join("outside/port")));
    say_outcome("mode", fs::set_permissions(&state, fs::metadata(&state).unwrap().permissions()));
    say_outcome("exec", Command::new("/bin/true").status());
    say_outcome("tcp_connect", TcpStream::connect(("127.0.0.1", port)));
    say_outcome("tcp_bind", TcpListener::bind("127.0.0.1:0"));
    say_outcome("udp", UdpSocket::bind("127.0.0.1:0"));
    say_outcome("unix_connect", UnixStream::connect(state.join("socket")));
    say_outcome("unix_bind", UnixListener::bind(state.join("another")));
    let datagrams = state.join("datagrams");
    say_outcome("datagram", UnixDatagram::unbound().and_then(|it| it.send_to(b"x", datagrams)));
    say_outcome("datagram_pair", UnixDatagram::pair());
    say_outcome("signal_parent", test_kill_process(parent).map_err(io::Error::from));
    say_outcome("signal_group", signal_group(parent));
    let dumpable = set_dumpable_behavior(DumpableBehavior::Dumpable);
    say_outcome("dumpable", dumpable.map_err(io::Error::from));
    let exe = format!("/proc/{}/exe", parent.as_raw_nonzero());
    say_outcome("parent_executable", fs::read_link(exe));
}

fn rustix_truncate(path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().write(true).truncate(true).open(path).map(drop)
}

fn signal_group(pid: Pid) -> io::Result<()> {
    Ok(rustix::process::test_kill_process_group(pid)?)
}

#[test]
fn nothing_but_its_own_is_open_to_the_daemon() {
    let folder = place();
    let before = run("outside", folder.path(), |_| {});
    let folder = place();
    let after = run("inside", folder.path(), |_| {});
    let enforced = &after["enforced"];
    assert_eq!(enforced["seccomp"], true, "{enforced}");
    assert_eq!(enforced["dumpable"], false, "{enforced}");
    let refused = |name: &str| after[name] == "PermissionDenied";
    let by_filter = [
        "exec",
        "tcp_connect",
        "tcp_bind",
        "udp",
        "unix_connect",
        "unix_bind",
        "datagram",
        "datagram_pair",
        "signal_parent",
        "mode",
        "dumpable",
    ];
    assert!(by_filter.into_iter().all(refused), "{after:?}");
    let by_landlock = [
        "read_passwd",
        "read_outside",
        "list_outside",
        "write_outside",
        "truncate_outside",
        "write_config",
        "make_in_config",
        "parent_executable",
    ];
    if enforced["landlock"]["extent"] != "none" {
        assert!(by_landlock.into_iter().all(refused), "{after:?}");
        // The kernel says that it is another file system.
        assert!(
            ["PermissionDenied", "CrossesDevices"].map(Value::from).contains(&after["move_out"])
        );
        assert_eq!(fs::read(folder.path().join("outside/secret")).unwrap(), b"secret");
        assert_eq!(fs::read(folder.path().join("config/sluice.toml")).unwrap(), b"old");
    }
    // Without the sandbox each of these is possible, so that it is what refuses them.
    for name in by_filter.into_iter().chain(by_landlock) {
        assert_eq!(before[name], "done", "{name}: {before:?}");
    }
}

/// Does what a daemon does.
fn serves(folder: &Path) {
    let state_folder = folder.join("state/ledger");
    let state = State::create(&state_folder, "example.com/log", &mut |bytes| {
        bytes.fill(7);
        Ok(())
    })
    .unwrap();
    let socket = folder.join("state/socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let config = folder.join("config/sluice.toml");
    let counts = state_folder.join("pending");
    let launch = Launch {
        program: Path::new(env!("CARGO_BIN_EXE_sluice")),
        config: Some(&config),
        rules: &[],
        counts: &counts,
    };
    let helper = Helper::start(&launch).unwrap();
    let enforced = enter_with_threads(&paths(folder), Minimum::None).unwrap();
    say("enforced", serde_json::to_value(&enforced).unwrap());

    // The configuration is read again when it was replaced.
    wait("replace");
    say("config", fs::read_to_string(&config).unwrap());

    // Decisions are recorded, by threads that start inside.
    let ledger = Ledger::open(&state, Options::command(), |_, _| Vec::new()).unwrap();
    let receipt = ledger.append(|sequence| format!("{{\"sequence\":{sequence}}}").into()).unwrap();
    say("sequence", receipt.sequence);
    drop(ledger);
    let file = folder.join("state/new");
    fs::write(&file, "x").unwrap();
    fs::rename(&file, folder.join("state/renamed")).unwrap();
    fs::create_dir(folder.join("state/folder")).unwrap();
    fs::remove_dir(folder.join("state/folder")).unwrap();
    fs::remove_file(folder.join("state/renamed")).unwrap();

    // Commands run where the helper runs them.
    let (failed, failures) = mpsc::channel();
    let messenger = helper.attend(move |failure| failed.send(failure).unwrap()).unwrap();
    let event = Map::from_iter([("event".to_owned(), json!("decision"))]);
    assert!(messenger.tell("file", &event));

    // Peers are served by an event loop with several threads, and looked at.
    wait("connect");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    listener.set_nonblocking(true).unwrap();
    let peer = runtime.block_on(async {
        let _hangup =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).unwrap();
        let listener = tokio::net::UnixListener::from_std(listener).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        stream.peer_cred().unwrap().pid().unwrap()
    });
    say_outcome("stat", fs::read(format!("/proc/{peer}/stat")));
    say_outcome("cgroup", fs::read(format!("/proc/{peer}/cgroup")));
    say_outcome("status", fs::read(format!("/proc/{peer}/status")));
    let pid = Pid::from_raw(peer).unwrap();
    let held = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty());
    say_outcome("pidfd", held.map_err(io::Error::from));
    drop(runtime);
    assert!(messenger.close(Duration::from_secs(20)));
    say("failures", format!("{:?}", failures.try_iter().collect::<Vec<_>>()));
    fs::remove_file(&socket).unwrap();
}

#[test]
fn the_daemon_does_its_work_inside() {
    let folder = place();
    let told = folder.path().join("outside/told");
    let config = folder.path().join("config/sluice.toml");
    let register = format!(
        "version = 1\n\n[[path]]\nid = \"file\"\ncommand = [\"/usr/bin/tee\", \"{}\"]\n",
        told.display()
    );
    fs::write(&config, &register).unwrap();
    let mut peer = None;
    let said = run("serves", folder.path(), |waits| match waits {
        "replace" => {
            let beside = folder.path().join("config/sluice.new");
            fs::write(&beside, register.clone() + "# replaced\n").unwrap();
            fs::rename(beside, &config).unwrap();
        }
        "connect" => peer = Some(UnixStream::connect(folder.path().join("state/socket")).unwrap()),
        other => panic!("{other}"),
    });
    drop(peer);
    assert_eq!(said["config"], register + "# replaced\n");
    assert_eq!(said["sequence"], 0);
    for name in ["stat", "cgroup", "status", "pidfd"] {
        assert_eq!(said[name], "done", "{name}");
    }
    assert_eq!(said["failures"], "[]");
    let event: Value = serde_json::from_slice(&fs::read(told).unwrap()).unwrap();
    assert_eq!(event, json!({"event": "decision", "held_back": 0, "path": "file"}));
}

#[test]
fn a_process_with_threads_is_refused() {
    let said = run("threads", place().path(), |_| {});
    assert_eq!((&said["refused"], &said["passwd"]), (&json!(true), &json!("done")));
}

#[test]
fn what_the_kernel_lacks_is_said_and_can_be_required() {
    let said = run("old kernel", place().path(), |_| {});
    let enforced = &said["enforced"];
    assert_eq!(enforced["landlock"], json!({"abi": 0, "extent": "none"}));
    assert_eq!(enforced["seccomp"], true);
    assert!(enforced["missing"][0].as_str().unwrap().contains("Landlock"), "{enforced}");
    assert_eq!(said["refused"], true);
    assert!(said["why"].as_str().unwrap().contains("no Landlock"), "{said:?}");
    let said = run("no filter", place().path(), |_| {});
    assert_eq!(said["enforced"]["seccomp"], false);
    assert_eq!(said["refused"], true);
}

#[test]
fn a_path_that_is_missing_is_named_before_anything_closes() {
    let said = run("missing path", place().path(), |_| {});
    assert!(said["why"].as_str().unwrap().contains("`/nowhere/at-all`"), "{said:?}");
    assert_eq!(said["passwd"], "done");
}

#[test]
fn folders_of_links_are_read_too() {
    let folder = place();
    let real = folder.path().join("outside/real.toml");
    fs::write(&real, "x").unwrap();
    let link = folder.path().join("config/link.toml");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let mut paths = Paths::default();
    paths.read_beside(&link);
    let outside = fs::canonicalize(folder.path().join("outside")).unwrap();
    assert_eq!(paths.read, [folder.path().join("config"), outside]);
    let known = paths.clone();
    paths.read_beside(&link);
    paths.read_beside(Path::new("relative.toml"));
    assert_eq!(paths, known);
}

const REGISTER: &str = r#"version = 1
[[destination]]
id = "outside"
trust = "external"
url = ["https://api.example.net"]
approved = ["pii"]
[[workflow]]
id = "letters"
owner = "anna"
purposes = ["treatment"]
approved = ["pii"]
destinations = ["outside"]
monitoring = "file"
[workflow.bind]
anyone = true
"#;

fn register(folder: &Path, name: &str) -> String {
    let told = folder.join(name);
    let command = json!(["/usr/bin/tee", "-a", told]);
    format!("{REGISTER}[[path]]\nid = \"file\"\ncommand = {command}\n")
}

/// Has a daemon decide a harmless payload; the reply.
fn decide(socket: &Path) -> String {
    let flow = json!({
        "channel": "prompt", "workflow": "letters", "purpose": "treatment", "run": "r1",
        "destination": "https://api.example.net", "trigger": "dr.meyer",
    });
    let mut stream = UnixStream::connect(socket).unwrap();
    let head = "POST /v1/decide HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\n";
    write!(stream, "{head}Sluice-Flow: {flow}\r\nContent-Length: 5\r\n\r\nhello").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

fn until(what: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(30), "waited too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_real_daemon_decides_tells_and_reloads_inside() {
    let mut daemon = Daemon::start(Some("version = 1\n"));
    let folder = daemon.folder.path().to_owned();
    // Where the kernel has the filter, every thread is under both programs of it.
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
    let statuses: Vec<String> = tasks
        .filter_map(|task| fs::read_to_string(task.unwrap().path().join("status")).ok())
        .collect();
    assert!(statuses.len() > 3, "{}", statuses.len());
    let outer = fs::read_to_string("/proc/self/status").unwrap();
    let filters = |status: &str| -> Option<u32> {
        status.lines().find_map(|it| it.strip_prefix("Seccomp_filters:")?.trim().parse().ok())
    };
    if let Some(before) = filters(&outer) {
        assert!(statuses.iter().all(|it| filters(it) == Some(before + 2)), "{statuses:?}");
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");

    // A register that is renamed over the old one is in force after a reload, for both processes.
    for name in ["told", "told-later"] {
        let new = folder.join("new.toml");
        fs::write(&new, register(&folder, name)).unwrap();
        fs::rename(&new, folder.join("sluice.toml")).unwrap();
        let pid = Pid::from_raw(i32::try_from(daemon.pid()).unwrap()).unwrap();
        let reloads = daemon.log().matches("reloaded").count();
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
        until(|| daemon.log().matches("reloaded").count() > reloads);
        let reply = decide(&daemon.socket);
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
        until(|| fs::read_to_string(folder.join(name)).is_ok_and(|told| told.ends_with('\n')));
        let told = fs::read_to_string(folder.join(name)).unwrap();
        let event: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((&event["event"], &event["effect"]), (&json!("decision"), &json!("allow")));
    }
    assert!(daemon.stop(), "{}", daemon.log());
    let entries = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["ledger", "query", "--format", "json", "--state-dir"])
        .arg(&daemon.state)
        .output()
        .unwrap();
    let entries = String::from_utf8(entries.stdout).unwrap();
    let entries: Vec<Value> =
        entries.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let start = entries.iter().find(|entry| entry["kind"] == "start").unwrap();
    assert_eq!(start["sandbox"]["dumpable"], false, "{start}");
    assert!(entries.iter().all(|entry| entry["kind"] != "path_failed"), "{entries:?}");
}
