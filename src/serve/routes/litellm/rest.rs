//! What a request of LiteLLM holds beside its texts and images: messages, tools, tool calls, and
//! whatever a later version adds. It is one payload of JSON, without what is decided by itself.

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

/// The rest as JSON; none where it says nothing that is not decided elsewhere.
pub fn without(rest: Map<String, Value>, texts: &[String], images: &[String]) -> Option<Vec<u8>> {
    let decided: HashSet<&str> = texts.iter().chain(images).map(String::as_str).collect();
    let mut rest = rest;
    let mut says_more = false;
    for (key, value) in &mut rest {
        let place = if key == MESSAGES { Place::Message } else { Place::Elsewhere };
        let own = is_own(key, value);
        says_more |= own;
        says_more |= strip(value, place, &decided);
    }
    // Writing to memory does not fail; if it did, something would still be decided.
    says_more.then(|| serde_json::to_vec(&rest).unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(rest: Value) -> Option<Value> {
        let Value::Object(rest) = rest else { panic!("an object") };
        let texts = ["Hello".to_owned(), "World".to_owned()];
        let images = ["https://pictures.example/1.png".to_owned()];
        without(rest, &texts, &images).map(|it| serde_json::from_slice(&it).unwrap())
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
        assert_eq!(of(rest), None);
        assert_eq!(of(json!({})), None);
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
        let left = of(json!({"structured_messages": [{"content": "Hello"}, {"content": "more"}]}));
        assert_eq!(
            left,
            Some(json!({"structured_messages": [{"content": ""}, {"content": "more"}]}))
        );
    }
}
