//! Bearer tokens: secrets in files that only their owner reads, compared in constant time.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::model::TokenOf;
use crate::policy::Policy;

/// Bytes of the largest token file.
const MAX_TOKEN: usize = 4_096;

/// Bytes of the shortest token.
const MIN_TOKEN: usize = 16;

/// Why a token file is not used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be opened or read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The path ends in a symbolic link.
    #[error("it is a symbolic link; name the file itself")]
    Link,
    /// It is a folder, device or pipe.
    #[error("it is no regular file")]
    NotRegular,
    /// Others than its owner may read or write it.
    #[error("others than its owner may open it; run `chmod 0600` on it, and take a new token")]
    Open,
    /// It belongs to somebody else than root or this process.
    #[error(
        "it belongs to user {0}, who is neither root nor the one that runs this; change its owner"
    )]
    Foreign(u32),
    /// It has more than 4,096 bytes.
    #[error("it has more than {MAX_TOKEN} bytes; a token of 32 random bytes in hex is enough")]
    TooLong,
    /// The token has less than 16 bytes.
    #[error("the token has less than {MIN_TOKEN} bytes; take 32 random bytes in hex")]
    TooShort,
    /// The token holds bytes that cannot stand in an `Authorization` header.
    #[error(
        "the token holds bytes other than visible ASCII characters; take 32 random bytes in hex"
    )]
    NotVisible,
}

/// A token file of a workflow that is not used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file of one workflow.
    #[error("token file `{path}` of workflow `{workflow}`: {source}")]
    File {
        /// Id of the workflow.
        workflow: String,
        /// Where it was looked for.
        path: String,
        /// Why.
        source: TokenError,
    },
    /// One token would stand for two workflows.
    #[error("workflows `{0}` and `{1}` have the same token; give each its own")]
    Shared(String, String),
}

/// The tokens of a register. Only their digests are kept, and these are wiped.
pub struct Tokens {
    tokens: Vec<(Zeroizing<[u8; 32]>, String)>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({})", self.tokens.len())
    }
}

/// One token without a workflow, such as that of the TCP listener.
pub struct Token(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// Reads a token file.
    ///
    /// # Errors
    ///
    /// See [`read_token_file`].
    pub fn read(path: &Path) -> Result<Token, TokenError> {
        Ok(Token(digest(&read_token_file(path)?)))
    }

    /// Whether `presented` is this token, in a time that says nothing of where they differ.
    pub fn is(&self, presented: &[u8]) -> bool {
        self.0.ct_eq(&*digest(presented)).into()
    }
}

impl Tokens {
    /// Reads the token file of every workflow that has one.
    ///
    /// # Errors
    ///
    /// See [`TokensError`]: a file that is not used makes no token, and no set of tokens.
    pub fn load(policy: &Policy) -> Result<Tokens, TokensError> {
        let bound = policy.workflows().iter().filter_map(|workflow| {
            workflow.binding.token_file.as_ref().map(|path| (workflow.id.as_str(), path.as_str()))
        });
        Tokens::read(bound)
    }

    fn read<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Tokens, TokensError> {
        let mut tokens: Vec<(Zeroizing<[u8; 32]>, String)> = Vec::new();
        for (workflow, path) in files {
            let token = read_token_file(Path::new(path)).map_err(|source| TokensError::File {
                workflow: workflow.to_owned(),
                path: path.to_owned(),
                source,
            })?;
            let digest = digest(&token);
            if let Some((_, other)) = tokens.iter().find(|(known, _)| known.ct_eq(&*digest).into())
            {
                return Err(TokensError::Shared(other.clone(), workflow.to_owned()));
            }
            tokens.push((digest, workflow.to_owned()));
        }
        Ok(Tokens { tokens })
    }

    /// The workflow whose token was presented. All tokens are compared, whichever is equal, in a time
    /// that depends on their number and the length of what was presented alone.
    pub fn find(&self, presented: &[u8]) -> Option<TokenOf> {
        let digest = digest(presented);
        let mut found = u64::MAX;
        for (place, (token, _)) in (0u64..).zip(&self.tokens) {
            let equal: Choice = token.ct_eq(&*digest);
            found.conditional_assign(&place, equal);
        }
        let (_, workflow) = self.tokens.get(usize::try_from(found).ok()?)?;
        Some(TokenOf::verified(workflow))
    }

    /// A digest of all tokens with their workflows. It tells sets of tokens apart; whoever knows it can
    /// try tokens against it, so that it is not for others.
    pub fn digest(&self) -> [u8; 32] {
        let mut all = Sha256::new();
        for (token, workflow) in &self.tokens {
            all.update((workflow.len() as u64).to_le_bytes());
            all.update(workflow.as_bytes());
            all.update(&token[..]);
        }
        all.finalize().into()
    }

    /// How many workflows have a token.
    pub fn count(&self) -> usize {
        self.tokens.len()
    }
}

