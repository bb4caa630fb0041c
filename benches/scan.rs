//! Throughput of the scan with every built-in rule on. Each bench states what it must find and fails
//! if it finds something else: one that finds the wrong thing is not fast.
//!
//! `SLUICE_BENCH_MB` bounds the ordinary text, 300 by default. `cargo bench --bench scan -- --quick`
//! and the other flags of criterion work as usual.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench stops at the first thing that is not as it should be"
)]

mod payloads;

use std::hint::black_box;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use sluicegate::classify::LabelBuilder;
use sluicegate::decode::{Format, SNIFF_BYTES, Structure, Utf16Decoder, sniff};
use sluicegate::engine::Options;
use sluicegate::model::{CategoryIndex, Coverage, Likelihood, Place};
use sluicegate::rules::{Anchors, Example, Validator};
use sluicegate::scan::structure::Tracker;
use sluicegate::scan::sweep::{Kernel, Scratch, Sweep};
use sluicegate::scan::validate::{Candidate, Verdict, check};
use sluicegate::scan::{Plan, Positions};
use sluicegate::{Classified, RuleSet, Scanner};

const KB: usize = 1 << 10;
const MB: usize = 1 << 20;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let megabytes = std::env::var("SLUICE_BENCH_MB").ok().and_then(|mb| mb.parse().ok());
    let files = payloads::ordinary_text(megabytes.unwrap_or(300) * MB);
    ordinary_text(&mut criterion, &files);
    customers(&mut criterion);
    prompts(&mut criterion);
    adversarial(&mut criterion);
    streams(&mut criterion);
    sweeps(&mut criterion, &files);
    trackers(&mut criterion);
    steps(&mut criterion);
    stages(&mut criterion);
    criterion.final_summary();
}

fn rules() -> Arc<RuleSet> {
    static RULES: OnceLock<Arc<RuleSet>> = OnceLock::new();
    RULES.get_or_init(|| Arc::new(RuleSet::builtin().expect("the built-in rules load"))).clone()
}

fn scanner(kernel: Kernel) -> Scanner {
    Scanner::new(rules(), Options { kernel, ..Options::default() })
}

/// Findings of band likely and up, and possible ones.
fn counts(found: &Classified) -> (u64, u64) {
    let likely = found.label.categories.values().map(|category| category.count).sum();
    (likely, found.label.possible.values().sum())
}

/// Files of documentation and source, one after the other on one core. What they hold is not known
/// beforehand: a first scan with the reference kernel says it.
fn ordinary_text(criterion: &mut Criterion, files: &[Vec<u8>]) {
    let bytes: usize = files.iter().map(Vec::len).sum();
    if bytes == 0 {
        println!("ordinary text: left out, neither rust-docs nor the Python library are installed");
        return;
    }
    let scan_all = |scanner: &Scanner| {
        let found = files.iter().map(|file| counts(&scanner.scan(file)));
        found.fold((0, 0), |sum, found| (sum.0 + found.0, sum.1 + found.1))
    };
    // Not before a bench asks, so that others can be picked by name without waiting.
    let expected = OnceLock::new();
    let mut group = criterion.benchmark_group("ordinary text");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.sample_size(10).sampling_mode(SamplingMode::Flat).warm_up_time(Duration::from_secs(1));
    for kernel in Kernel::available() {
        let scanner = scanner(kernel);
        group.bench_function(format!("{kernel:?}"), |bencher| {
            let expected = expected.get_or_init(|| {
                let found = scan_all(&self::scanner(Kernel::Portable));
                let (megabytes, files) = (bytes as f64 / 1e6, files.len());
                let (likely, possible) = found;
                let rate = likely as f64 / megabytes;
                println!(
                    "ordinary text: {files} files, {megabytes:.0} MB, {likely} findings likely and \
                     up ({rate:.2} a MB), {possible} possible"
                );
                found
            });
            bencher.iter(|| assert_eq!(scan_all(&scanner), *expected));
        });
    }
}

