//! How the daemon starts: with the socket of systemd, in which layout of files, and what it reads again.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::serve_limits::until;
use crate::wire::{ask, get};

const BINARY: &str = env!("CARGO_BIN_EXE_sluice");

/// A process that is killed when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn write(file: &Path, text: &str) -> PathBuf {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    file.to_owned()
}

/// A rule pack that holds.
const PACK: &str = r#"[[rule]]
id = "pii.own-reference"
category = "pii.email"
title = "A reference of our own"
why = "Stands for a person."
source = "our own list"
pattern = '''\bQX-\d{6}\b'''
likelihood = 40
context = { terms = ["reference"] }
examples = ["reference ⟦QX-123456⟧", "our reference ⟦QX-654321⟧"]
counterexamples = ["QX-12345", "QX-1234567"]
"#;

/// As `deploy/sluice.service` starts it: no path of a socket, and no folder at run time.
#[test]
fn the_socket_of_systemd_needs_no_path_and_rules_are_read_from_a_folder_that_was_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("packs/own/pack.toml"), PACK);
    fs::create_dir(at("run")).unwrap();
    fs::set_permissions(at("run"), fs::Permissions::from_mode(0o700)).unwrap();
    let socket = at("run/sluice.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
    let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"";
    let child = Command::new("sh")
        .args(["-c", script, "sh", BINARY, "serve", "--init", "--state-dir"])
        .arg(at("state"))
        .arg("--rules")
        .arg(at("packs/own"))
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("NOTIFY_SOCKET")
        .env("XDG_CONFIG_HOME", at("config"))
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stderr(fs::File::create(at("log")).unwrap())
        .spawn()
        .unwrap();
    let mut daemon = Running(child);
    let log = || fs::read_to_string(at("log")).unwrap();
    let until_ready = Instant::now() + Duration::from_secs(60);
    while !log().contains("ready") {
        assert!(daemon.0.try_wait().unwrap().is_none(), "{}", log());
        assert!(Instant::now() < until_ready, "{}", log());
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(ask(&socket, &get("/readyz")).unwrap().status, 200);

    // As a package or a script does it.
    write(&at("packs/new/pack.toml"), &format!("{PACK}\n# replaced\n"));
    fs::rename(at("packs/own"), at("packs/old")).unwrap();
    fs::rename(at("packs/new"), at("packs/own")).unwrap();
    kill_process(Pid::from_child(&daemon.0), Signal::HUP).unwrap();
    until("it has tried to reload", || log().contains("reloaded"));
    assert!(!log().contains("nothing was reloaded"), "{}", log());
}

/// Starts a daemon that must not start.
fn refused(state: &Path, socket: &Path, config: &Path, rules: Option<&Path>) -> Output {
    let mut command = Command::new(BINARY);
    command.args(["serve", "--init", "--state-dir"]).arg(state);
    command.arg("--socket").arg(socket).arg("--config").arg(config);
    if let Some(rules) = rules {
        command.arg("--rules").arg(rules);
    }
    command.output().unwrap()
}

#[test]
fn a_daemon_that_could_write_what_it_obeys_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let plain = write(&at("config/sluice.toml"), "version = 1\n");
    let beside = write(&at("run/sluice.toml"), "version = 1\n");
    let own = write(&at("run/rules/pack.toml"), PACK);
    let token = write(&at("run/token"), "not-a-real-token-0123456789");
    let bound = format!(
        "version = 1\n[[workflow]]\nid = \"chat\"\nowner = \"the team\"\npurposes = [\"support\"]\n\
         bind = {{ token_file = \"{}\" }}\n",
        token.display()
    );
    let bound = write(&at("config/bound.toml"), &bound);
    let command = format!(
        "version = 1\n[[path]]\nid = \"queue\"\ncommand = [\"{}\"]\n",
        at("run/notify").display()
    );
    let command = write(&at("config/command.toml"), &command);
    fs::set_permissions(at("run"), fs::Permissions::from_mode(0o700)).unwrap();
    write(&at("packs/pack.toml"), PACK);
    let (state, socket) = (at("state"), at("run/s.sock"));
    let cases = [
        (&beside, None, "the configuration"),
        (&plain, Some(own.parent().unwrap()), "the rule pack"),
        (&bound, None, "the token file"),
        (&command, None, "the program"),
    ];
    for (config, rules, what) in cases {
        let output = refused(&state, &socket, config, rules);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{what}: {said}");
        assert!(said.contains(what) && said.contains("move it out of there"), "{what}: {said}");
        assert!(!socket.exists());
    }
    let output = refused(&at("packs/state"), &socket, &plain, Some(&at("packs")));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("lies in the rule pack"), "{said}");

    // Without a sandbox there is nothing that this would break, and it is stopped by something else.
    let tcp = format!(
        "version = 1\n[serve]\nsandbox = \"off\"\ntcp = \"127.0.0.1:9\"\ntcp_token_file = \"{}\"\n",
        at("run/missing").display()
    );
    let open = write(&at("run/open.toml"), &tcp);
    let output = refused(&state, &socket, &open, None);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the token of TCP cannot be used"), "{said}");
}
