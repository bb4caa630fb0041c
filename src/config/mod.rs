//! A `sluice.toml` comes in; a checked [`Policy`] and the settings of the program come out, or
//! diagnostics that point at the line.
//!
//! Promised: strict. A key that the format does not know, a name that nothing registers, a
//! condition that more data could make false, a matcher that two programs could read in two ways:
//! each is an error with a stable code, and a file with an error gives no policy at all.
//! [`compile`] and [`check`] are pure; only [`find`] and [`read`] touch files, and never the
//! working directory.

mod draft;
mod exception;
mod files;
mod join;
mod lint;
mod names;
mod read;
mod rule;
mod serve;

use sha2::{Digest, Sha256};

use crate::policy::{Fault, Policy};
use crate::rules::reader::{Place, Reporter};
use crate::rules::{Code, Diagnostics, Source, Taxonomy};

use draft::Draft;

pub use exception::{Exception, MAX_EXCEPTIONS, MAX_GLOBS};
pub use files::{FileError, Locations, find, read};
pub use join::{Governing, govern};
pub use read::{MAX_ENTRIES, MAX_LIST};
pub use serve::{Limits, LiteLlm, Sandbox, Serve};

/// A `sluice.toml` to start from, with every section explained.
pub const STARTER: &str = include_str!("starter.toml");

/// Who wrote a file, and so what it may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Those who run the machine, or the user: everything.
    System,
    /// Whoever may commit to a repository: rules, exceptions and destinations. Commands, settings,
    /// keys, approvers, workflows and trust are errors.
    Repository,
}

/// Settings beside the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether nothing may be released without a record of it.
    pub record_required: bool,
    /// Findings kept a payload, where it is not the default.
    pub max_findings: Option<usize>,
    /// What the flow of a commit is.
    pub gate: GateSettings,
    /// How the daemon runs.
    pub serve: Serve,
}

/// The `[gate]` section: what the flow of a commit is where nobody says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateSettings {
    /// Id, URL or other text of the destination, where there is no remote to push to.
    pub destination: Option<String>,
    /// Id of the workflow.
    pub workflow: Option<String>,
    /// The purpose.
    pub purpose: Option<String>,
}

/// What a file gives.
#[derive(Clone, Debug)]
pub struct Config {
    /// The register, checked and compiled.
    pub policy: Policy,
    /// The settings.
    pub settings: Settings,
    /// Findings that are known and do not count.
    pub exceptions: Vec<Exception>,
}

/// Reads a file for use. `engine` is the version of the program, which the digest of the policy
/// holds too.
///
/// # Errors
///
/// Everything that is wrong, where at least one thing is an error.
pub fn compile(
    source: &Source,
    taxonomy: &Taxonomy,
    origin: Origin,
    engine: &str,
) -> Result<Config, Diagnostics> {
    let (config, diagnostics) = examine(source, taxonomy, origin, engine, false);
    config.ok_or(diagnostics)
}

/// Does all that [`compile`] does, and says what a reviewer would want to know. The configuration
/// is there if no diagnostic is an error.
pub fn check(
    source: &Source,
    taxonomy: &Taxonomy,
    origin: Origin,
    engine: &str,
) -> (Option<Config>, Diagnostics) {
    examine(source, taxonomy, origin, engine, true)
}

fn examine(
    source: &Source,
    taxonomy: &Taxonomy,
    origin: Origin,
    engine: &str,
    lint: bool,
) -> (Option<Config>, Diagnostics) {
    let mut reporter = Reporter::new(std::slice::from_ref(source));
    let draft = read::draft(source, taxonomy, origin, &mut reporter).unwrap_or_default();
    let incomplete = reporter.diagnostics.has_errors();
    // Beside an error, much looks unused or one-sided that will not when it is mended.
    if lint && !incomplete {
        lint::lint(&draft, taxonomy, origin, &mut reporter);
    }
    let Draft { parts, settings, places, exceptions, .. } = draft;
    // Faults that a definition which could not be read would explain are left for the next run.
    let policy = Policy::compile(parts.clone(), taxonomy, digest(&[source], engine));
    let config = match policy {
        Ok(policy) => Some(Config { policy, settings, exceptions }),
        Err(faults) => {
            for fault in faults {
                places.report(&fault, &parts, incomplete, &mut reporter);
            }
            None
        }
    };
    let mut diagnostics = reporter.diagnostics;
    diagnostics.sort();
    (config.filter(|_| !diagnostics.has_errors()), diagnostics)
}

