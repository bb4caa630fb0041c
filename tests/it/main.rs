//! The integration tests, in one binary.

mod classify_cli;
mod output;
