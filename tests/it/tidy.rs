//! The structure of the source tree: layers, file sizes, opening comments, where `unsafe` may be.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a file may have before its tests.
const MAX_LINES: usize = 600;

/// Files that may hold `unsafe`: the SIMD kernels, mapping of own files, the Hyperscan binding.
const UNSAFE: &[&str] = &[
    "src/scan/sweep/avx2.rs",
    "src/scan/sweep/avx512.rs",
    "src/scan/sweep/first_words.rs",
    "src/scan/sweep/hyperscan.rs",
    "src/scan/sweep/letters.rs",
    "src/scan/sweep/lines.rs",
    "src/scan/sweep/threes.rs",
];

const VAGUE: &[&str] = &["util", "utils", "common", "helper", "helpers", "core", "misc"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(under: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(under)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

/// The part of a file before its tests.
fn code_of(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap()
}

fn layers() -> Vec<String> {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    lib.lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_string)
        .collect()
}

/// The top-level modules that some code names: `crate::X` and `crate::{X, ..., Y::...}`.
fn imports(code: &str) -> Vec<String> {
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut names = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let word = |text: &str| -> String {
            text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        match rest.strip_prefix('{') {
            None => names.push(word(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            start = true;
                            continue;
                        }
                        _ => {}
                    }
                    if start && !c.is_whitespace() {
                        names.push(word(&group[at..]));
                        start = false;
                    }
                }
            }
        }
    }
    names
}

#[test]
fn imports_run_up_the_list_of_layers_only() {
    let layers = layers();
    assert!(layers.len() >= 9, "the layers are read from the `pub mod` lines of lib.rs");
    let mut backward = Vec::new();
    for (position, layer) in layers.iter().enumerate() {
        for path in rust_files("src").iter().filter(|path| {
            let name = relative(path);
            name.starts_with(&format!("src/{layer}/")) || name == format!("src/{layer}.rs")
        }) {
            let text = fs::read_to_string(path).unwrap();
            for import in imports(code_of(&text)) {
                if layers.iter().skip(position + 1).any(|below| *below == import) {
                    backward.push(format!("{} imports {import}", relative(path)));
                }
            }
        }
    }
    assert_eq!(backward, Vec::<String>::new());
}

#[test]
fn import_groups_are_read_whole() {
    let code = "use crate::{model::{A, B}, scan, engine::X};\nfn f() { crate::batch::run() }";
    assert_eq!(imports(code), ["model", "scan", "engine", "batch"]);
    assert!(imports("// crate::batch\n/// crate::scan").is_empty());
}

#[test]
fn files_are_short_named_and_open_with_prose() {
    let mut wrong = Vec::new();
    for path in rust_files("src") {
        let name = relative(&path);
        let text = fs::read_to_string(&path).unwrap();
        let lines = code_of(&text).lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{name}: {lines} lines before its tests"));
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("{name}: no opening doc comment"));
        }
        for part in Path::new(&name).with_extension("").components() {
            if VAGUE.iter().any(|vague| part.as_os_str() == *vague) {
                wrong.push(format!("{name}: a vague name"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn folders_hold_behaviour() {
    for layer in layers() {
        let files = rust_files(&format!("src/{layer}"));
        let lines: usize =
            files.iter().map(|path| fs::read_to_string(path).unwrap().lines().count()).sum();
        assert!(lines > 20, "layer {layer} is empty");
    }
}

#[test]
fn unsafe_code_is_where_it_may_be() {
    for path in rust_files("src") {
        let name = relative(&path);
        let text = fs::read_to_string(&path).unwrap();
        let holds = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .any(|line| line.contains("unsafe {") || line.contains("unsafe fn"));
        assert!(!holds || UNSAFE.contains(&name.as_str()), "{name} holds unsafe code");
    }
}

#[test]
fn pure_layers_touch_no_clock_file_network_or_process() {
    for layer in ["model", "rules", "decode", "scan", "classify", "policy", "approve", "respond"] {
        for path in rust_files(&format!("src/{layer}")) {
            let text = fs::read_to_string(&path).unwrap();
            for barred in [
                "std::fs",
                "TcpStream",
                "UdpSocket",
                "UnixStream",
                "std::time",
                "std::process",
                "std::env",
                "println!",
                "eprintln!",
            ] {
                assert!(!code_of(&text).contains(barred), "{} uses {barred}", relative(&path));
            }
        }
    }
}
