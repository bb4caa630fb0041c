//! Names and header texts from outside, cleaned by the engine itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Options, Scanner};
use crate::decode::{Encoding, Format, Structure};
use crate::model::Band;
use crate::respond::NameCleaner;

/// Names that are remembered: a table repeats its column names in each finding.
const CACHED: usize = 1024;

/// Longer names are not remembered.
const CACHED_BYTES: usize = 256;

/// Masks in names what the scanner finds in them.
pub struct ScannedNames {
    scanner: Scanner,
    cache: Mutex<HashMap<String, String>>,
}

impl ScannedNames {
    /// A cleaner that works with the rules of a scanner.
    pub fn new(scanner: &Scanner) -> ScannedNames {
        // A name is text whatever it looks like.
        let format =
            Format { encoding: Encoding::Bytes, bom: 0, structure: Structure::Text, opaque: None };
        let options = Options { format: Some(format), fingerprint_key: None, ..Options::default() };
        ScannedNames { scanner: scanner.with(options), cache: Mutex::default() }
    }

    fn scan(&self, name: &str) -> String {
        let found = self.scanner.scan(name.as_bytes());
        if found.truncated > 0 {
            // What was not kept cannot be masked by its place.
            return name.chars().map(|_| '*').collect();
        }
        let mut spans: Vec<(u64, u64)> = found
            .findings
            .iter()
            .filter(|finding| finding.likelihood.band() >= Band::Likely)
            .map(|finding| (finding.span.start, finding.span.end))
            .collect();
        spans.sort_unstable();
        mask(name, &spans)
    }
}

impl NameCleaner for ScannedNames {
    fn clean(&self, name: &str) -> String {
        if name.len() > CACHED_BYTES {
            return self.scan(name);
        }
        // A poisoned lock guards nothing but finished entries.
        let cached = |cleaner: &ScannedNames| {
            cleaner.cache.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
        };
        if let Some(clean) = cached(self) {
            return clean;
        }
        let clean = self.scan(name);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED {
            cache.clear();
        }
        cache.insert(name.to_owned(), clean.clone());
        clean
    }
}

/// The name with every character that one of the byte ranges touches as `*`. The ranges are
/// sorted by their start.
fn mask(name: &str, spans: &[(u64, u64)]) -> String {
    let mut spans = spans.iter().peekable();
    let mut masked_to = 0;
    let masked = name.char_indices().map(|(at, character)| {
        let (start, end) = (at as u64, (at + character.len_utf8()) as u64);
        while let Some((_, span_end)) = spans.next_if(|(span_start, _)| *span_start < end) {
            masked_to = masked_to.max(*span_end);
        }
        if masked_to > start { '*' } else { character }
    });
    masked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_a_span_is_masked() {
        assert_eq!(mask("ssn 123.txt", &[(4, 7)]), "ssn ***.txt");
        assert_eq!(mask("abcdef", &[(0, 4), (1, 2), (3, 5)]), "*****f");
        assert_eq!(mask("abc", &[(1, 99)]), "a**");
        assert_eq!(mask("abc", &[]), "abc");
        // A span that begins or ends inside a character takes all of it.
        assert_eq!(mask("aéb", &[(2, 3)]), "a*b");
        assert_eq!(mask("aéb", &[(1, 2)]), "a*b");
    }
}
