//! Names from outside, cleaned by the engine itself.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use sluicegate::decode::{Encoding, Format, Structure};
use sluicegate::engine::Options;
use sluicegate::model::Band;
use sluicegate::respond::{NameCleaner, clean_path, escape};
use sluicegate::{RuleSet, Scanner};

/// Names that are remembered: a table repeats its column names in each finding.
const CACHED: usize = 1024;

/// Longer names are not remembered.
const CACHED_BYTES: usize = 256;

/// What messages are cleaned with: they may come before any rules are loaded.
static BUILT_IN: LazyLock<Option<ScannedNames>> = LazyLock::new(|| {
    let rules = Arc::new(RuleSet::builtin().ok()?);
    Some(ScannedNames::new(&Scanner::new(rules, Options::default())))
});

/// A path as messages name it: regulated data masked, the rest escaped.
pub fn shown(path: &Path) -> String {
    clean_path(path, &BuiltIn)
}

/// A message with regulated data masked: it may quote what was typed. Arguments are looked at one
/// by one, since in a sentence a value may stand where it would not be found. Lines stay as they
/// are.
pub fn clean_message(message: &str, arguments: impl Iterator<Item = OsString>) -> String {
    let mut message = message.to_owned();
    for argument in arguments {
        let argument = argument.to_string_lossy();
        let value = argument.split_once('=').map_or("", |(_, value)| value);
        for typed in [&*argument, value] {
            let clean = BuiltIn.clean(typed);
            if clean != typed {
                message = message.replace(typed, &clean).replace(&escape(typed), &escape(&clean));
            }
        }
    }
    let clean = BuiltIn.clean(&message);
    let line_end = |(raw, clean)| if raw == '\n' { '\n' } else { clean };
    message.chars().zip(clean.chars()).map(line_end).collect()
}

/// Masks in names what the built-in rules find in them.
struct BuiltIn;

impl NameCleaner for BuiltIn {
    fn clean(&self, name: &str) -> String {
        match &*BUILT_IN {
            Some(names) => names.clean(name),
            None => name.chars().map(|_| '*').collect(),
        }
    }
}

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
    fn messages_quote_arguments_without_their_values() {
        let typed = ["--include=[password=Nm4zCanaryName7", "ssn 861-14-3107", "plain"];
        let said = "glob `[password=Nm4zCanaryName7`, no `ssn 861-14-3107`\nplain";
        let clean = clean_message(said, typed.into_iter().map(OsString::from));
        assert_eq!(clean, "glob `[password=***************`, no `ssn ***********`\nplain");
        assert_eq!(clean_message("at line\n2", std::iter::empty()), "at line\n2");
    }

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
