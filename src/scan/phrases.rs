//! Thousands of phrases, looked for at single places of a text.
//!
//! Text from a place on comes in, the phrases that it begins with go out, ASCII letters in any case.
//! Made in the time it takes to hash the phrases, unlike an automaton of all of them.

/// Lengths of heads. A phrase is filed under its first bytes, as many as the largest of these that
/// it has.
const HEADS: [usize; 8] = [1, 2, 3, 4, 6, 8, 12, 16];

/// The place of 4 among them.
const FOUR: usize = 3;

/// Bits of [`Phrases::fours`].
const FOURS: usize = 1 << 16;

/// The phrases, filed by their heads.
#[derive(Debug)]
pub struct Phrases {
    phrases: Vec<Vec<u8>>,
    /// By hash of a head: one more than the phrase filed there last, or 0.
    slots: Vec<u32>,
    /// By more of that hash: whether a phrase is filed there, one bit each. Most heads end here,
    /// without a look at the slots, which are too many to be at hand.
    held: Vec<u64>,
    /// By phrase: the same of the one filed in its slot before.
    next: Vec<u32>,
    /// By hash of the first four bytes: whether a phrase so long or longer begins with them. Few enough
    /// to be at hand: most words end here.
    fours: Vec<u64>,
    /// By hash of the first two bytes: which lengths of heads there are, one bit each.
    begun: Vec<u8>,
}

impl Phrases {
    /// Files phrases; none may be empty.
    pub fn new(phrases: Vec<Vec<u8>>) -> Phrases {
        let size = (phrases.len() * 2).next_power_of_two().max(64);
        let mut slots = vec![0; size];
        let mut held = vec![0_u64; size * SPARSE / 64];
        let mut next = Vec::with_capacity(phrases.len());
        let mut fours = vec![0_u64; FOURS / 64];
        let mut begun = vec![0; PAIRS];
        for (number, phrase) in (1..).zip(&phrases) {
            let length = length_of(phrase);
            let hash = hash_of(head(phrase), length, size * SPARSE);
            if let Some(word) = held.get_mut(hash / 64) {
                *word |= 1 << (hash % 64);
            }
            let four = hash_of(head(phrase), FOUR, FOURS);
            if length >= FOUR
                && let Some(word) = fours.get_mut(four / 64)
            {
                *word |= 1 << (four % 64);
            }
            let slot = slots.get_mut(hash % size);
            next.push(slot.map_or(0, |slot| std::mem::replace(slot, number)));
            let first = phrase.first().copied().unwrap_or(0);
            let seconds = match phrase.get(1) {
                Some(second) => *second..=*second,
                None => 0..=u8::MAX,
            };
            for second in seconds {
                if let Some(lengths) = begun.get_mut(pair(first, second)) {
                    *lengths |= 1 << length;
                }
            }
        }
        Phrases { phrases, slots, held, next, fours, begun }
    }

    /// Calls `found` with number and length of each phrase that the text begins with.
    #[inline]
    pub fn at(&self, text: &[u8], mut found: impl FnMut(usize, usize)) {
        let Some(first) = text.first() else { return };
        let second = text.get(1).copied().unwrap_or(0);
        let mut lengths = self.begun.get(pair(*first, second)).copied().unwrap_or(0);
        if lengths == 0 {
            return;
        }
        let head = head(text);
        let four = hash_of(head, FOUR, FOURS);
        if self.fours.get(four / 64).is_none_or(|word| word >> (four % 64) & 1 == 0) {
            lengths &= (1 << FOUR) - 1;
        }
        while lengths != 0 {
            let length = lengths.trailing_zeros() as usize;
            lengths &= lengths - 1;
            let hash = hash_of(head, length, self.slots.len() * SPARSE);
            if self.held.get(hash / 64).is_none_or(|word| word >> (hash % 64) & 1 == 0) {
                continue;
            }
            let slot = self.slots.get(hash % self.slots.len().max(1));
            let mut filed = slot.copied().unwrap_or(0) as usize;
            while let Some(number) = filed.checked_sub(1)
                && let Some(phrase) = self.phrases.get(number)
            {
                // Heads of other lengths may be in the slot, which is asked for those by itself.
                if text.get(..phrase.len()).is_some_and(|it| it.eq_ignore_ascii_case(phrase))
                    && length_of(phrase) == length
                {
                    found(number, phrase.len());
                }
                filed = self.next.get(number).copied().unwrap_or(0) as usize;
            }
        }
    }
}

/// The place in [`HEADS`] of the length of a phrase's head.
fn length_of(phrase: &[u8]) -> usize {
    HEADS.iter().rposition(|head| *head <= phrase.len()).unwrap_or(0)
}

/// Hashes of two bytes.
const PAIRS: usize = 4096;

/// A hash of two bytes that is the same in either case.
fn pair(first: u8, second: u8) -> usize {
    (usize::from(first | 0x20) * 67 + usize::from(second | 0x20)) % PAIRS
}

/// The first 16 bytes, those behind the text 0, without what tells the cases of a letter apart.
fn head(text: &[u8]) -> u128 {
    let bytes = match text.first_chunk::<16>() {
        Some(bytes) => *bytes,
        None => {
            let mut bytes = [0; 16];
            bytes.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
            bytes
        }
    };
    u128::from_le_bytes(bytes) | u128::from_le_bytes([0x20; 16])
}

/// Bits for each slot.
const SPARSE: usize = 8;

/// A hash of a head of the length at this place of [`HEADS`], below a power of two.
fn hash_of(head: u128, length: usize, end: usize) -> usize {
    let bytes = HEADS.get(length).copied().unwrap_or(1);
    let head = head & u128::MAX >> (128 - 8 * bytes);
    let folded = head as u64 ^ ((head >> 64) as u64).rotate_left(23) ^ (length as u64) << 59;
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (end - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let word = prop_oneof![
            "[ab]{1,20}",
            "[a-cA-C_ ]{1,9}",
            "[aé號]{1,8}",
            "(national|identification)[ _-]?[a-d]{0,3}",
        ];
        proptest::collection::vec(word.prop_map(String::into_bytes), 0..200)
    }

    proptest! {
        #[test]
        fn all_phrases_are_found_where_they_stand(
            words in words(),
            parts in proptest::collection::vec((any::<proptest::sample::Index>(), any::<bool>()), 0..20),
        ) {
            let phrases = Phrases::new(words.clone());
            let mut text = Vec::new();
            for (index, upper) in parts {
                if !words.is_empty() {
                    let word = index.get(&words).clone();
                    text.extend(if upper { word.to_ascii_uppercase() } else { word });
                }
            }
            for at in 0..=text.len() {
                let mut found = Vec::new();
                phrases.at(&text[at..], |number, length| found.push((number, length)));
                found.sort_unstable();
                let stands = |word: &Vec<u8>| {
                    text[at..].get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word))
                };
                let expected: Vec<(usize, usize)> = words
                    .iter()
                    .enumerate()
                    .filter(|(_, word)| stands(word))
                    .map(|(number, word)| (number, word.len()))
                    .collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
