//! What a payload is, decided from its first bytes.

/// Bytes from the start of a payload that decide its format.
pub const SNIFF_BYTES: usize = 4096;

/// How bytes stand for characters.
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
    Table {
        /// Between fields: `,`, `;`, TAB or `|`.
        delimiter: u8,
        /// Whether the first row names the columns.
        header: bool,
    },
    /// One JSON value (or several one after the other).
    Json,
    /// One JSON value a line.
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

/// The format of a payload that begins with `head`: its first [`SNIFF_BYTES`] bytes, or all of it
/// where it is shorter. Bytes past [`SNIFF_BYTES`] are ignored.
pub fn sniff(_head: &[u8]) -> Format {
    Format { encoding: Encoding::Bytes, bom: 0, structure: Structure::Text, opaque: None }
}
