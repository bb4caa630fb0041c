//! `sluice send`, `sluice top`, and `sluice decide` beside a daemon, as scripts call them.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{CARD, INSIDE, OUTSIDE, REGISTER};
use crate::daemon::Daemon;

fn run(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn write_flow(folder: &Path, destination: &str) {
    let flow = json!({
        "channel": "prompt", "workflow": "letters", "purpose": "treatment",
        "destination": destination,
    });
    fs::write(folder.join("flow.json"), flow.to_string()).unwrap();
}

const SEND: [&str; 5] = ["send", "--flow", "flow.json", "--socket", "run/s.sock"];

/// Sends with these further arguments.
fn send(daemon: &Daemon, destination: &str, more: &[&str], payload: &[u8]) -> Output {
    write_flow(daemon.folder.path(), destination);
    run(daemon.folder.path(), &[&SEND[..], more].concat(), payload)
}

fn is_there(daemon: &Daemon, name: &str) -> bool {
    // A temporary file would be one that begins with a point.
    let mut names = fs::read_dir(daemon.folder.path()).unwrap().map(|it| it.unwrap().file_name());
    names.any(|it| it.to_string_lossy().contains(name))
}

#[test]
fn sent_payloads_end_by_their_effect() {
    let daemon = Daemon::start(Some(REGISTER));
    for more in [&["--format", "json"][..], &["--format", "json", "--whole"]] {
        for (destination, payload, expected) in [
            (OUTSIDE, &b"nothing in here"[..], ("allow", 0)),
            (OUTSIDE, CARD, ("redact", 5)),
            (INSIDE, CARD, ("escalate", 3)),
            ("elsewhere", CARD, ("block", 1)),
        ] {
            let output = send(&daemon, destination, more, payload);
            let decision: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!((decision["effect"].as_str().unwrap(), code(&output)), expected);
            let release =
                send(&daemon, destination, &[more, &["--release", "-"]].concat(), payload);
            let passes = code(&output) == 0 || code(&output) == 5;
            assert_eq!(release.stdout.len(), if passes { payload.len() } else { 0 });
            assert_eq!(code(&release), expected.1);
            let decision: Value = serde_json::from_slice(&release.stderr).unwrap();
            assert_eq!(decision["effect"], expected.0);
            let files = [more, &["--release", "released", "--decision", "decision"]].concat();
            let output = send(&daemon, destination, &files, payload);
            assert!(code(&output) == expected.1 && output.stdout.is_empty());
            assert_eq!(is_there(&daemon, "released"), passes, "{destination}");
            assert!(is_there(&daemon, "decision"));
            if passes {
                let path = daemon.folder.path().join("released");
                assert_eq!(fs::read(&path).unwrap(), release.stdout);
                fs::remove_file(path).unwrap();
            }
        }
    }
    // A file goes as standard input does.
    fs::write(daemon.folder.path().join("card"), CARD).unwrap();
    let output = send(&daemon, OUTSIDE, &["--release", "-", "card"], b"");
    assert!(code(&output) == 5 && output.stdout.len() == CARD.len());
}

#[test]
fn what_blocks_ends_before_its_payload_does() {
    let daemon = Daemon::start(Some(REGISTER));
    write_flow(daemon.folder.path(), "elsewhere");
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .current_dir(daemon.folder.path())
        .args(SEND)
        .args(["--release", "released"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Standard input stays open, as that of a program which still writes.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&[CARD, &[b' '; 8192][..]].concat()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(!is_there(&daemon, "released"));
}

#[test]
fn what_went_out_before_a_block_makes_no_file() {
    let daemon = Daemon::start(Some(REGISTER));
    write_flow(daemon.folder.path(), OUTSIDE);
    for release in ["-", "released"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .current_dir(daemon.folder.path())
            .args(SEND)
            .args(["--release", release, "--decision", "decision"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        stdin.write_all("nothing in here. ".repeat(10_000).as_bytes()).unwrap();
        let mut out = vec![0; if release == "-" { 17 } else { 0 }];
        stdout.read_exact(&mut out).unwrap();
        let _ = stdin.write_all(b"My SSN is 219-09-9998, they said. ");
        drop(stdin);
        stdout.read_to_end(&mut out).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert_eq!(out.len() >= 17, release == "-");
        assert!(!out.windows(3).any(|it| it == b"SSN") && !is_there(&daemon, "released"));
    }
}

#[test]
fn a_payload_past_the_limit_is_block() {
    let register = format!("{REGISTER}\n[serve.limits]\npayload_bytes = 100000\n");
    let daemon = Daemon::start(Some(&register));
    let long = vec![b' '; 300_000];
    for more in [&["--format", "json"][..], &["--format", "json", "--whole"]] {
        let more = [more, &["--release", "released"]].concat();
        let output = send(&daemon, OUTSIDE, &more, &long);
        assert_eq!(code(&output), 1, "{}", errors(&output));
        let decision: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&decision["effect"], &decision["cause"]), (&json!("block"), &json!("limit")));
        assert!(!is_there(&daemon, "released"));
    }
}

#[test]
fn a_call_without_an_answer_says_what_to_do() {
    let mut daemon = Daemon::start(Some(REGISTER));
    let folder = daemon.folder.path().to_owned();
    fs::write(folder.join("token"), "open-to-all-who-read\n").unwrap();
    fs::set_permissions(folder.join("token"), fs::Permissions::from_mode(0o644)).unwrap();
    let output = send(&daemon, OUTSIDE, &["--token-file", "token"], CARD);
    assert!(code(&output) == 2 && errors(&output).contains("chmod 0600"), "{}", errors(&output));
    fs::set_permissions(folder.join("token"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(code(&send(&daemon, OUTSIDE, &["--token-file", "token"], CARD)), 5);
    std::os::unix::fs::symlink("token", folder.join("link")).unwrap();
    let output = send(&daemon, OUTSIDE, &["--token-file", "link"], CARD);
    assert!(code(&output) == 2 && errors(&output).contains("symbolic link"), "{}", errors(&output));
    assert_eq!(code(&send(&daemon, OUTSIDE, &["no-such-file"], CARD)), 2);
    assert_eq!(code(&send(&daemon, OUTSIDE, &["--timeout", "soon"], CARD)), 2);
    assert_eq!(code(&send(&daemon, OUTSIDE, &["."], CARD)), 2);
    assert!(daemon.stop());
    for more in [&["--release", "released"][..], &["--whole", "--release", "released"]] {
        let output = send(&daemon, OUTSIDE, more, CARD);
        let said = errors(&output);
        assert!(code(&output) == 4 && said.contains("is `sluice serve` running?"), "{said}");
        assert!(output.stdout.is_empty() && !is_there(&daemon, "released"));
    }
    let top = run(&folder, &["top", "--socket", "run/s.sock", "--once"], b"");
    assert!(code(&top) == 4 && errors(&top).contains("is `sluice serve` running?"));
}

/// The output without what differs from one decision to the next.
fn timeless(text: &[u8]) -> String {
    let text = String::from_utf8(text.to_vec()).unwrap();
    let kept =
        |line: &&str| !line.trim_start().starts_with("recorded") && !line.contains("expires");
    text.lines().filter(kept).map(|line| format!("{line}\n")).collect()
}

fn timeless_json(text: &[u8]) -> Value {
    let mut decision: Value = serde_json::from_slice(text).unwrap();
    decision["recorded"] = Value::Null;
    decision["escalation"] = Value::Null;
    decision
}

#[test]
fn decide_says_the_same_with_and_without_a_daemon() {
    let mut daemon = Daemon::start(Some(REGISTER));
    let folder = daemon.folder.path().to_owned();
    let decide = ["decide", "--flow", "flow.json", "--state-dir", "state"];
    let payload = [CARD, b" write to maria.keller@mail-service.com\n"].concat();
    let cases: Vec<(&str, &[&str])> = [OUTSIDE, INSIDE, "elsewhere"]
        .into_iter()
        .flat_map(|it| [(it, &["--format", "human"][..]), (it, &["--format", "json"])])
        .collect();
    let mut with_daemon = Vec::new();
    for (destination, format) in &cases {
        write_flow(&folder, destination);
        let decided = run(&folder, &[&decide[..], format].concat(), &payload);
        let sent = send(&daemon, destination, format, &payload);
        let whole = send(&daemon, destination, &[format, &["--whole"][..]].concat(), &payload);
        assert_eq!(code(&decided), code(&sent), "{}", errors(&decided));
        for other in [&sent, &whole] {
            match format[1] {
                "human" => assert_eq!(timeless(&decided.stdout), timeless(&other.stdout)),
                _ => assert_eq!(timeless_json(&decided.stdout), timeless_json(&other.stdout)),
            }
        }
        with_daemon.push(decided);
    }
    let named = run(&folder, &[&decide[..], &["--config", "sluice.toml"]].concat(), &payload);
    assert!(code(&named) == 2 && errors(&named).contains("a daemon keeps this ledger"));
    // Whoever ends without saying so leaves the file that says where it is; nobody answers there.
    let note = fs::read(daemon.state.join("daemon")).unwrap();
    assert!(daemon.stop() && !daemon.state.join("daemon").exists());
    fs::write(daemon.state.join("daemon"), note).unwrap();
    for ((destination, format), before) in cases.iter().zip(with_daemon) {
        write_flow(&folder, destination);
        let alone = [&decide[..], format, &["--config", "sluice.toml"]].concat();
        let decided = run(&folder, &alone, &payload);
        assert_eq!(code(&decided), code(&before), "{}", errors(&decided));
        match format[1] {
            "human" => assert_eq!(timeless(&decided.stdout), timeless(&before.stdout)),
            _ => assert_eq!(timeless_json(&decided.stdout), timeless_json(&before.stdout)),
        }
    }
}

#[test]
fn decide_asks_no_daemon_of_another_ledger() {
    let daemon = Daemon::start(Some(REGISTER));
    let folder = daemon.folder.path();
    write_flow(folder, OUTSIDE);
    let decide = ["decide", "--flow", "flow.json", "--state-dir", "other", "--format", "json"];
    let decide = [&decide[..], &["--config", "sluice.toml"]].concat();
    assert_eq!(code(&run(folder, &[&decide[..], &["--init"]].concat(), CARD)), 5);
    // A socket of that name has another daemon now.
    let note = json!({"socket": daemon.socket, "pid": daemon.pid(), "run": "00000000"});
    fs::write(folder.join("other/daemon"), note.to_string()).unwrap();
    let output = run(folder, &decide, CARD);
    assert_eq!(code(&output), 5, "{}", errors(&output));
    let decision: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(decision["recorded"]["sequence"], 2);
}

/// Promise 3: what lies behind the limit of the command was not read, whatever the daemon may take.
#[test]
fn a_payload_past_the_limit_of_decide_is_block_beside_a_daemon_too() {
    let mut payload = "nothing in here. ".repeat((64 << 20) / 17 + 1);
    payload.push_str("My SSN is 219-09-9998, they said. ");
    // The daemon holds back less than was read, and says so, or takes all of it and waits for more.
    for held in [64 << 20, 128 << 20] {
        let limits = format!("payload_bytes = 268435456\nheld_bytes = {held}");
        let daemon = Daemon::start(Some(&format!("{REGISTER}\n[serve.limits]\n{limits}\n")));
        let folder = daemon.folder.path();
        write_flow(folder, OUTSIDE);
        fs::write(folder.join("payload"), &payload).unwrap();
        let decide = ["decide", "--flow", "flow.json", "--state-dir", "state", "--format", "json"];
        let decide = [&decide[..], &["--release", "released", "payload"]].concat();
        let output = run(folder, &decide, b"");
        assert!(code(&output) == 1 && !is_there(&daemon, "released"), "{}", errors(&output));
        match serde_json::from_slice::<Value>(&output.stdout) {
            Ok(decision) => {
                assert_eq!(
                    (&decision["effect"], &decision["cause"]),
                    (&json!("block"), &json!("limit"))
                );
            }
            Err(_) => {
                let said = errors(&output);
                assert!(output.stdout.is_empty() && said.contains("longer than 64 MiB"), "{said}");
            }
        }
        let until = Instant::now() + Duration::from_secs(60);
        let query = ["ledger", "query", "--kind", "decision", "--state-dir", "state"];
        let query = [&query[..], &["--format", "json"]].concat();
        loop {
            let entries = String::from_utf8(run(folder, &query, b"").stdout).unwrap();
            if entries.contains("\"effect\":\"block\"") {
                break;
            }
            assert!(Instant::now() < until && !entries.contains("\"effect\""), "{entries}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A socket that says it is the daemon of the run `00000000`; the requests that it gets.
fn pretend(path: &Path) -> Arc<Mutex<Vec<u8>>> {
    let (listener, asked) = (UnixListener::bind(path).unwrap(), Arc::<Mutex<Vec<u8>>>::default());
    let all = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut piece) = (stream.unwrap(), [0; 4096]);
            while let Ok(read @ 1..) = stream.read(&mut piece) {
                all.lock().unwrap().extend_from_slice(&piece[..read]);
                let answer = "HTTP/1.1 200 OK\r\nSluice-Request-Id: 00000000-1\r\n\
                    Content-Length: 0\r\n\r\n";
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
    asked
}

/// Who may write in a state directory, or in what it says of its daemon, does not get payloads by it.
#[test]
fn decide_sends_to_no_socket_that_others_may_have_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_flow(path, OUTSIDE);
    fs::write(path.join("sluice.toml"), REGISTER).unwrap();
    fs::set_permissions(path.join("sluice.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    let decide = ["decide", "--flow", "flow.json", "--state-dir", "state"];
    let decide_here = || run(path, &[&decide[..], &["--config", "sluice.toml"]].concat(), CARD);
    let made = [&decide[..], &["--config", "sluice.toml", "--init"]].concat();
    assert_eq!(code(&run(path, &made, CARD)), 5);
    let asked = pretend(&path.join("pretended"));
    let note = json!({"socket": path.join("pretended"), "pid": 1, "run": "00000000"}).to_string();
    let (named, mode) = (path.join("state/daemon"), fs::Permissions::from_mode);

    // As a daemon writes it: that it is asked shows that this test can fail.
    fs::write(&named, &note).unwrap();
    fs::set_permissions(&named, mode(0o600)).unwrap();
    assert_eq!(code(&run(path, &decide, CARD)), 4);
    assert!(!asked.lock().unwrap().is_empty());
    asked.lock().unwrap().clear();

    fs::set_permissions(&named, mode(0o666)).unwrap();
    assert_eq!(code(&decide_here()), 5);
    fs::rename(&named, path.join("elsewhere")).unwrap();
    fs::set_permissions(path.join("elsewhere"), mode(0o600)).unwrap();
    std::os::unix::fs::symlink("../elsewhere", &named).unwrap();
    assert_eq!(code(&decide_here()), 5);
    fs::remove_file(&named).unwrap();
    // A pipe that nobody writes to holds nothing up.
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&named).status().unwrap().success());
    assert_eq!(code(&decide_here()), 5);
    fs::remove_file(&named).unwrap();
    fs::rename(path.join("elsewhere"), &named).unwrap();
    fs::set_permissions(path.join("state"), mode(0o777)).unwrap();
    let output = decide_here();
    assert!(
        code(&output) == 2 && errors(&output).contains("open to others"),
        "{}",
        errors(&output)
    );
    fs::set_permissions(path.join("state"), mode(0o710)).unwrap();
    assert!(asked.lock().unwrap().is_empty(), "somebody else's socket was asked");

    // A socket of the right name that another user listens on.
    if !rustix::process::geteuid().is_root() || Command::new("python3").arg("-V").output().is_err()
    {
        eprintln!("NOT RUN: without root and python3 there is no socket of another user");
        return;
    }
    fs::set_permissions(path, mode(0o777)).unwrap();
    let foreign = path.join("foreign");
    let script = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\n\
        s.listen()\nprint(flush=True)\nc = s.accept()[0]\nsys.exit(len(c.recv(1)))";
    // Neither does it keep the groups of root.
    let mut child = Command::new("python3")
        .args(["-c", script])
        .arg(&foreign)
        .uid(65_534)
        .gid(65_534)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    fs::write(&named, note.replace("pretended", "foreign")).unwrap();
    fs::set_permissions(&named, mode(0o600)).unwrap();
    assert_eq!(code(&decide_here()), 5);
    assert_eq!(child.wait().unwrap().code(), Some(0), "the socket of another user was asked");
}

/// What stands under the name of `--release` has passed, in this call.
#[test]
fn no_older_file_stands_for_what_was_blocked() {
    let mut daemon = Daemon::start(Some(REGISTER));
    let folder = daemon.folder.path().to_owned();
    let (released, more) = (folder.join("released"), ["--release", "released"]);
    let decide = ["decide", "--flow", "flow.json", "--state-dir", "state"];
    let alone = [&decide[..], &["--config", "sluice.toml"]].concat();
    let (streamed, whole) = (SEND.to_vec(), [&SEND[..], &["--whole"]].concat());
    let tried = |command: &[&str]| {
        for (destination, expected) in [("elsewhere", 1), (INSIDE, 3), (OUTSIDE, 5)] {
            write_flow(&folder, destination);
            fs::write(&released, "older").unwrap();
            fs::set_permissions(&released, fs::Permissions::from_mode(0o640)).unwrap();
            let output = run(&folder, &[command, &more].concat(), CARD);
            assert_eq!(code(&output), expected, "{command:?} {}", errors(&output));
            assert_eq!(released.exists(), expected == 5, "{command:?}");
        }
        let mode = fs::metadata(&released).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        // What is read would be lost.
        fs::write(folder.join("card"), CARD).unwrap();
        for name in ["card", "flow.json"] {
            let output = run(&folder, &[command, &["--release", name, "card"]].concat(), b"");
            assert!(
                code(&output) == 2 && errors(&output).contains("is read"),
                "{}",
                errors(&output)
            );
            assert!(folder.join(name).exists());
        }
    };
    for command in [&streamed[..], &whole, &decide] {
        tried(command);
    }
    assert!(daemon.stop());
    tried(&alone);
    // No daemon is no answer, and no older one either.
    fs::write(&released, "older").unwrap();
    assert_eq!(code(&run(&folder, &[&SEND[..], &more].concat(), CARD)), 4);
    assert!(!released.exists());
}

#[test]
fn top_prints_one_sample() {
    let daemon = Daemon::start(Some(REGISTER));
    let folder = daemon.folder.path();
    assert_eq!(code(&send(&daemon, OUTSIDE, &[], CARD)), 5);
    let top = ["top", "--socket", "run/s.sock", "--interval", "100ms"];
    let output = run(folder, &top, b"");
    assert!(code(&output) == 2 && errors(&output).contains("--once"), "{}", errors(&output));
    let output = run(folder, &[&top[..], &["--once"]].concat(), b"");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(code(&output), 0, "{}", errors(&output));
    assert!(text.contains("redact       0.0/s, 1 in all\n"), "{text}");
    assert!(text.contains("\n/v1/stream   0.0/s, p50 -, p90 -, p99 -\n"), "{text}");
    let output = run(folder, &[&top[..], &["--json"]].concat(), b"");
    let sample: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(sample["effects"][1], json!({"name": "redact", "per_second": 0.0, "total": 1}));
    let measured = sample["requests_per_second"].as_f64().unwrap();
    assert!(measured > 0.0, "the first sample is a request of its own: {sample}");
}
