//! The baseline: findings that were there when it was written, one a line.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use data_encoding::HEXLOWER;

use super::{BASELINE, REASON_BYTES};
use crate::model::Day;

/// The most lines of a baseline.
pub const MAX_LINES: usize = 200_000;
/// Wrong lines that an error names.
const NAMED: usize = 20;
/// The longest id of a rule.
const MAX_RULE: usize = 128;

/// What stands before the lines of a baseline that is written.
const HEAD: &str = "\
# Findings that are known: identity, rule, last day on which it holds, reason. No value stands here.
# Written by `sluice gate --write-baseline`. Merge with `.sluice-baseline merge=union` in .gitattributes.
";

/// A baseline: what is known, by identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    known: BTreeMap<[u8; 16], Known>,
}

/// A finding that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Id of the rule that finds it.
    pub rule: String,
    /// The last day on which it holds.
    pub expires: Day,
    /// Why.
    pub reason: String,
}

/// Lines that are none of a baseline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// Each with its number.
    #[error("{}", lines(.0, *.1))]
    Lines(Vec<(usize, &'static str)>, usize),
    /// It has too many.
    #[error("it has more than 200,000 lines")]
    TooMany,
}

fn lines(wrong: &[(usize, &'static str)], all: usize) -> String {
    let mut text = String::new();
    for (number, why) in wrong {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "line {number}: {why}");
    }
    if all > wrong.len() {
        let _ = writeln!(text, "and {} more", all - wrong.len());
    }
    text.trim_end().to_owned()
}

impl Baseline {
    /// Reads one. Lines may stand in any order and more than once: of several about the same finding
    /// the one that holds longest counts, of those the one that is written first.
    ///
    /// # Errors
    ///
    /// See [`BaselineError`].
    pub fn read(bytes: &[u8]) -> Result<Baseline, BaselineError> {
        let (mut baseline, mut wrong, mut all) = (Baseline::default(), Vec::new(), 0);
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if at > MAX_LINES {
                return Err(BaselineError::TooMany);
            }
            match entry(line) {
                Ok(Some((identity, known))) => baseline.add(identity, known),
                Ok(None) => {}
                Err(why) => {
                    all += 1;
                    if wrong.len() < NAMED {
                        wrong.push((at + 1, why));
                    }
                }
            }
        }
        if all > 0 { Err(BaselineError::Lines(wrong, all)) } else { Ok(baseline) }
    }

    /// Adds a finding.
    pub fn add(&mut self, identity: [u8; 16], known: Known) {
        // By all of it, so that no order of lines, as a merge leaves them, gives another file.
        let rank = |it: &Known| (Reverse(it.expires), it.rule.clone(), plain(&it.reason));
        match self.known.get(&identity) {
            Some(other) if rank(other) <= rank(&known) => {}
            _ => drop(self.known.insert(identity, known)),
        }
    }

    /// What is known of a finding, and its position.
    pub(super) fn get(&self, identity: &[u8; 16]) -> Option<(usize, &Known)> {
        let known = self.known.get(identity)?;
        // A stand-in for the position that needs no search.
        let at = identity.first_chunk::<8>().map_or(0, |head| u64::from_be_bytes(*head));
        Some((usize::try_from(at).unwrap_or(usize::MAX), known))
    }

    /// What is known of a finding.
    pub fn known(&self, identity: &[u8; 16]) -> Option<&Known> {
        self.known.get(identity)
    }

    /// How many findings are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// How many lines held to a day before this one.
    pub fn expired(&self, today: Day) -> usize {
        self.known.values().filter(|known| known.expires < today).count()
    }

    /// The file: sorted, so that two that hold the same are the same. Control characters of reasons
    /// become blanks.
    pub fn write(&self) -> String {
        let mut text = HEAD.to_owned();
        for (identity, Known { rule, expires, reason }) in &self.known {
            let (identity, reason) = (HEXLOWER.encode(identity), plain(reason));
            let _ = writeln!(text, "{identity} {rule} {expires} {reason}");
        }
        text
    }
}

/// A reason as it is written.
fn plain(reason: &str) -> String {
    let text: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.trim().to_owned()
}

/// A line; none for a comment or an empty one.
fn entry(line: &[u8]) -> Result<Option<([u8; 16], Known)>, &'static str> {
    if line.len() > REASON_BYTES {
        return Err("longer than 16 KiB");
    }
    let line = std::str::from_utf8(line).map_err(|_| "not UTF-8")?.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let mut rest = line;
    let mut word = || {
        let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        rest = behind.trim_start();
        word
    };
    let (identity, rule, expires) = (word(), word(), word());
    let identity = HEXLOWER.decode(identity.as_bytes()).ok();
    let identity = identity.and_then(|it| <[u8; 16]>::try_from(it).ok());
    let identity = identity.ok_or("no identity of 32 hex digits in lower case")?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if rule.is_empty() || rule.len() > MAX_RULE || !rule.bytes().all(fits) {
        return Err("no id of a rule behind the identity");
    }
    let expires = Day::parse(expires).ok_or("no day as in `2027-02-26` behind the rule")?;
    if plain(rest).is_empty() {
        return Err("no reason at its end");
    }
    Ok(Some((identity, Known { rule: rule.to_owned(), expires, reason: rest.to_owned() })))
}

