//! The integration tests, in one binary.

mod rules_diagnostics;
mod rules_command;
