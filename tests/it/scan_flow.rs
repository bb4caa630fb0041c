//! `sluice scan` and `sluice classify` decide by a register, and record what they decide.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Found with certainty.
const SSN: &str = "Her SSN: 861-14-3107, social security\n";
const MAIL: &str = "please write to anna.lindqvist@northwind-traders.com today\n";

/// Allows addresses to the archive, and what the workflow carries there.
const REGISTER: &str = r#"
version = 1

[[destination]]
id = "archive"
title = "Archive of the house"
trust = "internal"
url = ["https://archive.example/v1"]
approved = ["pii.email"]

[[destination]]
id = "partner"
title = "A partner"
trust = "external"
url = ["https://partner.example"]
approved = ["pii.email"]

[[workflow]]
id = "nightly"
title = "Nightly export"
owner = "Data office"
purposes = ["reporting"]
approved = ["pii.email"]
destinations = ["archive", "partner"]
[workflow.bind]
anyone = true

[[rule]]
id = "partner.mask-mail"
when = { destination = ["partner"], category = ["pii.email"] }
effect = "redact"
transform = "mask"
reason = "The partner needs no addresses."
"#;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(place.at("export")).unwrap();
        fs::write(place.at("sluice.toml"), REGISTER).unwrap();
        place
    }

    /// With a ledger.
    fn recorded() -> Place {
        let place = Place::new();
        place.ok(&["ledger", "init", "--origin", "example.com/log", "--state-dir", "state"]);
        place
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.at("export").join(name), content).unwrap();
    }

    /// Exit code, standard output and standard error.
    fn run(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("HOME", self.at("nowhere"))
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("SLUICE_STATE_DIR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that refuses its arguments does not read.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(arguments, "");
        assert_eq!(code, 0, "{arguments:?}: {out}{err}");
        out
    }

    /// Exit code and report of a scan of `export` by the register.
    #[track_caller]
    fn scan(&self, more: &[&str]) -> (i32, Value) {
        let fixed = ["scan", "export", "--format", "json", "--config", "sluice.toml"];
        let (code, out, err) = self.run(&[&fixed, more].concat(), "");
        let report = serde_json::from_str(&out);
        (code, report.unwrap_or_else(|_| panic!("{more:?}: {out}{err}")))
    }

    /// Entries of the ledger that answer.
    #[track_caller]
    fn entries(&self, conditions: &[&str]) -> Vec<Value> {
        let fixed = ["ledger", "query", "--format", "json", "--state-dir", "state"];
        let out = self.ok(&[&fixed, conditions].concat());
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

const TO_ARCHIVE: [&str; 6] =
    ["--workflow", "nightly", "--destination", "archive", "--purpose", "reporting"];
const TO_PARTNER: [&str; 6] = [
    "--workflow",
    "nightly",
    "--destination",
    "https://partner.example/in",
    "--purpose",
    "reporting",
];

#[test]
fn the_register_allows_escalates_and_blocks() {
    let place = Place::new();
    place.write("mail.txt", MAIL);
    let block = ["--fail-on", "redact"];
    let (code, report) = place.scan(&[&block[..], &TO_ARCHIVE].concat());
    assert_eq!((code, &report["files"][0]["effect"]), (0, &json!("allow")));
    let reason = report["files"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("Allowed: workflow `nightly`"), "{reason}");
    assert_eq!(report["summary"]["recorded"], "no");

    // Nothing of the flow is known: what was so before there was a register.
    let (code, report) = place.scan(&block);
    assert_eq!((code, &report["summary"]["effect"]), (1, &json!("block")));

    // Nobody rewrites a scanned file.
    let (code, report) = place.scan(&[&block[..], &TO_PARTNER].concat());
    assert_eq!((code, &report["summary"]["effect"]), (3, &json!("escalate")));

    // Regulated and not approved, to the inside.
    place.write("ssn.txt", SSN);
    let (code, report) = place.scan(&[&block[..], &TO_ARCHIVE].concat());
    assert_eq!(code, 3);
    let effects: Vec<_> =
        report["files"].as_array().unwrap().iter().map(|file| file["effect"].clone()).collect();
    assert_eq!(effects, [json!("allow"), json!("escalate")]);
    // Only above the threshold does it end the exit code.
    assert_eq!(place.scan(&[&["--fail-on", "block"][..], &TO_ARCHIVE].concat()).0, 0);
    // Without it nothing is asked of the exit code, and the effect is said.
    let (code, report) = place.scan(&TO_ARCHIVE);
    assert_eq!((code, &report["summary"]["effect"]), (0, &json!("escalate")));
    let (code, report) = place.scan(&[]);
    assert_eq!((code, &report["summary"]["effect"]), (0, &Value::Null));
    assert!(report["files"][0].get("reason").is_none(), "{report}");
}

#[test]
fn a_header_says_what_files_carry_and_conflicts_with_single_claims() {
    let place = Place::new();
    place.write("plain.txt", "nothing\n");
    let flow = |labels: &str| {
        let header = format!(
            r#"{{"workflow": "nightly", "destination": "partner", "purpose": "reporting"{labels}}}"#
        );
        fs::write(place.at("flow.json"), header).unwrap();
        place.scan(&["--flow", "flow.json", "--fail-on", "escalate"])
    };
    assert_eq!(flow("").0, 0);
    let (code, report) = flow(r#", "labels": ["nat.us_ssn"]"#);
    assert_eq!((code, &report["files"][0]["label"]["lineage"]), (1, &json!(["nat.us_ssn"])));
    // A category that does not exist is block, as `decide` has it.
    let (code, report) = flow(r#", "labels": ["no.such"]"#);
    assert_eq!((code, &report["files"][0]["effect"]), (1, &json!("block")));

    let refused = |arguments: &[&str], word: &str| {
        for command in [&["scan", "export"][..], &["classify", "export/plain.txt"]] {
            let (code, _, err) = place.run(&[command, arguments].concat(), "");
            assert!(code == 2 && err.contains(word), "{arguments:?}: {code} {err}");
        }
    };
    refused(&["--flow", "flow.json", "--workflow", "nightly"], "cannot be used with");
    refused(&["--flow", "missing.json"], "missing.json");
    refused(&["--purpose", ""], "`purpose` is empty");
    for field in ["grant", "escalation", "format"] {
        let header = format!(r#"{{"{field}": "text"}}"#);
        fs::write(place.at("of-one.json"), header).unwrap();
        refused(&["--flow", "of-one.json"], &format!("leave out `{field}`"));
    }
    refused(&["--config", "missing.toml"], "missing.toml");
    // A channel that the file names stays.
    fs::write(place.at("flow.json"), r#"{"channel": "prompt"}"#).unwrap();
    assert_eq!(place.scan(&["--flow", "flow.json"]).0, 0);
}

#[test]
fn a_file_is_a_source_of_its_own() {
    let place = Place::recorded();
    place.write("mail.txt", MAIL);
    let register = REGISTER.replace("[workflow.bind]", "evidence = [\"source\"]\n[workflow.bind]");
    fs::write(place.at("sluice.toml"), register).unwrap();
    let state = ["--state-dir", "state", "--fail-on", "allow"];
    assert_eq!(place.scan(&[&state[..], &TO_ARCHIVE].concat()).0, 0);
    let config = ["--config", "sluice.toml", "--fail-on", "allow"];
    let classify =
        |file: &str| place.run(&[&["classify", file][..], &config, &TO_ARCHIVE].concat(), MAIL).0;
    // Standard input has none unless the header names one.
    assert_eq!((classify("export/mail.txt"), classify("-")), (0, 1));

    // A header's own source stands over the whole run.
    let header = json!({"workflow": "nightly", "source": "the crm"});
    fs::write(place.at("flow.json"), header.to_string()).unwrap();
    place.scan(&["--state-dir", "state", "--flow", "flow.json"]);
    let last = |kind: &str| place.entries(&["--kind", kind]).pop().unwrap()["source"].clone();
    assert_eq!(last("decision"), json!({"claimed": "export/mail.txt"}));
    assert_eq!(last("scan_summary"), json!({"claimed": "the crm"}));
}

#[test]
fn an_interrupted_scan_is_recorded_as_such() {
    let place = Place::recorded();
    for number in 0..400 {
        place.write(&format!("f{number:03}"), &SSN.repeat(2000));
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["scan", "export", "-j", "1", "--state-dir", "state", "--format", "jsonl"])
        .current_dir(place.folder.path())
        .env("HOME", place.at("nowhere"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It is under way once it says something.
    let mut first = [0; 1];
    let mut out = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut out, &mut first).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    std::io::copy(&mut out, &mut std::io::sink()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let summary = place.entries(&["--kind", "scan_summary"]).remove(0);
    assert_eq!(summary["interrupted"], true);
    let decisions = place.entries(&["--kind", "decision"]).len();
    assert_eq!(summary["decisions"], decisions);
    assert_eq!(summary["seen"]["files"], decisions);
    assert!((1..400).contains(&decisions), "{decisions}");
}

#[test]
fn a_recorded_scan_adds_up_and_is_found() {
    let place = Place::recorded();
    place.write("a.txt", SSN);
    place.write("b.txt", MAIL);
    fs::write(place.at("export/c.png"), b"\x89PNG\r\n\x1a\n0000").unwrap();
    std::os::unix::fs::symlink("a.txt", place.at("export/link")).unwrap();
    let state = ["--state-dir", "state"];
    let (code, report) = place.scan(&[&state[..], &TO_ARCHIVE].concat());
    assert_eq!((code, &report["summary"]["recorded"]), (0, &json!("yes")));

    let decisions = place.entries(&["--kind", "decision"]);
    let summary = place.entries(&["--kind", "scan_summary"]).remove(0);
    let files = |outcome: &str| summary[outcome]["files"].as_u64().unwrap();
    let sum: u64 = ["scanned", "partial", "skipped", "failed"].into_iter().map(files).sum();
    assert_eq!(sum, files("seen"), "{summary}");
    assert_eq!(summary["seen"], report["summary"]["seen"]);
    assert_eq!(summary["decisions"].as_u64().unwrap(), files("seen") - files("skipped"));
    assert_eq!(summary["decisions"], decisions.len());
    assert_eq!(summary["first"], decisions[0]["sequence"]);
    assert_eq!(summary["command"], "scan");
    assert_eq!(summary["highest_effect"], report["summary"]["effect"]);
    assert_eq!(summary["destination"]["id"], "archive");

    let of = |name: &str| {
        let is = |entry: &&Value| entry["source"]["claimed"] == format!("export/{name}");
        decisions.iter().find(is).unwrap_or_else(|| panic!("no entry of {name}"))
    };
    assert_eq!(of("a.txt")["effect"], "escalate");
    assert_eq!(of("a.txt")["bytes"], SSN.len());
    assert_eq!(of("a.txt")["escalation"], Value::Null);
    assert_eq!(of("b.txt")["effect"], "allow");
    assert_eq!(of("b.txt")["released"], Value::Null);
    assert_eq!(of("c.png")["coverage"]["reasons"], json!(["opaque"]));
    assert_eq!(of("b.txt")["workload"]["attested"]["self_attested"], true);
    assert_eq!(of("b.txt")["workload"]["claimed"]["workflow"]["bound"], true);
    // What is shown is under another key than what is kept.
    let kept = of("a.txt")["categories"]["nat.us_ssn"]["fingerprints"][0].as_str().unwrap();
    assert!(!report.to_string().contains(kept));
    assert!(report["files"][0]["findings"][0]["fingerprint"].is_string());

    let found = place.entries(&["--category", "nat.us_ssn", "--workflow", "nightly"]);
    assert_eq!(found.len(), 1, "{found:?}");
    let mac = of("b.txt")["payload_mac"].as_str().unwrap();
    let found = place.entries(&["--payload", mac]);
    assert_eq!(found.len(), 1);
    place.ok(&["ledger", "verify", "--state-dir", "state"]);

    // The same bytes and the same value have one MAC and one fingerprint, whoever decides.
    fs::write(place.at("flow.json"), r#"{"channel": "export"}"#).unwrap();
    let decide = ["decide", "export/a.txt", "--flow", "flow.json", "--state-dir", "state"];
    assert_eq!(place.run(&decide, "").0, 1);
    let same = place.entries(&["--payload", of("a.txt")["payload_mac"].as_str().unwrap()]);
    assert_eq!(same.len(), 2, "{same:?}");
    assert_eq!(same[0]["categories"], same[1]["categories"]);
}

#[test]
fn large_files_and_many_files_are_recorded() {
    let place = Place::recorded();
    let row = "row of text without anything in it\n";
    // One that is scanned in segments by several threads, and one that is read in pieces.
    let (large, pieces) = (row.repeat((9 << 20) / row.len()), row.repeat((2 << 20) / row.len()));
    place.write("large.txt", &(large + SSN));
    place.write("pieces.txt", &(pieces + SSN));
    for number in 0..600 {
        place.write(&format!("f{number}"), "text");
    }
    let (code, report) = place.scan(&["--state-dir", "state", "-j", "2", "--fail-on", "block"]);
    assert_eq!((code, &report["summary"]["recorded"]), (1, &json!("yes")));
    let decisions = place.entries(&["--kind", "decision"]);
    assert_eq!(decisions.len(), 602);
    for name in ["large.txt", "pieces.txt"] {
        let is = |entry: &&Value| entry["source"]["claimed"] == format!("export/{name}");
        let entry = decisions.iter().find(is).unwrap();
        fs::write(place.at("flow.json"), r#"{"channel": "export"}"#).unwrap();
        let path = format!("export/{name}");
        let decide = ["decide", &path, "--flow", "flow.json", "--state-dir", "state"];
        assert_eq!(place.run(&decide, "").0, 1);
        let same = place.entries(&["--payload", entry["payload_mac"].as_str().unwrap()]);
        assert_eq!(same.len(), 2, "{name}");
    }
    place.ok(&["ledger", "verify", "--state-dir", "state"]);
}

#[test]
fn a_register_that_requires_records_gets_them() {
    let place = Place::new();
    place.write("mail.txt", MAIL);
    let required = format!("{REGISTER}\n[record]\nrequired = true\n");
    fs::write(place.at("sluice.toml"), required).unwrap();
    let config = ["--config", "sluice.toml"];
    for command in
        [&["scan", "export"][..], &["classify", "export/mail.txt"], &["classify", "--jsonl"]]
    {
        let (code, out, err) = place.run(&[command, &config].concat(), "");
        assert!(code == 2 && err.contains("sluice ledger init"), "{code} {err}");
        assert_eq!(out, "");
    }
    place.ok(&[
        "ledger",
        "init",
        "--origin",
        "e.com/l",
        "--state-dir",
        "nowhere/.local/state/sluice",
    ]);
    let out = place.ok(&["scan", "export", "--config", "sluice.toml"]);
    assert!(out.contains("recorded: yes"), "{out}");
}

#[test]
fn what_cannot_be_recorded_exits_4_and_says_so() {
    let place = Place::recorded();
    place.write("mail.txt", MAIL);
    let _holder = Holder::of(&place);
    for command in [&["scan", "export"][..], &["classify", "export/mail.txt"]] {
        let (code, out, err) = place.run(&[command, &["--state-dir", "state"]].concat(), "");
        assert!(code == 4 && err.contains("another process holds the ledger"), "{code} {err}");
        assert_eq!(out, "");
    }
}

#[test]
fn a_ledger_that_fails_while_it_runs_ends_the_run() {
    let place = Place::recorded();
    place.write("mail.txt", MAIL);
    // The policy is on record, so that the first entry of the next run is a decision.
    place.ok(&["scan", "export", "--state-dir", "state"]);
    let before = place.entries(&[]).len();
    for command in ["scan export", "classify export/mail.txt", "classify --jsonl"] {
        // No byte can be written to any file.
        let script = format!(
            "trap '' XFSZ; ulimit -f 0; echo '{{\"id\": 1, \"text\": \"a\"}}' | \
             {} {command} --state-dir state",
            env!("CARGO_BIN_EXE_sluice"),
        );
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(place.folder.path())
            .env("HOME", place.at("nowhere"))
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(4), "{command}: {out}{err}");
        assert!(err.contains("the decisions cannot be recorded"), "{command}: {err}");
        assert!(!out.contains("recorded"), "{command}: {out}");
    }
    assert_eq!(place.entries(&[]).len(), before);
}

/// Holds the lock of a ledger, as a daemon would.
struct Holder {
    _lock: fs::File,
}

impl Holder {
    fn of(place: &Place) -> Holder {
        let lock = fs::File::options().write(true).open(place.at("state/lock")).unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
        Holder { _lock: lock }
    }
}

#[test]
fn classify_decides_and_records_one_payload() {
    let place = Place::recorded();
    let fixed = ["classify", "--config", "sluice.toml", "--state-dir", "state", "--format", "json"];
    let classify = |more: &[&str]| {
        let (code, out, err) = place.run(&[&fixed, more].concat(), MAIL);
        let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        assert_eq!(answer["recorded"], "yes");
        (code, answer)
    };
    let (code, answer) = classify(&[&["--fail-on", "redact"][..], &TO_ARCHIVE].concat());
    assert_eq!((code, &answer["effect"]), (0, &json!("allow")));
    let (code, answer) = classify(&[&["--fail-on", "redact"][..], &TO_PARTNER].concat());
    assert_eq!((code, &answer["effect"]), (3, &json!("escalate")));
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.contains("is to be redacted, and this payload cannot be"), "{reason}");
    let (code, answer) = classify(&["--fail-on", "redact"]);
    assert_eq!((code, &answer["effect"]), (1, &json!("block")));
    let effects: Vec<_> =
        place.entries(&["--kind", "decision"]).iter().map(|it| it["effect"].clone()).collect();
    assert_eq!(effects, [json!("allow"), json!("escalate"), json!("block")]);
    let entry = place.entries(&["--destination", "partner"]).remove(0);
    assert_eq!((&entry["source"], &entry["bytes"]), (&Value::Null, &json!(MAIL.len())));
}

#[test]
fn lines_are_durable_before_they_are_answered() {
    let place = Place::recorded();
    let line = |id: &str, text: &str| json!({"id": id, "text": text}).to_string();
    let lines = [line("one", MAIL), "no request".to_owned(), line("two", SSN), String::new()];
    let fixed = ["classify", "--jsonl", "--config", "sluice.toml", "--state-dir", "state"];
    let (code, out, _) = place.run(&[&fixed[..], &TO_ARCHIVE].concat(), &lines.join("\n"));
    assert_eq!(code, 2, "{out}");
    let answers: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 3);
    assert_eq!((&answers[0]["effect"], &answers[0]["recorded"]), (&json!("allow"), &json!("yes")));
    assert_eq!(answers[2]["effect"], "escalate");
    let decisions = place.entries(&["--kind", "decision"]);
    let sources: Vec<_> = decisions.iter().map(|it| it["source"]["claimed"].clone()).collect();
    assert_eq!(sources, [json!("one"), json!("two")]);
    let kept = &decisions[1]["categories"]["nat.us_ssn"]["fingerprints"][0];
    assert!(kept.is_string() && !out.contains(kept.as_str().unwrap()));
    let summary = place.entries(&["--kind", "scan_summary"]).remove(0);
    assert_eq!((&summary["command"], &summary["decisions"]), (&json!("classify"), &json!(2)));
    assert_eq!((&summary["seen"]["files"], &summary["failed"]["files"]), (&json!(3), &json!(1)));

    // Without a register, a flow or a ledger nothing is decided, and it is said.
    let (code, out, _) = place.run(&["classify", "--jsonl"], &lines[0]);
    assert!(code == 0 && out.contains("\"recorded\":\"no\"") && !out.contains("effect"), "{out}");
}

#[test]
fn nothing_of_a_payload_or_a_name_is_in_the_state_directory() {
    let place = Place::recorded();
    let number = "574-22-8190";
    place.write("a.txt", &format!("ssn {number}\n"));
    place.write(&format!("ssn {number}.txt"), "text");
    place.write("keys.json", &format!("{{\"ssn {number}\": \"password=Pq7xCanaryPay9\"}}"));
    let state = ["--state-dir", "state"];
    place.scan(
        &[&state[..], &["--destination", &format!("https://x.example/ssn {number}")]].concat(),
    );
    let line = json!({"id": format!("ssn {number}"), "text": format!("ssn {number}")}).to_string();
    place.run(&[&["classify", "--jsonl"][..], &state].concat(), &line);
    let header = json!({"run": format!("ssn {number}"), "purpose": format!("ssn {number}")});
    fs::write(place.at("flow.json"), header.to_string()).unwrap();
    place.run(&[&["classify", "export/a.txt", "--flow", "flow.json"][..], &state].concat(), "");
    assert_eq!(place.entries(&["--kind", "decision"]).len(), 5);

    let mut read = 0;
    search(&place.at("state"), &mut |path, content| {
        read += content.len();
        for value in [number, "574228190", "Pq7xCanaryPay9"] {
            let is_there = memchr::memmem::find(content, value.as_bytes()).is_some();
            assert!(!is_there, "{value} is in {path:?}");
        }
    });
    assert!(read > 1000);
}

/// Calls `take` with each file below a folder.
fn search(folder: &Path, take: &mut dyn FnMut(&OsStr, &[u8])) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, take);
        } else {
            take(path.as_os_str(), &fs::read(&path).unwrap());
        }
    }
}

#[test]
fn a_state_directory_inside_what_is_scanned_is_passed_over() {
    let place = Place::recorded();
    place.write("mail.txt", MAIL);
    let arguments = ["scan", ".", "--format", "json", "--state-dir", "state"];
    let report: Value = serde_json::from_str(&place.ok(&arguments)).unwrap();
    let paths: Vec<&str> = report["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["./export/mail.txt", "./sluice.toml"]);
}

#[test]
fn the_help_says_where_decisions_come_from_and_go() {
    let place = Place::new();
    for command in ["scan", "classify"] {
        let help = place.ok(&[command, "--help"]);
        for option in [
            "--flow",
            "--workflow",
            "--destination",
            "--purpose",
            "--config",
            "--state-dir",
            "--fail-on",
        ] {
            assert!(help.contains(option), "{command}: {option}");
        }
        assert!(help.contains("Decision and record:"), "{help}");
    }
}
