//! Kinds of regulated data.

use serde::{Deserialize, Serialize};

/// Position of a category in the taxonomy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CategoryIndex(pub u16);

/// The nine groups that categories fall into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Payment card data.
    Pci,
    /// Other financial data.
    Fin,
    /// Personal data in general.
    Pii,
    /// National identification numbers.
    Nat,
    /// Health data.
    Phi,
    /// Secrets and credentials.
    Sec,
    /// Classification marks, export control, privilege.
    Cls,
    /// Special categories of personal data.
    Spc,
    /// Data flows of AI workflows: registered data, evasion.
    Ai,
}

impl Class {
    /// All classes, in taxonomy order.
    pub const ALL: [Class; 9] = [
        Class::Pci,
        Class::Fin,
        Class::Pii,
        Class::Nat,
        Class::Phi,
        Class::Sec,
        Class::Cls,
        Class::Spc,
        Class::Ai,
    ];

    /// The word used in ids, files and output: `pci`, `fin`, ...
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Pci => "pci",
            Class::Fin => "fin",
            Class::Pii => "pii",
            Class::Nat => "nat",
            Class::Phi => "phi",
            Class::Sec => "sec",
            Class::Cls => "cls",
            Class::Spc => "spc",
            Class::Ai => "ai",
        }
    }
}

/// How much harm a disclosure does; ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sensitivity {
    /// May be published.
    Public,
    /// For the organisation.
    Internal,
    /// For those who need it.
    Confidential,
    /// Regulated most strictly, or a means of access.
    Restricted,
}

impl Sensitivity {
    /// The word used in files and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Sensitivity::Public => "public",
            Sensitivity::Internal => "internal",
            Sensitivity::Confidential => "confidential",
            Sensitivity::Restricted => "restricted",
        }
    }
}

/// A law, standard or contract that a category falls under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Law {
    /// Short name of the law, the word that filters use: `GDPR`, `HIPAA`, `PCI DSS`, `CCPA`.
    pub name: String,
    /// Article, letter, section or requirement: `87`, `(G)`, `3.4.1`; empty for the law as a whole.
    pub part: String,
}

/// Where a law, standard or contract stands, and whether what is said of it was compared with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LawSource {
    /// The short name that categories use.
    pub name: String,
    /// Its full title.
    pub title: String,
    /// The country, union or body that made it.
    pub jurisdiction: String,
    /// Where its text is published.
    pub source: String,
    /// What was compared with the text, and when; or that nothing was.
    pub checked: String,
}

/// A kind of data that a rule can find, as the taxonomy defines it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// Dotted id, permanent: `nat.us_ssn`.
    pub id: String,
    /// What a person calls it.
    pub title: String,
    /// The group it belongs to; equal to the first part of the id.
    pub class: Class,
    /// Harm of a disclosure.
    pub sensitivity: Sensitivity,
    /// Whether a law, contract or marking restricts where it may go. Policy defaults hold
    /// unregulated categories for information only.
    pub regulated: bool,
    /// Laws that it falls under.
    pub laws: Vec<Law>,
}
