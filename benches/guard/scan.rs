//! One scan of a fixed payload with the frozen rules beside this file, for `benches/guard.py`, which counts its
//! instructions. `make PAYLOAD BYTES FILE` writes a payload, `scan KERNEL FILE` scans one and prints the number of
//! findings.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench stops at the first thing that is not as it should be"
)]

#[expect(dead_code, clippy::expect_used, reason = "the payloads of other benches")]
#[path = "../payloads/mod.rs"]
mod payloads;

use std::sync::Arc;

use payloads::Numbers;
use sluicegate::engine::Options;
use sluicegate::rules::Source;
use sluicegate::scan::sweep::Kernel;
use sluicegate::{RuleSet, Scanner};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["make", name, bytes, file] => {
            std::fs::write(file, payload(name, bytes.parse().unwrap())).unwrap();
        }
        ["scan", kernel, file] => {
            let Some(kernel) = Kernel::available().find(|it| it.as_str() == kernel) else {
                panic!("kernel `{kernel}` does not run here");
            };
            println!("{}", findings(&scanner(kernel), &std::fs::read(file).unwrap()));
        }
        _ => panic!("make PAYLOAD BYTES FILE, or scan KERNEL FILE"),
    }
}

fn scanner(kernel: Kernel) -> Scanner {
    let source = |name: &str, text: &str| Source {
        name: name.to_owned(),
        text: text.to_owned(),
        builtin: false,
    };
    let sources = [
        source("taxonomy.toml", include_str!("taxonomy.toml")),
        source("rules.toml", include_str!("rules.toml")),
    ];
    let rules =
        RuleSet::compile(&sources).unwrap_or_else(|wrong| panic!("{}", wrong.render(&sources)));
    let scanner = Scanner::new(Arc::new(rules), Options { kernel, ..Options::default() });
    assert_eq!(scanner.kernel(), kernel);
    scanner
}

/// Findings of all bands.
fn findings(scanner: &Scanner, payload: &[u8]) -> u64 {
    let found = scanner.scan(payload);
    let likely: u64 = found.label.categories.values().map(|category| category.count).sum();
    likely + found.label.possible.values().sum::<u64>()
}

/// A payload of about this many bytes. One of more bytes begins with the same bytes.
fn payload(name: &str, bytes: usize) -> Vec<u8> {
    match name {
        "text" => made(bytes, "", text),
        "html" => made(bytes, "<!DOCTYPE html>\n<html><body>\n", html),
        "csv" => payloads::customers(bytes).0,
        "near-misses" => made(bytes, "", near_miss),
        _ => panic!("no payload `{name}`"),
    }
}

fn made(bytes: usize, head: &str, add: fn(&mut Numbers, &mut String)) -> Vec<u8> {
    let mut numbers = Numbers::new();
    let mut payload = String::from(head);
    while payload.len() < bytes {
        add(&mut numbers, &mut payload);
    }
    payload.into_bytes()
}

const WORDS: [&str; 64] = [
    "the", "of", "and", "to", "in", "is", "that", "for", "it", "as", "was", "with", "be", "by",
    "on", "not", "he", "this", "are", "or", "his", "from", "at", "which", "but", "have", "an",
    "had", "they", "you", "were", "their", "one", "all", "we", "can", "her", "has", "there",
    "been", "if", "more", "when", "will", "would", "who", "so", "no", "value", "function",
    "returns", "number", "account", "code", "address", "key", "name", "when", "reported",
    "address", "signed", "letter", "payment", "patient",
];

/// A sentence of common words; one in sixteen holds a number, one in 128 an address.
fn text(numbers: &mut Numbers, out: &mut String) {
    for position in 0..6 + numbers.below(12) {
        if position > 0 {
            out.push(' ');
        }
        out.push_str(word(numbers));
    }
    if numbers.below(16) == 0 {
        out.push_str(&format!(" {}", numbers.below(100_000)));
    }
    if numbers.below(128) == 0 {
        out.push_str(&format!(" jo.{}@mail{}.net", word(numbers), numbers.below(1000)));
    }
    out.push_str(if numbers.below(5) == 0 { ".\n\n" } else { ". " });
}

/// A row of documentation: tags, versions, links, hexadecimal ids, dates.
fn html(numbers: &mut Numbers, out: &mut String) {
    let (a, b, c) = (word(numbers), word(numbers), word(numbers));
    out.push_str(&format!(
        "<li class=\"item {a}\" id=\"{a}-{}\"><a href=\"../{b}/struct.{c}.html#method.{a}-{}\">{b}&lt;{c}&gt;</a> \
         since {}.{}.{} <span title=\"{}px\">{:08x}</span> {}-{:02}-{:02} ",
        numbers.below(10_000),
        numbers.below(100),
        numbers.below(3),
        numbers.below(90),
        numbers.below(10),
        numbers.below(2000),
        numbers.below(1 << 32),
        1990 + numbers.below(40),
        1 + numbers.below(12),
        1 + numbers.below(28),
    ));
    text(numbers, out);
    out.push_str("</li>\n");
}

/// What looks like a value and is none: checks that fail, and beginnings without an end.
fn near_miss(numbers: &mut Numbers, out: &mut String) {
    const PIECES: [&str; 14] = [
        "4111 1111 1111 1112 ",
        "DE89 3704 0044 0532 0130 01 ",
        "abcdefghij_klmnop@a ",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi ",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIB ",
        "1EG4-TE5-MK7 ",
        "2001:db8:0:0:0:0:0: ",
        "000-12-3456 ",
        "AKIAIOSFODNN7 ",
        "ghp_0123456789abcdef ",
        "256.300.1.2 ",
        "+1 555 0100 ",
        "abandon ability able about ",
        "password: ",
    ];
    let piece = PIECES.get(numbers.below(PIECES.len() as u64) as usize).unwrap_or(&"");
    out.push_str(piece);
}

fn word(numbers: &mut Numbers) -> &'static str {
    WORDS.get(numbers.below(WORDS.len() as u64) as usize).unwrap_or(&"")
}
