//! Entries of the ledger come in, those that answer a question come out.
//!
//! A filter is a conjunction; an entry of a kind that lacks what is asked for does not match.
//! Fields that this version does not know are kept and ignored. A text of a flow header that was
//! masked when it was recorded is compared by its keyed MAC.

use std::time::Duration;

use data_encoding::HEXLOWER;
use serde_json::Value;

use super::Macs;
use crate::model::Effect;

/// What is asked for; nothing asked for matches every entry.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The kind of the entry.
    pub kind: Option<String>,
    /// Who caused the flow, as the header claims.
    pub trigger: Option<String>,
    /// User id that executed the flow, as the kernel attests.
    pub uid: Option<u32>,
    /// systemd unit or executable path that executed the flow, as the kernel attests.
    pub workload: Option<String>,
    /// Registered workflow.
    pub workflow: Option<String>,
    /// The run, as the header claims.
    pub run: Option<String>,
    /// The agent, as the header claims.
    pub agent: Option<String>,
    /// The tool, as the header claims.
    pub tool: Option<String>,
    /// Category that was found or inherited.
    pub category: Option<String>,
    /// Class of a category that was found or inherited.
    pub class: Option<String>,
    /// Id or host of the destination.
    pub destination: Option<String>,
    /// The effect.
    pub effect: Option<Effect>,
    /// From this time on, RFC 3339 in UTC with nanoseconds, as entries hold it.
    pub since: Option<String>,
    /// Before this time.
    pub until: Option<String>,
    /// Somebody who approved.
    pub approver: Option<String>,
    /// Payloads that were not wholly inspected.
    pub partial: bool,
    /// The escalation that an entry is about.
    pub escalation: Option<String>,
    /// MAC of the payload, in hex digits.
    pub payload: Option<String>,
}

impl Filter {
    /// Whether an entry answers. `macs` are those of the epochs whose keys are still there.
    pub fn matches(&self, entry: &Value, macs: &[Macs]) -> bool {
        let text = |path: &str, wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|wanted| text_at(entry, path) == Some(wanted))
        };
        let claimed = |field: &str, wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|wanted| is_claimed(entry, field, wanted, macs))
        };
        let time = text_at(entry, "/time/wall").unwrap_or("");
        text("/kind", &self.kind)
            && claimed("trigger", &self.trigger)
            && claimed("run", &self.run)
            && claimed("agent", &self.agent)
            && claimed("tool", &self.tool)
            && text("/workload/claimed/workflow/registered", &self.workflow)
            && self.uid.is_none_or(|uid| {
                let at = entry.pointer("/workload/attested/uid").and_then(Value::as_u64);
                at == Some(u64::from(uid))
            })
            && self.workload.as_deref().is_none_or(|wanted| {
                ["/workload/attested/unit", "/workload/attested/executable/known/path"]
                    .into_iter()
                    .any(|path| text_at(entry, path) == Some(wanted))
            })
            && self
                .category
                .as_deref()
                .is_none_or(|wanted| categories(entry).any(|category| category == wanted))
            && self.class.as_deref().is_none_or(|wanted| {
                categories(entry).any(|category| category.split('.').next() == Some(wanted))
            })
            && self.destination.as_deref().is_none_or(|wanted| {
                ["/destination/id", "/destination/host"]
                    .into_iter()
                    .any(|path| text_at(entry, path) == Some(wanted))
            })
            && self.effect.is_none_or(|effect| text_at(entry, "/effect") == Some(effect.as_str()))
            && self.since.as_deref().is_none_or(|since| time >= since)
            && self.until.as_deref().is_none_or(|until| !time.is_empty() && time < until)
            && self
                .approver
                .as_deref()
                .is_none_or(|wanted| approvers(entry).any(|approver| approver == wanted))
            && (!self.partial || text_at(entry, "/coverage/state") == Some("partial"))
            && text("/escalation", &self.escalation)
            && text("/payload_mac", &self.payload)
    }
}

/// The text at a JSON pointer (RFC 6901).
pub fn text_at<'e>(entry: &'e Value, path: &str) -> Option<&'e str> {
    entry.pointer(path).and_then(Value::as_str)
}

