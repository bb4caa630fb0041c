//! The keywords, and a hash table over a window of each.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::begins::{BEGIN_WORDS, Begins};
use super::companions::{COMPANION_REACH, Companions};
use super::pairs::Pairs;
use super::tile::{BUFFER, ROOM, Tile};
use super::{AnchorKind, pack};
use crate::rules::Texts;

/// Keywords in lower case, with the window of four bytes (three for the shortest) that stands for
/// each in kernels that compare fingerprints first.
#[derive(Debug)]
pub struct KeywordTable {
    keywords: Texts,
    windows: Vec<Window>,
    /// A hash table of [`Slot`]s.
    slots: Cow<'static, [[u8; 8]]>,
    /// Where windows may begin, for kernels that look at all places.
    begins: Begins,
    /// The keys of windows of four bytes, and of those of three.
    four: Filter,
    three: Filter,
    companions: Companions,
}

/// The tables of the filters. But for the first, of a key that bit is set whose number is the upper half of
/// its product with `FILTER_FACTOR`.
pub struct Filters<'a> {
    /// Where windows may begin: the words of [`Begins`].
    pub begins: &'a [u32; BEGIN_WORDS],
    /// Windows of four bytes.
    pub four: &'a [u64; FILTER_WORDS],
    /// Windows of three bytes.
    pub three: &'a [u64; FILTER_WORDS],
    /// By that number of a window, where its companion begins: the distance, and `reach` more; behind
    /// them, four bytes that say nothing.
    pub from: &'a [u8; FILTER_WORDS * 64 + 4],
    /// What is to be taken off such a distance.
    pub reach: u32,
    /// Windows together with what stands beside them.
    pub companions: &'a [u64; FILTER_WORDS],
}

/// The part of a keyword that a kernel looks for.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Where it begins in the keyword.
    pub offset: u8,
    /// Its bytes, folded; for a keyword of three bytes the last is 0 and counts for nothing.
    pub bytes: [u8; 4],
    /// 3 or 4.
    pub len: u8,
}

impl Window {
    fn to_bytes(self) -> [u8; 6] {
        let [a, b, c, d] = self.bytes;
        [self.offset, self.len, a, b, c, d]
    }

    fn from_bytes([offset, len, a, b, c, d]: [u8; 6]) -> Window {
        Window { offset, bytes: [a, b, c, d], len }
    }
}

/// An entry of the hash table; `keyword` is a position plus one, 0 where the slot is empty.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: u32,
    keyword: u16,
    /// A byte of the keyword, folded, and how far it stands from the window's first one: many keywords
    /// share a window, and one look tells most of them from what stands there.
    far: u8,
    distance: i8,
}

impl Slot {
    /// That of a keyword with its window.
    fn new(position: usize, keyword: &[u8], window: &Window) -> Slot {
        let offset = usize::from(window.offset);
        let last = keyword.len().saturating_sub(1);
        let ends_with_window = last < offset + usize::from(window.len);
        let at = if ends_with_window { 0 } else { last };
        let distance = i8::try_from(at as isize - offset as isize).ok();
        let (at, distance) = distance.map_or((offset, 0), |distance| (at, distance));
        Slot {
            key: key_of(window),
            keyword: u16::try_from(position + 1).unwrap_or(0),
            far: fold(keyword.get(at).copied().unwrap_or(0)),
            distance,
        }
    }

    fn to_bytes(self) -> [u8; 8] {
        let [a, b, c, d] = self.key.to_le_bytes();
        let [e, f] = self.keyword.to_le_bytes();
        [a, b, c, d, e, f, self.far, self.distance.cast_unsigned()]
    }

    #[inline]
    fn from_bytes([a, b, c, d, e, f, far, distance]: [u8; 8]) -> Slot {
        Slot {
            key: u32::from_le_bytes([a, b, c, d]),
            keyword: u16::from_le_bytes([e, f]),
            far,
            distance: distance.cast_signed(),
        }
    }

    /// Whether the keyword may stand where its window does.
    #[inline]
    fn may_stand(self, buffer: &[u8], at: usize) -> bool {
        let far = buffer.get(at.wrapping_add_signed(isize::from(self.distance)));
        far.is_some_and(|byte| fold(*byte) == self.far)
    }
}

