//! `sluice scan` and `sluice verify-manifest` as a script sees them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, mkfifoat, openat};
use serde_json::Value;
use sluicegate::scan::sweep::Kernel;
use tempfile::TempDir;

/// A synthetic number that is found with certainty.
const SSN: &str = "Her SSN: 861-14-3107, social security\n";

fn sluice(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sluice"))
        .current_dir(directory)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[track_caller]
fn exits(output: &Output, code: i32) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "stdout: {stdout}\nstderr: {stderr}");
}

/// The JSON report, after a check that its sums add up.
#[track_caller]
fn report(output: &Output) -> Value {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    adds_up(&report);
    report
}

#[track_caller]
fn adds_up(report: &Value) {
    let summary = &report["summary"];
    for unit in ["files", "bytes"] {
        let of = |outcome: &str| summary[outcome][unit].as_u64().unwrap();
        let sum = of("scanned") + of("partial") + of("skipped") + of("failed");
        assert_eq!(of("seen"), sum, "{unit}: {summary}");
    }
    let files = report["files"].as_array().unwrap();
    assert_eq!(summary["seen"]["files"].as_u64().unwrap(), files.len() as u64);
    let bytes: u64 = files.iter().map(|file| file["bytes"].as_u64().unwrap()).sum();
    assert_eq!(summary["seen"]["bytes"].as_u64().unwrap(), bytes);
    assert_eq!(summary["recorded"], "no");
}

/// Outcome and problem of the file whose path ends so.
#[track_caller]
fn of<'r>(report: &'r Value, end: &str) -> (&'r str, Option<&'r str>) {
    let files = report["files"].as_array().unwrap();
    let mut found = files.iter().filter(|file| file["path"].as_str().unwrap().ends_with(end));
    let file = found.next().unwrap_or_else(|| panic!("no file `{end}` in {report:#}"));
    assert!(found.next().is_none(), "more than one `{end}`");
    (file["outcome"].as_str().unwrap(), file["problem"].as_str())
}

fn paths(report: &Value) -> Vec<&str> {
    let files = report["files"].as_array().unwrap().iter();
    files.map(|file| file["path"].as_str().unwrap()).collect()
}

