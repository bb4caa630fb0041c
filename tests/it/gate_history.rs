//! Ranges and all history: what each commit adds.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use crate::repository::{Found, Repository, SSN, findings, ran};

fn commits(found: &[Found]) -> Vec<&str> {
    found.iter().filter_map(|it| it.commit.as_deref()).collect()
}

#[test]
fn each_commit_of_a_range_counts_for_what_it_adds() {
    let repository = Repository::new();
    let first = repository.committed("a", format!("old {SSN}"));
    let second = repository.committed("a", format!("old {SSN}{SSN}"));
    let third = repository.committed("a", "clean\n");
    let range = format!("{first}..{third}");
    let found = repository.found(&["--range", &range]);
    // The next commit takes it back, and the one before the range is not of it.
    assert_eq!(commits(&found), [second.as_str()]);
    assert_eq!((found[0].path.as_str(), found[0].line), ("a", 2));
    assert_eq!(repository.gated(&["--range", &range]).code, 1);
    assert_eq!(repository.gated(&["--range", &third]).code, 0);
    assert_eq!(commits(&repository.found(&["--range", &first])), [first.as_str()]);
    assert_eq!(repository.found(&["--range", "HEAD~2.."]), found);
}

#[test]
fn an_empty_range_is_said() {
    let repository = Repository::new();
    repository.committed("a", SSN);
    let empty = repository.gated(&["--range", "HEAD..HEAD"]);
    assert_eq!(empty.code, 0);
    assert!(empty.err.contains("the range has no commit"), "{}", empty.err);
}

#[test]
fn what_is_no_range_is_refused() {
    let repository = Repository::new();
    repository.committed("a", "one\n");
    for range in ["HEAD...HEAD", "^HEAD", "..", "--all", "a..b..c"] {
        let refused = repository.gated(&["--range", range]);
        assert_eq!(refused.code, 2, "{range}: {refused:?}");
        assert!(refused.err.contains("neither `A..B` nor one revision"), "{}", refused.err);
    }
    let zero = format!("{}..HEAD", "0".repeat(40));
    for range in ["nowhere..HEAD", "HEAD..nowhere", zero.as_str()] {
        let refused = repository.gated(&["--range", range]);
        assert_eq!(refused.code, 2, "{range}: {refused:?}");
        assert!(refused.err.contains("fetch it first"), "{}", refused.err);
    }
    assert_eq!(repository.gated(&["--range", "HEAD", "--all-history"]).code, 2);
}

#[test]
fn a_merge_counts_for_what_it_adds_to_every_parent() {
    let repository = Repository::new();
    let base = repository.committed("a", "one\ntwo\nthree\n");
    repository.git(&["checkout", "-q", "-b", "side"]);
    let side = repository.committed("b", SSN);
    repository.git(&["checkout", "-q", "main"]);
    repository.committed("a", "one\ntwo\nthree\nfour\n");
    repository.git(&["merge", "-q", "--no-ff", "-m", "merged", "side"]);
    // What came from a side was added there.
    let range = format!("{base}..");
    assert_eq!(commits(&repository.found(&["--range", &range])), [side.as_str()]);
    assert_eq!(repository.found(&["--range", "HEAD"]), []);
    // What the merge itself brings was not.
    repository.git(&["reset", "-q", "--hard", "HEAD^"]);
    repository.git(&["merge", "-q", "--no-ff", "--no-commit", "side"]);
    repository.stage("a", "one\nssn: 536-40-4398\ntwo\nthree\nfour\n");
    repository.stage("c", SSN);
    let merge = repository.commit("evil");
    let found = repository.found(&["--range", "HEAD"]);
    assert_eq!(commits(&found), [merge.as_str(), merge.as_str()]);
    assert_eq!([found[0].path.as_str(), found[1].path.as_str()], ["a", "c"]);
}

#[test]
fn commits_that_the_other_end_reaches_are_left_out() {
    let repository = Repository::new();
    repository.committed("a", "one\n");
    repository.git(&["checkout", "-q", "-b", "side"]);
    repository.committed("b", SSN);
    repository.git(&["checkout", "-q", "main"]);
    let main = repository.committed("c", SSN);
    repository.git(&["merge", "-q", "--no-ff", "-m", "merged", "side"]);
    assert_eq!(commits(&repository.found(&["--range", "side..main"])), [main.as_str()]);
}

