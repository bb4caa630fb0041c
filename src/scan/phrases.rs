//! Thousands of phrases, looked for at single places of a text.
//!
//! Text from a place on comes in, with the length of a first word that it may begin with, and the
//! phrases that begin with this word go out, ASCII letters in any case. Most words begin none, and are
//! looked up in one table of bits. Made in the time it takes to hash the phrases, unlike an automaton of
//! all of them; those of the terms that ship with the program are made when it is built.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::beginnings::{Beginnings, StoredBeginnings};
use super::forms::forms;
use super::words::Others;
use crate::rules::Texts;

/// The phrases, filed by their first words, the letters and digits of ASCII that they begin with, and
/// by some bytes behind, as many as there are of [`BEHIND`]: many a common word begins some term. Where
/// a phrase begins with no word, a few bytes stand for it.
#[derive(Debug)]
pub struct Phrases {
    phrases: Texts,
    /// By phrase: the number of its term.
    terms: Cow<'static, [[u8; 2]]>,
    /// By hash of what phrases are filed by: whether there is one, one bit each.
    held: Held,
    /// By hash: the place of the first entry; and last, how many entries there are.
    firsts: Cow<'static, [[u8; 4]]>,
    entries: Cow<'static, [[u8; ENTRY]]>,
    /// By first byte, where that is no letter or digit: how many bytes stand for the first words of
    /// such phrases, one bit a number.
    few: Cow<'static, [u8]>,
    /// By the first two bytes: how long the phrases are that are one word, one bit a length.
    whole: Cow<'static, [[u8; 8]]>,
    others: Others,
    /// How all of them begin, and how those do of the terms that combinations look for.
    pub all: Beginnings,
    pub combined: Beginnings,
}

/// Phrases as they stand in the program.
#[derive(Serialize, Deserialize)]
struct StoredPhrases<'a> {
    phrases: &'a [u8],
    ends: &'a [u8],
    terms: &'a [u8],
    held: &'a [u8],
    firsts: &'a [u8],
    entries: &'a [u8],
    few: &'a [u8],
    whole: &'a [u8],
    #[serde(borrow)]
    all: StoredBeginnings<'a>,
    #[serde(borrow)]
    combined: StoredBeginnings<'a>,
}

/// Numbers of bytes behind a first word by which phrases are filed. What is shorter than all is filed by
/// the word alone.
const BEHIND: [usize; 7] = [2, 4, 6, 8, 10, 12, 14];

/// Bytes of a place that are looked at together.
const HEAD: usize = 16;

/// Entries of [`Phrases::whole`].
const PAIRS: usize = 1 << 10;

/// Letters and digits of a first word at most.
const LONGEST: u8 = 0x7f;

/// As many bytes, at most, stand for the first word of a phrase that begins with none.
const FEW: usize = 3;

/// Bytes behind a first word that are compared before the rest is.
const REST: usize = 4;

/// Bytes of an entry.
const ENTRY: usize = 11;

/// A phrase among those of one hash.
#[derive(Clone, Copy, Debug)]
struct Entry {
    phrase: u32,
    word: First,
    /// What is behind the first word, folded, and what of it counts.
    rest: u32,
    rest_length: u8,
    /// By how many of [`BEHIND`] it is filed.
    level: u8,
}

/// By how many of [`BEHIND`] a phrase is filed, besides its first word.
fn level_of(word: First, behind: usize) -> u8 {
    match word {
        First::Run(_) => BEHIND.iter().filter(|length| **length <= behind).count() as u8,
        First::Few(_) => 0,
    }
}

/// How a phrase begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// So many letters and digits.
    Run(u8),
    /// A byte that is neither; so many bytes stand for a word.
    Few(u8),
}

impl First {
    fn of(phrase: &[u8]) -> First {
        let length = |length: usize| u8::try_from(length).unwrap_or(u8::MAX);
        match phrase.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count() {
            0 => First::Few(length(phrase.len().min(FEW))),
            run => First::Run(length(run)),
        }
    }

