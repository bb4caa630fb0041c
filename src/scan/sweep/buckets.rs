//! Which keywords share a bucket of a kernel's tables.
//!
//! A bucket takes a place of the text for a candidate if each of its features there is one of some
//! keyword of the bucket, and be it a different keyword each time. So keywords that share features
//! belong together. Which bucket a keyword is in decides speed alone.

/// What a bucket holds, and what share of ordinary text it takes for candidates.
pub trait Bucket: Clone {
    /// What a bucket knows of a keyword. Keywords are placed in this order.
    type Features: Ord;

    /// The share of text that is a candidate, were features independent.
    fn cost(&self) -> f32;

    /// The same, had it this keyword too.
    fn cost_with(&self, keyword: &Self::Features) -> f32;

    /// Takes a keyword.
    fn add(&mut self, keyword: &Self::Features);

    /// Gives up a keyword that it has.
    fn remove(&mut self, keyword: &Self::Features);
}

/// The bucket of each keyword, of so many like `empty`. Each keyword goes where it adds least, and
/// may then move so many times; the same keywords give the same buckets.
pub fn assign<B: Bucket>(
    keywords: &[B::Features],
    empty: &B,
    buckets: usize,
    moves: usize,
) -> Vec<usize> {
    let mut filled = vec![(empty.clone(), 0.0); buckets];
    let mut assigned = vec![0; keywords.len()];
    let mut order: Vec<usize> = (0..keywords.len()).collect();
    order.sort_by_key(|keyword| &keywords[*keyword]);
    for round in 0..=moves {
        for number in &order {
            let keyword = &keywords[*number];
            if round > 0 {
                let (bucket, cost) = &mut filled[assigned[*number]];
                bucket.remove(keyword);
                *cost = bucket.cost();
            }
            let mut best = (f32::INFINITY, 0);
            for (number, (bucket, cost)) in filled.iter().enumerate() {
                let added = bucket.cost_with(keyword) - cost;
                if added < best.0 {
                    best = (added, number);
                }
            }
            let (bucket, cost) = &mut filled[best.1];
            bucket.add(keyword);
            *cost = bucket.cost();
            assigned[*number] = best.1;
        }
    }
    assigned
}
