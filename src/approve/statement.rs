//! What was escalated: the text that approvers see and sign.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::{Band, CategoryIndex, Channel, Effect, Finding, Label, Likelihood, Reason};
use crate::policy::{CategorySet, Decision, Determinant, Flow, Item, MAX_CATEGORIES, Policy};
use crate::record::EscalationId;
use crate::rules::Taxonomy;

/// The most bytes of a statement: 64 KiB.
pub const MAX_STATEMENT: usize = 64 * 1024;

/// Seconds that an escalation waits unless stated: a day.
pub const PENDING: u64 = 24 * 3600;

/// Seconds that a grant is valid unless stated: 15 minutes.
pub const LIFETIME: u64 = 15 * 60;

/// The longest that an escalation may wait, in seconds: 30 days.
const MAX_PENDING: u64 = 30 * 24 * 3600;

/// The longest that a grant may be valid, in seconds: 7 days.
const MAX_LIFETIME: u64 = 7 * 24 * 3600;

/// The most uses of a bounded grant.
const MAX_USES: u32 = 1_000_000;

/// The most masks in a statement.
const MAX_MASKS: usize = 20;

/// The most bytes of one text.
const MAX_TEXT: usize = 2048;

/// The most characters of the reason.
const MAX_REASON: usize = 500;

/// The version of the form.
const VERSION: u32 = 1;

/// What approvers sign. It has one byte form, [`Statement::to_bytes`], which is signed and stored
/// as it is; [`Statement::parse`] takes no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Version of the form: 1.
    pub v: u32,
    /// Id of the escalation and of the grant that may come of it.
    pub id: EscalationId,
    /// MAC of the payload.
    pub payload_mac: Hex32,
    /// Bytes of the payload.
    pub bytes: u64,
    /// The way that the payload moves.
    pub channel: Channel,
    /// The identity that presents the payload, as [`crate::model::Attested::executor`] gives it.
    pub executor: String,
    /// Attested user id of who asked.
    pub requester: u32,
    /// Id of the workflow; empty for a flow of none.
    pub workflow: String,
    /// Id of the destination, or the name of one that is not registered.
    pub destination: String,
    /// Scheme of the destination; empty where it has none.
    pub scheme: String,
    /// Host of the destination; empty where it has none.
    pub host: String,
    /// The purpose; empty where the flow named none.
    pub purpose: String,
    /// Whether the purpose is one that the workflow does not list, which approvers let pass.
    pub unlisted_purpose: bool,
    /// Ids of the categories that approvers let pass, with the number of findings.
    pub categories: BTreeMap<String, u64>,
    /// Ids of the categories from earlier steps that approvers let pass.
    pub lineage: BTreeSet<String>,
    /// What else the payload holds: nobody has to approve it.
    pub other_categories: BTreeMap<String, u64>,
    /// Why the payload was not wholly inspected, which approvers let pass.
    pub coverage: BTreeSet<Reason>,
    /// SHA-256 of the policy that the flow was decided under.
    pub policy: Hex32,
    /// Ids of what decided.
    pub rules: Vec<String>,
    /// Why, in a sentence.
    pub reason: String,
    /// Masks of some findings.
    pub evidence: Vec<Masked>,
    /// What a grant is for.
    pub scope: Scope,
    /// When the escalation was made, in seconds since 1970.
    pub created: u64,
    /// Until when it can be approved, in seconds since 1970; then it is block.
    pub expires: u64,
    /// Seconds that a grant is valid from the last approval on.
    pub lifetime: u64,
}

/// What a grant is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scope {
    /// The one payload of the statement, one time.
    Payload,
    /// Any payload of the same flow within these bounds.
    Bounded {
        /// The most payloads.
        uses: u32,
        /// The most bytes of all of them together.
        bytes: u64,
    },
}

/// The mask of a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Masked {
    /// Id of its category.
    pub category: String,
    /// The value with each letter and digit replaced by `*`.
    pub masked: String,
}

/// 32 bytes, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Hex32(pub [u8; 32]);

