//! Which bytes of a file were added, line by line.

use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput, Token};

use crate::model::Span;

/// Pairs of equal lines in two files that are compared line by line. Past it all lines count that are not
/// shared at the beginning or the end.
pub(super) const MAX_PAIRS: u64 = 8_000_000;

/// Bytes of a file that were added to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// All of them.
    All,
    /// Those that are new to each of the files before: of each file the bytes that it had not, sorted and
    /// apart.
    Lines(Vec<Vec<Range<u64>>>),
}

impl Added {
    /// Compares a file with what it was. Lines end at LF, in text of every encoding, as git has it.
    pub fn between(before: &[u8], after: &[u8]) -> Added {
        let input = InternedInput::new(before, after);
        let mut starts = vec![0_u64];
        let ends = memchr::memchr_iter(b'\n', after).map(|at| at as u64 + 1);
        starts.extend(ends.filter(|end| *end < after.len() as u64));
        let start = |line: u32| starts.get(line as usize).copied().unwrap_or(after.len() as u64);
        let (head, tail) = shared_ends(&input.before, &input.after);
        if pairs(&input, head, tail) > MAX_PAIRS {
            // All between the lines that both begin and end with.
            let end = u32::try_from(input.after.len() - tail).unwrap_or(u32::MAX);
            let all = start(u32::try_from(head).unwrap_or(u32::MAX))..start(end);
            return Added::Lines(vec![if all.is_empty() { Vec::new() } else { vec![all] }]);
        }
        let diff = Diff::compute(Algorithm::Histogram, &input);
        let hunks = diff.hunks().filter(|hunk| !hunk.after.is_empty());
        let lines = hunks.map(|hunk| start(hunk.after.start)..start(hunk.after.end)).collect();
        Added::Lines(vec![lines])
    }

    /// What is new to both: with several files before, what a merge puts together counts where it is new
    /// to each of them, if it is by other lines.
    pub fn and(self, other: Added) -> Added {
        match (self, other) {
            (Added::All, other) | (other, Added::All) => other,
            (Added::Lines(mut ours), Added::Lines(theirs)) => {
                ours.extend(theirs);
                Added::Lines(ours)
            }
        }
    }

    /// Nothing: the file was there before.
    pub fn none() -> Added {
        Added::Lines(vec![Vec::new()])
    }

    /// Whether of each file before any byte of a span was added.
    pub fn touches(&self, span: Span) -> bool {
        match self {
            Added::All => true,
            Added::Lines(files) => files.iter().all(|ranges| {
                let at = ranges.partition_point(|range| range.end <= span.start);
                // A span of no bytes is where it begins.
                ranges.get(at).is_some_and(|range| range.start < span.end.max(span.start + 1))
            }),
        }
    }
}

/// Lines at the beginning and at the end that two files share.
fn shared_ends(before: &[Token], after: &[Token]) -> (usize, usize) {
    let alike = |(one, other): &(&Token, &Token)| one == other;
    let head = before.iter().zip(after).take_while(alike).count();
    let rest = before.len().min(after.len()) - head;
    let tail = before.iter().rev().zip(after.iter().rev()).take(rest).take_while(alike).count();
    (head, tail)
}

/// How many pairs of equal lines two files have between what they share at both ends: what a
/// comparison may have to look at.
fn pairs(input: &InternedInput<&[u8]>, head: usize, tail: usize) -> u64 {
    let mut counts = vec![(0_u64, 0_u64); input.interner.num_tokens() as usize];
    let inside = |tokens: &[Token]| -> Vec<Token> {
        tokens.get(head..tokens.len() - tail).unwrap_or_default().to_vec()
    };
    for token in inside(&input.before) {
        if let Some(count) = counts.get_mut(token.0 as usize) {
            count.0 += 1;
        }
    }
    for token in inside(&input.after) {
        if let Some(count) = counts.get_mut(token.0 as usize) {
            count.1 += 1;
        }
    }
    counts.iter().fold(0, |sum, (one, other)| sum.saturating_add(one.saturating_mul(*other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines<const N: usize>(ranges: [(u64, u64); N]) -> Added {
        Added::Lines(vec![ranges.map(|(start, end)| start..end).to_vec()])
    }

    #[test]
    fn added_lines_are_whole_lines() {
        assert_eq!(Added::between(b"", b"a\nb"), lines([(0, 3)]));
        assert_eq!(Added::between(b"a\nb\n", b"a\nb\n"), lines([]));
        assert_eq!(Added::between(b"a\nb\n", b"a\nx\nb\n"), lines([(2, 4)]));
        // Without its line feed the last line is another one.
        assert_eq!(Added::between(b"a\nb", b"a\nb\nc\n"), lines([(2, 6)]));
        assert_eq!(Added::between(b"a\nb\n", b"a\n"), lines([]));
    }

    #[test]
    fn many_equal_lines_are_not_compared_without_end() {
        let text = |count: usize, from: usize| -> String {
            (from..from + count).map(|at| format!("{}\n", at * 7919 % 13)).collect()
        };
        let (before, after) = (text(30_000, 0), text(30_000, 5));
        let shared = "same\n".repeat(4);
        let old = format!("{shared}{before}{shared}");
        let new = format!("{shared}{after}{shared}");
        let end = (new.len() - shared.len()) as u64;
        // All but what both begin and end with.
        assert_eq!(
            Added::between(old.as_bytes(), new.as_bytes()),
            lines([(shared.len() as u64, end)])
        );
        assert_eq!(Added::between(old.as_bytes(), old.as_bytes()), Added::none());
    }

    #[test]
    fn a_span_that_only_begins_or_ends_in_an_added_line_counts() {
        let added = lines([(10, 20), (30, 40)]);
        for (start, end, touches) in [
            (0, 10, false),
            (0, 11, true),
            (19, 25, true),
            (20, 30, false),
            (5, 50, true),
            (40, 41, false),
        ] {
            assert_eq!(added.touches(Span { start, end }), touches, "{start}..{end}");
        }
        assert!(Added::All.touches(Span { start: 0, end: 0 }));
        assert!(!lines([]).touches(Span { start: 0, end: 9 }));
    }

    #[test]
    fn of_several_files_before_a_span_is_new_to_all() {
        let ours = lines([(0, 10), (20, 30)]);
        let both = ours.clone().and(lines([(5, 25)]));
        let touches = |added: &Added, start, end| added.touches(Span { start, end });
        assert!(touches(&both, 5, 10) && touches(&both, 20, 25));
        assert!(!touches(&both, 0, 5) && !touches(&both, 10, 20) && !touches(&both, 25, 30));
        assert_eq!(ours.clone().and(Added::All), ours);
        let apart = ours.and(lines([(10, 20)]));
        assert!(!touches(&apart, 0, 10) && !touches(&apart, 10, 20));
        // No line is new to both, and what they make up is.
        assert!(touches(&apart, 5, 15));
        assert!(!touches(&apart.and(Added::none()), 5, 15));
    }
}
