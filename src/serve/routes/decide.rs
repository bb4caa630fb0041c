//! `POST /v1/decide`: a payload with its flow header to a recorded decision.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{HeaderMap, Response, header};
use tokio::sync::oneshot;
use tracing::info;

use super::{Daemon, FLOW, attested, expected, hold, pool_refused, refused, token_of};
use crate::decode::Format;
use crate::engine::{Arriving, DeskError, Settled, events_of};
use crate::model::{Cause, Claimed, Effect, FlowHeader};
use crate::policy::{Carrier, MAX_HEADER, parse_header};
use crate::respond::{NameCleaner, escape};
use crate::serve::answer;
use crate::serve::cache::Purpose;
use crate::serve::in_force::InForce;
use crate::serve::metrics::Decided;
use crate::serve::payload::{Broken, Pieces};
use crate::serve::refusal::{Limit, refuse};
use crate::serve::shared::{Caller, Shared, now};

/// The flow header of a request, in its own header.
pub fn flow_header(headers: &HeaderMap) -> Result<FlowHeader, String> {
    let Some(value) = headers.get(FLOW) else {
        return Err("the header `Sluice-Flow` is missing: the flow as JSON".to_owned());
    };
    if headers.get_all(FLOW).iter().count() > 1 {
        return Err("the header `Sluice-Flow` is there twice".to_owned());
    }
    parse_header(value.as_bytes()).map_err(|error| error.to_string())
}

/// Decides a payload. The flow header stands in `Sluice-Flow`, or in the part `flow` of a
/// `multipart/form-data` body with the payload in the part `payload` behind it.
pub async fn decide(
    State(shared): Daemon,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request,
) -> Response<Body> {
    let began = now();
    let headers = request.headers().clone();
    let in_force = shared.now_in_force();
    let limits = in_force.settings.limits;
    let mut share = shared.memory.share();
    let is_multipart = headers
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok())
        .is_some_and(|it| it.starts_with("multipart/form-data"));
    let (flow, payload, broken) = if is_multipart && !headers.contains_key(FLOW) {
        let deadline = std::time::Duration::from_millis(limits.deadline_ms);
        let read = parts(request, &limits, &mut share);
        match tokio::time::timeout(deadline, read).await {
            Ok(Ok((flow, payload))) => (flow, payload, None),
            Ok(Err((limit, message))) => return refused(&shared, &caller, limit, &message),
            Err(_) => {
                let message = "the payload did not come whole";
                return refused(&shared, &caller, Limit::Deadline, message);
            }
        }
    } else {
        let flow = match flow_header(&headers) {
            Ok(flow) => flow,
            Err(message) => return refused(&shared, &caller, Limit::Request, &message),
        };
        let mut pieces = Pieces::new(request.into_body(), &limits, limits.deadline_ms);
        let (payload, broken) = pieces.whole(&mut share, expected(&headers)).await;
        (flow, payload, broken)
    };
    shared.metrics.payload_bytes.inc_by(payload.len() as u64);
    let limit = broken.map(|broken| match broken {
        Broken::Limit(limit) => limit,
        Broken::Client => Limit::Request,
    });
    if let Some(limit) = limit {
        shared.metrics.refuse(limit.as_str());
    }
    let failed = limit.map(cause_of);
    let (answer, answered) = oneshot::channel();
    let (working, deciding) = (Arc::clone(&shared), Arc::clone(&in_force));
    let token = token_of(&headers, &caller, &in_force);
    let asking = Arc::clone(&caller);
    let work = move || {
        let attested = attested(&asking, token)?;
        let declared = flow.format.as_ref().and_then(|word| Format::declared(word.as_str()));
        // What came only in part is not the payload that anybody sends again.
        let found = failed.is_none().then(|| {
            let uid = attested.uid;
            let found = working.found(&deciding, &payload, uid, declared, Purpose::Decide);
            Arc::unwrap_or_clone(found)
        });
        let arriving = Arriving {
            header: flow,
            attested,
            carrier: Carrier::Rewritable,
            payload: &payload,
            failed,
            began,
            classified: found,
        };
        let told = move |settled| drop(answer.send(settled));
        working.desk(&deciding).settle_then(&arriving, told);
        Ok(payload)
    };
    let payload = match shared.pool.run::<Result<Vec<u8>, &'static str>>(work).await {
        Ok(Ok(payload)) => payload,
        Ok(Err(message)) => return refused(&shared, &caller, Limit::Forbidden, message),
        Err(error) => return pool_refused(&shared, &caller, error),
    };
    let settled = match answered.await {
        Ok(Ok(settled)) => settled,
        Ok(Err(error)) => return unrecorded(&shared, &caller, &error),
        Err(_) => return refused(&shared, &caller, Limit::Internal, "internal error"),
    };
    let effect = shared.decided(&settled, &in_force);
    let text = answer::decision(&settled, &in_force);
    if let Some(limit) = limit {
        // The decision is block; the status says what to do about it.
        let mut response = answer::json(text, Some(effect));
        *response.status_mut() = limit.status();
        return response;
    }
    let released = match (effect, settled.judged.redacted) {
        (Effect::Redact, Some(bytes)) if !answer::wants_json_alone(&headers) => Some(bytes),
        (Effect::Allow, _) if answer::wants_parts(&headers) => Some(payload),
        _ => None,
    };
    let answered = match released {
        None => Ok(answer::json(text, Some(effect))),
        Some(bytes) => {
            shared.metrics.released_bytes.inc_by(bytes.len() as u64);
            answer::parts(bytes, &text, effect)
        }
    };
    match answered {
        Ok(mut response) => {
            hold(&mut response, share);
            response
        }
        Err(_) => refused(&shared, &caller, Limit::Internal, "no random numbers"),
    }
}

