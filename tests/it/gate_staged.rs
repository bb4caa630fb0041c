//! What is staged, and nothing else, is what the gate looks at.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::repository::{Repository, SSN, found, ran};

fn at(path: &str, line: u64) -> (String, u64) {
    (path.to_owned(), line)
}

#[test]
fn what_is_staged_decides_and_not_the_working_tree() {
    let repository = Repository::new();
    repository.stage("notes.txt", SSN);
    repository.write("notes.txt", "nothing here\n");
    assert_eq!(repository.places(&[]), [at("notes.txt", 1)]);
    assert_eq!(repository.gated(&[]).code, 1);
    // And the other way round.
    repository.stage("notes.txt", "nothing here\n");
    repository.write("notes.txt", SSN);
    assert_eq!(repository.gated(&[]).code, 0);
}

#[test]
fn a_partially_staged_file_is_judged_by_its_staged_half() {
    let repository = Repository::new();
    repository.committed("list", "one\ntwo\n");
    repository.stage("list", "one\nssn: 574-22-8190\ntwo\n");
    repository.write("list", "one\nssn: 574-22-8190\ntwo\nssn: 536-40-4398\n");
    assert_eq!(repository.places(&[]), [at("list", 2)]);
}

#[test]
fn lines_that_were_there_do_not_count() {
    let repository = Repository::new();
    repository.committed("list", format!("{SSN}two\n"));
    repository.stage("list", format!("{SSN}two\nthree\n"));
    assert_eq!(repository.gated(&[]).code, 0);
    assert_eq!(repository.places(&["--whole-files"]), [at("list", 1)]);
    assert_eq!(repository.places(&["--tracked"]), [at("list", 1)]);
}

#[test]
fn the_header_of_a_table_counts_for_an_added_row() {
    let repository = Repository::new();
    repository.committed("staff.csv", "name,ssn\nanna,574-22-8190\n");
    repository.stage("staff.csv", "name,ssn\nanna,574-22-8190\nbert,536-40-4398\n");
    assert_eq!(repository.places(&[]), [at("staff.csv", 3)]);
}

#[test]
fn nothing_staged_is_said_and_allowed() {
    let repository = Repository::new();
    let empty = repository.gated(&[]);
    assert_eq!(empty.code, 0);
    assert!(empty.err.contains("nothing is staged"), "{}", empty.err);
    repository.committed("a", SSN);
    repository.write("b", SSN);
    let unstaged = repository.gated(&[]);
    assert_eq!(unstaged.code, 0);
    assert!(unstaged.err.contains("nothing is staged"), "{}", unstaged.err);
    repository.git(&["rm", "-q", "a"]);
    let deleted = repository.gated(&[]);
    assert_eq!(deleted.code, 0);
    assert!(deleted.err.contains("nothing but deletions"), "{}", deleted.err);
    repository.stage("c", "nothing of interest\n");
    let staged = repository.gated(&[]);
    assert_eq!((staged.code, staged.err.as_str()), (0, ""));
}

#[test]
fn a_file_that_is_only_announced_is_not_staged() {
    let repository = Repository::new();
    repository.write("later", SSN);
    repository.git(&["add", "-N", "later"]);
    let announced = repository.gated(&[]);
    assert_eq!(announced.code, 0);
    assert!(announced.err.contains("nothing is staged"), "{}", announced.err);
}

#[test]
fn what_is_not_merged_is_refused() {
    let repository = Repository::new();
    repository.committed("a", "base\n");
    repository.git(&["checkout", "-q", "-b", "other"]);
    repository.committed("a", "theirs\n");
    repository.git(&["checkout", "-q", "main"]);
    repository.committed("a", "ours\n");
    assert!(!repository.try_git(&["merge", "-q", "other"]).status.success());
    let unmerged = repository.gated(&[]);
    assert_eq!(unmerged.code, 2);
    assert!(unmerged.err.contains("not merged yet: `a`"), "{}", unmerged.err);
    repository.stage("a", SSN);
    assert_eq!(repository.gated(&[]).code, 1);
}

