//! Names from outside, cleaned by the engine itself.

use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use sluicegate::engine::{Options, ScannedNames};
use sluicegate::respond::{NameCleaner, clean_path, escape};
use sluicegate::{RuleSet, Scanner};

/// The built-in rules, read once.
static RULES: LazyLock<Option<Arc<RuleSet>>> =
    LazyLock::new(|| RuleSet::builtin().ok().map(Arc::new));

/// A scanner of the built-in rules: what is planned for messages serves the command too.
static SCANNER: LazyLock<Option<Scanner>> =
    LazyLock::new(|| Some(Scanner::new(built_in_rules()?, Options::default())));

/// What messages are cleaned with: they may come before any rules are loaded.
static BUILT_IN: LazyLock<Option<ScannedNames>> =
    LazyLock::new(|| SCANNER.as_ref().map(ScannedNames::new));

/// The built-in rules.
pub fn built_in_rules() -> Option<Arc<RuleSet>> {
    RULES.clone()
}

/// A scanner with these options that shares the plan of messages, if its rules and kernel are those.
pub fn sharing(rules: &Arc<RuleSet>, options: &Options) -> Option<Scanner> {
    let is_built_in = RULES.as_ref().is_some_and(|built_in| Arc::ptr_eq(built_in, rules));
    if !is_built_in || options.kernel != Options::default().kernel {
        return None;
    }
    Some(SCANNER.as_ref()?.with(options.clone()))
}

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
}
