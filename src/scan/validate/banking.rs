//! Bank accounts and wallet addresses.

use sha2::{Digest, Sha256};

use super::{Candidate, Check, Verdict};

/// Country code and account part (BBAN) of each IBAN country: lengths of runs, each followed by
/// its kind as the SWIFT IBAN registry writes it: `n` digits, `a` upper-case letters, `c` both.
const COUNTRIES: &[(&[u8; 2], &str)] = &[
    (b"AD", "8n12c"),
    (b"AE", "19n"),
    (b"AL", "8n16c"),
    (b"AT", "16n"),
    (b"AZ", "4a20c"),
    (b"BA", "16n"),
    (b"BE", "12n"),
    (b"BG", "4a6n8c"),
    (b"BH", "4a14c"),
    (b"BI", "23n"),
    (b"BR", "23n1a1c"),
    (b"BY", "4c4n16c"),
    (b"CH", "5n12c"),
    (b"CR", "18n"),
    (b"CY", "8n16c"),
    (b"CZ", "20n"),
    (b"DE", "18n"),
    (b"DJ", "23n"),
    (b"DK", "14n"),
    (b"DO", "4c20n"),
    (b"EE", "16n"),
    (b"EG", "25n"),
    (b"ES", "20n"),
    (b"FI", "14n"),
    (b"FK", "2a12n"),
    (b"FO", "14n"),
    (b"FR", "10n11c2n"),
    (b"GB", "4a14n"),
    (b"GE", "2a16n"),
    (b"GI", "4a15c"),
    (b"GL", "14n"),
    (b"GR", "7n16c"),
    (b"GT", "24c"),
    (b"HN", "4a20n"),
    (b"HR", "17n"),
    (b"HU", "24n"),
    (b"IE", "4a14n"),
    (b"IL", "19n"),
    (b"IQ", "4a15n"),
    (b"IS", "22n"),
    (b"IT", "1a10n12c"),
    (b"JO", "4a4n18c"),
    (b"KW", "4a22c"),
    (b"KZ", "3n13c"),
    (b"LB", "4n20c"),
    (b"LC", "4a24c"),
    (b"LI", "5n12c"),
    (b"LT", "16n"),
    (b"LU", "3n13c"),
    (b"LV", "4a13c"),
    (b"LY", "21n"),
    (b"MC", "10n11c2n"),
    (b"MD", "20c"),
    (b"ME", "18n"),
    (b"MK", "3n10c2n"),
    (b"MN", "16n"),
    (b"MR", "23n"),
    (b"MT", "4a5n18c"),
    (b"MU", "4a19n3a"),
    (b"NI", "4a20n"),
    (b"NL", "4a10n"),
    (b"NO", "11n"),
    (b"OM", "3n16c"),
    (b"PK", "4a16c"),
    (b"PL", "24n"),
    (b"PS", "4a21c"),
    (b"PT", "21n"),
    (b"QA", "4a21c"),
    (b"RO", "4a16c"),
    (b"RS", "18n"),
    (b"RU", "14n15c"),
    (b"SA", "2n18c"),
    (b"SC", "4a20n3a"),
    (b"SD", "14n"),
    (b"SE", "20n"),
    (b"SI", "15n"),
    (b"SK", "20n"),
    (b"SM", "1a10n12c"),
    (b"SO", "19n"),
    (b"ST", "21n"),
    (b"SV", "4a20n"),
    (b"TL", "19n"),
    (b"TN", "20n"),
    (b"TR", "6n16c"),
    (b"UA", "6n19c"),
    (b"VA", "18n"),
    (b"VG", "4a16n"),
    (b"XK", "16n"),
    (b"YE", "4a4n18c"),
];

/// The longest IBAN (Russia's), in letters and digits.
const LONGEST_IBAN: usize = 33;

/// ISO 13616: the country's length and shape, then MOD 97-10. The value is cut where the country's
/// length is reached, so that a word behind it does not spoil it.
pub(super) fn iban(candidate: Candidate<'_>) -> Verdict {
    let mut compact = [0u8; LONGEST_IBAN];
    let mut len = 0;
    let mut wanted = LONGEST_IBAN;
    let mut shape = "";
    let value = candidate.value();
    for (position, byte) in value.iter().enumerate() {
        match byte {
            b' ' | b'-' => continue,
            byte if byte.is_ascii_alphanumeric() => {
                let Some(place) = compact.get_mut(len) else { return Verdict::Invalid };
                *place = byte.to_ascii_uppercase();
                len += 1;
            }
            _ => return Verdict::Invalid,
        }
        if len == 2 {
            let country = compact.first_chunk::<2>().copied().unwrap_or_default();
            let Some((_, found)) = COUNTRIES.iter().find(|(code, _)| **code == country) else {
                return Verdict::Invalid;
            };
            shape = found;
            wanted = 4 + runs(found).map(|(length, _)| length).sum::<usize>();
        }
        if len == wanted {
            let next = value.get(position + 1).or(candidate.after().first());
            let whole = !next.is_some_and(u8::is_ascii_alphanumeric);
            let compact = compact.get(..len).unwrap_or_default();
            let valid = whole && has_shape(compact, shape) && mod_97(compact) == 1;
            return Check::of(valid).ending_at(candidate.start + position + 1);
        }
    }
    Verdict::Invalid
}

