//! A piece of text with its surroundings, padded so that kernels never read beyond it.

use crate::rules::WORDS_LENGTH;

/// Bytes of a tile.
pub const TILE: usize = 4096;

/// Bytes kept before and behind the tile.
const MARGIN: usize = 64;

/// Words of a bitmap: one for the margin before, the tile's, one for the margin behind.
pub const WORDS: usize = TILE / 64 + 2;

/// Bytes of the buffer: the tile, both margins, and room for a vector load that starts inside.
pub const BUFFER: usize = MARGIN + TILE + MARGIN + 64;

/// Up to [`TILE`] bytes of text between two margins. What is no text is 0.
pub struct Tile {
    buffer: [u8; BUFFER],
    len: usize,
    text_end: usize,
}

/// One bit a byte and class, for the margins and the tile.
pub struct Maps {
    /// `0` to `9`.
    pub digit: [u64; WORDS],
    /// Digits and the separators of numbers.
    pub number: [u64; WORDS],
    /// ASCII letters.
    pub letter: [u64; WORDS],
    /// ASCII letters, digits and `-`.
    pub token: [u64; WORDS],
    /// `@`.
    pub at: [u64; WORDS],
    /// `:`.
    pub colon: [u64; WORDS],
    /// Hexadecimal digits.
    pub hex: [u64; WORDS],
    /// Bytes beyond ASCII.
    pub high: [u64; WORDS],
}

impl Default for Tile {
    fn default() -> Tile {
        Tile { buffer: [0; BUFFER], len: 0, text_end: 0 }
    }
}

impl Default for Maps {
    fn default() -> Maps {
        Maps {
            digit: [0; WORDS],
            number: [0; WORDS],
            letter: [0; WORDS],
            token: [0; WORDS],
            at: [0; WORDS],
            colon: [0; WORDS],
            hex: [0; WORDS],
            high: [0; WORDS],
        }
    }
}

impl Tile {
    /// Takes `start..end` of the text, at most [`TILE`] bytes, with its margins.
    pub fn load(&mut self, text: &[u8], start: usize, end: usize) {
        let from = start.saturating_sub(MARGIN);
        let to = text.len().min(end + MARGIN);
        let head = MARGIN - (start - from);
        let tail = head + (to - from);
        self.buffer[..head].fill(0);
        self.buffer[head..tail].copy_from_slice(&text[from..to]);
        let padded = BUFFER.min(tail + 2 * MARGIN);
        self.buffer[tail..padded].fill(0);
        self.len = end - start;
        self.text_end = tail - MARGIN;
    }

    /// The buffer; the tile begins at [`Tile::ORIGIN`].
    pub fn buffer(&self) -> &[u8; BUFFER] {
        &self.buffer
    }

    /// Where the tile begins in the buffer.
    pub const ORIGIN: usize = MARGIN;

    /// Bytes of the tile.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Behind the last byte of text, counted from the tile's start; more than `len` where the text
    /// goes on.
    pub fn text_end(&self) -> usize {
        self.text_end
    }

    /// Words that the tile's bytes fill; they are words 1 to this one of a bitmap.
    pub fn words(&self) -> usize {
        self.len.div_ceil(64)
    }

    /// The bits of a word (counted from 1) that are bytes of the tile.
    pub fn live(&self, word: usize) -> u64 {
        match self.len.saturating_sub((word - 1) * 64) {
            64.. => !0,
            bytes => (1 << bytes) - 1,
        }
    }

    /// Whether the bytes from this position of the tile on are lower-case words, as many as an
    /// anchor has.
    pub fn is_words(&self, at: usize) -> bool {
        let text = &self.buffer[MARGIN + at..];
        text[0] != b' '
            && text[..WORDS_LENGTH].iter().all(|byte| byte.is_ascii_lowercase() || *byte == b' ')
    }

    /// Whether the `:` at this position of the tile is the first of its group: at most four
    /// hexadecimal digits before it, and before those no letter, digit or `:`.
    pub fn is_first_colon(&self, at: usize) -> bool {
        let position = MARGIN + at;
        let before = &self.buffer[position.saturating_sub(5)..position];
        let digits = before.iter().rev().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let edge = before.iter().rev().nth(digits);
        digits <= 4 && edge.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b':')
    }
}
