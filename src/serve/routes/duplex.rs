//! `GET /v1/stream`: a payload in frames of a WebSocket, released bytes and the decision back.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, Response};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite;

use super::{Daemon, attested, refused, token_of};
use crate::config::Limits;
use crate::model::{Effect, FlowHeader, TokenOf};
use crate::policy::parse_header;
use crate::serve::flow_stream::{Opening, Out, Source, start};
use crate::serve::in_force::InForce;
use crate::serve::payload::Broken;
use crate::serve::refusal::Limit;
use crate::serve::shared::{Caller, Shared, now};

/// Bytes of a frame.
const MAX_FRAME: usize = 1 << 20;

/// Pieces that wait to be scanned.
const WAITING: usize = 4;

const NORMAL: u16 = 1000;
const NOT_UNDERSTOOD: u16 = 1007;
const NOT_ALLOWED: u16 = 1008;
const TOO_LARGE: u16 = 1009;
const FAILED: u16 = 1011;

/// Upgrades to a WebSocket over which one payload is decided.
pub async fn duplex(
    State(shared): Daemon,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response<Body> {
    let Ok(upgrade) = upgrade else {
        let message = "this is a WebSocket: ask for an upgrade, or use POST";
        return refused(&shared, &caller, Limit::Request, message);
    };
    let in_force = shared.now_in_force();
    let token = token_of(&headers, &caller, &in_force);
    upgrade
        .max_frame_size(MAX_FRAME)
        .max_message_size(MAX_FRAME)
        .on_upgrade(move |socket| one(socket, shared, in_force, caller, token))
}

/// What a text frame may say behind the flow header.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    end: bool,
}

async fn one(
    socket: WebSocket,
    shared: Arc<Shared>,
    in_force: Arc<InForce>,
    caller: Arc<Caller>,
    token: Option<TokenOf>,
) {
    let limits = in_force.settings.limits;
    let idle = Duration::from_millis(limits.idle_ms);
    let (mut sink, mut frames) = socket.split();
    let close = |code: u16, reason: &'static str| {
        Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }))
    };
    let header = match header_of(timeout(idle, frames.next()).await) {
        Ok(header) => header,
        Err((code, reason)) => {
            shared.refused(Limit::Request, &caller);
            let _ = timeout(idle, sink.send(close(code, reason))).await;
            return;
        }
    };
    let asking = Arc::clone(&caller);
    let attested = tokio::task::spawn_blocking(move || attested(&asking, token)).await;
    let Ok(Ok(attested)) = attested else {
        shared.refused(Limit::Forbidden, &caller);
        let reason = "the process that connected is gone";
        let _ = timeout(idle, sink.send(close(NOT_ALLOWED, reason))).await;
        return;
    };
    let (pieces, source) = frames_source(&limits);
    let opening = Opening { header, attested, began: now(), findings: true, early: true };
    let started = start(Arc::clone(&shared), in_force, Arc::clone(&caller), opening, source);
    let mut out = match started {
        Ok(out) => out,
        Err(limit) => {
            shared.refused(limit, &caller);
            let _ = timeout(idle, sink.send(close(code_of(limit), limit.as_str()))).await;
            return;
        }
    };
    // Reading and writing go on beside each other, so that neither waits for the other.
    let mut reading = tokio::spawn(read(frames, pieces));
    let mut ending = close(FAILED, "internal error");
    while let Some(next) = out.recv().await {
        let message = match next {
            Out::Findings(findings) => text(&["{\"findings\":".as_bytes(), &findings, b"}"]),
            Out::Released(bytes) => Message::Binary(bytes),
            Out::Refused(limit, message) => {
                ending = close(code_of(limit), message);
                break;
            }
            Out::Ended(end) => {
                let passes = end.effect <= Effect::Redact;
                if passes && !end.released.is_empty() {
                    let released = Message::Binary(end.released.clone());
                    if !matches!(timeout(idle, sink.send(released)).await, Ok(Ok(()))) {
                        break;
                    }
                }
                ending = match (passes, end.limit) {
                    (true, _) => close(NORMAL, ""),
                    (false, None) => close(NOT_ALLOWED, end.effect.as_str()),
                    (false, Some(limit)) => close(code_of(limit), limit.as_str()),
                };
                let decision = end.decision.trim_ascii_end();
                text(&[b"{\"decision\":", decision, b"}"])
            }
        };
        if !matches!(timeout(idle, sink.send(message)).await, Ok(Ok(()))) {
            // Dropping the receiver tells the stream that nobody listens.
            break;
        }
    }
    drop(out);
    let _ = timeout(idle, sink.send(ending)).await;
    // The client has a moment to answer the close; the socket ends either way.
    if timeout(Duration::from_secs(1), &mut reading).await.is_err() {
        reading.abort();
    }
}

