//! Findings are taken out of a payload.
//!
//! Bytes of the payload and its findings come in, with what policy wants done to each category
//! ([`Obligations`]); the bytes without the findings come out, and how many findings of which
//! category were treated how ([`Done`]). [`redact`] does this for a whole payload, [`Redactor`] for
//! one that arrives in pieces.
//!
//! Promised:
//!
//! - what comes out depends on payload, findings, obligations and tokens alone, never on how the
//!   payload is cut;
//! - every byte outside of the findings comes out as it went in, in order. Findings are widened to
//!   whole characters, escape sequences and JSON numbers first;
//! - findings that overlap are replaced together, by the strongest of their transforms; those that
//!   only touch are replaced one by one;
//! - structure stays: line ends, delimiters and quotes of a table, brackets, quotes, colons and
//!   commas of JSON, bars of a pipe table, also where a finding covers them. What is put in is
//!   ASCII and holds none of these;
//! - whether the result still holds findings is not promised: the caller scans it again.

mod atoms;
mod generalise;
mod tokens;

pub use tokens::{MAX_TOKEN_VALUE, NoTokens, TokenFailure, Tokens, VaultTokens};

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::decode::{Format, Structure};
use crate::model::{Band, CategoryIndex, Class, Finding, Span};
use crate::policy::Transform;
use crate::rules::RuleSet;
use atoms::{Atom, Atoms, Begins, Kind, Units};

/// Characters of the longest mask, with its brackets; a longer value has one of this length too.
pub const MAX_MASK: usize = 64;

/// What is left of a value that was taken out of a longer text.
const GAP: &str = "[]";

/// Bytes that findings which overlap may cover together before they are replaced piece by piece.
const MAX_UNION: usize = 64 * 1024;

/// What is to be done to the findings of each category.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obligations {
    by_category: BTreeMap<CategoryIndex, (Transform, Band)>,
}

impl Obligations {
    /// Nothing is to be done.
    pub fn new() -> Obligations {
        Obligations::default()
    }

    /// Wants findings of `category` of band `from` and up replaced. Of several transforms the
    /// strongest counts, of several bands the lowest.
    pub fn require(&mut self, category: CategoryIndex, transform: Transform, from: Band) {
        let (strongest, lowest) = self.by_category.entry(category).or_insert((transform, from));
        *strongest = transform.max(*strongest);
        *lowest = from.min(*lowest);
    }

    /// What is to be done to this finding, if anything.
    pub fn of(&self, finding: &Finding) -> Option<Transform> {
        let (transform, from) = self.by_category.get(&finding.category)?;
        (finding.likelihood.band() >= *from).then_some(*transform)
    }

    /// The categories with what is to be done to them.
    pub fn iter(&self) -> impl Iterator<Item = (CategoryIndex, Transform)> {
        self.by_category.iter().map(|(category, (transform, _))| (*category, *transform))
    }
}

/// As [`crate::policy::Decision::transforms`] gives them.
impl FromIterator<(CategoryIndex, Transform, Band)> for Obligations {
    fn from_iter<I: IntoIterator<Item = (CategoryIndex, Transform, Band)>>(all: I) -> Obligations {
        let mut obligations = Obligations::new();
        all.into_iter().for_each(|(it, transform, from)| obligations.require(it, transform, from));
        obligations
    }
}

/// What was done to findings of a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Done {
    /// The category.
    pub category: CategoryIndex,
    /// What was done: what was asked for, or something stronger.
    pub transform: Transform,
    /// To how many findings.
    pub count: u64,
}

/// A payload without its findings.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted {
    /// What is left.
    pub bytes: Vec<u8>,
    /// What was done, by category and transform.
    pub done: Vec<Done>,
}

/// Bytes of the payload are held, and are not shown.
impl std::fmt::Debug for Redacted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redacted")
            .field("bytes", &self.bytes.len())
            .field("done", &self.done)
            .finish()
    }
}

/// Why a payload cannot be redacted.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    /// It has more findings than were kept.
    #[error("{0} findings past the cap are not known by their place; split the payload")]
    Truncated(u64),
    /// It is no text.
    #[error("a payload of type `{0}` cannot be rewritten; send the text of it")]
    NotText(&'static str),
    /// A value did not get its token.
    #[error("no token for a value of `{category}`")]
    Token {
        /// Id of the category.
        category: String,
        /// Why not.
        source: TokenFailure,
    },
}