/// Whether an entry is of a decision: of a payload, or of one that was released in parts.
pub fn is_decision(entry: &Value) -> bool {
    matches!(text_at(entry, "/kind"), Some("decision" | "stream_close"))
}

/// Ids of the categories that were found or inherited.
pub fn categories(entry: &Value) -> impl Iterator<Item = &str> {
    let found = entry.pointer("/categories").and_then(Value::as_object);
    let found = found.into_iter().flat_map(|found| found.keys().map(String::as_str));
    let lineage = entry.pointer("/lineage").and_then(Value::as_array);
    found.chain(lineage.into_iter().flatten().filter_map(Value::as_str))
}

/// Ids of those who approved: a list in decisions, one text in approvals.
pub fn approvers(entry: &Value) -> impl Iterator<Item = &str> {
    let approver = entry.pointer("/approver");
    let many = approver.and_then(Value::as_array);
    many.into_iter().flatten().chain(approver).filter_map(Value::as_str)
}

fn is_claimed(entry: &Value, field: &str, wanted: &str, macs: &[Macs]) -> bool {
    let claim = entry.get(field);
    let part = |part: &str| claim.and_then(|claim| claim.get(part)).and_then(Value::as_str);
    let Some(mac) = part("mac") else { return part("claimed") == Some(wanted) };
    macs.iter().any(|macs| HEXLOWER.encode(&macs.claim(field, wanted)) == mac)
}

/// Payloads that were blocked or held first and allowed later: pairs of sequence numbers, told by
/// the MAC of the payload. Entries come in the order of the ledger.
#[derive(Clone, Debug, Default)]
pub struct DeniedThenAllowed {
    denied: std::collections::HashMap<String, u64>,
}

impl DeniedThenAllowed {
    /// Takes the next entry; gives the earlier denial of the same payload if this one lets it pass.
    pub fn next(&mut self, entry: &Value) -> Option<u64> {
        if !is_decision(entry) {
            return None;
        }
        let payload = text_at(entry, "/payload_mac")?;
        let sequence = entry.pointer("/sequence").and_then(Value::as_u64)?;
        match text_at(entry, "/effect") {
            Some("block" | "escalate") => {
                self.denied.entry(payload.to_owned()).or_insert(sequence);
                None
            }
            Some("allow" | "redact") => self.denied.get(payload).copied(),
            _ => None,
        }
    }
}

/// How far the time of an entry may lie before that of the one before it: entries that were
/// decided side by side are not appended in that order.
const CLOCK_SLACK: Duration = Duration::from_secs(2);

/// What is odd between an entry and the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Sequence numbers are missing.
    Sequence(u64, u64),
    /// The wall clock went back by more than two seconds.
    ClockBack,
    /// The machine was started anew.
    Restart,
    /// A torn tail was cut.
    Recovered,
}

/// Who approved, as far as an entry of an approval or of the use of a grant tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfApproval {
    /// Who asked for the flow, or carries it out, approved it: that must not be.
    Yes,
    /// An approver has no user id in the register, so only the key tells them apart.
    Unattested,
}

/// Looks at an entry of an approval, or of the use of a grant.
pub fn self_approval(entry: &Value) -> Option<SelfApproval> {
    let number = |path: &str| entry.pointer(path).and_then(Value::as_u64);
    let approvers: Vec<Option<u64>> = match text_at(entry, "/kind")? {
        "approval" if entry.get("approved").and_then(Value::as_bool) == Some(true) => {
            vec![number("/approver_uid")]
        }
        "grant_use" => {
            let uids = entry.get("approver_uids").and_then(Value::as_array);
            uids.into_iter().flatten().map(Value::as_u64).collect()
        }
        _ => return None,
    };
    let executor = text_at(entry, "/executor").and_then(|it| it.strip_prefix("uid:"));
    let executor = executor.and_then(|it| it.split(' ').next()).and_then(|it| it.parse().ok());
    let asked = [number("/requester"), executor];
    if approvers.iter().any(|uid| uid.is_some() && asked.contains(uid)) {
        return Some(SelfApproval::Yes);
    }
    approvers.contains(&None).then_some(SelfApproval::Unattested)
}