/// Reads a token: a regular file of at most 4,096 bytes that belongs to root or the user that runs this
/// and that nobody else may open, without its last line end. Memory that held it is wiped.
///
/// # Errors
///
/// See [`TokenError`].
pub fn read_token_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, TokenError> {
    // Without waiting for a writer, should it be a pipe.
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
        Errno::LOOP => TokenError::Link,
        error => TokenError::Unreadable(error.into()),
    })?;
    let mut file = File::from(file);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(TokenError::NotRegular);
    }
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != 0 && metadata.uid() != own {
        return Err(TokenError::Foreign(metadata.uid()));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(TokenError::Open);
    }
    // One more than is allowed; never grown, since growing leaves copies behind.
    let mut bytes = Zeroizing::new(vec![0; MAX_TOKEN + 1]);
    let mut length = 0;
    while let Some(free) = bytes.get_mut(length..).filter(|free| !free.is_empty()) {
        match file.read(free) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    if length > MAX_TOKEN {
        return Err(TokenError::TooLong);
    }
    bytes.truncate(length);
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.len() < MIN_TOKEN {
        return Err(TokenError::TooShort);
    }
    if !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(TokenError::NotVisible);
    }
    Ok(bytes)
}

fn digest(token: &[u8]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Sha256::digest(token).into())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    const FIRST: &str = "0123456789abcdef0123456789abcdef";
    const SECOND: &str = "0123456789abcdef0123456789abcdee";

    fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, content).expect("a file");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("mode");
        path
    }

    #[test]
    fn a_token_is_the_file_without_its_line_end() {
        let folder = tempfile::tempdir().expect("a folder");
        for (content, token) in [
            (FIRST.to_owned(), FIRST.to_owned()),
            (format!("{FIRST}\n"), FIRST.to_owned()),
            ("a".repeat(16), "a".repeat(16)),
            ("a".repeat(MAX_TOKEN), "a".repeat(MAX_TOKEN)),
        ] {
            let path = write(folder.path(), "token", &content);
            let read = read_token_file(&path).map_err(|error| error.to_string());
            assert_eq!(read.as_deref().map(Vec::as_slice), Ok(token.as_bytes()));
        }
    }

    #[test]
    fn files_that_others_open_and_what_is_no_token_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = write(folder.path(), "token", FIRST);
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("mode");
            assert!(matches!(read_token_file(&path), Err(TokenError::Open)), "{mode:o}");
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o400)).expect("mode");
        assert!(Token::read(&path).expect("stricter").is(FIRST.as_bytes()));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        assert!(matches!(read_token_file(&link), Err(TokenError::Link)));
        assert!(matches!(read_token_file(folder.path()), Err(TokenError::NotRegular)));
        let pipe = folder.path().join("pipe");
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, Mode::RUSR, 0).expect("a pipe");
        assert!(matches!(read_token_file(&pipe), Err(TokenError::NotRegular)));
        let none = folder.path().join("none");
        assert!(matches!(read_token_file(&none), Err(TokenError::Unreadable(_))));
        let refused = |content: &[u8]| {
            let path = write(folder.path(), "other", content);
            read_token_file(&path).expect_err("it is no token")
        };
        assert!(matches!(refused(&[b'a'; MAX_TOKEN + 1]), TokenError::TooLong));
        assert!(matches!(refused(b"short"), TokenError::TooShort));
        assert!(matches!(refused(b"0123456789abcde\n"), TokenError::TooShort));
        assert!(matches!(refused(b"0123456789abcdef\n\n"), TokenError::NotVisible));
        assert!(matches!(refused(b"0123456789 abcdef"), TokenError::NotVisible));
        assert!(matches!(refused(b"0123456789abcdef\xff"), TokenError::NotVisible));
    }

    #[test]
    fn a_file_of_somebody_else_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = write(folder.path(), "token", FIRST);
        if !rustix::process::geteuid().is_root() {
            return;
        }
        std::os::unix::fs::chown(&path, Some(1234), None).expect("owner");
        assert!(matches!(read_token_file(&path), Err(TokenError::Foreign(1234))));
    }

    #[test]
    fn the_workflow_of_a_token_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let first = text(write(folder.path(), "first", FIRST));
        let second = text(write(folder.path(), "second", SECOND));
        let files = [("letters", first.as_str()), ("billing", second.as_str())];
        let tokens = Tokens::read(files.into_iter()).expect("both are tokens");
        let found = |presented: &str| {
            tokens.find(presented.as_bytes()).map(|token| token.workflow().to_owned())
        };
        assert_eq!(found(FIRST).as_deref(), Some("letters"));
        assert_eq!(found(SECOND).as_deref(), Some("billing"));
        for wrong in ["", "0123456789abcdef0123456789abcde", &format!("{FIRST}\n"), "letters"] {
            assert_eq!(found(wrong), None);
        }
        assert_eq!(found(&FIRST.repeat(10_000)), None);
        assert_eq!((tokens.count(), format!("{tokens:?}").as_str()), (2, "Tokens(2)"));
        let none = Tokens::read(std::iter::empty()).expect("no token is no error");
        assert!(none.find(FIRST.as_bytes()).is_none());
    }

    #[test]
    fn one_token_for_two_workflows_and_a_missing_file_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = write(folder.path(), "token", FIRST).to_string_lossy().into_owned();
        let files = [("letters", path.as_str()), ("billing", path.as_str())];
        let error = Tokens::read(files.into_iter()).expect_err("shared").to_string();
        assert!(error.contains("`letters` and `billing`"), "{error}");
        let error = Tokens::read([("letters", "/nowhere/token")].into_iter()).expect_err("missing");
        assert!(error.to_string().contains("`/nowhere/token` of workflow `letters`"));
    }
}