fn text(parts: &[&[u8]]) -> Message {
    // What we write is JSON, and so UTF-8.
    Message::Text(Utf8Bytes::try_from(parts.concat()).unwrap_or_default())
}

fn code_of(limit: Limit) -> u16 {
    match limit {
        Limit::PayloadBytes | Limit::Held | Limit::Memory | Limit::Queue => TOO_LARGE,
        Limit::Request => NOT_UNDERSTOOD,
        Limit::Ledger | Limit::Internal => FAILED,
        _ => NOT_ALLOWED,
    }
}

type First = Result<Option<Result<Message, axum::Error>>, tokio::time::error::Elapsed>;

fn header_of(first: First) -> Result<FlowHeader, (u16, &'static str)> {
    match first {
        Ok(Some(Ok(Message::Text(text)))) => parse_header(text.as_bytes())
            .map_err(|_| (NOT_UNDERSTOOD, "the first frame is no flow header")),
        Err(_) => Err((NOT_ALLOWED, "no flow header came")),
        _ => Err((NOT_UNDERSTOOD, "the first frame has to be the flow header as text")),
    }
}

/// Takes frames off the socket until the client says that the payload has ended.
async fn read(
    mut frames: futures_util::stream::SplitStream<WebSocket>,
    pieces: mpsc::Sender<Result<Option<Bytes>, Broken>>,
) {
    let mut open = true;
    while let Some(frame) = frames.next().await {
        let piece = match frame {
            Ok(Message::Binary(bytes)) => Ok(Some(bytes)),
            Ok(Message::Text(text)) => match serde_json::from_str::<Said>(text.as_str()) {
                Ok(Said { end: true }) => Ok(None),
                _ => Err(Broken::Limit(Limit::Request)),
            },
            Ok(Message::Ping(_) | Message::Pong(_)) => continue,
            Ok(Message::Close(_)) => Err(Broken::Client),
            Err(error) if is_too_large(&error) => Err(Broken::Limit(Limit::PayloadBytes)),
            Err(_) => Err(Broken::Client),
        };
        let last = !matches!(piece, Ok(Some(_)));
        // What comes behind the end is no payload; the socket is read on for its close alone.
        if open && pieces.send(piece).await.is_err() {
            open = false;
        }
        open &= !last;
    }
    if open {
        let _ = pieces.send(Err(Broken::Client)).await;
    }
}

/// Whether a frame was larger than may be.
fn is_too_large(error: &axum::Error) -> bool {
    let source = std::error::Error::source(error);
    let error = source.and_then(|it| it.downcast_ref::<tungstenite::Error>());
    matches!(error, Some(tungstenite::Error::Capacity(_)))
}

struct Frames {
    pieces: mpsc::Receiver<Result<Option<Bytes>, Broken>>,
    deadline: Instant,
    idle: Duration,
    idle_at: Instant,
    left: u64,
}

fn frames_source(limits: &Limits) -> (mpsc::Sender<Result<Option<Bytes>, Broken>>, Frames) {
    let (sender, pieces) = mpsc::channel(WAITING);
    let idle = Duration::from_millis(limits.idle_ms);
    let now = Instant::now();
    let deadline = now + Duration::from_millis(limits.stream_deadline_ms);
    let left = limits.payload_bytes;
    (sender, Frames { pieces, deadline, idle, idle_at: now + idle, left })
}

impl Source for Frames {
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        let until = self.deadline.min(self.idle_at);
        let piece = match tokio::time::timeout_at(until, self.pieces.recv()).await {
            Err(_) if until < self.deadline => return Err(Broken::Limit(Limit::Idle)),
            Err(_) => return Err(Broken::Limit(Limit::Deadline)),
            Ok(None) => return Err(Broken::Client),
            Ok(Some(piece)) => piece?,
        };
        self.idle_at = Instant::now() + self.idle;
        if let Some(piece) = &piece {
            self.left = match self.left.checked_sub(piece.len() as u64) {
                Some(left) => left,
                None => return Err(Broken::Limit(Limit::PayloadBytes)),
            };
        }
        Ok(piece)
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }
}
