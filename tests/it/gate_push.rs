//! Pushes: what the remote does not have, and where it goes.

use std::process::Command;

use crate::repository::{Found, Ran, Repository, SSN, findings, ran, ran_with};

fn gate_with(repository: &Repository, arguments: &[&str], lines: &str) -> Ran {
    let mut gate = repository.gate();
    gate.args(["--format", "json", "--push"]).args(arguments);
    ran_with(&mut gate, lines.as_bytes())
}

fn commits(found: &[Found]) -> Vec<&str> {
    found.iter().filter_map(|it| it.commit.as_deref()).collect()
}

fn zero() -> String {
    "0".repeat(40)
}

/// A repository with a remote that has its first commit.
fn with_remote() -> (Repository, Repository, String) {
    let remote = Repository::with(&["--bare"]);
    let repository = Repository::new();
    let first = repository.committed("a", SSN);
    repository.git(&["remote", "add", "origin", remote.root().to_str().unwrap()]);
    repository.git(&["push", "-q", "origin", "main"]);
    (repository, remote, first)
}

#[test]
fn a_push_counts_for_what_the_remote_has_not() {
    let (repository, _remote, first) = with_remote();
    let second = repository.committed("b", SSN);
    let line = format!("refs/heads/main {second} refs/heads/main {first}\n");
    let pushed = gate_with(&repository, &["origin", "url"], &line);
    assert_eq!(pushed.code, 1);
    assert_eq!(commits(&findings(&pushed)), [second.as_str()]);
}

#[test]
fn a_new_branch_counts_from_what_the_remote_is_known_to_have() {
    let (repository, _remote, _) = with_remote();
    repository.git(&["checkout", "-q", "-b", "side"]);
    let second = repository.committed("b", SSN);
    let line = format!("refs/heads/side {second} refs/heads/side {}\n", zero());
    assert_eq!(commits(&findings(&gate_with(&repository, &["origin"], &line))), [second.as_str()]);
    // Another remote has nothing of it.
    assert_eq!(findings(&gate_with(&repository, &["other", "/srv/other"], &line)).len(), 2);
    // An id that is there and not here says nothing of what is there.
    let line = format!("refs/heads/side {second} refs/heads/side {}\n", "1".repeat(40));
    assert_eq!(findings(&gate_with(&repository, &["origin"], &line)).len(), 1);
    assert_eq!(findings(&gate_with(&repository, &["other", "/srv/other"], &line)).len(), 2);
}

#[test]
fn what_a_push_deletes_or_does_not_bring_is_said() {
    let (repository, _remote, first) = with_remote();
    let line = format!("(delete) {} refs/heads/main {first}\n", zero());
    let deleted = gate_with(&repository, &["origin"], &line);
    assert_eq!(deleted.code, 0);
    assert!(deleted.err.contains("brings no commit"), "{}", deleted.err);
    let none = gate_with(&repository, &["origin"], "");
    assert_eq!(none.code, 0);
    assert!(none.err.contains("brings no commit"), "{}", none.err);
    let line = format!("refs/heads/main {first} refs/heads/again {}\n", zero());
    let known = gate_with(&repository, &["origin"], &line);
    assert_eq!(known.code, 0);
    assert!(known.err.contains("the remote has every commit"), "{}", known.err);
}

#[test]
fn lines_that_git_does_not_write_are_refused() {
    let (repository, _remote, first) = with_remote();
    for line in ["what is this\n", "a b c d\n", &format!("x {first} y {first} z\n")] {
        let refused = gate_with(&repository, &["origin"], line);
        assert_eq!(refused.code, 2, "{line}");
        assert!(refused.err.contains("pre-push hook"), "{}", refused.err);
    }
    let unknown = format!("refs/heads/x {} refs/heads/x {}\n", "1".repeat(40), zero());
    assert_eq!(gate_with(&repository, &["origin"], &unknown).code, 4);
}

#[test]
fn a_pushed_tag_of_a_blob_counts() {
    let (repository, _remote, _) = with_remote();
    repository.write("loose", SSN);
    let blob = repository.git(&["hash-object", "-w", "loose"]);
    let line = format!("refs/tags/x {blob} refs/tags/x {}\n", zero());
    assert_eq!(findings(&gate_with(&repository, &["origin"], &line)).len(), 1);
}

