//! Key material: armoured blocks, encoded keys and files of keys.

use data_encoding::{BASE64, BASE64_NOPAD};

use super::super::{Candidate, Check, Verdict};
use super::entropy::kinds;

/// RFC 7468 and RFC 1421: header lines, a base64 body and the END line of the same label. Line ends
/// may be written out as `\n` (JSON, source code) and lines may be quoted and joined with `+` or
/// commas. Reading stops at the first byte that fits none of these. A body that is whole DER by its
/// own length (ITU-T X.690, 8.1.3) may be short; a key that was cut off counts if its head is
/// that of one.
pub(in super::super) fn pem_private_key(candidate: Candidate<'_>) -> Verdict {
    const SHORTEST_BODY: usize = 60;
    const SHORTEST_PIECE: usize = 200;
    let label = candidate
        .value()
        .strip_prefix(b"-----BEGIN ")
        .or_else(|| candidate.value().strip_prefix(b"---- BEGIN "));
    let Some(label) = label.and_then(|rest| rest.strip_suffix(b"----")) else {
        return Verdict::Invalid;
    };
    let label = label.trim_ascii_end();
    let label = label.strip_suffix(b"-").unwrap_or(label);
    let rest = candidate.after();
    let mut seen = [false; 128];
    let mut head = Vec::new();
    let (mut at, mut length, mut last) = (0, 0, 0);
    while let Some(byte) = rest.get(at) {
        at += match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' => {
                let header =
                    if length < 40 { header_line(rest.get(at..).unwrap_or_default()) } else { 0 };
                if header == 0 {
                    length += 1;
                    last = at + 1;
                    if let Some(seen) = seen.get_mut(usize::from(*byte)) {
                        *seen = true;
                    }
                    if head.len() < 128 {
                        head.push(*byte);
                    }
                }
                header.max(1)
            }
            b'\\' if matches!(rest.get(at + 1), Some(b'n' | b'r' | b't')) => 2,
            b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b',' | b'\\' => 1,
            b'-' => {
                let end = rest.get(at..).unwrap_or_default();
                let end = end.strip_prefix(b"-----END ").or_else(|| end.strip_prefix(b"---- END "));
                let closed =
                    end.and_then(|end| end.strip_prefix(label)).map(<[u8]>::trim_ascii_start);
                let closed = closed.is_some_and(|end| end.starts_with(b"----"));
                let variety = seen.iter().filter(|seen| **seen).count();
                let plausible = length >= SHORTEST_BODY && variety >= 8 || whole_der(&head, length);
                const TAIL: usize = b"-----END -----".len();
                return Check::of(closed && plausible)
                    .ending_at((candidate.end + at + TAIL + label.len()).min(candidate.limit));
            }
            _ => break,
        };
    }
    let known = der_length(&head).is_some() || head.starts_with(b"b3BlbnNzaC1rZXktdjE");
    Check::of(known && length >= SHORTEST_PIECE && seen.iter().filter(|seen| **seen).count() >= 24)
        .ending_at(candidate.end + last)
}

/// The whole length, head included, that the DER SEQUENCE at the start of base64 text states.
fn der_length(head: &[u8]) -> Option<usize> {
    let bytes = BASE64_NOPAD.decode(head.get(..8)?).ok()?;
    match *bytes.as_slice() {
        [0x30, short @ 0..=0x7f, ..] => Some(usize::from(short) + 2),
        [0x30, 0x81, length, ..] => Some(usize::from(length) + 3),
        [0x30, 0x82, high, low, ..] => Some((usize::from(high) << 8 | usize::from(low)) + 4),
        _ => None,
    }
}

/// Whether so much base64 is exactly the DER value that it begins with.
fn whole_der(head: &[u8], length: usize) -> bool {
    length >= 24
        && der_length(head).is_some_and(|bytes| bytes.div_ceil(3) * 4 == length.div_ceil(4) * 4)
}

/// Length of the header line (`Proc-Type: 4,ENCRYPTED`, `DEK-Info: ...`) at the start; 0 where there
/// is none.
fn header_line(rest: &[u8]) -> usize {
    const NAMES: [&[u8]; 5] = [b"Proc-Type:", b"DEK-Info:", b"Comment:", b"Version:", b"Hash:"];
    if !NAMES.iter().any(|name| rest.starts_with(name)) {
        return 0;
    }
    let field = |byte: &u8| byte.is_ascii_alphanumeric() || b" :,.-_/+@()\"".contains(byte);
    rest.iter().take(160).take_while(|byte| field(byte)).count()
}

