//! A client of the daemon that sends what it is told to, right or wrong, and reads what comes back byte by byte.
//! `benches/load.rs` has it as well.

#![allow(dead_code, reason = "the tests and the load generator use different halves")]

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long an answer may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case. Trailers come last.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body came to its end.
    pub whole: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(it, _)| it == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// The effect, in a header or a trailer.
    pub fn effect(&self) -> Option<&str> {
        self.header("sluice-effect")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, or its part `decision`, as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        let body = self.part("decision").unwrap_or(&self.body);
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// A part of a `multipart/mixed` body.
    pub fn part(&self, name: &str) -> Option<&[u8]> {
        let kind = self.header("content-type")?;
        let boundary = kind.split_once("boundary=")?.1;
        let mark = format!("name=\"{name}\"\r\n\r\n");
        let start = find(&self.body, mark.as_bytes())? + mark.len();
        let rest = self.body.get(start..)?;
        let end = find(rest, format!("\r\n--{boundary}").as_bytes())?;
        rest.get(..end)
    }
}

/// Where a needle begins.
pub fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, needle)
}

/// A connection.
pub struct Wire {
    pub stream: UnixStream,
    pub buffer: Vec<u8>,
}

impl Wire {
    pub fn connect(socket: &Path) -> io::Result<Wire> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Wire { stream, buffer: Vec::new() })
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads what is there; false at the end.
    pub fn read(&mut self) -> io::Result<bool> {
        let mut piece = [0; 65_536];
        loop {
            return match self.stream.read(&mut piece) {
                Ok(length) => {
                    self.buffer.extend_from_slice(piece.get(..length).unwrap_or(&[]));
                    Ok(length > 0)
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(false),
                Err(error) => Err(error),
            };
        }
    }

    /// The next answer; where the connection ends early it is not `whole`, and where it ends before the
    /// head there is none.
    pub fn answer(&mut self) -> io::Result<Answer> {
        loop {
            if let Some(length) = length(&self.buffer, false) {
                let bytes: Vec<u8> = self.buffer.drain(..length).collect();
                return parse(&bytes, true).ok_or(ErrorKind::InvalidData.into());
            }
            if !self.read()? {
                let closes = length(&self.buffer, true) == Some(self.buffer.len());
                let bytes = std::mem::take(&mut self.buffer);
                return parse(&bytes, closes).ok_or(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Sends and reads. Where not all is taken the answer says why.
    pub fn ask(&mut self, bytes: &[u8]) -> io::Result<Answer> {
        let sent = self.send(bytes);
        self.answer().or_else(|error| sent.and(Err(error)))
    }

    /// Waits for the end of the connection; what came before it.
    pub fn end(&mut self) -> io::Result<Vec<u8>> {
        while self.read()? {}
        Ok(std::mem::take(&mut self.buffer))
    }
}

/// One request on a connection of its own.
pub fn ask(socket: &Path, request: &[u8]) -> io::Result<Answer> {
    Wire::connect(socket)?.ask(request)
}

/// A request with a body of known length.
pub fn post(route: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let mut request = head("POST", route, &[headers, &[("Content-Length", &length)]].concat());
    request.extend_from_slice(body);
    request
}

/// A request whose body comes in chunks.
pub fn post_chunked(route: &str, headers: &[(&str, &str)], chunks: &[&[u8]]) -> Vec<u8> {
    let mut request = head("POST", route, &[headers, &[("Transfer-Encoding", "chunked")]].concat());
    for piece in chunks {
        request.extend(chunk(piece));
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

pub fn chunk(piece: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
}

pub fn get(route: &str) -> Vec<u8> {
    head("GET", route, &[])
}

/// The head of a request.
pub fn head(method: &str, route: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("{method} {route} HTTP/1.1\r\nHost: sluice\r\nTE: trailers\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    (text + "\r\n").into_bytes()
}

/// A figure of `/metrics`; 0 where it is not there yet.
pub fn metric(socket: &Path, name: &str) -> u64 {
    let text = ask(socket, &get("/metrics")).map(|it| it.text()).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    lines.next().and_then(|it| it.parse::<f64>().ok()).unwrap_or(0.0) as u64
}

/// How many have been refused for a limit.
pub fn refused(socket: &Path, limit: &str) -> u64 {
    metric(socket, &format!("sluice_refused_total{{limit=\"{limit}\"}}"))
}

/// Bytes of the first answer in a buffer, once all of it is there. `ended`: nothing more will come.
pub fn length(buffer: &[u8], ended: bool) -> Option<usize> {
    let head = find(buffer, b"\r\n\r\n")? + 4;
    let status = status(buffer)?;
    let lines = buffer.get(..head)?;
    if let Some(length) = value(lines, "content-length") {
        let whole = head + length.parse::<usize>().ok()?;
        return (buffer.len() >= whole).then_some(whole);
    }
    if value(lines, "transfer-encoding").is_some() {
        return chunks(buffer, head).1;
    }
    if status == 101 || status == 204 || status == 304 {
        return Some(head);
    }
    ended.then_some(buffer.len())
}

/// The content of chunks from an offset, and where they end, if they do.
fn chunks(buffer: &[u8], head: usize) -> (Vec<u8>, Option<usize>) {
    let (mut content, mut at) = (Vec::new(), head);
    let end = loop {
        let Some(rest) = buffer.get(at..) else { break None };
        let Some(line) = find(rest, b"\r\n") else { break None };
        let size = std::str::from_utf8(rest.get(..line).unwrap_or(&[])).ok();
        let Some(size) = size.and_then(|it| usize::from_str_radix(it.trim(), 16).ok()) else {
            break None;
        };
        let start = at + line + 2;
        if size == 0 {
            // Trailers end with an empty line; without any it is there at once.
            break find(rest, b"\r\n\r\n").map(|end| at + end + 4);
        }
        let piece = buffer.get(start..(start + size).min(buffer.len())).unwrap_or(&[]);
        content.extend_from_slice(piece);
        at = start + size + 2;
    };
    (content, end)
}

/// An answer from its bytes.
pub fn parse(bytes: &[u8], whole: bool) -> Option<Answer> {
    let end = find(bytes, b"\r\n\r\n")? + 4;
    let lines = bytes.get(..end)?;
    let mut headers = fields(lines);
    let chunked = value(lines, "transfer-encoding").is_some();
    let body = if chunked {
        let (content, _) = chunks(bytes, end);
        if let Some(last) = memchr::memmem::rfind(bytes, b"\r\n0\r\n").filter(|_| whole) {
            headers.extend(fields(bytes.get(last..)?));
        }
        content
    } else {
        bytes.get(end..)?.to_vec()
    };
    Some(Answer { status: status(bytes)?, headers, body, whole })
}

fn status(bytes: &[u8]) -> Option<u16> {
    std::str::from_utf8(bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?).ok()?.parse().ok()
}

fn fields(lines: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(lines);
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect()
}

fn value(lines: &[u8], name: &str) -> Option<String> {
    fields(lines).into_iter().find(|(it, _)| it == name).map(|(_, value)| value)
}

/// Frames of a WebSocket (RFC 6455, section 5.2).
pub mod socket {
    use super::*;

    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;

    /// What asks for the upgrade.
    pub fn upgrade() -> Vec<u8> {
        let headers = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        head("GET", "/v1/stream", &headers)
    }

    /// A frame as clients send it. The mask is no secret here.
    pub fn frame(kind: u8, content: &[u8]) -> Vec<u8> {
        let mask = [0x5a, 0x13, 0xc7, 0x71];
        let mut frame = vec![0x80 | kind];
        match content.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            long @ 126..65_536 => {
                frame.push(0x80 | 126);
                frame.extend((long as u16).to_be_bytes());
            }
            longer => {
                frame.push(0x80 | 127);
                frame.extend((longer as u64).to_be_bytes());
            }
        }
        frame.extend(mask);
        frame.extend(content.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    /// Takes the first frame off a buffer once it is whole.
    pub fn take(buffer: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
        let (kind, short) = (buffer.first()? & 15, usize::from(buffer.get(1)? & 127));
        let (start, length) = match short {
            126 => (4, usize::from(u16::from_be_bytes(buffer.get(2..4)?.try_into().ok()?))),
            127 => (10, u64::from_be_bytes(buffer.get(2..10)?.try_into().ok()?) as usize),
            short => (2, short),
        };
        let content = buffer.get(start..start + length)?.to_vec();
        buffer.drain(..start + length);
        Some((kind, content))
    }

    /// What a WebSocket gave back until it was closed.
    #[derive(Debug, Default)]
    pub struct Said {
        pub released: Vec<u8>,
        pub findings: usize,
        pub decision: serde_json::Value,
        /// The code of the close frame.
        pub code: Option<u16>,
    }

    impl Wire {
        /// Upgrades the connection.
        pub fn open(socket: &Path) -> io::Result<Wire> {
            let mut wire = Wire::connect(socket)?;
            let answer = wire.ask(&upgrade())?;
            match answer.status {
                101 => Ok(wire),
                status => Err(io::Error::other(format!("no upgrade: {status} {}", answer.text()))),
            }
        }

        /// The next frame; none at the end of the connection.
        pub fn frame(&mut self) -> io::Result<Option<(u8, Vec<u8>)>> {
            loop {
                if let Some(frame) = take(&mut self.buffer) {
                    return Ok(Some(frame));
                }
                if !self.read()? {
                    return Ok(None);
                }
            }
        }

        /// All frames until the close.
        pub fn said(&mut self) -> io::Result<Said> {
            let mut said = Said::default();
            while let Some((kind, content)) = self.frame()? {
                said.take(kind, &content);
                if kind == CLOSE {
                    let _ = self.send(&frame(CLOSE, &content));
                    break;
                }
            }
            Ok(said)
        }
    }

    impl Said {
        pub fn take(&mut self, kind: u8, content: &[u8]) {
            match kind {
                BINARY => self.released.extend_from_slice(content),
                TEXT => {
                    let text: serde_json::Value =
                        serde_json::from_slice(content).unwrap_or_default();
                    self.findings += text["findings"].as_array().map_or(0, Vec::len);
                    if let Some(decision) = text.get("decision") {
                        self.decision = decision.clone();
                    }
                }
                CLOSE => {
                    let code = content.first_chunk::<2>();
                    self.code = code.map(|code| u16::from_be_bytes(*code));
                }
                _ => {}
            }
        }
    }
}
