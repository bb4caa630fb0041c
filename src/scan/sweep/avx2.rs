//! The AVX2 kernel: 32 bytes at a time, the same bitmaps as the reference, and keyword candidates
//! by nibble shuffles over four-byte fingerprints in 8 buckets a group.

use super::buckets::{Bucket, assign};
use super::keywords::{KeywordTable, Window};
use super::pairs::Pairs;
use super::shapes::Shapes;
use super::tile::{Maps, ROOM, Tile};

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

/// The low nibble, and the high one but for the bit that tells the cases of a letter apart, of each
/// byte of a window; none where every byte counts. Those come first in order, so that other keywords
/// keep away from their buckets.
type Features = [Option<(u8, u8)>; 4];

fn features(window: &Window) -> Features {
    let mut features = [None; 4];
    for (feature, byte) in features.iter_mut().zip(window.bytes).take(usize::from(window.len)) {
        *feature = Some((byte & 15, byte >> 4 & 1 | byte >> 5 & 6));
    }
    features
}

/// How often ordinary text has a byte, by its high and low nibble as features have them.
type Shares = [[f32; 16]; 8];

fn shares(pairs: &Pairs) -> Shares {
    let mut shares = Shares::default();
    for byte in (0..=255u8).filter(|byte| byte & 0x20 == 0) {
        let high = byte >> 4 & 1 | byte >> 5 & 6;
        shares[usize::from(high)][usize::from(byte & 15)] = pairs.byte(byte);
    }
    shares
}

/// What a bucket holds of one byte of its windows.
#[derive(Clone, Copy, Default)]
struct HeldByte {
    low: [u16; 16],
    high: [u16; 8],
    all: u16,
    /// The share of text by high nibble, whatever it is, with a low one that a keyword has; and the
    /// other way round.
    by_high: [f32; 8],
    by_low: [f32; 16],
    share: f32,
}

/// What a bucket holds of each byte of its windows.
#[derive(Clone)]
struct Held<'a> {
    shares: &'a Shares,
    bytes: [HeldByte; 4],
}

impl Held<'_> {
    fn new(shares: &Shares) -> Held<'_> {
        Held { shares, bytes: [HeldByte::default(); 4] }
    }
}

impl HeldByte {
    fn sum(&mut self, shares: &Shares) {
        (self.by_high, self.by_low, self.share) = ([0.0; 8], [0.0; 16], 0.0);
        for (high, row) in shares.iter().enumerate() {
            for (low, share) in row.iter().enumerate() {
                let (has_high, has_low) = (self.high[high] > 0, self.low[low] > 0);
                self.by_high[high] += if has_low { *share } else { 0.0 };
                self.by_low[low] += if has_high { *share } else { 0.0 };
                self.share += if has_low && has_high { *share } else { 0.0 };
            }
        }
    }
}

impl Bucket for Held<'_> {
    type Features = Features;

    fn cost(&self) -> f32 {
        self.bytes.iter().map(|held| if held.all > 0 { 1.0 } else { held.share }).product()
    }

    fn cost_with(&self, keyword: &Features) -> f32 {
        let mut cost = 1.0;
        for (held, feature) in self.bytes.iter().zip(keyword) {
            if let Some((low, high)) = feature
                && held.all == 0
            {
                let (low, high) = (usize::from(*low), usize::from(*high));
                let mut share = held.share;
                let (new_low, new_high) = (held.low[low] == 0, held.high[high] == 0);
                share += if new_low { held.by_low[low] } else { 0.0 };
                share += if new_high { held.by_high[high] } else { 0.0 };
                share += if new_low && new_high { self.shares[high][low] } else { 0.0 };
                cost *= share;
            }
        }
        cost
    }

    fn add(&mut self, keyword: &Features) {
        for (held, feature) in self.bytes.iter_mut().zip(keyword) {
            match feature {
                Some((low, high)) => {
                    held.low[usize::from(*low)] += 1;
                    held.high[usize::from(*high)] += 1;
                    held.sum(self.shares);
                }
                None => held.all += 1,
            }
        }
    }

    fn remove(&mut self, keyword: &Features) {
        for (held, feature) in self.bytes.iter_mut().zip(keyword) {
            match feature {
                Some((low, high)) => {
                    held.low[usize::from(*low)] -= 1;
                    held.high[usize::from(*high)] -= 1;
                    held.sum(self.shares);
                }
                None => held.all -= 1,
            }
        }
    }
}

/// For each of four neighbouring bytes: which buckets hold a keyword with such a low, and such a
/// high, nibble there.
#[derive(Clone, Debug, Default)]
struct Group {
    low: [[u8; 16]; 4],
    high: [[u8; 16]; 4],
}

