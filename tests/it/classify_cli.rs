//! `sluice classify` as a user runs it.

#![allow(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use sluicegate::scan::sweep::Kernel;

/// A payload with one finding of category `nat.us_ssn` at band very likely: 5..16.
const LABELLED: &str = "SSN: 219-09-9998\n";
const VALUE: &str = "219-09-9998";

#[test]
fn a_labelled_number_is_found() {
    let output = sluice(&["--format", "json"], LABELLED.as_bytes());
    assert_eq!(code(&output), 0, "{output:?}");
    let answer = json_of(&output);
    assert_eq!(answer["label"]["categories"]["nat.us_ssn"]["count"], 1);
    assert_eq!(answer["label"]["categories"]["nat.us_ssn"]["unique"], 1);
    assert_eq!(answer["label"]["sensitivity"], "restricted");
    assert_eq!(answer["label"]["coverage"], json!({"state": "complete", "reasons": []}));
    assert_eq!(answer["label"]["lineage"], json!([]));
    assert_eq!((&answer["truncated"], &answer["recorded"]), (&json!(0), &json!("no")));
    assert_eq!(answer.get("effect"), None, "no decision was asked for");

    let finding = ssn(&answer);
    let expected = [
        ("rule", json!("nat.us-ssn")),
        ("class", json!("nat")),
        ("sensitivity", json!("restricted")),
        ("band", json!("very_likely")),
        ("start", json!(5)),
        ("end", json!(16)),
        ("start_char", json!(5)),
        ("end_char", json!(16)),
        ("line", json!(1)),
        ("column", json!(6)),
        ("chain", json!([])),
        ("masked", json!("***-**-****")),
    ];
    for (key, value) in expected {
        assert_eq!(finding[key], value, "{key}");
    }
    let evidence = finding["evidence"].as_array().expect("evidence");
    assert!(evidence.contains(&json!("validator")), "{evidence:?}");
    assert!(evidence.contains(&json!("context:ssn")), "{evidence:?}");
    let fingerprint = finding["fingerprint"].as_str().expect("a fingerprint");
    assert_eq!(fingerprint.strip_prefix("run:").map(str::len), Some(32));
}

#[test]
fn clean_text_has_an_empty_label() {
    let output = sluice(&["--format", "json"], b"nothing to see here\n");
    assert_eq!(code(&output), 0, "{output:?}");
    let answer = json_of(&output);
    assert_eq!(answer["label"]["categories"], json!({}));
    assert_eq!(answer["label"]["sensitivity"], "public");
    assert_eq!(answer["findings"], json!([]));
}

#[test]
fn a_file_is_named_and_a_column_is_evidence() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("people.csv");
    std::fs::write(&path, format!("id,ssn\n1,{VALUE}\n2,none\n")).expect("written");
    let output = sluice_on(&path, &["--format", "json", "--input-format", "csv"]);
    assert_eq!(code(&output), 0, "{output:?}");
    let answer = json_of(&output);
    let finding = ssn(&answer);
    assert_eq!(finding["path"], path.to_str().expect("UTF-8"));
    assert_eq!(finding["at"], json!({"row": 1, "column": "ssn"}));
    assert_eq!(finding["chain"], json!(["csv"]));
    assert_eq!((&finding["start"], &finding["end"]), (&json!(9), &json!(20)));
    assert!(finding["evidence"].as_array().expect("evidence").contains(&json!("column")));
}

