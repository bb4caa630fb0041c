//! First words at many places of a text, looked up in one table of bits.
//!
//! A block and the places at which words begin there come in, those of them go out whose first word the
//! table may hold. "No" is certain, "yes" is not. Letters count in either case. A first word is the
//! letters and digits of ASCII that a head begins with, up to the border of `customerSsn`; where there
//! are none two bytes stand for it.

use super::BLOCK;

/// Bytes of a head.
pub const HEAD: usize = 8;

/// Bits of the hash of a first word.
const BITS: u32 = 15;

/// By hash of a first word: whether there is one, one bit each.
pub type Table = [u8; 1 << (BITS - 3)];

/// What the halves of a word are multiplied by.
const FACTORS: [u32; 2] = [0x9e37_79b1, 0x85eb_ca77];

/// The same bit, or the same byte, of each byte of a head.
const EACH: u64 = u64::from_le_bytes([1; HEAD]);
const HIGHEST: u64 = EACH << 7;

/// What tells the cases of a letter apart.
const CASE: u64 = EACH << 5;

/// Which of these places begin with a word that the table may hold. A block begins at the first byte;
/// what is behind the text is 0.
#[inline]
pub fn known(bytes: &[u8; BLOCK + HEAD], places: u64, table: &Table) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if x86::is_available() {
        // SAFETY: the CPU has what it needs.
        return unsafe { x86::known(bytes, places, table) };
    }
    reference(bytes, places, table)
}

/// Puts the word into a table that a term begins with. Of a term of a single byte that is no letter or
/// digit, the second one is any.
pub fn add(table: &mut [u8], term: &[u8]) {
    let mut head = [0; HEAD];
    head.iter_mut().zip(term).for_each(|(to, from)| *to = *from);
    let seconds = match term {
        [only] if !only.is_ascii_alphanumeric() => 0..=u8::MAX,
        _ => head[1]..=head[1],
    };
    for second in seconds {
        head[1] = second;
        let place = place(first_word(u64::from_le_bytes(head)).0);
        if let Some(byte) = table.get_mut(place / 8) {
            *byte |= 1 << (place % 8);
        }
    }
}

fn reference(bytes: &[u8; BLOCK + HEAD], places: u64, table: &Table) -> u64 {
    let (mut known, mut left) = (0, places);
    while left != 0 {
        let at = (left.trailing_zeros() % BLOCK as u32) as usize;
        left &= left - 1;
        let head = bytes.get(at..).and_then(|head| head.first_chunk());
        let (word, has_border) = first_word(head.map_or(0, |head| u64::from_le_bytes(*head)));
        let place = place(word);
        let is_held = table.get(place / 8).is_some_and(|byte| byte >> (place % 8) & 1 == 1);
        known |= u64::from(is_held || has_border) << at;
    }
    known
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
    let word = if before == 0 { 0xffff } else { before };
    ((head | CASE) & word, upper & lower << 8 & before != 0)
}

#[inline(always)]
fn place(word: u64) -> usize {
    let [one, two] = FACTORS;
    let (low, high) = (word as u32, (word >> 32) as u32);
    (low.wrapping_mul(one).wrapping_add(high.wrapping_mul(two)) >> (u32::BITS - BITS)) as usize
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{BITS, BLOCK, CASE, FACTORS, HEAD, Table};

    #[inline]
    pub fn is_available() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vbmi2")
            && is_x86_feature_detected!("bmi2")
    }

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

    /// See [`super::known`].
    ///
    /// # Safety
    ///
    /// The CPU must have what [`is_available`] asks for.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vbmi,avx512vbmi2,bmi2")]
    pub unsafe fn known(bytes: &[u8; BLOCK + HEAD], places: u64, table: &Table) -> u64 {
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
        let (mut known, mut done) = (0_u64, 0);
        loop {
            let first = heads(_mm512_permutexvar_epi8(load(&FIRST_EIGHT), at));
            let last = heads(_mm512_permutexvar_epi8(load(&LAST_EIGHT), at));
            let ((first, first_border), (last, last_border)) = (sums(first), sums(last));
            let sums = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(first), last);
            let hash = _mm512_srli_epi32::<{ u32::BITS - BITS }>(sums);
            // SAFETY: a hash has 15 bits, so that each word lies in the 4096 bytes of the table.
            let words = unsafe {
                let words = _mm512_srli_epi32::<5>(hash);
                _mm512_i32gather_epi32::<4>(words, table.as_ptr().cast())
            };
            let bits = _mm512_and_si512(hash, _mm512_set1_epi32(31));
            let bits = _mm512_sllv_epi32(_mm512_set1_epi32(1), bits);
            let held = u64::from(_mm512_test_epi32_mask(words, bits));
            let borders = u64::from(first_border) | u64::from(last_border) << 8;
            known |= (held | borders) << done;
            done += LANES;
            if done >= places.count_ones() {
                break;
            }
            at = _mm512_alignr_epi32::<4>(_mm512_setzero_si512(), at);
        }
        // Bits of lanes without a place are behind those of all places, and are left out.
        _pdep_u64(known, places)
    }

    /// Of eight heads: what the first words of [`super::first_word`] come to before [`super::place`] takes
    /// the uppermost bits, and whether they may end sooner.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq")]
    fn sums(heads: __m512i) -> (__m256i, u8) {
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
        let word = _mm512_mask_mov_epi64(before, none, _mm512_set1_epi64(0xffff));
        let folded = _mm512_or_si512(heads, _mm512_set1_epi64(CASE.cast_signed()));
        let word = _mm512_and_si512(folded, word);
        let factor = |factor: u32| _mm512_set1_epi64(i64::from(factor));
        let [one, two] = FACTORS;
        let low = _mm512_mul_epu32(word, factor(one));
        let high = _mm512_mul_epu32(_mm512_srli_epi64::<32>(word), factor(two));
        (_mm512_cvtepi64_epi32(_mm512_add_epi64(low, high)), has_border)
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

    fn table(terms: &[String]) -> Table {
        let mut table = [0; 1 << (BITS - 3)];
        terms.iter().for_each(|term| add(&mut table, term.as_bytes()));
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
            places: u64,
            fill: bool,
        ) {
            let mut bytes = [0; BLOCK + HEAD];
            bytes.iter_mut().zip(pieces.concat().bytes()).for_each(|(to, from)| *to = from);
            let table = if fill { [u8::MAX; 1 << (BITS - 3)] } else { table(&terms) };
            for places in [places, 0, u64::MAX, places & places >> 5] {
                let found = known(&bytes, places, &table);
                prop_assert_eq!(found, reference(&bytes, places, &table));
                prop_assert!(!fill || found == places);
                for at in 0..BLOCK {
                    let (word, border) = plain(&bytes[at..at + HEAD]);
                    let begins = |term: &String| {
                        let term = term.as_bytes();
                        let run = term.iter().take(HEAD).take_while(|it| it.is_ascii_alphanumeric());
                        let length = run.count().max(2 * usize::from(!term[0].is_ascii_alphanumeric()));
                        let length = length.min(term.len());
                        term[..length].to_ascii_lowercase().iter().map(|byte| byte | 0x20).eq(word
                            .iter()
                            .copied()
                            .take(length.max(word.len() * usize::from(term[0].is_ascii_alphanumeric()))))
                    };
                    if places >> at & 1 == 1 && (border || terms.iter().any(begins)) {
                        prop_assert!(found >> at & 1 == 1, "{at}");
                    }
                }
            }
        }
    }
}
