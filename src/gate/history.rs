//! Commits: which ones a range has, and what each adds to its parents.

use std::collections::{BinaryHeap, HashMap, HashSet};

use gix::ObjectId;

use super::GateError;
use super::change::{self, Change};
use super::repository::{Commit, Repository};

/// Commits that one walk looks at.
pub(super) const MAX_COMMITS: usize = 5_000_000;

/// Commits of a walk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Commits {
    /// Parents before children, except where clocks went back.
    pub ids: Vec<ObjectId>,
    /// Those of them whose parents are not here, since the clone is shallow.
    pub cut: usize,
}

/// What a walk knows of a commit.
struct Mark {
    parents: Vec<ObjectId>,
    hidden: bool,
    waits: bool,
}

/// Commits that can be reached from `tips` and not from `hidden`. Newest ones are looked at first, so
/// that of a long history only its end is read; where clocks of committers went back it may be that
/// one is taken that can be reached from `hidden` too, and never that one is left out.
///
/// # Errors
///
/// A commit cannot be read, or there are more than `limit`.
pub(super) fn walk(
    repository: &Repository,
    tips: &[ObjectId],
    hidden: &[ObjectId],
    limit: usize,
) -> Result<Commits, GateError> {
    let mut walk = Walk {
        repository,
        shallow: repository.shallow()?,
        marks: HashMap::new(),
        queue: BinaryHeap::new(),
        wanted: 0,
        limit,
    };
    for id in hidden {
        walk.reach(*id, true)?;
    }
    for id in tips {
        walk.reach(*id, false)?;
    }
    let (mut order, mut oldest) = (Vec::new(), i64::MAX);
    // A hidden commit that is no older than one that is wanted may still lead to it.
    while let Some((time, id)) = walk.queue.peek().copied() {
        if walk.wanted == 0 && time < oldest {
            break;
        }
        walk.queue.pop();
        let Some(mark) = walk.marks.get_mut(&id) else {
            continue;
        };
        mark.waits = false;
        let (parents, hidden) = (mark.parents.clone(), mark.hidden);
        if !hidden {
            walk.wanted -= 1;
            oldest = oldest.min(time);
            order.push(id);
        }
        for parent in parents {
            walk.reach(parent, hidden)?;
        }
    }
    order.retain(|id| walk.marks.get(id).is_some_and(|it| !it.hidden));
    order.reverse();
    let cut = order.iter().filter(|id| walk.shallow.contains(*id)).count();
    Ok(Commits { ids: order, cut })
}

struct Walk<'r> {
    repository: &'r Repository,
    shallow: HashSet<ObjectId>,
    marks: HashMap<ObjectId, Mark>,
    queue: BinaryHeap<(i64, ObjectId)>,
    /// Commits in the queue that are not hidden.
    wanted: usize,
    limit: usize,
}

impl Walk<'_> {
    /// Takes in a commit, or hides one that was taken in, with what is known behind it.
    fn reach(&mut self, id: ObjectId, hidden: bool) -> Result<(), GateError> {
        if !self.marks.contains_key(&id) {
            if self.marks.len() >= self.limit {
                return Err(GateError::TooManyCommits);
            }
            let Commit { parents, time, .. } = self.repository.read_commit(id)?;
            let parents = if self.shallow.contains(&id) { Vec::new() } else { parents };
            self.marks.insert(id, Mark { parents, hidden, waits: true });
            self.queue.push((time, id));
            self.wanted += usize::from(!hidden);
            return Ok(());
        }
        let mut known = if hidden { vec![id] } else { Vec::new() };
        while let Some(id) = known.pop() {
            let Some(mark) = self.marks.get_mut(&id).filter(|it| !it.hidden) else {
                continue;
            };
            mark.hidden = true;
            if mark.waits {
                self.wanted -= 1;
            } else {
                known.extend(&mark.parents);
            }
        }
        Ok(())
    }
}

