//! A new escalation is kept, unless there is one about the same payload on the same way.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Mode, RenameFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::files::{Stamp, State, io_error, kept, open_folder, read_file, replace, write_state};
use super::{Bounds, Kept, MAX_PENDING, MAX_PENDING_USER, Pending, PendingError};
use crate::record::{EscalationId, Moment};

/// What the statements that are kept are about. They never change, so each is read one time; which
/// there are is asked each time, since another process may have made or removed some.
#[derive(Debug, Default)]
pub struct Known(Mutex<HashMap<EscalationId, About>>);

/// What a statement is about; nothing where it cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct About {
    /// SHA-256 of the payload's MAC and of the way that it goes.
    way: Option<[u8; 32]>,
    user: String,
}

/// The fields of a statement that say which payload goes which way.
#[derive(Serialize, Deserialize)]
struct Way {
    payload_mac: String,
    executor: String,
    workflow: String,
    destination: String,
    scheme: String,
    host: String,
    purpose: String,
    channel: String,
}

impl About {
    fn of(statement: &[u8]) -> About {
        let Ok(way) = serde_json::from_slice::<Way>(statement) else { return About::default() };
        let Ok(digested) = serde_json::to_vec(&way) else { return About::default() };
        // A user may have any number of units.
        let user = way.executor.split(' ').next().unwrap_or_default().to_owned();
        About { way: Some(Sha256::digest(&digested).into()), user }
    }
}

impl Pending {
    /// Keeps a new escalation.
    ///
    /// # Errors
    ///
    /// See [`PendingError`]; each of them means block.
    pub fn create(
        &self,
        id: EscalationId,
        statement: &[u8],
        bounds: Bounds,
        now: &Moment,
    ) -> Result<(), PendingError> {
        self.create_unless(id, statement, bounds, now, |_| None).map(|_: Option<()>| ())
    }

    /// Keeps a new escalation unless `look` finds what it looks for among those about the same
    /// payload on the same way, sorted by id. Nobody makes one in between. Gives what was found.
    ///
    /// # Errors
    ///
    /// See [`PendingError`]; each of them means block.
    pub fn create_unless<T>(
        &self,
        id: EscalationId,
        statement: &[u8],
        bounds: Bounds,
        now: &Moment,
        look: impl FnOnce(&[Kept]) -> Option<T>,
    ) -> Result<Option<T>, PendingError> {
        let _lock = self.lock_to_write()?;
        let about = About::of(statement);
        let (alike, all, of_user) = self.alike(&about)?;
        let load = |id: &EscalationId| {
            let (folder, state) = self.state_of(*id, now).ok()?;
            kept(*id, &folder, state).ok()
        };
        let alike: Vec<Kept> = alike.iter().filter_map(load).collect();
        if let Some(found) = look(&alike) {
            return Ok(Some(found));
        }
        if all >= MAX_PENDING {
            return Err(PendingError::Full);
        }
        if about.way.is_some() && of_user >= MAX_PENDING_USER {
            return Err(PendingError::FullFor(about.user));
        }
        self.keep(id, statement, bounds, now)?;
        Ok(None)
    }

    /// The ids of the escalations about the same payload on the same way as a statement, sorted.
    ///
    /// # Errors
    ///
    /// The disk.
    pub fn like(&self, statement: &[u8]) -> Result<Vec<EscalationId>, PendingError> {
        self.alike(&About::of(statement)).map(|(alike, ..)| alike)
    }

    /// The escalations about the same; how many there are in all, and of the same user.
    fn alike(&self, about: &About) -> Result<(Vec<EscalationId>, usize, usize), PendingError> {
        let mut known = self.known.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.list()?;
        known.retain(|id, _| all.binary_search(id).is_ok());
        let (mut alike, mut of_user) = (Vec::new(), 0);
        for id in &all {
            if !known.contains_key(id) {
                let statement = open_folder(&self.pending, &id.to_string())
                    .ok()
                    .and_then(|folder| read_file(&folder, "statement").ok());
                // What cannot be read now may be readable later.
                let Some(statement) = statement else { continue };
                known.insert(*id, About::of(&statement));
            }
            let Some(other) = known.get(id) else { continue };
            if about.way.is_some() && other.way == about.way {
                alike.push(*id);
            }
            of_user += usize::from(other.way.is_some() && other.user == about.user);
        }
        Ok((alike, all.len(), of_user))
    }

