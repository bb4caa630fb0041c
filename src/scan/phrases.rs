//! Thousands of phrases, looked for at single places of a text.
//!
//! Text from a place on comes in, the phrases that it begins with go out, ASCII letters in any case.
//! Made in the time it takes to hash the phrases, unlike an automaton of all of them; those of the
//! terms that ship with the program are made when it is built.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::forms::forms;
use crate::rules::Texts;

/// Lengths of heads. A phrase is filed under its first bytes, as many as the largest of these that
/// it has.
const HEADS: [usize; 8] = [1, 2, 3, 4, 6, 8, 12, 16];

/// The place of 2 among them.
const TWO: usize = 1;

/// The place of 4 among them.
const FOUR: usize = 3;

/// Entries of [`Phrases::fours`].
const FOURS: usize = 1 << 15;

/// The phrases, filed by their heads.
#[derive(Debug)]
pub struct Phrases {
    phrases: Texts,
    /// By phrase: the number of its term.
    terms: Cow<'static, [[u8; 2]]>,
    /// By hash of a head: one more than the phrase filed there last, or 0.
    slots: Cow<'static, [[u8; 4]]>,
    /// By more of that hash: whether a phrase is filed there, one bit each. Most heads end here,
    /// without a look at the slots, which are too many to be at hand.
    held: Bits,
    /// By phrase: the same of the one filed in its slot before.
    next: Cow<'static, [[u8; 4]]>,
    /// By hash of the first four bytes: which lengths of heads so long or longer there are, one bit each.
    /// Few enough to be at hand: most words end here.
    fours: Cow<'static, [u8]>,
    /// By hash of the first two bytes: which lengths of heads there are, one bit each.
    begun: Cow<'static, [u8]>,
}

/// Phrases as they stand in the program.
#[derive(Serialize, Deserialize)]
struct StoredPhrases<'a> {
    phrases: &'a [u8],
    ends: &'a [u8],
    terms: &'a [u8],
    slots: &'a [u8],
    held: &'a [u8],
    next: &'a [u8],
    fours: &'a [u8],
    begun: &'a [u8],
}

/// One bit each, eight in a byte.
#[derive(Debug)]
struct Bits(Cow<'static, [u8]>);

impl Bits {
    fn new(count: usize) -> Bits {
        Bits(Cow::Owned(vec![0; count.div_ceil(8)]))
    }

    fn set(&mut self, at: usize) {
        if let Some(byte) = self.0.to_mut().get_mut(at / 8) {
            *byte |= 1 << (at % 8);
        }
    }

    #[inline]
    fn is_set(&self, at: usize) -> bool {
        self.0.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1)
    }
}

