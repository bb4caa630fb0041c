//! Statements, approvals and grants: what counts, and what does not.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sluicegate::approve::{
    self, Approval, Authority, Denial, Grant, GrantRefusal, Held, Hex32, LIFETIME, Scope,
    SignatureError, Statement, StatementError, Terms,
};
use sluicegate::model::{
    Category, CategoryCount, CategoryIndex, Channel, Class, Coverage, Effect, Evidence, Finding,
    Label, Likelihood, Reason, RuleIndex, Sensitivity, Span, Unique,
};
use sluicegate::policy::{
    Approver, Binding, Carrier, Decision, Destination, Flow, Identity, Parts, Policy, Refusal,
    Rule, Subject, Trust, When, Workflow, WorkflowOf, decide,
};
use sluicegate::record::EscalationId;
use sluicegate::rules::Taxonomy;
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

pub const EMAIL: CategoryIndex = CategoryIndex(0);
pub const PAN: CategoryIndex = CategoryIndex(1);
pub const MRN: CategoryIndex = CategoryIndex(2);

/// When flows are escalated here, in seconds since 1970.
pub const NOW: u64 = 1_800_000_000;

pub fn taxonomy() -> Taxonomy {
    let category = |id: &str, class| Category {
        id: id.to_owned(),
        title: id.to_owned(),
        class,
        sensitivity: Sensitivity::Restricted,
        regulated: true,
        laws: Vec::new(),
    };
    Taxonomy::new(vec![
        category("pii.email", Class::Pii),
        category("pci.pan", Class::Pci),
        category("phi.mrn", Class::Phi),
    ])
}

/// The key of a person, always the same.
pub fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

pub fn approver(id: &str, seed: u8, uid: u32, categories: &[CategoryIndex]) -> Approver {
    Approver {
        id: id.to_owned(),
        key: key(seed).public_key().to_openssh().expect("it can be written"),
        uid: Some(uid),
        categories: categories.iter().copied().collect(),
        opaque: false,
    }
}

/// Workflow `letters` needs one of three approvals, `ledgers` two; `other` is named by neither.
/// `requester` is registered with the user that asks in these tests, `executor` with the one that
/// carries out, and `again` is a second name of `anna`'s user.
pub fn parts() -> Parts {
    let texts = |texts: &[&str]| -> BTreeSet<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    };
    let destination = |id: &str| Destination {
        id: id.to_owned(),
        title: String::new(),
        matchers: Vec::new(),
        trust: Trust::Internal,
        approved: [EMAIL].into_iter().collect(),
        opaque: None,
        release: None,
        of_repository: false,
    };
    let named = texts(&["anna", "bert", "carl", "requester", "executor", "again", "samekey"]);
    let workflow = |id: &str, approvals| Workflow {
        id: id.to_owned(),
        title: String::new(),
        owner: "dora".to_owned(),
        binding: Binding { anyone: true, ..Binding::default() },
        purposes: texts(&["treatment"]),
        approved: [EMAIL].into_iter().collect(),
        destinations: texts(&["archive", "clinic"]),
        approvers: named.clone(),
        approvals,
        separation: false,
        grants: Default::default(),
        escalation: None,
        monitoring: None,
        evidence: BTreeSet::new(),
        opaque: None,
    };
    Parts {
        destinations: vec![destination("archive"), destination("clinic")],
        workflows: vec![workflow("letters", 1), workflow("ledgers", 2)],
        approvers: vec![
            Approver { opaque: true, ..approver("anna", 1, 2001, &[EMAIL, PAN]) },
            approver("bert", 2, 2002, &[EMAIL, PAN]),
            approver("carl", 3, 2003, &[EMAIL]),
            approver("requester", 4, 1000, &[EMAIL, PAN]),
            approver("executor", 5, 1500, &[EMAIL, PAN]),
            approver("again", 6, 2001, &[EMAIL, PAN]),
            // Another user, and the key of who asks.
            approver("samekey", 4, 2004, &[EMAIL, PAN]),
            approver("other", 7, 2005, &[EMAIL, PAN]),
        ],
        ..Parts::default()
    }
}

