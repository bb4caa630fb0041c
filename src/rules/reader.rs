//! TOML tables read strictly: every problem is reported with its place, reading goes on, and keys
//! that nobody asked for are errors.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Code, Diagnostic, Diagnostics};
use super::{Origin, Source};

/// Where something stands: a source and a byte offset in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Position of the source among the sources.
    pub source: usize,
    /// Byte offset in its text.
    pub offset: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Located<T> {
    pub value: T,
    pub at: Place,
}

/// Takes problems down, with offsets turned into lines and columns.
pub(crate) struct Reporter<'a> {
    sources: &'a [Source],
    /// Offsets of the first byte of each line, a source each; filled when first needed.
    lines: Vec<Vec<usize>>,
    /// What was reported.
    pub diagnostics: Diagnostics,
}

impl<'a> Reporter<'a> {
    pub fn new(sources: &'a [Source]) -> Reporter<'a> {
        let lines = vec![Vec::new(); sources.len()];
        Reporter { sources, lines, diagnostics: Diagnostics::default() }
    }

    pub fn report(&mut self, at: Place, code: Code, message: impl Into<String>) {
        self.report_with_help(at, code, message, None);
    }

    pub fn report_with_help(
        &mut self,
        at: Place,
        code: Code,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let (line, column) = self.line_and_column(at);
        let file = self.sources.get(at.source).map_or(String::new(), |source| source.name.clone());
        let (message, severity) = (message.into(), code.severity());
        self.diagnostics.push(Diagnostic { code, severity, file, line, column, message, help });
    }

    /// File and line of a place.
    pub fn origin(&mut self, at: Place) -> Origin {
        let file = self.sources.get(at.source).map_or(String::new(), |source| source.name.clone());
        Origin { file, line: self.line_and_column(at).0 }
    }

    fn line_and_column(&mut self, at: Place) -> (usize, usize) {
        let Some((source, starts)) = self.sources.get(at.source).zip(self.lines.get_mut(at.source))
        else {
            return (1, 1);
        };
        if starts.is_empty() {
            starts.push(0);
            let breaks = source.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            starts.extend(breaks.map(|(offset, _)| offset + 1));
        }
        let line = starts.partition_point(|start| *start <= at.offset).max(1);
        let start = starts.get(line - 1).copied().unwrap_or(0);
        let before = source.text.get(start..at.offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

/// The largest source: 1 MiB.
pub(crate) const MAX_SOURCE: usize = 1 << 20;

/// Reads a whole source; none where it is too large or no TOML, which is reported.
pub(crate) fn read_document<T>(
    source: &Source,
    position: usize,
    reporter: &mut Reporter<'_>,
    read: impl FnOnce(&mut Table<'_, '_, '_>) -> T,
) -> Option<T> {
    let start = Place { source: position, offset: 0 };
    if source.text.len() > MAX_SOURCE {
        let message = format!("the file has {} bytes, limit {MAX_SOURCE}", source.text.len());
        reporter.report(start, Code::SourceTooLarge, message);
        return None;
    }
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    if !errors.is_empty() {
        for error in errors.iter().take(20) {
            let offset = error.span().map_or(0, |span| span.start);
            let at = Place { source: position, offset };
            // Messages can go over several lines; diagnostics are one.
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            reporter.report(at, Code::Syntax, message);
        }
        return None;
    }
    let mut table = Table::new(document.get_ref(), start, "the file", reporter);
    let result = read(&mut table);
    table.finish();
    Some(result)
}

/// A table that is being read.
pub(crate) struct Table<'t, 'r, 'a> {
    table: &'t DeTable<'t>,
    /// Where the table stands.
    pub at: Place,
    /// What it is, for messages: `rule`, `context`.
    what: &'static str,
    asked: Vec<&'static str>,
    refused: Vec<&'static str>,
    /// Takes down what is wrong with the values.
    pub reporter: &'r mut Reporter<'a>,
}

impl<'t, 'r, 'a> Table<'t, 'r, 'a> {
    pub fn new(
        table: &'t DeTable<'t>,
        at: Place,
        what: &'static str,
        reporter: &'r mut Reporter<'a>,
    ) -> Table<'t, 'r, 'a> {
        Table { table, at, what, asked: Vec::new(), refused: Vec::new(), reporter }
    }

    /// Whether the table has the key.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A text of at most `limit` bytes.
    pub fn text(&mut self, key: &'static str, limit: usize) -> Option<Located<String>> {
        let (value, at) = self.value(key)?;
        self.as_text(key, value, at, limit)
    }

    /// A text that has to be there.
    pub fn required_text(&mut self, key: &'static str, limit: usize) -> Option<Located<String>> {
        self.require(key);
        self.text(key, limit)
    }

    /// A date, written as one or as a text; as a text.
    pub fn text_or_date(&mut self, key: &'static str) -> Option<Located<String>> {
        let (value, at) = self.value(key)?;
        match value {
            DeValue::Datetime(date) => Some(Located { value: date.to_string(), at }),
            _ => self.as_text(key, value, at, 64),
        }
    }

    /// A whole number in a range.
    pub fn number(&mut self, key: &'static str, range: Range<usize>) -> Option<Located<usize>> {
        let (value, at) = self.value(key)?;
        self.as_number(key, value, at, range)
    }

    /// A number that has to be there.
    pub fn required_number(
        &mut self,
        key: &'static str,
        range: Range<usize>,
    ) -> Option<Located<usize>> {
        self.require(key);
        self.number(key, range)
    }

    /// A number with at most three decimals, in thousandths, in a range.
    pub fn thousandths(
        &mut self,
        key: &'static str,
        range: Range<usize>,
    ) -> Option<Located<usize>> {
        let (value, at) = self.value(key)?;
        let number = match value {
            DeValue::Integer(digits) => thousandths(digits.as_str()),
            DeValue::Float(digits) => thousandths(digits.as_str()),
            _ => None,
        };
        match number {
            None => self.wrong_type(key, at, "a number with at most three decimals"),
            Some(number) if range.contains(&number) => return Some(Located { value: number, at }),
            Some(_) => {
                let shown = |number: usize| format!("{}.{:03}", number / 1000, number % 1000);
                let (low, high) = (shown(range.start), shown(range.end.saturating_sub(1)));
                let message = format!("`{key}` is outside {low} to {high}");
                self.reporter.report(at, Code::OutOfRange, message);
            }
        }
        None
    }

    /// One number or a list of two, in a range.
    pub fn number_or_pair(
        &mut self,
        key: &'static str,
        range: Range<usize>,
    ) -> Option<Located<(usize, usize)>> {
        let (value, at) = self.value(key)?;
        if !value.is_array() {
            let one = self.as_number(key, value, at, range)?;
            return Some(Located { value: (one.value, one.value), at });
        }
        match self.each(key, value, at, 2).as_slice() {
            [(low, low_at), (high, high_at)] => {
                let low = self.as_number(key, low, *low_at, range.clone())?;
                let high = self.as_number(key, high, *high_at, range)?;
                Some(Located { value: (low.value, high.value), at })
            }
            _ => {
                self.wrong_type(key, at, "a number or a list of two numbers");
                None
            }
        }
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let (value, at) = self.value(key)?;
        match value {
            DeValue::Boolean(flag) => Some(*flag),
            _ => {
                self.wrong_type(key, at, "`true` or `false`");
                None
            }
        }
    }

    /// A list of at most `count` texts of at most `limit` bytes each; empty where it is absent.
    pub fn texts(&mut self, key: &'static str, count: usize, limit: usize) -> Vec<Located<String>> {
        let Some((value, at)) = self.value(key) else { return Vec::new() };
        let entries = self.each(key, value, at, count);
        entries.into_iter().filter_map(|(value, at)| self.as_text(key, value, at, limit)).collect()
    }

    /// One text or a list of them, as [`Table::texts`] reads it.
    pub fn one_or_more(
        &mut self,
        key: &'static str,
        count: usize,
        limit: usize,
    ) -> Vec<Located<String>> {
        match self.value(key) {
            Some((value, at)) if !value.is_array() => {
                self.as_text(key, value, at, limit).into_iter().collect()
            }
            _ => self.texts(key, count, limit),
        }
    }

    /// A list of whole numbers in a range.
    pub fn numbers(
        &mut self,
        key: &'static str,
        count: usize,
        range: Range<usize>,
    ) -> Vec<Located<usize>> {
        let Some((value, at)) = self.value(key) else { return Vec::new() };
        let entries = self.each(key, value, at, count);
        let number = |(value, at)| self.as_number(key, value, at, range.clone());
        entries.into_iter().filter_map(number).collect()
    }

    /// Whether the value of the key is a text.
    pub fn is_text(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| value.get_ref().is_str())
    }

    /// Whether the value of the key is a list without entries.
    pub fn is_empty_list(&self, key: &str) -> bool {
        let list = self.table.get(key).and_then(|value| value.get_ref().as_array());
        list.is_some_and(|list| list.is_empty())
    }

    /// Where the value of the key stands; where the table stands, without one.
    pub fn place(&self, key: &str) -> Place {
        let value = self.table.get(key);
        value.map_or(self.at, |value| Place { source: self.at.source, offset: value.span().start })
    }

    /// Reports a key that may not be there, in words of its own. `finish` then says no more of it.
    pub fn refuse(&mut self, key: &'static str, code: Code, message: &str, help: &str) {
        if self.has(key) {
            self.refused.push(key);
            let at = self.place(key);
            self.reporter.report_with_help(at, code, message, Some(help.to_owned()));
        }
    }

    /// Reads a table below this one.
    pub fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Table<'_, '_, '_>) -> T,
    ) -> Option<T> {
        let (value, at) = self.value(key)?;
        self.as_table(key, value, at, read)
    }

    /// Reads each table of a list; entries past `count` are reported and left out.
    pub fn tables<T>(
        &mut self,
        key: &'static str,
        count: usize,
        mut read: impl FnMut(&mut Table<'_, '_, '_>) -> T,
    ) -> Vec<T> {
        let Some((value, at)) = self.value(key) else { return Vec::new() };
        let entries = self.each(key, value, at, count);
        entries
            .into_iter()
            .filter_map(|(value, at)| self.as_table(key, value, at, &mut read))
            .collect()
    }

    /// Reports keys that nobody asked for.
    pub fn finish(self) {
        for (key, _) in self.table.iter() {
            let name = key.get_ref().as_ref();
            if self.asked.contains(&name) || self.refused.contains(&name) {
                continue;
            }
            let at = Place { source: self.at.source, offset: key.span().start };
            let message = format!("unknown key `{}` in {}", shown(name), self.what);
            let help = match nearest(name, self.asked.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known keys: {}", self.asked.join(", ")),
            };
            self.reporter.report_with_help(at, Code::UnknownKey, message, Some(help));
        }
    }

    /// Reports a key that is not there.
    pub fn require(&mut self, key: &'static str) {
        if !self.has(key) {
            let message = format!("missing key `{key}` in {}", self.what);
            self.reporter.report(self.at, Code::MissingKey, message);
        }
    }

    fn value(&mut self, key: &'static str) -> Option<(&'t DeValue<'t>, Place)> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let value = self.table.get(key)?;
        Some((value.get_ref(), Place { source: self.at.source, offset: value.span().start }))
    }

    fn each(
        &mut self,
        key: &str,
        value: &'t DeValue<'t>,
        at: Place,
        count: usize,
    ) -> Vec<(&'t DeValue<'t>, Place)> {
        let DeValue::Array(array) = value else {
            self.wrong_type(key, at, "a list");
            return Vec::new();
        };
        if array.len() > count {
            let message = format!("`{key}` has {} entries, limit {count}", array.len());
            self.reporter.report(at, Code::TooMany, message);
        }
        let entry = |entry: &'t toml::Spanned<DeValue<'t>>| {
            (entry.get_ref(), Place { source: at.source, offset: entry.span().start })
        };
        array.iter().take(count).map(entry).collect()
    }

    fn as_table<T>(
        &mut self,
        key: &'static str,
        value: &DeValue<'_>,
        at: Place,
        read: impl FnOnce(&mut Table<'_, '_, '_>) -> T,
    ) -> Option<T> {
        let DeValue::Table(table) = value else {
            self.wrong_type(key, at, "a table");
            return None;
        };
        let mut inner = Table::new(table, at, key, self.reporter);
        let result = read(&mut inner);
        inner.finish();
        Some(result)
    }

    fn as_text(
        &mut self,
        key: &str,
        value: &DeValue<'_>,
        at: Place,
        limit: usize,
    ) -> Option<Located<String>> {
        match value {
            DeValue::String(text) if text.len() > limit => {
                let message = format!("`{key}` is {} bytes long, limit {limit}", text.len());
                self.reporter.report(at, Code::TooLong, message);
                None
            }
            DeValue::String(text) => Some(Located { value: text.as_ref().to_owned(), at }),
            _ => {
                self.wrong_type(key, at, "a string");
                None
            }
        }
    }

    fn as_number(
        &mut self,
        key: &str,
        value: &DeValue<'_>,
        at: Place,
        range: Range<usize>,
    ) -> Option<Located<usize>> {
        let DeValue::Integer(digits) = value else {
            self.wrong_type(key, at, "a whole number");
            return None;
        };
        let number = usize::from_str_radix(digits.as_str(), digits.radix()).ok();
        match number.filter(|number| range.contains(number)) {
            Some(value) => Some(Located { value, at }),
            None => {
                let (low, high) = (range.start, range.end.saturating_sub(1));
                let message = format!("`{key}` is outside {low} to {high}");
                self.reporter.report(at, Code::OutOfRange, message);
                None
            }
        }
    }

    fn wrong_type(&mut self, key: &str, at: Place, wanted: &str) {
        self.reporter.report(at, Code::WrongType, format!("`{key}` is not {wanted}"));
    }
}

/// Thousandths of a number that is written with at most three decimals.
fn thousandths(text: &str) -> Option<usize> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 6 || part.len() > 3 || !digits(whole) || !digits(part) {
        return None;
    }
    format!("{whole}{part:0<3}").parse().ok()
}

/// A name from a pack as messages show it: cut, control characters escaped.
pub(crate) fn shown(name: &str) -> String {
    let mut shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
    if name.chars().nth(80).is_some() {
        shown.push_str("...");
    }
    shown
}

/// The known word that is most like `name`, if one is like it at all.
pub(crate) fn nearest<'w>(name: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    nearest_words(name, known, 1).pop()
}

/// The `count` known words that are most like `name`, the nearest first, as far as they are like
/// it: at most every third character differs.
pub(crate) fn nearest_words<'w>(
    name: &str,
    known: impl Iterator<Item = &'w str>,
    count: usize,
) -> Vec<&'w str> {
    let name: String = name.chars().take(80).collect();
    let mut like: Vec<(usize, &str)> = known
        .map(|word| (edit_distance(&name, word), word))
        .filter(|(distance, word)| *distance <= (word.chars().count() / 3).max(1))
        .collect();
    like.sort_unstable();
    like.into_iter().take(count).map(|(_, word)| word).collect()
}

/// Fewest insertions, removals and replacements of characters that turn one text into the other
/// (Wagner and Fischer 1974).
pub(crate) fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(row.first_mut().unwrap_or(&mut 0), i + 1);
        let mut left = i + 1;
        for (y, cell) in b.chars().zip(row.iter_mut().skip(1)) {
            let best = (diagonal + usize::from(x != y)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distance_counts_single_changes() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }

    #[test]
    fn thousandths_are_read_as_they_are_written() {
        let read = ["3.5", "3", "0.125", "7.999", "3.1415", "1e1", "-1", "", ".5", "inf"];
        let read = read.map(thousandths);
        let [a, b, c, d] = [3500, 3000, 125, 7999].map(Some);
        assert_eq!(read, [a, b, c, d, None, None, None, None, None, None]);
    }

    #[test]
    fn nearest_offers_only_similar_words() {
        let known = ["pattern", "anchors", "category"];
        assert_eq!(nearest("patern", known.into_iter()), Some("pattern"));
        assert_eq!(nearest("colour", known.into_iter()), None);
    }
}
