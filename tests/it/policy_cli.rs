//! `sluice init` and `sluice policy` as people and scripts call them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use sluicegate::config::STARTER;

/// A call that sees no file but those it names.
fn sluice(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder.join("home"))
        .env_remove("XDG_CONFIG_HOME")
        .output()
        .expect("sluice starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it is text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("it is text")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it ends by itself")
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("the file is written");
    let mode = Permissions::from_mode(0o644);
    fs::set_permissions(folder.join(name), mode).expect("the mode is set");
}

#[test]
fn init_writes_a_file_that_checks_and_never_writes_over_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(code(&sluice(folder, &["init"])), 0);
    assert_eq!(fs::read_to_string(folder.join("sluice.toml")).unwrap(), STARTER);
    let checked = sluice(folder, &["policy", "check", "sluice.toml"]);
    assert_eq!(code(&checked), 0, "{}", stderr(&checked));
    assert!(stdout(&checked).ends_with("0 errors, 0 warnings\n"), "{}", stdout(&checked));

    fs::write(folder.join("sluice.toml"), "mine").unwrap();
    let again = sluice(folder, &["init"]);
    assert_eq!(code(&again), 2);
    assert!(stderr(&again).contains("stays as it is"));
    assert_eq!(fs::read_to_string(folder.join("sluice.toml")).unwrap(), "mine");

    let printed = sluice(folder, &["init", "-o", "-"]);
    assert_eq!((code(&printed), stdout(&printed)), (0, STARTER.to_owned()));
    assert_eq!(code(&sluice(folder, &["init", "other.toml"])), 0);
    assert_eq!(code(&sluice(folder, &["init", "none/other.toml"])), 4);
}

#[test]
fn check_points_at_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(
        folder,
        "p.toml",
        "version = 1\n[[rule]]\nid = \"r\"\nwhen = { categry = [\"pii.emial\"] }\neffect = \"block\"\nreason = \"no\"\n",
    );
    let checked = sluice(folder, &["policy", "check", "p.toml"]);
    assert_eq!(code(&checked), 1);
    let out = stdout(&checked);
    assert!(out.contains("error[E003]: unknown key `categry` in when"), "{out}");
    assert!(out.contains("--> p.toml:4:10") && out.contains("did you mean `category`?"), "{out}");

    let json = sluice(folder, &["policy", "check", "p.toml", "--format", "json"]);
    let json: Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert_eq!(json["files"][0]["diagnostics"][0]["code"], "E003");
    assert_eq!(json["files"][0]["errors"], 1);
    assert_eq!(json["files"][0]["digest"], Value::Null);
}

#[test]
fn check_takes_the_file_in_force_and_none_of_the_working_directory() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    if Path::new("/etc/sluice/sluice.toml").exists() {
        return;
    }
    write(folder, "sluice.toml", "version = 1\n");
    let none = sluice(folder, &["policy", "check"]);
    assert_eq!(code(&none), 2);
    assert!(stderr(&none).contains("no file is in force"), "{}", stderr(&none));
    fs::create_dir_all(folder.join("home/.config/sluice")).unwrap();
    write(folder, "home/.config/sluice/sluice.toml", "version = 2\n");
    let found = sluice(folder, &["policy", "check"]);
    assert_eq!(code(&found), 1);
    assert!(stdout(&found).contains("P019"), "{}", stdout(&found));
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "p.toml", "version = 1\n");
    fs::set_permissions(folder.join("p.toml"), Permissions::from_mode(0o666)).unwrap();
    let refused = sluice(folder, &["policy", "check", "p.toml"]);
    assert_eq!(code(&refused), 2);
    assert!(stderr(&refused).contains("chmod go-w"), "{}", stderr(&refused));
    let missing = sluice(folder, &["policy", "check", "none.toml"]);
    assert_eq!(code(&missing), 2);
}

const FLOW: &str = r#"{"channel": "prompt", "workflow": "discharge-letters", "purpose": "treatment",
    "destination": "https://api.model.example/v1/chat", "run": "r-7", "trigger": "078-05-1120"}"#;

