//! A configuration of gitleaks 8 comes in; a rule pack that finds the same, and what differs, go out.
//!
//! Each rule becomes one of ours with the id `sec.gitleaks.<id>`, with entropy, allowlists and the group of
//! the secret kept. What cannot be kept is noted, rule by rule, with the reason: [`Imported::notes`].
//!
//! Promised: nothing is left out in silence; the pack loads; a note never quotes a regex or a stop word,
//! which may hold a secret that is to be allowed; the same files give the same pack; any file is read
//! within stated limits. Written from gitleaks' documentation and from what version 8.30.1 answers;
//! none of its rules are here.

mod allow;
mod category;
mod examples;
mod expression;
mod extend;
mod paths;
mod pattern;
mod read;
mod rule;
mod sample;

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::path::Path;

pub use extend::ReadFile;
pub use paths::Offer;

use crate::respond::escape;
use crate::rules::RuleSet;
use rule::{Draft, Global};

/// The largest pack: that which is loaded.
const MAX_PACK: usize = 1 << 20;

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read.
    #[error("cannot read `{}`: {}", escape(.file), escape(.why))]
    Unreadable {
        /// Its name.
        file: String,
        /// Why.
        why: String,
    },
    /// A file is larger than 1 MiB.
    #[error("`{}` has {bytes} bytes, limit {}", escape(.file), read::MAX_FILE)]
    TooLarge {
        /// Its name.
        file: String,
        /// Its size.
        bytes: usize,
    },
    /// A file is no configuration of gitleaks 8.
    #[error("{}:{line}: {}", escape(.file), escape(.what))]
    Wrong {
        /// Its name.
        file: String,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The pack would be larger than one may be.
    #[error("the pack would have {0} bytes, limit {MAX_PACK}; import the rules in several files")]
    PackTooLarge(usize),
    /// What was made does not load, which is a fault of the import.
    #[error("the pack that was made does not load: {0}")]
    NotLoaded(String),
}

impl ImportError {
    fn wrong(file: &str, line: usize, what: &str) -> ImportError {
        ImportError::Wrong { file: file.to_owned(), line, what: what.to_owned() }
    }

    /// Whether it is the caller's to mend.
    pub fn is_usage(&self) -> bool {
        !matches!(self, ImportError::NotLoaded(_))
    }
}

/// What became of a part of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is not in the pack.
    Left,
    /// The pack finds more than gitleaks.
    Wider,
    /// The pack finds less than gitleaks.
    Narrower,
    /// It finds the same up to a stated length.
    Bounded,
    /// Another rule finds what it does.
    Covered,
    /// gitleaks ignores or refuses it as well.
    Ignored,
}

impl Turn {
    /// The words that messages begin with.
    pub fn as_str(self) -> &'static str {
        match self {
            Turn::Left => "not carried over",
            Turn::Wider => "finds more",
            Turn::Narrower => "finds less",
            Turn::Bounded => "bounded",
            Turn::Covered => "covered",
            Turn::Ignored => "ignored",
        }
    }
}

/// What a pack does not have of a configuration, or has in another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The file that it is about.
    pub file: String,
    /// Its line, counted from 1.
    pub line: usize,
    /// The rule that it is about, as gitleaks calls it; none for the whole.
    pub rule: Option<String>,
    /// What became of it.
    pub turn: Turn,
    /// Why.
    pub what: String,
}

impl Note {
    fn new(file: &str, line: usize, rule: Option<&str>, turn: Turn, what: String) -> Note {
        Note { file: file.to_owned(), line, rule: rule.map(str::to_owned), turn, what }
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: ", escape(&self.file), self.line)?;
        if let Some(rule) = &self.rule {
            write!(f, "rule `{}`: ", shown(rule))?;
        }
        write!(f, "{}: {}", self.turn.as_str(), escape(&self.what))
    }
}

/// A configuration that was imported.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The pack, with the notes as comments on top.
    pub pack: String,
    /// Rules in it.
    pub carried: usize,
    /// Rules of the configuration, those that it builds on included.
    pub rules: usize,
    /// What is not the same, by file and line.
    pub notes: Vec<Note>,
    /// Exceptions of the gate that do what paths of allowlists did, which no pack has.
    pub offers: Vec<Offer>,
}

