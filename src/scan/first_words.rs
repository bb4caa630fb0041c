//! Where terms may begin in a view, told by first words, of all who ask for terms together.
//!
//! A block comes in, the places go out at which a term of a class may begin. What a block comes to is
//! remembered for all classes: around a number and its finding the same text is searched for the terms
//! that rules require, for those that speak for it, and for those of combinations. Promised: no place is
//! left out at which a word may begin that is a first word of the class.

use super::sweep::{BLOCK, CLASSES, Firsts, HEAD, Places, Table, look_up, looks_up_ahead};
use super::words::{self, Others};

/// Blocks that are remembered.
const BLOCKS: usize = 64;

/// Whose terms they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Those that rules of sieves require.
    Required,
    /// Those of combinations.
    Combined,
    /// Those of all rules.
    All,
    /// Those that somebody wants, who may be more and others later.
    Wanted,
}

/// First words of all classes, and what is known of the blocks of a view.
pub struct FirstWords {
    table: Box<Table>,
    is_there: [bool; CLASSES],
    /// By the number of a block in the view, as far as there are places.
    known: Box<[Known; BLOCKS]>,
    /// What makes what is known of other views, or of other words, no longer so.
    round: u64,
}

/// A block whose places are known.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    number: u64,
    round: u64,
    places: [u64; CLASSES],
}

impl Default for FirstWords {
    fn default() -> FirstWords {
        FirstWords {
            table: Box::new([0; _]),
            is_there: [false; CLASSES],
            known: Box::new([Known::default(); BLOCKS]),
            round: 1,
        }
    }
}

impl std::fmt::Debug for FirstWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FirstWords").field("is_there", &self.is_there).finish_non_exhaustive()
    }
}

impl FirstWords {
    /// Bytes that it takes.
    #[cfg(test)]
    pub const ROOM: usize = size_of::<Table>() + size_of::<[Known; BLOCKS]>();

    /// The next view begins.
    pub fn restart(&mut self) {
        self.round += 1;
    }

    /// Adds the first words of a class, if that was not done.
    #[inline]
    pub fn know(&mut self, class: Class, firsts: &Firsts) {
        if self.is_there.get(class as usize) != Some(&true) {
            self.add(class, firsts);
        }
    }

    #[cold]
    fn add(&mut self, class: Class, firsts: &Firsts) {
        firsts.put_into(&mut self.table, class as usize);
        if let Some(is_there) = self.is_there.get_mut(class as usize) {
            *is_there = true;
        }
        self.round += 1;
    }

    /// The first words of a class are no longer all of them: they are taken again when it is asked for.
    pub fn renew(&mut self, class: Class) {
        if let Some(is_there) = self.is_there.get_mut(class as usize) {
            *is_there = false;
        }
    }

    /// Calls `found` with each place in `from..to`, which are offsets, at which a term of a class may
    /// begin, in order; with its index in the text, which begins at offset `base`.
    #[inline]
    pub fn each(
        &mut self,
        class: Class,
        others: &Others,
        (text, base): (&[u8], u64),
        (from, to): (u64, u64),
        mut found: impl FnMut(usize),
    ) {
        let (from, to) = (from.max(base), to.min(base + text.len() as u64));
        let size = BLOCK as u64;
        let mut number = from / size;
        while number * size < to {
            let start = number * size;
            let mut places = self.block(class, others, (text, base), number);
            if start < from {
                places &= u64::MAX << (from - start).min(63);
            }
            if to - start < size {
                places &= (1 << (to - start)) - 1;
            }
            while places != 0 {
                let place = start + u64::from(places.trailing_zeros());
                places &= places - 1;
                found(usize::try_from(place.saturating_sub(base)).unwrap_or(usize::MAX));
            }
            number += 1;
        }
    }

    /// The places of a block of a view, one bit each. Of those that are not in the text none is told.
    #[inline]
    fn block(
        &mut self,
        class: Class,
        others: &Others,
        (text, base): (&[u8], u64),
        number: u64,
    ) -> u64 {
        let of_class = |places: &[u64; CLASSES]| places.get(class as usize).copied().unwrap_or(0);
        let slot = usize::try_from(number % BLOCKS as u64).unwrap_or(0);
        let Some(known) = self.known.get_mut(slot) else { return u64::MAX };
        if (known.number, known.round) == (number, self.round) {
            return of_class(&known.places);
        }
        let start = number * BLOCK as u64;
        let Some(at) = start.checked_sub(base).and_then(|at| usize::try_from(at).ok()) else {
            return of_class(&cut(&self.table, others, text, base - start));
        };
        let behind = text.get(at..).unwrap_or_default();
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        match behind.first_chunk::<{ BLOCK + HEAD }>() {
            Some(bytes) => {
                let round = self.round;
                let look = |number, bytes, before| {
                    let starts = words::starts(bytes, before, others);
                    Known { number, round, places: look_up(bytes, starts, &self.table) }
                };
                *known = look(number, bytes, before);
                let places = known.places;
                // The next one will be asked for as well, and two at once take little longer than one.
                if looks_up_ahead()
                    && let Some(bytes) = behind.get(BLOCK..).and_then(<[u8]>::first_chunk)
                    && let Some(known) = self.known.get_mut((slot + 1) % BLOCKS)
                {
                    *known = look(number + 1, bytes, behind.get(BLOCK - 1));
                }
                of_class(&places)
            }
            // What is cut will be known when more text is there.
            None => {
                let bytes = words::with_zeros(0, behind);
                let starts = words::starts(&bytes, before, others);
                of_class(&look_up(&bytes, only(starts, in_text(behind.len())), &self.table))
            }
        }
    }
}

