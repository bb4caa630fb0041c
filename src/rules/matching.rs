//! What a rule looks for, checked: its pattern, how much it reads, and where it is tried.

use regex_automata::nfa::thompson;
use regex_syntax::hir::Hir;

use super::compile::{Compiler, texts};
use super::diagnostic::Code;
use super::pack::{MAX_KEYWORD, MIN_KEYWORD, RawAnchors, RawRule};
use super::pattern::{self, PatternError};
use super::proof::{self, Failure, MAX_LEAD};
use super::reader::{Located, Place, shown};
use super::{Anchors, ByteSet, Lead, MAX_REACH, Shape, VALUE_GROUPS, derive};

/// The largest automaton of a pattern, in bytes of its states.
const MAX_NFA: usize = 8 << 20;

/// How a rule is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Matching {
    pub anchors: Anchors,
    pub lead: Lead,
    pub max_length: usize,
    pub reach: usize,
    pub lies_in_cell: bool,
    pub begins_in_cell: bool,
    pub cells_beside: u8,
}

impl Compiler<'_> {
    /// Checks how a rule is tried.
    pub(super) fn matching(
        &mut self,
        raw: &RawRule,
        boundary: Option<ByteSet>,
        is_measured: bool,
    ) -> Option<Matching> {
        let stated = raw.anchors.as_ref().map(|anchors| (self.anchors(anchors), anchors.at));
        let hir = self.pattern(&raw.pattern)?;
        let lengths = self.lengths(raw, &hir);
        if lengths.is_some() && !is_measured {
            self.automaton_size(&raw.pattern, &hir);
        }
        let anchored = match (lengths, stated) {
            (Some(_), Some((Some(anchors), at))) => self.lead(&hir, anchors, at),
            (Some(_), None) => self.derived(&hir, raw.pattern.at),
            _ => None,
        };
        let ((max_length, reach), (anchors, lead)) = (lengths?, anchored?);
        let lead = settled_lead(lead, &hir, max_length, boundary);
        let lies_in_cell = pattern::lies_in_cell(&hir);
        let names_value =
            pattern::groups(&hir).iter().any(|it| VALUE_GROUPS.contains(&it.as_str()));
        let begins_in_cell =
            lies_in_cell || !names_value && pattern::begins_in_cell(&hir, lead.max());
        let cells_beside = pattern::cells_beside(&hir);
        Some(Matching {
            anchors,
            lead,
            max_length,
            reach,
            lies_in_cell,
            begins_in_cell,
            cells_beside,
        })
    }

    pub(super) fn pattern(&mut self, pattern: &Located<String>) -> Option<Hir> {
        match pattern::parse(&pattern.value) {
            Ok(hir) => Some(hir),
            Err(PatternError::Syntax { message, offset }) => {
                let at = self.inside(pattern.at, offset);
                self.reporter.report(at, Code::PatternSyntax, message);
                None
            }
            Err(PatternError::Unicode) => {
                let message = "the pattern needs Unicode mode";
                let help = Some("patterns match bytes: spell the bytes out".to_owned());
                self.reporter.report_with_help(pattern.at, Code::PatternUnicode, message, help);
                None
            }
        }
    }

    /// The place of a byte of a pattern, where it is written as a literal string.
    fn inside(&self, at: Place, offset: usize) -> Place {
        let text = self.sources.get(at.source).and_then(|source| source.text.get(at.offset..));
        let quotes = match text {
            Some(text) if text.starts_with("'''\n") => 4,
            Some(text) if text.starts_with("'''") => 3,
            Some(text) if text.starts_with('\'') => 1,
            _ => return at,
        };
        Place { offset: at.offset + quotes + offset, ..at }
    }

    /// `max_length` and `reach`.
    fn lengths(&mut self, raw: &RawRule, hir: &Hir) -> Option<(usize, usize)> {
        let at = raw.pattern.at;
        let Some(least) = hir.properties().minimum_len() else {
            self.reporter.report(at, Code::PatternEmpty, "the pattern never matches");
            return None;
        };
        if least == 0 {
            self.reporter.report(at, Code::PatternEmpty, "the pattern can match nothing at all");
            return None;
        }
        let stated = raw.max_length.as_ref().map(|length| length.value);
        let longest = match (hir.properties().maximum_len(), stated) {
            (Some(most), stated) => most.min(stated.unwrap_or(most)),
            (None, Some(stated)) => stated,
            (None, None) => {
                let message = "the pattern has an unbounded repeat";
                let help = Some("bound the repeat, or state `max_length`".to_owned());
                self.reporter.report_with_help(at, Code::PatternUnbounded, message, help);
                return None;
            }
        };
        if longest > MAX_REACH {
            let message = format!("the pattern can match {longest} bytes, limit {MAX_REACH}");
            let help = Some("bound its repeats, or state `max_length`".to_owned());
            self.reporter.report_with_help(at, Code::PatternTooLong, message, help);
            return None;
        }
        if least > longest {
            let message = format!("a match has at least {least} bytes, `max_length` is {longest}");
            self.reporter.report(at, Code::PatternTooLong, message);
            return None;
        }
        let reach = raw.reach.as_ref().map_or(longest, |reach| reach.value);
        if let Some(reach) = raw.reach.as_ref().filter(|reach| reach.value < longest) {
            let message = format!("`reach` is below the longest match of {longest} bytes");
            self.reporter.report(reach.at, Code::OutOfRange, message);
            return None;
        }
        Some((longest, reach))
    }

    pub(super) fn automaton_size(&mut self, pattern: &Located<String>, hir: &Hir) {
        let config = thompson::Config::new().utf8(false).nfa_size_limit(Some(MAX_NFA));
        if thompson::Compiler::new().configure(config).build_from_hir(hir).is_err() {
            let message = format!("the automaton of the pattern exceeds {MAX_NFA} bytes");
            self.reporter.report(pattern.at, Code::PatternTooLarge, message);
        }
    }

    fn anchors(&mut self, raw: &RawAnchors) -> Option<Anchors> {
        let stated = [raw.keywords.is_some(), raw.digits.is_some(), raw.shape.is_some()];
        if stated.into_iter().filter(|stated| *stated).count() != 1 {
            let message = "anchors need exactly one of `keywords`, `digits` and `shape`";
            self.reporter.report(raw.at, Code::BadAnchors, message);
            return None;
        }
        if let Some(keywords) = &raw.keywords {
            return self.keywords(raw, keywords);
        }
        if let Some(Located { value: (low, high), at }) = raw.digits {
            if low < derive::MIN_DIGITS || high < low {
                let message = format!("`digits` has to rise from {} or more", derive::MIN_DIGITS);
                self.reporter.report(at, Code::BadAnchors, message);
                return None;
            }
            let (min, max) = (u8::try_from(low).ok()?, u8::try_from(high).ok()?);
            return Some(Anchors::Digits { min, max });
        }
        let word = raw.shape.as_ref()?;
        let all = Shape::NAMED;
        let shape = all.into_iter().find(|shape| shape.as_str() == word.value);
        if shape.is_none() {
            let message = format!("unknown anchor shape `{}`", shown(&word.value));
            let help = Some(format!("one of {}", all.map(Shape::as_str).join(", ")));
            self.reporter.report_with_help(word.at, Code::UnknownWord, message, help);
        }
        shape.map(Anchors::Shape)
    }

    fn keywords(&mut self, raw: &RawAnchors, keywords: &[Located<String>]) -> Option<Anchors> {
        if keywords.is_empty() {
            self.reporter.report(raw.at, Code::BadAnchors, "`keywords` is empty");
            return None;
        }
        let mut fit = true;
        for keyword in keywords {
            if !(MIN_KEYWORD..=MAX_KEYWORD).contains(&keyword.value.len()) {
                let message = format!(
                    "keyword `{}` has {} bytes, not {MIN_KEYWORD} to {MAX_KEYWORD}",
                    shown(&keyword.value),
                    keyword.value.len()
                );
                self.reporter.report(keyword.at, Code::BadAnchors, message);
                fit = false;
            }
        }
        fit.then(|| Anchors::Keywords(texts(keywords)))
    }

    fn derived(&mut self, hir: &Hir, at: Place) -> Option<(Anchors, Lead)> {
        let Some(anchors) = derive::anchors(hir) else {
            let message = "no anchor follows from the pattern";
            let help = "state `anchors`: a word of three bytes or more, digits or a shape that \
                        every match holds";
            self.reporter.report_with_help(at, Code::NoAnchor, message, Some(help.to_owned()));
            return None;
        };
        self.lead(hir, anchors, at)
    }

    /// Proves that every match holds an anchor, and says how far before it a match can start.
    fn lead(&mut self, hir: &Hir, anchors: Anchors, at: Place) -> Option<(Anchors, Lead)> {
        match proof::prove(hir, &anchors, &mut self.proof_budget) {
            Ok(held) if held.lead == 0 => Some((anchors, Lead::Bytes(0))),
            Ok(held) => {
                let run = proof::leading_run(hir, &anchors, &mut self.proof_budget);
                let lead = match run {
                    Some((class, most)) => Lead::Run(class, most),
                    None => Lead::Bytes(held.lead),
                };
                Some((anchors, lead))
            }
            Err(Failure::Counterexample(text)) => {
                let shown: String = text.escape_ascii().to_string().chars().take(120).collect();
                let message = "the pattern can match without its anchor";
                let help = Some(format!("it matches `{shown}`, for one"));
                self.reporter.report_with_help(at, Code::AnchorNotHeld, message, help);
                None
            }
            Err(Failure::LeadTooLong) => {
                let message =
                    format!("a match can start more than {MAX_LEAD} bytes before its anchor");
                self.reporter.report(at, Code::LeadTooLong, message);
                None
            }
            Err(Failure::TooLarge) => {
                let message = "cannot prove within the work limit that every match has its anchor";
                let help = Some("make the part before the anchor simpler".to_owned());
                self.reporter.report_with_help(at, Code::ProofTooLarge, message, help);
                None
            }
        }
    }

    pub(super) fn boundary(&mut self, boundary: &Located<String>) -> Option<ByteSet> {
        let class = pattern::parse(&boundary.value).ok().as_ref().and_then(pattern::one_class);
        if class.is_none() {
            let message = "`boundary` is not one character class";
            let help = Some("write it as in '[A-Za-z0-9_-]'".to_owned());
            self.reporter.report_with_help(boundary.at, Code::BadBoundary, message, help);
        }
        class
    }
}

/// The lead of a rule as the engine may use it. Walking back along a run tries its farthest start
/// alone, so that has to be the only one that can match: either a byte of the run bars all that
/// lie inside, or no start is barred and no match is cut.
fn settled_lead(lead: Lead, hir: &Hir, max_length: usize, boundary: Option<ByteSet>) -> Lead {
    let Lead::Run(class, most) = lead else { return lead };
    let alone = match boundary {
        Some(boundary) => class.is_subset(&boundary),
        None => hir.properties().maximum_len() == Some(max_length),
    };
    if alone { Lead::Run(class, most) } else { Lead::Bytes(most) }
}
