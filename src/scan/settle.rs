//! From scored matches to final findings: overlaps, combinations, order.
//!
//! Matches come in as their anchors are decided; findings go out in order of start, end and rule id
//! once nothing that is still to come can change them.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::context::Nearby;
use super::first_words::FirstWords;
use super::plan::{Combined, Facts, LINE_WINDOW, Plan};
use super::position::{Positions, chars_in};
use super::structure::Tracker;
use super::{Found, Sink};
use crate::model::{Band, Evidence, Likelihood, RuleIndex, Span};

/// A validated and scored match.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The rule, or the combination.
    pub rule: RuleIndex,
    /// The value in the view.
    pub span: Span,
    /// How sure it is.
    pub likelihood: Likelihood,
    /// Why.
    pub evidence: Evidence,
}

/// Matches on their way to findings.
#[derive(Debug, Default)]
pub struct Settling {
    /// Not yet compared with what overlaps them.
    scored: Vec<Scored>,
    /// Compared, in order. The first `emitted` are out and kept for their neighbours.
    survivors: VecDeque<Scored>,
    emitted: usize,
    /// No survivor is longer than this.
    longest: u64,
    /// The combinations that look for one of the survivors, one bit each: see [`Facts::near`].
    sought: u64,
    /// Room for what goes out together.
    group: Vec<Scored>,
    raised: Vec<Scored>,
    /// Room for what a context hash leaves out, and for what it takes.
    blanks: Vec<(usize, usize)>,
    words: Vec<u8>,
    /// What was hashed last, as offsets, and its hash: all values of a short line have the same.
    hashed: Option<(u64, u64, u64)>,
}

/// The retained text, and what is known of it.
pub struct Retained<'a> {
    /// The view from offset `base` on.
    pub text: &'a [u8],
    /// Offset of its first byte.
    pub base: u64,
    /// Says where in the view a finding is.
    pub tracker: &'a Tracker,
    /// Matches that start below this offset are all known.
    pub known: u64,
}

impl Settling {
    /// Takes a match. Of several of one rule with one span one is left.
    pub fn add(&mut self, scored: Scored) {
        self.scored.push(scored);
    }

    /// Forgets everything: the next view begins.
    pub fn clear(&mut self) {
        self.scored.clear();
        self.survivors.clear();
        (self.emitted, self.longest, self.sought) = (0, 0, 0);
        self.hashed = None;
    }

    /// The lowest offset that a finding not yet out begins at; `otherwise` without one.
    pub fn first_open(&self, otherwise: u64) -> u64 {
        let scored = self.scored.iter().map(|scored| scored.span.start).min();
        let waiting = self.survivors.get(self.emitted).map(|scored| scored.span.start);
        scored.into_iter().chain(waiting).chain([otherwise]).min().unwrap_or(otherwise)
    }

