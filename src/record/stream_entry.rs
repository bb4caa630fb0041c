//! What the entries of a payload say that is released while it arrives.
//!
//! `stream_open` says who asked for what, `stream_window` that the next bytes went out, and
//! `stream_close` what was decided in the end. A window is short, since there may be many of them:
//! it names the entry that opened the stream in place of repeating it, and has no clock of its own.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};

use super::Macs;
use super::entry::{
    Cleaner, Decided, Moment, VERSION, asked, begin, claim, decision_of, destination,
};
use super::entry::{encode, summarise};
use super::frame::MAX_ENTRY;
use crate::model::{Attested, FlowHeader};
use crate::policy::{Flow, Policy};
use crate::rules::RuleSet;

/// The most bytes of the entry of a window.
pub const MAX_WINDOW: usize = 160;

/// Bytes of a MAC that a window holds.
const WINDOW_MAC: usize = 16;

/// What is known of a stream when the first of its bytes goes out.
#[derive(Clone, Copy)]
pub struct Opened<'a> {
    /// The policy that decides.
    pub policy: &'a Policy,
    /// The rules that find.
    pub rules: &'a RuleSet,
    /// What the caller claims.
    pub header: &'a FlowHeader,
    /// Scheme and host of the destination that it claims, as far as they are known.
    pub destination: (&'a str, &'a str),
    /// What the kernel attests.
    pub attested: &'a Attested,
    /// The flow, resolved.
    pub flow: &'a Flow,
    /// Now.
    pub at: &'a Moment,
}

/// Bytes of a stream that go out together.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// Sequence number of the entry that opened the stream.
    pub open: u64,
    /// Bytes that went out before.
    pub from: u64,
    /// Bytes that have gone out with these.
    pub to: u64,
    /// MAC of all bytes up to there. A window holds the first half of it.
    pub mac: [u8; 32],
    /// Milliseconds since the stream was opened.
    pub at_ms: u64,
    /// Ids of categories with the number of findings since the window before, by id.
    pub found: &'a [(&'a str, u64)],
}

/// How a stream was released, for the entry that ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streamed {
    /// Sequence number of the entry that opened it.
    pub open: u64,
    /// Windows in all.
    pub windows: u64,
}

/// The entry that opens a stream.
pub fn stream_open(
    sequence: u64,
    opened: &Opened<'_>,
    macs: &Macs,
    clean: &Cleaner<'_>,
) -> Vec<u8> {
    let Opened { policy, rules, header, flow, .. } = *opened;
    let mut entry = begin(sequence, "stream_open", opened.at);
    entry.extend(asked(policy, flow, header, opened.attested, macs, clean));
    let mut put = |key: &str, value: Value| drop(entry.insert(key.to_owned(), value));
    put("destination", destination(policy, flow, header, opened.destination, macs, clean));
    let format = header.format.as_ref().map(|text| claim("format", text, macs, clean));
    put("format", json!(format));
    let labels = header.labels.iter();
    let carried = labels.filter_map(|it| rules.taxonomy.find(it.as_str()));
    put("lineage", json!(carried.map(|it| rules.category_id(it)).collect::<Vec<_>>()));
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

/// The entry of a window: at most [`MAX_WINDOW`] bytes, whatever the numbers. What does not fit is
/// left out: first the time, then categories, which are counted under `more`, then `from`, which is
/// where the window before ended.
pub fn stream_window(sequence: u64, window: &Window<'_>) -> Vec<u8> {
    let Window { open, from, to, mac, at_ms, found } = *window;
    let mac = HEXLOWER.encode(mac.get(..WINDOW_MAC).unwrap_or(&mac));
    let mut entry =
        format!(r#"{{"v":{VERSION},"sequence":{sequence},"kind":"stream_window","open":{open}"#);
    let tail = format!(r#","to":{to},"mac":"{mac}""#);
    let room = MAX_WINDOW.saturating_sub(1);
    let add = |entry: &mut String, text: &str, behind: usize| {
        if entry.len() + text.len() + behind <= room {
            entry.push_str(text);
        }
    };
    add(&mut entry, &format!(r#","from":{from}"#), tail.len());
    entry.push_str(&tail);
    if let Some(found) = shown(found, room.saturating_sub(entry.len())) {
        entry.push_str(&found);
    }
    add(&mut entry, &format!(r#","at_ms":{at_ms}"#), 0);
    entry.push('}');
    entry.into_bytes()
}

/// As many categories as there is room for, and how many there are more.
fn shown(found: &[(&str, u64)], room: usize) -> Option<String> {
    (0..=found.len()).rev().find_map(|kept| {
        let mut text = String::new();
        for (at, (id, count)) in found.iter().take(kept).enumerate() {
            let before = if at == 0 { r#","found":{"# } else { "," };
            // Ids are lower-case letters, digits, `_` and `.`, so they are JSON as they are.
            let _ = write!(text, r#"{before}"{id}":{count}"#);
        }
        if kept > 0 {
            text.push('}');
        }
        if kept < found.len() {
            let _ = write!(text, r#","more":{}"#, found.len() - kept);
        }
        (text.len() <= room).then_some(text)
    })
}

/// The entry that ends a stream of which something was released: all that a decision says, with
/// `open`, `windows`, and under `released` all bytes that went out before or may go out now.
pub fn stream_close(
    sequence: u64,
    decided: &Decided<'_>,
    streamed: Streamed,
    macs: &Macs,
    clean: &Cleaner<'_>,
) -> Vec<u8> {
    let more = [("open", json!(streamed.open)), ("windows", json!(streamed.windows))];
    let more: Map<String, Value> =
        more.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    decision_of("stream_close", more, sequence, decided, macs, clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(sequence: u64, number: u64, found: &[(&str, u64)]) -> Value {
        let window = Window {
            open: number,
            from: number,
            to: number,
            mac: [0xab; 32],
            at_ms: number,
            found,
        };
        let bytes = stream_window(sequence, &window);
        assert!(bytes.len() <= MAX_WINDOW, "{}", bytes.len());
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_window_is_short_whatever_its_numbers() {
        let max = u64::MAX;
        let many: Vec<(&str, u64)> =
            (0..300).map(|_| ("pii.a_rather_long_category", max)).collect();
        for digits in 0..20 {
            let number = 10u64.pow(digits);
            for found in [&many[..], &many[..1], &[("pii.email", 1)], &[]] {
                let entry = window(max, number, found);
                assert_eq!((&entry["open"], &entry["to"]), (&json!(number), &json!(number)));
                assert_eq!(entry["mac"], json!("ab".repeat(16)));
                window(number, max, found);
            }
        }
        let longest = window(max, max, &many);
        assert_eq!((&longest["sequence"], &longest["to"]), (&json!(max), &json!(max)));
        assert!(longest.get("from").is_none());
    }

    #[test]
    fn a_usual_window_says_everything() {
        let entry = window(123_456, 65_536, &[]);
        assert_eq!((&entry["from"], &entry["at_ms"]), (&json!(65_536), &json!(65_536)));
        let entry = window(123_456, 65_536, &[("pii.email", 3), ("pii.phone_of_somebody", 1)]);
        assert_eq!(entry["from"], json!(65_536));
        assert_eq!((&entry["found"], &entry["more"]), (&json!({"pii.email": 3}), &json!(1)));
        let entry = window(1_234, 4_096, &[("pii.email", 3)]);
        assert_eq!(entry["found"], json!({"pii.email": 3}));
    }
}
