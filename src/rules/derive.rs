//! Anchors that follow from a pattern.

use regex_syntax::hir::{Hir, HirKind, Repetition};

use super::pack::{MAX_KEYWORD, MIN_KEYWORD};
use super::{Anchors, ByteSet, DIGIT_SEPARATORS, pattern};

/// The most words of a derived anchor.
const MAX_DERIVED: usize = 64;

/// The fewest digits that make an anchor.
pub(super) const MIN_DIGITS: usize = 4;

/// The best anchor that the pattern suggests: words that each match holds one of, the longest ones;
/// else its digits, where it consists of them. Whether it really is one is for the proof to say.
pub(super) fn anchors(hir: &Hir) -> Option<Anchors> {
    if let Some(words) = required_words(hir) {
        return Some(Anchors::Keywords(words));
    }
    let (least, most) = pattern::digit_counts(hir);
    let numeric: ByteSet = (b'0'..=b'9').chain(DIGIT_SEPARATORS.iter().copied()).collect();
    if least < MIN_DIGITS || !pattern::consumed(hir).is_subset(&numeric) {
        return None;
    }
    let cut = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
    Some(Anchors::Digits { min: cut(least), max: cut(most) })
}

/// Words of at least three bytes of which every match holds one: the set whose shortest word is
/// longest, then the smallest set.
fn required_words(hir: &Hir) -> Option<Vec<String>> {
    let parts = pattern::sequence(hir);
    let mut best: Option<Vec<String>> = None;
    let mut offer = |words: Option<Vec<String>>| {
        if let Some(words) = words
            && best.as_ref().is_none_or(|best| rank(&words) > rank(best))
        {
            best = Some(words);
        }
    };
    for from in 0..parts.len() {
        let mut words = vec![Vec::new()];
        for part in parts.iter().skip(from) {
            let longer = pattern::exact_words(part).and_then(|more| pattern::joined(&words, &more));
            let Some(longer) = longer.filter(|words| words.len() <= MAX_DERIVED) else { break };
            words = longer;
            offer(as_keywords(&words));
            if words.iter().any(|word| word.len() >= MAX_KEYWORD) {
                break;
            }
        }
    }
    for part in parts {
        match part.kind() {
            HirKind::Alternation(branches) => offer(
                branches
                    .iter()
                    .map(required_words)
                    .collect::<Option<Vec<_>>>()
                    .map(|sets| sets.concat())
                    .filter(|words| words.len() <= MAX_DERIVED),
            ),
            HirKind::Repetition(Repetition { min: 1.., sub, .. }) => offer(required_words(sub)),
            _ => {}
        }
    }
    best
}

fn rank(words: &[String]) -> (usize, std::cmp::Reverse<usize>) {
    (words.iter().map(String::len).min().unwrap_or(0), std::cmp::Reverse(words.len()))
}

fn as_keywords(words: &[Vec<u8>]) -> Option<Vec<String>> {
    let mut keywords = words
        .iter()
        .map(|word| {
            let word = word.get(..word.len().min(MAX_KEYWORD))?;
            String::from_utf8(word.to_vec()).ok().filter(|word| word.len() >= MIN_KEYWORD)
        })
        .collect::<Option<Vec<_>>>()?;
    keywords.sort();
    keywords.dedup();
    Some(keywords)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(pattern: &str) -> Option<Anchors> {
        anchors(&pattern::parse(pattern).unwrap())
    }

    fn keywords(words: &[&str]) -> Option<Anchors> {
        Some(Anchors::Keywords(words.iter().map(|word| (*word).to_owned()).collect()))
    }

    #[test]
    fn words_that_every_match_holds_become_keywords() {
        assert_eq!(derived("ghp_[A-Za-z0-9]{36}"), keywords(&["ghp_"]));
        assert_eq!(derived("(?:AKIA|ASIA)[A-Z2-7]{16}"), keywords(&["akia", "asia"]));
        assert_eq!(derived("(?i)[a-z]{2}secret[0-9]{4}"), keywords(&["secret"]));
        assert_eq!(derived("one[0-9]+|three[0-9]+"), keywords(&["one", "three"]));
        assert_eq!(derived("(?:key[0-9]+){2,5}"), keywords(&["key"]));
        assert_eq!(derived("(?:key[0-9]+){0,5}"), None);
        assert_eq!(derived("ab[0-9]+"), None);
    }

    #[test]
    fn long_words_are_cut_to_the_limit() {
        let long = "-----BEGIN RSA PRIVATE KEY BLOCK-----";
        assert_eq!(derived(long), keywords(&["-----begin rsa private key block"]));
    }

    #[test]
    fn digits_and_separators_become_a_digit_anchor() {
        let nine = Anchors::Digits { min: 9, max: 9 };
        assert_eq!(derived(r"\b\d{3}[- ]?\d{2}[- ]?\d{4}\b"), Some(nine));
        assert_eq!(derived(r"\d{3}"), None);
        assert_eq!(derived(r"\d{9}x"), None);
    }
}
