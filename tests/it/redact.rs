//! Redaction: what is left of a payload, and that nothing is found in it again.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sluicegate::decode::Format;
use sluicegate::engine::{Options, Rescanned, redact_and_rescan};
use sluicegate::model::{Band, CategoryIndex, Finding};
use sluicegate::policy::Transform;
use sluicegate::respond::{Obligations, RedactError, TokenFailure, Tokens};
use sluicegate::{Classified, Scanner};

use crate::generated::generator::{Set, documents};
use crate::support::{rules, scanner_with};

const TRANSFORMS: [Transform; 4] =
    [Transform::Generalise, Transform::Tokenize, Transform::Mask, Transform::Drop];

/// Tokens of the form that a vault gives, the same for the same value.
#[derive(Default)]
struct Numbered(BTreeMap<(String, Vec<u8>), String>);

impl Tokens for Numbered {
    fn token(
        &mut self,
        category: &str,
        value: &[u8],
        taken: &dyn Fn(&str) -> bool,
    ) -> Result<String, TokenFailure> {
        let next = self.0.len();
        let key = (category.to_owned(), value.to_vec());
        Ok(self.0.entry(key).or_insert_with(|| token(category, next, taken)).clone())
    }
}

fn token(category: &str, number: usize, taken: &dyn Fn(&str) -> bool) -> String {
    let letters = b"bcdfghjkmnpqrstvwxz";
    let mut state = number as u64;
    loop {
        let tail: String = (0..24)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_041);
                letters[(state >> 33) as usize % letters.len()] as char
            })
            .collect();
        let token = format!("[{category}:{tail}]");
        if !taken(&token) {
            return token;
        }
    }
}

fn likely(classified: &Classified) -> impl Iterator<Item = &Finding> {
    classified.findings.iter().filter(|it| it.likelihood.band() >= Band::Likely)
}

/// Everything that counts is to be treated like this.
fn all_of(classified: &Classified, transform: Transform) -> Obligations {
    likely(classified).map(|it| (it.category, transform, Band::Likely)).collect()
}

fn redacted(scanner: &Scanner, payload: &[u8], found: &Classified, how: Transform) -> Rescanned {
    let tokens = &mut Numbered::default();
    redact_and_rescan(scanner, payload, found, &all_of(found, how), tokens).unwrap()
}

/// What is found again, as a line a finding.
fn left(scanner: &Scanner, payload: &str, how: Transform) -> Vec<String> {
    let found = scanner.scan(payload.as_bytes());
    let asked: BTreeSet<CategoryIndex> = likely(&found).map(|it| it.category).collect();
    let after = redacted(scanner, payload.as_bytes(), &found, how);
    let text = String::from_utf8_lossy(&after.bytes);
    likely(&after.again)
        .map(|it| {
            let rule = rules().rule_id(it.rule).to_owned();
            let new = if asked.contains(&it.category) { "" } else { " (another category)" };
            format!("{}: {rule}{new} in {payload:?} -> {text:?}", how.as_str())
        })
        .collect()
}

#[test]
fn nothing_is_found_again_in_the_examples_of_any_rule() {
    let (scanner, rules) = (scanner_with(Options::default()), rules());
    let plain = rules.rules.iter().flat_map(|rule| &rule.examples);
    let examples = plain.chain(rules.combinations.iter().flat_map(|rule| &rule.examples));
    let mut again = Vec::new();
    for example in examples {
        for how in TRANSFORMS {
            again.extend(left(&scanner, &example.text, how));
        }
    }
    assert!(again.is_empty(), "{}\n{}", again.len(), again.join("\n"));
}

#[test]
fn nothing_is_found_again_in_generated_documents() {
    let scanner = scanner_with(Options::default());
    let mut again = Vec::new();
    for set in [Set::Open, Set::HeldOut] {
        for document in documents(20_261_127, 3_000, set) {
            for how in TRANSFORMS {
                again.extend(left(&scanner, &document.text, how));
            }
        }
    }
    assert!(again.is_empty(), "{}\n{}", again.len(), again.join("\n"));
}
