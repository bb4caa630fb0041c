//! Runs the command of a path with an event on standard input, and counts what it hears.
//!
//! The command and its arguments are fixed by the register; nothing of a payload stands in them or
//! in the environment, which is empty but for `PATH`. Whether it ran is said to whoever records it:
//! a failure opens nothing. A path that is told more than it wants to hear is told how many events
//! were held back.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::policy::EventPath;

/// Where programs of a path's command are looked for.
const PROGRAMS: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The most bytes of an event.
pub const MAX_EVENT: usize = 128 * 1024;

/// The longest that a command may run, in seconds, whatever the register says.
const MAX_SECONDS: u64 = 300;

/// How often a command is looked after.
const STEP: Duration = Duration::from_millis(5);

/// How long the count of a path is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Seconds of the window in which events are counted.
pub(super) const WINDOW: u64 = 60;

/// Why a path was not told.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The path has no command.
    #[error("the path has no command")]
    NoCommand,
    /// The command could not be started.
    #[error("the command cannot be started: {0}")]
    Start(#[source] std::io::Error),
    /// It ran too long, and was killed.
    #[error("the command did not end within {0} seconds and was killed")]
    Timeout(u64),
    /// The program that ran it ended first.
    #[error("the command was killed, since the daemon has ended")]
    Stopped,
    /// It failed.
    #[error("the command ended with {0}")]
    Failed(String),
    /// The count of events cannot be kept.
    #[error("the events of the path cannot be counted: {0}")]
    Count(#[source] std::io::Error),
    /// The event is too large.
    #[error("an event has at most {MAX_EVENT} bytes")]
    TooLarge,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The command ran and ended well, and knows how many events were held back before.
    Yes(u64),
    /// The path has had as many events this minute as it wants; so many, with this one, were held
    /// back since it was told of one.
    HeldBack(u64),
}

/// Tells a path of an event, unless it has heard of enough this minute. `counts` is a folder of
/// this user, made where it is missing, in which events are counted for all processes; `now` is in
/// seconds since 1970. Waits for the command to end.
///
/// # Errors
///
/// See [`EventError`].
pub fn tell(
    path: &EventPath,
    event: Map<String, Value>,
    counts: &Path,
    now: u64,
) -> Result<Told, EventError> {
    match admit(path, counts, now, 0).map_err(EventError::Count)?.told {
        Told::Yes(held_back) => {
            deliver(path, event, held_back, &AtomicBool::new(false)).map(|()| Told::Yes(held_back))
        }
        held => Ok(held),
    }
}

/// Runs the command of a path with an event that was admitted, until `stop` becomes true.
///
/// # Errors
///
/// See [`EventError`].
pub(super) fn deliver(
    path: &EventPath,
    mut event: Map<String, Value>,
    held_back: u64,
    stop: &AtomicBool,
) -> Result<(), EventError> {
    event.insert("path".to_owned(), json!(path.id));
    event.insert("held_back".to_owned(), json!(held_back));
    let mut json = serde_json::to_vec(&event).map_err(|_| EventError::TooLarge)?;
    json.push(b'\n');
    if json.len() > MAX_EVENT {
        return Err(EventError::TooLarge);
    }
    let seconds = u64::from(path.timeout.max(1)).min(MAX_SECONDS);
    run(&path.command, json, Duration::from_secs(seconds), stop)
}

/// Whether an event may be told.
pub(super) struct Admission {
    pub told: Told,
    /// Start of the window in which it was counted, in seconds since 1970.
    pub since: u64,
}

/// What is counted of a path.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    /// Start of the window, in seconds since 1970.
    since: u64,
    /// Events that were told in it.
    told: u32,
    /// Events that were held back since one was told.
    held_back: u64,
}

/// Counts an event, and says whether it may be told. `held` are those that were held back without
/// being counted here.
pub(super) fn admit(
    path: &EventPath,
    counts: &Path,
    now: u64,
    held: u64,
) -> std::io::Result<Admission> {
    count(path, counts, now, held, true)
}

