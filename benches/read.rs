//! Ways to read many small files and a large one, in turns in one run, with and without the page cache.
//!
//! `cargo bench --bench read`; `READ_FILES` (4,000) small files of 1 to 8 KiB, `READ_MIB` (64) of the large one,
//! `READ_DIR` (the folder for temporary files) where they are made. Without the right to drop caches, cold
//! means that pages are dropped file by file, and names stay known. Fails where a way reads other bytes than
//! the first one.

#![expect(
    clippy::expect_used,
    reason = "a bench stops at the first thing that is not as it should be"
)]

use std::collections::VecDeque;
use std::env;
use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, fadvise};

/// How often each way is taken.
const ROUNDS: usize = 5;

/// Files that are opened before the one that is read.
const AHEAD: usize = 32;

/// Room of a reader.
const ROOM: usize = 1 << 20;

type Way<'a> = (String, Box<dyn Fn() -> u64 + 'a>);

fn main() {
    let number = |name: &str, default| {
        env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let parent = env::var_os("READ_DIR").map_or_else(env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent).expect("a folder");
    let files = small_files(folder.path(), number("READ_FILES", 4_000));
    let large = large_file(folder.path(), number("READ_MIB", 64));
    println!("{ROUNDS} rounds in turns; median; MB/s, and microseconds a file\n");
    let mut by_inode = files.clone();
    by_inode.sort_by_key(|path| fs::metadata(path).expect("a file").ino());
    let bytes = compare("small", &files, &small_ways(&files, &by_inode));
    println!("{} small files of {bytes} bytes\n", files.len());
    let bytes = compare("large", std::slice::from_ref(&large), &large_ways(&large));
    println!("one file of {bytes} bytes");
}

/// Files of 1 to 8 KiB, a hundred in each folder, in the order of a walk.
fn small_files(folder: &Path, count: usize) -> Vec<PathBuf> {
    let text = b"The river ran low that summer, and nobody minded.\n".repeat(164);
    let mut files: Vec<PathBuf> = Vec::new();
    for number in 0..count {
        let folder = folder.join(format!("{:04}", number / 100));
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join(format!("{:08x}", (number as u32).wrapping_mul(0x9e37_79b1)));
        let length = 1024 + number * 7919 % 7169;
        fs::write(&path, text.get(..length).expect("8 KiB of text")).expect("a file");
        files.push(path);
    }
    files.sort();
    files
}

fn large_file(folder: &Path, mebibytes: usize) -> PathBuf {
    let path = folder.join("large");
    let line = b"The river ran low that summer, and nobody minded.\n";
    fs::write(&path, line.repeat((mebibytes << 20) / line.len())).expect("a file");
    path
}

fn small_ways<'a>(files: &'a [PathBuf], by_inode: &'a [PathBuf]) -> Vec<Way<'a>> {
    let two = move || {
        std::thread::scope(|scope| {
            let (first, second) = files.split_at(files.len() / 2);
            let other = scope.spawn(|| one_after_the_other(second));
            one_after_the_other(first) + other.join().expect("a thread")
        })
    };
    vec![
        (
            "one after the other, as the walk meets them".to_owned(),
            Box::new(|| one_after_the_other(files)),
        ),
        ("the same without asking for the size".to_owned(), Box::new(|| without_size(files))),
        ("in the order of inodes".to_owned(), Box::new(|| one_after_the_other(by_inode))),
        (format!("{AHEAD} opened ahead"), Box::new(|| opened_ahead(files, false))),
        (format!("{AHEAD} opened ahead, with advice"), Box::new(|| opened_ahead(files, true))),
        ("two threads".to_owned(), Box::new(two)),
    ]
}

/// What `sluice scan` does: the size, then one read that shows whether the file has grown.
fn one_after_the_other(files: &[PathBuf]) -> u64 {
    let mut room = vec![0; ROOM];
    files.iter().map(|path| whole(&File::open(path).expect("a file"), &mut room)).sum()
}

fn whole(file: &File, room: &mut [u8]) -> u64 {
    let size = usize::try_from(file.metadata().expect("a size").len()).expect("a small file");
    let read = file.read_at(room.get_mut(..=size).expect("room"), 0).expect("bytes");
    black_box(&room);
    read as u64
}

fn without_size(files: &[PathBuf]) -> u64 {
    let mut room = vec![0; ROOM];
    let mut read_all = |path| {
        let file = File::open(path).expect("a file");
        let mut filled = 0;
        loop {
            let read = file.read_at(&mut room, filled).expect("bytes");
            if read == 0 {
                break filled;
            }
            filled += read as u64;
        }
    };
    files.iter().map(&mut read_all).sum()
}

fn opened_ahead(files: &[PathBuf], is_advised: bool) -> u64 {
    let (mut room, mut open, mut bytes) = (vec![0; ROOM], VecDeque::new(), 0);
    for path in files {
        let file = File::open(path).expect("a file");
        if is_advised {
            fadvise(&file, 0, None, Advice::WillNeed).expect("advice");
        }
        open.push_back(file);
        if open.len() > AHEAD {
            bytes += open.pop_front().map_or(0, |file| whole(&file, &mut room));
        }
    }
    bytes + open.iter().map(|file| whole(file, &mut room)).sum::<u64>()
}

fn large_ways(path: &Path) -> Vec<Way<'_>> {
    let mut ways: Vec<Way<'_>> = Vec::new();
    for piece in [64 << 10, 256 << 10, 1 << 20, 4 << 20] {
        let name = format!("pieces of {} KiB", piece >> 10);
        ways.push((name, Box::new(move || in_pieces(path, piece, |_, _| ()))));
    }
    let sequential = move |file: &File, at: u64| {
        if at == 0 {
            fadvise(file, 0, None, Advice::Sequential).expect("advice");
        }
    };
    let ahead = move |file: &File, at: u64| {
        let length = (4 * ROOM as u64).try_into().ok();
        fadvise(file, at + ROOM as u64, length, Advice::WillNeed).expect("advice");
    };
    let name = |what: &str| format!("pieces of {} KiB, {what}", ROOM >> 10);
    ways.push((name("advice: sequential"), Box::new(move || in_pieces(path, ROOM, sequential))));
    ways.push((name("advice: 4 MiB ahead"), Box::new(move || in_pieces(path, ROOM, ahead))));
    ways.push((name("read by a thread ahead"), Box::new(move || by_thread(path))));
    ways
}

