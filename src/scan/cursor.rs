//! The state of one scan, and the steps that move it on.
//!
//! INVARIANT: what is found depends on the view alone, not on where `advance` was called: an anchor
//! is decided only when all bytes that its rules may look at are there, or the view has ended.

use std::collections::VecDeque;
use std::ops::Range;

use super::Sink;
use super::automaton::Workspace;
use super::columns::Columns;
use super::context::{Nearby, TermsNearby};
#[cfg(feature = "hyperscan")]
use super::ends::Ends;
use super::plan::Plan;
use super::position::Positions;
use super::score::{Surroundings, score, seek};
use super::settle::{Retained, Scored, Settling};
use super::shortlist::Shortlist;
use super::sieve::{Seen, Walked};
use super::starts::{Starts, View, find_match};
use super::structure::Tracker;
use super::sweep::{Anchor, AnchorKind, LOOK_AHEAD, LOOK_BEHIND, Scratch};
use super::unless;
use super::validate::{self, Candidate, Verdict};
use super::work::Work;
use crate::model::{RuleIndex, Span};
use crate::rules::Rule;

/// Bytes of a view that are swept before the anchors found in them are decided.
const STRIDE: usize = 4096;

/// The state of one scan of one view. The caller owns the bytes and may drop those below
/// [`Progress::needed_from`].
#[derive(Debug)]
pub struct Cursor {
    /// Findings that start here are given out; a segment leaves its surroundings to others.
    own: Range<u64>,
    swept: u64,
    pending: VecDeque<Waiting>,
    seen: Seen,
    settling: Settling,
    nearby: TermsNearby,
    /// The same for what settles, which is some way behind.
    behind: Nearby,
    columns: Columns,
    tracker: Tracker,
    positions: Positions,
    workspaces: Vec<Workspace>,
    shortlist: Shortlist,
    /// Room for the rules to be tried at an anchor.
    left: Vec<usize>,
    /// By rule, for rules whose matches begin before their anchors.
    starts: Vec<Starts>,
    /// Rules that were tried in this view: only theirs is to be put back for the next.
    tried: Vec<usize>,
    scratch: Scratch,
    anchors: Vec<Anchor>,
    bytes_read: Vec<u64>,
    /// Where it is asked for.
    work: Option<Box<Work>>,
    #[cfg(feature = "hyperscan")]
    ends: Ends,
}

/// An anchor that is not decided yet.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    at: u64,
    kind: AnchorKind,
    /// What the walk of its sieve has come to, where that is known already.
    walked: Option<Walked>,
}

/// How far a scan has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// No finding still to come, and no change to a known one, touches a byte below this offset.
    pub final_to: u64,
    /// Bytes below this offset are not looked at again.
    pub needed_from: u64,
}

impl Cursor {
    /// A scan of a view that begins at offset `start`.
    pub fn new(plan: &Plan, tracker: Tracker, start: u64) -> Cursor {
        Cursor::segment(plan, tracker, Positions::new(start), start, start..u64::MAX)
    }

    /// A scan that begins at offset `start` and gives out what starts in `own`. `tracker` and
    /// `positions` have followed the view up to `start`. Findings are those of a scan of the whole
    /// view if `start` lies [`Plan::reach`] before `own`, or at the start of the view, and the text
    /// goes on for as much behind it, or to the end of the view.
    pub fn segment(
        plan: &Plan,
        tracker: Tracker,
        positions: Positions,
        start: u64,
        own: Range<u64>,
    ) -> Cursor {
        let rules = plan.rules().rules.len();
        Cursor {
            own,
            swept: start,
            pending: VecDeque::new(),
            seen: Seen::default(),
            settling: Settling::default(),
            nearby: TermsNearby::default(),
            behind: Nearby::of_combinations(),
            columns: Columns::default(),
            tracker,
            positions,
            workspaces: (0..rules).map(|_| Workspace::default()).collect(),
            shortlist: Shortlist::new(plan),
            left: Vec::new(),
            starts: vec![Starts::default(); rules],
            tried: Vec::new(),
            scratch: Scratch::default(),
            anchors: Vec::new(),
            bytes_read: vec![0; rules],
            work: None,
            #[cfg(feature = "hyperscan")]
            ends: Ends::default(),
        }
    }

