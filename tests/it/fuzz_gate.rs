//! What the fuzz targets of the gate check: lists, lines and configurations that a repository brings.

use std::collections::HashSet;
use std::path::Path;

use sluicegate::decode::Encoding;
use sluicegate::gate::import::{Turn, outline};
use sluicegate::gate::{
    Baseline, GitleaksIgnore, MarkerKind, Markers, Pointer, SecretsBaseline, updates,
};
use sluicegate::model::{Day, Span};

/// A baseline, a list of another program, the lines of a push, a content with inline exceptions or a
/// pointer of Git LFS, as the first byte says.
pub fn gate_lists(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind {
        b'b' => baseline(rest),
        b'g' => gitleaks(rest),
        b's' => secrets(rest),
        b'p' => push(rest),
        b'i' => inline(rest),
        b'l' => pointer(rest),
        _ => {
            baseline(data);
            gitleaks(data);
            secrets(data);
            push(data);
            inline(data);
            pointer(data);
        }
    }
}

/// What is written is read as the same; the order of lines, and how often they stand, say nothing.
fn baseline(text: &[u8]) {
    let baseline = match Baseline::read(text) {
        Ok(baseline) => baseline,
        Err(error) => {
            let said = error.to_string();
            assert!(
                said.is_ascii() && said.lines().count() <= 21,
                "lines are numbered, not quoted"
            );
            return;
        }
    };
    let written = baseline.write();
    let again = Baseline::read(written.as_bytes()).expect("what was written is read");
    assert_eq!((again.write(), again.len()), (written.clone(), baseline.len()), "one form");
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let mixed: Vec<&[u8]> = lines.iter().rev().chain(&lines).copied().collect();
    let mixed = Baseline::read(&mixed.join(&b'\n')).expect("the same lines");
    assert_eq!(mixed.write(), written, "in any order");
    let last = Day::parse("9999-12-31").expect("a day");
    assert!(baseline.expired(last) <= baseline.len());
    assert_eq!(
        baseline.is_empty(),
        written.lines().count() == 2,
        "a line each behind two of comment"
    );
}

/// Each line is an entry or counted as none; an entry is found by its path and line, and in its commit
/// alone where it names one.
fn gitleaks(text: &[u8]) {
    let list = GitleaksIgnore::read(text);
    let wrong = list.problem().map_or(0, |problem| {
        problem.split(' ').next().and_then(|count| count.parse().ok()).expect("a count")
    });
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#'));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(list.len() + wrong, lines.len(), "an entry or none");
    let mut plain = HashSet::new();
    let mut of_commit = Vec::new();
    for line in lines {
        let mut fields = line.rsplitn(3, ':');
        let number = fields.next().and_then(|it| it.parse::<u64>().ok());
        let (Some(number), Some(rule), Some(rest)) = (number, fields.next(), fields.next()) else {
            continue;
        };
        let is_hex = |it: &str| it.bytes().all(|byte| byte.is_ascii_hexdigit());
        let commit =
            rest.split_once(':').filter(|(it, _)| matches!(it.len(), 40 | 64) && is_hex(it));
        let path = commit.map_or(rest, |(_, path)| path).replace('\\', "/");
        if path.is_empty() || rule.is_empty() {
            continue;
        }
        let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
        assert!(list.names(&path));
        match commit {
            Some((commit, _)) => of_commit.push((path, number, commit.to_ascii_lowercase())),
            None => drop(plain.insert((path, number))),
        }
    }
    for (path, number) in &plain {
        assert!(list.find(path, *number, None).is_some_and(|at| at < list.len()));
        assert!(list.find(path, *number, Some("0")).is_some(), "in any commit");
    }
    for (path, number, commit) in of_commit {
        assert!(list.find(&path, number, Some(&commit)).is_some_and(|at| at < list.len()));
        let elsewhere = list.find(&path, number, None);
        assert_eq!(elsewhere.is_some(), plain.contains(&(path, number)), "in its commit alone");
    }
}

/// Values are excepted in files that are named, and nowhere else.
fn secrets(text: &[u8]) {
    let (document, content) = match text.iter().position(|byte| *byte == 0) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, text),
    };
    let Ok(list) = SecretsBaseline::read(document) else { return };
    let length = content.len() as u64;
    for start in (0..length + 2).step_by(1 + content.len() / 64) {
        for end in [start, start + 1, start + 8, length, u64::MAX] {
            for path in ["a", ""] {
                let found = list.find(path, content, Span { start, end });
                assert!(found.is_none_or(|at| at < list.len() && list.names(path)));
                if end > length || start > end {
                    assert_eq!(found, None, "no such value");
                }
            }
        }
    }
}

/// What git writes has four fields, and ids of zeros are none.
fn push(text: &[u8]) {
    let Ok(updates) = updates(text) else { return };
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !matches!(line, [] | [b'\r']));
    let lines: Vec<&[u8]> = lines.collect();
    assert_eq!(updates.len(), lines.len(), "none is lost");
    for (update, line) in updates.iter().zip(lines) {
        let mut fields = line.split(|byte| *byte == b' ');
        assert_eq!(fields.next(), Some(&update.name[..]));
        for id in [&update.new, &update.old] {
            let field = String::from_utf8_lossy(fields.next().expect("an id")).to_ascii_lowercase();
            let field = field.trim_end_matches('\r');
            match id {
                Some(id) => assert_eq!(id.to_string(), field),
                None => assert!(field.bytes().all(|byte| byte == b'0'), "{field}"),
            }
            // The name there, which is not looked at.
            fields.next();
        }
    }
}

