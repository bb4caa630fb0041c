//! Tells the paths of the register (what hears of escalations and decisions) for a daemon that may
//! start no process.
//!
//! In come events, by the id of their path; out go the runs of commands, and failures for whoever
//! records them. A [`Helper`], which is the same program, is started before the sandbox closes. It
//! reads the register itself and takes ids and events on standard input: whoever takes the daemon
//! over can have it run the registered commands, and nothing else. Promised: [`Messenger::tell`]
//! never waits; what is not told is counted and said, and opens nothing; once the helper has ended,
//! every event is a failure, since nothing inside the sandbox can start it again.

mod line;
mod listen;
mod path;

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::{Map, Value};

use line::{Answer, Line, MAX_ANSWER, event_line, next_line};

pub use line::MAX_LINE;
pub use listen::{
    DRAIN, ListenError, MAX_WAITING, MAX_WAITING_BYTES, MAX_WAITING_PATH, WORKERS, listen,
};
pub use path::{EventError, MAX_EVENT, Told, tell};

/// The program that runs, whatever has become of its file.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

/// The most events that wait in the daemon for the helper to read them.
pub const MAX_QUEUED: usize = 1_024;

/// The most bytes of events that wait in the daemon.
pub const MAX_QUEUED_BYTES: usize = 8 << 20;

/// The most different failures that wait to be recorded; more are counted together.
const MAX_FAILURES: usize = 256;

/// How long failures are collected before they are given out again: whoever can cause events must
/// not be able to fill the ledger with failures of them.
const REPORT_PAUSE: Duration = Duration::from_secs(1);

/// What is said of events that come when the helper is gone.
const GONE: &str = "the helper that runs commands has ended, and cannot be started again before \
                    the daemon is";

/// How the helper is started.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The program, whose `messenger` subcommand it is: [`OWN_PROGRAM`].
    pub program: &'a Path,
    /// The register, an absolute path; none where there is none, and so no path.
    pub config: Option<&'a Path>,
    /// Folders of rule packs, absolute paths: their taxonomy has the names that the register uses.
    pub rules: &'a [PathBuf],
    /// The folder in which events are counted: `pending` of the state directory.
    pub counts: &'a Path,
}

/// Why the helper did not start.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// A path is relative: the helper has another working directory.
    #[error("`{}` is no absolute path", .0.display())]
    Relative(PathBuf),
    /// It cannot be started.
    #[error("the helper that runs commands cannot be started: {0}")]
    Start(#[source] std::io::Error),
    /// It cannot use the configuration.
    #[error("the helper that runs commands does not use the configuration: {0}")]
    Refused(String),
    /// It ended, or said something else.
    #[error("the helper that runs commands ended before it was ready")]
    Ended,
}

/// A failure to record: the entry `path_failed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The path; none where it is about the helper.
    pub path: Option<String>,
    /// Events that were not told for this reason, since the last failure that said so.
    pub events: u64,
    /// Why.
    pub problem: String,
}

/// What became of events since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Events that were told.
    pub told: u64,
    /// Events that their path did not want to hear, since it heard of enough.
    pub held_back: u64,
    /// Events that were not told, those that did not fit included.
    pub failed: u64,
    /// Events that did not fit into the queue.
    pub dropped: u64,
    /// Whether the helper lives.
    pub alive: bool,
}

/// A helper that was started and waits. It has no thread in this process yet, so that the sandbox
/// can close.
#[derive(Debug)]
pub struct Helper {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Helper {
    /// Starts the helper, and waits until it has read the register. It ends when this is dropped.
    ///
    /// # Errors
    ///
    /// See [`HelperError`].
    pub fn start(launch: &Launch<'_>) -> Result<Helper, HelperError> {
        let paths = launch.rules.iter().map(PathBuf::as_path).chain(launch.config);
        for path in paths.chain([launch.counts]) {
            if path.is_relative() {
                return Err(HelperError::Relative(path.to_owned()));
            }
        }
        let mut command = Command::new(launch.program);
        command.arg("messenger").arg("--counts").arg(launch.counts);
        if let Some(config) = launch.config {
            command.arg("--config").arg(config);
        }
        for rules in launch.rules {
            command.arg("--rules").arg(rules);
        }
        let mut child = command
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for the daemon, which drains before it lets go of its helper.
            .process_group(0)
            .spawn()
            .map_err(HelperError::Start)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(HelperError::Ended);
        };
        let mut output = BufReader::new(output);
        match answer(&mut output) {
            Some(Answer::Registered { problem: None, .. }) => Ok(Helper { child, input, output }),
            other => {
                drop(input);
                let _ = child.wait();
                Err(match other {
                    Some(Answer::Registered { problem: Some(why), .. }) => {
                        HelperError::Refused(why)
                    }
                    _ => HelperError::Ended,
                })
            }
        }
    }

