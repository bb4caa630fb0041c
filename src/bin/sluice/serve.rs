//! `sluice serve`: the daemon on a Unix socket.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use serde_json::{Map, json};
use sluicegate::config::Serve;
use sluicegate::record::pending::Pending;
use sluicegate::record::{Ledger, Macs, State, StateError};
use sluicegate::serve::peer::Tokens;
use sluicegate::serve::{self, Loaded, Loader, Parts};

use crate::names::shown;
use crate::state::{StateDir, refused};
use crate::{UsageError, register};

/// Run the daemon: payloads are decided as they stream through a Unix socket
///
/// Speaks HTTP/1.1 on the socket (`curl --unix-socket`); docs/PROTOCOL.md has the requests. SIGHUP
/// reads rules and configuration anew, SIGTERM ends it once what is under way is done.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The Unix socket [default: `socket` of the configuration; $XDG_RUNTIME_DIR/sluice/sluice.sock,
    /// or /run/sluice/sluice.sock for root]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// The register of destinations, workflows and rules, and the settings under `[serve]` [default:
    /// /etc/sluice/sluice.toml, then that of the user, then the defaults]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Add the rules of this directory
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,

    #[command(flatten)]
    state: StateDir,

    /// Make the state directory and its keys where there are none
    #[arg(long)]
    init: bool,

    /// Form of the log on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Human)]
    log: LogFormat,

    /// Log from this level up
    #[arg(long, value_enum, default_value_t = LogLevel::Info)]
    log_level: LogLevel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    Human,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    start_log(arguments.log, arguments.log_level);
    let loaded = load(arguments.config.as_deref(), &arguments.rules)?;
    let settings = loaded.config.settings.serve.clone();
    let state = open_state(&arguments)?;
    let ledger = open_ledger(&state)?;
    let (epoch, key) = state.mac_key().map_err(refused)?;
    let macs = Macs::new(epoch, *key.as_bytes());
    let pending = Pending::open(state.path())?;
    let vaults = crate::state::vaults(&state)?;
    let mut run_key = [0; 32];
    getrandom::fill(&mut run_key).map_err(|_| anyhow::anyhow!("no random numbers"))?;
    let path = socket_path(arguments.socket.as_deref(), &settings)?;
    let unix = listen(&path)?;
    let (config, rules) = (arguments.config.clone(), arguments.rules.clone());
    let loader: Loader =
        Box::new(move || load(config.as_deref(), &rules).map_err(|error| format!("{error:#}")));
    let start = Map::from_iter([("socket".to_owned(), json!(shown(&path)))]);
    let parts = Parts {
        loader,
        loaded,
        macs,
        run_key,
        ledger,
        pending,
        vaults,
        unix,
        tcp: None,
        tcp_token: None,
        start,
    };
    serve::run(parts, || tracing::info!(socket = shown(&path), "ready"))?;
    Ok(ExitCode::SUCCESS)
}

/// Rules and register as they are now.
fn load(config: Option<&Path>, rules: &[PathBuf]) -> anyhow::Result<Loaded> {
    let rules = crate::load::load_rules(rules)?;
    let loaded = register::load(config, &rules.taxonomy)?;
    let tokens =
        Tokens::load(&loaded.config.policy).map_err(|error| UsageError(error.to_string()))?;
    Ok(Loaded {
        rules: Arc::clone(&rules),
        config: loaded.config,
        file: loaded.file,
        path: register::find(config),
        tokens,
    })
}

fn open_state(arguments: &Arguments) -> anyhow::Result<State> {
    let path = arguments.state.path()?;
    match State::open(&path) {
        Err(StateError::Missing(_)) if arguments.init => crate::ledger::create(&path, None),
        other => other.map_err(refused),
    }
}

fn open_ledger(state: &State) -> anyhow::Result<Ledger> {
    crate::ledger::open_with(state, sluicegate::record::Options::daemon())
}

/// Where the socket is.
pub fn socket_path(given: Option<&Path>, settings: &Serve) -> anyhow::Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    given
        .map(Path::to_owned)
        .or_else(|| settings.socket.as_ref().map(PathBuf::from))
        .or_else(|| {
            let root = rustix::process::geteuid().is_root();
            root.then(|| PathBuf::from("/run/sluice/sluice.sock"))
        })
        .or_else(|| variable("XDG_RUNTIME_DIR").map(|it| it.join("sluice/sluice.sock")))
        .ok_or_else(|| UsageError("no path for the socket; give one with --socket".into()).into())
}

fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    UnixListener::bind(path).with_context(|| format!("cannot listen on `{}`", shown(path)))
}

fn start_log(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    // Only one log is ever started in a process.
    let _ = match format {
        LogFormat::Human => log.with_ansi(false).with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).with_target(false).try_init(),
    };
}