impl Phrases {
    /// The phrases of terms in all their forms; the number of a term is its place in this order.
    pub fn of_terms<'a>(terms: impl Iterator<Item = &'a str>) -> Phrases {
        let of_term = |(number, term)| forms(term).into_iter().map(move |form| (form, number));
        Phrases::new((0..=u16::MAX).zip(terms).flat_map(of_term).collect())
    }

    /// The phrases of a term, in order.
    pub fn of_term(&self, term: u16) -> impl Iterator<Item = &[u8]> {
        let number = |bytes: &[u8; 2]| u16::from_le_bytes(*bytes);
        let first = self.terms.partition_point(|it| number(it) < term);
        let terms = self.terms.get(first..).unwrap_or_default();
        let count = terms.iter().take_while(|it| number(it) == term).count();
        (first..first + count).filter_map(|place| self.phrases.bytes(place))
    }

    /// Files phrases, each with the number of its term, in the order of these; none may be empty.
    pub fn new(phrases: Vec<(Vec<u8>, u16)>) -> Phrases {
        let size = (phrases.len() * 2).next_power_of_two().max(64);
        let mut slots = vec![[0; 4]; size];
        let mut held = Bits::new(size * SPARSE);
        let mut next = Vec::with_capacity(phrases.len());
        let mut fours = vec![0; FOURS];
        let mut begun = vec![0; PAIRS];
        for (number, (phrase, _)) in (1_u32..).zip(&phrases) {
            let length = length_of(phrase);
            let hash = hash_of(head(phrase), length, size * SPARSE);
            held.set(hash);
            if length >= FOUR
                && let Some(lengths) = fours.get_mut(hash_of(head(phrase), FOUR, FOURS))
            {
                *lengths |= 1 << length;
            }
            let slot = slots.get_mut(hash % size);
            let number = number.to_le_bytes();
            next.push(slot.map_or([0; 4], |slot| std::mem::replace(slot, number)));
            let first = phrase.first().copied().unwrap_or(0);
            let seconds = match phrase.get(1) {
                Some(second) => *second..=*second,
                None => 0..=u8::MAX,
            };
            for second in seconds {
                if let Some(lengths) = begun.get_mut(pair(first, second)) {
                    *lengths |= 1 << length;
                }
            }
        }
        Phrases {
            terms: phrases.iter().map(|(_, term)| term.to_le_bytes()).collect(),
            phrases: phrases.iter().map(|(phrase, _)| phrase).collect(),
            slots: Cow::Owned(slots),
            held,
            next: Cow::Owned(next),
            fours: Cow::Owned(fours),
            begun: Cow::Owned(begun),
        }
    }

    /// What [`Phrases::stored`] takes.
    ///
    /// # Errors
    ///
    /// None that is known: all of it can be written.
    #[allow(dead_code, reason = "it is for the build script")]
    pub fn pack(&self) -> postcard::Result<Vec<u8>> {
        let (phrases, ends) = self.phrases.pack();
        postcard::to_stdvec(&StoredPhrases {
            phrases,
            ends,
            terms: self.terms.as_flattened(),
            slots: self.slots.as_flattened(),
            held: &self.held.0,
            next: self.next.as_flattened(),
            fours: &self.fours,
            begun: &self.begun,
        })
    }

    /// Phrases that were packed into the program, used where they stand; none where the bytes are no
    /// such thing.
    pub fn stored(bytes: &'static [u8]) -> Option<Phrases> {
        fn chunks<const N: usize>(bytes: &'static [u8]) -> Option<&'static [[u8; N]]> {
            let (chunks, rest) = bytes.as_chunks();
            rest.is_empty().then_some(chunks)
        }
        let stored: StoredPhrases<'static> = postcard::from_bytes(bytes).ok()?;
        Some(Phrases {
            phrases: Texts::stored(stored.phrases, stored.ends)?,
            terms: Cow::Borrowed(chunks(stored.terms)?),
            slots: Cow::Borrowed(chunks(stored.slots)?),
            held: Bits(Cow::Borrowed(stored.held)),
            next: Cow::Borrowed(chunks(stored.next)?),
            fours: Cow::Borrowed(stored.fours),
            begun: Cow::Borrowed(stored.begun),
        })
    }

    /// Calls `found` with term and length of each phrase that the text begins with and that ends where
    /// `ends` says that a word may: it is given the last byte and the one behind.
    #[inline]
    pub fn at(
        &self,
        text: &[u8],
        ends: impl Fn(u8, u8) -> bool,
        mut found: impl FnMut(u16, usize),
    ) {
        let Some(first) = text.first() else { return };
        let second = text.get(1).copied().unwrap_or(0);
        let mut lengths = self.begun.get(pair(*first, second)).copied().unwrap_or(0);
        if lengths == 0 {
            return;
        }
        if let [_, second, third, fourth, ..] = text {
            lengths &= !(u8::from(!ends(*second, *third)) << TWO);
            lengths &= !(u8::from(!ends(*third, *fourth)) << (TWO + 1));
        }
        let head = head(text);
        if lengths >> FOUR != 0 {
            let long = self.fours.get(hash_of(head, FOUR, FOURS)).copied().unwrap_or(0);
            lengths &= long | ((1 << FOUR) - 1);
        }
        while lengths != 0 {
            let length = lengths.trailing_zeros() as usize;
            lengths &= lengths - 1;
            let hash = hash_of(head, length, self.slots.len() * SPARSE);
            if !self.held.is_set(hash) {
                continue;
            }
            let number = |bytes: Option<&[u8; 4]>| {
                bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes)) as usize
            };
            let mut filed = number(self.slots.get(hash % self.slots.len().max(1)));
            while let Some(place) = filed.checked_sub(1)
                && let Some(phrase) = self.phrases.bytes(place)
            {
                // Heads of other lengths may be in the slot, which is asked for those by itself.
                let is_at_end = match text.get(phrase.len().saturating_sub(1)..) {
                    Some([last, behind, ..]) => ends(*last, *behind),
                    _ => true,
                };
                if is_at_end
                    && text.get(..phrase.len()).is_some_and(|it| it.eq_ignore_ascii_case(phrase))
                    && length_of(phrase) == length
                    && let Some(term) = self.terms.get(place)
                {
                    found(u16::from_le_bytes(*term), phrase.len());
                }
                filed = number(self.next.get(place));
            }
        }
    }
}

