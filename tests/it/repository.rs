//! Real repositories for the tests of the gate, made with the `git` command in a temporary folder, and
//! the gate run in them. Nothing of the user's own configuration is seen.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A number that the gate finds, with the word that makes it certain.
pub const SSN: &str = "ssn: 574-22-8190\n";

/// A repository with one worktree, or a bare one.
pub struct Repository {
    folder: tempfile::TempDir,
    root: PathBuf,
}

/// What a run of the gate left.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A finding of the gate: path, line and rule; and the commit, where the report names one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    pub commit: Option<String>,
    pub path: String,
    pub line: u64,
    pub rule: String,
}

impl Repository {
    /// An empty one on the branch `main`.
    pub fn new() -> Repository {
        Repository::with(&[])
    }

    /// One that `git init` makes with further options: `--bare`, `--object-format=sha256`.
    pub fn with(options: &[&str]) -> Repository {
        let repository = Repository::nothing();
        let mut all = vec!["init", "-q", "-b", "main"];
        all.extend(options);
        repository.git(&all);
        repository
    }

    /// A clone of another, made with these options.
    pub fn clone_of(other: &Repository, options: &[&str]) -> Repository {
        let repository = Repository::nothing();
        let from = format!("file://{}", other.root.display());
        let mut all = vec!["-c", "protocol.file.allow=always", "clone", "-q"];
        all.extend(options);
        all.extend([from.as_str(), "."]);
        repository.git(&all);
        repository
    }

    /// A folder that is no repository.
    pub fn nothing() -> Repository {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repository");
        for name in ["repository", "home", "aside"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Repository { root: root.canonicalize().unwrap(), folder }
    }

    /// The folder that git works in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path beside the repository, for worktrees, registers, state directories.
    pub fn aside(&self, name: &str) -> PathBuf {
        self.folder.path().join("aside").join(name)
    }

    /// A path below the root.
    pub fn path(&self, path: impl AsRef<OsStr>) -> PathBuf {
        self.root.join(path.as_ref())
    }

    /// Writes a file of the working tree, with the folders above it.
    pub fn write(&self, path: impl AsRef<OsStr>, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Writes a file and stages it.
    pub fn stage(&self, path: impl AsRef<OsStr>, bytes: impl AsRef<[u8]>) {
        self.write(path.as_ref(), bytes);
        self.run("git", [OsStr::new("add"), OsStr::new("--"), path.as_ref()]);
    }

    /// Commits what is staged; the id of the commit. No hook is asked.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["commit", "-q", "--no-verify", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes, stages and commits one file; the id of the commit.
    pub fn committed(&self, path: &str, bytes: impl AsRef<[u8]>) -> String {
        self.stage(path, bytes);
        self.commit(path)
    }

    /// What git says on standard output, without the last line feed; git has to succeed.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.run("git", arguments)
    }

    /// What git does where it need not succeed.
    pub fn try_git(&self, arguments: &[&str]) -> Output {
        self.command("git").args(arguments).output().unwrap()
    }

    /// A command in the root of the repository with a clean environment.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let home = self.folder.path().join("home");
        command.current_dir(&self.root).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", &home).env("XDG_CONFIG_HOME", &home);
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Anna Example");
            command.env(format!("GIT_{who}_EMAIL"), "anna@example.com");
            command.env(format!("GIT_{who}_DATE"), "2026-01-02T03:04:05Z");
        }
        command.stdin(Stdio::null());
        command
    }

    fn run<S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> String {
        let mut command = self.command(program);
        command.args(arguments);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
    }

    /// `sluice gate` in the root, with a clean environment.
    pub fn gate(&self) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_sluice"));
        command.arg("gate");
        command
    }

    /// Runs the gate with these arguments.
    pub fn gated(&self, arguments: &[&str]) -> Ran {
        ran(self.gate().args(arguments))
    }

    /// Runs the gate and reads what it found, in the order of the report.
    pub fn found(&self, arguments: &[&str]) -> Vec<Found> {
        findings(&ran(self.gate().args(["--format", "json"]).args(arguments)))
    }

    /// Paths and lines of what the gate finds.
    pub fn places(&self, arguments: &[&str]) -> Vec<(String, u64)> {
        self.found(arguments).into_iter().map(|it| (it.path, it.line)).collect()
    }

    /// Makes the gate the pre-commit hook, with these arguments.
    pub fn hook(&self, name: &str, arguments: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(format!(".git/hooks/{name}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let gate = env!("CARGO_BIN_EXE_sluice");
        fs::write(&path, format!("#!/bin/sh\nexec '{gate}' gate {arguments}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Runs a command to its end.
pub fn ran(command: &mut Command) -> Ran {
    ended(&command.output().unwrap())
}

/// Runs a command with something on standard input.
pub fn ran_with(command: &mut Command, input: &[u8]) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that ends before it has read all of it says so by its exit code.
    let _ = child.stdin.take().unwrap().write_all(input);
    ended(&child.wait_with_output().unwrap())
}

fn ended(output: &Output) -> Ran {
    Ran {
        code: output.status.code().expect("no signal ended it"),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs the gate with JSON as the form of its report and reads what it found.
pub fn found(command: &mut Command) -> Vec<Found> {
    findings(&ran(command.args(["--format", "json"])))
}

/// What a report in JSON says was found.
pub fn findings(ran: &Ran) -> Vec<Found> {
    assert!(matches!(ran.code, 0 | 1 | 3), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).expect(&ran.err);
    let mut found = Vec::new();
    for file in report["files"].as_array().unwrap() {
        for finding in file["findings"].as_array().into_iter().flatten() {
            found.push(Found {
                commit: file["commit"].as_str().map(str::to_owned),
                path: file["path"].as_str().unwrap().to_owned(),
                line: finding["line"].as_u64().unwrap(),
                rule: finding["rule"].as_str().unwrap().to_owned(),
            });
        }
    }
    found
}