/// SHA-256 over the sorted names of the files with the digests of their content, and the version
/// of the engine; each text with its length before it, so that no two sets of files read the same.
fn digest(sources: &[&Source], engine: &str) -> [u8; 32] {
    let content = |source: &&Source| (source.name.clone(), Sha256::digest(source.text.as_bytes()));
    let mut files: Vec<_> = sources.iter().map(content).collect();
    files.sort();
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for (name, content) in &files {
        add(name.as_bytes());
        add(content);
    }
    add(engine.as_bytes());
    hash.finalize().into()
}

impl draft::Places {
    /// Reports what is wrong between the parts at the part that is wrong.
    fn report(
        &self,
        fault: &Fault,
        parts: &crate::policy::Parts,
        incomplete: bool,
        reporter: &mut Reporter<'_>,
    ) {
        let place = |places: &[Place], at: usize| places.get(at).copied().unwrap_or_default();
        let rule_id = |at: usize| parts.rules.get(at).map_or("", |rule| rule.id.as_str());
        let workflow_id = |at: usize| parts.workflows.get(at).map_or("", |it| it.id.as_str());
        let destination_id = |at: usize| parts.destinations.get(at).map_or("", |it| it.id.as_str());
        let (at, code, message, help) = match fault {
            Fault::AllShadow | Fault::Unbound(_) if incomplete => return,
            Fault::Tie(first, second, matcher) => {
                let at = self
                    .matchers
                    .iter()
                    .find(|it| it.destination == *second && it.text == *matcher);
                let at = at.map_or_else(|| place(&self.destinations, *second), |it| it.at);
                let (first, second) = (destination_id(*first), destination_id(*second));
                let message = format!("`{matcher}` belongs to `{first}` and to `{second}`");
                let help = "give one of them a longer path, a port or a scheme, or take it out of \
                            one of them";
                (at, Code::MatcherTie, message, help)
            }
            Fault::TooManyCategories => {
                let limit = crate::policy::MAX_CATEGORIES;
                let message = format!("the taxonomy has more than {limit} categories");
                (Place::default(), Code::TooManyCategories, message, "load fewer rule packs")
            }
            Fault::RedactNeedsFindings(at) => {
                let message = format!("rule `{}` redacts what is not a finding", rule_id(*at));
                let help = "name `category`, `class` or `sensitivity`, or choose another effect: \
                            there is nothing to take out of lineage or of what was not inspected";
                (place(&self.rules, *at), Code::RedactNeedsFindings, message, help)
            }
            Fault::TransformNeedsRedact(at) => {
                let message =
                    format!("rule `{}` has a transform and does not redact", rule_id(*at));
                let help = "write `effect = \"redact\"`, or leave `transform` out";
                (place(&self.rules, *at), Code::TransformNeedsRedact, message, help)
            }
            Fault::Unbound(at) => {
                let id = workflow_id(*at);
                let anyone = parts.workflows.get(*at).is_some_and(|it| it.binding.anyone);
                let (message, help) = if anyone {
                    (
                        format!("workflow `{id}` is bound to somebody and to anyone"),
                        "take `anyone` out, or the other entries of `bind`",
                    )
                } else {
                    (
                        format!("workflow `{id}` is bound to nobody"),
                        "add `[workflow.bind]` with `uid`, `gid`, `unit`, `executable` or \
                         `token_file`; or `anyone = true`, if every process may claim to be it",
                    )
                };
                (place(&self.workflows, *at), Code::Unbound, message, help)
            }
            Fault::TooFewApprovers(at) => {
                let id = workflow_id(*at);
                let message = format!("workflow `{id}` wants more approvals than it has approvers");
                let help = "lower `approvals`, or name more `approvers`";
                (place(&self.workflows, *at), Code::TooFewApprovers, message, help)
            }
            Fault::AllShadow => {
                let message = "all rules are shadows, so that none decides anything".to_owned();
                let help = "take `shadow = true` out of those that are to decide";
                (place(&self.rules, 0), Code::AllShadow, message, help)
            }
            // Reported with the place and the nearest name when all was read.
            Fault::UnknownName(..) if incomplete => return,
            Fault::UnknownName(what, name) => {
                let message = format!("no {what} `{name}` is registered");
                (Place::default(), Code::UnknownName, message, "register it")
            }
        };
        reporter.report_with_help(at, code, message, Some(help.to_owned()));
    }
}
