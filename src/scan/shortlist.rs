//! Which rules are tried at an anchor.
//!
//! An anchor comes in, the positions of the rules that may have a match there go out, in the order in
//! which they are tried. Under a column or key that is well known only what is open there is asked.

use super::automaton::RuleBits;
use super::columns::{Cell, Columns, NEAR, Openings, bare_to};
use super::first_words::FirstWords;
use super::heads::Lanes;
use super::plan::Plan;
use super::sieve::{Left, Sieve, Walked};
use super::starts::View;
use super::structure::Tracker;
use super::sweep::AnchorKind;
use super::vicinity::Blocks;
use super::watch::{ABREAST, DigitCount, Front, Group, GroupState};
use crate::rules::Shape;

/// What one scan keeps to tell which rules are to be tried.
#[derive(Debug)]
pub struct Shortlist {
    openings: Openings,
    /// By group of rules.
    groups: Vec<Option<Box<GroupState>>>,
    /// Groups that were asked in this view: only theirs is to be put back for the next.
    tried_groups: Vec<usize>,
    blocks: Blocks,
    /// Where the value begins that held no letter around the last anchor, and where it ends.
    bare: Option<(u64, u64)>,
}

/// An anchor.
struct Here<'a> {
    plan: &'a Plan,
    view: View<'a>,
    index: usize,
    /// The digits that stand there, where it is one.
    digits: Option<DigitCount>,
}

impl Here<'_> {
    fn has_digits(&mut self, least: u8) -> bool {
        self.digits.as_mut().is_none_or(|digits| digits.reaches(self.view.text, least))
    }
}

impl Shortlist {
    /// For scans of a plan.
    pub fn new(plan: &Plan) -> Shortlist {
        Shortlist {
            openings: Openings::default(),
            groups: (0..plan.groups()).map(|_| None).collect(),
            tried_groups: Vec::new(),
            blocks: Blocks::default(),
            bare: None,
        }
    }

    /// The next view begins.
    pub fn restart(&mut self) {
        self.openings.clear();
        self.blocks.clear();
        self.bare = None;
        for number in self.tried_groups.drain(..) {
            if let Some(Some(state)) = self.groups.get_mut(number) {
                state.restart();
            }
        }
    }

    /// Bytes that the automaton of each group has read so far in this view.
    pub fn bytes_read(&self) -> impl Iterator<Item = u64> {
        self.groups.iter().map(|state| state.as_ref().map_or(0, |state| state.read))
    }

    /// Adds the positions of the rules that may have a match at an anchor, to which the walk of its sieve
    /// has come if there is one. Anchors come in order.
    #[inline]
    pub fn add(
        &mut self,
        plan: &Plan,
        view: View<'_>,
        (anchor, kind): (u64, AnchorKind),
        sieve: Option<(&Sieve, Walked)>,
        (columns, tracker, words): (&mut Columns, &mut Tracker, &mut FirstWords),
        left: &mut Vec<usize>,
    ) {
        match sieve {
            Some((sieve, walked)) if !tracker.has_names() => {
                // Most anchors of a text leave no rule.
                let sieved = sieve.left(view.text, view.index(anchor), walked);
                if !sieved.is_empty() {
                    self.add_near_terms(plan, view, anchor, (sieved, words), left);
                }
            }
            _ => self.add_asked(plan, view, (anchor, kind, sieve), (columns, tracker), left),
        }
    }

