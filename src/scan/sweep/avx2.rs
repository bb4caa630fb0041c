//! The AVX2 kernel: 32 bytes at a time, the same bitmaps as the reference. Keyword candidates are those
//! of the reference too: one gather asks about sixteen places, and the filters are asked for eight
//! candidates at a time.

use super::cpu::Cpu;
use super::keywords::KeywordTable;
use super::shapes::Shapes;
use super::tile::{Maps, ROOM, Tile};

/// The kernel. INVARIANT: it exists only on a CPU of which `Cpu::has_avx2` says so.
#[derive(Debug)]
pub struct Instructions(());

impl Instructions {
    /// The kernel; none where the CPU lacks what it uses.
    pub fn new() -> Option<Instructions> {
        Cpu::here().has_avx2.then_some(Instructions(()))
    }

    /// Fills the bitmaps of a tile and its margins.
    pub fn classify(&self, tile: &Tile, maps: &mut Maps) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Instructions` exist only where the CPU's features were detected.
        unsafe {
            x86::classify(tile, maps);
        }
        #[cfg(not(target_arch = "x86_64"))]
        super::portable::classify(tile, maps);
    }

    /// Finds the shapes of the first so many words of a tile.
    pub fn shapes(&self, maps: &Maps, words: usize, shapes: &mut Shapes) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Instructions` exist only where the CPU's features were detected.
        unsafe {
            x86::shapes(maps, words, shapes);
        }
        #[cfg(not(target_arch = "x86_64"))]
        shapes.look(maps, words);
    }

    /// Writes where in the tile's buffer the window of a keyword may be, and says how many places
    /// these are. There is room for all.
    pub fn candidates(
        &self,
        tile: &Tile,
        keywords: &KeywordTable,
        room: &mut [u16; ROOM],
    ) -> usize {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Instructions` exist only where the CPU's features were detected.
        unsafe {
            x86::candidates(tile, &keywords.filters(), room)
        }
        #[cfg(not(target_arch = "x86_64"))]
        keywords.candidates(tile, room)
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::super::LOOK_AHEAD;
    use super::super::begins::{BEGIN_WORDS, LOOKED_UP, PAIR_BITS, PAIR_SHIFT, WORD_SHIFT};
    use super::super::keywords::{
        FILTER_FACTOR, FILTER_WORDS, FOLDED, Filters, THREE_BYTES, THREE_MARK,
    };
    use super::super::shapes::Shapes;
    use super::super::tile::{BUFFER, Maps, ROOM, TILE, Tile};

    /// # Safety
    ///
    /// The CPU must have AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn classify(tile: &Tile, maps: &mut Maps) {
        for (word, bytes) in tile.buffer().chunks_exact(64).take(tile.words() + 2).enumerate() {
            // SAFETY: `bytes` holds 64 bytes, and unaligned loads of 32 are made at 0 and 32.
            let (low, high) = unsafe {
                let at = bytes.as_ptr().cast::<__m256i>();
                (planes(_mm256_loadu_si256(at)), planes(_mm256_loadu_si256(at.add(1))))
            };
            let join = |plane: usize| u64::from(low[plane]) | u64::from(high[plane]) << 32;
            maps.digit[word] = join(0);
            maps.number[word] = join(1);
            maps.letter[word] = join(2);
            maps.token[word] = join(3);
            maps.at[word] = join(4);
            maps.colon[word] = join(5);
            maps.hex[word] = join(6);
            maps.high[word] = join(7);
        }
    }

    /// One bit a byte for each class, in the order of the bitmaps.
    #[target_feature(enable = "avx2")]
    fn planes(bytes: __m256i) -> [u32; 8] {
        // Separators of numbers by the low nibble of 0x20..0x2f: ' ' ( ) - . /
        let separators = _mm256_broadcastsi128_si256(_mm_setr_epi8(
            -1, 0, 0, 0, 0, 0, 0, 0, -1, -1, 0, 0, 0, -1, -1, -1,
        ));
        let equal = |byte: u8| _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8));
        let digit = in_range(bytes, b'0', 9);
        let folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
        let letter = in_range(folded, b'a', 25);
        let hex = _mm256_or_si256(digit, in_range(folded, b'a', 5));
        let low = _mm256_xor_si256(bytes, _mm256_set1_epi8(0x20));
        let separator =
            _mm256_and_si256(in_range(bytes, 0x20, 15), _mm256_shuffle_epi8(separators, low));
        let number = _mm256_or_si256(digit, separator);
        let token = _mm256_or_si256(_mm256_or_si256(digit, letter), equal(b'-'));
        [digit, number, letter, token, equal(b'@'), equal(b':'), hex, bytes]
            .map(|class| _mm256_movemask_epi8(class).cast_unsigned())
    }

    /// The shapes of the reference, with the instructions of this CPU.
    ///
    /// # Safety
    ///
    /// The CPU must have AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn shapes(maps: &Maps, words: usize, shapes: &mut Shapes) {
        shapes.look(maps, words);
    }

    /// Which bytes lie in `first..=first + span`.
    #[target_feature(enable = "avx2")]
    fn in_range(bytes: __m256i, first: u8, span: u8) -> __m256i {
        let shifted = _mm256_sub_epi8(bytes, _mm256_set1_epi8(first as i8));
        _mm256_cmpeq_epi8(_mm256_min_epu8(shifted, _mm256_set1_epi8(span as i8)), shifted)
    }

    /// The candidates of the reference, in another order.
    ///
    /// # Safety
    ///
    /// The CPU must have AVX2, BMI1, BMI2 and POPCNT.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    pub unsafe fn candidates(tile: &Tile, filters: &Filters<'_>, room: &mut [u16; ROOM]) -> usize {
        // All bits come first and all places then: where a place is written is not known before its
        // bits are, and a load behind such a write may have to wait for it.
        let mut bits = [0; ROOM / 8];
        let count = begun(tile, filters.begins, &mut bits, room);
        sift(tile, filters, &mut bits, room, count)
    }

    /// One bit a place, eight places a byte.
    type Bits = [u8; ROOM / 8];

    /// Places that are asked about in one step.
    const STEP: usize = 16;

    /// Steps of the longest tile.
    const STEPS: usize = (TILE + LOOK_AHEAD).div_ceil(64) * 64 / STEP;

    const _: () = assert!(STEPS * STEP + 8 <= ROOM && Tile::ORIGIN + STEPS * STEP + 8 <= BUFFER);

    /// Writes the places from the tile's start on at which a window may begin, and counts them.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn begun(
        tile: &Tile,
        begins: &[u32; BEGIN_WORDS],
        bits: &mut Bits,
        room: &mut [u16; ROOM],
    ) -> usize {
        let steps = tile.reached() * 64 / STEP;
        // The four bytes at every other place; so in either half.
        let overlapping = _mm256_broadcastsi128_si256(_mm_setr_epi8(
            0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7, 8, 9,
        ));
        let (bits, _) = bits.as_chunks_mut();
        let bits = &mut bits[..steps.min(STEPS)];
        for (step, bits) in bits.iter_mut().enumerate() {
            // SAFETY: 16 bytes are read at `at` and at `at + 8`, and `step < STEPS`, so that
            // `at + 24 <= ORIGIN + STEPS * STEP + 8 <= BUFFER`.
            let (low, high) = unsafe {
                let at = tile.buffer().as_ptr().add(Tile::ORIGIN + step * STEP);
                (_mm_loadu_si128(at.cast()), _mm_loadu_si128(at.add(8).cast()))
            };
            let bytes = _mm256_set_m128i(high, low);
            let keys = _mm256_shuffle_epi8(bytes, overlapping);
            let keys = _mm256_and_si256(keys, set(LOOKED_UP));
            let product = _mm256_mullo_epi32(keys, set(FILTER_FACTOR));
            let word = _mm256_srli_epi32::<WORD_SHIFT>(product);
            // SAFETY: `word` has `32 - WORD_SHIFT` bits, and there are as many words as that can count.
            let word = unsafe { _mm256_i32gather_epi32::<4>(begins.as_ptr().cast(), word) };
            let pair = _mm256_and_si256(_mm256_srli_epi32::<PAIR_SHIFT>(product), set(PAIR_BITS));
            let pair = _mm256_sllv_epi32(word, pair);
            *bits = [signs(pair), signs(_mm256_add_epi32(pair, pair))];
        }
        let mut places = _mm_add_epi16(
            _mm_setr_epi16(0, 2, 4, 6, 8, 10, 12, 14),
            _mm_set1_epi16(Tile::ORIGIN as i16),
        );
        let mut count = 0;
        for [here, later] in bits {
            let next = _mm_add_epi16(places, _mm_set1_epi16(1));
            // SAFETY: each step before wrote 16 places at most, and there are `STEPS` of them, so
            // that `count + 8 <= STEPS * STEP + 8 <= ROOM` both times.
            unsafe {
                count += write(room, count, places, *here);
                count += write(room, count, next, *later);
            }
            places = _mm_add_epi16(places, _mm_set1_epi16(STEP as i16));
        }
        count
    }

    /// Keeps of the first `count` places those at which the keys of windows, and what stands beside
    /// them, are held by the filters, and says how many.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn sift(
        tile: &Tile,
        filters: &Filters<'_>,
        bits: &mut Bits,
        room: &mut [u16; ROOM],
        count: usize,
    ) -> usize {
        let buffer = tile.buffer();
        let three = |key: __m256i| {
            let key = _mm256_and_si256(key, set(THREE_BYTES));
            held(filters.three, _mm256_or_si256(key, set(THREE_MARK)))
        };
        let windows = keep(bits, room, count, |at| {
            let key = folded(buffer, at);
            _mm256_or_si256(held(filters.four, key), three(key))
        });
        keep(bits, room, windows, |at| {
            let key = folded(buffer, at);
            let product = _mm256_mullo_epi32(key, set(FILTER_FACTOR));
            let bit = _mm256_srli_epi32::<16>(product);
            // SAFETY: four bytes are read at `bit`, which has 16 bits, and the table holds 4 more.
            let from = unsafe { _mm256_i32gather_epi32::<1>(filters.from.as_ptr().cast(), bit) };
            let from = _mm256_and_si256(from, set(0xff));
            let beside = _mm256_sub_epi32(_mm256_add_epi32(at, from), set(filters.reach));
            let beside = folded(buffer, beside);
            let turned = _mm256_or_si256(
                _mm256_slli_epi32::<15>(product),
                _mm256_srli_epi32::<{ 32 - 15 }>(product),
            );
            let mixed = _mm256_xor_si256(turned, beside);
            _mm256_or_si256(held(filters.companions, mixed), three(key))
        })
    }

    /// Keeps of the first `count` places those of which `holds` says so by its signs, eight at a time.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn keep(
        bits: &mut Bits,
        room: &mut [u16; ROOM],
        count: usize,
        holds: impl Fn(__m256i) -> __m256i,
    ) -> usize {
        let bits = &mut bits[..count.div_ceil(8).min(ROOM / 8)];
        let eight = |room: &[u16; ROOM], group: usize| {
            // SAFETY: `group` is below `ROOM / 8`, and so the eight places that are read are in `room`.
            unsafe { _mm_loadu_si128(room.as_ptr().add(group * 8).cast()) }
        };
        for (group, bits) in bits.iter_mut().enumerate() {
            *bits = signs(holds(_mm256_cvtepu16_epi32(eight(room, group))));
        }
        if let Some(last) = bits.get_mut(count / 8) {
            *last &= (1 << (count % 8)) - 1;
        }
        let mut left = 0;
        for (group, bits) in bits.iter().enumerate() {
            let places = eight(room, group);
            // SAFETY: each group before left eight places at most, so that `left + 8` is not above
            // `group * 8 + 8 <= ROOM`.
            left += unsafe { write(room, left, places, *bits) };
        }
        left
    }

    /// Writes those of eight places whose bit is set, one behind the other, and says how many.
    ///
    /// # Safety
    ///
    /// There must be room for eight places at `at`, and the CPU must have AVX2.
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn write(room: &mut [u16; ROOM], at: usize, places: __m128i, kept: u8) -> usize {
        // SAFETY: an unaligned load of the 16 bytes that the entry holds, and a store that the
        // caller has seen room for.
        unsafe {
            let order = _mm_loadu_si128(TOGETHER[usize::from(kept)].as_ptr().cast());
            _mm_storeu_si128(room.as_mut_ptr().add(at).cast(), _mm_shuffle_epi8(places, order));
        }
        kept.count_ones() as usize
    }

    /// By a byte of bits, where the bytes of eight places come from, so that those whose bit is set
    /// stand together in front.
    static TOGETHER: [[u8; 16]; 256] = together();

    const fn together() -> [[u8; 16]; 256] {
        let mut table = [[0; 16]; 256];
        let mut bits = 0;
        while bits < table.len() {
            let (mut place, mut to) = (0, 0);
            while place < 8 {
                if bits >> place & 1 == 1 {
                    table[bits][to] = place * 2;
                    table[bits][to + 1] = place * 2 + 1;
                    to += 2;
                }
                place += 1;
            }
            bits += 1;
        }
        table
    }

    #[target_feature(enable = "avx2")]
    fn set(value: u32) -> __m256i {
        _mm256_set1_epi32(value.cast_signed())
    }

    /// The sign of each of eight numbers.
    #[target_feature(enable = "avx2")]
    fn signs(numbers: __m256i) -> u8 {
        _mm256_movemask_ps(_mm256_castsi256_ps(numbers)) as u8
    }

    /// Four bytes of the buffer at each place, folded.
    #[target_feature(enable = "avx2")]
    fn folded(buffer: &[u8; BUFFER], at: __m256i) -> __m256i {
        let at = _mm256_min_epu32(at, set(BUFFER as u32 - 4));
        // SAFETY: four bytes are read at each place, and no place is above `BUFFER - 4`.
        let bytes = unsafe { _mm256_i32gather_epi32::<1>(buffer.as_ptr().cast(), at) };
        _mm256_or_si256(bytes, set(FOLDED))
    }

    /// Which keys a filter holds: the signs say it.
    #[target_feature(enable = "avx2")]
    fn held(filter: &[u64; FILTER_WORDS], key: __m256i) -> __m256i {
        let bit = _mm256_srli_epi32::<16>(_mm256_mullo_epi32(key, set(FILTER_FACTOR)));
        let word = _mm256_srli_epi32::<5>(bit);
        // SAFETY: a hash has 16 bits, so `word` is below 2,048: the halves of the filter's 1,024
        // words, of which the lower stands first.
        let word = unsafe { _mm256_i32gather_epi32::<4>(filter.as_ptr().cast(), word) };
        _mm256_sllv_epi32(word, _mm256_andnot_si256(bit, set(31)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::keywords::KeywordTable;
    use super::super::pairs::Pairs;
    use super::super::tile::{BUFFER, ROOM, Tile};
    use super::super::{Kernel, Scratch, Sweep};
    use super::Instructions;

    fn keywords() -> Vec<String> {
        ["akia", "ghp_", "-----begin", "eyj", "://", "tlp:", "password", "pass", "msh|^~", "xoxb-"]
            .iter()
            .map(|word| (*word).to_string())
            .collect()
    }

    /// All kernels on one text, with every way of asking for it in two parts.
    fn assert_agree(text: &[u8], cut: usize) {
        let mut all = Vec::new();
        for kernel in Kernel::available() {
            let sweep = Sweep::new(&keywords(), kernel);
            let (mut scratch, mut whole, mut parts) = (Scratch::default(), Vec::new(), Vec::new());
            sweep.find(text, 0, text.len(), &mut scratch, &mut whole);
            sweep.find(text, 0, cut, &mut scratch, &mut parts);
            sweep.find(text, cut, text.len(), &mut scratch, &mut parts);
            assert_eq!(whole, parts, "cut at {cut}");
            // What a longer tile has left must not be seen in short ones.
            for step in [5, 16, 64].into_iter().filter(|_| text.len() < 1000) {
                parts.clear();
                for from in (0..text.len()).step_by(step) {
                    sweep.find(text, from, from + step, &mut scratch, &mut parts);
                }
                assert_eq!(whole, parts, "in pieces of {step}");
            }
            all.push(whole);
        }
        for other in &all {
            assert_eq!(&all[0], other);
        }
    }

    #[test]
    fn kernels_agree_on_edges_of_vectors_and_tiles() {
        for pad in (0..70).chain(4000..4110) {
            let mut text = vec![b' '; pad];
            text.extend_from_slice(
                b"AkIA eyJ ://x a@b.de 078-05-1120 DE89370400 fe80::1 1EG4TE5MK73 PassWord",
            );
            assert_agree(&text, pad);
            assert_agree(&text, text.len() / 2);
        }
    }

    /// Numbers that look like random ones.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (self.0 >> 33) as usize % limit
        }

        fn word(&mut self, longest: usize) -> String {
            let letters = b"aeinorst:/-_ 019$kz";
            let len = 3 + self.below(longest - 2);
            (0..len).map(|_| char::from(letters[self.below(letters.len())])).collect()
        }

        /// Parts of words in either case, and bytes of any kind.
        fn text(&mut self, words: &[String], len: usize) -> Vec<u8> {
            let mut text = Vec::new();
            while text.len() < len {
                let word = words[self.below(words.len())].as_bytes();
                match self.below(4) {
                    0 => text.push(self.below(256) as u8),
                    1 => text.extend(word.to_ascii_uppercase()),
                    2 => text.extend(word),
                    _ => text.extend(&word[self.below(word.len())..]),
                }
            }
            text.truncate(len);
            text
        }
    }

    /// The candidates of a tile, in order.
    fn sorted(count: usize, mut room: Box<[u16; ROOM]>) -> Vec<u16> {
        room[..count].sort_unstable();
        room[..count].to_vec()
    }

    #[test]
    fn candidates_are_those_of_the_reference() {
        let Some(instructions) = Instructions::new() else { return };
        let mut numbers = Numbers(1);
        let mut all = 0;
        for (count, longest) in [(1, 3), (3, 12), (300, 4), (2500, 14)] {
            let words: std::collections::BTreeSet<String> =
                (0..count).map(|_| numbers.word(longest)).collect();
            let words: Vec<String> = words.into_iter().collect();
            let keywords = KeywordTable::new(&words, &Pairs::read());
            for len in [0, 1, 2, 15, 16, 17, 63, 64, 65, 1000, 4032, 4095, 4096] {
                for (before, behind) in [(0, 0), (0, 200), (1, 1), (63, 47), (64, 192), (201, 300)]
                {
                    let text = numbers.text(&words, before + len + behind);
                    let mut buffer = Box::new([0; BUFFER]);
                    let tile = Tile::new(&text, before, before + len, &mut buffer);
                    let mut room = Box::new([0; ROOM]);
                    let expected = keywords.candidates(&tile, &mut room);
                    let expected = sorted(expected, room);
                    // What stands in the room before makes no difference.
                    let mut room = Box::new([u16::MAX; ROOM]);
                    let found = instructions.candidates(&tile, &keywords, &mut room);
                    assert_eq!(sorted(found, room), expected, "{count} {len} {before} {behind}");
                    all += expected.len();
                }
            }
        }
        assert!(all > 10_000, "{all}");
    }

    #[test]
    fn every_place_may_be_a_candidate() {
        let keywords = KeywordTable::new(&["aaa".into(), "bbbb".into()], &Pairs::read());
        for text in [[b'a'; 5000], [b'B'; 5000]] {
            let mut buffer = Box::new([0; BUFFER]);
            let tile = Tile::new(&text, 100, 100 + 4096, &mut buffer);
            let mut room = Box::new([0; ROOM]);
            let count = keywords.candidates(&tile, &mut room);
            let expected: Vec<u16> = (64..64 + 4160).collect();
            assert_eq!(sorted(count, room), expected);
            if let Some(instructions) = Instructions::new() {
                let mut room = Box::new([0; ROOM]);
                let count = instructions.candidates(&tile, &keywords, &mut room);
                assert_eq!(sorted(count, room), expected);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn kernels_agree(
            text in proptest::collection::vec(
                proptest::prop_oneof![
                    3 => proptest::sample::select(
                        vec![&b"-"[..], b"/", b":", b"://", b"akia", b"eyj", b"PASS", b"word", b"1", b"23", b" ",
                          b"@", b"a", b"Z", b"fe", b"(", b".", b"\xc3", b"\0", b"12345", b"-----BEGI", b"n"],
                    ).prop_map(<[u8]>::to_vec),
                    1 => proptest::prelude::any::<u8>().prop_map(|byte| vec![byte]),
                ], 0..2000),
            cut in 0usize..4000,
        ) {
            let text = text.concat();
            assert_agree(&text, cut.min(text.len()));
        }
    }

    use proptest::strategy::Strategy;
}