    /// Room for matches, in bytes without their places: what was held at most.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        (self.scored.capacity() + self.survivors.capacity()) * size_of::<Scored>()
            + self.blanks.capacity() * size_of::<(usize, usize)>()
            + self.words.capacity()
    }

    /// Whether nothing is on its way.
    pub fn is_idle(&self) -> bool {
        self.scored.is_empty() && self.emitted == self.survivors.len()
    }

    /// Compares what can be compared, and gives out the findings that are final.
    pub fn settle(
        &mut self,
        plan: &Plan,
        retained: &Retained<'_>,
        positions: &mut Positions,
        own: &std::ops::Range<u64>,
        (nearby, words): (&mut Nearby, &mut FirstWords),
        sink: &mut impl Sink,
    ) {
        if self.is_idle() {
            return;
        }
        self.resolve(plan, retained.known);
        while let Some(next) = self.survivors.get(self.emitted) {
            let horizon = plan.neighbourhood() + super::context::MAX_TERM as u64 + 8;
            if next.span.end.saturating_add(horizon) > retained.known {
                break;
            }
            let nearby = (&mut *nearby, &mut *words);
            self.emit(plan, retained, positions, own, nearby, sink);
        }
        self.forget(plan);
    }

    /// Drops each match that another of its class contains and beats. All matches that start below
    /// `known` are here, and only those that start no later can contain one.
    fn resolve(&mut self, plan: &Plan, known: u64) {
        let is_ready = |scored: &mut Scored| scored.span.start < known;
        let with_facts = |scored: Scored| plan.facts(scored.rule).map(|facts| (scored, facts));
        let mut ready: Vec<(Scored, &Facts)> =
            self.scored.extract_if(.., is_ready).filter_map(with_facts).collect();
        // Whoever contains or beats comes first.
        ready.sort_by(|(one, facts), (other, others)| {
            let (start, end) =
                (one.span.start.cmp(&other.span.start), other.span.end.cmp(&one.span.end));
            let stronger = || strength(other, others).cmp(&strength(one, facts));
            start.then(end).then_with(stronger)
        });
        let first = self.survivors.len();
        for (scored, facts) in ready {
            let longest = self.longest;
            let may_contain = |other: &&Scored| other.span.start + longest >= scored.span.end;
            let beaten = self.survivors.iter().rev().take_while(may_contain).any(|other| {
                other.span.contains(scored.span)
                    && plan.facts(other.rule).is_some_and(|others| {
                        let same = other.rule == scored.rule && other.span == scored.span;
                        same || others.class == facts.class
                            && others.sensitivity >= facts.sensitivity
                            && strength(other, others) > strength(&scored, facts)
                    })
            });
            if !beaten {
                self.longest = self.longest.max(scored.span.len());
                self.sought |= sought_by(&scored, facts);
                self.survivors.push_back(scored);
            }
        }
        let rank = |scored: &Scored| plan.facts(scored.rule).map_or(0, |facts| facts.rank);
        if let Some(fresh) = self.survivors.make_contiguous().get_mut(first..) {
            fresh.sort_by_key(|scored| (scored.span, rank(scored)));
        }
    }

    /// Gives out the next findings, all of one span, with the combinations that rest on them.
    fn emit(
        &mut self,
        plan: &Plan,
        retained: &Retained<'_>,
        positions: &mut Positions,
        own: &std::ops::Range<u64>,
        (nearby, words): (&mut Nearby, &mut FirstWords),
        sink: &mut impl Sink,
    ) {
        let Some(span) = self.survivors.get(self.emitted).map(|scored| scored.span) else { return };
        let (mut group, mut raised) =
            (std::mem::take(&mut self.group), std::mem::take(&mut self.raised));
        group.clear();
        while let Some(next) = self.survivors.get(self.emitted).filter(|it| it.span == span) {
            group.push(next.clone());
            self.emitted += 1;
        }
        if own.contains(&span.start) {
            for scored in &group {
                let nearby = (&mut *nearby, &mut *words);
                self.combine(plan, retained, nearby, scored, &mut raised);
            }
            for scored in raised.drain(..) {
                // What is only surer of the same category takes the place of what it rests on.
                let category = |rule| plan.facts(rule).map(|facts| facts.category);
                group.retain(|other| {
                    scored.evidence.rests_on != Some(other.rule)
                        || category(other.rule) != category(scored.rule)
                        || other.likelihood >= scored.likelihood
                });
                if !group.iter().any(|other| other.rule == scored.rule) {
                    group.push(scored);
                }
            }
            group.sort_by_key(|scored| plan.facts(scored.rule).map(|facts| facts.rank));
            self.give_out(plan, retained, positions, (span, &mut group), sink);
        }
        (self.group, self.raised) = (group, raised);
    }

    /// Gives out findings of one span.
    fn give_out(
        &mut self,
        plan: &Plan,
        retained: &Retained<'_>,
        positions: &mut Positions,
        (span, group): (Span, &mut Vec<Scored>),
        sink: &mut impl Sink,
    ) {
        let index = |offset: u64| {
            usize::try_from(offset.saturating_sub(retained.base)).unwrap_or(usize::MAX)
        };
        let value = retained.text.get(index(span.start)..index(span.end)).unwrap_or_default();
        let mut place = retained.tracker.place(span.start).map(Box::new);
        let mut surroundings = None;
        let last = group.len().saturating_sub(1);
        for (number, scored) in group.drain(..).enumerate() {
            let place = if number == last { place.take() } else { place.clone() };
            let Some(facts) = plan.facts(scored.rule) else { continue };
            let mut found = Found {
                rule: scored.rule,
                category: facts.category,
                span,
                chars: None,
                line: 0,
                column: 0,
                likelihood: scored.likelihood,
                evidence: scored.evidence,
                place,
                context_hash: 0,
                value,
            };
            if !sink.is_counted_alone(&found) {
                let (chars, line, column, context_hash) = *surroundings.get_or_insert_with(|| {
                    let position = positions.at(retained.text, retained.base, span.start);
                    let is_utf8 = positions.is_utf8_up_to(retained.text, retained.base, span.end);
                    let first = position.chars;
                    let chars = is_utf8.then(|| Span::new(first, first + chars_in(value)));
                    let hash = match sink.wants_context_hash() {
                        true => self.context_hash(retained, span, positions.line_start()),
                        false => 0,
                    };
                    (chars, position.line, position.column, hash)
                });
                found = Found { chars, line, column, context_hash, ..found };
            }
            sink.take(found);
        }
    }

    /// Adds the combinations that a finding raises together with what is near it.
    fn combine(
        &self,
        plan: &Plan,
        retained: &Retained<'_>,
        (nearby, words): (&mut Nearby, &mut FirstWords),
        scored: &Scored,
        raised: &mut Vec<Scored>,
    ) {
        let Some(facts) = plan.facts(scored.rule) else { return };
        if scored.likelihood.band() < Band::Likely {
            return;
        }
        let Some(all) = plan.combining(facts.category) else { return };
        let looked = (scored.span, all.farthest);
        let has_terms = has_terms(plan, retained, (nearby, words), looked);
        if !has_terms && self.sought & all.bits == 0 {
            return;
        }
        let around =
            |within: u64| (scored.span.start.saturating_sub(within), scored.span.end + within);
        let (from, to) = around(all.farthest);
        let near = self.survivors_in(from, to);
        let near = near
            .fold(0, |bits, it| bits | plan.facts(it.rule).map_or(0, |facts| sought_by(it, facts)));
        if !has_terms && near & all.bits == 0 {
            return;
        }
        for Combined { index, bit, combination } in plan.combinations(all) {
            let within = combination.within as u64;
            let (from, to) = around(within);
            let neighbour = near & bit != 0
                && self.survivors_in(from, to).any(|other| {
                    plan.facts(other.rule)
                        .is_some_and(|others| combination.near.contains(&others.category))
                        && other.likelihood.band() >= Band::Likely
                        && other.span.distance(scored.span) <= within
                        && (other.rule, other.span) != (scored.rule, scored.span)
                });
            let term = (has_terms && !combination.terms.is_empty()).then(|| {
                let last = retained.base + retained.text.len() as u64;
                let from = scored.span.start.saturating_sub(within).max(retained.base);
                let to = (scored.span.end + within).min(last);
                nearby.search(words, plan.terms()).nearest(
                    retained.text,
                    retained.base,
                    (from, scored.span.start),
                    (scored.span.end, to),
                    &combination.terms,
                )
            });
            let term = term.flatten().map(|nearest| nearest.term);
            if neighbour || term.is_some() {
                raised.push(Scored {
                    rule: index,
                    span: scored.span,
                    likelihood: Likelihood::new(u32::from(combination.likelihood)),
                    evidence: Evidence {
                        context: term,
                        rests_on: Some(scored.rule),
                        ..Evidence::default()
                    },
                });
            }
        }
    }

    /// The survivors that may touch `from..=to`, and some before.
    fn survivors_in(&self, from: u64, to: u64) -> impl Iterator<Item = &Scored> {
        let earliest = from.saturating_sub(self.longest);
        let first = self.survivors.partition_point(|scored| scored.span.start < earliest);
        self.survivors.iter().skip(first).take_while(move |scored| scored.span.start <= to)
    }

    /// Hash of the text around a value on its line, findings blanked and white space folded.
    fn context_hash(&mut self, retained: &Retained<'_>, span: Span, line_start: u64) -> u64 {
        let text = retained.text;
        let index = |offset: u64| {
            usize::try_from(offset.saturating_sub(retained.base))
                .unwrap_or(usize::MAX)
                .min(text.len())
        };
        let from = index(span.start.saturating_sub(LINE_WINDOW).max(line_start));
        let (end, last) = (index(span.end), index(span.end + LINE_WINDOW));
        let rest = text.get(end..last).unwrap_or_default();
        let to = end + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let hashed = (retained.base + from as u64, retained.base + to as u64);
        if let Some((first, last, hash)) = self.hashed
            && (first, last) == hashed
        {
            return hash;
        }
        let (mut blanks, mut words) =
            (std::mem::take(&mut self.blanks), std::mem::take(&mut self.words));
        let near = self.survivors_in(retained.base + from as u64, retained.base + to as u64);
        let near = near.map(|other| (index(other.span.start), index(other.span.end)));
        blanks.extend(near.filter(|(start, end)| *start < to && *end > from));
        blanks.sort_unstable();
        // A hash takes one long text sooner than many short ones.
        let mut at = from;
        for (start, end) in blanks.drain(..).chain([(to, to)]) {
            fold_spaces(text.get(at..start.max(at)).unwrap_or_default(), &mut words);
            if start < to && end > at {
                words.push(0);
            }
            at = at.max(end);
        }
        let mut hash = SipHasher13::new();
        hash.write(&words);
        words.clear();
        (self.blanks, self.words) = (blanks, words);
        // 0 is kept for "unknown".
        let hash = hash.finish().max(1);
        self.hashed = Some((hashed.0, hashed.1, hash));
        hash
    }

    /// Forgets findings that are out and that nothing still to come can stand near to.
    fn forget(&mut self, plan: &Plan) {
        let open = self.survivors.get(self.emitted).map(|scored| scored.span.start);
        let open = open.or_else(|| self.scored.iter().map(|scored| scored.span.start).min());
        while self.emitted > 0
            && let Some(oldest) = self.survivors.front()
            && open.is_none_or(|open| oldest.span.end + plan.neighbourhood() < open)
        {
            self.survivors.pop_front();
            self.emitted -= 1;
        }
        if self.survivors.is_empty() {
            (self.longest, self.sought) = (0, 0);
        }
    }
}

