//! Generated documents: what the built-in rules find of what is known to be in them.

#[path = "../../corpus/generator/mod.rs"]
pub mod generator;

use std::collections::BTreeSet;

use generator::measure::{Table, first_tier, found, measured};
use generator::{Set, documents};
use sluicegate::engine::Options;

use crate::support::{chunked, kernels, rules, scanner_with};

const SEED: u64 = 20_261_127;
const DOCUMENTS: usize = 3_000;

/// The least macro F1 over the categories of tier 1 that a rule looks for.
const OPEN_F1: f64 = 0.95;
const HELD_OUT_F1: f64 = 0.91;

/// The largest share of near misses that may be found.
const OPEN_NEAR_MISSES: f64 = 0.005;
const HELD_OUT_NEAR_MISSES: f64 = 0.005;

fn measure(set: Set) -> (Table, String) {
    let scanner = scanner_with(Options::default());
    let mut table = Table::default();
    for document in documents(SEED, DOCUMENTS, set) {
        table.add(&document, &found(&scanner, &document));
    }
    let text = table.print(&format!("{set:?}"), &measured(&rules()));
    println!("{text}");
    (table, text)
}

#[test]
fn the_built_in_rules_find_what_is_in_open_documents() {
    let (table, text) = measure(Set::Open);
    assert!(table.macro_f1(&measured(&rules())) >= OPEN_F1, "{text}");
    assert!(table.near_miss_rate() <= OPEN_NEAR_MISSES, "{text}");
}

/// The same in labels, phrases and layouts that nobody tunes a rule by.
#[test]
fn the_built_in_rules_find_what_is_in_held_out_documents() {
    let (table, text) = measure(Set::HeldOut);
    assert!(table.macro_f1(&measured(&rules())) >= HELD_OUT_F1, "{text}");
    assert!(table.near_miss_rate() <= HELD_OUT_NEAR_MISSES, "{text}");
}

#[test]
fn every_category_of_the_first_tier_is_in_both_sets() {
    let first = first_tier();
    assert!(first.len() >= 114, "{} categories", first.len());
    for set in [Set::Open, Set::HeldOut] {
        let documents = documents(SEED, DOCUMENTS, set);
        let made: BTreeSet<&str> =
            documents.iter().flat_map(|d| d.spans.iter().map(|span| span.category)).collect();
        let missing: Vec<&String> = first.iter().filter(|id| !made.contains(id.as_str())).collect();
        assert!(missing.is_empty(), "{set:?}: {missing:?}");
        let values: usize = documents.iter().map(|document| document.spans.len()).sum();
        let near_misses: usize = documents.iter().map(|document| document.near_misses.len()).sum();
        assert!(near_misses >= values, "{set:?}: {near_misses} near misses beside {values} values");
    }
}

/// Promise 1 on documents that nobody wrote by hand.
#[test]
fn generated_documents_are_the_same_however_they_are_cut() {
    for kernel in kernels() {
        let scanner = scanner_with(Options { kernel, ..Default::default() });
        for document in documents(SEED + 1, 250, Set::Open) {
            let whole = scanner.scan(document.text.as_bytes());
            for size in [1, 13, 250] {
                let cut = chunked(&scanner, document.text.as_bytes(), |_| size);
                assert_eq!(whole, cut, "{}: {kernel:?}, chunks of {size}", document.text);
            }
        }
    }
}

#[test]
fn a_seed_gives_the_same_documents_and_their_places_are_right() {
    for set in [Set::Open, Set::HeldOut] {
        let (one, two) = (documents(7, 400, set), documents(7, 400, set));
        for (one, two) in one.iter().zip(&two) {
            assert_eq!(one.text, two.text);
            let places = one.spans.iter().map(|span| (span.start, span.end));
            for (start, end) in places.chain(one.near_misses.iter().map(|n| (n.start, n.end))) {
                let value = one.text.get(start..end).expect("places lie between characters");
                assert!(!value.is_empty(), "{}: an empty value in {:?}", one.id, one.text);
            }
        }
        assert_ne!(documents(8, 1, set)[0].text, one[0].text);
    }
}
