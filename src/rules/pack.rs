//! One TOML file as it stands: the shape is checked here, the meaning in `compile`.

use super::reader::{Located, Place, Reporter, Table, read_document};
use super::{MAX_CONTEXT, MAX_REACH, MAX_WITHIN, Source};
use crate::model::LawSource;

/// The most rules, combinations and categories of one source; `compile` limits their sum.
pub(super) const MAX_RULES: usize = 10_000;
/// The longest pattern in bytes.
const MAX_PATTERN: usize = 8 * 1024;
/// The longest id in bytes.
const MAX_ID: usize = 100;
/// The longest title, why or source in bytes.
const MAX_TEXT: usize = 2_000;
/// The longest example or counterexample in bytes.
const MAX_EXAMPLE: usize = 32 * 1024;
/// The most examples or counterexamples of a rule.
const MAX_EXAMPLES: usize = 200;
/// The most terms of a context.
const MAX_TERMS: usize = 200;
/// The most terms of a list.
const MAX_LIST: usize = 2_000;
/// The most values in a column that a combination may ask for; so many are kept a column.
const MAX_VALUES: usize = 100;
/// The most lists of one context.
const MAX_LISTS: usize = 20;
/// The longest term in bytes; what the engine keeps to find terms in grows with it.
pub(super) const MAX_TERM: usize = 64;
/// The most columns of a rule.
const MAX_COLUMNS: usize = 200;
/// The most keywords of a rule.
const MAX_KEYWORDS: usize = 200;
/// The longest keyword in bytes.
pub(super) const MAX_KEYWORD: usize = 32;
/// The most entries of `unless` of a rule.
const MAX_UNLESS: usize = 50;
/// The most words or patterns of one list in an entry of `unless`.
const MAX_UNLESS_TEXTS: usize = 2_000;
/// The shortest keyword in bytes.
pub(super) const MIN_KEYWORD: usize = 3;

/// What one source defines.
#[derive(Default)]
pub(super) struct Pack {
    pub categories: Vec<RawCategory>,
    pub rules: Vec<RawRule>,
    pub combinations: Vec<RawCombination>,
    pub lists: Vec<RawList>,
    pub laws: Vec<(Located<String>, LawSource)>,
}

/// Terms that several rules share.
pub(super) struct RawList {
    pub id: Located<String>,
    pub terms: Vec<Located<String>>,
}

pub(super) struct RawCategory {
    pub at: Place,
    pub id: Located<String>,
    pub title: String,
    pub sensitivity: Located<String>,
    pub regulated: bool,
    pub laws: Vec<(String, String)>,
}

pub(super) struct RawRule {
    pub at: Place,
    pub id: Located<String>,
    pub category: Located<String>,
    pub prose: Prose,
    pub country: Option<Located<String>>,
    pub pattern: Located<String>,
    pub anchors: Option<RawAnchors>,
    pub max_length: Option<Located<usize>>,
    pub reach: Option<Located<usize>>,
    pub boundary: Option<Located<String>>,
    pub validator: Option<Located<String>>,
    pub entropy: Option<Located<usize>>,
    pub unless: Vec<RawUnless>,
    pub likelihood: Located<usize>,
    pub context: Option<RawContext>,
    pub negative: Option<RawContext>,
    pub columns: Vec<Located<String>>,
    pub column_boost: usize,
    pub examples: Vec<Located<String>>,
    pub counterexamples: Vec<Located<String>>,
}

pub(super) struct RawCombination {
    pub at: Place,
    pub id: Located<String>,
    pub category: Located<String>,
    pub prose: Prose,
    pub of: Vec<Located<String>>,
    pub near: Vec<Located<String>>,
    pub terms: Vec<Located<String>>,
    pub within: usize,
    pub values: usize,
    pub likelihood: Located<usize>,
    pub examples: Vec<Located<String>>,
    pub counterexamples: Vec<Located<String>>,
}

/// What is written for people.
pub(super) struct Prose {
    pub title: String,
    pub why: String,
    pub source: String,
}

pub(super) struct RawAnchors {
    pub at: Place,
    pub keywords: Option<Vec<Located<String>>>,
    pub digits: Option<Located<(usize, usize)>>,
    pub shape: Option<Located<String>>,
}

