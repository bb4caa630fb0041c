//! Native hooks: written beside what is there, and taken away again.
//!
//! An older hook keeps its bytes and its mode under another name in the same folder, and ours runs it
//! first. Each step is one rename or link, so that a hook is there at every moment. A hook of ours
//! holds the digest of its text: what was changed by hand since is neither replaced nor removed.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{GateError, Repository};
use crate::respond::escape;

/// What an older hook is called while ours is there, behind its own name.
pub const KEPT: &str = ".sluice-kept";

/// The file of the baseline, at the top of the working tree.
const BASELINE: &str = ".sluice-baseline";

/// Begins the second line of a hook of ours; the digest of all lines behind it ends it.
const MARK: &str = "# sluice gate hook, sha256 ";

const SHELL: &str = "#!/bin/sh\n";

/// Larger files are no hooks of ours, and no `.gitattributes` that is added to.
const MAX_BYTES: u64 = 1 << 20;

/// The hooks that the gate stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// Before a commit: what is staged.
    PreCommit,
    /// Before the commit of a merge that had no conflict, for which git asks no pre-commit hook.
    PreMergeCommit,
    /// Before a push: the commits that it sends.
    PrePush,
}

impl Hook {
    /// All of them.
    pub const ALL: [Hook; 3] = [Hook::PreCommit, Hook::PreMergeCommit, Hook::PrePush];

    /// Its file name.
    pub fn name(self) -> &'static str {
        match self {
            Hook::PreCommit => "pre-commit",
            Hook::PreMergeCommit => "pre-merge-commit",
            Hook::PrePush => "pre-push",
        }
    }
}

/// What a hook calls.
#[derive(Clone, Debug)]
pub struct Call {
    /// The program, as an absolute path.
    pub program: PathBuf,
    /// Further arguments of `sluice gate`.
    pub arguments: Vec<OsString>,
}

/// Why hooks stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The configuration names no folder that hooks can be in.
    #[error("`core.hooksPath` is {0}, where no hook can be: set it to a folder or unset it")]
    NoFolder(String),
    /// Another program makes the files of this folder again and again.
    #[error(
        "`{}` is written by husky, which would undo this: add the line `sluice gate` to \
         `.husky/pre-commit` instead, and `sluice gate --push \"$1\" \"$2\"` to `.husky/pre-push`",
        escape(.0)
    )]
    Husky(String),
    /// A hook of ours that somebody has changed.
    #[error("`{}` is a hook of sluice that was changed since: mend or remove it by hand", escape(.0))]
    Changed(String),
    /// A hook of somebody else where ours was looked for.
    #[error("`{}` is no hook of sluice, and stays as it is", escape(.0))]
    Foreign(String),
    /// What an earlier installation kept is in the way.
    #[error(
        "`{}` was kept by an earlier installation: move it back to its old name, or remove it",
        escape(.0)
    )]
    Left(String),
    /// Something that is no file.
    #[error("`{}` is {what}, and stays as it is", escape(.path))]
    NoFile {
        /// Its path.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// The repository cannot be read.
    #[error("{0}")]
    Repository(#[from] GateError),
    /// A file cannot be read or written.
    #[error("cannot {what} `{}`: {why}", escape(.path))]
    File {
        /// What was tried.
        what: &'static str,
        /// Its path.
        path: String,
        /// Why not.
        why: io::Error,
    },
}

impl InstallError {
    /// Whether the caller can mend it.
    pub fn is_usage(&self) -> bool {
        match self {
            InstallError::File { .. } => false,
            InstallError::Repository(error) => error.is_usage(),
            _ => true,
        }
    }
}

/// What an installation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installed {
    /// The hook is new.
    New,
    /// The hook is new, and runs the older one first.
    BesideOlder,
    /// A hook of ours became another one.
    Updated,
    /// The hook was there already.
    Same,
}

/// What a removal did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// The hook is gone.
    Gone,
    /// The older hook is back.
    Restored,
    /// There was none.
    None,
}

/// The folder of the hooks of a repository.
#[derive(Clone, Debug)]
pub struct Hooks {
    folder: PathBuf,
    is_shared: bool,
}

