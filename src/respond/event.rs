//! The events that the paths of a register are told of: what was decided or waits, as JSON.
//!
//! They hold names of the register, counts and masks, and nothing else of the payload.

use serde_json::{Map, Value, json};

use crate::approve::{self, Statement};
use crate::model::{CategoryIndex, Effect, Finding, Label};
use crate::policy::{Decision, Flow, Policy};
use crate::record::EscalationId;
use crate::rules::Taxonomy;

/// What the paths of the flow's workflow are told: ids of the paths, with their events. The path for
/// escalations hears of what is escalated; where no statement waits, of the decision.
pub fn events<'a>(
    decided: &Decided<'a>,
    statement: Option<&Statement>,
) -> Vec<(&'a str, Map<String, Value>)> {
    let Some(workflow) = decided.policy.workflow_of(decided.flow) else { return Vec::new() };
    let held = decided.decision.effect == Effect::Escalate;
    let escalation = workflow.escalation.as_deref().filter(|_| held).map(|id| {
        let event = statement.and_then(escalation_event);
        (id, event.unwrap_or_else(|| decision_event(decided)))
    });
    let monitoring = workflow.monitoring.as_deref().map(|id| (id, decision_event(decided)));
    escalation.into_iter().chain(monitoring).collect()
}

/// The event of an escalation. The statement is the text that approvers sign, so that they can
/// sign it where they cannot read the state directory.
fn escalation_event(statement: &Statement) -> Option<Map<String, Value>> {
    let signed = String::from_utf8(statement.to_bytes().ok()?).ok()?;
    let event = json!({
        "event": "escalation",
        "effect": Effect::Escalate,
        "escalation": statement.id.to_string(),
        "workflow": statement.workflow,
        "destination": statement.destination,
        "channel": statement.channel,
        "categories": statement.categories,
        "coverage": statement.coverage,
        "reason": statement.reason,
        "rules": statement.rules,
        "evidence": statement.evidence,
        "expires": statement.expires,
        "statement": signed,
    });
    match event {
        Value::Object(event) => Some(event),
        _ => None,
    }
}

/// What is told of a decision.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// The policy that decided.
    pub policy: &'a Policy,
    /// What categories there are.
    pub taxonomy: &'a Taxonomy,
    /// The flow.
    pub flow: &'a Flow,
    /// What the payload holds.
    pub label: &'a Label,
    /// The findings; their masks are told.
    pub findings: &'a [Finding],
    /// The decision.
    pub decision: &'a Decision,
    /// Sequence number of its entry in the ledger, where there is one.
    pub sequence: Option<u64>,
    /// Id of the escalation that waits, or of the grant that was used.
    pub escalation: Option<EscalationId>,
}

/// The event of a decision. A destination or purpose that is not registered is not named: it is a
/// text from outside.
fn decision_event(decided: &Decided<'_>) -> Map<String, Value> {
    let Decided { policy, taxonomy, flow, label, decision, .. } = decided;
    let id = |index: &CategoryIndex| taxonomy.get(*index).map(|category| category.id.as_str());
    let counts = label.categories.iter().filter_map(|(index, found)| Some((id(index)?, found)));
    let counts: Map<String, Value> =
        counts.map(|(id, found)| (id.to_owned(), json!(found.count))).collect();
    let rules = decision.determining();
    let rules: Vec<&str> = rules.iter().map(|item| item.from.id(policy)).collect();
    Map::from_iter([
        ("event".to_owned(), json!("decision")),
        ("effect".to_owned(), json!(decision.effect)),
        ("cause".to_owned(), json!(decision.cause)),
        ("sequence".to_owned(), json!(decided.sequence)),
        ("escalation".to_owned(), json!(decided.escalation)),
        ("workflow".to_owned(), json!(policy.workflow_of(flow).map(|workflow| &workflow.id))),
        ("destination".to_owned(), json!(policy.destination_of(flow).map(|it| &it.id))),
        ("trust".to_owned(), json!(policy.trust_of(flow))),
        ("channel".to_owned(), json!(flow.channel)),
        ("bytes".to_owned(), json!(flow.bytes)),
        ("categories".to_owned(), Value::Object(counts)),
        ("lineage".to_owned(), json!(label.lineage.iter().filter_map(id).collect::<Vec<_>>())),
        ("coverage".to_owned(), json!(label.coverage.reasons)),
        ("rules".to_owned(), json!(rules)),
        ("evidence".to_owned(), json!(approve::masks(taxonomy, decided.findings))),
    ])
}
