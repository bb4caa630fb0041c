//! `sluice decide` as scripts call it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use ssh_key::LineEnding;

use crate::approve::key;

const REGISTER: &str = r#"version = 1
[[destination]]
id = "outside"
trust = "external"
url = ["https://api.example.net"]
approved = ["pii"]
[[destination]]
id = "inside"
trust = "internal"
url = ["https://in.example.net"]
approved = ["pii"]
[[workflow]]
id = "letters"
owner = "anna"
purposes = ["treatment"]
approved = ["pii"]
destinations = ["outside", "inside"]
approvers = ["anna"]
[workflow.bind]
anyone = true
[[workflow]]
id = "payroll"
owner = "bert"
purposes = ["salaries"]
approved = ["pii"]
destinations = ["outside"]
[workflow.bind]
uid = [4_000_000_000]
[[workflow]]
id = "audited"
owner = "carl"
purposes = ["audit"]
approved = ["pii"]
destinations = ["outside"]
evidence = ["run", "agent"]
[workflow.bind]
anyone = true
[[approver]]
id = "anna"
key = "@ANNA@"
approve = ["nat", "pci"]
[[approver]]
id = "carl"
key = "@CARL@"
approve = ["phi"]
[[rule]]
id = "cards-become-tokens"
when = { category = ["pci.pan"], destination = ["outside"] }
effect = "redact"
transform = "tokenize"
reason = "No card number leaves."
"#;

/// A folder with a register, keys and a ledger.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let public = |seed: u8| key(seed).public_key().to_openssh().unwrap();
        let register = REGISTER.replace("@ANNA@", &public(1)).replace("@CARL@", &public(3));
        let place = Place(folder);
        place.write("sluice.toml", register.as_bytes());
        for (name, seed) in [("anna", 1), ("carl", 3)] {
            place.write(name, key(seed).to_openssh(LineEnding::LF).unwrap().as_bytes());
        }
        place.write("mail", EMAIL);
        assert_eq!(place.run(&["ledger", "init"], b"").status.code(), Some(0));
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .current_dir(self.path())
            .args(arguments)
            .env("SLUICE_STATE_DIR", self.path().join("state"))
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// Decides; gives the exit code and the decision.
    fn decide(&self, flow: &Value, payload: &[u8]) -> (i32, Value) {
        self.write("flow.json", flow.to_string().as_bytes());
        let decide = ["decide", "--config", "sluice.toml", "--flow", "flow.json"];
        let output = self.run(&[&decide[..], &["--format", "json"]].concat(), payload);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let decision = serde_json::from_slice(&output.stdout);
        (output.status.code().unwrap(), decision.unwrap_or(Value::String(errors)))
    }

    /// The entries of the ledger.
    fn entries(&self) -> Vec<Value> {
        let output = self.run(&["ledger", "query", "--format", "json"], b"");
        assert_eq!(output.status.code(), Some(0));
        let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }
}

fn to(destination: &str) -> Value {
    json!({
        "channel": "prompt", "workflow": "letters", "purpose": "treatment", "run": "r1",
        "destination": destination, "trigger": "dr.meyer",
    })
}

const OUTSIDE: &str = "https://api.example.net/v1";
const EMAIL: &[u8] = b"write to maria.keller@mail-service.com";
const CARD: &[u8] = b"card number 4556 7375 8689 9855, thanks";

