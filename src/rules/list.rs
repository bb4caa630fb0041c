//! Rules in order. Those that ship with the program are read one by one, each when it is first asked
//! for: a run asks for few of them.

use std::ops::{Index, Range};
use std::sync::OnceLock;

use super::Rule;

/// Rules by position; they do not change.
#[derive(Clone, Default)]
pub struct RuleList {
    slots: Vec<OnceLock<Box<Rule>>>,
    stored: Option<StoredRules>,
}

/// Rules in the format of `postcard`, one after the other, and where each ends.
#[derive(Clone, Copy)]
struct StoredRules {
    bytes: &'static [u8],
    ends: &'static [[u8; 4]],
}

impl StoredRules {
    fn read(self, position: usize) -> Option<Rule> {
        postcard::from_bytes(part(self.bytes, self.ends, position)?).ok()
    }
}

/// The bytes at a position of parts that stand one after the other.
pub(super) fn part<'a>(bytes: &'a [u8], ends: &[[u8; 4]], position: usize) -> Option<&'a [u8]> {
    let end = |position: usize| ends.get(position).map(|end| u32::from_le_bytes(*end) as usize);
    let start = match position.checked_sub(1) {
        Some(before) => end(before)?,
        None => 0,
    };
    bytes.get(start..end(position)?)
}

/// Adds an end to those of parts that stand one after the other.
pub(super) fn push_end(ends: &mut Vec<[u8; 4]>, end: usize) {
    ends.push(u32::try_from(end).unwrap_or(u32::MAX).to_le_bytes());
}

impl RuleList {
    /// Rules that were packed into the program.
    pub(super) fn stored(bytes: &'static [u8], ends: &'static [[u8; 4]]) -> RuleList {
        let slots = ends.iter().map(|_| OnceLock::new()).collect();
        RuleList { slots, stored: Some(StoredRules { bytes, ends }) }
    }

    /// The bytes and the ends that [`RuleList::stored`] takes.
    #[allow(dead_code, reason = "it is for the build script")]
    pub(super) fn pack(&self) -> postcard::Result<(Vec<u8>, Vec<[u8; 4]>)> {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for rule in self {
            bytes.extend(postcard::to_stdvec(rule)?);
            push_end(&mut ends, bytes.len());
        }
        Ok((bytes, ends))
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
        let rule = self.stored?.read(position)?;
        Some(self.slots.get(position)?.get_or_init(|| Box::new(rule)))
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
