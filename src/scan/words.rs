//! Where words begin and end in a text, by its bytes.
//!
//! Text comes in, the places go out at which a word may begin, each with where its letters and digits
//! may end. Only ASCII letters and digits go on with a word here: what is said of a byte beyond ASCII
//! is on the safe side.

use serde::{Deserialize, Serialize};

use super::sweep::{BLOCK, HEAD, Places, kinds};

/// Whether a term may end before a byte: see [`may_begin`].
pub fn may_end(term: &[u8], behind: Option<&u8>) -> bool {
    match (term.last(), behind) {
        (Some(last), Some(behind)) => may_begin(*last, *behind),
        _ => true,
    }
}

/// Whether a word may begin with a byte that stands behind another, as it does at the border of
/// `customerSsn`.
pub fn may_begin(before: u8, byte: u8) -> bool {
    JOINED >> (kind_of(before) * 4 + kind_of(byte)) & 1 == 0
}

fn kind_of(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or(0)
}

/// By byte: 1 for a lower-case letter, 2 for a capital one, 3 for a digit, else 0.
#[expect(clippy::indexing_slicing, reason = "evaluated when the program is built")]
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'a'..=b'z' => 1,
            b'A'..=b'Z' => 2,
            b'0'..=b'9' => 3,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

/// By kind of a byte times four and kind of the next: whether they belong to one word.
const JOINED: u16 = 0b1110_1110_1010_0000;

/// As many bytes as are looked at together, one bit each and kind, the first byte lowest.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    lower: u64,
    upper: u64,
    digit: u64,
    /// Others at which a word may begin.
    other: u64,
}

/// Which bytes that are neither letters nor digits of ASCII a word may begin with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Others {
    /// Those of ASCII; more than a few are not told apart.
    ascii: Option<[u8; 4]>,
}

impl Others {
    /// Those that hold, among the first of some phrases.
    pub fn new(first_bytes: impl Iterator<Item = u8>) -> Others {
        let mut ascii: Vec<u8> =
            first_bytes.filter(|byte| byte.is_ascii() && kind_of(*byte) == 0).collect();
        ascii.sort_unstable();
        ascii.dedup();
        let few = (ascii.len() <= 4).then(|| {
            // A letter stands for none: it is no other.
            let mut few = [b'a'; 4];
            few.iter_mut().zip(ascii).for_each(|(to, from)| *to = from);
            few
        });
        Others { ascii: few }
    }
}

/// The places of a block at which a word may begin, or one of `others` or a byte beyond ASCII stands, one
/// bit each: what [`may_begin`] says, but for other signs. A byte may stand before them.
#[inline]
pub fn starts(bytes: &[u8; BLOCK + HEAD], before: Option<&u8>, others: &Others) -> Places {
    let block = Block::of(bytes, others);
    let before = before.map_or(0, |byte| kind_of(*byte));
    let (words, borders) = (block.all(), block.capitals(u64::from(before == 1)));
    let begins = words & !(words << 1 | u64::from(before != 0)) | borders | block.other;
    Places { begins, words, borders }
}

/// Calls `found` with each such place of a text, in order.
pub fn each_start(text: &[u8], others: &Others, mut found: impl FnMut(usize)) {
    for begin in (0..text.len()).step_by(BLOCK) {
        let behind = text.get(begin..).unwrap_or_default();
        let before = begin.checked_sub(1).and_then(|before| text.get(before));
        let mut starts = starts(&with_zeros(0, behind), before, others).begins;
        while starts != 0 {
            let at = begin + starts.trailing_zeros() as usize;
            starts &= starts - 1;
            if at < text.len() {
                found(at);
            }
        }
    }
}

/// A block that begins with so many zeros, then with a text; what is behind the text is 0.
pub fn with_zeros(zeros: usize, text: &[u8]) -> [u8; BLOCK + HEAD] {
    let mut bytes = [0; BLOCK + HEAD];
    bytes.iter_mut().skip(zeros).zip(text).for_each(|(to, from)| *to = *from);
    bytes
}

/// Calls `found` with how many letters and digits a word may have that begins a text: as many as there
/// are, up to `most`, and up to each border between a small letter and a capital one before that; of
/// such borders those that `borders` has, one bit a length. Where the text begins with another byte,
/// that is none.
pub fn lengths(text: &[u8], most: usize, borders: u64, mut found: impl FnMut(usize)) {
    let run = text.iter().take(most).take_while(|byte| kind_of(**byte) != 0).count();
    found(run);
    let mut borders = borders & !1;
    while borders != 0 {
        let at = borders.trailing_zeros() as usize;
        borders &= borders - 1;
        if at >= run {
            break;
        }
        let beside = text.get(at - 1).zip(text.get(at));
        if beside.is_some_and(|(before, byte)| may_begin(*before, *byte)) {
            found(at);
        }
    }
}

impl Block {
    /// The first bytes of these.
    #[inline]
    fn of(bytes: &[u8; BLOCK + HEAD], others: &Others) -> Block {
        let bytes = bytes.first_chunk().unwrap_or(&[0; BLOCK]);
        let maps = kinds(bytes, &others.ascii.unwrap_or_default());
        let neither = !(maps.lower | maps.upper | maps.digit);
        let other = if others.ascii.is_some() { maps.wanted | maps.high } else { u64::MAX };
        Block { lower: maps.lower, upper: maps.upper, digit: maps.digit, other: other & neither }
    }

    /// Capital letters behind small ones.
    fn capitals(self, is_lower: u64) -> u64 {
        self.upper & (self.lower << 1 | is_lower)
    }

    /// Letters and digits.
    fn all(self) -> u64 {
        self.lower | self.upper | self.digit
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 100;

    /// The same byte by byte.
    fn plain(text: &[u8], others: &[u8]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let before = |at: usize| at.checked_sub(1).map_or(b' ', |at| text[at]);
        for start in 0..text.len() {
            if !may_begin(before(start), text[start]) {
                continue;
            }
            let length = text[start..].iter().take_while(|it| kind_of(**it) != 0).count();
            if length > 0 {
                found.push((start, length));
            } else if others.contains(&text[start]) || text[start] >= 128 {
                found.push((start, 0));
            }
            let borders =
                (1..length).filter(|it| may_begin(text[start + it - 1], text[start + it]));
            found.extend(borders.map(|border| (start, border)));
        }
        found
    }

    proptest! {
        #[test]
        fn words_are_those_of_a_look_at_each_byte(
            pieces in prop::collection::vec(
                prop_oneof!["[a-zA-Z0-9]{0,70}", "[ab]{0,3}[AB]?", "[ .,(/_-]", "[é號]", "(aB){0,60}"],
                0..40,
            ),
            others in prop::collection::vec(prop::sample::select(b"(/,._-#".to_vec()), 0..7),
        ) {
            let text = pieces.concat().into_bytes();
            let mut found = Vec::new();
            let mask = (u64::MAX / 3) << 1 | 0xff;
            each_start(&text, &Others::new(others.iter().copied()), |start| {
                lengths(&text[start..], MOST, mask, |length| found.push((start, length)));
            });
            // More may be taken for others than are.
            found.retain(|(start, length)| {
                *length > 0 || text[*start] >= 128 || others.contains(&text[*start])
            });
            let mut expected = plain(&text, &others);
            let run = |start: usize| text[start..].iter().take_while(|it| kind_of(**it) != 0).count();
            expected.retain(|(start, length)| {
                *length == run(*start) || *length < 64 && mask >> length & 1 == 1
            });
            expected.iter_mut().for_each(|(_, length)| *length = (*length).min(MOST));
            prop_assert_eq!(found, expected);
        }
    }
}
