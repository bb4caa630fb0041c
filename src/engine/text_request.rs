//! One text of a batch: a line `{"id", "text"}`.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::model::Claimed;

/// A text to be classified, with what the caller calls it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRequest {
    /// What the caller calls it.
    pub id: TextId,
    /// The payload.
    pub text: String,
}

/// The text is a payload and is not shown.
impl std::fmt::Debug for TextRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextRequest").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

/// What the caller calls a text: a string or an integer, which comes back as it is.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum TextId {
    /// A string.
    Text(String),
    /// An integer that is not negative.
    Unsigned(u64),
    /// An integer.
    Signed(i64),
}

/// It comes from outside and is not shown.
impl std::fmt::Debug for TextId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TextId")
    }
}

impl TextRequest {
    /// The request on a line; none on a blank one.
    ///
    /// # Errors
    ///
    /// What is wrong, without quoting the line.
    pub fn parse(line: &[u8]) -> Result<Option<TextRequest>, String> {
        let text = std::str::from_utf8(line).map_err(|_| "line is not UTF-8".to_owned())?;
        if text.trim_ascii().is_empty() {
            return Ok(None);
        }
        serde_json::from_str(text).map(Some).map_err(|error| {
            // The parser's own words may quote the payload: only these are known not to.
            let words = error.to_string();
            let known = [
                ("missing field `id`", "`id` is missing"),
                ("missing field `text`", "`text` is missing"),
                ("duplicate field `id`", "`id` is there twice"),
                ("duplicate field `text`", "`text` is there twice"),
                ("unknown field", "there is a field other than `id` and `text`"),
                (NEEDS_ID, "`id` is neither a string nor an integer"),
            ];
            let known = known.into_iter().find(|(start, _)| words.starts_with(start));
            match known {
                Some((_, ours)) => ours.to_owned(),
                None => format!(
                    "line is no JSON object {{\"id\", \"text\"}}: wrong at column {}",
                    error.column()
                ),
            }
        })
    }
}

impl TextId {
    /// The id as the claim of where a payload came from.
    pub fn claimed(&self) -> Claimed {
        Claimed::new(match self {
            TextId::Text(text) => text.clone(),
            TextId::Unsigned(number) => number.to_string(),
            TextId::Signed(number) => number.to_string(),
        })
    }
}

const NEEDS_ID: &str = "needs an id";

/// By hand, since a derived one would first build a tree of whatever stands there.
impl<'de> Deserialize<'de> for TextId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TextId, D::Error> {
        struct IdVisitor;
        impl<'v> Visitor<'v> for IdVisitor {
            type Value = TextId;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a string or an integer")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<TextId, E> {
                Ok(TextId::Text(text.to_owned()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<TextId, E> {
                Ok(TextId::Unsigned(number))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<TextId, E> {
                Ok(TextId::Signed(number))
            }
            fn visit_seq<A: de::SeqAccess<'v>>(self, _: A) -> Result<TextId, A::Error> {
                Err(de::Error::custom(NEEDS_ID))
            }
            fn visit_map<A: de::MapAccess<'v>>(self, _: A) -> Result<TextId, A::Error> {
                Err(de::Error::custom(NEEDS_ID))
            }
            // Too large an integer comes as this, and would come back as another number.
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<TextId, E> {
                Err(E::custom(NEEDS_ID))
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<TextId, E> {
                Err(E::custom(NEEDS_ID))
            }
            fn visit_unit<E: de::Error>(self) -> Result<TextId, E> {
                Err(E::custom(NEEDS_ID))
            }
        }
        deserializer.deserialize_any(IdVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> String {
        TextRequest::parse(bytes).expect_err("a bad line")
    }

    #[test]
    fn requests_are_read() {
        let request = TextRequest::parse(br#" {"id":"a","text":"b"}"#).expect("good").expect("one");
        assert_eq!((request.id, request.text), (TextId::Text("a".into()), "b".into()));
        let request = TextRequest::parse(br#"{"text":"","id":-5}"#).expect("good").expect("one");
        assert_eq!(request.id, TextId::Signed(-5));
        assert!(TextRequest::parse(b" \r").expect("blank").is_none());
    }

    #[test]
    fn errors_quote_nothing_of_the_line() {
        let cases: [(&[u8], &str); 12] = [
            (br#"{"id":"219-09-9998"}"#, "`text` is missing"),
            (br#"{"text":"219-09-9998"}"#, "`id` is missing"),
            (
                br#"{"id":1,"text":"","219-09-9998":1}"#,
                "there is a field other than `id` and `text`",
            ),
            (br#"{"id":1,"text":"219-09-9998","text":""}"#, "`text` is there twice"),
            (br#"{"id":21909.9998,"text":""}"#, "`id` is neither a string nor an integer"),
            (
                br#"{"id":219099998219099998219,"text":""}"#,
                "`id` is neither a string nor an integer",
            ),
            (br#"{"id":null,"text":""}"#, "`id` is neither a string nor an integer"),
            (
                br#"{"id":1,"text":219099998}"#,
                "line is no JSON object {\"id\", \"text\"}: wrong at column 24",
            ),
            (br#"{"id":["219-09-9998"],"text":""}"#, "`id` is neither a string nor an integer"),
            (
                br#"{"id":1,"text":"219-09-9998""#,
                "line is no JSON object {\"id\", \"text\"}: wrong at column 28",
            ),
            (b"219-09-9998", "line is no JSON object {\"id\", \"text\"}: wrong at column 3"),
            (b"\xff219-09-9998", "line is not UTF-8"),
        ];
        for (bytes, error) in cases {
            assert_eq!(refused(bytes), error, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
