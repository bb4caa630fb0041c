//! What a payload is, decided from its first bytes.
//!
//! The first [`SNIFF_BYTES`] bytes come in, a [`Format`] comes out. Promised: the answer depends on
//! these bytes alone, never on a path or on how the payload was cut; the work is linear in them.
//! The rules, in order:
//!
//! 1. A UTF-8 byte order mark gives `Bytes`, one of UTF-16 gives UTF-16 — unless four code units or
//!    more follow that are bytes of plain ASCII text, since then the mark lies, and reading on as
//!    UTF-16 would hide the text. A UTF-32 mark gives the opaque kind `UTF-32 text`.
//! 2. Known first bytes give an opaque kind: archives, images, documents, programs, encrypted data.
//! 3. Without a mark, bytes that hold a NUL may be UTF-16: see [`Encoding`].
//! 4. What then holds too many control bytes is `binary`.
//! 5. Text is looked at as JSON, as NDJSON, as a table and as text with tables: see
//!    [`Structure`]. UTF-16 is decoded for that.

mod opaque;
mod ruled;
mod structure;

use super::Utf16Decoder;

/// Bytes from the start of a payload that decide its format.
pub const SNIFF_BYTES: usize = 4096;

/// How bytes stand for characters.
///
/// UTF-16 without a byte order mark is recognised in two ways, both on eight code units or more of
/// which none is a control character, half a surrogate pair, a noncharacter or of private use:
///
/// - Latin text: at least 7 of 10 units have a zero high byte, at most 1 of 16 a zero low byte;
/// - other scripts: 32 units or more, one of which is a space or a line end, at most 1 of 16 has
///   a zero low byte, and of the units beyond Latin-1 at least 8 of 10 lie in one block of 256
///   characters below U+2000, or in the blocks of Chinese, Japanese and Korean, at most half of
///   them ideographs that could be two ASCII characters.
///
/// Where both byte orders would do, it is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, Latin-1 or a mixture: scanned as it stands, since rules match both.
    Bytes,
    /// UTF-16, least significant byte first.
    Utf16Le,
    /// UTF-16, most significant byte first.
    Utf16Be,
}

/// How text is structured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// No structure that labels values.
    Text,
    /// Delimited rows (RFC 4180 quoting).
    ///
    /// Recognised where the complete rows of the head agree on a number of fields, two or more.
    /// Two rows at least, or one that is all there is and looks like a header. Rows of another
    /// length are tolerated: up to half of them below a row that looks like a header, else one in
    /// five, and none for two fields. Indented rows, rows of code (unbalanced brackets,
    /// statements, tags) and fields of many words tell source and prose apart from tables;
    /// where delimiters are followed by a space, as in prose, rows must all agree and a column
    /// must hold numbers throughout.
    Table {
        /// Between fields: `,`, `;`, TAB or `|`.
        delimiter: u8,
        /// Whether the first row names the columns: its fields are not empty (what stands outside
        /// of bars around the row aside), differ from each other, and none is a number, a date, an
        /// address or an identifier made of digits.
        header: bool,
    },
    /// Text that holds tables as Markdown has them, or is one: lines of cells with `|` between
    /// them, of which the first names the columns.
    ///
    /// Recognised where the head holds a complete rule line (`|---|:--:|`, `--- | ---`, `+---+`)
    /// right below a line of as many cells. A table with another delimiter wins, unless the text
    /// begins with the header and that with `|`; so does one with `|` that begins with the header
    /// and has no `|` in front of its rows.
    TextTables,
    /// One JSON value (or several one after the other): the first byte that is not white is `{` or
    /// `[`, and the head is the beginning of such values. Trailing commas, bare `NaN`, loose
    /// numbers and raw control characters in strings are let pass.
    Json,
    /// One JSON value a line: the first line is a complete object or array, the second begins with
    /// `{` or `[`, and so do at least three of four lines in the head.
    NdJson,
}

/// Format of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// How bytes stand for characters.
    pub encoding: Encoding,
    /// Length of the byte order mark in bytes, 0 to 3.
    pub bom: usize,
    /// How the text is structured.
    pub structure: Structure,
    /// What it is, in a word or two, where it is no text: `zip archive`, `PNG image`, `binary`.
    /// Its bytes are scanned all the same; coverage is partial.
    pub opaque: Option<&'static str>,
}