/// Takes the findings out of a whole payload. `findings` are all of the payload, in any order.
///
/// # Errors
///
/// If the payload is no text, or a token cannot be had.
pub fn redact(
    rules: &Arc<RuleSet>,
    payload: &[u8],
    format: Format,
    findings: &[Finding],
    obligations: &Obligations,
    tokens: &mut dyn Tokens,
) -> Result<Redacted, RedactError> {
    let mut redactor = Redactor::new(Arc::clone(rules), format, obligations.clone())?;
    findings.iter().for_each(|finding| redactor.take(finding));
    let mut bytes = Vec::with_capacity(payload.len());
    redactor.advance(payload, u64::MAX, true, tokens, &mut bytes)?;
    Ok(Redacted { bytes, done: redactor.done() })
}

/// Takes findings out of a payload that arrives in pieces.
pub struct Redactor {
    rules: Arc<RuleSet>,
    obligations: Obligations,
    structure: Structure,
    units: Units,
    atoms: Atoms,
    /// Bytes of the byte order mark that are still to come.
    mark: usize,
    /// Offset of the next atom.
    at: u64,
    /// That atom, where it is known and not yet used.
    ready: Option<Atom>,
    /// What is to be replaced from here on, by start.
    waiting: VecDeque<Wanted>,
    union: Option<Union>,
    /// What a cell began with was taken out, and nothing of it has followed.
    emptied: Begins,
    /// Keys of JSON objects that were masked.
    keys: u64,
    done: BTreeMap<(CategoryIndex, Transform), u64>,
}

/// A finding that is to be replaced.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Wanted {
    span: Span,
    category: CategoryIndex,
    transform: Transform,
    /// Whether another finding, with the same span, is what it rests on.
    derived: bool,
    counted: bool,
}

/// Findings that overlap, with the bytes that they cover so far.
struct Union {
    end: u64,
    members: Vec<Wanted>,
    pieces: Vec<Piece>,
    length: usize,
}

/// Bytes of one kind.
struct Piece {
    kind: Kind,
    begins: Begins,
    bytes: Vec<u8>,
    characters: usize,
}

/// Bytes of the payload are held, and are not shown.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor")
            .field("at", &self.at)
            .field("waiting", &self.waiting.len())
            .field("done", &self.done())
            .finish_non_exhaustive()
    }
}

impl Redactor {
    /// For a payload of this format.
    ///
    /// # Errors
    ///
    /// If the format is no text.
    pub fn new(
        rules: Arc<RuleSet>,
        format: Format,
        obligations: Obligations,
    ) -> Result<Redactor, RedactError> {
        if let Some(kind) = format.opaque {
            return Err(RedactError::NotText(kind));
        }
        Ok(Redactor {
            rules,
            obligations,
            structure: format.structure,
            units: Units::new(format.encoding),
            atoms: Atoms::new(format),
            mark: format.bom,
            at: 0,
            ready: None,
            waiting: VecDeque::new(),
            union: None,
            emptied: Begins::Nothing,
            keys: 0,
            done: BTreeMap::new(),
        })
    }

    /// Has other obligations from here on: those of findings that were taken are as they were.
    pub fn oblige(&mut self, obligations: &Obligations) {
        self.obligations = obligations.clone();
    }

    /// Takes a finding. It must not touch a byte that was let out.
    pub fn take(&mut self, finding: &Finding) {
        let Some(transform) = self.obligations.of(finding) else { return };
        if finding.span.is_empty() {
            return;
        }
        let derived = finding.evidence.rests_on.is_some();
        let (span, category) = (finding.span, finding.category);
        let wanted = Wanted { span, category, transform, derived, counted: false };
        let order = |it: &Wanted| (it.span, it.category);
        let at = self.waiting.partition_point(|other| order(other) <= order(&wanted));
        self.waiting.insert(at, wanted);
    }

