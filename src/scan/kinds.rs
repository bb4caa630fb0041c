//! Which rules each kind of anchor sets off, and how much text around an anchor they need.
//!
//! It depends on the rules alone. That of the rules that ship with the program is worked out when it
//! is built, since all of them would have to be read for it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::sweep::AnchorKind;
use crate::rules::{Anchors, LINE_REACH, Lead, Rule, RuleList, Shape};

/// The rules of each kind of anchor.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kinds {
    /// By kind: where its rules end in `positions`.
    ends: Numbers,
    /// The positions of rules, kind by kind.
    positions: Numbers,
    /// By kind: bytes from the anchor on that must be there to decide all of its rules.
    needs: Numbers,
    /// By rule.
    outlines: Vec<Outline>,
    /// The most bytes before its anchor that a match can start.
    pub max_lead: u64,
    /// The same of the rules that need no name.
    pub max_lead_unnamed: u64,
    /// The most bytes before a match that its rule looks at.
    pub max_before: u64,
}

/// What is asked of a rule before any of its matches is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Whether its anchors are keywords.
    pub has_keywords: bool,
    /// The fewest and the most digits of a match, where its anchor is a number; else 0.
    pub digits: (u8, u8),
    /// The most bytes before its anchor that a match can start.
    pub lead: usize,
    /// Whether the start is found by walking back.
    pub lead_is_run: bool,
    /// Whether it finds nothing where no place has a name.
    pub needs_name: bool,
}

impl Outline {
    /// That of a rule.
    pub fn of(rule: &Rule) -> Outline {
        Outline {
            has_keywords: matches!(rule.anchors, Anchors::Keywords(_)),
            digits: match rule.anchors {
                Anchors::Digits { min, max } => (min, max),
                _ => (0, 0),
            },
            lead: rule.lead.max(),
            lead_is_run: matches!(rule.lead, Lead::Run(..)),
            needs_name: rule.needs_name(),
        }
    }
}

/// Numbers that are read as quickly as bytes are copied.
#[derive(Debug, Default, PartialEq, Eq)]
struct Numbers(Vec<u32>);

impl Numbers {
    fn get(&self, position: usize) -> Option<usize> {
        self.0.get(position).map(|number| *number as usize)
    }
}

impl FromIterator<usize> for Numbers {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Numbers {
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Numbers(numbers.into_iter().map(number).collect())
    }
}

impl Serialize for Numbers {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|number| number.to_le_bytes()).collect();
        to.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Numbers, D::Error> {
        let bytes = <&[u8]>::deserialize(from)?;
        let (numbers, []) = bytes.as_chunks() else {
            return Err(serde::de::Error::invalid_length(bytes.len(), &"four bytes a number"));
        };
        Ok(Numbers(numbers.iter().map(|number| u32::from_le_bytes(*number)).collect()))
    }
}

impl Kinds {
    /// The kinds of anchors of these rules, and the keywords that these kinds are numbered by.
    pub fn new(rules: &RuleList) -> (Kinds, Vec<String>) {
        let mut keywords: Vec<String> = Vec::new();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut kinds: Vec<(AnchorKind, usize)> = Vec::new();
        for (position, rule) in rules.iter().enumerate() {
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
                (of_kind.get_mut(kind.index()), rules.get(position))
                && !positions.contains(&position)
            {
                positions.push(position);
                *need = bytes_needed(rule).max(*need);
            }
        }
        let ends = of_kind.iter().scan(0, |end, (positions, _)| {
            *end += positions.len();
            Some(*end)
        });
        let max = |of: fn(&Rule) -> usize| rules.iter().map(of).max().unwrap_or(0) as u64;
        let kinds = Kinds {
            ends: ends.collect(),
            positions: of_kind
                .iter()
                .flat_map(|(positions, _)| positions.iter().copied())
                .collect(),
            outlines: rules.iter().map(Outline::of).collect(),
            needs: of_kind.iter().map(|(_, need)| *need).collect(),
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
        };
        (kinds, keywords)
    }

    /// What [`Kinds::stored`] takes.
    ///
    /// # Errors
    ///
    /// None that is known: all of it can be written.
    #[allow(dead_code, reason = "it is for the build script")]
    pub fn pack(&self) -> postcard::Result<Vec<u8>> {
        postcard::to_stdvec(self)
    }

    /// Kinds that were packed; none where the bytes are no such thing.
    pub fn stored(bytes: &[u8]) -> Option<Kinds> {
        postcard::from_bytes(bytes).ok()
    }

    /// The outline of the rule at a position.
    pub fn outline(&self, position: usize) -> Option<Outline> {
        self.outlines.get(position).copied()
    }

    /// Number of kinds.
    pub fn len(&self) -> usize {
        self.ends.0.len()
    }

    /// Number of rules of all kinds, a rule as often as it has kinds.
    pub fn rules(&self) -> usize {
        self.positions.0.len()
    }

    /// The positions of the rules of a kind, and how many rules the kinds before it have.
    pub fn rules_of(&self, kind: usize) -> (Vec<usize>, usize) {
        let start = kind.checked_sub(1).and_then(|before| self.ends.get(before)).unwrap_or(0);
        let end = self.ends.get(kind).unwrap_or(start);
        let positions = self.positions.0.get(start..end).unwrap_or_default();
        (positions.iter().map(|position| *position as usize).collect(), start)
    }

    /// Bytes from an anchor of a kind on that must be there to decide all of its rules.
    pub fn need(&self, kind: usize) -> u64 {
        self.needs.get(kind).unwrap_or(0) as u64
    }

    /// The same of all kinds.
    pub fn most_need(&self) -> u64 {
        self.needs.0.iter().max().map_or(0, |need| u64::from(*need))
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
fn bytes_needed(rule: &Rule) -> usize {
    let after = [&rule.context, &rule.negative].into_iter().flatten().map(|it| it.after).max();
    let window = rule.max_length.max(rule.reach);
    window + after.unwrap_or(0).max(line_reach(rule)) + 8
}

/// Bytes on either side of a match that `unless` of a rule looks at.
fn line_reach(rule: &Rule) -> usize {
    if rule.unless.iter().any(|unless| !unless.line.is_empty()) { LINE_REACH } else { 0 }
}
