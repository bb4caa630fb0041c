//! Promise 8: unmistakable values are planted in payloads and in every name that comes from
//! outside, the program runs in every form, and all that it writes is searched for them.

mod daemon;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use sluicegate::engine::Options;
use tempfile::TempDir;

use crate::support::scanner_with;

/// Synthetic values of one set; the rules find each at band likely and up where it is written as
/// in [`Values::labelled`].
struct Values {
    ssn: &'static str,
    pan: &'static str,
    token: String,
    password: &'static str,
}

/// Planted in the text of payloads.
fn in_payloads() -> Values {
    Values {
        ssn: "574-22-8190",
        pan: "4556737586899855",
        token: github_token("CanaryInPayload0a1b2c3d4e5f6g7"),
        password: "Pq7xCanaryPay9",
    }
}

/// Planted in names: of files, columns, keys, arguments.
fn in_names() -> Values {
    Values {
        ssn: "861-14-3107",
        pan: "5425233430109903",
        token: github_token("CanaryInNames00a1b2c3d4e5f6g7h"),
        password: "Nm4zCanaryName7",
    }
}

/// A token whose checksum holds.
fn github_token(random: &str) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut number = crc32fast::hash(random.as_bytes());
    let mut sum = [b'0'; 6];
    for place in sum.iter_mut().rev() {
        *place = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    format!("ghp_{random}{}", std::str::from_utf8(&sum).unwrap())
}

impl Values {
    /// Each value as it may stand in a text, a file name, a column name or a key.
    fn labelled(&self) -> [String; 4] {
        [
            format!("ssn {}", self.ssn),
            format!("card {}", self.pan),
            self.token.clone(),
            format!("password={}", self.password),
        ]
    }

    /// What must not be written: each value, numbers without their separators too, in plain,
    /// hexadecimal, base64 at each alignment, UTF-16, and as a list of bytes.
    fn forms(&self) -> Vec<(String, Vec<u8>)> {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let plain = [
            self.ssn.to_owned(),
            digits(self.ssn),
            self.pan.to_owned(),
            self.token.clone(),
            self.password.to_owned(),
        ];
        let mut forms = Vec::new();
        for value in plain {
            let bytes = value.as_bytes();
            let mut add =
                |form: &str, bytes: Vec<u8>| forms.push((format!("{value} {form}"), bytes));
            add("in plain", bytes.to_vec());
            add("in hex", HEXLOWER.encode(bytes).into_bytes());
            add("in hex", HEXUPPER.encode(bytes).into_bytes());
            for skip in 0..3 {
                // Bytes before and behind change what stands at the edges.
                let padded = [&vec![0; skip][..], bytes].concat();
                let whole = padded.len() / 3 * 4;
                let from = (skip * 8).div_ceil(6);
                for base64 in [BASE64, BASE64URL] {
                    add("in base64", base64.encode(&padded).as_bytes()[from..whole].to_vec());
                }
            }
            add("in UTF-16LE", value.encode_utf16().flat_map(u16::to_le_bytes).collect());
            add("in UTF-16BE", value.encode_utf16().flat_map(u16::to_be_bytes).collect());
            let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
            add("as a list", list.join(", ").into_bytes());
        }
        forms
    }

    #[track_caller]
    fn are_not_in(&self, written: &[u8], what: &str) {
        for (form, bytes) in self.forms() {
            let place = memchr::memmem::find(written, &bytes);
            let near = |at: usize| {
                let (from, to) = (at.saturating_sub(60), written.len().min(at + 100));
                String::from_utf8_lossy(&written[from..to]).into_owned()
            };
            assert!(place.is_none(), "{what}: {form}: …{}…", near(place.unwrap_or(0)));
        }
    }
}

