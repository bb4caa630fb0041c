//! Frames: how the journal holds its parts. Bytes come in, a checked frame or a fault comes out.
//!
//! ```text
//! "SL"  kind u8  0 u8  length u32-BE  hash [32]  content [length]
//! ```
//!
//! The hash of an entry is its RFC 6962 leaf hash, so that an entry is hashed once for both ends.
//! Other kinds hash under a prefix of their own. Every bit of a frame is checked: the first four
//! bytes have one meaning each, and a wrong length leads to a wrong hash.

use sha2::{Digest, Sha256};

use crate::record::merkle::{Hash, leaf_hash};

/// Bytes before the content.
pub const HEADER: usize = 40;

/// Bytes that an entry may have: what an entry bundle of tlog-tiles can hold.
pub const MAX_ENTRY: usize = 65_535;

/// Bytes that the content of another frame may have.
const MAX_OTHER: usize = 32 << 10;

/// The first bytes of every frame.
const MAGIC: [u8; 2] = *b"SL";

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An entry of the log.
    Entry,
    /// A tree edge with the signed checkpoint over it, which ends a commit.
    Checkpoint,
    /// The head of a segment.
    Segment,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Kind::Entry => 1,
            Kind::Checkpoint => 2,
            Kind::Segment => 3,
        }
    }

    fn from_byte(byte: u8) -> Option<Kind> {
        [Kind::Entry, Kind::Checkpoint, Kind::Segment].into_iter().find(|kind| kind.byte() == byte)
    }

    fn longest(self) -> usize {
        if self == Kind::Entry { MAX_ENTRY } else { MAX_OTHER }
    }

    /// The hash that a frame of this kind states of its content.
    pub fn hash(self, content: &[u8]) -> Hash {
        match self {
            Kind::Entry => leaf_hash(content),
            // Neither a leaf (0) nor a node (1).
            _ => {
                let prefix = Sha256::new().chain_update([2, self.byte()]);
                prefix.chain_update(content).finalize().into()
            }
        }
    }
}

/// A frame in a byte string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it holds.
    pub kind: Kind,
    /// Its content.
    pub content: &'a [u8],
    /// Its hash; of an entry the leaf hash.
    pub hash: Hash,
    /// The offset behind it.
    pub end: usize,
}

/// Why there is no frame at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The header is all zero, or nothing is left: nothing was written here.
    Blank,
    /// The bytes end within the frame.
    Short,
    /// It does not begin as a frame does, or its length cannot be.
    Header,
    /// The content does not have the hash that the header states; the frame would end here.
    Hash(usize),
}

/// Adds a frame to `out`; its hash.
pub fn write(kind: Kind, content: &[u8], out: &mut Vec<u8>) -> Hash {
    let hash = kind.hash(content);
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    out.reserve(HEADER + content.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[kind.byte(), 0]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&hash);
    out.extend_from_slice(content);
    hash
}

/// The frame at an offset.
///
/// # Errors
/// A [`Fault`] where there is none.
pub fn read(bytes: &[u8], at: usize) -> Result<Frame<'_>, Fault> {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some((header, behind)) = rest.split_first_chunk::<HEADER>() else {
        return Err(if rest.iter().all(|byte| *byte == 0) { Fault::Blank } else { Fault::Short });
    };
    let &[m0, m1, kind, zero, l0, l1, l2, l3, ref hash @ ..] = header;
    let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
    let kind = match Kind::from_byte(kind) {
        Some(kind) if [m0, m1] == MAGIC && zero == 0 && (1..=kind.longest()).contains(&length) => {
            kind
        }
        _ if header.iter().all(|byte| *byte == 0) => return Err(Fault::Blank),
        _ => return Err(Fault::Header),
    };
    let content = behind.get(..length).ok_or(Fault::Short)?;
    let end = at + HEADER + length;
    let computed = kind.hash(content);
    if computed == *hash {
        Ok(Frame { kind, content, hash: computed, end })
    } else {
        Err(Fault::Hash(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_one_behind_the_other() {
        let mut bytes = Vec::new();
        write(Kind::Entry, b"{\"a\":1}", &mut bytes);
        let second = bytes.len();
        write(Kind::Checkpoint, b"text", &mut bytes);
        let first = read(&bytes, 0).unwrap();
        assert_eq!(
            (first.kind, first.content, first.end),
            (Kind::Entry, &b"{\"a\":1}"[..], second)
        );
        assert_eq!(first.hash, leaf_hash(b"{\"a\":1}"));
        assert_eq!(read(&bytes, second).unwrap().content, b"text");
        assert_eq!(read(&bytes, bytes.len()), Err(Fault::Blank));
        assert_eq!(read(&bytes, bytes.len() + 9), Err(Fault::Blank));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_a_fault() {
        let mut bytes = Vec::new();
        write(Kind::Entry, b"{\"kind\":\"start\"}", &mut bytes);
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&other, 0).is_err(), "bit {bit}");
        }
        for cut in 1..bytes.len() {
            assert_eq!(read(&bytes[..cut], 0), Err(Fault::Short));
        }
    }

    #[test]
    fn a_kind_cannot_stand_in_for_another() {
        let mut bytes = Vec::new();
        write(Kind::Checkpoint, b"text", &mut bytes);
        bytes[2] = Kind::Segment.byte();
        assert!(matches!(read(&bytes, 0), Err(Fault::Hash(_))));
    }

    #[test]
    fn content_has_a_length_that_can_be() {
        for (kind, length, holds) in [
            (Kind::Entry, 0, false),
            (Kind::Entry, MAX_ENTRY, true),
            (Kind::Entry, MAX_ENTRY + 1, false),
            (Kind::Checkpoint, MAX_OTHER, true),
            (Kind::Segment, MAX_OTHER + 1, false),
        ] {
            let mut bytes = Vec::new();
            write(kind, &vec![b' '; length], &mut bytes);
            assert_eq!(read(&bytes, 0).is_ok(), holds, "{kind:?} {length}");
        }
    }
}
