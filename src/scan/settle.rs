//! From scored matches to final findings: overlaps, combinations, order.
//!
//! Matches come in as their anchors are decided; findings go out in order of start, end and rule id
//! once nothing that is still to come can change them.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::context::Nearby;
use super::plan::{Facts, LINE_WINDOW, Plan};
use super::position::{Positions, chars_in};
use super::{Found, Sink};
use crate::model::{Band, Evidence, Likelihood, Place, RuleIndex, Span};

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
    /// Cell or JSON path.
    pub place: Option<Box<Place>>,
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
    nearby: Nearby,
}

/// The retained text, and what is known of it.
pub struct Retained<'a> {
    /// The view from offset `base` on.
    pub text: &'a [u8],
    /// Offset of its first byte.
    pub base: u64,
    /// Matches that start below this offset are all known.
    pub known: u64,
}

impl Settling {
    /// Takes a match, unless the same rule has already found the same value.
    pub fn add(&mut self, scored: Scored) {
        self.scored.push(scored);
    }

    /// Whether a rule has already found this value, among matches not yet compared.
    pub fn has(&self, rule: RuleIndex, span: Span) -> bool {
        self.scored.iter().rev().take(64).any(|it| it.rule == rule && it.span == span)
    }

    /// The lowest offset that a finding not yet out begins at; `otherwise` without one.
    pub fn first_open(&self, otherwise: u64) -> u64 {
        let scored = self.scored.iter().map(|scored| scored.span.start).min();
        let waiting = self.survivors.get(self.emitted).map(|scored| scored.span.start);
        scored.into_iter().chain(waiting).chain([otherwise]).min().unwrap_or(otherwise)
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
            self.emit(plan, retained, positions, own, sink);
        }
        self.forget(plan, retained.known);
    }

    /// Drops each match that another of its class contains and beats. All matches that start below
    /// `known` are here, and only those that start no later can contain one.
    fn resolve(&mut self, plan: &Plan, known: u64) {
        let mut ready: Vec<(Scored, Facts)> = Vec::new();
        self.scored.retain(|scored| {
            let is_ready = scored.span.start < known;
            if is_ready && let Some(facts) = plan.facts(scored.rule) {
                ready.push((scored.clone(), *facts));
            }
            !is_ready
        });
        // Whoever contains or beats comes first.
        ready.sort_by_key(|(scored, facts)| {
            (scored.span.start, Reverse(scored.span.end), Reverse(strength(scored, facts)))
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
                            && strength(other, others) > strength(&scored, &facts)
                    })
            });
            if !beaten {
                self.longest = self.longest.max(scored.span.len());
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
        sink: &mut impl Sink,
    ) {
        let Some(span) = self.survivors.get(self.emitted).map(|scored| scored.span) else { return };
        let mut group: Vec<Scored> = self
            .survivors
            .iter()
            .skip(self.emitted)
            .take_while(|it| it.span == span)
            .cloned()
            .collect();
        self.emitted += group.len();
        if !own.contains(&span.start) {
            return;
        }
        let raised: Vec<Scored> =
            group.iter().flat_map(|scored| self.combine(plan, retained, scored)).collect();
        for scored in raised {
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
        let index = |offset: u64| {
            usize::try_from(offset.saturating_sub(retained.base)).unwrap_or(usize::MAX)
        };
        let value = retained.text.get(index(span.start)..index(span.end)).unwrap_or_default();
        let position = positions.at(retained.text, retained.base, span.start);
        let is_utf8 = positions.is_utf8_up_to(retained.text, retained.base, span.end);
        let chars = is_utf8.then(|| Span::new(position.chars, position.chars + chars_in(value)));
        let context_hash = self.context_hash(retained, span, positions.line_start());
        for scored in group {
            let Some(facts) = plan.facts(scored.rule) else { continue };
            sink.take(Found {
                rule: scored.rule,
                category: facts.category,
                span,
                chars,
                line: position.line,
                column: position.column,
                likelihood: scored.likelihood,
                evidence: scored.evidence,
                place: scored.place,
                context_hash,
                value,
            });
        }
    }

    /// The combinations that a finding raises together with what is near it.
    fn combine(&mut self, plan: &Plan, retained: &Retained<'_>, scored: &Scored) -> Vec<Scored> {
        let mut raised = Vec::new();
        let Some(facts) = plan.facts(scored.rule) else { return raised };
        if scored.likelihood.band() < Band::Likely {
            return raised;
        }
        for (index, combination) in plan.combinations_of(facts.category) {
            let within = combination.within as u64;
            let (from, to) = (scored.span.start.saturating_sub(within), scored.span.end + within);
            let neighbour = self.survivors_in(from, to).any(|other| {
                (other.rule, other.span) != (scored.rule, scored.span)
                    && other.likelihood.band() >= Band::Likely
                    && other.span.distance(scored.span) <= within
                    && plan
                        .facts(other.rule)
                        .is_some_and(|others| combination.near.contains(&others.category))
            });
            let term = (!combination.terms.is_empty()).then(|| {
                let last = retained.base + retained.text.len() as u64;
                let from = scored.span.start.saturating_sub(within).max(retained.base);
                let to = (scored.span.end + within).min(last);
                self.nearby.nearest(
                    plan.terms(),
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
                    place: scored.place.clone(),
                });
            }
        }
        raised
    }

    /// The survivors that may touch `from..=to`, and some before.
    fn survivors_in(&self, from: u64, to: u64) -> impl Iterator<Item = &Scored> {
        let earliest = from.saturating_sub(self.longest);
        let first = self.survivors.partition_point(|scored| scored.span.start < earliest);
        self.survivors.iter().skip(first).take_while(move |scored| scored.span.start <= to)
    }

    /// Hash of the text around a value on its line, findings blanked and white space folded.
    fn context_hash(&self, retained: &Retained<'_>, span: Span, line_start: u64) -> u64 {
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
        let mut blanks: Vec<(usize, usize)> = self
            .survivors_in(retained.base + from as u64, retained.base + to as u64)
            .map(|other| (index(other.span.start), index(other.span.end)))
            .filter(|(start, end)| *start < to && *end > from)
            .collect();
        blanks.sort_unstable();
        let mut hash = SipHasher13::new();
        let mut at = from;
        for (start, end) in blanks.into_iter().chain([(to, to)]) {
            if let Some(part) = text.get(at..start.max(at)) {
                part.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).for_each(
                    |word| {
                        hash.write(word);
                        hash.write_u8(b' ');
                    },
                );
            }
            if start < to && end > at {
                hash.write_u8(0);
            }
            at = at.max(end);
        }
        // 0 is kept for "unknown".
        hash.finish().max(1)
    }

    /// Forgets findings that are out and that nothing still to come can stand near to.
    fn forget(&mut self, plan: &Plan, known: u64) {
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
            self.longest = 0;
        }
        if known < u64::MAX {
            let margin = plan.neighbourhood() + super::context::MAX_TERM as u64;
            self.nearby.forget_below(open.unwrap_or(known).min(known).saturating_sub(margin));
        }
    }
}

/// The strict order that decides between overlapping findings: validated, then likelihood, then
/// length, then the lower rule id.
fn strength(scored: &Scored, facts: &Facts) -> (bool, Likelihood, u64, Reverse<u32>) {
    (scored.evidence.validator, scored.likelihood, scored.span.len(), Reverse(facts.rank))
}