/// Runs the program and searches what it writes.
fn run(directory: &Path, arguments: &[&OsStr], input: &[u8]) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .current_dir(directory)
        .env("RUST_BACKTRACE", "1")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let what = format!("{arguments:?}");
    for values in [in_payloads(), in_names()] {
        values.are_not_in(&output.stdout, &format!("{what}, standard output"));
        values.are_not_in(&output.stderr, &format!("{what}, standard error"));
    }
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn words<'a>(arguments: &'a [&'a str]) -> Vec<&'a OsStr> {
    arguments.iter().map(OsStr::new).collect()
}

/// A tree with values in names and payloads of every kind.
fn tree() -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    let (payload, names) = (in_payloads(), in_names());
    let text = payload.labelled().join("\n") + "\n";
    let write = |name: &OsStr, content: &[u8]| {
        let path = tree.path().join("data").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    for name in names.labelled() {
        write(OsStr::new(&format!("{name}/{name}.txt")), text.as_bytes());
        write(OsStr::new(&format!("file {name}")), b"nothing");
        // A byte that is no UTF-8, and a control character, right before the value.
        write(OsStr::from_bytes(&[b"\xff", name.as_bytes()].concat()), text.as_bytes());
        write(OsStr::new(&format!("a\u{1b} {name}")), b"\x89PNG\r\n\x1a\n....");
        symlink("nowhere", tree.path().join("data").join(format!("to {name}"))).unwrap();
    }
    let columns = names.labelled().join(",");
    let row = payload.labelled().join(",");
    write(OsStr::new("table.csv"), format!("{columns}\n{row}\n{row}\n").as_bytes());
    write(OsStr::new("wide.csv"), &utf16(&format!("{columns}\n{row}\n{row}\n")));
    let [ssn, card, token, password] = payload.labelled();
    let json = serde_json::json!({
        names.ssn: { names.pan: [ssn.clone(), { &names.token: card }] },
        names.labelled()[0].clone(): { "a": { names.labelled()[3].clone(): token } },
        format!("\n{}", names.ssn): password,
        format!("\u{1}\"{}\"", names.token): ssn,
    });
    write(OsStr::new("keys.json"), serde_json::to_string(&json).unwrap().as_bytes());
    write(OsStr::new("keys.ndjson"), format!("{json}\n{json}\n{json}\n").as_bytes());
    let closed = tree.path().join("data").join(format!("closed {}", names.ssn));
    fs::write(&closed, &text).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    tree
}

fn utf16(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

/// Everything is really found: otherwise nothing would have to be masked.
#[test]
fn the_planted_values_are_found() {
    let scanner = scanner_with(Options::default());
    let rules = crate::support::rules();
    for values in [in_payloads(), in_names()] {
        for text in values.labelled() {
            let found = scanner.scan(text.as_bytes());
            assert!(!found.label.categories.is_empty(), "{text}: {:?}", found.label);
            let ids: Vec<_> = found.findings.iter().map(|it| rules.rule_id(it.rule)).collect();
            assert!(!ids.is_empty(), "{text}");
        }
    }
    assert_eq!(in_payloads().forms().len(), 5 * 12);
}

#[test]
fn no_form_of_a_scan_holds_a_value() {
    let tree = tree();
    for format in ["human", "json", "jsonl", "csv", "sarif"] {
        let (code, said) = run(tree.path(), &words(&["scan", "data", "--format", format]), b"");
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("nat.us_ssn"), "{format}");
        let report = format!("report.{format}");
        let arguments = [
            "scan",
            "data",
            "./data",
            "data/keys.json",
            "-o",
            &report,
            "--format",
            format,
            "--manifest",
            "manifest",
            "--fail-on",
            "redact",
            "--color",
            "always",
        ];
        let (code, said) = run(tree.path(), &words(&arguments), b"");
        assert_eq!(code, Some(1), "{said}");
        let written = fs::read(tree.path().join(&report)).unwrap();
        in_payloads().are_not_in(&written, &report);
        in_names().are_not_in(&written, &report);
        // A manifest names the files as they are, and says nothing of what they hold.
        let manifest = fs::read(tree.path().join("manifest")).unwrap();
        in_payloads().are_not_in(&manifest, "the manifest");
    }
}

#[test]
fn no_form_of_the_gate_holds_a_value() {
    let tree = tree();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(tree.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("HOME", tree.path()).output().unwrap()
    };
    assert!(git(&["init", "-q"]).status.success());
    // One of the files cannot be read by everybody.
    git(&["add", "--ignore-errors", "data"]);
    for format in ["human", "json", "jsonl", "sarif", "github", "gitlab"] {
        let report = format!("report.{format}");
        let arguments = ["gate", "--format", format, "-o", &report];
        let (code, said) = run(tree.path(), &words(&arguments), b"");
        assert_eq!(code, Some(1), "{said}");
        let written = fs::read(tree.path().join(&report)).unwrap();
        assert!(String::from_utf8_lossy(&written).contains("nat.us_ssn"), "{format}");
        in_payloads().are_not_in(&written, &report);
        in_names().are_not_in(&written, &report);
    }
}

#[test]
fn no_form_of_a_classification_holds_a_value() {
    let tree = tree();
    let files = fs::read_dir(tree.path().join("data")).unwrap().map(|entry| entry.unwrap().path());
    for (number, path) in files.enumerate() {
        for format in ["json", "human"].into_iter().take(1 + usize::from(number % 4 == 0)) {
            let arguments = [
                OsStr::new("classify"),
                path.as_os_str(),
                OsStr::new("--format"),
                OsStr::new(format),
            ];
            run(tree.path(), &arguments, b"");
        }
    }
    let text = in_payloads().labelled().join("\n");
    for format in ["human", "json"] {
        let arguments = ["classify", "--format", format, "--fail-on", "block"];
        let (code, said) = run(tree.path(), &words(&arguments), text.as_bytes());
        assert_eq!(code, Some(1), "{said}");
    }
    let line = |text: &str| serde_json::json!({"id": 1, "text": text}).to_string();
    let ssn = in_payloads().labelled()[0].clone();
    let lines = [
        line(&text),
        line(&format!("{{\"{}\": \"{ssn}\"}}", in_names().labelled()[0])),
        text.replace('\n', " "),
        format!("{{\"id\": 2, \"{ssn}\": 3}}"),
        format!("{{\"id\": [\"{ssn}\"], \"text\": \"\"}}"),
        format!("{{\"id\": 3, \"text\": {}}}", in_payloads().pan),
    ];
    let (code, said) =
        run(tree.path(), &words(&["classify", "--jsonl"]), lines.join("\n").as_bytes());
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(said.matches("\"error\"").count(), 4, "{said}");
}

#[test]
fn no_form_of_a_decision_holds_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let names = in_names().labelled();
    let [ssn, card, token, password] = &names;
    let payload = in_payloads().labelled().join("\n");
    let register = r#"version = 1
[[destination]]
id = "outside"
trust = "external"
url = ["https://api.example.net"]
[[workflow]]
id = "letters"
owner = "anna"
purposes = ["treatment"]
destinations = ["outside"]
[workflow.bind]
anyone = true
[[rule]]
id = "hold"
when = { class = ["nat"] }
effect = "escalate"
reason = "A person looks first."
[[rule]]
id = "redact"
when = { class = ["pci", "sec"] }
effect = "redact"
transform = "tokenize"
reason = "No card leaves."
"#;
    let path = folder.path().join("sluice.toml");
    fs::write(&path, register).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let claims = serde_json::json!({
        "channel": "prompt", "trigger": ssn, "agent": card, "tool": token, "source": password,
        "run": ssn, "step": card, "parents": [ssn, card, token, password], "purpose": card,
        "workflow": ssn, "destination": format!("https://{}@host.example/{}?q={}", in_names().ssn, card, password),
    });
    let known = serde_json::json!({
        "channel": "prompt", "workflow": "letters", "purpose": "treatment", "trigger": ssn,
        "destination": format!("https://api.example.net/{}", in_names().pan),
        "grant": card, "escalation": token,
    });
    let odd = serde_json::json!({"channel": "prompt", "labels": [ssn], "format": card});
    let unknown = serde_json::json!({"channel": "prompt", in_names().token: 1});
    for (name, flow) in [("a", &claims), ("b", &known), ("c", &odd), ("d", &unknown)] {
        fs::write(folder.path().join(name), flow.to_string()).unwrap();
    }
    let state = ["--state-dir", "state", "--config", "sluice.toml", "--init"];
    for format in ["human", "json"] {
        for (flow, code) in [("a", 3), ("b", 3), ("c", 1), ("d", 2)] {
            let decide = ["decide", "--flow", flow, "--format", format];
            let arguments = [&decide[..], &state].concat();
            let (exit, said) = run(folder.path(), &words(&arguments), payload.as_bytes());
            assert_eq!(exit, Some(code), "{flow}: {said}");
        }
    }
    // Cards and secrets alone are redacted, and their values kept in the vault.
    let cards = in_payloads().labelled()[1..].join("\n");
    let decide = ["decide", "--flow", "b", "--release", "out", "--decision", "said"];
    let arguments = [&decide[..], &state].concat();
    let (exit, said) = run(folder.path(), &words(&arguments), cards.as_bytes());
    assert_eq!(exit, Some(5), "{said}");
    for command in [
        vec!["ledger", "query"],
        vec!["ledger", "query", "--format", "json"],
        vec!["ledger", "query", "--format", "csv", "--trigger", ssn],
        vec!["ledger", "export", "--format", "ocsf"],
        vec!["ledger", "show", "2"],
        vec!["ledger", "audit", "gaps"],
        vec!["ledger", "verify"],
        vec!["approvals", "list", "--config", "sluice.toml"],
    ] {
        let arguments = [&command[..], &["--state-dir", "state"]].concat();
        let (exit, said) = run(folder.path(), &words(&arguments), b"");
        assert_eq!(exit, Some(0), "{command:?}: {said}");
    }
    let mut files = vec![folder.path().join("state"), folder.path().join("out")];
    files.push(folder.path().join("said"));
    let mut seen = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        seen += 1;
        let content = fs::read(&path).unwrap();
        for values in [in_payloads(), in_names()] {
            values.are_not_in(&content, &path.display().to_string());
        }
    }
    assert!(seen > 10, "{seen} files were searched");
}

