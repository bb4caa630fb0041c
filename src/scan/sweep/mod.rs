//! Text comes in, anchors come out: keywords and cheap byte shapes, in order of position.
//!
//! The text is taken in tiles of 4 KiB. A kernel turns a tile into bitmaps, one bit a byte and
//! class, and into keyword candidates; plain word arithmetic on the bitmaps, the same for every
//! kernel, finds the shapes. Promised: every anchor as `rules::Shape` and `rules::Anchors` define
//! them is found, whichever kernel runs; "no anchor" is certain, an anchor is only "maybe".

#![expect(
    clippy::indexing_slicing,
    reason = "a kernel: all indices are bounded by the tile's own arrays"
)]

mod avx2;
mod avx512;
mod begins;
mod buckets;
mod companions;
mod cpu;
mod first_words;
#[cfg(feature = "hyperscan")]
pub(super) mod hyperscan;
mod keywords;
mod letters;
mod lines;
mod pairs;
mod portable;
mod shapes;
mod threes;
mod tile;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use cpu::Cpu;
pub use first_words::{CLASSES, Firsts, HEAD, Places, Table, look_up, looks_up_ahead};
pub use keywords::KeywordTable;
use keywords::StoredTable;
pub use letters::{BLOCK, kinds};
pub use lines::{Counted, count};
use pairs::Pairs;
use shapes::Shapes;
pub use threes::{LOOKED_AT, threes};
use tile::{BUFFER, Maps, ROOM, TILE, Tile};

use crate::rules::Shape;

/// Bytes behind an anchor's first byte that the sweep may have to see to recognise it.
pub const LOOK_AHEAD: usize = 48;

/// Bytes before an anchor that the sweep may have to see to recognise it.
pub const LOOK_BEHIND: usize = 8;

/// An anchor: where, and what. Ordered by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anchor {
    /// Position of the first byte in the text.
    pub at: usize,
    /// What it is.
    pub kind: AnchorKind,
}

/// What an anchor is: one of the shapes, or a keyword by its number in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnchorKind(u16);

/// Number of shapes; keywords are numbered behind them.
const SHAPES: u16 = 7;

/// Number of shapes.
pub const SHAPE_KINDS: usize = SHAPES as usize;

impl AnchorKind {
    /// The kind of a shape.
    pub fn shape(shape: Shape) -> AnchorKind {
        AnchorKind(match shape {
            Shape::Digits => 0,
            Shape::At => 1,
            Shape::LettersDigits => 2,
            Shape::Token => 3,
            Shape::HexColon => 4,
            Shape::Letters => 5,
            Shape::Words => 6,
        })
    }

    /// The kind of the keyword at a position of its table.
    pub fn keyword(position: usize) -> AnchorKind {
        AnchorKind(u16::try_from(position).unwrap_or(u16::MAX - SHAPES).saturating_add(SHAPES))
    }

    /// The kind with this dense number.
    pub fn at_index(index: usize) -> AnchorKind {
        AnchorKind(u16::try_from(index).unwrap_or(u16::MAX))
    }

    /// A dense number below `SHAPES + keywords`, for tables by kind.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Number of kinds there are with this many keywords.
    pub fn count(keywords: usize) -> usize {
        usize::from(SHAPES) + keywords
    }
}

/// The code that reads the bytes. All kernels find the same anchors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Byte tables; runs anywhere and is the reference.
    Portable,
    /// 32 bytes at a time; needs a CPU with AVX2.
    Avx2,
    /// 64 bytes at a time; needs a CPU with AVX-512 F, BW, VBMI and VBMI2, and GFNI.
    Avx512,
    /// Keywords by the C library Hyperscan, the rest as on a CPU without it; needs SSSE3. Never
    /// chosen by itself.
    #[cfg(feature = "hyperscan")]
    Hyperscan,
}

impl Kernel {
    /// The fastest kernel that this CPU runs.
    pub fn best() -> Kernel {
        let fastest_first = [Kernel::Avx512, Kernel::Avx2];
        let runs = fastest_first.into_iter().find(|kernel| kernel.is_available());
        runs.unwrap_or(Kernel::Portable)
    }

