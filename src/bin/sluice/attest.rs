//! What the kernel says of this process, and what time it is.

use std::collections::BTreeSet;
use std::time::SystemTime;

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};
use sluicegate::model::{Attested, Executable, KernelName};
use sluicegate::record::Moment;

/// The identity of whoever runs this command. The process that asks is the one that answers, so
/// nobody but its user stands behind it, and it says so.
pub fn own_identity() -> anyhow::Result<Attested> {
    let stat = std::fs::read("/proc/self/stat").context("cannot read /proc/self/stat")?;
    let cgroup = std::fs::read("/proc/self/cgroup").unwrap_or_default();
    let cgroup = cgroup_path(&cgroup);
    let groups = rustix::process::getgroups().unwrap_or_default();
    Ok(Attested {
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        groups: groups.into_iter().map(|gid| gid.as_raw()).collect::<BTreeSet<u32>>(),
        pid: std::process::id(),
        start_time: start_time(&stat).context("/proc/self/stat has another form than expected")?,
        unit: unit_of(cgroup).map(KernelName::read),
        cgroup: KernelName::read(cgroup),
        executable: Executable::Unavailable("the command decides for whoever called it"),
        token_of: None,
        self_attested: true,
    })
}

/// Field 22 of `/proc/PID/stat` (proc_pid_stat(5)). The second field may hold spaces and brackets.
fn start_time(stat: &[u8]) -> Option<u64> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The path of the unified hierarchy, else of the first one (cgroups(7)).
fn cgroup_path(file: &[u8]) -> &[u8] {
    let lines = || file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let line = lines().find(|line| line.starts_with(b"0::")).or_else(|| lines().next());
    line.and_then(|line| line.splitn(3, |byte| *byte == b':').nth(2)).unwrap_or_default()
}

/// The systemd unit of a control group: the first part that is no slice, as systemd itself tells
/// units (parts below it are whatever its user makes). A login session is no unit: it has another
/// number each time.
fn unit_of(cgroup: &[u8]) -> Option<&[u8]> {
    let parts = cgroup.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
    let first = parts.into_iter().find(|part| !part.ends_with(b".slice"))?;
    let is_unit = [&b".service"[..], b".scope"].iter().any(|suffix| first.ends_with(suffix));
    (is_unit && !first.starts_with(b"session-")).then_some(first)
}

/// Now, by three clocks.
pub fn now() -> anyhow::Result<Moment> {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let wall = wall.context("the clock stands before 1970")?.as_nanos();
    let monotonic = clock_gettime(ClockId::Boottime);
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let seconds = u64::try_from(monotonic.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(monotonic.tv_nsec).unwrap_or(0);
    Ok(Moment {
        wall: u64::try_from(wall).context("the clock stands past the year 2500")?,
        monotonic: seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds),
        boot: boot.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read_as_the_kernel_writes_them() {
        let stat = b"42 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20 21";
        assert_eq!(start_time(stat), Some(777));
        assert_eq!(start_time(b"42 no brackets"), None);
        let file = b"12:cpu:/legacy\n0::/system.slice/sluice.service/inner\n";
        assert_eq!(cgroup_path(file), b"/system.slice/sluice.service/inner");
        assert_eq!(unit_of(cgroup_path(file)), Some(&b"sluice.service"[..]));
        assert_eq!(cgroup_path(b""), b"");
        assert_eq!(unit_of(b"/user.slice"), None);
        let own = b"/user.slice/user-1000.slice/user@1000.service/app.slice/letters.service";
        assert_eq!(unit_of(own), Some(&b"user@1000.service"[..]));
        assert_eq!(unit_of(b"/user.slice/user-1000.slice/session-12.scope"), None);
    }

    #[test]
    fn this_process_has_an_identity() {
        let own = own_identity().expect("proc is there");
        assert_eq!(own.pid, std::process::id());
        assert!(own.self_attested && own.start_time > 0);
        let (first, then) = (now().expect("clocks"), now().expect("clocks"));
        assert!(then.monotonic >= first.monotonic && first.boot == then.boot);
    }
}
