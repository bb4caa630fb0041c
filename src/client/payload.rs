//! What goes to the daemon: a flow header, and a payload whole or in pieces.

use std::io;

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::Request;
use hyper::body::Frame;
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
pub(super) fn pieces() -> (Pieces, Body) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let frames =
        futures_util::stream::unfold(receiver, async |mut receiver| match receiver.recv().await {
            Some(Piece::Data(bytes)) => Some((Ok(Frame::data(bytes)), receiver)),
            Some(Piece::End) => None,
            None => Some((Err(io::Error::other("the payload broke off")), receiver)),
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
            let (pieces, body) = pieces();
            let sending = send(&b"all of it"[..], pieces);
            let (sent, body) = tokio::join!(sending, body.collect());
            assert!(sent.is_ok() && body.unwrap().to_bytes() == "all of it");
            let (dropped, body) = super::pieces();
            drop(dropped);
            assert!(body.collect().await.is_err());
        });
    }
}
