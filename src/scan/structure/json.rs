//! Paths in JSON and NDJSON.

use std::collections::VecDeque;
use std::sync::Arc;

use memchr::{memchr2, memchr3};

use super::keys::{Key, Keys};
use super::marks::last_at;
use super::path::{Node, Step};
use crate::model::Place;

/// Brackets that are followed; what lies deeper has the place of its ancestor at this depth.
const MAX_DEPTH: usize = 64;

/// Follows brackets, keys and commas. What is not JSON is followed as far as it goes: a closing
/// bracket closes the innermost open one of its kind, with those inside of it, and is ignored where
/// there is none; what is neither bracket, quote, colon nor comma has no effect. In NDJSON a line
/// end begins a new record, wherever it stands.
#[derive(Clone)]
pub(super) struct Json {
    lines: bool,
    string: InString,
    /// Open containers; the outermost is the view itself.
    open: Vec<Open>,
    /// Open brackets beyond `MAX_DEPTH`.
    too_deep: u64,
    /// NDJSON: whether the line has shown a byte that is not white.
    in_record: bool,
    /// Records that have begun.
    records: u64,
    keys: Keys,
    /// The last key of the object, until its colon.
    pending: Key,
    /// Items that were forgotten, so that the number of an item is `forgotten` plus its position.
    forgotten: u64,
    items: VecDeque<Item>,
    stretches: VecDeque<Stretch>,
}

/// Whether the next byte stands in a string.
#[derive(Clone, Copy, PartialEq)]
enum InString {
    No,
    Value,
    Key,
    /// Behind a backslash; the flag says in a key.
    Escape(bool),
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// The view: values one after the other.
    Top,
    /// The view of an NDJSON payload: an array of records.
    Records,
    Object,
    Array,
}

#[derive(Clone)]
struct Open {
    node: Node,
    /// The same for those inside, once there are any.
    shared: Option<Arc<Node>>,
    kind: Kind,
    /// Array: position of the current element.
    index: u64,
    /// Object: key of the current member, once its colon was seen.
    key: Key,
    /// Object: whether a string would be a key.
    wants_key: bool,
}

/// Bytes from here on have one place, until the next item begins.
#[derive(Clone, Copy)]
struct Item {
    start: u64,
    key: Key,
}

/// Items one after the other of one container. In an array each is the next element.
#[derive(Clone)]
struct Stretch {
    node: Node,
    kind: Kind,
    /// Number of its first item.
    first_item: u64,
    /// Element that its first item is.
    first_index: u64,
}

impl Json {
    pub(super) fn new(lines: bool) -> Json {
        let kind = if lines { Kind::Records } else { Kind::Top };
        let root = Open::new(Node::root(), kind);
        Json {
            lines,
            string: InString::No,
            open: vec![root],
            too_deep: 0,
            in_record: false,
            records: 0,
            keys: Keys::default(),
            pending: Key::NONE,
            forgotten: 0,
            items: VecDeque::new(),
            stretches: VecDeque::new(),
        }
    }

