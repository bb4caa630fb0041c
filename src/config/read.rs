//! The sections of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::draft::{Draft, Entry, Kind, MatcherPlace};
use super::exception::MAX_EXCEPTIONS;
use super::names::{self, categories, entries, report_repeated, union, word, words};
use super::{Origin, Settings};
use crate::model::Effect;
use crate::policy::{
    Approver, Binding, Destination, EventPath, GrantTerms, Matcher, MatcherKind, Trust, Workflow,
};
use crate::rules::reader::{Located, Place, Reporter, Table, read_document, shown};
use crate::rules::{Code, Source, Taxonomy};

/// The most destinations, workflows, rules, approvers or paths.
pub const MAX_ENTRIES: usize = 10_000;
/// The most entries of a list.
pub const MAX_LIST: usize = 1_000;
/// The longest id or word in bytes.
pub(super) const MAX_ID: usize = 64;
/// The longest title, owner or reason in bytes.
const MAX_PROSE: usize = 1_000;
/// The longest matcher in bytes.
const MAX_MATCHER: usize = 2_048;
/// The longest path of a file or argument of a command in bytes.
const MAX_PATH: usize = 4_096;
/// The most approvals that a workflow may want.
const MAX_APPROVALS: usize = 16;
/// The longest time after which a command is stopped, in seconds.
const MAX_TIMEOUT: usize = 600;
/// The most events a minute.
const MAX_PER_MINUTE: usize = 10_000;

/// What is being read, and against what.
pub(super) struct Reading<'t> {
    pub taxonomy: &'t Taxonomy,
    pub origin: Origin,
    pub draft: Draft,
    /// Globs of all exceptions so far.
    pub globs: usize,
    /// Keys of approvers, without their comments, and whose they are.
    keys: BTreeMap<String, String>,
}

/// Reads a file; none where it is no TOML.
pub(super) fn draft(
    source: &Source,
    taxonomy: &Taxonomy,
    origin: Origin,
    reporter: &mut Reporter<'_>,
) -> Option<Draft> {
    let draft = read_document(source, 0, reporter, |table| {
        let keys = BTreeMap::new();
        let mut reading = Reading { taxonomy, origin, draft: Draft::default(), globs: 0, keys };
        reading.file(table);
        reading.draft
    })?;
    draft.names.report_unknown(reporter);
    Some(draft)
}