#[test]
fn all_history_reaches_every_reference_and_head() {
    let repository = Repository::new();
    let nothing = repository.gated(&["--all-history"]);
    assert_eq!(nothing.code, 0);
    assert!(nothing.err.contains("there is no commit yet"), "{}", nothing.err);
    let mut all = vec![repository.committed("root", SSN)];
    repository.git(&["checkout", "-q", "-b", "side"]);
    all.push(repository.committed("side", SSN));
    repository.git(&["tag", "-a", "-m", "kept", "kept"]);
    repository.git(&["checkout", "-q", "main"]);
    repository.git(&["branch", "-qD", "side"]);
    // A stash, a head that no branch has, and that of another worktree.
    repository.stage("stashed", SSN);
    repository.git(&["stash", "-q"]);
    repository.git(&["checkout", "-q", "--detach"]);
    all.push(repository.committed("detached", SSN));
    let linked = repository.aside("linked");
    repository.git(&["worktree", "add", "-q", "--detach", linked.to_str().unwrap(), "main"]);
    fs::write(linked.join("linked"), SSN).unwrap();
    for arguments in [["add", "linked"].as_slice(), &["commit", "-qm", "linked"]] {
        let mut git = repository.command("git");
        assert!(git.current_dir(&linked).args(arguments).status().unwrap().success());
    }
    let found = repository.found(&["--all-history"]);
    for id in &all {
        assert!(commits(&found).contains(&id.as_str()), "{id}: {found:?}");
    }
    let paths: Vec<&str> = found.iter().map(|it| it.path.as_str()).collect();
    assert!(paths.contains(&"stashed") && paths.contains(&"linked"), "{paths:?}");
    let mut other = repository.gate();
    other.current_dir(&linked).args(["--all-history", "--format", "json"]);
    assert_eq!(findings(&ran(&mut other)).len(), found.len());
}

#[test]
fn a_reference_to_a_blob_or_a_tree_counts() {
    let repository = Repository::new();
    repository.committed("a", "one\n");
    repository.write("loose", SSN);
    let blob = repository.git(&["hash-object", "-w", "loose"]);
    repository.git(&["tag", "blob", &blob]);
    let found = repository.found(&["--all-history"]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, "refs/tags/blob");
    repository.git(&["tag", "-d", "blob"]);
    repository.stage("in/tree", SSN);
    let tree = repository.git(&["write-tree"]);
    repository.git(&["tag", "-a", "-m", "a tree", "tree", &tree]);
    let found = repository.found(&["--all-history"]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, "in/tree");
}

#[test]
fn bare_repositories_have_ranges() {
    let repository = Repository::new();
    repository.committed("a", "one\n");
    let second = repository.committed("a", SSN);
    let bare = Repository::clone_of(&repository, &["--bare"]);
    assert_eq!(commits(&bare.found(&["--range", "HEAD~1..HEAD"])), [second.as_str()]);
    assert_eq!(bare.found(&["--all-history"]).len(), 1);
}

#[test]
fn a_shallow_clone_says_what_counts_whole() {
    let repository = Repository::new();
    let first = repository.committed("a", SSN);
    repository.committed("b", "one\n");
    repository.committed("c", "one\n");
    let shallow = Repository::clone_of(&repository, &["--depth", "2"]);
    let all = shallow.gated(&["--all-history", "--format", "json"]);
    assert!(all.err.contains("1 of the commits count whole"), "{}", all.err);
    assert_eq!(findings(&all).len(), 1);
    let missing = shallow.gated(&["--range", &format!("{first}..HEAD")]);
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("fetch it first"), "{}", missing.err);
    // Within what is here it is as anywhere.
    assert_eq!(shallow.gated(&["--range", "HEAD~1..HEAD"]).code, 0);
    shallow.stage("d", SSN);
    assert_eq!(shallow.places(&[]).len(), 1);
}

#[test]
fn a_commit_that_is_missing_is_no_end_of_history() {
    let repository = Repository::new();
    let first = repository.committed("a", SSN);
    repository.committed("b", "one\n");
    fs::remove_file(repository.path(format!(".git/objects/{}/{}", &first[..2], &first[2..])))
        .unwrap();
    assert_eq!(repository.gated(&["--all-history"]).code, 4);
    assert_eq!(repository.gated(&["--range", "HEAD"]).code, 4);
}

#[test]
fn objects_are_never_replaced() {
    let repository = Repository::new();
    let bad = repository.committed("a", SSN);
    repository.stage("a", "clean\n");
    let tree = repository.git(&["write-tree"]);
    let good = repository.git(&["commit-tree", "-m", "clean", &tree]);
    repository.git(&["replace", &bad, &good]);
    assert_eq!(repository.found(&["--range", &bad]).len(), 1);
}

#[test]
fn a_renamed_file_adds_what_was_edited_alone() {
    let lines = |from: u32| (from..from + 20).map(|it| format!("line {it}\n")).collect::<String>();
    let repository = Repository::new();
    let text = format!("{SSN}{}", lines(0));
    repository.committed("old/name.txt", &text);
    repository.committed("other.txt", lines(100));
    repository.git(&["mv", "old/name.txt", "name.md"]);
    assert_eq!(repository.gated(&[]).code, 0);
    repository.stage("name.md", format!("{text}ssn: 536-40-4398\n"));
    assert_eq!(repository.places(&[]), [("name.md".to_owned(), 22)]);
    repository.commit("moved");
    assert_eq!(repository.places(&["--range", "HEAD"]), [("name.md".to_owned(), 22)]);
    // What is hardly the same is another file.
    repository.git(&["mv", "name.md", "new.md"]);
    repository.stage("new.md", format!("{SSN}{}", lines(500)));
    assert_eq!(repository.places(&[]), [("new.md".to_owned(), 1)]);
    // A copy is new: what it was made of is still there.
    repository.git(&["reset", "-q", "--hard"]);
    repository.stage("copy.md", &text);
    assert_eq!(repository.places(&[]), [("copy.md".to_owned(), 1)]);
}

