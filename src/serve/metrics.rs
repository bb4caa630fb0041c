//! What is counted, in the text form that Prometheus reads (OpenMetrics 1.0).

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// A request by where it went and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Answered {
    /// The route.
    pub route: &'static str,
    /// The HTTP status.
    pub status: u16,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Route {
    /// The route.
    pub route: &'static str,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Decided {
    /// The effect.
    pub effect: &'static str,
    /// What it came from.
    pub cause: &'static str,
}

/// A limit that was reached, or another reason for which nothing was decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Refused {
    /// The word for it.
    pub limit: &'static str,
}

/// An outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    /// The word for it.
    pub outcome: &'static str,
}

/// All that is counted. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Requests that were answered.
    pub requests: Family<Answered, Counter>,
    /// Seconds from the head of a request to the head of its answer.
    pub seconds: Family<Route, Histogram, fn() -> Histogram>,
    /// Decisions.
    pub decisions: Family<Decided, Counter>,
    /// Refusals by reason.
    pub refused: Family<Refused, Counter>,
    /// Bytes of payloads that came in.
    pub payload_bytes: Counter,
    /// Bytes that were released.
    pub released_bytes: Counter,
    /// Windows of streams that were recorded.
    pub windows: Counter,
    /// Answers from the cache (`hit`), and scans that it did not save (`miss`).
    pub cache: Family<Outcome, Counter>,
    /// Reloads that were taken (`ok`) and those that changed nothing (`failed`).
    pub reloads: Family<Outcome, Counter>,
    /// Connections that could not be accepted.
    pub accept_errors: Counter,
    /// Events that no path was told.
    pub path_failures: Counter,
    /// Open connections.
    pub connections: Gauge,
    /// Streams under way.
    pub streams: Gauge,
    /// Pieces of work that wait for a thread.
    pub queue: Gauge,
    /// Bytes of payloads in memory.
    pub memory: Gauge,
    /// Payloads that the cache remembers.
    pub cached: Gauge,
    /// Entries in the ledger.
    pub entries: Gauge,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 2.0, 20))
}

impl Metrics {
    /// Everything at zero.
    pub fn new() -> Metrics {
        Metrics {
            requests: Default::default(),
            seconds: Family::new_with_constructor(seconds),
            decisions: Default::default(),
            refused: Default::default(),
            payload_bytes: Default::default(),
            released_bytes: Default::default(),
            windows: Default::default(),
            cache: Default::default(),
            reloads: Default::default(),
            accept_errors: Default::default(),
            path_failures: Default::default(),
            connections: Default::default(),
            streams: Default::default(),
            queue: Default::default(),
            memory: Default::default(),
            cached: Default::default(),
            entries: Default::default(),
        }
    }

    /// The text of all metrics.
    pub fn text(&self) -> String {
        let mut registry = Registry::with_prefix("sluice");
        let it = self.clone();
        registry.register("requests", "Requests that were answered", it.requests);
        registry.register_with_unit(
            "request",
            "Time from the head of a request to the head of its answer",
            Unit::Seconds,
            it.seconds,
        );
        registry.register("decisions", "Decisions by effect and cause", it.decisions);
        registry.register("refused", "Requests and connections refused, by limit", it.refused);
        registry.register("payload_bytes", "Bytes of payloads that came in", it.payload_bytes);
        registry.register("released_bytes", "Bytes that were released", it.released_bytes);
        registry.register("stream_windows", "Windows of streams recorded", it.windows);
        registry.register("cache", "Scans that the cache answered or not", it.cache);
        registry.register("reloads", "Reloads of rules and register", it.reloads);
        registry.register("accept_errors", "Connections not accepted", it.accept_errors);
        registry.register("path_failures", "Events that no path was told", it.path_failures);
        registry.register("connections", "Open connections", it.connections);
        registry.register("streams", "Streams under way", it.streams);
        registry.register("queue", "Pieces of work that wait for a thread", it.queue);
        registry.register("memory_bytes", "Bytes of payloads in memory", it.memory);
        registry.register("cached", "Payloads that the cache remembers", it.cached);
        registry.register("ledger_entries", "Entries in the ledger", it.entries);
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &registry);
        text
    }

    /// Counts a refusal.
    pub fn refuse(&self, limit: &'static str) {
        self.refused.get_or_create(&Refused { limit }).inc();
    }
}
