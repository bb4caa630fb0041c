//! Now, by three clocks.

use std::time::SystemTime;

use rustix::time::{ClockId, clock_gettime};

use crate::record::Moment;

/// Now.
pub fn now() -> Moment {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let monotonic = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(monotonic.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(monotonic.tv_nsec).unwrap_or(0);
    Moment {
        wall: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX),
        monotonic: seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds),
        boot: String::new(),
    }
}
