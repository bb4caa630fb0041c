//! Texts that an expression matches, made from its tree: the same ones each time.

use super::expression::{Node, Set};

/// How a text is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As varied as the expression permits.
    Varied,
    /// The fewest and the first of everything: as texts look that stand in for a value.
    Flat,
}

/// The longest text that is made, in bytes.
const MAX_SAMPLE: usize = 4096;

/// Parts that are written for one text at most: those of a repeat may be empty.
const MAX_STEPS: usize = 20_000;

/// More than the least of a repeat at most.
const MORE: u32 = 6;

/// A text; assertions are not looked at, so not every text matches. None where it becomes too long.
pub fn sample(root: &Node, kind: Kind, seed: u64) -> Option<String> {
    let mut maker =
        Maker { state: seed ^ 0x9E37_79B9_7F4A_7C15, kind, out: String::new(), steps: 0 };
    maker.node(root);
    (!maker.is_over()).then_some(maker.out)
}

struct Maker {
    state: u64,
    kind: Kind,
    out: String,
    steps: usize,
}

impl Maker {
    /// A number below a limit (xorshift, Marsaglia 2003).
    fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        if self.kind == Kind::Flat || limit == 0 {
            return 0;
        }
        (self.state >> 33) as usize % limit
    }

    /// Whether a limit was met.
    fn is_over(&self) -> bool {
        self.out.len() > MAX_SAMPLE || self.steps > MAX_STEPS
    }

    fn node(&mut self, node: &Node) {
        self.steps += 1;
        if self.is_over() {
            return;
        }
        match node {
            Node::Char { c, .. } => self.out.push(*c),
            Node::Class(set) => self.member(set),
            Node::Any { .. } => {
                let letter = self.below(26) as u8;
                self.out.push(char::from(b'a' + letter));
            }
            Node::Place(_) => {}
            Node::Group(_, of) => self.node(of),
            Node::Sequence(parts) => parts.iter().for_each(|part| self.node(part)),
            Node::Choice(parts) => {
                let chosen = self.below(parts.len());
                if let Some(part) = parts.get(chosen) {
                    self.node(part);
                }
            }
            Node::Repeat { of, least, most, .. } => {
                let most = most.unwrap_or(u32::MAX).min(least.saturating_add(MORE));
                let more = self.below((most - least) as usize + 1);
                for _ in 0..(*least as usize + more) {
                    self.node(of);
                    if self.is_over() {
                        return;
                    }
                }
            }
        }
    }

    /// A letter or digit where the set has one, else what prints, else what there is.
    fn member(&mut self, set: &Set) {
        let those = |test: fn(u8) -> bool| -> Vec<char> {
            (0..128u8).filter(|b| test(*b) && set.contains(u32::from(*b))).map(char::from).collect()
        };
        let mut from = those(|byte| byte.is_ascii_alphanumeric());
        if from.is_empty() {
            from = those(|byte| byte == b' ' || byte.is_ascii_graphic());
        }
        if from.is_empty() {
            from = those(|_| true);
        }
        let chosen = self.below(from.len());
        let beyond = || set.ranges().first().and_then(|(low, _)| char::from_u32(*low));
        if let Some(c) = from.get(chosen).copied().or_else(beyond) {
            self.out.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::expression::Expression;
    use super::*;

    #[test]
    fn samples_match_and_are_the_same_each_time() {
        for text in ["acme_[a-z0-9]{8}", "(?:a|bc|d)+x?", r"[\s\S]{3}é", r"key\s*=\s*'([^']+)'"] {
            let root = Expression::read(text).unwrap().root;
            let regex = regex_automata::meta::Regex::new(&format!("(?-u:^)(?:{text})$")).unwrap();
            for seed in 0..50 {
                for kind in [Kind::Varied, Kind::Flat] {
                    let made = sample(&root, kind, seed).unwrap();
                    assert!(regex.is_match(&made), "{text}: {made}");
                    assert_eq!(sample(&root, kind, seed).unwrap(), made);
                }
            }
        }
    }

    #[test]
    fn samples_do_not_grow_without_end() {
        for text in ["(?:(?:a{1000}){1000}){1000}", "(?:(?:(?:){1000}){1000}){1000}"] {
            let root = Expression::read(text).unwrap().root;
            assert_eq!(sample(&root, Kind::Varied, 1), None);
        }
    }
}
