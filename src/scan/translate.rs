//! A rule's pattern as Hyperscan reads it. The comparison with others takes this file too.
//!
//! The pattern is parsed as the engine parses it, and what was parsed is written down in the part of the
//! syntax that both have: flags, nested classes and names of groups are gone by then, and every byte that
//! is neither letter nor digit is spelled as a number.

use regex_automata::util::syntax;
use regex_syntax::hir::{Class, Hir, HirKind, Look};
use regex_syntax::utf8::Utf8Sequences;

use crate::scan::syntax_config;

/// The pattern in Hyperscan's syntax.
///
/// # Errors
///
/// What of it cannot be written so.
pub fn translate(pattern: &str) -> Result<String, String> {
    let hir = syntax::parse_with(pattern, &syntax_config()).map_err(|error| error.to_string())?;
    let mut written = String::new();
    write(&hir, &mut written)?;
    Ok(written)
}

fn write(hir: &Hir, out: &mut String) -> Result<(), String> {
    match hir.kind() {
        HirKind::Empty => out.push_str("(?:)"),
        HirKind::Literal(literal) => literal.0.iter().for_each(|byte| write_byte(*byte, out)),
        HirKind::Class(Class::Bytes(class)) => {
            let ranges: Vec<_> = class.ranges().iter().map(|it| (it.start(), it.end())).collect();
            write_class(&ranges, out);
        }
        HirKind::Class(Class::Unicode(class)) => {
            let sequences = class.ranges().iter();
            let sequences =
                sequences.flat_map(|range| Utf8Sequences::new(range.start(), range.end()));
            out.push_str("(?:");
            for (position, sequence) in sequences.enumerate() {
                if position > 0 {
                    out.push('|');
                }
                sequence
                    .as_slice()
                    .iter()
                    .for_each(|range| write_class(&[(range.start, range.end)], out));
            }
            out.push(')');
        }
        HirKind::Look(look) => out.push_str(match look {
            Look::Start => r"\A",
            Look::End => r"\z",
            Look::StartLF => "(?m:^)",
            Look::EndLF => "(?m:$)",
            Look::WordAscii => r"\b",
            Look::WordAsciiNegate => r"\B",
            other => return Err(format!("the assertion {other:?}")),
        }),
        HirKind::Repetition(repetition) => {
            write_group(&repetition.sub, out)?;
            match (repetition.min, repetition.max) {
                (0, Some(1)) => out.push('?'),
                (0, None) => out.push('*'),
                (1, None) => out.push('+'),
                (min, None) => out.push_str(&format!("{{{min},}}")),
                (min, Some(max)) if min == max => out.push_str(&format!("{{{min}}}")),
                (min, Some(max)) => out.push_str(&format!("{{{min},{max}}}")),
            }
            if !repetition.greedy {
                out.push('?');
            }
        }
        HirKind::Capture(capture) => write_group(&capture.sub, out)?,
        HirKind::Concat(parts) => {
            for part in parts {
                match part.kind() {
                    HirKind::Alternation(_) => write_group(part, out)?,
                    _ => write(part, out)?,
                }
            }
        }
        HirKind::Alternation(parts) => {
            for (position, part) in parts.iter().enumerate() {
                if position > 0 {
                    out.push('|');
                }
                write(part, out)?;
            }
        }
    }
    Ok(())
}

fn write_group(hir: &Hir, out: &mut String) -> Result<(), String> {
    out.push_str("(?:");
    write(hir, out)?;
    out.push(')');
    Ok(())
}

fn write_class(ranges: &[(u8, u8)], out: &mut String) {
    out.push('[');
    for &(start, end) in ranges {
        write_byte(start, out);
        if start < end {
            out.push('-');
            write_byte(end, out);
        }
    }
    out.push(']');
}

fn write_byte(byte: u8, out: &mut String) {
    if byte.is_ascii_alphanumeric() {
        out.push(char::from(byte));
    } else {
        out.push_str(&format!("\\x{byte:02x}"));
    }
}

#[cfg(test)]
mod tests {
    use regex_automata::meta::Regex;

    use super::*;
    use crate::RuleSet;

    fn regex(pattern: &str) -> Regex {
        Regex::builder().syntax(syntax_config()).build(pattern).expect(pattern)
    }

    #[test]
    fn is_written_in_what_both_have() {
        for (pattern, written) in [
            (r"\b\d{3}-?\d+\b", r"\b(?:[0-9]){3}(?:\x2d)?(?:[0-9])+\b"),
            ("(?i:ab)|c.", r"[Aa][Bb]|c[\x00-\x09\x0b-\xff]"),
            ("(?<value>x|y z){2,5}?", r"(?:(?:x|y\x20z)){2,5}?"),
            (r"[a-e&&[^c]]{0,}", "(?:[a-bd-e])*"),
            (r"(?m)^a$", "(?m:^)a(?m:$)"),
            (r"^a(?:b|cd)$", r"\Aa(?:b|cd)\z"),
            (r"\xc3\xa9", r"\xc3\xa9"),
            ("(?:|a)b", "(?:(?:)|a)b"),
            ("(?u:[a\u{e9}\u{ea}])", r"(?:[a]|[\xc3][\xa9-\xaa])"),
        ] {
            assert_eq!(translate(pattern).expect(pattern), written);
        }
        assert!(translate(r"a\b{start}").is_err());
    }

    #[test]
    fn a_translated_pattern_matches_where_the_rule_matches() {
        let rules = RuleSet::builtin().map_err(|it| it.to_string()).expect("rules that load");
        for rule in &rules.rules {
            let Ok(translated) = translate(&rule.pattern) else { continue };
            let (before, after) = (regex(&rule.pattern), regex(&translated));
            let examples = rule.examples.iter().map(|example| &example.text);
            for text in examples.chain(&rule.counterexamples) {
                let ranges = |regex: &Regex| -> Vec<_> {
                    regex.find_iter(text.as_bytes()).map(|found| found.range()).collect()
                };
                assert_eq!(ranges(&before), ranges(&after), "{}: {text}", rule.id);
            }
        }
    }
}
