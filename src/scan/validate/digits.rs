//! Digits of a value without its separators, and the check-digit schemes over them.

/// The most digits that any scheme here reads.
const MOST: usize = 24;

/// Up to 24 decimal digits, read from a value.
#[derive(Clone, Copy)]
pub(super) struct Digits {
    buffer: [u8; MOST],
    len: usize,
}

impl Digits {
    /// The digits of `value`; none if another byte than a digit or one of `separators` is in it,
    /// or if there are too many.
    #[inline]
    pub fn read(value: &[u8], separators: &[u8]) -> Option<Digits> {
        let mut digits = Digits { buffer: [0; MOST], len: 0 };
        for byte in value {
            let digit = byte.wrapping_sub(b'0');
            if digit < 10 {
                *digits.buffer.get_mut(digits.len)? = digit;
                digits.len += 1;
            } else if !separators.iter().any(|separator| separator == byte) {
                return None;
            }
        }
        Some(digits)
    }

    /// The digits as numbers 0 to 9.
    pub fn as_slice(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// The digits from `start` to `end` as one number; 0 outside the digits.
    pub fn number(&self, start: usize, end: usize) -> u64 {
        number(self.as_slice().get(start..end).unwrap_or_default())
    }
}

/// Digits as one number. At most 19 digits fit.
pub(super) fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |sum: u64, digit| sum.wrapping_mul(10).wrapping_add(u64::from(*digit)))
}

/// The sum of the digits, each times its weight; digits without a weight do not count.
pub(super) fn weighted_sum(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum()
}

/// A digit or capital letter as number, A as 10.
pub(super) fn base_36(sign: u8) -> Option<u32> {
    char::from(sign).to_digit(36).filter(|_| !sign.is_ascii_lowercase())
}

/// Luhn check (ISO/IEC 7812-1 Annex B) over digits, the check digit last.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let twice = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum = digits.rchunks(2).fold(0, |sum: u32, pair| match *pair {
        [first, second] => sum + u32::from(twice(first) + second),
        [only] => sum + u32::from(only),
        _ => sum,
    });
    sum.is_multiple_of(10)
}

/// ISO/IEC 7064 MOD 11,10 over digits, the check digit last.
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |product: u32, digit| {
        let sum = (product + u32::from(*digit)) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (product + u32::from(*check)) % 10 == 1
}

/// ISO/IEC 7064 MOD 11-2 over digits and a check sign, 0 to 9 or X.
pub(super) fn mod_11_2(digits: &[u8], check: u8) -> bool {
    let sum = digits.iter().fold(0, |sum: u32, digit| (sum + u32::from(*digit)) * 2 % 11);
    let check = if check == b'X' { Some(10) } else { char::from(check).to_digit(10) };
    check.is_some_and(|check| (sum + check) % 11 == 1)
}

/// Verhoeff check (J. Verhoeff, Error detecting decimal codes, 1969) over digits, the check digit
/// last. The multiplication of the dihedral group of order ten is computed: below five are the
/// rotations, the others the reflections.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const PERMUTATION: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let multiply = |a: u8, b: u8| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - b) % 5,
        (false, false) => (5 + a - b) % 5,
    };
    let permute = |digit: u8| PERMUTATION.get(usize::from(digit)).copied().unwrap_or_default();
    let sum = digits.iter().rev().enumerate().fold(0, |sum, (place, digit)| {
        multiply(sum, (0..place % 8).fold(*digit, |digit, _| permute(digit)))
    });
    sum == 0
}

/// Whether the number reads the same from both ends.
pub(super) fn palindrome(digits: &[u8]) -> bool {
    digits.iter().eq(digits.iter().rev())
}

