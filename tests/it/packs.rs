//! The shipped packs by themselves: every example's value is found by the pattern at its span and
//! passes the validator, with an anchor inside; no counterexample does. The engine's own run of the
//! examples comes on top of this; here the patterns are tried without it, at every offset.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // A test fails by panicking.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex_automata::{Anchored, Input, meta::Regex, util::syntax};
use sluicegate::rules::{DIGIT_SEPARATORS, Validator};
use sluicegate::scan::validate::{Candidate, Verdict, check};

/// A value that a pattern found and a validator accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    pub span: (usize, usize),
    pub published: bool,
}

/// A rule as its pack writes it.
pub struct Rule {
    table: toml::Table,
    pattern: Regex,
    boundary: Option<Regex>,
}

fn regex(pattern: &str) -> Regex {
    let syntax = syntax::Config::new().unicode(false).utf8(false);
    let config = Regex::config().utf8_empty(false);
    Regex::builder().syntax(syntax).configure(config).build(pattern).unwrap()
}

impl Rule {
    pub fn new(table: toml::Table) -> Rule {
        let pattern = regex(table["pattern"].as_str().unwrap());
        let boundary = table.get("boundary").map(|class| regex(class.as_str().unwrap()));
        Rule { table, pattern, boundary }
    }

    pub fn id(&self) -> &str {
        self.table["id"].as_str().unwrap()
    }

    fn validator(&self) -> Option<Validator> {
        let word = self.table.get("validator")?.as_str().unwrap();
        Some(Validator::from_word(word).unwrap_or_else(|| panic!("no validator {word}")))
    }

    /// Whether its context is a column name, which is there only for the engine.
    fn needs_name(&self) -> bool {
        let names_only = self.table.get("context").and_then(|context| context.get("names_only"));
        names_only.is_some_and(|only| only.as_bool().unwrap())
    }

    /// Values at each offset where the pattern matches, holds an anchor and passes the validator,
    /// with its context where that is required.
    pub fn find(&self, text: &[u8]) -> BTreeSet<Found> {
        let mut found = BTreeSet::new();
        for start in 0..text.len() {
            let input = Input::new(text).range(start..).anchored(Anchored::Yes);
            let mut captures = self.pattern.create_captures();
            self.pattern.captures(input, &mut captures);
            let Some(all) = captures.get_match() else { continue };
            let bounded = start > 0
                && self.boundary.as_ref().is_some_and(|b| b.is_match(&text[start - 1..start]));
            if bounded || !self.holds_anchor(text, start, all.end()) {
                continue;
            }
            let value = captures.get_group_by_name("value").unwrap_or(all.span());
            let reach =
                self.table.get("reach").map_or(all.len(), |r| r.as_integer().unwrap() as usize);
            assert!(reach >= all.len(), "{} reaches less than it matches", self.id());
            let limit = text.len().min(start + reach);
            let candidate = Candidate { text, start: value.start, end: value.end, limit };
            let verdict = self.validator().map(|validator| check(validator, candidate));
            let (end, published) = match verdict {
                Some(Verdict::Invalid) => continue,
                Some(Verdict::Valid { end, published }) => (end, published),
                None => (value.end, false),
            };
            let found_here = Found { span: (value.start, end), published };
            let context = self.table.get("context");
            let required = context.and_then(|context| context.get("required"));
            let optional = !required.is_some_and(|required| required.as_bool().unwrap());
            let optional = optional || self.needs_name();
            if optional || self.has_context(text, found_here.span) {
                found.insert(found_here);
            }
        }
        found
    }