    /// Whether this CPU runs it.
    pub fn is_available(self) -> bool {
        match self {
            Kernel::Portable => true,
            Kernel::Avx2 => Cpu::here().has_avx2,
            Kernel::Avx512 => Cpu::here().runs_avx512_kernel,
            #[cfg(feature = "hyperscan")]
            Kernel::Hyperscan => hyperscan::is_available(),
        }
    }

    /// Its name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Kernel::Portable => "portable",
            Kernel::Avx2 => "avx2",
            Kernel::Avx512 => "avx512",
            #[cfg(feature = "hyperscan")]
            Kernel::Hyperscan => "hyperscan",
        }
    }

    /// All kernels that this CPU runs, the reference first.
    pub fn available() -> impl Iterator<Item = Kernel> {
        let all = [
            Kernel::Portable,
            Kernel::Avx2,
            Kernel::Avx512,
            #[cfg(feature = "hyperscan")]
            Kernel::Hyperscan,
        ];
        all.into_iter().filter(|kernel| kernel.is_available())
    }
}

/// Finds anchors in text.
#[derive(Debug)]
pub struct Sweep {
    keywords: KeywordTable,
    /// None where the portable kernel runs.
    vectors: Option<Vectors>,
    #[cfg(feature = "hyperscan")]
    hyperscan: Option<hyperscan::Literals>,
}

/// A sweep as it stands in the program.
#[derive(Serialize, Deserialize)]
struct StoredSweep<'a> {
    #[serde(borrow)]
    keywords: StoredTable<'a>,
    #[serde(borrow)]
    avx512: Cow<'a, [u8]>,
}

/// Places that are sifted one by one: sixteen at a time cost as much for few as for all.
const FEW_PLACES: usize = 6;

/// A kernel with instructions that not every CPU has.
#[derive(Debug)]
enum Vectors {
    Avx2(avx2::Instructions),
    Avx512(avx512::Fingerprints),
}

impl Vectors {
    fn classify(&self, tile: &Tile, maps: &mut Maps) {
        match self {
            Vectors::Avx2(instructions) => instructions.classify(tile, maps),
            Vectors::Avx512(tables) => tables.classify(tile, maps),
        }
    }

    fn shapes(&self, maps: &Maps, words: usize, shapes: &mut Shapes) {
        match self {
            Vectors::Avx2(instructions) => instructions.shapes(maps, words, shapes),
            Vectors::Avx512(tables) => tables.shapes(maps, words, shapes),
        }
    }

    fn candidates(&self, tile: &Tile, keywords: &KeywordTable, room: &mut [u16; ROOM]) -> usize {
        match self {
            Vectors::Avx2(instructions) => instructions.candidates(tile, keywords, room),
            Vectors::Avx512(tables) => {
                let count = tables.candidates(tile, room);
                match count {
                    0..=FEW_PLACES => keywords.sift(tile, room, count),
                    _ => tables.sift(tile, keywords, room, count),
                }
            }
        }
    }
}

/// Room that a sweep works in; one for each thread or stream.
pub struct Scratch {
    buffer: Box<[u8; BUFFER]>,
    maps: Box<Maps>,
    shapes: Box<Shapes>,
    found: Vec<u64>,
    places: Box<[u16; ROOM]>,
    #[cfg(feature = "hyperscan")]
    hyperscan: hyperscan::Room,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch {
            buffer: Box::new([0; BUFFER]),
            maps: Box::default(),
            shapes: Box::default(),
            found: Vec::new(),
            places: Box::new([0; ROOM]),
            #[cfg(feature = "hyperscan")]
            hyperscan: hyperscan::Room::default(),
        }
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

impl Sweep {
    /// A sweep for these keywords (lower case, 3 to 32 bytes, each once) by this kernel. A kernel
    /// that the CPU lacks, or that cannot take the keywords, is replaced by the portable one;
    /// [`Sweep::kernel`] says so.
    pub fn new(keywords: &[String], kernel: Kernel) -> Sweep {
        let pairs = Pairs::read();
        let keywords = KeywordTable::new(keywords, &pairs);
        let vectors = |keywords: &KeywordTable, kernel| match kernel {
            Kernel::Avx2 => avx2::Instructions::new().map(Vectors::Avx2),
            Kernel::Avx512 => avx512::Fingerprints::new(keywords, &pairs).map(Vectors::Avx512),
            _ => None,
        };
        Sweep::of(keywords, kernel, vectors)
    }

