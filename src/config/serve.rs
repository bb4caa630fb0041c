//! The `[serve]` section: the daemon's socket, its limits, what else it offers.

use super::names::word;
use super::read::MAX_ID;
use crate::rules::Code;
use crate::rules::reader::{Table, shown};

/// The longest path of a file in bytes.
const MAX_PATH: usize = 4_096;

/// How `sluice serve` runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serve {
    /// Path of the Unix socket, where it is not the default.
    pub socket: Option<String>,
    /// Name or number of the group that may connect; none: the daemon's user alone.
    pub group: Option<String>,
    /// Loopback address and port; none: no TCP.
    pub tcp: Option<std::net::SocketAddr>,
    /// File with the bearer token that TCP asks for.
    pub tcp_token_file: Option<String>,
    /// Threads that scan; none: one a processor.
    pub threads: Option<usize>,
    /// What the sandbox has to reach, or the daemon does not start.
    pub sandbox: Sandbox,
    /// Whether Presidio's analyzer endpoints are there.
    pub presidio: bool,
    /// The flow of LiteLLM's guardrail endpoint, where it is there.
    pub litellm: Option<LiteLlm>,
    /// The limits.
    pub limits: Limits,
}

/// What the sandbox has to reach, or the daemon does not start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sandbox {
    /// None is entered.
    Off,
    /// As much as the kernel has.
    #[default]
    Try,
    /// Landlock, fully.
    Landlock,
    /// Landlock and seccomp.
    All,
}

/// The flow that requests of LiteLLM's guardrail are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiteLlm {
    /// The workflow.
    pub workflow: String,
    /// Where requests go; responses come from there.
    pub destination: String,
    /// Where responses go; none: to an unknown destination.
    pub response_destination: Option<String>,
    /// What for.
    pub purpose: Option<String>,
    /// Whether texts of responses may be redacted: LiteLLM drops that on streamed ones, unless it is
    /// told otherwise.
    pub rewrite_responses: bool,
}

/// The limits of the daemon. Each has a metric, and an answer past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a payload: 413.
    pub payload_bytes: u64,
    /// Bytes of the head of a request, the flow header in it included: 431.
    pub header_bytes: usize,
    /// Connections in all; further ones wait to be accepted.
    pub connections: usize,
    /// Connections of one user id: 429.
    pub connections_per_uid: usize,
    /// Pieces of work that wait for a thread: 503.
    pub queue: usize,
    /// Milliseconds that a request may take in all, however it trickles: 504.
    pub deadline_ms: u64,
    /// Milliseconds that a stream may take in all: 504.
    pub stream_deadline_ms: u64,
    /// Milliseconds in which something has to arrive or be taken: 408.
    pub idle_ms: u64,
    /// Bytes of payloads in memory, of all requests: 503.
    pub memory_bytes: usize,
    /// Bytes that one stream holds back: 413.
    pub held_bytes: u64,
    /// Windows that one stream records a second.
    pub windows_per_second: u64,
    /// Texts of a batch: 413.
    pub batch_texts: usize,
    /// Answers of scans that are remembered; 0: none.
    pub cache_entries: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            payload_bytes: 64 << 20,
            header_bytes: 128 << 10,
            connections: 1_024,
            connections_per_uid: 768,
            queue: 1_024,
            deadline_ms: 60_000,
            stream_deadline_ms: 600_000,
            idle_ms: 20_000,
            memory_bytes: 512 << 20,
            held_bytes: 64 << 20,
            windows_per_second: 10,
            batch_texts: 10_000,
            cache_entries: 10_000,
        }
    }
}

