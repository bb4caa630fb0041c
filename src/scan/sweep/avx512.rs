//! The AVX-512 kernel: 64 bytes at a time, the same bitmaps as the reference, and keyword
//! candidates by features of neighbouring bytes, in 8 buckets a group.
//!
//! A feature is 6 bits of a hash that is linear in the bits of three bytes at most, with the bit
//! left out that tells the cases of a letter apart. One instruction multiplies 64 bytes by a matrix
//! of bits, one looks up which buckets have a keyword with such a feature. A place is a candidate
//! where one bucket has all of its features.

use super::buckets::{Bucket, assign};
use super::cpu::Cpu;
use super::keywords::{KeywordTable, Window};
use super::pairs::{CLASSES, Pairs, class};
use super::shapes::Shapes;
use super::tile::{Maps, ROOM, Tile};

/// Features of a window.
const FEATURES: usize = 5;

/// Values of a feature.
const SLOTS: usize = 64;

/// The features of one keyword; none where every value counts. Those come first in order, so that
/// other keywords keep away from their buckets.
type Features = [Option<u8>; FEATURES];

/// Matrices of a feature by place in the window: row i says which bits of the byte make up bit i.
type Rows = [u8; 6];

/// Which bits of a byte make up its class.
const CLASS: Rows = [0x81, 0x02, 0x84, 0x08, 0x90, 0x40];

/// By feature and place in the window; all 0 where the byte does not matter.
const MATRICES: [[Rows; 4]; FEATURES] = [
    [times(1), times(37), [0; 6], [0; 6]],
    [[0; 6], times(1), times(11), [0; 6]],
    [[0; 6], [0; 6], times(1), times(52)],
    [times(19), times(1), times(45), [0; 6]],
    [[0; 6], times(23), times(1), times(58)],
];

/// The class of a byte, times an element of the field of 64 elements (x^6 + x + 1).
const fn times(factor: u8) -> Rows {
    let mut rows = [0; 6];
    let mut input = 0;
    while input < 6 {
        // The product of the factor and x^input.
        let mut product = factor as u16;
        let mut shift = 0;
        while shift < input {
            product <<= 1;
            if product & 64 != 0 {
                product ^= 0b100_0011;
            }
            shift += 1;
        }
        let mut output = 0;
        while output < 6 {
            if product >> output & 1 == 1 {
                rows[output] ^= CLASS[input];
            }
            output += 1;
        }
        input += 1;
    }
    rows
}

/// The bits that a matrix makes of a byte.
const fn apply(rows: &Rows, byte: u8) -> u8 {
    let mut product = 0;
    let mut row = 0;
    while row < rows.len() {
        product |= ((rows[row] & byte).count_ones() as u8 & 1) << row;
        row += 1;
    }
    product
}

/// The features of a window; none where it depends on a byte behind the window.
fn features(window: &Window) -> Features {
    let mut features = [None; FEATURES];
    for (feature, places) in features.iter_mut().zip(&MATRICES) {
        let behind = usize::from(window.len);
        if places.iter().skip(behind).all(|rows| *rows == [0; 6]) {
            let parts = places.iter().zip(window.bytes).map(|(rows, byte)| apply(rows, byte));
            *feature = Some(parts.fold(0, |all, part| all ^ part));
        }
    }
    features
}

/// How often ordinary text has each feature.
fn shares(pairs: &Pairs) -> [[f32; SLOTS]; FEATURES] {
    let mut shares = [[0.0; SLOTS]; FEATURES];
    // Any byte of each class.
    let mut bytes = [0; CLASSES];
    for byte in (0..=127).rev() {
        bytes[usize::from(class(byte))] = byte;
    }
    for (feature, places) in shares.iter_mut().zip(&MATRICES) {
        let used: Vec<&Rows> = places.iter().filter(|rows| **rows != [0; 6]).collect();
        let [one, two] = used[..] else {
            // Three bytes are as good as random.
            *feature = [1.0 / SLOTS as f32; SLOTS];
            continue;
        };
        for first in bytes {
            for second in bytes {
                let slot = apply(one, first) ^ apply(two, second);
                feature[usize::from(slot)] += pairs.pair(first, second);
            }
        }
    }
    shares
}