    fn len(self) -> usize {
        match self {
            First::Run(length) | First::Few(length) => usize::from(length),
        }
    }

    /// One byte of its own for each.
    fn code(self) -> u8 {
        match self {
            First::Run(length) => length,
            First::Few(length) => length | !LONGEST,
        }
    }
}

impl Entry {
    fn to_bytes(self) -> [u8; ENTRY] {
        let [a, b, c, d] = self.phrase.to_le_bytes();
        let [e, f, g, h] = self.rest.to_le_bytes();
        [a, b, c, d, e, f, g, h, self.word.code(), self.rest_length, self.level]
    }
}

/// Two bits of a word for each hash that is there.
#[derive(Debug)]
struct Held(Cow<'static, [[u8; 8]]>);

impl Held {
    /// That of these hashes; a power of two says how many different ones there are, about.
    fn of(count: usize, hashes: &[Hash]) -> Held {
        let mut held = Held(Cow::Owned(vec![[0; 8]; count / SHARED]));
        hashes.iter().for_each(|hash| held.add(*hash));
        held
    }

    fn add(&mut self, hash: Hash) {
        let place = self.place(hash);
        if let Some(word) = self.0.to_mut().get_mut(place) {
            *word = (u64::from_le_bytes(*word) | hash.bits()).to_le_bytes();
        }
    }

    #[inline(always)]
    fn may_hold(&self, hash: Hash) -> bool {
        let word = self.0.get(self.place(hash)).map_or(0, |word| u64::from_le_bytes(*word));
        word & hash.bits() == hash.bits()
    }

    /// Words are a power of two.
    #[inline(always)]
    fn place(&self, hash: Hash) -> usize {
        hash.number() & self.0.len().wrapping_sub(1)
    }
}

impl Phrases {
    /// The phrases of terms in all their forms; the number of a term is its place in this order.
    /// Combinations look for those of `combined` (sorted).
    pub fn of_terms<'a>(terms: impl Iterator<Item = &'a str>, combined: &[u16]) -> Phrases {
        let of_term = |(number, term)| forms(term).into_iter().map(move |form| (form, number));
        Phrases::new((0..=u16::MAX).zip(terms).flat_map(of_term).collect(), combined)
    }

    /// The phrases of a term, in order.
    pub fn of_term(&self, term: u16) -> impl Iterator<Item = &[u8]> {
        let number = |bytes: &[u8; 2]| u16::from_le_bytes(*bytes);
        let first = self.terms.partition_point(|it| number(it) < term);
        let terms = self.terms.get(first..).unwrap_or_default();
        let count = terms.iter().take_while(|it| number(it) == term).count();
        (first..first + count).filter_map(|place| self.phrases.bytes(place))
    }

    /// Files phrases, each with the number of its term, in the order of these; none may be empty, or have
    /// more than 127 letters and digits in its first word.
    pub fn new(phrases: Vec<(Vec<u8>, u16)>, combined: &[u16]) -> Phrases {
        let mut filed: Vec<(Hash, Entry)> = Vec::with_capacity(phrases.len());
        let mut few = vec![0; 256];
        let mut asked: Vec<Hash> = Vec::new();
        let mut whole = vec![[0; 8]; PAIRS];
        for (number, (phrase, _)) in (0_u32..).zip(&phrases) {
            let word = First::of(phrase);
            let behind = phrase.get(word.len()..).unwrap_or_default();
            let rest_length = behind.len().min(REST);
            let entry = Entry {
                phrase: number,
                word,
                rest: four(behind, 0) & REST_HELD.get(rest_length).copied().unwrap_or(0),
                rest_length: rest_length as u8,
                level: level_of(word, behind.len()),
            };
            if let First::Few(length) = word
                && let Some(lengths) = phrase.first().and_then(|it| few.get_mut(usize::from(*it)))
            {
                *lengths |= 1 << length;
            }
            if word == First::Run(u8::try_from(phrase.len()).unwrap_or(u8::MAX)) {
                let seconds = match phrase.get(1) {
                    Some(second) => *second..=*second,
                    None => 0..=0x1f,
                };
                for second in seconds {
                    let pair = pair_of(phrase.first().copied().unwrap_or(0), second);
                    let lengths = whole.get_mut(pair);
                    let bit = 1_u64.checked_shl(phrase.len() as u32).unwrap_or(0);
                    if let Some(lengths) = lengths {
                        *lengths = (u64::from_le_bytes(*lengths) | bit).to_le_bytes();
                    }
                }
            }
            let hash = hash_of(head(phrase, 0), word);
            let rest = head(behind, 0);
            asked.push(hash.with(rest, entry.level.min(1)));
            filed.push((hash.with(rest, entry.level), entry));
        }
        // About every other phrase is filed by bytes of its own.
        let held = Held::of((asked.len() / 2).next_power_of_two().max(64), &asked);
        let (firsts, entries) = by_slot(&filed, phrases.len().next_power_of_two().max(64));
        let is_combined = |term: &u16| combined.binary_search(term).is_ok();
        let of_combined = phrases.iter().filter(|(_, term)| is_combined(term));
        Phrases {
            all: phrases.iter().map(|(phrase, _)| phrase.as_slice()).collect(),
            combined: of_combined.map(|(phrase, _)| phrase.as_slice()).collect(),
            terms: phrases.iter().map(|(_, term)| term.to_le_bytes()).collect(),
            others: Others::new(phrases.iter().filter_map(|(phrase, _)| phrase.first().copied())),
            phrases: phrases.iter().map(|(phrase, _)| phrase).collect(),
            held,
            firsts: Cow::Owned(firsts),
            entries: Cow::Owned(entries),
            few: Cow::Owned(few),
            whole: Cow::Owned(whole),
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
            held: self.held.0.as_flattened(),
            firsts: self.firsts.as_flattened(),
            entries: self.entries.as_flattened(),
            few: &self.few,
            whole: self.whole.as_flattened(),
            all: self.all.pack(),
            combined: self.combined.pack(),
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
        let begins = |(byte, lengths): (u8, &u8)| (*lengths != 0).then_some(byte);
        Some(Phrases {
            phrases: Texts::stored(stored.phrases, stored.ends)?,
            terms: Cow::Borrowed(chunks(stored.terms)?),
            held: Held(Cow::Borrowed(chunks(stored.held)?)),
            firsts: Cow::Borrowed(chunks(stored.firsts)?),
            entries: Cow::Borrowed(chunks(stored.entries)?),
            others: Others::new((0..=u8::MAX).zip(stored.few).filter_map(begins)),
            few: Cow::Borrowed(stored.few),
            whole: Cow::Borrowed(chunks(stored.whole)?),
            all: Beginnings::stored(&stored.all)?,
            combined: Beginnings::stored(&stored.combined)?,
        })
    }

    /// Which bytes phrases begin with besides letters and digits.
    pub fn others(&self) -> &Others {
        &self.others
    }

    /// How long the phrases are that are one word of letters and digits which begins with the first two
    /// bytes of a text, and of some others: one bit a length, below 64.
    #[inline]
    pub fn whole(&self, text: &[u8]) -> u64 {
        let byte = |at: usize| text.get(at).copied().unwrap_or(0);
        let bits = self.whole.get(pair_of(byte(0), byte(1)));
        bits.map_or(0, |bits| u64::from_le_bytes(*bits))
    }

    /// Calls `found` with term and length of each phrase that stands at a place of a text and whose first word
    /// has so many letters and digits; 0 where it begins with another byte.
    pub fn at(&self, text: &[u8], at: usize, length: usize, mut found: impl FnMut(u16, usize)) {
        if length > 0 {
            if let Ok(length @ 0..=LONGEST) = u8::try_from(length) {
                self.with_word(text, at, First::Run(length), &mut found);
            }
            return;
        }
        let mut lengths = text.get(at).map_or(0, |first| self.few(*first));
        while lengths != 0 {
            let length = lengths.trailing_zeros() as u8;
            lengths &= lengths - 1;
            self.with_word(text, at, First::Few(length), &mut found);
        }
    }

    fn few(&self, first: u8) -> u8 {
        self.few.get(usize::from(first)).copied().unwrap_or(0)
    }

    fn with_word(&self, text: &[u8], at: usize, word: First, found: &mut impl FnMut(u16, usize)) {
        let hash = hash_of(head(text, at), word);
        let rest = head(text, at + word.len());
        let text = text.get(at..).unwrap_or_default();
        if self.held.may_hold(hash) {
            self.filed(text, word, (hash, 0, rest as u32), found);
        }
        if self.held.may_hold(hash.with(rest, 1)) {
            for level in (1..).take(BEHIND.len()) {
                self.filed(text, word, (hash.with(rest, level), level, rest as u32), found);
            }
        }
    }

    fn filed(
        &self,
        text: &[u8],
        word: First,
        (hash, level, rest): (Hash, u8, u32),
        found: &mut impl FnMut(u16, usize),
    ) {
        let slot = hash.number() & self.firsts.len().saturating_sub(2);
        let first = |slot: usize| {
            self.firsts.get(slot).map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
        };
        let entries = self.entries.get(first(slot)..first(slot + 1)).unwrap_or_default();
        for [a, b, c, d, e, f, g, h, code, rest_length, filed_by] in entries {
            let counts = REST_HELD.get(usize::from(*rest_length)).copied().unwrap_or(0);
            if *code == word.code()
                && *filed_by == level
                && (rest & counts) == u32::from_le_bytes([*e, *f, *g, *h])
                && let place = u32::from_le_bytes([*a, *b, *c, *d]) as usize
                && let Some(phrase) = self.phrases.bytes(place)
                && text.get(..phrase.len()).is_some_and(|it| it.eq_ignore_ascii_case(phrase))
                && let Some(term) = self.terms.get(place)
            {
                found(u16::from_le_bytes(*term), phrase.len());
            }
        }
    }
}

/// Entries by so many slots of their hashes, those of one in order, and the place of the first one of
/// each; last, how many there are.
fn by_slot(filed: &[(Hash, Entry)], slots: usize) -> (Vec<[u8; 4]>, Vec<[u8; ENTRY]>) {
    let slot_of = |hash: &Hash| hash.number() & (slots - 1);
    let mut next = vec![0_u32; slots + 1];
    for (hash, _) in filed {
        if let Some(count) = next.get_mut(slot_of(hash) + 1) {
            *count += 1;
        }
    }
    let mut all = 0;
    for count in &mut next {
        all += *count;
        *count = all;
    }
    let firsts = next.iter().map(|first| first.to_le_bytes()).collect();
    let mut entries = vec![[0; ENTRY]; filed.len()];
    for (hash, entry) in filed {
        if let Some(place) = next.get_mut(slot_of(hash)) {
            if let Some(slot) = entries.get_mut(*place as usize) {
                *slot = entry.to_bytes();
            }
            *place += 1;
        }
    }
    (firsts, entries)
}

/// Four bytes from a place on, those behind the text 0, without what tells the cases of a letter apart.
#[inline(always)]
fn four(text: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(text, at)) | 0x2020_2020
}