#[test]
fn a_check_of_a_manifest_names_no_value() {
    let tree = tree();
    let arguments = ["scan", "data", "--manifest", "manifest", "-q", "-o", "report"];
    assert_eq!(run(tree.path(), &words(&arguments), b"").0, Some(0));
    let names = in_names().labelled();
    let path = |name: &str| tree.path().join("data").join(name);
    fs::write(path(&format!("file {}", names[0])), "changed").unwrap();
    fs::remove_file(path(&format!("file {}", names[1]))).unwrap();
    fs::write(path(&format!("new {}", names[2])), "new").unwrap();
    fs::write(path(&format!("new {}", names[3])), "new").unwrap();
    let (code, said) = run(tree.path(), &words(&["verify-manifest", "manifest"]), b"");
    assert_eq!(code, Some(1), "{said}");
    for word in ["changed: data/", "missing: data/", "new: data/"] {
        assert!(said.contains(word), "{said}");
    }
    for name in &names {
        fs::copy(tree.path().join("manifest"), tree.path().join(name)).unwrap();
        run(tree.path(), &words(&["verify-manifest", name]), b"");
        run(tree.path(), &words(&["verify-manifest", "manifest", "--root", name]), b"");
        fs::write(tree.path().join(name), format!("{{\"{name}\": 1}}\n")).unwrap();
        let (code, said) = run(tree.path(), &words(&["verify-manifest", name]), b"");
        assert_eq!(code, Some(2), "{said}");
    }
}

