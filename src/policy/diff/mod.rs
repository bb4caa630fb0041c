//! Two policies come in; exactly the flows that the change opens, closes or treats otherwise come
//! out, by enumeration.
//!
//! A flow is what the payload holds (nothing, a category found or inherited, a reason for partial
//! coverage), a destination, a workflow or none, a purpose or none, and a channel; peers fit the
//! bindings of their workflows. Promised: a flow whose effect differs is listed, one that is not
//! listed does not differ. Values that no part of either policy tells apart are tried once for all.
//!
//! Why one category at a time is enough: the effect of a payload is the maximum over its parts and
//! the rules that match them, and each rule has one lowest point (so many findings, beside these
//! other categories) from which on it matches. All lowest points of both policies are tried. Were
//! no effect at these points changed, no maximum over them could be.

mod axes;
mod changes;
mod fold;

use std::collections::{BTreeMap, BTreeSet};

use super::{Carrier, Flow, Identity, Item, Policy, Subject, Transform, WorkflowOf, decide};
use crate::model::{
    CategoryCount, CategoryIndex, Channel, Coverage, Effect, Label, Likelihood, Reason,
    Sensitivity, Unique,
};
use crate::rules::Taxonomy;

use axes::{Axes, DestinationCase};
pub use changes::RegisterChange;

/// The most flows that are decided, after those that cannot differ were put together.
pub const MAX_FLOWS: u64 = 20_000_000;

/// What a payload holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Data {
    /// Nothing.
    Nothing,
    /// Findings of a category.
    Category(CategoryIndex),
    /// A category from an earlier step.
    Lineage(CategoryIndex),
    /// A part that was not inspected.
    Coverage(Reason),
}

/// How much of it, and what beside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// Findings.
    pub count: u64,
    /// Different values among them.
    pub unique: u32,
    /// Highest likelihood.
    pub likelihood: u8,
    /// Whether all findings are of band possible.
    pub possible: bool,
    /// Categories beside it.
    pub contains: Vec<CategoryIndex>,
}

impl Point {
    /// One finding at the lowest likelihood that counts, and nothing beside it.
    pub fn base() -> Point {
        Point { count: 1, unique: 1, likelihood: 65, possible: false, contains: Vec::new() }
    }

    /// Whether everything that is at this point is at the other one too.
    fn is_below(&self, other: &Point) -> bool {
        self.count <= other.count
            && self.unique <= other.unique
            && self.likelihood <= other.likelihood
            && self.possible == other.possible
            && self.contains.iter().all(|it| other.contains.contains(it))
    }
}

/// What a change does to a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// The effect is weaker.
    Opens,
    /// The effect is stronger.
    Closes,
    /// The effect is redact as before, and the transform another.
    Changes,
}

impl Direction {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Opens => "opens",
            Direction::Closes => "closes",
            Direction::Changes => "changes",
        }
    }
}

/// Values of one dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis<T> {
    /// The values.
    pub values: T,
    /// Whether they are all that there are.
    pub all: bool,
}

/// Flows that a change treats alike: every combination of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What the change does.
    pub direction: Direction,
    /// The effect before, with the transform of a redaction.
    pub old: (Effect, Option<Transform>),
    /// The effect after.
    pub new: (Effect, Option<Transform>),
    /// What the payload holds.
    pub data: BTreeSet<(Data, Point)>,
    /// Ids of destinations; `unknown`; matchers that belong to another destination than before.
    pub destinations: Axis<BTreeSet<String>>,
    /// Ids of workflows; `none`.
    pub workflows: Axis<BTreeSet<String>>,
    /// Purposes; `none`, which also stands for one that no workflow lists.
    pub purposes: Axis<BTreeSet<String>>,
    /// Channels.
    pub channels: Axis<BTreeSet<Channel>>,
}

impl Group {
    /// Number of flows.
    pub fn flows(&self) -> u64 {
        let sizes = [
            self.data.len(),
            self.destinations.values.len(),
            self.workflows.values.len(),
            self.purposes.values.len(),
            self.channels.values.len(),
        ];
        sizes.into_iter().fold(1, |product, size| {
            product.saturating_mul(u64::try_from(size).unwrap_or(u64::MAX))
        })
    }
}

