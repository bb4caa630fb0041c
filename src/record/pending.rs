//! Escalations wait here for a person: statements, signatures and uses come in, and each use of a
//! grant goes out once.
//!
//! `pending/<id>/` below the state directory holds the statement as it was signed, the signatures
//! that count, and `state.json`. Promised: what is there is whole, since files are written beside
//! their place, synced and moved; no link is followed; one lock orders all that write, of any
//! process; a use is marked, durable, before anybody is told of it, so that no crash gives a second
//! one; a clock that was set back ends nothing and starts nothing. What is in the inbox was written
//! by others, and is bounded and judged before it counts.

mod create;
mod files;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use self::create::Known;
use self::files::{
    Arrived, Stamp, State, kept, open_folder, read_file, replace, signature_file, write_state,
};
use super::inbox::{Arrival, Inbox, Kind};
use super::{EscalationId, Moment};

pub(super) use self::files::{folder, io_error};

/// The most escalations that are kept: a caller that makes more is blocked.
pub const MAX_PENDING: usize = 10_000;

/// The most escalations that are kept of one user: one that makes more is blocked, and no other.
pub const MAX_PENDING_USER: usize = 1_000;

/// How far the wall clock may fall behind the monotonic one.
pub const CLOCK_SLACK: Duration = Duration::from_secs(2);

/// How long an escalation is kept after its time is over, in seconds: a day.
const KEPT: u64 = 24 * 3600;

/// How long the lock is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// What a grant of an escalation may be used for, as its statement has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Until when it can be approved, in seconds since 1970.
    pub expires: u64,
    /// Seconds that a grant is valid.
    pub lifetime: u64,
    /// The most uses.
    pub uses: u32,
    /// The most bytes of all uses together.
    pub bytes: u64,
}

/// How an escalation ended without a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum End {
    /// An approver denied it.
    Denied {
        /// Id of the approver.
        approver: String,
        /// Why.
        reason: String,
    },
    /// Nobody approved it in time.
    Expired,
}

/// A signature that counted when it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Id of the approver.
    pub approver: String,
    /// When it arrived, in seconds since 1970.
    pub time: u64,
    /// The armored signature.
    pub signature: String,
}

/// An escalation as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its id.
    pub id: EscalationId,
    /// The bytes of its statement.
    pub statement: Vec<u8>,
    /// What a grant may be used for.
    pub bounds: Bounds,
    /// Signatures that counted when they arrived, in that order.
    pub approvals: Vec<Signed>,
    /// How it ended, where it did.
    pub ended: Option<End>,
    /// Uses so far.
    pub used: u32,
    /// Bytes of these uses together.
    pub used_bytes: u64,
}

/// One use of a grant, which is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Id of the escalation.
    pub id: EscalationId,
    /// Which use it is, counted from 1.
    pub number: u32,
    /// Bytes of the payload.
    pub bytes: u64,
}

/// What is thought of something in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It counts: a signature.
    Keep,
    /// It ends the escalation, for this reason.
    Deny(String),
    /// It does not count, for this reason.
    Refuse(String),
}

/// Who says what is thought of something in the inbox; it must not use the same [`Pending`].
pub type Judge<'a> = dyn FnMut(&Kept, &Arrival) -> Judgement + 'a;

/// What became of something in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Id of the approver that it was named after.
    pub approver: String,
    /// What it was.
    pub kind: Kind,
    /// What was thought of it.
    pub judgement: Judgement,
}

