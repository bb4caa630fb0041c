//! `sluice rules check`

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use sluicegate::RuleSet;
use sluicegate::rules::{self, Diagnostics, Rule, Source};

use sluicegate::scan::sweep::Kernel;

use super::{Format, cost, print, print_json, times};
use crate::kernel;
use crate::load::{load_rules, read_sources};

/// Check rule packs.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Packs, or folders of packs, to check over the built-in ones; none: the built-in ones
    #[arg(value_name = "DIR or FILE")]
    paths: Vec<PathBuf>,
    /// Say of each rule how often it can read a byte
    #[arg(short, long)]
    verbose: bool,
    /// Scan these files and directories, and say what each rule cost: work counted, never time
    #[arg(long, value_name = "CORPUS", num_args = 1..)]
    cost: Vec<PathBuf>,
    /// With --cost: show this many of the costliest rules [default: 20; JSON: all]
    #[arg(long, value_name = "N", requires = "cost")]
    limit: Option<usize>,
    /// With --cost: the code that reads the bytes; the counts are the same for each
    #[arg(long, value_name = "KERNEL", requires = "cost", value_parser = kernel::parser(), default_value = kernel::AUTO)]
    kernel: Kernel,
    /// Output format
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Prints what is wrong. Exit code 0 if the packs can be used, 1 if not.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut sources = RuleSet::builtin_sources();
    let own = read_sources(&arguments.paths)?;
    let builtin = own.is_empty();
    sources.extend(own);
    // What is wrong with packs is said below, and no cost then.
    if !arguments.cost.is_empty()
        && let Some(rules) = usable(&sources, builtin)?
    {
        let cost = cost::Cost::of(&arguments.cost, &rules, arguments.kernel)?;
        match arguments.format {
            Format::Human => print(&cost.table(arguments.limit.unwrap_or(20)))?,
            Format::Json => print_json(&cost.as_json(arguments.limit.unwrap_or(usize::MAX)))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (rules, diagnostics) = rules::check(&sources);

    let checked: Vec<&Source> = sources.iter().filter(|source| source.builtin == builtin).collect();
    let is_checked = |file: &str| checked.iter().any(|source| source.name == file);
    let all = rules.iter().flat_map(|rules| &rules.rules);
    let mut costs: Vec<(&Rule, u32)> = all
        .filter(|rule| is_checked(&rule.origin.file))
        .map(|rule| (rule, rule.reads_per_byte()))
        .collect();
    costs.sort_by_key(|(rule, reads)| (std::cmp::Reverse(*reads), rule.id.as_str()));

    match arguments.format {
        Format::Human => {
            let mut out = diagnostics.render(&sources);
            if arguments.verbose {
                write_costs(&mut out, &costs);
            }
            let combinations = rules.iter().flat_map(|rules| &rules.combinations);
            let combined = combinations.filter(|rule| is_checked(&rule.origin.file)).count();
            let counted = rules.is_some().then_some((costs.len(), combined));
            write_summary(&mut out, checked.len(), counted, &diagnostics, costs.first());
            print(&out)?;
        }
        Format::Json => print_json(&as_json(checked.len(), &diagnostics, &costs))?,
    }
    Ok(ExitCode::from(u8::from(diagnostics.has_errors())))
}

/// The rules, if they can be used.
fn usable(sources: &[Source], builtin: bool) -> anyhow::Result<Option<Arc<RuleSet>>> {
    if builtin {
        return load_rules(&[]).map(Some);
    }
    Ok(RuleSet::compile(sources).ok().map(Arc::new))
}

fn write_costs(out: &mut String, costs: &[(&Rule, u32)]) {
    let width = costs.iter().map(|(rule, _)| rule.id.len()).max().unwrap_or(0);
    for (rule, reads) in costs {
        let _ = writeln!(out, "{:width$}  reads a byte at most {}", rule.id, times(*reads));
    }
    if !costs.is_empty() {
        out.push('\n');
    }
}

fn write_summary(
    out: &mut String,
    files: usize,
    counted: Option<(usize, usize)>,
    diagnostics: &Diagnostics,
    dearest: Option<&(&Rule, u32)>,
) {
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let _ = write!(out, "{files} file{}", plural(files));
    if let Some((plain, combined)) = counted {
        let (a, b) = (plural(plain), plural(combined));
        let _ = write!(out, ", {plain} rule{a}, {combined} combination{b}");
    }
    let (errors, warnings) = (diagnostics.errors(), diagnostics.warnings());
    let (a, b) = (plural(errors), plural(warnings));
    let _ = writeln!(out, ": {errors} error{a}, {warnings} warning{b}");
    if let Some((rule, reads)) = dearest {
        let _ = writeln!(out, "a rule reads a byte at most {} (`{}`)", times(*reads), rule.id);
    }
}

fn as_json(files: usize, diagnostics: &Diagnostics, costs: &[(&Rule, u32)]) -> serde_json::Value {
    let list: Vec<_> = diagnostics
        .iter()
        .map(|diagnostic| {
            json!({
                "code": diagnostic.code.as_str(),
                "severity": diagnostic.severity.as_str(),
                "file": diagnostic.file,
                "line": diagnostic.line,
                "column": diagnostic.column,
                "message": diagnostic.message,
                "help": diagnostic.help,
            })
        })
        .collect();
    let rules: Vec<_> = costs
        .iter()
        .map(|(rule, reads)| json!({ "id": rule.id, "reads_per_byte": reads }))
        .collect();
    json!({
        "files": files,
        "errors": diagnostics.errors(),
        "warnings": diagnostics.warnings(),
        "omitted": diagnostics.omitted(),
        "diagnostics": list,
        "rules": rules,
        "max_reads_per_byte": costs.first().map(|(_, reads)| reads),
    })
}
