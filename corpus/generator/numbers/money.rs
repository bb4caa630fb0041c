//! Accounts, securities and wallets.

use sha2::{Digest, Sha256};

use super::super::languages::Language;
use super::super::random::Random;
use super::europe::italian_control;
use super::{forms, grouped, luhn, modulo, until, values, weighted};

/// Letters as numbers, for ISO/IEC 7064 MOD 97-10.
fn expanded(text: &str) -> String {
    text.chars().filter_map(|c| c.to_digit(36)).map(|value| value.to_string()).collect()
}

/// The account part for a country, with its national check digits where there are some.
fn account_part(r: &mut Random, country: &str) -> String {
    match country {
        "DE" => r.number(8) + &r.digits(10),
        "GB" => r.word("NWBK BARC LOYD MIDL HBUK") + &r.digits(14),
        "IE" => r.word("AIBK BOFI IPBS") + &r.digits(14),
        "NL" => {
            let account = until(|| {
                let account = format!("0{}", r.number(9));
                let sum = weighted(&account, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
                sum.is_multiple_of(11).then_some(account)
            });
            r.word("INGB ABNA RABO SNSB TRIO") + &account
        }
        "AT" => r.number(5) + &r.digits(11),
        "CH" => format!("0{}{}", r.number(4), r.digits(12)),
        "DK" => r.number(4) + &r.digits(10),
        "LU" => r.number(3) + &r.digits(13),
        "FR" => {
            let (bank, branch, account) = (r.number(5), r.digits(5), r.digits(11));
            let number = |text: &str| text.parse::<u64>().unwrap_or(0);
            let key = 97 - (89 * number(&bank) + 15 * number(&branch) + 3 * number(&account)) % 97;
            format!("{bank}{branch}{account}{key:02}")
        }
        "ES" => {
            let (bank, account) = (r.number(4) + &r.digits(4), r.digits(10));
            let control = |body: &str, weights: &[u32]| match 11 - weighted(body, weights) % 11 {
                11 => 0,
                10 => 1,
                other => other,
            };
            let first = control(&bank, &[4, 8, 5, 10, 9, 7, 3, 6]);
            let second = control(&account, &[1, 2, 4, 8, 5, 10, 9, 7, 3, 6]);
            format!("{bank}{first}{second}{account}")
        }
        "IT" => {
            let body = r.word("05428 03069 02008 01030 07601") + &r.digits(5) + &r.digits(12);
            format!("{}{body}", italian_control(&body))
        }
        "PT" => {
            let body = r.word("0002 0007 0010 0033 0035") + &r.digits(4) + &r.digits(11);
            let key = 98 - modulo(&format!("{body}00"), 97);
            format!("{body}{key:02}")
        }
        "BE" => {
            let body = r.word("001 310 733 979 063") + &r.digits(7);
            let key = match modulo(&body, 97) {
                0 => 97,
                key => key,
            };
            format!("{body}{key:02}")
        }
        "PL" => {
            let bank = r.number(7);
            let check = (10 - weighted(&bank, &[3, 9, 7, 1, 3, 9, 7]) % 10) % 10;
            format!("{bank}{check}{}", r.digits(16))
        }
        "SE" => r.number(3) + &r.digits(17),
        _ => r.number(4) + &r.digits(12),
    }
}

pub fn iban_of(r: &mut Random, country: &str) -> String {
    let account = account_part(r, country);
    let rest = modulo(&expanded(&format!("{account}{country}00")), 97);
    let value = format!("{country}{:02}{account}", 98 - rest);
    if r.chance(50) { grouped(&value, &[4, 4, 4, 4, 4, 4, 4, 4], " ") } else { value }
}

pub fn iban(r: &mut Random) -> String {
    let country = r.word("DE DE GB NL AT CH DK LU FR ES IT PT BE PL IE");
    iban_of(r, &country)
}

pub fn bic(r: &mut Random) -> String {
    r.word("DEUTDEFF DEUTDEFF500 COBADEFFXXX BNPAFRPP SOGEFRPPXXX INGBNL2A RABONL2U ABNANL2A BSCHESMM BBVAESMMXXX UNCRITMM BCITITMMXXX CGDIPTPL BCOMPTPL PKOPPLPW BREXPLPWXXX BARCGB22 NWBKGB2L MIDLGB22 CHASUS33 CITIUS33XXX BOFAUS3N WFBIUS6S UBSWCHZH80A CRESCHZZ GENODEF1M04 HYVEDEMM MARKDEF1100")
}

/// No such country, or too short.
pub fn bic_bad(r: &mut Random) -> String {
    r.word("DEUTXXFF COBAQQ22 BNPAZZPP INGBN2A BSCHEMM CHASU33 UNCRIXM2A BARC1B22 RABOXY2U")
}

pub fn us_aba_rtn(r: &mut Random) -> String {
    let body =
        r.word("01 02 03 04 05 06 07 08 09 10 11 12 21 22 26 27 28 29 30 31 32") + &r.digits(6);
    let sum = weighted(&body, &[3, 7, 1, 3, 7, 1, 3, 7]);
    format!("{body}{}", (10 - sum % 10) % 10)
}

pub fn us_bank_account(r: &mut Random) -> String {
    let count = r.between(8, 12);
    r.number(count)
}

pub fn uk_sort_account(r: &mut Random) -> String {
    let sort = r.word("20 30 40 60 77 09 11 23") + &r.digits(4);
    let account = r.number(8);
    match r.below(3) {
        0 => format!("{} {account}", grouped(&sort, &[2, 2, 2], "-")),
        1 => format!("{} / {account}", grouped(&sort, &[2, 2, 2], "-")),
        _ => format!("{} {account}", grouped(&sort, &[2, 2, 2], " ")),
    }
}

pub fn uk_sort_account_bad(r: &mut Random) -> String {
    format!("{} {}", grouped(&r.digits(5), &[2, 2, 2], "-"), r.number(5))
}

pub fn ca_transit(r: &mut Random) -> String {
    format!("{}-{}", r.number(5), r.word("001 002 003 004 006 010 016"))
}

pub fn au_bsb(r: &mut Random) -> String {
    r.word("06 01 08 03 73 76 48") + &r.digits(1) + "-" + &r.digits(3)
}

pub fn in_ifsc(r: &mut Random) -> String {
    r.word("SBIN0 HDFC0 ICIC0 PUNB0 UTIB0 KKBK0") + &r.digits(6)
}

/// The fifth character is a zero.
pub fn in_ifsc_bad(r: &mut Random) -> String {
    r.word("SBIN HDFC ICIC PUNB") + &r.of("1234", 1) + &r.digits(6)
}

pub fn mx_clabe(r: &mut Random) -> String {
    let body = r.word("002 012 014 021 044 072 058 127") + &r.digits(14);
    let sum: u32 = values(&body)
        .iter()
        .zip([3, 7, 1].into_iter().cycle())
        .map(|(digit, weight)| digit * weight % 10)
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

pub fn ar_cbu(r: &mut Random) -> String {
    let bank = r.word("007 011 014 017 072 285 191") + &r.digits(4);
    let first = (10 - weighted(&bank, &[7, 1, 3, 9, 7, 1, 3]) % 10) % 10;
    let account = r.digits(13);
    let second = (10 - weighted(&account, &[3, 9, 7, 1, 3, 9, 7, 1, 3, 9, 7, 1, 3]) % 10) % 10;
    format!("{bank}{first}{account}{second}")
}

pub fn isin(r: &mut Random) -> String {
    let country = r.word("US DE GB FR NL IT ES CH PL PT IE LU");
    let body = if r.chance(50) {
        format!("{country}000{}", r.of("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ", 6))
    } else {
        format!("{country}{}", r.digits(9))
    };
    format!("{body}{}", luhn(&expanded(&body)))
}

pub fn cusip(r: &mut Random) -> String {
    let body = r.digits(3) + &r.of("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ", 3) + "10";
    let sum: u32 = body
        .chars()
        .enumerate()
        .map(|(at, c)| c.to_digit(36).unwrap_or(0) * (1 + at as u32 % 2))
        .map(|product| product / 10 + product % 10)
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

pub fn sedol(r: &mut Random) -> String {
    // Digits alone before 2004, a letter first since.
    let body = if r.chance(40) {
        r.digits(6)
    } else {
        r.of("BCDFGHJKLMNPQRSTVWXYZ", 1) + &r.of("0123456789BCDFGHJKLMNPQRSTVWXYZ", 5)
    };
    let sum: u32 = body
        .chars()
        .zip([1, 3, 1, 7, 3, 9])
        .map(|(c, weight)| c.to_digit(36).unwrap_or(0) * weight)
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

pub fn lei(r: &mut Random) -> String {
    let body = r.word("5299 5493 2138 9695 3912 8156")
        + "00"
        + &r.of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", 12);
    format!("{body}{:02}", 98 - modulo(&(expanded(&body) + "00"), 97))
}

pub fn sepa_creditor_id(r: &mut Random) -> String {
    let (country, national) = match r.below(4) {
        0 => ("DE", format!("0{}", r.digits(10))),
        1 => ("FR", r.number(6)),
        2 => ("NL", r.digits(8) + "0000"),
        _ => ("AT", format!("000000{}", r.digits(5))),
    };
    let rest = modulo(&expanded(&format!("{national}{country}00")), 97);
    format!("{country}{:02}ZZZ{national}", 98 - rest)
}

const BASE58: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

fn base58(bytes: &[u8]) -> String {
    let mut digits: Vec<u32> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let alphabet: Vec<char> = BASE58.chars().collect();
    let body: String = digits.iter().rev().map(|digit| alphabet[*digit as usize]).collect();
    "1".repeat(zeros) + &body
}

fn base58_check(payload: &[u8]) -> String {
    let sum = Sha256::digest(Sha256::digest(payload));
    base58(&[payload, &sum[..4]].concat())
}

fn polymod(values: &[u32]) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.iter().fold(1, |sum, value| {
        let top = sum >> 25;
        let sum = (sum & 0x01ff_ffff) << 5 ^ value;
        GENERATOR
            .iter()
            .enumerate()
            .fold(sum, |sum, (at, g)| if top >> at & 1 == 1 { sum ^ g } else { sum })
    })
}

/// Bech32 (BIP 173) or, with `constant` 0x2bc830a3, Bech32m (BIP 350).
pub fn bech32(prefix: &str, data: &[u32], constant: u32) -> String {
    let mut all: Vec<u32> = prefix.bytes().map(|b| u32::from(b) >> 5).collect();
    all.push(0);
    all.extend(prefix.bytes().map(|b| u32::from(b) & 31));
    all.extend(data);
    all.extend([0; 6]);
    let sum = polymod(&all) ^ constant;
    let check = (0..6).map(|at| sum >> (5 * (5 - at)) & 31);
    let alphabet: Vec<char> = "qpzry9x8gf2tvdw0s3jn54khce6mua7l".chars().collect();
    let body: String = data.iter().copied().chain(check).map(|v| alphabet[v as usize]).collect();
    format!("{prefix}1{body}")
}

/// Bytes in groups of five bits, padded with zeros.
pub fn fives(bytes: &[u8]) -> Vec<u32> {
    let bits: Vec<u32> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| u32::from(byte >> at & 1)))
        .collect();
    bits.chunks(5)
        .map(|chunk| (0..5).fold(0, |value, at| value << 1 | chunk.get(at).copied().unwrap_or(0)))
        .collect()
}

pub fn btc_address(r: &mut Random) -> String {
    match r.below(4) {
        0 => base58_check(&[vec![0], r.bytes(20)].concat()),
        1 => base58_check(&[vec![5], r.bytes(20)].concat()),
        2 => bech32("bc", &[vec![0], fives(&r.bytes(20))].concat(), 1),
        _ => bech32("bc", &[vec![1], fives(&r.bytes(32))].concat(), 0x2bc8_30a3),
    }
}

/// One letter of the checksum changed.
pub fn btc_address_bad(r: &mut Random) -> String {
    let mut value = btc_address(r);
    let last = value.pop().unwrap_or('q');
    let other = if last == 'q' { 'p' } else { 'q' };
    value.push(if value.starts_with("bc1") {
        other
    } else if last == 'A' {
        'B'
    } else {
        'A'
    });
    value
}

fn keccak(state: &mut [u64; 25]) {
    const ROUNDS: [u64; 24] = [
        0x1,
        0x8082,
        0x8000_0000_0000_808a,
        0x8000_0000_8000_8000,
        0x808b,
        0x8000_0001,
        0x8000_0000_8000_8081,
        0x8000_0000_0000_8009,
        0x8a,
        0x88,
        0x8000_8009,
        0x8000_000a,
        0x8000_808b,
        0x8000_0000_0000_008b,
        0x8000_0000_0000_8089,
        0x8000_0000_0000_8003,
        0x8000_0000_0000_8002,
        0x8000_0000_0000_0080,
        0x800a,
        0x8000_0000_8000_000a,
        0x8000_0000_8000_8081,
        0x8000_0000_0000_8080,
        0x8000_0001,
        0x8000_0000_8000_8008,
    ];
    for constant in ROUNDS {
        let column: Vec<u64> =
            (0..5).map(|x| (0..5).fold(0, |sum, y| sum ^ state[x + 5 * y])).collect();
        for (at, lane) in state.iter_mut().enumerate() {
            *lane ^= column[(at + 4) % 5] ^ column[(at % 5 + 1) % 5].rotate_left(1);
        }
        let mut turned = [0_u64; 25];
        let (mut x, mut y, mut lane) = (1, 0, state[1]);
        turned[0] = state[0];
        for step in 0..24_u32 {
            let (nx, ny) = (y, (2 * x + 3 * y) % 5);
            turned[nx + 5 * ny] = lane.rotate_left((step + 1) * (step + 2) / 2 % 64);
            (x, y) = (nx, ny);
            lane = state[x + 5 * y];
        }
        for (at, lane) in state.iter_mut().enumerate() {
            let row = at / 5 * 5;
            *lane = turned[at] ^ (!turned[row + (at + 1) % 5] & turned[row + (at + 2) % 5]);
        }
        state[0] ^= constant;
    }
}

/// Keccak-256 of less than 136 bytes, with the padding from before FIPS 202.
fn keccak_256(text: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 136];
    block[..text.len()].copy_from_slice(text);
    block[text.len()] = 1;
    block[135] |= 0x80;
    let mut state = [0_u64; 25];
    for (lane, bytes) in state.iter_mut().zip(block.chunks(8)) {
        *lane = bytes.iter().rev().fold(0, |lane, byte| lane << 8 | u64::from(*byte));
    }
    keccak(&mut state);
    state[..4].iter().flat_map(|lane| lane.to_le_bytes()).collect()
}

