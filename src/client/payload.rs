//! What goes to the daemon: a flow header, and a payload whole or in pieces.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::Request;
use hyper::body::{Frame, SizeHint};
use hyper::header::{ACCEPT, HeaderName, HeaderValue, TE};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

use super::ClientError;
use crate::model::FlowHeader;
use crate::policy::{HeaderError, check_header};

/// The body of a request.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The header with the flow.
const FLOW: HeaderName = HeaderName::from_static("sluice-flow");

/// Bytes that are read at a time.
const PIECE: usize = 64 << 10;

/// Pieces that wait to be sent.
const WAITING: usize = 2;

/// A body in one piece.
pub(super) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// How much of a payload has gone out.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<Gone>);

#[derive(Debug, Default)]
struct Gone {
    bytes: AtomicU64,
    ended: AtomicBool,
}

impl Progress {
    /// So many bytes more have gone out.
    pub(super) fn add(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    /// All of it has.
    pub(super) fn end(&self) {
        self.0.ended.store(true, Ordering::SeqCst);
    }

    /// Its bytes, where all of it has gone out.
    pub(super) fn all(&self) -> Option<u64> {
        let ended = self.0.ended.load(Ordering::SeqCst);
        ended.then(|| self.0.bytes.load(Ordering::SeqCst))
    }
}

/// A payload in memory. It goes out piece by piece, so that it is known how far it came.
pub(super) fn counted(bytes: Bytes, progress: &Progress) -> Body {
    if bytes.is_empty() {
        progress.end();
    }
    Counted { rest: bytes, progress: progress.clone() }.boxed_unsync()
}

struct Counted {
    rest: Bytes,
    progress: Progress,
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        self.progress.add(length);
        // Nobody asks for more once the length is reached.
        if self.rest.is_empty() {
            self.progress.end();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// Says what flow the payload is, and whether released bytes are wanted.
pub(super) fn about(
    request: &mut Request<Body>,
    flow: &FlowHeader,
    release: bool,
) -> Result<(), ClientError> {
    let flow = flow_text(flow)?;
    // A header takes every byte from 0x20 up but DEL, which no flow header has.
    let flow = HeaderValue::from_bytes(flow.as_bytes());
    let flow = flow.map_err(|_| ClientError::Unreadable("the flow header"))?;
    // What is allowed is here already; redacted bytes come without being asked for.
    let accept = if release { "*/*" } else { "application/json" };
    let headers = request.headers_mut();
    headers.insert(FLOW, flow);
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    Ok(())
}

/// A flow header as JSON.
pub(super) fn flow_text(flow: &FlowHeader) -> Result<String, ClientError> {
    check_header(flow).map_err(ClientError::Flow)?;
    let malformed = |_| HeaderError::Malformed { kind: "it is no JSON", line: 1, column: 1 };
    serde_json::to_string(flow).map_err(|error| ClientError::Flow(malformed(error)))
}

/// Takes the pieces of a payload.
#[derive(Debug)]
pub(super) struct Pieces(mpsc::Sender<Piece>);

#[derive(Debug)]
enum Piece {
    Data(Bytes),
    End,
}

/// A body that comes in pieces, and who takes them. Where that is dropped before the end, the body
/// breaks off: a payload that was not read whole never looks as if it were.
pub(super) fn pieces(progress: &Progress) -> (Pieces, Body) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let state = (receiver, progress.clone());
    let frames = futures_util::stream::unfold(state, async |(mut receiver, progress)| {
        let frame = match receiver.recv().await {
            Some(Piece::Data(bytes)) => {
                progress.add(bytes.len());
                Ok(Frame::data(bytes))
            }
            Some(Piece::End) => {
                progress.end();
                return None;
            }
            None => Err(io::Error::other("the payload broke off")),
        };
        Some((frame, (receiver, progress)))
    });
    (Pieces(sender), BodyExt::boxed_unsync(StreamBody::new(frames)))
}

/// Reads a payload to its end. Ends early, without an error, where nobody takes it any more.
pub(super) async fn send(
    mut payload: impl AsyncRead + Unpin,
    pieces: Pieces,
) -> Result<(), io::Error> {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(PIECE);
        let read = payload.read_buf(&mut buffer).await?;
        let piece = match read {
            0 => Piece::End,
            _ => Piece::Data(buffer.split().freeze()),
        };
        if pieces.0.send(piece).await.is_err() || read == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    #[test]
    fn a_payload_that_was_not_read_whole_breaks_off() {
        run(async {
            let progress = Progress::default();
            let (pieces, body) = pieces(&progress);
            assert_eq!(progress.all(), None);
            let sending = send(&b"all of it"[..], pieces);
            let (sent, body) = tokio::join!(sending, body.collect());
            assert!(sent.is_ok() && body.unwrap().to_bytes() == "all of it");
            assert_eq!(progress.all(), Some(9));
            let progress = Progress::default();
            let (dropped, body) = super::pieces(&progress);
            drop(dropped);
            assert!(body.collect().await.is_err() && progress.all().is_none());
        });
    }

    #[test]
    fn a_payload_in_memory_has_gone_out_with_its_last_piece() {
        run(async {
            let (progress, bytes) = (Progress::default(), Bytes::from(vec![7; PIECE + 1]));
            let mut body = counted(bytes.clone(), &progress);
            assert_eq!(hyper::body::Body::size_hint(&body).exact(), Some(PIECE as u64 + 1));
            let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!((first.len(), progress.all()), (PIECE, None));
            assert_eq!(body.collect().await.unwrap().to_bytes(), bytes[PIECE..]);
            assert_eq!(progress.all(), Some(PIECE as u64 + 1));
            let progress = Progress::default();
            let body = counted(Bytes::new(), &progress);
            assert!(hyper::body::Body::is_end_stream(&body) && progress.all() == Some(0));
        });
    }
}
