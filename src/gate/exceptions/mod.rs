//! Findings, the content around them and the lists of exceptions that a commit holds come in; what
//! counts and what is excepted comes out.
//!
//! Promised: a finding of a category that is not exceptable counts, whatever says otherwise; every use
//! is said, and so is what does not apply and why. Lists are read from a commit, so that what is about to
//! be committed cannot except itself. A list of another program that cannot be read excepts nothing.

mod baseline;
mod foreign;
mod inline;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub use baseline::{Baseline, BaselineError, Known};
pub use foreign::{GitleaksIgnore, SecretsBaseline};
pub use inline::{Marker, MarkerKind, Markers};

use super::GateError;
use super::repository::Repository;
use crate::Scanner;
use crate::config::{Exception, Origin};
use crate::decode::{Encoding, Format};
use crate::engine::ScannedNames;
use crate::model::{CategoryIndex, Class, Day, Excepted, ExceptionKind, Finding};
use crate::policy::CategorySet;
use crate::respond::{Identities, NameCleaner};
use crate::rules::RuleSet;

/// The baseline, at the root of a commit.
pub const BASELINE: &str = ".sluice-baseline";
/// The list of gitleaks, at the same place.
pub(super) const GITLEAKS: &str = ".gitleaksignore";
/// The list of detect-secrets, at the same place.
pub(super) const SECRETS: &str = ".secrets.baseline";

/// The largest list that is read: 16 MiB.
pub const MAX_LIST_BYTES: u64 = 16 << 20;
/// Bytes before a line in which a finding may begin that reaches into it.
const NEIGHBOURS: usize = 16 << 10;
/// Bytes on either side of a finding that its identity looks at.
const LINE_WINDOW: usize = 128;
/// Characters of a reason that are shown.
const REASON_CHARS: usize = 200;
/// Bytes of a reason that are looked at.
const REASON_BYTES: usize = 16 << 10;
/// In place of a reason in which something was found.
const HIDDEN: &str = "(not shown: something was found in it)";
/// The reason for the digests in the list of detect-secrets itself.
const DIGEST: &str = "the digest of a secret, as detect-secrets writes it";
/// Places that notes name one by one.
const NAMED: usize = 20;

/// What excepts findings.
#[derive(Clone, Debug)]
pub struct Exceptions {
    exceptable: CategorySet,
    /// Where a category would be made exceptable, for messages.
    place: String,
    today: Day,
    stated: Vec<Exception>,
    baseline: Baseline,
    gitleaks: GitleaksIgnore,
    secrets: SecretsBaseline,
}

/// A file whose findings may be excepted.
pub(super) struct Looked<'a> {
    /// Its path from the root of the repository.
    pub path: &'a Path,
    /// The commit that brought it; none for what is staged.
    pub commit: Option<String>,
    /// Its content.
    pub bytes: &'a [u8],
    /// How that was read.
    pub format: Format,
    /// All findings in it.
    pub findings: &'a [Finding],
    /// Whether these are all that there are.
    pub complete: bool,
}

/// What became of the findings of a file.
#[derive(Default)]
pub(super) struct Sorted {
    /// Those that count.
    pub findings: Vec<Finding>,
    /// Their identities.
    pub identities: Vec<[u8; 16]>,
    /// Those that do not.
    pub excepted: Vec<Excepted>,
    /// What is to be said.
    pub said: Said,
}

/// What is to be said of exceptions over all files.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    /// Exceptions that matched something: the list, and the position in it.
    used: BTreeSet<(ExceptionKind, usize)>,
    /// Findings that something would except, were their category exceptable.
    refused: BTreeMap<(ExceptionKind, CategoryIndex), u64>,
    /// Findings that something excepted to a day that is over.
    expired: BTreeMap<(ExceptionKind, Day), u64>,
    /// What is to be said of single places.
    places: Vec<String>,
    unlisted: u64,
}

