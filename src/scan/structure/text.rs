//! Pipe tables in text, as Markdown has them.

use memchr::memchr3;

use super::marks::{Header, Marks};

/// Follows tables whose rows are lines with `|` between cells, and text around them.
///
/// A line whose first byte that is not blank is `|` is a row, and so are those right below it: a
/// block. Its first row names the columns. A rule line (`|---|:--:|`) at the top of a block or
/// behind its first row is no row: its bytes have the number of the row below it. A line of `+---+`
/// in a block is text and does not end it. Where a rule line stands right below a line of text with
/// as many cells, that line names the columns, and lines below are rows, with or without a `|` in
/// front, up to one that is empty or begins with `#` or `>`. What stands behind `\` delimits nothing.
///
/// A row begins with its first byte that is not blank, since no byte before says that it is one.
/// Blanks before that, line ends and delimiters belong to the cell before them, a `|` that begins a
/// row to its first cell.
#[derive(Clone)]
pub(super) struct TextTables {
    at: At,
    block: Block,
    /// Number of the row that is read, or of the next to begin.
    next_row: u64,
    line: Line,
    /// What the line before named the columns, until a row below takes it.
    header: Option<Header>,
    marks: Marks,
}

/// Where in a line the next byte stands.
#[derive(Clone, Copy)]
enum At {
    /// Before the first byte that is not blank.
    Start,
    Inside,
    /// Behind a backslash.
    Escape,
}

/// What the lines right before this one were.
#[derive(Clone, Copy, PartialEq)]
enum Block {
    /// No rows.
    None,
    /// Rows, which begin with `|`.
    Piped,
    /// Rows, whatever they begin with.
    Open,
}

/// The line that is read.
#[derive(Clone, Default)]
struct Line {
    is_row: bool,
    /// Its cells as names, where they may be some.
    names: Header,
    rule: Rule,
}

/// What says whether a line is a rule line.
#[derive(Clone, Default)]
struct Rule {
    /// Whether it holds a byte that no rule line does.
    other: bool,
    dash: bool,
    bar: bool,
    /// Runs of dashes and colons.
    runs: usize,
    in_run: bool,
}

impl Rule {
    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.other {
                return;
            }
            let in_run = matches!(byte, b'-' | b'=' | b':');
            self.runs += usize::from(in_run && !self.in_run);
            self.in_run = in_run;
            self.dash |= matches!(byte, b'-' | b'=');
            self.bar |= matches!(byte, b'|' | b'+');
            self.other = !matches!(byte, b'-' | b'=' | b':' | b'|' | b'+' | b' ' | b'\t' | b'\r');
        }
    }

    fn is_one(&self) -> bool {
        !self.other && self.dash && self.bar
    }
}

impl TextTables {
    pub(super) fn new() -> TextTables {
        TextTables {
            at: At::Start,
            block: Block::None,
            next_row: 0,
            line: Line::default(),
            header: None,
            marks: Marks::default(),
        }
    }

