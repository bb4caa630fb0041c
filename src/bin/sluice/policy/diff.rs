//! `sluice policy diff`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use sluicegate::RuleSet;
use sluicegate::config::{self, Config, Origin};
use sluicegate::model::{Channel, Effect};
use sluicegate::policy::{
    self, Axis, CategorySet, Data, Difference, Direction, Group, Point, RegisterChange, Transform,
    category_words,
};

use super::Format;
use crate::UsageError;
use crate::load::load_rules;
use crate::register::{ENGINE, read, rejected};
use crate::rules::{Folders, print, print_json};

/// Compare two registers.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The register before
    old: PathBuf,
    /// The register after
    new: PathBuf,
    #[command(flatten)]
    folders: Folders,
    /// Output format
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Prints the difference. Exit code 1 where anything opens, else 0.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let rules = load_rules(&arguments.folders.dirs)?;
    let load = |path: &PathBuf| -> anyhow::Result<Config> {
        let source = read(path)?;
        config::compile(&source, &rules.taxonomy, Origin::System, ENGINE)
            .map_err(|diagnostics| rejected(&source, &diagnostics))
    };
    let (old, new) = (load(&arguments.old)?, load(&arguments.new)?);
    let mut difference = policy::diff(&old.policy, &new.policy, &rules.taxonomy)
        .map_err(|error| UsageError(error.to_string()))?;
    if old.settings.record_required != new.settings.record_required {
        let weakens = old.settings.record_required;
        let word = if weakens { "no longer" } else { "now" };
        let text = format!("records are {word} required of `scan` and `gate`");
        difference.register.push(RegisterChange { weakens, text });
    }
    match arguments.format {
        Format::Human => print(&human(&difference, &rules))?,
        Format::Json => print_json(&as_json(&difference, &rules))?,
    }
    Ok(ExitCode::from(u8::from(difference.opens())))
}

