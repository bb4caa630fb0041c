//! Rule packs in TOML come in; a checked, immutable [`RuleSet`] or diagnostics that point at the
//! line come out.
//!
//! Promised: a rule set that loads is safe to run on hostile payloads. Every pattern is linear and
//! reads a bounded window, every rule has an anchor that each of its matches must hold, every
//! category, validator and term that a rule names exists. What cannot be promised is refused here,
//! at load, with a stable code.

mod anchor;
mod validator;
mod source;
mod diagnostic;
pub(crate) mod reader;
mod pack;
mod pattern;
mod requirement;
mod proof;
mod derive;
mod cost;
mod lint;
mod matching;
mod compile;
mod shared;
mod packed;
mod list;
mod texts;
mod stored;
mod unless;

pub use anchor::{
    Anchors, ByteSet, COLON_DISTANCE, DIGIT_SEPARATORS, LETTERS_LENGTH, Lead, Shape, WORDS_LENGTH,
};
pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity};
pub use list::{RuleIter, RuleList};
pub use source::Source;
pub use texts::Texts;
pub use validator::Validator;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::model::{Category, CategoryIndex, Class, LawSource, RuleIndex, TermIndex};

/// The largest number of bytes that a rule may read from the start of its match: 16 KiB.
pub const MAX_REACH: usize = 16 * 1024;

/// The largest number of bytes before or after a match that context may be looked for in.
pub const MAX_CONTEXT: usize = 1024;

/// The largest distance of a combination in bytes.
pub const MAX_WITHIN: usize = 1024;

/// Names of the groups that bound the value: of several, the first that holds a byte.
pub const VALUE_GROUPS: [&str; 9] = [
    "value", "value_2", "value_3", "value_4", "value_5", "value_6", "value_7", "value_8", "value_9",
];

/// How far to either side of a match its line is looked at by [`Unless::line`], in bytes.
pub const LINE_REACH: usize = 512;

/// Categories, in the order of `taxonomy.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taxonomy {
    categories: Vec<Category>,
    by_id: HashMap<String, CategoryIndex>,
    laws: BTreeMap<String, LawSource>,
}

/// A checked, immutable set of rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSet {
    /// The categories that rules refer to.
    pub taxonomy: Taxonomy,
    /// Rules that find values by themselves. `RuleIndex(i)` below their number is one of these.
    pub rules: RuleList,
    /// Rules that raise a category from findings nearby. They follow `rules` in `RuleIndex`.
    pub combinations: Vec<Combination>,
    /// All context terms of all rules, lower case, each once. Indexed by `TermIndex`.
    pub terms: Texts,
    /// SHA-256 over the sorted names and contents of the packs and the taxonomy.
    pub digest: [u8; 32],
}

/// One rule: what it looks for, where, and how sure it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Dotted, permanent id: `nat.us-ssn`.
    pub id: String,
    /// What it finds.
    pub category: CategoryIndex,
    /// What a person calls it.
    pub title: String,
    /// Why it is looked for and how it is told from look-alikes; a sentence or two.
    pub why: String,
    /// The standard, law or paper that defines the shape and the check.
    pub source: String,
    /// ISO 3166 alpha-2 code, where the value belongs to one country.
    pub country: Option<String>,
    /// Terms that name the country, sorted: those of the list `country.xx` for its code.
    #[serde(with = "packed")]
    pub country_terms: Vec<TermIndex>,
    /// Linear byte regex (no Unicode mode). A group named `value` bounds the value alone.
    pub pattern: String,
    /// The cheap thing that every match holds.
    pub anchors: Anchors,
    /// How far before the anchor a match can start.
    pub lead: Lead,
    /// The most bytes that the pattern can match; longer text is cut there.
    pub max_length: usize,
    /// The most bytes from the start of the match that the validator may read; `max_length` or
    /// more, at most [`MAX_REACH`].
    pub reach: usize,
    /// Whether a match lies in one cell of a table or one value of JSON, wherever it stands: it holds no
    /// byte that ends one.
    pub lies_in_cell: bool,
    /// Whether at least what is before its anchor does, where the value begins with the match.
    pub begins_in_cell: bool,
    /// How many cells of its row a match can reach beyond the one of its anchor, on either side; 255 stands
    /// for no bound, and for a match that can hold a line end.
    pub cells_beside: u8,
    /// Bytes that must not stand directly before the match.
    pub boundary: Option<ByteSet>,
    /// The check that a match must pass.
    pub validator: Option<Validator>,
    /// Entropy that the value has to exceed, in thousandths of a bit a character (Shannon 1948).
    pub entropy: Option<u16>,
    /// What a match may not be: one of these, and it is no finding.
    pub unless: Vec<Unless>,
    /// Likelihood of a match that passed its validator, before evidence.
    pub likelihood: u8,
    /// Terms that raise the likelihood.
    pub context: Option<Context>,
    /// Terms that lower it.
    pub negative: Option<Context>,
    /// Column names and JSON keys that raise it, normalised by [`normalise_name`], sorted.
    pub columns: Vec<String>,
    /// What a column name adds.
    pub column_boost: u8,
    /// Payloads that hold a finding of this rule, each with the span it must have.
    pub examples: Vec<Example>,
    /// Payloads that hold none.
    pub counterexamples: Vec<String>,
    /// Where it was defined.
    pub origin: Origin,
}

