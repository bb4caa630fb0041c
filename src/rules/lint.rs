//! What a reviewer would want to know of a rule that loads.

use std::collections::{HashMap, HashSet};

use super::diagnostic::Code;
use super::pack::{MIN_KEYWORD, Prose, RawCombination, RawContext, RawRule};
use super::reader::{Located, Place, Reporter, shown};
use super::{
    ByteSet, DIGIT_SEPARATORS, Rule, VALUE_GROUPS, normalise_name, normalise_term, pattern,
};
use crate::model::{Band, Likelihood};

/// Reads per byte past which a rule is refused.
const MAX_COST: u32 = 1024;

/// Reads per byte past which a rule deserves a second look.
const HIGH_COST: u32 = 64;

/// Numbers of digits that very many unrelated things have: phone numbers, order numbers, times.
const BARE_DIGITS: std::ops::RangeInclusive<usize> = 9..=11;

/// Words so common in text and code that an anchor of one is no prefilter.
const COMMON: &[&str] = &[
    "http", "https", "name", "data", "date", "type", "this", "that", "with", "from", "have",
    "text", "value", "code", "user", "null", "true", "false", "number", "class", "function",
    "return", "import", "string", "const", "self", "static", "void", "else", "href", "span",
];

/// Looks at one rule after the other.
#[derive(Default)]
pub(super) struct Linter {
    /// Pattern and category of the rules so far, with their ids.
    seen: HashMap<(String, String), String>,
}

impl Linter {
    /// Lints a rule; `rule` is there if it loads.
    pub fn rule(&mut self, raw: &RawRule, rule: Option<&Rule>, reporter: &mut Reporter<'_>) {
        prose(raw.at, &raw.prose, reporter);
        examples(raw.at, raw.examples.len(), raw.counterexamples.len(), reporter);
        raw.context.iter().chain(&raw.negative).for_each(|context| terms(context, reporter));
        repeated("column", &raw.columns, normalise_name, reporter);
        if let Some(keywords) = raw.anchors.as_ref().and_then(|anchors| anchors.keywords.as_ref()) {
            repeated("keyword", keywords, str::to_ascii_lowercase, reporter);
            keywords.iter().for_each(|keyword| common(keyword, reporter));
        }
        self.reachable(raw, reporter);
        shape(raw, reporter);
        if let Some(rule) = rule {
            cost(raw, rule, reporter);
        }
    }

    /// Lints a combination.
    pub fn combination(&mut self, raw: &RawCombination, reporter: &mut Reporter<'_>) {
        prose(raw.at, &raw.prose, reporter);
        examples(raw.at, raw.examples.len(), raw.counterexamples.len(), reporter);
        raw.terms.iter().for_each(|one| term(one, reporter));
        repeated("term", &raw.terms, normalise_term, reporter);
        repeated("category", &raw.of, str::to_owned, reporter);
        repeated("category", &raw.near, str::to_owned, reporter);
    }

    fn reachable(&mut self, raw: &RawRule, reporter: &mut Reporter<'_>) {
        let key = (raw.pattern.value.clone(), raw.category.value.clone());
        if let Some(first) = self.seen.get(&key) {
            let message = format!("`{}` has the same pattern and category", shown(first));
            let help = Some("join the two rules".to_owned());
            reporter.report_with_help(raw.pattern.at, Code::Unreachable, message, help);
        } else {
            self.seen.insert(key, raw.id.value.clone());
        }
    }
}

fn prose(at: Place, prose: &Prose, reporter: &mut Reporter<'_>) {
    let texts = [("title", &prose.title), ("why", &prose.why), ("source", &prose.source)];
    for (key, _) in texts.iter().filter(|(_, text)| text.is_empty()) {
        reporter.report(at, Code::MissingText, format!("`{key}` is missing or empty"));
    }
}

fn examples(at: Place, positive: usize, negative: usize, reporter: &mut Reporter<'_>) {
    for (what, count) in [("examples", positive), ("counterexamples", negative)] {
        if count < 2 {
            let message = format!("{count} {what}, at least 2 are needed");
            reporter.report(at, Code::TooFewExamples, message);
        }
    }
}

fn terms(context: &RawContext, reporter: &mut Reporter<'_>) {
    context.terms.iter().for_each(|one| term(one, reporter));
    repeated("term", &context.terms, normalise_term, reporter);
    repeated("list", &context.lists, str::to_owned, reporter);
}

fn term(term: &Located<String>, reporter: &mut Reporter<'_>) {
    let normal = normalise_term(&term.value);
    if normal != term.value && !normal.is_empty() {
        let message = format!("term `{}` is not in its normal form", shown(&term.value));
        let help = Some(format!("write `{}`", shown(&normal)));
        reporter.report_with_help(term.at, Code::BadTerm, message, help);
    }
}

fn repeated(
    what: &str,
    texts: &[Located<String>],
    normalise: impl Fn(&str) -> String,
    reporter: &mut Reporter<'_>,
) {
    let mut seen = HashSet::new();
    for text in texts {
        if !seen.insert(normalise(&text.value)) {
            let message = format!("{what} `{}` is there already", shown(&text.value));
            reporter.report(text.at, Code::Repeated, message);
        }
    }
}

