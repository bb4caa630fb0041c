//! The same payload gives the same findings, label and effect through every way in.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sluicegate::config::{self, Origin};
use sluicegate::engine::{Arriving, Control, Options, ScannedNames};
use sluicegate::model::Effect;
use sluicegate::policy::{Carrier, parse_header};
use sluicegate::record::Macs;
use sluicegate::respond::{Filter, NoTokens, Shaper, chain};
use sluicegate::rules::Source;
use sluicegate::serve::{clock, peer};
use sluicegate::{RuleSet, Scanner};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::daemon::Daemon;
use crate::repository::{Repository, ran, ran_with};

const REGISTER: &str = r#"
version = 1
[[destination]]
id = "whole"
trust = "external"
url = "https://whole.example.com/"
approved = ["pii.email"]
[[destination]]
id = "prefix"
trust = "external"
url = "https://prefix.example.com/"
approved = ["pii.email"]
release = "prefix"
[[destination]]
id = "home"
trust = "internal"
url = "https://home.example.com/"
approved = ["pii.email"]
release = "prefix"
[[workflow]]
id = "chat"
owner = "the team"
purposes = ["support"]
approved = ["pii.email"]
destinations = ["whole", "prefix", "home"]
bind = { anyone = true }
[[rule]]
id = "no-iban"
reason = "account numbers are replaced"
when = { category = ["fin.iban"] }
effect = "redact"
[serve.limits]
windows_per_second = 1000
"#;

const PIECES: [&str; 9] = [
    "The river ran low that summer, and nobody minded; we sat and talked until dusk. ",
    "my ssn is 219-09-9998 ",
    "write to bob.miller@example.org, ",
    "IBAN DE89 3704 0044 0532 0130 00 ",
    "card number 4111 1111 1111 1111 exp 04/29 ",
    "name,ssn\nBob,219-09-9998\nAnn,457-55-5462\n",
    "{\"email\": \"ann@example.org\", \"iban\": \"DE89370400440532013000\"}\n",
    "\u{e9}\u{4e00}\u{1f512} ",
    "password = \"hunter2-not-real\" ",
];

/// What a way in says.
#[derive(Debug, PartialEq)]
struct Said {
    effect: String,
    label: Value,
    findings: Value,
}

impl Said {
    fn of(decision: &Value) -> Said {
        let effect = decision["effect"].as_str().unwrap_or_default().to_owned();
        Said { effect, label: decision["label"].clone(), findings: without(&decision["findings"]) }
    }
}

/// Findings without their fingerprints, which are under another key in each place.
fn without(findings: &Value) -> Value {
    let mut findings = findings.clone();
    for finding in findings.as_array_mut().into_iter().flatten() {
        finding.as_object_mut().unwrap().remove("fingerprint");
    }
    findings
}

fn flow(destination: &str, format: Option<&str>) -> String {
    let mut flow = json!({
        "channel": "completion", "workflow": "chat", "purpose": "support",
        "destination": format!("https://{destination}.example.com/"),
    });
    if let Some(format) = format {
        flow["format"] = json!(format);
    }
    flow.to_string()
}

struct Library {
    rules: Arc<RuleSet>,
    policy: sluicegate::policy::Policy,
    scanner: Scanner,
    names: ScannedNames,
    macs: Macs,
}

impl Library {
    fn new() -> Library {
        let rules = Arc::new(RuleSet::builtin().unwrap());
        let text = REGISTER.to_owned();
        let source = Source { name: "sluice.toml".to_owned(), text, builtin: false };
        let policy = config::compile(&source, &rules.taxonomy, Origin::System, "1").unwrap().policy;
        let scanner = Scanner::new(Arc::clone(&rules), Options::default());
        let names = ScannedNames::new(&scanner);
        Library { rules, policy, scanner, names, macs: Macs::new(1, [1; 32]) }
    }

    fn decides(&self, payload: &[u8], flow: &str) -> (Said, Option<Vec<u8>>) {
        let control = Control {
            scanner: &self.scanner,
            policy: &self.policy,
            macs: &self.macs,
            names: &self.names,
        };
        let arriving = Arriving {
            header: parse_header(flow.as_bytes()).unwrap(),
            attested: peer::own_identity().unwrap(),
            carrier: Carrier::Rewritable,
            payload,
            failed: None,
            began: clock::now().unwrap(),
            classified: None,
            stands_for: None,
            excepted: Default::default(),
        };
        let judged = control.judge(&arriving, &[], &mut |_| Box::new(NoTokens));
        let shaper = Shaper::new(&self.rules, &self.names, Filter::all());
        let found = &judged.classified;
        let chain = chain(found.format);
        let said = Said {
            effect: judged.decision.effect.as_str().to_owned(),
            label: serde_json::to_value(shaper.label(&found.label)).unwrap(),
            findings: without(
                &serde_json::to_value(shaper.findings(&found.findings, None, &chain)).unwrap(),
            ),
        };
        let released = match judged.decision.effect {
            Effect::Allow => Some(payload.to_vec()),
            Effect::Redact => judged.redacted,
            _ => None,
        };
        (said, released)
    }
}

