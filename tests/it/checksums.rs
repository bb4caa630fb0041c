//! Published sample numbers against the validators.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // A test fails by panicking.

use sluicegate::rules::Validator;
use sluicegate::scan::validate::{Candidate, Verdict, check};

#[test]
fn validators_agree_with_the_published_numbers() {
    let mut files = 0;
    let mut numbers = 0;
    let mut wrong = Vec::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/checksums");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let validator = Validator::from_word(file["validator"].as_str().unwrap()).unwrap();
        let mut verdicts = [0, 0];
        for number in file["number"].as_array().unwrap() {
            let text = number["text"].as_str().unwrap();
            let valid = number["valid"].as_bool().unwrap();
            let published = number.get("published").is_some_and(|p| p.as_bool().unwrap());
            let end = text.len();
            let candidate = Candidate { text: text.as_bytes(), start: 0, end, limit: end };
            let expected = if valid { Verdict::Valid { end, published } } else { Verdict::Invalid };
            let verdict = check(validator, candidate);
            if verdict != expected {
                wrong.push(format!("{}: {text}: {verdict:?}", path.display()));
            }
            verdicts[usize::from(valid)] += 1;
            numbers += 1;
        }
        assert!(verdicts.iter().all(|count| *count > 0), "{} is one-sided", path.display());
        files += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files >= 9 && numbers >= 116, "{files} files, {numbers} numbers");
}
