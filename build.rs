//! Compiles the rule packs under `rules/` into the library: as a rule set that is ready to use, with
//! the tables that a scan needs of it, and as texts. A pack that does not hold breaks the build, with the diagnostics that a user would see.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[path = "src/model/mod.rs"]
#[allow(dead_code, missing_docs, unused_imports)]
mod model;
#[path = "src/rules/mod.rs"]
#[allow(dead_code, missing_docs, unused_imports)]
mod rules;
/// The parts of the scan that make its tables.
#[path = "src/scan"]
#[allow(dead_code, missing_docs, unused_imports)]
mod scan {
    pub mod beginnings;
    pub mod beside;
    mod first_words;
    mod forms;
    pub mod heads;
    pub mod kinds;
    pub mod phrases;
    pub mod sieve;
    mod split;
    mod steps;
    pub mod sweep;
    pub mod transitions;
    pub mod vicinity;
    mod words;
}

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=rules");
    println!("cargo::rerun-if-changed=src/model");
    println!("cargo::rerun-if-changed=src/rules");
    println!("cargo::rerun-if-changed=src/scan/beginnings.rs");
    println!("cargo::rerun-if-changed=src/scan/beside.rs");
    println!("cargo::rerun-if-changed=src/scan/first_words.rs");
    println!("cargo::rerun-if-changed=src/scan/forms.rs");
    println!("cargo::rerun-if-changed=src/scan/heads.rs");
    println!("cargo::rerun-if-changed=src/scan/kinds.rs");
    println!("cargo::rerun-if-changed=src/scan/phrases.rs");
    println!("cargo::rerun-if-changed=src/scan/sieve.rs");
    println!("cargo::rerun-if-changed=src/scan/sieve");
    println!("cargo::rerun-if-changed=src/scan/split.rs");
    println!("cargo::rerun-if-changed=src/scan/steps");
    println!("cargo::rerun-if-changed=src/scan/steps.rs");
    println!("cargo::rerun-if-changed=src/scan/sweep");
    println!("cargo::rerun-if-changed=src/scan/transitions");
    println!("cargo::rerun-if-changed=src/scan/transitions.rs");
    println!("cargo::rerun-if-changed=src/scan/vicinity.rs");
    println!("cargo::rerun-if-changed=src/scan/words.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());

    let mut names = Vec::new();
    let packs = root.join("rules");
    if packs.is_dir() {
        collect(&packs, "rules", 0, &mut names)?;
    }
    names.sort();

    let mut list = String::from("&[\n");
    for name in &names {
        let path = root.join(name);
        let _ = writeln!(list, "    ({name:?}, include_str!({:?})),", path.display().to_string());
    }
    list.push_str("]\n");
    fs::write(out.join("builtin_rules.rs"), list)?;

    let read = |name: &String| {
        let text = fs::read_to_string(root.join(name))?;
        Ok(rules::Source { name: name.clone(), text, builtin: true })
    };
    let sources = names.iter().map(read).collect::<io::Result<Vec<_>>>()?;
    let compiled = rules::RuleSet::compile(&sources)
        .map_err(|diagnostics| io::Error::other(diagnostics.render(&sources)))?;
    let (kinds, keywords) = scan::kinds::Kinds::new(&compiled.rules);
    let heads = compiled.rules.iter().map(scan::heads::RuleHead::pack);
    let heads: postcard::Result<rules::Texts> = heads.collect();
    let combined: Vec<u16> = compiled.combined_terms().iter().map(|term| term.0).collect();
    let phrases = scan::phrases::Phrases::of_terms(compiled.terms.iter(), &combined);
    let sieves = scan::sieve::Sieves::new(&compiled.rules, &kinds);
    let vicinity = scan::vicinity::Vicinity::of_sieves(&compiled.rules, &kinds, &sieves, &phrases);
    let beside = scan::beside::Beside::new(&compiled.rules, &kinds, &keywords);
    let tables = [
        ("beside", beside.pack()),
        ("rules", compiled.pack()),
        ("heads", heads.map_err(io::Error::other)?.pack_whole()),
        ("kinds", kinds.pack()),
        ("sieves", sieves.pack()),
        ("sweep", scan::sweep::Sweep::pack(&keywords)),
        ("terms", phrases.pack()),
        ("vicinity", vicinity.pack()),
        ("transitions", scan::transitions::builder::pack(&compiled.rules)),
    ];
    for (name, bytes) in tables {
        fs::write(out.join(format!("builtin_{name}.bin")), bytes.map_err(io::Error::other)?)?;
    }
    Ok(())
}

/// `rules/*.toml` and `rules/*/*.toml`, as paths from the repository's root with `/` between parts.
fn collect(folder: &Path, prefix: &str, depth: usize, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(file) = entry.file_name().into_string() else { continue };
        let name = format!("{prefix}/{file}");
        let kind = entry.file_type()?;
        if kind.is_dir() && depth == 0 {
            collect(&entry.path(), &name, depth + 1, names)?;
        } else if kind.is_file() && file.ends_with(".toml") {
            names.push(name);
        }
    }
    Ok(())
}
