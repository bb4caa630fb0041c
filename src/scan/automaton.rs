//! A rule's pattern as an anchored automaton that reads a bounded window.
//!
//! A text position and a window come in; the end of the leftmost-first match that begins exactly
//! there comes out, or none. Each byte of the window is read at most once a try. The automata of the
//! rules of the program stand in it as tables; a lazy DFA is made for other rules, and where a walk
//! leaves a table.

use std::sync::OnceLock;

use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::nfa::thompson::backtrack::{self, BoundedBacktracker};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind, PatternID};
use regex_syntax::hir::Hir;

pub use super::heads::RuleBits;
use super::split::Split;
use super::steps::{Left, Stepper, Steps, compile, syntax_config};
use super::transitions::{self, Transitions, Walk};
use crate::rules::{ByteSet, Rule, VALUE_GROUPS};

/// States of a lazy DFA are forgotten past this many bytes a rule and worker.
const CACHE_BYTES: usize = 512 * 1024;

/// What `transitions::builder` makes of the patterns of the rules that ship with the program.
// Not a constant, which might stand in the program once for each use.
static BUILT_IN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_transitions.bin"));

/// The automaton of one rule. Shared by all workers; each brings a [`Workspace`].
#[derive(Debug)]
pub struct Automaton {
    table: Option<Transitions>,
    /// Made when there is no table, or one that was left.
    steps: OnceLock<Option<Stepper>>,
    first: ByteSet,
    names_value: bool,
    /// Where the value begins, if that is told by tables.
    split: OnceLock<Option<Box<Split>>>,
    value: OnceLock<Option<ValueMachine>>,
}

/// What one worker keeps for one rule.
#[derive(Debug, Default)]
pub struct Workspace {
    steps: Option<Box<Steps>>,
    captures: Option<Box<CaptureRoom>>,
}

/// Several rules that are tried at the same places, as one automaton that says which of them can
/// match there: what it leaves out has no match.
#[derive(Debug)]
pub struct Shared {
    steps: Stepper,
    limit: usize,
}

/// A match and what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Behind the last byte of the match.
    pub end: Option<usize>,
    /// Bytes that were read.
    pub read: usize,
}

impl Automaton {
    /// The automaton of a rule; none if the pattern does not compile, which a checked rule set
    /// rules out.
    pub fn new(rule: &Rule) -> Option<Automaton> {
        Automaton::with_table(rule, Transitions::stored(BUILT_IN, &rule.pattern))
    }

    /// That of a rule, with this table of it.
    pub fn with_table(rule: &Rule, table: Option<Transitions>) -> Option<Automaton> {
        let (steps, first) = match &table {
            Some(table) => (OnceLock::new(), table.first()),
            None => {
                let stepper = Stepper::of_pattern(&rule.pattern, CACHE_BYTES)?;
                let hir = syntax::parse_with(&rule.pattern, &syntax_config()).ok()?;
                (OnceLock::from(Some(stepper)), first_bytes(&hir))
            }
        };
        let names_value = ["(?<value>", "(?P<value>", "(?<value_2>", "(?P<value_2>"]
            .iter()
            .any(|group| rule.pattern.contains(group));
        Some(Automaton {
            table,
            steps,
            first,
            names_value,
            split: OnceLock::new(),
            value: OnceLock::new(),
        })
    }

    /// Whether its table was made when the program was built.
    #[cfg(test)]
    pub fn has_table(&self) -> bool {
        self.table.is_some()
    }

    /// Whether a match can begin with this byte.
    pub fn can_begin_with(&self, byte: u8) -> bool {
        self.first.contains(byte)
    }

    /// Whether the pattern has a group `value`: else the value is the whole match.
    pub fn names_value(&self) -> bool {
        self.names_value
    }

    /// The match of the rule that begins at `start` and ends at `limit` or before. Bytes before `start`
    /// and the byte at `limit` are seen by `\b`, `^` and `$` only.
    #[inline]
    pub fn match_at(
        &self,
        workspace: &mut Workspace,
        rule: &Rule,
        text: &[u8],
        start: usize,
        limit: usize,
    ) -> Tried {
        let walk = self.table.as_ref().map(|table| table.walk(text, start, limit));
        match walk {
            Some(Walk { end, read, left: None }) => Tried { end, read },
            Some(Walk { end, left: Some(left), .. }) => {
                self.search(workspace, rule, text, (start, limit), Some((left, end)))
            }
            None => self.search(workspace, rule, text, (start, limit), None),
        }
    }

