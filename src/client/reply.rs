//! Reads answers, and refuses what the protocol does not promise.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Response, StatusCode};
use serde::Deserialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::parts::{MAX_DECISION, Parts};
use super::{Answer, ClientError, connection};
use crate::model::Effect;
use crate::respond::escape;

const EFFECT: &str = "sluice-effect";

/// Bytes of an answer in memory.
const MAX_ANSWER: usize = MAX_DECISION;

/// Reads an answer that holds a decision; what is released is written as it comes.
pub(super) async fn decision(
    response: Response<Incoming>,
    released: &mut (impl AsyncWrite + Unpin),
) -> Result<Answer, ClientError> {
    if response.status() != StatusCode::OK {
        return Err(refused(response).await);
    }
    let effect = effect(response.headers())?;
    let kind = response.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or("");
    if kind == "application/json" {
        let answer = Answer::parse(body(response).await?)?;
        return agreed(answer, effect);
    }
    let parts = Parts::new(kind).map_err(ClientError::Unreadable)?;
    in_parts(response.into_body(), parts, effect, released).await
}

/// Reads the body of an answer that is no decision.
pub(super) async fn text(response: Response<Incoming>) -> Result<Vec<u8>, ClientError> {
    match response.status() {
        StatusCode::OK => body(response).await,
        _ => Err(refused(response).await),
    }
}

async fn in_parts(
    mut body: Incoming,
    mut parts: Parts,
    mut effect: Option<Effect>,
    released: &mut (impl AsyncWrite + Unpin),
) -> Result<Answer, ClientError> {
    let mut written: u64 = 0;
    let broken = loop {
        let frame = match body.frame().await {
            None => break None,
            Some(Err(error)) => break Some(error),
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(bytes) => {
                for bytes in parts.push(&bytes).map_err(ClientError::Unreadable)? {
                    released.write_all(&bytes).await.map_err(ClientError::Release)?;
                    written = written.saturating_add(bytes.len() as u64);
                }
                // Whoever waits for tokens gets them now.
                released.flush().await.map_err(ClientError::Release)?;
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    effect = effect.or(self::effect(&trailers)?);
                }
            }
        }
    };
    let decision = parts.decision().map(<[u8]>::to_vec);
    if let Some(error) = broken {
        // That the rest may not follow is said before the body breaks off.
        let decision = decision.and_then(|text| Answer::parse(text).ok());
        return match decision {
            Some(answer) if answer.effect > Effect::Redact => Ok(answer.broken_off(true)),
            _ => Err(connection::broken(error)),
        };
    }
    let decision = decision.filter(|_| parts.is_ended());
    let answer = Answer::parse(decision.ok_or(ClientError::Unreadable("the part `decision`"))?)?;
    let said = answer.released.as_ref().map_or(0, |released| released.bytes);
    if answer.effect <= Effect::Redact && said != written {
        return Err(ClientError::Unreadable("the number of released bytes"));
    }
    agreed(answer, effect)
}

/// The effect that the headers or trailers name.
fn effect(headers: &HeaderMap) -> Result<Option<Effect>, ClientError> {
    let mut values = headers.get_all(EFFECT).iter();
    let (first, second) = (values.next(), values.next());
    let Some(first) = first else { return Ok(None) };
    let effects = [Effect::Allow, Effect::Redact, Effect::Escalate, Effect::Block];
    let effect = effects.into_iter().find(|effect| first == effect.as_str());
    match (effect, second) {
        (Some(effect), None) => Ok(Some(effect)),
        _ => Err(ClientError::Unreadable("the header `Sluice-Effect`")),
    }
}

/// The answer, where header and body say the same.
fn agreed(answer: Answer, effect: Option<Effect>) -> Result<Answer, ClientError> {
    match effect {
        None => Err(ClientError::Unreadable("no `Sluice-Effect`")),
        Some(effect) if effect != answer.effect => {
            Err(ClientError::Unreadable("`Sluice-Effect` is not the effect of the decision"))
        }
        Some(_) => Ok(answer),
    }
}

/// The body in one piece.
async fn body(response: Response<Incoming>) -> Result<Vec<u8>, ClientError> {
    let mut body = response.into_body();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(bytes) = frame.map_err(connection::broken)?.into_data() else { continue };
        if whole.len().saturating_add(bytes.len()) > MAX_ANSWER {
            return Err(ClientError::Unreadable("it is too long"));
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(whole)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    cause: String,
    limit: String,
    error: String,
}

/// What a refusal says.
async fn refused(response: Response<Incoming>) -> ClientError {
    let status = response.status();
    let text = body(response).await.unwrap_or_default();
    refusal(status, text)
}

/// What a refusal with this body says.
pub(super) fn refusal(status: StatusCode, text: Vec<u8>) -> ClientError {
    let refusal: Refusal = serde_json::from_slice(&text).unwrap_or_default();
    // Whatever a status other than 200 comes with lets nothing pass.
    let answer = Answer::parse(text).ok().filter(|answer| answer.effect == Effect::Block);
    let or = |text: String, other: &str| match text.is_empty() {
        true => other.to_owned(),
        false => escape(&text),
    };
    let reason = answer.as_ref().map(|answer| escape(&answer.reason));
    let cause = answer.as_ref().map(|answer| answer.cause.as_str());
    let message = reason.unwrap_or_else(|| {
        // What a person reads of a register that cannot be used has lines of its own.
        let lines: Vec<String> = refusal.error.lines().map(escape).collect();
        or(String::new(), &lines.join("\n"))
    });
    ClientError::Refused {
        status: status.as_u16(),
        cause: cause.map_or_else(|| or(refusal.cause, "error"), str::to_owned),
        limit: or(refusal.limit, status.canonical_reason().unwrap_or("unknown")),
        message,
        answer: answer.map(Box::new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_read_strictly() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(EFFECT, value.parse().unwrap());
            }
            effect(&headers).ok()
        };
        assert_eq!(of(&[]), Some(None));
        assert_eq!(of(&["redact"]), Some(Some(Effect::Redact)));
        assert_eq!(of(&["Allow"]), None);
        assert_eq!(of(&["allow", "allow"]), None);
        assert_eq!(of(&["allow, block"]), None);
    }

    #[test]
    fn refusals_are_block_whatever_they_hold() {
        let body =
            br#"{"effect":"block","cause":"limit","limit":"queue","error":"too \u001bmuch"}"#;
        let error = refusal(StatusCode::SERVICE_UNAVAILABLE, body.to_vec());
        let text = "the daemon refused it: too \\u{1b}much (status 503, limit `queue`)";
        assert_eq!(error.to_string(), text);
        assert_eq!((error.effect(), error.answer()), (Effect::Block, None));
        for body in ["", "[]", "<html>", "{\"effect\":\"allow\"}"] {
            let error = refusal(StatusCode::BAD_GATEWAY, body.as_bytes().to_vec());
            assert_eq!((error.effect(), error.answer()), (Effect::Block, None));
            assert!(error.to_string().contains("Bad Gateway"), "{error}");
        }
        let entry = r#"{"sequence":4,"leaf":"ab"}"#;
        let answer = |effect| {
            let text = crate::client::answer::tests::decision(effect, entry);
            refusal(StatusCode::PAYLOAD_TOO_LARGE, text).answer().map(|answer| answer.effect)
        };
        assert_eq!((answer("block"), answer("allow")), (Some(Effect::Block), None));
    }
}
