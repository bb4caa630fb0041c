//! Two samples of the daemon's metrics come in, rates and latencies between them come out.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use sluicegate::client::Samples;
use sluicegate::model::Effect;

use super::Sample;

/// All effects, in their order.
const EFFECTS: [Effect; 4] = [Effect::Allow, Effect::Redact, Effect::Escalate, Effect::Block];

/// What the daemon did between two samples, and how it stood at the second one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Seconds between the samples.
    pub seconds: f64,
    pub flows_per_second: f64,
    pub requests_per_second: f64,
    /// Bytes of payloads that came in.
    pub bytes_in_per_second: f64,
    /// Bytes that were released.
    pub bytes_out_per_second: f64,
    pub windows_per_second: f64,
    pub entries_per_second: f64,
    /// By effect, in the order of effects.
    pub effects: Vec<Counted>,
    /// By route, the busiest first.
    pub routes: Vec<Latency>,
    /// By limit.
    pub refused: Vec<Counted>,
    pub connections: u64,
    pub streams: u64,
    pub queue: u64,
    pub memory_bytes: u64,
    /// Share of scans that the cache answered, 0 to 1; null where there was none.
    pub cache_hit_rate: Option<f64>,
    pub ledger_entries: u64,
    pub reloads: u64,
    pub reloads_failed: u64,
    pub accept_errors: u64,
    pub path_failures: u64,
}

/// Something that is counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counted {
    pub name: String,
    pub per_second: f64,
    /// Since the daemon started.
    pub total: u64,
}

/// How long the requests of a route took. Null where there were none.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    pub route: String,
    pub per_second: f64,
    pub p50_ms: Option<f64>,
    pub p90_ms: Option<f64>,
    pub p99_ms: Option<f64>,
}

impl Rates {
    /// What happened from one sample to the other.
    pub fn of(earlier: &Sample, later: &Sample) -> Rates {
        let seconds = later.at.saturating_duration_since(earlier.at).as_secs_f64();
        Rates::between(&earlier.samples, &later.samples, seconds)
    }

    /// What happened in these seconds.
    pub fn between(earlier: &Samples, later: &Samples, seconds: f64) -> Rates {
        // A counter that went back belongs to another run of the daemon, which began at zero.
        let grown = |before: f64, now: f64| if now < before { now } else { now - before };
        let per_second = |count: f64| if seconds > 0.0 { count / seconds } else { 0.0 };
        let rate = |name: &str| per_second(grown(earlier.sum(name), later.sum(name)));
        let counted = |name: &str, label: &str| -> BTreeMap<String, Counted> {
            let before = earlier.by(name, label);
            let counted = later.by(name, label).into_iter().map(|(name, now)| {
                let before = before.get(&name).copied().unwrap_or(0.0);
                let per_second = per_second(grown(before, now));
                (name.clone(), Counted { name, per_second, total: whole(now) })
            });
            counted.collect()
        };
        let mut effects = counted("sluice_decisions_total", "effect");
        let effects = EFFECTS.map(|effect| {
            let name = effect.as_str();
            let none = Counted { name: name.to_owned(), ..Counted::default() };
            effects.remove(name).unwrap_or(none)
        });
        let cache = |outcome| {
            let of = |samples: &Samples| {
                samples.by("sluice_cache_total", "outcome").get(outcome).copied().unwrap_or(0.0)
            };
            grown(of(earlier), of(later))
        };
        let (hits, misses) = (cache("hit"), cache("miss"));
        let reloads = later.by("sluice_reloads_total", "outcome");
        let reloads = |word| reloads.get(word).copied().map_or(0, whole);
        Rates {
            seconds,
            flows_per_second: rate("sluice_decisions_total"),
            requests_per_second: rate("sluice_requests_total"),
            bytes_in_per_second: rate("sluice_payload_bytes_total"),
            bytes_out_per_second: rate("sluice_released_bytes_total"),
            windows_per_second: rate("sluice_stream_windows_total"),
            entries_per_second: rate("sluice_ledger_entries"),
            effects: effects.into(),
            routes: routes(earlier, later, per_second),
            refused: counted("sluice_refused_total", "limit").into_values().collect(),
            connections: whole(later.sum("sluice_connections")),
            streams: whole(later.sum("sluice_streams")),
            queue: whole(later.sum("sluice_queue")),
            memory_bytes: whole(later.sum("sluice_memory_bytes")),
            cache_hit_rate: (hits + misses > 0.0).then(|| hits / (hits + misses)),
            ledger_entries: whole(later.sum("sluice_ledger_entries")),
            reloads: reloads("ok"),
            reloads_failed: reloads("failed"),
            accept_errors: whole(later.sum("sluice_accept_errors_total")),
            path_failures: whole(later.sum("sluice_path_failures_total")),
        }
    }
}

