//! First words at many places of a text, looked up in one table of bits.
//!
//! A block and the places at which words begin there come in, and for each class of words those of them
//! go out whose first word it may hold. "No" is certain, "yes" is not. Letters count in either case. A
//! first word is the letters and digits of ASCII that a head begins with; where there are none two bytes
//! stand for it. One that may end sooner, at the border of `customerSsn`, is taken to be in every class.

use std::borrow::Cow;

use super::BLOCK;
#[cfg(target_arch = "x86_64")]
use super::cpu::Cpu;

/// Bytes of a head.
pub const HEAD: usize = 8;

/// Bits of the hash of a first word.
const BITS: u32 = 15;

/// Classes of words that one table holds.
pub const CLASSES: usize = 4;

/// By hash of a first word: which classes hold it, one bit each, the first one lowest.
pub type Table = [u8; 1 << (BITS - 1)];

/// Places of a block that are to be looked up, and what its bytes are, one bit each.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// Where words begin, and other signs that terms begin with.
    pub begins: u64,
    /// Letters and digits.
    pub words: u64,
    /// Capital letters behind small ones.
    pub borders: u64,
}

/// First words of one class.
#[derive(Clone, Debug)]
pub struct Firsts(Cow<'static, [u8]>);

/// What a word is multiplied by: not what heads of terms are, so that the tables of both miss other words.
const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;

/// The same bit, or the same byte, of each byte of a head.
const EACH: u64 = u64::from_le_bytes([1; HEAD]);
const HIGHEST: u64 = EACH << 7;

/// Two bytes, which stand for a word where there is none.
const TWO: u64 = 0xffff;

/// What tells the cases of a letter apart.
const CASE: u64 = EACH << 5;

/// By class: which of these places begin with a word that it may hold. A block begins at the first byte;
/// what is behind the text is 0.
#[inline]
pub fn look_up(bytes: &[u8; BLOCK + HEAD], places: Places, table: &Table) -> [u64; CLASSES] {
    if places.begins == 0 {
        return [0; CLASSES];
    }
    #[cfg(target_arch = "x86_64")]
    if Cpu::here().permutes_bytes {
        // SAFETY: the CPU has what it needs.
        return unsafe { x86::look_up(bytes, places.begins, table) };
    } else if Cpu::here().has_avx2 {
        // SAFETY: the CPU has what it needs.
        return unsafe { x86::look_up_avx2(bytes, places.begins, table) };
    }
    reference(bytes, places, table)
}

/// Whether two blocks are looked up in little more time than one.
#[inline]
pub fn looks_up_ahead() -> bool {
    #[cfg(target_arch = "x86_64")]
    return Cpu::here().permutes_bytes;
    #[cfg(not(target_arch = "x86_64"))]
    false
}

impl Default for Firsts {
    fn default() -> Firsts {
        Firsts(Cow::Owned(vec![0; Firsts::LENGTH]))
    }
}

impl Firsts {
    /// Bytes of their bits: one for each hash, whether there is such a word.
    const LENGTH: usize = 1 << (BITS - 3);

    /// Their bits, where they stand in the program; none where they are not as many as they have to be.
    pub fn stored(bits: &'static [u8]) -> Option<Firsts> {
        (bits.len() == Firsts::LENGTH).then_some(Firsts(Cow::Borrowed(bits)))
    }

    /// What [`Firsts::stored`] takes.
    pub fn pack(&self) -> &[u8] {
        &self.0
    }

    /// Adds the word that a term begins with. Of a term of a single byte that is no letter or digit, the
    /// second one is any.
    pub fn add(&mut self, term: &[u8]) {
        let mut head = [0; HEAD];
        head.iter_mut().zip(term).for_each(|(to, from)| *to = *from);
        let seconds = match term {
            [only] if !only.is_ascii_alphanumeric() => 0..=u8::MAX,
            _ => head[1]..=head[1],
        };
        let bits = self.0.to_mut();
        for second in seconds {
            head[1] = second;
            let place = place(first_word(u64::from_le_bytes(head)).0);
            if let Some(byte) = bits.get_mut(place / 8) {
                *byte |= 1 << (place % 8);
            }
        }
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.0.to_mut().fill(0);
    }

    /// Makes them those of a class of a table.
    pub fn put_into(&self, table: &mut Table, class: usize) {
        let (places, _) = table.as_chunks_mut::<4>();
        for (places, bits) in places.iter_mut().zip(self.0.iter()) {
            // Each bit goes to four of its own.
            let mut spread = u32::from(*bits);
            spread = (spread | spread << 12) & 0x000f_000f;
            spread = (spread | spread << 6) & 0x0303_0303;
            spread = (spread | spread << 3) & 0x1111_1111;
            let others = u32::from_le_bytes(*places) & !(0x1111_1111 << class);
            *places = (others | spread << class).to_le_bytes();
        }
    }
}

fn reference(bytes: &[u8; BLOCK + HEAD], places: Places, table: &Table) -> [u64; CLASSES] {
    let mut known = [0; CLASSES];
    let mut look = |at: usize, word: u64, has_border: bool| {
        let place = place(word);
        let classes = table.get(place / 2).copied().unwrap_or(u8::MAX) >> (place % 2 * 4);
        let classes = if has_border { u8::MAX } else { classes & 0xf };
        // Most words are in no class.
        if classes != 0 {
            for (class, known) in known.iter_mut().enumerate() {
                *known |= u64::from(classes >> class & 1) << at;
            }
        }
    };
    // What begins behind these may go on behind the block.
    let inside = u64::MAX >> (HEAD - 1);
    for (at, head) in heads(bytes, places.begins & inside) {
        let length = ((places.words >> at).trailing_ones() as usize).min(HEAD);
        match length {
            0 => look(at, (head | CASE) & TWO, false),
            _ => {
                let word = (head | CASE) & u64::MAX >> (8 * (HEAD - length));
                look(at, word, (places.borders >> at) & ((1 << length) - 2) != 0);
            }
        }
    }
    for (at, head) in heads(bytes, places.begins & !inside) {
        let (word, has_border) = first_word(head);
        look(at, word, has_border);
    }
    known
}

/// The places that are set, with the heads there.
fn heads(bytes: &[u8; BLOCK + HEAD], mut places: u64) -> impl Iterator<Item = (usize, u64)> {
    std::iter::from_fn(move || {
        // Of no place the first one is read, and left out.
        let at = (places.trailing_zeros() % BLOCK as u32) as usize;
        let head = bytes.get(at..).and_then(|head| head.first_chunk());
        (places != 0).then(|| {
            places &= places - 1;
            (at, head.map_or(0, |head| u64::from_le_bytes(*head)))
        })
    })
}

/// The first word of a head, in small letters, and whether it may end before its last letter: where a
/// capital letter stands behind a small one.
#[inline(always)]
fn first_word(head: u64) -> (u64, bool) {
    // The highest bit of each byte tells whether it is at least, or above, something; no sum goes over.
    let low = head & !HIGHEST;
    let from = |bytes: u64, first: u8| bytes + EACH * u64::from(0x80 - first);
    let within = |first: u8, last: u8| from(low, first) & !from(low, last + 1) & !head & HIGHEST;
    let (lower, upper) = (within(b'a', b'z'), within(b'A', b'Z'));
    let gaps = !(lower | upper | within(b'0', b'9')) & HIGHEST;
    // All below the first gap, which is all where there is none.
    let before = ((gaps & gaps.wrapping_neg()) >> 7).wrapping_sub(1);
    let word = if before == 0 { TWO } else { before };
    ((head | CASE) & word, upper & lower << 8 & before != 0)
}

#[inline(always)]
fn place(word: u64) -> usize {
    (word.wrapping_mul(FACTOR) >> (u64::BITS - BITS)) as usize
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{BITS, BLOCK, CASE, CLASSES, FACTOR, HEAD, TWO, Table};

    /// Heads that are looked up together.
    const LANES: u32 = 16;

    const fn numbers(divisor: u8, remainder: u8, first: u8) -> [u8; BLOCK] {
        let mut numbers = [0; BLOCK];
        let mut at = 0;
        while at < BLOCK {
            numbers[at] = first + at as u8 / divisor % remainder;
            at += 1;
        }
        numbers
    }

    static EACH_PLACE: [u8; BLOCK] = numbers(1, 64, 0);
    /// For each byte of eight heads: the number of its head, and of the byte in it.
    static FIRST_EIGHT: [u8; BLOCK] = numbers(8, 8, 0);
    static LAST_EIGHT: [u8; BLOCK] = numbers(8, 8, 8);
    static IN_HEAD: [u8; BLOCK] = numbers(1, 8, 0);

    /// See [`super::look_up`].
    ///
    /// # Safety
    ///
    /// The CPU must have what `Cpu::permutes_bytes` says.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vbmi,avx512vbmi2,bmi2")]
    pub unsafe fn look_up(
        bytes: &[u8; BLOCK + HEAD],
        places: u64,
        table: &Table,
    ) -> [u64; CLASSES] {
        let load = |bytes: &[u8; BLOCK]| {
            // SAFETY: 64 bytes are read from an array of as many.
            unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
        };
        // SAFETY: 64 bytes and 8 behind them are read from an array of 72.
        let (text, behind) = unsafe {
            let at = bytes.as_ptr();
            (_mm512_loadu_si512(at.cast()), _mm_loadl_epi64(at.add(BLOCK).cast()))
        };
        let behind = _mm512_zextsi128_si512(behind);
        let heads = |numbers: __m512i| {
            let at = _mm512_add_epi8(numbers, load(&IN_HEAD));
            _mm512_permutex2var_epi8(text, at, behind)
        };
        let mut at = _mm512_maskz_compress_epi8(places, load(&EACH_PLACE));
        let (mut known, mut done) = ([0; CLASSES], 0);
        loop {
            let first = heads(_mm512_permutexvar_epi8(load(&FIRST_EIGHT), at));
            let last = heads(_mm512_permutexvar_epi8(load(&LAST_EIGHT), at));
            let ((first, first_border), (last, last_border)) = (hashes(first), hashes(last));
            let hash = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(first), last);
            // SAFETY: a hash has 15 bits, so that each word lies in the 16,384 bytes of the table.
            let words = unsafe {
                let words = _mm512_srli_epi32::<3>(hash);
                _mm512_i32gather_epi32::<4>(words, table.as_ptr().cast())
            };
            let shift = _mm512_and_si512(_mm512_slli_epi32::<2>(hash), _mm512_set1_epi32(28));
            let classes = _mm512_srlv_epi32(words, shift);
            let borders = u64::from(first_border) | u64::from(last_border) << 8;
            for (class, known) in known.iter_mut().enumerate() {
                let held = _mm512_test_epi32_mask(classes, _mm512_set1_epi32(1 << class));
                *known |= (u64::from(held) | borders) << done;
            }
            done += LANES;
            if done >= places.count_ones() {
                break;
            }
            at = _mm512_alignr_epi32::<4>(_mm512_setzero_si512(), at);
        }
        // Bits of lanes without a place are behind those of all places, and are left out.
        known.map(|known| _pdep_u64(known, places))
    }

    /// The same, four heads at a time.
    ///
    /// # Safety
    ///
    /// The CPU must have what `Cpu::has_avx2` says.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    pub unsafe fn look_up_avx2(
        bytes: &[u8; BLOCK + HEAD],
        places: u64,
        table: &Table,
    ) -> [u64; CLASSES] {
        let (mut known, mut left) = ([0; CLASSES], places);
        for done in (0..places.count_ones()).step_by(4) {
            let mut next = || {
                // Where there is no place more this is the end of the block, whose head is there too.
                let at = left.trailing_zeros() as usize;
                left &= left.wrapping_sub(1);
                // SAFETY: 8 bytes are read at 64 at most, from an array of 72.
                unsafe { bytes.as_ptr().add(at).cast::<i64>().read_unaligned() }
            };
            let [first, second, third, fourth] = [next(), next(), next(), next()];
            let (hash, borders) = hashes_avx2(_mm256_set_epi64x(fourth, third, second, first));
            // SAFETY: a hash has 15 bits, so that each word lies in the 16,384 bytes of the table.
            let words = unsafe {
                _mm_i32gather_epi32::<4>(table.as_ptr().cast(), _mm_srli_epi32::<3>(hash))
            };
            let shift = _mm_and_si128(_mm_slli_epi32::<2>(hash), _mm_set1_epi32(28));
            let classes = _mm_srlv_epi32(words, shift);
            for (class, known) in (0..).zip(&mut known) {
                // The bit of the class becomes the highest one, of which the masks are made.
                let held = _mm_sll_epi32(classes, _mm_cvtsi32_si128(31 - class));
                let held = _mm_movemask_ps(_mm_castsi128_ps(held)) | borders;
                *known |= u64::from(held.cast_unsigned()) << done;
            }
        }
        // Bits of lanes without a place are behind those of all places, and are left out.
        known.map(|known| _pdep_u64(known, places))
    }

    /// Of four heads: what [`hashes`] says of eight.
    #[target_feature(enable = "avx2")]
    fn hashes_avx2(heads: __m256i) -> (__m128i, i32) {
        let set = |byte: u8| _mm256_set1_epi8(byte.cast_signed());
        let within = |bytes: __m256i, first: u8, count: u8| {
            let distance = _mm256_sub_epi8(bytes, set(first));
            _mm256_cmpeq_epi8(_mm256_min_epu8(distance, set(count - 1)), distance)
        };
        let folded = _mm256_or_si256(heads, _mm256_set1_epi64x(CASE.cast_signed()));
        let letters = within(folded, b'a', 26);
        let is_small = _mm256_cmpeq_epi8(heads, folded);
        let word = _mm256_or_si256(letters, within(heads, b'0', 10));
        // All below the first gap, which is all where there is none.
        let gaps = _mm256_xor_si256(word, _mm256_set1_epi8(-1));
        let below = _mm256_sub_epi64(gaps, _mm256_set1_epi64x(1));
        let before = _mm256_andnot_si256(gaps, below);
        // The first byte of a head has none before it.
        let small = _mm256_slli_epi64::<8>(_mm256_and_si256(letters, is_small));
        let borders = _mm256_and_si256(_mm256_andnot_si256(is_small, letters), small);
        let is_none = |bits: __m256i| _mm256_cmpeq_epi64(bits, _mm256_setzero_si256());
        let no_border = is_none(_mm256_and_si256(before, borders));
        let no_border = _mm256_movemask_pd(_mm256_castsi256_pd(no_border));
        let two = _mm256_and_si256(is_none(before), _mm256_set1_epi64x(TWO.cast_signed()));
        let word = _mm256_and_si256(folded, _mm256_or_si256(before, two));
        // A product of 64 bits, of three of 32.
        let factor = _mm256_set1_epi64x(FACTOR.cast_signed());
        let upper = |number: __m256i| _mm256_srli_epi64::<32>(number);
        let middle = _mm256_add_epi64(
            _mm256_mul_epu32(upper(word), factor),
            _mm256_mul_epu32(word, upper(factor)),
        );
        let low = _mm256_mul_epu32(word, factor);
        let product = _mm256_add_epi64(low, _mm256_slli_epi64::<32>(middle));
        let hash = _mm256_srli_epi64::<{ (u64::BITS - BITS) as i32 }>(product);
        let even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
        let hash = _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(hash, even));
        (hash, !no_border & 0xf)
    }

    /// Of eight heads: the [`super::place`] of each [`super::first_word`], and whether that may end sooner.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq")]
    fn hashes(heads: __m512i) -> (__m256i, u8) {
        let within = |first: u8, count: u8| {
            let distance = _mm512_sub_epi8(heads, _mm512_set1_epi8(first.cast_signed()));
            _mm512_cmplt_epu8_mask(distance, _mm512_set1_epi8(count.cast_signed()))
        };
        let (lower, upper) = (within(b'a', 26), within(b'A', 26));
        let gaps = _mm512_movm_epi8(!(lower | upper | within(b'0', 10)));
        let below = _mm512_sub_epi64(gaps, _mm512_set1_epi64(1));
        let before = _mm512_andnot_si512(gaps, below);
        // The first byte of a head has none before it.
        let borders = _mm512_movm_epi8(upper & lower << 1 & 0xfefe_fefe_fefe_fefe);
        let has_border = _mm512_test_epi64_mask(before, borders);
        let none = _mm512_testn_epi64_mask(before, before);
        let word = _mm512_mask_mov_epi64(before, none, _mm512_set1_epi64(TWO.cast_signed()));
        let folded = _mm512_or_si512(heads, _mm512_set1_epi64(CASE.cast_signed()));
        let word = _mm512_and_si512(folded, word);
        let hash = _mm512_mullo_epi64(word, _mm512_set1_epi64(FACTOR.cast_signed()));
        let hash = _mm512_srli_epi64::<{ u64::BITS - BITS }>(hash);
        (_mm512_cvtepi64_epi32(hash), has_border)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first word of a head, byte by byte.
    fn plain(head: &[u8]) -> (Vec<u8>, bool) {
        let run = head.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let word = if run == 0 { &head[..2] } else { &head[..run] };
        let pairs = head[..run].windows(2);
        let border = |pair: &[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
        (word.iter().map(|byte| byte | 0x20).collect(), pairs.into_iter().any(border))
    }

    /// A table of the words of these terms, of which each class has every fourth.
    fn table(terms: &[String]) -> Table {
        let mut table = [0; _];
        for class in 0..CLASSES {
            let mut firsts = Firsts::default();
            firsts.add(b"x");
            firsts.put_into(&mut table, class);
            firsts.clear();
            terms.iter().skip(class).step_by(CLASSES).for_each(|term| firsts.add(term.as_bytes()));
            firsts.put_into(&mut table, class);
        }
        table
    }

    #[test]
    fn each_byte_ends_a_word_or_goes_on_with_it() {
        for byte in 0..=u8::MAX {
            for at in 0..HEAD {
                for other in [b'a', b'Z', b'7', b' ', 0xff] {
                    let mut head = [other; HEAD];
                    head[at] = byte;
                    let (word, border) = first_word(u64::from_le_bytes(head));
                    let (mut expected, has_border) = plain(&head);
                    expected.resize(HEAD, 0);
                    assert_eq!((word.to_le_bytes().to_vec(), border), (expected, has_border));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn places_are_those_of_the_reference(
            pieces in prop::collection::vec(
                prop_oneof!["[a-c]{1,3}", "[a-cA-C0-1]{0,9}", "[ .#é\u{0}]", "[ab]{9}", "(aB){0,9}"],
                0..60,
            ),
            terms in prop::collection::vec("[a-c]{1,3}|[a-c0-1]{1,12}|#[a-c ]?|[ab]{9}", 0..30),
            some: u64,
            fill: bool,
        ) {
            let mut bytes = [0; BLOCK + HEAD];
            bytes.iter_mut().zip(pieces.concat().bytes()).for_each(|(to, from)| *to = from);
            let table = if fill { [u8::MAX; _] } else { table(&terms) };
            let of_all = |is: fn(&u8) -> bool| {
                bytes.iter().take(BLOCK).rev().fold(0, |all, byte| all << 1 | u64::from(is(byte)))
            };
            let lower = of_all(u8::is_ascii_lowercase);
            let places = |begins: u64| Places {
                begins,
                words: of_all(u8::is_ascii_alphanumeric),
                borders: of_all(u8::is_ascii_uppercase) & lower << 1,
            };
            for begins in [some, 0, u64::MAX, some & some >> 5] {
                let places = places(begins);
                let found = look_up(&bytes, places, &table);
                prop_assert_eq!(found, reference(&bytes, places, &table));
                #[cfg(target_arch = "x86_64")]
                if Cpu::here().has_avx2 {
                    // SAFETY: the CPU has what it needs.
                    let by_avx2 = unsafe { x86::look_up_avx2(&bytes, begins, &table) };
                    prop_assert_eq!(by_avx2, found);
                }
                prop_assert!(found.iter().all(|found| found & !begins == 0));
                prop_assert!(!fill || found == [begins; CLASSES]);
            }
            if fill {
                return Ok(());
            }
            let found = look_up(&bytes, places(u64::MAX), &table);
            for at in 0..BLOCK {
                let (word, border) = plain(&bytes[at..at + HEAD]);
                for (class, found) in found.iter().enumerate() {
                    let begins = |term: &String| {
                        let mut head = [0; HEAD];
                        head.iter_mut().zip(term.bytes()).for_each(|(to, from)| *to = from);
                        let any_second = term == "#" && word.len() == 2 && word[0] == b'#' | 0x20;
                        any_second || plain(&head).0 == word
                    };
                    let is_held = terms.iter().skip(class).step_by(CLASSES).any(begins);
                    prop_assert!(found >> at & 1 == 1 || !(border || is_held), "{} {}", class, at);
                }
            }
        }
    }
}
