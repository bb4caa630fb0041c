//! Parts of a payload that are replaced whole or not at all.
//!
//! The bytes of a payload come in from its start, in order; one [`Atom`] after the other comes out:
//! a character, an escape sequence, a JSON number, a byte of structure. Promised: what an atom is
//! depends on the payload up to its end and on [`SCALAR_UNITS`] code units behind it, never on how
//! the payload is cut; no atom is longer than that.

use crate::decode::{Encoding, Format, Structure};

/// The longest JSON number, in code units, that is taken as one; a longer run is text.
const SCALAR_UNITS: usize = 256;

/// Brackets of JSON that are followed; strings deeper inside are taken for values.
const MAX_DEPTH: usize = 64;

/// What may become of an atom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Structure: delimiters, quotes, brackets, line ends. Stays.
    Keep,
    /// Text, which other text may stand in for.
    Text,
    /// Text in the key of a JSON object.
    Key,
    /// A JSON number or literal word.
    Scalar,
}

/// What text is the first of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// It follows other text, or there is no telling.
    Nothing,
    /// A cell of a table or a JSON string.
    Value,
    /// A row of a table, and a cell without quotes.
    Row,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Atom {
    /// Bytes of the payload.
    pub length: usize,
    pub kind: Kind,
    pub begins: Begins,
}

/// Cuts a payload into atoms.
#[derive(Clone, Debug)]
pub(super) struct Atoms {
    units: Units,
    state: State,
    /// Whether a quote has just opened.
    opened: bool,
}

#[derive(Clone, Debug)]
enum State {
    /// All of it is text.
    Text,
    /// Text with pipe tables: line ends and bars stay.
    Lines,
    Table(u16, Cell),
    Json(Json),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    RowStart,
    Start,
    Bare,
    Quoted,
}

#[derive(Clone, Debug, Default)]
struct Json {
    lines: bool,
    at: At,
    /// Open brackets; true for an object.
    open: Vec<bool>,
    too_deep: u64,
    wants_key: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum At {
    #[default]
    Outside,
    Value,
    Key,
    /// In a run outside of strings that is no number and no literal.
    Bare,
}

impl Atoms {
    /// For a payload of this format, from behind its byte order mark.
    pub(super) fn new(format: Format) -> Atoms {
        let json = |lines| State::Json(Json { lines, ..Json::default() });
        let state = match format.structure {
            Structure::Text => State::Text,
            Structure::TextTables => State::Lines,
            Structure::Table { delimiter, .. } => State::Table(delimiter.into(), Cell::RowStart),
            Structure::Json => json(false),
            Structure::NdJson => json(true),
        };
        Atoms { units: Units(format.encoding), state, opened: false }
    }

    /// The atom at the start of `rest`, which is what follows the atom before; none where more
    /// bytes have to come first.
    pub(super) fn next(&mut self, rest: &[u8], is_last: bool) -> Option<Atom> {
        if rest.is_empty() {
            return None;
        }
        let view = View { units: self.units, rest, is_last };
        let Some(unit) = view.at(0) else {
            // Half a code unit.
            let odd = Atom { length: rest.len(), kind: Kind::Keep, begins: Begins::Nothing };
            return is_last.then_some(odd);
        };
        let mut begins = Begins::Nothing;
        let (units, kind) = match &mut self.state {
            State::Text => (view.character(0)?, Kind::Text),
            State::Lines if matches!(unit, PIPE | LF | CR) => (1, Kind::Keep),
            State::Lines => (view.character(0)?, Kind::Text),
            State::Table(delimiter, cell) => table(*delimiter, cell, unit, view, &mut begins)?,
            State::Json(json) => json.next(unit, view)?,
        };
        if self.opened && matches!(kind, Kind::Text | Kind::Key) {
            begins = Begins::Value;
        }
        self.opened = kind == Kind::Keep && unit == QUOTE && self.is_quoted();
        Some(Atom { length: units * self.units.width(), kind, begins })
    }

