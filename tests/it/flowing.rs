//! Payloads that are decided while they arrive: the same answer as for the whole, nothing out before
//! its entry, and nothing out that must not be.

use std::io;
use std::sync::mpsc;

use proptest::prelude::*;
use serde_json::Value;
use sluicegate::Scanner;
use sluicegate::config::{self, Origin};
use sluicegate::engine::{
    Arriving, Control, Desk, Ended, Flowing, Options, ScannedNames, Settled, Terms,
};
use sluicegate::model::{
    Attested, Cause, Channel, Claimed, Effect, Executable, Finding, FlowHeader, KernelName, Reason,
};
use sluicegate::policy::{Carrier, Item, Policy};
use sluicegate::record::pending::Pending;
use sluicegate::record::vault::Vaults;
use sluicegate::record::{Ledger, Macs, Moment, Options as LedgerOptions, State};
use sluicegate::rules::Source;

use crate::generated::generator::{Document, Set, documents};
use crate::support::{rules, scanner_with};

const POLICY: &str = r#"
version = 1

[[destination]]
id = "inside"
title = "Inside"
trust = "internal"
tool = ["inside"]
approved = ["pii.email"]

[[destination]]
id = "model"
title = "Outside, and nothing is said of release"
trust = "external"
tool = ["model"]
approved = ["pii.email"]

[[destination]]
id = "fast"
title = "Outside, prefix"
trust = "external"
tool = ["fast"]
approved = ["pii.email", "pii.phone"]
release = "prefix"

[[destination]]
id = "slow"
title = "Outside, whole"
trust = "external"
tool = ["slow"]
approved = ["pii.email"]
release = "whole"

[[workflow]]
id = "letters"
title = "Letters"
owner = "anna"
purposes = ["support"]
approved = ["pii.email", "pii.phone"]
destinations = ["inside", "model", "fast", "slow"]
bind = { anyone = true }
"#;

/// Where payloads go in these tests.
const DESTINATIONS: [&str; 4] = ["inside", "model", "fast", "slow"];

struct Place {
    scanner: Scanner,
    policy: Policy,
    macs: Macs,
    ledger: Ledger,
    pending: Pending,
    vaults: Vaults,
    folder: tempfile::TempDir,
}

fn fill(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(io::Error::other)
}

fn moment() -> Moment {
    Moment { wall: 1_795_000_000_000_000_000, monotonic: 5_000_000_000, boot: "boot".to_owned() }
}

impl Place {
    fn new(policy: &str) -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state");
        let state = State::create(&state, "example.com/log", &mut fill).expect("made");
        let source = Source { name: "sluice.toml".into(), text: policy.into(), builtin: false };
        let (config, diagnostics) = config::check(&source, &rules().taxonomy, Origin::System, "0");
        let policy = config.unwrap_or_else(|| panic!("{}", diagnostics.render(&[source]))).policy;
        let macs = Macs::new(1, [7; 32]);
        let options = Options { fingerprint_key: Some(macs.value_key()), ..Options::default() };
        let vaults = state.path().join("vault");
        std::fs::create_dir_all(&vaults).expect("made");
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&vaults, std::fs::Permissions::from_mode(0o700)).expect("set");
        let key = state.vault_key().expect("a key");
        Place {
            scanner: scanner_with(options),
            policy,
            macs,
            ledger: Ledger::open(&state, LedgerOptions::command(), |_, _| Vec::new())
                .expect("opens"),
            pending: Pending::open(state.path()).expect("opens"),
            vaults: Vaults::new(std::fs::File::open(&vaults).expect("open").into(), key.as_bytes()),
            folder,
        }
    }

    fn with<A>(&self, run: impl FnOnce(&Desk<'_>) -> A) -> A {
        let names = ScannedNames::new(&self.scanner);
        let control = Control {
            scanner: &self.scanner,
            policy: &self.policy,
            macs: &self.macs,
            names: &names,
        };
        run(&Desk {
            control,
            ledger: &self.ledger,
            pending: &self.pending,
            vaults: Some(&self.vaults),
            clock: &moment,
            random: &fill,
        })
    }

    fn entries(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let each = &mut |_, bytes: &[u8]| {
            all.push(serde_json::from_slice(bytes).expect("JSON"));
            std::ops::ControlFlow::Continue(())
        };
        self.ledger.reader().entries(0, each).expect("read");
        all
    }

    /// The answer to the whole payload.
    fn settle(&self, header: &FlowHeader, payload: &[u8]) -> (Settled, Option<Vec<u8>>) {
        let arriving = Arriving {
            header: header.clone(),
            attested: attested(),
            carrier: Carrier::Rewritable,
            payload,
            failed: None,
            began: moment(),
            classified: None,
        };
        let settled = self.with(|desk| desk.settle(&arriving)).expect("recorded");
        let released = match settled.judged.decision.effect {
            Effect::Allow => Some(payload.to_vec()),
            Effect::Redact => settled.judged.redacted.clone(),
            _ => None,
        };
        (settled, released)
    }

    /// The payload in pieces of these sizes, with a window behind those that say so.
    fn flow(&self, header: &FlowHeader, payload: &[u8], cuts: &[(usize, bool)]) -> Flowed {
        self.with(|desk| {
            let mut flowing = open(desk, header);
            let (mut rest, mut out, mut findings) = (payload, Vec::new(), Vec::new());
            let (mut effect, mut windows) = (flowing.effect(), 0);
            for (size, window) in cuts.iter().cycle() {
                let (piece, behind) = rest.split_at(rest.len().min((*size).max(1)));
                rest = behind;
                flowing.push(&desk.control, piece);
                assert!(flowing.effect() >= effect, "an effect only rises");
                effect = flowing.effect();
                findings.extend(flowing.take_findings());
                if *window {
                    let bytes = window_of(&mut flowing, desk);
                    windows += u64::from(!bytes.is_empty());
                    out.extend(bytes);
                    assert_eq!(flowing.released(), out.len() as u64);
                }
                if rest.is_empty() || flowing.is_decided() {
                    break;
                }
            }
            let early = !rest.is_empty();
            let ended = if early { abort(flowing, desk, None) } else { finish(flowing, desk) };
            assert_eq!(ended.released_before, out.len() as u64);
            out.extend_from_slice(&ended.released);
            Flowed { ended, out, findings, windows, early }
        })
    }
}

