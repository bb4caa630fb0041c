//! `sluice rules explain`

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::{Value, json};
use sluicegate::RuleSet;
use sluicegate::model::{Category, CategoryIndex, Likelihood, TermIndex};
use sluicegate::rules::{Anchors, ByteSet, Combination, Context, Example, Lead, Rule, Unless};

use super::{Folders, Format, anchor_kind, one_line, print, print_json, times, unknown_id};
use crate::load::load_rules;

/// Say what a rule finds, why, and how sure it is.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The rule, as `sluice rules list` shows it
    id: String,
    #[command(flatten)]
    folders: Folders,
    /// Output format
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Prints the explanation.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let rules = load_rules(&arguments.folders.dirs)?;
    let id = &arguments.id;
    let plain = rules.rules.iter().find(|rule| rule.id == *id);
    let combined = rules.combinations.iter().find(|rule| rule.id == *id);
    match (plain, combined, arguments.format) {
        (Some(rule), _, Format::Human) => print(&explain_rule(&rules, rule))?,
        (Some(rule), _, Format::Json) => print_json(&rule_json(&rules, rule))?,
        (None, Some(rule), Format::Human) => print(&explain_combination(&rules, rule))?,
        (None, Some(rule), Format::Json) => print_json(&combination_json(&rules, rule))?,
        (None, None, _) => return Err(unknown_id(&rules, id)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Lines of a name and a text, the texts in one column.
struct Page(String);

impl Page {
    fn new(id: &str, title: &str) -> Page {
        Page(format!("{id}: {}\n\n", one_line(title)))
    }

    fn line(&mut self, name: &str, text: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{name:15} {}", one_line(&text.to_string()));
    }

    fn category(&mut self, category: Option<&Category>) {
        let Some(category) = category else { return };
        self.line("category", format_args!("{} ({})", category.id, category.title));
        self.line("class", category.class.as_str());
        self.line("sensitivity", category.sensitivity.as_str());
        let laws: Vec<String> = category
            .laws
            .iter()
            .map(|law| format!("{} {}", law.name, law.part).trim_end().to_owned())
            .collect();
        if !laws.is_empty() {
            self.line("laws", laws.join(", "));
        }
    }

    fn examples(&mut self, examples: &[Example], counterexamples: &[String]) {
        self.0.push_str("\nfinds\n");
        for example in examples {
            let _ = writeln!(self.0, "    {}", one_line(&marked(example)));
        }
        self.0.push_str("does not find\n");
        for text in counterexamples {
            let _ = writeln!(self.0, "    {}", one_line(text));
        }
    }
}

fn explain_rule(rules: &RuleSet, rule: &Rule) -> String {
    let mut page = Page::new(&rule.id, &rule.title);
    page.category(rules.category(rule.category));
    page.line("why", &rule.why);
    page.line("source", &rule.source);
    if let Some(country) = &rule.country {
        page.line("country", country);
    }
    page.line("defined at", format_args!("{}:{}", rule.origin.file, rule.origin.line));
    page.0.push('\n');

    page.line("pattern", rule.pattern.trim());
    page.line("anchor", anchor_text(&rule.anchors));
    page.line("lead", lead_text(&rule.lead));
    page.line("bounds", format_args!("match of at most {} bytes", rule.max_length));
    if rule.reach > rule.max_length {
        page.line("", format_args!("the validator reads at most {} bytes", rule.reach));
    }
    if let Some(boundary) = &rule.boundary {
        page.line("", format_args!("not directly behind {}", class_text(boundary)));
    }
    page.line("cost", format_args!("reads a byte at most {}", times(rule.reads_per_byte())));
    match rule.validator {
        Some(validator) => {
            page.line(
                "validator",
                format_args!("{}: {}", validator.as_str(), validator.description()),
            );
        }
        None => page.line("validator", "none"),
    }
    if let Some(entropy) = rule.entropy {
        page.line("entropy", format_args!("more than {} bits a character", bits(entropy)));
    }
    for unless in &rule.unless {
        page.line("unless", unless_text(unless));
    }
    page.0.push('\n');

    for (name, likelihood) in arithmetic(rule) {
        let band = likelihood.band().as_str().replace('_', " ");
        page.line("likelihood", format_args!("{:>3} ({band}) {name}", likelihood.get()));
    }
    if rule.context.as_ref().is_some_and(|context| context.required) {
        page.line("", "no finding without a context term or listed column");
    }
    if let Some(negative) = &rule.negative {
        page.line("", format_args!("{} less with a negative term", negative.boost));
    }
    if rule.validator.is_some() {
        page.line("", "at most 50 for a published example");
    }
    if let Some(context) = &rule.context {
        page.line("context", context_text(rules, context));
    }
    if let Some(negative) = &rule.negative {
        page.line("negative", context_text(rules, negative));
    }
    if !rule.columns.is_empty() {
        page.line("columns", rule.columns.join(", "));
    }
    page.examples(&rule.examples, &rule.counterexamples);
    page.0
}

fn explain_combination(rules: &RuleSet, rule: &Combination) -> String {
    let mut page = Page::new(&rule.id, &rule.title);
    page.category(rules.category(rule.category));
    page.line("why", &rule.why);
    page.line("source", &rule.source);
    page.line("defined at", format_args!("{}:{}", rule.origin.file, rule.origin.line));
    page.0.push('\n');
    page.line("rests on", category_ids(rules, &rule.of).join(", "));
    if !rule.near.is_empty() {
        page.line("near", category_ids(rules, &rule.near).join(", "));
    }
    if !rule.terms.is_empty() {
        page.line("or near terms", term_texts(rules, &rule.terms).join(", "));
    }
    match rule.values {
        0 => page.line("within", format_args!("{} bytes", rule.within)),
        values => page.line("values", format_args!("{values} in one column or under one key")),
    }
    page.line("likelihood", rule.likelihood);
    page.examples(&rule.examples, &rule.counterexamples);
    page.0
}

/// The likelihoods that a finding can have, with the evidence that leads to each.
fn arithmetic(rule: &Rule) -> Vec<(&'static str, Likelihood)> {
    let base = u32::from(rule.likelihood);
    let context = rule.context.as_ref().filter(|context| !context.terms.is_empty());
    let context = context.map(|context| u32::from(context.boost));
    let column = (!rule.columns.is_empty()).then(|| u32::from(rule.column_boost));
    let required = rule.context.as_ref().is_some_and(|context| context.required);
    let mut lines = Vec::new();
    if !required {
        lines.push(("by itself", Likelihood::new(base)));
    }
    if let Some(boost) = context {
        lines.push(("with a context term", Likelihood::new(base + boost)));
    }
    if let Some(boost) = column {
        lines.push(("in a listed column", Likelihood::new(base + boost)));
    }
    if let Some((context, column)) = context.zip(column) {
        // Both say much the same thing, so the second adds little.
        lines.push(("with both", Likelihood::new(base + context.max(column) + 7)));
    }
    lines
}

fn anchor_text(anchors: &Anchors) -> String {
    match anchors {
        Anchors::Keywords(keywords) => {
            let words: Vec<String> =
                keywords.iter().map(|word| format!("`{}`", one_line(word))).collect();
            format!("one of the keywords {}", words.join(", "))
        }
        Anchors::Digits { min, max } if min == max => format!("a number of {min} digits"),
        Anchors::Digits { min, max } => format!("a number of {min} to {max} digits"),
        Anchors::Shape(shape) => format!("the shape `{}`", shape.as_str()),
    }
}

fn lead_text(lead: &Lead) -> String {
    match lead {
        Lead::Bytes(0) => "a match starts at its anchor".to_owned(),
        Lead::Bytes(bytes) => format!("a match starts at most {bytes} bytes before its anchor"),
        Lead::Run(class, bytes) => {
            format!(
                "a match starts with at most {bytes} of {} before its anchor",
                class_text(class)
            )
        }
    }
}

fn context_text(rules: &RuleSet, context: &Context) -> String {
    let terms = term_texts(rules, &context.terms).join(", ");
    format!("{terms} (within {} bytes before, {} after)", context.before, context.after)
}

fn term_texts<'a>(rules: &'a RuleSet, terms: &[TermIndex]) -> Vec<&'a str> {
    terms.iter().map(|term| rules.term(*term)).collect()
}

