//! Hooks of real repositories: `sluice gate install` and `uninstall`, with git asking them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::repository::{Ran, Repository, SSN, ran};

/// What git does, without its hooks switched off; it need not succeed.
fn git(repository: &Repository, arguments: &[&str]) -> Ran {
    ran(repository.command("git").args(arguments))
}

#[track_caller]
fn install(repository: &Repository, arguments: &[&str]) -> String {
    let installed = repository.gated(&[&["install"], arguments].concat());
    assert_eq!(installed.code, 0, "{installed:?}");
    installed.out
}

#[track_caller]
fn uninstall(repository: &Repository) -> String {
    let removed = repository.gated(&["uninstall"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    removed.out
}

/// Writes a hook by a program of its own: a file that another thread's child still holds open for
/// writing cannot be executed.
fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let write = "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\"";
    let done = Command::new("sh").args(["-c", write]).arg(path).arg(text).status().unwrap();
    assert!(done.success());
}

/// Everything in a folder: names, modes and bytes.
fn listing(folder: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = entries
        .map(|path| {
            let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
            let bytes = fs::read(&path).unwrap();
            (path, mode, bytes)
        })
        .collect();
    all.sort();
    all
}

#[test]
fn a_hook_blocks_a_commit_and_lets_a_clean_one_pass() {
    let repository = Repository::new();
    let said = install(&repository, &[]);
    assert_eq!(said.matches("installed `").count(), 3, "{said}");
    assert!(said.contains(".sluice-baseline merge=union"), "{said}");
    assert_eq!(install(&repository, &[]).matches("is installed\n").count(), 3);

    repository.stage("notes.txt", "nothing\n");
    let clean = git(&repository, &["commit", "-m", "clean"]);
    assert_eq!(clean.code, 0, "{clean:?}");

    repository.stage("notes.txt", format!("nothing\n{SSN}"));
    for arguments in [&["commit", "-m", "no"][..], &["commit", "-am", "no"]] {
        let blocked = git(&repository, arguments);
        assert_eq!(blocked.code, 1, "{blocked:?}");
        let said = blocked.out + &blocked.err;
        for part in ["notes.txt:2:6  nat.us-ssn", "***-**-****", "effect: block", "what to do"] {
            assert!(said.contains(part), "{said}");
        }
        assert!(!said.contains("574-22"), "{said}");
    }
    assert_eq!(repository.git(&["rev-list", "--count", "HEAD"]), "1");
    // A file that is named goes by an index of its own.
    repository.write("other.txt", SSN);
    repository.git(&["add", "-N", "other.txt"]);
    repository.git(&["reset", "-q", "notes.txt"]);
    assert_eq!(git(&repository, &["commit", "-m", "no", "other.txt"]).code, 1);

    let removed = uninstall(&repository);
    assert_eq!(removed.matches("removed `").count(), 3, "{removed}");
    assert_eq!(git(&repository, &["commit", "-m", "yes", "other.txt"]).code, 0);
    assert_eq!(uninstall(&repository).matches("there is no `").count(), 3);
}

#[test]
fn an_older_hook_runs_first_and_comes_back() {
    let repository = Repository::new();
    let hooks = repository.path(".git/hooks");
    script(&hooks.join("pre-commit"), "#!/bin/sh\necho older >&2\n[ ! -e refuse ]\n");
    script(&hooks.join("pre-merge-commit"), "#!/bin/sh\necho older of merges >&2\n");
    fs::write(hooks.join("pre-push"), "switched off").unwrap();
    let before = listing(&hooks);
    let said = install(&repository, &[]);
    assert_eq!(said.matches("kept as `").count(), 3, "{said}");

    repository.stage("a.txt", "nothing\n");
    let clean = git(&repository, &["commit", "-m", "clean"]);
    assert!(clean.code == 0 && clean.err.contains("older"), "{clean:?}");
    repository.stage("a.txt", SSN);
    let blocked = git(&repository, &["commit", "-m", "no"]);
    assert!(blocked.code == 1 && blocked.err.contains("older"), "{blocked:?}");
    // What the older one refuses never reaches the gate.
    repository.write("refuse", "");
    repository.stage("a.txt", "other\n");
    let refused = git(&repository, &["commit", "-m", "no"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(!(refused.out + &refused.err).contains("effect:"));

    uninstall(&repository);
    assert_eq!(listing(&hooks), before);
}

/// Git asks no pre-commit hook for a merge without a conflict.
#[test]
fn a_merge_is_held_back_by_what_it_adds_to_both_sides() {
    let repository = Repository::new();
    let hooks = repository.path(".git/hooks");
    script(&hooks.join("pre-merge-commit"), "#!/bin/sh\necho older of merges >&2\n");
    let lines: Vec<String> = (0..9).map(|at| format!("line {at}\n")).collect();
    repository.committed("a.txt", lines.concat());
    repository.git(&["checkout", "-q", "-b", "side"]);
    // What stands on the other side already was decided there.
    repository.committed("side.txt", SSN);
    repository.git(&["checkout", "-q", "main"]);
    repository.committed("main.txt", "nothing\n");
    install(&repository, &[]);
    let merge = |more: &[&str]| {
        git(&repository, &[&["merge", "--no-ff", "-m", "merged", "side"], more].concat())
    };
    let passed = merge(&[]);
    assert!(passed.code == 0 && passed.err.contains("older of merges"), "{passed:?}");
    let said = passed.out + &passed.err;
    assert!(said.contains("effect: allow"), "the gate was asked: {said}");
    assert_eq!(repository.git(&["rev-list", "--count", "--min-parents=2", "HEAD"]), "1");

    // Two halves that are nothing by themselves make a value where they are joined.
    repository.git(&["reset", "-q", "--hard", "HEAD^1"]);
    repository.git(&["config", "merge.joins.driver", "cat %B >>%A"]);
    repository.write(".git/info/attributes", "joined.txt merge=joins\n");
    repository.committed("joined.txt", "");
    repository.git(&["checkout", "-q", "-B", "side"]);
    repository.committed("joined.txt", "574-22-8190\n");
    repository.git(&["checkout", "-q", "main"]);
    repository.committed("joined.txt", "name,ssn\nAnn,");
    let blocked = merge(&[]);
    assert_eq!(blocked.code, 1, "{blocked:?}");
    let said = blocked.out + &blocked.err;
    assert!(
        said.contains("joined.txt:2:5  nat.us-ssn") && said.contains("effect: block"),
        "{said}"
    );
    assert_eq!(repository.git(&["rev-list", "--count", "--min-parents=2", "HEAD"]), "0");
    // Git leaves it as a merge that is to be committed, where the other hook stands.
    assert_eq!(git(&repository, &["commit", "-m", "no"]).code, 1);
    repository.git(&["merge", "--abort"]);

    // An id of another kind is none of this repository.
    let foreign = format!("GITHEAD_{}", "a".repeat(64));
    let refused = ran(repository.gate().arg("--merge").env(foreign, "x"));
    assert!(refused.code == 4 && refused.err.contains("of another kind"), "{refused:?}");

    // By hand the head alone counts, which adds what the other side has.
    assert_eq!(repository.gated(&["--merge"]).code, 0, "nothing is staged");
    uninstall(&repository);
    assert!(
        fs::read_to_string(hooks.join("pre-merge-commit")).unwrap().contains("older of merges")
    );
    assert_eq!(merge(&[]).code, 0);
}

/// No line is new to both sides, and what they make up is.
#[test]
fn a_merge_of_halves_that_stand_in_either_side_is_held_back() {
    let repository = Repository::new();
    // Made up: no key was ever made of it.
    let mut state = 7_u32;
    let mut letter = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
                [(state >> 26) as usize],
        )
    };
    let mut body = |_| (0..64).map(&mut letter).chain(['\n']).collect::<String>();
    let kind = "PRIVATE KEY";
    let body: String = (0..26).map(&mut body).collect();
    let key = format!("-----BEGIN {kind}-----\n{body}-----END {kind}-----\n");
    let lines: Vec<&str> = key.split_inclusive('\n').collect();
    let (first, middle, last) = (lines[0], lines[1..2].concat(), lines[2..].concat());
    repository.committed("key.txt", &middle);
    repository.git(&["checkout", "-q", "-b", "side"]);
    repository.committed("key.txt", format!("{first}{middle}"));
    repository.git(&["checkout", "-q", "main"]);
    repository.committed("key.txt", format!("{middle}{last}"));
    install(&repository, &[]);
    let blocked = git(&repository, &["merge", "--no-ff", "-m", "merged", "side"]);
    let said = blocked.out + &blocked.err;
    assert!(blocked.code == 1 && said.contains("sec.private_key"), "{said}");
}

#[test]
fn a_push_is_held_back_by_any_of_its_commits() {
    let repository = Repository::new();
    let remote = Repository::with(&["--bare"]);
    repository.git(&["remote", "add", "origin", remote.root().to_str().unwrap()]);
    let hooks = repository.path(".git/hooks");
    script(&hooks.join("pre-push"), "#!/bin/sh\necho \"older $*\" >&2\ncat >&2\n");
    install(&repository, &[]);

    let first = repository.committed("a.txt", "nothing\n");
    let clean = git(&repository, &["push", "origin", "main"]);
    assert_eq!(clean.code, 0, "{clean:?}");
    let line = format!("refs/heads/main {first} refs/heads/main {}", "0".repeat(40));
    assert!(clean.err.contains("older origin /") && clean.err.contains(&line), "{clean:?}");

    // What a later commit takes away is in the history all the same.
    repository.committed("b.txt", SSN);
    repository.committed("b.txt", "nothing\n");
    let blocked = git(&repository, &["push", "origin", "main"]);
    assert_eq!(blocked.code, 1, "{blocked:?}");
    for part in ["b.txt:1:6  nat.us-ssn", "git rebase", "effect: block", "older origin"] {
        assert!(blocked.err.contains(part), "{blocked:?}");
    }
    assert_eq!(remote.git(&["rev-parse", "main"]), first);
    // Another reference beside it changes nothing of that.
    repository.git(&["branch", "fine", &first]);
    assert_eq!(git(&repository, &["push", "origin", "fine", "main"]).code, 1);
    assert_eq!(git(&repository, &["push", "origin", "fine"]).code, 0);

    repository.git(&["reset", "-q", "--hard", &first]);
    repository.committed("b.txt", "nothing\n");
    let clean = git(&repository, &["push", "origin", "main"]);
    assert_eq!(clean.code, 0, "{clean:?}");
    // A deletion adds nothing.
    assert_eq!(git(&repository, &["push", "origin", ":fine"]).code, 0);
}

#[test]
fn what_is_no_longer_ours_stays() {
    let repository = Repository::new();
    install(&repository, &[]);
    let path = repository.path(".git/hooks/pre-commit");
    let text = fs::read_to_string(&path).unwrap() + "echo mine\n";
    fs::write(&path, &text).unwrap();
    for arguments in [["install"], ["uninstall"]] {
        let refused = repository.gated(&arguments);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains("was changed since"), "{refused:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    // The other hook was ours, and is gone all the same.
    assert!(!repository.path(".git/hooks/pre-push").exists());
    script(&path, "#!/bin/sh\n");
    let refused = repository.gated(&["uninstall", "--hook", "pre-commit"]);
    assert!(refused.code == 2 && refused.err.contains("no hook of sluice"), "{refused:?}");
}

#[test]
fn hooks_go_where_git_looks_for_them() {
    // A relative path counts from the top of the working tree, wherever the command runs.
    let repository = Repository::new();
    repository.git(&["config", "core.hooksPath", "tools/hooks"]);
    repository.write("below/here/x", "");
    let mut command = repository.gate();
    let installed = ran(command.arg("install").current_dir(repository.path("below/here")));
    assert_eq!(installed.code, 0, "{installed:?}");
    assert!(repository.path("tools/hooks/pre-commit").exists());
    assert!(!repository.path(".git/hooks/pre-commit").exists());
    repository.stage("a.txt", SSN);
    assert_eq!(git(&repository, &["commit", "-m", "no"]).code, 1);

    // Where it does not come from the repository, other ones use the folder too.
    let repository = Repository::new();
    let shared = repository.aside("shared hooks");
    let mut command = repository.gate();
    command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "core.hooksPath");
    let installed = ran(command.env("GIT_CONFIG_VALUE_0", &shared).arg("install"));
    assert!(installed.code == 0 && installed.err.contains("other repositories"), "{installed:?}");
    assert!(shared.join("pre-push").exists());

    for (path, said) in [("/dev/null", "no hook can be"), (".husky/_", "husky")] {
        let repository = Repository::new();
        repository.git(&["config", "core.hooksPath", path]);
        let refused = repository.gated(&["install"]);
        assert!(refused.code == 2 && refused.err.contains(said), "{refused:?}");
        assert!(!repository.path(".husky").exists());
    }
}

#[test]
fn worktrees_share_hooks_and_bare_repositories_have_some() {
    let repository = Repository::new();
    repository.commit("first");
    let aside = repository.aside("tree");
    repository.git(&["worktree", "add", "-q", aside.to_str().unwrap()]);
    let mut command = repository.gate();
    let installed = ran(command.arg("install").current_dir(&aside));
    assert_eq!(installed.code, 0, "{installed:?}");
    assert!(repository.path(".git/hooks/pre-commit").exists());
    fs::write(aside.join("a.txt"), SSN).unwrap();
    let there =
        |arguments: &[&str]| ran(repository.command("git").args(arguments).current_dir(&aside));
    assert_eq!(there(&["add", "a.txt"]).code, 0);
    assert_eq!(there(&["commit", "-m", "no"]).code, 1);

    let bare = Repository::with(&["--bare"]);
    install(&bare, &[]);
    assert!(bare.path("hooks/pre-push").exists());
    let refused = bare.gated(&["install", "--gitattributes"]);
    assert!(refused.code == 2 && refused.err.contains("bare"), "{refused:?}");
}

#[test]
fn a_hook_without_its_program_fails() {
    let repository = Repository::new();
    install(&repository, &["--hook", "pre-commit"]);
    assert!(!repository.path(".git/hooks/pre-push").exists());
    let path = repository.path(".git/hooks/pre-commit");
    let program = fs::read_to_string(&path).unwrap();
    assert!(program.contains(env!("CARGO_BIN_EXE_sluice")), "{program}");

    // The program is moved away: what stands on PATH takes over, and without it nothing passes.
    let copy = repository.aside("sluice");
    // By a program of its own: what another thread's child still holds open cannot be executed.
    let copied = ran(repository.command("cp").arg(env!("CARGO_BIN_EXE_sluice")).arg(&copy));
    assert_eq!(copied.code, 0, "{copied:?}");
    let moved = ran(repository.command(copy.to_str().unwrap()).args(["gate", "install"]));
    assert!(moved.code == 0 && moved.out.contains("updated `"), "{moved:?}");
    fs::rename(&copy, repository.aside("elsewhere")).unwrap();
    repository.stage("a.txt", "nothing\n");
    let tools = repository.aside("tools");
    fs::create_dir(&tools).unwrap();
    for program in ["sh", "git"] {
        let found = ran(repository.command("sh").args(["-c", &format!("command -v {program}")]));
        std::os::unix::fs::symlink(found.out.trim(), tools.join(program)).unwrap();
    }
    let commit = |path: &str| {
        let mut command = repository.command("git");
        ran(command.args(["commit", "-m", "x"]).env("PATH", path))
    };
    let path = tools.to_str().unwrap();
    let refused = commit(path);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("the gate cannot run"), "{refused:?}");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sluice"), tools.join("sluice")).unwrap();
    let passed = commit(path);
    assert_eq!(passed.code, 0, "{passed:?}");
}