/// A table as it stands in the program.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredTable<'a> {
    keywords: &'a [u8],
    ends: &'a [u8],
    /// Six bytes each.
    #[serde(borrow)]
    windows: Cow<'a, [u8]>,
    slots: &'a [u8],
    #[serde(borrow)]
    begins: Cow<'a, [u8]>,
    #[serde(borrow)]
    four: Cow<'a, [u8]>,
    #[serde(borrow)]
    three: Cow<'a, [u8]>,
    companions: &'a [u8],
    #[serde(borrow)]
    companions_held: Cow<'a, [u8]>,
}

impl KeywordTable {
    /// A table of these keywords.
    pub fn new(keywords: &[String], pairs: &Pairs) -> KeywordTable {
        let keywords: Texts = keywords.iter().map(|it| it.to_ascii_lowercase()).collect();
        let all: Vec<&[u8]> = keywords.iter().map(str::as_bytes).collect();
        let windows = choose_windows(&all, pairs);
        let (mut four, mut three) = (Filter::new(), Filter::new());
        let size = (keywords.len() * 4).next_power_of_two().max(64);
        let mut slots = vec![Slot::default(); size];
        for (position, window) in windows.iter().enumerate() {
            let slot = Slot::new(position, all[position], window);
            if window.len == 3 { &mut three } else { &mut four }.add(slot.key);
            let mut at = hash(slot.key, size);
            while slots[at].keyword != 0 {
                at = (at + 1) & (size - 1);
            }
            slots[at] = slot;
        }
        let companions = Companions::new(&all, &windows, pairs);
        let slots = slots.into_iter().map(Slot::to_bytes).collect();
        let begins = Begins::new(all.iter().copied().zip(windows.iter().copied()));
        KeywordTable { keywords, windows, slots, begins, four, three, companions }
    }

