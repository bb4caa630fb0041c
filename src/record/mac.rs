//! Keyed MACs of payloads, claims and values, under the key of one epoch.
//!
//! HMAC-SHA-256 (RFC 2104, FIPS 198-1) with a name of what is hashed in front, so that a MAC of
//! one kind is never one of another. Without the key nothing is learned from a MAC, and once the
//! key of an epoch is destroyed none of its MACs can be tied to data any more.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Makes MACs under one key. `Debug` shows the epoch alone.
#[derive(Clone)]
pub struct Macs {
    epoch: u32,
    key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Macs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Macs").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Macs {
    /// MACs under the key of an epoch.
    pub fn new(epoch: u32, key: [u8; 32]) -> Macs {
        Macs { epoch, key: Zeroizing::new(key) }
    }

    /// The epoch of the key.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// MAC of a payload.
    pub fn payload(&self, payload: &[u8]) -> [u8; 32] {
        self.of(b"payload", &[payload])
    }

    /// The MAC of a payload that comes in pieces.
    pub fn begin_payload(&self) -> PayloadMac {
        let mac = Hmac::<Sha256>::new_from_slice(&*self.key).ok().map(|mut mac| {
            mac.update(b"payload\0");
            mac
        });
        PayloadMac { mac }
    }

    /// MAC of what a field of a flow header claims.
    pub fn claim(&self, field: &str, text: &str) -> [u8; 32] {
        self.of(b"claim", &[field.as_bytes(), b"\0", text.as_bytes()])
    }

    /// Key of the fingerprints of values.
    pub fn value_key(&self) -> [u8; 32] {
        self.of(b"value key", &[])
    }

    fn of(&self, kind: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        // HMAC takes a key of any length, so this cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*self.key) else { return [0; 32] };
        mac.update(kind);
        mac.update(&[0]);
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

/// The MAC of a payload so far.
#[derive(Clone)]
pub struct PayloadMac {
    // HMAC takes a key of any length, so it is always there.
    mac: Option<Hmac<Sha256>>,
}

impl PayloadMac {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        if let Some(mac) = &mut self.mac {
            mac.update(piece);
        }
    }

    /// What [`Macs::payload`] gives for all pieces in one.
    pub fn finish(self) -> [u8; 32] {
        self.mac.map_or([0; 32], |mac| mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_of_different_kinds_and_keys_differ() {
        let (macs, other) = (Macs::new(1, [1; 32]), Macs::new(2, [2; 32]));
        let all = [
            macs.payload(b"x"),
            macs.payload(b"y"),
            macs.claim("run", "x"),
            macs.claim("step", "x"),
            macs.value_key(),
            other.payload(b"x"),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|two| one != two));
        }
        assert_eq!(macs.payload(b"x"), Macs::new(1, [1; 32]).payload(b"x"));
        assert!(!format!("{macs:?}").contains("[1"));
    }

    #[test]
    fn pieces_give_the_mac_of_the_whole() {
        let macs = Macs::new(1, [1; 32]);
        for size in 1..12 {
            let mut pieces = macs.begin_payload();
            b"some payload".chunks(size).for_each(|piece| pieces.update(piece));
            assert_eq!(pieces.finish(), macs.payload(b"some payload"), "{size}");
        }
        assert_eq!(macs.begin_payload().finish(), macs.payload(b""));
    }

    /// RFC 4231 test case 2, with the name in front taken out: the key and data are those of the
    /// RFC where the kind and its separator are the first bytes of the data.
    #[test]
    fn it_is_hmac_sha_256() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").expect("any length");
        mac.update(b"what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let got = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
        assert_eq!(got, expected);
    }
}
