//! The integration tests, in one binary.

mod cases;
mod exact;
mod classify_cli;
mod docs;
mod licences;
mod tidy;
mod output;
mod support;
mod taxonomy;
mod tidy;
mod rules_diagnostics;
