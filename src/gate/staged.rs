//! The index: what it would make of the next commit.
//!
//! Of a large repository nearly all is as it was. The index says of each folder, in its cache of
//! trees, which tree a commit would write for it, and git writes that one without looking further; so
//! a folder whose tree is that of the head is not looked into.

use std::collections::BTreeMap;
use std::ops::Range;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::index::entry::{Flags, Mode, Stage};
use gix::index::extension::Tree as Cached;
use gix::objs::WriteTo;
use gix::objs::tree::{Entry, EntryKind};

use super::GateError;
use super::change::{self, Difference, MAX_DEPTH};
use super::repository::{Held, Repository, unreadable};

/// Paths of unmerged files that an error names.
const NAMED: usize = 5;

/// The index of a worktree.
pub(super) struct Staged<'a> {
    repository: &'a Repository,
    index: &'a gix::index::File,
}

/// What the index holds under one name of a folder.
enum Group {
    /// A file, a link or a submodule.
    File(Held),
    /// A folder whose files are not in the index (sparse): its tree.
    Sparse(ObjectId),
    /// A folder: its files, by position.
    Folder(Range<usize>),
}

impl<'a> Staged<'a> {
    /// Reads the index; an empty one where there is no file.
    ///
    /// # Errors
    ///
    /// There cannot be one, it cannot be read, or files in it are not merged yet.
    pub fn read(repository: &'a Repository) -> Result<Staged<'a>, GateError> {
        let staged = Staged { repository, index: repository.index()? };
        let known = [Mode::FILE, Mode::FILE_EXECUTABLE, Mode::SYMLINK, Mode::COMMIT, Mode::DIR];
        if staged.index.entries().iter().any(|it| !known.contains(&it.mode)) {
            return Err(unreadable("the index")("it holds an entry of an unknown kind"));
        }
        let unmerged = staged.index.entries().iter().filter(|it| it.stage() != Stage::Unconflicted);
        let mut paths: Vec<String> =
            unmerged.map(|it| it.path(staged.index).to_str_lossy().into_owned()).collect();
        paths.dedup();
        if !paths.is_empty() {
            paths.truncate(NAMED);
            return Err(GateError::Unmerged(paths));
        }
        Ok(staged)
    }

    /// What differs from a tree.
    pub fn against(&self, tree: Option<ObjectId>) -> Result<Difference, GateError> {
        let mut difference = Difference::default();
        let all = 0..self.index.entries().len();
        self.compare((&BString::default(), 0), all, self.index.tree(), tree, &mut difference)?;
        Ok(difference)
    }

    /// Everything that the index holds, as new.
    pub fn all(&self) -> Result<Difference, GateError> {
        let mut difference = Difference::default();
        for entry in self.index.entries() {
            let path = entry.path(self.index);
            if entry.mode == Mode::DIR {
                let path = BString::from(path.to_vec());
                change::trees(self.repository, &path, None, Some(entry.id), 0, &mut difference)?;
            } else if let Some(held) = held(entry) {
                difference.add(path.to_owned(), None, held);
            }
        }
        Ok(difference)
    }

    /// The blob that is staged for a path.
    pub fn blob(&self, path: &BStr) -> Option<Held> {
        self.index.entry_by_path(path).and_then(held)
    }

    /// Id of the tree that a commit of the index has.
    pub fn tree(&self) -> Result<ObjectId, GateError> {
        self.tree_of((&BString::default(), 0), 0..self.index.entries().len(), self.index.tree())
    }

    /// Compares a folder, `depth` folders deep, with a tree.
    fn compare(
        &self,
        (folder, depth): (&BString, usize),
        range: Range<usize>,
        cached: Option<&Cached>,
        tree: Option<ObjectId>,
        difference: &mut Difference,
    ) -> Result<(), GateError> {
        if let (Some(valid), Some(tree)) = (cached.filter(|it| it.num_entries.is_some()), tree)
            && valid.id == tree
        {
            return Ok(());
        }
        if depth > MAX_DEPTH {
            return Err(GateError::TooDeep);
        }
        let entries = tree.map_or(Ok(Vec::new()), |tree| self.repository.entries(tree))?;
        let mut old: BTreeMap<BString, Held> = entries.into_iter().collect();
        for (name, group) in self.groups(folder, range) {
            let before = old.remove(&name);
            let mut path = folder.clone();
            path.extend_from_slice(&name);
            match group {
                Group::File(after) => {
                    change::entry(self.repository, path, before, Some(after), 0, difference)?;
                }
                Group::Sparse(id) => {
                    let after = Held { kind: EntryKind::Tree, id };
                    change::entry(self.repository, path, before, Some(after), 0, difference)?;
                }
                Group::Folder(range) => {
                    let is_tree = before.filter(|it| it.kind == EntryKind::Tree);
                    if before.is_some() && is_tree.is_none() {
                        // A file has become a folder.
                        change::entry(self.repository, path.clone(), before, None, 0, difference)?;
                    }
                    path.push(b'/');
                    let cached = child(cached, &name);
                    let tree = is_tree.map(|it| it.id);
                    self.compare((&path, depth + 1), range, cached, tree, difference)?;
                }
            }
        }
        for (name, before) in old {
            let mut path = folder.clone();
            path.extend_from_slice(&name);
            change::entry(self.repository, path, Some(before), None, 0, difference)?;
        }
        Ok(())
    }

    fn tree_of(
        &self,
        (folder, depth): (&BString, usize),
        range: Range<usize>,
        cached: Option<&Cached>,
    ) -> Result<ObjectId, GateError> {
        if let Some(valid) = cached.filter(|it| it.num_entries.is_some()) {
            return Ok(valid.id);
        }
        if depth > MAX_DEPTH {
            return Err(GateError::TooDeep);
        }
        let mut tree = gix::objs::Tree::empty();
        for (name, group) in self.groups(folder, range) {
            let (kind, id) = match group {
                Group::File(held) => (held.kind, held.id),
                Group::Sparse(id) => (EntryKind::Tree, id),
                Group::Folder(range) => {
                    let mut below = folder.clone();
                    below.extend_from_slice(&name);
                    below.push(b'/');
                    let empty = range.is_empty();
                    let id = self.tree_of((&below, depth + 1), range, child(cached, &name))?;
                    if empty || id.is_empty_tree() {
                        continue;
                    }
                    (EntryKind::Tree, id)
                }
            };
            tree.entries.push(Entry { mode: kind.into(), filename: name, oid: id });
        }
        tree.entries.sort();
        let mut bytes = Vec::new();
        tree.write_to(&mut bytes).map_err(unreadable("the index"))?;
        let hash = self.repository.inner.object_hash();
        gix::objs::compute_hash(hash, gix::objs::Kind::Tree, &bytes)
            .map_err(unreadable("the index"))
    }

    /// What stands directly in a folder, whose files are those of a range. Entries are sorted by their
    /// path, so that those of a folder stand together.
    fn groups(&self, folder: &BString, range: Range<usize>) -> Vec<(BString, Group)> {
        let entries = self.index.entries();
        let mut groups = Vec::new();
        let mut at = range.start;
        while let Some(entry) = entries.get(at).filter(|_| at < range.end) {
            let path = entry.path(self.index);
            let below = path.get(folder.len()..).unwrap_or_default();
            let Some(slash) = below.find_byte(b'/') else {
                groups.extend(held(entry).map(|held| (below.into(), Group::File(held))));
                at += 1;
                continue;
            };
            let name = below.get(..slash).unwrap_or_default();
            if slash + 1 == below.len() {
                groups.push((name.into(), Group::Sparse(entry.id)));
                at += 1;
                continue;
            }
            let prefix = path.get(..folder.len() + slash + 1).unwrap_or_default();
            let rest = entries.get(at..range.end).unwrap_or_default();
            let inside = rest.partition_point(|it| it.path(self.index).starts_with(prefix));
            groups.push((name.into(), Group::Folder(at..at + inside)));
            at += inside.max(1);
        }
        groups
    }
}

/// What a commit holds for an entry; none for one that is only announced (`git add -N`), and for one
/// that is about to be removed.
fn held(entry: &gix::index::Entry) -> Option<Held> {
    if entry.flags.intersects(Flags::INTENT_TO_ADD | Flags::REMOVE) {
        return None;
    }
    let kind = entry.mode.to_tree_entry_mode()?.kind();
    Some(Held { kind, id: entry.id })
}

fn child<'c>(cached: Option<&'c Cached>, name: &[u8]) -> Option<&'c Cached> {
    cached?.children.iter().find(|it| it.name.as_slice() == name)
}
