//! What an entry of the ledger says, as UTF-8 JSON.
//!
//! Every text of a flow header goes through a cleaner first, and of what the cleaner masked a
//! keyed MAC stands beside it, so that a question about a known text can still be answered. What
//! is claimed stands under `claimed`, what the kernel attests under `attested`. An entry has at
//! most [`MAX_ENTRY`] bytes: what does not fit is left out, counted and said.

use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Macs;
use super::frame::MAX_ENTRY;
use crate::model::{
    Attested, Band, CategoryIndex, Claimed, Effect, Finding, FlowHeader, Label, Summary, Unique,
};
use crate::policy::{Decision, Flow, Identity, Policy};
use crate::rules::RuleSet;

/// The version of the entries that are written.
pub const VERSION: u32 = 1;

/// The most fingerprints of one category in an entry.
const MAX_FINGERPRINTS: usize = 64;

/// The most characters of a path that the kernel gives.
const MAX_NAME: usize = 4096;

/// The most characters of a claim in an entry.
const MAX_CLAIM: usize = 256;

/// Bytes of the longest claim that has no MAC beside it, so that it can be cut later.
const MAX_PLAIN: usize = 64;

/// The most parents in an entry.
const MAX_PARENTS: usize = 32;

/// A point in time, by three clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds since 1970 by the wall clock.
    pub wall: u64,
    /// Nanoseconds since the machine started, suspended time included.
    pub monotonic: u64,
    /// What the kernel calls this run of the machine.
    pub boot: String,
}

impl Moment {
    /// Whole seconds since 1970.
    pub fn seconds(&self) -> u64 {
        self.wall / 1_000_000_000
    }

    /// The wall clock as RFC 3339 in UTC, with nanoseconds.
    pub fn rfc3339(&self) -> String {
        rfc3339(self.wall)
    }

    /// The shape that every entry has under `time`.
    pub fn shape(&self) -> Value {
        json!({"wall": self.rfc3339(), "monotonic_ns": self.monotonic, "boot": self.boot})
    }
}

/// Nanoseconds since 1970 as RFC 3339 in UTC.
pub fn rfc3339(wall: u64) -> String {
    let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(wall);
    humantime::format_rfc3339_nanos(at).to_string()
}

/// Makes texts from outside fit for an entry.
pub type Cleaner<'a> = dyn Fn(&str) -> String + 'a;

/// What is known of a decided flow.
#[derive(Clone, Copy)]
pub struct Decided<'a> {
    /// The policy that decided.
    pub policy: &'a Policy,
    /// The rules that found.
    pub rules: &'a RuleSet,
    /// What the caller claims.
    pub header: &'a FlowHeader,
    /// Scheme and host of the destination that it claims, as far as they are known.
    pub destination: (&'a str, &'a str),
    /// What the kernel attests.
    pub attested: &'a Attested,
    /// The flow, resolved.
    pub flow: &'a Flow,
    /// What the payload holds.
    pub label: &'a Label,
    /// The findings, with fingerprints under the key of the epoch.
    pub findings: &'a [Finding],
    /// Findings past the cap.
    pub truncated: u64,
    /// What was decided.
    pub decision: &'a Decision,
    /// Why, for a person. Holds nothing that was claimed.
    pub reason: &'a str,
    /// Bytes and MAC of what is released, where anything is.
    pub released: Option<(u64, [u8; 32])>,
    /// Id of the escalation that waits for a person.
    pub escalation: Option<&'a str>,
    /// Id of the grant that was used.
    pub grant: Option<&'a str>,
    /// Ids of those who approved it.
    pub approvers: &'a [String],
    /// When it was decided.
    pub at: &'a Moment,
    /// Microseconds from the arrival of the payload to then.
    pub latency_us: u64,
}

/// The entry of a decision.
pub fn decision(sequence: u64, decided: &Decided<'_>, macs: &Macs, clean: &Cleaner<'_>) -> Vec<u8> {
    decision_of("decision", Map::new(), sequence, decided, macs, clean)
}

