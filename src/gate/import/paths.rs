//! Paths of allowlists come in; globs of an exception of the gate go out.
//!
//! A rule of a pack knows no paths, an `[[exception]]` does. Promised: a glob never matches a path that the
//! regex does not; what cannot be said by globs is counted and left to the reader.

use std::fmt::Write;

use globset::GlobBuilder;

use super::expression::{Expression, Node, Place, Set};
use super::read::Allowlist;
use super::rule::{list, one_line, quoted};
use super::shown;

/// Globs that one regex becomes at most.
const MAX_GLOBS: usize = 64;
/// The longest glob of an exception.
const MAX_GLOB: usize = 512;
/// What a bounded repeat is written out for.
const MAX_TIMES: u32 = 8;

/// An exception that would do what paths of an allowlist do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The file of the allowlist.
    pub file: String,
    /// Its line, counted from 1.
    pub line: usize,
    /// Ids here of the rules that it is for; empty for all secrets.
    pub rules: Vec<String>,
    /// The files.
    pub globs: Vec<String>,
    /// How many of its paths are no globs.
    pub left: usize,
    /// What the allowlist says of itself.
    pub reason: String,
}

impl Offer {
    /// What the paths of an allowlist come to; none where it has none, or where more than a path has to
    /// hold.
    pub(super) fn of(list: &Allowlist, rules: Vec<String>) -> Option<Offer> {
        let is_bare =
            [&list.regexes, &list.stopwords, &list.commits].iter().all(|it| it.is_empty());
        if list.paths.is_empty() || (list.all && !is_bare) {
            return None;
        }
        let (mut globs, mut left) = (Vec::new(), 0);
        for path in &list.paths {
            match self::globs(path) {
                Some(of_path) => globs.extend(of_path),
                None => left += 1,
            }
        }
        globs.sort_unstable();
        globs.dedup();
        let reason = match list.description.trim().is_empty() {
            true => "An allowlist for gitleaks".to_owned(),
            false => one_line(&list.description),
        };
        Some(Offer { file: list.file.clone(), line: list.line, rules, globs, left, reason })
    }

    /// The exception as a register has it; a comment alone where none of its paths is a glob.
    pub fn to_toml(&self) -> String {
        let mut out = format!("# {}:{}", shown(&self.file), self.line);
        if self.left > 0 {
            let _ = write!(out, ", without {} paths that are no globs: see there", self.left);
        }
        out.push('\n');
        if self.globs.is_empty() {
            return out;
        }
        out.push_str("[[exception]]\n");
        let _ = match self.rules.is_empty() {
            true => writeln!(out, "category = \"sec\""),
            false => writeln!(out, "rule = {}", list(&self.rules)),
        };
        let _ = writeln!(out, "paths = {}", list(&self.globs));
        let _ = writeln!(out, "reason = {}", quoted(&self.reason));
        out
    }
}

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// This character.
    Char(char),
    /// One of some, as a glob has it.
    Set(String),
    /// One that is no `/`.
    One,
    /// Any number of those.
    Some,
    /// Anything, over folders.
    Many,
    /// The start of the path.
    Start,
    /// Its end.
    End,
}

/// The globs that match what a regex finds in a path; none where that cannot be said by some.
fn globs(regex: &str) -> Option<Vec<String>> {
    let read = Expression::read(regex).ok()?;
    let mut globs = Vec::new();
    for parts in expanded(&read.root)? {
        globs.extend(written(parts)?);
        if globs.len() > MAX_GLOBS {
            return None;
        }
    }
    let is_glob = |glob: &String| {
        // What a register makes of these is something else.
        let is_other = glob.is_empty()
            || glob.starts_with('/')
            || glob.starts_with("./")
            || glob.ends_with('/');
        let built = GlobBuilder::new(glob).literal_separator(true).build();
        !is_other && glob.len() <= MAX_GLOB && built.is_ok()
    };
    globs.iter().all(is_glob).then_some(globs)
}

/// Everything that an expression can be, part by part.
fn expanded(node: &Node) -> Option<Vec<Vec<Part>>> {
    let one = |part: Part| Some(vec![vec![part]]);
    match node {
        Node::Char { c, folded: true } if c.is_ascii_alphabetic() => {
            one(Part::Set(format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase())))
        }
        // What would be escaped where it is shown is not put into a glob either.
        Node::Char { c, .. } if c.is_ascii_graphic() || shown(&c.to_string()) == c.to_string() => {
            one(Part::Char(*c))
        }
        Node::Char { .. } => None,
        Node::Any { .. } => one(Part::One),
        Node::Class(set) => class(set),
        Node::Place(Place::Start) => one(Part::Start),
        Node::Place(Place::End) => one(Part::End),
        Node::Place(_) => None,
        Node::Group(_, of) => expanded(of),
        Node::Choice(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(expanded(part)?);
            }
            (all.len() <= MAX_GLOBS).then_some(all)
        }
        Node::Sequence(parts) => {
            let mut all = vec![Vec::new()];
            for part in parts {
                all = product(&all, &expanded(part)?)?;
            }
            Some(all)
        }
        Node::Repeat { of, least, most, .. } => repeated(of, *least, *most),
    }
}

