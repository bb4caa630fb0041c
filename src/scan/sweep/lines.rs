//! Counts line ends and characters, at the speed of reading.

#[cfg(target_arch = "x86_64")]
use super::cpu::Cpu;

/// Bytes of a block.
const BLOCK: usize = 64;

/// Blocks that are counted before the sums of bytes could overflow. Fewer are there where a part is left.
const BLOCKS: usize = 255;

/// What a piece of text holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Line ends.
    pub lines: u64,
    /// Characters that begin in it, if it is UTF-8.
    pub chars: u64,
    /// Whether it is all ASCII.
    pub is_ascii: bool,
}

/// Counts what a text holds, with the instructions that this CPU has.
pub fn count(text: &[u8]) -> Counted {
    if text.len() < BLOCK {
        return few(text);
    }
    #[cfg(target_arch = "x86_64")]
    if Cpu::here().has_avx512 {
        // SAFETY: the CPU has AVX-512 F and BW.
        return unsafe { with_avx512(text) };
    } else if Cpu::here().has_avx2 {
        // SAFETY: the CPU has AVX2.
        return unsafe { with_avx2(text) };
    }
    plain(text)
}

/// The same of fewer bytes than a sum of bytes can count.
fn few(text: &[u8]) -> Counted {
    let (mut lines, mut inner, mut bits) = (0u8, 0u8, 0u8);
    for byte in text {
        lines += u8::from(*byte == b'\n');
        inner += u8::from(is_inner(*byte));
        bits |= byte;
    }
    let chars = text.len() as u64 - u64::from(inner);
    Counted { lines: u64::from(lines), chars, is_ascii: bits < 128 }
}

/// # Safety
///
/// The CPU must have AVX-512 F and BW.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn with_avx512(text: &[u8]) -> Counted {
    plain(text)
}

/// # Safety
///
/// The CPU must have AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn with_avx2(text: &[u8]) -> Counted {
    plain(text)
}

#[inline(always)]
fn plain(text: &[u8]) -> Counted {
    let mut counted = Counted { lines: 0, chars: text.len() as u64, is_ascii: true };
    let mut high = 0;
    for part in text.chunks(BLOCK * BLOCKS) {
        let (blocks, rest) = part.as_chunks::<BLOCK>();
        let (mut lines, mut inner, mut bits) = ([0u8; BLOCK], [0u8; BLOCK], [0u8; BLOCK]);
        let mut add = |block: &[u8; BLOCK]| {
            for lane in 0..BLOCK {
                lines[lane] += u8::from(block[lane] == b'\n');
                inner[lane] += u8::from(is_inner(block[lane]));
                bits[lane] |= block[lane];
            }
        };
        blocks.iter().for_each(&mut add);
        // What is left counts as one more block, which zeros fill: they are neither.
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        add(&last);
        let sum = |lanes: [u8; BLOCK]| lanes.iter().map(|lane| u64::from(*lane)).sum::<u64>();
        counted.lines += sum(lines);
        counted.chars -= sum(inner);
        high = bits.iter().fold(high, |high, bits| high | bits);
    }
    counted.is_ascii = high < 128;
    counted
}

/// Whether a byte of UTF-8 is not the first of its character.
fn is_inner(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No sum of bytes goes over, however many of one kind stand below each other.
    #[test]
    fn as_many_as_a_sum_holds_are_counted() {
        for blocks in [BLOCKS - 1, BLOCKS, BLOCKS + 1, 2 * BLOCKS] {
            for rest in [0, 1, BLOCK - 1] {
                let length = blocks * BLOCK + rest;
                let lines = Counted { lines: length as u64, chars: length as u64, is_ascii: true };
                assert_eq!(count(&vec![b'\n'; length]), lines);
                let inner = Counted { lines: 0, chars: 0, is_ascii: false };
                assert_eq!(plain(&vec![0x80; length]), inner);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn every_way_counts_the_same(
            text in proptest::collection::vec(
                proptest::sample::select(vec!["\n", "a", "é", "€", "\r\n", "xyz 12"]), 0..9000),
            from in 0usize..70,
        ) {
            let text = text.concat();
            let text = text.as_bytes().get(from..).unwrap_or_default();
            let expected = Counted {
                lines: text.iter().filter(|byte| **byte == b'\n').count() as u64,
                chars: text.iter().filter(|byte| **byte & 0xc0 != 0x80).count() as u64,
                is_ascii: text.is_ascii(),
            };
            proptest::prop_assert_eq!(count(text), expected);
            proptest::prop_assert_eq!(plain(text), expected);
        }
    }
}