pub fn policy() -> Policy {
    Policy::compile(parts(), &taxonomy(), [7; 32]).expect("the parts are sound")
}

pub fn label(categories: &[(CategoryIndex, u64)], reasons: &[Reason]) -> Label {
    let count = |count| CategoryCount {
        count,
        unique: Unique::Exact(1),
        max_likelihood: Likelihood::new(90),
    };
    Label {
        categories: categories.iter().map(|(index, it)| (*index, count(*it))).collect(),
        possible: BTreeMap::new(),
        sensitivity: Sensitivity::Restricted,
        coverage: Coverage { reasons: reasons.iter().copied().collect() },
        lineage: BTreeSet::new(),
    }
}

pub fn flow() -> Flow {
    Flow {
        channel: Channel::ToolInput,
        workflow: WorkflowOf::Registered(0),
        identity: Identity::Bound,
        destination: Some(0),
        purpose: Some(0),
        purpose_listed: true,
        missing: Vec::new(),
        carrier: Carrier::Rewritable,
        destination_name: "archive".to_owned(),
        address: "https://archive.example".to_owned(),
        purpose_name: "treatment".to_owned(),
        executor: "uid:1500 unit:mailer.service".to_owned(),
        payload: [9; 32],
        bytes: 4000,
    }
}

/// What is held of a flow with PANs.
pub fn statement_of(policy: &Policy, label: &Label, flow: &Flow, terms: Terms) -> Statement {
    try_statement(policy, label, flow, terms).expect("it was escalated")
}

fn try_statement(
    policy: &Policy,
    label: &Label,
    flow: &Flow,
    terms: Terms,
) -> Result<Statement, StatementError> {
    let decision = decide(policy, label, flow, &[], NOW);
    let taxonomy = taxonomy();
    let held = Held {
        policy,
        taxonomy: &taxonomy,
        flow,
        label,
        findings: &[],
        decision: &decision,
        requester: 1000,
        destination: ("https", "archive.example"),
    };
    Statement::of(held, terms, EscalationId::new([5; 16]), NOW)
}

pub fn statement() -> Statement {
    statement_of(&policy(), &label(&[(PAN, 3), (EMAIL, 1)], &[]), &flow(), Terms::default())
}

pub fn bytes_of(statement: &Statement) -> Vec<u8> {
    statement.to_bytes().expect("it is short")
}

pub fn approval(id: &str, seed: u8, bytes: &[u8], time: u64) -> Approval {
    let signature = approve::sign(&key(seed), approve::GRANT_NAMESPACE, bytes).expect("it signs");
    Approval { approver: id.to_owned(), time, signature }
}

fn grant(bytes: &[u8], approvals: &[Approval], now: u64) -> Result<Grant, GrantRefusal> {
    let (policy, taxonomy) = (policy(), taxonomy());
    Grant::verify(bytes, approvals, Authority { policy: &policy, taxonomy: &taxonomy }, now)
}

fn decision(grant: &Grant, label: &Label, flow: &Flow, now: u64) -> Decision {
    decide(&policy(), label, flow, &[grant.facts(&taxonomy())], now)
}

