//! The typed client against a live daemon, and against servers that do not follow the protocol.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use sluicegate::client::{Answer, Client, ClientError, Event, Timeouts};
use sluicegate::model::{Channel, Claimed, Effect, FlowHeader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use crate::daemon::Daemon;

/// A register with a destination for each effect.
pub const REGISTER: &str = r#"version = 1
[[destination]]
id = "outside"
trust = "external"
url = ["https://api.example.net"]
approved = ["pii"]
release = "prefix"
[[destination]]
id = "inside"
trust = "internal"
url = ["https://in.example.net"]
[[workflow]]
id = "letters"
owner = "anna"
purposes = ["treatment"]
approved = ["pii"]
destinations = ["outside", "inside"]
[workflow.bind]
anyone = true
[[rule]]
id = "cards-are-masked"
when = { category = ["pci.pan"], destination = ["outside"] }
effect = "redact"
transform = "mask"
reason = "No card number leaves."
"#;

pub const OUTSIDE: &str = "https://api.example.net/v1";
pub const INSIDE: &str = "https://in.example.net/v1";
pub const CARD: &[u8] = b"card number 4556 7375 8689 9855, thanks";

pub fn flow(destination: &str) -> FlowHeader {
    FlowHeader {
        channel: Some(Channel::Prompt),
        workflow: Some(Claimed::new("letters")),
        purpose: Some(Claimed::new("treatment")),
        destination: Some(Claimed::new(destination)),
        ..FlowHeader::default()
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(work)
}

async fn streamed(
    client: &Client,
    flow: &FlowHeader,
    payload: &[u8],
) -> (Result<Answer, ClientError>, Vec<u8>) {
    let mut released = Vec::new();
    let answer = client.stream(flow, payload, &mut released).await;
    (answer, released)
}

#[test]
fn payloads_are_classified() {
    let daemon = Daemon::start(Some(REGISTER));
    run(async {
        let client = Client::connect(&daemon.socket).await.unwrap();
        let label = client.classify(CARD, None).await.unwrap();
        assert_eq!(label.categories["pci.pan"], 1);
        assert_eq!((label.findings[0].start, label.findings[0].end), (12, 31));
        assert!(label.partial.is_empty() && label.value["recorded"] == "no");
        assert!(client.classify(CARD, Some("text")).await.is_ok());
        let error = client.classify(CARD, Some("no such & format")).await.unwrap_err();
        assert!(matches!(error, ClientError::Refused { status: 400, .. }), "{error}");
        let texts = ["nothing", "card 4556 7375 8689 9855", "two\nlines"];
        let labels = client.classify_texts(texts).await.unwrap();
        let found: Vec<usize> = labels.iter().map(|it| it.findings.len()).collect();
        assert_eq!(found, [0, 1, 0]);
        assert_eq!(client.classify_texts::<&str>([]).await.unwrap(), []);
    });
}

#[test]
fn payloads_are_decided_whole() {
    let daemon = Daemon::start(Some(REGISTER));
    run(async {
        let client = Client::connect(&daemon.socket).await.unwrap();
        let decide = async |destination, payload| {
            client.decide(&flow(destination), Bytes::from_static(payload)).await.unwrap()
        };
        let plain = decide(OUTSIDE, b"nothing in here").await;
        assert_eq!(plain.effect, Effect::Allow);
        assert_eq!(plain.may_pass(b"nothing in here"), Some(&b"nothing in here"[..]));
        let card = decide(OUTSIDE, CARD).await;
        let masked = card.may_pass(CARD).unwrap();
        assert_eq!(
            (card.effect, card.determining[0].id.as_str()),
            (Effect::Redact, "cards-are-masked")
        );
        assert!(masked.starts_with(b"card number ") && !masked.windows(4).any(|it| it == b"7375"));
        assert!(card.recorded.as_ref().unwrap().sequence > plain.recorded.unwrap().sequence);
        let alone = client.decide_only(&flow(OUTSIDE), CARD).await.unwrap();
        assert_eq!((alone.effect, alone.may_pass(CARD)), (Effect::Redact, None));
        let held = decide(INSIDE, CARD).await;
        assert_eq!((held.effect, held.may_pass(CARD)), (Effect::Escalate, None));
        assert!(held.escalation.is_some());
        let blocked = decide("https://elsewhere.example.org", CARD).await;
        assert_eq!((blocked.effect, blocked.may_pass(CARD)), (Effect::Block, None));
        // What the daemon would refuse is not sent, and what it refuses is block.
        let none = FlowHeader::default();
        let error = client.decide(&none, CARD).await.unwrap_err();
        assert!(matches!(error, ClientError::Flow(_)) && error.effect() == Effect::Block);
    });
}

#[test]
fn payloads_are_decided_while_they_are_sent() {
    let daemon = Daemon::start(Some(REGISTER));
    run(async {
        let client = Client::connect(&daemon.socket).await.unwrap();
        let text = "nothing in here. ".repeat(20_000);
        let (answer, released) = streamed(&client, &flow(OUTSIDE), text.as_bytes()).await;
        assert_eq!((answer.unwrap().effect, released.len()), (Effect::Allow, text.len()));
        let (answer, released) = streamed(&client, &flow(OUTSIDE), CARD).await;
        let answer = answer.unwrap();
        assert_eq!((answer.effect, released.len()), (Effect::Redact, CARD.len()));
        assert!(!released.windows(4).any(|it| it == b"7375"));
        for (destination, effect) in [(INSIDE, Effect::Escalate), ("elsewhere", Effect::Block)] {
            let (answer, released) = streamed(&client, &flow(destination), CARD).await;
            assert_eq!((answer.unwrap().effect, released.len()), (effect, 0));
        }
        // Nobody reads all of this; the answer is there all the same.
        let long = [CARD, &vec![b' '; 32 << 20]].concat();
        let (answer, released) = streamed(&client, &flow("elsewhere"), &long).await;
        assert_eq!((answer.unwrap().effect, released.len()), (Effect::Block, 0));
        let alone = client.stream_only(&flow(OUTSIDE), CARD).await.unwrap();
        assert_eq!((alone.effect, alone.may_pass(CARD)), (Effect::Redact, None));
    });
}

#[test]
fn what_went_out_before_a_block_is_all_that_does() {
    let daemon = Daemon::start(Some(REGISTER));
    run(async {
        let client = Client::connect(&daemon.socket).await.unwrap();
        let flow = FlowHeader { format: Some(Claimed::new("text")), ..flow(OUTSIDE) };
        let (mut feed, payload) = tokio::io::duplex(1 << 20);
        let (mut out, mut taken) = tokio::io::duplex(1 << 20);
        let feeding = async {
            feed.write_all("nothing in here. ".repeat(10_000).as_bytes()).await.unwrap();
            let mut first = [0; 17];
            taken.read_exact(&mut first).await.unwrap();
            assert_eq!(&first, b"nothing in here. ");
            feed.write_all(b"My SSN is 219-09-9998, they said. ").await.unwrap();
            feed.shutdown().await.unwrap();
            first.len()
        };
        let streaming = async {
            let answer = client.stream(&flow, payload, &mut out).await.unwrap();
            drop(out);
            answer
        };
        let (answer, first) = tokio::join!(streaming, feeding);
        let mut rest = Vec::new();
        taken.read_to_end(&mut rest).await.unwrap();
        assert_eq!((answer.effect, answer.broken_off), (Effect::Block, true));
        assert!(first + rest.len() <= 170_000 && !rest.windows(3).any(|it| it == b"SSN"));
    });
}

#[test]
fn a_payload_that_cannot_be_read_is_block() {
    struct Broken(usize, std::pin::Pin<Box<tokio::time::Sleep>>);
    impl tokio::io::AsyncRead for Broken {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            self.0 += 1;
            if self.0 == 1 {
                buffer.put_slice(b"the first half");
                return std::task::Poll::Ready(Ok(()));
            }
            // So that the first half is sent before.
            self.1.as_mut().poll(context).map(|()| Err(io::Error::other("unplugged")))
        }
    }
    let daemon = Daemon::start(Some(REGISTER));
    run(async {
        let client = Client::connect(&daemon.socket).await.unwrap();
        let mut released = Vec::new();
        let broken = Broken(0, Box::pin(tokio::time::sleep(Duration::from_secs(1))));
        let answer = client.stream(&flow(OUTSIDE), broken, &mut released).await;
        let error = answer.unwrap_err();
        assert!(matches!(error, ClientError::Payload(_)), "{error}");
        assert!(released.is_empty(), "the first half may go out only if the second one does");
        // The daemon has recorded it as what it was.
        let until = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            let decisions = client.metrics().await.unwrap().by("sluice_decisions_total", "effect");
            if decisions.get("block") == Some(&1.0) {
                break;
            }
            assert!(std::time::Instant::now() < until, "{decisions:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

#[test]
fn payloads_go_both_ways_at_once() {
    let daemon = Daemon::start(Some(REGISTER));
    run(async {
        let client = Client::connect(&daemon.socket).await.unwrap();
        for (destination, payload, effect) in [
            (OUTSIDE, &b"nothing in here"[..], Effect::Allow),
            (OUTSIDE, CARD, Effect::Redact),
            (INSIDE, CARD, Effect::Escalate),
            ("elsewhere", CARD, Effect::Block),
        ] {
            let flow = FlowHeader { format: Some(Claimed::new("text")), ..flow(destination) };
            let (mut sender, mut receiver) = client.duplex(&flow).await.unwrap();
            let sending = async {
                for token in payload.chunks(5) {
                    // After an early end the receiver says why.
                    let _ = sender.send(Bytes::copy_from_slice(token)).await;
                }
                let _ = sender.end().await;
            };
            let receiving = async {
                let (mut released, mut decided) = (Vec::new(), None);
                while let Some(event) = receiver.next().await.unwrap() {
                    match event {
                        Event::Released(bytes) => released.extend_from_slice(&bytes),
                        Event::Findings(found) => assert_eq!(found[0].category, "pci.pan"),
                        Event::Decision(answer) => decided = Some(answer),
                    }
                }
                (released, decided.unwrap())
            };
            let ((), (released, answer)) = tokio::join!(sending, receiving);
            assert_eq!(answer.effect, effect, "{destination}");
            let passes = effect <= Effect::Redact;
            assert_eq!(released.len(), if passes { payload.len() } else { 0 });
            assert!(answer.recorded.is_some());
        }
        // A sender that is dropped has not ended its payload.
        let (mut sender, mut receiver) = client.duplex(&flow(OUTSIDE)).await.unwrap();
        sender.send("half of").await.unwrap();
        drop(sender);
        let quick = tokio::time::timeout(Duration::from_millis(300), receiver.next()).await;
        assert!(
            !matches!(quick, Ok(Ok(Some(Event::Decision(answer)))) if answer.effect <= Effect::Redact)
        );
    });
}

#[test]
fn a_daemon_is_reloaded_and_counted() {
    let daemon = Daemon::start(Some(REGISTER));
    run(async {
        let client = Client::connect(&daemon.socket).await.unwrap();
        let before = client.reload().await.unwrap();
        assert!(!before.changed && before.policy_digest.len() == 64);
        let config = daemon.folder.path().join("sluice.toml");
        std::fs::write(&config, REGISTER.replace("No card number leaves.", "None.")).unwrap();
        let after = client.reload().await.unwrap();
        assert!(after.changed && after.policy_digest != before.policy_digest);
        std::fs::write(&config, "version = ").unwrap();
        let error = client.reload().await.unwrap_err();
        assert!(matches!(&error, ClientError::Refused { status: 422, .. }), "{error}");
        let metrics = client.metrics().await.unwrap();
        let reloads = metrics.by("sluice_reloads_total", "outcome");
        assert_eq!((reloads["ok"], reloads["failed"]), (2.0, 1.0));
        let run = client.run_id().await.unwrap();
        assert_eq!((run.len(), run), (8, client.clone().run_id().await.unwrap()));
    });
}

#[test]
fn without_a_daemon_there_is_no_answer() {
    let mut daemon = Daemon::start(None);
    run(async {
        let client = Client::connect(&daemon.socket).await.unwrap();
        assert!(daemon.stop());
        let error = client.decide(&flow(OUTSIDE), CARD).await.unwrap_err();
        assert_eq!(error.effect(), Effect::Block);
        let error = Client::connect(&daemon.socket).await.unwrap_err();
        assert!(matches!(error, ClientError::NoDaemon { .. }));
        assert!(error.to_string().ends_with("is `sluice serve` running?"), "{error}");
    });
}

/// A server that answers each connection with these bytes, whatever is asked.
async fn serve(path: &Path, answer: Vec<u8>) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut asked = vec![0; 64 << 10];
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(&answer).await;
            });
        }
    });
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