struct Flowed {
    ended: Ended,
    out: Vec<u8>,
    findings: Vec<Finding>,
    windows: u64,
    early: bool,
}

impl Flowed {
    fn effect(&self) -> Effect {
        self.ended.settled.judged.decision.effect
    }
}

fn open(desk: &Desk<'_>, header: &FlowHeader) -> Flowing {
    let terms = Terms { max_payload: 1 << 30, max_held: 1 << 26, may_release_early: true };
    Flowing::open(&desk.control, header.clone(), attested(), moment(), terms)
}

fn window_of(flowing: &mut Flowing, desk: &Desk<'_>) -> Vec<u8> {
    let (tell, told) = mpsc::channel();
    flowing.release_then(desk, &moment(), move |bytes| tell.send(bytes).expect("heard"));
    told.recv().expect("told").expect("recorded")
}

fn finish(flowing: Flowing, desk: &Desk<'_>) -> Ended {
    let (tell, told) = mpsc::channel();
    flowing.finish_then(desk, move |ended| tell.send(ended).expect("heard"));
    told.recv().expect("told").expect("recorded")
}

fn abort(flowing: Flowing, desk: &Desk<'_>, cause: Option<Cause>) -> Ended {
    let (tell, told) = mpsc::channel();
    flowing.abort_then(desk, cause, move |ended| tell.send(ended).expect("heard"));
    told.recv().expect("told").expect("recorded")
}

fn attested() -> Attested {
    Attested {
        uid: 1000,
        gid: 1000,
        groups: [].into(),
        pid: 7,
        start_time: 1,
        cgroup: KernelName::read(b"/"),
        unit: None,
        executable: Executable::Unavailable("test"),
        token_of: None,
        self_attested: false,
    }
}

fn header(destination: &str, format: Option<&str>) -> FlowHeader {
    FlowHeader {
        workflow: Some(Claimed::new("letters")),
        channel: Some(Channel::Prompt),
        destination: Some(Claimed::new(destination)),
        purpose: Some(Claimed::new("support")),
        format: format.map(Claimed::new),
        ..FlowHeader::default()
    }
}

const PROSE: &str =
    "The river ran low that summer, and nobody minded; we sat and talked until dusk.\n";

/// Generated documents with prose between them, so that there is something to release.
fn payload(number: usize, length: usize) -> Vec<u8> {
    static MADE: std::sync::OnceLock<Vec<Document>> = std::sync::OnceLock::new();
    let made = MADE.get_or_init(|| documents(20_261_128, 400, Set::Open));
    let mut text = String::new();
    for at in 0.. {
        if at % 3 == number % 3 {
            text.push_str(&made[(number * 7 + at) % made.len()].text);
            text.push('\n');
        } else {
            text.push_str(PROSE);
        }
        if text.len() >= length {
            break;
        }
    }
    text.into_bytes()
}