#[test]
fn hooks_see_the_index_of_commit_all_and_commit_path() {
    let repository = Repository::new();
    repository.committed("a", "one\n");
    repository.committed("b", "one\n");
    repository.hook("pre-commit", "");
    // Nothing is staged in the index that is on disk: git makes one for the hook.
    repository.write("a", SSN);
    for arguments in [["commit", "-qam", "all"].as_slice(), &["commit", "-qm", "path", "a"]] {
        let refused = repository.try_git(arguments);
        assert!(!refused.status.success());
        let said = String::from_utf8_lossy(&refused.stdout).into_owned();
        let said = said + &String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains("nat.us_ssn"), "{said}");
    }
    // What is staged beside the named path is no part of that commit.
    repository.git(&["add", "a"]);
    repository.write("b", "two\n");
    repository.git(&["commit", "-qm", "only b", "b"]);
    assert!(!repository.try_git(&["commit", "-qm", "rest"]).status.success());
}

#[test]
fn the_first_commit_is_all_new() {
    let repository = Repository::new();
    repository.stage("deep/er/notes.txt", format!("first\n{SSN}"));
    assert_eq!(repository.places(&[]), [at("deep/er/notes.txt", 2)]);
}

#[test]
fn the_gate_runs_in_a_folder_below_and_with_git_dir() {
    let repository = Repository::new();
    repository.stage("deep/a", SSN);
    let mut below = repository.gate();
    below.current_dir(repository.path("deep"));
    assert_eq!(found(&mut below).len(), 1);
    let mut elsewhere = repository.gate();
    elsewhere.current_dir(repository.aside(""));
    elsewhere.env("GIT_DIR", repository.path(".git")).env("GIT_WORK_TREE", repository.root());
    assert_eq!(found(&mut elsewhere).len(), 1);
    let mut nowhere = repository.gate();
    nowhere.current_dir(repository.aside(""));
    let nowhere = ran(&mut nowhere);
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.err.contains("no git repository here"), "{}", nowhere.err);
}

#[test]
fn another_index_is_looked_at_where_git_names_one() {
    let repository = Repository::new();
    repository.committed("a", "one\n");
    let index = repository.aside("index");
    let mut add = repository.command("git");
    repository.write("a", SSN);
    assert!(add.args(["add", "a"]).env("GIT_INDEX_FILE", &index).status().unwrap().success());
    assert_eq!(repository.gated(&[]).code, 0);
    assert_eq!(found(repository.gate().env("GIT_INDEX_FILE", &index)).len(), 1);
}

#[test]
fn a_linked_worktree_has_its_own_index() {
    let repository = Repository::new();
    repository.committed("a", "one\n");
    let linked = repository.aside("linked");
    repository.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    fs::write(linked.join("b"), SSN).unwrap();
    let mut add = repository.command("git");
    assert!(add.current_dir(&linked).args(["add", "b"]).status().unwrap().success());
    assert_eq!(repository.gated(&[]).code, 0);
    assert_eq!(found(repository.gate().current_dir(&linked)).len(), 1);
}

#[test]
fn a_submodule_is_said_and_has_its_own_gate() {
    let inner = Repository::new();
    inner.committed("secret", SSN);
    let outer = Repository::new();
    let from = format!("file://{}", inner.root().display());
    outer.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &from, "sub"]);
    let report = outer.gated(&["--format", "json"]);
    assert_eq!(report.code, 0);
    assert!(report.out.contains("a submodule: its own repository"), "{}", report.out);
    let sub = outer.path("sub");
    fs::write(sub.join("more"), SSN).unwrap();
    assert!(
        outer.command("git").current_dir(&sub).args(["add", "more"]).status().unwrap().success()
    );
    let places = found(outer.gate().current_dir(&sub));
    assert_eq!(places.iter().map(|it| it.path.as_str()).collect::<Vec<_>>(), ["more"]);
}

#[test]
fn a_bare_repository_has_nothing_staged() {
    let repository = Repository::with(&["--bare"]);
    let bare = repository.gated(&[]);
    assert_eq!(bare.code, 2);
    assert!(bare.err.contains("--range A..B"), "{}", bare.err);
}

#[test]
fn sparse_checkouts_and_sparse_indexes_are_read() {
    let repository = Repository::new();
    for folder in ["in", "out", "out/deep"] {
        repository.stage(format!("{folder}/a"), "one\n");
    }
    repository.commit("base");
    repository.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
    assert!(!repository.path("out").exists());
    repository.stage("in/a", SSN);
    assert_eq!(repository.places(&[]), [at("in/a", 1)]);
    // Whole, the index holds what is not checked out too.
    let tracked = repository.gated(&["--tracked", "--format", "json"]);
    assert!(tracked.out.contains("out/deep/a"), "{}", tracked.out);
    // A commit made of it has the tree that the gate takes it for.
    let grown = repository.gated(&["--format", "json"]);
    assert_eq!(grown.code, 1);
}