/// Counts events that were held back, for the next that is told.
pub(super) fn hold(path: &EventPath, counts: &Path, now: u64, held: u64) -> std::io::Result<()> {
    count(path, counts, now, held, false).map(drop)
}

fn count(
    path: &EventPath,
    counts: &Path,
    now: u64,
    held: u64,
    one_more: bool,
) -> std::io::Result<Admission> {
    let mut file = open_count(counts, &path.id)?;
    lock(&file)?;
    let mut text = Vec::new();
    (&mut file).take(4096).read_to_end(&mut text)?;
    // A count that cannot be read is begun anew: it protects a path from noise, and nothing else.
    let mut count: Count = serde_json::from_slice(&text).unwrap_or_default();
    if now < count.since || now >= count.since.saturating_add(WINDOW) {
        (count.since, count.told) = (now, 0);
    }
    count.held_back = count.held_back.saturating_add(held);
    let told = if one_more && count.told < path.per_minute {
        count.told = count.told.saturating_add(1);
        Told::Yes(std::mem::take(&mut count.held_back))
    } else {
        count.held_back = count.held_back.saturating_add(u64::from(one_more));
        Told::HeldBack(count.held_back)
    };
    let text = serde_json::to_vec(&count)?;
    file.seek(SeekFrom::Start(0))?;
    file.set_len(0)?;
    file.write_all(&text)?;
    Ok(Admission { told, since: count.since })
}

/// Takes the lock of a count, which nobody holds for long.
fn lock(file: &File) -> std::io::Result<()> {
    let began = Instant::now();
    loop {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK | Errno::INTR) if began.elapsed() < LOCK_WAIT => {
                thread::sleep(STEP);
            }
            other => return Ok(other?),
        }
    }
}

