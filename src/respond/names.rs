//! Names from outside (paths, column names, JSON keys) come in; text that is safe to show comes
//! out.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

/// Characters of a column name, JSON path or problem that are shown; longer ones are cut.
const SHOWN_CHARS: usize = 512;

/// Bytes of such a name that are looked at. Far beyond what is shown, so that a value that this
/// cut splits is not shown at all.
const READ_BYTES: usize = 16 * 1024;

/// Masks regulated data in names. This module cannot see the engine, so the caller lends it one.
pub trait NameCleaner: Sync {
    /// The name with every finding of band likely and up masked with `*`.
    fn clean(&self, name: &str) -> String;
}

/// The name with control, bidirectional and invisible characters as `\u{..}` and `\` as `\\`, so
/// that a terminal shows what is there and the name can be read back.
pub fn escape(name: &str) -> String {
    escape_unseen(&double_backslashes(name))
}

/// A path as reports show it: bytes that are no UTF-8 as `\xNN`, regulated data masked, escaped.
pub(super) fn path(path: &Path, names: &dyn NameCleaner) -> String {
    escape_unseen(&names.clean(&lossless(path.as_os_str().as_encoded_bytes())))
}

/// A column name, JSON path or problem as reports show it.
pub(super) fn name(name: &str, names: &dyn NameCleaner) -> String {
    let head = name.get(..name.floor_char_boundary(READ_BYTES)).unwrap_or_default();
    let clean = names.clean(&double_backslashes(head));
    let mut shown: String = clean.chars().take(SHOWN_CHARS).collect();
    if shown.len() < clean.len() {
        shown.push('…');
    }
    escape_unseen(&shown)
}

/// A masked value as reports show it: it holds the punctuation of the value, which may be any
/// character.
pub(super) fn masked(value: &str) -> String {
    escape_unseen(value)
}

/// A path as a relative or `file:` URI reference (RFC 3986), every byte kept; a path that holds
/// regulated data gives that of its masked form.
pub(super) fn uri(path: &Path, names: &dyn NameCleaner) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let shown = lossless(bytes);
    let clean = names.clean(&shown);
    let bytes = if clean == shown { bytes } else { clean.as_bytes() };
    let (mut uri, bytes) = match bytes {
        [b'/', ..] => (String::from("file://"), bytes),
        [b'.', b'/', rest @ ..] => (String::new(), rest),
        _ => (String::new(), bytes),
    };
    for byte in bytes {
        // A colon is encoded too: in a first segment it would read as a scheme.
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// The bytes as text, without loss: what is no UTF-8 as `\xNN`, `\` as `\\`.
fn lossless(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(&double_backslashes(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

fn double_backslashes(text: &str) -> Cow<'_, str> {
    if text.contains('\\') { text.replace('\\', "\\\\").into() } else { text.into() }
}

fn escape_unseen(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unseen(character) {
            let _ = write!(escaped, "\\u{{{:x}}}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Control characters, and those that reorder, hide or split what a terminal shows (Unicode
/// general categories Cc, Zl and Zp, and of Cf the ones that occur in attacks: UTS 39, UAX 9).
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    /// Masks the digits of `secret`.
    struct Masks(&'static str);

    impl NameCleaner for Masks {
        fn clean(&self, name: &str) -> String {
            name.replace(self.0, &"*".repeat(self.0.len()))
        }
    }

    const NONE: Masks = Masks("\0nothing\0");

    fn os_path(bytes: &[u8]) -> &Path {
        Path::new(OsStr::from_bytes(bytes))
    }

    #[test]
    fn unseen_characters_are_escaped() {
        assert_eq!(
            escape("a\x1b[31m\n\u{202e}b\u{200b}é漢"),
            "a\\u{1b}[31m\\u{a}\\u{202e}b\\u{200b}é漢"
        );
        assert_eq!(escape("C:\\u{1b}"), "C:\\\\u{1b}");
    }

    #[test]
    fn different_paths_are_shown_differently() {
        let shown = |bytes: &[u8]| path(os_path(bytes), &NONE);
        assert_eq!(shown(b"caf\xe9/\xff"), "caf\\xe9/\\xff");
        assert_eq!(shown(b"caf\\xe9"), "caf\\\\xe9");
        assert_eq!(shown("r\u{2066}l".as_bytes()), "r\\u{2066}l");
        assert_eq!(shown(b"r\\u{2066}l"), "r\\\\u{2066}l");
    }

    #[test]
    fn regulated_data_in_names_is_masked() {
        let names = Masks("219-09-9998");
        assert_eq!(path(os_path(b"in/219-09-9998\xff.txt"), &names), "in/***********\\xff.txt");
        assert_eq!(name("ssn 219-09-9998", &names), "ssn ***********");
        assert_eq!(
            uri(os_path(b"in/219-09-9998.txt"), &names),
            "in/%2A%2A%2A%2A%2A%2A%2A%2A%2A%2A%2A.txt"
        );
    }

    #[test]
    fn long_names_are_cut_and_what_the_cut_splits_is_not_shown() {
        let long = format!("{}219-09-9998", "x".repeat(READ_BYTES - 3));
        let shown = name(&long, &Masks("219-09-9998"));
        assert_eq!(shown.chars().count(), SHOWN_CHARS + 1);
        assert!(!shown.contains('2') && shown.ends_with('…'));
        // Masked before the cut, so half a value never stands at the end.
        let split = format!("{}219-09-9998", "x".repeat(SHOWN_CHARS - 3));
        assert!(!name(&split, &Masks("219-09-9998")).contains('2'));
    }

    #[test]
    fn uris_keep_every_byte() {
        let of = |bytes: &[u8]| uri(os_path(bytes), &NONE);
        assert_eq!(of(b"./a b/c%d#e?.txt"), "a%20b/c%25d%23e%3F.txt");
        assert_eq!(of(b"/srv/\xff\n\\"), "file:///srv/%FF%0A%5C");
        assert_eq!(of(b"c:x"), "c%3Ax");
        assert_eq!(of("é".as_bytes()), "%C3%A9");
    }
}
