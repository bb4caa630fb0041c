//! Helpers that look at the programs of peers for a daemon inside its sandbox.
//!
//! Whoever is inside a Landlock domain may read no `/proc/PID/exe` of a process outside, root neither
//! (landlock(7), ptrace restrictions). So the same program is started again before the sandbox closes, and
//! asked by the number of a process. The daemon checks afterwards that its peer still is there, so that the
//! number was the peer's all along. Such a helper has two sockets: one for short looks, one for reading
//! whole files. Promised: no call waits longer than stated; an answer that comes late is nobody else's, and
//! the helper is asked again once it has come; without helpers an executable is unavailable.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use tracing::warn;

use super::executable::{Executables, FileKey, UNREADABLE, known_reason, reason_number};
use super::proc;
use crate::model::{Executable, KernelName};

/// Processes, and so files that are read at once.
const PROCESSES: usize = 2;

/// How long a look may take.
const LOOK: Duration = Duration::from_secs(1);

/// How long reading a file may take, and waiting for one's turn.
const READ: Duration = Duration::from_secs(10);

/// Bytes of the longest line: a path of 4,096 bytes in hex, and what goes before it.
const MAX_LINE: u64 = 10_000;

/// How often a late answer is looked for.
const LATE_STEP: Duration = Duration::from_millis(10);

const NO_HELPER: &str = "no helper was there to read it";

/// Helpers that were started.
#[derive(Debug)]
pub struct Readers {
    looks: Lanes,
    reads: Lanes,
    // Held so that they are known to be this process's own; they end when their sockets close.
    _children: Vec<Child>,
}

/// Connections to helpers, each used by one caller at a time.
#[derive(Debug)]
struct Lanes {
    free: Mutex<Free>,
    freed: Condvar,
    patience: Duration,
    /// What is asked, for the log.
    what: &'static str,
}

#[derive(Debug)]
struct Free {
    lanes: Vec<Lane>,
    /// Lanes whose helper has not ended, free or not.
    alive: usize,
    /// Callers that got no answer.
    lost: u64,
}

/// A connection to a helper. At most one request of it is under way.
#[derive(Debug)]
struct Lane {
    stream: UnixStream,
    /// Number of the last request.
    asked: u64,
    /// Whether its answer is still to come. The caller may have given up on it.
    owed: bool,
    /// What was read of the next line.
    read: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
enum Loss {
    /// It is late, and may come yet.
    Late,
    /// The helper has ended, or says what it was not asked.
    Ended,
}

impl Readers {
    /// Starts the helpers: `program`, with `arguments` that make it call [`read_programs`]. To be called
    /// before the sandbox closes. They end when this is dropped.
    ///
    /// # Errors
    ///
    /// If they cannot be started.
    pub fn start(program: &Path, arguments: &[&str]) -> io::Result<Readers> {
        let (mut looks, mut reads, mut children) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..PROCESSES {
            let ((look, its_look), (read, its_read)) = (UnixStream::pair()?, UnixStream::pair()?);
            let mut command = Command::new(program);
            command.args(arguments).env_clear().current_dir("/");
            command.stdin(Stdio::from(OwnedFd::from(its_look)));
            command.stdout(Stdio::from(OwnedFd::from(its_read)));
            // Ctrl-C is for the daemon, which drains before it lets go of its helpers.
            command.process_group(0);
            children.push(command.spawn()?);
            looks.push(look);
            reads.push(read);
        }
        let looks = Lanes::new(looks, LOOK, "which program");
        let reads = Lanes::new(reads, READ, "its digest");
        Ok(Readers { looks, reads, _children: children })
    }

    /// The program that runs in a process now.
    pub(super) fn running(&self, pid: u32) -> Option<FileKey> {
        let answer = self.looks.ask(&format!("running {pid}\n"))?;
        read_key(&mut answer.strip_prefix("key ")?.split(' '))
    }

    /// The same as [`Executables::of`] without helpers.
    pub(super) fn of(&self, pid: u32, uid: u32) -> (Executable, Option<FileKey>) {
        let answer = self.reads.ask(&format!("of {pid} {uid}\n"));
        let unavailable = |reason| (Executable::Unavailable(reason), None);
        let Some(answer) = answer else { return unavailable(NO_HELPER) };
        match answer.split_once(' ') {
            Some(("known", rest)) => known(rest).unwrap_or_else(|| unavailable(UNREADABLE)),
            Some(("no", number)) => unavailable(known_reason(number)),
            _ => unavailable(UNREADABLE),
        }
    }
}

impl Lanes {
    fn new(streams: Vec<UnixStream>, patience: Duration, what: &'static str) -> Lanes {
        let lane = |stream| Lane { stream, asked: 0, owed: false, read: Vec::new() };
        let lanes: Vec<Lane> = streams.into_iter().map(lane).collect();
        let free = Free { alive: lanes.len(), lanes, lost: 0 };
        Lanes { free: Mutex::new(free), freed: Condvar::new(), patience, what }
    }

