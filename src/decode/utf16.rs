//! UTF-16 to UTF-8, in pieces, with offsets kept.

use std::collections::VecDeque;

/// UTF-8 of U+FFFD.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Decodes UTF-16 that arrives in pieces cut anywhere. View offsets and original offsets both
/// count from `start`, the original offset of the first byte behind the byte order mark, so that
/// the first view byte has view offset `start`.
///
/// The offset map is a list of runs of characters that take the same number of bytes on both
/// sides: one entry for a text in one script, at worst one (24 bytes) a character.
pub struct Utf16Decoder {
    big_endian: bool,
    /// Original offset behind the last character that was decoded.
    original: u64,
    /// View offset behind the last character that was decoded.
    view: u64,
    /// First byte of a code unit.
    half: Option<u8>,
    /// First half of a surrogate pair.
    high: Option<u16>,
    damaged: bool,
    runs: VecDeque<Run>,
}

/// Characters one after the other that take equally many bytes.
#[derive(Clone, Copy, Debug)]
struct Run {
    view: u64,
    original: u64,
    width: Width,
}

/// Bytes that a character takes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Width {
    view: u8,
    original: u8,
}

/// Half a character may be held, and is not shown.
impl std::fmt::Debug for Utf16Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Utf16Decoder")
            .field("original", &self.original)
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}

impl Utf16Decoder {
    /// A decoder whose first input byte is at `start` of the payload.
    pub fn new(big_endian: bool, start: u64) -> Utf16Decoder {
        Utf16Decoder {
            big_endian,
            original: start,
            view: start,
            half: None,
            high: None,
            damaged: false,
            runs: VecDeque::new(),
        }
    }

