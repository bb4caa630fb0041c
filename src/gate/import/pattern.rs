//! The tree of an expression comes in; a pattern of ours comes out.
//!
//! Patterns match bytes: a character beyond ASCII is spelled as its bytes. `.` and sets of nearly
//! everything are one byte of it, or where that is asked for all of its bytes, which makes the pattern up to
//! four times as long.

use std::fmt::Write;

use regex_syntax::utf8::Utf8Sequences;

use super::expression::{Node, Place, Set};

/// The last code point.
const LAST: u32 = 0x10_FFFF;

/// How a pattern is written.
#[derive(Clone, Copy, Debug)]
pub struct Style<'a> {
    /// Groups that keep a name, by number. Number 0 is the whole.
    pub names: &'a [(u32, &'static str)],
    /// What a repeat without bound before the first word is bounded to; none: it is left so.
    pub lead: Option<u32>,
    /// Whether `.`, and a set with all that is beyond ASCII, are characters and no bytes.
    pub characters: bool,
}

/// A character beyond ASCII: of UTF-8, else a letter of Latin-1. None begins with a byte that goes on in
/// UTF-8, so that no character counts for two.
const CHARACTER: &str = r"[\xc2-\xf4][\x80-\xbf]{1,3}|[\xc0-\xff]";

/// Writes the pattern.
pub fn write(root: &Node, style: Style<'_>) -> String {
    let mut cases = Cases::default();
    cases.count(root);
    // Where most letters are in any case, that is said once.
    let folded = cases.folded > cases.exact;
    let mut writer = Writer { style, folded, is_lead: style.lead.is_some(), out: String::new() };
    if folded {
        writer.out.push_str("(?i)");
    }
    let whole = style.names.iter().find(|(number, _)| *number == 0);
    match whole {
        Some((_, name)) => {
            let _ = write!(writer.out, "(?<{name}>");
            writer.node(root);
            writer.out.push(')');
        }
        None => writer.node(root),
    }
    writer.out
}

/// Whether a range has all that is beyond ASCII.
fn is_rest((low, high): (u32, u32)) -> bool {
    low <= 128 && high == LAST
}

/// How many letters are meant in any case, and how many as they stand.
#[derive(Default)]
struct Cases {
    folded: usize,
    exact: usize,
}

impl Cases {
    fn count(&mut self, node: &Node) {
        match node {
            Node::Char { folded: true, .. } => self.folded += 1,
            Node::Char { c, .. } if c.is_ascii_alphabetic() => self.exact += 1,
            Node::Class(set) if is_exact(set) => self.exact += 1,
            Node::Group(_, of) | Node::Repeat { of, .. } => self.count(of),
            Node::Sequence(parts) | Node::Choice(parts) => {
                parts.iter().for_each(|part| self.count(part));
            }
            _ => {}
        }
    }
}

/// Whether a set has a letter in one case alone.
fn is_exact(set: &Set) -> bool {
    set.folded() != *set
}

struct Writer<'a> {
    style: Style<'a>,
    folded: bool,
    /// No word stood here yet.
    is_lead: bool,
    out: String,
}