/// Finds gaps; entries come in the order of the ledger.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    last: Option<(u64, String, String)>,
}

impl Gaps {
    /// Takes the next entry; gives what is odd about it.
    pub fn next(&mut self, entry: &Value) -> Vec<Gap> {
        let sequence = entry.pointer("/sequence").and_then(Value::as_u64).unwrap_or(0);
        // A window of a stream has no time: that of the entry before it stands.
        let before = |part: fn(&(u64, String, String)) -> &str| self.last.as_ref().map_or("", part);
        let wall =
            text_at(entry, "/time/wall").unwrap_or_else(|| before(|last| &last.1)).to_owned();
        let boot =
            text_at(entry, "/time/boot").unwrap_or_else(|| before(|last| &last.2)).to_owned();
        let mut gaps = Vec::new();
        if let Some((last, last_wall, last_boot)) = &self.last {
            if sequence != last.wrapping_add(1) {
                gaps.push(Gap::Sequence(*last, sequence));
            }
            if boot != *last_boot && !last_boot.is_empty() {
                gaps.push(Gap::Restart);
            }
            if is_before(&wall, last_wall) {
                gaps.push(Gap::ClockBack);
            }
        }
        if text_at(entry, "/kind") == Some("recovered") {
            gaps.push(Gap::Recovered);
        }
        self.last = Some((sequence, wall, boot));
        gaps
    }
}