impl Format {
    /// Plain text in bytes.
    const TEXT: Format =
        Format { encoding: Encoding::Bytes, bom: 0, structure: Structure::Text, opaque: None };

    /// The format that a caller declares by a word: `text`, `csv` (comma, with a header row), `tsv`
    /// (TAB, with a header row), `markdown` (text with pipe tables), `json`, `ndjson`, `utf-16le`,
    /// `utf-16be` (plain text), `opaque` (what the caller knows to be no text, such as an image: its
    /// bytes are scanned all the same). None for any other word. It says nothing of a byte order
    /// mark: the engine looks for that.
    pub fn declared(word: &str) -> Option<Format> {
        let structured = |structure| Some(Format { structure, ..Format::TEXT });
        let encoded = |encoding| Some(Format { encoding, ..Format::TEXT });
        match word {
            "text" => Some(Format::TEXT),
            "csv" => structured(Structure::Table { delimiter: b',', header: true }),
            "tsv" => structured(Structure::Table { delimiter: b'\t', header: true }),
            "markdown" => structured(Structure::TextTables),
            "json" => structured(Structure::Json),
            "ndjson" => structured(Structure::NdJson),
            "utf-16le" => encoded(Encoding::Utf16Le),
            "utf-16be" => encoded(Encoding::Utf16Be),
            "opaque" => Some(Format { opaque: Some("opaque"), ..Format::TEXT }),
            _ => None,
        }
    }
}

/// The format of a payload that begins with `head`: its first [`SNIFF_BYTES`] bytes, or all of it
/// where it is shorter. Bytes past [`SNIFF_BYTES`] are ignored.
pub fn sniff(head: &[u8]) -> Format {
    let (head, whole) = match head.split_at_checked(SNIFF_BYTES) {
        Some((head, _)) => (head, false),
        None => (head, true),
    };
    let marked = byte_order_mark(head);
    if marked.opaque.is_some() {
        return marked;
    }
    let text = head.get(marked.bom..).unwrap_or_default();
    if let Some(kind) = opaque::by_first_bytes(text) {
        return Format { opaque: Some(kind), ..marked };
    }
    let encoding = match marked.encoding {
        Encoding::Bytes if marked.bom == 0 => unmarked_utf16(text).unwrap_or(Encoding::Bytes),
        encoding => encoding,
    };
    let format = Format { encoding, ..marked };
    let decoded = match encoding {
        Encoding::Bytes if opaque::is_binary(text) => {
            return Format { opaque: Some("binary"), ..format };
        }
        Encoding::Bytes => None,
        Encoding::Utf16Le | Encoding::Utf16Be => {
            let mut decoder = Utf16Decoder::new(encoding == Encoding::Utf16Be, 0);
            let mut view = Vec::with_capacity(text.len());
            decoder.push(text, &mut view);
            Some(view)
        }
    };
    let view = decoded.as_deref().unwrap_or(text);
    if let Some(kind) = opaque::by_armour(view) {
        return Format { opaque: Some(kind), ..format };
    }
    Format { structure: structure::of_text(view, whole), ..format }
}

/// Rule 1 of the module's list.
fn byte_order_mark(head: &[u8]) -> Format {
    let marked = |encoding, bom| Format { encoding, bom, ..Format::TEXT };
    match head {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            Format { opaque: Some("UTF-32 text"), ..Format::TEXT }
        }
        [0xef, 0xbb, 0xbf, ..] => marked(Encoding::Bytes, 3),
        [0xff, 0xfe, rest @ ..] if !is_ascii_prose(rest) => marked(Encoding::Utf16Le, 2),
        [0xfe, 0xff, rest @ ..] if !is_ascii_prose(rest) => marked(Encoding::Utf16Be, 2),
        _ => Format::TEXT,
    }
}

/// Whether the bytes can hardly be UTF-16: no NUL, and three of four are printable ASCII. Text in
/// UTF-16 holds a NUL byte with every space and digit, and text without any has high bytes
/// outside of ASCII.
fn is_ascii_prose(bytes: &[u8]) -> bool {
    let printable = bytes.iter().filter(|byte| matches!(byte, 0x20..=0x7e)).count();
    bytes.len() >= 8 && !bytes.contains(&0) && printable * 4 >= bytes.len() * 3
}