fn write(directory: &TempDir, name: &str, content: impl AsRef<[u8]>) {
    let path = directory.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn a_tree_of_bad_things_is_reported_whole() {
    let tree = tempfile::tempdir().unwrap();
    write(&tree, "plain.txt", "nothing here\n");
    write(&tree, "empty", "");
    write(&tree, ".hidden/.file", SSN);
    write(&tree, ".gitignore", "ignored.txt\n");
    write(&tree, "ignored.txt", SSN);
    write(&tree, "broken-utf8.txt", b"text \xff\xfe\x80 \xc3( \xed\xa0\x80\n");
    fs::write(tree.path().join(OsStr::from_bytes(b"name-\xff")), "text").unwrap();
    symlink("..", tree.path().join("up")).unwrap();
    symlink(".", tree.path().join("loop")).unwrap();
    symlink("nowhere", tree.path().join("dangling")).unwrap();
    mkfifoat(CWD, tree.path().join("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
    let _socket = UnixListener::bind(tree.path().join("socket")).unwrap();

    let output = sluice(tree.path(), &["scan", ".", "--format", "json"]);
    exits(&output, 0);
    let report = report(&output);
    for path in ["/plain.txt", "/empty", "/.hidden/.file", "/.gitignore", "/ignored.txt"] {
        assert_eq!(of(&report, path).0, "scanned", "{path}");
    }
    for link in ["/up", "/loop", "/dangling"] {
        assert_eq!(of(&report, link), ("skipped", Some("symbolic link")));
    }
    assert_eq!(of(&report, "/fifo"), ("skipped", Some("fifo")));
    assert_eq!(of(&report, "/socket"), ("skipped", Some("socket")));
    assert_eq!(paths(&report).len(), 12);
    assert_eq!(report["summary"]["files_with_findings"], 2);
    // Nothing but the summary is on standard error, since that is no terminal.
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("sluice: 12 files") && stderr.contains("recorded: no"), "{stderr}");
    let quiet = sluice(tree.path(), &["scan", ".", "--format", "json", "--quiet"]);
    assert!(quiet.stderr.is_empty());
}

#[test]
fn very_deep_trees_end_with_a_failed_entry() {
    let tree = tempfile::tempdir().unwrap();
    let mut at = openat(CWD, tree.path(), OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..1030 {
        mkdirat(&at, "directory", Mode::RWXU).unwrap();
        at = openat(&at, "directory", OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    write(&tree, "z", "text");
    let output = sluice(tree.path(), &["scan", ".", "--format", "json", "--fail-on", "block"]);
    exits(&output, 1);
    let report = report(&output);
    assert_eq!(report["summary"]["failed"]["files"], 1);
    assert_eq!(of(&report, "/z").0, "scanned");
    let (outcome, problem) = of(&report, "/directory");
    assert_eq!(outcome, "failed");
    assert!(problem.unwrap().starts_with("too deep"));
}

#[test]
fn unreadable_files_and_directories_are_failed() {
    let tree = tempfile::tempdir().unwrap();
    write(&tree, "closed.txt", SSN);
    write(&tree, "directory/file", SSN);
    let closed = fs::Permissions::from_mode(0o000);
    fs::set_permissions(tree.path().join("closed.txt"), closed.clone()).unwrap();
    if fs::read(tree.path().join("closed.txt")).is_ok() {
        eprintln!("not checked: permissions do not hold for this user");
        return;
    }
    fs::set_permissions(tree.path().join("directory"), closed).unwrap();
    let output = sluice(tree.path(), &["scan", ".", "--format", "json"]);
    let open = fs::Permissions::from_mode(0o700);
    fs::set_permissions(tree.path().join("directory"), open).unwrap();
    exits(&output, 0);
    let report = report(&output);
    assert_eq!(of(&report, "/closed.txt"), ("failed", Some("permission denied")));
    assert_eq!(of(&report, "/directory"), ("failed", Some("cannot be listed: permission denied")));
}

#[test]
fn missing_paths_are_all_named_before_anything_is_written() {
    let tree = tempfile::tempdir().unwrap();
    let output = sluice(tree.path(), &["scan", "gone", ".", "lost", "-o", "report"]);
    exits(&output, 2);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("`gone`") && stderr.contains("`lost`"), "{stderr}");
    assert!(output.stdout.is_empty());
    assert!(!tree.path().join("report").exists());
}

#[test]
fn wrong_calls_exit_2() {
    let tree = tempfile::tempdir().unwrap();
    for arguments in [
        &["scan"][..],
        &["scan", ".", "--include", "a["],
        &["scan", ".", "--max-file-size", "10X"],
        &["scan", ".", "--category", "no.such"],
        &["scan", ".", "--key", "no-such-file"],
        &["scan", ".", "--jobs", "0"],
        &["scan", ".", "--kernel", "abacus"],
        &["scan", ".", "-o", "same", "--manifest", "same"],
        &["scan", ".", "-o", "."],
        &["verify-manifest", "no-such-file"],
    ] {
        exits(&sluice(tree.path(), arguments), 2);
    }
    assert_eq!(fs::read_dir(tree.path()).unwrap().count(), 0);
}

#[test]
fn a_root_may_be_a_link_a_file_or_given_twice() {
    let tree = tempfile::tempdir().unwrap();
    write(&tree, "real/a", "text");
    write(&tree, "real/sub/b", "text");
    write(&tree, "file", "text");
    symlink("real", tree.path().join("link")).unwrap();
    let arguments = ["scan", "link", "file", "real/sub", "real", "--format", "json"];
    let output = sluice(tree.path(), &arguments);
    exits(&output, 0);
    assert_eq!(paths(&report(&output)), ["file", "link/a", "link/sub/b"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("`real/sub` is covered by `link`"), "{stderr}");
}

#[test]
fn globs_and_sizes_leave_files_out_and_say_so() {
    let tree = tempfile::tempdir().unwrap();
    write(&tree, "a.csv", "1,2\n");
    write(&tree, "a.log", "12345678");
    write(&tree, "big.csv", vec![b'x'; 5000]);
    write(&tree, "cache/inside.csv", "1,2\n");
    write(&tree, "sub/b.csv", "1,2\n");
    let output = sluice(
        tree.path(),
        &[
            "scan",
            ".",
            "--format",
            "json",
            "--include",
            "*.csv",
            "--exclude",
            "cache/",
            "--exclude",
            "/sub/*",
            "--max-file-size",
            "4K",
        ],
    );
    exits(&output, 0);
    let report = report(&output);
    assert_eq!(of(&report, "/a.csv").0, "scanned");
    assert_eq!(of(&report, "/a.log"), ("skipped", Some("matched by no include glob")));
    assert_eq!(of(&report, "/big.csv"), ("skipped", Some("larger than the size limit")));
    assert_eq!(of(&report, "/cache"), ("skipped", Some("excluded by a glob")));
    assert_eq!(of(&report, "/sub/b.csv"), ("skipped", Some("excluded by a glob")));
    assert_eq!(paths(&report).len(), 5);
    assert_eq!(report["summary"]["skipped"]["bytes"], 8 + 5000 + 4);
}

#[test]
fn fail_on_gives_the_code_of_the_highest_effect() {
    let tree = tempfile::tempdir().unwrap();
    write(&tree, "clean", "nothing here\n");
    exits(&sluice(tree.path(), &["scan", ".", "--fail-on", "allow"]), 0);
    write(&tree, "data", SSN);
    exits(&sluice(tree.path(), &["scan", "."]), 0);
    exits(&sluice(tree.path(), &["scan", ".", "--fail-on", "redact"]), 1);
    let output = sluice(tree.path(), &["scan", ".", "--fail-on", "block", "--format", "json"]);
    exits(&output, 1);
    assert_eq!(report(&output)["summary"]["effect"], "block");
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let tree = tempfile::tempdir().unwrap();
    write(&tree, "data", SSN);
    write(&tree, "report", "the old report");
    for format in ["human", "json", "jsonl", "csv", "sarif"] {
        let output = sluice(tree.path(), &["scan", ".", "--format", format, "-o", "/dev/full"]);
        exits(&output, 4);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("`/dev/full`: No space left on device"), "{stderr}");
    }
    // The manifest fails, so that the report does not replace the old one either.
    exits(&sluice(tree.path(), &["scan", ".", "-o", "report", "--manifest", "/dev/full"]), 4);
    assert_eq!(fs::read(tree.path().join("report")).unwrap(), b"the old report");
    exits(&sluice(tree.path(), &["scan", ".", "-o", "none/report"]), 4);
    let left: Vec<_> = fs::read_dir(tree.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    let full = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["scan", "."])
        .current_dir(tree.path())
        .stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    exits(&full, 4);
}

#[test]
fn identities_in_sarif_are_those_of_lines() {
    let tree = tempfile::tempdir().unwrap();
    write(&tree, "a", SSN);
    write(&tree, "b", format!("moved\n{SSN}"));
    write(&tree, "c", SSN.replace("Her", "His"));
    let output = sluice(tree.path(), &["scan", ".", "--format", "sarif"]);
    exits(&output, 0);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = document["runs"][0]["results"].as_array().unwrap();
    let identities: Vec<_> = results.iter().map(|it| &it["partialFingerprints"]).collect();
    assert_eq!(identities.len(), 3);
    assert_eq!(identities[0], identities[1]);
    assert_ne!(identities[0], identities[2]);
}

#[test]
fn a_report_inside_the_tree_is_no_part_of_it() {
    let tree = tempfile::tempdir().unwrap();
    write(&tree, "data", "text");
    symlink("reports/latest", tree.path().join("report")).unwrap();
    write(&tree, "reports/latest", "old");
    for _ in 0..2 {
        let arguments = ["scan", ".", "--format", "json", "-o", "report", "--manifest", "manifest"];
        exits(&sluice(tree.path(), &arguments), 0);
        let text = fs::read(tree.path().join("reports/latest")).unwrap();
        let report: Value = serde_json::from_slice(&text).unwrap();
        adds_up(&report);
        assert_eq!(paths(&report), ["./data", "./report"]);
        assert_eq!(of(&report, "/report").1, Some("symbolic link"));
        exits(&sluice(tree.path(), &["verify-manifest", "manifest"]), 0);
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let tree = tempfile::tempdir().unwrap();
    for directory in 0..12 {
        for file in 0..25 {
            write(&tree, &format!("{directory}/{file}.txt"), SSN.repeat(file));
        }
    }
    let of = |jobs: &str| {
        let output = sluice(tree.path(), &["scan", ".", "--format", "json", "-j", jobs]);
        exits(&output, 0);
        report(&output)
    };
    let (one, many) = (of("1"), of("8"));
    let found = paths(&one);
    assert_eq!(found.len(), 300);
    assert!(found.is_sorted());
    assert_eq!(found, paths(&many));
    assert_eq!(one["summary"]["findings"], many["summary"]["findings"]);
}

#[test]
fn the_kernel_changes_nothing() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let key = tempfile::NamedTempFile::new().unwrap();
    fs::write(key.path(), [7; 32]).unwrap();
    let scan = |kernel: &str| {
        let key = key.path().to_str().unwrap();
        let arguments =
            ["scan", "sample-export", "--format", "json", "--key", key, "--kernel", kernel];
        let output = sluice(&corpus, &arguments);
        exits(&output, 0);
        let mut report = report(&output);
        report["summary"]["elapsed_ms"] = Value::Null;
        report
    };
    let expected = scan("auto");
    assert!(!expected["summary"]["findings"].as_object().unwrap().is_empty());
    for kernel in Kernel::available() {
        assert_eq!(scan(kernel.as_str()), expected, "{kernel:?}");
    }
}

#[test]
fn an_interrupted_scan_ends_with_a_true_summary() {
    let tree = tempfile::tempdir().unwrap();
    let out = tempfile::tempdir().unwrap();
    fs::File::create(tree.path().join("huge")).unwrap().set_len(1 << 40).unwrap();
    write(&tree, "zz", "never begun");
    let report_path = out.path().join("report");
    let child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["scan", "-j1", "--format", "json", "-o"])
        .arg(&report_path)
        .arg("--manifest")
        .arg(out.path().join("manifest"))
        .arg(tree.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id().to_string();
    // Once it has read a few pieces, its signal handlers are there.
    let begun = Instant::now();
    loop {
        let counters = fs::read_to_string(format!("/proc/{id}/io")).unwrap();
        let read: u64 = counters
            .lines()
            .find_map(|line| line.strip_prefix("rchar: "))
            .unwrap()
            .parse()
            .unwrap();
        if read > 8 << 20 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "the scan does not begin to read");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    exits(&output, 4);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("; interrupted"), "{stderr}");
    let report: Value = serde_json::from_slice(&fs::read(&report_path).unwrap()).unwrap();
    adds_up(&report);
    assert_eq!(report["summary"]["interrupted"], true);
    assert_eq!(of(&report, "/huge"), ("partial", Some("interrupted")));
    assert_eq!(paths(&report).len(), 1);
    // A list of half of the files would pass for a list of all.
    assert!(!out.path().join("manifest").exists());
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
}

/// A tree with its manifest beside it.
fn listed() -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    write(&tree, "export/a.csv", "a,b\n1,2\n");
    write(&tree, "export/sub/b.txt", SSN);
    write(&tree, "export/left/out.log", "log");
    write(&tree, "export/large", vec![b'x'; 3 << 20]);
    fs::write(tree.path().join("export").join(OsStr::from_bytes(b"\xfe.txt")), "text").unwrap();
    symlink("a.csv", tree.path().join("export/link")).unwrap();
    let arguments = ["scan", "export", "--manifest", "manifest", "--exclude", "left", "--quiet"];
    exits(&sluice(tree.path(), &arguments), 0);
    tree
}

#[test]
fn a_manifest_lists_what_was_seen_and_verifies() {
    let tree = listed();
    let text = fs::read_to_string(tree.path().join("manifest")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["sluice_manifest"], 1);
    assert_eq!(lines[0]["root"], serde_json::json!(["export"]));
    let files = &lines[1..lines.len() - 1];
    assert_eq!(lines.last().unwrap()["files"].as_u64().unwrap(), files.len() as u64);
    assert_eq!(files.len(), 6);
    assert_eq!(files[0]["path"], "export/a.csv");
    assert_eq!(files[0]["size"], 8);
    // printf 'a,b\n1,2\n' | sha256sum
    let digest = "492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470";
    assert_eq!(files[0]["sha256"], digest);
    assert_eq!(files.last().unwrap()["path_bytes"], "ZXhwb3J0L/4udHh0");
    let output = sluice(tree.path(), &["verify-manifest", "manifest"]);
    exits(&output, 0);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.starts_with("4 as they were, 0 changed"), "{stdout}");

    // From elsewhere, and for a copy.
    let elsewhere = tempfile::tempdir().unwrap();
    let manifest = tree.path().join("manifest");
    let manifest = manifest.to_str().unwrap();
    exits(&sluice(elsewhere.path(), &["verify-manifest", manifest]), 1);
    let base = tree.path().to_str().unwrap();
    exits(&sluice(elsewhere.path(), &["verify-manifest", manifest, "--root", base]), 0);
}

#[test]
fn every_deviation_from_a_manifest_is_named() {
    let tree = listed();
    let export = tree.path().join("export");
    fs::write(export.join("a.csv"), "a,b\n1,3\n").unwrap();
    fs::remove_file(export.join("sub/b.txt")).unwrap();
    symlink("../a.csv", export.join("sub/b.txt")).unwrap();
    fs::remove_file(export.join(OsStr::from_bytes(b"\xfe.txt"))).unwrap();
    fs::write(export.join("new"), "").unwrap();
    fs::write(export.join("left/more.log"), "not entered by the scan").unwrap();
    let large = fs::OpenOptions::new().append(true).open(export.join("large")).unwrap();
    std::io::Write::write_all(&mut &large, b"x").unwrap();
    let output = sluice(tree.path(), &["verify-manifest", "manifest"]);
    exits(&output, 1);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = stdout.lines().collect();
    let (summary, deviations) = lines.split_last().unwrap();
    assert_eq!(
        deviations,
        [
            "changed: export/a.csv",
            "changed: export/large",
            "missing: export/sub/b.txt",
            "missing: export/\\xfe.txt",
            "new: export/new",
        ]
    );
    assert!(summary.starts_with("0 as they were, 2 changed, 2 missing, 0 unreadable, 1 new"));
}

#[test]
fn a_broken_manifest_exits_2_with_its_line() {
    let tree = listed();
    let text = fs::read_to_string(tree.path().join("manifest")).unwrap();
    let lines = text.lines().count();
    let without_tail = text.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n";
    let tail = text.lines().last().unwrap();
    let huge =
        r#"{"path":"export/x","size":18446744073709551615,"sha256":null,"outcome":"skipped"}"#;
    let twice = text.lines().nth(1).unwrap();
    let cases = [
        (String::new(), 1, "empty"),
        (text.trim_end().to_owned(), lines, "cut off within a line"),
        (text[..text.len() - 4].to_owned(), lines, "cut off within a line"),
        (without_tail.clone(), lines, "the last line is missing"),
        (text.replace("\"sluice_manifest\":1", "\"sluice_manifest\":2"), 1, "unknown version 2"),
        (text.replace("export/a.csv", "export/../../etc/passwd"), 2, "lies in no root"),
        (text.replace("export/a.csv", "/etc/passwd"), 2, "lies in no root"),
        (text.replace("\"size\":8", "\"size\":9"), lines, "totals do not agree"),
        (text.replace("\"size\":8", "\"size\":-1"), 2, "no line of a manifest"),
        (text.replace("\"492d", "\"zzzz"), 2, "no digest"),
        (format!("{text}{tail}\n"), lines + 1, "more behind the totals"),
        (format!("{without_tail}{huge}\n{tail}\n"), lines, "more than can be"),
        (format!("{without_tail}{twice}\n{tail}\n"), lines, "listed twice"),
        (format!("{without_tail}{}\n{tail}\n", "x".repeat(3 << 20)), lines, "too long"),
    ];
    for (content, line, problem) in cases {
        write(&tree, "broken", &content);
        let output = sluice(tree.path(), &["verify-manifest", "broken"]);
        exits(&output, 2);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            stderr.contains(&format!("line {line}: ")) && stderr.contains(problem),
            "line {line}, {problem}: {stderr}"
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_sample_export_is_scanned_whole() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let output = sluice(&corpus, &["scan", "sample-export", "--format", "json"]);
    exits(&output, 0);
    let report = report(&output);
    assert_eq!(paths(&report).len(), 18);
    assert_eq!(of(&report, "/.backup/users.bak").0, "scanned");
    assert_eq!(of(&report, "/contracts-q1.zip").0, "partial");
    assert_eq!(report["summary"]["partial"]["files"], 1);
    assert_eq!(report["summary"]["failed"]["files"], 0);
}
