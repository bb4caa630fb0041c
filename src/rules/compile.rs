//! Packs come in as they stand; a rule set comes out, or what is wrong with them.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::diagnostic::{Code, Diagnostics};
use super::matching::Matching;
use super::pack::{self, MAX_RULES, MAX_TERM, Pack, RawCategory, RawCombination, RawRule};
use super::reader::{Located, Reporter, nearest, shown};
use super::{
    Anchors, Combination, Example, Rule, RuleSet, Source, Taxonomy, Validator, lint,
    normalise_name, normalise_term,
};
use crate::model::{Category, CategoryIndex, Class, Law, Sensitivity, TermIndex};

/// Steps that the proofs of all rules of a set may take together.
const PROOF_BUDGET: usize = 50_000_000;

/// The most different keywords of all rules together: the engine numbers them in 16 bits, beside a
/// few other anchors.
const MAX_WORDS: usize = 65_000;

/// How much is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// What has to hold for the rules to be used.
    Load,
    /// That, and all that a reviewer would want to know.
    Lint,
}

/// Reads, resolves and checks all sources. No rule set comes out where there is an error.
pub(super) fn compile(sources: &[Source], depth: Depth) -> (Option<RuleSet>, Diagnostics) {
    compile_within(sources, depth, MAX_WORDS)
}

fn compile_within(
    sources: &[Source],
    depth: Depth,
    max_words: usize,
) -> (Option<RuleSet>, Diagnostics) {
    let mut reporter = Reporter::new(sources);
    let mut packs = Vec::new();
    // Built-in packs first, so that others find something to replace.
    for builtin in [true, false] {
        for (position, source) in sources.iter().enumerate().filter(|(_, s)| s.builtin == builtin) {
            packs.push((builtin, pack::read(source, position, &mut reporter)));
        }
    }
    let linted_origin = sources.iter().all(|source| source.builtin);
    let mut compiler = Compiler {
        sources,
        taxonomy: Taxonomy::default(),
        terms: Vec::new(),
        term_index: HashMap::new(),
        lists: HashMap::new(),
        words: HashSet::new(),
        max_words,
        proof_budget: PROOF_BUDGET,
        depth,
        reporter,
    };
    compiler.taxonomy(&packs);
    compiler.lists(&packs);
    let definitions = compiler.definitions(&packs);

    let mut rules = Vec::new();
    let mut combinations = Vec::new();
    let mut linter = lint::Linter::default();
    for definition in definitions {
        // Built-in packs are linted by themselves, not with every pack that builds on them.
        let linted = depth == Depth::Lint && definition.builtin == linted_origin;
        match definition.raw {
            Raw::Rule(raw) => {
                let rule = compiler.rule(raw, definition.builtin);
                if linted {
                    linter.rule(raw, rule.as_ref(), &mut compiler.reporter);
                }
                rules.extend(rule);
            }
            Raw::Combination(raw) => {
                combinations.extend(compiler.combination(raw));
                if linted {
                    linter.combination(raw, &mut compiler.reporter);
                }
            }
        }
    }
    let mut diagnostics = compiler.reporter.diagnostics;
    diagnostics.sort();
    if diagnostics.has_errors() {
        return (None, diagnostics);
    }
    let rules = RuleSet {
        taxonomy: compiler.taxonomy,
        rules: rules.into(),
        combinations,
        terms: compiler.terms.iter().collect(),
        digest: digest(sources),
    };
    (Some(rules), diagnostics)
}

/// SHA-256 over the sorted names and contents, each with its length before it so that no two sets
/// of sources read the same.
fn digest(sources: &[Source]) -> [u8; 32] {
    let mut sorted: Vec<&Source> = sources.iter().collect();
    sorted.sort_by(|a, b| (&a.name, &a.text).cmp(&(&b.name, &b.text)));
    let mut hash = Sha256::new();
    for text in sorted.iter().flat_map(|source| [&source.name, &source.text]) {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().into()
}

pub(super) struct Compiler<'a> {
    pub(super) sources: &'a [Source],
    taxonomy: Taxonomy,
    terms: Vec<String>,
    term_index: HashMap<String, TermIndex>,
    /// Terms that rules share, by the id of their list; whether the list is built in.
    pub(super) lists: HashMap<String, (bool, Vec<TermIndex>)>,
    /// Keywords of the rules so far, in lower case.
    words: HashSet<String>,
    max_words: usize,
    pub(super) proof_budget: usize,
    depth: Depth,
    pub(super) reporter: Reporter<'a>,
}