/// So many bytes from a place on, those behind the text 0.
#[inline(always)]
fn bytes_at<const N: usize>(text: &[u8], at: usize) -> [u8; N] {
    match text.get(at..at + N).and_then(|bytes| bytes.first_chunk()) {
        Some(bytes) => *bytes,
        None => last_bytes(text, at),
    }
}

#[cold]
fn last_bytes<const N: usize>(text: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    let last = text.get(at..).unwrap_or_default();
    bytes.iter_mut().zip(last).for_each(|(to, from)| *to = *from);
    bytes
}

/// The place of two bytes in [`Phrases::whole`].
fn pair_of(first: u8, second: u8) -> usize {
    usize::from(first & 0x1f) << 5 | usize::from(second & 0x1f)
}

/// By number of bytes: what of four counts.
const REST_HELD: [u32; REST + 1] = [0, 0xff, 0xffff, 0x00ff_ffff, u32::MAX];

/// The first bytes of a text from a place on, likewise.
fn head(text: &[u8], at: usize) -> u128 {
    folded(bytes_at(text, at))
}

/// Bytes without what tells the cases of a letter apart.
#[inline(always)]
fn folded(bytes: [u8; HEAD]) -> u128 {
    u128::from_le_bytes(bytes) | u128::from_le_bytes([0x20; HEAD])
}

