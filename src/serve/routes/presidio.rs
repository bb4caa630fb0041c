//! Presidio's analyzer endpoints: its requests and answers, our findings. Nothing is decided or recorded.
//!
//! Shapes are those of presidio-analyzer 2.2.366 (`app.py`, `AnalyzerRequest`, `RecognizerResult`).
//! docs/DROP-IN.md says what is taken and what is refused.

pub mod entities;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::json_body::JsonBody;
use super::{Daemon, hold, pool_refused, refused};
use crate::engine::Classified;
use crate::model::CategoryIndex;
use crate::rules::RuleSet;
use crate::serve::answer;
use crate::serve::in_force::InForce;
use crate::serve::refusal::Limit;
use crate::serve::shared::Caller;

/// Why texts were not wholly inspected, where they were not.
pub const COVERAGE: HeaderName = HeaderName::from_static("sluice-coverage");

/// What a client asks for. Fields that are not here are ignored, as Presidio does: its clients add
/// their own.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    text: Option<Texts>,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    score_threshold: Option<f64>,
    #[serde(default)]
    entities: Option<Vec<String>>,
    #[serde(default)]
    ad_hoc_recognizers: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    context: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    allow_list: Option<Vec<String>>,
    #[serde(default)]
    allow_list_match: Option<String>,
    #[serde(default)]
    #[allow(dead_code, reason = "its type is checked")]
    return_decision_process: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

/// One entity in a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Found {
    entity_type: String,
    start: usize,
    end: usize,
    score: f64,
    analysis_explanation: Option<()>,
    recognition_metadata: Metadata,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Metadata {
    recognizer_name: String,
    recognizer_identifier: String,
}

/// What the pool gives back.
struct Analyzed {
    body: Vec<u8>,
    coverage: BTreeSet<&'static str>,
}

/// Finds entities in a text, or in each of a list of texts.
pub async fn analyze(
    State(shared): Daemon,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let in_force = shared.now_in_force();
    let limits = in_force.settings.limits;
    let body = match JsonBody::read(&shared, &headers, body, &limits).await {
        Ok(body) => body,
        Err((limit, message)) => return refused(&shared, &caller, limit, message),
    };
    let work = move || {
        let asked = body.parse::<Asked>().map_err(|message| (Limit::Request, message));
        let analyzed = asked.and_then(|asked| analyzed(&asked, &in_force, limits.batch_texts));
        (analyzed, body.share)
    };
    let (analyzed, share) = match shared.pool.run(work).await {
        Ok(done) => done,
        Err(error) => return pool_refused(&shared, &caller, error),
    };
    match analyzed {
        Err((limit, message)) => refused(&shared, &caller, limit, &message),
        Ok(Analyzed { body, coverage }) => {
            let mut response = answer::json(body, None);
            let reasons = coverage.into_iter().collect::<Vec<_>>().join(", ");
            if !reasons.is_empty()
                && let Ok(value) = HeaderValue::try_from(format!("partial; {reasons}"))
            {
                response.headers_mut().insert(COVERAGE, value);
            }
            hold(response, share)
        }
    }
}

fn analyzed(
    asked: &Asked,
    in_force: &InForce,
    batch_texts: usize,
) -> Result<Analyzed, (Limit, String)> {
    let wanted = Wanted::of(asked, &in_force.rules)?;
    let texts = match &asked.text {
        Some(Texts::One(text)) if !text.is_empty() => std::slice::from_ref(text),
        Some(Texts::Many(texts)) if !texts.is_empty() => texts,
        _ => {
            return Err((
                Limit::Request,
                "No text provided: `text` is missing or empty".to_owned(),
            ));
        }
    };
    if texts.len() > batch_texts {
        let message = "the list has too many texts; send it in parts";
        return Err((Limit::BatchTexts, message.to_owned()));
    }
    let mut coverage = BTreeSet::new();
    let mut results = Vec::new();
    for text in texts {
        let classified = in_force.classifier.scan_as(text.as_bytes(), None);
        if classified.truncated > 0 {
            let message = "a text has more findings than are kept (`[limits] max_findings`); send \
                           it in parts";
            return Err((Limit::PayloadBytes, message.to_owned()));
        }
        coverage.extend(classified.label.coverage.reasons.iter().map(|reason| reason.as_str()));
        results.push(wanted.found(text, &classified, &in_force.rules));
    }
    let body = match (&asked.text, results.first()) {
        (Some(Texts::One(_)), Some(only)) => answer::line(only),
        _ => answer::line(&results),
    };
    Ok(Analyzed { body, coverage })
}