#[test]
fn the_hook_of_git_holds_back_a_push() {
    let (repository, remote, _) = with_remote();
    repository.hook("pre-push", "--push \"$@\"");
    repository.committed("b", "one\n");
    repository.git(&["push", "-q", "origin", "main"]);
    repository.committed("c", SSN);
    repository.git(&["rm", "-q", "c"]);
    repository.commit("taken back");
    assert!(!repository.try_git(&["push", "-q", "origin", "main"]).status.success());
    assert!(!repository.try_git(&["push", "-q", "origin", "main:refs/heads/new"]).status.success());
    assert_ne!(remote.git(&["rev-parse", "main"]), repository.git(&["rev-parse", "main"]));
}

#[test]
fn the_variables_of_the_framework_stand_in_for_lines() {
    let (repository, _remote, first) = with_remote();
    let second = repository.committed("b", SSN);
    let gate = |variables: &[(&str, &str)]| {
        let mut gate = repository.gate();
        gate.args(["--format", "json", "--push"]).envs(variables.iter().copied());
        findings(&ran(&mut gate))
    };
    let remote = [("PRE_COMMIT_REMOTE_NAME", "origin"), ("PRE_COMMIT_REMOTE_URL", "/srv/x")];
    let range = [("PRE_COMMIT_FROM_REF", first.as_str()), ("PRE_COMMIT_TO_REF", second.as_str())];
    assert_eq!(commits(&gate(&[remote, range].concat())), [second.as_str()]);
    // Where all hooks are run by hand there is no push, and it is that of the head.
    assert_eq!(commits(&gate(&[("PRE_COMMIT", "1")])), [second.as_str()]);
    // Where all files go there is no range.
    let all = [("PRE_COMMIT_LOCAL_BRANCH", "refs/heads/main"), ("PRE_COMMIT_REMOTE_NAME", "new")];
    assert_eq!(gate(&all).len(), 2);
}

#[test]
fn objects_in_quarantine_are_refused_and_not_passed_over() {
    use std::os::unix::fs::PermissionsExt;
    let (repository, remote, _) = with_remote();
    let hook = remote.path("hooks/pre-receive");
    let gate = env!("CARGO_BIN_EXE_sluice");
    std::fs::create_dir_all(remote.path("hooks")).unwrap();
    std::fs::write(&hook, format!("#!/bin/sh\nexec '{gate}' gate --all-history\n")).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    repository.committed("b", "one\n");
    let refused = repository.try_git(&["push", "-q", "origin", "main"]);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("GIT_OBJECT_DIRECTORY"), "{said}");
}

const REGISTER: &str = r#"version = 1
[[destination]]
id = "private"
trust = "internal"
url = ["git.example.com/private"]
approved = ["nat"]
[[destination]]
id = "public"
trust = "external"
url = ["git.example.com/public"]
approved = ["pii"]
[[destination]]
id = "disk"
trust = "internal"
path = ["/srv/mirror"]
approved = ["nat"]
[[workflow]]
id = "code"
owner = "anna"
purposes = ["development"]
approved = ["nat"]
destinations = ["private", "public", "disk"]
[workflow.bind]
anyone = true
"#;

/// The gate for the workflow of a register.
fn decided(repository: &Repository) -> Command {
    let register = repository.aside("sluice.toml");
    std::fs::write(&register, REGISTER).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&register, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut gate = repository.gate();
    gate.arg("--config").arg(register);
    gate.args(["--workflow", "code", "--purpose", "development"]);
    gate
}

