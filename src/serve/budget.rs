//! What all requests may hold together: bytes in memory, and connections of a user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of payloads that all requests may hold in memory.
#[derive(Clone, Debug)]
pub struct Memory {
    inner: Arc<Mutex<Held>>,
}

#[derive(Debug)]
struct Held {
    limit: usize,
    used: usize,
}

/// Bytes that a request holds; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    memory: Memory,
    bytes: usize,
}

impl Memory {
    /// With this many bytes for all.
    pub fn new(limit: usize) -> Memory {
        Memory { inner: Arc::new(Mutex::new(Held { limit, used: 0 })) }
    }

    /// A share of nothing yet.
    pub fn share(&self) -> Share {
        Share { memory: self.clone(), bytes: 0 }
    }

    /// Bytes that are held.
    pub fn used(&self) -> usize {
        self.lock().used
    }

    /// Changes the limit; what is held stays held.
    pub fn limit(&self, limit: usize) {
        self.lock().limit = limit;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Makes the share this large. Where it grows past what is left it stays as it is: false.
    #[must_use]
    pub fn resize(&mut self, bytes: usize) -> bool {
        let mut held = self.memory.lock();
        let used = held.used.saturating_sub(self.bytes).saturating_add(bytes);
        if bytes > self.bytes && used > held.limit {
            return false;
        }
        held.used = used;
        self.bytes = bytes;
        true
    }
}

impl Share {
    /// Makes the share this large, past the limit too: what is there is counted.
    pub fn take(&mut self, bytes: usize) {
        let mut held = self.memory.lock();
        held.used = held.used.saturating_sub(self.bytes).saturating_add(bytes);
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let _ = self.resize(0);
    }
}

/// Connections by user id.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    by_uid: Arc<Mutex<HashMap<u32, usize>>>,
}

/// A connection that counts until it is dropped.
#[derive(Debug)]
pub struct Counted {
    of: Connections,
    uid: u32,
}

impl Connections {
    /// Counts a connection of a user, if there are less than `limit`.
    pub fn enter(&self, uid: u32, limit: usize) -> Option<Counted> {
        let mut by_uid = self.by_uid.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_uid.entry(uid).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Counted { of: self.clone(), uid })
    }

    /// Connections of all users.
    pub fn all(&self) -> usize {
        self.by_uid.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut by_uid = self.of.by_uid.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_uid.get_mut(&self.uid) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                by_uid.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared_and_given_back() {
        let memory = Memory::new(100);
        let (mut first, mut second) = (memory.share(), memory.share());
        assert!(first.resize(60) && !second.resize(41) && second.resize(40));
        assert!(!first.resize(61) && first.resize(10) && memory.used() == 50);
        memory.limit(20);
        assert!(!second.resize(41) && second.resize(39));
        drop(second);
        assert_eq!(memory.used(), 10);
        drop(first);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn connections_of_a_user_are_counted() {
        let connections = Connections::default();
        let first = connections.enter(7, 2).unwrap();
        let _second = connections.enter(7, 2).unwrap();
        assert!(connections.enter(7, 2).is_none() && connections.enter(8, 2).is_some());
        drop(first);
        assert_eq!(connections.all(), 1);
        assert!(connections.enter(7, 2).is_some());
    }
}
