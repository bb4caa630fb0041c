//! Which anchors leave no rule, told by coarse kinds of the bytes around them.
//!
//! Numbers of one form have one profile, whatever their digits are, and most texts hold few forms. A
//! small automaton over kinds of bytes, made of that of a sieve when the program is built, says whether
//! a profile rules out all rules; a worker remembers what it said, so that most anchors cost no walk.
//! INVARIANT: where a profile rules out all, the walk of the sieve comes to the empty list.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{CLASSES, END, MOST_LEAD, Sieve, Step, number};
use crate::rules::DIGIT_SEPARATORS;
use crate::scan::sweep::{Anchor, LOOKED_AT, SHAPE_KINDS, threes};

/// Bytes from an anchor on that a profile tells.
const AHEAD: usize = 12;

// A profile has room, and three bits tell the kind of its anchor, which says how long it is.
const _: () = assert!(3 * (1 + MOST_LEAD + AHEAD) + 3 < 63 && SHAPE_KINDS < 8);
const _: () = assert!(1 + MOST_LEAD + AHEAD <= LOOKED_AT);

/// Kinds of bytes; three bits of a profile each.
pub const SYMBOLS: usize = 8;

/// States at most; what leads to others leaves rules.
const STATES: usize = 8192;

/// The state that has no rule left, and the one that may have.
const NONE: u16 = 0;
const SOME: u16 = 1;

/// The kind of each byte.
static SYMBOL: [u8; 256] = symbols();

#[expect(clippy::indexing_slicing, reason = "evaluated when the program is built")]
const fn symbols() -> [u8; 256] {
    let mut symbols = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        symbols[byte] = match byte as u8 {
            b'0'..=b'9' => 1,
            b'a'..=b'z' => 2,
            b'A'..=b'Z' => 3,
            b' ' => 4,
            b'-' => 5,
            b'.' => 6,
            _ => 0,
        };
        byte += 1;
    }
    let mut separator = 0;
    while separator < DIGIT_SEPARATORS.len() {
        let byte = DIGIT_SEPARATORS[separator] as usize;
        if symbols[byte] == 0 {
            symbols[byte] = 7;
        }
        separator += 1;
    }
    symbols
}

fn symbol(byte: u8) -> u8 {
    let [first, ..] = &SYMBOL;
    *SYMBOL.get(usize::from(byte)).unwrap_or(first)
}

/// The automaton of one sieve.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Profiles {
    /// Where a walk begins, by the kind of the byte before it.
    pub starts: Cow<'static, [Step]>,
    /// By state and kind of byte.
    pub next: Cow<'static, [[Step; SYMBOLS]]>,
}

/// What a worker remembers of profiles: of the two that were made last of those with one hash, whether
/// they rule out all.
pub struct Seen(Box<[[u64; 2]; 1 << Seen::BITS]>);

impl Seen {
    const BITS: u32 = 10;

    /// Bytes that it takes.
    #[cfg(test)]
    pub const ROOM: usize = (2 * size_of::<u64>()) << Seen::BITS;
}

impl Default for Seen {
    fn default() -> Seen {
        Seen(Box::new([[0; 2]; 1 << Seen::BITS]))
    }
}

/// Profiles are of payloads, and are not shown.
impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen").finish_non_exhaustive()
    }
}

