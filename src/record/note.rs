//! Signed notes and checkpoints, in the formats of C2SP: `signed-note` and `tlog-checkpoint`, with
//! Ed25519 signatures. Text comes in from outside; everything is checked, and nothing is guessed.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::record::merkle::Hash;

/// Bytes that a signed note may have.
pub const MAX_NOTE: usize = 16 << 10;

/// Signatures that a note may have; more are refused, as the format asks.
const MAX_SIGNATURES: usize = 64;

/// Bytes that the name of a key, which is the origin of a log, may have.
pub const MAX_NAME: usize = 255;

/// The signature type of plain Ed25519.
const ED25519: u8 = 1;

/// Why a note, checkpoint or key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text is longer than [`MAX_NOTE`] or has more signatures than allowed.
    #[error("the note is too long")]
    TooLong,
    /// It is no signed note: text, an empty line, signature lines.
    #[error("not a signed note: text, an empty line, then lines with signatures")]
    NotANote,
    /// The text of the note is no checkpoint.
    #[error("not a checkpoint: a name, a size in decimal, a hash in base64, each on a line")]
    NotACheckpoint,
    /// A key line is no `name+id+key`, its id does not fit, or it is not Ed25519.
    #[error("not an Ed25519 key in the form `name+id+key`, or its id does not fit the key")]
    NotAKey,
    /// The name is empty, too long, or holds a space, `+` or a control character.
    #[error("a name is at most 255 bytes and holds no space, `+` or control character")]
    BadName,
    /// None of the signatures is by a key that is trusted.
    #[error("none of the signatures is by a key that was given")]
    UnknownKey,
    /// A signature that claims to be by a trusted key is not.
    #[error("a signature does not fit its text")]
    BadSignature,
}

/// Whether this can be the name of a key and the origin of a log.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// A public key with the name and id that signature lines carry.
#[derive(Clone, PartialEq, Eq)]
pub struct Vkey {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl Vkey {
    /// Reads `name+id+key`: the id in hex, the key in base64 behind its type.
    ///
    /// # Errors
    /// [`NoteError::NotAKey`] and [`NoteError::BadName`].
    pub fn parse(line: &str) -> Result<Vkey, NoteError> {
        let (name, rest) = line.split_once('+').ok_or(NoteError::NotAKey)?;
        let (id, key) = rest.split_once('+').ok_or(NoteError::NotAKey)?;
        let key = BASE64.decode(key.as_bytes()).map_err(|_| NoteError::NotAKey)?;
        let Some((&ED25519, key)) = key.split_first() else { return Err(NoteError::NotAKey) };
        let key = <&[u8; 32]>::try_from(key).map_err(|_| NoteError::NotAKey)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| NoteError::NotAKey)?;
        let vkey = Vkey::new(name, key)?;
        if id != vkey.id_hex() || key.is_weak() {
            return Err(NoteError::NotAKey);
        }
        Ok(vkey)
    }

    fn new(name: &str, key: VerifyingKey) -> Result<Vkey, NoteError> {
        if !is_name(name) {
            return Err(NoteError::BadName);
        }
        let digest = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', ED25519])
            .chain_update(key.as_bytes())
            .finalize();
        let id = digest.first_chunk().copied().unwrap_or_default();
        Ok(Vkey { name: name.to_owned(), id, key })
    }

    /// The name of the key: the origin of its log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id in hex, as file names and messages have it.
    pub fn id_hex(&self) -> String {
        HEXLOWER.encode(&self.id)
    }

    fn signed(&self, signature: &NoteSignature) -> bool {
        signature.name == self.name && signature.id == self.id
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], &self.key.as_bytes()[..]].concat();
        write!(f, "{}+{}+{}", self.name, self.id_hex(), BASE64.encode(&key))
    }
}

impl fmt::Debug for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vkey({self})")
    }
}

/// A signing key. Its bytes are wiped when it goes, and nothing shows them.
pub struct Signer {
    vkey: Vkey,
    secret: SigningKey,
}

impl Signer {
    /// The key with this seed.
    ///
    /// # Errors
    /// [`NoteError::BadName`].
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Signer, NoteError> {
        let secret = SigningKey::from_bytes(seed);
        Ok(Signer { vkey: Vkey::new(name, secret.verifying_key())?, secret })
    }

    /// Reads `PRIVATE+KEY+name+id+seed`, as the Go tools write it.
    ///
    /// # Errors
    /// As [`Vkey::parse`].
    pub fn parse(line: &str) -> Result<Signer, NoteError> {
        let rest = line.strip_prefix("PRIVATE+KEY+").ok_or(NoteError::NotAKey)?;
        let (name, rest) = rest.split_once('+').ok_or(NoteError::NotAKey)?;
        let (id, seed) = rest.split_once('+').ok_or(NoteError::NotAKey)?;
        let seed = BASE64.decode(seed.as_bytes()).map_err(|_| NoteError::NotAKey)?;
        let seed = Zeroizing::new(seed);
        let Some((&ED25519, seed)) = seed.split_first() else { return Err(NoteError::NotAKey) };
        let seed = <&[u8; 32]>::try_from(seed).map_err(|_| NoteError::NotAKey)?;
        let signer = Signer::from_seed(name, seed)?;
        if id == signer.vkey.id_hex() { Ok(signer) } else { Err(NoteError::NotAKey) }
    }