fn eip55(hex: &str) -> String {
    let sum = keccak_256(hex.as_bytes());
    let cased = hex.chars().enumerate().map(|(at, c)| {
        let nibble = sum[at / 2] >> if at % 2 == 0 { 4 } else { 0 } & 15;
        if nibble >= 8 { c.to_ascii_uppercase() } else { c }
    });
    format!("0x{}", cased.collect::<String>())
}

/// With the capitals of EIP-55.
pub fn eth_address(r: &mut Random) -> String {
    eip55(&r.hex(40))
}

/// Capitals that are wrong: all letters turned round.
pub fn eth_address_bad(r: &mut Random) -> String {
    let right = eth_address(r);
    let turned = right[2..].chars().map(|c| {
        if c.is_ascii_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() }
    });
    format!("0x{}", turned.collect::<String>())
}

pub fn wif_xprv(r: &mut Random) -> String {
    if r.chance(60) {
        let payload = [vec![0x80], r.bytes(32), vec![1]].concat();
        base58_check(&payload)
    } else {
        let payload = [vec![0x04, 0x88, 0xad, 0xe4, 3], r.bytes(40), vec![0], r.bytes(32)].concat();
        base58_check(&payload)
    }
}

pub fn wif_xprv_bad(r: &mut Random) -> String {
    let mut value = wif_xprv(r);
    let last = value.pop();
    value.push(if last == Some('A') { 'B' } else { 'A' });
    value
}

