//! Where one of some terms may begin, asked of single places of a text.
//!
//! A place comes in, how many of its first bytes a term may begin with goes out, at the cost of one
//! look-up for most words. "None" is certain, "some" is not. Terms can be added at any time.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::sweep::{Firsts, HEAD};
use super::words::may_end;

/// Bits of hashes of a term's first two bytes, and of its head.
const TWO: u32 = 10;
const HEADS: u32 = 16;

/// The beginnings of some terms.
#[derive(Clone, Debug)]
pub struct Beginnings {
    /// Their first words.
    pub firsts: Firsts,
    /// By hash of the first two bytes: how many bytes of its head there are, at most [`HEAD`], one bit a
    /// number. What is shorter is a whole term.
    begun: Cow<'static, [u8]>,
    /// By hash of the head: whether there is such a term, one bit each.
    heads: Cow<'static, [u8]>,
}

/// Beginnings as they stand in the program.
#[derive(Serialize, Deserialize)]
pub struct StoredBeginnings<'a> {
    firsts: &'a [u8],
    begun: &'a [u8],
    heads: &'a [u8],
}

/// The tables of [`Beginnings`], whose lengths are known.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    begun: &'a [u8; 1 << TWO],
    heads: &'a [u8; 1 << (HEADS - 3)],
}

impl Default for Beginnings {
    fn default() -> Beginnings {
        Beginnings {
            firsts: Firsts::default(),
            begun: Cow::Owned(vec![0; 1 << TWO]),
            heads: Cow::Owned(vec![0; 1 << (HEADS - 3)]),
        }
    }
}

impl<'a> FromIterator<&'a [u8]> for Beginnings {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(terms: I) -> Beginnings {
        let mut beginnings = Beginnings::default();
        terms.into_iter().for_each(|term| beginnings.add(term));
        beginnings
    }
}

impl Beginnings {
    /// What [`Beginnings::stored`] takes.
    pub fn pack(&self) -> StoredBeginnings<'_> {
        StoredBeginnings { firsts: self.firsts.pack(), begun: &self.begun, heads: &self.heads }
    }

    /// Beginnings that were packed into the program, used where they stand; none where they are of
    /// other lengths.
    pub fn stored(stored: &StoredBeginnings<'static>) -> Option<Beginnings> {
        let StoredBeginnings { firsts, begun, heads } = *stored;
        let lengths = [1 << TWO, 1 << (HEADS - 3)];
        ([begun.len(), heads.len()] == lengths).then_some(Beginnings {
            firsts: Firsts::stored(firsts)?,
            begun: Cow::Borrowed(begun),
            heads: Cow::Borrowed(heads),
        })
    }

    /// Adds a term.
    pub fn add(&mut self, term: &[u8]) {
        let (head, length) = (head(term), length(term));
        // Of a single byte the second one is any.
        let seconds = match term.get(1) {
            Some(second) => *second..=*second,
            None => 0..=u8::MAX,
        };
        for second in seconds {
            let head = self::head(&[term.first().copied().unwrap_or(0), second]);
            if let Some(lengths) = self.begun.to_mut().get_mut(hash(head, 2, TWO)) {
                *lengths |= 1 << (length - 1);
            }
        }
        self.firsts.add(term);
        set(self.heads.to_mut(), hash(head, length, HEADS));
    }

    /// Forgets all terms.
    pub fn clear(&mut self) {
        self.firsts.clear();
        for table in [&mut self.begun, &mut self.heads] {
            table.to_mut().fill(0);
        }
    }

    /// To be asked of many places.
    pub fn tables(&self) -> Tables<'_> {
        Tables {
            begun: self.begun.first_chunk().unwrap_or(&[u8::MAX; _]),
            heads: self.heads.first_chunk().unwrap_or(&[u8::MAX; _]),
        }
    }
}

