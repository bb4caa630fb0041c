//! What governs the commits of the repository, and what of the flow it says.

use std::path::PathBuf;

use sluicegate::RuleSet;
use sluicegate::gate::{self, Exceptions, FILE, Machine, Selection};
use sluicegate::model::{Claimed, Day, FlowHeader};
use sluicegate::record::Moment;

use super::Arguments;
use super::select::Asked;
use crate::UsageError;
use crate::register::{ENGINE, Loaded};

/// Where policy comes from, and what is known already.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Configuration and baseline")]
pub struct GoverningArguments {
    /// Read the repository's `sluice.toml`, baseline and other lists of exceptions at this revision
    /// [default: HEAD]
    #[arg(long, value_name = "REV")]
    config_from: Option<String>,

    /// Write a baseline of what is found, and decide nothing [default: `.sluice-baseline` at the root of
    /// the worktree, of everything that is tracked]
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    write_baseline: Option<Option<PathBuf>>,

    /// The last day on which the lines hold [default: 90 days on]
    #[arg(long, value_name = "DATE", requires = "write_baseline", value_parser = day)]
    expires: Option<Day>,

    /// Why what is found is to be excepted
    #[arg(long, value_name = "TEXT", requires = "write_baseline")]
    reason: Option<String>,
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| "a day as in `2027-02-26`".to_owned())
}

impl GoverningArguments {
    /// Whether a baseline is to be written.
    pub fn writes_baseline(&self) -> bool {
        self.write_baseline.is_some()
    }

    /// Whether it is said at which revision the repository's files are read.
    pub fn names_revision(&self) -> bool {
        self.config_from.is_some()
    }

    /// Where to, if that is said.
    pub fn baseline(&self) -> Option<PathBuf> {
        self.write_baseline.clone().flatten()
    }

    /// The last day and the reason, as far as they are said.
    pub fn terms(&self) -> (Option<Day>, Option<&str>) {
        (self.expires, self.reason.as_deref())
    }
}

/// What is left to know of what governs.
pub struct Governed {
    pub exceptions: Exceptions,
    pub notes: Vec<String>,
    pub today: Day,
}

/// Joins the register of the machine with the repository's file, and fills in what it says of the
/// flow of a commit where neither the caller nor a remote does.
pub fn govern(
    arguments: &Arguments,
    asked: &Asked,
    (loaded, header): (&mut Loaded, &mut FlowHeader),
    rules: &RuleSet,
    began: &Moment,
) -> anyhow::Result<Governed> {
    let today = Day::of_seconds(began.seconds());
    let from = arguments.governing.config_from.as_deref();
    let governed = match &asked.repository {
        Some(repository) => {
            let register = loaded.source.as_ref().map(|source| (source, &loaded.config));
            let machine = Machine { register, taxonomy: &rules.taxonomy, engine: ENGINE, today };
            let staged = matches!(asked.selection, Selection::Staged | Selection::Merge(_));
            let staging = staged && !arguments.selected.stdin();
            let governing = gate::govern(repository, from, staging, &machine);
            let governing = governing.map_err(|error| match error.is_usage() {
                true => UsageError(error.to_string()).into(),
                false => anyhow::Error::new(error),
            })?;
            if governing.of_repository {
                let own = format!("`{FILE}` of the repository");
                let file = loaded.file.take();
                loaded.file = Some(file.map_or(own.clone(), |file| format!("{file} and {own}")));
            }
            loaded.config = governing.config;
            Governed { exceptions: governing.exceptions, notes: governing.notes, today }
        }
        None if from.is_some() => {
            let message = "`--config-from` names a revision, and there is no repository here";
            return Err(UsageError(message.to_owned()).into());
        }
        None => {
            let config = &loaded.config;
            let place = loaded.file.as_ref().map_or(String::new(), |file| format!("`{file}`"));
            let (exceptable, stated) = (*config.policy.exceptable(), config.exceptions.clone());
            let exceptions = Exceptions::new(exceptable, stated, place, today);
            Governed { exceptions, notes: Vec::new(), today }
        }
    };
    let settings = &loaded.config.settings.gate;
    let stated = [
        (&mut header.destination, &settings.destination),
        (&mut header.workflow, &settings.workflow),
        (&mut header.purpose, &settings.purpose),
    ];
    for (position, (field, stated)) in stated.into_iter().enumerate() {
        // Where commits go somewhere, be it unknown where, nothing else says where.
        let is_known = position == 0 && asked.has_remote;
        if field.is_none() && !is_known {
            *field = stated.as_deref().map(Claimed::new);
        }
    }
    Ok(governed)
}