/// A table in which most bytes belong to a value.
fn customers(criterion: &mut Criterion) {
    let (table, rows) = payloads::customers(8 * MB);
    let scanner = scanner(Kernel::best());
    let mut group = criterion.benchmark_group("dense CSV");
    group.throughput(Throughput::Bytes(table.len() as u64)).sample_size(10);
    group.bench_function("whole", |bencher| {
        bencher.iter(|| {
            let found = scanner.scan(&table);
            assert!(matches!(found.format.structure, Structure::Table { header: true, .. }));
            let by_category: Vec<(&str, u64)> = found
                .label
                .categories
                .iter()
                .map(|(category, counted)| (scanner.rules().category_id(*category), counted.count))
                .collect();
            let mut by_category = by_category;
            by_category.sort_unstable();
            let mut expected =
                payloads::CUSTOMER_CATEGORIES.map(|category| (category, rows)).to_vec();
            expected.push(("pii.bulk_table", payloads::CUSTOMER_CATEGORIES.len() as u64));
            expected.sort_unstable();
            assert_eq!(by_category, expected);
        });
    });
}

/// Short payloads, whose cost is that of beginning and ending.
fn prompts(criterion: &mut Criterion) {
    let scanner = scanner(Kernel::best());
    let text = Format::declared("text");
    let mut group = criterion.benchmark_group("prompt");
    for size in [256, KB, 4 * KB, 16 * KB] {
        let (prompt, addresses) = payloads::prompt(size);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                let found = scanner.scan_as(&prompt, text);
                assert_eq!(counts(&found), (addresses, 0));
            });
        });
    }
}

/// The worst payload of each anchor kind at three sizes: the throughput must not fall with the size.
/// That work is linear is asserted on the bytes that automata read, which no other load disturbs.
fn adversarial(criterion: &mut Criterion) {
    let rules = rules();
    let keywords: Vec<String> = rules
        .rules
        .iter()
        .filter_map(|rule| match &rule.anchors {
            Anchors::Keywords(words) => Some(words.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    let scanner = scanner(Kernel::best());
    let reference = self::scanner(Kernel::Portable);
    let text = Format::declared("text");
    let one = 256 * KB;
    let mut group = criterion.benchmark_group("adversarial");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    let sizes = [1, 2, 4].map(|times| payloads::adversarial(times * one, &keywords));
    for number in 0..sizes[0].len() {
        let read = sizes.each_ref().map(|payloads| {
            scanner.bytes_read(&payloads[number].1).iter().map(|(_, read)| read).sum::<u64>()
        });
        let slack = 256 * KB as u64;
        assert!(
            read[1] <= 2 * read[0] + slack && read[2] <= 4 * read[0] + slack,
            "{}: automata read {read:?} bytes at 1, 2 and 4 times the size",
            sizes[0][number].0
        );
        for (payloads, times) in sizes.iter().zip([1, 2, 4]) {
            let (name, payload) = &payloads[number];
            let expected = counts(&reference.scan_as(payload, text));
            // Some keywords are marks, and as such findings by themselves.
            let is_mark = *name == "all keywords";
            assert!(is_mark || expected.0 == 0, "{name}: near misses only");
            group.throughput(Throughput::Bytes(payload.len() as u64));
            group.bench_function(BenchmarkId::new(*name, format!("{times}x")), |bencher| {
                bencher.iter(|| assert_eq!(counts(&scanner.scan_as(payload, text)), expected));
            });
        }
    }
}

/// A table that arrives in pieces.
fn streams(criterion: &mut Criterion) {
    let (table, rows) = payloads::customers(MB);
    let prose: Vec<u8> = (0..64).flat_map(|_| payloads::prompt(16 * KB).0).collect();
    let scanner = scanner(Kernel::best());
    let in_prose = counts(&self::scanner(Kernel::Portable).scan(&prose));
    assert_eq!(in_prose, (64 * 32, 0), "an address in each 512 bytes");
    let mut group = criterion.benchmark_group("stream");
    group.sample_size(10);
    for size in [16, 256, 4 * KB] {
        for (name, payload) in [("dense CSV", &table), ("prose", &prose)] {
            group.throughput(Throughput::Bytes(payload.len() as u64));
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| {
                    let mut stream = scanner.stream();
                    for piece in payload.chunks(size) {
                        black_box(stream.push(piece));
                    }
                    let (likely, _) = counts(&stream.finish());
                    // Five values in each row, and five columns that are full of them.
                    let expected = if name == "prose" { in_prose.0 } else { 5 * rows + 5 };
                    assert_eq!(likely, expected);
                });
            });
        }
    }
}