    fn holds_anchor(&self, text: &[u8], start: usize, end: usize) -> bool {
        let anchors = self.table["anchors"].as_table().unwrap();
        let matched = text[start..end].to_ascii_lowercase();
        if let Some(keywords) = anchors.get("keywords") {
            return keywords.as_array().unwrap().iter().any(|keyword| {
                let keyword = keyword.as_str().unwrap().to_ascii_lowercase();
                matched.windows(keyword.len()).any(|window| window == keyword.as_bytes())
            });
        }
        let class = |at: usize, test: &dyn Fn(u8) -> bool| text.get(at).is_some_and(|b| test(*b));
        let digit = |b: u8| b.is_ascii_digit();
        let alnum = |b: u8| b.is_ascii_alphanumeric();
        let before = |at: usize, test: &dyn Fn(u8) -> bool| at > 0 && class(at - 1, test);
        (start..end).any(|at| {
            if let Some(digits) = anchors.get("digits") {
                let least = match digits {
                    toml::Value::Array(range) => range[0].as_integer().unwrap(),
                    one => one.as_integer().unwrap(),
                };
                let part = |b: u8| digit(b) || DIGIT_SEPARATORS.contains(&b);
                let mut gap = 0;
                let held = text[at..end]
                    .iter()
                    .take_while(|b| {
                        gap = if digit(**b) { 0 } else { gap + 1 };
                        part(**b) && gap <= 2
                    })
                    .filter(|b| digit(**b))
                    .count();
                return digit(text[at])
                    && !before(at, &digit)
                    && (at + 1..at + 6).all(|next| class(next, &part))
                    && held as i64 >= least;
            }
            match anchors["shape"].as_str().unwrap() {
                "at" => text[at] == b'@' && class(at + 1, &|b| alnum(b) || !b.is_ascii()),
                "letters_digits" => {
                    !before(at, &alnum)
                        && (at..at + 2).all(|next| class(next, &|b| b.is_ascii_alphabetic()))
                        && (at + 2..at + 4).all(|next| class(next, &digit))
                }
                "token" => {
                    alnum(text[at])
                        && !before(at, &alnum)
                        && (at..at + 11).all(|next| class(next, &|b| alnum(b) || b == b'-'))
                        && (at..at + 11).any(|next| class(next, &digit))
                }
                "hex_colon" => {
                    let colon = |at: usize| class(at, &|b| b == b':');
                    let more = |at: usize| (at + 1..=at + 5).filter(|next| colon(*next));
                    let two_more = more(at).any(|second| more(second).next().is_some());
                    let digit = class(at + 1, &|b| b.is_ascii_hexdigit());
                    colon(at) && (colon(at + 1) || digit && two_more)
                }
                "letters" => {
                    !before(at, &|b| b.is_ascii_alphabetic())
                        && (at..at + 48).all(|next| class(next, &|b| b.is_ascii_alphabetic()))
                }
                "words" => {
                    let breaks = |b: u8| b" ./()".contains(&b);
                    let second = at > 1 && class(at - 2, &|b| alnum(b) || breaks(b));
                    !(before(at, &alnum) || before(at, &breaks) && second)
                        && text[at] != b' '
                        && (at..at + 47)
                            .all(|next| class(next, &|b| b.is_ascii_lowercase() || b == b' '))
                }
                other => panic!("no shape {other}"),
            }
        })
    }

    /// Whether a context term is near the value, and no negative one nearer.
    fn has_context(&self, text: &[u8], span: (usize, usize)) -> bool {
        let positive = self.table.get("context").map(terms_of).unwrap_or_default();
        let negative: BTreeSet<String> =
            self.table.get("negative").map(terms_of).unwrap_or_default();
        let negative = negative.difference(&positive).cloned().collect();
        let near = |key: &str, terms: &BTreeSet<String>, before, after| {
            let bytes = |name, default| {
                let context = self.table.get(key)?.as_table()?;
                Some(context.get(name).map_or(default, |b| b.as_integer().unwrap() as usize))
            };
            let from = span.0.saturating_sub(bytes("before", before)?);
            let to = text.len().min(span.1 + bytes("after", after)?);
            let in_part = |from: usize, to: usize| {
                terms
                    .iter()
                    .flat_map(|term| forms(term))
                    .flat_map(move |form| places(text, from, to, &form))
            };
            let ahead = in_part(from, span.0).map(|(_, end)| span.0 - end);
            ahead.chain(in_part(span.1, to).map(|(start, _)| start - span.1 + 24)).min()
        };
        let (context, against) =
            (near("context", &positive, 300, 100), near("negative", &negative, 100, 50));
        context.is_some_and(|context| against.is_none_or(|against| context <= against))
    }
}

/// The terms of a context and of the lists that it names.
fn terms_of(context: &toml::Value) -> BTreeSet<String> {
    let lists = context.get("lists").into_iter().flat_map(|lists| lists.as_array().unwrap());
    let all = entries("list");
    let shared = lists.flat_map(|id| {
        let list = all.iter().find(|list| &list["id"] == id);
        list.unwrap_or_else(|| panic!("no list {id}"))["terms"].as_array().unwrap()
    });
    let own = context.get("terms").into_iter().flat_map(|terms| terms.as_array().unwrap());
    shared.chain(own).map(|term| term.as_str().unwrap().to_lowercase()).collect()
}

/// A term with what may stand between its words.
fn forms(term: &str) -> Vec<String> {
    [" ", "_", "-", ""].map(|between| term.replace(' ', between)).to_vec()
}

/// Where a term stands as a word in a part of a text.
fn places(text: &[u8], from: usize, to: usize, term: &str) -> Vec<(usize, usize)> {
    let letter = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let camel = |left: usize, right: usize| {
        text.get(left).is_some_and(u8::is_ascii_lowercase)
            && text.get(right).is_some_and(u8::is_ascii_uppercase)
    };
    let edge = |left: Option<usize>, right: usize| {
        left.is_none_or(|left| !(letter(left) && letter(right)) || camel(left, right))
    };
    let lower = String::from_utf8_lossy(&text[from..to]).to_lowercase().into_bytes();
    if lower.len() != to - from {
        return Vec::new();
    }
    let starts = lower.windows(term.len().max(1)).enumerate();
    starts
        .filter(|(_, window)| *window == term.as_bytes())
        .map(|(at, _)| (from + at, from + at + term.len()))
        .filter(|(start, end)| edge(start.checked_sub(1), *start) && edge(Some(end - 1), *end))
        .collect()
}