#[test]
fn a_file_that_becomes_a_folder_and_back_has_moved() {
    let repository = Repository::new();
    let text = format!("{SSN}more\nand more\n");
    repository.committed("it", &text);
    fs::remove_file(repository.path("it")).unwrap();
    repository.write("it/inside", &text);
    repository.git(&["add", "-A"]);
    assert_eq!(repository.gated(&[]).code, 0);
    repository.commit("a folder");
    fs::remove_dir_all(repository.path("it")).unwrap();
    repository.write("it", format!("{text}{SSN}"));
    repository.git(&["add", "-A"]);
    assert_eq!(repository.places(&[]), [("it".to_owned(), 4)]);
}

#[test]
fn past_the_limits_of_renames_all_lines_count() {
    // A file too large to be compared.
    let repository = Repository::new();
    let large = format!("{SSN}{}", "0123456789abcde\n".repeat((1 << 20) / 16));
    repository.committed("large", &large);
    repository.git(&["mv", "large", "moved"]);
    assert_eq!(repository.gated(&[]).code, 0, "the very same is known by its id");
    repository.stage("moved", format!("{large}more\n"));
    assert_eq!(repository.places(&[]), [("moved".to_owned(), 1)]);
    // Too many files to compare it with.
    for (count, expected) in [(1_000, 0), (1_001, 1)] {
        let repository = Repository::new();
        for number in 0..count - 1 {
            repository.write(format!("gone/{number}"), format!("{number}\n"));
        }
        let text = format!("{SSN}{}", "line\n".repeat(20));
        repository.write("gone/it", &text);
        repository.git(&["add", "."]);
        repository.commit("all");
        repository.git(&["rm", "-qr", "."]);
        repository.stage("it", format!("{text}more\n"));
        assert_eq!(repository.places(&[]).len(), expected, "{count}");
    }
    // Too many bytes to compare it with.
    for (count, expected) in [(8, 0), (9, 1)] {
        let repository = Repository::new();
        let text = format!("{SSN}{}", "0123456789abcde\n".repeat((1 << 20) / 16 - 100));
        for number in 0..count {
            repository.write(format!("gone/{number}"), format!("{text}{number}\n"));
        }
        repository.git(&["add", "."]);
        repository.commit("all");
        repository.git(&["rm", "-qr", "."]);
        repository.stage("it", format!("{text}more\n"));
        assert_eq!(repository.places(&[]).len(), expected, "{count}");
    }
}

#[test]
fn many_commits_are_reported_in_their_order() {
    let repository = Repository::new();
    let mut stream = String::new();
    for number in 0..600 {
        let text = if number % 100 == 7 { SSN } else { "one\n" };
        let name = format!("f{number}");
        stream.push_str(&format!(
            "commit refs/heads/main\ncommitter A <a@example.com> {} +0000\ndata 1\nm\nM 100644 inline \
             {name}\ndata {}\n{text}\n",
            1_700_000_000 + number,
            text.len()
        ));
    }
    let mut import = repository.command("git");
    import.args(["fast-import", "--quiet"]);
    assert_eq!(crate::repository::ran_with(&mut import, stream.as_bytes()).code, 0);
    let paths: Vec<String> =
        repository.places(&["--all-history"]).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["f7", "f107", "f207", "f307", "f407", "f507"]);
}

#[test]
fn folders_that_nest_too_deep_are_refused() {
    for (depth, code) in [(2_000, 1), (2_060, 2)] {
        let repository = Repository::new();
        let path = "d/".repeat(depth);
        let stream = format!(
            "commit refs/heads/main\ncommitter A <a@example.com> 1 +0000\ndata 1\nm\nM 100644 inline \
             {path}f\ndata {}\n{SSN}\n",
            SSN.len()
        );
        let mut import = repository.command("git");
        import.args(["fast-import", "--quiet"]);
        let imported = crate::repository::ran_with(&mut import, stream.as_bytes());
        assert_eq!(imported.code, 0, "{imported:?}");
        assert_eq!(repository.gated(&["--range", "main"]).code, code, "{depth}");
    }
}

#[test]
fn an_interrupted_run_decides_nothing() {
    let repository = Repository::new();
    let mut stream = String::new();
    let text = "words that are nothing of interest\n".repeat(6_000);
    for number in 0..800 {
        stream.push_str(&format!(
            "commit refs/heads/main\ncommitter A <a@example.com> {number} +0000\ndata 1\nm\nM 100644 \
             inline f{number}\ndata {}\n{number} {text}\n",
            text.len() + number.to_string().len() + 1
        ));
    }
    let mut import = repository.command("git");
    import.args(["fast-import", "--quiet"]);
    assert_eq!(crate::repository::ran_with(&mut import, stream.as_bytes()).code, 0);
    let mut gate = repository.gate();
    gate.args(["--all-history", "--format", "jsonl"]);
    let mut child = gate.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // With the first report it is under way.
    let mut first = [0; 1];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("interrupted: nothing was decided"), "{said}");
}
