//! `sluice gate install` and `sluice gate uninstall`

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use sluicegate::gate::Repository;
use sluicegate::gate::install::{
    self, Attributes, Call, Hook, Hooks, InstallError, Installed, Removed,
};

use crate::UsageError;
use crate::names::shown;
use crate::rules::print;

/// Have git ask the gate before each commit, merge and push
///
/// A hook that is there already is kept and runs first. Where `core.hooksPath` is set, hooks go there.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,

    /// Add `.sluice-baseline merge=union` to `.gitattributes`, so that baselines of two branches merge
    #[arg(long)]
    gitattributes: bool,

    /// Further arguments of the gate when a hook calls it, as `-- --destination NAME`
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

/// Take the hooks of the gate away, and put back what was there before
#[derive(Debug, clap::Args)]
pub struct Uninstall {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
struct Which {
    /// This hook alone; may be given more than once [default: all]
    #[arg(long, value_enum, value_name = "HOOK")]
    hook: Vec<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    #[value(name = "pre-commit")]
    Commit,
    #[value(name = "pre-merge-commit")]
    MergeCommit,
    #[value(name = "pre-push")]
    Push,
}

/// Reads further arguments as the gate will.
#[derive(Debug, Parser)]
#[command(name = "sluice gate", no_binary_name = true)]
struct Check {
    #[command(flatten)]
    gate: super::Arguments,
}

/// Writes the hooks.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let problem = match Check::try_parse_from(&arguments.arguments) {
        Ok(Check { gate }) if gate.selected.is_named() => {
            Some("each hook says by itself what is looked at".to_owned())
        }
        Ok(Check { gate }) if gate.command.is_none() => None,
        Ok(_) => Some("a hook decides, and does nothing else".to_owned()),
        Err(error) => error.to_string().lines().next().map(str::to_owned),
    };
    if let Some(problem) = problem {
        let problem = problem.trim_start_matches("error: ");
        return Err(UsageError(format!("no arguments for a hook: {problem}")).into());
    }
    let repository = Repository::open(Path::new(".")).map_err(super::refuse)?;
    let hooks = Hooks::of(&repository).map_err(refuse)?;
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let call = Call { program, arguments: arguments.arguments.clone() };
    if hooks.is_shared() {
        let folder = shown(hooks.folder());
        anstream::eprintln!("sluice: other repositories use the hooks in `{folder}` too");
    }
    for hook in arguments.which.hooks() {
        let path = shown(&hooks.path(hook));
        let line = match hooks.install(hook, &call).map_err(refuse)? {
            Installed::New => format!("installed `{path}`\n"),
            Installed::BesideOlder => format!(
                "installed `{path}`; the hook that was there is kept as `{}{}` and runs first\n",
                hook.name(),
                install::KEPT
            ),
            Installed::Updated => format!("updated `{path}`\n"),
            Installed::Same => format!("`{path}` is installed\n"),
        };
        print(&line)?;
    }
    match repository.worktree() {
        Some(worktree) => offer(worktree, arguments.gitattributes)?,
        None if arguments.gitattributes => {
            let message = "a bare repository has no `.gitattributes`: add it in a clone";
            return Err(UsageError(message.to_owned()).into());
        }
        None => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes the hooks away. One that is not ours hinders no other.
pub fn remove(arguments: &Uninstall) -> anyhow::Result<ExitCode> {
    let repository = Repository::open(Path::new(".")).map_err(super::refuse)?;
    let hooks = Hooks::of(&repository).map_err(refuse)?;
    let mut refused = None;
    for hook in arguments.which.hooks() {
        let path = shown(&hooks.path(hook));
        let line = match hooks.uninstall(hook) {
            Ok(Removed::Gone) => format!("removed `{path}`\n"),
            Ok(Removed::Restored) => format!("removed `{path}`; what was there before is back\n"),
            Ok(Removed::None) => format!("there is no `{path}`\n"),
            Err(error) => {
                if let Some(earlier) = refused.replace(error) {
                    anstream::eprintln!("sluice: {earlier}");
                }
                continue;
            }
        };
        print(&line)?;
    }
    match refused {
        Some(error) => Err(refuse(error)),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Writes how baselines are merged, or says how that is done.
fn offer(worktree: &Path, write: bool) -> anyhow::Result<()> {
    let union = install::UNION;
    if write {
        let added = install::add_union(worktree).map_err(refuse)?;
        let line = match added {
            true => format!("added `{union}` to `.gitattributes`; commit it\n"),
            false => "`.gitattributes` says how `.sluice-baseline` is merged\n".to_owned(),
        };
        return print(&line);
    }
    // Whatever hinders a look at it hinders no hook.
    if install::attributes(worktree).is_ok_and(|it| it == Attributes::Unsaid) {
        print(&format!(
            "for baselines of two branches to merge, have `.gitattributes` say `{union}` \
             (`--gitattributes` does)\n"
        ))?;
    }
    Ok(())
}

impl Which {
    fn hooks(&self) -> Vec<Hook> {
        let name = |hook: &Hook| match hook {
            Hook::PreCommit => Name::Commit,
            Hook::PreMergeCommit => Name::MergeCommit,
            Hook::PrePush => Name::Push,
        };
        let asked = |hook: &Hook| self.hook.is_empty() || self.hook.contains(&name(hook));
        Hook::ALL.into_iter().filter(asked).collect()
    }
}

fn refuse(error: InstallError) -> anyhow::Error {
    if error.is_usage() { UsageError(error.to_string()).into() } else { error.into() }
}