impl Rule {
    /// Whether nothing but a column name or JSON key can make a match of this rule a finding.
    pub fn needs_name(&self) -> bool {
        let context = self.context.as_ref();
        context.is_some_and(|it| it.required && (it.names_only || it.terms.is_empty()))
    }
}

/// What makes a match no finding: everything that is stated here holds. Of each list one entry has
/// to; empty lists state nothing, and at least one is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unless {
    /// Texts of which one stands anywhere in the value, in any case.
    pub words: Vec<String>,
    /// Byte regexes of which one matches somewhere in the value.
    pub value: Vec<String>,
    /// Byte regexes of which one matches somewhere in the whole match.
    pub matched: Vec<String>,
    /// Byte regexes of which one matches somewhere in the lines that the match lies on, as far as
    /// they go [`LINE_REACH`] bytes before and behind it.
    pub line: Vec<String>,
}

/// Words around a match that speak for or against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The terms, sorted, each once; each matches as a whole word, in any case.
    #[serde(with = "packed")]
    pub terms: Vec<TermIndex>,
    /// Bytes before the match that are searched; at most [`MAX_CONTEXT`].
    pub before: usize,
    /// Bytes after the match that are searched; at most [`MAX_CONTEXT`].
    pub after: usize,
    /// What a term adds (or takes, for negative context).
    pub boost: u8,
    /// Whether a match without a term (or a named column) is no finding.
    pub required: bool,
    /// Whether terms count in column names and JSON keys alone, not in the text around a match.
    pub names_only: bool,
}

/// A payload that holds a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The payload, without marks.
    pub text: String,
    /// The byte range that must be found in it.
    pub start: usize,
    /// End of that range.
    pub end: usize,
}

/// A rule that raises a category where findings of other categories stand near each other or
/// near a term. Its findings have the span of the finding of `of` that they rest on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Combination {
    /// Dotted, permanent id.
    pub id: String,
    /// The category that it raises.
    pub category: CategoryIndex,
    /// What a person calls it.
    pub title: String,
    /// Why it is looked for.
    pub why: String,
    /// The law or standard behind it.
    pub source: String,
    /// A finding of one of these, at band likely or up, has to be there.
    pub of: Vec<CategoryIndex>,
    /// ... and another finding of one of these, at band likely or up, within the distance
    pub near: Vec<CategoryIndex>,
    /// ... or one of these terms (sorted, each once) within the distance.
    pub terms: Vec<TermIndex>,
    /// The distance in bytes, between the nearest ends; at most [`MAX_WITHIN`].
    pub within: usize,
    /// Not 0: instead of anything near it, so many findings of one category of `of` in one table
    /// column or under one JSON key. What is raised stands at the one that makes up the number.
    pub values: usize,
    /// Likelihood of what it raises.
    pub likelihood: u8,
    /// Payloads that raise it; the span is that of the finding it rests on.
    pub examples: Vec<Example>,
    /// Payloads that do not.
    pub counterexamples: Vec<String>,
    /// Where it was defined.
    pub origin: Origin,
}

/// File and line of a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Path or built-in name of the pack.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
}

impl Taxonomy {
    /// A taxonomy of these categories. A repeated id keeps its first definition.
    pub fn new(categories: Vec<Category>) -> Taxonomy {
        let mut by_id = HashMap::with_capacity(categories.len());
        for (position, category) in categories.iter().enumerate() {
            let index = CategoryIndex(u16::try_from(position).unwrap_or(u16::MAX));
            by_id.entry(category.id.clone()).or_insert(index);
        }
        Taxonomy { categories, by_id, laws: BTreeMap::new() }
    }

