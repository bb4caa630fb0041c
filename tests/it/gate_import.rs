//! `sluice gate import`: packs made of gitleaks configurations find what gitleaks found.
//!
//! `corpus/import/*.expected` are the answers of gitleaks 8.30.1; see the page beside them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use sluicegate::decode::{Encoding, Format, Structure};
use sluicegate::engine::Options;
use sluicegate::gate::import::{Imported, Turn, import};
use sluicegate::rules::Source;
use sluicegate::{RuleSet, Scanner};

use crate::repository::Repository;
use crate::support::{chunked, segmented};

const CASES: [&str; 7] = ["characters", "tokens", "allow", "groups", "syntax", "extend", "left"];

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/import").join(name)
}

fn imported(name: &str) -> Imported {
    let root = corpus("");
    let mut read = |path: &Path| fs::read_to_string(path).map_err(|error| error.to_string());
    import(&corpus(&format!("{name}.toml")), &root, &mut read).unwrap()
}

/// The pack beside the taxonomy, with the built-in rules or without.
fn scanner(pack: &str, builtin: bool) -> (Arc<RuleSet>, Scanner) {
    let mut sources = RuleSet::builtin_sources();
    sources.retain(|source| {
        builtin || ["rules/taxonomy.toml", "rules/laws.toml"].contains(&&*source.name)
    });
    sources.push(Source { name: "pack.toml".into(), text: pack.into(), builtin: false });
    let rules = Arc::new(
        RuleSet::compile(&sources).unwrap_or_else(|wrong| panic!("{}", wrong.render(&sources))),
    );
    let format =
        Format { encoding: Encoding::Bytes, bom: 0, structure: Structure::Text, opaque: None };
    let options = Options { format: Some(format), ..Options::default() };
    (Arc::clone(&rules), Scanner::new(rules, options))
}

type Found = BTreeSet<(u64, u64, String)>;

fn slug(id: &str) -> String {
    let id = id.to_ascii_lowercase();
    format!("sec.gitleaks.{}", id.replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
}

fn expected(name: &str) -> Found {
    let text = fs::read_to_string(corpus(&format!("{name}.expected"))).unwrap();
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap().to_owned();
        (word().parse().unwrap(), word().parse().unwrap(), slug(&word()))
    };
    text.lines().map(line).collect()
}

#[test]
fn an_imported_pack_finds_what_gitleaks_found() {
    for name in CASES {
        let pack = imported(name).pack;
        let (rules, scanner) = scanner(&pack, false);
        let text = fs::read(corpus(&format!("{name}.txt"))).unwrap();
        let whole = scanner.scan(&text);
        let found: Found = whole
            .findings
            .iter()
            .map(|it| (it.span.start, it.span.end, rules.rule_id(it.rule).to_owned()))
            .collect();
        let wanted = expected(name);
        if name == "left" {
            // What the notes say: two are found where gitleaks asks for what a payload does not have, and
            // one is missing whose line begins with `#`.
            let more: Vec<&str> = found.difference(&wanted).map(|(_, _, id)| &**id).collect();
            let files = ["in-some-files", "elsewhere", "composite"].map(slug);
            assert_eq!(more, files.each_ref().map(|id| &**id));
            let less: Vec<&str> = wanted.difference(&found).map(|(_, _, id)| &**id).collect();
            assert_eq!(less, ["sec.gitleaks.line-start"]);
        } else {
            assert_eq!(found, wanted, "{name}");
        }
        for size in [1, 7, 64] {
            assert_eq!(chunked(&scanner, &text, |_| size), whole, "{name} in pieces of {size}");
        }
    }
}

/// Of findings of one class the better one stays, so a built-in rule may name the value in its place.
#[test]
fn beside_the_built_in_rules_every_value_is_found() {
    let name = "tokens";
    let (_, scanner) = scanner(&imported(name).pack, true);
    let text = fs::read(corpus(&format!("{name}.txt"))).unwrap();
    let findings = scanner.scan(&text).findings;
    for (start, end, id) in expected(name) {
        let is_found = findings.iter().any(|it| it.span.start <= start && end <= it.span.end);
        assert!(is_found, "{id} at {start}");
    }
}