impl Said {
    pub fn merge(&mut self, other: Said) {
        self.used.extend(other.used);
        for (key, count) in other.refused {
            *self.refused.entry(key).or_default() += count;
        }
        for (key, count) in other.expired {
            *self.expired.entry(key).or_default() += count;
        }
        other.places.into_iter().for_each(|place| self.place(place));
        self.unlisted += other.unlisted;
    }

    fn place(&mut self, text: String) {
        if self.places.len() < NAMED {
            self.places.push(text);
        } else {
            self.unlisted += 1;
        }
    }
}

/// Something that says of a finding that it is known.
struct Claim<'a> {
    kind: ExceptionKind,
    /// Position in its list; none where it has none that is told of.
    at: Option<usize>,
    expires: Option<Day>,
    reason: &'a str,
}

impl Exceptions {
    /// None at all.
    pub fn none(today: Day) -> Exceptions {
        Exceptions {
            exceptable: CategorySet::new(),
            place: String::new(),
            today,
            stated: Vec::new(),
            baseline: Baseline::default(),
            gitleaks: GitleaksIgnore::default(),
            secrets: SecretsBaseline::default(),
        }
    }

    /// Those that a policy states. `place` is where a category is made exceptable, for messages.
    pub fn new(
        exceptable: CategorySet,
        stated: Vec<Exception>,
        place: String,
        today: Day,
    ) -> Exceptions {
        Exceptions { exceptable, stated, place, ..Exceptions::none(today) }
    }

    /// Takes a baseline in place of the one that is there.
    pub fn with_baseline(self, baseline: Baseline) -> Exceptions {
        Exceptions { baseline, ..self }
    }

    /// Adds the lists of other programs at a commit. What cannot be used of them is said.
    ///
    /// # Errors
    ///
    /// The commit cannot be read.
    pub(super) fn read_foreign(
        &mut self,
        repository: &Repository,
        commit: gix::ObjectId,
    ) -> Result<Vec<String>, GateError> {
        let mut notes = Vec::new();
        for name in [GITLEAKS, SECRETS] {
            let problem = match repository.file_at(commit, name, MAX_LIST_BYTES) {
                Ok(None) => None,
                Ok(Some(bytes)) if name == GITLEAKS => {
                    self.gitleaks = GitleaksIgnore::read(&bytes);
                    self.gitleaks.problem()
                }
                Ok(Some(bytes)) => match SecretsBaseline::read(&bytes) {
                    Ok(read) => {
                        self.secrets = read;
                        None
                    }
                    Err(problem) => Some(problem.to_owned()),
                },
                Err(error @ GateError::Unreadable { .. }) => return Err(error),
                Err(error) => Some(error.to_string()),
            };
            notes.extend(problem.map(|problem| format!("`{name}`: {problem}")));
        }
        Ok(notes)
    }

    /// Whether a list names a file by its path.
    pub(super) fn name_path(&self, path: &Path) -> bool {
        let stated = |it: &Exception| it.paths.as_ref().is_some_and(|paths| paths.is_match(path));
        let text = path.to_string_lossy();
        self.stated.iter().any(stated) || self.gitleaks.names(&text) || self.secrets.names(&text)
    }

    /// Whether findings of a category may be excepted.
    pub fn admits(&self, category: CategoryIndex) -> bool {
        self.exceptable.contains(category)
    }

