//! Whom the daemon takes a caller for, and what it asks of callers over TCP.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::daemon::Daemon;

/// A workflow that may send addresses of e-mail, bound to somebody.
fn register(bind: &str, more: &str) -> String {
    format!(
        r#"
version = 1
[[destination]]
id = "out"
trust = "external"
url = "https://api.example.com/"
approved = ["pii.email"]
[[workflow]]
id = "chat"
owner = "the team"
purposes = ["support"]
approved = ["pii.email"]
destinations = ["out"]
bind = {{ {bind} }}
{more}
"#
    )
}

const FLOW: &str = r#"Sluice-Flow: {"channel":"prompt","workflow":"chat","purpose":"support","destination":"https://api.example.com/"}"#;

fn ask(stream: &mut (impl Read + Write), headers: &str) -> (u16, String) {
    let payload = "write to bob.miller@example.org";
    let request = format!(
        "POST /v1/decide HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{FLOW}\r\n{headers}Content-Length: {}\r\n\r\n{payload}",
        payload.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer[9..12].parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

fn over_unix(daemon: &Daemon, headers: &str) -> Value {
    let mut stream = UnixStream::connect(&daemon.socket).unwrap();
    let (status, body) = ask(&mut stream, headers);
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// The last decision that was recorded.
fn recorded(daemon: &mut Daemon) -> Value {
    assert!(daemon.stop());
    let listed = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["ledger", "query", "--kind", "decision", "--format", "json", "--state-dir"])
        .arg(&daemon.state)
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    serde_json::from_str(listed.lines().last().expect("a decision")).unwrap()
}

#[test]
fn a_workflow_is_who_its_program_is() {
    let program = fs::read(std::env::current_exe().unwrap()).unwrap();
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(&program));
    let mut daemon = Daemon::start(Some(&register(&format!("executable = \"{digest}\""), "")));
    assert_eq!(over_unix(&daemon, "")["effect"], "allow");
    let entry = recorded(&mut daemon);
    let attested = &entry["workload"]["attested"];
    assert_eq!(attested["executable"]["known"]["sha256"], digest.as_str());
    assert_eq!(attested["pid"], std::process::id());
    assert_eq!(attested["uid"], rustix::process::getuid().as_raw());
    assert_eq!(attested["self_attested"], false);
    assert!(attested["start_time"].as_u64().unwrap() > 0);
    assert_eq!(entry["workload"]["claimed"]["workflow"]["bound"], true);

    let other = "0".repeat(64);
    let daemon = Daemon::start(Some(&register(&format!("executable = \"{other}\""), "")));
    let decision = over_unix(&daemon, "");
    assert_eq!(decision["effect"], "block");
    assert_eq!(decision["determining"][0]["id"], "identity.binding");
}

#[test]
fn a_workflow_is_who_knows_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let token = "not-a-real-token-0123456789";
    fs::write(&file, format!("{token}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let bind = format!("token_file = \"{}\"", file.display());
    let mut daemon = Daemon::start(Some(&register(&bind, "")));
    assert_eq!(over_unix(&daemon, "")["effect"], "block");
    let wrong = "Authorization: Bearer not-a-real-token-9876543210\r\n";
    assert_eq!(over_unix(&daemon, wrong)["effect"], "block");
    let right = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(over_unix(&daemon, &right)["effect"], "allow");
    let own = format!("Sluice-Workflow-Token: {token}\r\n");
    assert_eq!(over_unix(&daemon, &own)["effect"], "allow");
    assert!(!daemon.log().contains(token));
    assert_eq!(recorded(&mut daemon)["workload"]["attested"]["token_of"], "chat");
}

#[test]
fn tcp_asks_for_a_token_and_knows_the_user() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let token = "not-a-real-token-0123456789";
    fs::write(&file, token).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let uid = rustix::process::getuid().as_raw();
    let start = || {
        // A port that was free a moment ago, and may be another's by now.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let file = file.display();
        let serve = format!("[serve]\ntcp = \"{address}\"\ntcp_token_file = \"{file}\"\n");
        Daemon::try_start(Some(&register(&format!("uid = [{uid}]"), &serve)))
            .map(|daemon| (address, daemon))
            .inspect_err(|log| assert!(log.contains("cannot listen on"), "{log}"))
    };
    let (address, mut daemon) = (0..5).find_map(|_| start().ok()).expect("a free port in five");
    let ask = |headers: &str| ask(&mut TcpStream::connect(address).unwrap(), headers);
    for headers in ["", "Authorization: Bearer not-a-real-token-9876543210\r\n"] {
        let (status, body) = ask(headers);
        assert_eq!(status, 401);
        assert!(body.contains("\"effect\":\"block\""), "{body}");
    }
    let (status, body) = ask(&format!("Authorization: Bearer {token}\r\n"));
    assert_eq!(status, 200);
    let decision: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(decision["effect"], "allow", "{decision}");
    let entry = recorded(&mut daemon);
    assert_eq!(entry["workload"]["attested"]["uid"], uid);
    assert_eq!(entry["workload"]["attested"]["pid"], 0);
}

#[test]
fn the_socket_is_for_its_owner_or_a_group_and_goes_with_the_daemon() {
    let mut daemon = Daemon::start(None);
    let mode = |daemon: &Daemon| fs::symlink_metadata(&daemon.socket).unwrap().mode() & 0o777;
    assert_eq!(mode(&daemon), 0o600);
    assert!(daemon.stop() && !daemon.socket.exists());
    if !rustix::process::getuid().is_root() {
        return;
    }
    let daemon = Daemon::start(Some("version = 1\n[serve]\ngroup = \"12345\"\n"));
    assert_eq!(mode(&daemon), 0o660);
    assert_eq!(fs::symlink_metadata(&daemon.socket).unwrap().gid(), 12345);
}

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let daemon = Daemon::start(None);
    let second = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["serve", "--state-dir"])
        .arg(&daemon.state)
        .arg("--socket")
        .arg(&daemon.socket)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("s.sock"), "{said}");
    let third = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["serve", "--state-dir"])
        .arg(&daemon.state)
        .arg("--socket")
        .arg(daemon.folder.path().join("other.sock"))
        .output()
        .unwrap();
    assert_eq!(third.status.code(), Some(4), "{}", String::from_utf8_lossy(&third.stderr));
    assert!(!daemon.folder.path().join("other.sock").exists());
    assert_eq!(over_unix(&daemon, "")["effect"], "allow");
}
