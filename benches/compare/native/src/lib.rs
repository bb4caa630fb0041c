//! What the programs that are measured in one process share: payloads come in as bundles, one JSON
//! object a line goes out. `hyperscan.c` and `presidio.py` in `programs/` speak the same.
//!
//! ```text
//! PROGRAM files|each SECONDS BUNDLE...
//! {"version": "0.1.0", "rules": 420, "ready_s": 0.004}
//! {"bundle": "text.bundle", "payloads": 9, "bytes": 8192, "passes": 3, "wall_s": 0.1, "cpu_s": 0.1, "findings": 7}
//! {"peak_rss": 26000000, "held": 8192}
//! ```
//!
//! `wall_s` and `cpu_s` (of the thread that scans) are those of one pass over all payloads of the
//! bundle, on the average of as many passes as fill the seconds. `each` times every payload by itself
//! and adds `p50_ns` and `p99_ns`. Loading, and a first untimed pass of at most a fifth of a second,
//! stand outside of the times. Every pass has to find as much as the first.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use serde_json::json;

/// Payloads one behind the other: their number and lengths, 64 bits little-endian each, then the bytes.
pub struct Bundle {
    bytes: Vec<u8>,
    payloads: Vec<(usize, usize)>,
}

impl Bundle {
    pub fn read(path: &Path) -> Result<Bundle, String> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Bundle::parse(bytes).ok_or_else(|| format!("{} is not a bundle", path.display()))
    }

    fn parse(bytes: Vec<u8>) -> Option<Bundle> {
        let number = |at: usize| {
            let eight = bytes.get(at..at.checked_add(8)?)?;
            usize::try_from(u64::from_le_bytes(eight.try_into().ok()?)).ok()
        };
        let count = number(0)?;
        let mut at = count.checked_mul(8)?.checked_add(8)?;
        let mut payloads = Vec::new();
        for index in 0..count {
            let end = at.checked_add(number(8 + 8 * index)?)?;
            payloads.push((at, end));
            at = end;
        }
        (at == bytes.len()).then_some(Bundle { bytes, payloads })
    }

    pub fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        self.payloads.iter().filter_map(|&(start, end)| self.bytes.get(start..end))
    }

    /// Bytes of all payloads.
    pub fn len(&self) -> usize {
        self.payloads.iter().map(|(start, end)| end - start).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The bytes of a bundle of these payloads.
pub fn bundle(payloads: &[Vec<u8>]) -> Vec<u8> {
    let lengths = payloads.iter().map(|payload| payload.len() as u64);
    let head = std::iter::once(payloads.len() as u64).chain(lengths).flat_map(u64::to_le_bytes);
    head.chain(payloads.iter().flatten().copied()).collect()
}

/// What a contestant says of itself.
pub struct Contestant<'a> {
    pub version: &'a str,
    /// Rules, patterns or kinds that it looks for.
    pub rules: usize,
    /// What it took until it could scan.
    pub ready: Duration,
}

/// Measures as the arguments say, and prints; `scan` answers the number of findings.
pub fn run(
    arguments: &[String],
    contestant: &Contestant<'_>,
    scan: &mut dyn FnMut(&[u8]) -> u64,
) -> Result<(), String> {
    let [mode, seconds, bundles @ ..] = arguments else {
        return Err("usage: files|each SECONDS BUNDLE...".to_owned());
    };
    let seconds = seconds.parse().map_err(|_| format!("`{seconds}` is not a number"))?;
    let Contestant { version, rules, ready } = contestant;
    println!("{}", json!({"version": version, "rules": rules, "ready_s": ready.as_secs_f64()}));
    let mut held = 0;
    for path in bundles {
        let bundle = Bundle::read(Path::new(path))?;
        held = held.max(bundle.bytes.len());
        warm_up(&bundle, scan);
        let mut line = match mode.as_str() {
            "files" => files(&bundle, seconds, scan)?,
            "each" => each(&bundle, seconds, scan)?,
            _ => return Err(format!("`{mode}` is neither `files` nor `each`")),
        };
        line["bundle"] = json!(path);
        line["payloads"] = json!(bundle.payloads.len());
        line["bytes"] = json!(bundle.len());
        println!("{line}");
    }
    println!("{}", json!({"peak_rss": peak_rss(), "held": held}));
    Ok(())
}

