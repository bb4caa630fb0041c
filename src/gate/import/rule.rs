//! One rule of a configuration becomes one of ours, or the reason why it does not.
//!
//! Whether a pattern is bounded, holds its anchor and costs little enough is for the loader of rule packs
//! to say: a rule is offered to it in one form after the other until it takes one.

use std::fmt::Write;

use super::allow::{Allowed, allowed, joined};
use super::category::category;
use super::expression::{Expression, Node};
use super::pattern::{Style, write};
use super::read::{Allowlist, RawRule};
use super::{Note, Turn, shown};
use crate::rules::{self, Anchors, Code, Rule, RuleSet, Source, Unless, VALUE_GROUPS};

/// How sure a finding of an imported rule is: gitleaks reports it, so it counts.
const LIKELIHOOD: u8 = 80;

/// The same for a rule that is called generic: in gitleaks it gives way to any other.
const GENERIC: u8 = 75;

/// The same for a bare number of 9 to 11 digits, which counts for nothing without evidence.
const POSSIBLE: u8 = 60;

/// What a match without bound is cut to, from the first to the last that is tried.
const LENGTHS: [usize; 8] = [4096, 2048, 1024, 768, 512, 384, 256, 128];

/// What a repeat without bound before the first word of an expression is bounded to.
const LEAD: u32 = 100;

/// The most entries of `unless`.
const MAX_UNLESS: usize = 50;

/// Proofs of one rule that may exceed their limit.
const MAX_TOO_LARGE: usize = 2;

/// Anchors that are tried where no word is to be had.
const SHAPES: [&str; 9] = [
    "{ digits = 16 }",
    "{ digits = 9 }",
    "{ digits = 6 }",
    "{ digits = 4 }",
    "{ shape = \"letters_digits\" }",
    "{ shape = \"token\" }",
    "{ shape = \"hex_colon\" }",
    "{ shape = \"at\" }",
    "{ shape = \"letters\" }",
];

/// A rule of ours on its way into a pack.
#[derive(Clone, Debug)]
pub struct Draft {
    pub id: String,
    pub category: &'static str,
    pub title: String,
    pub why: String,
    pub source: String,
    pub pattern: String,
    pub anchors: Option<String>,
    pub max_length: Option<usize>,
    pub entropy: usize,
    pub unless: Vec<Unless>,
    pub likelihood: u8,
    /// With the value between marks.
    pub examples: Vec<String>,
    pub counterexamples: Vec<String>,
    /// What it was made from.
    pub root: Node,
    /// Of the rule that it was made from.
    pub from: (String, usize, String),
}

/// Allowlists for all rules, turned once.
pub struct Global {
    rules: Vec<String>,
    allowed: Allowed,
}

impl Global {
    /// Turns one.
    pub fn new(list: &Allowlist, notes: &mut Vec<Note>) -> Global {
        Global { rules: list.rules.clone(), allowed: allowed(list, None, notes) }
    }

    fn is_for(&self, id: &str) -> bool {
        self.rules.is_empty() || self.rules.iter().any(|rule| rule == id)
    }
}

/// Makes a rule with this id of one of gitleaks. None where it cannot be carried over, which is noted.
pub fn draft(
    raw: &RawRule,
    id: String,
    globals: &[Global],
    use_default: bool,
    notes: &mut Vec<Note>,
) -> Option<Draft> {
    let (draft, more) = match made(raw, id, globals, use_default) {
        Ok(made) => made,
        Err(why) => {
            notes.push(Note::new(&raw.file, raw.line, Some(&raw.id), Turn::Left, why));
            return None;
        }
    };
    notes.extend(more);
    Some(draft)
}

