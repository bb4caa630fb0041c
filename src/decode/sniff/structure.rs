//! JSON, NDJSON, a table or text with tables, by the first bytes of a text.

use std::collections::{BTreeMap, HashSet};

use super::Structure;
use super::ruled::ruled_table;

/// Delimiters in the order in which they win where several would do equally well.
const DELIMITERS: [u8; 4] = [b'\t', b';', b'|', b','];

/// Depth that the JSON check follows; deeper brackets are let pass.
const MAX_DEPTH: usize = 512;

/// The structure of a text that begins with `head`; `whole` where that is all of it.
pub(super) fn of_text(head: &[u8], whole: bool) -> Structure {
    match head.trim_ascii_start().first() {
        Some(b'{' | b'[') if is_ndjson(head, whole) => Structure::NdJson,
        Some(b'{' | b'[') if json_prefix(head).is_some() => Structure::Json,
        _ => table_or_text(head, whole),
    }
}

/// See [`Structure::TextTables`].
fn table_or_text(head: &[u8], whole: bool) -> Structure {
    let found = table(head, whole);
    let Some(ruled) = ruled_table(head, whole) else {
        return found.unwrap_or(Structure::Text);
    };
    match found {
        // Without a `|` in front it is a table as it is with other delimiters.
        Some(table @ Structure::Table { delimiter: b'|', .. })
            if ruled.is_first && !ruled.is_piped =>
        {
            table
        }
        // The cells of another table may hold text with tables.
        Some(table @ Structure::Table { delimiter, .. })
            if delimiter != b'|' && !(ruled.is_first && ruled.is_piped) =>
        {
            table
        }
        _ => Structure::TextTables,
    }
}

/// See [`Structure::NdJson`].
fn is_ndjson(head: &[u8], whole: bool) -> bool {
    let complete = match head.iter().rposition(|byte| *byte == b'\n') {
        _ if whole => head,
        Some(end) => head.get(..=end).unwrap_or(head),
        None => return false,
    };
    let opens = |line: &&[u8]| matches!(line.first(), Some(b'{' | b'['));
    // The line that the head cuts begins in the head, and that is what is asked of it.
    let mut lines = head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty());
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else {
        return false;
    };
    let (rest, opening) =
        lines.fold((0, 0), |(all, open), line| (all + 1, open + usize::from(opens(&line))));
    let first_ends = complete.len() > first.len();
    first_ends
        && opens(&second)
        && json_prefix(first) == Some(1)
        && (opening + 2) * 4 >= (rest + 2) * 3
}

/// What may come next in a JSON text.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Value,
    /// A value or `]`, behind `[` and behind a comma in an array.
    Element,
    /// A key or `}`, behind `{` and behind a comma in an object.
    Member,
    Colon,
    /// A comma or the end of the container.
    Comma,
    /// Another value, all brackets being closed.
    Top,
}

/// Number of complete values at the top where `text` is the beginning of JSON values one after
/// the other; None where it is not.
fn json_prefix(text: &[u8]) -> Option<usize> {
    let (mut values, mut expect, mut stack) = (0, Expect::Top, Vec::new());
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        expect = match (expect, byte) {
            (_, b' ' | b'\t' | b'\r' | b'\n') => expect,
            (Expect::Value | Expect::Element | Expect::Top, b'{' | b'[') => {
                stack.push(*byte);
                if stack.len() > MAX_DEPTH {
                    return Some(values);
                }
                if *byte == b'{' { Expect::Member } else { Expect::Element }
            }
            (Expect::Member | Expect::Comma, b'}') | (Expect::Element | Expect::Comma, b']') => {
                if stack.pop() != Some(if *byte == b'}' { b'{' } else { b'[' }) {
                    return None;
                }
                values += usize::from(stack.is_empty());
                if stack.is_empty() { Expect::Top } else { Expect::Comma }
            }
            (Expect::Member, b'"') => {
                rest = behind_string(rest);
                Expect::Colon
            }
            (Expect::Colon, b':') => Expect::Value,
            (Expect::Value | Expect::Element, b'"') => {
                rest = behind_string(rest);
                Expect::Comma
            }
            (Expect::Value | Expect::Element, b'-' | b'0'..=b'9' | b'a'..=b'z' | b'N' | b'I') => {
                let in_word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
                let length = 1 + rest.iter().take_while(|b| in_word(b)).count();
                let word = text.get(text.len() - rest.len() - 1..)?.get(..length)?;
                rest = rest.get(length - 1..)?;
                if !is_scalar(word, rest.is_empty()) {
                    return None;
                }
                Expect::Comma
            }
            (Expect::Comma, b',') => match stack.last() {
                Some(b'{') => Expect::Member,
                _ => Expect::Element,
            },
            _ => return None,
        };
    }
    Some(values)
}