fn category_ids<'a>(rules: &'a RuleSet, categories: &[CategoryIndex]) -> Vec<&'a str> {
    categories.iter().map(|category| rules.category_id(*category)).collect()
}

/// Thousandths of a bit, in bits.
fn bits(thousandths: u16) -> f64 {
    f64::from(thousandths) / 1000.0
}

fn unless_text(unless: &Unless) -> String {
    let lists = [
        ("the value holds", &unless.words),
        ("the value matches", &unless.value),
        ("the match matches", &unless.matched),
        ("its line matches", &unless.line),
    ];
    let filled = lists.iter().filter(|(_, texts)| !texts.is_empty());
    filled
        .map(|(what, texts)| format!("{what} `{}`", texts.join("` or `")))
        .collect::<Vec<_>>()
        .join(" and ")
}

/// A set of bytes as a character class: `[A-Za-z0-9_]`.
fn class_text(set: &ByteSet) -> String {
    let mut text = String::from("[");
    let mut bytes = (0..=255u8).filter(|byte| set.contains(*byte)).peekable();
    while let Some(first) = bytes.next() {
        let mut last = first;
        while let Some(next) = bytes.next_if(|next| Some(*next) == last.checked_add(1)) {
            last = next;
        }
        let shown = |byte: u8| byte.escape_ascii().to_string();
        text.push_str(&shown(first));
        if last > first {
            if last - first > 1 {
                text.push('-');
            }
            text.push_str(&shown(last));
        }
    }
    text.push(']');
    text
}