fn made(
    raw: &RawRule,
    id: String,
    globals: &[Global],
    use_default: bool,
) -> Result<(Draft, Vec<Note>), String> {
    let mut notes = Vec::new();
    let Some(regex) = &raw.regex else {
        return Err(match (&raw.path, use_default) {
            (Some(_), _) => "it looks at paths alone; what a payload holds does not depend on them",
            (None, true) => "it changes one of gitleaks' own rules, which are not carried over",
            (None, false) => "it has neither `regex` nor `path`, which gitleaks refuses",
        }
        .to_owned());
    };
    if raw.skip_report {
        return Err("`skipReport`: by itself it reports nothing".to_owned());
    }
    let read = Expression::read(regex).map_err(|why| format!("its regex: {why}"))?;
    let names = value_names(&read, raw.secret_group)?;
    let mut note = |turn: Turn, what: &str| {
        notes.push(Note::new(&raw.file, raw.line, Some(&raw.id), turn, what.to_owned()));
    };
    if raw.path.is_some() {
        note(Turn::Wider, "`path` not carried over: it is looked for in every file");
    }
    if !raw.requires.is_empty() {
        let what = "`required` not carried over: it is reported without the rules that it asks for";
        note(Turn::Wider, what);
    }
    if raw.is_rounded {
        note(Turn::Wider, "`entropy` is rounded down to three decimals");
    }
    let mut unless: Vec<Unless> = Vec::new();
    let mut lists: Vec<Allowed> = Vec::new();
    for list in &raw.allowlists {
        lists.push(allowed(list, Some(&raw.id), &mut notes));
    }
    let fit = globals.iter().filter(|global| global.is_for(&raw.id)).map(|it| it.allowed.clone());
    for list in lists.into_iter().chain(fit) {
        if list.everything {
            return Err("an allowlist allows all that it could find".to_owned());
        }
        unless.extend(list.entries);
    }
    let mut unless = joined(unless);
    let mut note = |turn: Turn, what: String| {
        notes.push(Note::new(&raw.file, raw.line, Some(&raw.id), turn, what));
    };
    if unless.len() > MAX_UNLESS {
        unless.truncate(MAX_UNLESS);
        note(Turn::Wider, format!("only the first {MAX_UNLESS} parts of its allowlists"));
    }
    if raw.entropy >= 8_000 {
        return Err("no value has as much entropy as it asks for".to_owned());
    }
    let mut draft = Draft {
        id,
        category: category(&raw.id, &raw.description, &raw.tags),
        title: one_line(if raw.description.is_empty() { &raw.id } else { &raw.description }),
        why: why(raw),
        source: one_line(&format!("rule `{}` of {}", raw.id, raw.file)),
        pattern: String::new(),
        anchors: None,
        max_length: None,
        entropy: raw.entropy,
        unless,
        likelihood: if raw.id.to_lowercase().contains("generic") { GENERIC } else { LIKELIHOOD },
        examples: vec!["⟦x⟧".to_owned(); 2],
        counterexamples: vec!["x".to_owned(); 2],
        root: read.root.clone(),
        from: (raw.file.clone(), raw.line, raw.id.clone()),
    };
    let keywords: Vec<String> = raw.keywords.iter().map(|word| word.to_lowercase()).collect();
    let mut counting = draft.clone();
    let (mut rule, is_led) = fitted(&mut draft, &names, &keywords, false)?;
    if counts_characters(&draft.root, &names) {
        match fitted(&mut counting, &names, &keywords, true) {
            Ok((other, led)) if led == is_led && is_as_good(&counting, &draft) => {
                (draft, rule) = (counting, other);
            }
            _ => {
                let what = "its regex counts characters, which would be too long or too costly here: beyond \
                            ASCII its bytes are counted";
                note(Turn::Narrower, what.to_owned());
            }
        }
    }
    if !keywords.is_empty() && !holds_keyword(&rule, &keywords) {
        let what = "`keywords` not carried over: gitleaks looks for it only in texts that hold one of them";
        note(Turn::Wider, what.to_owned());
    }
    if is_led {
        let what = format!("repeats before its first word are bounded to {LEAD}");
        note(Turn::Bounded, what);
    }
    if let Some(length) = draft.max_length {
        note(
            Turn::Bounded,
            format!("a match has {length} bytes at most: longer text is cut there"),
        );
    }
    if draft.likelihood == POSSIBLE {
        let what =
            "a bare number of 9 to 11 digits: `possible`, so that it decides nothing by itself";
        note(Turn::Narrower, what.to_owned());
    }
    Ok((draft, notes))
}