fn in_pieces(path: &Path, piece: usize, advise: impl Fn(&File, u64)) -> u64 {
    let (file, mut room, mut at) = (File::open(path).expect("a file"), vec![0; piece], 0);
    loop {
        advise(&file, at);
        match file.read_at(&mut room, at).expect("bytes") {
            0 => return at,
            read => at += look_at(room.get(..read).unwrap_or_default()),
        }
    }
}

/// About what a scan takes of a byte: reading is worth hiding behind it.
fn look_at(bytes: &[u8]) -> u64 {
    let sum = |sum: u64, word: &[u8; 8]| {
        (sum ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    };
    let words = bytes.as_chunks().0;
    black_box((0..4).fold(0, |seed, _| words.iter().fold(seed, sum)));
    bytes.len() as u64
}

fn by_thread(path: &Path) -> u64 {
    let (full, take) = mpsc::sync_channel::<(Vec<u8>, usize)>(2);
    let (give, empty) = mpsc::channel::<Vec<u8>>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let (file, mut at) = (File::open(path).expect("a file"), 0);
            loop {
                let mut room = empty.try_recv().unwrap_or_else(|_| vec![0; ROOM]);
                let read = file.read_at(&mut room, at).expect("bytes");
                if read == 0 || full.send((room, read)).is_err() {
                    return;
                }
                at += read as u64;
            }
        });
        let mut bytes = 0;
        for (room, read) in take {
            bytes += look_at(room.get(..read).unwrap_or_default());
            // The thread may be done.
            let _ = give.send(room);
        }
        bytes
    })
}

/// Takes all ways in turns, each cold and then warm; prints the medians, and says how many bytes each
/// has read.
fn compare(what: &str, files: &[PathBuf], ways: &[Way<'_>]) -> u64 {
    println!("{what:<52}{:>10}{:>10}{:>10}{:>10}", "cold MB/s", "us", "warm MB/s", "us");
    let mut took: Vec<[Vec<Duration>; 2]> = vec![Default::default(); ways.len()];
    let mut bytes = None;
    for _ in 0..ROUNDS {
        for ((name, way), [cold, warm]) in ways.iter().zip(&mut took) {
            drop_pages(files);
            for took in [cold, warm] {
                let begun = Instant::now();
                let read = way();
                took.push(begun.elapsed());
                assert_eq!(read, *bytes.get_or_insert(read), "bytes read: {name}");
            }
        }
    }
    let bytes = bytes.unwrap_or(0);
    for ((name, _), took) in ways.iter().zip(&mut took) {
        print!("{name:<52}");
        for took in took {
            took.sort();
            let median = took.get(ROUNDS / 2).expect("rounds").as_secs_f64();
            let each = median * 1e6 / files.len() as f64;
            print!("{:>10.0}{each:>10.1}", bytes as f64 / 1e6 / median);
        }
        println!();
    }
    bytes
}

/// Has the next reads come from the disk: all caches dropped where that is allowed, else the pages of
/// these files.
fn drop_pages(files: &[PathBuf]) {
    for path in files {
        let file = File::open(path).expect("a file");
        // Pages that are not on the disk yet stay.
        file.sync_data().expect("written");
        fadvise(&file, 0, None, Advice::DontNeed).expect("advice");
    }
    let _ = fs::write("/proc/sys/vm/drop_caches", "3");
}
