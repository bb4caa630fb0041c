//! A view comes in, findings come out: anchors, matches, validation, scores, overlaps.

pub mod structure;
pub mod validate;
