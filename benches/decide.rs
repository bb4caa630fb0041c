//! What a decision costs, with no rule and with a thousand.
//!
//! The bar: under one microsecond with 1,000 rules. Measured is [`decide`] alone and with
//! [`Policy::resolve`] before it. Each bench checks the effect first: a benchmark that decides the
//! wrong thing is not fast.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench stops at the first thing that is not as it should be"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sluicegate::RuleSet;
use sluicegate::model::{
    Attested, CategoryCount, CategoryIndex, Channel, Claimed, Coverage, Effect, Executable,
    FlowHeader, KernelName, Label, Likelihood, Sensitivity, Unique,
};
use sluicegate::policy::{
    Binding, Carrier, Destination, Parts, Policy, Rule, Subject, Trust, When, Workflow, decide,
};

fn names(stem: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{stem}-{at}")).collect()
}

/// Fifty destinations and workflows, and rules that are each about one channel, one workflow or
/// one destination and one to three categories.
fn policy(rules: &RuleSet, count: usize) -> Policy {
    let categories: Vec<CategoryIndex> = rules.taxonomy.iter().map(|(index, _)| index).collect();
    let category = |at: usize| categories[at % categories.len()];
    let destinations: Vec<String> = names("destination", 50);
    let workflows: Vec<String> = names("workflow", 50);
    let parts = Parts {
        destinations: destinations
            .iter()
            .enumerate()
            .map(|(at, id)| Destination {
                id: id.clone(),
                title: String::new(),
                matchers: Vec::new(),
                trust: if at % 2 == 0 { Trust::Internal } else { Trust::External },
                approved: categories.iter().copied().take(20).collect(),
                opaque: None,
                release: None,
                of_repository: false,
            })
            .collect(),
        workflows: workflows
            .iter()
            .map(|id| Workflow {
                id: id.clone(),
                title: String::new(),
                owner: "owner".to_owned(),
                binding: Binding { uids: BTreeSet::from([1000]), ..Binding::default() },
                purposes: BTreeSet::from(["treatment".to_owned(), "billing".to_owned()]),
                approved: categories.iter().copied().take(20).collect(),
                destinations: destinations.iter().cloned().collect(),
                approvers: BTreeSet::new(),
                approvals: 1,
                separation: false,
                grants: Default::default(),
                escalation: None,
                monitoring: None,
                evidence: BTreeSet::new(),
                opaque: None,
            })
            .collect(),
        rules: (0..count)
            .map(|at| {
                let subject = (0..1 + at % 3).map(|step| category(at * 7 + step)).collect();
                let mut when = When::any(Subject::Categories(subject));
                match at % 4 {
                    0 => drop(when.channels.insert(Channel::ALL[at % 7])),
                    1 => drop(when.workflows.insert(workflows[at % 50].clone())),
                    2 => drop(when.destinations.insert(destinations[at % 50].clone())),
                    _ => when.count = 1 + at as u64 % 10,
                }
                let effect = [Effect::Allow, Effect::Redact, Effect::Escalate][at % 3];
                let (id, reason) = (format!("rule-{at}"), "because".to_owned());
                Rule {
                    id,
                    when,
                    effect,
                    transform: None,
                    reason,
                    shadow: false,
                    of_repository: false,
                }
            })
            .collect(),
        ..Parts::default()
    };
    Policy::compile(parts, &rules.taxonomy, [1; 32]).expect("the parts are sound")
}

fn label(categories: u16) -> Label {
    let count =
        CategoryCount { count: 12, unique: Unique::Exact(9), max_likelihood: Likelihood::new(90) };
    Label {
        categories: (0..categories).map(|at| (CategoryIndex(at * 3), count)).collect(),
        possible: BTreeMap::new(),
        sensitivity: Sensitivity::Restricted,
        coverage: Coverage::complete(),
        lineage: BTreeSet::new(),
    }
}

fn header() -> FlowHeader {
    FlowHeader {
        channel: Some(Channel::Prompt),
        workflow: Some(Claimed::new("workflow-8")),
        destination: Some(Claimed::new("destination-8")),
        purpose: Some(Claimed::new("treatment")),
        run: Some(Claimed::new("run-1")),
        ..FlowHeader::default()
    }
}

fn peer() -> Attested {
    Attested {
        uid: 1000,
        gid: 1000,
        groups: BTreeSet::new(),
        pid: 1,
        start_time: 1,
        cgroup: KernelName::read(b"/"),
        unit: None,
        executable: Executable::Unavailable("bench"),
        token_of: None,
        self_attested: false,
    }
}

fn decisions(criterion: &mut Criterion) {
    let rules = RuleSet::builtin().expect("the built-in rules load");
    let (header, peer) = (header(), peer());
    for (count, expected) in [(0, Effect::Escalate), (1000, Effect::Escalate)] {
        let policy = policy(&rules, count);
        let flow = policy.resolve(&header, &peer, Carrier::Rewritable);
        for categories in [1, 3, 10] {
            let label = label(categories);
            let decision = decide(&policy, &label, &flow, &[], 0);
            if categories == 10 {
                assert!(decision.effect >= expected, "it decides something");
            }
            criterion.bench_function(
                &format!("decide/{count} rules/{categories} categories"),
                |b| {
                    b.iter(|| decide(&policy, black_box(&label), black_box(&flow), &[], 0));
                },
            );
        }
        criterion.bench_function(&format!("resolve/{count} rules"), |b| {
            b.iter(|| policy.resolve(black_box(&header), &peer, Carrier::Rewritable));
        });
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