    /// Process id of the helper.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Begins to send and to listen, with three threads. `on_failure` is called from one of them,
    /// once a second for each path and kind of failure at most, and may wait; failures of one kind
    /// are counted together meanwhile.
    ///
    /// # Errors
    ///
    /// Those of starting threads.
    pub fn attend(
        self,
        on_failure: impl FnMut(Failure) + Send + 'static,
    ) -> std::io::Result<Messenger> {
        let Helper { child, input, output } = self;
        let (sender, receiver) = bounded(MAX_QUEUED);
        let shared = Arc::new(Shared::default());
        let start = |name: &str, work: Box<dyn FnOnce(&Shared) + Send>| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name(name.to_owned()).spawn(move || work(&shared))
        };
        let threads = vec![
            start("event-out", Box::new(move |shared| shared.write(&receiver, input)))?,
            start("event-in", Box::new(move |shared| shared.read(output, child)))?,
            start("event-fail", Box::new(move |shared| shared.report(on_failure)))?,
        ];
        Ok(Messenger { sender: Some(sender), shared, threads })
    }
}

/// The next answer; none where the helper ended or says something else.
fn answer(output: &mut BufReader<ChildStdout>) -> Option<Answer> {
    match next_line(output, MAX_ANSWER) {
        Ok(Line::Whole(line)) => serde_json::from_slice(&line).ok(),
        Ok(Line::TooLong | Line::End) | Err(_) => None,
    }
}

