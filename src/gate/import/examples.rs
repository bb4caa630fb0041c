//! Examples and counterexamples for the rules of a pack, made from their regexes and tried.

use std::sync::Arc;

use super::rule::Draft;
use super::sample::{Kind, sample};
use super::{ImportError, Note, Turn};
use crate::decode::{Encoding, Format, Structure};
use crate::engine::{Options, Scanner};
use crate::model::{RuleIndex, Span};
use crate::rules::{RuleSet, Source};

/// Texts that are tried for a rule.
const TRIED: u64 = 100;

/// Examples of each kind that a rule gets.
const WANTED: usize = 2;

/// Lines without anything to find.
const NOTHING: [&str; 4] = ["nothing of the kind stands here", "see the notes", "to be done", "-"];

/// Gives each rule its examples, tried by itself: a rule that finds nothing of what is made for it is left
/// out. Then all are loaded beside the built-in rules, and a rule that never gets its turn there is noted.
pub fn given(
    drafts: Vec<Draft>,
    builtin: &[Source],
    notes: &mut Vec<Note>,
) -> Result<Vec<Draft>, ImportError> {
    let mut kept = Vec::with_capacity(drafts.len());
    for mut draft in drafts {
        let alone = draft.alone().map(|rules| scanner(Arc::new(rules)));
        let examples = alone.as_ref().and_then(|scanner| examples(scanner, &draft));
        let (Some(scanner), Some(examples)) = (alone, examples) else {
            let what = "no text could be made that it finds, to stand as an example";
            notes.push(draft.note(Turn::Left, what.to_owned()));
            continue;
        };
        draft.examples = examples;
        draft.counterexamples = counterexamples(&scanner, &draft);
        kept.push(draft);
    }
    let rules = loaded(&kept, builtin)?;
    let scanner = scanner(Arc::clone(&rules));
    for draft in &kept {
        if let Some(other) = covered(&scanner, &rules, draft) {
            let what = format!(
                "`{other}` finds what it does with better evidence, and stands in its place; it is there for what \
                 that one refuses"
            );
            notes.push(draft.note(Turn::Covered, what));
        }
    }
    Ok(kept)
}

fn scanner(rules: Arc<RuleSet>) -> Scanner {
    let format =
        Format { encoding: Encoding::Bytes, bom: 0, structure: Structure::Text, opaque: None };
    Scanner::new(rules, Options { format: Some(format), ..Options::default() })
}

fn loaded(drafts: &[Draft], builtin: &[Source]) -> Result<Arc<RuleSet>, ImportError> {
    let text = drafts.iter().map(Draft::to_toml).collect();
    let mut sources = builtin.to_vec();
    sources.push(Source { name: "pack".to_owned(), text, builtin: false });
    RuleSet::compile(&sources).map(Arc::new).map_err(|wrong| {
        let first = wrong.iter().next().map(|it| format!("line {}: {}", it.line, it.code.as_str()));
        ImportError::NotLoaded(first.unwrap_or_default())
    })
}

/// Texts in which a rule finds something, the value marked.
fn examples(scanner: &Scanner, draft: &Draft) -> Option<Vec<String>> {
    let mut examples: Vec<String> = Vec::new();
    let mut spare: Vec<String> = Vec::new();
    for text in texts(draft) {
        let inside = format!("see {text} there");
        let ways = if examples.is_empty() { [text, inside] } else { [inside, text] };
        let found = ways.iter().filter_map(|way| marked(way, *spans(scanner, way).first()?));
        let mut found = found.filter(|one| !examples.contains(one)).collect::<Vec<_>>().into_iter();
        examples.extend(found.next());
        // The same value again, where there is no other.
        spare.extend(found);
        if examples.len() == WANTED {
            return Some(examples);
        }
    }
    examples.extend(spare.into_iter().take(WANTED - examples.len()));
    (examples.len() == WANTED).then_some(examples)
}

/// Texts like those that it finds in which it finds nothing.
fn counterexamples(scanner: &Scanner, draft: &Draft) -> Vec<String> {
    let mut found = Vec::new();
    let halves = texts(draft).map(|text| {
        let half: String = text.chars().take(text.chars().count() / 2).collect();
        half.trim().to_owned()
    });
    let nothing = NOTHING.iter().map(|text| (*text).to_owned());
    for text in halves.take(8).chain(nothing) {
        let is_new = !text.is_empty() && !found.contains(&text) && !text.contains(['⟦', '⟧']);
        if is_new && spans(scanner, &text).is_empty() {
            found.push(text);
        }
        if found.len() == WANTED {
            break;
        }
    }
    found
}

/// The rule that stands in the place of this one in all its examples.
fn covered(scanner: &Scanner, rules: &RuleSet, draft: &Draft) -> Option<String> {
    let mut other = None;
    for example in &draft.examples {
        let text = example.replace(['⟦', '⟧'], "");
        let findings = scanner.scan(text.as_bytes()).findings;
        let id = |rule: RuleIndex| rules.rule_id(rule);
        if findings.iter().any(|finding| id(finding.rule) == draft.id) {
            return None;
        }
        other = other.or_else(|| findings.first().map(|finding| id(finding.rule).to_owned()));
    }
    other
}

fn spans(scanner: &Scanner, text: &str) -> Vec<Span> {
    scanner.scan(text.as_bytes()).findings.iter().map(|finding| finding.span).collect()
}

/// Texts made for a rule, the varied ones first.
fn texts(draft: &Draft) -> impl Iterator<Item = String> {
    let kinds = (0..TRIED).map(|seed| (Kind::Varied, seed)).chain([(Kind::Flat, 0)]);
    kinds.filter_map(move |(kind, seed)| sample(&draft.root, kind, seed))
}

fn marked(text: &str, span: Span) -> Option<String> {
    let (start, end) = (usize::try_from(span.start).ok()?, usize::try_from(span.end).ok()?);
    let (before, value, after) = (text.get(..start)?, text.get(start..end)?, text.get(end..)?);
    (!value.is_empty() && !text.contains(['⟦', '⟧'])).then(|| format!("{before}⟦{value}⟧{after}"))
}