/// Appends a text with each white space folded to one blank, none at its beginning and one at its end.
fn fold_spaces(text: &[u8], folded: &mut Vec<u8>) {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    // Most texts are as they are to be, which is seen in a few looks at sixteen bytes.
    let is_other = |byte: &u8| (*byte != b' ') & byte.is_ascii_whitespace();
    let has_other = text.iter().fold(false, |any, byte| any | is_other(byte));
    let behind = text.get(1..).unwrap_or_default();
    let pairs = text.iter().zip(behind);
    let has_two = pairs.fold(false, |any, (one, next)| any | ((*one == b' ') & (*next == b' ')));
    if !has_other && !has_two && text.first() != Some(&b' ') {
        folded.extend_from_slice(text);
        if text.last().is_some_and(|last| *last != b' ') {
            folded.push(b' ');
        }
        return;
    }
    for word in text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        folded.extend_from_slice(word);
        folded.push(b' ');
    }
}

/// Whether any term that a combination looks for stands near enough to a finding: the text is read once for
/// all combinations, and most findings have none.
fn has_terms(
    plan: &Plan,
    retained: &Retained<'_>,
    (nearby, words): (&mut Nearby, &mut FirstWords),
    (span, within): (Span, u64),
) -> bool {
    let last = retained.base + retained.text.len() as u64;
    let from = span.start.saturating_sub(within).max(retained.base);
    let to = (span.end + within).min(last);
    let mut search = nearby.search(words, plan.terms());
    search.holds_any(retained.text, retained.base, (from, to), plan.combination_terms())
}

