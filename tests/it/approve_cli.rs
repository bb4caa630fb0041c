//! `sluice approvals`, from an escalation to its grant.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use sluicegate::approve::{Authority, Held, Statement, Terms};
use sluicegate::config::{self, Origin};
use sluicegate::model::Effect;
use sluicegate::policy::{Flow, Policy, decide};
use sluicegate::record::pending::{Kept, Pending};
use sluicegate::record::{EscalationId, Moment};
use sluicegate::rules::Source;
use ssh_key::LineEnding;

use crate::approve::{flow, key, label};
use crate::approve_ssh::{has_ssh_keygen, ssh_keygen};
use crate::support;

const ID: EscalationId = EscalationId::new([5; 16]);

/// A state directory with an escalation, a register, and keys of people.
struct Office {
    folder: tempfile::TempDir,
    policy: Policy,
    flow: Flow,
    now: Moment,
}

/// The time of the machine: the command takes no other.
fn now() -> Moment {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("read");
    let uptime = fs::read_to_string("/proc/uptime").expect("read");
    let uptime: f64 = uptime.split(' ').next().expect("a number").parse().expect("a number");
    Moment {
        wall: u64::try_from(wall).expect("before 2554"),
        monotonic: (uptime * 1e9) as u64,
        boot: boot.trim().to_owned(),
    }
}

impl Office {
    fn new() -> Office {
        let folder = tempfile::tempdir().expect("a folder");
        let public = |seed: u8| key(seed).public_key().to_openssh().expect("written");
        let text = format!(
            r#"version = 1

[[destination]]
id = "archive"
title = "Archive"
trust = "internal"
url = ["https://archive.example"]
approved = ["pii.email"]

[[workflow]]
id = "letters"
title = "Letters"
owner = "dora"
purposes = ["treatment"]
approved = ["pii.email"]
destinations = ["archive"]
approvers = ["anna", "asker"]
approvals = 1
[workflow.bind]
anyone = true

[[approver]]
id = "anna"
key = "{}"
approve = ["pci"]

[[approver]]
id = "asker"
key = "{}"
uid = 1000
approve = ["pci"]
"#,
            public(1),
            public(4)
        );
        let file = folder.path().join("sluice.toml");
        fs::write(&file, &text).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("set");
        for (name, seed) in [("anna", 1), ("asker", 4), ("stranger", 9)] {
            let private = key(seed).to_openssh(LineEnding::LF).expect("written");
            let path = folder.path().join(name);
            fs::write(&path, private.as_bytes()).expect("written");
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("set");
        }
        let source = Source { name: file.display().to_string(), text, builtin: false };
        let taxonomy = &support::rules().taxonomy;
        let version = env!("CARGO_PKG_VERSION");
        let config = config::compile(&source, taxonomy, Origin::System, version);
        let policy = match config {
            Ok(config) => config.policy,
            Err(faults) => panic!("{}", faults.render(std::slice::from_ref(&source))),
        };
        let office = Office { folder, policy, flow: flow(), now: now() };
        let statement = office.statement();
        let bytes = statement.to_bytes().expect("short");
        let pending = Pending::open(office.path()).expect("opens");
        pending.create(ID, &bytes, statement.bounds(), &office.now).expect("kept");
        office
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn label(&self) -> sluicegate::model::Label {
        let taxonomy = &support::rules().taxonomy;
        label(&[(taxonomy.find("pci.pan").expect("it is one"), 2)], &[])
    }

    fn statement(&self) -> Statement {
        let (rules, label) = (support::rules(), self.label());
        let decision = decide(&self.policy, &label, &self.flow, &[], self.now.seconds());
        let held = Held {
            policy: &self.policy,
            taxonomy: &rules.taxonomy,
            flow: &self.flow,
            label: &label,
            findings: &[],
            decision: &decision,
            requester: 1000,
            destination: ("https", "archive.example"),
        };
        Statement::of(held, Terms::default(), ID, self.now.seconds()).expect("it was escalated")
    }

    fn sluice(&self, arguments: &[&str]) -> Output {
        self.sluice_with(arguments, None)
    }

    fn sluice_with(&self, arguments: &[&str], agent: Option<&Path>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command.arg("approvals").args(arguments).args(["--state-dir", ".", "--config"]);
        command.arg(self.path().join("sluice.toml")).current_dir(self.path());
        command.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null());
        if let Some(agent) = agent {
            command.env("SSH_AUTH_SOCK", agent);
        }
        command.output().expect("it starts")
    }

