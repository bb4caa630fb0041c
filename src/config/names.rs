//! Words of a file, each against the words that there are.

use std::collections::BTreeSet;

use super::draft::Entry;
use super::read::{MAX_ID, MAX_LIST};
use crate::model::{Channel, Class, Effect, Reason, Sensitivity};
use crate::policy::{CategorySet, Release, Transform, Trust};
use crate::rules::reader::{Located, Reporter, Table, nearest, shown};
use crate::rules::{Code, Taxonomy};

pub(super) const EFFECTS: [(&str, Effect); 4] = [
    ("allow", Effect::Allow),
    ("redact", Effect::Redact),
    ("escalate", Effect::Escalate),
    ("block", Effect::Block),
];

/// What may be decided of a payload that cannot be read: there is nothing to redact in it.
pub(super) const OPAQUE: [(&str, Effect); 3] =
    [("allow", Effect::Allow), ("escalate", Effect::Escalate), ("block", Effect::Block)];

pub(super) const TRUST: [(&str, Trust); 2] =
    [("internal", Trust::Internal), ("external", Trust::External)];

pub(super) const ANY_TRUST: [(&str, Trust); 3] =
    [("internal", Trust::Internal), ("external", Trust::External), ("unknown", Trust::Unknown)];

pub(super) const RELEASE: [(&str, Release); 2] =
    [("whole", Release::Whole), ("prefix", Release::Prefix)];

pub(super) const TRANSFORMS: [(&str, Transform); 4] = [
    ("mask", Transform::Mask),
    ("tokenize", Transform::Tokenize),
    ("drop", Transform::Drop),
    ("generalise", Transform::Generalise),
];

pub(super) const SENSITIVITIES: [(&str, Sensitivity); 4] = [
    ("public", Sensitivity::Public),
    ("internal", Sensitivity::Internal),
    ("confidential", Sensitivity::Confidential),
    ("restricted", Sensitivity::Restricted),
];

pub(super) const REASONS: [(&str, Reason); 6] = [
    ("opaque", Reason::Opaque),
    ("limit", Reason::Limit),
    ("deadline", Reason::Deadline),
    ("damaged", Reason::Damaged),
    ("error", Reason::Error),
    ("early_block", Reason::EarlyBlock),
];

/// The fields of a flow header, which a workflow may require.
pub(super) const FIELDS: [(&str, &str); 15] = [
    ("run", "run"),
    ("step", "step"),
    ("parents", "parents"),
    ("workflow", "workflow"),
    ("channel", "channel"),
    ("trigger", "trigger"),
    ("agent", "agent"),
    ("tool", "tool"),
    ("source", "source"),
    ("destination", "destination"),
    ("purpose", "purpose"),
    ("labels", "labels"),
    ("format", "format"),
    ("grant", "grant"),
    ("escalation", "escalation"),
];

pub(super) fn channels() -> [(&'static str, Channel); 7] {
    Channel::ALL.map(|channel| (channel.as_str(), channel))
}

/// Errors after which no more names are suggested: that would take longer than to read the file.
const SUGGESTED: usize = 100;

/// The known name that is most like this one.
pub(super) fn suggestion<'w>(
    name: &str,
    known: impl Iterator<Item = &'w str>,
    reporter: &Reporter<'_>,
) -> Option<&'w str> {
    if reporter.diagnostics.errors() < SUGGESTED { nearest(name, known) } else { None }
}

