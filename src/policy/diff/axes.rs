//! The dimensions of flows, each with the values that neither policy tells apart put together.

use std::collections::{BTreeMap, BTreeSet};

use super::Data;
use crate::model::{Channel, Reason};
use crate::policy::{Matcher, Policy, Rule, Subject, Workflow};
use crate::rules::Taxonomy;

/// Values of a dimension that both policies treat alike.
pub(super) struct Class<T> {
    /// The one that is tried.
    pub first: T,
    /// All.
    pub members: Vec<T>,
}

/// A destination before and after.
#[derive(Clone)]
pub(super) struct DestinationCase {
    pub name: String,
    pub old: Option<usize>,
    pub new: Option<usize>,
}

/// All dimensions.
pub(super) struct Axes {
    pub data: Vec<Class<Data>>,
    pub destinations: Vec<Class<DestinationCase>>,
    pub workflows: Vec<Class<Option<String>>>,
    pub purposes: Vec<Class<Option<String>>>,
    pub channels: Vec<Class<Channel>>,
}

/// What the policies say of a value: two values with the same signature are treated alike.
type Signature = Vec<u64>;

impl Axes {
    pub fn new(old: &Policy, new: &Policy, taxonomy: &Taxonomy) -> Axes {
        let both = [old, new];
        Axes {
            data: data(both, taxonomy),
            destinations: destinations(old, new),
            workflows: workflows(both),
            purposes: purposes(both),
            channels: classes(Channel::ALL.into_iter(), |channel| {
                let rules = enforced(both).map(|rule| {
                    let any = rule.when.channels.is_empty();
                    u64::from(any || rule.when.channels.contains(channel))
                });
                // A commit is not rewritten.
                rules.chain([u64::from(*channel == Channel::Commit)]).collect()
            }),
        }
    }
}

fn enforced(policies: [&Policy; 2]) -> impl Iterator<Item = &Rule> {
    policies.into_iter().flat_map(Policy::rules).filter(|rule| !rule.shadow)
}

fn classes<T: Clone>(
    values: impl Iterator<Item = T>,
    signature: impl Fn(&T) -> Signature,
) -> Vec<Class<T>> {
    let mut known: BTreeMap<Signature, usize> = BTreeMap::new();
    let mut classes: Vec<Class<T>> = Vec::new();
    for value in values {
        let at = *known.entry(signature(&value)).or_insert(classes.len());
        match classes.get_mut(at) {
            Some(class) => class.members.push(value),
            None => classes.push(Class { first: value.clone(), members: vec![value] }),
        }
    }
    classes
}

fn data(both: [&Policy; 2], taxonomy: &Taxonomy) -> Vec<Class<Data>> {
    let all = |data: fn(crate::model::CategoryIndex) -> Data| {
        taxonomy.iter().map(move |(index, _)| data(index))
    };
    let reasons = super::super::register::REASONS.into_iter().map(Data::Coverage);
    let data = std::iter::once(Data::Nothing)
        .chain(all(Data::Category))
        .chain(all(Data::Lineage))
        .chain(reasons);
    classes(data, |data| match *data {
        Data::Nothing => vec![0],
        Data::Coverage(reason) => {
            let rules = enforced(both).map(|rule| match &rule.when.subject {
                Subject::Coverage(reasons) => u64::from(reasons.contains(&reason)),
                _ => 0,
            });
            std::iter::once(1 + u64::from(reason == Reason::Opaque)).chain(rules).collect()
        }
        Data::Category(category) | Data::Lineage(category) => {
            let found = matches!(data, Data::Category(_));
            let mut signature = vec![if found { 3 } else { 4 }];
            for policy in both {
                let sets = [policy.regulated(), policy.secret(), policy.known()];
                signature.extend(sets.map(|set| u64::from(set.contains(category))));
                let approved = policy.destinations().iter().map(|it| &it.approved);
                let approved = approved.chain(policy.workflows().iter().map(|it| &it.approved));
                signature.extend(approved.map(|set| u64::from(set.contains(category))));
            }
            signature.extend(enforced(both).map(|rule| {
                let about = match &rule.when.subject {
                    Subject::Categories(set) => found && set.contains(category),
                    Subject::Lineage(set) => !found && set.contains(category),
                    Subject::Flow | Subject::Coverage(_) => false,
                };
                // Beside another category this one may make a rule match.
                u64::from(about) | u64::from(rule.when.contains.contains(category)) << 1
            }));
            signature
        }
    })
}