    pub(super) fn advance(&mut self, start: u64, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            rest = match self.string {
                _ if *byte == b'\n' && self.lines => {
                    self.end_record();
                    behind
                }
                InString::No => self.outside(start + (bytes.len() - rest.len()) as u64, rest),
                InString::Escape(in_key) => {
                    if in_key {
                        self.keys.read(&[*byte]);
                    }
                    self.string = if in_key { InString::Key } else { InString::Value };
                    behind
                }
                InString::Value => self.inside(rest, false),
                InString::Key => self.inside(rest, true),
            };
        }
    }

    pub(super) fn place(&self, at: u64) -> Option<Place> {
        let (stretch, step) = self.value(at)?;
        let (json_path, key) = stretch.node.path(step.as_ref());
        Some(Place::Json { json_path, key })
    }

    /// Writes all keys on the way to the value that holds `at`; false where the path may be cut.
    pub(super) fn write_names(&self, at: u64, names: &mut String) -> bool {
        match self.value(at) {
            Some((stretch, step)) => stretch.node.write_names(step.as_ref(), names),
            None => true,
        }
    }

    /// The stretch of the value that holds `at`, and the last step to it.
    fn value(&self, at: u64) -> Option<(&Stretch, Option<Step>)> {
        let position = last_at(&self.items, at, |item| item.start)?;
        let item = self.items.get(position)?;
        let number = self.forgotten + position as u64;
        let stretch = last_at(&self.stretches, number, |stretch| stretch.first_item)?;
        let stretch = self.stretches.get(stretch)?;
        let index = stretch.first_index + (number - stretch.first_item);
        Some((stretch, self.step(stretch.kind, index, item.key)))
    }

    pub(super) fn value_start(&self, at: u64) -> Option<u64> {
        self.value_span(at).map(|(start, _)| start)
    }

    /// The start of the value, and where the next one begins, if that is known.
    pub(super) fn value_span(&self, at: u64) -> Option<(u64, Option<u64>)> {
        let position = last_at(&self.items, at, |item| item.start)?;
        let next = self.items.get(position + 1).map(|next| next.start);
        self.items.get(position).map(|item| (item.start, next))
    }

    pub(super) fn forget_below(&mut self, at: u64) {
        let old = self.items.partition_point(|item| item.start <= at).saturating_sub(1);
        self.items.drain(..old);
        self.forgotten += old as u64;
        let first = self.forgotten;
        let old = self.stretches.partition_point(|stretch| stretch.first_item <= first);
        self.stretches.drain(..old.saturating_sub(1));
        if self.keys.is_crowded(self.items.len() + self.open.len()) {
            let items = self.items.iter_mut().map(|item| &mut item.key);
            let open = self.open.iter_mut().map(|open| &mut open.key);
            self.keys.keep(items.chain(open).chain([&mut self.pending]));
        }
    }

    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.items.capacity() * size_of::<Item>()
            + self.stretches.capacity() * size_of::<Stretch>()
            + self.keys.held() * (2 * super::MAX_NAME)
    }

    fn step(&self, kind: Kind, index: u64, key: Key) -> Option<Step> {
        match kind {
            Kind::Array | Kind::Records => Some(Step::Index(index)),
            Kind::Object => self.keys.name(key).map(Step::Key),
            Kind::Top => None,
        }
    }

    /// Takes the bytes up to the first that changes something, and that one.
    fn outside<'a>(&mut self, start: u64, bytes: &'a [u8]) -> &'a [u8] {
        let matters = |byte: &u8| match byte {
            b' ' | b'\t' | b'\r' => false,
            b'\n' => self.lines,
            b'"' | b'{' | b'}' | b'[' | b']' | b',' | b':' => true,
            _ => !self.in_record,
        };
        let Some(length) = bytes.iter().position(matters) else {
            return &[];
        };
        let (byte, behind) = match bytes.get(length..) {
            Some([b'\n', ..]) | Some([]) | None => return bytes.get(length..).unwrap_or_default(),
            Some([byte, behind @ ..]) => (*byte, behind),
        };
        let at = start + length as u64;
        if !self.in_record {
            self.begin_record(at);
        }
        match byte {
            b'"' => {
                let wants_key = self.open.last().is_some_and(|open| open.wants_key);
                let is_key = wants_key && self.too_deep == 0;
                self.string = if is_key { InString::Key } else { InString::Value };
                self.keys.begin();
            }
            b'{' | b'[' if self.open.len() > MAX_DEPTH => self.too_deep += 1,
            b'}' | b']' if self.too_deep > 0 => self.too_deep -= 1,
            _ if self.too_deep > 0 => {}
            b'{' => self.enter(at, Kind::Object),
            b'[' => self.enter(at, Kind::Array),
            b'}' => self.leave(at, Kind::Object),
            b']' => self.leave(at, Kind::Array),
            b',' => self.next_item(at),
            b':' => self.begin_value(at),
            _ => {}
        }
        behind
    }

    /// Takes the bytes of a string up to its end, a backslash or a line end that ends the record.
    fn inside<'a>(&mut self, rest: &'a [u8], in_key: bool) -> &'a [u8] {
        let end =
            if self.lines { memchr3(b'"', b'\\', b'\n', rest) } else { memchr2(b'"', b'\\', rest) };
        let (taken, behind) =
            rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
        let whole_key = self.keys.is_empty() && behind.first() == Some(&b'"');
        if in_key && !whole_key {
            self.keys.read(taken);
        }
        match behind.split_first() {
            Some((b'"', behind)) => {
                if in_key {
                    self.end_key(if whole_key { taken } else { &[] });
                }
                self.string = InString::No;
                behind
            }
            Some((b'\\', behind)) => {
                if in_key {
                    self.keys.read(b"\\");
                }
                self.string = InString::Escape(in_key);
                behind
            }
            _ => behind,
        }
    }

    fn enter(&mut self, at: u64, kind: Kind) {
        let current = self.open.last().map(|outer| self.step(outer.kind, outer.index, outer.key));
        let (Some(step), Some(outer)) = (current, self.open.last_mut()) else {
            return;
        };
        // A value where a key should be: the next string is no key.
        outer.wants_key = false;
        let node = match step {
            Some(step) => {
                let shared = outer.shared.get_or_insert_with(|| Arc::new(outer.node.clone()));
                Node::below(shared.clone(), step)
            }
            None => outer.node.clone(),
        };
        self.open.push(Open::new(node, kind));
        self.pending = Key::NONE;
        self.begin_stretch(at + 1);
    }

    fn leave(&mut self, at: u64, kind: Kind) {
        if let Some(depth) = self.open.iter().rposition(|open| open.kind == kind) {
            let last = (self.forgotten + self.items.len() as u64).saturating_sub(1);
            let empty = depth + 1 == self.open.len()
                && self.items.len() > 1
                && self.items.back().is_some_and(|item| item.start == at)
                && self.stretches.back().is_some_and(|stretch| stretch.first_item == last);
            self.open.truncate(depth);
            self.pending = Key::NONE;
            if empty {
                // Without bytes inside it is as if the container had not begun a stretch.
                self.items.pop_back();
                self.stretches.pop_back();
            } else {
                self.begin_stretch(at);
            }
        }
    }

    fn next_item(&mut self, at: u64) {
        let Some(open) = self.open.last_mut() else {
            return;
        };
        match open.kind {
            Kind::Array => {
                open.index += 1;
                self.items.push_back(Item { start: at + 1, key: Key::NONE });
            }
            Kind::Object => {
                (open.key, open.wants_key, self.pending) = (Key::NONE, true, Key::NONE);
                self.items.push_back(Item { start: at, key: Key::NONE });
            }
            Kind::Top | Kind::Records => {}
        }
    }

    fn begin_value(&mut self, at: u64) {
        let Some(open) = self.open.last_mut().filter(|open| open.kind == Kind::Object) else {
            return;
        };
        open.wants_key = false;
        let key = std::mem::replace(&mut self.pending, Key::NONE);
        if key != Key::NONE {
            open.key = key;
            self.items.push_back(Item { start: at + 1, key });
        }
    }

    /// Ends a key: what was read of it, or `whole` where it came in one piece without escapes.
    fn end_key(&mut self, whole: &[u8]) {
        if let Some(open) = self.open.last_mut() {
            open.wants_key = false;
        }
        self.pending = self.keys.end(whole);
    }

    /// The first byte of the view, or of a line of NDJSON, that is not white.
    fn begin_record(&mut self, at: u64) {
        self.in_record = true;
        if let Some(open) = self.open.last_mut() {
            open.index = self.records;
        }
        self.records += 1;
        self.begin_stretch(at);
    }

    fn end_record(&mut self) {
        self.string = InString::No;
        self.too_deep = 0;
        self.open.truncate(1);
        self.pending = Key::NONE;
        self.in_record = false;
    }

    /// From here on bytes belong to the current item of the innermost container.
    fn begin_stretch(&mut self, start: u64) {
        let Some(open) = self.open.last() else {
            return;
        };
        self.stretches.push_back(Stretch {
            node: open.node.clone(),
            kind: open.kind,
            first_item: self.forgotten + self.items.len() as u64,
            first_index: open.index,
        });
        self.items.push_back(Item { start, key: open.key });
    }
}