    /// The line that [`Signer::parse`] reads, without a line end.
    pub fn encode(&self) -> Zeroizing<String> {
        let mut key = Zeroizing::new([ED25519; 33]);
        for (to, from) in key.iter_mut().skip(1).zip(self.secret.as_bytes()) {
            *to = *from;
        }
        let key = Zeroizing::new(BASE64.encode(&key[..]));
        let Vkey { name, .. } = &self.vkey;
        Zeroizing::new(format!("PRIVATE+KEY+{name}+{}+{}", self.vkey.id_hex(), *key))
    }

    /// The public key.
    pub fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// The signature line over a text, with its line end.
    pub fn sign(&self, text: &str) -> String {
        let signature = self.secret.sign(text.as_bytes()).to_bytes();
        let signature = BASE64.encode(&[&self.vkey.id[..], &signature].concat());
        format!("\u{2014} {} {signature}\n", self.vkey.name)
    }
}

/// A signed note: a text and signatures over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// What is signed, with its last line end.
    pub text: &'a str,
    signatures: Vec<NoteSignature<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct NoteSignature<'a> {
    name: &'a str,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl<'a> Note<'a> {
    /// Takes a note apart; says nothing yet about its signatures.
    ///
    /// # Errors
    /// [`NoteError::TooLong`] and [`NoteError::NotANote`].
    pub fn parse(note: &'a [u8]) -> Result<Note<'a>, NoteError> {
        if note.len() > MAX_NOTE {
            return Err(NoteError::TooLong);
        }
        let note = std::str::from_utf8(note).map_err(|_| NoteError::NotANote)?;
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::NotANote);
        }
        // Signature lines have no empty line among them, so the last one ends the text.
        let end = note.rfind("\n\n").ok_or(NoteError::NotANote)?;
        let (text, behind) = (note.get(..=end), note.get(end + 2..));
        let (Some(text), Some(lines)) = (text, behind) else { return Err(NoteError::NotANote) };
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NotANote)?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::TooLong);
            }
            signatures.push(NoteSignature::parse(line).ok_or(NoteError::NotANote)?);
        }
        Ok(Note { text, signatures })
    }

    /// The keys among those given that signed the text. Signatures by others are passed over.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] where a signature by one of them does not fit,
    /// [`NoteError::UnknownKey`] where there is none by any.
    pub fn signers<'k>(&self, keys: &'k [Vkey]) -> Result<Vec<&'k Vkey>, NoteError> {
        let mut signers = Vec::new();
        for signature in &self.signatures {
            for key in keys.iter().filter(|key| key.signed(signature)) {
                let bytes = <&[u8; 64]>::try_from(&signature.bytes[..])
                    .map_err(|_| NoteError::BadSignature)?;
                key.key
                    .verify_strict(self.text.as_bytes(), &Signature::from_bytes(bytes))
                    .map_err(|_| NoteError::BadSignature)?;
                signers.push(key);
            }
        }
        if signers.is_empty() { Err(NoteError::UnknownKey) } else { Ok(signers) }
    }

    /// Whether one of the signature lines claims to be by this key.
    pub fn claims(&self, key: &Vkey) -> bool {
        self.signatures.iter().any(|signature| key.signed(signature))
    }
}

