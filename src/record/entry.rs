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
use crate::model::{
    Attested, Band, CategoryIndex, Claimed, Effect, Finding, FlowHeader, Label, Unique,
};
use crate::policy::{Decision, Flow, Identity, Policy, Transform};
use crate::rules::RuleSet;

/// The most bytes of an entry: what a length prefix of 16 bits can say (C2SP tlog-tiles, entry
/// bundles).
pub const MAX_ENTRY: usize = 65_535;

/// The version of the entries that are written.
pub const VERSION: u32 = 1;

/// The most fingerprints of one category in an entry.
const MAX_FINGERPRINTS: usize = 64;

/// The most characters of a claim in an entry.
const MAX_CLAIM: usize = 256;

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
    /// When the payload came in.
    pub began: &'a Moment,
    /// Microseconds from then to the decision.
    pub latency_us: u64,
}

/// The entry of a decision.
pub fn decision(sequence: u64, decided: &Decided<'_>, macs: &Macs, clean: &Cleaner<'_>) -> Vec<u8> {
    let mut kept = MAX_FINGERPRINTS;
    loop {
        let bytes = encode(&decision_value(sequence, decided, macs, clean, kept));
        if bytes.len() <= MAX_ENTRY || kept == 0 {
            return bytes;
        }
        kept /= 2;
    }
}

/// An entry of another kind: `fields` beside sequence, kind and time.
pub fn event(sequence: u64, kind: &str, at: &Moment, fields: Map<String, Value>) -> Vec<u8> {
    let mut entry = begin(sequence, kind, at);
    entry.extend(fields);
    encode(&Value::Object(entry))
}

fn begin(sequence: u64, kind: &str, at: &Moment) -> Map<String, Value> {
    let mut entry = Map::new();
    entry.insert("v".to_owned(), json!(VERSION));
    entry.insert("sequence".to_owned(), json!(sequence));
    entry.insert("kind".to_owned(), json!(kind));
    entry.insert("time".to_owned(), at.shape());
    entry
}

/// A value of strings, numbers and maps with text keys is JSON, so this cannot fail.
fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn decision_value(
    sequence: u64,
    decided: &Decided<'_>,
    macs: &Macs,
    clean: &Cleaner<'_>,
    fingerprints: usize,
) -> Value {
    let Decided { policy, rules, header, flow, label, decision, .. } = *decided;
    let claim = |field: &str, text: &Option<Claimed>| {
        text.as_ref().map_or(Value::Null, |text| claim(field, text, macs, clean))
    };
    let mut entry = begin(sequence, "decision", decided.began);
    let mut put = |key: &str, value: Value| drop(entry.insert(key.to_owned(), value));
    put("trigger", claim("trigger", &header.trigger));
    let workflow = json!({
        "claimed": claim("workflow", &header.workflow),
        "registered": policy.workflow_of(flow).map(|workflow| &workflow.id),
        "bound": flow.identity == Identity::Bound,
    });
    put("workload", json!({"attested": decided.attested, "claimed": {"workflow": workflow}}));
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
    put("destination", destination(decided, macs, clean));
    put(
        "purpose",
        json!({"claimed": claim("purpose", &header.purpose), "listed": flow.purpose_listed}),
    );
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
    Value::Object(entry)
}

/// A claim: the text as the cleaner leaves it, and its MAC where that is not the whole text.
fn claim(field: &str, text: &Claimed, macs: &Macs, clean: &Cleaner<'_>) -> Value {
    let cleaned = clean(text.as_str());
    let shown: String = cleaned.chars().take(MAX_CLAIM).collect();
    if shown == text.as_str() {
        return json!({"claimed": shown});
    }
    let mac = macs.claim(field, text.as_str());
    json!({"claimed": shown, "mac": HEXLOWER.encode(&mac)})
}

/// Id, trust, scheme and host: never a path, a query or a user.
fn destination(decided: &Decided<'_>, macs: &Macs, clean: &Cleaner<'_>) -> Value {
    let Decided { policy, header, flow, .. } = *decided;
    let (scheme, host) = decided.destination;
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
    by_id(rules, transforms.map(|(index, transform): (_, Transform)| (index, json!(transform))))
}

fn by_id(rules: &RuleSet, entries: impl Iterator<Item = (CategoryIndex, Value)>) -> Value {
    let named = entries.map(|(index, value)| {
        let id = rules.category_id(index);
        let id = if id.is_empty() { format!("unknown.{}", index.0) } else { id.to_owned() };
        (id, value)
    });
    Value::Object(named.collect())
}