    /// Begins another view, keeping the room that was made for the last one.
    pub fn restart(&mut self, tracker: Tracker, positions: Positions, start: u64, own: Range<u64>) {
        self.own = own;
        self.swept = start;
        self.pending.clear();
        self.settling.clear();
        self.nearby.clear();
        self.behind.clear();
        self.columns.clear();
        self.shortlist.restart();
        self.tracker = tracker;
        self.positions = positions;
        #[cfg(feature = "hyperscan")]
        self.ends.restart();
        for position in self.tried.drain(..) {
            if let Some(starts) = self.starts.get_mut(position) {
                starts.clear();
            }
            if let Some(read) = self.bytes_read.get_mut(position) {
                *read = 0;
            }
        }
    }

    /// Bytes that each rule's automaton has read so far, by position of the rule.
    pub fn bytes_read(&self) -> &[u64] {
        &self.bytes_read
    }

    /// Bytes that the automata which rules share have read so far.
    pub fn shared_bytes_read(&self) -> u64 {
        self.shortlist.bytes_read().sum()
    }

    /// Counts work from now on.
    pub fn count_work(&mut self, plan: &Plan) {
        self.work = Some(Box::new(Work::new(plan)));
    }

    /// What was done since it was counted, that of the view that has ended; counting begins anew.
    pub fn take_work(&mut self, plan: &Plan) -> Option<Work> {
        let work = self.work.replace(Box::new(Work::new(plan)))?;
        Some(work.with_reads(&self.bytes_read, self.shortlist.bytes_read()))
    }

    /// Scans as far as the text permits. `text` begins at offset `base`, which is not above the
    /// last `needed_from`, and holds all that has arrived; `is_last` says that nothing follows.
    pub fn advance(
        &mut self,
        plan: &Plan,
        text: &[u8],
        base: u64,
        is_last: bool,
        sink: &mut impl Sink,
    ) -> Progress {
        let view = View { text, base, is_last };
        let sure = if is_last { text.len() } else { text.len().saturating_sub(LOOK_AHEAD) };
        loop {
            let from = view.index(self.swept);
            let to = sure.min(from + STRIDE);
            if from < to {
                self.find_anchors(plan, view, (from, to));
                if let Some(work) = &mut self.work {
                    work.swept += (to - from) as u64;
                }
                #[cfg(feature = "hyperscan")]
                self.ends.sweep(plan, to - from);
                self.swept = view.offset(to);
            }
            self.decide_anchors(plan, view);
            let (tracker, known) = (&self.tracker, self.known(plan, view));
            let retained = Retained { text, base, tracker, known };
            let positions = &mut self.positions;
            let nearby = (&mut self.behind, &mut self.nearby.words);
            self.settling.settle(plan, &retained, positions, &self.own, nearby, sink);
            if from >= to {
                break;
            }
            // At each stride, since what is followed leaves marks until it is forgotten.
            let final_to = self.final_to(plan, view);
            self.release(plan, view, final_to);
        }
        let final_to = self.final_to(plan, view);
        if is_last {
            return Progress { final_to, needed_from: view.end() };
        }
        let needed = self.release(plan, view, final_to);
        self.positions.advance(text, base, needed);
        let needed_from = needed.min(self.positions.needs_from()).max(base);
        Progress { final_to, needed_from }
    }

    /// Offset below which nothing is open.
    fn final_to(&self, plan: &Plan, view: View<'_>) -> u64 {
        let known = self.known(plan, view);
        self.settling.first_open(known).min(known).min(view.end())
    }

    /// Lets the tracker pass what no question can be about any more, and says what is needed.
    fn release(&mut self, plan: &Plan, view: View<'_>, final_to: u64) -> u64 {
        let margin = plan.look_behind().max(plan.neighbourhood() + 80).max(LOOK_BEHIND as u64);
        let needed = final_to.saturating_sub(margin).clamp(view.base, view.end());
        view.follow(&mut self.tracker, needed);
        self.tracker.forget_below(needed);
        self.columns.forget_cell();
        self.nearby.forget_below(needed);
        self.behind.forget_below(needed);
        needed
    }