/// What a bucket holds of each feature.
#[derive(Clone)]
struct Held<'a> {
    shares: &'a [[f32; SLOTS]; FEATURES],
    /// By feature and value, how many keywords have it.
    keywords: [[u16; SLOTS]; FEATURES],
    /// By feature, how many keywords take every value.
    all: [u16; FEATURES],
    /// By feature, the share of text that has the value of a keyword.
    share: [f32; FEATURES],
}

impl Bucket for Held<'_> {
    type Features = Features;

    fn cost(&self) -> f32 {
        let shares = self.share.iter().zip(self.all);
        shares.map(|(share, all)| if all > 0 { 1.0 } else { *share }).product()
    }

    fn cost_with(&self, keyword: &Features) -> f32 {
        let mut cost = 1.0;
        for (number, feature) in keyword.iter().enumerate() {
            if let Some(slot) = feature
                && self.all[number] == 0
            {
                let slot = usize::from(*slot);
                let is_new = self.keywords[number][slot] == 0;
                let more = if is_new { self.shares[number][slot] } else { 0.0 };
                cost *= self.share[number] + more;
            }
        }
        cost
    }

    fn add(&mut self, keyword: &Features) {
        for (number, feature) in keyword.iter().enumerate() {
            let Some(slot) = feature else {
                self.all[number] += 1;
                continue;
            };
            let slot = usize::from(*slot);
            if self.keywords[number][slot] == 0 {
                self.share[number] += self.shares[number][slot];
            }
            self.keywords[number][slot] += 1;
        }
    }

    fn remove(&mut self, keyword: &Features) {
        for (number, feature) in keyword.iter().enumerate() {
            let Some(slot) = feature else {
                self.all[number] -= 1;
                continue;
            };
            let slot = usize::from(*slot);
            self.keywords[number][slot] -= 1;
            if self.keywords[number][slot] == 0 {
                // Rounding may leave less than nothing.
                self.share[number] = (self.share[number] - self.shares[number][slot]).max(0.0);
            }
        }
    }
}

/// For each feature and each of its values: which of 8 buckets hold a keyword with it.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Group {
    buckets: [[u8; SLOTS]; FEATURES],
}

/// Tables of a keyword table. INVARIANT: they exist only on a CPU of which `Cpu::runs_avx512_kernel`
/// says so.
#[derive(Debug)]
pub struct Fingerprints {
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "no such CPU reads them"))]
    groups: Vec<Group>,
}

impl Fingerprints {
    /// The tables for these keywords; none where the CPU lacks what the kernel uses.
    pub fn new(keywords: &KeywordTable, pairs: &Pairs) -> Option<Fingerprints> {
        Cpu::here().runs_avx512_kernel.then(|| Fingerprints { groups: groups(keywords, pairs) })
    }

    /// Tables that [`pack`] made; none where the CPU lacks what the kernel uses or these are not such
    /// bytes.
    pub fn stored(bytes: &[u8]) -> Option<Fingerprints> {
        let (tables, []) = bytes.as_chunks::<SLOTS>() else { return None };
        let (groups, []) = tables.as_chunks() else { return None };
        let groups = groups.iter().map(|buckets| Group { buckets: *buckets });
        Cpu::here().runs_avx512_kernel.then(|| Fingerprints { groups: groups.collect() })
    }