/// What a grant that is asked for may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Seconds that the escalation waits, 1 to 30 days' worth.
    pub pending: u64,
    /// Seconds that a grant is valid, 1 to 7 days' worth.
    pub lifetime: u64,
    /// What it is for.
    pub scope: Scope,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { pending: PENDING, lifetime: LIFETIME, scope: Scope::Payload }
    }
}

/// A flow that was held.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// What is in force.
    pub policy: &'a Policy,
    /// What categories there are.
    pub taxonomy: &'a Taxonomy,
    /// The flow, MAC and length filled in. Names in it that nobody registered were cleaned of
    /// regulated data before it was decided, for they are stored.
    pub flow: &'a Flow,
    /// What the payload holds.
    pub label: &'a Label,
    /// The findings; their masks are shown to approvers.
    pub findings: &'a [Finding],
    /// The decision: escalate.
    pub decision: &'a Decision,
    /// Attested user id of who asked.
    pub requester: u32,
    /// Scheme and host of the destination, as [`crate::policy::describe`] gives them, cleaned as
    /// the flow is.
    pub destination: (&'a str, &'a str),
}

/// Why there is no statement. Each of these means block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The flow was not escalated.
    #[error("only a flow that is escalated can be approved, and this one is `{}`", .0.as_str())]
    NotEscalated(Effect),
    /// The taxonomy does not know a category.
    #[error("a category of the payload is not in the taxonomy")]
    UnknownCategory,
    /// A text with control or invisible characters, or a longer one than a statement may have.
    #[error("`{0}` has control or invisible characters, or more than {MAX_TEXT} bytes")]
    Text(&'static str),
    /// A number, or a number of entries, that a statement cannot have.
    #[error("`{0}` of the statement is out of bounds")]
    Bounds(&'static str),
    /// A payload that was not wholly inspected, and a scope of more than this payload.
    #[error("what was not wholly inspected can be approved for one payload only")]
    UnboundCoverage,
    /// More bytes than [`MAX_STATEMENT`].
    #[error("a statement has at most {MAX_STATEMENT} bytes")]
    TooLarge,
    /// No JSON of the known fields.
    #[error("the statement is no JSON object of the known fields (line {0}, column {1})")]
    Malformed(usize, usize),
    /// JSON in another form than the one that is signed.
    #[error("the statement is not in the form that is signed")]
    NotCanonical,
}

impl Statement {
    /// States a flow that was escalated.
    ///
    /// # Errors
    ///
    /// The flow was not escalated, or holds what cannot be stated.
    pub fn of(
        held: Held<'_>,
        terms: Terms,
        id: EscalationId,
        now: u64,
    ) -> Result<Statement, StatementError> {
        let Held { policy, taxonomy, flow, label, decision, .. } = held;
        if decision.effect != Effect::Escalate {
            return Err(StatementError::NotEscalated(decision.effect));
        }
        let asked = Asked::of(policy, label, decision);
        let name = |index: CategoryIndex| {
            let category = taxonomy.get(index).ok_or(StatementError::UnknownCategory)?;
            Ok::<String, StatementError>(category.id.clone())
        };
        let count = |index: CategoryIndex| {
            let likely = label.categories.get(&index).map(|found| found.count);
            likely.or_else(|| label.possible.get(&index).copied()).unwrap_or(0)
        };
        let counted = |set: &CategorySet| {
            set.iter().map(|index| Ok((name(index)?, count(index)))).collect::<Result<_, _>>()
        };
        let others = label.categories.keys().filter(|index| !asked.categories.contains(**index));
        let determining = decision.determining();
        let statement = Statement {
            v: VERSION,
            id,
            payload_mac: Hex32(flow.payload),
            bytes: flow.bytes,
            channel: flow.channel,
            executor: flow.executor.clone(),
            requester: held.requester,
            workflow: policy.workflow_of(flow).map_or_else(String::new, |it| it.id.clone()),
            destination: flow.destination_name.clone(),
            scheme: held.destination.0.to_owned(),
            host: held.destination.1.to_owned(),
            purpose: flow.purpose_name.clone(),
            unlisted_purpose: asked.purpose,
            categories: counted(&asked.categories)?,
            lineage: asked.lineage.iter().map(name).collect::<Result<_, _>>()?,
            other_categories: counted(&others.copied().collect())?,
            coverage: asked.coverage,
            policy: Hex32(policy.digest()),
            rules: determining.iter().map(|item| item.from.id(policy).to_owned()).collect(),
            reason: one_line(&policy.sentence(decision, flow, taxonomy)),
            evidence: masks(taxonomy, held.findings),
            scope: terms.scope,
            created: now,
            expires: now.saturating_add(terms.pending),
            lifetime: terms.lifetime,
        };
        statement.check()?;
        Ok(statement)
    }

    /// The one byte form: JSON without white space, fields in the order of this type.
    ///
    /// # Errors
    ///
    /// It would be larger than [`MAX_STATEMENT`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, StatementError> {
        let bytes = serde_json::to_vec(self).map_err(|_| StatementError::Malformed(0, 0))?;
        if bytes.len() > MAX_STATEMENT {
            return Err(StatementError::TooLarge);
        }
        Ok(bytes)
    }

    /// Reads a statement in its one form and checks it.
    ///
    /// # Errors
    ///
    /// See [`StatementError`].
    pub fn parse(bytes: &[u8]) -> Result<Statement, StatementError> {
        if bytes.len() > MAX_STATEMENT {
            return Err(StatementError::TooLarge);
        }
        let statement: Statement = serde_json::from_slice(bytes)
            .map_err(|error| StatementError::Malformed(error.line(), error.column()))?;
        statement.check()?;
        if statement.to_bytes()? != bytes {
            return Err(StatementError::NotCanonical);
        }
        Ok(statement)
    }

    /// SHA-256 of a statement's bytes, which names it in records and on screens.
    pub fn digest(bytes: &[u8]) -> Hex32 {
        Hex32(Sha256::digest(bytes).into())
    }

    /// Attested user id in [`Statement::executor`]; none where it names none, which nobody can
    /// approve.
    pub fn executor_uid(&self) -> Option<u32> {
        self.executor.strip_prefix("uid:")?.split(' ').next()?.parse().ok()
    }

    /// The most uses of a grant.
    pub fn uses(&self) -> u32 {
        match self.scope {
            Scope::Payload => 1,
            Scope::Bounded { uses, .. } => uses,
        }
    }

    /// The most bytes of all uses of a grant together.
    pub fn most_bytes(&self) -> u64 {
        match self.scope {
            Scope::Payload => self.bytes,
            Scope::Bounded { bytes, .. } => bytes,
        }
    }

    fn check(&self) -> Result<(), StatementError> {
        let bounds = [
            ("v", self.v == VERSION),
            ("expires", (1..=MAX_PENDING).contains(&self.expires.saturating_sub(self.created))),
            ("lifetime", (1..=MAX_LIFETIME).contains(&self.lifetime)),
            ("scope", (1..=MAX_USES).contains(&self.uses())),
            ("evidence", self.evidence.len() <= MAX_MASKS),
            ("categories", self.categories.len() <= MAX_CATEGORIES),
            ("lineage", self.lineage.len() <= MAX_CATEGORIES),
            ("other_categories", self.other_categories.len() <= MAX_CATEGORIES),
            ("executor", self.executor_uid().is_some()),
        ];
        if let Some((name, _)) = bounds.iter().find(|(_, holds)| !holds) {
            return Err(StatementError::Bounds(name));
        }
        if !self.coverage.is_empty() && self.scope != Scope::Payload {
            return Err(StatementError::UnboundCoverage);
        }
        let single = [
            ("executor", &self.executor),
            ("workflow", &self.workflow),
            ("destination", &self.destination),
            ("scheme", &self.scheme),
            ("host", &self.host),
            ("purpose", &self.purpose),
            ("reason", &self.reason),
        ];
        let categories = self.categories.keys().chain(self.other_categories.keys());
        let categories = categories.chain(&self.lineage).map(|id| ("categories", id));
        let rules = self.rules.iter().map(|id| ("rules", id));
        let masks = self.evidence.iter().flat_map(|it| [&it.category, &it.masked]);
        let texts = single.into_iter().chain(categories).chain(rules);
        for (name, text) in texts.chain(masks.map(|text| ("evidence", text))) {
            if text.len() > MAX_TEXT || text.chars().any(is_unseen) {
                return Err(StatementError::Text(name));
            }
        }
        let shows = |mask: &Masked| mask.masked.chars().any(char::is_alphanumeric);
        if self.evidence.iter().any(shows) {
            return Err(StatementError::Bounds("evidence"));
        }
        Ok(())
    }
}

