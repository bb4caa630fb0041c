//! `POST /v1/classify`: one payload, or many texts, to labels and findings.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::{Daemon, expected, hold, pool_refused, refused};
use crate::decode::Format;
use crate::engine::TextRequest;
use crate::respond::{Filter, FindingsShape, LabelShape, Shaper, chain};
use crate::serve::answer;
use crate::serve::budget::Share;
use crate::serve::cache::Purpose;
use crate::serve::flow_stream::Source;
use crate::serve::in_force::InForce;
use crate::serve::payload::{Broken, Pieces};
use crate::serve::refusal::Limit;
use crate::serve::shared::{Caller, Shared};

/// What is said of the payload beside it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The format, where it is known.
    format: Option<String>,
}

/// Classifies a payload; where the content type is `application/jsonl`, one text a line.
pub async fn classify(
    State(shared): Daemon,
    Extension(caller): Extension<Arc<Caller>>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let Ok(Query(asked)) = asked else {
        let message = "the only parameter is `format`";
        return refused(&shared, &caller, Limit::Request, message);
    };
    let format = match asked.format.as_deref().map(|word| Format::declared(word).ok_or(())) {
        None => None,
        Some(Ok(format)) => Some(format),
        Some(Err(())) => {
            let message = "`format` is none of text, csv, tsv, markdown, json, ndjson, utf-16le, utf-16be, opaque";
            return refused(&shared, &caller, Limit::Request, message);
        }
    };
    let in_force = shared.now_in_force();
    let limits = in_force.settings.limits;
    let mut share = shared.memory.share();
    let mut pieces = Pieces::new(body, &limits, limits.deadline_ms);
    let (payload, broken) = pieces.whole(&mut share, expected(&headers)).await;
    shared.metrics.payload_bytes.inc_by(payload.len() as u64);
    if let Some(broken) = broken {
        let limit = match broken {
            Broken::Limit(limit) => limit,
            Broken::Client => Limit::Request,
        };
        return refused(&shared, &caller, limit, "the payload did not come whole");
    }
    let is_batch = headers
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok())
        .is_some_and(|it| ["application/jsonl", "application/x-ndjson"].contains(&it));
    let (working, uid) = (Arc::clone(&shared), caller.peer.uid());
    let deadline = pieces.deadline();
    let work = move || match is_batch {
        _ if Instant::now() >= deadline => Err(Limit::Deadline),
        true => {
            let batch = Batch { shared: &working, in_force: &in_force, format, uid, deadline };
            batch.answer(&payload, &mut share).map(|answers| (answers, share))
        }
        false => {
            let found = working.found(&in_force, &payload, uid, format, Purpose::Classify);
            Ok((answer::label(&found, &in_force), share))
        }
    };
    let (mut response, share) = match timeout_at(deadline, shared.pool.run(work)).await {
        Ok(Ok(Ok((body, share)))) => (answer::json(body, None), share),
        Ok(Ok(Err(limit))) => {
            let message = match limit {
                Limit::BatchTexts => "the batch has too many texts; send it in parts",
                Limit::Memory => "too much of payloads and answers is in memory",
                _ => "it took too long",
            };
            return refused(&shared, &caller, limit, message);
        }
        Ok(Err(error)) => return pool_refused(&shared, &caller, error),
        Err(_) => return refused(&shared, &caller, Limit::Deadline, "it took too long"),
    };
    if is_batch {
        let kind = HeaderValue::from_static("application/jsonl");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    hold(response, share)
}

/// How the lines of a batch are answered.
struct Batch<'a> {
    shared: &'a Shared,
    in_force: &'a InForce,
    format: Option<Format>,
    uid: u32,
    deadline: Instant,
}

impl Batch<'_> {
    /// Answers each line. The share grows with the answers.
    fn answer(&self, payload: &[u8], share: &mut Share) -> Result<Vec<u8>, Limit> {
        let Batch { shared, in_force, format, uid, deadline } = *self;
        let shaper = Shaper::new(&in_force.rules, &in_force.names, Filter::all());
        let mut answers = Vec::new();
        let lines = payload.split(|byte| *byte == b'\n');
        let mut texts = 0;
        for (number, text) in (1u64..).zip(lines) {
            let Some(request) = TextRequest::parse(text).transpose() else { continue };
            // A wrong line is answered with more than it has, so that it counts like a right one.
            texts += 1;
            if texts > in_force.settings.limits.batch_texts {
                return Err(Limit::BatchTexts);
            }
            if Instant::now() >= deadline {
                return Err(Limit::Deadline);
            }
            let request = match request {
                Ok(request) => request,
                Err(error) => {
                    answers.extend(answer::line(&Wrong { id: None, error, line: number }));
                    continue;
                }
            };
            let text = request.text.as_bytes();
            let found = shared.found(in_force, text, uid, format, Purpose::Classify);
            let chain = chain(found.format);
            answers.extend(answer::line(&Reply {
                id: &request.id,
                label: shaper.label(&found.label),
                findings: shaper.findings(&found.findings, None, &chain),
                truncated: found.truncated,
                recorded: "no",
            }));
            if !share.resize(payload.len().saturating_add(answers.capacity())) {
                return Err(Limit::Memory);
            }
        }
        Ok(answers)
    }
}

#[derive(Serialize)]
struct Reply<'a> {
    id: &'a crate::engine::TextId,
    label: LabelShape<'a>,
    findings: FindingsShape<'a>,
    truncated: u64,
    recorded: &'static str,
}

#[derive(Serialize)]
struct Wrong {
    id: Option<()>,
    error: String,
    line: u64,
}