/// Reads the section.
pub(super) fn serve(table: &mut Table<'_, '_, '_>) -> Serve {
    let socket = table.text("socket", MAX_PATH);
    let socket = socket.and_then(|path| absolute(table, path));
    let group = table.text("group", MAX_ID).map(|it| it.value);
    let tcp = table.text("tcp", MAX_ID).and_then(|text| {
        let address = text.value.parse().ok();
        let address = address.filter(|it: &std::net::SocketAddr| it.ip().is_loopback());
        if address.is_none() {
            let message = format!("`{}` is no loopback address with a port", shown(&text.value));
            let help = Some("as in `127.0.0.1:8791` or `[::1]:8791`".to_owned());
            table.reporter.report_with_help(text.at, Code::UnknownWord, message, help);
        }
        address
    });
    let token = table.text("tcp_token_file", MAX_PATH);
    let tcp_token_file = token.and_then(|path| absolute(table, path));
    if tcp.is_some() && tcp_token_file.is_none() && !table.has("tcp_token_file") {
        let at = table.place("tcp");
        let message = "`tcp` needs `tcp_token_file`";
        let help = Some("a file of mode 0600 with at least 16 bytes nobody can guess".to_owned());
        table.reporter.report_with_help(at, Code::MissingKey, message, help);
    }
    let threads = table.number("threads", 1..257).map(|it| it.value);
    let sandbox = word(table, "sandbox", &SANDBOX).unwrap_or_default();
    let presidio = table.boolean("presidio").unwrap_or(false);
    let litellm = table.table("litellm", |table| {
        let workflow = table.required_text("workflow", MAX_ID)?.value;
        let destination = table.required_text("destination", MAX_PATH)?.value;
        let response_destination = table.text("response_destination", MAX_PATH).map(|it| it.value);
        let purpose = table.text("purpose", MAX_ID).map(|it| it.value);
        let rewrite_responses = table.boolean("rewrite_responses").unwrap_or(false);
        Some(LiteLlm { workflow, destination, response_destination, purpose, rewrite_responses })
    });
    let limits = table.table("limits", limits).unwrap_or_default();
    Serve {
        socket,
        group,
        tcp,
        tcp_token_file,
        threads,
        sandbox,
        presidio,
        litellm: litellm.flatten(),
        limits,
    }
}

const SANDBOX: [(&str, Sandbox); 4] = [
    ("off", Sandbox::Off),
    ("try", Sandbox::Try),
    ("landlock", Sandbox::Landlock),
    ("all", Sandbox::All),
];

fn absolute(
    table: &mut Table<'_, '_, '_>,
    path: crate::rules::reader::Located<String>,
) -> Option<String> {
    if path.value.starts_with('/') {
        return Some(path.value);
    }
    let message = format!("`{}` is no absolute path", shown(&path.value));
    table.reporter.report(path.at, Code::UnknownWord, message);
    None
}

fn limits(table: &mut Table<'_, '_, '_>) -> Limits {
    const GIB: usize = 1 << 30;
    const HOUR: usize = 3_600_000;
    let default = Limits::default();
    let mut number =
        |key, range, default: usize| table.number(key, range).map_or(default, |it| it.value);
    let long = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let short = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Limits {
        payload_bytes: long(number("payload_bytes", 1..GIB + 1, short(default.payload_bytes))),
        header_bytes: number("header_bytes", 8_192..(1 << 20) + 1, default.header_bytes),
        connections: number("connections", 1..65_537, default.connections),
        connections_per_uid: number("connections_per_uid", 1..65_537, default.connections_per_uid),
        queue: number("queue", 1..65_537, default.queue),
        deadline_ms: long(number("deadline_ms", 1..HOUR + 1, short(default.deadline_ms))),
        stream_deadline_ms: long(number(
            "stream_deadline_ms",
            1..24 * HOUR + 1,
            short(default.stream_deadline_ms),
        )),
        idle_ms: long(number("idle_ms", 1..HOUR + 1, short(default.idle_ms))),
        memory_bytes: number("memory_bytes", 1 << 20..64 * GIB, default.memory_bytes),
        held_bytes: long(number("held_bytes", 65_536..GIB + 1, short(default.held_bytes))),
        windows_per_second: long(number(
            "windows_per_second",
            1..1_001,
            short(default.windows_per_second),
        )),
        batch_texts: number("batch_texts", 1..1_000_001, default.batch_texts),
        cache_entries: number("cache_entries", 0..10_000_001, default.cache_entries),
    }
}
