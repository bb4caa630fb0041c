//! UTF-16 to UTF-8, in pieces, with offsets kept.

/// Decodes UTF-16 that arrives in pieces cut anywhere. View offsets and original offsets both
/// count from `start`, the original offset of the first byte behind the byte order mark, so that
/// the first view byte has view offset `start`.
#[derive(Debug)]
pub struct Utf16Decoder {}

impl Utf16Decoder {
    /// A decoder whose first input byte is at `start` of the payload.
    pub fn new(_big_endian: bool, _start: u64) -> Utf16Decoder {
        Utf16Decoder {}
    }

    /// Decodes the next bytes, appending UTF-8 to `out`. A lone surrogate becomes U+FFFD.
    pub fn push(&mut self, _bytes: &[u8], _out: &mut Vec<u8>) {}

    /// Ends the input: half a code unit or a lone surrogate left over becomes U+FFFD.
    pub fn finish(&mut self, _out: &mut Vec<u8>) {}

    /// Whether a lone surrogate or half a code unit was seen.
    pub fn damaged(&self) -> bool {
        false
    }

    /// The original offset of the character that holds the view byte at `view_offset`, which must
    /// not lie below the last `forget_below`. An offset behind all output gives the input's end.
    pub fn original(&self, view_offset: u64) -> u64 {
        view_offset
    }

    /// Drops what maps view offsets below this one: memory stays bounded by what is not forgotten.
    pub fn forget_below(&mut self, _view_offset: u64) {}
}
