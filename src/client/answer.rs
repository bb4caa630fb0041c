//! A decision as the daemon gave it.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::ClientError;
use crate::model::{Cause, Effect};

/// A recorded decision. `Debug` shows no released bytes.
#[derive(Clone, PartialEq)]
pub struct Answer {
    /// What may happen.
    pub effect: Effect,
    /// What it came from.
    pub cause: Cause,
    /// Why, for a person.
    pub reason: String,
    /// The rules and defaults that gave the effect.
    pub determining: Vec<Determining>,
    /// What shadow rules would have decided.
    pub shadows: Vec<Shadow>,
    /// What waits for a person, where the effect is escalate.
    pub escalation: Option<Escalation>,
    /// Id of the grant that was used.
    pub grant: Option<String>,
    /// Why a grant that was presented was not used.
    pub grant_refused: Option<String>,
    /// What may go out, or went out of a stream, if anything.
    pub released: Option<Released>,
    /// Its entry in the ledger; none where it is not recorded, which is never so for allow and redact.
    pub recorded: Option<Recorded>,
    /// Whether bytes of a stream went out before it was clear that the rest may not follow.
    pub broken_off: bool,
    /// The other fields: flow, label, findings, obligations.
    pub rest: Map<String, Value>,
    text: Vec<u8>,
    bytes: Option<Vec<u8>>,
}

/// A rule or default that gave the effect.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Determining {
    /// Its id.
    pub id: String,
    /// What it was about: a category, `lineage:`, `coverage:`, or `flow`.
    pub about: String,
    /// Its effect.
    pub effect: Effect,
}

/// What a shadow rule would have decided.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Shadow {
    /// Its id.
    pub rule: String,
    /// Its effect.
    pub effect: Effect,
}

/// An escalation that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Escalation {
    /// Its id, for `sluice approvals` and for the header's `escalation`.
    pub id: String,
    /// When it becomes block, RFC 3339 in UTC.
    pub expires: String,
}

/// What was released.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Released {
    /// Its bytes.
    pub bytes: u64,
    /// Its MAC under the key of the ledger's epoch, in hex digits.
    pub mac: String,
}

/// Where a decision was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Recorded {
    /// Sequence number of its entry.
    pub sequence: u64,
    /// Hash of the entry as a leaf of the ledger's tree (RFC 6962, section 2.1), in hex digits.
    pub leaf: String,
}

#[derive(Deserialize)]
struct Wire {
    effect: Effect,
    cause: Cause,
    reason: String,
    determining: Vec<Determining>,
    shadows: Vec<Shadow>,
    escalation: Option<Escalation>,
    grant: Option<String>,
    grant_refused: Option<String>,
    released: Option<Released>,
    recorded: WireRecorded,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireRecorded {
    Yes(Recorded),
    No(String),
}

impl Answer {
    /// Reads a decision.
    pub(super) fn parse(text: Vec<u8>) -> Result<Answer, ClientError> {
        let unreadable = ClientError::Unreadable("the decision");
        let Ok(wire) = serde_json::from_slice::<Wire>(&text) else { return Err(unreadable) };
        let recorded = match wire.recorded {
            WireRecorded::Yes(recorded) => Some(recorded),
            WireRecorded::No(word) if word == "no" => None,
            WireRecorded::No(_) => return Err(unreadable),
        };
        if wire.effect <= Effect::Redact && recorded.is_none() {
            return Err(ClientError::Unreadable("a decision that nobody recorded"));
        }
        Ok(Answer {
            effect: wire.effect,
            cause: wire.cause,
            reason: wire.reason,
            determining: wire.determining,
            shadows: wire.shadows,
            escalation: wire.escalation,
            grant: wire.grant,
            grant_refused: wire.grant_refused,
            released: wire.released,
            recorded,
            broken_off: false,
            rest: wire.rest,
            text,
            bytes: None,
        })
    }

    /// The answer, where it may be about a payload of which `sent` bytes have gone out: none where it
    /// has not gone out to its end. What was not read lets nothing pass.
    pub(super) fn about(self, sent: Option<u64>) -> Result<Answer, ClientError> {
        let read = self.rest.get("bytes").and_then(Value::as_u64);
        match (self.effect, sent) {
            (Effect::Escalate | Effect::Block, _) => Ok(self),
            (_, None) => Err(ClientError::Unreadable("it came before the payload was sent")),
            (_, sent) if sent == read => Ok(self),
            _ => Err(ClientError::Unreadable("it is not about as many bytes as were sent")),
        }
    }

