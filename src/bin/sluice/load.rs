//! Rules from the program and from folders that the caller names.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluicegate::RuleSet;
use sluicegate::rules::{Diagnostics, Source};

use crate::UsageError;
use crate::names::{built_in_rules, shown};

/// Bytes that are read of one file: one more than a pack may have, so that a longer one is told
/// from one that just fits.
const MAX_READ: u64 = (1 << 20) + 1;

/// How deep folders of packs may nest.
const MAX_DEPTH: usize = 16;

/// The most files of packs that one run takes.
const MAX_FILES: usize = 10_000;

/// The built-in rules with those of `dirs` over them.
///
/// # Errors
///
/// A [`UsageError`] with the rendered diagnostics, or with the path that cannot be read.
pub fn load_rules(dirs: &[PathBuf]) -> anyhow::Result<Arc<RuleSet>> {
    if dirs.is_empty()
        && let Some(rules) = built_in_rules()
    {
        return Ok(rules);
    }
    let mut sources = RuleSet::builtin_sources();
    sources.extend(read_sources(dirs)?);
    let rules = RuleSet::compile(&sources);
    rules.map(Arc::new).map_err(|diagnostics| rejected(&sources, &diagnostics))
}

fn rejected(sources: &[Source], diagnostics: &Diagnostics) -> anyhow::Error {
    let rendered = diagnostics.render(sources);
    UsageError(format!("rules cannot be used\n\n{}", rendered.trim_end())).into()
}

/// The packs at these paths: files as they are, folders with every `*.toml` below them, sorted by
/// name. Symbolic links below a folder are refused rather than followed or left out in silence.
pub fn read_sources(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let builtin = RuleSet::builtin_sources();
    let mut files = Vec::new();
    for path in paths {
        let kind = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if kind.is_dir() {
            let from = files.len();
            collect(path, 0, &mut files)?;
            if files.len() == from {
                return Err(usage(format!("`{}` holds no `*.toml`", shown(path))));
            }
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    files.dedup();
    files.iter().map(|path| read(path, &builtin)).collect()
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if depth > MAX_DEPTH {
        return Err(usage(format!("`{}` lies more than {MAX_DEPTH} folders deep", shown(folder))));
    }
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|error| unreadable(&path, &error))?;
        let is_pack = path.extension().is_some_and(|extension| extension == "toml");
        if kind.is_dir() {
            collect(&path, depth + 1, files)?;
        } else if kind.is_symlink() && (is_pack || path.is_dir()) {
            let path = shown(&path);
            return Err(usage(format!("`{path}` is a symbolic link; name its target instead")));
        } else if is_pack {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(usage(format!("more than {MAX_FILES} rule files")));
        }
    }
    Ok(())
}

fn read(path: &Path, builtin: &[Source]) -> anyhow::Result<Source> {
    let mut bytes = Vec::new();
    let kind = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !kind.is_file() {
        return Err(usage(format!("`{}` is no regular file", shown(path))));
    }
    File::open(path)
        .and_then(|file| file.take(MAX_READ).read_to_end(&mut bytes))
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 == MAX_READ {
        // The cut may have split a character; the length is all that matters now.
        bytes.iter_mut().for_each(|byte| *byte = b' ');
    }
    let text =
        String::from_utf8(bytes).map_err(|_| usage(format!("`{}` is not UTF-8", shown(path))))?;
    let mut name = shown(path);
    // Inside the repository, `rules/...` would be told from the built-in pack by nothing.
    if builtin.iter().any(|source| source.name == name) {
        name.insert_str(0, "./");
    }
    Ok(Source { name, text, builtin: false })
}

fn unreadable(path: &Path, error: &std::io::Error) -> anyhow::Error {
    usage(format!("cannot read `{}`: {error}", shown(path)))
}

fn usage(message: String) -> anyhow::Error {
    UsageError(message).into()
}
