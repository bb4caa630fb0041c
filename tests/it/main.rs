//! The integration tests, in one binary.

mod tidy;
mod output;
mod taxonomy;
mod support;
mod fuzz_bodies;
mod fuzz_regressions;