    /// Takes what is known of the payload from offset [`Redactor::at`] on, of which all findings
    /// that touch a byte below `final_to` were taken, and appends what may go out to `out`. Returns
    /// how many bytes were used; the next call begins behind them. `is_last`: the payload ends here.
    ///
    /// # Errors
    ///
    /// If a token cannot be had. Then `out` must not be released.
    pub fn advance(
        &mut self,
        bytes: &[u8],
        final_to: u64,
        is_last: bool,
        tokens: &mut dyn Tokens,
        out: &mut Vec<u8>,
    ) -> Result<usize, RedactError> {
        let mut used = self.mark.min(bytes.len());
        self.mark -= used;
        self.at += used as u64;
        out.extend_from_slice(bytes.get(..used).unwrap_or_default());
        let mut sink = Sink { bytes, units: self.units, tokens, out };
        while self.mark == 0 {
            let rest = bytes.get(used..).unwrap_or_default();
            if self.ready.is_none() {
                self.ready = self.atoms.next(rest, is_last);
            }
            let Some(atom) = self.ready else { break };
            let end = self.at + atom.length as u64;
            if end > final_to && !is_last {
                break;
            }
            self.ready = None;
            let text = rest.get(..atom.length).unwrap_or(rest);
            self.atom(atom, text, &mut sink)?;
            self.at = end;
            used += text.len();
        }
        if is_last {
            self.close(None, &mut sink)?;
            if self.emptied == Begins::Row {
                sink.write(GAP);
            }
            self.emptied = Begins::Nothing;
        }
        Ok(used)
    }

    /// Offset of the first byte that was not used.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Bytes that are held back beside those that were not used.
    pub fn held(&self) -> usize {
        self.union.as_ref().map_or(0, |union| union.length)
    }

    /// What was done so far.
    pub fn done(&self) -> Vec<Done> {
        let done = self.done.iter();
        done.map(|((category, transform), count)| Done {
            category: *category,
            transform: *transform,
            count: *count,
        })
        .collect()
    }

    fn atom(&mut self, atom: Atom, text: &[u8], sink: &mut Sink<'_>) -> Result<(), RedactError> {
        let (start, end) = (self.at, self.at + atom.length as u64);
        if self.union.as_ref().is_some_and(|union| union.end <= start) {
            self.close(None, sink)?;
        }
        while let Some(wanted) = self.waiting.pop_front_if(|wanted| wanted.span.start < end) {
            if wanted.span.end <= start {
                continue;
            }
            let union = self.union.get_or_insert_with(Union::new);
            union.end = union.end.max(wanted.span.end);
            union.members.push(wanted);
        }
        match &mut self.union {
            Some(union) => {
                union.push(atom, text);
                if union.length > MAX_UNION {
                    self.close(Some(end), sink)?;
                }
            }
            None => {
                self.settle_value(atom.kind, text, sink);
                sink.out.extend_from_slice(text);
            }
        }
        Ok(())
    }

    /// Where the first text of a cell or string was taken out: what follows shows whether all of it
    /// was. A row must not become a blank line.
    fn settle_value(&mut self, kind: Kind, text: &[u8], sink: &mut Sink<'_>) {
        let ends_line = || matches!(self.units.read(text).as_slice(), b"\n" | b"\r");
        let leaves_gap = match (self.emptied, kind) {
            (Begins::Nothing, _) | (Begins::Value, Kind::Keep) => false,
            (Begins::Row, Kind::Keep) => ends_line(),
            _ => true,
        };
        if leaves_gap {
            sink.write(GAP);
        }
        self.emptied = Begins::Nothing;
    }

    /// Replaces what was gathered. `cut`: the findings go on behind this offset.
    fn close(&mut self, cut: Option<u64>, sink: &mut Sink<'_>) -> Result<(), RedactError> {
        let Some(mut union) = self.union.take() else { return Ok(()) };
        let asked = union.members.iter().map(|member| member.transform).max();
        let asked = asked.unwrap_or(Transform::Mask);
        let value = union.value(self.structure, self.units);
        let (transform, text) = match asked {
            _ if cut.is_some() => (asked.max(Transform::Mask), None),
            Transform::Generalise => {
                let coarse = self.generalised(&union, &value);
                coarse.map_or((Transform::Mask, None), |text| (Transform::Generalise, Some(text)))
            }
            Transform::Tokenize if self.holds_secret(&union) => (Transform::Mask, None),
            Transform::Tokenize if value.len() <= MAX_TOKEN_VALUE && !value.is_empty() => {
                (Transform::Tokenize, Some(self.token(&union, &value, sink)?))
            }
            Transform::Tokenize => (Transform::Mask, None),
            Transform::Mask | Transform::Drop => (asked, None),
        };
        self.count(&mut union.members, transform);
        self.replace(&union, transform, text, sink);
        if let Some(cut) = cut {
            let goes_on = union.members.into_iter().filter(|member| member.span.end > cut).rev();
            goes_on.for_each(|member| self.waiting.push_front(member));
        }
        Ok(())
    }

    fn count(&mut self, members: &mut [Wanted], transform: Transform) {
        for member in members.iter_mut().filter(|member| !member.counted) {
            member.counted = true;
            *self.done.entry((member.category, transform)).or_default() += 1;
        }
    }

