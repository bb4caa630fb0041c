//! The AVX2 kernel: 32 bytes at a time, the same bitmaps as the reference. Keyword candidates are found
//! as the reference finds them, by code that is compiled for this CPU.

use super::keywords::KeywordTable;
use super::shapes::Shapes;
use super::tile::{Maps, ROOM, Tile};

/// Whether this CPU has AVX2, and the instructions on bits that came with it.
pub fn is_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        has!("avx2") && has!("bmi1") && has!("bmi2")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// The kernel. INVARIANT: it exists only on a CPU that `is_available` accepts.
#[derive(Debug)]
pub struct Instructions(());

impl Instructions {
    /// The kernel; none where the CPU lacks what it uses.
    pub fn new() -> Option<Instructions> {
        is_available().then_some(Instructions(()))
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
            x86::candidates(tile, keywords, room)
        }
        #[cfg(not(target_arch = "x86_64"))]
        keywords.candidates(tile, room)
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::super::keywords::KeywordTable;
    use super::super::shapes::Shapes;
    use super::super::tile::{Maps, ROOM, Tile};

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

    /// The candidates of the reference, with the instructions of this CPU.
    ///
    /// # Safety
    ///
    /// The CPU must have AVX2, BMI1 and BMI2.
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    pub unsafe fn candidates(
        tile: &Tile,
        keywords: &KeywordTable,
        room: &mut [u16; ROOM],
    ) -> usize {
        keywords.candidates(tile, room)
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
            let sweep = Sweep::new(&keywords(), kernel);
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
