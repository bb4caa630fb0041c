//! A rule set as it stands in the program.

use serde::{Deserialize, Serialize};

use super::list::{RuleList, StoredRules};
use super::texts::Texts;
use super::{Combination, RuleSet, Taxonomy};

/// What is read at start-up, and what is read where it is needed.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    rules: Pair<'a>,
    #[serde(borrow)]
    ids: Pair<'a>,
    /// Two bytes each.
    categories: &'a [u8],
    #[serde(borrow)]
    terms: Pair<'a>,
    taxonomy: Taxonomy,
    combinations: Vec<Combination>,
    digest: [u8; 32],
}

/// What [`Texts::stored`] takes.
type Pair<'a> = (&'a [u8], &'a [u8]);

impl RuleSet {
    /// The bytes that [`RuleSet::stored`] takes.
    ///
    /// # Errors
    ///
    /// None that is known: all that rules hold can be written.
    #[allow(dead_code, reason = "it is for the build script")]
    pub(crate) fn pack(&self) -> postcard::Result<Vec<u8>> {
        let rules: postcard::Result<Vec<Vec<u8>>> =
            self.rules.iter().map(postcard::to_stdvec).collect();
        let rules: Texts = rules?.iter().collect();
        let ids: Texts = self.rules.iter().map(|rule| &rule.id).collect();
        let categories = self.rules.iter().flat_map(|rule| rule.category.0.to_le_bytes());
        let stored = Stored {
            rules: rules.pack(),
            ids: ids.pack(),
            categories: &categories.collect::<Vec<u8>>(),
            terms: self.terms.pack(),
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
        let (categories, []) = stored.categories.as_chunks() else { return None };
        let texts = |(bytes, ends)| Texts::stored(bytes, ends);
        let rules = texts(stored.rules)?;
        let ids = texts(stored.ids).filter(|ids| ids.len() == rules.len())?;
        Some(RuleSet {
            taxonomy: stored.taxonomy,
            rules: RuleList::stored(StoredRules { rules, ids, categories }),
            combinations: stored.combinations,
            terms: texts(stored.terms)?,
            digest: stored.digest,
        })
    }
}
