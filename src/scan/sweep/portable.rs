//! The reference kernel: a table of byte classes.

use super::tile::{Maps, Tile};
use crate::rules::DIGIT_SEPARATORS;

const DIGIT: u8 = 1;
const NUMBER: u8 = 2;
const LETTER: u8 = 4;
const TOKEN: u8 = 8;
const AT: u8 = 16;
const COLON: u8 = 32;
const HEX: u8 = 64;
const HIGH: u8 = 128;

/// The classes of each byte value.
const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        let mut class = 0;
        if value.is_ascii_digit() {
            class |= DIGIT | NUMBER | TOKEN | HEX;
        }
        if value.is_ascii_alphabetic() {
            class |= LETTER | TOKEN;
        }
        if value.is_ascii_hexdigit() {
            class |= HEX;
        }
        if value >= 128 {
            class |= HIGH;
        }
        class |= match value {
            b'-' => TOKEN,
            b'@' => AT,
            b':' => COLON,
            _ => 0,
        };
        table[byte] = class;
        byte += 1;
    }
    let mut separator = 0;
    while separator < DIGIT_SEPARATORS.len() {
        table[DIGIT_SEPARATORS[separator] as usize] |= NUMBER;
        separator += 1;
    }
    table
}

/// Fills the bitmaps of a tile and its margins.
pub fn classify(tile: &Tile, maps: &mut Maps) {
    for (word, bytes) in tile.buffer().chunks_exact(64).take(tile.words() + 2).enumerate() {
        let mut planes = [0u64; 8];
        for (group, eight) in bytes.chunks_exact(8).enumerate() {
            let mut classes = [0; 8];
            for (class, byte) in classes.iter_mut().zip(eight) {
                *class = CLASSES[usize::from(*byte)];
            }
            let by_plane = transpose(u64::from_le_bytes(classes)).to_le_bytes();
            for (plane, bits) in planes.iter_mut().zip(by_plane) {
                *plane |= u64::from(bits) << (group * 8);
            }
        }
        [
            maps.digit[word],
            maps.number[word],
            maps.letter[word],
            maps.token[word],
            maps.at[word],
            maps.colon[word],
            maps.hex[word],
            maps.high[word],
        ] = planes;
    }
}

/// Eight bytes as a square of bits, transposed: bit i of byte j becomes bit j of byte i.
fn transpose(square: u64) -> u64 {
    let swap = |square: u64, distance: u32, mask: u64| {
        let change = (square ^ square >> distance) & mask;
        square ^ change ^ change << distance
    };
    let square = swap(square, 7, 0x00aa_00aa_00aa_00aa);
    let square = swap(square, 14, 0x0000_cccc_0000_cccc);
    swap(square, 28, 0x0000_0000_f0f0_f0f0)
}