/// Finding anchors, without deciding any.
fn sweeps(criterion: &mut Criterion, files: &[Vec<u8>]) {
    // Every so many files, so that the part is like the whole.
    let step = (files.iter().map(Vec::len).sum::<usize>() / (16 * MB)).max(1);
    let text: Vec<u8> = files.iter().step_by(step).flatten().copied().collect();
    let (table, _) = payloads::customers(4 * MB);
    let mut group = criterion.benchmark_group("sweep");
    group.sample_size(10);
    for (name, payload) in [("text", &text), ("dense CSV", &table)] {
        if payload.is_empty() {
            continue;
        }
        group.throughput(Throughput::Bytes(payload.len() as u64));
        for (rules, keywords) in
            [("", None), (", 700 keywords", Some(payloads::many_keywords(700)))]
        {
            let mut expected = None;
            for kernel in Kernel::available() {
                let of_rules = Plan::new(self::rules(), kernel);
                let of_keywords = keywords.as_ref().map(|keywords| Sweep::new(keywords, kernel));
                let sweep = of_keywords.as_ref().unwrap_or(of_rules.sweep());
                let (mut scratch, mut anchors) = (Scratch::default(), Vec::new());
                let id = BenchmarkId::new(format!("{kernel:?}"), format!("{name}{rules}"));
                group.bench_function(id, |bencher| {
                    bencher.iter(|| {
                        let mut count = 0;
                        for from in (0..payload.len()).step_by(64 * KB) {
                            anchors.clear();
                            sweep.find(payload, from, from + 64 * KB, &mut scratch, &mut anchors);
                            count += anchors.len();
                        }
                        assert_eq!(*expected.get_or_insert(count), count, "{kernel:?}");
                    });
                });
            }
        }
    }
}

/// Following rows, columns and paths, without a scan.
fn trackers(criterion: &mut Criterion) {
    let (table, rows) = payloads::customers(8 * MB);
    let (json, records) = payloads::records(8 * MB);
    let csv = Format::declared("csv").unwrap().structure;
    let mut group = criterion.benchmark_group("structure");
    group.sample_size(10);
    let follow = |structure, payload: &[u8], at: u64| {
        let mut tracker = Tracker::new(structure, 0);
        let mut place = None;
        for piece in payload.chunks(16 * KB) {
            tracker.advance(piece);
            if (tracker.offset() - piece.len() as u64..tracker.offset()).contains(&at) {
                place = tracker.place(at);
            }
            tracker.forget_below(tracker.offset());
        }
        place
    };
    group.throughput(Throughput::Bytes(table.len() as u64));
    group.bench_function("CSV", |bencher| {
        bencher.iter(|| match follow(csv, &table, table.len() as u64 - 2) {
            Some(Place::Cell { row, column }) => assert_eq!((row, &*column), (rows, "iban")),
            other => unreachable!("{other:?}"),
        });
    });
    // Inside the last value: `"}` and the line ends and bracket behind it come after.
    let at = json.len() as u64 - 8;
    group.throughput(Throughput::Bytes(json.len() as u64));
    group.bench_function("JSON", |bencher| {
        bencher.iter(|| match follow(Structure::Json, &json, at) {
            Some(Place::Json { json_path, key }) => {
                assert_eq!(&*key, "ssn");
                assert_eq!(&*json_path, format!("$[{}].ssn", records - 1));
            }
            other => unreachable!("{other:?}"),
        });
    });
}

/// A line whose anchors come so far.
struct Step {
    name: &'static str,
    line: &'static str,
    /// Whether the automaton of a rule is tried there, and whether one matches.
    is_tried: bool,
    has_matches: bool,
    /// Findings of a line.
    findings: u64,
}

const STEPS: [Step; 5] = [
    Step {
        name: "profiles and sieves leave no rule",
        line: "<path d=\"M12.5 204.75 L8.125 31.0625 33.75 9.5\"/>\n",
        is_tried: false,
        has_matches: false,
        findings: 0,
    },
    Step {
        name: "no term that a rule requires is near",
        line: "the lot 40217 of crate 58816 went to shelf 73310 by truck\n",
        is_tried: false,
        has_matches: false,
        findings: 0,
    },
    Step {
        name: "a check refuses",
        line: "kdrl 4111 1111 1111 1112 vbgp\n",
        is_tried: true,
        has_matches: true,
        findings: 0,
    },
    Step {
        name: "a value is found by its term",
        line: "the social security number of this customer: 219-09-9998\n",
        is_tried: true,
        has_matches: true,
        findings: 1,
    },
    Step {
        name: "a value is found by its check",
        line: "pay to IBAN DE89 3704 0044 0532 0130 00 before Monday\n",
        is_tried: true,
        has_matches: true,
        findings: 1,
    },
];

