//! Where words begin and end in a text, by its bytes.
//!
//! Text comes in, the places go out at which a word may begin, each with where its letters and digits
//! may end. Only ASCII letters and digits go on with a word here: what is said of a byte beyond ASCII
//! is on the safe side.

use super::sweep::{BLOCK, kinds};

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
#[derive(Clone, Debug, Default)]
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

/// Bytes of [`Word::head`].
pub const HEAD: usize = 16;

/// A place at which a word may begin.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// Where.
    pub start: usize,
    /// With how many letters and digits; 0 where it begins with another byte.
    pub length: usize,
    /// The bytes from there on, those behind the text 0.
    pub head: [u8; HEAD],
}

/// Calls `found` with each place in `from..to` at which a word of the text may begin, in order, and with
/// how many letters and digits it may begin with: up to where they end, be it behind `to`, and up to
/// each border between a small letter and a capital one before that. Where a word may begin with one
/// of `others`, that is none. Of more than [`BLOCK`] it is not said how many they are.
#[inline(always)]
pub fn each(text: &[u8], (from, to): (usize, usize), others: &Others, mut found: impl FnMut(Word)) {
    let to = to.min(text.len());
    let before = from.checked_sub(1).and_then(|at| text.get(at)).map_or(0, |byte| kind_of(*byte));
    // What the byte before a block says of its first one.
    let (mut joins, mut is_lower) = (u64::from(before != 0), u64::from(before == 1));
    let block = |begin: usize| Block::of(text.get(begin..).unwrap_or_default(), others);
    let mut next = block(from);
    for begin in (from..to).step_by(BLOCK) {
        let (this, left) = (next, to - begin);
        let all = this.all();
        // What is behind the last block is asked for only where a word goes on there.
        let goes_on = left > BLOCK || all >> 63 != 0;
        next = if goes_on { block(begin + BLOCK) } else { Block::default() };
        let capitals = this.upper & (this.lower << 1 | is_lower);
        let capitals_next = next.upper & (next.lower << 1 | this.lower >> 63);
        let mut starts = all & !(all << 1 | joins) | capitals | this.other;
        if left < BLOCK {
            starts &= (1 << left) - 1;
        }
        (joins, is_lower) = (all >> 63, this.lower >> 63);
        let mut padded = [0; BLOCK + HEAD];
        let behind = text.get(begin..).unwrap_or_default();
        let bytes: &[u8; BLOCK + HEAD] = behind.first_chunk().unwrap_or_else(|| {
            padded.iter_mut().zip(behind).for_each(|(to, from)| *to = *from);
            &padded
        });
        let has_capitals = capitals | capitals_next != 0;
        while starts != 0 {
            // Below 64, which the compiler does not know.
            let at = starts.trailing_zeros() % BLOCK as u32;
            starts &= starts - 1;
            let mut length = (!(all >> at)).trailing_zeros();
            if at + length >= BLOCK as u32 {
                length = BLOCK as u32 - at + (!next.all()).trailing_zeros();
            }
            let head = bytes.get(at as usize..).and_then(|head| head.first_chunk());
            let head = head.copied().unwrap_or_default();
            let mut inner = 0;
            if has_capitals {
                let all = (u128::from(capitals) | u128::from(capitals_next) << 64) >> at;
                inner = all & !1 & 1_u128.checked_shl(length).map_or(u128::MAX, |bit| bit - 1);
            }
            loop {
                found(Word { start: begin + at as usize, length: length as usize, head });
                if inner == 0 {
                    break;
                }
                length = inner.trailing_zeros();
                inner &= inner - 1;
            }
        }
    }
}

impl Block {
    /// The first bytes of a text.
    #[inline]
    fn of(text: &[u8], others: &Others) -> Block {
        match text.first_chunk::<BLOCK>() {
            Some(bytes) => Block::of_whole(bytes, others),
            None => {
                let mut bytes = [0; BLOCK];
                bytes.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
                let mut block = Block::of_whole(&bytes, others);
                block.other &= (1 << text.len()) - 1;
                block
            }
        }
    }

    fn of_whole(bytes: &[u8; BLOCK], others: &Others) -> Block {
        let maps = kinds(bytes, &others.ascii.unwrap_or_default());
        let neither = !(maps.lower | maps.upper | maps.digit);
        let other = if others.ascii.is_some() { maps.wanted | maps.high } else { u64::MAX };
        Block { lower: maps.lower, upper: maps.upper, digit: maps.digit, other: other & neither }
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

    /// The same byte by byte.
    fn plain(text: &[u8], from: usize, to: usize, others: &[u8]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let before = |at: usize| at.checked_sub(1).map_or(b' ', |at| text[at]);
        for start in from..to {
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
            (from, length) in (0usize..200, 0usize..400),
            others in prop::collection::vec(prop::sample::select(b"(/,._-#".to_vec()), 0..7),
        ) {
            let text = pieces.concat().into_bytes();
            let from = from.min(text.len());
            let to = (from + length).min(text.len());
            let mut found = Vec::new();
            each(&text, (from, to), &Others::new(others.iter().copied()), |word| {
                let head = word.head.map(|byte| (byte != 0).then_some(byte));
                assert!((0..HEAD).all(|at| head[at] == text.get(word.start + at).copied()));
                found.push((word.start, word.length));
            });
            // More may be taken for others than are.
            found.retain(|(start, length)| {
                *length > 0 || text[*start] >= 128 || others.contains(&text[*start])
            });
            let mut expected = plain(&text, from, to, &others);
            for found in [&mut found, &mut expected] {
                found.retain(|(_, length)| *length <= BLOCK);
            }
            prop_assert_eq!(found, expected);
        }
    }
}