/// What approvers are asked to let pass.
#[derive(Default)]
struct Asked {
    categories: CategorySet,
    lineage: CategorySet,
    coverage: BTreeSet<Reason>,
    purpose: bool,
}

impl Asked {
    fn of(policy: &Policy, label: &Label, decision: &Decision) -> Asked {
        let mut asked = Asked::default();
        let regulated = |index: &&CategoryIndex| policy.regulated().contains(**index);
        for item in decision.items.iter().filter(|item| item.effect == Effect::Escalate) {
            match item.item {
                Item::Category(category) => asked.categories.insert(category),
                Item::Lineage(category) => asked.lineage.insert(category),
                Item::Coverage(reason) => {
                    asked.coverage.insert(reason);
                }
                // Who lets the flow pass as a whole answers for all regulated data in it.
                Item::Flow => {
                    asked.purpose |= item.from == Determinant::Purpose;
                    let found: CategorySet =
                        label.categories.keys().filter(regulated).copied().collect();
                    let inherited: CategorySet =
                        label.lineage.iter().filter(regulated).copied().collect();
                    asked.categories.join(&found);
                    asked.lineage.join(&inherited);
                }
            }
        }
        asked
    }
}

/// A sentence for people on one line, without characters that a screen does not show, and cut.
fn one_line(sentence: &str) -> String {
    let words = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = || words.chars().filter(|c| !is_unseen(*c));
    let cut: String = shown().take(MAX_REASON).collect();
    if shown().nth(MAX_REASON).is_some() { cut + "…" } else { cut }
}

