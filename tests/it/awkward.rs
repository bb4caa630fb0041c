//! Promises 1, 2 and 4 for rules that the shipped packs do not hold: long numbers, keywords inside
//! each other, windows that cut a match, boundaries that bar some starts and not others.

use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use sluicegate::engine::Options;
use sluicegate::rules::Source;
use sluicegate::{RuleSet, Scanner};

use crate::naive::{naive_matches, regexes};
use crate::support::{chunked, kernels, segmented};

/// Pattern and whatever else a rule says, by id.
const RULES: &[(&str, &str, &str)] = &[
    // More digits than one anchor counts.
    ("sec.long-number", r"\b[0-9]{40}\b", ""),
    (
        "sec.keyword-in-keyword",
        "(?i)tok(?:en)?[0-9]{4}",
        "anchors = { keywords = [\"tok\", \"token\"] }\nboundary = '[A-Za-z0-9]'",
    ),
    // The farthest start of a run may be barred where a nearer one is not.
    (
        "pii.half-barred",
        "[a-z]{1,8}@[a-z]{2,5}x",
        "anchors = { shape = \"at\" }\nboundary = '[0-9]'",
    ),
    // The window of the farthest start may end before the match of a nearer one.
    ("fin.cut", "[a-z]{1,24}@[a-z]{6}!", "anchors = { shape = \"at\" }\nmax_length = 20"),
    ("fin.open", "[a-z]{1,24}@[a-z]{2,}!", "anchors = { shape = \"at\" }\nmax_length = 30"),
    ("nat.led", "[a-z]{1,3}[0-9]{0,3}key[0-9]{2}", r#"anchors = { keywords = ["key"] }"#),
    (
        "phi.led-cut",
        "[0-9]{0,9}[a-z]{0,9}key[a-z]{0,9};",
        "anchors = { keywords = [\"key\"] }\nmax_length = 16",
    ),
    ("spc.overlap", "aaa[a-z]{0,4}b", r#"anchors = { keywords = ["aaa"] }"#),
    (
        "cls.value",
        "(?:no |key)(?<value>[a-z0-9]{2,6}?)(?:$|!|x)",
        r#"anchors = { keywords = ["no ", "key"] }"#,
    ),
];

fn rules() -> Arc<RuleSet> {
    static RULES_READ: OnceLock<Arc<RuleSet>> = OnceLock::new();
    let read = || {
        let mut text = String::new();
        for class in ["pii", "fin", "nat", "phi", "sec", "cls", "spc"] {
            text += &format!(
                "[[category]]\nid = \"{class}.x\"\ntitle = \"x\"\nsensitivity = \"internal\"\ntier = 1\nlaws = [{{ law = \"GDPR\" }}]\n"
            );
        }
        for (id, pattern, more) in RULES {
            let class = id.split('.').next().unwrap();
            text += &format!(
                "[[rule]]\nid = \"{id}\"\ncategory = \"{class}.x\"\ntitle = \"x\"\nwhy = \"x\"\nsource = \"x\"\npattern = '''{pattern}'''\nlikelihood = 70\nexamples = [\"⟦a⟧\", \"⟦b⟧\"]\ncounterexamples = [\"a\", \"b\"]\n{more}\n"
            );
        }
        let source = Source { name: "awkward.toml".into(), text, builtin: true };
        Arc::new(RuleSet::compile(&[source]).unwrap_or_else(|wrong| panic!("{wrong}")))
    };
    RULES_READ.get_or_init(read).clone()
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let word = proptest::sample::select(vec![
        "key",
        "tok",
        "token",
        "aaa",
        "a",
        "ab",
        "b",
        "x",
        "abcdef",
        "@",
        "@abcdef",
        "!",
        ";",
        " ",
        "no ",
        "no",
        "1",
        "12",
        "1234",
        "9999999999",
        "0000000000000000000000000000000000000000",
        "\n",
        "é",
        ".",
        "-",
        "zzzzzzzzzzzzzzzz",
    ]);
    proptest::collection::vec(word, 0..60).prop_map(|words| words.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_scan_finds_what_the_definition_says(payload in payload()) {
        let rules = rules();
        let format = sluicegate::decode::Format::declared("text");
        let naive = naive_matches(&regexes(&rules), &payload);
        for kernel in kernels() {
            let scanner = Scanner::new(rules.clone(), Options { format, kernel, ..Options::default() });
            let found = scanner.scan(&payload);
            for finding in &found.findings {
                let id = rules.rule_id(finding.rule);
                let span = (finding.span.start as usize, finding.span.end as usize);
                prop_assert!(
                    naive.iter().any(|matched| matched.rule == id && matched.value == span),
                    "{} at {:?} has no naive match", id, span
                );
            }
            for matched in &naive {
                let rule = rules.rules.iter().find(|rule| rule.id == matched.rule).unwrap();
                let (start, end) = matched.value;
                prop_assert!(
                    found.findings.iter().any(|finding| {
                        rules.class(finding.category) == rules.class(rule.category)
                            && finding.span.start as usize <= start
                            && finding.span.end as usize >= end
                    }),
                    "{} at {:?} was not found", matched.rule, matched.value
                );
            }
            for size in [1, 3, 17] {
                prop_assert_eq!(&found, &chunked(&scanner, &payload, |_| size));
            }
            prop_assert_eq!(&found, &segmented(&scanner, &payload, 40).unwrap());
            for ((id, read), rule) in scanner.bytes_read(&payload).iter().zip(&rules.rules) {
                let bound = u64::from(rule.reads_per_byte()) * payload.len() as u64;
                prop_assert!(*read <= bound, "{}: read {} of {}", id, read, payload.len());
            }
        }
    }
}

/// Starts of keywords that begin with each other are one place, not two.
#[test]
fn a_keyword_inside_another_is_not_read_twice() {
    let payload = "token1234 ".repeat(1000);
    let scanner = Scanner::new(rules(), Options::default());
    let rules = rules();
    for ((id, read), rule) in scanner.bytes_read(payload.as_bytes()).iter().zip(&rules.rules) {
        let bound = u64::from(rule.reads_per_byte()) * payload.len() as u64;
        assert!(*read <= bound, "{id} read {read} bytes, bound {bound}");
    }
}
