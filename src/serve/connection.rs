//! Connections are accepted, counted and served, each on a task of its own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tracing::{debug, warn};

use super::automatic::{Formed, Requests};
use super::budget::Counted;
use super::patient::Patient;
use super::peer::Peer;
use super::refusal::{Limit, refuse_bytes};
use super::shared::{Caller, Shared};

/// How long accepting rests after it failed, for want of descriptors say.
const REST: Duration = Duration::from_millis(50);

/// Headers of a request.
const MAX_HEADERS: usize = 64;

/// The least that hyper takes as a limit of the head.
const LEAST_HEAD: usize = 8_192;

/// Where connections come from.
pub enum Listener {
    /// The Unix socket.
    Unix(UnixListener),
    /// Loopback TCP.
    Tcp(TcpListener),
}

enum Accepted {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// Accepts connections until `stop` says so. No more than `slots` has permits are open at a time:
/// further ones wait where the kernel keeps them.
pub async fn accept(
    listener: Listener,
    shared: Arc<Shared>,
    router: Router,
    slots: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let slot = tokio::select! {
            slot = Arc::clone(&slots).acquire_owned() => slot,
            _ = stop.changed() => return,
        };
        let Ok(slot) = slot else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        match accepted {
            Ok(accepted) => {
                let (shared, router) = (Arc::clone(&shared), router.clone());
                tokio::spawn(admit(accepted, shared, router, slot, stop.clone()));
            }
            Err(error) => {
                // Out of descriptors, most likely: those who have one go on.
                shared.metrics.accept_errors.inc();
                warn!(%error, "a connection was not accepted");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

impl Listener {
    async fn accept(&self) -> std::io::Result<Accepted> {
        match self {
            Listener::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
            Listener::Tcp(listener) => Ok(Accepted::Tcp(listener.accept().await?.0)),
        }
    }
}

/// Finds out who connected, and serves the connection if that user has not too many.
async fn admit(
    accepted: Accepted,
    shared: Arc<Shared>,
    router: Router,
    slot: OwnedSemaphorePermit,
    stop: watch::Receiver<bool>,
) {
    let asking = Arc::clone(&shared);
    let identify = tokio::task::spawn_blocking(move || {
        let peer = match &accepted {
            Accepted::Unix(stream) => Peer::of(stream, &asking.executables),
            Accepted::Tcp(stream) => match (stream.local_addr(), stream.peer_addr()) {
                (Ok(local), Ok(peer)) => Peer::of_tcp(local, peer),
                (Err(error), _) | (_, Err(error)) => return Err((accepted, error.to_string())),
            },
        };
        match peer {
            Ok(peer) => Ok((accepted, peer)),
            Err(error) => Err((accepted, error.to_string())),
        }
    });
    let (accepted, peer) = match identify.await {
        Ok(Ok(identified)) => identified,
        Ok(Err((_, error))) => {
            shared.metrics.refuse(Limit::Forbidden.as_str());
            warn!(error, "a connection of nobody known");
            return;
        }
        Err(_) => return,
    };
    let caller = Arc::new(Caller { peer, tcp: matches!(accepted, Accepted::Tcp(_)) });
    let limit = shared.in_force.load().settings.limits.connections_per_uid;
    let counted = shared.connections.enter(caller.peer.uid(), limit);
    match (accepted, counted) {
        (Accepted::Unix(stream), Some(counted)) => {
            serve(stream, caller, shared, router, stop, (slot, counted)).await;
        }
        (Accepted::Tcp(stream), Some(counted)) => {
            let _ = stream.set_nodelay(true);
            serve(stream, caller, shared, router, stop, (slot, counted)).await;
        }
        (Accepted::Unix(stream), None) => turn_away(stream, &caller, &shared).await,
        (Accepted::Tcp(stream), None) => turn_away(stream, &caller, &shared).await,
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    caller: Arc<Caller>,
    shared: Arc<Shared>,
    router: Router,
    mut stop: watch::Receiver<bool>,
    held: (OwnedSemaphorePermit, Counted),
) {
    let limits = shared.in_force.load().settings.limits;
    let requests = Requests::default();
    let idle = Duration::from_millis(limits.idle_ms);
    let total = Duration::from_millis(limits.deadline_ms.max(limits.stream_deadline_ms));
    let stream = Patient::new(stream, idle, total);
    let stream = Formed::new(stream, requests.clone(), held);
    let routes = tower_service(router, Arc::clone(&caller));
    let entering = requests.clone();
    let service = service_fn(move |request| {
        let answering = entering.enter();
        let answer = routes.call(request);
        async move { answer.await.map(|response| answering.keep(response)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.idle_ms))
        // A head past the limit is answered by the routes, with its effect; far past it by hyper.
        .max_buf_size(limits.header_bytes.saturating_mul(2).max(LEAST_HEAD))
        .max_headers(MAX_HEADERS)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stop.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        if error.is_parse() {
            shared.refused(requests.refused().unwrap_or(Limit::Request), &caller);
        } else if error.is_timeout() && requests.is_begun() || is_given_up(&error) {
            shared.refused(Limit::Idle, &caller);
        }
        // Its words are about the protocol, never about content.
        debug!(uid = caller.peer.uid(), parse = error.is_parse(), "a connection ended early");
    }
}

/// Whether the other end did not take its answer.
fn is_given_up(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|it| it.downcast_ref::<io::Error>());
    source.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

fn tower_service(
    router: Router,
    caller: Arc<Caller>,
) -> TowerToHyperService<
    impl tower_service::Service<
        Request<Incoming>,
        Response = Response<Body>,
        Error = std::convert::Infallible,
        Future: Send,
    > + Clone
    + Send
    + 'static,
> {
    TowerToHyperService::new(router.layer(axum::Extension(caller)))
}

/// Answers who has too many connections already, without reading anything.
async fn turn_away(mut stream: impl AsyncWrite + Unpin, caller: &Caller, shared: &Shared) {
    shared.refused(Limit::ConnectionsPerUid, caller);
    let message = "this user has as many connections as may be; close some";
    let answer = refuse_bytes(Limit::ConnectionsPerUid, message);
    let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(&answer)).await;
}