    /// Offset below which the start of every match is known.
    fn known(&self, plan: &Plan, view: View<'_>) -> u64 {
        let lead = plan.max_lead(self.tracker.has_names());
        match self.pending.front() {
            Some(next) => next.at.saturating_sub(lead),
            None if view.is_last && self.swept >= view.end() => u64::MAX,
            None => self.swept.saturating_sub(lead),
        }
    }

    /// Room for what is held between two calls, in bytes, automata aside: what was held at most.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        let starts = self.starts.iter().map(|starts| starts.matches.capacity()).sum::<usize>();
        self.pending.capacity() * size_of::<Waiting>()
            + Seen::ROOM
            + self.anchors.capacity() * size_of::<Anchor>()
            + starts * size_of::<(u64, usize)>()
            + self.settling.room()
            + self.nearby.room()
            + self.behind.room()
            + self.tracker.room()
            + self.columns.room()
    }

    /// Finds anchors, which wait then, and walks their sieves. In a view without names those at which
    /// no rule is left are dropped at once: they are most.
    fn find_anchors(&mut self, plan: &Plan, view: View<'_>, part: (usize, usize)) {
        let (sieves, seen, anchors) = (plan.sieves(), &mut self.seen, &mut self.anchors);
        anchors.clear();
        let (sweep, scratch) = (plan.sweep(), &mut self.scratch);
        let has_names = self.tracker.has_names();
        if has_names {
            sweep.find(view.text, part.0, part.1, scratch, anchors);
        } else {
            let work = &mut self.work;
            sweep.find_wanted(view.text, part, scratch, anchors, |anchor| {
                let is_wanted = !sieves.rule_out_all(seen, view.text, anchor);
                if let Some(work) = work
                    && !is_wanted
                {
                    work.anchor(anchor.kind);
                }
                is_wanted
            });
        }
        let first = self.pending.len();
        self.pending.extend(anchors.iter().map(|anchor| Waiting {
            at: view.offset(anchor.at),
            kind: anchor.kind,
            walked: None,
        }));
        let seen = has_names.then_some(seen);
        sieves.walk_all(view.text, anchors, seen, |place, walked| {
            if let Some(waiting) = self.pending.get_mut(first + place) {
                waiting.walked = Some(walked);
            }
        });
    }

    /// Decides the anchors whose surroundings are there, in order.
    fn decide_anchors(&mut self, plan: &Plan, view: View<'_>) {
        while let Some(Waiting { at, kind, walked }) = self.pending.front().copied() {
            if !view.is_last && at + plan.need(kind) > view.end() {
                return;
            }
            let index = view.index(at);
            let sieve = plan.sieves().of(kind);
            let sieve = sieve.map(|it| (it, walked.unwrap_or_else(|| it.walk(view.text, index))));
            self.pending.pop_front();
            if let Some(work) = &mut self.work {
                work.anchor(kind);
            }
            if !plan.beside().admits_any(kind, view.text, index) {
                continue;
            }
            let mut left = std::mem::take(&mut self.left);
            let parts = (&mut self.columns, &mut self.tracker, &mut self.nearby.words);
            self.shortlist.add(plan, view, (at, kind), sieve, parts, &mut left);
            for position in left.drain(..) {
                if let Some(rule) = plan.rules().rules.get(position) {
                    self.try_rule(plan, view, position, rule, index);
                }
            }
            self.left = left;
        }
    }

    /// Tries one rule at one anchor.
    fn try_rule(
        &mut self,
        plan: &Plan,
        view: View<'_>,
        position: usize,
        rule: &Rule,
        anchor: usize,
    ) {
        // Work that is counted is the same for every kernel.
        #[cfg(feature = "hyperscan")]
        if self.work.is_none()
            && !self.ends.may_match(plan, (view.text, view.base), (position, rule), anchor)
        {
            return;
        }
        let Some(automaton) = plan.automaton(position) else { return };
        let Some(workspace) = self.workspaces.get_mut(position) else { return };
        let Some(starts) = self.starts.get_mut(position) else { return };
        if !starts.is_tried {
            starts.is_tried = true;
            self.tried.push(position);
        }
        let (matched, read) = find_match(rule, automaton, workspace, starts, view, anchor);
        if let Some(counter) = self.bytes_read.get_mut(position) {
            *counter += read as u64;
        }
        #[cfg(feature = "hyperscan")]
        self.ends.count(plan, position, read);
        if let Some(work) = &mut self.work {
            work.tried(position, matched.is_some());
        }
        let Some((match_start, match_end)) = matched else { return };
        let limit = (match_start + rule.reach.max(rule.max_length)).min(view.text.len());
        let check = |start: usize, end: usize| match rule.validator {
            Some(validator) => {
                validate::check(validator, Candidate { text: view.text, start, end, limit })
            }
            None => Verdict::Valid { end, published: false },
        };
        // A check costs less than a look around, but for one whose value is yet to be found.
        let whole = (!automaton.names_value()).then(|| check(match_start, match_end));
        if whole == Some(Verdict::Invalid) {
            return;
        }
        if !self.tracker.has_names()
            && is_out_of_context(plan, (position, rule), view, match_start, &mut self.nearby)
        {
            return;
        }
        if self.tracker.has_names()
            && rule.needs_name()
            && self.is_under_another_name(plan, view, position, rule, (match_start, match_end))
        {
            return;
        }
        let (start, verdict) = match whole {
            Some(verdict) => (match_start, verdict),
            None => {
                let Some(workspace) = self.workspaces.get_mut(position) else { return };
                let (start, end) =
                    automaton.value_of(workspace, rule, view.text, match_start, match_end);
                (start, check(start, end))
            }
        };
        let Ok(number) = u32::try_from(position) else { return };
        let index = RuleIndex(number);
        let Verdict::Valid { end, published } = verdict else { return };
        if end <= start || end > limit.max(match_end) {
            return;
        }
        debug_assert!(end <= match_end || rule.validator.is_some_and(validate::moves_end));
        let span = Span::new(view.offset(start), view.offset(end));
        if self.starts.get(position).is_some_and(|starts| starts.last_found == Some(span)) {
            return;
        }
        let value = view.text.get(start..end).unwrap_or_default();
        let matched = (match_start, match_end.max(end));
        if rule.entropy.is_some_and(|least| !unless::exceeds(value, least))
            || plan.exclusions(position).is_some_and(|it| it.name(view.text, matched, (start, end)))
        {
            return;
        }
        view.follow(&mut self.tracker, span.start + 1);
        let (tracker, columns) = (&self.tracker, &mut self.columns);
        let (row_start, value_start) = match columns.cell(tracker, span.start) {
            Some(cell) => (cell.row_start, Some(cell.value_start)),
            None => (tracker.row_start(span.start), tracker.value_start(span.start)),
        };
        let around = Surroundings {
            text: view.text,
            base: view.base,
            floor: row_start.unwrap_or(view.base).max(view.base),
            value_start,
            label: columns.label(tracker, span.start, (position, rule), plan.terms()),
        };
        let nearby = &mut self.nearby;
        let rule = (position, rule);
        let scored = score(rule, published, (span.start, span.end), &around, plan.terms(), nearby);
        if let Some((likelihood, evidence)) = scored {
            self.settling.add(Scored { rule: index, span, likelihood, evidence });
            if let Some(starts) = self.starts.get_mut(position) {
                starts.last_found = Some(span);
            }
        }
    }

    /// Whether a match of a rule that needs a name lies in one cell or JSON value whose name is not
    /// one of those.
    fn is_under_another_name(
        &mut self,
        plan: &Plan,
        view: View<'_>,
        position: usize,
        rule: &Rule,
        (start, end): (usize, usize),
    ) -> bool {
        let (first, last) = (view.offset(start), view.offset(end.max(start + 1) - 1));
        view.follow(&mut self.tracker, last + 1);
        let cell = self.tracker.cell_start(first);
        cell.is_some()
            && cell == self.tracker.cell_start(last)
            && !self
                .columns
                .label(&self.tracker, first, (position, rule), plan.terms())
                .is_some_and(|label| label.opens())
    }
}