    /// The answer to a line; none where no helper gives one in time.
    fn ask(&self, line: &str) -> Option<String> {
        let Some(mut lane) = self.take() else {
            self.lose(&mut self.lock(), Loss::Late);
            return None;
        };
        let answer = lane.ask(line, Instant::now() + self.patience);
        let mut free = self.lock();
        if answer != Err(Loss::Ended) {
            free.lanes.push(lane);
        } else {
            free.alive = free.alive.saturating_sub(1);
        }
        let answer = answer.map_err(|loss| self.lose(&mut free, loss)).ok();
        drop(free);
        self.freed.notify_all();
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a caller that got no answer, and logs it: the first ones each, many with their number.
    fn lose(&self, free: &mut Free, loss: Loss) {
        free.lost = free.lost.saturating_add(1);
        if free.lost.is_power_of_two() || loss == Loss::Ended {
            let (lost, alive, asked) = (free.lost, free.alive, self.what);
            warn!(
                asked,
                lost, alive, "no helper said what a caller runs; it counts as unavailable"
            );
        }
    }

    /// A lane that owes no answer; none where none is there in time.
    fn take(&self) -> Option<Lane> {
        let until = Instant::now() + self.patience;
        let mut free = self.lock();
        loop {
            if let Some(at) = free.lanes.iter_mut().position(Lane::is_settled) {
                return Some(free.lanes.swap_remove(at));
            }
            let left = until.saturating_duration_since(Instant::now());
            if free.alive == 0 || left.is_zero() {
                return None;
            }
            // A late answer wakes nobody up.
            let waited = self.freed.wait_timeout(free, LATE_STEP.min(left));
            free = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        let free = self.free.get_mut().unwrap_or_else(PoisonError::into_inner);
        for lane in &free.lanes {
            let _ = lane.stream.shutdown(Shutdown::Both);
        }
    }
}

impl Lane {
    /// Whether the next answer would be that to the next request: nothing is late, or it has come by
    /// now and is thrown away. True also of a helper that has ended, as whoever asks it then learns.
    fn is_settled(&mut self) -> bool {
        !self.owed || self.answer(Instant::now()) != Err(Loss::Late)
    }

    fn ask(&mut self, line: &str, until: Instant) -> Result<String, Loss> {
        self.asked = self.asked.wrapping_add(1);
        let patience = until.saturating_duration_since(Instant::now()).max(LATE_STEP);
        self.stream.set_write_timeout(Some(patience)).map_err(|_| Loss::Ended)?;
        // Part of a line would make nonsense of the next one, so that lane is not used any more. It
        // does not come to that: a lane holds one request.
        self.stream
            .write_all(format!("{} {line}", self.asked).as_bytes())
            .map_err(|_| Loss::Ended)?;
        self.owed = true;
        self.answer(until)
    }

    /// The answer to the last request.
    fn answer(&mut self, until: Instant) -> Result<String, Loss> {
        loop {
            let line = self.line(until)?;
            let (number, answer) = line.split_once(' ').ok_or(Loss::Ended)?;
            match number.parse::<u64>() {
                Ok(number) if number == self.asked => {
                    self.owed = false;
                    return Ok(answer.to_owned());
                }
                // That to a caller who has given up.
                Ok(_) => {}
                Err(_) => return Err(Loss::Ended),
            }
        }
    }

    /// The next line; what there is of it is kept where the rest is late.
    fn line(&mut self, until: Instant) -> Result<String, Loss> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let rest = self.read.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.read, rest);
                line.pop();
                return String::from_utf8(line).map_err(|_| Loss::Ended);
            }
            if self.read.len() as u64 >= MAX_LINE {
                return Err(Loss::Ended);
            }
            let left = until.saturating_duration_since(Instant::now());
            let flags = if left.is_zero() {
                // What has come is taken even where the time is over.
                RecvFlags::DONTWAIT
            } else {
                self.stream.set_read_timeout(Some(left)).map_err(|_| Loss::Ended)?;
                RecvFlags::empty()
            };
            let mut piece = [0; 4096];
            match rustix::net::recv(&self.stream, &mut piece[..], flags) {
                Ok((0, _)) => return Err(Loss::Ended),
                Ok((count, _)) => self.read.extend(piece.iter().take(count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(Loss::Late),
                Err(_) => return Err(Loss::Ended),
            }
        }
    }
}

/// One line without its end; none at the end of the input.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    input.by_ref().take(MAX_LINE).read_line(&mut line)?;
    match line.pop() {
        None => Ok(None),
        Some('\n') => Ok(Some(line)),
        Some(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// What a helper does: answers on the sockets that are its standard input and output until both are
/// closed.
///
/// # Errors
///
/// If they are no sockets, or no thread can be started.
pub fn read_programs() -> io::Result<()> {
    let looks = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let reads = UnixStream::from(io::stdout().as_fd().try_clone_to_owned()?);
    looks.peer_addr().and_then(|_| reads.peer_addr())?;
    let executables = Executables::new();
    std::thread::scope(|scope| {
        let reading = std::thread::Builder::new()
            .name("programs".to_owned())
            .spawn_scoped(scope, || attend(&reads, &executables))?;
        attend(&looks, &executables);
        // Both ends close together; a file that is being read is read to its end.
        let _ = reading.join();
        Ok(())
    })
}

fn attend(socket: &UnixStream, executables: &Executables) {
    let mut input = BufReader::new(socket);
    while let Ok(Some(line)) = next_line(&mut input) {
        let Some((number, line)) = line.split_once(' ') else { return };
        let Some(answer) = answer(line, executables) else { return };
        let answer = format!("{number} {answer}");
        if (&mut &*socket).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The answer to a line; none to one that the daemon does not write.
fn answer(line: &str, executables: &Executables) -> Option<String> {
    let mut words = line.split(' ');
    let (verb, pid) = (words.next()?, words.next()?.parse().ok()?);
    let uid = words.next().map(str::parse::<u32>);
    let no = |reason| format!("no {}\n", reason_number(reason));
    let directory = proc::open(pid).ok().filter(|directory| proc::is_genuine(directory));
    match (verb, uid, directory) {
        ("running", None, directory) => {
            let key = directory.and_then(FileKey::running);
            Some(key.map_or_else(|| no(UNREADABLE), |key| format!("key {}\n", write_key(key))))
        }
        ("of", Some(Ok(_)), None) => Some(no(UNREADABLE)),
        ("of", Some(Ok(uid)), Some(directory)) => match executables.of(&directory, pid, uid) {
            (Executable::Known { path, sha256 }, Some(key)) => {
                let path = HEXLOWER.encode(path.as_str().as_bytes());
                Some(format!("known {} {sha256} {path}\n", write_key(key)))
            }
            (Executable::Unavailable(reason), _) => Some(no(reason)),
            (Executable::Known { .. }, None) => Some(no(UNREADABLE)),
        },
        _ => None,
    }
}

fn known(rest: &str) -> Option<(Executable, Option<FileKey>)> {
    let mut words = rest.split(' ');
    let key = read_key(&mut words)?;
    let sha256 = words.next()?.to_owned();
    let path = HEXLOWER.decode(words.next()?.as_bytes()).ok()?;
    let is_digest = HEXLOWER.decode(sha256.as_bytes()).is_ok_and(|digest| digest.len() == 32);
    let executable = Executable::Known { path: KernelName::read(&path), sha256 };
    (is_digest && words.next().is_none()).then_some((executable, Some(key)))
}

fn write_key(key: FileKey) -> String {
    let FileKey { device, inode, size, changed: (seconds, nanoseconds) } = key;
    format!("{device} {inode} {size} {seconds} {nanoseconds}")
}

fn read_key<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<FileKey> {
    let mut number = || words.next()?.parse::<u64>().ok();
    let (device, inode, size) = (number()?, number()?, number()?);
    let seconds = words.next()?.parse().ok()?;
    let nanoseconds = words.next()?.parse().ok()?;
    Some(FileKey { device, inode, size, changed: (seconds, nanoseconds) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_say_what_a_look_of_ones_own_says() {
        let executables = Executables::new();
        let pid = std::process::id();
        let own = proc::open(pid).expect("proc is there");
        let uid = rustix::process::geteuid().as_raw();
        let (executable, key) = executables.of(&own, pid, uid);
        let answer = |line: &str| answer(line, &executables);
        let line = answer(&format!("of {pid} {uid}")).expect("it is a request");
        let read = known(line.trim_end().strip_prefix("known ").expect("it is readable"));
        assert_eq!(read, Some((executable, key)));
        let line = answer(&format!("running {pid}")).expect("it is a request");
        let words = line.trim_end().strip_prefix("key ").expect("it is readable");
        assert_eq!(read_key(&mut words.split(' ')), key);
        let none = format!("no {}\n", reason_number(UNREADABLE));
        assert_eq!(answer("of 4294967295 0").as_deref(), Some(none.as_str()));
        assert_eq!(answer("running 4294967295").as_deref(), Some(none.as_str()));
        for other in ["", "of", "of 1", "of x 0", "of 1 x", "running", "running 1 0", "exec 1"] {
            assert_eq!(answer(other), None, "{other}");
        }
    }

    fn lanes(patience: u64) -> (Lanes, BufReader<UnixStream>) {
        let (one, other) = UnixStream::pair().expect("a pair");
        let patience = Duration::from_millis(patience);
        (Lanes::new(vec![one], patience, "which program"), BufReader::new(other))
    }

    fn says(helper: &BufReader<UnixStream>, line: &str) {
        helper.get_ref().write_all(line.as_bytes()).expect("somebody listens");
    }

    #[test]
    fn a_late_answer_is_nobody_elses_and_the_helper_is_asked_again() {
        let (mut lanes, mut helper) = lanes(50);
        assert_eq!(lanes.ask("running 1\n"), None, "nobody answers");
        assert_eq!(lanes.ask("running 2\n"), None, "nobody answers, and it is asked nothing more");
        let heard = |helper: &mut _| next_line(helper).expect("readable").expect("a line");
        assert_eq!(heard(&mut helper), "1 running 1");
        // It comes in two pieces.
        says(&helper, "1 key 1 2 ");
        assert_eq!(lanes.ask("running 3\n"), None, "that is half an answer");
        says(&helper, "3 4 5\n");
        let answered = std::thread::scope(|scope| {
            lanes.patience = Duration::from_secs(10);
            let asked = scope.spawn(|| lanes.ask("running 4\n"));
            assert_eq!(heard(&mut helper), "2 running 4");
            // One more of somebody who has given up.
            says(&helper, "1 key 9 9 9 9 9\n2 key 6 7 8 9 10\n");
            asked.join().expect("no panic")
        });
        assert_eq!(answered.as_deref(), Some("key 6 7 8 9 10"));
        assert_eq!(lanes.lock().lost, 3);
    }

    #[test]
    fn a_helper_that_ended_is_noticed() {
        let (lanes, helper) = lanes(5_000);
        drop(helper);
        assert_eq!(lanes.ask("running 1\n"), None);
        assert_eq!(lanes.ask("running 1\n"), None, "at once");
        assert_eq!((lanes.lock().alive, lanes.lock().lost), (0, 2));
    }

    #[test]
    fn a_helper_that_ends_while_it_owes_an_answer_is_noticed() {
        let (lanes, helper) = lanes(50);
        assert_eq!(lanes.ask("running 1\n"), None);
        drop(helper);
        assert_eq!(lanes.ask("running 1\n"), None);
        assert_eq!(lanes.lock().alive, 0);
    }

    #[test]
    fn what_is_no_answer_ends_the_lane() {
        for wrong in ["key 1 2 3 4 5\n".to_owned(), "\n".to_owned(), "1".repeat(20_000)] {
            let (lanes, helper) = lanes(5_000);
            says(&helper, &wrong);
            assert_eq!(lanes.ask("running 1\n"), None, "{:.9}", wrong);
            assert_eq!(lanes.lock().alive, 0, "{:.9}", wrong);
        }
    }

    #[test]
    fn odd_answers_are_no_executable() {
        let digest = "0".repeat(64);
        for wrong in [
            String::new(),
            "1 2 3 4".to_owned(),
            format!("1 2 3 4 5 {digest}"),
            format!("1 2 3 4 5 {digest} zz"),
            format!("1 2 3 4 5 {} 2f", "0".repeat(63)),
            format!("1 2 3 4 5 {digest} 2f 2f"),
            format!("-1 2 3 4 5 {digest} 2f"),
        ] {
            assert_eq!(known(&wrong), None, "{wrong}");
        }
        assert!(known(&format!("1 2 3 4 5 {digest} 2f")).is_some());
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_a_panic(line in "(of|running|known|key|no)? ?[-0-9a-fé ]{0,90}") {
            let _ = (known(&line), read_key(&mut line.split(' ')), known_reason(&line));
            let _ = next_line(&mut line.as_bytes());
        }
    }
}
