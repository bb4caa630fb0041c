//! Lists of terms as bytes, two each: rules hold many of them, and read one by one they would be most
//! of what start-up does.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

use crate::model::TermIndex;

pub(super) fn serialize<S: Serializer>(terms: &[TermIndex], to: S) -> Result<S::Ok, S::Error> {
    let bytes: Vec<u8> = terms.iter().flat_map(|term| term.0.to_le_bytes()).collect();
    to.serialize_bytes(&bytes)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<TermIndex>, D::Error> {
    from.deserialize_bytes(Terms)
}

struct Terms;

impl Visitor<'_> for Terms {
    type Value = Vec<TermIndex>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pairs of bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<TermIndex>, E> {
        let (pairs, []) = bytes.as_chunks::<2>() else {
            return Err(E::invalid_length(bytes.len(), &self));
        };
        Ok(pairs.iter().map(|pair| TermIndex(u16::from_le_bytes(*pair))).collect())
    }
}