    /// Sorts the findings of a file that touch what was added into those that count and others.
    pub(super) fn sort(
        &self,
        looked: &Looked<'_>,
        scanner: &Scanner,
        counts: impl Fn(&Finding) -> bool,
    ) -> Sorted {
        let rules = scanner.rules();
        let names = ScannedNames::new(scanner);
        let mut sorted = Sorted::default();
        let markers = Markers::read(looked.bytes, looked.format.encoding);
        let hidden = markers.hidden(looked.findings);
        let mut used = vec![false; markers.all.len()];
        let mut identities = Identities::default();
        for found in looked.findings {
            let identity = identities.next(rules, found);
            let mut finding = found.clone();
            if stands_alone(looked, found) {
                // There is no line to know it by: another value would look the same.
                finding.context_hash = 0;
            }
            let finding = &finding;
            let mut claims = Vec::new();
            inline(looked, (&markers, &hidden), finding, rules, &mut used, &mut claims);
            self.listed(looked, finding, &identity, rules, &mut claims);
            // What was written for this program speaks first.
            claims.sort_by_key(|claim| claim.kind);
            for claim in &claims {
                let lasts = claim.expires.is_none_or(|day| day >= self.today);
                sorted.said.used.extend(claim.at.filter(|_| lasts).map(|at| (claim.kind, at)));
            }
            if !counts(finding) {
                continue;
            }
            let lasting = claims.iter().find(|it| it.expires.is_none_or(|day| day >= self.today));
            match lasting {
                Some(claim) if self.admits(finding.category) => {
                    let (kind, reason) = (claim.kind, cleaned(claim.reason, &names));
                    sorted.excepted.push(Excepted { finding: finding.clone(), kind, reason });
                    continue;
                }
                Some(claim) => {
                    *sorted.said.refused.entry((claim.kind, finding.category)).or_default() += 1;
                }
                None => {
                    for claim in claims.iter().take(1) {
                        let day = claim.expires.unwrap_or(self.today);
                        *sorted.said.expired.entry((claim.kind, day)).or_default() += 1;
                    }
                }
            }
            sorted.findings.push(finding.clone());
            sorted.identities.push(identity);
        }
        self.remark(looked, &markers, &used, rules, &names, &mut sorted.said);
        sorted
    }