/// Whether all digits are the same.
pub(super) fn uniform(digits: &[u8]) -> bool {
    digits.split_first().is_none_or(|(first, rest)| rest.iter().all(|digit| digit == first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().map(|byte| byte - b'0').collect()
    }

    #[test]
    fn luhn_of_the_standard() {
        assert!(luhn(&digits("1428572")));
        assert!(luhn(&digits("79927398713")));
        assert!(!luhn(&digits("79927398710")));
        assert!(!luhn(&digits("4992739871")));
    }

    proptest::proptest! {
        #[test]
        fn luhn_adds_the_digits_of_every_second_one_doubled(number in "[0-9]{0,24}") {
            let sum: u32 = digits(&number)
                .iter()
                .rev()
                .enumerate()
                .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
                    (0, digit) => digit,
                    (_, digit) => digit * 2 / 10 + digit * 2 % 10,
                })
                .sum();
            proptest::prop_assert_eq!(luhn(&digits(&number)), sum.is_multiple_of(10));
        }
    }

    #[test]
    fn published_luhn_and_verhoeff_numbers() {
        assert!(luhn(&digits("1428572")));
        assert!(!luhn(&digits("4992739871")));
        assert!(!luhn(&digits("7894")));
        assert!(!verhoeff(&digits("1234")));
        assert!(verhoeff(&digits("12340")));
        assert!(!verhoeff(&digits("1234567890129")));
        assert!(!verhoeff(&digits("123459")));
        assert!(!verhoeff(&digits("2369")));
        assert!(!verhoeff(&digits("398438246238642378648236487236482734")));
        assert!(!verhoeff(&digits("654")));
        assert!(verhoeff(&digits("6548")));
    }

    #[test]
    fn weights_and_signs() {
        assert_eq!(weighted_sum(&[1, 2, 3], &[3, 2]), 7);
        assert_eq!(base_36(b'0'), Some(0));
        assert_eq!(base_36(b'Z'), Some(35));
        assert_eq!(base_36(b'z'), None);
        assert_eq!(base_36(b'-'), None);
    }

    #[test]
    fn iso_7064_mod_11_2() {
        assert!(mod_11_2(&digits("079"), b'X'));
        assert!(mod_11_2(&digits("36042619910101007"), b'1'));
        assert!(!mod_11_2(&digits("36042619910101007"), b'X'));
        assert!(!mod_11_2(&digits("079"), b'Z'));
    }

    #[test]
    fn verhoeff_catches_every_single_error_and_adjacent_swap() {
        assert!(verhoeff(&digits("12340")));
        assert!(verhoeff(&digits("2363")));
        assert!(verhoeff(&digits("123451")));
        let number = digits("123451");
        for place in 0..number.len() {
            for digit in (0..10).filter(|digit| *digit != number[place]) {
                let mut wrong = number.clone();
                wrong[place] = digit;
                assert!(!verhoeff(&wrong), "{wrong:?}");
            }
            if place > 0 && number[place] != number[place - 1] {
                let mut wrong = number.clone();
                wrong.swap(place, place - 1);
                assert!(!verhoeff(&wrong), "{wrong:?}");
            }
        }
    }

    #[test]
    fn iso_7064_mod_11_10() {
        assert!(mod_11_10(&digits("07945")));
        assert!(mod_11_10(&digits("36574261809")));
        assert!(!mod_11_10(&digits("36574261890")));
        assert!(!mod_11_10(&[]));
    }

    #[test]
    fn weights_end_where_the_shorter_one_does() {
        assert_eq!(weighted_sum(&digits("123"), &[3, 2]), 7);
        assert_eq!(weighted_sum(&digits("12"), &[3, 2, 9]), 7);
    }

    #[test]
    fn foreign_bytes_and_too_many_digits_are_refused() {
        assert!(Digits::read(b"12-3", b"-").is_some());
        assert!(Digits::read(b"12 3", b"-").is_none());
        assert!(Digits::read(&[b'1'; 25], b"").is_none());
        assert_eq!(Digits::read(b"0123", b"").unwrap().number(1, 4), 123);
    }
}
