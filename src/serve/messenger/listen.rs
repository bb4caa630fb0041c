//! What the helper does: reads lines, runs the commands of the paths they name, answers.
//!
//! Reading never waits for a command. What a path does not want to hear this minute is answered at
//! once; the rest waits in a bounded queue, and what does not fit there is answered as a failure.
//! Events of one path are told one after the other, in order; a path that hangs holds up no other,
//! until [`WORKERS`] of them hang.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::line::{Answer, Line, MAX_LINE, Request, next_line, request};
use super::path::{EventError, Told, WINDOW, admit, deliver, hold};
use crate::policy::EventPath;

/// Commands that run at the same time.
pub const WORKERS: usize = 16;

/// The most events that wait, for all paths.
pub const MAX_WAITING: usize = 256;

/// The most events that wait for one path.
pub const MAX_WAITING_PATH: usize = 64;

/// The most bytes of events that wait.
pub const MAX_WAITING_BYTES: usize = 8 << 20;

/// How long commands may still run when the daemon is gone.
pub const DRAIN: Duration = Duration::from_secs(10);

/// The most characters of a problem in an answer.
const MAX_PROBLEM: usize = 1_000;

/// Why the helper does not start.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(String),
    /// A line cannot be read.
    #[error("the daemon cannot be heard: {0}")]
    Read(#[from] std::io::Error),
}

/// Answers `input` on `output` until it ends. `load` reads the paths of the register, at the start
/// and when a line asks for it; `counts` is the folder in which events are counted. What waits when
/// `input` ends is still told, for at most [`DRAIN`].
///
/// # Errors
///
/// See [`ListenError`]; a configuration that cannot be used later leaves the paths as they were.
pub fn listen(
    mut input: impl BufRead,
    output: impl Write + Send,
    mut load: impl FnMut() -> Result<Vec<EventPath>, String>,
    counts: &Path,
    drain: Duration,
) -> Result<(), ListenError> {
    let desk = Desk { work: Mutex::default(), changed: Condvar::new(), output: Mutex::new(output) };
    let mut paths = match load() {
        Ok(paths) => by_id(paths),
        Err(problem) => {
            desk.answer(&Answer::Registered { paths: 0, problem: Some(cut(&problem)) });
            return Err(ListenError::Config(problem));
        }
    };
    desk.answer(&Answer::Registered { paths: paths.len(), problem: None });
    let stop = AtomicBool::new(false);
    let mut gates: BTreeMap<String, Gate> = BTreeMap::new();
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| desk.work(&stop));
        }
        let heard = loop {
            let line = match next_line(&mut input, MAX_LINE) {
                Ok(Line::Whole(line)) => line,
                Ok(Line::TooLong) => {
                    desk.refuse("", &format!("a line has at most {MAX_LINE} bytes"));
                    continue;
                }
                Ok(Line::End) => break Ok(()),
                Err(error) => break Err(error.into()),
            };
            match request(&line) {
                Err(problem) => desk.refuse("", problem),
                Ok(Request::Event { path, .. }) => match paths.get(&path) {
                    Some(path) => {
                        let gate = gates.entry(path.id.clone()).or_default();
                        match gate.pass(path, counts, now()) {
                            Ok(Told::Yes(held_back)) => {
                                desk.take(Job { path: Arc::clone(path), line, held_back });
                            }
                            Ok(Told::HeldBack(held_back)) => {
                                let path = path.id.clone();
                                let (told, problem) = (false, None);
                                desk.answer(&Answer::Event { path, told, held_back, problem });
                            }
                            Err(problem) => desk.refuse(&path.id, &problem),
                        }
                    }
                    None => desk.refuse(&path, "no such path is registered"),
                },
                Ok(Request::Reload) => {
                    let problem = match load() {
                        Ok(loaded) => {
                            // A path may want to hear more now.
                            settle(&mut gates, &paths, counts);
                            paths = by_id(loaded);
                            None
                        }
                        Err(problem) => Some(cut(&problem)),
                    };
                    desk.answer(&Answer::Registered { paths: paths.len(), problem });
                }
            }
        };
        settle(&mut gates, &paths, counts);
        desk.end(&stop, drain);
        heard
    })
}