#[test]
fn declared_utf_16_is_decoded_with_and_without_a_mark() {
    let units = |mark: &str| -> Vec<u8> {
        format!("{mark}{LABELLED}").encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    for (mark, shift) in [("", 0), ("\u{feff}", 2)] {
        let output = sluice(&["--format", "json", "--input-format", "utf-16le"], &units(mark));
        assert_eq!(code(&output), 0, "{output:?}");
        let answer = json_of(&output);
        let finding = ssn(&answer);
        assert_eq!(finding["start"], 10 + shift);
        assert_eq!(finding["end"], 32 + shift);
        assert_eq!(finding["chain"], json!(["utf-16le"]));
    }
}

#[test]
fn people_get_a_summary_and_no_value() {
    let output = sluice(&[], LABELLED.as_bytes());
    assert_eq!(code(&output), 0, "{output:?}");
    let text = text_of(&output);
    for part in ["nat.us_ssn", "very likely", "***-**-****", "context:ssn", "recorded: no"] {
        assert!(text.contains(part), "{part} in:\n{text}");
    }
    assert!(!text.contains(VALUE) && !text.contains('\x1b'), "{text}");
}

#[test]
fn filters_change_what_is_shown_and_no_label() {
    let all = json_of(&sluice(&["--format", "json"], LABELLED.as_bytes()));
    for hidden in [&["--category", "pci"][..], &["--category", "pci,sec,fin.iban"]] {
        let output = sluice(&[&["--format", "json"], hidden].concat(), LABELLED.as_bytes());
        assert_eq!(code(&output), 0, "{output:?}");
        let answer = json_of(&output);
        assert_eq!(answer["findings"], json!([]));
        assert_eq!(answer["label"], all["label"]);
    }
    let shown = ["--format", "json", "--category", "nat", "--min-band", "very-likely"];
    ssn(&json_of(&sluice(&shown, LABELLED.as_bytes())));
}

#[test]
fn fail_on_gives_the_code_of_the_effect() {
    let fail_on = |effect: &str, payload: &str| {
        sluice(&["--format", "json", "--fail-on", effect], payload.as_bytes())
    };
    for effect in ["allow", "redact", "escalate", "block"] {
        let output = fail_on(effect, LABELLED);
        assert_eq!(code(&output), 1, "{effect}");
        assert_eq!(json_of(&output)["effect"], "block");
        let clean = fail_on(effect, "nothing\n");
        assert_eq!(code(&clean), 0, "{effect}");
        assert_eq!(json_of(&clean)["effect"], "allow");
    }
    // An image cannot be read: a person has to decide, which is less than block.
    let image = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";
    let output = sluice(&["--format", "json", "--fail-on", "escalate"], image);
    assert_eq!((code(&output), &json_of(&output)["effect"]), (3, &json!("escalate")));
    let output = sluice(&["--format", "json", "--fail-on", "block"], image);
    assert_eq!((code(&output), &json_of(&output)["effect"]), (0, &json!("escalate")));
}

#[test]
fn fingerprints_are_equal_under_one_key_only() {
    let dir = tempfile::tempdir().expect("a directory");
    let [raw, hex] = ["raw", "hex"].map(|name| dir.path().join(name));
    std::fs::write(&raw, [0xab; 32]).expect("written");
    std::fs::write(&hex, format!("{}\n", "ab".repeat(32))).expect("written");
    let fingerprint = |arguments: &[&str]| {
        let output = sluice(&[&["--format", "json"], arguments].concat(), LABELLED.as_bytes());
        ssn(&json_of(&output))["fingerprint"].as_str().expect("a fingerprint").to_owned()
    };
    let keyed = |path: &Path| fingerprint(&["--key", path.to_str().expect("UTF-8")]);
    assert_eq!(keyed(&raw), keyed(&hex));
    let (one, other) = (fingerprint(&[]), fingerprint(&[]));
    assert!(one != other && one != keyed(&raw), "a new key each run");
}

#[test]
fn every_kernel_that_runs_here_can_be_chosen() {
    let line = format!("{}\n", json!({"id": 1, "text": LABELLED}));
    let kernels = Kernel::available().map(Kernel::as_str);
    for kernel in kernels.chain(["auto"]) {
        let answer =
            json_of(&sluice(&["--format", "json", "--kernel", kernel], LABELLED.as_bytes()));
        assert_eq!(ssn(&answer)["start"], 5, "{kernel}");
        let answer = json_of(&sluice(&["--jsonl", "--kernel", kernel], line.as_bytes()));
        assert_eq!(ssn(&answer)["start"], 5, "{kernel}");
    }
}

#[test]
fn wrong_calls_exit_2_with_a_message() {
    let dir = tempfile::tempdir().expect("a directory");
    let short = dir.path().join("short");
    std::fs::write(&short, "abc").expect("written");
    let [short, dir_path] =
        [short.as_path(), dir.path()].map(|path| path.to_str().expect("UTF-8").to_owned());
    let cases: [(&[&str], &str); 9] = [
        (&["/no/such\x1bfile"], "`/no/such\\u{1b}file`"),
        (&[&dir_path], "is a directory"),
        (&["--key", &short], "neither 32 bytes nor 64 hex digits"),
        (&["--key", "/no/such/key"], "cannot read the key file `/no/such/key`"),
        (&["--category", "no.such"], "`no.such` is neither a category nor a class"),
        (&["--jsonl", "--input-format", "utf-16le"], "UTF-16"),
        (&["--jsonl", "--format", "json"], "--format"),
        (&["--fail-on", "maybe"], "maybe"),
        (&["--kernel", "abacus"], "[possible values: auto, portable"),
    ];
    for (arguments, message) in cases {
        let output = sluice(arguments, b"");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code(&output), 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn lines_are_answered_in_order_and_bad_ones_with_an_error() {
    let input = format!(
        "{}\n\nnot json {VALUE}\n{}\n{}\r\n{{\"id\":3}}\n{}",
        json!({"id": "a", "text": LABELLED}),
        json!({"id": 7, "text": "nothing"}),
        json!({"id": -1, "text": format!("é\tSSN: {VALUE}")}),
        json!({"id": "last", "text": ""}),
    );
    let output = sluice(&["--jsonl"], input.as_bytes());
    assert_eq!(code(&output), 2, "bad lines were there");
    let text = text_of(&output);
    let answers: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
    let null = Value::Null;
    assert_eq!(ids, [&json!("a"), &null, &json!(7), &json!(-1), &null, &json!("last")]);
    assert_eq!(answers[0]["label"]["categories"]["nat.us_ssn"]["count"], 1);
    assert_eq!((&answers[1]["line"], &answers[4]["line"]), (&json!(3), &json!(6)));
    assert_eq!(answers[4]["error"], "`text` is missing");
    assert_eq!(answers[2]["findings"], json!([]));
    // Offsets count in the decoded text: é is two bytes, the tab one.
    let finding = ssn(&answers[3]);
    assert_eq!((&finding["start"], &finding["end"]), (&json!(8), &json!(19)));
    assert_eq!((&finding["start_char"], &finding["end_char"]), (&json!(7), &json!(18)));
    assert!(!text.contains(VALUE));
    assert!(!String::from_utf8_lossy(&output.stderr).contains(VALUE));
}

#[test]
fn many_lines_keep_their_order() {
    let mut input = String::new();
    for id in 0..5000 {
        let text = if id % 3 == 0 { LABELLED } else { "nothing" };
        input.push_str(&json!({"id": id, "text": text.repeat(1 + id % 7)}).to_string());
        input.push('\n');
    }
    let output = sluice(&["--jsonl", "--fail-on", "block"], input.as_bytes());
    assert_eq!(code(&output), 1, "the highest effect of all lines");
    let text = text_of(&output);
    let mut answered = 0;
    for (line, id) in text.lines().zip(0..) {
        let answer: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(answer["id"], id);
        let count = &answer["label"]["categories"]["nat.us_ssn"]["count"];
        let expected = if id % 3 == 0 { json!(1 + id % 7) } else { Value::Null };
        assert_eq!(count, &expected, "{id}");
        assert_eq!(answer["effect"], if id % 3 == 0 { "block" } else { "allow" });
        answered += 1;
    }
    assert_eq!(answered, 5000);
}

#[test]
fn a_caller_that_waits_for_each_answer_gets_it() {
    let mut child = spawn(&["--jsonl"]);
    let mut stdin = child.stdin.take().expect("piped");
    let mut answers = BufReader::new(child.stdout.take().expect("piped"));
    for id in 0..3 {
        writeln!(stdin, "{}", json!({"id": id, "text": LABELLED})).expect("written");
        let mut line = String::new();
        answers.read_line(&mut line).expect("an answer");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(answer["id"], id);
    }
    drop(stdin);
    assert_eq!(child.wait().expect("ended").code(), Some(0));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    for arguments in [&["--jsonl"][..], &["--format", "json"], &[]] {
        let mut child = spawn(arguments);
        drop(child.stdout.take());
        let mut stdin = child.stdin.take().expect("piped");
        // The command may have gone before it read all.
        let _ = writeln!(stdin, "{}", json!({"id": 1, "text": "nothing"}));
        drop(stdin);
        let output = child.wait_with_output().expect("ended");
        assert_eq!(code(&output), 0, "{arguments:?}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn output_that_cannot_be_written_exits_4() {
    for arguments in [&["--jsonl"][..], &["--format", "json"], &[]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
        let mut child = command(arguments).stdout(full).spawn().expect("started");
        let mut stdin = child.stdin.take().expect("piped");
        writeln!(stdin, "{}", json!({"id": 1, "text": "nothing"})).expect("written");
        drop(stdin);
        let output = child.wait_with_output().expect("ended");
        assert_eq!(code(&output), 4, "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write"));
    }
}

#[test]
fn a_payload_that_cannot_be_read_to_its_end_is_partial() {
    // Opens, and fails on the first read: nothing is mapped at address 0.
    let unreadable = Path::new("/proc/self/mem");
    let output = sluice_on(unreadable, &["--format", "json"]);
    assert_eq!(code(&output), 4, "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("could not be read to its end"));
    let coverage = &json_of(&output)["label"]["coverage"];
    assert_eq!(coverage, &json!({"state": "partial", "reasons": ["error"]}));

    let output = sluice_on(unreadable, &["--fail-on", "block"]);
    assert_eq!(code(&output), 1, "{output:?}");
    let text = text_of(&output);
    assert!(text.contains("failed") && text.contains("effect: block"), "{text}");

    let output = sluice_on(unreadable, &["--jsonl"]);
    assert_eq!(code(&output), 4, "{output:?}");
}

#[test]
fn names_are_masked_where_they_hold_values() {
    // The keyword makes the value likely inside the name itself.
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(format!("ssn {VALUE}.json"));
    let document = json!({ format!("ssn {VALUE}"): {"social security": VALUE} });
    std::fs::write(&path, document.to_string()).expect("written");
    for format in ["json", "human"] {
        let output = sluice_on(&path, &["--format", format]);
        assert_eq!(code(&output), 0, "{output:?}");
        let text = text_of(&output);
        assert!(text.contains("nat.us_ssn"), "{text}");
        assert!(!text.contains(VALUE), "{text}");
        assert!(text.contains("ssn ***********"), "{text}");
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.arg("classify").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn spawn(arguments: &[&str]) -> Child {
    command(arguments).spawn().expect("started")
}

fn sluice(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = spawn(arguments);
    let mut stdin = child.stdin.take().expect("piped");
    std::thread::scope(|scope| {
        // A command that refuses its arguments does not read.
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().expect("ended")
    })
}

fn sluice_on(path: &Path, arguments: &[&str]) -> Output {
    command(arguments).arg(path).stdin(Stdio::null()).output().expect("ended")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn text_of(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// The one finding of rule `nat.us-ssn`.
fn ssn(answer: &Value) -> &Value {
    let findings = answer["findings"].as_array().expect("findings");
    let mut found = findings.iter().filter(|finding| finding["rule"] == "nat.us-ssn");
    let finding = found.next().expect("a finding of the rule");
    assert!(found.next().is_none(), "one finding of the rule");
    finding
}
