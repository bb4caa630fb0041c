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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::sample;

    const RULE: &str = "anchors = { keywords = [\"key\"] }\nlikelihood = 40\n\
        context = { terms = [\"good\"], before = 20, after = 10, boost = 30 }\n\
        negative = { terms = [\"bad\"], before = 20, after = 10, boost = 25 }\n\
        columns = [\"key_name\"]\ncolumn_boost = 20";

    /// Likelihood of the `key` in a text, or none; under a column name where one is given.
    fn likelihood(rule: &str, text: &str, column: &str, published: bool) -> Option<u8> {
        let rules = sample::rules(&[("sec.a", "key", rule)], "");
        let start = text.find("key").unwrap() as u64;
        let place = Place::Cell { row: 1, column: column.into() };
        let floor = text.find('|').map_or(0, |at| at as u64 + 1);
        let around = Surroundings { text: text.as_bytes(), base: 0, floor, place: Some(&place) };
        let terms = Terms::new(&rules);
        let mut nearby = Nearby::default();
        let span = (start, start + 3);
        score(&rules.rules[0], published, span, &around, &terms, &mut nearby)
            .map(|(likelihood, _)| likelihood.get())
    }

    #[test]
    fn evidence_adds_and_takes() {
        let of = |text, column| likelihood(RULE, text, column, false).unwrap();
        assert_eq!(of("key", ""), 40);
        assert_eq!(of("good key", ""), 70);
        assert_eq!(of("key good", ""), 70);
        assert_eq!(of("key", "Key Name"), 60);
        assert_eq!(of("good key", "key-name"), 77, "the larger one plus 7");
        assert_eq!(of("key", "good"), 70, "a term in the column name is context");
        assert_eq!(of("bad key", ""), 15);
        assert_eq!(of("good key bad", ""), 45);
        assert_eq!(of("key", "bad_column"), 15);
        let negative = RULE.replace("boost = 25", "boost = 90");
        assert_eq!(likelihood(&negative, "bad key", "", false), Some(0));
        let sure = RULE.replace("boost = 30", "boost = 90");
        assert_eq!(likelihood(&sure, "good key", "", false), Some(100));
    }

    #[test]
    fn windows_end_where_the_rule_and_the_row_say() {
        let of = |text: &str| likelihood(RULE, text, "", false).unwrap();
        let gap = |bytes| ".".repeat(bytes);
        assert_eq!(of(&format!("good{}key", gap(16))), 70);
        assert_eq!(of(&format!("good{}key", gap(17))), 40);
        assert_eq!(of(&format!("key{}good", gap(6))), 70);
        assert_eq!(of(&format!("key{}good", gap(7))), 40);
        assert_eq!(of("good| key"), 40, "before the row");
        assert_eq!(of("|good key"), 70);
        assert_eq!(of("| key good"), 70);
    }

    #[test]
    fn required_context_and_published_examples() {
        let required = RULE.replace("boost = 30", "boost = 30, required = true");
        let of = |text, column| likelihood(&required, text, column, false);
        assert_eq!(of("key", ""), None);
        assert_eq!(of("good key", ""), Some(70));
        assert_eq!(of("key", "key_name"), Some(60));
        assert_eq!(of("key", "other"), None);
        assert_eq!(likelihood(RULE, "good key", "", true), Some(50));
        assert_eq!(likelihood(RULE, "key", "", true), Some(40));
    }

    #[test]
    fn evidence_says_why() {
        let rules = sample::rules(&[("sec.a", "key", RULE)], "");
        let place = Place::Cell { row: 1, column: "key_name".into() };
        let text = b"good key";
        let around = Surroundings { text, base: 0, floor: 0, place: Some(&place) };
        let (terms, mut nearby) = (Terms::new(&rules), Nearby::default());
        let found = score(&rules.rules[0], false, (5, 8), &around, &terms, &mut nearby);
        let (_, evidence) = found.unwrap();
        assert_eq!(evidence.context.map(|term| rules.term(term)), Some("good"));
        assert!(evidence.column && !evidence.validator && evidence.negative.is_none());
    }
}
