//! The readings of one payload: as what it is declared to be, and as what it looks like.

use crate::decode::{Format, SNIFF_BYTES};
use crate::engine::control::{differ, join, join_labels};
use crate::engine::{Classified, Scanner, Stream, opaque_coverage};
use crate::model::{Coverage, Finding, Label};

/// What the readings of a payload find as it arrives. What it looks like is known from its first
/// bytes; where that is what it is declared as, there is one reading from then on.
#[derive(Debug)]
pub(super) struct Readings {
    /// As it is declared; as it looks where nothing is declared.
    first: Stream,
    declared: Option<Format>,
    /// As it looks, unless that is the first.
    second: Option<Stream>,
    /// What it looks like, where the first reading is as it is declared and the second one is over.
    looks: Option<Format>,
    /// Bytes so far, as far as they matter for what it looks like.
    head: usize,
}

/// What a label so far was made of, as far as it tells two of them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    found: u64,
    looks: bool,
    coverage: Coverage,
}

impl Readings {
    pub fn new(scanner: &Scanner, declared: Option<Format>) -> Readings {
        Readings {
            first: scanner.stream_as(declared),
            declared,
            second: declared.map(|_| scanner.stream_as(None)),
            looks: None,
            head: 0,
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.first.push(bytes);
        let (Some(declared), Some(second)) = (self.declared, &mut self.second) else { return };
        let wanted = SNIFF_BYTES.saturating_sub(self.head).min(bytes.len());
        let (head, rest) = bytes.split_at(wanted);
        self.head += head.len();
        second.push(head);
        match second.format() {
            Some(looks) if !differ(declared, looks) => {
                self.looks = Some(looks);
                self.second = None;
            }
            _ => drop(second.push(rest)),
        }
    }

    /// No finding that is still to come touches a byte below this offset. What it looks like counts
    /// once it is known: what is declared waits for nothing.
    pub fn final_to(&self) -> u64 {
        let second = self.second.as_ref().filter(|second| second.format().is_some());
        let first = self.first.final_to();
        second.map_or(first, |second| second.final_to().min(first))
    }

    /// Changes whenever the label, or what the payload is known to look like, may have changed.
    pub fn version(&self) -> Version {
        let second = self.second.as_ref().map_or(0, Stream::found);
        let mut coverage = self.first.coverage();
        if let Some(second) = &self.second {
            coverage.join(&second.coverage());
        }
        let found = self.first.found().saturating_add(second);
        Version { found, looks: self.looks().is_some(), coverage }
    }

    /// The label of what is known so far; more bytes only add to it.
    pub fn label(&self) -> Label {
        let mut label = self.first.label();
        if let Some(second) = &self.second {
            join_labels(&mut label, second.label());
        }
        if let Some(format) = self.looks {
            label.coverage.join(&opaque_coverage(format));
        }
        label
    }

    /// What it looks like, once that is known.
    pub fn looks(&self) -> Option<Format> {
        let reading = self.second.as_ref().unwrap_or(&self.first);
        self.looks.or_else(|| reading.format())
    }

    /// Findings that nothing changes any more, and that come behind those that are `seen` of either
    /// reading; those of one reading behind those of the other. What both find comes one time.
    pub fn new_findings(&self, seen: &mut [usize; 2]) -> Vec<&Finding> {
        let final_to = self.final_to();
        let mut new: Vec<&Finding> = Vec::new();
        for (stream, seen) in [Some(&self.first), self.second.as_ref()].iter().zip(seen) {
            let Some(stream) = stream else { continue };
            let rest = stream.findings().get(*seen..).unwrap_or_default();
            let found = rest.iter().take_while(|it| it.span.start < final_to);
            *seen += found.clone().count();
            let is_second = !std::ptr::eq(*stream, &self.first);
            let known = |it: &&Finding| is_second && is_among(it, self.first.findings());
            new.extend(found.filter(|it| !known(it)));
        }
        new
    }

    /// The findings of both readings so far, as many of each as are `seen`.
    pub fn seen(&self, seen: [usize; 2]) -> impl Iterator<Item = &Finding> {
        let [first, second] = seen;
        let behind = self.second.iter().flat_map(move |it| it.findings().iter().take(second));
        self.first.findings().iter().take(first).chain(behind)
    }

    /// Whether there are findings whose place is not known.
    pub fn is_truncated(&self) -> bool {
        self.first.truncated() > 0 || self.second.as_ref().is_some_and(|it| it.truncated() > 0)
    }

    /// The format that counts for what is rewritten: what it looks like, and what is declared as long
    /// as that is not known.
    pub fn format(&self) -> Option<Format> {
        self.looks().or_else(|| self.first.format())
    }

    /// Ends the payload: what all readings found, joined as [`crate::engine::Control::judge`] does.
    pub fn finish(self) -> Classified {
        let mut first = self.first.finish();
        let (Some(declared), Some(second)) = (self.declared, self.second) else {
            if let Some(looks) = self.looks {
                first.label.coverage.join(&opaque_coverage(looks));
                first.format = looks;
            }
            return first;
        };
        let mut second = second.finish();
        if differ(declared, second.format) {
            join(&mut second, first);
        }
        second
    }
}

/// Whether the same finding is among others, which are sorted.
fn is_among(finding: &Finding, others: &[Finding]) -> bool {
    let first = others.partition_point(|other| other.span < finding.span);
    let mut same = others.iter().skip(first).take_while(|other| other.span == finding.span);
    same.any(|other| other.rule == finding.rule)
}
