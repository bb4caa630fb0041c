//! Diagnostics of `sluice.toml`, as people see them. Each `tests/data/policy_diagnostics/CODE.toml`
//! is checked and compared with `CODE.golden` beside it; `UPDATE_GOLDEN=1` writes those anew.

use std::fs;
use std::path::{Path, PathBuf};

use sluicegate::RuleSet;
use sluicegate::config::{self, Origin};
use sluicegate::model::{Category, Class, Sensitivity};
use sluicegate::rules::{Code, Diagnostics, Source, Taxonomy};

/// Codes whose files are too large; tests below make them.
const GENERATED: &[Code] = &[Code::TooManyCategories];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    root().join("tests/data/policy_diagnostics")
}

fn taxonomy() -> Taxonomy {
    let text = fs::read_to_string(root().join("tests/data/rules/taxonomy.toml")).unwrap();
    let source = Source { name: "taxonomy.toml".into(), text, builtin: true };
    RuleSet::compile(&[source]).unwrap().taxonomy
}

fn checked(name: &str, text: String, taxonomy: &Taxonomy) -> (Diagnostics, String) {
    let source = Source { name: name.into(), text, builtin: false };
    let repository = name.starts_with(Code::NotFromRepository.as_str());
    let origin = if repository { Origin::Repository } else { Origin::System };
    let (config, diagnostics) = config::check(&source, taxonomy, origin, "0");
    assert_eq!(config.is_some(), !diagnostics.has_errors(), "{name}: {diagnostics}");
    let rendered = diagnostics.render(&[source]);
    (diagnostics, rendered)
}

#[test]
fn diagnostics_are_as_their_golden_files() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let taxonomy = taxonomy();
    let mut different = Vec::new();
    for code in Code::POLICY.iter().filter(|code| !GENERATED.contains(code)) {
        let file = format!("{}.toml", code.as_str());
        let text = fs::read_to_string(folder().join(&file))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let (diagnostics, rendered) = checked(&file, text, &taxonomy);
        // A file shows its own code and no other.
        let found: Vec<Code> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        assert!(!found.is_empty() && found.iter().all(|it| it == code), "{file} gives {found:?}");
        let golden = folder().join(format!("{}.golden", code.as_str()));
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
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(Code::POLICY.iter().any(|code| code.as_str() == stem), "{}", path.display());
    }
}

#[test]
fn the_page_lists_every_code() {
    let page = fs::read_to_string(root().join("docs/POLICY-DIAGNOSTICS.md")).unwrap();
    let listed: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let known: Vec<String> = Code::POLICY
        .iter()
        .map(|code| format!("| `{}` | {} |", code.as_str(), code.description()))
        .collect();
    assert_eq!(listed, known);
}

#[test]
fn too_many_categories_are_refused() {
    let category = |at: usize| Category {
        id: format!("pii.c{at}"),
        title: String::new(),
        class: Class::Pii,
        sensitivity: Sensitivity::Internal,
        regulated: true,
        laws: Vec::new(),
    };
    let taxonomy = Taxonomy::new((0..513).map(category).collect());
    let (diagnostics, _) = checked("many.toml", "version = 1\n".into(), &taxonomy);
    assert!(diagnostics.iter().any(|diagnostic| diagnostic.code == Code::TooManyCategories));
}

#[test]
fn large_files_and_many_parts_are_refused() {
    let taxonomy = taxonomy();
    let (diagnostics, _) = checked("large.toml", "#".repeat((1 << 20) + 1), &taxonomy);
    assert_eq!(diagnostics.iter().next().unwrap().code, Code::SourceTooLarge);
    let many = format!("version = 1\n{}", "[[rule]]\n".repeat(config::MAX_ENTRIES + 1));
    let (diagnostics, _) = checked("many.toml", many, &taxonomy);
    assert!(diagnostics.iter().any(|diagnostic| diagnostic.code == Code::TooMany));
    let long = format!(
        "version = 1\n[policy]\nexceptable = [{}]\n",
        "\"pii\",".repeat(config::MAX_LIST + 1)
    );
    let (diagnostics, _) = checked("long.toml", long, &taxonomy);
    assert!(diagnostics.iter().any(|diagnostic| diagnostic.code == Code::TooMany));
}

/// A file of unknown names is answered about as fast as it is read.
#[test]
fn many_unknown_names_are_refused() {
    let taxonomy = taxonomy();
    let known = (0..2_000)
        .map(|at| format!("[[destination]]\nid = \"destination-{at}\"\ntrust = \"internal\"\n"));
    let names: Vec<String> = (0..900).map(|at| format!("\"destinatoin-{at}\"")).collect();
    let unknown = (0..20).map(|at| {
        format!(
            "[[workflow]]\nid = \"w{at}\"\nowner = \"o\"\nbind = {{ uid = [1] }}\ndestinations = [{}]\n",
            names.join(", ")
        )
    });
    let text = format!("version = 1\n{}{}", known.collect::<String>(), unknown.collect::<String>());
    let (diagnostics, _) = checked("many.toml", text, &taxonomy);
    assert_eq!(diagnostics.errors(), 18_000);
}

#[test]
fn unknown_keys_point_at_the_nearest() {
    let text = "version = 1\n[[destination]]\nid = \"d\"\ntrst = \"external\"\ntrust = \"extrenal\"\n\
                approved = [\"pii.emial\", \"ph\"]\n";
    let (_, rendered) = checked("d.toml", text.into(), &taxonomy());
    for expected in [
        "did you mean `trust`?",
        "did you mean `external`?",
        "did you mean `pii.email`?",
        "did you mean `phi`?",
        "d.toml:4:1",
    ] {
        assert!(rendered.contains(expected), "{expected}:\n{rendered}");
    }
}
