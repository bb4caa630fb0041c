//! What stands beside the window of a keyword.
//!
//! Some windows of four bytes are common text (`pres` of `prescription`, `trai` of `traitement`).
//! For each window, four more bytes at a fixed distance are known, and a place of the text where
//! others stand is no keyword's. The answer takes no branch; "no" is certain, "maybe" is not.

use super::keywords::{FILTER_FACTOR, FILTER_WORDS, FOLDED, Filter, Window, fold, load};
use super::pairs::Pairs;
use super::tile::BUFFER;

/// How far from its window a companion may begin, in bytes, on either side.
pub const COMPANION_REACH: usize = 8;

/// By hash of a window, where the companion is; and which companions there are.
#[derive(Debug)]
pub struct Companions {
    /// The distance, and [`COMPANION_REACH`] more.
    from: Box<[u8; FILTER_WORDS * 64 + 4]>,
    held: Filter,
}

impl Companions {
    /// The companions of the windows of these keywords, so far as they are of four bytes.
    pub fn new(keywords: &[&[u8]], windows: &[Window], pairs: &Pairs) -> Companions {
        let mut from = Box::new([COMPANION_REACH as u8; FILTER_WORDS * 64 + 4]);
        let mut held = Filter::new();
        let mut of_hash: Vec<(usize, u32, usize)> = Vec::new();
        for (position, window) in windows.iter().enumerate().filter(|(_, it)| it.len == 4) {
            let key = u32::from_le_bytes(window.bytes);
            of_hash.push((Filter::bit(key), key, position));
        }
        of_hash.sort_unstable();
        for same in of_hash.chunk_by(|one, other| one.0 == other.0) {
            let all: Vec<(&[u8], usize)> = same
                .iter()
                .map(|(_, _, at)| (keywords[*at], usize::from(windows[*at].offset)))
                .collect();
            let distance = choose(&all, pairs);
            for ((hash, key, _), (keyword, offset)) in same.iter().zip(&all) {
                from[*hash] = distance as u8;
                held.add(mix(*key, companion(keyword, *offset, distance)));
            }
        }
        Companions { from, held }
    }

    /// Where companions are, and which there are.
    pub fn tables(&self) -> (&[u8; FILTER_WORDS * 64 + 4], &[u64; FILTER_WORDS]) {
        (&self.from, &self.held.0)
    }

    /// What [`Companions::stored`] takes.
    pub fn pack(&self) -> (&[u8], Vec<u8>) {
        (&*self.from, self.held.to_bytes())
    }

    /// Companions that were packed; none where these are not such bytes.
    pub fn stored(from: &[u8], held: &[u8]) -> Option<Companions> {
        let from = Box::<[u8]>::from(from).try_into().ok()?;
        Some(Companions { from, held: Filter::from_bytes(held)? })
    }

    /// Whether the companion of this window may stand beside a place of the buffer.
    #[inline]
    pub fn may_stand(&self, key: u32, buffer: &[u8; BUFFER], at: usize) -> bool {
        let at = at + usize::from(self.from[Filter::bit(key)]) - COMPANION_REACH;
        self.held.may_hold(mix(key, load(buffer, at) | FOLDED))
    }
}

/// The distance, and [`COMPANION_REACH`] more, that lies inside all of these keywords (with the offset of the
/// window of each) and tells most: as many bytes that are not in the window as can be, and of those
/// the rarest.
fn choose(keywords: &[(&[u8], usize)], pairs: &Pairs) -> usize {
    let before = keywords.iter().map(|(_, offset)| *offset).min().unwrap_or(0);
    let behind = keywords.iter().map(|(keyword, offset)| keyword.len() - offset - 4).min();
    let range = COMPANION_REACH - before.min(COMPANION_REACH)
        ..=COMPANION_REACH + behind.unwrap_or(0).min(COMPANION_REACH);
    let fresh = |distance: usize| distance.abs_diff(COMPANION_REACH).min(4);
    let share = |distance: usize| -> f32 {
        let of = |(keyword, offset): &(&[u8], usize)| {
            pairs.text(&companion(keyword, *offset, distance).to_le_bytes())
        };
        keywords.iter().map(of).sum()
    };
    // What tells most is looked for first, so that shares are worked out of those distances alone.
    let Some(most) = range.clone().map(fresh).max() else { return COMPANION_REACH };
    let freshest = range.filter(|distance| fresh(*distance) == most);
    let with_share = freshest.map(|distance| (share(distance), distance));
    let best = with_share.min_by(|one, other| one.0.total_cmp(&other.0).then(other.1.cmp(&one.1)));
    best.map_or(COMPANION_REACH, |(_, distance)| distance)
}

/// The four bytes of a keyword so far from its window.
fn companion(keyword: &[u8], offset: usize, distance: usize) -> u32 {
    let at = offset + distance - COMPANION_REACH;
    u32::from_le_bytes([keyword[at], keyword[at + 1], keyword[at + 2], keyword[at + 3]].map(fold))
}

/// A window and its companion in one key.
fn mix(key: u32, companion: u32) -> u32 {
    key.wrapping_mul(FILTER_FACTOR).rotate_left(15) ^ companion
}
