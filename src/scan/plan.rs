//! A rule set, arranged by anchor.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::automaton::Automaton;
use super::context::{Gate, MAX_TERM, Terms};
use super::sweep::{AnchorKind, Kernel, Sweep};
use super::unless::Exclusions;
use super::watch::{self, Watch};
use crate::model::{CategoryIndex, Class, RuleIndex, Sensitivity};
use crate::rules::{Anchors, Combination, LINE_REACH, Rule, RuleSet, Shape};

/// What all scans of one rule set share. Automata and context terms are built when they are first
/// needed.
#[derive(Debug)]
pub struct Plan {
    rules: Arc<RuleSet>,
    sweep: Sweep,
    by_kind: Vec<Watch>,
    automata: Vec<OnceLock<Option<Automaton>>>,
    /// By rule.
    exclusions: Vec<OnceLock<Option<Exclusions>>>,
    gates: Vec<OnceLock<Option<Gate>>>,
    /// By combination.
    combination_gates: Vec<OnceLock<Gate>>,
    groups: usize,
    terms: OnceLock<Terms>,
    facts: Vec<Facts>,
    combinations_of: HashMap<CategoryIndex, Vec<usize>>,
    max_lead: u64,
    /// The same of the rules that need no name.
    max_lead_unnamed: u64,
    max_before: u64,
    neighbourhood: u64,
}

/// What overlap resolution and output compare of a rule or combination.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Its category.
    pub category: CategoryIndex,
    /// Class of the category.
    pub class: Option<Class>,
    /// Sensitivity of the category.
    pub sensitivity: Sensitivity,
    /// Place of its id among all ids in order.
    pub rank: u32,
}

/// How far around a value its line goes into the context hash.
pub const LINE_WINDOW: u64 = 128;

impl Plan {
    /// Arranges a rule set for a kernel, on this thread.
    pub fn new(rules: Arc<RuleSet>, kernel: Kernel) -> Plan {
        Plan::arranged(rules, kernel, false)
    }

    /// As [`Plan::new`], on two threads of a pool that stays: not before a sandbox that counts threads.
    pub fn on_two_threads(rules: Arc<RuleSet>, kernel: Kernel) -> Plan {
        Plan::arranged(rules, kernel, true)
    }

    fn arranged(rules: Arc<RuleSet>, kernel: Kernel, on_two_threads: bool) -> Plan {
        let mut keywords: Vec<String> = Vec::new();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut kinds: Vec<(AnchorKind, usize)> = Vec::new();
        for (position, rule) in rules.rules.iter().enumerate() {
            match &rule.anchors {
                Anchors::Keywords(words) => {
                    for word in shortest(words) {
                        let number = *numbers.entry(word.clone()).or_insert_with(|| {
                            keywords.push(word);
                            keywords.len() - 1
                        });
                        kinds.push((AnchorKind::keyword(number), position));
                    }
                }
                Anchors::Digits { .. } => kinds.push((AnchorKind::shape(Shape::Digits), position)),
                Anchors::Shape(shape) => kinds.push((AnchorKind::shape(*shape), position)),
            }
        }
        let mut of_kind = vec![(Vec::new(), 0); AnchorKind::count(keywords.len())];
        for (kind, position) in kinds {
            if let (Some((positions, need)), Some(rule)) =
                (of_kind.get_mut(kind.index()), rules.rules.get(position))
                && !positions.contains(&position)
            {
                positions.push(position);
                *need = bytes_needed(rule).max(*need);
            }
        }
        let arrange = || {
            let mut groups = 0;
            let kinds = of_kind.iter();
            let by_kind = kinds
                .map(|(positions, need)| watch::arrange(positions, &rules, *need, &mut groups))
                .collect();
            (by_kind, groups)
        };
        let sweep = || Sweep::new(keywords, kernel);
        let (sweep, (by_kind, groups)) =
            if on_two_threads { rayon::join(sweep, arrange) } else { (sweep(), arrange()) };
        let max = |of: fn(&Rule) -> usize| rules.rules.iter().map(of).max().unwrap_or(0) as u64;
        let within = rules.combinations.iter().map(|combination| combination.within).max();
        Plan {
            sweep,
            automata: rules.rules.iter().map(|_| OnceLock::new()).collect(),
            exclusions: rules.rules.iter().map(|_| OnceLock::new()).collect(),
            gates: rules.rules.iter().map(|_| OnceLock::new()).collect(),
            combination_gates: rules.combinations.iter().map(|_| OnceLock::new()).collect(),
            by_kind,
            groups,
            terms: OnceLock::new(),
            facts: facts(&rules),
            combinations_of: combinations_of(&rules),
            max_lead: max(|rule| rule.lead.max()),
            max_lead_unnamed: max(|rule| if rule.needs_name() { 0 } else { rule.lead.max() }),
            max_before: max(|rule| {
                [&rule.context, &rule.negative]
                    .into_iter()
                    .flatten()
                    .map(|it| it.before)
                    .max()
                    .unwrap_or(0)
                    .max(line_reach(rule))
            }),
            neighbourhood: LINE_WINDOW.max(within.unwrap_or(0) as u64),
            rules,
        }
    }

    /// The rules.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// The sweep for their anchors.
    pub fn sweep(&self) -> &Sweep {
        &self.sweep
    }

    /// Number of groups of rules.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The rules that a kind of anchor sets off.
    pub fn watch(&self, kind: AnchorKind) -> Option<&Watch> {
        self.by_kind.get(kind.index())
    }

