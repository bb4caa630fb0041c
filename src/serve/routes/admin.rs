//! Health, metrics and reload.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, header};
use serde_json::json;

use super::{Daemon, refused};
use crate::serve::answer;
use crate::serve::refusal::{Limit, refuse};
use crate::serve::shared::Caller;

/// Whether the process runs.
pub async fn healthz() -> Response<Body> {
    answer::json(b"{\"status\":\"ok\"}\n".to_vec(), None)
}

/// Whether payloads are decided: not while the daemon ends, and never after the ledger failed.
pub async fn readyz(State(shared): Daemon) -> Response<Body> {
    if shared.is_stopping() {
        return refuse(Limit::Stopping, "the daemon ends");
    }
    if shared.ledger.failed().is_some() {
        return refuse(Limit::Ledger, "the ledger takes no entries; see `sluice ledger verify`");
    }
    answer::json(b"{\"status\":\"ready\"}\n".to_vec(), None)
}

/// The metrics.
pub async fn metrics(State(shared): Daemon) -> Response<Body> {
    shared.measure();
    let mut response = Response::new(Body::from(shared.metrics.text()));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Reads rules and register anew; for root and the daemon's own user.
pub async fn reload(
    State(shared): Daemon,
    Extension(caller): Extension<Arc<Caller>>,
) -> Response<Body> {
    let uid = caller.peer.uid();
    if caller.tcp || uid != 0 && uid != shared.uid {
        let message = "only root and the daemon's own user reload it, over its Unix socket";
        return refused(&shared, &caller, Limit::Forbidden, message);
    }
    match shared.reload().await {
        Ok(taken) => answer::json(answer::line(&taken), None),
        Err(problem) => {
            let mut response = answer::json(
                answer::line(&json!({"effect": "block", "error": problem, "changed": false})),
                Some(crate::model::Effect::Block),
            );
            *response.status_mut() = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
            response
        }
    }
}
