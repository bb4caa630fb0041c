//! The texts that rules are read from.

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
