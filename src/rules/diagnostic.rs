//! What is wrong with a rule pack or a `sluice.toml`, where, and how to mend it.

use std::fmt::{self, Write as _};

use super::Source;

/// The most diagnostics that are kept; more are counted.
const MAX_KEPT: usize = 500;

/// The longest piece of a source line that is shown, in characters.
const MAX_SHOWN: usize = 160;

macro_rules! codes {
    (
        rules { $($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+ }
        policy { $($(#[doc = $policy_doc:literal])+ $policy:ident = $policy_word:literal,)+ }
    ) => {
        /// Stable names of what can be wrong with a rule pack or a `sluice.toml`. Codes that begin
        /// with `E` or `P` are errors, those with `W` or `PW` warnings; a code is never given
        /// another meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
            $($(#[doc = $policy_doc])+ $policy,)+
        }

        impl Code {
            /// All codes of rule packs, errors first.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The codes of `sluice.toml` alone, errors first. What every TOML file can have
            /// wrong, `E001` to `E008` and `E010` to `E013`, is in [`Code::ALL`].
            pub const POLICY: &'static [Code] = &[$(Code::$policy,)+];

            /// The code as output shows it: `E001`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$name => $word,)+
                    $(Code::$policy => $policy_word,)+
                }
            }

            /// What the code means, in a sentence.
            pub fn description(self) -> &'static str {
                match self {
                    $(Code::$name => concat!($($doc),+).trim_ascii(),)+
                    $(Code::$policy => concat!($($policy_doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

codes! {
    rules {
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
        /// An entry of `unless` states nothing, or an empty word.
        EmptyUnless = "E035",
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
    policy {
        /// A condition on data that more data could make false: `not`, an upper bound, and the like.
        NotUpwardClosed = "P001",
        /// A workflow, rule or destination names something that nothing registers.
        UnknownName = "P002",
        /// A matcher of a destination cannot be read.
        BadMatcher = "P003",
        /// Two destinations have the same matcher.
        MatcherTie = "P004",
        /// An id is not lower-case letters, digits, `-` and `_`.
        BadName = "P005",
        /// A workflow is bound to nobody, or to somebody and to anyone.
        Unbound = "P006",
        /// A workflow wants more approvals than it has approvers.
        TooFewApprovers = "P007",
        /// A rule redacts what is not a finding.
        RedactNeedsFindings = "P008",
        /// A rule has a transform and another effect than redact.
        TransformNeedsRedact = "P009",
        /// All rules are shadows, so that none decides anything.
        AllShadow = "P010",
        /// A rule is about several kinds of things.
        SeveralSubjects = "P011",
        /// A rule counts, and names no category whose findings it would count.
        ThresholdNeedsCategory = "P012",
        /// The key of an approver is no public key in OpenSSH form that counts, or that of another.
        BadKey = "P013",
        /// The command of a path is not an absolute program with fixed arguments.
        BadCommand = "P014",
        /// A time is neither seconds nor a number with `s` or `m`.
        BadDuration = "P015",
        /// A file of a repository may not say this.
        NotFromRepository = "P016",
        /// A title, owner or reason is empty.
        EmptyText = "P017",
        /// What a rule asks for together is asked of no category.
        NoCategory = "P018",
        /// The file is of a version that this program does not read.
        BadVersion = "P019",
        /// A digest of an executable is not 64 hex digits.
        BadDigest = "P020",
        /// The taxonomy has more categories than a policy can hold.
        TooManyCategories = "P021",
        /// An exception names neither rules nor categories, or both.
        BadException = "P022",
        /// A path of an exception is no glob.
        BadGlob = "P023",
        /// A date is not `YYYY-MM-DD`, or is no day.
        BadDate = "P024",
        /// A category or destination is approved on one side only, so that nothing flows.
        OneSidedApproval = "PW001",
        /// A rule that can never change an effect.
        NoEffect = "PW002",
        /// A rule allows regulated data or secrets whatever the destination.
        BroadAllow = "PW003",
        /// A matcher takes every host below a top-level domain.
        BroadMatcher = "PW004",
        /// An approver, path or destination that nothing names.
        Unused = "PW005",
        /// A list says the same thing twice.
        RepeatedEntry = "PW006",
        /// Anyone may be a workflow that approves regulated data.
        AnyoneRegulated = "PW007",
        /// A workflow has nobody who could approve its escalations, which then expire to block.
        NobodyApproves = "PW008",
        /// An exception is about a category that `exceptable` does not list.
        NotExceptable = "PW009",
    }
}

impl Code {
    /// Whether the pack can still be used.
    pub fn severity(self) -> Severity {
        if self.as_str().contains('W') { Severity::Warning } else { Severity::Error }
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
    pub(crate) fn sort(&mut self) {
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
