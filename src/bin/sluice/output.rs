//! Where a report goes: standard output, or a file that is replaced only once the report is whole.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::ProgressBar;
use sluicegate::batch::FileId;

const BUFFER_BYTES: usize = 64 << 10;

/// A destination. What is dropped before [`Output::commit`] leaves an older file as it was.
pub struct Output {
    /// How errors name it.
    name: String,
    out: Option<BufWriter<Sink>>,
    /// A temporary file and what it is to replace.
    replaces: Option<(PathBuf, PathBuf)>,
    files: Vec<FileId>,
}

enum Sink {
    File(File),
    /// Standard output, and the progress bar that has to step aside on the same terminal.
    Stdout(io::Stdout, Option<ProgressBar>),
}

impl Output {
    /// Standard output. Where it is a terminal, `bar` is taken off it while something is written.
    pub fn stdout(bar: Option<&ProgressBar>) -> Output {
        let stdout = io::stdout();
        let bar = bar.filter(|_| stdout.is_terminal()).cloned();
        let files = regular(rustix::fs::fstat(&stdout));
        let out = Some(BufWriter::with_capacity(BUFFER_BYTES, Sink::Stdout(stdout, bar)));
        Output { name: "standard output".to_owned(), out, replaces: None, files }
    }

    /// A file: see [`Place::open`].
    pub fn file(path: &Path) -> anyhow::Result<Output> {
        Place::of(path)?.open()
    }

    /// The files that this is and that it replaces: no part of what a scan is to see.
    pub fn files(&self) -> &[FileId] {
        &self.files
    }

    /// Makes what was written durable and puts it in its place.
    pub fn commit(mut self) -> io::Result<()> {
        self.flush()?;
        let Some(out) = self.out.take() else { return Ok(()) };
        if let Some((temporary, target)) = &self.replaces {
            let done = match out.get_ref() {
                Sink::File(file) => file.sync_all(),
                Sink::Stdout(..) => Ok(()),
            };
            done.and_then(|()| fs::rename(temporary, target)).map_err(|e| self.named(e))?;
            self.replaces = None;
        }
        Ok(())
    }

    fn named(&self, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("cannot write {}: {error}", self.name))
    }
}

/// Where a file is to be, and what was there.
pub struct Place {
    name: String,
    target: PathBuf,
    existing: Option<Metadata>,
}

impl Place {
    /// Where `path` leads. A link keeps pointing where it does; what it points to is replaced.
    pub fn of(path: &Path) -> anyhow::Result<Place> {
        let name = format!("`{}`", crate::names::shown(path));
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let existing = fs::metadata(&target).ok();
        if existing.as_ref().is_some_and(Metadata::is_dir) {
            return Err(crate::UsageError(format!("{name} is a directory")).into());
        }
        Ok(Place { name, target, existing })
    }

    /// Takes an older file away. Refuses where that is one of `inputs`, which would be lost.
    pub fn clear(&self, inputs: &[FileId]) -> anyhow::Result<()> {
        let Some(existing) = self.existing.as_ref().filter(|it| it.is_file()) else {
            return Ok(());
        };
        if inputs.contains(&FileId::from_metadata(existing)) {
            let message = format!("{} is read, and cannot be written too", self.name);
            return Err(crate::UsageError(message).into());
        }
        fs::remove_file(&self.target).with_context(|| format!("cannot remove {}", self.name))
    }

    /// Opens it. A device or FIFO is written to directly; anything else is written beside it, with
    /// the mode of an older file, and takes its place in [`Output::commit`].
    pub fn open(&self) -> anyhow::Result<Output> {
        let Place { name, target, existing } = self;
        let cannot = || format!("cannot write {name}");
        let kind = existing.as_ref().map(Metadata::file_type);
        let is_special =
            kind.is_some_and(|k| k.is_char_device() || k.is_fifo() || k.is_block_device());
        if is_special {
            let file = OpenOptions::new().write(true).open(target).with_context(cannot)?;
            let out = Some(buffered(file));
            return Ok(Output { name: name.clone(), out, replaces: None, files: Vec::new() });
        }
        let temporary = beside(target).with_context(cannot)?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .with_context(cannot)?;
        let mut files = regular(rustix::fs::fstat(&file));
        let mut output = Output {
            name: name.clone(),
            out: Some(buffered(file)),
            replaces: Some((temporary.clone(), target.clone())),
            files: Vec::new(),
        };
        if let Some(metadata) = existing {
            files.push(FileId::from_metadata(metadata));
            fs::set_permissions(&temporary, metadata.permissions()).with_context(cannot)?;
        }
        output.files = files;
        Ok(output)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.as_mut().map_or(Ok(0), |out| out.write(bytes));
        written.map_err(|error| self.named(error))
    }

    // Reports are written in small pieces: each goes to the buffer at once.
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let gone = || Err(io::ErrorKind::WriteZero.into());
        let written = self.out.as_mut().map_or_else(gone, |out| out.write_all(bytes));
        written.map_err(|error| self.named(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.as_mut().map_or(Ok(()), |out| out.flush());
        flushed.map_err(|error| self.named(error))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some((temporary, _)) = &self.replaces {
            // Its buffer must not be written to a file that is going away.
            if let Some(out) = self.out.take() {
                let _ = out.into_parts();
            }
            let _ = fs::remove_file(temporary);
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::File(file) => file.write(bytes),
            Sink::Stdout(stdout, None) => stdout.write(bytes),
            Sink::Stdout(stdout, Some(bar)) => bar.suspend(|| {
                let written = stdout.write(bytes)?;
                stdout.flush()?;
                Ok(written)
            }),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::File(file) => file.flush(),
            Sink::Stdout(stdout, _) => stdout.flush(),
        }
    }
}

fn buffered(file: File) -> BufWriter<Sink> {
    BufWriter::with_capacity(BUFFER_BYTES, Sink::File(file))
}

/// A name for a temporary file in the directory of `target`.
fn beside(target: &Path) -> anyhow::Result<PathBuf> {
    let name = target.file_name().context("it has no file name")?;
    let random = getrandom::u64().map_err(|_| anyhow::anyhow!("no random numbers"))?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{random:016x}.tmp"));
    Ok(target.with_file_name(temporary))
}

fn regular(stat: rustix::io::Result<rustix::fs::Stat>) -> Vec<FileId> {
    use rustix::fs::FileType;
    stat.ok()
        .filter(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
        .map(|stat| FileId { device: stat.st_dev, inode: stat.st_ino })
        .into_iter()
        .collect()
}

/// The file that standard input is read from, if it is one.
pub fn stdin_files() -> Vec<FileId> {
    regular(rustix::fs::fstat(io::stdin()))
}

/// The files that standard error is written to.
pub fn stderr_files() -> Vec<FileId> {
    regular(rustix::fs::fstat(io::stderr()))
}