impl Reading<'_> {
    fn file(&mut self, table: &mut Table<'_, '_, '_>) {
        if let Some(version) = table.required_number("version", 0..usize::MAX)
            && version.value != 1
        {
            let message = format!("version {} is not known", version.value);
            let help = Some("this program reads `version = 1`".to_owned());
            table.reporter.report_with_help(version.at, Code::BadVersion, message, help);
        }
        if self.origin == Origin::Repository {
            let message = "a repository's file holds rules, exceptions and destinations only";
            let help = "move it to `/etc/sluice/sluice.toml`, which commits cannot change";
            for key in ["record", "limits", "serve", "workflow", "approver", "path"] {
                table.refuse(key, Code::NotFromRepository, message, help);
            }
        } else {
            let mut settings = Settings::default();
            table.table("record", |table| {
                settings.record_required = table.boolean("required").unwrap_or(false);
            });
            table.table("limits", |table| {
                let findings = table.number("findings", 1..1_000_001);
                settings.max_findings = findings.map(|findings| findings.value);
            });
            settings.serve = table.table("serve", super::serve::serve).unwrap_or_default();
            self.draft.settings = settings;
            table.tables("approver", MAX_ENTRIES, |table| self.approver(table));
            table.tables("path", MAX_ENTRIES, |table| self.path(table));
            table.tables("workflow", MAX_ENTRIES, |table| self.workflow(table));
        }
        table.table("gate", |table| self.gate(table));
        table.table("policy", |table| {
            self.draft.parts.exceptable = categories(table, "exceptable", self.taxonomy);
        });
        table.tables("destination", MAX_ENTRIES, |table| self.destination(table));
        table.tables("rule", MAX_ENTRIES, |table| self.rule(table));
        table.tables("exception", MAX_EXCEPTIONS, |table| self.exception(table));
    }

    /// What the flow of a commit is.
    fn gate(&mut self, table: &mut Table<'_, '_, '_>) {
        if self.origin == Origin::Repository {
            let message = "a repository does not say which workflow its commits are of";
            let help = "write `[gate]` with `workflow` and `purpose` to `/etc/sluice/sluice.toml`";
            table.refuse("workflow", Code::NotFromRepository, message, help);
            table.refuse("purpose", Code::NotFromRepository, message, help);
        } else {
            self.draft.settings.gate.workflow = self.name(table, "workflow", Kind::Workflow);
            self.draft.settings.gate.purpose = self.name(table, "purpose", Kind::Purpose);
        }
        let destination = table.text("destination", MAX_MATCHER);
        if let Some(empty) = destination.as_ref().filter(|it| it.value.trim().is_empty()) {
            table.reporter.report(empty.at, Code::EmptyText, "`destination` is empty");
        }
        self.draft.settings.gate.destination = destination.map(|it| it.value);
    }

    fn destination(&mut self, table: &mut Table<'_, '_, '_>) -> Option<()> {
        let id = self.id(table, Kind::Destination);
        let title = prose(table, "title");
        let trust = match self.origin {
            Origin::System => {
                if !table.has("trust") {
                    let message = "missing key `trust` in destination";
                    let help = "`trust = \"external\"`, or \"internal\" if it is yours";
                    let help = Some(help.to_owned());
                    table.reporter.report_with_help(table.at, Code::MissingKey, message, help);
                }
                word(table, "trust", &names::TRUST)
            }
            Origin::Repository => {
                let message = "a repository does not say whom to trust";
                let help = "every destination of a repository's file is external";
                table.refuse("trust", Code::NotFromRepository, message, help);
                Some(Trust::External)
            }
        };
        let position = self.draft.parts.destinations.len();
        let mut matchers: Vec<Matcher> = Vec::new();
        for kind in MatcherKind::ALL {
            for (at, matcher) in self.matchers(table, kind) {
                let text = matcher.to_string();
                if matchers.contains(&matcher) {
                    let message = format!("`{text}` stands here twice");
                    table.reporter.report(at, Code::RepeatedEntry, message);
                    continue;
                }
                let top_level = matcher.is_top_level();
                let place = MatcherPlace { destination: position, text, top_level, at };
                self.draft.places.matchers.push(place);
                matchers.push(matcher);
            }
        }
        let approved = entries(table, "approved", self.taxonomy);
        let opaque = word(table, "opaque", &names::OPAQUE);
        if self.origin == Origin::Repository && opaque == Some(Effect::Allow) {
            let message = "a repository does not let pass what cannot be read";
            let help = Some("`escalate` or `block`".to_owned());
            let at = table.place("opaque");
            table.reporter.report_with_help(at, Code::NotFromRepository, message, help);
        }
        let release = word(table, "release", &names::RELEASE);
        let (id, trust) = (id?, trust?);
        let entry = |entry: &Entry| (position, entry.clone());
        self.draft.places.destination_entries.extend(approved.iter().map(entry));
        self.draft.places.destinations.push(id.at);
        self.draft.parts.destinations.push(Destination {
            id: id.value,
            title,
            matchers,
            trust,
            approved: union(&approved),
            opaque,
            release,
            of_repository: self.origin == Origin::Repository,
        });
        Some(())
    }

    fn matchers(&self, table: &mut Table<'_, '_, '_>, kind: MatcherKind) -> Vec<(Place, Matcher)> {
        let texts = table.one_or_more(kind.as_str(), MAX_LIST, MAX_MATCHER);
        let mut matchers = Vec::new();
        for text in texts {
            match Matcher::parse(kind, &text.value) {
                Ok(matcher) => matchers.push((text.at, matcher)),
                Err(error) => {
                    let message = format!("`{}`: {error}", shown(&text.value));
                    table.reporter.report(text.at, Code::BadMatcher, message);
                }
            }
        }
        matchers
    }

    fn workflow(&mut self, table: &mut Table<'_, '_, '_>) -> Option<()> {
        let id = self.id(table, Kind::Workflow);
        let title = prose(table, "title");
        let owner = required_prose(table, "owner");
        let purposes = table.one_or_more("purposes", MAX_LIST, MAX_ID);
        for purpose in &purposes {
            if is_name(purpose, |_| false, table.reporter) {
                self.draft.names.register(Kind::Purpose, purpose, table.reporter);
            }
        }
        let approved = entries(table, "approved", self.taxonomy);
        let destinations = self.names(table, "destinations", Kind::Destination);
        let approvers = self.names(table, "approvers", Kind::Approver);
        let approvals = table.number("approvals", 1..MAX_APPROVALS + 1).map_or(1, |it| it.value);
        let separation = table.boolean("separation").unwrap_or(false);
        let grants = table.table("grants", grants).unwrap_or_default();
        let escalation = self.name(table, "escalation", Kind::Path);
        let monitoring = self.name(table, "monitoring", Kind::Path);
        let evidence = words(table, "evidence", &names::FIELDS);
        let opaque = word(table, "opaque", &names::OPAQUE);
        let binding = table.table("bind", binding).unwrap_or_default();
        let (id, owner) = (id?, owner?);
        let position = self.draft.parts.workflows.len();
        let entry = |entry: &Entry| (position, entry.clone());
        self.draft.places.workflow_entries.extend(approved.iter().map(entry));
        self.draft.places.workflows.push(id.at);
        self.draft.parts.workflows.push(Workflow {
            id: id.value,
            title,
            owner,
            binding,
            purposes: set(purposes, table.reporter),
            approved: union(&approved),
            destinations,
            approvers,
            approvals: u32::try_from(approvals).unwrap_or(u32::MAX),
            separation,
            grants,
            escalation,
            monitoring,
            evidence: evidence.into_iter().map(str::to_owned).collect(),
            opaque,
        });
        Some(())
    }

    fn approver(&mut self, table: &mut Table<'_, '_, '_>) -> Option<()> {
        let id = self.id(table, Kind::Approver);
        let key = table.required_text("key", MAX_MATCHER);
        let uid = table.number("uid", UIDS).and_then(|uid| u32::try_from(uid.value).ok());
        let approved = categories(table, "approve", self.taxonomy);
        let opaque = table.boolean("opaque").unwrap_or(false);
        let (id, key) = (id?, key?);
        let Some(public) = public_key(&key.value) else {
            let message = "the key is no public key in OpenSSH form whose signatures count";
            let help = "a line like that of `~/.ssh/id_ed25519.pub`: `ssh-ed25519 AAAA... comment`; \
                        Ed25519, ECDSA, RSA of 3,072 bits and more, and security keys count";
            table.reporter.report_with_help(key.at, Code::BadKey, message, Some(help.to_owned()));
            return None;
        };
        if let Some(other) = self.keys.insert(public.clone(), id.value.clone()) {
            let message = format!("the key is that of approver `{other}` too");
            let help = Some("one person cannot approve twice".to_owned());
            table.reporter.report_with_help(key.at, Code::BadKey, message, help);
        }
        self.draft.places.approvers.push(id.at);
        let id = id.value;
        self.draft.parts.approvers.push(Approver {
            id,
            key: public,
            uid,
            categories: approved,
            opaque,
        });
        Some(())
    }

    fn path(&mut self, table: &mut Table<'_, '_, '_>) -> Option<()> {
        let id = self.id(table, Kind::Path);
        if !table.has("command") {
            let message = "missing key `command` in path";
            table.reporter.report(table.at, Code::MissingKey, message);
        }
        let at = table.place("command");
        let command = table.texts("command", 64, MAX_PATH);
        let timeout = duration(table, "timeout").unwrap_or(10);
        let per_minute = table.number("per_minute", 1..MAX_PER_MINUTE + 1);
        let per_minute = per_minute.map_or(60, |it| it.value);
        let id = id?;
        let program = command.first().is_some_and(|it| it.value.starts_with('/'));
        let odd = command.iter().any(|it| it.value.contains('\0'));
        if table.has("command") && (!program || odd) {
            let message = "the command is not an absolute program with fixed arguments";
            let help = "as in `command = [\"/usr/local/bin/notify\", \"--queue\", \"privacy\"]`; \
                        the event comes on standard input";
            table.reporter.report_with_help(at, Code::BadCommand, message, Some(help.to_owned()));
            return None;
        }
        self.draft.places.paths.push(id.at);
        self.draft.parts.paths.push(EventPath {
            id: id.value,
            command: command.into_iter().map(|it| it.value).collect(),
            timeout: u32::try_from(timeout).unwrap_or(u32::MAX),
            per_minute: u32::try_from(per_minute).unwrap_or(u32::MAX),
        });
        Some(())
    }

    /// The id of a part, which is registered.
    pub fn id(&mut self, table: &mut Table<'_, '_, '_>, kind: Kind) -> Option<Located<String>> {
        let id = table.required_text("id", MAX_ID)?;
        let dotted = |byte| kind == Kind::Rule && byte == b'.';
        if is_name(&id, dotted, table.reporter) {
            self.draft.names.register(kind, &id, table.reporter);
        }
        Some(id)
    }

    /// A name that something else has to register.
    fn name(
        &mut self,
        table: &mut Table<'_, '_, '_>,
        key: &'static str,
        kind: Kind,
    ) -> Option<String> {
        let name = table.text(key, MAX_ID)?;
        self.draft.names.used(kind, &name);
        Some(name.value)
    }

    /// Names that something else has to register.
    pub fn names(
        &mut self,
        table: &mut Table<'_, '_, '_>,
        key: &'static str,
        kind: Kind,
    ) -> BTreeSet<String> {
        let names = table.one_or_more(key, MAX_LIST, MAX_ID);
        names.iter().for_each(|name| self.draft.names.used(kind, name));
        set(names, table.reporter)
    }
}