fn determining(decision: &Value) -> Vec<&str> {
    let items = decision["determining"].as_array().unwrap();
    items.iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[test]
fn a_workflow_that_is_bound_to_somebody_else_blocks() {
    let place = Place::new();
    let stolen = json!({
        "channel": "prompt", "workflow": "payroll", "purpose": "salaries", "destination": OUTSIDE,
    });
    let (code, decision) = place.decide(&stolen, b"nothing in here");
    assert_eq!((code, determining(&decision)), (1, vec!["identity.binding"]));
    let entry = place.entries().pop().unwrap();
    assert_eq!(entry["workload"]["claimed"]["workflow"]["bound"], false);
    assert_eq!(entry["workload"]["attested"]["self_attested"], true);
}

#[test]
fn what_a_workflow_requires_has_to_be_named() {
    let place = Place::new();
    let flow = json!({
        "channel": "prompt", "workflow": "audited", "purpose": "audit", "destination": OUTSIDE,
        "run": "r",
    });
    let (code, decision) = place.decide(&flow, EMAIL);
    assert_eq!((code, determining(&decision)), (1, vec!["evidence.missing"]));
}

#[test]
fn what_a_header_says_never_makes_a_payload_look_better() {
    let place = Place::new();
    let mut flow = to(OUTSIDE);
    assert_eq!(place.decide(&flow, EMAIL).0, 0);
    flow["labels"] = json!(["phi.icd10"]);
    let (code, decision) = place.decide(&flow, EMAIL);
    assert_eq!((code, &decision["label"]["lineage"]), (1, &json!(["phi.icd10"])));
    // A category that does not exist, or a format, is an error, and an error is block.
    flow["labels"] = json!(["phi.nothing"]);
    let (code, decision) = place.decide(&flow, EMAIL);
    assert_eq!((code, &decision["cause"]), (1, &json!("error")));
    let mut flow = to(OUTSIDE);
    flow["format"] = json!("docx");
    assert_eq!(place.decide(&flow, EMAIL).0, 1);
    // An archive stays one, whatever it is declared as.
    flow["format"] = json!("text");
    let (code, decision) = place.decide(&flow, b"PK\x03\x04\x14\0\0\0\x08\0binary\0\x01\x02");
    assert_eq!((code, &decision["label"]["coverage"]["reasons"]), (3, &json!(["opaque"])));
}

#[test]
fn a_declared_format_takes_nothing_away() {
    let place = Place::new();
    let record = "Patient: Maria Keller, born 1961-04-12, SSN 219-09-9998\n";
    let utf16: Vec<u8> = record.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let table: String = (0..30).map(|at| format!("{at},2190999{:02}\n", 50 + at)).collect();
    let table = format!("row,ssn\nx,y\nz,w\n{table}");
    for payload in [record.as_bytes(), &utf16, table.as_bytes()] {
        let mut flow = to("https://elsewhere.example.org");
        assert_eq!(place.decide(&flow, payload).0, 1);
        for format in ["text", "csv", "json", "ndjson", "markdown", "utf-16le", "utf-16be"] {
            flow["format"] = json!(format);
            let (code, decision) = place.decide(&flow, payload);
            assert_eq!(code, 1, "{format}: {decision}");
        }
    }
}

#[test]
fn a_denial_counts_for_the_payload_whatever_the_header_names() {
    let place = Place::new();
    let flow = to("https://in.example.net");
    let payload = b"SSN 219-09-9998";
    let (_, decision) = place.decide(&flow, payload);
    let id = decision["escalation"]["id"].as_str().unwrap().to_owned();
    // Presented again while it waits, it is the same escalation.
    let (_, again) = place.decide(&flow, payload);
    assert_eq!(again["escalation"]["id"], json!(id));
    let deny = [
        "approvals",
        "deny",
        &id,
        "--reason",
        "no",
        "--key",
        "anna",
        "--yes",
        "--config",
        "sluice.toml",
    ];
    let output = place.run(&deny, b"");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let (code, decision) = place.decide(&flow, payload);
    assert_eq!((code, determining(&decision)), (1, vec!["escalation.denied"]));
    let mut named = flow.clone();
    named["escalation"] = json!(id);
    assert_eq!(place.decide(&named, payload).0, 1);
    // Another payload is another matter.
    assert_eq!(place.decide(&flow, b"SSN 219-09-9997").0, 3);
    let audit = place.run(&["ledger", "audit", "self-approved"], b"");
    assert_eq!(audit.status.code(), Some(0));
}

#[test]
fn a_grant_is_for_the_address_that_was_approved() {
    let place = Place::new();
    let register = fs::read_to_string(place.path().join("sluice.toml")).unwrap();
    let wide = register.replace("https://in.example.net", "*.example.net");
    place.write("sluice.toml", wide.as_bytes());
    let mut flow = to("https://safe.example.net");
    let (_, decision) = place.decide(&flow, b"SSN 219-09-9998");
    assert_eq!(decision["destination"], json!("inside"), "{decision}");
    let id = decision["escalation"]["id"].as_str().unwrap().to_owned();
    let approve =
        ["approvals", "approve", &id, "--key", "anna", "--yes", "--config", "sluice.toml"];
    assert_eq!(place.run(&approve, b"").status.code(), Some(0));
    flow["grant"] = json!(id);
    flow["destination"] = json!("http://drop.example.net");
    let (code, decision) = place.decide(&flow, b"SSN 219-09-9998");
    let refused = json!("the grant is for another destination");
    assert_eq!((code, &decision["grant_refused"]), (3, &refused));
    flow["destination"] = json!("https://safe.example.net/other/path");
    assert_eq!(place.decide(&flow, b"SSN 219-09-9998").0, 0);
}

#[test]
fn what_leaves_the_ledger_is_recorded_first() {
    let place = Place::new();
    place.decide(&to(OUTSIDE), EMAIL);
    let export = ["ledger", "export", "--format", "ocsf", "--effect", "allow"];
    let output = place.run(&export, b"");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let event: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&event["class_uid"], &event["action_id"]), (&json!(2006), &json!(1)));
    let entry = place.entries().pop().unwrap();
    assert_eq!((&entry["kind"], &entry["count"]), (&json!("export"), &json!(1)));
}

