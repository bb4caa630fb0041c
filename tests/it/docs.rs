//! The pages: their commands exist, their links lead somewhere, their tables say what the code does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The project's own pages with their names.
fn pages() -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in [root().to_owned(), root().join("docs")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    let read = |path: &PathBuf| (name(path), fs::read_to_string(path).unwrap());
    paths.iter().map(read).collect()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// Lines of a page with whether they stand in a code block.
fn lines(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut inside = false;
    text.lines().map(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        // Lists go on with fewer spaces than an indented block has.
        ((inside && !fence) || line.starts_with("    "), line)
    })
}

/// The arguments of every `sluice` call in code blocks and code spans.
fn calls(text: &str) -> Vec<Vec<String>> {
    let mut calls = Vec::new();
    for (is_code, line) in lines(text) {
        let spans: Vec<&str> = match is_code {
            true => vec![line.trim().trim_start_matches("$ ")],
            false => line.split('`').skip(1).step_by(2).collect(),
        };
        for span in spans {
            // What stands behind a pipe is a call too.
            for part in span.split(" | ") {
                let part = part.split(" # ").next().unwrap_or_default().trim();
                let arguments = ["sluice ", "cargo run --release -- ", "target/release/sluice "]
                    .iter()
                    .find_map(|program| part.strip_prefix(program));
                if let Some(arguments) = arguments {
                    calls.push(arguments.split_whitespace().map(str::to_owned).collect());
                }
            }
        }
    }
    calls
}

/// What the command says of itself; none where there is no such command.
fn help(subcommands: &[&str]) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(subcommands)
        .arg("--help")
        .output()
        .expect("sluice starts");
    output.status.success().then(|| String::from_utf8(output.stdout).expect("help is text"))
}