    /// The table as [`KeywordTable::stored`] takes it.
    pub fn pack(&self) -> StoredTable<'_> {
        let (keywords, ends) = self.keywords.pack();
        let (companions, companions_held) = self.companions.pack();
        let windows = self.windows.iter().flat_map(|window| window.to_bytes()).collect();
        StoredTable {
            keywords,
            ends,
            windows: Cow::Owned(windows),
            slots: self.slots.as_flattened(),
            begins: Cow::Owned(self.begins.to_bytes()),
            four: Cow::Owned(self.four.to_bytes()),
            three: Cow::Owned(self.three.to_bytes()),
            companions,
            companions_held: Cow::Owned(companions_held),
        }
    }

    /// A table that was packed into the program; none where that is no such thing.
    pub fn stored(stored: &StoredTable<'static>) -> Option<KeywordTable> {
        let keywords = Texts::stored(stored.keywords, stored.ends)?;
        let (slots, []) = stored.slots.as_chunks() else { return None };
        let (windows, []) = stored.windows.as_chunks() else { return None };
        if windows.len() != keywords.len() || !slots.len().is_power_of_two() {
            return None;
        }
        Some(KeywordTable {
            keywords,
            windows: windows.iter().map(|bytes| Window::from_bytes(*bytes)).collect(),
            begins: Begins::from_bytes(&stored.begins)?,
            slots: Cow::Borrowed(slots),
            four: Filter::from_bytes(&stored.four)?,
            three: Filter::from_bytes(&stored.three)?,
            companions: Companions::stored(stored.companions, &stored.companions_held)?,
        })
    }

    /// The keywords by position.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.keywords.iter().map(str::as_bytes)
    }

    /// The keyword at a position.
    #[cfg(feature = "hyperscan")]
    pub fn get(&self, position: usize) -> Option<&[u8]> {
        self.keywords.bytes(position)
    }

    /// Number of keywords.
    pub fn len(&self) -> usize {
        self.keywords.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keywords.is_empty()
    }

    /// The different windows, in order.
    pub fn windows(&self) -> Vec<Window> {
        let mut windows = self.windows.clone();
        windows.sort_unstable_by_key(|window| (window.len, window.bytes));
        windows.dedup_by_key(|window| (window.len, window.bytes));
        windows
    }

    /// What a kernel asks by itself in place of the sift for every CPU.
    pub fn filters(&self) -> Filters<'_> {
        let (from, companions) = self.companions.tables();
        let (four, three) = (&*self.four.0, &*self.three.0);
        let (begins, reach) = (self.begins.words(), COMPANION_REACH as u32);
        Filters { begins, four, three, from, reach, companions }
    }

    /// Appends the keywords that begin in the tile and whose window is at one of the first `count`
    /// places of the buffer in `room`.
    pub fn confirm(&self, tile: &Tile, room: &[u16; ROOM], count: usize, found: &mut Vec<u64>) {
        let buffer = tile.buffer();
        let origin = Tile::ORIGIN;
        for at in &room[..count.min(ROOM)] {
            let at = usize::from(*at);
            let mut add = |start: usize, keyword: usize| {
                if let Some(start) = start.checked_sub(origin)
                    && start < tile.len()
                {
                    found.push(pack(start, AnchorKind::keyword(keyword)));
                }
            };
            let key = load(buffer, at) | FOLDED;
            if self.four.may_hold(key) {
                self.probe(key, buffer, at, &mut add);
            }
            if self.three.may_hold(three_of(key)) {
                self.probe(three_of(key), buffer, at, &mut add);
            }
        }
    }

    /// Writes the places from the tile's start on at which a window may begin, and says how many. There
    /// is room for all.
    #[inline(always)]
    fn begun(&self, tile: &Tile, room: &mut [u16; ROOM]) -> usize {
        let end = (Tile::ORIGIN + tile.reached() * 64).min(BUFFER - 8);
        let mut count = 0;
        for at in (Tile::ORIGIN..end).step_by(4) {
            let Some(bytes) = tile.buffer()[at..].first_chunk() else { break };
            let Some(free) = room[count..].first_chunk_mut::<4>() else { break };
            let eight = u64::from_le_bytes(*bytes);
            // Without a branch: where windows begin is hard to foresee.
            let mut found = 0;
            for place in [0, 2] {
                let begins = self.begins.at((eight >> (place * 8)) as u32);
                free[found & 3] = (at + place) as u16;
                found += (begins >> 31) as usize;
                free[found & 3] = (at + place) as u16 + 1;
                found += (begins >> 30 & 1) as usize;
            }
            count += found;
        }
        count
    }

    /// Writes the places from the tile's start on at which a window may be, and says how many. There is
    /// room for all.
    #[inline(always)]
    pub fn candidates(&self, tile: &Tile, room: &mut [u16; ROOM]) -> usize {
        let count = self.begun(tile, room);
        self.sift(tile, room, count)
    }

    /// Keeps of the first `count` places those that the filters let through, and says how many.
    #[inline(always)]
    pub fn sift(&self, tile: &Tile, room: &mut [u16; ROOM], count: usize) -> usize {
        let buffer = tile.buffer();
        // Without a branch on what is found: most candidates end here, but none knows which.
        let mut left = 0;
        for place in 0..count.min(ROOM) {
            let at = usize::from(room[place]);
            let key = load(buffer, at) | FOLDED;
            room[left] = at as u16;
            left += usize::from(self.four.may_hold(key) | self.three.may_hold(three_of(key)));
        }
        let windows = left;
        left = 0;
        for place in 0..windows {
            let at = usize::from(room[place]);
            let key = load(buffer, at) | FOLDED;
            room[left] = at as u16;
            let may_stand = self.companions.may_stand(key, buffer, at);
            left += usize::from(may_stand | self.three.may_hold(three_of(key)));
        }
        left
    }

    #[inline(never)]
    fn probe(&self, key: u32, buffer: &[u8], at: usize, found: &mut impl FnMut(usize, usize)) {
        let mask = self.slots.len() - 1;
        let mut slot = hash(key, self.slots.len());
        loop {
            let entry = Slot::from_bytes(self.slots[slot]);
            let Some(position) = usize::from(entry.keyword).checked_sub(1) else { return };
            if entry.key == key
                && entry.may_stand(buffer, at)
                && let Some(bytes) = self.keywords.bytes(position)
                && let Some(start) = at.checked_sub(usize::from(self.windows[position].offset))
                && let Some(text) = buffer.get(start..start + bytes.len())
                && is_same(text, bytes)
            {
                found(start, position);
            }
            slot = (slot + 1) & mask;
        }
    }
}

