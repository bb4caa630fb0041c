//! A verifier that shares no code with sluice agrees: the packages of the Go project check
//! signatures, tiles, roots, proofs and consistency, and refuse what was changed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use sluicegate::record::{Growth, Ledger, Options, Signer, State};

/// Where Debian puts the packages (`golang-golang-x-mod-dev`).
const PACKAGES: &str = "/usr/share/gocode";

/// Builds the verifier, if its packages are there.
pub fn build(program: &Path) -> bool {
    let packages = Path::new(PACKAGES).join("src/golang.org/x/mod/sumdb/tlog");
    if !packages.is_dir() || Command::new("go").arg("version").output().is_err() {
        let message = "golang-go and golang-golang-x-mod-dev are not installed";
        assert!(std::env::var_os("SLUICE_LEDGER_FULL").is_none(), "{message}");
        eprintln!("NOT RUN: {message}, so nobody else verified the ledger");
        return false;
    }
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(program)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent/verify.go"))
        .env("GO111MODULE", "off")
        .env("GOPATH", PACKAGES)
        .env("GOFLAGS", "")
        .env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go"))
        .status();
    assert!(built.unwrap().success());
    true
}

fn entry(sequence: u64) -> Vec<u8> {
    format!(r#"{{"v":1,"sequence":{sequence},"pad":"{}"}}"#, "y".repeat(sequence as usize % 90))
        .into_bytes()
}

#[test]
fn another_implementation_verifies_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    if !build(&path("verify")) {
        return;
    }
    let mut seed = 0u8;
    let state = State::create(&path("state"), "example.com/log", &mut |bytes| {
        seed += 1;
        bytes.fill(seed);
        Ok(())
    })
    .unwrap();
    let options =
        Options { growth: Growth { step: 1 << 16, segment: 1 << 18 }, ..Options::command() };
    let mut ledger = Ledger::open(&state, options, |_, _| Vec::new()).unwrap();
    fs::create_dir(path("checkpoints")).unwrap();
    fs::create_dir(path("proofs")).unwrap();
    // Two levels of tiles, full and partial ones, and a change of keys on the way.
    let mut size = 0u64;
    for (number, count) in [1u64, 2, 252, 1, 1, 255, 1000, 700, 300].into_iter().enumerate() {
        ledger.append_all(|first| (first..first + count).map(entry).collect()).unwrap();
        size += count;
        if number == 4 {
            let next = Signer::from_seed("example.com/log", &[77; 32]).unwrap();
            ledger.rotate(&state, next, |sequence, _, _| entry(sequence)).unwrap();
            size += 1;
        }
        ledger.publish().unwrap();
        let kept = path("checkpoints").join(number.to_string());
        fs::copy(state.path().join("checkpoint"), kept).unwrap();
    }
    for sequence in (0..size).step_by(83).chain([255, 256, 257, size - 1]) {
        let proof = ledger.prove(sequence).unwrap();
        fs::write(path("proofs").join(format!("{sequence}.tlog-proof")), proof.text()).unwrap();
        fs::write(path("proofs").join(format!("{sequence}.entry")), entry(sequence)).unwrap();
    }
    ledger.close().unwrap();
    let keys: String = state.vkeys().unwrap().iter().map(|key| format!("{key}\n")).collect();
    fs::write(path("keys"), keys).unwrap();

    let run = || -> Output {
        let arguments = ["state", "keys", "proofs", "checkpoints"].map(path);
        Command::new(path("verify")).args(arguments).output().unwrap()
    };
    let output = run();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(&format!("{size} entries")) && text.contains("9 checkpoints"), "{text}");
    println!("{text}");

    // It can fail.
    for (name, at) in [
        ("state/checkpoint", 20),
        ("state/tile/0/003", 40),
        ("state/tile/1/000.p/9", 3),
        ("proofs/83.entry", 12),
        ("proofs/83.tlog-proof", 60),
        ("checkpoints/3", 25),
    ] {
        let content = fs::read(path(name)).unwrap();
        let mut changed = content.clone();
        changed[at] ^= 1;
        fs::write(path(name), changed).unwrap();
        let output = run();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && text.contains("FAILED"), "{name}: {text}");
        fs::write(path(name), content).unwrap();
    }
}
