//! Wallets: addresses, private keys, recovery phrases.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use sha3::Keccak256;

use super::{Candidate, Check, Verdict};

/// A main-network address: Base58Check of 20 bytes with version 0 or 5, or a segregated witness
/// program in Bech32 (version 0, BIP 173) or Bech32m (versions 1 to 16, BIP 350).
pub(super) fn bitcoin_address(value: &[u8]) -> Check {
    let segwit = value.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(b"bc1"));
    Check::of(if segwit { segwit_address(value) } else { base58_address(value) })
}

fn base58_address(value: &[u8]) -> bool {
    (26..=35).contains(&value.len())
        && base58_check::<25>(value).is_some_and(|payload| matches!(payload.first(), Some(0 | 5)))
}

/// The `N` bytes that a Base58Check string spells, where the last four are the first of the double
/// SHA-256 of the others.
fn base58_check<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = [0u8; N];
    for byte in value {
        let mut carry = ALPHABET.iter().position(|letter| letter == byte)?;
        for place in bytes.iter_mut().rev() {
            carry += usize::from(*place) * 58;
            *place = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry != 0 {
            return None;
        }
    }
    let zeros = value.iter().take_while(|byte| **byte == b'1').count();
    let (payload, sum) = bytes.split_at_checked(N.checked_sub(4)?)?;
    let whole = zeros == bytes.iter().take_while(|byte| **byte == 0).count()
        && Sha256::digest(Sha256::digest(payload)).starts_with(sum);
    whole.then_some(bytes)
}

fn segwit_address(value: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const BECH32: u32 = 1;
    const BECH32M: u32 = 0x2bc8_30a3;
    let mixed =
        value.iter().any(u8::is_ascii_lowercase) && value.iter().any(u8::is_ascii_uppercase);
    if mixed || value.len() > 90 {
        return false;
    }
    // The human-readable part `bc`, expanded: high bits, a zero, low bits.
    let mut sum = [3, 3, 0, 2, 3].into_iter().fold(1, polymod);
    let data = value.get(3..).unwrap_or_default();
    let mut version = 0;
    for (place, byte) in data.iter().enumerate() {
        let letter = byte.to_ascii_lowercase();
        let Some(word) = ALPHABET.iter().position(|known| *known == letter) else { return false };
        if place == 0 {
            version = word;
        }
        sum = polymod(sum, word as u32);
    }
    // One word of version and six of checksum around the program; five bits a word.
    let Some(words) = data.len().checked_sub(7) else { return false };
    let (bytes, spare) = (words * 5 / 8, words * 5 % 8);
    let padding = data.len().checked_sub(7).and_then(|last| data.get(last)).map_or(0, |byte| {
        let letter = byte.to_ascii_lowercase();
        ALPHABET.iter().position(|known| *known == letter).unwrap_or_default()
    });
    spare < 5
        && padding & ((1 << spare) - 1) == 0
        && match version {
            0 => matches!(bytes, 20 | 32) && sum == BECH32,
            1..=16 => (2..=40).contains(&bytes) && sum == BECH32M,
            _ => false,
        }
}

/// One step of the BCH code of BIP 173.
fn polymod(sum: u32, word: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = sum >> 25;
    let next = (sum & 0x01ff_ffff) << 5 ^ word;
    GENERATOR
        .iter()
        .enumerate()
        .filter(|(bit, _)| top >> bit & 1 == 1)
        .fold(next, |sum, (_, generator)| sum ^ generator)
}

/// `0x` and forty hexadecimal digits. In mixed case the letters' case must be the checksum of
/// ERC-55; one case alone has none. Addresses of nearly one digit are burn addresses.
pub(super) fn eth_address(value: &[u8]) -> Check {
    let Some(digits) = value.strip_prefix(b"0x").filter(|digits| digits.len() == 40) else {
        return Check::Invalid;
    };
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return Check::Invalid;
    }
    let first = digits.first().copied().unwrap_or_default();
    if digits.iter().filter(|digit| **digit == first).count() > 30 {
        return Check::Invalid;
    }
    let mixed =
        digits.iter().any(u8::is_ascii_lowercase) && digits.iter().any(u8::is_ascii_uppercase);
    Check::of(!mixed || has_erc55_case(digits))
}

/// The same, where the case of the letters holds a checksum.
pub(super) fn eth_checksum_address(value: &[u8]) -> Check {
    let digits = value.strip_prefix(b"0x").unwrap_or_default();
    let mixed =
        digits.iter().any(u8::is_ascii_lowercase) && digits.iter().any(u8::is_ascii_uppercase);
    if mixed { eth_address(value) } else { Check::Invalid }
}

