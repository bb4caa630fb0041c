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
    /// The name with every finding of band likely and up masked: each of its characters is a `*`,
    /// all others are as they were.
    fn clean(&self, name: &str) -> String;
}

/// The name with control, bidirectional and invisible characters as `\u{..}` and `\` as `\\`, so
/// that a terminal shows what is there and the name can be read back.
pub fn escape(name: &str) -> String {
    escape_unseen(&double_backslashes(name))
}

/// A path as reports and messages show it: regulated data masked, bytes that are no UTF-8 as
/// `\xNN`, the rest escaped as [`escape`] does.
pub fn path(path: &Path, names: &dyn NameCleaner) -> String {
    let mut shown = String::new();
    for chunk in masked_bytes(path.as_os_str().as_encoded_bytes(), names).utf8_chunks() {
        shown.push_str(&escape(chunk.valid()));
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// A column name, problem or other text from outside as reports show it.
pub(super) fn name(name: &str, names: &dyn NameCleaner) -> String {
    let clean = masked_text(head(name), names);
    let shown: String = clean.chars().take(SHOWN_CHARS).collect();
    escape(&shown) + if shown.len() < clean.len() { "…" } else { "" }
}

/// A JSON path as reports show it. Its keys are looked at as they were in the payload, one by one,
/// since the punctuation of the path would hide what stands behind it; then the path is.
pub(super) fn json_path(path: &str, names: &dyn NameCleaner) -> String {
    let mut clean = String::with_capacity(path.len());
    let mut rest = head(path);
    while let Some(first) = rest.chars().next() {
        let (key, behind) = split_key(rest);
        if key.is_empty() {
            clean.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        }
        let (step, _) = rest.split_at_checked(rest.len() - behind.len()).unwrap_or_default();
        match masked_text(&key, names) {
            masked if masked == key => clean.push_str(step),
            masked => clean.push_str(&crate::scan::structure::key_step(&masked)),
        }
        rest = behind;
    }
    name(&clean, names)
}

/// The key of the step that a path begins with, unescaped, and the path behind it; an empty key
/// where it begins with something else.
fn split_key(path: &str) -> (String, &str) {
    let none = (String::new(), path);
    if let Some(plain) = path.strip_prefix('.') {
        let end = plain.find(['.', '[']).unwrap_or(plain.len());
        return plain.split_at_checked(end).map_or(none, |(key, rest)| (key.to_owned(), rest));
    }
    let Some(quoted) = path.strip_prefix("[\"") else { return none };
    let mut key = String::new();
    let mut rest = quoted.chars();
    while let Some(character) = rest.next() {
        match character {
            '"' => {
                let rest = rest.as_str();
                return (key, rest.strip_prefix(']').unwrap_or(rest));
            }
            '\\' => match rest.next() {
                Some('u') => {
                    let digits: String = rest.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                    key.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                other => key.extend(other),
            },
            other => key.push(other),
        }
    }
    // A path that was cut: all of it is the key.
    (key, "")
}

/// A masked value as reports show it: it holds the punctuation of the value, which may be any
/// character.
pub(super) fn masked(value: &str) -> String {
    escape_unseen(value)
}

/// A path as a relative or `file:` URI reference (RFC 3986), every byte kept that is not masked.
pub(super) fn uri(path: &Path, names: &dyn NameCleaner) -> String {
    let bytes = masked_bytes(path.as_os_str().as_encoded_bytes(), names);
    let (mut uri, bytes) = match bytes.as_slice() {
        bytes @ [b'/', ..] => (String::from("file://"), bytes),
        [b'.', b'/', rest @ ..] => (String::new(), rest),
        bytes => (String::new(), bytes),
    };
    for byte in bytes {
        // A colon is encoded too: in a first segment it would read as a scheme.
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// What is looked at of a name.
fn head(name: &str) -> &str {
    name.get(..name.floor_char_boundary(READ_BYTES)).unwrap_or_default()
}

/// The bytes with regulated data masked. They are looked at as they are: an escape in front of a
/// value would hide it. What is no UTF-8 counts as one character a sequence.
fn masked_bytes(bytes: &[u8], names: &dyn NameCleaner) -> Vec<u8> {
    let clean = masked_text(&String::from_utf8_lossy(bytes), names);
    let mut clean = clean.chars();
    let mut masked = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for _ in chunk.valid().chars() {
            let character = clean.next().unwrap_or('*');
            masked.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if !chunk.invalid().is_empty() {
            match clean.next() {
                Some(char::REPLACEMENT_CHARACTER) => masked.extend_from_slice(chunk.invalid()),
                _ => masked.push(b'*'),
            }
        }
    }
    masked
}

/// What the cleaner makes of text; all of it masked if that is not character for character.
fn masked_text(text: &str, names: &dyn NameCleaner) -> String {
    let clean = names.clean(text);
    let agrees = clean.chars().count() == text.chars().count()
        && clean.chars().zip(text.chars()).all(|(clean, raw)| clean == raw || clean == '*');
    if agrees { clean } else { text.chars().map(|_| '*').collect() }
}

fn double_backslashes(text: &str) -> Cow<'_, str> {
    if text.contains('\\') { text.replace('\\', "\\\\").into() } else { text.into() }
}

fn escape_unseen(text: &str) -> String {
    // Most text is plain, and is copied at once.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
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
            uri(os_path(b"in\xff/219-09-9998.txt"), &names),
            "in%FF/%2A%2A%2A%2A%2A%2A%2A%2A%2A%2A%2A.txt"
        );
    }

    /// Masks a whole name or nothing, as a rule does that allows nothing before its value.
    struct Whole(&'static str);

    impl NameCleaner for Whole {
        fn clean(&self, name: &str) -> String {
            name.chars().map(|c| if name == self.0 { '*' } else { c }).collect()
        }
    }

    #[test]
    fn keys_of_a_path_are_looked_at_as_the_payload_has_them() {
        let names = Whole("a\n\"b");
        assert_eq!(json_path(r#"$.x["a\u000a\"b"][3].y"#, &names), r#"$.x["****"][3].y"#);
        assert_eq!(json_path("$..a-1.b[0]", &Whole("a-1")), r#"$.["***"].b[0]"#);
        // What is not masked stays as it was, escapes and all.
        assert_eq!(json_path(r#"$["a\"b"].c"#, &NONE), r#"$["a\\"b"].c"#);
        assert_eq!(json_path(r#"$["cut"#, &Whole("cut")), r#"$["***"]"#);
    }

    #[test]
    fn a_cleaner_that_moves_characters_masks_all() {
        struct Shortens;
        impl NameCleaner for Shortens {
            fn clean(&self, name: &str) -> String {
                name.replace("219-09-9998", "*")
            }
        }
        assert_eq!(name("ssn 219-09-9998", &Shortens), "*".repeat(15));
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
