//! The bytes of a vault: keys, head, entries, tokens.

use std::io;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Scope, VaultError};
use crate::record::state::Random;

const MAGIC: &[u8; 8] = b"SLVAULT1";

/// Bytes of the head before the sealed scope.
const HEAD: usize = 8 + 16 + 8 + 32 + 24 + 4;

/// Bytes of an entry before what is sealed.
const FIXED: usize = 4 + 8 + 4 + 16 + 16 + 24;

/// Letters of the random part of a token: consonants, so that no word comes out.
const LETTERS: &[u8; 19] = b"bcdfghjkmnpqrstvwxz";

/// How many of them: 84.9 bits.
const DRAWN: usize = 20;

/// A new token: `[T:NATUSSSN:` and random letters and `]`. The category stands in it as one word, since
/// words of its id are words that detectors look for.
pub(super) fn token(category: &str, random: &mut Random<'_>) -> Result<String, VaultError> {
    let kind = category.bytes().filter(u8::is_ascii_alphanumeric).take(40);
    let kind: String = kind.map(|byte| char::from(byte.to_ascii_uppercase())).collect();
    let mut drawn = String::new();
    for _ in 0..64 {
        let mut bytes = [0; 32];
        random(&mut bytes)?;
        // Bytes past the last multiple of 19 would favour the first letters.
        let even = bytes.iter().filter(|byte| usize::from(**byte) < 256 / 19 * 19);
        let letters = even.filter_map(|byte| LETTERS.get(usize::from(*byte) % 19));
        drawn.extend(letters.map(|letter| char::from(*letter)).take(DRAWN - drawn.len()));
        if drawn.len() == DRAWN {
            return Ok(format!("[T:{kind}:{drawn}]"));
        }
    }
    Err(VaultError::Randomness)
}

/// Keys that all vaults share.
#[derive(Clone)]
pub(super) struct Keys {
    master: Zeroizing<[u8; 32]>,
    name: Zeroizing<[u8; 32]>,
    head: Zeroizing<[u8; 32]>,
    owner: Zeroizing<[u8; 32]>,
    token: Zeroizing<[u8; 32]>,
}

impl Keys {
    pub(super) fn new(master: &[u8; 32]) -> Keys {
        let derived = |info: &str| derive(None, master, info.as_bytes());
        Keys {
            name: derived("sluice vault 1 name"),
            head: derived("sluice vault 1 head"),
            owner: derived("sluice vault 1 owner"),
            token: derived("sluice vault 1 token"),
            master: Zeroizing::new(*master),
        }
    }

    /// The file of a run and destination, whoever asks.
    pub(super) fn file_name(&self, scope: &Scope) -> String {
        let tag = mac(&self.name, &[scope.run.as_bytes(), scope.destination.as_bytes()]);
        data_encoding::HEXLOWER.encode(&cut(tag))
    }

    pub(super) fn token_tag(&self, token: &str) -> [u8; 16] {
        cut(mac(&self.token, &[token.as_bytes()]))
    }

    fn owner_of(&self, scope: &Scope) -> [u8; 32] {
        mac(&self.owner, &scope.parts())
    }

    pub(super) fn new_head(
        &self,
        scope: &Scope,
        expires: u64,
        random: &mut Random<'_>,
    ) -> Result<Vec<u8>, VaultError> {
        let (mut salt, mut nonce) = ([0; 16], [0; 24]);
        random(&mut salt)?;
        random(&mut nonce)?;
        let mut head = MAGIC.to_vec();
        head.extend(salt);
        head.extend(expires.to_be_bytes());
        head.extend(self.owner_of(scope));
        head.extend(nonce);
        let plain = framed(&scope.parts());
        let sealed_length = plain.len() + 16;
        head.extend(length_of(sealed_length)?);
        let sealed = seal(&self.head, &nonce, &plain, &head)?;
        head.extend(sealed);
        Ok(head)
    }

