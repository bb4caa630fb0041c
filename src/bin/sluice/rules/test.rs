//! `sluice rules test`

use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;

use sluicegate::decode::{Encoding, Format, Structure};
use sluicegate::engine::Options;
use sluicegate::model::{RuleIndex, Span};
use sluicegate::rules::{Example, Rule};
use sluicegate::{RuleSet, Scanner};

use super::{Folders, one_line, print, unknown_id};
use crate::load::load_rules;

/// Run the examples and counterexamples of the rules.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only these rules
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    folders: Folders,
}

/// A rule or combination with what it must and must not find.
struct Case<'a> {
    index: RuleIndex,
    id: &'a str,
    /// Not of a built-in pack.
    is_own: bool,
    examples: &'a [Example],
    counterexamples: &'a [String],
}

/// What came of the cases.
#[derive(Default)]
struct Tally {
    examples: usize,
    counterexamples: usize,
    failed: usize,
}

/// Prints what fails. Exit code 0 if nothing does, else 1.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let rules = load_rules(&arguments.folders.dirs)?;
    let mut cases = cases(&rules);
    for id in &arguments.ids {
        if !cases.iter().any(|case| case.id == id) {
            return Err(unknown_id(&rules, id));
        }
    }
    cases.retain(|case| arguments.ids.is_empty() || arguments.ids.iter().any(|id| id == case.id));

    let format =
        Format { encoding: Encoding::Bytes, bom: 0, structure: Structure::Text, opaque: None };
    let options = Options { format: Some(format), ..Options::default() };
    let scanner = Scanner::new(Arc::clone(&rules), options);
    // Columns are there only where the payload is a table.
    let of_tables = Scanner::new(Arc::clone(&rules), Options::default());
    let mut out = String::new();
    let mut tally = Tally::default();
    for case in &cases {
        let is_table = rules.combination(case.index).is_some_and(|rule| rule.values > 0)
            || rules.rule(case.index).is_some_and(Rule::needs_name);
        let scanner = if is_table { &of_tables } else { &scanner };
        run_case(scanner, case, &mut out, &mut tally);
    }
    let Tally { examples, counterexamples, failed } = tally;
    let _ = writeln!(
        out,
        "{} rules, {examples} examples, {counterexamples} counterexamples: {failed} failed",
        cases.len()
    );
    print(&out)?;
    Ok(ExitCode::from(u8::from(failed > 0)))
}

fn cases(rules: &RuleSet) -> Vec<Case<'_>> {
    let builtin = RuleSet::builtin_sources();
    let is_own = |file: &str| !builtin.iter().any(|source| source.name == file);
    let plain = rules
        .rules
        .iter()
        .map(|rule| (&rule.id, &rule.origin, &rule.examples, &rule.counterexamples));
    let combined = rules
        .combinations
        .iter()
        .map(|rule| (&rule.id, &rule.origin, &rule.examples, &rule.counterexamples));
    (0u32..)
        .zip(plain.chain(combined))
        .map(|(position, (id, origin, examples, counterexamples))| Case {
            index: RuleIndex(position),
            id,
            is_own: is_own(&origin.file),
            examples,
            counterexamples,
        })
        .collect()
}

fn run_case(scanner: &Scanner, case: &Case<'_>, out: &mut String, tally: &mut Tally) {
    for (number, example) in (1..).zip(case.examples) {
        tally.examples += 1;
        let wanted = Span::new(example.start as u64, example.end as u64);
        let found = spans(scanner, case.index, &example.text);
        let stands_in = || case.is_own && is_covered(scanner, case.index, &example.text, wanted);
        if !found.contains(&wanted) && !stands_in() {
            tally.failed += 1;
            let (id, found) = (case.id, shown(&found));
            let _ = writeln!(
                out,
                "{id}: example {number}: expected {}, found {found}\n    {}",
                shown(&[wanted]),
                one_line(&example.text)
            );
        }
    }
    for (number, text) in (1..).zip(case.counterexamples) {
        tally.counterexamples += 1;
        let found = spans(scanner, case.index, text);
        if !found.is_empty() {
            tally.failed += 1;
            let (id, found) = (case.id, shown(&found));
            let _ = writeln!(
                out,
                "{id}: counterexample {number}: expected nothing, found {found}\n    {}",
                one_line(text)
            );
        }
    }
}

/// Spans of the findings of one rule.
fn spans(scanner: &Scanner, rule: RuleIndex, text: &str) -> Vec<Span> {
    let findings = scanner.scan(text.as_bytes()).findings;
    findings.iter().filter(|finding| finding.rule == rule).map(|finding| finding.span).collect()
}

/// Whether another rule of the same class finds the value: of two such findings the better one stays,
/// and those who write a pack of their own cannot know all that is built in.
fn is_covered(scanner: &Scanner, rule: RuleIndex, text: &str, wanted: Span) -> bool {
    let rules = scanner.rules();
    let class = |rule: RuleIndex| rules.rule(rule).and_then(|rule| rules.class(rule.category));
    let findings = scanner.scan(text.as_bytes()).findings;
    findings
        .iter()
        .any(|finding| finding.span.contains(wanted) && class(finding.rule) == class(rule))
}

fn shown(spans: &[Span]) -> String {
    if spans.is_empty() {
        return "nothing".to_owned();
    }
    let spans: Vec<String> =
        spans.iter().map(|span| format!("{}..{}", span.start, span.end)).collect();
    spans.join(", ")
}
