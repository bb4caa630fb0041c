//! The corpus cases against the patterns, validators and scores of the packs alone, without the
//! engine: what each case expects is found with its band, and nothing is found that it leaves out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // A test fails by panicking.

use std::collections::BTreeSet;
use std::path::Path;

use sluicegate::model::Likelihood;

use super::packs::{At, Found, Rule, entries};

fn cases() -> Vec<(String, toml::Table)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/cases");
    let mut cases = Vec::new();
    for class in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        for path in std::fs::read_dir(class).unwrap().map(|entry| entry.unwrap().path()) {
            let file: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
            for case in file["case"].as_array().unwrap() {
                let case = case.as_table().unwrap().clone();
                cases.push((format!("{}: {}", path.display(), case["name"]), case));
            }
        }
    }
    cases
}

/// Where the `nth` occurrence of a value starts.
fn position(text: &str, value: &str, nth: usize) -> usize {
    text.match_indices(value).nth(nth).unwrap_or_else(|| panic!("no {value} in {text}")).0
}

#[test]
fn what_the_cases_expect_follows_from_the_packs() {
    let rules: Vec<Rule> = entries("rule").into_iter().map(Rule::new).collect();
    let combinations = entries("combination");
    let cases = cases();
    let mut wrong = Vec::new();
    for (name, case) in &cases {
        let text = case["text"].as_str().unwrap();
        let format = case.get("format").map_or("text", |format| format.as_str().unwrap());
        assert!(["text", "csv", "tsv", "json", "ndjson", "auto"].contains(&format), "{name}");
        let table = ["csv", "tsv"].contains(&format);
        let mut expected = BTreeSet::new();
        for finding in case["expect"].as_array().unwrap() {
            let id = finding["rule"].as_str().unwrap();
            let value = finding["value"].as_str().unwrap();
            let nth = finding.get("nth").map_or(0, |nth| nth.as_integer().unwrap() as usize);
            let start = position(text, value, nth);
            let span = (start, start + value.len());
            if let Some(combination) = combinations.iter().find(|c| c["id"].as_str() == Some(id)) {
                let likelihood = combination["likelihood"].as_integer().unwrap() as u32;
                let band = finding["band"].as_str().unwrap();
                assert_eq!(Likelihood::new(likelihood).band().as_str(), band, "{name}");
                // It may take the place of the finding that it rests on.
                expected.insert((id, span));
                continue;
            }
            let rule = rules.iter().find(|rule| rule.id() == id);
            let rule = rule.unwrap_or_else(|| panic!("{name}: no rule {id}"));
            let column = finding.get("column").map(|column| column.as_str().unwrap());
            assert_eq!(column.is_some(), format != "text", "{name}: {id}");
            expected.insert((rule.id(), span));
            let at = At { column, table };
            let found = rule.find(text.as_bytes(), at);
            let Some(found) = found.iter().find(|found| found.span == span) else {
                wrong.push(format!("{name}: {id} finds {found:?}, not {span:?}"));
                continue;
            };
            let score = rule.score(text.as_bytes(), *found, at);
            let band = Likelihood::new(score).band().as_str();
            if band != finding["band"].as_str().unwrap() {
                wrong.push(format!("{name}: {id} has {score}, {band}"));
            }
        }
        for rule in &rules {
            for Found { span, .. } in rule.find(text.as_bytes(), At { column: None, table }) {
                // The engine drops what another finding of the class contains and beats, and a
                // second start inside a match it never tries.
                let class = |id: &str| id.split_once('.').map(|(class, _)| class.to_owned());
                let covered = expected.iter().any(|(id, (start, end))| {
                    class(id) == class(rule.id()) && *start <= span.0 && span.1 <= *end
                });
                if !covered {
                    wrong.push(format!("{name}: {} also finds {span:?}", rule.id()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= 60, "{} cases", cases.len());
}
