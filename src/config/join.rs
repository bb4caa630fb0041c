//! The file of the machine and that of a repository, as the one policy that governs its commits.

use std::collections::BTreeSet;

use super::{Config, Draft, Exception, Origin, Settings, compile, digest, read};
use crate::model::CategoryIndex;
use crate::policy::{Fault, Parts, Policy};
use crate::rules::reader::Reporter;
use crate::rules::{Code, Diagnostics, Source, Taxonomy};

/// What governs the commits of a repository.
#[derive(Clone, Debug)]
pub struct Governing {
    /// Both files together.
    pub config: Config,
    /// Categories that the repository's file calls exceptable, and the file of the machine does not:
    /// they are not.
    pub not_exceptable: Vec<CategoryIndex>,
}

/// Joins the file of the machine, as it was compiled, with that of a repository. Whatever the latter
/// says, no flow gets a weaker effect than by the former alone: its rules only raise, its destinations
/// are external and come last, and what is exceptable the machine says, where it has a file.
///
/// # Errors
///
/// Everything that is wrong with the repository's file, by itself or beside that of the machine.
pub fn govern(
    system: Option<(&Source, &Config)>,
    repository: Option<&Source>,
    taxonomy: &Taxonomy,
    engine: &str,
) -> Result<Governing, Diagnostics> {
    let own = match repository {
        Some(source) => Some((source, compile(source, taxonomy, Origin::Repository, engine)?)),
        None => None,
    };
    let Some((source, own)) = own else {
        let config = match system {
            Some((_, config)) => config.clone(),
            None => Config {
                policy: Policy::defaults(taxonomy).map_err(too_many)?,
                settings: Settings::default(),
                exceptions: Vec::new(),
            },
        };
        return Ok(Governing { config, not_exceptable: Vec::new() });
    };
    let Some((machine, system)) = system else {
        return Ok(Governing { config: own, not_exceptable: Vec::new() });
    };
    let twice = repeated(system.policy.parts(), own.policy.parts());
    if !twice.is_empty() {
        return Err(report(source, machine, taxonomy, &twice));
    }
    let exceptable = system.policy.exceptable();
    let excess = own.policy.exceptable().iter().filter(|it| !exceptable.contains(*it));
    let parts = joined(system.policy.parts(), own.policy.parts());
    let policy = Policy::compile(parts, taxonomy, digest(&[machine, source], engine));
    let mut settings = system.settings.clone();
    // A repository does not choose one that the machine has registered, and approved for something.
    let chosen = own.settings.gate.destination.clone();
    let chosen = chosen.filter(|text| system.policy.find_destination(text).is_none());
    settings.gate.destination = settings.gate.destination.or(chosen);
    let exceptions: Vec<Exception> =
        system.exceptions.iter().chain(&own.exceptions).cloned().collect();
    Ok(Governing {
        not_exceptable: excess.collect(),
        // Each file held by itself, and they share no name.
        config: Config { policy: policy.map_err(too_many)?, settings, exceptions },
    })
}

fn joined(system: &Parts, repository: &Parts) -> Parts {
    let mut parts = system.clone();
    parts.destinations.extend(repository.destinations.iter().cloned());
    parts.rules.extend(repository.rules.iter().cloned());
    parts
}

/// Positions of destinations and rules of a repository whose id the machine has too.
fn repeated(system: &Parts, repository: &Parts) -> Vec<(&'static str, usize)> {
    let destinations: BTreeSet<&String> = system.destinations.iter().map(|it| &it.id).collect();
    let rules: BTreeSet<&String> = system.rules.iter().map(|it| &it.id).collect();
    let of_destination = repository.destinations.iter().enumerate();
    let of_destination = of_destination.filter(|(_, it)| destinations.contains(&it.id));
    let of_rule = repository.rules.iter().enumerate().filter(|(_, it)| rules.contains(&it.id));
    let of_destination = of_destination.map(|(at, _)| ("destination", at));
    of_destination.chain(of_rule.map(|(at, _)| ("rule", at))).collect()
}

/// Reports ids that both files have, where they stand in that of the repository.
fn report(
    source: &Source,
    machine: &Source,
    taxonomy: &Taxonomy,
    twice: &[(&'static str, usize)],
) -> Diagnostics {
    let mut reporter = Reporter::new(std::slice::from_ref(source));
    let draft = read::draft(source, taxonomy, Origin::Repository, &mut reporter);
    let Draft { parts, places, .. } = draft.unwrap_or_default();
    for (kind, at) in twice {
        let (id, place) = if *kind == "rule" {
            (parts.rules.get(*at).map(|it| it.id.as_str()), places.rules.get(*at))
        } else {
            (parts.destinations.get(*at).map(|it| it.id.as_str()), places.destinations.get(*at))
        };
        let message = format!("{kind} `{}` is defined twice", id.unwrap_or_default());
        let help = Some(format!("`{}` defines it too; give this one another id", machine.name));
        let place = place.copied().unwrap_or_default();
        reporter.report_with_help(place, Code::DuplicateId, message, help);
    }
    let mut diagnostics = reporter.diagnostics;
    diagnostics.sort();
    diagnostics
}

/// The one fault that is left when each part holds.
fn too_many(_: Vec<Fault>) -> Diagnostics {
    let mut reporter = Reporter::new(&[]);
    let message = "the rules have more categories than a policy holds";
    reporter.report(Default::default(), Code::TooManyCategories, message);
    reporter.diagnostics
}