    fn is_quoted(&self) -> bool {
        match &self.state {
            State::Table(_, cell) => *cell == Cell::Quoted,
            State::Json(json) => matches!(json.at, At::Value | At::Key),
            State::Text | State::Lines => false,
        }
    }
}

const LF: u16 = b'\n' as u16;
const CR: u16 = b'\r' as u16;
const QUOTE: u16 = b'"' as u16;
const BACKSLASH: u16 = b'\\' as u16;
const PIPE: u16 = b'|' as u16;

/// As the scan follows rows: a quote opens at the start of a cell only.
fn table(
    delimiter: u16,
    cell: &mut Cell,
    unit: u16,
    view: View<'_>,
    begins: &mut Begins,
) -> Option<(usize, Kind)> {
    let (next, units, kind) = match *cell {
        Cell::Quoted if unit == QUOTE => match view.at(1) {
            Some(QUOTE) => (Cell::Quoted, 2, Kind::Text),
            None if view.may_grow(1) => return None,
            _ => (Cell::Bare, 1, Kind::Keep),
        },
        Cell::Quoted => (Cell::Quoted, view.character(0)?, Kind::Text),
        Cell::RowStart if matches!(unit, LF | CR) => (Cell::RowStart, 1, Kind::Keep),
        _ if unit == LF => (Cell::RowStart, 1, Kind::Keep),
        _ if unit == delimiter => (Cell::Start, 1, Kind::Keep),
        Cell::RowStart | Cell::Start if unit == QUOTE => (Cell::Quoted, 1, Kind::Keep),
        // A carriage return is a character of its cell for the scan, and most often a line end.
        _ if unit == CR => (Cell::Bare, 1, Kind::Keep),
        at => {
            let units = view.character(0)?;
            *begins = match at {
                Cell::RowStart => Begins::Row,
                Cell::Start => Begins::Value,
                _ => Begins::Nothing,
            };
            (Cell::Bare, units, Kind::Text)
        }
    };
    *cell = next;
    Some((units, kind))
}

impl Json {
    fn next(&mut self, unit: u16, view: View<'_>) -> Option<(usize, Kind)> {
        if unit == LF && self.lines {
            *self = Json { lines: true, ..Json::default() };
            return Some((1, Kind::Keep));
        }
        let text = if self.at == At::Key { Kind::Key } else { Kind::Text };
        match self.at {
            At::Value | At::Key => match unit {
                QUOTE => {
                    self.at = At::Outside;
                    Some((1, Kind::Keep))
                }
                BACKSLASH => Some((view.escape(self.lines)?, text)),
                _ => Some((view.character(0)?, text)),
            },
            At::Bare if !ends_scalar(unit) => Some((view.character(0)?, text)),
            _ => self.outside(unit, view),
        }
    }

    fn outside(&mut self, unit: u16, view: View<'_>) -> Option<(usize, Kind)> {
        self.at = At::Outside;
        match u8::try_from(unit).unwrap_or(0) {
            b'"' => {
                let is_key = self.wants_key && self.too_deep == 0;
                self.at = if is_key { At::Key } else { At::Value };
            }
            bracket @ (b'{' | b'[') => {
                self.wants_key = bracket == b'{';
                if self.open.len() < MAX_DEPTH {
                    self.open.push(self.wants_key);
                } else {
                    self.too_deep = self.too_deep.saturating_add(1);
                }
            }
            bracket @ (b'}' | b']') => {
                self.wants_key = false;
                if self.too_deep > 0 {
                    self.too_deep -= 1;
                } else if self.open.last() == Some(&(bracket == b'}')) {
                    self.open.pop();
                }
            }
            b':' => self.wants_key = false,
            b',' => self.wants_key = self.open.last() == Some(&true),
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => return self.run(view),
        }
        Some((1, Kind::Keep))
    }

    /// A run of what is neither structure nor a string.
    fn run(&mut self, view: View<'_>) -> Option<(usize, Kind)> {
        let mut run = Vec::new();
        let ended = loop {
            match view.at(run.len()) {
                Some(unit) if ends_scalar(unit) => break true,
                Some(_) if run.len() == SCALAR_UNITS => break false,
                Some(unit) => run.push(u8::try_from(unit).unwrap_or(0xff)),
                None if view.is_last => break true,
                None => return None,
            }
        };
        if ended && is_scalar(&run) {
            return Some((run.len(), Kind::Scalar));
        }
        let units = view.character(0)?;
        self.at = At::Bare;
        Some((units, Kind::Text))
    }
}

fn ends_scalar(unit: u16) -> bool {
    let byte = u8::try_from(unit).unwrap_or(0);
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'{' | b'}' | b'[' | b']' | b':' | b',')
}

