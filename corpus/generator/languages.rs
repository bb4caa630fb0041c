//! Labels and phrases as data: one file a language, and one for the set that is kept back.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::Set;
use super::random::Random;

#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct Language {
    pub code: String,
    /// Whether it belongs to the set that is kept back.
    #[serde(skip)]
    pub held_out: bool,
    /// Given and family names.
    pub first: Vec<String>,
    pub last: Vec<String>,
    /// Sentences with `{label}` and `{value}`.
    pub sentences: Vec<String>,
    /// The same as people type them in chats.
    pub chat: Vec<String>,
    /// Sentences with `{value}` alone.
    pub bare: Vec<String>,
    /// Sentences without any value.
    pub filler: Vec<String>,
    pub greetings: Vec<String>,
    pub closings: Vec<String>,
    /// Sentences with `{value}` about a person's illness, addiction, conviction.
    #[serde(default)]
    pub condition: Vec<String>,
    #[serde(default)]
    pub addiction: Vec<String>,
    #[serde(default)]
    pub sensitive_care: Vec<String>,
    #[serde(default)]
    pub conviction: Vec<String>,
    /// Labels by category.
    pub labels: BTreeMap<String, Vec<String>>,
    /// Further names of columns and keys by category.
    #[serde(default)]
    pub columns: BTreeMap<String, Vec<String>>,
    /// Sentences with `{value}` in which people say it without a label, by category.
    #[serde(default)]
    pub phrases: BTreeMap<String, Vec<String>>,
    /// Labels of what is no category, by kind.
    pub others: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct HeldOut {
    language: Vec<Language>,
}

pub fn languages(set: Set) -> &'static [Language] {
    static OPEN: OnceLock<Vec<Language>> = OnceLock::new();
    static HELD_OUT: OnceLock<Vec<Language>> = OnceLock::new();
    match set {
        Set::Open => OPEN.get_or_init(|| {
            [
                include_str!("languages/en.toml"),
                include_str!("languages/de.toml"),
                include_str!("languages/fr.toml"),
                include_str!("languages/es.toml"),
                include_str!("languages/it.toml"),
                include_str!("languages/pt.toml"),
                include_str!("languages/nl.toml"),
                include_str!("languages/pl.toml"),
                include_str!("languages/other.toml"),
            ]
            .into_iter()
            .map(|text| toml::from_str(text).expect("a language file"))
            .collect()
        }),
        Set::HeldOut => HELD_OUT.get_or_init(|| {
            let mut file: HeldOut =
                toml::from_str(include_str!("held-out.toml")).expect("the held-out file");
            file.language.iter_mut().for_each(|language| language.held_out = true);
            file.language
        }),
    }
}

impl Language {
    /// One of these phrases: the first list is open, the second kept back.
    pub fn one_of(&self, random: &mut Random, open: &[&str], kept: &[&str]) -> String {
        (*random.pick(if self.held_out { kept } else { open })).to_owned()
    }

    /// A name of two parts.
    pub fn person(&self, random: &mut Random) -> String {
        format!("{} {}", random.pick(&self.first), random.pick(&self.last))
    }
}
