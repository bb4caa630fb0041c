//! The files of one escalation: what they say, and how they are written and read.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{Bounds, CLOCK_SLACK, End, Kept, PendingError, Signed};
use crate::record::{EscalationId, Moment};

/// The most bytes of a file here.
const MAX_FILE: u64 = 1 << 20;

/// What `state.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub v: u32,
    pub bounds: Bounds,
    pub created: Stamp,
    pub seen: Stamp,
    pub approvals: Vec<Arrived>,
    pub ended: Option<End>,
    pub used: u32,
    pub used_bytes: u64,
}

/// A signature, whose text is in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrived {
    pub approver: String,
    pub time: u64,
}

/// A time that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    wall: u64,
    monotonic: u64,
    boot: String,
}

impl Stamp {
    pub fn of(now: &Moment) -> Stamp {
        Stamp { wall: now.wall, monotonic: now.monotonic, boot: now.boot.clone() }
    }

    /// Whether the wall clock was set back between this and `now`, by more than clocks are
    /// adjusted.
    pub fn is_after(&self, now: &Moment) -> bool {
        let slack = i128::try_from(CLOCK_SLACK.as_nanos()).unwrap_or(i128::MAX);
        // What one clock is ahead of the other does not depend on which of two callers that race
        // looked first.
        let (then, now) = match self.boot == now.boot {
            true => (ahead(self.wall, self.monotonic), ahead(now.wall, now.monotonic)),
            // The machine was started anew, and its monotonic clock with it.
            false => (i128::from(self.wall), i128::from(now.wall)),
        };
        now.saturating_add(slack) < then
    }
}

fn ahead(wall: u64, monotonic: u64) -> i128 {
    i128::from(wall) - i128::from(monotonic)
}

/// An escalation with the text of its files.
pub fn kept(id: EscalationId, folder: &OwnedFd, state: State) -> Result<Kept, PendingError> {
    let damaged = |_| PendingError::Damaged(id);
    let statement = read_file(folder, "statement").map_err(damaged)?;
    let mut approvals = Vec::with_capacity(state.approvals.len());
    for Arrived { approver, time } in state.approvals {
        let signature = read_file(folder, &signature_file(&approver)).map_err(damaged)?;
        let signature = String::from_utf8(signature).map_err(|_| PendingError::Damaged(id))?;
        approvals.push(Signed { approver, time, signature });
    }
    Ok(Kept {
        id,
        statement,
        bounds: state.bounds,
        approvals,
        ended: state.ended,
        used: state.used,
        used_bytes: state.used_bytes,
    })
}

/// Behind the id of an approver, so that none is named like another file here.
pub fn signature_file(approver: &str) -> String {
    format!("{approver}.sig")
}

pub fn write_state(folder: &OwnedFd, state: &State) -> Result<(), PendingError> {
    let json = serde_json::to_vec(state).map_err(io::Error::other);
    let json = json.map_err(|error| PendingError::Io("write the state of an escalation", error))?;
    replace(folder, "state.json", &json).map_err(io_error("write the state of an escalation"))
}

/// Opens a folder below a state directory, or makes it.
pub(in crate::record) fn folder(
    root: &OwnedFd,
    name: &'static str,
    mode: Mode,
) -> Result<OwnedFd, PendingError> {
    match rustix::fs::mkdirat(root, name, mode) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(io_error("make a folder of the state directory")(error)),
    }
    open_folder(root, name).map_err(io_error("open a folder of the state directory"))
}

pub fn open_folder(root: &OwnedFd, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(root, name, flags, Mode::empty())
}

/// Writes a file beside its place and moves it there, durable.
pub fn replace(folder: &OwnedFd, name: &str, content: &[u8]) -> rustix::io::Result<()> {
    let beside = format!(".{name}.new");
    match rustix::fs::unlinkat(folder, beside.as_str(), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, beside.as_str(), flags, Mode::RUSR | Mode::WUSR)?;
    let mut file = std::fs::File::from(file);
    let raw = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    file.write_all(content).and_then(|()| file.sync_all()).map_err(raw)?;
    rustix::fs::renameat(folder, beside.as_str(), folder, name)?;
    rustix::fs::fsync(folder)
}

pub fn read_file(folder: &OwnedFd, name: &str) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder.as_fd(), name, flags, Mode::empty())?;
    let mut content = Vec::new();
    std::fs::File::from(file).take(MAX_FILE + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE {
        return Err(io::Error::other("too large"));
    }
    Ok(content)
}

pub(in crate::record) fn io_error(what: &'static str) -> impl Fn(Errno) -> PendingError {
    move |error| PendingError::Io(what, error.into())
}
