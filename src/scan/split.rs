//! Where the value lies in a match, told by what stands around it and by the value itself.
//!
//! Many patterns are a label, a group `value`, and perhaps something behind it. A match of such a one
//! comes in, and where its value lies goes out, if there is but one way: one automaton says where what
//! stands before can end, two others read backwards and say where what stands behind can begin, and a
//! value that ends there. They leave assertions out, so that they say too much rather than too
//! little; where they agree on one span, it is the one. Else none is named, and a slower machine says it.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::transitions::Transitions;

/// The longest match that is looked at.
const MOST: usize = 256;

/// Places where the value can end that are looked at.
const WAYS: usize = 4;

/// The parts of a pattern, without assertions.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What stands before the value.
    pub before: Hir,
    /// The value, from its end on.
    pub value: Hir,
    /// What stands behind it, from its end on; none where that is nothing.
    pub behind: Option<Hir>,
}

impl Parts {
    /// Those of a pattern that has one group `value`, and that in all its matches; none for another one.
    #[allow(dead_code, reason = "it is for the build script")]
    pub fn of(pattern: &str) -> Option<Parts> {
        let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).ok()?;
        let HirKind::Concat(parts) = hir.kind() else { return None };
        let at = parts.iter().position(is_value)?;
        let (before, rest) = parts.split_at(at);
        let (value, behind) = rest.split_first()?;
        let has_another = |part: &Hir| part.properties().explicit_captures_len() > 0;
        if before.iter().chain(behind).any(has_another) {
            return None;
        }
        let before = before.iter().map(|part| plain(part, false)).collect::<Option<_>>()?;
        let last_first = behind.iter().rev();
        let behind = last_first.map(|part| plain(part, true)).collect::<Option<_>>()?;
        let behind =
            Some(Hir::concat(behind)).filter(|it| it.properties().maximum_len() != Some(0));
        Some(Parts { before: Hir::concat(before), value: plain(value, true)?, behind })
    }
}

fn is_value(part: &Hir) -> bool {
    match part.kind() {
        HirKind::Capture(group) => group.name.as_deref() == Some("value"),
        _ => false,
    }
}

/// A pattern without groups and assertions, and, if so asked, that of its texts read backwards; none if
/// it has classes of more than bytes.
fn plain(hir: &Hir, backwards: bool) -> Option<Hir> {
    let all =
        |parts: &[Hir]| parts.iter().map(|part| plain(part, backwards)).collect::<Option<Vec<_>>>();
    Some(match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Literal(literal) => {
            let mut bytes = literal.0.to_vec();
            if backwards {
                bytes.reverse();
            }
            Hir::literal(bytes)
        }
        HirKind::Class(Class::Unicode(_)) => return None,
        HirKind::Class(class) => Hir::class(class.clone()),
        HirKind::Repetition(repetition) => {
            let mut repetition = repetition.clone();
            *repetition.sub = plain(&repetition.sub, backwards)?;
            Hir::repetition(repetition)
        }
        HirKind::Capture(group) => plain(&group.sub, backwards)?,
        HirKind::Concat(parts) => {
            let mut parts = all(parts)?;
            if backwards {
                parts.reverse();
            }
            Hir::concat(parts)
        }
        HirKind::Alternation(parts) => Hir::alternation(all(parts)?),
    })
}

/// The automata of the parts of a pattern, as they stand in the program.
#[derive(Clone, Copy, Debug)]
pub struct Split {
    before: Transitions,
    value: Transitions,
    behind: Option<Transitions>,
}

/// Which automaton of a pattern a table is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The whole pattern.
    Whole,
    /// What stands before its value.
    Before,
    /// Its value, read backwards.
    Value,
    /// What stands behind its value, read backwards.
    Behind,
    /// The whole pattern, of which the table has a part: its machine, which is no table.
    Machine,
}

impl Split {
    /// That of a pattern; none where it has no tables.
    pub fn stored(bytes: &'static [u8], pattern: &str) -> Option<Split> {
        Some(Split {
            before: Transitions::stored_of(bytes, pattern, Part::Before)?,
            value: Transitions::stored_of(bytes, pattern, Part::Value)?,
            behind: Transitions::stored_of(bytes, pattern, Part::Behind),
        })
    }

