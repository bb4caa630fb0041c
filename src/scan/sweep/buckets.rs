//! Which keywords share a bucket of a kernel's tables.
//!
//! A bucket takes a place of the text for a candidate if each of its features there is one of some
//! keyword of the bucket, and be it a different keyword each time. So keywords that share features
//! belong together. Which bucket a keyword is in decides speed alone.

/// Features of a window.
pub const FEATURES: usize = 4;

/// Values of a feature.
pub const SLOTS: usize = 64;

/// The features of one keyword; none where every value counts.
pub type Features = [Option<u8>; FEATURES];

/// Times that every keyword may move to a better bucket.
const ROUNDS: usize = 2;

/// What one bucket holds.
#[derive(Clone)]
struct Bucket {
    /// By feature and value, how many keywords have it.
    held: [[u16; SLOTS]; FEATURES],
    /// By feature, keywords that take every value.
    all: [u16; FEATURES],
    /// By feature, the share of text that has a value of a keyword.
    shares: [f32; FEATURES],
}

impl Bucket {
    fn new() -> Bucket {
        Bucket { held: [[0; SLOTS]; FEATURES], all: [0; FEATURES], shares: [0.0; FEATURES] }
    }

    /// The share of text that is a candidate of this bucket, were features independent.
    fn cost(&self) -> f32 {
        self.shares
            .iter()
            .zip(self.all)
            .map(|(share, all)| if all > 0 { 1.0 } else { *share })
            .product()
    }

    /// The same, had it this keyword too.
    fn cost_with(&self, features: &Features, shares: &[[f32; SLOTS]; FEATURES]) -> f32 {
        let mut cost = 1.0;
        for (number, feature) in features.iter().enumerate() {
            if self.all[number] > 0 {
                continue;
            }
            let Some(slot) = feature else { continue };
            let slot = usize::from(*slot);
            let more = if self.held[number][slot] == 0 { shares[number][slot] } else { 0.0 };
            cost *= self.shares[number] + more;
        }
        cost
    }

    fn add(&mut self, features: &Features, shares: &[[f32; SLOTS]; FEATURES]) {
        for (number, feature) in features.iter().enumerate() {
            let Some(slot) = feature else {
                self.all[number] += 1;
                continue;
            };
            let slot = usize::from(*slot);
            if self.held[number][slot] == 0 {
                self.shares[number] += shares[number][slot];
            }
            self.held[number][slot] += 1;
        }
    }

    fn remove(&mut self, features: &Features, shares: &[[f32; SLOTS]; FEATURES]) {
        for (number, feature) in features.iter().enumerate() {
            let Some(slot) = feature else {
                self.all[number] -= 1;
                continue;
            };
            let slot = usize::from(*slot);
            self.held[number][slot] -= 1;
            if self.held[number][slot] == 0 {
                // No less than what no share can be, for what rounding leaves.
                self.shares[number] = (self.shares[number] - shares[number][slot]).max(1e-9);
            }
        }
    }
}

/// The bucket of each keyword, by features of keywords and the share of text that has each feature.
/// Each goes where it adds least, and may then move; the same keywords give the same buckets.
pub fn assign(
    keywords: &[Features],
    shares: &[[f32; SLOTS]; FEATURES],
    buckets: usize,
) -> Vec<usize> {
    let mut filled = vec![Bucket::new(); buckets];
    let mut assigned = vec![0; keywords.len()];
    let mut order: Vec<usize> = (0..keywords.len()).collect();
    // Those that take every value of a feature first, so that others keep away from them.
    order.sort_by_key(|keyword| {
        let features = &keywords[*keyword];
        (features.iter().flatten().count(), *features)
    });
    for round in 0..=ROUNDS {
        for keyword in &order {
            let features = &keywords[*keyword];
            if round > 0 {
                filled[assigned[*keyword]].remove(features, shares);
            }
            let added = |bucket: &Bucket| bucket.cost_with(features, shares) - bucket.cost();
            let mut best = (f32::INFINITY, 0);
            for (number, bucket) in filled.iter().enumerate() {
                let added = added(bucket);
                if added < best.0 {
                    best = (added, number);
                }
            }
            assigned[*keyword] = best.1;
            filled[best.1].add(features, shares);
        }
    }
    assigned
}