#[test]
fn an_approved_payload_passes_to_its_destination_in_its_time() {
    let bytes = bytes_of(&statement());
    let grant = grant(&bytes, &[approval("anna", 1, &bytes, NOW + 60)], NOW + 61).expect("enough");
    assert_eq!(grant.approvers(), ["anna"]);
    assert_eq!((grant.not_before(), grant.expires()), (NOW + 60, NOW + 60 + LIFETIME));
    let held = label(&[(PAN, 3), (EMAIL, 1)], &[]);
    let allowed = decision(&grant, &held, &flow(), NOW + 61);
    assert_eq!((allowed.effect, &allowed.grants[..]), (Effect::Allow, &[0][..]));

    let refused = |label: &Label, flow: &Flow, now| {
        let decision = decision(&grant, label, flow, now);
        assert_eq!(decision.effect, Effect::Escalate);
        assert!(decision.grants.is_empty());
        decision.refusals[0].1
    };
    let with = |change: &dyn Fn(&mut Flow)| {
        let mut flow = flow();
        change(&mut flow);
        refused(&held, &flow, NOW + 61)
    };
    assert_eq!(refused(&held, &flow(), NOW + 59), Refusal::NotYet);
    assert_eq!(refused(&held, &flow(), NOW + 60 + LIFETIME), Refusal::Expired);
    assert_eq!(with(&|flow| flow.payload = [8; 32]), Refusal::Payload);
    assert_eq!(with(&|flow| flow.bytes += 1), Refusal::Size);
    assert_eq!(with(&|flow| flow.executor = "uid:1500".to_owned()), Refusal::Executor);
    assert_eq!(with(&|flow| flow.channel = Channel::Export), Refusal::Channel);
    assert_eq!(with(&|flow| flow.workflow = WorkflowOf::Registered(1)), Refusal::Workflow);
    let to_clinic = |flow: &mut Flow| {
        (flow.destination, flow.destination_name) = (Some(1), "clinic".to_owned());
    };
    assert_eq!(with(&to_clinic), Refusal::Destination);
    let otherwise = |flow: &mut Flow| {
        (flow.purpose, flow.purpose_listed, flow.purpose_name) = (None, false, "ads".to_owned());
    };
    assert_eq!(with(&otherwise), Refusal::Purpose);
    let wider = label(&[(PAN, 3), (MRN, 1)], &[]);
    assert_eq!(refused(&wider, &flow(), NOW + 61), Refusal::NotCovered);
    let partial = label(&[(PAN, 3)], &[Reason::Opaque]);
    assert_eq!(refused(&partial, &flow(), NOW + 61), Refusal::NotCovered);
}

#[test]
fn a_statement_says_what_was_escalated() {
    let stated = statement();
    assert_eq!(stated.categories, BTreeMap::from([("pci.pan".to_owned(), 3)]));
    assert_eq!(stated.other_categories, BTreeMap::from([("pii.email".to_owned(), 1)]));
    assert_eq!(stated.rules, ["default.regulated-internal"]);
    assert!(stated.reason.starts_with("Held for a person to approve: "), "{}", stated.reason);
    assert_eq!((stated.scheme.as_str(), stated.host.as_str()), ("https", "archive.example"));
    assert_eq!((stated.requester, stated.executor_uid()), (1000, Some(1500)));
    assert_eq!(stated.expires - stated.created, 24 * 3600);

    // Who lets an unlisted purpose pass answers for all regulated data of the flow.
    let unlisted = Flow { purpose: None, purpose_listed: false, ..flow() };
    let unlisted = statement_of(&policy(), &label(&[(EMAIL, 1)], &[]), &unlisted, Terms::default());
    assert!(unlisted.unlisted_purpose);
    assert_eq!(unlisted.categories.len(), 1);

    let nothing = try_statement(&policy(), &label(&[], &[]), &flow(), Terms::default());
    assert_eq!(nothing, Err(StatementError::NotEscalated(Effect::Allow)));
    let opaque = label(&[], &[Reason::Opaque]);
    let bounded = Terms { scope: Scope::Bounded { uses: 2, bytes: 9 }, ..Terms::default() };
    let unbound = try_statement(&policy(), &opaque, &flow(), bounded);
    assert_eq!(unbound, Err(StatementError::UnboundCoverage));
    let zero = Terms { lifetime: 0, ..Terms::default() };
    let zero = try_statement(&policy(), &label(&[(PAN, 1)], &[]), &flow(), zero);
    assert_eq!(zero, Err(StatementError::Bounds("lifetime")));
    let turned = Flow { purpose_name: "a\u{202e}b".to_owned(), ..flow() };
    let turned = try_statement(&policy(), &label(&[(PAN, 1)], &[]), &turned, Terms::default());
    assert_eq!(turned, Err(StatementError::Text("purpose")));
}