/// Whether a time lies clearly before another.
fn is_before(wall: &str, last: &str) -> bool {
    let times = (humantime::parse_rfc3339(wall), humantime::parse_rfc3339(last));
    let (Ok(wall), Ok(last)) = times else { return false };
    last.duration_since(wall).is_ok_and(|back| back > CLOCK_SLACK)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry() -> Value {
        let macs = Macs::new(1, [3; 32]);
        json!({
            "v": 1, "sequence": 7, "kind": "decision", "later": "unknown fields are kept",
            "time": {"wall": "2026-11-27T10:00:00.000000000Z", "boot": "b", "monotonic_ns": 5},
            "trigger": {"claimed": "****", "mac": HEXLOWER.encode(&macs.claim("trigger", "anna@example.com"))},
            "workload": {"attested": {"uid": 1001, "unit": "letters.service"},
                         "claimed": {"workflow": {"registered": "letters"}}},
            "run": {"claimed": "r1"}, "tool": null,
            "categories": {"pci.pan": {"count": 2}}, "lineage": ["phi.diagnosis"],
            "destination": {"id": "crm", "host": "crm.example.com"},
            "effect": "redact", "approver": ["berta"], "coverage": {"state": "complete"},
            "payload_mac": "aa",
        })
    }

    #[test]
    fn every_condition_can_hold_and_fail() {
        let macs = [Macs::new(0, [9; 32]), Macs::new(1, [3; 32])];
        let is = |change: &dyn Fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            filter.matches(&entry(), &macs)
        };
        let text = |text: &str| Some(text.to_owned());
        assert!(is(&|_| {}));
        assert!(is(&|it| it.kind = text("decision")) && !is(&|it| it.kind = text("start")));
        assert!(is(&|it| it.trigger = text("anna@example.com")));
        assert!(!is(&|it| it.trigger = text("****")) && !is(&|it| it.trigger = text("berta")));
        assert!(is(&|it| it.run = text("r1")) && !is(&|it| it.run = text("r2")));
        assert!(!is(&|it| it.tool = text("mail")) && !is(&|it| it.agent = text("a")));
        assert!(is(&|it| it.uid = Some(1001)) && !is(&|it| it.uid = Some(0)));
        assert!(is(&|it| it.workload = text("letters.service")));
        assert!(is(&|it| it.workflow = text("letters")) && !is(&|it| it.workflow = text("x")));
        assert!(is(&|it| it.category = text("pci.pan")) && !is(&|it| it.category = text("pci")));
        assert!(is(&|it| it.class = text("phi")) && !is(&|it| it.class = text("sec")));
        assert!(is(&|it| it.destination = text("crm")));
        assert!(is(&|it| it.destination = text("crm.example.com")));
        assert!(!is(&|it| it.destination = text("example.com")));
        assert!(is(&|it| it.effect = Some(Effect::Redact)));
        assert!(!is(&|it| it.effect = Some(Effect::Allow)));
        assert!(is(&|it| it.since = text("2026-11-27T10:00:00.000000000Z")));
        assert!(!is(&|it| it.until = text("2026-11-27T10:00:00.000000000Z")));
        assert!(is(&|it| it.approver = text("berta")) && !is(&|it| it.approver = text("anna")));
        assert!(!is(&|it| it.partial = true));
        assert!(is(&|it| it.payload = text("aa")) && !is(&|it| it.escalation = text("e")));
        let both = Filter { uid: Some(1001), class: text("sec"), ..Filter::default() };
        assert!(!both.matches(&entry(), &macs));
    }

    #[test]
    fn a_payload_that_passes_after_a_denial_is_found() {
        let decided = |sequence: u64, effect: &str, payload: &str| json!({"kind": "decision", "sequence": sequence, "effect": effect, "payload_mac": payload});
        let mut audit = DeniedThenAllowed::default();
        assert_eq!(audit.next(&decided(1, "allow", "aa")), None);
        assert_eq!(audit.next(&decided(2, "escalate", "bb")), None);
        assert_eq!(audit.next(&decided(3, "block", "bb")), None);
        assert_eq!(audit.next(&decided(4, "allow", "aa")), None);
        assert_eq!(audit.next(&decided(5, "allow", "bb")), Some(2));
    }

    #[test]
    fn who_approves_what_they_asked_for_is_found() {
        let approval = |approved: bool, uid: Option<u32>| {
            self_approval(&json!({
                "kind": "approval", "approved": approved, "approver_uid": uid, "requester": 1000,
                "executor": "uid:1001 unit:a.service",
            }))
        };
        assert_eq!(approval(true, Some(1000)), Some(SelfApproval::Yes));
        assert_eq!(approval(true, Some(1001)), Some(SelfApproval::Yes));
        assert_eq!(approval(true, Some(2000)), None);
        assert_eq!(approval(true, None), Some(SelfApproval::Unattested));
        assert_eq!(approval(false, Some(1000)), None);
        let used = json!({"kind": "grant_use", "approver_uids": [2000, 1000], "requester": 1000});
        assert_eq!(self_approval(&used), Some(SelfApproval::Yes));
    }

    #[test]
    fn gaps_are_found() {
        let at = |sequence: u64, wall: &str, boot: &str, kind: &str| json!({"sequence": sequence, "kind": kind, "time": {"wall": wall, "boot": boot}});
        let mut gaps = Gaps::default();
        assert_eq!(gaps.next(&at(0, "2026-01-01T00:00:00Z", "a", "start")), []);
        assert_eq!(gaps.next(&at(1, "2026-01-02T00:00:00Z", "a", "decision")), []);
        assert_eq!(
            gaps.next(&at(3, "2026-01-01T00:00:00Z", "a", "decision")),
            [Gap::Sequence(1, 3), Gap::ClockBack]
        );
        assert_eq!(
            gaps.next(&at(4, "2026-01-03T00:00:00Z", "b", "recovered")),
            [Gap::Restart, Gap::Recovered]
        );
        // A window of a stream has no time.
        let window = json!({"v": 1, "sequence": 5, "kind": "stream_window", "open": 2, "to": 9});
        assert_eq!(gaps.next(&window), []);
        assert_eq!(
            gaps.next(&at(6, "2026-01-02T00:00:00Z", "b", "stream_close")),
            [Gap::ClockBack]
        );
        let until = Filter { until: Some("2027".to_owned()), ..Filter::default() };
        assert!(!until.matches(&window, &[]) && Filter::default().matches(&window, &[]));
        assert!(is_decision(&json!({"kind": "stream_close"})) && !is_decision(&window));
    }
}
