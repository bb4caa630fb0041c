//! From a validated match to a likelihood: shape, then context, column and what speaks against.

use super::context::{Nearby, Nearest, Search, Terms, TermsNearby};
use super::first_words::FirstWords;
use super::names::{Label, Says};
use crate::model::{Evidence, Likelihood, TermIndex};
use crate::rules::{Context, Rule};

/// What a published example or a reserved number reaches at most: `possible`.
const PUBLISHED: u32 = 50;

/// What a second kind of evidence adds to the stronger one.
const CORROBORATION: u32 = 7;

/// What the name of the rule's country adds to other evidence.
const COUNTRY: u32 = 8;

/// What a term adds that stands at most [`BESIDE_BYTES`] bytes before the match.
const BESIDE: u32 = 4;

/// See [`BESIDE`].
const BESIDE_BYTES: u64 = 16;

/// How much farther away than in a name a term in the text counts.
const OUTSIDE_NAME: u64 = 4096;

/// So many terms that speak against a match are looked for among all terms, not one list by itself.
const MANY: usize = 400;

/// The text around a match.
pub struct Surroundings<'a> {
    /// The view from offset `base` on.
    pub text: &'a [u8],
    /// Offset of the first byte of `text`.
    pub base: u64,
    /// Offset before which no context counts: the start of the table row, or of the payload.
    pub floor: u64,
    /// Start of the cell or JSON value that holds the match.
    pub value_start: Option<u64>,
    /// What the name of the cell or JSON path says of matches of the rule.
    pub label: Option<Label>,
}

/// The likelihood of a validated match at `start..end` and what it rests on; none where the rule
/// requires context and there is none.
///
/// Of the terms that speak for a match and those that speak against it only the nearer one counts:
/// the label of a value stands nearest to it.
pub fn score(
    (position, rule): (usize, &Rule),
    published: bool,
    (start, end): (u64, u64),
    around: &Surroundings<'_>,
    terms: &Terms,
    nearby: &mut TermsNearby,
) -> Option<(Likelihood, Evidence)> {
    let label = around.label.as_ref();
    let column = label.is_some_and(|label| label.is_listed);
    let TermsNearby { wanted: nearby, all, words } = nearby;
    let near = |mut search: Search<'_>, context: &Context, wanted: &[TermIndex]| {
        let (before, behind) = window(context, start, end, around);
        search.nearest(around.text, around.base, before, behind, wanted)
    };
    let mut in_text = |words: &mut FirstWords, context: &Context, wanted: &[TermIndex]| {
        near(seek(nearby, words, terms, (position, rule)), context, wanted)
    };
    let outside = |near: Nearest| Nearest { distance: near.distance + OUTSIDE_NAME, ..near };
    let mut context = rule.context.as_ref().and_then(|context| {
        label.and_then(|label| label.for_it).or_else(|| {
            let near = (!context.names_only).then(|| in_text(words, context, &context.terms));
            near.flatten().map(outside)
        })
    });
    // Most matches end here: numbers are everywhere, their labels are not.
    let required = rule.context.as_ref().is_some_and(|context| context.required);
    if required && context.is_none() && !column {
        return None;
    }
    // Nothing speaks against a value under a name that is listed.
    let mut negative = rule.negative.as_ref().filter(|_| !column).and_then(|context| {
        label.and_then(|label| label.against_it).or_else(|| {
            let near = match context.terms.len() {
                0..=MANY => in_text(words, context, &context.terms),
                _ => near(all.search(words, terms), context, &context.terms),
            };
            near.map(outside)
        })
    });
    match (&context, &negative) {
        (Some(near), Some(other)) if near.distance <= other.distance => negative = None,
        (Some(_), Some(_)) => context = None,
        _ => {}
    }
    if required && context.is_none() && !column {
        return None;
    }
    let supported = context.is_some() || column;
    let country = rule.context.as_ref().filter(|_| supported && !rule.country_terms.is_empty());
    let country = country.and_then(|context| {
        let named = label.and_then(|label| label.country);
        named.or_else(|| in_text(words, context, &rule.country_terms))
    });
    let by_context = context.and(rule.context.as_ref()).map_or(0, |it| u32::from(it.boost));
    let by_column = if column { u32::from(rule.column_boost) } else { 0 };
    let mut likelihood = u32::from(rule.likelihood) + by_context.max(by_column);
    if context.is_some() && column {
        likelihood += CORROBORATION;
    }
    if country.is_some() {
        likelihood += COUNTRY;
    }
    let is_beside = |near: &Nearest| near.distance.wrapping_sub(OUTSIDE_NAME) <= BESIDE_BYTES;
    if context.as_ref().is_some_and(is_beside) {
        likelihood += BESIDE;
    }
    if negative.is_some() {
        likelihood =
            likelihood.saturating_sub(rule.negative.as_ref().map_or(0, |it| u32::from(it.boost)));
    }
    if published {
        likelihood = likelihood.min(PUBLISHED);
    }
    let term = |near: Nearest| near.term;
    let evidence = Evidence {
        validator: rule.validator.is_some(),
        column,
        context: context.map(term),
        negative: negative.map(term),
        country: country.map(term),
        published_example: published,
        rests_on: None,
    };
    Some((Likelihood::new(likelihood), evidence))
}

