//! The integration tests, in one binary.

mod docs;
mod licences;
mod tidy;
mod output;
mod taxonomy;
