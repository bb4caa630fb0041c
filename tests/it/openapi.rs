//! The description at /openapi.json, against what the daemon really answers.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::{Answer, ask, get, post};

const REGISTER: &str = include_str!("../openapi/sluice.toml");

/// A validator of a schema of the description.
fn validator(description: &Value, schema: &Value) -> jsonschema::Validator {
    let mut whole = schema.clone();
    whole["components"] = description["components"].clone();
    jsonschema::draft202012::new(&whole).expect("the schema is one")
}

/// What the description says of an answer.
fn schema_of<'a>(description: &'a Value, path: &str, method: &str, answer: &Answer) -> &'a Value {
    let responses = &description["paths"][path][method]["responses"];
    let status = answer.status.to_string();
    let wide = format!("{}XX", &status[..1]);
    let response = responses.get(&status).or_else(|| responses.get(&wide));
    let response = response.unwrap_or_else(|| panic!("{method} {path}: {status} is not described"));
    let kind = answer.header("content-type").unwrap();
    let content = &response["content"];
    let content = content.get(kind).or_else(|| content.get(kind.split(';').next().unwrap()));
    let content = content.unwrap_or_else(|| panic!("{method} {path}: {kind} is not described"));
    content.get("schema").unwrap_or(&Value::Null)
}

fn holds(description: &Value, path: &str, method: &str, answer: &Answer) {
    let schema = schema_of(description, path, method, answer);
    let body = answer.json();
    let validator = validator(description, schema);
    let errors: Vec<String> = validator.iter_errors(&body).map(|it| it.to_string()).collect();
    assert!(errors.is_empty(), "{method} {path} {}: {errors:?}\n{body}", answer.status);
}

fn flow(more: Value) -> String {
    let mut flow = json!({"channel": "prompt", "workflow": "chat", "destination": "model"});
    flow.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    flow.to_string()
}

#[test]
fn real_answers_are_as_they_are_described() {
    let daemon = Daemon::start(Some(REGISTER));
    let socket = &daemon.socket;
    let answer = get(socket, "/openapi.json");
    let description = answer.json();
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"), "{description}");
    let check =
        |path: &str, method: &str, answer: &Answer| holds(&description, path, method, answer);
    check("/openapi.json", "get", &answer);
    for path in ["/healthz", "/readyz", "/recognizers", "/supportedentities"] {
        check(path, "get", &get(socket, path));
    }
    check("/v1/reload", "post", &post(socket, "/v1/reload", &json!({})));
    let csv = b"name,ssn\nAda,536-22-8145\n";
    let json = br#"{"a": {"ssn": "536-22-8145"}, "mail": "ada.lovelace@hospital.org"}"#;
    let binary: Vec<u8> = (0..=255).cycle().take(2000).collect();
    for payload in [&b"Hello"[..], csv, json, &binary, b"SSN 536228145 or 4111 1111 1111 1111"] {
        check("/v1/classify", "post", &ask(socket, "POST", "/v1/classify", &[], payload));
        for more in [json!({"purpose": "support"}), json!({}), json!({"format": "opaque"})] {
            let flow = flow(more);
            let headers = [("Sluice-Flow", flow.as_str()), ("Accept", "application/json")];
            for path in ["/v1/decide", "/v1/stream"] {
                let answer = ask(socket, "POST", path, &headers, payload);
                if answer.header("content-type") == Some("application/json") {
                    check(path, "post", &answer);
                }
            }
        }
    }
    let lines =
        "{\"id\": 1, \"text\": \"SSN 536-22-8145\"}\n{\"id\": \"b\", \"text\": \"x\"}\nwrong\n";
    let kind = [("Content-Type", "application/jsonl")];
    let answer = ask(socket, "POST", "/v1/classify", &kind, lines.as_bytes());
    let line_schema = json!({"$ref": "#/components/schemas/BatchLine"});
    let validator = validator(&description, &line_schema);
    let text = String::from_utf8(answer.body).unwrap();
    assert_eq!(text.lines().count(), 3);
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(validator.is_valid(&line), "{line}");
    }
    for body in [
        json!({"text": "SSN 536-22-8145", "language": "en"}),
        json!({"text": ["SSN 536-22-8145", ""], "language": "en"}),
        json!({"text": "x"}),
    ] {
        check("/analyze", "post", &post(socket, "/analyze", &body));
    }
    let guardrail = "/beta/litellm_basic_guardrail_api";
    for texts in [
        json!(["Hello"]),
        json!(["ada.lovelace@hospital.org"]),
        json!(["SSN 536-22-8145"]),
        json!(7),
    ] {
        let body = json!({"input_type": "request", "texts": texts});
        check(guardrail, "post", &post(socket, guardrail, &body));
    }
    check("/v1/decide", "post", &ask(socket, "POST", "/v1/decide", &[], b"Hello"));
    check("/v1/decide", "post", &ask(socket, "PUT", "/v1/decide", &[], b""));
    check("/v1/stream", "get", &get(socket, "/v1/stream"));
}

#[test]
fn a_schema_refuses_what_is_not_described() {
    let daemon = Daemon::start(None);
    let description = get(&daemon.socket, "/openapi.json").json();
    let schema = json!({"$ref": "#/components/schemas/Classified"});
    let validator = validator(&description, &schema);
    let mut answer = ask(&daemon.socket, "POST", "/v1/classify", &[], b"SSN 536-22-8145").json();
    assert!(validator.is_valid(&answer), "{answer}");
    answer["findings"][0]["value"] = json!("x");
    assert!(!validator.is_valid(&answer));
    assert!(description["paths"].get("/analyze").is_none());
}

/// Every `$ref` leads somewhere.
#[test]
fn references_lead_to_schemas() {
    let daemon = Daemon::start(Some(REGISTER));
    let description = get(&daemon.socket, "/openapi.json").json();
    let text = description.to_string();
    let mut references = 0;
    for rest in text.split("\"$ref\":\"#").skip(1) {
        let pointer = rest.split('"').next().unwrap();
        assert!(description.pointer(pointer).is_some(), "{pointer}");
        references += 1;
    }
    assert!(references > 50, "{references}");
}