/// ERC-55: a letter is upper case where the Keccak-256 of the lower-case digits has a nibble of
/// eight or more at its place.
fn has_erc55_case(digits: &[u8]) -> bool {
    let hash = Keccak256::digest(digits.to_ascii_lowercase());
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.iter().zip(nibbles).all(|(digit, nibble)| {
        digit.is_ascii_digit() || digit.is_ascii_uppercase() == (nibble >= 8)
    })
}

/// Private keys that documents of the standards print.
const PRINTED_KEYS: &[&[u8]] = &[
    b"5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
    b"5Kb8kLf9zgWQnogidDA76MzPL6TsZZY36hWXMssSzNydYXYB9KF",
    b"5HpHagT65TZzG1PH3CSu63k8DbpvD8s5ip4nEB3kEsreAnchuDf",
    b"KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn",
    b"xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
    b"xprv9s21ZrQH143K31xYSDQpPDxsXRTUcvj2iNHm5NUtrGiGG5e2DtALGdso3pGz6ssrdK4PFmM8NSpSBHNqPqm55Qn3LqFtT2emdEXVYsCzC2U",
];

/// A private key in wallet import format: Base58Check of version 0x80, 32 bytes, and 0x01 for a
/// compressed public key.
pub(super) fn wif_key(value: &[u8]) -> Check {
    let valid = match value.len() {
        51 => base58_check::<37>(value).is_some_and(|key| key.first() == Some(&0x80)),
        52 => base58_check::<38>(value)
            .is_some_and(|key| key.first() == Some(&0x80) && key.get(33) == Some(&1)),
        _ => false,
    };
    Check::of(valid).published_if(PRINTED_KEYS.contains(&value))
}

/// An extended private key of BIP 32: Base58Check of 78 bytes, a version of SLIP 132 that the
/// prefix spells, and a key with a zero byte before it.
pub(super) fn extended_key(value: &[u8]) -> Check {
    const VERSIONS: &[(&[u8; 4], u32)] = &[
        (b"xprv", 0x0488_ade4),
        (b"yprv", 0x049d_7878),
        (b"zprv", 0x04b2_430c),
        (b"Yprv", 0x0295_b005),
        (b"Zprv", 0x02aa_7a99),
        (b"tprv", 0x0435_8394),
        (b"uprv", 0x044a_4e28),
        (b"vprv", 0x045f_18bc),
        (b"Uprv", 0x0242_85b5),
        (b"Vprv", 0x0257_5048),
    ];
    let prefix = value.get(..4).unwrap_or_default();
    let wanted = VERSIONS.iter().find(|(known, _)| *known == prefix).map(|(_, version)| *version);
    let valid = (107..=112).contains(&value.len())
        && wanted.is_some_and(|version| {
            base58_check::<82>(value).is_some_and(|key| {
                key.starts_with(&version.to_be_bytes()) && key.get(45) == Some(&0)
            })
        });
    Check::of(valid).published_if(PRINTED_KEYS.contains(&value))
}

/// The English words of BIP 39, in order.
static WORDS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| include_str!("data/bip39_english.txt").lines().collect());

/// The longest recovery phrase, in words.
const MOST_WORDS: usize = 24;

