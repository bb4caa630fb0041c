//! A decision as a Data Security Finding of the Open Cybersecurity Schema Framework.
//!
//! Class `data_security_finding` (uid 2006) with the profiles `security_control` and
//! `record_integrity`, as the schema stood at 1.9.0-dev (ocsf/ocsf-schema, commit a5cfc68). Nothing
//! of a payload is in an entry, so nothing of it is exported: `pattern_match`, prompts and responses
//! stay empty, and fingerprints and MACs, which never leave the ledger, are left out.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::query::{approvers, categories, is_decision, text_at};

/// The version of the schema.
pub const SCHEMA: &str = "1.9.0-dev";

/// The event of an entry with its leaf hash, in hex digits; none for an entry that is no decision.
/// `title` gives the title of a category.
pub fn finding(entry: &Value, leaf: &str, title: &dyn Fn(&str) -> String) -> Option<Value> {
    if !is_decision(entry) {
        return None;
    }
    let effect = text_at(entry, "/effect").unwrap_or("block");
    let granted = text_at(entry, "/grant").is_some();
    let (action, disposition) = outcome(effect, granted, text_at(entry, "/cause"));
    let wall = text_at(entry, "/time/wall").unwrap_or("");
    let sequence = entry.pointer("/sequence").and_then(Value::as_u64).unwrap_or(0);
    let found: BTreeSet<&str> = categories(entry).collect();
    let reason = text_at(entry, "/reason").unwrap_or("");
    let mut event = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            event.insert(name.to_owned(), value);
        }
    };
    put("category_uid", json!(2));
    put("category_name", json!("Findings"));
    put("class_uid", json!(2006));
    put("class_name", json!("Data Security Finding"));
    put("activity_id", json!(1));
    put("activity_name", json!("Create"));
    put("type_uid", json!(200_601));
    put("time", json!(milliseconds(wall)));
    put("severity_id", json!(severity(effect, text_at(entry, "/sensitivity"))));
    put("status_id", json!(1));
    put("action_id", json!(action));
    put("disposition_id", json!(disposition));
    put("is_alert", json!(matches!(effect, "block" | "escalate")));
    put("message", json!(reason));
    put(
        "finding_info",
        json!({
            "uid": sequence.to_string(),
            "title": format!("Data flow: {effect}"),
            "desc": reason,
            "created_time": milliseconds(wall),
            "types": found,
            "data_sources": [text_at(entry, "/channel").unwrap_or("")],
        }),
    );
    put(
        "data_security",
        json!({
            "detection_system_id": if text_at(entry, "/channel") == Some("commit") { 11 } else { 10 },
            "data_lifecycle_state_id": lifecycle(text_at(entry, "/channel")),
            "category_id": category(&found),
            "confidentiality_id": confidentiality(text_at(entry, "/sensitivity")),
            "policy": {"uid": text_at(entry, "/policy_digest")},
        }),
    );
    let classified = found.iter().map(|id| classification(entry, id, title));
    put("data_classifications", Value::Array(classified.collect()));
    put("actor", actor(entry));
    put("dst_endpoint", destination(entry));
    put("authorizations", authorizations(entry, effect));
    put("attestation_list", json!([{"fingerprint": {"algorithm_id": 3, "value": leaf}}]));
    put(
        "metadata",
        json!({
            "version": SCHEMA,
            "profiles": ["security_control", "record_integrity"],
            "product": {
                "name": "sluice",
                "vendor_name": "sluice",
                "version": text_at(entry, "/engine_version"),
            },
            "uid": sequence.to_string(),
            "original_time": wall,
        }),
    );
    put(
        "unmapped",
        json!({
            "cause": text_at(entry, "/cause"),
            "determining": entry.get("determining"),
            "purpose": text_at(entry, "/purpose/claimed"),
            "purpose_listed": entry.pointer("/purpose/listed"),
            "rule_digest": text_at(entry, "/rule_digest"),
            "run": text_at(entry, "/run/claimed"),
            "grant": text_at(entry, "/grant"),
            "escalation": text_at(entry, "/escalation"),
            "released_bytes": entry.pointer("/released/bytes"),
        }),
    );
    Some(Value::Object(event))
}

/// `action_id` and `disposition_id` of profile `security_control`.
fn outcome(effect: &str, granted: bool, cause: Option<&str>) -> (u8, u8) {
    match effect {
        "allow" if granted => (1, 8),
        "allow" => (1, 1),
        "redact" => (4, 11),
        "escalate" => (2, 14),
        _ if cause == Some("error") => (2, 27),
        _ => (2, 2),
    }
}

/// Informational for what passed, else by the harm of a disclosure.
fn severity(effect: &str, sensitivity: Option<&str>) -> u8 {
    match (effect, sensitivity) {
        ("allow" | "redact", _) => 1,
        (_, Some("restricted")) => 4,
        (_, Some("confidential")) => 3,
        _ => 2,
    }
}

fn confidentiality(sensitivity: Option<&str>) -> u8 {
    match sensitivity {
        Some("public") => 1,
        Some("internal") => 6,
        Some("confidential") => 2,
        Some("restricted") => 7,
        _ => 0,
    }
}

