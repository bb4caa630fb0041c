//! Measures the built-in rules on documents that others made.
//!
//! `cargo run --release --example documents -- documents.jsonl`
//!
//! A line is `{"id", "text", "spans": [{"start", "end", "type"}]}` with offsets in code points. The
//! file is never part of the repository.

#![allow(clippy::expect_used, reason = "a program for those who work on the rules")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use serde::Deserialize;
use sluicegate::engine::Options;
use sluicegate::model::Band;
use sluicegate::{RuleSet, Scanner};

/// Types of the file with the categories that answer to them.
const TYPES: &[(&str, &[&str])] = &[
    ("CREDIT_CARD", &["pci.pan"]),
    ("IBAN", &["fin.iban"]),
    ("US_SSN", &["nat.us_ssn"]),
    ("EMAIL", &["pii.email"]),
    ("IP", &["pii.ip"]),
    ("PHONE", &["pii.phone", "pii.fax"]),
    ("US_DRIVER_LICENSE", &["nat.us_driver_license"]),
    ("US_PASSPORT", &["nat.us_passport"]),
    ("ADDRESS", &["pii.address_us", "pii.address_intl"]),
    ("DATE", &["pii.dob", "pii.service_dates"]),
];

#[derive(Deserialize)]
struct Line {
    id: String,
    text: String,
    spans: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    start: u64,
    end: u64,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default)]
struct Count {
    spans: usize,
    found: usize,
    findings: usize,
    right: usize,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        eprintln!(
            "usage: documents FILE.jsonl [TYPE]   TYPE: print what was missed and what is wrong"
        );
        std::process::exit(2);
    };
    let shown = arguments.next();
    let rules = std::sync::Arc::new(RuleSet::builtin().expect("the built-in rules load"));
    let scanner = Scanner::new(rules.clone(), Options::default());
    let file = std::fs::File::open(&path).expect("the file opens");
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    let mut others: BTreeMap<String, usize> = BTreeMap::new();
    let (mut documents, mut plain, mut plain_found) = (0, 0, 0);
    for line in BufReader::new(file).lines() {
        let line: Line = serde_json::from_str(&line.expect("a line")).expect("a document");
        documents += 1;
        let found: Vec<(&str, u64, u64)> = scanner
            .scan(line.text.as_bytes())
            .findings
            .iter()
            .filter(|finding| finding.likelihood.band() >= Band::Likely)
            .filter_map(|finding| {
                let chars = finding.chars?;
                Some((rules.category_id(finding.category), chars.start, chars.end))
            })
            .collect();
        // Dates are of interest where the text says that somebody was born.
        let born = |place: &Place| {
            let from = (place.start as usize).saturating_sub(50);
            let before: String =
                line.text.chars().skip(from).take(place.start as usize - from).collect();
            let before = before.to_lowercase();
            ["birth", "born", "dob", "d.o.b"].iter().any(|word| before.contains(word))
        };
        let known: Vec<&Place> =
            line.spans.iter().filter(|s| TYPES.iter().any(|(kind, _)| *kind == s.kind)).collect();
        if known.is_empty() {
            plain += 1;
            plain_found += usize::from(!found.is_empty());
        }
        let half = |place: &Place, start: u64, end: u64| {
            let shared = place.end.min(end).saturating_sub(place.start.max(start));
            shared > 0 && shared * 2 >= (place.end - place.start).min(end - start)
        };
        for (kind, categories) in TYPES {
            let count = counts.entry(kind).or_default();
            let told = shown.as_deref() == Some(*kind);
            for place in known.iter().filter(|place| place.kind == *kind) {
                if *kind == "DATE" && !born(place) {
                    continue;
                }
                let there = found
                    .iter()
                    .any(|(c, start, end)| categories.contains(c) && half(place, *start, *end));
                count.spans += 1;
                count.found += usize::from(there);
                if told && !there {
                    println!("missed {} {}..{}: {:?}", line.id, place.start, place.end, line.text);
                }
            }
            for (category, start, end) in found.iter().filter(|(c, ..)| categories.contains(c)) {
                let right =
                    known.iter().any(|place| place.kind == *kind && half(place, *start, *end));
                count.findings += 1;
                count.right += usize::from(right);
                if told && !right {
                    println!("wrong {category} {} {start}..{end}: {:?}", line.id, line.text);
                }
            }
        }
        for (category, ..) in &found {
            if !TYPES.iter().any(|(_, categories)| categories.contains(category)) {
                *others.entry((*category).to_owned()).or_default() += 1;
            }
        }
    }
    println!(
        "{documents} documents; {plain} without a measured type, in {plain_found} of them something is found"
    );
    println!("type               spans  recall  findings  precision");
    for (kind, count) in &counts {
        println!(
            "{kind:<18} {:>5}  {:>6.3}  {:>8}  {:>9.3}",
            count.spans,
            count.found as f64 / count.spans.max(1) as f64,
            count.findings,
            count.right as f64 / count.findings.max(1) as f64
        );
    }
    for (category, count) in others {
        println!("besides: {category} {count}");
    }
}