#[test]
fn a_header_that_cannot_be_used_is_refused_with_what_to_do() {
    let place = Place::new();
    for (flow, says) in [
        (json!({"channel": "prompt", "uid": 0}), "known are run, step"),
        (json!({"workflow": "letters"}), "`channel` is missing"),
        (json!(["run"]), "no JSON object"),
    ] {
        let (code, said) = place.decide(&flow, EMAIL);
        assert_eq!(code, 2);
        assert!(said.as_str().unwrap().contains(says), "{said}");
    }
    assert!(place.entries().is_empty());
}

/// Promise 3: a payload that cannot be had whole blocks, and says why.
#[test]
fn a_payload_past_its_limit_blocks() {
    let place = Place::new();
    place.write("flow.json", to(OUTSIDE).to_string().as_bytes());
    let large = fs::File::create(place.path().join("large")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    let decide = ["decide", "--config", "sluice.toml", "--flow", "flow.json", "--format", "json"];
    let output = place
        .run(&[&decide[..], &["--release", "out", "--decision", "said", "large"]].concat(), b"");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let decision: Value =
        serde_json::from_slice(&fs::read(place.path().join("said")).unwrap()).unwrap();
    assert_eq!((&decision["effect"], &decision["cause"]), (&json!("block"), &json!("limit")));
    let reasons = decision["label"]["coverage"]["reasons"].as_array().unwrap();
    assert!(reasons.contains(&json!("limit")), "{decision}");
    assert!(!place.path().join("out").exists());
}

#[test]
fn without_a_ledger_nothing_is_decided_unless_one_is_to_be_made() {
    let place = Place::new();
    fs::remove_dir_all(place.path().join("state")).unwrap();
    let (code, said) = place.decide(&to(OUTSIDE), EMAIL);
    assert_eq!(code, 2);
    assert!(said.as_str().unwrap().contains("sluice ledger init"), "{said}");
    let decide = ["decide", "--config", "sluice.toml", "--flow", "flow.json", "--init"];
    assert_eq!(place.run(&decide, EMAIL).status.code(), Some(0));
}

#[test]
fn a_ledger_that_cannot_be_written_blocks() {
    let place = Place::new();
    let decide = ["decide", "--config", "sluice.toml", "--flow", "flow.json", "--release", "out"];
    assert_eq!(place.decide(&to(OUTSIDE), EMAIL).0, 0);

    let lock = fs::File::open(place.path().join("state/lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let output = place.run(&decide, EMAIL);
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    drop(lock);

    let journal = fs::read_dir(place.path().join("state/journal")).unwrap().next().unwrap();
    let journal = journal.unwrap().path();
    let mut bytes = fs::read(&journal).unwrap();
    let at = memchr::memmem::find(&bytes, b"dr.meyer").unwrap();
    bytes[at] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let output = place.run(&decide, EMAIL);
    assert_eq!(output.status.code(), Some(4));
    assert!(output.stdout.is_empty() && !place.path().join("out").exists());
}

/// Promise 7: whatever call fails, and wherever the process is killed, what came out has its entry.
#[test]
fn nothing_is_released_that_is_not_recorded() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("NOT RUN: strace is not installed, so no call was made to fail");
        return;
    }
    let place = Place::new();
    let out = place.path().join("out");
    let (mut held, mut released) = (0, 0);
    for call in ["pwrite64", "fdatasync", "fsync", "renameat,rename"] {
        for fault in ["error=EIO", "signal=SIGKILL"] {
            for turn in 1..=4 {
                let mut flow = to(OUTSIDE);
                let run = format!("{call}-{fault}-{turn}");
                flow["run"] = json!(run);
                place.write("flow.json", flow.to_string().as_bytes());
                let _ = fs::remove_file(&out);
                let strace = Command::new("strace")
                    .args(["-f", "-qq", "-otrace", &format!("-etrace={call}")])
                    .arg(format!("-einject={call}:{fault}:when={turn}"))
                    .arg(env!("CARGO_BIN_EXE_sluice"))
                    .args(["decide", "--config", "sluice.toml", "--flow", "flow.json"])
                    .args(["--release", "out", "mail"])
                    .current_dir(place.path())
                    .env("SLUICE_STATE_DIR", place.path().join("state"))
                    .output();
                let output = strace.unwrap();
                let query = ["ledger", "query", "--kind", "decision", "--run", &run];
                let query = place.run(&[&query[..], &["--format", "json"]].concat(), b"");
                let entry = String::from_utf8_lossy(&query.stdout).into_owned();
                let came_out = out.exists();
                assert!(!came_out || entry.contains("\"effect\":\"allow\""), "{run}: {entry}");
                let said = !output.stdout.is_empty();
                assert!(!said || !entry.is_empty(), "{run}: said before it was recorded");
                if came_out { released += 1 } else { held += 1 }
            }
        }
    }
    assert!(held >= 6 && released >= 6, "{held} held, {released} released");
}

#[test]
fn released_bytes_come_alone() {
    let place = Place::new();
    place.write("flow.json", to(OUTSIDE).to_string().as_bytes());
    let decide = ["decide", "--config", "sluice.toml", "--flow", "flow.json", "--release", "-"];
    let output = place.run(&decide, EMAIL);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), EMAIL));
    assert!(String::from_utf8_lossy(&output.stderr).contains("recorded"));
    let output = place.run(&decide, b"SSN 219-09-9998");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let output = place.run(&[&decide[..], &["--decision", "said.json"]].concat(), EMAIL);
    assert_eq!((output.stdout.as_slice(), output.stderr.len()), (EMAIL, 0));
    assert!(place.path().join("said.json").exists());
}