fn human(difference: &Difference, rules: &RuleSet) -> String {
    let mut out = String::new();
    let mut last = None;
    for group in &difference.groups {
        if last.replace(group.direction) != Some(group.direction) {
            let _ = writeln!(out, "{}", group.direction.as_str());
        }
        let (old, new) = (answer(group.old), answer(group.new));
        let flows = group.flows();
        let plural = if flows == 1 { "" } else { "s" };
        let _ = writeln!(out, "  {old} -> {new}  ({flows} flow{plural})");
        for (at, words) in data_words(&group.data, rules).iter().enumerate() {
            write_words(&mut out, if at == 0 { "data" } else { "or" }, words);
        }
        let names = |axis: &Axis<BTreeSet<String>>| -> Vec<String> {
            if axis.all { vec!["any".to_owned()] } else { axis.values.iter().cloned().collect() }
        };
        write_words(&mut out, "destination", &names(&group.destinations));
        write_words(&mut out, "workflow", &names(&group.workflows));
        write_words(&mut out, "purpose", &names(&group.purposes));
        write_words(&mut out, "channel", &channels(&group.channels));
    }
    if !difference.register.is_empty() {
        out.push_str("register\n");
        for change in &difference.register {
            let mark = if change.weakens { "weaker" } else { "other" };
            let _ = writeln!(out, "  {mark:<11} {}", change.text);
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    let count = |direction| difference.flows(direction);
    let weaker = difference.register.iter().filter(|change| change.weakens).count();
    let _ = writeln!(
        out,
        "{} flows open, {} close, {} change; {} other changes, {weaker} of them weaker",
        count(Direction::Opens),
        count(Direction::Closes),
        count(Direction::Changes),
        difference.register.len(),
    );
    out
}

fn answer((effect, transform): (Effect, Option<Transform>)) -> String {
    match transform {
        Some(transform) => format!("{} ({})", effect.as_str(), transform.as_str()),
        None => effect.as_str().to_owned(),
    }
}

fn channels(axis: &Axis<BTreeSet<Channel>>) -> Vec<String> {
    if axis.all {
        return vec!["any".to_owned()];
    }
    axis.values.iter().map(|channel| channel.as_str().to_owned()).collect()
}

/// What the payloads hold: a list of words for each kind and amount of data.
fn data_words(data: &BTreeSet<(Data, Point)>, rules: &RuleSet) -> Vec<Vec<String>> {
    let mut kinds: BTreeMap<(u8, &Point), (CategorySet, Vec<String>)> = BTreeMap::new();
    for (data, point) in data {
        let kind = match data {
            Data::Nothing => 0,
            Data::Category(_) => 1,
            Data::Lineage(_) => 2,
            Data::Coverage(_) => 3,
        };
        let (categories, words) = kinds.entry((kind, point)).or_default();
        match data {
            Data::Nothing => words.push("nothing found".to_owned()),
            Data::Category(category) | Data::Lineage(category) => categories.insert(*category),
            Data::Coverage(reason) => words.push(reason.as_str().to_owned()),
        }
    }
    let line = |entry: ((u8, &Point), (CategorySet, Vec<String>))| {
        let ((kind, point), (categories, mut words)) = entry;
        words.extend(category_words(&categories, &rules.taxonomy));
        if let Some(first) = words.first_mut() {
            match kind {
                2 => first.insert_str(0, "from an earlier step: "),
                3 => first.insert_str(0, "not inspected whole: "),
                _ => {}
            }
        }
        let amount = amount(point, rules);
        if let Some(last) = words.last_mut().filter(|_| !amount.is_empty()) {
            last.push_str(&format!("; {amount}"));
        }
        words
    };
    kinds.into_iter().map(line).collect()
}

/// What a point asks for beyond one finding.
fn amount(point: &Point, rules: &RuleSet) -> String {
    let base = Point::base();
    let mut parts = Vec::new();
    if point.possible {
        parts.push("only possible".to_owned());
    }
    if point.count > base.count {
        // As many findings as there are different values go without saying.
        if point.count > u64::from(point.unique) {
            parts.push(format!("from {} findings on", point.count));
        }
    }
    if point.unique > base.unique {
        parts.push(format!("from {} different values on", point.unique));
    }
    if point.likelihood > base.likelihood {
        parts.push(format!("from likelihood {} on", point.likelihood));
    }
    if !point.contains.is_empty() {
        let ids: Vec<&str> = point.contains.iter().map(|it| rules.category_id(*it)).collect();
        parts.push(format!("together with {}", ids.join(", ")));
    }
    parts.join(", ")
}

fn write_words(out: &mut String, name: &str, words: &[String]) {
    let mut line = format!("    {name:<12}");
    for (at, word) in words.iter().enumerate() {
        let comma = if at + 1 < words.len() { "," } else { "" };
        if line.len() + word.len() + 2 > 100 && line.trim().len() > name.len() {
            let _ = writeln!(out, "{line}");
            line = format!("    {:<12}", "");
        }
        let _ = write!(line, " {word}{comma}");
    }
    let _ = writeln!(out, "{line}");
}

fn as_json(difference: &Difference, rules: &RuleSet) -> Value {
    let groups: Vec<Value> =
        difference.groups.iter().map(|group| group_json(group, rules)).collect();
    let register: Vec<Value> = difference
        .register
        .iter()
        .map(|change| json!({ "weakens": change.weakens, "text": change.text }))
        .collect();
    json!({
        "opens": difference.flows(Direction::Opens),
        "closes": difference.flows(Direction::Closes),
        "changes": difference.flows(Direction::Changes),
        "flows": groups,
        "register": register,
    })
}

fn group_json(group: &Group, rules: &RuleSet) -> Value {
    let side = |(effect, transform): (Effect, Option<Transform>)| json!({ "effect": effect.as_str(), "transform": transform.map(Transform::as_str) });
    let data: Vec<Value> = group
        .data
        .iter()
        .map(|(data, point)| {
            let mut entry = Map::new();
            match data {
                Data::Nothing => entry.insert("nothing".into(), true.into()),
                Data::Category(it) => {
                    entry.insert("category".into(), rules.category_id(*it).into())
                }
                Data::Lineage(it) => entry.insert("lineage".into(), rules.category_id(*it).into()),
                Data::Coverage(it) => entry.insert("coverage".into(), it.as_str().into()),
            };
            let base = Point::base();
            let mut add = |name: &str, differs: bool, value: Value| {
                if differs {
                    entry.insert(name.into(), value);
                }
            };
            add("count", point.count > base.count, point.count.into());
            add("unique", point.unique > base.unique, point.unique.into());
            add("likelihood", point.likelihood > base.likelihood, point.likelihood.into());
            add("possible", point.possible, true.into());
            let ids: Vec<&str> = point.contains.iter().map(|it| rules.category_id(*it)).collect();
            add("contains", !ids.is_empty(), ids.into());
            Value::Object(entry)
        })
        .collect();
    let channels: Vec<&str> = group.channels.values.iter().map(|it| it.as_str()).collect();
    json!({
        "direction": group.direction.as_str(),
        "old": side(group.old),
        "new": side(group.new),
        "flows": group.flows(),
        "data": data,
        "destinations": group.destinations.values,
        "workflows": group.workflows.values,
        "purposes": group.purposes.values,
        "channels": channels,
    })
}
