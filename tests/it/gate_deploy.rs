//! The GitHub Action and the GitLab template: their scripts, as they stand in the files, run on real
//! repositories.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::repository::{Ran, Repository, SSN, ran};

/// The scripts of a file: what stands below a line that ends with `|`, without its indent.
fn scripts(file: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut scripts = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if !(line.ends_with(": |") || line.ends_with("- |")) {
            continue;
        }
        let depth = lines.peek().map_or(0, |next| indent(next));
        let mut script = String::new();
        while let Some(inner) =
            lines.next_if(|next| next.trim().is_empty() || indent(next) >= depth)
        {
            script.push_str(inner.get(depth..).unwrap_or_default());
            script.push('\n');
        }
        scripts.push(script);
    }
    scripts
}

fn run(repository: &Repository, script: &str, variables: &[(&str, &str)]) -> Ran {
    let program = Path::new(env!("CARGO_BIN_EXE_sluice")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut command = repository.command("bash");
    command.args(["-e", "-c", script]).env("PATH", path).envs(variables.iter().copied());
    ran(&mut command)
}

#[test]
fn their_scripts_are_scripts() {
    for (file, count) in [("deploy/github-action/action.yml", 2), ("deploy/gitlab-ci.yml", 1)] {
        let scripts = scripts(file);
        assert_eq!(scripts.len(), count, "{file}");
        for script in scripts {
            let output = Command::new("bash").args(["-n", "-c", &script]).output().unwrap();
            assert!(output.status.success(), "{file}: {output:?}");
            // What an expression is replaced by would be a command.
            assert!(!script.contains("${{"), "{file}");
        }
    }
}

#[test]
fn the_action_decides_over_the_commits_of_an_event() {
    let script = scripts("deploy/github-action/action.yml").remove(1);
    let repository = Repository::new();
    let first = repository.committed("old.txt", SSN);
    let second = repository.committed("clean.txt", "nothing\n");
    let third = repository.committed("new, one.txt", SSN);
    let zeros = "0".repeat(40);
    let cases = [
        (second.as_str(), third.as_str(), "", 1, "block"),
        (&first, &second, "", 0, "allow"),
        (&zeros, &third, "", 1, "block"),
        (&third, &second, "nothing..here", 2, "error"),
    ];
    for (base, head, range, code, effect) in cases {
        let outputs = repository.aside(&format!("outputs {effect} {base}"));
        let report = repository.aside("report");
        let ran = run(
            &repository,
            &script,
            &[
                ("BASE", base),
                ("HEAD", head),
                ("RANGE", range),
                ("FORMAT", "sarif"),
                ("OUTPUT", report.to_str().unwrap()),
                ("CONFIG_FROM", ""),
                ("DESTINATION", ""),
                ("ARGUMENTS", "--max-blob-size\n1M"),
                ("GITHUB_OUTPUT", outputs.to_str().unwrap()),
            ],
        );
        assert_eq!(ran.code, code, "{ran:?}");
        let said = fs::read_to_string(&outputs).unwrap();
        assert!(said.starts_with(&format!("effect={effect}\nreport=")), "{said}");
        if code == 1 {
            assert!(ran.out.contains("::error file=new%2C one.txt,line=1"), "{ran:?}");
            assert_eq!(ran.out.contains("old.txt"), base == zeros, "{ran:?}");
            assert!(fs::read_to_string(&report).unwrap().contains("new%2C%20one.txt"));
        }
    }
}

#[test]
fn the_template_decides_over_a_merge_request() {
    let script = scripts("deploy/gitlab-ci.yml").remove(0);
    let repository = Repository::new();
    let first = repository.committed("clean.txt", "nothing\n");
    let second = repository.committed("a.txt", SSN);
    let zeros = "0".repeat(40);
    for (variable, base, head, code) in [
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", first.as_str(), second.as_str(), 1),
        ("CI_COMMIT_BEFORE_SHA", &zeros, &second, 1),
        ("CI_COMMIT_BEFORE_SHA", &second, &second, 0),
    ] {
        let variables = [
            ("CI_COMMIT_BEFORE_SHA", ""),
            (variable, base),
            ("CI_COMMIT_SHA", head),
            ("SLUICE_DESTINATION", ""),
        ];
        let ran = run(&repository, &script, &variables);
        assert_eq!(ran.code, code, "{ran:?}");
        let report = fs::read_to_string(repository.path("gl-code-quality-report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report.as_array().unwrap().len(), code as usize, "{report}");
    }
}