/// Numbers, loose ones too, and the literals of JSON and JavaScript.
fn is_scalar(run: &[u8]) -> bool {
    let number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let words: [&[u8]; 6] = [b"true", b"false", b"null", b"NaN", b"Infinity", b"-Infinity"];
    words.contains(&run) || run.iter().all(number) && run.iter().any(u8::is_ascii_digit)
}

/// How code units stand in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Units(Encoding);

impl Units {
    pub(super) fn new(encoding: Encoding) -> Units {
        Units(encoding)
    }

    fn width(self) -> usize {
        if self.0 == Encoding::Bytes { 1 } else { 2 }
    }

    /// Appends ASCII text.
    pub(super) fn write(self, ascii: &str, out: &mut Vec<u8>) {
        match self.0 {
            Encoding::Bytes => out.extend_from_slice(ascii.as_bytes()),
            Encoding::Utf16Le => ascii.bytes().for_each(|byte| out.extend([byte, 0])),
            Encoding::Utf16Be => ascii.bytes().for_each(|byte| out.extend([0, byte])),
        }
    }

    /// The text as the scan sees it: UTF-16 as UTF-8, other bytes as they stand.
    pub(super) fn read(self, bytes: &[u8]) -> Vec<u8> {
        let pair: fn([u8; 2]) -> u16 = match self.0 {
            Encoding::Bytes => return bytes.to_vec(),
            Encoding::Utf16Le => u16::from_le_bytes,
            Encoding::Utf16Be => u16::from_be_bytes,
        };
        let units = bytes.as_chunks::<2>().0.iter().map(|unit| pair(*unit));
        let decoded = char::decode_utf16(units).map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER));
        decoded.collect::<String>().into_bytes()
    }
}

/// What is there of a payload from an atom's start on.
#[derive(Clone, Copy)]
struct View<'a> {
    units: Units,
    rest: &'a [u8],
    is_last: bool,
}

