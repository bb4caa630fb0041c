//! The integration tests, in one binary.

mod cases;
mod checksums;
mod packs;
mod taxonomy;
