//! Which of the files that went is the one that has moved here.
//!
//! A file that is new under its path is compared with those that went at the same time, and what it
//! shares with the one most like it was not added. Git pairs files one to one to show them; here
//! several may have come from one, since none of them holds a line that was not there before.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use super::GateError;
use super::change::Gone;
use super::repository::{Content, Repository};

/// Files that went that a new one is compared with. As git, which has the same limit.
pub(super) const MAX_CANDIDATES: usize = 1_000;

/// Bytes of a file that is compared with others.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// Bytes of all the files that one is compared with.
pub(super) const MAX_TOTAL_BYTES: u64 = 8 << 20;

/// The share of its bytes, in percent, that the larger of two files has in lines of the other at the
/// least. As git.
const SIMILARITY: u64 = 50;

/// The content of the file that is most like this one; none where none is, and where a limit is met:
/// then all its lines count.
pub(super) fn most_like(
    repository: &Repository,
    gone: &[Gone],
    path: &[u8],
    bytes: &[u8],
) -> Result<Option<Vec<u8>>, GateError> {
    let size = bytes.len() as u64;
    if gone.len() > MAX_CANDIDATES || size > MAX_BYTES || size == 0 {
        return Ok(None);
    }
    let mut candidates = Vec::new();
    for gone in gone {
        let other = repository.size(gone.id)?;
        if other.min(size) * 100 >= other.max(size) * SIMILARITY {
            candidates.push((gone, other));
        }
    }
    if candidates.iter().map(|(_, size)| size).sum::<u64>() > MAX_TOTAL_BYTES {
        return Ok(None);
    }
    let lines = Lines::new(bytes);
    let mut best: Option<(u64, bool, Vec<u8>)> = None;
    for (gone, _) in candidates {
        let Content::Whole(before) = repository.blob(gone.id, MAX_BYTES)? else {
            continue;
        };
        let (shared, larger) = (lines.shared(&before), size.max(before.len() as u64));
        if shared * 100 < larger * SIMILARITY {
            continue;
        }
        // In thousandths, so that a name that stayed decides between those as good.
        let rank = (shared * 1_000 / larger, name(&gone.path) == name(path));
        if best.as_ref().is_none_or(|(like, same, _)| rank > (*like, *same)) {
            best = Some((rank.0, rank.1, before));
        }
    }
    Ok(best.map(|(_, _, before)| before))
}

fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// The lines of a file, and how often it has each.
struct Lines {
    hasher: RandomState,
    counts: HashMap<u64, u64>,
}

impl Lines {
    fn new(bytes: &[u8]) -> Lines {
        let hasher = RandomState::new();
        let mut counts = HashMap::new();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            *counts.entry(hasher.hash_one(line)).or_default() += 1;
        }
        Lines { hasher, counts }
    }

    /// Bytes of another file in lines that are here too, each as often as it is here.
    fn shared(&self, other: &[u8]) -> u64 {
        let mut counts = self.counts.clone();
        let mut shared = 0;
        for line in other.split_inclusive(|byte| *byte == b'\n') {
            if let Some(left) = counts.get_mut(&self.hasher.hash_one(line)).filter(|it| **it > 0) {
                *left -= 1;
                shared += line.len() as u64;
            }
        }
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shared_as_often_as_both_have_them() {
        let lines = Lines::new(b"a\na\nb\n");
        assert_eq!(lines.shared(b"a\nb\na\na\n"), 6);
        assert_eq!(lines.shared(b"b"), 0);
        assert_eq!(lines.shared(b""), 0);
    }
}