/// A line that `unless` looks at is the same wherever the payload is cut.
#[test]
fn lines_are_those_of_the_payload_however_it_is_cut() {
    let pack = imported("allow").pack;
    let (_, scanner) = scanner(&pack, false);
    let mut text = String::new();
    for distance in [0, 1, 400, 500, 510, 511, 512, 513, 600, 3000] {
        let gap = " ".repeat(distance);
        text += &format!("delta=abcdefg{}0{gap}ignore\nignore{gap}delta=bbcdefg1\n", distance % 10);
        text += &format!("{gap}//beta=abcdefg1; \nbeta=abcdefg1;{gap}# not a secret\n");
    }
    let whole = scanner.scan(text.as_bytes());
    // 512 bytes on either side are looked at: `ignore` is six of them, `//` two, and `# not a secret`
    // fourteen.
    assert_eq!(whole.findings.len(), 6 + 6 + 5 + 7);
    for size in [1, 13, 511, 4096] {
        assert_eq!(chunked(&scanner, text.as_bytes(), |_| size), whole, "{size}");
    }
    if let Some(joined) = segmented(&scanner, text.as_bytes(), 8192) {
        assert_eq!(joined, whole);
    }
}

#[test]
fn what_is_not_carried_over_is_noted_rule_by_rule() {
    let imported = imported("left");
    let left: Vec<&str> = imported
        .notes
        .iter()
        .filter(|note| note.turn == Turn::Left)
        .filter_map(|note| note.rule.as_deref())
        .collect();
    let wanted = ["path-only", "no-anchor", "silent", "unicode", "broken", "no-effect", "allowed"];
    assert_eq!(left, wanted);
    assert_eq!((imported.carried, imported.rules), (7, 14));
    for note in &imported.notes {
        assert!(imported.pack.contains(&format!("# - {note}\n")), "{note}");
    }
    // A regex that allows a secret quotes it.
    let notes: String = imported.notes.iter().map(|note| format!("{note}\n")).collect();
    for quoted in ["testdata", "0123456789abcdef", "brk_", "hexkey", r"\.env"] {
        assert!(!notes.contains(quoted), "{quoted}");
    }
}

/// What a pack does not have of paths is offered as exceptions that can be pasted.
#[test]
fn paths_of_allowlists_are_offered_as_exceptions() {
    let [testdata] = &imported("left").offers[..] else { panic!("one list has paths alone") };
    assert_eq!(
        (&testdata.rules[..], &testdata.globs[..]),
        (&[][..], &["**/*testdata/**".to_owned()][..])
    );

    let repository = Repository::new();
    let (file, pack) = (repository.aside("paths.toml"), repository.aside("rules"));
    let text = r#"
[[allowlists]]
description = "Samples, ''of nobody''"
paths = ['testdata/', '(ab)*c']
[[allowlists]]
targetRules = ["Number One"]
paths = ['\.md$']
[[rules]]
id = "Number One"
regex = 'one_([a-z0-9]{8})'
[[rules.allowlists]]
paths = ['^docs/']
[[rules]]
id = "two"
regex = 'two_([a-z0-9]{8})'
"#;
    fs::write(&file, text).unwrap();
    fs::create_dir(&pack).unwrap();
    let written = pack.join("paths.toml");
    let made = ["gate", "import", file.to_str().unwrap(), "-o", written.to_str().unwrap()];
    let (code, _, error) = sluice(&made);
    assert_eq!(code, 0, "{error}");
    assert!(error.contains("without 1 paths that are no globs"), "{error}");
    let (_, pasted) = error.split_once("docs/GATE.md, Exceptions).\n").expect(&error);
    let (pasted, _) = pasted.split_once("sluice: ").expect(&error);

    repository
        .committed("sluice.toml", format!("version = 1\n[policy]\nexceptable = ['sec']\n{pasted}"));
    for path in
        ["a.txt", "testdata/a.txt", "testdata.txt", "docs/a.txt", "src/docs/a.txt", "src/a.md"]
    {
        repository.stage(path, "one_k3j9x0qa two_k3j9x0qb\n");
    }
    let mut found: Vec<(String, String)> = repository
        .found(&["--rules", pack.to_str().unwrap()])
        .into_iter()
        .map(|it| (it.path, it.rule.replace("sec.gitleaks.", "")))
        .collect();
    found.sort();
    let both = |path: &'static str| [(path, "number-one"), (path, "two")];
    let wanted = [
        &both("a.txt")[..],
        &[("docs/a.txt", "two"), ("src/a.md", "two")],
        &both("src/docs/a.txt"),
        &both("testdata.txt"),
    ];
    let wanted: Vec<(String, String)> =
        wanted.concat().iter().map(|(path, rule)| (path.to_string(), rule.to_string())).collect();
    assert_eq!(found, wanted, "{pasted}");
}

