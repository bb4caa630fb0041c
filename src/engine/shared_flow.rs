//! Many payloads go the way that one flow header describes: the files of an export, the lines of an
//! input. None of them can be changed on its way.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::control::inherit;
use crate::model::{
    Attested, Cause, Claimed, Coverage, Finding, FlowHeader, Inspected, Label, Outcome, Reason,
    Sensitivity, Summary,
};
use crate::policy::{Carrier, Decision, Flow, Policy, decide, describe};
use crate::record::{Cleaner, Decided, Macs, Moment, Ran, decision, run_summary};
use crate::respond::{NameCleaner, escape};
use crate::rules::RuleSet;

/// A flow that many payloads share. Redact is escalate: nothing here is rewritten.
pub struct SharedFlow<'a> {
    policy: &'a Policy,
    rules: &'a RuleSet,
    header: FlowHeader,
    attested: Attested,
    flow: Flow,
    /// When the run began, in seconds since 1970.
    now: u64,
}

/// A payload of the flow.
pub struct Taken<'a> {
    /// Where it came from, as it is called outside; none: what the header says.
    pub source: Option<Claimed>,
    /// What became of it.
    pub outcome: Outcome,
    /// What it holds; none where nothing was read.
    pub label: Option<&'a Label>,
    /// The findings, with fingerprints under the key of the epoch.
    pub findings: &'a [Finding],
    /// Findings past the cap.
    pub truncated: u64,
    /// What was read of it; none where nothing was.
    pub inspected: Option<Inspected>,
}

/// A run over payloads of the flow.
#[derive(Clone, Copy)]
pub struct RunTotals<'a> {
    /// The command that ran.
    pub command: &'a str,
    /// Sequence number of the first decision, where there is one.
    pub first: Option<u64>,
    /// Decisions from there on that are about this run.
    pub decisions: u64,
    /// What was seen and found.
    pub summary: &'a Summary,
}

impl<'a> SharedFlow<'a> {
    /// The flow that a header names. `sourced` says that each payload brings a source of its own.
    pub fn new(
        policy: &'a Policy,
        rules: &'a RuleSet,
        header: FlowHeader,
        attested: Attested,
        sourced: bool,
        now: u64,
    ) -> SharedFlow<'a> {
        let mut named = Cow::Borrowed(&header);
        if sourced && header.source.is_none() {
            // So that a workflow that asks for a source is content.
            named.to_mut().source = Some(Claimed::new("each its own"));
        }
        let flow = policy.resolve(&named, &attested, Carrier::Fixed);
        SharedFlow { policy, rules, header, attested, flow, now }
    }

    /// Decides a payload that holds this, and adds to the label what the header says that it
    /// carries. A header that names a category that does not exist is block, with cause error.
    pub fn decide(&self, label: &mut Label) -> Decision {
        if inherit(&self.header, self.rules, label) {
            decide(self.policy, label, &self.flow, &[], self.now)
        } else {
            self.failed()
        }
    }

    /// The decision over a payload that could not be read, or not to its end.
    pub fn failed(&self) -> Decision {
        Decision::failure(Cause::Error)
    }

    /// Why, for a person. Nothing that is claimed stands in it.
    pub fn reason(&self, decision: &Decision) -> String {
        self.policy.sentence(decision, &self.flow, &self.rules.taxonomy)
    }

    /// The entry of the decision over a payload, which is that of [`SharedFlow::decide`].
    pub fn entry(
        &self,
        sequence: u64,
        taken: &Taken<'_>,
        macs: &Macs,
        names: &dyn NameCleaner,
        at: &Moment,
    ) -> Vec<u8> {
        let mut header = Cow::Borrowed(&self.header);
        if taken.source.is_some() {
            header.to_mut().source.clone_from(&taken.source);
        }
        let mut label = taken.label.cloned().unwrap_or_else(|| Label {
            categories: BTreeMap::new(),
            possible: BTreeMap::new(),
            sensitivity: Sensitivity::Public,
            coverage: Coverage::partial(Reason::Error),
            lineage: BTreeSet::new(),
        });
        let decided = self.decide(&mut label);
        let decided = if taken.outcome == Outcome::Failed { self.failed() } else { decided };
        let mut flow = self.flow.clone();
        let (bytes, mac) = taken.inspected.map_or((0, macs.payload(b"")), |it| (it.bytes, it.mac));
        (flow.bytes, flow.payload) = (bytes, mac);
        let shape = self.header.destination.as_ref().map(|it| describe(it.as_str()));
        let shape = shape.unwrap_or_default();
        let decided = Decided {
            policy: self.policy,
            rules: self.rules,
            header: &header,
            destination: (&shape.scheme, &shape.host),
            attested: &self.attested,
            flow: &flow,
            label: &label,
            findings: taken.findings,
            truncated: taken.truncated,
            decision: &decided,
            reason: &self.reason(&decided),
            // Whoever has the file can send it; nothing of it goes through here.
            released: None,
            escalation: None,
            grant: None,
            approvers: &[],
            at,
            latency_us: taken.inspected.map_or(0, |it| it.latency_us),
        };
        decision(sequence, &decided, macs, &*cleaner(names))
    }

    /// The entry over a whole run.
    pub fn summary(
        &self,
        sequence: u64,
        run: &RunTotals<'_>,
        macs: &Macs,
        names: &dyn NameCleaner,
        at: &Moment,
    ) -> Vec<u8> {
        let shape = self.header.destination.as_ref().map(|it| describe(it.as_str()));
        let shape = shape.unwrap_or_default();
        let ran = Ran {
            policy: self.policy,
            rules: self.rules,
            header: &self.header,
            destination: (&shape.scheme, &shape.host),
            attested: &self.attested,
            flow: &self.flow,
            command: run.command,
            first: run.first,
            decisions: run.decisions,
            summary: run.summary,
            at,
        };
        run_summary(sequence, &ran, macs, &*cleaner(names))
    }
}