    fn said(&self, arguments: &[&str]) -> String {
        let output = self.sluice(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("it is text")
    }

    /// What a failing call says.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.sluice(arguments);
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).expect("it is text")
    }

    /// Collects, grants and uses, as whoever releases does.
    fn present(&self) -> Result<Effect, String> {
        let (rules, now) = (support::rules(), now());
        let authority = Authority { policy: &self.policy, taxonomy: &rules.taxonomy };
        let pending = Pending::open(self.path()).expect("opens");
        let mut judge = |kept: &Kept, arrival: &_| authority.judge(kept, arrival);
        pending
            .collect(ID, &authority.approvers(), &now, &mut judge)
            .map_err(|error| error.to_string())?;
        let kept = pending.load(ID, &now).map_err(|error| error.to_string())?;
        let grant = authority.grant(&kept, now.seconds()).map_err(|error| error.to_string())?;
        let facts = [grant.facts(&rules.taxonomy)];
        let decision = decide(&self.policy, &self.label(), &self.flow, &facts, now.seconds());
        if decision.grants.is_empty() {
            return Err(format!("{:?}", decision.refusals));
        }
        let used = pending.consume(ID, self.flow.bytes, &now, |_| Ok::<(), String>(()));
        used.map_err(|error| error.to_string())?;
        Ok(decision.effect)
    }
}

#[test]
fn an_escalation_is_listed_shown_approved_and_used() {
    let office = Office::new();
    let id = ID.to_string();
    let list = office.said(&["list"]);
    assert!(list.contains(&id) && list.contains("waiting: 0 of 1 approvals"), "{list}");
    let shown = office.said(&["show", &id]);
    let digest = Statement::digest(&office.statement().to_bytes().expect("short")).to_string();
    for part in [
        "Held for a person to approve: ",
        "default.regulated-internal",
        "user 1000",
        "uid:1500 unit:mailer.service",
        "archive (https archive.example), as tool_input",
        "pci.pan 2",
        "this payload, one time, within 15m of the last approval",
        &digest,
        "{\"v\":1,",
    ] {
        assert!(shown.contains(part), "`{part}` is in:\n{shown}");
    }
    // A whole day where it is asked within the second.
    assert!(shown.contains("23h 5") || shown.contains("1day left"), "{shown}");
    let raw = office.said(&["show", &id, "--raw"]);
    assert_eq!(raw.as_bytes(), office.statement().to_bytes().expect("short"));
    assert!(office.present().expect_err("nobody approved it").contains("0 of 1"));

    let refused = office.refused(&["approve", &id, "--key", "anna"]);
    assert!(refused.contains("--yes") && refused.contains(&digest), "{refused}");
    let refused = office.refused(&["approve", &id, "--key", "stranger", "--yes"]);
    assert!(refused.contains("no approver is registered"), "{refused}");
    let refused = office.refused(&["approve", &id, "--key", "asker", "--yes"]);
    assert!(refused.contains("`asker` asked for it"), "{refused}");
    let refused = office.refused(&["approve", &id, "--yes"]);
    assert!(refused.contains("SSH_AUTH_SOCK"), "{refused}");
    assert!(office.present().is_err());

    office.said(&["approve", &id, "--key", "anna", "--yes"]);
    let json: Value = serde_json::from_str(&office.said(&["list", "--format", "json"])).unwrap();
    let listed = &json["escalations"][0];
    assert_eq!(listed["standing"], "approved", "{json}");
    assert_eq!(listed["approvals"][0], "anna");
    assert_eq!(listed["statement"]["categories"]["pci.pan"], 2);
    assert_eq!(office.present(), Ok(Effect::Allow));
    assert!(office.present().expect_err("one time").contains("used already"));
    assert_eq!(office.said(&["list"]), "nothing waits\n");
    assert!(office.said(&["list", "--all"]).contains("    used\n"));
    let refused = office.refused(&["approve", &id, "--key", "anna", "--yes"]);
    assert!(refused.contains("is used"), "{refused}");
}