/// Imports the configuration at `path`; what it builds on lies below `root`. `builtin` are the packs that
/// the new one will stand beside.
///
/// # Errors
///
/// What is wrong with the files, or that the pack cannot be made.
pub fn import(
    path: &Path,
    root: &Path,
    read_file: &mut ReadFile<'_>,
) -> Result<Imported, ImportError> {
    let mut notes = Vec::new();
    let Drafted { title, drafts, rules, mut offers } = drafts(path, root, read_file, &mut notes)?;
    let drafts = examples::given(drafts, &RuleSet::builtin_sources(), &mut notes)?;
    let carried = |id: &String| drafts.iter().any(|draft| draft.id == *id);
    offers.retain_mut(|offer| {
        let of_some = !offer.rules.is_empty();
        offer.rules.retain(carried);
        !(of_some && offer.rules.is_empty())
    });
    notes.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    notes.dedup();
    let pack = pack(path, title.as_deref(), &drafts, rules, &notes);
    if pack.len() > MAX_PACK {
        return Err(ImportError::PackTooLarge(pack.len()));
    }
    Ok(Imported { pack, carried: drafts.len(), rules, notes, offers })
}

/// What of a configuration can be carried over, before examples are made and a pack of it.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Each rule that can be, in the order of the configuration: its id here and its pattern.
    pub carried: Vec<(String, String)>,
    /// Rules of the configuration, those that it builds on included.
    pub rules: usize,
    /// What is not the same, in the order in which it was met.
    pub notes: Vec<Note>,
    /// Exceptions of the gate that do what paths of allowlists did, also for rules that are not carried
    /// over.
    pub offers: Vec<Offer>,
}

/// Looks at the configuration at `path` as [`import`] does, and makes no pack: the built-in rules are not
/// loaded for it.
///
/// # Errors
///
/// What is wrong with the files.
pub fn outline(
    path: &Path,
    root: &Path,
    read_file: &mut ReadFile<'_>,
) -> Result<Outline, ImportError> {
    let mut notes = Vec::new();
    let Drafted { drafts, rules, offers, .. } = drafts(path, root, read_file, &mut notes)?;
    let carried = drafts.into_iter().map(|draft| (draft.id, draft.pattern)).collect();
    Ok(Outline { carried, rules, notes, offers })
}

/// What became of a configuration before examples are made.
struct Drafted {
    title: Option<String>,
    drafts: Vec<Draft>,
    /// How many rules there were.
    rules: usize,
    offers: Vec<Offer>,
}

/// The rules as far as they can be carried over, without examples.
fn drafts(
    path: &Path,
    root: &Path,
    read_file: &mut ReadFile<'_>,
    notes: &mut Vec<Note>,
) -> Result<Drafted, ImportError> {
    let config = extend::resolve(path, root, read_file, notes)?;
    let file = path.display().to_string();
    let line = config.extend.line;
    if config.extend.use_default {
        let what = "`useDefault`: gitleaks' own rules stay with gitleaks; the built-in rules of sluice stand in \
                    for them";
        notes.push(Note::new(&file, line, None, Turn::Left, what.to_owned()));
        for id in &config.extend.disabled {
            let what = format!(
                "`disabledRules`: `{}` is switched off in gitleaks; built-in rules of sluice that find the same \
                 are not",
                shown(id)
            );
            notes.push(Note::new(&file, line, None, Turn::Wider, what));
        }
    }
    let globals: Vec<Global> =
        config.allowlists.iter().map(|list| Global::new(list, notes)).collect();
    if config.extend.use_default && !globals.is_empty() {
        let what = "allowlists for all rules are for the imported ones here, and not for the built-in rules";
        notes.push(Note::new(&file, line, None, Turn::Wider, what.to_owned()));
    }
    let mut ids = HashSet::new();
    let (mut drafts, mut offers) = (Vec::new(), Vec::new());
    // Ids here, by that of gitleaks.
    let mut names: HashMap<&str, String> = HashMap::new();
    for (position, raw) in config.rules.iter().enumerate() {
        let mut leave = |turn: Turn, what: &str| {
            notes.push(Note::new(&raw.file, raw.line, Some(&raw.id), turn, what.to_owned()));
        };
        if raw.id.is_empty() {
            leave(Turn::Left, "it has no `id`, which gitleaks refuses");
            continue;
        }
        if config.rules.iter().skip(position + 1).any(|later| later.id == raw.id) {
            leave(
                Turn::Ignored,
                "a later rule has the same id and takes its place, as in gitleaks",
            );
            continue;
        }
        let id = free_id(&raw.id, &mut ids);
        names.insert(&raw.id, id.clone());
        offers.extend(raw.allowlists.iter().filter_map(|it| Offer::of(it, vec![id.clone()])));
        drafts.extend(rule::draft(raw, id, &globals, config.extend.use_default, notes));
    }
    for list in &config.allowlists {
        let rules: Vec<String> =
            list.rules.iter().filter_map(|rule| names.get(&**rule).cloned()).collect();
        // One for rules that are not here is for none.
        if list.rules.is_empty() || !rules.is_empty() {
            offers.extend(Offer::of(list, rules));
        }
    }
    offers.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    Ok(Drafted { title: config.title, drafts, rules: config.rules.len(), offers })
}

