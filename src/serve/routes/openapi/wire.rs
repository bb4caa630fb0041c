//! The JSON that goes over the wire, as schemas. `tests/it/openapi.rs` holds real answers against them.

#![allow(dead_code, reason = "shapes to be described, never built")]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What may happen, the weakest first.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    Allow,
    Redact,
    Escalate,
    Block,
}

/// What a decision came from.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    Rule,
    Default,
    Error,
    Limit,
    Deadline,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sensitivity {
    Public,
    Internal,
    Confidential,
    Restricted,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    Pci,
    Fin,
    Pii,
    Nat,
    Phi,
    Sec,
    Cls,
    Spc,
    Ai,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    Possible,
    Likely,
    VeryLikely,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    Internal,
    External,
    Unknown,
}

/// What was done to findings.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transform {
    Generalise,
    Tokenize,
    Mask,
    Drop,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Prompt,
    Retrieval,
    ToolInput,
    ToolOutput,
    Completion,
    Export,
    Commit,
}

/// What the caller says of a flow. Everything in it is claimed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    channel: Channel,
    #[schema(min_length = 1, max_length = 2048)]
    run: Option<String>,
    #[schema(min_length = 1, max_length = 2048)]
    step: Option<String>,
    #[serde(default)]
    #[schema(max_items = 256)]
    parents: Vec<Name>,
    #[schema(min_length = 1, max_length = 2048)]
    workflow: Option<String>,
    #[schema(min_length = 1, max_length = 2048)]
    trigger: Option<String>,
    #[schema(min_length = 1, max_length = 2048)]
    agent: Option<String>,
    #[schema(min_length = 1, max_length = 2048)]
    tool: Option<String>,
    #[schema(min_length = 1, max_length = 2048)]
    source: Option<String>,
    #[schema(min_length = 1, max_length = 2048)]
    destination: Option<String>,
    #[schema(min_length = 1, max_length = 2048)]
    purpose: Option<String>,
    /// Ids of categories.
    #[serde(default)]
    #[schema(max_items = 256)]
    labels: Vec<Name>,
    #[schema(min_length = 1, max_length = 2048)]
    format: Option<String>,
    #[schema(min_length = 1, max_length = 2048)]
    grant: Option<String>,
    #[schema(min_length = 1, max_length = 2048)]
    escalation: Option<String>,
}

/// A name without control characters.
#[derive(Deserialize, ToSchema)]
#[schema(min_length = 1, max_length = 2048)]
pub struct Name(String);

/// Why nothing was decided. It is block.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    effect: Blocked,
    cause: Cause,
    /// The reason in a word, that of the configuration key where it is a limit.
    limit: String,
    /// What to do next.
    error: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Blocked {
    Block,
}

/// Label and findings of a payload.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Classified {
    label: Label,
    findings: Vec<Finding>,
    /// Findings past the cap, counted and not kept.
    #[schema(minimum = 0)]
    truncated: u64,
    recorded: No,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum No {
    No,
}

/// One line of a batch.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum BatchLine {
    /// A text that was classified.
    Reply(BatchReply),
    /// A line that was no text with an id.
    Wrong(BatchWrong),
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchReply {
    id: TextId,
    label: Label,
    findings: Vec<Finding>,
    truncated: u64,
    recorded: No,
}

#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum TextId {
    Text(String),
    Number(i64),
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchWrong {
    #[schema(value_type = Option<String>)]
    id: Option<String>,
    error: String,
    line: u64,
}

/// What a payload holds.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// By category; findings of band likely and up.
    categories: BTreeMap<String, Count>,
    sensitivity: Sensitivity,
    /// By category; findings of band possible.
    possible: BTreeMap<String, u64>,
    coverage: Coverage,
    lineage: Vec<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    count: u64,
    unique: Unique,
    #[schema(maximum = 100)]
    max_likelihood: u8,
}

#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Unique {
    Exact(u64),
    AtLeast(AtLeast),
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AtLeast {
    at_least: u64,
}

/// Whether the payload was wholly inspected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    state: CoverageState,
    reasons: Vec<CoverageReason>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CoverageState {
    Complete,
    Partial,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CoverageReason {
    Opaque,
    Limit,
    Deadline,
    Damaged,
    Error,
    EarlyBlock,
}

/// A located, validated and scored piece of regulated data. Holds no byte of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    rule: String,
    category: String,
    class: Option<Class>,
    sensitivity: Sensitivity,
    #[schema(maximum = 100)]
    likelihood: u8,
    band: Band,
    /// Offset of the first byte.
    start: u64,
    /// Offset behind the last byte.
    end: u64,
    /// The same in characters, where the payload is UTF-8.
    start_char: Option<u64>,
    end_char: Option<u64>,
    #[schema(minimum = 1)]
    line: u64,
    #[schema(minimum = 1)]
    column: u64,
    at: Option<Place>,
    chain: Vec<String>,
    evidence: Vec<String>,
    masked: String,
    fingerprint: Option<String>,
}