/// Why something cannot be kept, found or used.
#[derive(Debug, thiserror::Error)]
pub enum PendingError {
    /// The disk.
    #[error("cannot {0}: {1}")]
    Io(&'static str, #[source] io::Error),
    /// A directory that others may write to or read.
    #[error(
        "`{0}` is not a directory of this user with no access for others; see its owner and mode"
    )]
    Unsafe(&'static str),
    /// No escalation has this id, or not any more.
    #[error("no escalation `{0}` is kept here")]
    NotFound(EscalationId),
    /// An escalation has this id.
    #[error("the escalation `{0}` is there already")]
    Exists(EscalationId),
    /// There are [`MAX_PENDING`].
    #[error("{MAX_PENDING} escalations are waiting; approve or deny some of them")]
    Full,
    /// There are [`MAX_PENDING_USER`] of this user.
    #[error(
        "{MAX_PENDING_USER} escalations of `{0}` are kept, which is as many as one user may have; \
         each is forgotten a day after its time is over"
    )]
    FullFor(String),
    /// A file below `pending/` has another form than it was written in.
    #[error("the files of escalation `{0}` are damaged")]
    Damaged(EscalationId),
    /// Somebody holds the lock.
    #[error("the escalations are locked by another process for more than {} seconds", LOCK_WAIT.as_secs())]
    Busy,
    /// A name that cannot be a file name.
    #[error("the id of an approver has 1 to 64 letters, digits, `-`, `_` and `.`")]
    ApproverName,
    /// The wall clock stands before a time that was seen.
    #[error("the clock was set back; escalations count again when it is right")]
    Clock,
    /// It was denied, or nobody approved it in time.
    #[error("the escalation has ended: {}", .0.describe())]
    Ended(End),
    /// The grant was used.
    #[error("the grant was used already")]
    Consumed,
    /// The grant is for several payloads, and they were used, or are not enough for this one.
    #[error("what the grant allows is used up")]
    Exhausted,
}

