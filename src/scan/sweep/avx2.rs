//! The AVX2 kernel: 32 bytes at a time, the same bitmaps as the reference, and keyword candidates
//! by nibble shuffles over four-byte fingerprints in 8 buckets a group.

use super::keywords::{KeywordTable, Window};
use super::tile::{Maps, Tile};

/// Whether this CPU has AVX2.
pub fn is_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx2")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// For each of four neighbouring bytes: which buckets hold a keyword with such a low, and such a
/// high, nibble there.
#[derive(Clone, Debug, Default)]
struct Group {
    low: [[u8; 16]; 4],
    high: [[u8; 16]; 4],
}

/// Nibble tables of a keyword table. INVARIANT: it exists only on a CPU with AVX2.
#[derive(Debug)]
pub struct Fingerprints {
    groups: Vec<Group>,
}

impl Fingerprints {
    /// The tables for these keywords; none where the CPU lacks AVX2.
    pub fn new(keywords: &KeywordTable) -> Option<Fingerprints> {
        if !is_available() {
            return None;
        }
        let mut windows: Vec<Window> = keywords.windows().to_vec();
        windows.sort_unstable_by_key(|window| window.bytes);
        let count = match windows.len() {
            0..=24 => 1,
            25..=64 => 2,
            _ => 4,
        };
        let mut groups = vec![Group::default(); count];
        let in_bucket = windows.len().div_ceil(count * 8).max(1);
        for (number, bucket) in windows.chunks(in_bucket).enumerate() {
            for window in bucket {
                groups[number / 8].add(window, 1 << (number % 8));
            }
        }
        Some(Fingerprints { groups })
    }

    /// Fills the bitmaps of a tile and its margins.
    pub fn classify(&self, tile: &Tile, maps: &mut Maps) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Fingerprints` exists only where AVX2 was detected.
        unsafe {
            x86::classify(tile, maps);
        }
        #[cfg(not(target_arch = "x86_64"))]
        super::portable::classify(tile, maps);
    }

    /// Says where the window of a keyword may be, one bit a byte from the tile's start on.
    pub fn candidates(&self, tile: &Tile, maps: &mut Maps) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Fingerprints` exists only where AVX2 was detected.
        unsafe {
            x86::candidates(&self.groups, tile, maps);
        }
        #[cfg(not(target_arch = "x86_64"))]
        maps.maybe.fill(!0);
    }
}

impl Group {
    fn add(&mut self, window: &Window, bucket: u8) {
        for (place, byte) in window.bytes.iter().enumerate() {
            if place >= usize::from(window.len) {
                self.low[place].iter_mut().for_each(|buckets| *buckets |= bucket);
                self.high[place].iter_mut().for_each(|buckets| *buckets |= bucket);
                continue;
            }
            // Folding only sets bit 5, so both bytes that fold to this one count.
            for byte in [*byte, *byte & !0x20] {
                self.low[place][usize::from(byte & 15)] |= bucket;
                self.high[place][usize::from(byte >> 4)] |= bucket;
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::super::tile::{BUFFER, Maps, Tile};
    use super::Group;

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

    /// Which bytes lie in `first..=first + span`.
    #[target_feature(enable = "avx2")]
    fn in_range(bytes: __m256i, first: u8, span: u8) -> __m256i {
        let shifted = _mm256_sub_epi8(bytes, _mm256_set1_epi8(first as i8));
        _mm256_cmpeq_epi8(_mm256_min_epu8(shifted, _mm256_set1_epi8(span as i8)), shifted)
    }

    /// Sets the bit of each byte, from the tile's start on, at which a window may begin.
    ///
    /// # Safety
    ///
    /// The CPU must have AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn candidates(groups: &[Group], tile: &Tile, maps: &mut Maps) {
        match groups {
            // SAFETY: the caller has seen to AVX2; so in the next two.
            [one] => unsafe { run([one], tile, maps) },
            // SAFETY: as above.
            [one, two] => unsafe { run([one, two], tile, maps) },
            // SAFETY: as above.
            [one, two, three, four] => unsafe { run([one, two, three, four], tile, maps) },
            _ => maps.maybe.fill(!0),
        }
    }

    /// # Safety
    ///
    /// The CPU must have AVX2.
    #[target_feature(enable = "avx2")]
    unsafe fn run<const GROUPS: usize>(groups: [&Group; GROUPS], tile: &Tile, maps: &mut Maps) {
        let tables = groups.map(|group| {
            let table = |bytes: &[u8; 16]| {
                // SAFETY: an unaligned load of the 16 bytes that the array holds.
                _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
            };
            (group.low.each_ref().map(table), group.high.each_ref().map(table))
        });
        let nibble = _mm256_set1_epi8(15);
        let buffer = tile.buffer();
        let half = |at: usize| {
            let mut halves = [(nibble, nibble); 4];
            for (place, half) in halves.iter_mut().enumerate() {
                // SAFETY: at + place + 32 <= at + 35 <= BUFFER.
                let bytes = unsafe { _mm256_loadu_si256(buffer.as_ptr().add(at + place).cast()) };
                let low = _mm256_and_si256(bytes, nibble);
                let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
                *half = (low, high);
            }
            let mut any = _mm256_setzero_si256();
            for (low, high) in &tables {
                let mut buckets = _mm256_set1_epi8(-1);
                for place in 0..4 {
                    let by_low = _mm256_shuffle_epi8(low[place], halves[place].0);
                    let by_high = _mm256_shuffle_epi8(high[place], halves[place].1);
                    buckets = _mm256_and_si256(buckets, _mm256_and_si256(by_low, by_high));
                }
                any = _mm256_or_si256(any, buckets);
            }
            let none = _mm256_cmpeq_epi8(any, _mm256_setzero_si256());
            u64::from(!_mm256_movemask_epi8(none).cast_unsigned())
        };
        let used = maps.maybe.iter_mut().take(tile.reached());
        for (at, maybe) in (Tile::ORIGIN..BUFFER - 66).step_by(64).zip(used) {
            *maybe = half(at) | half(at + 32) << 32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kernel, Scratch, Sweep};

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
            let sweep = Sweep::new(keywords(), kernel);
            let (mut scratch, mut whole, mut parts) = (Scratch::default(), Vec::new(), Vec::new());
            sweep.find(text, 0, text.len(), &mut scratch, &mut whole);
            sweep.find(text, 0, cut, &mut scratch, &mut parts);
            sweep.find(text, cut, text.len(), &mut scratch, &mut parts);
            assert_eq!(whole, parts, "cut at {cut}");
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