fn by_id(paths: Vec<EventPath>) -> BTreeMap<String, Arc<EventPath>> {
    paths.into_iter().map(|path| (path.id.clone(), Arc::new(path))).collect()
}

fn cut(problem: &str) -> String {
    problem.chars().take(MAX_PROBLEM).collect()
}

/// What is remembered of a path that has heard of enough, so that a flood of events costs no file.
#[derive(Default)]
struct Gate {
    /// Start of the window in which it wants to hear no more.
    since: Option<u64>,
    /// Events that were held back and are not counted in the folder yet.
    held: u64,
    /// Those that are.
    counted: u64,
}

impl Gate {
    /// Whether an event may be told.
    fn pass(&mut self, path: &EventPath, counts: &Path, now: u64) -> Result<Told, String> {
        let closed = |since: u64| (since..since.saturating_add(WINDOW)).contains(&now);
        if self.since.is_some_and(closed) {
            self.held = self.held.saturating_add(1);
            return Ok(Told::HeldBack(self.counted.saturating_add(self.held)));
        }
        let admission = admit(path, counts, now, self.held)
            .map_err(|error| EventError::Count(error).to_string())?;
        *self = match admission.told {
            Told::Yes(_) => Gate::default(),
            Told::HeldBack(counted) => Gate { since: Some(admission.since), held: 0, counted },
        };
        Ok(admission.told)
    }
}

/// Counts in the folder what was held back, and forgets the gates.
fn settle(
    gates: &mut BTreeMap<String, Gate>,
    paths: &BTreeMap<String, Arc<EventPath>>,
    counts: &Path,
) {
    for (id, gate) in std::mem::take(gates) {
        if let Some(path) = paths.get(&id).filter(|_| gate.held > 0) {
            // The count is for the path's information, and nobody is left to be told that it fails.
            let _ = hold(path, counts, now(), gate.held);
        }
    }
}

/// An event that waits, as its line: parsed, it can be many times larger.
struct Job {
    path: Arc<EventPath>,
    line: Vec<u8>,
    held_back: u64,
}

#[derive(Default)]
struct Work {
    waiting: VecDeque<Job>,
    bytes: usize,
    /// Ids of the paths whose command runs.
    running: BTreeSet<String>,
    ended: bool,
}

struct Desk<W> {
    work: Mutex<Work>,
    changed: Condvar,
    output: Mutex<W>,
}