    /// The same by the lazy automaton, which may take up a walk of the table.
    #[inline(never)]
    fn search(
        &self,
        workspace: &mut Workspace,
        rule: &Rule,
        text: &[u8],
        (start, limit): (usize, usize),
        left: Option<(Left, Option<usize>)>,
    ) -> Tried {
        let stepper = self.steps.get_or_init(|| {
            let machine = left.and_then(|_| transitions::machine(BUILT_IN, &rule.pattern));
            let stepper = machine.and_then(|machine| Stepper::of_machine(machine, CACHE_BYTES));
            stepper.or_else(|| Stepper::of_pattern(&rule.pattern, CACHE_BYTES))
        });
        let Some(stepper) = stepper else { return Tried { end: None, read: 0 } };
        let steps = workspace.steps.get_or_insert_with(|| Box::new(stepper.steps()));
        let mut end = left.and_then(|(_, end)| end);
        let matched = |_, length| end = Some(start + length);
        let walked = match left {
            Some((left, _)) => stepper.take_up(steps, text, (start, limit), left, matched),
            None => stepper.walk(steps, text, (start, limit), matched),
        };
        Tried { end, read: walked.read }
    }

    /// The span of the group `value` in the match `start..end`; of several, `value`, `value_2` and so
    /// on, the first that holds a byte. The whole match for a pattern without such a group, or where
    /// none took part.
    pub fn value_of(
        &self,
        workspace: &mut Workspace,
        rule: &Rule,
        text: &[u8],
        start: usize,
        end: usize,
    ) -> (usize, usize) {
        if !self.names_value {
            return (start, end);
        }
        let split = self.split.get_or_init(|| Split::stored(BUILT_IN, &rule.pattern).map(Box::new));
        if let Some(split) = split
            && let Some(matched) = text.get(start..end)
            && let Some((from, to)) = split.value(matched)
        {
            return (start + from, start + to);
        }
        let Some(machine) = self.value.get_or_init(|| ValueMachine::new(rule)) else {
            return (start, end);
        };
        let room = workspace.captures.get_or_insert_with(|| Box::new(machine.room()));
        let input = Input::new(text).span(start..end).anchored(Anchored::Yes);
        machine.search(room, &input);
        let spans = || machine.groups.iter().filter_map(|group| room.captures.get_group(*group));
        let value = spans().find(|span| !span.is_empty()).or_else(|| spans().next());
        value.map_or((start, end), |span| (span.start, span.end))
    }
}

impl Shared {
    /// The most rules of one automaton.
    pub const MAX_RULES: usize = RuleBits::BITS as usize;

    /// An automaton of these rules, at most [`Shared::MAX_RULES`].
    pub fn new(rules: &[&Rule]) -> Option<Shared> {
        let patterns: Vec<&str> = rules.iter().map(|rule| rule.pattern.as_str()).collect();
        let steps = Stepper::of_patterns(&patterns, MatchKind::All, CACHE_BYTES)?;
        let limit = rules.iter().map(|rule| rule.max_length).max()?;
        (rules.len() <= Shared::MAX_RULES).then_some(Shared { steps, limit })
    }

    /// Room for one worker.
    pub fn workspace(&self) -> Steps {
        self.steps.steps()
    }

    /// The rules that may have a match which begins at `start`, and the bytes read to tell.
    pub fn candidates(&self, steps: &mut Steps, text: &[u8], start: usize) -> (RuleBits, usize) {
        let mut rules = 0;
        let walked = self.steps.walk(steps, text, (start, start + self.limit), |matched, _| {
            rules |= matched;
        });
        (if walked.gave_up { RuleBits::MAX } else { rules }, walked.read)
    }
}

/// What finds the group `value` of a match. The backtracker goes each way from each place once; the
/// slower machine takes the matches that are too long for that.
#[derive(Debug)]
struct ValueMachine {
    short: BoundedBacktracker,
    long: PikeVM,
    /// In the order in which they are asked for the value.
    groups: Vec<usize>,
}

/// What one worker keeps of a [`ValueMachine`].
#[derive(Debug)]
struct CaptureRoom {
    captures: Captures,
    short: backtrack::Cache,
    long: Option<pikevm::Cache>,
}

impl ValueMachine {
    fn new(rule: &Rule) -> Option<ValueMachine> {
        let nfa = compile(&[&rule.pattern], WhichCaptures::All)?;
        let groups = VALUE_GROUPS.iter();
        let groups = groups.filter_map(|name| nfa.group_info().to_index(PatternID::ZERO, name));
        let groups = groups.collect();
        let short = BoundedBacktracker::new_from_nfa(nfa.clone()).ok()?;
        Some(ValueMachine { short, long: PikeVM::new_from_nfa(nfa).ok()?, groups })
    }