/// Whether a text is a keyword, in any case.
#[inline]
fn is_same(text: &[u8], keyword: &[u8]) -> bool {
    let ends = |bytes: &[u8]| Some((*bytes.first_chunk::<4>()?, *bytes.last_chunk::<4>()?));
    if text.len() != keyword.len() {
        return false;
    }
    if let (Some(last), Some(wanted)) = (text.last_chunk::<8>(), keyword.last_chunk::<8>()) {
        let (parts, _) = text.as_chunks::<8>();
        let (wanted_parts, _) = keyword.as_chunks::<8>();
        let is_part = |(part, wanted): (&[u8; 8], &[u8; 8])| in_lower_case(*part) == *wanted;
        is_part((last, wanted)) && parts.iter().zip(wanted_parts).all(is_part)
    } else if let (Some((first, last)), Some((wanted_first, wanted_last))) =
        (ends(text), ends(keyword))
    {
        let both = |[a, b, c, d]: [u8; 4], [e, f, g, h]: [u8; 4]| [a, b, c, d, e, f, g, h];
        in_lower_case(both(first, last)) == both(wanted_first, wanted_last)
    } else {
        text.eq_ignore_ascii_case(keyword)
    }
}

/// Eight bytes with the capital letters of ASCII made small.
#[inline]
fn in_lower_case(bytes: [u8; 8]) -> [u8; 8] {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let bytes = u64::from_le_bytes(bytes);
    // The highest bit of each byte tells whether it is at least something; no sum goes over.
    let from = |first: u8| (bytes & (EACH * 0x7f)) + EACH * u64::from(0x80 - first);
    let is_capital = from(b'A') & !from(b'Z' + 1) & !bytes & (EACH * 0x80);
    (bytes | is_capital >> 2).to_le_bytes()
}

/// Four bytes of a buffer.
#[inline]
pub fn load(buffer: &[u8; BUFFER], at: usize) -> u32 {
    u32::from_le_bytes([buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]])
}

/// Letters of both cases, and a few other pairs, become one byte; a full comparison follows.
pub fn fold(byte: u8) -> u8 {
    byte | 0x20
}

/// The bits that [`fold`] sets, in four bytes.
pub const FOLDED: u32 = 0x2020_2020;

/// The key of a window. Those of four bytes use all bits; those of three have the last byte free
/// for their length.
fn key_of(window: &Window) -> u32 {
    let key = u32::from_le_bytes(window.bytes);
    if window.len == 3 { three_of(key) } else { key }
}

/// The key of the three bytes that a window of four begins with.
fn three_of(key: u32) -> u32 {
    key & THREE_BYTES | THREE_MARK
}

/// The bytes of a key that are those of a window of three.
pub const THREE_BYTES: u32 = 0x00ff_ffff;

/// What marks a key as that of a window of three.
pub const THREE_MARK: u32 = 1 << 24;

/// One bit for each hash of a key, so that a table that does not hold it is seldom searched.
#[derive(Debug)]
pub struct Filter(pub Box<[u64; FILTER_WORDS]>);

/// Words of a filter: 65,536 bits.
pub const FILTER_WORDS: usize = 1 << 10;

/// What a key is multiplied by for its bit, which is the upper half of the product.
pub const FILTER_FACTOR: u32 = 0x85eb_ca6b;

impl Filter {
    pub fn new() -> Filter {
        Filter(Box::new([0; FILTER_WORDS]))
    }

    /// Eight bytes a word, the lowest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// None where that is not so many words.
    pub fn from_bytes(bytes: &[u8]) -> Option<Filter> {
        let (words, []) = bytes.as_chunks() else { return None };
        let words: Box<[u64]> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        words.try_into().ok().map(Filter)
    }