/// Places of [`Phrases::firsts`] that share a word of [`Phrases::held`].
const SHARED: usize = 4;

/// By length of a word: what of 16 bytes counts.
#[expect(clippy::indexing_slicing, reason = "evaluated when the program is built")]
const WORD_HELD: [[u64; 2]; 17] = {
    let mut held = [[0; 2]; 17];
    let mut length = 1;
    while length < 17 {
        let bytes = u128::MAX >> (128 - length * 8);
        held[length] = [bytes as u64, (bytes >> 64) as u64];
        length += 1;
    }
    held
};

/// A hash of a first word of up to 16 bytes, or of the first 16 of a longer one.
#[inline(always)]
fn hash_of(head: u128, word: First) -> Hash {
    let [low, high] = WORD_HELD.get(word.len().min(16)).copied().unwrap_or_default();
    let (low, high) = (head as u64 & low, (head >> 64) as u64 & high);
    let folded =
        low ^ high.wrapping_mul(0x85eb_ca6b_c2b2_ae35) ^ u64::from(word.code()).rotate_right(8);
    Hash(folded.wrapping_mul(HASH_FACTOR))
}

/// A hash, of which the upper half counts.
#[derive(Clone, Copy, Debug)]
struct Hash(u64);

const HASH_FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hash {
    /// The hash of the same and the two bytes behind.
    #[inline(always)]
    fn with_two(self, rest: u32) -> Hash {
        Hash((self.0.rotate_left(29) ^ u64::from(rest & 0xffff) << 24).wrapping_mul(HASH_FACTOR))
    }

    /// The hash of the same and of as many bytes behind as [`BEHIND`] has at this level, if any.
    fn with(self, rest: u128, level: u8) -> Hash {
        let length = usize::from(level).checked_sub(1).and_then(|level| BEHIND.get(level));
        match length {
            None => self,
            Some(2) => self.with_two(rest as u32),
            Some(length) => {
                let [low, high] = WORD_HELD.get(*length).copied().unwrap_or_default();
                let (low, high) = (rest as u64 & low, (rest >> 64) as u64 & high);
                let folded = low.wrapping_mul(HASH_FACTOR).rotate_left(31) ^ high;
                Hash((self.0 ^ folded ^ u64::from(level)).wrapping_mul(HASH_FACTOR))
            }
        }
    }

    #[inline(always)]
    fn number(self) -> usize {
        (self.0 >> 32) as usize
    }

    /// Two bits of a word.
    #[inline(always)]
    fn bits(self) -> u64 {
        1 << (self.0 >> 26 & 63) | 1 << (self.0 >> 20 & 63)
    }
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
            let phrases = Phrases::new(words.iter().cloned().zip(0..).collect(), &[]);
            let mut text = Vec::new();
            for (index, upper) in parts {
                if !words.is_empty() {
                    let word = index.get(&words).clone();
                    text.extend(if upper { word.to_ascii_uppercase() } else { word });
                }
            }
            for at in 0..=text.len() {
                let mut found = Vec::new();
                let run = text[at..].iter().take_while(|it| it.is_ascii_alphanumeric()).count();
                for length in (0..=run).filter(|length| *length > 0 || run == 0) {
                    phrases.at(&text, at, length, |number, length| found.push((number, length)));
                }
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
