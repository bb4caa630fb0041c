//! Examples and counterexamples for the rules of a pack, made from their regexes and tried beside the
//! built-in rules.

use std::sync::Arc;

use super::rule::Draft;
use super::sample::{Kind, sample};
use super::{ImportError, Note, Turn};
use crate::decode::{Encoding, Format, Structure};
use crate::engine::{Options, Scanner};
use crate::model::{RuleIndex, Span};
use crate::rules::{RuleSet, Source};

/// Texts that are tried for a rule.
const TRIED: u64 = 60;

/// Examples of each kind that a rule gets.
const WANTED: usize = 2;

/// Lines without anything to find.
const NOTHING: [&str; 4] = ["nothing of the kind stands here", "see the notes", "to be done", "-"];

/// Gives each rule its examples. A rule that never gets its turn, since a built-in one finds all that it
/// does, is left out, which is noted.
pub fn given(
    mut drafts: Vec<Draft>,
    builtin: &[Source],
    notes: &mut Vec<Note>,
) -> Result<Vec<Draft>, ImportError> {
    // Without a rule that is left out another may get its turn.
    while !drafts.is_empty() {
        let rules = loaded(&drafts, builtin)?;
        let format =
            Format { encoding: Encoding::Bytes, bom: 0, structure: Structure::Text, opaque: None };
        let options = Options { format: Some(format), ..Options::default() };
        let scanner = Scanner::new(Arc::clone(&rules), options);
        let mut kept = Vec::with_capacity(drafts.len());
        let mut left = 0;
        for mut draft in drafts {
            let position = rules.rules.iter().position(|rule| rule.id == draft.id);
            let Some(index) = position.and_then(|it| u32::try_from(it).ok()).map(RuleIndex) else {
                continue;
            };
            let tried = Tried { scanner: &scanner, rules: &rules, index };
            match tried.examples(&draft) {
                Ok(examples) => {
                    draft.examples = examples;
                    draft.counterexamples = tried.counterexamples(&draft);
                    kept.push(draft);
                }
                Err(why) => {
                    let (file, line, id) = &draft.from;
                    notes.push(Note::new(file, *line, Some(id), Turn::Left, why));
                    left += 1;
                }
            }
        }
        drafts = kept;
        if left == 0 {
            break;
        }
    }
    loaded(&drafts, builtin)?;
    Ok(drafts)
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

struct Tried<'a> {
    scanner: &'a Scanner,
    rules: &'a RuleSet,
    index: RuleIndex,
}

impl Tried<'_> {
    /// Texts in which the rule finds something, the value marked; or why there are none.
    fn examples(&self, draft: &Draft) -> Result<Vec<String>, String> {
        let mut examples: Vec<String> = Vec::new();
        let mut spare: Vec<String> = Vec::new();
        let mut by_others: Option<String> = None;
        for text in texts(draft) {
            let inside = format!("see {text} there");
            let ways = if examples.is_empty() { [text, inside] } else { [inside, text] };
            let mut found = Vec::new();
            for way in ways {
                match self.spans(&way).first() {
                    Some(span) => found.extend(marked(&way, *span)),
                    None => by_others = by_others.or_else(|| self.other(&way)),
                }
            }
            found.retain(|one| !examples.contains(one));
            let mut found = found.into_iter();
            examples.extend(found.next());
            // The same value again, where there is no other.
            spare.extend(found);
            if examples.len() == WANTED {
                return Ok(examples);
            }
        }
        examples.extend(spare.into_iter().take(WANTED - examples.len()));
        if examples.len() == WANTED {
            return Ok(examples);
        }
        Err(match by_others {
            Some(id) if examples.is_empty() => {
                format!("rule `{id}` finds what it does, with better evidence")
            }
            _ => {
                "no text could be made that it finds and that could stand as an example".to_owned()
            }
        })
    }

    /// Texts like those that it finds in which it finds nothing.
    fn counterexamples(&self, draft: &Draft) -> Vec<String> {
        let mut found = Vec::new();
        let halves = texts(draft).map(|text| {
            let half: String = text.chars().take(text.chars().count() / 2).collect();
            half.trim().to_owned()
        });
        let nothing = NOTHING.iter().map(|text| (*text).to_owned());
        for text in halves.take(8).chain(nothing) {
            let is_new = !text.is_empty() && !found.contains(&text) && !text.contains(['⟦', '⟧']);
            if is_new && self.spans(&text).is_empty() {
                found.push(text);
            }
            if found.len() == WANTED {
                break;
            }
        }
        found
    }

    fn spans(&self, text: &str) -> Vec<Span> {
        let findings = self.scanner.scan(text.as_bytes()).findings;
        let own = findings.iter().filter(|finding| finding.rule == self.index);
        own.map(|finding| finding.span).collect()
    }

    /// The first other rule that finds something in a text.
    fn other(&self, text: &str) -> Option<String> {
        let findings = self.scanner.scan(text.as_bytes()).findings;
        findings.first().map(|finding| self.rules.rule_id(finding.rule).to_owned())
    }
}

/// Texts made for a rule, the varied ones first.
fn texts(draft: &Draft) -> impl Iterator<Item = String> {
    let root = draft.root.clone();
    let kinds = (0..TRIED).map(|seed| (Kind::Varied, seed)).chain([(Kind::Flat, 0)]);
    kinds.filter_map(move |(kind, seed)| sample(&root, kind, seed))
}

fn marked(text: &str, span: Span) -> Option<String> {
    let (start, end) = (usize::try_from(span.start).ok()?, usize::try_from(span.end).ok()?);
    let (before, value, after) = (text.get(..start)?, text.get(start..end)?, text.get(end..)?);
    (!value.is_empty() && !text.contains(['⟦', '⟧'])).then(|| format!("{before}⟦{value}⟧{after}"))
}