    pub fn bit(key: u32) -> usize {
        (key.wrapping_mul(FILTER_FACTOR) >> 16) as usize
    }

    pub fn add(&mut self, key: u32) {
        self.0[Filter::bit(key) / 64] |= 1 << (Filter::bit(key) % 64);
    }

    #[inline]
    pub fn may_hold(&self, key: u32) -> bool {
        let bit = Filter::bit(key);
        self.0[bit / 64] >> (bit % 64) & 1 == 1
    }
}

fn hash(key: u32, size: usize) -> usize {
    (key.wrapping_mul(0x9e37_79b1) >> 12) as usize & (size - 1)
}

/// A window is rare enough to be shared if text holds it at no more of its places than this: one in
/// four million bytes.
const RARE: f32 = 2.5e-7;

/// The window of each keyword: of those that ordinary text hardly holds the one that most keywords
/// share, so that there are few different ones to look for; else its rarest.
fn choose_windows(keywords: &[&[u8]], pairs: &Pairs) -> Vec<Window> {
    let all: Vec<Vec<(Window, f32)>> =
        keywords.iter().map(|keyword| windows_of(keyword, pairs)).collect();
    let rarest = |windows: &[(Window, f32)]| {
        windows.iter().map(|(_, share)| *share).fold(f32::INFINITY, f32::min)
    };
    let mut keywords_of: HashMap<[u8; 4], usize> = HashMap::new();
    for windows in &all {
        let limit = rarest(windows).max(RARE);
        let mut seen: Vec<[u8; 4]> = Vec::new();
        for (window, _) in windows.iter().filter(|(_, share)| *share <= limit) {
            if !seen.contains(&window.bytes) {
                seen.push(window.bytes);
                *keywords_of.entry(window.bytes).or_default() += 1;
            }
        }
    }
    let choose = |windows: &Vec<(Window, f32)>| {
        let limit = rarest(windows).max(RARE);
        let mut best: Option<(usize, f32, Window)> = None;
        for (window, share) in windows.iter().filter(|(_, share)| *share <= limit) {
            let shared = keywords_of.get(&window.bytes).copied().unwrap_or(0);
            if best.is_none_or(|(most, least, _)| shared > most || shared == most && *share < least)
            {
                best = Some((shared, *share, *window));
            }
        }
        best.map_or(Window { offset: 0, bytes: [0; 4], len: 3 }, |(_, _, window)| window)
    };
    all.iter().map(choose).collect()
}

/// The windows of a keyword, each with the share of text that holds it.
fn windows_of(keyword: &[u8], pairs: &Pairs) -> Vec<(Window, f32)> {
    let len = keyword.len().min(4);
    let windows = keyword.windows(len.max(1)).enumerate();
    windows
        .map(|(offset, window)| {
            let mut bytes = [0; 4];
            for (to, from) in bytes.iter_mut().zip(window) {
                *to = fold(*from);
            }
            (Window { offset: offset as u8, bytes, len: len as u8 }, pairs.text(window))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_keyword_is_told_in_any_case_by_all_of_its_bytes(
            keyword in prop::collection::vec(any::<u8>(), 0..34),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            upper: bool,
        ) {
            let keyword = keyword.to_ascii_lowercase();
            let mut text = if upper { keyword.to_ascii_uppercase() } else { keyword.clone() };
            prop_assert!(is_same(&text, &keyword));
            for (index, byte) in changes.into_iter().filter(|_| !keyword.is_empty()) {
                text[index.index(keyword.len())] = byte;
                prop_assert_eq!(is_same(&text, &keyword), text.eq_ignore_ascii_case(&keyword));
            }
            text.push(b'x');
            prop_assert!(!is_same(&text, &keyword));
        }
    }

    #[test]
    fn each_byte_is_made_small_at_each_place() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                let mut bytes = [b'Z', 0, 0xff, b'[', b'@', b'z', 0x80, b'A'];
                bytes[at] = byte;
                assert_eq!(in_lower_case(bytes).to_vec(), bytes.to_ascii_lowercase());
            }
        }
    }
}