#[test]
fn evidence_is_masks_of_what_counts() {
    let finding = |masked: &str, likelihood| Finding {
        rule: RuleIndex(0),
        category: PAN,
        span: Span { start: 0, end: 1 },
        chars: None,
        line: 1,
        column: 1,
        likelihood: Likelihood::new(likelihood),
        evidence: Evidence::default(),
        place: None,
        masked: masked.into(),
        fingerprint: None,
        context_hash: 0,
    };
    let of = |findings: &[Finding]| -> Vec<String> {
        let masks = approve::masks(&taxonomy(), findings);
        masks.into_iter().map(|it| it.masked).collect()
    };
    let repeated = [finding("**-*", 70), finding("**-*", 90), finding("*", 85), finding("+", 64)];
    assert_eq!(of(&repeated), ["**-*", "*"]);
    // Whatever a mask left readable, or would turn around on a screen.
    assert_eq!(of(&[finding("4a\u{202e}ß-١", 90)]), ["***-*"]);
    let many: Vec<Finding> = (1..40).map(|length| finding(&"*".repeat(length), 90)).collect();
    assert_eq!(of(&many).len(), 20);
}

#[test]
fn a_reason_is_one_line_of_bounded_length() {
    let rule = Rule {
        id: "cards.ask".to_owned(),
        when: When::any(Subject::Categories([PAN].into_iter().collect())),
        effect: Effect::Escalate,
        transform: None,
        reason: format!("Cards\n go\u{202e} nowhere {}", "on and on ".repeat(400)),
        shadow: false,
        of_repository: false,
    };
    let parts = Parts { rules: vec![rule], ..parts() };
    let policy = Policy::compile(parts, &taxonomy(), [7; 32]).expect("sound");
    let stated = statement_of(&policy, &label(&[(PAN, 1)], &[]), &flow(), Terms::default());
    assert!(stated.reason.contains("Cards go nowhere on"), "{}", stated.reason);
    assert!(stated.reason.chars().count() == 501 && stated.reason.ends_with('…'));
    assert_eq!(stated.rules, ["cards.ask"]);
}

#[test]
fn a_statement_has_one_form() {
    let stated = statement();
    let bytes = bytes_of(&stated);
    assert_eq!(Statement::parse(&bytes), Ok(stated));
    let text = String::from_utf8(bytes).expect("it is JSON");
    for (other, fault) in [
        (text.replace(":1,", ": 1,"), "space"),
        (format!("{text}\n"), "line end"),
        (text.replace("{\"pci.pan\":3}", "{\"pci.pan\":3,\"pci.pan\":3}"), "repeated key"),
        (text.replace("archive.example", "archive\\u002eexample"), "escape"),
    ] {
        assert_ne!(other, text, "{fault}");
        assert_eq!(
            Statement::parse(other.as_bytes()),
            Err(StatementError::NotCanonical),
            "{fault}"
        );
    }
    let extra = text.replacen('{', "{\"also\":1,", 1);
    assert!(matches!(Statement::parse(extra.as_bytes()), Err(StatementError::Malformed(1, _))));
    let version = text.replacen("\"v\":1", "\"v\":2", 1);
    assert_eq!(Statement::parse(version.as_bytes()), Err(StatementError::Bounds("v")));
    let shown =
        text.replace("\"evidence\":[]", "\"evidence\":[{\"category\":\"c\",\"masked\":\"4\"}]");
    assert_eq!(Statement::parse(shown.as_bytes()), Err(StatementError::Bounds("evidence")));
    let root = text.replace("uid:1500 unit", "unit");
    assert_eq!(Statement::parse(root.as_bytes()), Err(StatementError::Bounds("executor")));
    let large = vec![b' '; approve::MAX_STATEMENT + 1];
    assert_eq!(Statement::parse(&large), Err(StatementError::TooLarge));
}