#[test]
fn further_arguments_are_those_of_the_gate() {
    let repository = Repository::new();
    let register = repository.aside("it's a register.toml");
    let text = "version = 1\n\n[[destination]]\nid = \"vault\"\nurl = [\"https://vault.example.com\"]\n\
                trust = \"internal\"\n";
    fs::write(&register, text).unwrap();
    let register = register.to_str().unwrap();
    let named = ["--config", register, "--destination", "vault"];
    install(&repository, &[&["--"], &named[..]].concat());
    repository.stage("a.txt", SSN);
    let held = git(&repository, &["commit", "-m", "no"]);
    let said = held.out + &held.err;
    assert!(said.contains("effect: escalate"), "{said}");

    for wrong in ["--no-such-option", "install", "--merge", "--tracked"] {
        let refused = repository.gated(&["install", "--", wrong]);
        assert!(
            refused.code == 2 && refused.err.contains("no arguments for a hook"),
            "{refused:?}"
        );
    }
}

#[test]
fn gitattributes_are_written_where_that_is_asked_for() {
    let repository = Repository::new();
    install(&repository, &[]);
    assert!(!repository.path(".gitattributes").exists());
    repository.write(".gitattributes", "*.png binary");
    assert!(install(&repository, &["--gitattributes"]).contains("added `"));
    let text = fs::read_to_string(repository.path(".gitattributes")).unwrap();
    assert_eq!(text, "*.png binary\n.sluice-baseline merge=union\n");
    assert!(!install(&repository, &["--gitattributes"]).contains("added `"));
    let merge = repository.git(&["check-attr", "merge", ".sluice-baseline"]);
    assert!(merge.ends_with(": union"), "{merge}");
}

#[test]
fn outside_of_a_repository_nothing_is_written() {
    let nothing = Repository::nothing();
    for arguments in [["install"], ["uninstall"]] {
        let refused = nothing.gated(&arguments);
        assert!(refused.code == 2 && refused.err.contains("no git repository"), "{refused:?}");
    }
    assert_eq!(fs::read_dir(nothing.root()).unwrap().count(), 0);
}
