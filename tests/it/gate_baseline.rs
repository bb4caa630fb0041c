//! What a baseline makes known.

use std::fs;

use crate::repository::{Repository, SSN};

const FILE: &str = "version = 1\n[policy]\nexceptable = [\"nat.us_ssn\"]\n";

/// A repository with one finding, and another one of a category that is not exceptable.
fn repository() -> Repository {
    let repository = Repository::new();
    repository.stage("sluice.toml", FILE);
    repository.committed("a.txt", SSN);
    repository
}

fn baseline(repository: &Repository) -> String {
    fs::read_to_string(repository.path(".sluice-baseline")).unwrap()
}

#[test]
fn what_a_baseline_knows_survives_moved_lines_and_renamed_files() {
    let repository = repository();
    let ran = repository.gated(&[
        "--write-baseline",
        "--expires",
        "2999-01-01",
        "--reason",
        "old exports",
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let text = baseline(&repository);
    assert!(
        !text.contains("574") && text.contains(" nat.us-ssn 2999-01-01 old exports\n"),
        "{text}"
    );
    assert_eq!(repository.gated(&["--tracked"]).code, 1, "it is not committed");
    repository.git(&["add", ".sluice-baseline"]);
    repository.commit("baseline");
    assert_eq!(repository.gated(&["--tracked"]).code, 0);
    repository.write("a.txt", format!("\n\n{SSN}"));
    repository.git(&["add", "a.txt"]);
    repository.git(&["mv", "a.txt", "b.txt"]);
    let ran = repository.gated(&["--whole-files"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("1 baseline"), "{ran:?}");
    // One more of the same is another finding, whatever was staged of the file.
    repository.stage("b.txt", format!("\n\n{SSN}{SSN}"));
    let ran = repository.gated(&[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(repository.places(&[]), [("b.txt".to_owned(), 4)]);
    repository.commit("past the gate");
    repository.stage("b.txt", format!("x\n\n{SSN}{SSN}"));
    assert_eq!(repository.gated(&[]).code, 0, "neither line is new");
    assert_eq!(repository.places(&["--tracked"]), [("b.txt".to_owned(), 4)]);
}

#[test]
fn a_baseline_ends_on_its_day_and_says_what_it_no_longer_knows() {
    let repository = repository();
    repository.gated(&["--write-baseline", "--expires", "2026-01-01"]);
    repository.git(&["add", ".sluice-baseline"]);
    repository.commit("baseline");
    let ran = repository.gated(&["--tracked"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("(baseline) of 1 findings expired on 2026-01-01"), "{ran:?}");
    assert!(ran.out.contains("1 lines of `.sluice-baseline` are expired"), "{ran:?}");
    repository.gated(&["--write-baseline"]);
    assert!(!baseline(&repository).contains("2026-01-01"), "expired lines are written anew");
    repository.gated(&["--write-baseline", "--expires", "2999-01-01", "--reason", "kept"]);
    repository.stage("c.txt", "id: 219-09-9998 ssn\n");
    let ran = repository.gated(&["--write-baseline"]);
    let text = baseline(&repository);
    assert!(text.contains("2999-01-01 kept"), "lines that hold stay: {text}");
    assert!(ran.err.contains("1 of them from before"), "{ran:?}");
    repository.git(&["rm", "-q", "--cached", "a.txt", "c.txt"]);
    repository.git(&["add", ".sluice-baseline"]);
    repository.commit("nothing left");
    let ran = repository.gated(&["--tracked"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("entries of `.sluice-baseline` except nothing"), "{ran:?}");
}

#[test]
fn lines_that_are_none_are_named_and_merges_of_two_are_read() {
    let repository = repository();
    repository.gated(&["--write-baseline", "--expires", "2999-01-01"]);
    let text = baseline(&repository);
    let doubled: Vec<&str> = text.lines().rev().chain(text.lines()).collect();
    repository.committed(".sluice-baseline", doubled.join("\n"));
    assert_eq!(repository.gated(&["--tracked"]).code, 0);
    repository.stage(".sluice-baseline", format!("{text}<<<<<<< ours\n"));
    let ran = repository.gated(&[]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err.contains("that is staged cannot be used") && ran.err.contains("line 4"),
        "{ran:?}"
    );
    repository.commit("past the gate");
    assert_eq!(repository.gated(&["--tracked"]).code, 2);
    assert_eq!(repository.gated(&["--write-baseline"]).code, 2, "it is not overwritten");
    repository.stage(".sluice-baseline", &text);
    let ran = repository.gated(&[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("none counts now"), "{ran:?}");
}

#[test]
fn only_exceptable_findings_are_written_and_no_value_is() {
    let repository = repository();
    repository
        .stage("card.txt", "card number: 4111 1111 1111 1111\nkey AKIAQ3EGUVJ5XRPKWN2L aws\n");
    let reason = "for ssn 574-22-8190 of old";
    let ran = repository.gated(&["--write-baseline", "--reason", reason]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("not written, since it is not exceptable"), "{ran:?}");
    let text = baseline(&repository);
    assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 1, "{text}");
    assert!(!text.contains("574") && !text.contains("8190"), "{text}");
    assert!(text.contains("for ssn ***********"), "{text}");
}

#[test]
fn dates_that_are_none_are_refused() {
    let repository = repository();
    for wrong in ["2027-02-29", "tomorrow", "2027-1-1"] {
        assert_eq!(repository.gated(&["--write-baseline", "--expires", wrong]).code, 2, "{wrong}");
    }
    assert_eq!(repository.gated(&["--expires", "2027-01-01"]).code, 2);
}