#[test]
fn the_same_files_give_the_same_pack() {
    assert_eq!(imported("groups").pack, imported("groups").pack);
}

fn sluice(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sluice")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_writes_a_pack_that_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("left.toml");
    let pack = pack.to_str().unwrap();
    let file = corpus("left.toml");
    let (code, out, error) = sluice(&["gate", "import", file.to_str().unwrap(), "-o", pack]);
    assert_eq!((code, &*out), (0, ""), "{error}");
    assert!(error.contains("left.toml:12: rule `path-only`: not carried over: "), "{error}");
    assert!(error.ends_with("sluice: 7 of 14 rules carried over, 19 notes\n"), "{error}");
    let (code, out, error) = sluice(&["rules", "check", pack]);
    assert_eq!(code, 0, "{out}{error}");
    let folder = folder.path().to_str().unwrap();
    let (code, out, error) = sluice(&["rules", "test", "--rules", folder]);
    assert_eq!(code, 0, "{out}{error}");
    let (code, out, _) =
        sluice(&["rules", "explain", "sec.gitleaks.line-start", "--rules", folder]);
    assert!(code == 0 && out.contains("unless"), "{out}");
    // Without a file to write to the pack goes to standard output.
    let (code, out, _) = sluice(&["gate", "import", file.to_str().unwrap()]);
    assert_eq!((code, out), (0, fs::read_to_string(pack).unwrap()));
}

#[test]
fn what_is_no_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let rule = "[[rules]]\nid = \"a\"\nregex = \"acme_[0-9]{4}\"\n";
    write("out.toml", rule);
    let cases = [
        (write("a/none.toml", "title = \"x\"\n"), "none.toml:1: neither rules"),
        (
            write("a/type.toml", "[[rules]]\nid = \"x\"\nregex = 3\n"),
            "type.toml:3: rule `x`: `regex`",
        ),
        (
            write("a/out.toml", "[extend]\npath = \"../out.toml\"\n"),
            "out.toml:1: `extend.path` leads out",
        ),
        (
            write("a/me.toml", "[extend]\npath = \"me.toml\"\n"),
            "me.toml:1: `extend.path` leads in a circle",
        ),
        (folder.path().join("no.toml").to_str().unwrap().to_owned(), "cannot read"),
        (folder.path().to_str().unwrap().to_owned(), "no regular file"),
    ];
    for (path, wanted) in &cases {
        let (code, out, error) = sluice(&["gate", "import", path]);
        assert!(code == 2 && out.is_empty() && error.contains(wanted), "{path}: {code} {error}");
    }
    // A link that leads out is no way round, and `--root` says how far it may.
    let inside = folder.path().join("a/link.toml");
    std::os::unix::fs::symlink(folder.path().join("out.toml"), inside).unwrap();
    let linked = write("a/linked.toml", "[extend]\npath = \"link.toml\"\n");
    let (code, _, error) = sluice(&["gate", "import", &linked]);
    assert!(code == 2 && error.contains("a link leads out"), "{error}");
    let root = folder.path().to_str().unwrap();
    let (code, out, error) = sluice(&["gate", "import", &cases[2].0, "--root", root]);
    assert!(code == 0 && out.contains("sec.gitleaks.a"), "{error}");
}