impl Hooks {
    /// The folder in which git looks for hooks: that of `core.hooksPath`, else `hooks` of the
    /// repository, which its worktrees share.
    ///
    /// # Errors
    ///
    /// `core.hooksPath` cannot be read, or names no folder.
    pub fn of(repository: &Repository) -> Result<Hooks, InstallError> {
        let git = &repository.inner;
        let configuration = git.config_snapshot();
        let path = configuration.trusted_path("core.hooksPath");
        let path = path.map_err(super::repository::unreadable("`core.hooksPath`"))?;
        let Some(path) = path else {
            let folder = git.common_dir();
            let folder = folder.strip_prefix(".").unwrap_or(folder).join("hooks");
            return Ok(Hooks { folder, is_shared: false });
        };
        if path.as_os_str().is_empty() {
            return Err(InstallError::NoFolder("empty".to_owned()));
        }
        // Hooks run at the top of the working tree; in a bare repository, in the repository.
        let folder = git.workdir().unwrap_or(git.git_dir()).join(&path);
        if fs::metadata(&folder).is_ok_and(|it| !it.is_dir()) {
            let shown = format!("`{}`", escape(&folder.to_string_lossy()));
            return Err(InstallError::NoFolder(shown));
        }
        if folder.ends_with(".husky/_") {
            return Err(InstallError::Husky(shown(&folder)));
        }
        let section = configuration.plumbing().raw_value_with_section("core.hooksPath");
        let is_local = section.is_ok_and(|(_, section)| {
            use gix::config::Source::{Local, Worktree};
            matches!(section.meta().source, Local | Worktree)
        });
        Ok(Hooks { folder, is_shared: !is_local })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the folder is named outside the repository, so that other repositories use it too.
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// The file of a hook.
    pub fn path(&self, hook: Hook) -> PathBuf {
        self.folder.join(hook.name())
    }

    fn kept(&self, hook: Hook) -> PathBuf {
        self.folder.join(format!("{}{KEPT}", hook.name()))
    }

    /// Has a hook call the gate. What was there is kept, and runs first.
    ///
    /// # Errors
    ///
    /// Something is there that would be lost, or cannot be written; all is as it was then.
    pub fn install(&self, hook: Hook, call: &Call) -> Result<Installed, InstallError> {
        let (path, kept) = (self.path(hook), self.kept(hook));
        let text = text(hook, call);
        let before = look(&path)?;
        let done = match &before {
            There::Ours(old) if *old == text && mode(&path)? & 0o111 == 0o111 => {
                return Ok(Installed::Same);
            }
            There::Ours(_) => Installed::Updated,
            There::Changed => return Err(InstallError::Changed(shown(&path))),
            There::Nothing | There::Foreign if exists(&kept)? => {
                return Err(InstallError::Left(shown(&kept)));
            }
            There::Nothing => Installed::New,
            There::Foreign => Installed::BesideOlder,
        };
        fs::create_dir_all(&self.folder).map_err(cannot("make", &self.folder))?;
        let written = beside(&path, &text, 0o755)?;
        let result = (|| {
            if done == Installed::BesideOlder {
                keep(&path, &kept)?;
            }
            let placed = fs::rename(&written, &path).map_err(cannot("write", &path));
            if placed.is_err() && done == Installed::BesideOlder {
                let _ = fs::rename(&kept, &path);
            }
            placed
        })();
        if result.is_err() {
            let _ = fs::remove_file(&written);
        }
        result?;
        sync(&self.folder);
        Ok(done)
    }

    /// Takes a hook of ours away, and puts back what was there before.
    ///
    /// # Errors
    ///
    /// The hook is not ours, or no longer, or cannot be removed; it is as it was then.
    pub fn uninstall(&self, hook: Hook) -> Result<Removed, InstallError> {
        let (path, kept) = (self.path(hook), self.kept(hook));
        match look(&path)? {
            There::Ours(_) => {}
            There::Changed => return Err(InstallError::Changed(shown(&path))),
            There::Foreign => return Err(InstallError::Foreign(shown(&path))),
            There::Nothing if exists(&kept)? => return Err(InstallError::Left(shown(&kept))),
            There::Nothing => return Ok(Removed::None),
        }
        let done = if exists(&kept)? {
            fs::rename(&kept, &path).map_err(cannot("restore", &path))?;
            Removed::Restored
        } else {
            fs::remove_file(&path).map_err(cannot("remove", &path))?;
            Removed::Gone
        };
        sync(&self.folder);
        Ok(done)
    }
}

/// The text of a hook. An older hook runs first, with the same arguments and standard input; what it
/// refuses stays refused. Where the program is gone the hook fails.
pub fn text(hook: Hook, call: &Call) -> Vec<u8> {
    let name = hook.name();
    let mut body = format!(
        "# `sluice gate uninstall` takes it away again. A hook that was here before it is kept as\n\
         # {name}{KEPT} and runs first.\n\
         kept=\"${{0%/*}}/{name}{KEPT}\"\n\
         sluice="
    )
    .into_bytes();
    body.extend(quoted(call.program.as_os_str()));
    body.extend_from_slice(
        b"
if [ ! -x \"$sluice\" ]; then
    sluice=$(command -v sluice) || {
        echo \"sluice: the gate cannot run: the program that installed this hook is gone, and there\" >&2
        echo \"is no sluice on PATH. Install it, or remove the hook: $0\" >&2
        exit 1
    }
fi
",
    );
    let mut arguments = Vec::new();
    for argument in &call.arguments {
        arguments.push(b' ');
        arguments.extend(quoted(argument));
    }
    let grant = b" ${SLUICE_GRANT:+--grant \"$SLUICE_GRANT\"}";
    match hook {
        Hook::PreCommit | Hook::PreMergeCommit => {
            body.extend_from_slice(
                b"if [ -x \"$kept\" ]; then\n    \"$kept\" \"$@\" || exit\nfi\n\
                  exec \"$sluice\" gate",
            );
            if hook == Hook::PreMergeCommit {
                body.extend_from_slice(b" --merge");
            }
        }
        Hook::PrePush => {
            // A substitution loses line feeds at the end, so that something stands behind them.
            body.extend_from_slice(
                b"pushed=$(cat && echo .) || exit\npushed=${pushed%.}\n\
                  if [ -x \"$kept\" ]; then\n    \
                  printf %s \"$pushed\" | \"$kept\" \"$@\" || exit\nfi\n\
                  printf %s \"$pushed\" | \"$sluice\" gate --push \"$1\" \"$2\"",
            );
        }
    }
    body.extend(arguments);
    body.extend_from_slice(grant);
    if hook == Hook::PrePush {
        // Programs read what a push writes to standard output.
        body.extend_from_slice(b" >&2");
    }
    body.push(b'\n');
    let mut text = format!("{SHELL}{MARK}{}\n", digest(&body)).into_bytes();
    text.extend(body);
    text
}

/// What the attributes of a repository say of the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attributes {
    /// They say how it is merged.
    Said,
    /// They do not.
    Unsaid,
}

/// The line that has git merge baselines of two branches line by line.
pub const UNION: &str = ".sluice-baseline merge=union";

/// Looks whether `.gitattributes` at the top of a working tree says how the baseline is merged.
///
/// # Errors
///
/// It cannot be read.
pub fn attributes(worktree: &Path) -> Result<Attributes, InstallError> {
    let path = worktree.join(".gitattributes");
    let text = regular(&path)?.unwrap_or_default();
    let said = text.split(|byte| *byte == b'\n').any(|line| {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.next().is_some_and(|it| it.strip_prefix(b"/").unwrap_or(it) == BASELINE.as_bytes())
            && words.any(|word| word.starts_with(b"merge="))
    });
    Ok(if said { Attributes::Said } else { Attributes::Unsaid })
}

/// Adds [`UNION`] to `.gitattributes`; all that stands there stays. False where it says so already.
///
/// # Errors
///
/// It cannot be read or written, or is no file.
pub fn add_union(worktree: &Path) -> Result<bool, InstallError> {
    if attributes(worktree)? == Attributes::Said {
        return Ok(false);
    }
    let path = worktree.join(".gitattributes");
    let old = regular(&path)?;
    let mode = if old.is_some() { mode(&path)? } else { 0o644 };
    let mut text = old.unwrap_or_default();
    if text.last().is_some_and(|last| *last != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(UNION.as_bytes());
    text.push(b'\n');
    let written = beside(&path, &text, mode)?;
    if let Err(error) = fs::rename(&written, &path) {
        let _ = fs::remove_file(&written);
        return Err(cannot("write", &path)(error));
    }
    sync(worktree);
    Ok(true)
}

/// What stands where a hook is to be.
enum There {
    Nothing,
    /// A hook of ours, as it was written.
    Ours(Vec<u8>),
    /// A hook of ours with another text.
    Changed,
    /// Anything else: a file or a link.
    Foreign,
}

fn look(path: &Path) -> Result<There, InstallError> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(There::Nothing),
        found => found.map_err(cannot("look at", path))?,
    };
    if found.is_symlink() || (found.is_file() && found.len() > MAX_BYTES) {
        return Ok(There::Foreign);
    }
    let Some(text) = regular(path)? else { return Ok(There::Nothing) };
    let Some(rest) = text.strip_prefix(SHELL.as_bytes()) else { return Ok(There::Foreign) };
    let Some(rest) = rest.strip_prefix(MARK.as_bytes()) else { return Ok(There::Foreign) };
    let at = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let (claimed, body) = rest.split_at_checked(at).unwrap_or_default();
    let body = body.strip_prefix(b"\n").unwrap_or_default();
    let same = digest(body).as_bytes() == claimed;
    Ok(if same { There::Ours(text) } else { There::Changed })
}

