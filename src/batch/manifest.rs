//! What a scan saw, written down, and whether it still is so.
//!
//! A manifest is JSON, one object a line: a head with the roots, a line for each file in the order
//! of the scan, and a tail with the totals, without which it counts as cut off. Paths stand as the
//! scan named them, so that it is checked from the same working directory or with another base.
//! Paths that are not UTF-8 stand as base64 under `path_bytes`.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, BufRead, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::{FileReport, Outcome};

use super::FileId;
use super::read::{Opened, open};
use super::roots::{Root, RootPlace, Roots};
use super::walk::{Item, Met, walk};

/// Version of the format.
pub const VERSION: u32 = 1;

/// Longest line that is read, in bytes: a path of the deepest tree that a scan enters, escaped.
pub const MAX_LINE_BYTES: u64 = 2 << 20;

/// Most files that a manifest may list. Checking holds 16 bytes for each.
pub const MAX_FILES: u64 = 10_000_000;

/// Bytes of one read when a digest is made.
const PIECE_BYTES: usize = 256 << 10;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    sluice_manifest: u32,
    root: Vec<PathText>,
    created_by: String,
    /// Files that the scan itself wrote, which are not part of what it saw.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    outputs: Vec<PathText>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    size: u64,
    sha256: Option<String>,
    outcome: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tail {
    files: u64,
    bytes: u64,
}

/// A path as JSON holds it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum PathText {
    Text(String),
    Bytes { path_bytes: String },
}

/// Writes a manifest while a scan runs.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    tail: Tail,
}

impl<W: Write> Writer<W> {
    /// Writes the head. `outputs` are the files that the scan writes itself.
    ///
    /// # Errors
    /// Those of writing.
    pub fn begin<'a>(
        mut out: W,
        roots: impl IntoIterator<Item = &'a Path>,
        outputs: impl IntoIterator<Item = &'a Path>,
    ) -> io::Result<Writer<W>> {
        let head = Head {
            sluice_manifest: VERSION,
            root: roots.into_iter().map(PathText::from).collect(),
            created_by: concat!("sluice ", env!("CARGO_PKG_VERSION")).to_owned(),
            outputs: outputs.into_iter().map(PathText::from).collect(),
        };
        write_line(&mut out, &head)?;
        Ok(Writer { out, tail: Tail { files: 0, bytes: 0 } })
    }

    /// Adds a file.
    ///
    /// # Errors
    /// Those of writing.
    pub fn file(&mut self, report: &FileReport) -> io::Result<()> {
        let (path, path_bytes) = match PathText::from(report.path.as_path()) {
            PathText::Text(text) => (Some(text), None),
            PathText::Bytes { path_bytes } => (None, Some(path_bytes)),
        };
        let line = Line {
            path,
            path_bytes,
            size: report.bytes,
            sha256: report.digest.map(|digest| HEXLOWER_PERMISSIVE.encode(&digest)),
            outcome: report.outcome.as_str().to_owned(),
        };
        self.tail.files += 1;
        self.tail.bytes += report.bytes;
        write_line(&mut self.out, &line)
    }

    /// Writes the tail and hands the output back.
    ///
    /// # Errors
    /// Those of writing.
    pub fn finish(mut self) -> io::Result<W> {
        write_line(&mut self.out, &self.tail)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It could not be read.
    #[error("cannot read the manifest: {0}")]
    Unreadable(#[from] io::Error),
    /// A line is not what it should be.
    #[error("broken manifest: line {line}: {problem}")]
    Broken {
        /// Line, counted from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// The sink of deviations failed.
    #[error("cannot write the report: {0}")]
    Sink(io::Error),
}

/// What is no longer as a manifest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// Size or content differ.
    Changed,
    /// It is not there, or no regular file any more.
    Missing,
    /// It is there and cannot be read.
    Unreadable,
    /// It was not there.
    New,
}

impl Deviation {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Deviation::Changed => "changed",
            Deviation::Missing => "missing",
            Deviation::Unreadable => "unreadable",
            Deviation::New => "new",
        }
    }
}

/// The result of a check in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files whose content is that of the manifest.
    pub same: u64,
    /// Files that the scan did not read whole, so that there is nothing to compare.
    pub unchecked: u64,
    /// Files that changed.
    pub changed: u64,
    /// Files that are missing.
    pub missing: u64,
    /// Files that cannot be read now.
    pub unreadable: u64,
    /// Files that the manifest does not list.
    pub new: u64,
}

