//! `POST /v1/stream`: a payload that is scanned as it arrives and released as it is decided.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, Version, header};
use bytes::Bytes;
use futures_util::Stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::sync::mpsc::Receiver;

use super::decide::flow_header;
use super::{Daemon, attested, hold, refused, token_of};
use crate::model::Effect;
use crate::serve::answer::{self, Parts};
use crate::serve::budget::Share;
use crate::serve::flow_stream::{End, Opening, Out, start};
use crate::serve::payload::Pieces;
use crate::serve::refusal::{EFFECT, Limit, refuse};
use crate::serve::shared::{Caller, now};

/// How long the last part is on its way before the body is broken off.
const BEFORE_BREAK: Duration = Duration::from_millis(50);

/// Decides a payload while it arrives.
pub async fn stream(
    State(shared): Daemon,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request,
) -> Response<Body> {
    let began = now();
    let headers = request.headers().clone();
    let header = match flow_header(&headers) {
        Ok(header) => header,
        Err(message) => return refused(&shared, &caller, Limit::Request, &message),
    };
    let in_force = shared.now_in_force();
    let token = token_of(&headers, &caller, &in_force);
    let asking = Arc::clone(&caller);
    let attested = tokio::task::spawn_blocking(move || attested(&asking, token)).await;
    let attested = match attested {
        Ok(Ok(attested)) => attested,
        Ok(Err(message)) => return refused(&shared, &caller, Limit::Forbidden, message),
        Err(_) => return refused(&shared, &caller, Limit::Internal, "internal error"),
    };
    let limits = in_force.settings.limits;
    let version = request.version();
    let pieces = Pieces::new(request.into_body(), &limits, limits.stream_deadline_ms);
    // Over HTTP/1.0 nobody could tell a body that is broken off from one that ended.
    let early = version >= Version::HTTP_11 && !answer::wants_json_alone(&headers);
    let opening = Opening { header, attested, began, findings: false, early };
    let started = start(Arc::clone(&shared), in_force, Arc::clone(&caller), opening, pieces);
    let mut out = match started {
        Ok(out) => out,
        Err(limit) => {
            let message = "as many streams are under way as may be; try again later";
            return refused(&shared, &caller, limit, message);
        }
    };
    match next(&mut out).await {
        Next::Released(bytes) => growing(bytes, out)
            .unwrap_or_else(|_| refused(&shared, &caller, Limit::Internal, "no random numbers")),
        Next::Ended(end) => whole(*end, &headers)
            .unwrap_or_else(|_| refused(&shared, &caller, Limit::Internal, "no random numbers")),
        Next::Refused(limit, message) => refuse(limit, message),
    }
}

enum Next {
    Released(Bytes),
    Ended(Box<End>),
    Refused(Limit, &'static str),
}

async fn next(out: &mut Receiver<Out>) -> Next {
    loop {
        return match out.recv().await {
            Some(Out::Findings(_)) => continue,
            Some(Out::Released(bytes)) => Next::Released(bytes),
            Some(Out::Ended(end)) => Next::Ended(end),
            Some(Out::Refused(limit, message)) => Next::Refused(limit, message),
            None => Next::Refused(Limit::Internal, "internal error"),
        };
    }
}

/// The answer where nothing went out before the end.
fn whole(end: End, headers: &HeaderMap) -> io::Result<Response<Body>> {
    let passes = end.effect <= Effect::Redact && !answer::wants_json_alone(headers);
    let mut response = if passes {
        answer::parts(end.released, &end.decision, end.effect)?
    } else {
        answer::json(end.decision, Some(end.effect))
    };
    if let Some(limit) = end.limit {
        *response.status_mut() = limit.status();
    }
    if end.effect > Effect::Redact {
        // The payload may still be on its way, and nobody reads it.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(hold(response, end.share))
}

/// The answer that grows. Where the rest may not follow it is broken off.
fn growing(first: Bytes, out: Receiver<Out>) -> io::Result<Response<Body>> {
    let parts = Parts::new()?;
    let kind = parts.content_type();
    let head = [parts.before_released(), first].concat();
    let body = Body::new(StreamBody::new(frames(Bytes::from(head), parts, out)));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::TRAILER, HeaderValue::from_static("sluice-effect"));
    Ok(response)
}

enum Stage {
    Head(Bytes),
    Running,
    /// The decision is out: how it ends.
    Last {
        ends: Result<Effect, ()>,
        _share: Share,
    },
    Done,
}

fn frames(
    head: Bytes,
    parts: Parts,
    out: Receiver<Out>,
) -> impl Stream<Item = Result<Frame<Bytes>, io::Error>> {
    let broken_off = || io::Error::other("the rest may not follow");
    futures_util::stream::unfold((Stage::Head(head), out), move |(stage, mut out)| {
        let parts = parts.clone();
        async move {
            match stage {
                Stage::Head(head) => Some((Ok(Frame::data(head)), (Stage::Running, out))),
                Stage::Running => match next(&mut out).await {
                    Next::Released(bytes) => Some((Ok(Frame::data(bytes)), (Stage::Running, out))),
                    Next::Refused(..) => Some((Err(broken_off()), (Stage::Done, out))),
                    Next::Ended(end) => {
                        let passes = end.effect <= Effect::Redact;
                        let decision = parts.decision(&end.decision, true);
                        let bytes = if passes {
                            Bytes::from([end.released, decision].concat())
                        } else {
                            decision
                        };
                        let ends = if passes { Ok(end.effect) } else { Err(()) };
                        Some((
                            Ok(Frame::data(bytes)),
                            (Stage::Last { ends, _share: end.share }, out),
                        ))
                    }
                },
                Stage::Last { ends: Ok(effect), .. } => {
                    let mut trailers = HeaderMap::new();
                    let name: HeaderName = EFFECT;
                    trailers.insert(name, HeaderValue::from_static(effect.as_str()));
                    Some((Ok(Frame::trailers(trailers)), (Stage::Done, out)))
                }
                Stage::Last { ends: Err(()), .. } => {
                    // What stands in front of the break is sent while nothing comes; a break at once
                    // would throw it away.
                    tokio::time::sleep(BEFORE_BREAK).await;
                    Some((Err(broken_off()), (Stage::Done, out)))
                }
                Stage::Done => None,
            }
        }
    })
}