    /// With the bytes that came with it, where it was about all of them.
    pub(super) fn with_bytes(mut self, bytes: Vec<u8>) -> Answer {
        self.bytes = Some(bytes).filter(|_| self.effect == Effect::Redact);
        self
    }

    /// With whether bytes went out before it was clear that the rest may not follow.
    pub(super) fn broken_off(mut self, broken_off: bool) -> Answer {
        self.broken_off = broken_off;
        self
    }

    /// What may go out where `payload` was decided: itself for allow, the redacted bytes for redact
    /// where they were asked for, nothing for escalate and block.
    pub fn may_pass<'a>(&'a self, payload: &'a [u8]) -> Option<&'a [u8]> {
        match self.effect {
            Effect::Allow => Some(payload),
            Effect::Redact => self.bytes.as_deref(),
            Effect::Escalate | Effect::Block => None,
        }
    }

    /// The decision as the JSON that the daemon sent, one object on a line (`docs/OUTPUT.md`).
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The decision for a person, as `sluice decide` prints it.
    pub fn human(&self) -> String {
        let mut lines = vec![plain(&self.reason)];
        let mut line = |name: &str, text: &str| lines.push(format!("  {name:<12} {}", plain(text)));
        let seen: Seen = serde_json::from_slice(&self.text).unwrap_or_default();
        line("effect", self.effect.as_str());
        let (workflow, destination) = (seen.workflow.as_deref(), seen.destination.as_deref());
        line(
            "flow",
            &format!(
                "{}, workflow {}, to {} ({}), {} bytes",
                seen.channel,
                workflow.unwrap_or("none"),
                destination.unwrap_or("unknown"),
                seen.trust,
                seen.bytes
            ),
        );
        for item in &self.determining {
            match item.about.as_str() {
                "flow" => line("because", &item.id),
                about => line("because", &format!("{} ({about})", item.id)),
            }
        }
        for (category, count) in &seen.label.categories.0 {
            line("holds", &format!("{category} x {}", count.count));
        }
        for category in &seen.label.lineage {
            line("carries", category);
        }
        for reason in &seen.label.coverage.reasons {
            line("coverage", &format!("partial: {reason}"));
        }
        for (category, transform) in &seen.obligations.0 {
            line(transform, category);
        }
        for shadow in &self.shadows {
            line("shadow", &format!("{} would {}", shadow.rule, shadow.effect.as_str()));
        }
        if let Some(grant) = &self.grant {
            line("grant", grant);
        }
        if let Some(refusal) = &self.grant_refused {
            line("grant", &format!("refused: {}", crate::respond::escape(refusal)));
        }
        if let Some(waiting) = &self.escalation {
            line("escalation", &format!("{}, expires {}", waiting.id, waiting.expires));
        }
        if let Some(released) = &self.released {
            line("released", &format!("{} bytes", released.bytes));
        }
        match &self.recorded {
            Some(recorded) => line("recorded", &format!("entry {}", recorded.sequence)),
            None => line("recorded", "no"),
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("effect", &self.effect)
            .field("cause", &self.cause)
            .field("determining", &self.determining)
            .field("escalation", &self.escalation)
            .field("grant", &self.grant)
            .field("released", &self.released)
            .field("recorded", &self.recorded)
            .field("broken_off", &self.broken_off)
            .finish_non_exhaustive()
    }
}

/// What a terminal would take as a command is no part of a decision.
fn plain(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { char::REPLACEMENT_CHARACTER } else { it }).collect()
}

/// The fields that only a person is told, in the order in which they stand.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Seen {
    workflow: Option<String>,
    destination: Option<String>,
    trust: String,
    channel: String,
    bytes: u64,
    label: SeenLabel,
    obligations: InOrder<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SeenLabel {
    categories: InOrder<SeenCount>,
    coverage: SeenCoverage,
    lineage: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SeenCount {
    count: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SeenCoverage {
    reasons: Vec<String>,
}

/// The entries of an object in the order in which they stand.
struct InOrder<T>(Vec<(String, T)>);

impl<T> Default for InOrder<T> {
    fn default() -> InOrder<T> {
        InOrder(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for InOrder<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<InOrder<T>, D::Error> {
        struct Entries<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = InOrder<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(InOrder(entries))
            }
        }
        deserializer.deserialize_map(Entries(std::marker::PhantomData))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A decision as the daemon writes it.
    pub fn decision(effect: &str, recorded: &str) -> Vec<u8> {
        let text = r#"{"effect":"EFFECT","cause":"rule","reason":"Because.","determining":
            [{"id":"a.rule","about":"pci.pan","effect":"EFFECT"},
            {"id":"purpose.unlisted","about":"flow","effect":"EFFECT"}],
            "obligations":{"pci.pan":"mask"},"shadows":[{"rule":"later","effect":"block"}],
            "workflow":"letters","destination":null,"trust":"unknown","channel":"prompt",
            "purpose_listed":false,"bytes":7,"label":{"categories":
            {"pii.email":{"count":2,"unique":2,"max_likelihood":90},
            "pci.pan":{"count":1,"unique":1,"max_likelihood":99}},"sensitivity":"restricted",
            "possible":{},"coverage":{"state":"partial","reasons":["opaque"]},
            "lineage":["phi.icd10"]},"findings":[],"truncated":0,"grant":null,"escalation":null,
            "released":{"bytes":7,"mac":"00"},"recorded":RECORDED}"#;
        let text = text.replace("EFFECT", effect).replace("RECORDED", recorded);
        format!("{text}\n").into_bytes()
    }

    const ENTRY: &str = r#"{"sequence":4,"leaf":"ab"}"#;

    #[test]
    fn a_person_reads_it_as_it_stands() {
        let answer = Answer::parse(decision("redact", ENTRY)).unwrap();
        let expected = "Because.\n  effect       redact\n  flow         prompt, workflow letters, \
            to unknown (unknown), 7 bytes\n  because      a.rule (pci.pan)\n  because      \
            purpose.unlisted\n  holds        pii.email x 2\n  holds        pci.pan x 1\n  \
            carries      phi.icd10\n  coverage     partial: opaque\n  mask         pci.pan\n  \
            shadow       later would block\n  released     7 bytes\n  recorded     entry 4\n";
        assert_eq!(answer.human(), expected);
        let mut answer = answer;
        answer.reason = "two\nlines\u{1b}[31m".to_owned();
        assert!(answer.human().starts_with("two\u{fffd}lines\u{fffd}[31m\n"));
    }

    #[test]
    fn what_nobody_recorded_lets_nothing_pass() {
        for (effect, recorded, reads) in [
            ("allow", ENTRY, true),
            ("allow", "\"no\"", false),
            ("redact", "\"no\"", false),
            ("block", "\"no\"", true),
            ("block", "\"yes\"", false),
            ("Allow", ENTRY, false),
            ("allow", "null", false),
        ] {
            let answer = Answer::parse(decision(effect, recorded));
            assert_eq!(answer.is_ok(), reads, "{effect} {recorded}");
        }
        assert!(Answer::parse(b"{}".to_vec()).is_err() && Answer::parse(Vec::new()).is_err());
    }

    #[test]
    fn what_was_not_read_lets_nothing_pass() {
        for (effect, passes) in
            [("allow", false), ("redact", false), ("escalate", true), ("block", true)]
        {
            let about = |sent| Answer::parse(decision(effect, ENTRY)).unwrap().about(sent).is_ok();
            assert!(about(Some(7)), "{effect}");
            for sent in [None, Some(6), Some(8)] {
                assert_eq!(about(sent), passes, "{effect} {sent:?}");
            }
            let text = String::from_utf8(decision(effect, ENTRY)).unwrap();
            let text = text.replace("\"bytes\":7,\"label\"", "\"label\"");
            let answer = Answer::parse(text.into_bytes()).unwrap();
            assert_eq!(answer.about(Some(7)).is_ok(), passes, "{effect}");
        }
    }

    #[test]
    fn what_may_pass_depends_on_the_effect() {
        let passes = |effect| {
            let answer = Answer::parse(decision(effect, ENTRY)).unwrap();
            let answer = answer.with_bytes(b"redacted".to_vec());
            assert!(!format!("{answer:?}").contains("redacted\""));
            answer.may_pass(b"payload").map(<[u8]>::to_vec)
        };
        assert_eq!(passes("allow"), Some(b"payload".to_vec()));
        assert_eq!(passes("redact"), Some(b"redacted".to_vec()));
        assert_eq!((passes("escalate"), passes("block")), (None, None));
        let alone = Answer::parse(decision("redact", ENTRY)).unwrap();
        assert_eq!(alone.may_pass(b"payload"), None);
    }
}
