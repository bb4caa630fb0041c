//! One rare byte by `memchr`: what reading the bytes costs, and a bound for whatever does more.

use std::process::ExitCode;
use std::time::Duration;

use compare::{Contestant, run};

/// In no text: 0xFF is not UTF-8.
const RARE: u8 = 0xff;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let contestant = Contestant { version: "2", rules: 1, ready: Duration::ZERO };
    let found = run(&arguments, &contestant, &mut |payload| {
        memchr::memchr_iter(RARE, payload).count() as u64
    });
    match found {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare-memchr: {error}");
            ExitCode::FAILURE
        }
    }
}