impl Group {
    fn to_bytes(&self) -> Vec<u8> {
        [self.low.as_flattened(), self.high.as_flattened()].concat()
    }

    fn from_bytes(bytes: &[u8; GROUP_BYTES]) -> Group {
        let mut group = Group::default();
        let (low, high) = bytes.split_at(GROUP_BYTES / 2);
        group.low.as_flattened_mut().copy_from_slice(low);
        group.high.as_flattened_mut().copy_from_slice(high);
        group
    }
}

/// Bytes of a [`Group`].
const GROUP_BYTES: usize = 2 * 4 * 16;

/// Nibble tables of a keyword table. INVARIANT: it exists only on a CPU with AVX2.
#[derive(Debug)]
pub struct Fingerprints {
    groups: Vec<Group>,
}

impl Fingerprints {
    /// The tables for these keywords; none where the CPU lacks AVX2.
    pub fn new(keywords: &KeywordTable, pairs: &Pairs) -> Option<Fingerprints> {
        is_available().then(|| Fingerprints { groups: groups(keywords, pairs) })
    }

    /// Tables that [`pack`] made; none where the CPU lacks AVX2 or these are not such bytes.
    pub fn stored(bytes: &[u8]) -> Option<Fingerprints> {
        let (groups, []) = bytes.as_chunks() else { return None };
        let groups = groups.iter().map(Group::from_bytes);
        is_available().then(|| Fingerprints { groups: groups.collect() })
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
        // SAFETY: a `Fingerprints` exists only where AVX2 was detected.
        unsafe {
            x86::candidates(&self.groups, tile, room)
        }
        #[cfg(not(target_arch = "x86_64"))]
        super::tile::every_place(tile, room)
    }
}

/// What [`Fingerprints::stored`] takes for these keywords; it can be made on any CPU.
pub fn pack(keywords: &KeywordTable, pairs: &Pairs) -> Vec<u8> {
    groups(keywords, pairs).iter().flat_map(Group::to_bytes).collect()
}

fn groups(keywords: &KeywordTable, pairs: &Pairs) -> Vec<Group> {
    let windows = keywords.windows();
    let count = match windows.len() {
        0..=24 => 1,
        25..=64 => 2,
        65..=200 => 4,
        _ => 8,
    };
    let mut groups = vec![Group::default(); count];
    let features: Vec<Features> = windows.iter().map(features).collect();
    // Many keywords are planned in one go: that takes milliseconds as it is.
    let moves = usize::from(windows.len() <= 300);
    let assigned = assign(&features, &Held::new(&shares(pairs)), count * 8, moves);
    for (window, bucket) in windows.iter().zip(assigned) {
        groups[bucket / 8].add(window, 1 << (bucket % 8));
    }
    groups
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

    use super::super::shapes::Shapes;
    use super::super::tile::{BUFFER, Maps, ROOM, Tile, every_place};
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

    /// Writes the places from the tile's start on at which a window may begin, and counts them.
    ///
    /// # Safety
    ///
    /// The CPU must have AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn candidates(groups: &[Group], tile: &Tile, room: &mut [u16; ROOM]) -> usize {
        match groups {
            // SAFETY: the caller has seen to AVX2; so in the next ones.
            [one] => unsafe { run([one], tile, room) },
            // SAFETY: as above.
            [one, two] => unsafe { run([one, two], tile, room) },
            // SAFETY: as above.
            [a, b, c, d] => unsafe { run([a, b, c, d], tile, room) },
            // SAFETY: as above.
            [a, b, c, d, e, f, g, h] => unsafe { run([a, b, c, d, e, f, g, h], tile, room) },
            _ => every_place(tile, room),
        }
    }

    /// # Safety
    ///
    /// The CPU must have AVX2.
    #[target_feature(enable = "avx2")]
    unsafe fn run<const GROUPS: usize>(
        groups: [&Group; GROUPS],
        tile: &Tile,
        room: &mut [u16; ROOM],
    ) -> usize {
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
        let mut count = 0;
        for at in (Tile::ORIGIN..BUFFER - 66).step_by(64).take(tile.reached()) {
            let mut maybe = half(at) | half(at + 32) << 32;
            let found = maybe.count_ones() as usize;
            let Some(free) = room.get_mut(count..count + 64) else { break };
            let mut write = |places: &mut [u16]| {
                for place in places {
                    *place = (at + maybe.trailing_zeros() as usize) as u16;
                    maybe &= maybe.wrapping_sub(1);
                }
            };
            // How many there are is hard to foresee: some are written without asking.
            write(&mut free[..8]);
            if found > 8 {
                write(&mut free[8..found]);
            }
            count += found;
        }
        count
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