#[test]
fn a_denial_ends_it() {
    let office = Office::new();
    let id = ID.to_string();
    office.said(&["approve", &id, "--key", "anna", "--yes"]);
    let reason = ["--reason", "not before the audit, 861-14-3107"];
    office.said(&[&["deny", &id, "--key", "asker", "--yes"][..], &reason].concat());
    assert!(office.present().expect_err("it ended").contains("`asker` denied it: not before"));
    let all = office.said(&["list", "--all"]);
    assert!(all.contains("denied: by asker") && !all.contains("861"), "{all}");
    assert!(
        office
            .refused(&["deny", &id, "--key", "anna", "--yes", "--reason", "x"])
            .contains("denied")
    );
    assert!(office.refused(&["show", "gaytemzugu3doobzmfrggzdfmy"]).contains("is kept here"));
    assert!(office.refused(&["show", "../../etc/passwd"]).contains("26 characters"));
}

#[test]
fn a_statement_that_was_sent_is_enough_to_sign() {
    let office = Office::new();
    let id = ID.to_string();
    let bytes = office.statement().to_bytes().expect("short");
    fs::write(office.path().join("sent.json"), [&bytes[..], b"\n"].concat()).expect("written");
    // Where nothing else can be read.
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::create_dir(elsewhere.path().join("inbox")).expect("made");
    let approve = |statement: &str| {
        Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["approvals", "approve", &id, "--key", "anna", "--yes", "--statement", statement])
            .arg("--state-dir")
            .arg(elsewhere.path())
            .arg("--config")
            .arg(office.path().join("sluice.toml"))
            .current_dir(office.path())
            .output()
            .expect("it starts")
    };
    let output = approve("sent.json");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let name = format!("inbox/{ID}.anna.sig");
    fs::copy(elsewhere.path().join(&name), office.path().join(&name)).expect("copied");
    assert_eq!(office.present(), Ok(Effect::Allow));
    // Twice, and in a changed form.
    assert!(!approve("sent.json").status.success());
    let altered = String::from_utf8(bytes).expect("text").replace("archive", "Archive");
    fs::write(office.path().join("altered.json"), altered.replace("{\"v\"", "{ \"v\""))
        .expect("written");
    assert_eq!(approve("altered.json").status.code(), Some(2));
}

/// An agent of this test, which ends with it.
struct Agent(std::process::Child, PathBuf);