    /// Writes the pieces of a union. `text` stands for the first that holds any; without it, each is
    /// masked or taken out.
    fn replace(
        &mut self,
        union: &Union,
        transform: Transform,
        mut text: Option<String>,
        sink: &mut Sink<'_>,
    ) {
        let had_text = text.is_some();
        let secret = self.holds_secret(union);
        for piece in &union.pieces {
            let plain = self.units.read(&piece.bytes);
            self.settle_value(piece.kind, &piece.bytes, sink);
            if piece.kind == Kind::Keep || plain.iter().all(u8::is_ascii_whitespace) {
                sink.out.extend_from_slice(&piece.bytes);
                continue;
            }
            let quoted = piece.kind == Kind::Scalar && transform == Transform::Tokenize;
            let instead = match (text.take(), piece.kind) {
                (Some(text), _) if quoted => format!("\"{text}\""),
                (Some(text), _) => text,
                (None, Kind::Scalar) => "null".to_owned(),
                // Keys stay different from each other.
                (None, Kind::Key) => {
                    self.keys += 1;
                    format!("[*****{}]", self.keys)
                }
                (None, _) if had_text || transform == Transform::Drop => {
                    self.emptied = piece.begins;
                    if piece.begins == Begins::Nothing { GAP.to_owned() } else { String::new() }
                }
                (None, _) if secret => mask(7),
                (None, _) => mask(piece.characters),
            };
            sink.write(&instead);
        }
    }

    /// The value made coarse, if it stands in one piece and everything that was found of it says
    /// the same.
    fn generalised(&self, union: &Union, value: &[u8]) -> Option<String> {
        let mut pieces = union.pieces.iter().filter(|piece| piece.kind != Kind::Keep);
        let (Some(piece), None) = (pieces.next(), pieces.next()) else { return None };
        if piece.kind == Kind::Key {
            return None;
        }
        let value = std::str::from_utf8(value).ok()?;
        let mut coarse = union.own().map(|member| {
            let category = self.rules.category_id(member.category);
            generalise::generalise(category, value, piece.kind == Kind::Scalar)
        });
        let first = coarse.next()??;
        coarse.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    /// A secret is not kept, so it gets no token, and its length is not shown.
    fn holds_secret(&self, union: &Union) -> bool {
        union.members.iter().any(|it| self.rules.class(it.category) == Some(Class::Sec))
    }

    fn token(
        &self,
        union: &Union,
        value: &[u8],
        sink: &mut Sink<'_>,
    ) -> Result<String, RedactError> {
        let largest = union.own().max_by_key(|it| (it.span.len(), std::cmp::Reverse(it.category)));
        let category = largest.map_or("", |member| self.rules.category_id(member.category));
        let failed = |source| RedactError::Token { category: category.to_owned(), source };
        let token = sink.token(category, value).map_err(failed)?;
        tokens::checked(token).map_err(failed)
    }
}

/// Asterisks in brackets. Where labels and values of a text are looked for, bare asterisks are passed
/// over as marks of emphasis, and what stands behind them would be taken for the value.
fn mask(characters: usize) -> String {
    format!("[{}]", "*".repeat(characters.clamp(3, MAX_MASK) - 2))
}

impl Union {
    fn new() -> Union {
        Union { end: 0, members: Vec::new(), pieces: Vec::new(), length: 0 }
    }

    fn push(&mut self, atom: Atom, text: &[u8]) {
        self.length += text.len();
        match self.pieces.last_mut() {
            Some(piece) if piece.kind == atom.kind && atom.kind != Kind::Scalar => {
                piece.bytes.extend_from_slice(text);
                piece.characters += 1;
            }
            _ => {
                let bytes = text.to_vec();
                let (kind, begins) = (atom.kind, atom.begins);
                self.pieces.push(Piece { kind, begins, bytes, characters: 1 });
            }
        }
    }

    /// The findings without those that rest on another one of the same span.
    fn own(&self) -> impl Iterator<Item = &Wanted> {
        let rests = |it: &Wanted| {
            it.derived && self.members.iter().any(|base| !base.derived && base.span == it.span)
        };
        self.members.iter().filter(move |member| !rests(member))
    }

