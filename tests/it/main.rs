//! The integration tests, in one binary.

mod tidy;
mod output;
mod taxonomy;
