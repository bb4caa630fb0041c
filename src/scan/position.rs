//! Lines and characters, counted as far as they are asked for.

use super::sweep::count;

/// Counts lines and characters of a view from its start up to where it was last asked. Questions
/// come in order of offset.
#[derive(Clone, Debug)]
pub struct Positions {
    at: u64,
    line: u64,
    line_start: u64,
    chars: u64,
    valid_to: u64,
    is_utf8: bool,
}

/// Where a byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, counted from 1.
    pub line: u64,
    /// Byte of the line, counted from 1.
    pub column: u64,
    /// Characters before the byte.
    pub chars: u64,
}

impl Positions {
    /// Positions in a view that begins at offset `start`.
    pub fn new(start: u64) -> Positions {
        Positions {
            at: start,
            line: 1,
            line_start: start,
            chars: 0,
            valid_to: start,
            is_utf8: true,
        }
    }

    /// Offset up to which bytes were counted; text below `self.needs_from()` may be dropped.
    pub fn needs_from(&self) -> u64 {
        if self.is_utf8 { self.valid_to.min(self.at) } else { self.at }
    }

    /// Counts up to `offset`. `text` begins at offset `base`, not above [`Positions::needs_from`].
    pub fn advance(&mut self, text: &[u8], base: u64, offset: u64) {
        let part = slice(text, base, self.at, offset);
        if part.is_empty() {
            return;
        }
        let counted = count(part);
        if counted.lines > 0 {
            self.line += counted.lines;
            let last = memchr::memrchr(b'\n', part).unwrap_or(0);
            self.line_start = self.at + last as u64 + 1;
        }
        self.chars += counted.chars;
        let begins_whole = self.valid_to >= self.at;
        self.at += part.len() as u64;
        if begins_whole && counted.is_ascii && self.is_utf8 {
            self.valid_to = self.valid_to.max(self.at);
        }
        self.validate(text, base, self.at);
    }

    /// Where the byte at `offset` is; counts up to it.
    pub fn at(&mut self, text: &[u8], base: u64, offset: u64) -> Position {
        self.advance(text, base, offset);
        Position {
            line: self.line,
            column: offset.saturating_sub(self.line_start) + 1,
            chars: self.chars,
        }
    }

    /// Offset of the first byte of the line that the last question was about.
    pub fn line_start(&self) -> u64 {
        self.line_start
    }

    /// Whether all bytes up to `offset` are UTF-8.
    pub fn is_utf8_up_to(&mut self, text: &[u8], base: u64, offset: u64) -> bool {
        self.validate(text, base, offset);
        self.is_utf8 && self.valid_to >= offset
    }

    fn validate(&mut self, text: &[u8], base: u64, offset: u64) {
        if !self.is_utf8 || self.valid_to >= offset {
            return;
        }
        let part = slice(text, base, self.valid_to, offset);
        if part.is_ascii() {
            self.valid_to += part.len() as u64;
            return;
        }
        match std::str::from_utf8(part) {
            Ok(_) => self.valid_to += part.len() as u64,
            Err(error) => {
                self.valid_to += error.valid_up_to() as u64;
                // A character that is only cut here is looked at again when the rest is there.
                self.is_utf8 = error.error_len().is_none();
            }
        }
    }
}

/// Number of characters that begin in these bytes of UTF-8.
pub fn chars_in(text: &[u8]) -> u64 {
    if text.is_ascii() {
        return text.len() as u64;
    }
    text.iter().filter(|byte| **byte & 0xc0 != 0x80).count() as u64
}

fn slice(text: &[u8], base: u64, from: u64, to: u64) -> &[u8] {
    let index = |offset: u64| usize::try_from(offset.saturating_sub(base)).unwrap_or(usize::MAX);
    text.get(index(from)..index(to).min(text.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_columns_and_characters_are_counted_from_any_base() {
        let text = "aé\nßx\n\nz".as_bytes();
        for base in [0, 3] {
            let mut positions = Positions::new(base);
            let at = |positions: &mut Positions, index: usize| {
                positions.at(text, base, base + index as u64)
            };
            assert_eq!(at(&mut positions, 0), Position { line: 1, column: 1, chars: 0 });
            assert_eq!(at(&mut positions, 6), Position { line: 2, column: 3, chars: 4 });
            assert_eq!(at(&mut positions, 9), Position { line: 4, column: 1, chars: 7 });
            assert!(positions.is_utf8_up_to(text, base, base + 10));
        }
    }

    #[test]
    fn a_broken_byte_ends_utf8_for_good_and_a_cut_character_does_not() {
        let mut positions = Positions::new(0);
        let text = "aé".as_bytes();
        assert!(!positions.is_utf8_up_to(&text[..2], 0, 2));
        assert!(positions.is_utf8_up_to(text, 0, 3));
        let mut positions = Positions::new(0);
        assert!(positions.is_utf8_up_to(b"a\xffb", 0, 1));
        assert!(!positions.is_utf8_up_to(b"a\xffb", 0, 3));
    }
}
