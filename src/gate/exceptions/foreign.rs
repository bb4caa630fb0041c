//! Lists that were written for other programs: `.gitleaksignore` and the baseline of detect-secrets.

use std::collections::HashMap;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;

use crate::model::{Finding, Place, Span};

/// The most entries of a list; more are counted, which is said.
const MAX_ENTRIES: usize = 200_000;
/// Bytes around a finding in which the token that it stands in begins and ends.
const AROUND: usize = 1_024;

/// Fingerprints of gitleaks: `file:rule:line`, or `commit:file:rule:line`.
#[derive(Clone, Debug, Default)]
pub struct GitleaksIgnore {
    /// By file and line: the commit, where one is named, and the position in the list.
    entries: HashMap<(String, u64), Vec<Ignored>>,
    count: usize,
    wrong: usize,
}

/// The commit that an entry names, and its position in the list.
type Ignored = (Option<String>, usize);

impl GitleaksIgnore {
    /// Whether an entry is about a file.
    pub fn names(&self, path: &str) -> bool {
        self.entries.keys().any(|(file, _)| file == path)
    }

    /// Reads a list. Lines that are no fingerprints are counted.
    pub fn read(bytes: &[u8]) -> GitleaksIgnore {
        let mut list = GitleaksIgnore::default();
        for line in String::from_utf8_lossy(bytes).lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match fingerprint(line).filter(|_| list.count < MAX_ENTRIES) {
                Some((commit, path, line)) => {
                    let commit = commit.map(str::to_ascii_lowercase);
                    list.entries.entry((path, line)).or_default().push((commit, list.count));
                    list.count += 1;
                }
                None => list.wrong += 1,
            }
        }
        list
    }

    /// What is wrong with it, if anything is.
    pub fn problem(&self) -> Option<String> {
        let wrong = self.wrong;
        (wrong > 0).then(|| {
            format!("{wrong} lines are no fingerprints `file:rule:line`, so they except nothing")
        })
    }

    /// Position of the entry about a line of a file, as it is, or as it was in a commit.
    pub fn find(&self, path: &str, line: u64, commit: Option<&str>) -> Option<usize> {
        if self.count == 0 {
            return None;
        }
        let found = self.entries.get(&(path.to_owned(), line))?;
        let fits = |named: &Option<String>| named.is_none() || named.as_deref() == commit;
        found.iter().find(|(named, _)| fits(named)).map(|(_, at)| *at)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Commit, path and line of a fingerprint. The rule is not looked at: rules have other ids here.
fn fingerprint(text: &str) -> Option<(Option<&str>, String, u64)> {
    let (rest, line) = text.rsplit_once(':')?;
    let line = line.parse().ok()?;
    let (rest, rule) = rest.rsplit_once(':')?;
    let is_commit = |text: &str| {
        matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let (commit, path) = match rest.split_once(':') {
        Some((commit, path)) if is_commit(commit) => (Some(commit), path),
        _ => (None, rest),
    };
    (!path.is_empty() && !rule.is_empty()).then(|| (commit, from_root(path), line))
}

/// A path as git has it.
fn from_root(path: &str) -> String {
    let path = path.replace('\\', "/");
    path.strip_prefix("./").unwrap_or(&path).to_owned()
}

/// The baseline of detect-secrets: SHA-1 of secrets, by file.
#[derive(Clone, Debug, Default)]
pub struct SecretsBaseline {
    entries: HashMap<String, HashMap<[u8; 20], usize>>,
    count: usize,
}

#[derive(Deserialize)]
struct Document {
    results: HashMap<String, Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    hashed_secret: String,
}

impl SecretsBaseline {
    /// Whether an entry is about a file.
    pub fn names(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// It is no such JSON.
    pub fn read(bytes: &[u8]) -> Result<SecretsBaseline, &'static str> {
        let wrong = "no baseline of detect-secrets, so it excepts nothing";
        let document: Document = serde_json::from_slice(bytes).map_err(|_| wrong)?;
        let mut list = SecretsBaseline::default();
        for (path, entries) in document.results {
            let of_file = list.entries.entry(from_root(&path)).or_default();
            for entry in entries {
                let digest = HEXLOWER_PERMISSIVE.decode(entry.hashed_secret.as_bytes()).ok();
                let digest = digest.and_then(|it| <[u8; 20]>::try_from(it).ok()).ok_or(wrong)?;
                if list.count >= MAX_ENTRIES {
                    return Err("more than 200,000 entries, so it excepts nothing");
                }
                of_file.entry(digest).or_insert_with(|| {
                    list.count += 1;
                    list.count - 1
                });
            }
        }
        Ok(list)
    }

    /// Position of the entry about a value in a file: the value, or the token that it stands in,
    /// since the two programs do not cut it alike. Never by the line alone.
    pub fn find(&self, path: &str, bytes: &[u8], span: Span) -> Option<usize> {
        let known = self.entries.get(path)?;
        let start = usize::try_from(span.start).ok()?;
        let end = usize::try_from(span.end).ok()?;
        let value = bytes.get(start..end).filter(|value| value.len() <= AROUND)?;
        let candidates =
            [Some(value), token(bytes, start, end, is_between), quoted(bytes, start, end)];
        candidates.into_iter().flatten().find_map(|text| known.get(&sha1(text)?).copied())
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Whether a finding in the list itself is the digest of a secret.
pub(super) fn is_digest(bytes: &[u8], finding: &Finding) -> bool {
    let of_digest = match finding.place.as_deref() {
        Some(Place::Json { key, .. }) => **key == *"hashed_secret",
        _ => false,
    };
    let range =
        usize::try_from(finding.span.start).ok().zip(usize::try_from(finding.span.end).ok());
    let value = range.and_then(|(start, end)| bytes.get(start..end)).unwrap_or_default();
    of_digest && value.len() == 40 && value.iter().all(u8::is_ascii_hexdigit)
}

/// What ends a token that is not quoted.
fn is_between(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'`,;=:()[]{}<>".contains(&byte)
}

/// The bytes around a value up to the next that ends them on either side.
fn token(bytes: &[u8], start: usize, end: usize, ends: fn(u8) -> bool) -> Option<&[u8]> {
    let before = bytes.get(start.saturating_sub(AROUND)..start)?;
    let behind = bytes.get(end..bytes.len().min(end + AROUND))?;
    let left = before.iter().rev().take_while(|byte| !ends(**byte)).count();
    let right = behind.iter().take_while(|byte| !ends(**byte)).count();
    bytes.get(start - left..end + right)
}

/// The text between quotes around a value.
fn quoted(bytes: &[u8], start: usize, end: usize) -> Option<&[u8]> {
    let is_quote = |byte: u8| b"\"'`\n".contains(&byte);
    token(bytes, start, end, is_quote)
}

fn sha1(bytes: &[u8]) -> Option<[u8; 20]> {
    let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
    hasher.update(bytes);
    // A value made to collide is none that is known.
    hasher.try_finalize().ok()?.as_slice().try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fingerprints_of_gitleaks_are_read_in_both_forms() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let text = format!(
            "# comment\n./src/a.py:aws-access-token:3\n{commit}:b:c.py:generic-api-key:7\n\nno\nx:y:z\n"
        );
        let list = GitleaksIgnore::read(text.as_bytes());
        assert_eq!((list.len(), list.wrong), (2, 2));
        assert_eq!(list.find("src/a.py", 3, None), Some(0));
        assert_eq!(list.find("src/a.py", 4, None), None);
        assert_eq!(list.find("b:c.py", 7, Some(commit)), Some(1));
        assert_eq!(list.find("b:c.py", 7, None), None);
    }

    #[test]
    fn secrets_are_known_by_file_and_digest() {
        // SHA-1 of `hunter2hunter2`.
        let digest = data_encoding::HEXLOWER.encode(&sha1(b"hunter2hunter2").expect("a digest"));
        assert_eq!(
            data_encoding::HEXLOWER.encode(&sha1(b"abc").expect("a digest")),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        let json = format!(
            r#"{{"version": "1.5.0", "results": {{"./a.py": [{{"type": "x", "filename": "a.py",
            "hashed_secret": "{digest}", "line_number": 900}}]}}}}"#
        );
        let list = SecretsBaseline::read(json.as_bytes()).expect("it is read");
        assert_eq!(list.len(), 1);
        let find = |path: &str, text: &str, value: &str| {
            let start = text.find(value).expect("the value") as u64;
            let span = Span { start, end: start + value.len() as u64 };
            list.find(path, text.as_bytes(), span)
        };
        assert_eq!(find("a.py", "k = hunter2hunter2", "hunter2hunter2"), Some(0));
        assert_eq!(find("a.py", "k = \"hunter2hunter2\"", "hunter2"), Some(0));
        assert_eq!(find("a.py", "k=hunter2hunter2;", "2hunter2"), Some(0));
        assert_eq!(find("b.py", "k = hunter2hunter2", "hunter2hunter2"), None);
        assert_eq!(find("a.py", "k = hunter3hunter3", "hunter3hunter3"), None);
        for wrong in
            ["", "[]", "{\"results\": 1}", "{\"results\": {\"a\": [{\"hashed_secret\": \"x\"}]}}"]
        {
            assert!(SecretsBaseline::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_list_is_read(text in "[:a-f0-9/.\\\\\n# ]{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for bytes in [text.as_bytes(), &bytes] {
                let list = GitleaksIgnore::read(bytes);
                prop_assert!(list.find("a", 1, Some("b")).is_none() || !list.is_empty());
                let _ = SecretsBaseline::read(bytes);
            }
        }

        #[test]
        fn any_document_is_read(path in any::<String>(), digest in any::<String>(), rest in any::<String>(),
            content in prop::collection::vec(any::<u8>(), 0..64), start in 0_u64..80, length in 0_u64..80) {
            let json = serde_json::json!({"results": {path.clone(): [{"hashed_secret": digest, "x": rest}]}});
            let _ = SecretsBaseline::read(json.to_string().as_bytes());
            let json = serde_json::json!({"results": {path.clone(): [{"hashed_secret": "0".repeat(40)}]}});
            let list = SecretsBaseline::read(json.to_string().as_bytes()).expect("it is read");
            let _ = list.find(&from_root(&path), &content, Span { start, end: start + length });
        }
    }
}