    fn keep(
        &self,
        id: EscalationId,
        statement: &[u8],
        bounds: Bounds,
        now: &Moment,
    ) -> Result<(), PendingError> {
        let stamp = Stamp::of(now);
        let state = State {
            v: 1,
            bounds,
            created: stamp.clone(),
            seen: stamp,
            approvals: Vec::new(),
            ended: None,
            used: 0,
            used_bytes: 0,
        };
        let (name, beside) = (id.to_string(), format!(".new-{id}"));
        self.remove(&beside)?;
        rustix::fs::mkdirat(&self.pending, beside.as_str(), Mode::RWXU)
            .map_err(io_error("make a folder for an escalation"))?;
        let new = open_folder(&self.pending, &beside)
            .map_err(io_error("open the folder of an escalation"))?;
        replace(&new, "statement", statement).map_err(io_error("write a statement"))?;
        write_state(&new, &state)?;
        let moved = rustix::fs::renameat_with(
            &self.pending,
            beside.as_str(),
            &self.pending,
            name.as_str(),
            RenameFlags::NOREPLACE,
        );
        match moved {
            Err(Errno::EXIST) => return Err(PendingError::Exists(id)),
            other => other.map_err(io_error("move an escalation to its place"))?,
        }
        rustix::fs::fsync(&self.pending).map_err(io_error("sync `pending`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(mac: &str, executor: &str) -> Vec<u8> {
        let way = Way {
            payload_mac: mac.to_owned(),
            executor: executor.to_owned(),
            workflow: String::new(),
            destination: "d".to_owned(),
            scheme: String::new(),
            host: String::new(),
            purpose: String::new(),
            channel: "prompt".to_owned(),
        };
        serde_json::to_vec(&way).unwrap()
    }

    fn id(number: u16) -> EscalationId {
        let mut random = [0; 16];
        random[..2].copy_from_slice(&number.to_be_bytes());
        EscalationId::new(random)
    }

    #[test]
    fn one_user_takes_no_room_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let pending = Pending::open(folder.path()).unwrap();
        let now = Moment { wall: 1, monotonic: 1, boot: String::new() };
        let bounds = Bounds { expires: 10, lifetime: 10, uses: 1, bytes: 10 };
        let create = |number, mac: &str, executor| {
            pending.create(id(number), &statement(mac, executor), bounds, &now)
        };
        create(0, "first", "uid:7").unwrap();
        for number in 1..1000 {
            // By another process.
            let made = folder.path().join("pending").join(id(number).to_string());
            std::fs::create_dir(&made).unwrap();
            let executor = format!("uid:7 unit:{number}");
            std::fs::write(made.join("statement"), statement("other", &executor)).unwrap();
        }
        let full = create(1000, "last", "uid:7 unit:x").unwrap_err();
        assert!(matches!(&full, PendingError::FullFor(user) if user == "uid:7"), "{full}");
        create(1001, "last", "uid:77").unwrap();
        // What is there already is found all the same.
        let found = pending.create_unless(id(1002), &statement("first", "uid:7"), bounds, &now, {
            |alike| alike.first().map(|it| it.id)
        });
        assert_eq!(found.unwrap(), Some(id(0)));
        assert_eq!(pending.like(&statement("first", "uid:77")).unwrap(), []);
        // What another process removed counts no more.
        std::fs::remove_dir_all(folder.path().join("pending").join(id(5).to_string())).unwrap();
        create(1000, "last", "uid:7 unit:x").unwrap();
    }
}
