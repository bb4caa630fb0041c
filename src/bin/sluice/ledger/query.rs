//! `sluice ledger show`, `query` and `audit`: questions to the ledger.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;
use sluicegate::record::query::{
    DeniedThenAllowed, Filter, Gap, Gaps, SelfApproval, approvers, categories, is_decision,
    self_approval, text_at,
};
use sluicegate::record::{Macs, ReadError, Reader, State, rfc3339};
use sluicegate::respond::escape;
use sluicegate::serve::clock;

use super::{TAMPERED, keys, print, print_json};
use crate::UsageError;
use crate::output::Output;
use crate::state::StateDir;

/// Show one entry: who triggered it, what data it touched, what authorised it
#[derive(Debug, clap::Args)]
pub struct ShowArguments {
    #[command(flatten)]
    state: StateDir,

    /// The sequence number of the entry
    #[arg(value_name = "N")]
    sequence: u64,

    /// Form of the output; `json` is the entry as it is stored
    #[arg(long, value_enum, default_value_t = super::Format::Human)]
    format: super::Format,
}

/// List the entries that answer a question
///
/// All conditions have to hold. A text of a flow header that was masked when it was recorded is
/// found by the text itself, as long as the key of its epoch is there.
#[derive(Debug, clap::Args)]
pub struct QueryArguments {
    #[command(flatten)]
    state: StateDir,

    #[command(flatten)]
    conditions: Conditions,

    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// The last N that answer
    #[arg(long, value_name = "N")]
    last: Option<usize>,

    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Human,
    /// One entry a line, as stored
    Json,
    Csv,
}

/// What is asked for.
#[derive(Debug, Default, clap::Args)]
pub struct Conditions {
    /// Kind of the entry: decision, escalation, approval, grant_use, reveal, policy_load, ...
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Who caused the flow, as claimed
    #[arg(long, value_name = "TEXT")]
    trigger: Option<String>,
    /// User id that executed the flow, as attested
    #[arg(long, value_name = "UID")]
    uid: Option<u32>,
    /// systemd unit or path of the executable, as attested
    #[arg(long, value_name = "NAME")]
    workload: Option<String>,
    /// Registered workflow
    #[arg(long, value_name = "ID")]
    workflow: Option<String>,
    /// The run, as claimed
    #[arg(long, value_name = "TEXT")]
    run: Option<String>,
    /// The agent, as claimed
    #[arg(long, value_name = "TEXT")]
    agent: Option<String>,
    /// The tool, as claimed
    #[arg(long, value_name = "TEXT")]
    tool: Option<String>,
    /// Category that was found or inherited
    #[arg(long, value_name = "ID")]
    category: Option<String>,
    /// Class of such a category
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Id or host of the destination
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// What was decided
    #[arg(long, value_enum, value_name = "EFFECT")]
    effect: Option<Effect>,
    /// From this time on: 2026-11-27, or 2026-11-27T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<String>,
    /// Somebody who approved
    #[arg(long, value_name = "ID")]
    approver: Option<String>,
    /// Payloads that were not wholly inspected
    #[arg(long)]
    partial: bool,
    /// The escalation that entries are about
    #[arg(long, value_name = "ID")]
    escalation: Option<String>,
    /// MAC of the payload, in hex digits
    #[arg(long, value_name = "MAC")]
    payload: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Effect {
    Allow,
    Redact,
    Escalate,
    Block,
}

/// Answer an auditor's question; exits 1 where there is something that must not be
#[derive(Debug, clap::Args)]
pub struct AuditArguments {
    #[command(flatten)]
    state: StateDir,

    #[arg(value_enum)]
    question: Question,