    /// The same from the bytes that [`pack`](Sweep::pack) made of the keywords; none where these are
    /// not such bytes. It takes microseconds: all that is worked out stands in them.
    pub fn stored(bytes: &'static [u8], kernel: Kernel) -> Option<Sweep> {
        let stored: StoredSweep<'static> = postcard::from_bytes(bytes).ok()?;
        let keywords = KeywordTable::stored(&stored.keywords)?;
        let vectors = |_: &KeywordTable, kernel| match kernel {
            Kernel::Avx2 => avx2::Instructions::new().map(Vectors::Avx2),
            Kernel::Avx512 => avx512::Fingerprints::stored(&stored.avx512).map(Vectors::Avx512),
            _ => None,
        };
        Some(Sweep::of(keywords, kernel, vectors))
    }

    /// What [`Sweep::stored`] takes: the tables of all kernels but those that build upon a library.
    ///
    /// # Errors
    ///
    /// None that is known: all of it can be written.
    pub fn pack(keywords: &[String]) -> postcard::Result<Vec<u8>> {
        let pairs = Pairs::read();
        let keywords = KeywordTable::new(keywords, &pairs);
        postcard::to_stdvec(&StoredSweep {
            keywords: keywords.pack(),
            avx512: avx512::pack(&keywords, &pairs).into(),
        })
    }

    fn of(
        keywords: KeywordTable,
        kernel: Kernel,
        vectors: impl FnOnce(&KeywordTable, Kernel) -> Option<Vectors>,
    ) -> Sweep {
        #[cfg(feature = "hyperscan")]
        let hyperscan = match kernel {
            Kernel::Hyperscan => hyperscan::Literals::new(&keywords),
            _ => None,
        };
        #[cfg(feature = "hyperscan")]
        let kernel = if hyperscan.is_some() { Kernel::Avx2 } else { kernel };
        let vectors = vectors(&keywords, kernel);
        Sweep {
            keywords,
            vectors,
            #[cfg(feature = "hyperscan")]
            hyperscan,
        }
    }

    /// The kernel that runs.
    pub fn kernel(&self) -> Kernel {
        #[cfg(feature = "hyperscan")]
        if self.hyperscan.is_some() {
            return Kernel::Hyperscan;
        }
        match self.vectors {
            Some(Vectors::Avx512(_)) => Kernel::Avx512,
            Some(Vectors::Avx2(_)) => Kernel::Avx2,
            None => Kernel::Portable,
        }
    }

    /// The keywords.
    pub fn keywords(&self) -> &KeywordTable {
        &self.keywords
    }

    /// Appends the anchors that begin in `from..to` of `text`, in order, each once. The text must
    /// hold [`LOOK_BEHIND`] bytes before `from` unless the payload begins there, and
    /// [`LOOK_AHEAD`] bytes behind `to` unless the payload ends there.
    pub fn find(
        &self,
        text: &[u8],
        from: usize,
        to: usize,
        scratch: &mut Scratch,
        anchors: &mut Vec<Anchor>,
    ) {
        self.find_wanted(text, (from, to), scratch, anchors, |_| true);
    }

    /// The same, but of the shapes that bitmaps tell (all but long runs) only those that are wanted.
    pub fn find_wanted(
        &self,
        text: &[u8],
        (from, to): (usize, usize),
        scratch: &mut Scratch,
        anchors: &mut Vec<Anchor>,
        mut is_wanted: impl FnMut(Anchor) -> bool,
    ) {
        let to = to.min(text.len());
        let mut start = from;
        while start < to {
            let end = to.min(start + TILE);
            let keywords = self.find_in_tile(text, start, end, scratch);
            let anchor = |packed: u64| Anchor {
                at: start + (packed >> 16) as usize,
                kind: AnchorKind((packed & 0xffff) as u16),
            };
            let (keywords, shapes) = scratch.found.split_at_mut(keywords);
            // Without a branch: which ones are wanted is hard to foresee.
            let mut wanted = 0;
            for place in 0..shapes.len() {
                let shape = shapes[place];
                shapes[wanted] = shape;
                wanted += usize::from(is_wanted(anchor(shape)));
            }
            let mut shapes = shapes[..wanted].iter().peekable();
            anchors.reserve(keywords.len() + wanted);
            for keyword in keywords.iter() {
                while let Some(shape) = shapes.next_if(|shape| *shape < keyword) {
                    anchors.push(anchor(*shape));
                }
                anchors.push(anchor(*keyword));
            }
            anchors.extend(shapes.map(|shape| anchor(*shape)));
            start = end;
        }
    }

