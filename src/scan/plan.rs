//! A rule set, arranged by anchor.

use std::sync::{Arc, OnceLock};

use super::automaton::Automaton;
use super::beside::Beside;
use super::context::{MAX_TERM, Terms};
#[cfg(feature = "hyperscan")]
use super::ends::PatternSet;
use super::kinds::Kinds;
use super::sieve::Sieves;
use super::sweep::{AnchorKind, Kernel, Sweep};
use super::unless::Exclusions;
use super::vicinity::Vicinity;
use super::watch::{self, Watch};
use crate::model::{CategoryIndex, Class, RuleIndex, Sensitivity, TermIndex};
use crate::rules::{Combination, RuleSet};

/// What [`Beside::pack`], [`Kinds::pack`], [`Sieves::pack`] and [`Sweep::pack`] make of the rules that ship with the program.
static BUILT_IN_BESIDE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_beside.bin"));
static BUILT_IN_KINDS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_kinds.bin"));
static BUILT_IN_SIEVES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_sieves.bin"));
static BUILT_IN_SWEEP: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_sweep.bin"));
static BUILT_IN_VICINITY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_vicinity.bin"));

/// What all scans of one rule set share. Automata and context terms are built when they are first
/// needed.
#[derive(Debug)]
pub struct Plan {
    rules: Arc<RuleSet>,
    sweep: Sweep,
    kinds: Kinds,
    /// Empty for other rules than those of the program: they take longer to make than most scans.
    sieves: Sieves,
    /// Empty for these as well.
    beside: Beside,
    by_kind: Vec<OnceLock<Watch>>,
    automata: Vec<OnceLock<Option<Automaton>>>,
    /// By rule.
    exclusions: Vec<OnceLock<Option<Exclusions>>>,
    /// By rule: see [`Plan::terms_have_letters`].
    have_letters: Vec<OnceLock<bool>>,
    /// None for other rules than those of the program.
    vicinity: Option<Vicinity>,
    combination_terms: OnceLock<Vec<TermIndex>>,
    terms: OnceLock<Terms>,
    facts: OnceLock<Vec<Facts>>,
    /// By category.
    combining: Vec<Combining>,
    neighbourhood: u64,
    #[cfg(feature = "hyperscan")]
    patterns_after: u64,
    #[cfg(feature = "hyperscan")]
    pattern_set: OnceLock<Option<PatternSet>>,
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
    /// The combinations that look for its category near others, one bit each, which several may share:
    /// see [`Combined::bit`].
    pub near: u64,
}

/// The combinations that may rest on a finding of one category.
#[derive(Clone, Debug, Default)]
pub struct Combining {
    positions: Vec<usize>,
    /// How far around it the one that looks farthest does.
    pub farthest: u64,
    /// The bits of all of them in [`Facts::near`].
    pub bits: u64,
}

/// A combination that may rest on a finding.
#[derive(Clone, Copy, Debug)]
pub struct Combined<'a> {
    /// Its place behind all rules.
    pub index: RuleIndex,
    /// Its bit in [`Facts::near`].
    pub bit: u64,
    /// What it asks for.
    pub combination: &'a Combination,
}

/// How far around a value its line goes into the context hash.
pub const LINE_WINDOW: u64 = 128;

impl Plan {
    /// Arranges a rule set for a kernel. Of the rules that ship with the program this was done when it
    /// was built, and takes microseconds.
    pub fn new(rules: Arc<RuleSet>, kernel: Kernel) -> Plan {
        let stored =
            || Some((Kinds::stored(BUILT_IN_KINDS)?, Sweep::stored(BUILT_IN_SWEEP, kernel)?));
        let stored = rules.rules.is_built_in().then(stored).flatten();
        let (kinds, sweep) = stored.unwrap_or_else(|| {
            let (kinds, keywords) = Kinds::new(&rules.rules);
            (kinds, Sweep::new(&keywords, kernel))
        });
        let sieves = rules.rules.is_built_in().then(|| Sieves::stored(BUILT_IN_SIEVES)).flatten();
        let beside = rules.rules.is_built_in().then(|| Beside::stored(BUILT_IN_BESIDE)).flatten();
        let vicinity =
            rules.rules.is_built_in().then(|| Vicinity::stored(BUILT_IN_VICINITY)).flatten();
        let within = rules.combinations.iter().map(|combination| combination.within).max();
        Plan {
            sweep,
            automata: slots(rules.rules.len()),
            exclusions: slots(rules.rules.len()),
            have_letters: slots(rules.rules.len()),
            vicinity,
            combination_terms: OnceLock::new(),
            by_kind: slots(kinds.len()),
            kinds,
            sieves: sieves.unwrap_or_default(),
            beside: beside.unwrap_or_default(),
            terms: OnceLock::new(),
            facts: OnceLock::new(),
            combining: combining(&rules),
            neighbourhood: LINE_WINDOW.max(within.unwrap_or(0) as u64),
            rules,
            #[cfg(feature = "hyperscan")]
            patterns_after: u64::MAX,
            #[cfg(feature = "hyperscan")]
            pattern_set: OnceLock::new(),
        }
    }

