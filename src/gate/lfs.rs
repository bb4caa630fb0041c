//! Git LFS: what stands in the repository is a pointer, and the content lies beside it.
//!
//! The form of a pointer is that of the
//! [specification](https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md). One with extensions (`ext-0-...`)
//! counts as the text that it is, and as a pointer whose content is not here.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::repository::Repository;

/// Bytes of a pointer; the specification has it below 1,024.
pub(super) const MAX_POINTER: usize = 1_024;

/// The versions of pointers that git-lfs takes for one, older names of it among them.
const VERSIONS: [&str; 4] = [
    "https://git-lfs.github.com/spec/v1",
    "https://hawser.github.com/spec/v1",
    "http://git-media.io/v/2",
    "http://git-media.io/v/1",
];

/// What a pointer points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// SHA-256 of the content, in hex.
    pub oid: String,
    /// Bytes of the content.
    pub size: u64,
}

impl Pointer {
    /// Reads a pointer; none where a blob is something else.
    pub fn read(blob: &[u8]) -> Option<Pointer> {
        let text = std::str::from_utf8(blob).ok().filter(|_| blob.len() < MAX_POINTER)?;
        // These three lines and no other: what else stands there is content of its own.
        let lines: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
        let &["version https://git-lfs.github.com/spec/v1", oid, size] = lines.as_slice() else {
            return None;
        };
        let oid = oid.strip_prefix("oid sha256:")?;
        let is_digest =
            oid.len() == 64 && oid.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        let size: u64 =
            size.strip_prefix("size ").filter(|it| !it.starts_with('+'))?.parse().ok()?;
        is_digest.then(|| Pointer { oid: oid.to_owned(), size })
    }

    /// Whether a blob that is no plain pointer begins as one: with extensions, or something behind it.
    pub fn is_meant(blob: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(blob) else { return false };
        let first = text.trim_start().lines().next().unwrap_or_default().trim_end();
        blob.len() < MAX_POINTER
            && first.strip_prefix("version ").is_some_and(|version| VERSIONS.contains(&version))
    }

    /// The content; none where it is not here, is not what the pointer says, or has more bytes than
    /// `limit`.
    pub fn content(&self, repository: &Repository, limit: u64) -> Option<Vec<u8>> {
        if self.size > limit {
            return None;
        }
        let file = File::open(self.path(repository)?).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(self.size + 1).read_to_end(&mut bytes).ok()?;
        let is_this = bytes.len() as u64 == self.size && self.oid == hex(&Sha256::digest(&bytes));
        is_this.then_some(bytes)
    }

    fn path(&self, repository: &Repository) -> Option<PathBuf> {
        let objects = repository.lfs_folder().join("objects");
        Some(objects.join(self.oid.get(..2)?).join(self.oid.get(2..4)?).join(&self.oid))
    }
}

fn hex(digest: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_told_from_text_that_speaks_of_one() {
        let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        let text = |oid: &str, size: &str| {
            format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n")
        };
        assert_eq!(
            Pointer::read(text(oid, "12345").as_bytes()),
            Some(Pointer { oid: oid.to_owned(), size: 12_345 })
        );
        let long = text(oid, "1") + &"x".repeat(MAX_POINTER);
        for other in [text("4d7a", "1"), text(oid, "-1"), text(&oid.to_uppercase(), "1"), long] {
            assert_eq!(Pointer::read(other.as_bytes()), None, "{other}");
        }
        // A line more would not be in the content that is looked at in its place.
        let more = text(oid, "1") + "ssn 574-22-8190\n";
        assert_eq!(Pointer::read(more.as_bytes()), None);
        let before = format!("ssn 574-22-8190\n{}", text(oid, "1"));
        assert_eq!(Pointer::read(before.as_bytes()), None);
        assert_eq!(Pointer::read(b"see version https://git-lfs.github.com/spec/v1"), None);
    }
}
