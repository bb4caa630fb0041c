//! The nouns that every layer shares: span, category, finding, exception, coverage, label, flow,
//! identity, effect.
//!
//! Nothing comes in and nothing is computed here beyond what a noun knows of itself. What is
//! promised: no type of this module holds a byte of a payload, so `Debug`, logs and records of
//! these types cannot leak one (a finding holds a mask of the value and a keyed fingerprint).
//! What a caller claims ([`Claimed`]) and what the kernel attests ([`Attested`]) are different
//! types, and nothing turns one into the other.

mod category;
mod coverage;
mod day;
mod effect;
mod exception;
mod finding;
mod flow;
mod identity;
mod label;
mod place;
mod report;
mod span;

pub use category::{Category, CategoryIndex, Class, Law, LawSource, Sensitivity};
pub use coverage::{Coverage, Reason};
pub use day::Day;
pub use effect::{Cause, Effect};
pub use exception::{Excepted, ExceptionKind};
pub use finding::{Band, Evidence, Finding, Fingerprint, Likelihood, RuleIndex, TermIndex};
pub use flow::{Channel, Claimed, FlowHeader};
pub use identity::{Attested, Executable, KernelName, TokenOf};
pub use label::{CategoryCount, Label, Unique};
pub use place::Place;
pub use report::{FileReport, Inspected, Outcome, Summary, Tally};
pub use span::Span;