impl<'a> NoteSignature<'a> {
    fn parse(line: &'a str) -> Option<NoteSignature<'a>> {
        let (name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let decoded = BASE64.decode(encoded.as_bytes()).ok()?;
        let (id, bytes) = decoded.split_first_chunk::<4>()?;
        (is_name(name) && !bytes.is_empty()).then(|| NoteSignature {
            name,
            id: *id,
            bytes: bytes.to_vec(),
        })
    }
}

/// What a log says of itself at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// Its entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// Reads the text of a note. Lines behind the third are for others and passed over.
    ///
    /// # Errors
    /// [`NoteError::NotACheckpoint`].
    pub fn parse(text: &str) -> Result<Checkpoint, NoteError> {
        let lines = text.strip_suffix('\n').ok_or(NoteError::NotACheckpoint)?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::NotACheckpoint);
        };
        let is_decimal = size.bytes().all(|byte| byte.is_ascii_digit())
            && (size == "0" || !size.starts_with('0'));
        let size = size.parse().ok().filter(|_| is_decimal);
        let root = BASE64.decode(root.as_bytes()).ok().and_then(|root| Hash::try_from(root).ok());
        match (size, root) {
            (Some(size), Some(root))
                if !origin.is_empty() && lines.all(|line| !line.is_empty()) =>
            {
                Ok(Checkpoint { origin: origin.to_owned(), size, root })
            }
            _ => Err(NoteError::NotACheckpoint),
        }
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root))
    }

    /// The signed note.
    pub fn sign<'k>(&self, signers: impl IntoIterator<Item = &'k Signer>) -> String {
        let text = self.text();
        let lines: String = signers.into_iter().map(|signer| signer.sign(&text)).collect();
        format!("{text}\n{lines}")
    }

    /// The checkpoint in a note that one of the keys signed, of the log that they belong to.
    ///
    /// # Errors
    /// Every [`NoteError`].
    pub fn verified(note: &[u8], keys: &[Vkey]) -> Result<Checkpoint, NoteError> {
        let note = Note::parse(note)?;
        let signers = note.signers(keys)?;
        let checkpoint = Checkpoint::parse(note.text)?;
        if signers.iter().any(|key| key.name() == checkpoint.origin) {
            Ok(checkpoint)
        } else {
            Err(NoteError::UnknownKey)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::merkle::{empty_root, leaf_hash};

    fn signer(seed: u8) -> Signer {
        Signer::from_seed("example.com/log", &[seed; 32]).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "example.com/log".into(), size: 42, root: leaf_hash(b"x") }
    }

    /// The example of the signed-note page.
    #[test]
    fn a_published_note_is_verified() {
        let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let note = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\n\
                    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let vkey = Vkey::parse(key).unwrap();
        assert_eq!(vkey.to_string(), key);
        let parsed = Note::parse(note.as_bytes()).unwrap();
        assert_eq!(parsed.signers(std::slice::from_ref(&vkey)).unwrap(), [&vkey]);
        let other = note.replace("answer", "Answer");
        let parsed = Note::parse(other.as_bytes()).unwrap();
        assert_eq!(parsed.signers(std::slice::from_ref(&vkey)), Err(NoteError::BadSignature));
    }

    #[test]
    fn checkpoints_come_back_as_they_were_signed() {
        let (old, new) = (signer(1), signer(2));
        let note = checkpoint().sign([&old, &new]);
        for keys in [vec![old.vkey().clone()], vec![new.vkey().clone()]] {
            assert_eq!(Checkpoint::verified(note.as_bytes(), &keys), Ok(checkpoint()));
        }
        let keys = [signer(3).vkey().clone()];
        assert_eq!(Checkpoint::verified(note.as_bytes(), &keys), Err(NoteError::UnknownKey));
        let empty = Checkpoint { size: 0, root: empty_root(), ..checkpoint() };
        assert_eq!(Checkpoint::parse(&empty.text()), Ok(empty));
    }

    #[test]
    fn any_flipped_bit_is_seen() {
        let signer = signer(1);
        let keys = [signer.vkey().clone()];
        let note = checkpoint().sign([&signer]).into_bytes();
        for at in 0..note.len() * 8 {
            let mut other = note.clone();
            other[at / 8] ^= 1 << (at % 8);
            assert!(Checkpoint::verified(&other, &keys).is_err(), "bit {at}");
        }
        for cut in 0..note.len() {
            assert!(Checkpoint::verified(&note[..cut], &keys).is_err());
        }
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        let root = BASE64.encode(&empty_root());
        for text in [
            "a\n01\nROOT\n",
            "a\n+1\nROOT\n",
            "a\n-1\nROOT\n",
            "a\n18446744073709551616\nROOT\n",
            "a\n1\nROOT",
            "a\n1\nROO\n",
            "\n1\nROOT\n",
            "a\n1\n",
            "a\n\nROOT\n",
            "a\n1\nROOT\n\nextra\n",
        ] {
            let text = text.replace("ROOT", &root);
            assert_eq!(Checkpoint::parse(&text), Err(NoteError::NotACheckpoint), "{text:?}");
        }
        let extended = format!("a\n1\n{root}\nextension\n");
        assert_eq!(Checkpoint::parse(&extended).unwrap().size, 1);
    }

    #[test]
    fn keys_are_written_as_they_are_read() {
        let signer = signer(7);
        let again = Signer::parse(&signer.encode()).unwrap();
        assert_eq!(again.vkey(), signer.vkey());
        assert_eq!(Vkey::parse(&signer.vkey().to_string()).as_ref(), Ok(signer.vkey()));
        for wrong in ["", "a", "a+b", "a+00000000+AQ==", "PRIVATE+KEY+a+b+c"] {
            assert!(Vkey::parse(wrong).is_err() && Signer::parse(wrong).is_err());
        }
        assert!(Signer::from_seed("a b", &[0; 32]).is_err());
        assert!(Signer::from_seed("", &[0; 32]).is_err());
    }

    #[test]
    fn a_note_has_limits() {
        let line = signer(1).sign("a\n");
        let many = format!("a\n\n{}", line.repeat(MAX_SIGNATURES));
        assert!(Note::parse(many.as_bytes()).is_ok());
        assert_eq!(Note::parse(format!("{many}{line}").as_bytes()), Err(NoteError::TooLong));
        let long = format!("{}\n\n{line}", "a".repeat(MAX_NOTE));
        assert_eq!(Note::parse(long.as_bytes()), Err(NoteError::TooLong));
    }
}
