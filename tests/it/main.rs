//! The integration tests, in one binary.

mod checksums;
mod packs;
mod taxonomy;
