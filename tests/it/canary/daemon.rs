//! The same through the daemon: values in all that a client may claim, send or be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::{Values, github_token, in_names, in_payloads, run, words};
use crate::daemon::Daemon;
use crate::wire::{self, Wire, find, socket};

const REGISTER: &str = r#"version = 1
[serve]
presidio = true
[serve.litellm]
workflow = "letters"
destination = "outside"
purpose = "treatment"
[serve.limits]
header_bytes = 8192
idle_ms = 2000
batch_texts = 20
[[destination]]
id = "outside"
trust = "external"
url = ["https://api.example.net"]
[[destination]]
id = "inside"
trust = "internal"
url = ["https://in.example.net"]
[[workflow]]
id = "letters"
owner = "anna"
purposes = ["treatment"]
destinations = ["outside", "inside"]
[workflow.bind]
anyone = true
[[rule]]
id = "hold"
when = { class = ["nat"], destination = ["outside"] }
effect = "escalate"
reason = "A person looks first."
[[rule]]
id = "redact"
when = { class = ["pci", "sec"] }
effect = "redact"
transform = "tokenize"
reason = "No card leaves."
"#;

/// Values that stand where the kernel names things: the path of the program and its cgroup.
fn in_paths() -> Values {
    Values {
        ssn: "509-73-1264",
        pan: "4929420573595709",
        token: github_token("CanaryInPaths00a1b2c3d4e5f6g7h"),
        password: "Kp3vCanaryPath5",
    }
}

fn are_not_in(written: &[u8], what: &str) {
    for values in [in_payloads(), in_names(), in_paths()] {
        values.are_not_in(written, what);
    }
}

/// What stands before the first released byte and behind the last: the payload itself may go out.
fn without_released(answer: &[u8]) -> Vec<u8> {
    let Some(start) = find(answer, b"name=\"released\"") else { return answer.to_vec() };
    let end = memchr::memmem::rfind(answer, b"name=\"decision\"").unwrap_or(answer.len());
    [&answer[..start], &answer[end..]].concat()
}

/// Sends bytes on a connection of their own and searches what comes back.
fn send(daemon: &Daemon, bytes: &[u8]) -> String {
    let mut wire = Wire::connect(&daemon.socket).unwrap();
    let _ = wire.send(bytes);
    let _ = wire.stream.shutdown(std::net::Shutdown::Write);
    let back = wire.end().unwrap();
    let shown = without_released(&back);
    are_not_in(&shown, &format!("the answer to {}", String::from_utf8_lossy(bytes)));
    String::from_utf8_lossy(&shown).into_owned()
}

/// Sends it and asserts the status of the first answer.
#[track_caller]
fn ask(daemon: &Daemon, status: u16, bytes: &[u8]) -> String {
    let said = send(daemon, bytes);
    assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {said}");
    said
}

/// Flow headers with values in every field.
fn flows() -> Vec<String> {
    let [ssn, card, token, password] = &in_names().labelled();
    let claims = json!({
        "channel": "prompt", "trigger": ssn, "agent": card, "tool": token, "source": password,
        "run": ssn, "step": card, "parents": [ssn, card, token, password], "purpose": card,
        "workflow": ssn, "destination": format!("https://{}@host.example/{}?q={}", in_names().ssn, card, password),
    });
    let others = json!({
        "channel": "tool_input", "trigger": token, "agent": password, "tool": ssn, "source": card,
        "run": token, "step": password, "purpose": token, "workflow": token,
        "destination": format!("https://{}.example.net/", in_names().pan), "labels": ["pci.pan"],
    });
    let known = json!({
        "channel": "prompt", "workflow": "letters", "purpose": "treatment", "trigger": ssn,
        "run": card, "destination": format!("https://api.example.net/{}", in_names().pan),
    });
    let inside = json!({
        "channel": "completion", "workflow": "letters", "purpose": "treatment", "agent": card,
        "run": password, "tool": token, "destination": format!("https://in.example.net/{password}"), "format": "text",
    });
    [claims, others, known, inside].map(|it| it.to_string()).to_vec()
}

fn refused_flows() -> Vec<String> {
    let [ssn, card, token, password] = &in_names().labelled();
    vec![
        json!({"channel": "prompt", in_names().token: 1}).to_string(),
        json!({"channel": ssn}).to_string(),
        json!({"channel": "prompt", "trigger": [card]}).to_string(),
        json!({"channel": "prompt", "parents": {token: password}}).to_string(),
        format!("{{\"channel\": \"prompt\", \"agent\": \"{card}"),
        format!("{ssn}"),
    ]
}