fn common(keyword: &Located<String>, reporter: &mut Reporter<'_>) {
    let word = keyword.value.to_ascii_lowercase();
    let short = word.len() == MIN_KEYWORD && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    if short || COMMON.contains(&word.as_str()) {
        let problem = if short { "is short" } else { "is common" };
        let message = format!("keyword `{}` {problem}, the rule is tried often", shown(&word));
        reporter.report(keyword.at, Code::CommonKeyword, message);
    }
}

fn shape(raw: &RawRule, reporter: &mut Reporter<'_>) {
    let Ok(hir) = pattern::parse(&raw.pattern.value) else { return };
    let groups = pattern::groups(&hir);
    for name in groups.iter().filter(|name| !VALUE_GROUPS.contains(&name.as_str())) {
        let message = match name.as_str() {
            "" => "an unnamed group is captured and never read".to_owned(),
            name => format!("group `{}` is never read", shown(name)),
        };
        let help = Some("use `(?:...)`; only a group named `value` has a meaning".to_owned());
        reporter.report_with_help(raw.pattern.at, Code::UnreadGroup, message, help);
    }
    if let (Some(stated), Some(most)) = (&raw.max_length, hir.properties().maximum_len())
        && most <= stated.value
    {
        let message = format!("the pattern matches at most {most} bytes by itself");
        reporter.report(stated.at, Code::UnusedMaxLength, message);
    }

    let numeric: ByteSet = (b'0'..=b'9').chain(DIGIT_SEPARATORS.iter().copied()).collect();
    let (least, most) = pattern::digit_counts(&hir);
    // Separators that have to be there make a shape of their own.
    let bare = pattern::consumed(&hir).is_subset(&numeric)
        && hir.properties().minimum_len() == Some(least)
        && least <= *BARE_DIGITS.end()
        && most >= *BARE_DIGITS.start();
    let sure =
        Likelihood::new(u32::try_from(raw.likelihood.value).unwrap_or(100)).band() >= Band::Likely;
    let evidence_needed = raw.context.as_ref().is_some_and(|context| context.required);
    if bare && sure && !evidence_needed {
        let code =
            if raw.validator.is_some() { Code::BareDigitsValidated } else { Code::BareDigits };
        let message = "a bare 9- to 11-digit shape is `likely` without evidence";
        let help = Some("lower `likelihood` below 65, or set `required` in `context`".to_owned());
        reporter.report_with_help(raw.likelihood.at, code, message, help);
    }
}

fn cost(raw: &RawRule, rule: &Rule, reporter: &mut Reporter<'_>) {
    let reads = rule.reads_per_byte();
    let code = match reads {
        0..=HIGH_COST => return,
        _ if reads <= MAX_COST => Code::CostHigh,
        _ => Code::CostTooHigh,
    };
    let message = format!("the rule can read a byte {reads} times");
    let help = "begin the pattern at its anchor, shorten it, or state a `boundary` that holds \
                every byte that it can consume";
    reporter.report_with_help(raw.pattern.at, code, message, Some(help.to_owned()));
}

#[cfg(test)]
mod tests {
    use super::super::{Source, check};
    use super::*;

    const TAXONOMY: &str = include_str!("../../tests/data/rules/taxonomy.toml");
    const PACK: &str = include_str!("../../tests/data/rules/pack.toml");

    /// Codes of the lints that a changed pack has.
    fn lints(from: &str, to: &str) -> Vec<Code> {
        assert!(PACK.contains(from));
        let text = PACK.replacen(from, to, 1);
        let source = |text: &str| Source { name: "p".into(), text: text.into(), builtin: true };
        let (_, diagnostics) = check(&[source(TAXONOMY), source(&text)]);
        diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
    }

    #[test]
    fn a_good_pack_has_no_lints() {
        assert_eq!(lints("SSN", "SSN"), []);
    }

    #[test]
    fn bare_digits_need_evidence_to_be_likely() {
        assert_eq!(lints("likelihood = 40", "likelihood = 64"), []);
        assert_eq!(lints("likelihood = 40", "likelihood = 65"), [Code::BareDigitsValidated]);
        let unchecked = "validator = \"us_ssn\"\nlikelihood = 40";
        assert_eq!(lints(unchecked, "likelihood = 65"), [Code::BareDigits]);
        let dashes = r"\b\d{3}[- ]\d{2}[- ]\d{4}\b'''";
        let shape = r"\b\d{3}[- ]?\d{2}[- ]?\d{4}\b'''";
        let sure = |pattern: &str| format!("{pattern}\nvalidator = \"us_ssn\"\nlikelihood = 70");
        let now = format!("{shape}\nvalidator = \"us_ssn\"\nlikelihood = 40");
        assert_eq!(lints(&now, &sure(dashes)), []);
    }

    #[test]
    fn cost_counts_windows_that_overlap() {
        let boundary = "boundary = '[A-Za-z0-9._%+@-]'";
        assert_eq!(lints(boundary, ""), [Code::CostHigh]);
        let source = |text: &str| Source { name: "p".into(), text: text.into(), builtin: true };
        let (rules, _) = check(&[source(TAXONOMY), source(PACK)]);
        let reads: Vec<u32> =
            rules.unwrap().rules.iter().map(super::super::Rule::reads_per_byte).collect();
        // 11 bytes at numbers two bytes apart; twice for its boundary; 20 bytes at `akia` and `asia`, of
        // which the last letter can begin the next.
        assert_eq!(reads, [6, 2, 7]);
    }
}
