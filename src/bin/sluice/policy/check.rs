//! `sluice policy check`

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};
use sluicegate::config::{self, Config, Origin};
use sluicegate::rules::{Diagnostics, Source};

use super::Format;
use crate::UsageError;
use crate::load::load_rules;
use crate::register::{ENGINE, find, read};
use crate::rules::{Folders, print, print_json};

/// Check a register.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Files to check; none: the one that is in force
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Hold the files to what a repository's file may say
    #[arg(long)]
    repository: bool,
    #[command(flatten)]
    folders: Folders,
    /// Output format
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Prints what is wrong. Exit code 0 if every file can be used, 1 if not.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let rules = load_rules(&arguments.folders.dirs)?;
    let mut files = arguments.files.clone();
    if files.is_empty() {
        let none = "no file is in force: name one, or `sluice init` writes one to start from";
        files.push(find(None).ok_or_else(|| UsageError(none.into()))?);
    }
    let origin = if arguments.repository { Origin::Repository } else { Origin::System };
    let mut checked = Vec::new();
    for file in &files {
        let source = read(file)?;
        let (config, diagnostics) = config::check(&source, &rules.taxonomy, origin, ENGINE);
        checked.push((source, config, diagnostics));
    }
    match arguments.format {
        Format::Human => {
            let mut out = String::new();
            for (source, config, diagnostics) in &checked {
                out.push_str(&diagnostics.render(std::slice::from_ref(source)));
                summary(&mut out, source, config.as_ref(), diagnostics);
            }
            print(&out)?;
        }
        Format::Json => {
            let files: Vec<Value> = checked
                .iter()
                .map(|(source, config, diagnostics)| as_json(source, config.as_ref(), diagnostics))
                .collect();
            print_json(&json!({ "files": files }))?;
        }
    }
    let refused = checked.iter().any(|(_, config, _)| config.is_none());
    Ok(ExitCode::from(u8::from(refused)))
}

fn counts(config: &Config) -> [(&'static str, usize); 5] {
    let policy = &config.policy;
    [
        ("destination", policy.destinations().len()),
        ("workflow", policy.workflows().len()),
        ("rule", policy.rules().len()),
        ("approver", policy.approvers().len()),
        ("path", policy.paths().len()),
    ]
}

fn summary(out: &mut String, source: &Source, config: Option<&Config>, diagnostics: &Diagnostics) {
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let _ = write!(out, "{}: ", source.name);
    if let Some(config) = config {
        for (what, count) in counts(config) {
            let _ = write!(out, "{count} {what}{}, ", plural(count));
        }
    }
    let (errors, warnings) = (diagnostics.errors(), diagnostics.warnings());
    let _ =
        writeln!(out, "{errors} error{}, {warnings} warning{}", plural(errors), plural(warnings));
}

fn as_json(source: &Source, config: Option<&Config>, diagnostics: &Diagnostics) -> Value {
    let list: Vec<Value> = diagnostics
        .iter()
        .map(|it| {
            json!({
                "code": it.code.as_str(),
                "severity": it.severity.as_str(),
                "line": it.line,
                "column": it.column,
                "message": it.message,
                "help": it.help,
            })
        })
        .collect();
    let digest = config.map(|config| data_encoding::HEXLOWER.encode(&config.policy.digest()));
    json!({
        "file": source.name,
        "digest": digest,
        "counts": config.map(|config| counts(config).into_iter().collect::<std::collections::BTreeMap<_, _>>()),
        "errors": diagnostics.errors(),
        "warnings": diagnostics.warnings(),
        "omitted": diagnostics.omitted(),
        "diagnostics": list,
    })
}