/// The entry of a decision, of this kind and with these fields beside its own.
pub(super) fn decision_of(
    kind: &str,
    more: Map<String, Value>,
    sequence: u64,
    decided: &Decided<'_>,
    macs: &Macs,
    clean: &Cleaner<'_>,
) -> Vec<u8> {
    let mut kept = MAX_FINGERPRINTS;
    loop {
        let mut entry = begin(sequence, kind, decided.at);
        entry.extend(more.clone());
        entry.extend(decision_fields(decided, macs, clean, kept));
        let mut value = Value::Object(entry);
        let bytes = encode(&value);
        if bytes.len() <= MAX_ENTRY {
            return bytes;
        }
        if kept == 0 {
            summarise(&mut value);
            return encode(&value);
        }
        kept /= 2;
    }
}

/// What is known of a run over many payloads.
#[derive(Clone, Copy)]
pub struct Ran<'a> {
    /// The policy that decided.
    pub policy: &'a Policy,
    /// The rules that found.
    pub rules: &'a RuleSet,
    /// What the caller claims.
    pub header: &'a FlowHeader,
    /// Scheme and host of the destination that it claims, as far as they are known.
    pub destination: (&'a str, &'a str),
    /// What the kernel attests.
    pub attested: &'a Attested,
    /// The flow that all payloads share, resolved.
    pub flow: &'a Flow,
    /// The command that ran.
    pub command: &'a str,
    /// Sequence number of the first decision, where there is one.
    pub first: Option<u64>,
    /// Decisions from there on that are about this run.
    pub decisions: u64,
    /// What was seen and found.
    pub summary: &'a Summary,
    /// When it ended.
    pub at: &'a Moment,
}

/// The entry over a run, of kind `scan_summary`.
pub fn run_summary(sequence: u64, ran: &Ran<'_>, macs: &Macs, clean: &Cleaner<'_>) -> Vec<u8> {
    let Ran { policy, rules, header, flow, summary, .. } = *ran;
    let mut entry = begin(sequence, "scan_summary", ran.at);
    entry.extend(asked(policy, flow, header, ran.attested, macs, clean));
    let mut put = |key: &str, value: Value| drop(entry.insert(key.to_owned(), value));
    put("destination", destination(policy, flow, header, ran.destination, macs, clean));
    put("command", json!(ran.command));
    put("first", json!(ran.first));
    put("decisions", json!(ran.decisions));
    for (name, tally) in [
        ("seen", summary.seen),
        ("scanned", summary.scanned),
        ("partial", summary.partial),
        ("skipped", summary.skipped),
        ("failed", summary.failed),
    ] {
        put(name, json!({"files": tally.files, "bytes": tally.bytes}));
    }
    put("files_with_findings", json!(summary.files_with_findings));
    put("findings", by_id(rules, summary.findings.iter().map(|(at, n)| (*at, json!(n)))));
    put("possible", by_id(rules, summary.possible.iter().map(|(at, n)| (*at, json!(n)))));
    put("truncated", json!(summary.truncated));
    put("interrupted", json!(summary.interrupted));
    put("highest_effect", json!(summary.effect));
    put("elapsed_ms", json!(summary.elapsed_ms));
    put("mac_epoch", json!(macs.epoch()));
    put("rule_digest", json!(HEXLOWER.encode(&rules.digest)));
    put("policy_digest", json!(HEXLOWER.encode(&policy.digest())));
    put("engine_version", json!(env!("CARGO_PKG_VERSION")));
    let mut value = Value::Object(entry);
    let bytes = encode(&value);
    if bytes.len() <= MAX_ENTRY {
        return bytes;
    }
    summarise(&mut value);
    encode(&value)
}

/// Leaves out, with their number, the parts of an entry that have no bound of their own or that a
/// caller can make long: an entry that is too long would be no entry.
pub(super) fn summarise(entry: &mut Value) {
    let mut count = |path: &str| {
        let Some(part) = entry.pointer_mut(path) else { return };
        let entries = match part {
            Value::Array(entries) => entries.len(),
            Value::Object(entries) => entries.len(),
            _ => return,
        };
        *part = json!({"omitted": entries});
    };
    count("/shadows");
    count("/parents");
    count("/possible");
    count("/workload/attested/groups");
    for field in ["trigger", "agent", "run", "step", "tool", "source"] {
        if let Some(Value::String(text)) = entry.pointer_mut(&format!("/{field}/claimed")) {
            *text = text.chars().take(32).collect();
        }
    }
}

