//! A regular expression as Go writes it comes in; a tree comes out, with flags and classes resolved.
//!
//! The syntax is that of Go's `regexp` (<https://pkg.go.dev/regexp/syntax>), which gitleaks uses. A tree is
//! as deep as its groups nest, at most [`MAX_DEPTH`].

/// The longest expression that is read, in bytes; that of a pattern of ours.
pub const MAX_EXPRESSION: usize = 8 * 1024;

/// How deep groups nest at most.
const MAX_DEPTH: usize = 50;

/// The most times that Go repeats anything.
const MAX_REPEAT: u32 = 1000;

/// The last code point.
const LAST: u32 = 0x10_FFFF;

/// A part of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// One character, in any case of it where `folded`.
    Char { c: char, folded: bool },
    /// One character of a set.
    Class(Set),
    /// Any character; but for the line feed, unless `all`.
    Any { all: bool },
    /// A place and no character.
    Place(Place),
    /// A group that is captured, by its number.
    Group(u32, Box<Node>),
    /// One behind the other.
    Sequence(Vec<Node>),
    /// One of these, the first that fits.
    Choice(Vec<Node>),
    /// Again and again; no `most` for no bound.
    Repeat { of: Box<Node>, least: u32, most: Option<u32>, lazy: bool },
}

/// What an assertion asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The start of the text.
    Start,
    /// The end of the text.
    End,
    /// The start of a line.
    LineStart,
    /// The end of a line.
    LineEnd,
    /// A border of a word.
    Border,
    /// No border of a word.
    NoBorder,
}

/// A set of characters: ranges in order that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set(Vec<(u32, u32)>);

/// An expression, and how many groups it captures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    pub root: Node,
    pub groups: u32,
}

/// Why an expression cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Too long for a pattern.
    #[error("it is longer than {MAX_EXPRESSION} bytes")]
    TooLong,
    /// Groups nest too deep.
    #[error("its groups nest deeper than {MAX_DEPTH}")]
    TooDeep,
    /// What Go takes and no byte pattern has.
    #[error("it names a class of Unicode, which a pattern over bytes does not have")]
    UnicodeClass,
    /// What Go does not take either.
    #[error("it is no expression that gitleaks could read: {0}")]
    Malformed(&'static str),
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    pub fn read(text: &str) -> Result<Expression, Unread> {
        if text.len() > MAX_EXPRESSION {
            return Err(Unread::TooLong);
        }
        let mut reader =
            Reader { rest: text.chars().collect(), flags: Flags::default(), groups: 0, depth: 0 };
        reader.rest.reverse();
        let root = reader.choice()?;
        if reader.peek().is_some() {
            return Err(Unread::Malformed("a `)` closes nothing"));
        }
        Ok(Expression { root, groups: reader.groups })
    }
}

impl Node {
    /// Whether it can match nothing at all.
    pub fn can_be_empty(&self) -> bool {
        match self {
            Node::Char { .. } | Node::Class(_) | Node::Any { .. } => false,
            Node::Place(_) => true,
            Node::Group(_, of) => of.can_be_empty(),
            Node::Sequence(parts) => parts.iter().all(Node::can_be_empty),
            Node::Choice(parts) => parts.iter().any(Node::can_be_empty),
            Node::Repeat { of, least, .. } => *least == 0 || of.can_be_empty(),
        }
    }

    /// Whether a place of this kind is asked for anywhere in it.
    pub fn asks_for(&self, place: Place) -> bool {
        match self {
            Node::Place(own) => *own == place,
            Node::Group(_, of) | Node::Repeat { of, .. } => of.asks_for(place),
            Node::Sequence(parts) | Node::Choice(parts) => {
                parts.iter().any(|part| part.asks_for(place))
            }
            _ => false,
        }
    }
}

impl Set {
    /// The ranges, both ends in it.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    fn of(mut ranges: Vec<(u32, u32)>) -> Set {
        ranges.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::new();
        for (low, high) in ranges {
            match joined.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => joined.push((low, high)),
            }
        }
        Set(joined)
    }

    /// All characters that are not in it.
    pub fn inverse(&self) -> Set {
        let mut from = 0;
        let mut ranges = Vec::new();
        for (low, high) in &self.0 {
            if *low > from {
                ranges.push((from, low - 1));
            }
            from = high + 1;
        }
        if from <= LAST {
            ranges.push((from, LAST));
        }
        Set(ranges)
    }

    /// The set with the ASCII letters of it in both cases.
    pub fn folded(&self) -> Set {
        let mut ranges = self.0.clone();
        for (from, to) in [(b'a', b'A'), (b'A', b'a')] {
            for offset in 0..26 {
                let letter = u32::from(from + offset);
                if self.contains(letter) {
                    let other = u32::from(to + offset);
                    ranges.push((other, other));
                }
            }
        }
        Set::of(ranges)
    }

    /// Whether a code point is in it.
    pub fn contains(&self, code: u32) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&code))
    }
}

