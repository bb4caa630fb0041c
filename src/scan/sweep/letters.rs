//! Kinds of bytes as words have them: letters of either case, digits, and a few others.

#[cfg(target_arch = "x86_64")]
use super::cpu::Cpu;

/// Bytes of a block.
pub const BLOCK: usize = 64;

/// The bytes of a block, one bit each and kind, the first byte lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Small letters of ASCII.
    pub lower: u64,
    /// Capital ones.
    pub upper: u64,
    /// Digits.
    pub digit: u64,
    /// What is beyond ASCII.
    pub high: u64,
    /// One of the bytes that are asked for.
    pub wanted: u64,
}

/// The kinds of the bytes of a block.
#[inline]
pub fn kinds(bytes: &[u8; BLOCK], wanted: &[u8; 4]) -> Kinds {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every such CPU has SSE2, and the others are called where their features were detected.
    unsafe {
        if Cpu::here().has_avx512 {
            x86::kinds_avx512(bytes, wanted)
        } else if Cpu::here().has_avx2 {
            x86::kinds_avx2(bytes, wanted)
        } else {
            x86::kinds(bytes, wanted)
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    reference(bytes, wanted)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn reference(bytes: &[u8; BLOCK], wanted: &[u8; 4]) -> Kinds {
    let mut kinds = Kinds::default();
    for (at, byte) in bytes.iter().enumerate() {
        kinds.lower |= u64::from(byte.is_ascii_lowercase()) << at;
        kinds.upper |= u64::from(byte.is_ascii_uppercase()) << at;
        kinds.digit |= u64::from(byte.is_ascii_digit()) << at;
        kinds.high |= u64::from(!byte.is_ascii()) << at;
        kinds.wanted |= u64::from(wanted.contains(byte)) << at;
    }
    kinds
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{BLOCK, Kinds};

    /// # Safety
    ///
    /// The CPU must have AVX-512 F and BW.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub unsafe fn kinds_avx512(bytes: &[u8; BLOCK], [a, b, c, d]: &[u8; 4]) -> Kinds {
        // SAFETY: 64 bytes are read from an array of as many.
        let bytes = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
        let set = |byte: u8| _mm512_set1_epi8(byte.cast_signed());
        let within = |first: u8, count: u8| {
            _mm512_cmplt_epu8_mask(_mm512_sub_epi8(bytes, set(first)), set(count))
        };
        let equal = |byte: &u8| _mm512_cmpeq_epi8_mask(bytes, set(*byte));
        Kinds {
            lower: within(b'a', 26),
            upper: within(b'A', 26),
            digit: within(b'0', 10),
            high: _mm512_movepi8_mask(bytes),
            wanted: equal(a) | equal(b) | equal(c) | equal(d),
        }
    }

    /// # Safety
    ///
    /// The CPU must have AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn kinds_avx2(bytes: &[u8; BLOCK], [a, b, c, d]: &[u8; 4]) -> Kinds {
        // SAFETY: 32 bytes are read at 0 and at 32 from an array of 64.
        let halves = unsafe {
            let at = bytes.as_ptr().cast::<__m256i>();
            [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))]
        };
        let set = |byte: u8| _mm256_set1_epi8(byte.cast_signed());
        let join = |of: &dyn Fn(__m256i) -> __m256i| {
            let [low, high] =
                halves.map(|half| u64::from(_mm256_movemask_epi8(of(half)).cast_unsigned()));
            low | high << 32
        };
        let within = |first: u8, count: u8| {
            join(&|half| {
                let distance = _mm256_sub_epi8(half, set(first));
                _mm256_cmpeq_epi8(distance, _mm256_min_epu8(distance, set(count - 1)))
            })
        };
        let equal = |byte: u8| join(&|half| _mm256_cmpeq_epi8(half, set(byte)));
        Kinds {
            lower: within(b'a', 26),
            upper: within(b'A', 26),
            digit: within(b'0', 10),
            high: join(&|half| half),
            wanted: equal(*a) | equal(*b) | equal(*c) | equal(*d),
        }
    }

    /// # Safety
    ///
    /// The CPU must have SSE2.
    #[target_feature(enable = "sse2")]
    pub unsafe fn kinds(bytes: &[u8; BLOCK], wanted: &[u8; 4]) -> Kinds {
        let (parts, _) = bytes.as_chunks::<16>();
        let [a, b, c, d] = wanted;
        let wanted = [set(*a), set(*b), set(*c), set(*d)];
        let mut kinds = Kinds::default();
        for (number, part) in parts.iter().enumerate() {
            // SAFETY: sixteen bytes are read from an array of as many.
            let part = unsafe { _mm_loadu_si128(part.as_ptr().cast()) };
            let shift = number * 16;
            kinds.lower |= mask(within(part, b'a', 26)) << shift;
            kinds.upper |= mask(within(part, b'A', 26)) << shift;
            kinds.digit |= mask(within(part, b'0', 10)) << shift;
            kinds.high |= mask(part) << shift;
            let mut any = _mm_setzero_si128();
            for byte in wanted {
                any = _mm_or_si128(any, _mm_cmpeq_epi8(part, byte));
            }
            kinds.wanted |= mask(any) << shift;
        }
        kinds
    }

    #[target_feature(enable = "sse2")]
    fn set(byte: u8) -> __m128i {
        _mm_set1_epi8(byte.cast_signed())
    }

    /// Which bytes are among so many from `first` on.
    #[target_feature(enable = "sse2")]
    fn within(part: __m128i, first: u8, count: u8) -> __m128i {
        let distance = _mm_sub_epi8(part, set(first));
        _mm_cmpeq_epi8(distance, _mm_min_epu8(distance, set(count - 1)))
    }

    /// The highest bit of each byte.
    #[target_feature(enable = "sse2")]
    fn mask(part: __m128i) -> u64 {
        u64::from(_mm_movemask_epi8(part).cast_unsigned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn kinds_are_those_of_the_reference(
            bytes in prop::collection::vec(any::<u8>(), BLOCK),
            wanted: [u8; 4],
        ) {
            let bytes = bytes.first_chunk().unwrap();
            prop_assert_eq!(kinds(bytes, &wanted), reference(bytes, &wanted));
            #[cfg(target_arch = "x86_64")]
            // SAFETY: every such CPU has SSE2, and the other one is called where it has AVX2.
            unsafe {
                prop_assert_eq!(x86::kinds(bytes, &wanted), reference(bytes, &wanted));
                if Cpu::here().has_avx2 {
                    prop_assert_eq!(x86::kinds_avx2(bytes, &wanted), reference(bytes, &wanted));
                }
            }
        }
    }

    #[test]
    fn each_byte_is_of_its_kind_at_each_place() {
        for byte in 0..=u8::MAX {
            for at in 0..BLOCK {
                let mut bytes = [b' '; BLOCK];
                bytes[at] = byte;
                let wanted = [b'@', b'G', b'`', 0x80];
                assert_eq!(kinds(&bytes, &wanted), reference(&bytes, &wanted));
            }
        }
    }
}
