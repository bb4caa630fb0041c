//! What this CPU can do, asked of it once.
//!
//! Nothing comes in, which instructions there are goes out: code that asks at each word or number would
//! ask for six features one by one each time.

use std::sync::OnceLock;

/// Instructions that not every CPU has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// AVX2, BMI1, BMI2 and POPCNT.
    pub has_avx2: bool,
    /// AVX-512 F and BW.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "no such CPU is asked"))]
    pub has_avx512: bool,
    /// What the AVX-512 kernel uses: F, BW, VBMI and VBMI2, and GFNI.
    pub runs_avx512_kernel: bool,
    /// AVX-512 F, BW, DQ, VBMI and VBMI2, and BMI2: it tells bytes apart, moves and packs them.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "no such CPU is asked"))]
    pub permutes_bytes: bool,
}

impl Cpu {
    /// This one.
    #[inline]
    pub fn here() -> Cpu {
        static HERE: OnceLock<Cpu> = OnceLock::new();
        *HERE.get_or_init(Cpu::ask)
    }

    #[cfg(target_arch = "x86_64")]
    fn ask() -> Cpu {
        use std::arch::is_x86_feature_detected as has;
        let has_avx512 = has!("avx512f") && has!("avx512bw");
        let has_vbmi = has_avx512 && has!("avx512vbmi") && has!("avx512vbmi2");
        Cpu {
            has_avx2: has!("avx2") && has!("bmi1") && has!("bmi2") && has!("popcnt"),
            has_avx512,
            runs_avx512_kernel: has_vbmi && has!("gfni"),
            permutes_bytes: has_vbmi && has!("avx512dq") && has!("bmi2"),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn ask() -> Cpu {
        Cpu::default()
    }
}