/// An entry of another kind: `fields` beside sequence, kind and time.
pub fn event(sequence: u64, kind: &str, at: &Moment, fields: Map<String, Value>) -> Vec<u8> {
    let mut entry = begin(sequence, kind, at);
    entry.extend(fields);
    encode(&Value::Object(entry))
}

pub(super) fn begin(sequence: u64, kind: &str, at: &Moment) -> Map<String, Value> {
    let mut entry = Map::new();
    entry.insert("v".to_owned(), json!(VERSION));
    entry.insert("sequence".to_owned(), json!(sequence));
    entry.insert("kind".to_owned(), json!(kind));
    entry.insert("time".to_owned(), at.shape());
    entry
}

/// A value of strings, numbers and maps with text keys is JSON, so this cannot fail.
pub(super) fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn decision_fields(
    decided: &Decided<'_>,
    macs: &Macs,
    clean: &Cleaner<'_>,
    fingerprints: usize,
) -> Map<String, Value> {
    let Decided { policy, rules, header, flow, label, decision, .. } = *decided;
    let mut entry = asked(policy, flow, header, decided.attested, macs, clean);
    let mut put = |key: &str, value: Value| drop(entry.insert(key.to_owned(), value));
    put("destination", destination(policy, flow, header, decided.destination, macs, clean));
    put("bytes", json!(flow.bytes));
    put("payload_mac", json!(HEXLOWER.encode(&flow.payload)));
    put("mac_epoch", json!(macs.epoch()));
    put("categories", categories(decided, fingerprints));
    put("possible", by_id(rules, label.possible.iter().map(|(index, n)| (*index, json!(n)))));
    put("sensitivity", json!(label.sensitivity));
    put("coverage", json!(label.coverage));
    let lineage: Vec<&str> = label.lineage.iter().map(|it| rules.category_id(*it)).collect();
    put("lineage", json!(lineage));
    if decided.truncated > 0 {
        put("truncated", json!(decided.truncated));
    }
    put("rule_digest", json!(HEXLOWER.encode(&rules.digest)));
    put("policy_digest", json!(HEXLOWER.encode(&policy.digest())));
    put("engine_version", json!(env!("CARGO_PKG_VERSION")));
    put("effect", json!(decision.effect));
    put("cause", json!(decision.cause));
    let determining = decision.determining();
    let ids: Vec<&str> = determining.iter().map(|item| item.from.id(policy)).collect();
    put("determining", json!(ids));
    put("reason", json!(decided.reason));
    put("obligations", obligations(decision, rules));
    let shadows = decision.shadows.iter().filter_map(|(at, effect)| {
        policy.rules().get(*at).map(|rule| json!({"rule": rule.id, "effect": effect}))
    });
    put("shadows", json!(shadows.collect::<Vec<_>>()));
    put("grant", json!(decided.grant));
    put("approver", json!(decided.approvers));
    put("escalation", json!(decided.escalation));
    put(
        "released",
        decided.released.map_or(
            Value::Null,
            |(bytes, mac)| json!({"bytes": bytes, "mac": HEXLOWER.encode(&mac)}),
        ),
    );
    put("latency_us", json!(decided.latency_us));
    entry
}

/// Who asked for what: all that the header claims but the destination, and what the kernel attests.
pub(super) fn asked(
    policy: &Policy,
    flow: &Flow,
    header: &FlowHeader,
    attested: &Attested,
    macs: &Macs,
    clean: &Cleaner<'_>,
) -> Map<String, Value> {
    let claim = |field: &str, text: &Option<Claimed>| {
        text.as_ref().map_or(Value::Null, |text| claim(field, text, macs, clean))
    };
    let mut entry = Map::new();
    let mut put = |key: &str, value: Value| drop(entry.insert(key.to_owned(), value));
    put("trigger", claim("trigger", &header.trigger));
    let workflow = with(
        claim("workflow", &header.workflow),
        [
            ("registered", json!(policy.workflow_of(flow).map(|workflow| &workflow.id))),
            ("bound", json!(flow.identity == Identity::Bound)),
        ],
    );
    put(
        "workload",
        json!({"attested": attested_shape(attested, clean), "claimed": {"workflow": workflow}}),
    );
    for (field, text) in [
        ("agent", &header.agent),
        ("run", &header.run),
        ("step", &header.step),
        ("tool", &header.tool),
        ("source", &header.source),
    ] {
        put(field, claim(field, text));
    }
    let parents = header.parents.iter().take(MAX_PARENTS);
    let parents: Vec<Value> =
        parents.map(|parent| self::claim("parents", parent, macs, clean)).collect();
    put("parents", json!(parents));
    if header.parents.len() > MAX_PARENTS {
        put("parents_omitted", json!(header.parents.len() - MAX_PARENTS));
    }
    put("channel", json!(flow.channel));
    let listed = json!(flow.purpose_listed);
    put("purpose", with(claim("purpose", &header.purpose), [("listed", listed)]));
    entry
}