fn destinations(old: &Policy, new: &Policy) -> Vec<Class<DestinationCase>> {
    let position =
        |policy: &Policy, id: &str| policy.destinations().iter().position(|it| it.id == id);
    let all = || old.destinations().iter().chain(new.destinations());
    let ids: BTreeSet<&str> = all().map(|it| it.id.as_str()).collect();
    let mut cases: Vec<DestinationCase> = ids
        .into_iter()
        .map(|id| DestinationCase {
            name: id.to_owned(),
            old: position(old, id),
            new: position(new, id),
        })
        .collect();
    cases.push(DestinationCase { name: "unknown".to_owned(), old: None, new: None });
    // What belongs to another destination than before. A text that does is matched most specially
    // by one matcher before and one after, or by one and none: what these share belongs like it.
    let each = |policy: &Policy| -> Vec<Matcher> {
        policy.destinations().iter().flat_map(|it| it.matchers.clone()).collect()
    };
    let (before, after) = (each(old), each(new));
    let shared = before.iter().flat_map(|one| after.iter().filter_map(|two| one.meet(two)));
    let mut seen = BTreeSet::new();
    for matcher in before.iter().chain(&after).cloned().chain(shared) {
        if !seen.insert(matcher.key()) {
            continue;
        }
        let target = matcher.representative();
        let (before, after) = (old.find_target(&target), new.find_target(&target));
        let id = |policy: &Policy, at: Option<usize>| {
            let found = at.and_then(|at| policy.destinations().get(at));
            found.map_or("unknown".to_owned(), |it| it.id.clone())
        };
        let (was, is) = (id(old, before), id(new, after));
        if was != is {
            let name = format!("{} {matcher} ({was} -> {is})", matcher.kind().as_str());
            cases.push(DestinationCase { name, old: before, new: after });
        }
    }
    classes(cases.into_iter(), |case| {
        let mut signature = Vec::new();
        for (policy, at) in [(old, case.old), (new, case.new)] {
            let found = at.and_then(|at| policy.destinations().get(at));
            signature.push(found.map_or(0, |it| match it.trust {
                crate::policy::Trust::Internal => 1,
                crate::policy::Trust::External => 2,
                crate::policy::Trust::Unknown => 3,
            }));
            signature.push(found.map_or(0, |it| u64::from(it.of_repository)));
            let approved = found.map(|it| it.approved).unwrap_or_default();
            signature.extend(words(&approved));
            signature.push(found.and_then(|it| it.opaque).map_or(9, |effect| effect as u64));
            let id = found.map(|it| &it.id);
            let listing = policy.workflows().iter();
            signature.extend(
                listing.map(|it| u64::from(id.is_some_and(|id| it.destinations.contains(id)))),
            );
            signature.extend(policy.rules().iter().filter(|rule| !rule.shadow).map(|rule| {
                let named = &rule.when.destinations;
                u64::from(named.is_empty() || id.is_some_and(|id| named.contains(id)))
            }));
        }
        signature
    })
}

/// A set of categories as numbers.
fn words(set: &crate::policy::CategorySet) -> Vec<u64> {
    let mut words = vec![0u64; crate::policy::MAX_CATEGORIES / 64];
    for index in set.iter() {
        if let Some(word) = words.get_mut(usize::from(index.0 / 64)) {
            *word |= 1 << (index.0 % 64);
        }
    }
    words
}

fn workflows(both: [&Policy; 2]) -> Vec<Class<Option<String>>> {
    let ids: BTreeSet<String> =
        both.into_iter().flat_map(Policy::workflows).map(|it| it.id.clone()).collect();
    let values = std::iter::once(None).chain(ids.into_iter().map(Some));
    let purposes = all_purposes(both);
    classes(values, |id| {
        let mut signature = Vec::new();
        for policy in both {
            let found = policy.workflows().iter().find(|it| Some(&it.id) == id.as_ref());
            signature.push(u64::from(found.is_some()));
            let approved = found.map(|it| it.approved).unwrap_or_default();
            signature.extend(words(&approved));
            signature.push(found.and_then(|it| it.opaque).map_or(9, |effect| effect as u64));
            let lists = |purpose: &String| found.is_some_and(|it| it.purposes.contains(purpose));
            signature.extend(purposes.iter().map(|purpose| u64::from(lists(purpose))));
            let may = |id: &String| found.is_some_and(|it: &Workflow| it.destinations.contains(id));
            signature.extend(policy.destinations().iter().map(|it| u64::from(may(&it.id))));
            signature.extend(policy.rules().iter().filter(|rule| !rule.shadow).map(|rule| {
                let named = &rule.when.workflows;
                u64::from(named.is_empty() || found.is_some_and(|it| named.contains(&it.id)))
            }));
        }
        signature
    })
}

fn all_purposes(both: [&Policy; 2]) -> BTreeSet<String> {
    both.into_iter().flat_map(Policy::purposes).cloned().collect()
}

fn purposes(both: [&Policy; 2]) -> Vec<Class<Option<String>>> {
    let values = std::iter::once(None).chain(all_purposes(both).into_iter().map(Some));
    classes(values, |purpose| {
        let mut signature = Vec::new();
        for policy in both {
            let lists =
                |it: &Workflow| purpose.as_ref().is_some_and(|name| it.purposes.contains(name));
            signature.extend(policy.workflows().iter().map(|it| u64::from(lists(it))));
            let known = purpose.as_ref().filter(|it| policy.purposes().contains(it));
            signature.extend(policy.rules().iter().filter(|rule| !rule.shadow).map(|rule| {
                let named = &rule.when.purposes;
                u64::from(named.is_empty() || known.is_some_and(|it| named.contains(it)))
            }));
        }
        signature
    })
}
