//! The files of `/proc/PID`, read as the kernel writes them. Whatever has another form gives nothing.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

/// The most bytes that are read of a file in `/proc`. `status` lists up to 65,536 groups of at most
/// 11 bytes each.
pub(super) const MAX_FILE: u64 = 1 << 20;

/// `f_type` of procfs (statfs(2)).
const PROC_SUPER_MAGIC: u64 = 0x9fa0;

/// What `status` says of who a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: BTreeSet<u32>,
}

/// Opens the directory of a process. It stays that of this one process: once the process is gone,
/// reads fail, even if its number is used again.
pub(super) fn open(pid: u32) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(format!("/proc/{pid}"), flags, Mode::empty())
}

/// Whether a directory lies on the file system of the kernel, and nothing was mounted over it.
pub(super) fn is_genuine(directory: impl AsFd) -> bool {
    rustix::fs::fstatfs(directory)
        .is_ok_and(|found| u64::try_from(found.f_type) == Ok(PROC_SUPER_MAGIC))
}

/// One file of the directory of a process, [`MAX_FILE`] bytes at most.
pub(super) fn file(directory: impl AsFd, name: &str) -> std::io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::openat(directory, name, flags, Mode::empty())?);
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE) {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Field 22 of `/proc/PID/stat` (proc_pid_stat(5)), when the process started in ticks since boot.
/// None of one that has ended and waits for its parent: it asks for nothing any more. The second
/// field may hold spaces and brackets.
pub(super) fn start_time(stat: &[u8]) -> Option<u64> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// The lines `Uid`, `Gid` and `Groups` of `/proc/PID/status` (proc_pid_status(5)). The name in the
/// first line is the process's own choice, but the kernel escapes line ends in it.
pub(super) fn credentials(status: &[u8]) -> Option<Credentials> {
    let field = |name: &[u8]| {
        let mut lines =
            status.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(name));
        let line = lines.next()?;
        // A second line of a name is no form that the kernel writes.
        if lines.next().is_some() {
            return None;
        }
        let line = std::str::from_utf8(line).ok()?;
        line.split_ascii_whitespace().map(|id| id.parse().ok()).collect::<Option<Vec<u32>>>()
    };
    // Real, effective, saved, file system.
    let effective = |ids: Vec<u32>| (ids.len() == 4).then(|| ids.get(1).copied()).flatten();
    Some(Credentials {
        uid: effective(field(b"Uid:\t")?)?,
        gid: effective(field(b"Gid:\t")?)?,
        groups: field(b"Groups:\t")?.into_iter().collect(),
    })
}

/// The path of the unified hierarchy, else of the first one (cgroups(7)).
pub(super) fn cgroup_path(file: &[u8]) -> &[u8] {
    let lines = || file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let line = lines().find(|line| line.starts_with(b"0::")).or_else(|| lines().next());
    line.and_then(|line| line.splitn(3, |byte| *byte == b':').nth(2)).unwrap_or_default()
}

/// The systemd unit of a control group: the first part that is no slice, as systemd itself tells
/// units (parts below it are whatever its user makes). A login session is no unit: it has another
/// number each time.
pub(super) fn unit_of(cgroup: &[u8]) -> Option<&[u8]> {
    let parts = cgroup.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
    let first = parts.into_iter().find(|part| !part.ends_with(b".slice"))?;
    let is_unit = [&b".service"[..], b".scope"].iter().any(|suffix| first.ends_with(suffix));
    (is_unit && !first.starts_with(b"session-")).then_some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAT: &str = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20 21";

    #[test]
    fn proc_files_are_read_as_the_kernel_writes_them() {
        let stat = format!("42 (a) b (c)) {STAT}");
        assert_eq!(start_time(stat.as_bytes()), Some(777));
        assert_eq!(start_time(b"42 no brackets"), None);
        assert_eq!(start_time(stat.replace(" S ", " Z ").as_bytes()), None, "it has ended");
        let file = b"12:cpu:/legacy\n0::/system.slice/sluice.service/inner\n";
        assert_eq!(cgroup_path(file), b"/system.slice/sluice.service/inner");
        assert_eq!(unit_of(cgroup_path(file)), Some(&b"sluice.service"[..]));
        assert_eq!(cgroup_path(b""), b"");
        assert_eq!(unit_of(b"/user.slice"), None);
        let own = b"/user.slice/user-1000.slice/user@1000.service/app.slice/letters.service";
        assert_eq!(unit_of(own), Some(&b"user@1000.service"[..]));
        assert_eq!(unit_of(b"/user.slice/user-1000.slice/session-12.scope"), None);
        assert_eq!(
            unit_of(b"/../../system.slice/letters.service"),
            None,
            "outside of what is seen"
        );
    }

    #[test]
    fn credentials_are_the_effective_ones() {
        let status =
            b"Name:\tUid:\\n\nUid:\t1000\t1001\t1002\t1003\nGid:\t5\t6\t7\t8\nGroups:\t4 24 27 \n";
        let read = credentials(status).expect("it has the form");
        let groups = BTreeSet::from([4, 24, 27]);
        assert_eq!(read, Credentials { uid: 1001, gid: 6, groups });
        let none = b"Name:\tx\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t\n";
        assert!(credentials(none).expect("it has the form").groups.is_empty());
        for wrong in [
            &b""[..],
            b"Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n",
            b"Uid:\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t\n",
            b"Uid:\t0\t-1\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t\n",
            b"Uid:\t0\t0\t0\t0\nUid:\t1\t1\t1\t1\nGid:\t0\t0\t0\t0\nGroups:\t\n",
            b"Uid:\t0\t4294967296\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t\n",
            b"Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t1 x\n",
        ] {
            assert_eq!(credentials(wrong), None, "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn only_procfs_is_genuine() {
        assert!(is_genuine(open(std::process::id()).expect("proc is there")));
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!is_genuine(File::open(folder.path()).expect("it opens")));
    }

    #[test]
    fn a_file_has_a_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = File::open(folder.path()).expect("it opens");
        let most = usize::try_from(MAX_FILE).expect("it fits");
        std::fs::write(folder.path().join("status"), vec![b'x'; most]).expect("a file");
        assert_eq!(file(&directory, "status").expect("it is read").len(), most);
        std::fs::write(folder.path().join("status"), vec![b'x'; most + 1]).expect("a file");
        let error = file(&directory, "status").expect_err("one too many");
        assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (start_time(&bytes), credentials(&bytes), unit_of(cgroup_path(&bytes)));
        }

        /// A name can hold anything but never passes for other fields.
        #[test]
        fn a_name_changes_nothing(name in "[ ()0-9A-Za-z]{0,15}") {
            let stat = format!("42 ({name}) {STAT}");
            prop_assert_eq!(start_time(stat.as_bytes()), Some(777));
            let status = format!("Name:\t{name}\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9\n");
            let read = credentials(status.as_bytes()).expect("it has the form");
            prop_assert_eq!((read.uid, read.gid), (2, 6));
        }

        #[test]
        fn near_misses_are_read_without_a_panic(
            lines in proptest::collection::vec("(Uid|Gid|Groups|0:|Name)?:?[\t :/]?[-0-9 /a-z.]{0,20}", 0..8),
        ) {
            let text = lines.join("\n");
            let _ = (start_time(text.as_bytes()), credentials(text.as_bytes()));
            let _ = unit_of(cgroup_path(text.as_bytes()));
        }
    }
}
