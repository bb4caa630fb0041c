//! What was read of a file, before its parts are checked against each other.

use std::collections::BTreeMap;

use super::names::suggestion;
use super::{Exception, Settings};
use crate::policy::{CategorySet, Parts};
use crate::rules::Code;
use crate::rules::reader::{Located, Place, Reporter, shown};

/// The parts of a file and where they stand.
#[derive(Default)]
pub(super) struct Draft {
    pub parts: Parts,
    pub settings: Settings,
    pub exceptions: Vec<Exception>,
    pub places: Places,
    pub names: Names,
}

/// Nothing is set.
impl Default for Settings {
    fn default() -> Settings {
        Settings {
            record_required: false,
            max_findings: None,
            gate: super::GateSettings::default(),
            serve: super::Serve::default(),
        }
    }
}

/// Where the parts stand, by their positions in [`Parts`].
#[derive(Default)]
pub(super) struct Places {
    pub destinations: Vec<Place>,
    pub workflows: Vec<Place>,
    pub rules: Vec<Place>,
    pub approvers: Vec<Place>,
    pub paths: Vec<Place>,
    pub matchers: Vec<MatcherPlace>,
    /// Entries of `approved`, with the position of their workflow or destination.
    pub workflow_entries: Vec<(usize, Entry)>,
    pub destination_entries: Vec<(usize, Entry)>,
    /// Exceptions, with the entries of their `category`.
    pub exceptions: Vec<(Place, Vec<Entry>)>,
}

/// Where a matcher stands.
pub(super) struct MatcherPlace {
    pub destination: usize,
    pub text: String,
    pub top_level: bool,
    pub at: Place,
}

/// An entry of a list of categories: a category, or all of a class.
#[derive(Clone)]
pub(super) struct Entry {
    pub text: String,
    pub categories: CategorySet,
    pub at: Place,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Destination,
    Workflow,
    Purpose,
    Approver,
    Path,
    Rule,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Destination => "destination",
            Kind::Workflow => "workflow",
            Kind::Purpose => "purpose",
            Kind::Approver => "approver",
            Kind::Path => "path",
            Kind::Rule => "rule",
        }
    }
}

/// Names that were registered, and names that were used.
#[derive(Default)]
pub(super) struct Names {
    known: BTreeMap<(Kind, String), Place>,
    used: Vec<(Kind, Located<String>)>,
}

impl Names {
    /// Registers a name. A second one of its kind is reported; purposes may be shared.
    pub fn register(&mut self, kind: Kind, name: &Located<String>, reporter: &mut Reporter<'_>) {
        let first = self.known.insert((kind, name.value.clone()), name.at);
        if let Some(first) = first.filter(|_| kind != Kind::Purpose) {
            let line = reporter.origin(first).line;
            let message = format!("{} `{}` is defined twice", kind.as_str(), shown(&name.value));
            let help = Some(format!("first defined in line {line}"));
            reporter.report_with_help(name.at, Code::DuplicateId, message, help);
        }
    }

    /// Takes down that a name is used.
    pub fn used(&mut self, kind: Kind, name: &Located<String>) {
        self.used.push((kind, name.clone()));
    }

    /// Whether something names this.
    pub fn is_used(&self, kind: Kind, name: &str) -> bool {
        self.used.iter().any(|(used, it)| *used == kind && it.value == name)
    }

    /// Reports names that are used and not registered.
    pub fn report_unknown(&self, reporter: &mut Reporter<'_>) {
        for (kind, name) in &self.used {
            if self.known.contains_key(&(*kind, name.value.clone())) {
                continue;
            }
            let word = kind.as_str();
            let known = self.known.keys().filter(|(it, _)| it == kind).map(|(_, it)| it.as_str());
            let all: Vec<&str> = known.clone().take(12).collect();
            let help = match suggestion(&name.value, known, reporter) {
                Some(near) => format!("did you mean `{near}`?"),
                None if all.is_empty() => format!("no {word} is registered at all"),
                None => format!("registered are {}", all.join(", ")),
            };
            let message = format!("no {word} `{}` is registered", shown(&name.value));
            reporter.report_with_help(name.at, Code::UnknownName, message, Some(help));
        }
    }
}