#[test]
fn approvals_that_do_not_count_say_why() {
    let stated = statement();
    let bytes = bytes_of(&stated);
    let refusal = |id: &str, seed| {
        grant(&bytes, &[approval(id, seed, &bytes, NOW)], NOW).expect_err("it does not count")
    };
    let name = |id: &str| id.to_owned();
    assert_eq!(refusal("nobody", 1), GrantRefusal::Unregistered(name("nobody")));
    let other_key = GrantRefusal::Signature(name("anna"), SignatureError::OtherKey);
    assert_eq!(refusal("anna", 2), other_key);
    assert_eq!(refusal("other", 7), GrantRefusal::NotNamed(name("other")));
    assert_eq!(refusal("carl", 3), GrantRefusal::Category(name("carl"), name("pci.pan")));
    assert_eq!(refusal("requester", 4), GrantRefusal::Requester(name("requester")));
    assert_eq!(refusal("samekey", 4), GrantRefusal::Requester(name("samekey")));
    assert_eq!(refusal("executor", 5), GrantRefusal::Executor(name("executor")));

    // A statement that was altered after it was signed, in whichever way.
    let wrong = GrantRefusal::Signature(name("anna"), SignatureError::Wrong);
    let signed = approval("anna", 1, &bytes, NOW);
    let alter = |change: &dyn Fn(&mut Statement)| {
        let mut altered = stated.clone();
        change(&mut altered);
        grant(&bytes_of(&altered), std::slice::from_ref(&signed), NOW)
    };
    assert!(alter(&|_| {}).is_ok());
    let widen = |it: &mut Statement| {
        it.categories.insert("pii.email".to_owned(), 1);
    };
    assert_eq!(alter(&widen), Err(wrong.clone()));
    assert_eq!(alter(&|it| it.destination = "clinic".to_owned()), Err(wrong.clone()));
    assert_eq!(alter(&|it| it.lifetime += 1), Err(wrong.clone()));
    assert_eq!(alter(&|it| it.payload_mac = Hex32([1; 32])), Err(wrong.clone()));
    let bounded = |it: &mut Statement| it.scope = Scope::Bounded { uses: 9, bytes: 9 };
    assert_eq!(alter(&bounded), Err(wrong));
    assert_eq!(alter(&|it| it.policy = Hex32([1; 32])), Err(GrantRefusal::Policy));
    let other_workflow = |it: &mut Statement| it.workflow = "gone".to_owned();
    assert_eq!(alter(&other_workflow), Err(GrantRefusal::Workflow(name("gone"))));

    // A signature for something else.
    let denial = approve::sign(&key(1), approve::DENIAL_NAMESPACE, &bytes).expect("it signs");
    let denial = Approval { signature: denial, ..signed.clone() };
    let namespace = SignatureError::Namespace(approve::GRANT_NAMESPACE);
    let refused = grant(&bytes, &[denial], NOW);
    assert_eq!(refused, Err(GrantRefusal::Signature(name("anna"), namespace)));
    let broken = Approval { signature: "x".repeat(approve::MAX_SIGNATURE + 1), ..signed.clone() };
    let refused = grant(&bytes, &[broken], NOW);
    assert_eq!(refused, Err(GrantRefusal::Signature(name("anna"), SignatureError::Malformed)));

    // Out of its time.
    let at = |time, now| grant(&bytes, &[Approval { time, ..signed.clone() }], now).map(drop);
    assert_eq!(at(NOW - 1, NOW), Err(GrantRefusal::NotYet));
    assert_eq!(at(NOW, NOW - 1), Err(GrantRefusal::NotYet));
    assert_eq!(at(NOW + 10, NOW + 9), Err(GrantRefusal::NotYet));
    assert_eq!(at(NOW, NOW + LIFETIME), Err(GrantRefusal::Expired));
    assert_eq!(at(stated.expires, stated.expires), Err(GrantRefusal::Expired));
    assert_eq!(at(stated.expires - 1, stated.expires), Ok(()));
    let waiting = GrantRefusal::Waiting { have: 0, need: 1 };
    assert_eq!(grant(&bytes, &[], NOW), Err(waiting));
    assert_eq!(grant(&bytes, &[], stated.expires), Err(GrantRefusal::Expired));
    let many = vec![signed; 65];
    assert_eq!(grant(&bytes, &many, NOW), Err(GrantRefusal::TooMany));
}