    /// Fills the bitmaps of a tile and its margins.
    pub fn classify(&self, tile: &Tile, maps: &mut Maps) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Fingerprints` exists only where the CPU's features were detected.
        unsafe {
            x86::classify(tile, maps);
        }
        #[cfg(not(target_arch = "x86_64"))]
        super::portable::classify(tile, maps);
    }

    /// Finds the shapes of the first so many words of a tile.
    pub fn shapes(&self, maps: &Maps, words: usize, shapes: &mut Shapes) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Fingerprints` exists only where the CPU's features were detected.
        unsafe {
            x86::shapes(maps, words, shapes);
        }
        #[cfg(not(target_arch = "x86_64"))]
        shapes.look(maps, words);
    }

    /// Writes where in the tile's buffer the window of a keyword may be, and says how many places
    /// these are. There is room for all.
    pub fn candidates(&self, tile: &Tile, room: &mut [u16; ROOM]) -> usize {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Fingerprints` exists only where the CPU's features were detected.
        unsafe {
            x86::candidates(&self.groups, tile, room)
        }
        #[cfg(not(target_arch = "x86_64"))]
        super::tile::every_place(tile, room)
    }

    /// Keeps of the first `count` places those that the filters of the keywords let through, and says
    /// how many.
    pub fn sift(
        &self,
        tile: &Tile,
        keywords: &KeywordTable,
        room: &mut [u16; ROOM],
        count: usize,
    ) -> usize {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Fingerprints` exists only where the CPU's features were detected.
        unsafe {
            x86::sift(tile, &keywords.filters(), room, count)
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = (tile, keywords, room);
            count
        }
    }
}

/// What [`Fingerprints::stored`] takes for these keywords; it can be made on any CPU.
pub fn pack(keywords: &KeywordTable, pairs: &Pairs) -> Vec<u8> {
    groups(keywords, pairs).iter().flat_map(|group| group.buckets.concat()).collect()
}