/// Whether a rule requires context and none can stand near a match that begins here, wherever its
/// value lies in what the rule reads. For views without names.
fn is_out_of_context(
    plan: &Plan,
    (position, rule): (usize, &Rule),
    view: View<'_>,
    start: usize,
    nearby: &mut TermsNearby,
) -> bool {
    let Some(context) = rule.context.as_ref().filter(|context| context.required) else {
        return false;
    };
    let from = view.offset(start.saturating_sub(context.before));
    let to = view.offset(start + rule.max_length.max(rule.reach) + context.after);
    let TermsNearby { wanted, words, .. } = nearby;
    let mut search = seek(wanted, words, plan.terms(), (position, rule));
    !search.holds_any(view.text, view.base, (from, to.min(view.end())), &context.terms)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::strategy::Strategy;

    use super::*;
    use crate::decode::Structure;
    use crate::rules::RuleSet;
    use crate::scan::Found;
    use crate::scan::sample;
    use crate::scan::sweep::Kernel;

    fn plan(rules: &Arc<RuleSet>) -> Plan {
        Plan::new(rules.clone(), Kernel::Portable)
    }

    fn cursor(plan: &Plan, structure: Structure) -> Cursor {
        Cursor::new(plan, Tracker::new(structure, 0), 0)
    }

    /// Spans found in a text that arrives up to each of `ends`, with the progress each time.
    fn scan(plan: &Plan, text: &[u8], ends: &[usize]) -> (Vec<(u64, u64)>, Vec<Progress>) {
        let mut cursor = cursor(plan, Structure::Text);
        let mut found = Vec::new();
        let mut take = |it: Found<'_>| found.push((it.span.start, it.span.end));
        let mut progress: Vec<Progress> = Vec::new();
        for end in ends {
            let base = progress.last().map_or(0, |last| last.needed_from as usize);
            let is_last = *end == text.len();
            progress.push(cursor.advance(plan, &text[base..*end], base as u64, is_last, &mut take));
        }
        (found, progress)
    }

    const CONTEXT: &str = "anchors = { keywords = [\"key\"] }\n\
        context = { terms = [\"good\"], before = 50, after = 40 }";

    #[test]
    fn an_anchor_waits_for_all_that_its_rules_may_look_at() {
        let rules = sample::rules(&[("sec.a", "key[0-9]{1,20}", CONTEXT)], "");
        let plan = plan(&rules);
        let text = format!("{}key12{}", ".".repeat(200), ".".repeat(600)).into_bytes();
        // 23 bytes for the match, 40 of context, 8 more.
        let need = 200 + 71;
        let (found, progress) = scan(&plan, &text, &[need - 1, need, 600, 805]);
        let held: Vec<u64> = progress.iter().map(|progress| progress.final_to).collect();
        assert_eq!(held, [200, 200, 552, 805]);
        assert_eq!(found, [(200, 205)]);
        // Nothing that may still be looked at is given up.
        assert!(progress.iter().all(|progress| progress.needed_from <= progress.final_to));
        assert_eq!(progress[0].needed_from, 0);
    }

    #[test]
    fn without_anchors_only_the_lead_and_the_sweep_hold_back() {
        let led = ("sec.b", "[a-z]{0,9}[0-9]{0,9}word", "anchors = { keywords = [\"word\"] }");
        let rules = sample::rules(&[("sec.a", "key[0-9]{1,20}", CONTEXT), led], "");
        let plan = plan(&rules);
        assert_eq!(plan.max_lead(true), 18);
        let text = b"none of them here. ".repeat(100);
        let ends: Vec<usize> = (1..=text.len()).collect();
        let (_, progress) = scan(&plan, &text, &ends);
        for (end, progress) in ends.iter().zip(&progress).take(text.len() - 1) {
            assert_eq!(progress.final_to, end.saturating_sub(LOOK_AHEAD + 18) as u64);
        }
    }

    #[test]
    fn a_start_is_tried_once_however_many_anchors_reach_it() {
        let led = ("sec.a", "[0-9]{0,9}[a-z]{0,9}key", "anchors = { keywords = [\"key\"] }");
        let rules = sample::rules(&[led], "");
        let plan = plan(&rules);
        let text = b"key".repeat(1000);
        let mut cursor = cursor(&plan, Structure::Text);
        let mut found = 0;
        cursor.advance(&plan, &text, 0, true, &mut |_: Found<'_>| found += 1);
        let [read] = cursor.bytes_read() else { panic!("one rule") };
        // Each start reads at most the 12 bytes of letters that a match can have.
        assert!(*read <= 13 * text.len() as u64, "{read}");
        assert!(found >= 250, "{found}");
        assert!(cursor.starts[0].matches.len() <= 19);
    }

    #[test]
    fn the_match_that_starts_first_is_taken_even_if_an_earlier_anchor_saw_it() {
        let led = ("sec.a", "[0-9]{0,3}(?:key){1,2}", "anchors = { keywords = [\"key\"] }");
        let rules = sample::rules(&[led], "");
        let plan = plan(&rules);
        let (found, _) = scan(&plan, b"12keykeykey", &[11]);
        // Of the third `key` the match that starts at the second one is the first to cover it.
        assert_eq!(found, [(0, 8), (5, 11)]);
    }

    #[test]
    fn a_cursor_begins_anew_as_if_it_were_fresh() {
        let rules = sample::rules(
            &[("sec.a", "key[0-9]{1,20}", CONTEXT), ("nat.b", r"\b[0-9]{9}\b", "")],
            "",
        );
        let plan = plan(&rules);
        let spans = |cursor: &mut Cursor, text: &[u8]| {
            let mut found = Vec::new();
            let mut take = |it: Found<'_>| found.push((it.span, it.line, it.likelihood));
            cursor.advance(&plan, text, 0, true, &mut take);
            found
        };
        let (first, second) = (b"good key123456789\n\ngood".repeat(50), b"key123456789 123456789");
        let fresh = spans(&mut cursor(&plan, Structure::Text), second);
        let mut used = cursor(&plan, Structure::Text);
        spans(&mut used, &first);
        let tracker = Tracker::new(Structure::Text, 0);
        used.restart(tracker, Positions::new(0), 0, 0..u64::MAX);
        assert_eq!(spans(&mut used, second), fresh);
        assert_eq!(fresh.len(), 2);
    }

    /// Each row by itself, too short for that, finds what the table does.
    #[test]
    fn rules_are_left_out_only_where_no_column_opens_them() {
        let needs = |name: &str| {
            format!(
                "columns = [\"{name}\"]\nanchors = {{ digits = 9 }}\ncontext = {{ terms = [\"{name} sign\"], \
                 before = 9, after = 9, boost = 9, required = true, names_only = true }}"
            )
        };
        let (door, gate) = (needs("door"), needs("gate"));
        let rules = sample::rules(
            &[
                ("nat.door", r"\b[0-9]{9}\b", &door),
                ("nat.gate", r"\b[0-9]{9}\b", &gate),
                ("nat.any", r"\b[0-9]{9}\b", "anchors = { digits = 9 }"),
            ],
            "",
        );
        let plan = plan(&rules);
        let table = Structure::Table { delimiter: b',', header: true };
        let found = |text: &str, step: usize| {
            let mut cursor = cursor(&plan, table);
            let (mut found, mut base) = (Vec::new(), 0);
            let mut take = |it: Found<'_>| found.push((it.rule.0, it.line, it.column));
            for end in (step..text.len()).step_by(step).chain([text.len()]) {
                let part = &text.as_bytes()[base..end];
                let is_last = end == text.len();
                let progress = cursor.advance(&plan, part, base as u64, is_last, &mut take);
                base = progress.needed_from as usize;
            }
            (found, cursor.bytes_read().to_vec())
        };
        for header in ["wall,door", "wall,gate sign", "door,gate", "wall,floor", "door,"] {
            let rows: Vec<String> = (0..900)
                .map(|row| format!("{},{}", 312_456_000 + row, 712_456_000 + row))
                .collect();
            let text = format!("{header}\n{}\n", rows.join("\n"));
            let mut expected = Vec::new();
            for (row, text) in (2..).zip(&rows) {
                let (alone, _) = found(&format!("{header}\n{text}\n"), usize::MAX);
                expected.extend(alone.iter().map(|(rule, _, column)| (*rule, row, *column)));
            }
            let (whole, read) = found(&text, text.len());
            assert_eq!(whole, expected, "{header}");
            assert_eq!(found(&text, 61).0, expected, "{header}");
            assert!(expected.len() >= 1800, "the rule without a name finds all");
            // The rule for a door is hardly tried where there is none.
            let is_tried = read[0] > read[2] / 2;
            assert_eq!(is_tried, header.contains("door"), "{header}: {read:?}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
        #[test]
        fn a_match_that_reaches_other_cells_is_found_in_each_that_opens_its_rule(
            header in proptest::sample::subsequence(
                vec!["door", "wall", "", "door", "hall", "wall", "", "door"], 1..8,
            ).prop_shuffle(),
            cells in 2..10usize,
        ) {
            let column = "columns = [\"door\"]\nanchors = { digits = 6 }\n";
            let context = "context = { terms = [\"door sign\"], before = 9, after = 9, boost = 9, \
                required = true, names_only = true }";
            let more = format!("{column}{context}");
            let rules = sample::rules(
                &[
                    ("nat.next", "[0-9]{6},(?<value>[a-z]{3})", &more),
                    ("nat.second", "[0-9]{6},[^,\\n]{0,9},(?<value>[a-z0-9]{2})", &more),
                    ("nat.row", "[0-9]{6}\\n(?<value>[a-z0-9]{2})", &more),
                ],
                "",
            );
            let plan = plan(&rules);
            let value = |at: usize| if at.is_multiple_of(3) { "abc".to_owned() } else { format!("{:06}", at * 7) };
            let cells: Vec<String> = (0..cells * 90).map(value).collect();
            let rows: Vec<String> = cells.chunks(cells.len() / 90).map(|row| row.join(",")).collect();
            let text = format!("{}\n{}\n", header.join(","), rows.join("\n"));
            let found = |knows: bool| {
                let table = Structure::Table { delimiter: b',', header: true };
                let mut cursor = cursor(&plan, table);
                if !knows {
                    cursor.columns.never_know_well();
                }
                let mut found = Vec::new();
                let mut take = |it: Found<'_>| found.push((it.rule, it.span, it.line));
                cursor.advance(&plan, text.as_bytes(), 0, true, &mut take);
                found
            };
            proptest::prop_assert_eq!(found(true), found(false), "{}", text);
        }
    }

    /// A value for the column at a place: numbers of many shapes, some of them valid, with and without words.
    fn value(column: usize, row: usize) -> String {
        let digits = (row * 7_919 + column * 104_729) % 1_000_000_000;
        match (column + row / 80) % 11 {
            0 => format!("{:03}-{:02}-{:04}", digits % 899 + 1, digits % 99 + 1, digits % 9999 + 1),
            1 => format!("+1 212-555-{:04}", digits % 10_000),
            2 => format!("4111 1111 1111 1{:03}", digits % 1000),
            3 => format!("DE89370400440532013000, {digits}"),
            4 => format!("{}-{:02}-{:02}", 1930 + digits % 80, digits % 12 + 1, digits % 28 + 1),
            5 => format!("user{digits}@mail.example.net"),
            6 => format!("Smith{} John", ["", "son", "ers"][digits % 3]),
            7 => format!("{digits:09}"),
            8 => format!("NHS number {} {} {:04}", 943, 476, 5919),
            9 => format!("{}.{:06}", digits % 90, digits),
            _ => format!("A{digits} or passport {digits:09}"),
        }
    }

    #[test]
    fn rules_that_a_column_leaves_out_find_nothing_there() {
        let rules = Arc::new(RuleSet::builtin().unwrap());
        let plan = plan(&rules);
        let names =
            ["ssn", "phone", "card_number", "iban", "dob", "email", "last_name", "value", "notes"];
        let (mut table, mut lines, mut text) = (names.join(","), String::new(), String::new());
        text +=
            &format!("# People\n\n| {} |\n|{}\n", names.join(" | "), "---|".repeat(names.len()));
        for row in 0..160 {
            let values: Vec<String> = (0..names.len()).map(|column| value(column, row)).collect();
            let quoted: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
            table += &format!("\n{}", quoted.join(","));
            let pairs =
                names.iter().zip(&quoted).map(|(name, value)| format!("\"{name}\": {value}"));
            lines += &format!(
                "{{{}, \"of\": [{row}, {{\"ssn\": {}}}]}}\n",
                pairs.collect::<Vec<_>>().join(", "),
                quoted[0]
            );
            text += &format!("| {} |\n", values.join(" | "));
        }
        for (structure, text) in [
            (Structure::Table { delimiter: b',', header: true }, table),
            (Structure::NdJson, lines),
            (Structure::TextTables, text),
        ] {
            let found = |knows: bool, step: usize| {
                let mut cursor = cursor(&plan, structure);
                if !knows {
                    cursor.columns.never_know_well();
                }
                let mut found = Vec::new();
                let mut take = |it: Found<'_>| {
                    let place = format!("{:?}", it.place.as_deref().map(|place| place.names()));
                    found.push((
                        rules.rule_id(it.rule).to_owned(),
                        it.span,
                        it.likelihood,
                        it.evidence,
                        place,
                    ));
                };
                let mut base = 0;
                for end in (step..text.len()).step_by(step).chain([text.len()]) {
                    let (part, is_last) = (&text.as_bytes()[base..end], end == text.len());
                    let progress = cursor.advance(&plan, part, base as u64, is_last, &mut take);
                    base = progress.needed_from as usize;
                }
                let read = cursor.shared_bytes_read() + cursor.bytes_read().iter().sum::<u64>();
                (found, read)
            };
            let ((known, less), (all, more)) = (found(true, text.len()), found(false, text.len()));
            assert_eq!(known, all);
            assert_eq!(found(true, 97).0, all, "in pieces");
            assert!(known.len() > 500, "{}", known.len());
            assert!(less < more, "{less} {more}");
        }
    }

    /// Marks of a payload that is given in one piece are forgotten as the scan goes on.
    #[test]
    fn what_a_whole_scan_holds_does_not_grow_with_the_payload() {
        let rules = sample::rules(&[("sec.a", "key[0-9]{1,20}", CONTEXT)], "");
        let plan = plan(&rules);
        let table = Structure::Table { delimiter: b',', header: true };
        for (structure, piece) in [
            (Structure::Json, "[1]"),
            (Structure::Json, "{\"a\":{}},"),
            (Structure::NdJson, "[]\n"),
            (Structure::Json, "["),
            (table, ","),
            (table, "\n,"),
            (table, "\""),
            (Structure::TextTables, "|a\n|b\n\n"),
            (Structure::Text, "key1 good "),
        ] {
            let mut cursor = cursor(&plan, structure);
            let text = piece.repeat((1 << 20) / piece.len());
            cursor.advance(&plan, text.as_bytes(), 0, true, &mut |_: Found<'_>| {});
            assert!(cursor.room() < 1 << 20, "{piece:?}: {}", cursor.room());
        }
        // Many long names, each with values enough to know more of it.
        let rules = Arc::new(RuleSet::builtin().unwrap());
        let plan = Plan::new(rules, Kernel::Portable);
        let mut cursor = self::cursor(&plan, Structure::Json);
        let names = (0..120).map(|name| format!("ssn {name} {}", "patient name ".repeat(11)));
        let values = "212-555-0147 219-09-9998 ".repeat(16);
        let text: Vec<String> = names.map(|name| format!("\"{name}\": \"{values}\"")).collect();
        let text = format!("{{{}}}", text.join(", "));
        cursor.advance(&plan, text.as_bytes(), 0, true, &mut |_: Found<'_>| {});
        assert!(cursor.columns.room() > 1 << 15, "{}", cursor.columns.room());
        assert!(cursor.columns.room() < 1 << 19, "{}", cursor.columns.room());
    }
}