#[test]
fn no_error_quotes_a_value() {
    let tree = tree();
    // What a rule finds by its shape, and what only with the end of the text behind it.
    let [ssn, _, _, password] = in_names().labelled();
    let names = [ssn, password];
    fs::create_dir(tree.path().join("packs")).unwrap();
    fs::write(tree.path().join("manifest"), "").unwrap();
    for (number, name) in names.iter().enumerate() {
        let missing = format!("no such {name}");
        let bad_pack = format!("packs/{name}.toml");
        fs::write(tree.path().join(&bad_pack), "[[rule]]\nid = \n").unwrap();
        let wrong_key = format!("key {name}");
        fs::write(tree.path().join(&wrong_key), in_payloads().labelled().join(" ")).unwrap();
        let empty = format!("empty {name}");
        fs::create_dir(tree.path().join(&empty)).unwrap();
        let link = format!("{empty}/{name}");
        let inside = format!("{missing}/report");
        let glob = format!("[{name}");
        let mut calls: Vec<Vec<&str>> = vec![
            vec!["scan", &missing],
            vec!["scan", "data", "--key", &missing],
            vec!["scan", "data", "--key", &wrong_key],
            vec!["scan", "data", "--rules", &missing],
            vec!["scan", "data", "--rules", &empty],
            vec!["scan", "data", "--rules", &bad_pack],
            vec!["scan", "data", "-o", &inside],
            vec!["scan", "data", "-o", &empty],
            vec!["scan", "data", "--manifest", &inside],
            vec!["scan", "data", "--include", &glob],
            vec!["scan", "data", "--category", name],
            vec!["scan", "data", "--format", name],
            vec!["scan", "data", "--max-file-size", name],
            vec!["classify", &missing],
            vec!["classify", &empty],
            vec!["classify", "--key", &missing],
            vec!["classify", "--rules", &bad_pack],
            vec!["verify-manifest", &missing],
            vec!["verify-manifest", &empty],
            vec!["verify-manifest", "manifest", "--root", &missing],
            vec!["rules", "check", &missing],
            vec!["rules", "list", "--rules", &bad_pack],
            vec![name],
        ];
        if number == 0 {
            symlink("../packs", tree.path().join(&link)).unwrap();
            calls.push(vec!["scan", "data", "--rules", &empty]);
        }
        for call in calls {
            let (code, said) = run(tree.path(), &words(&call), b"");
            assert!(matches!(code, Some(2 | 4)), "{call:?}: {code:?} {said}");
            assert!(said.contains('*'), "{call:?}: {said}");
        }
        run(tree.path(), &words(&["rules", "check", &bad_pack]), b"");
        run(tree.path(), &words(&["scan", "data", &format!("data/file {name}"), "-q"]), b"");
        run(tree.path(), &words(&["scan", "data", &format!("data/file {name}")]), b"");
    }
}

