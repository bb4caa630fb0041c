//! What was proven of the built-in rules when they were written, so that start-up takes the same few
//! milliseconds however many rules there are.
//!
//! `rules/proofs.txt` holds a line a rule: a digest of all that the proof depends on, the rule's id,
//! the longest match, the reach and the lead. A rule whose digest is not there is proven at load. A
//! test compares every line with a proof made afresh.

use std::collections::HashMap;
#[cfg(test)]
use std::fmt::Write;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::pack::RawRule;
use super::{Anchors, ByteSet, Lead};

/// The proofs of the built-in rules.
const BUILTIN: &str = include_str!("../../rules/proofs.txt");

/// What a proof says of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proven {
    pub lead: Lead,
    pub max_length: usize,
    pub reach: usize,
}

/// Proofs by the digest of what they are about.
#[derive(Clone, Debug, Default)]
pub(super) struct Proofs(Arc<HashMap<[u8; 16], Proven>>);

impl Proofs {
    /// Those of the built-in rules. Lines that do not read as a proof are left out.
    pub fn builtin() -> Proofs {
        Proofs(Arc::new(BUILTIN.lines().filter_map(read).collect()))
    }

    /// What was proven of a rule with these anchors.
    pub fn of(&self, raw: &RawRule, anchors: &Anchors) -> Option<&Proven> {
        self.0.get(&digest(raw, anchors))
    }
}

/// Digest of all that a proof depends on.
fn digest(raw: &RawRule, anchors: &Anchors) -> [u8; 16] {
    let number = |number: &Option<super::reader::Located<usize>>| {
        number.as_ref().map_or(0, |number| number.value as u64).to_le_bytes()
    };
    let mut hash = Sha256::new();
    let boundary = raw.boundary.as_ref().map_or("", |boundary| boundary.value.as_str());
    for text in [raw.pattern.value.as_str(), boundary] {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.update(number(&raw.max_length));
    hash.update(number(&raw.reach));
    match anchors {
        Anchors::Keywords(words) => {
            hash.update([0]);
            for word in words {
                hash.update((word.len() as u64).to_le_bytes());
                hash.update(word.as_bytes());
            }
        }
        Anchors::Digits { min, max } => hash.update([1, *min, *max]),
        Anchors::Shape(shape) => {
            hash.update([2]);
            hash.update(shape.as_str().as_bytes());
        }
    }
    let mut cut = [0; 16];
    cut.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    cut
}

fn read(line: &str) -> Option<([u8; 16], Proven)> {
    let mut words = line.split(' ');
    let digest = HEXLOWER.decode(words.next()?.as_bytes()).ok()?.try_into().ok()?;
    let (_, max_length, reach) = (words.next()?, words.next()?, words.next()?);
    let lead = words.next()?.parse().ok()?;
    let lead = match words.next() {
        Some(run) => {
            let bytes = HEXLOWER.decode(run.as_bytes()).ok()?;
            Lead::Run(bytes.into_iter().collect::<ByteSet>(), lead)
        }
        None => Lead::Bytes(lead),
    };
    Some((
        digest,
        Proven { lead, max_length: max_length.parse().ok()?, reach: reach.parse().ok()? },
    ))
}

/// The line of a rule.
#[cfg(test)]
pub(super) fn line(raw: &RawRule, anchors: &Anchors, proven: &Proven) -> String {
    let Proven { lead, max_length, reach } = proven;
    let digest = HEXLOWER.encode(&digest(raw, anchors));
    let mut line = format!("{digest} {} {max_length} {reach} {}", raw.id.value, lead.max());
    if let Lead::Run(set, _) = lead {
        let bytes: Vec<u8> = (0..=255).filter(|byte| set.contains(*byte)).collect();
        let _ = write!(line, " {}", HEXLOWER.encode(&bytes));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::compile::proof_lines;
    use crate::rules::{RuleSet, Source};

    #[test]
    fn the_proofs_of_the_built_in_rules_are_those_made_afresh() {
        let sources: Vec<Source> = RuleSet::builtin_sources();
        let fresh = proof_lines(&sources);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/proofs.txt");
        if std::env::var_os("SLUICE_BLESS").is_some() {
            std::fs::write(path, &fresh).unwrap();
            return;
        }
        let wrong: Vec<&str> =
            BUILTIN.lines().filter(|line| !fresh.lines().any(|it| it == *line)).collect();
        assert_eq!(wrong, Vec::<&str>::new(), "SLUICE_BLESS=1 writes them anew");
        let missing: Vec<&str> =
            fresh.lines().filter(|line| !BUILTIN.lines().any(|it| it == *line)).collect();
        assert_eq!(missing, Vec::<&str>::new(), "SLUICE_BLESS=1 writes them anew");
    }

    #[test]
    fn a_line_reads_back() {
        let set: ByteSet = b"az\x80".iter().copied().collect();
        let (_, proven) = read(&format!("{} a.b 12 34 5 617a80", "00".repeat(16))).unwrap();
        assert_eq!(proven, Proven { lead: Lead::Run(set, 5), max_length: 12, reach: 34 });
        assert!(read("00 a.b 12 34 5").is_none() && read("").is_none());
    }
}
