//! The library in one process, and what other contestants need of it: patterns, keywords, payloads.
//!
//! ```text
//! compare-sluice [--kernel K] [--stream BYTES] [--cap N] [--fingerprints] files|each SECONDS BUNDLE...
//! compare-sluice patterns               id, pattern for Hyperscan, and examples, as below
//! compare-sluice keywords               one a line, in hexadecimal digits
//! compare-sluice customers BYTES FILE   a table, five values a row
//! compare-sluice adversarial BYTES DIR  a bundle for each anchor kind
//! ```

#[expect(dead_code, reason = "the benches of the crate make more payloads")]
#[path = "../../../../payloads/mod.rs"]
mod payloads;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use compare::translate::translate;
use compare::{Contestant, bundle, run};
use regex_automata::meta::Regex;
use sluicegate::engine::Options;
use sluicegate::rules::Anchors;
use sluicegate::scan::sweep::Kernel;
use sluicegate::scan::syntax_config;
use sluicegate::{Classified, RuleSet, Scanner};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["patterns"] => print_patterns(),
        ["keywords"] => print_keywords(),
        ["customers", bytes, file] => count(bytes).and_then(|bytes| write_customers(bytes, file)),
        ["adversarial", bytes, folder] => {
            count(bytes).and_then(|bytes| write_adversarial(bytes, folder))
        }
        _ => scan(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare-sluice: {error}");
            ExitCode::FAILURE
        }
    }
}

fn rules() -> Result<RuleSet, String> {
    RuleSet::builtin().map_err(|diagnostics| diagnostics.to_string())
}

fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

fn scan(arguments: &[String]) -> Result<(), String> {
    let began = Instant::now();
    // As the daemon runs it: identities are for SARIF and baselines.
    let mut options = Options { context_hashes: false, ..Options::default() };
    let mut piece = None;
    let mut rest = arguments;
    while let [name, after @ ..] = rest
        && name.starts_with("--")
    {
        rest = after;
        if name == "--fingerprints" {
            options.fingerprint_key = Some([7; 32]);
            continue;
        }
        let [value, after @ ..] = rest else { return Err(format!("{name} needs a value")) };
        rest = after;
        match name.as_str() {
            "--cap" => options.max_findings = count(value)?,
            "--stream" => piece = Some(count(value)?.max(1)),
            "--kernel" => {
                options.kernel = Kernel::available()
                    .find(|kernel| kernel.as_str() == value)
                    .ok_or_else(|| format!("no kernel `{value}` here"))?;
            }
            _ => return Err(format!("no option `{name}`")),
        }
    }
    let rules = Arc::new(rules()?);
    let number = rules.rules.len() + rules.combinations.len();
    let scanner = Scanner::new(rules, options);
    scanner.scan(b"\n");
    let version = scanner.kernel().as_str();
    let contestant = Contestant { version, rules: number, ready: began.elapsed() };
    run(rest, &contestant, &mut |payload| match piece {
        None => findings(&scanner.scan(payload)),
        Some(piece) => {
            let mut stream = scanner.stream();
            for piece in payload.chunks(piece) {
                stream.push(piece);
            }
            findings(&stream.finish())
        }
    })
}

/// Findings of all bands, kept or only counted.
fn findings(found: &Classified) -> u64 {
    let likely = found.label.categories.values().map(|category| category.count).sum::<u64>();
    likely + found.label.possible.values().sum::<u64>()
}

/// A line a rule: id, its pattern for Hyperscan, and for each example in which the pattern matches the
/// end of the first match and the text in hexadecimal digits; with tabs between. What cannot be translated
/// has an empty pattern, and the reason behind it.
fn print_patterns() -> Result<(), String> {
    for rule in &rules()?.rules {
        let mut line = rule.id.clone();
        match translate(&rule.pattern) {
            Err(reason) => line.push_str(&format!("\t\t{}", reason.replace(['\n', '\t'], " "))),
            Ok(pattern) => {
                line.push_str(&format!("\t{pattern}"));
                let regex = Regex::builder()
                    .syntax(syntax_config())
                    .build(&rule.pattern)
                    .map_err(|error| error.to_string())?;
                for example in &rule.examples {
                    if let Some(found) = regex.find(example.text.as_bytes()) {
                        line.push_str(&format!(
                            "\t{}:{}",
                            found.end(),
                            hex(example.text.as_bytes())
                        ));
                    }
                }
            }
        }
        println!("{line}");
    }
    Ok(())
}

fn print_keywords() -> Result<(), String> {
    keywords(&rules()?).iter().for_each(|keyword| println!("{}", hex(keyword.as_bytes())));
    Ok(())
}

fn keywords(rules: &RuleSet) -> Vec<String> {
    let anchors = rules.rules.iter().map(|rule| &rule.anchors);
    let words = anchors.filter_map(|anchors| match anchors {
        Anchors::Keywords(words) => Some(words),
        _ => None,
    });
    let distinct: BTreeSet<String> =
        words.flatten().map(|word| word.to_ascii_lowercase()).collect();
    distinct.into_iter().collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_customers(bytes: usize, file: &str) -> Result<(), String> {
    let (table, rows) = payloads::customers(bytes);
    println!("{rows}");
    std::fs::write(file, table).map_err(|error| format!("{file}: {error}"))
}

fn write_adversarial(bytes: usize, folder: &str) -> Result<(), String> {
    for (name, payload) in payloads::adversarial(bytes, &keywords(&rules()?)) {
        let file = Path::new(folder).join(format!("{}.bundle", name.replace(' ', "-")));
        std::fs::write(&file, bundle(&[payload]))
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}
