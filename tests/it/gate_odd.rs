//! Named files, payloads, Git LFS, and what else is not a plain file of a commit.

use std::fs;
use std::sync::atomic::AtomicBool;

use sha2::{Digest, Sha256};
use sluicegate::Scanner;
use sluicegate::batch::{Filter, Progress};
use sluicegate::engine::Options;
use sluicegate::gate::{self, Exceptions, Plan, Selection, Watch};
use sluicegate::model::{Day, FileReport};

use crate::repository::{Repository, SSN, findings, found, ran, ran_with};
use crate::support::rules;

#[test]
fn named_files_are_what_is_staged_of_them() {
    let repository = Repository::new();
    repository.committed("a", SSN);
    repository.write("a", "clean\n");
    repository.stage("deep/b", "clean\n");
    repository.write("deep/b", SSN);
    repository.write("c", SSN);
    let places = |arguments: &[&str]| repository.places(arguments);
    // Whole, since the framework is asked for all files with nothing staged.
    assert_eq!(places(&["--files", "a", "deep/b"]), [("a".to_owned(), 1)]);
    // What is not in the index is read where it lies, and that is said.
    let report = repository.gated(&["--format", "json", "--files", "c"]);
    assert_eq!(findings(&report).len(), 1);
    assert!(report.out.contains("not in the index"), "{}", report.out);
    // From a folder below, and by any way of writing a path.
    repository.write("deep/a", SSN);
    let mut below = repository.gate();
    below.current_dir(repository.path("deep")).args(["--files", "../a", "b", "./a"]);
    let paths: Vec<String> = found(&mut below).into_iter().map(|it| it.path).collect();
    assert_eq!(paths, ["a", "./a"]);
    let full = repository.path("a");
    assert_eq!(places(&["--files", full.to_str().unwrap()]), [("a".to_owned(), 1)]);
    repository.stage("-odd", SSN);
    assert_eq!(places(&["--files", "--", "-odd"]), [("-odd".to_owned(), 1)]);
    // A name that a subcommand has too is a file.
    repository.stage("import", SSN);
    assert_eq!(places(&["--files", "import"]), [("import".to_owned(), 1)]);
}

#[test]
fn named_files_that_are_nowhere_are_not_allowed() {
    let repository = Repository::new();
    repository.committed("a", "one\n");
    fs::create_dir(repository.path("folder")).unwrap();
    for name in ["nowhere", "folder", "a/b"] {
        assert_eq!(repository.gated(&["--files", name]).code, 1, "{name}");
    }
    assert_eq!(repository.gated(&["--files"]).code, 2);
    assert_eq!(repository.gated(&["a"]).code, 2, "a name without `--files` is a wrong call");
}

#[test]
fn a_link_that_was_named_is_not_followed() {
    let repository = Repository::new();
    fs::write(repository.aside("outside"), SSN).unwrap();
    std::os::unix::fs::symlink(repository.aside("outside"), repository.path("link")).unwrap();
    assert_eq!(repository.found(&["--files", "link"]), []);
}

#[test]
fn globs_leave_out_named_files_only_by_force() {
    let repository = Repository::new();
    repository.stage("vendor/a", SSN);
    repository.write("b.lock", SSN);
    let globs = ["--exclude", "vendor/", "--exclude", "*.lock"];
    let all = [globs.as_slice(), &["--files", "vendor/a", "b.lock"]].concat();
    assert_eq!(repository.places(&all).len(), 2);
    let forced = [&["--force-exclude", "--format", "json"], all.as_slice()].concat();
    let report = repository.gated(&forced);
    assert_eq!(report.code, 0, "{}", report.out);
    assert_eq!(report.out.matches("excluded by a glob").count(), 2);
    assert_eq!(repository.gated(&["--exclude", "a[", "--tracked"]).code, 2);
}

