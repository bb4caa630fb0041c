//! JSON comes in, a checked flow header comes out.

use crate::model::{Channel, FlowHeader};

/// The most bytes that a flow header may have: 64 KiB.
pub const MAX_HEADER: usize = 64 * 1024;

/// The most bytes of one text in a flow header.
pub const MAX_TEXT: usize = 2048;

/// The most entries of `parents` and `labels`.
pub const MAX_ENTRIES: usize = 256;

/// Reads a header from JSON and checks it.
///
/// # Errors
///
/// See [`HeaderError`]; every one of them means block.
pub fn parse_header(json: &[u8]) -> Result<FlowHeader, HeaderError> {
    parse(json, None)
}

/// Reads a header whose channel is `channel` where it names none.
///
/// # Errors
///
/// See [`HeaderError`]; every one of them means block.
pub fn parse_header_for(json: &[u8], channel: Channel) -> Result<FlowHeader, HeaderError> {
    parse(json, Some(channel))
}

fn parse(json: &[u8], channel: Option<Channel>) -> Result<FlowHeader, HeaderError> {
    if json.len() > MAX_HEADER {
        return Err(HeaderError::TooLarge(json.len()));
    }
    // A list would be taken as the fields in their order.
    if json.trim_ascii_start().first() != Some(&b'{') {
        let kind = "it is no object";
        return Err(HeaderError::Malformed { kind, line: 1, column: 1 });
    }
    let mut header: FlowHeader = serde_json::from_slice(json).map_err(|error| {
        let kind = match error.classify() {
            serde_json::error::Category::Syntax => "syntax",
            serde_json::error::Category::Eof => "it ends early",
            _ => "an unknown or repeated field, or a value of the wrong type",
        };
        HeaderError::Malformed { kind, line: error.line(), column: error.column() }
    })?;
    header.channel = header.channel.or(channel);
    check_header(&header)?;
    Ok(header)
}

/// Checks the limits and that a channel is named.
///
/// # Errors
///
/// See [`HeaderError`].
pub fn check_header(header: &FlowHeader) -> Result<(), HeaderError> {
    if header.channel.is_none() {
        return Err(HeaderError::NoChannel);
    }
    if header.parents.len() > MAX_ENTRIES {
        return Err(HeaderError::TooMany("parents"));
    }
    if header.labels.len() > MAX_ENTRIES {
        return Err(HeaderError::TooMany("labels"));
    }
    for (name, text) in header.texts() {
        if text.as_str().len() > MAX_TEXT {
            return Err(HeaderError::TextTooLong(name));
        }
        if text.as_str().is_empty() || text.as_str().chars().any(char::is_control) {
            return Err(HeaderError::BadText(name));
        }
    }
    Ok(())
}

/// Why a flow header cannot be used. Holds no text of the header: it may hold regulated data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Longer than [`MAX_HEADER`].
    #[error("the flow header has {0} bytes; {MAX_HEADER} are allowed")]
    TooLarge(usize),
    /// No JSON object, an unknown field, or a value of the wrong type.
    #[error(
        "the flow header is no JSON object of the known fields ({kind}, line {line}, column \
         {column}); known are {FIELDS}"
    )]
    Malformed {
        /// What is wrong: syntax, data or an early end.
        kind: &'static str,
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
    },
    /// A text longer than [`MAX_TEXT`].
    #[error("`{0}` is longer than {MAX_TEXT} bytes")]
    TextTooLong(&'static str),
    /// A text with control characters, or an empty one.
    #[error("`{0}` is empty or has control characters")]
    BadText(&'static str),
    /// More entries than [`MAX_ENTRIES`].
    #[error("`{0}` has more than {MAX_ENTRIES} entries")]
    TooMany(&'static str),
    /// No channel.
    #[error(
        "`channel` is missing: one of prompt, retrieval, tool_input, tool_output, completion, \
         export, commit"
    )]
    NoChannel,
}

/// The names of the header's fields, for messages.
const FIELDS: &str = "run, step, parents, workflow, channel, trigger, agent, tool, source, \
                      destination, purpose, labels, format, grant, escalation";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Channel;

    fn parse(json: &str) -> Result<FlowHeader, HeaderError> {
        parse_header(json.as_bytes())
    }

    #[test]
    fn a_header_names_its_fields() {
        let header = parse(r#"{"channel": "tool_input", "run": "r1", "labels": ["pci.pan"]}"#);
        let header = header.expect("it is one");
        assert_eq!(header.channel, Some(Channel::ToolInput));
        assert!(header.has("run") && header.has("channel") && header.has("labels"));
        assert!(!header.has("purpose"));
        let again = serde_json::to_vec(&header).expect("it is JSON");
        assert_eq!(parse_header(&again), Ok(header));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let malformed = |json: &str| matches!(parse(json), Err(HeaderError::Malformed { .. }));
        assert!(malformed(""));
        assert!(malformed("[]"));
        assert!(malformed(r#"{"channel": "prompt", "uid": 0}"#));
        assert!(malformed(r#"{"channel": "prompt", "channel": "commit"}"#));
        assert!(malformed(r#"{"channel": "Prompt"}"#));
        assert!(malformed(r#"{"channel": "prompt", "run": 7}"#));
        assert!(malformed(r#"{"channel": "prompt"} {}"#));
        assert_eq!(parse("{}"), Err(HeaderError::NoChannel));
        assert_eq!(parse(r#"{"channel": "prompt", "run": ""}"#), Err(HeaderError::BadText("run")));
        assert_eq!(
            parse(r#"{"channel": "prompt", "parents": ["a\u001b[31m"]}"#),
            Err(HeaderError::BadText("parents"))
        );
        let long = format!(r#"{{"channel": "prompt", "tool": "{}"}}"#, "x".repeat(MAX_TEXT + 1));
        assert_eq!(parse(&long), Err(HeaderError::TextTooLong("tool")));
        let many: Vec<String> = (0..=MAX_ENTRIES).map(|at| format!("\"p{at}\"")).collect();
        let many = format!(r#"{{"channel": "prompt", "parents": [{}]}}"#, many.join(","));
        assert_eq!(parse(&many), Err(HeaderError::TooMany("parents")));
        assert_eq!(parse(&" ".repeat(MAX_HEADER + 1)), Err(HeaderError::TooLarge(MAX_HEADER + 1)));
    }

    #[test]
    fn no_claim_is_shown() {
        let header = parse(r#"{"channel": "prompt", "trigger": "078-05-1120"}"#).expect("valid");
        assert!(!format!("{header:?}").contains("078"));
        let error = parse(r#"{"channel": "prompt", "078-05-1120": 1}"#).expect_err("unknown");
        assert!(!format!("{error} {error:?}").contains("078"));
    }
}
