//! What makes a match no finding, as a pack states it and checked.

use super::Unless;
use super::compile::{Compiler, texts};
use super::diagnostic::Code;
use super::pack::RawUnless;
use super::reader::Located;

impl Compiler<'_> {
    /// The entries of `unless` of a rule.
    pub(super) fn unless(&mut self, raw: &[RawUnless]) -> Vec<Unless> {
        raw.iter().map(|entry| self.entry(entry)).collect()
    }

    fn entry(&mut self, raw: &RawUnless) -> Unless {
        let lists = [&raw.words, &raw.value, &raw.matched, &raw.line];
        if lists.iter().all(|list| list.is_empty()) {
            let message = "an entry of `unless` states nothing";
            let help = Some("give it `words`, `value`, `match` or `line`".to_owned());
            self.reporter.report_with_help(raw.at, Code::EmptyUnless, message, help);
        }
        for word in raw.words.iter().filter(|word| word.value.is_empty()) {
            self.reporter.report(word.at, Code::EmptyUnless, "an empty word stands everywhere");
        }
        for patterns in [&raw.value, &raw.matched, &raw.line] {
            patterns.iter().for_each(|pattern| self.searched(pattern));
        }
        Unless {
            words: texts(&raw.words),
            value: texts(&raw.value),
            matched: texts(&raw.matched),
            line: texts(&raw.line),
        }
    }

    /// A pattern that is looked for anywhere in a text of bounded length: it needs neither anchor
    /// nor bound.
    fn searched(&mut self, pattern: &Located<String>) {
        let Some(hir) = self.pattern(pattern) else { return };
        if hir.properties().minimum_len().is_none_or(|least| least == 0) {
            let message = "the pattern can match nothing at all, or never matches";
            self.reporter.report(pattern.at, Code::PatternEmpty, message);
            return;
        }
        self.automaton_size(pattern, &hir);
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::{Code, RuleSet, Source, check};

    const TAXONOMY: &str = include_str!("../../tests/data/rules/taxonomy.toml");
    const PACK: &str = include_str!("../../tests/data/rules/pack.toml");

    fn checked(more: &str) -> (Option<RuleSet>, Vec<Code>) {
        let text = PACK.replacen("likelihood =", &format!("{more}\nlikelihood ="), 1);
        let source = |text: &str| Source { name: "p".into(), text: text.into(), builtin: true };
        let (rules, diagnostics) = check(&[source(TAXONOMY), source(&text)]);
        (rules, diagnostics.iter().map(|diagnostic| diagnostic.code).collect())
    }

    #[test]
    fn entries_and_entropy_are_read() {
        let (rules, codes) = checked(
            "entropy = 3.25\nunless = [{ words = [\"no\"], line = ['#'] }, { match = ['a|b'] }]",
        );
        let rule = &rules.unwrap().rules[0];
        assert_eq!((rule.entropy, rule.unless.len()), (Some(3250), 2));
        assert_eq!(
            (&rule.unless[0].line[0], &rule.unless[1].matched[0]),
            (&"#".into(), &"a|b".into())
        );
        // 6 for the pattern, at numbers two bytes apart, once for the words, once for the match, and
        // 1,035 bytes of the line at each.
        assert_eq!(rule.reads_per_byte(), 6 + 6 + 6 + 518);
        assert_eq!(codes, [Code::CostHigh]);
    }

    #[test]
    fn what_says_nothing_or_holds_always_is_refused() {
        for (unless, code) in [
            ("{}", Code::EmptyUnless),
            ("{ words = [\"\"] }", Code::EmptyUnless),
            ("{ value = ['a*'] }", Code::PatternEmpty),
            ("{ line = ['('] }", Code::PatternSyntax),
            ("{ match = ['(?u)\\w'] }", Code::PatternUnicode),
            ("{ value = ['(?:a{1000}){1000}'] }", Code::PatternTooLarge),
            ("{ lines = ['a'] }", Code::UnknownKey),
        ] {
            let (rules, codes) = checked(&format!("unless = [{unless}]"));
            assert!(rules.is_none() && codes.contains(&code), "{unless}: {codes:?}");
        }
        assert_eq!(checked("entropy = 8.0").1, [Code::OutOfRange]);
        assert_eq!(checked("entropy = \"3\"").1, [Code::WrongType]);
    }
}