    /// Makes a pattern set once a worker's automata have read so many bytes of text that is not much
    /// longer.
    #[cfg(feature = "hyperscan")]
    pub fn with_patterns_after(self, bytes: u64) -> Plan {
        Plan { patterns_after: bytes, ..self }
    }

    /// How many bytes automata have to read before there is a pattern set.
    #[cfg(feature = "hyperscan")]
    pub fn patterns_after(&self) -> u64 {
        self.patterns_after
    }

    /// The pattern set, where one was made; none in it where the library took no pattern.
    #[cfg(feature = "hyperscan")]
    pub fn pattern_set(&self) -> Option<&Option<PatternSet>> {
        self.pattern_set.get()
    }

    /// Makes the pattern set, from what the automaton of each rule has read.
    #[cfg(feature = "hyperscan")]
    pub fn make_pattern_set(&self, read: &[u64]) {
        self.pattern_set.get_or_init(|| PatternSet::new(&self.rules, read));
    }

    /// The rules.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// The sweep for their anchors.
    pub fn sweep(&self) -> &Sweep {
        &self.sweep
    }

    /// What the numbers of groups are below.
    pub fn groups(&self) -> usize {
        self.kinds.rules()
    }

    /// The rules that a kind of anchor sets off.
    pub fn watch(&self, kind: AnchorKind) -> Option<&Watch> {
        let kind = kind.index();
        Some(self.by_kind.get(kind)?.get_or_init(|| self.arrange(kind)))
    }

    /// What tells which of the rules without a name that a kind of anchor sets off may match.
    pub fn sieves(&self) -> &Sieves {
        &self.sieves
    }

    /// What can stand beside keywords.
    pub fn beside(&self) -> &Beside {
        &self.beside
    }

    /// Bytes from an anchor of a kind on that must be there to decide it.
    pub fn need(&self, kind: AnchorKind) -> u64 {
        self.kinds.need(kind.index())
    }

    fn arrange(&self, kind: usize) -> Watch {
        // No kind has more groups than rules.
        let (positions, mut first_group) = self.kinds.rules_of(kind);
        let outline = |position| self.kinds.outline(position);
        watch::arrange(&positions, outline, &mut first_group)
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

    /// Whether all terms that speak for values of the rule at a position have a letter, of ASCII or beyond.
    pub fn terms_have_letters(&self, position: usize) -> bool {
        let terms = &self.rules.terms;
        let has_letter = |term: &TermIndex| {
            let bytes = terms.bytes(usize::from(term.0)).unwrap_or_default();
            bytes.iter().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
        };
        let of_rule = || {
            let context = self.rules.rules.get(position).and_then(|rule| rule.context.as_ref());
            context.is_none_or(|context| context.terms.iter().all(has_letter))
        };
        self.have_letters.get(position).is_some_and(|known| *known.get_or_init(of_rule))
    }

    /// The terms that the rules of sieves require near their matches.
    pub fn vicinity(&self) -> Option<&Vicinity> {
        self.vicinity.as_ref()
    }

    /// The terms that combinations look for, sorted.
    pub fn combination_terms(&self) -> &[TermIndex] {
        self.combination_terms.get_or_init(|| self.rules.combined_terms())
    }

    /// All context terms.
    pub fn terms(&self) -> &Terms {
        self.terms.get_or_init(|| Terms::new(&self.rules))
    }

    /// What is compared of a rule or combination.
    pub fn facts(&self, rule: RuleIndex) -> Option<&Facts> {
        self.facts.get_or_init(|| facts(&self.rules)).get(rule.0 as usize)
    }

    /// The combinations that may rest on a finding of this category; none where there are none.
    pub fn combining(&self, category: CategoryIndex) -> Option<&Combining> {
        self.combining.get(usize::from(category.0)).filter(|it| !it.positions.is_empty())
    }

    /// These combinations one by one.
    pub fn combinations(&self, of: &Combining) -> impl Iterator<Item = Combined<'_>> {
        let plain = self.rules.rules.len();
        of.positions.iter().filter_map(move |position| {
            let index = RuleIndex(u32::try_from(plain + position).ok()?);
            let combination = self.rules.combinations.get(*position)?;
            Some(Combined { index, bit: bit_of(*position), combination })
        })
    }

    /// The most bytes before its anchor that a match can start, in a view with names or without.
    pub fn max_lead(&self, has_names: bool) -> u64 {
        if has_names { self.kinds.max_lead } else { self.kinds.max_lead_unnamed }
    }

    /// The most bytes before a match that are looked at.
    pub fn look_behind(&self) -> u64 {
        self.kinds.max_before.max(super::validate::LOOK_BEHIND as u64) + 8
    }