impl Verified {
    /// Whether nothing deviates.
    pub fn holds(&self) -> bool {
        self.changed + self.missing + self.unreadable + self.new == 0
    }
}

/// Checks that the files still are as the manifest says, and that there are no others.
///
/// The whole manifest is checked first. Relative paths are taken from `base`, absolute ones too
/// where it is given. Each deviation goes to `sink` with the path as the manifest names it.
///
/// # Errors
/// A manifest that cannot be read or is broken, and those of the sink.
pub fn verify(
    manifest: std::fs::File,
    base: Option<&Path>,
    sink: &mut dyn FnMut(&Path, Deviation) -> io::Result<()>,
) -> Result<Verified, ManifestError> {
    if !manifest.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file").into());
    }
    let mut known = HashSet::new();
    let head = Lines::new(&manifest).read_all(&mut |line, entry| {
        if known.insert(short_digest(&entry.path)) {
            Ok(())
        } else {
            Err(broken(line, "a path is listed twice"))
        }
    })?;
    let roots: Vec<Checked> =
        head.roots.iter().map(|root| Checked::new(root, base)).collect::<Result<_, _>>()?;

    let mut verified = Verified::default();
    let mut count = |path: &Path, deviation| {
        match deviation {
            Deviation::Changed => verified.changed += 1,
            Deviation::Missing => verified.missing += 1,
            Deviation::Unreadable => verified.unreadable += 1,
            Deviation::New => verified.new += 1,
        }
        sink(path, deviation).map_err(ManifestError::Sink)
    };
    let (mut same, mut unchecked) = (0, 0);
    let mut buffer = vec![0; PIECE_BYTES];
    Lines::new(&manifest).read_all(&mut |line, entry| {
        let root = roots.get(entry.root).ok_or_else(|| broken(line, "it has no root"))?;
        match root.compare(&entry, &mut buffer) {
            Compared::Same => same += 1,
            Compared::Unchecked => unchecked += 1,
            Compared::Deviates(deviation) => count(&entry.path, deviation)?,
        }
        Ok(())
    })?;

    let mut own: Vec<FileId> = head.outputs.iter().filter_map(|path| id_of(path, base)).collect();
    own.extend(manifest.metadata().ok().map(|metadata| FileId::from_metadata(&metadata)));
    for root in &roots {
        root.look_for_new(&known, &own, &mut count)?;
    }
    Ok(Verified { same, unchecked, ..verified })
}

/// The head of a manifest, with paths as paths.
struct Contents {
    roots: Vec<PathBuf>,
    outputs: Vec<PathBuf>,
}

/// A file of a manifest.
struct Entry {
    path: PathBuf,
    /// Position of its root.
    root: usize,
    below: PathBuf,
    size: u64,
    digest: Option<[u8; 32]>,
}