/// Whether it matters for an expression that one character has several bytes.
fn counts_characters(root: &Node, names: &[(u32, &'static str)]) -> bool {
    let written = |characters| write(root, Style { names, lead: None, characters });
    written(true) != written(false)
}

/// Whether nothing is lost of a rule in one form against another.
fn is_as_good(rule: &Draft, other: &Draft) -> bool {
    let length = |it: &Draft| it.max_length.unwrap_or(usize::MAX);
    let is_worded =
        |it: &Draft| it.anchors.as_ref().is_none_or(|anchors| anchors.contains("keywords"));
    length(rule) >= length(other)
        && rule.likelihood >= other.likelihood
        && (is_worded(rule) || !is_worded(other))
}

/// The first form of the rule that the loader takes, and whether repeats had to be bounded for it.
fn fitted(
    draft: &mut Draft,
    names: &[(u32, &'static str)],
    keywords: &[String],
    characters: bool,
) -> Result<(Rule, bool), String> {
    let mut first_reason = None;
    let mut too_large = 0;
    let as_anchors = |words: &[String]| -> Option<String> {
        let fits = |word: &String| (3..=32).contains(&word.len()) && word.is_ascii();
        let fit = !words.is_empty() && words.len() <= 64 && words.iter().all(fits);
        fit.then(|| format!("{{ keywords = {} }}", list(words)))
    };
    let stated = as_anchors(keywords);
    let plain = write(&draft.root, Style { names, lead: None, characters });
    let led = write(&draft.root, Style { names, lead: Some(LEAD), characters });
    for (pattern, is_led) in [(&plain, false), (&led, true)] {
        if is_led && plain == led {
            break;
        }
        draft.pattern = pattern.clone();
        let mut best: Option<(Draft, Rule)> = None;
        let shapes = SHAPES.iter().map(|shape| Some((*shape).to_owned()));
        let all = [None].into_iter().chain(stated.clone().map(Some)).chain(shapes);
        for anchors in all {
            let is_shape = anchors.as_ref().is_some_and(|anchors| !anchors.contains("keywords"));
            if is_shape && best.is_some() {
                break;
            }
            let mut tried = Draft { anchors, max_length: None, ..draft.clone() };
            match adjusted(&mut tried) {
                Ok(rule) if holds_keyword(&rule, keywords) => {
                    *draft = tried;
                    return Ok((rule, is_led));
                }
                Ok(rule) => {
                    best.get_or_insert((tried, rule));
                }
                Err((code, why)) => {
                    first_reason.get_or_insert(why);
                    // Another anchor seldom makes a proof smaller, and each try costs as much.
                    too_large += usize::from(code == Code::ProofTooLarge);
                    if too_large > MAX_TOO_LARGE {
                        return Err(first_reason.unwrap_or_default());
                    }
                    let of_anchor = [
                        Code::NoAnchor,
                        Code::AnchorNotHeld,
                        Code::LeadTooLong,
                        Code::ProofTooLarge,
                        Code::BadAnchors,
                        Code::CostTooHigh,
                    ];
                    if !of_anchor.contains(&code) {
                        return Err(first_reason.unwrap_or_default());
                    }
                }
            }
        }
        if let Some((tried, rule)) = best {
            *draft = tried;
            return Ok((rule, is_led));
        }
    }
    Err(first_reason.unwrap_or_default())
}

/// Whether the anchor of a rule says that each of its matches holds one of these words.
fn holds_keyword(rule: &Rule, keywords: &[String]) -> bool {
    let Anchors::Keywords(words) = &rule.anchors else { return keywords.is_empty() };
    let held =
        |word: &String| keywords.iter().any(|keyword| word.to_lowercase().contains(&**keyword));
    keywords.is_empty() || words.iter().all(held)
}

/// Cuts a rule as far as the loader asks for.
fn adjusted(draft: &mut Draft) -> Result<Rule, (Code, String)> {
    let mut lengths = LENGTHS.into_iter();
    loop {
        let (rules, wrong) = loaded(draft);
        if let Some(rule) = rules.and_then(|rules| rules.rules.first().cloned()) {
            return Ok(rule);
        }
        let Some((code, why)) = wrong else { return Err((Code::Syntax, String::new())) };
        match code {
            Code::PatternUnbounded | Code::PatternTooLong if draft.max_length.is_none() => {
                draft.max_length = lengths.next();
            }
            Code::CostTooHigh => match lengths.next() {
                Some(length) => draft.max_length = Some(length),
                None => return Err((code, why)),
            },
            Code::BareDigits if draft.likelihood > POSSIBLE => draft.likelihood = POSSIBLE,
            code => return Err((code, why)),
        }
    }
}

/// What the loader says of a rule by itself: the set, or the first error in words.
fn loaded(draft: &Draft) -> (Option<RuleSet>, Option<(Code, String)>) {
    let category = format!(
        "[[category]]\nid = \"{}\"\ntitle = \"x\"\nsensitivity = \"restricted\"\n",
        draft.category
    );
    let source = |name: &str, text, builtin| Source { name: name.to_owned(), text, builtin };
    let sources = [source("taxonomy", category, true), source("rule", draft.to_toml(), false)];
    let (rules, diagnostics) = rules::check(&sources);
    let mut errors = diagnostics.iter().filter(|it| it.severity == rules::Severity::Error);
    let first = errors.next().map(|it| (it.code, reason(it.code, &it.message)));
    (rules, first)
}

/// Why a rule is not taken, for those who know gitleaks.
fn reason(code: Code, message: &str) -> String {
    match code {
        Code::NoAnchor | Code::AnchorNotHeld => {
            "no word of three bytes, number or token stands in everything that its regex matches, and a \
             rule is tried nowhere else"
                .to_owned()
        }
        Code::LeadTooLong => {
            "the first word that its regex asks for can stand more than 256 bytes behind the start".to_owned()
        }
        Code::ProofTooLarge => {
            "its regex is too large to prove that all it matches holds a word to look for".to_owned()
        }
        Code::CostTooHigh => "its regex would read a byte more than 1,024 times".to_owned(),
        // What is wrong with a regex may quote it.
        Code::PatternSyntax => "its regex is no pattern of ours".to_owned(),
        _ => message.to_owned(),
    }
}

/// The groups that bound the value. gitleaks takes `secretGroup`, or where that is not stated the first
/// group that holds anything, or all.
fn value_names(read: &Expression, secret_group: u32) -> Result<Vec<(u32, &'static str)>, String> {
    if secret_group > read.groups {
        return Err(format!(
            "`secretGroup` is {secret_group} and its regex has {} groups, which gitleaks refuses",
            read.groups
        ));
    }
    if secret_group > 0 {
        return Ok(vec![(secret_group, "value")]);
    }
    let mut groups = Vec::new();
    outer_groups(&read.root, true, &mut groups);
    let mut numbers: Vec<u32> = Vec::new();
    let mut may_be_empty = false;
    for group in &groups {
        numbers.push(group.number);
        may_be_empty |= group.may_be_empty;
        if group.is_certain && !group.may_be_empty {
            may_be_empty = false;
            break;
        }
    }
    if may_be_empty {
        numbers.push(0);
    }
    if numbers.len() > VALUE_GROUPS.len() {
        return Err(format!("more than {} groups may hold its secret", VALUE_GROUPS.len() - 1));
    }
    Ok(numbers.into_iter().zip(VALUE_GROUPS).collect())
}

struct OuterGroup {
    number: u32,
    /// It takes part in every match.
    is_certain: bool,
    may_be_empty: bool,
}

/// Groups that lie in no other: where an inner one holds anything, the outer one does.
fn outer_groups(node: &Node, is_certain: bool, out: &mut Vec<OuterGroup>) {
    match node {
        Node::Group(number, of) => {
            let may_be_empty = of.can_be_empty();
            out.push(OuterGroup { number: *number, is_certain, may_be_empty });
        }
        Node::Sequence(parts) => parts.iter().for_each(|part| outer_groups(part, is_certain, out)),
        Node::Choice(parts) => parts.iter().for_each(|part| outer_groups(part, false, out)),
        Node::Repeat { of, least, .. } => outer_groups(of, is_certain && *least > 0, out),
        _ => {}
    }
}

fn why(raw: &RawRule) -> String {
    let tags = raw.tags.join(", ");
    let tags = if tags.is_empty() { tags } else { format!(" Tags: {tags}.") };
    one_line(&format!("Carried over from gitleaks.{tags}"))
}

/// A text for people, of a length that a pack takes.
pub fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = shown(&line);
    if line.is_empty() { "no title".to_owned() } else { line }
}

/// A list of strings in TOML.
pub fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A string in TOML: as it is where that can be, else with escapes. Always on one line.
pub fn quoted(text: &str) -> String {
    if !text.contains('\'') && !text.chars().any(char::is_control) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl Draft {
    /// A note on the rule that it was made from.
    pub fn note(&self, turn: Turn, what: String) -> Note {
        let (file, line, id) = &self.from;
        Note::new(file, *line, Some(id), turn, what)
    }

    /// A set of this rule alone; none if it does not load.
    pub fn alone(&self) -> Option<RuleSet> {
        loaded(self).0
    }

    /// The rule as a pack writes it.
    pub fn to_toml(&self) -> String {
        let mut out = String::from("[[rule]]\n");
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(out, "{key} = {value}");
        };
        line("id", &quoted(&self.id));
        line("category", &quoted(self.category));
        line("title", &quoted(&self.title));
        line("why", &quoted(&self.why));
        line("source", &quoted(&self.source));
        line("pattern", &quoted(&self.pattern));
        if let Some(anchors) = &self.anchors {
            line("anchors", anchors);
        }
        if let Some(length) = self.max_length {
            line("max_length", &length.to_string());
        }
        if self.entropy > 0 {
            let entropy = format!("{}.{:03}", self.entropy / 1000, self.entropy % 1000);
            let entropy = entropy.trim_end_matches('0');
            line("entropy", entropy.strip_suffix('.').unwrap_or(entropy));
        }
        line("likelihood", &self.likelihood.to_string());
        if !self.unless.is_empty() {
            line(
                "unless",
                &format!("[\n{}]", self.unless.iter().map(unless_line).collect::<String>()),
            );
        }
        line("examples", &list(&self.examples));
        line("counterexamples", &list(&self.counterexamples));
        out
    }
}

fn unless_line(unless: &Unless) -> String {
    let lists = [
        ("words", &unless.words),
        ("value", &unless.value),
        ("match", &unless.matched),
        ("line", &unless.line),
    ];
    let filled = lists.iter().filter(|(_, texts)| !texts.is_empty());
    let filled: Vec<String> =
        filled.map(|(key, texts)| format!("{key} = {}", list(texts))).collect();
    format!("    {{ {} }},\n", filled.join(", "))
}
