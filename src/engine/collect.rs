//! Findings of the scan become findings without payload bytes, and counts.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::volume::Volume;
use super::{Classified, Inner};
use crate::classify::LabelBuilder;
use crate::decode::Format;
use crate::model::{Band, Class, Coverage, Finding, Fingerprint, Span};
use crate::rules::RuleSet;
use crate::scan::{Found, Sink};

/// Characters that a mask shows.
const MASK_CHARS: usize = 40;

/// Builds findings and the label of one payload, or of one part of it.
pub struct Collector {
    pub(super) label: LabelBuilder,
    pub(super) findings: Vec<Finding>,
    pub(super) truncated: u64,
    pub(super) max_findings: usize,
    pub(super) volume: Volume,
    is_part: bool,
    wants_context_hash: bool,
    key: Option<Hmac<Sha256>>,
    rules: std::sync::Arc<RuleSet>,
    normal: Vec<u8>,
}

/// The last value is still there in its normal form, and is not shown.
impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector")
            .field("findings", &self.findings.len())
            .field("truncated", &self.truncated)
            .finish_non_exhaustive()
    }
}

impl Collector {
    pub(super) fn new(inner: &Inner) -> Collector {
        Collector {
            label: LabelBuilder::new(),
            findings: Vec::new(),
            truncated: 0,
            max_findings: inner.options.max_findings,
            volume: Volume::default(),
            is_part: false,
            wants_context_hash: inner.options.context_hashes,
            key: inner
                .options
                .fingerprint_key
                .and_then(|key| Hmac::<Sha256>::new_from_slice(&key).ok()),
            rules: inner.plan.rules().clone(),
            normal: Vec::new(),
        }
    }

    /// For a part of a payload, of which at most so many findings are kept: what fills a column is
    /// known when the parts are joined.
    pub(super) fn of_part(inner: &Inner, room: usize) -> Collector {
        let whole = Collector::new(inner);
        let max_findings = room.min(whole.max_findings);
        Collector { is_part: true, max_findings, ..whole }
    }

    pub(super) fn merge_volume(&mut self, other: Volume) {
        self.volume.merge(&self.rules, other);
    }

    /// Takes what all full columns raise.
    pub(super) fn raise_all(&mut self) {
        for finding in self.volume.raised(&self.rules) {
            self.raise(finding);
        }
    }

    /// Takes a finding whose bytes stand at `span` of the original payload.
    pub(super) fn take_at(&mut self, found: Found<'_>, span: Span, chars: Option<Span>) {
        let class = self.rules.class(found.category).unwrap_or(Class::Ai);
        self.normal.clear();
        crate::scan::validate::normalise(class, found.value, &mut self.normal);
        let mut hasher = SipHasher13::new();
        std::hash::Hasher::write(&mut hasher, &self.normal);
        let value = hasher.finish128().as_u128();
        self.label.add(found.category, found.likelihood, value);
        if self.is_full_for(&found, span) {
            self.truncated += 1;
            return;
        }
        let fingerprint = self
            .key
            .as_ref()
            .map(|key| fingerprint(key, self.rules.category_id(found.category), &self.normal));
        let finding = Finding {
            rule: found.rule,
            category: found.category,
            span,
            chars,
            line: found.line,
            column: found.column,
            likelihood: found.likelihood,
            evidence: found.evidence,
            place: found.place,
            masked: mask(found.value),
            fingerprint,
            context_hash: found.context_hash,
        };
        let raised = self.volume.add(&self.rules, &finding);
        self.insert(finding);
        if !self.is_part {
            raised.into_iter().for_each(|finding| self.raise(finding));
        }
    }

    /// Whether a finding is past the cap and need not be built: it fills no column and would be cut at
    /// once.
    pub(super) fn is_full_for(&self, found: &Found<'_>, span: Span) -> bool {
        if self.findings.len() < self.max_findings {
            return false;
        }
        if self.rules.columns_of(found.category).next().is_none() {
            return true;
        }
        let order = (span, self.rules.rule_id(found.rule));
        let last = self.findings.last();
        let is_last = last.is_none_or(|last| (last.span, self.rules.rule_id(last.rule)) <= order);
        let place = found.place.as_deref();
        let may_fill = found.likelihood.band() >= Band::Likely
            && place.is_some()
            && !self.volume.is_full(found.category, place);
        is_last && !may_fill
    }

