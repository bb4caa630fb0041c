//! A register of destinations, workflows and rules, a label and a flow come in; a decision with
//! its reasons comes out.
//!
//! [`Policy::compile`] checks what `config` read and turns it into bit masks, [`Policy::resolve`]
//! finds what a flow header names in it, and [`decide`] answers. Promised: pure and total. Effects
//! are combined by the maximum, so the order of rules never matters; another category, a higher
//! count or likelihood, another lineage item or reason for partial coverage never gives a weaker
//! effect. A rule that could give one is refused by [`Policy::compile`].

mod category_set;
mod decide;
mod explain;
mod grant;
mod diff;
mod header;
mod matcher;
mod parts;
mod register;
mod sentence;
mod target;

pub use category_set::{CategorySet, MAX_CATEGORIES};
pub use decide::{Decision, Determinant, Item, ItemDecision, decide};
pub use diff::{
    Axis, Data, Difference, Direction, Group, MAX_FLOWS, Point, RegisterChange, TooManyFlows, diff,
};
pub use explain::{Explained, Explanation, Outcome, Unmet};
pub use grant::{GrantFacts, Refusal};
pub use header::{
    HeaderError, MAX_ENTRIES, MAX_HEADER, MAX_TEXT, check_header, parse_header, parse_header_for,
};
pub use matcher::{Matcher, MatcherError, MatcherKind};
pub use parts::{
    Approver, Binding, Destination, EventPath, Fault, GrantTerms, Parts, Release, Rule, Subject,
    Transform, Trust, When, Workflow,
};
pub use register::{Carrier, Flow, Identity, Policy, WorkflowOf};
pub use sentence::category_words;
pub use target::{DestinationShape, describe};
