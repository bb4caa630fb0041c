//! Matches that are no findings: values of too little entropy, and what `unless` of a rule names.
//!
//! A validated match comes in with the text around it; whether it stays comes out. What is read is the
//! value, the match, and its lines as far as [`LINE_REACH`] on either side: nothing that depends on
//! where a payload was cut.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;
use regex_automata::Input;
use regex_automata::meta::Regex;

use super::steps::syntax_config;
use crate::rules::{LINE_REACH, Rule, Unless};

/// States of the automata of one list are forgotten past this many bytes a worker.
const CACHE_BYTES: usize = 256 * 1024;

/// What a match of one rule must not be. Shared by all workers.
#[derive(Debug)]
pub struct Exclusions(Vec<Exclusion>);

#[derive(Debug)]
struct Exclusion {
    words: Option<AhoCorasick>,
    /// None: nothing is stated. One for all patterns of the list, or, where that would be too large, one
    /// for each.
    value: Vec<Regex>,
    matched: Vec<Regex>,
    line: Vec<Regex>,
}

impl Exclusions {
    /// Those of a rule; none if a pattern does not compile, which a checked rule set rules out.
    pub fn new(rule: &Rule) -> Option<Exclusions> {
        rule.unless.iter().map(Exclusion::new).collect::<Option<_>>().map(Exclusions)
    }

    /// Whether one of them names the match `matched` with the value `value`, byte ranges of `text`.
    pub fn name(&self, text: &[u8], matched: (usize, usize), value: (usize, usize)) -> bool {
        self.0.iter().any(|exclusion| exclusion.names(text, matched, value))
    }
}

impl Exclusion {
    fn new(unless: &Unless) -> Option<Exclusion> {
        let words = match unless.words.as_slice() {
            [] => None,
            words => Some(AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()?),
        };
        let build = |patterns: &[String]| {
            let config = Regex::config().utf8_empty(false).hybrid_cache_capacity(CACHE_BYTES);
            Regex::builder().syntax(syntax_config()).configure(config).build_many(patterns).ok()
        };
        let any = |patterns: &[String]| match (patterns, build(patterns)) {
            ([], _) => Some(Vec::new()),
            (_, Some(joint)) => Some(vec![joint]),
            // Each was checked by itself.
            (patterns, None) => patterns.iter().map(|it| build(std::slice::from_ref(it))).collect(),
        };
        Some(Exclusion {
            words,
            value: any(&unless.value)?,
            matched: any(&unless.matched)?,
            line: any(&unless.line)?,
        })
    }

    fn names(&self, text: &[u8], matched: (usize, usize), value: (usize, usize)) -> bool {
        let part = |(start, end): (usize, usize)| text.get(start..end).unwrap_or_default();
        let holds = |regexes: &[Regex], part: (usize, usize)| {
            let part = self::part(text, part);
            regexes.is_empty() || regexes.iter().any(|regex| regex.is_match(Input::new(part)))
        };
        self.words.as_ref().is_none_or(|words| words.is_match(part(value)))
            && holds(&self.value, value)
            && holds(&self.matched, matched)
            && (self.line.is_empty()
                || self.line.iter().any(|regex| regex.is_match(lines_of(text, matched))))
    }
}

fn part(text: &[u8], (start, end): (usize, usize)) -> &[u8] {
    text.get(start..end).unwrap_or_default()
}

/// The lines that `start..end` lies on, without the line breaks around them. Where a line is cut for
/// its length, the byte beyond is left in sight, so that neither `^` nor `$` takes the cut for an end.
fn lines_of(text: &[u8], (start, end): (usize, usize)) -> Input<'_> {
    let low = start.saturating_sub(LINE_REACH);
    let before = memchr::memrchr(b'\n', part(text, (low, start)));
    let from = before.map_or(low, |at| low + at + 1);
    let high = end.saturating_add(LINE_REACH).min(text.len());
    let behind = memchr::memchr(b'\n', part(text, (end, high)));
    let to = behind.map_or(high, |at| end + at);
    let is_break = |at: usize| text.get(at).is_none_or(|byte| *byte == b'\n');
    let is_cut = before.is_none() && low.checked_sub(1).is_some_and(|at| !is_break(at));
    let (first, last) = (from - usize::from(is_cut), to + usize::from(!is_break(to)));
    let seen = part(text, (first, last));
    Input::new(seen).range(from - first..(to - first).min(seen.len()))
}

/// Whether the Shannon entropy of a value exceeds this many thousandths of a bit a character. The
/// frequency of a character is how often it stands there through the bytes of the value, as gitleaks
/// counts it. Whole numbers alone, so that every machine gives the same answer.
pub fn exceeds(value: &[u8], thousandths: u16) -> bool {
    let length = value.len() as u64;
    let whole = log2(length);
    let add = |sum: u128, times: u64| {
        sum + u128::from(times) * u128::from(whole.saturating_sub(log2(times)))
    };
    let sum = if value.is_ascii() {
        let mut times = [0u64; 128];
        for byte in value {
            if let Some(count) = times.get_mut(usize::from(*byte)) {
                *count += 1;
            }
        }
        times.into_iter().filter(|times| *times > 0).fold(0, add)
    } else {
        let mut times = BTreeMap::new();
        for c in String::from_utf8_lossy(value).chars() {
            *times.entry(c).or_insert(0u64) += 1;
        }
        times.into_values().fold(0, add)
    };
    // sum / length > thousandths / 1000, in units of 2^-32 bits.
    sum * 1000 > (u128::from(thousandths) << 32) * u128::from(length)
}

