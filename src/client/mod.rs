//! Flow headers and payloads go to the socket of `sluice serve`; decisions, labels and released bytes
//! come back, typed.
//!
//! [`Client`] asks for one thing at a time or, cloned, for many at once. Promised: what is not, whole,
//! an answer of the protocol (`docs/PROTOCOL.md`) is a [`ClientError`], whose effect is block; an
//! [`Answer`] that lets something pass has been recorded by the daemon. No byte of a payload is in an
//! error or in `Debug` output.

mod answer;
mod connection;
mod duplex;
mod labelled;
mod parts;
mod payload;
mod reply;
mod samples;

pub use answer::{Answer, Determining, Escalation, Recorded, Released, Shadow};
pub use duplex::{Event, Receiver, Sender};
pub use labelled::{Found, Labelled};
pub use samples::{Histogram, Samples, SamplesError};

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::HeaderValue;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::model::{Effect, FlowHeader};
use crate::policy::HeaderError;

/// How long the client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection: 5 s.
    pub connect: Duration,
    /// For a whole request and its answer: 65 s, a little more than the daemon's `deadline_ms`.
    pub request: Duration,
    /// For a whole stream: 610 s, a little more than the daemon's `stream_deadline_ms`.
    pub stream: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        let seconds = Duration::from_secs;
        Timeouts { connect: seconds(5), request: seconds(65), stream: seconds(610) }
    }
}

/// Asks the daemon on a Unix socket. Cheap to clone; connections are kept and shared. Needs a tokio
/// runtime with its I/O and time.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
    timeouts: Timeouts,
    token: Option<HeaderValue>,
    idle: Arc<Mutex<Vec<connection::Requests>>>,
}

/// What a reload has brought into force.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Reloaded {
    /// Digest of the register, in hex digits.
    pub policy_digest: String,
    /// Digest of the rules, in hex digits.
    pub rule_digest: String,
    /// Whether either is another one than before.
    pub changed: bool,
}

/// Why there is no answer that lets anything pass.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("nobody answers on `{path}` ({problem}); is `sluice serve` running?")]
    NoDaemon {
        /// The socket.
        path: String,
        /// What the system said.
        problem: io::Error,
    },
    /// The daemon refused the request.
    #[error("the daemon refused it: {message} (status {status}, {cause} `{limit}`)")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// `limit`, `deadline` or `error`.
        cause: String,
        /// The key of the limit, or another word.
        limit: String,
        /// What to do about it.
        message: String,
        /// The decision, where one was made and recorded all the same: block.
        answer: Option<Box<Answer>>,
    },
    /// The connection ended before the answer did.
    #[error("the answer broke off: {0}; nothing of it counts, send the payload again")]
    BrokenOff(String),
    /// The answer is none of the protocol.
    #[error("the answer cannot be read: {0}; do the versions of client and daemon differ?")]
    Unreadable(&'static str),
    /// The WebSocket was closed without a decision.
    #[error("the daemon closed the stream: {reason} (code {code})")]
    Closed {
        /// The code.
        code: u16,
        /// What the daemon said.
        reason: String,
    },
    /// Nothing was decided in time.
    #[error("no answer came within {} s; raise the timeout, or send less", .0.as_secs_f64())]
    Timeout(Duration),
    /// The flow header is none.
    #[error("the flow header cannot be sent: {0}")]
    Flow(HeaderError),
    /// The token is none.
    #[error("the token has to be printable ASCII without spaces, and not empty")]
    Token,
    /// The payload could not be read to its end.
    #[error("the payload cannot be read to its end: {0}; what the daemon has seen of it is block")]
    Payload(io::Error),
    /// Released bytes could not be written.
    #[error("released bytes cannot be written: {0}")]
    Release(io::Error),
}

impl ClientError {
    /// What may happen to the payload: block, whatever went wrong.
    pub fn effect(&self) -> Effect {
        Effect::Block
    }

    /// The decision to block that came with a refusal, if one did.
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            ClientError::Refused { answer, .. } => answer.as_deref(),
            _ => None,
        }
    }
}