/// The id of a rule here: lower case, and a number behind it where two would be the same.
fn free_id(id: &str, taken: &mut HashSet<String>) -> String {
    let plain = |c: char| {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }
    };
    let slug: String = id.chars().map(plain).take(60).collect();
    let slug = slug.trim_matches('-');
    let slug = if slug.is_empty() { "rule" } else { slug };
    let mut free = format!("sec.gitleaks.{slug}");
    let mut number = 2;
    while !taken.insert(free.clone()) {
        free = format!("sec.gitleaks.{slug}-{number}");
        number += 1;
    }
    free
}

fn pack(
    path: &Path,
    title: Option<&str>,
    drafts: &[Draft],
    rules: usize,
    notes: &[Note],
) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut out = format!("# Rules of `{}`", shown(&name));
    if let Some(title) = title.filter(|title| !title.is_empty()) {
        let _ = write!(out, " ({})", shown(title));
    }
    let _ = write!(
        out,
        ", made by `sluice gate import` (sluice {}).\n# {} of {rules} rules are here. Use: --rules with this folder.\n#\n\
         # The examples were made from the regexes; they are no secrets of anybody.\n",
        env!("CARGO_PKG_VERSION"),
        drafts.len(),
    );
    if !notes.is_empty() {
        out.push_str("#\n# What is not as it is in gitleaks:\n");
        for note in notes {
            let _ = writeln!(out, "# - {note}");
        }
    }
    for draft in drafts {
        out.push('\n');
        out.push_str(&draft.to_toml());
    }
    out
}

