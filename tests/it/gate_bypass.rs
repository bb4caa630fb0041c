//! Ways around the gate that somebody found: each is closed.

use crate::repository::{Repository, SSN, ran, ran_with};

/// An id that the index holds as a submodule and then as a file is looked at as a file.
#[test]
fn a_submodule_that_becomes_a_file_is_new() {
    let repository = Repository::new();
    repository.write("aside.txt", SSN);
    let id = repository.git(&["hash-object", "-w", "aside.txt"]);
    let entry = format!("160000,{id},f");
    repository.git(&["update-index", "--add", "--cacheinfo", &entry]);
    repository.commit("a submodule");
    repository.git(&["update-index", "--cacheinfo", &format!("100644,{id},f")]);
    assert_eq!(repository.gated(&[]).code, 1);
    repository.commit("a file");
    assert_eq!(repository.gated(&["--range", "HEAD~1..HEAD"]).code, 1);
    assert_eq!(repository.gated(&["--all-history"]).code, 1);
}

/// What was fetched from one place says nothing of what another has.
#[test]
fn a_push_to_another_place_is_looked_at_whole() {
    let (here, fetched) = (Repository::new(), Repository::with(&["--bare"]));
    let from = fetched.root().display().to_string();
    here.committed("a.txt", SSN);
    here.git(&["remote", "add", "origin", &from]);
    here.git(&["push", "-q", "origin", "main"]);
    here.git(&["fetch", "-q", "origin"]);
    let zero = "0".repeat(40);
    let head = here.git(&["rev-parse", "HEAD"]);
    let lines = format!("refs/heads/main {head} refs/heads/main {zero}\n");
    let push =
        |url: &str| ran_with(here.gate().args(["--push", "origin", url]), lines.as_bytes()).code;
    assert_eq!(push(&from), 0, "the remote has it");
    assert_eq!(push("https://other.example/x.git"), 1);
    // Another remote whose name begins as that of this one.
    here.git(&["checkout", "-q", "-b", "side"]);
    here.committed("b.txt", "ssn: 536-22-8726\n");
    let side = here.git(&["rev-parse", "HEAD"]);
    here.git(&["remote", "add", "origin/private", "https://private.example/x.git"]);
    here.git(&["update-ref", "refs/remotes/origin/private/side", "side"]);
    let lines = format!("refs/heads/side {side} refs/heads/side {zero}\n");
    let ran = ran_with(here.gate().args(["--push", "origin", &from]), lines.as_bytes());
    assert_eq!(ran.code, 1, "{ran:?}");
}

/// Variables of the pre-commit framework do not stand in for what git says itself.
#[test]
fn variables_do_not_replace_the_lines_of_git() {
    let repository = Repository::new();
    repository.committed("a.txt", "nothing\n");
    repository.git(&["checkout", "-q", "-b", "side"]);
    repository.committed("b.txt", SSN);
    let id = repository.git(&["rev-parse", "HEAD"]);
    let lines = format!("refs/heads/side {id} refs/heads/side {}\n", "0".repeat(40));
    let mut gate = repository.gate();
    gate.args(["--push", "origin", "https://example.com/x.git"]);
    gate.env("PRE_COMMIT", "1").env("PRE_COMMIT_TO_REF", "main");
    assert_eq!(ran_with(&mut gate, lines.as_bytes()).code, 1);
}

/// What a list excepts, or an option leaves out, under one path counts under another.
#[test]
fn moving_a_file_does_not_take_its_exception_along() {
    let repository = Repository::new();
    let own = "version = 1\n[policy]\nexceptable = [\"nat.us_ssn\"]\n[[exception]]\nrule = \"nat.us-ssn\"\n\
               paths = [\"fixtures/**\"]\nreason = \"Numbers of nobody.\"\n";
    repository.committed("sluice.toml", own);
    repository.stage("fixtures/a.txt", SSN);
    assert_eq!(repository.gated(&[]).code, 0);
    repository.commit("fixtures");
    repository.git(&["mv", "fixtures/a.txt", "a.txt"]);
    assert_eq!(repository.gated(&[]).code, 1);
    assert_eq!(repository.gated(&["--exclude", "fixtures/"]).code, 1);
}

/// A path that leads through an excepted folder and out of it is not in it.
#[test]
fn a_named_file_is_where_it_lies() {
    let repository = Repository::new();
    let own = "version = 1\n[policy]\nexceptable = [\"nat.us_ssn\"]\n[[exception]]\nrule = \"nat.us-ssn\"\n\
               paths = [\"fixtures/**\"]\nreason = \"Numbers of nobody.\"\n";
    repository.committed("sluice.toml", own);
    repository.write("fixtures/x", "");
    repository.write("a.txt", SSN);
    assert_eq!(repository.gated(&["--files", "fixtures/../a.txt"]).code, 1);
    repository.write("fixtures/b.txt", SSN);
    assert_eq!(repository.gated(&["--files", "fixtures/b.txt"]).code, 0);
}

/// git-lfs takes more forms of a pointer than it writes; their content is not what was looked at.
#[test]
fn a_pointer_that_git_lfs_takes_for_one_is_no_plain_text() {
    let repository = Repository::new();
    let oid = "0".repeat(64);
    for first in ["https://hawser.github.com/spec/v1\n", "https://git-lfs.github.com/spec/v1\r\n"] {
        repository.stage("big.bin", format!("version {first}oid sha256:{oid}\nsize 9\n"));
        let ran = ran(&mut repository.gate());
        assert_eq!(ran.code, 3, "{ran:?}");
    }
}

/// A value that stands alone has no line to be known by.
#[test]
fn a_baseline_does_not_know_a_bare_value() {
    let repository = Repository::new();
    repository.committed("sluice.toml", "version = 1\n[policy]\nexceptable = [\"nat.us_ssn\"]\n");
    repository.committed("numbers.csv", "ssn\n536-22-8726\n");
    repository.committed("notes.txt", SSN);
    assert_eq!(repository.gated(&["--write-baseline"]).code, 0);
    repository.git(&["add", ".sluice-baseline"]);
    repository.commit("baseline");
    repository.stage("other.csv", "ssn\n574-22-8190\n");
    assert_eq!(repository.gated(&[]).code, 1);
    repository.git(&["rm", "-q", "--cached", "other.csv"]);
    repository.stage("copy.txt", SSN);
    assert_eq!(repository.gated(&[]).code, 0, "a line with words is known");
}

/// Git shows one of two entries with one name, and may push both.
#[test]
fn a_tree_that_holds_a_name_twice_is_not_read() {
    let repository = Repository::new();
    let blob = |text: &str| {
        repository.write("aside", text);
        repository.git(&["hash-object", "-w", "aside"])
    };
    let (clean, other) = (blob("nothing\n"), blob(SSN));
    let bytes = |id: &str| data_encoding::HEXLOWER.decode(id.as_bytes()).unwrap();
    let mut tree = Vec::new();
    for id in [clean, other] {
        tree.extend(b"100644 f\0");
        tree.extend(bytes(&id));
    }
    let mut hash = repository.command("git");
    hash.args(["hash-object", "-w", "-t", "tree", "--literally", "--stdin"]);
    let id = ran_with(&mut hash, &tree).out.trim().to_owned();
    let commit = repository.git(&["commit-tree", "-m", "twice", &id]);
    repository.git(&["update-ref", "refs/heads/main", &commit]);
    assert_eq!(repository.gated(&["--all-history"]).code, 4);
}
