//! Kinds of bytes in a row, three bits each, in one word.

#[cfg(target_arch = "x86_64")]
use super::cpu::Cpu;

/// Bytes that are read, however many of them count.
pub const LOOKED_AT: usize = 32;

/// The kinds of the first so many bytes, at most 21, three bits each, the first one lowest. `kinds` tells
/// those of ASCII, below 8; what is beyond has kind 0 there and here.
#[inline]
pub fn threes(bytes: &[u8; LOOKED_AT], count: usize, kinds: &[u8; 256]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if Cpu::here().permutes_bytes {
        // SAFETY: the CPU has what it needs.
        return unsafe { x86::threes(bytes, count, kinds) };
    }
    reference(bytes, count, kinds)
}

fn reference(bytes: &[u8; LOOKED_AT], count: usize, kinds: &[u8; 256]) -> u64 {
    let kind = |byte: u8| u64::from(kinds.get(usize::from(byte)).copied().unwrap_or(0));
    let bytes = bytes.get(..count).unwrap_or(bytes);
    bytes.iter().rev().fold(0, |all, byte| all << 3 | kind(*byte))
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::LOOKED_AT;

    /// See [`super::threes`].
    ///
    /// # Safety
    ///
    /// The CPU must have what `Cpu::permutes_bytes` says.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,bmi2")]
    pub unsafe fn threes(bytes: &[u8; LOOKED_AT], count: usize, kinds: &[u8; 256]) -> u64 {
        // SAFETY: 32 bytes are read from an array of as many, and 64 at 0 and at 64 from one of 256.
        let (bytes, low, high) = unsafe {
            let kinds = kinds.as_ptr();
            (
                _mm256_loadu_si256(bytes.as_ptr().cast()),
                _mm512_loadu_si512(kinds.cast()),
                _mm512_loadu_si512(kinds.add(64).cast()),
            )
        };
        let bytes = _mm512_zextsi256_si512(bytes);
        let ascii = !_mm512_movepi8_mask(bytes);
        let kinds = _mm512_maskz_permutex2var_epi8(ascii, low, bytes, high);
        let kinds = _mm512_castsi512_si256(kinds);
        let packed = |eight: i64| _pext_u64(eight.cast_unsigned(), 0x0707_0707_0707_0707);
        let all = packed(_mm256_extract_epi64::<0>(kinds))
            | packed(_mm256_extract_epi64::<1>(kinds)) << 24
            | packed(_mm256_extract_epi64::<2>(kinds)) << 48;
        _bzhi_u64(all, 3 * count as u32)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn threes_are_those_of_the_reference(
            bytes: [u8; LOOKED_AT],
            count in 0usize..=21,
            mut kinds in prop::collection::vec(0u8..8, 256),
        ) {
            kinds[128..].fill(0);
            let kinds = kinds.first_chunk().unwrap();
            prop_assert_eq!(threes(&bytes, count, kinds), reference(&bytes, count, kinds));
        }
    }
}