/// Rule 3 of the module's list.
fn unmarked_utf16(text: &[u8]) -> Option<Encoding> {
    if !text.contains(&0) {
        return None;
    }
    let order = |from_bytes: fn([u8; 2]) -> u16| {
        Units::count(text.as_chunks::<2>().0.iter().map(|pair| from_bytes(*pair))).is_text()
    };
    match (order(u16::from_le_bytes), order(u16::from_be_bytes)) {
        (true, false) => Some(Encoding::Utf16Le),
        (false, true) => Some(Encoding::Utf16Be),
        _ => None,
    }
}

/// What a byte order makes of the head, in counts.
struct Units {
    total: usize,
    impossible: bool,
    zero_high: usize,
    zero_low: usize,
    blanks: usize,
    /// Ideographs that would be two printable ASCII characters.
    ascii_pairs: usize,
    /// Units by high byte.
    blocks: [usize; 256],
}

impl Units {
    fn count(units: impl Iterator<Item = u16>) -> Units {
        let mut counts = Units {
            total: 0,
            impossible: false,
            zero_high: 0,
            zero_low: 0,
            blanks: 0,
            ascii_pairs: 0,
            blocks: [0; 256],
        };
        let mut open_pair = false;
        for unit in units {
            let [high, low] = unit.to_be_bytes();
            counts.total += 1;
            counts.zero_high += usize::from(high == 0);
            counts.zero_low += usize::from(low == 0);
            counts.blanks += usize::from(matches!(unit, 0x20 | 0x0a | 0x3000));
            counts.ascii_pairs += usize::from(matches!((high, low), (0x40..=0x7e, 0x20..=0x7e)));
            counts.blocks.get_mut(usize::from(high)).into_iter().for_each(|n| *n += 1);
            let second = matches!(unit, 0xdc00..=0xdfff);
            counts.impossible |= open_pair != second || is_impossible(unit);
            if counts.impossible {
                // No text, whatever follows.
                break;
            }
            open_pair = matches!(unit, 0xd800..=0xdbff);
        }
        counts
    }

    fn is_text(&self) -> bool {
        let beyond = self.total - self.zero_high;
        let of = |blocks: std::ops::RangeInclusive<usize>| -> usize {
            self.blocks.get(blocks).unwrap_or_default().iter().sum()
        };
        let one_block = self.blocks.iter().take(0x20).skip(1).copied().max().unwrap_or(0);
        let east_asian = of(0x30..=0x9f) + of(0xac..=0xd7) + of(0xff..=0xff);
        let latin = self.total >= 8 && self.zero_high * 10 >= self.total * 7;
        // ASCII reads as ideographs: to take it for them would hide it.
        let script = self.total >= 32
            && self.blanks > 0
            && one_block.max(east_asian) * 10 >= beyond * 8
            && self.ascii_pairs * 2 <= beyond;
        !self.impossible && self.zero_low * 16 <= self.total && (latin || script)
    }
}

