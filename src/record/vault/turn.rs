//! Who uses a vault, and who waits for it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::VaultError;

/// The file names of the vaults that threads of this process use.
#[derive(Default)]
pub struct Used {
    names: Mutex<BTreeSet<String>>,
    less: Condvar,
}

/// A vault that this thread alone of all in the process uses, until this is dropped.
pub struct Turn {
    used: Arc<Used>,
    name: String,
}

impl Used {
    /// Waits so long until no thread uses the vault of this name.
    pub fn turn(self: &Arc<Used>, name: &str, wait: Duration) -> Result<Turn, VaultError> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.less.wait_timeout_while(names, wait, |names| names.contains(name));
        let (mut names, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !names.insert(name.to_owned()) {
            return Err(VaultError::Busy);
        }
        Ok(Turn { used: Arc::clone(self), name: name.to_owned() })
    }

    #[cfg(test)]
    pub fn is_free(&self) -> bool {
        self.names.lock().unwrap().is_empty()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut names = self.used.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.remove(&self.name);
        self.used.less.notify_all();
    }
}

/// Takes the lock of a file, or fails where another process holds it.
pub fn lock(file: &File) -> Result<(), VaultError> {
    match rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(VaultError::Busy),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

/// Waits so long for the lock of a file that another process holds.
pub fn lock_within(file: &File, wait: Duration) -> Result<(), VaultError> {
    let step = Duration::from_millis(2);
    let mut waited = Duration::ZERO;
    loop {
        match lock(file) {
            Err(VaultError::Busy) if waited < wait => {
                std::thread::sleep(step);
                waited += step;
            }
            other => return other,
        }
    }
}
