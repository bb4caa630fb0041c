//! The cheap things that a sweep can find, and that every match of a rule must hold.

use serde::{Deserialize, Serialize};

/// Bytes that may stand between the digits of one number, at most two in a row.
pub const DIGIT_SEPARATORS: &[u8] = b" -./()";

/// What must be present for a rule to be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Anchors {
    /// One of these byte strings, ASCII letters in any case; each 3 to 32 bytes.
    Keywords(Vec<String>),
    /// A number: see [`Shape::Digits`]. The match holds at least `min` digits and at most `max`.
    Digits {
        /// Fewest digits of a match; 4 or more.
        min: u8,
        /// Most digits of a match.
        max: u8,
    },
    /// One of the other byte shapes.
    Shape(Shape),
}

/// Byte shapes that a sweep recognises. The position of an anchor is that of its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Shape {
    /// A digit that no digit precedes, with the five bytes after it all digits or
    /// [`DIGIT_SEPARATORS`].
    Digits,
    /// `@` before an ASCII letter or digit, or a byte beyond ASCII.
    At,
    /// Two ASCII letters and two digits, no ASCII letter or digit before them: `DE89`.
    LettersDigits,
    /// An ASCII letter or digit with neither before it; it and the ten bytes after it are all
    /// letters, digits or `-`, a digit among them.
    Token,
    /// The first `:` of a group: up to four hexadecimal digits before it with no letter, digit or
    /// `:` before those. Directly behind it comes another `:`, or a hexadecimal digit and two more
    /// `:`, each at most [`COLON_DISTANCE`] bytes behind the one before: `12:34:56` has too few.
    HexColon,
    /// An ASCII letter that no letter precedes; it and the 47 bytes after it are all letters.
    Letters,
    /// A lower-case ASCII letter; it and the 46 bytes after it are all such letters or spaces: twelve
    /// words of three letters. Before it stands no letter or digit, and before a space or one of
    /// `./()` that stands there, no letter or digit and none of those.
    Words,
}

/// Bytes of a [`Shape::Letters`] anchor.
pub const LETTERS_LENGTH: usize = 48;

/// Bytes of a [`Shape::Words`] anchor.
pub const WORDS_LENGTH: usize = 47;

/// From one `:` of a [`Shape::HexColon`] anchor to the next, in bytes: four digits may stand between.
pub const COLON_DISTANCE: usize = 5;

impl Shape {
    /// All that a rule pack can name.
    pub const NAMED: [Shape; 6] = [
        Shape::At,
        Shape::LettersDigits,
        Shape::Token,
        Shape::HexColon,
        Shape::Letters,
        Shape::Words,
    ];

    /// The word used in rule packs.
    pub fn as_str(self) -> &'static str {
        match self {
            Shape::Digits => "digits",
            Shape::At => "at",
            Shape::LettersDigits => "letters_digits",
            Shape::Token => "token",
            Shape::HexColon => "hex_colon",
            Shape::Letters => "letters",
            Shape::Words => "words",
        }
    }
}

/// How far before its anchor a match can start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lead {
    /// At most this many bytes; each start from the farthest on is tried. 0: at the anchor.
    Bytes(usize),
    /// The pattern begins with a run of these bytes, at most this many, that reaches up to the
    /// anchor: the start is found by walking back.
    Run(ByteSet, usize),
}

impl Lead {
    /// The most bytes before the anchor.
    pub fn max(&self) -> usize {
        match self {
            Lead::Bytes(bytes) | Lead::Run(_, bytes) => *bytes,
        }
    }
}

/// A set of byte values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// The set with no byte.
    pub const EMPTY: ByteSet = ByteSet([0; 4]);

    /// The set of all bytes.
    pub const ALL: ByteSet = ByteSet([u64::MAX; 4]);

    /// The bytes of the set, in order.
    pub fn iter(&self) -> impl Iterator<Item = u8> {
        (0..=192).step_by(64).zip(self.0).flat_map(|(first, mut word): (u8, u64)| {
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as u8;
                let byte = (bit < 64).then(|| first + bit);
                word &= word.wrapping_sub(1);
                byte
            })
        })
    }

    /// Adds a byte.
    pub fn insert(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }

    /// Adds the bytes of another set.
    pub fn add(&mut self, other: &ByteSet) {
        self.0.iter_mut().zip(other.0).for_each(|(ours, theirs)| *ours |= theirs);
    }

    /// Removes the bytes that another set does not hold.
    pub fn keep(&mut self, other: &ByteSet) {
        self.0.iter_mut().zip(other.0).for_each(|(ours, theirs)| *ours &= theirs);
    }

    /// The bytes that are not in the set.
    pub fn others(&self) -> ByteSet {
        ByteSet(self.0.map(|word| !word))
    }

    /// Whether the byte is in the set.
    pub fn contains(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    /// One bit a byte value, the lowest first.
    pub fn bits(&self) -> [u8; 32] {
        let mut bits = [0; 32];
        for (to, word) in bits.as_chunks_mut().0.iter_mut().zip(self.0) {
            *to = word.to_le_bytes();
        }
        bits
    }

    /// The set of which [`ByteSet::bits`] are these.
    pub fn of_bits(bits: &[u8; 32]) -> ByteSet {
        let mut set = ByteSet::EMPTY;
        for (word, bits) in set.0.iter_mut().zip(bits.as_chunks().0) {
            *word = u64::from_le_bytes(*bits);
        }
        set
    }

    /// Whether every byte of this set is in `other`.
    pub fn is_subset(&self, other: &ByteSet) -> bool {
        self.0.iter().zip(other.0).all(|(ours, theirs)| ours & !theirs == 0)
    }
}

impl FromIterator<u8> for ByteSet {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> ByteSet {
        let mut set = ByteSet::EMPTY;
        bytes.into_iter().for_each(|byte| set.insert(byte));
        set
    }
}

impl std::fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_sets_hold_what_was_put_in() {
        let set: ByteSet = b"az\xff\0".iter().copied().collect();
        let held: Vec<u8> = (0..=255).filter(|byte| set.contains(*byte)).collect();
        assert_eq!(held, [0, b'a', b'z', 255]);
        assert!(set.is_subset(&(0..=255).collect()));
        assert!(!set.is_subset(&ByteSet::EMPTY));
        let (mut both, mut more) = (set, set.others());
        both.keep(&(b'a'..=b'z').collect());
        assert!(both.iter().eq(*b"az"));
        more.add(&both);
        assert_eq!(more.iter().count(), 254);
        assert!(more.contains(b'a') && !more.contains(0));
        let bits = set.bits();
        assert_eq!((bits[0], bits[12], bits[31]), (1, 1 << 1, 1 << 7));
        assert!(ByteSet::of_bits(&bits) == set);
    }
}
