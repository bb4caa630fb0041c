//! The forms of a report of the gate, over real commits.

use serde_json::Value;

use crate::repository::Repository;

/// A token whose checksum holds: it is made where it is needed, and stands in no file.
fn planted() -> Repository {
    let repository = Repository::new();
    repository.committed("old.txt", "ssn: 574-22-8190\n");
    repository.stage("a, b: c%.txt", "one\nssn: 574-22-8190\nssn: 574-22-8191\n");
    repository.stage("photo.png", b"\x89PNG\r\n\x1a\n....");
    repository.stage("clean.txt", "nothing\n");
    repository
}

#[test]
fn each_form_names_file_line_and_rule_and_no_value() {
    let repository = planted();
    for format in ["human", "json", "jsonl", "sarif", "github", "gitlab"] {
        let ran = repository.gated(&["--format", format]);
        assert_eq!(ran.code, 1, "{format}: {ran:?}");
        assert!(ran.out.contains("nat.us_ssn"), "{format}: {}", ran.out);
        assert!(!ran.out.contains("574-22") && !ran.err.contains("574-22"), "{format}");
        assert!(!ran.out.contains("old.txt"), "{format}: it was there before");
        assert!(ran.out.contains("photo.png"), "{format}: what is not inspected is said");
        if ["json", "sarif", "gitlab"].contains(&format) {
            serde_json::from_str::<Value>(&ran.out).expect("one JSON document");
        }
    }
}

#[test]
fn a_person_is_told_where_why_and_what_to_do() {
    let repository = planted();
    let ran = repository.gated(&[]);
    for line in [
        "a, b: c%.txt  block",
        "  a, b: c%.txt:2:6  nat.us-ssn  US Social Security number with dashes (nat.us_ssn, very \
         likely)  ***-**-****  validator, context:ssn",
        "  Blocked: US Social Security number (nat.us_ssn) is regulated and not approved for a \
         destination that is not registered.",
        "photo.png  escalate",
        "what to do",
        "  - Take the values out of the files and `git add` them again.",
        "  partial  photo.png: opaque",
        "effect: block, recorded: no",
    ] {
        assert!(ran.out.lines().any(|it| it == line), "no `{line}` in\n{}", ran.out);
    }
    // Of a file that may pass nothing is said.
    assert!(!ran.out.contains("clean.txt"), "{}", ran.out);
    assert_eq!(ran.out.matches("  - ").count(), 4, "{}", ran.out);

    let clean = Repository::new();
    clean.stage("clean.txt", "nothing\n");
    let ran = clean.gated(&[]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "1 file, 8 bytes\neffect: allow, recorded: no\n"));
}

#[test]
fn annotations_stand_at_their_lines() {
    let ran = planted().gated(&["--format", "github"]);
    let file = "file=a%2C b%3A c%25.txt";
    let errors: Vec<&str> = ran.out.lines().filter(|it| it.starts_with("::error ")).collect();
    assert_eq!(errors.len(), 3, "{}", ran.out);
    assert!(errors[0].starts_with(&format!("::error {file},line=2,col=6,title=US Social")));
    assert!(errors[1].starts_with(&format!("::error {file},line=3,col=6,title=US Social")));
    assert_eq!(
        errors[2],
        "::error file=photo.png,title=sluice::not inspected, or not whole: partial: opaque"
    );
    assert!(ran.out.ends_with("\neffect: block, recorded: no\n"), "{}", ran.out);
}

#[test]
fn code_quality_has_an_entry_for_each() {
    let ran = planted().gated(&["--format", "gitlab"]);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    let entries = report.as_array().unwrap();
    let said: Vec<_> = entries
        .iter()
        .map(|it| {
            let line = it["location"]["lines"]["begin"].as_u64().unwrap();
            (it["check_name"].as_str().unwrap(), it["severity"].as_str().unwrap(), line)
        })
        .collect();
    let ssn = ["nat.us-ssn", "blocker"];
    let expected = [(ssn[0], ssn[1], 2), (ssn[0], ssn[1], 3), ("coverage", "major", 1)];
    assert_eq!(said, expected, "{}", ran.out);
    // It goes by the line, not by its number: an entry that moves stays the same.
    let moved = planted();
    moved.stage("a, b: c%.txt", "one\ntwo\nssn: 574-22-8190\nssn: 574-22-8191\n");
    let again: Value = serde_json::from_str(&moved.gated(&["--format", "gitlab"]).out).unwrap();
    for at in 0..3 {
        assert_eq!(again[at]["fingerprint"], report[at]["fingerprint"]);
    }
    assert_ne!(report[0]["fingerprint"], report[1]["fingerprint"]);
}

#[test]
fn what_a_person_decides_is_put_to_review() {
    let repository = Repository::new();
    let register = repository.aside("register.toml");
    let text = "version = 1\n\n[[destination]]\nid = \"vault\"\nurl = [\"https://vault.example.com\"]\n\
                trust = \"internal\"\n";
    std::fs::write(&register, text).unwrap();
    repository.stage("a.txt", "ssn: 574-22-8190\n");
    let register = register.to_str().unwrap();
    let named = ["--config", register, "--destination", "vault"];
    let ran = repository.gated(&[&named[..], &["--format", "sarif"]].concat());
    assert_eq!(ran.code, 3, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let result = &report["runs"][0]["results"][0];
    assert_eq!((&result["kind"], &result["level"]), (&"review".into(), &"none".into()));
    let said = repository.gated(&named).out;
    assert!(said.contains("Ask an approver: with `--state-dir`"), "{said}");
}