fn lifecycle(channel: Option<&str>) -> u8 {
    match channel {
        Some("export" | "commit") => 1,
        _ => 2,
    }
}

/// `category_id` of the data: that of the gravest class.
fn category(found: &BTreeSet<&str>) -> u8 {
    let has = |classes: &[&str]| {
        found.iter().filter_map(|id| id.split('.').next()).any(|class| classes.contains(&class))
    };
    if has(&["sec"]) {
        6
    } else if has(&["pii", "nat", "phi", "spc"]) {
        1
    } else if has(&["pci", "fin"]) {
        3
    } else if has(&["cls"]) {
        2
    } else {
        0
    }
}

fn classification(entry: &Value, id: &str, title: &dyn Fn(&str) -> String) -> Value {
    let count = entry.pointer("/categories").and_then(|all| all.get(id)?.get("count")?.as_u64());
    let partial = text_at(entry, "/coverage/state") == Some("partial");
    json!({
        "category_id": category(&BTreeSet::from([id])),
        "category": title(id),
        "confidentiality_id": confidentiality(text_at(entry, "/sensitivity")),
        "status_id": if partial { 2 } else { 1 },
        "total": count.unwrap_or(0),
        "classifier_details": {"name": id, "type": "rule"},
        "policy": {"uid": text_at(entry, "/rule_digest")},
    })
}

fn actor(entry: &Value) -> Value {
    let uid = entry.pointer("/workload/attested/uid").and_then(Value::as_u64);
    json!({
        "user": {"uid": uid.map(|uid| uid.to_string())},
        "process": {
            "pid": entry.pointer("/workload/attested/pid"),
            "path": text_at(entry, "/workload/attested/executable/known/path"),
        },
        "invoked_by": text_at(entry, "/trigger/claimed"),
        "app_name": text_at(entry, "/workload/claimed/workflow/registered"),
    })
}

fn destination(entry: &Value) -> Value {
    json!({
        "name": text_at(entry, "/destination/id"),
        "hostname": text_at(entry, "/destination/host"),
        "zone": text_at(entry, "/destination/trust"),
    })
}

fn authorizations(entry: &Value, effect: &str) -> Value {
    let determining = entry.get("determining").and_then(Value::as_array);
    let rules = determining.into_iter().flatten().filter_map(Value::as_str);
    let rules = rules.map(|rule| {
        json!({
            "decision": effect,
            "policy": {"uid": rule, "version": text_at(entry, "/policy_digest")},
        })
    });
    let by = approvers(entry).map(|approver| {
        json!({"decision": "approved", "policy": {"uid": text_at(entry, "/grant"), "desc": approver}})
    });
    Value::Array(rules.chain(by).collect())
}

/// Milliseconds since 1970; 0 where the time cannot be read.
fn milliseconds(wall: &str) -> u64 {
    let time = humantime::parse_rfc3339(wall).ok();
    let since = time.and_then(|it| it.duration_since(std::time::UNIX_EPOCH).ok());
    since.and_then(|it| u64::try_from(it.as_millis()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_a_finding_without_what_only_the_ledger_may_know() {
        let entry = json!({
            "kind": "decision", "sequence": 7, "effect": "allow", "cause": "default",
            "grant": "g", "approver": ["anna"], "channel": "prompt", "reason": "because",
            "time": {"wall": "1970-01-02T00:00:00.5Z"}, "sensitivity": "restricted",
            "categories": {"nat.us_ssn": {"count": 3, "fingerprints": ["aaaa"]}},
            "lineage": ["pci.pan"], "payload_mac": "bbbb", "determining": ["grant"],
            "coverage": {"state": "partial"}, "destination": {"id": "crm", "mac": "cccc"},
            "workload": {"attested": {"uid": 1000, "pid": 4}},
        });
        let event = finding(&entry, "ff", &|id| format!("title of {id}")).expect("a decision");
        let at = |path: &str| event.pointer(path).cloned().unwrap_or(Value::Null);
        assert_eq!((at("/class_uid"), at("/type_uid")), (json!(2006), json!(200_601)));
        assert_eq!((at("/action_id"), at("/disposition_id")), (json!(1), json!(8)));
        assert_eq!(at("/time"), 86_400_500);
        assert_eq!(at("/data_classifications/0/total"), 3);
        assert_eq!(at("/data_classifications/0/status_id"), 2);
        assert_eq!(at("/data_classifications/1/category"), "title of pci.pan");
        assert_eq!(at("/actor/user/uid"), "1000");
        assert_eq!(at("/attestation_list/0/fingerprint/value"), "ff");
        let text = event.to_string();
        for kept in ["aaaa", "bbbb", "cccc"] {
            assert!(!text.contains(kept), "{kept} never leaves the ledger");
        }
        assert_eq!(finding(&json!({"kind": "start"}), "ff", &str::to_owned), None);
    }

    #[test]
    fn every_effect_has_its_disposition() {
        assert_eq!(outcome("allow", false, None), (1, 1));
        assert_eq!(outcome("redact", false, None), (4, 11));
        assert_eq!(outcome("escalate", false, None), (2, 14));
        assert_eq!(outcome("block", false, Some("rule")), (2, 2));
        assert_eq!(outcome("block", false, Some("error")), (2, 27));
    }
}
