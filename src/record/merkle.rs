//! The Merkle tree of RFC 6962 section 2.1: hashes, the right edge, proofs and their checks.
//!
//! The tree itself is never held. Its edge, one hash for each set bit of the size, is enough to add
//! leaves and to know the root. Proofs are built from subtree hashes that the caller looks up.

use sha2::{Digest, Sha256};

/// A SHA-256 hash: of a leaf, a node or a whole tree.
pub type Hash = [u8; 32];

/// The hash of a leaf: SHA-256 over a zero byte and the content.
pub fn leaf_hash(content: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(content).finalize().into()
}

/// The hash of an inner node: SHA-256 over a one byte and both children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of the tree without leaves.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The right edge of a tree: the roots of the perfect subtrees it is made of, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    hashes: Vec<Hash>,
}

impl Edge {
    /// The edge with these hashes; none where their number does not fit the size.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Option<Edge> {
        (hashes.len() == size.count_ones() as usize).then_some(Edge { size, hashes })
    }

    /// Leaves of the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// One hash for each set bit of the size, largest subtree first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Adds a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut rest = self.size;
        while rest & 1 == 1 {
            if let Some(left) = self.hashes.pop() {
                hash = node_hash(&left, &hash);
            }
            rest >>= 1;
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut right_to_left = self.hashes.iter().rev();
        match right_to_left.next() {
            None => empty_root(),
            Some(last) => right_to_left.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

/// Looks up the root of the perfect subtree of `2^level` leaves that is number `index` of its level.
pub type Lookup<'a, E> = dyn FnMut(u32, u64) -> Result<Hash, E> + 'a;

/// The proof that leaf `index` is in the tree of `size` leaves (RFC 6962 section 2.1.1), nearest
/// sibling first; none where there is no such leaf.
///
/// # Errors
/// Those of the lookup.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    lookup: &mut Lookup<'_, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if index >= size {
        return Ok(None);
    }
    let mut proof = Vec::new();
    let (mut begin, mut end) = (0, size);
    while end - begin > 1 {
        let middle = begin + left_part(end - begin);
        if index < middle {
            proof.push(range_root(middle, end, lookup)?);
            end = middle;
        } else {
            proof.push(range_root(begin, middle, lookup)?);
            begin = middle;
        }
    }
    proof.reverse();
    Ok(Some(proof))
}

/// The proof that the tree of `size` leaves begins with that of `earlier` leaves (RFC 6962 section
/// 2.1.2); none where `earlier` is zero or more than `size`. Empty for equal sizes.
///
/// # Errors
/// Those of the lookup.
pub fn consistency_proof<E>(
    earlier: u64,
    size: u64,
    lookup: &mut Lookup<'_, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if earlier == 0 || earlier > size {
        return Ok(None);
    }
    let mut proof = Vec::new();
    let (mut begin, mut end) = (0, size);
    while end != earlier {
        let middle = begin + left_part(end - begin);
        if earlier <= middle {
            proof.push(range_root(middle, end, lookup)?);
            end = middle;
        } else {
            proof.push(range_root(begin, middle, lookup)?);
            begin = middle;
        }
    }
    if begin != 0 {
        proof.push(range_root(begin, end, lookup)?);
    }
    proof.reverse();
    Ok(Some(proof))
}

/// The root of the tree of the first `size` leaves.
///
/// # Errors
/// Those of the lookup.
pub fn tree_root<E>(size: u64, lookup: &mut Lookup<'_, E>) -> Result<Hash, E> {
    if size == 0 { Ok(empty_root()) } else { range_root(0, size, lookup) }
}