#[test]
fn a_change_below_a_sparse_folder_is_found() {
    let repository = Repository::new();
    repository.committed("in/a", "one\n");
    repository.committed("out/deep/a", "one\n");
    repository.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
    // A reset of the index alone to another tree keeps the folder closed and changes what is in it.
    let first = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["sparse-checkout", "disable"]);
    repository.committed("out/deep/a", SSN);
    repository.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
    repository.git(&["update-ref", "HEAD", &first]);
    assert_eq!(repository.places(&[]), [at("out/deep/a", 1)]);
}

#[test]
fn repositories_of_sha_256_are_read() {
    let repository = Repository::with(&["--object-format=sha256"]);
    let first = repository.committed("a", "one\n");
    assert_eq!(first.len(), 64);
    repository.stage("a", format!("one\n{SSN}"));
    assert_eq!(repository.places(&[]), [at("a", 2)]);
    repository.commit("second");
    assert_eq!(repository.places(&["--range", &format!("{first}..")]), [at("a", 2)]);
}

#[test]
fn a_split_index_is_read() {
    let repository = Repository::new();
    repository.committed("a", "one\n");
    repository.committed("b", "one\n");
    repository.git(&["update-index", "--split-index"]);
    repository.stage("b", SSN);
    repository.stage("c", SSN);
    repository.git(&["rm", "-q", "--cached", "a"]);
    assert!(
        fs::read_dir(repository.path(".git"))
            .unwrap()
            .any(|it| { it.unwrap().file_name().to_string_lossy().starts_with("sharedindex") })
    );
    assert_eq!(repository.places(&[]), [at("b", 1), at("c", 1)]);
}

#[test]
fn index_versions_and_checksums_that_git_leaves_out_are_read() {
    for version in ["2", "3", "4"] {
        let repository = Repository::new();
        repository.git(&["config", "index.skipHash", "true"]);
        repository.stage("some/a", SSN);
        repository.stage("some/b", "one\n");
        repository.git(&["update-index", "--index-version", version]);
        assert_eq!(repository.places(&[]), [at("some/a", 1)], "version {version}");
    }
}

#[test]
fn the_target_of_a_link_is_text_like_any() {
    let repository = Repository::new();
    std::os::unix::fs::symlink("/people/ssn: 574-22-8190", repository.path("link")).unwrap();
    repository.git(&["add", "link"]);
    assert_eq!(repository.places(&[]), [at("link", 1)]);
}

#[test]
fn a_file_that_becomes_a_link_adds_its_target_alone() {
    let repository = Repository::new();
    repository.committed("it", "/people/ssn: 574-22-8190");
    fs::remove_file(repository.path("it")).unwrap();
    std::os::unix::fs::symlink("/people/ssn: 574-22-8190", repository.path("it")).unwrap();
    repository.git(&["add", "it"]);
    assert_eq!(repository.gated(&[]).code, 0);
}

#[test]
fn binary_content_and_paths_of_any_bytes_are_looked_at() {
    let repository = Repository::new();
    let odd = OsStr::from_bytes(b"caf\xe9 \x01\n.bin");
    repository.stage(odd, [b"\0\x01\xff\xfe ".as_slice(), SSN.as_bytes()].concat());
    let places = repository.places(&[]);
    assert_eq!(places.len(), 1);
    assert!(places[0].0.contains(r"caf\xe9"), "{places:?}");
    repository.commit("odd");
    assert_eq!(repository.places(&["--range", "HEAD"]).len(), 1);
}

#[test]
fn a_regulated_path_is_masked() {
    let repository = Repository::new();
    repository.stage("ssn 574-22-8190.txt", SSN);
    let report = repository.gated(&[]);
    assert!(!(report.out + &report.err).contains("574-22-8190"));
}

