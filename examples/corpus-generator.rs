//! Writes generated documents as JSON lines, or measures rules on them.
//!
//! `cargo run --release --example corpus-generator -- --seed 7 --documents 100 > documents.jsonl`
//! `cargo run --release --example corpus-generator -- --measure --rules rules --category nat.us_ssn`

#![allow(clippy::expect_used, reason = "a program for those who work on the rules")]

#[path = "../corpus/generator/mod.rs"]
mod generator;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use generator::measure::{Table, found, measured};
use generator::{Set, documents};
use sluicegate::engine::Options;
use sluicegate::rules::Source;
use sluicegate::{RuleSet, Scanner};

/// Generated documents with the truth about what they hold.
#[derive(Parser)]
struct Arguments {
    /// The same seed gives the same documents.
    #[arg(long, default_value_t = 20_261_127)]
    seed: u64,
    /// How many documents.
    #[arg(long, default_value_t = 3_000)]
    documents: usize,
    /// Documents with the labels, phrases and layouts that are kept back.
    #[arg(long)]
    held_out: bool,
    /// Print F1 by category instead of the documents.
    #[arg(long)]
    measure: bool,
    /// With --measure: rule packs over the built-in ones; a file or a folder.
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// With --measure: what went wrong with this category; not with --held-out.
    #[arg(long, value_name = "CATEGORY", conflicts_with = "held_out")]
    category: Option<String>,
}

fn read(path: &Path, sources: &mut Vec<Source>) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            read(&entry?.path(), sources)?;
        }
    } else if path.extension().is_some_and(|extension| extension == "toml")
        && path.file_name().is_some_and(|name| name != "taxonomy.toml")
    {
        let (name, text) = (format!("./{}", path.display()), std::fs::read_to_string(path)?);
        sources.push(Source { name, text, builtin: false });
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let set = if arguments.held_out { Set::HeldOut } else { Set::Open };
    let documents = documents(arguments.seed, arguments.documents, set);
    let mut out = std::io::stdout().lock();
    if !arguments.measure {
        for document in documents {
            let spans: Vec<_> = document
                .spans
                .iter()
                .map(
                    |s| serde_json::json!({"start": s.start, "end": s.end, "category": s.category}),
                )
                .collect();
            let near: Vec<_> = document
                .near_misses
                .iter()
                .map(|n| serde_json::json!({"start": n.start, "end": n.end, "kind": n.kind}))
                .collect();
            let line = serde_json::json!({
                "id": document.id, "kind": document.kind, "language": document.language,
                "text": document.text, "spans": spans, "near_misses": near,
            });
            writeln!(out, "{line}")?;
        }
        return Ok(());
    }
    let mut sources = RuleSet::builtin_sources();
    for path in &arguments.rules {
        read(path, &mut sources)?;
    }
    let rules = RuleSet::compile(&sources).unwrap_or_else(|diagnostics| {
        eprintln!("{}", diagnostics.render(&sources));
        std::process::exit(2)
    });
    let rules = Arc::new(rules);
    let scanner = Scanner::new(rules.clone(), Options::default());
    let mut table = Table::default();
    for document in &documents {
        table.add(document, &found(&scanner, document));
    }
    writeln!(out, "{}", table.print(&format!("{set:?}"), &measured(&rules)))?;
    for (category, what, text) in &table.samples {
        if Some(category) == arguments.category.as_ref() {
            writeln!(out, "{category} {what}: {text}")?;
        }
    }
    Ok(())
}
