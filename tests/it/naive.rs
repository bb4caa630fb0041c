//! The definition of a match, tried byte by byte with another regex engine and no prefilter: what
//! the scan is compared with.

use regex_automata::{Anchored, Input, meta::Regex};
use sluicegate::RuleSet;
use sluicegate::rules::{Anchors, DIGIT_SEPARATORS, Rule, Shape};

/// What a rule matches at one of its anchors.
pub struct Match {
    /// Id of the rule.
    pub rule: String,
    pub start: usize,
    pub end: usize,
    /// The group `value`, or all of it.
    pub value: (usize, usize),
}

/// Every match of every rule, tried at every byte with another regex engine and no prefilter.
pub fn naive_matches(regexes: &[(Rule, Regex)], text: &[u8]) -> Vec<Match> {
    let mut matches = Vec::new();
    for (rule, regex) in regexes {
        for anchor in (0..text.len()).filter(|at| is_anchor(rule, text, *at)) {
            let first = anchor.saturating_sub(rule.lead.max());
            for start in first..=anchor {
                let barred =
                    start > 0 && rule.boundary.is_some_and(|set| set.contains(text[start - 1]));
                if barred {
                    continue;
                }
                let limit = text.len().min(start + rule.max_length);
                let input = Input::new(text).span(start..limit).anchored(Anchored::Yes);
                let mut captures = regex.create_captures();
                regex.captures(input, &mut captures);
                if let Some(whole) = captures.get_match()
                    && whole.end() > anchor
                {
                    let value = captures.get_group_by_name("value").unwrap_or(whole.span());
                    matches.push(Match {
                        rule: rule.id.clone(),
                        start,
                        end: whole.end(),
                        value: (value.start, value.end),
                    });
                    break;
                }
            }
        }
    }
    matches
}

/// The patterns of a rule set for another engine than that of the scan.
pub fn regexes(rules: &RuleSet) -> Vec<(Rule, Regex)> {
    let of = |rule: &Rule| {
        Regex::builder()
            .syntax(sluicegate::scan::syntax_config())
            .configure(Regex::config().utf8_empty(false))
            .build(&rule.pattern)
            .unwrap()
    };
    rules.rules.iter().map(|rule| (rule.clone(), of(rule))).collect()
}

fn is_anchor(rule: &Rule, text: &[u8], at: usize) -> bool {
    let byte = |at: usize| text.get(at).copied().unwrap_or(0);
    let before = at.checked_sub(1).map_or(0, byte);
    let starts = !before.is_ascii_alphanumeric();
    match &rule.anchors {
        Anchors::Keywords(words) => words.iter().any(|word| {
            text[at..].get(..word.len()).is_some_and(|t| t.eq_ignore_ascii_case(word.as_bytes()))
        }),
        Anchors::Digits { min, .. } => {
            let is_number = |b: u8| b.is_ascii_digit() || DIGIT_SEPARATORS.contains(&b);
            let mut digits = 0;
            let mut gap = 0;
            for b in &text[at..] {
                if b.is_ascii_digit() {
                    digits += 1;
                    gap = 0;
                } else if DIGIT_SEPARATORS.contains(b) && gap < 2 {
                    gap += 1;
                } else {
                    break;
                }
            }
            byte(at).is_ascii_digit()
                && !before.is_ascii_digit()
                && (at..at + 6).all(|at| is_number(byte(at)))
                && digits >= usize::from(*min)
        }
        Anchors::Shape(Shape::Digits) => unreachable!("digits have an anchor of their own"),
        Anchors::Shape(Shape::At) => {
            byte(at) == b'@' && (byte(at + 1).is_ascii_alphanumeric() || byte(at + 1) >= 128)
        }
        Anchors::Shape(Shape::LettersDigits) => {
            starts
                && (at..at + 2).all(|at| byte(at).is_ascii_alphabetic())
                && (at + 2..at + 4).all(|at| byte(at).is_ascii_digit())
        }
        Anchors::Shape(Shape::Token) => {
            starts
                && byte(at) != b'-'
                && (at..at + 11).all(|at| byte(at).is_ascii_alphanumeric() || byte(at) == b'-')
                && (at..at + 11).any(|at| byte(at).is_ascii_digit())
        }
        Anchors::Shape(Shape::Letters) => {
            let letter = |at: usize| byte(at).is_ascii_alphabetic();
            !before.is_ascii_alphabetic() && (at..at + 48).all(letter)
        }
        Anchors::Shape(Shape::Words) => {
            let second = at.checked_sub(2).map_or(0, byte);
            let breaks = |byte: u8| b" ./()".contains(&byte);
            byte(at).is_ascii_lowercase()
                && (at..at + 47).all(|at| byte(at).is_ascii_lowercase() || byte(at) == b' ')
                && starts
                && !(breaks(before) && (second.is_ascii_alphanumeric() || breaks(second)))
        }
        Anchors::Shape(Shape::HexColon) => {
            let digits = text[..at].iter().rev().take_while(|b| b.is_ascii_hexdigit()).count();
            let edge = (at - digits).checked_sub(1).map_or(0, byte);
            byte(at) == b':'
                && (byte(at + 1) == b':'
                    || byte(at + 1).is_ascii_hexdigit()
                        && (at + 1..at + 6)
                            .filter(|second| byte(*second) == b':')
                            .any(|second| (second + 1..second + 6).any(|at| byte(at) == b':')))
                && digits <= 4
                && !edge.is_ascii_alphanumeric()
                && edge != b':'
        }
    }
}