/// What the kernel attests. Who starts a program names it, so that names are cleaned as claims are.
fn attested_shape(attested: &Attested, clean: &Cleaner<'_>) -> Value {
    let mut shape = json!(attested);
    for name in ["/cgroup", "/unit", "/executable/known/path"] {
        if let Some(Value::String(text)) = shape.pointer_mut(name) {
            *text = clean(text).chars().take(MAX_NAME).collect();
        }
    }
    shape
}

/// A claim, or nothing, with more that is known of it.
fn with<const N: usize>(claim: Value, more: [(&str, Value); N]) -> Value {
    let mut fields = match claim {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(fields)
}

/// A claim: the text as the cleaner leaves it, and its MAC where that is not the whole text.
pub(super) fn claim(field: &str, text: &Claimed, macs: &Macs, clean: &Cleaner<'_>) -> Value {
    let cleaned = clean(text.as_str());
    let long = text.as_str().len() > MAX_PLAIN;
    let shown: String = cleaned.chars().take(MAX_CLAIM).collect();
    if shown == text.as_str() && !long {
        return json!({"claimed": shown});
    }
    let mac = macs.claim(field, text.as_str());
    json!({"claimed": shown, "mac": HEXLOWER.encode(&mac)})
}

/// Id, trust, scheme and host: never a path, a query or a user.
pub(super) fn destination(
    policy: &Policy,
    flow: &Flow,
    header: &FlowHeader,
    (scheme, host): (&str, &str),
    macs: &Macs,
    clean: &Cleaner<'_>,
) -> Value {
    let mac = header.destination.as_ref().map(|text| macs.claim("destination", text.as_str()));
    json!({
        "id": policy.destination_of(flow).map(|destination| &destination.id),
        "trust": policy.trust_of(flow),
        "scheme": Some(scheme).filter(|it| !it.is_empty()).map(clean),
        "host": Some(host).filter(|it| !it.is_empty()).map(clean),
        "mac": mac.map(|mac| HEXLOWER.encode(&mac)),
    })
}

fn categories(decided: &Decided<'_>, fingerprints: usize) -> Value {
    let Decided { rules, label, findings, .. } = *decided;
    let shape = |category: &CategoryIndex, count: &crate::model::CategoryCount| {
        let of = findings
            .iter()
            .filter(|it| it.category == *category && it.likelihood.band() >= Band::Likely);
        let mut values: Vec<String> =
            of.filter_map(|it| it.fingerprint).map(|it| it.to_string()).collect();
        values.sort_unstable();
        values.dedup();
        let omitted = values.len().saturating_sub(fingerprints);
        values.truncate(fingerprints);
        let (unique, at_least) = match count.unique {
            Unique::Exact(unique) => (unique, false),
            Unique::AtLeast(unique) => (unique, true),
        };
        let mut shape = json!({
            "count": count.count,
            "unique": unique,
            "max_likelihood": count.max_likelihood,
            "fingerprints": values,
        });
        if let Some(shape) = shape.as_object_mut() {
            if at_least {
                shape.insert("unique_at_least".to_owned(), json!(true));
            }
            if omitted > 0 {
                shape.insert("fingerprints_omitted".to_owned(), json!(omitted));
            }
        }
        shape
    };
    by_id(rules, label.categories.iter().map(|(index, count)| (*index, shape(index, count))))
}

fn obligations(decision: &Decision, rules: &RuleSet) -> Value {
    let redacted = decision.effect == Effect::Redact;
    let transforms = decision.transforms().filter(|_| redacted);
    by_id(rules, transforms.map(|(index, transform, _)| (index, json!(transform))))
}

fn by_id(rules: &RuleSet, entries: impl Iterator<Item = (CategoryIndex, Value)>) -> Value {
    let named = entries.map(|(index, value)| {
        let id = rules.category_id(index);
        let id = if id.is_empty() { format!("unknown.{}", index.0) } else { id.to_owned() };
        (id, value)
    });
    Value::Object(named.collect())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::{
        CategoryCount, Channel, Coverage, Evidence, Executable, Fingerprint, KernelName,
        Likelihood, RuleIndex, Sensitivity, Span,
    };
    use crate::policy::{Carrier, decide};

    fn attested() -> Attested {
        Attested {
            uid: 1000,
            gid: 100,
            groups: BTreeSet::from([100, 27]),
            pid: 42,
            start_time: 7,
            cgroup: KernelName::read(b"/system.slice/a.service"),
            unit: None,
            executable: Executable::Unavailable("test"),
            token_of: None,
            self_attested: true,
        }
    }

    fn moment() -> Moment {
        Moment { wall: 1_795_000_000_123_456_789, monotonic: 5, boot: "b".to_owned() }
    }

    /// The entry of a flow with these findings of each of so many categories.
    fn entry(header: &FlowHeader, categories: u16, values: u16, clean: &Cleaner<'_>) -> Vec<u8> {
        let rules = RuleSet::builtin().expect("the built-in rules load");
        let policy = Policy::defaults(&rules.taxonomy).expect("defaults");
        let attested = attested();
        let flow = policy.resolve(header, &attested, Carrier::Rewritable);
        let count = CategoryCount {
            count: u64::from(values),
            unique: Unique::AtLeast(1024),
            max_likelihood: Likelihood::new(90),
        };
        let label = Label {
            categories: (0..categories).map(|at| (CategoryIndex(at), count)).collect(),
            possible: BTreeMap::new(),
            sensitivity: Sensitivity::Restricted,
            coverage: Coverage::complete(),
            lineage: BTreeSet::from([CategoryIndex(1)]),
        };
        let finding = |category: u16, value: u16| {
            let mut fingerprint = [0; 16];
            fingerprint[..2].copy_from_slice(&value.to_le_bytes());
            Finding {
                rule: RuleIndex(0),
                category: CategoryIndex(category),
                span: Span { start: 0, end: 1 },
                chars: None,
                line: 1,
                column: 1,
                likelihood: Likelihood::new(90),
                evidence: Evidence::default(),
                place: None,
                masked: "***".into(),
                fingerprint: Some(Fingerprint(fingerprint)),
                context_hash: 0,
            }
        };
        let findings: Vec<Finding> = (0..categories)
            .flat_map(|category| (0..values).map(move |value| finding(category, value)))
            .collect();
        let decided = decide(&policy, &label, &flow, &[], 0);
        let (at, macs) = (moment(), Macs::new(3, [1; 32]));
        let decided = Decided {
            policy: &policy,
            rules: &rules,
            header,
            destination: ("https", "example.com"),
            attested: &attested,
            flow: &flow,
            label: &label,
            findings: &findings,
            truncated: 0,
            decision: &decided,
            reason: "because",
            released: None,
            escalation: None,
            grant: None,
            approvers: &[],
            at: &at,
            latency_us: 12,
        };
        decision(9, &decided, &macs, clean)
    }

    #[test]
    fn a_decision_says_who_what_and_why() {
        let header = FlowHeader {
            channel: Some(Channel::Prompt),
            trigger: Some(Claimed::new("anna")),
            source: Some(Claimed::new("secret value")),
            destination: Some(Claimed::new("https://example.com/private?x=1")),
            ..FlowHeader::default()
        };
        let clean = |text: &str| text.replace("secret value", "************");
        let entry: Value = serde_json::from_slice(&entry(&header, 2, 3, &clean)).expect("JSON");
        let at = |path: &str| entry.pointer(path).cloned().unwrap_or(Value::Null);
        assert_eq!(at("/v"), 1);
        assert_eq!(at("/sequence"), 9);
        assert_eq!(at("/time/wall"), "2026-11-18T11:06:40.123456789Z");
        assert_eq!(at("/trigger"), json!({"claimed": "anna"}));
        assert_eq!(at("/source/claimed"), "************");
        assert_eq!(at("/source/mac").as_str().map(str::len), Some(64));
        assert_eq!(at("/workload/attested/uid"), 1000);
        assert_eq!(at("/workload/attested/self_attested"), true);
        assert_eq!(at("/workload/attested/executable"), json!({"unavailable": "test"}));
        assert_eq!(at("/destination/host"), "example.com");
        assert_eq!(at("/destination/trust"), "unknown");
        assert_eq!((at("/effect"), at("/cause")), (json!("block"), json!("default")));
        assert!(!entry.to_string().contains("private"));
        let first = at("/categories").as_object().and_then(|all| all.values().next().cloned());
        let first = first.expect("two categories");
        assert_eq!(first["count"], 3);
        assert_eq!(first["fingerprints"].as_array().map(Vec::len), Some(3));
        assert_eq!(first["unique_at_least"], true);
    }

    #[test]
    fn the_largest_entry_fits_and_says_what_it_leaves_out() {
        let long = || Some(Claimed::new("\u{1F512}".repeat(512)));
        let header = FlowHeader {
            run: long(),
            step: long(),
            parents: (0..256).map(|at| Claimed::new(format!("{at:02000}"))).collect(),
            workflow: long(),
            channel: Some(Channel::Export),
            trigger: long(),
            agent: long(),
            tool: long(),
            source: long(),
            destination: long(),
            purpose: long(),
            ..FlowHeader::default()
        };
        let entry = entry(&header, 210, 100, &|text| text.to_owned());
        assert!(entry.len() <= MAX_ENTRY, "{} bytes", entry.len());
        let entry: Value = serde_json::from_slice(&entry).expect("JSON");
        assert_eq!(entry["parents_omitted"], 224);
        let omitted = entry.pointer("/categories/pci.pan/fingerprints_omitted");
        assert!(omitted.and_then(Value::as_u64).is_some_and(|omitted| omitted > 36));
    }

    #[test]
    fn what_no_cut_of_fingerprints_makes_short_enough_is_summarised() {
        let groups: Vec<u32> = (0..20_000).collect();
        let text = "x".repeat(256);
        let mut entry = json!({
            "workload": {"attested": {"groups": groups}}, "shadows": [{"rule": "a"}],
            "run": {"claimed": text, "mac": "aa"}, "parents": [1, 2], "kind": "decision",
        });
        summarise(&mut entry);
        assert_eq!(entry["workload"]["attested"]["groups"], json!({"omitted": 20_000}));
        assert_eq!(
            (&entry["shadows"], &entry["parents"]),
            (&json!({"omitted": 1}), &json!({"omitted": 2}))
        );
        assert_eq!(entry["run"]["claimed"].as_str().map(str::len), Some(32));
    }

    #[test]
    fn the_largest_summary_of_a_run_fits() {
        let rules = RuleSet::builtin().expect("the built-in rules load");
        let policy = Policy::defaults(&rules.taxonomy).expect("defaults");
        let attested = Attested { groups: (0..65_536).collect(), ..attested() };
        let header = FlowHeader {
            parents: (0..256).map(|at| Claimed::new(format!("{at:02000}"))).collect(),
            run: Some(Claimed::new("\u{1F512}".repeat(512))),
            ..FlowHeader::default()
        };
        let counts: BTreeMap<_, _> = (0..210).map(|at| (CategoryIndex(at), u64::MAX)).collect();
        let summary = Summary { findings: counts.clone(), possible: counts, ..Summary::default() };
        let at = moment();
        let ran = Ran {
            policy: &policy,
            rules: &rules,
            header: &header,
            destination: ("https", "example.com"),
            attested: &attested,
            flow: &policy.resolve(&header, &attested, Carrier::Fixed),
            command: "scan",
            first: Some(1),
            decisions: 2,
            summary: &summary,
            at: &at,
        };
        let entry = run_summary(9, &ran, &Macs::new(3, [1; 32]), &|text| text.to_owned());
        assert!(entry.len() <= MAX_ENTRY, "{} bytes", entry.len());
        let entry: Value = serde_json::from_slice(&entry).expect("JSON");
        assert_eq!((&entry["kind"], &entry["decisions"]), (&json!("scan_summary"), &json!(2)));
        assert_eq!(entry.pointer("/workload/attested/groups/omitted"), Some(&json!(65_536)));
    }
}
