//! LiteLLM's generic guardrail: every text of a request or response is decided and recorded.
//!
//! Shapes are those of litellm 1.110.2 (`GenericGuardrailAPIRequest`, `GenericGuardrailAPIResponse`).
//! Promised: every answer to a `POST` of this route has an `action`, and it is `BLOCKED` for whatever
//! was not decided. Such an answer has status 200, since LiteLLM lets requests pass on other ones where it is told to
//! (`unreachable_fallback`, `fail_on_error`). docs/DROP-IN.md says what becomes of each field.

mod rest;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::json_body::JsonBody;
use super::{Daemon, attested, hold, token_of};
use crate::config::LiteLlm;
use crate::engine::{Arriving, DeskError, Settled};
use crate::model::{Attested, Channel, Claimed, Effect, FlowHeader};
use crate::policy::{Carrier, check_header};
use crate::serve::answer;
use crate::serve::in_force::InForce;
use crate::serve::pool::PoolError;
use crate::serve::refusal::Limit;
use crate::serve::shared::{Caller, Shared, now};

/// Copies of a body: itself, what it holds, the rest with and without its escapes in room that
/// doubles as it grows, and a string of it.
const COPIES: usize = 7;

/// Reasons that an answer holds.
const REASONS: usize = 10;

/// What LiteLLM sends. Fields that are not named here are scanned with the rest: a later version may
/// put text into them.
#[derive(Deserialize)]
struct Asked {
    input_type: InputType,
    #[serde(default)]
    litellm_call_id: Option<String>,
    #[serde(default)]
    litellm_trace_id: Option<String>,
    #[serde(default)]
    texts: Option<Vec<String>>,
    #[serde(default)]
    images: Option<Vec<String>>,
    #[serde(default)]
    request_data: Option<Map<String, Value>>,
    #[serde(default)]
    additional_provider_specific_params: Option<Map<String, Value>>,
    /// What the gateway says of the request; none of it reaches the model.
    #[serde(default)]
    #[allow(dead_code, reason = "kept out of the rest")]
    request_headers: Option<Value>,
    #[serde(default)]
    #[allow(dead_code, reason = "kept out of the rest")]
    litellm_version: Option<Value>,
    #[serde(default)]
    #[allow(dead_code, reason = "kept out of the rest")]
    model: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum InputType {
    Request,
    Response,
}

/// What LiteLLM is told.
#[derive(Debug, Serialize)]
struct Answer {
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    texts: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Action {
    #[serde(rename = "NONE")]
    None,
    #[serde(rename = "GUARDRAIL_INTERVENED")]
    Intervened,
    #[serde(rename = "BLOCKED")]
    Blocked,
}

/// Why nothing was decided, with what to say.
type Undecided = (Limit, String);

/// Decides all texts of a request or response.
pub async fn guardrail(
    State(shared): Daemon,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let began = Instant::now();
    let in_force = shared.now_in_force();
    let limits = in_force.settings.limits;
    let Some(settings) = in_force.settings.litellm.clone() else {
        return undecided(&shared, &caller, Limit::NoRoute, "it is not configured");
    };
    let body = match JsonBody::read(&shared, &headers, body, &limits, COPIES).await {
        Ok(body) => body,
        Err((limit, message)) => return undecided(&shared, &caller, limit, message),
    };
    let token = token_of(&headers, &caller, &in_force);
    let until = began + Duration::from_millis(limits.deadline_ms);
    let (working, asking, deciding) =
        (Arc::clone(&shared), Arc::clone(&caller), Arc::clone(&in_force));
    let work = move || {
        let started = body.parse::<Asked>().map_err(|message| (Limit::Request, message));
        let started = started.and_then(|asked| {
            let attested = attested(&asking, token)
                .map_err(|message| (Limit::Forbidden, message.to_owned()))?;
            let (shared, in_force) = (&working, &deciding);
            Deciding { shared, in_force, settings: &settings, attested, until }.start(asked)
        });
        (started, body.share)
    };
    let (started, share) = match shared.pool.run(work).await {
        Ok(done) => done,
        Err(PoolError::Full) => {
            let message = "too much work waits; try again later";
            return undecided(&shared, &caller, Limit::Queue, message);
        }
        Err(PoolError::Lost) => {
            return undecided(&shared, &caller, Limit::Internal, "internal error");
        }
    };
    let answered = match started {
        Ok(started) => started.answer(&shared, &in_force).await,
        Err(undecided) => Err(undecided),
    };
    match answered {
        Err((limit, message)) => undecided(&shared, &caller, limit, &message),
        Ok((answer, effect)) => hold(answer::json(answer::line(&answer), Some(effect)), share),
    }
}

/// The answer where nothing was decided.
fn undecided(shared: &Shared, caller: &Caller, limit: Limit, message: &str) -> Response<Body> {
    shared.refused(limit, caller);
    let answer = Answer::blocked(format!("sluice: not decided ({}): {message}", limit.as_str()));
    answer::json(answer::line(&answer), Some(Effect::Block))
}

impl Answer {
    fn blocked(reason: String) -> Answer {
        Answer { action: Action::Blocked, blocked_reason: Some(reason), texts: None }
    }
}

/// Decides the payloads of one request of LiteLLM.
struct Deciding<'a> {
    shared: &'a Shared,
    in_force: &'a InForce,
    settings: &'a LiteLlm,
    attested: Attested,
    until: Instant,
}

/// Payloads of which each is decided, but not yet known to be recorded.
struct Started {
    texts: Vec<String>,
    /// The texts come first, in their order.
    payloads: Vec<(String, oneshot::Receiver<Result<Settled, DeskError>>)>,
}

impl Deciding<'_> {
    /// Decides all payloads. Their entries become durable together.
    fn start(&self, mut asked: Asked) -> Result<Started, Undecided> {
        let texts = asked.texts.take().unwrap_or_default();
        let images = asked.images.take().unwrap_or_default();
        let rest = rest::without(std::mem::take(&mut asked.rest), &texts, &images);
        if texts.len() + images.len() > self.in_force.settings.limits.batch_texts {
            return Err((Limit::BatchTexts, "the request has too many texts".to_owned()));
        }
        let header = self.header(&asked)?;
        let of = |format: &str| FlowHeader { format: Some(Claimed::new(format)), ..header.clone() };
        let carrier = match asked.input_type {
            InputType::Response if !self.settings.rewrite_responses => Carrier::Fixed,
            _ => Carrier::Rewritable,
        };
        let mut payloads = Vec::with_capacity(texts.len() + images.len() + 1);
        for (number, text) in (1..).zip(&texts) {
            let settled = self.settle(header.clone(), carrier, text.as_bytes())?;
            payloads.push((format!("text {number}"), settled));
        }
        // LiteLLM writes back texts alone, so nothing else can be redacted.
        for (number, image) in (1..).zip(&images) {
            let settled = self.settle(of("opaque"), Carrier::Fixed, image.as_bytes())?;
            payloads.push((format!("image {number}"), settled));
        }
        if let Some(rest) = rest {
            let format = if rest.is_opaque { "opaque" } else { "text" };
            let settled = self.settle(of(format), Carrier::Fixed, rest.text.as_bytes())?;
            payloads.push(("what stands beside texts and images".to_owned(), settled));
        }
        Ok(Started { texts, payloads })
    }

