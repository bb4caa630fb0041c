//! A payload in frames of a WebSocket: its pieces go in, released bytes, findings and the decision come
//! back, both at once.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::header::{AUTHORIZATION, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::payload::{Progress, flow_text};
use super::{Answer, ClientError, Found, parts, reply};
use crate::model::{Effect, FlowHeader};
use crate::respond::escape;

type Socket = WebSocketStream<UnixStream>;

/// Bytes of a frame that is sent.
const FRAME: usize = 256 << 10;

/// The code after allow and redact.
const NORMAL: u16 = 1000;

/// Takes the pieces of the payload.
pub struct Sender {
    sink: SplitSink<Socket, Message>,
    progress: Progress,
}

/// Gives what comes back.
pub struct Receiver {
    frames: SplitStream<Socket>,
    deadline: Instant,
    within: Duration,
    released: u64,
    ended: bool,
    progress: Progress,
}

/// What comes back. `Debug` shows how many bytes were released, not which.
#[derive(Clone, PartialEq)]
pub enum Event {
    /// Bytes that may go out.
    Released(Bytes),
    /// Findings that became final.
    Findings(Vec<Found>),
    /// The decision, and the end. After block and escalate nothing may go out but what was released.
    Decision(Box<Answer>),
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Released(bytes) => write!(f, "Released({} bytes)", bytes.len()),
            Event::Findings(findings) => f.debug_tuple("Findings").field(findings).finish(),
            Event::Decision(answer) => f.debug_tuple("Decision").field(answer).finish(),
        }
    }
}

/// Opens a stream over a connection.
pub(super) async fn open(
    stream: UnixStream,
    flow: &FlowHeader,
    token: Option<HeaderValue>,
    within: Duration,
) -> Result<(Sender, Receiver), ClientError> {
    let flow = flow_text(flow)?;
    let request = "ws://sluice/v1/stream".into_client_request();
    let mut request = request.map_err(|_| ClientError::Unreadable("the target of a request"))?;
    if let Some(token) = token {
        request.headers_mut().insert(AUTHORIZATION, token);
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(parts::MAX_DECISION))
        .max_frame_size(Some(parts::MAX_DECISION))
        // Each piece goes out at once.
        .write_buffer_size(0);
    let opened = client_async_with_config(request, stream, Some(config)).await;
    let (socket, _) = opened.map_err(|error| match error {
        tungstenite::Error::Http(response) => {
            let status = response.status();
            reply::refusal(status, response.into_body().unwrap_or_default())
        }
        error => broken(&error),
    })?;
    let (mut sink, frames) = socket.split();
    sink.send(Message::text(flow)).await.map_err(|error| broken(&error))?;
    let deadline = Instant::now() + within;
    let progress = Progress::default();
    let sender = Sender { sink, progress: progress.clone() };
    Ok((sender, Receiver { frames, deadline, within, released: 0, ended: false, progress }))
}

/// An error of the connection. Of messages it holds a kind alone.
fn broken(error: &tungstenite::Error) -> ClientError {
    ClientError::BrokenOff(match error {
        tungstenite::Error::Io(error) => error.to_string(),
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            "the WebSocket is closed".to_owned()
        }
        tungstenite::Error::Capacity(_) => "a message is too long".to_owned(),
        _ => "the WebSocket does not follow its protocol".to_owned(),
    })
}

impl Sender {
    /// Sends a piece of the payload. Fails where the daemon has ended the stream; the receiver says why.
    ///
    /// # Errors
    ///
    /// [`ClientError::BrokenOff`].
    pub async fn send(&mut self, piece: impl Into<Bytes>) -> Result<(), ClientError> {
        let mut piece = piece.into();
        while !piece.is_empty() {
            let frame = piece.split_to(piece.len().min(FRAME));
            self.progress.add(frame.len());
            let sent = self.sink.send(Message::Binary(frame)).await;
            sent.map_err(|error| broken(&error))?;
        }
        Ok(())
    }

    /// Says that the payload has ended. A sender that is dropped without has ended it early, which is
    /// block.
    ///
    /// # Errors
    ///
    /// [`ClientError::BrokenOff`].
    pub async fn end(mut self) -> Result<(), ClientError> {
        self.progress.end();
        let sent = self.sink.send(Message::text("{\"end\":true}")).await;
        sent.map_err(|error| broken(&error))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said<'a> {
    findings: Option<Vec<Found>>,
    #[serde(borrow)]
    decision: Option<&'a RawValue>,
}

impl Receiver {
    /// What comes next. The last event is the decision; behind it there is none.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; then nothing may go out but what was released.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        if self.ended {
            return Ok(None);
        }
        let within = self.within;
        let event = timeout_at(self.deadline, self.event()).await;
        let event = event.unwrap_or(Err(ClientError::Timeout(within)));
        self.ended = !matches!(event, Ok(Event::Released(_) | Event::Findings(_)));
        event.map(Some)
    }

    async fn event(&mut self) -> Result<Event, ClientError> {
        loop {
            match self.frame().await? {
                Message::Binary(bytes) => {
                    self.released = self.released.saturating_add(bytes.len() as u64);
                    return Ok(Event::Released(bytes));
                }
                Message::Text(text) => {
                    let said: Result<Said<'_>, _> = serde_json::from_str(text.as_str());
                    let said = said.map_err(|_| ClientError::Unreadable("a text frame"))?;
                    match (said.findings, said.decision) {
                        (Some(findings), None) => return Ok(Event::Findings(findings)),
                        (None, Some(decision)) => {
                            let decision = format!("{}\n", decision.get()).into_bytes();
                            return self.decided(Answer::parse(decision)?).await;
                        }
                        _ => return Err(ClientError::Unreadable("a text frame")),
                    }
                }
                Message::Close(frame) => return Err(closed(frame.as_ref())),
                _ => {}
            }
        }
    }

    async fn frame(&mut self) -> Result<Message, ClientError> {
        match self.frames.next().await {
            None => Err(ClientError::BrokenOff("the WebSocket ended".to_owned())),
            Some(Err(error)) => Err(broken(&error)),
            Some(Ok(message)) => Ok(message),
        }
    }

    /// The decision, once the daemon has closed as the protocol says after it.
    async fn decided(&mut self, answer: Answer) -> Result<Event, ClientError> {
        let code = loop {
            match self.frame().await? {
                Message::Close(frame) => break frame.map_or(0, |frame| u16::from(frame.code)),
                Message::Ping(_) | Message::Pong(_) => {}
                _ => return Err(ClientError::Unreadable("something behind the decision")),
            }
        };
        let passes = answer.effect <= Effect::Redact;
        if passes != (code == NORMAL) {
            return Err(ClientError::Unreadable("the code of the end"));
        }
        let said = answer.released.as_ref().map_or(0, |released| released.bytes);
        if passes && said != self.released {
            return Err(ClientError::Unreadable("the number of released bytes"));
        }
        let answer = answer.about(self.progress.all())?;
        let broken_off = !passes && self.released > 0;
        Ok(Event::Decision(Box::new(answer.broken_off(broken_off))))
    }
}

fn closed(frame: Option<&CloseFrame>) -> ClientError {
    let code = frame.map_or(1005, |frame| u16::from(frame.code));
    let reason = frame.map(|frame| escape(frame.reason.as_str())).unwrap_or_default();
    let reason = if reason.is_empty() { "no reason given".to_owned() } else { reason };
    ClientError::Closed { code, reason }
}
