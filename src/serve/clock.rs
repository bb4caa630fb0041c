//! What time it is, by three clocks.

use std::sync::OnceLock;
use std::time::SystemTime;

use rustix::time::{ClockId, clock_gettime};

use crate::record::Moment;

/// A clock that no entry can state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// Before 1970.
    #[error("the clock stands before 1970; set it")]
    BeforeEpoch,
    /// Nanoseconds since 1970 need more than 64 bits.
    #[error("the clock stands past the year 2500; set it")]
    TooLate,
}

/// Now. The kernel's name for this run of the machine is read once, so that a process that may no
/// longer open files still knows it; it is empty where it cannot be read.
///
/// # Errors
///
/// See [`ClockError`].
pub fn now() -> Result<Moment, ClockError> {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let wall = wall.map_err(|_| ClockError::BeforeEpoch)?.as_nanos();
    let monotonic = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(monotonic.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(monotonic.tv_nsec).unwrap_or(0);
    Ok(Moment {
        wall: u64::try_from(wall).map_err(|_| ClockError::TooLate)?,
        monotonic: seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds),
        boot: boot().to_owned(),
    })
}

fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        read.trim().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_run_forward_within_one_run_of_the_machine() {
        let (first, then) = (now().expect("clocks"), now().expect("clocks"));
        assert!(then.monotonic >= first.monotonic && first.wall > 0);
        assert_eq!(first.boot, then.boot);
        assert_eq!(first.boot.len(), 36, "a UUID");
    }
}