pub(super) struct RawUnless {
    pub at: Place,
    pub words: Vec<Located<String>>,
    pub value: Vec<Located<String>>,
    pub matched: Vec<Located<String>>,
    pub line: Vec<Located<String>>,
}

pub(super) struct RawContext {
    pub lists: Vec<Located<String>>,
    pub terms: Vec<Located<String>>,
    pub before: usize,
    pub after: usize,
    pub boost: usize,
    pub required: bool,
    pub names_only: bool,
}

/// Reads a source. Definitions that miss something needed are reported and left out.
pub(super) fn read(source: &Source, position: usize, reporter: &mut Reporter<'_>) -> Pack {
    read_document(source, position, reporter, |table| Pack {
        categories: table.tables("category", MAX_RULES, category).into_iter().flatten().collect(),
        rules: table.tables("rule", MAX_RULES, rule).into_iter().flatten().collect(),
        combinations: table
            .tables("combination", MAX_RULES, combination)
            .into_iter()
            .flatten()
            .collect(),
        lists: table.tables("list", MAX_RULES, list).into_iter().flatten().collect(),
        laws: table.tables("law", MAX_RULES, law).into_iter().flatten().collect(),
    })
    .unwrap_or_default()
}

fn list(table: &mut Table<'_, '_, '_>) -> Option<RawList> {
    let id = table.required_text("id", MAX_ID);
    let terms = table.texts("terms", MAX_LIST, MAX_TERM);
    Some(RawList { id: id?, terms })
}

fn category(table: &mut Table<'_, '_, '_>) -> Option<RawCategory> {
    let id = table.required_text("id", MAX_ID);
    let title = table.required_text("title", MAX_TEXT);
    let sensitivity = table.required_text("sensitivity", MAX_ID);
    let regulated = table.boolean("regulated").unwrap_or(true);
    // Which tier a category is in matters to those who write packs, not to the engine.
    table.number("tier", 1..10);
    let laws = table.tables("laws", 50, |law| {
        let name = law.required_text("law", MAX_ID);
        let part = law.text("part", MAX_ID).map_or(String::new(), |part| part.value);
        Some((name?.value, part))
    });
    Some(RawCategory {
        at: table.at,
        id: id?,
        title: title?.value,
        sensitivity: sensitivity?,
        regulated,
        laws: laws.into_iter().flatten().collect(),
    })
}

fn law(table: &mut Table<'_, '_, '_>) -> Option<(Located<String>, LawSource)> {
    let name = table.required_text("name", MAX_ID);
    let mut text = |key| table.required_text(key, MAX_TEXT).map(|text| text.value);
    let [title, jurisdiction, source, checked] =
        ["title", "jurisdiction", "source", "checked"].map(&mut text);
    let name = name?;
    let law = LawSource {
        name: name.value.clone(),
        title: title?,
        jurisdiction: jurisdiction?,
        source: source?,
        checked: checked?,
    };
    Some((name, law))
}

fn rule(table: &mut Table<'_, '_, '_>) -> Option<RawRule> {
    let id = table.required_text("id", MAX_ID);
    let category = table.required_text("category", MAX_ID);
    let pattern = table.required_text("pattern", MAX_PATTERN);
    let likelihood = table.required_number("likelihood", 0..101);
    let anchors = table.table("anchors", anchors);
    let prose = prose(table);
    let country = table.text("country", MAX_ID);
    let max_length = table.number("max_length", 1..MAX_REACH + 1);
    let reach = table.number("reach", 1..MAX_REACH + 1);
    let boundary = table.text("boundary", MAX_PATTERN);
    let validator = table.text("validator", MAX_ID);
    let entropy = table.thousandths("entropy", 0..8_000);
    let unless = table.tables("unless", MAX_UNLESS, unless);
    let positive = table.table("context", context);
    let negative = table.table("negative", negative_context);
    let columns = table.texts("columns", MAX_COLUMNS, MAX_ID);
    let column_boost = table.number("column_boost", 0..101).map_or(45, |boost| boost.value);
    let (examples, counterexamples) = examples(table);
    Some(RawRule {
        at: table.at,
        id: id?,
        category: category?,
        prose,
        country,
        pattern: pattern?,
        anchors,
        max_length,
        reach,
        boundary,
        validator,
        entropy,
        unless,
        likelihood: likelihood?,
        context: positive,
        negative,
        columns,
        column_boost,
        examples,
        counterexamples,
    })
}

