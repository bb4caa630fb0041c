//! The packs and the taxonomy that ship with the program.
//!
//! They are checked when the program is built, and stand in it as a rule set that is ready to use:
//! start-up takes the same few milliseconds however many rules there are. Their texts are there for
//! those who build on them.

use crate::rules::{Diagnostics, RuleSet, Source};

/// The packs of the repository's `rules/` folder, by path.
const SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin_rules.rs"));

/// What `RuleSet::compile` makes of them.
// Not a constant, which might stand in the program once for each use.
static COMPILED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_rules.bin"));

impl RuleSet {
    /// The packs and the taxonomy that ship with the program, sorted by name.
    pub fn builtin_sources() -> Vec<Source> {
        let source = |(name, text): &(&str, &str)| Source {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
            builtin: true,
        };
        SOURCES.iter().map(source).collect()
    }

    /// The rules that ship with the program.
    ///
    /// # Errors
    ///
    /// What is wrong with them; the build and a test hold that nothing is.
    pub fn builtin() -> Result<RuleSet, Diagnostics> {
        let stored = RuleSet::stored(COMPILED);
        stored.map_or_else(|| RuleSet::compile(&RuleSet::builtin_sources()), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_that_stand_in_the_program_are_those_of_its_packs() {
        let compiled = RuleSet::compile(&RuleSet::builtin_sources());
        let compiled = compiled.map_err(|diagnostics| diagnostics.to_string()).unwrap();
        let stored = RuleSet::stored(COMPILED).unwrap();
        assert!(stored.rules.is_built_in() && stored.terms.is_built_in());
        assert!(!compiled.rules.is_built_in() && !compiled.terms.is_built_in());
        assert_eq!(stored, compiled);
        assert_eq!(stored.rules.iter().count(), compiled.rules.len());
        assert_eq!(RuleSet::builtin().unwrap(), compiled);
    }
}
