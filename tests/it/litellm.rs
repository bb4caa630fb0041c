//! LiteLLM's guardrail endpoint of a live daemon, asked as LiteLLM asks.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::{Answer, ask, post};

const PATH: &str = "/beta/litellm_basic_guardrail_api";

const REGISTER: &str = r#"version = 1
[serve.limits]
batch_texts = 4
payload_bytes = 20000
[serve.litellm]
workflow = "chat"
destination = "model"
response_destination = "people"
purpose = "support"
[[destination]]
id = "model"
trust = "external"
url = ["https://api.model.example/v1"]
[[destination]]
id = "people"
trust = "internal"
url = ["https://chat.example.net"]
[[workflow]]
id = "chat"
owner = "anna"
purposes = ["support"]
destinations = ["model", "people"]
[workflow.bind]
anyone = true
[[rule]]
id = "addresses-out"
when = { category = ["pii.email"], destination = ["model"] }
effect = "redact"
reason = "No address leaves."
[[rule]]
id = "numbers-back"
when = { category = ["nat.us_ssn"], destination = ["people"] }
effect = "redact"
reason = "No number comes back."
"#;

/// Entries of decisions in the ledger.
fn decisions(daemon: &Daemon) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["ledger", "query", "--kind", "decision", "--format", "json", "--state-dir"])
        .arg(&daemon.state)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn blocked(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "LiteLLM may take any other status for a reason to go on");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let said = answer.json();
    assert_eq!(said["action"], "BLOCKED", "{said}");
    assert!(said.get("texts").is_none(), "{said}");
    said["blocked_reason"].as_str().unwrap().to_owned()
}

#[test]
fn recorded_requests_are_answered_as_litellm_expects() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/clients/litellm.json");
    let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let daemon = Daemon::start(Some(REGISTER));
    let requests = file["requests"].as_array().unwrap();
    assert!(requests.len() >= 9);
    for request in requests {
        let name = &request["name"];
        let answer = post(&daemon.socket, PATH, &request["body"]);
        assert_eq!(answer.status, 200, "{name}");
        let said = answer.json();
        assert_eq!(said["action"], request["answer"]["action"], "{name}: {said}");
        assert_eq!(said.get("texts"), request["answer"].get("texts"), "{name}");
        let reason = said["blocked_reason"].as_str().unwrap_or("");
        assert!(!reason.contains("536-22-8145") && !reason.contains("ada.lovelace"), "{reason}");
        let passes = request["client"]["passes"] == true;
        assert!(answer.header("sluice-effect").is_some(), "{name}");
        assert_eq!(passes, said["action"] != "BLOCKED", "{name}");
    }
}

#[test]
fn every_text_is_decided_and_recorded() {
    let mut daemon = Daemon::start(Some(REGISTER));
    let body = json!({
        "input_type": "request",
        "litellm_call_id": "call-7",
        "litellm_trace_id": "trace-3",
        "texts": ["Hello", "Write to ada.lovelace@hospital.org.", "Bye"],
        "request_data": {"user_api_key_user_id": "u-12", "user_api_key_alias": "chat-key"},
    });
    let answer = post(&daemon.socket, PATH, &body);
    let said = answer.json();
    assert_eq!(said["action"], "GUARDRAIL_INTERVENED", "{said}");
    assert_eq!(answer.header("sluice-effect"), Some("redact"));
    let texts = said["texts"].as_array().unwrap();
    assert_eq!((texts.len(), &texts[0], &texts[2]), (3, &json!("Hello"), &json!("Bye")));
    assert!(!texts[1].as_str().unwrap().contains("ada.lovelace"), "{said}");
    let response = json!({"input_type": "response", "texts": ["Hello"], "request_data": null});
    assert_eq!(post(&daemon.socket, PATH, &response).json(), json!({"action": "NONE"}));
    assert!(daemon.stop(), "{}", daemon.log());
    let recorded = decisions(&daemon);
    assert_eq!(recorded.len(), 4, "{recorded:?}");
    let effects: Vec<&Value> = recorded.iter().map(|it| &it["effect"]).collect();
    assert_eq!(effects, ["allow", "redact", "allow", "allow"]);
    for (number, entry) in recorded.iter().enumerate() {
        let (channel, run) = if number < 3 { ("prompt", "trace-3") } else { ("completion", "") };
        assert_eq!(entry["channel"], channel, "{entry}");
        assert_eq!(entry["run"]["claimed"].as_str().unwrap_or(""), run, "{entry}");
    }
    assert!(recorded[0].to_string().contains("u-12"), "{}", recorded[0]);
}

