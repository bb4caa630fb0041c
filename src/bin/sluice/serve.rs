//! `sluice serve`: the daemon on a Unix socket.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use serde_json::{Map, json};
use sluicegate::config::{Sandbox, Serve};
use sluicegate::policy::Policy;
use sluicegate::record::pending::Pending;
use sluicegate::record::{Macs, Options, State, StateError};
use sluicegate::serve::messenger::{Helper, Launch, OWN_PROGRAM};
use sluicegate::serve::peer::{Executables, Readers, Token, Tokens};
use sluicegate::serve::sandbox::{self, Enforced, Minimum, Paths};
use sluicegate::serve::socket::{self, Access, Group, Listening, Notifier, SocketError, inherited};
use sluicegate::serve::{self, Loaded, Loader, Parts};

use crate::daemon::Announced;
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
    let listening = listen(arguments.socket.as_deref(), &settings)?;
    let path = listening.path().to_owned();
    let (unix, remains) = listening.split();
    let served = serve_on(unix, &path, &arguments, loaded, &settings, &state);
    if let Err(error) = remains.remove() {
        tracing::warn!(%error, "the socket is not removed");
    }
    served.map(|()| ExitCode::SUCCESS)
}

/// Serves on a socket until the daemon is told to end.
fn serve_on(
    unix: UnixListener,
    path: &Path,
    arguments: &Arguments,
    loaded: Loaded,
    settings: &Serve,
    state: &State,
) -> anyhow::Result<()> {
    let (config, rules) = (absolute(loaded.path.clone())?, absolute_all(&arguments.rules)?);
    let paths = paths(&loaded.config.policy, config.as_deref(), &rules, state, path);
    let guarded = (settings.sandbox != Sandbox::Off).then(|| paths.clone());
    if let Some(paths) = &guarded {
        refuse_writable(paths, &loaded, config.as_deref(), &rules)?;
    }
    let (tcp, tcp_token) = listen_tcp(settings)?;
    let notifier = Notifier::from_environment().context("cannot reach systemd")?;
    // Everything outside is opened, the helper runs, and no thread does yet: now the sandbox closes.
    let helper = helper(config.as_deref(), &rules, state)?;
    let executables = executables(settings)?;
    let enforced = close_sandbox(settings, &paths)?;
    let ledger = crate::ledger::open_with(state, Options::daemon())?;
    crate::decide::told::forget_policy(state);
    let (epoch, key) = state.mac_key().map_err(refused)?;
    let macs = Macs::new(epoch, *key.as_bytes());
    let pending = Pending::open(state.path())?;
    let vaults = crate::state::vaults(state)?;
    let mut run_key = [0; 32];
    getrandom::fill(&mut run_key).map_err(|_| anyhow::anyhow!("no random numbers"))?;
    let load_again = move || -> anyhow::Result<Loaded> {
        let loaded = load(config.as_deref(), &rules)?;
        if let Some(paths) = &guarded {
            refuse_writable(paths, &loaded, config.as_deref(), &rules)?;
        }
        Ok(loaded)
    };
    let loader: Loader = Box::new(move || load_again().map_err(|error| format!("{error:#}")));
    let start = Map::from_iter([
        ("socket".to_owned(), json!(shown(path))),
        ("sandbox".to_owned(), serde_json::to_value(&enforced)?),
    ]);
    let parts = Parts {
        loader,
        loaded,
        macs,
        run_key,
        ledger,
        pending,
        vaults,
        unix,
        tcp,
        tcp_token,
        notifier,
        helper,
        executables,
        start,
    };
    let run = serve::run_id(&run_key);
    serve::run(parts, || {
        // Without it the other commands wait for the ledger in vain; the daemon decides all the same.
        let note = Announced::write(state.path(), path, run).inspect_err(|error| {
            tracing::warn!(%error, "the state directory does not say where I am");
        });
        tracing::info!(socket = shown(path), "ready");
        note.ok()
    })?;
    Ok(())
}

/// The helper that tells paths.
fn helper(
    config: Option<&Path>,
    rules: &[PathBuf],
    state: &State,
) -> anyhow::Result<Option<Helper>> {
    // Without a file there are no paths; with one they may come with a reload.
    if config.is_none() {
        return Ok(None);
    }
    let counts = std::path::absolute(state.path().join("pending"))?;
    let launch = Launch { program: Path::new(OWN_PROGRAM), config, rules, counts: &counts };
    Ok(Some(Helper::start(&launch)?))
}

/// Who reads the programs of callers: inside the sandbox the daemon may not.
fn executables(settings: &Serve) -> anyhow::Result<Executables> {
    if settings.sandbox == Sandbox::Off {
        return Ok(Executables::new());
    }
    let readers = Readers::start(Path::new(OWN_PROGRAM), &[crate::programs::COMMAND]);
    Ok(Executables::read_by(readers.context("cannot start the helpers that read programs")?))
}

