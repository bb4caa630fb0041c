//! Tokens of services.

use data_encoding::{BASE32, BASE64URL_NOPAD};

use super::super::{Candidate, Check};
use super::entropy::{bits, kinds, longest_run, random};
use super::passwords::{placeholder, reference};

/// AWS IAM identifiers: prefix and sixteen base32 characters. Ids issued since 2019 hold the account
/// number in the 39 bits after the first; their first character is Q to Z or 2 to 7. An id that
/// spells EXAMPLE is one of AWS's documentation.
pub(in super::super) fn aws_access_key(value: &[u8]) -> Check {
    let Some(body) = value.get(4..).filter(|body| body.len() == 16) else { return Check::Invalid };
    let Ok(bytes) = BASE32.decode(body) else { return Check::Invalid };
    let account = bytes.iter().take(6).fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)) >> 7
        & 0xff_ffff_ffff;
    let recent = matches!(body.first(), Some(b'Q'..=b'Z' | b'2'..=b'7'));
    Check::of(kinds(body) >= 6 && (!recent || account <= 999_999_999_999))
        .published_if(body.ends_with(b"EXAMPLE"))
}

/// GitHub's token format of 2021: the last six characters are the CRC-32 of those between prefix
/// and checksum, in base 62. For fine-grained tokens (`github_pat_`) the sum is not published; there
/// only the shape counts and that the characters vary.
pub(in super::super) fn github_token(value: &[u8]) -> Check {
    if let Some(body) = value.strip_prefix(b"github_pat_") {
        return Check::of(kinds(body) >= 12);
    }
    checksum_token(value)
}

