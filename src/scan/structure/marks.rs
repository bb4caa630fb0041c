//! Where rows and fields begin, and what the columns are called.
//!
//! A parser says where a row, a field or other text begins, in order; the cell of a byte comes out.
//! Promised: what is said of a byte rests on marks at or before it alone, and what is kept is
//! bounded by the marks in the retained bytes and the names of the tables they belong to.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{MAX_NAME, name_of};
use crate::model::Place;

/// Columns of the header row whose names are kept; those behind have only numbers.
const MAX_COLUMNS: usize = 4096;

/// Bytes kept of a header field while it is read: enough to see where the character at the bound
/// begins.
const MAX_RAW_NAME: usize = MAX_NAME + 4;

/// Number of what is no row: text between tables.
const NO_ROW: u64 = u64::MAX;

/// The marks of what is retained.
#[derive(Clone, Default)]
pub(super) struct Marks {
    /// Fields that were forgotten, so that the number of a field is `forgotten` plus its position.
    forgotten: u64,
    /// Offset of the first byte of each field.
    fields: VecDeque<u64>,
    rows: VecDeque<Row>,
    /// Names of the columns, by the offset from which on rows have them.
    names: VecDeque<(u64, Arc<[Arc<str>]>)>,
    oldest: u64,
    /// Whether any text stood between rows. Without any, each byte behind the first mark is in a cell.
    has_text: bool,
}

#[derive(Clone, Copy)]
struct Row {
    start: u64,
    number: u64,
    /// Number of its first field.
    first_field: u64,
}

/// A cell of a row whose columns have names.
pub(super) struct Column<'a> {
    pub(super) start: u64,
    /// Where the next one begins, if that is known.
    pub(super) next: Option<u64>,
    pub(super) row_start: u64,
    /// Its column, counted from 0.
    pub(super) number: u64,
    pub(super) names: &'a Arc<[Arc<str>]>,
}

impl Marks {
    /// A row begins, and its first field with it. Row 0 names the columns.
    pub(super) fn begin_row(&mut self, at: u64, number: u64) {
        let first_field = self.forgotten + self.fields.len() as u64;
        self.rows.push_back(Row { start: at, number, first_field });
        self.fields.push_back(at);
    }

    pub(super) fn begin_field(&mut self, at: u64) {
        self.fields.push_back(at);
    }

    /// Text begins that is no row. Before the first row there is nothing to say.
    pub(super) fn begin_text(&mut self, at: u64) {
        if self.rows.back().is_some_and(|row| row.number != NO_ROW) {
            self.has_text = true;
            self.rows.push_back(Row { start: at, number: NO_ROW, first_field: 0 });
        }
    }

    /// Rows that begin from here on have these columns.
    pub(super) fn name_columns(&mut self, from: u64, header: Header) {
        self.names.push_back((from, header.names.into()));
    }

    /// The names of all rows to come, if they were given once.
    pub(super) fn columns(&self) -> Option<&[Arc<str>]> {
        self.names.back().map(|(_, names)| &**names)
    }

    /// Whether the last mark is one of a row.
    pub(super) fn is_in_row(&self) -> bool {
        self.rows.back().is_some_and(|row| row.number != NO_ROW)
    }

    pub(super) fn place(&self, at: u64) -> Option<Place> {
        let (row, column, name) = self.cell(at)?;
        let column = name.cloned().unwrap_or_else(|| format!("#{}", column + 1).into());
        Some(Place::Cell { row: row.number, column })
    }

    /// Writes the name of the column that holds `at`, if it has one.
    pub(super) fn write_name(&self, at: u64, names: &mut String) {
        if let Some((_, _, Some(name))) = self.cell(at) {
            names.push_str(name);
        }
    }