/// What follows the end of a string whose opening quote lies before `text`.
fn behind_string(text: &[u8]) -> &[u8] {
    let mut rest = text;
    loop {
        rest = match rest {
            [b'\\', _, tail @ ..] => tail,
            [b'"', tail @ ..] => return tail,
            [_, tail @ ..] => tail,
            [] => return rest,
        };
    }
}

/// A number or a literal; where the text ends inside of it, its beginning.
fn is_scalar(word: &[u8], cut: bool) -> bool {
    const LITERALS: [&[u8]; 6] = [b"true", b"false", b"null", b"NaN", b"Infinity", b"-Infinity"];
    let number = |b: &u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let begins_as_number = matches!(word.first(), Some(b'-' | b'0'..=b'9'));
    (begins_as_number && word.iter().all(number))
        || LITERALS.iter().any(|literal| *literal == word || (cut && literal.starts_with(word)))
}

/// A row as the table check sees it.
#[derive(Clone, Copy)]
struct Row<'a> {
    text: &'a [u8],
    fields: &'a [&'a [u8]],
}

/// Rows, with the fields of all of them in one place.
#[derive(Default)]
struct Rows<'a> {
    fields: Vec<&'a [u8]>,
    /// Of each row its text, and behind which field it ends.
    rows: Vec<(&'a [u8], usize)>,
}

impl Rows<'_> {
    fn all(&self) -> Vec<Row<'_>> {
        let starts = [0].into_iter().chain(self.rows.iter().map(|(_, end)| *end));
        let rows = starts.zip(&self.rows).map(|(start, (text, end))| Row {
            text,
            fields: self.fields.get(start..*end).unwrap_or_default(),
        });
        rows.collect()
    }
}

/// A delimiter that would do.
struct Candidate {
    delimiter: u8,
    header: bool,
    fields: usize,
    /// Whether the first row has as many fields as most have.
    first_agrees: bool,
}

/// See [`Structure::Table`].
fn table(head: &[u8], whole: bool) -> Option<Structure> {
    // HL7 version 2 delimits fields by `|`, but each segment has columns of its own.
    if head.starts_with(b"MSH|") {
        return None;
    }
    let mut found: Vec<Candidate> =
        DELIMITERS.iter().filter_map(|delimiter| candidate(head, whole, *delimiter)).collect();
    // Decimal commas are as regular as delimiters: they step back.
    if found.len() > 1 && commas_are_decimal(head) {
        found.retain(|candidate| candidate.delimiter != b',');
    }
    // Of equals, the first one of `DELIMITERS`.
    let best = found
        .iter()
        .rev()
        .max_by_key(|candidate| (candidate.first_agrees, candidate.header, candidate.fields))?;
    Some(Structure::Table { delimiter: best.delimiter, header: best.header })
}