/// RFC 9580 section 6: armour of a secret key, its body base64 and the CRC-24 behind `=`. Without a
/// sum that fits, the body must begin with the packet of a secret key (tag 5).
pub(in super::super) fn pgp_private_key(candidate: Candidate<'_>) -> Verdict {
    const END: &[u8] = b"-----END PGP PRIVATE KEY BLOCK-----";
    let rest = candidate.after();
    let mut body = Vec::new();
    let (mut at, mut sum) = (0, Vec::new());
    while let Some(byte) = rest.get(at) {
        at += match byte {
            b'=' if body.len() % 4 == 0 && sum.is_empty() && !body.is_empty() => {
                let four = rest.get(at + 1..at + 5).unwrap_or_default();
                sum.extend_from_slice(four);
                5
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' => {
                let header = if body.len() < 40 {
                    armour_header(rest.get(at..).unwrap_or_default())
                } else {
                    0
                };
                if header == 0 {
                    body.push(*byte);
                }
                header.max(1)
            }
            b'\\' if matches!(rest.get(at + 1), Some(b'n' | b'r' | b't')) => 2,
            b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b',' | b'\\' | b'>' => 1,
            b'-' => {
                let closed = rest.get(at..).is_some_and(|rest| rest.starts_with(END));
                let plausible = body.len() >= 60 && kinds(&body) >= 8 && armoured(&body, &sum);
                return Check::of(closed && plausible).ending_at(candidate.end + at + END.len());
            }
            _ => return Verdict::Invalid,
        };
    }
    Verdict::Invalid
}

fn armoured(body: &[u8], sum: &[u8]) -> bool {
    let fits = BASE64.decode(body).is_ok_and(|bytes| {
        BASE64.decode(sum).is_ok_and(|sum| {
            sum.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte)) == crc_24(&bytes)
        })
    });
    // A packet of tag 5: 0x94 to 0x97 in the old form, 0xc5 in the new one.
    fits || matches!(body, [b'l', b'A'..=b'f', ..] | [b'x', b'Q'..=b'f', ..])
}

/// The CRC-24 of RFC 9580 section 6.1.1.
fn crc_24(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0xb7_04ce, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 16, |sum, _| {
            let next = sum << 1;
            if next & 0x100_0000 == 0 { next } else { next ^ 0x186_4cfb }
        })
    })
}

fn armour_header(rest: &[u8]) -> usize {
    const NAMES: [&[u8]; 5] = [b"Version:", b"Comment:", b"MessageID:", b"Hash:", b"Charset:"];
    if !NAMES.iter().any(|name| rest.starts_with(name)) {
        return 0;
    }
    rest.iter().take(160).take_while(|byte| !matches!(byte, b'\n' | b'\r' | b'\\')).count()
}

/// Base64 of a PEM private key: what it begins with decodes to a BEGIN line with PRIVATE KEY in it.
pub(in super::super) fn encoded_private_key(value: &[u8]) -> Check {
    let text = value.get(..64).and_then(|head| BASE64.decode(head).ok()).unwrap_or_default();
    Check::of(
        text.starts_with(b"-----BEGIN ")
            && text.windows(11).any(|window| window == b"PRIVATE KEY")
            && !text.windows(6).any(|window| window == b"PUBLIC"),
    )
}

/// A Google Cloud key file: within the object that begins here there is a `private_key` in PEM form.
/// The finding ends where the object does, or behind the key.
pub(in super::super) fn gcp_service_account(candidate: Candidate<'_>) -> Verdict {
    let rest = candidate.after();
    let close = rest.iter().position(|byte| *byte == b'}').unwrap_or(rest.len());
    let object = rest.get(..close).unwrap_or_default();
    let holds = |what: &[u8]| object.windows(what.len()).any(|window| window == what);
    let key = holds(b"private_key\"") && holds(b"-----BEGIN") && holds(b"PRIVATE KEY-----")
        || holds(b"private_key\\\"") && holds(b"PRIVATE KEY-----");
    Check::of(key).ending_at(candidate.end + (close + 1).min(rest.len()))
}

/// Base64 of exactly 64 bytes that vary: the size of Azure's account keys.
pub(in super::super) fn key_64_bytes(value: &[u8]) -> Check {
    Check::of(BASE64.decode(value).is_ok_and(|bytes| bytes.len() == 64 && kinds(&bytes) >= 12))
}

/// Base64 of exactly 32 bytes that vary: the size of Curve25519 and AES-256 keys.
pub(in super::super) fn key_32_bytes(value: &[u8]) -> Check {
    Check::of(BASE64.decode(value).is_ok_and(|bytes| bytes.len() == 32 && kinds(&bytes) >= 8))
}

/// An age identity (C2SP age): Bech32 (BIP 173) with its own human-readable part.
pub(in super::super) fn age_key(value: &[u8]) -> Check {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let lower = value.to_ascii_lowercase();
    let Some(split) = lower.iter().rposition(|byte| *byte == b'1') else { return Check::Invalid };
    let (name, data) = lower.split_at(split);
    let mut sum = name.iter().fold(1, |sum, byte| polymod(sum, u32::from(byte >> 5)));
    sum = polymod(sum, 0);
    sum = name.iter().fold(sum, |sum, byte| polymod(sum, u32::from(byte & 31)));
    for byte in data.iter().skip(1) {
        let Some(word) = ALPHABET.iter().position(|known| known == byte) else {
            return Check::Invalid;
        };
        sum = polymod(sum, word as u32);
    }
    Check::of(sum == 1)
}