/// One of some words under a key.
pub(super) fn word<T: Copy>(
    table: &mut Table<'_, '_, '_>,
    key: &'static str,
    words: &[(&'static str, T)],
) -> Option<T> {
    let text = table.text(key, MAX_ID)?;
    meaning(&text, key, words, table.reporter)
}

/// One or more of some words under a key.
pub(super) fn words<T: Copy + Ord>(
    table: &mut Table<'_, '_, '_>,
    key: &'static str,
    words: &[(&'static str, T)],
) -> BTreeSet<T> {
    let texts = table.one_or_more(key, MAX_LIST, MAX_ID);
    report_repeated(&texts, table.reporter);
    texts.iter().filter_map(|text| meaning(text, key, words, table.reporter)).collect()
}

fn meaning<T: Copy>(
    text: &Located<String>,
    key: &str,
    words: &[(&'static str, T)],
    reporter: &mut Reporter<'_>,
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text.value);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help = match suggestion(&text.value, known.iter().copied(), reporter) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of {}", known.join(", ")),
        };
        let message = format!("`{}` is no {}", shown(&text.value), key.replace('_', " "));
        reporter.report_with_help(text.at, Code::UnknownWord, message, Some(help));
    }
    found.map(|(_, meaning)| *meaning)
}

/// Categories and classes under a key, each entry by itself.
pub(super) fn entries(
    table: &mut Table<'_, '_, '_>,
    key: &'static str,
    taxonomy: &Taxonomy,
) -> Vec<Entry> {
    let texts = table.one_or_more(key, MAX_LIST, MAX_ID);
    report_repeated(&texts, table.reporter);
    texts.into_iter().filter_map(|text| entry(text, taxonomy, table.reporter)).collect()
}

/// Categories and classes under a key, all together.
pub(super) fn categories(
    table: &mut Table<'_, '_, '_>,
    key: &'static str,
    taxonomy: &Taxonomy,
) -> CategorySet {
    union(&entries(table, key, taxonomy))
}

pub(super) fn union(entries: &[Entry]) -> CategorySet {
    entries.iter().fold(CategorySet::new(), |mut all, entry| {
        all.join(&entry.categories);
        all
    })
}

fn entry(text: Located<String>, taxonomy: &Taxonomy, reporter: &mut Reporter<'_>) -> Option<Entry> {
    let class = Class::ALL.into_iter().find(|class| class.as_str() == text.value);
    let categories: CategorySet = match (taxonomy.find(&text.value), class) {
        (Some(category), _) => [category].into_iter().collect(),
        (None, Some(class)) => {
            let of_class = taxonomy.iter().filter(|(_, category)| category.class == class);
            of_class.map(|(index, _)| index).collect()
        }
        (None, None) => {
            let mut known: Vec<&str> = Class::ALL.into_iter().map(Class::as_str).collect();
            known.extend(taxonomy.iter().map(|(_, category)| category.id.as_str()));
            let help = match suggestion(&text.value, known.into_iter(), reporter) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "a category such as `pii.email`, or a class: `sluice rules list` shows both"
                        .to_owned()
                }
            };
            let message = format!("there is no category or class `{}`", shown(&text.value));
            reporter.report_with_help(text.at, Code::UnknownCategory, message, Some(help));
            return None;
        }
    };
    Some(Entry { text: text.value, categories, at: text.at })
}

/// Reports entries that a list has twice.
pub(super) fn report_repeated(texts: &[Located<String>], reporter: &mut Reporter<'_>) {
    let mut seen = BTreeSet::new();
    for text in texts {
        if !seen.insert(&text.value) {
            let message = format!("`{}` stands here twice", shown(&text.value));
            reporter.report(text.at, Code::RepeatedEntry, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Claimed, FlowHeader};

    #[test]
    fn words_are_those_of_the_model() {
        assert!(EFFECTS.iter().chain(&OPAQUE).all(|(word, it)| it.as_str() == *word));
        assert!(TRUST.iter().chain(&ANY_TRUST).all(|(word, it)| it.as_str() == *word));
        assert!(TRANSFORMS.iter().all(|(word, it)| it.as_str() == *word));
        assert!(SENSITIVITIES.iter().all(|(word, it)| it.as_str() == *word));
        assert!(REASONS.iter().all(|(word, it)| it.as_str() == *word));
    }

    #[test]
    fn fields_are_those_of_a_flow_header() {
        let some = || Some(Claimed::new("x"));
        let header = FlowHeader {
            run: some(),
            step: some(),
            parents: vec![Claimed::new("x")],
            workflow: some(),
            channel: Some(Channel::Prompt),
            trigger: some(),
            agent: some(),
            tool: some(),
            source: some(),
            destination: some(),
            purpose: some(),
            labels: BTreeSet::from([Claimed::new("x")]),
            format: some(),
            grant: some(),
            escalation: some(),
        };
        assert!(FIELDS.iter().all(|(field, it)| header.has(field) && field == it));
        let named: BTreeSet<&str> = header.texts().map(|(name, _)| name).collect();
        assert_eq!(named.len() + 1, FIELDS.len());
    }
}