/// A recovery phrase of BIP 39 at the start of the value: 12 to 24 words of the English list whose
/// last bits are the first of the SHA-256 of the others. The value ends with the longest phrase.
pub(super) fn bip39_mnemonic(candidate: Candidate<'_>) -> Verdict {
    let value = candidate.value();
    // Eleven bits a word, 33 bytes for the longest phrase.
    let mut bits = [0u8; MOST_WORDS * 11 / 8];
    let mut ends = [0usize; MOST_WORDS];
    let mut count = 0;
    let mut at = 0;
    while count < MOST_WORDS {
        let rest = value.get(at..).unwrap_or_default();
        let gap = rest.iter().take(8).take_while(|byte| !byte.is_ascii_alphabetic()).count();
        if gap > 7 || (count == 0 && gap > 0) || (count > 0 && gap == 0) {
            break;
        }
        let rest = rest.get(gap..).unwrap_or_default();
        let length = rest.iter().take(9).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let word = rest.get(..length).unwrap_or_default().to_ascii_lowercase();
        let Ok(index) = WORDS.binary_search_by(|known| known.as_bytes().cmp(word.as_slice()))
        else {
            break;
        };
        for bit in (0..11).filter(|bit| index >> (10 - bit) & 1 == 1) {
            let place = count * 11 + bit;
            if let Some(byte) = bits.get_mut(place / 8) {
                *byte |= 0x80 >> (place % 8);
            }
        }
        at += gap + length;
        if let Some(end) = ends.get_mut(count) {
            *end = at;
        }
        count += 1;
    }
    for words in [24, 21, 18, 15, 12].into_iter().filter(|words| *words <= count) {
        let (entropy, rest) = bits.split_at(words * 4 / 3);
        let sum = Sha256::digest(entropy).first().copied().unwrap_or_default();
        let wanted = rest.first().copied().unwrap_or_default();
        let unused = 8 - words / 3;
        if sum >> unused == wanted >> unused {
            // The vectors of the standard and what pages print have entropy of one byte repeated.
            let printed = entropy.iter().all(|byte| Some(byte) == entropy.first());
            let end = candidate.start + ends.get(words - 1).copied().unwrap_or_default();
            return Check::Valid.published_if(printed).ending_at(end);
        }
    }
    Verdict::Invalid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Validator;
    use crate::scan::validate::check;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn addresses_of_the_bitcoin_standards() {
        for address in [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "3P14159f73E4gFr7JterCCQh9QjiTjiZrG",
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "BC1SW50QGDZ25J",
        ] {
            valid(Validator::BitcoinAddress, address);
        }
        for address in [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3T4",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
            "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du",
            "bc1",
        ] {
            invalid(Validator::BitcoinAddress, address);
        }
    }

    #[test]
    fn addresses_of_erc_55() {
        for address in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            valid(Validator::EthAddress, address);
            valid(Validator::EthChecksumAddress, address);
            valid(Validator::EthAddress, &address.to_ascii_lowercase());
            invalid(Validator::EthChecksumAddress, &address.to_ascii_lowercase());
        }
        invalid(Validator::EthAddress, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD");
        invalid(Validator::EthAddress, "0x0000000000000000000000000000000000000000");
        invalid(Validator::EthAddress, "0x000000000000000000000000000000000000dEaD");
        invalid(Validator::EthAddress, "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
    }

    #[test]
    fn private_keys_of_the_standards_are_published() {
        for key in PRINTED_KEYS {
            let key = std::str::from_utf8(key).unwrap();
            let validator = if key.len() > 60 { Validator::ExtendedKey } else { Validator::WifKey };
            published(validator, key);
            invalid(validator, &key[1..]);
            invalid(validator, &format!("{}9", &key[..key.len() - 1]));
        }
    }

    /// The phrases of the test vectors of BIP 39.
    #[test]
    fn phrases_of_bip_39() {
        published(
            Validator::Bip39Mnemonic,
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
        );
        published(
            Validator::Bip39Mnemonic,
            "legal winner thank year wave sausage worth useful legal winner thank yellow",
        );
        for phrase in [
            "ozone drill grab fiber curtain grace pudding thank cruise elder eight picnic",
            "hamster diagram private dutch cause delay private meat slide toddler razor book \
             happy fancy gospel tennis maple dilemma loan word shrug inflict delay length",
        ] {
            valid(Validator::Bip39Mnemonic, phrase);
        }
        invalid(
            Validator::Bip39Mnemonic,
            "ozone drill grab fiber curtain grace pudding thank cruise elder eight zoo",
        );
        invalid(
            Validator::Bip39Mnemonic,
            "ozone drill grab fiber curtain grace pudding thank cruise elder eight",
        );
    }

    #[test]
    fn a_phrase_ends_with_its_last_word() {
        let text = b"Ozone drill grab fiber curtain grace pudding thank cruise elder eight picnic and more";
        let candidate = Candidate { text, start: 0, end: text.len(), limit: text.len() };
        let end = text.len() - " and more".len();
        assert_eq!(
            check(Validator::Bip39Mnemonic, candidate),
            Verdict::Valid { end, published: false }
        );
    }

    #[test]
    fn the_list_is_that_of_the_standard() {
        assert_eq!(WORDS.len(), 2048);
        assert!(WORDS.is_sorted());
        let sum = Sha256::digest(include_bytes!("data/bip39_english.txt"));
        assert_eq!(sum.first_chunk::<4>(), Some(&[0x2f, 0x5e, 0xed, 0x53]));
    }
}