fn warm_up(bundle: &Bundle, scan: &mut dyn FnMut(&[u8]) -> u64) {
    let began = Instant::now();
    for payload in bundle.payloads() {
        if began.elapsed() > Duration::from_millis(200) {
            break;
        }
        // A first megabyte is enough of a single large one.
        scan(payload.get(..1 << 20).unwrap_or(payload));
    }
}

fn files(
    bundle: &Bundle,
    seconds: f64,
    scan: &mut dyn FnMut(&[u8]) -> u64,
) -> Result<serde_json::Value, String> {
    let (wall, cpu) = (Instant::now(), thread_time());
    let mut passes = 0;
    let mut first = None;
    while passes == 0 || wall.elapsed().as_secs_f64() < seconds {
        let found = bundle.payloads().map(&mut *scan).sum();
        same(*first.get_or_insert(found), found)?;
        passes += 1;
    }
    let (wall, cpu) = (wall.elapsed(), thread_time().saturating_sub(cpu));
    let of_one = |time: Duration| time.as_secs_f64() / f64::from(passes);
    Ok(json!({"passes": passes, "wall_s": of_one(wall), "cpu_s": of_one(cpu), "findings": first}))
}

fn each(
    bundle: &Bundle,
    seconds: f64,
    scan: &mut dyn FnMut(&[u8]) -> u64,
) -> Result<serde_json::Value, String> {
    let (wall, cpu) = (Instant::now(), thread_time());
    let mut times = Vec::new();
    let mut passes = 0;
    let mut first = None;
    while passes == 0 || wall.elapsed().as_secs_f64() < seconds {
        let mut found = 0;
        for payload in bundle.payloads() {
            let began = Instant::now();
            found += scan(payload);
            times.push(began.elapsed().as_nanos() as u64);
        }
        same(*first.get_or_insert(found), found)?;
        passes += 1;
    }
    let (wall, cpu) = (wall.elapsed(), thread_time().saturating_sub(cpu));
    times.sort_unstable();
    let percentile = |of: usize| times.get((times.len() * of / 100).min(times.len().max(1) - 1));
    let of_one = |time: Duration| time.as_secs_f64() / f64::from(passes);
    Ok(json!({
        "passes": passes, "wall_s": of_one(wall), "cpu_s": of_one(cpu), "findings": first,
        "p50_ns": percentile(50), "p99_ns": percentile(99),
    }))
}

fn same(first: u64, found: u64) -> Result<(), String> {
    let differ = || format!("a later pass found {found}, the first {first}");
    (first == found).then_some(()).ok_or_else(differ)
}

/// Processor time of this thread.
fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// Most memory that this process had resident, in bytes; 0 where the kernel does not say.
fn peak_rss() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(feature = "sluice")]
#[path = "../../../../src/scan/translate.rs"]
pub mod translate;

// For the file above, which names them as things of its crate.
#[cfg(all(test, feature = "sluice"))]
use sluicegate::RuleSet;
#[cfg(feature = "sluice")]
use sluicegate::scan;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_gives_its_payloads_back() {
        let payloads = [b"one".to_vec(), Vec::new(), b"three".to_vec()];
        let read = Bundle::parse(bundle(&payloads)).expect("a bundle");
        assert_eq!(read.payloads().collect::<Vec<_>>(), payloads);
        assert_eq!(read.len(), 8);
    }

    #[test]
    fn what_is_cut_or_too_long_is_no_bundle() {
        let whole = bundle(&[b"one".to_vec()]);
        for end in 0..whole.len() {
            assert!(Bundle::parse(whole[..end].to_vec()).is_none(), "{end}");
        }
        assert!(Bundle::parse([whole.as_slice(), b"x"].concat()).is_none());
        assert!(Bundle::parse([0xff; 24].to_vec()).is_none());
    }

    #[test]
    fn a_pass_that_finds_something_else_is_an_error() {
        let bundle = Bundle::parse(bundle(&[b"one".to_vec()])).expect("a bundle");
        let mut calls = 0;
        let mut more_each_time = |_: &[u8]| {
            calls += 1;
            calls
        };
        assert!(files(&bundle, 0.001, &mut more_each_time).is_err());
        assert!(each(&bundle, 0.001, &mut more_each_time).is_err());
        let line = each(&bundle, 0.0, &mut |payload| payload.len() as u64).expect("one pass");
        assert_eq!((&line["passes"], &line["findings"]), (&json!(1), &json!(3)));
    }
}
