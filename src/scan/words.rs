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

/// Where in a block that stands behind a byte a word may begin, or a byte beyond ASCII stands, one bit a
/// byte: what [`may_begin`] says, but for signs.
pub fn begins(before: u8, bytes: &[u8; BLOCK]) -> u64 {
    let block = Block::of_whole(bytes, &Others { ascii: Some([b'a'; 4]) });
    let kind = kind_of(before);
    block.begins(u64::from(kind != 0), u64::from(kind == 1)) | block.other
}

/// Bytes of [`Word::head`].
pub const HEAD: usize = 16;

/// A place at which a word may begin.
#[derive(Clone, Copy)]
pub struct Word {
    /// Where.
    pub start: usize,
    /// With how many letters and digits; 0 where it begins with another byte.
    pub length: usize,
    /// The bytes from there on, those behind the text 0.
    pub head: [u8; HEAD],
}

/// Its bytes are those of the payload, and are not shown.
impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Word")
            .field("start", &self.start)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// Calls `found` with each place in `from..to` at which a word of the text may begin, in order, and with
/// how many letters and digits it may begin with: up to where they end, be it behind `to`, and up to
/// each border between a small letter and a capital one before that. Where a word may begin with one
/// of `others`, that is none. Of more than [`BLOCK`] it is not said how many they are. Of such borders
/// those count that `borders` has, of the bytes at the beginning: one bit a length, below 64.
#[inline(always)]
pub fn each(
    text: &[u8],
    (from, to): (usize, usize),
    others: &Others,
    borders: impl Fn(&[u8; HEAD]) -> u64,
    mut found: impl FnMut(Word),
) {
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
        let capitals = this.capitals(is_lower);
        let capitals_next = next.capitals(this.lower >> 63);
        let mut starts = this.begins(joins, is_lower) | this.other;
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
                let all =
                    all as u64 & !1 & 1_u64.checked_shl(length).map_or(u64::MAX, |bit| bit - 1);
                if all != 0 {
                    inner = all & borders(&head);
                }
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

    /// Where words of letters and digits begin. The two bits say of the byte before whether it is of a
    /// word, and whether it is a small letter.
    fn begins(self, joins: u64, is_lower: u64) -> u64 {
        let all = self.all();
        all & !(all << 1 | joins) | self.capitals(is_lower)
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

    #[test]
    fn the_bytes_of_a_word_are_not_shown() {
        let mut shown = String::new();
        each(b"canary7", (0, 7), &Others::default(), |_| 0, |word| shown += &format!("{word:?}"));
        assert_eq!(shown, "Word { start: 0, length: 7, .. }");
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
            let mask = (u64::MAX / 3) << 1 | 0xff;
            let borders = |_: &[u8; HEAD]| mask;
            each(&text, (from, to), &Others::new(others.iter().copied()), borders, |word| {
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
                let run = |start: usize| {
                    text[start..].iter().take_while(|it| kind_of(**it) != 0).count()
                };
                found.retain(|(start, length)| {
                    *length <= BLOCK
                        && (*length == run(*start) || *length < 64 && mask >> length & 1 == 1)
                });
            }
            prop_assert_eq!(found, expected);
        }
    }
}
