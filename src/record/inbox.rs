//! Where approvers of other users leave what they signed.
//!
//! `inbox/` may be written by a group and listed by its owner alone (01730: what is there belongs
//! to who left it). Nothing in it is trusted: names are asked for, not listed; no link is followed;
//! sizes are bounded; a file counts from the time that the kernel gives it, which who wrote it
//! cannot set back.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::pending::{CLOCK_SLACK, PendingError, folder, io_error};
use super::{EscalationId, Moment};

/// The most bytes of a file in the inbox.
pub const MAX_DROP: u64 = 16 * 1024;

/// The most entries that are looked at when the inbox is swept.
const MAX_SWEPT: usize = 100_000;

/// Seconds that a file about no known escalation is left alone: a day.
const LEFT_ALONE: u64 = 24 * 3600;

/// What a file in the inbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A signature of the statement: `<id>.<approver>.sig`.
    Approval,
    /// A signed denial: `<id>.<approver>.deny`.
    Denial,
}

/// Something that was left in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// What it is.
    pub kind: Kind,
    /// Id of the approver that it is named after. Nobody has checked that it is theirs.
    pub approver: String,
    /// When it came there, in seconds since 1970.
    pub time: u64,
    /// Its content, at most [`MAX_DROP`] bytes.
    pub content: Vec<u8>,
}

/// The folder, held open.
#[derive(Debug)]
pub(super) struct Inbox {
    folder: OwnedFd,
}

/// Leaves a file in the inbox below a state directory, for its owner to collect. Who leaves it need
/// not be able to list the folder, or to read anything in it.
///
/// # Errors
///
/// The disk, a name that cannot be, or one that is there already.
pub fn leave(
    state: &Path,
    id: EscalationId,
    approver: &str,
    kind: Kind,
    content: &[u8],
    random: u64,
) -> Result<(), PendingError> {
    let name = file_name(id, approver, kind).ok_or(PendingError::ApproverName)?;
    let write = || -> rustix::io::Result<()> {
        // No right to read the folder is needed for a handle of it.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::open(state.join("inbox"), flags, Mode::empty())?;
        let beside = format!(".{random:016x}.part");
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        let file = rustix::fs::openat(&folder, beside.as_str(), flags, mode)?;
        // A signature is no secret, and whoever collects it is another user.
        rustix::fs::fchmod(&file, mode)?;
        let mut file = std::fs::File::from(file);
        let written = file.write_all(content).and_then(|()| file.sync_all());
        let moved = match written {
            Ok(()) => rustix::fs::renameat_with(
                &folder,
                beside.as_str(),
                &folder,
                name.as_str(),
                RenameFlags::NOREPLACE,
            ),
            Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
        };
        if moved.is_err() {
            let _ = rustix::fs::unlinkat(&folder, beside.as_str(), AtFlags::empty());
        }
        moved
    };
    write().map_err(io_error("leave a file in the inbox"))
}

impl Inbox {
    pub fn open(root: &OwnedFd) -> Result<Inbox, PendingError> {
        let mode = Mode::RWXU | Mode::WGRP | Mode::XGRP | Mode::SVTX;
        let folder = folder(root, "inbox", Mode::RWXU)?;
        let stat = rustix::fs::fstat(&folder).map_err(io_error("look at `inbox`"))?;
        let user = rustix::process::geteuid().as_raw();
        if stat.st_uid != user && user != 0 {
            return Err(PendingError::Unsafe("inbox"));
        }
        // A new folder has what the file mode mask left; one without the sticky bit lets any
        // approver take away what another left.
        if Mode::from_raw_mode(stat.st_mode) & (Mode::RWXG | Mode::RWXO | Mode::SVTX)
            != mode & (Mode::RWXG | Mode::SVTX)
        {
            let kept = Mode::from_raw_mode(stat.st_mode) & Mode::SGID;
            rustix::fs::fchmod(&folder, mode | kept).map_err(io_error("protect `inbox`"))?;
        }
        Ok(Inbox { folder })
    }