#[derive(Clone, Copy, Default)]
struct Flags {
    fold: bool,
    all: bool,
    lines: bool,
    swap: bool,
}

/// Characters still to be read, the next one last.
struct Reader {
    rest: Vec<char>,
    flags: Flags,
    groups: u32,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.rest.last().copied()
    }

    fn ahead(&self, count: usize) -> Option<char> {
        let at = self.rest.len().checked_sub(count + 1)?;
        self.rest.get(at).copied()
    }

    fn take(&mut self, text: &str) -> bool {
        let here = text.chars().enumerate().all(|(at, c)| self.ahead(at) == Some(c));
        if here {
            self.rest.truncate(self.rest.len() - text.chars().count());
        }
        here
    }

    fn choice(&mut self) -> Result<Node, Unread> {
        let mut parts = vec![self.sequence()?];
        while self.take("|") {
            parts.push(self.sequence()?);
        }
        Ok(only(parts, Node::Choice))
    }

    fn sequence(&mut self) -> Result<Node, Unread> {
        let mut parts = Vec::new();
        while let Some(c) = self.peek() {
            if c == '|' || c == ')' {
                break;
            }
            if self.take("\\Q") {
                self.quoted(&mut parts)?;
            } else if let Some(atom) = self.atom()? {
                parts.push(self.repeated(atom)?);
            }
        }
        Ok(only(parts, Node::Sequence))
    }

    /// Characters up to `\E` stand for themselves.
    fn quoted(&mut self, parts: &mut Vec<Node>) -> Result<(), Unread> {
        while !self.take("\\E") {
            let Some(c) = self.rest.pop() else { return Ok(()) };
            parts.push(self.literal(c));
        }
        match parts.pop() {
            Some(last) => {
                let last = self.repeated(last)?;
                parts.push(last);
            }
            None if self.operator().is_some() => {
                return Err(Unread::Malformed("a repeat of nothing"));
            }
            None => {}
        }
        Ok(())
    }

    fn literal(&self, c: char) -> Node {
        Node::Char { c, folded: self.flags.fold && c.is_ascii_alphabetic() }
    }

    /// A part, or none for flags alone.
    fn atom(&mut self) -> Result<Option<Node>, Unread> {
        let Some(c) = self.rest.pop() else { return Ok(None) };
        Ok(Some(match c {
            '(' => return self.group(),
            '[' => Node::Class(self.class()?),
            '.' => Node::Any { all: self.flags.all },
            '^' if self.flags.lines => Node::Place(Place::LineStart),
            '^' => Node::Place(Place::Start),
            '$' if self.flags.lines => Node::Place(Place::LineEnd),
            '$' => Node::Place(Place::End),
            '\\' => self.escape()?,
            '*' | '+' | '?' => return Err(Unread::Malformed("a repeat of nothing")),
            '{' => {
                self.rest.push('{');
                if self.operator().is_some() {
                    return Err(Unread::Malformed("a repeat of nothing"));
                }
                self.rest.pop();
                self.literal('{')
            }
            c => self.literal(c),
        }))
    }

    fn group(&mut self) -> Result<Option<Node>, Unread> {
        let before = self.flags;
        let mut number = None;
        if self.take("?P<") || self.take("?<") {
            let mut length = 0;
            loop {
                match self.rest.pop() {
                    Some('>') if length > 0 => break,
                    Some(c) if c.is_alphanumeric() || c == '_' => length += 1,
                    _ => return Err(Unread::Malformed("the name of a group")),
                }
            }
            self.groups += 1;
            number = Some(self.groups);
        } else if self.take("?") {
            if !self.read_flags()? {
                return Ok(None);
            }
        } else {
            self.groups += 1;
            number = Some(self.groups);
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Unread::TooDeep);
        }
        let inner = self.choice()?;
        if !self.take(")") {
            return Err(Unread::Malformed("a `(` is not closed"));
        }
        self.depth -= 1;
        self.flags = before;
        Ok(Some(match number {
            Some(number) => Node::Group(number, Box::new(inner)),
            None => inner,
        }))
    }

    /// Reads flags; whether a group begins behind them.
    fn read_flags(&mut self) -> Result<bool, Unread> {
        let mut on = true;
        loop {
            match self.rest.pop() {
                Some('i') => self.flags.fold = on,
                Some('s') => self.flags.all = on,
                Some('m') => self.flags.lines = on,
                Some('U') => self.flags.swap = on,
                Some('-') if on => on = false,
                Some(':') => return Ok(true),
                Some(')') => return Ok(false),
                _ => return Err(Unread::Malformed("flags, or a group with `(?`")),
            }
        }
    }

    fn repeated(&mut self, of: Node) -> Result<Node, Unread> {
        let Some((least, most)) = self.operator() else { return Ok(of) };
        if least.max(most.unwrap_or(0)) > MAX_REPEAT || most.is_some_and(|most| most < least) {
            return Err(Unread::Malformed("the bounds of a repeat"));
        }
        let lazy = self.take("?") != self.flags.swap;
        if self.operator().is_some() {
            return Err(Unread::Malformed("a repeat of a repeat"));
        }
        Ok(Node::Repeat { of: Box::new(of), least, most, lazy })
    }

    /// The bounds of a repeat, where one stands here.
    fn operator(&mut self) -> Option<(u32, Option<u32>)> {
        let found = match self.peek()? {
            '*' => (0, None),
            '+' => (1, None),
            '?' => (0, Some(1)),
            '{' => return self.bounds(),
            _ => return None,
        };
        self.rest.pop();
        Some(found)
    }

    /// `{3}`, `{3,}` or `{3,5}`; anything else in braces stands for itself.
    fn bounds(&mut self) -> Option<(u32, Option<u32>)> {
        let text: String = self.rest.iter().rev().skip(1).take(16).collect();
        let (inner, _) = text.split_once('}')?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<u32>().unwrap_or(u32::MAX))
        };
        let bounds = match inner.split_once(',') {
            None => number(inner).map(|times| (times, Some(times)))?,
            Some((least, "")) => (number(least)?, None),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        };
        self.rest.truncate(self.rest.len() - inner.len() - 2);
        Some(bounds)
    }

    fn escape(&mut self) -> Result<Node, Unread> {
        let place = match self.peek() {
            Some('A') => Some(Place::Start),
            Some('z') => Some(Place::End),
            Some('b') => Some(Place::Border),
            Some('B') => Some(Place::NoBorder),
            _ => None,
        };
        if let Some(place) = place {
            self.rest.pop();
            return Ok(Node::Place(place));
        }
        if let Some(set) = self.perl_class()? {
            return Ok(Node::Class(set));
        }
        self.escaped().map(|c| self.literal(c))
    }

    /// `\d` and its like, behind the backslash.
    fn perl_class(&mut self) -> Result<Option<Set>, Unread> {
        let Some(c) = self.peek() else { return Err(Unread::Malformed("a `\\` at the end")) };
        let set = match c.to_ascii_lowercase() {
            'd' => named("digit"),
            'w' => named("word"),
            // Without the vertical tab, other than `[[:space:]]`.
            's' => Some(Set::of(vec![(9, 10), (12, 13), (32, 32)])),
            'p' => return Err(Unread::UnicodeClass),
            _ => None,
        };
        if set.is_some() {
            self.rest.pop();
        }
        Ok(set.map(|set| if c.is_ascii_uppercase() { set.inverse() } else { set }))
    }

    /// One character, behind its backslash.
    fn escaped(&mut self) -> Result<char, Unread> {
        let bad = Unread::Malformed("an escape");
        let c = self.rest.pop().ok_or(bad)?;
        Ok(match c {
            'a' => '\x07',
            'f' => '\x0c',
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'v' => '\x0b',
            'x' => return self.hexadecimal().ok_or(bad),
            '0'..='7' => {
                let next = |reader: &Reader| reader.peek().and_then(|c| c.to_digit(8));
                // One digit that is no zero would be a reference back.
                if c != '0' && next(self).is_none() {
                    return Err(Unread::Malformed("a reference back"));
                }
                let mut code = c.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = next(self) else { break };
                    self.rest.pop();
                    code = code * 8 + digit;
                }
                char::from_u32(code).ok_or(bad)?
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            _ => return Err(bad),
        })
    }

    fn hexadecimal(&mut self) -> Option<char> {
        let mut digits = String::new();
        if self.take("{") {
            while !self.take("}") {
                digits.push(self.rest.pop()?);
            }
        } else {
            digits.extend([self.rest.pop()?, self.rest.pop()?]);
        }
        let fits = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        u32::from_str_radix(fits.then_some(&*digits)?, 16).ok().and_then(char::from_u32)
    }

    fn class(&mut self) -> Result<Set, Unread> {
        let open = Unread::Malformed("a `[` is not closed");
        let inverse = self.take("^");
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        let mut is_first = true;
        while is_first || !self.take("]") {
            is_first = false;
            if self.take("[:") {
                let mut name = String::new();
                while !self.take(":]") {
                    name.push(self.rest.pop().ok_or(open)?);
                }
                let plain = name.strip_prefix('^');
                let set = named(plain.unwrap_or(&name));
                let set = set.ok_or(Unread::Malformed("the name of a class"))?;
                ranges.extend(if plain.is_some() { set.inverse().0 } else { set.0 });
                continue;
            }
            let is_escape = self.take("\\");
            if is_escape && let Some(set) = self.perl_class()? {
                ranges.extend(set.0);
                continue;
            }
            let low = if is_escape { self.escaped()? } else { self.rest.pop().ok_or(open)? };
            let mut high = low;
            if self.peek() == Some('-') && self.ahead(1).is_some_and(|c| c != ']') {
                self.rest.pop();
                high =
                    if self.take("\\") { self.escaped()? } else { self.rest.pop().ok_or(open)? };
            }
            if high < low {
                return Err(Unread::Malformed("a range of a class"));
            }
            ranges.push((u32::from(low), u32::from(high)));
        }
        let set = Set::of(ranges);
        let set = if self.flags.fold { set.folded() } else { set };
        Ok(if inverse { set.inverse() } else { set })
    }
}

