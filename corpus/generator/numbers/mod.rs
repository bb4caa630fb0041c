//! Makers of values. They are written from the standards and share no code with `src/scan/validate`,
//! so that each tests the other.

pub mod cards;
pub mod europe;
pub mod health;
pub mod marks;
pub mod money;
pub mod people;
pub mod secrets;
pub mod world;

use super::random::Random;

/// Digits of a text, other characters left out.
pub fn values(text: &str) -> Vec<u32> {
    text.chars().filter_map(|c| c.to_digit(10)).collect()
}

/// Sum of digit times weight, for as many as there are weights.
pub fn weighted(text: &str, weights: &[u32]) -> u32 {
    values(text).iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// The digit that Luhn's rule puts behind these (ISO/IEC 7812-1 annex B).
pub fn luhn(body: &str) -> u32 {
    let sum: u32 = values(body)
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 0 { digit * 2 } else { *digit })
        .map(|product| product / 10 + product % 10)
        .sum();
    (10 - sum % 10) % 10
}

/// The rest of a long number.
pub fn modulo(number: &str, divisor: u64) -> u64 {
    values(number).iter().fold(0, |rest, digit| (rest * 10 + u64::from(*digit)) % divisor)
}

/// The check digit of ISO/IEC 7064 MOD 11,10.
pub fn mod_11_10(body: &str) -> u32 {
    let product = values(body).iter().fold(10, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10
}

/// The check digit of Verhoeff's scheme: the dihedral group of order ten.
pub fn verhoeff(body: &str) -> u32 {
    const INVERSE: [u32; 10] = [0, 4, 3, 2, 1, 5, 6, 7, 8, 9];
    fn times(a: u32, b: u32) -> u32 {
        match (a < 5, b < 5) {
            (true, true) => (a + b) % 5,
            (true, false) => 5 + (a + b - 5) % 5,
            (false, true) => 5 + (a - 5 + 5 - b) % 5,
            (false, false) => (a + 5 - b) % 5,
        }
    }
    fn turned(digit: u32, rounds: usize) -> u32 {
        const TURN: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
        (0..rounds % 8).fold(digit, |digit, _| TURN[digit as usize])
    }
    let sum = values(body)
        .iter()
        .rev()
        .enumerate()
        .fold(0, |sum, (at, digit)| times(sum, turned(*digit, at + 1)));
    INVERSE[sum as usize]
}

/// Splits a text into groups of these lengths.
pub fn grouped(text: &str, lengths: &[usize], separator: &str) -> String {
    let mut rest: Vec<char> = text.chars().collect();
    let mut groups: Vec<String> = Vec::new();
    for length in lengths {
        let tail = rest.split_off((*length).min(rest.len()));
        groups.push(rest.into_iter().collect());
        rest = tail;
    }
    if !rest.is_empty() {
        groups.push(rest.into_iter().collect());
    }
    groups.retain(|group| !group.is_empty());
    groups.join(separator)
}

/// Bare or in groups, with one of these separators.
pub fn forms(random: &mut Random, text: &str, lengths: &[usize], separators: &[&str]) -> String {
    let separator = *random.pick(separators);
    grouped(text, lengths, separator)
}

/// The same value with one digit changed where the check lies: at its end, or before its last letters.
pub fn spoiled(random: &mut Random, value: &str) -> String {
    let mut characters: Vec<char> = value.chars().collect();
    if let Some(digit) = characters.iter_mut().rev().find(|c| c.is_ascii_digit()) {
        let old = digit.to_digit(10).unwrap_or(0);
        let new = (old + random.between(1, 9) as u32) % 10;
        *digit = char::from_digit(new, 10).unwrap_or('0');
    }
    characters.into_iter().collect()
}

/// The same value with its last letter changed, for schemes whose check is a letter.
pub fn relettered(random: &mut Random, value: &str) -> String {
    let mut characters: Vec<char> = value.chars().collect();
    if let Some(letter) = characters.iter_mut().rev().find(|c| c.is_ascii_alphabetic()) {
        let old = *letter;
        while *letter == old {
            *letter = random.upper(1).chars().next().unwrap_or('A');
        }
    }
    characters.into_iter().collect()
}

/// Draws until a maker gives a value: for schemes in which some bodies have no check digit.
pub fn until<T>(mut make: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(value) = make() {
            return value;
        }
    }
}
