//! Proofs that stand alone, in the format of C2SP `tlog-proof`: an index, the hashes from the leaf
//! to the root, and the signed checkpoint with that root.

use data_encoding::BASE64;

use crate::record::merkle::{Hash, includes, leaf_hash};
use crate::record::note::{Checkpoint, MAX_NOTE, NoteError, Vkey};

/// The first line.
const FORMAT: &str = "c2sp.org/tlog-proof@v1";

/// Hashes that a proof can have: as many as a tree has levels.
const MAX_HASHES: usize = 64;

/// Bytes that a proof may have.
pub const MAX_PROOF: usize = MAX_NOTE + 16 * 1024;

/// Why a proof does not prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The text is no proof.
    #[error("not a proof in the form of c2sp.org/tlog-proof@v1")]
    NotAProof,
    /// The checkpoint in it does not hold.
    #[error("the checkpoint in the proof does not hold: {0}")]
    Checkpoint(NoteError),
    /// The hashes do not lead from the entry to the root.
    #[error("the entry is not the one that the proof is about")]
    OtherEntry,
}

/// That one entry is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The sequence number of the entry.
    pub index: u64,
    /// Sibling hashes, from the leaf up.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint.
    pub note: String,
}

impl Proof {
    /// Reads the text of a proof; says nothing yet about what it proves.
    ///
    /// # Errors
    /// [`ProofError::NotAProof`].
    pub fn parse(text: &[u8]) -> Result<Proof, ProofError> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= MAX_PROOF);
        let text = text.ok_or(ProofError::NotAProof)?;
        let (head, note) = text.split_once("\n\n").ok_or(ProofError::NotAProof)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FORMAT) {
            return Err(ProofError::NotAProof);
        }
        // Extra data has a meaning for its application only.
        if let Some(extra) = lines.next_if(|line| line.starts_with("extra ")) {
            let data = extra.strip_prefix("extra ").unwrap_or_default();
            BASE64.decode(data.as_bytes()).map_err(|_| ProofError::NotAProof)?;
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.filter(|index| {
            index.bytes().all(|byte| byte.is_ascii_digit())
                && (*index == "0" || !index.starts_with('0'))
        });
        let index = index.and_then(|index| index.parse().ok()).ok_or(ProofError::NotAProof)?;
        let mut hashes = Vec::new();
        for line in lines {
            let hash = BASE64.decode(line.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
            hashes.push(hash.ok_or(ProofError::NotAProof)?);
            if hashes.len() > MAX_HASHES {
                return Err(ProofError::NotAProof);
            }
        }
        Ok(Proof { index, hashes, note: note.to_owned() })
    }

    /// The text of the proof.
    pub fn text(&self) -> String {
        let hashes: String = self.hashes.iter().map(|hash| BASE64.encode(hash) + "\n").collect();
        format!("{FORMAT}\nindex {}\n{hashes}\n{}", self.index, self.note)
    }

    /// Checks that the entry is in the log of one of these keys; the checkpoint that says so.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(&self, entry: &[u8], keys: &[Vkey]) -> Result<Checkpoint, ProofError> {
        let checkpoint =
            Checkpoint::verified(self.note.as_bytes(), keys).map_err(ProofError::Checkpoint)?;
        let leaf = leaf_hash(entry);
        if includes(&self.hashes, self.index, &leaf, checkpoint.size, &checkpoint.root) {
            Ok(checkpoint)
        } else {
            Err(ProofError::OtherEntry)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::merkle::{from_leaves, inclusion_proof, tree_root};
    use crate::record::note::Signer;

    fn proof() -> (Proof, Vec<Vkey>) {
        let signer = Signer::from_seed("example.com/log", &[1; 32]).unwrap();
        let leaves: Vec<Hash> = (0..11u8).map(|n| leaf_hash(&[n])).collect();
        let root = tree_root(11, &mut from_leaves(&leaves)).unwrap();
        let checkpoint = Checkpoint { origin: "example.com/log".into(), size: 11, root };
        let hashes = inclusion_proof(4, 11, &mut from_leaves(&leaves)).unwrap().unwrap();
        let note = checkpoint.sign([&signer]);
        (Proof { index: 4, hashes, note }, vec![signer.vkey().clone()])
    }

    #[test]
    fn a_proof_stands_alone() {
        let (proof, keys) = proof();
        let read = Proof::parse(proof.text().as_bytes()).unwrap();
        assert_eq!(read, proof);
        assert_eq!(read.verify(&[4], &keys).unwrap().size, 11);
        assert_eq!(read.verify(&[5], &keys), Err(ProofError::OtherEntry));
        let extra = proof.text().replace("@v1\n", "@v1\nextra YQ==\n");
        assert_eq!(Proof::parse(extra.as_bytes()), Ok(proof));
    }

    #[test]
    fn any_flipped_bit_is_seen() {
        let (proof, keys) = proof();
        let text = proof.text().into_bytes();
        for bit in 0..text.len() * 8 {
            let mut other = text.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let verified = Proof::parse(&other).and_then(|proof| proof.verify(&[4], &keys));
            assert!(verified.is_err(), "bit {bit}");
        }
    }
}
