//! The integration tests, in one binary.

mod checksums;
mod taxonomy;