    /// Takes what a full column raises.
    pub(super) fn raise(&mut self, finding: Finding) {
        let mut hasher = SipHasher13::new();
        std::hash::Hasher::write_u64(&mut hasher, finding.span.start);
        self.label.add(finding.category, finding.likelihood, hasher.finish128().as_u128());
        self.insert(finding);
    }

    /// Puts a finding where it belongs in the order, and cuts what the cap leaves no room for.
    fn insert(&mut self, finding: Finding) {
        let order = |it: &Finding| (it.span, self.rules.rule_id(it.rule));
        match self.findings.last() {
            Some(last) if order(last) > order(&finding) => {
                let is_before = |other: &Finding| order(other) <= order(&finding);
                let at = self.findings.partition_point(is_before);
                self.findings.insert(at, finding);
            }
            _ => self.findings.push(finding),
        }
        if self.findings.len() > self.max_findings {
            self.findings.pop();
            self.truncated += 1;
        }
    }

    pub(super) fn finish(self, format: Format, coverage: Coverage) -> Classified {
        Classified {
            label: self.label.finish(&self.rules, coverage),
            findings: self.findings,
            truncated: self.truncated,
            format,
        }
    }
}

/// For views whose offsets are those of the payload.
impl Sink for Collector {
    fn take(&mut self, found: Found<'_>) {
        let (span, chars) = (found.span, found.chars);
        self.take_at(found, span, chars);
    }

    fn is_counted_alone(&self, found: &Found<'_>) -> bool {
        self.is_full_for(found, found.span)
    }

    fn wants_context_hash(&self) -> bool {
        self.wants_context_hash
    }
}

/// HMAC-SHA-256 of the category's id and the normalised value, cut to 128 bits.
fn fingerprint(key: &Hmac<Sha256>, category: &str, normal: &[u8]) -> Fingerprint {
    let mut mac = key.clone();
    mac.update(category.as_bytes());
    mac.update(&[0]);
    mac.update(normal);
    let full = mac.finalize().into_bytes();
    let mut cut = [0; 16];
    cut.iter_mut().zip(full).for_each(|(to, from)| *to = from);
    Fingerprint(cut)
}

/// The value with each letter and digit replaced by `*`: punctuation shows its shape, and nothing
/// else of it is kept.
fn mask(value: &[u8]) -> Box<str> {
    // Most values are short and of ASCII, where a byte is a character.
    let mut short = [0; MASK_CHARS];
    if let Some(mask) = short.get_mut(..value.len())
        && value.is_ascii()
    {
        mask.iter_mut().zip(value).for_each(|(to, byte)| *to = masked(char::from(*byte)) as u8);
        return std::str::from_utf8(mask).unwrap_or_default().into();
    }
    let head = value.get(..MASK_CHARS * 4).unwrap_or(value);
    let text = String::from_utf8_lossy(head);
    let mut mask: String = text.chars().take(MASK_CHARS).map(masked).collect();
    if text.chars().count() > MASK_CHARS || head.len() < value.len() {
        mask.push('…');
    }
    mask.into_boxed_str()
}

fn masked(c: char) -> char {
    if matches!(c, ' ' | '-' | '.' | '/' | '@' | ':' | '(' | ')' | '+') { c } else { '*' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_shows_shape_and_nothing_else() {
        assert_eq!(&*mask(b"078-05-1120"), "***-**-****");
        assert_eq!(&*mask("jörg@b.de".as_bytes()), "****@*.**");
        assert_eq!(mask(&[b'x'; 500]).chars().count(), MASK_CHARS + 1);
        assert_eq!(*mask(&[b'7'; MASK_CHARS]), *"*".repeat(MASK_CHARS));
        assert_eq!(mask(&[b'7'; MASK_CHARS + 1]).chars().last(), Some('…'));
        assert_eq!(&*mask(b"caf\xe9-\x00"), "****-*");
        assert!(!mask(b"a_b\n\x1b[1m").contains('\u{1b}'));
    }
}
