//! Who calls the daemon, from inside its sandbox.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};
use sluicegate::model::Executable;
use sluicegate::serve::peer::{Executables, Peer, Readers};

use crate::daemon::Daemon;

fn readers() -> Readers {
    Readers::start(Path::new(env!("CARGO_BIN_EXE_sluice")), &["read-programs"]).unwrap()
}

fn digest(path: &Path) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(fs::read(path).unwrap()))
}

#[test]
fn helpers_see_what_this_process_sees() {
    let (stream, _other) = UnixStream::pair().unwrap();
    let helped = Peer::of(&stream, &Executables::read_by(readers())).unwrap();
    let executable = helped.attested(None).unwrap().executable;
    let Executable::Known { sha256, .. } = &executable else { panic!("{executable:?}") };
    assert_eq!(*sha256, digest(&std::env::current_exe().unwrap()));
    let direct = Peer::of(&stream, &Executables::new()).unwrap();
    assert_eq!(executable, direct.attested(None).unwrap().executable);
}

#[test]
fn a_helper_that_is_no_helper_makes_the_executable_unavailable() {
    let (stream, _other) = UnixStream::pair().unwrap();
    let readers = Readers::start(Path::new("/bin/true"), &[]).unwrap();
    let attested = Peer::of(&stream, &Executables::read_by(readers)).unwrap().attested(None);
    let executable = attested.unwrap().executable;
    assert_eq!(executable, Executable::Unavailable("no helper was there to read it"));
}

/// The daemon enters its sandbox, and still names the program of who asked, in the record.
#[test]
fn the_daemon_names_the_program_of_its_caller() {
    let Some(curl) = program("curl") else {
        eprintln!("NOT RUN: curl is not installed, so no other program has asked the daemon");
        return;
    };
    let daemon = Daemon::start(None);
    let output = Command::new(&curl)
        .args(["--silent", "--unix-socket"])
        .arg(&daemon.socket)
        .args(["-H", "Sluice-Flow: {\"run\":\"r\",\"channel\":\"prompt\"}", "--data", "hello"])
        .arg("http://sluice/v1/decide")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", daemon.log());
    let shown = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["ledger", "query", "--format", "json", "--state-dir"])
        .arg(&daemon.state)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains(&digest(&curl)), "{text}\n{}", String::from_utf8_lossy(&output.stdout));
}

fn program(name: &str) -> Option<std::path::PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name));
    found.into_iter().find_map(|path| path.canonicalize().ok())
}
