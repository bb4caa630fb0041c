//! What is staged, and nothing else, is what the gate looks at.

use crate::repository::{Repository, SSN};

#[test]
fn what_is_staged_decides_and_not_the_working_tree() {
    let repository = Repository::new();
    repository.stage("notes.txt", SSN);
    repository.write("notes.txt", "nothing here\n");
    assert_eq!(repository.places(&[]), [("notes.txt".to_owned(), 1)]);
    assert_eq!(repository.gated(&[]).code, 1);
}