    /// Reads what an approver left, if it is a file of `owner` where that is given, and leaves it
    /// there. None where there is nothing; what cannot
    /// count comes with the reason.
    pub fn take(
        &self,
        id: EscalationId,
        approver: &str,
        kind: Kind,
        owner: Option<u32>,
        now: &Moment,
    ) -> Result<Option<Result<Arrival, &'static str>>, PendingError> {
        // Nobody can leave anything under a name that cannot be.
        let Some(name) = file_name(id, approver, kind) else { return Ok(None) };
        // Neither a link nor a pipe that nobody writes to holds anything up.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.folder, name.as_str(), flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Ok(Some(Err("it is a link"))),
            Err(Errno::ACCESS | Errno::NXIO) => return Ok(Some(Err("it cannot be read"))),
            Err(error) => return Err(io_error("open a file in the inbox")(error)),
        };
        let stat = rustix::fs::fstat(&file).map_err(io_error("look at a file in the inbox"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink != 1 {
            return Ok(Some(Err("it is no file with one name")));
        }
        let own = [0, rustix::process::geteuid().as_raw()];
        if let Some(uid) = owner
            && uid != stat.st_uid
            && !own.contains(&stat.st_uid)
        {
            return Ok(Some(Err("it is the file of another user")));
        }
        let time = u64::try_from(stat.st_ctime).unwrap_or(0);
        if time > now.seconds().saturating_add(CLOCK_SLACK.as_secs()) {
            return Err(PendingError::Clock);
        }
        let mut content = Vec::new();
        let read = std::fs::File::from(file).take(MAX_DROP + 1).read_to_end(&mut content);
        if read.is_err() || content.len() as u64 > MAX_DROP {
            return Ok(Some(Err("it is too large, or cannot be read")));
        }
        let approver = approver.to_owned();
        Ok(Some(Ok(Arrival { kind, approver, time: time.min(now.seconds()), content })))
    }

    /// Removes what has been there for a day and is about no escalation of these, whatever it is:
    /// halves of files, and what nobody asked for.
    pub fn sweep(&self, known: &[EscalationId], now: &Moment) -> Result<(), PendingError> {
        let entries = Dir::read_from(&self.folder).map_err(io_error("list the inbox"))?;
        for entry in entries.take(MAX_SWEPT) {
            let entry = entry.map_err(io_error("list the inbox"))?;
            let name = entry.file_name();
            let id = name.to_bytes().get(..26).and_then(|id| std::str::from_utf8(id).ok());
            let id = id.and_then(|id| EscalationId::parse(id).ok());
            if matches!(name.to_bytes(), b"." | b"..") || id.is_some_and(|id| known.contains(&id)) {
                continue;
            }
            let stat = rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW);
            let time = stat.ok().and_then(|stat| u64::try_from(stat.st_ctime).ok());
            if time.is_some_and(|time| now.seconds() >= time.saturating_add(LEFT_ALONE)) {
                // A folder that is not empty stays, and harms nothing.
                if rustix::fs::unlinkat(&self.folder, name, AtFlags::empty()).is_err() {
                    let _ = rustix::fs::unlinkat(&self.folder, name, AtFlags::REMOVEDIR);
                }
            }
        }
        Ok(())
    }

    /// Removes what was left under a name, whatever it is. That it stays harms nothing: it is
    /// judged again.
    pub fn remove(&self, id: EscalationId, approver: &str, kind: Kind) {
        if let Some(name) = file_name(id, approver, kind)
            && rustix::fs::unlinkat(&self.folder, name.as_str(), AtFlags::empty()).is_err()
        {
            let _ = rustix::fs::unlinkat(&self.folder, name.as_str(), AtFlags::REMOVEDIR);
        }
    }
}

/// None where the id of an approver cannot be a file name.
fn file_name(id: EscalationId, approver: &str, kind: Kind) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let named = (1..=64).contains(&approver.len()) && approver.chars().all(fits);
    let suffix = match kind {
        Kind::Approval => "sig",
        Kind::Denial => "deny",
    };
    named.then(|| format!("{id}.{approver}.{suffix}"))
}