const DECISION: &str = r#"{"effect":"allow","cause":"default","reason":"Because.","determining":[],"obligations":{},"shadows":[],"grant":null,"escalation":null,"released":{"bytes":4,"mac":"00"},"recorded":{"sequence":4,"leaf":"ab"}}"#;

fn parts(released: &str, decision: &str) -> String {
    let head = |name| format!("--b\r\nContent-Disposition: attachment; name=\"{name}\"\r\n\r\n");
    let (first, second) = (head("released"), head("decision"));
    format!("{first}{released}\r\n{second}{decision}\r\n--b--\r\n")
}

#[test]
fn what_is_no_answer_of_the_protocol_is_block() {
    let folder = tempfile::tempdir().unwrap();
    let json = "Content-Type: application/json\r\n";
    let mixed = "Content-Type: multipart/mixed; boundary=b\r\n";
    let with = |headers: &str, effect: &str| format!("{headers}Sluice-Effect: {effect}\r\n");
    let body = parts("data", DECISION);
    let chunked = |body: &str, end: &str| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: sluice-effect\r\n";
        format!("{head}{mixed}\r\n{:x}\r\n{body}\r\n{end}", body.len()).into_bytes()
    };
    let blocked = DECISION.replace("allow", "block");
    let cases: Vec<(&str, Vec<u8>, Option<Effect>)> = vec![
        ("json", http("200 OK", &with(json, "allow"), DECISION), Some(Effect::Allow)),
        ("parts", http("200 OK", &with(mixed, "allow"), &body), Some(Effect::Allow)),
        ("trailer", chunked(&body, "0\r\nSluice-Effect: allow\r\n\r\n"), Some(Effect::Allow)),
        ("told and broken off", chunked(&parts("data", &blocked), ""), Some(Effect::Block)),
        ("nothing", Vec::new(), None),
        ("no HTTP", b"allow\r\n\r\n".to_vec(), None),
        ("another status", http("202 Accepted", &with(json, "allow"), DECISION), None),
        ("an error", http("503 Busy", &with(json, "allow"), DECISION), None),
        ("no effect", http("200 OK", json, DECISION), None),
        ("another effect", http("200 OK", &with(json, "redact"), DECISION), None),
        ("two effects", http("200 OK", &with(&with(json, "allow"), "allow"), DECISION), None),
        ("no such effect", http("200 OK", &with(json, "pass"), DECISION), None),
        ("no type", http("200 OK", &with("", "allow"), DECISION), None),
        ("no JSON", http("200 OK", &with(json, "allow"), "{\"effect\":\"allow\"}"), None),
        (
            "not recorded",
            http(
                "200 OK",
                &with(json, "allow"),
                &DECISION.replace("{\"sequence\":4,\"leaf\":\"ab\"}", "\"no\""),
            ),
            None,
        ),
        ("short", http("200 OK", &with(json, "allow"), DECISION)[..200].to_vec(), None),
        ("other bytes", http("200 OK", &with(mixed, "allow"), &parts("dat", DECISION)), None),
        ("no decision", http("200 OK", &with(mixed, "allow"), "--b--\r\n"), None),
        ("open parts", http("200 OK", &with(mixed, "allow"), &body[..body.len() - 4]), None),
        ("no trailer", chunked(&body, "0\r\n\r\n"), None),
        ("another trailer", chunked(&body, "0\r\nSluice-Effect: block\r\n\r\n"), None),
        ("broken off", chunked(&body, ""), None),
        ("broken off early", chunked(&body[..body.len() / 2], ""), None),
    ];
    run(async {
        for (at, (name, answer, effect)) in cases.into_iter().enumerate() {
            let path = folder.path().join(format!("{at}.sock"));
            serve(&path, answer).await;
            let client = Client::connect(&path).await.unwrap();
            let (answer, released) = streamed(&client, &flow(OUTSIDE), b"data").await;
            match answer {
                Ok(answer) => assert_eq!(Some(answer.effect), effect, "{name}"),
                Err(error) => {
                    assert!(effect.is_none(), "{name}: {error}");
                    assert_eq!(error.effect(), Effect::Block, "{name}");
                    assert!(error.answer().is_none(), "{name}");
                }
            }
            assert!(b"data".starts_with(&released), "{name}");
        }
    });
}

