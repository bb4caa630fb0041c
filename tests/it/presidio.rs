//! Presidio's analyzer endpoints of a live daemon, asked as real clients ask.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::{ask, get, post};

const REGISTER: &str = "version = 1\n[serve]\npresidio = true\n[serve.limits]\nbatch_texts = 3\n";

fn recorded() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/clients/presidio.json");
    let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    file["requests"].as_array().unwrap().clone()
}

#[test]
fn recorded_requests_are_answered_as_their_client_expects() {
    let daemon = Daemon::start(Some(REGISTER));
    let requests = recorded();
    assert!(requests.len() >= 4);
    for request in requests {
        let name = &request["name"];
        let answer = post(&daemon.socket, "/analyze", &request["body"]);
        assert_eq!(json!(answer.status), request["status"], "{name}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{name}");
        match answer.status {
            200 => assert_eq!(answer.json(), request["answer"], "{name}"),
            _ => assert_eq!(answer.json()["error"], request["answer"]["error"], "{name}"),
        }
    }
}

#[test]
fn what_is_asked_for_is_what_is_found_or_refused() {
    let daemon = Daemon::start(Some(REGISTER));
    let text = "\u{feff}😀 Write to ada.lovelace@hospital.org, SSN 536-22-8145";
    let analyze = |more: Value| {
        let mut body = json!({"text": text, "language": "en"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        post(&daemon.socket, "/analyze", &body)
    };
    let entities = |more: Value| -> Vec<(String, String)> {
        let answer = analyze(more);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let chars: Vec<char> = text.chars().collect();
        let value = |it: &Value| {
            let at = |key: &str| usize::try_from(it[key].as_u64().unwrap()).unwrap();
            chars[at("start")..at("end")].iter().collect::<String>()
        };
        let name = |it: &Value| it["entity_type"].as_str().unwrap().to_owned();
        answer.json().as_array().unwrap().iter().map(|it| (name(it), value(it))).collect()
    };
    let ssn = ("US_SSN".to_owned(), "536-22-8145".to_owned());
    let email = ("EMAIL_ADDRESS".to_owned(), "ada.lovelace@hospital.org".to_owned());
    // The highest score first; offsets count code points.
    assert_eq!(entities(json!({})), [ssn.clone(), email.clone()]);
    assert_eq!(entities(json!({"unknown": 1, "correlation_id": "x", "context": []})).len(), 2);
    assert_eq!(entities(json!({"entities": ["EMAIL_ADDRESS"]})), [email]);
    assert_eq!(entities(json!({"score_threshold": 0.95})), std::slice::from_ref(&ssn));
    assert_eq!(entities(json!({"allow_list": ["ada.lovelace@hospital.org", "x"]})), [ssn]);
    for refused in [
        json!({"text": ""}),
        json!({"text": []}),
        json!({"text": [1]}),
        json!({"text": null}),
        json!({"language": null}),
        json!({"language": ""}),
        json!({"context": ["patient"]}),
        json!({"ad_hoc_recognizers": [{}]}),
        json!({"entities": ["US_SSN", "UUID"]}),
        json!({"score_threshold": 1.5}),
        json!({"allow_list": ["a.*"], "allow_list_match": "regex"}),
    ] {
        let answer = analyze(refused.clone());
        assert_eq!(answer.status, 400, "{refused}");
        let said = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(!said.is_empty() && !said.contains("ada.lovelace"), "{refused}: {said}");
        assert_eq!(answer.header("sluice-effect"), Some("block"));
    }
    let many = post(
        &daemon.socket,
        "/analyze",
        &json!({"text": ["a@b.example.org", ""], "language": "de"}),
    );
    assert_eq!(many.json().as_array().unwrap().len(), 2);
    let more =
        post(&daemon.socket, "/analyze", &json!({"text": ["", "", "", ""], "language": "de"}));
    assert_eq!(more.status, 413);
    assert_eq!(ask(&daemon.socket, "POST", "/analyze", &[], b"{\"text\": \"536-22-81").status, 400);
}

#[test]
fn what_there_is_can_be_asked_for() {
    let daemon = Daemon::start(Some(REGISTER));
    assert_eq!(get(&daemon.socket, "/health").status, 200);
    let names = get(&daemon.socket, "/supportedentities?language=en").json();
    let names: Vec<&str> =
        names.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    for name in ["PERSON", "EMAIL_ADDRESS", "CREDIT_CARD", "US_SSN", "SLUICE_SEC_PRIVATE_KEY"] {
        assert!(names.contains(&name), "{name} is missing");
    }
    let rules = get(&daemon.socket, "/recognizers").json();
    assert!(rules.as_array().unwrap().contains(&json!("nat.us-ssn")));
}

#[test]
fn nothing_is_there_unless_it_is_asked_for() {
    let daemon = Daemon::start(None);
    for (method, path) in [
        ("POST", "/analyze"),
        ("GET", "/analyze"),
        ("GET", "/health"),
        ("GET", "/recognizers"),
        ("GET", "/supportedentities"),
        ("POST", "/beta/litellm_basic_guardrail_api"),
    ] {
        assert_eq!(ask(&daemon.socket, method, path, &[], b"").status, 404, "{method} {path}");
    }
}

/// The table of the page is the mapping, and the mapping is in the page.
#[test]
fn the_page_has_the_mapping() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = fs::read_to_string(root.join("src/serve/routes/presidio/entities.rs")).unwrap();
    let mapping: Vec<(String, String)> = source
        .lines()
        .filter_map(|line| {
            let line = line.trim().strip_prefix("(\"")?.strip_suffix("\"),")?;
            let (ours, theirs) = line.split_once("\", \"")?;
            Some((ours.to_owned(), theirs.to_owned()))
        })
        .collect();
    assert!(mapping.len() > 50);
    let page = fs::read_to_string(root.join("docs/DROP-IN.md")).unwrap();
    let table: Vec<(String, String)> = page
        .lines()
        .filter_map(|line| {
            let line = line.strip_prefix("| `")?.strip_suffix("` |")?;
            let (ours, theirs) = line.split_once("` | `")?;
            ours.contains('.').then(|| (ours.to_owned(), theirs.to_owned()))
        })
        .collect();
    assert_eq!(table, mapping);
}