fn combination(table: &mut Table<'_, '_, '_>) -> Option<RawCombination> {
    let id = table.required_text("id", MAX_ID);
    let category = table.required_text("category", MAX_ID);
    let prose = prose(table);
    let of = table.texts("of", MAX_TERMS, MAX_ID);
    let near = table.table("near", |near| {
        let categories = near.texts("categories", MAX_TERMS, MAX_ID);
        (categories, near.texts("terms", MAX_TERMS, MAX_TERM))
    });
    let (near, terms) = near.unwrap_or_default();
    let values = table.number("values", 2..MAX_VALUES + 1).map_or(0, |values| values.value);
    let within = table.number("within", 0..MAX_WITHIN + 1).map_or(300, |within| within.value);
    let likelihood = table.required_number("likelihood", 0..101);
    let (examples, counterexamples) = examples(table);
    Some(RawCombination {
        at: table.at,
        id: id?,
        category: category?,
        prose,
        of,
        near,
        terms,
        within,
        values,
        likelihood: likelihood?,
        examples,
        counterexamples,
    })
}

fn prose(table: &mut Table<'_, '_, '_>) -> Prose {
    let mut text =
        |key| table.text(key, MAX_TEXT).map_or(String::new(), |t| t.value.trim().to_owned());
    Prose { title: text("title"), why: text("why"), source: text("source") }
}

fn examples(table: &mut Table<'_, '_, '_>) -> (Vec<Located<String>>, Vec<Located<String>>) {
    let mut texts = |key| table.texts(key, MAX_EXAMPLES, MAX_EXAMPLE);
    (texts("examples"), texts("counterexamples"))
}

fn anchors(table: &mut Table<'_, '_, '_>) -> RawAnchors {
    RawAnchors {
        at: table.at,
        keywords: table.has("keywords").then(|| table.texts("keywords", MAX_KEYWORDS, MAX_PATTERN)),
        digits: table.number_or_pair("digits", 1..256),
        shape: table.text("shape", MAX_ID),
    }
}

fn unless(table: &mut Table<'_, '_, '_>) -> RawUnless {
    let mut texts = |key| table.texts(key, MAX_UNLESS_TEXTS, MAX_PATTERN);
    let [words, value, matched, line] = ["words", "value", "match", "line"].map(&mut texts);
    RawUnless { at: table.at, words, value, matched, line }
}

fn context(table: &mut Table<'_, '_, '_>) -> RawContext {
    let (before, after, boost) = window(table, 300, 100, 45);
    let required = table.boolean("required").unwrap_or(false);
    let names_only = table.boolean("names_only").unwrap_or(false);
    let lists = table.texts("lists", MAX_LISTS, MAX_ID);
    let terms = table.texts("terms", MAX_TERMS, MAX_TERM);
    RawContext { lists, terms, before, after, boost, required, names_only }
}

fn negative_context(table: &mut Table<'_, '_, '_>) -> RawContext {
    let (before, after, boost) = window(table, 100, 50, 40);
    let lists = table.texts("lists", MAX_LISTS, MAX_ID);
    let terms = table.texts("terms", MAX_TERMS, MAX_TERM);
    RawContext { lists, terms, before, after, boost, required: false, names_only: false }
}

/// `before`, `after` and `boost`, with what they are where they are absent.
fn window(
    table: &mut Table<'_, '_, '_>,
    before: usize,
    after: usize,
    boost: usize,
) -> (usize, usize, usize) {
    let mut number = |key, default, limit: usize| {
        table.number(key, 0..limit + 1).map_or(default, |number| number.value)
    };
    (
        number("before", before, MAX_CONTEXT),
        number("after", after, MAX_CONTEXT),
        number("boost", boost, 100),
    )
}