/// Everything that can be asked with a payload and a flow.
fn payloads_and_claims(daemon: &Daemon) {
    let whole = in_payloads().labelled().join("\n");
    let cards = in_payloads().labelled()[1..].join("\n");
    for flow in flows() {
        let header = [("Sluice-Flow", flow.as_str()), ("Accept", "multipart/mixed")];
        for payload in [whole.as_bytes(), cards.as_bytes(), b"nothing"] {
            ask(daemon, 200, &wire::post("/v1/decide", &header, payload));
            let chunks: Vec<&[u8]> = payload.chunks(7).collect();
            ask(daemon, 200, &wire::post_chunked("/v1/stream", &header, &chunks));
            let mut cut = wire::post_chunked("/v1/stream", &header, &chunks);
            cut.truncate(cut.len() - 5);
            send(daemon, &cut);
            let upgrade = socket::upgrade();
            let reason = [&1000u16.to_be_bytes()[..], in_names().labelled()[0].as_bytes()].concat();
            let frames = [
                upgrade.clone(),
                socket::frame(socket::TEXT, flow.as_bytes()),
                socket::frame(socket::BINARY, b"Hello. "),
            ];
            let wrong = json!({"end": in_names().token}).to_string();
            for last in [
                socket::frame(socket::CLOSE, &reason),
                socket::frame(socket::TEXT, wrong.as_bytes()),
                socket::frame(9, in_names().pan.as_bytes()),
            ] {
                // What comes back is a payload that goes out, or the client's own close and ping.
                let mut wire = Wire::connect(&daemon.socket).unwrap();
                wire.send(
                    &[frames.concat(), socket::frame(socket::BINARY, payload), last].concat(),
                )
                .unwrap();
                let _ = wire.stream.shutdown(std::net::Shutdown::Write);
                let back = wire.end().unwrap();
                assert!(back.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&back));
            }
        }
        let file = in_names().labelled()[3].clone();
        for (first, second, name, status) in [
            ("flow", "payload", file.as_str(), 200),
            (file.as_str(), "payload", "x", 400),
            ("flow", file.as_str(), "x", 400),
        ] {
            let body = format!(
                "--b\r\nContent-Disposition: form-data; name=\"{first}\"\r\n\r\n{flow}\r\n--b\r\nContent-Disposition: \
                 form-data; name=\"{second}\"; filename=\"{name}\"\r\nX-{}: {name}\r\n\r\n{whole}\r\n--b--\r\n",
                in_names().pan
            );
            let kind = format!("multipart/form-data; boundary=b; {}=1", in_names().ssn);
            ask(
                daemon,
                status,
                &wire::post("/v1/decide", &[("Content-Type", &kind)], body.as_bytes()),
            );
        }
    }
    for flow in refused_flows() {
        let header = [("Sluice-Flow", flow.as_str())];
        ask(daemon, 400, &wire::post("/v1/decide", &header, whole.as_bytes()));
        ask(daemon, 400, &wire::post("/v1/stream", &header, whole.as_bytes()));
        let frames = [socket::upgrade(), socket::frame(socket::TEXT, flow.as_bytes())].concat();
        ask(daemon, 101, &frames);
    }
}

