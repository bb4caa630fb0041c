//! What is allowed and hardly meant.

use super::Origin;
use super::draft::{Draft, Kind};
use crate::model::Effect;
use crate::policy::{CategorySet, Subject};
use crate::rules::reader::Reporter;
use crate::rules::{Code, Taxonomy};

/// Top-level domains that nobody else can register.
const PRIVATE_SUFFIXES: &[&str] = &[
    "*.internal",
    "*.local",
    "*.localdomain",
    "*.localhost",
    "*.lan",
    "*.corp",
    "*.home",
    "*.intranet",
    "*.private",
    "*.test",
    "*.example",
    "*.invalid",
    "*.svc",
    "*.cluster",
];

/// Reports warnings.
pub(super) fn lint(
    draft: &Draft,
    taxonomy: &Taxonomy,
    origin: Origin,
    reporter: &mut Reporter<'_>,
) {
    let regulated: CategorySet = taxonomy
        .iter()
        .filter(|(_, category)| category.regulated || category.class == crate::model::Class::Sec)
        .map(|(index, _)| index)
        .collect();
    one_sided(draft, reporter);
    rules(draft, &regulated, reporter);
    workflows(draft, &regulated, reporter);
    unused(draft, reporter);
    exceptions(draft, origin, reporter);
    for matcher in draft.places.matchers.iter().filter(|matcher| matcher.top_level) {
        let name = matcher.text.rsplit("://").next().unwrap_or_default();
        if !PRIVATE_SUFFIXES.iter().any(|suffix| name.starts_with(suffix)) {
            let message = format!("`{}` takes every host of a top-level domain", matcher.text);
            let help = Some("name the domain that is yours: `*.example.com`".to_owned());
            reporter.report_with_help(matcher.at, Code::BroadMatcher, message, help);
        }
    }
}

/// Entries of `approved` that no other side approves: what one side alone approves is not approved.
fn one_sided(draft: &Draft, reporter: &mut Reporter<'_>) {
    let parts = &draft.parts;
    let meets =
        |entry: &CategorySet, other: &CategorySet| entry.iter().any(|it| other.contains(it));
    for (at, entry) in &draft.places.workflow_entries {
        let Some(workflow) = parts.workflows.get(*at) else { continue };
        let mut listed =
            parts.destinations.iter().filter(|it| workflow.destinations.contains(&it.id));
        if !listed.any(|destination| meets(&entry.categories, &destination.approved)) {
            let (text, id) = (&entry.text, &workflow.id);
            let message = format!("no destination of workflow `{id}` approves `{text}`");
            let help = "data is approved where workflow and destination both approve it";
            let help = Some(help.to_owned());
            reporter.report_with_help(entry.at, Code::OneSidedApproval, message, help);
        }
    }
    for (at, entry) in &draft.places.destination_entries {
        let Some(destination) = parts.destinations.get(*at) else { continue };
        let mut listing =
            parts.workflows.iter().filter(|it| it.destinations.contains(&destination.id));
        if !listing.any(|workflow| meets(&entry.categories, &workflow.approved)) {
            let (text, id) = (&entry.text, &destination.id);
            let message = format!("no workflow that may go to `{id}` approves `{text}`");
            let help = "data is approved where workflow and destination both approve it";
            let help = Some(help.to_owned());
            reporter.report_with_help(entry.at, Code::OneSidedApproval, message, help);
        }
    }
}

fn rules(draft: &Draft, regulated: &CategorySet, reporter: &mut Reporter<'_>) {
    for (rule, at) in draft.parts.rules.iter().zip(&draft.places.rules) {
        if rule.effect != Effect::Allow {
            continue;
        }
        if !rule.displaces_default() {
            let message = format!("rule `{}` can never change an effect", rule.id);
            let help = "a rule with `count`, `unique`, `likelihood` or `contains`, or one about the \
                        flow as a whole, can only raise an effect; `allow` raises none";
            reporter.report_with_help(*at, Code::NoEffect, message, Some(help.to_owned()));
            continue;
        }
        let (Subject::Categories(of) | Subject::Lineage(of)) = &rule.when.subject else { continue };
        let anywhere = rule.when.destinations.is_empty() && rule.when.trust.is_empty();
        if anywhere && of.iter().any(|category| regulated.contains(category)) {
            let message = format!("rule `{}` allows regulated data to any destination", rule.id);
            let help = Some("name `destination` or `trust` in its `when`".to_owned());
            reporter.report_with_help(*at, Code::BroadAllow, message, help);
        }
    }
}

fn workflows(draft: &Draft, regulated: &CategorySet, reporter: &mut Reporter<'_>) {
    for (workflow, at) in draft.parts.workflows.iter().zip(&draft.places.workflows) {
        let id = &workflow.id;
        let holds = workflow.approved.iter().any(|category| regulated.contains(category));
        if workflow.binding.anyone && holds {
            let message = format!("anyone may be workflow `{id}`, which approves regulated data");
            let help = Some("bind it to a user, unit, executable or token".to_owned());
            reporter.report_with_help(*at, Code::AnyoneRegulated, message, help);
        }
        if workflow.approvers.is_empty() {
            let message = format!("nobody approves escalations of workflow `{id}`");
            let help = Some("name `approvers`; without one they expire to block".to_owned());
            reporter.report_with_help(*at, Code::NobodyApproves, message, help);
        }
    }
}

fn unused(draft: &Draft, reporter: &mut Reporter<'_>) {
    let approvers = draft.parts.approvers.iter().map(|it| (&it.id, Kind::Approver));
    let paths = draft.parts.paths.iter().map(|it| (&it.id, Kind::Path));
    let approvers = approvers.zip(&draft.places.approvers);
    for ((id, kind), at) in approvers.chain(paths.zip(&draft.places.paths)) {
        if !draft.names.is_used(kind, id) {
            let message = format!("no workflow names {} `{id}`", kind.as_str());
            reporter.report(*at, Code::Unused, message);
        }
    }
    for (destination, at) in draft.parts.destinations.iter().zip(&draft.places.destinations) {
        let named = draft.names.is_used(Kind::Destination, &destination.id);
        if destination.matchers.is_empty() && !named {
            let message =
                format!("nothing names destination `{}`, and it matches nothing", destination.id);
            reporter.report(*at, Code::Unused, message);
        }
    }
}

/// Exceptions that the list of the same file does not admit. Of a repository's file the list may be
/// that of the machine.
fn exceptions(draft: &Draft, origin: Origin, reporter: &mut Reporter<'_>) {
    if origin == Origin::Repository {
        return;
    }
    let exceptable = &draft.parts.exceptable;
    for entry in draft.places.exceptions.iter().flat_map(|(_, entries)| entries) {
        if !entry.categories.iter().all(|category| exceptable.contains(category)) {
            let message =
                format!("`{}` is not exceptable, so the exception has no effect", entry.text);
            let help = Some("add it to `exceptable` under `[policy]`".to_owned());
            reporter.report_with_help(entry.at, Code::NotExceptable, message, help);
        }
    }
}