    /// Reads a head; `scope`: only of this owner.
    pub(super) fn head(&self, bytes: &[u8], scope: Option<&Scope>) -> Result<Head, VaultError> {
        let damaged = || VaultError::Damaged(0);
        let mut fields = Fields(bytes);
        if fields.take::<8>() != Some(*MAGIC) {
            return Err(damaged());
        }
        let (salt, expires) = fields.take::<16>().zip(fields.take::<8>()).ok_or_else(damaged)?;
        let (owner, nonce) = fields.take::<32>().zip(fields.take::<24>()).ok_or_else(damaged)?;
        let length = u32::from_be_bytes(fields.take().ok_or_else(damaged)?) as usize;
        let (sealed, _) = fields.0.split_at_checked(length).ok_or_else(damaged)?;
        let before = bytes.get(..HEAD).ok_or_else(damaged)?;
        let plain = open(&self.head, &nonce, sealed, before).ok_or_else(damaged)?;
        let parts = unframed(&plain).ok_or_else(damaged)?;
        let text = |part: &Vec<u8>| String::from_utf8(part.clone()).map_err(|_| damaged());
        let [workload, run, destination] = parts.as_slice() else { return Err(damaged()) };
        let of_file =
            Scope { workload: text(workload)?, run: text(run)?, destination: text(destination)? };
        if owner != self.owner_of(&of_file) {
            return Err(damaged());
        }
        if scope.is_some_and(|scope| *scope != of_file) {
            return Err(VaultError::Refused);
        }
        let asked = scope.unwrap_or(&of_file);
        let info = |what: &str| [what.as_bytes(), &framed(&asked.parts())].concat();
        Ok(Head {
            entry_key: derive(Some(&salt), &self.master, &info("sluice vault 1 entry")),
            value_key: derive(Some(&salt), &self.master, &info("sluice vault 1 value")),
            expires: u64::from_be_bytes(expires),
            length: HEAD + length,
            owner,
            scope: of_file,
        })
    }
}

impl Scope {
    fn parts(&self) -> [&[u8]; 3] {
        [self.workload.as_bytes(), self.run.as_bytes(), self.destination.as_bytes()]
    }
}

/// The head of a vault, with the keys of its entries.
pub(super) struct Head {
    entry_key: Zeroizing<[u8; 32]>,
    value_key: Zeroizing<[u8; 32]>,
    pub(super) scope: Scope,
    pub(super) expires: u64,
    /// Bytes of the head.
    pub(super) length: usize,
    owner: [u8; 32],
}

/// An entry that is to be written.
pub(super) struct NewEntry<'a> {
    pub(super) number: u64,
    pub(super) value_tag: [u8; 16],
    pub(super) token_tag: [u8; 16],
    pub(super) category: &'a str,
    pub(super) token: &'a str,
    pub(super) value: &'a [u8],
}

/// An entry that was read.
pub(super) struct Entry {
    pub(super) value_tag: [u8; 16],
    pub(super) category: String,
    pub(super) token: String,
    pub(super) value: Zeroizing<Vec<u8>>,
    /// Offset behind it.
    pub(super) end: usize,
}

/// Why no entry can be read.
#[derive(Debug, PartialEq)]
pub(super) enum Stop {
    /// There is none.
    End,
    /// It is not whole, and nothing follows.
    Torn,
    /// It is not what was written.
    Damaged,
}

impl Head {
    pub(super) fn value_tag(&self, category: &str, value: &[u8]) -> [u8; 16] {
        cut(mac(&self.value_key, &[category.as_bytes(), value]))
    }

    /// Appends an entry.
    pub(super) fn seal(
        &self,
        entry: &NewEntry<'_>,
        random: &mut Random<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), VaultError> {
        let mut nonce = [0; 24];
        random(&mut nonce)?;
        let parts = [entry.category.as_bytes(), entry.token.as_bytes(), entry.value];
        let plain = Zeroizing::new(framed(&parts));
        let mut before = length_of(FIXED + plain.len() + 16)?.to_vec();
        before.extend(entry.number.to_be_bytes());
        before.extend(crc32fast::hash(&before).to_be_bytes());
        before.extend(entry.value_tag);
        before.extend(entry.token_tag);
        before.extend(nonce);
        let sealed = seal(&self.entry_key, &nonce, &plain, &self.bound(&before))?;
        out.extend(before);
        out.extend(sealed);
        Ok(())
    }

    /// Reads the entry of this number at an offset.
    pub(super) fn entry(&self, bytes: &[u8], at: usize, number: u64) -> Result<Entry, Stop> {
        if at >= bytes.len() {
            return Err(Stop::End);
        }
        match self.sound(bytes, at, number) {
            Some(entry) => Ok(entry),
            // A crash leaves the last bytes half written, so nothing sound follows them.
            None if (at..bytes.len()).any(|from| self.is_sound(bytes, from)) => Err(Stop::Damaged),
            None => Err(Stop::Torn),
        }
    }

