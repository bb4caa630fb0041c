//! What excepts findings, and what does not.

use std::fs;

use serde_json::Value;

use crate::repository::{Ran, Repository, SSN};

/// A token with a right checksum that was never given out.
const TOKEN: &str = "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";
/// SHA-1 of it, as detect-secrets has it.
const DIGEST: &str = "5ae8cb90bceef10fa03a072d7160289f702985e3";

fn repository(more: &str) -> Repository {
    let repository = Repository::new();
    let file = format!("version = 1\n[policy]\nexceptable = [\"nat.us_ssn\", \"sec\"]\n{more}");
    repository.committed("sluice.toml", file);
    repository
}

/// What JSON says of exceptions: kind, path, line, reason.
fn exceptions(ran: &Ran) -> Vec<(String, String, u64, String)> {
    let report: Value = serde_json::from_str(&ran.out).expect(&ran.err);
    let mut all = Vec::new();
    for file in report["files"].as_array().unwrap() {
        for it in file["exceptions"].as_array().into_iter().flatten() {
            let text = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
            all.push((text("exception"), text("path"), it["line"].as_u64().unwrap(), text("why")));
        }
    }
    all
}

fn kinds(repository: &Repository, arguments: &[&str]) -> Vec<String> {
    let ran = repository.gated(&[arguments, &["--format", "json"]].concat());
    exceptions(&ran).into_iter().map(|(kind, ..)| kind).collect()
}