/// The lines of a manifest, read from its start by position.
struct Lines<'a> {
    input: io::BufReader<At<'a>>,
    number: u64,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn new(manifest: &'a std::fs::File) -> Lines<'a> {
        let input = io::BufReader::with_capacity(64 << 10, At { file: manifest, offset: 0 });
        Lines { input, number: 0, line: Vec::new() }
    }

    /// Reads all lines, checking them; each file goes to `each` with its line number.
    fn read_all(
        mut self,
        each: &mut dyn FnMut(u64, Entry) -> Result<(), ManifestError>,
    ) -> Result<Contents, ManifestError> {
        if !self.next()? {
            return Err(broken(1, "it is empty"));
        }
        let head: Head = self.parse("no head of a manifest")?;
        if head.sluice_manifest != VERSION {
            return Err(broken(1, format!("unknown version {}", head.sluice_manifest)));
        }
        let paths = |texts: Vec<PathText>| {
            texts.into_iter().map(PathText::into_path).collect::<Option<Vec<PathBuf>>>()
        };
        let (Some(roots), Some(outputs)) = (paths(head.root), paths(head.outputs)) else {
            return Err(broken(1, "a path is no base64"));
        };
        let mut totals = Tail { files: 0, bytes: 0 };
        loop {
            if !self.next()? {
                return Err(broken(self.number + 1, "it is cut off: the last line is missing"));
            }
            if let Ok(tail) = serde_json::from_slice::<Tail>(&self.line) {
                if (tail.files, tail.bytes) != (totals.files, totals.bytes) {
                    return Err(self.broken("the totals do not agree with the lines above"));
                }
                if self.next()? {
                    return Err(self.broken("there is more behind the totals"));
                }
                return Ok(Contents { roots, outputs });
            }
            let line: Line = self.parse("no line of a manifest")?;
            totals.files += 1;
            if totals.files > MAX_FILES {
                return Err(self.broken(&format!("more than {MAX_FILES} files")));
            }
            let Some(bytes) = totals.bytes.checked_add(line.size) else {
                return Err(self.broken("the sizes add up to more than can be"));
            };
            totals.bytes = bytes;
            let entry = self.entry(line, &roots)?;
            each(self.number, entry)?;
        }
    }

    fn entry(&self, line: Line, roots: &[PathBuf]) -> Result<Entry, ManifestError> {
        let path = match (line.path, line.path_bytes) {
            (Some(text), None) => Some(PathText::Text(text)),
            (None, Some(path_bytes)) => Some(PathText::Bytes { path_bytes }),
            _ => None,
        };
        let path = path
            .and_then(PathText::into_path)
            .ok_or_else(|| self.broken("it has no readable path"))?;
        let digest = match line.sha256 {
            None => None,
            Some(hex) => Some(
                HEXLOWER_PERMISSIVE
                    .decode(hex.as_bytes())
                    .ok()
                    .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
                    .ok_or_else(|| self.broken("`sha256` is no digest"))?,
            ),
        };
        let outcomes = [Outcome::Scanned, Outcome::Partial, Outcome::Skipped, Outcome::Failed];
        if !outcomes.iter().any(|outcome| outcome.as_str() == line.outcome) {
            return Err(self.broken("`outcome` is no word of a scan"));
        }
        // Only what lies below a root, without `..`, is ever opened.
        let (root, below) = roots
            .iter()
            .enumerate()
            .find_map(|(at, root)| Some((at, path.strip_prefix(root).ok()?.to_owned())))
            .filter(|(_, below)| below.components().all(|c| matches!(c, Component::Normal(_))))
            .ok_or_else(|| self.broken("the path lies in no root"))?;
        Ok(Entry { path, root, below, size: line.size, digest })
    }

    /// Reads the next line, without its end; false at the end of the manifest.
    fn next(&mut self) -> Result<bool, ManifestError> {
        self.line.clear();
        self.input.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut self.line)?;
        if self.line.is_empty() {
            return Ok(false);
        }
        self.number += 1;
        if self.line.len() as u64 > MAX_LINE_BYTES {
            return Err(self.broken("the line is too long"));
        }
        if self.line.pop() != Some(b'\n') {
            return Err(self.broken("it is cut off within a line"));
        }
        Ok(true)
    }

    fn parse<'b, T: Deserialize<'b>>(&'b self, otherwise: &str) -> Result<T, ManifestError> {
        serde_json::from_slice(&self.line).map_err(|_| self.broken(otherwise))
    }

    fn broken(&self, problem: &str) -> ManifestError {
        broken(self.number, problem)
    }
}

fn broken(line: u64, problem: impl Into<String>) -> ManifestError {
    ManifestError::Broken { line, problem: problem.into() }
}

/// A file that is read by position, so that it can be read twice.
struct At<'a> {
    file: &'a std::fs::File,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(space, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// A root of a manifest, as it is now.
struct Checked {
    /// As the manifest names it.
    named: PathBuf,
    /// None where it is gone.
    now: Option<Roots>,
}

/// What a file is against its entry.
enum Compared {
    Same,
    Unchecked,
    Deviates(Deviation),
}

impl Checked {
    fn new(named: &Path, base: Option<&Path>) -> Result<Checked, ManifestError> {
        let now = Roots::check(&[resolve(named, base)]).ok();
        Ok(Checked { named: named.to_owned(), now })
    }

    fn root(&self) -> Option<&Root> {
        self.now.as_ref()?.kept.first()
    }

