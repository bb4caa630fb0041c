//! A located, validated and scored piece of regulated data.

use serde::{Deserialize, Serialize};

use super::{CategoryIndex, Place, Span};

/// Position of a rule in its rule set: plain rules first, then combinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub u32);

/// Position of a context term in the term table of its rule set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TermIndex(pub u16);

/// How sure a finding is, from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Likelihood(u8);

impl Likelihood {
    /// A likelihood, cut at 100.
    pub fn new(value: u32) -> Likelihood {
        Likelihood(u8::try_from(value.min(100)).unwrap_or(100))
    }

    /// The number, 0 to 100.
    pub fn get(self) -> u8 {
        self.0
    }

    /// The band it falls into.
    pub fn band(self) -> Band {
        match self.0 {
            85.. => Band::VeryLikely,
            65.. => Band::Likely,
            _ => Band::Possible,
        }
    }
}

/// Bands decide what counts: labels, redaction and combinations take `Likely` and up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// Below 65: counted apart, decides nothing.
    Possible,
    /// 65 to 84.
    Likely,
    /// 85 and up.
    VeryLikely,
}

impl Band {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Band::Possible => "possible",
            Band::Likely => "likely",
            Band::VeryLikely => "very_likely",
        }
    }
}

/// What made a finding more or less likely.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Evidence {
    /// A validator accepted the value.
    pub validator: bool,
    /// The column name or JSON key is one the rule names.
    pub column: bool,
    /// The nearest context term, in the text around the value or in its column name.
    pub context: Option<TermIndex>,
    /// The nearest term that speaks against the finding.
    pub negative: Option<TermIndex>,
    /// Beside other evidence: a term that names the country of the rule.
    pub country: Option<TermIndex>,
    /// A number that its issuer published as an example or reserved for tests and private use.
    pub published_example: bool,
    /// For a combination: the rule whose finding it rests on.
    pub rests_on: Option<RuleIndex>,
}

/// Keyed MAC of the normalised value: equal values have equal fingerprints under one key, and
/// without the key nothing can be learned from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // At once: a report holds one for each finding.
        let mut hex = [0; 32];
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let to_hex = |digit| digit + if digit < 10 { b'0' } else { b'a' - 10 };
        hex.iter_mut().zip(digits).for_each(|(place, digit)| *place = to_hex(digit));
        f.write_str(std::str::from_utf8(&hex).unwrap_or_default())
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// A located, validated and scored piece of regulated data. Holds no byte of the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule that found it.
    pub rule: RuleIndex,
    /// What it is.
    pub category: CategoryIndex,
    /// The value alone, in bytes of the original payload.
    pub span: Span,
    /// The same in Unicode characters, where the payload is UTF-8 up to the end of the value.
    pub chars: Option<Span>,
    /// Line of the first byte, counted from 1 (lines end at LF).
    pub line: u64,
    /// Byte of that line, counted from 1, in the decoded text.
    pub column: u64,
    /// How sure it is.
    pub likelihood: Likelihood,
    /// Why it is as sure as that.
    pub evidence: Evidence,
    /// Cell or JSON path, for structured payloads.
    pub place: Option<Box<Place>>,
    /// The value with each letter and digit replaced by `*`, cut at 40 characters.
    pub masked: Box<str>,
    /// Keyed MAC of the normalised value, if fingerprints were asked for.
    pub fingerprint: Option<Fingerprint>,
    /// Hash of the line with every finding blanked and white space folded, for identities that
    /// survive moved lines; 0 where unknown.
    pub context_hash: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_shown_in_hexadecimal() {
        let bytes = [0, 1, 0x9f, 0xa0, 0xff, 0x10, 0x0a, 0xb9, 2, 3, 4, 5, 6, 7, 8, 0xcd];
        assert_eq!(Fingerprint(bytes).to_string(), "00019fa0ff100ab902030405060708cd");
    }
}
