//! What can be asked of the daemon.

mod admin;
mod classify;
mod decide;
mod duplex;
mod json_body;
mod litellm;
mod openapi;
mod presidio;
mod stream;

pub use decide::cause_of;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::middleware::{self, Next};
use axum::routing::{get, post};
use axum::{Extension, Router};
use bytes::Bytes;
use tracing::info;

use super::budget::Share;
use super::in_force::InForce;
use super::metrics::{Answered, Route};
use super::payload::Lingering;
use super::pool::PoolError;
use super::refusal::{Limit, refuse};
use super::shared::{Caller, Shared};
use crate::model::{Attested, TokenOf};

/// The header with the number of the request.
pub const REQUEST: HeaderName = HeaderName::from_static("sluice-request-id");

/// The header with the flow.
pub const FLOW: HeaderName = HeaderName::from_static("sluice-flow");

/// What a handler works with.
type Daemon = State<Arc<Shared>>;

/// All routes.
pub fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/classify", post(classify::classify))
        .route("/v1/decide", post(decide::decide).layer(DefaultBodyLimit::disable()))
        .route("/v1/stream", post(stream::stream).get(duplex::duplex))
        .route("/v1/reload", post(admin::reload))
        .route("/healthz", get(admin::healthz))
        .route("/readyz", get(admin::readyz))
        .route("/metrics", get(admin::metrics))
        .route("/openapi.json", get(openapi::openapi))
        .route("/analyze", post(presidio::analyze))
        .route("/health", get(presidio::health))
        .route("/recognizers", get(presidio::recognizers))
        .route("/supportedentities", get(presidio::supported_entities))
        .route("/beta/litellm_basic_guardrail_api", post(litellm::guardrail))
        .fallback(|| async { no_route() })
        .method_not_allowed_fallback(|| async {
            refuse(Limit::Method, "this route is asked with another method")
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), around))
        .with_state(shared)
}

/// Numbers, counts and logs each request, and refuses those that nobody may send.
async fn around(
    State(shared): Daemon,
    Extension(caller): Extension<Arc<Caller>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let began = Instant::now();
    let request = request.map(Lingering::around);
    let number = shared.requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let id = format!("{}-{number:x}", run_id(&shared.run_key));
    // A path that is no route may hold anything.
    let route = known(route.as_ref().map_or("", |route| route.as_str()));
    let in_force = shared.now_in_force();
    let limits = in_force.settings.limits;
    let mut response = if !is_on(route, &in_force.settings) {
        no_route()
    } else if head_bytes(&request) > limits.header_bytes {
        shared.refused(Limit::HeaderBytes, &caller);
        refuse(Limit::HeaderBytes, "the head of the request is too large")
    } else if caller.tcp && !shared.is_token(request.headers()) {
        shared.refused(Limit::Forbidden, &caller);
        let mut response =
            refuse(Limit::Forbidden, "over TCP every request needs the daemon's bearer token");
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response
    } else {
        next.run(request).await
    };
    let status = response.status().as_u16();
    if let Ok(id) = HeaderValue::try_from(&id) {
        response.headers_mut().insert(REQUEST, id);
    }
    shared.metrics.requests.get_or_create(&Answered { route, status }).inc();
    let took = began.elapsed();
    shared.metrics.seconds.get_or_create(&Route { route }).observe(took.as_secs_f64());
    info!(
        request = id,
        route,
        status,
        uid = caller.peer.uid(),
        took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        "answered"
    );
    response
}

fn no_route() -> Response<Body> {
    refuse(Limit::NoRoute, "nothing is there; see docs/PROTOCOL.md")
}

/// Whether a route is there as it is configured: those of other programs are off until asked for.
fn is_on(route: &str, settings: &crate::config::Serve) -> bool {
    match route {
        "/analyze" | "/health" | "/recognizers" | "/supportedentities" => settings.presidio,
        "/beta/litellm_basic_guardrail_api" => settings.litellm.is_some(),
        _ => true,
    }
}

/// The name of the run of a daemon with this key, with which the ids of its requests begin.
pub fn run_id(run_key: &[u8; 32]) -> String {
    // The key itself is a secret: a digest of it tells runs apart as well.
    use sha2::Digest;
    let digest = sha2::Sha256::digest(run_key);
    data_encoding::HEXLOWER.encode(digest.get(..4).unwrap_or_default())
}

/// The route as metrics and logs name it.
fn known(route: &str) -> &'static str {
    const ROUTES: [&str; 13] = [
        "/v1/classify",
        "/v1/decide",
        "/v1/stream",
        "/v1/reload",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/analyze",
        "/health",
        "/recognizers",
        "/supportedentities",
        "/beta/litellm_basic_guardrail_api",
    ];
    ROUTES.into_iter().find(|it| *it == route).unwrap_or("other")
}

/// Bytes of the head of a request, near enough.
fn head_bytes(request: &Request) -> usize {
    let headers = request.headers().iter();
    let line = request.uri().path_and_query().map_or(0, |it| it.as_str().len()) + 16;
    headers.map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>() + line
}

/// The token of a bearer, if one is presented (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// The header of a workflow's token, for connections whose `Authorization` is taken.
pub const WORKFLOW_TOKEN: HeaderName = HeaderName::from_static("sluice-workflow-token");

impl Shared {
    /// Whether a request over TCP shows the daemon's token.
    fn is_token(&self, headers: &HeaderMap) -> bool {
        bearer(headers).is_some_and(|token| self.is_tcp_token(token))
    }
}

/// The workflow whose token a request shows.
fn token_of(headers: &HeaderMap, caller: &Caller, in_force: &InForce) -> Option<TokenOf> {
    let own = headers.get(WORKFLOW_TOKEN).map(HeaderValue::as_bytes);
    let token = own.or_else(|| bearer(headers).filter(|_| !caller.tcp))?;
    in_force.tokens.find(token)
}

/// What is refused, counted and recorded.
fn refused(shared: &Shared, caller: &Caller, limit: Limit, message: &str) -> Response<Body> {
    shared.refused(limit, caller);
    refuse(limit, message)
}

fn pool_refused(shared: &Shared, caller: &Caller, error: PoolError) -> Response<Body> {
    match error {
        PoolError::Full => {
            refused(shared, caller, Limit::Queue, "too much work waits; try again later")
        }
        PoolError::Lost => refused(shared, caller, Limit::Internal, "internal error"),
    }
}

/// The identity of the caller for a decision.
fn attested(caller: &Caller, token: Option<TokenOf>) -> Result<Attested, &'static str> {
    caller.peer.attested(token).map_err(|_| "the process that connected is gone")
}

/// Bytes that a request says its body has.
fn expected(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    length.and_then(|it| it.parse().ok()).unwrap_or(0)
}

/// Holds memory until the answer was given: as much as its body has.
fn hold(response: Response<Body>, mut share: Share) -> Response<Body> {
    use hyper::body::Body as _;
    let size = response.body().size_hint().upper().unwrap_or(0);
    // The payload is gone, so that this shrinks, or is what a scan of it has made of it.
    share.take(usize::try_from(size).unwrap_or(usize::MAX));
    response.map(|body| Body::new(Held { body, _share: share }))
}

/// The body of an answer with the memory that it has.
struct Held {
    body: Body,
    _share: Share,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