/// The error as a caller reads it.
impl BaselineError {
    /// Which file, and what is wrong with it.
    pub fn of(&self, whose: &str) -> String {
        format!("`{BASELINE}` {whose} cannot be used\n\n{self}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "00112233445566778899aabbccddeeff nat.us-ssn 2027-02-26 was there";

    #[test]
    fn what_is_written_is_read_whatever_the_order_and_however_often() {
        let mut baseline = Baseline::default();
        for at in 0..5_u8 {
            let expires = Day::parse("2027-02-26").expect("a day").after(u32::from(at));
            let known = Known { rule: "a.b".into(), expires, reason: "why\nnot".into() };
            baseline.add([at; 16], known);
        }
        let text = baseline.write();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().skip(2).is_sorted());
        let mixed: Vec<&str> = lines.iter().rev().chain(&lines).copied().collect();
        let read = Baseline::read(mixed.join("\r\n").as_bytes()).expect("it is read");
        assert_eq!(read.write(), text);
        let later = format!("{ONE}\n{}", ONE.replace("2027", "2028"));
        let read = Baseline::read(later.as_bytes()).expect("it is read");
        assert_eq!(read.known.values().next().map(|it| it.expires), Day::parse("2028-02-26"));
    }

    #[test]
    fn wrong_lines_are_named() {
        let text = format!("# a comment\n{ONE}\n<<<<<<< HEAD\n\nx\n{}", &ONE[..54]);
        let error = Baseline::read(text.as_bytes()).expect_err("three lines are wrong");
        let text = error.to_string();
        assert!(text.contains("line 3") && text.contains("line 5"), "{text}");
        assert!(text.ends_with("line 6: no reason at its end"), "{text}");
        let many = "x\n".repeat(MAX_LINES + 1);
        assert_eq!(Baseline::read(many.as_bytes()), Err(BaselineError::TooMany));
        let long = format!("{ONE}{}", "y".repeat(REASON_BYTES));
        assert!(Baseline::read(long.as_bytes()).is_err());
    }

    #[test]
    fn of_equal_days_the_first_reason_counts_in_any_order() {
        let other = ONE.replace("was", "still");
        for text in [format!("{ONE}\n{other}"), format!("{other}\n{ONE}")] {
            let read = Baseline::read(text.as_bytes()).expect("it is read");
            assert!(read.write().contains("still there"), "{text}");
        }
    }

    #[test]
    fn a_reason_that_would_be_written_empty_is_none() {
        let line = ONE.replace("was there", "\u{1}\u{85}\u{7f}");
        assert!(Baseline::read(line.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Baseline::read(&bytes);
            let _ = Baseline::read(&[ONE.as_bytes(), &bytes].concat());
        }
    }
}