#[test]
fn tokens_are_the_same_in_a_run_and_revealed_to_who_may_see_them() {
    let place = Place::new();
    place.write("flow.json", to(OUTSIDE).to_string().as_bytes());
    let decide = ["decide", "--config", "sluice.toml", "--flow", "flow.json", "--release", "-"];
    let first = place.run(&decide, CARD);
    assert_eq!(first.status.code(), Some(5), "{}", String::from_utf8_lossy(&first.stderr));
    assert_eq!(place.run(&decide, CARD).stdout, first.stdout);
    let text = String::from_utf8(first.stdout).unwrap();
    let token = &text[text.find('[').unwrap()..=text.find(']').unwrap()];
    assert!(text.starts_with("card number [T:PCIPAN:"), "{text}");

    let mut other = to(OUTSIDE);
    other["run"] = json!("r2");
    place.write("flow.json", other.to_string().as_bytes());
    assert_ne!(place.run(&decide, CARD).stdout, text.as_bytes());

    let reveal = |token: &str, key: &str| {
        let who = ["--config", "sluice.toml", "--key", key, "--reason", "a complaint"];
        place.run(&[&["reveal", token][..], &who].concat(), b"")
    };
    let shown = reveal(token, "anna");
    assert_eq!(shown.status.code(), Some(0), "{}", String::from_utf8_lossy(&shown.stderr));
    assert_eq!(shown.stdout, b"4556 7375 8689 9855\n");
    // Who may not see cards sees none, and an unknown token is none.
    for (token, key) in [(token, "carl"), ("[T:PCIPAN:BBBBBBBBBBBBBBBBBBBB]", "anna")] {
        let refused = reveal(token, key);
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0));
    }
    let reveals: Vec<Value> =
        place.entries().into_iter().filter(|entry| entry["kind"] == "reveal").collect();
    // The one that was refused for its category is recorded too.
    let told: Vec<&Value> = reveals.iter().map(|entry| &entry["revealed"]).collect();
    assert_eq!(told, [&json!(true), &json!(false)]);
    assert_eq!(
        (&reveals[0]["approver"], &reveals[0]["reason"]),
        (&json!("anna"), &json!("a complaint"))
    );
}