const UIDS: Range<usize> = 0..u32::MAX as usize;

fn binding(table: &mut Table<'_, '_, '_>) -> Binding {
    let number = |it: Located<usize>| u32::try_from(it.value).ok();
    let uids = table.numbers("uid", MAX_LIST, UIDS).into_iter().filter_map(number).collect();
    let gids = table.numbers("gid", MAX_LIST, UIDS).into_iter().filter_map(number).collect();
    let units = table.one_or_more("unit", MAX_LIST, 256);
    let mut executables = BTreeSet::new();
    for digest in table.one_or_more("executable", MAX_LIST, 256) {
        let text = digest.value.to_ascii_lowercase();
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            executables.insert(text);
        } else {
            let message = format!("`{}` is no SHA-256 in hex digits", shown(&digest.value));
            let help = Some("the digest that `sha256sum PROGRAM` prints".to_owned());
            table.reporter.report_with_help(digest.at, Code::BadDigest, message, help);
        }
    }
    let token_file = table.text("token_file", MAX_PATH);
    if let Some(path) = token_file.as_ref().filter(|path| !path.value.starts_with('/')) {
        let message = "`token_file` is no absolute path";
        table.reporter.report(path.at, Code::UnknownWord, message);
    }
    let anyone = table.boolean("anyone").unwrap_or(false);
    let token_file = token_file.map(|path| path.value);
    Binding { uids, gids, units: set(units, table.reporter), executables, token_file, anyone }
}