/// Masks of the likeliest findings, at most 20, each mask of a category once. Findings of band
/// possible, which labels do not count, are left out.
pub fn masks(taxonomy: &Taxonomy, findings: &[Finding]) -> Vec<Masked> {
    let mut likeliest: BTreeMap<Masked, Likelihood> = BTreeMap::new();
    let counted = |finding: &&Finding| finding.likelihood.band() >= Band::Likely;
    for finding in findings.iter().filter(counted) {
        let Some(category) = taxonomy.get(finding.category) else { continue };
        // Masked again: nothing that a rule leaves readable is for approvers.
        let hidden = |c: char| if c.is_alphanumeric() { '*' } else { c };
        let masked = finding.masked.chars().filter(|c| !is_unseen(*c)).map(hidden).collect();
        let likelihood = likeliest
            .entry(Masked { category: category.id.clone(), masked })
            .or_insert(finding.likelihood);
        *likelihood = finding.likelihood.max(*likelihood);
    }
    let mut masks: Vec<(Masked, Likelihood)> = likeliest.into_iter().collect();
    masks.sort_by(|(left, one), (right, other)| other.cmp(one).then_with(|| left.cmp(right)));
    masks.into_iter().map(|(mask, _)| mask).take(MAX_MASKS).collect()
}

/// Characters that a screen does not show, or that change what it shows beside them.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

impl std::fmt::Display for Hex32 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl std::fmt::Debug for Hex32 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl From<Hex32> for String {
    fn from(hex: Hex32) -> String {
        hex.to_string()
    }
}

impl TryFrom<String> for Hex32 {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Hex32, &'static str> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Hex32).ok_or("not 64 lower-case hex digits")
    }
}