#[test]
fn what_cannot_be_read_is_never_allowed() {
    // A blob that is missing, and one that is damaged.
    for damage in [None, Some("damaged")] {
        let repository = Repository::new();
        repository.stage("a", "nothing of interest\n");
        let id = repository.git(&["rev-parse", ":a"]);
        let path = repository.path(format!(".git/objects/{}/{}", &id[..2], &id[2..]));
        fs::remove_file(&path).unwrap();
        if let Some(damage) = damage {
            fs::write(&path, damage).unwrap();
        }
        assert!(matches!(repository.gated(&[]).code, 1 | 4), "{damage:?}");
    }
    // The index.
    let repository = Repository::new();
    repository.committed("a", "one\n");
    let index = fs::read(repository.path(".git/index")).unwrap();
    for broken in [&b""[..], b"DIRC", b"no index at all, only text", &index[..index.len() / 2]] {
        fs::write(repository.path(".git/index"), broken).unwrap();
        let code = repository.gated(&[]).code;
        assert!(matches!(code, 1 | 2 | 4), "{code}: {} bytes", broken.len());
    }
    // The head.
    let repository = Repository::new();
    let id = repository.committed("a", "one\n");
    repository.stage("b", "two\n");
    for broken in ["nonsense\n", "1111111111111111111111111111111111111111\n"] {
        let head = fs::read(repository.path(".git/HEAD")).unwrap();
        fs::write(repository.path(".git/HEAD"), broken).unwrap();
        let code = repository.gated(&[]).code;
        assert!(matches!(code, 1 | 2 | 4), "{code}: {broken}");
        fs::write(repository.path(".git/HEAD"), head).unwrap();
    }
    // The commit that it names, and its tree.
    for revision in ["HEAD^{tree}", "HEAD"] {
        let id = repository.git(&["rev-parse", revision]);
        let path = repository.path(format!(".git/objects/{}/{}", &id[..2], &id[2..]));
        fs::remove_file(path).unwrap();
        assert_eq!(repository.gated(&[]).code, 4, "{revision}");
    }
    assert_eq!(id.len(), 40);
}

#[test]
fn a_large_blob_is_said_and_not_allowed_to_pass_as_read() {
    let repository = Repository::new();
    repository.stage("large", "x".repeat(2_000));
    let report = repository.gated(&["--max-blob-size", "1000", "--format", "json"]);
    assert_eq!(report.code, 1);
    assert!(report.out.contains("more than is read"), "{}", report.out);
    assert!(report.out.contains(r#""reasons":["limit"]"#), "{}", report.out);
}

#[test]
fn files_that_are_excluded_are_said() {
    let repository = Repository::new();
    repository.stage("a.lock", SSN);
    repository.stage("vendor/deep/b", SSN);
    repository.stage("c", "one\n");
    let report =
        repository.gated(&["--exclude", "*.lock", "--exclude", "vendor/", "--format", "json"]);
    assert_eq!(report.code, 0, "{}", report.out);
    assert_eq!(report.out.matches("excluded by a glob").count(), 2, "{}", report.out);
}

#[test]
fn a_merge_that_is_about_to_be_committed_counts_for_what_it_adds_itself() {
    let repository = Repository::new();
    repository.committed("a", "base\n");
    repository.git(&["checkout", "-q", "-b", "other"]);
    repository.committed("theirs", SSN);
    repository.committed("a", "theirs\n");
    repository.git(&["checkout", "-q", "main"]);
    repository.committed("a", "ours\n");
    assert!(!repository.try_git(&["merge", "-q", "other"]).status.success());
    repository.stage("a", "both\n");
    assert_eq!(repository.gated(&[]).code, 0);
    repository.stage("a", format!("both\n{SSN}"));
    assert_eq!(repository.places(&[]), [at("a", 2)]);
    fs::write(repository.path(".git/MERGE_HEAD"), "nonsense\n").unwrap();
    assert_eq!(repository.gated(&[]).code, 4);
}

#[test]
fn nothing_but_staged_blobs_is_read() {
    let repository = Repository::new();
    for name in ["a", "b/a", "b/c/a", "d/a"] {
        repository.stage(name, format!("{name} is as it was\n"));
    }
    repository.commit("base");
    let kept: Vec<String> = ["HEAD", "HEAD^{tree}", "HEAD:b"]
        .iter()
        .map(|revision| repository.git(&["rev-parse", revision]))
        .collect();
    repository.stage("b/new", SSN);
    repository.stage("b/a", "changed, and nothing of interest\n");
    let staged = [":b/new", ":b/a"].map(|it| repository.git(&["rev-parse", it]));
    for folder in fs::read_dir(repository.path(".git/objects")).unwrap() {
        let folder = folder.unwrap().path();
        for object in fs::read_dir(&folder).unwrap() {
            let object = object.unwrap().path();
            let name =
                |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
            let id = name(&folder) + &name(&object);
            if !kept.contains(&id) && !staged.contains(&id) {
                fs::remove_file(object).unwrap();
            }
        }
    }
    assert_eq!(repository.places(&[]), [at("b/new", 1)]);
}
