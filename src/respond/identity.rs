//! Identities of findings, which SARIF and baselines share.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::model::{Finding, RuleIndex};
use crate::rules::RuleSet;

/// Gives the findings of one file their identities: a hash of the rule's id, the line around the
/// finding with every finding blanked, and the ordinal among findings that are equal in both. It holds
/// no value, and survives that lines move and files are renamed.
///
/// All findings of a file have to be asked for in their order, those that are not shown too: the
/// ordinals rest on it.
#[derive(Debug, Default)]
pub struct Identities {
    seen: HashMap<(RuleIndex, u64), u64>,
}

impl Identities {
    /// The identity of the next finding: 128 bits, as for a fingerprint.
    pub fn next(&mut self, rules: &RuleSet, finding: &Finding) -> [u8; 16] {
        let ordinal = self.seen.entry((finding.rule, finding.context_hash)).or_default();
        let mut hash = Sha256::new();
        hash.update(rules.rule_id(finding.rule));
        hash.update([0]);
        hash.update(finding.context_hash.to_be_bytes());
        hash.update(ordinal.to_be_bytes());
        *ordinal += 1;
        hash.finalize().first_chunk::<16>().copied().unwrap_or_default()
    }
}