fn candidate(head: &[u8], whole: bool, delimiter: u8) -> Option<Candidate> {
    let rows = rows(head, whole, delimiter)?;
    let rows = rows.all();
    let first = rows.first()?;
    let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
    for row in &rows {
        *lengths.entry(row.fields.len()).or_default() += 1;
    }
    let (fields, agreeing) = lengths.into_iter().max_by_key(|(fields, rows)| (*rows, *fields))?;
    let strict_header = is_header(first) && first.fields.iter().all(|field| !is_wordy(field, 4));
    let first_agrees = first.fields.len() == fields;
    let (fields, agreeing) = if strict_header && !first_agrees {
        let fields = first.fields.len();
        (fields, rows.iter().filter(|row| row.fields.len() == fields).count())
    } else {
        (fields, agreeing)
    };
    let spaced = is_spaced(&rows, delimiter);
    let regular = match rows.len() {
        1 => whole && strict_header && !spaced,
        // As prose has them: every row has to agree, and numbers in a column bear it out.
        total if spaced => {
            agreeing == total && (has_number_column(&rows) || (fields > 2 && total > 3))
        }
        total if strict_header && fields > 2 => agreeing * 2 >= total,
        total if strict_header => agreeing * 10 >= total * 7,
        total if fields > 2 => agreeing * 5 >= total * 4,
        total => agreeing == total,
    };
    let last_is_empty = fields == 2
        && rows
            .iter()
            .all(|row| row.fields.last().is_none_or(|field| field.trim_ascii().is_empty()));
    if fields < 2 || !regular || last_is_empty || is_prose(&rows, strict_header, delimiter) {
        return None;
    }
    let header = is_header(first) && first.fields.len() == fields;
    Some(Candidate { delimiter, header, fields, first_agrees: first.fields.len() == fields })
}

/// The rows that end in the head, without empty ones and ruled lines; with `whole` also the last
/// one. None where a quote stays open although nothing is to come, where the delimiter is not there,
/// and where more than one row in five looks like code, or more than every other is one field.
fn rows(head: &[u8], whole: bool, delimiter: u8) -> Option<Rows<'_>> {
    memchr::memchr(delimiter, head)?;
    // Markup, programs and prose are what most payloads are: they are turned away as soon as it is sure
    // that too many rows will look like them.
    let most_rows = memchr::memchr_iter(b'\n', head).count() + 1;
    let (mut odd, mut alone) = (0, 0);
    let mut all = Rows::default();
    let (mut row_start, mut field_start, mut first_field) = (0, 0, 0);
    loop {
        let after_quotes = match quoted_end(head, field_start) {
            Some(end) => end,
            None if whole => return None,
            None => break,
        };
        let rest = head.get(after_quotes..)?;
        let end = match memchr::memchr2(delimiter, b'\n', rest) {
            Some(length) => after_quotes + length,
            None if whole && field_start <= head.len() => head.len(),
            None => break,
        };
        if head.get(end) == Some(&delimiter) {
            all.fields.push(head.get(field_start..end)?);
            field_start = end + 1;
            continue;
        }
        let without_cr = |line: &'_ [u8]| line.len() - usize::from(line.ends_with(b"\r"));
        let text = head.get(row_start..end)?;
        let text = text.get(..without_cr(text))?;
        all.fields.push(head.get(field_start..(row_start + text.len()).max(field_start))?);
        if text.iter().all(|b| matches!(b, b' ' | b'\t' | b'-' | b'+' | b'|' | b'=')) {
            all.fields.truncate(first_field);
        } else {
            let fields = all.fields.get(first_field..).unwrap_or_default();
            alone += usize::from(fields.len() == 1);
            odd += usize::from(is_code(Row { text, fields }, delimiter));
            if odd * 5 > most_rows || alone * 2 > most_rows {
                return None;
            }
            first_field = all.fields.len();
            all.rows.push((text, first_field));
        }
        if end >= head.len() {
            break;
        }
        (row_start, field_start) = (end + 1, end + 1);
    }
    (odd * 5 <= all.rows.len() && alone * 2 <= all.rows.len()).then_some(all)
}

