//! What a request of LiteLLM holds beside its texts and images: messages, tools, tool calls, and
//! whatever a later version adds. It is one payload, without what is decided by itself.
//!
//! The payload is JSON with every string as it reads, without escapes: the scan takes bytes as they
//! stand, and the `n` of an escaped line break would hide the number behind it.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// Where LiteLLM takes texts and images of a message from, and writes redacted texts back to.
const DECIDED: [&str; 4] = ["content", "text", "image_url", "url"];

/// Other keys that hold nothing but words of the protocol.
const KEYS: [&str; 5] = ["role", "type", MESSAGES, "tools", "tool_calls"];

const MESSAGES: &str = "structured_messages";

/// Words of the protocol.
const WORDS: [&str; 12] = [
    "user",
    "assistant",
    "system",
    "developer",
    "tool",
    "function",
    "text",
    "input_text",
    "output_text",
    "image_url",
    "input_image",
    "",
];

/// Characters of base64 that cannot be read as a word or a name any more.
const LONG: usize = 256;

/// A line of base64 that is one of many has at least so many characters (RFC 7468: 64, RFC 2045: 76).
const LINE: usize = 60;

/// How often what comes out of escapes is looked at for escapes, as of JSON in JSON in a string.
const DECODED_AT_MOST: usize = 4;

/// The rest of a request.
pub struct Rest {
    /// Every key and value, on a line of its own.
    pub text: String,
    /// Whether there are files, recordings or pictures among it, which a scan cannot read.
    pub is_opaque: bool,
}

/// The rest; none where it says nothing that is not decided elsewhere.
pub fn without(rest: Map<String, Value>, texts: &[String], images: &[String]) -> Option<Rest> {
    let decided: HashSet<&str> = texts.iter().chain(images).map(String::as_str).collect();
    let mut rest = rest;
    let mut says_more = false;
    for (key, value) in &mut rest {
        let place = if key == MESSAGES { Place::Message } else { Place::Elsewhere };
        let own = is_own(key, value);
        says_more |= own;
        says_more |= strip(value, place, &decided);
    }
    says_more.then(|| {
        let mut written = Rest { text: String::new(), is_opaque: false };
        written.object(&rest, "");
        written
    })
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a message.
    Message,
    /// In the content of a message.
    Content,
    /// Where nothing is written back to.
    Elsewhere,
}

/// Empties strings that are decided by themselves; whether anything else is left that may hold data.
fn strip(value: &mut Value, place: Place, decided: &HashSet<&str>) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::Number(_) => true,
        Value::String(text) => {
            if place == Place::Content && decided.contains(text.as_str()) {
                text.clear();
            }
            !WORDS.contains(&text.as_str())
        }
        Value::Array(items) => {
            let mut more = false;
            for item in items {
                more |= strip(item, place, decided);
            }
            more
        }
        Value::Object(fields) => {
            let mut more = false;
            for (key, item) in fields {
                let is_content = place != Place::Elsewhere && DECIDED.contains(&key.as_str());
                let place = if is_content { Place::Content } else { Place::Elsewhere };
                more |= !is_content && is_own(key, item);
                more |= strip(item, place, decided);
            }
            more
        }
    }
}

/// Whether a key may itself be data. One that holds nothing says nothing, unless it is data itself.
fn is_own(key: &str, value: &Value) -> bool {
    let says_nothing = value.is_null() && is_plain(key);
    !says_nothing && !KEYS.contains(&key)
}