/// A name from a configuration as messages show it: one line, safe for a terminal, not too long.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(200).collect();
    escape(&cut).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKENS: &str = include_str!("../../../corpus/import/tokens.toml");
    const ALLOW: &str = include_str!("../../../corpus/import/allow.toml");
    const LEFT: &str = include_str!("../../../corpus/import/left.toml");
    const EXTEND: &str = include_str!("../../../corpus/import/extend.toml");

    /// Rules carried over of a file, with the notes; other files are empty.
    fn of(text: &str) -> Result<(Vec<String>, Vec<Note>), ImportError> {
        let mut notes = Vec::new();
        let mut read = |path: &Path| match path.to_str() {
            Some("a.toml") => Ok(text.to_owned()),
            Some("sub/b.toml") => Ok("[extend]\npath = \"../a.toml\"".to_owned()),
            _ => Err("not there".to_owned()),
        };
        let made = drafts(Path::new("a.toml"), Path::new(""), &mut read, &mut notes)?;
        Ok((made.drafts.into_iter().map(|draft| draft.id).collect(), notes))
    }

    fn wrong(text: &str) -> String {
        of(text).map(|(ids, _)| ids).unwrap_err().to_string()
    }

    #[test]
    fn a_file_that_is_no_configuration_is_refused_with_its_line() {
        for (text, error) in [
            ("", "a.toml:1: neither rules nor allowlists"),
            ("title = \"x\"\n[tool]", "a.toml:1: neither rules nor allowlists"),
            ("a = [", "a.toml:1: no TOML"),
            ("[[rules]]\nid = 3", "a.toml:2: `rule`: `id` is not a string"),
            (
                "[[rules]]\nid = \"x\"\nentropy = \"3\"",
                "a.toml:3: rule `x`: `entropy` is not a number",
            ),
            (
                "[[rules]]\nid = \"x\"\nentropy = -1.5",
                "a.toml:3: rule `x`: `entropy` is not a number",
            ),
            ("[[rules]]\nid = \"x\"\nsecretGroup = -1", "a.toml:3: rule `x`: `secretGroup` is not"),
            ("rules = 3", "a.toml:1: the file: `rules` is not a list of tables"),
            ("\n[[allowlists]]\ncondition = \"XOR\"", "a.toml:3: `condition` is neither"),
            ("[[allowlists]]\nregexTarget = \"path\"", "a.toml:2: `regexTarget` is neither"),
            (
                "[allowlist]\npaths = [\"a\"]\n[[allowlists]]\npaths = [\"b\"]",
                "beside `allowlists`",
            ),
        ] {
            let shown = wrong(text);
            assert!(shown.contains(error), "{text}: {shown}");
        }
        let many = "[[rules]]\n".repeat(1001);
        assert!(wrong(&many).contains("more than 1000 rules"));
        assert!(wrong(&"#".repeat((1 << 20) + 1)).contains("1048577 bytes, limit 1048576"));
    }

    #[test]
    fn what_a_file_builds_on_lies_below_its_folder_and_leads_in_no_circle() {
        for (path, error) in [
            ("../b.toml", "leads out of the folder"),
            ("/b.toml", "leads out of the folder"),
            ("sub/../../b.toml", "leads out of the folder"),
            ("a.toml", "leads in a circle"),
            ("./sub/../a.toml", "leads in a circle"),
            ("sub/b.toml", "sub/b.toml:1: `extend.path` leads in a circle"),
            ("c.toml", "cannot read `c.toml`"),
        ] {
            let shown = wrong(&format!("[extend]\npath = \"{path}\""));
            assert!(shown.contains(error), "{path}: {shown}");
        }
    }

    #[test]
    fn keys_are_read_in_any_case_and_ids_are_made_to_fit() {
        let text = "[[Rules]]\nID = \"Some Key_1\"\nRegex = \"key_[0-9]{9}\"\nEntropy = 2.5001\n\
                    [[rules]]";
        assert!(of(text).is_err(), "two keys of one name in other cases");
        let rule =
            |id: &str| format!("[[rules]]\nid = \"{id}\"\nREGEX = \"k{}_[0-9]{{9}}\"\n", id.len());
        let (ids, notes) = of(&["Some Key_1", "some-key-1", "--", "ü"].map(rule).concat()).unwrap();
        let wanted = ["some-key-1", "some-key-1-2", "rule", "rule-2"];
        assert_eq!(ids, wanted.map(|id| format!("sec.gitleaks.{id}")));
        assert_eq!(notes, []);
    }

    #[test]
    fn of_two_rules_of_one_id_the_later_counts() {
        let text =
            "[[rules]]\nid = \"a\"\nregex = \"one_a\"\n[[rules]]\nid = \"a\"\nregex = \"two_a\"";
        let (ids, notes) = of(text).unwrap();
        assert_eq!(
            (ids.len(), notes.len(), notes[0].turn, notes[0].line),
            (1, 1, Turn::Ignored, 1)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Whatever became of a file: it is refused, or each of its rules is carried over or noted.
        #[test]
        fn no_file_makes_it_fail(
            which in 0usize..4,
            cuts in proptest::collection::vec((any::<u16>(), 0usize..24, "[\\[\\]\"'=\\\\(){}a-z0-9.*|?,\n]{0,6}"), 1..6),
        ) {
            let mut text = [TOKENS, ALLOW, LEFT, EXTEND][which].to_owned();
            for (at, length, put) in cuts {
                let from = usize::from(at) % (text.len() + 1);
                let to = (from + length).min(text.len());
                if text.is_char_boundary(from) && text.is_char_boundary(to) {
                    text.replace_range(from..to, &put);
                }
            }
            if let Ok((ids, notes)) = of(&text) {
                let rules = read::read(&text, "a.toml", &mut Vec::new()).unwrap().rules;
                for rule in rules {
                    let is_noted = notes.iter().any(|note| note.line == rule.line
                        && matches!(note.turn, Turn::Left | Turn::Ignored));
                    let slug = format!("sec.gitleaks.{}", rule.id.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
                    let is_there = ids.iter().any(|id| slug.trim_end_matches('-').starts_with(id.trim_end_matches(|c: char| c == '-' || c.is_ascii_digit())));
                    prop_assert!(is_noted || is_there || !ids.is_empty(), "{}", rule.id);
                }
            }
        }

        /// What is read is written as a pattern that the loader can read.
        #[test]
        fn every_expression_that_is_read_is_written_as_a_pattern(
            text in r"([abAK019_ é]|[.*+?^$|()\[\]{},-]|\\[dwsDWSbBAznt.Q<E]|\(\?[ims]\)|\[\^?[a-c\]&~é-]{1,4}\]){0,12}",
            is_long: bool,
        ) {
            if let Ok(read) = expression::Expression::read(&text) {
                let style = pattern::Style { names: &[], lead: Some(9), characters: is_long };
                let written = pattern::write(&read.root, style);
                let mut builder = regex_syntax::ParserBuilder::new();
                builder.utf8(false).unicode(false);
                prop_assert!(builder.build().parse(&written).is_ok(), "{} {}", text, written);
            }
        }
    }
}
