//! What scans cost, in units that are the same in each run: anchors, tries, bytes read, matches.

use super::plan::Plan;
use super::sweep::AnchorKind;

/// What scans did, by rule, by automaton that rules share, and in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Bytes that were swept.
    pub swept: u64,
    /// By position of the rule.
    pub rules: Vec<RuleWork>,
    /// Of the automata that rules share.
    pub shared: Vec<SharedWork>,
    kinds: Vec<u64>,
}

/// What was done for one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleWork {
    /// Anchors that set it off.
    pub anchors: u64,
    /// Those of them at which its own automaton was tried.
    pub tries: u64,
    /// Bytes that its own automaton read.
    pub read: u64,
    /// Places where it matched, before its value was checked.
    pub matches: u64,
}

/// What was done by one automaton for several rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedWork {
    /// Positions of the rules.
    pub rules: Vec<usize>,
    /// Anchors that set it off.
    pub anchors: u64,
    /// Bytes that it read.
    pub read: u64,
}

impl Work {
    pub(crate) fn new(plan: &Plan) -> Work {
        let kinds = AnchorKind::count(plan.sweep().keywords().len());
        Work {
            swept: 0,
            rules: vec![RuleWork::default(); plan.rules().rules.len()],
            shared: vec![SharedWork::default(); plan.groups()],
            kinds: vec![0; kinds],
        }
    }

    pub(super) fn anchor(&mut self, kind: AnchorKind) {
        if let Some(count) = self.kinds.get_mut(kind.index()) {
            *count += 1;
        }
    }

    pub(super) fn tried(&mut self, rule: usize, has_matched: bool) {
        if let Some(rule) = self.rules.get_mut(rule) {
            rule.tries += 1;
            rule.matches += u64::from(has_matched);
        }
    }

    pub(super) fn with_reads(mut self, rules: &[u64], groups: impl Iterator<Item = u64>) -> Work {
        for (rule, read) in self.rules.iter_mut().zip(rules) {
            rule.read = *read;
        }
        for (shared, read) in self.shared.iter_mut().zip(groups) {
            shared.read = read;
        }
        self
    }

    /// Adds what another scan of the same rules did.
    pub(crate) fn add(&mut self, other: &Work) {
        self.swept += other.swept;
        for (sum, more) in self.rules.iter_mut().zip(&other.rules) {
            sum.anchors += more.anchors;
            sum.tries += more.tries;
            sum.read += more.read;
            sum.matches += more.matches;
        }
        for (sum, more) in self.shared.iter_mut().zip(&other.shared) {
            sum.anchors += more.anchors;
            sum.read += more.read;
        }
        for (sum, more) in self.kinds.iter_mut().zip(&other.kinds) {
            *sum += more;
        }
    }

    /// Anchors of all kinds.
    pub fn anchors(&self) -> u64 {
        self.kinds.iter().sum()
    }

    /// Bytes that all automata read.
    pub fn read(&self) -> u64 {
        let shared: u64 = self.shared.iter().map(|shared| shared.read).sum();
        shared + self.rules.iter().map(|rule| rule.read).sum::<u64>()
    }

    /// Says of each rule and shared automaton how often its anchors were met.
    pub(crate) fn assign_anchors(&mut self, plan: &Plan) {
        for (index, count) in self.kinds.iter().enumerate() {
            let Some(watch) = plan.watch(AnchorKind::at_index(index)) else { continue };
            let fronts = watch.fronts.iter().flat_map(|front| &front.groups);
            for group in fronts.chain(&watch.groups) {
                for position in &group.rules {
                    if let Some(rule) = self.rules.get_mut(*position) {
                        rule.anchors += count;
                    }
                }
                if let Some(shared) = self.shared.get_mut(group.number) {
                    shared.anchors += count;
                    shared.rules.clone_from(&group.rules);
                }
            }
        }
    }
}