fn groups(keywords: &KeywordTable, pairs: &Pairs) -> Vec<Group> {
    let features: Vec<Features> = keywords.windows().iter().map(features).collect();
    let count = match features.len() {
        0..=24 => 1,
        25..=96 => 2,
        97..=500 => 4,
        _ => 8,
    };
    let mut groups = vec![Group { buckets: [[0; SLOTS]; FEATURES] }; count];
    let shares = shares(pairs);
    let empty = Held {
        shares: &shares,
        keywords: [[0; SLOTS]; FEATURES],
        all: [0; FEATURES],
        share: [0.0; FEATURES],
    };
    let assigned = assign(&features, &empty, count * 8, 1);
    for (features, bucket) in features.iter().zip(assigned) {
        let bit = 1 << (bucket % 8);
        for (buckets, feature) in groups[bucket / 8].buckets.iter_mut().zip(features) {
            match feature {
                Some(slot) => buckets[usize::from(*slot)] |= bit,
                None => buckets.iter_mut().for_each(|buckets| *buckets |= bit),
            }
        }
    }
    groups
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::super::keywords::{
        FILTER_FACTOR, FILTER_WORDS, FOLDED, Filters, THREE_BYTES, THREE_MARK,
    };
    use super::super::shapes::Shapes;
    use super::super::tile::{BUFFER, Maps, ROOM, TILE, Tile, every_place};
    use super::{FEATURES, Group, MATRICES, Rows};

    /// Keeps of the first `count` places those at which the keys of windows, and what stands beside
    /// them, are held by the filters, and says how many.
    ///
    /// # Safety
    ///
    /// The CPU must have AVX-512 F.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn sift(
        tile: &Tile,
        filters: &Filters<'_>,
        room: &mut [u16; ROOM],
        count: usize,
    ) -> usize {
        let buffer = tile.buffer();
        let three = |key: __m512i| {
            let key = _mm512_and_si512(key, set(THREE_BYTES));
            held(filters.three, _mm512_or_si512(key, set(THREE_MARK)))
        };
        let windows = keep(room, count, |at| {
            let key = folded(buffer, at);
            held(filters.four, key) | three(key)
        });
        keep(room, windows, |at| {
            let key = folded(buffer, at);
            let product = _mm512_mullo_epi32(key, set(FILTER_FACTOR));
            let bit = _mm512_srli_epi32::<16>(product);
            // SAFETY: four bytes are read at `bit`, which has 16 bits, and the table holds 4 more.
            let from = unsafe { _mm512_i32gather_epi32::<1>(bit, filters.from.as_ptr().cast()) };
            let from = _mm512_and_si512(from, set(0xff));
            let beside = _mm512_sub_epi32(_mm512_add_epi32(at, from), set(filters.reach));
            let beside = folded(buffer, _mm512_max_epi32(beside, _mm512_setzero_si512()));
            let mixed = _mm512_xor_si512(_mm512_rol_epi32::<15>(product), beside);
            held(filters.companions, mixed) | three(key)
        })
    }

    #[target_feature(enable = "avx512f")]
    fn set(value: u32) -> __m512i {
        _mm512_set1_epi32(value.cast_signed())
    }

    /// Keeps of the first `count` places those of which `holds` says so, sixteen at a time.
    #[target_feature(enable = "avx512f")]
    fn keep(room: &mut [u16; ROOM], count: usize, holds: impl Fn(__m512i) -> __mmask16) -> usize {
        // Behind the last place that a kernel writes there is room for a vector.
        let count = count.min(ROOM - 16);
        let mut left = 0;
        for from in (0..count).step_by(16) {
            // SAFETY: sixteen places are read at `from`, and `from + 16 <= count + 16 <= ROOM`.
            let places = unsafe { _mm256_loadu_si256(room.as_ptr().add(from).cast()) };
            let at = _mm512_cvtepu16_epi32(places);
            let live = ((1u32 << (count - from).min(16)) - 1) as __mmask16;
            let kept = holds(at) & live;
            let packed = _mm512_maskz_compress_epi32(kept, at);
            // SAFETY: sixteen places are written at `left`, which is not above `from`.
            unsafe {
                let to = room.as_mut_ptr().add(left).cast();
                _mm256_storeu_si256(to, _mm512_cvtepi32_epi16(packed));
            }
            left += kept.count_ones() as usize;
        }
        left
    }

    /// Four bytes of the buffer at each place, folded.
    #[target_feature(enable = "avx512f")]
    fn folded(buffer: &[u8; BUFFER], at: __m512i) -> __m512i {
        let at = _mm512_min_epu32(at, set(BUFFER as u32 - 4));
        // SAFETY: four bytes are read at each place, and no place is above `BUFFER - 4`.
        let bytes = unsafe { _mm512_i32gather_epi32::<1>(at, buffer.as_ptr().cast()) };
        _mm512_or_si512(bytes, set(FOLDED))
    }

    /// Which keys a filter holds.
    #[target_feature(enable = "avx512f")]
    fn held(filter: &[u64; FILTER_WORDS], key: __m512i) -> __mmask16 {
        let bit = _mm512_srli_epi32::<16>(_mm512_mullo_epi32(key, set(FILTER_FACTOR)));
        let word = _mm512_srli_epi32::<5>(bit);
        // SAFETY: a hash has 16 bits, so `word` is below 2,048: the halves of the filter's 1,024
        // words, of which the lower stands first.
        let word = unsafe { _mm512_i32gather_epi32::<4>(word, filter.as_ptr().cast()) };
        let mask = _mm512_sllv_epi32(set(1), _mm512_and_si512(bit, set(31)));
        _mm512_test_epi32_mask(word, mask)
    }

    /// [`MATRICES`] as the instruction takes them.
    static PACKED: [[i64; 4]; FEATURES] = {
        let mut all = [[0; 4]; FEATURES];
        let mut feature = 0;
        while feature < FEATURES {
            let mut place = 0;
            while place < 4 {
                all[feature][place] = packed(&MATRICES[feature][place]);
                place += 1;
            }
            feature += 1;
        }
        all
    };

    /// A matrix as the instruction wants it: the row of the lowest bit in the highest byte.
    const fn packed(rows: &Rows) -> i64 {
        let mut bytes = [0; 8];
        let mut row = 0;
        while row < rows.len() {
            bytes[7 - row] = rows[row];
            row += 1;
        }
        i64::from_le_bytes(bytes)
    }

    /// # Safety
    ///
    /// The CPU must have AVX-512 F and BW.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub unsafe fn classify(tile: &Tile, maps: &mut Maps) {
        // Separators of numbers by the low nibble of 0x20..0x2f: ' ' ( ) - . /
        let separators = _mm512_broadcast_i32x4(_mm_setr_epi8(
            -1, 0, 0, 0, 0, 0, 0, 0, -1, -1, 0, 0, 0, -1, -1, -1,
        ));
        let sign = _mm512_set1_epi8(i8::MIN);
        for (word, bytes) in tile.buffer().chunks_exact(64).take(tile.words() + 2).enumerate() {
            // The next tile is on its way while this one is worked on; an address beyond the text is none.
            _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(TILE).cast());
            // SAFETY: an unaligned load of the 64 bytes of the chunk.
            let bytes = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
            let folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
            let digit = in_range(bytes, b'0', 9);
            let letter = in_range(folded, b'a', 25);
            let low = _mm512_xor_si512(bytes, _mm512_set1_epi8(0x20));
            let separator = _mm512_movepi8_mask(_mm512_shuffle_epi8(separators, low))
                & in_range(bytes, 0x20, 15);
            let equal =
                |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte.cast_signed()));
            maps.digit[word] = digit;
            maps.number[word] = digit | separator;
            maps.letter[word] = letter;
            maps.token[word] = digit | letter | equal(b'-');
            maps.at[word] = equal(b'@');
            maps.colon[word] = equal(b':');
            maps.hex[word] = digit | in_range(folded, b'a', 5);
            maps.high[word] = _mm512_test_epi8_mask(bytes, sign);
        }
    }

    /// The shapes of the reference, with the instructions of this CPU.
    ///
    /// # Safety
    ///
    /// The CPU must have AVX-512 F and BW.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub unsafe fn shapes(maps: &Maps, words: usize, shapes: &mut Shapes) {
        shapes.look(maps, words);
    }

    /// Which bytes lie in `first..=first + span`.
    #[target_feature(enable = "avx512f,avx512bw")]
    fn in_range(bytes: __m512i, first: u8, span: u8) -> u64 {
        let shifted = _mm512_sub_epi8(bytes, _mm512_set1_epi8(first.cast_signed()));
        _mm512_cmple_epu8_mask(shifted, _mm512_set1_epi8(span.cast_signed()))
    }

    /// 0 to 63.
    static NUMBERS: [u8; 64] = {
        let mut numbers = [0; 64];
        let mut number = 0;
        while number < numbers.len() {
            numbers[number] = number as u8;
            number += 1;
        }
        numbers
    };

    /// Writes the places from the tile's start on at which a window may begin, and counts them.
    ///
    /// # Safety
    ///
    /// The CPU must have AVX-512 F, BW, VBMI and VBMI2, and GFNI.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,gfni")]
    pub unsafe fn candidates(groups: &[Group], tile: &Tile, room: &mut [u16; ROOM]) -> usize {
        match groups {
            // SAFETY: the caller has seen to the CPU's features; so in the next ones.
            [a] => unsafe { run([a], tile, room) },
            // SAFETY: as above.
            [a, b] => unsafe { run([a, b], tile, room) },
            // SAFETY: as above.
            [a, b, c, d] => unsafe { run([a, b, c, d], tile, room) },
            // SAFETY: as above.
            [a, b, c, d, e, f, g, h] => unsafe { run([a, b, c, d, e, f, g, h], tile, room) },
            _ => every_place(tile, room),
        }
    }

    /// # Safety
    ///
    /// The CPU must have AVX-512 F, BW, VBMI and VBMI2, and GFNI.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,gfni")]
    unsafe fn run<const GROUPS: usize>(
        groups: [&Group; GROUPS],
        tile: &Tile,
        room: &mut [u16; ROOM],
    ) -> usize {
        let times = |bytes: __m512i, feature: usize, place: usize| {
            _mm512_gf2p8affine_epi64_epi8::<0>(bytes, _mm512_set1_epi64(PACKED[feature][place]))
        };
        let buffer = tile.buffer();
        // SAFETY: an unaligned load of the 64 bytes that the array holds.
        let numbers = unsafe { _mm512_loadu_si512(NUMBERS.as_ptr().cast()) };
        let mut count = 0;
        for at in (Tile::ORIGIN..BUFFER - 66).step_by(64).take(tile.reached()) {
            let load = |place: usize| {
                // SAFETY: at + place + 64 <= at + 67 <= BUFFER.
                unsafe { _mm512_loadu_si512(buffer.as_ptr().add(at + place).cast()) }
            };
            let (a, b, c, d) = (load(0), load(1), load(2), load(3));
            let features = [
                _mm512_xor_si512(times(a, 0, 0), times(b, 0, 1)),
                _mm512_xor_si512(times(b, 1, 1), times(c, 1, 2)),
                _mm512_xor_si512(times(c, 2, 2), times(d, 2, 3)),
                _mm512_ternarylogic_epi64::<0x96>(times(a, 3, 0), times(b, 3, 1), times(c, 3, 2)),
                _mm512_ternarylogic_epi64::<0x96>(times(b, 4, 1), times(c, 4, 2), times(d, 4, 3)),
            ];
            let mut any = _mm512_setzero_si512();
            // Read anew each time: they do not fit the registers, and short tiles would wait for a copy.
            for group in groups {
                let by = |feature: usize| {
                    // SAFETY: an unaligned load of the 64 bytes that the array holds.
                    let table =
                        unsafe { _mm512_loadu_si512(group.buckets[feature].as_ptr().cast()) };
                    _mm512_permutexvar_epi8(features[feature], table)
                };
                let three = _mm512_ternarylogic_epi64::<0x80>(by(0), by(1), by(2));
                let all = _mm512_ternarylogic_epi64::<0x80>(three, by(3), by(4));
                any = _mm512_or_si512(any, all);
            }
            let maybe = _mm512_test_epi8_mask(any, any);
            let packed = _mm512_maskz_compress_epi8(maybe, numbers);
            let origin = _mm512_set1_epi16(at as i16);
            let wide = |half: __m256i| _mm512_add_epi16(_mm512_cvtepu8_epi16(half), origin);
            let found = maybe.count_ones() as usize;
            let Some(free) = room.get_mut(count..count + 64) else { break };
            // How many there are is hard to foresee: 32 are written without asking.
            // SAFETY: 32 of the 64 places of two bytes.
            unsafe {
                let half = _mm512_castsi512_si256(packed);
                _mm512_storeu_si512(free.as_mut_ptr().cast(), wide(half));
            }
            if found > 32 {
                // SAFETY: the other 32 places.
                unsafe {
                    let half = _mm512_extracti64x4_epi64::<1>(packed);
                    _mm512_storeu_si512(free.as_mut_ptr().add(32).cast(), wide(half));
                }
            }
            count += found;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_do_not_tell_the_cases_of_a_letter_apart() {
        for places in &MATRICES {
            for rows in places {
                assert!((0..=255u8).all(|byte| apply(rows, byte) == apply(rows, byte ^ 0x20)));
            }
        }
    }

    #[test]
    fn matrices_tell_classes_apart() {
        for rows in MATRICES.iter().flatten().filter(|rows| **rows != [0; 6]) {
            let made: std::collections::BTreeSet<u8> =
                (b' '..b'`').map(|byte| apply(rows, byte)).collect();
            assert_eq!(made.len(), SLOTS);
        }
        assert!((0..=255).all(|byte| apply(&times(1), byte) == class(byte)));
    }

    #[test]
    fn shares_of_a_feature_add_up() {
        for shares in shares(&Pairs::read()) {
            let sum: f32 = shares.iter().sum();
            assert!((0.7..1.3).contains(&sum), "{sum}");
        }
    }
}
