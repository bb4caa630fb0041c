//! `sluice rules list`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::ExitCode;

use serde_json::json;
use sluicegate::RuleSet;
use sluicegate::model::{Category, CategoryIndex, Class};

use super::{Folders, Format, anchor_kind, one_line, print, print_json};
use crate::UsageError;
use crate::load::load_rules;

/// List the rules.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only rules of this class: pci, fin, pii, nat, phi, sec, cls, spc or ai
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Only rules whose category falls under this law, in any case: GDPR, HIPAA, `PCI DSS`
    #[arg(long, value_name = "NAME")]
    law: Option<String>,
    /// Only rules for values of this country, two letters
    #[arg(long, value_name = "CC")]
    country: Option<String>,
    #[command(flatten)]
    folders: Folders,
    /// Output format
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// A rule or combination as the list shows it.
struct Row<'a> {
    id: &'a str,
    title: &'a str,
    category: &'a Category,
    country: Option<&'a str>,
    likelihood: u8,
    anchor: &'static str,
    validator: Option<&'static str>,
}

/// Prints the list.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let rules = load_rules(&arguments.folders.dirs)?;
    let mut rows = rows(&rules);
    let mut coverage = String::new();

    if let Some(word) = &arguments.class {
        let class = Class::ALL.into_iter().find(|class| class.as_str().eq_ignore_ascii_case(word));
        let known = Class::ALL.map(Class::as_str);
        let class = class.ok_or_else(|| unknown("class", word, known))?;
        rows.retain(|row| row.category.class == class);
    }
    if let Some(law) = &arguments.law {
        let laws = rules.taxonomy.iter().flat_map(|(_, category)| &category.laws);
        let known: BTreeSet<&str> = laws.map(|law| law.name.as_str()).collect();
        if !known.iter().any(|name| name.eq_ignore_ascii_case(law)) {
            return Err(unknown("law", law, known));
        }
        rows.retain(|row| row.category.laws.iter().any(|l| l.name.eq_ignore_ascii_case(law)));
        coverage = coverage_of(&rules, law);
    }
    if let Some(country) = &arguments.country {
        let known: BTreeSet<&str> =
            rules.rules.iter().filter_map(|rule| rule.country.as_deref()).collect();
        if !known.iter().any(|code| code.eq_ignore_ascii_case(country)) {
            return Err(unknown("country", country, known));
        }
        rows.retain(|row| row.country.is_some_and(|code| code.eq_ignore_ascii_case(country)));
    }
    rows.sort_by_key(|row| (row.category.class, row.id));

    match arguments.format {
        Format::Human => print(&(table(&rows) + &coverage))?,
        Format::Json => print_json(&rows.iter().map(as_json).collect())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(rules: &RuleSet) -> Vec<Row<'_>> {
    let category = |index: CategoryIndex| rules.category(index);
    let plain = rules.rules.iter().filter_map(|rule| {
        Some(Row {
            id: &rule.id,
            title: &rule.title,
            category: category(rule.category)?,
            country: rule.country.as_deref(),
            likelihood: rule.likelihood,
            anchor: anchor_kind(&rule.anchors),
            validator: rule.validator.map(|validator| validator.as_str()),
        })
    });
    let combined = rules.combinations.iter().filter_map(|rule| {
        Some(Row {
            id: &rule.id,
            title: &rule.title,
            category: category(rule.category)?,
            country: None,
            likelihood: rule.likelihood,
            anchor: "combination",
            validator: None,
        })
    });
    plain.chain(combined).collect()
}

fn table(rows: &[Row<'_>]) -> String {
    let head = ["ID", "CATEGORY", "SENSITIVITY", "LIKELIHOOD", "ANCHOR", "VALIDATOR"];
    let cells: Vec<[String; 6]> = rows
        .iter()
        .map(|row| {
            [
                row.id.to_owned(),
                row.category.id.clone(),
                row.category.sensitivity.as_str().to_owned(),
                row.likelihood.to_string(),
                row.anchor.to_owned(),
                row.validator.unwrap_or("-").to_owned(),
            ]
        })
        .collect();
    let mut widths = head.map(str::len);
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let mut out = String::new();
    let mut line = |cells: [&str; 6]| {
        let mut text = String::new();
        for ((cell, width), name) in cells.iter().zip(widths).zip(head) {
            let _ = match name {
                "LIKELIHOOD" => write!(text, "{cell:>width$}  "),
                _ => write!(text, "{cell:width$}  "),
            };
        }
        let _ = writeln!(out, "{}", text.trim_end());
    };
    line(head);
    for row in &cells {
        line(row.each_ref().map(String::as_str));
    }
    let plural = if rows.len() == 1 { "" } else { "s" };
    let _ = writeln!(out, "\n{} rule{plural}", rows.len());
    out
}

/// What of a law the rules cover: its parts, the categories under each, and which have no rule.
fn coverage_of(rules: &RuleSet, name: &str) -> String {
    let mut parts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut shown = name;
    let mut without = Vec::new();
    for (index, category) in rules.taxonomy.iter() {
        let count = rules.rules.iter().filter(|rule| rule.category == index).count()
            + rules.combinations.iter().filter(|rule| rule.category == index).count();
        let laws = category.laws.iter().filter(|law| law.name.eq_ignore_ascii_case(name));
        for law in laws {
            shown = &law.name;
            let text = match count {
                0 => format!("{} (no rule)", category.id),
                _ => category.id.clone(),
            };
            parts.entry(&law.part).or_default().push(text);
            if count == 0 && !without.contains(&category.id.as_str()) {
                without.push(&category.id);
            }
        }
    }
    let mut out = format!("\nwhat of {} is covered\n", one_line(shown));
    if let Some(law) = rules.taxonomy.law(shown) {
        for (what, text) in
            [("title", &law.title), ("of", &law.jurisdiction), ("text", &law.source)]
        {
            let _ = writeln!(out, "  {what:8} {}", one_line(text));
        }
        let _ = writeln!(out, "  {:8} {}", "checked", one_line(&law.checked));
    }
    for (part, categories) in &parts {
        let part = if part.is_empty() { "as a whole" } else { part };
        let _ = writeln!(out, "  {}: {}", one_line(part), categories.join(", "));
    }
    let missing = if without.is_empty() { "none".to_owned() } else { without.join(", ") };
    let _ = writeln!(out, "categories of it without a rule: {missing}");
    out
}

fn as_json(row: &Row<'_>) -> serde_json::Value {
    let category = row.category;
    let laws: Vec<_> =
        category.laws.iter().map(|law| json!({ "law": law.name, "part": law.part })).collect();
    json!({
        "id": row.id,
        "title": row.title,
        "category": category.id,
        "class": category.class.as_str(),
        "sensitivity": category.sensitivity.as_str(),
        "laws": laws,
        "country": row.country,
        "likelihood": row.likelihood,
        "anchor": row.anchor,
        "validator": row.validator,
    })
}

fn unknown<'a>(what: &str, word: &str, known: impl IntoIterator<Item = &'a str>) -> anyhow::Error {
    let known: Vec<&str> = known.into_iter().collect();
    let word = one_line(word);
    UsageError(format!("unknown {what} `{word}`; known: {}", known.join(", "))).into()
}
