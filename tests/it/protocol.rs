//! The examples of docs/PROTOCOL.md, run as they stand there against a live daemon.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::daemon::Daemon;

/// A fenced block: its language, and its text.
struct Block {
    language: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PROTOCOL.md");
    let page = fs::read_to_string(path).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(language), false) => {
                assert!(!language.is_empty(), "a block has no language");
                blocks.push(Block { language: language.to_owned(), text: String::new() });
                inside = true;
            }
            (Some(_), true) => inside = false,
            (None, true) => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!inside, "the last block ends");
    blocks
}

/// The program that runs a language.
fn runner(language: &str) -> Option<(&'static str, &'static str)> {
    match language {
        "sh" => Some(("bash", "example.sh")),
        "python" => Some(("python3", "example.py")),
        "js" => Some(("node", "example.js")),
        _ => None,
    }
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Whether a text is as the page has it, where `...` stands for anything.
fn is_as_shown(printed: &str, shown: &str) -> bool {
    let mut rest = printed;
    for (number, piece) in shown.split("...").enumerate() {
        let piece = if piece == "\n" { "" } else { piece };
        match rest.find(piece) {
            Some(0) => rest = &rest[piece.len()..],
            Some(at) if number > 0 => rest = &rest[at + piece.len()..],
            _ => return false,
        }
    }
    shown.trim_end().ends_with("...") || rest.trim().is_empty()
}

#[test]
fn the_examples_of_the_page_print_what_stands_there() {
    let blocks = blocks();
    let register = blocks.iter().find(|it| it.language == "toml").expect("there is a register");
    let daemon = Daemon::start(Some(&register.text));
    let folder = tempfile::tempdir().unwrap();
    let mut languages: Vec<&str> = Vec::new();
    let everything = std::env::var_os("SLUICE_PROTOCOL_FULL").is_some();
    for (block, behind) in blocks.iter().zip(blocks.iter().skip(1)) {
        let Some((program, name)) = runner(&block.language) else { continue };
        let needs_curl = block.language == "sh" && !is_there("curl");
        if needs_curl || !is_there(program) {
            assert!(!everything, "{program} or curl is missing");
            eprintln!("not run: an example in {} (nothing runs it here)", block.language);
            continue;
        }
        assert_eq!(
            behind.language, "text",
            "what an example prints stands behind it:\n{}",
            block.text
        );
        let file = folder.path().join(name);
        fs::write(&file, &block.text).unwrap();
        let output = Command::new(program)
            .arg(&file)
            .current_dir(folder.path())
            .env("SLUICE_SOCKET", &daemon.socket)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        let wrong = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\n{printed}\n{wrong}", block.text);
        assert!(
            is_as_shown(&printed, &behind.text),
            "{}\nprinted:\n{printed}\nis not as shown:\n{}",
            block.text,
            behind.text
        );
        languages.push(&block.language);
    }
    languages.dedup();
    assert!(!everything || languages == ["sh", "python", "js"], "{languages:?}");
}

#[test]
fn what_is_shown_can_differ() {
    assert!(is_as_shown("a b c\n", "a ... c\n") && is_as_shown("abc\n", "a...\n"));
    assert!(is_as_shown("a\nb\n", "a\nb\n"));
    for (printed, shown) in
        [("b c\n", "a ... c\n"), ("a b\n", "a\n"), ("xabc\n", "a...\n"), ("", "a\n")]
    {
        assert!(!is_as_shown(printed, shown), "{printed:?} {shown:?}");
    }
}