/// What the daemon reads and writes once its sandbox is closed.
fn paths(
    policy: &Policy,
    config: Option<&Path>,
    rules: &[PathBuf],
    state: &State,
    socket: &Path,
) -> Paths {
    let mut paths = Paths::default();
    paths.write.push(state.path().to_owned());
    paths.write.extend(socket.parent().map(Path::to_owned));
    rules.iter().map(PathBuf::as_path).chain(config).for_each(|file| paths.read_beside(file));
    // Tokens are read again with each reload.
    for workflow in policy.workflows() {
        let file = workflow.binding.token_file.as_deref();
        file.into_iter().for_each(|file| paths.read_beside(Path::new(file)));
    }
    paths
}

/// Refuses a layout in which a daemon that was taken over could write what it obeys: the helper
/// outside the sandbox reads the register again, and runs what it says.
fn refuse_writable(
    paths: &Paths,
    loaded: &Loaded,
    config: Option<&Path>,
    rules: &[PathBuf],
) -> anyhow::Result<()> {
    let (policy, serve) = (&loaded.config.policy, &loaded.config.settings.serve);
    let tokens = policy.workflows().iter().filter_map(|it| it.binding.token_file.as_deref());
    let tokens = tokens.chain(serve.tcp_token_file.as_deref()).map(Path::new);
    // Without a slash it is looked for in folders of the system.
    let programs = policy.paths().iter().filter_map(|it| it.command.first()).map(Path::new);
    let programs = programs.filter(|program| program.is_absolute());
    let rules = rules.iter().map(PathBuf::as_path);
    let known = config.map(|it| (it, "configuration")).into_iter();
    let known = known
        .chain(rules.clone().map(|it| (it, "rule pack")))
        .chain(tokens.map(|it| (it, "token file")))
        .chain(programs.map(|it| (it, "program")));
    for (file, what) in known {
        if let Some(folder) = paths.may_write(file) {
            let (file, folder) = (shown(file), shown(folder));
            return Err(UsageError(format!(
                "the {what} `{file}` lies in `{folder}`, which the daemon may write to; move it \
                 out of there"
            ))
            .into());
        }
    }
    for rules in rules {
        if let Some(folder) = paths.write_below(rules) {
            let (rules, folder) = (shown(rules), shown(folder));
            return Err(UsageError(format!(
                "`{folder}`, which the daemon may write to, lies in the rule pack `{rules}`; move \
                 one of them"
            ))
            .into());
        }
    }
    Ok(())
}

/// Closes the sandbox as far as the settings want it; none where they want none.
fn close_sandbox(settings: &Serve, paths: &Paths) -> anyhow::Result<Option<Enforced>> {
    let minimum = match settings.sandbox {
        Sandbox::Off => return Ok(None),
        Sandbox::Try => Minimum::None,
        Sandbox::Landlock => Minimum::Landlock,
        Sandbox::All => Minimum::All,
    };
    let enforced = sandbox::enter(paths, minimum)?;
    for missing in &enforced.missing {
        tracing::warn!(missing, "the sandbox is not all that it could be");
    }
    Ok(Some(enforced))
}

/// A path that means the same from any folder.
fn absolute(path: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    Ok(path.map(std::path::absolute).transpose()?)
}

fn absolute_all(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    Ok(paths.iter().map(std::path::absolute).collect::<Result<_, _>>()?)
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

/// Where the socket is.
pub fn socket_path(given: Option<&Path>, settings: &Serve) -> anyhow::Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    configured_socket(given, settings)
        .map(Path::to_owned)
        .or_else(|| {
            let root = rustix::process::geteuid().is_root();
            root.then(|| PathBuf::from("/run/sluice/sluice.sock"))
        })
        .or_else(|| variable("XDG_RUNTIME_DIR").map(|it| it.join("sluice/sluice.sock")))
        .ok_or_else(|| UsageError("no path for the socket; give one with --socket".into()).into())
}

fn configured_socket<'a>(given: Option<&'a Path>, settings: &'a Serve) -> Option<&'a Path> {
    given.or_else(|| settings.socket.as_deref().map(Path::new))
}

/// The socket of systemd, else one of our own.
fn listen(given: Option<&Path>, settings: &Serve) -> anyhow::Result<Listening> {
    let access = match &settings.group {
        None => Access::Owner,
        Some(name) => Access::Group(match name.parse() {
            Ok(id) => Group::Id(id),
            Err(_) => Group::Name(name.clone()),
        }),
    };
    let refused = |error: SocketError| UsageError(error.to_string());
    // What systemd hands over says itself where it lies; no environment has to.
    match inherited(configured_socket(given, settings), &access).map_err(refused)? {
        Some(listening) => Ok(listening),
        None => Ok(socket::listen(&socket_path(given, settings)?, &access).map_err(refused)?),
    }
}

/// Loopback TCP and the token that it asks for, where the settings want it.
fn listen_tcp(settings: &Serve) -> anyhow::Result<(Option<TcpListener>, Option<Token>)> {
    let Some(address) = settings.tcp else { return Ok((None, None)) };
    let file = settings.tcp_token_file.as_deref().unwrap_or_default();
    let token = Token::read(Path::new(file))
        .map_err(|error| UsageError(format!("the token of TCP cannot be used: {error}")))?;
    let listener = TcpListener::bind(address)
        .map_err(|error| UsageError(format!("cannot listen on `{address}`: {error}")))?;
    Ok((Some(listener), Some(token)))
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