/// One step of the BCH code of BIP 173.
fn polymod(sum: u32, word: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = sum >> 25;
    let next = (sum & 0x01ff_ffff) << 5 ^ word;
    let hit = GENERATOR.iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1);
    hit.fold(next, |sum, (_, generator)| sum ^ generator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Validator;
    use crate::scan::validate::check;
    use crate::scan::validate::tests::{invalid, valid};

    const BODY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCFAKEKEYFAKEKEYFAKEKEYFAKEKEYFAKE\n\
        KEYFAKEKEYFAKEKEYFAKEKEYFAKEKEYFAKEKEYFAKEKEYFAKEKEYFAKEKEYFAKE01\n";

    fn pem(text: &str) -> Verdict {
        let end = text[11..].find("-----").unwrap() + 16;
        let limit = text.len();
        check(Validator::PemPrivateKey, Candidate { text: text.as_bytes(), start: 0, end, limit })
    }

    #[test]
    fn a_key_reaches_to_its_end_line() {
        let key = format!("-----BEGIN PRIVATE KEY-----\n{BODY}-----END PRIVATE KEY-----");
        let accepted = |end| Verdict::Valid { end, published: false };
        assert_eq!(pem(&format!("{key}\nmore")), accepted(key.len()));
        let escaped = key.replace('\n', "\\n");
        assert_eq!(pem(&format!("{escaped}\\n\"}}")), accepted(escaped.len()));
        let encrypted = key.replace("PRIVATE", "RSA PRIVATE").replacen(
            "KEY-----\n",
            "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF\n\n",
            1,
        );
        assert_eq!(pem(&encrypted), accepted(encrypted.len()));
    }

    #[test]
    fn a_key_without_body_or_end_is_none() {
        for text in [
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----".to_owned(),
            "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----".to_owned(),
            format!("-----BEGIN PRIVATE KEY-----\n{BODY}"),
            format!("-----BEGIN PRIVATE KEY-----\n{BODY}-----END PUBLIC KEY-----"),
            format!("-----BEGIN PRIVATE KEY-----\n{BODY}-----BEGIN PRIVATE KEY-----\n"),
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "x".repeat(200)),
        ] {
            assert_eq!(pem(&text), Verdict::Invalid, "{text}");
        }
    }

    #[test]
    fn a_short_key_must_be_whole() {
        let ed25519 = "MC4CAQAwBQYDK2VwBCIEIFAKEkeyNotARealOneFAKEkeyNotARealOne012345";
        let key = format!("-----BEGIN PRIVATE KEY-----\n{ed25519}\n-----END PRIVATE KEY-----");
        assert_eq!(pem(&key), Verdict::Valid { end: key.len(), published: false });
        let cut = format!("-----BEGIN PRIVATE KEY-----\n{BODY}{BODY}");
        assert!(matches!(pem(&cut), Verdict::Valid { .. }));
    }

    #[test]
    fn armour_with_its_sum() {
        let bytes: Vec<u8> = (0..90u8).collect();
        let body = BASE64.encode(&bytes);
        let armour = |sum: u32| {
            let sum = BASE64.encode(&sum.to_be_bytes()[1..]);
            format!(
                "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: Fake 1\n\n{body}\n={sum}\n-----END PGP PRIVATE KEY BLOCK-----"
            )
        };
        let run = |text: &str| {
            let candidate =
                Candidate { text: text.as_bytes(), start: 0, end: 37, limit: text.len() };
            check(Validator::PgpPrivateKey, candidate)
        };
        let good = armour(crc_24(&bytes));
        assert_eq!(run(&good), Verdict::Valid { end: good.len(), published: false });
        assert_eq!(run(&armour(crc_24(&bytes) ^ 1)), Verdict::Invalid);
        // RFC 9580's initial value is the sum of nothing.
        assert_eq!(crc_24(b""), 0xb7_04ce);
    }

    #[test]
    fn keys_by_their_size() {
        let key = BASE64.encode(&(0..64).map(|n| n * 3).collect::<Vec<u8>>());
        valid(Validator::Key64Bytes, &key);
        invalid(Validator::Key64Bytes, &key[..84]);
        invalid(Validator::Key64Bytes, &BASE64.encode(&[0; 64]));
        valid(Validator::Key32Bytes, &BASE64.encode(&(0..32).collect::<Vec<u8>>()));
        invalid(Validator::Key32Bytes, &BASE64.encode(&(0..33).collect::<Vec<u8>>()));
    }

    #[test]
    fn identities_of_age() {
        let key = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
        valid(Validator::AgeKey, key);
        invalid(Validator::AgeKey, &key.replace("EGAEX", "EGAEY"));
    }
}