/// Behind the quotes that a field begins with, two in a row being one inside; its start where it
/// begins with none. None where the last one is missing.
fn quoted_end(head: &[u8], field_start: usize) -> Option<usize> {
    if head.get(field_start) != Some(&b'"') {
        return Some(field_start);
    }
    let mut at = field_start + 1;
    loop {
        at += memchr::memchr(b'"', head.get(at..)?)? + 1;
        if head.get(at) != Some(&b'"') {
            return Some(at);
        }
        at += 1;
    }
}

/// See [`Structure::Table`] for what a header is.
fn is_header(row: &Row<'_>) -> bool {
    let mut names = HashSet::new();
    // Bars around a row make no cells.
    let fields = match row.fields {
        [before, fields @ .., behind]
            if !fields.is_empty()
                && row.text.trim_ascii().starts_with(b"|")
                && [before, behind].iter().all(|field| field.trim_ascii().is_empty()) =>
        {
            fields
        }
        fields => fields,
    };
    fields.iter().all(|field| {
        let name = unquoted(field);
        let digits = name.iter().filter(|b| b.is_ascii_digit()).count();
        let letters = name.iter().filter(|b| b.is_ascii_alphabetic() || !b.is_ascii()).count();
        let is_identifier = digits >= 4 && letters <= 2;
        letters > 0
            && name.len() <= 256
            && !is_number(name)
            && !is_identifier
            && !name.contains(&b'@')
            && names.insert(name)
    })
}

/// A number, a date, a time, a telephone number: digits and what stands between them.
fn is_number(field: &[u8]) -> bool {
    field.iter().any(u8::is_ascii_digit)
        && field.iter().all(|byte| {
            byte.is_ascii_digit() || byte.is_ascii_punctuation() || b" TZ".contains(byte)
        })
}

