//! The few fields of an entry that the ledger itself reads: sequence number, kind and time. All
//! else in an entry is for others.

use serde::Deserialize;

/// What an entry says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Header {
    /// The sequence number, where it is stated.
    #[serde(alias = "seq")]
    pub sequence: Option<u64>,
    /// The kind, such as `decision` or `key_rotate`.
    #[serde(default)]
    pub kind: String,
    /// When it was built.
    #[serde(default)]
    pub time: Time,
    /// The public key that signs from here on; of kind `key_rotate` only.
    pub new_key: Option<String>,
}

/// A time in an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Time {
    /// RFC 3339 in UTC, as in `2026-11-27T15:54:44.123456789Z`.
    #[serde(default)]
    pub wall: String,
}

impl Header {
    /// Reads the fields of an entry; none where it is no JSON object.
    pub fn parse(entry: &[u8]) -> Option<Header> {
        serde_json::from_slice(entry).ok()
    }

    /// The UTC day, `YYYY-MM-DD`, where the entry states one.
    pub fn day(&self) -> Option<&str> {
        let day = self.time.wall.get(..10)?;
        let shape = day.bytes().zip(*b"dddd-dd-dd").all(|(byte, expected)| match expected {
            b'd' => byte.is_ascii_digit(),
            _ => byte == expected,
        });
        (shape && self.time.wall.ends_with('Z')).then_some(day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_others_passed_over() {
        let entry = br#"{"v":1,"sequence":7,"kind":"start","time":{"wall":"2026-11-27T01:02:03Z"},"x":[1]}"#;
        let header = Header::parse(entry).unwrap();
        assert_eq!((header.sequence, &*header.kind), (Some(7), "start"));
        assert_eq!(header.day(), Some("2026-11-27"));
        assert_eq!(Header::parse(br#"{"seq":1}"#).unwrap().sequence, Some(1));
        assert_eq!(Header::parse(b"[1"), None);
        for wall in ["2026-11-2", "2026-11-27", "2026/11/27T00:00:00Z", ""] {
            let time = Time { wall: wall.to_owned() };
            assert_eq!(Header { time, ..Header::default() }.day(), None);
        }
    }
}
