//! Files that were named one by one, as the pre-commit framework does.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use gix::bstr::{BString, ByteSlice};

use super::GateError;
use super::change::Change;
use super::repository::{Content, Repository};
use super::selected::Item;
use super::staged::Staged;

/// Finds named files: in the index, else in the working tree.
pub(super) fn named(
    repository: &Repository,
    staged: &Staged<'_>,
    paths: &[PathBuf],
) -> Result<Vec<Item>, GateError> {
    let here = std::env::current_dir()?;
    let root = repository.worktree().map(|root| root.canonicalize()).transpose()?;
    let mut items = Vec::new();
    for path in paths {
        let full = place(&here, path);
        let below = root.as_deref().and_then(|root| full.strip_prefix(root).ok());
        let below = below.map(|it| BString::from(it.as_os_str().as_encoded_bytes()));
        let held = below.as_ref().and_then(|below| staged.blob(below.as_bstr()));
        items.push(match (below, held) {
            (Some(below), Some(held)) => Item::Named(Change {
                commit: None,
                path: below,
                kind: held.kind,
                id: held.id,
                before: Vec::new(),
            }),
            _ => Item::File(path.clone(), full),
        });
    }
    Ok(items)
}

/// Where a file is: links on the way to it are followed, it is not.
fn place(here: &Path, path: &Path) -> PathBuf {
    let full = plain(&here.join(path));
    let folder = full.parent().and_then(|it| it.canonicalize().ok());
    match (folder, full.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => full,
    }
}

/// A path without `.` and `..`.
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// Reads a file, or the target of a link.
pub(super) fn read(path: &Path, limit: u64) -> io::Result<Content> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        return Ok(Content::Whole(fs::read_link(path)?.into_os_string().into_encoded_bytes()));
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Ok(Content::TooLarge(metadata.len().max(bytes.len() as u64)));
    }
    Ok(Content::Whole(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_what_leads_nowhere() {
        assert_eq!(plain(Path::new("/a/./b/../c")), Path::new("/a/c"));
        assert_eq!(plain(Path::new("/../a")), Path::new("/a"));
    }
}