#[test]
fn opaque_payloads_need_an_approver_of_them() {
    let opaque = label(&[], &[Reason::Opaque]);
    let stated = statement_of(&policy(), &opaque, &flow(), Terms::default());
    let bytes = bytes_of(&stated);
    let refused = grant(&bytes, &[approval("bert", 2, &bytes, NOW)], NOW);
    assert_eq!(refused, Err(GrantRefusal::Coverage("bert".to_owned())));
    let grant = grant(&bytes, &[approval("anna", 1, &bytes, NOW)], NOW).expect("she may");
    assert_eq!(decision(&grant, &opaque, &flow(), NOW).effect, Effect::Allow);
    let changed = Flow { payload: [1; 32], ..flow() };
    assert_eq!(decision(&grant, &opaque, &changed, NOW).effect, Effect::Escalate);
}

#[test]
fn several_people_have_to_approve_the_same() {
    let ledgers = Flow { workflow: WorkflowOf::Registered(1), ..flow() };
    let stated = statement_of(&policy(), &label(&[(PAN, 1)], &[]), &ledgers, Terms::default());
    let bytes = bytes_of(&stated);
    let (anna, bert) = (approval("anna", 1, &bytes, NOW), approval("bert", 2, &bytes, NOW + 100));
    let waiting = GrantRefusal::Waiting { have: 1, need: 2 };
    assert_eq!(grant(&bytes, std::slice::from_ref(&anna), NOW), Err(waiting));
    let both = grant(&bytes, &[bert.clone(), anna.clone()], NOW + 100).expect("both");
    assert_eq!((both.not_before(), both.expires()), (NOW + 100, NOW + 100 + LIFETIME));
    let duplicate = |id: &str| Err(GrantRefusal::Duplicate(id.to_owned()));
    assert_eq!(grant(&bytes, &[anna.clone(), anna.clone()], NOW), duplicate("anna"));
    let again = approval("again", 6, &bytes, NOW);
    assert_eq!(grant(&bytes, &[anna.clone(), again], NOW), duplicate("again"));
    // The other signs something wider.
    let mut wider = stated.clone();
    wider.categories.insert("pii.email".to_owned(), 1);
    let wider = approval("bert", 2, &bytes_of(&wider), NOW);
    let wrong = GrantRefusal::Signature("bert".to_owned(), SignatureError::Wrong);
    assert_eq!(grant(&bytes, &[anna, wider], NOW), Err(wrong));
}