    /// Finds the keywords and long runs of a tile, which come first, and says how many they are; then
    /// the other shapes. Both parts are in order.
    fn find_in_tile(&self, text: &[u8], start: usize, end: usize, scratch: &mut Scratch) -> usize {
        let Scratch { buffer, maps, shapes, found, places, .. } = scratch;
        found.clear();
        let tile = &Tile::new(text, start, end, buffer);
        match &self.vectors {
            Some(vectors) => {
                vectors.classify(tile, maps);
                vectors.shapes(maps, tile.words(), shapes);
            }
            None => {
                portable::classify(tile, maps);
                shapes.look(maps, tile.words());
            }
        }
        #[cfg(feature = "hyperscan")]
        let done = self.hyperscan.as_ref().is_some_and(|literals| {
            let done = literals.keywords(tile, &self.keywords, &mut scratch.hyperscan, found);
            if !done {
                found.clear();
            }
            done
        });
        #[cfg(not(feature = "hyperscan"))]
        let done = false;
        if !done {
            let keywords = &self.keywords;
            let count = match &self.vectors {
                Some(vectors) => vectors.candidates(tile, keywords, places),
                None => keywords.candidates(tile, places),
            };
            keywords.confirm(tile, places, count, found);
        }
        shapes.emit_runs(tile, maps, found);
        found.sort_unstable();
        let first = found.len();
        shapes.emit(tile, found);
        first
    }
}

/// An anchor of a tile in one word, so that sorting words sorts by position, then kind.
fn pack(at: usize, kind: AnchorKind) -> u64 {
    (at as u64) << 16 | u64::from(kind.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::DIGIT_SEPARATORS;

    const KEYWORDS: [&str; 4] = ["eyj", "akia", "password", "-----begin"];

    /// The anchors by their definitions, byte by byte.
    fn naive(text: &[u8]) -> Vec<Anchor> {
        let byte = |at: usize| text.get(at).copied().unwrap_or(0);
        let before = |at: usize| at.checked_sub(1).map_or(0, byte);
        let is_number = |byte: u8| byte.is_ascii_digit() || DIGIT_SEPARATORS.contains(&byte);
        let mut anchors = Vec::new();
        for at in 0..text.len() {
            let here = byte(at);
            let mut add = |shape| anchors.push(Anchor { at, kind: AnchorKind::shape(shape) });
            if here.is_ascii_digit()
                && !before(at).is_ascii_digit()
                && (at..at + 6).all(|next| is_number(byte(next)))
            {
                add(Shape::Digits);
            }
            let next = byte(at + 1);
            if here == b'@' && (next.is_ascii_alphanumeric() || next >= 128) {
                add(Shape::At);
            }
            let starts = !before(at).is_ascii_alphanumeric();
            if starts
                && here.is_ascii_alphabetic()
                && next.is_ascii_alphabetic()
                && byte(at + 2).is_ascii_digit()
                && byte(at + 3).is_ascii_digit()
            {
                add(Shape::LettersDigits);
            }
            if starts
                && here.is_ascii_alphanumeric()
                && (at..at + 11)
                    .all(|next| byte(next).is_ascii_alphanumeric() || byte(next) == b'-')
                && (at..at + 11).any(|next| byte(next).is_ascii_digit())
            {
                add(Shape::Token);
            }
            if here == b':' && (next.is_ascii_hexdigit() || next == b':') {
                let digits = text[..at].iter().rev().take_while(|b| b.is_ascii_hexdigit()).count();
                let edge = (at - digits).checked_sub(1).map_or(0, byte);
                let near = |at: usize| (at + 1..=at + 5).filter(|at| byte(*at) == b':');
                let goes_on = next == b':' || near(at).any(|second| near(second).next().is_some());
                if digits <= 4 && !edge.is_ascii_alphanumeric() && edge != b':' && goes_on {
                    add(Shape::HexColon);
                }
            }
            let run = |length: usize, is: fn(&u8) -> bool| {
                text[at..].get(..length).is_some_and(|run| run.iter().all(is))
            };
            if !before(at).is_ascii_alphabetic() && run(48, u8::is_ascii_alphabetic) {
                add(Shape::Letters);
            }
            let breaks = |byte: u8| b" ./()".contains(&byte);
            let edge = before(at);
            let second = if at > 1 { byte(at - 2) } else { 0 };
            if here.is_ascii_lowercase()
                && run(47, |byte| byte.is_ascii_lowercase() || *byte == b' ')
                && !edge.is_ascii_alphanumeric()
                && !(breaks(edge) && (second.is_ascii_alphanumeric() || breaks(second)))
            {
                add(Shape::Words);
            }
            for (number, keyword) in KEYWORDS.iter().enumerate() {
                if text[at..]
                    .get(..keyword.len())
                    .is_some_and(|t| t.eq_ignore_ascii_case(keyword.as_bytes()))
                {
                    anchors.push(Anchor { at, kind: AnchorKind::keyword(number) });
                }
            }
        }
        anchors.sort_unstable();
        anchors
    }

    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let words: Vec<&[u8]> = vec![
            b"0",
            b"12",
            b"345678",
            b"-",
            b".",
            b" ",
            b"/",
            b"(",
            b")",
            b"@",
            b":",
            b"::",
            b"a",
            b"fe80",
            b"GB",
            b"z9",
            b"eyJ",
            b"abandon ability able about above absent",
            b"ACGTacgtACGTacgtACGTacgtACGT",
            b"AKIA",
            b"PassWord",
            b"-----BEGIN",
            b"\xc3\xa9",
            b"\n",
            b"_",
            b"DE89",
        ];
        let piece = prop_oneof![
            8 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
            1 => any::<u8>().prop_map(|byte| vec![byte]),
        ];
        proptest::collection::vec(piece, 0..600).prop_map(|pieces| pieces.concat())
    }

    #[test]
    fn groups_of_hexadecimal_digits_are_found_across_borders() {
        let groups: [(&[u8], Option<usize>); 8] = [
            (b"2001:0db8:85a3:0000", Some(4)),
            (b"a:b:c:d", Some(1)),
            (b"a:b:c", None),
            (b"a:1234:5678:9", Some(1)),
            (b"fe80::1", Some(4)),
            (b"a:12345:6:7", None),
            (b"a:1234:56789:", None),
            (b"12:34:56", None),
        ];
        let shape = AnchorKind::shape(Shape::HexColon);
        for kernel in Kernel::available() {
            let sweep = Sweep::new(&[], kernel);
            for (group, place) in groups {
                for pad in (0..130).chain(4020..4170) {
                    let text = [vec![b' '; pad].as_slice(), group, b" "].concat();
                    let (mut anchors, mut scratch) = (Vec::new(), Scratch::default());
                    sweep.find(&text, 0, text.len(), &mut scratch, &mut anchors);
                    let found = anchors.iter().find(|anchor| anchor.kind == shape);
                    assert_eq!(found.map(|anchor| anchor.at), place.map(|place| pad + place));
                }
            }
        }
    }

    /// Hundreds of keywords of 3 to 32 bytes, some made of others.
    fn many() -> impl Strategy<Value = Vec<String>> {
        let letters = "[a-d_:/ .é0-9-]{3,31}|[a-z]{3,8}|(pass|key|tok|sk_)[a-z_]{0,9}|[a-c]{3}";
        let words = proptest::collection::btree_set(letters, 1..400);
        words.prop_map(|words| words.into_iter().filter(|word| word.len() <= 32).collect())
    }

    fn keywords_naive(keywords: &[String], text: &[u8]) -> Vec<Anchor> {
        let mut anchors = Vec::new();
        for at in 0..text.len() {
            for (number, keyword) in keywords.iter().enumerate() {
                let head = text[at..].get(..keyword.len());
                if head.is_some_and(|head| head.eq_ignore_ascii_case(keyword.as_bytes())) {
                    anchors.push(Anchor { at, kind: AnchorKind::keyword(number) });
                }
            }
        }
        anchors
    }

    fn keywords_found(sweep: &Sweep, text: &[u8], cuts: &[usize]) -> Vec<Anchor> {
        let mut anchors = Vec::new();
        let (mut from, mut scratch) = (0, Scratch::default());
        for to in cuts.iter().copied().chain([text.len()]) {
            sweep.find(text, from, to, &mut scratch, &mut anchors);
            from = to;
        }
        anchors.retain(|anchor| anchor.kind.index() >= usize::from(SHAPES));
        anchors
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn every_kernel_finds_all_of_many_keywords(
            keywords in many(),
            pad in prop_oneof![0usize..200, 3900usize..4200],
            pieces in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), any::<bool>()), 1..60),
            cut in any::<proptest::sample::Index>(),
        ) {
            prop_assume!(!keywords.is_empty());
            let mut text = vec![b'x'; pad];
            for (index, byte, upper) in pieces {
                let word = index.get(&keywords);
                let word = if upper { word.to_ascii_uppercase() } else { word.clone() };
                // Cut off, changed, doubled, or whole.
                let part = word.len().min(usize::from(byte % 40) + 2);
                text.extend_from_slice(&word.as_bytes()[..part]);
                if byte > 150 {
                    text.push(byte);
                }
            }
            let expected = keywords_naive(&keywords, &text);
            for kernel in Kernel::available() {
                let sweep = Sweep::new(&keywords, kernel);
                prop_assert_eq!(&keywords_found(&sweep, &text, &[]), &expected, "{:?}", kernel);
                let cut = cut.index(text.len());
                prop_assert_eq!(&keywords_found(&sweep, &text, &[cut]), &expected, "{:?}", kernel);
            }
        }
    }

    /// Each keyword alone in a text, at every place of a block.
    #[test]
    fn no_kernel_loses_a_keyword_of_any_length() {
        let mut state = 7u32;
        let mut next = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let letters: Vec<char> = "abcdefghijklmnopqrstuvwxyz0123456789_-./: |".chars().collect();
        let mut keywords = std::collections::BTreeSet::new();
        while keywords.len() < 900 {
            let len = 3 + keywords.len() % 30;
            let word: String =
                (0..len).map(|_| letters[next(letters.len() as u32) as usize]).collect();
            keywords.insert(word);
        }
        let keywords: Vec<String> = keywords.into_iter().collect();
        for kernel in Kernel::available() {
            let sweep = Sweep::new(&keywords, kernel);
            for (number, keyword) in keywords.iter().enumerate() {
                let mut text = vec![0xff; 4040 + number % 64];
                text.extend_from_slice(keyword.to_ascii_uppercase().as_bytes());
                let at = text.len() - keyword.len();
                let found = keywords_found(&sweep, &text, &[]);
                let anchor = Anchor { at, kind: AnchorKind::keyword(number) };
                assert!(found.contains(&anchor), "{keyword:?} by {kernel:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_kernel_finds_what_the_definitions_say(
            pad in 0usize..5000,
            text in pieces(),
            // With so much text behind it a tile is read where it stands.
            behind in proptest::sample::select(vec![0usize, 4400]),
        ) {
            let mut padded = vec![b'x'; pad];
            padded.extend_from_slice(&text);
            padded.resize(padded.len() + behind, b'.');
            let expected = naive(&padded);
            for kernel in Kernel::available() {
                let sweep = Sweep::new(&KEYWORDS.map(String::from), kernel);
                let mut anchors = Vec::new();
                sweep.find(&padded, 0, padded.len(), &mut Scratch::default(), &mut anchors);
                prop_assert_eq!(&anchors, &expected, "{:?}", kernel);
            }
        }
    }
}
