//! Bitmaps of byte classes come in, the shapes that rules are anchored at come out.
//!
//! All of it is arithmetic on words, eight at a time without a branch, so that a compiler makes vector
//! instructions of it: each kernel calls [`Shapes::look`] with what its CPU has. Bits that reach beyond
//! a word come from the next one.

use super::tile::{Maps, TILE, Tile, WORDS};
use super::{AnchorKind, pack};
use crate::rules::{COLON_DISTANCE, LETTERS_LENGTH, Shape, WORDS_LENGTH};

/// Words that are looked at in one go.
const LANES: usize = 8;

/// So many words of a bitmap, and of each the one before and the one behind.
#[derive(Clone, Copy)]
struct Wide<const LANES: usize> {
    last: [u64; LANES],
    word: [u64; LANES],
    next: [u64; LANES],
}

/// Of each shape, one bit a byte of the tile at which it begins.
pub struct Shapes {
    digits: [u64; WORDS],
    at: [u64; WORDS],
    letters_digits: [u64; WORDS],
    token: [u64; WORDS],
    hex_colon: [u64; WORDS],
    /// All of them.
    any: [u64; WORDS],
    /// One bit a word of the tile, from 1 on, in which one of them begins.
    some: u64,
    /// One bit a word of the tile, from 1 on, in which a long run of letters or words may begin.
    long: u64,
}

impl Default for Shapes {
    fn default() -> Shapes {
        let none = [0; WORDS];
        Shapes {
            digits: none,
            at: none,
            letters_digits: none,
            token: none,
            hex_colon: none,
            any: none,
            some: 0,
            long: 0,
        }
    }
}

impl Shapes {
    /// Finds the shapes of the first so many words of a tile, and of some more that do not count.
    #[inline(always)]
    pub fn look(&mut self, maps: &Maps, words: usize) {
        (self.some, self.long) = (0, 0);
        // A wide look would wait for the words of a bitmap, which were written one by one just now.
        if words == 1 {
            return self.look_from::<1>(maps, 1);
        }
        for first in (1..=words.min(TILE / 64)).step_by(LANES) {
            self.look_from::<LANES>(maps, first);
        }
    }

    /// The same of the words from one on.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "a loop over lanes becomes vector instructions")]
    fn look_from<const LANES: usize>(&mut self, maps: &Maps, first: usize) {
        let around = |map| Wide::<LANES>::new(map, first);
        let (digit, number) = (around(&maps.digit), around(&maps.number));
        let (letter, token) = (around(&maps.letter), around(&maps.token));
        let (at, colon) = (around(&maps.at), around(&maps.colon));
        let (hex, high) = (around(&maps.hex), around(&maps.high));
        let none = [0; LANES];
        let (mut digits, mut ats, mut letters_digits) = (none, none, none);
        let (mut tokens, mut colons, mut any, mut long) = (none, none, none, none);
        for lane in 0..LANES {
            let starts = digit.word[lane] & !before(&digit, lane, 1);
            digits[lane] = starts & all_of(&number, lane, [1, 2, 2]);
        }
        for lane in 0..LANES {
            let begins_name = after(&letter, lane, 1) | after(&high, lane, 1);
            ats[lane] = at.word[lane] & (begins_name | after(&digit, lane, 1));
        }
        for lane in 0..LANES {
            let inside = before(&digit, lane, 1) | before(&letter, lane, 1);
            let starts = (digit.word[lane] | letter.word[lane]) & !inside;
            let letters = letter.word[lane] & after(&letter, lane, 1);
            letters_digits[lane] =
                starts & letters & after(&digit, lane, 2) & after(&digit, lane, 3);
            let with_digit = starts & any_of_eleven(&digit, lane);
            tokens[lane] = with_digit & all_of(&token, lane, [1, 2, 4, 3]);
        }
        for lane in 0..LANES {
            let next = after(&hex, lane, 1) | after(&colon, lane, 1);
            let first = is_first(&hex, &colon, &digit, &letter, lane);
            colons[lane] = colon.word[lane] & next & first;
        }
        // Most texts have few of them: times of day, and others that end here.
        if colons != none {
            for lane in 0..LANES {
                colons[lane] &= after(&colon, lane, 1) | two_more(&colon, lane);
            }
        }
        for lane in 0..LANES {
            let plain = digits[lane] | ats[lane] | letters_digits[lane];
            any[lane] = plain | tokens[lane] | colons[lane];
            long[lane] = long_runs(&letter, &number, &token, lane);
        }
        for (lane, runs) in long.into_iter().enumerate() {
            self.long |= u64::from(runs != 0) << (first - 1 + lane);
            self.some |= u64::from(any[lane] != 0) << (first - 1 + lane);
        }
        let put = |map: &mut [u64; WORDS], words: [u64; LANES]| {
            if let Some(place) = map.get_mut(first..).and_then(|map| map.first_chunk_mut()) {
                *place = words;
            }
        };
        put(&mut self.digits, digits);
        put(&mut self.at, ats);
        put(&mut self.letters_digits, letters_digits);
        put(&mut self.token, tokens);
        put(&mut self.hex_colon, colons);
        put(&mut self.any, any);
    }