fn routes(earlier: &Samples, later: &Samples, per_second: impl Fn(f64) -> f64) -> Vec<Latency> {
    const SECONDS: &str = "sluice_request_seconds";
    let before = earlier.histograms(SECONDS, "route");
    let routes = later.histograms(SECONDS, "route").into_iter().map(|(route, now)| {
        let since = before.get(&route).map_or_else(|| now.clone(), |before| now.since(before));
        let ms = |share| since.quantile(share).map(|seconds| seconds * 1_000.0);
        Latency {
            route,
            per_second: per_second(since.count()),
            p50_ms: ms(0.5),
            p90_ms: ms(0.9),
            p99_ms: ms(0.99),
        }
    });
    let mut routes: Vec<Latency> = routes.collect();
    routes.sort_by(|one, other| other.per_second.total_cmp(&one.per_second));
    routes
}

/// A count as a whole number.
fn whole(count: f64) -> u64 {
    count.max(0.0) as u64
}

/// Bytes, in the largest unit of which there is one.
pub fn bytes(count: f64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024.0 {
        return format!("{count:.0} B");
    }
    let (mut count, mut unit) = (count, "B");
    for larger in UNITS {
        if count < 1024.0 {
            break;
        }
        (count, unit) = (count / 1024.0, larger);
    }
    format!("{count:.1} {unit}")
}

/// Milliseconds.
pub fn milliseconds(ms: Option<f64>) -> String {
    match ms {
        None => "-".to_owned(),
        Some(ms) if ms < 10.0 => format!("{ms:.2} ms"),
        Some(ms) if ms < 1_000.0 => format!("{ms:.0} ms"),
        Some(ms) => format!("{:.1} s", ms / 1_000.0),
    }
}

/// A share in percent.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, text: String| writeln!(f, "{name:<12} {text}");
        line("over", format!("{:.1} s", self.seconds))?;
        line("flows", format!("{:.1}/s", self.flows_per_second))?;
        line("requests", format!("{:.1}/s", self.requests_per_second))?;
        line("bytes in", format!("{}/s", bytes(self.bytes_in_per_second)))?;
        line("bytes out", format!("{}/s", bytes(self.bytes_out_per_second)))?;
        line("windows", format!("{:.1}/s", self.windows_per_second))?;
        for effect in &self.effects {
            line(&effect.name, format!("{:.1}/s, {} in all", effect.per_second, effect.total))?;
        }
        for it in &self.routes {
            line(
                &it.route,
                format!(
                    "{:.1}/s, p50 {}, p90 {}, p99 {}",
                    it.per_second,
                    milliseconds(it.p50_ms),
                    milliseconds(it.p90_ms),
                    milliseconds(it.p99_ms)
                ),
            )?;
        }
        line("connections", self.connections.to_string())?;
        line("streams", self.streams.to_string())?;
        line("queue", self.queue.to_string())?;
        line("memory", bytes(self.memory_bytes as f64))?;
        line("cache hits", percent(self.cache_hit_rate))?;
        for limit in &self.refused {
            let text = format!("{}: {:.1}/s, {} in all", limit.name, limit.per_second, limit.total);
            line("refused", text)?;
        }
        line("reloads", format!("{}, {} failed", self.reloads, self.reloads_failed))?;
        let entries = format!("{}, {:.1}/s", self.ledger_entries, self.entries_per_second);
        line("ledger", entries)?;
        line("not accepted", self.accept_errors.to_string())?;
        line("not told", self.path_failures.to_string())
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn recorded() -> (Samples, Samples) {
        let read = |text| Samples::parse(text).unwrap();
        let earlier = read(include_str!("../../../../tests/data/metrics/earlier.txt"));
        (earlier, read(include_str!("../../../../tests/data/metrics/later.txt")))
    }

    #[test]
    fn recorded_metrics_give_rates() {
        let (earlier, later) = recorded();
        insta::assert_snapshot!(Rates::between(&earlier, &later, 2.0));
    }

    #[test]
    fn another_run_of_the_daemon_begins_at_zero() {
        let (earlier, later) = recorded();
        let rates = Rates::between(&later, &earlier, 1.0);
        assert!(
            rates.flows_per_second >= 0.0 && rates.effects.iter().all(|it| it.per_second >= 0.0)
        );
        assert_eq!(Rates::between(&later, &later, 0.0).flows_per_second, 0.0);
    }

    #[test]
    fn numbers_have_fitting_units() {
        let shown = [0.0, 1_023.0, 1_536.0, 3.0 * 1_048_576.0, 1e20].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.5 KiB", "3.0 MiB", "90949470.2 TiB"]);
        let shown = [None, Some(0.25), Some(12.4), Some(1_500.0)].map(milliseconds);
        assert_eq!(shown, ["-", "0.25 ms", "12 ms", "1.5 s"]);
        assert_eq!([percent(None), percent(Some(0.5))], ["-", "50 %"]);
    }
}
