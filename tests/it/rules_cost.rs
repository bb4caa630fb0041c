//! `sluice rules check --cost`: what each rule reads on a corpus.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Exit code, standard output and standard error.
fn cost(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    let output = command.args(["rules", "check"]).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn report(arguments: &[&str]) -> Value {
    let (code, out, error) = cost(&[arguments, &["--format", "json"]].concat());
    assert_eq!(code, 0, "{error}");
    serde_json::from_str(&out).unwrap()
}

/// A corpus of text, a table, a compressed file and bytes of no format.
fn corpus(folder: &Path) {
    fs::create_dir_all(folder.join("below")).unwrap();
    let prose = "Write to jo.doe@mail.example or call. Nothing else is said here. ".repeat(500);
    fs::write(folder.join("prose.txt"), prose).unwrap();
    let table = "name,email,ssn\nzed,a.b@c.example,219-09-9998\n".repeat(100);
    fs::write(folder.join("below/table.csv"), table).unwrap();
    let bytes: Vec<u8> = (0..20_000u32).map(|it| ((it * it) >> 3) as u8).collect();
    fs::write(folder.join("below/bytes"), bytes).unwrap();
}

#[test]
fn the_rule_that_reads_most_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "A@b ".repeat(2000) + "zz ".repeat(2000).as_str())
        .unwrap();
    let pack = folder.path().join("pack.toml");
    // At each `zz` 60 bytes are read, which no other rule does.
    fs::write(
        &pack,
        r#"
[[rule]]
id = "sec.greedy"
category = "sec.private_key"
title = "Greedy"
why = "Reads on from each anchor."
source = "a test"
pattern = '''zz [a-z ]{50,60}!'''
anchors = { keywords = ["zz "] }
likelihood = 50
examples = ["⟦zz zz zz zz zz zz zz zz zz zz zz zz zz zz zz zz zz zz zz !⟧", "⟦zz aa zz zz zz zz zz zz zz zz zz zz zz zz zz zz zz zz zz !⟧"]
counterexamples = ["zz", "zz a!"]
"#,
    )
    .unwrap();
    let corpus = folder.path().join("a.txt");
    let (pack, corpus) = (pack.to_str().unwrap(), corpus.to_str().unwrap());
    let report = report(&[pack, "--cost", corpus]);
    let first = &report["costs"][0];
    assert_eq!(first["rule"], "sec.greedy", "{first}");
    assert_eq!((&first["anchors"], &first["tries"]), (&2000.into(), &2000.into()));
    assert_eq!(first["matches"], 0);
    // The 60 of the pattern and the byte that decides.
    let read = first["bytes_read"].as_u64().unwrap();
    assert!((100_000..140_000).contains(&read), "{read}");
    assert_eq!(report["bytes_swept"], 14_000);
    assert_eq!(report["mostly"], "rules");
    let sum: u64 = report["costs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["bytes_read"].as_u64().unwrap())
        .sum();
    assert_eq!(report["bytes_read"], sum);

    let (code, out, _) = cost(&[pack, "--limit", "1", "--cost", corpus]);
    assert_eq!(code, 0);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[1].starts_with("sec.greedy "), "{out}");
    assert!(lines[2].starts_with("and ") && lines[2].contains(" more: "), "{out}");
    assert!(lines.last().unwrap().contains("rules read more than the sweep"), "{out}");
}

#[test]
fn counts_are_the_same_for_each_kernel_and_run() {
    let folder = tempfile::tempdir().unwrap();
    corpus(folder.path());
    let path = folder.path().to_str().unwrap();
    let portable = report(&["--kernel", "portable", "--cost", path]);
    assert_eq!(portable["files"], 3);
    let rows = portable["costs"].as_array().unwrap();
    let mail = rows.iter().find(|row| row["rule"] == "pii.email").unwrap();
    assert_eq!(mail["matches"], 600, "{mail}");
    assert!(mail["anchors"].as_u64().unwrap() >= 600, "{mail}");
    for kernel in sluicegate::scan::sweep::Kernel::available() {
        assert_eq!(report(&["--kernel", kernel.as_str(), "--cost", path]), portable);
    }
}

#[test]
fn text_without_anchors_is_mostly_swept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quiet.txt");
    fs::write(&path, "qqqq wwww vvvv\n".repeat(1000)).unwrap();
    let (code, out, _) = cost(&["--cost", path.to_str().unwrap()]);
    assert_eq!(code, 0);
    assert!(out.lines().last().unwrap().starts_with("the sweep for anchors reads more"), "{out}");
}

#[test]
fn an_empty_corpus_and_a_missing_one_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let (code, out, _) = cost(&["--cost", path]);
    assert_eq!(code, 0);
    assert!(out.contains("the corpus is empty"), "{out}");
    assert_eq!(report(&["--cost", path])["bytes_swept"], 0);

    let missing = folder.path().join("missing");
    let (code, out, error) = cost(&["--cost", path, missing.to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(error.contains("missing`: no such file"), "{error}");
    let wrong = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/diagnostics/E012.toml");
    let (code, out, _) = cost(&[wrong, "--cost", path]);
    assert!(code == 1 && out.contains("error[E012]"), "{out}");
    assert_eq!(cost(&["--limit", "3"]).0, 2);
    assert_eq!(cost(&["--cost"]).0, 2);
}
