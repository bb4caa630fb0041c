//! Connections to the socket: opened, kept while they are idle, and used again.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

use super::payload::{Body, whole};
use super::{Client, ClientError};
use crate::respond::escape;

/// Sends requests over one connection.
#[derive(Debug)]
pub(super) struct Requests {
    sender: http1::SendRequest<Body>,
    unread: Arc<AtomicBool>,
}

impl Requests {
    /// Sends a request, and gives the answer as far as its head.
    pub(super) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, ClientError> {
        self.sender.ready().await.map_err(broken)?;
        self.sender.send_request(request).await.map_err(broken)
    }

    /// Whether nothing that was sent has been dropped because the other end no longer reads.
    pub(super) fn is_read(&self) -> bool {
        !self.unread.load(Ordering::SeqCst)
    }
}

/// Connections that are kept for later.
const KEPT: usize = 64;

/// How long to wait before a full queue of connections is tried again.
const AGAIN: Duration = Duration::from_millis(5);

impl Client {
    /// A request with a body in one piece.
    pub(super) fn request(
        &self,
        method: Method,
        target: &str,
        body: Bytes,
    ) -> Result<Request<Body>, ClientError> {
        self.request_of(method, target, whole(body))
    }

    /// A request.
    pub(super) fn request_of(
        &self,
        method: Method,
        target: &str,
        body: Body,
    ) -> Result<Request<Body>, ClientError> {
        let request = Request::builder().method(method).uri(target);
        let mut request =
            request.body(body).map_err(|_| ClientError::Unreadable("the target of a request"))?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("sluice"));
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        Ok(request)
    }

    /// Sends a request over a kept connection, or a new one. A connection that was closed meanwhile
    /// has taken nothing of the request, which then goes over the next one.
    pub(super) async fn exchange(
        &self,
        mut request: Request<Body>,
    ) -> Result<(Requests, Response<Incoming>), ClientError> {
        while let Some(mut sender) = self.kept() {
            if sender.sender.ready().await.is_err() {
                continue;
            }
            match sender.sender.try_send_request(request).await {
                Ok(response) => return Ok((sender, response)),
                Err(mut error) => match error.take_message() {
                    Some(back) => request = back,
                    None => return Err(broken(error.into_error())),
                },
            }
        }
        let mut sender = self.open().await?;
        let response = sender.send(request).await?;
        Ok((sender, response))
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn keep(&self, sender: Requests) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !sender.sender.is_closed() && idle.len() < KEPT {
            idle.push(sender);
        }
    }

    fn kept(&self) -> Option<Requests> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|sender| !sender.sender.is_closed());
        idle.pop()
    }

    /// A connection that nobody else uses: a new one, or the only one that this client may use.
    pub(super) async fn open(&self) -> Result<Requests, ClientError> {
        let only = if self.path.is_none() { self.kept() } else { None };
        match only {
            Some(only) => Ok(only),
            None => over(self.socket().await?).await,
        }
    }

    /// A connected socket.
    pub(super) async fn socket(&self) -> Result<UnixStream, ClientError> {
        let Some(path) = &self.path else {
            return Err(ClientError::BrokenOff("the only connection is closed".to_owned()));
        };
        let within = self.timeouts.connect;
        let connecting = async {
            loop {
                match UnixStream::connect(path).await {
                    // As many wait to be accepted as may.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(AGAIN).await,
                    other => return other,
                }
            }
        };
        let stream = timeout(within, connecting).await.map_err(|_| ClientError::Timeout(within))?;
        stream.map_err(|problem| {
            let path = escape(&path.to_string_lossy());
            ClientError::NoDaemon { path, problem }
        })
    }
}

/// Requests over a connected socket.
pub(super) async fn over(stream: UnixStream) -> Result<Requests, ClientError> {
    let unread = Arc::new(AtomicBool::new(false));
    let stream = Lenient { stream, unread: Arc::clone(&unread) };
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Whoever waits for an answer is told how the connection ended.
    tokio::spawn(async move { drop(connection.await) });
    Ok(Requests { sender, unread })
}

/// An error of the connection. What hyper says of it holds nothing of a payload.
pub(super) fn broken(error: hyper::Error) -> ClientError {
    ClientError::BrokenOff(error.to_string())
}

/// A socket whose other end may stop reading and still answer, as the daemon does when it blocks
/// early: what it no longer reads is dropped, and its answer is read.
struct Lenient {
    stream: UnixStream,
    unread: Arc<AtomicBool>,
}

impl Lenient {
    fn written(
        &mut self,
        length: usize,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Ready(Err(error)) if is_gone(&error) => {
                self.unread.store(true, Ordering::SeqCst);
                Poll::Ready(Ok(length))
            }
            other => other,
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl AsyncRead for Lenient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Lenient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.unread.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(bytes.len(), outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = pieces.iter().map(|piece| piece.len()).sum();
        if self.unread.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(length));
        }
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.written(length, outcome)
    }
}