/// The combinations that look for a finding, one bit each.
fn sought_by(scored: &Scored, facts: &Facts) -> u64 {
    if scored.likelihood.band() >= Band::Likely { facts.near } else { 0 }
}

/// The strict order that decides between overlapping findings: validated, then likelihood, then
/// length, then the lower rule id.
fn strength(scored: &Scored, facts: &Facts) -> (bool, Likelihood, u64, Reverse<u32>) {
    (scored.evidence.validator, scored.likelihood, scored.span.len(), Reverse(facts.rank))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::decode::Structure;
    use crate::rules::RuleSet;
    use crate::scan::sample::{self, PROSE, index};
    use crate::scan::sweep::Kernel;

    const KEY: &str = "anchors = { keywords = [\"key\"] }";

    /// Rules of two classes and two sensitivities, and combinations on one of them.
    fn rules() -> Arc<RuleSet> {
        let more_sensitive = format!("{KEY}\ncategory = \"sec.y\"");
        let combinations = format!(
            "[[combination]]\nid = \"phi.near\"\ncategory = \"phi.x\"\nof = [\"pii.x\"]\n\
             near = {{ categories = [\"sec.x\"], terms = [\"ill\"] }}\nwithin = 20\nlikelihood = 85\n{PROSE}\
             [[combination]]\nid = \"pii.surer\"\ncategory = \"pii.x\"\nof = [\"pii.x\"]\n\
             near = {{ terms = [\"sure\"] }}\nwithin = 20\nlikelihood = 99\n{PROSE}"
        );
        let plain = [
            ("sec.a", "key", KEY),
            ("sec.b", "key", KEY),
            ("sec.high", "key", &more_sensitive),
            ("pii.c", "key", KEY),
        ];
        sample::rules(&plain, &combinations)
    }

    struct Match(&'static str, std::ops::Range<u64>, u32, bool);

    #[test]
    fn white_space_is_folded() {
        let plain = |text: &[u8]| -> Vec<u8> {
            let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            words.flat_map(|word| [word, b" "].concat()).collect()
        };
        let long = "a b".repeat(40);
        let texts =
            ["", " ", "  ", "a", " a", "a ", "a b", "a  b", "  a b", "a b  ", "a\tb", "\t a b\n"];
        for text in texts.into_iter().chain([long.as_str()]) {
            let mut folded = Vec::new();
            fold_spaces(text.as_bytes(), &mut folded);
            assert_eq!(folded, plain(text.as_bytes()), "{text:?}");
        }
    }

    /// What is left of matches in a text, as `rule start..end`, and in which order. All that start
    /// below each number of `known` are there when it is reached.
    fn settled(
        text: &[u8],
        matches: &[Match],
        known: &[u64],
        own: std::ops::Range<u64>,
    ) -> Vec<String> {
        let rules = rules();
        let plan = Plan::new(rules.clone(), Kernel::Portable);
        let mut settling = Settling::default();
        let mut positions = Positions::new(0);
        let mut found = Vec::new();
        let mut before = 0;
        for known in known.iter().copied().chain([u64::MAX]) {
            for Match(rule, span, likelihood, validator) in matches {
                if (before..known).contains(&span.start) {
                    settling.add(Scored {
                        rule: index(&rules, rule),
                        span: Span::new(span.start, span.end),
                        likelihood: Likelihood::new(*likelihood),
                        evidence: Evidence { validator: *validator, ..Evidence::default() },
                    });
                }
            }
            before = known;
            let tracker = &Tracker::new(Structure::Text, 0);
            let retained = Retained { text, base: 0, tracker, known };
            let mut take = |it: Found<'_>| {
                let rule = rules.rule_id(it.rule);
                found.push(format!("{rule} {}..{}", it.span.start, it.span.end));
                assert_eq!(it.value, &text[it.span.start as usize..it.span.end as usize]);
            };
            let nearby = (&mut Nearby::of_combinations(), &mut FirstWords::default());
            settling.settle(&plan, &retained, &mut positions, &own, nearby, &mut take);
        }
        assert!(settling.is_idle() && settling.first_open(7) == 7);
        found
    }

    fn all(matches: &[Match]) -> Vec<String> {
        let text = vec![b'.'; 2000];
        let at_once = settled(&text, matches, &[], 0..u64::MAX);
        for known in [&[11, 500][..], &[5, 10, 12, 900], &[300]] {
            assert_eq!(settled(&text, matches, known, 0..u64::MAX), at_once, "{known:?}");
        }
        at_once
    }

    #[test]
    fn what_contains_and_beats_takes_the_place() {
        // Longer, at the same likelihood.
        assert_eq!(
            all(&[Match("sec.a", 12..15, 70, false), Match("sec.b", 10..20, 70, false)]),
            ["sec.b 10..20"]
        );
        // Surer, shorter: the longer one stays, and does not beat it.
        let both = ["sec.b 10..20", "sec.a 12..15"];
        assert_eq!(
            all(&[Match("sec.a", 12..15, 71, false), Match("sec.b", 10..20, 70, false)]),
            both
        );
        assert_eq!(
            all(&[Match("sec.a", 12..15, 70, true), Match("sec.b", 10..20, 99, false)]),
            both
        );
        // One span: the surer, then the lower id.
        assert_eq!(
            all(&[Match("sec.a", 10..20, 70, false), Match("sec.b", 10..20, 71, false)]),
            ["sec.b 10..20"]
        );
        assert_eq!(
            all(&[Match("sec.b", 10..20, 70, false), Match("sec.a", 10..20, 70, false)]),
            ["sec.a 10..20"]
        );
        // Overlap is not containment.
        let overlap = ["sec.b 10..20", "sec.a 15..25"];
        assert_eq!(
            all(&[Match("sec.a", 15..25, 70, false), Match("sec.b", 10..20, 90, false)]),
            overlap
        );
    }

    #[test]
    fn no_finding_shadows_a_more_sensitive_one_or_another_class() {
        let found = all(&[Match("sec.high", 12..15, 70, false), Match("sec.b", 10..20, 99, true)]);
        assert_eq!(found, ["sec.b 10..20", "sec.high 12..15"]);
        let found = all(&[Match("sec.a", 12..15, 70, false), Match("sec.high", 10..20, 90, false)]);
        assert_eq!(found, ["sec.high 10..20"]);
        let found = all(&[Match("pii.c", 12..15, 60, false), Match("sec.b", 10..20, 99, true)]);
        assert_eq!(found, ["sec.b 10..20", "pii.c 12..15"]);
    }

    #[test]
    fn a_match_found_twice_is_one_and_findings_come_in_order() {
        let found = all(&[
            Match("sec.b", 10..20, 70, false),
            Match("pii.c", 10..12, 61, false),
            Match("sec.b", 10..20, 70, false),
            Match("pii.c", 10..20, 60, false),
            Match("sec.a", 4..9, 70, false),
            Match("sec.a", 1500..1509, 70, false),
        ]);
        assert_eq!(
            found,
            ["sec.a 4..9", "pii.c 10..12", "pii.c 10..20", "sec.b 10..20", "sec.a 1500..1509"]
        );
    }

    #[test]
    fn combinations_need_a_likely_finding_and_something_near() {
        let near = |neighbour: std::ops::Range<u64>, likelihood, base| {
            let matches = [
                Match("pii.c", 100..110, base, false),
                Match("sec.a", neighbour, likelihood, false),
            ];
            all(&matches).iter().any(|found| found == "phi.near 100..110")
        };
        assert!(near(130..140, 70, 70) && near(70..80, 70, 70) && near(105..108, 70, 70));
        assert!(!near(131..140, 70, 70) && !near(69..79, 70, 70), "too far");
        assert!(!near(130..140, 64, 70), "only possible");
        assert!(!near(130..140, 70, 64), "rests on a possible one");
        let with = |text: &[u8], known: &[u64]| {
            settled(text, &[Match("pii.c", 30..33, 70, false)], known, 0..u64::MAX)
        };
        for known in [&[][..], &[31], &[30, 33, 53, 200]] {
            let text = |term: &str, at: usize| {
                let mut text = vec![b'.'; 300];
                text[at..at + term.len()].copy_from_slice(term.as_bytes());
                text
            };
            assert_eq!(with(&text("ill", 50), known), ["phi.near 30..33", "pii.c 30..33"]);
            assert_eq!(with(&text("ill", 10), known), ["phi.near 30..33", "pii.c 30..33"]);
            assert_eq!(with(&text("ill", 51), known), ["pii.c 30..33"]);
            assert_eq!(with(&text("ill", 9), known), ["pii.c 30..33"]);
            // What is only surer of the same category takes the place of what it rests on.
            assert_eq!(with(&text("sure", 40), known), ["pii.surer 30..33"]);
        }
    }

    #[test]
    fn a_segment_gives_out_its_own_and_sees_the_rest() {
        let matches = [Match("pii.c", 100..110, 70, false), Match("sec.a", 112..120, 70, false)];
        let text = [b'.'; 300];
        assert_eq!(settled(&text, &matches, &[], 0..112), ["phi.near 100..110", "pii.c 100..110"]);
        assert_eq!(settled(&text, &matches, &[], 112..300), ["sec.a 112..120"]);
    }

    /// A container that starts far before, and a neighbour that went out long ago.
    #[test]
    fn survivors_are_kept_as_long_as_they_matter_and_no_longer() {
        let found = all(&[
            Match("sec.b", 0..1900, 90, false),
            Match("sec.a", 1800..1810, 70, false),
            Match("pii.c", 1850..1860, 70, false),
        ]);
        assert_eq!(found, ["sec.b 0..1900", "phi.near 1850..1860", "pii.c 1850..1860"]);

        let rules = rules();
        let plan = Plan::new(rules.clone(), Kernel::Portable);
        let (mut settling, mut positions) = (Settling::default(), Positions::new(0));
        let (mut nearby, mut words) = (Nearby::of_combinations(), FirstWords::default());
        let text = vec![b'.'; 100_000];
        for start in (0..90_000).step_by(10) {
            settling.add(Scored {
                rule: index(&rules, "sec.a"),
                span: Span::new(start, start + 9),
                likelihood: Likelihood::new(90),
                evidence: Evidence::default(),
            });
            let tracker = &Tracker::new(Structure::Text, 0);
            let retained = Retained { text: &text, base: 0, tracker, known: start + 1 };
            settling.settle(
                &plan,
                &retained,
                &mut positions,
                &(0..u64::MAX),
                (&mut nearby, &mut words),
                &mut |_: Found<'_>| {},
            );
            assert!(settling.survivors.len() + settling.scored.len() < 60);
        }
    }

    #[test]
    fn the_hash_of_a_line_does_not_depend_on_its_findings_or_white_space() {
        let hash = |text: &str, starts: &[u64], line_start| {
            let mut settling = Settling {
                survivors: starts
                    .iter()
                    .map(|start| Scored {
                        rule: RuleIndex(0),
                        span: Span::new(*start, start + 3),
                        likelihood: Likelihood::new(90),
                        evidence: Evidence::default(),
                    })
                    .collect(),
                longest: 3,
                ..Settling::default()
            };
            let tracker = &Tracker::new(Structure::Text, 0);
            let retained = Retained { text: text.as_bytes(), base: 0, tracker, known: u64::MAX };
            let mut of = |start: u64| {
                settling.context_hash(&retained, Span::new(start, start + 3), line_start)
            };
            // The last value is asked for when the hash of its line may be at hand, or one of another.
            let hash = of(starts[0]);
            of(text.len() as u64);
            assert_eq!((of(starts[0]), of(starts[starts.len() - 1])), (hash, hash));
            hash
        };
        let plain = hash("a 123 b 456 c", &[2, 8], 0);
        assert_eq!(hash("a 789 b 012 c", &[2, 8], 0), plain);
        assert_eq!(hash("a  789\tb 012   c", &[3, 9], 0), plain);
        assert_eq!(hash("x\na 123 b 456 c\nmore", &[4, 10], 2), plain);
        assert_ne!(hash("a 123 b 456 d", &[2, 8], 0), plain);
        assert_ne!(hash("a 123 b 456 c", &[2], 0), plain);
    }
}
