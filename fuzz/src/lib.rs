//! The bodies of the fuzz targets, shared with the tests that replay them on stable.

#[path = "../../tests/it/fuzz_bodies.rs"]
pub mod fuzz_bodies;
#[path = "../../tests/it/fuzz_flow.rs"]
mod fuzz_flow;
#[path = "../../tests/it/fuzz_gate.rs"]
mod fuzz_gate;
#[path = "../../tests/it/fuzz_request.rs"]
mod fuzz_request;
#[allow(dead_code)]
#[path = "../../tests/it/support.rs"]
mod support;
#[path = "../../tests/it/wire.rs"]
mod wire;