    /// Where the value of a match lies in it; none where that is not plain.
    pub fn value(&self, matched: &[u8]) -> Option<(usize, usize)> {
        let mut backwards = [0; MOST];
        let backwards = backwards.get_mut(..matched.len())?;
        let bytes = backwards.iter_mut().zip(matched.iter().rev());
        bytes.for_each(|(to, from)| *to = *from);
        let before = self.before.lengths(matched)?;
        let behind = match &self.behind {
            Some(behind) => behind.lengths(backwards)?,
            None => Lengths::of(0),
        };
        let mut found = None;
        // Few, as a rule one: the work stays a few reads of the match.
        for behind in behind.iter().take(WAYS + 1) {
            let value = self.value.lengths(backwards.get(behind..)?)?;
            let end = matched.len() - behind;
            for start in before.iter().filter(|start| *start <= end && value.has(end - start)) {
                if found.replace((start, end)).is_some() {
                    return None;
                }
            }
        }
        found.filter(|_| behind.iter().nth(WAYS).is_none())
    }
}

/// Lengths, up to [`MOST`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Lengths([u64; MOST / 64 + 1]);

impl Lengths {
    fn of(length: usize) -> Lengths {
        let mut lengths = Lengths::default();
        lengths.add(length);
        lengths
    }

    /// Adds one; more than [`MOST`] are not held.
    pub fn add(&mut self, length: usize) {
        if let Some(word) = self.0.get_mut(length / 64) {
            *word |= 1 << (length % 64);
        }
    }

    fn has(&self, length: usize) -> bool {
        self.0.get(length / 64).is_some_and(|word| word >> (length % 64) & 1 == 1)
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        let words = self.0.into_iter().enumerate();
        words.flat_map(|(number, mut word)| {
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
                word &= word - 1;
                Some(number * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::transitions::builder::pack_patterns;

    /// What is said of a match of the whole text.
    fn value<'a>(pattern: &str, text: &'a str) -> Option<&'a str> {
        let packed = pack_patterns([pattern].into_iter(), [1000, 1000]).unwrap();
        let split = Split::stored(packed.leak(), pattern)?;
        split.value(text.as_bytes()).map(|(start, end)| &text[start..end])
    }

    #[test]
    fn a_value_is_told_where_there_is_but_one_way() {
        for (pattern, text, expected) in [
            ("key: {0,3}(?<value>[0-9]{2,9})", "key:  1234", Some("1234")),
            ("key: {0,3}(?<value>[0-9]{2,9})\\b", "key:  1234", Some("1234")),
            ("(?i:key|k)=(?<value>(?:ab|ba)[0-9])(?: ok|!)?", "KEY=ba7 ok", Some("ba7")),
            ("q\"(?<value>[^\"]{1,9})\"", "q\"a b\"", Some("a b")),
            ("(?<value>[a-z]{1,9}) is", "this is", Some("this")),
            ("k(?<value>[0-9]{0,3})", "k", Some("")),
            // Several ways, of which the order of the pattern tells.
            ("[0-9]{0,9}(?<value>[0-9]{1,9})", "1234", None),
            ("k(?<value>[a-z]{1,5}?)[a-z]{0,5}", "kabc", None),
            // No group for each match, several of them, or a group inside of something.
            ("key[0-9]{1,5}", "key12", None),
            ("k(?:a(?<value>[0-9])|b)", "ka1", None),
            ("k(?<value>[0-9])(?:x(?<value_2>[0-9]))?", "k1", None),
            ("k(?<value>[0-9])?", "k1", None),
        ] {
            assert_eq!(value(pattern, text), expected, "{pattern} {text}");
        }
        assert!(value("k(?<value>[0-9]{1,900})", &format!("k{}", "1".repeat(MOST))).is_none());
    }

    #[test]
    fn lengths_are_held_up_to_the_longest_match() {
        let mut lengths = Lengths::default();
        let held = [0, 1, 63, 64, 200, MOST];
        held.iter().for_each(|length| lengths.add(*length));
        lengths.add(4000);
        assert!(lengths.iter().eq(held) && lengths.has(MOST) && !lengths.has(2));
    }
}
