//! Passwords and what is written in their place.

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};

use super::super::contact::one_of;
use super::super::{Candidate, Check};
use super::entropy::{kinds, wordiness};
use super::tokens::failed_checksum;

/// A password in a URI that is no placeholder and no reference to a variable.
pub(in super::super) fn uri_password(value: &[u8]) -> Check {
    // `host:123,user:pass@host`: what follows the first colon is a port.
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let port = digits > 0 && value.get(digits) == Some(&b',');
    Check::of(value.len() >= 3 && !placeholder(value) && !reference(value) && !port)
}

/// A password in an assignment that is no placeholder, reference, code or plain word.
pub(in super::super) fn assigned_password(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let code = value.iter().any(|byte| matches!(byte, b'(' | b'[' | b'{'))
        && value.iter().any(|byte| matches!(byte, b')' | b']' | b'}'))
        || value.windows(2).any(|pair| {
            matches!(pair, b"::" | b"->" | b"=>" | b"==" | b"//" | b"%s" | b"%d" | b"();")
        })
        || [&b"/"[..], b"./", b"~/", b"../", b"--"].iter().any(|path| value.starts_with(path));
    let entity = value.contains(&b'&') && value.contains(&b';');
    let control = value.iter().any(u8::is_ascii_control);
    // Twelve digits and more are a number of something.
    let number = value.len() >= 12 && value.iter().all(u8::is_ascii_digit);
    let prompt = matches!(value.last(), Some(b':' | b'='));
    // `AWS::ApiGateway::ApiKey` names a type.
    let typed = candidate.before().windows(5).any(|window| window == b"AWS::");
    Check::of(
        value.len() >= 6
            && !(code || entity || prompt || typed || control || number)
            && !(placeholder(value) || reference(value) || plain_word(value))
            && !(date(value) || identifier(value) || failed_checksum(value)),
    )
}

/// A password in a sentence: it has a digit or a mark between letters, besides what an assigned one
/// must not be.
pub(in super::super) fn spoken_password(candidate: Candidate<'_>) -> Check {
    let value = candidate.value();
    let digit = value.iter().any(u8::is_ascii_digit);
    let letter = value.iter().any(u8::is_ascii_alphabetic);
    let mark = value.iter().any(|byte| b"!@#$%^&*+=?~".contains(byte));
    let unit = value.iter().take_while(|byte| byte.is_ascii_digit()).count() > 0
        && value
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
        && value.contains(&b'-');
    if letter && (digit || mark) && !unit { assigned_password(candidate) } else { Check::Invalid }
}

/// Basic credentials (RFC 7617 section 2): base64 of `user:password` in printable text, the password
/// no placeholder. The RFC's own example is published.
pub(in super::super) fn basic_credentials(value: &[u8]) -> Check {
    let bare = value.trim_ascii_end();
    let bare: Vec<u8> = bare.iter().copied().filter(|byte| *byte != b'=').collect();
    let bytes = BASE64_NOPAD.decode(&bare).or_else(|_| BASE64URL_NOPAD.decode(&bare));
    let Ok(bytes) = bytes else { return Check::Invalid };
    let Some(colon) = bytes.iter().position(|byte| *byte == b':') else { return Check::Invalid };
    let (user, password) = bytes.split_at(colon);
    let password = password.get(1..).unwrap_or_default();
    let printable =
        std::str::from_utf8(&bytes).is_ok_and(|text| !text.chars().any(char::is_control));
    let words = user.len() + password.len() >= 6 && (password.len() >= 3 || user.len() >= 16);
    let filled = !placeholder(password) && !reference(password);
    Check::of(printable && words && filled)
        .published_if(matches!(bytes.as_slice(), b"Aladdin:open sesame" | b"test:123\xc2\xa3"))
}

/// A seed of one-time passwords (RFC 4226, RFC 6238): base32 of ten bytes and more that vary.
pub(in super::super) fn otp_seed(value: &[u8]) -> Check {
    let bare: Vec<u8> = value
        .iter()
        .filter(|byte| !matches!(byte, b' ' | b'-' | b'='))
        .map(u8::to_ascii_uppercase)
        .collect();
    let known = bare.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
    let digit = bare.iter().any(u8::is_ascii_digit);
    Check::of(bare.len() >= 16 && known && kinds(&bare) >= 6 && (digit || wordiness(&bare) < 0.66))
}

/// A calendar date or time stamp of ISO 8601.
fn date(value: &[u8]) -> bool {
    matches!(value, [a, b, c, d, b'-' | b'/', e, f, b'-' | b'/', ..]
        if [a, b, c, d, e, f].iter().all(|byte| byte.is_ascii_digit()))
}

/// A name in code: words joined by `_` or `.`, few digits.
fn identifier(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    value.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(byte))
        && value.iter().any(|byte| b"_.".contains(byte))
        && digits <= 2
        && !value.windows(2).any(|pair| matches!(pair, [b'0'..=b'9', b'a'..=b'z' | b'A'..=b'Z']))
        && wordiness(value) > 0.66
}

/// Words that stand where a password would.
pub(super) fn placeholder(value: &[u8]) -> bool {
    const WHOLE: &str = "password passwd passphrase passwort pass pwd secret token user username \
        root admin guest null none nil true false undefined string text hidden masked redacted \
        removed empty default value changeit change_me test testing foo bar baz foobar xxx abc";
    const PARTS: [&[u8]; 15] = [
        b"uvwxyz",
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
    // Letters, digits and joints alone: `password123`, `my-password-1`.
    let plain = lower.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(byte));
    kinds(&lower) <= 2
        || one_of(WHOLE, &lower)
        || stripped.len() + 2 >= lower.len()
            && one_of("password passwd passphrase secret", &stripped)
        || plain && one_of("password passwd pass test abc xyz foo bar user demo sample", &stripped)
        || plain && lower.windows(8).any(|window| window == b"password")
        || PARTS.iter().any(|part| lower.windows(part.len()).any(|window| window == *part))
}

/// References to variables of shells, templates and languages.
pub(super) fn reference(value: &[u8]) -> bool {
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
    use crate::rules::Validator;
    use crate::scan::validate::tests::{invalid, published, valid};

    #[test]
    fn credentials_of_basic() {
        valid(Validator::BasicCredentials, "YXBwOm4wdC1hLVJlYWwx");
        published(Validator::BasicCredentials, "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        for text in ["bm90aGluZ2hlcmU=", "dXNlcjpwYXNzd29yZA==", "!!!", "AAECAwQFBgcICToKCww="] {
            invalid(Validator::BasicCredentials, text);
        }
    }

    #[test]
    fn seeds_of_one_time_passwords() {
        valid(Validator::OtpSeed, "JBSWY3DPEHPK3PXP");
        valid(Validator::OtpSeed, "jbsw y3dp ehpk 3pxp");
        for text in ["JBSWY3DP", "AAAAAAAAAAAAAAAA", "JBSWY3DPEHPK3PX1"] {
            invalid(Validator::OtpSeed, text);
        }
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
            "2016-09-24T16:18:07Z",
            "new_password2",
            "self.secret_value1",
            "&quot;abc1&quot;",
            "Password2:",
            "123456789012345678901234567890",
            "c\u{2}\u{3}abc1",
        ] {
            invalid(Validator::AssignedPassword, code);
        }
    }
}