/// An example with its value between marks.
fn marked(example: &Example) -> String {
    let part = |range: std::ops::Range<usize>| example.text.get(range).unwrap_or_default();
    let before = part(0..example.start);
    let value = part(example.start..example.end);
    let after = part(example.end..example.text.len());
    format!("{before}⟦{value}⟧{after}")
}

fn rule_json(rules: &RuleSet, rule: &Rule) -> Value {
    let context = |context: &Context| {
        json!({
            "terms": term_texts(rules, &context.terms),
            "before": context.before,
            "after": context.after,
            "boost": context.boost,
            "required": context.required,
        })
    };
    let anchor = match &rule.anchors {
        Anchors::Keywords(keywords) => json!({ "keywords": keywords }),
        Anchors::Digits { min, max } => json!({ "digits": [min, max] }),
        Anchors::Shape(shape) => json!({ "shape": shape.as_str() }),
    };
    let likelihoods: Vec<Value> = arithmetic(rule)
        .into_iter()
        .map(|(evidence, likelihood)| {
            let (value, band) = (likelihood.get(), likelihood.band().as_str());
            json!({ "evidence": evidence, "likelihood": value, "band": band })
        })
        .collect();
    let mut value = common_json(rules, &rule.id, &rule.title, rule.category);
    extend(
        &mut value,
        json!({
            "why": rule.why,
            "source": rule.source,
            "country": rule.country,
            "file": rule.origin.file,
            "line": rule.origin.line,
            "pattern": rule.pattern,
            "anchor_kind": anchor_kind(&rule.anchors),
            "anchors": anchor,
            "lead": rule.lead.max(),
            "lead_class": match &rule.lead {
                Lead::Run(class, _) => Some(class_text(class)),
                Lead::Bytes(_) => None,
            },
            "max_length": rule.max_length,
            "reach": rule.reach,
            "boundary": rule.boundary.as_ref().map(class_text),
            "reads_per_byte": rule.reads_per_byte(),
            "validator": rule.validator.map(|validator| json!({
                "name": validator.as_str(),
                "description": validator.description(),
            })),
            "entropy": rule.entropy.map(bits),
            "unless": rule.unless.iter().map(unless_json).collect::<Vec<_>>(),
            "likelihood": rule.likelihood,
            "likelihoods": likelihoods,
            "context": rule.context.as_ref().map(context),
            "negative": rule.negative.as_ref().map(context),
            "columns": rule.columns,
            "column_boost": rule.column_boost,
            "examples": rule.examples.iter().map(marked).collect::<Vec<_>>(),
            "counterexamples": rule.counterexamples,
        }),
    );
    value
}

fn unless_json(unless: &Unless) -> Value {
    json!({
        "words": unless.words,
        "value": unless.value,
        "match": unless.matched,
        "line": unless.line,
    })
}

fn combination_json(rules: &RuleSet, rule: &Combination) -> Value {
    let mut value = common_json(rules, &rule.id, &rule.title, rule.category);
    extend(
        &mut value,
        json!({
            "why": rule.why,
            "source": rule.source,
            "file": rule.origin.file,
            "line": rule.origin.line,
            "of": category_ids(rules, &rule.of),
            "near": {
                "categories": category_ids(rules, &rule.near),
                "terms": term_texts(rules, &rule.terms),
            },
            "within": rule.within,
            "values": rule.values,
            "likelihood": rule.likelihood,
            "examples": rule.examples.iter().map(marked).collect::<Vec<_>>(),
            "counterexamples": rule.counterexamples,
        }),
    );
    value
}

fn common_json(rules: &RuleSet, id: &str, title: &str, category: CategoryIndex) -> Value {
    let category = rules.category(category);
    let laws: Vec<Value> = category
        .iter()
        .flat_map(|category| &category.laws)
        .map(|law| json!({ "law": law.name, "part": law.part }))
        .collect();
    json!({
        "id": id,
        "title": title,
        "category": category.map(|category| &category.id),
        "class": category.map(|category| category.class.as_str()),
        "sensitivity": category.map(|category| category.sensitivity.as_str()),
        "laws": laws,
    })
}

fn extend(value: &mut Value, more: Value) {
    if let (Value::Object(value), Value::Object(more)) = (value, more) {
        value.extend(more);
    }
}
