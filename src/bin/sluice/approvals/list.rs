//! `sluice approvals list`.

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::json;
use sluicegate::approve::Statement;
use sluicegate::record::pending::PendingError;

use super::{Desk, Format, Place, Standing, open, print, print_json, time, usage};

/// List the escalations and where each of them stands.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,

    /// Also those that were denied, used or not approved in time
    #[arg(long)]
    all: bool,

    /// How the list is written
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(&arguments.place)?;
    let pending = open(&arguments.place)?;
    let mut lines = String::new();
    let mut shapes = Vec::new();
    for id in pending.list().map_err(usage)? {
        let kept = match desk.look(&pending, id) {
            Err(PendingError::NotFound(_)) => continue,
            other => other.map_err(usage)?,
        };
        let standing = Standing::of(&desk, &kept);
        if !arguments.all && !["waiting", "approved"].contains(&standing.word) {
            continue;
        }
        let Ok(statement) = Statement::parse(&kept.statement) else {
            return Err(PendingError::Damaged(id).into());
        };
        let held: Vec<&str> = statement.categories.keys().map(String::as_str).collect();
        let what = if held.is_empty() { "a payload".to_owned() } else { held.join(", ") };
        let from = if statement.workflow.is_empty() { "no workflow" } else { &statement.workflow };
        let to = if statement.destination.is_empty() { "nowhere" } else { &statement.destination };
        writeln!(lines, "{id}  {what} from {from} to {to}\n    {}", standing.text())?;
        shapes.push(json!({
            "id": id.to_string(),
            "standing": standing.word,
            "detail": standing.detail,
            "expires": time(statement.expires),
            "approvals": kept.approvals.iter().map(|it| &it.approver).collect::<Vec<_>>(),
            "statement": statement,
        }));
    }
    match arguments.format {
        Format::Json => print_json(&json!({ "escalations": shapes }))?,
        Format::Human if lines.is_empty() => print("nothing waits\n")?,
        Format::Human => print(&lines)?,
    }
    Ok(ExitCode::SUCCESS)
}