#[test]
fn one_approver_can_end_it() {
    let (policy, taxonomy) = (policy(), taxonomy());
    let authority = Authority { policy: &policy, taxonomy: &taxonomy };
    let stated = statement();
    let bytes = bytes_of(&stated);
    let denial = Denial {
        id: stated.id,
        statement: Statement::digest(&bytes),
        approver: "carl".to_owned(),
        reason: "not to the archive".to_owned(),
    };
    let signed = |denial: &Denial, seed, namespace| {
        let json = denial.to_bytes().expect("it is JSON");
        let signature = approve::sign(&key(seed), namespace, &json).expect("it signs");
        authority.check_denial(&bytes, &json, signature.as_bytes())
    };
    // Also one who may not approve these categories.
    assert_eq!(signed(&denial, 3, approve::DENIAL_NAMESPACE), Ok(denial.clone()));
    let refused = |error| Err(GrantRefusal::Signature("carl".to_owned(), error));
    assert_eq!(signed(&denial, 1, approve::DENIAL_NAMESPACE), refused(SignatureError::OtherKey));
    let namespace = SignatureError::Namespace(approve::DENIAL_NAMESPACE);
    assert_eq!(signed(&denial, 3, approve::GRANT_NAMESPACE), refused(namespace));
    let other = Denial { approver: "other".to_owned(), ..denial.clone() };
    let named = GrantRefusal::NotNamed("other".to_owned());
    assert_eq!(signed(&other, 7, approve::DENIAL_NAMESPACE), Err(named));
    for wrong in [
        Denial { id: EscalationId::new([6; 16]), ..denial.clone() },
        Denial { statement: Hex32([0; 32]), ..denial.clone() },
        Denial { reason: "x".repeat(1001), ..denial.clone() },
        Denial { reason: "\u{1b}[2J".to_owned(), ..denial.clone() },
    ] {
        let refused = signed(&wrong, 3, approve::DENIAL_NAMESPACE);
        assert_eq!(refused, Err(GrantRefusal::Denial));
    }
}

fn some_label() -> impl Strategy<Value = Label> {
    let reasons = [Reason::Opaque, Reason::Limit, Reason::Error];
    let categories = proptest::collection::btree_map(0u16..3, 1u64..5, 0..3);
    let lineage = proptest::collection::btree_set(0u16..3, 0..2);
    let reasons = proptest::sample::subsequence(reasons.to_vec(), 0..2);
    (categories, lineage, reasons).prop_map(|(categories, lineage, reasons)| {
        let categories: Vec<_> =
            categories.into_iter().map(|(index, count)| (CategoryIndex(index), count)).collect();
        let lineage = lineage.into_iter().map(CategoryIndex).collect();
        Label { lineage, ..label(&categories, &reasons) }
    })
}

fn some_flow() -> impl Strategy<Value = Flow> {
    let place =
        prop_oneof![Just((Some(0), "archive")), Just((Some(1), "clinic")), Just((None, "x"))];
    let purpose = prop_oneof![Just((Some(0), "treatment")), Just((None, "ads"))];
    let carrier = prop_oneof![Just(Carrier::Rewritable), Just(Carrier::Fixed)];
    (place, purpose, carrier, 0u8..2, 1u64..4, 0u32..2).prop_map(
        |(place, purpose, carrier, payload, bytes, executor)| Flow {
            destination: place.0,
            destination_name: place.1.to_owned(),
            purpose: purpose.0,
            purpose_listed: purpose.0.is_some(),
            purpose_name: purpose.1.to_owned(),
            carrier,
            payload: [payload; 32],
            bytes: bytes * 1000,
            executor: format!("uid:{}", 1500 + executor),
            ..flow()
        },
    )
}