/// A rule or combination that is in force: of those with one id, the one defined last.
struct Definition<'p> {
    raw: Raw<'p>,
    builtin: bool,
}

#[derive(Clone, Copy)]
enum Raw<'p> {
    Rule(&'p RawRule),
    Combination(&'p RawCombination),
}

impl Raw<'_> {
    fn id(&self) -> &Located<String> {
        match self {
            Raw::Rule(raw) => &raw.id,
            Raw::Combination(raw) => &raw.id,
        }
    }
}

impl Compiler<'_> {
    fn taxonomy(&mut self, packs: &[(bool, Pack)]) {
        let mut categories: Vec<Category> = Vec::new();
        let mut known: HashMap<&str, (usize, bool)> = HashMap::new();
        let all = packs.iter().flat_map(|(builtin, pack)| {
            pack.categories.iter().map(move |category| (*builtin, category))
        });
        for (builtin, raw) in all {
            let Some(category) = self.category(raw) else { continue };
            match known.get(raw.id.value.as_str()) {
                Some((_, first)) if *first == builtin => {
                    let message = format!("category `{}` is defined twice", shown(&raw.id.value));
                    self.reporter.report(raw.id.at, Code::DuplicateId, message);
                }
                Some((position, _)) => {
                    let Some(there) = categories.get_mut(*position) else { continue };
                    if *there != category {
                        let message = format!("changes the built-in category `{}`", category.id);
                        self.reporter.report(raw.id.at, Code::ChangedCategory, message);
                    }
                    *there = category;
                    known.insert(&raw.id.value, (*position, builtin));
                }
                None if categories.len() >= MAX_RULES => {
                    let message = format!("more than {MAX_RULES} categories");
                    self.reporter.report(raw.at, Code::TooMany, message);
                    break;
                }
                None => {
                    known.insert(&raw.id.value, (categories.len(), builtin));
                    categories.push(category);
                }
            }
        }
        self.taxonomy = Taxonomy::new(categories);
        self.taxonomy.laws = self.laws(packs);
    }

    fn category(&mut self, raw: &RawCategory) -> Option<Category> {
        let id = &raw.id.value;
        let class_word = id.split('.').next().unwrap_or_default();
        let class = Class::ALL.into_iter().find(|class| class.as_str() == class_word);
        let well_formed = is_dotted(id, |byte| byte == b'_') && id.split('.').count() == 2;
        if !well_formed {
            let message = format!("`{}` is not an id of the form `class.name`", shown(id));
            let help = "lower-case letters, digits and `_`, as in `nat.us_ssn`".to_owned();
            self.reporter.report_with_help(raw.id.at, Code::BadId, message, Some(help));
        } else if class.is_none() {
            let message = format!("unknown class `{}`", shown(class_word));
            let known = Class::ALL.map(Class::as_str).join(", ");
            let help = Some(format!("known classes: {known}"));
            self.reporter.report_with_help(raw.id.at, Code::UnknownWord, message, help);
        }
        let all = [
            Sensitivity::Public,
            Sensitivity::Internal,
            Sensitivity::Confidential,
            Sensitivity::Restricted,
        ];
        let sensitivity = all.into_iter().find(|word| word.as_str() == raw.sensitivity.value);
        if sensitivity.is_none() {
            let message = format!("unknown sensitivity `{}`", shown(&raw.sensitivity.value));
            let help = Some(format!("one of {}", all.map(Sensitivity::as_str).join(", ")));
            self.reporter.report_with_help(raw.sensitivity.at, Code::UnknownWord, message, help);
        }
        let law = |(name, part): &(String, String)| Law { name: name.clone(), part: part.clone() };
        Some(Category {
            id: id.clone(),
            title: raw.title.clone(),
            class: class.filter(|_| well_formed)?,
            sensitivity: sensitivity?,
            regulated: raw.regulated,
            laws: raw.laws.iter().map(law).collect(),
        })
    }

    /// The rules and combinations in force, in the order in which their ids first appear.
    fn definitions<'p>(&mut self, packs: &'p [(bool, Pack)]) -> Vec<Definition<'p>> {
        let mut definitions: Vec<Definition<'p>> = Vec::new();
        let mut known: HashMap<&'p str, usize> = HashMap::new();
        let all = packs.iter().flat_map(|(builtin, pack)| {
            let rules = pack.rules.iter().map(Raw::Rule);
            let combinations = pack.combinations.iter().map(Raw::Combination);
            rules.chain(combinations).map(move |raw| Definition { raw, builtin: *builtin })
        });
        for definition in all {
            let id: &'p Located<String> = match definition.raw {
                Raw::Rule(raw) => &raw.id,
                Raw::Combination(raw) => &raw.id,
            };
            let position = known.get(id.value.as_str()).copied();
            let count = definitions.len();
            match position.and_then(|position| definitions.get_mut(position)) {
                Some(first) if first.builtin == definition.builtin => {
                    let first = self.reporter.origin(first.raw.id().at);
                    let message = format!("rule `{}` is defined twice", shown(&id.value));
                    let help = Some(format!("first defined at {}:{}", first.file, first.line));
                    self.reporter.report_with_help(id.at, Code::DuplicateId, message, help);
                }
                Some(first) => *first = definition,
                None if count >= MAX_RULES => {
                    let message = format!("more than {MAX_RULES} rules");
                    self.reporter.report(id.at, Code::TooMany, message);
                    break;
                }
                None => {
                    known.insert(&id.value, count);
                    definitions.push(definition);
                }
            }
        }
        definitions
    }

    fn rule(&mut self, raw: &RawRule, builtin: bool) -> Option<Rule> {
        let category = self.category_of(&raw.category);
        self.rule_id(&raw.id, category);
        let boundary = raw.boundary.as_ref().map(|boundary| self.boundary(boundary));
        // Built-in patterns were measured when they were built in.
        let is_measured = builtin && self.depth == Depth::Load;
        let matching = self.matching(raw, boundary.flatten(), is_measured);
        let country = raw.country.as_ref().and_then(|country| self.country(country));
        let country_terms = country
            .as_ref()
            .and_then(|code| self.lists.get(&format!("country.{}", code.to_ascii_lowercase())));
        let country_terms = country_terms.map(|(_, terms)| terms.clone()).unwrap_or_default();
        let validator = raw.validator.as_ref().map(|validator| self.validator(validator));
        let unless = self.unless(&raw.unless);
        let context = raw.context.as_ref().map(|context| self.context(context));
        let mut negative = raw.negative.as_ref().map(|context| self.context(context));
        if let (Some(context), Some(negative)) = (&context, &mut negative) {
            negative.terms.retain(|term| context.terms.binary_search(term).is_err());
        }
        let mut columns: Vec<String> =
            raw.columns.iter().map(|column| normalise_name(&column.value)).collect();
        columns.sort();
        columns.dedup();
        columns.retain(|column| !column.is_empty());
        let examples = self.examples(&raw.examples);
        let Matching {
            anchors,
            lead,
            max_length,
            reach,
            lies_in_cell,
            begins_in_cell,
            cells_beside,
        } = matching?;
        if let Anchors::Keywords(words) = &anchors {
            self.words.extend(words.iter().map(|word| word.to_ascii_lowercase()));
        }
        if self.words.len() > self.max_words {
            let message = format!("more than {} different keywords", self.max_words);
            self.reporter.report(raw.at, Code::TooMany, message);
            return None;
        }
        Some(Rule {
            id: raw.id.value.clone(),
            category: category?,
            title: raw.prose.title.clone(),
            why: raw.prose.why.clone(),
            source: raw.prose.source.clone(),
            country,
            country_terms,
            pattern: raw.pattern.value.clone(),
            anchors,
            lead,
            max_length,
            reach,
            lies_in_cell,
            begins_in_cell,
            cells_beside,
            boundary: boundary.flatten(),
            validator: validator.flatten(),
            entropy: raw.entropy.as_ref().and_then(|entropy| u16::try_from(entropy.value).ok()),
            unless,
            likelihood: percent(raw.likelihood.value),
            context,
            negative,
            columns,
            column_boost: percent(raw.column_boost),
            examples,
            counterexamples: texts(&raw.counterexamples),
            origin: self.reporter.origin(raw.at),
        })
    }

    fn combination(&mut self, raw: &RawCombination) -> Option<Combination> {
        let category = self.category_of(&raw.category);
        self.rule_id(&raw.id, category);
        let of: Vec<_> = raw.of.iter().map(|id| self.category_of(id)).collect();
        let near: Vec<_> = raw.near.iter().map(|id| self.category_of(id)).collect();
        if raw.of.is_empty() {
            let message = "`of` names no category to rest on";
            self.reporter.report(raw.at, Code::BadCombination, message);
        }
        let near_nothing = raw.near.is_empty() && raw.terms.is_empty();
        if near_nothing && raw.values == 0 {
            let message = "`near` names neither categories nor terms";
            self.reporter.report(raw.at, Code::BadCombination, message);
        } else if !near_nothing && raw.values > 0 {
            let message = "`values` counts a column, and leaves no room for `near`";
            self.reporter.report(raw.at, Code::BadCombination, message);
        }
        let terms = self.terms(&raw.terms);
        let examples = self.examples(&raw.examples);
        Some(Combination {
            id: raw.id.value.clone(),
            category: category?,
            title: raw.prose.title.clone(),
            why: raw.prose.why.clone(),
            source: raw.prose.source.clone(),
            of: of.into_iter().collect::<Option<_>>()?,
            near: near.into_iter().collect::<Option<_>>()?,
            terms,
            within: raw.within,
            values: raw.values,
            likelihood: percent(raw.likelihood.value),
            examples,
            counterexamples: texts(&raw.counterexamples),
            origin: self.reporter.origin(raw.at),
        })
    }

    fn category_of(&mut self, id: &Located<String>) -> Option<CategoryIndex> {
        let found = self.taxonomy.find(&id.value);
        if found.is_none() {
            let message = format!("unknown category `{}`", shown(&id.value));
            let known = self.taxonomy.iter().map(|(_, category)| category.id.as_str());
            let help = nearest(&id.value, known).map(|near| format!("did you mean `{near}`?"));
            self.reporter.report_with_help(id.at, Code::UnknownCategory, message, help);
        }
        found
    }

    fn rule_id(&mut self, id: &Located<String>, category: Option<CategoryIndex>) {
        if !is_dotted(&id.value, |byte| byte == b'-') {
            let message = format!("`{}` is not a rule id", shown(&id.value));
            let help = "dotted parts of lower-case letters, digits and `-`, as in `nat.us-ssn`";
            self.reporter.report_with_help(id.at, Code::BadId, message, Some(help.to_owned()));
        } else if let Some(category) = category.and_then(|index| self.taxonomy.get(index))
            && id.value.split('.').next() != Some(category.class.as_str())
        {
            let class = category.class.as_str();
            let message =
                format!("rule `{}` finds a category of class `{class}`", shown(&id.value));
            let help = Some(format!("begin the id with `{class}.`"));
            self.reporter.report_with_help(id.at, Code::BadId, message, help);
        }
    }

    fn country(&mut self, country: &Located<String>) -> Option<String> {
        let code = &country.value;
        if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Some(code.clone());
        }
        let message = format!("`{}` is not a country code", shown(code));
        let help = Some("two capital letters as in ISO 3166-1, `US`".to_owned());
        self.reporter.report_with_help(country.at, Code::BadCountry, message, help);
        None
    }

    fn validator(&mut self, word: &Located<String>) -> Option<Validator> {
        let validator = Validator::from_word(&word.value);
        if validator.is_none() {
            let message = format!("unknown validator `{}`", shown(&word.value));
            let known = Validator::ALL.iter().map(|validator| validator.as_str());
            let help = nearest(&word.value, known).map(|near| format!("did you mean `{near}`?"));
            self.reporter.report_with_help(word.at, Code::UnknownValidator, message, help);
        }
        validator
    }

    /// Terms in their normal form, each once in the table; sorted by their place there.
    pub(super) fn terms(&mut self, raw: &[Located<String>]) -> Vec<TermIndex> {
        let mut indices = Vec::with_capacity(raw.len());
        for term in raw {
            let normal = normalise_term(&term.value);
            if normal.is_empty() {
                self.reporter.report(term.at, Code::BadTerm, "a context term is empty");
                continue;
            }
            // Some letters take more bytes in the other case.
            if normal.len().max(normal.to_uppercase().len()) > MAX_TERM {
                let message = format!("the term has more than {MAX_TERM} bytes in some case");
                self.reporter.report(term.at, Code::TooLong, message);
                continue;
            }
            let index = match self.term_index.get(&normal) {
                Some(index) => *index,
                None => {
                    let Ok(index) = u16::try_from(self.terms.len()) else {
                        let message = "more than 65,536 different context terms";
                        self.reporter.report(term.at, Code::TooMany, message);
                        break;
                    };
                    self.terms.push(normal.clone());
                    self.term_index.insert(normal, TermIndex(index));
                    TermIndex(index)
                }
            };
            indices.push(index);
        }
        indices.sort_unstable();
        indices.dedup();
        indices
    }

    fn examples(&mut self, raw: &[Located<String>]) -> Vec<Example> {
        let mut examples = Vec::with_capacity(raw.len());
        for marked in raw {
            let example = unmarked(&marked.value);
            if example.is_none() {
                let message = "the example does not mark exactly one value";
                let help = Some("put the value between ⟦ and ⟧".to_owned());
                self.reporter.report_with_help(marked.at, Code::BadExample, message, help);
            }
            examples.extend(example);
        }
        examples
    }
}