    /// The time that `in-force` is asked for [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Question {
    /// Approvals by who asked or carried it out: there must be none
    SelfApproved,
    /// Payloads that were not wholly inspected and still passed
    Partial,
    /// Payloads that passed after they had been blocked or held
    DeniedThenAllowed,
    /// Missing sequence numbers, clocks set back, restarts, cut tails
    Gaps,
    /// The policy that was loaded last before a time
    InForce,
}

/// Runs `show`.
pub fn show(arguments: &ShowArguments) -> anyhow::Result<ExitCode> {
    let (reader, _) = open(&arguments.state)?;
    let bytes = reader.entry(arguments.sequence).map_err(|error| match error {
        ReadError::NoEntry(..) => anyhow::Error::new(UsageError(error.to_string())),
        error => error.into(),
    })?;
    if arguments.format == super::Format::Json {
        print(&[bytes.as_slice(), b"\n"].concat())?;
        return Ok(ExitCode::SUCCESS);
    }
    let entry: Value = serde_json::from_slice(&bytes)?;
    print(answers(&entry).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `query`.
pub fn query(arguments: &QueryArguments) -> anyhow::Result<ExitCode> {
    let (reader, macs) = open(&arguments.state)?;
    let filter = filter(&arguments.conditions);
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut out = match &arguments.output {
        None => Output::stdout(None),
        Some(file) => Output::file(file)?,
    };
    if arguments.format == Format::Csv {
        writeln!(out, "{CSV_HEADER}")?;
    }
    let mut count = 0u64;
    each(&reader, |bytes, entry| {
        if !filter.matches(entry, &macs) {
            return Ok(());
        }
        count += 1;
        let line = match arguments.format {
            Format::Json => [bytes, b"\n"].concat(),
            Format::Csv => csv_line(entry).into_bytes(),
            Format::Human => format!("{}\n", line(entry)).into_bytes(),
        };
        match arguments.last {
            None => out.write_all(&line)?,
            Some(last) => {
                found.push(line);
                if found.len() > last {
                    found.remove(0);
                }
            }
        }
        Ok(())
    })?;
    found.iter().try_for_each(|line| out.write_all(line))?;
    if arguments.format == Format::Human {
        writeln!(out, "{count} entries answer")?;
    }
    out.commit().or_else(forgive)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `audit`.
pub fn audit(arguments: &AuditArguments) -> anyhow::Result<ExitCode> {
    let (reader, _) = open(&arguments.state)?;
    let (mut denied, mut gaps) = (DeniedThenAllowed::default(), Gaps::default());
    let (mut lines, mut bad) = (Vec::new(), false);
    let now = clock::now()?.rfc3339();
    let at = arguments.at.clone().unwrap_or(now);
    let mut in_force = None;
    each(&reader, |_, entry| {
        match arguments.question {
            Question::SelfApproved => match self_approval(entry) {
                Some(SelfApproval::Yes) => {
                    bad = true;
                    lines.push(format!("{}  by who asked or carried it out", line(entry)));
                }
                Some(SelfApproval::Unattested) => {
                    let what = "an approver without user id, told apart by key alone";
                    lines.push(format!("{}  {what}", line(entry)));
                }
                None => {}
            },
            Question::Partial => {
                let passed = matches!(text_at(entry, "/effect"), Some("allow" | "redact"));
                if passed && text_at(entry, "/coverage/state") == Some("partial") {
                    lines.push(line(entry));
                }
            }
            Question::DeniedThenAllowed => {
                if let Some(earlier) = denied.next(entry) {
                    lines.push(format!("{}  (entry {earlier} denied it)", line(entry)));
                }
            }
            Question::Gaps => {
                for gap in gaps.next(entry) {
                    bad |= matches!(gap, Gap::Sequence(..));
                    lines.push(format!("{}  {}", line(entry), said(&gap)));
                }
            }
            Question::InForce => {
                let before = text_at(entry, "/time/wall").is_some_and(|wall| wall <= at.as_str());
                if before && text_at(entry, "/kind") == Some("policy_load") {
                    in_force = Some(entry.clone());
                }
            }
        }
        Ok(())
    })?;
    if arguments.question == Question::InForce {
        match in_force {
            Some(entry) => print_json(&entry)?,
            None => print(b"no policy was loaded before that time\n")?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let count = lines.len();
    lines.push(if count == 0 { "none".to_owned() } else { format!("{count} in all") });
    print(format!("{}\n", lines.join("\n")).as_bytes())?;
    Ok(if bad { ExitCode::from(TAMPERED) } else { ExitCode::SUCCESS })
}

/// A reader and the MACs of those epochs whose keys can be read.
pub fn open(dir: &StateDir) -> anyhow::Result<(Reader, Vec<Macs>)> {
    let state = super::view(dir)?;
    let reader = Reader::new(state.files(), keys(&state, None)?);
    Ok((reader, macs(&state)))
}

fn macs(state: &State) -> Vec<Macs> {
    let Ok((last, _)) = state.mac_key() else { return Vec::new() };
    let of = |epoch| state.mac_key_of(epoch).ok().map(|key| Macs::new(epoch, *key.as_bytes()));
    (0..=last).filter_map(of).collect()
}

/// Calls `take` for each entry, in order.
pub fn each(
    reader: &Reader,
    mut take: impl FnMut(&[u8], &Value) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut problem = None;
    reader.entries(0, &mut |_, bytes| {
        let entry = serde_json::from_slice(bytes).unwrap_or(Value::Null);
        match take(bytes, &entry) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                problem = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    match problem {
        // A reader that has gone, as `head` does, is no failure.
        Some(error) if !is_broken_pipe(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whoever closed the pipe has read enough.
pub fn forgive(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// What the conditions ask for.
pub fn filter(conditions: &Conditions) -> Filter {
    let it = conditions;
    Filter {
        kind: it.kind.clone(),
        trigger: it.trigger.clone(),
        uid: it.uid,
        workload: it.workload.clone(),
        workflow: it.workflow.clone(),
        run: it.run.clone(),
        agent: it.agent.clone(),
        tool: it.tool.clone(),
        category: it.category.clone(),
        class: it.class.clone(),
        destination: it.destination.clone(),
        effect: it.effect.map(|effect| match effect {
            Effect::Allow => sluicegate::model::Effect::Allow,
            Effect::Redact => sluicegate::model::Effect::Redact,
            Effect::Escalate => sluicegate::model::Effect::Escalate,
            Effect::Block => sluicegate::model::Effect::Block,
        }),
        since: it.since.clone(),
        until: it.until.clone(),
        approver: it.approver.clone(),
        partial: it.partial,
        escalation: it.escalation.clone(),
        payload: it.payload.clone(),
    }
}

/// A time as entries hold it.
fn time(text: &str) -> Result<String, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let wrong = || "a time is a day, 2026-11-27, or RFC 3339 in UTC, 2026-11-27T10:00:00Z";
    let parsed = humantime::parse_rfc3339_weak(&whole).map_err(|_| wrong().to_owned())?;
    let since = parsed.duration_since(std::time::UNIX_EPOCH).map_err(|_| wrong().to_owned())?;
    Ok(rfc3339(u64::try_from(since.as_nanos()).map_err(|_| wrong().to_owned())?))
}

/// A text that an entry claims.
fn claimed(entry: &Value, field: &str) -> Option<String> {
    text_at(entry, &format!("/{field}/claimed")).map(escape)
}

fn destination(entry: &Value) -> String {
    let trust = text_at(entry, "/destination/trust").unwrap_or("unknown");
    let name = text_at(entry, "/destination/id").or_else(|| text_at(entry, "/destination/host"));
    format!("{} ({trust})", escape(name.unwrap_or("nowhere named")))
}

fn who(entry: &Value) -> String {
    let uid = entry.pointer("/workload/attested/uid").and_then(Value::as_u64);
    uid.map_or_else(String::new, |uid| format!("uid:{uid}"))
}

/// A window of a stream in a line: it says no more than what went out.
fn window(entry: &Value, sequence: u64) -> String {
    let number = |path: &str| entry.pointer(path).and_then(Value::as_u64);
    let shown = |path: &str| number(path).map_or_else(|| "?".to_owned(), |it| it.to_string());
    let (open, from, to) = (shown("/open"), shown("/from"), shown("/to"));
    format!("{sequence:>6}  {:<20}  stream_window of {open}: bytes {from} to {to} released", "")
}

/// An entry in a line.
fn line(entry: &Value) -> String {
    let sequence = entry.pointer("/sequence").and_then(Value::as_u64).unwrap_or(0);
    let wall = text_at(entry, "/time/wall").unwrap_or("").get(..19).unwrap_or("");
    let kind = text_at(entry, "/kind").unwrap_or("unreadable");
    let begin = format!("{sequence:>6}  {wall}Z");
    if kind == "stream_window" {
        return window(entry, sequence);
    }
    if !is_decision(entry) && kind != "stream_open" {
        let about = ["/escalation", "/grant"].into_iter().find_map(|path| text_at(entry, path));
        let by: Vec<&str> = approvers(entry).collect();
        let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
        return format!("{begin}  {kind} {}{}", escape(about.unwrap_or("")), escape(&by));
    }
    let held: Vec<&str> = categories(entry).collect();
    let held = if held.is_empty() { "nothing regulated".to_owned() } else { held.join(", ") };
    let trigger = claimed(entry, "trigger").unwrap_or_else(|| "nobody named".to_owned());
    let effect = text_at(entry, "/effect").unwrap_or("opened");
    let to = destination(entry);
    format!("{begin}  {effect:<8} {trigger} ({}) -> {to}: {held}", who(entry))
}

/// In place of a value: the name is a heading.
const HEADING: &str = "\n";

/// An entry as the answers to three questions.
fn answers(entry: &Value) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{}\n", line(entry));
    if !is_decision(entry) {
        let pretty = serde_json::to_string_pretty(entry).unwrap_or_default();
        return text + &escape_lines(&pretty) + "\n";
    }
    let mut put = |name: &str, value: Option<String>| match value {
        Some(value) if value == HEADING => drop(writeln!(text, "\n{name}")),
        Some(value) if !value.is_empty() => drop(writeln!(text, "  {name:<14} {value}")),
        _ => {}
    };
    let at = |path: &str| text_at(entry, path).map(escape);
    let number = |path: &str| entry.pointer(path).and_then(Value::as_u64).map(|it| it.to_string());
    let list = |path: &str| {
        let values = entry.pointer(path).and_then(Value::as_array);
        let texts = values.into_iter().flatten().filter_map(Value::as_str).map(escape);
        Some(texts.collect::<Vec<_>>().join(", "))
    };
    put("Who triggered it", Some(HEADING.to_owned()));
    put("trigger", claimed(entry, "trigger").map(|it| format!("{it} (claimed)")));
    put("executed by", {
        let unit = at("/workload/attested/unit");
        let own = entry.pointer("/workload/attested/self_attested").and_then(Value::as_bool);
        let own = if own == Some(true) { ", attested by itself" } else { ", attested" };
        Some(format!("{}{}{own}", who(entry), unit.map_or_else(String::new, |it| format!(" {it}"))))
    });
    put("workflow", at("/workload/claimed/workflow/registered"));
    for field in ["agent", "tool", "run", "step", "source"] {
        put(field, claimed(entry, field));
    }
    put("What data it touched", Some(HEADING.to_owned()));
    for (category, count) in
        entry.pointer("/categories").and_then(Value::as_object).into_iter().flatten()
    {
        let count = |key: &str| count.get(key).and_then(Value::as_u64).unwrap_or(0);
        put(
            &escape(category),
            Some(format!("{} found, {} different", count("count"), count("unique"))),
        );
    }
    put("carried along", list("/lineage"));
    put("coverage", at("/coverage/state"));
    put("partial for", list("/coverage/reasons"));
    put(
        "payload",
        number("/bytes")
            .map(|it| format!("{it} bytes, MAC {}", at("/payload_mac").unwrap_or_default())),
    );
    put("went to", Some(destination(entry)));
    put("What authorised it", Some(HEADING.to_owned()));
    put("decided", at("/reason"));
    put("by", list("/determining"));
    put(
        "purpose",
        text_at(entry, "/purpose/claimed").map(|it| {
            let listed = entry.pointer("/purpose/listed").and_then(Value::as_bool) == Some(true);
            format!("{} ({})", escape(it), if listed { "listed" } else { "not listed" })
        }),
    );
    put("escalation", at("/escalation"));
    put("grant", at("/grant"));
    put("approved by", list("/approver"));
    put("policy", at("/policy_digest"));
    put("rules", at("/rule_digest"));
    let windows = number("/windows").zip(number("/open"));
    let windows = windows.map_or_else(String::new, |(windows, open)| {
        format!(", in {windows} windows of the stream that entry {open} opened, and at its end")
    });
    put("released", number("/released/bytes").map(|it| format!("{it} bytes{windows}")));
    text
}

/// Lines stay; everything else that cannot be seen is escaped.
fn escape_lines(text: &str) -> String {
    text.lines()
        .map(|line| line.replace(|c: char| c.is_control(), "?"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn said(gap: &Gap) -> String {
    match gap {
        Gap::Sequence(before, here) => format!("sequence goes from {before} to {here}"),
        Gap::ClockBack => "the wall clock went back".to_owned(),
        Gap::Restart => "another run of the machine".to_owned(),
        Gap::Recovered => "a torn tail was cut".to_owned(),
    }
}

const CSV_HEADER: &str = "sequence,time,kind,effect,cause,trigger,uid,workflow,run,channel,\
                          destination,trust,purpose,categories,lineage,coverage,bytes,determining,\
                          grant,approvers,policy_digest";

fn csv_line(entry: &Value) -> String {
    let text = |path: &str| text_at(entry, path).unwrap_or("").to_owned();
    let number = |path: &str| {
        entry.pointer(path).and_then(Value::as_u64).map_or_else(String::new, |it| it.to_string())
    };
    let list = |path: &str| {
        let values = entry.pointer(path).and_then(Value::as_array);
        values.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    };
    let found = entry.pointer("/categories").and_then(Value::as_object);
    let found: Vec<&str> = found.into_iter().flatten().map(|(id, _)| id.as_str()).collect();
    let to = text_at(entry, "/destination/id").or_else(|| text_at(entry, "/destination/host"));
    let cells = [
        number("/sequence"),
        text("/time/wall"),
        text("/kind"),
        text("/effect"),
        text("/cause"),
        text("/trigger/claimed"),
        number("/workload/attested/uid"),
        text("/workload/claimed/workflow/registered"),
        text("/run/claimed"),
        text("/channel"),
        to.unwrap_or("").to_owned(),
        text("/destination/trust"),
        text("/purpose/claimed"),
        found.join(" "),
        list("/lineage"),
        text("/coverage/state"),
        number("/bytes"),
        list("/determining"),
        text("/grant"),
        approvers(entry).collect::<Vec<_>>().join(" "),
        text("/policy_digest"),
    ];
    let cells: Vec<String> = cells.iter().map(|cell| csv_cell(cell)).collect();
    cells.join(",") + "\n"
}

/// RFC 4180, section 2; a cell that a spreadsheet would take for a formula gets a quote in front.
fn csv_cell(text: &str) -> String {
    let clean = escape(text);
    let formula = clean.starts_with(['=', '+', '-', '@']);
    let clean = if formula { format!("'{clean}") } else { clean };
    if clean.contains([',', '"']) { format!("\"{}\"", clean.replace('"', "\"\"")) } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_days_or_moments() {
        assert_eq!(time("2026-11-27").as_deref(), Ok("2026-11-27T00:00:00.000000000Z"));
        assert_eq!(time("2026-11-27T10:00:00.5Z").as_deref(), Ok("2026-11-27T10:00:00.500000000Z"));
        assert!(time("yesterday").is_err() && time("2026-13-01").is_err());
    }

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        assert_eq!(csv_cell("a,b"), "\"a,b\"");
        assert_eq!(csv_cell("=1+1"), "'=1+1");
        assert_eq!(csv_cell("say \"x\""), "\"say \"\"x\"\"\"");
    }
}