    fn settle(
        &self,
        header: FlowHeader,
        carrier: Carrier,
        payload: &[u8],
    ) -> Result<oneshot::Receiver<Result<Settled, DeskError>>, Undecided> {
        if Instant::now() >= self.until {
            return Err((Limit::Deadline, "the request took too long".to_owned()));
        }
        let arriving = Arriving {
            header,
            attested: self.attested.clone(),
            carrier,
            payload,
            failed: None,
            began: now(),
            classified: None,
            stands_for: None,
            excepted: Default::default(),
        };
        let (answer, answered) = oneshot::channel();
        let told = move |settled| drop(answer.send(settled));
        self.shared.desk(self.in_force).settle_then(&arriving, told);
        Ok(answered)
    }

    /// The flow that a request of LiteLLM is.
    fn header(&self, asked: &Asked) -> Result<FlowHeader, Undecided> {
        let text = |text: &str| Some(text).filter(|it| !it.is_empty()).map(Claimed::new);
        let said = |key: &str| {
            let value = asked.request_data.as_ref()?.get(key)?;
            text(value.as_str()?)
        };
        let call = asked.litellm_call_id.as_deref().and_then(text);
        let trace = asked.litellm_trace_id.as_deref().and_then(text);
        let params = asked.additional_provider_specific_params.as_ref();
        let grant = params.and_then(|it| it.get("sluice_grant"));
        let LiteLlm { workflow, destination, response_destination, purpose, .. } = self.settings;
        let (channel, source, destination) = match asked.input_type {
            InputType::Request => (Channel::Prompt, None, Some(destination)),
            InputType::Response => {
                (Channel::Completion, Some(destination), response_destination.as_ref())
            }
        };
        let header = FlowHeader {
            run: trace.or_else(|| call.clone()),
            step: call,
            workflow: text(workflow),
            channel: Some(channel),
            trigger: said("user_api_key_end_user_id")
                .or_else(|| said("user_api_key_user_id"))
                .or_else(|| said("user_api_key_user_email")),
            agent: said("user_api_key_alias").or_else(|| said("user_api_key_team_alias")),
            source: source.and_then(|it| text(it)),
            destination: destination.and_then(|it| text(it)),
            purpose: purpose.as_deref().and_then(text),
            grant: grant.and_then(Value::as_str).and_then(text),
            ..FlowHeader::default()
        };
        check_header(&header).map_err(|error| (Limit::Request, error.to_string()))?;
        Ok(header)
    }
}