const LABEL: &str = r#"{"categories": {
        "phi.icd10": {"count": 2, "unique": 2, "max_likelihood": 90},
        "pii.dob": {"count": 1, "unique": 1, "max_likelihood": 95}},
    "possible": {"phi.mrn": 1}, "sensitivity": "confidential",
    "coverage": {"state": "complete", "reasons": []}, "lineage": []}"#;

/// The register of the pages, in a folder of its own.
fn hospital() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hospital.toml");
    write(folder.path(), "hospital.toml", &fs::read_to_string(page).unwrap());
    write(folder.path(), "flow.json", FLOW);
    write(folder.path(), "label.json", LABEL);
    folder
}

#[test]
fn the_register_of_the_pages_is_sound() {
    let folder = hospital();
    let checked = sluice(folder.path(), &["policy", "check", "hospital.toml"]);
    assert_eq!(code(&checked), 0);
    assert!(stdout(&checked).ends_with("0 errors, 0 warnings\n"), "{}", stdout(&checked));
}

#[test]
fn explain_says_why_each_part_got_its_effect() {
    let folder = hospital();
    let explain = ["policy", "explain", "--flow", "flow.json", "--config", "hospital.toml"];
    let with_label = [&explain[..], &["--label", "label.json"]].concat();
    let explained = sluice(folder.path(), &with_label);
    assert_eq!(code(&explained), 0, "{}", stderr(&explained));
    let out = stdout(&explained);
    for expected in [
        "redact\n  Redacted: rule `model.tokenize-people`, for Date of birth (pii.dob): The model",
        "destination  model (external)",
        "  redact    rule model.tokenize-people  <- decides",
        "default.regulated-external  (a rule takes its place)",
        "allow     default.approved  <- decides",
        "rule bulk.patients  does not apply: needs 50 different values, there are 2",
        "findings that are only possible do not count",
    ] {
        assert!(out.contains(expected), "{expected}\n{out}");
    }
    assert!(!out.contains("078-05"), "nothing that is claimed is shown");

    let json = sluice(folder.path(), &[&with_label[..], &["--format", "json"]].concat());
    let json: Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert_eq!(json["effect"], "redact");
    let items = json["items"].as_array().unwrap();
    let dob = items.iter().find(|item| item["about"] == "pii.dob").unwrap();
    assert_eq!(dob["from"], "model.tokenize-people");
    assert_eq!(dob["transform"], "tokenize");
    assert_eq!(dob["default"]["effect"], "block");

    let kinds = stdout(&sluice(folder.path(), &explain));
    assert!(kinds.contains("block     default.secret\n  sec (all"), "{kinds}");
    assert!(kinds.contains("block     substance-use.never-out\n  phi.part2_sud"), "{kinds}");
}

#[test]
fn explain_without_a_register_shows_the_defaults() {
    let folder = hospital();
    if Path::new("/etc/sluice/sluice.toml").exists() {
        return;
    }
    let out = stdout(&sluice(folder.path(), &["policy", "explain", "--flow", "flow.json"]));
    assert!(out.contains("the defaults: no file is in force"), "{out}");
    assert!(out.contains("destination  not registered"), "{out}");
    for wrong in ["{}", "{\"channel\": \"prompt\", \"x\": 1}", "no json"] {
        write(folder.path(), "flow.json", wrong);
        assert_eq!(code(&sluice(folder.path(), &["policy", "explain", "--flow", "flow.json"])), 2);
    }
    write(folder.path(), "flow.json", FLOW);
    write(folder.path(), "label.json", "{\"categories\": {\"pii.no\": {}}}");
    let refused = ["policy", "explain", "--flow", "flow.json", "--label", "label.json"];
    assert_eq!(code(&sluice(folder.path(), &refused)), 2);
}

