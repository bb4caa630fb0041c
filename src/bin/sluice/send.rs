//! `sluice send`: a payload to the daemon, decided while it is sent.

use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::Bytes;
use indicatif::ProgressBar;
use sluicegate::client::{Answer, Client, ClientError, Timeouts};
use sluicegate::model::{Effect, FlowHeader};
use sluicegate::policy::parse_header;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::signal::unix::{SignalKind, signal};

use crate::decide::targets::{Format, Targets};
use crate::names::shown;
use crate::output::Output;
use crate::{UsageError, daemon, progress};

/// Bytes of a token file.
const MAX_TOKEN: u64 = 4_096;

/// Send one payload with its flow header through the socket of `sluice serve`
///
/// The payload is decided while it is sent, and recorded by the daemon before anything comes back.
/// Exits 0 for allow: the payload may pass; 5 for redact: only what --release writes may; 1 for block
/// and 3 for escalate: nothing may, but what --release - has written. 2 is a wrong call, or one that
/// the daemon refuses; 4 no daemon, or no whole answer: nothing may pass.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The flow header: JSON as for `sluice decide`
    #[arg(long, value_name = "FILE")]
    flow: PathBuf,

    /// The payload; `-` or nothing for standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// The socket of the daemon [default: as `sluice serve` finds it]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// Send the payload whole, and have it decided as `sluice decide` does
    #[arg(long)]
    whole: bool,

    /// Show the workflow's token in this file, which nobody else may read
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Give up after this time
    #[arg(long, value_name = "TIME", default_value = "610s", value_parser = humantime::parse_duration)]
    timeout: Duration,

    #[command(flatten)]
    targets: Targets,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let header = crate::flow::read_header(&arguments.flow, parse_header)?;
    let token = arguments.token_file.as_deref().map(token).transpose()?;
    let socket = daemon::socket(arguments.socket.as_deref())?;
    daemon::wait_for(async {
        let (mut interrupted, mut ended) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            code = sent(arguments, &socket, &header, token) => code,
            // What is half written is taken away.
            _ = interrupted.recv() => anyhow::bail!("interrupted: what the daemon has seen of the payload is block"),
            _ = ended.recv() => anyhow::bail!("ended: what the daemon has seen of the payload is block"),
        }
    })?
}

async fn sent(
    arguments: &Arguments,
    socket: &Path,
    header: &FlowHeader,
    token: Option<Vec<u8>>,
) -> anyhow::Result<ExitCode> {
    let timeouts =
        Timeouts { request: arguments.timeout, stream: arguments.timeout, ..Timeouts::default() };
    let mut client = Client::connect_with(socket, timeouts).await.map_err(daemon::failed)?;
    if let Some(token) = token {
        client = client.with_token(&token).map_err(daemon::failed)?;
    }
    let targets = &arguments.targets;
    let mut payload = Payload::open(arguments).await?;
    if arguments.whole {
        let mut bytes = Vec::new();
        let read = payload.read_to_end(&mut bytes).await;
        payload.bar.finish_and_clear();
        read.map_err(|error| daemon::failed(ClientError::Payload(error)))?;
        return whole(&client, header, Bytes::from(bytes), targets).await;
    }
    let bar = payload.bar.clone();
    let mut out = match targets.release.as_deref() {
        None => None,
        Some(_) if targets.is_released_to_stdout() => Some(Output::stdout(Some(&bar))),
        Some(path) => Some(Output::file(path)?),
    };
    let outcome = match &mut out {
        Some(out) => client.stream(header, &mut payload, &mut Blocking(out)).await,
        None => client.stream_only(header, &mut payload).await,
    };
    bar.finish_and_clear();
    let answer = decided(outcome, targets)?;
    if let Some(out) = out.filter(|_| answer.effect <= Effect::Redact) {
        out.commit()?;
    }
    Ok(ExitCode::from(answer.effect.exit_code()))
}

/// Has a payload decided whole, prints the decision, and writes what may go out.
pub async fn whole(
    client: &Client,
    header: &FlowHeader,
    payload: Bytes,
    targets: &Targets,
) -> anyhow::Result<ExitCode> {
    let outcome = match targets.release {
        Some(_) => client.decide(header, payload.clone()).await,
        None => client.decide_only(header, payload.clone()).await,
    };
    let answer = decided(outcome, targets)?;
    if let Some(bytes) = answer.may_pass(&payload) {
        targets.release(bytes)?;
    }
    Ok(ExitCode::from(answer.effect.exit_code()))
}

/// Prints the decision, also one to block that came with a refusal.
fn decided(outcome: Result<Answer, ClientError>, targets: &Targets) -> anyhow::Result<Answer> {
    let answer = match outcome {
        Err(ClientError::Refused { answer: Some(answer), .. }) => *answer,
        other => other.map_err(daemon::failed)?,
    };
    match targets.format {
        Format::Human => targets.print(answer.human().as_bytes())?,
        Format::Json => targets.print(answer.text())?,
    }
    Ok(answer)
}

/// The token of a workflow, from a file that is its owner's alone.
fn token(path: &Path) -> anyhow::Result<Vec<u8>> {
    let name = shown(path);
    let cannot = |error: io::Error| UsageError(format!("cannot read `{name}`: {error}"));
    let file = std::fs::File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if !metadata.is_file() || metadata.mode() & 0o077 != 0 {
        let message = format!("`{name}` is no file of mode 0600; others could read the token");
        return Err(UsageError(message).into());
    }
    let mut token = Vec::new();
    file.take(MAX_TOKEN).read_to_end(&mut token).map_err(cannot)?;
    Ok(token.trim_ascii().to_vec())
}

/// The payload, with a bar that shows how much of it was read.
struct Payload {
    source: Source,
    bar: ProgressBar,
}

enum Source {
    Stdin(tokio::io::Stdin),
    File(tokio::fs::File),
}

impl Payload {
    async fn open(arguments: &Arguments) -> anyhow::Result<Payload> {
        let path = arguments.file.as_deref().filter(|path| path.as_os_str() != "-");
        let (source, length) = match path {
            None => (Source::Stdin(tokio::io::stdin()), None),
            Some(path) => {
                let name = shown(path);
                let cannot =
                    |error: io::Error| UsageError(format!("cannot read `{name}`: {error}"));
                let file = tokio::fs::File::open(path).await.map_err(cannot)?;
                let metadata = file.metadata().await.map_err(cannot)?;
                if metadata.is_dir() {
                    let message = format!("`{name}` is a directory, and no payload");
                    return Err(UsageError(message).into());
                }
                (Source::File(file), metadata.is_file().then_some(metadata.len()))
            }
        };
        // Typed text and released bytes are no company for a bar.
        let typed = path.is_none() && io::stdin().is_terminal();
        let shown = arguments.targets.is_released_to_stdout() && io::stdout().is_terminal();
        let bar = if typed || shown { ProgressBar::hidden() } else { progress::payload(length) };
        Ok(Payload { source, bar })
    }
}

impl AsyncRead for Payload {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.source {
            Source::Stdin(stdin) => Pin::new(stdin).poll_read(task, buffer),
            Source::File(file) => Pin::new(file).poll_read(task, buffer),
        };
        self.bar.inc(buffer.filled().len().saturating_sub(before) as u64);
        read
    }
}

/// Writes in place: where nobody takes released bytes, nothing more is read either.
struct Blocking<'a>(&'a mut Output);

impl AsyncWrite for Blocking<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Task<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.0.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(task)
    }
}