/// The bytes of a file that is no link; none where there is nothing.
fn regular(path: &Path) -> Result<Option<Vec<u8>>, InstallError> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.map_err(cannot("look at", path))?,
    };
    let what = match found.file_type() {
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a folder",
        kind if !kind.is_file() => "no ordinary file",
        _ if found.len() > MAX_BYTES => "too large",
        _ => return fs::read(path).map(Some).map_err(cannot("read", path)),
    };
    Err(InstallError::NoFile { path: shown(path), what })
}

fn exists(path: &Path) -> Result<bool, InstallError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        found => found.map(|_| true).map_err(cannot("look at", path)),
    }
}

fn mode(path: &Path) -> Result<u32, InstallError> {
    let found = fs::symlink_metadata(path).map_err(cannot("look at", path))?;
    Ok(found.permissions().mode() & 0o7777)
}

/// Gives a hook, or the link that it is, a second name, so that the first can be taken over; where the
/// file system has no second names, another one.
fn keep(path: &Path, kept: &Path) -> Result<(), InstallError> {
    match fs::hard_link(path, kept) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(InstallError::Left(shown(kept)))
        }
        Err(_) => fs::rename(path, kept).map_err(cannot("keep", path)),
        Ok(()) => Ok(()),
    }
}

/// Writes a file beside another, which it is to replace.
fn beside(path: &Path, bytes: &[u8], mode: u32) -> Result<PathBuf, InstallError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.sluice-new", std::process::id()));
    let beside = PathBuf::from(name);
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()
    };
    match write() {
        Ok(()) => Ok(beside),
        Err(error) => {
            if error.kind() != io::ErrorKind::AlreadyExists {
                let _ = fs::remove_file(&beside);
            }
            Err(cannot("write", &beside)(error))
        }
    }
}