impl Writer<'_> {
    fn node(&mut self, node: &Node) {
        match node {
            Node::Char { c, folded } => self.char(*c, *folded),
            Node::Class(set) => self.class(set),
            Node::Any { all } if self.style.characters => {
                let ascii = if *all { r"[\x00-\x7f]" } else { r"[^\n\x80-\xff]" };
                let _ = write!(self.out, "(?:{ascii}|{CHARACTER})");
            }
            Node::Any { all: true } => self.out.push_str("(?s:.)"),
            Node::Any { all: false } => self.out.push('.'),
            Node::Place(place) => self.out.push_str(match place {
                Place::Start => "^",
                Place::End => "$",
                Place::LineStart => "(?m:^)",
                Place::LineEnd => "(?m:$)",
                Place::Border => r"\b",
                Place::NoBorder => r"\B",
            }),
            Node::Group(number, of) => {
                let name = self.style.names.iter().find(|(named, _)| named == number);
                match name {
                    Some((_, name)) => {
                        let _ = write!(self.out, "(?<{name}>");
                    }
                    None => self.out.push_str("(?:"),
                }
                self.node(of);
                self.out.push(')');
            }
            Node::Sequence(parts) => {
                for (at, part) in parts.iter().enumerate() {
                    if self.is_lead && begins_word(parts.get(at..).unwrap_or_default()) {
                        self.is_lead = false;
                    }
                    self.part(part);
                }
            }
            Node::Choice(parts) => {
                let is_lead = self.is_lead;
                for (at, part) in parts.iter().enumerate() {
                    self.is_lead = is_lead;
                    if at > 0 {
                        self.out.push('|');
                    }
                    self.node(part);
                }
            }
            Node::Repeat { of, least, most, lazy } => self.repeat(of, *least, *most, *lazy),
        }
    }

    /// A part of a sequence: a choice needs brackets there.
    fn part(&mut self, part: &Node) {
        if matches!(part, Node::Choice(_)) {
            self.bracketed(part);
        } else {
            self.node(part);
        }
    }

    fn bracketed(&mut self, node: &Node) {
        self.out.push_str("(?:");
        self.node(node);
        self.out.push(')');
    }

    fn repeat(&mut self, of: &Node, least: u32, most: Option<u32>, lazy: bool) {
        let is_one =
            matches!(of, Node::Class(_) | Node::Group(..) | Node::Any { .. } | Node::Char { .. });
        let bound = self.style.lead.filter(|_| self.is_lead);
        let is_any = match of {
            Node::Any { .. } => true,
            Node::Class(set) => set.ranges().last().is_some_and(|last| is_rest(*last)),
            _ => false,
        };
        if self.style.characters && is_any && most.is_none() && bound.is_none() {
            // Behind those that have to be there, any number of characters is any number of bytes.
            if least > 0 {
                self.node(of);
            }
            if least > 1 {
                let _ = write!(self.out, "{{{least}}}");
            }
            self.style.characters = false;
            self.node(of);
            self.style.characters = true;
            self.out.push_str(if lazy { "*?" } else { "*" });
            return;
        }
        if is_one {
            self.node(of);
        } else {
            self.bracketed(of);
        }
        let most = most.or(bound.map(|bound| bound.max(least)));
        let _ = match (least, most) {
            (0, None) => write!(self.out, "*"),
            (1, None) => write!(self.out, "+"),
            (0, Some(1)) => write!(self.out, "?"),
            (least, None) => write!(self.out, "{{{least},}}"),
            (least, Some(most)) if least == most => write!(self.out, "{{{least}}}"),
            (least, Some(most)) => write!(self.out, "{{{least},{most}}}"),
        };
        if lazy {
            self.out.push('?');
        }
    }

    fn char(&mut self, c: char, folded: bool) {
        let is_other = c.is_ascii_alphabetic() && folded != self.folded;
        if is_other {
            self.out.push_str(if folded { "(?i:" } else { "(?-i:" });
        }
        match c {
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            c if c.is_ascii_control() => {
                let _ = write!(self.out, "\\x{:02x}", u32::from(c));
            }
            c if c.is_ascii() => {
                if r"\.+*?()|[]{}^$".contains(c) {
                    self.out.push('\\');
                }
                self.out.push(c);
            }
            c => {
                self.out.push_str("(?:");
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(self.out, "\\x{byte:02x}");
                }
                self.out.push(')');
            }
        }
        if is_other {
            self.out.push(')');
        }
    }

    fn class(&mut self, set: &Set) {
        let is_other = self.folded && is_exact(set);
        if is_other {
            self.out.push_str("(?-i:");
        }
        // Beyond ASCII a set has all, none, or some that are spelled out.
        let beyond: Vec<(u32, u32)> = set
            .ranges()
            .iter()
            .filter(|(_, high)| *high > 127)
            .map(|(low, high)| ((*low).max(128), *high))
            .collect();
        let is_all = beyond == [(128, LAST)];
        if is_all && self.style.characters {
            self.out.push_str("(?:");
            if (0..128).any(|byte| set.contains(byte)) {
                self.bytes(set, false);
                self.out.push('|');
            }
            self.out.push_str(CHARACTER);
            self.out.push(')');
        } else if is_all || beyond.is_empty() {
            self.bytes(set, is_all);
        } else {
            self.out.push_str("(?:");
            let mut is_first = !(0..128).any(|byte| set.contains(byte));
            if !is_first {
                self.bytes(set, false);
            }
            for (low, high) in beyond {
                let (Some(low), Some(high)) = (scalar(low, true), scalar(high, false)) else {
                    continue;
                };
                for sequence in Utf8Sequences::new(low, high) {
                    if !std::mem::take(&mut is_first) {
                        self.out.push('|');
                    }
                    for range in sequence.as_slice() {
                        let _ = write!(self.out, "[\\x{:02x}-\\x{:02x}]", range.start, range.end);
                    }
                }
            }
            self.out.push(')');
        }
        if is_other {
            self.out.push(')');
        }
    }

    /// The ASCII part of a set as a class, the bytes beyond with it or not.
    fn bytes(&mut self, set: &Set, beyond: bool) {
        let held: Vec<u8> = (0..128u8).filter(|byte| set.contains(u32::from(*byte))).collect();
        let inverse = beyond;
        let listed: Vec<u8> = (0..128u8).filter(|byte| held.contains(byte) != inverse).collect();
        if listed.is_empty() {
            // Nothing at all, or everything.
            self.out.push_str(if inverse { "(?s:.)" } else { r"[^\x00-\xff]" });
            return;
        }
        self.out.push_str(if inverse { "[^" } else { "[" });
        let mut rest = listed.iter().copied().peekable();
        while let Some(first) = rest.next() {
            let mut last = first;
            while let Some(next) = rest.next_if(|next| *next == last + 1) {
                last = next;
            }
            self.member(first);
            if last > first {
                if last - first > 1 {
                    self.out.push('-');
                }
                self.member(last);
            }
        }
        self.out.push(']');
    }

    fn member(&mut self, byte: u8) {
        match byte {
            b'\n' => self.out.push_str("\\n"),
            b'\r' => self.out.push_str("\\r"),
            b'\t' => self.out.push_str("\\t"),
            b'[' | b']' | b'^' | b'-' | b'\\' | b'&' | b'~' => {
                self.out.push('\\');
                self.out.push(char::from(byte));
            }
            // It would end a literal string of TOML.
            b'\'' => self.out.push_str("\\x27"),
            _ if byte.is_ascii_control() => {
                let _ = write!(self.out, "\\x{byte:02x}");
            }
            _ => self.out.push(char::from(byte)),
        }
    }
}