/// What stands in a line is about that line whatever stands elsewhere, in every encoding.
fn inline(content: &[u8]) {
    let read = |bytes: &[u8], encoding| {
        let markers = Markers::read(bytes, encoding);
        assert!(markers.all.len() <= 1_000 && (markers.unread == 0 || markers.all.len() <= 1_000));
        assert!(markers.all.is_sorted_by_key(|marker| marker.line));
        for marker in &markers.all {
            if let MarkerKind::Own { rule, reason } = &marker.kind {
                assert!(rule.chars().count() <= 128 && !rule.contains(char::is_whitespace));
                let says = reason.chars().filter(|c| c.is_alphanumeric()).count() >= 3;
                assert!(reason.is_empty() || says, "a reason or none");
                assert!(!reason.contains('\n') && !reason.contains("*/"), "as far as the comment");
            }
        }
        let unread = markers.unread;
        let all = markers.all.into_iter().map(|it| (it.line, it.kind)).collect::<Vec<_>>();
        (all, unread)
    };
    let (whole, unread) = read(content, Encoding::Bytes);
    for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
        read(content, encoding);
        if let Ok(text) = std::str::from_utf8(content) {
            let unit = |it: u16| match encoding {
                Encoding::Utf16Le => it.to_le_bytes(),
                _ => it.to_be_bytes(),
            };
            let wide: Vec<u8> = text.encode_utf16().flat_map(unit).collect();
            assert_eq!(read(&wide, encoding), (whole.clone(), unread), "in UTF-16");
        }
    }
    let ends: Vec<usize> = memchr::memchr_iter(b'\n', content).collect();
    if let Some(end) = ends.get(ends.len() / 2).filter(|_| unread == 0) {
        let (head, tail) = content.split_at(end + 1);
        let mut joined = read(head, Encoding::Bytes).0;
        let lines = ends.len() as u64 / 2 + 1;
        let behind = read(tail, Encoding::Bytes).0.into_iter();
        joined.extend(behind.map(|(line, kind)| (line + lines, kind)));
        joined.sort_by_key(|(line, _)| *line);
        assert_eq!(joined, whole, "cut between two lines");
    }
}

/// A pointer has its three lines and nothing else, so that nothing hides in one.
fn pointer(blob: &[u8]) {
    let Some(Pointer { oid, size }) = Pointer::read(blob) else { return };
    assert!(Pointer::is_meant(blob));
    let written = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize ");
    let digits = blob.strip_prefix(written.as_bytes()).and_then(|it| it.strip_suffix(b"\n"));
    let digits = digits.expect("its three lines");
    assert!(oid.len() == 64 && oid.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let digits = std::str::from_utf8(digits).expect("digits");
    assert_eq!(digits.trim_start_matches('0'), size.to_string().trim_start_matches('0'));
}

/// A configuration of gitleaks or, behind a byte of 1, the regex of one rule: it is refused, or each of
/// its rules is carried over or noted, the same each time, and no note quotes a regex.
pub fn gate_import(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let regex = text.strip_prefix('\u{1}');
    let text = match regex {
        Some(regex) => {
            // A quoted TOML string takes the escapes of a JSON string, if DEL is escaped too.
            let regex = serde_json::to_string(regex).unwrap_or_default().replace('\x7f', "\\u007f");
            format!("[[rules]]\nid = \"fuzz\"\nregex = {regex}\n")
        }
        None => text.to_owned(),
    };
    let file = Path::new("a.toml");
    let look = || {
        let mut read = |path: &Path| match path.to_str() {
            Some("a.toml") => Ok(text.clone()),
            Some("b.toml") => Ok(BASE.to_owned()),
            _ => Err("there is none".to_owned()),
        };
        outline(file, Path::new(""), &mut read)
    };
    let looked = match look() {
        Ok(looked) => looked,
        Err(error) => {
            assert!(error.is_usage(), "{error}");
            return;
        }
    };
    let ids: HashSet<&String> = looked.carried.iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), looked.carried.len(), "no id twice");
    let left = |turn: Turn| matches!(turn, Turn::Left | Turn::Ignored);
    let noted = looked.notes.iter().filter(|note| left(note.turn)).count();
    assert!(looked.carried.len() + noted >= looked.rules, "carried over, or noted");
    for (id, pattern) in &looked.carried {
        assert!(id.starts_with("sec.gitleaks.") && id.is_ascii() && !pattern.is_empty());
    }
    for note in &looked.notes {
        let shown = note.to_string();
        assert!(!shown.contains(char::is_control), "{shown}");
        assert!(regex.is_none() || !shown.contains(CANARY), "a regex is not quoted");
    }
    for offer in &looked.offers {
        let text = offer.to_toml();
        assert!(text.lines().all(|line| !line.contains(char::is_control)), "{text:?}");
        assert_eq!(text.contains("[[exception]]\n"), !offer.globs.is_empty());
        for glob in &offer.globs {
            assert!(!glob.is_empty() && glob.len() <= 512, "a glob that a register takes");
            assert!(!glob.starts_with('/') && !glob.ends_with('/'), "and does not widen");
        }
    }
    // Loading takes most of the time.
    if looked.rules == 1 {
        let again = look().expect("as before");
        assert_eq!((again.carried, again.notes), (looked.carried, looked.notes), "one answer");
        assert_eq!(again.offers, looked.offers, "one answer");
    }
}

/// What stands in the regexes of seeds, and in nothing that is shown.
const CANARY: &str = "zqxcanary";

/// What configurations may build on.
const BASE: &str = "[[rules]]\nid = \"base\"\nregex = '''base_[0-9a-f]{16}'''\nkeywords = [\"base_\"]\n\
                    [[rules]]\nid = \"fuzz\"\ndescription = \"of the base\"\nentropy = 2.5\n";
