//! What is wrong with a rule pack, where, and how to mend it.

use std::fmt::{self, Write as _};

use super::Source;

/// The most diagnostics that are kept; more are counted.
const MAX_KEPT: usize = 500;

/// The longest piece of a source line that is shown, in characters.
const MAX_SHOWN: usize = 160;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// Stable names of what can be wrong with a rule pack. Codes that begin with `E` are
        /// errors, those with `W` warnings; a code is never given another meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// All codes, errors first.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The code as output shows it: `E001`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$name => $word,)+
                }
            }

            /// What the code means, in a sentence.
            pub fn description(self) -> &'static str {
                match self {
                    $(Code::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

codes! {
    /// The file is not valid TOML.
    Syntax = "E001",
    /// The file is larger than 1 MiB.
    SourceTooLarge = "E002",
    /// A key that the format does not know.
    UnknownKey = "E003",
    /// A key that the format requires is missing.
    MissingKey = "E004",
    /// A value has the wrong TOML type.
    WrongType = "E005",
    /// A number is outside its range.
    OutOfRange = "E006",
    /// A list, or a kind of definition, has more entries than the limit.
    TooMany = "E007",
    /// A text is longer than the limit.
    TooLong = "E008",
    /// An id is not dotted lower case, or does not begin with the class of its category.
    BadId = "E009",
    /// An id is defined twice.
    DuplicateId = "E010",
    /// A rule names a category that the taxonomy does not define.
    UnknownCategory = "E011",
    /// A rule names a validator that does not exist.
    UnknownValidator = "E012",
    /// A word is not one of those allowed: class, sensitivity or anchor shape.
    UnknownWord = "E013",
    /// A country is not two capital letters as in ISO 3166-1.
    BadCountry = "E014",
    /// A pattern is not a valid regex.
    PatternSyntax = "E015",
    /// A pattern uses Unicode mode, which byte patterns cannot have.
    PatternUnicode = "E016",
    /// A pattern can match nothing at all, or never matches.
    PatternEmpty = "E017",
    /// A pattern has an unbounded repeat and the rule states no `max_length`.
    PatternUnbounded = "E018",
    /// A pattern can match more bytes than a rule may read.
    PatternTooLong = "E019",
    /// The automaton of a pattern is larger than the limit.
    PatternTooLarge = "E020",
    /// `boundary` is not one character class.
    BadBoundary = "E021",
    /// Anchors are contradictory or outside their limits.
    BadAnchors = "E022",
    /// No anchor is stated and none can be derived from the pattern.
    NoAnchor = "E023",
    /// The pattern can match text that does not hold the anchor, so the prefilter would lie.
    AnchorNotHeld = "E024",
    /// A match can start more than 256 bytes before its anchor.
    LeadTooLong = "E025",
    /// The proof that every match holds its anchor exceeds its work limit.
    ProofTooLarge = "E026",
    /// An example does not mark exactly one value with ⟦ and ⟧.
    BadExample = "E027",
    /// A combination names no category it rests on, or nothing that must be near it.
    BadCombination = "E028",
    /// Fewer than two examples or fewer than two counterexamples.
    TooFewExamples = "E029",
    /// Title, why or source is missing or empty.
    MissingText = "E030",
    /// A context term is empty, not in lower case, or has stray spaces.
    BadTerm = "E031",
    /// A bare 9- to 11-digit shape without validator is `likely` without evidence.
    BareDigits = "E032",
    /// The rule can read a byte more than 1,024 times.
    CostTooHigh = "E033",
    /// A context names a list of terms that no pack defines.
    UnknownList = "E034",
    /// The rule can read a byte more than 64 times.
    CostHigh = "W001",
    /// A keyword is short or so common that the rule is tried all the time.
    CommonKeyword = "W002",
    /// A rule with the same pattern and category comes before this one.
    Unreachable = "W003",
    /// A bare 9- to 11-digit shape is `likely` without evidence, though it is validated.
    BareDigitsValidated = "W004",
    /// A taxonomy changes a built-in category.
    ChangedCategory = "W005",
    /// A term, column, keyword or country list names the same thing twice.
    Repeated = "W006",
    /// A capture group other than `value` is never read.
    UnreadGroup = "W007",
    /// `max_length` has no effect, since the pattern never matches that much.
    UnusedMaxLength = "W008",
}

impl Code {
    /// Whether the pack can still be used.
    pub fn severity(self) -> Severity {
        if self.as_str().starts_with('W') { Severity::Warning } else { Severity::Error }
    }
}

/// Whether a pack can be used in spite of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It can.
    Warning,
    /// It cannot.
    Error,
}

impl Severity {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One thing that is wrong with a rule pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of thing.
    pub code: Code,
    /// Whether the pack can still be used.
    pub severity: Severity,
    /// Name of the source.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Character of that line, counted from 1.
    pub column: usize,
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// How to mend it, where there is more to say.
    pub help: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic { code, severity, file, line, column, message, .. } = self;
        let (severity, code) = (severity.as_str(), code.as_str());
        write!(f, "{severity}[{code}]: {message} ({file}:{line}:{column})")
    }
}

