//! `sluice rules docs`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::ExitCode;

use sluicegate::RuleSet;
use sluicegate::model::{Category, CategoryIndex, Class};
use sluicegate::rules::{Combination, Example, Rule, Validator};

use super::{Folders, anchor_kind, one_line, print};
use crate::load::load_rules;

/// Examples of a rule that the page shows.
const EXAMPLES: usize = 2;

/// The longest example shown in characters.
const LONGEST: usize = 120;

/// Write a page of all rules in Markdown: what each finds, why, under which laws, with examples.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    folders: Folders,
}

/// Prints the page.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let rules = load_rules(&arguments.folders.dirs)?;
    print(&page(&rules))?;
    Ok(ExitCode::SUCCESS)
}

fn page(rules: &RuleSet) -> String {
    let mut out = String::from(
        "# Rules\n\nWritten by `sluice rules docs`; do not edit. The format of rules is in [RULES-FORMAT.md](RULES-FORMAT.md).\n\n",
    );
    overview(rules, &mut out);
    for class in Class::ALL {
        let categories = rules.taxonomy.iter().filter(|(_, category)| category.class == class);
        let _ = writeln!(out, "## {}\n", class_title(class));
        for (index, category) in categories {
            let plain = rules.rules.iter().filter(|rule| rule.category == index);
            let combined = rules.combinations.iter().filter(|rule| rule.category == index);
            head(category, &mut out);
            let mut count = 0;
            for rule in plain {
                plain_rule(rules, rule, &mut out);
                count += 1;
            }
            for rule in combined {
                combination(rules, rule, &mut out);
                count += 1;
            }
            if count == 0 {
                out.push_str("No rule yet.\n\n");
            }
        }
    }
    validators(&mut out);
    laws(rules, &mut out);
    out
}

fn overview(rules: &RuleSet, out: &mut String) {
    out.push_str(
        "| class | categories | with a rule | rules | combinations |\n|---|---|---|---|---|\n",
    );
    let mut sums = [0; 4];
    for class in Class::ALL {
        let of_class = |category| rules.class(category) == Some(class);
        let found: BTreeSet<u16> = rules
            .rules
            .iter()
            .map(|rule| rule.category)
            .chain(rules.combinations.iter().map(|rule| rule.category))
            .filter(|category| of_class(*category))
            .map(|category| category.0)
            .collect();
        let row = [
            rules.taxonomy.iter().filter(|(_, category)| category.class == class).count(),
            found.len(),
            rules.rules.iter().filter(|rule| of_class(rule.category)).count(),
            rules.combinations.iter().filter(|rule| of_class(rule.category)).count(),
        ];
        sums.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
        let [categories, with, plain, combined] = row;
        let _ = writeln!(
            out,
            "| [{class}](#{}) | {categories} | {with} | {plain} | {combined} |",
            anchor(class_title(class)),
            class = class.as_str(),
        );
    }
    let [categories, with, plain, combined] = sums;
    let _ = writeln!(out, "| all | {categories} | {with} | {plain} | {combined} |\n");
}

fn head(category: &Category, out: &mut String) {
    let _ = writeln!(out, "### {}\n", code(&category.id));
    let regulated = if category.regulated { "" } else { ", not regulated" };
    let laws: Vec<String> = category
        .laws
        .iter()
        .map(|law| escaped(format!("{} {}", law.name, law.part).trim_end()))
        .collect();
    let laws = if laws.is_empty() { "no law".to_owned() } else { laws.join(", ") };
    let _ = writeln!(
        out,
        "{}. {}{regulated}. Laws: {laws}.\n",
        escaped(&category.title),
        category.sensitivity.as_str()
    );
}

fn plain_rule(rules: &RuleSet, rule: &Rule, out: &mut String) {
    let country = rule.country.as_ref().map_or(String::new(), |code| format!(" ({code})"));
    let _ = writeln!(out, "- **{}** {}{country}", code(&rule.id), escaped(&rule.title));
    let _ = writeln!(out, "  - why: {}", escaped(&rule.why));
    let mut what = format!("{} anchor", anchor_kind(&rule.anchors).replace('_', " "));
    if let Some(validator) = rule.validator {
        let _ = write!(what, "; checked by [{0}](#validators)", code(validator.as_str()));
    }
    let _ = write!(what, "; likelihood {}", rule.likelihood);
    if let Some(context) = &rule.context {
        let words: Vec<String> =
            context.terms.iter().take(6).map(|term| escaped(rules.term(*term))).collect();
        let more = context.terms.len().saturating_sub(6);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let needed = if context.required { ", needed" } else { "" };
        let _ = write!(what, "; +{} near: {}{more}{needed}", context.boost, words.join(", "));
    }
    if !rule.columns.is_empty() {
        let _ = write!(what, "; +{} under {} column names", rule.column_boost, rule.columns.len());
    }
    let _ = writeln!(out, "  - how: {what}");
    tail(&rule.source, &rule.examples, &rule.counterexamples, out);
}

