//! Every text of the repository gives with Hyperscan what it gives with the portable kernel: with
//! the keywords found by it alone, and with the patterns of all rules in a set.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluicegate::decode::Format;
use sluicegate::engine::Options;
use sluicegate::gate::import::import;
use sluicegate::rules::Source;
use sluicegate::scan::sweep::Kernel;
use sluicegate::{RuleSet, Scanner};

use crate::cases;
use crate::support::{chunked, segmented};

/// Texts of this size are long enough for the pattern set, which leaves alone what is short.
const LONG: usize = 60_000;

fn root(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// A name and the bytes of each file below a folder, in order.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let (mut folders, mut files) = (vec![root(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files.into_iter().map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

/// The rules beside packs that the import makes of configurations of others.
fn with_imported() -> Arc<RuleSet> {
    let mut sources = RuleSet::builtin_sources();
    for name in ["characters", "tokens", "allow", "groups", "syntax"] {
        let mut read = |path: &Path| fs::read_to_string(path).map_err(|error| error.to_string());
        let configuration = root("corpus/import").join(format!("{name}.toml"));
        let pack = import(&configuration, &root("corpus/import"), &mut read).unwrap().pack;
        let text = pack.replace("sec.gitleaks.", &format!("sec.{name}."));
        sources.push(Source { name: format!("{name}.toml"), text, builtin: false });
    }
    Arc::new(
        RuleSet::compile(&sources).unwrap_or_else(|wrong| panic!("{}", wrong.render(&sources))),
    )
}

/// Reference, keywords alone, and all patterns.
fn scanners(rules: &Arc<RuleSet>) -> [Scanner; 3] {
    [(Kernel::Portable, u64::MAX), (Kernel::Hyperscan, u64::MAX), (Kernel::best(), 0)].map(
        |(kernel, patterns_after)| {
            let options = Options { kernel, patterns_after, ..Options::default() };
            let scanner = Scanner::new(Arc::clone(rules), options);
            assert_eq!(scanner.kernel(), kernel);
            // With the first rule that is tried the set is made.
            scanner.scan(b"my ssn: 219-09-9998, mail a@example.com");
            scanner
        },
    )
}

fn assert_alike(scanners: &[Scanner; 3], name: &str, text: &[u8], format: Option<Format>) -> u64 {
    let with = |scanner: &Scanner| scanner.with(Options { format, ..Options::default() });
    let [reference, others @ ..] = scanners;
    let whole = with(reference).scan(text);
    for (number, other) in others.iter().map(with).enumerate() {
        assert_eq!(other.scan(text), whole, "{name}: {number}");
        let cut = chunked(&other, text, |at| if at < LONG / 3 { 4099 } else { LONG / 3 });
        assert_eq!(cut, whole, "{name}: {number}: in pieces");
        if let Some(joined) = segmented(&other, text, LONG / 2) {
            assert_eq!(joined, whole, "{name}: {number}: in segments");
        }
    }
    whole.label.categories.values().map(|category| category.count).sum()
}

#[test]
fn every_corpus_is_the_same() {
    if !Kernel::Hyperscan.is_available() {
        return;
    }
    let plain = Format::declared("text");
    let rules = with_imported();
    let scanners = scanners(&rules);
    let mut found = 0;
    let mut all = Vec::new();
    for (file, case) in cases::all() {
        all.extend_from_slice(case.text.as_bytes());
        all.push(b'\n');
        if all.len() > LONG {
            found += assert_alike(&scanners, &file, &all, plain);
            all.clear();
        }
    }
    found += assert_alike(&scanners, "last cases", &all, plain);
    all.clear();
    for rule in &rules.rules {
        let examples = rule.examples.iter().map(|it| it.text.as_str());
        for text in examples.chain(rule.counterexamples.iter().map(String::as_str)) {
            all.extend_from_slice(text.as_bytes());
            all.extend_from_slice(b" -- ");
        }
    }
    found += assert_alike(&scanners, "examples", &all, plain);
    for folder in ["corpus/import", "corpus/sample-export", "fuzz/seeds/scanner"] {
        for (name, text) in files(folder) {
            let times = (LONG / text.len().max(1)).clamp(1, 20);
            found += assert_alike(&scanners, &name, &text, None);
            found += assert_alike(&scanners, &name, &text.repeat(times), plain);
        }
    }
    assert!(found > 5_000, "{found}");

    // The set does leave out what it can.
    let [reference, keywords, set] = scanners.map(|scanner| {
        let read = scanner.bytes_read(&b"a password or a key word of a token. ".repeat(4000));
        read.iter().map(|(_, bytes)| bytes).sum::<u64>()
    });
    assert_eq!(reference, keywords);
    assert!(set < reference / 2, "{set} of {reference}");
}
