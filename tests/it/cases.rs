//! Corpus cases as data: what each payload holds, on every kernel and however it is cut.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sluicegate::decode::Format;
use sluicegate::model::{Band, Finding};
use sluicegate::{Classified, RuleSet};

use crate::support::{chunked, kernels, scanner_with, segmented};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    #[serde(default)]
    pub format: Option<String>,
    pub text: String,
    pub expect: Vec<Expected>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub rule: String,
    pub value: String,
    #[serde(default)]
    pub nth: usize,
    #[serde(default)]
    pub band: Option<String>,
    #[serde(default)]
    pub column: Option<String>,
}

impl Case {
    pub fn format(&self) -> Option<Format> {
        match self.format.as_deref() {
            None => Format::declared("text"),
            Some("auto") => None,
            Some(word) => Some(Format::declared(word).unwrap_or_else(|| panic!("format `{word}`"))),
        }
    }
}

/// All cases of the corpus with the file they come from.
pub fn all() -> Vec<(String, Case)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/cases");
    let mut folders = vec![root.clone()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let file: File = toml::from_str(&fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        cases.extend(file.case.into_iter().map(|case| (name.clone(), case)));
    }
    cases
}

/// A finding in the words of a case, for comparison and for messages.
fn describe(rules: &RuleSet, text: &str, finding: &Finding) -> String {
    let value = &text[finding.span.start as usize..finding.span.end as usize];
    format!("{} `{value}` at {}", rules.rule_id(finding.rule), finding.span.start)
}

#[test]
fn every_case_finds_what_it_expects() {
    let rules = crate::support::rules();
    let mut wrong = Vec::new();
    let cases = all();
    assert!(cases.len() >= 60, "the corpus holds {} cases", cases.len());
    let planned = scanner_with(Default::default());
    for (file, case) in &cases {
        let scanner = planned
            .with(sluicegate::engine::Options { format: case.format(), ..Default::default() });
        let found = scanner.scan(case.text.as_bytes());
        let mut expected = Vec::new();
        for want in &case.expect {
            let Some((start, _)) = case.text.match_indices(&want.value).nth(want.nth) else {
                wrong.push(format!("{file}: {}: `{}` is not in the text", case.name, want.value));
                continue;
            };
            expected.push(format!("{} `{}` at {start}", want.rule, want.value));
            let finding = found.findings.iter().find(|finding| {
                rules.rule_id(finding.rule) == want.rule && finding.span.start == start as u64
            });
            let Some(finding) = finding else { continue };
            let band = finding.likelihood.band().as_str();
            if want.band.as_deref().is_some_and(|want| want != band) {
                wrong.push(format!(
                    "{file}: {}: {} is {band} ({}), not {}",
                    case.name,
                    want.rule,
                    finding.likelihood.get(),
                    want.band.as_deref().unwrap()
                ));
            }
            let name = finding.place.as_ref().map(|place| place.name().to_string());
            if want.column.is_some() && want.column != name {
                wrong
                    .push(format!("{file}: {}: column {name:?}, not {:?}", case.name, want.column));
            }
        }
        let mut got: Vec<String> =
            found.findings.iter().map(|finding| describe(&rules, &case.text, finding)).collect();
        got.sort();
        expected.sort();
        if got != expected {
            wrong.push(format!(
                "{file}: {}:\n   found    {got:?}\n   expected {expected:?}",
                case.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn labels_count_what_is_likely() {
    let planned = scanner_with(Default::default());
    for (file, case) in all() {
        let scanner = planned
            .with(sluicegate::engine::Options { format: case.format(), ..Default::default() });
        let Classified { label, findings, .. } = scanner.scan(case.text.as_bytes());
        let likely = findings.iter().filter(|f| f.likelihood.band() >= Band::Likely).count() as u64;
        let counted: u64 = label.categories.values().map(|count| count.count).sum();
        assert_eq!(counted, likely, "{file}: {}", case.name);
        let possible: u64 = label.possible.values().sum();
        assert_eq!(possible, findings.len() as u64 - likely, "{file}: {}", case.name);
    }
}

/// Promise 1 on the corpus: several chunkings of all, cuts spread over short cases, and every cut of
/// each tenth of them.
#[test]
fn every_case_is_the_same_however_it_is_cut() {
    let options = |kernel| sluicegate::engine::Options { kernel, ..Default::default() };
    let reference = scanner_with(options(sluicegate::scan::sweep::Kernel::Portable));
    let best = sluicegate::scan::sweep::Kernel::best();
    for kernel in kernels() {
        let planned = scanner_with(options(kernel));
        for (number, (file, case)) in all().into_iter().enumerate() {
            let format =
                || sluicegate::engine::Options { format: case.format(), ..Default::default() };
            let (scanner, reference) = (planned.with(format()), reference.with(format()));
            let payload = case.text.as_bytes();
            let whole = scanner.scan(payload);
            assert_eq!(whole, reference.scan(payload), "{file}: {}: {kernel:?}", case.name);
            for size in [1, 7, 64, 4096] {
                let cut = chunked(&scanner, payload, |_| size);
                assert_eq!(whole, cut, "{file}: {}: chunks of {size}", case.name);
            }
            if payload.len() <= 400 && kernel == best {
                let step = if number % 10 == 0 { 1 } else { 1 + payload.len() / 12 };
                for cut in (0..=payload.len()).step_by(step) {
                    let parts =
                        chunked(&scanner, payload, |at| if at < cut { cut } else { usize::MAX });
                    assert_eq!(whole, parts, "{file}: {}: cut at {cut}", case.name);
                }
            }
            for size in [16, 100, 1000] {
                if let Some(joined) = segmented(&scanner, payload, size) {
                    assert_eq!(whole, joined, "{file}: {}: segments of {size}", case.name);
                }
            }
        }
    }
}