    /// What lists say of a finding.
    fn listed<'s>(
        &'s self,
        looked: &Looked<'_>,
        finding: &Finding,
        identity: &[u8; 16],
        rules: &RuleSet,
        claims: &mut Vec<Claim<'s>>,
    ) {
        for (at, stated) in self.stated.iter().enumerate() {
            let named = stated.rules.contains(rules.rule_id(finding.rule))
                || stated.categories.contains(finding.category);
            if named && stated.paths.as_ref().is_none_or(|paths| paths.is_match(looked.path)) {
                let kind = kind_of(stated);
                let (expires, reason) = (stated.expires, stated.reason.as_str());
                claims.push(Claim { kind, at: Some(at), expires, reason });
            }
        }
        // Without a line there is nothing to know it by.
        let known = self.baseline.get(identity).filter(|_| finding.context_hash != 0);
        if let Some((at, known)) = known {
            let (expires, reason) = (Some(known.expires), known.reason.as_str());
            claims.push(Claim { kind: ExceptionKind::Baseline, at: Some(at), expires, reason });
        }
        if !is_secret(rules, finding) {
            return;
        }
        let path = looked.path.to_string_lossy();
        let ignored = self.gitleaks.find(&path, finding.line, looked.commit.as_deref());
        if let Some(at) = ignored {
            let kind = ExceptionKind::GitleaksIgnore;
            claims.push(Claim { kind, at: Some(at), expires: None, reason: "" });
        }
        if *path == *SECRETS && foreign::is_digest(looked.bytes, finding) {
            let kind = ExceptionKind::SecretsBaseline;
            claims.push(Claim { kind, at: None, expires: None, reason: DIGEST });
        }
        if looked.format.encoding == Encoding::Bytes
            && let Some(at) = self.secrets.find(&path, looked.bytes, finding.span)
        {
            let kind = ExceptionKind::SecretsBaseline;
            claims.push(Claim { kind, at: Some(at), expires: None, reason: "" });
        }
    }

    /// Says of inline exceptions what is wrong with them, and which except nothing.
    fn remark(
        &self,
        looked: &Looked<'_>,
        markers: &Markers,
        used: &[bool],
        rules: &RuleSet,
        names: &dyn NameCleaner,
        said: &mut Said,
    ) {
        let path = names.clean(&looked.path.to_string_lossy());
        if markers.unread > 0 {
            let more = markers.unread;
            said.place(format!("{path}: {more} more inline exceptions are not read"));
        }
        for (marker, used) in markers.all.iter().zip(used) {
            let Marker { line, kind: MarkerKind::Own { rule, reason }, .. } = marker else {
                continue;
            };
            let is_known = knows(rules, rule);
            let problem = if rule.is_empty() || !is_known {
                let rule: String = names.clean(rule).chars().take(60).collect();
                format!("`sluice:allow {rule}` names no rule that is there, so it excepts nothing")
            } else if reason.is_empty() {
                format!(
                    "`sluice:allow {rule}` has no reason, so it excepts nothing: write one behind it"
                )
            } else if !used && looked.complete {
                format!("`sluice:allow {rule}` excepts nothing; take it out")
            } else {
                continue;
            };
            said.place(format!("{path}:{line}: {problem}"));
        }
    }

    /// What is to be said at the end; of lists also what is not used, where everything was looked at.
    pub(super) fn notes(&self, said: &Said, scanner: &Scanner, everything: bool) -> Vec<String> {
        let (rules, names) = (scanner.rules(), ScannedNames::new(scanner));
        let mut notes = said.places.clone();
        if said.unlisted > 0 {
            notes.push(format!("and {} more inline exceptions like these", said.unlisted));
        }
        for ((kind, category), count) in &said.refused {
            let (kind, category) = (kind.as_str(), rules.category_id(*category));
            let place = if self.place.is_empty() { "the register" } else { &self.place };
            notes.push(format!(
                "exceptions ({kind}) of {count} findings do not apply, since `{category}` is not exceptable; \
                 to admit them add it to `exceptable` under `[policy]` in {place}"
            ));
        }
        for ((kind, day), count) in &said.expired {
            let kind = kind.as_str();
            notes.push(format!("exceptions ({kind}) of {count} findings expired on {day}"));
        }
        for stated in &self.stated {
            let unknown = stated.rules.iter().filter(|rule| !knows(rules, rule));
            for rule in unknown.take(NAMED) {
                let rule = names.clean(rule);
                notes.push(format!("{} names rule `{rule}`, which is not there", of(stated)));
            }
        }
        if everything {
            self.unused(said, &mut notes);
        }
        notes
    }

    fn unused(&self, said: &Said, notes: &mut Vec<String>) {
        for (at, stated) in self.stated.iter().enumerate() {
            if stated.expires.is_some_and(|day| day < self.today) {
                notes.push(format!("{} is expired; take it out", of(stated)));
            } else if !said.used.contains(&(kind_of(stated), at)) {
                notes.push(format!("{} excepts nothing; take it out", of(stated)));
            }
        }
        let unused = |kind, count: usize| {
            let used = said.used.range((kind, 0)..=(kind, usize::MAX)).count();
            count.saturating_sub(used)
        };
        let expired = self.baseline.expired(self.today);
        if expired > 0 {
            notes.push(format!("{expired} lines of `{BASELINE}` are expired"));
        }
        let lists = [
            (ExceptionKind::Baseline, self.baseline.len() - expired, BASELINE),
            (ExceptionKind::GitleaksIgnore, self.gitleaks.len(), GITLEAKS),
            (ExceptionKind::SecretsBaseline, self.secrets.len(), SECRETS),
        ];
        for (kind, count, name) in lists {
            let unused = unused(kind, count);
            if unused > 0 {
                notes.push(format!("{unused} entries of `{name}` except nothing that is found"));
            }
        }
    }
}