#[test]
fn a_daemon_that_says_nothing_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    run(async {
        let listener = UnixListener::bind(&path).unwrap();
        let second = Duration::from_millis(200);
        let timeouts = Timeouts { connect: second, request: second, stream: second };
        let client = Client::connect_with(&path, timeouts).await.unwrap();
        let error = client.decide(&flow(OUTSIDE), CARD).await.unwrap_err();
        assert!(matches!(error, ClientError::Timeout(_)), "{error}");
        let (answer, _) = streamed(&client, &flow(OUTSIDE), CARD).await;
        assert!(matches!(answer.unwrap_err(), ClientError::Timeout(_)));
        assert!(client.duplex(&flow(OUTSIDE)).await.is_err());
        drop(listener);
    });
}

#[test]
fn tokens_are_checked_and_not_shown() {
    let daemon = Daemon::start(None);
    run(async {
        let client = Client::connect(&daemon.socket).await.unwrap();
        for bad in [&b""[..], b"two words", b"line\n", b"\xff"] {
            assert!(matches!(client.clone().with_token(bad), Err(ClientError::Token)));
        }
        let client = client.with_token(b"secret-of-letters").unwrap();
        assert!(!format!("{client:?}").contains("secret"));
        assert!(client.run_id().await.is_ok());
    });
}