impl Open {
    fn new(node: Node, kind: Kind) -> Open {
        let wants_key = kind == Kind::Object;
        Open { node, shared: None, kind, index: 0, key: Key::NONE, wants_key }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::super::Tracker;
    use super::*;
    use crate::decode::Structure;

    type Labels = Vec<Option<(String, String)>>;

    fn label(tracker: &Tracker, at: u64) -> Option<(String, String)> {
        assert_eq!(tracker.row_start(at), None);
        match tracker.place(at)? {
            Place::Json { json_path, key } => Some((json_path.to_string(), key.to_string())),
            Place::Cell { .. } => panic!("JSON has no cells"),
        }
    }

    /// Path and key of every byte after taking the text in pieces of these lengths.
    fn labels(text: &[u8], structure: Structure, cuts: &[usize]) -> Labels {
        let mut tracker = Tracker::new(structure, 7);
        let mut rest = text;
        for cut in cuts {
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            tracker.advance(piece);
            rest = behind;
        }
        tracker.advance(rest);
        (0..text.len()).map(|at| label(&tracker, 7 + at as u64)).collect()
    }

    /// Writes a value as JSON and notes for every byte where it belongs: what the tracker has to
    /// find out by reading.
    #[derive(Default)]
    struct Writer {
        text: Vec<u8>,
        labels: Labels,
        blanks: Vec<&'static str>,
        escape: bool,
    }

    impl Writer {
        fn put(&mut self, text: &str, path: &str, key: &str) {
            self.text.extend(text.bytes());
            self.labels.resize(self.text.len(), Some((path.to_owned(), key.to_owned())));
        }

        fn blank(&mut self, path: &str, key: &str) {
            if let Some(blank) = self.blanks.pop() {
                self.put(blank, path, key);
                self.blanks.insert(0, blank);
            }
        }

        fn string(&self, text: &str) -> String {
            let plain = serde_json::to_string(text).unwrap();
            if !self.escape {
                return plain;
            }
            let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
            format!("\"{}\"", units.collect::<String>())
        }

        fn value(&mut self, value: &Value, path: &str, key: &str) {
            match value {
                Value::Array(elements) => {
                    self.put("[", path, key);
                    for (index, element) in elements.iter().enumerate() {
                        let inner = format!("{path}[{index}]");
                        self.blank(&inner, key);
                        self.value(element, &inner, key);
                        self.blank(&inner, key);
                        if index + 1 < elements.len() {
                            self.put(",", &inner, key);
                        }
                    }
                    self.put("]", path, key);
                }
                Value::Object(members) => {
                    self.put("{", path, key);
                    for (index, (name, member)) in members.iter().enumerate() {
                        if index > 0 {
                            self.put(",", path, key);
                        }
                        self.blank(path, key);
                        let written = self.string(name);
                        self.put(&written, path, key);
                        self.blank(path, key);
                        self.put(":", path, key);
                        let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
                        let inner = if !name.is_empty() && name.chars().all(plain) {
                            format!("{path}.{name}")
                        } else {
                            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
                            format!("{path}[\"{}\"]", quoted.replace('\n', "\\u000a"))
                        };
                        self.blank(&inner, name);
                        self.value(member, &inner, name);
                        self.blank(&inner, name);
                    }
                    self.put("}", path, key);
                }
                Value::String(text) => {
                    let written = self.string(text);
                    self.put(&written, path, key);
                }
                scalar => self.put(&scalar.to_string(), path, key),
            }
        }
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[a-z_]{1,8}",
            1 => "[a-zé😀 {}\\[\\]:,\"\\\\\n]{0,8}",
        ]
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((text(), inner), 0..6)
                    .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
            ]
        })
    }

    fn records() -> impl Strategy<Value = Vec<Value>> {
        prop::collection::vec(values(), 1..5)
    }

    fn mangled() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            6 => prop::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"", "\\", "\n", " "]),
            3 => prop::sample::select(vec!["\"a\":", "\"b\\\"c\":", "\"\\u00e9\\ud83d\\ude00\":"]),
            2 => prop::sample::select(vec!["1", "true", "\"x y\"", "é", "\\u12", "\"\\ud83d\":"]),
        ];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn valid_json_gives_the_paths_it_was_written_with(
            values in records(), lines: bool, escape: bool, blanks: [u8; 4],
            cuts in prop::collection::vec(0usize..9, 0..80),
        ) {
            let choices = if lines { ["", " ", "\t"] } else { ["", "\n  ", " "] };
            let blanks = blanks.iter().map(|n| choices[usize::from(*n) % 3]).collect();
            let mut writer = Writer { blanks, escape, ..Writer::default() };
            for (record, value) in values.iter().enumerate() {
                let path = if lines { format!("$[{record}]") } else { "$".to_owned() };
                let start = writer.text.len();
                writer.value(value, &path, "");
                let written: Value = serde_json::from_slice(&writer.text[start..]).unwrap();
                prop_assert_eq!(&written, value);
                writer.put("\n", &path, "");
            }
            let structure = if lines { Structure::NdJson } else { Structure::Json };
            let Writer { text, labels: expected, .. } = writer;
            prop_assert_eq!(&labels(&text, structure, &[]), &expected);
            prop_assert_eq!(&labels(&text, structure, &cuts), &expected);
            prop_assert_eq!(&labels(&text, structure, &vec![1; text.len()]), &expected);
        }

        #[test]
        fn cuts_do_not_matter_in_what_is_no_json(
            text in mangled(), lines: bool, cuts in prop::collection::vec(0usize..9, 0..80),
        ) {
            let structure = if lines { Structure::NdJson } else { Structure::Json };
            let expected = labels(&text, structure, &[]);
            prop_assert_eq!(&labels(&text, structure, &cuts), &expected);
            prop_assert_eq!(&labels(&text, structure, &vec![1; text.len()]), &expected);
        }

        #[test]
        fn a_byte_has_its_place_as_soon_as_it_is_there(
            text in mangled(), lines: bool, keep in 1usize..20,
        ) {
            let structure = if lines { Structure::NdJson } else { Structure::Json };
            let expected = labels(&text, structure, &[]);
            let mut tracker = Tracker::new(structure, 7);
            for end in 1..=text.len() {
                tracker.advance(&text[end - 1..end]);
                let oldest = end.saturating_sub(keep);
                tracker.forget_below(7 + oldest as u64);
                tracker = tracker.clone();
                let seen = (oldest..end).map(|at| label(&tracker, 7 + at as u64));
                prop_assert_eq!(seen.collect::<Labels>(), &expected[oldest..end]);
            }
        }

        #[test]
        fn records_recover_at_the_line_end(broken in mangled()) {
            let mut text = broken;
            text.extend(b"\n{\"a\": {\"ssn\": 1}}");
            let record = text.split(|b| *b == b'\n').filter(|l| !l.trim_ascii().is_empty()).count();
            let seen = labels(&text, Structure::NdJson, &[]);
            let expected = (format!("$[{}].a.ssn", record - 1), "ssn".to_owned());
            prop_assert_eq!(seen[text.len() - 3].clone(), Some(expected));
        }
    }

    fn label_of(text: &str, what: &str) -> (String, String) {
        let at = text.find(what).unwrap();
        labels(text.as_bytes(), Structure::Json, &[])[at].clone().unwrap()
    }

    #[test]
    fn brackets_that_do_not_match() {
        let text = r#"}] {"a": [1, {"b": 2], "c": 33}, "d": 44}"#;
        assert_eq!(label_of(text, "33").0, "$.c");
        let text = r#"{"a": 1}}}], {"b": 22}"#;
        assert_eq!(label_of(text, "22"), ("$.b".to_owned(), "b".to_owned()));
    }

    #[test]
    fn the_nearest_key_reaches_through_arrays() {
        let text = r#"{"patients": [[{"x": 0}], [7, "here"]]}"#;
        assert_eq!(label_of(text, "here"), ("$.patients[1][1]".to_owned(), "patients".to_owned()));
        assert_eq!(label_of(text, "x"), ("$.patients[0][0]".to_owned(), "patients".to_owned()));
    }

    #[test]
    fn deep_brackets_have_the_place_of_their_ancestor() {
        let deep = 200;
        let text = format!("{}\"here\"{}, \"behind\"]", "[".repeat(deep), "]".repeat(deep - 1));
        let bounded = format!("${}", "[0]".repeat(MAX_DEPTH));
        assert_eq!(label_of(&text, "here").0, bounded);
        assert_eq!(label_of(&text, "behind").0, "$[1]");
        let keys = format!("{}1{}", "{\"k\":".repeat(deep), "}".repeat(deep));
        assert_eq!(label_of(&keys, "1").0, format!("${}", ".k".repeat(MAX_DEPTH)));
    }

    #[test]
    fn keys_are_bounded() {
        for (key, name) in [
            ("a".repeat(5000), "a".repeat(256)),
            ("\\u00e9".repeat(5000), "é".repeat(128)),
            (format!("a{}", "é".repeat(5000)), format!("a{}", "é".repeat(127))),
        ] {
            let text = format!("{{\"{key}\": 1}}");
            assert_eq!(label_of(&text, "1}").1, name);
        }
    }

    #[test]
    fn what_is_forgotten_takes_no_memory() {
        let mut tracker = Tracker::new(Structure::NdJson, 0);
        for record in 0..3000 {
            let line = format!("{{\"key{record}\": [1, 2, {{\"a\": [3]}}]}}\n");
            tracker.advance(line.as_bytes());
        }
        tracker.forget_below(tracker.offset());
        let super::super::Follow::Json(json) = &tracker.structure else {
            panic!("no JSON");
        };
        assert_eq!((json.items.len(), json.stretches.len(), json.open.len()), (1, 1, 1));
        assert!(json.keys.held() < 300, "{}", json.keys.held());
    }
}