    /// The same where there are names, or no sieve.
    fn add_asked(
        &mut self,
        plan: &Plan,
        view: View<'_>,
        (anchor, kind, sieve): (u64, AnchorKind, Option<(&Sieve, Walked)>),
        (columns, tracker): (&mut Columns, &mut Tracker),
        left: &mut Vec<usize>,
    ) {
        let Some(watch) = plan.watch(kind) else { return };
        let index = view.index(anchor);
        let is_number = kind == AnchorKind::shape(Shape::Digits);
        let digits = is_number.then(|| DigitCount::from(index));
        let mut here = Here { plan, view, index, digits };
        let has_names = tracker.has_names();
        if has_names {
            self.openings.know(tracker.columns(), plan);
            // Text between tables is not followed for each anchor.
            if watch.is_of_shape && tracker.is_in_cell() {
                view.follow(tracker, anchor + 1);
                if let Some(cell) = columns.well_known(tracker, anchor) {
                    let is_bare = self.is_bare(view, &cell, anchor);
                    let open = columns.open(plan, cell, (kind, watch), &self.openings, is_bare);
                    let Some(open) = open else { return };
                    if let (Some((sieve, walked)), Some(of)) = (sieve, &open.sieve) {
                        for position in sieve.left(view.text, index, walked).among(of) {
                            left.push(position);
                        }
                    }
                    for (number, of) in &open.fronts {
                        if let Some(front) = watch.fronts.get(*number) {
                            self.add_front(&mut here, front, *of, left);
                        }
                    }
                    for (number, of) in &open.groups {
                        if let Some(group) = watch.groups.get(*number) {
                            self.add_group(&mut here, group, *of, left);
                        }
                    }
                    return;
                }
            }
        }
        if let Some((sieve, walked)) = sieve {
            left.extend(sieve.left(view.text, index, walked));
        }
        let is_asked = |needs_name| if needs_name { has_names } else { sieve.is_none() };
        for front in watch.fronts.iter().filter(|front| is_asked(front.needs_name)) {
            let mut of = [0; ABREAST];
            for (of, group) in of.iter_mut().zip(&front.groups) {
                *of = self.openings.open(plan, group);
            }
            self.add_front(&mut here, front, of, left);
        }
        for group in watch.groups.iter().filter(|group| is_asked(group.needs_name)) {
            let of = self.openings.open(plan, group);
            self.add_group(&mut here, group, of, left);
        }
    }

    /// Whether no letter stands around an anchor in its cell.
    fn is_bare(&mut self, view: View<'_>, cell: &Cell, anchor: u64) -> bool {
        let start = cell.value_start;
        if let Some((bare, to)) = self.bare
            && bare == start
            && anchor < to
            && anchor - start <= NEAR as u64
        {
            return true;
        }
        let to = bare_to(view.text, view.index(start), view.index(anchor));
        self.bare = to.map(|to| (start, view.offset(to)));
        to.is_some()
    }

    /// Adds the rules that a sieve has left in a text, but those that require a term where none is near.
    fn add_near_terms(
        &mut self,
        plan: &Plan,
        view: View<'_>,
        anchor: u64,
        (sieved, words): (Left<'_>, &mut FirstWords),
        left: &mut Vec<usize>,
    ) {
        let Some(vicinity) = plan.vicinity() else {
            left.extend(sieved);
            return;
        };
        let mut near = None;
        for position in sieved {
            if let bit @ 1.. = vicinity.of_rule(position) {
                let index = view.index(anchor);
                let state = (&mut self.blocks, &mut *words);
                let look = || vicinity.near(state, view.text, view.base, index);
                if *near.get_or_insert_with(look) & bit == 0 {
                    continue;
                }
            }
            left.push(position);
        }
    }

    /// Adds those of some rules of a front.
    fn add_front(
        &mut self,
        here: &mut Here<'_>,
        front: &Front,
        of: Lanes<ABREAST>,
        left: &mut Vec<usize>,
    ) {
        if of == [0; ABREAST] {
            return;
        }
        let rules = here.plan.rules();
        let lanes = front.left(rules, here.view.text, here.index, of);
        for (group, mut bits) in front.groups.iter().zip(lanes) {
            if bits == 0 || !here.has_digits(group.least_digits) {
                continue;
            }
            if group.is_worth_narrowing(bits)
                && let Some(state) = self.state(group)
            {
                bits = group.narrow(rules, state, here.view.text, here.index, bits);
            }
            add_rules(group, bits, left);
        }
    }

    /// Adds those of some rules of a group that is in no front.
    fn add_group(
        &mut self,
        here: &mut Here<'_>,
        group: &Group,
        of: RuleBits,
        left: &mut Vec<usize>,
    ) {
        if of == 0 || !here.has_digits(group.least_digits) {
            return;
        }
        let (view, index) = (here.view, here.index);
        let mut bits = group.beside(here.plan.beside(), view.text, index, of);
        if let Some(state) = self.state(group) {
            bits = group.candidates(here.plan.rules(), state, view.text, view.base, index, bits);
        }
        add_rules(group, bits, left);
    }

    /// The state of a group, which is put back for the next view.
    fn state(&mut self, group: &Group) -> Option<&mut GroupState> {
        let slot = self.groups.get_mut(group.number)?;
        let state = slot.get_or_insert_with(|| Box::new(group.state()));
        if state.is_fresh() {
            self.tried_groups.push(group.number);
        }
        Some(state)
    }
}

/// Adds those rules of a group that have their bit.
fn add_rules(group: &Group, mut bits: RuleBits, left: &mut Vec<usize>) {
    while bits != 0 {
        if let Some(position) = group.rules.get(bits.trailing_zeros() as usize) {
            left.push(*position);
        }
        bits &= bits - 1;
    }
}