/// Where a folder cannot be synced a crash may undo the change, which harms nothing.
fn sync(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

fn digest(body: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(body))
}

/// A word of the shell that stands for exactly these bytes.
fn quoted(word: &OsStr) -> Vec<u8> {
    let mut text = vec![b'\''];
    for byte in word.as_bytes() {
        match byte {
            b'\'' => text.extend_from_slice(b"'\\''"),
            byte => text.push(*byte),
        }
    }
    text.push(b'\'');
    text
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn cannot<'p>(what: &'static str, path: &'p Path) -> impl Fn(io::Error) -> InstallError + 'p {
    move |why| InstallError::File { what, path: shown(path), why }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;
    use std::process::{Command, Stdio};

    use super::*;

    fn call() -> Call {
        Call { program: PathBuf::from("/opt/it's here/sluice"), arguments: Vec::new() }
    }

    fn hooks(folder: &tempfile::TempDir) -> Hooks {
        Hooks { folder: folder.path().join("hooks"), is_shared: false }
    }

    fn write(path: &Path, text: &[u8], mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Writes a program from a process of its own: a file that a thread's new child still holds open
    /// for writing cannot be executed.
    fn program(path: &Path, text: &[u8], mode: u32) {
        let mut command = Command::new("sh");
        command.args(["-c", "cat >\"$0\" && chmod \"$1\" \"$0\""]).arg(path);
        let mut child = command.arg(format!("{mode:o}")).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text).unwrap();
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn words_of_the_shell_stand_for_exactly_their_bytes() {
        for word in [&b"plain"[..], b"it's", b"''", b"a b\n$x `y` \\ \"", b"\xff*?", b""] {
            let mut script = b"printf %s ".to_vec();
            script.extend(quoted(OsStr::from_bytes(word)));
            let script = OsString::from_vec(script);
            let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
            assert_eq!(output.stdout, word);
        }
    }

    #[test]
    fn installing_twice_is_installing_once_and_removing_undoes_it() {
        let folder = tempfile::tempdir().unwrap();
        let hooks = hooks(&folder);
        for hook in Hook::ALL {
            let path = hooks.path(hook);
            assert_eq!(hooks.uninstall(hook).unwrap(), Removed::None);
            assert_eq!(hooks.install(hook, &call()).unwrap(), Installed::New);
            assert_eq!(mode(&path).unwrap(), 0o755);
            assert_eq!(hooks.install(hook, &call()).unwrap(), Installed::Same);
            let moved = Call { program: PathBuf::from("/elsewhere/sluice"), ..call() };
            assert_eq!(hooks.install(hook, &moved).unwrap(), Installed::Updated);
            assert_eq!(fs::read(&path).unwrap(), text(hook, &moved));
            // Without its mode it would not run.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(hooks.install(hook, &moved).unwrap(), Installed::Updated);
            assert_eq!(hooks.uninstall(hook).unwrap(), Removed::Gone);
            assert!(!path.exists());
        }
        assert_eq!(fs::read_dir(hooks.folder()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn an_older_hook_comes_back_byte_for_byte_with_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let hooks = hooks(&folder);
        let path = hooks.path(Hook::PreCommit);
        for (text, bits) in [(&b"#!/bin/sh\nexit 7\n"[..], 0o750), (b"\xff\0no script", 0o644)] {
            write(&path, text, bits);
            assert_eq!(hooks.install(Hook::PreCommit, &call()).unwrap(), Installed::BesideOlder);
            assert_eq!(hooks.install(Hook::PreCommit, &call()).unwrap(), Installed::Same);
            let moved = Call { program: PathBuf::from("/elsewhere/sluice"), ..call() };
            assert_eq!(hooks.install(Hook::PreCommit, &moved).unwrap(), Installed::Updated);
            assert_eq!(hooks.uninstall(Hook::PreCommit).unwrap(), Removed::Restored);
            assert_eq!((fs::read(&path).unwrap(), mode(&path).unwrap()), (text.to_vec(), bits));
            assert_eq!(fs::read_dir(hooks.folder()).unwrap().count(), 1);
        }
    }

    #[test]
    fn links_are_kept_as_links_and_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let hooks = hooks(&folder);
        let (path, target) = (hooks.path(Hook::PrePush), folder.path().join("shared"));
        write(&target, b"#!/bin/sh\n", 0o755);
        fs::create_dir_all(hooks.folder()).unwrap();
        std::os::unix::fs::symlink("../shared", &path).unwrap();
        assert_eq!(hooks.install(Hook::PrePush, &call()).unwrap(), Installed::BesideOlder);
        assert_eq!(fs::read(&target).unwrap(), b"#!/bin/sh\n");
        assert_eq!(hooks.uninstall(Hook::PrePush).unwrap(), Removed::Restored);
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("../shared"));
        // One that leads to a hook of ours is not ours either.
        write(&target, &text(Hook::PrePush, &call()), 0o755);
        assert!(matches!(hooks.uninstall(Hook::PrePush), Err(InstallError::Foreign(_))));
    }

    #[test]
    fn what_somebody_changed_or_left_stays() {
        let folder = tempfile::tempdir().unwrap();
        let hooks = hooks(&folder);
        let path = hooks.path(Hook::PreCommit);
        let mut changed = text(Hook::PreCommit, &call());
        changed.extend_from_slice(b"echo mine\n");
        let cut = SHELL.len() + MARK.len() + 10;
        for text in [&changed[..], &changed[..cut], b"#!/bin/sh\n# sluice gate hook, sha256 "] {
            write(&path, text, 0o755);
            let installed = hooks.install(Hook::PreCommit, &call());
            assert!(matches!(installed, Err(InstallError::Changed(_))), "{installed:?}");
            let removed = hooks.uninstall(Hook::PreCommit);
            assert!(matches!(removed, Err(InstallError::Changed(_))), "{removed:?}");
            assert_eq!(fs::read(&path).unwrap(), text);
        }
        write(&path, b"theirs", 0o755);
        assert!(matches!(hooks.uninstall(Hook::PreCommit), Err(InstallError::Foreign(_))));
        let kept = hooks.kept(Hook::PreCommit);
        write(&kept, b"left", 0o755);
        for _ in 0..2 {
            let installed = hooks.install(Hook::PreCommit, &call());
            assert!(matches!(installed, Err(InstallError::Left(_))), "{installed:?}");
            assert_eq!(fs::read(&kept).unwrap(), b"left");
            let _ = fs::remove_file(&path);
        }
        assert!(matches!(hooks.uninstall(Hook::PreCommit), Err(InstallError::Left(_))));
        fs::create_dir(&path).unwrap();
        let error = hooks.install(Hook::PreCommit, &call()).unwrap_err();
        assert!(error.to_string().ends_with("is a folder, and stays as it is"), "{error}");
        assert_eq!(fs::read_dir(hooks.folder()).unwrap().count(), 2, "nothing new is there");
    }

    /// The hook of a push hands on all that it was given, to the last byte.
    #[test]
    fn a_push_is_shown_to_both() {
        let folder = tempfile::tempdir().unwrap();
        let hooks = hooks(&folder);
        let path = hooks.path(Hook::PrePush);
        let tells = |name: &str, code: u8| {
            let out = folder.path().join(name);
            let out = String::from_utf8(quoted(out.as_os_str())).unwrap();
            let text = format!("#!/bin/sh\n{{ printf '[%s]' \"$@\"; cat; }} >{out}\nexit {code}\n");
            text.into_bytes()
        };
        let gate = folder.path().join("program");
        fs::create_dir(hooks.folder()).unwrap();
        let arguments = ["--destination", "it's $HOME"].map(OsString::from).to_vec();
        let call = Call { program: gate.clone(), arguments };
        let run = |input: &[u8], grant: &str| {
            let mut command = Command::new("sh");
            command.arg(&path).args(["origin", "a b"]).env("SLUICE_GRANT", grant);
            let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(input).unwrap();
            child.wait().unwrap().code()
        };
        let said = |name: &str| fs::read(folder.path().join(name)).unwrap_or_default();
        for input in [&b"refs/heads/a 1 refs/heads/a 0\n"[..], b"", b"no end", b"a\n\n.\n\n"] {
            program(&path, &tells("older", 0), 0o755);
            program(&gate, &tells("gate", 3), 0o755);
            hooks.install(Hook::PrePush, &call).unwrap();
            assert_eq!(run(input, ""), Some(3), "the code of the gate is that of the hook");
            assert_eq!(said("older"), [b"[origin][a b]", input].concat());
            let with = b"[gate][--push][origin][a b][--destination][it's $HOME]";
            assert_eq!(said("gate"), [&with[..], input].concat());
            assert_eq!(run(input, "g 1"), Some(3));
            assert_eq!(said("gate"), [&with[..], b"[--grant][g 1]", input].concat());
            // What the older hook refuses is refused, whatever the gate says.
            fs::remove_file(folder.path().join("gate")).unwrap();
            program(&hooks.kept(Hook::PrePush), &tells("older", 9), 0o755);
            assert_eq!(run(input, ""), Some(9));
            assert_eq!(said("gate"), b"");
            // One that was switched off by its mode stays off.
            program(&hooks.kept(Hook::PrePush), &tells("older", 9), 0o644);
            assert_eq!(run(input, ""), Some(3));
            hooks.uninstall(Hook::PrePush).unwrap();
        }
    }

    #[test]
    fn attributes_are_added_to_once_and_all_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".gitattributes");
        assert_eq!(attributes(folder.path()).unwrap(), Attributes::Unsaid);
        assert!(add_union(folder.path()).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{UNION}\n"));
        assert!(!add_union(folder.path()).unwrap());
        write(&path, b"*.png binary", 0o600);
        assert!(add_union(folder.path()).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("*.png binary\n{UNION}\n"));
        assert_eq!(mode(&path).unwrap(), 0o600);
        for said in ["/.sluice-baseline text merge=ours\r\n", "\t.sluice-baseline\tmerge=union"] {
            write(&path, said.as_bytes(), 0o644);
            assert!(!add_union(folder.path()).unwrap(), "{said}");
        }
        write(&path, b"# .sluice-baseline merge=union\n.sluice-baseline -diff\n", 0o644);
        assert!(add_union(folder.path()).unwrap());
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert!(matches!(add_union(folder.path()), Err(InstallError::NoFile { .. })));
    }
}