/// What a decision says that came to nothing because of a limit.
pub fn cause_of(limit: Limit) -> Cause {
    match limit.cause() {
        "limit" => Cause::Limit,
        "deadline" => Cause::Deadline,
        _ => Cause::Error,
    }
}

/// The answer where the ledger takes nothing: block, and the daemon is not ready any more.
pub fn unrecorded(shared: &Shared, caller: &Caller, error: &DeskError) -> Response<Body> {
    tracing::error!(%error, "not recorded");
    shared.refused(Limit::Ledger, caller);
    refuse(Limit::Ledger, "the decision cannot be recorded, so nothing is released")
}

/// Flow header and payload of a multipart body.
async fn parts(
    request: Request,
    limits: &crate::config::Limits,
    share: &mut crate::serve::budget::Share,
) -> Result<(FlowHeader, Vec<u8>), (Limit, String)> {
    let wrong = |message: &str| (Limit::Request, message.to_owned());
    let mut parts = Multipart::from_request(request, &())
        .await
        .map_err(|_| wrong("the body is no multipart/form-data"))?;
    let mut flow = None;
    loop {
        let part = parts.next_field().await.map_err(|_| wrong("the body does not end well"))?;
        let Some(mut part) = part else {
            return Err(wrong("the parts `flow` and `payload` have to be there, in this order"));
        };
        match (part.name(), flow.is_some()) {
            (Some("flow"), false) => {
                let text = piecewise(&mut part, MAX_HEADER as u64, share).await?;
                flow = Some(parse_header(&text).map_err(|it| wrong(&it.to_string()))?);
            }
            (Some("payload"), true) => {
                let payload = piecewise(&mut part, limits.payload_bytes, share).await?;
                drop(part);
                if !matches!(parts.next_field().await, Ok(None)) {
                    return Err(wrong("something stands behind the part `payload`"));
                }
                let flow = flow.ok_or_else(|| wrong("the part `flow` is missing"))?;
                return Ok((flow, payload));
            }
            _ => return Err(wrong("the parts are `flow` and `payload`, once, in this order")),
        }
    }
}

async fn piecewise(
    part: &mut axum::extract::multipart::Field<'_>,
    limit: u64,
    share: &mut crate::serve::budget::Share,
) -> Result<Vec<u8>, (Limit, String)> {
    let mut whole = Vec::new();
    loop {
        let piece = part.chunk().await;
        let piece = piece.map_err(|_| (Limit::Request, "the body does not end well".to_owned()))?;
        let Some(piece) = piece else { return Ok(whole) };
        let length = whole.len().saturating_add(piece.len());
        if length as u64 > limit {
            return Err((Limit::PayloadBytes, "a part is too large".to_owned()));
        }
        if !share.resize(length.max(whole.capacity())) {
            return Err((Limit::Memory, "too much of payloads is in memory".to_owned()));
        }
        whole.extend_from_slice(&piece);
    }
}

impl Shared {
    /// Counts a decision, and has the paths of its workflow told.
    pub fn decided(&self, settled: &Settled, in_force: &InForce) -> Effect {
        let decision = &settled.judged.decision;
        let (effect, cause) = (decision.effect, decision.cause);
        let decided = Decided { effect: effect.as_str(), cause: cause.as_str() };
        self.metrics.decisions.get_or_create(&decided).inc();
        log(settled, in_force);
        if let Some(messenger) = &self.messenger {
            for (id, event) in events_of(settled, &in_force.policy, &in_force.rules.taxonomy) {
                messenger.tell(id, &event);
            }
        }
        effect
    }
}

/// Characters of a claim in the log.
const LOGGED_CHARS: usize = 128;

/// Logs a decision. Claims are cleaned as in records, and have the names of OpenTelemetry's semantic
/// conventions for generative models where they have one.
fn log(settled: &Settled, in_force: &InForce) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let judged = &settled.judged;
    let header = &judged.header;
    let claim = |claimed: &Option<Claimed>| {
        let cleaned = escape(&in_force.names.clean(claimed.as_ref()?.as_str()));
        Some(cleaned.chars().take(LOGGED_CHARS).collect::<String>())
    };
    let policy = &in_force.policy;
    info!(
        sequence = settled.receipt.sequence,
        effect = judged.decision.effect.as_str(),
        cause = judged.decision.cause.as_str(),
        channel = judged.flow.channel.as_str(),
        workflow = policy.workflow_of(&judged.flow).map(|it| it.id.as_str()),
        destination = policy.destination_of(&judged.flow).map(|it| it.id.as_str()),
        uid = judged.attested.uid,
        bytes = judged.flow.bytes,
        gen_ai.conversation.id = claim(&header.run),
        gen_ai.agent.name = claim(&header.agent),
        gen_ai.tool.name = claim(&header.tool),
        "decided"
    );
}
