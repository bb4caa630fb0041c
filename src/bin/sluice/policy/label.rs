//! Labels as `classify --format json` writes them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde::Deserialize;
use sluicegate::model::{
    CategoryCount, CategoryIndex, Coverage, Label, Likelihood, Reason, Sensitivity, Unique,
};
use sluicegate::rules::Taxonomy;

use crate::UsageError;

/// The output of `classify`, of which the label is a part.
#[derive(Deserialize)]
struct Document {
    label: LabelShape,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelShape {
    #[serde(default)]
    categories: BTreeMap<String, CountShape>,
    #[serde(default)]
    possible: BTreeMap<String, u64>,
    #[serde(default)]
    sensitivity: Option<Sensitivity>,
    #[serde(default)]
    coverage: Option<CoverageShape>,
    #[serde(default)]
    lineage: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountShape {
    count: u64,
    unique: UniqueShape,
    max_likelihood: u8,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum UniqueShape {
    Exact(u32),
    AtLeast { at_least: u32 },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CoverageShape {
    #[serde(rename = "state")]
    _state: String,
    reasons: BTreeSet<Reason>,
}

/// Reads a label, or the label of what `classify` wrote.
pub fn parse(json: &[u8], taxonomy: &Taxonomy) -> anyhow::Result<Label> {
    let shape: LabelShape = match serde_json::from_slice::<Document>(json) {
        Ok(document) => document.label,
        Err(_) => serde_json::from_slice(json).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let form = "a label has `categories`, `possible`, `sensitivity`, `coverage` and \
                        `lineage`, as `sluice classify --format json` writes it";
            UsageError(format!("no label can be read (line {line}, column {column}); {form}"))
        })?,
    };
    let find = |id: &String| -> anyhow::Result<CategoryIndex> {
        let known = taxonomy.find(id);
        let unknown = || UsageError("the label names a category that no rule pack defines".into());
        known.with_context(unknown)
    };
    let count = |shape: &CountShape| CategoryCount {
        count: shape.count,
        unique: match shape.unique {
            UniqueShape::Exact(unique) => Unique::Exact(unique),
            UniqueShape::AtLeast { at_least } => Unique::AtLeast(at_least),
        },
        max_likelihood: Likelihood::new(shape.max_likelihood.into()),
    };
    let reasons = shape.coverage.map(|coverage| coverage.reasons).unwrap_or_default();
    Ok(Label {
        categories: shape
            .categories
            .iter()
            .map(|(id, shape)| Ok((find(id)?, count(shape))))
            .collect::<anyhow::Result<_>>()?,
        possible: shape
            .possible
            .iter()
            .map(|(id, count)| Ok((find(id)?, *count)))
            .collect::<anyhow::Result<_>>()?,
        sensitivity: shape.sensitivity.unwrap_or(Sensitivity::Public),
        coverage: Coverage { reasons },
        lineage: shape.lineage.iter().map(find).collect::<anyhow::Result<_>>()?,
    })
}
