//! The integration tests, in one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod approve;
mod approve_cli;
mod approve_ssh;
mod approve_store;
mod awkward;
mod canary;
mod cases;
mod checksums;
mod classify_cli;
mod client;
mod config;
mod daemon;
mod decide_cli;
mod docs;
mod exact;
mod flowing;
mod fuzz_bodies;
mod fuzz_flow;
mod fuzz_gate;
mod fuzz_regressions;
mod fuzz_request;
mod gate_baseline;
mod gate_bypass;
mod gate_config;
mod gate_exceptions;
mod gate_deploy;
mod gate_forms;
mod gate_history;
mod gate_import;
mod gate_install;
mod gate_odd;
mod gate_precommit;
mod gate_property;
mod gate_push;
mod gate_readme;
mod gate_record;
mod gate_staged;
mod generated;
mod http;
#[cfg(feature = "hyperscan")]
mod hyperscan;
mod ledger_cli;
mod ledger_crash;
mod ledger_independent;
mod ledger_mutated;
mod licences;
mod litellm;
mod naive;
mod one_answer;
mod openapi;
mod output;
mod packs;
mod policy_cli;
mod policy_diagnostics;
mod policy_generated;
mod presidio;
mod protocol;
mod redact;
mod repository;
mod rules_command;
mod rules_cost;
mod rules_diagnostics;
mod scan_cli;
mod scan_flow;
mod send_cli;
mod serve_faults;
mod serve_identity;
mod serve_limits;
mod serve_messenger;
mod serve_peer;
mod serve_sandbox;
mod serve_soak;
mod serve_start;
mod support;
mod taxonomy;
mod tidy;
mod tour;
mod wire;