/// Cell or JSON path.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Place {
    Cell(Cell),
    Json(JsonPath),
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    row: u64,
    column: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonPath {
    json_path: String,
}

/// What may happen to a payload, why, and where that is recorded.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    effect: Effect,
    cause: Cause,
    /// Why, for a person.
    reason: String,
    determining: Vec<Determining>,
    /// What was done to the findings, by category.
    obligations: BTreeMap<String, Transform>,
    shadows: Vec<Shadow>,
    workflow: Option<String>,
    destination: Option<String>,
    trust: Trust,
    channel: Channel,
    purpose_listed: bool,
    /// Bytes of the payload.
    bytes: u64,
    label: Label,
    findings: Vec<Finding>,
    truncated: u64,
    grant: Option<String>,
    grant_refused: Option<String>,
    escalation: Option<Waiting>,
    released: Option<Released>,
    recorded: Recorded,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Determining {
    id: String,
    about: String,
    effect: Effect,
}

/// What a rule that only watches would have done.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Shadow {
    rule: String,
    effect: Effect,
}

/// An escalation that waits for a person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    id: String,
    expires: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Released {
    bytes: u64,
    mac: String,
}

/// Entry of the ledger.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    sequence: u64,
    leaf: String,
}

/// What a reload has brought into force.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reloaded {
    policy_digest: String,
    rule_digest: String,
    changed: bool,
}

/// Why nothing was reloaded.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotReloaded {
    effect: Blocked,
    error: String,
    changed: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {
    status: String,
}

/// What Presidio's clients ask. Other fields are ignored.
#[derive(Deserialize, ToSchema)]
pub struct AnalyzeRequest {
    text: AnalyzeText,
    #[schema(min_length = 1)]
    language: String,
    #[schema(minimum = 0.0, maximum = 1.0)]
    score_threshold: Option<f64>,
    /// Names that `GET /supportedentities` lists.
    entities: Option<Vec<String>>,
    #[schema(value_type = Value, required = false)]
    correlation_id: Option<Value>,
    #[schema(value_type = Value, required = false)]
    regex_flags: Option<Value>,
    return_decision_process: Option<bool>,
    allow_list: Option<Vec<String>>,
    /// `exact`; anything else is refused where there is an `allow_list`.
    allow_list_match: Option<String>,
    /// Refused unless empty.
    #[schema(max_items = 0)]
    ad_hoc_recognizers: Option<Vec<String>>,
    /// Refused unless empty.
    #[schema(max_items = 0)]
    context: Option<Vec<String>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum AnalyzeText {
    One(NonEmptyText),
    Many(NonEmptyList),
}

#[derive(Deserialize, ToSchema)]
#[schema(min_length = 1)]
pub struct NonEmptyText(String);

#[derive(Deserialize, ToSchema)]
#[schema(min_items = 1)]
pub struct NonEmptyList(Vec<String>);

/// One entity. `start` and `end` count Unicode code points.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    entity_type: String,
    start: u64,
    end: u64,
    #[schema(minimum = 0.0, maximum = 1.0)]
    score: f64,
    #[schema(value_type = Option<String>)]
    analysis_explanation: Option<String>,
    recognition_metadata: RecognitionMetadata,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecognitionMetadata {
    /// Id of the rule.
    recognizer_name: String,
    recognizer_identifier: String,
}

/// What LiteLLM asks. Other fields are scanned with the messages.
#[derive(Deserialize, ToSchema)]
pub struct GuardrailRequest {
    input_type: InputType,
    litellm_call_id: Option<String>,
    litellm_trace_id: Option<String>,
    texts: Option<Vec<String>>,
    images: Option<Vec<String>>,
    #[schema(value_type = Option<Vec<Object>>)]
    structured_messages: Option<Vec<BTreeMap<String, String>>>,
    #[schema(value_type = Option<Vec<Object>>)]
    tools: Option<Vec<BTreeMap<String, String>>>,
    #[schema(value_type = Option<Vec<Object>>)]
    tool_calls: Option<Vec<BTreeMap<String, String>>>,
    #[schema(value_type = Option<Object>)]
    request_data: Option<BTreeMap<String, String>>,
    #[schema(value_type = Option<Object>)]
    request_headers: Option<BTreeMap<String, String>>,
    litellm_version: Option<String>,
    model: Option<String>,
    #[schema(value_type = Option<Object>)]
    additional_provider_specific_params: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InputType {
    Request,
    Response,
}

/// What LiteLLM is told; `BLOCKED` for whatever was not decided, too.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardrailAnswer {
    action: GuardrailAction,
    blocked_reason: Option<String>,
    /// All texts in their order, where some were redacted.
    texts: Option<Vec<String>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GuardrailAction {
    None,
    GuardrailIntervened,
    Blocked,
}
