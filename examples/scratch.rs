use sluicegate::{RuleSet, Scanner, engine::Options, scan::sweep::*};
use std::sync::Arc;
use std::time::Instant;
fn walk(p: &std::path::Path, out: &mut Vec<Vec<u8>>, total: &mut usize, max: usize, ext: &[&str]) {
    let mut e: Vec<_> = std::fs::read_dir(p).unwrap().map(|e| e.unwrap().path()).collect();
    e.sort();
    for p in e {
        if *total >= max {
            return;
        }
        if p.is_symlink() {
            continue;
        }
        if p.is_dir() {
            walk(&p, out, total, max, ext)
        } else if p.extension().and_then(|x| x.to_str()).is_some_and(|x| ext.contains(&x)) {
            let d = std::fs::read(&p).unwrap();
            *total += d.len();
            out.push(d);
        }
    }
}
fn cpu() -> f64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse::<f64>()
        .unwrap()
        / 1e9
}
fn main() {
    let t = Instant::now();
    let c0 = cpu();
    let rules = Arc::new(RuleSet::builtin().unwrap());
    println!("load {:?} {} rules", t.elapsed(), rules.rules.len());
    let mut files = vec![];
    let mut total = 0;
    let mb: usize = std::env::args().nth(1).map(|x| x.parse().unwrap()).unwrap_or(200);
    walk(
        std::path::Path::new(&std::env::var("DOCS").unwrap_or(
            "/root/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/share/doc/rust/html".into(),
        )),
        &mut files,
        &mut total,
        mb << 20,
        &["html"],
    );
    let mut t2 = 0;
    walk(
        std::path::Path::new("/root/.pyenv/versions/3.11.7/lib/python3.11"),
        &mut files,
        &mut t2,
        60 << 20,
        &["py"],
    );
    total += t2;
    println!("{} files {} MB", files.len(), total >> 20);
    for kernel in [Kernel::Avx2, Kernel::Portable]
        .into_iter()
        .take(if std::env::var("ALL").is_ok() { 2 } else { 1 })
    {
        let s = Scanner::new(
            rules.clone(),
            Options {
                kernel,
                format: sluicegate::decode::Format::declared("text"),
                ..Default::default()
            },
        );
        for _ in 0..2 {
            let t = Instant::now();
            let c0 = cpu();
            let mut n = 0;
            let mut by = std::collections::BTreeMap::new();
            for f in &files {
                let c = s.scan(f);
                n += c.findings.len();
                for x in &c.findings {
                    *by.entry((rules.rule_id(x.rule).to_string(), x.likelihood.band().as_str()))
                        .or_insert(0) += 1;
                }
            }
            let e = cpu() - c0;
            let _ = t;
            println!("{kernel:?} {:.0} MB/s findings {n}", total as f64 / 1e6 / e);
            if std::env::var("BY").is_ok() {
                for (k, v) in by {
                    println!("   {k:?} {v}");
                }
            }
        }
        let mut kws = vec![];
        for r in &rules.rules {
            if let sluicegate::rules::Anchors::Keywords(k) = &r.anchors {
                kws.extend(k.iter().map(|k| k.to_lowercase()));
            }
        }
        kws.sort();
        kws.dedup();
        let sw = Sweep::new(kws.clone(), kernel);
        let mut sc = Scratch::default();
        let mut a = vec![];
        let t = Instant::now();
        let c0 = cpu();
        let mut by = vec![0usize; 5 + kws.len()];
        for f in &files {
            a.clear();
            sw.find(f, 0, f.len(), &mut sc, &mut a);
            for x in &a {
                by[x.kind.index()] += 1;
            }
        }
        let e = cpu() - c0;
        let _ = t;
        println!("{kernel:?} sweep {:.0} MB/s", total as f64 / 1e6 / e);
        if kernel == Kernel::Avx2 {
            let mut v: Vec<_> = by
                .iter()
                .enumerate()
                .map(|(i, n)| {
                    (
                        *n,
                        if i < 5 {
                            ["digits", "at", "lettersdigits", "token", "hexcolon"][i].to_string()
                        } else {
                            kws[i - 5].clone()
                        },
                    )
                })
                .collect();
            v.sort();
            v.reverse();
            v.truncate(25);
            println!("{v:?}");
        }
    }
}
