//! From a validated match to a likelihood: shape, then context, column and what speaks against.

use super::context::{Nearby, Nearest, Terms};
use crate::model::{Evidence, Likelihood, Place};
use crate::rules::{Context, Rule, normalise_name};

/// What a published example or a reserved number reaches at most: `possible`.
const PUBLISHED: u32 = 50;

/// What a second kind of evidence adds to the stronger one.
const CORROBORATION: u32 = 7;

/// The text around a match.
pub struct Surroundings<'a> {
    /// The view from offset `base` on.
    pub text: &'a [u8],
    /// Offset of the first byte of `text`.
    pub base: u64,
    /// Offset before which no context counts: the start of the table row, or of the payload.
    pub floor: u64,
    /// Cell or JSON path of the match.
    pub place: Option<&'a Place>,
}

/// The likelihood of a validated match at `start..end` and what it rests on; none where the rule
/// requires context and there is none.
pub fn score(
    rule: &Rule,
    published: bool,
    (start, end): (u64, u64),
    around: &Surroundings<'_>,
    terms: &Terms,
    nearby: &mut Nearby,
) -> Option<(Likelihood, Evidence)> {
    let name = around.place.map(Place::name).filter(|name| !name.is_empty());
    let column = !rule.columns.is_empty()
        && name.is_some_and(|name| rule.columns.contains(&normalise_name(name)));
    let mut find = |context: &Context| {
        let in_name = name.and_then(|name| terms.in_name(name, &context.terms));
        let window = window(context, start, end, around);
        let (text, base) = (around.text, around.base);
        in_name.or_else(|| {
            let near = nearby.nearest(terms, text, base, window.0, window.1, &context.terms);
            near.map(|Nearest { term, .. }| term)
        })
    };
    let context = rule.context.as_ref().and_then(&mut find);
    let negative = rule.negative.as_ref().and_then(&mut find);

    let required = rule.context.as_ref().is_some_and(|context| context.required);
    if required && context.is_none() && !column {
        return None;
    }
    let by_context = context.and(rule.context.as_ref()).map_or(0, |it| u32::from(it.boost));
    let by_column = if column { u32::from(rule.column_boost) } else { 0 };
    let mut likelihood = u32::from(rule.likelihood) + by_context.max(by_column);
    if context.is_some() && column {
        likelihood += CORROBORATION;
    }
    if negative.is_some() {
        likelihood =
            likelihood.saturating_sub(rule.negative.as_ref().map_or(0, |it| u32::from(it.boost)));
    }
    if published {
        likelihood = likelihood.min(PUBLISHED);
    }
    let evidence = Evidence {
        validator: rule.validator.is_some(),
        column,
        context,
        negative,
        published_example: published,
        rests_on: None,
    };
    Some((Likelihood::new(likelihood), evidence))
}

/// Where context counts: before and behind the match.
fn window(
    context: &Context,
    start: u64,
    end: u64,
    around: &Surroundings<'_>,
) -> ((u64, u64), (u64, u64)) {
    let from = start.saturating_sub(context.before as u64).max(around.floor).min(start);
    let last = around.base + around.text.len() as u64;
    let to = (end + context.after as u64).min(last).max(end);
    ((from, start), (end, to))
}