/// Everything that a change does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Flows, those that open first, and of these those whose effect changes most.
    pub groups: Vec<Group>,
    /// Changes that are about who may do something, not about flows.
    pub register: Vec<RegisterChange>,
}

impl Difference {
    /// Number of flows of a direction.
    pub fn flows(&self, direction: Direction) -> u64 {
        let groups = self.groups.iter().filter(|group| group.direction == direction);
        groups.map(Group::flows).fold(0, u64::saturating_add)
    }

    /// Whether anything opens: a flow, or who may do something.
    pub fn opens(&self) -> bool {
        self.flows(Direction::Opens) > 0 || self.register.iter().any(|change| change.weakens)
    }
}

/// More flows would have to be decided than [`MAX_FLOWS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the registers tell {0} kinds of flows apart; at most {MAX_FLOWS} are compared")]
pub struct TooManyFlows(pub u64);

/// Compares two policies.
///
/// # Errors
///
/// [`TooManyFlows`].
pub fn diff(old: &Policy, new: &Policy, taxonomy: &Taxonomy) -> Result<Difference, TooManyFlows> {
    let axes = Axes::new(old, new, taxonomy);
    let points: Vec<(Data, Vec<Point>)> =
        axes.data.iter().map(|class| (class.first, points(class.first, [old, new]))).collect();
    let labels: u64 = points.iter().map(|(_, points)| points.len() as u64).sum();
    let lengths =
        [axes.destinations.len(), axes.workflows.len(), axes.purposes.len(), axes.channels.len()];
    let flows = lengths.into_iter().fold(labels, |all, length| all.saturating_mul(length as u64));
    if flows > MAX_FLOWS {
        return Err(TooManyFlows(flows));
    }
    let mut changed: fold::Changed = BTreeMap::new();
    let labels: Vec<Vec<Label>> = points
        .iter()
        .map(|(data, points)| points.iter().map(|point| label(*data, point)).collect())
        .collect();
    for (destination_at, destination) in axes.destinations.iter().enumerate() {
        for (workflow_at, workflow) in axes.workflows.iter().enumerate() {
            for (purpose_at, purpose) in axes.purposes.iter().enumerate() {
                for (channel_at, channel) in axes.channels.iter().enumerate() {
                    let flow = |policy: &Policy, of: fn(&DestinationCase) -> Option<usize>| {
                        flow(
                            policy,
                            channel.first,
                            workflow.first.as_deref(),
                            of(&destination.first),
                            purpose.first.as_deref(),
                        )
                    };
                    let before = flow(old, |case| case.old);
                    let after = flow(new, |case| case.new);
                    for (data_at, (data, points)) in points.iter().enumerate() {
                        let mut listed: Vec<(&Point, fold::Outcomes)> = Vec::new();
                        for (point_at, point) in points.iter().enumerate() {
                            let label = labels.get(data_at).and_then(|it| it.get(point_at));
                            let Some(label) = label else { continue };
                            let outcomes = (
                                answer(old, label, &before, *data),
                                answer(new, label, &after, *data),
                            );
                            let same = |(below, it): &(&Point, fold::Outcomes)| {
                                *it == outcomes && below.is_below(point)
                            };
                            // Said already of a payload that holds less.
                            let repeats = listed.iter().any(same);
                            listed.push((point, outcomes));
                            if outcomes.0 != outcomes.1 && !repeats {
                                let row =
                                    [data_at, destination_at, workflow_at, purpose_at, channel_at];
                                changed.entry(outcomes).or_default().push((row, point.clone()));
                            }
                        }
                    }
                }
            }
        }
    }
    let mut groups = fold::groups(changed, &axes);
    // What changes most stands first.
    let step = |group: &Group| (group.old.0 as u8).abs_diff(group.new.0 as u8);
    let stronger = |group: &Group| group.old.0.max(group.new.0);
    groups.sort_by_key(|group| {
        (group.direction, std::cmp::Reverse(step(group)), std::cmp::Reverse(stronger(group)))
    });
    Ok(Difference { groups, register: changes::changes(old, new, taxonomy) })
}