/// The search for the terms of the rule at a position.
pub fn seek<'a>(
    nearby: &'a mut Nearby,
    words: &'a mut FirstWords,
    terms: &'a Terms,
    (position, rule): (usize, &Rule),
) -> Search<'a> {
    let [context, negative] = [&rule.context, &rule.negative]
        .map(|context| context.as_ref().map_or(&[][..], |context| &context.terms));
    let negative = if negative.len() > MANY { &[] } else { negative };
    let lists = [context, negative, &rule.country_terms];
    nearby.seek(words, terms, position, lists)
}

/// Where context counts, before and behind the match. Under a name that says what the value is,
/// words outside of the value speak of something else.
fn window(
    context: &Context,
    start: u64,
    end: u64,
    around: &Surroundings<'_>,
) -> ((u64, u64), (u64, u64)) {
    let own = around.label.is_some_and(|label| label.says == Says::What);
    let floor = around.value_start.filter(|_| own).map_or(around.floor, |at| at.max(around.floor));
    let from = start.saturating_sub(context.before as u64).max(floor).min(start);
    let last = around.base + around.text.len() as u64;
    let mut to = (end + context.after as u64).min(last).max(end);
    if own {
        let index =
            |offset: u64| usize::try_from(offset.saturating_sub(around.base)).unwrap_or(usize::MAX);
        let behind = around.text.get(index(end)..index(to)).unwrap_or_default();
        to = end + behind.iter().position(ends_value).unwrap_or(behind.len()) as u64;
    }
    ((from, start), (end, to))
}

