//! The keywords, and a hash table over a window of each.

/// Keywords in lower case, with the window of four bytes (three for the shortest) that stands for
/// each in kernels that compare fingerprints first.
#[derive(Debug)]
pub struct KeywordTable {
    keywords: Vec<Box<[u8]>>,
    windows: Vec<Window>,
    slots: Vec<Slot>,
    /// One bit for each hash of a key, so that a table that does not hold it is seldom searched.
    filter: Box<[u64; FILTER_BITS / 64]>,
    has_short: bool,
}

const FILTER_BITS: usize = 1 << 15;

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

/// An entry of the hash table; `keyword` is a position plus one, 0 where the slot is empty.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: u32,
    keyword: u16,
}

impl KeywordTable {
    /// A table of these keywords.
    pub fn new(keywords: Vec<String>) -> KeywordTable {
        let keywords: Vec<Box<[u8]>> = keywords
            .into_iter()
            .map(|keyword| keyword.to_ascii_lowercase().into_bytes().into_boxed_slice())
            .collect();
        let windows: Vec<Window> = keywords.iter().map(|keyword| rarest_window(keyword)).collect();
        let mut filter = Box::new([0; FILTER_BITS / 64]);
        let size = (keywords.len() * 4).next_power_of_two().max(64);
        let mut slots = vec![Slot::default(); size];
        for (position, window) in windows.iter().enumerate() {
            let key = key_of(window.bytes, window.len);
            filter[filter_bit(key) / 64] |= 1 << (filter_bit(key) % 64);
            let mut at = hash(key, size);
            while slots[at].keyword != 0 {
                at = (at + 1) & (size - 1);
            }
            slots[at] = Slot { key, keyword: u16::try_from(position + 1).unwrap_or(0) };
        }
        let has_short = windows.iter().any(|window| window.len == 3);
        KeywordTable { keywords, windows, slots, filter, has_short }
    }

    /// The keywords by position.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.keywords.iter().map(|keyword| &**keyword)
    }

    /// The keyword at a position.
    #[cfg(feature = "hyperscan")]
    pub fn get(&self, position: usize) -> Option<&[u8]> {
        self.keywords.get(position).map(|keyword| &**keyword)
    }

    /// Number of keywords.
    pub fn len(&self) -> usize {
        self.keywords.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keywords.is_empty()
    }

    /// The windows by position.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// Calls `found` with the start and position of each keyword whose window is at `at` of
    /// `buffer`; both reach at least 32 bytes beyond `at`.
    #[inline]
    pub fn at_window(&self, buffer: &[u8], at: usize, mut found: impl FnMut(usize, usize)) {
        let [a, b, c, d] = [buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]].map(fold);
        let key = key_of([a, b, c, d], 4);
        if self.may_hold(key) {
            self.probe(key, buffer, at, &mut found);
        }
        if self.has_short {
            let key = key_of([a, b, c, 0], 3);
            if self.may_hold(key) {
                self.probe(key, buffer, at, &mut found);
            }
        }
    }

    /// Whether the key may be in the table: most candidates end here.
    #[inline]
    fn may_hold(&self, key: u32) -> bool {
        let bit = filter_bit(key);
        self.filter[bit / 64] >> (bit % 64) & 1 == 1
    }

    #[inline(never)]
    fn probe(&self, key: u32, buffer: &[u8], at: usize, found: &mut impl FnMut(usize, usize)) {
        let mask = self.slots.len() - 1;
        let mut slot = hash(key, self.slots.len());
        loop {
            let Slot { key: stored, keyword } = self.slots[slot];
            let Some(position) = usize::from(keyword).checked_sub(1) else { return };
            if stored == key {
                let bytes = &self.keywords[position];
                if let Some(start) = at.checked_sub(usize::from(self.windows[position].offset))
                    && let Some(text) = buffer.get(start..start + bytes.len())
                    && text.eq_ignore_ascii_case(bytes)
                {
                    found(start, position);
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Calls `found` with the position of each keyword that `text` begins with.
    pub fn compare_all(&self, text: &[u8], mut found: impl FnMut(usize)) {
        for (position, keyword) in self.keywords.iter().enumerate() {
            if text.get(..keyword.len()).is_some_and(|head| head.eq_ignore_ascii_case(keyword)) {
                found(position);
            }
        }
    }
}

/// Letters of both cases, and a few other pairs, become one byte; a full comparison follows.
pub fn fold(byte: u8) -> u8 {
    byte | 0x20
}

/// Windows of four bytes use all bits; those of three have the last byte free for their length.
fn key_of(bytes: [u8; 4], len: u8) -> u32 {
    let [a, b, c, d] = bytes;
    u32::from_le_bytes([a, b, c, if len == 3 { 1 } else { d }])
}

fn filter_bit(key: u32) -> usize {
    (key.wrapping_mul(0x85eb_ca6b) >> 17) as usize
}

fn hash(key: u32, size: usize) -> usize {
    (key.wrapping_mul(0x9e37_79b1) >> 12) as usize & (size - 1)
}

/// The window of a keyword that ordinary text holds least often, by how common its bytes are.
fn rarest_window(keyword: &[u8]) -> Window {
    let len = keyword.len().min(4);
    let mut best = (u32::MAX, 0);
    for (offset, window) in keyword.windows(len.max(1)).enumerate() {
        let common = window.iter().map(|byte| commonness(*byte)).sum();
        if common < best.0 {
            best = (common, offset);
        }
    }
    let mut bytes = [0; 4];
    for (to, from) in bytes.iter_mut().zip(keyword.iter().skip(best.1).take(len)) {
        *to = fold(*from);
    }
    Window { offset: best.1 as u8, bytes, len: len as u8 }
}

/// How common a byte is in English text, markup and code, on a logarithmic scale from 1 to 10.
fn commonness(byte: u8) -> u32 {
    match byte.to_ascii_lowercase() {
        b' ' | b'e' | b't' => 10,
        b'a' | b'i' | b'n' | b'o' | b'r' | b's' => 9,
        b'c' | b'd' | b'l' | b'p' | b'u' | b'm' | b'h' => 8,
        b'f' | b'g' | b'b' | b'y' | b'<' | b'>' | b'"' | b'/' | b'=' | b'.' | b'_' | b'-' => 7,
        b'w' | b'v' | b'k' | b'x' | b':' | b'0' | b'1' | b',' | b'(' | b')' => 5,
        b'2'..=b'9' | b'j' | b'q' | b'z' | b';' => 4,
        0x20..0x7f => 3,
        _ => 1,
    }
}
