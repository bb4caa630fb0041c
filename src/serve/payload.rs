//! The body of a request, within its limits.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};

use super::budget::Share;
use super::flow_stream::Source;
use super::refusal::Limit;
use crate::config::Limits;

/// Reads the pieces of a body, each within the idle deadline and all within the total one.
pub struct Pieces {
    body: Body,
    deadline: Instant,
    idle: Duration,
    idle_at: Instant,
    left: u64,
}

/// How long what nobody wants is read all the same.
const LINGER: Duration = Duration::from_secs(2);

/// A body of which the rest is read and thrown away for a moment where the answer comes before it has
/// ended: a connection that is closed on a client which still writes takes the answer with it.
pub struct Lingering(Option<Body>);

impl Lingering {
    /// The same body, lingering.
    pub fn around(body: Body) -> Body {
        if body.is_end_stream() { body } else { Body::new(Lingering(Some(body))) }
    }
}

impl hyper::body::Body for Lingering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.0.as_ref().map_or_else(|| hyper::body::SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some(mut body) = self.0.take().filter(|body| !body.is_end_stream()) else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let discard = async { while let Some(Ok(_)) = body.frame().await {} };
            let _ = timeout(LINGER, discard).await;
        });
    }
}

/// Makes room for more bytes, if the share may grow with them.
pub fn grow(whole: &mut Vec<u8>, more: usize, share: &mut Share) -> bool {
    let needed = whole.len().saturating_add(more);
    if needed > whole.capacity() {
        let wanted = needed.max(whole.capacity().saturating_mul(2));
        if !share.resize(wanted) {
            return false;
        }
        whole.reserve_exact(wanted.saturating_sub(whole.len()));
    }
    true
}

/// Why a body ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A limit.
    Limit(Limit),
    /// The client went away, or sent what is no body.
    Client,
}

impl Pieces {
    /// The pieces of a body that may take `total_ms` in all from now.
    pub fn new(body: Body, limits: &Limits, total_ms: u64) -> Pieces {
        let (now, idle) = (Instant::now(), Duration::from_millis(limits.idle_ms));
        Pieces {
            body,
            deadline: now + Duration::from_millis(total_ms),
            idle,
            idle_at: now + idle,
            left: limits.payload_bytes,
        }
    }

    /// All pieces in one, or as far as they came with what went wrong. `share` grows with them.
    pub async fn whole(&mut self, share: &mut Share, expected: u64) -> (Vec<u8>, Option<Broken>) {
        let mut whole = Vec::new();
        if expected > self.left {
            return (whole, Some(Broken::Limit(Limit::PayloadBytes)));
        }
        // A length that is only claimed is believed as far as it costs little.
        let expected = usize::try_from(expected.min(self.left).min(1 << 20)).unwrap_or(0);
        if share.resize(expected) {
            whole.reserve(expected);
        }
        loop {
            match self.next().await {
                Ok(None) => return (whole, None),
                Err(broken) => return (whole, Some(broken)),
                Ok(Some(piece)) => {
                    if !grow(&mut whole, piece.len(), share) {
                        return (whole, Some(Broken::Limit(Limit::Memory)));
                    }
                    whole.extend_from_slice(&piece);
                }
            }
        }
    }
}

impl Source for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            let until = self.deadline.min(self.idle_at);
            let frame = match timeout_at(until, self.body.frame()).await {
                Err(_) if until < self.deadline => return Err(Broken::Limit(Limit::Idle)),
                Err(_) => return Err(Broken::Limit(Limit::Deadline)),
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) => return Err(Broken::Client),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(piece) = frame.into_data() else { continue };
            if piece.is_empty() {
                continue;
            }
            self.idle_at = Instant::now() + self.idle;
            self.left = match self.left.checked_sub(piece.len() as u64) {
                Some(left) => left,
                None => return Err(Broken::Limit(Limit::PayloadBytes)),
            };
            return Ok(Some(piece));
        }
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }
}
