//! Labels and findings of payloads that were classified.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ClientError;
use crate::model::{Band, Sensitivity};

/// What a payload holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// Findings of band likely and up, by category.
    pub categories: BTreeMap<String, u64>,
    /// Findings of band possible, by category.
    pub possible: BTreeMap<String, u64>,
    /// The highest sensitivity.
    pub sensitivity: Sensitivity,
    /// Why not all of it was read; empty where all was.
    pub partial: Vec<String>,
    /// The findings in order.
    pub findings: Vec<Found>,
    /// Findings that are counted and not listed.
    pub truncated: u64,
    /// All of it as it came.
    pub value: Value,
}

/// A finding. It holds no byte of the payload but what its mask shows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Found {
    /// Id of the rule.
    pub rule: String,
    /// Id of the category.
    pub category: String,
    /// The sensitivity of the category.
    pub sensitivity: Sensitivity,
    /// 0 to 100.
    pub likelihood: u8,
    /// Its band.
    pub band: Band,
    /// Offset of its first byte in the payload.
    pub start: u64,
    /// Offset behind its last byte.
    pub end: u64,
    /// Line, counted from 1.
    pub line: u64,
    /// Column, counted from 1.
    pub column: u64,
    /// The value with all that matters masked.
    pub masked: String,
    /// The other fields.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct Wire {
    label: WireLabel,
    findings: Vec<Found>,
    truncated: u64,
}

#[derive(Deserialize)]
struct WireLabel {
    categories: BTreeMap<String, WireCount>,
    sensitivity: Sensitivity,
    possible: BTreeMap<String, u64>,
    coverage: WireCoverage,
}

#[derive(Deserialize)]
struct WireCount {
    count: u64,
}

#[derive(Deserialize)]
struct WireCoverage {
    reasons: Vec<String>,
}

/// Reads the answer for one payload.
pub(super) fn one(text: &[u8]) -> Result<Labelled, ClientError> {
    let value = serde_json::from_slice(text).map_err(|_| ClientError::Unreadable("the label"))?;
    labelled(value)
}

fn labelled(value: Value) -> Result<Labelled, ClientError> {
    let wire = Wire::deserialize(&value).map_err(|_| ClientError::Unreadable("the label"))?;
    let counts = wire.label.categories.into_iter();
    Ok(Labelled {
        categories: counts.map(|(category, count)| (category, count.count)).collect(),
        possible: wire.label.possible,
        sensitivity: wire.label.sensitivity,
        partial: wire.label.coverage.reasons,
        findings: wire.findings,
        truncated: wire.truncated,
        value,
    })
}

/// A request for these texts, numbered, and their count.
pub(super) fn lines<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> (Bytes, u64) {
    let mut lines = Vec::new();
    let mut count = 0u64;
    for text in texts {
        // A value in memory is always written.
        let _ = serde_json::to_writer(&mut lines, &json!({"id": count, "text": text.as_ref()}));
        lines.push(b'\n');
        count += 1;
    }
    (Bytes::from(lines), count)
}

/// Reads the answer for `count` texts; each has to be there, in its place.
pub(super) fn many(text: &[u8], count: u64) -> Result<Vec<Labelled>, ClientError> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut answers = Vec::new();
    for (number, line) in (0u64..).zip(lines) {
        let answer = one(line)?;
        if answer.value.get("id") != Some(&json!(number)) {
            return Err(ClientError::Unreadable("the answer to a text"));
        }
        answers.push(answer);
    }
    match answers.len() as u64 == count {
        true => Ok(answers),
        false => Err(ClientError::Unreadable("the number of answers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_its_answer() {
        let (lines, count) = lines(["one", "two\nlines"]);
        assert_eq!(count, 2);
        assert_eq!(lines, "{\"id\":0,\"text\":\"one\"}\n{\"id\":1,\"text\":\"two\\nlines\"}\n");
        let answer = |id: u64| {
            format!(
                r#"{{"id":{id},"label":{{"categories":{{}},"sensitivity":"public","possible":
                {{}},"coverage":{{"state":"complete","reasons":[]}},"lineage":[]}},"findings":[],
                "truncated":0,"recorded":"no"}}"#
            )
            .replace('\n', "")
        };
        let both = format!("{}\n{}\n", answer(0), answer(1));
        assert_eq!(many(both.as_bytes(), 2).unwrap().len(), 2);
        assert!(many(both.as_bytes(), 3).is_err());
        let swapped = format!("{}\n{}\n", answer(1), answer(0));
        assert!(many(swapped.as_bytes(), 2).is_err());
        let wrong = "{\"id\":null,\"error\":\"it is no object\",\"line\":1}\n";
        assert!(many(wrong.as_bytes(), 1).is_err());
    }
}