/// Whether what stands behind a byte is not taken for a part of the value before it.
pub const fn ends_value(byte: &u8) -> bool {
    matches!(byte, b'"' | b',' | b';' | b'|' | b'\t' | b'\n' | b'}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Place;
    use crate::scan::names::{Name, Named};
    use crate::scan::sample;

    const RULE: &str = "anchors = { keywords = [\"key\"] }\nlikelihood = 40\n\
        context = { terms = [\"good\"], before = 20, after = 10, boost = 30 }\n\
        negative = { terms = [\"bad\"], before = 20, after = 10, boost = 25 }\n\
        columns = [\"key_name\"]\ncolumn_boost = 20";

    /// Likelihood of the `key` in a text, or none; under a column name where one is given. What
    /// stands before `|` is another row, what stands before `;` another cell.
    fn likelihood(rule: &str, text: &str, column: &str, published: bool) -> Option<u8> {
        let lists = "[[list]]\nid = \"country.us\"\nterms = [\"usa\"]";
        let rules = sample::rules(&[("sec.a", "key", rule)], lists);
        let start = text.find("key").unwrap() as u64;
        let place = Place::Cell { row: 1, column: column.into() };
        let terms = Terms::new(&rules);
        let name = Name::of(&place).map(|name| Named::new(name, &terms));
        let behind = |mark: char| text.find(mark).map_or(0, |at| at as u64 + 1);
        let around = Surroundings {
            text: text.as_bytes(),
            base: 0,
            floor: behind('|'),
            value_start: Some(behind(';').max(behind('|'))).filter(|_| !column.is_empty()),
            label: name.map(|name| name.label(&rules.rules[0])),
        };
        let mut nearby = TermsNearby::default();
        let span = (start, start + 3);
        score((0, &rules.rules[0]), published, span, &around, &terms, &mut nearby)
            .map(|(likelihood, _)| likelihood.get())
    }

    #[test]
    fn evidence_adds_and_takes() {
        let of = |text, column| likelihood(RULE, text, column, false).unwrap();
        assert_eq!(of("key", ""), 40);
        let wide = RULE.replace("before = 20", "before = 60");
        let far = |column| likelihood(&wide, "good ................ key", column, false);
        assert_eq!(far(""), Some(70));
        assert_eq!(of("good key", ""), 74, "right beside it");
        assert_eq!(of("key good", ""), 70);
        assert_eq!(of("key", "Key Name"), 60);
        assert_eq!(far("key-name"), Some(77), "the larger one plus 7");
        assert_eq!(of("key good", "key-name"), 77, "the larger one plus 7");
        assert_eq!(of("key", "good"), 70, "a term in the column name is context");
        assert_eq!(of("bad key", ""), 15);
        assert_eq!(of("key", "bad_column"), 15);
        let negative = RULE.replace("boost = 25", "boost = 90");
        assert_eq!(likelihood(&negative, "bad key", "", false), Some(0));
        let sure = RULE.replace("boost = 30", "boost = 90");
        assert_eq!(likelihood(&sure, "good key", "", false), Some(100));
    }

    #[test]
    fn the_nearer_label_wins() {
        let of = |text, column| likelihood(RULE, text, column, false).unwrap();
        assert_eq!(of("bad 1, good key", ""), 74);
        assert_eq!(of("good 1, bad key", ""), 15);
        assert_eq!(of("good key bad", ""), 74, "a label stands before its value");
        assert_eq!(of("bad key good", ""), 15);
        assert_eq!(of("bad key", "good"), 70, "a name is nearer than any text");
        assert_eq!(of("bad key", "key_name"), 60, "and a listed one says enough");
        assert_eq!(of("good key", "bad"), 15);
        let required = RULE.replace("boost = 30", "boost = 30, required = true");
        assert_eq!(likelihood(&required, "good 1, bad key", "", false), None);
    }

    #[test]
    fn a_specific_name_shuts_out_the_neighbours() {
        let of = |text, column| likelihood(RULE, text, column, false).unwrap();
        assert_eq!(of("good; key", "colour"), 40);
        assert_eq!(of("good; key", "value"), 74);
        assert_eq!(of("good; key", "notes"), 74);
        assert_eq!(of("x; good key", "colour"), 74);
        assert_eq!(of("key good", "colour"), 70);
        assert_eq!(of("key, good", "colour"), 40);
        assert_eq!(of("key, good", "notes"), 70);
    }

    #[test]
    fn the_country_adds_to_other_evidence_alone() {
        let of = |text| {
            let rule = format!("country = \"US\"\n{RULE}");
            likelihood(&rule, text, "", false).unwrap()
        };
        assert_eq!(of("usa key"), 40);
        assert_eq!(of("usa good key"), 82);
        assert_eq!(of("usa bad key"), 15);
    }

    #[test]
    fn windows_end_where_the_rule_and_the_row_say() {
        let of = |text: &str| likelihood(RULE, text, "", false).unwrap();
        let gap = |bytes| ".".repeat(bytes);
        assert_eq!(of(&format!("good{}key", gap(16))), 74);
        assert_eq!(of(&format!("good{}key", gap(17))), 40);
        assert_eq!(of(&format!("key{}good", gap(6))), 70);
        assert_eq!(of(&format!("key{}good", gap(7))), 40);
        assert_eq!(of("good| key"), 40, "before the row");
        assert_eq!(of("|good key"), 74);
        assert_eq!(of("| key good"), 70);
    }

    #[test]
    fn required_context_and_published_examples() {
        let required = RULE.replace("boost = 30", "boost = 30, required = true");
        let of = |text, column| likelihood(&required, text, column, false);
        assert_eq!(of("key", ""), None);
        assert_eq!(of("good key", ""), Some(74));
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
        let (terms, mut nearby) = (Terms::new(&rules), TermsNearby::default());
        let name = Name::of(&place).map(|name| Named::new(name, &terms));
        let around = Surroundings {
            text,
            base: 0,
            floor: 0,
            value_start: None,
            label: name.map(|name| name.label(&rules.rules[0])),
        };
        let found = score((0, &rules.rules[0]), false, (5, 8), &around, &terms, &mut nearby);
        let (_, evidence) = found.unwrap();
        assert_eq!(evidence.context.map(|term| rules.term(term)), Some("good"));
        assert!(evidence.column && !evidence.validator && evidence.negative.is_none());
    }
}
