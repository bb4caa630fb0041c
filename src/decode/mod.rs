//! Payload bytes come in; readable views come out, every offset traceable to the original bytes.

mod sniff;
mod utf16;

pub use sniff::{Encoding, Format, SNIFF_BYTES, Structure, sniff};
pub use utf16::Utf16Decoder;
