//! Rows, columns and JSON paths, followed at any chunk boundary.
//!
//! The bytes of a view come in, in order; where a byte is comes out. Promised: the answer for a
//! byte is the same wherever the view was cut, any bytes are followed without failing, and what
//! is kept is bounded by the marks in the retained bytes, the header rows they need and the depth
//! limit.

mod json;
mod keys;
mod marks;
mod path;
mod table;
mod text;

use std::ops::Range;
use std::sync::Arc;

use crate::decode::Structure;
use crate::model::Place;

pub use path::key_step;

use json::Json;
use marks::Column;
use table::Table;
use text::TextTables;

/// Longest column name or JSON key in bytes of UTF-8; longer ones are cut at a character.
pub const MAX_NAME: usize = 256;

/// Follows the structure of a view whose bytes arrive in order, cut anywhere, and says where a
/// byte is. What it has learned of bytes that are no longer of interest is forgotten, so that its
/// memory is bounded by the marks in the retained part, the header row and the depth limit.
///
/// A clone goes on from the same point; one made right after `forget_below(offset())` is small.
#[derive(Clone)]
pub struct Tracker {
    offset: u64,
    structure: Follow,
}

/// A cell of a table whose columns have names.
pub struct ColumnCell<'a> {
    /// See [`Tracker::cell_span`].
    pub span: Range<u64>,
    /// See [`Tracker::row_start`].
    pub row_start: u64,
    /// Its column, counted from 0.
    pub number: u64,
    /// What the columns are called.
    pub names: &'a Arc<[Arc<str>]>,
}

#[derive(Clone)]
enum Follow {
    Text,
    Table(Box<Table>),
    TextTables(Box<TextTables>),
    Json(Box<Json>),
}