    pub(super) fn advance(&mut self, start: u64, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(byte) = rest.first() {
            let at = start + (bytes.len() - rest.len()) as u64;
            let taken = match (self.at, byte) {
                (At::Start, b' ' | b'\t' | b'\r') => 1,
                (At::Start, b'\n') => {
                    self.marks.begin_text(at);
                    (self.block, self.header) = (Block::None, None);
                    1
                }
                (At::Start, _) => self.begin_line(at, *byte),
                (_, b'\n') => {
                    self.end_line();
                    1
                }
                (At::Escape, _) => {
                    // Only punctuation can be escaped.
                    let whole = [b'\\', *byte];
                    let name = if byte.is_ascii_punctuation() { &[*byte] } else { &whole[..] };
                    self.read_name(name);
                    self.at = At::Inside;
                    1
                }
                (At::Inside, b'|') => {
                    self.line.rule.read(b"|");
                    if self.has_names() {
                        self.line.names.end_name();
                    }
                    if self.line.is_row {
                        self.marks.begin_field(at + 1);
                    }
                    1
                }
                (At::Inside, b'\\') => {
                    self.line.rule.other = true;
                    self.at = At::Escape;
                    1
                }
                (At::Inside, _) => {
                    let length = memchr3(b'|', b'\\', b'\n', rest).unwrap_or(rest.len());
                    let run = rest.get(..length).unwrap_or(rest);
                    self.line.rule.read(run);
                    self.read_name(run);
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

    /// Takes the bytes of a line that say whether it is a row, and says how many.
    fn begin_line(&mut self, at: u64, byte: u8) -> usize {
        let is_piped = byte == b'|';
        let is_row = is_piped || (self.block == Block::Open && !matches!(byte, b'#' | b'>'));
        if is_row {
            if self.block == Block::None {
                (self.block, self.next_row) = (Block::Piped, 0);
            }
            if self.next_row == 1
                && let Some(header) = self.header.take()
            {
                self.marks.name_columns(at, header);
            }
            self.marks.begin_row(at, self.next_row);
        } else {
            self.marks.begin_text(at);
            if self.block != Block::Piped || byte != b'+' {
                self.block = Block::None;
            }
        }
        self.at = At::Inside;
        self.line.is_row = is_row;
        self.line.rule = Rule { bar: is_piped, ..Rule::default() };
        usize::from(is_piped)
    }

    fn end_line(&mut self) {
        self.at = At::Start;
        let is_rule = self.line.rule.is_one();
        let below_names =
            self.header.as_ref().is_some_and(|names| names.count() == self.line.rule.runs);
        let is_plain = !self.line.is_row && self.line.names.count() == 0;
        let names = match is_plain || !self.has_names() {
            true => {
                self.line.names.clear();
                Header::default()
            }
            false => self.line.names.take(),
        };
        match (self.line.is_row, self.next_row) {
            (true, 0) if is_rule && below_names => (self.block, self.next_row) = (Block::Open, 1),
            (true, 0) if is_rule => self.header = None,
            (true, 0) => (self.header, self.next_row) = (Some(names), 1),
            (true, 1) if is_rule => {}
            (true, _) => self.next_row += 1,
            // A line of `+---+`: nothing has changed.
            (false, _) if is_rule && self.block == Block::Piped => {}
            (false, _) if is_rule && below_names => (self.block, self.next_row) = (Block::Open, 1),
            (false, _) => {
                self.block = Block::None;
                self.header = Some(names).filter(|names| names.count() > 1);
            }
        }
    }

    /// Whether the cells of the line may be names.
    fn has_names(&self) -> bool {
        !self.line.is_row || self.next_row == 0
    }

    fn read_name(&mut self, bytes: &[u8]) {
        if self.has_names() {
            self.line.names.read(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Tracker;
    use crate::decode::Structure;
    use crate::model::Place;

    /// Row, column name and row start.
    type Cell = Option<(u64, String, u64)>;

    fn tracker() -> Tracker {
        Tracker::new(Structure::TextTables, 10)
    }

    /// The cell of every byte after taking the text in pieces of these lengths, the rest in one.
    fn places(text: &[u8], cuts: &[usize]) -> Vec<Cell> {
        let mut tracker = tracker();
        let mut rest = text;
        for cut in cuts {
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            tracker.advance(piece);
            rest = behind;
        }
        tracker.advance(rest);
        (0..text.len()).map(|at| place_of(&tracker, 10 + at as u64)).collect()
    }

    fn place_of(tracker: &Tracker, at: u64) -> Cell {
        let (row_start, cell_start) = (tracker.row_start(at), tracker.value_start(at));
        match tracker.place(at) {
            Some(Place::Cell { row, column }) => {
                assert!(cell_start.is_some_and(|start| row_start <= Some(start) && start <= at));
                Some((row, column.to_string(), row_start?))
            }
            Some(Place::Json { .. }) => panic!("a table has cells"),
            None => {
                assert_eq!((row_start, cell_start), (None, None));
                None
            }
        }
    }

    /// The same by a slow parser that sees whole lines.
    fn naive(text: &[u8]) -> Vec<Cell> {
        let mut bytes = Vec::new();
        let mut cell: Option<(u64, usize, usize, usize)> = None;
        let (mut block, mut next_row) = ("none", 0);
        let mut header: Option<Vec<String>> = None;
        let mut tables: Vec<Vec<String>> = Vec::new();
        let mut line_start = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let from = line_start;
            line_start += line.len();
            let ends = line.ends_with(b"\n");
            let body = line.strip_suffix(b"\n").unwrap_or(line);
            let lead = body.iter().position(|byte| !b" \t\r".contains(byte));
            bytes.extend(std::iter::repeat_n(cell, lead.unwrap_or(body.len())));
            let Some(lead) = lead else {
                if ends {
                    (block, header, cell) = ("none", None, None);
                    bytes.push(cell);
                }
                continue;
            };
            let piped = body[lead] == b'|';
            let is_row = piped || (block == "open" && !b"#>".contains(&body[lead]));
            if is_row && block == "none" {
                (block, next_row) = ("piped", 0);
            }
            if is_row && next_row == 1 {
                tables.extend(header.take());
            }
            // The bytes of the line, and its cells.
            let mut cells = vec![Vec::new()];
            let mut at = lead + usize::from(piped);
            cell = is_row.then_some((next_row, 0, from + lead, tables.len()));
            bytes.extend(std::iter::repeat_n(cell, at - lead));
            while at < body.len() {
                let last = cells.len() - 1;
                let taken = match &body[at..] {
                    [b'\\', escaped, ..] if escaped.is_ascii_punctuation() => {
                        cells[last].push(*escaped);
                        2
                    }
                    [b'|', ..] => {
                        cells.push(Vec::new());
                        1
                    }
                    [b'\\'] => 1,
                    [byte, ..] => {
                        cells[last].push(*byte);
                        1
                    }
                    [] => unreachable!(),
                };
                bytes.extend(std::iter::repeat_n(cell, taken));
                cell = cell.map(|(row, _, start, table)| (row, cells.len() - 1, start, table));
                at += taken;
            }
            if !ends {
                continue;
            }
            bytes.push(cell);
            let of_rules = |byte: &u8| b"-=:|+ \t\r".contains(byte);
            let is_rule = body.iter().all(of_rules)
                && body.iter().any(|byte| b"-=".contains(byte))
                && body.iter().any(|byte| b"|+".contains(byte));
            let runs =
                body.split(|byte| !b"-=:".contains(byte)).filter(|run| !run.is_empty()).count();
            let mut names: Vec<String> =
                cells.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
            names.pop_if(|name| name.is_empty());
            let fits = header.as_ref().is_some_and(|names| names.len() == runs);
            if is_row && next_row == 0 && is_rule && fits {
                (block, next_row) = ("open", 1);
            } else if is_row && next_row == 0 {
                header = Some(names).filter(|_| !is_rule);
                next_row = u64::from(!is_rule);
            } else if is_row {
                next_row += u64::from(next_row > 1 || !is_rule);
            } else if is_rule && block == "piped" && body[lead] == b'+' {
            } else if is_rule && fits {
                (block, next_row) = ("open", 1);
            } else {
                block = "none";
                header = Some(names).filter(|names| names.len() > 1);
            }
        }
        let name = |row: u64, column: usize, table: usize| {
            let names = table.checked_sub(1).filter(|_| row > 0).map(|table| &tables[table]);
            match names.and_then(|names| names.get(column)) {
                Some(name) if !name.is_empty() => name.clone(),
                _ => format!("#{}", column + 1),
            }
        };
        let place =
            |(row, column, start, table)| (row, name(row, column, table), 10 + start as u64);
        bytes.into_iter().map(|cell| cell.map(place)).collect()
    }

    fn mangled() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            3 => "[a-z0-9]{1,3}".prop_map(String::into_bytes),
            5 => Just(b"|".to_vec()),
            4 => Just(b"\n".to_vec()),
            1 => Just(b"\r\n".to_vec()),
            2 => Just(b" ".to_vec()),
            2 => Just(b"\\".to_vec()),
            1 => Just(b"-".to_vec()),
            3 => Just(b"\n|---|:-:|\n".to_vec()),
            3 => Just(b"a | b\n--- | ---\n".to_vec()),
            3 => Just(b"| a | b |\n".to_vec()),
            1 => Just(b"\n---|---\n".to_vec()),
            1 => Just(b"+--+--+\n".to_vec()),
            1 => Just(b"\n# ".to_vec()),
            1 => Just("é>".as_bytes().to_vec()),
            1 => Just(vec![0xff, 0x00]),
        ];
        prop::collection::vec(piece, 0..50).prop_map(|pieces| pieces.concat())
    }

    const SAMPLE: &str = "# People\n\n| Name | Tax \\| ID |\r\n|:---|---:|\n| Ann | 1\\|2 |\n  | Bob\n\
        Text | here\n| Only | row |\n\nName | SSN\n--- | ---\nAnn | 3\n| Bob | 4 |\n\nEnd |\n\
        +----+----+\n| id | no |\n+----+----+\n| 5 | 6 |\n+----+----+\n| 7 | 8 |\ntel";

    proptest! {
        #[test]
        fn any_cut_gives_the_places_of_the_naive_parser(
            text in mangled(), cuts in prop::collection::vec(0usize..9, 0..80),
        ) {
            let expected = naive(&text);
            prop_assert_eq!(&places(&text, &[]), &expected);
            prop_assert_eq!(&places(&text, &cuts), &expected);
            prop_assert_eq!(&places(&text, &vec![1; text.len()]), &expected);
        }

        #[test]
        fn a_byte_has_its_place_as_soon_as_it_is_there(text in mangled(), keep in 1usize..20) {
            let expected = naive(&text);
            let mut tracker = tracker();
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

    /// Row and column of the first byte of `part`.
    fn cell(text: &str, part: &str) -> Option<(u64, String)> {
        let at = text.find(part).unwrap();
        let all = places(text.as_bytes(), &[]);
        all[at].clone().map(|(row, name, _)| (row, name))
    }

    #[test]
    fn every_cut_gives_the_same_places() {
        let expected = naive(SAMPLE.as_bytes());
        for cut in 0..=SAMPLE.len() {
            assert_eq!(places(SAMPLE.as_bytes(), &[cut]), expected, "{cut}");
        }
    }

    #[test]
    fn tables_are_found_in_text() {
        let of = |part: &str| cell(SAMPLE, part);
        let at = |row, name: &str| Some((row, name.to_owned()));
        assert_eq!(of("People"), None);
        assert_eq!(of("Name"), at(0, "#1"));
        assert_eq!(of("Ann | 1"), at(1, "Name"));
        assert_eq!(of("1\\|2"), at(1, "Tax | ID"));
        assert_eq!(of("2 |\n"), at(1, "Tax | ID"), "an escaped bar is no delimiter");
        assert_eq!(of("Bob\n"), at(2, "Name"), "an indented row");
        assert_eq!(of("Text"), None);
        assert_eq!(of("row |"), at(0, "#2"));
        assert_eq!(of("SSN"), None, "nothing says yet that this is a header");
        assert_eq!(of("Ann | 3"), at(1, "Name"));
        assert_eq!(of("3"), at(1, "SSN"));
        assert_eq!(of("4 |"), at(2, "SSN"));
        assert_eq!(of("End"), None);
        assert_eq!(of("6 |"), at(1, "no"));
        assert_eq!(of("8 |"), at(2, "no"), "a line of the grid ends nothing");
        assert_eq!(of("tel"), None);
    }

    #[test]
    fn blocks_end_where_other_text_begins() {
        let two =
            "| a | b |\n|-|-|\n| 1 | 2 |\n| - | - |\n| 3 | 4 |\n\n| c |\n|---|\n| 5 |\n+1 6\n| 7 |";
        let at = |row, name: &str| Some((row, name.to_owned()));
        assert_eq!(cell(two, "4"), at(3, "b"), "dashes further below are a row");
        assert_eq!(cell(two, "5"), at(1, "c"));
        assert_eq!(cell(two, "+1"), None);
        assert_eq!(cell(two, "7"), at(0, "#1"));
        let open = "a | b\n---|---\n1 | 2\n3\n# 4 | x\n5 | 6\n";
        assert_eq!(cell(open, "2"), at(1, "b"));
        assert_eq!(cell(open, "3"), at(2, "a"));
        assert_eq!((cell(open, "4"), cell(open, "6")), (None, None));
        let other_width = "a | b | c\n---|---\n1 | 2\n";
        assert_eq!(cell(other_width, "2"), None);
        let ruled_first = "|---+---|\n| a | b |\n|---+---|\n| 1 | 2 |\n";
        assert_eq!(cell(ruled_first, "2"), at(1, "b"));
    }

    #[test]
    fn of_two_columns_the_first_labels_the_second() {
        let start = |text: &'static str, part: &str| {
            let mut tracker = tracker();
            tracker.advance(text.as_bytes());
            let start = tracker.value_start(10 + text.find(part).unwrap() as u64).unwrap();
            &text[start as usize - 10..]
        };
        assert_eq!(start("| a | b |\n|-|-|\n| 1 | 2 |\n", "2"), "| 1 | 2 |\n");
        assert_eq!(start("| a | b | c |\n|-|-|-|\n| 1 | 2 | 3 |\n", "2"), " 2 | 3 |\n");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        for piece in ["|a\n|b\n\n", "a|b\n-|-\n1|2\n\n", "|", "|a|", "\n|\n\n"] {
            let mut tracker = tracker();
            for _ in 0..200 {
                tracker.advance(&piece.repeat(4096 / piece.len()).into_bytes());
                tracker.forget_below(tracker.offset() - 2048);
            }
            assert!(tracker.room() < 1 << 19, "{piece:?}: {}", tracker.room());
            tracker.forget_below(tracker.offset());
            let super::super::Follow::TextTables(text) = &tracker.structure else {
                panic!("no text");
            };
            let (fields, rows) = text.marks().count();
            assert!(fields <= 1 && rows <= 1, "{piece:?}");
        }
    }
}