fn cleaner<'n>(names: &'n dyn NameCleaner) -> Box<Cleaner<'n>> {
    Box::new(|text: &str| escape(&names.clean(text)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::engine::{Options, ScannedNames, Scanner};
    use crate::model::{Channel, Effect, Executable, KernelName};

    fn attested() -> Attested {
        Attested {
            uid: 1000,
            gid: 100,
            groups: BTreeSet::new(),
            pid: 42,
            start_time: 7,
            cgroup: KernelName::read(b"/"),
            unit: None,
            executable: Executable::Unavailable("test"),
            token_of: None,
            self_attested: true,
        }
    }

    fn with<T>(header: FlowHeader, work: impl FnOnce(&SharedFlow<'_>, &Scanner) -> T) -> T {
        let rules = Arc::new(RuleSet::builtin().expect("the built-in rules load"));
        let policy = Policy::defaults(&rules.taxonomy).expect("defaults");
        let scanner = Scanner::new(Arc::clone(&rules), Options::default());
        let flow = SharedFlow::new(&policy, &rules, header, attested(), true, 1_795_000_000);
        work(&flow, &scanner)
    }

    fn header(labels: &[&str]) -> FlowHeader {
        FlowHeader {
            channel: Some(Channel::Export),
            source: Some(Claimed::new("the crm")),
            labels: labels.iter().map(|label| Claimed::new(*label)).collect(),
            ..FlowHeader::default()
        }
    }

    #[test]
    fn an_entry_says_what_was_decided_and_names_its_own_source() {
        with(header(&["nat.us_ssn"]), |flow, scanner| {
            let mut label = scanner.scan(b"nothing").label;
            let decision = flow.decide(&mut label);
            assert_eq!(decision.effect, Effect::Block);
            let index = scanner.rules().taxonomy.find("nat.us_ssn").expect("a category");
            assert_eq!(label.lineage, BTreeSet::from([index]));
            let (macs, names) = (Macs::new(1, [1; 32]), ScannedNames::new(scanner));
            let at = Moment { wall: 0, monotonic: 0, boot: String::new() };
            let taken = Taken {
                source: Some(Claimed::new("export/ssn 574-22-8190.txt")),
                outcome: Outcome::Scanned,
                label: Some(&label),
                findings: &[],
                truncated: 0,
                inspected: Some(Inspected {
                    bytes: 7,
                    mac: macs.payload(b"nothing"),
                    latency_us: 3,
                }),
            };
            let entry = |taken: &Taken<'_>| -> Value {
                let bytes = flow.entry(5, taken, &macs, &names, &at);
                serde_json::from_slice(&bytes).expect("JSON")
            };
            let scanned = entry(&taken);
            assert_eq!((&scanned["sequence"], &scanned["effect"]), (&json!(5), &json!("block")));
            assert_eq!(scanned["source"]["claimed"], "export/ssn ***********.txt");
            assert_eq!(scanned["lineage"], json!(["nat.us_ssn"]));
            assert_eq!(scanned["reason"], flow.reason(&decision));

            // What could not be read is block for that, whatever is known of it.
            let failed = Taken { outcome: Outcome::Failed, ..taken };
            let unread = Taken { label: None, inspected: None, source: None, ..failed };
            let (failed, unread) = (entry(&failed), entry(&unread));
            assert_eq!((&failed["cause"], &failed["bytes"]), (&json!("error"), &json!(7)));
            assert_eq!((&unread["effect"], &unread["bytes"]), (&json!("block"), &json!(0)));
            assert_eq!(unread["coverage"]["reasons"], json!(["error"]));
            assert_eq!(unread["source"]["claimed"], "the crm");
        });
    }

    #[test]
    fn it_decides_as_control_does_of_one_payload() {
        use crate::engine::{Arriving, Control};
        use crate::respond::{NoTokens, Tokens};
        for labels in [&[][..], &["pii.email"], &["no.such"]] {
            with(header(labels), |flow, scanner| {
                let (macs, names) = (Macs::new(1, [1; 32]), ScannedNames::new(scanner));
                let control = Control { scanner, policy: flow.policy, macs: &macs, names: &names };
                let began = Moment { wall: 0, monotonic: 0, boot: String::new() };
                for payload in [&b"nothing"[..], b"ssn 574-22-8190", b"\x89PNG\r\n\x1a\n0000"] {
                    let arriving = Arriving {
                        header: header(labels),
                        attested: attested(),
                        carrier: Carrier::Fixed,
                        payload,
                        failed: None,
                        began: began.clone(),
                        classified: None,
                        stands_for: None,
                        excepted: Default::default(),
                    };
                    let mut tokens = |_: &Flow| -> Box<dyn Tokens> { Box::new(NoTokens) };
                    let judged = control.judge(&arriving, &[], &mut tokens);
                    let mut label = scanner.scan(payload).label;
                    assert_eq!(flow.decide(&mut label), judged.decision);
                    assert_eq!(label, judged.classified.label);
                }
            });
        }
    }

    #[test]
    fn a_category_that_does_not_exist_is_block() {
        with(header(&["no.such"]), |flow, scanner| {
            let decision = flow.decide(&mut scanner.scan(b"nothing").label);
            assert_eq!((decision.effect, decision.cause), (Effect::Block, Cause::Error));
        });
    }
}