/// The points at which a rule of one of the policies begins to match, lowest first.
fn points(data: Data, policies: [&Policy; 2]) -> Vec<Point> {
    let mut points = BTreeSet::from([Point::base()]);
    for rule in policies.into_iter().flat_map(Policy::rules).filter(|rule| !rule.shadow) {
        let when = &rule.when;
        let about = match (&when.subject, data) {
            (Subject::Flow, Data::Nothing) => true,
            (Subject::Categories(set), Data::Category(category))
            | (Subject::Lineage(set), Data::Lineage(category)) => set.contains(category),
            (Subject::Coverage(reasons), Data::Coverage(reason)) => reasons.contains(&reason),
            _ => false,
        };
        if !about {
            continue;
        }
        let contains: Vec<CategoryIndex> = when.contains.iter().collect();
        let (unique, likelihood) = (when.unique.max(1), when.likelihood.max(65));
        let count = when.count.max(u64::from(unique)).max(1);
        let point = Point { count, unique, likelihood, possible: false, contains };
        if when.possible && matches!(data, Data::Category(_)) {
            let base = Point { possible: true, ..Point::base() };
            points.insert(Point { count, contains: point.contains.clone(), ..base });
        }
        points.insert(point);
    }
    points.into_iter().collect()
}

fn label(data: Data, point: &Point) -> Label {
    let found = |count, unique, likelihood| CategoryCount {
        count,
        unique: Unique::Exact(unique),
        max_likelihood: Likelihood::new(u32::from(likelihood)),
    };
    let mut label = Label {
        categories: point.contains.iter().map(|category| (*category, found(1, 1, 65))).collect(),
        possible: BTreeMap::new(),
        sensitivity: Sensitivity::Public,
        coverage: Coverage::complete(),
        lineage: BTreeSet::new(),
    };
    match data {
        Data::Nothing => {}
        Data::Category(category) if point.possible => {
            label.possible.insert(category, point.count);
        }
        Data::Category(category) => {
            let count = found(point.count, point.unique, point.likelihood);
            label.categories.insert(category, count);
        }
        Data::Lineage(category) => {
            label.lineage.insert(category);
        }
        Data::Coverage(reason) => label.coverage = Coverage::partial(reason),
    }
    label
}

/// A flow of a peer that fits the binding of its workflow.
fn flow(
    policy: &Policy,
    channel: Channel,
    workflow: Option<&str>,
    destination: Option<usize>,
    purpose: Option<&str>,
) -> Flow {
    let at = workflow.and_then(|id| policy.workflows().iter().position(|it| it.id == id));
    let registered = at.and_then(|at| policy.workflows().get(at));
    let listed = |purpose: &str| registered.is_some_and(|it| it.purposes.contains(purpose));
    Flow {
        channel,
        workflow: match (at, workflow) {
            (Some(at), _) => WorkflowOf::Registered(at),
            (None, Some(_)) => WorkflowOf::Unregistered,
            (None, None) => WorkflowOf::Unnamed,
        },
        identity: if at.is_some() { Identity::Bound } else { Identity::None },
        destination,
        purpose: purpose.and_then(|it| policy.purposes().iter().position(|known| known == it)),
        purpose_listed: purpose.is_some_and(listed),
        missing: Vec::new(),
        carrier: if channel == Channel::Commit { Carrier::Fixed } else { Carrier::Rewritable },
        destination_name: String::new(),
        address: String::new(),
        purpose_name: String::new(),
        executor: String::new(),
        payload: [0; 32],
        bytes: 0,
    }
}

/// The effect of a flow, and what is done to its data if it is redacted.
fn answer(policy: &Policy, label: &Label, flow: &Flow, data: Data) -> (Effect, Option<Transform>) {
    let decision = decide(policy, label, flow, &[], 0);
    let Data::Category(category) = data else { return (decision.effect, None) };
    let item = decision.items.iter().find(|it| it.item == Item::Category(category));
    let item = item.filter(|it| decision.effect == Effect::Redact && it.effect == Effect::Redact);
    (decision.effect, item.map(|it| it.transform.map_or(Transform::Mask, |(it, _)| it)))
}
