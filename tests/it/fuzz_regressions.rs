//! Replays on stable what the fuzz targets have seen: seeds, and inputs that once broke something.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use crate::fuzz_bodies::{TARGETS, load_pack};

fn inputs(folder: &str, target: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder).join(target);
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Runs every input of a folder through its target and names those that break it.
fn replay(folder: &str) -> usize {
    let mut broken = Vec::new();
    let mut replayed = 0;
    for (target, body) in TARGETS {
        for path in inputs(folder, target) {
            let data = fs::read(&path).unwrap();
            replayed += 1;
            if panic::catch_unwind(AssertUnwindSafe(|| body(&data))).is_err() {
                broken.push(path.display().to_string());
            }
        }
    }
    assert!(broken.is_empty(), "{} break:\n{}", broken.len(), broken.join("\n"));
    replayed
}

#[test]
fn every_seed_passes() {
    for (target, _) in TARGETS {
        assert!(inputs("seeds", target).len() >= 3, "{target} has seeds");
    }
    assert!(replay("seeds") >= 3 * TARGETS.len());
}

/// A pack that is refused at once leads nowhere.
#[test]
fn pack_seeds_load() {
    let packs = inputs("seeds", "rule_pack").into_iter().map(|path| fs::read(path).unwrap());
    let packs: Vec<Vec<u8>> = packs.filter(|pack| pack.starts_with(b"[[")).collect();
    assert!(packs.len() >= 5);
    for pack in packs {
        let pack = String::from_utf8(pack).unwrap();
        let rules = load_pack(&pack).unwrap_or_else(|| panic!("refused:\n{pack}"));
        assert!(!rules.rules.is_empty());
    }
}

#[test]
fn what_once_broke_a_target_passes() {
    replay("regressions");
}

#[test]
fn short_inputs_pass() {
    for (_, body) in TARGETS {
        for length in 0..6 {
            for byte in [0, 1, b'"', b'0', b'{', 0xd8, 0xff] {
                body(&vec![byte; length]);
            }
        }
    }
}

/// Every target has a program under `fuzz/`, and the other way round, so that none is forgotten.
#[test]
fn targets_and_programs_are_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let mut programs: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    programs.sort();
    assert_eq!(programs, TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}