    fn room(&self) -> CaptureRoom {
        let (captures, short) = (self.short.create_captures(), self.short.create_cache());
        CaptureRoom { captures, short, long: None }
    }

    fn search(&self, room: &mut CaptureRoom, input: &Input<'_>) {
        let CaptureRoom { captures, short, long } = room;
        if self.short.try_search(short, input, captures).is_err() {
            let cache = long.get_or_insert_with(|| self.long.create_cache());
            self.long.search(cache, input, captures);
        }
    }
}

/// Bytes that a match can begin with; all, where that is not plain to see.
fn first_bytes(pattern: &Hir) -> ByteSet {
    use regex_syntax::hir::literal::{ExtractKind, Extractor};
    let all = || (0..=255).collect();
    let mut extractor = Extractor::new();
    extractor.kind(ExtractKind::Prefix).limit_class(256).limit_literal_len(1).limit_total(1024);
    match extractor.extract(pattern).literals() {
        Some(literals) if literals.iter().all(|literal| !literal.is_empty()) => {
            literals.iter().filter_map(|literal| literal.as_bytes().first().copied()).collect()
        }
        _ => all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleSet;
    use crate::scan::sample;
    use crate::scan::steps::machine;

    /// End and bytes read of the match of a pattern at a start.
    fn tried(pattern: &str, max_length: usize, text: &str, start: usize) -> Tried {
        let more = format!("max_length = {max_length}\nanchors = {{ keywords = [\"key\"] }}");
        let rules = sample::rules(&[("sec.a", pattern, &more)], "");
        let automaton = Automaton::new(&rules.rules[0]).unwrap();
        let mut workspace = Workspace::default();
        automaton.match_at(
            &mut workspace,
            &rules.rules[0],
            text.as_bytes(),
            start,
            start + max_length,
        )
    }

    #[test]
    fn a_match_is_leftmost_first_and_cut_at_the_limit() {
        let end = |pattern, max, text| tried(pattern, max, text, 0).end;
        assert_eq!(end("key(?:a|ab)", 9, "keyab"), Some(4));
        assert_eq!(end("key(?:ab|a)", 9, "keyab"), Some(5));
        assert_eq!(end("key[a-z]+", 6, "keyabcdef"), Some(6));
        assert_eq!(end("key[a-z]+?x", 6, "keyaxx"), Some(5));
        assert_eq!(end("key[a-z]{2}!", 6, "keyab"), None);
    }

    #[test]
    fn assertions_see_the_bytes_around_the_window() {
        let end = |pattern, max, text, start| tried(pattern, max, text, start).end;
        assert_eq!(end(r"\bkey\b", 3, "key", 0), Some(3));
        assert_eq!(end(r"\bkey\b", 3, "keys", 0), None);
        assert_eq!(end(r"\bkey\b", 3, "-key-", 1), Some(4));
        assert_eq!(end(r"\bkey\b", 3, "akey", 1), None);
        assert_eq!(end("(?m:^)key(?m:$)", 3, "a\nkey\nb", 2), Some(5));
        assert_eq!(end("(?m:^)key(?m:$)", 3, "a\nkeyb", 2), None);
        // Half a character is no letter: what a pattern means does not depend on the encoding.
        assert_eq!(end(r"\bkey", 3, "ékey", 2), Some(5));
    }

    #[test]
    fn no_byte_is_read_behind_a_dead_end() {
        let read = |text| tried("key[0-9]{1,9}", 12, text, 0).read;
        assert_eq!(read("kay123456789"), 2);
        // A match is told by the byte behind it, its dead end by the next one.
        assert_eq!(read("key12 456789"), 7);
        assert_eq!(read("key123456789xyz"), 12);
    }

    #[test]
    fn the_value_is_its_group_or_the_whole_match() {
        let value = |pattern: &str, text: &str| {
            let anchors = "anchors = { keywords = [\"key\"] }";
            let rules = sample::rules(&[("sec.a", pattern, anchors)], "");
            let automaton = Automaton::new(&rules.rules[0]).unwrap();
            let (mut workspace, rule) = (Workspace::default(), &rules.rules[0]);
            let text = text.as_bytes();
            let end = automaton.match_at(&mut workspace, rule, text, 0, text.len()).end.unwrap();
            automaton.value_of(&mut workspace, rule, text, 0, end)
        };
        assert_eq!(value("key=(?<value>[a-z]{1,9});", "key=abc;def"), (4, 7));
        assert_eq!(value("key=[a-z]{1,9}", "key=abc;"), (0, 7));
        // The group took no part.
        assert_eq!(value("key=(?:(?<value>[a-z])|[0-9])", "key=7"), (0, 5));
        // Of several groups the first that holds a byte.
        let several = "key=(?:(?<value>a{0,3})-|(?<value_2>[b-z]{1,9});|(?<value_3>[0-9]{0,3})!)";
        assert_eq!(value(several, "key=aa-"), (4, 6));
        assert_eq!(value(several, "key=bc;"), (4, 6));
        assert_eq!(value(several, "key=12!"), (4, 6));
        // The match ended where a byte behind it says so.
        assert_eq!(value(r"key(?<value>[a-z]{1,9}?)(?m:$)", "keyab\n"), (3, 5));
    }

    #[test]
    fn first_bytes_are_those_of_every_way_to_begin() {
        let can = |pattern: &str| -> String {
            let first = first_bytes(&syntax::parse_with(pattern, &syntax_config()).unwrap());
            (0..=127u8).filter(|byte| first.contains(*byte)).map(char::from).collect()
        };
        assert_eq!(can("(?:ab|c)d"), "ac");
        assert_eq!(can(r"\b[x-z]?k"), "kxyz");
        assert_eq!(can("(?i)k"), "Kk");
        assert_eq!(can("a*").len(), 128);
    }

    #[test]
    fn a_machine_that_stands_in_the_program_is_that_of_its_pattern() {
        let mut machines = 0;
        for rule in RuleSet::builtin().unwrap().rules.iter() {
            let Some(bytes) = transitions::machine(BUILT_IN, &rule.pattern) else { continue };
            let read = machine::read(bytes).unwrap();
            let compiled = compile(&[&rule.pattern], WhichCaptures::None).unwrap();
            assert_eq!(read.states(), compiled.states(), "{}", rule.id);
            assert_eq!(read.start_anchored(), compiled.start_anchored(), "{}", rule.id);
            machines += 1;
        }
        assert!(machines >= 30, "{machines}");
    }

    /// On examples of the rules, and on what comes of them by small changes, tables say where a value lies
    /// as the machine does; of most rules with a group there are some, and they tell nearly all.
    #[test]
    fn a_value_that_tables_tell_is_that_of_the_machine() {
        let rules = RuleSet::builtin().unwrap();
        let (mut named, mut with_tables, mut told, mut all) = (0, 0, 0, 0);
        for rule in rules.rules.iter() {
            let automaton = Automaton::new(rule).unwrap();
            if !automaton.names_value() {
                continue;
            }
            named += 1;
            let Some(split) = Split::stored(BUILT_IN, &rule.pattern) else { continue };
            with_tables += 1;
            let machine = ValueMachine::new(rule).unwrap();
            let (mut room, mut workspace) = (machine.room(), Workspace::default());
            let examples = rule.examples.iter().map(|example| &example.text);
            for example in examples.chain(&rule.counterexamples) {
                for change in 0..12 {
                    let text = changed(example.as_bytes(), change);
                    for start in 0..text.len() {
                        let limit = start + rule.max_length;
                        let tried = automaton.match_at(&mut workspace, rule, &text, start, limit);
                        let Some(end) = tried.end else { continue };
                        let input = Input::new(&text).span(start..end).anchored(Anchored::Yes);
                        machine.search(&mut room, &input);
                        let group = *machine.groups.first().unwrap();
                        let span = room.captures.get_group(group).unwrap();
                        all += 1;
                        if let Some((from, to)) = split.value(&text[start..end]) {
                            told += 1;
                            let expected = (span.start - start, span.end - start);
                            assert_eq!((from, to), expected, "{} at {start}", rule.id);
                        }
                    }
                }
            }
        }
        assert!(with_tables * 10 >= named * 8, "{with_tables} of {named}");
        assert!(told * 10 >= all * 9, "{told} of {all}");
    }

    /// A text with some of its bytes left out, doubled or put elsewhere; the same each time.
    fn changed(text: &[u8], change: usize) -> Vec<u8> {
        let mut text = text.to_vec();
        for round in 0..change {
            let at = (change * 7919 + round * 104_729) % text.len().max(1);
            let other = text.get(at * 31 % text.len().max(1)).copied().unwrap_or(b' ');
            match (change + round) % 3 {
                _ if text.is_empty() => (),
                0 => drop(text.remove(at)),
                1 => text.insert(at, text[at]),
                _ => text[at] = other,
            }
        }
        text
    }
}