/// Everything that is wrong with a set of rule packs, in the order of the sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    omitted: usize,
    errors: usize,
    warnings: usize,
}

impl Diagnostics {
    /// Adds a diagnostic. Past the first 500 they are only counted.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        match diagnostic.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.list.len() < MAX_KEPT {
            self.list.push(diagnostic);
        } else {
            self.omitted += 1;
        }
    }

    /// The diagnostics that were kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether something is so wrong that the packs cannot be used.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Number of errors, those not kept included.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Number of warnings, those not kept included.
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// Number of diagnostics that were counted and not kept.
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// The diagnostics as a compiler shows them: what, where, the line itself, help.
    pub fn render(&self, sources: &[Source]) -> String {
        let mut out = String::new();
        for diagnostic in &self.list {
            render_one(&mut out, diagnostic, sources);
        }
        if self.omitted > 0 {
            let _ = writeln!(out, "... and {} more", self.omitted);
        }
        out
    }

    /// Brings the diagnostics into the order of files, lines and columns.
    pub(super) fn sort(&mut self) {
        self.list.sort_by(|a, b| {
            (&a.file, a.line, a.column, a.code).cmp(&(&b.file, b.line, b.column, b.code))
        });
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.list.iter();
        if let Some(first) = lines.next() {
            write!(f, "{first}")?;
        }
        lines.try_for_each(|diagnostic| write!(f, "\n{diagnostic}"))?;
        if self.omitted > 0 {
            write!(f, "\n... and {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn render_one(out: &mut String, diagnostic: &Diagnostic, sources: &[Source]) {
    let Diagnostic { code, severity, file, line, column, message, help } = diagnostic;
    let _ = writeln!(out, "{}[{}]: {message}", severity.as_str(), code.as_str());
    let gutter = line.to_string().len();
    let _ = writeln!(out, "{:gutter$}--> {}:{line}:{column}", "", escaped(file));
    let text = sources.iter().find(|source| source.name == *file).map(|source| &source.text);
    if let Some(text) = text.and_then(|text| text.split('\n').nth(line.saturating_sub(1))) {
        // A long line is shown from a little before the place on.
        let skipped = column.saturating_sub(MAX_SHOWN - 40);
        let shown: String = text.chars().skip(skipped).take(MAX_SHOWN).collect();
        let shown = escaped(shown.trim_end());
        let indent = column.saturating_sub(1 + skipped);
        let _ = writeln!(out, "{:gutter$} |", "");
        let _ = writeln!(out, "{line} | {shown}");
        let _ = writeln!(out, "{:gutter$} | {:indent$}^", "", "");
    }
    if let Some(help) = help {
        let _ = writeln!(out, "{:gutter$} = help: {help}", "");
    }
    out.push('\n');
}

/// Control and bidi characters as `?`, one for one, so that the marker below stays in place.
fn escaped(text: &str) -> String {
    let bidi = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|c| {
            if c == '\t' {
                ' '
            } else if c.is_control() || bidi(c) {
                '?'
            } else {
                c
            }
        })
        .collect()
}