/// Whether the proof leads from the leaf to the root (RFC 9162 section 2.1.3.2).
pub fn includes(proof: &[Hash], index: u64, leaf: &Hash, size: u64, root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether the proof shows that the later tree begins with the earlier one (RFC 9162 section
/// 2.1.4.2). The empty tree is the beginning of every tree.
pub fn extends(proof: &[Hash], earlier: (u64, &Hash), later: (u64, &Hash)) -> bool {
    let ((first, first_root), (second, second_root)) = (earlier, later);
    if first == second {
        return proof.is_empty() && first_root == second_root;
    }
    if first > second {
        return false;
    }
    if first == 0 {
        return proof.is_empty() && *first_root == empty_root();
    }
    let mut siblings = proof.iter();
    let start = if first.is_power_of_two() { Some(first_root) } else { siblings.next() };
    let Some(start) = start else { return false };
    let (mut node, mut last) = (first - 1, second - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (*start, *start);
    for sibling in siblings {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && old == *first_root && new == *second_root
}

/// The root of the leaves `begin..end`, which RFC 6962 splits as a tree of its own.
fn range_root<E>(begin: u64, end: u64, lookup: &mut Lookup<'_, E>) -> Result<Hash, E> {
    // Subtrees from left to right; each is perfect and aligned, since the parts before it are larger.
    let mut parts = Vec::new();
    let mut at = begin;
    while at < end {
        let level = (end - at).ilog2();
        parts.push(lookup(level, at >> level)?);
        at += 1 << level;
    }
    let mut right_to_left = parts.into_iter().rev();
    let last = right_to_left.next().unwrap_or_else(empty_root);
    Ok(right_to_left.fold(last, |right, left| node_hash(&left, &right)))
}

/// The largest power of two below `count`, which is at least 2.
fn left_part(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// Looks subtrees up in a list of all leaf hashes, by hashing.
pub fn from_leaves(leaves: &[Hash]) -> impl FnMut(u32, u64) -> Result<Hash, MissingLeaf> + '_ {
    move |level, index| {
        let begin = index.checked_mul(1 << level);
        let end = begin.and_then(|begin| begin.checked_add(1 << level));
        let place = |at: Option<u64>| at.and_then(|at| usize::try_from(at).ok());
        let range = place(begin).zip(place(end));
        let leaves = range.and_then(|(begin, end)| leaves.get(begin..end)).ok_or(MissingLeaf)?;
        let mut edge = Edge::default();
        leaves.iter().for_each(|leaf| edge.push(*leaf));
        Ok(edge.root())
    }
}

/// A proof needs a leaf that is not in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a leaf hash is missing")]
pub struct MissingLeaf;

#[cfg(test)]
mod tests {
    use super::*;
    use tlog_tiles::tlog;

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    /// All stored hashes of a tree, in the order of the foreign library.
    #[derive(Default)]
    struct Hashes(Vec<tlog::Hash>);

    impl tlog::HashReader for Hashes {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
            Ok(indexes.iter().map(|index| self.0[*index as usize]).collect())
        }
    }

    fn stored(leaves: &[Hash]) -> Hashes {
        let mut stored = Hashes::default();
        for (n, leaf) in leaves.iter().enumerate() {
            let new = tlog::stored_hashes_for_record_hash(n as u64, tlog::Hash(*leaf), &stored);
            stored.0.extend(new.unwrap());
        }
        stored
    }

    #[test]
    fn roots_and_proofs_agree_with_another_library_for_every_small_tree() {
        let all = leaves(70);
        let stored = stored(&all);
        let mut edge = Edge::default();
        assert_eq!(edge.root(), empty_root());
        for size in 1..=70u64 {
            edge.push(all[size as usize - 1]);
            let root = edge.root();
            assert_eq!(tlog::tree_hash(size, &stored).unwrap().0, root);
            assert_eq!(tree_root(size, &mut from_leaves(&all)).unwrap(), root);
            for index in 0..size {
                let proof = inclusion_proof(index, size, &mut from_leaves(&all)).unwrap().unwrap();
                let theirs = tlog::prove_record(size, index, &stored).unwrap();
                assert_eq!(proof, theirs.iter().map(|hash| hash.0).collect::<Vec<_>>());
                assert!(includes(&proof, index, &all[index as usize], size, &root));
                assert!(!includes(&proof, index, &leaf_hash(b"other"), size, &root));
                assert!(!includes(&proof, index + 1, &all[index as usize], size, &root));
            }
            for earlier in 1..=size {
                let old = tree_root(earlier, &mut from_leaves(&all)).unwrap();
                let proof =
                    consistency_proof(earlier, size, &mut from_leaves(&all)).unwrap().unwrap();
                let theirs = tlog::prove_tree(size, earlier, &stored).unwrap();
                assert_eq!(proof, theirs.iter().map(|hash| hash.0).collect::<Vec<_>>());
                assert!(extends(&proof, (earlier, &old), (size, &root)), "{earlier} {size}");
                assert!(!extends(&proof, (earlier, &leaf_hash(b"")), (size, &root)));
                assert!(!extends(&proof, (earlier, &old), (size, &leaf_hash(b""))));
                if earlier < size {
                    let longer = [proof.clone(), vec![root]].concat();
                    assert!(!extends(&longer, (earlier, &old), (size, &root)));
                    assert!(!extends(&proof[..proof.len() - 1], (earlier, &old), (size, &root)));
                }
            }
        }
    }

    #[test]
    fn there_is_no_proof_of_what_is_not_there() {
        let all = leaves(5);
        assert_eq!(inclusion_proof(5, 5, &mut from_leaves(&all)), Ok(None));
        assert_eq!(consistency_proof(0, 5, &mut from_leaves(&all)), Ok(None));
        assert_eq!(consistency_proof(6, 5, &mut from_leaves(&all)), Ok(None));
        assert_eq!(inclusion_proof(1, 6, &mut from_leaves(&all)), Err(MissingLeaf));
        assert!(extends(&[], (0, &empty_root()), (5, &leaf_hash(b""))));
        assert!(!extends(&[], (6, &empty_root()), (5, &empty_root())));
        assert!(!includes(&[], u64::MAX, &empty_root(), u64::MAX, &empty_root()));
    }

    #[test]
    fn the_edge_is_made_of_as_many_hashes_as_the_size_has_bits() {
        assert!(Edge::from_parts(5, leaves(2)).is_some());
        assert!(Edge::from_parts(5, leaves(3)).is_none());
        assert_eq!(Edge::from_parts(0, Vec::new()), Some(Edge::default()));
    }
}
