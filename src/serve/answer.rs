//! Decisions and labels as answers: JSON, or JSON and released bytes as parts of one body.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use serde::Serialize;

use super::in_force::InForce;
use super::refusal::EFFECT;
use super::shared::random;
use crate::engine::{self, Classified, Settled};
use crate::model::{Effect, Finding};
use crate::respond::{self, Filter, FindingsShape, LabelShape, Shaper};

/// The decision as one JSON object on a line.
pub fn decision(settled: &Settled, in_force: &InForce) -> Vec<u8> {
    let shaper = Shaper::new(&in_force.rules, &in_force.names, Filter::all());
    let mut text = Vec::new();
    // Writing to memory does not fail; what is no JSON at all would be read as block.
    let _ = engine::report(settled, &in_force.policy, |report| report.json(&mut text, &shaper));
    text
}

/// Label and findings as one JSON object on a line.
pub fn label(classified: &Classified, in_force: &InForce) -> Vec<u8> {
    let shaper = Shaper::new(&in_force.rules, &in_force.names, Filter::all());
    let chain = respond::chain(classified.format);
    line(&LabelAnswer {
        label: shaper.label(&classified.label),
        findings: shaper.findings(&classified.findings, None, &chain),
        truncated: classified.truncated,
        recorded: "no",
    })
}

/// Findings as a JSON array. Fingerprints of the ledger never leave it.
pub fn findings(mut findings: Vec<Finding>, in_force: &InForce) -> Vec<u8> {
    let shaper = Shaper::new(&in_force.rules, &in_force.names, Filter::all());
    findings.iter_mut().for_each(|finding| finding.fingerprint = None);
    serde_json::to_vec(&shaper.findings(&findings, None, &[])).unwrap_or_default()
}

/// A value as one line of JSON.
pub fn line(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    text
}

#[derive(Serialize)]
struct LabelAnswer<'a> {
    label: LabelShape<'a>,
    findings: FindingsShape<'a>,
    truncated: u64,
    recorded: &'static str,
}

/// An answer of JSON, with the effect where there is one.
pub fn json(body: Vec<u8>, effect: Option<Effect>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(effect) = effect {
        headers.insert(EFFECT, HeaderValue::from_static(effect.as_str()));
    }
    response
}

/// Whether the caller takes JSON alone, so that no released bytes are sent.
pub fn wants_json_alone(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or("");
    accept.contains("application/json") && !accept.contains("multipart/")
}

/// Whether the caller asks for the parts even where it has the payload already.
pub fn wants_parts(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or("");
    accept.contains("multipart/")
}

/// Writes a body of parts (RFC 2046, section 5.1): `released`, then `decision`.
#[derive(Clone, Debug)]
pub struct Parts {
    boundary: String,
}

impl Parts {
    /// With a boundary that nobody can guess, so that no payload holds it.
    ///
    /// # Errors
    ///
    /// There are no random numbers.
    pub fn new() -> std::io::Result<Parts> {
        let mut bytes = [0; 24];
        random(&mut bytes)?;
        Ok(Parts { boundary: format!("sluice-{}", HEXLOWER.encode(&bytes)) })
    }

    /// The value of `Content-Type`.
    pub fn content_type(&self) -> HeaderValue {
        let text = format!("multipart/mixed; boundary={}", self.boundary);
        // A boundary of letters, digits and `-` fits into a header.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("multipart/mixed"))
    }

    /// What stands before the released bytes.
    pub fn before_released(&self) -> Bytes {
        let text = format!(
            "--{}\r\nContent-Type: application/octet-stream\r\n\
             Content-Disposition: attachment; name=\"released\"\r\n\r\n",
            self.boundary
        );
        Bytes::from(text)
    }

    /// The decision, behind the released bytes where there are any, and the end.
    pub fn decision(&self, decision: &[u8], behind_released: bool) -> Bytes {
        let line = if behind_released { "\r\n" } else { "" };
        let head = format!(
            "{line}--{}\r\nContent-Type: application/json\r\n\
             Content-Disposition: attachment; name=\"decision\"\r\n\r\n",
            self.boundary
        );
        let tail = format!("\r\n--{}--\r\n", self.boundary);
        Bytes::from([head.as_bytes(), decision, tail.as_bytes()].concat())
    }
}

/// Released bytes and the decision as parts of one body.
pub fn parts(
    released: impl Into<Bytes>,
    decision: &[u8],
    effect: Effect,
) -> std::io::Result<Response<Body>> {
    let parts = Parts::new()?;
    let pieces = [parts.before_released(), released.into(), parts.decision(decision, true)];
    let length: usize = pieces.iter().map(Bytes::len).sum();
    let pieces = pieces.into_iter().map(Ok::<_, std::convert::Infallible>);
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, parts.content_type());
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(EFFECT, HeaderValue::from_static(effect.as_str()));
    Ok(response)
}