impl Profiles {
    /// Those of a sieve.
    pub fn new(sieve: &Sieve) -> Profiles {
        let mut kinds: [BTreeSet<u8>; SYMBOLS] = Default::default();
        for (byte, class) in (0..=u8::MAX).zip(sieve.classes.iter()) {
            if let Some(classes) = kinds.get_mut(usize::from(symbol(byte))) {
                classes.insert(*class);
            }
        }
        let mut builder = Builder { sieve, numbers: BTreeMap::new(), next: Vec::new() };
        builder.next.extend([[NONE.to_le_bytes(); SYMBOLS], [SOME.to_le_bytes(); SYMBOLS]]);
        let mut open = Vec::new();
        let starts = kinds.each_ref().map(|classes| {
            let states = classes.iter().map(|class| number(sieve.starts.get(usize::from(*class))));
            builder.state(states.collect(), &mut open).to_le_bytes()
        });
        for _ in 0..sieve.lead + AHEAD {
            for (at, states) in std::mem::take(&mut open) {
                let row = kinds.each_ref().map(|classes| {
                    let rows = states.iter().filter_map(|it| sieve.next.get(usize::from(*it)));
                    let steps = rows.flat_map(|row| {
                        classes.iter().map(|class| row.get(usize::from(*class) % CLASSES))
                    });
                    let states = steps.map(number);
                    builder.state(states.collect(), &mut open).to_le_bytes()
                });
                if let Some(slot) = builder.next.get_mut(usize::from(at)) {
                    *slot = row;
                }
            }
        }
        Profiles { starts: starts.to_vec().into(), next: builder.next.into() }
    }

    /// Whether the bytes around an anchor leave no rule, of a sieve whose walks begin so many bytes before
    /// it. Where they are too near an end of the text it is not known.
    #[inline]
    pub fn rule_out_all(&self, seen: &mut Seen, lead: usize, text: &[u8], anchor: Anchor) -> bool {
        let Some(from) = anchor.at.checked_sub(lead + 1) else { return false };
        let Some(around) = text.get(from..anchor.at + AHEAD) else { return false };
        let kinds = match text.get(from..).and_then(<[u8]>::first_chunk) {
            Some(bytes) => threes(bytes, around.len(), &SYMBOL),
            None => around.iter().rev().fold(0, |all, byte| all << 3 | u64::from(symbol(*byte))),
        };
        // No profile is 0.
        let profile = kinds << 3 | (anchor.kind.index() as u64 + 1);
        let hash = profile.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - Seen::BITS);
        let Some([last, other]) = seen.0.get_mut(hash as usize) else { return false };
        if *last >> 1 == profile {
            return *last & 1 == 1;
        }
        std::mem::swap(last, other);
        if *last >> 1 != profile {
            *last = profile << 1 | u64::from(self.walk(around));
        }
        *last & 1 == 1
    }

    fn walk(&self, around: &[u8]) -> bool {
        let Some((before, bytes)) = around.split_first() else { return false };
        let Some(start) = self.starts.get(usize::from(symbol(*before))) else { return false };
        let end = bytes.iter().fold(u16::from_le_bytes(*start), |state, byte| {
            let row = self.next.get(usize::from(state));
            row.and_then(|row| row.get(usize::from(symbol(*byte))))
                .map_or(SOME, |step| u16::from_le_bytes(*step))
        });
        end == NONE
    }
}

/// States are sets of states of the sieve.
struct Builder<'a> {
    sieve: &'a Sieve,
    numbers: BTreeMap<BTreeSet<u16>, u16>,
    next: Vec<[Step; SYMBOLS]>,
}

impl Builder<'_> {
    /// The number of a state, which is left open if it is new: until its row is made, and if it never
    /// is, it may have rules left.
    fn state(&mut self, mut states: BTreeSet<u16>, open: &mut Vec<(u16, BTreeSet<u16>)>) -> u16 {
        states.remove(&END);
        if states.is_empty() {
            return NONE;
        }
        if states
            .iter()
            .any(|state| state & END != 0 || self.sieve.next.len() <= usize::from(*state))
        {
            return SOME;
        }
        if let Some(known) = self.numbers.get(&states) {
            return *known;
        }
        let Some(fresh) = u16::try_from(self.next.len()).ok().filter(|_| self.next.len() < STATES)
        else {
            return SOME;
        };
        self.next.push([SOME.to_le_bytes(); SYMBOLS]);
        self.numbers.insert(states.clone(), fresh);
        open.push((fresh, states));
        fresh
    }
}