#[test]
fn an_inline_exception_is_for_its_line_and_rule_and_has_a_reason() {
    let repository = repository("");
    let ssn = SSN.trim();
    repository.stage("a.txt", format!("{ssn} # sluice:allow nat.us-ssn a sample of the manual\n"));
    let ran = repository.gated(&["--format", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let expected =
        ("inline".to_owned(), "a.txt".to_owned(), 1, "a sample of the manual".to_owned());
    assert_eq!(exceptions(&ran), [expected]);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["files"][0]["findings"], serde_json::json!([]));
    assert_eq!(report["files"][0]["label"]["categories"], serde_json::json!({}));
    assert_eq!(report["summary"]["exceptions"]["inline"], 1);
    let lines = repository.gated(&["--format", "jsonl"]).out;
    assert!(lines.lines().any(|line| line.starts_with("{\"type\":\"exception\"")), "{lines}");
    for (text, note) in [
        (format!("{ssn} # sluice:allow nat.us-ssn\n"), "has no reason"),
        (format!("{ssn} # sluice:allow nat.us-ssm a sample\n"), "names no rule"),
        (format!("{ssn}\n# sluice:allow nat.us-ssn a sample\n"), "excepts nothing; take it out"),
        (
            format!("{ssn} # sluice:allow sec.github-classic a sample\n"),
            "excepts nothing; take it out",
        ),
    ] {
        repository.stage("a.txt", &text);
        let ran = repository.gated(&[]);
        assert_eq!(ran.code, 1, "{text}: {ran:?}");
        assert!(ran.out.contains(note), "{text}: {ran:?}");
    }
}

#[test]
fn what_is_not_exceptable_counts_whatever_says_otherwise() {
    let repository = Repository::new();
    let file = "version = 1\n[policy]\nexceptable = [\"pii.email\"]\n[[exception]]\ncategory = \"sec\"\nreason = \"all\"\n";
    repository.stage(".gitleaksignore", "key.txt:github-pat:1\n");
    repository.committed("sluice.toml", file);
    repository.stage(
        "key.txt",
        format!("{TOKEN} # gitleaks:allow # sluice:allow sec.github-classic why not\n"),
    );
    let ran = repository.gated(&[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let note = "(inline) of 1 findings do not apply, since `sec.github` is not exceptable";
    assert!(ran.out.contains(note), "{ran:?}");
}

#[test]
fn stated_exceptions_are_for_their_paths_to_their_day() {
    let more = "[[exception]]\ncategory = \"nat\"\npaths = [\"docs/**\", \"*.md\"]\nreason = \"People who do not exist.\"\n\
                [[exception]]\nrule = \"nat.us-ssn\"\npaths = \"old/\"\nreason = \"Old ones.\"\nexpires = 2026-01-01\n\
                [[exception]]\nrule = \"nat.no-such-rule\"\nreason = \"Gone.\"\n";
    let repository = repository(more);
    repository.stage("docs/a/b.txt", SSN);
    repository.stage("x.md", SSN);
    let ran = repository.gated(&["--format", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let all = exceptions(&ran);
    assert!(
        all.iter().all(|it| it.0 == "repository" && it.3 == "People who do not exist."),
        "{all:?}"
    );
    assert_eq!(all.len(), 2);
    repository.stage("deep/x.md", SSN);
    repository.stage("old/x.txt", SSN);
    let ran = repository.gated(&[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let mut places = repository.places(&[]);
    places.sort();
    assert_eq!(places, [("deep/x.md".to_owned(), 1), ("old/x.txt".to_owned(), 1)]);
    assert!(ran.out.contains("(repository) of 1 findings expired on 2026-01-01"), "{ran:?}");
    assert!(ran.out.contains("names rule `nat.no-such-rule`, which is not there"), "{ran:?}");
    assert!(!ran.out.contains("take it out"), "only where everything is looked at: {ran:?}");
    let ran = repository.gated(&["--tracked"]);
    assert!(ran.out.contains("is expired; take it out"), "{ran:?}");
    assert!(ran.out.contains("excepts nothing; take it out"), "{ran:?}");
}

#[test]
fn what_was_written_for_gitleaks_counts_for_secrets() {
    let repository = repository("");
    repository.committed(
        ".gitleaksignore",
        "# old\n./src/key.txt:github-pat:2\nssn.txt:any:1\nnonsense\n",
    );
    repository.stage("src/key.txt", format!("x\n{TOKEN}\n"));
    repository.stage("ssn.txt", SSN);
    repository.stage(
        "inline.txt",
        format!("{TOKEN} # gitleaks:allow\n{}  # gitleaks:allow\n", SSN.trim()),
    );
    let ran = repository.gated(&["--format", "json"]);
    let found: Vec<(String, u64)> =
        crate::repository::findings(&ran).into_iter().map(|it| (it.path, it.line)).collect();
    assert_eq!(found, [("inline.txt".to_owned(), 2), ("ssn.txt".to_owned(), 1)], "secrets alone");
    assert_eq!(kinds(&repository, &[]), ["gitleaks:allow", "gitleaksignore"]);
    assert!(ran.out.contains("1 lines are no fingerprints"), "{ran:?}");
    repository.stage("src/key.txt", format!("x\ny\n{TOKEN}\n"));
    assert!(repository.places(&[]).contains(&("src/key.txt".to_owned(), 3)), "another line");
}

/// The form that gitleaks writes for a history: it is about a line as that commit brought it.
#[test]
fn a_fingerprint_with_a_commit_is_for_that_commit_alone() {
    let repository = repository("");
    let base = repository.git(&["rev-parse", "HEAD"]);
    let first = repository.committed("key.txt", format!("{TOKEN}\n"));
    repository.committed("key.txt", "nothing\n");
    let third = repository.committed("key.txt", format!("{TOKEN}\n"));
    let of_commit = |commit: &str, line: u64| format!("{commit}:key.txt:github-pat:{line}\n");
    let range = format!("{base}..HEAD");
    let ways: [&[&str]; 2] = [&["--range", &range], &["--all-history"]];
    let commits = |way: &[&str]| {
        let found = repository.found(way).into_iter().filter(|it| it.path == "key.txt");
        let mut commits: Vec<String> = found.filter_map(|it| it.commit).collect();
        commits.sort();
        commits
    };
    let sorted = |commits: &[&String]| {
        let mut commits: Vec<String> = commits.iter().map(|it| (*it).clone()).collect();
        commits.sort();
        commits
    };
    for (list, left) in [
        (of_commit(&first, 2), sorted(&[&first, &third])),
        (of_commit(&first, 1), sorted(&[&third])),
        (of_commit(&first.to_uppercase(), 1), sorted(&[&third])),
        (of_commit(&third, 1), sorted(&[&first])),
        (of_commit(&first[..12], 1), sorted(&[&first, &third])),
        (of_commit(&first, 1) + &of_commit(&third, 1), Vec::new()),
        ("key.txt:github-pat:1\n".to_owned(), Vec::new()),
    ] {
        repository.committed(".gitleaksignore", &list);
        for way in ways {
            assert_eq!(commits(way), left, "{way:?}: {list}");
        }
        // What is staged or tracked was brought by no commit.
        let of_none = usize::from(!list.starts_with("key.txt"));
        assert_eq!(repository.found(&["--tracked"]).len(), of_none, "{list}");
    }
    assert_eq!(kinds(&repository, ways[0]), ["gitleaksignore"; 2]);
}

#[test]
fn what_was_written_for_detect_secrets_counts_for_secrets() {
    let repository = repository("");
    let baseline = format!(
        "{{\"version\": \"1.5.0\", \"plugins_used\": [], \"results\": {{\"key.py\": [{{\"type\": \"GitHub Token\", \
         \"filename\": \"key.py\", \"hashed_secret\": \"{DIGEST}\", \"is_verified\": false, \"line_number\": 90}}]}}}}\n"
    );
    repository.committed(".secrets.baseline", &baseline);
    assert_eq!(repository.gated(&["--tracked"]).code, 0, "its own digests are no secrets");
    repository.stage("key.py", format!("k = \"{TOKEN}\"\n"));
    repository.stage("next.py", format!("# pragma: allowlist nextline secret\nk = \"{TOKEN}\"\n"));
    repository.stage("same.py", format!("k = \"{TOKEN}\"  # pragma: allowlist secret\n"));
    let ran = repository.gated(&[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        kinds(&repository, &[]),
        ["secrets.baseline", "allowlist-secret", "allowlist-secret"]
    );
    repository.stage("other.py", format!("k = \"{TOKEN}\"\n"));
    assert_eq!(repository.places(&[]), [("other.py".to_owned(), 1)], "never another file");
    repository.stage("other.py", format!("{}  # pragma: allowlist secret\n", SSN.trim()));
    assert_eq!(repository.places(&[]), [("other.py".to_owned(), 1)], "secrets alone");
    // A list that cannot be read excepts nothing, and that is said.
    repository.git(&["rm", "-q", "--cached", "-r", "other.py", "next.py", "same.py"]);
    repository.stage(".secrets.baseline", "[]");
    assert_eq!(repository.gated(&[]).code, 0, "what is staged takes effect later");
    repository.git(&["commit", "-q", "-m", "broken", ".secrets.baseline"]);
    let ran = repository.gated(&[]);
    assert!(ran.code == 1 && ran.out.contains("no baseline of detect-secrets"), "{ran:?}");
}

#[test]
fn lists_are_read_from_the_head() {
    let repository = repository("");
    repository.stage(".gitleaksignore", "key.txt:github-pat:1\n");
    repository.stage("key.txt", format!("{TOKEN}\n"));
    assert_eq!(repository.gated(&[]).code, 1);
    repository.commit("past the gate");
    assert_eq!(repository.gated(&["--tracked"]).code, 0);
}

#[test]
fn a_reason_with_a_value_in_it_is_not_shown() {
    let repository = repository("");
    let text = "ssn: 574-22-8190 # sluice:allow nat.us-ssn 574-22-8190 is of the manual\n";
    repository.stage("a.txt", text);
    let ssn = SSN.trim();
    repository
        .stage("b.txt", format!("{ssn} # sluice:allow nat.us-ssn as the ssn 219-09-9998 is\n"));
    repository.stage("ssn 574-22-8190.txt", format!("{ssn} # sluice:allow nat.us-ssn\n"));
    for format in ["human", "json", "jsonl", "sarif", "github", "gitlab"] {
        let ran = repository.gated(&["--format", format]);
        assert_eq!(ran.code, 1, "the last has no reason: {ran:?}");
        let all = format!("{}{}", ran.out, ran.err);
        for value in ["574-22-8190", "219-09-9998"] {
            assert!(!all.contains(value), "{format}: {all}");
        }
    }
}

#[test]
fn an_exception_is_the_cause_that_is_recorded() {
    let repository = repository("");
    let state = repository.aside("state");
    let state = state.to_str().unwrap();
    let sluice = |arguments: &[&str]| {
        let mut command = repository.command(env!("CARGO_BIN_EXE_sluice"));
        crate::repository::ran(command.args(arguments))
    };
    let made = sluice(&["ledger", "init", "--state-dir", state, "--origin", "example.com/gate"]);
    assert_eq!(made.code, 0, "{made:?}");
    repository.stage("a.txt", format!("{} # sluice:allow nat.us-ssn a sample\n", SSN.trim()));
    let ran = repository.gated(&["--state-dir", state]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let shown = sluice(&[
        "ledger",
        "query",
        "--state-dir",
        state,
        "--kind",
        "decision",
        "--format",
        "json",
    ]);
    let last = shown.out.lines().last().unwrap_or_else(|| panic!("{shown:?}"));
    let entry: Value = serde_json::from_str(last).expect(last);
    let entry = entry.get("entry").unwrap_or(&entry);
    assert_eq!(entry["cause"], "exception", "{entry}");
    assert_eq!(entry["effect"], "allow", "{entry}");
    assert!(!shown.out.contains("574-22-8190"));
    // Where something stronger decides, that is the cause.
    repository.stage("b.txt", SSN);
    assert_eq!(repository.gated(&["--state-dir", state]).code, 1);
    let shown = sluice(&[
        "ledger",
        "query",
        "--state-dir",
        state,
        "--kind",
        "decision",
        "--format",
        "json",
    ]);
    let last: Value = serde_json::from_str(shown.out.lines().last().unwrap()).unwrap();
    assert_eq!(last.get("entry").unwrap_or(&last)["cause"], "default", "{last}");
    assert!(fs::read_dir(state).is_ok());
}