/// A text for people; empty where it is absent.
fn prose(table: &mut Table<'_, '_, '_>, key: &'static str) -> String {
    let Some(text) = table.text(key, MAX_PROSE) else { return String::new() };
    if text.value.trim().is_empty() || text.value.chars().any(char::is_control) {
        let message = format!("`{key}` is empty or has control characters");
        table.reporter.report(text.at, Code::EmptyText, message);
    }
    text.value
}

/// A text for people that has to be there.
pub(super) fn required_prose(table: &mut Table<'_, '_, '_>, key: &'static str) -> Option<String> {
    table.require(key);
    table.has(key).then(|| prose(table, key))
}

/// Seconds, as a number or as `10s` or `2m`.
fn duration(table: &mut Table<'_, '_, '_>, key: &'static str) -> Option<usize> {
    if !table.is_text(key) {
        return table.number(key, 1..MAX_TIMEOUT + 1).map(|it| it.value);
    }
    let text = table.text(key, MAX_ID)?;
    let unit = |suffix, seconds: usize| {
        let number: usize = text.value.strip_suffix(suffix)?.parse().ok()?;
        number.checked_mul(seconds)
    };
    let seconds = unit("s", 1).or_else(|| unit("m", 60));
    let seconds = seconds.filter(|seconds| (1..=MAX_TIMEOUT).contains(seconds));
    if seconds.is_none() {
        let message = format!("`{}` is no time", shown(&text.value));
        let help = Some(format!("as in `10s` or `2m`, at most {MAX_TIMEOUT}s"));
        table.reporter.report_with_help(text.at, Code::BadDuration, message, help);
    }
    seconds
}