    /// Appends what was found in the bytes of a tile, in order, but for long runs.
    pub fn emit(&self, tile: &Tile, found: &mut Vec<u64>) {
        let mut some = self.some;
        while some != 0 {
            let word = some.trailing_zeros() as usize + 1;
            some &= some - 1;
            if word > tile.words() {
                break;
            }
            let any = self.any[word] & tile.live(word);
            let places = bits(any).map(|bit| ((word - 1) * 64 + bit, bit));
            let signs = self.at[word] | self.hex_colon[word];
            // Most words have numbers alone.
            if any & (signs | self.letters_digits[word] | self.token[word]) == 0 {
                let number = AnchorKind::shape(Shape::Digits);
                places.for_each(|(at, _)| found.push(pack(at, number)));
                continue;
            }
            let begun = [
                self.digits[word],
                self.at[word],
                self.letters_digits[word],
                self.token[word],
                self.hex_colon[word],
            ];
            for (at, bit) in places {
                // Most places have one shape: which ones begin there is told first.
                let shapes = (0..).zip(begun).map(|(shape, begun)| (begun >> bit & 1) << shape);
                for shape in bits(shapes.fold(0, |all, shape| all | shape)) {
                    found.push(pack(at, AnchorKind::shape(PLAIN[shape])));
                }
            }
        }
    }

    /// Appends the long runs of a tile.
    pub fn emit_runs(&self, tile: &Tile, maps: &Maps, found: &mut Vec<u64>) {
        let mut long = self.long;
        while long != 0 {
            let word = long.trailing_zeros() as usize + 1;
            long &= long - 1;
            if word <= tile.words() {
                runs(tile, maps, word, found);
            }
        }
    }
}

/// The numbers of the bits that are set, the lowest first.
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            bit
        })
    })
}

/// The shapes that bitmaps tell for sure.
const PLAIN: [Shape; 5] =
    [Shape::Digits, Shape::At, Shape::LettersDigits, Shape::Token, Shape::HexColon];

impl<const LANES: usize> Wide<LANES> {
    /// The words of a bitmap from one on.
    #[inline(always)]
    fn new(map: &[u64; WORDS], first: usize) -> Wide<LANES> {
        let part = |from: usize| map.get(from..).and_then(|map| map.first_chunk().copied());
        let [last, word, next] = [first - 1, first, first + 1].map(part);
        let none = [0; LANES];
        Wide { last: last.unwrap_or(none), word: word.unwrap_or(none), next: next.unwrap_or(none) }
    }
}

/// Bit p says whether byte p - distance is of the class; distance 1 to 63.
#[inline(always)]
fn before<const LANES: usize>(map: &Wide<LANES>, lane: usize, distance: u32) -> u64 {
    map.word[lane] << distance | map.last[lane] >> (64 - distance)
}

/// Bit p says whether byte p + distance is of the class; distance 1 to 63.
#[inline(always)]
fn after<const LANES: usize>(map: &Wide<LANES>, lane: usize, distance: u32) -> u64 {
    map.word[lane] >> distance | map.next[lane] << (64 - distance)
}

/// Bit p says whether bytes from p on are all of the class: as many as the steps add up to, and one.
/// A step is at most as long as what the steps before it cover.
#[inline(always)]
fn all_of<const LANES: usize, const STEPS: usize>(
    map: &Wide<LANES>,
    lane: usize,
    steps: [u32; STEPS],
) -> u64 {
    let (mut word, mut next) = (map.word[lane], map.next[lane]);
    for step in steps {
        word &= word >> step | next << (64 - step);
        // Its uppermost bits are those of bytes that no bit of the first word reaches.
        next &= next >> step;
    }
    word
}

/// Bit p says whether one of bytes p to p + 10 is of the class.
#[inline(always)]
fn any_of_eleven<const LANES: usize>(map: &Wide<LANES>, lane: usize) -> u64 {
    let (mut word, mut next) = (map.word[lane], map.next[lane]);
    for step in [1, 2, 4, 3] {
        word |= word >> step | next << (64 - step);
        next |= next >> step;
    }
    word
}