fn repeated(of: &Node, least: u32, most: Option<u32>) -> Option<Vec<Vec<Part>>> {
    if least.max(most.unwrap_or(0)) > MAX_TIMES {
        return None;
    }
    let once = expanded(of)?;
    let mut at_least = vec![Vec::new()];
    for _ in 0..least {
        at_least = product(&at_least, &once)?;
    }
    let Some(most) = most else {
        let rest = match of {
            Node::Any { .. } => Part::Many,
            _ if once == [vec![Part::One]] => Part::Some,
            _ => return None,
        };
        return product(&at_least, &[vec![rest]]);
    };
    let mut all = at_least.clone();
    for _ in least..most {
        at_least = product(&at_least, &once)?;
        all.extend(at_least.iter().cloned());
    }
    (all.len() <= MAX_GLOBS).then_some(all)
}

fn product(before: &[Vec<Part>], behind: &[Vec<Part>]) -> Option<Vec<Vec<Part>>> {
    if before.len() * behind.len() > MAX_GLOBS {
        return None;
    }
    let joined = |it: &Vec<Part>| behind.iter().map(|more| [&it[..], &more[..]].concat()).collect();
    Some(before.iter().flat_map::<Vec<_>, _>(joined).collect())
}

/// A set of characters: all but `/`, or some that globs can name.
fn class(set: &Set) -> Option<Vec<Vec<Part>>> {
    let others = set.inverse();
    if others.ranges() == [(u32::from('/'), u32::from('/'))] || others.ranges().is_empty() {
        return Some(vec![vec![Part::One]]);
    }
    if set.ranges().last().is_none_or(|(_, high)| *high > 127) {
        return None;
    }
    let held: Vec<char> =
        (0..128u8).filter(|byte| set.contains(u32::from(*byte))).map(char::from).collect();
    let (plain, other): (Vec<char>, Vec<char>) =
        held.into_iter().partition(|c| c.is_ascii_alphanumeric() || "_.".contains(*c));
    if other.iter().any(|c| c.is_control()) || other.len() > MAX_TIMES as usize {
        return None;
    }
    let mut all: Vec<Vec<Part>> = other.into_iter().map(|c| vec![Part::Char(c)]).collect();
    if !plain.is_empty() {
        let members: String = plain.into_iter().collect();
        all.push(vec![Part::Set(format!("[{members}]"))]);
    }
    Some(all)
}

