//! Starts a command and says what it took: `compare-spawn REPORT COMMAND [ARGUMENT...]`.
//!
//! It is small itself, since a child counts the memory of the process that it was forked from as its own.

use std::process::{Command, ExitCode};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::json;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [report, command, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: compare-spawn REPORT COMMAND [ARGUMENT...]");
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let status = Command::new(command).args(rest).status();
    let wall = began.elapsed();
    let said = match (status, getrusage(UsageWho::RUSAGE_CHILDREN)) {
        (Ok(status), Ok(usage)) => {
            let cpu = usage.user_time() + usage.system_time();
            json!({
                "code": status.code(),
                "wall_s": wall.as_secs_f64(),
                "cpu_s": cpu.num_microseconds() as f64 / 1e6,
                "peak_rss": usage.max_rss() * 1024,
            })
        }
        (Err(error), _) => json!({"error": format!("{}: {error}", command.display())}),
        (_, Err(error)) => json!({"error": format!("getrusage: {error}")}),
    };
    match std::fs::write(report, said.to_string()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare-spawn: {}: {error}", report.display());
            ExitCode::FAILURE
        }
    }
}