/// The place in [`HEADS`] of the length of a phrase's head.
fn length_of(phrase: &[u8]) -> usize {
    HEADS.iter().rposition(|head| *head <= phrase.len()).unwrap_or(0)
}

/// Hashes of two bytes.
const PAIRS: usize = 4096;

/// A hash of two bytes that is the same in either case, and tells all others of ASCII apart.
fn pair(first: u8, second: u8) -> usize {
    let folded = |byte: u8| usize::from(byte & 0x1f | byte >> 1 & 0x20);
    folded(first) << 6 | folded(second)
}

/// The first 16 bytes, those behind the text 0, without what tells the cases of a letter apart.
fn head(text: &[u8]) -> [u64; 2] {
    let bytes = match text.first_chunk::<16>() {
        Some(bytes) => *bytes,
        None => {
            let mut bytes = [0; 16];
            bytes.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
            bytes
        }
    };
    let bytes = u128::from_le_bytes(bytes);
    [bytes as u64, (bytes >> 64) as u64].map(|half| half | u64::from_le_bytes([0x20; 8]))
}

/// Bits for each slot.
const SPARSE: usize = 8;

/// By place in [`HEADS`]: the bytes of a head of that length.
const HELD: [[u64; 2]; 8] = [
    [0xff, 0],
    [0xffff, 0],
    [0x00ff_ffff, 0],
    [0xffff_ffff, 0],
    [0xffff_ffff_ffff, 0],
    [u64::MAX, 0],
    [u64::MAX, 0xffff_ffff],
    [u64::MAX, u64::MAX],
];

/// A hash of a head of the length at this place of [`HEADS`], below a power of two.
fn hash_of([low, high]: [u64; 2], length: usize, end: usize) -> usize {
    let [low_held, high_held] = HELD.get(length).copied().unwrap_or([0; 2]);
    let folded = (low & low_held) ^ (high & high_held).rotate_left(23) ^ (length as u64) << 59;
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (end - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let word = prop_oneof![
            "[ab]{1,20}",
            "[a-cA-C_ ]{1,9}",
            "[aé號]{1,8}",
            "(national|identification)[ _-]?[a-d]{0,3}",
        ];
        proptest::collection::vec(word.prop_map(String::into_bytes), 0..200)
    }

    proptest! {
        #[test]
        fn all_phrases_are_found_where_they_stand(
            words in words(),
            parts in proptest::collection::vec((any::<proptest::sample::Index>(), any::<bool>()), 0..20),
        ) {
            let phrases = Phrases::new(words.iter().cloned().zip(0..).collect());
            let mut text = Vec::new();
            for (index, upper) in parts {
                if !words.is_empty() {
                    let word = index.get(&words).clone();
                    text.extend(if upper { word.to_ascii_uppercase() } else { word });
                }
            }
            for at in 0..=text.len() {
                let mut found = Vec::new();
                phrases.at(&text[at..], |_, _| true, |number, length| found.push((number, length)));
                found.sort_unstable();
                let stands = |word: &Vec<u8>| {
                    text[at..].get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word))
                };
                let expected: Vec<(u16, usize)> = (0..)
                    .zip(&words)
                    .filter(|(_, word)| stands(word))
                    .map(|(number, word)| (number, word.len()))
                    .collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
