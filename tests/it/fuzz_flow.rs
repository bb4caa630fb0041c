//! What a flow header names in a register: the part of the fuzz target `flow` behind parsing.

use std::sync::OnceLock;

use sluicegate::config::{self, Origin};
use sluicegate::model::{Attested, FlowHeader};
use sluicegate::policy::{Carrier, Identity, MatcherKind, Policy, WorkflowOf, describe};
use sluicegate::rules::Source;

use crate::support::rules;

const REGISTER: &str = r#"version = 1
[[destination]]
id = "model"
trust = "external"
url = ["https://api.model.example/v1"]
[[destination]]
id = "tools"
trust = "internal"
tool = ["search*"]
[[workflow]]
id = "chat"
owner = "anna"
purposes = ["support"]
destinations = ["model"]
evidence = ["run", "trigger"]
[workflow.bind]
anyone = true
[[workflow]]
id = "letters"
owner = "anna"
purposes = ["treatment"]
destinations = ["tools"]
[workflow.bind]
uid = [7]
"#;

fn register() -> &'static Policy {
    static REGISTERED: OnceLock<Policy> = OnceLock::new();
    REGISTERED.get_or_init(|| {
        let source =
            Source { name: "sluice.toml".into(), text: REGISTER.to_owned(), builtin: false };
        let config = config::compile(&source, &rules().taxonomy, Origin::System, "fuzz");
        config.unwrap_or_else(|error| panic!("{}", error.render(&[source]))).policy
    })
}

/// Claims decide which workflow and destination are meant, and never who somebody is.
pub fn resolved(header: &FlowHeader, peer: &Attested) {
    let policy = register();
    let flow = policy.resolve(header, peer, Carrier::Rewritable);
    assert_eq!(flow, policy.resolve(header, peer, Carrier::Rewritable), "one answer");
    let claimed = header.workflow.as_ref().map(|it| it.as_str());
    let workflow = policy.workflow_of(&flow);
    assert_eq!(
        workflow.map(|it| it.id.as_str()),
        claimed.filter(|it| ["chat", "letters"].contains(it))
    );
    assert_eq!(flow.workflow == WorkflowOf::Unnamed, claimed.is_none());
    let identity = match claimed {
        Some("chat") => Identity::Bound,
        Some("letters") if peer.uid == 7 => Identity::Bound,
        Some("letters") => Identity::Mismatch,
        _ => Identity::None,
    };
    assert_eq!(flow.identity, identity);
    let purpose = header.purpose.as_ref().map_or("", |it| it.as_str());
    let listed =
        matches!((claimed, purpose), (Some("chat"), "support") | (Some("letters"), "treatment"));
    assert_eq!((flow.purpose_listed, flow.purpose_name.as_str()), (listed, purpose));
    let complete = header.run.is_some() && header.trigger.is_some();
    assert_eq!(flow.missing.is_empty(), complete || claimed != Some("chat"));
    if let Some(destination) = policy.destination_of(&flow) {
        let text = header.destination.as_ref().map_or("", |it| it.as_str());
        let shape = describe(text);
        let named = text == destination.id;
        match destination.id.as_str() {
            "model" => assert!(
                named
                    || (shape.kind, shape.host.as_str())
                        == (Some(MatcherKind::Url), "api.model.example"),
                "{text}"
            ),
            _ => {
                assert!(named || text.is_empty() || shape.kind == Some(MatcherKind::Tool), "{text}")
            }
        }
        assert_eq!(flow.destination_name, destination.id);
    }
}
