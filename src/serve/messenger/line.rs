//! The lines between the daemon and its helper: JSON objects, one a line.
//!
//! To the helper: `{"path": id, "event": {...}}` and `{"reload": true}`, and nothing else: a line
//! cannot carry a command. From it: one answer an event, and one a reading of the configuration.

use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most bytes of a line to the helper, its end apart.
pub const MAX_LINE: usize = 128 * 1024;

/// The most bytes of an answer.
pub const MAX_ANSWER: usize = 16 * 1024;

/// What the daemon asks for.
#[derive(Debug, PartialEq)]
pub enum Request {
    /// A path is to be told.
    Event { path: String, event: Map<String, Value> },
    /// The configuration is to be read again.
    Reload,
}

/// What the helper says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// What became of an event.
    Event {
        /// Id of the path; empty where the line could not be read.
        path: String,
        /// Whether its command ran and ended well.
        told: bool,
        /// Events that were held back: before this one, or with it where it was held back itself.
        held_back: u64,
        /// Why it was not told; none where it was, or was held back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// What came of reading the configuration.
    Registered {
        /// Paths that are known now.
        paths: usize,
        /// Why the configuration is not used.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
}

#[derive(Serialize)]
struct EventLine<'a> {
    path: &'a str,
    event: &'a Map<String, Value>,
}

/// The line of an event, with its end; none where it would be too long.
pub fn event_line(path: &str, event: &Map<String, Value>) -> Option<Vec<u8>> {
    let mut line = serde_json::to_vec(&EventLine { path, event }).ok()?;
    if line.len() > MAX_LINE {
        return None;
    }
    line.push(b'\n');
    Some(line)
}

/// The line that asks for the configuration to be read again.
pub const RELOAD: &[u8] = b"{\"reload\":true}\n";

/// Reads a line of the daemon.
///
/// # Errors
///
/// What is wrong with it, in words that hold nothing of it.
pub fn request(line: &[u8]) -> Result<Request, &'static str> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Raw {
        path: Option<String>,
        event: Option<Map<String, Value>>,
        reload: Option<bool>,
    }
    match serde_json::from_slice(line) {
        Ok(Raw { path: Some(path), event: Some(event), reload: None }) => {
            Ok(Request::Event { path, event })
        }
        Ok(Raw { path: None, event: None, reload: Some(true) }) => Ok(Request::Reload),
        Ok(_) | Err(_) => Err("the line is neither an event of a path nor `reload`"),
    }
}

/// A line, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its end.
    Whole(Vec<u8>),
    /// It was longer than it may be, and was passed over.
    TooLong,
    /// There are no more; a line without an end is none.
    End,
}

/// The next line of at most `limit` bytes.
///
/// # Errors
///
/// Those of the reader.
pub fn next_line(reader: &mut impl BufRead, limit: usize) -> io::Result<Line> {
    let (mut line, mut too_long) = (Vec::new(), false);
    loop {
        let piece = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            piece => piece?,
        };
        if piece.is_empty() {
            return Ok(Line::End);
        }
        let end = memchr::memchr(b'\n', piece);
        let part = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
        too_long |= line.len().saturating_add(part.len()) > limit;
        if too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        match (end, too_long) {
            (None, _) => {}
            (Some(_), true) => return Ok(Line::TooLong),
            (Some(_), false) => return Ok(Line::Whole(line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event() -> Map<String, Value> {
        Map::from_iter([("effect".to_owned(), json!("block"))])
    }

    #[test]
    fn a_line_is_an_event_or_reload_and_carries_no_command() {
        let line = event_line("queue", &event()).expect("short");
        let read = request(line.strip_suffix(b"\n").expect("an end"));
        assert_eq!(read, Ok(Request::Event { path: "queue".into(), event: event() }));
        assert_eq!(request(RELOAD.trim_ascii_end()), Ok(Request::Reload));
        for bad in [
            r#"{"path":"queue","event":{},"command":["/bin/sh"]}"#,
            r#"{"path":"queue","event":{},"timeout":9}"#,
            r#"{"path":"queue","event":{},"reload":true}"#,
            r#"{"path":"queue","path":"other","event":{}}"#,
            r#"{"path":"queue","event":"text"}"#,
            r#"{"path":7,"event":{}}"#,
            r#"{"path":"queue"}"#,
            r#"{"reload":false}"#,
            r#"{"reload":true,"config":"/tmp/own.toml"}"#,
            "{}",
            "[]",
            "reload",
            "",
        ] {
            assert!(request(bad.as_bytes()).is_err(), "{bad}");
        }
        let large = Map::from_iter([("x".to_owned(), json!("x".repeat(MAX_LINE)))]);
        assert_eq!(event_line("queue", &large), None);
    }

    #[test]
    fn answers_are_told_apart() {
        let told = r#"{"path":"queue","told":false,"held_back":3}"#;
        let read: Answer = serde_json::from_str(told).expect("an answer");
        let event =
            Answer::Event { path: "queue".into(), told: false, held_back: 3, problem: None };
        assert_eq!((serde_json::to_string(&read).expect("JSON").as_str(), read), (told, event));
        let read: Answer = serde_json::from_str(r#"{"paths":2}"#).expect("an answer");
        assert_eq!(read, Answer::Registered { paths: 2, problem: None });
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let mut text: &[u8] = b"12345\n123456\n\n12345678901234567890\n1\nrest";
        let mut next = || next_line(&mut text, 5).expect("no failure");
        assert_eq!(next(), Line::Whole(b"12345".to_vec()));
        assert_eq!(next(), Line::TooLong);
        assert_eq!(next(), Line::Whole(Vec::new()));
        assert_eq!(next(), Line::TooLong);
        assert_eq!(next(), Line::Whole(b"1".to_vec()));
        assert_eq!([next(), next()], [Line::End, Line::End]);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_they_arrive(
            text in "[a-c\n]{0,60}", size in 1usize..9, limit in 0usize..9
        ) {
            let mut reader = io::BufReader::with_capacity(size, text.as_bytes());
            let mut lines: Vec<&str> = text.split('\n').collect();
            lines.pop();
            for line in lines {
                let expected = if line.len() > limit {
                    Line::TooLong
                } else {
                    Line::Whole(line.as_bytes().to_vec())
                };
                prop_assert_eq!(next_line(&mut reader, limit).expect("no failure"), expected);
            }
            prop_assert_eq!(next_line(&mut reader, limit).expect("no failure"), Line::End);
        }

        #[test]
        fn no_line_makes_reading_fail(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = request(&line);
        }
    }
}