#[test]
fn diff_says_what_opens_and_exits_one() {
    let folder = hospital();
    let folder = folder.path();
    let old = fs::read_to_string(folder.join("hospital.toml")).unwrap();
    let compare = |new: &str, more: &[&str]| {
        write(folder, "new.toml", new);
        sluice(folder, &[&["policy", "diff", "hospital.toml", "new.toml"], more].concat())
    };
    let same = compare(&old, &[]);
    assert_eq!(code(&same), 0);
    assert!(stdout(&same).starts_with("0 flows open, 0 close, 0 change;"), "{}", stdout(&same));

    let model = "approved = [\"phi.icd10\", \"phi.rx\", \"phi.lab_result\"]";
    assert!(old.contains(model));
    let wider = old
        .replace(model, "approved = [\"phi.icd10\", \"phi.rx\", \"phi.lab_result\", \"phi.ndc\"]");
    let opens = compare(&wider, &[]);
    assert_eq!(code(&opens), 1, "{}", stderr(&opens));
    let out = stdout(&opens);
    for expected in [
        "opens\n  block -> allow  (14 flows)\n",
        "data         phi.ndc\n    or           from an earlier step: phi.ndc\n",
        "destination  model\n    workflow     discharge-letters\n    purpose      treatment\n",
        "channel      any\n",
        "21 flows open, 0 close, 0 change;",
    ] {
        assert!(out.contains(expected), "{expected}\n{out}");
    }
    write(folder, "wider.toml", &wider);
    let closes = sluice(folder, &["policy", "diff", "wider.toml", "hospital.toml"]);
    assert_eq!(code(&closes), 0);
    assert!(
        stdout(&closes).starts_with("closes\n  allow -> block  (14 flows)"),
        "{}",
        stdout(&closes)
    );

    let json = compare(&wider, &["--format", "json"]);
    let json: Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert_eq!((&json["opens"], &json["flows"][0]["old"]["effect"]), (&21.into(), &"block".into()));
    assert_eq!(json["flows"][0]["data"][0]["category"], "phi.ndc");
    assert_eq!(json["flows"][0]["channels"].as_array().unwrap().len(), 7);

    // A host that belongs to somebody else now, and who may do what.
    let host = "url = [\"https://claims.insurer.example/v2\"]";
    assert!(old.contains(host));
    let moved =
        stdout(&compare(&old.replace(host, "url = [\"https://claims.insurer.example\"]"), &[]));
    assert!(moved.contains("url https://claims.insurer.example (unknown -> insurer)"), "{moved}");
    for (from, to, expected) in [
        (
            "uid = [812]",
            "uid = [812, 813]",
            "weaker      workflow `claims` may be claimed by others",
        ),
        ("approvals = 2", "approvals = 1", "weaker      workflow `claims` wants 1 approvals"),
        ("exceptable = [\"pii.email\"]", "exceptable = [\"pii\"]", "weaker      exceptable gains"),
        ("required = true", "required = false", "weaker      records are no longer required"),
        ("uid = 1201", "uid = 1202", "weaker      approver `privacy-officer` has another user id"),
        (
            "approve = [\"phi\", \"pii\", \"nat\"]",
            "approve = [\"phi\", \"pii\", \"nat\", \"fin\"]",
            "approver `privacy-officer` gains fin",
        ),
        (
            "release = \"whole\"",
            "release = \"prefix\"",
            "weaker      destination `insurer` gets streams prefix",
        ),
        (
            "monitoring = \"audit-feed\"",
            "monitoring = \"privacy-queue\"",
            "monitoring goes to `privacy-queue`",
        ),
        ("evidence = [\"run\", \"trigger\"]", "evidence = [\"run\"]", "loses `trigger`"),
    ] {
        assert!(old.contains(from), "{from}");
        let changed = compare(&old.replace(from, to), &[]);
        assert_eq!(code(&changed), 1, "{from}");
        assert!(stdout(&changed).contains(expected), "{expected}\n{}", stdout(&changed));
    }
    let stricter =
        compare(&old.replace("evidence = [\"run\"]", "evidence = [\"run\", \"agent\"]"), &[]);
    assert_eq!(code(&stricter), 0);

    let broken = compare("version = 1\nx = 1\n", &[]);
    assert_eq!(code(&broken), 2);
    assert!(stderr(&broken).contains("E003"), "{}", stderr(&broken));
}
