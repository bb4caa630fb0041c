//! What changed between two trees, or between a tree and the index.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::tree::EntryKind;

use super::GateError;
use super::repository::{Held, Repository};

/// How deep folders of a tree may nest. Git itself stops at 2,048 by default.
pub(super) const MAX_DEPTH: usize = 2_048;

/// Something new under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The commit that brought it; none for what is staged.
    pub commit: Option<ObjectId>,
    /// Where it is.
    pub path: BString,
    /// A file, a symbolic link, or a commit of another repository; never a tree.
    pub kind: EntryKind,
    /// The blob.
    pub id: ObjectId,
    /// What it is compared with, one for each parent of a merge: a line was added if it was to each
    /// of them. None: all lines were.
    pub before: Vec<Before>,
}

/// What a file is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// The blob that was there.
    Blob(ObjectId),
    /// That of these files that is most like it, if one is: it was not there, and they went.
    OneOf(Arc<Vec<Gone>>),
}

/// A file that is no longer where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gone {
    /// Where it was.
    pub path: BString,
    /// Its blob.
    pub id: ObjectId,
}

/// Everything that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// What is new or other than it was, in the order of paths.
    pub changes: Vec<Change>,
    /// Files that are no longer where they were: what renamed ones are compared with.
    pub gone: Vec<Gone>,
}

impl Difference {
    /// Takes in what is under a path now, and what was before.
    pub fn add(&mut self, path: BString, before: Option<Held>, after: Held) {
        // The same id under another kind is other content: a submodule's is not here.
        let same =
            |before: Held| before.id == after.id && is_blob(before.kind) == is_blob(after.kind);
        if before.is_some_and(same) {
            return;
        }
        let before = before.filter(|before| is_blob(before.kind) && is_blob(after.kind));
        let before = before.map(|before| Before::Blob(before.id)).into_iter().collect();
        self.changes.push(Change { commit: None, path, kind: after.kind, id: after.id, before });
    }

    /// All that is new, with what may have moved there.
    pub fn paired(self) -> Vec<Change> {
        let Difference { mut changes, gone } = self;
        if gone.is_empty() {
            return changes;
        }
        let gone = Arc::new(gone);
        for change in changes.iter_mut().filter(|it| it.before.is_empty() && is_blob(it.kind)) {
            change.before.push(Before::OneOf(Arc::clone(&gone)));
        }
        changes
    }
}

/// What a merge adds to each of its parents: `of_parents` says what differs from each. What is the
/// same in one of them was not added by the merge.
pub(super) fn merged(of_parents: Vec<Vec<Change>>) -> Vec<Change> {
    let mut of_parents = of_parents.into_iter();
    let mut changes = of_parents.next().unwrap_or_default();
    for others in of_parents {
        let mut others: HashMap<BString, Change> =
            others.into_iter().map(|it| (it.path.clone(), it)).collect();
        changes.retain_mut(|change| {
            let other = others.remove(&change.path);
            change.before.extend(other.iter().flat_map(|it| it.before.iter().cloned()));
            other.is_some()
        });
    }
    changes
}

/// Compares two trees; none is one that holds nothing.
pub(super) fn between(
    repository: &Repository,
    before: Option<ObjectId>,
    after: Option<ObjectId>,
) -> Result<Difference, GateError> {
    let mut difference = Difference::default();
    trees(repository, &BString::default(), before, after, 0, &mut difference)?;
    Ok(difference)
}

/// Compares two trees under a path, which is empty or ends with `/`.
pub(super) fn trees(
    repository: &Repository,
    path: &BString,
    before: Option<ObjectId>,
    after: Option<ObjectId>,
    depth: usize,
    difference: &mut Difference,
) -> Result<(), GateError> {
    if before == after {
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err(GateError::TooDeep);
    }
    let entries = |tree: Option<ObjectId>| tree.map_or(Ok(Vec::new()), |it| repository.entries(it));
    let mut old: BTreeMap<BString, Held> = entries(before)?.into_iter().collect();
    for (name, after) in entries(after)? {
        let before = old.remove(&name);
        let mut below = path.clone();
        below.extend_from_slice(&name);
        entry(repository, below, before, Some(after), depth, difference)?;
    }
    for (name, before) in old {
        let mut below = path.clone();
        below.extend_from_slice(&name);
        entry(repository, below, Some(before), None, depth, difference)?;
    }
    Ok(())
}

/// Compares what two trees hold under a name, which may be a file in one and a folder in the other.
pub(super) fn entry(
    repository: &Repository,
    path: BString,
    before: Option<Held>,
    after: Option<Held>,
    depth: usize,
    difference: &mut Difference,
) -> Result<(), GateError> {
    let (old_tree, old_file) = split(before);
    let (new_tree, new_file) = split(after);
    match (old_file, new_file) {
        (old, Some(new)) => difference.add(path.clone(), old, new),
        (Some(old), None) if is_blob(old.kind) => {
            difference.gone.push(Gone { path: path.clone(), id: old.id });
        }
        (_, None) => {}
    }
    if old_tree.is_some() || new_tree.is_some() {
        let mut below = path;
        below.push(b'/');
        trees(repository, &below, old_tree, new_tree, depth + 1, difference)?;
    }
    Ok(())
}

fn split(held: Option<Held>) -> (Option<ObjectId>, Option<Held>) {
    match held {
        Some(held) if held.kind == EntryKind::Tree => (Some(held.id), None),
        other => (None, other),
    }
}

/// Whether the content is here: that of a submodule is in another repository.
pub(super) fn is_blob(kind: EntryKind) -> bool {
    matches!(kind, EntryKind::Blob | EntryKind::BlobExecutable | EntryKind::Link)
}
