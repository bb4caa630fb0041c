//! How often pairs of bytes stand beside each other in ordinary text.
//!
//! Only speed rests on it: a window of a keyword, or a bucket, that text holds less often makes
//! fewer candidates. `pairs.txt` was counted on equal shares of HTML, Python, Rust and C, prose, and
//! data (JSON, CSV, YAML, XML), 3 MB each. Bytes are taken by class, so that letters are the same in
//! either case.

/// Classes of bytes.
pub const CLASSES: usize = 64;

/// The class of a byte: bits 0 to 4 and 6, with bit 7 mixed in. Bit 5, which tells the cases of a
/// letter apart, is left out.
pub const fn class(byte: u8) -> u8 {
    (byte & 31 | byte >> 1 & 32) ^ ((byte >> 7) * 0b01_0101)
}

/// Shares of all pairs, and of bytes.
#[derive(Debug)]
pub struct Pairs {
    pairs: Box<[[f32; CLASSES]; CLASSES]>,
    bytes: [f32; CLASSES],
}

impl Pairs {
    /// A line a class of the first byte, a letter a class of the second: `a` for all pairs, `b` for
    /// half of them, `c` for a quarter, and so on.
    pub fn read() -> Pairs {
        let mut pairs = Box::new([[0.0; CLASSES]; CLASSES]);
        for (line, row) in include_str!("pairs.txt").lines().zip(pairs.iter_mut()) {
            for (letter, share) in line.bytes().zip(row.iter_mut()) {
                *share = 0.5_f32.powi(i32::from(letter.saturating_sub(b'a')));
            }
        }
        let bytes = pairs.each_ref().map(|row| row.iter().sum());
        Pairs { pairs, bytes }
    }

    /// The share of a pair of bytes.
    pub fn pair(&self, first: u8, second: u8) -> f32 {
        self.pairs[usize::from(class(first))][usize::from(class(second))]
    }

    /// The share of a byte.
    pub fn byte(&self, byte: u8) -> f32 {
        self.bytes[usize::from(class(byte))]
    }

    /// What share of all places of a text may hold these bytes, each taken to depend on the one
    /// before it alone.
    pub fn text(&self, bytes: &[u8]) -> f32 {
        let mut share = bytes.first().map_or(1.0, |first| self.byte(*first));
        for pair in bytes.windows(2) {
            share *= self.pair(pair[0], pair[1]) / self.byte(pair[0]);
        }
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_of_a_letter_are_one_class_and_other_bytes_mostly_not() {
        assert!((b'a'..=b'z').all(|letter| class(letter) == class(letter.to_ascii_uppercase())));
        let classes: std::collections::BTreeSet<u8> = (b' '..b'`').map(class).collect();
        assert_eq!(classes.len(), 64);
        assert!((0..=255).all(|byte| usize::from(class(byte)) < CLASSES));
        assert!((0..=255u8).all(|byte| class(byte) == class(byte ^ 0x20)));
    }

    #[test]
    fn common_text_has_a_larger_share() {
        let pairs = Pairs::read();
        let sum: f32 = pairs.bytes.iter().sum();
        assert!((0.7..1.3).contains(&sum), "{sum}");
        assert!(pairs.text(b"the ") > pairs.text(b"tion"));
        assert!(pairs.text(b"pass") > 20.0 * pairs.text(b"wq7z"));
        assert!(pairs.text(b"akia") > 0.0);
    }
}
