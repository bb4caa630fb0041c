//! What a run of the gate leaves in the ledger, and grants for one tree.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;
use sluicegate::record::State;
use ssh_key::LineEnding;

use crate::approve::key;
use crate::repository::{Ran, Repository, SSN, ran};

/// A repository with a register beside it: what it holds goes to an internal server, and `anna` may
/// approve numbers of people.
fn office() -> Repository {
    let repository = Repository::new();
    let text = format!(
        r#"version = 1
[[destination]]
id = "forge"
title = "Our forge"
trust = "internal"
url = ["https://forge.example"]
[[workflow]]
id = "commits"
title = "Commits"
owner = "dora"
purposes = ["development"]
approvers = ["anna"]
[workflow.bind]
anyone = true
[[approver]]
id = "anna"
key = "{}"
approve = ["nat"]
"#,
        key(1).public_key().to_openssh().unwrap()
    );
    for (name, text, mode) in [
        ("sluice.toml", text.as_str(), 0o644),
        ("anna", key(1).to_openssh(LineEnding::LF).unwrap().as_str(), 0o600),
    ] {
        fs::write(repository.aside(name), text).unwrap();
        fs::set_permissions(repository.aside(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    sluice(&repository, &["ledger", "init", "--state-dir", "STATE"]);
    repository
}

/// A command beside the gate; `STATE`, `CONFIG` and `ANNA` stand for what lies beside.
fn sluice(repository: &Repository, arguments: &[&str]) -> Ran {
    let mut command = repository.command(env!("CARGO_BIN_EXE_sluice"));
    for argument in arguments {
        match *argument {
            "STATE" => command.arg(repository.aside("state")),
            "CONFIG" => command.arg(repository.aside("sluice.toml")),
            "ANNA" => command.arg(repository.aside("anna")),
            other => command.arg(other),
        };
    }
    let ran = ran(&mut command);
    assert!(matches!(ran.code, 0 | 1 | 3), "{arguments:?}: {ran:?}");
    ran
}

fn gate(repository: &Repository, more: &[&str]) -> (i32, Value, String) {
    let arguments = [
        &["gate", "--config", "CONFIG", "--state-dir", "STATE", "--format", "json"][..],
        &["--workflow", "commits", "--purpose", "development"],
        &["--destination", "https://forge.example/group/project.git"],
        more,
    ];
    let ran = sluice(repository, &arguments.concat());
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    (ran.code, report["summary"].clone(), ran.err)
}

fn entries(repository: &Repository) -> Vec<Value> {
    let ran = sluice(repository, &["ledger", "query", "--state-dir", "STATE", "--format", "json"]);
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_run_is_one_record_and_without_a_ledger_leaves_nothing() {
    let repository = office();
    repository.stage("a.txt", SSN);
    repository.stage("b.txt", "nothing\n");
    let before = entries(&repository).len();
    let (code, summary, _) = gate(&repository, &[]);
    assert_eq!((code, &summary["recorded"]), (3, &Value::from("yes")), "{summary}");
    let entries: Vec<Value> = entries(&repository).split_off(before);
    let of = |kind: &str| entries.iter().filter(|it| it["kind"] == kind).collect::<Vec<_>>();
    let [decision] = of("decision")[..] else { panic!("{entries:?}") };
    assert_eq!(
        decision["channel"]["claimed"].as_str().or(decision["channel"].as_str()),
        Some("commit")
    );
    assert_eq!(decision["effect"], "escalate");
    assert_eq!(decision["bytes"], (SSN.len() + 8) as u64);
    let categories = decision["categories"].to_string();
    assert!(categories.contains("nat.us_ssn"), "{categories}");
    assert_eq!(of("escalation").len(), 1);

    let ran = repository.gated(&["--format", "json"]);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["summary"]["recorded"], "no");
    let home = fs::read_dir(repository.aside("../home")).unwrap().count();
    assert_eq!((home, repository.git(&["status", "--porcelain"]).lines().count()), (0, 2));
}

#[test]
fn a_grant_is_for_one_tree() {
    let repository = office();
    repository.stage("a.txt", SSN);
    let (code, summary, _) = gate(&repository, &[]);
    assert_eq!(code, 3, "{summary}");
    let id = summary["escalation"].as_str().expect("one waits").to_owned();
    // Asked again it is the same escalation.
    assert_eq!(gate(&repository, &[]).1["escalation"], id.as_str());
    let (code, _, said) = gate(&repository, &["--grant", &id]);
    assert!(code == 3 && said.contains("grant was not used"), "{said}");
    let approve = ["--key", "ANNA", "--yes", "--state-dir", "STATE", "--config", "CONFIG"];
    let approved = sluice(&repository, &[&["approvals", "approve", &id][..], &approve].concat());
    assert_eq!(approved.code, 0, "{approved:?}");
    // Another tree, though it adds the same.
    repository.stage("b.txt", "more\n");
    let (code, summary, said) = gate(&repository, &["--grant", &id]);
    assert_eq!(code, 3, "{summary}");
    assert!(said.contains("grant was not used"), "{said}");
    repository.git(&["rm", "-q", "--cached", "b.txt"]);
    let (code, summary, said) = gate(&repository, &["--grant", &id]);
    assert_eq!((code, &summary["effect"]), (0, &Value::from("allow")), "{said}");
    let (code, _, said) = gate(&repository, &["--grant", &id]);
    assert!(code == 3 && said.contains("used already"), "{said}");
    let used = entries(&repository).iter().filter(|it| it["kind"] == "grant_use").count();
    assert_eq!(used, 1);
}

#[test]
fn a_grant_needs_a_ledger() {
    let repository = office();
    let ran = repository.gated(&["--grant", "gaytemzugu3doobzmfrggzdfmy"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("--state-dir"), "{}", ran.err);
}

#[test]
fn the_policy_digest_names_the_lists_of_exceptions() {
    let repository = office();
    let digest = || {
        assert_eq!(gate(&repository, &[]).1["recorded"], "yes");
        let last = entries(&repository).into_iter().rfind(|it| it["kind"] == "decision");
        last.unwrap()["policy_digest"].clone()
    };
    repository.committed("b.txt", "nothing\n");
    repository.stage("a.txt", SSN);
    let before = digest();
    assert!(before.is_string() && digest() == before, "{before}");
    repository.git(&["rm", "-q", "--cached", "a.txt"]);
    repository.committed(".gitleaksignore", "a.txt:some-rule:1\n");
    repository.stage("a.txt", SSN);
    assert_ne!(digest(), before);
}

#[test]
fn a_ledger_that_another_keeps_allows_nothing_and_says_what_to_do() {
    let repository = office();
    repository.stage("a.txt", "nothing\n");
    let state = State::open(&repository.aside("state")).unwrap();
    let kept = state.lock(Duration::ZERO).unwrap();
    let mut command = repository.gate();
    let refused = ran(command.arg("--state-dir").arg(repository.aside("state")));
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("another process holds the ledger"), "{refused:?}");
    assert!(refused.err.contains("give the gate one of its own"), "{refused:?}");
    assert!(!refused.out.contains("effect: allow"), "{refused:?}");
    drop(kept);
    assert_eq!(gate(&repository, &[]).0, 0);
}