/// What of the findings a client wants to know.
struct Wanted<'a> {
    /// Entities of the categories that were asked for; all that there are, where none were.
    entities: HashMap<CategoryIndex, String>,
    threshold: f64,
    allowed: BTreeSet<&'a str>,
}

impl Wanted<'_> {
    /// Takes a request, unless it asks for what would not be done: then less would be found, or
    /// more, than its sender believes.
    fn of<'a>(asked: &'a Asked, rules: &RuleSet) -> Result<Wanted<'a>, (Limit, String)> {
        let wrong = |message: &str| Err((Limit::Request, message.to_owned()));
        if asked.language.as_ref().is_none_or(String::is_empty) {
            return wrong("No language provided: `language` is missing or empty");
        }
        if asked.ad_hoc_recognizers.as_ref().is_some_and(|it| !it.is_empty()) {
            return wrong("`ad_hoc_recognizers` are not run here; write rules and load them");
        }
        if asked.context.as_ref().is_some_and(|it| !it.is_empty()) {
            return wrong("`context` is not taken: the rules have context terms of their own");
        }
        let allowed: BTreeSet<&str> =
            asked.allow_list.iter().flatten().map(String::as_str).collect();
        let exact = matches!(asked.allow_list_match.as_deref(), None | Some("exact"));
        if !allowed.is_empty() && !exact {
            return wrong("`allow_list_match` is \"exact\" here: patterns are not taken");
        }
        let threshold = asked.score_threshold.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&threshold) {
            return wrong("`score_threshold` is no number from 0 to 1");
        }
        let mut entities = entities_of(rules);
        let asked_for: BTreeSet<&str> =
            asked.entities.iter().flatten().map(String::as_str).collect();
        if !asked_for.is_empty() {
            let names: BTreeSet<&str> = entities.values().map(String::as_str).collect();
            if !asked_for.is_subset(&names) {
                return wrong(
                    "`entities` names one that is not looked for; `GET /supportedentities` lists them",
                );
            }
            entities.retain(|_, entity| asked_for.contains(entity.as_str()));
        }
        Ok(Wanted { entities, threshold, allowed })
    }

    /// What is said of a text, in Presidio's order: the highest score first, then from left to right.
    fn found(&self, text: &str, classified: &Classified, rules: &RuleSet) -> Vec<Found> {
        let bytes = classified.findings.iter().flat_map(|it| [it.span.start, it.span.end]);
        let chars = characters(text, bytes.collect());
        let mut found: Vec<Found> = classified
            .findings
            .iter()
            .filter_map(|finding| {
                let entity_type = self.entities.get(&finding.category)?.clone();
                let score = f64::from(finding.likelihood.get()) / 100.0;
                let (start, end) = (finding.span.start, finding.span.end);
                let value = text.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?);
                let is_allowed = value.is_some_and(|value| self.allowed.contains(value));
                if score < self.threshold || finding.likelihood.get() == 0 || is_allowed {
                    return None;
                }
                let rule = rules.rule_id(finding.rule);
                Some(Found {
                    entity_type,
                    start: *chars.get(&start)?,
                    end: *chars.get(&end)?,
                    score,
                    analysis_explanation: None,
                    recognition_metadata: Metadata {
                        recognizer_name: rule.to_owned(),
                        recognizer_identifier: format!("sluice/{rule}"),
                    },
                })
            })
            .collect();
        found.sort_by(|a, b| {
            let place = |it: &Found| (it.start, std::cmp::Reverse(it.end));
            b.score.total_cmp(&a.score).then_with(|| place(a).cmp(&place(b)))
        });
        without_contained(found)
    }
}

