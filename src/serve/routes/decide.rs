//! `POST /v1/decide`: a payload with its flow header to a recorded decision.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{HeaderMap, Response, header};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tracing::info;

use super::{Daemon, FLOW, attested, expected, hold, pool_refused, refused, token_of};
use crate::config::Limits;
use crate::decode::Format;
use crate::engine::{Arriving, DeskError, Settled, events_of};
use crate::model::{Cause, Claimed, Effect, FlowHeader};
use crate::policy::{Carrier, MAX_HEADER, parse_header};
use crate::respond::{NameCleaner, escape};
use crate::serve::answer;
use crate::serve::budget::Share;
use crate::serve::cache::Purpose;
use crate::serve::in_force::InForce;
use crate::serve::metrics::Decided;
use crate::serve::payload::{Broken, Pieces, grow};
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

/// How much later than its deadline the answer to a request may be, so that what was recorded of it is
/// said.
const LATE: Duration = Duration::from_millis(500);

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
    let deadline = Instant::now() + Duration::from_millis(limits.deadline_ms);
    let (flow, payload, broken) = if is_multipart && !headers.contains_key(FLOW) {
        match Form::read(request, &limits, deadline, &mut share).await {
            Ok(form) => (form.flow, form.payload, form.broken),
            Err((limit, message)) => return refused(&shared, &caller, limit, &message),
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
    let (answer, answered) = oneshot::channel();
    let (working, deciding) = (Arc::clone(&shared), Arc::clone(&in_force));
    let token = token_of(&headers, &caller, &in_force);
    let asking = Arc::clone(&caller);
    let work = move || {
        let attested = attested(&asking, token)?;
        let declared = flow.format.as_ref().and_then(|word| Format::declared(word.as_str()));
        let is_late = || Instant::now() >= deadline;
        // What came only in part is not the payload that anybody sends again.
        let found = (limit.is_none() && !is_late()).then(|| {
            let uid = attested.uid;
            let found = working.found(&deciding, &payload, uid, declared, Purpose::Decide);
            Arc::unwrap_or_clone(found)
        });
        let limit = limit.or(is_late().then_some(Limit::Deadline));
        let arriving = Arriving {
            header: flow,
            attested,
            carrier: Carrier::Rewritable,
            payload: &payload,
            failed: limit.map(cause_of),
            began,
            classified: found,
            stands_for: None,
            excepted: Default::default(),
        };
        let told = move |settled| drop(answer.send(settled));
        working.desk(&deciding).settle_then(&arriving, told);
        // The share goes where the payload is: the caller may be gone by now.
        Ok((payload, limit, share))
    };
    let working = shared.pool.run::<Result<(Vec<u8>, Option<Limit>, Share), &'static str>>(work);
    // Scanning cannot be broken off: what is late is recorded as block, and the caller does not wait.
    let (payload, limit, share) = match timeout_at(deadline + LATE, working).await {
        Ok(Ok(Ok(done))) => done,
        Ok(Ok(Err(message))) => return refused(&shared, &caller, Limit::Forbidden, message),
        Ok(Err(error)) => return pool_refused(&shared, &caller, error),
        Err(_) => return refused(&shared, &caller, Limit::Deadline, "it took too long"),
    };
    if let Some(limit) = limit {
        shared.metrics.refuse(limit.as_str());
    }
    let idle = Duration::from_millis(limits.idle_ms);
    let settled = match timeout_at(deadline + idle, answered).await {
        Ok(Ok(Ok(settled))) => settled,
        Ok(Ok(Err(error))) => return unrecorded(&shared, &caller, &error),
        Ok(Err(_)) => return refused(&shared, &caller, Limit::Internal, "internal error"),
        Err(_) => {
            let message = "the decision was not recorded in time, so nothing is released";
            return refused(&shared, &caller, Limit::Deadline, message);
        }
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
        Ok(response) => hold(response, share),
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

/// What a multipart body holds.
struct Form {
    flow: FlowHeader,
    payload: Vec<u8>,
    /// Why the payload is not all there.
    broken: Option<Broken>,
}

impl Form {
    /// Reads the parts `flow` and `payload`. What goes wrong behind the flow header is about a flow,
    /// and decided.
    async fn read(
        request: Request,
        limits: &Limits,
        deadline: Instant,
        share: &mut Share,
    ) -> Result<Form, (Limit, String)> {
        let wrong = |message: &str| (Limit::Request, message.to_owned());
        let idle = Duration::from_millis(limits.idle_ms);
        let mut parts = Multipart::from_request(request, &())
            .await
            .map_err(|_| wrong("the body is no multipart/form-data"))?;
        let ordered = "the parts are `flow` and `payload`, once, in this order";
        let mut flow = match timed(parts.next_field(), idle, deadline).await {
            Ok(Ok(Some(part))) if part.name() == Some("flow") => part,
            Ok(Ok(_)) => return Err(wrong(ordered)),
            Ok(Err(_)) => return Err(wrong("the body does not end well")),
            Err(limit) => return Err((limit, "the flow header did not come in time".to_owned())),
        };
        let (text, broken) = piecewise(&mut flow, MAX_HEADER as u64, share, idle, deadline).await;
        drop(flow);
        match broken {
            None => {}
            Some(Broken::Client) => return Err(wrong("the body does not end well")),
            Some(Broken::Limit(Limit::PayloadBytes)) => {
                return Err((Limit::HeaderBytes, "the flow header is too large".to_owned()));
            }
            Some(Broken::Limit(limit)) => {
                return Err((limit, "the flow header did not come whole".to_owned()));
            }
        }
        let flow = parse_header(&text).map_err(|error| wrong(&error.to_string()))?;
        let form = |payload, broken| Ok(Form { flow, payload, broken });
        let mut part = match timed(parts.next_field(), idle, deadline).await {
            Ok(Ok(Some(part))) if part.name() == Some("payload") => part,
            Ok(Ok(_)) => return Err(wrong(ordered)),
            Ok(Err(_)) => return form(Vec::new(), Some(Broken::Client)),
            Err(limit) => return form(Vec::new(), Some(Broken::Limit(limit))),
        };
        let (payload, broken) =
            piecewise(&mut part, limits.payload_bytes, share, idle, deadline).await;
        drop(part);
        if broken.is_some() {
            return form(payload, broken);
        }
        match timed(parts.next_field(), idle, deadline).await {
            Ok(Ok(None)) => form(payload, None),
            Ok(Ok(Some(_))) => Err(wrong(ordered)),
            Ok(Err(_)) => form(payload, Some(Broken::Client)),
            Err(limit) => form(payload, Some(Broken::Limit(limit))),
        }
    }
}

/// Waits within the idle and the total deadline.
async fn timed<T>(
    what: impl Future<Output = T>,
    idle: Duration,
    deadline: Instant,
) -> Result<T, Limit> {
    let idle = Instant::now() + idle;
    let past = if idle < deadline { Limit::Idle } else { Limit::Deadline };
    timeout_at(idle.min(deadline), what).await.map_err(|_| past)
}

/// A part, or as far as it came with what went wrong.
async fn piecewise(
    part: &mut axum::extract::multipart::Field<'_>,
    limit: u64,
    share: &mut Share,
    idle: Duration,
    deadline: Instant,
) -> (Vec<u8>, Option<Broken>) {
    let mut whole = Vec::new();
    loop {
        let piece = match timed(part.chunk(), idle, deadline).await {
            Ok(Ok(Some(piece))) => piece,
            Ok(Ok(None)) => return (whole, None),
            Ok(Err(_)) => return (whole, Some(Broken::Client)),
            Err(limit) => return (whole, Some(Broken::Limit(limit))),
        };
        if whole.len().saturating_add(piece.len()) as u64 > limit {
            return (whole, Some(Broken::Limit(Limit::PayloadBytes)));
        }
        if !grow(&mut whole, piece.len(), share) {
            return (whole, Some(Broken::Limit(Limit::Memory)));
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