impl Client {
    /// A client of the daemon on this socket. Fails where nobody listens.
    ///
    /// # Errors
    ///
    /// [`ClientError::NoDaemon`], [`ClientError::Timeout`].
    pub async fn connect(path: impl AsRef<Path>) -> Result<Client, ClientError> {
        Client::connect_with(path, Timeouts::default()).await
    }

    /// As [`Client::connect`], with other timeouts.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub async fn connect_with(
        path: impl AsRef<Path>,
        timeouts: Timeouts,
    ) -> Result<Client, ClientError> {
        let path = path.as_ref().to_owned();
        let client = Client { path, timeouts, token: None, idle: Arc::default() };
        let first = client.open().await?;
        client.keep(first);
        Ok(client)
    }

    /// Shows the token of a workflow with every request.
    ///
    /// # Errors
    ///
    /// [`ClientError::Token`] where it is no token.
    pub fn with_token(mut self, token: &[u8]) -> Result<Client, ClientError> {
        let is_token = !token.is_empty() && token.iter().all(u8::is_ascii_graphic);
        let value = HeaderValue::from_bytes(&[b"Bearer ", token].concat());
        let mut value = value.ok().filter(|_| is_token).ok_or(ClientError::Token)?;
        value.set_sensitive(true);
        self.token = Some(value);
        Ok(self)
    }

    /// The label of a payload and what was found in it. Nothing is decided or recorded. `format`
    /// declares one, as a flow header does.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn classify(
        &self,
        payload: impl Into<Bytes>,
        format: Option<&str>,
    ) -> Result<Labelled, ClientError> {
        let query: String = format.map_or(String::new(), |format| {
            let word = url::form_urlencoded::byte_serialize(format.as_bytes());
            format!("?format={}", word.collect::<String>())
        });
        let request = self.request(Method::POST, &format!("/v1/classify{query}"), payload.into());
        labelled::one(&self.text(request?).await?)
    }

    /// The labels of many texts, in their order.
    ///
    /// # Errors
    ///
    /// [`ClientError`], also where one of the texts has no answer.
    pub async fn classify_texts<T: AsRef<str>>(
        &self,
        texts: impl IntoIterator<Item = T>,
    ) -> Result<Vec<Labelled>, ClientError> {
        let (lines, count) = labelled::lines(texts);
        let mut request = self.request(Method::POST, "/v1/classify", lines)?;
        let kind = HeaderValue::from_static("application/jsonl");
        request.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
        labelled::many(&self.text(request).await?, count)
    }

    /// Decides a payload. For redact the answer has the redacted bytes; [`Answer::may_pass`] gives
    /// what may go out.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn decide(
        &self,
        flow: &FlowHeader,
        payload: impl Into<Bytes>,
    ) -> Result<Answer, ClientError> {
        self.decided(flow, payload.into(), true).await
    }

    /// As [`Client::decide`], for the decision alone: nothing is released.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn decide_only(
        &self,
        flow: &FlowHeader,
        payload: impl Into<Bytes>,
    ) -> Result<Answer, ClientError> {
        self.decided(flow, payload.into(), false).await
    }

    async fn decided(
        &self,
        flow: &FlowHeader,
        payload: Bytes,
        release: bool,
    ) -> Result<Answer, ClientError> {
        let mut request = self.request(Method::POST, "/v1/decide", payload)?;
        payload::about(&mut request, flow, release)?;
        let within = self.timeouts.request;
        let asked = async {
            let (sender, response) = self.exchange(request).await?;
            let mut released = Vec::new();
            let answer = reply::decision(response, &mut released).await?;
            self.keep(sender);
            Ok(if release { answer.with_bytes(released) } else { answer })
        };
        timeout(within, asked).await.map_err(|_| ClientError::Timeout(within))?
    }

    /// Decides a payload while it is read, and writes what may go out while it is decided. The answer
    /// says how it ended: for block and escalate what was written before is all that may go out.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; then too nothing may go out but what was written.
    pub async fn stream(
        &self,
        flow: &FlowHeader,
        payload: impl AsyncRead + Unpin,
        released: &mut (impl AsyncWrite + Unpin),
    ) -> Result<Answer, ClientError> {
        self.streamed(flow, payload, released, true).await
    }

    /// As [`Client::stream`], for the decision alone: nothing is released.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn stream_only(
        &self,
        flow: &FlowHeader,
        payload: impl AsyncRead + Unpin,
    ) -> Result<Answer, ClientError> {
        self.streamed(flow, payload, &mut Vec::new(), false).await
    }

    async fn streamed(
        &self,
        flow: &FlowHeader,
        payload: impl AsyncRead + Unpin,
        released: &mut (impl AsyncWrite + Unpin),
        release: bool,
    ) -> Result<Answer, ClientError> {
        let (pieces, body) = payload::pieces();
        let mut request = self.request_of(Method::POST, "/v1/stream", body)?;
        payload::about(&mut request, flow, release)?;
        let within = self.timeouts.stream;
        let asked = async {
            // A stream may end with its connection, so it has one of its own.
            let mut sender = self.open().await?;
            let answer = async {
                let response = sender.send_request(request).await;
                reply::decision(response.map_err(connection::broken)?, released).await
            };
            tokio::pin!(answer);
            tokio::select! {
                biased;
                answer = &mut answer => answer,
                sent = payload::send(payload, pieces) => match sent {
                    Ok(()) => answer.await,
                    Err(error) => Err(ClientError::Payload(error)),
                },
            }
        };
        timeout(within, asked).await.map_err(|_| ClientError::Timeout(within))?
    }

    /// Opens a stream in both directions, for text that comes token by token.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn duplex(&self, flow: &FlowHeader) -> Result<(Sender, Receiver), ClientError> {
        let stream = self.socket().await?;
        let within = self.timeouts.request;
        let opened = duplex::open(stream, flow, self.token.clone(), self.timeouts.stream);
        timeout(within, opened).await.map_err(|_| ClientError::Timeout(within))?
    }

    /// Has the daemon read its rules and register anew; for root and the daemon's own user. Where
    /// anything is wrong nothing changes, and the error says what.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn reload(&self) -> Result<Reloaded, ClientError> {
        let request = self.request(Method::POST, "/v1/reload", Bytes::new())?;
        let text = self.text(request).await?;
        serde_json::from_slice(&text).map_err(|_| ClientError::Unreadable("what was reloaded"))
    }

    /// What the daemon has counted.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn metrics(&self) -> Result<Samples, ClientError> {
        let request = self.request(Method::GET, "/metrics", Bytes::new())?;
        let text = self.text(request).await?;
        let text = std::str::from_utf8(&text).map_err(|_| ClientError::Unreadable("metrics"))?;
        Samples::parse(text).map_err(|_| ClientError::Unreadable("metrics"))
    }

    /// The name of the daemon's run: each run of a daemon has another one. Fails where it is not
    /// ready to decide.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn run_id(&self) -> Result<String, ClientError> {
        let request = self.request(Method::GET, "/readyz", Bytes::new())?;
        let within = self.timeouts.request;
        let asked = async {
            let (sender, response) = self.exchange(request).await?;
            let id = response.headers().get("sluice-request-id").and_then(|it| it.to_str().ok());
            let run = id.and_then(|id| Some(id.split_once('-')?.0.to_owned()));
            reply::text(response).await?;
            self.keep(sender);
            run.ok_or(ClientError::Unreadable("the header `Sluice-Request-Id`"))
        };
        timeout(within, asked).await.map_err(|_| ClientError::Timeout(within))?
    }

    /// The body of an answer that is no decision.
    async fn text(&self, request: hyper::Request<payload::Body>) -> Result<Vec<u8>, ClientError> {
        let within = self.timeouts.request;
        let asked = async {
            let (sender, response) = self.exchange(request).await?;
            let text = reply::text(response).await?;
            self.keep(sender);
            Ok(text)
        };
        timeout(within, asked).await.map_err(|_| ClientError::Timeout(within))?
    }
}
