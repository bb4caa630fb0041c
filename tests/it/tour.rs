//! `docs/TOUR.md`, run as it stands.

use std::fs;
use std::path::Path;
use std::process::Command;

/// One block of the page.
pub struct Block {
    pub language: String,
    pub line: usize,
    pub text: String,
}

pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                let language = language.to_owned();
                open = Some(Block { language, line: at + 1, text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "every block is closed");
    blocks
}

/// A shell script of the page: each command has to exit as it says, and prints a mark before what
/// belongs to the next block.
pub fn script(blocks: &[Block]) -> String {
    let mut script = String::from("set -u\nfail() { echo \"TOUR FAILED: $1\"; exit 99; }\n");
    for block in blocks.iter().filter(|block| block.language == "sh") {
        script.push_str(&format!("echo '@@ {}'\n", block.line));
        let mut lines = block.text.lines().peekable();
        let mut heredoc = false;
        let mut depth = 0;
        while let Some(line) = lines.next() {
            script.push_str(line);
            script.push('\n');
            heredoc = (heredoc || line.ends_with("<<'END'")) && line != "END";
            depth += line.matches('{').count() as i32 - line.matches('}').count() as i32;
            if heredoc || depth > 0 && !line.starts_with("sluice") {
                continue;
            }
            depth = 0;
            let expected = lines.peek().and_then(|next| next.strip_prefix("# "));
            let expected = expected.and_then(|code| code.parse::<u8>().ok());
            if expected.is_some() {
                lines.next();
            }
            let expected = expected.unwrap_or(0);
            let command = line.replace('\'', "'\\''");
            script.push_str(&format!(
                "code=$?; [ $code -eq {expected} ] || fail '{command}'\" exits $code\"\n"
            ));
        }
    }
    script.push_str("echo '@@ end'\n");
    script
}

fn has(program: &str) -> bool {
    Command::new(program).arg("-V").output().is_ok()
}

#[test]
fn the_tour_holds() {
    if !has("ssh-keygen") && !has("ssh") {
        eprintln!("SKIPPED: no ssh-keygen here; install openssh-client");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let blocks = blocks(&fs::read_to_string(root.join("docs/TOUR.md")).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let register = blocks.iter().find(|block| block.language == "toml").unwrap();
    fs::write(folder.path().join("sluice.toml"), &register.text).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_sluice"));
    let path =
        format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", &script(&blocks)])
        .current_dir(folder.path())
        .env("PATH", path)
        .env_remove("SSH_AUTH_SOCK")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(said.ends_with("@@ end\n"), "{said}\n{errors}");

    let mut last = String::new();
    for block in &blocks {
        match block.language.as_str() {
            "sh" => {
                let begin = format!("@@ {}\n", block.line);
                let from = said.find(&begin).unwrap() + begin.len();
                let rest = &said[from..];
                last = rest[..rest.find("@@ ").unwrap()].to_owned();
            }
            "text" => {
                for line in block.text.lines() {
                    assert!(last.contains(line), "line {}: no `{line}` in\n{last}", block.line);
                }
            }
            _ => {}
        }
    }

    let path = |name: &str| folder.path().join(name);
    if crate::ledger_independent::build(&path("verify")) {
        fs::create_dir(path("checkpoints")).unwrap();
        fs::create_dir(path("proofs")).unwrap();
        fs::copy(path("copy/checkpoint"), path("checkpoints/0")).unwrap();
        let entry = fs::read(path("entry.json")).unwrap();
        let parsed: serde_json::Value = serde_json::from_slice(&entry).unwrap();
        let name = format!("proofs/{}", parsed["sequence"]);
        fs::copy(path("entry.json"), path(&format!("{name}.entry"))).unwrap();
        fs::copy(path("entry.tlog-proof"), path(&format!("{name}.tlog-proof"))).unwrap();
        let arguments = ["copy", "public.vkey", "proofs", "checkpoints"].map(path);
        let output = Command::new(path("verify")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 proofs"), "{output:?}");
    }

    // Nothing of the record is anywhere in the state directory.
    for canary in ["219-09-9998", "Maria Keller", "maria.keller@", "E11.9"] {
        let found = Command::new("grep")
            .args(["-rlaF", canary, "state"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(found.stdout.is_empty(), "{canary} in {}", String::from_utf8_lossy(&found.stdout));
    }
}