    /// Decodes the next bytes, appending UTF-8 to `out`. A lone surrogate becomes U+FFFD.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut bytes = bytes;
        if let (Some(half), Some((second, rest))) = (self.half, bytes.split_first()) {
            self.half = None;
            self.unit(self.unit_of([half, *second]), out);
            bytes = rest;
        }
        // Latin text is mostly ASCII: four units of it in one step.
        let (fours, _) = bytes.as_chunks::<8>();
        let beyond_ascii = if self.big_endian { 0xff80 } else { 0x80ff } * 0x0001_0001_0001_0001;
        let mut done = 0;
        for four in fours {
            done += four.len();
            if u64::from_be_bytes(*four) & beyond_ascii == 0 && self.high.is_none() {
                let [a0, a1, b0, b1, c0, c1, d0, d1] = *four;
                // One byte of each unit is zero.
                out.extend_from_slice(&[a0 | a1, b0 | b1, c0 | c1, d0 | d1]);
                self.map(4, Width { view: 1, original: 2 });
            } else {
                four.as_chunks::<2>().0.iter().for_each(|unit| self.unit(self.unit_of(*unit), out));
            }
        }
        let (units, half) = bytes.get(done..).unwrap_or_default().as_chunks::<2>();
        units.iter().for_each(|unit| self.unit(self.unit_of(*unit), out));
        self.half = self.half.or(half.first().copied());
    }

    /// Ends the input: half a code unit or a lone surrogate left over becomes U+FFFD.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.high.take().is_some() {
            self.damage(2, out);
        }
        if self.half.take().is_some() {
            self.damage(1, out);
        }
    }

    /// Whether a lone surrogate or half a code unit was seen.
    pub fn damaged(&self) -> bool {
        self.damaged
    }

    /// The original offset of the character that holds the view byte at `view_offset`, which must
    /// not lie below the last `forget_below`. An offset behind all output gives the offset behind
    /// the last character that was decoded; after `finish` that is the input's end.
    ///
    /// For the end of a span ask for the (exclusive) end itself: it is where the next character
    /// begins.
    pub fn original(&self, view_offset: u64) -> u64 {
        if view_offset >= self.view {
            return self.original;
        }
        let behind = self.runs.partition_point(|run| run.view <= view_offset);
        // What was forgotten lies at or before the oldest run.
        let Some(run) = self.runs.get(behind.saturating_sub(1)) else {
            return self.original;
        };
        let characters = view_offset.saturating_sub(run.view) / u64::from(run.width.view);
        run.original + characters * u64::from(run.width.original)
    }

    /// Drops what maps view offsets below this one: memory stays bounded by what is not forgotten.
    pub fn forget_below(&mut self, view_offset: u64) {
        let behind = self.runs.partition_point(|run| run.view <= view_offset);
        self.runs.drain(..behind.saturating_sub(1));
    }

    fn unit_of(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    fn unit(&mut self, unit: u16, out: &mut Vec<u8>) {
        if let Some(high) = self.high.take() {
            if let Some(Ok(pair)) = char::decode_utf16([high, unit]).next() {
                self.character(pair, 4, out);
                return;
            }
            self.damage(2, out);
        }
        match char::from_u32(u32::from(unit)) {
            Some(character) => self.character(character, 2, out),
            None if unit < 0xdc00 => self.high = Some(unit),
            None => self.damage(2, out),
        }
    }

    fn character(&mut self, character: char, original: u8, out: &mut Vec<u8>) {
        let mut buffer = [0; 4];
        let utf8 = character.encode_utf8(&mut buffer).as_bytes();
        out.extend_from_slice(utf8);
        // UTF-8 takes at most four bytes.
        self.map(1, Width { view: utf8.len() as u8, original });
    }

    fn damage(&mut self, original: u8, out: &mut Vec<u8>) {
        self.damaged = true;
        out.extend_from_slice(REPLACEMENT);
        self.map(1, Width { view: 3, original });
    }

    fn map(&mut self, characters: u64, width: Width) {
        if self.runs.back().is_none_or(|run| run.width != width) {
            self.runs.push_back(Run { view: self.view, original: self.original, width });
        }
        self.view += characters * u64::from(width.view);
        self.original += characters * u64::from(width.original);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The view, and for each of its bytes and for its end the original offset: character by
    /// character, with the standard library's decoder.
    fn naive(bytes: &[u8], big_endian: bool, start: u64) -> (Vec<u8>, Vec<u64>, bool) {
        let pairs = bytes.chunks_exact(2).map(|pair| {
            let pair = [pair[0], pair[1]];
            if big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
        });
        let (mut view, mut map, mut at, mut damaged) = (String::new(), Vec::new(), start, false);
        for decoded in char::decode_utf16(pairs) {
            damaged |= decoded.is_err();
            let units = decoded.as_ref().map_or(1, |c| c.len_utf16());
            let character = decoded.unwrap_or('\u{fffd}');
            view.push(character);
            map.extend(std::iter::repeat_n(at, character.len_utf8()));
            at += 2 * units as u64;
        }
        if bytes.len() % 2 == 1 {
            damaged = true;
            view.push('\u{fffd}');
            map.extend([at; 3]);
            at += 1;
        }
        map.push(at);
        (view.into_bytes(), map, damaged)
    }

    fn map_of(decoder: &Utf16Decoder, start: u64, length: usize) -> Vec<u64> {
        (start..=start + length as u64).map(|at| decoder.original(at)).collect()
    }

    fn units() -> impl Strategy<Value = Vec<u16>> {
        let unit = prop_oneof![
            6 => 0x20u16..0x7f,
            2 => 0x80u16..0x800,
            2 => 0x800u16..0xd800,
            2 => 0xd800u16..0xdc00,
            2 => 0xdc00u16..0xe000,
            1 => any::<u16>(),
        ];
        prop::collection::vec(unit, 0..80)
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_naive_view_and_map(
            units in units(), odd: bool, big: bool, start in 0u64..5,
            cuts in prop::collection::vec(0usize..170, 0..12),
        ) {
            let mut bytes: Vec<u8> = units
                .iter()
                .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect();
            bytes.extend(odd.then_some(0x41));
            let (view, map, damaged) = naive(&bytes, big, start);

            let mut ends: Vec<usize> = cuts.iter().map(|cut| *cut.min(&bytes.len())).collect();
            ends.push(bytes.len());
            ends.sort_unstable();
            let (mut decoder, mut out, mut from) = (Utf16Decoder::new(big, start), Vec::new(), 0);
            for end in ends {
                decoder.push(&bytes[from..end], &mut out);
                from = end;
                // What is decoded so far maps as it will at the end.
                prop_assert_eq!(&map_of(&decoder, start, out.len())[..], &map[..=out.len()]);
            }
            decoder.finish(&mut out);
            prop_assert_eq!(&out, &view);
            prop_assert_eq!(map_of(&decoder, start, out.len()), map.clone());
            prop_assert_eq!(decoder.damaged(), damaged);
            prop_assert_eq!(decoder.original(u64::MAX), start + bytes.len() as u64);

            for keep in 0..=out.len() {
                decoder.forget_below(start + keep as u64);
                let kept = (keep..=out.len()).map(|at| decoder.original(start + at as u64));
                prop_assert_eq!(kept.collect::<Vec<_>>(), &map[keep..]);
            }
            prop_assert!(decoder.runs.len() <= 1);
        }
    }

    #[test]
    fn one_script_takes_one_run() {
        let text = "plain words ".repeat(1000);
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let (mut decoder, mut out) = (Utf16Decoder::new(false, 2), Vec::new());
        decoder.push(&bytes, &mut out);
        assert_eq!(out, text.as_bytes());
        assert_eq!(decoder.runs.len(), 1);
        assert_eq!(decoder.original(2 + 500), 2 + 1000);
    }

    #[test]
    fn a_pair_that_is_cut_waits_for_its_second_half() {
        let (mut decoder, mut out) = (Utf16Decoder::new(true, 0), Vec::new());
        for byte in [0xd8, 0x3d, 0xde] {
            decoder.push(&[byte], &mut out);
            assert!(out.is_empty() && decoder.original(0) == 0);
        }
        decoder.push(&[0x00], &mut out);
        assert_eq!((out.as_slice(), decoder.original(4)), ("\u{1f600}".as_bytes(), 4));
        assert!(!decoder.damaged());
    }
}