impl Agent {
    fn start(folder: &Path) -> Agent {
        let socket = folder.join("agent");
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("ssh-agent starts");
        for _ in 0..500 {
            if socket.exists() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Agent(child, socket)
    }

    fn add(&self, key: &Path) {
        let mut command = Command::new("ssh-add");
        command.arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.1).stdin(Stdio::null());
        assert!(command.status().expect("ssh-add starts").success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_agent_and_ssh_keygen_can_sign() {
    if !has_ssh_keygen() {
        return;
    }
    let office = Office::new();
    let id = ID.to_string();
    let agent = Agent::start(office.path());
    let approve = |more: &[&str]| {
        office.sluice_with(&[&["approve", &id, "--yes"][..], more].concat(), Some(&agent.1))
    };
    let text = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let none = approve(&[]);
    assert!(text(&none).contains("has no key of a registered approver"), "{}", text(&none));
    agent.add(&office.path().join("stranger"));
    agent.add(&office.path().join("anna"));
    // The file has a passphrase now, and the agent the key.
    ssh_keygen(office.path(), &["-q", "-p", "-N", "passphrase", "-f", "anna"]);
    let without = office.refused(&["approve", &id, "--yes", "--key", "anna"]);
    assert!(without.contains("ssh-agent"), "{without}");
    for more in [&[][..], &["--key", "anna"]] {
        let output = approve(more);
        assert!(output.status.success(), "{}", text(&output));
        fs::remove_file(office.path().join(format!("inbox/{ID}.anna.sig"))).expect("left");
    }
    let public = key(1).public_key().to_openssh().expect("written");
    fs::write(office.path().join("anna.pub"), public).expect("written");
    fs::write(office.path().join("statement"), office.said(&["show", &id, "--raw"]))
        .expect("written");
    let status = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-f", "anna.pub", "-n", "sluice-grant", "statement"])
        .current_dir(office.path())
        .env("SSH_AUTH_SOCK", &agent.1)
        .stdin(Stdio::null())
        .status();
    assert!(status.expect("ssh-keygen starts").success());
    let output = approve(&["--signature", "statement.sig"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(office.present(), Ok(Effect::Allow));
}

#[test]
fn a_key_that_others_can_read_does_not_sign() {
    let office = Office::new();
    let open = fs::Permissions::from_mode(0o640);
    fs::set_permissions(office.path().join("anna"), open).expect("set");
    let refused = office.refused(&["approve", &ID.to_string(), "--key", "anna", "--yes"]);
    assert!(refused.contains("chmod 600"), "{refused}");
}

/// Runs `decide` on a payload with card numbers; the decision in JSON and the exit code.
fn decide_cards(office: &Office, state: &Path, payload: &str, grant: Option<&str>) -> (Value, i32) {
    let mut header = serde_json::json!({
        "channel": "export",
        "workflow": "letters",
        "destination": "https://archive.example/in",
        "purpose": "treatment",
    });
    if let Some(grant) = grant {
        header["grant"] = grant.into();
    }
    fs::write(office.path().join("flow.json"), header.to_string()).expect("written");
    fs::write(office.path().join("payload"), payload).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["decide", "--init", "--flow", "flow.json", "--format", "json", "payload"])
        .arg("--state-dir")
        .arg(state)
        .arg("--config")
        .arg(office.path().join("sluice.toml"))
        .current_dir(office.path())
        .output()
        .expect("it starts");
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code().expect("it ends by itself");
    (serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{code}: {shown}")), code)
}

#[test]
fn a_payload_that_was_held_passes_with_its_approval_and_no_other_does() {
    let office = Office::new();
    let state = office.path().join("state");
    let cards = "card number 4916 7382 0594 1735, mastercard 5424 1827 9730 5615\n";
    let (held, code) = decide_cards(&office, &state, cards, None);
    assert_eq!((code, &held["effect"]), (3, &Value::from("escalate")), "{held}");
    let id = held["escalation"]["id"].as_str().expect("an id").to_owned();
    let (still, code) = decide_cards(&office, &state, cards, Some(&id));
    assert_eq!(code, 3, "{still}");

    let approvals = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command.arg("approvals").args(arguments).arg("--state-dir").arg(&state).arg("--config");
        command.arg(office.path().join("sluice.toml")).current_dir(office.path());
        let output = command.stdin(Stdio::null()).output().expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("it is text")
    };
    let shown = approvals(&["show", &id]);
    assert!(shown.contains("**** **** **** ****") && !shown.contains("4916"), "{shown}");
    approvals(&["approve", &id, "--key", "anna", "--yes"]);
    // Another payload first: it uses nothing up.
    let other = cards.replace("mastercard", "Mastercard");
    let (other, code) = decide_cards(&office, &state, &other, Some(&id));
    assert_eq!(code, 3, "{other}");
    let (passed, code) = decide_cards(&office, &state, cards, Some(&id));
    assert_eq!(
        (code, &passed["effect"], &passed["grant"]),
        (0, &"allow".into(), &id.as_str().into()),
        "{passed}"
    );
    let (again, code) = decide_cards(&office, &state, cards, Some(&id));
    assert_eq!(code, 3, "{again}");
    // What is on disk of it holds no digit of a card.
    let mut folders = vec![state.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).expect("read");
                let holds = |text: &[u8]| bytes.windows(text.len()).any(|it| it == text);
                assert!(!holds(b"4916 7382") && !holds(b"9730 5615"), "{}", path.display());
            }
        }
    }
    let journal = fs::read_dir(state.join("journal")).expect("listed");
    let journal: Vec<u8> =
        journal.flat_map(|it| fs::read(it.expect("an entry").path()).expect("read")).collect();
    let journal = String::from_utf8_lossy(&journal);
    for kind in ["escalation", "approval", "grant_use"] {
        assert!(journal.contains(&format!("\"kind\":\"{kind}\"")), "{kind} is recorded");
    }
}