    /// The automaton of the rule at a position.
    pub fn automaton(&self, position: usize) -> Option<&Automaton> {
        let rule = self.rules.rules.get(position)?;
        self.automata.get(position)?.get_or_init(|| Automaton::new(rule)).as_ref()
    }

    /// What a match of a rule must not be; none where the rule does not say.
    pub fn exclusions(&self, position: usize) -> Option<&Exclusions> {
        let rule = self.rules.rules.get(position).filter(|rule| !rule.unless.is_empty())?;
        self.exclusions.get(position)?.get_or_init(|| Exclusions::new(rule)).as_ref()
    }

    /// The gate of the context that a rule requires; none where it requires none.
    pub fn gate(&self, position: usize) -> Option<&Gate> {
        let rule = self.rules.rules.get(position)?;
        let build = || {
            let context = rule.context.as_ref().filter(|context| context.required)?;
            Some(Gate::new(&self.rules, &context.terms))
        };
        self.gates.get(position)?.get_or_init(build).as_ref()
    }

    /// The gate of the terms of a combination.
    pub fn combination_gate(&self, index: RuleIndex) -> Option<&Gate> {
        let position = (index.0 as usize).checked_sub(self.rules.rules.len())?;
        let combination = self.rules.combinations.get(position)?;
        let build = || Gate::new(&self.rules, &combination.terms);
        Some(self.combination_gates.get(position)?.get_or_init(build))
    }

    /// All context terms.
    pub fn terms(&self) -> &Terms {
        self.terms.get_or_init(|| Terms::new(&self.rules))
    }

    /// What is compared of a rule or combination.
    pub fn facts(&self, rule: RuleIndex) -> Option<&Facts> {
        self.facts.get(rule.0 as usize)
    }

    /// The combinations that may rest on a finding of this category, with their positions.
    pub fn combinations_of(
        &self,
        category: CategoryIndex,
    ) -> impl Iterator<Item = (RuleIndex, &Combination)> {
        let plain = self.rules.rules.len();
        self.combinations_of.get(&category).into_iter().flatten().filter_map(move |position| {
            let index = RuleIndex(u32::try_from(plain + position).ok()?);
            Some((index, self.rules.combinations.get(*position)?))
        })
    }

    /// The most bytes before its anchor that a match can start, in a view with names or without.
    pub fn max_lead(&self, has_names: bool) -> u64 {
        if has_names { self.max_lead } else { self.max_lead_unnamed }
    }

    /// The most bytes before a match that are looked at.
    pub fn look_behind(&self) -> u64 {
        self.max_before.max(super::validate::LOOK_BEHIND as u64) + 8
    }

    /// How far around a finding others, terms and its line are looked at.
    pub fn neighbourhood(&self) -> u64 {
        self.neighbourhood
    }

    /// Bytes before an offset that what is found at the offset can depend on; the same behind it.
    /// A scan of a segment with this much on both sides finds in the segment what a scan of the
    /// whole does.
    pub fn reach(&self) -> u64 {
        let need = self.by_kind.iter().map(|watch| watch.need).max().unwrap_or(0);
        // Twice: what is found at a place, and what is found around that.
        2 * (need + self.max_lead + self.look_behind() + self.neighbourhood + MAX_TERM as u64 + 64)
    }
}

/// The words in lower case, without those that begin with another: where one of them is, the
/// other is too, and the rule would be tried there twice.
fn shortest(words: &[String]) -> Vec<String> {
    let mut words: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    words.sort_unstable();
    // In order, all that begin with a word follow it.
    words.dedup_by(|word, shorter| word.starts_with(shorter.as_str()));
    words
}

/// Bytes from the anchor on that must be there to decide a rule.
fn bytes_needed(rule: &Rule) -> u64 {
    let after = [&rule.context, &rule.negative].into_iter().flatten().map(|it| it.after).max();
    let window = rule.max_length.max(rule.reach);
    (window + after.unwrap_or(0).max(line_reach(rule)) + 8) as u64
}

/// Bytes on either side of a match that `unless` of a rule looks at.
fn line_reach(rule: &Rule) -> usize {
    if rule.unless.iter().any(|unless| !unless.line.is_empty()) { LINE_REACH } else { 0 }
}

fn facts(rules: &RuleSet) -> Vec<Facts> {
    let plain = rules.rules.iter().map(|rule| (rule.id.as_str(), rule.category));
    let raised = rules.combinations.iter().map(|rule| (rule.id.as_str(), rule.category));
    let all: Vec<(&str, CategoryIndex)> = plain.chain(raised).collect();
    let mut ids: Vec<&str> = all.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    let rank =
        |id: &str| u32::try_from(ids.partition_point(|other| *other < id)).unwrap_or(u32::MAX);
    all.iter()
        .map(|(id, category)| Facts {
            category: *category,
            class: rules.class(*category),
            sensitivity: rules
                .category(*category)
                .map_or(Sensitivity::Restricted, |category| category.sensitivity),
            rank: rank(id),
        })
        .collect()
}

fn combinations_of(rules: &RuleSet) -> HashMap<CategoryIndex, Vec<usize>> {
    let mut of: HashMap<CategoryIndex, Vec<usize>> = HashMap::new();
    let plain = rules.combinations.iter().enumerate().filter(|(_, it)| it.values == 0);
    for (position, combination) in plain {
        for category in &combination.of {
            of.entry(*category).or_default().push(position);
        }
    }
    of
}
