//! `sluice rules` as a user meets it: output, messages and exit codes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Exit code, standard output and standard error of `sluice rules ...`.
fn rules(arguments: &[&str]) -> (i32, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_sluice")).arg("rules").args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn data(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(below)
}

fn sample() -> String {
    data("rules").to_str().unwrap().to_owned()
}

#[test]
fn list_filters_by_class_law_and_country() {
    let ids = |filter: &[&str]| {
        let sample = sample();
        let mut arguments = vec!["list", "--rules", &sample, "--format", "json"];
        arguments.extend(filter);
        let (code, out, error) = rules(&arguments);
        assert_eq!(code, 0, "{error}");
        let rows: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = ids(&[]);
    for id in ["pii.email", "nat.us-ssn", "phi.person-near-condition", "sec.aws-access-key"] {
        assert!(all.contains(&id.to_owned()), "{id} is missing");
    }
    let hipaa = ids(&["--law", "hipaa"]);
    assert!(hipaa.contains(&"phi.person-near-condition".to_owned()));
    assert!(!hipaa.contains(&"pii.email".to_owned()));
    assert!(ids(&["--class", "sec"]).iter().all(|id| id.starts_with("sec.")));
    assert!(ids(&["--country", "us"]).contains(&"nat.us-ssn".to_owned()));
}

#[test]
fn the_examples_of_the_built_in_rules_hold() {
    let (code, out, error) = rules(&["test"]);
    assert_eq!(code, 0, "{out}{error}");
    let (_, covered, _) = rules(&["list", "--law", "hipaa"]);
    assert!(covered.contains("what of HIPAA is covered"), "{covered}");
    assert!(covered.contains("164.514(b)(2)(i)(G): nat.us_ssn"), "{covered}");
}

#[test]
fn list_names_what_is_known_where_a_filter_is_not() {
    let cases = [("--class", "GDPR"), ("--law", "nat"), ("--country", "QQ")];
    for ((option, word), known) in cases.into_iter().zip(["pci, fin", "HIPAA", "US"]) {
        let (code, _, error) = rules(&["list", "--rules", &sample(), option, word]);
        assert_eq!(code, 2);
        assert!(error.contains(&format!("`{word}`")) && error.contains(known), "{error}");
    }
}

#[test]
fn check_tells_errors_warnings_and_bad_paths_apart() {
    let (code, out, _) = rules(&["check", &sample(), "-v"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("pii.email           reads a byte at most 2 times"), "{out}");
    assert!(out.contains("2 files, 3 rules, 1 combination: 0 errors, 2 warnings"), "{out}");
    assert!(out.ends_with("a rule reads a byte at most 7 times (`sec.aws-access-key`)\n"), "{out}");

    let warned = data("diagnostics/W008.toml");
    let (code, out, _) = rules(&["check", &sample(), warned.to_str().unwrap()]);
    assert_eq!(code, 0);
    assert!(out.contains("0 errors, 3 warnings"), "{out}");

    let wrong = data("diagnostics/E024.toml");
    let json = ["check", &sample(), wrong.to_str().unwrap(), "--format", "json"];
    let (code, out, _) = rules(&json);
    assert_eq!(code, 1);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["errors"], 3);
    let first = &report["diagnostics"][0];
    assert_eq!((&first["code"], &first["line"]), (&"E024".into(), &11.into()));

    let (code, _, error) = rules(&["check", "/no/such/folder"]);
    assert_eq!(code, 2);
    assert!(error.contains("cannot read `/no/such/folder`"), "{error}");
}

#[test]
fn folders_are_read_whole_and_links_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let (code, _, error) = rules(&["list", "--rules", path]);
    assert_eq!(code, 2);
    assert!(error.contains("holds no `*.toml`"), "{error}");

    fs::create_dir_all(folder.path().join("a/b")).unwrap();
    fs::copy(data("rules/taxonomy.toml"), folder.path().join("taxonomy.toml")).unwrap();
    fs::copy(data("rules/pack.toml"), folder.path().join("a/b/pack.toml")).unwrap();
    fs::write(folder.path().join("a/notes.txt"), "no pack").unwrap();
    let (code, out, error) = rules(&["explain", "nat.us-ssn", "--rules", path]);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains("SSN: ⟦219-09-9998⟧"), "{out}");

    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/loop")).unwrap();
    let (code, _, error) = rules(&["list", "--rules", path]);
    assert_eq!(code, 2);
    assert!(error.contains("a/loop` is a symbolic link"), "{error}");
}

#[test]
fn packs_that_are_too_large_or_no_text_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large.toml");
    fs::write(&large, "#é".repeat(600_000)).unwrap();
    let (code, out, _) = rules(&["check", large.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(out.contains("error[E002]"), "{out}");

    let binary = folder.path().join("binary.toml");
    fs::write(&binary, b"id = \"\xff\"").unwrap();
    let (code, _, error) = rules(&["check", binary.to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(error.contains("is not UTF-8"), "{error}");
}

#[test]
fn explain_shows_the_arithmetic_and_offers_near_ids() {
    let (code, out, _) = rules(&["explain", "nat.us-ssn", "--rules", &sample()]);
    assert_eq!(code, 0);
    for line in [
        "likelihood       40 (possible) by itself",
        "likelihood       92 (very likely) with both",
        "anchor          a number of 9 digits",
        "laws            HIPAA 164.514(b)(2)(i)(G), GLBA",
    ] {
        assert!(out.contains(line), "{line} is not in\n{out}");
    }
    let json = ["explain", "pii.email", "--rules", &sample(), "--format", "json"];
    let rule: serde_json::Value = serde_json::from_str(&rules(&json).1).unwrap();
    assert_eq!(rule["examples"][1], "⟦a@b.example⟧");
    assert_eq!(rule["lead"], 64);

    let (code, _, error) = rules(&["explain", "nat.us-sn", "--rules", &sample()]);
    assert_eq!(code, 2);
    assert!(error.contains("`nat.us-ssn`"), "{error}");
    assert_eq!(rules(&["test", "nat.us-sn", "--rules", &sample()]).0, 2);
}

#[test]
fn packs_with_errors_stop_other_commands_with_the_line() {
    let wrong = data("diagnostics/E012.toml");
    let folder = tempfile::tempdir().unwrap();
    fs::copy(wrong, folder.path().join("wrong.toml")).unwrap();
    fs::copy(data("rules/taxonomy.toml"), folder.path().join("taxonomy.toml")).unwrap();
    let (code, out, error) = rules(&["list", "--rules", folder.path().to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(error.contains("wrong.toml:11:13") && error.contains("did you mean `jwt`?"), "{error}");
}