/// Parts as globs: what goes over folders needs one glob for a name that goes on, and one for folders.
fn written(mut parts: Vec<Part>) -> Option<Vec<String>> {
    if parts.first() == Some(&Part::Start) {
        parts.remove(0);
    } else {
        parts.insert(0, Part::Many);
    }
    if parts.last() == Some(&Part::End) {
        parts.pop();
    } else {
        parts.push(Part::Many);
    }
    // Stars beside each other are as wide as the wider one.
    parts.dedup_by(|next, kept| match (&*kept, &*next) {
        (Part::Many, Part::Many | Part::Some) | (Part::Some, Part::Some) => true,
        (Part::Some, Part::Many) => {
            *kept = Part::Many;
            true
        }
        _ => false,
    });
    let last = parts.len().checked_sub(1)?;
    if parts == [Part::Many] {
        return Some(vec!["**".to_owned()]);
    }
    let mut globs = vec![String::new()];
    for (at, part) in parts.iter().enumerate() {
        let mut more = Vec::new();
        for glob in &mut globs {
            match part {
                Part::Char(c) => {
                    if "*?[]{}!,\\".contains(*c) {
                        glob.push('\\');
                    }
                    glob.push(*c);
                }
                Part::Set(set) => glob.push_str(set),
                Part::One => glob.push('?'),
                Part::Some => glob.push('*'),
                Part::Start | Part::End => return None,
                Part::Many if at == last && glob.ends_with('/') => glob.push_str("**"),
                Part::Many if at == 0 || glob.ends_with('/') => glob.push_str("**/*"),
                Part::Many => {
                    let behind = if at == last { "*/**" } else { "*/**/*" };
                    more.push(format!("{glob}{behind}"));
                    glob.push('*');
                }
            }
        }
        globs.extend(more);
        if globs.len() > MAX_GLOBS {
            return None;
        }
    }
    Some(globs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex_automata::meta::Regex;

    use super::*;

    const PATHS: [&str; 24] = [
        ".git/a",
        "xgit/a",
        "a",
        "b",
        "vendor",
        "vendor/a",
        "src/vendor/a/b",
        "myvendor/a",
        "vendors",
        "go.sum",
        "x/go.sum",
        "xgo.sum",
        "docs/a.md",
        "docs/a/b.md",
        "docs/a.mdx",
        "a/docs/b.md",
        "logo.PNG",
        "a/b/logo.jpeg",
        "png",
        "node_modules",
        "node_modules/a/b",
        "x/node_modules",
        "my_node_modules/a",
        "a b*c.txt",
    ];

    /// Whether a regex finds something in a path, and whether one of its globs matches that.
    fn both(regex: &str, path: &str) -> Option<(bool, bool)> {
        let finds = Regex::new(regex).ok()?.is_match(path);
        let built = |glob: String| GlobBuilder::new(&glob).literal_separator(true).build().unwrap();
        let matches = |glob| built(glob).compile_matcher().is_match(path);
        Some((finds, globs(regex)?.into_iter().any(matches)))
    }

    #[test]
    fn what_paths_of_allowlists_look_like_is_said_exactly() {
        for regex in [
            "vendor/",
            "^vendor/",
            "(?:^|/)vendor/",
            "vendor",
            r"go\.sum$",
            r"(?:^|/)go\.(?:mod|sum)$",
            r"^docs/.*\.md$",
            r"^docs/[^/]+\.md$",
            r"(?i)\.(?:gif|jpe?g|png)$",
            "(?:^|/)node_modules(?:/.*)?$",
            r"(.*?)(jpg|gif|md)$",
            ".*",
            "^$",
            r"a b\*c\.txt",
            "^a",
            "[ab]$",
            r"^[\w.]$",
            "^[^/]*$",
            r"^\.git/",
        ] {
            assert!(globs(regex).is_some() || regex == "^$", "{regex}");
            for path in PATHS {
                if let Some((finds, matches)) = both(regex, path) {
                    assert_eq!(finds, matches, "{regex} {path} {:?}", globs(regex));
                }
            }
        }
    }

    #[test]
    fn what_globs_cannot_say_is_left() {
        for regex in [
            "^/etc/",
            r"^\./a",
            "vendor/$",
            r"\bkey\b",
            "a{9}",
            "(ab)*c",
            r"\pL",
            "(",
            "a$b",
            "[^a]",
            r"^[\w.]+$",
            r"^\.git/$",
        ] {
            assert_eq!(globs(regex), None, "{regex}");
        }
        assert_eq!(globs(&"(a|b)".repeat(9)), None, "too many");
        assert_eq!(globs(&"a".repeat(600)), None, "too long");
    }

    #[test]
    fn an_offer_is_an_exception_that_can_be_pasted() {
        let list = Allowlist {
            file: ".gitleaks.toml".to_owned(),
            line: 7,
            description: "Samples,\nof nobody".to_owned(),
            paths: vec!["^docs/".to_owned(), "(ab)*".to_owned()],
            regexes: vec!["x".to_owned()],
            ..Allowlist::default()
        };
        let offer = Offer::of(&list, Vec::new()).unwrap();
        assert_eq!(
            offer.to_toml(),
            "# .gitleaks.toml:7, without 1 paths that are no globs: see there\n[[exception]]\ncategory = \"sec\"\n\
             paths = ['docs/**']\nreason = 'Samples, of nobody'\n"
        );
        assert_eq!(Offer::of(&Allowlist { all: true, ..list.clone() }, Vec::new()), None);
        let none = Allowlist { paths: vec!["(ab)*".to_owned()], ..list };
        let none = Offer::of(&none, vec!["a.b".to_owned()]).unwrap();
        assert!(!none.to_toml().contains("[[exception]]"));
    }

    proptest! {
        /// An exception that says more than the allowlist would hide what gitleaks reports.
        #[test]
        fn globs_match_nothing_that_the_regex_does_not(
            regex in r"(\^|\(\?i\))?([ab/.*?]|\.\*|\.\+|[.]|\[ab/\]|\[\^/\][*+]|\\\.|\(a\|/b\)|\(\^\|/\)|a\?|b\{1,2\}){1,6}\$?",
            path in "[abA.][abAB.]{0,3}(/[abAB.]{1,3}){0,3}",
        ) {
            if let Some((finds, matches)) = both(&regex, &path) {
                prop_assert!(finds || !matches, "{} {} {:?}", regex, path, globs(&regex));
            }
        }
    }
}
