//! Tests of payloads on their way whose ledger fails.

use std::sync::{Arc, mpsc};

use super::*;
use crate::engine::{Desk, Options, ScannedNames, Scanner};
use crate::model::{Channel, Executable, KernelName};
use crate::record::crash::failing;
use crate::record::pending::Pending;
use crate::record::{Ledger, Macs};
use crate::rules::RuleSet;

const PROSE: &str =
    "The river ran low that summer, and nobody minded; we sat and talked until dusk.\n";

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

fn moment() -> Moment {
    Moment { wall: 1_795_000_000_000_000_000, monotonic: 5, boot: "b".to_owned() }
}

/// What was handed out before anything failed, and whether the end was recorded.
fn flow(scanner: &Scanner, policy: &Policy, ledger: &Ledger) -> (u64, bool) {
    let folder = tempfile::tempdir().unwrap();
    let pending = Pending::open(folder.path()).unwrap();
    let (macs, names) = (Macs::new(1, [7; 32]), ScannedNames::new(scanner));
    let control = Control { scanner, policy, macs: &macs, names: &names };
    let random = |bytes: &mut [u8]| {
        bytes.fill(3);
        Ok(())
    };
    let clock = &moment;
    let desk = Desk { control, ledger, pending: &pending, vaults: None, clock, random: &random };
    let header = FlowHeader { channel: Some(Channel::Prompt), ..FlowHeader::default() };
    let terms = Terms { max_payload: 1 << 20, max_held: 1 << 20, may_release_early: true };
    let mut flowing = Flowing::open(&control, header, attested(), moment(), terms);
    let (mut out, mut failed) = (0, false);
    for piece in PROSE.repeat(100).as_bytes().chunks(900) {
        flowing.push(&control, piece);
        let (tell, told) = mpsc::channel();
        flowing.release_then(&desk, &moment(), move |bytes| tell.send(bytes).unwrap());
        match told.recv().unwrap() {
            Ok(bytes) if failed => assert!(bytes.is_empty(), "released after a failure"),
            Ok(bytes) => out += bytes.len() as u64,
            Err(_) => failed = true,
        }
        assert!(!failed || flowing.is_decided(), "a failure is block");
    }
    let (tell, told) = mpsc::channel();
    flowing.finish_then(&desk, move |ended| tell.send(ended).unwrap());
    let ended = told.recv().unwrap();
    if let Ok(ended) = &ended {
        assert!(!failed, "recorded after a failure");
        out += ended.released.len() as u64;
    }
    (out, ended.is_ok())
}

/// Whatever operation fails, nothing went out that a loss of power would leave unrecorded.
#[test]
fn nothing_goes_out_that_is_not_recorded() {
    let rules = Arc::new(RuleSet::builtin().unwrap());
    let policy = Policy::defaults(&rules.taxonomy).unwrap();
    let scanner = Scanner::new(rules, Options::default());
    let mut ends = [0, 0];
    for after in (1..60).chain([1000]) {
        let (ledger, durable) = failing(after);
        let (out, ended) = flow(&scanner, &policy, &ledger);
        drop(ledger);
        let entries = durable();
        let entries = entries.iter().map(|it| serde_json::from_slice(it).unwrap());
        let recorded = entries.filter_map(|entry: serde_json::Value| {
            entry.pointer("/to").or_else(|| entry.pointer("/released/bytes"))?.as_u64()
        });
        assert!(recorded.max().unwrap_or(0) >= out, "{out} bytes after {after} operations");
        ends[usize::from(ended)] += 1;
    }
    assert!(ends.iter().all(|it| *it > 0), "{ends:?}");
}
