//! `sluice approvals show`.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;
use sluicegate::approve::{Hex32, Scope, Statement};
use sluicegate::record::EscalationId;

use super::{Desk, Format, Place, Standing, duration, print, print_json, time};

/// Show one escalation: what it holds, why, who asked, where to, and the statement that is signed.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Id of the escalation
    #[arg(value_parser = super::id)]
    id: EscalationId,

    #[command(flatten)]
    place: Place,

    /// The statement as you were sent it, where the state directory is another user's
    #[arg(long, value_name = "FILE")]
    statement: Option<PathBuf>,

    /// Write the statement alone, byte for byte as it is signed
    #[arg(long, conflicts_with = "format")]
    raw: bool,

    /// How it is written
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(&arguments.place)?;
    let file = arguments.statement.as_deref();
    let (bytes, kept) = desk.statement(&arguments.place, arguments.id, file)?;
    if arguments.raw {
        print(&String::from_utf8(bytes)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let statement = Statement::parse(&bytes)?;
    let standing = kept.as_ref().map(|kept| Standing::of(&desk, kept));
    match arguments.format {
        Format::Human => {
            let standing = standing.map(|standing| standing.text());
            print(&human(&desk, &statement, &bytes, standing.as_deref())?)?;
        }
        Format::Json => {
            let signed = kept.iter().flat_map(|kept| &kept.approvals);
            print_json(&json!({
                "id": arguments.id.to_string(),
                "standing": standing.as_ref().map(|it| it.word),
                "detail": standing.as_ref().map(|it| &it.detail),
                "expires": time(statement.expires),
                "digest": Statement::digest(&bytes).to_string(),
                "approvals": signed
                    .map(|it| json!({"approver": it.approver, "time": time(it.time)}))
                    .collect::<Vec<_>>(),
                "statement": statement,
            }))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What an approver reads before they sign. Texts of a statement have no control or invisible
/// characters.
pub fn human(
    desk: &Desk,
    statement: &Statement,
    bytes: &[u8],
    standing: Option<&str>,
) -> anyhow::Result<String> {
    let mut out = format!("escalation {}\n", statement.id);
    let mut line = |name: &str, text: &str| writeln!(out, "  {name:<15} {text}");
    let now = desk.now.seconds();
    let left = match statement.expires.checked_sub(now) {
        None | Some(0) => "over".to_owned(),
        Some(left) => duration(left),
    };
    if let Some(standing) = standing {
        line("standing", standing)?;
    }
    line("why", &format!("{} ({})", statement.reason, statement.rules.join(", ")))?;
    line("asked by", &format!("user {}", statement.requester))?;
    line("carried out by", &statement.executor)?;
    line("workflow", or_none(&statement.workflow))?;
    let purpose = or_none(&statement.purpose);
    if statement.unlisted_purpose {
        line("purpose", &format!("{purpose}, which the workflow does not list"))?;
    } else {
        line("purpose", purpose)?;
    }
    let address = [statement.scheme.as_str(), &statement.host];
    let address = address.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>();
    let to = or_none(&statement.destination);
    let to =
        if address.is_empty() { to.to_owned() } else { format!("{to} ({})", address.join(" ")) };
    line("goes to", &format!("{to}, as {}", statement.channel.as_str()))?;
    line("payload", &format!("{} bytes, MAC {}", statement.bytes, statement.payload_mac))?;
    let counts = |counts: &std::collections::BTreeMap<String, u64>| {
        let counts = counts.iter().map(|(id, count)| format!("{id} {count}"));
        counts.collect::<Vec<_>>().join(", ")
    };
    line("you let pass", or_none(&counts(&statement.categories)))?;
    if !statement.lineage.is_empty() {
        let ids: Vec<&str> = statement.lineage.iter().map(String::as_str).collect();
        line("from before", &ids.join(", "))?;
    }
    if !statement.coverage.is_empty() {
        let reasons: Vec<&str> = statement.coverage.iter().map(|it| it.as_str()).collect();
        line("not inspected", &reasons.join(", "))?;
    }
    if !statement.other_categories.is_empty() {
        line("beside that", &counts(&statement.other_categories))?;
    }
    for mask in &statement.evidence {
        line("found", &format!("{}  {}", mask.category, mask.masked))?;
    }
    let lifetime = duration(statement.lifetime);
    let scope = match statement.scope {
        Scope::Payload => "this payload, one time".to_owned(),
        Scope::Bounded { uses, bytes } => format!("{uses} payloads of {bytes} bytes together"),
    };
    line("a grant is for", &format!("{scope}, within {lifetime} of the last approval"))?;
    line("to be answered", &format!("until {} ({left})", time(statement.expires)))?;
    let changed = statement.policy != Hex32(desk.policy.digest());
    let policy = statement.policy.to_string();
    line(
        "policy",
        &if changed { format!("{policy}, not the one that is read here") } else { policy },
    )?;
    line("statement", &format!("SHA-256 {}", Statement::digest(bytes)))?;
    writeln!(out, "{}", String::from_utf8_lossy(bytes))?;
    Ok(out)
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}