/// Sends events to the helper. Dropped, it lets the helper tell what waits, and end.
#[derive(Debug)]
pub struct Messenger {
    /// There until this is closed.
    sender: Option<Sender<Vec<u8>>>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Messenger {
    /// Has a path told of an event, by the id it has in the register. Never waits; whether the event
    /// was taken. Where it was not, and where it comes to nothing later, that is a [`Failure`].
    pub fn tell(&self, id: &str, event: &Map<String, Value>) -> bool {
        let Some(line) = event_line(id, event) else {
            let problem = format!("an event has at most {MAX_LINE} bytes");
            self.shared.fail(&mut self.shared.lock(), Some(id), 1, &problem);
            return false;
        };
        let size = line.len();
        // Held until the line is in the queue, so that the end of the helper finds it counted.
        let mut state = self.shared.lock();
        if state.gone {
            self.shared.fail(&mut state, Some(id), 1, GONE);
            return false;
        }
        let fits = self.shared.bytes.load(Ordering::Relaxed).saturating_add(size);
        self.shared.bytes.fetch_add(size, Ordering::Relaxed);
        let sender = self.sender.as_ref().filter(|_| fits <= MAX_QUEUED_BYTES);
        if sender.is_none_or(|sender| sender.try_send(line).is_err()) {
            self.shared.bytes.fetch_sub(size, Ordering::Relaxed);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            self.shared.fail(&mut state, Some(id), 1, "too many events wait for the helper");
            return false;
        }
        let under_way = state.under_way.entry(id.to_owned()).or_default();
        *under_way = under_way.saturating_add(1);
        true
    }

    /// Has the helper read the register again, when the daemon has accepted it. Where the helper
    /// does not, it keeps what it had, and that is a [`Failure`].
    pub fn reload(&self) {
        self.shared.reload.store(true, Ordering::Release);
        // Only wakes: where the queue is full, there are lines that do.
        let _ = self.sender.as_ref().map(|sender| sender.try_send(Vec::new()));
    }

    /// What became of events.
    pub fn figures(&self) -> Figures {
        let shared = &self.shared;
        let [told, held_back, failed, dropped] =
            [&shared.told, &shared.held_back, &shared.failed, &shared.dropped]
                .map(|it| it.load(Ordering::Relaxed));
        Figures { told, held_back, failed, dropped, alive: !shared.lock().gone }
    }

    /// Lets what waits be told, which the helper does for at most [`DRAIN`] more, and waits for
    /// `patience` until every failure was given out; whether that came to an end.
    pub fn close(mut self, patience: Duration) -> bool {
        self.let_go();
        let began = Instant::now();
        while !self.threads.iter().all(JoinHandle::is_finished) {
            if began.elapsed() >= patience {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }

    fn let_go(&mut self) {
        self.shared.lock().closing = true;
        self.sender = None;
        self.shared.failed_one.notify_one();
    }
}

impl Drop for Messenger {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[derive(Debug, Default)]
struct State {
    /// Events that were sent and not answered, by path.
    under_way: BTreeMap<String, u64>,
    /// Failures that were not given out: path and problem, and how many events.
    failures: BTreeMap<(Option<String>, String), u64>,
    /// Nothing more is sent.
    closing: bool,
    /// The helper has ended.
    gone: bool,
    /// Its end was noted.
    mourned: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    failed_one: Condvar,
    /// Bytes in the queue.
    bytes: AtomicUsize,
    reload: AtomicBool,
    told: AtomicU64,
    held_back: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, state: &mut State, path: Option<&str>, events: u64, problem: &str) {
        self.failed.fetch_add(events, Ordering::Relaxed);
        let mut key = (path.map(str::to_owned), problem.to_owned());
        if state.failures.len() >= MAX_FAILURES && !state.failures.contains_key(&key) {
            key = (None, "events of several paths were not told".to_owned());
        }
        let count = state.failures.entry(key).or_default();
        *count = count.saturating_add(events);
        self.failed_one.notify_one();
    }

    /// Writes lines to the helper until there are no more.
    fn write(&self, lines: &Receiver<Vec<u8>>, mut input: ChildStdin) {
        for line in lines {
            if self.reload.swap(false, Ordering::AcqRel) {
                // That the helper is gone is noticed where its answers are read.
                let _ = input.write_all(line::RELOAD);
            }
            let _ = input.write_all(&line);
            self.bytes.fetch_sub(line.len(), Ordering::Relaxed);
        }
    }

    /// Reads answers until the helper ends.
    fn read(&self, mut output: BufReader<ChildStdout>, mut child: Child) {
        while let Some(answer) = answer(&mut output) {
            self.note(answer);
        }
        drop(output);
        let mut state = self.lock();
        state.gone = true;
        for (path, events) in std::mem::take(&mut state.under_way) {
            let problem = "the helper that runs commands ended before it had told them";
            self.fail(&mut state, Some(&path), events, problem);
        }
        let expected = state.closing;
        drop(state);
        let status = child.wait();
        let mut state = self.lock();
        if !expected {
            let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            self.fail(&mut state, None, 0, &format!("{GONE}: {how}"));
        }
        state.mourned = true;
        self.failed_one.notify_one();
    }

    fn note(&self, answer: Answer) {
        let mut state = self.lock();
        match answer {
            Answer::Event { path, told, problem, .. } => {
                if let Some(left) = state.under_way.get_mut(&path) {
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        state.under_way.remove(&path);
                    }
                }
                match problem {
                    Some(problem) => {
                        let path = Some(path).filter(|path| !path.is_empty());
                        self.fail(&mut state, path.as_deref(), 1, &problem);
                    }
                    None if told => drop(self.told.fetch_add(1, Ordering::Relaxed)),
                    None => drop(self.held_back.fetch_add(1, Ordering::Relaxed)),
                }
            }
            Answer::Registered { problem: Some(problem), .. } => {
                let problem = format!("the helper keeps the paths that it had: {problem}");
                self.fail(&mut state, None, 0, &problem);
            }
            Answer::Registered { problem: None, .. } => {}
        }
    }

    /// Gives out failures until there are no more.
    fn report(&self, mut on_failure: impl FnMut(Failure)) {
        let mut last: Option<Instant> = None;
        loop {
            let mut state = self.lock();
            loop {
                let pause = last.and_then(|last| REPORT_PAUSE.checked_sub(last.elapsed()));
                let pause = pause.filter(|_| !state.closing);
                match (state.failures.is_empty(), pause) {
                    (true, _) if state.mourned && state.closing => return,
                    (true, _) => {
                        let waited = self.failed_one.wait(state);
                        state = waited.unwrap_or_else(PoisonError::into_inner);
                    }
                    (false, Some(pause)) => {
                        let waited = self.failed_one.wait_timeout(state, pause);
                        state = waited.unwrap_or_else(PoisonError::into_inner).0;
                    }
                    (false, None) => break,
                }
            }
            let failures = std::mem::take(&mut state.failures);
            drop(state);
            for ((path, problem), events) in failures {
                on_failure(Failure { path, events, problem });
            }
            last = Some(Instant::now());
        }
    }
}