/// What a commit adds to its parents; of a merge, what it adds to each of them. A commit whose
/// parents are not here, since the clone is shallow, adds all that it holds.
pub(super) fn changes(repository: &Repository, id: ObjectId) -> Result<Vec<Change>, GateError> {
    let Commit { tree, parents, .. } = repository.read_commit(id)?;
    let parents = if repository.shallow()?.contains(&id) { Vec::new() } else { parents };
    let mut of_parents = Vec::new();
    for parent in &parents {
        let before = repository.tree_of(*parent)?;
        of_parents.push(change::between(repository, Some(before), Some(tree))?.paired());
    }
    if parents.is_empty() {
        of_parents.push(change::between(repository, None, Some(tree))?.paired());
    }
    let mut changes = change::merged(of_parents);
    for change in &mut changes {
        change.commit = Some(id);
    }
    Ok(changes)
}

/// The two ends of `A..B`, where a missing one is the head; the first is none for a revision alone.
///
/// # Errors
///
/// It is neither.
pub(super) fn ends(text: &str) -> Result<(Option<&str>, &str), GateError> {
    let bad = || GateError::BadRange(text.to_owned());
    if text.is_empty() || text.contains("...") || text.starts_with(['^', '-']) {
        return Err(bad());
    }
    let Some((from, to)) = text.split_once("..") else {
        return Ok((None, text));
    };
    if to.contains("..") || (from.is_empty() && to.is_empty()) {
        return Err(bad());
    }
    let or_head = |end| Some(end).filter(|it: &&str| !it.is_empty()).unwrap_or("HEAD");
    Ok((Some(or_head(from)), or_head(to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository whose commits have these parents and times.
    fn repository(commits: &[(&[usize], i64)]) -> (tempfile::TempDir, Repository, Vec<ObjectId>) {
        let folder = tempfile::tempdir().unwrap();
        let inner = gix::init(folder.path()).unwrap();
        let mut ids: Vec<ObjectId> = Vec::new();
        for (parents, seconds) in commits {
            let time = gix::date::Time::new(*seconds, 0);
            let who = gix::actor::Signature { name: "A".into(), email: "a".into(), time };
            let commit = gix::objs::Commit {
                tree: ObjectId::empty_tree(gix::hash::Kind::Sha1),
                parents: parents.iter().map(|it| ids[*it]).collect(),
                author: who.clone(),
                committer: who,
                encoding: None,
                message: ids.len().to_string().into(),
                extra_headers: Vec::new(),
            };
            ids.push(inner.write_object(&commit).unwrap().detach());
        }
        (folder, Repository::of(inner), ids)
    }

    #[test]
    fn more_commits_than_the_limit_are_refused() {
        let (_folder, repository, ids) = repository(&[(&[], 1), (&[0], 2), (&[1], 3)]);
        assert_eq!(walk(&repository, &ids[2..], &[], 3).unwrap().ids, ids);
        let refused = walk(&repository, &ids[2..], &[], 2);
        assert!(matches!(refused, Err(GateError::TooManyCommits)));
    }

    #[test]
    fn clocks_that_went_back_leave_no_commit_out() {
        // 0 - 1 - 2 - 4 (to), and 2 - 3 (from), with any times.
        let parents: [&[usize]; 5] = [&[], &[0], &[1], &[2], &[2]];
        for seed in (0..243_i64).step_by(5) {
            let time = |at: u32| seed / 3_i64.pow(at) % 3;
            let commits: Vec<(&[usize], i64)> =
                parents.iter().zip(0..).map(|(parents, at)| (*parents, time(at))).collect();
            let (_folder, repository, ids) = repository(&commits);
            let found = walk(&repository, &[ids[4]], &[ids[3]], 100).unwrap().ids;
            assert!(found.contains(&ids[4]), "{seed}");
            let is_sorted =
                (1..5).all(|at| parents[at].iter().all(|it| time(*it as u32) <= time(at as u32)));
            assert!(!is_sorted || found == [ids[4]], "{seed}: {found:?}");
        }
    }

    #[test]
    fn a_range_has_two_ends_and_a_revision_one() {
        assert_eq!(ends("a..b").unwrap(), (Some("a"), "b"));
        assert_eq!(ends("a..").unwrap(), (Some("a"), "HEAD"));
        assert_eq!(ends("..b").unwrap(), (Some("HEAD"), "b"));
        assert_eq!(ends("v1.0").unwrap(), (None, "v1.0"));
        for text in ["", "..", "a...b", "^a", "a..b..c", "--all"] {
            assert!(matches!(ends(text), Err(GateError::BadRange(_))), "{text}");
        }
    }
}