/// Whether a name is one; reports it where not.
fn is_name(name: &Located<String>, also: impl Fn(u8) -> bool, reporter: &mut Reporter<'_>) -> bool {
    let text = &name.value;
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte) || also(byte)
    };
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let good = first && text.bytes().all(plain);
    if !good {
        let message = format!("`{}` is not an id", shown(text));
        let help = Some("lower-case letters, digits, `-` and `_`, a letter first".to_owned());
        reporter.report_with_help(name.at, Code::BadName, message, help);
    }
    good
}

fn set(texts: Vec<Located<String>>, reporter: &mut Reporter<'_>) -> BTreeSet<String> {
    report_repeated(&texts, reporter);
    texts.into_iter().map(|text| text.value).collect()
}

/// The most minutes that an escalation waits, and that a grant is valid.
const MAX_WAIT: usize = 30 * 24 * 60;
const MAX_VALID: usize = 7 * 24 * 60;

/// What the grants of a workflow are.
fn grants(table: &mut Table<'_, '_, '_>) -> GrantTerms {
    let default = GrantTerms::default();
    let minutes = |minutes: Option<Located<usize>>, default| {
        minutes.and_then(|it| u64::try_from(it.value).ok()).map_or(default, |it| it * 60)
    };
    let wait = table.number("wait_minutes", 1..MAX_WAIT + 1);
    let valid = table.number("valid_minutes", 1..MAX_VALID + 1);
    let uses = table.number("uses", 1..10_001).and_then(|it| u32::try_from(it.value).ok());
    let bytes = table.number("bytes", 1..usize::MAX).and_then(|it| u64::try_from(it.value).ok());
    GrantTerms {
        wait: minutes(wait, default.wait),
        valid: minutes(valid, default.valid),
        bounds: uses.or(bytes.map(|_| 1)).map(|uses| (uses, bytes.unwrap_or(default_bytes()))),
    }
}

/// Bytes of all uses of a grant together, where only the number of uses is stated: 16 MiB.
fn default_bytes() -> u64 {
    16 << 20
}

/// The kind and body of a public key whose signatures count, as one spelling.
fn public_key(line: &str) -> Option<String> {
    crate::approve::public_key(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    Some(format!("{} {}", words.next()?, words.next()?)).filter(|_| !line.contains(['\n', '\r']))
}
