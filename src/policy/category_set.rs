//! A set of categories as bits.

use crate::model::CategoryIndex;

/// The most categories that a taxonomy may have for a policy: 512.
pub const MAX_CATEGORIES: usize = 512;

/// A set of categories below [`MAX_CATEGORIES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CategorySet {
    words: [u64; MAX_CATEGORIES / 64],
}

impl CategorySet {
    /// The empty set.
    pub fn new() -> CategorySet {
        CategorySet::default()
    }

    /// Adds a category. One past [`MAX_CATEGORIES`] is left out.
    pub fn insert(&mut self, index: CategoryIndex) {
        if let Some(word) = self.words.get_mut(usize::from(index.0 / 64)) {
            *word |= 1 << (index.0 % 64);
        }
    }

    /// Whether the category is in the set.
    pub fn contains(&self, index: CategoryIndex) -> bool {
        self.words
            .get(usize::from(index.0 / 64))
            .is_some_and(|word| word >> (index.0 % 64) & 1 == 1)
    }

    /// Whether every category of `other` is in this set.
    pub fn contains_all(&self, other: &CategorySet) -> bool {
        self.words.iter().zip(&other.words).all(|(ours, theirs)| theirs & !ours == 0)
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Adds every category of `other`.
    pub fn join(&mut self, other: &CategorySet) {
        for (ours, theirs) in self.words.iter_mut().zip(&other.words) {
            *ours |= theirs;
        }
    }

    /// The categories, in order.
    pub fn iter(&self) -> impl Iterator<Item = CategoryIndex> {
        (0..)
            .zip(self.words)
            .flat_map(|(at, word)| bits(word).map(move |bit| at * 64 + bit))
            .map(|position: u32| CategoryIndex(u16::try_from(position).unwrap_or(u16::MAX)))
    }
}

impl FromIterator<CategoryIndex> for CategorySet {
    fn from_iter<T: IntoIterator<Item = CategoryIndex>>(indexes: T) -> CategorySet {
        let mut set = CategorySet::new();
        indexes.into_iter().for_each(|index| set.insert(index));
        set
    }
}

/// The positions of the bits that are set, lowest first.
pub(super) fn bits(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let lowest = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(lowest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let indexes = [0, 1, 63, 64, 200, 511].map(CategoryIndex);
        let set: CategorySet = indexes.into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), indexes);
        assert!(!set.contains(CategoryIndex(2)) && !set.contains(CategoryIndex(u16::MAX)));
        let few: CategorySet = indexes.into_iter().take(2).collect();
        assert!(set.contains_all(&few) && !few.contains_all(&set));
    }
}