/// Cuts a payload at these places.
fn cut<'a>(payload: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let (mut rest, mut pieces) = (payload, Vec::new());
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at((*size).clamp(1, rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// Sends a request in pieces, chunk by chunk, and reads the answer to its end; whether the body ended
/// well.
fn post(daemon: &Daemon, path: &str, headers: &str, pieces: &[&[u8]]) -> (String, Vec<u8>, bool) {
    let mut stream = UnixStream::connect(&daemon.socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    for piece in pieces {
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        // An early block closes the connection while the payload is on its way.
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    let _ = stream.write_all(b"0\r\n\r\n");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let body = answer.split_off(end);
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        let (body, ended) = unchunk(&body);
        return (head, body, ended);
    }
    (head, body, true)
}

fn unchunk(mut body: &[u8]) -> (Vec<u8>, bool) {
    let mut whole = Vec::new();
    loop {
        let Some(end) = body.windows(2).position(|it| it == b"\r\n") else { return (whole, false) };
        let size = std::str::from_utf8(&body[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (whole, true);
        }
        body = &body[end + 2..];
        if body.len() < size + 2 {
            return (whole, false);
        }
        whole.extend_from_slice(&body[..size]);
        body = &body[size + 2..];
    }
}

/// Released bytes and decision of an answer.
fn read(head: &str, body: &[u8]) -> (Option<Vec<u8>>, Value) {
    let kind = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
    });
    let kind = kind.expect("a content type");
    let Some((_, boundary)) = kind.split_once("boundary=") else {
        return (None, serde_json::from_slice(body).expect("a decision"));
    };
    let begin = format!("--{boundary}\r\n");
    let between = format!("\r\n--{boundary}");
    let find = |text: &[u8], what: &[u8]| text.windows(what.len()).position(|it| it == what);
    let rest = body.strip_prefix(begin.as_bytes()).expect("the first part");
    let rest = &rest[find(rest, b"\r\n\r\n").unwrap() + 4..];
    let end = find(rest, between.as_bytes()).expect("the second part");
    let (released, rest) = rest.split_at(end);
    let rest = &rest[between.len()..];
    let rest = &rest[find(rest, b"\r\n\r\n").unwrap() + 4..];
    let end = find(rest, between.as_bytes()).expect("the end");
    (Some(released.to_vec()), serde_json::from_slice(&rest[..end]).expect("a decision"))
}

/// Released bytes, decision and the code of the close.
fn duplex(daemon: &Daemon, flow: &str, pieces: &[&[u8]]) -> (Vec<u8>, Option<Value>, u16) {
    let stream = UnixStream::connect(&daemon.socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (mut socket, _) = tungstenite::client("ws://localhost/v1/stream", stream).unwrap();
    socket.send(Message::text(flow)).unwrap();
    for piece in pieces {
        if socket.send(Message::binary(piece.to_vec())).is_err() {
            break;
        }
    }
    let _ = socket.send(Message::text("{\"end\": true}"));
    let (mut released, mut decision) = (Vec::new(), None);
    loop {
        match socket.read() {
            Ok(Message::Binary(bytes)) => released.extend_from_slice(&bytes),
            Ok(Message::Text(text)) => {
                let said: Value = serde_json::from_str(&text).unwrap();
                if let Some(said) = said.get("decision") {
                    decision = Some(said.clone());
                }
            }
            Ok(Message::Close(Some(close))) => return (released, decision, close.code.into()),
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// What `sluice decide` says, with a state directory of its own.
fn command(folder: &std::path::Path, payload: &[u8], flow: &str) -> Value {
    let (header, config) = (folder.join("flow.json"), folder.join("sluice.toml"));
    std::fs::write(&header, flow).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["decide", "--init", "--format", "json", "--flow"])
        .arg(&header)
        .arg("--config")
        .arg(&config)
        .arg("--state-dir")
        .arg(folder.join("own-state"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(payload).unwrap();
    let answer = child.wait_with_output().unwrap();
    serde_json::from_slice(&answer.stdout).expect("a decision")
}

/// What the gate and `scan` say of a payload in a file that is new, in each way in which they take one.
fn in_files(config: &std::path::Path, payload: &[u8], destination: &str) -> Vec<(String, Said)> {
    let repository = Repository::new();
    repository.stage("payload", payload);
    let flow = ["--workflow", "chat", "--purpose", "support", "--destination"];
    let ways = ["gate --stdin", "gate", "gate --tracked", "gate --files payload", "scan payload"];
    let said = ways.map(|way| {
        let mut command = repository.command(env!("CARGO_BIN_EXE_sluice"));
        command.args(way.split(' ')).args(["--format", "json", "--config"]).arg(config);
        command.args(flow).arg(format!("https://{destination}.example.com/"));
        if way.starts_with("scan") {
            command.args(["--fail-on", "block"]);
        }
        let ran = if way.ends_with("stdin") {
            ran_with(&mut command, payload)
        } else {
            ran(&mut command)
        };
        let report: Value = serde_json::from_str(&ran.out).expect(&ran.err);
        let file = &report["files"][0];
        let mut findings = without(&file["findings"]);
        for finding in findings.as_array_mut().into_iter().flatten() {
            finding.as_object_mut().unwrap().remove("path");
        }
        let effect = report["summary"]["effect"].as_str().unwrap_or_default().to_owned();
        (way.to_owned(), Said { effect, label: file["label"].clone(), findings })
    });
    said.into()
}

/// Holds a stream's answer against that of the library; `early` bytes may go out before the end.
fn hold(
    (wanted, whole): &(Said, Option<Vec<u8>>),
    (decision, released): (&Value, &[u8]),
    early: bool,
    about: &str,
) {
    let said = Said::of(decision);
    let out_already = early && wanted.effect == "redact" && said.effect == "escalate";
    if !out_already {
        assert_eq!(said.effect, wanted.effect, "{about}");
    }
    if said.effect == "block" {
        return;
    }
    assert_eq!(said.label, wanted.label, "{about}");
    assert_eq!(said.findings, wanted.findings, "{about}");
    match whole {
        Some(whole) if out_already => assert!(whole.starts_with(released), "{about}"),
        Some(whole) => assert_eq!(released, whole, "{about}"),
        None => assert!(early || released.is_empty(), "{about}"),
    }
}

#[test]
fn every_way_in_gives_one_answer() {
    let daemon = Daemon::start(Some(REGISTER));
    let library = Library::new();
    let payload = prop::collection::vec(0..PIECES.len(), 0..12);
    let sizes = prop::collection::vec(1usize..200, 1..6);
    let cases =
        (payload, sizes, 0usize..3, prop::option::of(prop::sample::select(vec!["text", "csv"])));
    let mut runner = TestRunner::new(Config { cases: 20, ..Config::default() });
    let (commands, files) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    runner
        .run(&cases, |(pieces, sizes, place, format)| {
            let payload: String = pieces.iter().map(|at| PIECES[*at]).collect();
            let payload = payload.as_bytes();
            let destination = ["whole", "prefix", "home"][place];
            let early = destination != "whole";
            let flow = flow(destination, format);
            let header = format!("Sluice-Flow: {flow}\r\n");
            let wanted = library.decides(payload, &flow);
            let cut = cut(payload, &sizes);

            let (_, body, _) = post(&daemon, "/v1/classify", "", &cut);
            let label: Value = serde_json::from_slice(&body).unwrap();
            let found = library.scanner.scan(payload);
            let shaper = Shaper::new(&library.rules, &library.names, Filter::all());
            prop_assert_eq!(
                &label["label"],
                &serde_json::to_value(shaper.label(&found.label)).unwrap()
            );

            let (head, body, _) = post(&daemon, "/v1/decide", &header, &cut);
            let (released, decision) = read(&head, &body);
            prop_assert_eq!(&Said::of(&decision), &wanted.0);
            if wanted.0.effect == "redact" {
                prop_assert_eq!(&released, &wanted.1);
            }

            let (head, body, ended) = post(&daemon, "/v1/stream", &header, &cut);
            let (released, decision) = read(&head, &body);
            let passes = ["allow", "redact"].contains(&decision["effect"].as_str().unwrap());
            // What may not pass whole never ends as if it did.
            prop_assert_eq!(ended, passes || released.is_none());
            hold(&wanted, (&decision, &released.unwrap_or_default()), early, "stream");

            let (released, decision, code) = duplex(&daemon, &flow, &cut);
            let decision = decision.expect("a decision");
            let passes = ["allow", "redact"].contains(&decision["effect"].as_str().unwrap());
            prop_assert_eq!(code, if passes { 1000 } else { 1008 });
            hold(&wanted, (&decision, &released), early, "duplex");

            if commands.get() < 8 {
                commands.set(commands.get() + 1);
                let decision = command(daemon.folder.path(), payload, &flow);
                prop_assert_eq!(&Said::of(&decision), &wanted.0);
            }
            if files.get() < 4 && !payload.is_empty() {
                files.set(files.get() + 1);
                // Files declare no format, and what a file holds cannot be redacted on its way.
                let (wanted, _) = library.decides(payload, &self::flow(destination, None));
                let effect = match wanted.effect.as_str() {
                    "redact" => "escalate",
                    effect => effect,
                };
                let wanted = Said { effect: effect.to_owned(), ..wanted };
                let config = daemon.folder.path().join("sluice.toml");
                for (way, said) in in_files(&config, payload, destination) {
                    prop_assert_eq!(&said, &wanted, "{}", way);
                }
            }
            Ok(())
        })
        .unwrap();
}