/// Whether a key is a name as programs have them, too plain to be data.
fn is_plain(key: &str) -> bool {
    key.len() <= 40 && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

impl Rest {
    /// Writes an object that stands under a key.
    fn object(&mut self, fields: &Map<String, Value>, under: &str) {
        self.text.push('{');
        for (number, (key, value)) in fields.iter().enumerate() {
            self.text.push_str(if number == 0 { "\n" } else { ",\n" });
            self.string(key);
            self.text.push_str(": ");
            self.value(value, key, under);
        }
        self.text.push('}');
    }

    /// Writes the value of a key, of an object that stands under another one.
    fn value(&mut self, value: &Value, key: &str, under: &str) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                self.text.push_str(&value.to_string());
            }
            Value::String(text) => {
                let is_file = key == "file_data" || (under == "input_audio" && key == "data");
                self.is_opaque |= is_file && !text.is_empty();
                self.string(text);
            }
            Value::Array(items) => {
                self.text.push('[');
                for (number, item) in items.iter().enumerate() {
                    self.text.push_str(if number == 0 { "\n" } else { ",\n" });
                    self.value(item, key, under);
                }
                self.text.push(']');
            }
            Value::Object(fields) => self.object(fields, key),
        }
    }

    /// Writes a string as it stands, and again without the escapes in it: arguments of a tool are
    /// JSON in a string. They are not parsed, for those that are cut off hold data as well, and so
    /// does the first of two keys of one name.
    fn string(&mut self, text: &str) {
        let is_json = text.trim_start().starts_with(['{', '[']);
        let decoded = decoded(text);
        for text in std::iter::once(text).chain(decoded.as_deref()) {
            self.is_opaque |= is_encoded(text);
            if is_json {
                self.text.push_str(text);
            } else {
                self.text.push('"');
                self.text.push_str(text);
                self.text.push('"');
            }
            if decoded.is_some() {
                self.text.push('\n');
            }
        }
    }
}

/// A text without escapes of JSON (RFC 8259, section 7); none where it has none.
fn decoded(text: &str) -> Option<String> {
    let mut decoded = decoded_once(text)?;
    for _ in 1..DECODED_AT_MOST {
        let Some(again) = decoded_once(&decoded) else { break };
        decoded = again;
    }
    Some(decoded)
}