/// The same for other services that took the format over (npm): four bytes of prefix, a random part
/// and six characters of CRC-32 in base 62.
pub(in super::super) fn checksum_token(value: &[u8]) -> Check {
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
pub(in super::super) fn jwt(value: &[u8]) -> Check {
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

/// Whether this is a token with a checksum that does not fit: then it is none, whatever stands
/// beside it.
pub(super) fn failed_checksum(value: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 6] = [b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"npm_"];
    value.len() == 40
        && PREFIXES.iter().any(|prefix| value.starts_with(prefix))
        && checksum_token(value) == Check::Invalid
}

/// AWS secret access keys: forty characters of base64 that are random; one that spells EXAMPLE is of
/// AWS's documentation.
pub(in super::super) fn aws_secret_key(value: &[u8]) -> Check {
    let mixed = value.iter().any(u8::is_ascii_uppercase)
        && value.iter().any(u8::is_ascii_lowercase)
        && value.iter().any(|byte| byte.is_ascii_digit() || b"+/".contains(byte));
    let published = value.windows(7).any(|window| window == b"EXAMPLE");
    Check::of(value.len() == 40 && mixed && bits(value) >= 3.5 && longest_run(value) <= 6)
        .published_if(published)
}

/// A token that its form gives away: what follows the prefix varies and spells no placeholder.
pub(in super::super) fn provider_token(value: &[u8]) -> Check {
    const WORDS: [&[u8]; 14] = [
        b"your",
        b"placeholder",
        b"changeme",
        b"redacted",
        b"token_here",
        b"key_here",
        b"xxxxx",
        b"insert",
        b"replace",
        b"token-here",
        b"key-here",
        b"my_token",
        b"_goes_",
        b"...",
    ];
    let lower = value.to_ascii_lowercase();
    let tail = value.get(value.len().saturating_sub(24)..).unwrap_or_default();
    let named = WORDS.iter().any(|word| lower.windows(word.len()).any(|window| window == *word));
    Check::of(!named && kinds(tail) >= 7.min(tail.len()) && longest_run(tail) < 12)
        .published_if(value.len() > 90 && value.windows(7).any(|window| window == b"EXAMPLE"))
}

/// A token beside the name of its service: as above, with letters and digits, and no UUID of zeros.
pub(in super::super) fn labelled_token(value: &[u8]) -> Check {
    let digit = value.iter().any(u8::is_ascii_digit);
    let letter = value.iter().any(u8::is_ascii_alphabetic);
    if digit && letter && longest_run(value) < 8 { provider_token(value) } else { Check::Invalid }
}

/// A PyPI token: a macaroon of version 2 in base64url whose location is that of the index
/// (PyPI, API tokens; libmacaroons, format version 2).
pub(in super::super) fn pypi_token(value: &[u8]) -> Check {
    let body = value.strip_prefix(b"pypi-").unwrap_or_default();
    let body = body.get(..body.len() - body.len() % 4).unwrap_or_default();
    let Ok(bytes) = BASE64URL_NOPAD.decode(body) else { return Check::Invalid };
    let [2, 1, length, rest @ ..] = bytes.as_slice() else { return Check::Invalid };
    let Some((place, rest)) = rest.split_at_checked(usize::from(*length)) else {
        return Check::Invalid;
    };
    Check::of(place.ends_with(b"pypi.org") && rest.first() == Some(&2) && rest.len() >= 40)
}

/// Anything beside the word for a secret: it must look drawn at random, and be no UUID, digest name,
/// alphabet, path or reference.
pub(in super::super) fn generic_secret(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let lower = value.to_ascii_lowercase();
    let alphabet = [&b"0123456789"[..], b"abcdefgh", b"12345678", b"qwerty"]
        .iter()
        .any(|run| lower.windows(run.len()).any(|window| window == *run));
    // The name of the field ends in `Id`: it names the secret.
    let name = candidate.before();
    let length = name.iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |last| last + 1);
    let name = name.get(..length).unwrap_or_default();
    let names = name.ends_with(b"Id") || name.ends_with(b"_id") || name.ends_with(b"_ID");
    let uuid = value.len() == 36 && value.iter().filter(|byte| **byte == b'-').count() == 4;
    let slashes = value.iter().filter(|byte| **byte == b'/').count();
    let path = slashes >= 3 && value.len() < 16 * slashes;
    let digest = [&b"sha256"[..], b"sha384", b"sha512", b"sha1-", b"md5-"]
        .iter()
        .any(|name| lower.starts_with(name));
    // `AWS::ApiGateway::ApiKey` names a type.
    let typed = candidate.before().windows(5).any(|window| window == b"AWS::");
    Check::of(
        random(value)
            && provider_token(value) == Check::Valid
            && !(placeholder(value) || reference(value) || alphabet || uuid || path)
            && !(digest || typed || names || failed_checksum(value)),
    )
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;

    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn keys_of_aws() {
        published(Validator::AwsAccessKey, "AKIAIOSFODNN7EXAMPLE");
        valid(Validator::AwsAccessKey, "ASIAQNZGKIQY56JQ7WML");
        invalid(Validator::AwsAccessKey, "AKIA1111111111111111");
        invalid(Validator::AwsAccessKey, "AKIAAAAAAAAAAAAAAAAA");
        // The account number would be above twelve digits.
        invalid(Validator::AwsAccessKey, "AKIA77777ABCDEFGHIJK");
        published(Validator::AwsSecretKey, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        valid(Validator::AwsSecretKey, "FAKEkeyNotARealSecret0123/fakeFAKE+98xYz");
        invalid(Validator::AwsSecretKey, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA1");
    }

    #[test]
    fn tokens_of_github_and_npm() {
        valid(Validator::GithubToken, "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");
        invalid(Validator::GithubToken, "ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18");
        invalid(Validator::GithubToken, "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        valid(Validator::ChecksumToken, "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");
        invalid(Validator::ChecksumToken, "npm_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18");
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
    fn tokens_by_their_prefix() {
        valid(Validator::ProviderToken, "glpat-FakeToken0NotAReal12");
        for text in [
            "glpat-xxxxxxxxxxxxxxxxxxxx",
            "glpat-your_token_here_1234",
            "glpat-00000000000000000000",
            "sk-ant-api03-REDACTED-REDACTED",
        ] {
            invalid(Validator::ProviderToken, text);
        }
        valid(Validator::LabelledToken, "NotARealTokenFAKE0fakeToken1NotR");
        invalid(Validator::LabelledToken, "anIdentifierOfThirtyTwoLettersNo");
        let macaroon = |place: &str| {
            let mut bytes = vec![2, 1, place.len() as u8];
            bytes.extend_from_slice(place.as_bytes());
            bytes.extend_from_slice(b"\x02\x24NotARealIdentifierNotARealIdentifier-fake");
            format!("pypi-{}", BASE64URL_NOPAD.encode(&bytes))
        };
        valid(Validator::PypiToken, &macaroon("pypi.org"));
        valid(Validator::PypiToken, &macaroon("test.pypi.org"));
        invalid(Validator::PypiToken, &macaroon("elsewhere.org"));
        invalid(Validator::PypiToken, "pypi-AgEIcHlwaS5vcmc");
    }

    #[test]
    fn secrets_without_a_form() {
        valid(Validator::GenericSecret, "q7Zx0pLr9TnV3bKd8WmS");
        for text in [
            "123e4567-e89b-12d3-a456-426614174000",
            "sha256-q7Zx0pLr9TnV3bKd8WmS0123",
            "/usr/lib/x86/gnu/v1/abc",
            "${q7Zx0pLr9TnV3bKd8WmS}",
            "ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18",
            "0123456789abcdef0123456789abcdef",
        ] {
            invalid(Validator::GenericSecret, text);
        }
    }
}