    /// The cell that holds `at`, and what columns of its row are called; none without such names.
    pub(super) fn column(&self, at: u64) -> Option<Column<'_>> {
        let row = self.row(at).filter(|row| row.number > 0)?;
        let field = last_at(&self.fields, at, |start| *start)?;
        let next = self.fields.get(field + 1).copied();
        Some(Column {
            start: (*self.fields.get(field)?).max(self.oldest),
            next: if self.has_text { Some(at + 1) } else { next },
            row_start: row.start.max(self.oldest),
            number: (self.forgotten + field as u64).saturating_sub(row.first_field),
            names: self.names_of(row)?,
        })
    }

    /// Row, column counted from 0 and its name, if it has one.
    fn cell(&self, at: u64) -> Option<(&Row, u64, Option<&Arc<str>>)> {
        let position = self.rows.partition_point(|row| row.start <= at).checked_sub(1)?;
        let row = self.rows.get(position).filter(|row| row.number != NO_ROW)?;
        let field = self.last_field(position, row, at)?;
        let column = (self.forgotten + field as u64).saturating_sub(row.first_field);
        let name = self
            .names_of(row)
            .filter(|_| row.number > 0)
            .and_then(|names| usize::try_from(column).ok().and_then(|column| names.get(column)));
        Some((row, column, name.filter(|name| !name.is_empty())))
    }

    pub(super) fn row_start(&self, at: u64) -> Option<u64> {
        Some(self.row(at)?.start.max(self.oldest))
    }

    pub(super) fn cell_start(&self, at: u64) -> Option<u64> {
        self.cell_span(at).map(|(start, _)| start)
    }

    /// The start of the cell, and where the next one begins, if that is known.
    pub(super) fn cell_span(&self, at: u64) -> Option<(u64, Option<u64>)> {
        if self.has_text {
            self.row(at)?;
        }
        let field = last_at(&self.fields, at, |start| *start)?;
        let start = self.fields.get(field)?;
        // Where text may follow a row, all that is known is the cell of this byte.
        let next = self.fields.get(field + 1).copied();
        Some(((*start).max(self.oldest), if self.has_text { Some(at + 1) } else { next }))
    }

    /// The start of the cell, but of two columns the first labels what stands in the second, so that a value
    /// there begins with its row.
    pub(super) fn labelled_cell_start(&self, at: u64) -> Option<u64> {
        let row = self.row(at)?;
        match self.names_of(row).map(|names| &**names) {
            Some([_, _]) => self.row_start(at),
            _ => self.cell_start(at),
        }
    }

    pub(super) fn forget_below(&mut self, at: u64) {
        self.oldest = self.oldest.max(at);
        let old = self.fields.partition_point(|start| *start <= at).saturating_sub(1);
        self.fields.drain(..old);
        self.forgotten += old as u64;
        let old = self.rows.partition_point(|row| row.start <= at).saturating_sub(1);
        self.rows.drain(..old);
        let first = self.rows.front().map_or(at, |row| row.start);
        let old = self.names.partition_point(|(from, _)| *from <= first).saturating_sub(1);
        self.names.drain(..old);
    }

    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.fields.capacity() * size_of::<u64>()
            + self.rows.capacity() * size_of::<Row>()
            + self
                .names
                .iter()
                .map(|(_, names)| 24 + names.iter().map(|name| 32 + name.len()).sum::<usize>())
                .sum::<usize>()
    }

    /// How many fields and rows are marked.
    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize) {
        (self.fields.len(), self.rows.len())
    }

    /// The row that holds `at`; none in text between tables.
    fn row(&self, at: u64) -> Option<&Row> {
        let position = last_at(&self.rows, at, |row| row.start)?;
        self.rows.get(position).filter(|row| row.number != NO_ROW)
    }

    /// The position of the field of a row that holds `at`.
    fn last_field(&self, position: usize, row: &Row, at: u64) -> Option<usize> {
        let position_of = |number: u64| usize::try_from(number.saturating_sub(self.forgotten)).ok();
        let next = self.rows.get(position + 1).filter(|next| next.number != NO_ROW);
        let mut first = position_of(row.first_field)?;
        let mut end = next.map_or(Some(self.fields.len()), |next| position_of(next.first_field))?;
        while first + 1 < end {
            let middle = first.midpoint(end);
            if self.fields.get(middle).is_some_and(|start| *start <= at) {
                first = middle;
            } else {
                end = middle;
            }
        }
        (first < self.fields.len()).then_some(first)
    }

    fn names_of(&self, row: &Row) -> Option<&Arc<[Arc<str>]>> {
        let position = last_at(&self.names, row.start, |(from, _)| *from)?;
        self.names.get(position).map(|(_, names)| names)
    }
}

/// How many marks at the end are looked at one by one.
const LATE: usize = 8;

/// The position of the last mark that starts at `at` or before. Most questions are about a byte that was
/// followed just now.
#[inline]
pub(super) fn last_at<T>(marks: &VecDeque<T>, at: u64, start: impl Fn(&T) -> u64) -> Option<usize> {
    let mut behind = marks.len();
    for _ in 0..LATE {
        behind = behind.checked_sub(1)?;
        if marks.get(behind).is_some_and(|mark| start(mark) <= at) {
            return Some(behind);
        }
    }
    marks.partition_point(|mark| start(mark) <= at).checked_sub(1)
}

/// A header row while it is read.
#[derive(Clone, Default)]
pub(super) struct Header {
    names: Vec<Arc<str>>,
    field: Vec<u8>,
    cut: bool,
}

impl Header {
    /// Takes the next bytes of a name.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        // White space before the name must not use up its room.
        let bytes = if self.field.is_empty() { bytes.trim_ascii_start() } else { bytes };
        let room = MAX_RAW_NAME.saturating_sub(self.field.len());
        self.cut |= bytes.len() > room;
        self.field.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    pub(super) fn end_name(&mut self) {
        if self.names.len() < MAX_COLUMNS {
            let name = name_of(&self.field, self.cut);
            // A mark in the first bytes of a declared format is no part of a name.
            self.names.push(name.trim_start_matches('\u{feff}').trim_ascii().into());
        }
        self.field.clear();
        self.cut = false;
    }

    /// How many names there are.
    pub(super) fn count(&self) -> usize {
        self.names.len()
    }

    /// The names, with the one that is read unless nothing was; another row begins.
    pub(super) fn take(&mut self) -> Header {
        if !self.field.is_empty() {
            self.end_name();
        }
        Header { names: std::mem::take(&mut self.names), ..Header::default() }
    }

    /// Drops what was read; another row begins.
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.field.clear();
        self.cut = false;
    }
}
