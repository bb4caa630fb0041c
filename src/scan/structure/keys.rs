//! Keys of JSON objects, each kept once and referred to by number.

use std::sync::Arc;

use super::{MAX_NAME, name_of};

/// Bytes kept of a key as it is written, where every character may take six (`\u0041`).
const MAX_RAW: usize = 6 * MAX_NAME + 12;

/// Keys that are remembered, and the longest of them as it is written.
const SLOTS: usize = 128;
const MAX_KNOWN: usize = 64;

/// A key: its position among the names, or none.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Key(u32);

impl Key {
    /// No key.
    pub(super) const NONE: Key = Key(u32::MAX);

    fn position(self) -> usize {
        self.0 as usize
    }
}

/// The keys that marks refer to, the last few that were met (records repeat theirs), and the one
/// that is being read.
#[derive(Clone, Default)]
pub(super) struct Keys {
    names: Vec<Arc<str>>,
    slots: Vec<Option<Known>>,
    /// What was read of the current key, as it is written.
    raw: Vec<u8>,
    cut: bool,
}

/// A key as it is written, and what it says.
#[derive(Clone)]
struct Known {
    raw: Arc<[u8]>,
    key: Key,
}

impl Keys {
    pub(super) fn begin(&mut self) {
        self.raw.clear();
        self.cut = false;
    }

    /// Whether nothing was read of the current key.
    pub(super) fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    pub(super) fn read(&mut self, bytes: &[u8]) {
        let room = MAX_RAW.saturating_sub(self.raw.len());
        self.cut |= bytes.len() > room;
        self.raw.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// Ends the current key: what was read of it, or `whole` where nothing was.
    pub(super) fn end(&mut self, whole: &[u8]) -> Key {
        let (raw, cut) = match self.raw.as_slice() {
            [] => (whole, false),
            raw => (raw, self.cut),
        };
        self.slots.resize_with(SLOTS, || None);
        let slot = slot_of(raw);
        let spare = slot ^ 1;
        for slot in [slot, spare] {
            if let Some(Some(known)) = self.slots.get(slot)
                && *known.raw == *raw
            {
                return known.key;
            }
        }
        let key = u32::try_from(self.names.len()).map_or(Key::NONE, Key);
        self.names.push(unescape(raw, cut).into());
        if raw.len() <= MAX_KNOWN {
            self.slots.swap(slot, spare);
            if let Some(slot) = self.slots.get_mut(slot) {
                *slot = Some(Known { raw: raw.into(), key });
            }
        }
        key
    }

    pub(super) fn name(&self, key: Key) -> Option<Arc<str>> {
        self.names.get(key.position()).cloned()
    }

    /// Whether more than half of the names cannot be referred to by `live` marks.
    pub(super) fn is_crowded(&self, live: usize) -> bool {
        self.names.len() > 2 * (live + SLOTS)
    }

    /// Keeps the names of these keys, giving them new numbers, and drops the others.
    pub(super) fn keep<'a>(&mut self, live: impl Iterator<Item = &'a mut Key>) {
        let Keys { names, slots, .. } = self;
        let old = std::mem::take(names);
        let mut moved = vec![Key::NONE; old.len()];
        let mut renumber = |key: &mut Key| {
            let position = key.position();
            if let (Some(name), Some(new)) = (old.get(position), moved.get_mut(position)) {
                if *new == Key::NONE {
                    *new = u32::try_from(names.len()).map_or(Key::NONE, Key);
                    names.push(name.clone());
                }
                *key = *new;
            }
        };
        live.for_each(&mut renumber);
        slots.iter_mut().flatten().for_each(|known| renumber(&mut known.key));
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.names.len()
    }
}

/// Where a key is remembered: a multiplicative hash of its length and its first and last bytes.
/// Of the keys that share a slot and its neighbour the last two are.
fn slot_of(raw: &[u8]) -> usize {
    let ends = match (raw.first_chunk::<8>(), raw.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(23)
        }
        _ => raw.iter().fold(0, |ends, byte| ends << 8 | u64::from(*byte)),
    };
    let mixed = (ends ^ (raw.len() as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 57) as usize % SLOTS
}

/// A key with its escapes resolved (RFC 8259, section 7). Behind a backslash what is no escape
/// stands for itself; half a surrogate pair becomes U+FFFD.
fn unescape(raw: &[u8], cut: bool) -> String {
    let mut plain = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte != b'\\' {
            plain.push(*byte);
            continue;
        }
        let Some((escape, behind)) = behind.split_first() else {
            break;
        };
        rest = behind;
        match escape {
            b'u' => {
                let (character, behind) = unicode_escape(behind);
                plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = behind;
            }
            b'n' => plain.push(b'\n'),
            b't' => plain.push(b'\t'),
            b'r' => plain.push(b'\r'),
            b'b' => plain.push(8),
            b'f' => plain.push(12),
            other => plain.push(*other),
        }
    }
    name_of(&plain, cut)
}

/// The character that `\u` with `text` behind it stands for, and what follows.
fn unicode_escape(text: &[u8]) -> (char, &[u8]) {
    fn unit(text: &[u8]) -> Option<(u16, &[u8])> {
        let (digits, behind) = text.split_at_checked(4)?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
        Some((u16::from_str_radix(digits, 16).ok()?, behind))
    }
    let Some((first, behind)) = unit(text) else {
        return (char::REPLACEMENT_CHARACTER, text);
    };
    if let Some(character) = char::from_u32(u32::from(first)) {
        return (character, behind);
    }
    let pair = behind.strip_prefix(b"\\u").and_then(unit).and_then(|(second, behind)| {
        Some((char::decode_utf16([first, second]).next()?.ok()?, behind))
    });
    pair.unwrap_or((char::REPLACEMENT_CHARACTER, behind))
}
