//! Redaction: what is left of a payload, and that nothing is found in it again.

use std::collections::BTreeMap;

use sluicegate::engine::{Options, Rescanned, redact_and_rescan};
use sluicegate::model::{Band, Finding};
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
        let tail: String = (0..20)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_041);
                letters[(state >> 33) as usize % letters.len()] as char
            })
            .collect();
        let kind = category.replace(['.', '_'], "").to_ascii_uppercase();
        let token = format!("[T:{kind}:{tail}]");
        if !taken(&token) {
            return token;
        }
    }
}

fn likely(classified: &Classified) -> impl Iterator<Item = &Finding> {
    classified.findings.iter().filter(|it| it.likelihood.band() >= Band::Likely)
}

/// Everything is to be treated like this.
fn all(transform: Transform) -> Obligations {
    rules().taxonomy.iter().map(|(it, _)| (it, transform, Band::Likely)).collect()
}

fn redacted(scanner: &Scanner, payload: &[u8], how: Transform) -> Result<Rescanned, RedactError> {
    let found = scanner.scan(payload);
    redact_and_rescan(scanner, payload, &found, &all(how), &mut Numbered::default())
}

/// What is found again, as a line a finding.
fn left(scanner: &Scanner, payload: &str, how: Transform) -> Vec<String> {
    let after = match redacted(scanner, payload.as_bytes(), how) {
        // A DICOM file is no text.
        Err(RedactError::NotText(_)) => return Vec::new(),
        after => after.unwrap(),
    };
    let text = String::from_utf8_lossy(&after.bytes);
    likely(&after.again)
        .map(|it| {
            let rule = rules().rule_id(it.rule).to_owned();
            format!("{}: {rule} in {payload:?} -> {text:?}", how.as_str())
        })
        .collect()
}

/// Rules that take any text between quotes for a value, so that outside of JSON, where a value cannot
/// be left empty, what stands in for it is found again.
const TAKES_ANYTHING: [&str; 1] = ["phi.dicom-json"];

#[test]
fn nothing_is_found_again_in_the_examples_of_any_rule() {
    let (scanner, rules) = (scanner_with(Options::default()), rules());
    let plain = rules.rules.iter().map(|rule| (&rule.id, &rule.examples));
    let combined = rules.combinations.iter().map(|rule| (&rule.id, &rule.examples));
    let mut again = Vec::new();
    for (id, examples) in plain.chain(combined) {
        let mut of_rule = Vec::new();
        for (example, how) in examples.iter().flat_map(|it| TRANSFORMS.map(|how| (it, how))) {
            of_rule.extend(left(&scanner, &example.text, how));
        }
        if TAKES_ANYTHING.contains(&id.as_str()) {
            assert!(!of_rule.is_empty(), "{id} is no exception any more");
        } else {
            again.extend(of_rule);
        }
    }
    assert!(again.is_empty(), "{}\n{}", again.len(), again.join("\n"));
}

#[test]
fn nothing_is_found_again_in_generated_documents() {
    let scanner = scanner_with(Options::default());
    let mut again = Vec::new();
    for set in [Set::Open, Set::HeldOut] {
        for document in documents(20_261_127, 400, set) {
            for how in TRANSFORMS {
                again.extend(left(&scanner, &document.text, how));
            }
        }
    }
    assert!(again.is_empty(), "{}\n{}", again.len(), again.join("\n"));
}
