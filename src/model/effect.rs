//! What may happen to a flow.

use serde::{Deserialize, Serialize};

/// The answer to a flow. Effects form a chain and are combined by the maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The payload may pass.
    Allow,
    /// The payload may pass once its findings are taken out.
    Redact,
    /// A person has to decide.
    Escalate,
    /// The payload must not pass.
    Block,
}

impl Effect {
    /// The word used in configuration, records and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Allow => "allow",
            Effect::Redact => "redact",
            Effect::Escalate => "escalate",
            Effect::Block => "block",
        }
    }

    /// The exit code that scripts depend on: allow 0, block 1, escalate 3, redact 5.
    pub fn exit_code(self) -> u8 {
        match self {
            Effect::Allow => 0,
            Effect::Block => 1,
            Effect::Escalate => 3,
            Effect::Redact => 5,
        }
    }
}

/// What an effect came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// A rule of the policy.
    Rule,
    /// The default for the data, where no rule matched.
    Default,
    /// A step failed.
    Error,
    /// A limit was reached.
    Limit,
    /// Time ran out.
    Deadline,
    /// An exception from what would have been decided.
    Exception,
}

impl Cause {
    /// The word used in records and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Rule => "rule",
            Cause::Default => "default",
            Cause::Error => "error",
            Cause::Limit => "limit",
            Cause::Deadline => "deadline",
            Cause::Exception => "exception",
        }
    }
}