    fn is_sound(&self, bytes: &[u8], at: usize) -> bool {
        frame(bytes, at).is_some_and(|(number, _)| self.sound(bytes, at, number).is_some())
    }

    fn sound(&self, bytes: &[u8], at: usize, number: u64) -> Option<Entry> {
        let (found, end) = frame(bytes, at)?;
        let entry = bytes.get(at..end).filter(|_| found == number)?;
        let (before, sealed) = entry.split_at_checked(FIXED)?;
        let mut fields = Fields(before.get(16..)?);
        let (value_tag, _) = (fields.take::<16>()?, fields.take::<16>()?);
        let nonce = fields.take::<24>()?;
        let plain = open(&self.entry_key, &nonce, sealed, &self.bound(before))?;
        let mut parts = unframed(&plain)?.into_iter();
        let (category, token) = (parts.next()?, parts.next()?);
        let value = Zeroizing::new(parts.next()?);
        let (category, token) = (String::from_utf8(category).ok()?, String::from_utf8(token).ok()?);
        Some(Entry { value_tag, category, token, value, end })
    }

    /// What an entry is bound to: its owner, and all that stands before what is sealed.
    fn bound(&self, before: &[u8]) -> Vec<u8> {
        [&self.owner, before].concat()
    }
}

/// Tag of the token of the entry at an offset, and the offset behind it; none where there is no whole
/// entry of this number.
pub(super) fn peek(bytes: &[u8], at: usize, number: u64) -> Option<([u8; 16], usize)> {
    let (found, end) = frame(bytes, at)?;
    let tag = bytes.get(at..end)?.get(32..48)?.try_into().ok()?;
    (found == number).then_some((tag, end))
}

/// Number of the entry at an offset and the offset behind it, where its length is sound.
fn frame(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let head = bytes.get(at..at + 16)?;
    let mut fields = Fields(head);
    let length = u32::from_be_bytes(fields.take()?) as usize;
    let number = u64::from_be_bytes(fields.take()?);
    let sum = u32::from_be_bytes(fields.take()?);
    let end = at.checked_add(length)?;
    let sound = length >= FIXED && end <= bytes.len();
    (sound && sum == crc32fast::hash(head.get(..12)?)).then_some((number, end))
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

fn length_of(length: usize) -> Result<[u8; 4], VaultError> {
    Ok(u32::try_from(length).map_err(|_| VaultError::TooLong(length))?.to_be_bytes())
}

/// Parts with their lengths, so that no two lists of parts are the same bytes.
fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut all = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        all.extend((part.len() as u64).to_be_bytes());
        all.extend_from_slice(part);
    }
    all
}

fn unframed(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut fields, mut parts) = (Fields(bytes), Vec::new());
    while !fields.0.is_empty() {
        let length = usize::try_from(u64::from_be_bytes(fields.take()?)).ok()?;
        let (part, rest) = fields.0.split_at_checked(length)?;
        parts.push(part.to_vec());
        fields.0 = rest;
    }
    Some(parts)
}

fn derive(salt: Option<&[u8]>, key: &[u8; 32], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut derived = Zeroizing::new([0; 32]);
    // 32 bytes are never too many for HKDF-SHA-256; zeros would open nothing that others sealed.
    let _ = Hkdf::<Sha256>::new(salt, key).expand(info, &mut *derived);
    derived
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(&framed(parts));
            mac.finalize().into_bytes().into()
        }
        // HMAC takes keys of any length.
        Err(_) => [0; 32],
    }
}

fn cut(tag: [u8; 32]) -> [u8; 16] {
    let mut cut = [0; 16];
    cut.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
    cut
}

fn seal(key: &[u8; 32], nonce: &[u8; 24], msg: &[u8], aad: &[u8]) -> Result<Vec<u8>, VaultError> {
    let sealed =
        XChaCha20Poly1305::new(key.into()).encrypt(&XNonce::from(*nonce), Payload { msg, aad });
    sealed.map_err(|_| io::Error::other("the cipher refuses the value").into())
}

fn open(key: &[u8; 32], nonce: &[u8; 24], msg: &[u8], aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.decrypt(&XNonce::from(*nonce), Payload { msg, aad }).ok().map(Zeroizing::new)
}