/// Control characters, noncharacters and private use.
fn is_impossible(unit: u16) -> bool {
    match unit {
        0x09 | 0x0a | 0x0c | 0x0d => false,
        0..=0x1f | 0x7f..=0x9f | 0xe000..=0xf8ff | 0xfdd0..=0xfdef | 0xfffe.. => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utf16(text: &str, big_endian: bool) -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    }

    const TABLE: Structure = Structure::Table { delimiter: b',', header: true };

    #[test]
    fn marks_decide_the_encoding() {
        let text = "name,ssn\nAda,219-09-9998\n";
        let marked = sniff(&[b"\xef\xbb\xbf".as_slice(), text.as_bytes()].concat());
        assert_eq!(marked, Format { bom: 3, structure: TABLE, ..Format::TEXT });
        for (big_endian, mark, encoding) in
            [(false, b"\xff\xfe", Encoding::Utf16Le), (true, b"\xfe\xff", Encoding::Utf16Be)]
        {
            let body = utf16(text, big_endian);
            let marked = sniff(&[mark.as_slice(), &body].concat());
            assert_eq!(marked, Format { encoding, bom: 2, structure: TABLE, opaque: None });
            assert_eq!(sniff(&body), Format { bom: 0, ..marked });
        }
        assert_eq!(sniff(b"\xff\xfe\0\0a\0\0\0").opaque, Some("UTF-32 text"));
    }

    #[test]
    fn a_mark_before_ascii_lies() {
        assert_eq!(sniff(b"\xff\xfeSSN: 219-09-9998, call me"), Format::TEXT);
        let hindi = utf16("\u{928}\u{92e}\u{938}\u{94d}\u{924}\u{947}", false);
        assert_eq!(sniff(&[b"\xff\xfe".as_slice(), &hindi].concat()).encoding, Encoding::Utf16Le);
    }

    #[test]
    fn other_scripts_need_no_mark() {
        for text in [
            "Привет, это письмо о пациенте. Номер карты лежит в приложении.\n",
            "患者の記録は次のとおりです。 氏名と住所、電話番号が含まれています。どうぞ。\n",
            "Ο ασθενής έχει αριθμό μητρώου που φαίνεται παρακάτω στο έγγραφο.\n",
        ] {
            assert_eq!(sniff(&utf16(text, false)).encoding, Encoding::Utf16Le, "{text}");
            assert_eq!(sniff(&utf16(text, true)).encoding, Encoding::Utf16Be, "{text}");
            assert_eq!(sniff(text.as_bytes()), Format::TEXT);
        }
    }

    #[test]
    fn binary_is_not_utf16() {
        let small_numbers: Vec<u8> =
            (0..2000u32).flat_map(|n| ((n * 7919 % 300) as u16).to_le_bytes()).collect();
        assert_eq!(sniff(&small_numbers).opaque, Some("binary"));
        let numbers: Vec<u8> = (0..1000u32).flat_map(|n| (n * 65).to_le_bytes()).collect();
        assert_eq!(sniff(&numbers).opaque, Some("binary"));
        assert_eq!(sniff(&utf16("short", false)).encoding, Encoding::Bytes);
    }

    #[test]
    fn ascii_around_a_nul_is_not_hidden() {
        let text = "patient_number:219099998;patient_name:someone_without_a_name".repeat(2);
        for nul in ["\0 ", " \0", "\0\n", "\n\0"] {
            let lines = [&text, nul, &text].concat();
            for shift in 0..2 {
                let format = sniff(&lines.as_bytes()[shift..]);
                assert_eq!((format.encoding, format.opaque), (Encoding::Bytes, None));
            }
        }
    }

    #[test]
    fn only_the_head_counts() {
        let mut payload = b"plain words and nothing else\n".repeat(200);
        let format = sniff(&payload);
        payload.extend([0; 10_000]);
        assert_eq!(sniff(&payload), format);
        assert_eq!(sniff(b""), Format::TEXT);
    }

    #[test]
    fn declared_formats() {
        assert_eq!(Format::declared("text"), Some(Format::TEXT));
        let structure = |word| Format::declared(word).map(|format| format.structure);
        assert_eq!(structure("csv"), Some(TABLE));
        let tsv = Structure::Table { delimiter: b'\t', header: true };
        assert_eq!(structure("tsv"), Some(tsv));
        assert_eq!(structure("markdown"), Some(Structure::TextTables));
        assert_eq!(structure("json"), Some(Structure::Json));
        assert_eq!(structure("ndjson"), Some(Structure::NdJson));
        assert_eq!(Format::declared("utf-16be").map(|f| f.encoding), Some(Encoding::Utf16Be));
        assert_eq!(Format::declared("utf-16le").map(|f| f.encoding), Some(Encoding::Utf16Le));
        assert_eq!(Format::declared("opaque").and_then(|f| f.opaque), Some("opaque"));
        assert_eq!(Format::declared("CSV"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_format(head in prop::collection::vec(any::<u8>(), 0..5000)) {
            let format = sniff(&head);
            prop_assert!(format.bom <= 3);
            prop_assert_eq!(sniff(&head[..head.len().min(SNIFF_BYTES)]).encoding, format.encoding);
        }

        #[test]
        fn random_bytes_are_opaque(head in prop::collection::vec(any::<u8>(), 256..4096)) {
            prop_assert!(sniff(&head).opaque.is_some());
        }

        #[test]
        fn latin_text_in_utf16_is_found(text in "[a-zA-Zéüß0-9 ,.\n]{16,400}", big: bool) {
            let expected = if big { Encoding::Utf16Be } else { Encoding::Utf16Le };
            prop_assert_eq!(sniff(&utf16(&text, big)).encoding, expected);
        }
    }
}