fn open_count(counts: &Path, id: &str) -> std::io::Result<File> {
    match std::fs::DirBuilder::new().mode(0o700).create(counts) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // An id is of letters, digits, `-`, `_` and `.`; whatever else it holds is no folder here.
    let fits = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = id.chars().map(fits).collect();
    let file: PathBuf = counts.join(format!("path-{name}.json"));
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(file, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Runs a command to its end with a text on standard input. It and what it started are gone when this
/// returns, but for what has left its process group.
fn run(
    command: &[String],
    text: Vec<u8>,
    timeout: Duration,
    stop: &AtomicBool,
) -> Result<(), EventError> {
    let (program, arguments) = command.split_first().ok_or(EventError::NoCommand)?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PROGRAMS)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A group of its own, so that what it starts can be ended with it.
        .process_group(0)
        .spawn()
        .map_err(EventError::Start)?;
    let input = Input { pipe: child.stdin.take(), text, written: 0 };
    let ended = wait(&child, input, timeout, stop);
    // The child is not reaped yet, so its group cannot be another's.
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let status = child.wait().map_err(EventError::Start)?;
    match (ended, status.success()) {
        (false, _) if stop.load(Ordering::Relaxed) => Err(EventError::Stopped),
        (false, _) => Err(EventError::Timeout(timeout.as_secs())),
        (true, true) => Ok(()),
        (true, false) => Err(EventError::Failed(status.to_string())),
    }
}

/// A text on its way to a command. Nothing waits for it: a command, or what it left behind, may hold
/// the pipe open and read nothing. What is not read is no failure.
struct Input {
    pipe: Option<ChildStdin>,
    text: Vec<u8>,
    written: usize,
}

impl Input {
    /// Writes what the pipe takes now, and closes it behind the end. False where it takes nothing
    /// more for now, or will never.
    fn write(&mut self) -> bool {
        let rest = self.text.get(self.written..).unwrap_or_default();
        let Some(pipe) = self.pipe.as_mut().filter(|_| !rest.is_empty()) else {
            self.pipe = None;
            return false;
        };
        // The other end is not affected: the two ends of a pipe have their flags each.
        match rustix::io::ioctl_fionbio(&*pipe, true).and_then(|()| rustix::io::write(&*pipe, rest))
        {
            Ok(written) => {
                self.written += written;
                true
            }
            Err(Errno::AGAIN | Errno::INTR) => false,
            Err(_) => {
                self.pipe = None;
                false
            }
        }
    }
}

/// Waits for a child to end while it reads, and leaves it to be reaped; whether it did in time.
fn wait(child: &Child, mut input: Input, timeout: Duration, stop: &AtomicBool) -> bool {
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return false };
    let began = Instant::now();
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    loop {
        while input.write() {}
        match waitid(WaitId::Pid(pid), options) {
            Ok(Some(_)) => return true,
            Ok(None) | Err(Errno::INTR)
                if began.elapsed() < timeout && !stop.load(Ordering::Relaxed) =>
            {
                thread::sleep(STEP);
            }
            Ok(None) | Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(script: &str, timeout: u32, per_minute: u32) -> EventPath {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        EventPath { id: "queue".to_owned(), command, timeout, per_minute }
    }

    fn event(text: &str) -> Map<String, Value> {
        Map::from_iter([("event".to_owned(), json!(text))])
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    fn gone(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    }

    #[test]
    fn the_command_gets_the_event_and_an_empty_environment() {
        let (folder, out) = (folder(), folder());
        let out = out.path().join("out");
        let script = format!("cat > {0}; env > {0}.env; pwd > {0}.pwd", out.display());
        let told = tell(&path(&script, 10, 5), event("escalation"), folder.path(), 100);
        assert!(matches!(told, Ok(Told::Yes(0))), "{told:?}");
        let read = |suffix: &str| {
            std::fs::read_to_string(format!("{}{suffix}", out.display())).unwrap_or_default()
        };
        let text = r#"{"event":"escalation","held_back":0,"path":"queue"}"#;
        assert_eq!(read(""), format!("{text}\n"));
        let environment = read(".env");
        let known = |line: &str| {
            ["PATH=", "PWD=", "OLDPWD=", "SHLVL=", "_="].iter().any(|it| line.starts_with(it))
        };
        assert!(environment.lines().all(known), "{environment}");
        assert_eq!(read(".pwd"), "/\n");
    }

    #[test]
    fn a_failure_is_said() {
        let folder = folder();
        let tell = |path: &EventPath| tell(path, event("x"), folder.path(), 100);
        let failed = tell(&path("exit 3", 10, 100));
        assert!(matches!(&failed, Err(EventError::Failed(how)) if how.contains('3')), "{failed:?}");
        let missing = EventPath { command: vec!["/nowhere/at-all".into()], ..path("", 1, 100) };
        assert!(matches!(tell(&missing), Err(EventError::Start(_))));
        let none = EventPath { command: Vec::new(), ..path("", 1, 100) };
        assert!(matches!(tell(&none), Err(EventError::NoCommand)));
        // One that reads nothing has not failed.
        assert!(matches!(tell(&path("exit 0", 10, 100)), Ok(Told::Yes(0))));
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_all_that_it_started() {
        let (folder, out) = (folder(), folder());
        let out = out.path().join("pids");
        let script = format!("sleep 600 & echo $! > {0}; echo $$ >> {0}; sleep 600", out.display());
        let began = Instant::now();
        let told = tell(&path(&script, 1, 5), event("x"), folder.path(), 100);
        assert!(matches!(told, Err(EventError::Timeout(1))), "{told:?}");
        assert!(began.elapsed() < Duration::from_secs(5));
        let pids = std::fs::read_to_string(&out).expect("written");
        assert_eq!(pids.lines().count(), 2);
        thread::sleep(Duration::from_millis(100));
        assert!(pids.lines().all(gone), "{pids}");
    }

    #[test]
    fn what_outlives_the_command_is_ended_and_holds_nothing_up() {
        let (folder, out) = (folder(), folder());
        let out = out.path().join("pid");
        // It keeps standard input open and reads nothing of an event that fills the pipe.
        let script = format!("sleep 600 <&0 & echo $! > {}", out.display());
        let large = "x".repeat(MAX_EVENT - 1000);
        let began = Instant::now();
        let told = tell(&path(&script, 30, 5), event(&large), folder.path(), 100);
        assert!(matches!(told, Ok(Told::Yes(0))), "{told:?}");
        assert!(began.elapsed() < Duration::from_secs(5));
        thread::sleep(Duration::from_millis(100));
        assert!(gone(std::fs::read_to_string(&out).expect("written").trim()));
        let larger = event(&"x".repeat(MAX_EVENT));
        let told = tell(&path("exit 0", 30, 5), larger, folder.path(), 100);
        assert!(matches!(told, Err(EventError::TooLarge)));
    }

    #[test]
    fn what_leaves_the_group_of_the_command_holds_nothing_up() {
        let (folder, out) = (folder(), folder());
        let out = out.path().join("pid");
        let script = format!("setsid sleep 20 <&0 & echo $! > {}; sleep 0.3", out.display());
        let large = "x".repeat(MAX_EVENT - 1000);
        let began = Instant::now();
        let told = tell(&path(&script, 15, 5), event(&large), folder.path(), 100);
        assert!(matches!(told, Ok(Told::Yes(0))), "{told:?}");
        assert!(began.elapsed() < Duration::from_secs(14), "{:?}", began.elapsed());
        let pid = std::fs::read_to_string(&out).expect("written");
        let pid = Pid::from_raw(pid.trim().parse().expect("a number")).expect("a process");
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }

    #[test]
    fn a_large_event_is_read_whole() {
        let (folder, out) = (folder(), folder());
        let out = out.path().join("out");
        let large = "x".repeat(MAX_EVENT - 1000);
        let script = format!("sleep 0.1; cat > {}", out.display());
        let told = tell(&path(&script, 15, 5), event(&large), folder.path(), 100);
        assert!(matches!(told, Ok(Told::Yes(0))), "{told:?}");
        let read = std::fs::read_to_string(&out).expect("written");
        assert!(read.contains(&large) && read.ends_with("}\n"), "{}", read.len());
    }

    #[test]
    fn a_path_hears_as_much_a_minute_as_it_wants() {
        let (folder, out) = (folder(), folder());
        let out = out.path().join("out");
        let path = path(&format!("cat >> {}", out.display()), 10, 2);
        let at = |now| tell(&path, event("x"), folder.path(), now).expect("no failure");
        assert_eq!(
            [at(100), at(101), at(102), at(159)].map(|it| matches!(it, Told::Yes(_))),
            [true, true, false, false]
        );
        assert_eq!(at(159), Told::HeldBack(3));
        assert_eq!(
            [at(160), at(161), at(162)].map(|it| matches!(it, Told::Yes(_))),
            [true, true, false]
        );
        let held: Vec<u64> = std::fs::read_to_string(&out)
            .expect("written")
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["held_back"].as_u64().unwrap())
            .collect();
        assert_eq!(held, [0, 0, 3, 0]);
        // A clock that was set back begins anew, and so does a count that cannot be read.
        assert_eq!(at(10), Told::Yes(1));
        std::fs::write(folder.path().join("path-queue.json"), "{").expect("written");
        assert_eq!(at(11), Told::Yes(0));
        let link = folder.path().join("path-other.json");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), link).expect("linked");
        let other = EventPath { id: "other".to_owned(), ..path.clone() };
        let told = tell(&other, event("x"), folder.path(), 100);
        assert!(matches!(told, Err(EventError::Count(_))));
    }
}