impl<W: Write> Desk<W> {
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, answer: &Answer) {
        let Ok(mut line) = serde_json::to_vec(answer) else { return };
        line.push(b'\n');
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        // Where the daemon is gone, nobody is left to be told.
        let _ = output.write_all(&line).and_then(|()| output.flush());
    }

    fn refuse(&self, path: &str, problem: &str) {
        let (path, problem) = (cut(path), Some(cut(problem)));
        self.answer(&Answer::Event { path, told: false, held_back: 0, problem });
    }

    /// Has an event wait for its turn, or answers that too many do.
    fn take(&self, job: Job) {
        let mut work = self.lock();
        let of_path = work.waiting.iter().filter(|it| it.path.id == job.path.id).count();
        let bytes = work.bytes.saturating_add(job.line.len());
        if work.waiting.len() >= MAX_WAITING
            || of_path >= MAX_WAITING_PATH
            || bytes > MAX_WAITING_BYTES
        {
            drop(work);
            self.refuse(&job.path.id, "too many events wait for paths");
            return;
        }
        work.bytes = bytes;
        work.waiting.push_back(job);
        drop(work);
        self.changed.notify_one();
    }

    /// The oldest event whose path hears nothing at present; none when there will be no more.
    fn next(&self) -> Option<Job> {
        let mut work = self.lock();
        loop {
            let free = |job: &Job| !work.running.contains(&job.path.id);
            if let Some(at) = work.waiting.iter().position(free)
                && let Some(job) = work.waiting.remove(at)
            {
                work.bytes = work.bytes.saturating_sub(job.line.len());
                work.running.insert(job.path.id.clone());
                return Some(job);
            }
            if work.ended && work.waiting.is_empty() {
                return None;
            }
            work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&self, stop: &AtomicBool) {
        while let Some(job) = self.next() {
            let id = job.path.id.clone();
            let outcome = match request(&job.line) {
                Ok(Request::Event { event, .. }) => {
                    deliver(&job.path, event, job.held_back, stop).map_err(|it| it.to_string())
                }
                Ok(Request::Reload) | Err(_) => Err("the line is no event".to_owned()),
            };
            let (told, problem) = match outcome {
                Ok(()) => (true, None),
                Err(problem) => (false, Some(cut(&problem))),
            };
            let (path, held_back) = (id.clone(), job.held_back);
            self.answer(&Answer::Event { path, told, held_back, problem });
            self.lock().running.remove(&id);
            self.changed.notify_all();
        }
    }

    /// Lets what waits be told for a while, then ends all.
    fn end(&self, stop: &AtomicBool, drain: Duration) {
        let began = Instant::now();
        let mut work = self.lock();
        work.ended = true;
        self.changed.notify_all();
        while !(work.waiting.is_empty() && work.running.is_empty()) {
            let Some(left) = drain.checked_sub(began.elapsed()) else { break };
            let waited = self.changed.wait_timeout(work, left);
            work = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        stop.store(true, Ordering::Relaxed);
        work.waiting.clear();
        drop(work);
        self.changed.notify_all();
    }
}

/// Seconds since 1970. A clock before that counts events in a window that never ends, which holds
/// back too much rather than too little.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(id: &str, script: &str) -> EventPath {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        EventPath { id: id.to_owned(), command, timeout: 20, per_minute: 1_000 }
    }

    /// What is answered to some lines.
    fn answers(paths: &[EventPath], lines: &str) -> Vec<Answer> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut output = Vec::new();
        listen(lines.as_bytes(), &mut output, || Ok(paths.to_vec()), folder.path(), DRAIN)
            .expect("heard");
        let text = String::from_utf8(output).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("an answer")).collect()
    }

    fn problem_of(answer: &Answer) -> &str {
        match answer {
            Answer::Event { problem: Some(problem), told: false, .. } => problem,
            other => panic!("no problem: {other:?}"),
        }
    }

    #[test]
    fn only_registered_paths_are_told_and_no_line_brings_a_command() {
        let lines = concat!(
            "{\"path\":\"other\",\"event\":{}}\n",
            "{\"path\":\"queue\",\"event\":{},\"command\":[\"/bin/true\"]}\n",
            "garbage\n",
            "{\"path\":\"queue\",\"event\":{}}\n",
            "{\"path\":\"queue\",\"event\":{}}",
        );
        let answers = answers(&[path("queue", "exit 0")], lines);
        assert_eq!(answers[0], Answer::Registered { paths: 1, problem: None });
        assert!(problem_of(&answers[1]).contains("registered"));
        assert!(problem_of(&answers[2]).contains("neither"));
        assert!(problem_of(&answers[3]).contains("neither"));
        let told = Answer::Event { path: "queue".into(), told: true, held_back: 0, problem: None };
        assert_eq!(answers[4..], [told], "a line without an end is none");
    }

    #[test]
    fn a_flood_is_held_back_without_a_file_each_and_counted_in_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("out");
        let few = EventPath { per_minute: 2, ..path("few", &format!("cat >> {}", out.display())) };
        let hear = |lines: &str| {
            let mut output = Vec::new();
            let load = || Ok(vec![few.clone()]);
            listen(lines.as_bytes(), &mut output, load, folder.path(), DRAIN).expect("heard");
            String::from_utf8(output).expect("text")
        };
        // Two minutes may touch.
        let text = hear(&"{\"path\":\"few\",\"event\":{}}\n".repeat(500));
        let told = text.matches("\"told\":true").count();
        assert!((2..=4).contains(&told), "{told}");
        assert_eq!(text.lines().count(), 501);
        assert!(!text.contains("problem"), "{text}");
        let count = std::fs::read_to_string(folder.path().join("path-few.json")).expect("counted");
        let count: serde_json::Value = serde_json::from_str(&count).expect("JSON");
        let heard = std::fs::read_to_string(&out).expect("told");
        let sum = heard.lines().map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
            event["held_back"].as_u64().expect("a count")
        });
        let held = count["held_back"].as_u64().expect("a count") + sum.sum::<u64>();
        assert_eq!(held, 500 - told as u64);
    }

    #[test]
    fn too_many_events_are_answered_and_not_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let gate = folder.path().join("gate");
        // The command waits for the last line, which another path is told of.
        let wait = format!("while ! [ -e {} ]; do sleep 0.05; done", gate.display());
        let paths = [path("slow", &wait), path("open", &format!("touch {}", gate.display()))];
        let mut lines = "{\"path\":\"slow\",\"event\":{}}\n".repeat(MAX_WAITING_PATH + 10);
        lines.push_str("{\"path\":\"open\",\"event\":{}}\n");
        let answers = answers(&paths, &lines);
        let refused = |it: &&Answer| matches!(it, Answer::Event { problem: Some(_), .. });
        let told = |it: &&Answer| matches!(it, Answer::Event { told: true, .. });
        let refused = answers.iter().filter(refused).count();
        assert!((9..=10).contains(&refused), "{refused}");
        assert_eq!(answers.iter().filter(told).count(), MAX_WAITING_PATH + 11 - refused);
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_and_the_next_is_read() {
        let long =
            format!("{{\"path\":\"queue\",\"event\":{{\"x\":\"{}\"}}}}\n", "x".repeat(MAX_LINE));
        let answers = answers(&[path("queue", "exit 0")], &(long + "{\"reload\":true}\n"));
        assert!(problem_of(&answers[1]).contains("131072"));
        assert_eq!(answers[2], Answer::Registered { paths: 1, problem: None });
    }

    #[test]
    fn a_bad_configuration_changes_nothing_later_and_ends_it_at_the_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut output = Vec::new();
        let mut loads = vec![Err("broken".to_owned()), Ok(vec![path("queue", "exit 0")])];
        let lines: &[u8] = b"{\"reload\":true}\n{\"path\":\"queue\",\"event\":{}}\n";
        listen(lines, &mut output, || loads.pop().expect("two"), folder.path(), DRAIN)
            .expect("heard");
        let text = String::from_utf8(output).expect("text");
        assert!(text.contains(r#"{"paths":1,"problem":"broken"}"#), "{text}");
        assert!(text.contains(r#""told":true"#), "{text}");
        let mut output = Vec::new();
        let refused = listen(lines, &mut output, || Err("broken".to_owned()), folder.path(), DRAIN);
        assert!(matches!(refused, Err(ListenError::Config(_))));
        assert_eq!(output, b"{\"paths\":0,\"problem\":\"broken\"}\n");
    }

    #[test]
    fn commands_end_with_the_daemon() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut output = Vec::new();
        let lines: &[u8] = b"{\"path\":\"slow\",\"event\":{}}\n{\"path\":\"slow\",\"event\":{}}\n";
        let began = Instant::now();
        let load = || Ok(vec![path("slow", "sleep 600")]);
        listen(lines, &mut output, load, folder.path(), Duration::from_millis(200)).expect("heard");
        assert!(began.elapsed() < Duration::from_secs(10));
        let text = String::from_utf8(output).expect("text");
        assert!(text.contains("daemon has ended"), "{text}");
    }
}
