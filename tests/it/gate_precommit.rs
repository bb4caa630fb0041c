//! The pre-commit framework runs the gate, as `.pre-commit-hooks.yaml` says, on real repositories.
//!
//! The framework is that of `SLUICE_PRE_COMMIT`, or `pre-commit` on PATH; without one nothing runs,
//! and that is said.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::repository::{Ran, Repository, SSN, ran};

fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".pre-commit-hooks.yaml")
}

/// The framework, where there is one.
fn framework() -> Option<PathBuf> {
    let named = std::env::var_os("SLUICE_PRE_COMMIT").map(PathBuf::from);
    let program = named.unwrap_or_else(|| PathBuf::from("pre-commit"));
    let runs = Command::new(&program).arg("--version").output();
    if runs.is_ok_and(|output| output.status.success()) {
        return Some(program);
    }
    let missing =
        "NOT RUN: no pre-commit here; `pip install pre-commit`, and name it in SLUICE_PRE_COMMIT";
    eprintln!("{missing}");
    None
}

/// A repository that asks for hooks of ours, and the environment in which the framework runs.
struct Asking {
    repository: Repository,
    path: OsString,
    framework: PathBuf,
}

impl Asking {
    /// `hooks` are lines of the configuration below `hooks:`.
    fn new(framework: PathBuf, hooks: &str) -> Asking {
        let repository = Repository::new();
        // What the framework clones: the manifest alone is what these hooks need of it.
        let ours = repository.aside("ours");
        fs::create_dir(&ours).unwrap();
        fs::copy(manifest(), ours.join(".pre-commit-hooks.yaml")).unwrap();
        let git = |arguments: &[&str]| {
            let done = ran(repository.command("git").args(arguments).current_dir(&ours));
            assert_eq!(done.code, 0, "{done:?}");
            done.out.trim().to_owned()
        };
        git(&["init", "-q"]);
        git(&["add", "."]);
        git(&["commit", "-qm", "hooks"]);
        let revision = git(&["rev-parse", "HEAD"]);
        let from = ours.display();
        let text = format!("repos:\n- repo: {from}\n  rev: {revision}\n  hooks:\n{hooks}");
        repository.stage(".pre-commit-config.yaml", text);
        repository.commit("ask for the gate");
        let sluice = Path::new(env!("CARGO_BIN_EXE_sluice")).parent().unwrap().to_owned();
        let mut folders = vec![sluice];
        folders.extend(framework.parent().map(Path::to_owned).filter(|it| it.is_absolute()));
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let path = std::env::join_paths(folders).unwrap();
        Asking { repository, path, framework }
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Ran {
        let mut command = self.repository.command(program);
        command.args(arguments).env("PATH", &self.path);
        ran(command.env("PRE_COMMIT_HOME", self.repository.aside("cache")))
    }

    fn framework(&self, arguments: &[&str]) -> Ran {
        self.run(self.framework.to_str().unwrap(), arguments)
    }
}

#[test]
fn the_manifest_holds() {
    let text = fs::read_to_string(manifest()).unwrap();
    let ids: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("- id: ")).collect();
    assert_eq!(ids, ["sluice", "sluice-system", "sluice-push"]);
    assert_eq!(text.matches("  require_serial: true\n").count(), ids.len());
    let Some(framework) = framework() else { return };
    let manifest = manifest();
    let output = Command::new(framework).arg("validate-manifest").arg(&manifest).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_commit_with_a_planted_number_is_refused_and_a_clean_one_passes() {
    let Some(framework) = framework() else { return };
    let asking = Asking::new(framework, "  - id: sluice-system\n");
    let repository = &asking.repository;
    let installed = asking.framework(&["install"]);
    assert_eq!(installed.code, 0, "{installed:?}");

    repository.stage("a.txt", "nothing\n");
    let clean = asking.run("git", &["commit", "-m", "clean"]);
    assert_eq!(clean.code, 0, "{clean:?}");
    assert!(clean.err.contains("sluice gate") && clean.err.contains("Passed"), "{clean:?}");

    repository.stage("a.txt", SSN);
    // The working tree is clean again; what counts is what is staged.
    repository.write("a.txt", "nothing\n");
    let refused = asking.run("git", &["commit", "-m", "no"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    for part in ["exit code: 1", "a.txt:1:6  nat.us-ssn", "effect: block"] {
        assert!(refused.err.contains(part), "{refused:?}");
    }
    // A file of an index of its own (`git commit -a`, `git commit FILE`).
    repository.git(&["reset", "-q", "--hard"]);
    repository.write("a.txt", SSN);
    assert_eq!(asking.run("git", &["commit", "-am", "no"]).code, 1);
    assert_eq!(asking.run("git", &["commit", "-m", "no", "a.txt"]).code, 1);
    assert_eq!(repository.git(&["rev-list", "--count", "HEAD"]), "2");
}

#[test]
fn everything_tracked_is_looked_at_where_that_is_asked_for() {
    let Some(framework) = framework() else { return };
    let hooks = "  - id: sluice-system\n    args: [--tracked]\n    stages: [manual]\n";
    let asking = Asking::new(framework, hooks);
    let all = ["run", "sluice-system", "--hook-stage", "manual", "--all-files"];
    let clean = asking.framework(&all);
    assert_eq!(clean.code, 0, "{clean:?}");
    asking.repository.committed("old.txt", SSN);
    let found = asking.framework(&all);
    assert_eq!(found.code, 1, "{found:?}");
    assert!(found.out.contains("old.txt:1:6  nat.us-ssn"), "{found:?}");
}

#[test]
fn a_push_with_a_planted_number_is_refused() {
    let Some(framework) = framework() else { return };
    let asking = Asking::new(framework, "  - id: sluice-push\n");
    let repository = &asking.repository;
    let remote = Repository::with(&["--bare"]);
    repository.git(&["remote", "add", "origin", remote.root().to_str().unwrap()]);
    assert_eq!(asking.framework(&["install", "--hook-type", "pre-push"]).code, 0);
    let push = ["push", "origin", "main"];
    let clean = asking.run("git", &push);
    assert_eq!(clean.code, 0, "{clean:?}");
    let said = clean.out + &clean.err;
    assert!(said.contains("sluice gate (push)") && said.contains("Passed"), "{said}");
    let before = repository.git(&["rev-parse", "HEAD"]);
    repository.committed("a.txt", SSN);
    repository.committed("a.txt", "nothing\n");
    let refused = asking.run("git", &push);
    assert_eq!(refused.code, 1, "{refused:?}");
    let said = refused.out + &refused.err;
    assert!(said.contains("a.txt:1:6  nat.us-ssn"), "{said}");
    assert_eq!(remote.git(&["rev-parse", "main"]), before);

    let range = ["--from-ref", &before, "--to-ref", "HEAD"];
    let by_hand = ["run", "sluice-push", "--hook-stage", "manual"];
    let refused = asking.framework(&[&by_hand[..], &range].concat());
    assert_eq!(refused.code, 1, "{refused:?}");

    // The first push of a branch brings all that leads to it.
    repository.git(&["remote", "add", "other", repository.aside("bare").to_str().unwrap()]);
    repository.git(&["init", "-q", "--bare", repository.aside("bare").to_str().unwrap()]);
    assert_eq!(asking.run("git", &["push", "other", "main:new"]).code, 1);
}

/// The older hook of ours and the framework's get on, in either order.
#[test]
fn native_hooks_and_the_framework_get_on() {
    let Some(framework) = framework() else { return };
    let asking = Asking::new(framework, "  - id: sluice-system\n");
    let repository = &asking.repository;
    assert_eq!(asking.framework(&["install"]).code, 0);
    let hooks = repository.path(".git/hooks/pre-commit");
    let before = fs::read(&hooks).unwrap();
    let installed = repository.gated(&["install", "--hook", "pre-commit"]);
    assert!(installed.code == 0 && installed.out.contains("runs first"), "{installed:?}");
    repository.stage("a.txt", "nothing\n");
    let clean = asking.run("git", &["commit", "-m", "clean"]);
    assert!(clean.code == 0 && clean.err.contains("Passed"), "{clean:?}");
    assert!((clean.out + &clean.err).contains("effect: allow"));
    assert_eq!(repository.gated(&["uninstall"]).code, 0);
    assert_eq!(fs::read(&hooks).unwrap(), before);

    // The framework moves a hook of ours aside and runs it all the same.
    assert_eq!(asking.framework(&["uninstall"]).code, 0);
    assert_eq!(repository.gated(&["install", "--hook", "pre-commit"]).code, 0);
    assert_eq!(asking.framework(&["install"]).code, 0);
    repository.stage("a.txt", SSN);
    assert_eq!(asking.run("git", &["commit", "-m", "no"]).code, 1);
    let refused = repository.gated(&["uninstall", "--hook", "pre-commit"]);
    assert!(refused.code == 2 && refused.err.contains("no hook of sluice"), "{refused:?}");
}
