//! Keys, tokens and passwords.

use data_encoding::BASE32;
use data_encoding::BASE64URL_NOPAD;

use super::contact::one_of;
use super::{Candidate, Check, Verdict};

/// RFC 7468 and RFC 1421: header lines, a base64 body and the END line of the same label. Line ends
/// may be written out as `\n` (JSON, source code) and lines may be quoted and joined with `+` or
/// commas. Reading stops at the first byte that fits none of these.
pub(super) fn pem_private_key(candidate: Candidate<'_>) -> Verdict {
    const SHORTEST_BODY: usize = 60;
    let Some(label) =
        candidate.value().strip_prefix(b"-----BEGIN ").and_then(|rest| rest.strip_suffix(b"-----"))
    else {
        return Verdict::Invalid;
    };
    let rest = candidate.after();
    let mut seen = [false; 128];
    let (mut at, mut length) = (0, 0);
    while let Some(byte) = rest.get(at) {
        at += match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' => {
                let header =
                    if length < 40 { header_line(rest.get(at..).unwrap_or_default()) } else { 0 };
                if header == 0 {
                    length += 1;
                    if let Some(seen) = seen.get_mut(usize::from(*byte)) {
                        *seen = true;
                    }
                }
                header.max(1)
            }
            b'\\' if matches!(rest.get(at + 1), Some(b'n' | b'r' | b't')) => 2,
            b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b',' | b'\\' => 1,
            b'-' => {
                let end = rest.get(at..).and_then(|rest| rest.strip_prefix(b"-----END "));
                let closed = end
                    .and_then(|end| end.strip_prefix(label))
                    .is_some_and(|end| end.starts_with(b"-----"));
                let variety = seen.iter().filter(|seen| **seen).count();
                let plausible = closed && length >= SHORTEST_BODY && variety >= 8;
                return Check::of(plausible)
                    .ending_at(candidate.end + at + b"-----END -----".len() + label.len());
            }
            _ => return Verdict::Invalid,
        };
    }
    Verdict::Invalid
}

/// Length of the header line (`Proc-Type: 4,ENCRYPTED`, `DEK-Info: ...`) at the start; 0 where there
/// is none.
fn header_line(rest: &[u8]) -> usize {
    const NAMES: [&[u8]; 4] = [b"Proc-Type:", b"DEK-Info:", b"Comment:", b"Version:"];
    if !NAMES.iter().any(|name| rest.starts_with(name)) {
        return 0;
    }
    let field = |byte: &u8| byte.is_ascii_alphanumeric() || b" :,.-_/+@".contains(byte);
    rest.iter().take(160).take_while(|byte| field(byte)).count()
}

/// AWS IAM identifiers: prefix and sixteen base32 characters. Ids issued since 2019 hold the account
/// number in the 39 bits after the first; their first character is Q to Z or 2 to 7. An id that
/// spells EXAMPLE is one of AWS's documentation.
pub(super) fn aws_access_key(value: &[u8]) -> Check {
    let Some(body) = value.get(4..).filter(|body| body.len() == 16) else { return Check::Invalid };
    let Ok(bytes) = BASE32.decode(body) else { return Check::Invalid };
    let account = bytes.iter().take(6).fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)) >> 7
        & 0xff_ffff_ffff;
    let recent = matches!(body.first(), Some(b'Q'..=b'Z' | b'2'..=b'7'));
    let mut kinds = body.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    Check::of(kinds.len() >= 6 && (!recent || account <= 999_999_999_999))
        .published_if(body.ends_with(b"EXAMPLE"))
}

/// GitHub's token format of 2021: the last six characters are the CRC-32 of those between prefix
/// and checksum, in base 62. For fine-grained tokens (`github_pat_`) the sum is not published; there
/// only the shape counts and that the characters vary.
pub(super) fn github_token(value: &[u8]) -> Check {
    if let Some(body) = value.strip_prefix(b"github_pat_") {
        let mut kinds: Vec<u8> = body.to_vec();
        kinds.sort_unstable();
        kinds.dedup();
        return Check::of(kinds.len() >= 12);
    }
    let Some((random, sum)) = value.get(4..).and_then(|body| body.split_last_chunk::<6>()) else {
        return Check::Invalid;
    };
    Check::of(*sum == base_62(crc32fast::hash(random)))
}

/// A number as six characters of 0-9, A-Z, a-z, with leading zeros.
fn base_62(mut number: u32) -> [u8; 6] {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = [b'0'; 6];
    for place in text.iter_mut().rev() {
        *place = ALPHABET.get((number % 62) as usize).copied().unwrap_or_default();
        number /= 62;
    }
    text
}