    /// All categories with their positions.
    pub fn iter(&self) -> impl Iterator<Item = (CategoryIndex, &Category)> {
        (0..=u16::MAX).map(CategoryIndex).zip(&self.categories)
    }

    /// The category at a position.
    pub fn get(&self, index: CategoryIndex) -> Option<&Category> {
        self.categories.get(usize::from(index.0))
    }

    /// Where a law stands that categories name so; none where no pack says it.
    pub fn law(&self, name: &str) -> Option<&LawSource> {
        self.laws.get(name)
    }

    /// The position of a category by its id.
    pub fn find(&self, id: &str) -> Option<CategoryIndex> {
        self.by_id.get(id).copied()
    }
}

impl RuleSet {
    /// The terms that combinations look for, sorted.
    pub fn combined_terms(&self) -> Vec<TermIndex> {
        let mut combined: Vec<TermIndex> =
            self.combinations.iter().flat_map(|it| &it.terms).copied().collect();
        combined.sort_unstable();
        combined.dedup();
        combined
    }

    /// Reads, resolves and checks rule packs. Rules of sources that are not built in add to those
    /// that are, and replace those whose id they share.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, warnings included, where at least one thing is an error.
    pub fn compile(sources: &[Source]) -> Result<RuleSet, Diagnostics> {
        let (rules, diagnostics) = compile::compile(sources, compile::Depth::Load);
        rules.ok_or(diagnostics)
    }

    /// The plain rule at a position; none for a combination.
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(index.0 as usize)
    }

    /// The combination at a position; none for a plain rule.
    pub fn combination(&self, index: RuleIndex) -> Option<&Combination> {
        self.combinations.get((index.0 as usize).checked_sub(self.rules.len())?)
    }

    /// The combinations that ask for a number of values of this category in one column.
    pub fn columns_of(
        &self,
        category: CategoryIndex,
    ) -> impl Iterator<Item = (RuleIndex, &Combination)> {
        (self.rules.len()..).zip(&self.combinations).filter_map(move |(position, combination)| {
            let asks = combination.values > 0 && combination.of.contains(&category);
            Some((RuleIndex(u32::try_from(position).ok()?), combination)).filter(|_| asks)
        })
    }

    /// Id of the rule or combination at a position; empty where there is none.
    pub fn rule_id(&self, index: RuleIndex) -> &str {
        match (self.rule(index), self.combination(index)) {
            (Some(rule), _) => &rule.id,
            (None, Some(combination)) => &combination.id,
            (None, None) => "",
        }
    }

    /// Ids of rules and combinations that are most like a text, for a person who has mistyped one:
    /// at most three, the nearest first; none where nothing is like it.
    pub fn nearest_ids(&self, text: &str) -> Vec<&str> {
        let rules = self.rules.iter().map(|rule| rule.id.as_str());
        let ids = rules.chain(self.combinations.iter().map(|rule| rule.id.as_str()));
        reader::nearest_words(text, ids, 3)
    }

    /// The category at a position; a position from another rule set gives none.
    pub fn category(&self, index: CategoryIndex) -> Option<&Category> {
        self.taxonomy.get(index)
    }

    /// Id of the category at a position; empty where there is none.
    pub fn category_id(&self, index: CategoryIndex) -> &str {
        self.category(index).map_or("", |category| &category.id)
    }

    /// Class of the category at a position.
    pub fn class(&self, index: CategoryIndex) -> Option<Class> {
        self.category(index).map(|category| category.class)
    }

    /// The context term at a position; empty where there is none.
    pub fn term(&self, index: TermIndex) -> &str {
        self.terms.get(usize::from(index.0)).unwrap_or("")
    }
}

/// Does all that [`RuleSet::compile`] does, and lints the packs: those that are not built in, or
/// all where all are. The rule set is there if no diagnostic is an error.
pub fn check(sources: &[Source]) -> (Option<RuleSet>, Diagnostics) {
    compile::compile(sources, compile::Depth::Lint)
}

/// A column name or JSON key as rules compare it: ASCII letters in lower case, digits and bytes
/// beyond ASCII kept, all else dropped, so that `Social Security-Number` and
/// `social_security_number` are one name.
pub fn normalise_name(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_ascii_alphanumeric() || !c.is_ascii())
        .flat_map(char::to_lowercase)
        .collect()
}

/// A term as it is compared: lower case, one space between words.
fn normalise_term(term: &str) -> String {
    term.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_and_punctuation() {
        assert_eq!(normalise_name("Social Security-Number"), "socialsecuritynumber");
        assert_eq!(normalise_name("Führerschein Nr."), "führerscheinnr");
    }
}