/// The runs of a BBAN shape: length and kind.
fn runs(shape: &str) -> impl Iterator<Item = (usize, char)> {
    shape.split_inclusive(char::is_alphabetic).filter_map(|run| {
        let mut chars = run.chars();
        let kind = chars.next_back()?;
        Some((chars.as_str().parse().ok()?, kind))
    })
}

/// Check digits 02 to 98 and an account part of the country's shape.
fn has_shape(compact: &[u8], shape: &str) -> bool {
    let Some((head, mut account)) = compact.split_at_checked(4) else { return false };
    let [_, _, tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = head else { return false };
    let check = (tens - b'0') * 10 + (ones - b'0');
    (2..=98).contains(&check)
        && runs(shape).all(|(length, kind)| {
            let Some((run, rest)) = account.split_at_checked(length) else { return false };
            account = rest;
            run.iter().all(|byte| match kind {
                'n' => byte.is_ascii_digit(),
                'a' => byte.is_ascii_uppercase(),
                _ => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            })
        })
}

/// ISO/IEC 7064 MOD 97-10 of the number that the rearranged IBAN spells: letters are 10 to 35.
fn mod_97(compact: &[u8]) -> u32 {
    let (head, account) = compact.split_at_checked(4).unwrap_or_default();
    account.iter().chain(head).fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        b'A'..=b'Z' => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
        _ => rest,
    })
}

/// A main-network address: Base58Check of 20 bytes with version 0 or 5, or a segregated witness
/// program in Bech32 (version 0, BIP 173) or Bech32m (versions 1 to 16, BIP 350).
pub(super) fn bitcoin_address(value: &[u8]) -> Check {
    let segwit = value.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(b"bc1"));
    Check::of(if segwit { segwit_address(value) } else { base58_address(value) })
}

fn base58_address(value: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    if !(26..=35).contains(&value.len()) {
        return false;
    }
    let mut bytes = [0u8; 25];
    for byte in value {
        let Some(digit) = ALPHABET.iter().position(|letter| letter == byte) else { return false };
        let mut carry = digit;
        for place in bytes.iter_mut().rev() {
            carry += usize::from(*place) * 58;
            *place = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry != 0 {
            return false;
        }
    }
    let zeros = value.iter().take_while(|byte| **byte == b'1').count();
    let (payload, sum) = bytes.split_at(21);
    zeros == bytes.iter().take_while(|byte| **byte == 0).count()
        && matches!(payload.first(), Some(0 | 5))
        && Sha256::digest(Sha256::digest(payload)).starts_with(sum)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Validator;
    use crate::scan::validate::check;
    use crate::scan::validate::tests::{invalid, valid};

    #[test]
    fn ibans_of_the_registry() {
        for number in [
            "GB29 NWBK 6016 1331 9268 19",
            "DE89370400440532013000",
            "FR1420041010050500013M02606",
            "MT84MALT011000012345MTLCAST001S",
            "NO93 8601 1117 947",
            "BR1800360305000010009795493C1",
            "LC55HEMM000100010012001200023015",
            "SC18SSCB11010000000000001497USD",
            "TR330006100519786457841326",
            "de89370400440532013000",
        ] {
            valid(Validator::Iban, number);
        }
        invalid(Validator::Iban, "DE89370400440532013001");
        invalid(Validator::Iban, "ZZ89370400440532013000");
        invalid(Validator::Iban, "DE8937040044053201300");
        invalid(Validator::Iban, "GB29 6016 NWBK 1331 9268 19");
    }

    #[test]
    fn a_word_behind_an_iban_is_cut_off_and_a_longer_token_is_none() {
        let text = b"DE89 3704 0044 0532 0130 00 BIC COBA";
        let candidate = Candidate { text, start: 0, end: 31, limit: text.len() };
        assert_eq!(check(Validator::Iban, candidate), Verdict::Valid { end: 27, published: false });
        invalid(Validator::Iban, "DE89370400440532013000BIC");
        let text = b"DE89370400440532013000B";
        let candidate = Candidate { text, start: 0, end: 22, limit: text.len() };
        assert_eq!(check(Validator::Iban, candidate), Verdict::Invalid);
    }

    #[test]
    fn every_country_has_a_shape_that_adds_up() {
        for (country, shape) in COUNTRIES {
            let length = 4 + runs(shape).map(|(length, _)| length).sum::<usize>();
            assert!((15..=LONGEST_IBAN).contains(&length), "{country:?}");
            let written: String =
                runs(shape).map(|(length, kind)| format!("{length}{kind}")).collect();
            assert_eq!(written, *shape);
        }
        assert!(COUNTRIES.is_sorted());
    }

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
}