#[test]
fn whatever_is_not_decided_is_blocked_in_words_that_litellm_reads() {
    let daemon = Daemon::start(Some(REGISTER));
    let long = "x".repeat(30_000);
    let texts = |texts: Value| json!({"input_type": "request", "texts": texts}).to_string();
    for (body, word) in [
        (String::new(), "request"),
        ("{".to_owned(), "request"),
        ("[]".to_owned(), "request"),
        (json!({"texts": ["Hello"]}).to_string(), "request"),
        (json!({"input_type": "reply", "texts": []}).to_string(), "request"),
        (texts(json!(["536-22-8145", 5])), "request"),
        (texts(json!("536-22-8145")), "request"),
        (json!({"input_type": "request", "litellm_trace_id": "a\nb"}).to_string(), "request"),
        (texts(json!([long])), "payload_bytes"),
        (texts(json!(["", "", "", "", ""])), "batch_texts"),
        (
            format!("{{\"input_type\":\"request\",\"x\":{}1{}}}", "[".repeat(200), "]".repeat(200)),
            "request",
        ),
    ] {
        let answer = ask(&daemon.socket, "POST", PATH, &[], body.as_bytes());
        let reason = blocked(&answer);
        assert!(reason.contains(&format!("({word})")), "{reason}");
        assert!(!reason.contains("536-22"), "{reason}");
        assert_eq!(answer.header("sluice-effect"), Some("block"));
    }
}

#[test]
fn what_cannot_be_read_or_rewritten_is_held() {
    let daemon = Daemon::start(Some(REGISTER));
    let picture = "data:image/png;base64,iVBORw0KGgo=";
    let ask = |more: Value| {
        let mut body = json!({"input_type": "request", "texts": ["Hello"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        post(&daemon.socket, PATH, &body)
    };
    let reason = blocked(&ask(json!({"images": [picture]})));
    assert!(reason.contains("image 1 waits for approval as escalation "), "{reason}");
    // Redaction reaches texts alone: an address elsewhere is held.
    for more in [
        json!({"tools": [{"type": "function", "function": {"description": "mail ada.lovelace@hospital.org"}}]}),
        json!({"tool_calls": [{"function": {"arguments": "{\"to\": \"ada.lovelace@hospital.org\"}"}}]}),
        json!({"structured_messages": [{"role": "user", "content": "mail ada.lovelace@hospital.org"}]}),
        json!({"of_a_later_version": "mail ada.lovelace@hospital.org"}),
    ] {
        let reason = blocked(&ask(more));
        assert!(reason.contains("waits for approval"), "{reason}");
    }
    let covered = json!({"structured_messages": [{"role": "user", "content": "Hello"}]});
    assert_eq!(ask(covered).json()["action"], "NONE");
}

/// LiteLLM drops redactions of streamed responses, unless it is told otherwise.
#[test]
fn responses_are_rewritten_only_where_that_is_asked_for() {
    let body =
        json!({"input_type": "response", "texts": ["Her social security number is 536-22-8145."]});
    let daemon = Daemon::start(Some(REGISTER));
    let reason = blocked(&post(&daemon.socket, PATH, &body));
    assert!(reason.contains("waits for approval"), "{reason}");
    let purpose = "purpose = \"support\"\n";
    let more = format!("{purpose}rewrite_responses = true\n");
    let daemon = Daemon::start(Some(&REGISTER.replacen(purpose, &more, 1)));
    let said = post(&daemon.socket, PATH, &body).json();
    assert_eq!(said["action"], "GUARDRAIL_INTERVENED", "{said}");
    assert!(!said.to_string().contains("536-22-8145"), "{said}");
}