/// What every way of cutting a payload has to hold to.
fn check(place: &Place, header: &FlowHeader, payload: &[u8], cuts: &[(usize, bool)]) {
    let before = place.ledger.size();
    let flowed = place.flow(header, payload, cuts);
    let entries = place.ledger.size() - before;
    let (settled, released) = place.settle(header, payload);
    let (ours, whole) = (&flowed.ended.settled.judged, &settled.judged);
    let went_before = flowed.ended.released_before;
    if flowed.early {
        assert_eq!(whole.decision.effect, Effect::Block);
        assert!(ours.classified.label.coverage.reasons.contains(&Reason::EarlyBlock));
    } else {
        assert_eq!(ours.classified, whole.classified);
        assert_eq!((ours.flow.payload, ours.flow.bytes), (whole.flow.payload, whole.flow.bytes));
    }
    let is_late = went_before > 0
        && whole.decision.effect == Effect::Redact
        && flowed.effect() == Effect::Escalate;
    if !is_late {
        assert_eq!(flowed.effect(), whole.decision.effect);
    }
    match &released {
        Some(released) if !is_late => assert_eq!(&flowed.out, released),
        Some(released) => assert!(released.starts_with(&flowed.out)),
        None => assert_eq!(flowed.out.len() as u64, went_before),
    }
    // What went out holds nothing that decides more than allow.
    for item in &whole.decision.items {
        let Item::Category(category) = item.item else { continue };
        let first = whole.classified.findings.iter().find(|it| it.category == category);
        if released.is_none()
            && item.effect > Effect::Redact
            && let Some(first) = first
        {
            assert!(first.span.start >= went_before, "{}: {first:?}", payload.len());
        }
    }
    // Each finding is told of one time.
    let told = |it: &Finding| (it.span, rules().rule_id(it.rule).to_owned());
    let mut taken: Vec<_> = flowed.findings.iter().map(told).collect();
    let count = taken.len();
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), count);
    // Where both readings find it, the one of the two that came first may be the less sure one.
    let all: Vec<_> = ours.classified.findings.iter().map(told).collect();
    assert!(taken.iter().all(|it| all.contains(it)));
    if flowed.windows == 0 {
        assert_eq!(entries, 1 + u64::from(flowed.ended.settled.statement.is_some()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_cutting_ends_as_the_whole_does(
        number in 0usize..400,
        length in 0usize..12_000,
        cuts in prop::collection::vec((1usize..3_000, any::<bool>()), 1..20),
        destination in 0usize..4,
        format in prop::sample::select(vec![None, Some("text"), Some("text"), Some("json"), Some("csv")]),
    ) {
        let place = Place::new(POLICY);
        let header = header(DESTINATIONS[destination], format);
        check(&place, &header, &payload(number, length), &cuts);
        check(&place, &header, PROSE.repeat(length / 1000).as_bytes(), &cuts);
    }
}

#[test]
fn prose_goes_out_at_once_but_for_its_last_bytes() {
    let place = Place::new(POLICY);
    let header = header("model", Some("text"));
    place.with(|desk| {
        let mut flowing = open(desk, &header);
        let (mut sent, mut out) = (0, Vec::new());
        for piece in PROSE.repeat(80).as_bytes().chunks(13) {
            flowing.push(&desk.control, piece);
            sent += piece.len();
            out.extend(window_of(&mut flowing, desk));
            assert!(sent - out.len() <= 164, "{} of {sent} are held", sent - out.len());
        }
        let ended = finish(flowing, desk);
        out.extend_from_slice(&ended.released);
        assert_eq!(out, PROSE.repeat(80).as_bytes());
    });
    let entries = place.entries();
    let kinds: Vec<&str> = entries.iter().filter_map(|it| it["kind"].as_str()).collect();
    assert_eq!((kinds[0], kinds[1]), ("stream_open", "stream_window"));
    assert_eq!(kinds.last(), Some(&"stream_close"));
    assert!(kinds[1..kinds.len() - 1].iter().all(|it| *it == "stream_window"));
    let close = entries.last().expect("there");
    assert_eq!(close["open"], entries[0]["sequence"]);
    assert_eq!(close["windows"].as_u64(), Some(kinds.len() as u64 - 2));
    assert_eq!(close["released"]["bytes"].as_u64(), Some(PROSE.len() as u64 * 80));
    assert_eq!(close["released"]["mac"], close["payload_mac"]);
    let mut last = 0;
    for window in &entries[1..entries.len() - 1] {
        assert!(window.to_string().len() <= 160);
        assert_eq!((&window["open"], window["from"].as_u64()), (&close["open"], Some(last)));
        last = window["to"].as_u64().expect("a number");
    }
    assert!(place.folder.path().exists());
}

#[test]
fn a_block_in_the_middle_ends_the_stream_and_says_what_went_out() {
    let place = Place::new(POLICY);
    let text = PROSE.repeat(40) + "his ssn is 574-22-8190, born on it. " + &PROSE.repeat(40);
    let flowed = place.flow(&header("fast", Some("text")), text.as_bytes(), &[(200, true)]);
    assert!(flowed.early && flowed.windows > 10);
    let went = flowed.out.len();
    assert!(went <= text.find("574-22").expect("there") && went > PROSE.len() * 35);
    assert_eq!(flowed.out, &text.as_bytes()[..went]);
    let close = place.entries().pop().expect("there");
    assert_eq!((&close["kind"], &close["effect"]), (&"stream_close".into(), &"block".into()));
    assert_eq!(close["released"]["bytes"].as_u64(), Some(went as u64));
    assert_eq!(close["coverage"]["reasons"], serde_json::json!(["early_block"]));
}

#[test]
fn an_escalation_in_the_middle_is_over_the_whole_payload() {
    let place = Place::new(POLICY);
    let text = PROSE.repeat(40) + "his ssn is 574-22-8190, born on it. " + &PROSE.repeat(40);
    let flowed = place.flow(&header("inside", Some("text")), text.as_bytes(), &[(200, true)]);
    assert!(!flowed.early && flowed.windows > 10);
    assert_eq!(flowed.effect(), Effect::Escalate);
    let settled = &flowed.ended.settled;
    let statement = settled.statement.as_ref().expect("it waits");
    let mac = data_encoding::HEXLOWER.encode(&place.macs.payload(text.as_bytes()));
    assert_eq!(serde_json::to_value(statement).expect("JSON")["payload_mac"], mac.as_str());
    let close = place.entries().pop().expect("there");
    assert_eq!(close["payload_mac"], mac.as_str());
    assert_eq!(close["released"]["bytes"].as_u64(), Some(flowed.out.len() as u64));
}

#[test]
fn limits_and_lost_callers_are_block() {
    let place = Place::new(POLICY);
    let (text, header) = (PROSE.repeat(100), header("model", Some("text")));
    let of = |terms: Terms, window: bool| {
        place.with(|desk| {
            let mut flowing =
                Flowing::open(&desk.control, header.clone(), attested(), moment(), terms);
            for piece in text.as_bytes().chunks(500) {
                flowing.push(&desk.control, piece);
                assert!(flowing.held() as u64 <= terms.max_held);
                if window {
                    window_of(&mut flowing, desk);
                }
            }
            let ended = finish(flowing, desk);
            let decision = &ended.settled.judged.decision;
            assert!(ended.released.is_empty() || decision.effect == Effect::Allow);
            (decision.effect, decision.cause)
        })
    };
    let terms = Terms { max_payload: 1 << 20, max_held: 2_000, may_release_early: true };
    assert_eq!(of(terms, true), (Effect::Allow, Cause::Default));
    assert_eq!(of(terms, false), (Effect::Block, Cause::Limit));
    let whole = Terms { may_release_early: false, ..terms };
    assert_eq!(of(whole, true), (Effect::Block, Cause::Limit));
    let small = Terms { max_payload: 7_000, ..terms };
    assert_eq!(of(small, true), (Effect::Block, Cause::Limit));
    let close = place.entries().pop().expect("there");
    assert_eq!((&close["kind"], &close["cause"]), (&"stream_close".into(), &"limit".into()));
    assert_eq!(close["coverage"]["reasons"], serde_json::json!(["limit"]));
    let ended = place.with(|desk| {
        let mut flowing = open(desk, &header);
        flowing.push(&desk.control, text.as_bytes());
        abort(flowing, desk, Some(Cause::Deadline))
    });
    let decision = &ended.settled.judged.decision;
    assert_eq!((decision.effect, decision.cause), (Effect::Block, Cause::Deadline));
    assert_eq!(place.entries().pop().expect("there")["kind"], "decision");
}

#[test]
fn what_a_header_alone_blocks_is_not_read() {
    let place = Place::new(&POLICY.replace("anyone = true", "uid = [7]"));
    place.with(|desk| {
        let mut flowing = open(desk, &header("model", None));
        assert!(flowing.is_decided());
        flowing.push(&desk.control, PROSE.as_bytes());
        assert_eq!((flowing.bytes(), flowing.held()), (0, 0));
        let ended = abort(flowing, desk, None);
        assert_eq!(ended.settled.judged.decision.effect, Effect::Block);
    });
}

#[test]
fn another_policy_in_the_middle_is_block() {
    let (place, other) = (Place::new(POLICY), Place::new(&POLICY.replace("anna", "bert")));
    place.with(|desk| {
        let mut flowing = open(desk, &header("model", None));
        flowing.push(&desk.control, PROSE.as_bytes());
        other.with(|other| flowing.push(&other.control, PROSE.as_bytes()));
        assert_eq!(flowing.effect(), Effect::Block);
    });
}

#[test]
fn a_flow_moves_between_threads() {
    fn is_sent<T: Send + 'static>() {}
    is_sent::<Flowing>();
    is_sent::<Ended>();
}
