//! A disk in memory that loses what was not synced: writes sector by sector, names one by one, in
//! any combination. Any operation can be the last one, or fail.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use crate::record::files::{Files, Writable, folder_of};

/// Bytes that are written wholly or not at all.
pub(super) const SECTOR: usize = 512;

/// What happens at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It fails, and so does all after it: the process is gone.
    Death,
    /// It fails, once.
    Error(io::ErrorKind),
}

#[derive(Clone, Default)]
struct Inode {
    durable: Vec<u8>,
    now: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Change::Write(offset, bytes) => {
                let end = offset + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*offset..end].copy_from_slice(bytes);
            }
            Change::Length(length) => content.resize(*length, 0),
        }
    }
}

#[derive(Clone)]
struct Naming {
    folder: String,
    gone: Option<String>,
    here: Option<(String, usize)>,
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        if let Some(gone) = &self.gone {
            names.remove(gone);
        }
        if let Some((name, inode)) = &self.here {
            names.insert(name.clone(), *inode);
        }
    }
}

#[derive(Clone, Default)]
struct Contents {
    inodes: Vec<Inode>,
    durable: BTreeMap<String, usize>,
    now: BTreeMap<String, usize>,
    pending: Vec<Naming>,
    folders: BTreeSet<String>,
    operations: usize,
    fault: Option<(usize, Fault)>,
}

/// The disk. Clones are one disk.
#[derive(Clone, Default)]
pub(super) struct Model(Arc<Mutex<Contents>>);

struct Open(Model, usize);

impl Model {
    /// The paths of all files.
    pub(super) fn paths(&self) -> Vec<String> {
        self.contents(|contents| contents.now.keys().cloned().collect())
    }

    fn contents<T>(&self, act: impl FnOnce(&mut Contents) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    /// Counts an operation, and fails where that is its turn.
    fn operate<T>(&self, act: impl FnOnce(&mut Contents) -> io::Result<T>) -> io::Result<T> {
        self.contents(|contents| {
            contents.operations += 1;
            let now = contents.operations;
            match contents.fault {
                Some((at, Fault::Death)) if now == at => {
                    // What it began may have come to the disk.
                    let _ = act(contents);
                    Err(io::Error::other("dead"))
                }
                Some((at, Fault::Death)) if now > at => Err(io::Error::other("dead")),
                Some((at, Fault::Error(kind))) if now == at => Err(kind.into()),
                _ => act(contents),
            }
        })
    }

    pub(super) fn fail(&self, after: usize, fault: Fault) {
        self.contents(|contents| contents.fault = Some((contents.operations + after, fault)));
    }

    /// Nothing fails from here on.
    pub(super) fn mend(&self) {
        self.contents(|contents| contents.fault = None);
    }

    /// The disk after a loss of power: `keeps` says of each change that was not synced whether it
    /// is there.
    pub(super) fn after_crash(&self, mut keeps: impl FnMut() -> bool) -> Model {
        self.contents(|contents| {
            let mut after = contents.clone();
            for inode in &mut after.inodes {
                for change in inode.pending.drain(..).filter(|_| keeps()) {
                    change.apply(&mut inode.durable);
                }
                inode.now = inode.durable.clone();
            }
            for naming in after.pending.drain(..).filter(|_| keeps()) {
                naming.apply(&mut after.durable);
            }
            after.now = after.durable.clone();
            after.fault = None;
            Model(Arc::new(Mutex::new(after)))
        })
    }

    /// A disk of its own with one file changed.
    pub(super) fn with(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) -> Model {
        let mut contents = self.contents(|contents| contents.clone());
        let inode = &mut contents.inodes[contents.now[path]];
        change(&mut inode.now);
        Model(Arc::new(Mutex::new(contents)))
    }
}

impl Files for Model {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.operate(|contents| {
            let inode = contents.now.get(path).ok_or(io::ErrorKind::NotFound)?;
            Ok(contents.inodes[*inode].now.clone())
        })
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.operate(|contents| {
            if !contents.folders.contains(folder) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let names = contents.now.keys().filter(|path| folder_of(path) == folder);
            Ok(names.map(|path| path[folder.len() + 1..].to_owned()).collect())
        })
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn Writable>> {
        let model = self.clone();
        self.operate(|contents| {
            if contents.now.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let inode = contents.inodes.len();
            contents.inodes.push(Inode::default());
            contents.name(folder_of(path), None, Some((path.to_owned(), inode)));
            Ok(Box::new(Open(model, inode)) as Box<dyn Writable>)
        })
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Writable>> {
        let model = self.clone();
        self.operate(|contents| {
            let inode = *contents.now.get(path).ok_or(io::ErrorKind::NotFound)?;
            Ok(Box::new(Open(model, inode)) as Box<dyn Writable>)
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.operate(|contents| {
            let inode = *contents.now.get(from).ok_or(io::ErrorKind::NotFound)?;
            contents.name(folder_of(to), Some(from.to_owned()), Some((to.to_owned(), inode)));
            Ok(())
        })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.operate(|contents| {
            contents.now.get(path).ok_or(io::ErrorKind::NotFound)?;
            contents.name(folder_of(path), Some(path.to_owned()), None);
            Ok(())
        })
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.operate(|contents| match contents.folders.remove(path) {
            true => Ok(()),
            false => Err(io::ErrorKind::NotFound.into()),
        })
    }

    fn make_folder(&self, path: &str) -> io::Result<bool> {
        self.operate(|contents| Ok(contents.folders.insert(path.to_owned())))
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        self.operate(|contents| {
            let pending = std::mem::take(&mut contents.pending);
            let (synced, others) = pending.into_iter().partition(|naming| naming.folder == path);
            contents.pending = others;
            let synced: Vec<Naming> = synced;
            synced.iter().for_each(|naming| naming.apply(&mut contents.durable));
            Ok(())
        })
    }
}

impl Contents {
    fn name(&mut self, folder: &str, gone: Option<String>, here: Option<(String, usize)>) {
        let naming = Naming { folder: folder.to_owned(), gone, here };
        naming.apply(&mut self.now);
        self.pending.push(naming);
    }

    fn change(&mut self, inode: usize, change: Change) {
        let inode = &mut self.inodes[inode];
        change.apply(&mut inode.now);
        inode.pending.push(change);
    }
}

impl Writable for Open {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.operate(|contents| {
            let mut at = offset as usize;
            let mut rest = bytes;
            while !rest.is_empty() {
                let length = (SECTOR - at % SECTOR).min(rest.len());
                contents.change(self.1, Change::Write(at, rest[..length].to_vec()));
                at += length;
                rest = &rest[length..];
            }
            Ok(())
        })
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.0.operate(|contents| {
            if contents.inodes[self.1].now.len() < length as usize {
                contents.change(self.1, Change::Length(length as usize));
            }
            Ok(())
        })
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.0.operate(|contents| {
            contents.change(self.1, Change::Length(length as usize));
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        let synced = self.0.operate(|contents| {
            let inode = &mut contents.inodes[self.1];
            for change in std::mem::take(&mut inode.pending) {
                change.apply(&mut inode.durable);
            }
            Ok(())
        });
        if synced.is_err() {
            self.0.contents(|contents| {
                // The kernel takes what it could not write for written: it is read back, and a
                // later sync leaves it out.
                if matches!(contents.fault, Some((_, Fault::Error(_)))) {
                    contents.inodes[self.1].pending.clear();
                }
            });
        }
        synced
    }
}