/// Phrases made once from random entropy with another program.
pub fn bip39_mnemonic(r: &mut Random) -> String {
    let phrases: Vec<&str> = include_str!("../mnemonics.txt").lines().collect();
    (*r.pick(&phrases)).to_owned()
}

/// Twelve words of the list in an order whose checksum fails: words turned round until it must.
pub fn bip39_mnemonic_bad(r: &mut Random) -> String {
    let phrases: Vec<&str> = include_str!("../mnemonics-broken.txt").lines().collect();
    (*r.pick(&phrases)).to_owned()
}

pub fn mnpi(r: &mut Random, l: &Language) -> String {
    l.one_of(
        r,
        &[
            "This presentation contains material non-public information about the merger.",
            "Material Non-Public Information (MNPI): do not trade in shares of the issuer.",
            "INSIDER LIST - Project Falcon (takeover)",
            "Embargoed until the announcement of quarterly results.",
            "The memo holds material nonpublic information on earnings; trading window closed.",
        ],
        &[
            "MNPI - do not trade",
            "You were added to the insider list for the acquisition of a listed company.",
            "This memo contains material, non-public information about next year's earnings.",
            "Press release on results, under embargo until 7 a.m.",
        ],
    )
}

pub fn credit_report(r: &mut Random) -> String {
    let bureau = r.word("Experian Equifax TransUnion");
    format!(
        "Credit report - {bureau}\nName: {}\nFICO score: {}",
        r.text(&["Dana Fulton", "Ray Ortiz"]),
        r.between(480, 840)
    )
}

pub fn payroll(r: &mut Random) -> String {
    format!(
        "Employee: {}\nGross pay: {},{}.00\nNet pay: {},{}.00\nBonus: {}00.00",
        r.text(&["Dana Fulton", "Ray Ortiz", "Mia Chen"]),
        r.between(3, 9),
        r.digits(3),
        r.between(2, 6),
        r.digits(3),
        r.between(1, 9)
    )
}

/// Any one of the forms of an account number that belongs to no scheme.
pub fn plain_account(r: &mut Random) -> String {
    let value = r.number(10);
    forms(r, &value, &[3, 3, 4], &["", "-"])
}

#[cfg(test)]
mod tests {
    #[test]
    fn published_values_come_out() {
        assert_eq!(
            super::eip55("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"),
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        );
        assert_eq!(super::base58_check(&[0; 21]), "1111111111111111111114oLvT2");
    }
}