/// The payload and span of an example whose value stands between ⟦ and ⟧.
fn unmarked(marked: &str) -> Option<Example> {
    let (before, rest) = marked.split_once('⟦')?;
    let (value, after) = rest.split_once('⟧')?;
    let stray = [before, value, after].iter().any(|text| text.contains(['⟦', '⟧']));
    if stray || value.is_empty() {
        return None;
    }
    let start = before.len();
    Some(Example { text: [before, value, after].concat(), start, end: start + value.len() })
}

/// Whether an id is two or more parts of lower-case letters, digits and one more kind of byte,
/// with dots between them.
pub(super) fn is_dotted(id: &str, other: impl Fn(u8) -> bool) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || other(b))
    };
    id.contains('.') && id.split('.').all(part)
}

pub(super) fn texts(located: &[Located<String>]) -> Vec<String> {
    located.iter().map(|text| text.value.clone()).collect()
}

pub(super) fn percent(value: usize) -> u8 {
    u8::try_from(value.min(100)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::super::{Lead, Origin};
    use super::*;

    const TAXONOMY: &str = include_str!("../../tests/data/rules/taxonomy.toml");
    const PACK: &str = include_str!("../../tests/data/rules/pack.toml");

    fn source(name: &str, text: &str, builtin: bool) -> Source {
        Source { name: name.into(), text: text.into(), builtin }
    }

    fn sample() -> Vec<Source> {
        vec![source("taxonomy.toml", TAXONOMY, true), source("pack.toml", PACK, true)]
    }

    fn codes(sources: &[Source]) -> Vec<Code> {
        let (_, diagnostics) = compile(sources, Depth::Load);
        diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
    }

    #[test]
    fn a_pack_becomes_a_rule_set() {
        let rules = RuleSet::compile(&sample()).unwrap();
        assert_eq!((rules.rules.len(), rules.combinations.len()), (3, 1));
        let (ssn, email, aws) = (&rules.rules[0], &rules.rules[1], &rules.rules[2]);
        assert_eq!(ssn.anchors, Anchors::Digits { min: 9, max: 9 });
        assert_eq!((ssn.max_length, ssn.reach, &ssn.lead), (11, 11, &Lead::Bytes(0)));
        assert_eq!(ssn.columns, ["socialsecuritynumber", "ssn"]);
        assert_eq!(ssn.origin, Origin { file: "pack.toml".into(), line: 3 });
        let context = ssn.context.as_ref().unwrap();
        assert_eq!((context.before, context.after, context.boost), (300, 100, 45));
        let negative = ssn.negative.as_ref().unwrap();
        assert_eq!((negative.before, negative.after, negative.boost), (100, 50, 40));
        assert_eq!(rules.term(context.terms[1]), "social security");
        let example = &ssn.examples[0];
        assert_eq!(&example.text[example.start..example.end], "219-09-9998");
        assert!(matches!(&email.lead, Lead::Run(class, 64) if class.contains(b'%')));
        assert!(email.boundary.unwrap().contains(b'@'));
        assert_eq!(aws.anchors, Anchors::Keywords(vec!["akia".into(), "asia".into()]));
        assert!(rules.terms.iter().eq([
            "ssn",
            "social security",
            "order",
            "diagnosis",
            "diabetes"
        ]));
    }

    #[test]
    fn packs_of_a_user_replace_built_in_rules_by_id() {
        let mut sources = sample();
        let replaced = PACK.replace("likelihood = 80", "likelihood = 90");
        sources.push(source("mine/pack.toml", &replaced, false));
        let rules = RuleSet::compile(&sources).unwrap();
        assert_eq!(rules.rules.len(), 3);
        assert_eq!(rules.rules[2].likelihood, 90);
        assert_eq!(rules.rules[2].origin.file, "mine/pack.toml");
        assert_ne!(rules.digest, RuleSet::compile(&sample()).unwrap().digest);
        sources.push(source("mine/again.toml", PACK, false));
        assert_eq!(codes(&sources), [Code::DuplicateId; 4]);
    }

    #[test]
    fn the_digest_does_not_depend_on_the_order_of_sources() {
        let mut reversed = sample();
        reversed.reverse();
        assert_eq!(digest(&sample()), digest(&reversed));
        let moved = [source("taxonomy.tom", &format!("l{TAXONOMY}"), true), reversed[0].clone()];
        assert_ne!(digest(&sample()), digest(&moved));
    }

    #[test]
    fn several_problems_are_reported_in_one_go() {
        let broken = PACK
            .replace("validator = \"us_ssn\"", "validator = \"us_sn\"")
            .replace("shape = \"at\"", "shape = \"add\"")
            .replace("ASIA)", "AS)")
            .replace("within = 200", "within = 2000");
        let sources = [source("t", TAXONOMY, true), source("p", &broken, true)];
        assert_eq!(
            codes(&sources),
            [Code::UnknownValidator, Code::UnknownWord, Code::NoAnchor, Code::OutOfRange]
        );
    }

    /// What is kept to find terms in has room for the longest.
    #[test]
    fn terms_may_not_grow_with_their_case() {
        for letter in ["\u{130}", "\u{390}", "\u{149}"] {
            let long = PACK.replace("\"diabetes\"", &format!("\"{}\"", letter.repeat(32)));
            let sources = [source("t", TAXONOMY, true), source("p", &long, true)];
            assert_eq!(codes(&sources), [Code::TooLong], "{letter}");
        }
    }

    /// Beyond what the engine can number, a keyword would be looked for and never found.
    #[test]
    fn keywords_past_the_limit_are_refused() {
        let most = |most| {
            let (_, diagnostics) = compile_within(&sample(), Depth::Load, most);
            diagnostics.iter().map(|diagnostic| diagnostic.code).collect::<Vec<_>>()
        };
        assert_eq!(most(2), []);
        assert_eq!(most(1), [Code::TooMany]);
    }

    #[test]
    fn the_built_in_packs_load() {
        let rules = RuleSet::builtin().map_err(|diagnostics| diagnostics.to_string());
        assert!(rules.is_ok(), "{}", rules.unwrap_err());
    }
}