#[test]
fn what_comes_into_force_is_recorded_once() {
    let place = Place::new();
    place.decide(&to(OUTSIDE), EMAIL);
    place.decide(&to(OUTSIDE), EMAIL);
    let changed = fs::read_to_string(place.path().join("sluice.toml")).unwrap() + "\n# changed\n";
    place.write("sluice.toml", changed.as_bytes());
    place.decide(&to(OUTSIDE), EMAIL);
    let entries = place.entries();
    let kinds: Vec<&str> = entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["policy_load", "decision", "decision", "policy_load", "decision"]);
    assert_eq!(entries[4]["policy_digest"], entries[3]["policy_digest"]);
    assert_ne!(entries[0]["policy_digest"], entries[3]["policy_digest"]);
}

#[test]
fn paths_are_told_and_their_failure_opens_nothing() {
    let place = Place::new();
    let told = place.path().join("told");
    let register = fs::read_to_string(place.path().join("sluice.toml")).unwrap();
    let with_paths = register.replace(
        "approvers = [\"anna\"]\n",
        "approvers = [\"anna\"]\nescalation = \"broken\"\nmonitoring = \"file\"\n",
    ) + &format!(
        "\n[[path]]\nid = \"file\"\ncommand = [\"/usr/bin/tee\", \"-a\", \"{}\"]\n\n[[path]]\nid = \
         \"broken\"\ncommand = [\"/bin/false\"]\n",
        told.display()
    );
    place.write("sluice.toml", with_paths.as_bytes());
    let (code, decision) = place.decide(&to("https://in.example.net"), b"SSN 219-09-9998");
    assert_eq!((code, &decision["effect"]), (3, &json!("escalate")), "{decision}");
    let event: Value = serde_json::from_slice(&fs::read(&told).unwrap()).unwrap();
    assert_eq!((&event["event"], &event["effect"]), (&json!("decision"), &json!("escalate")));
    let entries = place.entries();
    let failed = entries.iter().find(|entry| entry["kind"] == "path_failed").unwrap();
    assert_eq!(failed["path"], "broken");
}

#[test]
fn repeated_flows_can_have_a_grant_for_several_payloads() {
    let place = Place::new();
    let register = fs::read_to_string(place.path().join("sluice.toml")).unwrap();
    let bounded = register.replacen(
        "approvers = [\"anna\"]\n",
        "approvers = [\"anna\"]\ngrants = { uses = 2, bytes = 40, valid_minutes = 5 }\n",
        1,
    );
    place.write("sluice.toml", bounded.as_bytes());
    let mut flow = to("https://in.example.net");
    let (code, decision) = place.decide(&flow, b"SSN 219-09-9998");
    assert_eq!(code, 3, "{decision}");
    let id = decision["escalation"]["id"].as_str().unwrap().to_owned();
    let approve =
        ["approvals", "approve", &id, "--key", "anna", "--yes", "--config", "sluice.toml"];
    let output = place.run(&approve, b"");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    flow["grant"] = json!(id);
    assert_eq!(place.decide(&flow, b"SSN 219-09-9997").0, 0);
    // Another category is not what was approved.
    assert_eq!(place.decide(&flow, b"IBAN DE89 3704 0044 0532 0130 00").0, 3);
    assert_eq!(place.decide(&flow, b"SSN 219-09-9996").0, 0);
    let (code, decision) = place.decide(&flow, b"SSN 219-09-9995");
    assert_eq!((code, &decision["grant_refused"]), (3, &json!("what the grant allows is used up")));
}
