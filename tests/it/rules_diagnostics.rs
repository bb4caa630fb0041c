//! Diagnostics of rule packs, as people see them. Each `tests/data/diagnostics/CODE.toml` is
//! checked and compared with `CODE.golden` beside it; `UPDATE_GOLDEN=1` writes those anew.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

use sluicegate::RuleSet;
use sluicegate::rules::{self, Code, Source};

/// Codes whose packs are too large for a file; tests below make them.
const GENERATED: &[Code] = &[Code::SourceTooLarge];

fn data(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(below)
}

fn taxonomy() -> Source {
    let text = fs::read_to_string(data("rules/taxonomy.toml")).unwrap();
    Source { name: "taxonomy.toml".into(), text, builtin: true }
}

/// The diagnostics of a user's pack over the small taxonomy, and how they are shown.
fn checked(name: &str, text: String) -> (rules::Diagnostics, String) {
    let sources = [taxonomy(), Source { name: name.into(), text, builtin: false }];
    let (rules, diagnostics) = rules::check(&sources);
    assert_eq!(rules.is_some(), !diagnostics.has_errors(), "{name}: {diagnostics}");
    let rendered = diagnostics.render(&sources);
    (diagnostics, rendered)
}

#[test]
fn diagnostics_are_as_their_golden_files() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut different = Vec::new();
    for code in Code::ALL.iter().filter(|code| !GENERATED.contains(code)) {
        let file = format!("{}.toml", code.as_str());
        let text = fs::read_to_string(data("diagnostics").join(&file))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let (diagnostics, rendered) = checked(&file, text);
        let found: Vec<Code> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        assert!(found.contains(code), "{file} gives {found:?}");
        let golden = data("diagnostics").join(format!("{}.golden", code.as_str()));
        if update {
            fs::write(&golden, &rendered).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != rendered {
            different.push(format!("{}:\n{rendered}", golden.display()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn every_file_is_a_code() {
    for entry in fs::read_dir(data("diagnostics")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(Code::ALL.iter().any(|code| code.as_str() == stem), "{}", path.display());
    }
}

#[test]
fn the_page_lists_every_code() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/RULE-DIAGNOSTICS.md");
    let page = fs::read_to_string(page).unwrap();
    let listed: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let known: Vec<String> = Code::ALL
        .iter()
        .map(|code| format!("| `{}` | {} |", code.as_str(), code.description()))
        .collect();
    assert_eq!(listed, known);
}

#[test]
fn large_sources_and_many_rules_are_refused() {
    let (diagnostics, _) = checked("large.toml", "#".repeat((1 << 20) + 1));
    assert_eq!(diagnostics.iter().next().unwrap().code, Code::SourceTooLarge);

    let many = "[[rule]]\n".repeat(10_001);
    let (diagnostics, _) = checked("many.toml", many);
    assert!(diagnostics.iter().any(|diagnostic| diagnostic.code == Code::TooMany));
    assert!(diagnostics.omitted() > 39_000, "four keys are missing in each rule");
}

#[test]
fn the_sample_pack_is_clean() {
    let text = fs::read_to_string(data("rules/pack.toml")).unwrap();
    let (diagnostics, rendered) = checked("pack.toml", text);
    assert!(diagnostics.is_empty(), "{rendered}");
}

#[test]
fn the_built_in_packs_have_no_errors() {
    let sources = RuleSet::builtin_sources();
    let (_, diagnostics) = rules::check(&sources);
    assert!(!diagnostics.has_errors(), "{}", diagnostics.render(&sources));
}

mod mutated {
    use proptest::prelude::*;

    use super::*;

    /// A change to a text: some characters from a place on become others.
    fn change() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
        let pieces = prop_oneof![
            "[\\[\\]{}\"'=,.#|()*+?\\\\0-9a-z⟦⟧\n -]{0,6}",
            prop::sample::select(vec![
                "{0,9999}",
                "(?:",
                ")*",
                "[[rule]]",
                "(?i)",
                "(?u)",
                "''",
                "\\b",
                "^",
                "$",
                "|",
                "@",
                "99999999999999999999",
                "-1",
                "[^\\x00-\\xff]",
                "a?",
            ])
            .prop_map(str::to_owned),
        ];
        (any::<prop::sample::Index>(), 0usize..12, pieces)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        /// However a pack is changed, it loads or is refused with a place inside it.
        #[test]
        fn packs_load_or_are_refused(changes in prop::collection::vec(change(), 1..8)) {
            let mut text: Vec<char> =
                fs::read_to_string(data("rules/pack.toml")).unwrap().chars().collect();
            for (at, length, piece) in changes {
                let at = at.index(text.len());
                let end = (at + length).min(text.len());
                text.splice(at..end, piece.chars());
            }
            let text: String = text.into_iter().collect();
            let lines = text.matches('\n').count() + 1;
            let (diagnostics, _) = checked("pack.toml", text);
            for diagnostic in &diagnostics {
                prop_assert!((1..=lines).contains(&diagnostic.line));
                prop_assert!(diagnostic.column >= 1);
            }
        }
    }
}
