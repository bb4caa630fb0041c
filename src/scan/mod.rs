//! A view comes in, findings come out: anchor, match, validate, score, resolve overlaps.
//!
//! What is found at a place is a pure function of a bounded window around it, so a view may arrive
//! whole, in pieces cut anywhere, or in overlapping segments on several threads: the findings are
//! the same. Work happens only where the sweep sees an anchor, and is linear in the view.
//!
//! [`Plan`] is what all scans of a rule set share, [`Cursor`] the state of one scan; whoever owns
//! the bytes calls [`Cursor::advance`] and receives findings through a [`Sink`].

mod automaton;
mod beginnings;
mod beside;
mod columns;
mod context;
mod cursor;
#[cfg(feature = "hyperscan")]
mod ends;
mod first_words;
mod forms;
mod heads;
mod kinds;
mod names;
mod phrases;
mod plan;
mod position;
#[cfg(test)]
pub(crate) mod sample;
mod score;
mod settle;
mod shortlist;
mod sieve;
mod split;
mod starts;
mod steps;
pub mod structure;
pub mod sweep;
mod transitions;
#[cfg(feature = "hyperscan")]
mod translate;
mod unless;
pub mod validate;
mod vicinity;
mod watch;
mod words;
mod work;

pub use cursor::{Cursor, Progress};
pub use plan::Plan;
pub use position::Positions;
pub use steps::syntax_config;
pub use work::{RuleWork, SharedWork, Work};

use crate::model::{CategoryIndex, Evidence, Likelihood, Place, RuleIndex, Span};

/// A finding as the scan hands it over, with the value it must not keep.
#[derive(Clone)]
pub struct Found<'a> {
    /// The rule or combination that found it.
    pub rule: RuleIndex,
    /// What it is.
    pub category: CategoryIndex,
    /// The value, in bytes of the view.
    pub span: Span,
    /// The same in characters, where the view is UTF-8 up to its end.
    pub chars: Option<Span>,
    /// Line of the first byte, counted from 1.
    pub line: u64,
    /// Byte of that line, counted from 1.
    pub column: u64,
    /// How sure it is.
    pub likelihood: Likelihood,
    /// Why.
    pub evidence: Evidence,
    /// Cell or JSON path.
    pub place: Option<Box<Place>>,
    /// Hash of the text around the value on its line, up to 128 bytes on either side, with every
    /// finding blanked and white space folded; 0 where [`Sink::wants_context_hash`] says no.
    pub context_hash: u64,
    /// The bytes of the value. They go into a mask and a keyed hash and nowhere else.
    pub value: &'a [u8],
}

/// Takes findings in the order of start, end, rule id.
pub trait Sink {
    /// Takes the next finding.
    fn take(&mut self, found: Found<'_>);

    /// Whether the next finding will be counted and not kept, so that it may come without characters,
    /// line, column and context hash, as it does here.
    fn is_counted_alone(&self, _: &Found<'_>) -> bool {
        false
    }

    /// Whether findings are to have a context hash.
    fn wants_context_hash(&self) -> bool {
        true
    }
}

impl<F: FnMut(Found<'_>)> Sink for F {
    fn take(&mut self, found: Found<'_>) {
        self(found);
    }
}