/// Values in what is around a payload: paths, queries, names and values of headers, what is no HTTP.
fn heads(daemon: &Daemon) {
    let whole = in_payloads().labelled().join("\n");
    let known = &flows()[2];
    for name in in_names().labelled() {
        let coded = name.replace(' ', "%20");
        ask(daemon, 200, &wire::get(&format!("/healthz?{coded}")));
        ask(daemon, 404, &wire::get(&format!("/{coded}?q={coded}")));
        ask(daemon, 405, &wire::get(&format!("/v1/decide?q={coded}")));
        ask(
            daemon,
            400,
            &wire::post(&format!("/v1/classify?format={coded}"), &[], whole.as_bytes()),
        );
        let token = format!("X-{}", name.replace([' ', '='], "-"));
        let headers = [
            ("Sluice-Flow", known.as_str()),
            (token.as_str(), name.as_str()),
            ("Cookie", &name),
            ("User-Agent", &name),
            ("Accept", &name),
            ("Content-Type", &name),
            ("Authorization", &format!("Bearer {name}")),
            ("Sluice-Workflow-Token", &name),
            ("Sluice-Request-Id", &name),
            ("traceparent", &name),
        ];
        ask(daemon, 200, &wire::post("/v1/decide", &headers, whole.as_bytes()));
        let long = name.repeat(600);
        ask(daemon, 431, &wire::post("/v1/decide", &[("X-Long", &long)], whole.as_bytes()));
        ask(daemon, 400, format!("{name}\r\n\r\n").as_bytes());
        ask(daemon, 400, format!("GET / HTTP/1.1\r\n{name} {name}: 1\r\n\r\n").as_bytes());
        ask(
            daemon,
            400,
            format!("POST /v1/decide HTTP/1.1\r\nHost: x\r\nContent-Length: {name}\r\n\r\n")
                .as_bytes(),
        );
        let twice = [("Sluice-Flow", known.as_str()), ("Sluice-Flow", &name)];
        ask(daemon, 400, &wire::post("/v1/decide", &twice, whole.as_bytes()));
        let mut trailer =
            wire::post_chunked("/v1/decide", &[("Sluice-Flow", known)], &[whole.as_bytes()]);
        trailer.truncate(trailer.len() - 2);
        trailer.extend_from_slice(format!("X-Trailer: {name}\r\n\r\n").as_bytes());
        ask(daemon, 200, &trailer);
        let chunk = format!("5; {name}\r\nHello\r\n{name}\r\n");
        let head = wire::head(
            "POST",
            "/v1/decide",
            &[("Sluice-Flow", known), ("Transfer-Encoding", "chunked")],
        );
        send(daemon, &[head, chunk.into_bytes()].concat());
    }
    ask(daemon, 200, &wire::post("/v1/classify", &[], whole.as_bytes()));
    let [ssn, card, token, _] = &in_names().labelled();
    let lines = [
        json!({"id": 1, "text": whole}).to_string(),
        json!({"id": 2, card: ssn}).to_string(),
        json!({"id": [ssn], "text": ""}).to_string(),
        token.clone(),
    ];
    let kind = [("Content-Type", "application/jsonl")];
    ask(daemon, 200, &wire::post("/v1/classify", &kind, lines.join("\n").as_bytes()));
    let many = format!("{}\n", lines[1]).repeat(21);
    ask(daemon, 413, &wire::post("/v1/classify", &kind, many.as_bytes()));
}

/// The endpoints of other programs.
fn drop_ins(daemon: &Daemon) {
    let [ssn, card, token, password] = &in_names().labelled();
    let payload = in_payloads().labelled();
    let post = |status, route: &str, body: serde_json::Value| {
        let kind = [("Content-Type", "application/json")];
        ask(daemon, status, &wire::post(route, &kind, body.to_string().as_bytes()))
    };
    let text = payload.join("\n");
    post(
        200,
        "/analyze",
        json!({"text": text, "language": card, "correlation_id": ssn, token: password}),
    );
    for wrong in [
        json!({"text": text, "language": "en", "entities": [card]}),
        json!({"text": text, "language": "en", "allow_list_match": card, "allow_list": [ssn]}),
        json!({"text": text, "language": "en", "ad_hoc_recognizers": [{"name": card}]}),
        json!({"text": text, "language": "en", "context": [password]}),
        json!({"text": {token: card}, "language": "en"}),
        json!({"text": text, "language": "en", "score_threshold": password}),
        json!([card, ssn]),
    ] {
        post(400, "/analyze", wrong);
    }
    let guardrail = "/beta/litellm_basic_guardrail_api";
    for kind in ["request", "response"] {
        post(
            200,
            guardrail,
            json!({
                "input_type": kind, "texts": payload, "images": [card, format!("https://h.example/{token}")],
                "structured_messages": [{"role": "user", "content": ssn}], "tools": [{card: password}], "tool_calls": [token],
                "litellm_call_id": ssn, "litellm_trace_id": card, "litellm_version": token, "model": password,
                "request_data": {"user_api_key_end_user_id": ssn, "user_api_key_alias": card, token: password},
                "request_headers": {token: card}, "additional_provider_specific_params": {"sluice_grant": token, card: ssn},
                ssn: card,
            }),
        );
    }
    for wrong in [
        json!({"input_type": ssn}),
        json!({"input_type": "request", "texts": {card: token}}),
        json!(card),
    ] {
        let said = post(200, guardrail, wrong);
        assert!(said.contains("BLOCKED"), "{said}");
    }
}