    /// How far around a finding others, terms and its line are looked at.
    pub fn neighbourhood(&self) -> u64 {
        self.neighbourhood
    }

    /// Bytes before an offset that what is found at the offset can depend on; the same behind it.
    /// A scan of a segment with this much on both sides finds in the segment what a scan of the
    /// whole does.
    pub fn reach(&self) -> u64 {
        let need = self.kinds.most_need();
        // Twice: what is found at a place, and what is found around that.
        2 * (need
            + self.kinds.max_lead
            + self.look_behind()
            + self.neighbourhood
            + MAX_TERM as u64
            + 64)
    }
}

/// So many places, each filled when it is first needed.
fn slots<T>(count: usize) -> Vec<OnceLock<T>> {
    (0..count).map(|_| OnceLock::new()).collect()
}

fn facts(rules: &RuleSet) -> Vec<Facts> {
    let plain = rules.rules.ids();
    let raised = rules.combinations.iter().map(|rule| (rule.id.as_str(), rule.category));
    let all: Vec<(&str, CategoryIndex)> = plain.chain(raised).collect();
    let mut ids: Vec<&str> = all.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    let rank =
        |id: &str| u32::try_from(ids.partition_point(|other| *other < id)).unwrap_or(u32::MAX);
    let near = |category: &CategoryIndex| {
        let combinations = rules.combinations.iter().enumerate();
        let looking = combinations.filter(|(_, it)| it.near.contains(category));
        looking.fold(0, |bits, (position, _)| bits | bit_of(position))
    };
    all.iter()
        .map(|(id, category)| Facts {
            category: *category,
            class: rules.class(*category),
            sensitivity: rules
                .category(*category)
                .map_or(Sensitivity::Restricted, |category| category.sensitivity),
            rank: rank(id),
            near: near(category),
        })
        .collect()
}

/// The bit of the combination at a position.
fn bit_of(position: usize) -> u64 {
    1 << (position % 64)
}

fn combining(rules: &RuleSet) -> Vec<Combining> {
    let mut of: Vec<Combining> = Vec::new();
    let plain = rules.combinations.iter().enumerate().filter(|(_, it)| it.values == 0);
    for (position, combination) in plain {
        for category in &combination.of {
            let category = usize::from(category.0);
            of.resize(of.len().max(category + 1), Combining::default());
            if let Some(combining) = of.get_mut(category) {
                combining.positions.push(position);
                combining.farthest = combining.farthest.max(combination.within as u64);
                combining.bits |= bit_of(position);
            }
        }
    }
    of
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::phrases::Phrases;
    use crate::scan::sample;

    #[test]
    fn what_stands_in_the_program_is_what_its_rules_make() {
        let rules = RuleSet::builtin().unwrap();
        assert!(rules.rules.is_built_in());
        let (kinds, keywords) = Kinds::new(&rules.rules);
        assert_eq!(Kinds::stored(BUILT_IN_KINDS).unwrap(), kinds);
        assert_eq!(BUILT_IN_SWEEP, Sweep::pack(&keywords).unwrap());
        let beside = Beside::new(&rules.rules, &kinds, &keywords);
        assert_eq!(Beside::stored(BUILT_IN_BESIDE).unwrap(), beside);
        let sieves = Sieves::new(&rules.rules, &kinds);
        assert_eq!(Sieves::stored(BUILT_IN_SIEVES).unwrap(), sieves);
        // What a library holds is elsewhere each time.
        let own = [Kernel::Portable, Kernel::Avx2, Kernel::Avx512];
        for kernel in own.into_iter().filter(|kernel| kernel.is_available()) {
            let stored = Sweep::stored(BUILT_IN_SWEEP, kernel).unwrap();
            let made = Sweep::new(&keywords, kernel);
            assert_eq!(stored.kernel(), kernel);
            assert_eq!(format!("{stored:?}"), format!("{made:?}"));
        }
        let combined: Vec<u16> = rules.combined_terms().iter().map(|term| term.0).collect();
        let phrases = Phrases::of_terms(rules.terms.iter(), &combined);
        assert_eq!(super::super::context::BUILT_IN, phrases.pack().unwrap());
        let vicinity = Vicinity::of_sieves(&rules.rules, &kinds, &sieves, &phrases);
        assert_eq!(BUILT_IN_VICINITY, vicinity.pack().unwrap());
    }

    #[test]
    fn other_rules_than_those_of_the_program_have_tables_of_their_own() {
        let more = "anchors = { keywords = [\"zqx\"] }";
        let rules = sample::rules(&[("sec.a", "zqx", more)], "");
        let plan = Plan::new(rules, Kernel::best());
        assert!(plan.sweep().keywords().iter().eq([b"zqx"]));
        assert!(plan.watch(AnchorKind::keyword(0)).is_some());
        assert!(plan.need(AnchorKind::keyword(0)) > 0);
        assert!(plan.watch(AnchorKind::keyword(1)).is_none());
    }
}
