//! Rows and columns of delimited text.

use memchr::{memchr, memchr2};

use super::marks::{Header, Marks};

/// Follows RFC 4180 rows. A quote opens only at the start of a field; `""` inside stands for a
/// quote; behind a closing quote anything else is taken as it stands. Rows end at LF, with or
/// without CR. Line ends at the start of a row are no rows.
#[derive(Clone)]
pub(super) struct Table {
    delimiter: u8,
    at: At,
    /// Number of the next row to begin.
    next_row: u64,
    /// The header row while it is read.
    header: Option<Header>,
    marks: Marks,
}

/// Where in a row the next byte stands.
#[derive(Clone, Copy, PartialEq)]
enum At {
    RowStart,
    FieldStart,
    Field,
    Quoted,
    /// Behind a quote in a quoted field: its end, or the first half of an escaped quote.
    QuoteEnd,
}

impl Table {
    pub(super) fn new(delimiter: u8, header: bool) -> Table {
        Table {
            delimiter,
            at: At::RowStart,
            next_row: u64::from(!header),
            header: header.then(Header::default),
            marks: Marks::default(),
        }
    }

    pub(super) fn advance(&mut self, start: u64, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            let at = start + (bytes.len() - rest.len()) as u64;
            let taken = match self.at {
                At::RowStart if matches!(byte, b'\r' | b'\n') => 1,
                At::RowStart => {
                    self.marks.begin_row(at, self.next_row);
                    self.next_row += 1;
                    self.at = At::FieldStart;
                    0
                }
                At::FieldStart | At::QuoteEnd if *byte == b'"' => {
                    if self.at == At::QuoteEnd {
                        self.read_name(b"\"");
                    }
                    self.at = At::Quoted;
                    1
                }
                At::Quoted => {
                    let length = memchr(b'"', rest).unwrap_or(rest.len());
                    self.read_name(rest.get(..length).unwrap_or(rest));
                    if length < rest.len() {
                        self.at = At::QuoteEnd;
                    }
                    length + 1
                }
                At::FieldStart | At::Field | At::QuoteEnd if *byte == self.delimiter => {
                    self.end_name();
                    self.marks.begin_field(at + 1);
                    self.at = At::FieldStart;
                    1
                }
                At::FieldStart | At::Field | At::QuoteEnd if *byte == b'\n' => {
                    self.end_name();
                    if let Some(header) = self.header.take() {
                        self.marks.name_columns(at + 1, header);
                    }
                    self.at = At::RowStart;
                    1
                }
                At::FieldStart | At::Field | At::QuoteEnd => {
                    let length = memchr2(self.delimiter, b'\n', behind).unwrap_or(behind.len()) + 1;
                    self.read_name(rest.get(..length).unwrap_or(rest));
                    self.at = At::Field;
                    length
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    pub(super) fn marks(&self) -> &Marks {
        &self.marks
    }

    pub(super) fn forget_below(&mut self, at: u64) {
        self.marks.forget_below(at);
    }

    fn read_name(&mut self, bytes: &[u8]) {
        if let Some(header) = &mut self.header {
            header.read(bytes);
        }
    }

    fn end_name(&mut self) {
        if let Some(header) = &mut self.header {
            header.end_name();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Tracker;
    use crate::decode::Structure;
    use crate::model::Place;

    fn tracker(header: bool) -> Tracker {
        Tracker::new(Structure::Table { delimiter: b',', header }, 10)
    }

    /// Place and row start of every byte after taking the text in pieces of these lengths, over
    /// and over; the rest in one.
    fn places(text: &[u8], header: bool, cuts: &[usize]) -> Vec<Option<(u64, String, u64)>> {
        let mut tracker = tracker(header);
        let mut rest = text;
        for cut in cuts {
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            tracker.advance(piece);
            rest = behind;
        }
        tracker.advance(rest);
        (0..text.len()).map(|at| place_of(&tracker, 10 + at as u64)).collect()
    }

    fn place_of(tracker: &Tracker, at: u64) -> Option<(u64, String, u64)> {
        let row_start = tracker.row_start(at);
        match tracker.place(at) {
            Some(Place::Cell { row, column }) => Some((row, column.to_string(), row_start?)),
            Some(Place::Json { .. }) => panic!("a table has cells"),
            None => {
                assert_eq!(row_start, None);
                None
            }
        }
    }

    /// The same by a slow parser: one byte after the other, fields collected as text.
    fn naive(text: &[u8], header: bool) -> Vec<Option<(u64, String, u64)>> {
        let mut cells: Vec<Option<(u64, usize, usize)>> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        let mut field = Vec::new();
        let (mut in_row, mut row, mut row_start, mut column) = (false, u64::from(!header), 0, 0);
        let mut index = 0;
        let mut quoted = false;
        let mut at_start = true;
        while index < text.len() {
            let byte = text[index];
            if !in_row && (byte == b'\r' || byte == b'\n') {
                cells.push(cells.last().copied().flatten());
                index += 1;
                continue;
            }
            if !in_row {
                (in_row, row_start, column, at_start, quoted) = (true, index, 0, true, false);
                field.clear();
            }
            cells.push(Some((row, column, row_start)));
            index += 1;
            if quoted {
                if byte == b'"' && text.get(index) == Some(&b'"') {
                    cells.push(Some((row, column, row_start)));
                    index += 1;
                    field.push(b'"');
                } else if byte == b'"' {
                    quoted = false;
                } else {
                    field.push(byte);
                }
                continue;
            }
            if at_start && byte == b'"' {
                quoted = true;
            } else if byte == b',' || byte == b'\n' {
                if row == 0 {
                    names.push(String::from_utf8_lossy(&field).trim().to_owned());
                }
                field.clear();
                column += 1;
                if byte == b'\n' {
                    in_row = false;
                    row += 1;
                }
            } else {
                field.push(byte);
            }
            at_start = byte == b',';
        }
        let name = |row: u64, column: usize| match names.get(column) {
            Some(name) if row > 0 && !name.is_empty() => name.clone(),
            _ => format!("#{}", column + 1),
        };
        cells
            .into_iter()
            .map(|cell| {
                cell.map(|(row, column, start)| (row, name(row, column), 10 + start as u64))
            })
            .collect()
    }

    fn mangled() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            5 => "[a-z0-9]{1,6}".prop_map(String::into_bytes),
            4 => Just(b",".to_vec()),
            3 => Just(b"\n".to_vec()),
            1 => Just(b"\r\n".to_vec()),
            1 => Just(b"\r".to_vec()),
            2 => Just(b"\"".to_vec()),
            1 => Just(b"\"\"".to_vec()),
            1 => Just(b",\"a,\n\"\"b\"".to_vec()),
            1 => Just("é ".as_bytes().to_vec()),
            1 => Just(vec![0xff, 0x00]),
        ];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_places_of_the_naive_parser(
            text in mangled(), header: bool, cuts in prop::collection::vec(0usize..9, 0..80),
        ) {
            let expected = naive(&text, header);
            prop_assert_eq!(&places(&text, header, &[]), &expected);
            prop_assert_eq!(&places(&text, header, &cuts), &expected);
            prop_assert_eq!(&places(&text, header, &vec![1; text.len()]), &expected);
        }

        #[test]
        fn a_byte_has_its_place_as_soon_as_it_is_there(
            text in mangled(), header: bool, keep in 1usize..20,
        ) {
            let expected = naive(&text, header);
            let mut tracker = tracker(header);
            for end in 1..=text.len() {
                tracker.advance(&text[end - 1..end]);
                let oldest = end.saturating_sub(keep);
                tracker.forget_below(10 + oldest as u64);
                tracker = tracker.clone();
                let seen = (oldest..end).map(|at| place_of(&tracker, 10 + at as u64));
                let clamped = expected[oldest..end].iter().cloned().map(|cell| {
                    cell.map(|(row, name, start)| (row, name, start.max(10 + oldest as u64)))
                });
                prop_assert_eq!(seen.collect::<Vec<_>>(), clamped.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn names_come_from_the_header() {
        let text = b"\xef\xbb\xbfid, \"so\"\"cial, no\" ,,x\r\n\r\n1,2,3,4,5\r\n";
        let seen = places(text, true, &[]);
        let cell = |at: usize| seen[at].clone().map(|(row, name, _)| (row, name));
        let first = text.len() - 11;
        let names = ["id", "\"so\"\"cial", "no\"", "#4", "x"];
        for (column, name) in names.iter().enumerate() {
            assert_eq!(cell(first + 2 * column), Some((1, (*name).to_owned())));
        }
        assert_eq!(cell(3), Some((0, "#1".to_owned())));
    }

    #[test]
    fn names_and_columns_are_bounded() {
        let long = [b"a".repeat(255), "é".repeat(200).into_bytes(), b",b".repeat(5000)].concat();
        let mut tracker = tracker(true);
        tracker.advance(&long);
        tracker.advance(b"\n1");
        let Some(Place::Cell { column, .. }) = tracker.place(tracker.offset() - 1) else {
            panic!("no cell");
        };
        assert_eq!(&*column, "a".repeat(255));
        tracker.advance(&b",1".repeat(4096));
        let Some(Place::Cell { column, .. }) = tracker.place(tracker.offset() - 1) else {
            panic!("no cell");
        };
        assert_eq!(&*column, "#4097");
    }

    #[test]
    fn a_checkpoint_is_small() {
        let mut tracker = tracker(true);
        tracker.advance(&b"a,b,c\n".repeat(10_000));
        tracker.forget_below(tracker.offset());
        let super::super::Follow::Table(table) = &tracker.structure else {
            panic!("no table");
        };
        assert_eq!(table.marks.count(), (1, 1));
    }
}
