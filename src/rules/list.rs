//! Rules in order. Those that ship with the program are read one by one, each when it is first asked
//! for: a run asks for few of them.

use std::ops::{Index, Range};
use std::sync::OnceLock;

use super::Rule;
use super::texts::Texts;
use crate::model::CategoryIndex;

/// Rules by position; they do not change.
#[derive(Clone, Default)]
pub struct RuleList {
    slots: Vec<OnceLock<Box<Rule>>>,
    stored: Option<StoredRules>,
}

/// Rules as they stand in the program.
#[derive(Clone)]
pub(super) struct StoredRules {
    /// Each in the format of `postcard`.
    pub rules: Texts,
    /// What is asked of all rules, and need not be read for it.
    pub ids: Texts,
    pub categories: &'static [[u8; 2]],
}

impl RuleList {
    /// Rules that were packed into the program.
    pub(super) fn stored(stored: StoredRules) -> RuleList {
        let slots = (0..stored.rules.len()).map(|_| OnceLock::new()).collect();
        RuleList { slots, stored: Some(stored) }
    }

    /// Whether these are all the rules that ship with the program, and no others.
    pub(crate) fn is_built_in(&self) -> bool {
        self.stored.is_some()
    }

    /// The rule at a position.
    #[inline]
    pub fn get(&self, position: usize) -> Option<&Rule> {
        match self.slots.get(position)?.get() {
            Some(rule) => Some(rule),
            None => self.read(position),
        }
    }

    #[cold]
    fn read(&self, position: usize) -> Option<&Rule> {
        let stored = self.stored.as_ref()?;
        let rule = postcard::from_bytes(stored.rules.bytes(position)?).ok()?;
        Some(self.slots.get(position)?.get_or_init(|| Box::new(rule)))
    }

    /// Id and category of each, in order.
    pub fn ids(&self) -> impl Iterator<Item = (&str, CategoryIndex)> {
        let of = |position| match &self.stored {
            Some(stored) => {
                let category = CategoryIndex(u16::from_le_bytes(*stored.categories.get(position)?));
                Some((stored.ids.get(position)?, category))
            }
            None => self.get(position).map(|rule| (rule.id.as_str(), rule.category)),
        };
        (0..self.len()).map_while(of)
    }

    /// The first one.
    pub fn first(&self) -> Option<&Rule> {
        self.get(0)
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All rules, in order.
    pub fn iter(&self) -> RuleIter<'_> {
        RuleIter { list: self, left: 0..self.len() }
    }
}

/// The rules of a list, in order.
#[derive(Clone, Debug)]
pub struct RuleIter<'a> {
    list: &'a RuleList,
    left: Range<usize>,
}

impl<'a> Iterator for RuleIter<'a> {
    type Item = &'a Rule;

    fn next(&mut self) -> Option<&'a Rule> {
        self.list.get(self.left.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl ExactSizeIterator for RuleIter<'_> {}

impl<'a> IntoIterator for &'a RuleList {
    type Item = &'a Rule;
    type IntoIter = RuleIter<'a>;

    fn into_iter(self) -> RuleIter<'a> {
        self.iter()
    }
}

impl From<Vec<Rule>> for RuleList {
    fn from(rules: Vec<Rule>) -> RuleList {
        let slot = |rule| OnceLock::from(Box::new(rule));
        RuleList { slots: rules.into_iter().map(slot).collect(), stored: None }
    }
}

impl Index<usize> for RuleList {
    type Output = Rule;

    #[expect(clippy::panic, reason = "as any index out of range")]
    fn index(&self, position: usize) -> &Rule {
        let Some(rule) = self.get(position) else {
            panic!("no rule {position} of {}", self.len());
        };
        rule
    }
}

impl PartialEq for RuleList {
    fn eq(&self, other: &RuleList) -> bool {
        self.len() == other.len() && self.iter().eq(other)
    }
}

impl Eq for RuleList {}

impl std::fmt::Debug for RuleList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self).finish()
    }
}