impl Tables<'_> {
    /// Calls `found` with each number of bytes that a term which may begin at a place of a text has of a
    /// head, and with the head; first words tell most places at which there is none.
    #[inline(always)]
    pub fn each(self, text: &[u8], at: usize, mut found: impl FnMut(u64, usize)) {
        let text = text.get(at..).unwrap_or_default();
        let head = head(text);
        let mut lengths = self.begun.get(hash(head, 2, TWO)).copied().unwrap_or(0);
        while lengths != 0 {
            let length = lengths.trailing_zeros() as usize + 1;
            lengths &= lengths - 1;
            if is_set(self.heads, hash(head, length, HEADS))
                && let Some((term, behind)) = text.split_at_checked(length)
                && (length == HEAD || may_end(term, behind.first()))
            {
                found(head, length);
            }
        }
    }
}

/// How many bytes of a term's head there are.
pub fn length(term: &[u8]) -> usize {
    term.len().clamp(1, HEAD)
}

/// The first bytes of a text, without what tells the cases of a letter apart.
#[inline]
pub fn head(text: &[u8]) -> u64 {
    if let Some(bytes) = text.first_chunk() {
        return folded(*bytes);
    }
    let mut bytes = [0; HEAD];
    bytes.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
    folded(bytes)
}

/// Bytes without what tells the cases of a letter apart.
#[inline]
fn folded(bytes: [u8; HEAD]) -> u64 {
    u64::from_le_bytes(bytes) | u64::from_le_bytes([0x20; HEAD])
}

/// A hash of so many bits of the first bytes of a head, at least one.
#[inline]
pub fn hash(head: u64, length: usize, bits: u32) -> usize {
    let bytes = head << (8 * (HEAD - length) as u32);
    (bytes.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as usize
}

#[inline(always)]
fn is_set<const N: usize>(bitmap: &[u8; N], at: usize) -> bool {
    bitmap.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1)
}

fn set(bitmap: &mut [u8], at: usize) {
    if let Some(byte) = bitmap.get_mut(at / 8) {
        *byte |= 1 << (at % 8);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::first_words::{Class, FirstWords};
    use crate::scan::words::Others;

    fn begins(beginnings: &Beginnings, text: &[u8]) -> Vec<usize> {
        let mut found = Vec::new();
        let mut words = FirstWords::default();
        words.know(Class::All, &beginnings.firsts);
        let others = Others::new(b"-".iter().copied());
        words.each(Class::All, &others, (text, 0), (0, 1), |at| {
            beginnings.tables().each(text, at, |_, length| found.push(length));
        });
        found
    }

    #[test]
    fn most_that_is_no_beginning_is_told() {
        let terms = ["social security", "dl", "n", "größe"];
        let mut beginnings: Beginnings = terms.iter().map(|term| term.as_bytes()).collect();
        let of = |text: &str| begins(&beginnings, text.as_bytes());
        assert_eq!(
            (of("Social Secretary"), of("DL 5"), of("dl"), of("N")),
            (vec![8], vec![2], vec![2], vec![1])
        );
        assert_eq!(of("dlNumber"), [2]);
        assert_eq!(of("größe"), [7]);
        for text in ["social thing", "dls", "no", "the quick brown", "123-45", "gross", "", "d"] {
            assert_eq!(of(text), [0; 0], "{text}");
        }
        beginnings.clear();
        assert_eq!(begins(&beginnings, b"dl 5"), [0; 0]);
    }

    proptest! {
        /// Where a term stands and a word may end behind it, its beginning is told; and the same is said
        /// of what was packed.
        #[test]
        fn a_term_is_never_overlooked(
            terms in prop::collection::vec("[a-cA-Cé-][a-cA-C0-9 _é-]{0,11}", 1..20),
            term: prop::sample::Index,
            behind in "[a-zA-Z0-9 é]{0,12}",
            upper: bool,
        ) {
            let term = term.get(&terms).as_bytes();
            let cased = if upper { term.to_ascii_uppercase() } else { term.to_ascii_lowercase() };
            let text = [&cased, behind.as_bytes()].concat();
            let beginnings: Beginnings = terms.iter().map(|term| term.as_bytes()).collect();
            let found = begins(&beginnings, &text);
            if may_end(&cased, text.get(cased.len())) {
                prop_assert!(found.contains(&length(term)), "{found:?}");
            }
            let packed = postcard::to_stdvec(&beginnings.pack()).unwrap().leak();
            let stored = Beginnings::stored(&postcard::from_bytes(packed).unwrap()).unwrap();
            prop_assert_eq!(begins(&stored, &text), found);
        }
    }
}
