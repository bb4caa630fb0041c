//! What was found in payloads that come again: agents send the whole transcript each turn.
//!
//! Keys are keyed digests of a payload with the user who sent it, the format and what it was scanned
//! for; no byte of a payload is kept, and no decision. Whoever sends the same bytes as somebody else
//! learns nothing from how long it takes. All of it is dropped when rules change.

use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use lru::LruCache;
use sha2::Sha256;

use crate::decode::Format;
use crate::engine::Classified;

/// Findings that the cache holds for each of its entries, on average.
const FINDINGS_EACH: usize = 16;

/// Findings of one payload that is remembered.
const MAX_FINDINGS: usize = 2_048;

/// What a payload was scanned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To be shown: fingerprints under the key of the run.
    Classify,
    /// To be decided: fingerprints under the key of the ledger's epoch.
    Decide,
}

/// Names a payload of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

/// Remembers what was found.
pub struct Cache {
    key: [u8; 32],
    inner: Mutex<Inner>,
}

struct Inner {
    entries: LruCache<Key, Arc<Classified>>,
    most: usize,
    findings: usize,
    /// Counts up when everything is dropped, so that what was scanned before is not put in after.
    generation: u64,
}

impl Cache {
    /// For at most so many payloads; 0: remembers nothing. `key` is random.
    pub fn new(key: [u8; 32], most: usize) -> Cache {
        let entries = LruCache::unbounded();
        let inner = Inner { entries, most, findings: 0, generation: 0 };
        Cache { key, inner: Mutex::new(inner) }
    }

    /// The key of a payload; none where nothing is remembered.
    pub fn key(
        &self,
        payload: &[u8],
        uid: u32,
        format: Option<Format>,
        purpose: Purpose,
    ) -> Option<Key> {
        if self.lock().most == 0 {
            return None;
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(&uid.to_le_bytes());
        mac.update(&[u8::from(purpose == Purpose::Decide)]);
        let format = format!("{format:?}");
        mac.update(&(format.len() as u64).to_le_bytes());
        mac.update(format.as_bytes());
        mac.update(payload);
        Some(Key(mac.finalize().into_bytes().into()))
    }

    /// What was found, if this payload came before under the rules of this generation.
    pub fn get(&self, key: &Key, generation: u64) -> Option<Arc<Classified>> {
        let mut inner = self.lock();
        if inner.generation != generation {
            return None;
        }
        inner.entries.get(key).cloned()
    }

    /// Remembers what was found under the rules of this generation.
    pub fn put(&self, key: Key, generation: u64, found: &Arc<Classified>) {
        let findings = found.findings.len();
        let mut inner = self.lock();
        if inner.generation != generation || findings > MAX_FINDINGS {
            return;
        }
        if let Some(old) = inner.entries.put(key, Arc::clone(found)) {
            inner.findings = inner.findings.saturating_sub(old.findings.len());
        }
        inner.findings = inner.findings.saturating_add(findings);
        inner.shrink();
    }

    /// Drops everything: other rules are in force from this generation on.
    pub fn clear(&self, generation: u64, most: usize) {
        let mut inner = self.lock();
        inner.entries.clear();
        (inner.findings, inner.generation, inner.most) = (0, generation, most);
    }

    /// Payloads that are remembered.
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn shrink(&mut self) {
        let most_findings = self.most.saturating_mul(FINDINGS_EACH);
        while self.entries.len() > self.most || self.findings > most_findings {
            let Some((_, old)) = self.entries.pop_lru() else { return };
            self.findings = self.findings.saturating_sub(old.findings.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RuleSet, Scanner, engine};

    fn found(text: &str) -> Arc<Classified> {
        let rules = Arc::new(RuleSet::builtin().unwrap());
        Arc::new(Scanner::new(rules, engine::Options::default()).scan(text.as_bytes()))
    }

    #[test]
    fn only_the_same_payload_of_the_same_user_is_known() {
        let cache = Cache::new([1; 32], 4);
        let csv = Format::declared("csv");
        let key = |payload: &[u8], uid, format, purpose| {
            cache.key(payload, uid, format, purpose).unwrap()
        };
        let first = key(b"a@b.example", 1, None, Purpose::Classify);
        let one = found("a@b.example");
        cache.put(first, 0, &one);
        assert_eq!(cache.get(&first, 0).as_deref(), Some(&*one));
        for other in [
            key(b"a@b.exampl", 1, None, Purpose::Classify),
            key(b"a@b.example", 2, None, Purpose::Classify),
            key(b"a@b.example", 1, csv, Purpose::Classify),
            key(b"a@b.example", 1, None, Purpose::Decide),
        ] {
            assert!(cache.get(&other, 0).is_none());
        }
        let elsewhere = Cache::new([2; 32], 4);
        assert_ne!(elsewhere.key(b"a@b.example", 1, None, Purpose::Classify), Some(first));
    }

    #[test]
    fn it_is_bounded_and_dropped_when_rules_change() {
        let cache = Cache::new([1; 32], 3);
        let key =
            |number: u32| cache.key(&number.to_le_bytes(), 1, None, Purpose::Classify).unwrap();
        let nothing = found("");
        (0..10).for_each(|number| cache.put(key(number), 0, &nothing));
        assert_eq!(cache.len(), 3);
        assert!(cache.get(&key(9), 0).is_some() && cache.get(&key(6), 0).is_none());
        // One with many findings takes the room of others.
        let many = found(&"a@b.example ".repeat(40));
        cache.put(key(20), 0, &many);
        assert_eq!(cache.len(), 3);
        cache.put(key(21), 0, &many);
        assert_eq!(cache.len(), 1);
        cache.clear(1, 3);
        assert_eq!(cache.len(), 0);
        // What was scanned with the old rules is neither given nor taken any more.
        cache.put(key(1), 0, &nothing);
        assert!(cache.get(&key(1), 0).is_none() && cache.get(&key(1), 1).is_none());
        let none = Cache::new([1; 32], 0);
        assert_eq!(none.key(b"x", 1, None, Purpose::Classify), None);
    }
}
