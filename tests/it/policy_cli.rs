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
