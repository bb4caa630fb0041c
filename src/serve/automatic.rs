//! Answers that hyper gives by itself, to what is no request, put into the form of all others.
//!
//! Bytes to be written come in, the same bytes go out. Only an answer that no route gave is replaced:
//! it says neither the effect nor the limit. What a route gave, and everything behind an upgrade, is
//! passed on as it is, whatever it looks like.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::refusal::{Limit, refuse_bytes};

/// What hyper writes between the status and the date.
const MIDDLE: &[u8] = b"\r\nconnection: close\r\ncontent-length: 0\r\ndate: ";

/// The date of an answer and the end of its head (RFC 9110, section 5.6.7).
const DATE: usize = "Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n".len();

/// What is known of the requests of a connection.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// Requests that a route has, or whose answer is not all made.
    answering: Arc<AtomicUsize>,
    /// Whether bytes came since the last request.
    begun: Arc<AtomicBool>,
    /// The limit for which hyper answered.
    refused: Arc<Mutex<Option<Limit>>>,
}

/// A request that a route has, until it is dropped.
#[derive(Debug)]
pub struct Answering(Arc<AtomicUsize>);

impl Requests {
    /// A request has come to the routes.
    pub fn enter(&self) -> Answering {
        self.answering.fetch_add(1, Ordering::Relaxed);
        self.begun.store(false, Ordering::Relaxed);
        Answering(Arc::clone(&self.answering))
    }

    /// Whether a part of a request came, and not all of its head.
    pub fn is_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed) && self.answering.load(Ordering::Relaxed) == 0
    }

    /// The limit for which hyper answered, if it did.
    pub fn refused(&self) -> Option<Limit> {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answering {
    /// Keeps the request until the answer is made; for good where it is an upgrade, since what
    /// follows is no HTTP.
    pub fn keep(self, response: Response<Body>) -> Response<Body> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // One more, in place of the one that ends with `self`.
            self.0.fetch_add(1, Ordering::Relaxed);
            return response;
        }
        response.map(|body| Body::new(Kept { body, _answering: self }))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer that is not all made.
struct Kept {
    body: Body,
    _answering: Answering,
}

impl hyper::body::Body for Kept {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose automatic answers are put into our form.
#[derive(Debug)]
pub struct Formed<S, H> {
    stream: S,
    requests: Requests,
    /// What counts the connection for as long as it is open, as a WebSocket too.
    _held: H,
    /// Our answer in place of hyper's, as far as it is not written.
    waiting: Vec<u8>,
}

impl<S, H> Formed<S, H> {
    /// Around a stream. `held` is dropped with it.
    pub fn new(stream: S, requests: Requests, held: H) -> Formed<S, H> {
        Formed { stream, requests, _held: held, waiting: Vec::new() }
    }
}

impl<S: AsyncRead + Unpin, H: Unpin> AsyncRead for Formed<S, H> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, into));
        if into.filled().len() > before {
            self.requests.begun.store(true, Ordering::Relaxed);
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin, H> Formed<S, H> {
    fn write_waiting(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.waiting))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.drain(..written.min(self.waiting.len()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin, H: Unpin> AsyncWrite for Formed<S, H> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.write_waiting(context))?;
        // INVARIANT: not being vectored, `bytes` is all that waits to be written, so that its end is
        // that of a whole answer, and never one of a payload's pieces.
        let idle = self.requests.answering.load(Ordering::Relaxed) == 0;
        match automatic(bytes).filter(|_| idle) {
            Some((0, status)) => {
                let (limit, message) = limit_of(status);
                *self.requests.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(limit);
                self.waiting = refuse_bytes(limit, message);
                // What hyper wanted to write is taken; ours goes out with the flush that follows.
                let _ = self.write_waiting(context)?;
                Poll::Ready(Ok(bytes.len()))
            }
            Some((before, _)) => {
                let before = bytes.get(..before).unwrap_or(bytes);
                Pin::new(&mut self.stream).poll_write(context, before)
            }
            None => Pin::new(&mut self.stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_waiting(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_waiting(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Where an answer of hyper's own begins that these bytes end with, and its status.
fn automatic(bytes: &[u8]) -> Option<(usize, u16)> {
    const HEADS: [(u16, &[u8]); 3] = [
        (400, b"HTTP/1.1 400 Bad Request"),
        (414, b"HTTP/1.1 414 URI Too Long"),
        (431, b"HTTP/1.1 431 Request Header Fields Too Large"),
    ];
    let (rest, date) = bytes.split_at_checked(bytes.len().checked_sub(DATE)?)?;
    let rest = rest.strip_suffix(MIDDLE).filter(|_| date.ends_with(b" GMT\r\n\r\n"))?;
    let of = |(status, head): &(u16, &[u8])| Some((rest.strip_suffix(*head)?.len(), *status));
    HEADS.iter().find_map(of)
}

fn limit_of(status: u16) -> (Limit, &'static str) {
    match status {
        400 => (Limit::Request, "this is no request of HTTP/1.1"),
        _ => (Limit::HeaderBytes, "the head of the request is too large"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const OWN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\
        date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";

    #[test]
    fn only_the_end_of_what_is_written_is_an_automatic_answer() {
        assert_eq!(automatic(OWN), Some((0, 400)));
        assert_eq!(automatic(&[b"{}\n", OWN].concat()), Some((3, 400)));
        assert_eq!(automatic(&[OWN, b"\r\n"].concat()), None);
        assert_eq!(automatic(b"HTTP/1.1 200 OK\r\n\r\n"), None);
        assert_eq!(automatic(b""), None);
    }

    #[tokio::test]
    async fn an_automatic_answer_is_replaced_and_a_payload_that_looks_like_one_is_not() {
        for (answering, upgraded) in [(false, false), (true, false), (false, true)] {
            let (near, mut far) = tokio::io::duplex(64);
            let requests = Requests::default();
            let mut formed = Formed::new(near, requests.clone(), ());
            let kept = answering.then(|| requests.enter());
            if upgraded {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                let _ = requests.enter().keep(response);
            }
            let write = async {
                let text = [b"before ", OWN].concat();
                formed.write_all(&text).await.unwrap();
                formed.flush().await.unwrap();
                formed.shutdown().await.unwrap();
                drop(formed);
            };
            let mut read = Vec::new();
            let (_, took) = tokio::join!(write, far.read_to_end(&mut read));
            took.unwrap();
            drop(kept);
            let text = String::from_utf8(read).unwrap();
            assert!(text.starts_with("before HTTP/1.1 400 Bad Request\r\n"), "{text}");
            assert_eq!(text.contains("sluice-effect: block"), !answering && !upgraded, "{text}");
            let limit = (!answering && !upgraded).then_some(Limit::Request);
            assert_eq!(requests.refused(), limit);
        }
    }
}