/// The places of a block whose first bytes are gone, so many.
#[cold]
fn cut(table: &Table, others: &Others, text: &[u8], gone: u64) -> [u64; CLASSES] {
    let gone = usize::try_from(gone).unwrap_or(BLOCK).min(BLOCK - 1);
    let bytes = words::with_zeros(gone, text);
    let starts = words::starts(&bytes, None, others);
    look_up(&bytes, only(starts, u64::MAX << gone & in_text(gone + text.len())), table)
}

fn only(places: Places, these: u64) -> Places {
    Places { begins: places.begins & these, ..places }
}

/// The first so many places of a block.
fn in_text(length: usize) -> u64 {
    if length < BLOCK { (1 << length) - 1 } else { u64::MAX }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::words::may_begin;

    proptest! {
        /// Wherever a text is cut and whatever was asked before, in this view and another one, no word of a
        /// class is overlooked, and what is told is in the text.
        #[test]
        fn first_words_of_each_class_are_told(
            pieces in prop::collection::vec("[a-c]{1,3}|[abAB1]{1,9}|[ #.é]|[ab]{9}|( .){9}", 0..90),
            others in prop::collection::vec("[a-c ]{9}|[abAB1 ]{99}", 0..20),
            far in 0usize..3,
            terms in prop::collection::vec("[a-c]{1,3}|[a-c1]{1,12}|#[a-c]", 4..12),
            asks in prop::collection::vec(
                (0u64..500, 0u64..300, 0usize..4, -90i64..200, 0u64..100),
                1..12,
            ),
            marks in prop::collection::vec(0u8..8, 12),
        ) {
            // What is far apart has one place among what is remembered.
            let apart = ". ".repeat(far * BLOCKS * BLOCK / 2 - far);
            let (one, other) = (pieces.concat(), others.concat());
            let views = [
                [one.as_str(), &apart, &other, &one].concat().into_bytes(),
                [other.as_str(), &one, &apart, &one].concat().into_bytes(),
            ];
            let classes = [Class::Required, Class::Combined, Class::All, Class::Wanted];
            let signs = Others::new(b"#".iter().copied());
            let (mut words, mut wanted, mut view) = (FirstWords::default(), Firsts::default(), 0);
            let of_class = |class: usize| terms.iter().skip(class).step_by(4);
            // So many of the terms are wanted.
            let mut count = 0;
            for ((from, length, class, gone, behind), mark) in asks.into_iter().zip(marks) {
                let text = &views[view];
                let far = if mark & 4 != 0 { apart.len() as u64 } else { 0 };
                let from = (from + far).min(text.len() as u64);
                let base = from.saturating_add_signed(-gone).min(text.len() as u64);
                let to = from + length;
                let held = &text[base as usize..text.len().min((to + behind).max(base) as usize)];
                let mut asked = of_class(class).count();
                if class == 3 {
                    if mark & 1 != 0 {
                        count = (count + 1) % (asked + 1);
                        wanted.clear();
                        of_class(3).take(count).for_each(|term| wanted.add(term.as_bytes()));
                        words.renew(Class::Wanted);
                    }
                    words.know(Class::Wanted, &wanted);
                    asked = count;
                } else {
                    let mut firsts = Firsts::default();
                    of_class(class).for_each(|term| firsts.add(term.as_bytes()));
                    words.know(classes[class], &firsts);
                }
                let mut found = Vec::new();
                words.each(classes[class], &signs, (held, base), (from, to), |at| found.push(at));
                prop_assert!(found.is_sorted_by(|one, next| one < next));
                let index = |offset: u64| (offset.saturating_sub(base) as usize).min(held.len());
                for at in index(from)..index(to) {
                    let before = (base as usize + at).checked_sub(1).map_or(b' ', |at| text[at]);
                    let begins = |term: &String| {
                        let there = held[at..].get(..term.len());
                        there.is_some_and(|there| there.eq_ignore_ascii_case(term.as_bytes()))
                            && held
                                .get(at + term.len())
                                .is_none_or(|next| may_begin(held[at + term.len() - 1], *next))
                    };
                    if may_begin(before, held[at]) && of_class(class).take(asked).any(begins) {
                        prop_assert!(found.contains(&at), "{at}");
                    }
                }
                prop_assert!(found.iter().all(|at| (index(from)..index(to)).contains(at)));
                if mark & 2 != 0 {
                    view = 1 - view;
                    words.restart();
                }
            }
        }
    }
}