/// Bit p says whether a `:` there is the first of its group: before it stand at most four hexadecimal
/// digits, and before those neither a letter, a digit nor a `:`.
#[inline(always)]
fn is_first<const LANES: usize>(
    hex: &Wide<LANES>,
    colon: &Wide<LANES>,
    digit: &Wide<LANES>,
    letter: &Wide<LANES>,
    lane: usize,
) -> u64 {
    let edge = |distance: u32| {
        !(before(colon, lane, distance)
            | before(digit, lane, distance)
            | before(letter, lane, distance))
    };
    let mut first = edge(5);
    for distance in [4, 3, 2, 1] {
        first = edge(distance) | before(hex, lane, distance) & first;
    }
    first
}

/// Bit p says whether two more `:` stand behind byte p, each at most [`COLON_DISTANCE`] bytes behind the
/// one before.
#[inline(always)]
fn two_more<const LANES: usize>(colon: &Wide<LANES>, lane: usize) -> u64 {
    let (word, next) = (colon.word[lane], colon.next[lane]);
    let (near, next_near) = near_behind(word, next);
    near_behind(word & near, next & next_near).0
}

/// Bit p says whether one of bytes p + 1 to p + [`COLON_DISTANCE`] is of the class, for two words. What is
/// behind the second one counts as none.
#[inline(always)]
fn near_behind(word: u64, next: u64) -> (u64, u64) {
    let (mut near, mut next_near) = (word >> 1 | next << 63, next >> 1);
    for step in [1, 2, 1] {
        near |= near >> step | next_near << (64 - step);
        next_near |= next_near >> step;
    }
    (near, next_near)
}

const _: () = assert!(COLON_DISTANCE == 1 + 1 + 2 + 1);

/// Not 0 if a run of 47 letters or breaks may begin in the word: of so many bytes, two neighbouring
/// blocks of 16 are full.
#[inline(always)]
fn long_runs<const LANES: usize>(
    letter: &Wide<LANES>,
    number: &Wide<LANES>,
    token: &Wide<LANES>,
    lane: usize,
) -> u64 {
    let run = letter.word[lane] | number.word[lane] & !token.word[lane];
    let next = letter.next[lane] | number.next[lane] & !token.next[lane];
    let (full, next) = (full_blocks(run), full_blocks(next));
    full & full >> 16 | full >> 48 & next & 1 | next & next >> 16 & 1
}

/// The lowest bit of each of the four blocks of 16 bits that is all set.
#[inline(always)]
fn full_blocks(bits: u64) -> u64 {
    let two = bits & bits >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    eight & eight >> 8 & 0x0001_0001_0001_0001
}

fn emit(mut bits: u64, word: usize, shape: Shape, found: &mut Vec<u64>) {
    while bits != 0 {
        let bit = bits.trailing_zeros() as usize;
        bits &= bits - 1;
        found.push(pack((word - 1) * 64 + bit, AnchorKind::shape(shape)));
    }
}

/// Finds long runs of letters, and of lower-case words.
fn runs(tile: &Tile, maps: &Maps, word: usize, found: &mut Vec<u64>) {
    let last = word - 1;
    let breaks = |word: usize| maps.number[word] & !maps.token[word];
    let run = |word: usize| maps.letter[word] | breaks(word);
    let behind = |map: &[u64; WORDS]| map[word] << 1 | map[last] >> 63;
    let live = tile.live(word);
    let letter = maps.letter[word];
    let letters = letter & !behind(&maps.letter) & live;
    if letters != 0 {
        let both = u128::from(letter) | u128::from(maps.letter[word + 1]) << 64;
        emit(letters & long(both, LETTERS_LENGTH as u32), word, Shape::Letters, found);
    }
    let starts = letters & !behind(&maps.digit);
    let both = u128::from(run(word)) | u128::from(run(word + 1)) << 64;
    let mut words = starts & long(both, WORDS_LENGTH as u32);
    if words == 0 {
        return;
    }
    let break_before = breaks(word) << 1 | breaks(last) >> 63;
    let word_like = |word: usize| run(word) | maps.digit[word];
    let second = word_like(word) << 2 | word_like(last) >> 62;
    words &= !(break_before & second);
    while words != 0 {
        let bit = words.trailing_zeros() as usize;
        words &= words - 1;
        let at = last * 64 + bit;
        if tile.is_words(at) {
            found.push(pack(at, AnchorKind::shape(Shape::Words)));
        }
    }
}

/// Bit p says whether bits p to p + length - 1 are all set; length 33 to 64.
fn long(one: u128, length: u32) -> u64 {
    let two = one & one >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    let sixteen = eight & eight >> 8;
    let thirty_two = sixteen & sixteen >> 16;
    (thirty_two & thirty_two >> (length - 32)) as u64
}
