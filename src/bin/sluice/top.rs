//! `sluice top`: what the daemon does, as it does it.

mod rates;
mod screen;

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use sluicegate::client::{Client, ClientError, Samples, Timeouts};

use self::rates::Rates;
use self::screen::Screen;
use crate::names::shown;
use crate::{UsageError, daemon};

/// Samples that rates are taken over.
const WINDOW: usize = 11;

/// Rates of flows that the screen remembers.
const HISTORY: usize = 240;

/// How often signals are looked for.
const LOOK: Duration = Duration::from_millis(200);

/// Show what the daemon does: flows and bytes a second, effects, latency, queue
///
/// Reads the daemon's metrics once a second. Rates are over the last 10 seconds. Keys: q ends, p
/// pauses, r measures the rates anew.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The socket of the daemon [default: as `sluice serve` finds it]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// Time from one sample to the next
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    interval: Duration,

    /// Print one sample, over one interval, and end
    #[arg(long)]
    once: bool,

    /// Print that sample as JSON
    #[arg(long)]
    json: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let range = Duration::from_millis(50)..=Duration::from_secs(3_600);
    if range.contains(&interval) { Ok(interval) } else { Err("not 50ms to 1h".to_owned()) }
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let once = arguments.once || arguments.json;
    let on_a_terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
    if !once && !on_a_terminal {
        let message = "this is no terminal; `--once` prints one sample, `--json` as JSON";
        return Err(UsageError(message.to_owned()).into());
    }
    let socket = daemon::socket(arguments.socket.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let source = Source { runtime: runtime.context("cannot start the event loop")?, socket };
    let first = source.sample(arguments.interval).map_err(daemon::failed)?;
    if once {
        std::thread::sleep(arguments.interval);
        let rates = Rates::of(&first, &source.sample(arguments.interval).map_err(daemon::failed)?);
        let text = if arguments.json {
            format!("{}\n", serde_json::to_string(&rates)?)
        } else {
            rates.to_string()
        };
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write")?;
        return Ok(ExitCode::SUCCESS);
    }
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&ended))?;
    }
    // Restores the terminal where the program panics, too.
    let terminal = ratatui::try_init().context("cannot use the terminal")?;
    let watched = watch(terminal, &source, first, arguments, &ended);
    ratatui::restore();
    watched.map(|()| ExitCode::SUCCESS)
}

/// Metrics with the time at which they came.
struct Sample {
    at: Instant,
    samples: Samples,
}

struct Source {
    runtime: tokio::runtime::Runtime,
    socket: PathBuf,
}

impl Source {
    /// Asks the daemon; it may be another one than a moment ago.
    fn sample(&self, within: Duration) -> Result<Sample, ClientError> {
        let within = within.max(Duration::from_secs(1));
        let timeouts = Timeouts { connect: within, request: within, stream: within };
        let samples = self.runtime.block_on(async {
            Client::connect_with(&self.socket, timeouts).await?.metrics().await
        })?;
        Ok(Sample { at: Instant::now(), samples })
    }
}

/// Draws until a key or a signal ends it.
fn watch(
    mut terminal: DefaultTerminal,
    source: &Source,
    first: Sample,
    arguments: &Arguments,
    ended: &AtomicBool,
) -> anyhow::Result<()> {
    let mut screen = Screen::new(shown(&source.socket));
    let mut samples = VecDeque::from([first]);
    let mut next = Instant::now() + arguments.interval;
    loop {
        if let (Some(first), Some(last)) = (samples.front(), samples.back()) {
            screen.rates = Rates::of(first, last);
        }
        terminal.draw(|frame| screen.draw(frame)).context("cannot draw")?;
        // Keys and signals come meanwhile.
        while Instant::now() < next {
            if ended.load(Ordering::Relaxed) {
                return Ok(());
            }
            let wait = next.saturating_duration_since(Instant::now()).min(LOOK);
            if !event::poll(wait).context("cannot read keys")? {
                continue;
            }
            match asked(&event::read().context("cannot read keys")?) {
                Some(Asked::End) => return Ok(()),
                Some(Asked::Pause) => screen.paused ^= true,
                Some(Asked::Anew) => {
                    samples.drain(..samples.len().saturating_sub(1));
                    screen.history.clear();
                }
                Some(Asked::Redraw) => {}
                None => continue,
            }
            break;
        }
        if Instant::now() < next {
            continue;
        }
        next = Instant::now() + arguments.interval;
        if screen.paused {
            continue;
        }
        match source.sample(arguments.interval) {
            Ok(sample) => {
                screen.problem = None;
                if let Some(last) = samples.back() {
                    let flows = Rates::of(last, &sample).flows_per_second;
                    screen.history.push_back(flows);
                }
                samples.push_back(sample);
            }
            Err(error) => screen.problem = Some(error.to_string()),
        }
        samples.drain(..samples.len().saturating_sub(WINDOW));
        screen.history.drain(..screen.history.len().saturating_sub(HISTORY));
    }
}

enum Asked {
    End,
    Pause,
    Anew,
    Redraw,
}

fn asked(event: &Event) -> Option<Asked> {
    let key = match event {
        Event::Resize(..) => return Some(Asked::Redraw),
        Event::Key(key) if key.kind == KeyEventKind::Press => key,
        _ => return None,
    };
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Some(Asked::End),
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Asked::End),
        KeyCode::Char('p') => Some(Asked::Pause),
        KeyCode::Char('r') => Some(Asked::Anew),
        _ => None,
    }
}
