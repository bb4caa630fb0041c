//! A rule set as it stands in the program.

use serde::{Deserialize, Serialize};

use super::list::RuleList;
use super::texts::Texts;
use super::{Combination, RuleSet, Taxonomy};

/// What is read at start-up, and what is read where it is needed.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    rules: &'a [u8],
    rule_ends: &'a [u8],
    terms: &'a [u8],
    term_ends: &'a [u8],
    taxonomy: Taxonomy,
    combinations: Vec<Combination>,
    digest: [u8; 32],
}

impl RuleSet {
    /// The bytes that [`RuleSet::stored`] takes.
    ///
    /// # Errors
    ///
    /// None that is known: all that rules hold can be written.
    #[allow(dead_code, reason = "it is for the build script")]
    pub(crate) fn pack(&self) -> postcard::Result<Vec<u8>> {
        let (rules, ends) = self.rules.pack()?;
        let (terms, term_ends) = self.terms.pack();
        let stored = Stored {
            rules: &rules,
            rule_ends: ends.as_flattened(),
            terms,
            term_ends,
            taxonomy: self.taxonomy.clone(),
            combinations: self.combinations.clone(),
            digest: self.digest,
        };
        postcard::to_stdvec(&stored)
    }

    /// A rule set that was packed into the program; none where the bytes are no such thing. Its
    /// rules are read when they are asked for.
    pub(crate) fn stored(bytes: &'static [u8]) -> Option<RuleSet> {
        let stored: Stored<'static> = postcard::from_bytes(bytes).ok()?;
        let (rule_ends, []) = stored.rule_ends.as_chunks() else { return None };
        let (term_ends, []) = stored.term_ends.as_chunks() else { return None };
        Some(RuleSet {
            taxonomy: stored.taxonomy,
            rules: RuleList::stored(stored.rules, rule_ends),
            combinations: stored.combinations,
            terms: Texts::stored(stored.terms, term_ends),
            digest: stored.digest,
        })
    }
}