impl View<'_> {
    fn at(self, index: usize) -> Option<u16> {
        match self.units.0 {
            Encoding::Bytes => self.rest.get(index).map(|byte| u16::from(*byte)),
            Encoding::Utf16Le => {
                self.rest.as_chunks().0.get(index).map(|it| u16::from_le_bytes(*it))
            }
            Encoding::Utf16Be => {
                self.rest.as_chunks().0.get(index).map(|it| u16::from_be_bytes(*it))
            }
        }
    }

    /// Whether the unit at `index` is not there, but may come.
    fn may_grow(self, index: usize) -> bool {
        !self.is_last && self.at(index).is_none()
    }

    /// Code units of the character at `index`: 1 for a byte that begins none in UTF-8, and for half
    /// a surrogate pair. None where more has to come.
    fn character(self, index: usize) -> Option<usize> {
        let Some(unit) = self.at(index) else { return self.is_last.then_some(1) };
        if self.units.0 != Encoding::Bytes {
            let is_high = matches!(unit, 0xd800..=0xdbff);
            if is_high && self.may_grow(index + 1) {
                return None;
            }
            let is_pair = is_high && matches!(self.at(index + 1), Some(0xdc00..=0xdfff));
            return Some(if is_pair { 2 } else { 1 });
        }
        let length = match unit {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return Some(1),
        };
        match self.rest.get(index..index + length) {
            Some(bytes) if std::str::from_utf8(bytes).is_ok() => Some(length),
            None if !self.is_last => None,
            _ => Some(1),
        }
    }

    /// Code units of the JSON escape that begins here; both halves of a surrogate pair are one.
    fn escape(self, lines: bool) -> Option<usize> {
        if self.may_grow(1) {
            return None;
        }
        match self.at(1) {
            None => Some(1),
            Some(LF) if lines => Some(1),
            Some(0x75) => {
                let Some(first) = self.hex(2)? else { return Some(2) };
                if !matches!(first, 0xd800..=0xdbff) {
                    return Some(6);
                }
                for (index, wanted) in [(6, BACKSLASH), (7, 0x75)] {
                    if self.may_grow(index) {
                        return None;
                    }
                    if self.at(index) != Some(wanted) {
                        return Some(6);
                    }
                }
                Some(if matches!(self.hex(8)?, Some(0xdc00..=0xdfff)) { 12 } else { 6 })
            }
            Some(_) => Some(1 + self.character(1)?),
        }
    }

    /// Four hexadecimal digits at `from`; the outer none where more has to come.
    fn hex(self, from: usize) -> Option<Option<u32>> {
        let mut value = 0;
        for index in from..from + 4 {
            if self.may_grow(index) {
                return None;
            }
            let digit = self.at(index).and_then(|unit| char::from_u32(unit.into())?.to_digit(16));
            let Some(digit) = digit else { return Some(None) };
            value = value * 16 + digit;
        }
        Some(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn format(word: &str) -> Format {
        Format::declared(word).unwrap()
    }

    /// Atoms of a payload that becomes readable `step` bytes at a time.
    fn atoms(format: Format, payload: &[u8], step: usize) -> Vec<Atom> {
        let (mut atoms, mut found, mut at, mut end) = (Atoms::new(format), Vec::new(), 0, 0);
        loop {
            end = (end + step).min(payload.len());
            while let Some(atom) = atoms.next(&payload[at..end], end == payload.len()) {
                at += atom.length;
                found.push(atom);
            }
            if end == payload.len() {
                assert_eq!(at, payload.len(), "all bytes belong to an atom");
                return found;
            }
        }
    }

    fn shown(word: &str, payload: &str) -> String {
        let mut text = String::new();
        let mut at = 0;
        for atom in atoms(format(word), payload.as_bytes(), 1) {
            let mark = match atom.kind {
                Kind::Keep => "",
                Kind::Text => "t",
                Kind::Key => "k",
                Kind::Scalar => "s",
            };
            text += &format!("{}{mark} ", &payload[at..at + atom.length]);
            at += atom.length;
        }
        text
    }

    #[test]
    fn json_atoms() {
        assert_eq!(
            shown("json", r#"{"a":[12,-0.5e3,true,x1],"b":"\n\u00e9\ud83d\ude00é"}"#),
            "{ \" ak \" : [ 12s , -0.5e3s , trues , xt 1t ] , \" bk \" : \" \\nt \\u00e9t \
             \\ud83d\\ude00t ét \" } "
        );
        assert_eq!(shown("json", r#""\ud83dx\uzz\"#), "\" \\ud83dt xt \\ut zt zt \\t ");
        assert_eq!(shown("ndjson", "\"a\\\n\"b\""), "\" at \\t \n \" bt \" ");
    }

    #[test]
    fn table_atoms() {
        assert_eq!(
            shown("csv", "a\"b,\"c\"\"d,\n\"x\r\n,1\n"),
            "at \"t bt , \" ct \"\"t dt ,t \nt \" xt \r \n , 1t \n "
        );
        let begins: Vec<Begins> =
            atoms(format("csv"), b"a,bc", 4).iter().map(|atom| atom.begins).collect();
        assert_eq!(begins, [Begins::Row, Begins::Nothing, Begins::Value, Begins::Nothing]);
    }

    #[test]
    fn long_numbers_are_text() {
        let scalars = |length: usize| {
            let kinds = atoms(format("json"), "7".repeat(length).as_bytes(), 50);
            kinds.iter().filter(|atom| atom.kind == Kind::Scalar).count()
        };
        assert_eq!((scalars(SCALAR_UNITS), scalars(SCALAR_UNITS + 1)), (1, 0));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "\"", "\\", "\\u", "d83d", "de00", "é", "😀", "12", "tr", "ue", ",", "{", "}", "[", "]",
                ":", "\n", "\r", "|", " ", "x", "\"\"",
            ]), 0..40),
            broken in prop::collection::vec(any::<u8>(), 0..6),
            step in 1usize..9,
        ) {
            let mut payload = pieces.concat().into_bytes();
            payload.extend(broken);
            for word in ["text", "csv", "markdown", "json", "ndjson", "utf-16le", "utf-16be"] {
                let whole = atoms(format(word), &payload, payload.len().max(1));
                prop_assert_eq!(atoms(format(word), &payload, step), whole);
            }
        }
    }
}
