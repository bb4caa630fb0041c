//! A body of JSON, read whole within the limits; what reading it takes counts as memory of the request.

use axum::body::Body;
use axum::http::HeaderMap;
use serde::de::DeserializeOwned;

use super::expected;
use crate::config::Limits;
use crate::serve::budget::Share;
use crate::serve::payload::{Broken, Pieces};
use crate::serve::refusal::Limit;
use crate::serve::shared::Shared;

/// Bytes that an element of a list may take in memory beside its text.
const ELEMENT: usize = 64;

/// Bytes that an object may take in memory beside its texts.
const OBJECT: usize = 768;

/// A body, and the memory that it and what is read from it may take.
pub struct JsonBody {
    bytes: Vec<u8>,
    /// Held until the answer was given.
    pub share: Share,
}

impl JsonBody {
    /// Reads a body, of which `copies` may be in memory at once, itself among them.
    ///
    /// # Errors
    ///
    /// The limit that was reached, with what to say.
    pub async fn read(
        shared: &Shared,
        headers: &HeaderMap,
        body: Body,
        limits: &Limits,
        copies: usize,
    ) -> Result<JsonBody, (Limit, &'static str)> {
        let mut share = shared.memory.share();
        let mut pieces = Pieces::new(body, limits, limits.deadline_ms);
        let (bytes, broken) = pieces.whole(&mut share, expected(headers)).await;
        shared.metrics.payload_bytes.inc_by(bytes.len() as u64);
        match broken {
            Some(Broken::Limit(limit)) => return Err((limit, "the body did not come whole")),
            Some(Broken::Client) => return Err((Limit::Request, "the body did not come whole")),
            None => {}
        }
        let count = |byte| memchr::memchr_iter(byte, &bytes).count();
        let elements = (count(b',') + count(b'[')).saturating_mul(ELEMENT);
        let objects = count(b'{').saturating_mul(OBJECT);
        let needed =
            bytes.len().saturating_mul(copies).saturating_add(elements).saturating_add(objects);
        if !share.resize(needed) {
            return Err((Limit::Memory, "too much of payloads is in memory; try again later"));
        }
        Ok(JsonBody { bytes, share })
    }

    /// What the body holds.
    ///
    /// # Errors
    ///
    /// What is wrong. The parser's own words may quote the body and are left out.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, String> {
        // A list would be taken as the fields in their order.
        if self.bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err("body not understood: it is no JSON object".to_owned());
        }
        serde_json::from_slice(&self.bytes).map_err(|error| {
            let kind = match error.classify() {
                serde_json::error::Category::Syntax => "it is no JSON",
                serde_json::error::Category::Eof => "it ends early",
                _ => "a field has the wrong type, is missing or is there twice",
            };
            format!(
                "body not understood: {kind} (line {}, column {})",
                error.line(),
                error.column()
            )
        })
    }
}