/// Whether a column holds a number in each row behind the first.
fn has_number_column(rows: &[Row<'_>]) -> bool {
    let columns = rows.first().map_or(0, |row| row.fields.len());
    rows.len() > 1
        && (0..columns).any(|column| {
            let cell =
                |row: &Row<'_>| row.fields.get(column).is_some_and(|f| is_number(unquoted(f)));
            rows.iter().skip(1).all(cell)
        })
}

/// Whether most delimiters are followed by a space, as in prose.
fn is_spaced(rows: &[Row<'_>], delimiter: u8) -> bool {
    let (mut all, mut spaced) = (0, 0);
    for field in rows.iter().flat_map(|row| row.fields.iter().skip(1)) {
        all += 1;
        spaced += usize::from(field.first() == Some(&b' '));
    }
    spaced * 2 > all && (delimiter != b'|' || rows.len() == 1)
}

/// Whether the fields hold too many words for cells.
fn is_prose(rows: &[Row<'_>], strict_header: bool, delimiter: u8) -> bool {
    let most = match rows.first().map_or(0, |row| row.fields.len()) {
        _ if strict_header => 12,
        2 => 3,
        _ => 6,
    };
    let (mut fields, mut words) = (0, 0);
    for field in rows.iter().flat_map(|row| row.fields).filter(|field| !is_quoted(field)) {
        fields += 1;
        words += count_words(field);
    }
    delimiter != b'\t' && words > fields * most
}

/// Whether a row looks like a line of a program, a style sheet or markup.
fn is_code(row: Row<'_>, delimiter: u8) -> bool {
    const OPENINGS: [&[u8]; 14] = [
        b"//",
        b"/*",
        b"#include",
        b"<",
        b"import ",
        b"from ",
        b"def ",
        b"fn ",
        b"let ",
        b"const ",
        b"return",
        b"if ",
        b"for ",
        b"insert into ",
    ];
    let text = row.text;
    let indented = match delimiter {
        b'|' => false,
        _ => text.starts_with(b"\t") || text.starts_with(b"  "),
    };
    let first = text.first().map(u8::to_ascii_lowercase);
    let begins = |opening: &&[u8]| {
        opening.first() == first.as_ref()
            && text.get(..opening.len()).is_some_and(|start| start.eq_ignore_ascii_case(opening))
    };
    let ends = match text.trim_ascii_end() {
        [.., b'{' | b'(' | b'['] | [.., b')' | b'}', b';'] => true,
        [.., b';'] => delimiter != b';',
        _ => false,
    };
    // Most rows have no bracket, which is seen in a few looks at sixteen bytes.
    let is_bracket = |byte: &u8| matches!(byte, b'(' | b')' | b'[' | b']' | b'{' | b'}');
    let has_brackets = || text.iter().fold(false, |any, byte| any | is_bracket(byte));
    let is_unbalanced = |field: &&[u8]| !is_quoted(field) && !is_balanced(field);
    let unbalanced = || has_brackets() && row.fields.iter().any(is_unbalanced);
    indented || ends || OPENINGS.iter().any(begins) || unbalanced()
}

/// Whether a field has as many closing brackets of each kind as opening ones.
fn is_balanced(field: &[u8]) -> bool {
    let of = |byte: &u8| BRACKETS.get(usize::from(*byte)).copied().unwrap_or(0);
    field.iter().fold(0_u64, |sum, byte| sum.wrapping_add(of(byte))) == 0
}

/// By byte: one for an opening bracket, what takes it off again for a closing one; each kind has more
/// bits than a head has bytes.
#[expect(clippy::indexing_slicing, reason = "evaluated when the program is built")]
const BRACKETS: [u64; 256] = {
    let mut brackets = [0_u64; 256];
    let mut kind = 0;
    while kind < 3 {
        let one = 1 << (kind * 16);
        brackets[b"([{"[kind] as usize] = one;
        brackets[b")]}"[kind] as usize] = one.wrapping_neg();
        kind += 1;
    }
    brackets
};

/// Whether every comma stands between two digits.
fn commas_are_decimal(head: &[u8]) -> bool {
    let mut with_comma = head.windows(3).filter(|w| matches!(w, [_, b',', _])).peekable();
    with_comma.peek().is_some()
        && with_comma.all(|w| matches!(w, [before, _, after] if before.is_ascii_digit() && after.is_ascii_digit()))
}

fn is_quoted(field: &[u8]) -> bool {
    field.trim_ascii_start().starts_with(b"\"")
}

/// The field without white space and quotes around it.
fn unquoted(field: &[u8]) -> &[u8] {
    match field.trim_ascii() {
        [b'"', inner @ .., b'"'] => inner.trim_ascii(),
        field => field,
    }
}

fn is_wordy(field: &[u8], most: usize) -> bool {
    count_words(field) > most
}

fn count_words(field: &[u8]) -> usize {
    field.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structure(text: &str) -> Structure {
        of_text(text.as_bytes(), true)
    }

    const fn table_of(delimiter: u8, header: bool) -> Structure {
        Structure::Table { delimiter, header }
    }

    #[test]
    fn json_and_its_lines() {
        for json in [
            "{\"a\": 1}",
            "  [1, 2, {\"b\": null}]\n",
            "{}",
            "[]",
            "{\n  \"a\": [\n    1,\n  ],\n}\n",
            "{\"a\": \"no end",
            "[1, tr",
            "{\"a\"",
            "[-1.5e3, NaN]",
            "{\"a\":1} {\"b\":2}",
            "{",
            "{\"a\":1}\n{\n \"b\":\n 2\n}\n",
        ] {
            assert_eq!(structure(json), Structure::Json, "{json}");
        }
        for lines in [
            "{\"a\":1}\n{\"b\":2}\n",
            "{\"a\":\"\\\"\"}\r\n\r\n{\"a\":2}",
            "[1]\n[2]\n[3",
            "{}\n{",
            "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n{\"a\":4}\nbroken line\n{\"a\":5}\n",
        ] {
            assert_eq!(structure(lines), Structure::NdJson, "{lines}");
        }
        for text in [
            "[section]\nkey = value\n",
            "{\\rtf1\\ansi hello}",
            "[link](https://example.org)\n",
            "{ body of code; }",
            "[1] Knuth, Art of Programming",
            "{{ template }}",
            "[x]",
            "\"a\"",
            "{\"a\": 1} and more",
            "[1,2)",
            "{1: 2}",
            "[nullify]",
        ] {
            assert_eq!(structure(text), Structure::Text, "{text}");
        }
    }

    #[test]
    fn a_cut_value_is_json_all_the_same() {
        let json =
            r#"{"patients": [{"name": "A \"B\" C", "n": -1.5e+3, "ok": true}, null], "x": {}}"#;
        for end in 1..=json.len() {
            assert_eq!(of_text(&json.as_bytes()[..end], false), Structure::Json, "{end}");
        }
    }

    #[test]
    fn tables_by_delimiter() {
        for (text, delimiter, header) in [
            ("name,ssn\nAda,219-09-9998\nBob,219-09-9997\n", b',', true),
            ("name;ssn\r\nAda;219-09-9998\r\n", b';', true),
            ("name\tssn\nAda\t219-09-9998\n", b'\t', true),
            ("id|name|city\n1|Ada|London\n2|Bob|Paris\n", b'|', true),
            ("1,Ada,London\n2,Bob,Paris\n", b',', false),
            ("219-09-9998,Ada\n219-09-9997,Bob\n", b',', false),
            ("a,b\n\"x, y\nz\",\"say \"\"no\"\"\"\n1,2\n", b',', true),
            ("id,first_name,last_name,email", b',', true),
            ("1,5;2,5;3,5\n2,5;3,5;4,5\n", b';', false),
            ("name, ssn\nAda, 219-09-9998\nBob, 219-09-9997\n", b',', true),
            (
                "id,note\n1,a long remark that goes on for some words\n2,another one here\n",
                b',',
                true,
            ),
            ("a,b,c\n1,2,3,4\n1,2\n1,2,3\n1,2,3\n", b',', true),
            ("name,name\nAda,Bob\nCid,Dan\n", b',', false),
            ("ada@example.org,Ada,London\nbob@example.org,Bob,Paris\n", b',', false),
            ("name,,ssn\nAda,x,219-09-9998\n", b',', false),
            (
                " id | name | city \n----+------+------\n 1 | Ada | Rome\n 2 | Bob | Oslo\n",
                b'|',
                true,
            ),
        ] {
            assert_eq!(structure(text), table_of(delimiter, header), "{text}");
        }
    }

    #[test]
    fn prose_and_code_are_no_tables() {
        for text in [
            "Dear John, thank you for the letter.\nIt was good to hear, and I am well.\n",
            "Dear John, Mary\nThank you, both\n",
            "One line, with a comma.",
            "We sold 1,000 pieces of it today\nand 2,500 pieces of that too\n",
            "fn main() {\n    let a = max(1, 2);\n    let b = min(3, 4);\n}\n",
            "int a = 0;\nint b = 1;\nint c = 2;\n",
            "foo(a,b);\nbar(c,d);\nbaz(e,f);\n",
            "INSERT INTO t VALUES (1,'a');\nINSERT INTO t VALUES (2,'b');\n",
            "a { color: red; margin: 0 }\nb { color: blue; margin: 1 }\n",
            "2024-01-01 10:00:00,123 INFO the service has been started now\n\
             2024-01-01 10:00:01,456 INFO the service has been stopped now\n",
            "MSH|^~\\&|A|B|C\nPID|1||123|x\nPV1|1|I|a|b\n",
            "SSN: 219-09-9998\nname: Ada\n",
            "[\n  \"a\",\n  'b',\n]",
            "",
            "\n\n",
            ",",
        ] {
            assert_eq!(structure(text), Structure::Text, "{text}");
        }
    }

    #[test]
    fn brackets_of_a_field_are_counted_by_kind() {
        for field in ["", "a(b)[c]{d}", ")(", "((((]{}[))))", &"(".repeat(4000)] {
            let count = |bracket: char| field.matches(bracket).count();
            let expected = ["()", "[]", "{}"].iter().all(|pair| {
                let mut pair = pair.chars().map(count);
                pair.next() == pair.next()
            });
            assert_eq!(is_balanced(field.as_bytes()), expected, "{field}");
        }
        assert!(!is_balanced(&[&[b'('; 4096][..], b"]"].concat()));
    }

    #[test]
    fn a_cut_row_does_not_count() {
        let head = b"name,city,ssn\nAda,Rome,219-09-9998\nBob,\"Os";
        assert_eq!(of_text(head, false), table_of(b',', true));
        assert_eq!(of_text(head, true), Structure::Text);
    }

    #[test]
    fn tables_in_text() {
        for text in [
            "| Name | SSN |\n|---|---|\n| Jane | 219-09-9998 |",
            "| Name | SSN |\n|---|---|\n| Jane | 219-09-9998 |\n| Joe | 219-09-9997 |\n",
            "| Name | SSN |\r\n| :--- | ---: |\r\n| Jane | 219-09-9998 |\r\n",
            "| Name, first | SSN |\n|---|---|\n| Lee, Jane | 219-09-9998 |\n| Roe, Joe | 1 |\n",
            "| SSN |\n|---|\n| 219-09-9998 |\n",
            "# People\n\nThese are they.\n\n| Name | SSN |\n|:-:|---|\n| Jane | 219-09-9998 |\n\nBye.",
            "People\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n| 5 | 6 |\n| 7 | 8 |\n| 9 | 0 |\n",
            "These are they:\n\nName | SSN\n--- | ---\nJane | 219-09-9998\n",
            "mysql> select * from t;\n+----+-----+\n| id | ssn |\n+----+-----+\n|  1 | 2 |\n+----+-----+\n",
            "a \\| b | c\n---|---\n1 | 2\n\nSome text, too.\n",
        ] {
            assert_eq!(structure(text), Structure::TextTables, "{text}");
        }
        for (text, table) in [
            (
                "id | name | city\n---|---|---\n1 | Ada | Rome\n2 | Bob | Oslo\n",
                table_of(b'|', true),
            ),
            ("| id | name |\n| 1 | Ada |\n| 2 | Bob |\n", table_of(b'|', true)),
            ("| 1 | Ada |\n| 2 | Bob |\n", table_of(b'|', false)),
            ("n,text\n1,\"\n| a | b |\n|---|---|\n| 1 | 2 |\"\n2,none\n", table_of(b',', true)),
        ] {
            assert_eq!(structure(text), table, "{text}");
        }
        for text in [
            "Title\n-----\n\nOne | or | the other.\n",
            "Some text.\n\na | b | c\n---|---\nwidths that differ from each other, so it is none of it.\n",
            "\n|---|---|\nno header above, and not a row in it, as far as one can see.\n",
            "|---|---|\n|---|---|\n",
            "+---+\nA box.\n+---+\n",
            "x = a | b;\n--c;\n",
        ] {
            assert_eq!(structure(text), Structure::Text, "{text}");
        }
    }

    #[test]
    fn a_rule_line_counts_once_it_is_whole() {
        let text = b"Dear all,\n\n| Name | SSN |\n|---|---|\n| Jane | 219-09-9998 |\n";
        let rule_end = 35;
        for end in 0..text.len() {
            let expected = match end > rule_end {
                true => Structure::TextTables,
                false => Structure::Text,
            };
            assert_eq!(of_text(&text[..end], false), expected, "{end}");
        }
    }
}
