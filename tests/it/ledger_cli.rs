//! `sluice ledger`: what it writes, what it refuses, and its exit codes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        let made = place.run(&["init", "--origin", "example.com/log"]);
        assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("state")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_sluice"))
            .arg("ledger")
            .args(arguments)
            .env("SLUICE_STATE_DIR", self.state())
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let what = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {what:?}");
        what.0
    }

    fn code(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        let text = text(&output.stdout) + &text(&output.stderr);
        (output.status.code().unwrap(), text)
    }

    fn report(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["verify", "--format", "json"], arguments].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn segment(&self) -> PathBuf {
        let mut segments: Vec<PathBuf> = fs::read_dir(self.state().join("journal"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        segments.sort();
        segments.pop().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn init_makes_a_directory_that_is_closed_to_others() {
    let place = Place::new();
    let state = place.state();
    for (name, expected) in [
        ("", 0o710),
        ("keys", 0o700),
        ("journal", 0o700),
        ("pending", 0o700),
        ("vault", 0o700),
        ("inbox", 0o730),
        ("keys/sign", 0o600),
        ("keys/mac.1", 0o600),
        ("keys/vault", 0o600),
    ] {
        assert_eq!(mode(&state.join(name)), expected, "{name}");
    }
    let (code, text) = place.code(&["init"]);
    assert!(code == 2 && text.contains("holds something already"), "{code} {text}");
    let other = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["ledger", "init", "--origin", "a b"])
        .arg("--state-dir")
        .arg(place.path("other"))
        .output()
        .unwrap();
    assert_eq!(other.status.code(), Some(2));
}

#[test]
fn the_state_directory_is_found_where_the_environment_says() {
    let place = Place::new();
    let find = |name: &str, value: &Path| {
        Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["ledger", "verify"])
            .env_remove("SLUICE_STATE_DIR")
            .env_remove("XDG_STATE_HOME")
            .env("HOME", place.path("nowhere"))
            .env(name, value)
            .output()
            .unwrap()
            .status
            .code()
    };
    assert_eq!(find("SLUICE_STATE_DIR", &place.state()), Some(0));
    assert_eq!(find("SLUICE_STATE_DIR", Path::new("")), Some(2));
    fs::rename(place.state(), place.path("sluice")).unwrap();
    assert_eq!(find("XDG_STATE_HOME", place.folder.path()), Some(0));
    assert_eq!(find("XDG_STATE_HOME", Path::new("relative")), Some(2));
    fs::create_dir_all(place.path("home/.local/state")).unwrap();
    fs::rename(place.path("sluice"), place.path("home/.local/state/sluice")).unwrap();
    assert_eq!(find("HOME", &place.path("home")), Some(0));
}

#[test]
fn keys_that_others_can_reach_are_refused() {
    let place = Place::new();
    let sign = place.state().join("keys/sign");
    fs::set_permissions(&sign, fs::Permissions::from_mode(0o640)).unwrap();
    let (code, text) = place.code(&["rotate-keys"]);
    assert!(code == 2 && text.contains("0600"), "{code} {text}");
    fs::set_permissions(&sign, fs::Permissions::from_mode(0o600)).unwrap();
    let moved = place.path("sign");
    fs::rename(&sign, &moved).unwrap();
    symlink(&moved, &sign).unwrap();
    let (code, text) = place.code(&["rotate-keys"]);
    assert!(code == 2 && text.contains("is a link"), "{code} {text}");
    fs::remove_file(&sign).unwrap();
    fs::rename(&moved, &sign).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&sign, Some(1), None).unwrap();
        let (code, text) = place.code(&["rotate-keys"]);
        assert!(code == 2 && text.contains("somebody else"), "{code} {text}");
        std::os::unix::fs::chown(&sign, Some(0), None).unwrap();
    }
    let keys = place.state().join("keys");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o750)).unwrap();
    assert_eq!(place.code(&["rotate-keys"]).0, 2);
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o700)).unwrap();
    place.ok(&["rotate-keys"]);
    // Nothing that the command writes holds a secret.
    let secret = fs::read_to_string(&sign).unwrap();
    // The key itself, in base64, may hold a `+`.
    let secret = secret.trim_end().splitn(5, '+').nth(4).unwrap();
    assert!(secret.len() > 40);
    for arguments in [&["verify"][..], &["prove", "0"], &["anchor"]] {
        assert!(!place.code(arguments).1.contains(secret));
    }
}