#[test]
fn a_payload_needs_no_repository() {
    for repository in [Repository::new(), Repository::nothing()] {
        let mut gate = repository.gate();
        let report = ran_with(gate.args(["--stdin", "--format", "json"]), SSN.as_bytes());
        assert_eq!(report.code, 1);
        assert_eq!(findings(&report).len(), 1);
        assert_eq!(ran_with(repository.gate().arg("--stdin"), b"clean\n").code, 0);
        let mut gate = repository.gate();
        let large = ran_with(gate.args(["--stdin", "--max-blob-size", "10"]), SSN.as_bytes());
        assert_eq!(large.code, 1);
    }
}

/// A pointer of Git LFS to this content.
fn pointer(content: &str) -> (String, String) {
    let oid = data_encoding::HEXLOWER.encode(&Sha256::digest(content));
    let size = content.len();
    (format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n"), oid)
}

#[test]
fn the_content_behind_a_pointer_is_looked_at() {
    let repository = Repository::new();
    let store = |content: &str, what: &str| {
        let (text, oid) = pointer(content);
        let folder = repository.path(format!(".git/lfs/objects/{}/{}", &oid[..2], &oid[2..4]));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(&oid), what).unwrap();
        text
    };
    let first = format!("{SSN}first\n");
    repository.stage("big", store(&first, &first));
    assert_eq!(repository.places(&[]), [("big".to_owned(), 1)]);
    repository.commit("first");
    // Of a new version counts what it adds to the one before.
    let second = format!("{first}ssn: 536-40-4398\n");
    repository.stage("big", store(&second, &second));
    assert_eq!(repository.places(&[]), [("big".to_owned(), 3)]);
    // What is not what the pointer says is not here.
    repository.stage("big", store("what was pointed at", "what was pointed to"));
    let report = repository.gated(&["--format", "json"]);
    assert_ne!(report.code, 0);
    assert!(
        report.out.contains("a Git LFS pointer, and its content is not here"),
        "{}",
        report.out
    );
    assert!(report.out.contains(r#""reasons":["opaque"]"#), "{}", report.out);
    // Nor is what has more bytes than are read.
    let large = "x".repeat(300);
    repository.stage("big", store(&large, &large));
    let report = repository.gated(&["--format", "json", "--max-blob-size", "200"]);
    assert_ne!(report.code, 0, "{}", report.out);
}

/// git-lfs counts a relative path from the folder of the repository.
#[test]
fn the_content_behind_a_pointer_is_looked_for_where_the_configuration_says() {
    let repository = Repository::new();
    let content = format!("{SSN}stored\n");
    let (text, oid) = pointer(&content);
    repository.stage("big", text);
    let elsewhere = repository.aside("elsewhere");
    let inside = repository.path(".git/media");
    for (storage, folder) in [(elsewhere.to_str().unwrap(), &elsewhere), ("media", &inside)] {
        repository.git(&["config", "lfs.storage", storage]);
        let report = repository.gated(&["--format", "json"]);
        assert!(report.out.contains(r#""reasons":["opaque"]"#), "{}", report.out);
        let folder = folder.join(format!("objects/{}/{}", &oid[..2], &oid[2..4]));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(&oid), &content).unwrap();
        assert_eq!(repository.places(&[]), [("big".to_owned(), 1)], "{storage}");
    }
    // What the file of the repository itself says of it is not asked, as git-lfs does not either.
    repository.git(&["config", "--unset", "lfs.storage"]);
    repository.stage(".lfsconfig", format!("[lfs]\nstorage = {}\n", elsewhere.display()));
    assert_eq!(repository.places(&[]), []);
}

#[test]
fn a_pointer_without_its_content_is_opaque() {
    let repository = Repository::new();
    repository.stage("big", pointer("somewhere else").0);
    let report = repository.gated(&["--format", "json"]);
    assert_ne!(report.code, 0);
    assert!(report.out.contains(r#""reasons":["opaque"]"#), "{}", report.out);
}

#[test]
fn a_repository_of_odd_references_and_settings_is_read() {
    let repository = Repository::new();
    repository.committed("a", SSN);
    repository.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/gone"]);
    repository.git(&["pack-refs", "--all"]);
    repository.git(&["gc", "-q"]);
    assert_eq!(repository.found(&["--all-history"]).len(), 1);
    // Filters and text conversion are commands of the repository, and none is run.
    repository.git(&["config", "filter.evil.clean", "touch ran"]);
    repository.git(&["config", "diff.evil.textconv", "touch ran"]);
    repository.write(".gitattributes", "* diff=evil\n");
    repository.git(&["add", ".gitattributes"]);
    repository.stage("b", SSN);
    assert_eq!(repository.places(&[]), [("b".to_owned(), 1)]);
    assert!(!repository.path("ran").exists());
}

#[test]
fn alternates_of_a_borrowing_clone_are_read() {
    let repository = Repository::new();
    repository.committed("a", SSN);
    let borrowing = Repository::clone_of(&repository, &["--shared"]);
    assert_eq!(borrowing.found(&["--all-history"]).len(), 1);
    let mut gate = borrowing.gate();
    assert_eq!(ran(gate.args(["--range", "HEAD"])).code, 1);
}

#[test]
fn references_that_are_no_files_are_refused() {
    let repository = Repository::nothing();
    let made = repository.try_git(&["init", "-q", "-b", "main", "--ref-format=reftable"]);
    if !made.status.success() {
        // Git before 2.45 makes no such repository.
        return;
    }
    repository.stage("a", SSN);
    for arguments in [[].as_slice(), &["--all-history"], &["--range", "HEAD"]] {
        let refused = repository.gated(arguments);
        assert_eq!(refused.code, 2);
        assert!(refused.err.contains("extensions.refStorage"), "{}", refused.err);
    }
}

#[test]
fn an_index_with_an_entry_of_an_unknown_kind_is_refused() {
    let repository = Repository::new();
    repository.stage("a", SSN);
    let path = repository.path(".git/index");
    let index = fs::read(&path).unwrap();
    // Behind the head of 12 bytes and 24 of times, device and inode stands the mode of the first entry.
    assert_eq!(index[36..40], 0o100_644_u32.to_be_bytes());
    for mode in [0o010_644_u32, 0o100_600, 0] {
        let mut other = index[..index.len() - 20].to_vec();
        other[36..40].copy_from_slice(&mode.to_be_bytes());
        let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
        hasher.update(&other);
        other.extend(hasher.try_finalize().unwrap().as_slice());
        fs::write(&path, other).unwrap();
        for arguments in [[].as_slice(), &["--tracked"], &["--files", "a"]] {
            let refused = repository.gated(arguments);
            assert_eq!(refused.code, 4, "{mode:o}: {refused:?}");
            assert!(refused.err.contains("an entry of an unknown kind"), "{refused:?}");
        }
    }
    fs::write(&path, index).unwrap();
    assert_eq!(repository.places(&[]), [("a".to_owned(), 1)]);
}

/// Of very many findings some are kept; the label counts all of them.
#[test]
fn findings_past_the_limit_are_counted() {
    let repository = Repository::new();
    for at in 0..3 {
        repository.stage(format!("{at}"), SSN.repeat(2));
    }
    let opened = gate::Repository::open(repository.root()).unwrap();
    let scanner = Scanner::new(rules(), Options::default());
    let looked = |max_findings| {
        let plan = Plan {
            selection: Selection::Staged,
            whole_files: false,
            filter: Filter::default(),
            force_exclude: false,
            max_blob_bytes: 1 << 20,
            max_findings,
            exceptions: Exceptions::none(Day::of_seconds(0)),
        };
        let (progress, stop) = (Progress::default(), AtomicBool::new(false));
        let watch = Watch { progress: &progress, stop: &stop };
        let mut reported = 0;
        let mut report = |file: FileReport| {
            reported += file.findings.len();
            Ok(())
        };
        let gated = gate::run(&opened, &plan, &scanner, watch, &mut report).unwrap();
        assert_eq!(reported, 6, "each report has all of its own");
        assert_eq!(gated.label.categories.values().map(|it| it.count).sum::<u64>(), 6);
        (gated.findings.len(), gated.truncated)
    };
    assert_eq!(looked(gate::KEPT), (6, 0));
    assert_eq!(looked(6), (6, 0));
    assert_eq!(looked(5), (5, 1));
    assert_eq!(looked(2), (2, 4));
    assert_eq!(looked(0), (0, 6));
}