    fn compare(&self, entry: &Entry, buffer: &mut [u8]) -> Compared {
        let Some(root) = self.root() else { return Compared::Deviates(Deviation::Missing) };
        let below_a_file = !entry.below.as_os_str().is_empty();
        if below_a_file && !matches!(root.place, RootPlace::Directory(_)) {
            return Compared::Deviates(Deviation::Missing);
        }
        let item = Item { root, below: entry.below.clone(), met: Met::File };
        let Some(digest) = entry.digest else {
            return match item.is_there() {
                true => Compared::Unchecked,
                false => Compared::Deviates(Deviation::Missing),
            };
        };
        match open(&item) {
            Ok(Opened::File(_, size)) if size != entry.size => {
                Compared::Deviates(Deviation::Changed)
            }
            Ok(Opened::File(file, size)) => match digest_of(&file, size, buffer) {
                Ok(now) if now == digest => Compared::Same,
                Ok(_) => Compared::Deviates(Deviation::Changed),
                Err(_) => Compared::Deviates(Deviation::Unreadable),
            },
            Ok(Opened::Special(_)) => Compared::Deviates(Deviation::Missing),
            Err(error) => Compared::Deviates(match error.kind() {
                io::ErrorKind::PermissionDenied => Deviation::Unreadable,
                _ if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                    Deviation::Unreadable
                }
                _ => Deviation::Missing,
            }),
        }
    }

    /// Names what the manifest does not list. Directories that it lists were not entered by the
    /// scan and are not entered here.
    fn look_for_new(
        &self,
        known: &HashSet<[u8; 16]>,
        own: &[FileId],
        count: &mut dyn FnMut(&Path, Deviation) -> Result<(), ManifestError>,
    ) -> Result<(), ManifestError> {
        let Some(now) = &self.now else { return Ok(()) };
        let named = |below: &Path| match below.as_os_str().is_empty() {
            true => self.named.clone(),
            false => self.named.join(below),
        };
        let skips = |_: &Root, below: &Path, is_directory: bool| {
            (is_directory && known.contains(&short_digest(&named(below)))).then_some("listed")
        };
        let mut outcome = Ok(());
        let _ = walk(now, &skips, own, &mut |item| {
            let path = named(&item.below);
            if !known.contains(&short_digest(&path)) {
                let deviation = match item.met {
                    Met::Failed(_) => Deviation::Unreadable,
                    _ => Deviation::New,
                };
                outcome = count(&path, deviation);
            }
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        outcome
    }
}

impl Item<'_> {
    fn is_there(&self) -> bool {
        match &self.root.place {
            RootPlace::Directory(beneath) => beneath.stat(&self.below).is_ok(),
            _ => true,
        }
    }
}

impl FileId {
    /// The file that metadata describe.
    pub fn from_metadata(metadata: &std::fs::Metadata) -> FileId {
        use std::os::unix::fs::MetadataExt;
        FileId { device: metadata.dev(), inode: metadata.ino() }
    }
}

fn id_of(path: &Path, base: Option<&Path>) -> Option<FileId> {
    std::fs::metadata(resolve(path, base)).ok().map(|metadata| FileId::from_metadata(&metadata))
}

/// Where a path of the manifest is now.
fn resolve(path: &Path, base: Option<&Path>) -> PathBuf {
    match base {
        Some(base) => base.join(path.strip_prefix("/").unwrap_or(path)),
        None => path.to_owned(),
    }
}

fn digest_of(file: &std::fs::File, size: u64, buffer: &mut [u8]) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut offset = 0;
    // One byte past the size shows a file that grows.
    while offset <= size {
        let wanted = usize::try_from(size + 1 - offset).unwrap_or(usize::MAX).min(buffer.len());
        let Some(space) = buffer.get_mut(..wanted) else { break };
        let read = match file.read_at(space, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if read == 0 {
            break;
        }
        hash.update(space.get(..read).unwrap_or_default());
        offset += read as u64;
    }
    Ok(hash.finalize().into())
}

/// The first half of a path's SHA-256, to know it again without holding it.
fn short_digest(path: &Path) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(path.as_os_str().as_bytes()).into();
    let mut short = [0; 16];
    short.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    short
}

impl From<&Path> for PathText {
    fn from(path: &Path) -> PathText {
        match path.to_str() {
            Some(text) => PathText::Text(text.to_owned()),
            None => PathText::Bytes { path_bytes: BASE64.encode(path.as_os_str().as_bytes()) },
        }
    }
}

impl PathText {
    fn into_path(self) -> Option<PathBuf> {
        match self {
            PathText::Text(text) => Some(PathBuf::from(text)),
            PathText::Bytes { path_bytes } => {
                let bytes = BASE64.decode(path_bytes.as_bytes()).ok()?;
                Some(PathBuf::from(OsString::from_vec(bytes)))
            }
        }
    }
}
