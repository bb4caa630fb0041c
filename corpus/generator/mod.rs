//! Documents made from a seed, with the truth about what they hold.
//!
//! [`documents`] writes tickets, notes, letters, tables, logs, records and chats in several languages.
//! Each value that a scanner should find is a [`Truth`]; each value that looks like one and is none is a
//! [`NearMiss`]. `catalogue.rs` lists what can be made, `numbers/` makes values, `languages/*.toml` holds
//! labels and phrases, `layouts.rs` and `unseen.rs` write documents. The unseen set has labels, phrases
//! and layouts of its own, which nobody may look at to tune a rule.

#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    missing_docs,
    reason = "this makes test data: it fails by panicking, and no user of it needs all of it"
)]

pub mod catalogue;
pub mod compose;
pub mod languages;
pub mod layouts;
pub mod measure;
pub mod numbers;
pub mod others;
pub mod random;
pub mod unseen;

pub use compose::documents;

/// The labels, phrases and layouts that a document is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Those that authors of rules may look at.
    Open,
    /// Those kept back for an honest figure.
    HeldOut,
}

/// A document with the truth about it. Offsets are bytes.
pub struct Document {
    pub id: String,
    pub kind: &'static str,
    pub language: String,
    pub text: String,
    pub spans: Vec<Truth>,
    pub near_misses: Vec<NearMiss>,
    /// Categories, or classes with a dot behind them, that may be found in places without being wrong.
    pub allowed: Vec<(usize, usize, &'static str)>,
}

/// A value of a category.
pub struct Truth {
    pub start: usize,
    pub end: usize,
    pub category: &'static str,
}

/// Something that looks like a value and is none.
pub struct NearMiss {
    pub start: usize,
    pub end: usize,
    pub kind: String,
}

/// What an item of a document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    True(&'static str),
    Near(String),
    /// Not asked about: a finding of this category or class is neither right nor wrong.
    May(&'static str),
    Plain,
}

/// A value on its way into a document.
#[derive(Clone, Debug)]
pub struct Item {
    pub text: String,
    pub mark: Mark,
}

/// Text as it grows, with the places of its items.
#[derive(Default)]
pub struct Writer {
    pub text: String,
    pub spans: Vec<Truth>,
    pub near_misses: Vec<NearMiss>,
    pub allowed: Vec<(usize, usize, &'static str)>,
}

impl Writer {
    pub fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub fn item(&mut self, item: &Item) {
        self.escaped(item, str::to_owned);
    }

    /// The item as the format around it has to write it.
    pub fn escaped(&mut self, item: &Item, escape: impl Fn(&str) -> String) {
        let start = self.text.len();
        self.text.push_str(&escape(&item.text));
        let end = self.text.len();
        match &item.mark {
            Mark::True(category) => self.spans.push(Truth { start, end, category }),
            Mark::Near(kind) => self.near_misses.push(NearMiss { start, end, kind: kind.clone() }),
            Mark::May(category) => self.allowed.push((start, end, category)),
            Mark::Plain => {}
        }
    }

    /// A template with `{label}` and `{value}`.
    pub fn template(&mut self, template: &str, label: &str, item: &Item) {
        let template = template.replace("{label}", label);
        let (before, after) = template.split_once("{value}").unwrap_or((&template, ""));
        self.put(before);
        self.item(item);
        self.put(after);
    }
}