/// A client whose program lies in a folder, and runs in a cgroup, that are named with values; whether
/// there could be such a cgroup.
fn a_client_with_a_name(daemon: &Daemon) -> bool {
    let [ssn, card, token, password] = in_paths().labelled();
    let folder = daemon.folder.path().join(&card).join(ssn.clone());
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join(format!("{token} {password}"));
    let own = Path::new(env!("CARGO_BIN_EXE_sluice"));
    fs::hard_link(own, &program).or_else(|_| fs::copy(own, &program).map(drop)).unwrap();
    let flow = daemon.folder.path().join("flow");
    fs::write(&flow, &flows()[0]).unwrap();
    let payload = daemon.folder.path().join("payload");
    fs::write(&payload, in_payloads().labelled().join("\n")).unwrap();
    let cgroup = Cgroup::new(&format!("{card} {ssn}"));
    for whole in [false, true] {
        let mut client = Command::new("/bin/sh");
        client
            .arg("-c")
            .arg("test -z \"$1\" || echo $$ >\"$1/cgroup.procs\"; shift; exec \"$@\"")
            .arg("sh");
        client.arg(cgroup.as_ref().map_or(Path::new(""), |it| &it.0)).arg(&program);
        client.args(["send", "--flow"]).arg(&flow).arg("--socket").arg(&daemon.socket);
        client.args(whole.then_some("--whole")).arg(&payload);
        let output = client.output().unwrap();
        are_not_in(&output.stdout, "what the client says");
        are_not_in(&output.stderr, "what the client says");
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    }
    cgroup.is_some()
}

/// A cgroup of this test, where one may be made. Removed when it is dropped.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(name: &str) -> Option<Cgroup> {
        let lines = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = lines.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
        let mounts = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
        let mount = mounts.into_iter().find(|it| it.join("cgroup.procs").exists())?;
        let path = mount.join(own).join(format!("{name} {}", std::process::id()));
        fs::create_dir(&path).ok()?;
        Some(Cgroup(path))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Records are the same whatever the form of the log, so they are searched with one of them.
fn nothing_is_written(log_format: &str) {
    let mut daemon =
        Daemon::start_with(Some(REGISTER), &["--log", log_format, "--log-level", "debug"]);
    payloads_and_claims(&daemon);
    heads(&daemon);
    drop_ins(&daemon);
    let has_cgroup = a_client_with_a_name(&daemon);
    ask(&daemon, 200, &wire::post("/v1/reload", &[], b""));
    let metrics = ask(&daemon, 200, &wire::get("/metrics"));
    assert!(metrics.contains("sluice_refused_total{limit=\"request\"}"), "{metrics}");
    for file in ["environ", "cmdline", "comm"] {
        let content = fs::read(format!("/proc/{}/{file}", daemon.pid())).unwrap_or_default();
        are_not_in(&content, file);
    }
    assert!(daemon.stop(), "{}", daemon.log());
    let log = daemon.log();
    are_not_in(log.as_bytes(), "the log");
    assert!(
        log.matches("decided").count() > 50 && log.contains("a connection ended early"),
        "{log}"
    );
    if log_format == "human" {
        return;
    }
    let state = daemon.state.to_str().unwrap();
    let query = ["ledger", "query", "--format", "json", "--state-dir", state];
    let (code, said) = run(daemon.folder.path(), &words(&query), b"");
    assert_eq!(code, Some(0), "{said}");
    in_paths().are_not_in(said.as_bytes(), "the ledger");
    let masked = |key: &str| {
        said.lines().any(|line| {
            find(line.as_bytes(), format!("\"{key}\":").as_bytes())
                .is_some_and(|at| line[at..].contains("**"))
        })
    };
    for key in ["trigger", "agent", "tool", "run", "workflow", "executable"] {
        assert!(masked(key), "{key} is recorded: {said}");
    }
    assert!(!has_cgroup || masked("cgroup"), "the cgroup is recorded: {said}");
    let mut files = vec![daemon.state.clone()];
    let mut seen = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        seen += 1;
        let content = fs::read(&path).unwrap();
        // A segment ends with space that is not used.
        let end = content.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        are_not_in(&content[..end], &path.display().to_string());
        are_not_in(path.as_os_str().as_encoded_bytes(), "the name of a file");
    }
    assert!(seen > 20, "{seen} files were searched");
}

#[test]
fn no_log_or_record_of_the_daemon_holds_a_value() {
    nothing_is_written("json");
}

#[test]
fn no_log_for_people_holds_a_value() {
    nothing_is_written("human");
}