fn packs() -> BTreeMap<PathBuf, toml::Table> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut packs = BTreeMap::new();
    let labels = root.join("labels.toml");
    packs.insert(labels.clone(), std::fs::read_to_string(&labels).unwrap().parse().unwrap());
    for class in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        if class.is_dir() {
            for path in std::fs::read_dir(class).unwrap().map(|entry| entry.unwrap().path()) {
                let text = std::fs::read_to_string(&path).unwrap();
                packs.insert(path, text.parse().unwrap());
            }
        }
    }
    packs
}

pub fn entries(kind: &str) -> Vec<toml::Table> {
    let packs = packs();
    let arrays =
        packs.values().filter_map(|pack| pack.get(kind)).map(|all| all.as_array().unwrap());
    arrays.flatten().map(|entry| entry.as_table().unwrap().clone()).collect()
}

fn strings<'a>(table: &'a toml::Table, key: &str) -> impl Iterator<Item = &'a str> {
    table[key].as_array().unwrap().iter().map(|text| text.as_str().unwrap())
}

/// A payload and the span that its marks bound.
fn unmark(example: &str) -> (String, (usize, usize)) {
    let (before, rest) = example.split_once('⟦').unwrap();
    let (value, after) = rest.split_once('⟧').unwrap();
    assert!(!after.contains(['⟦', '⟧']), "{example}");
    let span = (before.len(), before.len() + value.len());
    (format!("{before}{value}{after}"), span)
}

#[test]
fn every_example_is_found_at_its_span_and_no_counterexample_is() {
    let mut wrong = Vec::new();
    for rule in entries("rule").into_iter().map(Rule::new) {
        assert!(strings(&rule.table, "examples").count() >= 2, "{}", rule.id());
        assert!(strings(&rule.table, "counterexamples").count() >= 2, "{}", rule.id());
        for example in strings(&rule.table, "examples") {
            let (text, span) = unmark(example);
            let found: BTreeSet<(usize, usize)> =
                rule.find(text.as_bytes()).iter().map(|found| found.span).collect();
            // A start inside the match may give a shorter value, which the engine never tries.
            let earlier = found.iter().any(|(start, _)| *start < span.0) && !rule.needs_name();
            if !found.contains(&span) || earlier {
                wrong.push(format!("{}: {example:?}: found {found:?}, not {span:?}", rule.id()));
            }
        }
        // Whether a column name is missing is for `sluice rules test` to see.
        for text in strings(&rule.table, "counterexamples").filter(|_| !rule.needs_name()) {
            let found = rule.find(text.as_bytes());
            if !found.is_empty() {
                wrong.push(format!("{}: {text:?}: found {found:?}", rule.id()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_packs_use_every_mechanism() {
    let rules = entries("rule");
    let combinations = entries("combination");
    assert!(rules.len() >= 32, "{} rules", rules.len());
    let used: BTreeSet<&str> =
        rules.iter().filter_map(|rule| rule.get("validator")?.as_str()).collect();
    let all: BTreeSet<&str> = Validator::ALL.iter().map(|validator| validator.as_str()).collect();
    assert_eq!(used, all);
    let shapes: BTreeSet<&str> =
        rules.iter().filter_map(|rule| rule["anchors"].get("shape")?.as_str()).collect();
    assert!(shapes.is_superset(&BTreeSet::from(["at", "hex_colon", "letters_digits", "token"])));
    for key in ["boundary", "reach", "max_length", "context", "negative", "columns", "country"] {
        assert!(rules.iter().any(|rule| rule.contains_key(key)), "{key}");
    }
    assert!(rules.iter().any(|rule| rule["pattern"].as_str().unwrap().contains("(?<value>")));
    assert!(combinations.iter().any(|c| c["near"].get("categories").is_some()));
    assert!(combinations.iter().any(|c| c["near"].get("terms").is_some()));
}

#[test]
fn rules_name_categories_of_the_taxonomy_and_their_own_class() {
    let taxonomy: toml::Table = include_str!("../../rules/taxonomy.toml").parse().unwrap();
    let known: BTreeSet<&str> = taxonomy["category"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["id"].as_str().unwrap())
        .collect();
    let mut ids = BTreeSet::new();
    for (path, pack) in packs() {
        let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        for kind in ["rule", "combination"] {
            for entry in pack.get(kind).into_iter().flat_map(|all| all.as_array().unwrap()) {
                let id = entry["id"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{id} twice");
                assert_eq!(id.split_once('.').unwrap().0, folder, "{id}");
                let category = entry["category"].as_str().unwrap();
                assert!(known.contains(category), "{id}: {category}");
                assert_eq!(category.split_once('.').unwrap().0, folder, "{id}");
                for list in [entry.get("of"), entry.get("near").and_then(|n| n.get("categories"))] {
                    for name in list.into_iter().flat_map(|list| list.as_array().unwrap()) {
                        assert!(known.contains(name.as_str().unwrap()), "{id}: {name}");
                    }
                }
            }
        }
    }
}