/// The steps behind the sweep, each on text that is given up there or comes to a finding. Whether automata
/// are tried and match is asserted on counted work.
fn steps(criterion: &mut Criterion) {
    let scanner = scanner(Kernel::best());
    let text = Format::declared("text");
    let mut group = criterion.benchmark_group("step");
    group.sample_size(10);
    for Step { name, line, is_tried, has_matches, findings } in STEPS {
        let lines = (MB / line.len()) as u64;
        let payload = line.repeat(MB / line.len()).into_bytes();
        let counting = scanner.counting();
        counting.scan_as(&payload, text);
        let work = counting.work().expect("work is counted");
        let tries: u64 = work.rules.iter().map(|rule| rule.tries).sum();
        let matches: u64 = work.rules.iter().map(|rule| rule.matches).sum();
        let each = |count: u64| count as f64 / lines as f64;
        println!(
            "{name}: {:.1} anchors a line, {:.1} tries, {:.1} matches",
            each(work.anchors()),
            each(tries),
            each(matches)
        );
        assert!(work.anchors() >= lines, "{name}: anchors in each line");
        assert!(if is_tried { tries >= lines } else { tries == 0 }, "{name}: {tries} tries");
        assert!(if has_matches { matches >= lines } else { matches == 0 }, "{name}: {matches}");
        group.throughput(Throughput::Bytes(payload.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let (likely, possible) = counts(&scanner.scan_as(&payload, text));
                assert_eq!(likely + possible, findings * lines);
            });
        });
    }
}

/// What comes before and behind the search: start, decoding, checks of values, lines, and the label.
fn stages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stage");
    group.sample_size(10);
    group.bench_function("start", |bencher| {
        bencher.iter(|| {
            let rules = Arc::new(RuleSet::builtin().expect("the built-in rules load"));
            let plan = Plan::new(rules, Kernel::best());
            assert_eq!(plan.rules().rules.len(), self::rules().rules.len());
        });
    });

    let (table, rows) = payloads::customers(MB);
    group.bench_function("sniff", |bencher| {
        bencher.iter(|| {
            let format = sniff(black_box(&table[..SNIFF_BYTES]));
            assert!(matches!(format.structure, Structure::Table { header: true, .. }));
        });
    });
    let wide: Vec<u8> = table.iter().flat_map(|byte| [*byte, 0]).collect();
    group.throughput(Throughput::Bytes(wide.len() as u64));
    group.bench_function("UTF-16", |bencher| {
        bencher.iter(|| {
            let (mut decoder, mut view) = (Utf16Decoder::new(false, 0), Vec::new());
            for piece in wide.chunks(16 * KB) {
                decoder.push(piece, &mut view);
            }
            decoder.finish(&mut view);
            assert!(view == table && !decoder.damaged());
        });
    });
    group.throughput(Throughput::Bytes(table.len() as u64));
    group.bench_function("lines", |bencher| {
        bencher.iter(|| {
            let last = Positions::new(0).at(&table, 0, table.len() as u64 - 2);
            assert_eq!(last.line, rows + 1);
        });
    });

    let rules = self::rules();
    let mut values = Vec::new();
    for rule in rules.rules.iter() {
        if let Some(validator) = rule.validator {
            values.extend(rule.examples.iter().map(|example| (validator, example)));
        }
    }
    let valid = |(validator, example): &(Validator, &Example)| {
        let (start, end) = (example.start, example.end);
        let text = example.text.as_bytes();
        let candidate = Candidate { text, start, end, limit: text.len() };
        matches!(check(*validator, candidate), Verdict::Valid { .. })
    };
    let expected = values.iter().filter(|value| valid(value)).count();
    // The check of some wants more than the value: what stands before it in the match.
    assert!(expected * 10 > values.len() * 9, "{expected} of {} examples are valid", values.len());
    group.throughput(Throughput::Elements(values.len() as u64));
    group.bench_function("validators", |bencher| {
        bencher.iter(|| assert_eq!(values.iter().filter(|it| valid(it)).count(), expected));
    });

    let categories: Vec<CategoryIndex> = rules.rules.iter().map(|rule| rule.category).collect();
    let likelihood = Likelihood::new(90);
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("label", |bencher| {
        bencher.iter(|| {
            let mut label = LabelBuilder::new();
            for (value, category) in (0..100_000_u128).zip(categories.iter().cycle()) {
                label.add(*category, likelihood, value);
            }
            let label = label.finish(&rules, Coverage::complete());
            let counted: u64 = label.categories.values().map(|category| category.count).sum();
            assert_eq!(counted, 100_000);
        });
    });
}