impl Started {
    /// The answer and the effect of all payloads, once all are recorded.
    async fn answer(
        self,
        shared: &Shared,
        in_force: &InForce,
    ) -> Result<(Answer, Effect), Undecided> {
        let Started { texts, payloads } = self;
        let mut texts = texts.into_iter();
        let (mut released, mut held, mut all) = (Vec::new(), Vec::new(), Effect::Allow);
        for (what, answered) in payloads {
            let settled = match answered.await {
                Ok(Ok(settled)) => settled,
                Ok(Err(error)) => {
                    tracing::error!(%error, "not recorded");
                    let message = "the decision cannot be recorded, so nothing is released";
                    return Err((Limit::Ledger, message.to_owned()));
                }
                Err(_) => return Err((Limit::Internal, "internal error".to_owned())),
            };
            let effect = shared.decided(&settled, in_force);
            all = all.max(effect);
            // Behind the last text come payloads that are never rewritten.
            let text = texts.next();
            match (effect, settled.judged.redacted.as_deref().map(str::from_utf8), text) {
                (Effect::Allow, _, text) => released.extend(text),
                (Effect::Redact, Some(Ok(redacted)), Some(_)) => released.push(redacted.to_owned()),
                _ => held.push(reason(&what, &settled)),
            }
        }
        let answer = match (held.is_empty(), all) {
            (false, _) => Answer::blocked(some_of(&held)),
            (true, Effect::Allow) => {
                Answer { action: Action::None, blocked_reason: None, texts: None }
            }
            (true, _) => {
                let action = Action::Intervened;
                Answer { action, blocked_reason: None, texts: Some(released) }
            }
        };
        Ok((answer, all))
    }
}

/// The first reasons of many.
fn some_of(reasons: &[String]) -> String {
    let first = reasons.iter().take(REASONS).map(String::as_str).collect::<Vec<_>>().join("; ");
    match reasons.len().saturating_sub(REASONS) {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

/// Why a payload is held, without anything of it.
fn reason(what: &str, settled: &Settled) -> String {
    let sentence = &settled.reason;
    match &settled.escalation {
        Some((id, _)) => {
            format!("sluice: {what} waits for approval as escalation {id}: {sentence}")
        }
        None => format!("sluice: {what} is blocked: {sentence}"),
    }
}
