//! The gate's section of the README, word for word: from an empty repository to a blocked commit, an
//! exception, and CI.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::tour::{blocks, script};

#[test]
fn the_section_holds() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let section = readme.split_once("\n## The gate\n").expect("the section is there").1;
    let section = section.split_once("\n## ").expect("another one follows").0;
    let blocks = blocks(section);
    assert!(blocks.iter().filter(|block| block.language == "sh").count() >= 3);

    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_sluice")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["-c", &format!("exec 2>&1\n{}", script(&blocks))]).current_dir(folder.path());
    command.env_clear().env("PATH", path).env("HOME", folder.path()).env("LC_ALL", "C");
    command.env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Anna Example");
        command.env(format!("GIT_{who}_EMAIL"), "anna@example.com");
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.ends_with("@@ end\n"), "{said}");

    let mut last = "";
    for block in &blocks {
        match block.language.as_str() {
            "sh" => {
                let begin = format!("@@ {}\n", block.line);
                let rest = said.split_once(&begin).expect("the block ran").1;
                last = rest.split_once("@@ ").expect("another mark follows").0;
            }
            "text" => {
                for line in block.text.lines() {
                    let shown = last.lines().any(|it| it == line);
                    assert!(shown, "line {}: no `{line}` in\n{last}", block.line);
                }
            }
            other => panic!("a block in `{other}` is not run"),
        }
    }
}
