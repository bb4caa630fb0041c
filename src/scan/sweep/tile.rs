//! A piece of text with its surroundings, padded so that kernels never read beyond it.

use super::LOOK_AHEAD;
use crate::rules::WORDS_LENGTH;

/// Bytes of a tile.
pub const TILE: usize = 4096;

/// Bytes kept before and behind the tile.
const MARGIN: usize = 64;

/// Words of a bitmap: one for the margin before, the tile's, one for the margin behind, and some that
/// are looked at with the last ones and do not count.
pub const WORDS: usize = TILE / 64 + 2 + 7;

/// Bytes of the buffer: the tile, both margins, and room for a vector load that starts inside.
pub const BUFFER: usize = MARGIN + TILE + MARGIN + 64;

/// Places of a buffer that a kernel may write: all at which a window can begin, and 64 more.
pub const ROOM: usize = (TILE + LOOK_AHEAD).div_ceil(64) * 64 + 64;

/// Writes all places from the tile's start on at which a window can begin, and counts them.
pub fn every_place(tile: &Tile, room: &mut [u16; ROOM]) -> usize {
    let count = tile.reached() * 64;
    let places = (Tile::ORIGIN..).zip(room.iter_mut().take(count));
    places.for_each(|(at, place)| *place = at as u16);
    count
}

/// Up to [`TILE`] bytes of text between two margins. What is no text is 0.
pub struct Tile<'a> {
    buffer: &'a [u8; BUFFER],
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

impl<'a> Tile<'a> {
    /// Takes `start..end` of the text, at most [`TILE`] bytes, with its margins: where it stands, if
    /// there is text on all sides, else out of `room`, into which it is copied.
    pub fn new(text: &'a [u8], start: usize, end: usize, room: &'a mut [u8; BUFFER]) -> Tile<'a> {
        let len = end - start;
        if let Some(from) = start.checked_sub(MARGIN)
            && let Some(buffer) = text[from..].first_chunk()
        {
            return Tile { buffer, len, text_end: BUFFER - MARGIN };
        }
        let from = start.saturating_sub(MARGIN);
        let to = text.len().min(end + MARGIN);
        let head = MARGIN - (start - from);
        let tail = head + (to - from);
        room[..head].fill(0);
        room[head..tail].copy_from_slice(&text[from..to]);
        let padded = BUFFER.min(tail + 2 * MARGIN);
        room[tail..padded].fill(0);
        Tile { buffer: room, len, text_end: tail - MARGIN }
    }

    /// The buffer; the tile begins at [`Tile::ORIGIN`].
    pub fn buffer(&self) -> &[u8; BUFFER] {
        self.buffer
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

    /// Words from the tile's first on in which the window of one of its keywords can begin.
    pub fn reached(&self) -> usize {
        (self.len + LOOK_AHEAD).div_ceil(64)
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
}