fn only(mut parts: Vec<Node>, many: impl Fn(Vec<Node>) -> Node) -> Node {
    match parts.pop() {
        Some(part) if parts.is_empty() => part,
        Some(part) => {
            parts.push(part);
            many(parts)
        }
        None => Node::Sequence(Vec::new()),
    }
}

/// The classes of `[[:name:]]`.
fn named(name: &str) -> Option<Set> {
    let test: fn(u8) -> bool = match name {
        "alnum" => |b| b.is_ascii_alphanumeric(),
        "alpha" => |b| b.is_ascii_alphabetic(),
        "ascii" => |_| true,
        "blank" => |b| b == b' ' || b == b'\t',
        "cntrl" => |b| b.is_ascii_control(),
        "digit" => |b| b.is_ascii_digit(),
        "graph" => |b| b.is_ascii_graphic(),
        "lower" => |b| b.is_ascii_lowercase(),
        "print" => |b| b == b' ' || b.is_ascii_graphic(),
        "punct" => |b| b.is_ascii_punctuation(),
        "space" => |b| b == b' ' || (9..=13).contains(&b),
        "upper" => |b| b.is_ascii_uppercase(),
        "word" => |b| b.is_ascii_alphanumeric() || b == b'_',
        "xdigit" => |b| b.is_ascii_hexdigit(),
        _ => return None,
    };
    let one = |byte: u8| (u32::from(byte), u32::from(byte));
    Some(Set::of((0..128).filter(|byte| test(*byte)).map(one).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_refuses_is_refused() {
        // Each was tried with gitleaks 8.30.1.
        for text in [
            "(a",
            "a)",
            "a{2}{3}",
            "a**",
            "*a",
            "[z-a]",
            r"[\b]",
            r"\Z",
            "(?x)a",
            "a{1,1001}",
            r"a\",
            "[a",
            r"\1",
            "(?P<>a)",
            "[a--z]",
            "{3}a",
            "[[:foo:]]",
            r"\x{110000}",
        ] {
            assert!(matches!(Expression::read(text), Err(Unread::Malformed(_))), "{text}");
        }
        assert_eq!(Expression::read(r"\pL"), Err(Unread::UnicodeClass));
        assert_eq!(Expression::read(&"(".repeat(51)), Err(Unread::TooDeep));
        assert_eq!(Expression::read(&"a".repeat(8193)), Err(Unread::TooLong));
    }

    #[test]
    fn groups_are_counted_as_they_open() {
        let read = Expression::read("(a)(?:b)(?P<x>(c))(?<y>d)(?i)(?i:e)").unwrap();
        assert_eq!(read.groups, 4);
    }

    #[test]
    fn braces_that_are_no_repeat_stand_for_themselves() {
        for text in ["a{,3}", "a{x}", "a{", "a{3", "}", "]"] {
            let Node::Sequence(parts) = Expression::read(&format!("b{text}")).unwrap().root else {
                panic!("{text}")
            };
            assert!(parts.iter().all(|part| matches!(part, Node::Char { .. })), "{text}");
        }
    }
}
