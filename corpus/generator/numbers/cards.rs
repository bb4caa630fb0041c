//! Payment cards.

use super::super::random::Random;
use super::{grouped, luhn};

/// A card number without separators.
pub fn card(r: &mut Random) -> String {
    let (prefix, length) = match r.below(12) {
        0..4 => (format!("4{}", r.word("539 556 929 716 485 024 916 508 147")), 16),
        4..7 => (format!("5{}{}", r.of("12345", 1), r.digits(2)), 16),
        7 => (format!("{}", r.between(2221, 2720)), 16),
        8 => (format!("3{}", r.of("47", 1)), 15),
        9 => (format!("6011{}", r.digits(2)), 16),
        10 => (format!("{}", r.between(3528, 3589)), 16),
        _ => (format!("36{}", r.digits(2)), 14),
    };
    let body = format!("{prefix}{}", r.digits(length - 1 - prefix.len()));
    format!("{body}{}", luhn(&body))
}

pub fn pan(r: &mut Random) -> String {
    let value = card(r);
    let groups: &[usize] = match value.len() {
        16 => &[4, 4, 4, 4],
        15 => &[4, 6, 5],
        _ => &[4, 6, 4],
    };
    let separator = *r.pick(&[" ", "-", "", " ", ""]);
    grouped(&value, groups, separator)
}

/// First six or none and the last four, masked between.
pub fn pan_truncated(r: &mut Random) -> String {
    let value = card(r);
    let (first, last) = (&value[..6], &value[value.len() - 4..]);
    let mask = *r.pick(&["*", "X", "x", "*"]);
    let hidden = value.len() - 10;
    if value.len() == 16 && r.chance(50) {
        let separator = *r.pick(&[" ", "-"]);
        return format!(
            "{}{separator}{}{}{separator}{}{separator}{last}",
            &first[..4],
            &first[4..],
            mask.repeat(2),
            mask.repeat(4)
        );
    }
    format!("{first}{}{last}", mask.repeat(hidden))
}

pub fn cvv(r: &mut Random) -> String {
    let count = if r.chance(85) { 3 } else { 4 };
    r.number(count)
}

pub fn expiry(r: &mut Random) -> String {
    let (month, year) = (r.between(1, 12), r.between(26, 33));
    match r.below(4) {
        0 => format!("{month:02}/20{year}"),
        1 => format!("{month:02}-{year}"),
        _ => format!("{month:02}/{year}"),
    }
}

pub fn expiry_bad(r: &mut Random) -> String {
    format!("{:02}/{:02}", r.between(13, 99), r.between(26, 33))
}

fn service(r: &mut Random) -> String {
    format!(
        "{:02}{:02}{}{}",
        r.between(26, 33),
        r.between(1, 12),
        r.word("101 201 221 120"),
        r.digits(10)
    )
}

pub fn track1(r: &mut Random) -> String {
    let name = r.word("MILLER/JOHN GARCIA/ANA.MS SCHMIDT/KLAUS DUPONT/MARIE ROSSI/LUCA");
    format!("%B{}^{name}^{}?", card(r), service(r))
}

pub fn track1_bad(r: &mut Random) -> String {
    let value = card(r);
    let body = &value[..value.len() - 1];
    let wrong = (luhn(body) + r.between(1, 9) as u32) % 10;
    format!("%B{body}{wrong}^DOE/JANE^{}?", service(r))
}

pub fn track2(r: &mut Random) -> String {
    let value = card(r);
    if r.chance(75) {
        format!(";{value}={}?", service(r))
    } else {
        format!("{value}D{}F", service(r))
    }
}

pub fn track2_bad(r: &mut Random) -> String {
    let value = card(r);
    let body = &value[..value.len() - 1];
    let wrong = (luhn(body) + r.between(1, 9) as u32) % 10;
    format!(";{body}{wrong}={}?", service(r))
}

/// ISO 9564-1 format 0, 1 or 3 as its control nibble and length nibble say.
pub fn pin_block(r: &mut Random) -> String {
    let control = r.word("0 0 1 3");
    let value = format!("{control}{}{}", r.word("4 4 5 6"), r.hex(14));
    if r.chance(70) { value.to_uppercase() } else { value }
}

/// Not sixteen digits long.
pub fn pin_block_bad(r: &mut Random) -> String {
    let count = *r.pick(&[10, 11, 13, 20]);
    r.hex(count).to_uppercase()
}

/// BER-TLV of a card number, a track and an expiry date (EMV book 3, annex A).
pub fn emv_tlv(r: &mut Random) -> String {
    let value = loop {
        let value = card(r);
        if value.len() == 16 {
            break value;
        }
    };
    let expiry = format!("{:02}{:02}", r.between(26, 33), r.between(1, 12));
    // 34 digits: an even number needs no padding.
    let track = format!("{value}D{expiry}201{}", r.digits(10));
    format!(
        "5A08{value}5F2403{expiry}3157{:02X}{track}9F0206000000{}00",
        track.len() / 2,
        r.number(4)
    )
}

fn odd_parity(byte: u8) -> u8 {
    if byte.count_ones().is_multiple_of(2) { byte ^ 1 } else { byte }
}

/// A DES key of 16 or 24 bytes, each of odd parity.
pub fn key_material(r: &mut Random) -> String {
    let count = *r.pick(&[16, 16, 24]);
    r.bytes(count).into_iter().map(|byte| format!("{:02X}", odd_parity(byte))).collect()
}
