//! Helpers that look at the programs of peers for a daemon inside its sandbox.
//!
//! Whoever is inside a Landlock domain may read no `/proc/PID/exe` of a process outside, root neither
//! (landlock(7), ptrace restrictions). So the same program is started again before the sandbox closes, and
//! asked by the number of a process. The daemon checks afterwards that its peer still is there, so that the
//! number was the peer's all along. Such a helper has two sockets: one for short looks, one for reading
//! whole files. Promised: no call waits longer than stated; a helper that is late is asked nothing
//! more; without helpers an executable is unavailable.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;

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
    free: Mutex<(Vec<UnixStream>, usize)>,
    freed: Condvar,
    patience: Duration,
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
        let (looks, reads) = (Lanes::new(looks, LOOK)?, Lanes::new(reads, READ)?);
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
    fn new(lanes: Vec<UnixStream>, patience: Duration) -> io::Result<Lanes> {
        for lane in &lanes {
            lane.set_read_timeout(Some(patience))?;
            lane.set_write_timeout(Some(patience))?;
        }
        let count = lanes.len();
        Ok(Lanes { free: Mutex::new((lanes, count)), freed: Condvar::new(), patience })
    }

    /// The answer to a line; none where no helper gives one in time.
    fn ask(&self, line: &str) -> Option<String> {
        let mut lane = self.take()?;
        let answer = exchange(&mut lane, line);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Some(_) => free.0.push(lane),
            // Its next answer could be that to this line.
            None => free.1 -= 1,
        }
        drop(free);
        self.freed.notify_all();
        answer
    }

    fn take(&self) -> Option<UnixStream> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let none_free = |(free, all): &mut (Vec<UnixStream>, usize)| free.is_empty() && *all > 0;
        let waited = self.freed.wait_timeout_while(free, self.patience, none_free);
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        free.0.pop()
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        let free = self.free.get_mut().unwrap_or_else(PoisonError::into_inner);
        for lane in &free.0 {
            let _ = lane.shutdown(Shutdown::Both);
        }
    }
}

fn exchange(lane: &mut UnixStream, line: &str) -> Option<String> {
    lane.write_all(line.as_bytes()).ok()?;
    next_line(&mut BufReader::new(lane)).ok()?
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
        let Some(answer) = answer(&line, executables) else { return };
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

    #[test]
    fn a_late_helper_is_asked_nothing_more() {
        let (one, other) = UnixStream::pair().expect("a pair");
        let lanes = Lanes::new(vec![one], Duration::from_millis(20)).expect("timeouts");
        assert_eq!(lanes.ask("running 1\n"), None, "nobody answers");
        let _ = (&mut &other).write_all(b"key 1 2 3 4 5\n");
        assert_eq!(lanes.ask("running 2\n"), None, "this would be the answer to another line");
    }

    #[test]
    fn a_helper_that_ended_is_noticed() {
        let (one, other) = UnixStream::pair().expect("a pair");
        let lanes = Lanes::new(vec![one], Duration::from_secs(5)).expect("timeouts");
        drop(other);
        assert_eq!(lanes.ask("running 1\n"), None);
        assert_eq!(lanes.ask("running 1\n"), None, "at once");
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
