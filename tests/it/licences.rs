//! Licences of everything that is built in: each is one of those that may be.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// What a dependency may be licensed under, in SPDX identifiers.
const ALLOWED: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// What cargo knows of this package and all that it depends on, tests included. With every package
/// at hand (after `cargo fetch`) that is all of them, else those that this platform builds.
fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(|| {
        let host = rustc_host();
        let all: &[&str] = &["--all-features"];
        let here: &[&str] = &["--filter-platform", &host];
        [all, here]
            .into_iter()
            .find_map(ask_cargo)
            .expect("`cargo metadata` knows the packages that were built")
    })
}

fn ask_cargo(arguments: &[&str]) -> Option<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("it is JSON"))
}

fn rustc_host() -> String {
    let output = Command::new(env!("CARGO")).arg("-vV").output().expect("cargo starts");
    let text = String::from_utf8(output.stdout).expect("it is text");
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("cargo names the host").to_owned()
}

/// Whether a licence expression (SPDX 2.3 annex D, and `/` as older manifests have it for OR) can be
/// met with allowed licences alone. Text that is no expression is an error.
fn is_allowed(expression: &str) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let allowed = either(&mut rest)?;
    match rest {
        [] => Ok(allowed),
        [word, ..] => Err(format!("`{word}` is too much in `{expression}`")),
    }
}

/// `both OR both ...`
fn either(rest: &mut &[&str]) -> Result<bool, String> {
    let mut allowed = both(rest)?;
    while let ["OR", behind @ ..] = rest {
        *rest = behind;
        allowed |= both(rest)?;
    }
    Ok(allowed)
}

/// `one AND one ...`, which binds closer.
fn both(rest: &mut &[&str]) -> Result<bool, String> {
    let mut allowed = one(rest)?;
    while let ["AND", behind @ ..] = rest {
        *rest = behind;
        allowed &= one(rest)?;
    }
    Ok(allowed)
}

/// A licence, a licence with an exception, or an expression in parentheses.
fn one(rest: &mut &[&str]) -> Result<bool, String> {
    match *rest {
        ["(", inner @ ..] => {
            *rest = inner;
            let allowed = either(rest)?;
            let [")", behind @ ..] = rest else { return Err("`)` is missing".to_owned()) };
            *rest = behind;
            Ok(allowed)
        }
        ["OR" | "AND" | "WITH" | ")", ..] | [] => Err("a licence is missing".to_owned()),
        [licence, "WITH", exception, behind @ ..] => {
            *rest = behind;
            Ok(ALLOWED.contains(&format!("{licence} WITH {exception}").as_str()))
        }
        [licence, behind @ ..] => {
            *rest = behind;
            Ok(ALLOWED.contains(licence))
        }
    }
}

#[test]
fn every_dependency_has_a_licence_that_may_be() {
    let packages = metadata()["packages"].as_array().expect("packages");
    assert!(packages.len() > 50, "all dependencies are listed, not {}", packages.len());
    let mut wrong = Vec::new();
    for package in packages {
        let (name, version) = (&package["name"], &package["version"]);
        match package["license"].as_str().map(is_allowed) {
            Some(Ok(true)) => {}
            _ => wrong.push(format!("{name} {version}: {}", package["license"])),
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_direct_dependency_earns_its_place_in_the_architecture_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let packages = metadata()["packages"].as_array().expect("packages");
    let own = packages.iter().find(|package| package["name"] == env!("CARGO_PKG_NAME"));
    let direct = own.expect("this package")["dependencies"].as_array().expect("dependencies");
    let rows: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |").map(|(name, _)| name))
        .collect();
    let unnamed: Vec<&str> = direct
        .iter()
        .filter_map(|dependency| dependency["name"].as_str())
        .filter(|name| !rows.contains(name))
        .collect();
    assert_eq!(unnamed, Vec::<&str>::new(), "each has a row `| `name` | what for |`");
}

#[test]
fn licence_expressions_are_read_whole() {
    let yes = [
        "MIT",
        "MIT OR GPL-3.0-only",
        "GPL-3.0-only/Apache-2.0",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception",
        // AND binds closer than OR.
        "GPL-2.0-only AND MIT OR Zlib",
        "((ISC))",
    ];
    let no = [
        "GPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "(MIT OR Zlib) AND GPL-2.0-only",
        "Apache-2.0 WITH Classpath-exception-2.0",
        "GPL-2.0-only OR MIT AND SSPL-1.0",
        "mit",
    ];
    for expression in yes {
        assert_eq!(is_allowed(expression), Ok(true), "{expression}");
    }
    for expression in no {
        assert_eq!(is_allowed(expression), Ok(false), "{expression}");
    }
    for broken in ["", "MIT OR", "(MIT", "MIT)", "MIT Zlib", "AND MIT", "MIT WITH"] {
        assert!(is_allowed(broken).is_err(), "{broken}");
    }
}