proptest! {
    /// Whatever flow a grant lets pass is the one of its statement, and holds no more than it.
    #[test]
    fn a_grant_never_covers_more_than_its_statement(
        asked in (some_label(), some_flow()),
        presented in (some_label(), some_flow()),
        same in any::<bool>(),
        bounded in proptest::option::of(1u64..4),
        delay in 0u64..2000,
    ) {
        let everybody = Parts {
            approvers: vec![Approver {
                opaque: true,
                ..approver("anna", 1, 2001, &[EMAIL, PAN, MRN])
            }],
            workflows: parts().workflows.into_iter().map(|workflow| Workflow {
                approvers: BTreeSet::from(["anna".to_owned()]),
                approvals: 1,
 separation: false,
 grants: Default::default(),
                ..workflow
            }).collect(),
            ..parts()
        };
        let taxonomy = taxonomy();
        let policy = Policy::compile(everybody, &taxonomy, [7; 32]).expect("sound");
        let scope = bounded.map_or(Scope::Payload, |bytes| Scope::Bounded { uses: 3, bytes: bytes * 1000 });
        let terms = Terms { scope, ..Terms::default() };
        let Ok(stated) = try_statement(&policy, &asked.0, &asked.1, terms) else { return Ok(()) };
        let bytes = bytes_of(&stated);
        let again = Statement::parse(&bytes);
        prop_assert_eq!(again.as_ref(), Ok(&stated));
        let approvals = [approval("anna", 1, &bytes, NOW)];
        let authority = Authority { policy: &policy, taxonomy: &taxonomy };
        let grant = Grant::verify(&bytes, &approvals, authority, NOW).expect("she may");
        let (label, flow) = if same { asked } else { presented };
        let before = decide(&policy, &label, &flow, &[], NOW + delay);
        let after = decide(&policy, &label, &flow, &[grant.facts(&taxonomy)], NOW + delay);
        if after.grants.is_empty() {
            // Without this the property would hold of grants that let nothing pass.
            prop_assert!(!same || bounded.is_some() || delay >= LIFETIME);
            prop_assert_eq!(before.effect, after.effect);
            return Ok(());
        }
        prop_assert_eq!(before.effect, Effect::Escalate);
        prop_assert!(delay < LIFETIME);
        prop_assert_eq!(&stated.destination, &flow.destination_name);
        prop_assert_eq!(&stated.purpose, &flow.purpose_name);
        prop_assert_eq!(&stated.executor, &flow.executor);
        prop_assert!(flow.bytes <= stated.most_bytes());
        prop_assert!(bounded.is_some() || stated.payload_mac == Hex32(flow.payload));
        let escalated = before.items.iter().filter(|item| item.effect == Effect::Escalate);
        for item in escalated {
            match item.item {
                sluicegate::policy::Item::Category(index)
                | sluicegate::policy::Item::Lineage(index) => {
                    let id = &taxonomy.get(index).expect("known").id;
                    prop_assert!(stated.categories.contains_key(id) || stated.lineage.contains(id));
                }
                sluicegate::policy::Item::Coverage(reason) => {
                    prop_assert!(stated.coverage.contains(&reason));
                    prop_assert_eq!(stated.payload_mac, Hex32(flow.payload));
                }
                sluicegate::policy::Item::Flow => prop_assert!(stated.unlisted_purpose),
            }
        }
    }

    /// Whatever text is given as a statement, denial or signature: an answer, and no panic.
    #[test]
    fn hostile_texts_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Statement::parse(&bytes).is_err());
        prop_assert!(approve::signer(&bytes).is_err());
        let pem = format!(
            "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n",
            data_encoding::BASE64.encode(&bytes)
        );
        prop_assert!(approve::signer(pem.as_bytes()).is_err());
    }

    /// A signature with any byte changed does not count.
    #[test]
    fn a_changed_signature_does_not_count(at in 0usize..400, bit in 0u8..8) {
        let bytes = b"what is signed";
        let armored = approve::sign(&key(1), approve::GRANT_NAMESPACE, bytes).expect("it signs");
        let body: String = armored.lines().filter(|line| !line.starts_with('-')).collect();
        let mut raw = data_encoding::BASE64.decode(body.as_bytes()).expect("it is base64");
        let at = at % raw.len();
        raw[at] ^= 1 << bit;
        let pem = format!(
            "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n",
            data_encoding::BASE64.encode(&raw)
        );
        let registered = key(1).public_key().key_data().clone();
        let refused =
            approve::verify(pem.as_bytes(), approve::GRANT_NAMESPACE, bytes, &registered);
        prop_assert!(refused.is_err());
    }
}
