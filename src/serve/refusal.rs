//! Requests and connections that are refused before anything is decided: counted, recorded, answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::record::{Ledger, Moment, event};

/// The header that carries the effect.
pub const EFFECT: HeaderName = HeaderName::from_static("sluice-effect");

/// Reasons and users that are told apart between two entries; further ones share one.
const KINDS: usize = 256;

/// Why a request is not decided. Each is block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// The flow header is missing or wrong.
    Request,
    /// Nobody may do this, or the token is wrong.
    Forbidden,
    /// Nothing is there.
    NoRoute,
    /// The way to ask is another one.
    Method,
    /// The payload is too large.
    PayloadBytes,
    /// The head of the request is too large.
    HeaderBytes,
    /// The user has as many connections as may be.
    ConnectionsPerUid,
    /// Too much work waits.
    Queue,
    /// Too much of payloads is in memory.
    Memory,
    /// The request took too long in all.
    Deadline,
    /// Nothing came for too long.
    Idle,
    /// The batch has too many texts.
    BatchTexts,
    /// A stream holds back more than it may.
    Held,
    /// The ledger takes no entries.
    Ledger,
    /// The daemon ends.
    Stopping,
    /// The work did not end.
    Internal,
}

impl Limit {
    /// The word in metrics, records and answers: that of the configuration key where there is one.
    pub fn as_str(self) -> &'static str {
        match self {
            Limit::Request => "request",
            Limit::Forbidden => "forbidden",
            Limit::NoRoute => "no_route",
            Limit::Method => "method",
            Limit::PayloadBytes => "payload_bytes",
            Limit::HeaderBytes => "header_bytes",
            Limit::ConnectionsPerUid => "connections_per_uid",
            Limit::Queue => "queue",
            Limit::Memory => "memory_bytes",
            Limit::Deadline => "deadline_ms",
            Limit::Idle => "idle_ms",
            Limit::BatchTexts => "batch_texts",
            Limit::Held => "held_bytes",
            Limit::Ledger => "ledger",
            Limit::Stopping => "stopping",
            Limit::Internal => "internal",
        }
    }

    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Limit::Request => StatusCode::BAD_REQUEST,
            Limit::Forbidden => StatusCode::FORBIDDEN,
            Limit::NoRoute => StatusCode::NOT_FOUND,
            Limit::Method => StatusCode::METHOD_NOT_ALLOWED,
            Limit::PayloadBytes | Limit::BatchTexts | Limit::Held => StatusCode::PAYLOAD_TOO_LARGE,
            Limit::HeaderBytes => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Limit::ConnectionsPerUid => StatusCode::TOO_MANY_REQUESTS,
            Limit::Queue | Limit::Memory | Limit::Ledger | Limit::Stopping => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Limit::Deadline => StatusCode::GATEWAY_TIMEOUT,
            Limit::Idle => StatusCode::REQUEST_TIMEOUT,
            Limit::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The word for what it came from: `limit`, `deadline` or `error`.
    pub fn cause(self) -> &'static str {
        match self {
            Limit::Deadline | Limit::Idle => "deadline",
            Limit::PayloadBytes
            | Limit::HeaderBytes
            | Limit::ConnectionsPerUid
            | Limit::Queue
            | Limit::Memory
            | Limit::BatchTexts
            | Limit::Held => "limit",
            _ => "error",
        }
    }
}

/// The answer to what is refused. `message` says what to do next, and holds nothing of a payload.
pub fn refuse(limit: Limit, message: &str) -> Response<Body> {
    refusal(limit, message).map(Body::from)
}

/// The same as bytes, for where no route is asked; the connection is closed behind it.
pub fn refuse_bytes(limit: Limit, message: &str) -> Vec<u8> {
    let (head, body) = refusal(limit, message).into_parts();
    let mut text = format!("HTTP/1.1 {}\r\n", head.status);
    for (name, value) in &head.headers {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
    }
    text.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()));
    text.into_bytes()
}

fn refusal(limit: Limit, message: &str) -> Response<String> {
    let body = json!({
        "effect": "block",
        "cause": limit.cause(),
        "limit": limit.as_str(),
        "error": message,
    });
    let mut response = Response::new(format!("{body}\n"));
    *response.status_mut() = limit.status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(EFFECT, HeaderValue::from_static("block"));
    if matches!(limit.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Refusals that are not recorded yet. They are written together, so that nobody fills the disk by
/// being refused.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    waiting: Arc<Mutex<Counts>>,
}

/// How often somebody was refused for a reason; nobody in particular where many are.
type Counts = HashMap<(Limit, Option<u32>), u64>;

impl Refusals {
    /// Takes a refusal of somebody.
    pub fn take(&self, limit: Limit, uid: u32) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let known = waiting.contains_key(&(limit, Some(uid)));
        let uid = Some(uid).filter(|_| known || waiting.len() < KINDS);
        *waiting.entry((limit, uid)).or_default() += 1;
    }

    /// Records what was refused since the last time.
    pub fn record(&self, ledger: &Ledger, at: &Moment) {
        let waiting =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let mut waiting: Vec<_> = waiting.into_iter().collect();
        waiting.sort_by_key(|((limit, uid), _)| (limit.as_str(), *uid));
        let entry = |(sequence, ((limit, uid), count)): (u64, &((Limit, Option<u32>), u64))| {
            let fields: Map<String, Value> = Map::from_iter([
                ("limit".to_owned(), json!(limit.as_str())),
                ("cause".to_owned(), json!(limit.cause())),
                ("effect".to_owned(), json!("block")),
                ("uid".to_owned(), json!(uid)),
                ("count".to_owned(), json!(count)),
            ]);
            event(sequence, "refused", at, fields)
        };
        if !waiting.is_empty() {
            // Where the ledger takes nothing, everything is refused and nothing can be recorded.
            let _ = ledger
                .append_all_then(|first| (first..).zip(&waiting).map(entry).collect(), |_| ());
        }
    }
}