/// The logarithm to base 2 in units of 2^-32, rounded down; 0 for 0. Squares the mantissa for each
/// bit (Knuth, The Art of Computer Programming 1.2.2).
fn log2(number: u64) -> u64 {
    let Some(whole) = number.checked_ilog2() else { return 0 };
    let mut mantissa = (u128::from(number) << 63) >> whole;
    let mut bits = u64::from(whole);
    for _ in 0..32 {
        mantissa = (mantissa * mantissa) >> 63;
        let carry = u64::from(mantissa >> 64 != 0);
        mantissa >>= carry;
        bits = bits << 1 | carry;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::sample;

    #[test]
    fn entropy_is_that_of_the_characters() {
        let lies_between = |value: &str, low, high| {
            assert!(exceeds(value.as_bytes(), low), "{value}");
            assert!(!exceeds(value.as_bytes(), high), "{value}");
        };
        // What is exactly as much does not exceed it.
        lies_between("abab", 999, 1000);
        lies_between("abcd", 1999, 2000);
        lies_between("aaabbb", 999, 1000);
        lies_between("abcccddd", 1811, 1812);
        lies_between("0123456789", 3321, 3322);
        // Two characters in four bytes: gitleaks 8.30.1 says 1 as well.
        lies_between("éß", 999, 1000);
        assert!(!exceeds(b"aaaa", 0) && !exceeds(b"", 0));
        let all: Vec<u8> = (0..=255u8).cycle().take(1 << 14).collect();
        assert!(exceeds(&all, 1));
    }

    #[test]
    fn logarithms_are_rounded_down() {
        for number in [1u64, 2, 3, 10, 255, 16384, u64::MAX] {
            let wanted = (number as f64).log2() * 2f64.powi(32);
            assert!((log2(number) as f64 - wanted).abs() < 64.0, "{number}");
        }
    }

    fn exclusions(unless: &str) -> Exclusions {
        let more = format!("anchors = {{ keywords = [\"key\"] }}\nunless = [{unless}]");
        let rules = sample::rules(&[("sec.a", "key=(?<value>[a-z]{1,9});", &more)], "");
        Exclusions::new(&rules.rules[0]).unwrap()
    }

    /// Whether the only match of a text is named.
    fn named(unless: &str, text: &str) -> bool {
        let start = text.find("key=").unwrap();
        let end = start + text[start..].find(';').unwrap() + 1;
        exclusions(unless).name(text.as_bytes(), (start, end), (start + 4, end - 1))
    }

    #[test]
    fn all_that_an_entry_states_has_to_hold() {
        assert!(named("{ words = [\"TEST\", \"x\"] }", "key=atestb;"));
        assert!(!named("{ words = [\"key\"] }", "key=atestb;"));
        assert!(named("{ value = ['^a.*b$'] }", "key=atestb;"));
        assert!(!named("{ value = ['^t'] }", "key=atestb;"));
        assert!(named("{ match = ['^key=a'] }", "key=atestb;"));
        let both = "{ words = [\"test\"], value = ['^b'] }";
        assert!(named(both, "key=btest;") && !named(both, "key=atest;"));
        assert!(named(&format!("{both}, {{ value = ['^a'] }}"), "key=atest;"));
    }

    #[test]
    fn a_list_too_large_for_one_automaton_still_counts() {
        let patterns: Vec<String> = (0..1_300)
            .map(|number| format!("'(?i)(?:fixture|sample){number}[-_][a-z0-9]{{16,64}}'"))
            .collect();
        let large =
            format!("{{ words = [\"test\"] }}, {{ value = [{}, '^b'] }}", patterns.join(", "));
        assert!(named(&large, "key=atestb;") && named(&large, "key=bcd;"));
        assert!(!named(&large, "key=acd;"));
    }

    #[test]
    fn a_line_ends_at_its_breaks_and_not_where_it_is_cut() {
        let line = "{ line = ['^#|;end$'] }";
        assert!(named(line, "#x key=a;"));
        assert!(named(line, "one\n#x key=a;\ntwo"));
        assert!(named(line, "one\n x key=a;end\ntwo"));
        assert!(!named(line, "#one\n x key=a;\n;end"));
        let long = |before: usize, behind: usize| {
            format!("{}#{}key=a;{};end", ".".repeat(before), ".".repeat(511), ".".repeat(behind))
        };
        // The `#` is 512 bytes before: a line that begins with it begins there, and else is cut.
        assert!(named("{ line = ['^#'] }", &long(0, 0)));
        assert!(!named("{ line = ['^#'] }", &long(1, 0)));
        assert!(named("{ line = ['#'] }", &long(1, 0)));
        assert!(named("{ line = [';end$'] }", &long(0, 508)));
        assert!(!named("{ line = [';end'] }", &long(0, 509)));
        assert!(!named("{ line = ['\\.$'] }", &long(0, 600)));
    }
}