    /// The text that is replaced, without structure and escapes.
    fn value(&self, structure: Structure, units: Units) -> Vec<u8> {
        let pieces = self.pieces.iter().filter(|piece| piece.kind != Kind::Keep);
        let plain = pieces.map(|piece| unescaped(units.read(&piece.bytes), structure));
        plain.collect::<Vec<_>>().concat()
    }
}

/// The text without the escapes of its structure, where these are sound.
fn unescaped(text: Vec<u8>, structure: Structure) -> Vec<u8> {
    match structure {
        Structure::Json | Structure::NdJson if text.contains(&b'\\') => {
            let quoted = [b"\"", text.as_slice(), b"\""].concat();
            serde_json::from_slice::<String>(&quoted).map_or(text, String::into_bytes)
        }
        Structure::Table { .. } => bstr::ByteSlice::replace(text.as_slice(), "\"\"", "\""),
        _ => text,
    }
}

/// Where what is put in goes.
struct Sink<'a> {
    /// What is at hand of the payload.
    bytes: &'a [u8],
    units: Units,
    tokens: &'a mut dyn Tokens,
    out: &'a mut Vec<u8>,
}

impl Sink<'_> {
    fn write(&mut self, ascii: &str) {
        self.units.write(ascii, self.out);
    }

    fn token(&mut self, category: &str, value: &[u8]) -> Result<String, TokenFailure> {
        let taken = |token: &str| {
            let mut encoded = Vec::new();
            self.units.write(token, &mut encoded);
            memchr::memmem::find(self.bytes, &encoded).is_some()
        };
        self.tokens.token(category, value, &taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::model::{Category, Evidence, Likelihood, RuleIndex, Sensitivity};
    use crate::rules::Taxonomy;

    const CATEGORIES: [&str; 3] = ["nat.us_ssn", "pii.dob", "sec.password_assign"];

    fn rules() -> Arc<RuleSet> {
        let category = |id: &str| Category {
            id: id.to_owned(),
            title: id.to_owned(),
            class: if id.starts_with("sec") { Class::Sec } else { Class::Nat },
            sensitivity: Sensitivity::Restricted,
            regulated: true,
            laws: Vec::new(),
        };
        let taxonomy = Taxonomy::new(CATEGORIES.map(category).to_vec());
        Arc::new(RuleSet { taxonomy, ..RuleSet::default() })
    }

    fn finding(start: usize, end: usize, category: u16) -> Finding {
        Finding {
            rule: RuleIndex(0),
            category: CategoryIndex(category),
            span: Span::new(start as u64, end as u64),
            chars: None,
            line: 1,
            column: 1,
            likelihood: Likelihood::new(90),
            evidence: Evidence::default(),
            place: None,
            masked: "".into(),
            fingerprint: None,
            context_hash: 0,
        }
    }

    /// The category and the value in letters: the same for the same value.
    struct Letters;

    impl Tokens for Letters {
        fn token(
            &mut self,
            category: &str,
            value: &[u8],
            _: &dyn Fn(&str) -> bool,
        ) -> Result<String, TokenFailure> {
            let sum = value.iter().fold(7u64, |sum, byte| sum * 31 % 9973 + u64::from(*byte));
            Ok(format!("[{category}:{sum}]"))
        }
    }

    fn format(word: &str) -> Format {
        Format::declared(word).unwrap()
    }

    fn obligations(transforms: [Option<Transform>; 3]) -> Obligations {
        let pairs = (0..).map(CategoryIndex).zip(transforms);
        pairs.filter_map(|(it, transform)| Some((it, transform?, Band::Likely))).collect()
    }

    fn whole(word: &str, payload: &[u8], found: &[Finding], how: &Obligations) -> Vec<u8> {
        redact(&rules(), payload, format(word), found, how, &mut Letters).unwrap().bytes
    }

    fn one(word: &str, text: &str, how: Transform) -> String {
        let start = text.find('⟦').unwrap();
        let payload = text.replace(['⟦', '⟧'], "");
        let end = text.find('⟧').unwrap() - '⟦'.len_utf8();
        let how = obligations([Some(how); 3]);
        let bytes = whole(word, payload.as_bytes(), &[finding(start, end, 0)], &how);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn structure_stays_where_a_finding_covers_it() {
        for (word, text, mask, drop) in [
            ("text", "a ⟦1\"2,3\n4⟧ b", "a [*****] b", "a [] b"),
            ("json", "[\"⟦ab\", \"c⟧d\"]", "[\"[*]\", \"[*]d\"]", "[\"\", \"[]d\"]"),
            ("json", "{\"⟦ab⟧\":1}", "{\"[*****1]\":1}", "{\"[*****1]\":1}"),
            ("json", "[1⟦2⟧3.5, 4]", "[null, 4]", "[null, 4]"),
            ("json", "[\"x\\u00⟦e9ab\\⟧n\"]", "[\"x[**]\"]", "[\"x[]\"]"),
            ("json", "[\"\\ud83d⟦\\ude00⟧\"]", "[\"[*]\"]", "[\"\"]"),
            ("csv", "a,⟦b,c⟧\n1,2,3\n", "a,[*],[*]\n1,2,3\n", "a,,\n1,2,3\n"),
            ("csv", "⟦a⟧\n\"b\"\n", "[*]\n\"b\"\n", "[]\n\"b\"\n"),
            ("csv", "⟦a⟧\"b,c\n", "[*]\"b,c\n", "[]\"b,c\n"),
            ("csv", "\"x⟦\"\"y⟧\",c\n", "\"x[*]\",c\n", "\"x[]\",c\n"),
            ("csv", "⟦\"xyzx\"⟧,c\n", "\"[**]\",c\n", "\"\",c\n"),
            ("markdown", "|⟦abc|d\n|⟧|", "|[*]|[*]\n||", "|[]|[]\n||"),
        ] {
            assert_eq!(one(word, text, Transform::Mask), mask, "{text}");
            assert_eq!(one(word, text, Transform::Drop), drop, "{text}");
        }
    }

    #[test]
    fn tokens_stand_for_the_value_without_its_escapes() {
        let plain = one("text", "⟦a\"é⟧", Transform::Tokenize);
        assert_eq!(
            one("json", "[\"⟦a\\\"\\u00e9⟧\"]", Transform::Tokenize),
            format!("[\"{plain}\"]")
        );
        assert_eq!(one("csv", "\"⟦a\"\"é⟧\",b", Transform::Tokenize), format!("\"{plain}\",b"));
        let number = one("text", "⟦78051120⟧", Transform::Tokenize);
        assert_eq!(one("json", "[⟦78051120⟧]", Transform::Tokenize), format!("[\"{number}\"]"));
    }

    #[test]
    fn the_strongest_transform_wins_where_findings_overlap_and_not_where_they_touch() {
        let how = obligations([Some(Transform::Tokenize), Some(Transform::Drop), None]);
        let text = b"abcdefghij";
        let overlap = whole("text", text, &[finding(1, 5, 0), finding(4, 7, 1)], &how);
        assert_eq!(overlap, b"a[]hij");
        let touch = whole("text", text, &[finding(1, 4, 0), finding(4, 7, 1)], &how);
        assert!(touch.starts_with(b"a[nat.us_ssn:") && touch.ends_with(b"][]hij"));
        let other = whole("text", text, &[finding(1, 4, 2)], &how);
        assert_eq!(other, text);
    }

    #[test]
    fn secrets_get_no_token_and_no_length() {
        let how = obligations([None, None, Some(Transform::Tokenize)]);
        let text = b"hunter2 and more of it";
        let found = [finding(0, 20, 2)];
        let left = redact(&rules(), text, format("text"), &found, &how, &mut NoTokens).unwrap();
        assert_eq!(left.bytes, b"[*****]it");
        let done = Done { category: CategoryIndex(2), transform: Transform::Mask, count: 1 };
        assert_eq!(left.done, [done]);
    }

    #[test]
    fn bands_below_what_is_asked_stay() {
        let mut unsure = finding(0, 3, 0);
        unsure.likelihood = Likelihood::new(64);
        let mut how = obligations([Some(Transform::Mask), None, None]);
        assert_eq!(whole("text", b"abcd", &[unsure.clone()], &how), b"abcd");
        how.require(CategoryIndex(0), Transform::Generalise, Band::Possible);
        assert_eq!(whole("text", b"abcd", &[unsure], &how), b"[*]d");
    }

    #[test]
    fn a_token_that_has_structure_is_refused_and_nothing_shows_the_value() {
        struct Bad;
        impl Tokens for Bad {
            fn token(
                &mut self,
                _: &str,
                _: &[u8],
                taken: &dyn Fn(&str) -> bool,
            ) -> Result<String, TokenFailure> {
                assert!(taken("canary-") && !taken("canarx"));
                Ok("a\"b".to_owned())
            }
        }
        let how = obligations([Some(Transform::Tokenize), None, None]);
        let found = [finding(0, 9, 0)];
        let error = redact(&rules(), b"canary-77", format("text"), &found, &how, &mut Bad);
        let error = error.unwrap_err();
        let told = format!("{error} {error:?} {}", std::error::Error::source(&error).unwrap());
        assert!(told.contains("nat.us_ssn") && !told.contains("canary"), "{told}");
        let binary = Format { opaque: Some("zip archive"), ..format("text") };
        assert!(redact(&rules(), b"", binary, &[], &how, &mut Letters).is_err());
    }

    #[test]
    fn findings_that_overlap_without_end_are_replaced_in_parts() {
        let length = 3 * MAX_UNION;
        let payload = vec![b'7'; length];
        let found: Vec<Finding> =
            (0..length - 20).step_by(10).map(|start| finding(start, start + 20, 0)).collect();
        let how = obligations([Some(Transform::Tokenize), None, None]);
        let left = redact(&rules(), &payload, format("text"), &found, &how, &mut Letters).unwrap();
        assert!(left.bytes.len() < 4 * MAX_MASK && left.bytes.ends_with(b"]77777777"));
        assert_eq!(left.done.iter().map(|done| done.count).sum::<u64>(), found.len() as u64);
    }

    #[test]
    fn utf16_stays_utf16_and_its_odd_tail_stays() {
        for (word, order) in
            [("utf-16le", u16::to_le_bytes as fn(u16) -> [u8; 2]), ("utf-16be", u16::to_be_bytes)]
        {
            let encode = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(order).collect() };
            let mut payload = encode("a😀bc");
            payload.push(7);
            let found = [finding(2, 6, 0)];
            let how = obligations([Some(Transform::Mask), None, None]);
            let mut wanted = encode("a[*]bc");
            wanted.push(7);
            assert_eq!(whole(word, &payload, &found, &how), wanted);
        }
    }

    /// The same for plain ASCII text, without a care for pieces.
    fn naive(text: &[u8], spans: &[(usize, usize)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let covers = |from: usize, to: usize| {
                spans.iter().filter(move |(s, e)| *s < to && *e > from && s < e)
            };
            if covers(at, at + 1).next().is_none() {
                out.push(text[at]);
                at += 1;
                continue;
            }
            let start = at;
            // What overlaps with what begins here, and so on.
            let mut end = covers(at, at + 1).map(|(_, e)| *e).max().unwrap();
            while let Some(more) = covers(start, end).map(|(_, e)| *e).max().filter(|e| *e > end) {
                end = more;
            }
            out.extend(mask(end - start).bytes());
            at = end;
        }
        out
    }

    fn spans(count: usize) -> impl Strategy<Value = Vec<(usize, usize)>> {
        prop::collection::vec((0usize..200, 1usize..12), 0..count)
    }

    fn placed(spans: &[(usize, usize)], length: usize) -> Vec<(usize, usize)> {
        let place = |(start, size): &(usize, usize)| {
            let start = start % length.max(1);
            (start, (start + size).min(length))
        };
        let mut placed: Vec<_> = spans.iter().map(place).filter(|(s, e)| s < e).collect();
        placed.sort_unstable();
        placed
    }

    fn transform() -> impl Strategy<Value = Transform> {
        use Transform::{Drop, Generalise, Mask, Tokenize};
        prop::sample::select(vec![Generalise, Tokenize, Mask, Drop])
    }

    fn json() -> impl Strategy<Value = Value> {
        let text = "[a-z\"\\\\\n,{}é😀 0-9]{0,9}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            (-1e9..1e9f64).prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text, inner, 0..4)
                    .prop_map(|members| members.into_iter().collect::<Value>()),
            ]
        })
    }

    /// Brackets and how many members; any leaf is like any other.
    fn shape(value: &Value) -> String {
        match value {
            Value::Array(items) => format!("[{}]", items.iter().map(shape).collect::<String>()),
            Value::Object(members) => {
                let mut shapes: Vec<String> = members.values().map(shape).collect();
                shapes.sort();
                format!("{{{}}}", shapes.concat())
            }
            _ => ".".to_owned(),
        }
    }

    /// Fields of each row, by a slow reader.
    fn columns(text: &[u8]) -> Vec<usize> {
        let (mut rows, mut fields, mut quoted, mut fresh, mut any) =
            (Vec::new(), 1, false, true, false);
        for byte in text {
            any = any || !matches!(byte, b'\n');
            match byte {
                b'"' if quoted || fresh => (quoted, fresh) = (!quoted, quoted),
                b',' if !quoted => (fields, fresh) = (fields + 1, true),
                b'\n' if !quoted => {
                    rows.extend(any.then_some(fields));
                    (fields, fresh, any) = (1, true, false);
                }
                _ => fresh = false,
            }
        }
        rows.extend(any.then_some(fields));
        rows
    }

    proptest! {
        #[test]
        fn text_is_as_a_naive_redaction_has_it(text in "[a-z0-9 \n]{0,60}", spans in spans(8)) {
            let placed = placed(&spans, text.len());
            let found: Vec<Finding> = placed.iter().map(|(s, e)| finding(*s, *e, 0)).collect();
            let how = obligations([Some(Transform::Mask), None, None]);
            let blank = placed.iter().any(|(s, e)| text[*s..*e].trim().is_empty());
            prop_assume!(!blank);
            let left = whole("text", text.as_bytes(), &found, &how);
            prop_assert_eq!(left, naive(text.as_bytes(), &placed));
        }

        #[test]
        fn json_keeps_its_shape(
            value in json(), pretty: bool, spans in spans(8), transforms in [transform(), transform()],
        ) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.unwrap();
            let placed = placed(&spans, text.len());
            let found: Vec<Finding> =
                placed.iter().enumerate().map(|(n, (s, e))| finding(*s, *e, (n % 2) as u16)).collect();
            let how = obligations([Some(transforms[0]), Some(transforms[1]), None]);
            let left = whole("json", text.as_bytes(), &found, &how);
            let parsed: Result<Value, _> = serde_json::from_slice(&left);
            let shown = String::from_utf8_lossy(&left);
            prop_assert!(parsed.is_ok(), "{text} -> {shown}");
            // Tokens of equal values are equal, those of keys too.
            if !transforms.contains(&Transform::Tokenize) {
                prop_assert_eq!(shape(&parsed.unwrap()), shape(&value), "{} -> {}", text, shown);
            }
        }

        #[test]
        fn tables_keep_rows_and_columns(
            cells in prop::collection::vec(prop::collection::vec("[a-z\",\n 0-9é]{0,7}", 2..4), 1..5),
            spans in spans(10), transforms in [transform(), transform()],
        ) {
            let quote = |cell: &String| {
                if cell.contains(['"', ',', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() }
            };
            let rows = cells.iter().map(|row| row.iter().map(quote).collect::<Vec<_>>().join(","));
            let text = rows.collect::<Vec<_>>().join("\n") + "\n";
            let placed = placed(&spans, text.len());
            let found: Vec<Finding> =
                placed.iter().enumerate().map(|(n, (s, e))| finding(*s, *e, (n % 2) as u16)).collect();
            let how = obligations([Some(transforms[0]), Some(transforms[1]), None]);
            let left = whole("csv", text.as_bytes(), &found, &how);
            prop_assert_eq!(columns(&left), columns(text.as_bytes()), "{} -> {}", text, String::from_utf8_lossy(&left));
        }

        /// Promise 1.
        #[test]
        fn cuts_do_not_matter(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "\"", "\\", "\\u00e9", "\\ud83d\\ude00", "é", "😀", "12", "true", ",", "{", "}", "[", "]", ":",
                "\n", "|", " ", "x", "\"\"",
            ]), 0..40),
            spans in spans(10), transforms in [transform(), transform(), transform()],
            cuts in prop::collection::vec((1usize..20, 0u64..30), 1..6),
        ) {
            let payload = pieces.concat().into_bytes();
            let placed = placed(&spans, payload.len());
            let found: Vec<Finding> =
                placed.iter().enumerate().map(|(n, (s, e))| finding(*s, *e, (n % 3) as u16)).collect();
            let how = obligations(transforms.map(Some));
            for word in ["text", "csv", "markdown", "json", "ndjson", "utf-16le", "utf-16be"] {
                let wanted = whole(word, &payload, &found, &how);
                let mut redactor = Redactor::new(rules(), format(word), how.clone()).unwrap();
                let (mut out, mut end, mut taken) = (Vec::new(), 0, 0);
                for (step, behind) in cuts.iter().cycle() {
                    end = (end + step).min(payload.len());
                    let is_last = end == payload.len();
                    let final_to = if is_last { u64::MAX } else { (end as u64).saturating_sub(*behind) };
                    while let Some(it) = found.get(taken).filter(|it| it.span.start < final_to) {
                        redactor.take(it);
                        taken += 1;
                    }
                    let from = redactor.at() as usize;
                    redactor.advance(&payload[from..end], final_to, is_last, &mut Letters, &mut out).unwrap();
                    if is_last {
                        break;
                    }
                }
                prop_assert_eq!(&out, &wanted, "{}", word);
            }
        }
    }
}
