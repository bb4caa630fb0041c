//! Where windows may begin: two places are asked about at once.
//!
//! At every other place four bytes are looked up. The entry says whether a window may begin there,
//! and whether one may begin a byte later: then the byte before the window is looked up with its
//! first three. "No" is certain, "maybe" is not.

use super::keywords::{FILTER_FACTOR, Window};

/// The bits of four bytes that are looked up. Bit 5 tells the cases of a letter apart, and is none of
/// them. Of the first byte there are few, since any may stand before a keyword, and the table has
/// an entry for each.
pub const LOOKED_UP: u32 = 0x1fdf_df12;

/// By how much the product of such bits with [`FILTER_FACTOR`] is shifted for the number of its word.
pub const WORD_SHIFT: i32 = 20;

/// Words of the table.
pub const BEGIN_WORDS: usize = 1 << (32 - WORD_SHIFT);

/// By how much for the number of its first bit in the word, counted from the highest. It is even: the
/// next bit goes with it.
pub const PAIR_SHIFT: i32 = WORD_SHIFT - 5;

/// What of that number counts.
pub const PAIR_BITS: u32 = 30;

/// The table.
#[derive(Debug)]
pub struct Begins(Box<[u32; BEGIN_WORDS]>);

impl Begins {
    /// The beginnings of these windows, each with its keyword.
    pub fn new<'a>(windows: impl Iterator<Item = (&'a [u8], Window)>) -> Begins {
        let mut begins = Begins(Box::new([0; BEGIN_WORDS]));
        for (keyword, window) in windows {
            let start = usize::from(window.offset);
            let byte = |at: usize| keyword.get(at).copied();
            begins.add(std::array::from_fn(|place| byte(start + place)), 0);
            begins.add(std::array::from_fn(|place| byte((start + place).checked_sub(1)?)), 1);
        }
        begins
    }

    /// Four bytes a word, the lowest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// None where that is not so many words.
    pub fn from_bytes(bytes: &[u8]) -> Option<Begins> {
        let (words, []) = bytes.as_chunks() else { return None };
        let words: Box<[u32]> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        words.try_into().ok().map(Begins)
    }

    /// Adds four bytes that stand where a window begins so much later. Where none is known any may
    /// stand.
    fn add(&mut self, bytes: [Option<u8>; 4], later: u32) {
        let known = u32::from_le_bytes(bytes.map(|byte| byte.unwrap_or(0))) & LOOKED_UP;
        let of_unknown = bytes.map(|byte| if byte.is_some() { 0 } else { 0xff });
        let unknown = u32::from_le_bytes(of_unknown) & LOOKED_UP;
        let mut any = 0;
        loop {
            let (word, pair) = place_of(known | any);
            self.0[word] |= 1 << 31 >> pair >> later;
            // The next number of these bits alone; behind the last one comes 0.
            any = any.wrapping_sub(unknown) & unknown;
            if any == 0 {
                return;
            }
        }
    }

    /// Of the four bytes at a place: in the highest bit whether a window may begin there, in the next
    /// one whether one may begin a byte later.
    #[inline]
    pub fn at(&self, bytes: u32) -> u32 {
        let (word, pair) = place_of(bytes & LOOKED_UP);
        self.0[word] << pair
    }

    /// The table itself.
    pub fn words(&self) -> &[u32; BEGIN_WORDS] {
        &self.0
    }
}

/// The word of a key, and its pair of bits.
#[inline]
fn place_of(key: u32) -> (usize, u32) {
    let product = key.wrapping_mul(FILTER_FACTOR);
    ((product >> WORD_SHIFT) as usize, product >> PAIR_SHIFT & PAIR_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begins(keywords: &[(&str, usize)]) -> Begins {
        Begins::new(keywords.iter().map(|(keyword, offset)| {
            let keyword = keyword.as_bytes();
            let len = keyword.len().min(4);
            let mut bytes = [0; 4];
            bytes[..len].copy_from_slice(&keyword[*offset..*offset + len]);
            (keyword, Window { offset: *offset as u8, bytes, len: len as u8 })
        }))
    }

    fn ask(begins: &Begins, bytes: &[u8; 4]) -> (bool, bool) {
        let bits = begins.at(u32::from_le_bytes(*bytes));
        (bits >> 31 == 1, bits >> 30 & 1 == 1)
    }

    #[test]
    fn a_window_is_found_at_either_place_in_either_case() {
        let begins = begins(&[("password", 4), ("akia", 0), ("://", 0)]);
        assert!(ask(&begins, b"WoRd").0 && ask(&begins, b"swor").1);
        assert!(!ask(&begins, b"pass").0 && !ask(&begins, b"swor").0 && !ask(&begins, b"word").1);
        for byte in 0..=255 {
            assert!(ask(&begins, &[byte, b'a', b'K', b'i']).1);
            assert!(ask(&begins, &[b':', b'/', b'/', byte]).0);
            assert!(ask(&begins, &[byte, b':', b'/', b'/']).1);
        }
        assert!(!ask(&begins, b"akin").0 && !ask(&begins, b"xaki").0);
    }

    #[test]
    fn a_table_comes_back_from_its_bytes() {
        let begins = begins(&[("password", 4), ("://", 0)]);
        let bytes = begins.to_bytes();
        assert_eq!(Begins::from_bytes(&bytes).unwrap().words(), begins.words());
        assert!(Begins::from_bytes(&bytes[4..]).is_none());
        assert!(Begins::from_bytes(&bytes[1..]).is_none());
    }

    #[test]
    fn no_keywords_begin_nowhere() {
        assert!(begins(&[]).words().iter().all(|word| *word == 0));
    }
}
