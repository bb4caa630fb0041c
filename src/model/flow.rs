//! A flow: where a payload comes from, where it goes, for whom and what for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The way that a payload moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Text to a model.
    Prompt,
    /// What a search brought back.
    Retrieval,
    /// Arguments of a tool.
    ToolInput,
    /// What a tool answered.
    ToolOutput,
    /// Text from a model.
    Completion,
    /// Files that leave.
    Export,
    /// Content of a commit.
    Commit,
}

impl Channel {
    /// All channels.
    pub const ALL: [Channel; 7] = [
        Channel::Prompt,
        Channel::Retrieval,
        Channel::ToolInput,
        Channel::ToolOutput,
        Channel::Completion,
        Channel::Export,
        Channel::Commit,
    ];

    /// The word used in headers, configuration, records and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Channel::Prompt => "prompt",
            Channel::Retrieval => "retrieval",
            Channel::ToolInput => "tool_input",
            Channel::ToolOutput => "tool_output",
            Channel::Completion => "completion",
            Channel::Export => "export",
            Channel::Commit => "commit",
        }
    }
}

/// Text that somebody claims. Nothing is known of it but that it was said, and no function turns
/// it into something attested. `Debug` shows its length alone: it may hold regulated data.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claimed(String);

impl Claimed {
    /// Takes a text as somebody's claim.
    pub fn new(text: impl Into<String>) -> Claimed {
        Claimed(text.into())
    }

    /// The text that was claimed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Claimed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Claimed({} bytes)", self.0.len())
    }
}

/// What the caller says of a flow. Everything in it is claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowHeader {
    /// The run of the workflow that this flow belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Claimed>,
    /// The step of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Claimed>,
    /// Flows that this one's data came from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<Claimed>,
    /// Id of a registered workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<Claimed>,
    /// The way that the payload moves; a flow without one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Claimed>,
    /// The agent that acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Claimed>,
    /// The tool that is called or answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Claimed>,
    /// Where the payload comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Claimed>,
    /// Where it goes: a URL, bucket, e-mail address, tool, path, or the id of a destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Claimed>,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Claimed>,
    /// Ids of categories that the payload carries from earlier steps.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<Claimed>,
    /// What the payload is: `text`, `csv`, `tsv`, `json`, `ndjson`, `opaque`; else its first 4 KiB
    /// decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Claimed>,
    /// Id of a grant that lets it pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Claimed>,
    /// Id of the escalation that it was held for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Claimed>,
}

impl FlowHeader {
    /// Every text of the header with the name of its field.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &Claimed)> {
        let single = [
            ("run", &self.run),
            ("step", &self.step),
            ("workflow", &self.workflow),
            ("trigger", &self.trigger),
            ("agent", &self.agent),
            ("tool", &self.tool),
            ("source", &self.source),
            ("destination", &self.destination),
            ("purpose", &self.purpose),
            ("format", &self.format),
            ("grant", &self.grant),
            ("escalation", &self.escalation),
        ];
        let single = single.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
        let parents = self.parents.iter().map(|text| ("parents", text));
        let labels = self.labels.iter().map(|text| ("labels", text));
        single.chain(parents).chain(labels)
    }

    /// Whether the header names the field. `channel` is one too.
    pub fn has(&self, field: &str) -> bool {
        field == "channel" && self.channel.is_some() || self.texts().any(|(name, _)| name == field)
    }
}
