//! Promises 1, 2 and 4 on generated payloads: any cutting and any kernel give the findings of the
//! whole, a naive matcher finds nothing more, and work is linear.

use proptest::prelude::*;
use regex_automata::meta::Regex;
use sluicegate::engine::Options;
use sluicegate::rules::{Anchors, Rule};
use sluicegate::scan::sweep::Kernel;

use crate::naive::{naive_matches, regexes};
use crate::support::{chunked, kernels, rules, scanner_with, segmented};

/// Values, labels and separators that make rules fire, and near misses.
fn fragments() -> Vec<Vec<u8>> {
    let mut fragments: Vec<Vec<u8>> = rules()
        .rules
        .iter()
        .flat_map(|rule| {
            let examples = rule.examples.iter().map(|it| it.text.clone());
            let values = rule.examples.iter().map(|it| it.text[it.start..it.end].to_string());
            examples.chain(values).chain(rule.counterexamples.clone())
        })
        .filter(|text| text.len() < 400)
        .map(String::into_bytes)
        .collect();
    let plain: [&[u8]; 29] = [
        b" ",
        b"\n",
        b",",
        b"\t",
        b"\"",
        b"'",
        b":",
        b"=",
        b"-",
        b".",
        b"@",
        b"{\"ssn\": \"",
        b"\"}\n",
        b"ssn",
        b"name,ssn\n",
        b"\n| name | ssn |\n|---|---|\n",
        b"\n| ",
        b" | ",
        b"\xff\xfe",
        b"\xc3\xa9",
        b"\xe9",
        b"0",
        b"12",
        b"the quick brown fox ",
        b"-----BEGIN ",
        b"PRIVATE KEY-----",
        b"eyJ",
        b"\0",
        b"card number ",
    ];
    fragments.extend(plain.iter().map(|text| text.to_vec()));
    fragments
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        12 => proptest::sample::select(fragments()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => (1usize..3000).prop_map(|length| b"lorem ipsum ".iter().copied().cycle().take(length).collect()),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn cutting_changes_nothing(payload in payload(), sizes in proptest::collection::vec(1usize..300, 1..20), seed in 0usize..1000) {
        let scanner = scanner_with(Options::default());
        let whole = scanner.scan(&payload);
        for size in [1, 7, 64, 4096] {
            prop_assert_eq!(&whole, &chunked(&scanner, &payload, |_| size), "chunks of {}", size);
        }
        let random = chunked(&scanner, &payload, |at| sizes[(at + seed) % sizes.len()]);
        prop_assert_eq!(&whole, &random);
        for size in [50, 1000] {
            if let Some(joined) = segmented(&scanner, &payload, size) {
                prop_assert_eq!(&whole, &joined, "segments of {}", size);
            }
        }
    }

    /// What lies below the final offset stays as it is: whoever redacts up to there can rely on it.
    #[test]
    fn what_is_final_stays(
        payload in payload(),
        sizes in proptest::collection::vec(1usize..400, 1..20),
        word in proptest::sample::select(vec!["text", "csv", "markdown", "json", "ndjson", "utf-16le"]),
    ) {
        let scanner = scanner_with(Options::default());
        let wide = word == "utf-16le";
        let text = if wide { in_utf16(&String::from_utf8_lossy(&payload)) } else { payload };
        let format = sluicegate::decode::Format::declared(word);
        let whole = scanner.scan_as(&text, format);
        let mut stream = scanner.stream_as(format);
        let (mut at, mut last) = (0, 0);
        for size in sizes.into_iter().cycle() {
            let Some(piece) = text.get(at..).filter(|rest| !rest.is_empty()) else { break };
            let piece = &piece[..size.min(piece.len())];
            let final_to = stream.push(piece);
            at += piece.len();
            prop_assert!(last <= final_to && final_to <= at as u64);
            last = final_to;
            let so_far = stream.findings();
            prop_assert!(whole.findings.starts_with(so_far), "a known finding changes");
            let to_come = whole.findings.get(so_far.len()).map_or(u64::MAX, |next| next.span.start);
            prop_assert!(to_come >= final_to, "{} is final, {} is to come", final_to, to_come);
        }
        prop_assert_eq!(stream.finish(), whole);
    }

    #[test]
    fn kernels_give_one_answer(payload in payload()) {
        let reference = scanner_with(Options { kernel: Kernel::Portable, ..Options::default() }).scan(&payload);
        for kernel in kernels() {
            let other = scanner_with(Options { kernel, ..Options::default() }).scan(&payload);
            prop_assert_eq!(&reference, &other, "{:?}", kernel);
        }
    }

    #[test]
    fn findings_without_context_hashes_are_the_same(payload in payload()) {
        let units = String::from_utf8_lossy(&payload);
        let units = units.encode_utf16().flat_map(u16::to_le_bytes);
        let wide = [0xff, 0xfe].into_iter().chain(units).collect();
        for payload in [payload, wide] {
            let with = scanner_with(Options::default()).scan(&payload);
            let without = Options { context_hashes: false, ..Options::default() };
            let mut without = scanner_with(without).scan(&payload);
            prop_assert!(without.findings.iter().all(|it| it.context_hash == 0));
            for (other, finding) in without.findings.iter_mut().zip(&with.findings) {
                prop_assert_ne!(finding.context_hash, 0);
                other.context_hash = finding.context_hash;
            }
            prop_assert_eq!(without, with);
        }
    }

    #[test]
    fn utf16_finds_what_utf8_finds(text in proptest::collection::vec(proptest::sample::select(fragments()), 1..12), big in any::<bool>()) {
        let Ok(text) = String::from_utf8(text.concat()) else { return Ok(()) };
        prop_assume!(!text.starts_with('\u{feff}'));
        let mut wide = if big { vec![0xfe, 0xff] } else { vec![0xff, 0xfe] };
        for unit in text.encode_utf16() {
            wide.extend(if big { unit.to_be_bytes() } else { unit.to_le_bytes() });
        }
        let plain = sluicegate::decode::Format::declared("text");
        let word = if big { "utf-16be" } else { "utf-16le" };
        let scanner = scanner_with(Options::default());
        let narrow = scanner.scan_as(text.as_bytes(), plain);
        let found = scanner.scan_as(&wide, sluicegate::decode::Format::declared(word));
        prop_assert_eq!(&narrow.label.categories, &found.label.categories);
        for (a, b) in narrow.findings.iter().zip(&found.findings) {
            let units = text[..a.span.start as usize].encode_utf16().count() as u64;
            prop_assert_eq!((a.rule, 2 + 2 * units), (b.rule, b.span.start));
        }
    }

    /// Promise 2: whatever a rule's pattern matches at an anchor as the definitions have it is found
    /// by the engine, and nothing else is, before validation and scoring.
    #[test]
    fn a_naive_matcher_finds_the_same(payload in payload()) {
        let text = payload;
        let naive = naive_matches(builtin(), &text);
        let plain = sluicegate::decode::Format::declared("text");
        let found = scanner_with(Options { format: plain, ..Options::default() }).scan(&text);
        for finding in &found.findings {
            let rules = rules();
            let Some(rule) = rules.rule(finding.rule) else { continue };
            let (start, end) = (finding.span.start as usize, finding.span.end as usize);
            prop_assert!(
                naive.iter().any(|m| m.rule == rule.id && m.start <= start && start < m.end && end >= m.start),
                "{} at {start}..{end} has no naive match", rule.id
            );
        }
        for matched in naive {
            let rules = rules();
            let rule = rules.rules.iter().find(|rule| rule.id == matched.rule).unwrap();
            // Without validator, required context or overlap nothing may take a match away.
            if rule.validator.is_some() || rule.context.as_ref().is_some_and(|context| context.required) {
                continue;
            }
            let class = rules.class(rule.category);
            let (start, end) = matched.value;
            prop_assert!(
                found.findings.iter().any(|finding| {
                    rules.class(finding.category) == class
                        && finding.span.start as usize <= start && finding.span.end as usize >= end
                }),
                "{} at {start}..{end} was not found", rule.id
            );
        }
    }
}

fn in_utf16(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

fn builtin() -> &'static [(Rule, Regex)] {
    static REGEXES: std::sync::OnceLock<Vec<(Rule, Regex)>> = std::sync::OnceLock::new();
    REGEXES.get_or_init(|| regexes(&rules()))
}

/// Payloads at which each kind of anchor is at its worst.
fn adversarial(length: usize) -> Vec<(&'static str, Vec<u8>)> {
    let repeat = |piece: &[u8]| piece.iter().copied().cycle().take(length).collect::<Vec<u8>>();
    let mut all = vec![
        ("all digits", repeat(b"1")),
        ("digits and spaces", repeat(b"1 ")),
        ("groups of digits", repeat(b"123-45-")),
        ("near misses of cards", repeat(b"4111 1111 1111 1112 ")),
        ("all at", repeat(b"@")),
        ("addresses without an end", repeat(b"a@a")),
        ("one long local part", repeat(b"abcdefghij@")),
        ("colons", repeat(b"fe:")),
        ("tokens", repeat(b"1A-")),
        ("bank heads", repeat(b"DE89 ")),
        ("jwt heads", repeat(b"eyJ-")),
        ("pem heads", repeat(b"-----BEGIN PRIVATE KEY-----")),
        ("open pem", repeat(b"-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ("hl7 heads", repeat(b"MSH|^~\\&|")),
        ("uris", repeat(b"http://a:")),
        ("assignments", repeat(b"password=")),
    ];
    let keywords: Vec<u8> = rules()
        .rules
        .iter()
        .filter_map(|rule| match &rule.anchors {
            Anchors::Keywords(words) => Some(words.join(" ").into_bytes()),
            _ => None,
        })
        .collect::<Vec<_>>()
        .join(&b' ');
    all.push(("all keywords", repeat(&keywords)));
    all
}

/// Promise 4: no rule reads a byte more often than `rules check` says, whatever the payload.
#[test]
fn no_rule_reads_a_byte_more_often_than_it_says() {
    let length = 60_000;
    let scanner = scanner_with(Options::default());
    let rules = rules();
    for (name, payload) in adversarial(length) {
        let bytes_read = scanner.bytes_read(&payload);
        // What rules share stands for the costliest of them.
        let costliest = rules.rules.iter().map(|rule| rule.reads_per_byte()).max().unwrap();
        let (_, shared) = bytes_read.last().unwrap();
        assert!(*shared <= u64::from(costliest) * length as u64, "{name}: {shared}");
        for ((id, read), rule) in bytes_read.iter().zip(&rules.rules) {
            let bound =
                u64::from(rule.reads_per_byte()) * length as u64 + 2 * rule.max_length as u64;
            assert!(*read <= bound, "{name}: {id} read {read} bytes of {length}, bound {bound}");
        }
    }
}