/// The message of a panic may hold what was being read: only the place is said.
#[cfg(debug_assertions)]
#[test]
fn a_panic_says_where_and_nothing_else() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    let message = in_payloads().labelled().join(" ");
    command.arg("--version").env("RUST_BACKTRACE", "full").env("SLUICE_TEST_PANIC", message);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    in_payloads().are_not_in(&output.stderr, "a panic");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("sluice: internal error at src/bin/sluice/main.rs:"), "{said}");
    assert_eq!((said.lines().count(), output.stdout.len()), (1, 0), "{said}");
}

/// The limits of the process while it waits for input.
#[test]
fn core_dumps_are_off() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .arg("classify")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let limits = PathBuf::from(format!("/proc/{}/limits", child.id()));
    // The limit is set before the first byte is read, but the program has to get there.
    let is_off = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let limits = fs::read_to_string(&limits).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        core.split_whitespace().filter(|word| *word == "0").count() == 2
    });
    input.write_all(b"text").unwrap();
    drop(input);
    assert!(child.wait_with_output().unwrap().status.success());
    assert!(is_off);
}

/// What is held of a payload does not show in `Debug`.
#[test]
fn what_holds_a_payload_does_not_show_it() {
    let text = in_payloads().labelled().join("\n");
    let key = [0xab; 32];
    let scanner = scanner_with(Options { fingerprint_key: Some(key), ..Options::default() });
    let mut shown = format!("{scanner:?}");
    assert!(!shown.contains("171, 171"), "the key is shown");
    for payload in
        [text.clone().into_bytes(), text.repeat(300).into_bytes(), utf16(&text.repeat(300))]
    {
        let mut stream = scanner.stream();
        stream.push(&payload);
        shown += &format!("{stream:?}{stream:#?}");
        let classified = stream.finish();
        shown += &format!("{classified:?}");
        if let Some(mut splitter) = scanner.split(&payload, 4096) {
            shown += &format!("{splitter:?}");
            for segment in splitter.push(&payload) {
                shown += &format!("{segment:?}");
                shown += &format!("{:?}", scanner.scan_segment(&segment, usize::MAX));
            }
            shown += &format!("{splitter:?}");
        }
    }
    shown += &format!("{scanner:?}");
    in_payloads().are_not_in(shown.as_bytes(), "Debug");
}