fn decoded_once(text: &str) -> Option<String> {
    let mut rest = text;
    let mut out = String::new();
    let mut is_changed = false;
    while let Some((before, behind)) = rest.split_once('\\') {
        out.push_str(before);
        match escaped(behind) {
            Some((character, behind)) => {
                out.push(character);
                is_changed = true;
                rest = behind;
            }
            None => {
                out.push('\\');
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    is_changed.then_some(out)
}

/// The character that an escape stands for, without its backslash, and what is behind it.
fn escaped(text: &str) -> Option<(char, &str)> {
    let mut characters = text.chars();
    let character = match characters.next()? {
        character @ ('"' | '\\' | '/') => character,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unit(characters.as_str()).and_then(|(first, behind)| pair(first, behind)),
        _ => return None,
    };
    Some((character, characters.as_str()))
}

/// The character of a UTF-16 unit, with the escape behind it where it needs one.
fn pair(first: u16, behind: &str) -> Option<(char, &str)> {
    if let Some(character) = char::from_u32(u32::from(first)) {
        return Some((character, behind));
    }
    let (second, behind) = unit(behind.strip_prefix("\\u")?)?;
    let character = char::decode_utf16([first, second]).next()?.ok()?;
    Some((character, behind))
}

/// Four hexadecimal digits.
fn unit(text: &str) -> Option<(u16, &str)> {
    let (digits, behind) = text.split_at_checked(4)?;
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let unit = u16::from_str_radix(digits, 16).ok().filter(|_| are_digits)?;
    Some((unit, behind))
}

/// Whether a text holds a data URI (RFC 2397) or long base64 (RFC 4648, sections 4 and 5), in which
/// anything may be.
fn is_encoded(text: &str) -> bool {
    let is_uri = text.as_bytes().windows(9).any(|window| match window.split_last() {
        Some((first, mark)) => mark.eq_ignore_ascii_case(b";base64,") && is_base64(*first),
        None => false,
    });
    let mut lines = 0;
    is_uri
        || text.split('\n').map(str::trim).any(|line| {
            let run = line.as_bytes();
            let is_whole =
                run.len() >= LINE && holds_letters(run) && run.iter().all(|byte| is_base64(*byte));
            lines = if is_whole { lines + run.len() } else { 0 };
            lines >= LONG || run.split(|byte| !is_base64(*byte)).any(is_long)
        })
}

fn is_long(run: &[u8]) -> bool {
    run.len() >= LONG && holds_letters(run)
}

/// A drawn line holds none.
fn holds_letters(run: &[u8]) -> bool {
    run.iter().any(u8::is_ascii_alphanumeric)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(rest: Value) -> Option<Rest> {
        let Value::Object(rest) = rest else { panic!("an object") };
        let texts = ["Hello".to_owned(), "World".to_owned()];
        let images = ["https://pictures.example/1.png".to_owned()];
        without(rest, &texts, &images)
    }

    #[test]
    fn what_is_decided_by_itself_is_left_out() {
        let messages = json!([
            {"role": "system", "content": "Hello"},
            {"role": "user", "content": [
                {"type": "text", "text": "World"},
                {"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}},
            ]},
        ]);
        let rest = json!({"structured_messages": messages, "tools": null, "tool_calls": null});
        assert!(of(rest).is_none());
        assert!(of(json!({})).is_none());
    }

    #[test]
    fn everything_else_is_left_in() {
        for rest in [
            json!({"structured_messages": [{"role": "user", "content": "Hello!"}]}),
            json!({"structured_messages": [{"role": "user", "content": "Hello", "name": "Ada"}]}),
            json!({"structured_messages": [{"role": "user", "content": 4111}]}),
            json!({"structured_messages": [{"123-45-6789": "Hello"}]}),
            json!({"structured_messages": [{"123-45-6789": null}]}),
            json!({"tools": [{"type": "function", "function": {"description": "x"}}]}),
            json!({"tool_calls": [{"function": {"arguments": "{}"}}]}),
            json!({"documents": ["x"]}),
            json!({"documents": "Hello"}),
            // Redaction of a text does not reach these.
            json!({"structured_messages": [{"tool_calls": [{"function": {"arguments": "Hello"}}]}]}),
            json!({"tool_calls": ["Hello"]}),
            json!({"tools": [{"content": "Hello"}]}),
        ] {
            assert!(of(rest.clone()).is_some(), "{rest}");
        }
        let left = json!({"structured_messages": [{"content": "Hello"}, {"content": "more"}]});
        let left = of(left.clone()).unwrap();
        let expected = json!({"structured_messages": [{"content": ""}, {"content": "more"}]});
        assert_eq!(serde_json::from_str::<Value>(&left.text).unwrap(), expected);
        assert!(!left.is_opaque);
    }

    #[test]
    fn strings_and_keys_are_written_without_escapes() {
        let inner = json!({"note": "c\nd \u{1f600}"}).to_string();
        let twice = json!({"body": json!({"note": "e\nf"}).to_string()}).to_string();
        let cut = r#"{"note": "\u0067\n\u0068 \ud83d\ude00 \ud83d \u00"#;
        let rest = json!({
            "x": "a\nb", "k\nl": 1, "arguments": [inner, twice, cut], "path": r"C:\data\Q1",
            "same": r#"{"key": "m\nn", "key": "o"}"#,
        });
        let text = of(rest).unwrap().text;
        for part in [
            "\"x\": \"a\nb\"",
            "\"k\nl\": 1",
            "{\"note\":\"c\nd \u{1f600}\"}",
            "\"e\nf\"",
            "{\"note\": \"g\nh \u{1f600} \\ud83d \\u00",
            r#""path": "C:\data\Q1""#,
            "\"m\nn\"",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn files_recordings_and_pictures_are_opaque() {
        let run = "JVBERi0x".repeat(32);
        let lines = format!("{}\r\n", "JVBERi0x".repeat(8)).repeat(4);
        let message = |content: Value| json!({"structured_messages": [{"content": [content]}]});
        for rest in [
            message(json!({"type": "file", "file": {"file_data": "JVBERi0="}})),
            message(json!({"type": "input_audio", "input_audio": {"data": "UklGRg=="}})),
            message(
                json!({"type": "image_url", "image_url": {"url": "data:image/png;BASE64,iVBORw0="}}),
            ),
            message(json!({"image_url": "data:image/png;base64,iVBORw0="})),
            json!({"of_a_later_version": [[run]]}),
            json!({"of_a_later_version": lines}),
            json!({"tool_calls": [{"function": {"arguments": json!({"x": run}).to_string()}}]}),
            json!({ run.clone(): 1 }),
        ] {
            assert!(of(rest.clone()).unwrap().is_opaque, "{rest}");
        }
        for rest in [
            message(json!({"type": "file", "file": {"file_id": "file-7", "file_data": ""}})),
            json!({"x": run.get(1..).unwrap()}),
            json!({"x": "-".repeat(300)}),
            json!({"x": "words of which there are many ".repeat(100)}),
            json!({"tools": [{"properties": {"file_data": {"type": "string"}, "data": {}}}]}),
            json!({"tools": [{"description": "a picture, as in data:image/png;base64,..."}]}),
        ] {
            assert!(!of(rest.clone()).unwrap().is_opaque, "{rest}");
        }
    }
}