/// Names come from the payload, so none is shown.
impl std::fmt::Debug for Tracker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracker").field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl Tracker {
    /// A tracker whose first byte is at view offset `start`.
    pub fn new(structure: Structure, start: u64) -> Tracker {
        let structure = match structure {
            Structure::Table { delimiter, header } => {
                Follow::Table(Box::new(Table::new(delimiter, header)))
            }
            Structure::TextTables => Follow::TextTables(Box::new(TextTables::new())),
            Structure::Json => Follow::Json(Box::new(Json::new(false))),
            Structure::NdJson => Follow::Json(Box::new(Json::new(true))),
            Structure::Text => Follow::Text,
        };
        Tracker { offset: start, structure }
    }

    /// Whether a byte can have a place with a name.
    pub fn has_names(&self) -> bool {
        !matches!(self.structure, Follow::Text)
    }

    /// Whether the last byte that was followed is in a cell or value, or may be.
    pub fn is_in_cell(&self) -> bool {
        match &self.structure {
            Follow::Text => false,
            Follow::TextTables(text) => text.marks().is_in_row(),
            Follow::Table(_) | Follow::Json(_) => true,
        }
    }

    /// What all columns of all rows are called, those without a name aside, in a table whose header is
    /// behind. None elsewhere.
    pub fn columns(&self) -> Option<&[Arc<str>]> {
        match &self.structure {
            Follow::Table(table) => table.marks().columns(),
            _ => None,
        }
    }

    /// Takes the next bytes of the view. Each leaves marks behind until they are forgotten, so a
    /// large view is best given in pieces.
    pub fn advance(&mut self, bytes: &[u8]) {
        match &mut self.structure {
            Follow::Text => {}
            Follow::Table(table) => table.advance(self.offset, bytes),
            Follow::TextTables(text) => text.advance(self.offset, bytes),
            Follow::Json(json) => json.advance(self.offset, bytes),
        }
        self.offset += bytes.len() as u64;
    }

    /// The view offset of the next byte to come.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The cell or path that holds the byte at `at`, which lies below `offset` and not below the
    /// last `forget_below`. None in plain text, also between tables, and before the first row or
    /// value.
    ///
    /// A delimiter or line end belongs to the cell before it. The cells of the header row have the
    /// place `#1`, `#2` ... in row 0, whatever they say. In JSON, white space before a value belongs
    /// to the value; keys and the punctuation between members belong to their object.
    pub fn place(&self, at: u64) -> Option<Place> {
        match &self.structure {
            Follow::Text => None,
            Follow::Table(table) => table.marks().place(at),
            Follow::TextTables(text) => text.marks().place(at),
            Follow::Json(json) => json.place(at),
        }
    }

    /// Writes down what names the cell or JSON value that holds `at`: two that have the same written have
    /// the same [`Place::names`], and it is empty where there is no name. False where that is not plain to
    /// see: a path may be too long to be whole. `at` is as [`Tracker::place`] has it.
    pub fn write_names(&self, at: u64, names: &mut String) -> bool {
        names.clear();
        match &self.structure {
            Follow::Text => {}
            Follow::Table(table) => table.marks().write_name(at, names),
            Follow::TextTables(text) => text.marks().write_name(at, names),
            Follow::Json(json) => return json.write_names(at, names),
        }
        true
    }

    /// In a table: view offset of the first byte of the row that holds `at`, or of the oldest
    /// byte still known where the row began before that. None elsewhere.
    pub fn row_start(&self, at: u64) -> Option<u64> {
        match &self.structure {
            Follow::Text | Follow::Json(_) => None,
            Follow::Table(table) => table.marks().row_start(at),
            Follow::TextTables(text) => text.marks().row_start(at),
        }
    }

    /// View offset of the first byte of the cell or JSON value that holds `at`, or of a byte that
    /// is not needed any more where it began before that. In a text's table of two columns it is the row that counts, as
    /// the first labels the second. None where there is no place.
    pub fn value_start(&self, at: u64) -> Option<u64> {
        match &self.structure {
            Follow::Text => None,
            Follow::Table(table) => table.marks().cell_start(at),
            Follow::TextTables(text) => text.marks().labelled_cell_start(at),
            Follow::Json(json) => json.value_start(at),
        }
    }

    /// The same where the cell is known to begin at `start`.
    pub fn value_start_in(&self, start: u64, at: u64) -> Option<u64> {
        match &self.structure {
            Follow::TextTables(_) => self.value_start(at),
            _ => Some(start),
        }
    }

    /// The same, but of the cell itself in each table: all bytes with one such start that are not below the
    /// last `forget_below` have one place.
    pub fn cell_start(&self, at: u64) -> Option<u64> {
        match &self.structure {
            Follow::TextTables(text) => text.marks().cell_start(at),
            _ => self.value_start(at),
        }
    }

    /// Where [`Tracker::cell_start`] has that cell begin, and an offset behind `at`: each byte up to there
    /// is in the same cell.
    pub fn cell_span(&self, at: u64) -> Option<Range<u64>> {
        let (start, next) = match &self.structure {
            Follow::Text => None,
            Follow::Table(table) => table.marks().cell_span(at),
            Follow::TextTables(text) => text.marks().cell_span(at),
            Follow::Json(json) => json.value_span(at),
        }?;
        Some(start..next.unwrap_or(self.offset).min(self.offset))
    }

    /// The cell that holds a byte of a table whose columns have names.
    pub fn column(&self, at: u64) -> Option<ColumnCell<'_>> {
        let marks = match &self.structure {
            Follow::Table(table) => table.marks(),
            Follow::TextTables(text) => text.marks(),
            Follow::Text | Follow::Json(_) => return None,
        };
        let Column { start, next, row_start, number, names } = marks.column(at)?;
        let span = start..next.unwrap_or(self.offset).min(self.offset);
        Some(ColumnCell { span, row_start, number, names })
    }

    /// Room for marks, in bytes: what was held at most.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        match &self.structure {
            Follow::Text => 0,
            Follow::Table(table) => table.marks().room(),
            Follow::TextTables(text) => text.marks().room(),
            Follow::Json(json) => json.room(),
        }
    }

    /// Forgets marks that only bytes below this offset need.
    pub fn forget_below(&mut self, at: u64) {
        match &mut self.structure {
            Follow::Text => {}
            Follow::Table(table) => table.forget_below(at),
            Follow::TextTables(text) => text.forget_below(at),
            Follow::Json(json) => json.forget_below(at),
        }
    }
}

/// Text of a name: at most [`MAX_NAME`] bytes, what is not UTF-8 replaced. `cut` says that the
/// bytes go on, so that the last character may be incomplete.
fn name_of(bytes: &[u8], cut: bool) -> String {
    let mut name = String::new();
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        name.push_str(chunk.valid());
        let incomplete = cut && chunks.peek().is_none();
        if !chunk.invalid().is_empty() && !incomplete {
            name.push('\u{fffd}');
        }
    }
    name.truncate(name.floor_char_boundary(MAX_NAME));
    name
}