#[test]
fn what_one_remote_may_have_another_may_not() {
    let repository = Repository::new();
    repository.stage("a", SSN);
    let code = || ran(&mut decided(&repository)).code;
    assert_eq!(code(), 1, "no remote is an unknown destination");
    for (url, expected) in [
        ("https://anna:hunter2@git.example.com/private/x.git", 0),
        ("git@git.example.com:private/x.git", 0),
        ("ssh://git@git.example.com:22/private/x.git", 0),
        ("https://git.example.com/public/x.git", 1),
        ("git@git.example.com:public/x.git", 1),
        ("https://git.example.com.evil.example/private/x.git", 1),
        ("https://evil.example/git.example.com/private", 1),
        ("/srv/mirror/x.git", 0),
        ("/srv/mirror/../other/x.git", 1),
        ("file:///srv/mirror/x.git", 0),
    ] {
        repository.git(&["config", "remote.origin.url", url]);
        assert_eq!(code(), expected, "{url}");
    }
    // The one that is pushed to counts, and not the one that is fetched from.
    repository.git(&["config", "remote.origin.url", "https://git.example.com/private/x"]);
    repository.git(&["config", "remote.origin.pushurl", "https://git.example.com/public/x"]);
    assert_eq!(code(), 1);
    // Two places at once are none.
    repository.git(&[
        "config",
        "--add",
        "remote.origin.pushurl",
        "https://git.example.com/private/x",
    ]);
    assert_eq!(code(), 1);
    repository.git(&["config", "--unset-all", "remote.origin.pushurl"]);
    assert_eq!(code(), 0);
    repository.git(&[
        "config",
        "url.https://git.example.com/public/.pushInsteadOf",
        "https://git.example.com/private/",
    ]);
    assert_eq!(code(), 1);
    repository.git(&["config", "--unset-all", "url.https://git.example.com/public/.pushInsteadOf"]);
    // A remote of the branch goes first, then the default, then `origin`.
    repository.git(&["config", "remote.public.url", "https://git.example.com/public/x"]);
    assert_eq!(code(), 0);
    repository.git(&["config", "branch.main.remote", "public"]);
    assert_eq!(code(), 1);
    repository.git(&["config", "remote.pushDefault", "origin"]);
    assert_eq!(code(), 0);
    repository.git(&["config", "branch.main.pushRemote", "public"]);
    assert_eq!(code(), 1);
    // And what is named at the call before all of them.
    let mut named = decided(&repository);
    named.args(["--destination", "private"]);
    assert_eq!(ran(&mut named).code, 0);
}

#[test]
fn a_push_goes_where_git_says() {
    let repository = Repository::new();
    let id = repository.committed("a", SSN);
    repository.git(&["config", "remote.origin.url", "https://git.example.com/public/x"]);
    let line = format!("refs/heads/main {id} refs/heads/main {}\n", zero());
    for (arguments, expected) in [
        (["origin", "https://git.example.com/private/x"], 0),
        (["origin", "https://git.example.com/public/x"], 1),
        (["git@git.example.com:private/x", "git@git.example.com:private/x"], 0),
    ] {
        let mut gate = decided(&repository);
        gate.arg("--push").args(arguments);
        assert_eq!(ran_with(&mut gate, line.as_bytes()).code, expected, "{arguments:?}");
    }
    let mut gate = decided(&repository);
    gate.arg("--push").env("PRE_COMMIT_TO_REF", &id);
    gate.env("PRE_COMMIT_REMOTE_NAME", "origin");
    gate.env("PRE_COMMIT_REMOTE_URL", "https://git.example.com/private/x");
    assert_eq!(ran(&mut gate).code, 0);
}

#[test]
fn who_calls_a_remote_is_never_written() {
    let repository = Repository::new();
    repository.stage("a", SSN);
    let url = "https://anna:hunter2-token@git.example.com/public/x?key=also-secret";
    repository.git(&["config", "remote.origin.url", url]);
    let state = repository.aside("state");
    let mut init = repository.command(env!("CARGO_BIN_EXE_sluice"));
    init.args(["ledger", "init", "--origin", "ledger.example/test"]).arg("--state-dir").arg(&state);
    let made = ran(&mut init);
    assert_eq!(made.code, 0, "{made:?}");
    let mut gate = decided(&repository);
    gate.arg("--state-dir").arg(&state);
    let gated = ran(&mut gate);
    assert_eq!(gated.code, 1, "{gated:?}");
    let mut show = repository.command(env!("CARGO_BIN_EXE_sluice"));
    show.args(["ledger", "query", "--state-dir"]).arg(&state);
    let shown = ran(&mut show);
    assert!(shown.out.contains("public"), "{shown:?}");
    let mut text = gated.out + &gated.err + &shown.out;
    for entry in std::fs::read_dir(state.join("journal")).unwrap() {
        text += &String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap());
    }
    for secret in ["hunter2", "anna:", "also-secret"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