/// RFC 7519: the header is base64url of a JSON object with `alg`, and the claims are an object.
pub(super) fn jwt(value: &[u8]) -> Check {
    let mut parts = value.split(|byte| *byte == b'.');
    let mut object = || -> Option<serde_json::Map<String, serde_json::Value>> {
        let bytes = BASE64URL_NOPAD.decode(parts.next()?).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    let header = object();
    let claims = object();
    Check::of(
        claims.is_some() && header.is_some_and(|h| h.get("alg").is_some_and(|a| a.is_string())),
    )
}

/// A password in a URI that is no placeholder and no reference to a variable.
pub(super) fn uri_password(value: &[u8]) -> Check {
    Check::of(value.len() >= 3 && !placeholder(value) && !reference(value))
}

/// A password in an assignment that is no placeholder, reference, code or plain word.
pub(super) fn assigned_password(value: &[u8]) -> Check {
    let code = value.iter().any(|byte| matches!(byte, b'(' | b')' | b'[' | b']' | b'{' | b'}'))
        && value.iter().any(|byte| matches!(byte, b'(' | b'[' | b'{'))
        || value.windows(2).any(|pair| matches!(pair, b"::" | b"->" | b"=>" | b"==" | b"//"))
        || [&b"/"[..], b"./", b"~/", b"../"].iter().any(|path| value.starts_with(path));
    Check::of(
        value.len() >= 6 && !placeholder(value) && !reference(value) && !code && !plain_word(value),
    )
}

/// Words that stand where a password would.
fn placeholder(value: &[u8]) -> bool {
    const WHOLE: &str = "password passwd passphrase passwort pass pwd secret token user username \
        root admin guest null none nil true false undefined string text hidden masked redacted \
        removed empty default value changeit change_me test testing foo bar baz foobar xxx abc";
    const PARTS: [&[u8]; 14] = [
        b"example",
        b"placeholder",
        b"changeme",
        b"change-me",
        b"replace",
        b"dummy",
        b"your_",
        b"your-",
        b"yourpass",
        b"redacted",
        b"insert",
        b"mypass",
        b"my_pass",
        b"enter_",
    ];
    let lower = value.to_ascii_lowercase();
    let stripped: Vec<u8> =
        lower.iter().copied().filter(|byte| byte.is_ascii_alphabetic()).collect();
    let mut kinds = lower.clone();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.len() <= 2
        || one_of(WHOLE, &lower)
        || stripped.len() + 2 >= lower.len()
            && one_of("password passwd passphrase secret", &stripped)
        || PARTS.iter().any(|part| lower.windows(part.len()).any(|window| window == *part))
}

/// References to variables of shells, templates and languages.
fn reference(value: &[u8]) -> bool {
    let enclosed = |open: u8, close: u8| value.starts_with(&[open]) && value.ends_with(&[close]);
    let shell = value.strip_prefix(b"$").is_some_and(|name| {
        name.first()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'{' | b'('))
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_{}():?.-".contains(byte))
    });
    shell
        || enclosed(b'<', b'>')
        || enclosed(b'{', b'}')
        || enclosed(b'[', b']')
        || enclosed(b'%', b'%')
        || value.windows(2).any(|pair| matches!(pair, b"${" | b"{{" | b"#{" | b"%(" | b"$("))
        || matches!(value, [b'%', letter, ..] if value.len() <= 3 && letter.is_ascii_alphabetic())
        || value.starts_with(b"&") && value.get(1..).is_some_and(plain_word)
}

/// Letters alone, perhaps joined by `_`, `-`, `.`, `/` or `:` as identifiers, paths and phrases are; or
/// such a word with the digits of a well-known algorithm or encoding behind it.
fn plain_word(value: &[u8]) -> bool {
    const ALGORITHMS: &str = "sha md base utf aes rsa hmac argon scrypt pbkdf oauth http ipv latin \
        iso des rc ecdsa ed";
    let joined = |byte: &u8| byte.is_ascii_alphabetic() || b"_-./:,;!?*".contains(byte);
    let letters = value.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, rest) = value.split_at_checked(letters).unwrap_or_default();
    value.iter().all(joined)
        || one_of(ALGORITHMS, word)
            && rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Validator;
    use crate::scan::validate::check;
    use crate::scan::validate::tests::{invalid, published, valid};

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
    fn keys_of_aws() {
        published(Validator::AwsAccessKey, "AKIAIOSFODNN7EXAMPLE");
        valid(Validator::AwsAccessKey, "ASIAQNZGKIQY56JQ7WML");
        invalid(Validator::AwsAccessKey, "AKIA1111111111111111");
        invalid(Validator::AwsAccessKey, "AKIAAAAAAAAAAAAAAAAA");
        // The account number would be above twelve digits.
        invalid(Validator::AwsAccessKey, "AKIA77777ABCDEFGHIJK");
    }

    #[test]
    fn tokens_of_github() {
        valid(Validator::GithubToken, "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");
        invalid(Validator::GithubToken, "ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18");
        invalid(Validator::GithubToken, "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    }

    #[test]
    fn tokens_of_json() {
        let part = |json: &str| BASE64URL_NOPAD.encode(json.as_bytes());
        let header = part(r#"{"alg":"none","typ":"JWT"}"#);
        let claims = part(r#"{"sub":"fake"}"#);
        valid(Validator::Jwt, &format!("{header}.{claims}."));
        invalid(Validator::Jwt, &format!("{}.{claims}.x", part(r#"{"typ":"JWT"}"#)));
        invalid(Validator::Jwt, &format!("{header}.{}.x", part("[1]")));
        invalid(Validator::Jwt, "eyJhbGciOi.eyJzdWIiOi.x");
    }

    #[test]
    fn passwords_and_what_only_looks_like_one() {
        for password in ["Tr0ub4dor&3", "s3cr3t-horse", "hunter2!", "correct7horse", "8fK!x02m"] {
            valid(Validator::AssignedPassword, password);
            valid(Validator::UriPassword, password);
        }
        for word in [
            "password",
            "Password1",
            "changeme123",
            "${DB_PASSWORD}",
            "$PASS_WORD",
            "{{ secret }}",
            "<password>",
            "xxxxxxxx",
            "********",
            "your_password1",
            "%(pass)s",
        ] {
            invalid(Validator::AssignedPassword, word);
            invalid(Validator::UriPassword, word);
        }
        for code in [
            "getpass()",
            "config.password",
            "sha256",
            "utf-8",
            "std::env",
            "required",
            "short",
            "/home/user1",
        ] {
            invalid(Validator::AssignedPassword, code);
        }
    }
}
