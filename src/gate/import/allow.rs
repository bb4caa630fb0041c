//! Allowlists as `unless` of a rule.

use super::expression::{Expression, Unread};
use super::pattern::{Style, write};
use super::read::{Allowlist, Target};
use super::{Note, Turn};
use crate::rules::Unless;

/// Words and patterns of one list in a pack.
const MAX_TEXTS: usize = 2_000;

/// What an allowlist comes to.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// Each makes a match no finding.
    pub entries: Vec<Unless>,
    /// Whether nothing is left to be found.
    pub everything: bool,
}

/// Turns an allowlist into entries, and notes what does not become one. `owner` is the rule that it is
/// part of.
pub fn allowed(list: &Allowlist, owner: Option<&str>, notes: &mut Vec<Note>) -> Allowed {
    let mut out = Allowed::default();
    let mut note = |turn: Turn, what: String| {
        notes.push(Note::new(&list.file, list.line, owner, turn, what));
    };
    let outside = [("commits", &list.commits), ("paths", &list.paths)];
    let outside: Vec<String> = outside
        .iter()
        .filter(|(_, entries)| !entries.is_empty())
        .map(|(name, entries)| format!("`{name}` ({})", entries.len()))
        .collect();
    let is_bare = list.regexes.is_empty() && list.stopwords.is_empty();
    if is_bare && outside.is_empty() {
        note(Turn::Ignored, "an allowlist that states nothing, which gitleaks refuses".to_owned());
        return out;
    }
    if !outside.is_empty() {
        let whole =
            if list.all && !is_bare { ", and with it all that has to hold beside it," } else { "" };
        let what = format!(
            "{} of an allowlist{whole} not carried over: what a payload holds does not depend on where it \
             lies; an exception of the gate does",
            outside.join(" and ")
        );
        note(Turn::Wider, what);
        if list.all || is_bare {
            return out;
        }
    }
    let mut patterns = Vec::new();
    let mut is_always = false;
    for (number, regex) in (1..).zip(&list.regexes) {
        match Expression::read(regex) {
            Ok(read) if read.root.can_be_empty() => is_always = true,
            Ok(read) => {
                if list.target == Target::Line
                    && read.root.asks_for(super::expression::Place::Start)
                {
                    let what = format!(
                        "regex {number} of an allowlist: `^` is the start of the line here; gitleaks 8.30.1 \
                         looks at the line break before it too, so that there it holds in the first line alone \
                         unless white space may follow it"
                    );
                    note(Turn::Narrower, what);
                }
                patterns
                    .push(write(&read.root, Style { names: &[], lead: None, characters: false }));
            }
            Err(why @ Unread::Malformed(_)) => {
                note(Turn::Wider, format!("regex {number} of an allowlist: {why}"))
            }
            Err(why) => {
                note(Turn::Wider, format!("regex {number} of an allowlist not carried over: {why}"))
            }
        }
    }
    let words: Vec<String> =
        list.stopwords.iter().filter(|word| !word.is_empty()).cloned().collect();
    if words.len() < list.stopwords.len() {
        note(Turn::Ignored, "an empty stop word".to_owned());
    }
    let has_regexes = !list.regexes.is_empty();
    if list.all {
        // A kind that is there and of which nothing could be kept can never hold.
        let is_lost = has_regexes && !is_always && patterns.is_empty();
        let is_wordless = !list.stopwords.is_empty() && words.is_empty();
        if is_lost || is_wordless {
            return out;
        }
        if is_always {
            patterns.clear();
        }
        out.everything = is_always && words.is_empty();
        if !out.everything {
            out.entries.push(entry(words, patterns, list.target));
        }
        return out;
    }
    out.everything = is_always;
    for words in words.chunks(MAX_TEXTS) {
        out.entries.push(entry(words.to_vec(), Vec::new(), list.target));
    }
    for patterns in patterns.chunks(MAX_TEXTS) {
        out.entries.push(entry(Vec::new(), patterns.to_vec(), list.target));
    }
    out
}

fn entry(words: Vec<String>, patterns: Vec<String>, target: Target) -> Unless {
    let mut unless = Unless { words, ..Unless::default() };
    match target {
        Target::Secret => unless.value = patterns,
        Target::Match => unless.matched = patterns,
        Target::Line => unless.line = patterns,
    }
    unless
}

/// Entries with one list alone are joined where they are of one kind: each list is read once.
pub fn joined(entries: Vec<Unless>) -> Vec<Unless> {
    let mut out: Vec<Unless> = Vec::new();
    for entry in entries {
        let kind = only_kind(&entry);
        let like = kind.and_then(|kind| {
            let fits = |other: &&mut Unless| {
                only_kind(other) == Some(kind) && count(other) + count(&entry) <= MAX_TEXTS
            };
            out.iter_mut().find(fits)
        });
        match like {
            Some(other) => {
                for (to, from) in lists(other).into_iter().zip([
                    &entry.words,
                    &entry.value,
                    &entry.matched,
                    &entry.line,
                ]) {
                    to.extend(from.iter().cloned());
                    let mut seen = std::collections::HashSet::new();
                    to.retain(|text| seen.insert(text.clone()));
                }
            }
            None => out.push(entry),
        }
    }
    out
}

fn lists(entry: &mut Unless) -> [&mut Vec<String>; 4] {
    [&mut entry.words, &mut entry.value, &mut entry.matched, &mut entry.line]
}

fn count(entry: &Unless) -> usize {
    [&entry.words, &entry.value, &entry.matched, &entry.line].iter().map(|list| list.len()).sum()
}

/// The position of the only list that is not empty.
fn only_kind(entry: &Unless) -> Option<usize> {
    let all = [&entry.words, &entry.value, &entry.matched, &entry.line];
    let mut filled = all.iter().enumerate().filter(|(_, list)| !list.is_empty());
    let (kind, _) = filled.next()?;
    filled.next().is_none().then_some(kind)
}
