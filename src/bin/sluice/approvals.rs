//! `sluice approvals`: what waits for a person, and their answers.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use sluicegate::RuleSet;
use sluicegate::approve::{Authority, GrantRefusal, Statement};
use sluicegate::policy::Policy;
use sluicegate::record::pending::{End, Kept, Pending, PendingError};
use sluicegate::record::{EscalationId, Moment};
use sluicegate::serve::clock;

use crate::UsageError;
use crate::names::shown;
use crate::state::StateDir;

mod agent;
mod answer;
mod list;
pub mod reveal;
mod show;

/// See what waits for a person, and approve or deny it.
///
/// An approval is an SSH signature of the escalation's statement. It counts if the key is that of
/// an approver in `sluice.toml` who may approve these categories, and neither asked for the flow
/// nor carries it out.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the escalations and where each of them stands
    List(list::Arguments),
    /// Show one: what it holds, why, who asked, where to, and the statement that is signed
    Show(show::Arguments),
    /// Sign a statement and leave the signature in the inbox
    Approve(answer::Approve),
    /// End an escalation
    Deny(answer::Deny),
}

/// What all of them take.
#[derive(Debug, clap::Args)]
pub struct Place {
    #[command(flatten)]
    state: StateDir,

    /// The register with the approvers, instead of that of the machine or the user
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Add the rules in this folder, which define more categories; may be repeated
    #[arg(long = "rules", value_name = "DIR")]
    rules: Vec<PathBuf>,
}

/// How output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Human,
    /// For programs
    Json,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::List(arguments) => list::run(&arguments),
        Command::Show(arguments) => show::run(&arguments),
        Command::Approve(arguments) => answer::approve(&arguments),
        Command::Deny(arguments) => answer::deny(&arguments),
    }
}

/// The register that is in force and the time.
struct Desk {
    rules: Arc<RuleSet>,
    policy: Policy,
    now: Moment,
}

impl Desk {
    fn open(place: &Place) -> anyhow::Result<Desk> {
        let rules = crate::load::load_rules(&place.rules)?;
        let loaded = crate::register::load(place.config.as_deref(), &rules.taxonomy)?;
        Ok(Desk { rules, policy: loaded.config.policy, now: clock::now()? })
    }

    fn authority(&self) -> Authority<'_> {
        Authority { policy: &self.policy, taxonomy: &self.rules.taxonomy }
    }

    /// An escalation with what waits in the inbox for it. Nothing is taken out: whoever uses the
    /// grant does that, and records it.
    fn look(&self, pending: &Pending, id: EscalationId) -> Result<Kept, PendingError> {
        let authority = self.authority();
        let mut judge = |kept: &Kept, arrival: &_| authority.judge(kept, arrival);
        pending.preview(id, &authority.approvers(), &self.now, &mut judge)
    }

    /// The statement that is given as a file, else the one that is kept.
    fn statement(
        &self,
        place: &Place,
        id: EscalationId,
        file: Option<&Path>,
    ) -> anyhow::Result<(Vec<u8>, Option<Kept>)> {
        let Some(path) = file else {
            let kept = self.look(&open(place)?, id).map_err(usage)?;
            return Ok((kept.statement.clone(), Some(kept)));
        };
        let most = sluicegate::approve::MAX_STATEMENT;
        let bytes = read(path, most)
            .with_context(|| UsageError(format!("cannot read the statement `{}`", shown(path))))?;
        // An editor or a mail program may have put a line end behind it.
        let bytes = bytes.trim_ascii_end().to_vec();
        let stated = Statement::parse(&bytes)
            .map_err(|error| UsageError(format!("`{}`: {error}", shown(path))))?;
        if stated.id != id {
            let text = format!("`{}` is the statement of escalation {}", shown(path), stated.id);
            return Err(UsageError(text).into());
        }
        Ok((bytes, None))
    }
}

/// Where an escalation stands.
struct Standing {
    word: &'static str,
    /// More, for a person.
    detail: String,
}

impl Standing {
    fn of(desk: &Desk, kept: &Kept) -> Standing {
        let now = desk.now.seconds();
        let standing = |word, detail: String| Standing { word, detail };
        if kept.used >= kept.bounds.uses {
            return standing("used", String::new());
        }
        match (desk.authority().grant(kept, now), &kept.ended) {
            (_, Some(End::Denied { approver, reason })) => {
                standing("denied", format!("by {approver}: {reason}"))
            }
            (_, Some(End::Expired)) => standing("expired", String::new()),
            (Ok(grant), None) => {
                let by = grant.approvers().join(", ");
                let left = duration(grant.expires().saturating_sub(now));
                standing("approved", format!("by {by}, for another {left}"))
            }
            (Err(GrantRefusal::Waiting { have, need }), None) => {
                let left = duration(kept.bounds.expires.saturating_sub(now));
                standing("waiting", format!("{have} of {need} approvals, {left} left"))
            }
            (Err(GrantRefusal::Expired), None) => standing("expired", String::new()),
            (Err(refusal), None) => standing("void", refusal.to_string()),
        }
    }

    fn text(&self) -> String {
        match self.detail.as_str() {
            "" => self.word.to_owned(),
            detail => format!("{}: {detail}", self.word),
        }
    }
}

fn open(place: &Place) -> anyhow::Result<Pending> {
    let path = place.state.path()?;
    let name = shown(&path);
    Pending::open(&path).map_err(|error| {
        let hint = "with another user's escalations, give the statement that you were sent with \
                    --statement FILE";
        UsageError(format!("cannot read the escalations of `{name}`: {error}; {hint}")).into()
    })
}

/// An error of the store that the caller can mend: a wrong id, a clock that is wrong.
fn usage(error: PendingError) -> anyhow::Error {
    match error {
        PendingError::Io(..) | PendingError::Damaged(_) | PendingError::Busy => error.into(),
        other => UsageError(other.to_string()).into(),
    }
}

/// Reads a file that is one, of at most so many bytes.
fn read(path: &Path, most: usize) -> anyhow::Result<Vec<u8>> {
    use std::io::Read;
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(u64::try_from(most)?.saturating_add(1)).read_to_end(&mut bytes)?;
    anyhow::ensure!(bytes.len() <= most, "it has more than {most} bytes");
    Ok(bytes)
}

/// Seconds in words, the two largest units.
fn duration(seconds: u64) -> String {
    let rounded = match seconds {
        86_400.. => seconds - seconds % 3600,
        3600.. => seconds - seconds % 60,
        _ => seconds,
    };
    humantime::format_duration(std::time::Duration::from_secs(rounded)).to_string()
}

/// Seconds since 1970 as RFC 3339 in UTC.
fn time(seconds: u64) -> String {
    let at = std::time::SystemTime::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(seconds));
    // What humantime cannot write it panics at: a time past the year 9999.
    let writable = at.filter(|_| seconds < 253_402_300_800);
    writable
        .map_or_else(|| "never".to_owned(), |at| humantime::format_rfc3339_seconds(at).to_string())
}

/// Writes to standard output. A reader that has gone, as `head` does, is no failure.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// An id as clap reads it.
fn id(text: &str) -> Result<EscalationId, String> {
    EscalationId::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_for_people() {
        assert_eq!(duration(0), "0s");
        assert_eq!(duration(59 * 60 + 7), "59m 7s");
        assert_eq!(duration(23 * 3600 + 59 * 60 + 59), "23h 59m");
        assert_eq!(duration(86_400 + 7200 + 61), "1day 2h");
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(253_402_300_799), "9999-12-31T23:59:59Z");
        assert_eq!((time(253_402_300_800), time(u64::MAX)), ("never".into(), "never".into()));
    }
}
