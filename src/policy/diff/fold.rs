//! Flows with the same change put together into sets, so that a person can read them.

use std::collections::{BTreeMap, BTreeSet};

use super::axes::{Axes, Class};
use super::{Axis, Data, Direction, Group, Point};
use crate::model::{Channel, Effect};
use crate::policy::Transform;

/// The answers before and after.
pub(super) type Outcomes = ((Effect, Option<Transform>), (Effect, Option<Transform>));

/// A flow: positions of its classes in the axes data, destination, workflow, purpose, channel.
type Row = [usize; 5];

/// Changed flows by their answers.
pub(super) type Changed = BTreeMap<Outcomes, Vec<(Row, Point)>>;

/// A set of flows: all combinations. The first axis is a class of data with a point.
type Sets = [BTreeSet<usize>; 5];

pub(super) fn groups(changed: Changed, axes: &Axes) -> Vec<Group> {
    let mut groups = Vec::new();
    for ((old, new), rows) in changed {
        let direction = match new.0.cmp(&old.0) {
            std::cmp::Ordering::Less => Direction::Opens,
            std::cmp::Ordering::Greater => Direction::Closes,
            std::cmp::Ordering::Equal => Direction::Changes,
        };
        // Data and point become one number.
        let pairs: BTreeSet<(usize, Point)> =
            rows.iter().map(|(row, point)| (row[0], point.clone())).collect();
        let pairs: Vec<(usize, Point)> = pairs.into_iter().collect();
        let sets = rows.into_iter().map(|(row, point)| {
            let [data, destination, workflow, purpose, channel] = row;
            let pair = pairs.binary_search(&(data, point)).unwrap_or_default();
            [pair, destination, workflow, purpose, channel].map(|at| BTreeSet::from([at]))
        });
        for sets in fold(sets.collect()) {
            groups.push(group(direction, (old, new), &sets, &pairs, axes));
        }
    }
    groups
}

/// Joins sets that differ in one axis alone, until none do.
fn fold(mut sets: Vec<Sets>) -> Vec<Sets> {
    loop {
        let before = sets.len();
        // Channels and purposes first: a rule names them least often.
        for axis in [4, 3, 0, 1, 2] {
            let mut joined: BTreeMap<Sets, BTreeSet<usize>> = BTreeMap::new();
            for mut set in sets {
                let Some(own) = set.get_mut(axis).map(std::mem::take) else { return Vec::new() };
                joined.entry(set).or_default().extend(own);
            }
            let whole = joined.into_iter().map(|(mut set, own)| {
                if let Some(slot) = set.get_mut(axis) {
                    *slot = own;
                }
                set
            });
            sets = whole.collect();
        }
        if sets.len() == before {
            return sets;
        }
    }
}

fn group(
    direction: Direction,
    (old, new): Outcomes,
    sets: &Sets,
    pairs: &[(usize, Point)],
    axes: &Axes,
) -> Group {
    let [data, destinations, workflows, purposes, channels] = sets;
    let data: BTreeSet<(Data, Point)> = data
        .iter()
        .filter_map(|at| pairs.get(*at))
        .flat_map(|(class, point)| {
            let members = axes.data.get(*class).map_or(&[][..], |class| &class.members);
            members.iter().map(move |data| (*data, point.clone()))
        })
        .collect();
    let none = |name: &Option<String>| name.clone().unwrap_or_else(|| "none".to_owned());
    Group {
        direction,
        old,
        new,
        data,
        destinations: members(destinations, &axes.destinations, |case| case.name.clone()),
        workflows: members(workflows, &axes.workflows, none),
        purposes: members(purposes, &axes.purposes, none),
        channels: members(channels, &axes.channels, |channel: &Channel| *channel),
    }
}

/// The members of some classes, and whether they are all there are.
fn members<T, N: Ord>(
    chosen: &BTreeSet<usize>,
    classes: &[Class<T>],
    name: impl Fn(&T) -> N,
) -> Axis<BTreeSet<N>> {
    let of = chosen.iter().filter_map(|at| classes.get(*at)).flat_map(|class| &class.members);
    Axis { values: of.map(name).collect(), all: chosen.len() == classes.len() }
}