/// The words that `text` lists as sub-commands.
fn subcommands(help: &str) -> Vec<&str> {
    help.split_once("Commands:\n")
        .map_or("", |(_, behind)| behind)
        .lines()
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

/// Whether a command that has sub-commands does something without one too.
fn decides_itself(help: &str) -> bool {
    let usage = help.lines().find_map(|line| line.strip_prefix("Usage: "));
    usage.is_some_and(|usage| usage.contains("[OPTIONS]") && !usage.contains("<COMMAND>"))
}

#[test]
fn commands_in_the_pages_exist_with_their_options() {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut helps: BTreeMap<Vec<String>, Option<String>> = BTreeMap::new();
    let mut help = |path: &[&str]| -> Option<String> {
        let key: Vec<String> = path.iter().map(|word| (*word).to_owned()).collect();
        helps.entry(key).or_insert_with(|| help(path)).clone()
    };
    for (name, text) in pages() {
        for call in calls(&text) {
            let mut path: Vec<&str> = Vec::new();
            let mut known = help(&[]).expect("sluice has help");
            for word in &call {
                if !subcommands(&known).contains(&word.as_str()) {
                    break;
                }
                path.push(word);
                known = help(&path).unwrap_or_default();
            }
            let shown = call.join(" ");
            seen.insert(path.join(" "));
            let leaf = subcommands(&known).is_empty() || decides_itself(&known);
            let asks_itself = call.iter().any(|word| word == "--help" || word == "--version");
            if path.is_empty() && !asks_itself {
                wrong.push(format!("{name}: `sluice {shown}`: no such command"));
            } else if !leaf && !asks_itself && call.len() > path.len() {
                wrong.push(format!("{name}: `sluice {shown}`: no such sub-command"));
            }
            for word in &call {
                let option = word.split('=').next().unwrap_or_default();
                let option = option.trim_end_matches([',', ';', '.', ']']);
                let is_option = option.starts_with('-') && option.len() > 1;
                let listed = || {
                    known
                        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '='))
                        .any(|listed| listed == option)
                };
                if is_option && !listed() {
                    wrong.push(format!("{name}: `sluice {shown}`: no option {option}"));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    for needed in ["scan", "classify", "rules check", "verify-manifest"] {
        assert!(seen.contains(needed), "no page shows `sluice {needed}`");
    }
}

/// The name that a heading has as the target of a link.
fn anchor(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn anchors(text: &str) -> Vec<String> {
    lines(text)
        .filter(|(is_code, _)| !is_code)
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(_, line)| anchor(line.trim_start_matches('#')))
        .collect()
}

#[test]
fn links_lead_to_files_and_headings_that_are_there() {
    let mut wrong = Vec::new();
    let mut links = 0;
    for (name, text) in pages() {
        let folder = root().join(&name).parent().unwrap().to_owned();
        for (_, line) in lines(&text).filter(|(is_code, _)| !is_code) {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                links += 1;
                if target.starts_with("https://") || target.starts_with("mailto:") {
                    continue;
                }
                let (file, heading) = target.split_once('#').unwrap_or((target, ""));
                let path = if file.is_empty() { root().join(&name) } else { folder.join(file) };
                let reaches = match heading {
                    _ if !path.exists() => false,
                    "" => true,
                    heading => {
                        anchors(&fs::read_to_string(path).unwrap()).iter().any(|a| a == heading)
                    }
                };
                if !reaches {
                    wrong.push(format!("{name}: {target}"));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(links > 5, "the pages link to each other");
}

#[test]
fn the_changelog_has_an_unreleased_section_that_says_something() {
    let text = page("CHANGELOG.md");
    let section = text.split_once("## [Unreleased]\n").expect("the section is there").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let entries = section.lines().filter(|line| line.starts_with("- ")).count();
    assert!(entries > 0, "it has entries");
}

/// `SLUICE_BLESS=1` writes the page anew.
#[test]
fn the_page_of_the_rules_is_what_the_packs_say() {
    let output = Command::new(env!("CARGO_BIN_EXE_sluice")).args(["rules", "docs"]).output();
    let fresh = String::from_utf8(output.expect("sluice starts").stdout).expect("the page is text");
    assert!(fresh.len() > 10_000, "the page has {} bytes", fresh.len());
    if std::env::var_os("SLUICE_BLESS").is_some() {
        fs::write(root().join("docs/RULES.md"), fresh).expect("the page can be written");
        return;
    }
    let page = page("docs/RULES.md");
    let stale = page.lines().zip(fresh.lines()).find(|(old, new)| old != new);
    assert_eq!(stale, None, "the page is stale: SLUICE_BLESS=1 writes it anew");
    assert_eq!(page.len(), fresh.len(), "the page is stale: SLUICE_BLESS=1 writes it anew");
}

/// The number that a limit of the table stands for: `16 KiB`, `10,000`, `150`.
fn number(text: &str) -> Option<u64> {
    let mut words = text.split_whitespace();
    let number: u64 = words.next()?.replace(',', "").parse().ok()?;
    let unit = match words.next() {
        Some("KiB") => 1 << 10,
        Some("MiB") => 1 << 20,
        _ => 1,
    };
    number.checked_mul(unit)
}

/// The value of an expression as constants have it: `16 * 1024`, `1 << 20`, `10_000`.
fn value(expression: &str) -> Option<u64> {
    let plain = |text: &str| text.trim().replace('_', "").parse::<u64>().ok();
    if let Some((number, shift)) = expression.split_once("<<") {
        return plain(number)?.checked_shl(u32::try_from(plain(shift)?).ok()?);
    }
    expression.split('*').map(plain).try_fold(1u64, |product, factor| product.checked_mul(factor?))
}

/// What a source file gives a constant, or the field of a default.
fn defined(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(root().join("src").join(file)).ok()?;
    text.lines().find_map(|line| {
        let line = line.trim().trim_end_matches([';', ',']);
        let constant = line.split_once("const ").and_then(|(_, rest)| rest.strip_prefix(name));
        let expression = match constant {
            Some(rest) => rest.strip_prefix(':')?.split_once(" = ")?.1,
            None => line.strip_prefix(name)?.strip_prefix(": ")?,
        };
        value(expression)
    })
}

#[test]
fn the_table_of_limits_says_what_the_code_does() {
    let text = page("docs/ARCHITECTURE.md");
    let section = text.split_once("\n## Limits\n").expect("the section is there").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut wrong = Vec::new();
    let mut checked = 0;
    for line in section.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [_, limit, place, ..] = cells.as_slice() else { continue };
        let Some((file, name)) = place.trim_matches('`').split_once(' ') else { continue };
        checked += 1;
        if number(limit).is_none() || number(limit) != defined(file, name) {
            wrong.push(format!("{name} is {:?} in {file}, not {limit}", defined(file, name)));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(checked >= 20, "{checked} limits have a place in the code");
}

#[test]
fn the_readers_of_this_file_can_fail() {
    assert_eq!(number("16 KiB (and more)"), Some(16384));
    assert_eq!(number("10,000"), Some(10_000));
    assert_eq!(number("none"), None);
    assert_eq!(value("16 * 1024"), Some(16384));
    assert_eq!(value("2 << 20"), Some(2 << 20));
    assert_eq!(value("MAX_NAME + 4"), None);
    assert_eq!(defined("scan/plan.rs", "LINE_WINDOW"), Some(128));
    assert_eq!(defined("engine/mod.rs", "max_findings"), Some(10_000));
    assert_eq!(anchor(" What it *is* not, yet"), "what-it-is-not-yet");
    let text = "`sluice scan -j 2` and `scan`\n```sh\n$ sluice rules check x # why\n```\n    \
                sluice man | head";
    let read = calls(text);
    assert_eq!(read, [vec!["scan", "-j", "2"], vec!["rules", "check", "x"], vec!["man"]]);
    assert!(help(&["no-such-command"]).is_none());
    assert!(subcommands(&help(&[]).unwrap()).contains(&"scan"));
    assert!(decides_itself(&help(&["gate"]).unwrap()));
    assert!(!decides_itself(&help(&["rules"]).unwrap()));
}