/// A code point that is no half of a surrogate pair, the next one up or down.
fn scalar(code: u32, up: bool) -> Option<char> {
    char::from_u32(code).or(char::from_u32(if up { 0xE000 } else { 0xD7FF }))
}

/// Whether three characters that are known stand here, or what is chosen from begins with some.
fn begins_word(parts: &[Node]) -> bool {
    let known = |part: &&Node| match part {
        Node::Char { .. } => true,
        Node::Class(set) => {
            let members: u32 = set.folded().ranges().iter().map(|(low, high)| high - low + 1).sum();
            members <= 2
        }
        _ => false,
    };
    if parts.iter().take_while(known).count() >= 3 {
        return true;
    }
    match parts.first() {
        Some(Node::Group(_, of)) => begins_word(std::slice::from_ref(of)),
        Some(Node::Choice(branches)) => {
            branches.iter().all(|branch| begins_word(std::slice::from_ref(branch)))
        }
        Some(Node::Sequence(inner)) => begins_word(inner),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::expression::Expression;
    use super::*;

    fn written(text: &str) -> String {
        let style = Style { names: &[], lead: None, characters: false };
        write(&Expression::read(text).unwrap().root, style)
    }

    #[test]
    fn what_go_and_a_pattern_read_differently_is_rewritten() {
        for (go, ours) in [
            ("abc", "abc"),
            (r"\Qa.b\E+", r"a\.b+"),
            (r"\s", r"[\t\n\x0c\r ]"),
            (r"[[:space:]]", r"[\t-\r ]"),
            ("a{,3}", r"a\{,3\}"),
            (r"\<a", "<a"),
            ("[a&&b]", r"[\&ab]"),
            ("[[a]", r"[\[a]"),
            ("[]a]", r"[\]a]"),
            (r"[\w.-]", r"[\-.0-9A-Z_a-z]"),
            (r"[^'\n]", r"[^\n\x27]"),
            ("[\\s\\S]", "(?s:.)"),
            ("é+", r"(?:\xc3\xa9)+"),
            ("[aé]", r"(?:[a]|[\xc3-\xc3][\xa9-\xa9])"),
            (r"\141\x62\x{63}", "abc"),
            ("(?P<n>a)(?<m>b)", "(?:a)(?:b)"),
            ("(?U)a*b*?", "a*?b*"),
            ("a|b(c|d)", "a|b(?:c|d)"),
            ("(?:a|b)c", "(?:a|b)c"),
            ("(?i)ab[a-z]", "(?i)ab[A-Za-z]"),
            ("(?i)abc(?-i)[a-z]d", "(?i)abc(?-i:[a-z])(?-i:d)"),
            ("abc(?i)d", "abc(?i:d)"),
            (r"(?m)^a$\z", r"(?m:^)a(?m:$)$"),
            ("(?s)a.", "a(?s:.)"),
        ] {
            assert_eq!(written(go), ours, "{go}");
        }
    }

    #[test]
    fn repeats_before_the_first_word_are_bounded() {
        let bounded = |text: &str| {
            let style = Style { names: &[(1, "value")], lead: Some(9), characters: false };
            write(&Expression::read(text).unwrap().root, style)
        };
        assert_eq!(bounded(".*acme_(a+)"), ".{0,9}acme_(?<value>a+)");
        assert_eq!(bounded("a+(?:(acme)|corp)b*"), "a{1,9}(?:(?<value>acme)|corp)b*");
    }

    proptest! {
        /// In UTF-8 characters are counted as an engine counts them that knows what they are.
        #[test]
        fn characters_are_counted_as_such(
            text in r"([abé.]|\[\^a;\]|\(\.\|bb\)|\.\?\??|\.\{2\}|\[\^a\]\{1,3\}\??|\.\*\??|\[\^b\]\+|\.\{2,\}|\[\^\\x00-\\x7f\]){1,5}",
            content in "[abé字🔒;]{0,10}",
        ) {
            let root = Expression::read(&text).unwrap().root;
            let pattern = write(&root, Style { names: &[], lead: None, characters: true });
            let syntax = regex_automata::util::syntax::Config::new().unicode(false).utf8(false);
            let meta = regex_automata::meta::Config::new().utf8_empty(false);
            let mut ours = regex_automata::meta::Builder::new();
            let ours = ours.configure(meta).syntax(syntax).build(&pattern).unwrap();
            let theirs = regex_automata::meta::Regex::new(&text).unwrap();
            prop_assert_eq!(ours.find(&content), theirs.find(&content), "{} {}", text, pattern);
        }
    }
}