fn combination(rules: &RuleSet, rule: &Combination, out: &mut String) {
    let _ = writeln!(out, "- **{}** {}", code(&rule.id), escaped(&rule.title));
    let _ = writeln!(out, "  - why: {}", escaped(&rule.why));
    let ids = |of: &[CategoryIndex]| {
        let ids: Vec<String> = of.iter().map(|index| code(rules.category_id(*index))).collect();
        ids.join(", ")
    };
    let mut near = Vec::new();
    if !rule.near.is_empty() {
        near.push(ids(&rule.near));
    }
    if !rule.terms.is_empty() {
        let words: Vec<String> =
            rule.terms.iter().take(6).map(|term| escaped(rules.term(*term))).collect();
        near.push(format!("one of {} terms such as {}", rule.terms.len(), words.join(", ")));
    }
    let how = match rule.values {
        0 => format!("within {} bytes of {}", rule.within, near.join(", or ")),
        values => format!("{values} values in one column or under one key"),
    };
    let _ = writeln!(out, "  - how: {}; {how}; likelihood {}", ids(&rule.of), rule.likelihood);
    tail(&rule.source, &rule.examples, &rule.counterexamples, out);
}

fn tail(source: &str, examples: &[Example], counterexamples: &[String], out: &mut String) {
    let _ = writeln!(out, "  - source: {}", escaped(source));
    let found: Vec<String> =
        examples.iter().take(EXAMPLES).map(marked).map(|it| code(&it)).collect();
    let not: Vec<String> = counterexamples.iter().take(EXAMPLES).map(|it| code(it)).collect();
    let _ = writeln!(out, "  - finds: {}", found.join(" "));
    let _ = writeln!(out, "  - not: {}\n", not.join(" "));
}

fn validators(out: &mut String) {
    out.push_str("## Validators\n\n| word | what is checked |\n|---|---|\n");
    for validator in Validator::ALL {
        let (word, what) = (validator.as_str(), validator.description());
        let _ = writeln!(out, "| {} | {} |", code(word), escaped(what));
    }
    out.push('\n');
}

fn laws(rules: &RuleSet, out: &mut String) {
    out.push_str("## Laws\n\n`sluice rules list --law NAME` lists the rules of one.\n\n");
    out.push_str("| law | what it is | parts and their categories | text | compared |\n|---|---|---|---|---|\n");
    let mut all: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for (_, category) in rules.taxonomy.iter() {
        for law in &category.laws {
            all.entry(&law.name).or_default().entry(&law.part).or_default().push(&category.id);
        }
    }
    for (name, parts) in all {
        let parts: Vec<String> = parts
            .iter()
            .map(|(part, ids)| {
                let ids: Vec<String> = ids.iter().map(|id| code(id)).collect();
                format!("{} {}", escaped(part), ids.join(", ")).trim().to_owned()
            })
            .collect();
        let (title, source, checked) = match rules.taxonomy.law(name) {
            Some(law) => (
                format!("{} ({})", law.title, law.jurisdiction),
                law.source.clone(),
                law.checked.clone(),
            ),
            None => (String::new(), String::new(), "not described".to_owned()),
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            escaped(name),
            escaped(&title),
            parts.join("; "),
            escaped(&source),
            escaped(&checked)
        );
    }
}

fn class_title(class: Class) -> &'static str {
    match class {
        Class::Pci => "Payment cards",
        Class::Fin => "Other financial data",
        Class::Pii => "Personal data",
        Class::Nat => "National identifiers",
        Class::Phi => "Health",
        Class::Sec => "Secrets and credentials",
        Class::Cls => "Marks of classification",
        Class::Spc => "Special categories",
        Class::Ai => "AI workflows",
    }
}

/// The name that a heading has as the target of a link.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}

/// An example with its marks.
fn marked(example: &Example) -> String {
    let part = |from, to| example.text.get(from..to).unwrap_or_default();
    let (start, end) = (example.start, example.end);
    format!("{}⟦{}⟧{}", part(0, start), part(start, end), part(end, example.text.len()))
}

/// A code span that holds any text: shortened, line ends shown, fenced by enough backquotes.
fn code(text: &str) -> String {
    let line = one_line(&text.replace('\n', "␊").replace('\r', "␍").replace('\t', "␉"));
    let mut cut: String = line.chars().take(LONGEST).collect();
    if line.chars().nth(LONGEST).is_some() {
        cut.push('…');
    }
    if !cut.contains('`') {
        return format!("`{cut}`");
    }
    let longest = cut.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    format!("{fence} {cut} {fence}")
}

/// Text that Markdown shows as it stands, also in a table.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in one_line(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
