//! Reads a body of parts (RFC 2046, section 5.1) as it arrives: `released`, then `decision`.
//!
//! Strict: nothing before, between or behind the parts, no other parts, none twice. What follows the
//! pattern of the daemon's writer is read; the rest is refused.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

/// Bytes of the head of a part.
const MAX_HEAD: usize = 8 << 10;

/// Bytes of a decision.
pub(super) const MAX_DECISION: usize = 256 << 20;

/// A part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Released,
    Decision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Before the first delimiter.
    Start,
    Head,
    Body(Part),
    /// Behind a delimiter: `--` at the end, else a line end and the next part.
    Delimited,
    /// Behind the last delimiter.
    End,
}

/// The reader. `Debug` would show payload bytes: it has none.
pub(super) struct Parts {
    /// A line end and the delimiter.
    delimiter: Vec<u8>,
    buffer: BytesMut,
    stage: Stage,
    released: bool,
    decision: Option<BytesMut>,
    decided: bool,
}

impl Parts {
    /// A reader for a body with this value of `Content-Type`.
    pub(super) fn new(content_type: &str) -> Result<Parts, &'static str> {
        const BAD: &str = "the boundary of the parts";
        let (kind, parameters) = content_type.split_once(';').ok_or(BAD)?;
        if !kind.trim().eq_ignore_ascii_case("multipart/mixed") {
            return Err("the type of the answer");
        }
        let (name, boundary) = parameters.split_once('=').ok_or(BAD)?;
        let boundary = boundary.trim();
        let unquoted = boundary.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        let boundary = unquoted.unwrap_or(boundary);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
        let fits = (1..=70).contains(&boundary.len()) && boundary.bytes().all(is_plain);
        if !name.trim().eq_ignore_ascii_case("boundary") || !fits {
            return Err(BAD);
        }
        Ok(Parts {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            // The first delimiter has no line before it; with one it is found as the others are.
            buffer: BytesMut::from(&b"\r\n"[..]),
            stage: Stage::Start,
            released: false,
            decision: None,
            decided: false,
        })
    }

    /// Takes bytes; gives those that are released.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Bytes>, &'static str> {
        self.buffer.extend_from_slice(bytes);
        let mut released = Vec::new();
        while self.step(&mut released)? {}
        Ok(released)
    }

    /// The decision, once it is there to its last byte.
    pub(super) fn decision(&self) -> Option<&[u8]> {
        self.decision.as_deref().filter(|_| self.decided)
    }

    /// Whether all parts are there, with what closes them.
    pub(super) fn is_ended(&self) -> bool {
        self.stage == Stage::End && self.decided
    }

    /// Takes one step; whether there may be another one.
    fn step(&mut self, released: &mut Vec<Bytes>) -> Result<bool, &'static str> {
        match self.stage {
            Stage::Start => {
                let length = self.delimiter.len();
                let there = self.buffer.len().min(length);
                if self.buffer.get(..there) != self.delimiter.get(..there) {
                    return Err("something before the parts");
                }
                if there < length {
                    return Ok(false);
                }
                self.buffer.advance(length);
                self.stage = Stage::Delimited;
            }
            Stage::Delimited => match self.buffer.get(..2) {
                None => return Ok(false),
                Some(b"\r\n") => {
                    // The line end may be the first of the empty line behind a head without lines.
                    self.buffer.advance(2);
                    self.stage = Stage::Head;
                }
                Some(b"--") => {
                    self.buffer.advance(2);
                    self.stage = Stage::End;
                }
                Some(_) => return Err("what stands behind a delimiter"),
            },
            Stage::Head => {
                let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") else {
                    let is_short = self.buffer.len() <= MAX_HEAD;
                    return if is_short { Ok(false) } else { Err("a head of a part that is long") };
                };
                let head = self.buffer.split_to(end + 4);
                self.stage = Stage::Body(self.part(&head)?);
            }
            Stage::Body(part) => {
                let found = memmem::find(&self.buffer, &self.delimiter);
                // What may be the start of a delimiter waits.
                let end = found.unwrap_or_else(|| {
                    let keep = self.delimiter.len().saturating_sub(1);
                    self.buffer.len().saturating_sub(keep)
                });
                let bytes = self.buffer.split_to(end);
                match part {
                    Part::Released if bytes.is_empty() => {}
                    Part::Released => released.push(bytes.freeze()),
                    Part::Decision => {
                        let decision = self.decision.get_or_insert_default();
                        decision.extend_from_slice(&bytes);
                        if decision.len() > MAX_DECISION {
                            return Err("a decision that is too long");
                        }
                    }
                }
                if found.is_none() {
                    return Ok(false);
                }
                self.buffer.advance(self.delimiter.len());
                self.decided |= part == Part::Decision;
                self.stage = Stage::Delimited;
            }
            Stage::End => {
                let rest = self.buffer.len().min(2);
                if self.buffer.len() > 2 || self.buffer.get(..rest) != b"\r\n".get(..rest) {
                    return Err("something behind the parts");
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The part whose head this is.
    fn part(&mut self, head: &[u8]) -> Result<Part, &'static str> {
        let head = std::str::from_utf8(head).map_err(|_| "the head of a part")?;
        let disposition = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-disposition").then_some(value)
        });
        let name = disposition.and_then(|it| {
            it.split(';').find_map(|parameter| {
                let (name, value) = parameter.split_once('=')?;
                let is_name = name.trim().eq_ignore_ascii_case("name");
                is_name.then(|| value.trim().trim_matches('"'))
            })
        });
        match name {
            Some("released") if !self.released && self.decision.is_none() => {
                self.released = true;
                Ok(Part::Released)
            }
            Some("decision") if self.decision.is_none() => {
                self.decision = Some(BytesMut::new());
                Ok(Part::Decision)
            }
            _ => Err("a part that is not `released`, then `decision`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/mixed; boundary=sluice-b0";

    fn body(released: Option<&[u8]>, decision: &str) -> Vec<u8> {
        let head = |name| {
            format!("Content-Type: x/y\r\nContent-Disposition: attachment; name=\"{name}\"\r\n\r\n")
        };
        let mut body = b"--sluice-b0\r\n".to_vec();
        if let Some(released) = released {
            body.extend(head("released").as_bytes());
            body.extend(released);
            body.extend(b"\r\n--sluice-b0\r\n");
        }
        body.extend(head("decision").as_bytes());
        body.extend(decision.as_bytes());
        body.extend(b"\r\n--sluice-b0--\r\n");
        body
    }

    /// Released bytes, the decision, and whether all was there.
    type Seen = (Vec<u8>, Option<Vec<u8>>, bool);

    fn read(body: &[u8], size: usize) -> Result<Seen, &'static str> {
        let mut parts = Parts::new(TYPE)?;
        let mut released = Vec::new();
        for piece in body.chunks(size.max(1)) {
            parts.push(piece)?.iter().for_each(|bytes| released.extend_from_slice(bytes));
        }
        Ok((released, parts.decision().map(<[u8]>::to_vec), parts.is_ended()))
    }

    #[test]
    fn parts_are_told_apart() {
        let whole = body(Some(b"a\r\n--sluice-b\r\n\r\nb"), "{}");
        let expected = (b"a\r\n--sluice-b\r\n\r\nb".to_vec(), Some(b"{}".to_vec()), true);
        assert_eq!(read(&whole, whole.len()), Ok(expected));
        let alone = body(None, "{\"a\": 1}\n");
        assert_eq!(read(&alone, 3), Ok((vec![], Some(b"{\"a\": 1}\n".to_vec()), true)));
        let empty = body(Some(b""), "{}");
        assert_eq!(read(&empty, 1), Ok((vec![], Some(b"{}".to_vec()), true)));
    }

    #[test]
    fn what_breaks_off_has_not_ended() {
        let whole = body(Some(b"released"), "{}");
        for length in 0..whole.len() - 4 {
            let (_, decision, ended) = read(&whole[..length], 7).unwrap();
            // The decision is whole once a delimiter stands behind it.
            assert!(!ended, "{length}");
            let delimited = whole.len() - "--\r\n".len();
            assert_eq!(decision.is_some(), length >= delimited, "{length}");
        }
    }

    #[test]
    fn other_bodies_are_refused() {
        let good = String::from_utf8(body(Some(b"x"), "{}")).unwrap();
        let refused = |body: String| read(body.as_bytes(), 5).is_err();
        assert!(refused(format!("preamble\r\n{good}")));
        assert!(refused(format!("{good}epilogue")));
        assert!(refused(good.replace("\"released\"", "\"decision\"")));
        assert!(refused(good.replace("\"decision\"", "\"released\"")));
        assert!(refused(good.replace("\"decision\"", "\"other\"")));
        assert!(refused(good.replace("name=", "filename=")));
        assert!(refused(good.replace("x\r\n--sluice-b0", "x\r\n--sluice-b0!")));
        assert!(refused(format!("--sluice-b0\r\n{}", "a".repeat(MAX_HEAD + 100))));
        let swapped = "--sluice-b0\r\nContent-Disposition: a; name=decision\r\n\r\n{}\r\n\
                       --sluice-b0\r\nContent-Disposition: a; name=released\r\n\r\nx\r\n\
                       --sluice-b0--";
        assert!(refused(swapped.to_owned()));
        let released = "--sluice-b0\r\nContent-Disposition: a; name=released\r\n\r\nx\r\n\
                        --sluice-b0--\r\n";
        assert_eq!(read(released.as_bytes(), 9), Ok((b"x".to_vec(), None, false)));
    }

    #[test]
    fn types_have_a_boundary() {
        for good in ["multipart/mixed; boundary=a", "Multipart/Mixed;Boundary=\"a:b\""] {
            assert!(Parts::new(good).is_ok(), "{good}");
        }
        let long = format!("multipart/mixed; boundary={}", "a".repeat(71));
        for bad in [
            "application/json",
            "multipart/mixed",
            "multipart/mixed; boundary=",
            "multipart/mixed; boundary=\"\"",
            "multipart/mixed; boundary=a b",
            "multipart/mixed; charset=a",
            "multipart/form-data; boundary=a",
            &long,
        ] {
            assert!(Parts::new(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            released in prop::collection::vec(prop::sample::select(&b"\r\n-sluiceb0x"[..]), 0..80),
            size in 1usize..40,
        ) {
            let whole = [&released[..], b"."].concat();
            prop_assume!(memmem::find(&[b"\r\n", &whole[..]].concat(), b"\r\n--sluice-b0").is_none());
            let body = body(Some(&whole), "{}");
            prop_assert_eq!(read(&body, size), Ok((whole, Some(b"{}".to_vec()), true)));
        }

        #[test]
        fn no_body_makes_it_panic(
            body in prop::collection::vec(prop::sample::select(&b"\r\n-sluiceb0:;=\"name"[..]), 0..200),
            size in 1usize..40,
        ) {
            let _ = read(&[b"--sluice-b0\r\n", &body[..]].concat(), size);
        }
    }
}
