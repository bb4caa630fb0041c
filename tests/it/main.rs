//! The integration tests, in one binary.

mod checksums;
mod pack_cases;
mod packs;
mod taxonomy;