/// Drops what lies inside of another of the same entity with the same score or a higher one, as
/// `EntityRecognizer.remove_duplicates` does. Takes them with the highest score first.
fn without_contained(found: Vec<Found>) -> Vec<Found> {
    // Starts and ends of those that are kept and lie in no other: both rise together.
    let mut outermost: HashMap<String, BTreeMap<usize, usize>> = HashMap::new();
    found
        .into_iter()
        .filter(|it| {
            let kept = outermost.entry(it.entity_type.clone()).or_default();
            if kept.range(..=it.start).next_back().is_some_and(|(_, end)| *end >= it.end) {
                return false;
            }
            let inside = kept.range(it.start..).take_while(|(_, end)| **end <= it.end);
            let inside: Vec<usize> = inside.map(|(start, _)| *start).collect();
            for start in inside {
                kept.remove(&start);
            }
            kept.insert(it.start, it.end);
            true
        })
        .collect()
}

/// Offsets in Unicode code points for offsets in bytes.
fn characters(text: &str, mut bytes: Vec<u64>) -> HashMap<u64, usize> {
    bytes.sort_unstable();
    bytes.dedup();
    let mut offsets = HashMap::with_capacity(bytes.len());
    let (mut at, mut count) = (0, 0);
    for offset in bytes {
        let Ok(byte) = usize::try_from(offset) else { continue };
        let between = text.as_bytes().get(at..byte).unwrap_or_default();
        // A code point has one byte that continues none.
        count += between.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
        at = byte;
        offsets.insert(offset, count);
    }
    offsets
}

/// The entities of the categories that some rule finds.
fn entities_of(rules: &RuleSet) -> HashMap<CategoryIndex, String> {
    let plain = rules.rules.iter().map(|rule| rule.category);
    let categories = plain.chain(rules.combinations.iter().map(|rule| rule.category));
    categories.map(|category| (category, entities::entity(rules.category_id(category)))).collect()
}

/// Says that the analyzer is there.
pub async fn health() -> Response<Body> {
    let mut response = Response::new(Body::from("sluice answers as a Presidio analyzer\n"));
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The ids of all rules. They look for the same in every language.
pub async fn recognizers(State(shared): Daemon) -> Response<Body> {
    let rules = Arc::clone(&shared.now_in_force().rules);
    let plain = rules.rules.iter().map(|rule| rule.id.as_str());
    let ids: Vec<&str> = plain.chain(rules.combinations.iter().map(|it| it.id.as_str())).collect();
    answer::json(answer::line(&ids), None)
}

/// The entities that are looked for.
pub async fn supported_entities(State(shared): Daemon) -> Response<Body> {
    let entities: BTreeSet<String> =
        entities_of(&shared.now_in_force().rules).into_values().collect();
    answer::json(answer::line(&entities), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(entity_type: &str, start: usize, end: usize, score: f64) -> Found {
        let none =
            Metadata { recognizer_name: String::new(), recognizer_identifier: String::new() };
        Found {
            entity_type: entity_type.to_owned(),
            start,
            end,
            score,
            analysis_explanation: None,
            recognition_metadata: none,
        }
    }

    #[test]
    fn what_lies_inside_of_a_better_one_of_its_kind_is_dropped() {
        let given = vec![
            found("URL", 10, 20, 0.9),
            found("URL", 12, 18, 0.8),
            found("PERSON", 12, 18, 0.8),
            found("URL", 5, 25, 0.7),
            found("URL", 18, 22, 0.6),
            found("URL", 20, 30, 0.5),
        ];
        let kept: Vec<usize> = without_contained(given).iter().map(|it| it.start).collect();
        // The wider one of lower score stays beside the narrow one that is better.
        assert_eq!(kept, [10, 12, 5, 20]);
    }

    #[test]
    fn offsets_count_code_points() {
        let text = "\u{feff}ä€😀x";
        let offsets = characters(text, vec![0, 3, 5, 8, 12, 13]);
        let counts: Vec<usize> = [0, 3, 5, 8, 12, 13].iter().map(|it| offsets[it]).collect();
        assert_eq!(counts, [0, 1, 2, 3, 4, 5]);
    }
}
