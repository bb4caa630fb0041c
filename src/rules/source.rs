//! The texts that rules are read from.

/// The packs of the repository's `rules/` folder, by path.
const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin_rules.rs"));

/// A rule pack or taxonomy, not yet read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Path or built-in name, as diagnostics show it.
    pub name: String,
    /// The TOML text.
    pub text: String,
    /// Whether it ships with the program. Rules of other sources add to the built-in ones, and
    /// replace those whose id they share.
    pub builtin: bool,
}

/// The packs and the taxonomy that ship with the program, sorted by name.
pub(super) fn builtin_sources() -> Vec<Source> {
    let source = |(name, text): &(&str, &str)| Source {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
        builtin: true,
    };
    BUILTIN.iter().map(source).collect()
}
