//! Changes of a register that are about who may do something, not about the effect of a flow.

use std::collections::BTreeSet;

use crate::policy::{
    Approver, Binding, CategorySet, Destination, Policy, Release, Workflow, category_words,
};
use crate::rules::Taxonomy;

/// A change beside the flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterChange {
    /// Whether it lets somebody do more, or asks for less.
    pub weakens: bool,
    /// What changed; ids of the registers and fixed words.
    pub text: String,
}

pub(super) fn changes(old: &Policy, new: &Policy, taxonomy: &Taxonomy) -> Vec<RegisterChange> {
    let mut list = List { changes: Vec::new(), taxonomy };
    list.categories("exceptable", old.exceptable(), new.exceptable());
    for (before, after) in pairs(old.workflows(), new.workflows(), |it| &it.id) {
        list.workflow(before, after);
    }
    for (before, after) in pairs(old.destinations(), new.destinations(), |it| &it.id) {
        list.release(before, after);
    }
    for (before, after) in pairs(old.approvers(), new.approvers(), |it| &it.id) {
        list.approver(before, after);
    }
    for (before, after) in pairs(old.paths(), new.paths(), |it| &it.id) {
        if before != after {
            list.add(false, format!("path `{}` runs another command or at another rate", after.id));
        }
    }
    list.changes.sort_by_key(|change| !change.weakens);
    list.changes
}

/// Parts that are in both registers. New and removed ones show in the flows.
fn pairs<'p, T>(
    old: &'p [T],
    new: &'p [T],
    id: fn(&T) -> &String,
) -> impl Iterator<Item = (&'p T, &'p T)> {
    old.iter()
        .filter_map(move |before| Some((before, new.iter().find(|after| id(after) == id(before))?)))
}

struct List<'t> {
    changes: Vec<RegisterChange>,
    taxonomy: &'t Taxonomy,
}

impl List<'_> {
    fn add(&mut self, weakens: bool, text: String) {
        self.changes.push(RegisterChange { weakens, text });
    }

    fn categories(&mut self, what: &str, old: &CategorySet, new: &CategorySet) {
        let only = |these: &CategorySet, those: &CategorySet| -> CategorySet {
            these.iter().filter(|index| !those.contains(*index)).collect()
        };
        let (added, removed) = (only(new, old), only(old, new));
        for (set, weakens, word) in [(added, true, "gains"), (removed, false, "loses")] {
            if !set.is_empty() {
                let words = category_words(&set, self.taxonomy).join(", ");
                self.add(weakens, format!("{what} {word} {words}"));
            }
        }
    }

    fn names(&mut self, what: &str, old: &BTreeSet<String>, new: &BTreeSet<String>, more: bool) {
        let words = |these: &BTreeSet<String>, those: &BTreeSet<String>| {
            these.difference(those).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        let (added, removed) = (words(new, old), words(old, new));
        if !added.is_empty() {
            self.add(more, format!("{what} gains {added}"));
        }
        if !removed.is_empty() {
            self.add(!more, format!("{what} loses {removed}"));
        }
    }

    fn workflow(&mut self, old: &Workflow, new: &Workflow) {
        let id = &new.id;
        if old.binding != new.binding {
            let weakens = !is_within(&new.binding, &old.binding);
            let who = if weakens { "others than before" } else { "fewer than before" };
            self.add(weakens, format!("workflow `{id}` may be claimed by {who}"));
        }
        self.names(&format!("evidence of workflow `{id}`"), &old.evidence, &new.evidence, false);
        self.names(&format!("workflow `{id}`: approvers"), &old.approvers, &new.approvers, true);
        if old.approvals != new.approvals {
            let text = format!(
                "workflow `{id}` wants {} approvals instead of {}",
                new.approvals, old.approvals
            );
            self.add(new.approvals < old.approvals, text);
        }
        if old.separation != new.separation {
            let word = if new.separation { "needs" } else { "no longer needs" };
            let text = format!("workflow `{id}` {word} a daemon to use its grants");
            self.add(old.separation, text);
        }
        let paths = [
            ("escalation", &old.escalation, &new.escalation),
            ("monitoring", &old.monitoring, &new.monitoring),
        ];
        for (what, old, new) in paths {
            if old != new {
                let to = new.as_ref().map_or("nobody".to_owned(), |path| format!("`{path}`"));
                self.add(old.is_some(), format!("workflow `{id}`: {what} goes to {to}"));
            }
        }
        if old.owner != new.owner {
            self.add(false, format!("workflow `{id}` has another owner"));
        }
    }

    fn release(&mut self, old: &Destination, new: &Destination) {
        if old.release != new.release {
            let weakens = new.release != Some(Release::Whole);
            let word = match new.release {
                Some(Release::Whole) => "whole",
                Some(Release::Prefix) => "prefix",
                None => "as by default",
            };
            self.add(weakens, format!("destination `{}` gets streams {word}", new.id));
        }
    }

    fn approver(&mut self, old: &Approver, new: &Approver) {
        let id = &new.id;
        if old.key != new.key {
            self.add(true, format!("approver `{id}` has another key"));
        }
        if old.uid != new.uid {
            self.add(true, format!("approver `{id}` has another user id"));
        }
        self.categories(&format!("approver `{id}`"), &old.categories, &new.categories);
        if old.opaque != new.opaque {
            let word = if new.opaque { "may now" } else { "may no longer" };
            let text = format!("approver `{id}` {word} approve payloads that cannot be read");
            self.add(new.opaque, text);
        }
    }
}

/// Whether every peer that fits `inner` fits `outer`.
fn is_within(inner: &Binding, outer: &Binding) -> bool {
    fn list<T: Ord>(inner: &BTreeSet<T>, outer: &BTreeSet<T>) -> bool {
        outer.is_empty() || !inner.is_empty() && inner.is_subset(outer)
    }
    let token = outer.token_file.is_none() || inner.token_file == outer.token_file;
    let lists = list(&inner.uids, &outer.uids)
        && list(&inner.gids, &outer.gids)
        && list(&inner.units, &outer.units)
        && list(&inner.executables, &outer.executables);
    outer.anyone || !inner.anyone && lists && token
}