/// Why a grant was not used.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError<E> {
    /// It cannot be: nothing was marked.
    #[error(transparent)]
    Pending(#[from] PendingError),
    /// It is marked, and counts as used, but could not be recorded.
    #[error("the use of the grant cannot be recorded")]
    Record(#[source] E),
}

/// The escalations below a state directory.
#[derive(Debug)]
pub struct Pending {
    pending: OwnedFd,
    inbox: Inbox,
    /// What is known of each escalation, so that not all are read for each new one.
    known: Known,
    /// Whether the directory is this user's, who alone writes to it; root may look.
    own: bool,
}

impl Pending {
    /// Opens `pending/` and `inbox/` below a state directory, and makes them where they are not.
    /// Root may look at what is another user's, and not change it.
    ///
    /// # Errors
    ///
    /// The disk, or directories that others have access to.
    pub fn open(state: &Path) -> Result<Pending, PendingError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(state, flags, Mode::empty());
        let root = root.map_err(io_error("open the state directory"))?;
        let pending = folder(&root, "pending", Mode::RWXU)?;
        let stat = rustix::fs::fstat(&pending).map_err(io_error("look at `pending`"))?;
        let others = Mode::from_raw_mode(stat.st_mode) & (Mode::RWXG | Mode::RWXO);
        let user = rustix::process::geteuid().as_raw();
        let own = stat.st_uid == user;
        if !(own || user == 0) || !others.is_empty() {
            return Err(PendingError::Unsafe("pending"));
        }
        Ok(Pending { pending, inbox: Inbox::open(&root)?, known: Known::default(), own })
    }

    /// The ids of all escalations that are kept, sorted.
    ///
    /// # Errors
    ///
    /// The disk.
    pub fn list(&self) -> Result<Vec<EscalationId>, PendingError> {
        let read = || -> rustix::io::Result<Vec<EscalationId>> {
            let mut ids = Vec::new();
            for entry in Dir::read_from(&self.pending)? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                ids.extend(EscalationId::parse(&name).ok());
            }
            ids.sort_unstable();
            Ok(ids)
        };
        read().map_err(io_error("list `pending`"))
    }

    /// One escalation as it is kept.
    ///
    /// # Errors
    ///
    /// It is not there, damaged, or from the future.
    pub fn load(&self, id: EscalationId, now: &Moment) -> Result<Kept, PendingError> {
        let _lock = self.lock()?;
        let (folder, state) = self.state_of(id, now)?;
        kept(id, &folder, state)
    }

    /// Takes out of the inbox what these approvers left for an escalation, and keeps what `judge`
    /// says is to be kept. Ids come with the user whose file it has to be, where there is one;
    /// files of root and of the owner of the state directory are taken for them as well.
    ///
    /// Each approver's first signature counts: a second does not make it younger.
    ///
    /// # Errors
    ///
    /// See [`PendingError`].
    pub fn collect(
        &self,
        id: EscalationId,
        approvers: &[(&str, Option<u32>)],
        now: &Moment,
        judge: &mut Judge<'_>,
    ) -> Result<Vec<Collected>, PendingError> {
        let _lock = self.lock_to_write()?;
        let (folder, mut state) = self.state_of(id, now)?;
        let mut collected = Vec::new();
        for (approver, uid) in approvers {
            for kind in [Kind::Denial, Kind::Approval] {
                let Some(found) = self.inbox.take(id, approver, kind, *uid, now)? else {
                    continue;
                };
                let judgement = match found {
                    Err(refusal) => Judgement::Refuse(refusal.to_owned()),
                    Ok(arrival) => {
                        let judgement = judged(&kept(id, &folder, state.clone())?, &arrival, judge);
                        settle(&folder, &mut state, arrival, &judgement, now)?;
                        judgement
                    }
                };
                self.inbox.remove(id, approver, kind);
                let approver = (*approver).to_owned();
                collected.push(Collected { approver, kind, judgement });
            }
        }
        Ok(collected)
    }

    /// One escalation as it would be after [`Pending::collect`]: nothing is changed.
    ///
    /// # Errors
    ///
    /// See [`PendingError`].
    pub fn preview(
        &self,
        id: EscalationId,
        approvers: &[(&str, Option<u32>)],
        now: &Moment,
        judge: &mut Judge<'_>,
    ) -> Result<Kept, PendingError> {
        let _lock = self.lock()?;
        let (folder, state) = self.state_of(id, now)?;
        let mut kept = kept(id, &folder, state)?;
        for (approver, uid) in approvers {
            for kind in [Kind::Denial, Kind::Approval] {
                let Some(Ok(arrival)) = self.inbox.take(id, approver, kind, *uid, now)? else {
                    continue;
                };
                match judged(&kept, &arrival, judge) {
                    Judgement::Refuse(_) => {}
                    Judgement::Deny(reason) => {
                        let approver = arrival.approver;
                        kept.ended = Some(End::Denied { approver, reason });
                    }
                    Judgement::Keep => kept.approvals.push(Signed {
                        approver: arrival.approver,
                        time: arrival.time,
                        signature: String::from_utf8_lossy(&arrival.content).into_owned(),
                    }),
                }
            }
        }
        Ok(kept)
    }

    /// Ends escalations whose time is over and of which `granted` says that nobody needs them, and
    /// forgets those whose time was over a day ago, with what is left
    /// in the inbox about none that is known. The ids of those that ended now.
    ///
    /// # Errors
    ///
    /// See [`PendingError`].
    pub fn expire(
        &self,
        now: &Moment,
        granted: &mut dyn FnMut(&Kept) -> bool,
    ) -> Result<Vec<EscalationId>, PendingError> {
        let _lock = self.lock_to_write()?;
        let mut ended = Vec::new();
        self.inbox.sweep(&self.list()?, now)?;
        for id in self.list()? {
            let (folder, mut state) = match self.state_of(id, now) {
                // Neither is a reason to leave the others as they are.
                Err(PendingError::Clock | PendingError::Damaged(_)) => continue,
                other => other?,
            };
            let Bounds { expires, lifetime, .. } = state.bounds;
            let over = expires.saturating_add(lifetime);
            if now.seconds() >= over.saturating_add(KEPT) {
                self.remove(&id.to_string())?;
                continue;
            }
            let open = state.ended.is_none() && state.used == 0 && now.seconds() >= expires;
            if open && (now.seconds() >= over || !granted(&kept(id, &folder, state.clone())?)) {
                state.ended = Some(End::Expired);
                state.seen = Stamp::of(now);
                write_state(&folder, &state)?;
                ended.push(id);
            }
        }
        Ok(ended)
    }

    /// Uses a grant for a payload of so many bytes: the use is marked, durable, then `record`
    /// writes it to the ledger, and only then may anything be released. Of any number of callers
    /// that race for one use, one gets it.
    ///
    /// # Errors
    ///
    /// Nothing was marked, or `record` failed; the use counts as made then.
    pub fn consume<E>(
        &self,
        id: EscalationId,
        bytes: u64,
        now: &Moment,
        record: impl FnOnce(&Use) -> Result<(), E>,
    ) -> Result<Use, ConsumeError<E>> {
        let used = {
            let _lock = self.lock_to_write()?;
            let (folder, mut state) = self.state_of(id, now)?;
            if let Some(end) = state.ended {
                return Err(PendingError::Ended(end).into());
            }
            let Bounds { uses, bytes: most, .. } = state.bounds;
            if state.used >= uses {
                let error =
                    if uses == 1 { PendingError::Consumed } else { PendingError::Exhausted };
                return Err(error.into());
            }
            let after = state.used_bytes.checked_add(bytes).filter(|after| *after <= most);
            state.used_bytes = after.ok_or(PendingError::Exhausted)?;
            state.used = state.used.saturating_add(1);
            state.seen = Stamp::of(now);
            write_state(&folder, &state)?;
            Use { id, number: state.used, bytes }
        };
        // The lock is free again: it is never held while another one is waited for.
        record(&used).map_err(ConsumeError::Record)?;
        Ok(used)
    }

    /// The folder and state of an escalation, if no clock went back since they were written.
    fn state_of(&self, id: EscalationId, now: &Moment) -> Result<(OwnedFd, State), PendingError> {
        let folder = match open_folder(&self.pending, &id.to_string()) {
            Err(Errno::NOENT) => return Err(PendingError::NotFound(id)),
            other => other.map_err(io_error("open an escalation"))?,
        };
        let json = read_file(&folder, "state.json").map_err(|_| PendingError::Damaged(id))?;
        let state: State = serde_json::from_slice(&json).map_err(|_| PendingError::Damaged(id))?;
        if state.v != 1 {
            return Err(PendingError::Damaged(id));
        }
        if state.created.is_after(now) || state.seen.is_after(now) {
            return Err(PendingError::Clock);
        }
        Ok((folder, state))
    }

    fn lock_to_write(&self) -> Result<OwnedFd, PendingError> {
        // What root wrote here, its owner could not read.
        if self.own { self.lock() } else { Err(PendingError::Unsafe("pending")) }
    }

    /// Takes the lock of all that read and write here; it is free when what is returned is closed.
    fn lock(&self) -> Result<OwnedFd, PendingError> {
        // A lock is of an open file: one that is shared would not keep threads apart.
        let held = open_folder(&self.pending, ".").map_err(io_error("open `pending`"))?;
        let step = Duration::from_millis(2);
        let mut waited = Duration::ZERO;
        loop {
            match rustix::fs::flock(&held, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(held),
                Err(Errno::WOULDBLOCK | Errno::INTR) if waited < LOCK_WAIT => {
                    std::thread::sleep(step);
                    waited += step;
                }
                Err(Errno::WOULDBLOCK) => return Err(PendingError::Busy),
                Err(error) => return Err(io_error("lock `pending`")(error)),
            }
        }
    }

    /// Removes a folder below `pending/` with its files, if it is there.
    fn remove(&self, name: &str) -> Result<(), PendingError> {
        let remove = || -> rustix::io::Result<()> {
            let folder = match open_folder(&self.pending, name) {
                Err(Errno::NOENT) => return Ok(()),
                other => other?,
            };
            for entry in Dir::read_from(&folder)? {
                let entry = entry?;
                if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                    rustix::fs::unlinkat(&folder, entry.file_name(), AtFlags::empty())?;
                }
            }
            rustix::fs::unlinkat(&self.pending, name, AtFlags::REMOVEDIR)?;
            rustix::fs::fsync(&self.pending)
        };
        remove().map_err(io_error("remove an escalation"))
    }
}

