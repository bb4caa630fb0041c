//! The integration tests, in one binary.

mod scan_cli;
