//! A selection becomes blobs, files and commits that are looked at.

use std::collections::BTreeSet;
use std::path::PathBuf;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use super::change::{self, Change};
use super::history::{self, Commits, MAX_COMMITS};
use super::push::Update;
use super::repository::{Repository, unreadable};
use super::staged::Staged;
use super::{GateError, Selection, files};

/// What is looked at.
#[derive(Default)]
pub(super) struct Selected {
    /// Single blobs and files.
    pub items: Vec<Item>,
    /// Commits, each for what it adds.
    pub commits: Vec<ObjectId>,
    /// What names exactly this, where that is known before anything was read.
    pub identity: Option<String>,
    /// What is to be said of it.
    pub notes: Vec<String>,
}

/// A single thing that is looked at.
pub(super) enum Item {
    /// A blob.
    Change(Change),
    /// A blob of the index that was named, all of which counts.
    Named(Change),
    /// A file of the working tree that was named: its path as it was named, and where it is.
    File(PathBuf, PathBuf),
}

/// Finds what a selection names.
pub(super) fn select(
    repository: &Repository,
    selection: &Selection,
) -> Result<Selected, GateError> {
    match selection {
        Selection::Staged | Selection::Merge(_) => {
            let staged = Staged::read(repository)?;
            let mut parents: Vec<ObjectId> = repository.head()?.into_iter().collect();
            parents.extend(repository.merging()?);
            if let Selection::Merge(heads) = selection {
                parents.extend(heads);
            }
            // An id of another kind would be none of an object, and looking for it ends the program.
            if parents.iter().any(|id| id.kind() != repository.hash_kind()) {
                return Err(unreadable("what is merged")(
                    "an id of another kind than the repository's",
                ));
            }
            let (mut of_parents, mut deletes) = (Vec::new(), false);
            for parent in &parents {
                let difference = staged.against(Some(repository.tree_of(*parent)?))?;
                deletes |= !difference.gone.is_empty();
                of_parents.push(difference.paired());
            }
            if parents.is_empty() {
                of_parents.push(staged.against(None)?.paired());
            }
            let changes = change::merged(of_parents);
            let nothing = match (changes.is_empty(), deletes) {
                (false, _) => None,
                (true, false) => Some("nothing is staged, so there is nothing to look at"),
                (true, true) => {
                    Some("nothing but deletions is staged, so there is nothing to look at")
                }
            };
            let items = changes.into_iter().map(Item::Change).collect();
            let identity = Some(format!("tree {}", staged.tree()?));
            let notes = nothing.into_iter().map(str::to_owned).collect();
            Ok(Selected { items, identity, notes, ..Selected::default() })
        }
        Selection::Tracked => {
            let staged = Staged::read(repository)?;
            let changes = staged.all()?.changes;
            let nothing = changes.is_empty().then(|| "no file is tracked".to_owned());
            let items = changes.into_iter().map(Item::Change).collect();
            let identity = Some(format!("tree {}", staged.tree()?));
            Ok(Selected {
                items,
                identity,
                notes: nothing.into_iter().collect(),
                ..Selected::default()
            })
        }
        Selection::Range(text) => {
            let (from, to) = history::ends(text)?;
            let to = repository.commit(to)?;
            let commits = match from {
                Some(from) => {
                    let from = repository.commit(from)?;
                    history::walk(repository, &[to], &[from], MAX_COMMITS)?
                }
                None => {
                    let cut = usize::from(repository.shallow()?.contains(&to));
                    Commits { ids: vec![to], cut }
                }
            };
            let mut selected = Selected::default();
            selected.add(commits, "the range has no commit, so there is nothing to look at");
            Ok(selected)
        }
        Selection::AllHistory => {
            let tips = repository.tips()?;
            let mut selected = Selected::default();
            let commits = selected.peel(repository, tips)?;
            let commits = history::walk(repository, &commits, &[], MAX_COMMITS)?;
            selected.add(commits, "there is no commit yet, so there is nothing to look at");
            Ok(selected)
        }
        Selection::Push { updates, remote } => pushed(repository, updates, remote.as_deref()),
        Selection::Files(paths) => {
            let staged = Staged::read(repository)?;
            let items = files::named(repository, &staged, paths)?;
            Ok(Selected { items, ..Selected::default() })
        }
    }
}

/// What a push brings to a remote that it does not have.
fn pushed(
    repository: &Repository,
    updates: &[Update],
    remote: Option<&str>,
) -> Result<Selected, GateError> {
    let mut selected = Selected::default();
    let tips = updates.iter().filter_map(|it| Some((it.name.clone(), it.new?))).collect();
    let tips = selected.peel(repository, tips)?;
    let mut hidden = repository.tracked_of(remote)?;
    // What is there and not here hides nothing: it cannot be told what it leads to.
    hidden.extend(updates.iter().filter_map(|it| repository.commit_of(it.old?)));
    let commits = history::walk(repository, &tips, &hidden, MAX_COMMITS)?;
    let nothing = if updates.iter().any(|it| it.new.is_some()) {
        "the remote has every commit of the push, so there is nothing to look at"
    } else {
        "the push brings no commit, so there is nothing to look at"
    };
    selected.add(commits, nothing);
    Ok(selected)
}

impl Selected {
    /// Takes in commits; `nothing` is said where there is nothing to look at.
    fn add(&mut self, commits: Commits, nothing: &str) {
        let Commits { ids, cut } = commits;
        if ids.is_empty() && self.items.is_empty() {
            self.notes.push(nothing.to_owned());
        }
        if cut > 0 {
            self.notes.push(format!(
                "{cut} of the commits count whole, since the clone is shallow and their parents are not \
                 here"
            ));
        }
        let mut names: BTreeSet<String> = ids.iter().map(|id| format!("commit {id}")).collect();
        names.extend(self.items.iter().filter_map(|item| match item {
            Item::Change(change) => Some(format!("blob {}", change.id)),
            _ => None,
        }));
        let names: Vec<String> = names.into_iter().collect();
        let whole = if cut > 0 { "shallow\n" } else { "" };
        self.identity = Some(format!("commits\n{whole}{}", names.join("\n")));
        self.commits = ids;
    }

    /// The commits that references lead to. One may lead to a tree or a blob alone: all that counts.
    fn peel(
        &mut self,
        repository: &Repository,
        tips: Vec<(BString, ObjectId)>,
    ) -> Result<Vec<ObjectId>, GateError> {
        let mut commits = Vec::new();
        for (name, id) in tips {
            let object = repository.inner.find_object(id).map_err(unreadable("a reference"))?;
            let object = object.peel_tags_to_end().map_err(unreadable("a tag"))?;
            match object.kind {
                Kind::Commit => commits.push(object.id),
                Kind::Tree => {
                    let tree = change::between(repository, None, Some(object.id))?;
                    self.items.extend(tree.changes.into_iter().map(Item::Change));
                }
                Kind::Blob | Kind::Tag => self.items.push(Item::Change(Change {
                    commit: None,
                    path: name.as_bstr().to_owned(),
                    kind: EntryKind::Blob,
                    id: object.id,
                    before: Vec::new(),
                })),
            }
        }
        Ok(commits)
    }
}