impl End {
    /// What happened, for a person.
    pub fn describe(&self) -> String {
        match self {
            End::Denied { approver, reason } => format!("`{approver}` denied it: {reason}"),
            End::Expired => "nobody approved it in time".to_owned(),
        }
    }
}

/// What is thought of something that arrived, given what is there.
fn judged(kept: &Kept, arrival: &Arrival, judge: &mut Judge<'_>) -> Judgement {
    let known = kept.approvals.iter().any(|signed| signed.approver == arrival.approver);
    if kept.ended.is_some() {
        Judgement::Refuse("the escalation has ended".to_owned())
    } else if known && arrival.kind == Kind::Approval {
        Judgement::Refuse("this approver has approved it already".to_owned())
    } else {
        judge(kept, arrival)
    }
}

fn settle(
    folder: &OwnedFd,
    state: &mut State,
    arrival: Arrival,
    judgement: &Judgement,
    now: &Moment,
) -> Result<(), PendingError> {
    let Arrival { approver, time, content, .. } = arrival;
    match judgement {
        Judgement::Refuse(_) => return Ok(()),
        Judgement::Deny(reason) => {
            state.ended = Some(End::Denied { approver, reason: reason.clone() });
        }
        Judgement::Keep => {
            replace(folder, &signature_file(&approver), &content)
                .map_err(io_error("write a signature"))?;
            state.approvals.push(Arrived { approver, time });
        }
    }
    state.seen = Stamp::of(now);
    write_state(folder, state)
}
