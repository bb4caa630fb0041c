//! What the ledger reads, changed at random: the bodies of the fuzz targets on mutated seeds.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::fuzz_bodies::{journal, proof};

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Flips, cuts, fills, doubles or moves a piece.
fn mutate(bytes: &mut Vec<u8>, (kind, at, length, value): (u8, usize, usize, u8)) {
    if bytes.is_empty() {
        return;
    }
    let at = at % bytes.len();
    let end = bytes.len().min(at + 1 + length % 600);
    match kind % 6 {
        0 => bytes[at] ^= 1 << (value % 8),
        1 => bytes.truncate(at),
        2 => bytes[at..end].fill(0),
        3 => {
            let piece = bytes[at..end].to_vec();
            bytes.splice(end..end, piece);
        }
        4 => drop(bytes.drain(at..end)),
        _ => bytes[at] = value,
    }
}

type Mutation = (u8, usize, usize, u8);

fn mutations() -> impl Strategy<Value = (usize, Vec<Mutation>)> {
    (any::<usize>(), prop::collection::vec(any::<Mutation>(), 1..4))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn segments_are_read_or_refused((seed, mutations) in mutations()) {
        let seeds = seeds("journal");
        let mut bytes = seeds[seed % seeds.len()].clone();
        mutations.into_iter().for_each(|mutation| mutate(&mut bytes, mutation));
        journal(&bytes);
    }

    #[test]
    fn notes_and_proofs_are_read_or_refused((seed, mutations) in mutations()) {
        let seeds = seeds("proof");
        let mut bytes = seeds[seed % seeds.len()].clone();
        mutations.into_iter().for_each(|mutation| mutate(&mut bytes, mutation));
        proof(&bytes);
    }
}