/// What stands on the lines of a finding.
fn inline<'m>(
    looked: &Looked<'_>,
    (markers, hidden): (&'m Markers, &[bool]),
    finding: &Finding,
    rules: &RuleSet,
    used: &mut [bool],
    claims: &mut Vec<Claim<'m>>,
) {
    let last = finding.line + markers.lines_in(looked.bytes, finding.span);
    let begin = markers.all.partition_point(|marker| marker.line < finding.line);
    let here = markers.all.iter().enumerate().skip(begin);
    for (at, marker) in here.take_while(|(_, marker)| marker.line <= last) {
        let (kind, reason) = match &marker.kind {
            MarkerKind::Own { rule, reason } if *rule == rules.rule_id(finding.rule) => (
                ExceptionKind::Inline,
                match hidden.get(at) {
                    Some(false) => reason.as_str(),
                    _ => HIDDEN,
                },
            ),
            MarkerKind::Own { .. } => continue,
            _ if !is_secret(rules, finding) => continue,
            MarkerKind::Gitleaks => (ExceptionKind::GitleaksAllow, ""),
            MarkerKind::Pragma => (ExceptionKind::AllowlistSecret, ""),
        };
        if let Some(used) = used.get_mut(at) {
            *used = true;
        }
        let counts = !matches!(&marker.kind, MarkerKind::Own { reason, .. } if reason.is_empty());
        if counts {
            claims.push(Claim { kind, at: None, expires: None, reason });
        }
    }
}

/// Whether nothing but findings and marks is on the line of a finding, as far as its identity looks.
fn stands_alone(looked: &Looked<'_>, finding: &Finding) -> bool {
    if looked.format.encoding != Encoding::Bytes {
        return false;
    }
    let bytes = looked.bytes;
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let (start, end) = (at(finding.span.start), at(finding.span.end));
    let (low, high) = (start.saturating_sub(LINE_WINDOW), (end + LINE_WINDOW).min(bytes.len()));
    let before = bytes.get(low..start).unwrap_or_default();
    let low = memchr::memrchr(b'\n', before).map_or(low, |back| low + back + 1);
    let behind = bytes.get(end..high).unwrap_or_default();
    let high = memchr::memchr(b'\n', behind).map_or(high, |further| end + further);
    let says = |offset: usize| {
        let byte = bytes.get(offset).copied().unwrap_or_default();
        byte.is_ascii_alphanumeric() || !byte.is_ascii()
    };
    let mut offset = low;
    // Findings are sorted by where they begin; one that began long before and covers this one is not
    // looked for.
    let near = looked.findings.partition_point(|it| at(it.span.start) + NEIGHBOURS < low);
    for other in looked.findings.iter().skip(near) {
        let (from, to) = (at(other.span.start), at(other.span.end));
        if from >= high {
            break;
        }
        if (offset..from.min(high)).any(says) {
            return false;
        }
        offset = offset.max(to);
    }
    !(offset..high).any(says)
}

/// An exception as messages name it.
fn of(stated: &Exception) -> String {
    let whose = match stated.origin {
        Origin::System => "the register",
        Origin::Repository => "`sluice.toml` of the repository",
    };
    format!("the exception in line {} of {whose}", stated.line)
}

fn kind_of(stated: &Exception) -> ExceptionKind {
    match stated.origin {
        Origin::System => ExceptionKind::Register,
        Origin::Repository => ExceptionKind::Repository,
    }
}

fn is_secret(rules: &RuleSet, finding: &Finding) -> bool {
    rules.category(finding.category).is_some_and(|category| category.class == Class::Sec)
}

fn knows(rules: &RuleSet, id: &str) -> bool {
    rules.rules.iter().any(|it| it.id == id) || rules.combinations.iter().any(|it| it.id == id)
}

/// A reason with regulated data masked, cut.
pub(super) fn cleaned(reason: &str, names: &dyn NameCleaner) -> String {
    let head = reason.get(..reason.floor_char_boundary(REASON_BYTES)).unwrap_or_default();
    names.clean(head).chars().take(REASON_CHARS).collect()
}