#[test]
fn one_writer_at_a_time_and_the_next_waits_two_seconds() {
    let place = Place::new();
    let lock = fs::File::open(place.state().join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let began = std::time::Instant::now();
    let (code, text) = place.code(&["rotate-keys"]);
    let waited = began.elapsed().as_secs_f64();
    assert!(code == 4 && text.contains("another process"), "{code} {text}");
    assert!((1.9..10.0).contains(&waited), "{waited}");
    // Reading needs no lock.
    place.ok(&["verify"]);
}

#[test]
fn a_proof_stands_alone_and_proves_nothing_else() {
    let place = Place::new();
    place.ok(&["rotate-keys"]);
    place.ok(&["anchor", "-o", "anchor"]);
    place.ok(&["prove", "0", "-o", "proof", "--entry", "entry"]);
    let keys: String = fs::read_dir(place.state().join("keys"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "vkey"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    fs::write(place.path("keys"), keys).unwrap();
    // Without the ledger.
    fs::rename(place.state(), place.path("away")).unwrap();
    let check = ["verify", "--proof", "proof", "--entry", "entry", "--vkey", "keys"];
    assert!(place.ok(&check).contains("entry 0 is in the log `example.com/log`"));
    let entry = fs::read_to_string(place.path("entry")).unwrap();
    fs::write(place.path("entry"), entry.replace("key_rotate", "key-rotate")).unwrap();
    let (code, text) = place.code(&check);
    assert!(code == 1 && text.contains("not proven"), "{code} {text}");
    fs::write(place.path("keys"), "nonsense\n").unwrap();
    assert_eq!(place.code(&check).0, 2);
    fs::rename(place.path("away"), place.state()).unwrap();
    let (code, text) = place.code(&["prove", "17"]);
    assert!(code == 2 && text.contains("no entry 17"), "{code} {text}");
}

#[test]
fn who_knows_the_first_key_can_follow_to_the_last() {
    let place = Place::new();
    let keys = place.state().join("keys");
    let mut old = fs::read_dir(&keys).unwrap().map(|entry| entry.unwrap().path());
    let old = old.find(|path| path.extension().is_some_and(|e| e == "vkey")).unwrap();
    fs::copy(old, place.path("old.vkey")).unwrap();
    let first_sign = fs::read(keys.join("sign")).unwrap();
    place.ok(&["rotate-keys"]);
    place.ok(&["rotate-keys"]);
    place.ok(&["anchor"]);
    assert!(keys.join("mac.3").exists());
    // Old fingerprints are unlinked, and the log holds.
    fs::remove_file(keys.join("mac.1")).unwrap();
    let report = place.report(&["--vkey", "old.vkey"]);
    assert_eq!((&report["holds"], &report["entries"]), (&true.into(), &3.into()), "{report}");
    // Who steals the replaced key cannot go on with it.
    fs::write(keys.join("sign"), first_sign).unwrap();
    let (code, text) = place.code(&["anchor"]);
    assert!(code == 4 && text.contains("not signed by the key"), "{code} {text}");
}

#[test]
fn tampering_is_told_by_exit_code_one() {
    let place = Place::new();
    place.ok(&["rotate-keys"]);
    place.ok(&["anchor", "-o", "kept"]);
    assert_eq!(place.report(&[])["holds"], true);
    let segment = place.segment();
    let mut content = fs::read(&segment).unwrap();
    let at = content.windows(10).position(|bytes| bytes == b"key_rotate").unwrap();
    content[at] ^= 1;
    fs::write(&segment, &content).unwrap();
    let (code, text) = place.code(&["verify"]);
    assert!(code == 1 && text.contains("WRONG:") && text.contains("damaged"), "{code} {text}");
    let (code, text) = place.code(&["rotate-keys"]);
    assert!(code == 4 && text.contains("ledger verify"), "{code} {text}");
    content[at] ^= 1;
    fs::write(&segment, &content).unwrap();
    place.ok(&["verify"]);
    fs::remove_file(place.state().join("checkpoint")).unwrap();
    assert_eq!(place.code(&["verify"]).0, 1);
}

#[test]
fn a_kept_checkpoint_tells_of_a_rollback_of_everything() {
    let place = Place::new();
    place.ok(&["rotate-keys"]);
    let copied =
        Command::new("cp").arg("-a").arg(place.state()).arg(place.path("earlier")).status();
    assert!(copied.unwrap().success());
    place.ok(&["anchor"]);
    place.ok(&["anchor", "-o", "kept"]);
    assert!(place.ok(&["anchor", "--check", "kept"]).contains("begins with the 2"));
    fs::rename(place.state(), place.path("later")).unwrap();
    fs::rename(place.path("earlier"), place.state()).unwrap();
    // By itself it holds.
    place.ok(&["verify"]);
    let (code, text) = place.code(&["anchor", "--check", "kept"]);
    assert!(code == 1 && text.contains("rolled back"), "{code} {text}");
    // Grown again past it, it is another log.
    for _ in 0..3 {
        place.ok(&["anchor"]);
    }
    let (code, text) = place.code(&["anchor", "--check", "kept"]);
    assert!(code == 1 && text.contains("changed"), "{code} {text}");
    fs::write(place.path("kept"), "nonsense").unwrap();
    assert_eq!(place.code(&["anchor", "--check", "kept"]).0, 1);
    assert_eq!(place.code(&["anchor", "--check", "missing"]).0, 2);
}

#[test]
fn retention_moves_whole_segments_and_the_log_still_proves_them() {
    let place = Place::new();
    let archive = place.path("archive");
    fs::create_dir(&archive).unwrap();
    place.ok(&["rotate-keys"]);
    place.ok(&["anchor", "-o", "kept"]);
    let before = |day| ["retain", "--before", day, "--archive", "archive"];
    assert!(place.ok(&before("2020-01-01")).contains("no segment is that old"));
    for wrong in ["2020-1-1", "yesterday", "2020-01-01T00"] {
        assert_eq!(place.code(&before(wrong)).0, 2, "{wrong}");
    }
    let text = place.ok(&before("2999-01-01"));
    assert!(text.contains("begins with entry 2"), "{text}");
    assert_eq!(fs::read_dir(&archive).unwrap().count(), 1);
    place.ok(&["anchor"]);
    let report = place.report(&[]);
    assert_eq!((&report["first"], &report["holds"]), (&2.into(), &true.into()), "{report}");
    let report = place.report(&["--archive", "archive"]);
    assert_eq!((&report["entries"], &report["holds"]), (&4.into(), &true.into()), "{report}");
    assert_eq!((&report["archived"], &report["tiles_checked"]), (&1.into(), &true.into()));
    assert!(place.ok(&["anchor", "--check", "kept"]).contains("begins with the 1"));
    let (code, text) = place.code(&["prove", "0"]);
    assert!(code == 2 && text.contains("holds entries 2 to"), "{code} {text}");
    // An archive that was changed is told.
    let segment = fs::read_dir(&archive).unwrap().next().unwrap().unwrap().path();
    let mut content = fs::read(&segment).unwrap();
    let at = content.windows(10).position(|bytes| bytes == b"key_rotate").unwrap();
    content[at] ^= 1;
    fs::write(&segment, content).unwrap();
    assert_eq!(place.report(&["--archive", "archive"])["holds"], false);
}
